"""A class on many machines: `dlcourse grade --dask tcp://host:port`.

Every worker of a Dask cluster is a judge like this machine: it keeps warm jails and grades what it
is sent. Dask hands out the work, and again what a lost worker had; this module sees to it that only
workers which judge as this machine would are asked, and that the work is small enough to lose.

Workers, scheduler and this program trust each other: Dask runs code for whoever reaches its ports.
What a student wrote travels as bytes, is opened by the judge of a worker and runs in its jail.
"""

import asyncio
import contextlib
import logging
import os
import pickle
import queue
import sys
import threading
import time
import uuid
import warnings
from collections import deque
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from distributed import CancelledError, Client, Future, get_worker
from distributed.scheduler import KilledWorker
from tqdm import tqdm

from dlcourse.checks.calling import clean
from dlcourse.grading import assignment, jail
from dlcourse.grading.grade import Result, Slot, not_judged
from dlcourse.grading.rebuild import Plan
from dlcourse.grading.store import versions

if TYPE_CHECKING:
    from nbformat import NotebookNode

GRACE = 60.0  # seconds to wait for a worker when there is none
POLL = 1.0  # seconds between two looks at the cluster
IDLE = 60.0  # seconds until a worker without work ends its jails, as when we were killed
CONNECT = 10.0  # seconds for the scheduler to answer

MOST = 16  # submissions in one message
TOGETHER = 0.5  # seconds of work in one message; a message costs some milliseconds
BACK = 1.0  # seconds after which a worker hands the rest of a message back
MOST_BYTES = 256 << 20  # of submissions under way

RESUME = "All grades so far are kept; the same command goes on from here."


class ClusterError(OSError):
    """The cluster cannot be used; the text says why and what to do."""


# --- on a worker ----------------------------------------------------------------------------------

_SITES: dict[tuple[str, str], "_Site"] = {}  # (address of the worker, run): the jails of a run


class _Site:
    """The warm slots of one run on one worker."""

    def __init__(self, plan: Plan, level: int, limits: jail.Limits, jobs: int, places: int):
        self.plan, self.level, self.limits = plan, level, limits
        self.used = time.monotonic()
        self.closed = False
        self._free = [Slot(self, places + n) for n in range(jobs)]
        self._busy: set[Slot] = set()
        self._changed = threading.Condition()

    def grade(self, submission: bytes, seed: int) -> Result | None:
        """Grade one submission when there is a free slot; None if the site was closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._free or self.closed)
            if self.closed:
                return None
            slot = self._free.pop()
            self._busy.add(slot)
        try:
            result = slot.grade(submission, seed)
        finally:
            with self._changed:
                self.used = time.monotonic()
                self._busy.discard(slot)
                self._free.append(slot)
                self._changed.notify()
            if self.closed:
                slot.close()
        return None if self.closed else result

    def idle(self) -> bool:
        with self._changed:
            return not self._busy and time.monotonic() - self.used > IDLE

    def close(self) -> None:
        """End all slots, those at work too."""
        with self._changed:
            self.closed = True
            self._changed.notify_all()
            for slot in self._busy:
                slot.process.kill()
            free = list(self._free)
        for slot in free:
            slot.connection.close()
        for slot in free:
            slot.close()


def _jobs(threads: int, most: int | None) -> int:
    return min(threads, most or threads)


async def _look(payload: bytes, level: int | None, no_jail: bool, dask_worker=None) -> dict:
    """What a supervisor asks of a worker first: its versions, its jail, its threads."""
    plan, limits = pickle.loads(payload)
    return {
        "versions": await asyncio.to_thread(versions, plan, limits),
        "level": await asyncio.to_thread(jail.choose, level, no_jail=no_jail),
        "threads": dask_worker.state.nthreads,
    }


async def _open(
    payload: bytes, run: str, levels: dict[str, int], most: int | None, dask_worker=None
) -> int:
    """Make a worker ready for a run: its jails are started.

    Returns:
        how many submissions it grades at a time.
    """
    key = (dask_worker.address, run)
    jobs = _jobs(dask_worker.state.nthreads, most)
    if key in _SITES:
        return jobs
    level = levels[dask_worker.address]
    plan, limits = pickle.loads(payload)
    places = os.getpid() * jobs  # so that workers on one machine have other users, as root
    _SITES[key] = site = await asyncio.to_thread(_Site, plan, level, limits, jobs, places)

    def rest() -> None:
        if _SITES.get(key) is not site:
            return
        if site.idle():  # nobody is there any more, or nobody needs us now
            dask_worker.loop.add_callback(_close, run, dask_worker=dask_worker)
        else:
            dask_worker.loop.call_later(IDLE / 4, rest)

    dask_worker.loop.call_later(IDLE / 4, rest)
    return jobs


async def _close(run: str, dask_worker=None) -> None:
    """End what `_open` began."""
    site = _SITES.pop((dask_worker.address, run), None)
    if site is not None:
        await asyncio.to_thread(site.close)


def _grade(run: str, seed: int, batch: list[bytes]) -> tuple[str, list[Result], str | None]:
    """The task: grade the first submissions of a batch, as many as a second allows.

    Returns:
        the worker's address, the results, and why it cannot go on: "" if nothing is ready for this
        run, None if it can.
    """
    address = get_worker().address
    site = _SITES.get((address, run))
    results: list[Result] = []
    until = time.monotonic() + BACK
    for submission in batch:
        try:
            result = site.grade(submission, seed) if site else None
        except OSError as error:  # among them JailError: nothing that a submission brings about
            return address, results, str(error)
        if result is None:
            return address, results, ""
        results.append(result)
        if time.monotonic() > until:
            break
    return address, results, None


# --- the supervisor's side ------------------------------------------------------------------------


@dataclass
class _Batch:
    """Submissions that travel together."""

    items: list[tuple[Hashable, bytes]]
    future: Future | None = None

    @property
    def size(self) -> int:
        return sum(len(data) for _, data in self.items)


class Cluster:
    """Grades submissions of one assignment on a Dask cluster; use it in a `with` block.

    It takes the place of a `Grader`. Workers that come later take part; those that go are missed by
    nobody. Its constructor looks at the cluster, and leaves nothing there.

    Args:
        source: as for `Grader`.
        address: of the scheduler: "tcp://host:port", or "tls://..." with Dask's configuration.
        level: of the jail; the best that works by default, on each worker.
        jobs: how many at a time on each worker; as many as it has threads by default, which is also
            the most.
        limits: of each submission.
        no_jail: allow level 4.
        grace: seconds to wait for a worker when there is none; a minute by default.

    Raises:
        ClusterError: nobody answers, there are no workers, or one does not judge as we would.
    """

    def __init__(
        self,
        source: "str | Path | NotebookNode | Plan",
        address: str,
        *,
        level: int | None = None,
        jobs: int | None = None,
        limits: jail.Limits = jail.DEFAULT,
        no_jail: bool = False,
        grace: float | None = None,
    ):
        notebook = assignment.read(source) if isinstance(source, str | Path) else source
        self.plan = notebook if isinstance(notebook, Plan) else Plan.of(notebook)
        self.address, self.limits = address, limits
        self.grace = GRACE if grace is None else grace
        self._asked = (level, no_jail)
        self._most_jobs = jobs
        self._versions = versions(self.plan, limits)
        self._payload = pickle.dumps((self.plan, limits))
        self._run = f"dlcourse-{uuid.uuid4().hex}"
        self.level = 4  # of the weakest worker
        with contextlib.ExitStack() as stack:
            client = self._connect(stack)
            fit, unfit = self._examined(client, self._awaited(client))
        if unfit:
            lines = "\n  ".join(f"{worker}: {reason}" for worker, reason in unfit.items())
            raise ClusterError(f"of the workers at {address} cannot grade:\n  {lines}")
        self.level = max(found["level"] for found in fit.values())
        self.jobs = sum(_jobs(found["threads"], jobs) for found in fit.values())
        for worker, found in fit.items():
            if jobs is not None and found["threads"] < jobs:
                _say(f"{worker} grades {found['threads']} at a time: it has no more threads")
        self._client: Client | None = None

    def __enter__(self) -> "Cluster":
        with contextlib.ExitStack() as stack:
            self._client = self._connect(stack)
            self._events: queue.SimpleQueue = queue.SimpleQueue()  # futures, and who has joined
            self._ready: dict[str, int] = {}  # address of a worker -> jobs
            self._unfit: dict[str, str] = {}  # address -> why
            self._joining: set[str] = set()
            self._opened: set[str] = set()
            self._alone_since: float | None = None
            self._sent = 0
            stack.callback(self._leave)
            self._join(list(self._awaited(self._client)))
            while not self._events.empty():
                self._joined(*self._events.get())
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_) -> None:
        self._stack.close()
        self._client = None

    @property
    def points(self) -> float:
        """The most that can be earned."""
        return sum(check.points for check in self.plan.checks)

    def grade_many(
        self, submissions: Iterable[tuple[Hashable, bytes | Callable[[], bytes]]], seed: int
    ) -> Iterator[tuple[Hashable, Result]]:
        """Grade many, and give each as it is done, as `Grader.grade_many` does.

        Args:
            submissions: pairs of a key and a notebook's bytes, or a function that reads them when
                they are needed. No more are taken than the workers have before them.
            seed: of the run.

        Yields:
            the key, and its result: each once.

        Raises:
            ClusterError: the scheduler or all workers are gone.
        """
        if self._client is None:
            raise RuntimeError("use the cluster in a `with` block: with Cluster(...) as cluster")
        waiting = iter(submissions)
        back: deque[_Batch] = deque()  # to be sent again
        away: dict[str, _Batch] = {}  # key of the task -> what it grades
        seconds = TOGETHER  # that a submission takes, about
        lost: set[str] = set()
        quiet = looked = time.monotonic()
        more = True
        try:
            while True:
                while more or back:
                    if not back:
                        if away and not self._room(away):
                            break
                        batch = _next_batch(waiting, max(1, min(MOST, int(TOGETHER / seconds))))
                        more = bool(batch.items)
                        back.extend([batch] * more)
                    elif self._room(away):
                        self._send(back.popleft(), seed, away)
                    else:
                        break
                if not (back or away):
                    return
                for event in self._happened():
                    if isinstance(event, tuple):
                        self._joined(*event)
                        continue
                    batch = away.get(event.key)
                    if batch is None or batch.future is not event:  # given up meanwhile
                        continue
                    del away[event.key]
                    quiet = time.monotonic()
                    for key, result in self._results(batch, back):
                        seconds += (result.seconds - seconds) / 16
                        yield key, result
                if time.monotonic() - looked < POLL:
                    continue
                self._look_around()
                looked = time.monotonic()
                if looked - quiet > 2 * POLL:
                    # Those who were to do it are gone, and others are not asked by themselves.
                    nowhere = self._nowhere(away)
                    for key in nowhere & lost:
                        back.append(self._given_up(away.pop(key)))
                    lost = nowhere
        finally:
            for batch in away.values():
                self._given_up(batch)

    # --- what is under way

    def _room(self, away: dict[str, _Batch]) -> bool:
        most = 2 * sum(self._ready.values())
        return len(away) < most and sum(batch.size for batch in away.values()) < MOST_BYTES

    def _send(self, batch: _Batch, seed: int, away: dict[str, _Batch]) -> None:
        self._sent += 1
        key = f"{self._run}-{self._sent}"
        data = [data for _, data in batch.items]
        workers = list(self._ready)
        try:
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", "Sending large graph")  # a large notebook
                future = self._client.submit(
                    _grade, self._run, seed, data, key=key, pure=False, workers=workers
                )
        except Exception:
            if self._client.status == "running":
                raise
            raise ClusterError(self._gone()) from None
        away[key], batch.future = batch, future
        future.add_done_callback(self._events.put)

    def _given_up(self, batch: _Batch) -> _Batch:
        future, batch.future = batch.future, None
        with contextlib.suppress(Exception):  # the connection may be gone
            future.cancel()
        return batch

    def _happened(self) -> Iterator:
        """What came within `POLL` seconds."""
        with contextlib.suppress(queue.Empty):
            yield self._events.get(timeout=POLL)
            while True:
                yield self._events.get_nowait()

    def _results(self, batch: _Batch, back: deque[_Batch]) -> Iterator[tuple[Hashable, Result]]:
        """The results of a finished task; what it leaves is to be sent again."""
        try:
            if batch.future.status not in ("finished", "error", "cancelled"):
                raise TimeoutError
            worker, results, reason = batch.future.result(timeout=CONNECT)
        except TimeoutError:  # its worker was killed before it gave the result away
            back.append(self._given_up(batch))
            return
        except CancelledError:  # with all others, as the connection is lost
            raise ClusterError(self._gone()) from None
        except Exception as error:
            if isinstance(error, KilledWorker):
                reason = f"{error.allowed_failures + 1} workers were lost over it"
            else:
                reason = clean(f"a worker stopped with {type(error).__name__}: {error}", 500)
            if len(batch.items) > 1:  # only one of them is to blame
                back.extend(_Batch([item]) for item in batch.items)
            else:
                yield batch.items[0][0], not_judged(self.plan, reason)
            return
        for (key, _), result in zip(batch.items, results, strict=False):
            yield key, result
        if left := batch.items[len(results) :]:
            back.append(_Batch(left))
        if reason is not None:
            self._ready.pop(worker, None)
            if reason:
                self._refuse(worker, reason)

    # --- who takes part

    def _connect(self, stack: contextlib.ExitStack) -> Client:
        for name in ("distributed", "distributed.client"):  # what they would log, we say
            log = logging.getLogger(name)
            stack.callback(log.setLevel, log.level)
            log.setLevel(logging.CRITICAL + 1)
        try:
            client = Client(self.address, timeout=CONNECT, set_as_default=False)
        except (OSError, ValueError, ImportError) as error:
            raise ClusterError(
                f"no scheduler answers at {self.address} ({error}); start one with `dask "
                "scheduler` and give the address that it prints, like tcp://host:8786"
            ) from None
        stack.callback(client.close, timeout=CONNECT)
        try:
            client.run_on_scheduler(_jobs, 1, None)  # it unpacks tasks, so it must know us
        except Exception as error:
            raise ClusterError(
                f"the scheduler at {self.address} has no dlcourse, or another one than here "
                f"({error}); start it where the same is installed"
            ) from None
        return client

    def _gone(self) -> str:
        return f"the scheduler at {self.address} is gone. {RESUME}"

    def _awaited(self, client: Client) -> dict[str, int]:
        """The cluster's workers, once there are any."""
        until, said = time.monotonic() + self.grace, False
        while not (found := client.nthreads()):
            if time.monotonic() > until:
                raise ClusterError(
                    f"{self.address} has no workers; start some with `dask worker {self.address}`"
                )
            if not said:
                said = _say(
                    f"{self.address} has no workers yet; waiting up to {self.grace:.0f} s for "
                    f"`dask worker {self.address}`"
                )
            time.sleep(min(POLL, self.grace / 10))
        return found

    def _examined(
        self, client: Client, workers: Collection[str]
    ) -> tuple[dict[str, dict], dict[str, str]]:
        """What `_look` found on those that are fit to grade; why the others are not."""
        fit, unfit = {}, {}
        answers = client.run(
            _look, self._payload, *self._asked, workers=list(workers), on_error="return"
        )
        for worker, found in answers.items():
            if reason := self._objection(found):
                unfit[worker] = reason
            else:
                fit[worker] = found
        return fit, unfit

    def _objection(self, found: dict | Exception) -> str:
        """Why a worker cannot take part, and what to do; "" if it can."""
        same = 'install the same there (pip install "dlcourse[grading,dask]") and start it anew'
        if isinstance(found, jail.JailError):
            return f"{found}; `dlcourse doctor` there shows more"
        if isinstance(found, OSError):
            return f"it does not answer ({found})"
        if isinstance(found, Exception):  # Dask wraps those that come from unpacking our question
            return f"it has no dlcourse, or another one than here ({found}); {same}"
        if differing := _differences(found["versions"], self._versions):
            return f"it would not grade as here: {differing}; {same}"
        if found["level"] > self.level:
            return (
                f"it offers jail level {found['level']}, and this run is at level {self.level} or "
                "better; `dlcourse doctor` there shows why"
            )
        return ""

    def _join(self, workers: Collection[str]) -> None:
        """Make workers ready, as far as they are fit; each outcome becomes an event."""
        try:
            fit, unfit = self._examined(self._client, workers)
            levels = {worker: found["level"] for worker, found in fit.items()}
            opened = {}
            if fit:
                opened = self._client.run(
                    _open, self._payload, self._run, levels, self._most_jobs,
                    workers=list(fit), on_error="return",
                )  # fmt: skip
        except Exception as error:  # the connection: whoever waits for us will see
            unfit, opened = {}, dict.fromkeys(workers, error)
        for worker in workers:
            jobs = opened.get(worker)
            reason = unfit.get(worker) or (str(jobs) if isinstance(jobs, Exception) else "")
            self._events.put((worker, 0 if reason else jobs, reason))

    def _joined(self, worker: str, jobs: int, reason: str) -> None:
        self._joining.discard(worker)
        if reason:
            self._refuse(worker, reason)
        else:
            self._ready[worker] = jobs
            self._opened.add(worker)

    def _refuse(self, worker: str, reason: str) -> None:
        """Have a worker get no more of our work."""
        self._unfit[worker] = reason
        _say(f"the worker {worker} grades nothing: {reason}")
        self._dismiss({worker} & self._opened)

    def _dismiss(self, workers: Collection[str]) -> None:
        if workers and self._client.status == "running":
            with contextlib.suppress(Exception):  # it may be gone
                self._client.run(
                    _close, self._run, workers=list(workers), wait=False, on_error="ignore"
                )

    def _leave(self) -> None:
        """Have all workers end their jails."""
        with contextlib.suppress(Exception):
            if self._client.status == "running":
                self._dismiss(self._opened & self._client.nthreads().keys())

    def _look_around(self) -> None:
        """See who came and who went.

        Raises:
            ClusterError: the scheduler is gone, or there has been no worker for too long.
        """
        try:
            present = self._client.nthreads() if self._client.status == "running" else None
        except Exception:
            present = None
        if present is None:
            raise ClusterError(self._gone())
        for worker in [*self._ready, *self._unfit]:
            if worker not in present:
                self._unfit.pop(worker, None)
                if self._ready.pop(worker, None):
                    _say(f"the worker {worker} is gone; what it had is graded again elsewhere")
        new = present.keys() - self._ready.keys() - self._unfit.keys() - self._joining
        if new and not self._joining:  # aside: the others go on meanwhile
            self._joining |= new
            threading.Thread(target=self._join, args=(list(new),), daemon=True).start()
        now = time.monotonic()
        if self._ready or self._joining:
            self._alone_since = None
        elif self._alone_since is None:
            self._alone_since = now
            _say(f"no worker is left; waiting {self.grace:.0f} s for others")
        elif now - self._alone_since > self.grace:
            reasons = "".join(f"\n  {worker}: {why}" for worker, why in self._unfit.items())
            raise ClusterError(
                f"{self.address} has no worker that can grade; start some with `dask worker "
                f"{self.address}`. {RESUME}{reasons}"
            )

    def _nowhere(self, away: dict[str, _Batch]) -> set[str]:
        """Tasks that no worker has."""
        with contextlib.suppress(Exception):
            held = self._client.processing().values()
            known = set().union(*held)
            return {
                key for key, batch in away.items() if key not in known and not batch.future.done()
            }
        return set()


def _next_batch(waiting: Iterator, many: int) -> _Batch:
    """The next submissions, as many as suit; none if there are no more."""
    batch = _Batch([])
    while len(batch.items) < many and batch.size < 1 << 20:
        try:
            key, submission = next(waiting)
        except StopIteration:
            break
        batch.items.append((key, submission() if callable(submission) else submission))
    return batch


def _differences(theirs: Mapping, ours: Mapping) -> str:
    """In what two environments differ, in words."""
    words = []
    for name in {**ours, **theirs}:
        there, here = theirs.get(name, "none"), ours.get(name, "none")
        if there != here:
            words.append(
                "another source of dlcourse"
                if name == "dlcourse"
                else f"{name} {there} (here {here})"
            )
    return ", ".join(words)


def _say(text: str) -> bool:
    """Tell the instructor, above the bar."""
    tqdm.write(f"Note: {clean(text, 2000)}", file=sys.stderr)
    return True

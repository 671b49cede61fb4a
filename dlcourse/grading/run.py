"""The supervisor of a class: it hands submissions to the jail, and keeps every grade.

It alone writes the file of the grades. What was graded with the same content, assignment,
environment and seed is not graded again, so a run that was stopped, by whatever, goes on when it
is started anew. Notebooks are read one at a time, when there is somebody to grade them.

Of a student who hands in again, the submission that `submissions.collect` chooses counts; the
grades of earlier ones stay in the file.
"""

import functools
import os
import secrets
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from dlcourse.checks.calling import clean
from dlcourse.grading import assignment, jail, report, submissions
from dlcourse.grading import compat as compats
from dlcourse.grading import gradebook as gradebooks
from dlcourse.grading.grade import NEEDS_REVIEW, Grader, Result, unread
from dlcourse.grading.store import Key, Store, assignment_hash, sha256, versions
from dlcourse.grading.submissions import Refused, Submission

FILE = "grades.sqlite"
TRIES = 3  # for a submission whose judge was killed
POLL = 1.0  # seconds between two looks into a watched folder


@dataclass(frozen=True, slots=True)
class _Pending:
    submission: Submission
    digest: str


class Supervisor:
    """Grades a class into a store.

    Args:
        grader: entered already.
        store: of the grades.
        key: what this run grades with.
        run: the number of this run in the store.
        progress: shows a bar, unless False.
    """

    def __init__(self, grader: Grader, store: Store, key: Key, run: int, *, progress: bool = True):
        self.grader, self.store, self.key, self.run = grader, store, key, run
        self.progress = progress

    def grade(self, handed: list[Submission]) -> dict[str, int]:
        """Grade what is not graded yet; student -> the number of the grade in the store."""
        from tqdm import tqdm

        numbers: dict[str, int] = {}
        with tqdm(
            total=len(handed), unit="notebook", file=sys.stderr, disable=not self.progress,
            dynamic_ncols=True,
        ) as bar:  # fmt: skip
            waiting: Iterable[Submission] = handed
            for attempt in range(1, TRIES + 1):
                failed: list[Submission] = []
                work = self._work(waiting, numbers, bar)
                for pending, result in self.grader.grade_many(work, self.key.seed):
                    if result.ours and attempt < TRIES:
                        failed.append(pending.submission)
                        continue
                    self._keep(pending, result, numbers)
                    bar.update()
                if not failed:
                    break
                waiting = failed
        return numbers

    def _work(self, handed, numbers, bar) -> Iterator[tuple[_Pending, bytes]]:
        for submission in handed:
            try:
                data, result = submission.read(), None
                digest = sha256(data)
            except Refused as refusal:
                result = unread(self.grader.plan, str(refusal))
                digest = sha256(f"refused: {refusal}".encode())
            except OSError as error:  # a disk or a network fails: nothing that the student did
                result = unread(self.grader.plan, f"it could not be read: {error.strerror}")
                result = replace(result, state=NEEDS_REVIEW, ours=True)
                digest = sha256(b"")
            number = self.store.find(submission.student, digest, self.key)
            if number is not None:
                numbers[submission.student] = number
                if not bar.disable:
                    bar.initial += 1  # does not count for the rate
                bar.update()
            elif result is not None:
                self._keep(_Pending(submission, digest), result, numbers)
                bar.update()
            else:
                yield _Pending(submission, digest), data

    def _keep(self, pending: _Pending, result: Result, numbers: dict[str, int]) -> None:
        student = pending.submission.student
        numbers[student] = self.store.add(
            self.run, self.key, student, pending.submission.path, pending.digest, result
        )


def grade_class(
    source,
    handed: Path,
    out: Path,
    *,
    name: str | None = None,
    jobs: int | None = None,
    seed: int | None = None,
    level: int | None = None,
    no_jail: bool = False,
    resume: bool = False,
    watch: float | None = None,
    gradebook: Path | None = None,
    dask: str | None = None,
    compat: bool = False,
    limits: jail.Limits = jail.DEFAULT,
    progress: bool = True,
    graded: Callable[[Iterator[tuple[Submission, Result]]], None] | None = None,
) -> int:
    """Grade a class and write its reports into a folder; returns the exit status.

    Args:
        source: the manuscript's path, or its notebook as `assignment.read` gives it.
        handed: what the instructor has: see `submissions.collect`.
        out: made if missing.
        name: of the assignment; that of the manuscript by default.
        jobs, level, no_jail, limits: as for `Grader`.
        seed: of the run; that of the folder's latest run by default, else a new one.
        resume: refuse to begin anew: there must be a run to go on with, of the same assignment.
        watch: go on for so many seconds, and grade what is new or changed.
        gradebook: of nbgrader, to write the points to as well.
        dask: address of the scheduler of a cluster that grades; this machine by default.
        compat: the source is a notebook made for nbgrader: see `compat.read`.
        progress: show a bar.
        graded: called with every submission and its grade at the end of a round.

    Raises:
        ValueError, OSError: what was given cannot be graded; the text says why.
    """
    plan, part = None, ""
    if compat:
        notebook, plan = compats.read(source)
        name, part = name or compats.name_of(source), Path(source).stem
    else:
        notebook = assignment.read(source) if isinstance(source, str | Path) else source
        name = name or (Path(source).stem if isinstance(source, str | Path) else "assignment")
    handed, out = Path(handed), Path(out)
    if watch is not None and not handed.is_dir():
        raise ValueError(f"{handed} is no folder; --watch looks into a folder")
    seen = _signature(handed) if watch is not None else None
    try:
        collection = submissions.collect(handed, name, part)
    except ValueError:
        if watch is None or not handed.is_dir():
            raise
        collection = submissions.Collection([])
    if resume and not (out / FILE).exists():
        raise ValueError(f"{out} holds no run to resume; leave --resume out to begin one")
    until = time.monotonic() + (watch or 0.0)
    # The jail is tried before anything is written.
    make = Grader if dask is None else functools.partial(_cluster(), address=dask)
    grader = make(plan or notebook, level=level, jobs=jobs, limits=limits, no_jail=no_jail)
    compats.needs(grader.plan, grader.level)
    out.mkdir(parents=True, exist_ok=True)
    with Store(out / FILE) as store:
        about = versions(grader.plan, limits)
        key = _key(store, assignment_hash(notebook, grader.plan), about, seed, resume, out)
        print(f"Jail level {grader.level}: {jail.NAMES[grader.level]}. Jobs: {grader.jobs}.")
        print(f"Seed of the run: {key.seed}.", flush=True)
        with grader:
            run = store.begin(key, about, grader.level)
            supervisor = Supervisor(grader, store, key, run, progress=progress)
            try:
                while True:
                    for warning in collection.warnings:
                        print(f"Note: {clean(warning)}", file=sys.stderr)
                    numbers = supervisor.grade(collection.submissions)
                    _report(
                        collection.submissions, numbers, store, grader, name, out, gradebook,
                        graded, Path(source) if compat else None,
                    )  # fmt: skip
                    if watch is None:
                        break
                    collection, seen = _changed(handed, name, part, seen, until)
                    if collection is None:
                        break
            except KeyboardInterrupt:
                if watch is not None:
                    return 0
                print("\nStopped. The same command goes on from here.", file=sys.stderr)
                return 130
    return 0


def _cluster() -> type:
    """The class that grades on a cluster; it needs a package that others do not."""
    try:
        from dlcourse.grading.cluster import Cluster
    except ModuleNotFoundError as error:
        raise OSError(
            f'--dask needs Dask ({error}): pip install "dlcourse[dask]", here and on every worker'
        ) from None
    return Cluster


def _report(handed, numbers, store, grader, name, out, database, graded, foreign) -> None:
    def pairs():
        for submission in handed:
            yield submission, store.result(numbers[submission.student])

    summary = report.write(name, grader.plan, pairs, out)
    print(summary, flush=True)
    if database is not None:
        part = foreign.stem if foreign else name
        scored, waiting = gradebooks.import_scores(name, grader.plan, pairs(), database, part)
        print(f"Wrote {scored} scores to {database}; {waiting} wait for a person there.")
        if foreign:
            compats.write_autograded(foreign, grader.plan, pairs(), database)
    if graded is not None:
        graded(pairs())


def _key(store, assignment_sha, about, seed, resume, out) -> Key:
    environment = sha256(repr(sorted(about.items())).encode())
    last = store.last_run()
    if seed is None:
        seed = last.seed if last else secrets.randbelow(2**31)
    key = Key(assignment_sha, environment, seed)
    if resume:
        if last is None:
            raise ValueError(f"{out} holds no run to resume; leave --resume out to begin one")
        changed = [
            word
            for word, new, old in (
                ("the assignment or its checks", key.assignment, last.assignment),
                ("Python, a package, the library or the limits", environment, last.environment),
                ("the seed", seed, last.seed),
            )
            if new != old
        ]
        if changed:
            raise ValueError(
                f"since the run in {out}, {' and '.join(changed)} changed; leave --resume out "
                "to grade all anew"
            )
    return key


# --- watching a folder ----------------------------------------------------------------------------


def _signature(folder: Path) -> frozenset:
    """What lies in a folder, and since when."""
    found = set()
    for place, _, files in os.walk(folder):
        for name in files:
            path = os.path.join(place, name)
            try:
                about = os.lstat(path)
            except OSError:  # gone since
                continue
            found.add((path, about.st_size, about.st_mtime_ns, about.st_ino))
    return frozenset(found)


def _changed(folder, name, part, seen, until):
    """Wait until a folder has changed and rests again; its submissions, or None if time is up."""
    before = seen
    while True:
        left = until - time.monotonic()
        if left <= 0:
            return None, seen
        time.sleep(min(POLL, left))
        now = _signature(folder)
        if now != seen and now == before:  # nobody is writing any more
            try:
                return submissions.collect(folder, name, part), now
            except ValueError:  # all was taken away
                seen = now
        before = now

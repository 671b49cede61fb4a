"""One submission, graded: the student's code in the jail, the judgment here.

`Grader` keeps a pool of slots busy. A slot is a process of ours that holds a warm jail and runs the
checks, so a check that hangs or a jail that breaks costs one submission and not the class.
What is graded twice with the same seed gets the same points.
"""

import ast
import functools
import hashlib
import inspect
import multiprocessing.connection
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from dlcourse.checks import framework
from dlcourse.checks.calling import clean
from dlcourse.grading import assignment, jail, proxies
from dlcourse.grading.rebuild import ANSWER, EXTRA, Cell, Check, Plan, Unreadable, rebuild

if TYPE_CHECKING:
    from nbformat import NotebookNode

GRADED, TIMED_OUT, OUT_OF_MEMORY = "graded", "timed out", "out of memory"
DIED, UNREADABLE, NEEDS_REVIEW = "died", "unreadable", "needs review"
STATES = (GRADED, TIMED_OUT, OUT_OF_MEMORY, DIED, UNREADABLE, NEEDS_REVIEW)

_SPARE = 20.0  # seconds beyond its limits until a slot that does not answer is replaced


@dataclass(frozen=True)
class Judged:
    """What one check gave: its id, the points that could be earned, and its steps."""

    label: str
    points: float
    steps: tuple[framework.Step, ...]

    @property
    def earned(self) -> float:
        return min(round(sum(step.earned for step in self.steps), 6), self.points)

    @property
    def waiting(self) -> float:
        """Points that a person has yet to give or to refuse."""
        return sum(step.points for step in self.steps if step.state == framework.BY_HAND)


@dataclass(frozen=True)
class Result:
    """The grade of one submission.

    Args:
        state: one of `STATES`. Points earned before a process timed out or died are kept.
        checks: each check with its steps and hints, in order.
        notes: what a person should know: copies, lost ids, how a process ended.
        seconds: of the clock, for everything.
        cpu: seconds of processor time in the jail.
        output: the end of what the student's code printed.
        ours: our own side failed, so that nothing is said about the submission.
    """

    state: str
    checks: tuple[Judged, ...] = ()
    notes: tuple[str, ...] = ()
    seconds: float = 0.0
    cpu: float = 0.0
    output: str = ""
    ours: bool = False

    @property
    def earned(self) -> float:
        return round(sum(check.earned for check in self.checks), 6)

    @property
    def points(self) -> float:
        return sum(check.points for check in self.checks)

    @property
    def waiting(self) -> float:
        return round(sum(check.waiting for check in self.checks), 6)


def submission_seed(seed: int, submission: bytes) -> int:
    """The secret seed of one submission: from that of the run and from what was handed in."""
    digest = hashlib.sha256(str(seed).encode() + b"\0" + submission).digest()
    return int.from_bytes(digest[:6], "big")


# --- one submission -------------------------------------------------------------------------------


@dataclass
class Run:
    """One submission on its way through the jail."""

    plan: Plan
    warden: jail.Warden
    cells: tuple
    given: dict
    deadline: float
    link: proxies.Link | None = None
    bad: dict[str, Exception] = field(default_factory=dict)  # label of a cell -> how it failed
    fatal: set[str] = field(default_factory=set)  # cells that ended their process
    states: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    cpu: float = 0.0
    output: str = ""

    def ready(self) -> bool:
        """Have a living process in which all cells have run; False if time is up."""
        while self.link is None or self.link.lost:
            self.finish()
            if time.monotonic() >= self.deadline:
                return False
            self.link = self.connect()
            for cell in self.cells:
                if cell.label in self.fatal:
                    continue
                try:
                    self.run_cell(cell)
                except proxies.Lost as lost:
                    self.bad[cell.label] = lost
                    self.fatal.add(cell.label)
                    break
                except Exception as error:
                    self.bad[cell.label] = error
        return True

    def connect(self) -> proxies.Link:
        """A new process, in which nothing has run yet."""
        return proxies.Link(self.warden, self.deadline, self.warden.limits.call)

    def run_cell(self, cell: Cell) -> None:
        """Run one cell there; raises what its code raises."""
        self.link.ask("run", cell.label, cell.source, cell.kind == EXTRA)

    def finish(self) -> None:
        """End the process, if there is one, and take down how it ended."""
        if self.link is None:
            return
        link, self.link = self.link, None
        ending = link.session.end()
        self.cpu += ending.cpu
        self.output = clean(ending.tail, 4000) or self.output
        limit = self.warden.limits.memory << 20
        if link.short_of_memory:
            self.states.append(OUT_OF_MEMORY)
        if link.lost is None:
            return
        if isinstance(link.lost, proxies.TimeLimit) or ending.signal == 24:  # SIGXCPU
            state = TIMED_OUT
        elif isinstance(link.lost, proxies.NoAnswer):
            state = NEEDS_REVIEW
        else:
            out = link.short_of_memory or (ending.signal == 9 and ending.memory > 0.9 * limit)
            state = OUT_OF_MEMORY if out else DIED
        self.states.append(state)
        self.notes.append(f"{type(link.lost).__name__}: {link.lost}")

    def judge(self, check: Check, seed: int) -> Judged:
        """Run one check cell of the instructor's against the student's process."""
        if not self.ready():
            return self.too_late(check)
        answers = {name for names in self.plan.answers.values() for name in names}
        given = {
            name: _Seeded(value, seed) if _is_checks(value) else value
            for name, value in self.given.items()
        }
        names = proxies.Names(given, answers, self.resolve)
        try:
            result = _value(check.source, names)
        except Exception as error:
            self.states.append(NEEDS_REVIEW)
            reason = clean(f"{type(error).__name__}: {error}")
            self.notes.append(f"{check.label}: the check itself stopped with {reason}")
            return Judged(check.label, check.points, (not_yet(check, reason),))
        steps = tuple(replace(step, hint=clean(step.hint, 2000)) for step in result.steps)
        if any(step.hint.startswith("The check itself stopped with") for step in steps):
            self.states.append(NEEDS_REVIEW)
        return Judged(check.label, check.points, steps)

    def too_late(self, check: Check) -> Judged:
        """What a check gives for which no time is left."""
        self.states.append(TIMED_OUT)
        hint = "Not judged: the time for the whole notebook was used up before."
        return Judged(check.label, check.points, (not_yet(check, hint),))

    def resolve(self, name: str):
        """An answer by its name, or what stands for one that is not there."""
        label = next(label for label, names in self.plan.answers.items() if name in names)
        try:
            return self.link.ask("get", name)
        except proxies.Lost as lost:
            return proxies.Missing(name, lost)
        except Exception as error:
            return proxies.Missing(name, self.bad.get(label, error))


def _is_checks(value) -> bool:
    return inspect.ismodule(value) and value.__name__.startswith("dlcourse.checks.")


def not_yet(check: Check, hint: str) -> framework.Step:
    """All of a check as one step that gives nothing."""
    return framework.Step("the whole check", check.points, framework.NOT_YET, hint)


def _value(source: str, names: Mapping) -> framework.Result:
    """The value of a check cell, whose last line `assignment.validate` has seen to be a call."""
    tree = ast.parse(source)
    *before, last = tree.body
    exec(compile(ast.Module(before, []), "<check>", "exec"), {}, names)
    return eval(compile(ast.Expression(last.value), "<check>", "eval"), {}, names)


class _Seeded:
    """A module of checks that draw from one seed, and large inputs where they offer them."""

    def __init__(self, module, seed: int):
        self._module, self._seed = module, seed

    def __getattr__(self, name: str):
        found = getattr(self._module, name)
        if not hasattr(found, "points"):
            return found
        large = {"large": True} if "large" in inspect.signature(found).parameters else {}
        return functools.partial(found, seed=self._seed, **large)


def grade_one(
    plan: Plan,
    given: dict,
    warden: jail.Warden,
    submission: bytes,
    seed: int,
    *,
    put_together: Callable | None = None,
    runs: type[Run] = Run,
) -> Result:
    """Grade one submission in this process; never raises because of what was handed in.

    Args:
        plan: of the assignment.
        given: the names that the instructor's imports give, on our side.
        warden: gives jailed processes.
        submission: the bytes of a notebook.
        seed: of the run.
        put_together: makes what is run of a plan and a submission; `rebuild` by default.
        runs: how it is run and judged.
    """
    start = time.monotonic()
    try:
        rebuilt = (put_together or rebuild)(plan, submission)
    except Unreadable as reason:
        return replace(unread(plan, str(reason)), seconds=time.monotonic() - start)
    run = runs(plan, warden, rebuilt.cells, given, start + warden.limits.total)
    run.notes += rebuilt.notes
    secret = submission_seed(seed, submission)
    try:
        checks = tuple(run.judge(check, secret) for check in plan.checks)
    finally:
        run.finish()
    for cell in rebuilt.cells:
        if cell.kind == ANSWER and cell.label in run.bad:
            error = run.bad[cell.label]
            text = clean(f"{type(error).__name__}: {error}")
            run.notes.append(f"{cell.label}: its cell stopped with {text}")
    state = next(iter(sorted(run.states, key=_severity)), GRADED)
    if state == GRADED and rebuilt.review:
        state = NEEDS_REVIEW
    notes = tuple(dict.fromkeys(run.notes))
    return Result(state, checks, notes, time.monotonic() - start, run.cpu, run.output)


def not_judged(plan: Plan, reason: str) -> Result:
    """The result where our own side failed: no points, and a person looks at it."""
    checks = _none_judged(plan, "Not judged: the grader stopped.")
    return Result(NEEDS_REVIEW, checks, (reason,), ours=True)


def unread(plan: Plan, reason: str) -> Result:
    """The result where nothing can be judged because the file cannot be read."""
    return Result(UNREADABLE, _none_judged(plan, f"The file cannot be read: {reason}."), (reason,))


def _none_judged(plan: Plan, hint: str) -> tuple[Judged, ...]:
    return tuple(Judged(c.label, c.points, (not_yet(c, hint),)) for c in plan.checks)


def _severity(state: str) -> int:
    return (NEEDS_REVIEW, OUT_OF_MEMORY, TIMED_OUT, DIED).index(state)


def judges_names(plan: Plan) -> dict:
    """The names that the instructor's import lines give: among them the module of the checks."""
    names: dict = {}
    exec(compile(plan.imports, "<imports>", "exec"), names)
    names.pop("__builtins__", None)
    return names


# --- a class --------------------------------------------------------------------------------------


class Grader:
    """Grades submissions of one assignment, several at a time; use it in a `with` block.

    Args:
        source: the manuscript's path, or its notebook as `assignment.read` gives it, or its plan.
        level: of the jail; the best that works by default.
        jobs: how many at a time; the number of processors by default.
        limits: of each submission.
        no_jail: allow level 4.

    Raises:
        jail.JailError: the level cannot be had.
    """

    def __init__(
        self,
        source: "str | Path | NotebookNode | Plan",
        *,
        level: int | None = None,
        jobs: int | None = None,
        limits: jail.Limits = jail.DEFAULT,
        no_jail: bool = False,
    ):
        notebook = assignment.read(source) if isinstance(source, str | Path) else source
        self.plan = notebook if isinstance(notebook, Plan) else Plan.of(notebook)
        self.level = jail.choose(level, no_jail=no_jail)
        self.jobs = jobs or len(os.sched_getaffinity(0))
        self.limits = limits
        self._slots: list[Slot] = []

    def __enter__(self) -> "Grader":
        self._slots = [Slot(self, place) for place in range(self.jobs)]
        return self

    def __exit__(self, *_) -> None:
        for slot in self._slots:
            slot.connection.close()
        for slot in self._slots:
            slot.close()
        self._slots = []

    @property
    def points(self) -> float:
        """The most that can be earned."""
        return sum(check.points for check in self.plan.checks)

    def grade(self, submission: bytes, seed: int) -> Result:
        """Grade one submission.

        Args:
            submission: the bytes of a notebook.
            seed: of the run; the submission's own is derived from it.
        """
        return next(self.grade_many([(0, submission)], seed))[1]

    def grade_many(
        self, submissions: Iterable[tuple[Hashable, bytes | Callable[[], bytes]]], seed: int
    ) -> Iterator[tuple[Hashable, Result]]:
        """Grade many, and give each as it is done: the order is not that of the submissions.

        Args:
            submissions: pairs of a key and a notebook's bytes, or a function that reads them when
                they are needed. No more are taken than can be worked on.
            seed: of the run.

        Yields:
            the key, and its result.
        """
        if not self._slots:
            raise RuntimeError("use the grader in a `with` block: with Grader(...) as grader")
        waiting, free = iter(submissions), list(self._slots)
        busy: dict[Slot, Hashable] = {}
        more = True
        try:
            while more or busy:
                while more and free:
                    try:
                        key, submission = next(waiting)
                    except StopIteration:
                        more = False
                        break
                    data = submission() if callable(submission) else submission
                    slot = free.pop()
                    busy[slot] = key
                    slot.begin(data, seed)
                for slot in _finished(busy):
                    key = busy.pop(slot)
                    result = slot.result()
                    free.append(slot)
                    yield key, result
        finally:
            for slot in busy:  # nobody waits for these any more
                slot.replace()


def _finished(busy: Mapping["Slot", Hashable]) -> list["Slot"]:
    """Slots that have an answer, have died or are overdue; waits until there is one."""
    while busy:
        left = min(slot.overdue for slot in busy) - time.monotonic()
        by_connection = {slot.connection: slot for slot in busy}
        ready = multiprocessing.connection.wait(list(by_connection), max(left, 0))
        now = time.monotonic()
        done = [by_connection[c] for c in ready]
        done += [slot for slot in busy if slot not in done and slot.overdue <= now]
        if done:
            return done
    return []


class Slot:
    """A process of ours that grades one submission at a time; a lost one is replaced.

    Args:
        grader: or another with a plan, a level and limits.
        place: among all slots; as root, each has a user of its own.
    """

    def __init__(self, grader: Grader, place: int):
        self.grader, self.place = grader, place
        self.overdue = 0.0
        self._start()

    def _start(self) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            self.process = subprocess.Popen(
                # -P: the current folder may hold a student's numpy.py
                [sys.executable, "-P", "-m", "dlcourse.grading.slot", str(theirs.fileno())],
                env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,  # Ctrl-C is for us; it ends when its connection does
            )
        self.connection = multiprocessing.connection.Connection(ours.detach())
        grader = self.grader
        self.connection.send((grader.plan, grader.level, grader.limits, self.place))

    def grade(self, submission: bytes, seed: int) -> Result:
        """Grade one submission and wait for it."""
        self.begin(submission, seed)
        left = self.overdue - time.monotonic()
        multiprocessing.connection.wait([self.connection], max(left, 0))
        return self.result()

    def begin(self, submission: bytes, seed: int) -> None:
        self.overdue = time.monotonic() + self.grader.limits.total + _SPARE
        try:
            self.connection.send((submission, seed))
        except OSError:  # it died while it had nothing to do
            self.replace()
            self.connection.send((submission, seed))

    def result(self) -> Result:
        """What came; if nothing did, the slot is replaced and the submission goes to a person."""
        reason = "did not answer in time"
        if self.connection.poll():
            try:
                answer = self.connection.recv()
            except (EOFError, OSError):
                reason = "ended"
            else:
                if isinstance(answer, Result):
                    return answer
                raise jail.JailError(answer)
        self.replace()
        return not_judged(self.grader.plan, f"the judge's own process {reason}")

    def replace(self) -> None:
        """Give up what it does, and start anew."""
        self.process.kill()  # its jail goes with it
        self.close()
        self._start()

    def close(self) -> None:
        self.connection.close()  # which ends a slot that has nothing to do
        try:
            self.process.wait(5.0)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

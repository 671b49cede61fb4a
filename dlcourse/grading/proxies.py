"""What the checks call in the place of a student's functions: the judge's end of the wire.

A check calls a function as in a notebook, and the call runs in the jailed process. What comes back
is a plain value, an array, or a `Remote`, which stands for an object that stays there. An error of
theirs is raised here as one of the same name; what they did to an argument is done to ours.
"""

import builtins
import inspect
import keyword
import time
import warnings
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from dlcourse.checks.calling import clean
from dlcourse.grading import jail, wire


class Frame(NamedTuple):
    """Where in the student's code an error arose, in the words of a traceback."""

    name: str
    lineno: int
    line: str


class Lost(Exception):
    """There is no answer, and the process that should have given it is gone."""


class TimeLimit(Lost):
    """No answer came in time."""


class ProcessDied(Lost):
    """The process ended in the middle of a call."""


class NoAnswer(Lost):
    """What came is nothing that a function returns."""


class Link:
    """Asks one jailed process, keeps its time, and remembers what went wrong.

    Args:
        warden: gives the process.
        deadline: when the whole submission must be done, in seconds of `time.monotonic`.
        call: seconds for one request.
    """

    def __init__(self, warden: jail.Warden, deadline: float, call: float):
        self.deadline, self.call = deadline, call
        self.session = warden.start(self._remote)
        self.number = 0
        self.lost: Lost | None = None
        self.short_of_memory = False

    def ask(self, what: str, *arguments):
        """The answer to one request.

        Raises:
            Lost: there is none, now and for the rest of this process.
            Exception: what the student's code raised, under its own name.
        """
        if self.lost:
            raise self.lost
        self.number += 1
        frame = wire.pack([self.number, what, *arguments], _handle)
        start = time.monotonic()
        deadline = min(start + self.call, self.deadline)
        try:
            if self.session.channel.speaks():
                raise wire.Violation("an answer that nobody asked for")
            self.session.channel.send(frame, deadline)
            answer = self._answer(self.session.channel.receive(deadline), what, arguments)
        except wire.LateAnswer:
            seconds = deadline - start
            self._end(TimeLimit(f"there was no answer within {max(seconds, 0):.3g} seconds"))
        except wire.Closed:
            self._end(ProcessDied("the process ended"))
        except wire.Violation as reason:
            self._end(NoAnswer(str(reason)))
        kind, value = answer
        if kind == "error":
            raise value
        return value

    def _end(self, lost: Lost):
        ending = self.session.end()
        if ending.failed:
            raise jail.JailError(ending.failed)
        if isinstance(lost, ProcessDied):
            lost = ProcessDied(_how(ending))
        self.lost = lost
        raise lost from None

    def _answer(self, message, what, arguments):
        """A checked answer: ("value", it) or ("error", an exception)."""
        try:
            number, kind, value, changed, warned = message
        except (TypeError, ValueError):
            raise wire.Violation("an answer that is no answer") from None
        if number != self.number or kind not in ("value", "error") or type(changed) is not list:
            raise wire.Violation("an answer to another question")
        if kind == "error":
            value = self._error(value)
        for place, now in _pairs(changed):
            _do_to(arguments[1] if what == "call" else None, place, now)
        for text in warned if type(warned) is list else ():
            warnings.warn(clean(text), stacklevel=4)
        return kind, value

    def _error(self, told) -> Exception:
        if type(told) is not dict:
            raise wire.Violation("an error that is none")
        self.short_of_memory |= told.get("memory") is True
        return remote_error(told)

    def _remote(self, handle: wire.Handle) -> "Remote":
        return Remote.of(self, handle)


def _pairs(changed: list):
    for pair in changed:
        if type(pair) is not list or len(pair) != 2 or type(pair[0]) is not int:
            raise wire.Violation("a changed argument that is none")
        yield pair


def _how(ending: jail.Ending) -> str:
    if ending.signal:
        return f"the process was ended by signal {ending.signal}"
    return f"the process ended itself, with status {ending.exit}"


# --- errors ---------------------------------------------------------------------------------------

_NOT_TAKEN = {"KeyboardInterrupt", "SystemExit", "GeneratorExit", "StopIteration"}


def remote_error(told: dict) -> Exception:
    """The exception that stands for a student's: its name, kind, message and place.

    Args:
        told: what their process says of it: type, bases, message, frame.
    """
    bases = told.get("bases")
    base = Exception
    for name in bases if type(bases) is list else ():
        found = getattr(builtins, name, None) if type(name) is str else None
        if isinstance(found, type) and issubclass(found, Exception) and name not in _NOT_TAKEN:
            base = found
            break
    # Some of these want several arguments, or count bytes of them.
    if issubclass(base, UnicodeError | OSError | BaseExceptionGroup | ImportError):
        base = next(
            b for b in (UnicodeError, OSError, ImportError, Exception) if issubclass(base, b)
        )
    name = identifier(told.get("type"), "Error")
    kind = type(name, (_Remote, base), {"__module__": "student"})
    error = kind(clean(told.get("message"), 1000))
    frame = told.get("frame")
    if type(frame) is list and len(frame) == 3 and type(frame[1]) is int:
        error.student_frame = Frame(clean(frame[0], 100), frame[1] % 10**6, clean(frame[2], 300))
    return error


class _Remote(Exception):
    """Shows its message as it came: a KeyError would quote it once more."""

    student_frame: Frame | None = None

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""


def identifier(text, otherwise: str) -> str:
    """`text` if it can be the name of a type, else something else that can."""
    if type(text) is str and text.isidentifier() and not keyword.iskeyword(text):
        return text[:60]
    return otherwise


# --- objects that stay there ----------------------------------------------------------------------


class Remote:
    """An object in a student's process. One that can be called there can be called here."""

    _link: Link
    _handle: wire.Handle

    @staticmethod
    def of(link: Link, handle: wire.Handle) -> "Remote":
        """The stand-in for a handle, of a type that bears the name of theirs."""
        base = _Function if handle.callable else Remote
        remote = object.__new__(type(identifier(handle.type, "object"), (base,), {}))
        remote.__dict__.update(_link=link, _handle=handle)
        if handle.name:
            remote.__dict__["__name__"] = clean(handle.name, 100)
        return remote

    def __getattr__(self, name: str):
        if name.startswith("_"):  # NumPy and copy ask for many of these; none leaves this process
            raise AttributeError(name)
        return self._link.ask("attribute", self, name)

    def items(self, most: int) -> list:
        """The first items of what can be iterated over, at most so many."""
        return self._link.ask("items", self, most)

    def beside(self, function: Callable) -> "Remote":
        """A function of the check's, to be called where this object lives.

        Args:
            function: a plain one, that imports what it needs and uses no name from around it.
                Its text goes over, so let it hold nothing secret. The student's process runs it,
                and may have it return whatever it likes.
        """
        return self._link.ask("lend", inspect.getsource(function), function.__name__)

    def __deepcopy__(self, memo) -> "Remote":
        return self

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of the student's>"


class _Function(Remote):
    def __call__(self, *arguments, **keywords):
        return self._link.ask("call", self, list(arguments), keywords)


class Missing:
    """Stands for an answer that is not there: calling it raises the reason."""

    def __init__(self, name: str, reason: Exception):
        self.__name__, self.reason = name, reason

    def __call__(self, *_, **__):
        raise self.reason


def _handle(value) -> wire.Handle:
    if isinstance(value, Remote):
        return value._handle
    raise wire.Unsendable(f"a {type(value).__name__} cannot be handed to a student's function")


# --- arguments that were changed ------------------------------------------------------------------


def _do_to(arguments, place: int, now) -> None:
    """Do to one of our arguments what the student's function did to its copy."""
    if type(arguments) is not list or not 0 <= place < len(arguments):
        raise wire.Violation("a changed argument that was not sent")
    ours = arguments[place]
    if isinstance(ours, np.ndarray):
        if type(now) is np.ndarray and now.shape == ours.shape and now.dtype == ours.dtype:
            ours[...] = now
        else:  # given another shape or type in place: leave it different
            ours[...] = np.logical_not(ours)
    elif isinstance(ours, dict) and type(now) is dict:
        ours.clear()
        ours.update(now)
    elif isinstance(ours, list) and type(now) is list:
        ours[:] = now
    elif _is_tensor(ours):
        _change_tensor(ours, now)


def _is_tensor(value) -> bool:
    return type(value).__module__.split(".")[0] == "torch" and hasattr(value, "copy_")


def _change_tensor(ours, now) -> None:
    import torch

    with torch.no_grad():
        fits = type(now) is np.ndarray and now.shape == tuple(ours.shape)
        ours.copy_(torch.from_numpy(now) if fits else torch.logical_not(ours))


Resolve = Callable[[str], object]


class Names(dict):
    """The names of a check cell: the instructor's own, and, asked for when used, the student's.

    Args:
        given: the instructor's imports.
        answers: names that stand for answers.
        resolve: name -> the value or its stand-in.
    """

    def __init__(self, given: dict, answers: set[str], resolve: Resolve):
        super().__init__(given)
        self.answers, self.resolve = answers, resolve

    def __missing__(self, name: str):
        if name not in self.answers:
            raise KeyError(name)
        return self.resolve(name)

"""Calling what a student wrote: the one place where their code runs.

`call` hands over copies, catches whatever is thrown, and sorts what comes back by name. Whatever
goes wrong becomes a hint that says what happened, on which of the student's lines, and what to try.
"""

import copy
import os
import sys
import sysconfig
import traceback
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from dlcourse.checks.framework import Hint, calm


class Answer:
    """What one call of the student's function gave: its values by name, or the reason for none.

    Reading a value that is not there raises the `Hint` that says why, in the step that needs it.
    """

    def __init__(
        self, function: str, values: Mapping, hint: str, changed: Mapping[str, type], fact: str = ""
    ):
        self.function, self.changed = function, changed
        self._values, self._hint, self._fact = values, hint, fact or hint

    def __getitem__(self, name: str):
        if self._hint:
            raise Hint(self._hint, self._fact)
        if _is_nothing(self._values[name]):
            raise Hint(
                f"`{name}` is not written yet: `{self.function}` returned "
                f"{self._values[name]!r} in its place."
            )
        return self._values[name]


def call(function: Callable, /, *, returns: Sequence[str], **inputs) -> Answer:
    """Call the student's function on copies of the inputs; never raises.

    Args:
        function: what the student wrote.
        returns: a name for each value that it should return, in order.
        inputs: its arguments. They are handed over by position, in this order, so that a student
            may rename a parameter; the names serve the hints.

    Tensors come back as arrays, as they do from the jail, so that a check sees the same in both.
    """
    called = clean(getattr(function, "__name__", "your answer"))
    if not callable(function):
        hint = f"Expected a function, got {describe(function)}: hand over its name, without `(...)`"
        return Answer(called, {}, hint, {})
    given = copy.deepcopy(inputs)
    values, hint, fact = {}, "", ""
    with calm() as said:
        try:
            returned = function(*given.values())
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # sys.exit() is no Exception
            fact, way_on = _explain(error, called, inputs)
            hint = f"{fact}\n{way_on}".strip()
        else:
            returned = _without_tensors(returned) if "torch" in sys.modules else returned
            values, hint = _unpack(returned, called, returns)
    if hint and said:
        hint += f"\nPython also warned: {clean(said[0])}"
    changed = {k: type(v) for k, v in inputs.items() if not _same(v, given[k])}
    return Answer(called, values, hint, changed, fact)


def untouched(answer: Answer) -> None:
    """Raise a `Hint` where the student's function wrote into one of its inputs."""
    for name, kind in answer.changed.items():
        how = f"`{name} -= ...` or `{name}[...] = ...`"
        cure = f"make a new value, `{name} = {name} - ...`, or work on a copy, `{name}.copy()`"
        if _is_tensor_type(kind):
            how = f"`{name} -= ...`, `{name}[...] = ...` or a method that ends in `_`"
            cure = f"make a new value, `{name} = {name} - ...`, or work on a copy, `{name}.clone()`"
        elif kind is not np.ndarray:
            how = f"`{name}[...] = ...`, `pop` or `append`"
            cure = "keep what you need to change in a variable of your own"
        raise Hint(
            f"`{answer.function}` changed its input `{name}`, which belongs to whoever called it. "
            f"Lines with {how} write into the caller's data: {cure}."
        )


def _is_nothing(value) -> bool:
    return value is None or value is Ellipsis or value is NotImplemented


def _is_tensor_type(kind: type) -> bool:
    torch = sys.modules.get("torch")  # where nobody has loaded it, there are no tensors
    return torch is not None and issubclass(kind, torch.Tensor)


def _without_tensors(value, depth: int = 0):
    """The same with arrays in the place of tensors, inside of lists, tuples and dicts, too."""
    if _is_tensor_type(type(value)):
        value = value.detach().cpu().to_dense() if value.is_sparse else value.detach().cpu()
        is_brain_float = str(value.dtype) == "torch.bfloat16"  # which NumPy does not know
        return (value.float() if is_brain_float else value).numpy()
    if depth == 10:  # a list that holds itself
        return value
    if type(value) in (list, tuple):
        return type(value)(_without_tensors(item, depth + 1) for item in value)
    if type(value) is dict:
        return {key: _without_tensors(item, depth + 1) for key, item in value.items()}
    return value


def _unpack(returned, called: str, returns: Sequence[str]) -> tuple[dict, str]:
    """The returned values by name, and a hint where they cannot be told apart."""
    if _is_nothing(returned):
        return {}, (
            f"`{called}` is not written yet: it returned {returned!r}. Write your answer, and hand "
            f"it back with `return {', '.join(returns)}`."
        )
    if len(returns) == 1:
        return {returns[0]: returned}, ""
    flat = isinstance(returned, np.ndarray) and returned.ndim == 1
    if flat or isinstance(returned, tuple | list):
        if len(returned) == len(returns):
            return dict(zip(returns, returned, strict=True)), ""
        came = f"{len(returned)} value" + ("s" if len(returned) != 1 else "")
    else:
        came = describe(returned)
    return {}, (
        f"`{called}` returned {came}; expected {len(returns)} values, in this order: "
        f"`return {', '.join(returns)}`."
    )


_METHODS = ("__init__", "forward")  # of a module: what a student writes of one
_NO_FORWARD = 'is missing the required "forward" function'  # in PyTorch's words


def _explain(error: BaseException, called: str, inputs: Mapping) -> tuple[str, str]:
    """An error in the student's code: what, where and on which inputs; and a way on, or ""."""
    frame = _student_frame(error)
    if isinstance(error, NotImplementedError):
        if _NO_FORWARD in str(error):
            return (
                f"`{called}` has no `forward`: is it spelled so, and does it stand under `class`, "
                "as far in as `__init__`?"
            ), ""
        method = frame.name if frame and frame.name in _METHODS else ""
        if frame and frame.name != called and not method:
            return (
                f"`{called}` calls `{frame.name}`, which is not written yet: write that one first."
            ), ""
        return (
            f"`{called + '.' * bool(method) + method}` is not written yet: put your code in the "
            "place of `raise NotImplementedError()`, run that cell, then this one."
        ), ""
    lines = [f"`{called}` stopped with {_name(error)}"]
    if frame:
        line = f": `{clean(frame.line)}`" if frame.line else "."
        lines.append(f"It happened in {clean(frame.name)}, line {frame.lineno}{line}")
    lines.append(f"The inputs were {', '.join(_brief(k, v) for k, v in inputs.items())}.")
    return "\n".join(lines), _way_on(error, frame, called, inputs)


def _way_on(error: BaseException, frame, called: str, inputs: Mapping) -> str:
    """What to try after an error of a common kind, or ""."""
    message = _name(error)
    if isinstance(error, RecursionError):
        return (
            "A function that calls itself once for each node runs out of room in a deep graph. "
            "Keep the nodes still to be visited in a list, and work through it with `while`."
        )
    if "before Module.__init__() call" in message:
        return "Let `super().__init__()` be the first line of `__init__`, before any layer."
    if "modified by an inplace operation" in message:
        return (
            "The way back needs that tensor as it was. Make a new one, `y = y + x`, where a line "
            "writes into an old one: `y += x`, `y[...] = ...`, or a method that ends in `_`."
        )
    if isinstance(error, RuntimeError) and any(w in message for w in ("dtype", "double")):
        return "The inputs are float32, as PyTorch's layers are: leave them so on both sides."
    shapes = ("matmul", "broadcast", "aligned", "shape")
    if isinstance(error, ValueError | RuntimeError) and any(word in message for word in shapes):
        return (
            "Print the shapes of the arrays on that line: does one of them want a `.T`, or do the "
            "two factors want to change places?"
        )
    if isinstance(error, TypeError) and "positional argument" in message and not frame:
        return f"Keep the first line as it stood in the cell: `def {called}({', '.join(inputs)}):`"
    if isinstance(error, NameError):
        return "Is it spelled right, and has the cell that defines it been run?"
    return ""


def _student_frame(error: BaseException) -> traceback.FrameSummary | None:
    """The deepest frame of the student's own: not Python's, not a library's, not this package's."""
    if hasattr(error, "student_frame"):  # it arose in another process, and says where
        return error.student_frame
    paths = sysconfig.get_paths()
    package = os.path.dirname(os.path.dirname(__file__))
    library = [paths["stdlib"], paths["purelib"], paths["platlib"], package]
    own = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith("<frozen")
        and not any(frame.filename.startswith(folder + os.sep) for folder in library)
    ]
    return own[-1] if own else None


def _name(error: BaseException) -> str:
    """The type and message of an error, on any error: a student's may fail at being printed."""
    try:
        message = clean(str(error))
    except Exception:
        message = ""
    return clean(type(error).__name__) + (f": {message}" if message else "")


def clean(text: str, longest: int = 300) -> str:
    """Text from the student's side without control characters, cut to a length one can read."""
    text = "".join(c if c.isprintable() or c == "\n" else " " for c in str(text)).strip()
    return text if len(text) <= longest else text[:longest] + " ..."


def _same(before, after) -> bool:
    if isinstance(before, np.ndarray):
        is_array = isinstance(after, np.ndarray) and before.dtype == after.dtype
        return is_array and np.array_equal(before, after)
    if _is_tensor_type(type(before)):
        is_alike = before.shape == after.shape and before.dtype == after.dtype
        return is_alike and bool((before == after).all())
    if isinstance(before, list | tuple) and type(before) is type(after):
        return len(before) == len(after) and all(map(_same, before, after))
    try:
        return bool(before == after)
    except Exception:  # an array that was put into a dict has no single truth value
        return False


def _brief(name: str, value) -> str:
    if isinstance(value, np.ndarray) or _is_tensor_type(type(value)):
        return f"{name} {tuple(value.shape)}"
    text = f"{value:g}" if isinstance(value, float) else repr(value)
    return f"{name} = {text if len(text) <= 160 else describe(value)}"


def describe(value) -> str:
    """A value in a few words, to follow `expected ..., got`: `an array of shape (5, 3)`."""
    if value is None:
        return "None"
    if isinstance(value, bool | np.bool_):
        return str(value)
    if isinstance(value, int | float | np.number):
        return f"the number {value:g}"
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape}"
    if isinstance(value, list | tuple | dict | set | str):
        return f"a {type(value).__name__} of length {len(value)}"
    if callable(value):
        return f"the function `{clean(getattr(value, '__name__', type(value).__name__))}`"
    return f"an object of type {clean(type(value).__name__)}"

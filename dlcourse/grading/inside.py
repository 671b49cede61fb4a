"""The student's side of the wall: it runs their cells, and answers the judge's calls.

This is the program of the jailed process. It holds no expected value, no check and no other
submission; the code that it runs may do to it what it likes, and gains nothing.
"""

import ast
import builtins
import contextlib
import linecache
import os
import random
import re
import sys
import types
import warnings
from pathlib import Path

import numpy as np
import numpy.random  # NumPy would load it in every child anew

from dlcourse.grading import wire

_MAX_KEPT = 10_000  # values that stay here and are known to the judge by number
_MAGIC = re.compile(r"^([ \t]*)([%!?].*|.*\?)$")
_DEFINITIONS = (
    ast.Import,
    ast.ImportFrom,
    ast.FunctionDef,
    ast.AsyncFunctionDef,
    ast.ClassDef,
    ast.Assign,
    ast.AnnAssign,
)


def serve(connection) -> None:
    """Answer requests until the judge ends this process.

    Args:
        connection: the socket to the judge.
    """
    worker = _Worker()
    channel = wire.Channel(connection, handle=worker.kept_value, tensors=True)
    out, errors = sys.stdout, sys.stderr
    while True:
        try:
            number, what, *arguments = channel.receive()
        except wire.Closed:
            return
        kept = len(worker.kept)
        try:
            answer = getattr(worker, f"answer_{what}")(*arguments)
            frame = wire.pack([number, *answer], worker.keep)
        except BaseException as error:
            del worker.kept[kept:]
            frame = wire.pack([number, "error", worker.describe(error), [], []])
        sys.stdout, sys.stderr = out, errors
        with contextlib.suppress(BaseException):
            out.flush()
        channel.send(frame)


class _Worker:
    def __init__(self):
        self.kept = []
        self.files = set()
        self.main = types.ModuleType("__main__")
        self.names = vars(self.main)
        self.names["__builtins__"] = builtins
        self.names["display"] = lambda *values, **_: print(*values)
        sys.modules["__main__"] = self.main
        for name in ("exit", "quit"):
            setattr(builtins, name, sys.exit)
        _without_checks()
        # Unseeded random numbers are the same each time, so that a grade is.
        random.seed(0)
        np.random.seed(0)
        if "torch" in sys.modules:
            sys.modules["torch"].manual_seed(0)

    # --- what the judge asks for ------------------------------------------------------------------

    def answer_run(self, label: str, source: str, definitions: bool):
        """Run one cell; with `definitions`, only what defines something, whatever fails."""
        tree, file = self.read(label, source)
        if not definitions:
            exec(compile(tree, file, "exec", dont_inherit=True), self.names)
            return ["value", None, [], []]
        for node in tree.body:
            if isinstance(node, _DEFINITIONS):
                with contextlib.suppress(Exception):
                    part = ast.Module([node], [])
                    exec(compile(part, file, "exec", dont_inherit=True), self.names)
        return ["value", None, [], []]

    def answer_test(self, label: str, source: str):
        """Run a test that is written into the notebook: what its last line shows, if anything.

        Also whether it wrote to stderr.
        """
        tree, file = self.read(label, source)
        last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
        errors = sys.stderr = _Heard(sys.stderr)
        exec(compile(tree, file, "exec", dont_inherit=True), self.names)
        value = None
        if last is not None:
            shown = compile(ast.Expression(last.value), file, "eval", dont_inherit=True)
            value = eval(shown, self.names)
        if isinstance(value, np.generic):  # np.float64(0.5) shows its type as well
            value = value.item()
        shown = None if value is None else repr(value)[:100]
        return ["value", [shown, errors.heard], [], []]

    def answer_lay(self, names: list, contents: list):
        """Have a notebook find what nbgrader gives it: a variable, files, modules among them."""
        os.environ["NBGRADER_EXECUTION"] = "autograde"
        for name, content in zip(names, contents, strict=True):
            path = Path(name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.tobytes())
        if names:
            sys.path.insert(0, os.getcwd())
        return ["value", None, [], []]

    def read(self, label: str, source: str) -> tuple[ast.Module, str]:
        """The code of a cell, whose lines are known to tracebacks from now on, and its file."""
        file = f"<{label}>"
        tree, source = _parse(source, file)
        self.files.add(file)
        linecache.cache[file] = (len(source), None, source.splitlines(True), file)
        return tree, file

    def answer_get(self, name: str):
        """A value by its name in the notebook."""
        if name not in self.names:
            raise NameError(f"name {name!r} is not defined")
        return ["value", self.names[name], [], []]

    def answer_call(self, function, arguments: list, keywords: dict):
        """Call a value; also tell which arguments it changed, and what Python warned of."""
        before = [wire.pack(value, _refuse) for value in arguments]
        with warnings.catch_warnings(record=True) as caught, np.errstate(all="warn"):
            warnings.simplefilter("always")
            try:
                answer = ["value", function(*arguments, **keywords)]
            except BaseException as error:
                answer = ["error", self.describe(error)]
        changed = []
        for place, (packed, value) in enumerate(zip(before, arguments, strict=True)):
            if wire.pack(value, _refuse) != packed:
                changed.append([place, value])
        return [*answer, changed, [str(w.message)[:300] for w in caught[:3]]]

    def answer_lend(self, source: str, name: str):
        """A function of the judge's own, to be run here, beside what cannot leave.

        Its text is no secret, and what it returns is believed no more than the rest.
        """
        names = {}
        exec(compile(source, "<judge>", "exec", dont_inherit=True), names)
        return ["value", names[name], [], []]

    def answer_attribute(self, value, name: str):
        """An attribute of a value."""
        return ["value", getattr(value, name), [], []]

    def answer_items(self, value, most: int):
        """The first items of anything that can be iterated over."""
        return ["value", [item for item, _ in zip(value, range(most), strict=False)], [], []]

    # --- values that stay -------------------------------------------------------------------------

    def keep(self, value) -> wire.Handle:
        if len(self.kept) >= _MAX_KEPT:
            raise wire.Unsendable(f"more than {_MAX_KEPT} objects cannot be handed over")
        self.kept.append(value)
        name = getattr(value, "__name__", "")
        name = name if type(name) is str else ""
        kind = type(value).__name__
        return wire.Handle(len(self.kept) - 1, kind[:100], name[:100], callable(value))

    def kept_value(self, handle: wire.Handle):
        return self.kept[handle.number]

    # --- errors -----------------------------------------------------------------------------------

    def describe(self, error: BaseException) -> dict:
        """What may be told of an error: plain text alone."""
        bases = [c.__name__ for c in type(error).__mro__ if c.__module__ == "builtins"]
        try:
            message = str(error)
        except BaseException:
            message = ""
        return {
            "type": type(error).__name__[:100],
            "bases": bases[:20],
            "message": message[:2000],
            "frame": self.own_frame(error),
            "memory": _is_memory(error, message),
        }

    def own_frame(self, error: BaseException) -> list | None:
        """The deepest frame of the student's: [function, line number, the line's text]."""
        found, at = None, error.__traceback__
        while at is not None:
            code = at.tb_frame.f_code
            if code.co_filename in self.files:
                line = linecache.getline(code.co_filename, at.tb_lineno).strip()
                found = [code.co_name[:100], at.tb_lineno, line[:300]]
            at = at.tb_next
        if found is None and isinstance(error, SyntaxError) and error.filename in self.files:
            found = ["<module>", error.lineno or 1, (error.text or "").strip()[:300]]
        return found


def _refuse(value):
    """What cannot be sent counts as unchanged while it is the same object."""
    return wire.Handle(id(value), "", "", False)


def _is_memory(error: BaseException, message: str) -> bool:
    return isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError) and "can't allocate memory" in message
    )


def _parse(source: str, file: str) -> tuple[ast.Module, str]:
    """A cell's code; lines for IPython, such as `%matplotlib inline`, are left out."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(source, file), source
    except SyntaxError:
        lines = source.split("\n")
        bare = [_MAGIC.sub(r"\1pass", line) for line in lines]
        if bare == lines:
            raise
        return ast.parse("\n".join(bare), file), "\n".join(bare)


class _Heard:
    """A stream that notes whether anything was written to it."""

    def __init__(self, stream):
        self.stream, self.heard = stream, False

    def write(self, text: str) -> int:
        self.heard = True
        return self.stream.write(text)

    def __getattr__(self, name: str):
        return getattr(self.stream, name)


class _Silent(types.ModuleType):
    """Stands for the checks in a notebook that calls them: every attribute can be called."""

    __path__: tuple = ()

    def __getattr__(self, name: str):
        if name.startswith("__"):
            raise AttributeError(name)
        return _Silent(name)

    def __call__(self, *_, **__):
        return None


def _without_checks() -> None:
    silent = _Silent("dlcourse.checks")
    sys.modules["dlcourse.checks"] = silent
    sys.modules["dlcourse"].checks = silent

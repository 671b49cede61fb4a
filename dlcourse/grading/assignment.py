"""From the manuscript of an assignment to its notebooks.

An assignment is one MyST page: text, solution cells and check cells. `read` makes a notebook of
it, and refuses one that could not be graded. `student_version` takes the solutions out just as
nbgrader does, `solution_version` shows them, and `release` lays out a folder for nbgrader.
"""

import ast
import copy
import hashlib
import importlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nbformat import NotebookNode

TOTAL_POINTS = 10
STUB = ["# YOUR CODE HERE", "raise NotImplementedError()"]  # nbgrader's own, so that both agree

_BEGIN, _END = "BEGIN SOLUTION", "END SOLUTION"
_FLAGS = ("grade", "solution", "locked", "task")

_CONFIG = """\
# Settings of nbgrader for this course; it is run from this folder.
c = get_config()

c.CourseDirectory.course_id = "dlcourse"
# Seconds that one cell of a submission may run: an endless loop costs its own exercise only.
c.Execute.timeout = 60
"""


class AssignmentError(ValueError):
    """A manuscript that cannot be handed out or graded; the text says all that is wrong with it."""


def find(assignment: str, folder: str | Path = "book/exercises") -> Path:
    """The manuscript of an assignment.

    Args:
        assignment: a path to it, or a name such as ``07-backpropagation`` or ``backpropagation``.
        folder: where names are looked up.
    """
    path = Path(assignment)
    if path.is_file():
        return path
    there = sorted(Path(folder).glob("*.md"))
    named = [p for p in there if assignment in (p.stem, p.name, re.sub(r"^\d+-", "", p.stem))]
    if len(named) == 1:
        return named[0]
    known = ", ".join(p.stem for p in there) or "nothing"
    raise AssignmentError(
        f"{assignment}: no such file, and not the name of one assignment in {folder}, which holds "
        f"{known}; give the path of a manuscript (.md) or one of these names"
    )


def read(path: str | Path) -> "NotebookNode":
    """The manuscript as a notebook with solutions, solution markers and stable cell ids.

    Raises:
        AssignmentError: it is not a manuscript, or `validate` finds fault with it.
    """
    try:
        import jupytext
    except ImportError:
        raise AssignmentError(
            'jupytext, which reads manuscripts, is not installed: pip install "dlcourse[book]"'
        ) from None
    path = Path(path)
    text = path.read_text(encoding="utf-8")
    if path.suffix != ".md" or "format_name: myst" not in text:
        raise AssignmentError(
            f"{path}: expected a MyST notebook, an .md file whose head has `format_name: myst`"
        )
    notebook = jupytext.reads(text, fmt="md:myst")
    # What jupytext notes for itself would make a student's editor look for the manuscript.
    notebook.metadata.pop("jupytext", None)
    notebook.metadata["language_info"] = {"name": "python"}
    _set_ids(notebook)
    validate(notebook, str(path))
    return notebook


def student_version(notebook: "NotebookNode") -> "NotebookNode":
    """A copy in which every solution region is nbgrader's stub, without outputs."""
    return _with_solutions(notebook, keep=False)


def solution_version(notebook: "NotebookNode") -> "NotebookNode":
    """A copy with the solutions and without the markers around them, without outputs."""
    return _with_solutions(notebook, keep=True)


def release(path: str | Path, out: str | Path) -> Path:
    """Write the source of an assignment into an nbgrader course folder; make the folder if needed.

    Args:
        path: the manuscript.
        out: the course folder. A configuration that is already there is left alone.

    Returns:
        The path of the notebook, ``out/source/<name>/<name>.ipynb``.
    """
    import nbformat

    notebook = read(path)
    name = Path(path).stem
    target = Path(out) / "source" / name / f"{name}.ipynb"
    target.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, target)
    config = Path(out) / "nbgrader_config.py"
    if not config.exists():
        config.write_text(_CONFIG, encoding="utf-8")
    return target


def validate(notebook: "NotebookNode", source: str = "notebook") -> None:
    """Raise an `AssignmentError` that lists whatever would keep nbgrader or us from grading it.

    Args:
        notebook: with solutions and markers, as `read` gives it.
        source: the name of its file, for the messages.
    """
    problems = list(_problems(notebook))
    if problems:
        raise AssignmentError("\n".join(f"{source}, {problem}" for problem in problems))


def _problems(notebook) -> Iterator[str]:
    grade_ids: dict[str, int] = {}
    answers: set[str] = set()
    checks, points = {}, 0.0
    for place, cell in enumerate(notebook.cells, start=1):
        about = cell.metadata.get("nbgrader")
        called = f"cell {place}" + (f" ({about['grade_id']})" if about and _id(about) else "")
        tree, problem = _parse(cell)
        if problem:
            yield f"{called}: {problem}"
            continue
        checks |= _imported_checks(tree)
        yield from (f"{called}: {p}" for p in _region_problems(cell, about or {}))
        yield from (f"{called}: {p}" for p in _class_problems(cell, tree))
        if about is None:
            continue
        problem = _metadata_problem(cell, about)
        if problem:
            yield f"{called}: {problem}"
            continue
        first = grade_ids.setdefault(about["grade_id"], place)
        if first != place:
            yield f"{called}: cell {first} has the same grade_id; give each cell its own"
        if about["solution"]:
            named = ast.FunctionDef | ast.ClassDef
            answers |= {node.name for node in tree.body if isinstance(node, named)}
        if about["grade"]:
            points += about["points"]
            yield from (f"{called}: {p}" for p in _check_problems(cell, tree, checks, answers))
    if abs(points - TOTAL_POINTS) > 1e-6:
        yield f"all cells: the points add up to {points:g}, expected {TOTAL_POINTS}"


def _id(about) -> str:
    return about.get("grade_id") or ""


def _parse(cell) -> tuple[ast.Module, str]:
    if cell.cell_type != "code":
        return ast.Module([], []), ""
    try:
        return ast.parse(cell.source), ""
    except SyntaxError as error:
        return ast.Module([], []), f"line {error.lineno} is not Python: {error.msg}"


def _region_problems(cell, about) -> Iterator[str]:
    """What is wrong with the solution markers of a cell."""
    is_open, regions = False, 0
    for line in cell.source.split("\n"):
        if _BEGIN in line:
            if is_open:
                yield f"two `### {_BEGIN}` without a `### {_END}` between them"
            is_open, regions = True, regions + 1
        elif _END in line:
            if not is_open:
                yield f"a `### {_END}` without a `### {_BEGIN}` above it"
            is_open = False
    if is_open:
        yield f"a `### {_BEGIN}` without a `### {_END}` below it"
    if regions and not about.get("solution"):
        yield "a solution region in a cell that is not marked `solution: true`"
    if about.get("solution") and not regions:
        yield f"marked `solution: true`, but without a `### {_BEGIN}` ... `### {_END}` region"


def _class_problems(cell, tree) -> Iterator[str]:
    """The stub in a class's own body would stop the cell before there is a class to hand over."""
    begins = [n for n, line in enumerate(cell.source.split("\n"), 1) if _BEGIN in line]
    holds = lambda node, line: node.lineno < line <= node.end_lineno
    for node in tree.body:
        methods = [n for n in getattr(node, "body", ()) if isinstance(n, ast.FunctionDef)]
        for line in begins if isinstance(node, ast.ClassDef) else ():
            if holds(node, line) and not any(holds(method, line) for method in methods):
                yield (
                    f"a solution region in the body of class `{node.name}`; put one into each of "
                    "its methods, so that the empty cell still runs"
                )


def _metadata_problem(cell, about) -> str:
    """What is wrong with the nbgrader metadata of a cell, or ""."""
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", _id(about)):
        return (
            f"grade_id {about.get('grade_id')!r}; expected up to 64 letters, digits, - or _, for "
            "example `softmax-check`"
        )
    if about.get("schema_version") != 3:
        return f"schema_version {about.get('schema_version')!r}, expected 3"
    if missing := [flag for flag in _FLAGS if not isinstance(about.get(flag), bool)]:
        return f"`{missing[0]}` should be true or false, is {about.get(missing[0])!r}"
    if cell.cell_type != "code" or about.get("cell_type") != "code":
        return "expected a code cell with `cell_type: code`: text is not graded"
    if about["grade"] and about["solution"]:
        return "both `grade` and `solution`; put the answer and its check into two cells"
    if about["grade"] and not about["locked"]:
        return "`locked: false` on a check cell: nbgrader would run what the student made of it"
    if about["solution"] and about["locked"]:
        return "`locked: true` on a solution cell: nobody could answer"
    if about["grade"] and not _is_points(about.get("points")):
        return f"points {about.get('points')!r}, expected a number above 0"
    return ""


def _is_points(points) -> bool:
    return isinstance(points, int | float) and not isinstance(points, bool) and points > 0


def _imported_checks(tree: ast.Module) -> dict[str, str]:
    """Name in the notebook -> module of `dlcourse.checks`, from a cell's import lines."""
    return {
        alias.asname or alias.name: alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == "dlcourse.checks"
        for alias in node.names
    }


def _check_problems(cell, tree, checks, answers) -> Iterator[str]:
    """What is wrong with the code of a check cell."""
    last = tree.body[-1] if tree.body else None
    value = last.value if isinstance(last, ast.Expr) else None
    call = value.func if isinstance(value, ast.Call) else None
    if not (isinstance(call, ast.Attribute) and isinstance(call.value, ast.Name)):
        yield "the last line should be the call of a check, such as `check.softmax(softmax)`"
        return
    if cell.source.rstrip().endswith(";"):
        yield "a `;` at the end hides the points from nbgrader, which then gives full marks"
    module = checks.get(call.value.id)
    if module is None:
        yield (
            f"`{call.value.id}` is not imported above it: `from dlcourse.checks import ... as "
            f"{call.value.id}`"
        )
        return
    try:
        found = getattr(importlib.import_module(f"dlcourse.checks.{module}"), call.attr, None)
    except ModuleNotFoundError:
        yield f"there is no module dlcourse/checks/{module}.py"
        return
    worth = getattr(found, "points", None)
    if worth is None:
        yield f"there is no check `{call.attr}` in dlcourse/checks/{module}.py"
    elif abs(worth - cell.metadata.nbgrader["points"]) > 1e-6:
        yield (
            f"worth {cell.metadata.nbgrader['points']:g} points here and {worth:g} in "
            f"dlcourse/checks/{module}.py; make them agree"
        )
    for argument in value.args:
        if isinstance(argument, ast.Name) and argument.id not in answers:
            yield f"`{argument.id}` is not defined in a solution cell above it"


def _set_ids(notebook) -> None:
    """The same manuscript gives the same ids, and an edit changes those of its own cells only."""
    taken = set()
    for cell in notebook.cells:
        wanted = _id(cell.metadata.get("nbgrader", {}))
        if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", wanted):
            wanted = hashlib.sha256(cell.source.encode()).hexdigest()[:8]
        name, copies = wanted, 1
        while name in taken:
            copies += 1
            name = f"{wanted[:60]}-{copies}"
        taken.add(name)
        cell["id"] = name


def _with_solutions(notebook, keep: bool):
    notebook = copy.deepcopy(notebook)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.source = _edited(cell.source, keep)
            cell.outputs, cell.execution_count = [], None
    return notebook


def _edited(source: str, keep: bool) -> str:
    """A cell without the markers: with what stood between them, or with the stub in its place."""
    lines, inside = [], False
    for line in source.split("\n"):
        if _BEGIN in line:
            inside = True
            indent = line[: len(line) - len(line.lstrip())]
            lines += [] if keep else [indent + stub for stub in STUB]
        elif _END in line:
            inside = False
        elif keep or not inside:
            lines.append(line)
    return "\n".join(lines)

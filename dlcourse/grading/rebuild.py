"""From what a student handed in to what is run: the instructor's notebook with their answers.

A submission is a file that anybody may have made. Only the text of its code cells is taken from it:
answers by `grade_id`, else by cell id, else by the name that they define, else by their place. Its
checks, points, outputs and settings count for nothing.

Rules: where an answer comes twice, the last copy that is not the empty one counts, as it would in a
notebook that runs from top to bottom. Of cells that the student added, or of given cells that they
edited, the imports, definitions and assignments are run, right before the answer that follows them,
so helper functions work; what else stands there, such as a long experiment, is not.
"""

import ast
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from dlcourse.grading import assignment

MAX_BYTES = 20 << 20
MAX_CONTAINERS = 200_000  # objects and lists in the JSON; each costs far more memory than its text
MAX_COMMAS = 1_500_000
MAX_CELLS = 2_000
MAX_SOURCE = 400_000  # characters of code that are run, all cells together

GIVEN, ANSWER, EXTRA = "given", "answer", "extra"


class Unreadable(ValueError):
    """A submission that is no notebook; the text says why."""


@dataclass(frozen=True)
class Cell:
    """Code to run in the student's process.

    Args:
        label: names it in hints and notes.
        source: its text.
        kind: GIVEN by the instructor, the ANSWER in a solution cell, or EXTRA: the student's own.
    """

    label: str
    source: str
    kind: str


@dataclass(frozen=True)
class Check:
    """A check cell of the instructor's: its id, points, code and the names that it uses."""

    label: str
    points: float
    source: str
    names: tuple[str, ...]


@dataclass(frozen=True)
class Plan:
    """What is run and judged of an assignment, in its order.

    Args:
        cells: given and answer cells; of an answer, the empty one that was handed out.
        checks: what gives points.
        answers: label of an answer cell -> the names that it defines.
        places: label of an answer cell -> its place among the code cells.
        imports: the instructor's own import lines, for the judge's side.
        known: ids of all of the instructor's cells -> their source.
        modules: packages that the given cells import: worth loading once for all.
        files: name -> content of what a notebook finds in its folder.
        tamperable: the checks run in the student's process, so their points can be forged.
    """

    cells: tuple[Cell, ...]
    checks: tuple[Check, ...]
    answers: Mapping[str, tuple[str, ...]]
    places: Mapping[str, int]
    imports: str
    known: Mapping[str, str]
    modules: tuple[str, ...]
    files: Mapping[str, bytes] = field(default_factory=dict)
    tamperable: bool = False

    @classmethod
    def of(cls, notebook) -> "Plan":
        """The plan of an assignment's notebook, as `assignment.read` gives it."""
        student = assignment.student_version(notebook)
        cells, checks, answers, places, known = [], [], {}, {}, {}
        imports, modules = [], []
        code = [
            (full, empty)
            for full, empty in zip(notebook.cells, student.cells, strict=True)
            if full.cell_type == "code"
        ]
        for place, (full, empty) in enumerate(code):
            about = full.metadata.get("nbgrader", {})
            label = about.get("grade_id", full.id)
            known[label] = empty.source
            if about.get("grade"):
                points = float(about["points"])
                checks.append(Check(label, points, full.source, _loaded(full.source)))
                continue
            tree = ast.parse(full.source)
            if about.get("solution"):
                answers[label], places[label] = _defined(tree), place
                cells.append(Cell(label, empty.source, ANSWER))
                continue
            cells.append(Cell(label, empty.source, GIVEN))
            lines = [n for n in tree.body if isinstance(n, ast.Import | ast.ImportFrom)]
            imports += map(ast.unparse, lines)
            modules += [name for line in lines for name in modules_of(line)]
        return cls(
            tuple(cells), tuple(checks), answers, places, "\n".join(imports), known,
            tuple(dict.fromkeys(modules)),
        )  # fmt: skip


def _defined(tree: ast.Module) -> tuple[str, ...]:
    """The names that a cell gives a value to at its top level."""
    names = []
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.append(node.name)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names += [n.id for t in targets for n in ast.walk(t) if isinstance(n, ast.Name)]
    return tuple(dict.fromkeys(names))


def _loaded(source: str) -> tuple[str, ...]:
    tree = ast.parse(source)
    bound = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and not _reads(n)}
    read = [n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and _reads(n)]
    return tuple(dict.fromkeys(name for name in read if name not in bound))


def _reads(node: ast.Name) -> bool:
    return isinstance(node.ctx, ast.Load)


def modules_of(line: ast.Import | ast.ImportFrom) -> list[str]:
    """The modules that an import line loads."""
    if isinstance(line, ast.Import):
        return [alias.name for alias in line.names]
    return [line.module] if line.module and not line.level else []


# --- the student's file ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Rebuilt:
    """The cells to run, what was noticed, and whether a person should look at it."""

    cells: tuple[Cell, ...]
    notes: tuple[str, ...]
    review: bool


@dataclass
class _Handed:
    """A code cell of a submission, and the answer it has been taken for, if any."""

    place: int
    source: str
    ids: tuple[str, ...]  # grade_id, cell id, Colab's cell id
    answer: str = ""


def rebuild(plan: Plan, submission: bytes) -> Rebuilt:
    """The instructor's cells with the student's answers in them.

    Args:
        plan: of the assignment.
        submission: the bytes of a notebook (.ipynb).

    Raises:
        Unreadable: they are no notebook, or one beyond all measure.
    """
    handed = list(_code_cells(parsed(submission)))
    notes: list[str] = []
    retyped = [c.answer for c in handed if c.answer in plan.answers]
    notes += [f"{label}: its cell was turned into text" for label in retyped]
    handed = [c for c in handed if not c.answer]
    _match(plan, handed, notes)
    cells = _in_order(plan, handed)
    if sum(len(cell.source) for cell in cells) > MAX_SOURCE:
        raise Unreadable(f"it holds more than {MAX_SOURCE:,} characters of code")
    doubtful = retyped or any(" was found by its " in note for note in notes)
    return Rebuilt(tuple(cells), tuple(notes), bool(doubtful))


def parsed(submission: bytes) -> dict:
    """The JSON of a stranger's notebook; its cells are still anything.

    Raises:
        Unreadable: it is none, or one beyond all measure.
    """
    if len(submission) > MAX_BYTES:
        size, most = len(submission) / 1e6, MAX_BYTES / 1e6
        raise Unreadable(f"it has {size:.0f} MB, more than the {most:.0f} MB that are read")
    if not submission.strip():
        raise Unreadable("it is empty")
    if submission[:2] in (b"PK", b"\x1f\x8b"):
        raise Unreadable("it is an archive, not a notebook (.ipynb)")
    if submission.count(b"{") + submission.count(b"[") > MAX_CONTAINERS:
        raise Unreadable("it has more nested parts than any notebook")
    if submission.count(b",") > MAX_COMMAS:
        raise Unreadable("it has more parts than any notebook")
    try:
        notebook = json.loads(submission.decode("utf-8-sig"))
    except RecursionError:
        raise Unreadable("it is nested deeper than any notebook") from None
    except ValueError as error:  # no UTF-8, no JSON, or a number of a million digits
        what = f"{type(error).__name__}: {str(error)[:100]}"
        raise Unreadable(f"it is not JSON, or was cut off ({what})") from None
    if not isinstance(notebook, dict):
        raise Unreadable(f"it is JSON, but a {type(notebook).__name__} and not a notebook")
    if "worksheets" in notebook and "cells" not in notebook:
        raise Unreadable("its format is from before 2015: open it in Jupyter and save it again")
    if not isinstance(notebook.get("cells"), list):
        raise Unreadable("it has no list of cells")
    if len(notebook["cells"]) > MAX_CELLS:
        raise Unreadable(f"it has {len(notebook['cells'])} cells, more than {MAX_CELLS}")
    return notebook


def _code_cells(notebook: dict) -> Iterator[_Handed]:
    """The code cells, and, with `answer` set, solution cells that were made into text."""
    place = 0
    for cell in notebook["cells"]:
        if not isinstance(cell, dict):
            continue
        about = part(part(cell, "metadata"), "nbgrader")
        ids = (about.get("grade_id"), cell.get("id"), part(cell, "metadata").get("id"))
        ids = tuple(i if isinstance(i, str) else "" for i in ids)
        if cell.get("cell_type") == "code":
            yield _Handed(place, text_of(cell.get("source")), ids)
            place += 1
        elif about.get("solution") is True and ids[0]:
            yield _Handed(-1, "", ids, answer=ids[0])


def part(parent: dict, key: str) -> dict:
    """A dict within a stranger's dict; an empty one in place of anything else."""
    value = parent.get(key)
    return value if isinstance(value, dict) else {}


def text_of(source) -> str:
    """A cell's text, which notebooks keep as one string or as a list of lines."""
    if isinstance(source, list):
        return "".join(line for line in source if isinstance(line, str))
    return source if isinstance(source, str) else ""


def _match(plan: Plan, handed: list[_Handed], notes: list[str]) -> None:
    """Say for each handed cell which answer it is, and drop the copies that do not count."""
    missing = set(plan.answers)
    for way in range(3):  # grade_id; cell id; the id that Colab gives
        known = set(missing)
        for cell in handed:
            if cell.ids[way] in known and not cell.answer:
                cell.answer = cell.ids[way]
                missing.discard(cell.answer)
    free = [c for c in handed if not c.answer and not set(c.ids) & set(plan.known)]
    for label in [label for label in plan.answers if label in missing]:
        names = "|".join(map(re.escape, plan.answers[label]))
        defines = re.compile(rf"^(?:async )?(?:def|class) +(?:{names})\b", re.MULTILINE)
        found = [c for c in free if not c.answer and names and defines.search(c.source)]
        how = "by its name"
        if not found and len(handed) == len(plan.known):
            found = [c for c in free if c.place == plan.places[label] and not c.answer]
            how = "by its place"
        for cell in found:
            cell.answer = label
        notes.append(
            f"{label}: its cell has lost its id, and was found {how}"
            if found
            else f"{label}: there is no such cell in the notebook"
        )
    for label in plan.answers:
        copies = [c for c in handed if c.answer == label]
        if len(copies) > 1:
            written = [c for c in copies if c.source != plan.known[label]] or copies
            handed[:] = [c for c in handed if c.answer != label or c is written[-1]]
            notes.append(f"{label}: there are {len(copies)} such cells; the last one counts")


def _in_order(plan: Plan, handed: list[_Handed]) -> list[Cell]:
    """The cells in the instructor's order, each answer with the student's own cells before it."""
    checks = {check.label for check in plan.checks}
    before: dict[str, list[Cell]] = {}
    waiting: list[Cell] = []
    answers = {}
    for cell in handed:
        if cell.answer:
            answers[cell.answer] = cell.source
            before[cell.answer], waiting = waiting, []
            continue
        given = next((i for i in cell.ids if i in plan.known), None)
        if given in checks or (given and cell.source == plan.known[given]):
            continue
        if cell.source.strip():
            waiting.append(Cell(f"own cell {cell.place + 1}", cell.source, EXTRA))
    cells = []
    for cell in plan.cells:
        if cell.kind == ANSWER:
            cells += before.get(cell.label, [])
            source = answers.get(cell.label)
            if source is not None:
                cells.append(Cell(cell.label, source, ANSWER))
        else:
            cells.append(cell)
    return cells + waiting

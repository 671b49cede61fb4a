"""Courses made for nbgrader: their notebooks in our jail, judged by the tests that they bring.

The tests of such a course are cells with assertions in the student's notebook, and they run in the
student's process. So the jail protects the machine and the others in the class, but a student who
wants to can make the tests pass: up to the full points of each, in their own notebook. Every table
and page says so. What a cell is worth, nbgrader itself decides.

The notebook is rebuilt in the instructor's order. Tests and read-only cells are those of the
source, with their hidden parts; answers are found by `grade_id`, and of several with the same one
the last is the answer. All other cells are the student's own and run after the cell that they stand
behind.
"""

import ast
import copy
import functools
import io
import os
import tokenize
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import nbformat
import numpy as np

from dlcourse.checks.calling import clean
from dlcourse.checks.framework import BY_HAND, NOT_YET, PASSED, Step
from dlcourse.grading import grade, jail, proxies, rebuild
from dlcourse.grading.assignment import AssignmentError
from dlcourse.grading.rebuild import ANSWER, GIVEN, Cell, Check
from dlcourse.grading.submissions import Refused, Submission

# Kinds of cells beside GIVEN and ANSWER; REST is what is left of one that ended its process.
TEST, OWN, TEXT, REST = "test", "own", "text", "rest"

LIMITS = jail.Limits(call=30.0, total=180.0)  # for one cell the same as nbgrader's
MAX_FILES, MAX_FILE_BYTES = 500, 16 << 20  # they are copied into each jail
_IGNORED = (".ipynb_checkpoints", "__pycache__", "feedback")  # nbgrader's, too


@dataclass(frozen=True)
class Plan(rebuild.Plan):
    """What is run and judged of a notebook made for nbgrader.

    Args:
        about: label of a cell -> nbgrader's metadata of it.
        by_hand: labels of what a person judges: answers in prose or code, and tasks.
    """

    about: Mapping[str, Mapping] = field(default_factory=dict)
    by_hand: frozenset[str] = frozenset()


# --- the instructor's notebook --------------------------------------------------------------------


def notebooks(source: str | Path) -> list[Path]:
    """The notebooks of an assignment: itself, or those in its folder.

    Raises:
        AssignmentError: there is none.
    """
    source = Path(source)
    found = sorted(source.glob("*.ipynb")) if source.is_dir() else [source]
    if not found or not found[0].is_file() or found[0].suffix != ".ipynb":
        raise AssignmentError(
            f"{source}: expected an instructor's notebook or the folder that holds it, such as "
            "source/ps1/problem1.ipynb or source/ps1 in a course made for nbgrader"
        )
    return found


def name_of(path: Path) -> str:
    """The name of a notebook's assignment: its folder's in a course, else its own."""
    return path.resolve().parent.name if _in_course(path) else path.stem


def _in_course(path: Path) -> bool:
    return path.resolve().parent.parent.name in ("source", "release")


def read(path: str | Path) -> tuple[nbformat.NotebookNode, Plan]:
    """An instructor's notebook, and what is run and judged of it.

    Args:
        path: of the notebook, with its solutions and hidden tests. In a course's ``source/NAME``,
            the other files there are handed to each submission.

    Raises:
        AssignmentError: nbgrader is not installed, or could not grade with this notebook.
    """
    path = Path(path)
    try:
        from nbgrader.nbgraderformat import MetadataValidator
        from nbgrader.preprocessors import ClearHiddenTests, ClearMarkScheme, ClearSolutions
    except ImportError:
        raise AssignmentError(
            'nbgrader, whose course this is, is not installed: pip install "dlcourse[grading]"'
        ) from None
    try:
        notebook = nbformat.read(path, as_version=4)
        validator = MetadataValidator()
        validator.upgrade_notebook_metadata(notebook)
        validator.validate_nb(notebook)
        released = copy.deepcopy(notebook)
        for clears in (ClearSolutions, ClearHiddenTests, ClearMarkScheme):
            released = clears().preprocess(released, {})[0]
    except Exception as error:  # of nbformat, jsonschema and nbgrader, each with its own
        reason = str(error).strip().split("\n")[0] or type(error).__name__
        raise AssignmentError(f"{path}: nbgrader could not grade with it: {reason}") from None
    problems = list(_problems(notebook))
    if problems:
        raise AssignmentError("\n".join(f"{path}, {problem}" for problem in problems))
    return notebook, _plan(notebook, released, _files(path))


def _problems(notebook) -> Iterator[str]:
    language = notebook.metadata.get("kernelspec", {}).get("language", "python")
    if language != "python":
        yield f"kernel: it is for {language}, and the jail runs Python alone"
    for cell in notebook.cells:
        called = f"cell {cell.metadata.get('nbgrader', {}).get('grade_id', 'without an id')}"
        comments = [line for line in cell.source.split("\n") if line.lstrip().startswith("#")]
        if cell.cell_type == "code" and any("AUTOTEST" in line for line in comments):
            yield (
                f"{called}: nbgrader makes tests of its `AUTOTEST` lines when it generates the "
                "assignment; run `nbgrader generate_assignment`, and give the notebook in release/ "
                "instead, which holds them (and no other hidden tests)"
            )
        if cell.cell_type == "code" and "dlcourse.checks" in cell.source:
            yield (
                f"{called}: it uses checks of dlcourse's own, which cannot be tampered with: grade "
                "the assignment by its manuscript and without --compat"
            )
    if not any(_worth(cell.metadata.get("nbgrader", {})) for cell in notebook.cells):
        yield "all cells: none of them gives points in nbgrader"


def _worth(about) -> bool:
    return bool(about.get("grade") or about.get("task"))


def _plan(notebook, released, files: Mapping[str, bytes]) -> Plan:
    from nbgrader.utils import compute_checksum

    cells, checks, known, marks, by_hand, modules = [], [], {}, {}, set(), []
    own = {Path(name).parts[0].removesuffix(".py") for name in files}
    for full, empty in zip(notebook.cells, released.cells, strict=True):
        about = full.metadata.get("nbgrader", {})
        if full.cell_type == "code":
            modules += [name for name in _imports(full.source) if name.split(".")[0] not in own]
        if not any(about.get(flag) for flag in ("grade", "solution", "locked", "task")):
            continue  # the student's to edit or to delete
        label, solution = about["grade_id"], about["solution"]
        if full.cell_type != "code":
            kind = TEXT
        elif solution:
            kind = ANSWER
        else:
            kind = TEST if about["grade"] else GIVEN
        cells.append(Cell(label, full.source, kind))
        # A notebook in release/ is what was handed out already, as its checksums tell.
        handed_out = about.get("checksum") == compute_checksum(full)
        known[label] = full.source if handed_out else empty.source
        marks[label] = {**about, "cell_type": full.cell_type}
        if _worth(about):
            checks.append(Check(label, float(about.get("points", 0)), full.source, ()))
            if kind != TEST:
                by_hand.add(label)
    return Plan(
        tuple(cells), tuple(checks), {}, {}, "", known, tuple(dict.fromkeys(modules)), files, True,
        marks, frozenset(by_hand),
    )  # fmt: skip


def _imports(source: str) -> list[str]:
    """What a cell imports; nothing where it holds lines for IPython, or is no Python."""
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return []
    lines = [line for line in tree.body if isinstance(line, ast.Import | ast.ImportFrom)]
    return [name for line in lines for name in rebuild.modules_of(line)]


def _definitions(source: str) -> str:
    """The imports, functions and classes of a cell."""
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return ""
    kinds = ast.Import | ast.ImportFrom | ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
    return "\n".join(ast.unparse(node) for node in tree.body if isinstance(node, kinds))


def _files(path: Path) -> dict[str, bytes]:
    """The files beside a course's notebook: name -> content. Of any other folder, none."""
    found: dict[str, bytes] = {}
    if not _in_course(path):
        return found
    size = 0
    for folder, names, files in os.walk(path.parent):
        names[:] = sorted(n for n in names if n not in _IGNORED and not n.startswith("."))
        for name in sorted(files):
            file = Path(folder, name)
            if file.suffix in (".ipynb", ".pyc") or name.startswith(".") or not file.is_file():
                continue
            size += file.stat().st_size
            if size > MAX_FILE_BYTES or len(found) >= MAX_FILES:
                raise AssignmentError(
                    f"{path.parent}: its files are more than {MAX_FILE_BYTES >> 20} MB or "
                    f"{MAX_FILES}, and each submission gets a copy; hand out smaller ones"
                )
            found[file.relative_to(path.parent).as_posix()] = file.read_bytes()
    return found


def needs(plan: rebuild.Plan, level: int) -> None:
    """Raise a `ValueError` where a level of the jail cannot give a notebook what it needs."""
    if plan.files and level != 1:
        raise ValueError(
            f"the assignment brings files ({', '.join(list(plan.files)[:3])}), and only level 1 of "
            f"the jail gives a notebook a folder to find them in; this is level {level}: "
            f"{jail.NAMES[level]}. `dlcourse doctor` tells what stands in the way of level 1"
        )


# --- the student's notebook -----------------------------------------------------------------------


def put_together(plan: Plan, submission: bytes) -> rebuild.Rebuilt:
    """The instructor's tests and read-only cells with the student's answers and own cells.

    Args:
        plan: of the notebook.
        submission: the bytes of a notebook.

    Raises:
        rebuild.Unreadable: they are no notebook, or one beyond all measure.
    """
    handed = list(_handed(plan, rebuild.parsed(submission)))
    copies = Counter(cell.label for cell in handed if cell.label in plan.known)
    answers: dict[str, str] = {}
    behind: dict[str, list[Cell]] = defaultdict(list)
    last, seen = "", Counter()
    for place, cell in enumerate(handed):
        seen[cell.label] += 1
        if cell.label in plan.known and seen[cell.label] == copies[cell.label]:
            last = cell.label
            answers[last] = cell.source
        elif cell.source.strip():
            kind = TEXT if cell.kind == TEXT else OWN
            behind[last].append(Cell(f"own cell {place + 1}", cell.source, kind))
    cells, notes = list(behind[""]), []
    for cell in plan.cells:
        label, answer = cell.label, answers.get(cell.label)
        if copies[label] > 1:
            notes.append(f"{label}: there are {copies[label]} such cells; the last one counts")
        if _is_the_students(plan.about[label]):
            if answer is None:
                notes.append(f"{label}: there is no such cell in the notebook")
            else:
                cells.append(replace(cell, source=answer))
        else:
            if answer is None:
                notes.append(f"{label}: it was deleted, and has been put back")
            elif answer.strip() not in (cell.source.strip(), plan.known[label].strip()):
                notes.append(f"{label}: it was changed, and has been put back")
            cells.append(cell)
        cells += behind[label]
    if sum(len(cell.source) for cell in cells if cell.kind != TEXT) > rebuild.MAX_SOURCE:
        raise rebuild.Unreadable(f"it holds more than {rebuild.MAX_SOURCE:,} characters of code")
    return rebuild.Rebuilt(tuple(cells), tuple(notes), False)


def _is_the_students(about: Mapping) -> bool:
    return about["solution"] or not (about["grade"] or about["locked"])


def _handed(plan: Plan, notebook: dict) -> Iterator[Cell]:
    """The cells of a submission, labelled by their grade_id, of whatever type they are now."""
    for cell in notebook["cells"]:
        if not isinstance(cell, dict):
            continue
        label = rebuild.part(rebuild.part(cell, "metadata"), "nbgrader").get("grade_id")
        kind = OWN if cell.get("cell_type") == "code" else TEXT
        source = rebuild.text_of(cell.get("source"))
        yield Cell(label if isinstance(label, str) else "", source, kind)


# --- running and judging --------------------------------------------------------------------------


@dataclass
class Run(grade.Run):
    """One submission on its way through the jail, tests and all."""

    judged: dict[str, grade.Judged] = field(default_factory=dict)

    def connect(self) -> proxies.Link:
        link = super().connect()
        files = [np.frombuffer(content, "u1") for content in self.plan.files.values()]
        try:
            link.ask("lay", list(self.plan.files), files)
        except Exception as error:  # none of the student's code has run yet
            link.session.end()
            raise jail.JailError(f"the assignment's files do not get in: {error}") from None
        return link

    def run_cell(self, cell: Cell) -> None:
        if cell.kind == TEXT:
            return
        try:
            if cell.kind == TEST:
                self.run_test(cell)
            else:
                super().run_cell(cell)
        except proxies.Lost:
            if cell.kind != REST:
                self.shorten(cell)
            raise

    def run_test(self, cell: Cell) -> None:
        check = next(check for check in self.plan.checks if check.label == cell.label)
        try:
            told = self.link.ask("test", cell.label, cell.source)
        except Exception as error:
            self.keep(check, not_passed(check, error))
            raise
        self.keep(check, *self.steps(check, told))

    def shorten(self, cell: Cell) -> None:
        """Leave of a cell that ended its process what later cells need, for the next process.

        nbgrader would interrupt an endless cell, and all above the endless line would be there.
        """
        rest = Cell(f"{cell.label}, the rest", _definitions(cell.source), REST)
        self.cells = tuple(rest if one is cell else one for one in self.cells)

    def keep(self, check: Check, *steps: Step) -> None:
        """Keep what a test gave first, should the cells have to run again in a new process."""
        judged = grade.Judged(check.label, check.points, steps)
        self.judged.setdefault(check.label, judged)

    def steps(self, check: Check, told) -> tuple[Step, ...]:
        """What a test that ended is worth. The student's process may say anything here."""
        shown, heard = told if type(told) is list and len(told) == 2 else (False, False)
        if shown is not None and type(shown) is not str:
            return (self.doubtful(check, "its answer is none that a test gives"),)
        if heard is True:
            self.notes.append(
                f"{check.label}: something was written to stderr, which costs nothing here; "
                "nbgrader would give 0 points"
            )
        try:
            earned = worth(check, None if _is_quiet(check.source) else shown)
        except (KeyError, ValueError):
            return (self.doubtful(check, f"it shows {clean(shown, 100)}, of {check.points:g}"),)
        if earned >= check.points:
            return (Step("the test", check.points, PASSED),)
        hint = f"The test gave {earned:g} of {check.points:g} points."
        part = (Step("what the test counts as right", earned, PASSED),) if earned else ()
        return (*part, Step("the rest", check.points - earned, NOT_YET, hint))

    def doubtful(self, check: Check, what: str) -> Step:
        self.states.append(grade.NEEDS_REVIEW)
        self.notes.append(f"{check.label}: {what}")
        return grade.not_yet(check, f"A person has to look at this test: {what}.")

    def judge(self, check: Check, seed: int) -> grade.Judged:
        if check.label in self.plan.by_hand:
            return grade.Judged(check.label, check.points, (self.by_hand(check),))
        self.ready()
        return self.judged.get(check.label) or self.too_late(check)

    def by_hand(self, check: Check) -> Step:
        """What a person judges; as in nbgrader, an answer that was not begun is worth nothing."""
        label = check.label
        answer = next((cell.source for cell in self.cells if cell.label == label), None)
        about = self.plan.about[label]
        if about["solution"] and answer == self.plan.known[label]:
            return grade.not_yet(check, "There is no answer.")
        return Step("for a person to judge", check.points, BY_HAND, "Not judged yet.")


def write_autograded(
    source: Path,
    plan: Plan,
    graded: Iterable[tuple[Submission, grade.Result]],
    gradebook: str | Path,
) -> None:
    """Lay the rebuilt notebooks where nbgrader's feedback and its page for graders look for them.

    What nbgrader or an earlier run has laid there is replaced, as the scores in the gradebook are.

    Args:
        source: the instructor's notebook; nothing is written unless it lies in the course of the
            gradebook, in ``source/NAME``.
        plan: of the notebook.
        graded: every submission with its grade.
        gradebook: path of the ``gradebook.db``.
    """
    course = Path(gradebook).resolve().parent
    name = source.resolve().parent.name
    if source.resolve().parent.parent.parent != course or not _in_course(source):
        return
    count = 0
    for submission, result in graded:
        if len(os.fsencode(submission.student)) > 200:  # more than a folder can be called
            continue
        try:
            notebook = autograded(plan, submission.read(), result)
        except (rebuild.Unreadable, Refused, OSError):  # its row says so already
            continue
        path = course / "autograded" / submission.student / name / source.name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)  # nbgrader's own are read-only
        path.write_text(nbformat.writes(notebook), encoding="utf-8", errors="backslashreplace")
        count += 1
    print(f"Laid {count} notebooks into {course / 'autograded'}, for feedback and graders.")


def autograded(plan: Plan, submission: bytes, result: grade.Result) -> nbformat.NotebookNode:
    """What was run of a submission, as a notebook with nbgrader's metadata and our hints."""
    hints = {c.label: "\n".join(s.hint for s in c.steps if s.hint) for c in result.checks}
    notebook = nbformat.v4.new_notebook(metadata={"language_info": {"name": "python"}})
    for cell in put_together(plan, submission).cells:
        about = dict(plan.about.get(cell.label, {}))
        text = cell.kind == TEXT
        made = (nbformat.v4.new_markdown_cell if text else nbformat.v4.new_code_cell)(cell.source)
        if about:
            made.metadata["nbgrader"] = about
        if cell.kind == TEST and hints.get(cell.label):
            said = {"name": "stdout", "text": hints[cell.label]}
            made.outputs = [nbformat.v4.new_output("stream", **said)]
        notebook.cells.append(made)
    return notebook


grade_one = functools.partial(grade.grade_one, put_together=put_together, runs=Run)


def worth(check: Check, shown: str | None) -> float:
    """What nbgrader gives for a test that ended without an exception.

    Args:
        check: the test.
        shown: the text of its last line's value; None if it has none.

    Raises:
        ValueError, KeyError: nbgrader refuses it, such as more than all of the points.
    """
    if shown is None:
        return check.points
    from nbgrader.utils import get_partial_grade

    return get_partial_grade({"data": {"text/plain": shown}}, check.points)


def not_passed(check: Check, error: Exception) -> Step:
    """A test that ended with an exception; a line of a hidden test is not shown."""
    if isinstance(error, proxies.Lost):
        return grade.not_yet(check, f"The test did not end: {error}.")
    said = clean(f"{type(error).__name__}: {error}", 1000).removesuffix(":")
    frame = getattr(error, "student_frame", None)
    where = f"\nLine {frame.lineno}: `{frame.line}`" if frame else ""
    if frame and frame.line in _hidden_lines(check.source):
        where = "\nThis is one of the hidden tests."
    return grade.not_yet(check, f"The test stopped with {said}{where}")


def _hidden_lines(source: str) -> set[str]:
    hidden, inside = set(), False
    for line in source.split("\n"):
        if "BEGIN HIDDEN TESTS" in line:
            inside = True
        elif "END HIDDEN TESTS" in line:
            inside = False
        elif inside:
            hidden.add(clean(line.strip()[:300]))
    return hidden


def _is_quiet(source: str) -> bool:
    """Whether a cell ends with a semicolon, after which a notebook shows no value."""
    layout = (tokenize.ENDMARKER, tokenize.NL, tokenize.NEWLINE, tokenize.COMMENT)
    try:
        tokens = list(tokenize.generate_tokens(io.StringIO(source).readline))
    except (tokenize.TokenError, SyntaxError):
        return False
    ends = [token.string for token in tokens if token.type not in layout]
    return ends[-1:] == [";"]

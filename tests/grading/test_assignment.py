"""A manuscript becomes notebooks, and one that could not be graded is refused with the reason."""

import ast
import subprocess
import sys
import types
from pathlib import Path

import nbformat
import pytest

from dlcourse import __version__, cli
from dlcourse.grading import assignment

ROOT = Path(__file__).parents[2]
EXERCISES = ROOT / "book" / "exercises"
MANUSCRIPT = EXERCISES / "07-backpropagation.md"


@pytest.fixture
def notebook():
    return assignment.read(MANUSCRIPT)


def cell(notebook, grade_id):
    return next(c for c in notebook.cells if c.id == grade_id)


@pytest.mark.parametrize("path", sorted(EXERCISES.glob("*.md")), ids=lambda path: path.stem)
def test_every_assignment_of_the_book_is_valid(path):
    notebook = assignment.read(path)
    nbformat.validate(notebook)
    checks = [c for c in notebook.cells if c.metadata.get("nbgrader", {}).get("grade")]
    assert 3 <= len(checks) <= 6
    assert notebook.cells[-1].cell_type == "code"
    assert "nbgrader" not in notebook.cells[-1].metadata, "an open exercise comes last"


def test_the_student_version_holds_no_answer(notebook):
    student = assignment.student_version(notebook)
    nbformat.validate(student)
    text = nbformat.writes(student)
    for marker in ("BEGIN SOLUTION", "END SOLUTION"):
        assert marker in nbformat.writes(notebook)
        assert marker not in text
    source = cell(student, "linear-backward").source
    assert source.endswith('    """\n    # YOUR CODE HERE\n    raise NotImplementedError()')
    assert "g @ W" not in text
    ast.parse(source)
    assert cell(student, "set-up") == cell(notebook, "set-up")


def test_the_solution_version_holds_the_answers_and_no_markers(notebook):
    solution = assignment.solution_version(notebook)
    nbformat.validate(solution)
    assert "SOLUTION" not in nbformat.writes(solution)
    assert "    dx = g @ W  # (B, K) @ (K, D) -> (B, D)" in cell(solution, "linear-backward").source


def test_versions_are_copies_without_outputs(notebook):
    before = nbformat.writes(notebook)
    notebook.cells[1].outputs = [nbformat.v4.new_output("stream", text="old")]
    notebook.cells[1].execution_count = 7
    for version in (assignment.student_version(notebook), assignment.solution_version(notebook)):
        assert version.cells[1].outputs == []
        assert version.cells[1].execution_count is None
    notebook.cells[1].outputs, notebook.cells[1].execution_count = [], None
    assert nbformat.writes(notebook) == before


def test_the_same_manuscript_gives_the_same_bytes(notebook):
    assert nbformat.writes(notebook) == nbformat.writes(assignment.read(MANUSCRIPT))
    ids = [c.id for c in notebook.cells]
    assert len(set(ids)) == len(ids)
    assert {"set-up", "linear-backward", "linear-backward-check"} <= set(ids)
    assert "jupytext" not in notebook.metadata


def test_an_edit_changes_the_ids_of_its_own_cells_only(tmp_path):
    text = MANUSCRIPT.read_text(encoding="utf-8").replace("A linear layer maps", "This layer maps")
    (tmp_path / "edited.md").write_text(text, encoding="utf-8")
    before = [c.id for c in assignment.read(MANUSCRIPT).cells]
    after = [c.id for c in assignment.read(tmp_path / "edited.md").cells]
    assert sum(a != b for a, b in zip(before, after, strict=True)) == 1


# --- what is refused: an edit of the manuscript, and words of the message -------------------------


def replaced(old, new, count=1):
    return lambda text: text.replace(old, new, count)


BAD = {
    "two cells with one id": (
        replaced("grade_id: cross-entropy-check", "grade_id: cross-entropy"),
        "cell 11 (cross-entropy): cell 10 has the same grade_id",
    ),
    "no id": (replaced("  grade_id: neuron-backward\n", ""), "cell 4: grade_id None; expected"),
    "an empty id": (
        replaced("grade_id: neuron-backward\n", "grade_id: ''\n"),
        "cell 4: grade_id ''",
    ),
    "an id with a space": (
        replaced("grade_id: neuron-backward\n", "grade_id: a b\n"),
        "cell 4 (a b): grade_id 'a b'; expected up to 64 letters",
    ),
    "points that do not add up": (
        replaced("points: 2\n", "points: 1\n"),
        "all cells: the points add up to 9, expected 10",
    ),
    "points unlike the check's": (
        replaced("points: 2\n", "points: 1\n"),
        "worth 1 points here and 2 in dlcourse/checks/backpropagation.py; make them agree",
    ),
    "no points": (replaced("  points: 2\n", ""), "points None, expected a number above 0"),
    "points of zero": (replaced("points: 2\n", "points: 0\n"), "points 0, expected a number"),
    "no end": (
        replaced("    ### END SOLUTION\n", ""),
        "cell 4 (neuron-backward): a `### BEGIN SOLUTION` without a `### END SOLUTION` below it",
    ),
    "no begin": (
        replaced("    ### BEGIN SOLUTION\n", ""),
        "(neuron-backward): a `### END SOLUTION` without a `### BEGIN SOLUTION` above it",
    ),
    "begin twice": (
        replaced("    ### BEGIN SOLUTION\n", "    ### BEGIN SOLUTION\n    ### BEGIN SOLUTION\n"),
        "two `### BEGIN SOLUTION` without a `### END SOLUTION` between them",
    ),
    "a solution where all can see it": (
        replaced("# Your experiment", "### BEGIN SOLUTION\nx = 1\n### END SOLUTION"),
        "a solution region in a cell that is not marked `solution: true`",
    ),
    "a solution cell without a region": (
        lambda text: text.replace("    ### BEGIN SOLUTION\n", "", 1).replace(
            "    ### END SOLUTION\n", "", 1
        ),
        "(neuron-backward): marked `solution: true`, but without",
    ),
    "a check that does not exist": (
        replaced("check.cross_entropy(", "check.entropy("),
        "(cross-entropy-check): there is no check `entropy` in dlcourse/checks/backpropagation.py",
    ),
    "a helper that is no check": (
        replaced("check.cross_entropy(", "check.compare("),
        "there is no check `compare`",
    ),
    "a module that does not exist": (
        replaced("import backpropagation as check", "import nothing as check"),
        "there is no module dlcourse/checks/nothing.py",
    ),
    "checks that are not imported": (
        replaced("from dlcourse.checks import backpropagation as check\n", ""),
        "`check` is not imported above it",
    ),
    "an answer that nobody writes": (
        replaced("(cross_entropy)\n", "(crossentropy)\n"),
        "`crossentropy` is not defined in a solution cell above it",
    ),
    "a check that is not the last line": (
        replaced("check.backward(backward)", "check.backward(backward)\nprint()"),
        "(backward-check): the last line should be the call of a check",
    ),
    "a check that is assigned": (
        replaced("check.backward(backward)", "r = check.backward(backward)"),
        "the last line should be the call of a check",
    ),
    "a semicolon": (
        replaced("check.backward(backward)", "check.backward(backward);"),
        "a `;` at the end hides the points",
    ),
    "a broken cell": (
        replaced("import numpy as np", "import numpy as"),
        "cell 2 (set-up): line 1 is not Python",
    ),
    "an old schema": (replaced("schema_version: 3", "schema_version: 2"), "schema_version 2"),
    "a missing flag": (replaced("  task: false\n", ""), "`task` should be true or false, is None"),
    "an unlocked check": (
        replaced("id: backward-check\n  locked: true", "id: backward-check\n  locked: false"),
        "(backward-check): `locked: false` on a check cell",
    ),
    "a locked solution": (
        replaced("grade_id: backward\n  locked: false", "grade_id: backward\n  locked: true"),
        "(backward): `locked: true` on a solution cell",
    ),
    "both in one": (
        replaced("points: 1.5\n  solution: false", "points: 1.5\n  solution: true"),
        "both `grade` and `solution`",
    ),
    "text with points": (
        replaced("  cell_type: code\n", "  cell_type: markdown\n"),
        "expected a code cell",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_what_cannot_be_graded_is_refused(case, tmp_path):
    edit, says = BAD[case]
    text = MANUSCRIPT.read_text(encoding="utf-8")
    path = tmp_path / "07-bad.md"
    path.write_text(edit(text), encoding="utf-8")
    assert path.read_text(encoding="utf-8") != text, "the edit found nothing to change"
    with pytest.raises(assignment.AssignmentError) as refused:
        assignment.read(path)
    assert says in str(refused.value)
    assert str(refused.value).startswith(f"{path}, ")


def test_all_that_is_wrong_is_told_at_once(tmp_path):
    text = MANUSCRIPT.read_text(encoding="utf-8")
    text = text.replace("points: 2\n", "points: 1\n").replace("check.cross_entropy(", "check.no(")
    (tmp_path / "bad.md").write_text(text, encoding="utf-8")
    with pytest.raises(assignment.AssignmentError) as refused:
        assignment.read(tmp_path / "bad.md")
    assert len(str(refused.value).splitlines()) == 3


def test_a_class_is_an_answer_and_its_empty_cell_still_defines_it():
    student = assignment.student_version(assignment.read(EXERCISES / "10-convolution.md"))
    source = cell(student, "lenet").source
    assert source.count("raise NotImplementedError()") == 2
    names = {"nn": types.SimpleNamespace(Module=object)}
    exec(source, names)
    with pytest.raises(NotImplementedError):
        names["LeNet"]()


AROUND = "### BEGIN SOLUTION\nclass Own:\n    pass\n### END SOLUTION"
WITHIN = """\
class Own:
    ### BEGIN SOLUTION
    def f(self):
        pass
    ### END SOLUTION"""


@pytest.mark.parametrize(("source", "is_refused"), [(AROUND, False), (WITHIN, True)])
def test_a_solution_region_stands_in_the_methods_of_a_class(source, is_refused):
    notebook = assignment.read(EXERCISES / "10-convolution.md")
    cell(notebook, "lenet").source += f"\n\n\n{source}"
    if not is_refused:
        assignment.validate(notebook)
        return
    with pytest.raises(assignment.AssignmentError, match="in the body of class `Own`; put one"):
        assignment.validate(notebook)


@pytest.mark.parametrize("name", ["notes.md", "page.txt"])
def test_what_is_no_manuscript_is_refused(name, tmp_path):
    (tmp_path / name).write_text("# Notes\n", encoding="utf-8")
    with pytest.raises(assignment.AssignmentError, match="expected a MyST notebook"):
        assignment.read(tmp_path / name)


def test_find():
    for word in ("07-backpropagation", "backpropagation", "07-backpropagation.md", str(MANUSCRIPT)):
        assert assignment.find(word, EXERCISES) == MANUSCRIPT
    with pytest.raises(assignment.AssignmentError, match=r"which holds .*07-backpropagation"):
        assignment.find("propagation", EXERCISES)


# --- the command line -----------------------------------------------------------------------------


def test_release_lays_out_a_course(tmp_path, capsys):
    assert cli.main(["release", str(MANUSCRIPT), "--out", str(tmp_path / "course")]) == 0
    written = tmp_path / "course" / "source" / "07-backpropagation" / "07-backpropagation.ipynb"
    source = nbformat.read(written, as_version=4)
    assert "### BEGIN SOLUTION" in cell(source, "backward").source
    config = tmp_path / "course" / "nbgrader_config.py"
    compile(config.read_text(encoding="utf-8"), config, "exec")
    assert "nbgrader autograde 07-backpropagation" in capsys.readouterr().out


def test_release_again_keeps_the_configuration(tmp_path):
    first = assignment.release(MANUSCRIPT, tmp_path)
    (tmp_path / "nbgrader_config.py").write_text("# mine\n", encoding="utf-8")
    before = first.read_bytes()
    assert assignment.release(MANUSCRIPT, tmp_path) == first
    assert first.read_bytes() == before
    assert (tmp_path / "nbgrader_config.py").read_text(encoding="utf-8") == "# mine\n"


def test_a_trouble_is_told_in_one_line_and_by_the_exit_status(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["release", "nothing", "--out", str(tmp_path / "course")]) == 1
    told = capsys.readouterr().err
    assert told.startswith("dlcourse release: nothing: no such file")
    assert not (tmp_path / "course").exists()
    (tmp_path / "file").write_text("")
    assert cli.main(["release", str(MANUSCRIPT), "--out", str(tmp_path / "file")]) == 1
    assert "dlcourse release: " in capsys.readouterr().err


def test_version_and_help():
    run = lambda *words: subprocess.run(
        [sys.executable, "-m", "dlcourse.cli", *words], capture_output=True, text=True, timeout=60
    )
    assert run("--version").stdout == f"dlcourse {__version__}\n"
    assert "release" in run("--help").stdout
    assert "--out DIR" in run("release", "--help").stdout
    assert run().returncode == 2


def test_the_command_line_starts_without_the_heavy_libraries():
    heavy = {"numpy", "torch", "jupytext", "nbgrader"}
    code = f"import sys, dlcourse.cli; print({heavy!r} & set(sys.modules))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert run.stdout == "set()\n"

"""The round trip through the real nbgrader, and the notebook run as a reader runs it."""

import copy
import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from dlcourse.grading import assignment

MANUSCRIPT = Path(__file__).parents[2] / "book" / "exercises" / "07-backpropagation.md"
NAME = MANUSCRIPT.stem

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    """An environment in which nothing of the user's is read or written."""
    home = tmp_path_factory.mktemp("home")
    folders = {
        "HOME": home,
        "TMPDIR": home / "tmp",
        "IPYTHONDIR": home / "ipython",
        "JUPYTER_CONFIG_DIR": home / "config",
        "JUPYTER_DATA_DIR": home / "data",
        "JUPYTER_RUNTIME_DIR": home / "runtime",
    }
    for folder in folders.values():
        folder.mkdir(exist_ok=True)
    # nbgrader starts `alembic` by name.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    one_thread = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    names = {name: str(folder) for name, folder in folders.items()}
    return {**os.environ, **names, **one_thread, "PATH": path}


def answered(notebook, **edits):
    """The notebook that was handed out with the solutions filled in; edits: (old, new) by id."""
    solution = assignment.solution_version(assignment.read(MANUSCRIPT))
    answers = {cell.id: cell.source for cell in solution.cells}
    notebook = copy.deepcopy(notebook)
    for cell in notebook.cells:
        cell.source = answers[cell.id]
        if edit := edits.get(cell.id.replace("-", "_")):
            assert edit[0] in cell.source
            cell.source = cell.source.replace(*edit)
    return notebook


@pytest.fixture(scope="module")
def course(tmp_path_factory, environment):
    """A course folder in which five students have been graded, and what was handed out to them."""
    folder = tmp_path_factory.mktemp("course")
    assignment.release(MANUSCRIPT, folder)

    def nbgrader(*words):
        run = subprocess.run(
            [sys.executable, "-m", "nbgrader", *words],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=240,
        )
        assert run.returncode == 0, run.stdout[-3000:] + run.stderr[-3000:]

    nbgrader("generate_assignment", NAME)
    released = nbformat.read(folder / "release" / NAME / f"{NAME}.ipynb", as_version=4)

    cheat = copy.deepcopy(released)
    for cell in cheat.cells:
        if cell.metadata.get("nbgrader", {}).get("grade"):
            cell.source = "10.0"
    submissions = {
        "solved": answered(released),
        "empty": released,
        "cheat": cheat,
        "partial": answered(
            released,
            linear_backward=("dW = g.T @ x", "dW = x.T @ g"),
            backward=("grad[parent] +=", "grad[parent] ="),
        ),
        "noisy": answered(
            released,
            linear_backward=(
                "    dx =",
                "    import sys, warnings\n"
                "    warnings.warn('careful')\n"
                "    print('note', file=sys.stderr)\n"
                "    np.log(np.zeros(1))\n"
                "    dx =",
            ),
        ),
    }
    for student, notebook in submissions.items():
        place = folder / "submitted" / student / NAME
        place.mkdir(parents=True)
        nbformat.write(notebook, place / f"{NAME}.ipynb")
    nbgrader("autograde", NAME)
    return folder, released


def scores(folder):
    """Student -> check -> (points earned, points to be had), from nbgrader's own gradebook."""
    from nbgrader.api import Gradebook

    with Gradebook(f"sqlite:///{folder / 'gradebook.db'}") as gradebook:
        return {
            submission.student.id: {
                grade.name: (grade.score, grade.max_score)
                for notebook in submission.notebooks
                for grade in notebook.grades
            }
            for submission in gradebook.assignment_submissions(NAME)
        }


@pytest.fixture(scope="module")
def graded(course, environment):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", environment["PATH"])
        return scores(course[0])


def test_nbgrader_hands_out_the_same_notebook_as_we_do(course):
    ours = assignment.student_version(assignment.read(MANUSCRIPT))
    theirs = course[1]
    assert [c.source for c in theirs.cells] == [c.source for c in ours.cells]
    assert [c.id for c in theirs.cells] == [c.id for c in ours.cells]
    for their, our in zip(theirs.cells, ours.cells, strict=True):
        about = dict(their.metadata.get("nbgrader", {}))
        about.pop("checksum", None)
        assert about == our.metadata.get("nbgrader", {})


@pytest.mark.parametrize(
    ("student", "total"),
    [("solved", 10.0), ("empty", 0.0), ("cheat", 0.0), ("partial", 6.5), ("noisy", 10.0)],
)
def test_nbgrader_gives_the_points_that_the_checks_give(graded, student, total):
    earned = graded[student]
    assert sum(points for points, _ in earned.values()) == pytest.approx(total)
    assert sum(most for _, most in earned.values()) == 10


def test_partial_credit_is_the_steps_that_passed(graded):
    earned = {name: points for name, (points, _) in graded["partial"].items()}
    assert earned == pytest.approx(
        {
            "neuron-backward-check": 1.5,
            "linear-backward-check": 1.4,
            "cross-entropy-check": 2.5,
            "two-layer-backward-check": 0.7,
            "backward-check": 0.4,
        }
    )


def test_the_graded_notebook_shows_the_report(course):
    folder, _ = course
    path = folder / "autograded" / "partial" / NAME / f"{NAME}.ipynb"
    graded = nbformat.read(path, as_version=4)
    output = next(c for c in graded.cells if c.id == "linear-backward-check").outputs[-1]
    assert output.data["text/plain"] == "1.4"
    assert "transposed: return the" in output.data["text/html"]


def test_the_solved_notebook_runs_in_an_empty_folder(tmp_path, environment, monkeypatch):
    from nbclient import NotebookClient

    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    notebook = assignment.solution_version(assignment.read(MANUSCRIPT))
    client = NotebookClient(notebook, timeout=60, resources={"metadata": {"path": str(tmp_path)}})
    client.execute()
    earned = [
        float(cell.outputs[-1].data["text/plain"])
        for cell in notebook.cells
        if cell.metadata.get("nbgrader", {}).get("grade")
    ]
    assert sum(earned) == 10
    assert list(tmp_path.iterdir()) == []


def test_a_terminal_gets_the_text(environment):
    code = (
        "from dlcourse.checks import backpropagation as check\ncheck.backward(lambda g, o: None)\n"
    )
    for words in (["-m", "IPython", "--no-banner", "--colors=NoColor"], ["-i", "-q"]):
        run = subprocess.run(
            [sys.executable, *words],
            input=code,
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert "backward: 0 of 1.5 points\n  [not yet]  a chain" in run.stdout

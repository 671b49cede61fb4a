"""A course made for nbgrader, graded by nbgrader itself and in our jail: cell by cell the same."""

import contextlib
import copy
import csv
import html
import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import numpy as np
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from dlcourse import cli
from dlcourse.checks.framework import BY_HAND, PASSED, Step
from dlcourse.grading import assignment, compat, jail, submissions
from dlcourse.grading.grade import Grader, Judged, Result
from dlcourse.grading.gradebook import import_scores
from dlcourse.grading.report import TAMPERABLE

Gradebook = pytest.importorskip("nbgrader.api").Gradebook

LEVELS = [level for level in jail.BEST if not jail.obstacle(level)]
needs_jail = pytest.mark.skipif(1 not in LEVELS, reason=f"no jail here: {jail.obstacle(1)}")
LIMITS = jail.Limits(call=2.0, total=40.0, memory=300, disk=9, threads=8)
SEED = 3


def cell(source, label="", **flags):
    """A cell with nbgrader's metadata, as its own toolbar would set it; prose without `code`."""
    made = (new_code_cell if flags.pop("code", True) else new_markdown_cell)(source)
    if label:
        flags = dict.fromkeys(("grade", "solution", "locked", "task"), False) | flags
        made.metadata["nbgrader"] = {"grade_id": label, "schema_version": 3, **flags}
    return made


def solved(text):
    return f"{text}\n    ### BEGIN SOLUTION\n    return {{}}\n    ### END SOLUTION"


def problem():
    """An instructor's notebook that has everything which nbgrader offers."""
    test = {"grade": True, "locked": True}
    return new_notebook(
        metadata={"kernelspec": {"name": "python3", "language": "python", "display_name": "Py"}},
        cells=[
            cell("# Problem 1", code=False),
            cell("import numpy as np"),
            cell("import helper\nrow = open('data.csv').read().split(',')", "given", locked=True),
            cell(solved("def square(x):").format("x * x"), "square", solution=True),
            cell(
                "assert square(2) == 4, 'the square of 2'\n### BEGIN HIDDEN TESTS\n"
                "assert square(3) == helper.nine\n### END HIDDEN TESTS",
                "square-test", points=2, **test,
            ),
            cell(solved("def share():").format("4"), "share", solution=True),
            cell("from math import isclose\nshare()", "share-test", points=4, **test),
            cell(solved("def total(row):").format("sum(map(int, row))"), "total", solution=True),
            cell(
                "import os\nassert os.environ['NBGRADER_EXECUTION'] == 'autograde'\n"
                "assert isclose(total(row), 6)\nprint('ok')\n7;",
                "total-test", points=1, **test,
            ),
            cell(
                "Why?\n### BEGIN SOLUTION\nBecause.\n### END SOLUTION", "why", code=False,
                grade=True, solution=True, points=3,
            ),
            cell(
                "### BEGIN SOLUTION\nsketch = 'x'\n### END SOLUTION", "sketch",
                grade=True, solution=True, points=2,
            ),
            cell("Write on.\n=== BEGIN MARK SCHEME ===\n1 point\n=== END MARK SCHEME ===", "essay",
                 code=False, task=True, locked=True, points=1),
        ],
    )  # fmt: skip


RIGHT = {
    "square": "def square(x):\n    return x * x",
    "share": "def share():\n    return 4",
    "total": "def total(row):\n    return sum(map(int, row))",
    "why": "Why?\nFor a reason.",
    "sketch": "sketch = 'mine'",
}


def share(value):
    return {"share": f"def share():\n    return {value}"}


def labelled(notebook, label):
    return next(
        c for c in notebook.cells if c.metadata.get("nbgrader", {}).get("grade_id") == label
    )


def answered(released, **answers):
    notebook = copy.deepcopy(released)
    for label, source in (RIGHT | answers).items():
        labelled(notebook, label).source = source
    return notebook


def edited(released, edit):
    notebook = answered(released)
    edit(notebook)
    return notebook


def changes_tests(notebook):
    labelled(notebook, "square-test").source = "pass"
    labelled(notebook, "square").source = "def square(x):\n    return 0"
    labelled(notebook, "share-test").metadata.nbgrader.points = 1000
    labelled(notebook, "given").source = "row = ['6']"


def has_own_cells(notebook):
    """Helpers in cells of their own: before the answer, and between the answer and its test."""
    place = notebook.cells.index(labelled(notebook, "square"))
    labelled(notebook, "square").source = "def square(x):\n    return times(x, 1)"
    notebook.cells.insert(place, cell("def times(x, y):\n    return x * y"))
    notebook.cells.insert(
        place + 2, cell("print(square(1))\nglobals().update(times=lambda x, y: x * x)")
    )
    notebook.cells.append(cell("the end of it", code=False))


def copies_its_answer(notebook):
    """A copied cell keeps its id; the first one ran, and the second holds an experiment."""
    place = notebook.cells.index(labelled(notebook, "square"))
    again = copy.deepcopy(notebook.cells[place])
    again.source, again.id = "square(5)", "again"
    notebook.cells.insert(place + 1, again)


def lost_ids(notebook):
    for one in notebook.cells:
        if one.metadata.get("nbgrader", {}).get("grade_id") in ("square", "share"):
            del one.metadata["nbgrader"]


def turned_into_text(notebook):
    place = notebook.cells.index(labelled(notebook, "square"))
    old = notebook.cells[place]
    notebook.cells[place] = new_markdown_cell(old.source, id=old.id, metadata=old.metadata)


def deletes_a_test(notebook):
    notebook.cells.remove(labelled(notebook, "square-test"))


def older_schema(notebook):
    for one in notebook.cells:
        about = one.metadata.get("nbgrader", {})
        if about.get("task"):
            del one.metadata["nbgrader"]
        elif about:
            about.schema_version = 1
            for name in ("task", "cell_type"):
                about.pop(name, None)


NEVER = "while True:\n        pass"

# What both must grade alike: student -> answers, or an edit of the solved notebook.
ALIKE = {
    "right": {},
    "empty": None,
    "wrong": {"square": "def square(x):\n    return 2 * x", "total": "def total(row): return 0"},
    "seen_right_only": {"square": "def square(x):\n    return 4"},
    "partial": share(2.5),
    "true": share(True),
    "fails_in_three_ways": {
        "square": "1 / 0", "share": "def share(:", "total": "import sys\nsys.exit(0)"
    },
    "magic": {"square": "%matplotlib inline\ndef square(x):\n    return x * x"},
    "changes_tests": changes_tests,
    "own_cells": has_own_cells,
    "lost_ids": lost_ids,
    "turned_into_text": turned_into_text,
}  # fmt: skip

# At these nbgrader stops for the whole class.
STOPS = {"older_schema": older_schema, "copied": copies_its_answer}

DEFAULT = {"square-test": 2.0, "share-test": 4.0, "total-test": 1.0, "why": None, "sketch": None,
           "essay": None}  # fmt: skip

# Where we differ: student -> (answers or edit, our scores, theirs, the reason). Theirs are None
# where nbgrader leaves the whole submission without a grade.
DIFFERENT = {
    "deletes_a_test": (
        deletes_a_test, {"square-test": 2.0}, {"square-test": None},
        "a deleted test is put back, where nbgrader has no score for it",
    ),
    "warns": (
        share("__import__('warnings').warn('careful') or 4"), {}, {"share-test": 0.0},
        "a warning costs no point; nbgrader takes whatever is written to stderr for a failure",
    ),
    "numpy_float": (
        share("np.float64(1.5)"), {"share-test": 1.5}, {"share-test": 4.0},
        "a number of NumPy's is a number; nbgrader cannot read `np.float64(1.5)`: full marks",
    ),
    "too_much": (
        share(5), {"square-test": None, "share-test": None, "total-test": None}, None,
        "more than all of the points: a person looks; nbgrader gives up the submission",
    ),
    "never_ends": (
        {"share": f"def share():\n    {NEVER}"}, {"share-test": 0.0}, {"share-test": 0.0},
        "the same points, but the state says `timed out`",
    ),
    "ends_its_process": (
        {"share": "import os\nos._exit(0)"}, {"share-test": 0.0}, None,
        "the rest is judged in a new process; nbgrader gives up the submission",
    ),
}  # fmt: skip


def work(released, what):
    if what is None:
        return released
    return answered(released, **what) if isinstance(what, dict) else edited(released, what)


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    """An environment in which nothing of the user's is read or written."""
    home = tmp_path_factory.mktemp("home")
    names = ("HOME", "IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR")
    folders = {name: str(home / name) for name in names}
    for folder in folders.values():
        Path(folder).mkdir()
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    return {**os.environ, **folders, "PATH": path, "OMP_NUM_THREADS": "1"}


@pytest.fixture(scope="module")
def nbgrader(environment):
    def run(course, *words, check=True):
        done = subprocess.run(
            [sys.executable, "-m", "nbgrader", *words],
            cwd=course, env=environment, capture_output=True, text=True, timeout=1200,
        )  # fmt: skip
        assert done.returncode == 0 or not check, done.stdout[-3000:] + done.stderr[-3000:]
        return done.stdout + done.stderr

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", environment["PATH"])
        yield run


def new_course(folder, *names):
    source = folder / "source" / "ps1"
    source.mkdir(parents=True)
    for name in names or ("problem1",):
        nbformat.write(problem(), source / f"{name}.ipynb")
    (source / "helper.py").write_text("nine = 9\n")
    (source / "data.csv").write_text("1,2,3")
    (folder / "nbgrader_config.py").write_text(
        "c = get_config()\nc.CourseDirectory.course_id = 'course'\nc.Execute.timeout = 8\n"
    )
    return source


def hand_in(course, student, notebook, name="problem1"):
    place = course / "submitted" / student / "ps1"
    place.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, place / f"{name}.ipynb")


def scores(course):
    """Student -> cell -> (score of the tests, whether a person is asked for)."""
    with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as book:
        return {
            s.student.id: {
                g.name: (g.auto_score, bool(g.needs_manual_grade))
                for n in s.notebooks
                for g in n.grades
            }
            for s in book.assignment_submissions("ps1")
        }


def grade(source, course, out, *words):
    return cli.main(["grade", "--compat", str(source), str(course), "--out", str(out),
                     "--jobs", "2", "--timeout", "5", *words])  # fmt: skip


@pytest.fixture(scope="module")
def courses(tmp_path_factory, nbgrader):
    """The same class graded by nbgrader, and by us into a course of its own."""
    theirs = tmp_path_factory.mktemp("theirs")
    new_course(theirs)
    nbgrader(theirs, "generate_assignment", "ps1")
    released = nbformat.read(theirs / "release" / "ps1" / "problem1.ipynb", as_version=4)
    assert "helper.nine" not in labelled(released, "square-test").source
    for student, what in ALIKE.items():
        hand_in(theirs, student, work(released, what))
    for student, (what, *_) in DIFFERENT.items():
        hand_in(theirs, student, work(released, what))
    ours = tmp_path_factory.mktemp("ours") / "course"
    shutil.copytree(theirs, ours)
    for student, what in STOPS.items():
        hand_in(ours, student, work(released, what))
    nbgrader(theirs, "autograde", "ps1", check=False)
    out = ours.parent / "out"
    words = ["--seed", "1", "--gradebook", str(ours / "gradebook.db")]
    with contextlib.redirect_stdout(io.StringIO()) as said:
        assert grade(ours / "source" / "ps1", ours, out, *words) == 0
    return theirs, ours, out, said.getvalue()


@pytest.fixture(scope="module")
def both(courses):
    theirs, ours = courses[:2]
    return scores(theirs), scores(ours)


@needs_jail
@pytest.mark.slow
@pytest.mark.parametrize("student", ALIKE)
def test_cell_by_cell_the_same_scores(both, student):
    theirs, ours = both
    assert ours[student] == theirs[student]
    assert set(ours[student]) == set(DEFAULT)


@needs_jail
def test_the_scores_are_those_that_were_meant(both):
    """What both agree on is right as well."""
    ours = {
        student: {k: score for k, (score, _) in row.items()} for student, row in both[1].items()
    }
    zero = {"square-test": 0.0}
    for student, differs in {
        "right": {}, "wrong": {**zero, "total-test": 0.0}, "seen_right_only": zero,
        "partial": {"share-test": 2.5}, "true": {},
        "fails_in_three_ways": {**zero, "share-test": 0.0, "total-test": 0.0},
        "changes_tests": zero, "own_cells": {}, "copied": {}, "lost_ids": {},
        "empty": dict.fromkeys(DEFAULT, 0.0) | {"essay": None}, "older_schema": {},
    }.items():  # fmt: skip
        assert ours[student] == DEFAULT | differs, student


@needs_jail
@pytest.mark.parametrize("student", DIFFERENT)
def test_where_nbgrader_is_not_followed(both, student):
    theirs, ours = both
    _, our_scores, their_scores, reason = DIFFERENT[student]
    tests = {"square-test", "share-test", "total-test"}
    row = {label: score for label, (score, _) in ours[student].items()}
    assert row == DEFAULT | our_scores, reason
    found = {label: score for label, (score, _) in theirs[student].items() if label in tests}
    if their_scores is None:
        assert None in found.values(), reason
    else:
        assert found == {k: v for k, v in (DEFAULT | their_scores).items() if k in tests}, reason


@needs_jail
@pytest.mark.slow
@pytest.mark.parametrize("student", STOPS)
def test_nobody_stops_the_class(courses, nbgrader, student):
    theirs, ours = courses[:2]
    shutil.copytree(ours / "submitted" / student, theirs / "submitted" / student)
    said = nbgrader(theirs, "autograde", "ps1", "--student", student, check=False)
    assert "old version" in said, "nbgrader can grade it now: move it to ALIKE"
    row = {label: score for label, (score, _) in scores(ours)[student].items()}
    assert row == DEFAULT


def table(out):
    with open(out / "grades.csv", newline="", encoding="utf-8") as file:
        return {row["student"]: row for row in csv.DictReader(file)}


@needs_jail
def test_states_and_notes_stand_in_the_table(courses):
    rows = table(courses[2])
    states = {student: row["state"] for student, row in rows.items() if row["state"] != "graded"}
    assert states == {"never_ends": "timed out", "ends_its_process": "died",
                      "too_much": "needs review"}  # fmt: skip
    for student, note in {
        "deletes_a_test": "square-test: it was deleted, and has been put back",
        "changes_tests": "square-test: it was changed, and has been put back",
        "copied": "square: there are 2 such cells; the last one counts",
        "warns": "share-test: something was written to stderr",
        "too_much": "share-test: it shows 5, of 4",
        "lost_ids": "square: there is no such cell in the notebook",
    }.items():
        assert note in rows[student]["notes"]
    assert rows["right"]["notes"] == ""
    right = rows["right"]
    assert (right["points"], right["of"], right["waiting for a person"]) == ("7", "13", "6")
    assert (right["why"], right["square-test"]) == ("", "2"), "no zero for what nobody has judged"
    canvas = (courses[2] / "grades_canvas.csv").read_text()
    assert "right,,,right,,\n" in canvas.replace("\r", ""), "no number before a person has judged"


@needs_jail
def test_every_table_and_page_says_that_points_can_be_forged(courses):
    out = courses[2]
    assert all(row["tamperable"] == TAMPERABLE for row in table(out).values())
    assert "ps1 (tamperable)" in (out / "grades_canvas.csv").read_text().splitlines()[0]
    moodle = (out / "grades_moodle.csv").read_text().splitlines()[1:]
    pages = [out / "report.html", *(out / "feedback").iterdir()]
    assert len(pages) == len(moodle) + 1 == len(ALIKE) + len(DIFFERENT) + 3
    assert all(TAMPERABLE in line for line in moodle)
    assert all(html.escape(TAMPERABLE) in page.read_text() for page in pages)
    for word in ("Tamperable", "same process", "forge"):
        assert word in TAMPERABLE
    assert TAMPERABLE in courses[3], "the summary in the terminal, too"


@needs_jail
def test_pages_tell_what_failed_and_keep_hidden_tests(courses):
    out = courses[2]
    page = (out / "feedback" / "wrong.html").read_text()
    assert "one of the hidden tests" in page
    assert "helper.nine" not in page
    page = (out / "feedback" / "empty.html").read_text()
    assert "NotImplementedError" in page
    assert "There is no answer." in page
    page = (out / "feedback" / "right.html").read_text()
    assert "7 of 13 points" in page
    assert "6 points wait for a person" in page
    words = (out / "report.html").read_text()
    assert "<h2>Waiting for a person</h2>" in words


@needs_jail
@pytest.mark.slow
def test_nbgrader_goes_on_from_there(courses, nbgrader):
    _, ours, out, _ = courses
    nbgrader(ours, "generate_feedback", "ps1", "--student", "partial")
    page = (ours / "feedback" / "partial" / "ps1" / "problem1.html").read_text()
    assert "(Score: 2.5 / 4.0)" in page
    assert "The test gave 2.5 of 4 points." in page
    nbgrader(ours, "export")
    with open(ours / "grades.csv", newline="") as file:
        exported = {row["student_id"]: float(row["score"]) for row in csv.DictReader(file)}
    ours_are = {s: float(row["points"]) for s, row in table(out).items() if s != "too_much"}
    assert {s: exported[s] for s in ours_are} == ours_are
    # What a person has given stays, and is looked at again after the next import.
    database = ours / "gradebook.db"
    with Gradebook(f"sqlite:///{database}") as book:
        for label in ("why", "share-test"):
            book.find_grade(label, "problem1", "ps1", "right").manual_score = 1.0
        book.db.commit()
    plan = compat.read(ours / "source" / "ps1" / "problem1.ipynb")[1]
    judged = [
        Judged("why", 3.0, (Step("for a person", 3.0, BY_HAND),)),
        Judged("share-test", 4.0, (Step("the test", 4.0, PASSED),)),
    ]
    right = submissions.Submission("right", "right", "problem1.ipynb", bytes)
    graded = [(right, Result("graded", tuple(judged)))]
    assert import_scores("ps1", plan, graded, database, "problem1") == (1, 1)
    with Gradebook(f"sqlite:///{database}") as book:
        for label, points in (("why", None), ("share-test", 4.0)):
            one = book.find_grade(label, "problem1", "ps1", "right")
            assert (one.manual_score, one.auto_score, one.needs_manual_grade) == (1.0, points, True)
        assert book.find_grade("total-test", "problem1", "ps1", "right").auto_score == 1.0


VALUES = [
    "4",
    "3",
    "0",
    "2.5",
    "-1.0",
    "True",
    "False",
    "None",
    "'2'",
    "[1.5]",
    "(1,)",
    "1e-3",
    "float('nan')",
    "__import__('fractions').Fraction(1, 2)",
    "np.arange(3)",
    "{}",
    "print",
]


@pytest.fixture(scope="module")
def shown(plan):
    """Values as the last line of a test: text of the value -> what it was worth in the jail."""
    work = [(value, handed(**share(value))) for value in VALUES]
    with Grader(plan, level=1, jobs=1, limits=LIMITS) as grader:
        return {value: r.checks[1].earned for value, r in grader.grade_many(work, SEED)}


@needs_jail
@pytest.mark.parametrize("value", VALUES)
def test_a_value_is_worth_what_nbgrader_takes_it_for(shown, value):
    from IPython.core.formatters import PlainTextFormatter
    from nbformat.v4 import new_output
    from nbgrader.utils import determine_grade

    test = copy.deepcopy(labelled(problem(), "share-test"))
    found = eval(value, {"np": np})
    if found is not None:
        text = PlainTextFormatter()(found)
        test.outputs = [new_output("execute_result", {"text/plain": text}, execution_count=1)]
    assert shown[value] == determine_grade(test)[0]


# --- hostile students -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return new_course(tmp_path_factory.mktemp("plan"))


@pytest.fixture(scope="module")
def plan(source):
    return compat.read(source / "problem1.ipynb")[1]


def handed(**answers):
    return nbformat.writes(answered(problem(), **answers)).encode()


WRONG = {"square": "def square(x):\n    return -1"}
FORGERS = {
    "equal to everything": {"square": "class All:\n    def __eq__(self, other):\n"
                            "        return True\ndef square(x):\n    return All()"},
    "patches what tests use": {**WRONG, "share": "import math\nmath.isclose = lambda *_: True\n"
                               "def share():\n    return 4", "total": "total = len"},
    "shows more than there is": {**WRONG, **share("10 ** 9")},
    "lies about its text": {**WRONG, "share": "class Much(float):\n    def __repr__(self):\n"
                            "        return '1e9'\ndef share():\n    return Much()"},
    "leaves by every door": {**WRONG, "share": "import sys\ndef share():\n    sys.exit(0)",
                             "total": "raise SystemExit"},
    "turns the worker over": {
        "square": "import sys\nfor name, module in list(sys.modules.items()):\n"
        "    if name.endswith('grading.inside'):\n"
        "        module._Worker.answer_test = lambda *_: ['value', ['1e9', 7], [], []]"},
    "answers before it is asked": {
        "square": "import os, struct\nfrom dlcourse.grading import wire\n"
        "for n in range(4, 12):\n"
        "    os.write(3, wire.pack([n, 'value', ['4', False], [], []]))"},
}  # fmt: skip
BOMBS = {
    "forks": "import os\nwhile True:\n    os.fork()",
    "fills the memory": "x = [0]\nwhile True:\n    x = x + x",
    "never ends": "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nwhile True: pass",
}


@pytest.fixture(scope="module")
def attacked(plan, source):
    """A class of attackers with an honest student after each: name -> result."""
    attacks = FORGERS | {name: {"square": code} for name, code in BOMBS.items()}
    attacks["looks around"] = {
        "square": "import glob, os\nprint('FOUND', sorted(glob.glob('*')), "
        f"os.path.exists({str(Path(__file__).parent)!r}), os.path.exists({str(source)!r}), "
        "glob.glob('/scratch/*/*'), 'FOUND' in os.environ)"
    }
    handed_in = []
    for name, answers in attacks.items():
        handed_in += [(name, handed(**answers)), (f"after {name}", handed())]
    with Grader(plan, level=1, jobs=2, limits=LIMITS) as grader:
        return dict(grader.grade_many(handed_in, SEED))


@needs_jail
@pytest.mark.parametrize("name", [*FORGERS, *BOMBS])
def test_nobody_gets_more_than_a_test_is_worth(attacked, name):
    result = attacked[name]
    most = {"square-test": 2.0, "share-test": 4.0, "total-test": 1.0}
    earned = {check.label: check.earned for check in result.checks}
    assert {label for label, points in earned.items() if points > most.get(label, 0.0)} == set()
    assert result.earned <= 7.0
    assert {check.label: check.points for check in result.checks} == {
        **most, "why": 3.0, "sketch": 2.0, "essay": 1.0
    }  # fmt: skip
    assert result.seconds <= LIMITS.total + 2
    states = {
        "shows more than there is": "needs review", "lies about its text": "needs review",
        "turns the worker over": "needs review", "answers before it is asked": "needs review",
        "fills the memory": "out of memory", "never ends": "timed out",
    }  # fmt: skip
    if name != "forks":  # its process may end in several ways
        assert result.state == states.get(name, "graded"), repr(result)
    if name in BOMBS:
        assert earned["square-test"] == 0.0


@needs_jail
def test_what_is_left_of_an_endless_cell_is_tried_once(plan):
    """An endless loop at the top leaves the definitions above it; one in a definition, nothing."""
    endless = "def square(x):\n    return x * x\nwhile True:\n    pass"
    deeper = "def square(x=sum(0 for _ in iter(int, 1))):\n    return 4"
    with Grader(plan, level=1, jobs=1, limits=LIMITS) as grader:
        first, second = (grader.grade(handed(square=text), SEED) for text in (endless, deeper))
    assert (first.state, first.earned) == ("timed out", 7.0)
    assert (second.state, second.earned) == ("timed out", 5.0)
    assert second.seconds < LIMITS.total


@needs_jail
def test_what_can_be_forged_is_forged(attacked):
    """So it is right that every page says it."""
    result = attacked["equal to everything"]
    assert (result.state, result.checks[0].earned) == ("graded", 2.0)


@needs_jail
def test_the_others_are_untouched(attacked):
    honest = {name: r for name, r in attacked.items() if name.startswith("after ")}
    assert len(honest) == len(FORGERS) + len(BOMBS) + 1
    assert {(r.state, r.earned, r.waiting, r.notes) for r in honest.values()} == {
        ("graded", 7.0, 6.0, ())
    }


@needs_jail
def test_a_notebook_finds_its_files_and_no_others(attacked):
    assert "FOUND ['data.csv', 'helper.py'] False False [] False" in attacked["looks around"].output


# --- the instructor's notebook --------------------------------------------------------------------


def test_a_plan_has_what_nbgrader_puts_back(plan):
    assert [check.label for check in plan.checks] == list(DEFAULT)
    assert "helper.nine" in plan.checks[0].source
    assert "helper.nine" not in plan.known["square-test"]
    assert "raise NotImplementedError()" in plan.known["square"]
    assert set(plan.files) == {"helper.py", "data.csv"}
    assert plan.modules == ("numpy", "math", "os"), "and not the course's own helper"
    assert plan.by_hand == {"why", "sketch", "essay"}
    assert plan.tamperable


@pytest.mark.parametrize("schema", [0, 1, 2])
def test_older_schemas_give_the_same_plan(plan, tmp_path, schema):
    old = problem()
    del old.cells[-1]  # tasks came with schema 3
    for one in old.cells:
        about = one.metadata.get("nbgrader", {})
        about.pop("task", None)
        if about:
            about["schema_version"] = schema
    source = new_course(tmp_path)
    nbformat.write(old, source / "problem1.ipynb")
    found = compat.read(source / "problem1.ipynb")[1]
    assert found.checks == plan.checks[:-1]
    assert found.cells == plan.cells[:-1]


@needs_jail
def test_what_was_handed_out_can_be_graded_with(courses):
    """It has checksums, and no solutions or hidden tests."""
    path = courses[0] / "release" / "ps1" / "problem1.ipynb"
    plan = compat.read(path)[1]
    assert compat.name_of(path) == "ps1"
    assert plan.known["why"] == "Why?\nYOUR ANSWER HERE"
    assert "helper.nine" not in plan.checks[0].source


FAULTS = {
    "AUTOTEST": (lambda nb: nb.cells[4].update(source="### AUTOTEST square(2)"),
                 "cell square-test: nbgrader makes tests of its `AUTOTEST` lines"),
    "ours": (lambda nb: nb.cells[1].update(source="from dlcourse.checks import loss as check"),
             "cell without an id: it uses checks of dlcourse's own"),
    "no points": (lambda nb: nb.cells.__setitem__(slice(4, None), []), "none of them gives points"),
    "twice": (lambda nb: nb.cells.append(nb.cells[4]), "Duplicate grade id: square-test"),
    "open region": (lambda nb: nb.cells[3].update(source="### BEGIN SOLUTION"), "end solution"),
    "hidden elsewhere": (lambda nb: nb.cells[1].update(
        source="### BEGIN HIDDEN TESTS\n1\n### END HIDDEN TESTS"), "Hidden test region"),
    "R": (lambda nb: nb.metadata.kernelspec.update(language="R"), "it is for R"),
    "schema 99": (lambda nb: nb.cells[4].metadata.nbgrader.update(schema_version=99), "too new"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_a_notebook_that_cannot_be_graded_is_told(tmp_path, fault):
    edit, message = FAULTS[fault]
    notebook = problem()
    edit(notebook)
    path = tmp_path / "problem1.ipynb"
    path.write_text(json.dumps(notebook))
    with pytest.raises(assignment.AssignmentError, match=message) as told:
        compat.read(path)
    assert str(path) in str(told.value)


def test_other_paths_are_told(tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken.ipynb").write_text("{")
    for name in ("nothing", "empty", "broken.ipynb"):
        assert grade(tmp_path / name, tmp_path, tmp_path / "out") == 1
        assert str(tmp_path / name) in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_files_are_taken_from_a_course_alone_and_have_a_limit(tmp_path, monkeypatch, plan):
    source = new_course(tmp_path)
    (source / ".secret").write_text("x")
    (source / "__pycache__").mkdir()
    (source / "__pycache__" / "helper.pyc").write_text("x")
    (source / "more").mkdir()
    (source / "more" / "rows.txt").write_text("x")
    files = compat.read(source / "problem1.ipynb")[1].files
    assert set(files) == {"helper.py", "data.csv", "more/rows.txt"}
    shutil.copytree(source, tmp_path / "elsewhere")
    assert compat.read(tmp_path / "elsewhere" / "problem1.ipynb")[1].files == {}
    monkeypatch.setattr(compat, "MAX_FILE_BYTES", 8)
    with pytest.raises(assignment.AssignmentError, match="hand out smaller ones"):
        compat.read(source / "problem1.ipynb")
    with pytest.raises(ValueError, match=r"brings files .*only level 1"):
        compat.needs(plan, 2)
    compat.needs(plan, 1)


@needs_jail
def test_several_notebooks_of_one_assignment(tmp_path, capsys, nbgrader):
    course, out = tmp_path / "course", tmp_path / "out"
    new_course(course, "problem1", "problem2")
    nbgrader(course, "generate_assignment", "ps1")
    for student in ("ada", "bob"):
        hand_in(course, student, answered(problem()))
    hand_in(course, "ada", answered(problem(), **WRONG), "problem2")
    assert grade(course / "source" / "ps1", course, out, "--watch", "1") == 1
    assert "--watch takes one" in capsys.readouterr().err
    words = ["--gradebook", str(course / "gradebook.db")]
    assert grade(course / "source" / "ps1", course, out, *words) == 0
    assert {s: r["points"] for s, r in table(out / "problem1").items()} == {"ada": "7", "bob": "7"}
    assert {s: r["points"] for s, r in table(out / "problem2").items()} == {"ada": "5"}
    assert "bob handed in no problem2.ipynb" in capsys.readouterr().err
    with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as book:
        assert book.find_submission("ps1", "ada").score == 12.0


@pytest.mark.parametrize(
    "source",
    [
        "1",
        "1;",
        "1; # said",
        "x = ';'",
        "f(';')",
        "1 # ;",
        "1;\n\n",
        "1;\n# end\n",
        "'''\n;\n'''",
        "",
    ],
)
def test_a_semicolon_hides_a_value_where_it_does_in_ipython(source):
    from IPython.core.displayhook import DisplayHook

    assert compat._is_quiet(source) == bool(DisplayHook.semicolon_at_end_of_expression(source))


def test_of_several_notebooks_the_one_of_that_name_is_taken(tmp_path):
    for number, path in enumerate(
        ["ada/ps1/problem1.ipynb", "ada/ps1/scratch.ipynb", "bob/ps1/problem2.ipynb",
         "cleo/ps2/problem1.ipynb", "dan.ipynb"]
    ):  # fmt: skip
        file = tmp_path / "submitted" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("{}")
        os.utime(file, (1_700_000_000 + number,) * 2)
    found = submissions.collect(tmp_path / "submitted", "ps1", "problem1")
    taken = {s.student: s.path for s in found.submissions}
    assert taken == {"ada": "ada/ps1/problem1.ipynb", "dan": "dan.ipynb"}
    assert found.warnings == ["bob handed in no problem1.ipynb"]
    (tmp_path / "submitted" / "dan.ipynb").rename(tmp_path / "eve.ipynb")
    with pytest.raises(ValueError, match=r"no submission of ps3 with a notebook problem1\.ipynb"):
        submissions.collect(tmp_path / "submitted", "ps3", "problem1")
    # Elsewhere the name decides before the time.
    shutil.copytree(tmp_path / "submitted" / "ada" / "ps1", tmp_path / "class" / "ada")
    (tmp_path / "eve.ipynb").rename(tmp_path / "class" / "eve.ipynb")
    found = submissions.collect(tmp_path / "class", "ps1", "problem1").submissions
    assert [s.path for s in found] == ["ada/problem1.ipynb", "eve.ipynb"]

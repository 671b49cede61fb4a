"""Submissions become results: points by step, states apart, secret seeds, and one row a file."""

import csv
import dataclasses
import json
import os
import pickle
import signal
import types
from pathlib import Path

import nbformat
import numpy as np
import pytest

from dlcourse import cli
from dlcourse.checks import check, compare
from dlcourse.checks.calling import call
from dlcourse.grading import assignment, grade, jail
from dlcourse.grading.grade import Grader, submission_seed
from dlcourse.grading.rebuild import ANSWER, EXTRA, GIVEN, Cell, Plan, Unreadable, rebuild

MANUSCRIPT = Path(__file__).parents[2] / "book" / "exercises" / "07-backpropagation.md"
LEVELS = [level for level in jail.BEST if not jail.obstacle(level)]
LIMITS = jail.Limits(call=2.0, total=8.0)

needs_jail = pytest.mark.skipif(not LEVELS, reason=f"no jail here: {jail.obstacle(1)}")


@pytest.fixture(scope="module")
def notebook():
    return assignment.read(MANUSCRIPT)


@pytest.fixture(scope="module")
def solved(notebook):
    return nbformat.writes(assignment.solution_version(notebook)).encode()


@pytest.fixture(scope="module")
def empty(notebook):
    return nbformat.writes(assignment.student_version(notebook)).encode()


def edited(submission, old, new):
    assert old in submission.decode()
    return submission.replace(old.encode(), new.encode())


@pytest.fixture(scope="module")
def grader(notebook):
    with Grader(notebook, jobs=1, limits=LIMITS) as grader:
        yield grader


@needs_jail
def test_the_solution_earns_all_and_the_empty_one_nothing(grader, solved, empty):
    result = grader.grade(solved, 1)
    assert (result.state, result.earned, result.points, result.notes) == ("graded", 10.0, 10.0, ())
    assert [judged.label for judged in result.checks][:2] == [
        "neuron-backward-check", "linear-backward-check"
    ]  # fmt: skip
    assert result.cpu > 0
    result = grader.grade(empty, 1)
    assert (result.state, result.earned) == ("graded", 0.0)
    assert all("is not written yet" in judged.steps[0].hint for judged in result.checks)


@needs_jail
def test_half_an_answer_earns_its_share_and_its_hint(grader, solved):
    half = edited(solved, "g.sum(axis=0)", "g.sum(axis=1)")
    result = grader.grade(half, 1)
    linear = result.checks[1]
    assert (linear.label, linear.earned) == ("linear-backward-check", 1.6)
    assert "adds up over the classes" in linear.steps[2].hint
    assert result.checks[3].earned < 2.0, "the two layers stand on the wrong one"
    assert pickle.loads(pickle.dumps(result)) == result
    with pytest.raises(dataclasses.FrozenInstanceError):
        result.state = "graded"


@needs_jail
def test_an_endless_answer_costs_its_own_exercise_alone(grader, solved):
    endless = edited(solved, "s = 1 / (1 + np.exp", "while True: pass\\n    s = 1 / (1 + np.exp")
    result = grader.grade(endless, 1)
    assert (result.state, result.earned) == ("timed out", 8.5)
    assert "no answer within 2 seconds" in result.checks[0].steps[0].hint


@needs_jail
def test_output_is_kept_to_its_end_and_clean(grader, solved):
    noisy = edited(
        solved, "rows = np.arange", "print('\\\\x1b[31mred' * 10000, 'END')\\n    rows = np.arange"
    )
    result = grader.grade(noisy, 1)
    assert result.earned == 10.0
    assert result.output.rstrip().endswith("END")
    assert len(result.output) <= 4010
    assert "\x1b" not in result.output


@needs_jail
def test_inputs_follow_from_the_seed_and_from_what_was_handed_in(grader, empty):
    nosy = edited(empty, "# YOUR CODE HERE", "raise ValueError(repr(locals()))")
    same = edited(empty, "# YOUR CODE HERE", "raise ValueError( repr(locals()))")
    hint = lambda submission, seed: grader.grade(submission, seed).checks[0].steps[0].hint
    assert hint(nosy, 1) == hint(nosy, 1)
    assert len({hint(nosy, 1), hint(nosy, 2), hint(same, 1)}) == 3
    assert submission_seed(1, b"x") != submission_seed(1, b"y")
    assert str(submission_seed(1, nosy)) not in repr(grader.grade(nosy, 1))


@needs_jail
def test_a_slot_that_dies_is_replaced_and_its_submission_goes_to_a_person(notebook, solved):
    with Grader(notebook, jobs=1, limits=LIMITS) as grader:
        results = grader.grade_many(iter([("a", solved), ("b", solved)]), 1)
        # It is killed as soon as it has its work.
        slot = grader._slots[0]
        begin = slot.begin

        def begin_and_die(submission, seed):
            begin(submission, seed)
            os.kill(slot.process.pid, signal.SIGKILL)
            slot.begin = begin

        slot.begin = begin_and_die
        graded = dict(results)
    assert (graded["a"].state, graded["a"].earned) == ("needs review", 0.0)
    assert "the judge's own process ended" in graded["a"].notes[0]
    assert graded["b"].earned == 10.0


@needs_jail
def test_no_more_are_read_than_can_be_worked_on(notebook, empty):
    read = []

    def submissions():
        for n in range(6):
            yield n, lambda n=n: read.append(n) or empty

    with Grader(notebook, jobs=2, limits=LIMITS) as grader:
        for done, _ in enumerate(grader.grade_many(submissions(), 1)):
            assert len(read) <= done + 2
    assert sorted(read) == list(range(6))


@needs_jail
def test_who_stops_listening_gets_no_stale_results(notebook, solved, empty):
    with Grader(notebook, jobs=1, limits=LIMITS) as grader:
        results = grader.grade_many(((n, empty) for n in range(5)), 1)
        next(results)
        results.close()
        assert grader.grade(solved, 1).earned == 10.0


@needs_jail
def test_a_students_module_in_the_current_folder_is_not_imported(
    notebook, solved, tmp_path, monkeypatch
):
    for name in ("msgpack", "numpy", "json", "select", "dlcourse"):
        (tmp_path / f"{name}.py").write_text(f"open({str(tmp_path / 'evil')!r}, 'w')")
    monkeypatch.chdir(tmp_path)
    with Grader(notebook, jobs=1, limits=LIMITS) as grader:
        assert grader.grade(solved, 1).earned == 10.0
    assert not (tmp_path / "evil").exists()


@needs_jail
def test_a_jail_that_fails_halfway_sends_the_submission_to_a_person(notebook, solved, monkeypatch):
    from dlcourse.grading import slot

    monkeypatch.setattr(slot.time, "sleep", lambda seconds: None)
    plan = Plan.of(notebook)
    with jail.Warden(LEVELS[0], limits=LIMITS) as warden:

        def fails():
            raise jail.JailError("no more processes")

        monkeypatch.setattr(warden, "_warm_up", fails)
        result = slot._again(plan, grade.judges_names(plan), warden, solved, 1)
    assert (result.state, result.earned, result.points) == ("needs review", 0.0, 10.0)
    assert result.notes == ("the jail failed: no more processes",)


@needs_jail
def test_a_grader_outside_of_its_block_says_so(notebook, solved):
    with pytest.raises(RuntimeError, match="with Grader"):
        Grader(notebook, jobs=1).grade(solved, 1)


# --- what a check may ask for ---------------------------------------------------------------------


@pytest.fixture
def own_checks():
    """A module of checks made for this test: one that offers large inputs, one with a fault."""
    module = types.ModuleType("dlcourse.checks.own")

    @check(points=1.0)
    def total(steps, total, *, seed=0, large=False):
        x = np.random.default_rng(seed).normal(size=1000 if large else 3)
        answer = call(total, x=x, returns=("sum",))
        with steps("the sum", 1.0):
            compare("sum", answer["sum"], x.sum())

    @check(points=1.0)
    def faulty(steps, total, *, seed=0):
        with steps("never", 1.0):
            raise KeyError("oops")

    module.total, module.faulty = total, faulty
    return module


@needs_jail
def test_large_inputs_and_a_fault_in_a_check(own_checks, monkeypatch):
    plan = Plan(
        (), (grade.Check("total-check", 1.0, "check.total(total, explain=0)", ("total",)),
             grade.Check("faulty-check", 1.0, "check.faulty(total)", ("total",))),
        {"total": ("total",)}, {"total": 0}, "", {"total": ""}, ("numpy",),
    )  # fmt: skip
    monkeypatch.setattr(
        grade, "rebuild",
        lambda plan, submission: types.SimpleNamespace(
            cells=(Cell("total", submission.decode(), ANSWER),), notes=(), review=False
        ),
    )  # fmt: skip
    given = {"check": own_checks}
    with jail.Warden(LEVELS[0], limits=LIMITS) as warden:
        run = lambda text: grade.grade_one(plan, given, warden, text.encode(), 1)
        result = run("def total(x):\n    return x.sum() if len(x) == 1000 else 0.0")
        assert result.checks[0].earned == 1.0, "grading asks for the large inputs"
        assert result.state == "needs review"
        assert "fault in the check" in result.checks[1].steps[0].hint
        (step,) = run("def total(x):\n    return 0.0").checks[0].steps
        assert (step.state, step.hint) == ("not yet", ""), "its cell asks for no hints"
    assert own_checks.total(np.sum) == 1.0
    assert own_checks.total(np.sum, large=True) == 1.0
    with pytest.raises(TypeError, match="large"):
        own_checks.faulty(np.sum, large=True)


# --- from a file to cells -------------------------------------------------------------------------


def test_only_answers_are_taken_from_a_submission(notebook, solved):
    plan = Plan.of(notebook)
    rebuilt = rebuild(plan, solved)
    kinds = [(cell.label, cell.kind) for cell in rebuilt.cells]
    assert kinds[:2] == [("set-up", GIVEN), ("neuron-backward", ANSWER)]
    assert [label for label, kind in kinds if kind == ANSWER] == list(plan.answers)
    assert not any("check." in cell.source for cell in rebuilt.cells)
    assert rebuilt.notes == ()
    assert plan.modules[0] == "numpy"


def test_own_cells_come_before_the_answer_that_follows_them(notebook, solved):
    handed = json.loads(solved)
    own = lambda source: {"cell_type": "code", "metadata": {}, "source": source}
    place = next(n for n, c in enumerate(handed["cells"]) if c["id"] == "cross-entropy")
    handed["cells"].insert(place, own("helper = 1"))
    handed["cells"].append(own("last = 1"))
    cells = rebuild(Plan.of(notebook), json.dumps(handed).encode()).cells
    labels = [cell.source if cell.kind == EXTRA else cell.label for cell in cells]
    assert labels.index("helper = 1") == labels.index("cross-entropy") - 1
    assert labels[-1] == "last = 1"


def test_an_unreadable_file_says_what_it_is(notebook):
    with pytest.raises(Unreadable, match="it is an archive, not a notebook"):
        rebuild(Plan.of(notebook), b"PK\x03\x04")
    with pytest.raises(Unreadable, match="it is JSON, but a list and not a notebook"):
        rebuild(Plan.of(notebook), b"[]")


# --- the command line -----------------------------------------------------------------------------


@needs_jail
def test_a_folder_is_graded_into_a_table(tmp_path, solved, empty, capsys):
    folder = tmp_path / "submissions"
    folder.mkdir()
    (folder / "ada.ipynb").write_bytes(solved)
    (folder / "=cmd.ipynb").write_bytes(empty)
    (folder / "broken.ipynb").write_bytes(b"{")
    (folder / "notes.txt").write_text("not graded")
    (folder / "link.ipynb").symlink_to(folder / "ada.ipynb")
    os.mkfifo(folder / "pipe.ipynb")
    out = tmp_path / "out"
    words = ["grade", str(MANUSCRIPT), str(folder), "--out", str(out), "--jobs", "1"]
    assert cli.main(words) == 0
    with open(out / "grades.csv", encoding="utf-8", newline="") as file:
        rows = {row["file"]: row for row in csv.DictReader(file)}
    assert set(rows) == {"ada.ipynb", "'=cmd.ipynb", "broken.ipynb", "link.ipynb", "pipe.ipynb"}
    assert (rows["ada.ipynb"]["state"], rows["ada.ipynb"]["points"]) == ("graded", "10")
    assert rows["ada.ipynb"]["cross-entropy-check"] == "2.5"
    assert rows["broken.ipynb"]["state"] == "unreadable"
    assert "not JSON" in rows["broken.ipynb"]["notes"]
    for name, reason in (("link", "a link"), ("pipe", "no ordinary file")):
        assert (rows[f"{name}.ipynb"]["state"], rows[f"{name}.ipynb"]["points"]) == (
            "unreadable", ""
        )  # fmt: skip
        assert reason in rows[f"{name}.ipynb"]["notes"]
    told = capsys.readouterr()
    assert f"Jail level {LEVELS[0]}" in told.out
    assert "5/5" in told.err


def test_level_4_is_refused_unless_it_is_typed(tmp_path, solved, capsys):
    (tmp_path / "ada.ipynb").write_bytes(solved)
    words = ["grade", str(MANUSCRIPT), str(tmp_path), "--out", str(tmp_path), "--level", "4"]
    assert cli.main(words) == 1
    assert "--no-jail" in capsys.readouterr().err


@pytest.mark.slow
def test_level_4_grades_when_it_is_typed(notebook, solved):
    with Grader(notebook, level=4, no_jail=True, jobs=1, limits=LIMITS) as grader:
        assert grader.grade(solved, 1).earned == 10.0


def test_a_folder_without_notebooks_is_told(tmp_path, capsys):
    assert cli.main(["grade", str(MANUSCRIPT), str(tmp_path), "--out", str(tmp_path)]) == 1
    assert "holds no notebook" in capsys.readouterr().err


@needs_jail
def test_doctor_reports_and_its_status_says_whether_all_is_well(capsys):
    assert cli.main(["doctor"]) == 0
    told = capsys.readouterr().out
    assert f"From inside a jailed notebook at level {LEVELS[0]}:" in told
    assert "BAD" not in told
    for line in ("network", "capabilities", "seccomp", "visible processes", "limits"):
        assert line in told


def test_doctor_without_a_jail_fails(monkeypatch, capsys):
    monkeypatch.setattr(jail, "obstacle", lambda level: "not here")
    assert cli.main(["doctor"]) == 1
    assert "do not grade strangers' notebooks" in capsys.readouterr().out

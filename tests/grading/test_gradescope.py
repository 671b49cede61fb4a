"""The archive for Gradescope, unpacked and run here as it would be there."""

import json
import os
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import nbformat
import pytest

from dlcourse import cli
from dlcourse.grading import assignment, bundle, gradescope, jail
from dlcourse.grading.grade import Grader

ROOT = Path(__file__).parents[2]
MANUSCRIPT = ROOT / "book" / "exercises" / "07-backpropagation.md"
LEVELS = [level for level in jail.BEST if not jail.obstacle(level)]
needs_jail = pytest.mark.skipif(not LEVELS, reason=f"no jail here: {jail.obstacle(1)}")


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    path = tmp_path_factory.mktemp("made") / "autograder.zip"
    words = ["gradescope", str(MANUSCRIPT), "--out", str(path), "--seed", "5"]
    assert cli.main(words) == 0
    return path


@pytest.fixture
def autograder(archive, tmp_path):
    """The folder that Gradescope makes."""
    for name in ("source", "submission", "results"):
        (tmp_path / name).mkdir()
    with zipfile.ZipFile(archive) as opened:
        opened.extractall(tmp_path / "source")
    return tmp_path


def work(kind):
    notebook = assignment.read(MANUSCRIPT)
    made = assignment.student_version if kind == "empty" else assignment.solution_version
    text = nbformat.writes(made(notebook))
    return text.replace("g.sum(axis=0)", "g.sum(axis=1)") if kind == "half" else text


def run(autograder):
    """What run_autograder starts, with this Python, and from the archive's own library."""
    packages = [path for path in sys.path if path.endswith("-packages")]
    return subprocess.run(
        [sys.executable, "-P", "-m", "dlcourse.grading.gradescope", str(autograder)],
        cwd=autograder / "source",
        env=os.environ
        | {"PYTHONPATH": os.pathsep.join([str(autograder / "source"), *packages])},
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip


def checked(autograder):
    """The results, once they keep to Gradescope's schema."""
    told = json.loads((autograder / "results" / "results.json").read_text())
    numbers = (int, float)
    assert isinstance(told["score"], numbers)
    assert isinstance(told["execution_time"], int)
    assert isinstance(told["output"], str)
    assert told["visibility"] in ("hidden", "after_due_date", "after_published", "visible")
    assert told["stdout_visibility"] == "hidden"
    assert told["output_format"] == "text"
    for test in told["tests"]:
        assert set(test) == {"name", "number", "score", "max_score", "status", "output",
                             "output_format", "visibility"}  # fmt: skip
        assert isinstance(test["score"], numbers)
        assert 0 <= test["score"] <= test["max_score"]
        assert test["status"] in ("passed", "failed")
        assert isinstance(test["name"], str)
        assert isinstance(test["output"], str)
        assert test["output_format"] == "text"
        assert test["visibility"] == "visible"
    return told


@needs_jail
@pytest.mark.slow
def test_a_right_a_half_and_an_empty_notebook(autograder):
    scores = {}
    for kind in ("right", "half", "empty"):
        (autograder / "submission" / "hw.ipynb").write_text(work(kind))
        ended = run(autograder)
        assert ended.returncode == 0, ended.stderr
        told = checked(autograder)
        scores[kind] = told["score"]
        assert told["score"] == pytest.approx(sum(t["score"] for t in told["tests"]))
        assert sum(t["max_score"] for t in told["tests"]) == pytest.approx(10)
        if kind == "half":
            hints = [t["output"] for t in told["tests"] if t["status"] == "failed"]
            assert any("adds up over the classes" in hint for hint in hints)
    with Grader(MANUSCRIPT, jobs=1) as grader:
        assert scores["half"] == grader.grade(work("half").encode(), 5).earned
    assert (scores["right"], scores["empty"]) == (10, 0)
    assert 0 < scores["half"] < 10


@needs_jail
def test_no_notebook_is_told_and_scores_nothing(autograder):
    (autograder / "submission" / "essay.txt").write_text("text")
    assert run(autograder).returncode == 0
    told = checked(autograder)
    assert told["score"] == 0
    assert "unreadable" in told["output"]
    assert "no notebook (.ipynb) was handed in" in told["output"]


@needs_jail
def test_several_notebooks_follow_the_rule(autograder):
    (autograder / "submission" / "07-backpropagation.ipynb").write_text(work("right"))
    (autograder / "submission" / "zz.ipynb").write_text(work("empty"))
    assert run(autograder).returncode == 0
    told = checked(autograder)
    assert told["score"] == 10
    assert "zz.ipynb: not the latest" in told["output"]


def test_without_a_jail_there_is_no_result_rather_than_a_zero(autograder, monkeypatch, capsys):
    def none(level=None, *, no_jail=False):
        if level == 4 and no_jail:
            return 4
        raise jail.JailError("there is no jail on this machine")

    monkeypatch.setattr(jail, "choose", none)
    (autograder / "submission" / "hw.ipynb").write_text(work("right"))
    assert gradescope.main([str(autograder)]) == 1
    assert "Nothing was graded: there is no jail" in capsys.readouterr().err
    assert not (autograder / "results" / "results.json").exists()
    # Unless that was said when the archive was made.
    gradescope.make(MANUSCRIPT, autograder / "open.zip", no_jail=True)
    with zipfile.ZipFile(autograder / "open.zip") as opened:
        opened.extract("settings.json", autograder / "source")
    assert gradescope.main([str(autograder)]) == 0
    assert checked(autograder)["score"] == 10


def test_the_archive_holds_what_gradescope_asks_for(archive):
    with zipfile.ZipFile(archive) as opened:
        names = opened.namelist()
        for name in ("setup.sh", "run_autograder"):
            assert (opened.getinfo(name).external_attr >> 16) & 0o111
            text = opened.read(name)
            assert text.startswith(b"#!/usr/bin/env bash\n")
            assert b"\r" not in text
            checked = subprocess.run(["bash", "-n"], input=text, capture_output=True)
            assert checked.returncode == 0, checked.stderr
        assert json.loads(opened.read("settings.json"))["seed"] == 5
    assert "07-backpropagation.md" in names
    assert "dlcourse/grading/gradescope.py" in names
    assert not [name for name in names if name.startswith(("tests", "book", "/"))]


def test_its_packages_have_the_bounds_of_the_project():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    known = {*project["dependencies"], *project["optional-dependencies"]["grading"],
             *project["optional-dependencies"]["torch"]}  # fmt: skip
    assert set(bundle.REQUIRES) <= known

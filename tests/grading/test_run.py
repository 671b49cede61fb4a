"""A class is graded once: runs that are killed go on, and nothing is lost or doubled."""

import contextlib
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import small_class
from small_class import LIMITS, NAME, ROOT, lay

from dlcourse import cli
from dlcourse.grading import jail, run, store, submissions
from dlcourse.grading.grade import Grader, Result, not_judged
from dlcourse.grading.rebuild import Plan
from dlcourse.grading.store import Key, Store, StoreError

LEVELS = [level for level in jail.BEST if not jail.obstacle(level)]
needs_jail = pytest.mark.skipif(not LEVELS, reason=f"no jail here: {jail.obstacle(1)}")
SEED = 11


@pytest.fixture(scope="module")
def notebook():
    return small_class.notebook()


def grades(out):
    """Student -> everything of the grade that must not depend on the run; fails on doubles."""
    with contextlib.closing(sqlite3.connect(out / run.FILE)) as database:
        rows = database.execute(
            "SELECT student, submission, assignment, seed, state, points, possible, steps, notes "
            "FROM grades WHERE again = 0"
        ).fetchall()
    found = {row[0]: row[1:] for row in rows}
    assert len(found) == len(rows), "a grade is doubled"
    return found


def count(out):
    with contextlib.closing(sqlite3.connect(out / run.FILE)) as database:
        return database.execute("SELECT count(*) FROM grades").fetchone()[0]


def grade(notebook, folder, out, **options):
    options = {"jobs": 1, "seed": SEED, "limits": LIMITS, "progress": False} | options
    return run.grade_class(notebook, folder, out, name=NAME, **options)


@needs_jail
def test_what_is_graded_is_not_graded_again(notebook, tmp_path, monkeypatch):
    folder, out = lay(tmp_path / "class", 7), tmp_path / "out"
    assert grade(notebook, folder, out) == 0
    first = grades(out)
    assert [row[3] for _, row in sorted(first.items())] == [
        "graded", "graded", "graded", "died", "graded", "graded", "unreadable"
    ]  # fmt: skip
    table = (out / "grades.csv").read_text()

    worked = []
    begin = Grader.grade_many

    def counted(self, work, seed):
        return begin(self, (worked.append(key) or (key, data) for key, data in work), seed)

    monkeypatch.setattr(Grader, "grade_many", counted)
    assert grade(notebook, folder, out) == 0
    assert grade(notebook, folder, out, resume=True, seed=None) == 0
    assert not worked
    assert (grades(out), count(out), (out / "grades.csv").read_text()) == (first, 7, table)

    # A resubmission: the new one counts, the old grade stays.
    (folder / "student-0005.ipynb").write_bytes((folder / "student-0000.ipynb").read_bytes())
    assert grade(notebook, folder, out, resume=True) == 0
    assert len(worked) == 1
    assert count(out) == 8
    (row,) = [x for x in (out / "grades.csv").read_text().splitlines() if "student-0005" in x]
    assert ",graded,1.5,1.5," in row
    # And back again: it was graded before.
    (folder / "student-0005.ipynb").write_bytes(small_class.handed(7)["student-0005"])
    assert grade(notebook, folder, out) == 0
    assert (count(out), (out / "grades.csv").read_text()) == (8, table)

    with pytest.raises(ValueError, match="the seed changed"):
        grade(notebook, folder, out, resume=True, seed=SEED + 1)
    assert grade(notebook, folder, out, seed=SEED + 1) == 0
    assert count(out) == 15


@needs_jail
def test_grading_twice_gives_the_same(notebook, tmp_path):
    folder = lay(tmp_path / "class", 14)
    for out in ("a", "b"):
        assert grade(notebook, folder, tmp_path / out, jobs=2 if out == "b" else 1) == 0
    assert grades(tmp_path / "a") == grades(tmp_path / "b")
    tables = [(tmp_path / out / "grades_canvas.csv").read_text() for out in ("a", "b")]
    assert tables[0] == tables[1]


def children(process: int) -> list[int]:
    try:
        return list(map(int, Path(f"/proc/{process}/task/{process}/children").read_text().split()))
    except OSError:
        return []


def disturbed(folder, out, seed, kills, most):
    """Grade with kill -9 of slots and supervisors in turn, each after 1 to `most` more grades."""
    chance = random.Random(seed)
    command = [sys.executable, str(Path(small_class.__file__)), str(folder), str(out), str(SEED)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}
    killed = {"slot": 0, "supervisor": 0}
    while True:
        process = subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        told, left = [], chance.randint(1, most)
        try:
            for line in process.stdout:
                told.append(line)
                left -= line == "kept\n"
                if left or sum(killed.values()) == kills:
                    continue
                left = chance.randint(1, most)
                time.sleep(chance.uniform(0, 0.03))  # anywhere between two grades
                if killed["slot"] > killed["supervisor"]:
                    process.kill()
                    killed["supervisor"] += 1
                    break
                if slots := children(process.pid):
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(chance.choice(slots), signal.SIGKILL)
                        killed["slot"] += 1
            process.wait(60)
        finally:
            process.kill()
            process.wait()
            process.stdout.close()
        if process.returncode != -signal.SIGKILL:
            assert process.returncode == 0, "".join(told)
            return killed


@needs_jail
@pytest.mark.slow
def test_kill_9_loses_and_doubles_nothing(notebook, tmp_path):
    folder = lay(tmp_path / "class", 120)
    assert grade(notebook, folder, tmp_path / "calm", jobs=2) == 0
    killed = disturbed(folder, tmp_path / "wild", seed=5, kills=8, most=12)
    assert min(killed.values()) >= 2
    calm, wild = grades(tmp_path / "calm"), grades(tmp_path / "wild")
    assert len(calm) == 120
    assert wild == calm
    assert count(tmp_path / "wild") == 120, "a killed slot is made good in the same run"
    assert not [p for p in (tmp_path / "wild").rglob("*") if p.suffix == ".part"]


@needs_jail
def test_a_judge_that_is_killed_is_tried_again(notebook, tmp_path, monkeypatch):
    folder, out = lay(tmp_path / "class", 2), tmp_path / "out"
    real, fails = Grader.grade_many, [2]

    def failing(self, work, seed):
        for key, result in real(self, work, seed):
            if key.submission.student == "student-0000" and fails[0]:
                fails[0] -= 1
                result = not_judged(self.plan, "the judge's own process ended")
            yield key, result

    monkeypatch.setattr(Grader, "grade_many", failing)
    assert grade(notebook, folder, out) == 0
    assert grades(out)["student-0000"][3:5] == ("graded", 1.5)
    assert count(out) == 2
    # Where it fails each time, a person looks at it, and the next run tries again.
    fails[0] = run.TRIES
    assert grade(notebook, folder, out, seed=SEED + 1) == 0
    assert count(out) == 4
    row = (out / "grades.csv").read_text().splitlines()[1]
    assert row.startswith("student-0000,student-0000,needs review,,1.5,"), "no silent zero"
    assert grade(notebook, folder, out, seed=SEED + 1) == 0
    assert ",graded,1.5," in (out / "grades.csv").read_text().splitlines()[1]


@needs_jail
def test_a_full_disk_stops_clearly_and_can_be_resumed(notebook, tmp_path):
    folder = lay(tmp_path / "class", 40)
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=160k", "tmpfs", str(disk)]
    if os.getuid() != 0 or subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("no small disk can be made here")
    try:
        with pytest.raises(OSError, match=r"disk is full|disk I/O|No space left") as told:
            grade(notebook, folder, disk / "out", jobs=2)
        assert "run the same command again" in str(told.value)
        subprocess.run(["mount", "-o", "remount,size=8m", str(disk)], check=True)
        kept = count(disk / "out")
        assert 0 < kept < 40
        assert grade(notebook, folder, disk / "out", jobs=2, resume=True) == 0
        assert len(grades(disk / "out")) == count(disk / "out") == 40
        assert grade(notebook, folder, tmp_path / "calm", jobs=2) == 0
        assert grades(disk / "out") == grades(tmp_path / "calm")
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_a_store_without_room_says_what_to_do(tmp_path):
    with Store(tmp_path / "grades.sqlite") as grades:
        pages = grades.database.execute("PRAGMA page_count").fetchone()[0]
        grades.database.execute(f"PRAGMA max_page_count = {pages + 2}")
        key = Key("a", "e", 1)
        number = grades.begin(key, {}, 1)
        names = iter(f"student-{n}" for n in range(1000))
        add = lambda name: grades.add(number, key, name, "x", "s", Result("graded"))
        with pytest.raises(StoreError, match=r"full.*Make room.*same command again"):
            any(add(name) is None for name in names)
        n = int(next(names).split("-")[1]) - 1
        assert n > 10
        assert grades.find(f"student-{n - 1}", "s", key)
        assert grades.find(f"student-{n}", "s", key) is None


def test_rows_are_only_added_and_once(tmp_path):
    with Store(tmp_path / "grades.sqlite") as grades:
        key = Key("a", "e", 1)
        number = grades.begin(key, {"numpy": "2"}, 1)
        result = Result("graded", (), ("note",), 1.5, 0.5, "out \ud800")
        at = grades.add(number, key, "student-01", "x\udcff", "s", result)
        assert grades.result(at).notes == ("note",)
        assert grades.find("student-01", "s", key) == at
        for other in (Key("b", "e", 1), Key("a", "f", 1), Key("a", "e", 2)):
            assert grades.find("student-01", "s", other) is None
        with pytest.raises(sqlite3.IntegrityError):
            grades.add(number, key, "student-01", "x", "s", result)
        for words in ("UPDATE grades SET points = 9", "DELETE FROM grades", "DELETE FROM runs"):
            with pytest.raises(sqlite3.IntegrityError, match="only added"):
                grades.database.execute(words)
        with pytest.raises(StoreError, match="another `dlcourse grade`"):
            Store(tmp_path / "grades.sqlite")


def test_hashes_tell_what_a_grade_depends_on(notebook):
    plan = Plan.of(notebook)
    changed = small_class.notebook()
    changed.cells[0].source += " "
    assert store.assignment_hash(notebook, plan) == store.assignment_hash(notebook, plan)
    assert store.assignment_hash(changed, plan) != store.assignment_hash(notebook, plan)
    about = store.versions(plan, LIMITS)
    assert {"python", "numpy", "dlcourse", "limits"} <= set(about)
    assert about != store.versions(plan, jail.DEFAULT)


@needs_jail
def test_a_watched_folder_is_graded_as_it_fills(notebook, tmp_path, monkeypatch):
    monkeypatch.setattr(run, "POLL", 0.1)
    folder, out = tmp_path / "class", tmp_path / "out"
    folder.mkdir()
    rounds, work = [], small_class.handed(3)

    def drop(name):
        (folder / f"{name}.ipynb").write_bytes(work[name])

    def graded(pairs):
        rounds.append({s.student: r.earned for s, r in pairs})
        if len(rounds) == 1:
            threading.Timer(0.05, drop, ["student-0000"]).start()
        if len(rounds) == 2:
            work["student-0000"] = work["student-0001"]
            threading.Timer(0.05, drop, ["student-0000"]).start()
        if len(rounds) == 3:
            signal.raise_signal(signal.SIGINT)

    begin = time.monotonic()
    assert grade(notebook, folder, out, watch=600.0, graded=graded) == 0
    assert time.monotonic() - begin < 500, "Ctrl-C ends it"
    assert rounds[:2] == [{}, {"student-0000": 1.5}]
    assert rounds[2]["student-0000"] < 1.5
    assert count(out) == 2
    # Bounded: it ends by itself, too.
    rounds[:] = [None] * 9
    assert grade(notebook, folder, out, watch=0.5, graded=graded) == 0
    assert count(out) == 2


@needs_jail
def test_a_file_that_cannot_be_read_is_no_zero(notebook, tmp_path, monkeypatch):
    folder, out = lay(tmp_path / "class", 2), tmp_path / "out"
    real = submissions._read_file

    def fails(path):
        if path.name == "student-0001.ipynb":
            raise OSError(5, "Input/output error")
        return real(path)

    monkeypatch.setattr(submissions, "_read_file", fails)
    assert grade(notebook, folder, out) == 0
    assert "student-0001,student-0001,needs review,," in (out / "grades.csv").read_text()
    monkeypatch.undo()
    assert grade(notebook, folder, out) == 0
    assert "student-0001,student-0001,graded,0,1.5" in (out / "grades.csv").read_text()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nothing"], "does not exist"),
        (["file.txt"], "neither a folder nor a zip"),
        (["full", "--resume"], "holds no run to resume"),
        (["file.txt", "--watch", "1"], "is no folder; --watch"),
        (["full", "--level", "4"], "--no-jail"),
    ],
)
def test_wrong_calls_are_explained(tmp_path, capsys, words, message):
    (tmp_path / "file.txt").write_text("x")
    lay(tmp_path / "full", 1)
    words = [str(tmp_path / words[0]), *words[1:], "--out", str(tmp_path / "out")]
    assert cli.main(["grade", str(small_class.MANUSCRIPT), *words]) == 1
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@needs_jail
def test_names_do_not_reach_the_terminal_raw(notebook, tmp_path, capsys):
    folder = tmp_path / "class"
    for n in range(7):
        lay(folder / "student-\x1b[31m", 1)
        source = folder / "student-\x1b[31m" / "student-0000.ipynb"
        source.rename(source.with_name(f"x{n}.ipynb"))
    lay(folder, 1)
    assert grade(notebook, folder, tmp_path / "out") == 0
    told = capsys.readouterr()
    assert "holds 7 notebooks" in told.err
    assert "\x1b" not in told.err + told.out


@needs_jail
def test_a_file_that_is_no_store_is_told(tmp_path, capsys):
    lay(tmp_path / "class", 1)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / run.FILE).write_text("not a database, but some text" * 100)
    words = [str(small_class.MANUSCRIPT), str(tmp_path / "class"), "--out", str(tmp_path / "out")]
    assert cli.main(["grade", *words]) == 1
    assert "is this a file of grades?" in capsys.readouterr().err
    shutil.rmtree(tmp_path / "out")

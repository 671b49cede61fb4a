"""The grades of a class, in one SQLite file that only the supervisor writes.

Rows are added and never changed; the file itself refuses both. Each carries the hashes of what was
handed in, of the assignment and of the environment, and the seed of the run: so what was graded
once is known again, a run that is killed goes on where it was, and an old grade stays to be seen
after a resubmission.
"""

import contextlib
import hashlib
import importlib.metadata
import inspect
import json
import platform
import sqlite3
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import nbformat

from dlcourse.checks.framework import Step
from dlcourse.grading import jail
from dlcourse.grading.grade import Judged, Result, judges_names
from dlcourse.grading.rebuild import Plan

_TABLES = """
CREATE TABLE IF NOT EXISTS runs (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    began REAL NOT NULL,
    assignment TEXT NOT NULL,      -- SHA-256
    environment TEXT NOT NULL,     -- SHA-256 of the versions below
    versions TEXT NOT NULL,        -- JSON
    seed INTEGER NOT NULL,
    level INTEGER NOT NULL         -- of the jail
);
CREATE TABLE IF NOT EXISTS grades (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    run INTEGER NOT NULL REFERENCES runs(id),
    graded REAL NOT NULL,
    student TEXT NOT NULL,
    path TEXT NOT NULL,
    submission TEXT NOT NULL,      -- SHA-256
    assignment TEXT NOT NULL,
    environment TEXT NOT NULL,
    seed INTEGER NOT NULL,
    state TEXT NOT NULL,
    points REAL NOT NULL,
    possible REAL NOT NULL,
    steps TEXT NOT NULL,           -- JSON: checks with their steps and hints
    notes TEXT NOT NULL,           -- JSON
    seconds REAL NOT NULL,
    cpu REAL NOT NULL,
    output TEXT NOT NULL,
    again INTEGER NOT NULL         -- 1: our own side failed; a next run tries it anew
);
CREATE UNIQUE INDEX IF NOT EXISTS once
    ON grades (student, submission, assignment, environment, seed) WHERE again = 0;
"""
_TABLES += "".join(
    f"CREATE TRIGGER IF NOT EXISTS {table}_no_{act} BEFORE {act} ON {table} "
    "BEGIN SELECT RAISE(ABORT, 'rows are only added'); END;\n"
    for table in ("runs", "grades")
    for act in ("UPDATE", "DELETE")
)


class StoreError(OSError):
    """The file of the grades cannot be read or written; the text says what to do."""


@dataclass(frozen=True)
class Key:
    """What makes a grade the same grade: hashes of assignment and environment, and the seed."""

    assignment: str
    environment: str
    seed: int


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def assignment_hash(notebook, plan: Plan) -> str:
    """Of the assignment with its solutions, of the checks that it uses, and of its files."""
    digest = hashlib.sha256(nbformat.writes(notebook).encode())
    given = [value for value in judges_names(plan).values() if inspect.ismodule(value)]
    for module in sorted(given, key=lambda module: module.__name__):
        if module.__name__.startswith("dlcourse.checks.") and getattr(module, "__file__", None):
            digest.update(Path(module.__file__).read_bytes())
    for name, content in sorted(plan.files.items()):
        digest.update(f"{name}\0{sha256(content)}".encode())
    return digest.hexdigest()


def versions(plan: Plan, limits: jail.Limits) -> dict:
    """What else a grade depends on: Python, packages, this library's source, the limits."""
    digest = hashlib.sha256()
    package = Path(__file__).resolve().parents[1]
    for path in sorted(package.rglob("*.py")):
        digest.update(str(path.relative_to(package)).encode() + b"\0" + path.read_bytes())
    found = {"python": platform.python_version(), "dlcourse": digest.hexdigest()}
    for name in dict.fromkeys(["numpy", *(name.split(".")[0] for name in plan.modules)]):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            if name not in found:
                found[name] = importlib.metadata.version(name)
    return {**found, "system": sys.platform, "limits": asdict(limits)}


class Store:
    """The file of the grades; one process at a time.

    Args:
        path: of the file; made if missing.

    Raises:
        StoreError: it cannot be used, or another process does.
    """

    def __init__(self, path: Path):
        self.path = path
        with self._told():
            self.database = sqlite3.connect(path, timeout=1.0, isolation_level=None)
            # The lock ends with the process, however that ends.
            self.database.execute("PRAGMA locking_mode = EXCLUSIVE")
            self.database.execute("PRAGMA journal_mode = WAL")
            self.database.execute("PRAGMA synchronous = NORMAL")
            self.database.executescript(f"BEGIN IMMEDIATE; {_TABLES} COMMIT;")

    def __enter__(self) -> "Store":
        return self

    def __exit__(self, *_) -> None:
        with contextlib.suppress(sqlite3.Error):
            self.database.close()

    def last_run(self) -> Key | None:
        """What the latest run graded with."""
        with self._told():
            row = self.database.execute(
                "SELECT assignment, environment, seed FROM runs ORDER BY id DESC LIMIT 1"
            ).fetchone()
        return Key(*row) if row else None

    def begin(self, key: Key, about: Mapping, level: int) -> int:
        """Note that a run begins; its number."""
        with self._told():
            return self.database.execute(
                "INSERT INTO runs (began, assignment, environment, versions, seed, level) "
                "VALUES (?, ?, ?, ?, ?, ?)",
                (time.time(), key.assignment, key.environment, json.dumps(about), key.seed, level),
            ).lastrowid

    def find(self, student: str, submission: str, key: Key) -> int | None:
        """The number of the grade for exactly this, or None."""
        with self._told():
            row = self.database.execute(
                "SELECT id FROM grades WHERE student = ? AND submission = ? AND assignment = ? "
                "AND environment = ? AND seed = ? AND again = 0",
                (student, submission, key.assignment, key.environment, key.seed),
            ).fetchone()
        return row[0] if row else None

    def add(
        self, run: int, key: Key, student: str, path: str, submission: str, result: Result
    ) -> int:
        """Add a grade; its number. It is kept once this returns."""
        steps = [
            [c.label, c.points, [[s.title, s.points, s.state, s.hint] for s in c.steps]]
            for c in result.checks
        ]
        values = (
            run, time.time(), _storable(student), _storable(path), submission, key.assignment,
            key.environment, key.seed, result.state, result.earned, result.points,
            json.dumps(steps), json.dumps(result.notes), result.seconds, result.cpu,
            _storable(result.output), int(result.ours),
        )  # fmt: skip
        marks = ", ".join("?" * len(values))
        with self._told():
            return self.database.execute(
                "INSERT INTO grades (run, graded, student, path, submission, assignment, "
                "environment, seed, state, points, possible, steps, notes, seconds, cpu, output, "
                f"again) VALUES ({marks})",
                values,
            ).lastrowid

    def result(self, number: int) -> Result:
        """The grade of this number."""
        with self._told():
            row = self.database.execute(
                "SELECT state, steps, notes, seconds, cpu, output, again FROM grades WHERE id = ?",
                (number,),
            ).fetchone()
        state, steps, notes, seconds, cpu, output, again = row
        checks = tuple(
            Judged(label, points, tuple(Step(*step) for step in steps))
            for label, points, steps in json.loads(steps)
        )
        return Result(state, checks, tuple(json.loads(notes)), seconds, cpu, output, bool(again))

    @contextlib.contextmanager
    def _told(self):
        try:
            yield
        except sqlite3.IntegrityError:
            raise
        except sqlite3.Error as error:
            raise StoreError(f"{self.path}: {error}{self._advice(str(error))}") from None

    def _advice(self, error: str) -> str:
        if "full" in error or "disk I/O" in error:
            return (
                "; grading has stopped, and all grades so far are kept. Make room, then run the "
                "same command again: it goes on from there"
            )
        if "locked" in error:
            return "; another `dlcourse grade` is at work in this folder"
        return "; is this a file of grades? Move it away, or choose another folder"


def _storable(text: str) -> str:
    """Text as SQLite takes it: names of files may hold halves of characters."""
    return text.encode("utf-8", "backslashreplace").decode()

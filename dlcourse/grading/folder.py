"""A folder of notebooks, graded: what `dlcourse grade` does."""

import csv
import os
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from dlcourse.grading import assignment, jail
from dlcourse.grading.grade import GRADED, Grader, Result
from dlcourse.grading.rebuild import MAX_BYTES


def notebooks(folder: Path) -> list[Path]:
    """The notebooks in a folder, in order of their names. A link is no notebook.

    Raises:
        ValueError: there is none.
    """
    if not folder.is_dir():
        raise NotADirectoryError(f"{folder} is not a folder; give the one with the notebooks")
    found = sorted(p for p in folder.glob("*.ipynb") if p.is_file() and not p.is_symlink())
    if not found:
        raise ValueError(f"{folder} holds no notebook (.ipynb)")
    return found


def read_capped(path: Path) -> bytes:
    """The bytes of a file, or of one that is too large the first beyond the limit."""
    file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with open(file, "rb") as opened:
        return opened.read(MAX_BYTES + 1)


def grade_folder(
    source: Path,
    folder: Path,
    out: Path,
    *,
    jobs: int | None = None,
    seed: int = 0,
    level: int | None = None,
    no_jail: bool = False,
) -> int:
    """Grade the notebooks of a folder and write ``out/grades.csv``; returns the exit status.

    Args:
        source: the assignment's manuscript.
        folder: of the notebooks.
        out: made if missing.
        jobs, level, no_jail: as for `Grader`.
        seed: of the run.
    """
    from tqdm import tqdm

    found = notebooks(folder)
    notebook = assignment.read(source)
    results: dict[str, Result] = {}
    with Grader(notebook, level=level, jobs=jobs, no_jail=no_jail) as grader:
        print(f"Jail level {grader.level}: {jail.NAMES[grader.level]}. Jobs: {grader.jobs}.")
        work = ((path.name, partial(read_capped, path)) for path in found)
        graded = tqdm(
            grader.grade_many(work, seed), total=len(found), unit="notebook", file=sys.stderr
        )
        for name, result in graded:
            results[name] = result
        labels = [check.label for check in grader.plan.checks]
    out.mkdir(parents=True, exist_ok=True)
    with open(out / "grades.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["file", "state", "points", "of", *labels, "notes"])
        writer.writerows(_rows(results))
    others = sum(result.state != GRADED for result in results.values())
    print(f"Wrote {out / 'grades.csv'}: {len(results)} notebooks, {others} to look at.")
    return 0


def _rows(results: dict[str, Result]) -> Iterator[list]:
    for name in sorted(results):
        result = results[name]
        points = [f"{check.earned:g}" for check in result.checks]
        notes = "; ".join(result.notes)
        row = [name, result.state, f"{result.earned:g}", f"{result.points:g}", *points, notes]
        yield [_plain(cell) for cell in row]


def _plain(cell: str) -> str:
    """A cell that a spreadsheet will not take for a formula: students choose names and messages."""
    return f"'{cell}" if cell.startswith(("=", "+", "-", "@", "\t", "\r")) else cell

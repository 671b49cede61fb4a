"""The same class graded by nbgrader and by us: ``python -m benchmarks.grading_nbgrader``.

A class of equal, right answers to one NumPy exercise, twice: with our check, and in the form in
which most courses made for nbgrader come, with assertions. Each tool runs as a program of its own,
once for one submission and once for the class, so that a row tells the whole class, start included,
and what one more submission costs: on the clock, and in processor time, which does not depend on
what else the machine does. nbgrader grades one at a time, and without a jail.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
import copy
import csv
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import nbformat

from benchmarks.grading import MANUSCRIPT, SEED, one_exercise
from dlcourse.grading import assignment, run

CHECK, ASSERTS = "check", "asserts"
FORMS = {CHECK: "with our check", ASSERTS: "with assertions"}
MANY = 20  # times the class, to see what one more costs a tool that takes milliseconds

_TEST = """\
assert np.allclose(neuron_backward(2.0, -1.0, 0.5, 1.0), (-0.125, -0.25, -0.5))
for w, b, x, t in np.random.default_rng(0).normal(size=(5, 4)):
    loss = lambda w, b, x: (1 / (1 + np.exp(-(w * x + b))) - t) ** 2
    for found, dw, db, dx in zip(neuron_backward(w, b, x, t), *1e-6 * np.eye(3)):
        slope = (loss(w + dw, b + db, x + dx) - loss(w - dw, b - db, x - dx)) / 2e-6
        assert np.isclose(found, slope, atol=1e-6)
"""


def source(form: str):
    """The instructor's notebook."""
    notebook = copy.deepcopy(one_exercise(assignment.read(MANUSCRIPT)))
    if form == ASSERTS:
        for cell in notebook.cells:
            cell.source = cell.source.replace("from dlcourse.checks import backpropagation", "")
            cell.source = cell.source.replace(" as check", "")
            if cell.metadata.get("nbgrader", {}).get("grade"):
                cell.source = _TEST
    return notebook


def lay_course(folder: Path, count: int) -> None:
    """A course folder of nbgrader with both forms, and `count` submissions of each."""
    for form in FORMS:
        notebook = source(form)
        answer = assignment.solution_version(notebook)
        places = [folder / "source" / form]
        places += [folder / "submitted" / f"student-{n:04}" / form for n in range(count)]
        for place in places:
            place.mkdir(parents=True)
            nbformat.write(notebook if place == places[0] else answer, place / f"{form}.ipynb")
    (folder / "nbgrader_config.py").write_text("c = get_config()\n")


class Cost(NamedTuple):
    """What a program took: seconds of the clock, and of processors, its children's included."""

    clock: float
    processor: float

    def each(self, other: "Cost", more: int) -> "Cost":
        """What one of so many more submissions adds to another cost."""
        return Cost(*((mine - its) / more for mine, its in zip(self, other, strict=True)))


def program(*words, folder: Path) -> Cost:
    """Run Python with some arguments."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    begin = Cost(time.perf_counter(), _processor())
    done = subprocess.run(
        [sys.executable, *words], cwd=folder, capture_output=True, text=True,
        env=os.environ | {"PATH": path, "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return Cost(time.perf_counter(), _processor()).each(begin, 1)


def _processor() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def nbgrader(form: str, count: int) -> Cost:
    """A class graded by nbgrader, all of which must get all points."""
    with tempfile.TemporaryDirectory() as folder:
        lay_course(Path(folder), count)
        program("-m", "nbgrader", "generate_assignment", form, folder=folder)
        taken = program("-m", "nbgrader", "autograde", form, folder=folder)
        program("-m", "nbgrader", "export", folder=folder)
        _all_right(Path(folder) / "grades.csv", "score", count, form)
        return taken


def ours(form: str, count: int, jobs: int) -> Cost:
    """The same with us."""
    with tempfile.TemporaryDirectory() as folder:
        lay_course(Path(folder), count)
        code = f"from benchmarks.grading_nbgrader import grade; grade({form!r}, {jobs})"
        taken = program("-c", code, folder=folder)
        _all_right(Path(folder) / "out" / "grades.csv", "points", count, form)
        return taken


def grade(form: str, jobs: int) -> None:
    """Grade the course in the current folder."""
    compat = form == ASSERTS
    run.grade_class(
        Path("source", form, f"{form}.ipynb") if compat else source(form),
        Path("submitted"), Path("out"), name=form, jobs=jobs, seed=SEED, compat=compat,
        progress=False,
    )  # fmt: skip


def _all_right(table: Path, column: str, count: int, form: str) -> None:
    with open(table, newline="") as file:
        rows = [row for row in csv.DictReader(file) if row.get("assignment") in (form, None)]
    assert [float(row[column]) for row in rows] == [1.5] * count, rows


def row(title: str, *figures: str) -> None:
    print(f"{title:36}" + "".join(f"{figure:>18}" for figure in figures), flush=True)


def figures(whole: Cost, more: Cost, count: int) -> list[str]:
    return [
        f"{whole.clock:.1f} s, {count / whole.clock:.2f}/s",
        f"{1e3 * more.clock:.0f} ms, {1 / more.clock:.1f}/s",
        f"{1e3 * more.processor:.0f} ms",
    ]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--count", type=int, default=30, help="submissions in a class")
    parser.add_argument("--jobs", type=int, default=2, help="of ours; also measured with one")
    options = parser.parse_args()
    count = options.count
    row("", f"a class of {count}", "one more costs", "of processor time")
    for form, words in FORMS.items():
        whole = nbgrader(form, count)
        more = whole.each(nbgrader(form, 1), count - 1)
        row(f"nbgrader, {words}", *figures(whole, more, count))
        for jobs in dict.fromkeys([1, options.jobs]):
            our_whole = ours(form, count, jobs)
            our_more = ours(form, MANY * count, jobs).each(our_whole, (MANY - 1) * count)
            row(f"ours, {words}, jobs {jobs}", *figures(our_whole, our_more, count))
            row(
                "  times less",
                f"{whole.clock / our_whole.clock:.1f}",
                *(f"{their / our:.0f}" for their, our in zip(more, our_more, strict=True)),
            )
    print("load of the machine (1, 5, 15 minutes):", *(f"{x:.1f}" for x in os.getloadavg()))


if __name__ == "__main__":
    main()

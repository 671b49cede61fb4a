"""Submissions graded in a second, and what each costs: ``python -m benchmarks.grading``.

Graded is a class of equal, right answers to one NumPy exercise: so little work that it is the jail
that is measured. The jail is the best one that works, proved from inside first. Beside the rate
stands the processor time of a submission, which does not depend on what else the machine does.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
import copy
import dataclasses
import resource
import time
from pathlib import Path

import nbformat

from dlcourse.grading import assignment, doctor, grade, jail

MANUSCRIPT = Path(__file__).parents[1] / "book" / "exercises" / "07-backpropagation.md"
SEED = 1


def one_exercise(notebook, name="neuron-backward"):
    """The assignment with one exercise alone."""
    short = copy.deepcopy(notebook)
    kept = {"set-up", name, f"{name}-check"}
    short.cells = [c for c in short.cells if c.cell_type != "code" or c.id in kept]
    return short


def processor_time() -> float:
    """Seconds that this process and its ended children have computed."""
    usages = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def measure(title, notebook, count, jobs, modules=()):
    """Grade the same right answer `count` times and print what it took."""
    submission = nbformat.writes(assignment.solution_version(notebook)).encode()
    grader = grade.Grader(notebook, jobs=jobs)
    grader.plan = dataclasses.replace(grader.plan, modules=(*grader.plan.modules, *modules))
    before = processor_time()
    with grader:
        # The first ones wait until everything is loaded.
        for _, result in grader.grade_many(((n, submission) for n in range(2 * jobs)), SEED):
            assert result.earned == grader.points, result
        in_jail, start = 0.0, time.perf_counter()
        for _, result in grader.grade_many(((n, submission) for n in range(count)), SEED):
            assert result.earned == grader.points, result
            in_jail += result.cpu
        seconds = time.perf_counter() - start
    total = processor_time() - before - start_up(grader, jobs)
    print(
        f"{title:34} {count / seconds:6.1f} /s at {jobs} jobs, jail level {grader.level};  "
        f"{1e3 * total / count:5.1f} ms of processor time each, "
        f"{1e3 * in_jail / count:.1f} of them the student's",
        flush=True,
    )


def start_up(grader, jobs) -> float:
    """Processor time that the same pool takes to start, to be taken off."""
    before = processor_time()
    empty = grade.Grader.__new__(grade.Grader)
    empty.__dict__.update(grader.__dict__)
    submission = nbformat.writes(nbformat.v4.new_notebook()).encode()
    with empty:
        for _ in empty.grade_many(((n, submission) for n in range(2 * jobs)), SEED):
            pass
    return processor_time() - before


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--count", type=int, default=1000, help="submissions in a class")
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    level = jail.choose()
    findings = doctor.examine(level)
    bad = [finding for finding in findings if not finding.good]
    print(f"jail level {level}: {len(findings) - len(bad)} of {len(findings)} findings are good")
    assert not bad, bad
    whole = assignment.read(MANUSCRIPT)
    trivial = one_exercise(whole)
    measure("one exercise, NumPy", trivial, options.count, options.jobs)
    measure("one exercise, PyTorch loaded", trivial, options.count, options.jobs, ["torch"])
    measure("all five exercises, NumPy", whole, options.count // 10, options.jobs)
    print("load of the machine (1, 5, 15 minutes):", *(f"{x:.1f}" for x in os.getloadavg()))


if __name__ == "__main__":
    main()

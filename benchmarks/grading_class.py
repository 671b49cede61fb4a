"""What a supervisor holds, and what kill -9 costs: ``python -m benchmarks.grading_class``.

First 50,000 tiny submissions are listed and some of them graded; what is measured is the memory of
the supervisor. Then a class of 500 is graded with and without kill -9 at random points, and the
grades compared.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
import resource
import sys
import tempfile
import time
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "tests" / "grading"))


def queue(folder: Path, count: int, graded: int) -> None:
    """List `count` submissions, grade the first ones, and go through all that is in the store."""
    import small_class

    from dlcourse.grading import grade, rebuild, report, run, store, submissions

    kinds = list(small_class.handed(7).values())
    for n in range(count):
        (folder / f"student{n:05}_{n}_{n}_small.ipynb").write_bytes(kinds[n % 7])
    begin = time.perf_counter()
    collection = submissions.collect(folder, "small")
    listed = time.perf_counter() - begin
    assert len(collection.submissions) == count
    notebook = small_class.notebook()
    plan = rebuild.Plan.of(notebook)
    out = folder.parent / "out"
    out.mkdir()
    with (
        store.Store(out / "grades.sqlite") as grades,
        grade.Grader(notebook, jobs=2, limits=small_class.LIMITS) as grader,
    ):
        key = store.Key("a", "e", 1)
        supervisor = run.Supervisor(grader, grades, key, grades.begin(key, {}, 1), progress=False)
        begin = time.perf_counter()
        numbers = supervisor.grade(collection.submissions[:graded])
        seconds = time.perf_counter() - begin
        # The others get a row without being judged, so that reports have the whole class.
        stand_in = grades.result(numbers[collection.submissions[0].student])
        for submission in collection.submissions[graded:]:
            numbers[submission.student] = grades.add(
                1, key, submission.student, submission.path, "s", stand_in
            )
        report.write(
            "small", plan,
            lambda: ((s, grades.result(numbers[s.student])) for s in collection.submissions), out,
        )  # fmt: skip
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{count} queued, {graded} of them graded, reports of all: the supervisor held at most "
        f"{most:.0f} MB; listed in {listed:.1f} s; {graded / seconds:.0f} graded /s",
        flush=True,
    )
    assert most <= 500


def kills(folder: Path, count: int, times: int) -> None:
    """Grade a class in peace and under kill -9; the grades must be the same."""
    import small_class
    import test_run

    small_class.lay(folder, count)
    begin = time.perf_counter()
    test_run.grade(small_class.notebook(), folder, folder.parent / "calm", jobs=2)
    calm_seconds = time.perf_counter() - begin
    begin = time.perf_counter()
    killed = test_run.disturbed(
        folder, folder.parent / "wild", seed=1, kills=times, most=count // times
    )
    seconds = time.perf_counter() - begin
    calm, wild = (test_run.grades(folder.parent / name) for name in ("calm", "wild"))
    assert len(calm) == count
    assert calm == wild
    print(
        f"{count} graded in {calm_seconds:.0f} s in peace, in {seconds:.0f} s with kill -9 of "
        f"{killed['supervisor']} supervisors and {killed['slot']} slots: the same grades, none "
        "lost or doubled"
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--queued", type=int, default=50_000)
    parser.add_argument("--graded", type=int, default=200)
    parser.add_argument("--count", type=int, default=500, help="submissions of the killed class")
    parser.add_argument("--kills", type=int, default=12)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for name in ("queue", "class"):
            (Path(folder) / name / "class").mkdir(parents=True)
        queue(Path(folder) / "queue" / "class", options.queued, options.graded)
        kills(Path(folder) / "class" / "class", options.count, options.kills)


if __name__ == "__main__":
    main()

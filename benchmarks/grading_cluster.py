"""What a cluster costs a submission: ``python -m benchmarks.grading_cluster``.

A class of trivial submissions is graded in turns by a pool of two slots, and by a Dask cluster of
two workers with one slot each, all on this machine. Then one worker is killed in mid-run. Beside
the rates stands the processor time of everything that takes part, which depends less on what else
the machine does. What Dask's processes compute while they have nothing to do is measured, too: on a
slow machine it falls on few submissions.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import nbformat

from benchmarks.grading import MANUSCRIPT, SEED, one_exercise
from dlcourse.grading import assignment, grade

IDLE = 10.0  # seconds in which Dask's processes are watched doing nothing
TICK = os.sysconf("SC_CLK_TCK")


def processor_time(process: int) -> float:
    """Seconds that a process and all below it have computed, the ended ones among them."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()
        tasks = list(Path(f"/proc/{process}/task").glob("*/children"))
        children = {int(child) for task in tasks for child in task.read_text().split()}
    except OSError:
        return 0.0
    return sum(map(int, fields[11:15])) / TICK + sum(map(processor_time, children))


class LocalMachines:
    """A scheduler and workers of one thread each, as processes on this machine."""

    def __init__(self, folder: Path, workers: int):
        self.folder, self.processes = folder, []
        contact = folder / "scheduler.json"
        self._start("dask_scheduler", "--port", "0", "--scheduler-file", str(contact))
        while not (contact.exists() and contact.read_text().rstrip().endswith("}")):
            time.sleep(0.05)
        self.address = json.loads(contact.read_text())["address"]
        for _ in range(workers):
            self._start(
                "dask_worker", self.address, "--nthreads", "1", "--no-nanny",
                "--local-directory", str(folder),
            )  # fmt: skip

    def _start(self, program: str, *words: str) -> None:
        command = [sys.executable, "-m", f"distributed.cli.{program}"]
        command += ["--host", "127.0.0.1", "--no-dashboard", *words]
        quiet = subprocess.DEVNULL
        self.processes.append(subprocess.Popen(command, stdout=quiet, stderr=quiet))

    def processor_time(self) -> float:
        return sum(processor_time(process.pid) for process in self.processes)

    def __enter__(self) -> "LocalMachines":
        return self

    def __exit__(self, *_) -> None:
        for process in self.processes:
            process.kill()
            process.wait()


def graded(grader, submission: bytes, count: int, at_half=lambda: None) -> int:
    """Grade the same right answer `count` times; how many came back, each once and right."""
    keys = set()
    for key, result in grader.grade_many(((n, submission) for n in range(count)), SEED):
        assert result.earned == grader.points, result
        assert key not in keys
        keys.add(key)
        if len(keys) == count // 2:
            at_half()
    return len(keys)


def measure(title: str, grader, machines: LocalMachines, submission: bytes, count: int):
    """Seconds of the clock and of processors that a submission takes, in a warm pool."""
    with grader:
        graded(grader, submission, 16)
        before, others = processor_time(os.getpid()), machines.processor_time()
        start = time.perf_counter()
        assert graded(grader, submission, count) == count
        seconds = time.perf_counter() - start
        spent = processor_time(os.getpid()) - before
        if isinstance(grader, grade.Grader):  # the cluster only waits meanwhile
            spent -= machines.processor_time() - others
    print(
        f"{title:12} {count / seconds:6.1f} /s, {1e3 * spent / count:5.1f} ms of processor "
        "time each",
        flush=True,
    )
    return seconds / count, spent / count


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--count", type=int, default=1000, help="submissions in a class")
    parser.add_argument("--turns", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ.setdefault("DASK_CONFIG", folder)  # where Dask writes its defaults
        compare(Path(folder), options.count, options.turns)
    print("load of the machine (1, 5, 15 minutes):", *(f"{x:.1f}" for x in os.getloadavg()))


def compare(folder: Path, count: int, turns: int) -> None:
    from distributed import Client

    from dlcourse.grading.cluster import Cluster

    notebook = one_exercise(assignment.read(MANUSCRIPT))
    submission = nbformat.writes(assignment.solution_version(notebook)).encode()
    with LocalMachines(folder, workers=2) as machines:
        with Client(machines.address, set_as_default=False) as client:
            client.wait_for_workers(2, timeout=120)
        time.sleep(2.0)
        before = machines.processor_time()
        time.sleep(IDLE)
        idle = (machines.processor_time() - before) / IDLE
        local, cluster = [], []
        for _ in range(turns):
            grader = grade.Grader(notebook, jobs=2)
            local.append(measure("local pool", grader, machines, submission, count))
            grader = Cluster(notebook, machines.address)
            cluster.append(measure("cluster", grader, machines, submission, count))
        wall, spent = (
            sorted(1e3 * (theirs[n] - ours[n]) for ours, theirs in zip(local, cluster, strict=True))
            for n in (0, 1)
        )
        print(
            f"overhead a submission, {turns} turns: {wall[turns // 2]:.1f} ms of the clock "
            f"({wall[0]:.1f} to {wall[-1]:.1f}), {spent[turns // 2]:.1f} ms of processor time "
            f"({spent[0]:.1f} to {spent[-1]:.1f})",
            flush=True,
        )
        seconds = sorted(wall for wall, _ in cluster)[turns // 2]
        print(
            f"idle, scheduler and workers compute {1e3 * idle:.0f} ms in a second: at this rate "
            f"{1e3 * idle * seconds:.1f} ms of the overhead",
            flush=True,
        )
        with Cluster(notebook, machines.address) as grader:
            start = time.perf_counter()
            number = graded(grader, submission, count, machines.processes[-1].kill)
            print(
                f"one of two workers killed after {count // 2}: {number} of {count} graded, each "
                f"once and right, in {time.perf_counter() - start:.0f} s"
            )


if __name__ == "__main__":
    main()

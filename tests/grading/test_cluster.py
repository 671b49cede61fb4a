"""A class graded on a Dask cluster: the same grades as on one machine, whoever is killed."""

import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import small_class
from small_class import LIMITS, ROOT, lay
from test_run import LEVELS, SEED, count, grade, grades, needs_jail

from dlcourse import cli
from dlcourse.grading import jail
from dlcourse.grading.grade import Grader
from dlcourse.grading.store import Store

pytestmark = [needs_jail, pytest.mark.slow]
PATIENCE = 240.0  # seconds for anything that a busy machine may delay


@pytest.fixture(scope="module", autouse=True)
def quiet(tmp_path_factory):
    """Dask writes its defaults where this points to, and not into the home folder."""
    os.environ["DASK_CONFIG"] = str(tmp_path_factory.mktemp("config"))
    yield
    del os.environ["DASK_CONFIG"]


class Machines:
    """A scheduler and workers, each a process that can be killed."""

    def __init__(self, folder: Path, **settings):
        self.folder, self.started, self.workers = folder, [], []
        contact = folder / "scheduler.json"
        self.scheduler = self.start(
            "dask_scheduler", "--host", "127.0.0.1", "--port", "0", "--scheduler-file", contact,
            **settings,
        )  # fmt: skip
        until(lambda: contact.exists() and contact.read_text().rstrip().endswith("}"))
        self.address = json.loads(contact.read_text())["address"]

    def start(self, program, *words, **settings):
        with open(self.folder / f"{len(self.started)}.log", "w") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", f"distributed.cli.{program}", "--no-dashboard",
                 *map(str, words)],
                env=os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])} | settings,
                cwd=self.folder, stdout=log, stderr=log,
            )  # fmt: skip
        self.started.append(process)
        return process

    def worker(self, *words, **settings):
        """Start a worker, which takes some seconds."""
        own = ["--local-directory", self.folder, "--host", "127.0.0.1", "--death-timeout", "60"]
        words = words or ("--no-nanny",)
        process = self.start(
            "dask_worker", self.address, "--nthreads", "1", *own, *words, **settings
        )
        self.workers.append(process)
        return process

    def pair(self) -> list[subprocess.Popen]:
        """Have two workers, as in the beginning."""
        self.workers = [process for process in self.workers if process.poll() is None]
        while len(self.workers) < 2:
            self.worker()
        until(lambda: len(self.known()) == 2)
        return self.workers

    def known(self) -> dict:
        """The workers that the scheduler knows: address -> threads."""
        from distributed import Client

        with Client(self.address, set_as_default=False) as client:
            return client.nthreads()

    def busy(self) -> bool:
        """Whether anybody has a task."""
        from distributed import Client

        with Client(self.address, set_as_default=False) as client:
            return any(client.processing().values())

    def end(self, processes):
        for process in processes:
            process.kill()
            process.wait()


@pytest.fixture(scope="module")
def machines(tmp_path_factory):
    """A cluster; a task whose workers die twice is given up."""
    machines = Machines(
        tmp_path_factory.mktemp("machines"), DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES="1"
    )
    yield machines
    machines.end(machines.started)


@pytest.fixture
def pair(machines):
    """The cluster with two workers, of one thread each."""
    machines.pair()
    return machines


@pytest.fixture(scope="module")
def notebook():
    return small_class.notebook()


@pytest.fixture(scope="module")
def calm(tmp_path_factory, notebook):
    """The grades of a class of 60 on this machine alone."""
    folder = tmp_path_factory.mktemp("calm")
    assert grade(notebook, lay(folder / "class", 60), folder / "out", jobs=2) == 0
    return grades(folder / "out")


def until(true, seconds=PATIENCE):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it does not come about"
        time.sleep(0.05)


def descendants(process: int) -> set[int]:
    """All processes below one."""
    found = set()
    for task in Path(f"/proc/{process}/task").glob("*"):
        for child in map(int, (task / "children").read_text().split()):
            found |= {child} | descendants(child)
    return found


def alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def supervisor(folder, out, address):
    """Grade in a process of its own, which tells each grade."""
    return subprocess.Popen(
        [sys.executable, small_class.__file__, str(folder), str(out), str(SEED), address],
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def kept(process, number) -> list[str]:
    """Read what a supervisor tells until it has kept so many grades."""
    told = []
    for line in process.stdout:
        told.append(line)
        number -= line == "kept\n"
        if not number:
            return told
    raise AssertionError("".join(told))


def with_answer(source: str) -> bytes:
    """A notebook with this answer."""
    one = json.loads(small_class.handed(1)["student-0000"])
    for cell in one["cells"]:
        if cell["id"] == "neuron-backward":
            cell["source"] = source
    return json.dumps(one).encode()


# --- the same as on one machine -------------------------------------------------------------------


def test_the_same_grades_as_on_this_machine(pair, notebook, calm, tmp_path, capfd):
    folder, out = lay(tmp_path / "class", 60), tmp_path / "out"
    assert grade(notebook, folder, out, jobs=None, dask=pair.address) == 0
    assert grades(out) == calm
    assert f"Jail level {LEVELS[0]}" in (told := capfd.readouterr()).out
    assert "Jobs: 2." in told.out
    # Nothing is left to do, there or here.
    assert grade(notebook, folder, out, jobs=1, dask=pair.address, resume=True) == 0
    assert grade(notebook, folder, out, jobs=1, resume=True) == 0
    assert count(out) == 60
    assert "distributed" not in (told := capfd.readouterr()).err + told.out, "no log of Dask's"
    until(lambda: not any(descendants(worker.pid) for worker in pair.workers))


def test_no_more_at_a_time_than_a_worker_has_threads(pair, notebook, tmp_path, capfd):
    lay(tmp_path / "class", 3)
    assert grade(notebook, tmp_path / "class", tmp_path / "out", jobs=5, dask=pair.address) == 0
    told = capfd.readouterr()
    assert told.err.count("grades 1 at a time: it has no more threads") == 2
    assert "Jobs: 2." in told.out


def test_no_more_is_read_than_can_be_graded(pair, notebook, tmp_path):
    from dlcourse.grading.cluster import MOST, Cluster

    data, taken, done = small_class.handed(1)["student-0000"], [], 0
    with Cluster(notebook, pair.address, limits=LIMITS) as cluster:
        work = ((n, lambda n=n: taken.append(n) or data) for n in range(150))
        for _ in cluster.grade_many(work, SEED):
            done += 1
            assert len(taken) - done <= (2 * 2 + 1) * MOST
    assert done == 150


def test_a_jailed_notebook_reaches_neither_scheduler_nor_worker(pair, notebook):
    from dlcourse.grading.cluster import Cluster

    ports = re.findall(r"tcp://[^ ]*:(\d+)", (pair.folder / "1.log").read_text())
    answer = with_answer(
        "import socket\n"
        f"for port in {[int(port) for port in ports]}:\n"
        "    try:\n"
        "        socket.create_connection(('127.0.0.1', port), timeout=5)\n"
        "        print('REACHED')\n"
        "    except OSError as error:\n"
        "        print('refused:', error)\n"
    )
    told = {}
    for no_jail in (False, True):
        with Cluster(notebook, pair.address, limits=LIMITS, no_jail=no_jail) as cluster:
            ((_, result),) = cluster.grade_many([(0, answer)], SEED)
        told[no_jail] = result.output
    assert len(ports) >= 2
    assert told[False].count("refused:") == len(ports)
    assert "REACHED" not in told[False]
    assert told[True].count("REACHED") == len(ports), "the test itself can see it"


# --- who may not take part ------------------------------------------------------------------------


def test_a_worker_that_would_grade_differently_is_refused(pair, notebook, tmp_path, capfd):
    from dlcourse.grading.cluster import Cluster

    other = tmp_path / "other"
    shutil.copytree(ROOT / "dlcourse", other / "dlcourse")
    with open(other / "dlcourse" / "optim.py", "a") as file:
        file.write("\n# another version\n")
    path = os.pathsep.join([str(other), *[p for p in sys.path if p != str(ROOT)]])
    (tmp_path / "none").mkdir()
    (tmp_path / "none" / "dlcourse.py").write_text("raise ImportError('not installed')")
    bad = [
        pair.worker("--no-nanny", PYTHONPATH=path),
        pair.worker("--no-nanny", PATH="/nowhere"),
        pair.worker("--no-nanny", PYTHONPATH=str(tmp_path / "none")),
    ]
    until(lambda: len(pair.known()) == 5)
    words = ["grade", str(small_class.MANUSCRIPT), str(lay(tmp_path / "class", 1))]
    words += ["--out", str(tmp_path / "out"), "--level", "1", "--dask", pair.address]
    assert cli.main(words) == 1
    told = capfd.readouterr().err
    assert len(re.findall(r"^  tcp://127.0.0.1:\d+: ", told, re.MULTILINE)) == 3
    assert "another source of dlcourse; install the same there" in told
    assert "bubblewrap is not installed" in told
    assert re.search("it has no dlcourse, or another one than here .*not installed", told)
    assert not (tmp_path / "out").exists()
    pair.end(bad)
    pair.pair()

    # One that comes in mid-run is passed over with words, and a good one takes part.
    told, late, data = [], [], small_class.handed(1)["student-0000"]

    def work():
        yield 0, data
        late.extend([pair.worker("--no-nanny", PYTHONPATH=path), pair.worker()])
        end, n = time.monotonic() + PATIENCE, 0
        while not (descendants(late[1].pid) and "another source of dlcourse" in "".join(told)):
            assert time.monotonic() < end, told
            time.sleep(0.05)
            told.append(capfd.readouterr().err)
            yield (n := n + 1), data

    try:
        with Cluster(notebook, pair.address, limits=LIMITS) as cluster:
            results = list(cluster.grade_many(work(), SEED))
            assert not descendants(late[0].pid)
    finally:
        pair.end(late)
    assert {result.earned for _, result in results} == {1.5}


def test_dask_is_loaded_for_a_cluster_alone():
    code = (
        "import sys, dlcourse.grading.run, dlcourse.cli\n"
        "print([m for m in ('dask', 'distributed') if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


# --- kill -9 --------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [0, 1])
def test_a_killed_worker_loses_and_doubles_nothing(pair, calm, tmp_path, seed):
    chance = random.Random(seed)
    victim = chance.choice(pair.workers)
    folder, out = lay(tmp_path / "class", 60), tmp_path / "out"
    process = supervisor(folder, out, pair.address)
    told = kept(process, chance.randint(3, 30))
    time.sleep(chance.uniform(0, 0.1))
    below = descendants(victim.pid)
    victim.kill()
    victim.wait()
    told += process.stdout.readlines()
    assert process.wait(PATIENCE) == 0, "".join(told)
    assert grades(out) == calm
    assert count(out) == 60
    assert len(below) >= 2, "a slot and its jail"
    until(lambda: not any(map(alive, below)), 30)


def test_a_worker_killed_before_it_gave_its_results_away(pair, notebook):
    from dlcourse.grading.cluster import Cluster

    work = list(enumerate(small_class.handed(28).values()))
    with Cluster(notebook, pair.address, limits=LIMITS) as cluster:
        grading = cluster.grade_many(work, SEED)
        found = [next(grading)]
        until(lambda: not pair.busy())  # all that was under way is done, and not fetched
        pair.end(pair.workers[:1])
        until(lambda: len(pair.known()) == 1)
        found += grading
    assert sorted(key for key, _ in found) == list(range(28))
    assert not any(result.ours for _, result in found)


def test_a_slot_does_not_outlive_who_holds_it(notebook):
    """In the middle of a long submission, too."""
    limits = jail.Limits(call=200.0, total=200.0)
    with Grader(notebook, jobs=1, limits=limits) as grader:
        (slot,) = grader._slots
        slot.begin(with_answer("import time\ntime.sleep(150)\n"), SEED)
        until(lambda: len(descendants(slot.process.pid)) >= 2, 60)
        below = descendants(slot.process.pid)
        slot.connection.close()
        until(lambda: not any(map(alive, below)))
        slot.process.wait(10)


def test_when_all_workers_are_killed_new_ones_go_on(pair, calm, tmp_path):
    folder, out = lay(tmp_path / "class", 60), tmp_path / "out"
    process = supervisor(folder, out, pair.address)
    told = kept(process, 8)
    pair.end(pair.workers)
    for line in process.stdout:
        told.append(line)
        if "no worker is left; waiting 60 s" in line:
            break
    pair.worker()
    told += process.stdout.readlines()
    assert process.wait(PATIENCE) == 0, "".join(told)
    assert grades(out) == calm
    assert count(out) == 60


def test_without_workers_or_scheduler_it_stops_and_can_go_on(
    pair, notebook, calm, tmp_path, monkeypatch
):
    monkeypatch.setattr("dlcourse.grading.cluster.GRACE", 2.0)
    folder, out, real = lay(tmp_path / "class", 60), tmp_path / "out", Store.add
    other = Machines(tmp_path)
    other.worker()
    until(other.known)
    for cluster, victims, message in (
        (pair, pair.workers, "has no worker that can grade; start some with `dask worker"),
        (other, [other.scheduler], "is gone"),
    ):
        before = count(out) if out.exists() else 0
        left = [5]

        def add(*arguments, cluster=cluster, victims=victims, left=left):
            left[0] -= 1
            if left[0] == 0:
                cluster.end(victims)
            return real(*arguments)

        monkeypatch.setattr(Store, "add", add)
        with pytest.raises(OSError, match=message) as told:
            grade(notebook, folder, out, dask=cluster.address)
        monkeypatch.setattr(Store, "add", real)
        assert "All grades so far are kept; the same command goes on from here." in str(told.value)
        assert before < count(out) < 60
    other.end(other.started)
    assert grade(notebook, folder, out, jobs=2, resume=True) == 0
    assert grades(out) == calm
    assert count(out) == 60


def test_a_killed_supervisor_goes_on(pair, notebook, calm, tmp_path):
    folder, out = lay(tmp_path / "class", 60), tmp_path / "out"
    process = supervisor(folder, out, pair.address)
    kept(process, 10)
    process.kill()
    process.wait()
    process.stdout.close()
    assert 10 <= count(out) < 60
    assert grade(notebook, folder, out, dask=pair.address, resume=True) == 0
    assert grades(out) == calm
    assert count(out) == 60
    until(lambda: not pair.busy())


def test_no_scheduler_and_no_workers_are_told(machines, tmp_path, capfd, monkeypatch):
    words = ["grade", str(small_class.MANUSCRIPT), str(lay(tmp_path / "class", 1))]
    words += ["--out", str(tmp_path / "out"), "--dask"]
    assert cli.main([*words, "tcp://127.0.0.1:9"]) == 1
    assert "no scheduler answers at tcp://127.0.0.1:9" in capfd.readouterr().err
    assert cli.main([*words, "http://127.0.0.1:9"]) == 1
    assert "give the address that it prints, like tcp://host:8786" in capfd.readouterr().err
    monkeypatch.setattr("dlcourse.grading.cluster.GRACE", 1.0)
    machines.end(machines.workers)
    until(lambda: not machines.known())
    assert cli.main([*words, machines.address]) == 1
    told = capfd.readouterr().err
    assert "no workers yet; waiting up to 1 s" in told
    assert f"has no workers; start some with `dask worker {machines.address}`" in told
    (tmp_path / "none").mkdir()
    (tmp_path / "none" / "dlcourse.py").write_text("raise ImportError('not installed')")
    strange = Machines(tmp_path, PYTHONPATH=str(tmp_path / "none"))
    assert cli.main([*words, strange.address]) == 1
    strange.end(strange.started)
    told = capfd.readouterr().err
    assert re.search("has no dlcourse, or another one than here .*not installed", told)
    monkeypatch.setitem(sys.modules, "distributed", None)
    monkeypatch.delitem(sys.modules, "dlcourse.grading.cluster")
    assert cli.main([*words, machines.address]) == 1
    assert 'pip install "dlcourse[dask]"' in capfd.readouterr().err
    assert not (tmp_path / "out").exists()


KILLER = """
import os, signal

def parent(process):
    with open(f"/proc/{process}/stat") as file:
        return int(file.read().rsplit(")", 1)[1].split()[1])

zygote = os.getppid()
os.kill(parent(parent(zygote)), signal.SIGKILL)
"""


def test_who_kills_its_worker_again_and_again_goes_to_a_person(notebook, calm, tmp_path):
    """Without a jail a notebook can do it; with one, somebody may find a way."""
    machines = Machines(tmp_path, DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES="0")
    nannies = machines.worker("--nanny", "--nworkers", "2")
    until(lambda: len(machines.known()) == 2)
    folder, out = lay(tmp_path / "class", 21), tmp_path / "out"
    (folder / "student-0004.ipynb").write_bytes(with_answer(KILLER))
    assert grade(notebook, folder, out, dask=machines.address, no_jail=True, level=4) == 0
    nannies.terminate()
    nannies.wait()
    machines.end(machines.started)
    found = {student: row[3:] for student, row in grades(out).items()}
    assert len(found) == 20
    assert found == {s: row[3:] for s, row in calm.items() if s in found}
    (row,) = [x for x in (out / "grades.csv").read_text().splitlines() if "student-0004" in x]
    assert ",needs review,,1.5," in row
    assert "1 workers were lost over it" in row


def test_ctrl_c_stops_and_leaves_the_cluster_idle(pair, notebook, calm, tmp_path):
    folder, out = lay(tmp_path / "class", 60), tmp_path / "out"
    for path in sorted(folder.glob("*.ipynb"))[10:14]:
        path.write_bytes(with_answer("import time\ntime.sleep(3.5)\n"))
    before = [descendants(worker.pid) for worker in pair.workers]
    process = supervisor(folder, out, pair.address)
    kept(process, 6)
    process.send_signal(signal.SIGINT)
    told = process.stdout.read()
    assert process.wait(PATIENCE) == 130, told
    assert "The same command goes on from here." in told
    assert "Traceback" not in told
    until(lambda: not pair.busy())
    until(lambda: all(descendants(w.pid) <= b for w, b in zip(pair.workers, before, strict=True)))
    assert 6 <= count(out) < 60


def test_an_idle_worker_ends_its_jails_and_is_made_ready_again(notebook, monkeypatch):
    """As when the supervisor was killed, or waits long for a watched folder to change."""
    from distributed import LocalCluster

    from dlcourse.grading import cluster

    monkeypatch.setattr(cluster, "IDLE", 0.4)
    work = [(n, data) for n, data in enumerate(small_class.handed(7).values())]
    before = descendants(os.getpid())
    here = LocalCluster(
        n_workers=1, threads_per_worker=1, processes=False, dashboard_address="127.0.0.1:0",
        protocol="tcp", host="127.0.0.1",
    )  # fmt: skip
    with here, cluster.Cluster(notebook, here.scheduler_address, limits=LIMITS) as grader:
        first = sorted((key, result.earned) for key, result in grader.grade_many(work, SEED))
        assert descendants(os.getpid()) > before
        until(lambda: not cluster._SITES and descendants(os.getpid()) <= before)
        again = sorted((key, result.earned) for key, result in grader.grade_many(work, SEED))
    assert first == again
    assert len(first) == 7

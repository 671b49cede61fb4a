"""The jail holds, at every level that this machine offers, and says why where it offers none."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from ordinary_user import ordinary_python

from dlcourse.grading import doctor, jail, seccomp, wire

ROOT = Path(__file__).parents[2]
LEVELS = [level for level in jail.BEST if not jail.obstacle(level)]
SMALL = jail.Limits(memory=303)

needs_jail = pytest.mark.skipif(
    not LEVELS, reason=f"no jail here: {jail.obstacle(1)}; {jail.obstacle(2)}"
)


@pytest.mark.parametrize("level", jail.BEST)
def test_all_that_doctor_finds_from_inside_is_good(level):
    if why := jail.obstacle(level):
        pytest.skip(f"no level {level} here: {why}")
    findings = doctor.examine(level)
    assert [finding for finding in findings if not finding.good] == []
    assert len(findings) == 15


def test_level_1_works_wherever_the_system_allows_it():
    """Asked of the system itself, so that a fault of ours cannot pass for a missing kernel."""
    if not shutil.which("bwrap"):
        pytest.skip("bubblewrap is not installed")
    words = ["bwrap", "--ro-bind", "/", "/", "--proc", "/proc", "--unshare-pid", "--unshare-net"]
    become = ["setpriv", "--reuid", "61999", "--clear-groups"] if os.getuid() == 0 else []
    nested = [*words, *become, "unshare", "--user", "--pid", "--net", "--fork", "true"]
    tried = subprocess.run(nested, capture_output=True, text=True, timeout=60)
    if tried.returncode:
        pytest.skip(f"this system gives no nested namespaces: {tried.stderr.strip()}")
    assert jail.obstacle(1) == ""


@pytest.mark.parametrize("level", jail.BEST)
def test_the_jail_holds_for_an_ordinary_user(level):
    code = (
        "from dlcourse.grading import doctor, jail\n"
        f"why = jail.obstacle({level})\n"
        f"bad = why or [f for f in doctor.examine({level}) if not f.good]\n"
        "print('SKIP' if why else 'BAD' if bad else 'GOOD', bad)"
    )
    run = subprocess.run(
        [*ordinary_python(), "-c", code], cwd="/", capture_output=True, text=True, timeout=120
    )
    assert run.returncode == 0, run.stderr
    if run.stdout.startswith("SKIP"):
        pytest.skip(run.stdout)
    assert run.stdout.startswith("GOOD"), run.stdout


# --- what is not there ----------------------------------------------------------------------------


def test_without_bubblewrap_level_1_says_so(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert jail.obstacle(1) == "bubblewrap is not installed; on Debian: apt install bubblewrap"
    assert jail.obstacle(3) == "neither docker nor podman is installed"


def test_without_libseccomp_every_level_says_so(monkeypatch):
    def missing(name, **_):
        raise OSError(name)

    monkeypatch.setattr(seccomp.ctypes, "CDLL", missing)
    for level in jail.BEST:
        if level == 1 and not shutil.which("bwrap"):
            continue
        assert "libseccomp2" in jail.obstacle(level)


def test_without_any_jail_grading_is_refused_with_the_reasons(monkeypatch):
    monkeypatch.setattr(jail, "obstacle", lambda level: f"reason {level}")
    with pytest.raises(jail.JailError) as refused:
        jail.choose()
    assert "reason 1" in str(refused.value)
    assert "reason 2" in str(refused.value)
    with pytest.raises(jail.JailError, match="reason 2"):
        jail.choose(2)
    assert jail.choose(no_jail=True) == 4


def test_no_jail_must_be_said():
    with pytest.raises(jail.JailError, match="--no-jail"):
        jail.choose(4)
    assert jail.choose(4, no_jail=True) == 4


def test_bubblewrap_binds_nothing_but_libraries():
    environment = jail.Environment.current()
    words = jail.bubblewrap(environment, ["true"], root=False)
    bound = [words[i + 2] for i, word in enumerate(words) if word.startswith("--ro-bind")]
    bound += [words[i + 2] for i, word in enumerate(words) if word in ("--bind", "--dev-bind")]
    package = str(ROOT / "dlcourse")
    allowed = ("/usr", "/lib", "/bin", "/etc/ld.so.cache", "/dev/", package, *environment.folders)
    assert all(path.startswith(allowed) for path in bound)
    assert str(ROOT) not in bound
    assert "--bind" not in words
    for option in ("--unshare-net", "--unshare-pid", "--unshare-user", "--clearenv"):
        assert option in words


# --- the warden -----------------------------------------------------------------------------------


@pytest.fixture
def warden():
    with jail.Warden(LEVELS[0], limits=SMALL) as warden:
        yield warden


def answers(session):
    session.channel.send(wire.pack([1, "get", "__name__"]))
    return session.channel.receive(time.monotonic() + 10) == [1, "value", "__main__", [], []]


@needs_jail
def test_sessions_follow_one_another(warden):
    for _ in range(3):
        session = warden.start()
        assert answers(session)
        ending = session.end()
        assert (ending.killed, ending.failed) == (True, "")
        assert session.end() is ending
        assert ending.cpu < 5
    session = warden.start()
    with pytest.raises(RuntimeError, match="end the running session"):
        warden.start()


@needs_jail
def test_a_warm_process_that_is_lost_is_replaced(warden):
    session = warden.start()
    warden.process.kill()
    warden.process.wait()
    with pytest.raises((wire.Closed, wire.LateAnswer)):
        session.channel.receive(time.monotonic() + 5)
    assert session.end().killed
    assert answers(warden.start())


def running(mark: str) -> list[int]:
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if mark in (process / "cmdline").read_text():
                found.append(int(process.name))
        except OSError:
            continue
    return found


@needs_jail
def test_nothing_outlives_a_judge_that_is_killed():
    code = (
        "import time\n"
        "from dlcourse.grading import jail, wire\n"
        f"with jail.Warden({LEVELS[0]}, limits=jail.Limits(memory=307)) as warden:\n"
        "    session = warden.start()\n"
        "    session.channel.send(wire.pack([1, 'run', 'x', 'while True: pass', False]))\n"
        "    print('up', flush=True)\n"
        "    time.sleep(100)\n"
    )
    judge = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert judge.stdout.readline() == "up\n"
    mark = str(307 << 20)
    assert running(mark)
    judge.send_signal(signal.SIGKILL)
    judge.wait()
    judge.stdout.close()
    end = time.monotonic() + 10
    while running(mark) and time.monotonic() < end:
        time.sleep(0.05)
    assert running(mark) == []


@needs_jail
def test_a_python_that_is_not_there_is_told():
    there = jail.Environment.current()
    broken = jail.Environment("/nowhere/python", there.packages, there.folders)
    assert "does not start" in jail.obstacle(LEVELS[0], broken)

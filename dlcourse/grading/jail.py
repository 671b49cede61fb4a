"""The jail: how strangers' code is run on this machine, and how to know what holds.

Four levels. 1: a warm process in bubblewrap, which forks for every submission into namespaces of
its own, with seccomp and hard limits. 2: landlock, seccomp and limits, where the kernel gives no
namespaces. 3: Docker or Podman around level 2. 4: nothing, for code that you trust. Levels are
tried out, not assumed, and what stands in the way is named.
"""

import base64
import contextlib
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dlcourse.grading import wire

if os.name == "posix":  # Windows can have level 3 alone, which is a container with a Linux in it
    from dlcourse.grading import confine, seccomp

BEST = (1, 2)  # what is tried when no level is asked for, in this order

NAMES = {
    1: "bubblewrap, namespaces, seccomp",
    2: "landlock and seccomp, without namespaces",
    3: "Docker or Podman around level 2",
    4: "no jail",
}

# Users that root turns into, one for each process of a pool: numbers that no system hands out.
FIRST_UID = 61_200

_PACKAGE = Path(__file__).resolve().parents[1]
_INSIDE = ("__init__.py", "confine.py", "inside.py", "wire.py", "zygote.py")  # of this folder
_START = "from dlcourse.grading.zygote import main; main()"
_PATIENCE = 30.0  # seconds until the warm process must be up, PyTorch loaded
_GRACE = 2.0  # seconds until a killed process must be gone


class JailError(OSError):
    """The jail cannot be had, or has failed; the text says why and what to do."""


@dataclass(frozen=True)
class Limits:
    """What one submission may use.

    Args:
        call: seconds for one cell, or one call of a student's function.
        total: seconds for the whole submission.
        memory: MB of memory, beside that of the libraries.
        disk: MB of files in its own empty folder, which is all that it can write to.
        threads: how many it may start.
    """

    call: float = 10.0
    total: float = 60.0
    memory: int = 1024
    disk: int = 64
    threads: int = 16


DEFAULT = Limits()


@dataclass(frozen=True)
class Ending:
    """How a student's process ended, what it used, and the end of its output.

    Args:
        signal, exit: what ended it.
        killed: whether that was us.
        cpu: seconds of processor time.
        memory: the most bytes that it held.
        tail: the end of its output.
        failed: why the jail could not make it, or "".
    """

    signal: int = 0
    exit: int = 0
    killed: bool = False
    cpu: float = 0.0
    memory: int = 0
    tail: str = ""
    failed: str = ""


# --- what the jailed process may read -------------------------------------------------------------


@dataclass(frozen=True)
class Environment:
    """The Python that runs inside: its program, its packages, and every path that it needs."""

    python: str
    packages: tuple[str, ...]
    folders: tuple[str, ...]

    @classmethod
    def current(cls) -> "Environment":
        """That of this process. Folders with other contents, such as a clone, are left out."""
        python = os.path.realpath(sys.executable)
        names = {"site-packages", "dist-packages"}
        packages = [p for p in sys.path if os.path.basename(p) in names and os.path.isdir(p)]
        base = sysconfig.get_config_var("installed_base") or sys.base_prefix
        wanted = [os.path.realpath(p) for p in (base, *packages)]
        folders = [p for p in dict.fromkeys(wanted) if not p.startswith("/usr/") and p != "/usr"]
        return cls(python, tuple(packages), tuple(folders))

    def variables(self) -> dict[str, str]:
        """All that is in the environment of a jailed process."""
        one = dict.fromkeys(("OMP", "OPENBLAS", "MKL", "NUMEXPR"), "1")
        return {
            "PATH": "/usr/bin:/bin",
            "HOME": confine.SCRATCH,
            "TMPDIR": confine.SCRATCH,
            "LANG": "C.UTF-8",
            "MPLBACKEND": "Agg",
            "MPLCONFIGDIR": confine.SCRATCH,
            "PYTHONHASHSEED": "0",
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONPATH": os.pathsep.join([str(_PACKAGE.parent), *self.packages]),
            **{f"{name}_NUM_THREADS": n for name, n in one.items()},
        }

    def command(self, control: int, setup: dict) -> list[str]:
        """The command line of the warm process."""
        words = json.dumps(setup | {"seccomp": base64.b64encode(setup["seccomp"]).decode()})
        return [self.python, "-s", "-S", "-P", "-c", _START, str(control), words]


def bubblewrap(environment: Environment, command: Sequence[str], *, root: bool) -> list[str]:
    """The command line that runs `command` in bubblewrap.

    Args:
        environment: what it may read.
        command: the program and its arguments.
        root: whether root calls it, who may build the jail without a user namespace, and whose
            process becomes an ordinary user itself.
    """
    words = ["bwrap", "--die-with-parent", "--new-session", "--as-pid-1", "--clearenv"]
    words += ["--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts"]
    words += ["--unshare-cgroup-try", "--cap-drop", "ALL"]
    if root:
        words += ["--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"]
    else:
        words += ["--unshare-user"]
    words += ["--ro-bind", "/usr", "/usr"]
    for name in ("lib", "lib32", "lib64", "bin"):
        if os.path.islink(f"/{name}"):
            words += ["--symlink", f"usr/{name}", f"/{name}"]
        elif os.path.isdir(f"/{name}"):
            words += ["--ro-bind", f"/{name}", f"/{name}"]
    words += ["--dir", "/etc", "--ro-bind-try", "/etc/ld.so.cache", "/etc/ld.so.cache"]
    words += ["--dir", "/dev", "--dir", "/tmp", "--dir", confine.SCRATCH]
    words += ["--proc", "/proc"]
    for name in ("null", "zero", "random", "urandom"):
        words += ["--dev-bind", f"/dev/{name}", f"/dev/{name}"]
    made = {"/", "/etc", "/dev", "/tmp", "/usr", confine.SCRATCH}
    for folder in (*environment.folders, str(_PACKAGE)):
        if folder == str(_PACKAGE) and _holds_package(environment):
            continue
        for parent in reversed(Path(folder).parents):
            if str(parent) not in made:  # bubblewrap would close them to others
                words += ["--dir", str(parent)]
                made.add(str(parent))
        words += ["--ro-bind", folder, folder]
    # Neither checks nor the judge's own code are to be read.
    words += ["--tmpfs", str(_PACKAGE / "checks"), "--tmpfs", str(_PACKAGE / "grading")]
    for name in _INSIDE:
        path = str(_PACKAGE / "grading" / name)
        words += ["--ro-bind", path, path]
    for hidden in ("checks", "grading"):
        words += ["--remount-ro", str(_PACKAGE / hidden)]
    words += ["--remount-ro", "/", "--chdir", "/"]
    for name, value in environment.variables().items():
        words += ["--setenv", name, value]
    return [*words, "--", *command]


def _holds_package(environment: Environment) -> bool:
    """Whether the library lies in one of the environment's folders: installed, not a clone."""
    return any(_PACKAGE.is_relative_to(folder) for folder in (*environment.folders, "/usr"))


def _landlocked(environment: Environment) -> tuple[list[str], list[str]]:
    """For level 2: what may be read, and folders whose names alone may be seen."""
    readable = ["/lib", "/lib64", "/etc/ld.so.cache", "/dev/null", "/dev/urandom", "/dev/zero"]
    listed = []

    def add(folder: Path, *hidden: Path) -> None:
        """Allow a folder without some of what lies in it: a rule cannot take back."""
        inside = [path for path in hidden if path.is_relative_to(folder)]
        if not inside:
            readable.append(str(folder))
        elif folder not in inside:
            listed.append(str(folder))
            for child in folder.iterdir():
                add(child, *inside)

    own = [_PACKAGE / "checks", _PACKAGE / "grading"]
    for folder in dict.fromkeys(("/usr", *environment.folders, str(_PACKAGE))):
        add(Path(folder), *own)
    return readable, [*listed, str(_PACKAGE.parent)]


# --- which levels there are -----------------------------------------------------------------------


def obstacle(level: int, environment: Environment | None = None) -> str:
    """What stands in the way of a level on this machine; "" if it works. It is tried out.

    Args:
        level: 1, 2, 3 or 4.
        environment: that of this process by default.
    """
    if level == 4:
        return ""
    if level == 3:
        from dlcourse.grading import container

        return container.find()[1]
    if sys.platform != "linux":
        return f"it needs Linux, this is {sys.platform}"
    if level == 1 and not shutil.which("bwrap"):
        return "bubblewrap is not installed; on Debian: apt install bubblewrap"
    if level == 2 and not confine.landlock_version():
        return "this kernel has no landlock, or it is switched off"
    try:
        with Warden(level, environment=environment) as warden:
            session = warden.start()
            session.channel.send(wire.pack([1, "get", "__name__"]), time.monotonic() + 5)
            try:
                session.channel.receive(time.monotonic() + 5)
            except (wire.Closed, wire.LateAnswer, wire.Violation):
                ending = session.end()
                said = (ending.failed or ending.tail).strip()
                raise JailError(f"a jailed process does not start: {said}") from None
            session.end()
    except OSError as error:
        return f"{error}{_known_obstacle()}"
    return ""


def _known_obstacle() -> str:
    """Settings of the kernel that are known to stand in the way."""
    for name, bad in (
        ("kernel/apparmor_restrict_unprivileged_userns", "1"),
        ("kernel/unprivileged_userns_clone", "0"),
        ("user/max_user_namespaces", "0"),
    ):
        with contextlib.suppress(OSError):
            if Path("/proc/sys", name).read_text().strip() == bad:
                setting = name.replace("/", ".")
                return f" ({setting} is {bad}: ordinary users get no namespaces)"
    return ""


def choose(level: int | None = None, *, no_jail: bool = False) -> int:
    """The level to use: the one asked for if it works, else the best that does.

    Raises:
        JailError: it does not work, or none does, or it is 4 and `no_jail` was not said.
    """
    if level == 4 or (level is None and no_jail):
        if not no_jail:
            raise JailError("level 4 runs strangers' code with your rights: say --no-jail as well")
        return 4
    if level == 3:
        raise JailError(
            "level 3 is a container around this program: `dlcourse grade --level 3` starts it"
        )
    reasons = []
    for candidate in BEST if level is None else (level,):
        why = obstacle(candidate)
        if not why:
            return candidate
        reasons.append(f"level {candidate} ({NAMES[candidate]}): {why}")
    raise JailError("there is no jail on this machine:\n  " + "\n  ".join(reasons))


# --- the warm process, from outside ---------------------------------------------------------------


@dataclass
class Session:
    """One student's process: a channel to talk to it, and the way to end it."""

    warden: "Warden"
    channel: wire.Channel
    ending: Ending | None = field(default=None)

    def end(self) -> Ending:
        """Kill the process if it still runs; how it ended. May be called again."""
        if self.ending is None:
            self.channel.close()
            self.ending = self.warden.reap()
        return self.ending


class Warden:
    """Keeps one warm process alive, and gets a jailed process from it for each submission.

    Args:
        level: of the jail.
        modules: what the warm process should load.
        limits: of each submission.
        place: number of this warden in a pool, from 0; as root, each has a user of its own.
        environment: that of this process by default.
    """

    def __init__(
        self,
        level: int,
        *,
        modules: Sequence[str] = ("numpy",),
        limits: Limits = DEFAULT,
        place: int = 0,
        environment: Environment | None = None,
    ):
        self.level, self.limits = level, limits
        self.environment = environment or Environment.current()
        self.root = os.getuid() == 0
        self.setup = {
            "uid": FIRST_UID + place % 1000 if self.root and level != 4 else None,
            "modules": [name for name in modules if not name.startswith("dlcourse.checks")],
            "namespaces": level == 1,
            "landlock": level == 2,
            "seccomp": seccomp.program(signals=level == 1) if level != 4 else b"",
            "disk": limits.disk,
            "limits": {
                "seconds": int(limits.total) + 2,
                "memory": limits.memory << 20,
                # Without a folder of its own, it can write nowhere.
                "file": limits.disk << 20 if level != 2 else 0,
                # Without namespaces of users, all processes of a user would count.
                "threads": limits.threads + 1 if level == 1 else None,
            },
        }
        if level == 2:
            self.setup["readable"], self.setup["listed"] = _landlocked(self.environment)
        self.process: subprocess.Popen | None = None
        self.control: socket.socket | None = None
        self.busy = False

    def __enter__(self) -> "Warden":
        self._warm_up()
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def start(self, handle=lambda handle: handle) -> Session:
        """A new process, in which nothing has run yet. There is one at a time.

        Args:
            handle: what a `wire.Handle` is turned into.

        Raises:
            JailError: there is none to be had.
        """
        if self.busy:
            raise RuntimeError("end the running session before you start another")
        if self.process is None or self.process.poll() is not None:
            self.close()
            self._warm_up()
        ours, theirs = socket.socketpair()
        try:
            socket.send_fds(self.control, [b"start"], [theirs.fileno()])
        except OSError as error:
            ours.close()
            self.close()
            raise JailError(f"the jail is gone: {error}") from None
        finally:
            theirs.close()
        self.busy = True
        return Session(self, wire.Channel(ours, handle=handle))

    def reap(self) -> Ending:
        """End the running student's process, and say how it ended."""
        self.busy = False
        with contextlib.suppress(OSError):
            self.control.send(b"kill")
        answer = self._said(_GRACE)
        if answer is None:  # then all of it goes
            self.close()
            return Ending(signal=signal.SIGKILL, killed=True)
        return Ending(**answer)

    def close(self) -> None:
        """End the warm process, and with it everything inside."""
        self.busy = False
        if self.control is not None:
            self.control.close()
            self.control = None
        if self.process is not None:
            try:  # it ends when its connection does
                self.process.wait(1.0)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            self.process = None

    def _warm_up(self) -> None:
        self.control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            words = self.environment.command(theirs.fileno(), self.setup)
            variables = self.environment.variables()
            if self.level == 1:
                words = bubblewrap(self.environment, words, root=self.root)
                variables = {"PATH": os.environ.get("PATH", os.defpath)}
            self.process = subprocess.Popen(
                words,
                env=variables,
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                pass_fds=[theirs.fileno()],
            )
        said = self._said(_PATIENCE)
        if said is None or "failed" in said:
            self.process.kill()
            errors = self.process.stderr.read().decode("utf-8", "replace").strip()
            self.process.stderr.close()
            self.close()
            reason = (said or {}).get("failed") or errors.splitlines()[-1:] or "no answer"
            raise JailError(f"the warm process does not start: {reason}")
        # From here on nobody reads it, and a full pipe would stop the writer.
        self.process.stderr.close()

    def _said(self, seconds: float) -> dict | None:
        """What the warm process says within some seconds."""
        if self.control is None or not select.select([self.control], [], [], seconds)[0]:
            return None
        try:
            message = self.control.recv(1 << 16)
        except OSError:
            return None
        return json.loads(message) if message else None

"""`dlcourse doctor`: which jails this machine offers, and what a jailed notebook sees from inside.

The facts are found by code that runs as a student's would, in the very process that grading uses.
It tries what a hostile notebook would try, and reports how far it got.
"""

import contextlib
import os
import platform
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dlcourse.grading import confine, jail
from dlcourse.grading.proxies import Link

# What a jailed notebook runs. Each line of the report is one entry of `facts`.
_PROBE = """
import ctypes, errno, os, resource, socket, sys

_libc = ctypes.CDLL(None, use_errno=True)

def _tried(action, *inputs):
    try:
        return action(*inputs)
    except Exception as error:
        return f"refused: {type(error).__name__}: {error}"

def _capabilities():
    header, sets = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
    if _libc.capget(header, sets):
        return "unknown"
    return f"{sets[0] | sets[3] << 32:x}"

def _processes():
    def there(pid):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            return None
        return True
    found = [there(pid) for pid in range(1, 33000)]
    if None in found:
        return "refused: no signal can be sent"
    return sum(found)

def _readable(paths):
    found = {}
    for path in paths:
        try:
            if os.path.isdir(path):
                os.listdir(path)
            else:
                with open(path, "rb") as file:
                    file.read(1)
            found[path] = True
        except OSError:
            found[path] = False
    return found

def _written(folder):
    path = os.path.join(folder, "probe")
    with open(path, "w") as file:
        file.write("x")
    os.remove(path)
    return True

def _disk(megabytes):
    written = 0
    try:
        with open("fill", "wb") as file:
            for _ in range(4 * megabytes):
                file.write(bytes(1 << 20))
                file.flush()
                written += 1
    except OSError as error:
        pass
    try:
        os.remove("fill")
    except OSError:
        pass
    return written

def facts(paths, folders, megabytes):
    name = lambda number: errno.errorcode.get(number, number)
    limits = {k: resource.getrlimit(getattr(resource, "RLIMIT_" + k))[1]
              for k in ("CPU", "AS", "NPROC", "FSIZE", "NOFILE", "CORE")}
    return {
        "uid": os.getuid(),
        "pid": os.getpid(),
        "processes": _processes(),
        "proc": _tried(os.listdir, "/proc"),
        "network": _tried(lambda: bool(socket.socket())),
        "capabilities": _capabilities(),
        "seccomp": _libc.prctl(21, 0, 0, 0, 0),
        "new_privileges": _libc.prctl(39, 0, 0, 0, 0),
        "fork": _tried(os.fork),
        "program": _tried(os.execv, "/usr/bin/true", ["true"]),
        "mount": _libc.mount(b"tmpfs", b"/usr", b"tmpfs", 0, None) and name(ctypes.get_errno()),
        "ptrace": _libc.ptrace(16, 1, 0, 0) and name(ctypes.get_errno()),
        "readable": _readable(paths),
        "written": {folder: _tried(_written, folder) for folder in folders},
        "disk": _disk(megabytes),
        "environment": sorted(os.environ),
        "limits": limits,
        "root": sorted(os.listdir("/")) if _readable(["/"])["/"] else [],
    }
"""

_SECCOMP = {0: "off", 1: "strict", 2: "a filter"}
_FOLDERS = ["/", confine.SCRATCH, "/tmp", "/usr", "/dev", "/var/tmp", "/dev/shm"]


@dataclass(frozen=True)
class Finding:
    """One line of the report: what was asked, what was found, and whether it is as it should be."""

    name: str
    value: str
    good: bool


def examine(level: int, limits: jail.Limits = jail.DEFAULT) -> list[Finding]:
    """What a jailed notebook finds at a level.

    Args:
        level: 1, 2 or 4.
        limits: of the jailed process.

    Raises:
        jail.JailError: the level does not work.
    """
    with contextlib.ExitStack() as stack:
        hidden = [str(path) for path in _hidden(stack)]
        warden = stack.enter_context(jail.Warden(level, limits=limits))
        link = Link(warden, time.monotonic() + limits.total, limits.total)
        stack.callback(link.session.end)
        link.ask("run", "doctor", _PROBE, False)
        found = link.ask("get", "facts")(hidden, _FOLDERS, limits.disk)
    return list(_findings(level, limits, found))


def _hidden(stack: contextlib.ExitStack) -> Iterator[Path]:
    """Files that no jailed notebook may read; some are planted, open to everybody."""
    package = Path(__file__).resolve().parents[1]
    yield from (package / "checks" / "framework.py", package / "grading" / "grade.py")
    yield from map(Path, ("/etc/passwd", "/etc/shadow", "/proc/1/environ", "/proc/cpuinfo"))
    for folder in (os.path.expanduser("~"), os.getcwd(), tempfile.gettempdir()):
        with contextlib.suppress(OSError):
            planted = tempfile.NamedTemporaryFile(dir=folder, prefix=".dlcourse-")  # noqa: SIM115
            file = stack.enter_context(planted)
            os.chmod(file.name, 0o644)
            file.write(b"canary")
            file.flush()
            yield Path(file.name)


def _findings(level: int, limits: jail.Limits, found: dict) -> Iterator[Finding]:
    refused = lambda value: isinstance(value, str) and value.startswith("refused")
    alone, files = level == 1, level != 2
    who = f"{found['uid']}, process {found['pid']}"
    yield Finding("user", who, found["uid"] != 0 and (not alone or found["pid"] == 1))
    seen, listed = found["processes"], found["proc"]
    shown = "only itself" if seen == 1 else str(seen)
    yield Finding("visible processes", shown, seen == 1 or refused(seen))
    yield Finding("/proc", str(listed), listed == [] or refused(listed))
    yield Finding("network", str(found["network"]), refused(found["network"]))
    held = found["capabilities"]
    yield Finding("capabilities", "none" if held == "0" else held, held == "0")
    mode = f"{_SECCOMP[found['seccomp']]}, no new privileges: {bool(found['new_privileges'])}"
    yield Finding("seccomp", mode, found["seccomp"] == 2 and found["new_privileges"] == 1)
    for name, value in (("new process", found["fork"]), ("new program", found["program"])):
        yield Finding(name, str(value), refused(value))
    for name in ("mount", "ptrace"):
        yield Finding(name, f"refused: {found[name]}", found[name] == "EPERM")
    open_to_it = [path for path, can in found["readable"].items() if can]
    tried = f"none of {len(found['readable'])} files that it should not"
    yield Finding("reads", ", ".join(open_to_it) or tried, not open_to_it)
    written = [folder for folder, done in found["written"].items() if done is True]
    yield Finding(
        "writes to", ", ".join(written) or "nothing", written == [confine.SCRATCH] * files
    )
    size = f"{found['disk']} MB"
    yield Finding("disk", size, found["disk"] <= limits.disk)
    own = {"PWD", "LC_CTYPE"}  # set anew by bubblewrap and by Python
    secrets = set(os.environ) - set(jail.Environment.current().variables()) - own
    leaked = secrets & set(found["environment"])
    shown = ", ".join(sorted(leaked)) or f"none of our {len(secrets)} variables"
    yield Finding("environment", shown, not leaked)
    known = {name: most for name, most in found["limits"].items() if most != -1}
    wanted = {"CPU", "AS", "FSIZE", "NOFILE", "CORE"} | ({"NPROC"} if alone else set())
    shown = ", ".join(f"{name} {most}" for name, most in known.items())
    yield Finding("limits", shown, known.keys() >= wanted)


def report(wanted: int | None = None) -> Iterator[str]:
    """The lines that `dlcourse doctor` prints: the machine, the levels, what one of them holds.

    Args:
        wanted: level 1 or 2; the best that works by default.
    """
    user = "root" if os.getuid() == 0 else f"user {os.getuid()}"
    python, system = platform.python_version(), f"{platform.system()} {platform.release()}"
    yield f"Python {python} on {system}, as {user}"
    best = None
    for level, name in jail.NAMES.items():
        why = jail.obstacle(level)
        if best is None and not why and (level in jail.BEST if wanted is None else level == wanted):
            best = level
        state = "only with --no-jail" if level == 4 else why or "works"
        yield f"level {level}  {name}: {state}"
    if best is None and wanted is not None:
        yield f"There is no jail of level {wanted} here."
        return
    if best is None:
        yield "There is no jail here: do not grade strangers' notebooks on this machine."
        return
    yield f"From inside a jailed notebook at level {best}:"
    for finding in examine(best):
        mark = "ok " if finding.good else "BAD"
        yield f"  {mark}  {finding.name:18} {finding.value}"

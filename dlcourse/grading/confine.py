"""How a process gives up its rights: system calls that Python has no function for.

This file runs inside the jail and uses the standard library alone. A process first gets namespaces
of its own, then its limits, then loses its capabilities, and last the system calls themselves.
Nothing here can be taken back by the code that runs afterwards.
"""

import contextlib
import ctypes
import os
import resource
import socket
import struct

NEW_MOUNTS, NEW_UTS, NEW_IPC = 0x00020000, 0x04000000, 0x08000000
NEW_USER, NEW_PIDS, NEW_NETWORK = 0x10000000, 0x20000000, 0x40000000
INNER = NEW_MOUNTS | NEW_UTS | NEW_IPC | NEW_NETWORK

SCRATCH = "/scratch"  # all that a jailed process can write to; not /tmp, where a clone may lie
INSIDE_UID = 1000  # what a student's process believes to be, in its own user namespace

_NOSUID, _NODEV, _NOEXEC, _RDONLY, _PRIVATE, _REC = 2, 4, 8, 1, 1 << 18, 1 << 14
_SET_DUMPABLE, _SET_SECCOMP, _CAPBSET_DROP, _SET_NO_NEW_PRIVS, _SET_DEATH_SIGNAL = 4, 22, 24, 38, 1
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # landlock, the same on every machine

_libc = ctypes.CDLL(None, use_errno=True)


def _do(what: str, result: int) -> int:
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, f"{what}: {os.strerror(error)}")
    return result


def become(uid: int) -> None:
    """Turn root into an ordinary user for good.

    Root is exempt from the limit on processes, and reads everything that it can see.
    """
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    _do("prctl", _libc.prctl(_SET_DUMPABLE, 1, 0, 0, 0))  # or its /proc/self would belong to root


def die_with_parent() -> None:
    """Have the kernel kill this process when the one that started it ends."""
    _do("prctl", _libc.prctl(_SET_DEATH_SIGNAL, 9, 0, 0, 0))


def new_namespaces(kinds: int) -> None:
    """Namespaces of its own for this process, one of users among them.

    Args:
        kinds: those beside that of users, such as `INNER`.
    """
    uid, gid = os.getuid(), os.getgid()
    _do("unshare", _libc.unshare(NEW_USER | kinds))
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", f"{INSIDE_UID} {uid} 1"),
        ("gid_map", f"{INSIDE_UID} {gid} 1"),
    ):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)


def child_alone(own: int) -> None:
    """Have the next child see no process but itself.

    Args:
        own: an open file of this process's own /proc/self/ns/pid.
    """
    _do("setns", _libc.setns(own, NEW_PIDS))  # forget the namespace of the child before
    _do("unshare", _libc.unshare(NEW_PIDS))


def own_mounts(megabytes: int) -> None:
    """Hide /proc, and lay an empty writable folder of limited size over `SCRATCH`."""
    mount = lambda *words: _do("mount", _libc.mount(*words))
    mount(None, b"/", None, _REC | _PRIVATE, None)
    flags = _NOSUID | _NODEV | _NOEXEC
    size = f"size={megabytes}m,nr_inodes=4096,mode=0700".encode()
    mount(b"tmpfs", SCRATCH.encode(), b"tmpfs", flags, size)
    mount(b"tmpfs", b"/proc", b"tmpfs", flags | _RDONLY, b"size=4k,nr_inodes=2,mode=0555")
    os.chdir(SCRATCH)
    socket.sethostname("jail")


def limit(*, seconds: int, memory: int, file: int, threads: int | None) -> None:
    """Set the kernel's limits on this process.

    Args:
        seconds: of processor time.
        memory: bytes of address space, above what is in use already.
        file: bytes of the largest file.
        threads: how many it may start; None sets no limit.
    """
    with open("/proc/self/statm") as statm:
        in_use = int(statm.read().split()[0]) * os.sysconf("SC_PAGESIZE")
    limits = {
        resource.RLIMIT_CPU: seconds,
        resource.RLIMIT_AS: in_use + memory,
        resource.RLIMIT_FSIZE: file,
        resource.RLIMIT_NOFILE: 64,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_MEMLOCK: 0,
        resource.RLIMIT_MSGQUEUE: 0,
        resource.RLIMIT_SIGPENDING: 64,
    }
    if threads is not None:
        limits[resource.RLIMIT_NPROC] = threads
    for kind, most in limits.items():
        hard = resource.getrlimit(kind)[1]
        if hard != resource.RLIM_INFINITY:
            most = min(most, hard)
        resource.setrlimit(kind, (most, most))


def drop_capabilities() -> None:
    """Give up every capability, and the way to get one by starting another program."""
    _do("prctl", _libc.prctl(_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
    with contextlib.suppress(OSError):  # EINVAL: there are no more of them; EPERM: none was held
        for number in range(64):
            _do("prctl", _libc.prctl(_CAPBSET_DROP, number, 0, 0, 0))
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    _do("capset", _libc.capset(header, (ctypes.c_uint32 * 6)()))


def landlock_version() -> int:
    """The version of landlock that this kernel offers; 0 if it offers none."""
    return max(0, _libc.syscall(_CREATE_RULESET, None, 0, 1))


def landlock(readable: list[str], listed: list[str]) -> None:
    """Refuse every file but some, for reading alone, and TCP, where the kernel knows how.

    Args:
        readable: files and folders that may be read, with all that they hold.
        listed: folders whose names alone may be seen.
    """
    version = landlock_version()
    files = (1 << (13 + (version >= 2) + (version >= 3))) - 1 | (1 << 15 if version >= 5 else 0)
    tcp, outside = 3 if version >= 4 else 0, 3 if version >= 6 else 0  # signals, abstract sockets
    rules = struct.pack("QQQ", files, tcp, outside)
    rules = rules[: 8 if version < 4 else 16 if version < 6 else 24]
    ruleset = _do("landlock", _libc.syscall(_CREATE_RULESET, rules, len(rules), 0))
    read_file, read_folder = 1 << 2, 1 << 3
    for path, allowed in [(p, read_file | read_folder) for p in readable] + [
        (p, read_folder) for p in listed
    ]:
        try:
            place = os.open(path, os.O_PATH | os.O_CLOEXEC)
        except FileNotFoundError:
            continue
        except PermissionError:
            raise PermissionError(
                f"user {os.getuid()} cannot reach {path}: use a Python that everyone can read"
            ) from None
        if not os.path.isdir(path):
            allowed = read_file
        rule = struct.pack("=Qi", allowed, place)
        _do("landlock", _libc.syscall(_ADD_RULE, ruleset, 1, rule, 0))
        os.close(place)
    _do("prctl", _libc.prctl(_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
    _do("landlock", _libc.syscall(_RESTRICT_SELF, ruleset, 0))
    os.close(ruleset)


def filter_calls(program: bytes) -> None:
    """Load a seccomp filter: from here on, system calls that it does not name fail.

    Args:
        program: BPF instructions, as `seccomp.program` makes them.
    """
    instructions = ctypes.create_string_buffer(program, len(program))

    class Program(ctypes.Structure):
        _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_void_p)]

    loaded = Program(len(program) // 8, ctypes.addressof(instructions))
    _do("seccomp", _libc.prctl(_SET_SECCOMP, 2, ctypes.byref(loaded), 0, 0))

"""Which system calls a student's process may make, as a program for the kernel.

Named are the calls that NumPy, PyTorch and Matplotlib need to compute; whatever is not named fails
with "Operation not permitted". No sockets, no new processes or programs, no mounts, no tracing.
libseccomp translates the list for the machine at hand.
"""

import ctypes
import errno
import os

_WORDS = """
    read readv pread64 preadv preadv2 write writev pwrite64 pwritev pwritev2 lseek _llseek
    open openat close close_range dup dup2 dup3 fcntl fcntl64 flock fsync fdatasync sync_file_range
    ftruncate ftruncate64 truncate truncate64 fallocate fadvise64 readahead
    sendfile sendfile64 copy_file_range
    stat stat64 lstat lstat64 fstat fstat64 newfstatat fstatat64 statx statfs statfs64 fstatfs
    fstatfs64 access faccessat faccessat2 readlink readlinkat getdents getdents64 getcwd chdir
    fchdir mkdir mkdirat rmdir unlink unlinkat rename renameat renameat2 link linkat
    symlink symlinkat chmod fchmod fchmodat umask utimensat utime utimes futimesat
    pipe pipe2 poll ppoll select _newselect pselect6 epoll_create epoll_create1 epoll_ctl epoll_wait
    epoll_pwait epoll_pwait2 eventfd eventfd2
    brk mmap mmap2 munmap mremap mprotect madvise msync mincore membarrier
    futex futex_time64 set_robust_list get_robust_list rseq set_tid_address arch_prctl
    sched_yield sched_getaffinity sched_getparam sched_getscheduler sched_get_priority_max
    sched_get_priority_min getpriority get_mempolicy
    exit exit_group rt_sigaction rt_sigprocmask rt_sigreturn rt_sigpending rt_sigtimedwait
    rt_sigsuspend sigaltstack restart_syscall pause alarm getitimer setitimer
    nanosleep clock_nanosleep clock_gettime clock_getres gettimeofday time times
    timer_create timer_settime timer_gettime timer_delete timer_getoverrun
    getpid getppid gettid getuid geteuid getgid getegid getresuid getresgid getgroups getpgid
    getpgrp getsid capget getrlimit ugetrlimit getrusage sysinfo uname getcpu getrandom
"""

ALLOWED = _WORDS.split()

# To a process that sees none but itself. Elsewhere even these are refused.
SIGNALS = ["kill", "tkill", "tgkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo"]

_ERRNO = 0x00050000
_ALLOW = 0x7FFF0000
_EQUAL, _MASKED_EQUAL = 4, 7
_OPTIMIZE = 8
_CLONE_THREAD = 0x00010000
_TERMINAL = (
    0x5401,
    0x5413,
    0x541B,
    0x5451,
    0x5421,
)  # TCGETS, TIOCGWINSZ, FIONREAD, FIOCLEX, FIONBIO
_PRCTL = (3, 15, 16, 21, 23, 39)  # get dumpable; set, get name; get seccomp, bounds, no_new_privs


class _Comparison(ctypes.Structure):
    _fields_ = [
        ("argument", ctypes.c_uint),
        ("how", ctypes.c_int),
        ("a", ctypes.c_uint64),
        ("b", ctypes.c_uint64),
    ]


def program(signals: bool) -> bytes:
    """The filter, as BPF instructions for this machine.

    Args:
        signals: whether the process may send signals.

    Raises:
        OSError: libseccomp is missing or refuses.
    """
    try:
        library = ctypes.CDLL("libseccomp.so.2")
    except OSError:
        raise OSError("libseccomp.so.2 is not installed; on Debian: apt install libseccomp2") from (
            None
        )
    library.seccomp_init.restype = ctypes.c_void_p
    rules = ctypes.c_void_p(library.seccomp_init(ctypes.c_uint32(_ERRNO | errno.EPERM)))
    if not rules:
        raise OSError("libseccomp: seccomp_init failed")

    def add(name, *comparisons, action=_ALLOW):
        number = library.seccomp_syscall_resolve_name(name.encode())
        if number < 0:  # not a call of this machine, or newer than the library
            return
        array = (_Comparison * len(comparisons))(*comparisons)
        code = library.seccomp_rule_add_array(
            rules, ctypes.c_uint32(action), number, len(comparisons), array
        )
        if code:
            raise OSError(-code, f"libseccomp: {name}: {os.strerror(-code)}")

    library.seccomp_attr_set(rules, _OPTIMIZE, 2)  # a tree, where the library knows how
    for name in ALLOWED + (SIGNALS if signals else []):
        add(name)
    add("clone", _Comparison(0, _MASKED_EQUAL, _CLONE_THREAD, _CLONE_THREAD))
    for name in ("recvfrom", "sendto"):  # with the judge, whose socket is number 3
        add(name, _Comparison(0, _EQUAL, 3, 0))
    add("clone3", action=_ERRNO | errno.ENOSYS)  # its flags lie in memory: fall back to clone
    for request in _TERMINAL:
        add("ioctl", _Comparison(1, _EQUAL, request, 0))
    for option in _PRCTL:
        add("prctl", _Comparison(0, _EQUAL, option, 0))
    add("prlimit64", _Comparison(2, _EQUAL, 0, 0))  # to read a limit, not to set one
    file = os.memfd_create("seccomp")
    try:
        if code := library.seccomp_export_bpf(rules, file):
            raise OSError(-code, f"libseccomp: {os.strerror(-code)}")
        return os.pread(file, os.fstat(file).st_size, 0)
    finally:
        os.close(file)
        library.seccomp_release(rules)

"""The warm process of a jail: it loads NumPy once, and then forks for every submission.

It never computes, since a child of a process with running threads may hang. For each submission
it forks the student's process, which gives up its rights and then serves; meanwhile it holds the
output, kills the process when told to, and says how it ended. It runs none of the student's code.
"""

import base64
import contextlib
import gc
import importlib
import json
import os
import select
import signal
import socket
import sys

from dlcourse.grading import confine, inside

_TAIL = 4000  # bytes of output that are kept, from the end


def main() -> None:
    """Serve on the socket whose number is the first argument; the second is the set-up as JSON."""
    control = socket.socket(fileno=int(sys.argv[1]))
    setup = json.loads(sys.argv[2])
    setup["seccomp"] = base64.b64decode(setup["seccomp"])
    try:
        if setup["uid"] is not None:
            confine.become(setup["uid"])
        confine.die_with_parent()
        if setup["namespaces"]:
            setup["own"] = _first_of_its_own()
        for name in setup["modules"]:
            with contextlib.suppress(ImportError):
                importlib.import_module(name)
        if "torch" in sys.modules:  # it looks the processor up in /proc, which is hidden later
            sys.modules["torch"].backends.cpu.get_cpu_capability()
    except Exception as error:
        control.send(json.dumps({"failed": f"{type(error).__name__}: {error}"}).encode())
        return
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.collect()
    gc.freeze()  # or collecting garbage would copy these pages in every child
    control.send(b"{}")
    while True:
        message, files, _, _ = socket.recv_fds(control, 100, 1)
        if not message:
            return
        if message != b"start":  # "kill", for a process that ended by itself
            continue
        try:
            ended = _keep(control, files[0], setup)
        except OSError as error:
            ended = {"failed": f"{type(error).__name__}: {error}"}
        control.send(json.dumps(ended).encode())


def _first_of_its_own() -> int:
    """Go on as the first process of a namespace that is ours to divide; an open file of it."""
    confine.new_namespaces(confine.NEW_PIDS)
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        os._exit(0)
    confine.die_with_parent()
    return os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)


def _keep(control: socket.socket, connection: int, setup: dict) -> dict:
    """Run one student's process to its end; how it ended, and the tail of its output."""
    tail, killed = b"", False
    with contextlib.ExitStack() as stack:
        output, its_output = os.pipe2(os.O_CLOEXEC)
        stack.callback(os.close, output)
        try:
            if setup["namespaces"]:
                confine.child_alone(setup["own"])
            student = os.fork()
            if student == 0:
                _student(connection, its_output, setup)
        finally:
            os.close(its_output)
            os.close(connection)
        ended = os.pidfd_open(student)
        stack.callback(os.close, ended)
        events = select.poll()
        for file in (control.fileno(), output, ended):
            events.register(file, select.POLLIN)
        while True:
            ready = {file for file, _ in events.poll()}
            if output in ready:
                piece = os.read(output, 1 << 16)
                tail = (tail + piece)[-_TAIL:]
                if not piece:
                    events.unregister(output)
            if control.fileno() in ready:
                killed = True
                os.kill(student, signal.SIGKILL)
                if control.recv(100) != b"kill":  # the judge is gone
                    os._exit(0)
            if ended in ready:
                break
        _, status, usage = os.wait4(student, 0)
        os.set_blocking(output, False)
        with contextlib.suppress(BlockingIOError):
            while piece := os.read(output, 1 << 16):
                tail = (tail + piece)[-_TAIL:]
    return {
        "signal": os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0,
        "exit": os.WEXITSTATUS(status) if os.WIFEXITED(status) else 0,
        "killed": killed,
        "cpu": usage.ru_utime + usage.ru_stime,
        "memory": usage.ru_maxrss * 1024,
        "tail": tail.decode("utf-8", "replace"),
    }


def _student(connection: int, output: int, setup: dict) -> None:
    """Become the student's process: give up everything, then serve. Does not return."""
    try:
        confine.die_with_parent()
        os.setsid()
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        for standard in (1, 2):
            os.dup2(output, standard)
        os.dup2(connection, 3)
        os.closerange(4, 4096)
        for number in (signal.SIGINT, signal.SIGPIPE, signal.SIGXFSZ):
            signal.signal(number, signal.SIG_IGN if number != signal.SIGINT else signal.SIG_DFL)
        confine.limit(**setup["limits"])
        if setup["namespaces"]:
            confine.new_namespaces(confine.INNER)
            confine.own_mounts(setup["disk"])
        judge = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM, 0, fileno=3)
        confine.drop_capabilities()
        if setup["landlock"]:
            confine.landlock(setup["readable"], setup["listed"])
        if setup["seccomp"]:
            confine.filter_calls(setup["seccomp"])
        inside.serve(judge)
    except BaseException as error:
        with contextlib.suppress(BaseException):
            os.write(2, f"\n{type(error).__name__}: {error}\n".encode())
        os._exit(97)
    os._exit(0)


if __name__ == "__main__":
    main()

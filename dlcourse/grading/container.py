"""Level 3: the judge in a container, where the system has no jail of its own (macOS, Windows).

The image is Debian with this library in it, built once by Docker or Podman. A container of it has
no network and sees three things: the assignment, what was handed in, and the folder for the
results. Inside, the judge grades at level 2, so that a student's code is kept from all of them.
"""

import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from dlcourse.grading import assignment, bundle, jail
from dlcourse.grading.rebuild import Plan

PROGRAMS = ("docker", "podman")
BASE = "docker.io/library/debian:bookworm-slim"
NOBODY = 65534
LIBRARIES = 1024  # MB that a judge and a warm process hold beside what a submission may use

_CONTAINERFILE = f"""\
FROM {BASE}
COPY set-up.sh /opt/
RUN bash /opt/set-up.sh
COPY dlcourse /opt/course/dlcourse
ENV PYTHONPATH=/opt/course OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 HOME=/tmp MPLCONFIGDIR=/tmp
RUN {bundle.PYTHON} -m compileall -q /opt/course
ENTRYPOINT ["{bundle.PYTHON}", "-P", "-m", "dlcourse.cli"]
"""


def find() -> tuple[str, str]:
    """The container program that works here, and "" or what keeps all of them from working."""
    reasons = []
    for program in filter(shutil.which, PROGRAMS):
        try:
            asked = subprocess.run([program, "info"], capture_output=True, text=True, timeout=60)
        except (OSError, subprocess.TimeoutExpired) as error:
            reasons.append(f"{program} does not answer ({type(error).__name__})")
            continue
        if asked.returncode == 0:
            return program, ""
        said = (asked.stderr.strip().splitlines() or ["no reason given"])[-1]
        reasons.append(f"{program} is installed, but does not work: {said}")
    return "", "; ".join(reasons) or "neither docker nor podman is installed"


def grade(
    source: Path, handed: Path, out: Path, words: Sequence[str] = (), *,
    jobs: int | None = None, image: str | None = None,
) -> int:  # fmt: skip
    """Grade a class in a container; returns the exit status of `dlcourse grade` in it.

    Args:
        source: the assignment's manuscript.
        handed: the folder or archive of the class.
        out: the folder for the results; made if missing.
        words: more options for `dlcourse grade`.
        jobs: how many submissions at a time; the number of processors by default.
        image: with this library in it; built here by default, which needs the network once.

    Raises:
        jail.JailError: there is no container program, or it does not build the image.
        ValueError: a path cannot be handed to it.
    """
    if not handed.exists():
        raise ValueError(f"{handed} does not exist; give the folder or archive of a class")
    modules = Plan.of(assignment.read(source)).modules
    program = _program()
    out.mkdir(parents=True, exist_ok=True)
    # An archive keeps its ending, by which it is known.
    inside = "/handed" if handed.is_dir() else f"/handed{handed.suffix}"
    mounts = [(source, f"/assignment/{source.name}", True), (handed, inside, True),
              (out, "/out", False)]  # fmt: skip
    jobs = jobs or os.cpu_count() or 1
    command = ["grade", f"/assignment/{source.name}", inside, "--out", "/out", "--level", "2",
               "--jobs", str(jobs), *words]  # fmt: skip
    image = image or build(program, modules)
    if hasattr(os, "chown") and _user() == NOBODY:  # root does this as nobody
        for path in (out, *out.rglob("*")):
            shutil.chown(path, NOBODY, NOBODY)
    print(f"In the container, {out} is called /out.", flush=True)
    return _run(arguments(program, image, command, mounts=mounts, jobs=jobs))


def examine(image: str | None = None) -> int:
    """Run `dlcourse doctor` in the container; returns its exit status."""
    program = _program()
    image = image or build(program)
    return _run(arguments(program, image, ["doctor", "--level", "2"]))


def arguments(
    program: str, image: str, command: Sequence[str], *,
    mounts: Sequence[tuple[Path, str, bool]] = (), jobs: int = 1,
) -> list[str]:  # fmt: skip
    """The command line that runs the judge in a container.

    Args:
        program: "docker" or "podman".
        image: its name.
        command: the words after `dlcourse`.
        mounts: what it sees: the path here, the path there, and whether it may only be read.
        jobs: how many submissions it grades at a time.
    """
    memory = LIBRARIES + jobs * (LIBRARIES + jail.DEFAULT.memory)
    processes = 64 + jobs * (2 * jail.DEFAULT.threads + 16)
    bound = []
    for here, there, read_only in mounts:
        place = str(here.resolve())
        if {",", '"'} & set(place + there):
            raise ValueError(f"{place}: {program} takes no path with a comma or a quote; rename it")
        bound += ["--mount", f"type=bind,source={place},target={there}" + ",readonly" * read_only]
    own = ["--userns", "keep-id"] if program == "podman" and _user() != NOBODY else []
    return [
        program, "run", "--rm", *own, "--user", f"{_user()}:{_user(group=True)}",
        "--network", "none", "--read-only", "--tmpfs", "/tmp:rw,noexec,nosuid,nodev,size=64m",
        "--workdir", "/tmp", "--cap-drop", "ALL", "--security-opt", "no-new-privileges",
        "--memory", f"{memory}m", "--memory-swap", f"{memory}m", "--pids-limit", str(processes),
        *bound, image, *command,
    ]  # fmt: skip


def build(program: str, modules: Sequence[str] = ()) -> str:
    """The image of the judge, built unless it is here; its name.

    Args:
        program: "docker" or "podman".
        modules: what the assignment imports.

    Raises:
        jail.JailError: it cannot be built; the program has said why.
    """
    texts = {"Containerfile": _CONTAINERFILE, "set-up.sh": bundle.set_up(modules)}
    digest = hashlib.sha256(repr(texts).encode())
    for file, name in bundle.files():
        digest.update(name.encode() + b"\0" + file.read_bytes())
    image = f"dlcourse-judge:{digest.hexdigest()[:12]}"
    known = subprocess.run([program, "image", "inspect", image], capture_output=True)
    if known.returncode == 0:
        return image
    print(f"Building the image {image}, once. It takes some minutes and needs the network.")
    with tempfile.TemporaryDirectory() as context:
        for name, text in texts.items():
            Path(context, name).write_text(text, encoding="utf-8", newline="\n")
        for file, name in bundle.files():
            target = Path(context, name)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, target)
        words = [program, "build", "--tag", image, "--file", str(Path(context, "Containerfile"))]
        if subprocess.run([*words, context]).returncode:
            raise jail.JailError(f"{program} could not build the image; its reason stands above")
    return image


def _program() -> str:
    program, why = find()
    if why:
        raise jail.JailError(f"level 3 ({jail.NAMES[3]}): {why}")
    return program


def _user(group: bool = False) -> int:
    """Who runs in the container: whoever calls, but never root."""
    if not hasattr(os, "getuid") or os.getuid() == 0:
        return NOBODY
    return os.getgid() if group else os.getuid()


def _run(words: Sequence[str]) -> int:
    """Run it to its end. Ctrl-C reaches the container too: it stops as the judge does."""
    with subprocess.Popen(words) as process:
        while True:
            try:
                return process.wait()
            except KeyboardInterrupt:
                continue

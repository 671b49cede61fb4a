"""Gradescope: an archive that grades there, with our checks and, as far as possible, our jail.

Gradescope runs `setup.sh` once in a container, then `run_autograder` for each submission, and reads
`results.json`. The archive holds this library and the assignment with its solutions, so it stays
with the instructor. Where the container allows no jail at all nothing is graded and the reason is
told, unless `no_jail` was said when the archive was made: the container is then the only wall.
"""

import argparse
import json
import secrets
import sys
import tempfile
import time
import zipfile
from pathlib import Path

from dlcourse.checks.framework import PASSED
from dlcourse.grading import assignment, bundle, jail, submissions
from dlcourse.grading.grade import NEEDS_REVIEW, UNREADABLE, Grader, Result
from dlcourse.grading.rebuild import Plan

_ROOT = "/autograder"

_RUN = """\
#!/usr/bin/env bash
# Runs for each submission.
set -euo pipefail
cd {root}/source
export PYTHONPATH={root}/source OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1
exec {python} -P -m dlcourse.grading.gradescope {root}
"""


def make(path: str | Path, out: str | Path, *, seed: int | None = None, no_jail=False) -> Path:
    """Write the archive that Gradescope asks for.

    Args:
        path: the assignment's manuscript.
        out: the archive; an old one is replaced.
        seed: of all runs; a new secret one by default.
        no_jail: grade even where the container allows no jail.

    Returns:
        The path of the archive.
    """
    path, out = Path(path), Path(out)
    plan = Plan.of(assignment.read(path))
    seed = secrets.randbelow(2**31) if seed is None else seed
    settings = {"assignment": path.name, "seed": seed, "no_jail": bool(no_jail)}
    texts = {
        "setup.sh": bundle.set_up(plan.modules),
        "run_autograder": _RUN.format(root=_ROOT, python=bundle.PYTHON),
        "settings.json": json.dumps(settings),
        path.name: path.read_text(encoding="utf-8"),
    }
    out.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in texts.items():
            entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            program = name in ("setup.sh", "run_autograder")
            entry.external_attr = (0o100755 if program else 0o100644) << 16
            archive.writestr(entry, text, zipfile.ZIP_DEFLATED)
        for file, name in bundle.files():
            archive.write(file, name)
    return out


def results(result: Result, notes: tuple[str, ...] = ()) -> dict:
    """A result as Gradescope's ``results.json`` has it: one test for each step."""
    tests = []
    for check in result.checks:
        for number, step in enumerate(check.steps, start=1):
            tests.append(
                {
                    "name": f"{check.label}: {step.title}",
                    "number": f"{len({t['name'].split(':')[0] for t in tests} | {check.label})}"
                    f".{number}",
                    "score": step.earned,
                    "max_score": step.points,
                    "status": "passed" if step.state == PASSED else "failed",
                    "output": step.hint,
                    "output_format": "text",
                    "visibility": "visible",
                }
            )
    told = [] if result.state == "graded" else [f"State: {result.state}."]
    if result.state == NEEDS_REVIEW:
        told.append("A person will look at this submission; the score is not final.")
    if result.state == UNREADABLE:
        told.append("The file cannot be read, so nothing was judged.")
    return {
        "score": result.earned,
        "execution_time": round(result.seconds),
        "output": "\n".join([*told, *notes]),
        "output_format": "text",
        "visibility": "visible",
        "stdout_visibility": "hidden",
        "tests": tests,
    }


def main(arguments=None) -> int:
    """Grade what lies in ``ROOT/submission``, and write ``ROOT/results/results.json``.

    Where our own side fails no result is written: Gradescope then says that the autograder failed,
    which no one takes for a zero.
    """
    parser = argparse.ArgumentParser(prog="run_autograder", description=main.__doc__)
    parser.add_argument("root", type=Path, help="the autograder's folder")
    root = parser.parse_args(arguments).root
    begin = time.monotonic()
    settings = json.loads((root / "source" / "settings.json").read_text())
    source = root / "source" / settings["assignment"]
    data, notes, reason = _handed(root / "submission", source.stem)
    try:
        level = _level(settings["no_jail"])
        with Grader(
            source, level=level, no_jail=settings["no_jail"], jobs=1, limits=jail.DEFAULT
        ) as grader:
            result = grader.grade(data, settings["seed"])
    except (jail.JailError, ValueError) as error:
        print(f"Nothing was graded: {error}", file=sys.stderr)
        return 1
    if result.ours:
        print(f"Nothing was graded: {'; '.join(result.notes)}", file=sys.stderr)
        return 1
    answer = results(result, (*notes, *([reason] if reason else [])))
    answer["execution_time"] = round(time.monotonic() - begin)
    (root / "results").mkdir(exist_ok=True)
    target = root / "results" / "results.json"
    with tempfile.NamedTemporaryFile("w", dir=target.parent, delete=False) as file:
        json.dump(answer, file)
    Path(file.name).replace(target)
    target.chmod(0o644)
    return 0


def _level(no_jail: bool) -> int:
    """The best jail of this container, or none where that was allowed."""
    try:
        return jail.choose()
    except jail.JailError:
        if not no_jail:
            raise
        return jail.choose(4, no_jail=True)


def _handed(folder: Path, name: str) -> tuple[bytes, tuple[str, ...], str]:
    """The notebook that counts, what else was handed in, and why there is none."""
    try:
        submission = submissions.collect_one(folder, name)
        return submission.read(), submission.notes, ""
    except (ValueError, OSError) as error:  # a Refused is a ValueError
        return b"", (), f"{error}"


if __name__ == "__main__":
    sys.exit(main())

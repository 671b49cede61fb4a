"""`make test`: every stage in turn, one line each, and a count at the end.

A stage is a pytest run, or a command that passes or fails as a whole. What a stage prints goes to
`_build/test-logs/`; the end of it is shown where something failed.
"""

import os
import shutil
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOGS = ROOT / "_build" / "test-logs"
PYTHON = sys.executable
PYTEST = [PYTHON, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
# Two small nets in two processes are faster than either with two threads.
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")

STAGES = {
    "lint": [PYTHON, "-m", "ruff", "check", "."],
    "format": [PYTHON, "-m", "ruff", "format", "--check", "."],
    "book": [PYTHON, "book/_ext/build.py"],
    "unit": [*PYTEST, "tests", "--doctest-modules", "dlcourse", "-n", "2", "--dist", "loadfile",
             "-m", "not browser and not book",
             "--ignore=tests/grading", "--ignore=tests/checks"],
    "notebooks": [*PYTEST, "--nbval-lax", "chapters", "--ignore=chapters/exercises",
                  "--nbval-cell-timeout=120", "-n", "2", "--dist", "loadfile"],
    "chapters": [*PYTEST, "tests/book", "-m", "book"],
    "browser": [*PYTEST, "tests/browser", "-m", "browser", "-n", "2", "--dist", "loadfile"],
    "grading": [*PYTEST, "tests/grading", "tests/checks", "-n", "2", "--dist", "loadfile"],
}  # fmt: skip


def main():
    wanted = sys.argv[1:] or list(STAGES)
    unknown = set(wanted) - set(STAGES)
    if unknown:
        sys.exit(f"no stage {', '.join(sorted(unknown))}; there are: {', '.join(STAGES)}")
    LOGS.mkdir(parents=True, exist_ok=True)
    passed, failed, left_out = 0, 0, ""
    for name in wanted:
        missing = find_chromium() if name == "browser" else None
        if missing:
            print(f"browser    LEFT OUT: {missing}. Then run `make test` again.")
            left_out = " (the browser stage was left out: see above)"
            continue
        good, bad = run_stage(name, STAGES[name])
        passed, failed = passed + good, failed + bad
    if left_out:
        print(f"Not everything was tested{left_out}")
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed or not passed else 0)


def run_stage(name, command):
    """Run one stage and print its line; how many checks passed and how many failed."""
    log, report = LOGS / f"{name}.log", LOGS / f"{name}.xml"
    report.unlink(missing_ok=True)
    if command[: len(PYTEST)] == PYTEST:
        command = [*command, f"--junitxml={report}"]
    print(f"{name:10} ...", flush=True)
    start = time.monotonic()
    with log.open("w") as file:
        code = subprocess.call(
            command, cwd=ROOT, stdout=file, stderr=subprocess.STDOUT, env=os.environ | ONE_THREAD
        )
    good, bad, skipped = counts(report, code)
    line = f"{name:10} {good} passed, {bad} failed"
    line += f", {skipped} skipped" if skipped else ""
    print(f"{line}, {time.monotonic() - start:.0f} s", flush=True)
    if bad:
        tail = log.read_text(errors="replace").splitlines()[-60:]
        print("\n".join(f"    {text}" for text in tail))
        print(f"    (all of it: {log.relative_to(ROOT)})", flush=True)
    return good, bad


def counts(report, code):
    """(passed, failed, skipped) of a stage, from pytest's report or from the exit code alone."""
    if not report.exists():
        return (1, 0, 0) if code == 0 else (0, 1, 0)
    suites = ElementTree.parse(report).getroot().iter("testsuite")
    totals = [{key: int(s.get(key)) for key in ("tests", "failures", "errors", "skipped")}
              for s in suites]  # fmt: skip
    tests, failures, errors, skipped = (
        sum(total[key] for total in totals) for key in ("tests", "failures", "errors", "skipped")
    )
    bad = failures + errors
    # pytest can fail without a failed test: nothing collected, or a crash.
    return tests - bad - skipped, max(bad, int(code != 0)), skipped


def find_chromium():
    """The system's Chromium, or the one that playwright has fetched; exported for the tests.

    Returns:
        what is missing, in words; None if nothing is.
    """
    from playwright.sync_api import sync_playwright

    names = ("chromium", "chromium-browser", "google-chrome")
    found = os.environ.get("DLCOURSE_CHROMIUM") or next(
        filter(None, map(shutil.which, names)), None
    )
    try:
        with sync_playwright() as playwright:
            own = Path(playwright.chromium.executable_path)
    except Exception:  # it fails in its own words, which name no remedy
        return "playwright's driver does not start; on Debian: apt install libatomic1"
    if not found and not own.exists():
        return (
            "there is no Chromium; install it with `apt install chromium` or "
            "`.venv/bin/playwright install chromium`"
        )
    os.environ["DLCOURSE_CHROMIUM"] = found or str(own)
    return None


if __name__ == "__main__":
    main()

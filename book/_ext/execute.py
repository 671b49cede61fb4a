"""Run the notebook pages once, a few at a time, and keep their outputs.

The outputs go into a jupyter-cache, where Sphinx finds them: it executes nothing itself. A cached
page is found by its code cells; as their outputs follow from the library too, the name of the
cache's folder carries a hash of the library, and a new library begins a new folder.
"""

import errno
import hashlib
import os
import re
import shutil
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

import nbformat
from jupyter_cache import get_cache
from jupyter_cache.base import CacheBundleIn
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from sqlalchemy.exc import SQLAlchemyError

SECONDS, BYTES = 60, 3e9  # what one page may take
KERNEL_ENVIRONMENT = {
    "DLCOURSE_STATIC": "1",  # figures for a page without a kernel
    "MPLBACKEND": "module://matplotlib_inline.backend_inline",
    "PYTHONHASHSEED": "0",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
}
ANSI = re.compile(r"\x1b\[[0-9;]*m")


@dataclass
class Page:
    """A manuscript with cells to run."""

    docname: str
    path: Path
    notebook: nbformat.NotebookNode


@dataclass
class Result:
    """How the run of one page ended."""

    page: Page
    seconds: float
    bytes: int | None
    problem: str | None = None


def library_hash(root: Path) -> str:
    """A hash of what outputs depend on besides the page: library, recorded runs, pinned versions.

    Scripts and styles of the figures are left out: pages name them, and do not contain them.
    """
    shown_only = {".mjs", ".js", ".css", ".pyc"}
    digest = hashlib.sha256(f"{sys.version_info[:2]}".encode())
    folders = [*root.glob("dlcourse/**/*"), *root.glob("benchmarks/results/**/*")]
    for path in sorted([*folders, root / "requirements.txt"]):
        if path.is_file() and path.suffix not in shown_only:
            digest.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:12]


# The cache ---------------------------------------------------------------------------------------


class Outputs:
    """The outputs of executed pages, in a folder that a killed run may leave half written."""

    def __init__(self, build: Path, root: Path, say: Callable[[str], None] = print):
        self.folder = build / f"cache-{library_hash(root)}"
        for old in build.glob("cache-*"):
            if old != self.folder:
                shutil.rmtree(old, ignore_errors=True)
        self._open(say)

    def _open(self, say):
        self._cache = get_cache(self.folder)
        try:
            self._cache.list_cache_records()
        except (SQLAlchemyError, RuntimeError):
            say(f"The cache of executed pages, {self.folder}, is broken: every page runs again.")
            shutil.rmtree(self.folder)
            self._cache = get_cache(self.folder)
            self._cache.list_cache_records()

    def has(self, page: Page) -> bool:
        """Are the page's outputs here, and whole? What is not whole is thrown away."""
        try:
            record = self._cache.match_cache_notebook(page.notebook)
        except KeyError:
            return False
        try:
            self._cache.get_cache_bundle(record.pk)
        except Exception:  # a file that is missing, cut short or no JSON
            shutil.rmtree(self.folder / "executed" / record.hashkey, ignore_errors=True)
            return False
        return True

    def keep(self, page: Page, executed: nbformat.NotebookNode, seconds: float):
        """Store what a page has put out."""
        bundle = CacheBundleIn(executed, str(page.path), data={"execution_seconds": seconds})
        self._cache.cache_notebook_bundle(bundle, check_validity=False, overwrite=True)


# Running -----------------------------------------------------------------------------------------


def run_pages(pages: list[Page], outputs: Outputs, timeout: int, jobs: int = 2) -> list[Result]:
    """Run the pages that have no outputs yet; say what happens; return how each run ended."""
    os.environ.update(KERNEL_ENVIRONMENT)
    os.environ.pop("PYTHONWARNINGS", None)  # a warning in a page is to be seen
    to_run = [page for page in pages if not outputs.has(page)]
    for page in pages:
        if page not in to_run:
            _say(f"cached   {page.docname}")
    results = []
    pool = ThreadPoolExecutor(jobs)
    try:
        for future in as_completed([pool.submit(_run, page, timeout) for page in to_run]):
            result, executed = future.result()
            if result.problem is None:
                outputs.keep(result.page, executed, result.seconds)
            _report(result)
            results.append(result)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
    return results


def _say(line):
    """One line in one piece, since several threads write."""
    sys.stdout.write(f"  {line}\n")
    sys.stdout.flush()


def _run(page, timeout):
    """Run one page in a fresh kernel, in the page's folder."""
    _say(f"running  {page.docname}")
    executed = nbformat.from_dict(page.notebook)
    options = executed.metadata.get("execution", {})
    at, peak = [0], [0]  # the cell being run; the kernel's memory
    client = NotebookClient(
        executed,
        timeout=options.get("timeout", timeout),
        allow_errors=options.get("allow_errors", False),
        resources={"metadata": {"path": str(page.path.parent)}},
        record_timing=False,  # times would become a part of the page's key in the cache
        extra_arguments=["--IPKernelApp.log_level=ERROR"],
        on_cell_start=lambda cell, cell_index: at.append(cell_index),
        on_cell_executed=lambda **cell: peak.append(_peak_memory(client)),
    )
    start, problem = time.perf_counter(), None
    try:
        client.execute()
    except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
        problem = _describe(error, page, at[-1])
    seconds = time.perf_counter() - start
    return Result(page, seconds, max(peak) or None, problem), executed


def _peak_memory(client):
    """Most memory that the kernel has held, where the system tells it (Linux)."""
    try:
        status = Path(f"/proc/{client.km.provisioner.pid}/status").read_text()
        return 1024 * int(re.search(r"VmHWM:\s*(\d+)", status)[1])
    except (OSError, TypeError, AttributeError):
        return 0


def _report(result):
    name, seconds, size = result.page.docname, result.seconds, result.bytes or 0
    if result.problem:
        _say(f"FAILED   {name} ({seconds:.1f} s)\n{result.problem}")
        return
    memory = f", {size / 1e6:.0f} MB" if size else ""
    _say(f"done     {name} ({seconds:.1f} s{memory})")
    if seconds > SECONDS:
        _say(f"TOO SLOW {name}: {seconds:.0f} s, the budget of a page is {SECONDS} s")
    if size > BYTES:
        _say(f"TOO BIG  {name}: {size / 1e9:.1f} GB, the budget of a page is {BYTES / 1e9:.0f} GB")


# What went wrong ---------------------------------------------------------------------------------


def _describe(error, page, index):
    """Where the page stopped, in lines of its manuscript, and the end of the traceback."""
    source = page.notebook.cells[index].source.split("\n")
    row = page.notebook.metadata["source_map"][index]
    lines = page.path.read_text("utf-8").split("\n")
    while row < len(lines) - 1 and lines[row].strip() != source[0].strip():
        row += 1  # over the options of the cell
    if isinstance(error, CellTimeoutError):
        reason = ["the cell took longer than `execute: timeout` in _config.yml allows"]
    elif isinstance(error, DeadKernelError):
        reason = ["the kernel died: out of memory?"]
    else:
        trace = ANSI.sub("", error.traceback).rstrip().split("\n")
        row += _line_in_cell(trace)
        reason = trace[-6:]
    first = next((line for line in source if line.strip()), "")
    told = [f"{page.path}:{row + 1}: in the cell that begins with: {first}", *reason]
    return "\n".join(f"    {line}" for line in told)


def _line_in_cell(trace):
    """How far below the cell's first line the error is, as the traceback tells."""
    for line in trace:
        found = re.match(r"\s*Cell In\[\d+\], line (\d+)", line)
        if found:
            return int(found[1]) - 1
    return 0


def is_disk_full(error: BaseException | None) -> bool:
    """Was a full disk the cause, be it reported by the system or by SQLite?"""
    while error is not None:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            return True
        if "database or disk is full" in str(error):
            return True
        error = error.__cause__ or error.__context__
    return False

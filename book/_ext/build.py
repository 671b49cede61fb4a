"""Build the book: run its cells, make the site, write the notebooks, check what came out.

    .venv/bin/python book/_ext/build.py                  what `make book` does
    .venv/bin/python book/_ext/build.py --notebooks      what `make notebooks` does
    .venv/bin/python book/_ext/build.py 07-backpropagation     run this page only, and look at it

Says what it is doing, and shows every warning with its file and line; all else that Sphinx has to
tell goes to `_build/book.log`. Exits with 1 if anything is wrong.
"""

import argparse
import contextlib
import dataclasses
import errno
import functools
import io
import os
import shutil
import sys
import time
from pathlib import Path

import links
import manuscript
import pybtex.plugin
import sync
from execute import Outputs, Page, is_disk_full, run_pages
from jupyter_book.config import get_final_config
from jupyter_book.sphinx import build_sphinx
from myst_parser.config.main import MdParserConfig
from sphinx.util.console import nocolor
from sphinx_external_toc.parsing import MalformedError, parse_toc_yaml
from sqlalchemy.exc import SQLAlchemyError

ROOT = Path(__file__).resolve().parents[2]

# Each citation asks for the same few plugins, and each time all installed packages are searched:
# on a book with hundreds of citations that is a third of the time.
pybtex.plugin.find_plugin = functools.cache(pybtex.plugin.find_plugin)


def main(arguments: list[str] | None = None) -> int:
    """Build as the command line asks; return the exit status."""
    options = _options(arguments)
    sys.stdout.reconfigure(line_buffering=True)
    book = Book(options.root, options.out)
    try:
        return _build(book, options)
    except Exception as error:
        if is_disk_full(error):
            print(f"The disk is full. Make room ({book.build} may be deleted), then build again.")
        elif isinstance(error, SQLAlchemyError) or "jupyter cache" in str(error):
            print(f"The cache of executed pages is broken ({error}).")
            print(f"Delete it (rm -r {book.build}/cache-*), then build again.")
        else:
            raise
        return 1


def _options(arguments):
    parser = argparse.ArgumentParser(
        description="Run the cells of the book, make the site, write the notebooks, check both."
    )
    parser.add_argument("pages", nargs="*", help="run these pages only, for a quick look")
    parser.add_argument("--notebooks", action="store_true", help="bring chapters/ into step")
    parser.add_argument("--out", type=Path, help="folder for all that is built [_build]")
    parser.add_argument("--jobs", type=int, default=2, help="pages run at the same time [2]")
    parser.add_argument("--root", type=Path, default=ROOT, help="the folder of _config.yml")
    options = parser.parse_args(arguments)
    options.root = options.root.resolve()
    for name in ("_config.yml", "_toc.yml"):
        if not (options.root / name).is_file():
            parser.error(f"{options.root} has no {name}: is it the folder of a book?")
    options.out = (options.out or options.root / "_build").resolve()
    return options


class Book:
    """A book's folder and settings, and the folder that everything is built into."""

    def __init__(self, root: Path, build: Path):
        self.root, self.build = root, build
        self.site, self.templates = build / "html", build / "notebook_templates"
        self.chapters = root / "chapters"
        self.settings, _ = get_final_config(
            user_yaml=root / "_config.yml",
            cli_config={"latex_individualpages": False},
            sourcedir=root,
        )
        build.mkdir(parents=True, exist_ok=True)

    def notebook_pages(self) -> list[Page]:
        """Pages of the table of contents that have cells to run, in its order."""
        config = self._markdown()
        patterns = self.settings.get("nb_execution_excludepatterns") or []
        pages = []
        try:
            table = parse_toc_yaml(self.root / "_toc.yml")
        except MalformedError as error:
            sys.exit(f"{self.root / '_toc.yml'}: {error}")
        for docname in table:
            path = self.root / f"{docname.removesuffix('.md')}.md"
            if any(path.match(pattern) for pattern in patterns) or not path.is_file():
                continue  # Sphinx tells about files that are missing
            if manuscript.is_notebook(path):
                pages.append(Page(docname, path, manuscript.read(path, config)))
        return pages

    def _markdown(self):
        """The settings of the Markdown parser, as Sphinx will have them."""
        names = [field.name for field in dataclasses.fields(MdParserConfig)]
        given = {name: self.settings.get(f"myst_{name}") for name in names}
        return MdParserConfig(**{name: value for name, value in given.items() if value is not None})


def _build(book, options):
    clock = Clock()
    pages = book.notebook_pages()
    wanted = _choose(pages, options.pages)
    print(f"Running the cells of {len(wanted)} pages, {options.jobs} at a time")
    outputs = Outputs(book.build, book.root)
    results = run_pages(wanted, outputs, book.settings["nb_execution_timeout"], options.jobs)
    clock.lap("cells")
    failed = [result.page.docname for result in results if result.problem]
    if failed:
        print(f"The site was not built: mend {', '.join(failed)} first (see above).")
        return 1

    left_out = [page for page in pages if page not in wanted and not outputs.has(page)]
    print("Making the site")
    warnings = make_site(book, outputs, left_out)
    clock.lap("site")
    if left_out:
        names = ", ".join(page.docname for page in left_out)
        print(f"A quick look: not run, and shown without outputs: {names}")
        warnings = [line for line in warnings if any(str(page.path) in line for page in wanted)]
    if warnings:
        print(f"{len(warnings)} warnings, and none is allowed. Full log: {book.build}/book.log")
        return 1

    print("Checking links and notebooks")
    problems = links.check_site(book.site)
    if options.notebooks:
        for name, state in sync.bring_into_step(book.templates, book.chapters).items():
            print(f"  {state:8} chapters/{name}")
    elif not left_out:
        problems += [
            f"chapters/{name} is not in step with its manuscript ({state}): run `make notebooks`"
            for name, state in sync.out_of_step(book.templates, book.chapters).items()
        ]
    for problem in problems:
        print(f"  {problem}")
    clock.lap("checks")
    print(clock)
    print(f"{book.site / 'index.html'}")
    return 1 if problems else 0


def _choose(pages, names):
    """The pages that the command line names, by path or by slug; all, if it names none."""
    chosen = []
    for name in names:
        slug = Path(name).with_suffix("").as_posix()
        found = [page for page in pages if page.docname == slug or page.path.stem == slug]
        if not found:
            known = ", ".join(page.path.stem for page in pages)
            sys.exit(f"no page {name} with cells; the table of contents has: {known}")
        chosen += found
    return chosen or pages


# Sphinx ------------------------------------------------------------------------------------------


def make_site(book: Book, outputs: Outputs, left_out: list[Page]) -> list[str]:
    """Make the site from the executed pages; return the warnings, which are shown as they come."""
    patterns = list(book.settings.get("nb_execution_excludepatterns") or [])
    overrides = {
        "nitpicky": True,
        "external_toc_path": (book.root / "_toc.yml").as_posix(),
        "latex_individualpages": False,
        "nb_execution_cache_path": str(outputs.folder),
        "nb_execution_excludepatterns": patterns + [page.path.as_posix() for page in left_out],
    }
    nocolor()
    _remove_pages(book.site)
    with (book.build / "book.log").open("w", encoding="utf-8") as log:
        status, warning = _Status(log, sys.stdout), _Warnings(log, sys.stdout, book.root)
        with (
            contextlib.redirect_stdout(status),
            contextlib.redirect_stderr(warning),
            _unraisable(log),
        ):
            result = build_sphinx(
                book.root,
                book.site,
                noconfig=True,
                path_config=book.root / "_config.yml",
                confoverrides=overrides,
                doctreedir=book.build / ".doctrees",
                freshenv=True,  # else a warning shows once only
                warningiserror=True,
                keep_going=True,
            )
        if status.executed:
            warning.write(f"Sphinx ran cells that the cache should have: {status.executed}")
    if warning.disk_full:
        raise OSError(errno.ENOSPC, warning.FULL)
    if isinstance(result, BaseException):
        if is_disk_full(result) or isinstance(result, KeyboardInterrupt):
            raise result
        return [*warning.lines, f"Sphinx stopped: {result}"]
    if result and not warning.lines:
        return ["Sphinx failed without a warning"]
    return warning.lines


@contextlib.contextmanager
def _unraisable(log):
    """Log what objects say that fail while they are collected, such as the loop of an old kernel.

    Python tells it on stderr at any time, in several lines: none of them is about the book.
    """
    before = sys.unraisablehook
    sys.unraisablehook = lambda about: log.write(f"Ignored: {about.exc_value!r} {about.object}\n")
    try:
        yield
    finally:
        sys.unraisablehook = before


def _remove_pages(site):
    """Remove the pages of the last build: one that was renamed must not linger."""
    shutil.rmtree(site / "_sources", ignore_errors=True)
    for path in site.rglob("*.html"):
        if "_static" not in path.parts:
            path.unlink()


PHASES = {
    "reading sources": "reading the manuscripts",
    "writing output": "writing the pages",
}


class _Status(io.TextIOBase):
    """What Sphinx tells about its progress: all of it into the log, a line per phase on show."""

    def __init__(self, log, console):
        self.log, self.console = log, console
        self.shown, self.executed = set(), []

    def write(self, text):
        self.log.write(text)
        for start, phase in PHASES.items():
            if text.startswith(f"{start}... [") and phase not in self.shown:
                self.shown.add(phase)
                print(f"  {phase}", file=self.console, flush=True)
        if "Executing notebook" in text:
            self.executed.append(text.split(":")[0])
        return len(text)


class _Warnings(io.TextIOBase):
    """Warnings and errors: into the log, and on show with paths that can be clicked."""

    NOISE = ("Please also report this", "A bug report can be filed")
    FULL = os.strerror(errno.ENOSPC)

    def __init__(self, log, console, root):
        self.log, self.console, self.root = log, console, root
        self.lines, self.disk_full = [], False

    def write(self, text):
        if self.FULL in text or self.disk_full:
            self.disk_full = True  # every file to come would be a warning: one message says it all
            return len(text)
        self.log.write(text)
        line = text.strip()
        if line and not line.startswith(self.NOISE):
            self.lines.append(line)
            print(f"  {line}".replace(f"{self.root}/", ""), file=self.console, flush=True)
        return len(text)


class Clock:
    """How long each phase took."""

    def __init__(self):
        self._last, self._laps = time.perf_counter(), []

    def lap(self, name: str):
        """End a phase."""
        now = time.perf_counter()
        self._laps.append((name, now - self._last))
        self._last = now

    def __str__(self):
        parts = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in self._laps)
        return f"Built in {sum(seconds for _, seconds in self._laps):.1f} s ({parts})"


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        print("Stopped. The pages that were done are kept.")
        os._exit(130)  # without waiting for the running pages, whose kernels end by themselves

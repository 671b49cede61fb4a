"""A small book to build, and a way to build it as `make book` does."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXTENSIONS = ROOT / "book" / "_ext"
SAMPLE = Path(__file__).parent / "sample"

sys.path.insert(0, str(EXTENSIONS))

HEADER = """\
---
jupytext:
  text_representation:
    extension: .md
    format_name: myst
kernelspec:
  name: python3
  display_name: Python 3
---

"""


class SmallBook:
    """A book in a folder of its own."""

    def __init__(self, root: Path):
        self.root, self.out = root, root / "_build"

    def write(self, path: str, text: str):
        """Write a file below `book/`; a page gets the header that makes it a notebook."""
        path = self.root / "book" / path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(HEADER + text if text.startswith("# ") else text, encoding="utf-8")

    def edit(self, path: str, old: str, new: str):
        """Replace a text that stands in the file once."""
        path = self.root / path
        text = path.read_text("utf-8")
        assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in {path}"
        path.write_text(text.replace(old, new), encoding="utf-8")

    def build(self, *arguments: str) -> subprocess.CompletedProcess:
        """Run the driver; its output is in `stdout`, warnings and all."""
        command = [sys.executable, EXTENSIONS / "build.py", "--root", self.root, *arguments]
        environment = {**os.environ, "NO_COLOR": "1"}
        return subprocess.run(
            [str(part) for part in command],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=environment,
            cwd=self.root,
        )


def line_of(path: Path, text: str) -> int:
    """The line of a file on which a text stands."""
    return next(
        number
        for number, line in enumerate(path.read_text("utf-8").split("\n"), 1)
        if re.search(text, line)
    )


@pytest.fixture
def line_in():
    return line_of


def _copy_sample(root):
    shutil.copytree(SAMPLE, root, ignore=shutil.ignore_patterns("_build"))
    shutil.copytree(EXTENSIONS, root / "book" / "_ext", ignore=shutil.ignore_patterns("__py*"))
    return SmallBook(root)


@pytest.fixture(scope="session")
def rich_book(tmp_path_factory):
    """The sample, built once: do not change it."""
    book = _copy_sample(tmp_path_factory.mktemp("rich") / "sample")
    book.result = book.build("--notebooks")
    assert book.result.returncode == 0, book.result.stdout
    return book


@pytest.fixture
def tiny_book(tmp_path):
    """Two short pages to break and to mend."""
    book = _copy_sample(tmp_path / "tiny")
    for path in ("01-rich.md", "02-second.md", "layer.py"):
        (book.root / "book" / path).unlink()
    book.write("01-one.md", "# One\n\nText.\n\n```{code-cell}\nprint('one')\n```\n")
    book.write("02-two.md", "# Two\n\nText.\n\n```{code-cell}\nprint('two')\n```\n")
    for old, new in (("01-rich", "01-one"), ("02-second", "02-two")):
        book.edit("_toc.yml", old, new)
    return book

"""Read a manuscript into cells, as Sphinx reads it.

The driver needs the cells to run them, the converter to write the notebook. Both take them from
here, so that the outputs are found again in the cache, and so that each page is read once only.
"""

import functools
from pathlib import Path

import nbformat
from myst_nb.core.read import is_myst_markdown_notebook, read_myst_markdown_notebook
from myst_parser.config.main import MdParserConfig


def is_notebook(path: Path) -> bool:
    """Does the page have cells? Its header tells."""
    return path.suffix == ".md" and is_myst_markdown_notebook(path.read_text("utf-8"))


def read(path: Path, config: MdParserConfig) -> nbformat.NotebookNode:
    """The manuscript as a notebook; `metadata.source_map` has the row on which each cell begins.

    The notebook is shared: do not change it.
    """
    return _read(path, path.read_text("utf-8"), _Settings(config))


def first_lines(path: Path, notebook: nbformat.NotebookNode) -> list[int]:
    """The line on which each cell begins, counted from 1, without the blank lines before it."""
    rows = path.read_text("utf-8").split("\n")
    lines = []
    for row in notebook.metadata["source_map"]:
        while row < len(rows) - 1 and not rows[row].strip():
            row += 1
        lines.append(row + 1)
    return lines


class _Settings:
    """The settings of the Markdown parser, as a key: equal settings read a text alike."""

    def __init__(self, config):
        self.config = config

    def __eq__(self, other):
        return self.config == other.config

    def __hash__(self):
        return hash(frozenset(self.config.enable_extensions))


@functools.lru_cache(maxsize=256)
def _read(path, text, settings):
    return read_myst_markdown_notebook(text, config=settings.config, add_source_map=True, path=path)

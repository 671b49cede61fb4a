"""From the cells of a manuscript to the notebook that readers run.

The notebook holds the same text and code as the page, without outputs and with as little metadata
as it can have. Its bytes depend on the manuscript alone, and a cell keeps its id while other cells
are edited, so that a change of one paragraph is a small change in the repository too.
"""

import hashlib
import re

import nbformat
from myst_source import Problem
from myst_to_markdown import Page, to_markdown

KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}
METADATA = {
    "kernelspec": KERNEL,
    "language_info": {"name": "python"},
    "colab": {"provenance": [], "toc_visible": True},
}

# What these tags do on the site. Tags that steer the run of a cell (raises-exception, ...) stay.
HIDING_TAGS = {"hide-input", "hide-cell", "remove-input", "remove-cell"}
SITE_TAGS = HIDING_TAGS | {"hide-output", "remove-output", "full-width", "margin", "output_scroll"}
KEPT_METADATA = ("nbgrader", "deletable", "editable")  # nbgrader reads these


def notebook(cells, lines: list[int], page: Page, setup: str, url: str) -> nbformat.NotebookNode:
    """The notebook of a page, from its manuscript's cells and the line on which each begins.

    `setup` is the code of the cell behind the title, `url` is where Colab opens the notebook.
    """
    made = []
    for piece in _pieces(cells, lines, page):
        try:
            made += piece.cells(page)
        except Problem as problem:
            page.report(piece.line, problem)
    if not made or not made[0].source.startswith("# "):
        page.report(1, Problem("the page must begin with its title (# Title)"))
        return nbformat.v4.new_notebook()
    made[0].source = _with_link(made[0].source, url)
    made.insert(1, _cell("code", setup, "set-up"))
    if page.cited:
        made.append(_cell("markdown", _references(page), "references"))
    _give_ids(made, page.docname)
    return nbformat.v4.new_notebook(cells=made, metadata=METADATA)


class _Piece:
    """One cell of the manuscript, or one section of a Markdown cell."""

    def __init__(self, cell, source, line):
        self.kind, self.source, self.line = cell.cell_type, source, line
        self.metadata = cell.metadata
        self.tags = cell.metadata.get("tags", [])

    def cells(self, page):
        if self.kind == "markdown":
            source = to_markdown(self.source, page, self.line).strip("\n")
            return [_cell("markdown", source, self.source, self._metadata())] if source else []
        if self.kind == "code":
            return [*self._code_cell(), *self._caption_cell(page)]
        raise Problem(f"a {self.kind} cell; notebooks know Markdown and code cells")

    def _code_cell(self):
        if "myst_nb" in self.source:
            raise Problem(
                "a cell that imports myst_nb fails where the book is not installed; tag it "
                "[remove-cell, site-only]"
            )
        metadata = self._metadata()
        if HIDING_TAGS & set(self.tags):
            metadata["cellView"] = "form"  # Colab
            metadata["jupyter"] = {"source_hidden": True}  # JupyterLab
        return [_cell("code", self.source, self.source, metadata)]

    def _caption_cell(self, page):
        """The caption that the page prints under the cell's figure."""
        figure = self.metadata.get("mystnb", {}).get("figure", {})
        if not figure.get("caption"):
            return []
        if not figure.get("name"):
            raise Problem("a figure with a caption needs a name, which gives its number")
        number = page.site.caption_number("figure", figure["name"])
        caption = to_markdown(figure["caption"].strip(), page, self.line)
        return [_cell("markdown", f"**{number}** {caption}", f"caption {figure['name']}")]

    def _metadata(self):
        metadata = {key: self.metadata[key] for key in KEPT_METADATA if key in self.metadata}
        tags = [tag for tag in self.tags if tag not in SITE_TAGS]
        return {**metadata, "tags": tags} if tags else metadata


def _pieces(cells, lines, page):
    """Cells that go into the notebook, Markdown cut at its headings.

    Colab and JupyterLab fold and list sections by the heading with which a cell begins. A first
    pass over all Markdown collects the link definitions, which count for the whole page.
    """
    pieces = []
    for cell, line in zip(cells, lines, strict=True):
        if "site-only" in cell.metadata.get("tags", []):
            continue
        if cell.cell_type != "markdown" or "nbgrader" in cell.metadata:
            pieces.append(_Piece(cell, cell.source, line))
            continue
        tokens = page.reader.blocks(cell.source, page.link_definitions)
        rows = [
            token.map[0]
            for token in tokens
            if token.type == "heading_open" and token.level == 0 and token.tag in ("h1", "h2", "h3")
        ]
        source = cell.source.split("\n")
        for start, end in zip([0, *rows], [*rows, len(source)], strict=True):
            if start < end:
                pieces.append(_Piece(cell, "\n".join(source[start:end]), line + start))
    return pieces


def _cell(kind, source, origin, metadata=None):
    """A new cell; `origin` is the text in the manuscript from which its id is made."""
    cell = {"cell_type": kind, "source": source, "metadata": metadata or {}}
    if kind == "code":
        cell |= {"execution_count": None, "outputs": []}
    return nbformat.from_dict(cell | {"id": _digest(kind + origin)})


def _digest(text):
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _give_ids(cells, docname):
    """Ids from what stands in the manuscript: equal text gets equal ids, but for a counter.

    Computed numbers have no part in it, and neither has the place of the cell.
    """
    seen = {}
    for cell in cells:
        grade_id = cell.metadata.get("nbgrader", {}).get("grade_id")
        if grade_id:
            cell.id = re.sub(r"[^\w-]", "-", grade_id, flags=re.ASCII)[:64]
        else:
            digest = _digest(docname + cell.id)
            cell.id = digest if digest not in seen else f"{digest}-{seen[digest]}"
            seen[digest] = seen.get(digest, 0) + 1


def _with_link(source, url):
    """The title, and under it a link: a badge would be a picture from elsewhere."""
    title, _, rest = source.partition("\n")
    return f"{title}\n\n[Open in Colab]({url})" + (f"\n{rest}" if rest else "")


def _references(page):
    entries = page.site.bibliography(page.cited)
    return "## References\n\n" + "\n".join(f"- {entry}" for entry in entries)


def setup_source(repository: str, branch: str) -> str:
    """The first code cell: installs the library where it is missing."""
    return (
        "# Install the course's library where it is missing, as on Colab.\n"
        "import importlib.util\n"
        "\n"
        'if importlib.util.find_spec("dlcourse") is None:\n'
        f'    %pip install -q "dlcourse[torch] @ git+{repository}@{branch}"'
    )


def colab_url(repository: str, branch: str, path: str) -> str:
    """Where Colab opens the committed notebook at `path`."""
    owner_and_name = "/".join(repository.removesuffix(".git").rstrip("/").split("/")[-2:])
    return f"https://colab.research.google.com/github/{owner_and_name}/blob/{branch}/{path}"

"""Write the notebooks that readers run, from the same manuscripts as the pages.

A Sphinx extension. When the site is built it knows every number, title and citation; this writes,
beside the site, one clean notebook for each notebook page: `<site>/notebooks/` for `make notebooks`
to copy, `<site>/chapters/` for the download buttons, and templates that mark computed numbers.
What a notebook cannot show is an error with file and line, and the build fails.
"""

import posixpath
import shutil
from pathlib import Path

import dlbook_site
import manuscript
import nbformat
from glued import fill
from myst_source import MystReader, NoSuchTarget, Problem
from myst_to_markdown import Page
from notebook_cells import colab_url, notebook, setup_source
from site_references import SiteReferences
from sphinx.util import logging

logger = logging.getLogger(__name__)


def setup(app):
    app.connect("build-finished", write_notebooks)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}


def write_notebooks(app, exception):
    """Write the notebook of every notebook page, unless the build has failed already."""
    if exception is not None or app.builder.name != "html":
        return
    notebooks = notebook_paths(app)
    sphinx_warned = app._warncount > 0
    for folder in _folders(app):
        shutil.rmtree(folder, ignore_errors=True)
    for docname, path in notebooks.items():
        page = Page(
            docname=docname,
            reader=MystReader(app.env.myst_config),
            site=SiteReferences(app, docname, notebooks),
        )
        try:
            template = _template(app, page, path)
        except ValueError as error:  # an assignment that cannot be handed out
            page.report(1, Problem(str(error)))
        for line, problem in page.problems:
            if not (sphinx_warned and isinstance(problem, NoSuchTarget)):
                logger.error("%s", problem, location=(docname, line))
        if page.problems:
            app.statuscode = 1
        else:
            _write(app, path, template)


def notebook_paths(app) -> dict[str, str]:
    """Notebook pages, and the path of each one's notebook below `chapters/`."""
    root = posixpath.dirname(app.config.root_doc)  # "book"
    pages = {}
    for docname in sorted(app.env.found_docs):
        if manuscript.is_notebook(Path(app.env.doc2path(docname))):
            pages[docname] = posixpath.relpath(docname, root or ".") + ".ipynb"
    return pages


def _template(app, page, path):
    """The notebook's text, computed numbers marked."""
    repository, branch = repository_of(app)
    cells, lines = read_cells(app, page.docname)
    made = notebook(
        cells,
        lines,
        page,
        setup=setup_source(repository, branch),
        url=colab_url(repository, branch, f"chapters/{path}"),
    )
    return nbformat.writes(made, version=4) + "\n"


def repository_of(app) -> tuple[str, str]:
    """Address and branch of the repository, from `_config.yml`."""
    name, branch = dlbook_site.repository(app.config)
    return f"https://github.com/{name}", branch


def read_cells(app, docname):
    """The manuscript's cells, as a student gets them, and the line on which each begins."""
    path = Path(app.env.doc2path(docname))
    read = manuscript.read(path, app.env.myst_config)
    lines = manuscript.first_lines(path, read)
    if "exercises" not in docname.split("/"):
        return read.cells, lines
    from dlcourse.grading import assignment  # needs more than a plain page does

    cells = assignment.student_version(assignment.read(path)).cells
    return cells, lines if len(lines) == len(cells) else [1] * len(cells)


def _folders(app):
    """For `make notebooks`, for the download buttons, and templates: these stay out of the site."""
    site = Path(app.outdir)
    return site / "notebooks", site / "chapters", site.parent / "notebook_templates"


def _write(app, path, template):
    for folder, text in zip(_folders(app), (fill(template), fill(template), template), strict=True):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")

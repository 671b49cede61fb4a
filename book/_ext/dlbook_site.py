"""What the pages of the site need beyond Jupyter Book.

Buttons that open or download a page's notebook, exercises without their answers, folded answers
that work without a script, and only those assets that a page uses. Numbers of chapters and the
cutting down of icons have files of their own.
"""

import re
import shutil
import sys
from pathlib import Path

import dlbook_icons
import dlbook_numbers
import nbformat
from docutils import nodes
from notebook_cells import colab_url
from sphinx.errors import ExtensionError
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util.docutils import SphinxTranslator

_HERE = Path(__file__).parent


def configure(app, config):
    """Put our templates first, and see early whether the public address can be used."""
    repository(config)
    config.templates_path.insert(0, str(_HERE / "templates"))


def repository(config):
    """(owner/name, branch) of the public repository, from ``repository`` in _config.yml.

    Raises:
        ExtensionError: if the address is not of the form https://github.com/<owner>/<name>.
    """
    url = config.html_theme_options.get("repository_url", "")
    match = re.fullmatch(r"https://github\.com/([\w.-]+/[\w.-]+?)(?:\.git)?/?", url)
    if not match:
        raise ExtensionError(
            f"repository.url is {url!r}, expected https://github.com/<owner>/<name>: Colab opens "
            "notebooks from there; mend _config.yml"
        )
    return match[1], config.html_theme_options.get("repository_branch") or "main"


def notebook_of(app, docname):
    """Path of the notebook that readers run, relative to the site; None if the page has none.

    ``book/07-backpropagation`` gives ``chapters/07-backpropagation.ipynb``.
    """
    if not docname.startswith("book/") or "kernelspec" not in app.env.metadata.get(docname, {}):
        return None
    return "chapters/" + docname.removeprefix("book/") + ".ipynb"


def add_page_context(app, pagename, templatename, context, doctree):
    """Set what templates/ shows on this page: buttons, description, address for error reports."""
    name, branch = repository(app.config)
    context["dl_repository"] = f"https://github.com/{name}"
    context["dl_description"] = context.get("dl_description") or _description(doctree)
    # Priority 900 comes after the theme, whose own buttons lead to the Markdown source.
    context["header_buttons"] = []
    notebook = notebook_of(app, pagename)
    if notebook:
        context["header_buttons"] = [
            {
                "label": "colab",
                "url": colab_url(context["dl_repository"], branch, notebook),
                "text": "Colab",
                "tooltip": "Open this page as a notebook in Colab",
                "icon": "fa-solid fa-play",
            },
            {
                "label": "download-notebook",
                "url": context["pathto"](notebook, 1),
                "download": True,
                "text": "Notebook",
                "tooltip": "Download this page as a notebook (.ipynb)",
                "icon": "fa-solid fa-download",
            },
        ]
    body = context["body"] = _mend(context.get("body", ""))
    if re.search(r'class="[^"]*\bdl-figure\b', body):
        from dlcourse.figures import base

        modules = sorted(set(re.findall(r'data-module="(\w+)"', body)))
        for sheet in dict.fromkeys(path for name in modules for path in base.style_sheets(name)):
            app.add_css_file(f"figures/{sheet.name}", priority=850)
        app.add_js_file("figures/host.js", type="module")
    if not re.search(r'class="math\b', body):
        # Sphinx gives it to every page above one with formulas, too.
        _forget(context, "tex-chtml.js")
    if 'class="highlight"' not in body and "<pre" not in body:
        _forget(context, "clipboard.min.js", "copybutton.js", "copybutton.css")


def _mend(body):
    """Correct details in the HTML of Sphinx and MyST-NB."""
    # Browsers may break the line between a formula and the comma after it.
    formula = r'(<span class="math[^"]*">[^<]*</span>[,.;:!?)\]’”]+)'
    body = re.sub(formula, r'<span class="dl-together">\1</span>', body)
    # The label would be read in place of the words on it ("Show code cell source").
    body = body.replace('<summary aria-label="Toggle hidden content">', "<summary>")
    # A role that the standard has withdrawn; an entry of a list is one of its items.
    return body.replace('role="doc-biblioentry"', 'role="listitem"')


def _forget(context, *names):
    """Do not load these files on this page."""
    for key in ("css_files", "script_files"):
        files = context.get(key, [])
        kept = [f for f in files if not str(getattr(f, "filename", f)).endswith(names)]
        context[key] = kept


def _description(doctree):
    """First paragraph of the page, cut at a word to what search engines show (160 characters)."""
    if doctree is None:
        return ""
    for paragraph in doctree.findall(nodes.paragraph):
        if isinstance(paragraph.parent, nodes.section):
            text = " ".join(paragraph.astext().split())
            return text if len(text) <= 160 else text[:157].rsplit(" ", 1)[0] + " …"
    return ""


def hide_solutions(app, docname, source):
    """Replace the answers on an exercise page by the stubs that students get."""
    if not docname.startswith("book/exercises/"):
        return
    from dlcourse.grading import assignment

    # Reading it first refuses an assignment whose solutions are not marked from end to end.
    assignment.read(app.env.doc2path(docname))
    page = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source[0])])
    text = assignment.student_version(page).cells[0].source
    # These pages are not run, so no kernel tells in which language their cells are.
    head = r"(?m)^kernelspec:\n"
    source[0] = re.sub(head, r"\g<0>  language: python\n", text, count=1)


def keep_colons(app, what, name, obj, options, lines):
    """Stop Napoleon from taking the words before a colon in a property's docstring for a type."""
    if what in ("property", "attribute", "data"):
        lines[:0] = ["..", ""]  # it looks at the first line only, and this one shows nothing


def copy_assets(app):
    """Put the palette and the modules of the interactive figures where the pages look for them."""
    if app.builder.format != "html":
        return
    from dlcourse import plot

    static = Path(app.outdir) / "_static"
    static.mkdir(parents=True, exist_ok=True)
    (static / "palette.css").write_text(plot.css_variables(), "utf8")
    shutil.rmtree(static / "figures", ignore_errors=True)
    (static / "figures").mkdir()
    for path in sorted(Path(plot.__file__).with_name("figures").iterdir()):
        if path.suffix in (".mjs", ".js", ".css"):
            shutil.copy(path, static / "figures")


class Fold(nodes.General, nodes.Element):
    """A box that opens and closes: HTML's own ``details``, which needs no script."""


class FoldTitle(nodes.General, nodes.TextElement):
    """The line that stays visible: ``summary``."""


class FoldDropdowns(SphinxPostTransform):
    """Turn admonitions of class ``dropdown`` into `Fold` nodes."""

    default_priority = 400
    formats = ("html",)

    def run(self, **kwargs):
        for box in list(self.document.findall(nodes.Admonition)):
            if "dropdown" not in box.get("classes", []):
                continue
            classes = [
                c for c in box["classes"] if c != "dropdown" and not c.startswith("admonition-")
            ]
            folded = Fold("", classes=["dl-fold", *classes], ids=box["ids"])
            children = list(box.children)
            if children and isinstance(children[0], nodes.title):
                title = children.pop(0)
                folded += FoldTitle("", "", *title.children)
            else:
                folded += FoldTitle("", box.tagname.capitalize())
            folded += children
            box.replace_self(folded)


def _visit_fold(translator: SphinxTranslator, node):
    translator.body.append(translator.starttag(node, "details"))


def _depart_fold(translator, node):
    translator.body.append("</details>\n")


def _visit_fold_title(translator, node):
    translator.body.append(translator.starttag(node, "summary", ""))


def _depart_fold_title(translator, node):
    translator.body.append("</summary>\n")


def setup(app):
    # The pages describe the library that lies beside them, installed or not.
    root = str(app.srcdir)
    if root not in sys.path:
        sys.path.insert(0, root)
    # Jupyter Book sets it for an extension that the book does without.
    app.add_config_value("comments_config", {}, "html")
    dlbook_numbers.setup(app)
    app.add_node(Fold, html=(_visit_fold, _depart_fold))
    app.add_node(FoldTitle, html=(_visit_fold_title, _depart_fold_title))
    app.add_post_transform(FoldDropdowns)
    app.connect("config-inited", configure)
    app.connect("builder-inited", copy_assets)
    app.connect("source-read", hide_solutions)
    app.connect("autodoc-process-docstring", keep_colons, priority=400)
    app.connect("html-page-context", add_page_context, priority=900)
    app.connect("build-finished", dlbook_icons.cut_icons, priority=900)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}

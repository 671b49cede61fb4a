"""The converter: from MyST to Markdown that Colab, JupyterLab and GitHub render."""

import json
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest
from dlbook_notebooks import repository_of
from glued import fill, mark, matches
from markdown_it import MarkdownIt
from myst_nb.core.read import read_myst_markdown_notebook
from myst_parser.config.main import MdParserConfig
from myst_source import MystReader, NoSuchTarget
from myst_to_markdown import Page, to_markdown
from notebook_cells import colab_url, notebook, setup_source
from site_references import SiteReferences, Target

CONFIG = MdParserConfig(
    enable_extensions={
        "amsmath",
        "attrs_block",
        "attrs_inline",
        "colon_fence",
        "deflist",
        "dollarmath",
    }
)


class FakeSite:
    """Answers every question in a way that can be recognized."""

    base_url = ""

    def resolve(self, role, content):
        if "missing" in content:
            raise NoSuchTarget(f"{{{role}}}`{content}`: nothing has this name")
        return Target(f"{role} {content}", "book/other")

    def link_target(self, address):
        return Target("Other page", "book/other" if address.endswith(".md") else "book/this")

    def address(self, target, docname):
        return "other.ipynb" if target.docname == "book/other" else None

    def citation(self, role, content):
        return f"[{content} 1986]", content.split(",")

    def bibliography(self, keys):
        return [f"Entry {key}" for key in keys]

    def equation_number(self, label):
        return f"7.{len(label)}"

    def caption_number(self, kind, name):
        return f"Fig. {name}"

    def glued_text(self, key, format_spec=None):
        return format(0.98765, format_spec) if format_spec else "0.98765"


@pytest.fixture
def page():
    return Page("book/this", MystReader(CONFIG), FakeSite())


def convert(text, page):
    converted = to_markdown(text, page)
    assert not page.problems, page.problems
    return converted


# Plain Markdown ----------------------------------------------------------------------------------

PLAIN = [
    'A *plain* text with `code`, $x_1 + y_1$, a [link](https://example.org "T") and \\$5.',
    "Code: `{term}` and ``{term}`gradient` `` and \\{term}`x`.",
    "```python\n# {term}`x`\n:::{note}\n(target)=\n$$ a $$ (label)\n```",
    "    {term}`x` in an indented block\n    % not a comment",
    "~~~~\n```{note}\n```\n~~~~",
    "$$\nE = mc^2\n$$",
    "$$ E = mc^2 $$",
    "| a | b |\n|---|---|\n| `{eq}` | $x$ |",
    "- [ ] a task\n- [x] done",
    "<b>HTML</b> and <https://example.org>",
    "The set {1, 2} and a dict {a: b}.",
    "![remote](https://example.org/x.png)",
    "![described [in words]{.x}](https://example.org/x.png) and more text behind it",
]


@pytest.mark.parametrize("text", PLAIN)
def test_plain_markdown_stays_as_typed(text, page):
    assert convert(text, page) == text


# What is converted -------------------------------------------------------------------------------

CONVERTED = {
    "A {term}`gradient`.": "A *term gradient*.",
    "By {eq}`chain`, {numref}`fig`.": "By [eq chain](other.ipynb), [numref fig](other.ipynb).",
    "{cite:p}`a` and {cite}`b`": "[a 1986] and [b 1986]",
    "{cite:p}`a`(see)": "[a 1986\\](see)",
    "{math}`x^2`": "$x^2$",
    "{abbr}`MLP (multi-layer perceptron)`": '<abbr title="multi-layer perceptron">MLP</abbr>',
    "{py:func}`~dlcourse.optim.sgd` {py:class}`net <a.Net>` {py:mod}`a.b`": "`sgd()` `net` `a.b`",
    "(target)=\n# Title": "# Title",
    "% comment\n% more\n\nText": "Text",
    "{#anchor .wide}\nText\n\n{.x}\n{.y}\n## Title": "Text\n\n## Title",
    "- a\n\n  {.x}\n  b": "- a\n\n  b",
    "Above\n\n% comment\n\nBelow": "Above\n\nBelow",
    "[text]{.special} and `code`{.python}": "text and `code`",
    "[here](#label) and [there](other.md)": "here and [there](other.ipynb)",
    "[](other.md)": "[Other page](other.ipynb)",
    "[*a* {math}`x`](other.md)": "[*a* $x$](other.ipynb)",
    "$$ a $$ (two)": "$$a \\tag{7.3}$$",
    "$$\na\n$$ (two)": "$$\na\n\\tag{7.3}\n$$",
    "$$\na &= b \\\\\nc &= d\n$$": "$$\n\\begin{aligned}\na &= b \\\\\nc &= d\n\\end{aligned}\n$$",
    "\\begin{gather*}\na\n\\end{gather*}": "$$\n\\begin{gathered}\na\n\\end{gathered}\n$$",
    "```{math}\n:label: two\na\n```": "$$\na\n\\tag{7.3}\n$$",
    "> $$\n> a\n> $$ (two)": "> $$a \\tag{7.3}$$",
    "> $a +\n> b$": "> $a + b$",
    ":::{note}\nText.\n:::": "> **Note**\n>\n> Text.",
    "```{seealso}\nText.\n```": "> **See also**\n>\n> Text.",
    "above\n:::{tip}\nText.\n:::\nbelow": "above\n\n> **Tip**\n>\n> Text.\n\nbelow",
    "- item\n  :::{warning}\n  Text.\n  :::": "- item\n\n  > **Warning**\n  >\n  > Text.",
    "- :::{important}\n  Text.\n  :::": "- > **Important**\n  >\n  > Text.",
    "> :::{note}\n> Text.\n> :::": "> > **Note**\n> >\n> > Text.",
    ":::{note}\n$$\na\n$$\n:::": "> **Note**\n>\n> $$a$$",
    ":::{admonition} Why $x$ and `y`?\n:class: dropdown\nText.\n:::": (
        "<details>\n<summary>Why $x$ and <code>y</code>?</summary>\n\nText.\n\n</details>"
    ),
    "::::{note}\n:::{tip}\n{math}`x`\n:::\n::::": "> **Note**\n>\n> > **Tip**\n> >\n> > $x$",
    "| {math}`x` | {math}`x` |\n|---|---|\n| {math}`x` | b": "| $x$ | $x$ |\n|---|---|\n| $x$ | b",
    "1. 1\n2. {math}`1`": "1. 1\n2. $1$",
    "A {math}`x` here, *and {math}`y`*\nand {math}`z`": "A $x$ here, *and $y$*\nand $z$",
    "```{table} Some numbers\n:name: t\n| a |\n|---|\n| 1 |\n```": (
        "**Fig. t** Some numbers\n\n| a |\n|---|\n| 1 |"
    ),
}


@pytest.mark.parametrize("text", CONVERTED)
def test_conversion(text, page):
    assert convert(text, page) == CONVERTED[text]


def test_a_link_definition_counts_for_the_whole_page(page):
    page.reader.blocks("[ref]: https://example.org", page.link_definitions)
    assert convert("A [word][ref].", page) == "A [word](https://example.org)."


def test_terms_link_to_the_glossary_where_the_address_of_the_site_is_known(page):
    page.site.base_url = "https://example.org"
    assert convert("A {term}`gradient`.", page) == "A [term gradient](other.ipynb)."


@pytest.mark.parametrize(
    ("target", "base_url", "expected"),
    [
        ("book/07-b", "", None),  # the page itself
        ("book/08-o", "", "../08-o.ipynb"),
        ("book/07-b/more", "", "more.ipynb"),
        ("book/glossary", "", None),
        ("book/glossary", "https://e.org/x", "https://e.org/x/book/glossary.html#term-a"),
    ],
)
def test_links_go_to_notebooks_or_to_the_site(target, base_url, expected):
    site = object.__new__(SiteReferences)
    site.base_url = base_url
    site.builder = SimpleNamespace(get_target_uri=lambda docname: f"{docname}.html")
    here = "book/07-b" if target == "book/07-b" else "book/07-b/sub"
    site.notebooks = {
        name: f"{name.removeprefix('book/')}.ipynb"
        for name in ("book/07-b", "book/07-b/sub", "book/07-b/more", "book/08-o")
    }
    assert site.address(Target("text", target, "term-a"), here) == expected


def test_the_repository_comes_from_the_settings():
    options = {"repository_url": "https://github.com/a/b/", "repository_branch": "main"}
    app = SimpleNamespace(config=SimpleNamespace(html_theme_options=options))
    assert repository_of(app) == ("https://github.com/a/b", "main")


# What is refused ---------------------------------------------------------------------------------

REFUSED = {
    "Text\nwith {download}`x`.": (2, "unknown role {download}"),
    "\n\n```{margin}\nText.\n```": (3, "unknown directive {margin}"),
    ":::{note}\n\nText {kbd}`x`.\n:::": (3, "unknown role {kbd}"),
    "::::{note}\n:::{tip}\n{kbd}`x`\n:::\n::::": (3, "unknown role {kbd}"),
    ":::{note}\n---\nclass: dropdown\n---\n{kbd}`x`\n:::": (5, "unknown role {kbd}"),
    "- a\n- :::{note}\n  {kbd}`x`\n  :::": (3, "unknown role {kbd}"),
    ":::note\nText.\n:::": (1, "stands in braces"),
    ":::{note}\n:colour: red\nText.\n:::": (1, "colour"),
    "Text\n{term}`missing`": (2, "nothing has this name"),
    "Text[^1].\n\n[^1]: A footnote.": (3, "footnotes"),
    "Term\n: Its definition": (1, "definition lists"),
    "Text\n$$\na\n$$ (label)\nmore": (1, "blank lines above and below"),
    "A {term}`never closed": (1, "not closed"),
    "A paragraph. {#anchor}": (1, "belongs to nothing"),
    "A [word][nowhere].": (1, "without its definition"),
    "\\begin{align}\na\n\\end{align}": (1, "numbered on the site"),
    "```{figure} x.png\n```": (1, "x.png"),
    "![a](x.png)": (1, "x.png"),
    '<img src="x.png">': (1, "local file"),
    'Text <img src="x.png">': (1, "local file"),
    "```{math}\na\n\nb\n```": (1, "blank line inside a formula"),
    "{abbr}`MLP`": (1, "short form"),
}


@pytest.mark.parametrize("text", REFUSED)
def test_what_a_notebook_cannot_show_is_reported_with_its_line(text, page):
    def no_file(address):
        raise NoSuchTarget(f"file not found: {address}")

    page.site.file = no_file
    to_markdown(text, page)
    line, message = REFUSED[text]
    assert [line] == [line for line, _ in page.problems]
    assert message in str(page.problems[0][1])


# Computed numbers --------------------------------------------------------------------------------


def test_a_number_may_differ_where_it_was_computed_and_nowhere_else(page):
    template = convert("It is {glue:text}`accuracy:.1%` of 7, or {glue}`accuracy`.", page)
    assert fill(template) == "It is 98.8% of 7, or `0.98765`."
    assert matches(template, "It is 98.8% of 7, or `0.98765`.")
    assert matches(template, "It is 97.1% of 7, or `9.7e-01`.")
    assert not matches(template, "It is 98.8% of 8, or `0.98765`.")
    assert not matches(template, "It is good of 7, or `0.98765`.")
    assert not matches(template, "It is 98.8% of 7, or `0.98765`. More")
    assert not matches(template, "It is 98.8% of 7, or 0.98765.")
    assert matches("a\n" + template, "a\n" + fill(template))
    assert not matches("a\n" + template, "b\n" + fill(template))


@pytest.mark.parametrize("other", ["-1,234.5", "12", "1e-07", "nan", "-inf"])
def test_numbers_of_every_form_match(other):
    assert matches(mark("0.5"), other)


def test_words_match_within_their_line():
    assert matches(f'"a {mark("fast")} b"', '"a slow b"')
    assert not matches(f'"a {mark("fast")} b"', '"a slow"\n" b"')


# Whole notebooks ---------------------------------------------------------------------------------

MANUSCRIPT = """\
# Title

First.

## Section

Second.

```{code-cell}
---
nbgrader:
  schema_version: 3
  cell_type: code
  grade: false
  grade_id: my-answer
  locked: false
  solution: true
  task: false
---
answer = 1
```

```{code-cell}
:tags: [hide-input, raises-exception]
:mystnb: {image: {alt: "A picture"}}
1 / 0
```

```{code-cell}
:tags: [site-only, remove-cell]
from myst_nb import glue
```

Same.

```{code-cell}
answer
```

Same.
"""


def make(text, page):
    read = read_myst_markdown_notebook(text, config=CONFIG, add_source_map=True)
    lines = [line + 1 for line in read.metadata["source_map"]]
    made = notebook(
        read.cells,
        lines,
        page,
        setup=setup_source("https://github.com/o/r", "main"),
        url=colab_url("https://github.com/o/r", "main", "chapters/x.ipynb"),
    )
    page.cited.clear()
    return made


def test_notebook(page):
    made = make(MANUSCRIPT, page)
    assert not page.problems
    nbformat.validate(made)
    assert [cell.source.split("\n")[0] for cell in made.cells if cell.cell_type == "markdown"] == [
        "# Title", "## Section", "Same.", "Same."
    ]  # fmt: skip
    title, setup = made.cells[:2]
    assert title.source.startswith(
        "# Title\n\n[Open in Colab](https://colab.research.google.com/github/o/r/blob/main/chapters/x.ipynb)\n"
    )
    assert '%pip install -q "dlcourse[torch] @ git+https://github.com/o/r@main"' in setup.source
    code = [cell for cell in made.cells if cell.cell_type == "code"]
    assert [cell.source for cell in code[1:]] == ["answer = 1", "1 / 0", "answer"]
    assert all(cell.outputs == [] and cell.execution_count is None for cell in code)
    assert code[2].metadata == {
        "cellView": "form",
        "jupyter": {"source_hidden": True},
        "tags": ["raises-exception"],
    }
    assert made.metadata["colab"] == {"provenance": [], "toc_visible": True}
    assert made.metadata["kernelspec"]["name"] == "python3"


def test_nbgrader_metadata_stays_and_gives_the_id(page):
    cell = next(cell for cell in make(MANUSCRIPT, page).cells if "nbgrader" in cell.metadata)
    assert cell.id == "my-answer"
    assert cell.metadata == {
        "nbgrader": {
            "schema_version": 3,
            "cell_type": "code",
            "grade": False,
            "grade_id": "my-answer",
            "locked": False,
            "solution": True,
            "task": False,
        }
    }


def test_bytes_depend_on_the_manuscript_alone(page):
    again = Page("book/this", MystReader(CONFIG), FakeSite())
    assert nbformat.writes(make(MANUSCRIPT, page)) == nbformat.writes(make(MANUSCRIPT, again))


def test_an_edit_leaves_the_ids_of_other_cells(page):
    before = [cell.id for cell in make(MANUSCRIPT, page).cells]
    assert len(set(before)) == len(before)
    inserted = MANUSCRIPT.replace("## Section", "## New\n\nNew.\n\n## Section")
    after = [cell.id for cell in make(inserted, page).cells]
    assert [id for id in after if id in before] == before
    assert len(after) == len(before) + 1
    changed = [cell.id for cell in make(MANUSCRIPT.replace("Second.", "2nd."), page).cells]
    assert [old == new for old, new in zip(before, changed, strict=True)].count(False) == 1


def test_ids_do_not_depend_on_computed_numbers(page):
    text = "# T\n\n## S\n\nIt is {glue:text}`a:.2f`.\n"
    before = make(text, page)
    page.site.glued_text = lambda key, format_spec=None: "0.11"
    after = make(text, page)
    assert before.cells[2].source != after.cells[2].source
    assert [cell.id for cell in before.cells] == [cell.id for cell in after.cells]


def test_a_cell_that_needs_the_book_is_refused(page):
    make(MANUSCRIPT.replace("[site-only, remove-cell]", "[remove-cell]"), page)
    assert "site-only" in str(page.problems[0][1])


def test_a_page_must_have_a_title(page):
    make("Text without a title\n", page)
    assert "title" in str(page.problems[0][1])


# The sample, through Sphinx ----------------------------------------------------------------------


@pytest.fixture(scope="module")
def rich(rich_book):
    return nbformat.read(rich_book.root / "chapters" / "01-rich.ipynb", as_version=4)


@pytest.fixture(scope="module")
def rich_text(rich):
    return "\n\n".join(cell.source for cell in rich.cells if cell.cell_type == "markdown")


@pytest.fixture(scope="module")
def rich_html(rich_book):
    html = (rich_book.out / "html" / "book" / "01-rich.html").read_text("utf-8")
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", html))


@pytest.mark.parametrize(
    ("on_page", "in_notebook"),
    [
        ("(1.1)", "\\tag{1.1}"),
        ("(1.3)", "\\tag{1.3}"),
        ("Rumelhart et al. [1986], and later", None),
        ("[Rumelhart et al., 1986, Glorot and Bengio, 2010]", None),
        ("Fig. 1.1", "**Fig. 1.1** The color *blue*"),
        ("See Fig. 1.1, Figure 1.1", None),
        ("Table 1.1", "**Table 1.1** Numbers"),
        ("accuracy is 98.8% after 12 epochs: 12, fast", "98.8% after 12 epochs: `12`,\nfast"),
        (
            "def forward(self, x): return 2 * x",
            "```python\ndef forward(self, x):\n    return 2 * x",
        ),
        ("y = 2 * x", "```python\n    y = 2 * x\n```"),
        ("The second page", "[The second page](02-second.ipynb)"),
        ("Formulas", "see Formulas"),
        ("What the cell draws", "**Fig. 1.2** What the cell *draws*."),
    ],
)
def test_notebook_shows_what_the_page_shows(on_page, in_notebook, rich_html, rich_text):
    assert on_page in rich_html
    assert (in_notebook or on_page) in rich_text


def test_no_raw_myst_is_left(rich):
    """Read as CommonMark, no text outside code looks like a role, a directive or a target."""
    for cell in rich.cells:
        if cell.cell_type != "markdown":
            continue
        for token in MarkdownIt("commonmark").enable("table").parse(cell.source):
            if token.type == "inline":
                raw = "".join(child.content for child in token.children if child.type == "text")
                assert not re.search(r"\{[\w:]+\}`|:::|^\(\w+\)=|\{[.#]\w+\}", raw), raw
            assert not (token.type == "fence" and token.info.startswith("{"))


def test_pictures_travel_with_the_notebook(rich_text):
    assert len(re.findall(r"!\[[^]]*\]\(data:image/png;base64,[\w+/=]+\)", rich_text)) == 3
    assert "![" not in re.sub(r"!\[[^]]*\]\(data:", "", rich_text)


def test_references_are_listed_once_by_author(rich):
    title, _, first, second = rich.cells[-1].source.split("\n")
    assert title == "## References"
    assert first.startswith("- Xavier Glorot and Yoshua Bengio. Understanding the difficulty")
    assert "*Nature*, 323:533–536, 1986. [doi:10.1038/323533a0](https://doi.org/" in second


def test_templates_mark_the_computed_numbers(rich_book):
    template = (rich_book.out / "notebook_templates" / "01-rich.ipynb").read_text("utf-8")
    committed = (rich_book.root / "chapters" / "01-rich.ipynb").read_text("utf-8")
    assert fill(template) == committed
    assert matches(template, committed.replace("98.8%", "98.7%"))
    assert not matches(template, committed.replace("epochs", "rounds"))
    json.loads(committed)
    assert committed.endswith("}\n")


def test_the_page_offers_its_notebook_for_download(rich_book):
    offered = rich_book.out / "html" / "chapters" / "01-rich.ipynb"
    assert offered.read_text("utf-8") == (rich_book.root / "chapters" / "01-rich.ipynb").read_text(
        "utf-8"
    )


@pytest.mark.slow
def test_every_mistake_is_told_with_file_and_line(tiny_book, line_in):
    mistakes = {
        "{download}`x`": "unknown role {download}",
        "{term}`nothing like it`": "nothing like it",
        "![a picture](pictures/none.png)": "none.png",
        "{glue:text}`no_such_number:.1f`": "no_such_number",
    }
    tiny_book.write("01-one.md", "# One\n\n" + "\n\n".join(mistakes) + "\n")
    told = tiny_book.build()
    assert told.returncode == 1
    page = tiny_book.root / "book" / "01-one.md"
    for mistake, message in mistakes.items():
        line = line_in(page, re.escape(mistake))
        assert re.search(rf"book/01-one\.md:{line}: .*{re.escape(message)}", told.stdout), (
            mistake, told.stdout
        )  # fmt: skip
    assert not (tiny_book.out / "html" / "notebooks" / "01-one.ipynb").exists()
    assert (tiny_book.out / "html" / "notebooks" / "02-two.ipynb").exists()

    command = [Path(sys.executable).parent / "jupyter-book", "build", tiny_book.root]
    plain = subprocess.run(command, capture_output=True, text=True)
    assert "unknown role {download}" in plain.stderr
    assert plain.returncode != 0, "not only the driver, Sphinx itself fails"

"""The house set of directives, each as the plain Markdown that stands for it in a notebook.

A directive's arguments and options are read by the same code as on the site, with the site's own
directive classes. Options that only change its look are accepted and have no effect here.
"""

import base64
import mimetypes
import re
from dataclasses import dataclass
from pathlib import Path

from docutils.parsers.rst.directives.admonitions import Admonition, Note
from docutils.parsers.rst.directives.images import Image
from docutils.parsers.rst.directives.tables import RSTTable
from docutils.parsers.rst.states import MarkupError
from markdown_it import MarkdownIt
from mdit_py_plugins.dollarmath import dollarmath_plugin
from myst_parser.parsers.directives import parse_directive_text
from myst_source import Problem
from myst_to_markdown import Page, formula, to_markdown
from sphinx.directives.code import LiteralInclude, LiteralIncludeReader
from sphinx.directives.patches import Figure, MathDirective


@dataclass
class Directive:
    """A directive as read: everything that the functions below need to know about it."""

    name: str
    argument: str
    options: dict
    body: str
    body_line: int
    line: int
    quoted: bool
    page: Page

    def convert(self, text, quoted=None):
        """Markdown of a text within this directive."""
        quoted = self.quoted if quoted is None else quoted
        line = self.body_line if text == self.body else self.line
        return to_markdown(text, self.page, line, quoted)


def directive_to_markdown(name, argument, content, page, line, quoted) -> list[str]:
    """Lines of Markdown for ```` ```{name} argument ```` with `content`, which begins at `line`."""
    if name not in HOUSE_SET:
        raise Problem(
            f"unknown directive {{{name}}}: notebooks know {', '.join(sorted(HOUSE_SET))}; "
            "use one of these, or teach book/_ext/myst_directives.py another"
        )
    directive_class, to_lines = HOUSE_SET[name]
    begins_nested = content.startswith(":::")  # which would be taken for options
    content = "\n" + content if begins_nested else content
    try:
        parsed = parse_directive_text(directive_class, argument, content, line=line)
    except MarkupError as error:
        raise Problem(f"{{{name}}}: {error}") from None
    for warning in parsed.warnings:
        raise Problem(f"{{{name}}}: {warning.msg}")
    directive = Directive(
        name=name,
        argument=" ".join(parsed.arguments),
        options=parsed.options,
        body="\n".join(parsed.body).strip("\n"),
        body_line=line + 1 + parsed.body_offset - begins_nested,
        line=line,
        quoted=quoted,
        page=page,
    )
    return to_lines(directive)


# Boxes -------------------------------------------------------------------------------------------

TITLES = {"seealso": "See also"}


def _admonition(directive):
    title = directive.argument or TITLES.get(directive.name, directive.name.capitalize())
    classes = directive.options.get("class", [])
    if "dropdown" in classes:
        return _details(directive, title, is_open="toggle-shown" in classes)
    lines = [f"**{directive.convert(title).strip()}**"]
    if directive.body:
        lines += ["", *directive.convert(directive.body, quoted=True).strip("\n").split("\n")]
    return [f"> {line}".rstrip() for line in lines]


def _details(directive, title, is_open):
    """A fold. The blank lines make Markdown of what would else be read as HTML."""
    summary = _inline_html(directive.convert(title).strip())
    body = directive.convert(directive.body).strip("\n").split("\n")
    opening = "<details open>" if is_open else "<details>"
    return [opening, f"<summary>{summary}</summary>", "", *body, "", "</details>"]


def _inline_html(markdown):
    """A summary is HTML, where `code` and *stress* need tags; formulas stay as they are."""
    renderer = MarkdownIt("commonmark").use(dollarmath_plugin)
    renderer.add_render_rule(
        "math_inline", lambda self, tokens, index, options, env: f"${tokens[index].content}$"
    )
    return renderer.renderInline(markdown)


# Formulas, code, pictures, tables ----------------------------------------------------------------


def _math(directive):
    if "nowrap" in directive.options:
        raise Problem("{math}: nowrap has no counterpart in a notebook; take it out")
    label = directive.options.get("label", directive.options.get("name"))
    tag = directive.page.site.equation_number(label) if label else None
    tex = "\n".join(part for part in (directive.argument, directive.body) if part)
    return formula("\n" + tex, tag, directive.quoted)


def _literalinclude(directive):
    """The real source, cut out by Sphinx's own reader: site and notebook show the same lines."""
    options = directive.options
    if "diff" in options:
        raise Problem("{literalinclude}: diff has no counterpart in a notebook; take it out")
    path = directive.page.site.file(directive.argument)
    try:
        reader = LiteralIncludeReader(str(path), options, directive.page.site.config)
        text, _ = reader.read(location=(directive.page.docname, directive.line))
    except (ValueError, OSError) as error:
        raise Problem(f"{{literalinclude}} {directive.argument}: {error}") from None
    language = options.get("language", "python" if path.suffix == ".py" else "")
    longest = max((len(run) for run in re.findall(r"`{3,}", text)), default=2)
    fence = "`" * (longest + 1)
    lines = [fence + language, *text.rstrip("\n").split("\n"), fence]
    if "caption" in options:
        lines = [_caption(directive, "code-block", options["caption"] or path.name), "", *lines]
    return lines


def _figure(directive):
    lines = [_picture(directive)]
    if directive.body:
        caption, _, legend = directive.body.partition("\n\n")
        lines += ["", *_caption(directive, "figure", caption).split("\n")]
        if legend.strip():
            lines += ["", *directive.convert(legend.strip("\n")).split("\n")]
    return lines


def _image(directive):
    return [_picture(directive)]


def _picture(directive):
    if "target" in directive.options:
        raise Problem(f"{{{directive.name}}}: a picture in a notebook cannot link; take out target")
    return picture(directive.argument, directive.options.get("alt", ""), directive.page)


def picture(address: str, description: str, page: Page) -> str:
    """A picture with its data inside: Colab shows no attachments, and a notebook travels alone."""
    if re.match(r"(https?|data):", address):
        return f"![{description}]({address})"
    path = page.site.file(address)
    kind, _ = mimetypes.guess_type(path.name)
    if kind is None or not kind.startswith("image/"):
        raise Problem(f"{address} is not a picture; expected .png, .jpg, .svg, .gif or .webp")
    data = base64.b64encode(Path(path).read_bytes()).decode()
    description = re.sub(r"\s+", " ", description).replace("[", "(").replace("]", ")")
    return f"![{description}](data:{kind};base64,{data})"


def _table(directive):
    lines = directive.convert(directive.body).strip("\n").split("\n")
    if directive.argument:
        lines = [_caption(directive, "table", directive.argument), "", *lines]
    return lines


def _caption(directive, kind, caption):
    """'**Fig. 7.2** The caption', with the number that the site shows."""
    name = directive.options.get("name")
    if not name:
        raise Problem(f"{{{directive.name}}} with a caption needs a :name:, which gives its number")
    number = directive.page.site.caption_number(kind, name)
    return f"**{number}** {directive.convert(caption).strip()}"


HOUSE_SET = {
    "note": (Note, _admonition),
    "tip": (Note, _admonition),
    "warning": (Note, _admonition),
    "important": (Note, _admonition),
    "seealso": (Note, _admonition),
    "admonition": (Admonition, _admonition),
    "math": (MathDirective, _math),
    "literalinclude": (LiteralInclude, _literalinclude),
    "figure": (Figure, _figure),
    "image": (Image, _image),
    "table": (RSTTable, _table),
}
"""Name of a directive: the class that reads its options, and the function that writes it."""

"""Turn the MyST of a manuscript into Markdown that Colab, JupyterLab and GitHub all render.

The conversion works on the source: what is plain Markdown already stays as it was typed, character
for character, and only directives, roles and the like are replaced. Each is replaced by a function
of the house set (`myst_directives.py`, `myst_roles.py`); what is not in the house set is a problem
that is reported with its line, so that no notebook ever shows raw MyST.
"""

import re
from dataclasses import dataclass, field
from typing import Any

from myst_source import MystReader, Problem


@dataclass
class Page:
    """What the conversion of one page needs to know, and what it finds out."""

    docname: str
    reader: MystReader
    site: Any  # answers what the site shows for a reference: see site_references.py
    link_definitions: dict = field(default_factory=dict)
    cited: list[str] = field(default_factory=list)
    problems: list[tuple[int, Problem]] = field(default_factory=list)

    def report(self, line: int, problem: Problem):
        """Note a problem; the conversion goes on, so that one build shows them all."""
        self.problems.append((line, problem))


@dataclass(frozen=True)
class Edit:
    """Put `text` where the source has the characters from `start` to `end`."""

    start: int
    end: int
    text: str


def to_markdown(text: str, page: Page, line: int = 1, quoted: bool = False) -> str:
    """Convert `text`, whose first line is line `line` of the manuscript.

    `quoted` tells that the result will stand in a blockquote, where formulas need one line each.
    """
    source = _Source(text, line, quoted)
    edits = []
    for token in page.reader.blocks(text, page.link_definitions):
        if token.type in ("table_open", "table_close"):
            source.cursors = {} if token.type == "table_open" else None
        try:
            edits += _edits_for(token, source, page)
        except Problem as problem:
            page.report(source.line_of(token), problem)
    return _apply(edits, text)


class _Source:
    """A piece of the manuscript, by line."""

    def __init__(self, text, line, quoted):
        self.text, self.first_line, self.quoted = text, line, quoted
        self.lines = text.split("\n")
        self.starts = [0]
        for one in self.lines:
            self.starts.append(self.starts[-1] + len(one) + 1)
        self.cursors = None  # inside a table: row -> where to look for its next cell

    def line_of(self, token):
        return self.first_line + (token.map[0] if token.map else 0)

    def end_of(self, row):
        """Where row `row` ends, without its line break."""
        return self.starts[row] + len(self.lines[row])

    def prefix(self, row, mark):
        """What stands before `mark` in row `row`: list bullets, quote signs, indentation."""
        return self.lines[row][: self.lines[row].index(mark)]

    def places(self, token):
        """Where each character of an inline token's content stands in the text."""
        places = []
        for row, part in enumerate(token.content.split("\n"), token.map[0]):
            start = self.starts[row] + self._column(row, part)
            places += range(start, start + len(part) + 1)
        return places

    def _column(self, row, part):
        line = self.lines[row]
        if self.cursors is not None:
            column = line.find(part, self.cursors.get(row, 0))
            self.cursors[row] = column + len(part)
        else:  # text runs to the end of its row, except in "# A heading #"
            ends = [end for end in (line, line.rstrip()) if end.endswith(part)]
            column = len(ends[0]) - len(part) if ends else line.find(part)
        if column < 0:
            raise Problem(f"cannot find {part!r} in its line; write it without escapes")
        return column


def _apply(edits, text):
    pieces, position = [], 0
    for edit in sorted(edits, key=lambda edit: (edit.start, edit.end)):
        pieces += [text[position : edit.start], edit.text]
        position = edit.end
    return "".join([*pieces, text[position:]])


# Blocks ------------------------------------------------------------------------------------------


def _edits_for(token, source, page):
    """The edits that one block token asks for: most ask for none."""
    kind = token.type
    if kind == "inline":
        return _inline_edits(token, source, page)
    if kind in ("fence", "colon_fence"):
        return _fence_edits(token, source, page)
    if kind in ("math_block", "math_block_label"):
        return _formula_edits(token, source, page)
    if kind == "amsmath":
        return _amsmath_edits(token, source)
    if kind in NO_CONTENT:
        return _removal(token, source, NO_CONTENT[kind])
    if kind == "html_block":
        refuse_local_files(token.content)
    if kind in NOT_SUPPORTED:
        raise Problem(NOT_SUPPORTED[kind])
    return []


# Lines that vanish, and the character with which they begin: a target, a comment, attributes.
NO_CONTENT = {"myst_target": "(", "myst_line_comment": "%", "attrs_block": "{"}

NOT_SUPPORTED = {
    "footnote_reference_open": "footnotes do not show in a notebook; put the text into a sentence "
    "or into a {note}",
    "dl_open": "definition lists do not show in a notebook; use a bulleted list with bold terms",
    "myst_block_break": "a +++ block break must stand at the left margin, outside lists and quotes",
    "field_list_open": "field lists do not show in a notebook; use a bulleted list",
}


def _fence_edits(token, source, page):
    from myst_directives import directive_to_markdown

    name = re.match(r"\s*\{([^}\s]+)\}\s*(.*)", token.info)
    if name is None:
        if token.type == "colon_fence":
            raise Problem(f":::{token.info.strip()}: the name of a directive stands in braces")
        return []  # code, shown as it is
    prefix = source.prefix(token.map[0], token.markup)
    lines = directive_to_markdown(
        name[1],
        name[2].strip(),
        token.content,
        page,
        line=source.line_of(token),
        quoted=source.quoted or ">" in prefix,
    )
    return [_block_edit(lines, token.map, prefix, source, apart=True)]


def _block_edit(lines, rows, prefix, source, apart=False):
    """Put `lines` in place of `rows`, indented and quoted as these were.

    `apart` keeps a blank line above and below, without which Markdown would join the neighbors.
    """
    first, after = rows
    more = re.sub(r"[^>\s]", " ", prefix)
    starts_item = bool(prefix.replace(">", " ").strip())  # "- :::{note}"
    if apart and not starts_item and first > 0 and _has_text(source.lines[first - 1]):
        lines = ["", *lines]
    if apart and after < len(source.lines) and _has_text(source.lines[after]):
        lines = [*lines, ""]
    text = "\n".join([(prefix + lines[0]).rstrip(), *((more + one).rstrip() for one in lines[1:])])
    return Edit(source.starts[first], source.end_of(after - 1), text)


def _has_text(line):
    return bool(line.replace(">", " ").strip())


def _removal(token, source, mark):
    """Take rows out: targets and comments mean nothing to a reader."""
    first, after = token.map
    prefix = source.prefix(first, mark)
    start = source.starts[first] + len(prefix)
    if prefix.strip():
        return [Edit(start, source.end_of(after - 1), "")]
    blank_above = first == 0 or not _has_text(source.lines[first - 1])
    if blank_above and after < len(source.lines) and not _has_text(source.lines[after]):
        after += 1  # else two blank lines would stay
    return [Edit(source.starts[first], min(source.starts[after], len(source.text)), "")]


# Formulas ----------------------------------------------------------------------------------------


def _formula_edits(token, source, page):
    prefix = source.prefix(token.map[0], "$$")
    quoted = source.quoted or ">" in prefix
    tag = page.site.equation_number(token.info) if token.type == "math_block_label" else None
    lines = formula(token.content, tag, quoted)
    if tag is None and not quoted and not _has_bare_line_break(token.content):
        return []  # nothing to change: leave it as it was typed
    return [_block_edit(lines, token.map, prefix, source)]


def formula(tex: str, tag: str | None, quoted: bool = False) -> list[str]:
    """Lines of a displayed formula, aligned and numbered as on the site.

    In a blockquote it takes one line: JupyterLab cuts formulas out before it reads the Markdown,
    and would take the quote signs of further lines for a part of the formula.
    """
    one_line = "\n" not in tex
    tex = tex.strip()
    if re.search(r"\n\s*\n", tex):
        raise Problem("a blank line inside a formula; write two formulas, or use \\\\")
    if _has_bare_line_break(tex):
        # The site puts {split} around every formula; here it is written out where it is needed.
        tex = f"\\begin{{aligned}}\n{tex}\n\\end{{aligned}}"
        one_line = False
    if tag is not None:
        tex += f" \\tag{{{tag}}}" if one_line else f"\n\\tag{{{tag}}}"
    if quoted or one_line:
        if re.search(r"(?<!\\)%", tex):
            raise Problem("a % comment inside a formula; take it out")
        return ["$$" + " ".join(part.strip() for part in tex.split("\n")) + "$$"]
    return ["$$", *tex.split("\n"), "$$"]


def _has_bare_line_break(tex):
    """Is there a \\\\ outside every \\begin ... \\end?"""
    depth = 0
    for mark in re.findall(r"\\begin\b|\\end\b|\\.", tex, re.DOTALL):
        depth += {r"\begin": 1, r"\end": -1}.get(mark, 0)
        if mark == r"\\" and depth == 0:
            return True
    return False


def _amsmath_edits(token, source):
    environment = re.match(r"\\begin\{(\w+)(\*?)\}", token.content)
    if not environment[2]:
        raise Problem(
            f"\\begin{{{environment[1]}}} is numbered on the site; write $$ ... $$ (label), "
            f"or \\begin{{{environment[1]}*}} for a formula without a number"
        )
    inner = {"align": "aligned", "gather": "gathered", "alignat": "alignedat"}.get(environment[1])
    body = token.content[environment.end() : token.content.rindex("\\end{")].strip("\n")
    if inner:
        body = f"\\begin{{{inner}}}\n{body}\n\\end{{{inner}}}"
    elif environment[1] not in ("equation", "multline"):
        raise Problem(f"\\begin{{{environment[1]}*}}: use align*, gather* or equation*")
    first = token.map[0]
    prefix = source.prefix(first, "\\begin")
    # The parser's map leaves out the last row.
    end = f"\\end{{{environment[1]}*}}"
    last = next(row for row, line in enumerate(source.lines) if row >= first and end in line)
    lines = formula("\n" + body, None, source.quoted or ">" in prefix)
    return [_block_edit(lines, (first, last + 1), prefix, source)]


# Inline ------------------------------------------------------------------------------------------


def _inline_edits(token, source, page):
    from myst_roles import span_to_markdown

    places = source.places(token)
    row_start = source.text.rfind("\n", 0, places[0]) + 1
    quoted = source.quoted or ">" in source.text[row_start : places[0]]
    edits = []
    for span in page.reader.spans(token.content, page.link_definitions):
        try:
            for start, end, text in span_to_markdown(span, token.content, page, quoted):
                edits.append(Edit(places[start], places[end - 1] + 1, text))
        except Problem as problem:
            page.report(source.line_of(token) + token.content.count("\n", 0, span.start), problem)
    return edits


def refuse_local_files(html: str):
    """Raw HTML stays as it is, so it may show only what a notebook finds anywhere."""
    local = re.search(r"""\bsrc\s*=\s*["']?(?!data:|https?:)([^"'\s>]+)""", html)
    if local:
        raise Problem(f"HTML that shows the local file {local[1]}; use ![description](file)")

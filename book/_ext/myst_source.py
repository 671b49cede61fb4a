"""Find the MyST in a piece of Markdown: which lines are directives, which characters are roles.

The site reads a manuscript with markdown-it and its MyST plugins. This module asks the same parser,
and adds the one thing it does not tell: where in a paragraph each role, link or picture begins and
ends. So a role inside a code span, or behind a backslash, is left alone here for the very reason
that the site leaves it alone.
"""

import re
from dataclasses import dataclass

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from myst_parser.config.main import MdParserConfig
from myst_parser.parsers.mdit import create_md_parser

INLINE_RULES = (
    "myst_role",
    "link",
    "image",
    "span",
    "attr",
    "math_inline",
    "autolink",
    "html_inline",
)
"""The parser's inline rules whose places we want to know."""


class Problem(Exception):
    """Something in the manuscript that the notebook cannot have, and how to mend it."""


class NoSuchTarget(Problem):
    """A reference that leads nowhere; Sphinx tells of these too."""


@dataclass(frozen=True)
class Span:
    """One inline construct: what it is, and where it stands in its paragraph's text."""

    kind: str
    start: int
    end: int
    token: Token | None
    label_end: int = -1  # of a link or span: the place of the bracket that closes its text


# What the parser took for plain text, and what its author will have meant by it.
RAW_MYST = {
    r"\$+": "a displayed formula has blank lines above and below it; a dollar sign is written \\$",
    r"\{[\w:+-]+\}`": "a role that is not closed: expected {name}`content`",
    r"^:::": "::: within a paragraph; leave a blank line above and close what was opened",
    r"\{[#.][A-Za-z][^}]*\}": "an attribute that belongs to nothing; put it right behind a link, "
    "a picture or a [span]",
    r"\[\^[^\]]+\]": "footnotes do not show in a notebook; put the text into a sentence",
    r"\]\[[^\]]+\]": "a link without its definition ([name]: address)",
}


def _refuse_raw_myst(text):
    for pattern, meaning in RAW_MYST.items():
        found = re.search(pattern, text, re.MULTILINE)
        if found:
            raise Problem(f"{found[0]!r} stays as it is: {meaning}")


class MystReader:
    """The site's Markdown parser, asked for blocks and for the places of inline constructs."""

    def __init__(self, config: MdParserConfig):
        self._parser: MarkdownIt = create_md_parser(config, RendererHTML)
        self._parser.disable("front_matter", ignoreInvalid=True)
        self._text = None  # the paragraph being read
        self._spans: list[Span] = []
        for rule in list(self._parser.inline.ruler.__rules__):
            if rule.name in INLINE_RULES:
                self._parser.inline.ruler.at(rule.name, self._noting(rule.name, rule.fn))

    def blocks(self, text: str, references: dict) -> list[Token]:
        """Block tokens of `text`; link definitions found on the way are put into `references`."""
        with self._parser.reset_rules():
            # No more: other rules would read the lines, or take attributes out of sight.
            self._parser.core.ruler.enableOnly(["normalize", "block"])
            return self._parser.parse(text, references)

    def spans(self, text: str, references: dict) -> list[Span]:
        """Inline constructs of one paragraph's text, in the order in which they end."""
        self._text, self._spans, tokens = text, [], []
        self._parser.inline.parse(text, self._parser, references, tokens)
        for token in tokens:
            if token.type == "text":
                _refuse_raw_myst(token.content)
        return self._spans

    def _noting(self, name, rule):
        """`rule`, which also notes where it matched."""

        def noted(state, silent):
            # Silent: the parser looks ahead. Another text: the description of a picture.
            if silent or state.src != self._text:
                return rule(state, silent)
            start, before = state.pos, len(state.tokens)
            label_end = -1
            if name in ("link", "span") and state.src[start] == "[":
                label_end = state.md.helpers.parseLinkLabel(state, start, name == "link")
            if not rule(state, silent):
                return False
            new = [token for token in state.tokens[before:] if token.type != "text"]
            self._spans.append(Span(name, start, state.pos, new[0] if new else None, label_end))
            return True

        return noted

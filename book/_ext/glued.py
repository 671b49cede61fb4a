"""Numbers that the page computes, within the text of a notebook.

A result of training differs in its last digits between machines, so a committed notebook cannot be
compared with a fresh one character by character. The converter therefore marks where such numbers
stand; `matches` asks for the very same notebook everywhere else, and for some number there.
"""

import re
from collections.abc import Callable

OPEN, CLOSE = "\ue000", "\ue001"  # private characters, which no manuscript has
_MARKED = re.compile(f"{OPEN}([^{CLOSE}]*){CLOSE}")
_NUMBER = r"[-+\u2212]?(?:\d[\d,_ ]*\.?\d*(?:e[-+]?\d+)?|inf|nan)%?"


def mark(value: str, show: Callable[[str], str] = str) -> str:
    """`value` as Markdown, marked as computed."""
    return f"{OPEN}{show(value)}{CLOSE}"


def fill(template: str) -> str:
    """The notebook of a template: its numbers, without the marks."""
    return template.replace(OPEN, "").replace(CLOSE, "")


def matches(template: str, committed: str) -> bool:
    """Is `committed` the notebook of `template`, except for other numbers at the marks?"""
    ours, theirs = template.split("\n"), committed.split("\n")
    return len(ours) == len(theirs) and all(map(_line_matches, ours, theirs))


def _line_matches(ours, theirs):
    if OPEN not in ours:
        return ours == theirs
    pattern, position = "", 0
    for found in _MARKED.finditer(ours):
        pattern += re.escape(ours[position : found.start()]) + _like(found[1])
        position = found.end()
    return re.fullmatch(pattern + re.escape(ours[position:]), theirs) is not None


def _like(value):
    """A pattern for what another machine may have computed instead of `value`."""
    if re.fullmatch(_NUMBER, value.strip("`"), re.IGNORECASE):
        tick = "`" if value.startswith("`") else ""
        return f"{tick}(?i:{_NUMBER}){tick}"
    return r'[^"]*?'  # words stay within their line of the notebook

"""A `Result` for the eye: as HTML in a notebook, as text in a terminal.

All of the text may come from the student's code, so every piece is escaped. Colors stand on a thin
bar only and are legible on white and on black; words carry the meaning.
"""

import html
import re
import textwrap

_GLYPH = {"passed": "✓", "not yet": "✗", "waits": "…", "by hand": "☐"}
# Each has at least three to one against white and against a notebook's dark grey.
_COLOR = {"passed": "#1f9d6b", "not yet": "#d9622b", "waits": "#80868b", "by hand": "#80868b"}

_SAME = "For the same reason."
_LATER = "Judged once the steps above pass."


def _headline(result) -> str:
    points = f"{float(result):g} of {result.points:g} points"
    return f"{result.name}: {points}" + (
        ", all steps passed" if float(result) == result.points else ""
    )


def _told(steps):
    """Each step with its hint, where a hint that was just given is not repeated."""
    last = ""
    for step in steps:
        hint = step.hint
        # "`dW`: the square is missing" and "`db`: the square is missing" say the same.
        reason = re.sub(r"^`\w+`: ", "", hint)
        if step.state == "waits":
            hint = _LATER
        elif hint and reason == last:
            hint = _SAME
        last = reason or last
        yield step, hint


def as_text(result) -> str:
    """The report in plain characters, for `print` and for terminals of any encoding."""
    lines = [_headline(result)]
    for step, hint in _told(result.steps):
        lines.append(f"  [{step.state:^7}]  {step.title}  ({step.earned:g}/{step.points:g})")
        for line in hint.splitlines():
            lines += textwrap.wrap(line, 88, initial_indent=" " * 13, subsequent_indent=" " * 13)
    return "\n".join(lines)


def as_html(result) -> str:
    """The report as one HTML fragment with inline style only: no script, no class, no address."""
    items = "".join(_item(step, hint) for step, hint in _told(result.steps))
    return (
        '<div style="max-width: 46em; line-height: 1.5; margin: 0.4em 0; font-size: 14px">'
        f'<div style="font-weight: 600">{_escape(_headline(result))}</div>'
        f'<ul style="list-style: none; margin: 0.4em 0 0; padding: 0">{items}</ul></div>'
    )


def _item(step, hint: str) -> str:
    if hint in (_SAME, _LATER):  # short and frequent: on the line of the step itself
        told = f' <span style="opacity: 0.8">· {hint}</span>'
    elif hint:
        told = f'<div style="margin: 0.1em 0 0; white-space: pre-wrap">{_escape(hint)}</div>'
    else:
        told = ""
    return (
        f'<li style="margin: 0 0 0.45em; padding: 0.05em 0 0.05em 0.7em; '
        f'border-left: 4px solid {_COLOR[step.state]}">'
        f'<span aria-hidden="true">{_GLYPH[step.state]}</span> '
        f"<strong>{step.state}</strong> · {_escape(step.title)} "
        f'<span style="opacity: 0.8">({step.earned:g}/{step.points:g})</span>{told}</li>'
    )


def _escape(text: str) -> str:
    """Escaped text, in which `code` between backticks is set as code."""
    return re.sub(
        r"`([^`\n]+)`",
        r'<code style="font-size: 0.92em; background: rgba(128, 128, 128, 0.18); '
        r'padding: 0 0.25em; border-radius: 3px; color: inherit">\1</code>',
        html.escape(text),
    )

"""The house set of roles, and the other things within a line: links, pictures, attributes.

References take the numbers and titles that the site shows. Where the site links, a notebook links
to the neighboring notebook, or to the site if its address is known; else it keeps the bare text.
"""

import re

from glued import mark
from myst_directives import picture
from myst_source import Problem, Span
from myst_to_markdown import Page, refuse_local_files


def span_to_markdown(span: Span, text: str, page: Page, quoted: bool):
    """Replacements (start, end, new text) for one inline construct of a paragraph."""
    yield from SPANS[span.kind](span, text, page, quoted)


def _role(span, text, page, quoted):
    name, content = span.token.meta["name"], span.token.content
    family, colon, _ = name.partition(":")
    convert = HOUSE_SET.get(name) or (FAMILIES.get(family) if colon else None)
    if convert is None:
        known = sorted([*HOUSE_SET, *(f"{family}:..." for family in FAMILIES)])
        raise Problem(
            f"unknown role {{{name}}}: notebooks know {', '.join(known)}; "
            "use one of these, or teach book/_ext/myst_roles.py another"
        )
    new = convert(name, content, page)
    if span.end < len(text) and text[span.end] in "([:" and new.endswith("]"):
        new = new[:-1] + "\\]"  # "[Author, 1986](" would begin a link
    yield span.start, span.end, new


# Roles -------------------------------------------------------------------------------------------


def escape(text: str) -> str:
    """Plain text as Markdown that shows it unchanged."""
    return re.sub(r"([\\*_`<$])", r"\\\1", text)


def _reference(name, content, page):
    """{ref}, {numref}, {eq}, {doc}: what the site prints, linked if it is on another page."""
    found = page.site.resolve(name, content)
    return linked(escape(found.text), found, page)


def _term(name, content, page):
    found = page.site.resolve(name, content)
    text = escape(found.text)
    return linked(text, found, page) if page.site.base_url else f"*{text}*"


def linked(text, target, page):
    """`text` as a link to a page, where a reader of the notebook can follow it."""
    address = page.site.address(target, page.docname)
    return f"[{text}]({address})" if address else text


def _cite(name, content, page):
    text, keys = page.site.citation(name, content)
    page.cited += [key for key in keys if key not in page.cited]
    return escape(text)


def _math(name, content, page):
    return f"${content}$"


def _abbreviation(name, content, page):
    match = re.fullmatch(r"(.*?)\s*\((.*)\)", content)
    if match is None:
        raise Problem(f"{{abbr}}`{content}`: expected the short form, then the long in brackets")
    return f'<abbr title="{match[2]}">{match[1]}</abbr>'


def _glued_text(name, content, page):
    """A number computed on the page, formatted as there."""
    key, _, format_spec = content.rpartition(":") if ":" in content else (content, "", "s")
    return mark(page.site.glued_text(key, format_spec), escape)


def _glued(name, content, page):
    return mark(page.site.glued_text(content), lambda text: f"`{text}`")


def _code(name, content, page):
    """{py:func}`~dlcourse.optim.sgd` and its kin: the name, as code."""
    match = re.fullmatch(r"(.+?)\s*<([^<>]+)>", content, re.DOTALL)
    title = match[1] if match else content.lstrip(".")
    if match is None and title.startswith("~"):
        title = title.rsplit(".", 1)[-1].lstrip("~")
    if match is None and name in ("py:func", "py:meth") and not title.endswith("()"):
        title += "()"
    return f"`{title}`"


HOUSE_SET = {
    "term": _term,
    "ref": _reference,
    "numref": _reference,
    "eq": _reference,
    "doc": _reference,
    "cite": _cite,
    "math": _math,
    "abbr": _abbreviation,
    "glue": _glued,
    "glue:any": _glued,
    "glue:text": _glued_text,
}
FAMILIES = {"cite": _cite, "py": _code}


# Links, pictures, attributes ---------------------------------------------------------------------


def _link(span, text, page, quoted):
    address = span.token.attrs["href"]
    is_definition = not text[span.label_end :].startswith("](")  # [text][name]
    if re.match(r"(https?|mailto):", address):
        if is_definition:  # the definition may stand in another cell
            yield span.label_end, span.end, f"]({address})"
        return
    target = page.site.link_target(address)
    new = page.site.address(target, page.docname)
    label = text[span.start + 1 : span.label_end] or escape(target.text)
    if span.label_end == span.start + 1:
        yield span.start, span.end, f"[{label}]({new})" if new else label
    elif new:
        yield span.label_end, span.end, f"]({new})"
    else:
        yield span.start, span.start + 1, ""
        yield span.label_end, span.end, ""


def _image(span, text, page, quoted):
    yield span.start, span.end, picture(span.token.attrs["src"], span.token.content, page)


def _span(span, text, page, quoted):
    """[text]{.class}: the class means nothing in a notebook."""
    yield span.start, span.start + 1, ""
    yield span.label_end, span.end, ""


def _attributes(span, text, page, quoted):
    yield span.start, span.end, ""


def _formula(span, text, page, quoted):
    if quoted and "\n" in text[span.start : span.end]:
        yield span.start, span.end, text[span.start : span.end].replace("\n", " ")


def _autolink(span, text, page, quoted):
    if not re.match(r"<(https?|mailto):|<[^>\s]+@", text[span.start : span.end]):
        raise Problem(f"{text[span.start : span.end]}: write [text](page.md) or [text](#label)")
    yield from ()


def _html(span, text, page, quoted):
    refuse_local_files(text[span.start : span.end])
    yield from ()


SPANS = {
    "myst_role": _role,
    "link": _link,
    "image": _image,
    "span": _span,
    "attr": _attributes,
    "math_inline": _formula,
    "autolink": _autolink,
    "html_inline": _html,
}

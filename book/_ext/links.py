"""Check the built site: every link leads somewhere, and nothing is fetched from elsewhere.

Reads the pages as they are on the disk, after Sphinx. Links to other sites are left alone (they are
for the reader to follow); scripts, styles, fonts and pictures from other sites are not allowed,
since a page has to work in full without a network.
"""

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

LINKS = {"href", "src", "srcset", "poster", "data"}
LOADING_RELS = {"stylesheet", "preload", "modulepreload", "prefetch", "icon", "manifest"}
IN_CSS = re.compile(r"""(?:url\(\s*|@import\s+)["']?([^"')\s;]+)""")
IN_SCRIPT = re.compile(
    r"""(?:\bimport\b[^;'"]*|\bfetch\(\s*|\.src\s*=\s*)["'`](https?:)?//[^"'`]+"""
)


@dataclass
class Reference:
    """One address on a page."""

    address: str
    line: int
    loads: bool  # is it fetched when the page is shown, or only when a reader follows it?


@dataclass
class HtmlPage:
    """What the check needs of one page."""

    anchors: set[str] = field(default_factory=set)
    references: list[Reference] = field(default_factory=list)
    scripts: list[tuple[int, str]] = field(default_factory=list)


class _Reader(HTMLParser):
    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.page = HtmlPage()
        self._inside = None

    def handle_starttag(self, tag, attrs):
        values = {key: value or "" for key, value in attrs}
        self._inside = tag if tag in ("script", "style") else None
        for key in ("id", "name"):
            if key in values:
                self.page.anchors.add(values[key])
        rels = set(values.get("rel", "").lower().split())
        loads = tag not in ("a", "area", "link") or bool(rels & LOADING_RELS)
        for key in LINKS & values.keys():
            if tag == "link" and not loads:
                continue  # canonical, next, search ... name pages, for machines
            if key == "data" and tag != "object":
                continue
            for address in _addresses(key, values[key]):
                self._refer(address, loads)
        for address in IN_CSS.findall(values.get("style", "")):
            self._refer(address, True)

    handle_startendtag = handle_starttag

    def handle_data(self, data):
        if self._inside == "style":
            for address in IN_CSS.findall(data):
                self._refer(address, True)
        elif self._inside == "script":
            self.page.scripts.append((self.getpos()[0], data))

    def handle_endtag(self, tag):
        self._inside = None

    def _refer(self, address, loads):
        self.page.references.append(Reference(address.strip(), self.getpos()[0], loads))


def _addresses(key, value):
    if key == "srcset":
        return [part.split()[0] for part in value.split(",") if part.strip()]
    return [value]


def read_html(path: Path) -> HtmlPage:
    """The anchors and references of one page."""
    reader = _Reader()
    reader.feed(path.read_text("utf-8"))
    return reader.page


def check_site(site: Path) -> list[str]:
    """All that is wrong with the links of a built site, one line each."""
    site = site.resolve()
    pages = {path: read_html(path) for path in sorted(site.rglob("*.html")) if _is_page(path)}
    problems = []
    for path, page in pages.items():
        where = path.relative_to(site)
        for reference in page.references:
            wrong = _wrong(reference, path, site, pages)
            if wrong:
                problems.append(f"{where}:{reference.line}: {wrong}")
        for line, script in page.scripts:
            found = IN_SCRIPT.search(script)
            if found:
                problems.append(f"{where}:{line}: a script loads from elsewhere: {found[0]}")
    return problems + _check_styles(site) + _check_secrets(site)


def _is_page(path):
    return "_static" not in path.parts  # where themes keep fragments


def _wrong(reference, path, site, pages):
    """What is wrong with a reference, or None."""
    parts = urlsplit(reference.address)
    if parts.scheme in ("data", "mailto", "javascript", "blob", "about"):
        return None
    if parts.scheme or parts.netloc:
        return f"loads from elsewhere: {reference.address}" if reference.loads else None
    target = path
    if parts.path:
        base = site if parts.path.startswith("/") else path.parent
        target = (base / unquote(parts.path).lstrip("/")).resolve()
        if target.is_dir():
            target /= "index.html"
        if not target.is_file():
            return f"leads nowhere: {reference.address}"
    anchor = unquote(parts.fragment)
    if anchor and target in pages and anchor not in pages[target].anchors:
        return f"no such anchor: {reference.address}"
    return None


def _check_styles(site):
    """Style sheets name fonts and pictures too."""
    problems = []
    for path in sorted(site.rglob("*.css")):
        text = re.sub(r"/\*.*?\*/", "", path.read_text("utf-8", errors="replace"), flags=re.DOTALL)
        for address in IN_CSS.findall(text):
            if re.match(r"(https?:)?//", address):
                problems.append(f"{path.relative_to(site)}: loads from elsewhere: {address}")
    return problems


def _check_secrets(site):
    """Solutions of exercises must not be in anything that is published."""
    mark = b"### BEGIN " + b"SOLUTION"
    return [
        f"{path.relative_to(site)}: holds the solution of an exercise"
        for path in sorted(site.rglob("*"))
        if path.suffix in (".html", ".md", ".txt", ".ipynb", ".js") and mark in path.read_bytes()
        if path.stem != "write-an-assignment"  # it explains the marker, on an exercise of its own
    ]

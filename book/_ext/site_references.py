"""What the site prints for a reference, asked of Sphinx itself.

Numbers of equations and figures, titles of pages, author-year citations, glued results: the
notebook shows the very text of the page, because the same domains resolve it.
"""

import json
import posixpath
import re
from dataclasses import dataclass
from pathlib import Path

from docutils import nodes
from myst_nb.core.variables import format_plain_text
from myst_nb.sphinx_ import NbMetadataCollector
from myst_source import NoSuchTarget, Problem
from pybtex.plugin import find_plugin
from sphinx import addnodes
from sphinx.util import docname_join

KINDS = {"figure": "Fig. %s", "table": "Table %s", "code-block": "Listing %s"}


@dataclass(frozen=True)
class Target:
    """Where a reference leads, and what the site prints for it."""

    text: str
    docname: str | None
    anchor: str = ""


class SiteReferences:
    """The answers for one page of a finished Sphinx build."""

    def __init__(self, app, docname: str, notebooks: dict[str, str]):
        self.env, self.config, self.builder = app.env, app.config, app.builder
        self.docname = docname
        self.notebooks = notebooks  # page -> path of its notebook
        self.base_url = (app.config.html_baseurl or "").rstrip("/")
        self._pages = {self.builder.get_target_uri(name): name for name in self.env.found_docs}

    # References ----------------------------------------------------------------------------------

    def resolve(self, role: str, content: str) -> Target:
        """Follow a role of Sphinx's own: {ref}, {numref}, {eq}, {doc}, {term}."""
        match = re.fullmatch(r"(.+?)\s*(?<!\\)<([^<>]+)>", content, re.DOTALL)
        title, name = (match[1], match[2]) if match else (content, content)
        name = re.sub(r"\s+", " ", name)
        node = self._ask("math" if role == "eq" else "std", role, title, name, bool(match))
        if node is None:
            raise NoSuchTarget(f"{{{role}}}`{content}`: nothing has this name; check its spelling")
        return self._target(node)

    def _ask(self, domain, role, title, name, explicit):
        name = name.lower() if role in ("ref", "numref") else name
        content = nodes.inline("", title)
        question = addnodes.pending_xref(
            "",
            content,
            refdomain=domain,
            reftype=role,
            reftarget=name,
            refexplicit=explicit,
            refdoc=self.docname,
        )
        resolver = self.env.get_domain(domain)
        return resolver.resolve_xref(
            self.env, self.docname, self.builder, role, name, question, content
        )

    def _target(self, node):
        """The page and place that a resolved reference leads to."""
        link = next(node.findall(nodes.reference), None)
        if link is None or "refuri" not in link:
            return Target(node.astext(), self.docname)
        here = posixpath.dirname(self.builder.get_target_uri(self.docname))
        path, _, anchor = link["refuri"].partition("#")
        path = posixpath.normpath(posixpath.join(here, path))
        return Target(node.astext(), self._pages.get(path), anchor)

    def link_target(self, address: str) -> Target:
        """Follow a Markdown link: to a page (`other.md`, `other.md#label`) or to a `#label`."""
        path, _, label = address.partition("#")
        std = self.env.get_domain("std")
        if label:
            docname, anchor = std.anonlabels.get(label.lower(), (None, ""))
            text = std.labels.get(label.lower(), ("", "", label))[2]
            if docname is not None:
                return Target(text, docname, anchor)
        else:
            docname = docname_join(self.docname, path.removesuffix(".md"))
            if docname in self.env.titles:
                return Target(self.env.titles[docname].astext(), docname)
        raise NoSuchTarget(
            f"link to {address}: expected a page (other.md), a #label, or https://..."
        )

    def address(self, target: Target, docname: str) -> str | None:
        """Where a link in the notebook of `docname` goes: a notebook, the site, or nowhere."""
        if target.docname in (None, docname):
            return None
        if target.docname in self.notebooks:
            here = posixpath.dirname(self.notebooks[docname]) or "."
            return posixpath.relpath(self.notebooks[target.docname], here)
        if self.base_url:
            anchor = f"#{target.anchor}" if target.anchor else ""
            return f"{self.base_url}/{self.builder.get_target_uri(target.docname)}{anchor}"
        return None

    # Numbers -------------------------------------------------------------------------------------

    def equation_number(self, label: str) -> str:
        """The number of an equation, as the site prints it in its margin."""
        equations = self.env.get_domain("math").equations
        if label not in equations:
            raise Problem(f"equation ({label}) has no number on the site")
        docname, number = equations[label]
        if self.config.math_numfig and self.config.numfig:
            numbers = self.env.toc_fignumbers.get(docname, {}).get("displaymath", {})
            parts = numbers.get(nodes.make_id(f"equation-{label}"), ())
            return self.config.math_numsep.join(".".join(map(str, parts)).rsplit(".", 1))
        return str(number)

    def caption_number(self, kind: str, name: str) -> str:
        """'Fig. 7.2', for the figure, table or listing called `name`."""
        label = nodes.fully_normalize_name(name)
        docname, anchor = self.env.get_domain("std").anonlabels.get(label, (None, None))
        number = self.env.toc_fignumbers.get(docname, {}).get(kind, {}).get(anchor)
        if number is None:
            raise Problem(f"{kind} {name} has no number on the site")
        form = self.config.numfig_format.get(kind, KINDS[kind])
        return form % ".".join(map(str, number))

    # Citations -----------------------------------------------------------------------------------

    def citation(self, role: str, content: str) -> tuple[str, list[str]]:
        """What {cite:p}`key` prints, and the keys that it cites."""
        kind = role.partition(":")[2] or "p"
        known = {citation.key for citation in self._citations()}
        keys = [re.sub(r"{.*?}", "", key).strip() for key in content.split(",")]
        for key in keys:
            if key not in known:
                raise NoSuchTarget(f"{{{role}}}`{content}`: {key} is not in the bibliography")
        node = self._ask("cite", kind, content, content, False)
        return node.astext(), keys

    def bibliography(self, keys: list[str]) -> list[str]:
        """Entries of a list of references, as Markdown, by author and year."""
        cited = [citation for citation in self._citations() if citation.key in keys]
        backend = find_plugin("pybtex.backends", "markdown")()
        entries = []
        for citation in sorted(cited, key=_author_and_year):
            text = re.sub(r"\s+", " ", citation.formatted_entry.text.render(backend))
            text = text.replace("\\\\url ", "").replace("&ndash;", "–")
            entries.append(re.sub(r"\\([-.()!+#])", r"\1", text))  # need no escape within a line
        return entries

    def _citations(self):
        return self.env.get_domain("cite").citations

    # Results and files ---------------------------------------------------------------------------

    def glued_text(self, key: str, format_spec: str | None = None) -> str:
        """A result that a page's cells have glued: as it is, or formatted as {glue:text} does."""
        path, page_given, name = key.rpartition("::")
        path = path.removesuffix(".md")
        docname = docname_join(self.docname, path) if page_given else self.docname
        if name not in NbMetadataCollector.get_doc_data(self.env)[docname].get("glue", []):
            raise Problem(f"glue: no result is called {name!r} on page {docname}; was it executed?")
        folder = Path(self.env.mystnb_config.output_folder)
        glued = json.loads((folder / f"{docname}.glue.json").read_text(encoding="utf-8"))
        data = glued[name]["data"]
        if "text/plain" not in data or "text/html" in data or any("image" in kind for kind in data):
            raise Problem(f"glue: {name} is no plain text; show it as the output of a cell")
        if format_spec is None:
            return data["text/plain"]
        try:
            return format_plain_text(data["text/plain"], format_spec)
        except ValueError as error:
            raise Problem(f"glue: {name} is {data['text/plain']!r}: {error}") from None

    def file(self, address: str) -> Path:
        """A file named on the page: relative to it, or from the root if it begins with /."""
        _, path = self.env.relfn2path(address, self.docname)
        if not Path(path).is_file():
            raise Problem(f"file not found: {address} (looked for {path})")
        return Path(path)


def _author_and_year(citation):
    people = citation.entry.persons.get("author") or citation.entry.persons.get("editor") or []
    names = [" ".join(person.last_names) for person in people]
    return [*names, citation.entry.fields.get("year", "")]

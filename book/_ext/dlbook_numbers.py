"""Chapter numbers that come from the file name: ``book/07-backpropagation`` is chapter 7.

Sphinx counts chapters in the order of the table of contents, so the only chapter of a young book
would be number 1, and every number would shift when a chapter arrives before it. Here the file
name decides. Sections, figures, tables and equations follow: 7.1, Figure 7.1, (7.1).
"""

import re
from functools import partial

from docutils import nodes
from sphinx import addnodes
from sphinx.environment.collectors.toctree import TocTreeCollector

# The chapter's title and the headings right below it carry numbers; deeper ones do not.
_DEPTH = 2


def chapter_number(docname):
    """7 for ``book/07-backpropagation``; None for a page that is not a chapter."""
    match = re.fullmatch(r"book/(\d\d)-[^/]+", docname)
    return int(match[1]) if match else None


def assign_section_numbers(env):
    """Number every chapter of the book; return the pages whose numbers changed.

    Args:
        env: Sphinx's build environment; `toc_secnumbers` and the `secnumber` of titles and of
            references in `tocs` are set, which is what Sphinx's own method does.
    """
    before, env.toc_secnumbers = env.toc_secnumbers, {}
    for docname in sorted(env.tocs):
        number = chapter_number(docname)
        if number is not None:
            stack = [number - 1]
            _number_page(env, docname, stack, is_chapter=True)
    return [name for name, numbers in env.toc_secnumbers.items() if numbers != before.get(name)]


def _number_page(env, docname, stack, is_chapter):
    numbers = env.toc_secnumbers[docname] = {}
    first = [env.titles.get(docname)]
    visit = partial(_visit, env, docname, stack, numbers, first)
    visit(env.tocs[docname])
    if is_chapter and not any(numbers.values()):
        raise ValueError(f"{docname}: found no title to number; begin the page with '# Title'")


def _visit(env, docname, stack, numbers, first, node):
    visit = partial(_visit, env, docname, stack, numbers, first)
    for child in node.children:
        if isinstance(child, nodes.bullet_list):
            stack.append(0)
            visit(child)
            stack.pop()
        elif isinstance(child, nodes.list_item | addnodes.only):
            visit(child)
        elif isinstance(child, addnodes.compact_paragraph):
            if "skip_section_number" in child:
                continue
            stack[-1] += 1
            number = tuple(stack) if len(stack) <= _DEPTH else ()
            numbers[child[0]["anchorname"]] = number
            child[0]["secnumber"] = number or None
            if first and first[0] is not None:
                first.pop()["secnumber"] = number or None
        elif isinstance(child, addnodes.toctree):
            # A long chapter's sub-pages go on counting; its exercises page carries no number.
            for _, page in child["entries"]:
                if page and page.startswith(docname + "/") and page in env.tocs:
                    _number_page(env, page, stack, is_chapter=False)


def setup(app):
    # Sphinx numbers figures right after sections, within one method, so no event lies between the
    # two at which the numbers could be changed: the method is replaced, in Sphinx's collector and
    # in the one that sphinx_external_toc puts in its place.
    for collector in (TocTreeCollector, *TocTreeCollector.__subclasses__()):
        collector.assign_section_numbers = lambda self, env: assign_section_numbers(env)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}

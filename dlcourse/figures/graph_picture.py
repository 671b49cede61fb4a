"""A computation graph as a still picture: what stands on the page until the figure runs.

The picture shows the end of the story: every value, every gradient, and on each edge its local
derivative. It is laid out as `graph_stepper.mjs` lays out the living one, and takes the page's
colors.
"""

from dataclasses import dataclass, field
from html import escape
from itertools import pairwise

from dlcourse.figures.expressions import show

_HEIGHT = 62  # of a node
_GAP = 62  # between layers: room for an edge's label
_LABEL = 68  # width of an edge's label
_GROUND = "var(--pst-color-background, Canvas)"


@dataclass(eq=False)
class _Cell:
    """A place in a layer: a node's box, or (`node` is None) where a long edge passes through."""

    layer: int
    width: float
    node: object = None
    pulls: bool = False  # Do its neighbors follow it?
    near: list = field(default_factory=list)
    x: float = 0.0
    y: float = 0.0


def draw(evaluation, alt: str) -> str:
    """The graph of an evaluated expression as the text of an `<svg>`.

    Args:
        evaluation: nodes and edges with their values, of `graph_stepper.evaluate`.
        alt: the sentence that stands for the picture where it is not seen.
    """
    rows, routes = _layers(evaluation)
    _place(rows)
    cells = [cell for row in rows for cell in row]
    paths = [_points(route, routes) for route in routes]
    labels = [_label_place(points, route[-1]) for points, route in zip(paths, routes, strict=True)]
    sides = [(cell.x, cell.width / 2) for cell in cells] + [(x, _LABEL / 2) for x, y in labels]
    left = min(x - half for x, half in sides) - 10
    width = max(x + half for x, half in sides) + 10 - left
    height = cells[0].y + max(cell.y for cell in cells)
    parts = [_wire(points) for points in paths]
    parts += [_label(*place, edge) for place, edge in zip(labels, evaluation.edges, strict=True)]
    parts += [_box(cell) for cell in cells if cell.node]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="{escape(alt)}" '
        f'width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="{left:.0f} 0 {width:.0f} {height:.0f}" '
        'font-family="sans-serif" font-size="12.5" text-anchor="middle" fill="currentColor">'
        f"<title>{escape(alt)}</title>{''.join(parts)}</svg>"
    )


def _layers(evaluation):
    """The cells of each layer, and for each edge the cells that it runs through."""
    cells = {}
    for node in evaluation.nodes:
        layers = [cells[id(a)].layer for a in node.arguments if id(a) in cells]
        width = max(118, 7 * len(_name(node)) + 22)
        cells[id(node)] = _Cell(1 + max(layers, default=-1), width, node, bool(node.operation))
    for node in evaluation.nodes:
        if node.operation is None and node.uses:  # A variable stands just before its first use.
            children = [cells[id(e.child)] for e in evaluation.edges if e.parent is node]
            cells[id(node)].layer = min(child.layer for child in children) - 1
    output = cells[id(evaluation.nodes[-1])]
    rows = [[] for _ in range(output.layer + 1)]
    rows[-1].append(output)
    routes = []
    for edge in evaluation.edges:
        first, last = cells[id(edge.parent)], cells[id(edge.child)]
        between = range(first.layer + 1, last.layer)
        route = [first, *(_Cell(k, _LABEL, pulls=first.pulls) for k in between), last]
        for cell in route:
            if cell not in rows[cell.layer]:
                rows[cell.layer].append(cell)
        for above, below in pairwise(route):
            above.near.append(below)
            below.near.append(above)
        routes.append(route)
    return rows, routes


def _place(rows):
    """Order each row as its children are; draw cells to their neighbors and push them apart."""
    for layer, row in enumerate(rows):
        for cell in row:
            cell.y = 10 + _HEIGHT / 2 + layer * (_HEIGHT + _GAP)
    for row in reversed(rows):
        row.sort(key=lambda cell: _mean([n.x for n in cell.near if n.layer > cell.layer]))
        for i, cell in enumerate(row):
            cell.x = i
    for sweep in range(30):
        for row in rows if sweep % 2 else reversed(rows):
            wanted = []
            for i, cell in enumerate(row):
                weights = [1 if near.pulls else 0.02 for near in cell.near]
                pull = sum(w * n.x for w, n in zip(weights, cell.near, strict=True))
                wanted.append(pull / sum(weights) if weights else 0)
                before = row[i - 1]
                least = before.x + (before.width + cell.width) / 2 + 14
                cell.x = max(wanted[i], least) if i else wanted[i]
            leading = any(cell.pulls for cell in row)
            off = [w - c.x for w, c in zip(wanted, row, strict=True) if c.pulls or not leading]
            for cell in row:
                cell.x += _mean(off)


def _mean(numbers):
    return sum(numbers) / len(numbers) if numbers else 0


def _points(route, routes):
    """Start, bends and end of an edge; edges into one node, or out of one, stand side by side."""
    first, last = route[0], route[-1]
    start = first.x + _port(route, [r for r in routes if r[0] is first], lambda r: r[1].x)
    end = last.x + _port(route, [r for r in routes if r[-1] is last], lambda r: r[-2].x)
    bends = [(cell.x, cell.y) for cell in route[1:-1]]
    return [(start, first.y + _HEIGHT / 2), *bends, (end, last.y - _HEIGHT / 2)]


def _port(route, routes, key):
    order = [id(r) for r in sorted(routes, key=key)]
    return (order.index(id(route)) - (len(order) - 1) / 2) * min(44, 94 / len(order))


def _wire(points):
    path = f"M{points[0][0]:.0f} {points[0][1]:.0f}"
    for (x0, y0), (x1, y1) in pairwise(points):
        half = (y0 + y1) / 2
        path += f"C{x0:.0f} {half:.0f} {x1:.0f} {half:.0f} {x1:.0f} {y1:.0f}"
    x, y = points[-1]
    return (
        f'<path d="{path}" fill="none" stroke="currentColor"/>'
        f'<path d="M{x - 4:.0f} {y - 8:.0f}h8l-4 8z"/>'
    )


def _label_place(points, child):
    """Beside a short edge, on a long one."""
    (x0, y0), *bends, (x1, y1) = points
    if bends:
        return bends[len(bends) // 2]
    side = -1 if x1 < child.x else 1
    return side * (max(side * x0, side * x1) + _LABEL / 2), (y0 + y1) / 2


def _label(x, y, edge):
    """The local derivative, on a plate that hides what runs beneath it."""
    text = f"× {_short(edge.derivative)}"
    width = 6 * len(text) + 6
    return (
        f'<rect x="{x - width / 2:.0f}" y="{y - 10:.0f}" width="{width}" height="20" '
        f'fill="{_GROUND}"/><text x="{x:.0f}" y="{y + 4:.0f}">{text}</text>'
    )


def _box(cell):
    node = cell.node
    x, y = cell.x - cell.width / 2, cell.y - _HEIGHT / 2
    parts = [
        f'<rect x="{x:.0f}" y="{y:.0f}" width="{cell.width:.0f}" height="{_HEIGHT}" '
        f'rx="{10 if node.operation else 20}" fill="{_GROUND}" stroke="currentColor"/>',
        f'<text x="{cell.x:.0f}" y="{y + 16:.0f}" font-weight="650">{escape(_name(node))}</text>',
    ]
    for name, number, line in (("value", node.value, 37), ("grad", node.gradient, 54)):
        parts += [
            f'<text x="{x + 10:.0f}" y="{y + line:.0f}" text-anchor="start">{name}</text>',
            f'<text x="{x + cell.width - 10:.0f}" y="{y + line:.0f}" text-anchor="end" '
            f'font-weight="650">{_short(number)}</text>',
        ]
    return "".join(parts)


def _name(node):
    return f"{node.name} = {node.text}" if node.operation else node.name


def _short(number):
    return "NaN" if number != number else show(number, 3)

"""The playground as a still picture: what stands on the page until the figure runs.

Left are the data, right the network as it starts, with a line for each weight: blue for a positive
one, orange and dashed for a negative one, the wider the larger.
"""

import math
from html import escape

_COLORS = ["orange", "blue", "green", "purple"]
_GROUND = "var(--pst-color-background, Canvas)"
_SIZE = 240  # of the plane with the points
_SHOWN = 200  # points, for the picture's weight


def draw(state, points, arrays, alt: str) -> str:
    """Data and network as the text of an `<svg>`.

    Args:
        state: all settings.
        points: (x, y, target) triples.
        arrays: weight (out, in) and bias (out,) of each layer in turn.
        alt: the sentence that stands for the picture where it is not seen.
    """
    weights = arrays[::2]
    sizes = [weights[0].shape[1], *(len(weight) for weight in weights)]
    labels = _labels(state, sizes[-1])
    width = 440 + 46 * len(weights)
    step = (width - _SIZE - 130) / len(weights)
    places = [
        [(_SIZE + 70 + column * step, _SIZE / 2 + 10 + 30 * (j - (size - 1) / 2))
         for j in range(size)]
        for column, size in enumerate(sizes)
    ]  # fmt: skip
    lines = [
        _line(places[layer][i], places[layer + 1][j], weight[j][i])
        for layer, weight in enumerate(weights)
        for j in range(len(weight))
        for i in range(len(weight[0]))
    ]
    dots = [
        f'<circle cx="{x:.0f}" cy="{y:.0f}" r="10" fill="{_GROUND}" stroke="currentColor"/>'
        for column in places
        for x, y in column
    ]
    names = [
        f'<text x="{x - 16:.0f}" y="{y + 4:.0f}" text-anchor="end">{escape(name)}</text>'
        for (x, y), name in zip(places[0], state["features"], strict=True)
    ] + [
        f'<text x="{x + 16:.0f}" y="{y + 4:.0f}">{name}</text>'
        for (x, y), name in zip(places[-1], labels, strict=True)
    ]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="{escape(alt)}" '
        f'width="{width}" height="{_SIZE + 20}" viewBox="0 0 {width} {_SIZE + 20}" '
        f'font-family="sans-serif" font-size="12.5" fill="currentColor"><title>{escape(alt)}'
        f'</title><rect x="10" y="10" width="{_SIZE}" height="{_SIZE}" rx="6" fill="none" '
        f'stroke="currentColor"/>{_marks(state, points)}{"".join(lines + dots + names)}</svg>'
    )


def _labels(state, outputs):
    if outputs > 1:
        return [f"class {k + 1}" for k in range(outputs)]
    return ["value" if state["data"] in ("plane", "bumps") else "class"]


def _line(start, end, weight):
    (x0, y0), (x1, y1) = start, end
    half, wide = (x0 + x1) / 2, 0.6 + 4 * math.tanh(abs(weight) / 2)
    look = "blue" if weight >= 0 else 'orange)" stroke-dasharray="5 3'
    look = f"{look})" if weight >= 0 else look
    return (
        f'<path d="M{x0:.0f} {y0:.0f}C{half:.0f} {y0:.0f} {half:.0f} {y1:.0f} {x1:.0f} {y1:.0f}" '
        f'fill="none" stroke="var(--dl-{look}" stroke-width="{wide:.1f}"/>'
    )


def _marks(state, points):
    """The points: discs, squares, triangles and diamonds; two of them for values below and above 0.

    All of one kind are one path, which keeps the page light.
    """
    disc, square = "m-3 0a3 3 0 1 0 6 0a3 3 0 1 0-6 0", "m-3-3h6v6h-6z"
    shapes = [disc, square, "m0-4l4 7h-8z", "m0-4l4 4l-4 4l-4-4z"]
    scale, paths = _SIZE / 12, [""] * 4
    values = state["data"] in ("plane", "bumps")
    for x, y, target in points[:_SHOWN]:
        kind = int(target > 0) if values else int(target)
        if max(abs(x), abs(y)) < 5.9:
            left, top = 10 + scale * (x + 6), 10 + scale * (6 - y)
            paths[kind] += f"M{left:.0f} {top:.0f}{shapes[kind]}"
    return "".join(
        f'<path d="{path}" fill="var(--dl-{color})"/>'
        for path, color in zip(paths, _COLORS, strict=True)
        if path
    )

"""A LeNet-5 reads what is drawn, as it is drawn, and shows what each of its layers makes of it.

The weights come from `benchmarks/draw_digit.py`, which trains the net on MNIST (LeCun, Cortes and
Burges), on glyphs and on drawn digits; they are stored as int8. Drawings are centered as MNIST's
digits were.
`draw_digit.mjs` does the same in the reader's browser.
"""

import base64
import functools
import json
import math
from collections.abc import Mapping, Sequence
from html import escape

from dlcourse.figures import fields
from dlcourse.figures.base import FOLDER, Figure

WEIGHTS = FOLDER / "draw_digit_weights.mjs"
MOST = 2000  # points

THREE = [
    [[30, 26], [33, 22], [36, 19], [40, 17], [44, 16], [48, 15], [52, 15], [57, 16], [61, 19],
     [64, 22], [65, 26], [66, 30], [65, 35], [63, 38], [59, 42], [55, 44], [51, 46], [47, 46],
     [51, 46], [55, 48], [59, 50], [63, 52], [66, 55], [68, 59], [69, 63], [69, 68], [68, 72],
     [66, 76], [63, 79], [60, 82], [56, 84], [52, 85], [48, 85], [43, 85], [39, 83], [35, 81],
     [32, 78], [29, 75]],
]  # fmt: skip


def _expected_strokes(value):
    good = isinstance(value, (list, tuple)) and len(value) <= 100
    good = good and all(isinstance(s, (list, tuple)) and 0 < len(s) <= MOST for s in value)
    good = good and sum(map(len, value)) <= MOST
    if good and all(fields.is_point(p, (0, 100), (0, 100)) for s in value for p in s):
        return ""
    return f"up to 100 strokes of points [x, y] from 0 to 100, at most {MOST} in all"


FIELDS = {
    "strokes": fields.Test(_expected_strokes),
    "turn": fields.Number(-180, 180, whole=True),
    "pen": fields.Number(1, 5),
}


def raster(strokes: Sequence, turn: float = 0, pen: float = 2.6):
    """The picture of a drawing that the net gets, made as those of MNIST were.

    The drawing is scaled to a box of 20 x 20 pixels in a picture of 28 x 28; then its center of
    mass is moved, by whole pixels, to the center. The pen has always the same width there.

    Args:
        strokes: lists of points (x, y), from 0 (left, top) to 100.
        turn: angle by which the drawing is turned clockwise, in degrees. Default 0.
        pen: its width, in pixels of the picture. Default 2.6.

    Returns:
        (28, 28) array of levels from 0 (paper) to 1 (ink).
    """
    import numpy as np

    picture = np.zeros((28, 28))
    if not strokes:
        return picture
    cos, sin = math.cos(math.radians(turn)), math.sin(math.radians(turn))
    lines = [np.array(s, dtype=np.float64) - 50 for s in strokes]
    lines = [line @ np.array([[cos, sin], [-sin, cos]]) for line in lines]
    low, high = (f(np.concatenate(lines), axis=0) for f in (np.min, np.max))
    scale = (20 - pen) / max(10, *(high - low))
    row, column = np.mgrid[:28, :28] + 0.5

    def paint(shift):
        nearest = np.full((28, 28), np.inf)
        for line in lines:
            dots = scale * (line - (low + high) / 2) + 14 + shift
            for (x0, y0), (x, y) in zip([dots[0], *dots], dots, strict=False):
                dx, dy, long = x - x0, y - y0, (x - x0) ** 2 + (y - y0) ** 2
                along = ((column - x0) * dx + (row - y0) * dy) / long if long else 0 * row
                t = np.clip(along, 0, 1)
                away = np.hypot(column - x0 - t * dx, row - y0 - t * dy)
                nearest = np.minimum(nearest, away)
        return np.clip(pen / 2 + 0.5 - nearest, 0, 1)

    picture = paint(0.0)
    mass = picture.sum()
    center = [(picture * place).sum() / mass for place in (column, row)]
    return paint(np.floor(14 - np.array(center) + 0.5))


@functools.cache
def weights() -> dict:
    """Weight and bias of each layer, c1 to output: from int8 and a scale for each output."""
    import numpy as np

    text = WEIGHTS.read_text("utf-8")
    layers = json.loads(text[text.index("{") : text.rindex("}") + 1])

    def array(packed, kind):
        return np.frombuffer(base64.b64decode(packed), kind)

    found = {}
    for name, layer in layers.items():
        levels = array(layer["weight"], np.int8).reshape(layer["shape"]).astype(np.float64)
        scale = array(layer["scale"], "<f4").reshape(-1, *[1] * (levels.ndim - 1))
        found[name] = levels * scale, array(layer["bias"], "<f4").astype(np.float64)
    return found


def forward(picture) -> dict:
    """What each layer of the net makes of one picture (28, 28), by the library's own engine.

    Returns:
        dict of arrays: c1 (6, 28, 28), s2, c3 (16, 10, 10), s4, c5 (120, 1, 1), f6 (84,), and the
        ten scores as output.
    """
    import numpy as np

    from dlcourse.autograd.conv import conv2d, max_pool2d

    net = weights()
    layers = {"s0": np.asarray(picture, dtype=np.float64)[None]}
    for name, before, padding in (("c1", "s0", 2), ("c3", "s2", 0), ("c5", "s4", 0)):
        answer = conv2d(layers[before][None], *net[name], padding=padding).data
        layers[name] = np.maximum(0, answer[0])
        if name != "c5":
            layers[f"s{int(name[1]) + 1}"] = max_pool2d(layers[name][None], 2).data[0]
    layers["f6"] = np.maximum(0, net["f6"][0] @ layers["c5"].ravel() + net["f6"][1])
    layers["output"] = net["output"][0] @ layers["f6"] + net["output"][1]
    del layers["s0"]
    return layers


def network():
    """The same net in PyTorch: `LeNet5`, batch norm folded in, weights from int8."""
    import torch

    from dlcourse.nets.lenet import LeNet5

    net = LeNet5(size=28, modern=True)
    for name in ("act1", "act3", "act5", "act6"):
        setattr(net, name, torch.nn.ReLU())
    with torch.no_grad():
        for name, (weight, bias) in weights().items():
            getattr(net, name).weight.copy_(torch.tensor(weight))
            getattr(net, name).bias.copy_(torch.tensor(bias))
    return net.eval()


def draw_digit(strokes: Sequence = THREE, turn: int = 0, pen: float = 2.6) -> Figure:
    """A sheet of paper, and a LeNet-5 that reads the digit on it.

    Args:
        strokes: up to 100 lists of points (x, y), from 0 (left, top) to 100. Default a three.
        turn: angle by which the drawing is turned clockwise, from -180 to 180 degrees. Default 0.
        pen: width of the pen in the picture that the net gets, from 1 to 5 pixels. Default 2.6.

    Returns:
        A figure whose state holds these arguments.

    Raises:
        ValueError: for values out of these limits.
    """
    try:
        plain = [[list(point) for point in stroke] for stroke in strokes]
    except TypeError:
        raise ValueError(
            f"strokes: lists of points [x, y] expected, {strokes!r:.60} came"
        ) from None
    state = {"strokes": plain, "turn": turn, "pen": pen}
    check_state(state)
    if state["strokes"]:
        import numpy as np

        scores = forward(raster(state["strokes"], turn, pen))["output"]
        chances = np.exp(scores - scores.max())
        chances /= chances.sum()
        best = int(chances.argmax())
        alt = (
            f"A drawing on paper; a LeNet-5 reads it as a {best}, with {100 * chances[best]:.2g} %."
        )
    else:
        chances = [0] * 10
        alt = "Paper on which nothing is drawn yet, and ten bars for what a LeNet-5 reads on it."
    return Figure("draw_digit", state, alt, _still(state, chances, alt), check=check_state)


def _still(state, chances, alt):
    """The paper, and a bar for each digit."""
    lines = "".join(
        f'<path d="M{"L".join(f"{x:g} {y:g}" for x, y in [*stroke, stroke[-1]])}"/>'
        for stroke in state["strokes"]
    )
    bars = "".join(
        f'<text x="280" y="{24 + 24 * k}">{k}</text><text x="500" y="{24 + 24 * k}" '
        f'text-anchor="end">{100 * chance:.1f} %</text><rect x="300" y="{12 + 24 * k}" '
        f'width="{max(1, 130 * chance):.1f}" height="15" fill="var(--dl-blue)"/>'
        for k, chance in enumerate(chances)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="{escape(alt)}" '
        'width="508" height="260" viewBox="0 0 508 260" font-family="sans-serif" font-size="14" '
        'fill="currentColor"><rect x="8" y="8" width="244" height="244" fill="none" '
        'stroke="currentColor" stroke-opacity="0.4"/><g transform="translate(8 8) scale(2.44) '
        f'rotate({state["turn"]} 50 50)" fill="none" stroke="currentColor" stroke-linecap="round" '
        f'stroke-linejoin="round" stroke-width="{2.4 * state["pen"]:g}">{lines}</g>{bars}</svg>'
    )


def check_state(state: Mapping):
    """Raise ValueError unless every value of the state is good."""
    fields.check(FIELDS, state)


# The package shows the function under this module's own name; so its twins go along with it.
draw_digit.raster = raster
draw_digit.forward = forward
draw_digit.network = network

"""A window walks over a picture: what a convolution computes, one position at a time.

The reader chooses picture, kernel, stride, padding, dilation and the number of layers, and sees
which entries each number of the output comes from. The numbers are those of
`dlcourse.autograd.conv.conv2d`; `convolution_explorer.mjs` finds the same in the reader's browser.
"""

from collections.abc import Mapping, Sequence
from html import escape

from dlcourse.figures import fields
from dlcourse.figures.base import Figure

DIGITS = ("digit 3", "digit 8")
PHOTOGRAPH, EMPTY = "photograph", "empty, to draw on"


def _shrunk(rows, by):
    return [[value / by for value in row] for row in rows]


_BINOMIAL = (1, 4, 6, 4, 1)
KERNELS = {
    "identity": [[0, 0, 0], [0, 1, 0], [0, 0, 0]],
    "identity, 5 × 5": [[int(i == j == 2) for j in range(5)] for i in range(5)],
    "blur": _shrunk([[1, 1, 1], [1, 1, 1], [1, 1, 1]], 9),
    "blur, 5 × 5": _shrunk([[a * b for b in _BINOMIAL] for a in _BINOMIAL], 256),
    "vertical edges": [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]],
    "horizontal edges": [[-1, -2, -1], [0, 0, 0], [1, 2, 1]],
    "all edges": [[-1, -1, -1], [-1, 8, -1], [-1, -1, -1]],
    "sharpen": [[0, -1, 0], [-1, 5, -1], [0, -1, 0]],
    "emboss": [[-2, -1, 0], [-1, 1, 1], [0, 1, 2]],
}


def _is_table(value, sides, low, high):
    if not isinstance(value, (list, tuple)) or len(value) not in sides:
        return False
    number = fields.Number(low, high)
    return all(
        isinstance(row, (list, tuple))
        and len(row) in sides
        and len(row) == len(value[0])
        and not any(map(number.expected, row))
        for row in value
    )


def _expected_pixels(value):
    good = _is_table(value, range(4, 17), 0, 1)
    return "" if good else "4 to 16 rows of 4 to 16 numbers from 0 to 1"


def _expected_kernel(value):
    good = _is_table(value, (3, 5), -99, 99) and len(value) == len(value[0])
    return "" if good else "3 rows of 3 or 5 rows of 5 numbers from -99 to 99"


FIELDS = {
    "pixels": fields.Test(_expected_pixels),
    "kernel": fields.Test(_expected_kernel),
    "stride": fields.Number(1, 4, whole=True),
    "padding": fields.Number(0, 3, whole=True),
    "dilation": fields.Number(1, 3, whole=True),
    "layers": fields.Number(1, 4, whole=True),
    "position": fields.Number(0, 440, whole=True),
}


def picture(name: str) -> list:
    """One of the pictures that the figure offers, as rows of levels: sixteenths from 0 to 1.

    Args:
        name: "digit 3" or "digit 8", the first of its kind among scikit-learn's digits;
            "photograph", 16 x 16 means over a roof of its photograph of a temple; or
            "empty, to draw on".

    Raises:
        ValueError: there is no such picture.
    """
    import numpy as np

    from dlcourse import data

    if name in DIGITS:
        digits = data.digits()
        levels = digits.inputs[np.flatnonzero(digits.targets == int(name[-1]))[0], 0]
    elif name == PHOTOGRAPH:
        part = data.photograph("china").mean(axis=0)[60:252, 200:392]
        part = part.reshape(16, 12, 16, 12).mean(axis=(1, 3))
        levels = (part - part.min()) / (part.max() - part.min())
    elif name == EMPTY:
        levels = np.zeros((10, 10))
    else:
        raise ValueError(
            f"no picture {name!r}; there are {', '.join((*DIGITS, PHOTOGRAPH, EMPTY))}"
        )
    return (np.rint(levels.astype(np.float64) * 16) / 16).tolist()


def stack(
    pixels: Sequence,
    kernel: Sequence,
    stride: int = 1,
    padding: int = 0,
    dilation: int = 1,
    layers: int = 1,
) -> list:
    """The maps of a stack of equal convolutions, as arrays (H, W): the picture, then each output.

    Args:
        pixels: the picture, H rows of W numbers.
        kernel: k rows of k weights, the same in every layer.
        stride, padding, dilation: as in `dlcourse.autograd.conv.conv2d`.
        layers: how many. Default 1.

    Raises:
        ValueError: the window has no room.
    """
    import numpy as np

    from dlcourse.autograd.conv import conv2d

    maps = [np.array(pixels, dtype=np.float64)]
    weight = np.array(kernel, dtype=np.float64)[None, None]
    for _ in range(layers):
        maps.append(
            conv2d(maps[-1][None, None], weight, None, stride, padding, dilation).data[0, 0]
        )
    return maps


def receptive_field(size: int, stride: int = 1, dilation: int = 1, layers: int = 1) -> int:
    """How many entries of the picture, along one side, one entry of the last layer looks at.

    Each layer adds dilation (size - 1) steps, and a step of layer l is stride^l entries long.
    """
    return 1 + sum(dilation * (size - 1) * stride**layer for layer in range(layers))


def convolution_explorer(
    picture: str | Sequence = "digit 3",
    kernel: str | Sequence = "vertical edges",
    stride: int = 1,
    padding: int = 1,
    dilation: int = 1,
    layers: int = 1,
    position: int = 0,
) -> Figure:
    """A convolution that the reader takes apart: the window walks, and each sum is written out.

    Args:
        picture: the name of one (see `picture`), or 4 to 16 rows of 4 to 16 numbers from 0 to 1.
        kernel: a name from `KERNELS`, or 3 rows of 3 or 5 rows of 5 numbers.
        stride: from 1 to 4.
        padding: zeros on each side, from 0 to 3.
        dilation: distance of neighbors in the window, from 1 to 3.
        layers: how many equal layers stand on each other, from 1 to 4.
        position: where the window is, counted along the rows of the last output.

    Returns:
        A figure whose state holds these arguments, picture and kernel as rows of numbers, the
        picture as `pixels`.

    Raises:
        ValueError: for values out of these limits, or where the window has no room.
    """
    if isinstance(kernel, str) and kernel not in KERNELS:
        raise ValueError(f"no kernel {kernel!r}; there are {', '.join(KERNELS)}")
    state = {
        "pixels": _named(picture) if isinstance(picture, str) else _rows("picture", picture),
        "kernel": KERNELS[kernel] if isinstance(kernel, str) else _rows("kernel", kernel),
        "stride": stride,
        "padding": padding,
        "dilation": dilation,
        "layers": layers,
        "position": position,
    }
    check_state(state)
    settings = {key: state[key] for key in ("stride", "padding", "dilation", "layers")}
    first, *_, last = stack(state["pixels"], state["kernel"], **settings)
    size = len(state["kernel"])
    row, column = divmod(min(position, last.size - 1), last.shape[1])
    sees = receptive_field(size, stride, dilation, layers)
    alt = (
        f"A picture of {first.shape[0]} x {first.shape[1]} numbers, and what {layers} "
        f"{'layer' if layers == 1 else 'layers'} of convolution with a {size} x {size} kernel at "
        f"stride {stride}, padding {padding} and dilation {dilation} make of it: "
        f"{last.shape[0]} x {last.shape[1]} numbers. The one in row {row + 1}, column {column + 1} "
        f"is {last[row, column]:.4g}; it sees {sees} x {sees} entries of the picture."
    )
    return Figure("convolution_explorer", state, alt, _still(first, last, alt), check=check_state)


_named = picture


def _rows(name, value):
    """Rows of plain numbers from an array or from nested sequences."""
    value = value.tolist() if hasattr(value, "tolist") else value
    if not isinstance(value, (list, tuple)):
        raise ValueError(f"{name}: rows of numbers expected, {value!r:.60} came")
    return [list(row) if isinstance(row, tuple) else row for row in value]


def _still(first, last, alt):
    """Both maps side by side: the picture in gray, the output blue above 0, orange below."""
    side, parts = 224, []
    for left, title, values in ((8, "Input", first), (276, "Output", last)):
        cell, most = side / max(values.shape), max(abs(values).max(), 1e-12)
        parts.append(f'<text x="{left}" y="16">{title}</text>')
        for (i, j), value in [((i, j), values[i, j]) for i, j in _places(values)]:
            share = 100 * abs(value) / most
            fill = (
                f"color-mix(in srgb, white {100 * value:.0f}%, black)"
                if title == "Input"
                else f"color-mix(in srgb, var(--dl-{'orange' if value < 0 else 'blue'}) "
                f"{share:.0f}%, transparent)"
            )
            parts.append(
                f'<rect x="{left + j * cell:.1f}" y="{26 + i * cell:.1f}" width="{cell:.1f}" '
                f'height="{cell:.1f}" style="fill:{fill}" stroke="currentColor" '
                'stroke-opacity="0.2"/>'
            )
    parts.append('<text x="254" y="142" text-anchor="middle">→</text>')
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="{escape(alt)}" '
        'width="508" height="260" viewBox="0 0 508 260" font-family="sans-serif" '
        f'font-size="13" fill="currentColor">{"".join(parts)}</svg>'
    )


def _places(values):
    return ((i, j) for i in range(values.shape[0]) for j in range(values.shape[1]))


def check_state(state: Mapping):
    """Raise ValueError unless every value of the state is good and the window has room."""
    fields.check(FIELDS, state)
    stack(*(state[key] for key in ("pixels", "kernel", "stride", "padding", "dilation", "layers")))


# The package shows the function under this module's own name; so its twins go along with it.
convolution_explorer.picture = picture
convolution_explorer.stack = stack
convolution_explorer.receptive_field = receptive_field
convolution_explorer.KERNELS = KERNELS

"""Convolution and pooling on pictures (N, C, H, W).

Every function here looks at a picture through a window that moves in steps. `Window` says where the
window's entry (i, j) lies for all positions at once; with it, a convolution becomes one matrix
product: the entries under each position form a column, the filters form the rows.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from .ops import as_tensors, op

CACHE_BYTES = 4 << 20  # what a processor keeps close by, roughly


@dataclass(frozen=True)
class Window:
    """A window of `size` entries that moves by `stride` over a picture with a border of `padding`.

    All are pairs (vertical, horizontal); with dilation d, neighbors in the window lie d apart.
    """

    size: tuple
    stride: tuple = (1, 1)
    padding: tuple = (0, 0)
    dilation: tuple = (1, 1)

    @classmethod
    def of(cls, size, stride=1, padding=0, dilation=1):
        """The same from single numbers or pairs."""
        window = cls(pair(size), pair(stride), pair(padding), pair(dilation))
        if min(*window.size, *window.stride, *window.dilation) < 1 or min(window.padding) < 0:
            raise ValueError(
                "window: size, stride and dilation must be at least 1 and padding at least 0, got "
                f"size={size}, stride={stride}, padding={padding}, dilation={dilation}"
            )
        return window

    @property
    def span(self):
        """How many entries of the picture it reaches over, (vertical, horizontal)."""
        return tuple(d * (k - 1) + 1 for d, k in zip(self.dilation, self.size, strict=True))

    def positions(self, picture):
        """How many places the window has, (oh, ow), in a picture (H, W)."""
        padded = [n + 2 * p for n, p in zip(picture, self.padding, strict=True)]
        counts = tuple(
            (n - s) // step + 1 for n, s, step in zip(padded, self.span, self.stride, strict=True)
        )
        if min(counts) < 1:
            raise ValueError(
                f"the window covers {self.span[0]} x {self.span[1]} entries, the picture with its "
                f"padding only {padded[0]} x {padded[1]}; use a smaller window, more padding or a "
                "larger picture"
            )
        return counts

    def entries(self, counts):
        """For each entry of the window, the slices that hold it at all `counts` positions."""
        for entry in np.ndindex(*self.size):
            starts = [i * d for i, d in zip(entry, self.dilation, strict=True)]
            yield tuple(
                slice(start, start + step * (n - 1) + 1, step)
                for start, step, n in zip(starts, self.stride, counts, strict=True)
            )

    def pad(self, x, value=0.0):
        """x with its border."""
        if self.padding == (0, 0):
            return x
        return np.pad(x, ((0, 0), (0, 0), *((p, p) for p in self.padding)), constant_values=value)

    def crop(self, padded):
        """Take the border off again."""
        (top, left), (height, width) = self.padding, padded.shape[2:]
        return padded[:, :, top : height - top, left : width - left]

    def columns(self, x, groups):
        """The entries under every position: (N, C, H, W) -> (N, G, C/G kh kw, oh ow)."""
        counts, padded = self.positions(x.shape[2:]), self.pad(x)
        # One view of the picture for each entry of the window: all that it sees on its way.
        ways = [step * (n - 1) + 1 for step, n in zip(self.stride, counts, strict=True)]
        (dh, dw), (sh, sw) = self.dilation, self.stride
        views = sliding_window_view(padded, ways, axis=(2, 3))
        views = views[:, :, : self.span[0] : dh, : self.span[1] : dw, ::sh, ::sw]
        rows = x.shape[1] // groups * self.size[0] * self.size[1]
        return views.reshape(len(x), groups, rows, counts[0] * counts[1])

    def scatter(self, filters, rows, picture):
        """Lay the filters under every position, as strong as `rows` say, and add up what overlaps.

        This is the transpose of taking columns and multiplying them by `filters`. A few pictures
        are done at a time: columns that fit into the processor's cache are added up twice as fast.

        filters (G, K/G, C/G kh kw), rows (N, G, K/G, oh ow) -> (N, C, H, W).
        """
        counts, entries = self.positions(picture), self.size[0] * self.size[1]
        channels = len(filters) * filters.shape[2] // entries
        height, width = (n + 2 * p for n, p in zip(picture, self.padding, strict=True))
        padded = np.zeros((len(rows), channels, height, width), rows.dtype)
        column_bytes = channels * entries * math.prod(counts) * rows.itemsize
        step = max(1, CACHE_BYTES // column_bytes)
        for some in (slice(start, start + step) for start in range(0, len(rows), step)):
            columns = filters.mT @ rows[some]
            parts = columns.reshape(len(columns), channels, entries, *counts)
            for entry, (down, across) in enumerate(self.entries(counts)):
                padded[some, :, down, across] += parts[:, :, entry]
        return self.crop(padded)


def conv2d(x, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    """Slide filters over pictures (strictly a cross-correlation, as everywhere in deep learning).

    Args:
        x: (N, C, H, W).
        weight: (K, C / groups, kh, kw), one filter for each output channel.
        bias: (K,) or None.
        stride, padding, dilation: numbers or pairs (vertical, horizontal).
        groups: split input and output channels into so many groups that don't see each other.

    Returns:
        (N, K, oh, ow), with oh = (H + 2 padding - dilation (kh - 1) - 1) // stride + 1.

    Raises:
        ValueError: if the shapes don't fit together; the message says which.
    """
    x, weight, bias = as_tensors((x, weight, 0.0 if bias is None else bias))
    channels = weight.shape[1] * groups if weight.ndim == 4 else None
    if x.ndim != 4 or x.shape[1] != channels or groups < 1 or weight.shape[0] % groups:
        raise ValueError(
            f"conv2d: expected x (N, C, H, W) and weight (K, C/groups, kh, kw) with K divisible by "
            f"groups, got {x.shape} and {weight.shape} with groups={groups}"
        )
    _check_bias("conv2d", bias, len(weight))
    return _conv2d(x, weight, bias, Window.of(weight.shape[2:], stride, padding, dilation), groups)


@op
def _conv2d(x, weight, bias, /, window, groups):
    columns, filters = window.columns(x, groups), _filters(weight, groups)
    value = (filters @ columns).reshape(len(x), len(weight), *window.positions(x.shape[2:]))
    value += bias.reshape(-1, 1, 1)

    def rows(g):
        return g.reshape(len(x), groups, len(weight) // groups, columns.shape[-1])

    def to_x(g):
        return window.scatter(filters, rows(g), x.shape[2:])

    def to_weight(g):
        return (rows(g) @ columns.mT).sum(axis=0).reshape(weight.shape)

    return value, (to_x, to_weight, lambda g: g.sum(axis=(0, 2, 3)))


def conv_transpose2d(
    x, weight, bias=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1
):
    """The transpose of `conv2d`: what its gradient does with pictures, as a layer that enlarges.

    Args:
        x: (N, C, H, W).
        weight: (C, K / groups, kh, kw).
        bias: (K,) or None.
        stride, padding, dilation: of the convolution that this undoes the shape of.
        output_padding: rows and columns to add at the lower right, fewer than the stride.
        groups: as in `conv2d`.

    Returns:
        (N, K, oh, ow), oh = (H - 1) stride - 2 padding + dilation (kh - 1) + output_padding + 1.

    Raises:
        ValueError: if the shapes don't fit together; the message says which.
    """
    x, weight, bias = as_tensors((x, weight, 0.0 if bias is None else bias))
    channels = weight.shape[0] if weight.ndim == 4 else None
    if x.ndim != 4 or x.shape[1] != channels or groups < 1 or channels % groups:
        raise ValueError(
            f"conv_transpose2d: expected x (N, C, H, W) and weight (C, K/groups, kh, kw) with C "
            f"divisible by groups, got {x.shape} and {weight.shape} with groups={groups}"
        )
    _check_bias("conv_transpose2d", bias, weight.shape[1] * groups)
    window, extra = Window.of(weight.shape[2:], stride, padding, dilation), pair(output_padding)
    limits = map(max, window.stride, window.dilation)
    if any(not 0 <= e < limit for e, limit in zip(extra, limits, strict=True)):
        raise ValueError(
            f"conv_transpose2d: output_padding must be smaller than stride or dilation, got "
            f"{output_padding} with stride={stride}, dilation={dilation}"
        )
    picture = tuple(
        (n - 1) * step - 2 * p + s + e
        for n, step, p, s, e in zip(
            x.shape[2:], window.stride, window.padding, window.span, extra, strict=True
        )
    )
    return _conv_transpose2d(x, weight, bias, window, picture, groups)


@op
def _conv_transpose2d(x, weight, bias, /, window, picture, groups):
    filters = _filters(weight, groups)  # (G, C/G, K/G kh kw)
    rows = x.reshape(len(x), groups, len(weight) // groups, x.shape[2] * x.shape[3])

    def to_x(g):
        return (filters @ window.columns(g, groups)).reshape(x.shape)

    def to_weight(g):
        return (rows @ window.columns(g, groups).mT).sum(axis=0).reshape(weight.shape)

    value = window.scatter(filters, rows, picture) + bias.reshape(-1, 1, 1)
    return value, (to_x, to_weight, lambda g: g.sum(axis=(0, 2, 3)))


def _filters(weight, groups):
    """(K, C/G, kh, kw) -> (G, K/G, C/G kh kw)."""
    return weight.reshape(groups, len(weight) // groups, -1)


def _check_bias(name, bias, channels):
    if bias.ndim and bias.shape != (channels,):
        raise ValueError(f"{name}: expected a bias of shape ({channels},), got {bias.shape}")


# Pooling --------------------------------------------------------------------------------------


@op
def max_pool2d(x, /, kernel_size, stride=None, padding=0, dilation=1):
    """The largest entry under each position of a window; the first of equals gets the gradient.

    x: (N, C, H, W); `stride` is `kernel_size` by default, so that windows don't overlap.
    """
    window = _pooling_window(x, kernel_size, stride, padding, dilation)
    places = list(window.entries(window.positions(x.shape[2:])))
    padded = window.pad(x, -np.inf)
    largest = padded[:, :, *places[0]]
    for rows, cols in places[1:]:
        largest = np.maximum(largest, padded[:, :, rows, cols])

    def vjp(g):
        gradient, waiting = np.zeros_like(padded), np.ones(g.shape, bool)
        for rows, cols in places:
            hit = waiting & (padded[:, :, rows, cols] == largest)
            gradient[:, :, rows, cols] += g * hit
            waiting &= ~hit
        return window.crop(gradient)

    return largest, vjp


@op
def avg_pool2d(x, /, kernel_size, stride=None, padding=0):
    """The mean under each position of a window; the border counts as zeros.

    x: (N, C, H, W); `stride` is `kernel_size` by default.
    """
    window = _pooling_window(x, kernel_size, stride, padding, 1)
    places = list(window.entries(window.positions(x.shape[2:])))
    padded, share = window.pad(x), 1 / (window.size[0] * window.size[1])
    total = sum(padded[:, :, rows, cols] for rows, cols in places)

    def vjp(g):
        gradient, part = np.zeros_like(padded), g * share
        for rows, cols in places:
            gradient[:, :, rows, cols] += part
        return window.crop(gradient)

    return total * share, vjp


def _pooling_window(x, kernel_size, stride, padding, dilation):
    if x.ndim != 4:
        raise ValueError(f"pooling: expected pictures (N, C, H, W), got shape {x.shape}")
    window = Window.of(kernel_size, kernel_size if stride is None else stride, padding, dilation)
    if any(2 * p > k for p, k in zip(window.padding, window.size, strict=True)):
        raise ValueError(
            f"pooling: padding may be half of the window at most, got {padding} for {kernel_size}"
        )
    return window


def pair(value):
    """(vertical, horizontal) from one number for both, or from a pair."""
    values = tuple(value) if np.iterable(value) else (value, value)
    if len(values) != 2 or any(v != int(v) for v in values):
        raise ValueError(f"window: expected a whole number or a pair of them, got {value!r}")
    return tuple(int(v) for v in values)

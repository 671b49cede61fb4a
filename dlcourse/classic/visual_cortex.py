"""Cells that see edges: the two kinds that Hubel and Wiesel found in the cat's visual cortex.

A simple cell wants an edge of one slope at one place. A complex cell wants the slope and doesn't
mind the place. The second is the first, twice, squared and added: and with it, invariance enters
the history of networks.
"""

import numpy as np

from .inputs import pictures


def gabor(size, wavelength, angle=0.0, phase=0.0, width=None):
    """A receptive field: a grating seen through a soft round window (Gabor, 1946; Daugman, 1985).

    g(u, v) = exp(-(u^2 + v^2) / (2 width^2)) cos(2 pi (u cos a + v sin a) / wavelength + phase),
    less the amount of window that makes its sum 0, and scaled to length 1: even light says nothing.

    Args:
        size: pixels a side.
        wavelength: pixels from one bright bar to the next.
        angle: direction across the bars, in radians. Default 0: upright bars.
        phase: 0 gives a bright bar in the middle, -pi/2 an edge. Default 0.
        width: of the window, in pixels. Default wavelength / 2.

    Returns:
        (size, size) weights.

    >>> field = gabor(21, wavelength=6)
    >>> bool(abs(field.sum()) < 1e-12), round(float((field**2).sum()), 12)
    (True, 1.0)
    """
    if size < 1 or wavelength < 2:
        raise ValueError(
            f"gabor: expected a size of at least 1 and a wavelength of at least 2 pixels, "
            f"got {size} and {wavelength}; finer bars cannot be drawn"
        )
    width = wavelength / 2 if width is None else width
    v, u = np.indices((size, size)) - (size - 1) / 2
    window = np.exp(-(u**2 + v**2) / (2 * width**2))
    wave = np.cos(2 * np.pi * (u * np.cos(angle) + v * np.sin(angle)) / wavelength + phase)
    field = window * wave
    field -= window * field.sum() / window.sum()
    return field / np.linalg.norm(field)


def grating(size, wavelength, angle=0.0, phase=0.0):
    """Bars without end, the stimulus of the laboratory: (size, size) in [-1, 1].

    >>> grating(4, wavelength=4)[0].round(2)  # a row across the bars
    array([-0.71,  0.71,  0.71, -0.71])
    """
    v, u = np.indices((size, size)) - (size - 1) / 2
    return np.cos(2 * np.pi * (u * np.cos(angle) + v * np.sin(angle)) / wavelength - phase)


class VisualCell:
    """A simple or a complex cell (Hubel and Wiesel, 1962; energy model: Adelson and Bergen, 1985).

    Simple: max(0, g.x) with one Gabor field g. Complex: sqrt((g0.x)^2 + (g90.x)^2) with two fields
    a quarter of a wave apart: as the bars move on, one falls as the other rises, and
    cos^2 + sin^2 = 1.

    Args:
        kind: "simple" or "complex".
        size, wavelength, angle, phase: as in `gabor`. Default 21, 6, 0, 0.

    >>> bars = [grating(21, 6, phase=p) for p in (0, np.pi / 2, np.pi)]
    >>> VisualCell("simple").transform(bars).round(1)
    array([7.5, 0. , 0. ])
    >>> VisualCell("complex").transform(bars).round(1)
    array([7.5, 7.5, 7.5])
    """

    def __init__(self, kind, size=21, wavelength=6, angle=0.0, phase=0.0):
        if kind not in ("simple", "complex"):
            raise ValueError(f'VisualCell: there are "simple" and "complex" cells, got {kind!r}')
        self.kind = kind
        quarter = (0.0,) if kind == "simple" else (0.0, -np.pi / 2)
        self.fields = np.stack([gabor(size, wavelength, angle, phase + q) for q in quarter])

    def transform(self, images):
        """The cell's answer to each of images (N, size, size): (N,)."""
        images = pictures("VisualCell", images)
        if images.shape[1:] != self.fields.shape[1:]:
            raise ValueError(
                f"VisualCell: its field is {self.fields.shape[1:]}, the pictures are "
                f"{images.shape[1:]}; cut patches of that size"
            )
        sums = np.einsum("nhw,fhw->nf", images, self.fields)
        return np.maximum(sums[:, 0], 0) if self.kind == "simple" else np.sqrt((sums**2).sum(1))

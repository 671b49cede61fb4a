"""The Neocognitron: what Hubel and Wiesel saw, built, years before backpropagation.

Layers of S-cells look for a template everywhere; layers of C-cells blur where it was found.
Alternate them, and small things seen roughly here make larger things seen roughly there. Fukushima
(1980) let the templates find themselves, by competition and without a teacher; LeCun's nets of
1989 kept the layers and taught them with gradients.
"""

import numpy as np

from .inputs import fitted, pictures


def all_windows(maps, size):
    """Every window of maps (N, K, H, W), edges filled with 0: (N, H, W, K, size, size)."""
    before, after = (size - 1) // 2, size // 2
    padded = np.pad(maps, ((0, 0), (0, 0), (before, after), (before, after)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (size, size), (2, 3))
    return windows.transpose(0, 2, 3, 1, 4, 5)


def falloff(size, share):
    """Weights that fall from the middle of a size x size window like share**distance, sum 1."""
    v, u = np.indices((size, size)) - (size - 1) / 2
    weights = share ** np.hypot(u, v)
    return weights / weights.sum()


class SLayer:
    """S-cells: the same template everywhere on a plane, many planes (Fukushima, 1980).

    u = r max(0, (1 + sum a x) / (1 + 2r/(1+r) b v) - 1), with v = sqrt(sum c x^2) the inhibition
    from all inputs. After learning one pattern y it is (1 + r) s - r for s the cosine of x and y:
    only what is more alike than r / (1 + r) gets through.

    Learning: of all cells of all planes the most active becomes *seed*; its plane learns
    Delta a = q c x, Delta b = q v / 2 from what the seed sees, and no other cell near it may be
    seed for this picture. So each plane gets a template of its own.

    Args:
        planes: K, number of templates.
        size: side of the window.
        selectivity: r.
        reach: how far from a seed, in cells, no other cell may be seed.
        rate: q. Default 16.
    """

    def __init__(self, planes, size, selectivity, reach, rate=16.0):
        self.planes, self.size, self.selectivity = planes, size, selectivity
        self.reach, self.rate = reach, rate

    def start(self, channels, rng):
        """Small random excitation, no inhibition: who has learned nothing likes everything."""
        self.c = np.tile(falloff(self.size, 0.9) / channels, (channels, 1, 1))
        self.a = 1e-3 * rng.random((self.planes, *self.c.shape)) * self.c
        self.b = np.zeros(self.planes)

    def respond(self, maps, selectivity=None):
        """(N, channels, H, W) -> (N, planes, H, W)."""
        windows = all_windows(maps, self.size)
        excitation = np.einsum("nhwkij,pkij->nphw", windows, self.a, optimize=True)
        v = np.sqrt(np.einsum("nhwkij,kij->nhw", windows**2, self.c, optimize=True))[:, None]
        r = self.selectivity if selectivity is None else selectivity
        b = self.b[:, None, None]
        return r * np.maximum((1 + excitation) / (1 + 2 * r / (1 + r) * b * v) - 1, 0)

    def learn(self, maps):
        """Show one picture's maps (1, channels, H, W): each plane learns from at most one place."""
        u = self.respond(maps)[0]  # (planes, H, W)
        windows = all_windows(maps, self.size)[0]
        while u.max() > 0:
            plane, row, column = np.unravel_index(u.argmax(), u.shape)
            seen = windows[row, column]
            self.a[plane] += self.rate * self.c * seen
            self.b[plane] += self.rate / 2 * np.sqrt((self.c * seen**2).sum())
            u[plane] = 0
            near = (slice(max(0, at - self.reach), at + self.reach + 1) for at in (row, column))
            u[(slice(None), *near)] = 0


def c_cells(maps, size, step, saturation=0.5):
    """C-cells: blur each plane of S-cells and thin it out: (N, K, H, W) -> (N, K, H/step, W/step).

    With e_k the weighted sum of plane k and v the mean of e over the planes,
    u_k = psi((1 + e_k) / (1 + v) - 1), psi(x) = x / (saturation + x) for x > 0, else 0.

    >>> spot = np.zeros((1, 2, 8, 8)); spot[0, 0, 3, 3] = 1
    >>> [int((c_cells(np.roll(spot, shift, 3), 5, 2)[0, 0] > 0).any()) for shift in (0, 1, 2)]
    [1, 1, 1]
    """
    windows = all_windows(maps, size)[:, ::step, ::step]
    e = np.einsum("nhwkij,ij->nkhw", windows, falloff(size, 0.9), optimize=True) * size
    x = np.maximum((1 + e) / (1 + e.mean(1, keepdims=True)) - 1, 0)
    return x / (saturation + x)


class Neocognitron:
    """Two stages of S- and C-cells that organize themselves (Fukushima, 1980; et al., 1983).

    Picture -> S1 (small templates) -> C1 (blurred, every second cell) -> S2 (templates of whole
    patterns) -> C2 (one cell a plane, which sees all of it). The stages learn one after the other.
    The answer is the number of the C2 cell that is most active. Nobody tells it classes; with
    labels, `fit` only notes which cell answers to which.

    What differs from the paper: two stages in place of three, windows and constants to suit
    small pictures, a C2 cell takes the largest of its inputs, and S2 is strict when it learns and
    lenient when it recognizes (Fukushima and Tanigawa, 1996), since a shift changes what C1 thins
    out.

    Args:
        planes: templates in S1 and in S2. Default (12, 10).
        sizes: sides of their windows. Default (3, 5).
        selectivity: r of S1 and of S2 while they learn. Default (4.0, 5.0).
        tolerance: r of S2 when it recognizes. Default 2.0.
        epochs: how often each stage sees all pictures. Default 5.
        seed: of the first weights. Default 0.

    After `fit`: `stages_` (the two `SLayer`), `names_` (the label of each C2 cell).

    >>> bars = np.zeros((2, 12, 12)); bars[0, 3:9, 5] = 1; bars[1, 6, 3:9] = 1
    >>> net = Neocognitron().fit(bars, ["upright", "level"])
    >>> net.predict(np.roll(bars, (3, -2), (1, 2))).tolist()  # never seen there
    ['upright', 'level']
    """

    def __init__(
        self, planes=(12, 10), sizes=(3, 5), selectivity=(4.0, 5.0), tolerance=2.0, epochs=5, seed=0
    ):
        self.planes, self.sizes, self.selectivity = planes, sizes, selectivity
        self.tolerance, self.epochs, self.seed = tolerance, epochs, seed

    def fit(self, images, y=None):
        """Learn from images (N, H, W), each at one place; labels y (N,) only name the cells."""
        maps = pictures("Neocognitron", images)[:, None]
        if y is not None and len(y) != len(maps):
            raise ValueError(f"Neocognitron: {len(maps)} pictures but {len(y)} labels")
        rng = np.random.default_rng(self.seed)
        self.stages_ = []
        reaches = (
            self.sizes[0] // 2,
            max(maps.shape),
        )  # S2 looks for whole patterns: one a picture
        settings = zip(self.planes, self.sizes, self.selectivity, reaches, strict=True)
        for planes, size, r, reach in settings:
            stage = SLayer(planes, size, r, reach)
            stage.start(maps.shape[1], rng)
            for _ in range(self.epochs):
                for n in range(len(maps)):
                    stage.learn(maps[n : n + 1])
            self.stages_.append(stage)
            maps = c_cells(stage.respond(maps), 5, 2)
        cells = self.transform(images)
        self.names_ = [None] * self.planes[1]
        for cell, name in zip(cells.argmax(1), range(len(cells)) if y is None else y, strict=True):
            self.names_[cell] = name
        return self

    def maps(self, images):
        """All that the net sees in images (N, H, W): the activities of S1, C1 and S2."""
        first, second = fitted(self, "stages_")
        s1 = first.respond(pictures("Neocognitron", images)[:, None])
        c1 = c_cells(s1, 5, 2)
        return s1, c1, second.respond(c1, self.tolerance)

    def transform(self, images):
        """The C2 cells' activities: (N, planes)."""
        return self.maps(images)[2].max((2, 3))

    def predict(self, images):
        """The name of the most active C2 cell; None where all are silent: (N,)."""
        cells = self.transform(images)
        found = [self.names_[row.argmax()] if row.max() > 0 else None for row in cells]
        return np.array(found, object)

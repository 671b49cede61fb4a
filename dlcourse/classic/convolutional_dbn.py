"""Convolutional belief nets: unsupervised layers that share their weights.

Lee, Grosse, Ranganath and Ng (2009) slid the filters of a restricted Boltzmann machine over whole
pictures and put a maximum over small blocks on top that can be sampled both ways. Shown
photographs, it finds what Hubel and Wiesel found in the cat: edges of every slope.
"""

import numpy as np

from .inputs import fitted, pictures


def whiten(images, cutoff=0.25):
    """Photographs with the same power at all scales but the finest (Olshausen and Field, 1997).

    Multiplies each frequency f (cycles a pixel) by f exp(-(f / cutoff)^4), then brings every
    picture to mean 0 and standard deviation 1.

    Args:
        images: (N, H, W) gray.
        cutoff: cycles a pixel. Default 0.25.

    >>> flat = whiten(np.cumsum(np.random.default_rng(0).normal(size=(2, 32, 32)), axis=2))
    >>> flat.shape, bool(abs(flat.std() - 1) < 1e-12)
    ((2, 32, 32), True)
    """
    images = pictures("whiten", images)
    f = np.hypot(*np.meshgrid(*(np.fft.fftfreq(n) for n in images.shape[1:]), indexing="ij"))
    flat = np.fft.ifft2(np.fft.fft2(images) * f * np.exp(-((f / cutoff) ** 4))).real
    flat -= flat.mean((1, 2), keepdims=True)
    return flat / np.maximum(flat.std((1, 2), keepdims=True), 1e-12)


class ConvolutionalRBM:
    """One layer: shared filters, probabilistic max-pooling, CD-1 (Lee et al., 2009).

    For real-valued pixels E(v, h) = sum v^2 / 2 - sum_k h_k . (W_k * v) - sum_k b_k sum h_k - c sum
    v, with * sliding W_k over v. In each block of hidden units at most one is on, or none:
    I = (W_k * v + b_k) / sigma^2, p(h = 1 | v) = exp(I) / (1 + sum of exp(I) in the block), and the
    pooling unit is on with the rest of the probability. Given h, v has mean sum_k h_k spread out by
    W_k, + c. A push on b_k keeps each filter on for a small share of the time.

    Args:
        filters: K. Default 16.
        size: side of a filter. Default 8.
        block: side of a pooling block. Default 2.
        sparsity: wanted mean of h. Default 0.01.
        rate: first step size; it falls linearly to a tenth. Default 1.
        steps: changes, each from one batch of patches. Default 1000.
        patch: side of the patches that are cut out. Default 25.
        batch: patches for each change. Default 8.
        sigma: spread of the pixels' noise. Default 1.
        binary: pixels are probabilities (a second layer). Default False.
        seed: of filters, patches and coins. Default 0.

    After `fit`: `filters_` (K, channels, size, size), `hidden_bias_` (K,), `visible_bias_`
    (channels,), `errors_` (mean squared error of reconstruction in each step).

    >>> pictures = np.random.default_rng(0).normal(size=(2, 40, 40))
    >>> layer = ConvolutionalRBM(filters=4, size=4, steps=5).fit(pictures)
    >>> layer.transform(pictures).shape  # 37 x 37 places, in blocks of 2 x 2
    (2, 4, 18, 18)
    """

    def __init__(self, filters=16, size=8, block=2, sparsity=0.01, rate=1.0, steps=1000, patch=25,
                 batch=8, sigma=1.0, binary=False, seed=0):  # fmt: skip
        if (patch - size + 1) % block:
            raise ValueError(
                f"ConvolutionalRBM: {patch - size + 1} places a side don't divide into blocks of "
                f"{block}; a patch of {patch - (patch - size + 1) % block} does"
            )
        self.filters, self.size, self.block, self.sparsity = filters, size, block, sparsity
        self.rate, self.steps, self.patch, self.batch = rate, steps, patch, batch
        self.sigma, self.binary, self.seed = sigma, binary, seed

    def start(self, channels=1):
        """Small random filters, and units as rarely on as they shall be."""
        self.rng = np.random.default_rng(self.seed)
        shape = (self.filters, channels, self.size, self.size)
        self.filters_ = self.rng.normal(0, 0.01, shape).astype(np.float32)
        odds = self.sparsity / (1 - self.block**2 * self.sparsity)
        variance = 1.0 if self.binary else self.sigma**2
        self.hidden_bias_ = np.full(self.filters, variance * np.log(odds), np.float32)
        self.visible_bias_ = np.zeros(channels, np.float32)
        return self

    def fit(self, maps):
        """Learn from pictures (N, H, W) or maps (N, channels, H, W), whitened."""
        maps = self._maps(maps)
        if min(maps.shape[2:]) < self.patch:
            raise ValueError(
                f"ConvolutionalRBM: pictures of {maps.shape[2:]} hold no patch of {self.patch}"
            )
        self.start(maps.shape[1])
        self.errors_, speed = [], 0.0
        for step in range(self.steps):
            v0 = self._cut(maps)
            p0, _ = self.hidden_given(v0)
            h0 = self._draw(p0)
            # Few windows reach the border: it stays as it is, or filters would mend only that.
            v1, inner = v0.copy(), (..., *2 * (slice(self.size - 1, 1 - self.size),))
            v1[inner] = self.visible_given(h0)[inner]
            p1, _ = self.hidden_given(v1)
            places = p0[0, 0].size * len(v0)
            change = (self._correlate(v0, p0) - self._correlate(v1, p1)) / places
            momentum = 0.5 if step < 100 else 0.9
            speed = momentum * speed + self.rate * (1 - 0.9 * step / self.steps) * change
            self.filters_ += speed
            on = p0.mean((0, 2, 3))
            # The block's four places share one unit of probability, hence the gain of the push.
            self.hidden_bias_ += self.rate * ((on - p1.mean((0, 2, 3))) + 5 * (self.sparsity - on))
            self.visible_bias_ += self.rate * (v0 - v1).mean((0, 2, 3))
            self.errors_.append(float(((v0 - v1)[inner] ** 2).mean()))
        return self

    def _maps(self, maps):
        maps = np.asarray(maps)
        maps = pictures("ConvolutionalRBM", maps)[:, None] if maps.ndim != 4 else maps
        return maps.astype(np.float32)  # half the memory to move, and precise enough for coins

    def _cut(self, maps):
        """A batch of patches at random places: (B, channels, patch, patch)."""
        n = self.rng.integers(len(maps), size=self.batch)
        rows, columns = (
            self.rng.integers(side - self.patch + 1, size=self.batch) for side in maps.shape[2:]
        )
        return np.stack([
            maps[i, :, r : r + self.patch, c : c + self.patch]
            for i, r, c in zip(n, rows, columns, strict=True)
        ])  # fmt: skip

    def _windows(self, maps):
        """(B, C, H, W) -> (B, H', W', C, size, size)."""
        views = np.lib.stride_tricks.sliding_window_view(maps, (self.size, self.size), (2, 3))
        return views.transpose(0, 2, 3, 1, 4, 5)

    def _correlate(self, v, h):
        """Sum over pictures and places of h_k times the window it looks at: as `filters_`."""
        windows = self._windows(v)
        columns = windows.reshape(-1, self.filters_[0].size)
        flat = h.transpose(1, 0, 2, 3).reshape(self.filters, -1)
        return (flat @ columns).reshape(self.filters_.shape)

    def hidden_given(self, v):
        """p(h = 1 | v) (B, K, H', W') and p(pooling unit = 1 | v) (B, K, H'/block, W'/block)."""
        windows = self._windows(v)
        sums = windows.reshape(*windows.shape[:3], -1) @ self.filters_.reshape(self.filters, -1).T
        variance = 1.0 if self.binary else float(self.sigma) ** 2
        inputs = (sums.transpose(0, 3, 1, 2) + self.hidden_bias_[:, None, None]) / variance
        B, K, H, W = inputs.shape
        blocks = inputs.reshape(B, K, H // self.block, self.block, W // self.block, self.block)
        top = np.maximum(blocks.max((3, 5), keepdims=True), 0)
        e = np.exp(blocks - top)
        none = np.exp(-top)
        total = e.sum((3, 5), keepdims=True) + none
        return (e / total).reshape(B, K, H, W), 1 - (none / total)[:, :, :, 0, :, 0]

    def _draw(self, p):
        """At most one unit on in each block, with probabilities p (B, K, H', W')."""
        B, K, H, W = p.shape
        s = self.block
        blocks = p.reshape(B, K, H // s, s, W // s, s).transpose(0, 1, 2, 4, 3, 5)
        steps = np.cumsum(blocks.reshape(*blocks.shape[:4], s * s), axis=-1)
        chosen = (self.rng.random((*steps.shape[:-1], 1)) > steps).sum(-1)  # s * s: none
        on = np.arange(s * s) == chosen[..., None]
        return on.reshape(blocks.shape).transpose(0, 1, 2, 4, 3, 5).reshape(p.shape).astype(p.dtype)

    def visible_given(self, h):
        """The mean of v given h (B, K, H', W'): (B, channels, H, W)."""
        B, _, H, W = h.shape
        s = self.size
        spread = np.tensordot(h, self.filters_, (1, 0))  # (B, H', W', C, s, s)
        v = np.zeros((B, self.filters_.shape[1], H + s - 1, W + s - 1), spread.dtype)
        for i in range(s):
            for j in range(s):
                v[:, :, i : i + H, j : j + W] += spread[..., i, j].transpose(0, 3, 1, 2)
        v += self.visible_bias_[:, None, None]
        return 0.5 * (1 + np.tanh(0.5 * v)) if self.binary else v

    def transform(self, maps):
        """Probabilities of the pooling units: (N, K, rows, columns), of all whole blocks."""
        fitted(self, "filters_")
        maps = self._maps(maps)
        extra = [(side - self.size + 1) % self.block for side in maps.shape[2:]]
        maps = maps[:, :, : maps.shape[2] - extra[0], : maps.shape[3] - extra[1]]
        return self.hidden_given(maps)[1]


class ConvolutionalDBN:
    """Convolutional RBMs stacked, each learning from the pooling units below (Lee et al., 2009).

    Args:
        layers: `ConvolutionalRBM` from the bottom up; from the second on with ``binary=True``.

    >>> pictures = np.random.default_rng(0).normal(size=(2, 40, 40))
    >>> edges = ConvolutionalRBM(4, 4, steps=5)
    >>> parts = ConvolutionalRBM(6, 5, patch=14, binary=True, steps=5)
    >>> ConvolutionalDBN([edges, parts]).fit(pictures).transform(pictures).shape
    (2, 6, 7, 7)
    """

    def __init__(self, layers):
        self.layers = list(layers)

    def fit(self, images):
        """Learn the layers one after the other from images (N, H, W)."""
        for layer in self.layers:
            images = layer.fit(images).transform(images)
        return self

    def transform(self, images):
        """The top layer's pooling units."""
        for layer in self.layers:
            images = layer.transform(images)
        return images


def orientation_selectivity(fields, frequencies=None, angles=36):
    """How oriented receptive fields are: 0 for all directions alike, 1 for a single one.

    For gratings of each direction a, R(a) is the field's amplitude at its best frequency; the
    selectivity is ``|sum R(a)^2 exp(2 i a)| / sum R(a)^2`` (Ringach et al., 2002, with power for
    rate).

    Args:
        fields: (K, size, size).
        frequencies: cycles a pixel that are tried. Default 0.05 to 0.45.
        angles: directions between 0 and pi. Default 36.

    Returns:
        (selectivity, preferred direction across the bars in radians): (K,) each.

    >>> from dlcourse.classic.visual_cortex import gabor
    >>> v, u = np.indices((15, 15)) - 7
    >>> spot = np.exp(-(u**2 + v**2) / 8) - 0.25 * np.exp(-(u**2 + v**2) / 32)
    >>> strength, direction = orientation_selectivity([gabor(15, 6, np.pi / 4), spot])
    >>> strength.round(1), round(float(direction[0]), 2)
    (array([0.9, 0. ]), 0.79)
    """
    fields = pictures("orientation_selectivity", fields)
    frequencies = np.linspace(0.05, 0.45, 17) if frequencies is None else np.asarray(frequencies)
    v, u = np.indices(fields.shape[1:])
    directions = np.pi * np.arange(angles) / angles
    across = np.cos(directions)[:, None, None] * u + np.sin(directions)[:, None, None] * v
    waves = np.exp(2j * np.pi * frequencies[:, None, None, None] * across)  # (F, A, H, W)
    power = np.abs(np.einsum("khw,fahw->kfa", fields, waves, optimize=True)) ** 2
    best = power[np.arange(len(fields)), power.max(2).argmax(1)]  # (K, A)
    mean = (best * np.exp(2j * directions)).sum(1) / best.sum(1)
    return np.abs(mean), np.angle(mean) / 2 % np.pi

"""Pandemonium: demons that look for strokes, and shriek.

Selfridge's machine of 1959 has four ranks. Image demons hold the picture; feature demons look for
one stroke each; a cognitive demon for each letter listens to them and shrieks the louder the
more of its features it hears; the decision demon takes the loudest.
"""

import numpy as np

from .inputs import classes, fitted, pictures

# What the feature demons look for in a 3 x 3 window: +1 ink, -1 paper.
STROKES = {
    "horizontal": [[-1, -1, -1], [1, 1, 1], [-1, -1, -1]],
    "vertical": [[-1, 1, -1], [-1, 1, -1], [-1, 1, -1]],
    "rising": [[-1, -1, 1], [-1, 1, -1], [1, -1, -1]],
    "falling": [[1, -1, -1], [-1, 1, -1], [-1, -1, 1]],
}


def stroke_demons(images, cells=3):
    """How loudly each feature demon shouts: one demon for each stroke in each part of the picture.

    A demon moves its 3 x 3 window over its part and reports the best match it finds. Two more
    demons for each part report how much ink there is and how much paper the ink encloses (no way
    out in any of the four directions): the loops of 0, 6, 8 and 9.

    Args:
        images: (N, H, W) gray pictures, ink near 1.
        cells: the picture is divided into cells x cells parts. Default 3.

    Returns:
        (N, demons) numbers of at least 0.

    >>> bar = np.zeros((1, 8, 8)); bar[0, 1:7, 4] = 1  # a vertical bar in the middle
    >>> shouts = stroke_demons(bar, cells=1)[0]
    >>> dict(zip(STROKES, shouts.round(2).tolist()))
    {'horizontal': 0.0, 'vertical': 1.0, 'rising': 0.33, 'falling': 0.33}
    """
    images = pictures("stroke_demons", images)
    padded = np.pad(images, ((0, 0), (1, 1), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), (1, 2))  # (N, H, W, 3, 3)
    maps = [
        np.maximum(np.einsum("nhwij,ij->nhw", windows, stroke) / 3, 0)
        for stroke in STROKES.values()
    ]
    dark = np.stack([  # the darkest point seen in each of four directions
        np.maximum.accumulate(images, 1), np.maximum.accumulate(images[:, ::-1], 1)[:, ::-1],
        np.maximum.accumulate(images, 2), np.maximum.accumulate(images[..., ::-1], 2)[..., ::-1],
    ])  # fmt: skip
    enclosed = np.maximum(dark.min(0) - images, 0)
    report = []
    for rows in np.array_split(np.arange(images.shape[1]), cells):
        for columns in np.array_split(np.arange(images.shape[2]), cells):
            part = np.ix_(range(len(images)), rows, columns)
            report += [shouts[part].max((1, 2)) for shouts in maps]
            report += [images[part].mean((1, 2)), enclosed[part].mean((1, 2))]
    return np.stack(report, axis=1)


class Pandemonium:
    """Feature demons, cognitive demons that learn whom to trust, a decision (Selfridge, 1959).

    Cognitive demon k shrieks sum_j w_kj d_j. Selfridge's *feature weighting* is hill climbing:
    change a weight at random, keep the change if the machine recognizes more. What he left open:
    the climb starts where each demon listens to the features that its class shows more than others
    (mean of the class less mean of all, in units of the spread), a change moves one weight by a
    normal number of that size, and equally good changes are kept, too.

    Args:
        demons: function from pictures (N, H, W) to features (N, demons). Default `stroke_demons`.
        trials: changes tried. Default 2000.
        seed: of the changes. Default 0.

    After `fit`: `classes_`, `weights_` (K, demons), `scores_` (recognized share after each trial).

    >>> bars = np.zeros((4, 5, 5))
    >>> bars[0, 2, :] = bars[1, 3, :] = bars[2, :, 1] = bars[3, :, 2] = 1
    >>> machine = Pandemonium(trials=20).fit(bars, ["lying", "lying", "standing", "standing"])
    >>> machine.predict(np.roll(bars, 1, (1, 2))).tolist()
    ['lying', 'lying', 'standing', 'standing']
    """

    def __init__(self, demons=stroke_demons, trials=2000, seed=0):
        self.demons, self.trials, self.seed = demons, trials, seed

    def fit(self, images, targets):
        """Learn from images (N, H, W) and targets (N,)."""
        features = self.demons(images)
        targets = classes("Pandemonium", targets, len(features))
        self.classes_, truth = np.unique(targets, return_inverse=True)
        self.mean_, self.spread_ = features.mean(0), features.std(0) + 1e-9
        shouts = (features - self.mean_) / self.spread_
        self.weights_ = np.stack([shouts[truth == k].mean(0) for k in range(len(self.classes_))])
        rng = np.random.default_rng(self.seed)
        shrieks = shouts @ self.weights_.T  # (N, K)
        best, self.scores_ = (shrieks.argmax(1) == truth).mean(), []
        step = self.weights_.std()
        for _ in range(self.trials):
            k, j = (int(rng.integers(size)) for size in self.weights_.shape)
            change = rng.normal(0, step)
            before = shrieks[:, k].copy()
            shrieks[:, k] += change * shouts[:, j]
            score = (shrieks.argmax(1) == truth).mean()
            if score >= best:
                best, self.weights_[k, j] = score, self.weights_[k, j] + change
            else:
                shrieks[:, k] = before
            self.scores_.append(float(best))
        return self

    def decision_function(self, images):
        """How loudly each cognitive demon shrieks: (N, K)."""
        weights = fitted(self, "weights_")
        return (self.demons(images) - self.mean_) / self.spread_ @ weights.T

    def predict(self, images):
        """The class of the loudest demon for each of images (N, H, W): (N,)."""
        loudest = self.decision_function(images).argmax(1)
        return self.classes_[loudest]

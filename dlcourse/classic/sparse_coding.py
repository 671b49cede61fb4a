"""Features from patches: a dictionary learned from pictures, and a cheap way to use it.

Coates and Ng (2011) asked which part of feature learning matters, the training or the encoding, and
found that a dictionary from the simplest training (each patch explained by a single entry, OMP-1)
does as well as any, if the encoder is a soft threshold.
"""

import numpy as np

from .inputs import fitted, matrix, pictures


def orthogonal_matching_pursuit(signals, dictionary, count):
    """Explain each signal by at most `count` dictionary entries (Pati et al., 1993).

    Take the entry that correlates most with what is still unexplained, solve least squares on all
    entries taken so far, and repeat; ``count=1`` is OMP-1.

    Args:
        signals: (N, D).
        dictionary: (K, D), entries of length 1.
        count: entries for each signal.

    Returns:
        codes (N, K), at most `count` of each row not 0.

    >>> orthogonal_matching_pursuit([[3.0, 0.0, -2.0]], np.eye(3), 1)
    array([[3., 0., 0.]])
    """
    signals, dictionary = (
        matrix("orthogonal_matching_pursuit", signals),
        matrix("orthogonal_matching_pursuit", dictionary),
    )
    if signals.shape[1] != dictionary.shape[1] or not 1 <= count <= len(dictionary):
        raise ValueError(
            f"orthogonal_matching_pursuit: signals {signals.shape} and dictionary "
            f"{dictionary.shape} must have rows of one length, and count={count} must lie "
            f"in 1 .. {len(dictionary)}"
        )
    codes = np.zeros((len(signals), len(dictionary)))
    for signal, code in zip(signals, codes, strict=True):
        taken, rest = [], signal
        for _ in range(count):
            best = int(np.abs(dictionary @ rest).argmax())
            if best in taken:  # nothing is left to explain
                break
            taken.append(best)
            amounts = np.linalg.lstsq(dictionary[taken].T, signal, rcond=None)[0]
            rest = signal - amounts @ dictionary[taken]
        code[taken] = amounts
    return codes


def patches(images, size):
    """All size x size patches of images (N, H, W): (N, rows, columns, size * size).

    >>> patches([[[1, 2, 3], [4, 5, 6]]], 2)[0, 0].tolist()
    [[1.0, 2.0, 4.0, 5.0], [2.0, 3.0, 5.0, 6.0]]
    """
    images = pictures("patches", images)
    if not 1 <= size <= min(images.shape[1:]):
        raise ValueError(f"patches: size must lie in 1 .. {min(images.shape[1:])}, got {size}")
    windows = np.lib.stride_tricks.sliding_window_view(images, (size, size), (1, 2))
    return windows.reshape(*windows.shape[:3], -1)


class OMP1Features:
    """Dictionary by OMP-1, soft-threshold encoder, sums over quarters (Coates and Ng, 2011).

    Patches get mean 0 and spread 1 and are whitened (ZCA). The dictionary D minimizes
    ``sum_n |D s_n - x_n|^2`` with one entry of s_n not 0 and unit rows: in turn, each patch goes to
    the entry with the largest ``|d.x|``, and each entry becomes the normalized sum of (d.x) x over
    its patches (gain-shape k-means). Encoder: max(0, d.x - alpha) and max(0, -d.x - alpha) for each
    entry; the sums over the picture's four quarters are the features.

    Args:
        entries: of the dictionary. Default 64.
        size: side of the patches in pixels. Default 4.
        alpha: threshold. Default 0.5.
        steps: of the dictionary's learning. Default 15.
        sample: patches to learn from. Default 20000.
        regular: added to a patch's variance and to the eigenvalues. Default 0.01, for [0, 1]
            pictures.
        seed: of the sample and the first dictionary. Default 0.

    After `fit`: `dictionary_` (entries, size * size), in the whitened space; `residual_` (mean
    squared rest of a patch after each step).

    >>> from dlcourse.data import digits
    >>> model = OMP1Features(entries=16, sample=2000).fit(digits().inputs[:200, 0])
    >>> model.transform(digits().inputs[:5, 0]).shape
    (5, 128)
    >>> model.residual_[-1] < model.residual_[0]
    True
    """

    def __init__(
        self, entries=64, size=4, alpha=0.5, steps=15, sample=20_000, regular=0.01, seed=0
    ):
        self.entries, self.size, self.alpha, self.steps = entries, size, alpha, steps
        self.sample, self.regular, self.seed = sample, regular, seed

    def fit(self, images, y=None):
        """Learn the dictionary from images (N, H, W); labels are not looked at."""
        rng = np.random.default_rng(self.seed)
        X = patches(images, self.size).reshape(-1, self.size**2)
        X = self._normalize(X[rng.permutation(len(X))[: self.sample]])
        self.mean_ = X.mean(0)
        values, vectors = np.linalg.eigh(np.cov(X - self.mean_, rowvar=False))
        self.whitening_ = (vectors / np.sqrt(values.clip(0) + self.regular)) @ vectors.T
        X = (X - self.mean_) @ self.whitening_
        D = rng.normal(size=(self.entries, X.shape[1]))
        D /= np.linalg.norm(D, axis=1, keepdims=True)
        self.residual_ = []
        for _ in range(self.steps):
            products = X @ D.T
            owner = np.abs(products).argmax(1)
            gain = products[np.arange(len(X)), owner]
            self.residual_.append(float(((X**2).sum(1) - gain**2).mean()))
            sums = np.zeros_like(D)
            np.add.at(sums, owner, gain[:, None] * X)
            lengths = np.linalg.norm(sums, axis=1, keepdims=True)
            D = np.where(lengths > 1e-9, sums / np.maximum(lengths, 1e-9), D)
        self.dictionary_ = D
        return self

    def _normalize(self, X):
        centered = X - X.mean(-1, keepdims=True)
        return centered / np.sqrt(X.var(-1, keepdims=True) + self.regular)

    def transform(self, images):
        """The features of images (N, H, W): (N, 8 * entries)."""
        D = fitted(self, "dictionary_")
        X = (self._normalize(patches(images, self.size)) - self.mean_) @ self.whitening_
        products = X @ D.T
        codes = np.concatenate(
            [np.maximum(products - self.alpha, 0), np.maximum(-products - self.alpha, 0)], axis=-1
        )  # (N, rows, columns, 2 entries)
        rows, columns = (np.array_split(np.arange(n), 2) for n in codes.shape[1:3])
        quarters = [codes[:, r][:, :, c].sum((1, 2)) for r in rows for c in columns]
        return np.concatenate(quarters, axis=1)

"""MNIST-1D: ten curves of twelve points, disturbed until only a good architecture tells them apart.

A linear classifier gets about a third right, a fully connected network two thirds, a convolutional
network nearly all: one sees in seconds what on MNIST is hidden in the last percent. The recipe is
Greydanus's (2020), and with the default seed so is every number: the data set is the published one.
"""

import numpy as np

from .arguments import between, whole
from .dataset import Dataset

# Heights of the ten curves, drawn like the digits 0 to 9 (Greydanus, 2020).
TEMPLATES = np.array(
    [
        [5, 6, 6.5, 6.75, 7, 7, 7, 7, 6.75, 6.5, 6, 5],
        [5, 3, 3, 3.4, 3.8, 4.2, 4.6, 5, 5.4, 5.8, 5, 5],
        [5, 6, 6.5, 6.5, 6, 5.25, 4.75, 4, 3.5, 3.5, 4, 5],
        [5, 6, 6.5, 6.5, 6, 5, 5, 6, 6.5, 6.5, 6, 5],
        [5, 4.4, 3.8, 3.2, 2.6, 2.6, 5, 5, 5, 5, 5, 5],
        [5, 3, 3, 3, 3, 5, 6, 6.5, 6.5, 6, 4.5, 5],
        [5, 4, 3.5, 3.25, 3, 3, 3, 3, 3.25, 3.5, 4, 5],
        [5, 7, 7, 6.6, 6.2, 5.8, 5.4, 5, 4.6, 4.2, 5, 5],
        [5, 4, 3.5, 3.5, 4, 5, 5, 4, 3.5, 3.5, 4, 5],
        [5, 4, 3.5, 3.5, 4, 5, 5, 5, 5, 4.7, 4.3, 5],
    ]
)
_PADDING = (36, 60)  # zeros appended, so that the curve takes a varying share of the signal
_LONG = TEMPLATES.shape[1] + _PADDING[1]  # 72 points while noise is added


def mnist1d(
    split="train", n=5000, length=40, scaling=0.4, translation=48, correlated_noise=0.25,
    noise=0.02, shear=0.75, seed=42,
):  # fmt: skip
    """MNIST-1D (Greydanus, 2020, "Scaling down deep learning"): 4,000 + 1,000 signals of length 40.

    Each signal is one of ten templates of 12 points: zeros are appended, the whole is stretched to
    72 points, scaled, moved around cyclically; where it is zero comes smooth noise, and everywhere
    a little noise; it is tilted and sampled at `length` points. Random numbers come from
    `numpy.random.RandomState`, whose sequence NumPy has frozen, in the order of the author's own
    program: the defaults give the published data set, to the last few bits.

    Args:
        split: "train", the first four fifths, "test", the rest, or None for everything.
        n: number of signals, a multiple of 10. Default 5000.
        length: points of each signal. Default 40.
        scaling: width of the interval around 1 from which the factor comes. Default 0.4.
        translation: moved by less than this many of 72 points. Default 48.
        correlated_noise: standard deviation before smoothing. Default 0.25.
        noise: standard deviation of the independent noise. Default 0.02.
        shear: width of the interval of slopes. Default 0.75.
        seed: of the random numbers. Default 42, the published one.

    Returns:
        `Dataset` with inputs (4000, 1, 40) for "train" and (1000, 1, 40) for "test", mean 0 and
        standard deviation 1 over everything, and targets 0 to 9.

    Raises:
        TypeError, ValueError: if a number is out of range or the split unknown.
    """
    if split not in ("train", "test", None):
        raise ValueError(f"mnist1d: split must be 'train', 'test' or None, got {split!r}")
    whole("mnist1d", n=n, translation=translation)
    whole("mnist1d", 2, length=length)
    between(
        "mnist1d", 0, np.inf,
        scaling=scaling, correlated_noise=correlated_noise, noise=noise, shear=shear,
    )  # fmt: skip
    if n % 10 or translation > _LONG:
        raise ValueError(
            f"mnist1d: n must be a multiple of 10 and translation at most {_LONG}, "
            f"got n={n} and translation={translation}"
        )
    random = np.random.RandomState(seed)
    targets = np.repeat(np.arange(10), n // 10)
    signals = np.stack(
        [
            _disturb(curve, random, length, scaling, translation, correlated_noise, noise, shear)
            for curve in _normalized(TEMPLATES)[targets]
        ]
    )
    order = random.permutation(n)
    signals, targets = signals[order], targets[order]
    signals = (signals - signals.mean()) / signals.std()
    part = {"train": slice(n * 4 // 5), "test": slice(n * 4 // 5, n), None: slice(n)}[split]
    return Dataset(
        signals[part, None].astype(np.float32),
        targets[part],
        tuple("0123456789"),
        name="mnist1d" if split is None else f"mnist1d {split}",
        source="recipe and templates of Greydanus (2020), Scaling down deep learning",
        licence="Apache 2.0 (templates and recipe)",
    )


def _normalized(curves):
    """Mean 0 and standard deviation 1, then moved to start at 0, and six times smaller."""
    curves = curves - curves.mean(axis=1, keepdims=True)
    curves = curves / curves.std(axis=1, keepdims=True)
    return (curves - curves[:, :1]) / 6


def _disturb(curve, random, length, scaling, translation, correlated_noise, noise, shear):
    """One signal; the order of the draws is part of the data set."""
    from scipy.ndimage import gaussian_filter1d

    low, high = _PADDING
    zeros = low + int(random.rand() * (high - low + 1))
    # The tiny number marks where the curve is: it begins and ends at 0 like the padding.
    signal = _resample(np.concatenate([curve + 1e-8, np.zeros(zeros)]), _LONG)
    signal = signal * (1 + scaling * (random.rand() - 0.5))
    signal = np.roll(signal, random.choice(translation))
    smooth = gaussian_filter1d(correlated_noise * random.randn(_LONG), 2)
    signal = np.where(signal != 0, signal, smooth)
    signal = signal + noise * random.randn(_LONG)
    signal = signal - shear * (random.rand() - 0.5) * np.linspace(-0.5, 0.5, _LONG)
    return _resample(signal, length)


def _resample(signal, length):
    """`length` points at even distances, on straight lines between those of `signal`."""
    return np.interp(np.linspace(0, 1, length), np.linspace(0, 1, len(signal)), signal)

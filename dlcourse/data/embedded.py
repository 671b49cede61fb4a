"""Real data that is already on the machine: scikit-learn carries it, no download is needed."""

import numpy as np

from .dataset import Dataset


def digits():
    """1,797 handwritten digits, 8 x 8 pixels of 17 gray levels.

    Volunteers wrote on a tablet with 500 x 500 points; blocks of points were counted down to 8 x 8
    (Alpaydin and Kaynak, 1998). This is the test part of that data set, as in scikit-learn.

    Returns:
        `Dataset` with inputs (1797, 1, 8, 8), float32 in [0, 1], and targets (1797,), 0 to 9.
        ``digits().split()`` gives training, validation and test parts.
    """
    from sklearn.datasets import load_digits

    bunch = load_digits()
    return Dataset(
        inputs=(bunch.images[:, None] / 16).astype(np.float32),
        targets=bunch.target.astype(np.int64),
        classes=tuple(str(name) for name in bunch.target_names),
        name="digits",
        source="Alpaydin and Kaynak (1998), Optical Recognition of Handwritten Digits, UCI",
        licence="CC BY 4.0",
    )

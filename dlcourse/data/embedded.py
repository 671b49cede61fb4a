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


def iris():
    """150 irises of three species, each with four lengths in cm (Fisher, 1936; Anderson, 1935).

    Returns:
        `Dataset` with inputs (150, 4): length and width of the sepals, then of the petals; targets
        0 to 2, fifty each. scikit-learn's copy is Fisher's; two flowers differ in UCI's.
    """
    from sklearn.datasets import load_iris

    return _table(
        load_iris(), "iris",
        "Fisher (1936), The use of multiple measurements in taxonomic problems; UCI",
    )  # fmt: skip


def wine():
    """178 wines of one region from three growers, each with 13 chemical measurements.

    Returns:
        `Dataset` with inputs (178, 13), in units that differ by a factor of a thousand, so that
        they want scaling; targets 0 to 2 (Forina et al., 1988; Aeberhard and Forina, 1991).
    """
    from sklearn.datasets import load_wine

    return _table(load_wine(), "wine", "Aeberhard and Forina (1991), Wine, UCI")


def breast_cancer():
    """569 tumors, each with 30 measurements of cell nuclei under the microscope.

    Returns:
        `Dataset` with inputs (569, 30) and targets 0, malignant, or 1, benign (Street, Wolberg and
        Mangasarian, 1993).
    """
    from sklearn.datasets import load_breast_cancer

    return _table(
        load_breast_cancer(), "breast cancer",
        "Wolberg, Mangasarian, Street and Street (1993), Breast Cancer Wisconsin (Diagnostic), UCI",
    )  # fmt: skip


def diabetes():
    """442 patients, each with 10 measurements, and how far the disease had come a year later.

    Returns:
        `Dataset` with inputs (442, 10): age, sex, body mass index, blood pressure and six blood
        values, each with mean 0 and sum of squares 1; targets (442, 1) from 25 to 346 (Efron,
        Hastie, Johnstone and Tibshirani, 2004, Least angle regression).
    """
    from sklearn.datasets import load_diabetes

    bunch = load_diabetes()
    return Dataset(
        bunch.data.astype(np.float32),
        bunch.target[:, None].astype(np.float32),
        name="diabetes",
        source="Efron, Hastie, Johnstone and Tibshirani (2004), Least angle regression",
        licence="distributed with scikit-learn (BSD)",
    )


def photograph(name="china"):
    """One of scikit-learn's two photographs, 427 x 640 pixels in color.

    Args:
        name: "china", a temple, or "flower", a dahlia. Default "china".

    Returns:
        (3, 427, 640) float32 in [0, 1]. Decoders of JPEG round differently: between machines, a
        value may differ by one of 256 levels.

    Raises:
        ValueError: for another name.
    """
    from sklearn.datasets import load_sample_image

    if name not in ("china", "flower"):
        raise ValueError(f"photograph: expected 'china' or 'flower', got {name!r}")
    pixels = load_sample_image(f"{name}.jpg")  # (H, W, C) uint8
    return (pixels.transpose(2, 0, 1) / 255).astype(np.float32)


def photographs():
    """Both photographs as a data set.

    Returns:
        `Dataset` with inputs (2, 3, 427, 640), float32 in [0, 1], and targets 0, "china", and 1,
        "flower".
    """
    names = ("china", "flower")
    return Dataset(
        np.stack([photograph(name) for name in names]), np.arange(2), names, "photographs",
        source="Flickr, china by danielbuechele, flower by vultilion; carried by scikit-learn",
        licence="CC BY 2.0",
    )  # fmt: skip


def _table(bunch, name, source):
    return Dataset(
        bunch.data.astype(np.float32),
        bunch.target.astype(np.int64),
        tuple(str(label) for label in bunch.target_names),
        name=name,
        source=source,
        licence="CC BY 4.0",
    )

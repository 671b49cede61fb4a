"""Memory in connections: what fires together is wired together.

Hebb's sentence of 1949 became a formula: add the product of the two activities to the connection
between them. A matrix of such products recalls patterns from patterns, exactly if the keys are at
right angles, and mixes them up in proportion to their overlap if not.
"""

import numpy as np

from .inputs import fitted, matrix


class LinearAssociator:
    """Pairs of patterns stored in one matrix (Hebb, 1949; Anderson, 1972; Kohonen, 1972).

    Hebb's rule for every pair: W += y x^T; recall: y' = W x. For keys of length 1 the recall of
    pair j is y_j + sum_{i != j} (x_i . x_j) y_i: the second term is the cross-talk.

    >>> keys = np.array([[0.6, 0.8, 0.0], [-0.8, 0.6, 0.0]])  # at right angles, of length 1
    >>> memory = LinearAssociator().fit(keys, [[1.0, 2.0], [3.0, -1.0]])
    >>> memory.predict(keys).round(12)
    array([[ 1.,  2.],
           [ 3., -1.]])
    """

    def fit(self, keys, values):
        """Store pairs: keys (N, D) and values (N, M). Forgets what was there before."""
        if hasattr(self, "weights_"):
            del self.weights_
        return self.partial_fit(keys, values)

    def partial_fit(self, keys, values):
        """Add pairs to what is already stored."""
        keys = matrix("LinearAssociator", keys)
        values = matrix("LinearAssociator", values)
        if len(keys) != len(values):
            raise ValueError(
                f"LinearAssociator: {len(keys)} keys but {len(values)} values; they go in pairs"
            )
        shape = (values.shape[1], keys.shape[1])
        old = getattr(self, "weights_", np.zeros(shape))
        if old.shape != shape:
            raise ValueError(f"LinearAssociator: it stores {old.shape} so far, now {shape}")
        self.weights_ = old + values.T @ keys  # the sum over pairs of y x^T: (M, D)
        return self

    def predict(self, keys):
        """What the memory answers to keys (N, D): (N, M)."""
        weights = fitted(self, "weights_")
        return matrix("LinearAssociator", keys, weights.shape[1]) @ weights.T


def crosstalk(keys, values):
    """What the other pairs add to each recall: row j is sum_{i != j} (x_i . x_j) y_i, (N, M).

    >>> key = np.array([1.0, 0.0])
    >>> turned = np.array([np.cos(np.pi / 3), np.sin(np.pi / 3)])  # 60 degrees: overlap 0.5
    >>> crosstalk([key, turned], [[10.0], [20.0]])
    array([[10.],
           [ 5.]])
    """
    keys, values = matrix("crosstalk", keys), matrix("crosstalk", values)
    overlap = keys @ keys.T
    np.fill_diagonal(overlap, 0)
    return overlap @ values


def translations(shape):
    """The group of shifts of a picture whose edges meet: a list of functions of pictures.

    >>> [change(np.array([[1, 2]])).tolist() for change in translations((1, 2))]
    [[[1, 2]], [[2, 1]]]
    """
    return [
        lambda picture, by=(i, j): np.roll(picture, by, (0, 1))
        for i in range(shape[0])
        for j in range(shape[1])
    ]


def pixel_pairs(picture):
    """Products of every pixel with the first one: the simplest functionals that see form."""
    return picture[0, 0] * picture.ravel()


def invariant(picture, group, functionals=pixel_pairs):
    """A code that is the same wherever the pattern lies (Pitts and McCulloch, 1947).

    Transform the picture in every way of a group, ask the same questions each time, and average the
    answers: ``code_k = 1/|G| sum_g f_k(g x)``. Going through the group again from another member
    gives the same sum. With linear questions only the mean brightness survives the averaging;
    products of two pixels keep the form (and make the autocorrelation of the picture).

    Args:
        picture: (H, W) numbers.
        group: functions that map a picture to a picture, closed under composition.
        functionals: function from a picture to a vector of answers. Default `pixel_pairs`.

    Returns:
        the code, one number for each functional.

    >>> picture = np.zeros((4, 4)); picture[0, :3] = 1  # a bar
    >>> group = translations(picture.shape)
    >>> moved = np.roll(picture, (2, 1), (0, 1))
    >>> bool(np.allclose(invariant(picture, group), invariant(moved, group)))
    True
    >>> bool(np.allclose(invariant(picture, group), invariant(picture.T, group)))  # another form
    False
    """
    picture = matrix("invariant", picture)
    if not group:
        raise ValueError("invariant: the group is empty; translations(picture.shape) makes one")
    return np.mean([functionals(change(picture)) for change in group], axis=0)

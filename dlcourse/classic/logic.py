"""The first artificial neuron: a unit that fires when enough of its inputs do.

McCulloch and Pitts asked in 1943 what a net of all-or-none neurons can compute, and answered:
everything that logic can say. The unit learns nothing yet; whoever draws the net must know.
"""

import itertools

import numpy as np


class McCullochPitts:
    """A threshold unit with absolute inhibition (McCulloch and Pitts, 1943).

    It fires when at least `threshold` excitatory inputs fire and *no* inhibitory one does:
    y = 1 if sum(excitatory x) >= threshold and not any(inhibitory x), else 0.

    Args:
        connections: one entry for each input: 1 excites, -1 inhibits.
        threshold: how many excitatory inputs must fire.

    Raises:
        ValueError: if a connection is neither 1 nor -1.

    >>> unit = McCullochPitts([1, 1, -1], threshold=2)
    >>> unit(1, 1, 0), unit(1, 0, 0), unit(1, 1, 1)  # one inhibitory input vetoes everything
    (1, 0, 0)
    """

    def __init__(self, connections, threshold):
        self.connections = np.asarray(connections)
        self.threshold = threshold
        if self.connections.ndim != 1 or not np.isin(self.connections, (-1, 1)).all():
            raise ValueError(
                f"McCullochPitts: connections excite (1) or inhibit (-1), got {connections}; "
                "a stronger connection is the same input given twice"
            )

    def __call__(self, *inputs):
        """The unit's answer, 0 or 1, for numbers or for arrays of 0 and 1 of one shape."""
        if len(inputs) != len(self.connections):
            raise ValueError(
                f"McCullochPitts: expected {len(self.connections)} inputs, got {len(inputs)}"
            )
        x = np.stack(np.broadcast_arrays(*inputs))  # (inputs, ...)
        if not np.isin(x, (0, 1)).all():
            raise ValueError(f"McCullochPitts: a neuron fires (1) or not (0), got {np.unique(x)}")
        vetoed = x[self.connections < 0].any(0)
        fires = (x[self.connections > 0].sum(0) >= self.threshold) & ~vetoed
        return fires.astype(int) if fires.ndim else int(fires)


AND = McCullochPitts([1, 1], threshold=2)
OR = McCullochPitts([1, 1], threshold=1)
NOT = McCullochPitts([-1], threshold=0)
BUT_NOT = McCullochPitts([1, -1], threshold=1)  # the first, but not the second


def nand(a, b):
    """Not both: two units, since no single unit with absolute inhibition computes it.

    >>> nand(np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1]))
    array([1, 1, 1, 0])
    """
    return NOT(AND(a, b))


def xor(a, b):
    """One or the other: three units, which no single unit can replace.

    >>> a, b, answers = truth_table(xor).T
    >>> answers
    array([0, 1, 1, 0])
    """
    return OR(BUT_NOT(a, b), BUT_NOT(b, a))


def truth_table(gate, inputs=2):
    """All inputs of a gate, its answer in the last column: (2**inputs, inputs + 1).

    >>> truth_table(AND)
    array([[0, 0, 0],
           [0, 1, 0],
           [1, 0, 0],
           [1, 1, 1]])
    """
    rows = np.array(list(itertools.product((0, 1), repeat=inputs)))
    return np.column_stack([rows, gate(*rows.T)])


def heat_illusion(heat, cold):
    """The net with which McCulloch and Pitts (1943) explain an illusion of the skin.

    A cold object held for a moment feels *hot*; held longer, it feels cold. Each unit answers one
    step after its inputs, so what is felt at t is, for receptors H and C,
    hot(t) = H(t-1) or (C(t-3) and not C(t-2)), cold(t) = C(t-2) and C(t-1).

    Args:
        heat, cold: (T,) what the two receptors report, 0 or 1 at each step.

    Returns:
        (hot, cold): (T + 3,) each, what is felt.

    >>> hot, cold = heat_illusion([0, 0, 0], [1, 0, 0])  # an instant of cold ...
    >>> hot, cold
    (array([0, 0, 0, 1, 0, 0]), array([0, 0, 0, 0, 0, 0]))
    """
    if np.shape(heat) != np.shape(cold) or np.ndim(heat) != 1:
        raise ValueError(
            f"heat_illusion: expected two sequences of one length (T,), "
            f"got {np.shape(heat)} and {np.shape(cold)}"
        )
    heat, cold = (np.pad(np.asarray(signal, int), (0, 3)) for signal in (heat, cold))

    def later(signal, steps=1):
        """What a signal was `steps` ago; before the beginning all is quiet."""
        return np.pad(signal, (steps, 0))[: len(signal)]

    offset = later(BUT_NOT(later(cold), cold))  # two steps behind the end of the cold
    return later(OR(heat, offset)), later(AND(later(cold), cold))

"""What goes wrong with the classic nets is said where it goes wrong, in words that help."""

import subprocess
import sys

import numpy as np
import pytest

from dlcourse import classic as c

RNG = np.random.default_rng(0)
X = RNG.random((6, 4))
BITS = (X > 0.5) * 1
BITS[:, 0] = 1
SIGNS = np.where(BITS, 1, -1)
IMAGES = RNG.random((3, 8, 8))
XOR, XOR_Y = np.array([[0, 0], [0, 1], [1, 0], [1, 1]]), np.array([-1, 1, 1, -1])

# what is done: (function, error, what the message must hold)
MISTAKES = {
    # Shapes
    "one example": (
        lambda: c.Perceptron().fit(X[0], [1]), ValueError, ["Perceptron", "(4,)", "x[None]"],
    ),
    "pictures for vectors": (
        lambda: c.SOM().fit(IMAGES), ValueError, ["SOM", "(3, 8, 8)", "reshape"],
    ),
    "vectors for pictures": (
        lambda: c.Pandemonium().fit(X, BITS[:, 1]), ValueError, ["(N, H, W)", "(6, 4)"],
    ),
    "no example": (lambda: c.RBFNetwork().fit(X[:0], []), ValueError, ["(0, 4)"]),
    "text": (lambda: c.Adaline().fit([["a"]], [1]), TypeError, ["Adaline", "array of numbers"]),
    "NaN": (lambda: c.Adaline().fit([[np.nan]], [1]), ValueError, ["Adaline", "NaN"]),
    "too few labels": (lambda: c.Perceptron().fit(X, [1, -1]), ValueError, ["6 examples", "(2,)"]),
    "wrong width later": (
        lambda: c.Perceptron().fit(X, SIGNS[:, 1]).predict(X[:, :3]), ValueError,
        ["rows of 4", "(6, 3)"],
    ),
    "keys without values": (
        lambda: c.LinearAssociator().fit(X, X[:2]), ValueError, ["6 keys", "2 values"],
    ),
    "keys of another length": (
        lambda: c.LinearAssociator().fit(X, X).partial_fit(X[:, :3], X), ValueError, ["(4, 4)"],
    ),
    "gate with one wire": (lambda: c.AND(1), ValueError, ["2 inputs", "got 1"]),
    "connection of 2": (lambda: c.McCullochPitts([2], 1), ValueError, ["excite", "given twice"]),
    "heat and cold": (lambda: c.heat_illusion([1, 0], [1]), ValueError, ["(2,)", "(1,)"]),
    "two pictures, two sizes": (
        lambda: c.cooperative_stereo(np.ones((3, 4)), np.ones((3, 5)), [0]), ValueError, ["(3, 5)"],
    ),
    "broken disparity": (
        lambda: c.random_dot_stereogram(np.ones((3, 3))), ValueError, ["whole numbers", "float64"],
    ),
    "cell with a smaller picture": (
        lambda: c.VisualCell("simple").transform(IMAGES), ValueError, ["(21, 21)", "(8, 8)"],
    ),
    "patch too large": (lambda: c.patches(IMAGES, 9), ValueError, ["1 .. 8", "got 9"]),
    "cube with 8 units": (lambda: c.NeckerCube().settle([0.0] * 8), ValueError, ["16", "(8,)"]),
    "state of three": (lambda: c.CartPole().reset([0, 0, 0]), ValueError, ["theta'", "(3,)"]),
    "dictionary of another width": (
        lambda: c.orthogonal_matching_pursuit(X, np.eye(3), 1), ValueError, ["(6, 4)", "(3, 3)"],
    ),
    "labels for the neocognitron": (
        lambda: c.Neocognitron().fit(IMAGES, [1]), ValueError, ["3 pictures", "1 labels"],
    ),
    "small photograph": (
        lambda: c.ConvolutionalRBM().fit(IMAGES), ValueError, ["(8, 8)", "patch of"],
    ),
    "blocks that don't fit": (
        lambda: c.ConvolutionalRBM(size=5, patch=13, block=2), ValueError,
        ["9 places", "patch of 12"],
    ),
    # Values that the net doesn't know
    "gray logic": (lambda: c.OR(0.5, 1), ValueError, ["fires (1) or not (0)", "0.5"]),
    "gray Hopfield": (lambda: c.Hopfield().fit(X), ValueError, ["only -1 and 1", "np.where"]),
    "Hopfield with 0 and 1": (lambda: c.Hopfield().fit(BITS), ValueError, ["-1 and 1", "holds 0"]),
    "gray cue": (lambda: c.Hopfield().fit(SIGNS).predict(X), ValueError, ["only -1 and 1"]),
    "gray ART": (lambda: c.ART1().fit(X), ValueError, ["only 0 and 1", "(x > 0.5) * 1"]),
    "empty pattern for ART": (lambda: c.ART1().fit([[0, 0]]), ValueError, ["without a single 1"]),
    "gray Boltzmann machine": (lambda: c.BoltzmannMachine().fit(X), ValueError, ["only 0 and 1"]),
    "RBM with -1": (lambda: c.RBM().fit(SIGNS), ValueError, ["between 0 and 1", "-1 to 1"]),
    "DBN with pixels to 16": (
        lambda: c.DeepBeliefNetwork().fit(X * 16, BITS[:, 1]), ValueError, ["divide gray levels"],
    ),
    "DBM with pixels to 16": (
        lambda: c.DeepBoltzmannMachine().fit(X * 16), ValueError, ["divide gray levels"],
    ),
    "likelihood of gray": (
        lambda: c.RBM(hidden=2).start(4).log_probability(X), ValueError, ["only 0 and 1"],
    ),
    "gray belief net": (lambda: c.SigmoidBeliefNetwork().fit(X), ValueError, ["only 0 and 1"]),
    "gray stereo": (
        lambda: c.cooperative_stereo(X, X, [0]), ValueError, ["cooperative_stereo", "only 0 and 1"],
    ),
    "gray masks": (lambda: c.masks(IMAGES, 1), ValueError, ["masks", "only 0 and 1"]),
    "labels 0 and 1": (
        lambda: c.Perceptron().fit(XOR, [0, 0, 0, 1]), ValueError, ["-1 and 1", "np.where(y == 1"],
    ),
    # What cannot be done
    "bound for XOR": (
        lambda: c.novikoff_bound(XOR, XOR_Y), ValueError,
        ["not linearly separable", "[0, 1, 2, 3]"],
    ),
    "order of a contradiction": (
        lambda: c.predicate_order(np.zeros((2, 1, 1), int), [1, -1]), ValueError,
        ["different truth"],
    ),
    "rate too large": (
        lambda: c.Adaline(rate=10, epochs=500).fit(XOR, XOR_Y), ValueError, ["diverge", "rate=10"],
    ),
    "all states of 21 units": (lambda: c.all_states(21), ValueError, ["2**21", "20 units"]),
    "all pictures of 4 x 4": (lambda: c.all_pictures(4, 4), ValueError, ["2**16"]),
    "vigilance of 2": (lambda: c.ART1(vigilance=2), ValueError, ["0 .. 1", "got 2"]),
    "LVQ 3": (lambda: c.LVQ(version=3), ValueError, ["1 and 2.1", "got 3"]),
    "too many prototypes": (
        lambda: c.LVQ(prototypes=4).fit(X, [0, 0, 0, 0, 1, 1]), ValueError,
        ["class 1", "2 examples"],
    ),
    "tie": (lambda: c.winner_take_all([1.0, 1.0]), ValueError, ["share the largest"]),
    "one unit": (lambda: c.winner_take_all([1.0]), ValueError, ["at least 2"]),
    "compare what": (
        lambda: c.winner_take_all([1.0, 2.0], compare="x"), ValueError, ["activities", "'x'"],
    ),
    "equal examples": (
        lambda: c.RBFNetwork().fit([[1.0], [1.0]], [1.0, 2.0]), ValueError, ["equal", "centers"],
    ),
    "targets of another length": (
        lambda: c.RBFNetwork().fit(X, [1.0]), ValueError, ["(6, 4)", "(1,)"],
    ),
    "more means than examples": (lambda: c.k_means(X, 7), ValueError, ["1 .. 6", "got 7"]),
    "short signal": (
        lambda: c.EchoStateNetwork(50).fit(np.ones(50)), ValueError,
        ["50 values", "200", "washout"],
    ),
    "no loop": (
        lambda: c.EchoStateNetwork(2, density=0.0), ValueError, ["no loop", "density 0.0"],
    ),
    "cell of a third kind": (lambda: c.VisualCell("both"), ValueError, ["simple", "'both'"]),
    "bars too fine": (lambda: c.gabor(9, 1), ValueError, ["at least 2 pixels", "9 and 1"]),
    "push of 2": (lambda: c.CartPole().step(2), ValueError, ["left (0) or right (1)", "got 2"]),
    "no trial": (lambda: c.ActorCritic().fit(trials=0), ValueError, ["nothing to do"]),
    "no group": (lambda: c.invariant(np.eye(2), []), ValueError, ["translations("]),
    "three layers": (lambda: c.DeepBoltzmannMachine((1, 2, 3)), ValueError, ["two hidden layers"]),
}  # fmt: skip


@pytest.mark.parametrize("what", MISTAKES)
def test_mistake_is_explained(what):
    function, error, words = MISTAKES[what]
    with pytest.raises(error) as caught:
        function()
    for word in words:
        assert word in str(caught.value), f"{word!r} is missing in: {caught.value}"


UNFITTED = {
    "LinearAssociator": lambda: c.LinearAssociator().predict(X),
    "Perceptron": lambda: c.Perceptron().predict(X),
    "Adaline": lambda: c.Adaline().predict(X),
    "Madaline": lambda: c.Madaline().predict(X),
    "Pandemonium": lambda: c.Pandemonium().predict(IMAGES),
    "ART1": lambda: c.ART1().predict(BITS),
    "SOM": lambda: c.SOM().transform(X),
    "LVQ": lambda: c.LVQ().predict(X),
    "NearestMean": lambda: c.NearestMean().predict(X),
    "Hopfield": lambda: c.Hopfield().predict(SIGNS),
    "BoltzmannMachine": lambda: c.BoltzmannMachine().log_probability(BITS),
    "RBM": lambda: c.RBM().transform(X),
    "DeepBeliefNetwork": lambda: c.DeepBeliefNetwork().predict(X),
    "DeepBoltzmannMachine": lambda: c.DeepBoltzmannMachine().reconstruct(X),
    "SigmoidBeliefNetwork": lambda: c.SigmoidBeliefNetwork().bound(BITS),
    "Neocognitron": lambda: c.Neocognitron().predict(IMAGES),
    "ConvolutionalRBM": lambda: c.ConvolutionalRBM().transform(IMAGES),
    "RBFNetwork": lambda: c.RBFNetwork().predict(X),
    "EchoStateNetwork": lambda: c.EchoStateNetwork(50).generate(3),
    "OMP1Features": lambda: c.OMP1Features().transform(IMAGES),
}


@pytest.mark.parametrize("name", UNFITTED)
def test_unfitted_use_is_explained(name):
    with pytest.raises(ValueError, match=f"^{name}: not fitted yet; call fit"):
        UNFITTED[name]()


def test_inputs_are_left_as_they_are():
    images, labels = IMAGES.copy(), np.array([0, 1, 0])
    c.Pandemonium(trials=5).fit(images, labels)
    c.Neocognitron().fit(images, labels)
    start = np.full(16, 0.5)
    c.NeckerCube().settle(start)
    x = X.copy()
    for model in (c.SOM(steps=20), c.RBM(hidden=3, epochs=2), c.DeepBoltzmannMachine((3, 2), 1, 1)):
        model.fit(x)
    c.LVQ(prototypes=1).fit(x, [0, 0, 0, 1, 1, 1])
    assert (x == X).all()
    assert (images == IMAGES).all()
    assert (start == 0.5).all()


def test_the_classic_nets_need_numpy_only():
    unwanted = ["torch", "scipy", "sklearn", "matplotlib", "gymnasium"]
    code = f"import sys, dlcourse.classic; print([m for m in {unwanted} if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"

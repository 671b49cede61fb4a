"""What one gets wrong with data: refused where it is made, in words that help."""

import numpy as np
import pytest

from dlcourse import data
from dlcourse.data import augment, tables

IMAGES, DIGITS = np.zeros((4, 1, 8, 8), np.float32), data.digits()[:10]
PAIR = np.zeros((2, 3, 8, 8), np.float32)
SERIES = data.Series(np.zeros(5), np.arange(5))
WORDS = data.Vocabulary(["a", "b"])

# what is done: (function, error, what the message must hold)
MISTAKES = {
    # Names
    "unknown set": (lambda: data.load("mnist2d"), ValueError, ["'mnist2d'", "'mnist1d'", "glyphs"]),
    "other spelling": (lambda: data.load("Karate-Club"), ValueError, ["mean 'karate_club'"]),
    "nothing near": (lambda: data.load("qqqqq"), ValueError, ["'qqqqq'; There are adding,"]),
    "unknown part": (lambda: data.load("digits", split="dev"), ValueError, ["validation", "'dev'"]),
    "unknown part, own": (lambda: data.load("mnist1d", split="dev"), ValueError, ["'dev'"]),
    "part of a graph": (
        lambda: data.load("karate_club", split="train"), ValueError,
        ["no parts", "leave split out"],
    ),
    "unknown option": (
        lambda: data.load("moons", size=3), TypeError, ["moons", "'size'", "n, noise, seed"],
    ),
    "no options": (lambda: data.load("ilsvrc", n=3), TypeError, ["ilsvrc", "'n'", "none"]),
    "unknown table": (lambda: tables.load("ilsrvc"), ValueError, ["'ilsvrc'", "brains"]),
    "unknown column": (lambda: tables.load("ilsvrc")["error"], KeyError, ["'error'", "top5"]),
    "unknown column in where": (lambda: tables.load("gpus").where(x=1), KeyError, ["'x'"]),
    "unknown photograph": (lambda: data.photograph("cat"), ValueError, ["'china'", "'cat'"]),
    # Sizes
    "none": (lambda: data.moons(0), ValueError, ["moons", "n must be at least 1, got 0"]),
    "negative": (lambda: data.glyphs(-1), ValueError, ["glyphs", "n must be at least 1, got -1"]),
    "not whole": (lambda: data.shapes(1.5), TypeError, ["shapes", "integer", "1.5 (float)"]),
    "true": (lambda: data.parity(True), TypeError, ["parity", "integer", "True (bool)"]),
    "arms": (lambda: data.spirals(10, arms=0), ValueError, ["arms must be at least 1"]),
    "not ten at a time": (lambda: data.mnist1d(n=55), ValueError, ["multiple of 10", "n=55"]),
    "too far": (lambda: data.mnist1d(translation=80), ValueError, ["72", "translation=80"]),
    "short": (lambda: data.mnist1d(length=1), ValueError, ["length must be at least 2"]),
    "no half": (lambda: data.adding(5, 1), ValueError, ["length must be at least 2"]),
    "no delay": (lambda: data.copying(delay=-1), ValueError, ["delay must be at least 0"]),
    "small glyphs": (lambda: data.glyphs(5, size=4), ValueError, ["size must be at least 8"]),
    "small scenes": (lambda: data.shapes(5, size=16), ValueError, ["size must be at least 32"]),
    "few frames": (lambda: data.formant_tracks(5, 10), ValueError, ["frames must be at least 20"]),
    # Numbers
    "negative noise": (lambda: data.sine(noise=-1), ValueError, ["noise must be at least 0"]),
    "noise NaN": (lambda: data.xor(noise=float("nan")), ValueError, ["noise", "nan"]),
    "endless noise": (lambda: data.blobs(spread=np.inf), ValueError, ["spread", "inf"]),
    "noise as text": (lambda: data.moons(noise="a"), TypeError, ["noise", "number", "'a' (str)"]),
    "inner circle": (lambda: data.circles(inner=2), ValueError, ["inner must be in [0, 1]"]),
    "no interval": (lambda: data.sine(low=1, high=1), ValueError, ["low must be less than high"]),
    "no polynomial": (lambda: data.polynomial(coefficients=()), ValueError, ["at least one"]),
    "text as coefficient": (
        lambda: data.polynomial(coefficients=(1, "x")), TypeError, ["coefficient 1", "'x'"],
    ),
    "scaled to nothing": (lambda: data.glyphs(5, scaling=1), ValueError, ["[0, 0.9]"]),
    "delay and step": (lambda: data.mackey_glass(tau=17.05), ValueError, ["multiples", "17.05"]),
    "step of three": (lambda: data.mackey_glass(step=0.3), ValueError, ["multiples", "0.3"]),
    "power": (lambda: data.mackey_glass(power=9.5), TypeError, ["power", "integer"]),
    "years": (lambda: data.dates(5, 2000, 1999), ValueError, ["2000 and 1999"]),
    "too many dates": (lambda: data.dates(4000, 2000, 2000), ValueError, ["fewer than 4000"]),
    # Characters and shapes
    "no characters": (lambda: data.glyphs(5, characters=""), ValueError, ["'0123456789'"]),
    "words": (lambda: data.glyphs(5, characters=["one"]), ValueError, ["string such as", "one"]),
    "twice": (lambda: data.glyphs(5, characters="010"), ValueError, ["['0'] come twice"]),
    "not in a font": (
        lambda: data.glyphs(5, characters="1語"), ValueError, ["'語'", "U+8A9E", "Latin and Greek"],
    ),
    "blank": (lambda: data.glyphs(5, characters="1 "), ValueError, ["' '", "U+0020"]),
    "unknown shape": (lambda: data.shapes(5, classes=["star"]), ValueError, ["circle", "star"]),
    "shape twice": (lambda: data.shapes(5, classes=["ring"] * 2), ValueError, ["different"]),
    "no shapes": (lambda: data.shapes(5, classes=()), ValueError, ["circle"]),
    "no objects": (lambda: data.shapes(5, objects=0), ValueError, ["objects must be at least 1"]),
    "crowd": (lambda: data.shapes(5, objects=(1, 9)), ValueError, ["at most 6", "(1, 9)"]),
    "great crowd": (lambda: data.shapes(5, objects=99, occlusion=True), ValueError, ["at most 12"]),
    "boxes of another form": (
        lambda: data.Scenes(PAIR, np.zeros((2, 4)), instances=np.zeros((2, 8, 8))),
        ValueError, ["(N, M, 5)", "(2, 4)"],
    ),
    "masks of another size": (
        lambda: data.Scenes(PAIR, np.zeros((2, 1, 5)), instances=np.zeros((2, 8))),
        ValueError, ["(2, 8, 8)", "(2, 8)"],
    ),
    # Text and series
    "bytes": (lambda: data.Corpus(text=b"a"), TypeError, ["bytes", "decode('utf-8')"]),
    "symbol twice": (lambda: data.Vocabulary("aa"), ValueError, ["['a'] come twice"]),
    "unknown symbol": (lambda: WORDS.encode("abc"), ValueError, ["'c'", "number 2", "2 symbols"]),
    "unknown number": (lambda: WORDS.decode([0, 2]), ValueError, ["0 .. 1", "got 2"]),
    "negative number": (lambda: WORDS.decode([-1]), ValueError, ["got -1"]),
    "not a number": (lambda: WORDS.decode([0.5]), ValueError, ["integers", "0.5"]),
    "small vocabulary": (lambda: data.Corpus(text="a").words(1), ValueError, ["size", "2"]),
    "shares of text": (
        lambda: data.Corpus(text="a\n").split(0.5, 0.5), ValueError, ["sum to less than 1"],
    ),
    "windows of text": (lambda: data.windows("abc", 2), TypeError, ["encode the text"]),
    "windows too long": (lambda: data.windows([1, 2, 3], 3), ValueError, ["3 symbols", "of 3"]),
    "too many streams": (
        lambda: list(data.streams(np.arange(4), 5, 2)), ValueError, ["4 symbols", "5 streams"],
    ),
    "series and times": (
        lambda: data.Series(np.zeros(3), np.zeros(2)), ValueError, ["3 values but 2 times"],
    ),
    "series too short": (lambda: SERIES.windows(4, 2), ValueError, ["5 values", "2 steps"]),
    "series, shares": (lambda: SERIES.split(0.6, 0.4), ValueError, ["less than 1"]),
    "pairs, shares": (lambda: data.dates(9).split(1, 0), ValueError, ["less than 1"]),
    # Graphs
    "node": (lambda: data.karate_club().neighbors(34), ValueError, ["0 .. 33", "34"]),
    "edges": (lambda: data.Graph(np.zeros(3, int), np.zeros(2)), ValueError, ["(E, 2)", "(3,)"]),
    "edge to nowhere": (
        lambda: data.Graph(np.array([[0, 5]]), np.zeros(2)), ValueError, ["0 .. 1", "0 to 5"],
    ),
    "weights": (
        lambda: data.Graph(np.array([[0, 1]]), np.zeros(2), weights=np.ones(3)), ValueError,
        ["3 weights for 1 edges"],
    ),
    # Batches, pictures, augmentation
    "batches of half": (lambda: list(DIGITS.batches(0.5)), TypeError, ["size", "integer", "0.5"]),
    "nothing to show": (lambda: DIGITS[:0].show(), ValueError, ["no examples"]),
    "show none": (lambda: DIGITS.show(0), ValueError, ["count must be at least 1"]),
    "few predictions": (lambda: DIGITS.show(predictions=[1]), ValueError, ["1 predictions", "10"]),
    "no picture": (
        lambda: data.Dataset(np.zeros((2, 5, 4, 4)), np.zeros(2)).show(), ValueError,
        ["(5, 4, 4)", "(1 or 3, H, W)"],
    ),
    "one image": (lambda: augment.flip(IMAGES[0]), ValueError, ["(B, C, H, W)", "image[None]"]),
    "probability": (lambda: augment.flip(IMAGES, 2), ValueError, ["[0, 1]"]),
    "crop": (lambda: augment.crop(IMAGES, 20, 2), ValueError, ["20 x 20", "12 x 12", "padding"]),
    "angle": (lambda: augment.rotate(IMAGES, -5), ValueError, ["[0, 180]"]),
    "square": (lambda: augment.cutout(IMAGES, 0), ValueError, ["size must be at least 1"]),
    "alpha": (lambda: augment.mixup(IMAGES, np.zeros(4, int), 2, 0), ValueError, ["alpha"]),
    "targets": (
        lambda: augment.mixup(IMAGES, np.zeros(3, int), 2), ValueError, ["4 images", "(3,)"],
    ),
    "class": (lambda: augment.mixup(IMAGES, np.full(4, 2), 2), ValueError, ["0 .. 1"]),
    "soft class": (lambda: augment.mixup(IMAGES, np.zeros(4), 2), ValueError, ["integers"]),
    "called step": (
        lambda: augment.Augmented(DIGITS, IMAGES), TypeError, ["augment.flip", "parentheses"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", MISTAKES)
def test_mistake_is_refused_in_words_that_help(name):
    function, kind, words = MISTAKES[name]
    with pytest.raises(kind) as error:
        function()
    missing = [word for word in words if word not in str(error.value)]
    assert not missing, f"no {missing} in: {error.value}"

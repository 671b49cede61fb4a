"""Every data set by its name: ``load("digits", split="train")``.

The names are those of the functions that make the sets; all their options may be given here as
well. What has no parts of its own is split by its `split` method, with shares of 60, 20 and 20
percent (80, 10 and 10 for text).
"""

import difflib
import inspect
from functools import partial

from . import embedded, generators, graphs, sequences, series, tables, text
from .glyph_images import glyphs
from .mnist_1d import mnist1d
from .real import REAL
from .scenes import shapes

PARTS = ("train", "validation", "test")

# name: function that returns the set; `REAL` has those that are downloaded when first used.
_OFFLINE = {
    "digits": embedded.digits,
    "iris": embedded.iris,
    "wine": embedded.wine,
    "breast_cancer": embedded.breast_cancer,
    "diabetes": embedded.diabetes,
    "photographs": embedded.photographs,
    "mnist1d": mnist1d,
    "glyphs": glyphs,
    "shapes": shapes,
    "spirals": generators.spirals,
    "moons": generators.moons,
    "circles": generators.circles,
    "blobs": generators.blobs,
    "xor": generators.xor,
    "checkerboard": generators.checkerboard,
    "sine": generators.sine,
    "polynomial": generators.polynomial,
    "adding": sequences.adding,
    "copying": sequences.copying,
    "reversal": sequences.reversal,
    "parity": sequences.parity,
    "dates": sequences.dates,
    "mackey_glass": series.mackey_glass,
    "formant_tracks": series.formant_tracks,
    "sunspots": series.sunspots,
    "karate_club": graphs.karate_club,
    "python_docs_text": text.python_docs_text,
}


def _functions():
    """All sets; the tables of facts give way to a set of the same name."""
    facts = {name: partial(tables.load, name) for name in tables.names()}
    return facts | _OFFLINE | REAL


def names():
    """Names of all data sets and tables, sorted."""
    return tuple(sorted(_functions()))


def load(name, split=None, **options):
    """A data set by its name.

    Args:
        name: such as "digits"; `names` lists them.
        split: "train", "validation" or "test". Default None: everything, or the training part of a
            set that comes in parts.
        options: for the function of this name, such as ``n`` or ``seed``.

    Returns:
        what the function returns: a `Dataset`, `Corpus`, `Series`, `Graph`, `Pairs` or `Table`.

    Raises:
        ValueError: if there is no such set, or it has no such part; the message lists all.
        TypeError: for an option that the set doesn't have.
    """
    functions = _functions()
    if name not in functions:
        near = difflib.get_close_matches(_plain(name), functions, 3, 0.5)
        hint = f"did you mean {' or '.join(map(repr, near))}? " if near else ""
        raise ValueError(
            f"load: no data set {name!r}; {hint}There are {', '.join(sorted(functions))}"
        )
    function = functions[name]
    allowed = inspect.signature(function).parameters
    unknown = sorted(set(options) - set(allowed))
    if unknown:
        takes = ", ".join(key for key in allowed if key != "split") or "none"
        raise TypeError(f"load: {name} has no option {unknown[0]!r}; its options: {takes}")
    if split is None:
        return function(**options)
    if "split" in allowed:
        return function(split=split, **options)
    if split not in PARTS:
        raise ValueError(f"load: split must be one of {', '.join(PARTS)}, got {split!r}")
    whole = function(**options)
    if not hasattr(whole, "split"):
        raise ValueError(f"load: {name} has no parts; leave split out")
    return whole.split()[PARTS.index(split)]


def _plain(name):
    """Fashion-MNIST, as people write it, as it is called here: fashion_mnist."""
    return str(name).lower().replace("-", "_").replace(" ", "_")

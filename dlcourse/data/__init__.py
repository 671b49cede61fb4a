"""Data sets: those that come with the library need no network, the others one argument.

``load("digits", split="train")`` finds a set by its name, `names` lists them all, and each set is a
function of its own as well: ``glyphs(1000, seed=1)``. What comes back is small and never changes.
"""

from . import augment, tables
from .dataset import Dataset
from .embedded import breast_cancer, diabetes, digits, iris, photograph, photographs, wine
from .generators import blobs, checkerboard, circles, moons, polynomial, sine, spirals, xor
from .glyph_images import glyphs
from .graphs import Graph, karate_club
from .mnist_1d import mnist1d
from .real import (
    cifar10,
    cifar100,
    fashion_mnist,
    kmnist,
    mnist,
    time_machine,
    tiny_shakespeare,
)
from .registry import load, names
from .scenes import Scenes, shapes
from .sequences import Pairs, adding, copying, dates, parity, reversal
from .series import Series, formant_tracks, mackey_glass, sunspots
from .text import Corpus, Vocabulary, python_docs_text, streams, windows

__all__ = [
    "Corpus",
    "Dataset",
    "Graph",
    "Pairs",
    "Scenes",
    "Series",
    "Vocabulary",
    "adding",
    "augment",
    "blobs",
    "breast_cancer",
    "checkerboard",
    "cifar10",
    "cifar100",
    "circles",
    "copying",
    "dates",
    "diabetes",
    "digits",
    "fashion_mnist",
    "formant_tracks",
    "glyphs",
    "iris",
    "karate_club",
    "kmnist",
    "load",
    "mackey_glass",
    "mnist",
    "mnist1d",
    "moons",
    "names",
    "parity",
    "photograph",
    "photographs",
    "polynomial",
    "python_docs_text",
    "reversal",
    "shapes",
    "sine",
    "spirals",
    "streams",
    "sunspots",
    "tables",
    "time_machine",
    "tiny_shakespeare",
    "windows",
    "wine",
    "xor",
]

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
    "circles",
    "copying",
    "dates",
    "diabetes",
    "digits",
    "formant_tracks",
    "glyphs",
    "iris",
    "karate_club",
    "load",
    "mackey_glass",
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
    "windows",
    "wine",
    "xor",
]

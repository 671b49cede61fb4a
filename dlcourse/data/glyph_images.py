"""Glyphs: digits and letters of 28 x 28 pixels, as many as one likes, drawn from printed fonts.

A stand-in for MNIST that needs no download and has the same shapes. The outlines come from the
fonts that Matplotlib carries with it, so that they are the same on every machine. Each character of
each font becomes, once, a map of distances to its outline; from that map a glyph can be drawn at
any size, angle and thickness by looking up one number for each pixel.
"""

import functools
from itertools import pairwise
from pathlib import Path

import numpy as np

from .arguments import between, whole
from .dataset import Dataset

_FONTS = tuple(
    [f"DejaVu{family}{style}" for family, style in [
        ("Sans", ""), ("Sans", "-Bold"), ("Sans", "-Oblique"), ("SansMono", ""),
        ("SansMono", "-Bold"), ("Serif", ""), ("Serif", "-Bold"), ("Serif", "-Italic"),
    ]]
    + ["STIXGeneral", "STIXGeneralBol", "STIXGeneralBolIta", "STIXGeneralItalic"]
    + ["cmr10", "cmb10", "cmss10", "cmtt10"]
)  # fmt: skip
# The Computer Modern fonts have letters and digits at their places, other signs elsewhere.
_ASCII_ONLY = ("cmr10", "cmb10", "cmss10", "cmtt10")

_GRID = 120  # points along each side of a map of distances
_HEIGHT = 20 / 28  # of a capital letter, in widths of the picture, as in MNIST
_CHUNK = 1000  # pictures drawn at a time, which bounds the memory


def glyphs(
    n=10_000, size=28, characters="0123456789", rotation=12.0, shear=0.25, scaling=0.2, shift=0.07,
    weight=0.02, warp=0.03, noise=0.1, seed=0,
):  # fmt: skip
    """Characters from 16 fonts, each with its own random distortion and noise.

    Fonts: DejaVu (Bitstream and the DejaVu authors), STIX (STI Pub Companies) and Computer Modern
    (Knuth), from Matplotlib's own folder; those of the system are never looked at. Lengths are in
    widths of the picture: 0.07 is two of 28 pixels.

    Args:
        n: number of pictures. Default 10,000.
        size: H and W in pixels. Default 28.
        characters: the classes, each one character. Default the ten digits.
        rotation: angles come from -rotation to rotation, in degrees. Default 12.
        shear: slants, horizontal over vertical, come from -shear to shear. Default 0.25.
        scaling: width and height are multiplied by factors from 1 - scaling to 1 + scaling, each
            by its own. Default 0.2.
        shift: the center moves by up to this much along each axis. Default 0.07.
        weight: strokes become thinner or thicker by up to this much. Default 0.02.
        warp: how far a wave of random phase bends the picture. Default 0.03.
        noise: standard deviation of the noise of the gray levels, 1 from black to white.
            Default 0.1.
        seed: of the random numbers. Default 0.

    Returns:
        `Dataset` with inputs (n, 1, size, size), float32 in [0, 1] in 256 levels, white on black,
        and targets (n,), the positions in `characters`, all equally frequent.

    Raises:
        TypeError, ValueError: if a number is out of range, or a character is repeated or in none of
            the fonts.
    """
    whole("glyphs", n=n)
    whole("glyphs", 8, size=size)
    between("glyphs", 0, 180, rotation=rotation)
    between("glyphs", 0, 0.9, scaling=scaling)
    between("glyphs", 0, 1, shift=shift, weight=weight, warp=warp, noise=noise)
    between("glyphs", 0, np.inf, shear=shear)
    characters = _checked(characters)
    maps, owners = _all_maps(characters)
    rng = np.random.default_rng(seed)
    targets = rng.permutation(np.arange(n) % len(characters))
    inputs = np.empty((n, 1, size, size), np.float32)
    for start in range(0, n, _CHUNK):
        chosen = targets[start : start + _CHUNK]
        first, count = owners[chosen].T
        drawn = first + rng.integers(count)
        y, x = _places(len(chosen), size, rotation, shear, scaling, shift, warp, rng)
        distance = _look_up(maps, drawn, y, x)  # (B, H, W)
        distance -= rng.uniform(-weight, weight, (len(chosen), 1, 1))
        # A pixel at the outline is half covered, one half a pixel away fully or not at all.
        picture = np.clip(0.5 - distance * size, 0, 1)
        picture *= rng.uniform(0.75, 1, (len(chosen), 1, 1))
        picture += noise * rng.standard_normal(picture.shape)
        levels = np.rint(np.clip(picture, 0, 1) * 255)
        inputs[start : start + _CHUNK, 0] = levels.astype(np.float32) / np.float32(255)
    return Dataset(
        inputs,
        targets.astype(np.int64),
        characters,
        name="glyphs",
        source="drawn by dlcourse from DejaVu, STIX and Computer Modern fonts, as in Matplotlib",
        licence="fonts: DejaVu and Bitstream Vera licences, STIX Font License, Knuth's; "
        "pictures: MIT",
    )


def _checked(characters):
    characters = tuple(characters)
    if not characters or any(not isinstance(c, str) or len(c) != 1 for c in characters):
        raise ValueError(
            f"glyphs: characters must be a string such as '0123456789', got {characters!r}"
        )
    twice = sorted({c for c in characters if characters.count(c) > 1})
    if twice:
        raise ValueError(f"glyphs: each character is a class of its own, but {twice} come twice")
    return characters


def _places(count, size, rotation, shear, scaling, shift, warp, rng):
    """Where each pixel of each picture comes from: y and x (B, H, W), 0 in the center."""
    column = lambda low, high: rng.uniform(low, high, (count, 1, 1))
    centers = (np.arange(size) + 0.5) / size - 0.5
    y, x = centers[:, None], centers[None, :]
    y, x = y - column(-shift, shift), x - column(-shift, shift)  # (B, H, 1), (B, 1, W)
    bend = lambda along: warp * np.sin(2 * np.pi * (column(0.5, 1.5) * along + column(0, 1)))
    y, x = y + bend(x), x + bend(y)  # (B, H, W)
    angle = np.deg2rad(column(-rotation, rotation))
    y, x = np.cos(angle) * y - np.sin(angle) * x, np.sin(angle) * y + np.cos(angle) * x
    x = x + column(-shear, shear) * y
    return y / column(1 - scaling, 1 + scaling), x / column(1 - scaling, 1 + scaling)


def _look_up(maps, drawn, y, x):
    """Distances at places given in widths of the picture, between the points of the maps.

    Outside of a map counts the nearest point on its edge, which is far enough from the glyph.
    """
    y, x = (np.clip((place + 0.5) * _GRID - 0.5, 0, _GRID - 1.001) for place in (y, x))
    top, left = y.astype(int), x.astype(int)
    down, right = y - top, x - left
    first = (drawn[:, None, None] * _GRID + top) * _GRID + left  # as in maps.ravel()
    value = lambda offset: np.take(maps, first + offset)
    upper = value(0) + right * (value(1) - value(0))
    lower = value(_GRID) + right * (value(_GRID + 1) - value(_GRID))
    return upper + down * (lower - upper)


def _all_maps(characters):
    """Maps of distances of all characters in all fonts; for each character, the first and how many.

    Raises:
        ValueError: if no font has a character.
    """
    maps, owners = [], []
    for character in characters:
        own = [m for m in (_map(font, character) for font in _FONTS) if m is not None]
        if not own:
            raise ValueError(
                f"glyphs: none of the fonts can draw {character!r} (U+{ord(character):04X}); "
                "Latin and Greek letters, digits and the usual signs work"
            )
        owners.append((len(maps), len(own)))
        maps += own
    return np.stack(maps).astype(float), np.array(owners)


@functools.cache
def _map(font, character):
    """Distance to the outline at every point of a grid, negative inside, in widths of the picture.

    Returns:
        (GRID, GRID) float32, or None where the font has no such character.
    """
    from matplotlib import get_data_path
    from scipy.ndimage import distance_transform_edt

    path = Path(get_data_path(), "fonts", "ttf", f"{font}.ttf")
    if font in _ASCII_ONLY and not (character.isascii() and character.isalnum()):
        return None
    edges = _outline(path, character)
    if edges is None or not len(edges):
        return None
    capital = np.ptp(_outline(path, "H")[..., 1])
    low, high = edges.min(axis=(0, 1)), edges.max(axis=(0, 1))
    scale = min(_HEIGHT / capital, 0.86 / (high - low).max())  # wide ones become smaller
    edges = (edges - (low + high) / 2) * scale * [1, -1] + 0.5  # y points down
    inside = _inside(edges * _GRID)
    away = distance_transform_edt(~inside) - distance_transform_edt(inside)
    return ((away - np.sign(away) / 2) / _GRID).astype(np.float32)


@functools.cache
def _outline(path, character):
    """Edges (E, 2 ends, xy) of a character's outline; None where the font doesn't have it."""
    from matplotlib import ft2font
    from matplotlib.path import Path as Outline

    font = ft2font.FT2Font(str(path))
    if not font.get_char_index(ord(character)):
        return None
    # Hinting would fit the outline to a grid of pixels, in a way that differs between versions.
    flags = getattr(ft2font, "LoadFlags", None)  # before Matplotlib 3.10: constants of the module
    font.set_size(1000, 72)
    font.load_char(ord(character), flags.NO_HINTING if flags else ft2font.LOAD_NO_HINTING)
    outline = Outline(*font.get_path())
    edges, here, start = [], None, None
    for points, code in outline.iter_segments(simplify=False):
        points = points.reshape(-1, 2)
        if code == outline.MOVETO:
            here = start = points[0]
            continue
        # A curve of degree 2 or 3 becomes eight straight edges, a line is one.
        control = np.concatenate([[here], [start] if code == outline.CLOSEPOLY else points])
        line = _bezier(control, 8 if len(control) > 2 else 1)
        edges += pairwise(line)
        here = control[-1]
    return np.array(edges)


def _bezier(control, pieces):
    """Points on a Bézier curve (de Casteljau's construction): (pieces + 1, 2)."""
    t = np.linspace(0, 1, pieces + 1)[:, None]
    points = [np.broadcast_to(p, (pieces + 1, 2)) for p in control]
    while len(points) > 1:
        points = [(1 - t) * a + t * b for a, b in pairwise(points)]
    return points[0]


def _inside(edges):
    """Which cells of the grid have their center inside the outline: its winding number is not 0.

    Each edge that a row's center line crosses changes the winding number of all cells to its right,
    up or down by the edge's direction.
    """
    row, edge = np.indices((_GRID, len(edges))).reshape(2, -1)
    (x1, y1), (x2, y2) = edges[edge].transpose(1, 2, 0)
    center = row + 0.5
    crosses = (y1 <= center) != (y2 <= center)
    row, center = row[crosses], center[crosses]
    x1, y1, x2, y2 = (v[crosses] for v in (x1, y1, x2, y2))
    x = x1 + (center - y1) / (y2 - y1) * (x2 - x1)
    change = np.zeros((_GRID, _GRID + 1), int)
    first = np.clip(np.ceil(x - 0.5), 0, _GRID).astype(int)
    np.add.at(change, (row, first), np.where(y2 > y1, 1, -1))
    return change.cumsum(axis=1)[:, :-1] != 0

"""Every set by its name: the same content everywhere, with its origin, and split on demand."""

import hashlib
import subprocess
import sys

import numpy as np
import pytest

from dlcourse import data

# SHA-256 of the content rounded to thousandths, so that the last bit of a sine doesn't matter.
CONTENT = {
    "adding": "3a119803aa7a0c2f",
    "blobs": "3996aff1e234a62a",
    "brains": "02194065f57725fe",
    "breast_cancer": "90bc29cf232acac8",
    "checkerboard": "261b609c43194c0f",
    "circles": "bac416d28c233a5d",
    "compute_growth": "9033c19acf8bfce6",
    "copying": "f673d65e57432913",
    "data_growth": "3ba9e94a49162627",
    "dates": "c5b5fb4bbb94206f",
    "diabetes": "77eb4093946ba841",
    "digits": "e0717bac6a075404",
    "formant_tracks": "e5f2dc6bb7046cf8",
    "glyphs": "c60294ad729df07c",
    "gpus": "bcec3e161f75b756",
    "ilsvrc": "9b2f2485703e010e",
    "iris": "9938770cac09f224",
    "karate_club": "5fce4599e1f01e82",
    "karate_edges": "851b1e73728e98c4",
    "karate_members": "396f54908d6349df",
    "mackey_glass": "113b57c4bc90c55b",
    "milestones": "cd596df33a7f2c19",
    "mnist1d": "3e775f5857b26feb",
    "mnist_errors": "b46424373790ec54",
    "model_growth": "afc8c3d1eb94a08f",
    "moons": "99f6ab7586138e4d",
    "networks": "033f4961180920b9",
    "parity": "4dd9b7beeb7cb1d4",
    "polynomial": "50435f115b96c2ba",
    "reversal": "fb65d4149169cf1a",
    "shapes": "c61a053f6de33506",
    "sine": "6f8bbcaad7c7f51d",
    "spirals": "7548e8ce7ce8a14b",
    "sunspots": "a4f928201d6c7154",
    "training_energy": "9455aa4b09b0c7f9",
    "wine": "854c2a2e11695793",
    "xor": "57bcc87e39ece79e",
}

# What depends on the machine: the version of Python, and the decoder of JPEG.
ELSEWHERE = ("python_docs_text", "photographs")

# Smaller ones than the default, where that takes seconds.
OPTIONS = {"glyphs": {"n": 200}, "shapes": {"n": 50}, "mnist1d": {"n": 500}}


def arrays(content):
    """What there is to compare, as arrays."""
    if isinstance(content, data.tables.Table):
        return [np.frombuffer(repr(content.rows).encode(), np.uint8)]
    if isinstance(content, data.Pairs):
        return [np.frombuffer(repr((content.inputs, content.targets)).encode(), np.uint8)]
    names = ("inputs", "targets", "instances", "values", "times", "edges", "weights")
    return [np.asarray(getattr(content, n)) for n in names if getattr(content, n, None) is not None]


def digest(content):
    """First digits of the checksum of everything in `content`."""
    checksum = hashlib.sha256()
    for array in arrays(content):
        if array.dtype.kind in "fiu":
            array = np.rint(array.astype(float) * 1000).astype("<i8")
        checksum.update(repr(array.shape).encode())
        checksum.update(np.ascontiguousarray(array).tobytes())
    return checksum.hexdigest()[:16]


@pytest.mark.parametrize("name", sorted(CONTENT))
def test_content_is_the_same_everywhere(name):
    assert digest(data.load(name, **OPTIONS.get(name, {}))) == CONTENT[name]


def test_the_table_of_contents_is_complete():
    offline = set(data.registry._OFFLINE) | set(data.tables.names())
    assert offline - set(ELSEWHERE) == set(CONTENT)


@pytest.mark.parametrize("name", sorted(data.registry._OFFLINE))
def test_origin_and_licence_are_stated(name):
    content = data.load(name, **OPTIONS.get(name, {}))
    assert content.source
    assert content.licence
    assert data.registry._OFFLINE[name].__doc__.count("Returns:") == 1


@pytest.mark.parametrize("name", ["moons", "glyphs", "shapes", "polynomial"])
def test_a_seed_decides_everything(name):
    first, again = (data.load(name, n=20, seed=3) for _ in range(2))
    other = data.load(name, n=20, seed=4)
    assert digest(first) == digest(again)
    assert digest(first) != digest(other)


@pytest.mark.parametrize("name", ["digits", "moons", "adding", "dates", "sunspots", "shapes"])
def test_parts_are_those_of_split(name):
    options = OPTIONS.get(name, {})
    whole = data.load(name, **options)
    parts = [data.load(name, split=part, **options) for part in ("train", "validation", "test")]
    assert [digest(part) for part in parts] == [digest(part) for part in whole.split()]
    assert sum(map(len, parts)) == len(whole)


def test_sets_with_parts_of_their_own():
    assert len(data.load("mnist1d")) == 4000
    assert len(data.load("mnist1d", split="test", n=500)) == 100


def test_photographs():
    china, flower = data.photographs().inputs
    assert china.shape == flower.shape == (3, 427, 640)
    np.testing.assert_allclose(china.mean(axis=(1, 2)), [0.568, 0.57, 0.553], atol=0.01)
    np.testing.assert_array_equal(china, data.photograph("china"))
    assert flower[0, :, 200:400].mean() > 2 * flower[2, :, 200:400].mean()  # a red dahlia


def test_names_are_sorted_and_complete():
    assert list(data.names()) == sorted(data.names())
    assert {"digits", "glyphs", "ilsvrc", "sunspots"} <= set(data.names())


def test_import_is_cheap():
    unwanted = ["torch", "matplotlib", "sklearn", "scipy"]
    code = f"import sys, dlcourse.data; print([m for m in {unwanted} if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"

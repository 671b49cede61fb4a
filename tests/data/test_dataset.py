"""Data sets: what is in them, how they are split and served."""

import hashlib

import matplotlib

matplotlib.use("agg")

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch

from dlcourse import data


def test_digits_are_scikit_learns():
    digits = data.digits()
    assert len(digits) == 1797
    assert digits.inputs.shape == (1797, 1, 8, 8)
    assert digits.inputs.dtype == np.float32
    assert digits.targets.dtype == np.int64
    assert (digits.inputs.min(), digits.inputs.max()) == (0, 1)
    sha = hashlib.sha256((digits.inputs * 16).astype(np.uint8).tobytes()).hexdigest()
    assert sha.startswith("8f26b2bd9d135c25")


def test_split_is_complete_stratified_and_fixed():
    digits = data.digits()
    parts = digits.split()
    assert [len(part) for part in parts] == [1078, 360, 359]
    images = np.concatenate([part.inputs for part in parts]).reshape(1797, 64)
    original = digits.inputs.reshape(1797, 64)
    assert sorted(map(bytes, images)) == sorted(map(bytes, original))
    for part in parts:
        shares = np.bincount(part.targets) / len(part)
        np.testing.assert_allclose(shares, np.bincount(digits.targets) / 1797, atol=0.006)
    again = digits.split()
    assert all(np.array_equal(a.targets, b.targets) for a, b in zip(parts, again, strict=True))
    other = digits.split(seed=1)
    assert not np.array_equal(parts[0].inputs, other[0].inputs)


def test_nothing_changes_a_data_set():
    digits = data.digits()
    with pytest.raises(ValueError, match="read-only"):
        digits.inputs[0] = 0
    with pytest.raises(AttributeError):
        digits.name = "other"
    own = np.zeros(3)
    data.Dataset(own, np.zeros(3))
    own[0] = 1  # the caller's array is not locked


def test_indexing():
    digits = data.digits()
    image, target = digits[3]
    assert image.shape == (1, 8, 8)
    assert target == 3
    assert len(digits[:10]) == 10
    assert len(digits[digits.targets == 0]) == 178
    assert digits[:10].classes == digits.classes
    assert "1797 examples" in repr(digits)


def test_batches():
    digits = data.digits()[:100]
    plain = list(digits.batches(32))
    assert [len(targets) for _, targets in plain] == [32, 32, 32, 4]
    assert np.shares_memory(plain[0][0], digits.inputs)
    shuffled = np.concatenate([t for _, t in digits.batches(32, shuffle=True, seed=5)])
    again = np.concatenate([t for _, t in digits.batches(32, shuffle=True, seed=5)])
    np.testing.assert_array_equal(shuffled, again)
    assert not np.array_equal(shuffled, digits.targets)
    assert sorted(shuffled) == sorted(digits.targets)


@pytest.mark.parametrize(
    ("run", "words"),
    [
        (lambda: data.Dataset(np.zeros(3), np.zeros(2)), "3 inputs but 2 targets"),
        (lambda: data.digits().split(0.5, 0.5), "sum to less than 1"),
        (lambda: data.digits().split(-0.1, 0.5), "must be >= 0"),
        (lambda: list(data.digits().batches(0)), "at least 1, got 0"),
    ],
)
def test_errors(run, words):
    with pytest.raises(ValueError, match=words):
        run()


def test_split_without_one_class_each():
    maps = data.Dataset(np.arange(10.0), np.zeros((10, 3, 3), int), classes=("a",))
    parts = maps.split()
    assert [len(part) for part in parts] == [6, 2, 2]
    assert sorted(np.concatenate([part.inputs for part in parts])) == list(range(10))


def test_to_torch_shares_memory_without_a_warning(recwarn):
    digits = data.digits()[:100]
    inputs, targets = digits.to_torch().tensors
    assert not recwarn.list
    assert (inputs.dtype, targets.dtype) == (torch.float32, torch.int64)
    np.testing.assert_array_equal(inputs.numpy(), digits.inputs)
    assert inputs.data_ptr() == digits.inputs.ctypes.data
    with pytest.raises(ValueError, match="read-only"):
        digits.inputs[0] = 0
    x, t = next(iter(torch.utils.data.DataLoader(digits.to_torch(), batch_size=8)))
    assert x.shape == (8, 1, 8, 8)
    assert t.tolist() == digits.targets[:8].tolist()


def test_to_torch_copies_what_nobody_may_write_to(recwarn):
    fixed = np.frombuffer(bytes(range(8)), np.uint8)
    (inputs, _) = data.Dataset(fixed, np.zeros(8)).to_torch().tensors
    inputs += 1
    assert fixed.tolist() == list(range(8))
    assert not recwarn.list


@pytest.mark.parametrize("name", ["digits", "photographs", "shapes", "mnist1d", "moons", "sine",
                                  "wine", "parity", "formant_tracks", "diabetes"])  # fmt: skip
def test_show_draws_every_kind(name):
    small = {"shapes": {"n": 4}, "mnist1d": {"n": 10}}.get(name, {})
    examples = data.load(name, **small)
    picture = examples.show(4)
    assert examples.name in picture.alt
    assert repr(picture) == picture.alt
    picture.figure.canvas.draw()
    assert picture.figure.axes[0].has_data()
    plt.close(picture.figure)


def test_show_names_classes_and_mistakes():
    digits = data.digits()[:12]
    found = digits.targets.copy()
    found[3] = 8
    picture = digits.show(5, predictions=found)
    titles = [axis.get_title() for axis in picture.figure.axes]
    assert titles == ["0", "1", "2", "✗ 8 (3)", "4"]
    assert picture.alt.endswith("0, 1, 2, 3, 4. Wrong: 3 taken for 8.")
    assert "All were recognized" in digits.show(5, predictions=digits.targets).alt
    pixels = picture.figure.axes[2].images[0].get_array()
    np.testing.assert_array_equal(pixels, digits.inputs[2, 0])
    assert len(digits.show().figure.axes) == 20  # two rows of ten, the last eight empty
    plt.close("all")


def test_show_draws_boxes_on_scenes():
    scenes = data.shapes(3)
    picture = scenes.show()
    for i in range(3):
        patches = picture.figure.axes[i].patches
        assert len(patches) == len(scenes.boxes(i))
        x1, y1, x2, y2 = scenes.boxes(i)[0]
        assert patches[0].get_xy() == (x1 - 0.5, y1 - 0.5)
        assert (patches[0].get_width(), patches[0].get_height()) == (x2 - x1, y2 - y1)
    plt.close("all")

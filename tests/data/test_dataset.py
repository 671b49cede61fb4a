"""Data sets: what is in them, how they are split and served."""

import hashlib

import numpy as np
import pytest

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

"""Sequences: every answer is right, for any length."""

import datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlcourse import data

LENGTHS = st.integers(2, 30)


@settings(max_examples=25, deadline=None)
@given(length=LENGTHS, seed=st.integers(0, 2**32 - 1))
def test_adding(length, seed):
    task = data.adding(20, length, seed)
    values, marks = task.inputs[:, :, 0], task.inputs[:, :, 1]
    assert task.inputs.dtype == task.targets.dtype == np.float32
    assert set(np.unique(marks)) <= {0, 1}
    assert (marks[:, : length // 2].sum(axis=1) == 1).all()
    assert (marks[:, length // 2 :].sum(axis=1) == 1).all()
    expected = [row[mark == 1].sum() for row, mark in zip(values, marks, strict=True)]
    np.testing.assert_allclose(task.targets[:, 0], expected, rtol=1e-6)


def test_adding_without_memory_costs_a_sixth():
    task = data.adding(20_000, 10)
    assert ((task.targets - 1) ** 2).mean() == pytest.approx(1 / 6, rel=0.03)


@settings(max_examples=25, deadline=None)
@given(symbols=st.integers(1, 9), length=st.integers(1, 12), delay=st.integers(0, 12))
def test_copying(symbols, length, delay):
    task = data.copying(7, symbols, length, delay)
    assert task.inputs.shape == task.targets.shape == (7, 2 * length + delay)
    np.testing.assert_array_equal(task.inputs[:, :length], task.targets[:, -length:])
    assert ((task.inputs[:, :length] >= 1) & (task.inputs[:, :length] <= symbols)).all()
    assert (task.targets[:, :-length] == 0).all()
    go = np.argwhere(task.inputs == symbols + 1)
    assert (go[:, 1] == length + delay).all()  # the first answer is due right there
    assert len(go) == 7


@settings(max_examples=25, deadline=None)
@given(symbols=st.integers(1, 9), length=LENGTHS)
def test_reversal(symbols, length):
    task = data.reversal(5, symbols, length)
    assert task.inputs.max() < symbols
    for symbols_in, symbols_out in task:
        assert symbols_in.tolist() == symbols_out.tolist()[::-1]


@settings(max_examples=25, deadline=None)
@given(length=st.integers(1, 20))
def test_parity(length):
    task, running = data.parity(9, length), data.parity(9, length, running=True)
    np.testing.assert_array_equal(task.inputs, running.inputs)
    for bits, target, targets in zip(task.inputs, task.targets, running.targets, strict=True):
        assert target == bits.sum() % 2
        assert targets.tolist() == [int(bits[: t + 1].sum() % 2) for t in range(length)]


PARSERS = (
    "%d %B %Y", "%d %b %Y", "%B %d, %Y", "%b %d, %Y", "%B %dth, %Y", "the %dth of %B %Y",
    "%A, %d %B %Y", "%a %d %b %Y", "%A, %B %d, %Y", "%Y %B %d",
)  # fmt: skip


def parsed(text):
    """What Python's own parser makes of a date."""
    for ending in ("1st", "2nd", "3rd"):
        text = text.replace(ending, ending[0] + "th")
    for form in PARSERS:
        try:
            return datetime.datetime.strptime(text, form).date().isoformat()
        except ValueError:
            continue
    raise AssertionError(f"cannot read {text!r}")


def test_dates_are_read_back_by_python():
    pairs = data.dates(600)
    assert all(parsed(human) == iso for human, iso in pairs)
    assert len(set(pairs.inputs)) == 600
    days = {human for human, _ in data.dates(3000)}
    assert any("11th" in day for day in days)
    assert any("22nd" in day for day in days)
    assert not any("11st" in day or "12nd" in day or "13rd" in day for day in days)


def test_dates_weekdays_are_right():
    for human, iso in data.dates(500, 1970, 2050):
        day = datetime.date.fromisoformat(iso)
        assert 1970 <= day.year <= 2050
        for weekday in ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"):
            if human.startswith(weekday):
                assert day.strftime("%a") == weekday


def test_dates_as_numbers():
    pairs = data.dates(50)
    encoded = pairs.encoded()
    assert encoded.targets.shape == (50, 10)
    for (human, iso), (inputs, targets) in zip(pairs, encoded, strict=True):
        source, target = pairs.vocabularies()
        assert source.decode(inputs) == human
        assert target.decode(targets) == iso
    training, _, test = pairs.split()
    vocabularies = pairs.vocabularies()
    width = max(map(len, test.inputs))
    np.testing.assert_array_equal(
        test.encoded(vocabularies).inputs, encoded.inputs[-len(test) :, :width]
    )
    assert len(training) == 30


def test_every_pair_of_a_year():
    pairs = data.dates(3650 - 2 * 31, 2001, 2001)  # May cannot be shortened
    assert len(set(pairs)) == len(pairs)
    assert len(set(pairs.targets)) == 365
    with pytest.raises(ValueError, match="3588 different pairs, fewer than 3589"):
        data.dates(3589, 2001, 2001)

"""Sequences whose answer is known, to see what a network can remember and compute.

To add two marked numbers of a long row, to repeat or to reverse what was read, to count ones modulo
two, to rewrite a date: each takes a single skill, and its length sets the difficulty.
"""

import datetime
from dataclasses import dataclass, replace

import numpy as np

from .arguments import between, whole
from .dataset import Dataset
from .text import PADDING, Vocabulary

_TERMS = {"source": "computed by dlcourse from its seed", "licence": "MIT"}


def adding(n=1000, length=50, seed=0):
    """The adding problem (Hochreiter and Schmidhuber, 1997): the sum of two marked numbers.

    One number of each half is marked, as in Le et al. (2015). Who always answers 1 has a mean
    squared error of 1/6; a network that does better remembers.

    Args:
        n: number of sequences. Default 1000.
        length: T, at least 2. Default 50.
        seed: of the random numbers. Default 0.

    Returns:
        `Dataset` with inputs (n, T, 2), numbers from [0, 1) and marks 0 or 1, and targets (n, 1).

    Raises:
        TypeError, ValueError: if a number is out of range.
    """
    whole("adding", n=n)
    whole("adding", 2, length=length)
    rng = np.random.default_rng(seed)
    values = rng.random((n, length), dtype=np.float32)
    row, half = np.arange(n), length // 2
    marks = np.zeros_like(values)
    marks[row, rng.integers(half, size=n)] = 1
    marks[row, rng.integers(half, length, size=n)] = 1
    targets = (values * marks).sum(axis=1, keepdims=True)
    return Dataset(np.stack([values, marks], axis=2), targets, name="adding", **_TERMS)


def copying(n=1000, symbols=8, length=10, delay=20, seed=0):
    """The copying problem (after Hochreiter and Schmidhuber, 1997; Arjovsky et al., 2016).

    Read `length` symbols, wait through blanks, and say them at the sign to go.

    Args:
        n: number of sequences. Default 1000.
        symbols: how many different ones, numbered from 1; 0 is the blank, symbols + 1 the sign.
            Default 8.
        length: symbols to remember. Default 10.
        delay: blanks between the last symbol and the sign. Default 20.
        seed: of the random numbers. Default 0.

    Returns:
        `Dataset` with inputs and targets (n, T), int64, T = 2 * length + delay; the targets are
        blank but for the last `length`, of which the first is due at the sign.

    Raises:
        TypeError, ValueError: if a number is out of range.
    """
    whole("copying", n=n, symbols=symbols, length=length)
    whole("copying", 0, delay=delay)
    rng = np.random.default_rng(seed)
    message = rng.integers(1, symbols + 1, (n, length))
    inputs = np.zeros((n, 2 * length + delay), np.int64)
    targets = np.zeros_like(inputs)
    inputs[:, :length] = targets[:, -length:] = message
    inputs[:, length + delay] = symbols + 1
    return Dataset(inputs, targets, name="copying", **_TERMS)


def reversal(n=1000, symbols=10, length=8, seed=0):
    """Rows of symbols, and the same rows from the end (as in Sutskever et al., 2014, the sources).

    Args:
        n: number of sequences. Default 1000.
        symbols: how many different ones, numbered from 0. Default 10.
        length: T. Default 8.
        seed: of the random numbers. Default 0.

    Returns:
        `Dataset` with inputs and targets (n, T), int64; the targets are a view of the inputs.

    Raises:
        TypeError, ValueError: if a number is out of range.
    """
    whole("reversal", n=n, symbols=symbols, length=length)
    inputs = np.random.default_rng(seed).integers(symbols, size=(n, length))
    return Dataset(inputs, inputs[:, ::-1], name="reversal", **_TERMS)


def parity(n=1000, length=8, running=False, seed=0):
    """Rows of zeros and ones: is the number of ones odd? (Minsky and Papert, 1969.)

    Every bit matters, so no part of a row says anything about the answer.

    Args:
        n: number of sequences. Default 1000.
        length: T. Default 8.
        running: whether the answer is asked after every bit, not only at the end. Default False.
        seed: of the random numbers. Default 0.

    Returns:
        `Dataset` with inputs (n, T, 1), float32, and targets (n,) or, if running, (n, T), int64.

    Raises:
        TypeError, ValueError: if a number is out of range.
    """
    whole("parity", n=n, length=length)
    bits = np.random.default_rng(seed).integers(2, size=(n, length))
    answers = np.cumsum(bits, axis=1) % 2
    return Dataset(
        bits[:, :, None].astype(np.float32), answers if running else answers[:, -1],
        ("even", "odd"), "parity", **_TERMS,
    )  # fmt: skip


# Dates ----------------------------------------------------------------------------------------

_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
)  # fmt: skip
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def _ordinal(day):
    """1st, 2nd, 3rd, 4th ... 11th, 12th, 13th ..."""
    ending = "th" if 10 <= day % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")
    return f"{day}{ending}"


# Each names its parts in an order that leaves no doubt which is the day and which the month.
_FORMATS = (
    lambda d, month, weekday: f"{d.day} {month} {d.year}",
    lambda d, month, weekday: f"{d.day} {month[:3]} {d.year}",
    lambda d, month, weekday: f"{month} {d.day}, {d.year}",
    lambda d, month, weekday: f"{month[:3]} {d.day}, {d.year}",
    lambda d, month, weekday: f"{month} {_ordinal(d.day)}, {d.year}",
    lambda d, month, weekday: f"the {_ordinal(d.day)} of {month} {d.year}",
    lambda d, month, weekday: f"{weekday}, {d.day} {month} {d.year}",
    lambda d, month, weekday: f"{weekday[:3]} {d.day} {month[:3]} {d.year}",
    lambda d, month, weekday: f"{weekday}, {month} {d.day}, {d.year}",
    lambda d, month, weekday: f"{d.year} {month} {d.day}",
)


_SHORT = (1, 3)  # those that would write May as the ones before them do


@dataclass(frozen=True, eq=False)
class Pairs:
    """Texts and what they are to be translated into.

    Args:
        inputs, targets: tuples of strings, of one length.
        name, source, licence: as in `Dataset`.
    """

    inputs: tuple
    targets: tuple
    name: str = "pairs"
    source: str = ""
    licence: str = ""

    def __len__(self):
        return len(self.inputs)

    def __getitem__(self, index):
        """(input, target), two strings."""
        return self.inputs[index], self.targets[index]

    def split(self, validation=0.2, test=0.2):
        """Three of these: training, validation and test, in the order of the pairs.

        Raises:
            ValueError: if the shares leave nothing to train on.
        """
        between("split", 0, 1, validation=validation, test=test)
        if validation + test >= 1:
            raise ValueError(
                f"split: shares must sum to less than 1, got validation={validation}, test={test}"
            )
        first, second = (round(s * len(self)) for s in (1 - validation - test, 1 - test))
        return tuple(
            replace(self, inputs=self.inputs[part], targets=self.targets[part])
            for part in (slice(first), slice(first, second), slice(second, None))
        )

    def __repr__(self):
        return f"Pairs({self.name}: {len(self)}, the first {self.inputs[0]!r}: {self.targets[0]!r})"

    def vocabularies(self):
        """`Vocabulary` of the inputs' characters, after "<pad>" at 0, and that of the targets'.

        Take them before splitting, and hand them on, so that every part speaks the same language.
        """
        return tuple(
            Vocabulary([PADDING, *sorted(set("".join(texts)))])
            for texts in (self.inputs, self.targets)
        )

    def encoded(self, vocabularies=None):
        """The texts as numbers, padded with 0 at the end.

        Args:
            vocabularies: of inputs and targets. Default: those of these pairs.

        Returns:
            `Dataset` with inputs (N, T) and targets (N, S), int64.
        """
        vocabularies = self.vocabularies() if vocabularies is None else vocabularies
        columns = []
        for texts, vocabulary in zip((self.inputs, self.targets), vocabularies, strict=True):
            column = np.zeros((len(texts), max(map(len, texts))), np.int64)
            for row, text in zip(column, texts, strict=True):
                row[: len(text)] = vocabulary.encode(text)
            columns.append(column)
        return Dataset(*columns, name=self.name, source=self.source, licence=self.licence)


def dates(n=1000, first=1900, last=2099, seed=0):
    """Dates as people write them, and the same in the order of ISO 8601: year-month-day.

    Ten English ways of writing, with and without weekday; each pair occurs once.

    Args:
        n: number of pairs. Default 1000.
        first, last: years, both included. Default 1900 and 2099.
        seed: of the random numbers. Default 0.

    Returns:
        `Pairs` such as ("Friday, 13 March 2026", "2026-03-13"); ``dates().encoded()`` gives arrays.

    Raises:
        TypeError, ValueError: if a number is out of range, or there are not so many pairs.
    """
    whole("dates", n=n, first=first, last=last)
    if not first <= last <= 9999:
        raise ValueError(f"dates: expected first <= last <= 9999, got {first} and {last}")
    start = datetime.date(first, 1, 1).toordinal()
    days = datetime.date(last, 12, 31).toordinal() - start + 1
    ways = len(_FORMATS)
    # Days and ways together are one number, drawn without repetition. May has no short form.
    months = np.array([datetime.date.fromordinal(start + day).month for day in range(days)])
    short = np.isin(np.arange(ways), _SHORT)
    possible = np.flatnonzero(~((months == 5)[:, None] & short))
    if n > len(possible):
        raise ValueError(
            f"dates: {first} to {last} has {len(possible)} different pairs, fewer than {n}"
        )
    inputs, targets = [], []
    for number in np.random.default_rng(seed).choice(possible, n, replace=False).tolist():
        day = datetime.date.fromordinal(start + number // ways)
        write = _FORMATS[number % ways]
        inputs.append(write(day, _MONTHS[day.month - 1], _DAYS[day.weekday()]))
        targets.append(day.isoformat())
    return Pairs(tuple(inputs), tuple(targets), name="dates", **_TERMS)

"""What a value in the state of a figure may be: numbers within limits, or one of several names.

The modules hold the same rules (`check` in `kit.mjs`), so that a page and Python refuse the same.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from numbers import Real


@dataclass(frozen=True)
class Number:
    """A finite number from `low` to `high`; `whole` for integers; `zero` allows 0 besides."""

    low: float
    high: float
    whole: bool = False
    zero: bool = False

    def expected(self, value) -> str:
        """What was expected, in words; empty if the value is good."""
        good = isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)
        inside = good and (self.low <= value <= self.high or (self.zero and value == 0))
        if inside and (not self.whole or value == int(value)):
            return ""
        kind = "whole number" if self.whole else "number"
        return f"a {kind} from {self.low:g} to {self.high:g}{' or 0' if self.zero else ''}"


@dataclass(frozen=True)
class Choice:
    """One of several names."""

    names: tuple[str, ...]

    def expected(self, value) -> str:
        """What was expected, in words; empty if the value is good."""
        good = isinstance(value, str) and value in self.names
        return "" if good else f"one of {', '.join(self.names)}"


@dataclass(frozen=True)
class Test:
    """Whatever `function` finds good: it returns what it expected, or an empty text."""

    function: Callable[[object], str]

    def expected(self, value) -> str:
        """What was expected, in words; empty if the value is good."""
        return self.function(value)


def check(fields: Mapping[str, Number | Choice | Test], state: Mapping):
    """Raise ValueError, with the key, what came and what was expected, for the first bad value."""
    for key, field in fields.items():
        expected = field.expected(state[key])
        if expected:
            raise ValueError(f"{key}: {state[key]!r:.60} came; expected {expected}")


def is_point(value, x, y) -> bool:
    """Is this a list of two finite numbers, the first within `x`, the second within `y`?"""
    return (
        isinstance(value, (list, tuple))
        and len(value) == 2
        and not Number(*x).expected(value[0])
        and not Number(*y).expected(value[1])
    )

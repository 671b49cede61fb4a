"""What the generators of data have in common: they refuse sizes and numbers that make no sense.

A mistake is answered where it is made, with what came and what was expected.
"""

import math
import operator


def whole(where, minimum=1, /, **values):
    """Refuse anything but integers of at least `minimum`.

    Args:
        where: name of the function, for the message.
        minimum: smallest integer allowed. Default 1.
        values: name and value of each argument.

    Raises:
        TypeError: if a value is not an integer.
        ValueError: if it is too small.
    """
    for name, value in values.items():
        try:
            if isinstance(value, bool):
                raise TypeError
            value = operator.index(value)
        except TypeError:
            raise TypeError(
                f"{where}: {name} must be an integer, got {value!r} ({type(value).__name__})"
            ) from None
        if value < minimum:
            raise ValueError(f"{where}: {name} must be at least {minimum}, got {value}")


def between(where, low, high, /, **values):
    """Refuse anything but finite numbers from `low` to `high`, both included.

    Raises:
        TypeError: if a value is not a number.
        ValueError: if it lies outside.
    """
    for name, value in values.items():
        try:
            fits = low <= float(value) <= high and math.isfinite(value)
        except (TypeError, ValueError):
            raise TypeError(
                f"{where}: {name} must be a number, got {value!r} ({type(value).__name__})"
            ) from None
        if not fits:
            limits = f"in [{low:g}, {high:g}]" if math.isfinite(high) else f"at least {low:g}"
            raise ValueError(f"{where}: {name} must be {limits}, got {value}")

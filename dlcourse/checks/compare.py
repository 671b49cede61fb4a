"""Comparing a student's numbers with the right ones, and naming the mistake.

`compare` passes in silence or raises the `Hint` of the likeliest mistake: first those that the
check expects, then what goes wrong everywhere (a transpose, a missing sum over the batch, a sign, a
factor). `numeric_gradient` gives the right gradient of a formula without anyone deriving it.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from dlcourse.checks.calling import describe
from dlcourse.checks.framework import Hint


def numeric_gradient(f: Callable, x, h: float = 1e-5) -> np.ndarray:
    """The gradient of `f` at `x` by central differences, in float64.

    Args:
        f: takes an array shaped like `x`, returns a number.
        x: where to take the gradient, an array or a number.
        h: half the step; the error is of order ``h**2``.

    Returns:
        df/dx, shaped like `x`.
    """
    x = np.array(x, dtype=float)
    gradient = np.empty_like(x)
    for index in np.ndindex(x.shape):
        there, back = x.copy(), x.copy()
        there[index] += h
        back[index] -= h
        gradient[index] = (f(there) - f(back)) / (2 * h)
    return gradient


@np.errstate(all="ignore")  # a warning on top of a hint would help nobody
def compare(
    name: str,
    got,
    expected,
    *,
    usual: Iterable[tuple[object, str]] = (),
    sizes: Mapping[str, int] | None = None,
    where: Callable[[tuple], str] | None = None,
    advice: str = "",
) -> None:
    """Raise a `Hint` unless `got` equals `expected` within the tolerance of its precision.

    Args:
        name: what the student calls the value.
        got: what the student returned: an array, a number, or (nested) lists of numbers.
        expected: the right value, an array or a number.
        usual: pairs of a wrong value and the hint that explains it, for the mistakes that this
            exercise invites.
        sizes: letter -> length of each dimension, such as ``{"B": 5, "K": 4}``: hints use them to
            name axes and to recognize a factor. The lengths should differ from one another.
        where: index -> a few words that say which input an entry belongs to.
        advice: what to tell a student whose mistake is none of the known ones.
    """
    expected = np.asarray(expected, dtype=float)
    array = as_numbers(name, got)
    close = _Closeness.of(array, expected)
    array = array.astype(float)
    if close(array, expected):
        return
    for wrong, hint in usual:
        if close(array, wrong):
            raise Hint(f"`{name}`: {hint}")
    sizes = sizes or {}
    if array.shape != expected.shape:
        raise Hint(_about_shape(name, array, expected, close, sizes))
    if not np.isfinite(array).all():
        raise Hint(f"{_first_infinity(name, array)} {advice or _INFINITE}")
    difference = _first_difference(name, array, expected, close, where)
    pattern = _about_values(array, expected, close, sizes)
    raise Hint(f"{difference} {pattern or advice}".strip())


def number(name: str, got) -> np.ndarray:
    """One number as an array of shape (), or a `Hint` where the student gave something else."""
    array = as_numbers(name, got)
    if array.shape == ():
        return array
    raise Hint(f"`{name}` is {describe(array)}; expected one number.")


def compare_dict(
    name: str,
    got,
    expected: Mapping[str, float],
    *,
    explain: Callable[[str, float], str] = lambda key, value: "",
) -> None:
    """Raise a `Hint` unless `got` maps the same keys to the same numbers.

    Args:
        name: what the student calls the dict.
        got: what the student returned.
        expected: key -> right number, in the order in which mistakes should be told.
        explain: (key, wrong number or nan for a missing one) -> the likely reason, or "".
    """
    if not isinstance(got, Mapping):
        raise Hint(f"`{name}` is {describe(got)}; expected a dict with one number for each key.")
    for key in expected:
        if key not in got:
            raise Hint(f"`{name}` has no entry for {key!r}. {explain(key, np.nan)}".strip())
    if extra := [key for key in got if key not in expected]:
        raise Hint(f"`{name}` has an entry for {extra[0]!r}, which was not asked for.")
    for key, right in expected.items():
        if type(got[key]) is float and got[key] == right:
            continue  # by far the most frequent; the comparison below is slow for one number
        entry = f"{name}[{key!r}]"
        value = number(entry, got[key])
        if not _Closeness.of(value, np.asarray(right))(value, right):
            yours, wanted = _show(float(value), right)
            reason = explain(key, float(value))
            raise Hint(f"`{entry}` is {yours}, expected {wanted}. {reason}".strip())


def as_numbers(name: str, got) -> np.ndarray:
    """What the student returned as a plain array of real numbers, or a `Hint`."""
    if callable(got):
        raise Hint(f"`{name}` is {describe(got)}: call it, with `(...)`.")
    if isinstance(got, dict | set | str):
        raise Hint(f"`{name}` is {describe(got)}; expected numbers.")
    try:
        array = np.array(got, subok=False)
    except Exception as error:  # whatever an object of the student's does when it is converted
        raise Hint(
            f"`{name}` cannot be read as an array of numbers ({type(error).__name__}). Are all the "
            "rows of a list equally long? Of a tensor, hand over the NumPy array."
        ) from None
    if array.dtype.kind in "iuf":
        return array
    if array.dtype.kind == "c" and not np.any(array.imag):
        return array.real
    kinds = {
        "b": "True and False: is there a comparison where a number is wanted?",
        "c": "complex numbers: was a root or a log of a negative number taken?",
        "O": f"other objects ({describe(got)}): is something in it None?",
    }
    came = kinds.get(array.dtype.kind, f"values of type {array.dtype}.")
    raise Hint(f"`{name}` should hold numbers, but holds {came}")


@dataclass
class _Closeness:
    """A test of equality as strict as the precision in which the student computed allows."""

    rtol: float
    atol: float

    @classmethod
    def of(cls, array: np.ndarray, expected: np.ndarray) -> "_Closeness":
        half_or_single = {2: 1e-2, 4: 1e-4} if array.dtype.kind == "f" else {}
        rtol = half_or_single.get(array.dtype.itemsize, 1e-5)
        # An entry near zero is often a sum of large ones that cancel: measure it by the largest.
        return cls(rtol, 0.1 * rtol * np.abs(expected).max(initial=0.0) + 1e-12)

    def entries(self, a, b) -> np.ndarray:
        return np.isclose(np.asarray(a, float), np.asarray(b, float), self.rtol, self.atol)

    def __call__(self, a, b) -> bool:
        return np.shape(a) == np.shape(b) and bool(self.entries(a, b).all())


def _about_shape(name, array, expected, close, sizes) -> str:
    """What is wrong with an array of the wrong shape."""
    wanted = f"shape {_letters(expected.shape, sizes)}" if expected.shape else "one number"
    if array.shape == ():
        return (
            f"`{name}` is a single number, expected {wanted}. A sum or a mean without `axis=` runs "
            "over everything: give it the axis."
        )
    start = f"`{name}` has shape {_letters(array.shape, sizes)}, expected {wanted}. "
    if array.ndim > 1 and array.T.shape == expected.shape:
        if close(array.T, expected):
            return start + "The numbers are right, but transposed: return the `.T` of it."
        return start + "Is it transposed? (Its numbers are not right either.)"
    if [n for n in array.shape if n != 1] == [n for n in expected.shape if n != 1]:
        return start + "They differ in an axis of length 1 only: see `keepdims`, or use `reshape`."
    letter = {length: name for name, length in sizes.items()}
    for axis, length in enumerate(array.shape):
        which = f"axis {axis}" + (" (the batch)" if letter.get(length) == "B" else "")
        if close(array.sum(axis), expected):
            return start + f"A sum over {which} is missing: `.sum(axis={axis})`."
        if close(array.mean(axis), expected):
            return start + f"A mean over {which} is missing: `.mean(axis={axis})`."
    return start + "Write down the shape of every factor; where two meet, their lengths agree."


def _about_values(array, expected, close, sizes) -> str:
    """What all of a wrong array has in common with the right one, or ""."""
    everywhere = " everywhere" if array.size > 1 else ""
    if not array.any():
        return f"It is zero{everywhere}: is it filled in at all?"
    if close(array, -expected):
        return f"It has the wrong sign{everywhere}."
    if array.ndim == 2 and close(array.T, expected):
        return "It is transposed."
    ratio = _shared(array / np.where(expected == 0, np.nan, expected))
    if ratio and close(array, ratio * expected):
        for letter, n in sizes.items():
            if np.isclose(ratio, 1 / n, rtol=1e-3):
                return (
                    f"It is {n} times too small{everywhere}, and {letter} = {n}: is it divided by "
                    f"{letter} where it should not be, or is there a mean in the place of a sum?"
                )
            if np.isclose(ratio, n, rtol=1e-3):
                return (
                    f"It is {n} times too large{everywhere}, and {letter} = {n}: is it not divided "
                    f"by {letter} yet, or is there a sum in the place of a mean?"
                )
        if array.size > 2 or abs(ratio) in (0.5, 2.0):
            return f"It is {ratio:.4g} times what it should be{everywhere}: look for a factor."
    if array.size > 2 and (shift := _shared(array - expected)):
        return f"It is off by the same {shift:.4g} everywhere: a term missing, or one too many?"
    if array.size > 2 and close(np.sort(array, axis=None), np.sort(expected, axis=None)):
        return "These are the right numbers in another order."
    if np.allclose(array, expected, rtol=1e-2, atol=1e-3 * np.abs(expected).max(initial=0.0)):
        return (
            "It is close, but not equal: was a number rounded, or a small constant added to avoid "
            "a division by zero or a log(0)?"
        )
    return ""


def _shared(values: np.ndarray) -> float:
    """The number that all finite values are, or 0.0 where they differ."""
    values = values[np.isfinite(values)]
    if not values.size or np.ptp(values) > 1e-4 * abs(values.mean()):
        return 0.0
    return float(values.mean())


_INFINITE = (
    "An inf comes from dividing by zero, from log(0), or from exp of a number above 709; a nan "
    "from inf - inf, 0 / 0 or 0 * inf."
)


def _first_infinity(name, array) -> str:
    bad = ~np.isfinite(array)
    index = tuple(np.argwhere(bad)[0].tolist())
    count = f" ({bad.sum()} of {array.size} entries are not finite)" if index else ""
    return f"`{_entry(name, index)}` is {array[index]}{count}."


def _first_difference(name, array, expected, close, where) -> str:
    wrong = ~close.entries(array, expected)
    index = tuple(np.argwhere(wrong)[0].tolist())
    yours, right = _show(float(array[index]), float(expected[index]))
    if where:  # here the index counts our examples, and would tell the student nothing
        return f"`{name}` {where(index)} is {yours}, expected {right}."
    count = f" ({wrong.sum()} of {array.size} entries differ)" if index else ""
    return f"`{_entry(name, index)}` is {yours}, expected {right}{count}."


def _entry(name: str, index: tuple[int, ...]) -> str:
    return f"{name}[{', '.join(map(str, index))}]" if index else name


def _letters(shape: tuple[int, ...], sizes: Mapping[str, int]) -> str:
    """A shape as text, with the letters of its dimensions where all are known: (5, 4) = (B, K)."""
    letter = {length: name for name, length in sizes.items()}
    if not shape or any(length not in letter for length in shape):
        return str(shape)
    return f"{shape} = ({', '.join(letter[n] for n in shape)}{',' if len(shape) == 1 else ''})"


def _show(a: float, b: float) -> tuple[str, str]:
    """Two numbers, with as many digits as it takes to tell them apart."""
    for digits in (4, 7, 17):
        left, right = f"{a:.{digits}g}", f"{b:.{digits}g}"
        if left != right:
            break
    return left, right

"""Comparing a student's numbers or words with the right ones, and naming the mistake.

`compare` passes in silence or raises the `Hint` of the likeliest mistake: first those that the
check expects, then what goes wrong everywhere (a transpose, a missing sum over the batch, a sign, a
factor). `numeric_gradient` gives the right gradient of a formula without anyone deriving it.
"""

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
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
    sizes = sizes or {}
    if array.shape != expected.shape:
        fact, about = _shapes(name, array, expected, sizes), _about_shape
    elif not np.isfinite(array).all():
        fact, about = _first_infinity(name, array), lambda *_: advice or _INFINITE
    else:
        fact, about = _first_difference(name, array, expected, close, where), _about_values
    for wrong, hint in usual:
        if close(array, wrong):
            raise Hint(f"`{name}`: {hint}", fact)
    raise Hint(f"{fact} {about(array, expected, close, sizes) or advice}".strip(), fact)


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
            fact = f"`{name}` has no entry for {key!r}."
            raise Hint(f"{fact} {explain(key, np.nan)}".strip(), fact)
    if extra := [key for key in got if key not in expected]:
        raise Hint(f"`{name}` has an entry for {extra[0]!r}, which was not asked for.")
    for key, right in expected.items():
        if type(got[key]) is float and got[key] == right:
            continue  # by far the most frequent; the comparison below is slow for one number
        entry = f"{name}[{key!r}]"
        value = number(entry, got[key])
        if not _Closeness.of(value, np.asarray(right))(value, right):
            yours, wanted = _show(float(value), right)
            fact = f"`{entry}` is {yours}, expected {wanted}."
            raise Hint(f"{fact} {explain(key, float(value))}".strip(), fact)


def compare_text(
    name: str,
    got,
    expected: str | Sequence[str],
    *,
    usual: Iterable[tuple[str, str]] = (),
    exact: bool = False,
    reveal: bool = True,
) -> None:
    """Raise a `Hint` unless `got` is the expected text.

    Args:
        name: what the student calls the text.
        got: what the student returned.
        expected: the right text, or several that are.
        usual: pairs of a wrong text and the hint that explains it.
        exact: whether upper and lower case, white space and a last full stop count, as in a text
            that was computed. A word for an answer is right however it is written.
        reveal: whether hints may quote the right text. False for a question that has one answer.
    """
    if not isinstance(got, str):
        raise Hint(f"`{name}` is {describe(got)}; expected a text, in quotes.")
    read = (lambda text: text) if exact else _plain
    accepted = [expected] if isinstance(expected, str) else list(expected)
    if read(got) in map(read, accepted):
        return
    nearest = max(accepted, key=lambda text: _likeness(got, text))
    fact = _first_character(name, got, nearest) if reveal else f"`{name}` is {_quote(got)}: no."
    for wrong, hint in usual:
        if read(got) == read(wrong):
            raise Hint(f"`{name}`: {hint}", fact)
    raise Hint(f"{fact} {_about_text(got, nearest)}".strip(), fact)


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


def _shapes(name, array, expected, sizes) -> str:
    """The shape of an array and the one it should have."""
    wanted = f"shape {_letters(expected.shape, sizes)}" if expected.shape else "one number"
    if array.shape == ():
        return f"`{name}` is a single number, expected {wanted}."
    return f"`{name}` has shape {_letters(array.shape, sizes)}, expected {wanted}."


def _about_shape(array, expected, close, sizes) -> str:
    """How an array may have come to a wrong shape."""
    if array.shape == ():
        return "A sum or a mean without `axis=` runs over everything: give it the axis."
    if array.ndim > 1 and array.T.shape == expected.shape:
        if close(array.T, expected):
            return "The numbers are right, but transposed: return the `.T` of it."
        return "Is it transposed? (Its numbers are not right either.)"
    if [n for n in array.shape if n != 1] == [n for n in expected.shape if n != 1]:
        return "They differ in an axis of length 1 only: see `keepdims`, or use `reshape`."
    letter = {length: name for name, length in sizes.items()}
    for axis, length in enumerate(array.shape):
        which = f"axis {axis}" + (" (the batch)" if letter.get(length) == "B" else "")
        if close(array.sum(axis), expected):
            return f"A sum over {which} is missing: `.sum(axis={axis})`."
        if close(array.mean(axis), expected):
            return f"A mean over {which} is missing: `.mean(axis={axis})`."
    return "Write down the shape of every factor; where two meet, their lengths agree."


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


def _plain(text: str) -> str:
    """A text without what a reader passes over: case, white space, the full stop."""
    return " ".join(text.casefold().split()).rstrip(" .")


def _likeness(a: str, b: str) -> float:
    """0 for texts that have nothing in common, 1 for equal ones. Long ones count by their start."""
    return difflib.SequenceMatcher(None, _plain(a[:200]), _plain(b[:200])).ratio()


def _quote(text: str, longest: int = 40) -> str:
    return repr(text if len(text) <= longest else text[:longest] + "…")


def _first_character(name: str, got: str, expected: str) -> str:
    pairs = enumerate(zip(got, expected, strict=False))
    same = next((at for at, (a, b) in pairs if a != b), min(len(got), len(expected)))
    if not got or not same:
        return f"`{name}` is {_quote(got)}, expected {_quote(expected)}."
    ends = "ends there" if same == len(got) else f"goes on with {_quote(got[same:])}"
    more = f"expected {_quote(expected[same:])}" if same < len(expected) else "expected no more"
    return f"`{name}` is right up to character {same} and {ends}, {more}."


def _about_text(got: str, expected: str) -> str:
    """What a wrong text has in common with the right one, or ""."""
    if not got.strip():
        return "It is empty."
    if got.split() == expected.split():
        return "The two differ in white space alone."
    if _plain(got) == _plain(expected):
        return "The two differ in upper and lower case, white space or a full stop alone."
    if got[::-1] == expected:
        return "It is written backward."
    if sorted(got.split()) == sorted(expected.split()):
        return "These are the right words in another order."
    return "That is close: is it spelled right?" if _likeness(got, expected) > 0.8 else ""


def _show(a: float, b: float) -> tuple[str, str]:
    """Two numbers, with as many digits as it takes to tell them apart."""
    for digits in (4, 7, 17):
        left, right = f"{a:.{digits}g}", f"{b:.{digits}g}"
        if left != right:
            break
    return left, right

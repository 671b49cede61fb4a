"""Each way of being wrong gets the hint that names it, and none gets another's."""

import numpy as np
import pytest

from dlcourse.checks import Hint, compare, compare_dict, compare_text, number

RIGHT = np.array([[1.0, -2.0, 0.5], [3.0, 0.25, -1.5]])  # (B, K) = (2, 3)
SQUARE = np.array([[1.0, 2.0], [-3.0, 5.0]])
SIZES = {"B": 2, "K": 3}


def hint(got, expected=RIGHT, **more):
    with pytest.raises(Hint) as told:
        compare("v", got, expected, sizes=more.pop("sizes", SIZES), **more)
    return str(told.value)


@pytest.mark.parametrize(
    "got",
    [
        RIGHT,
        RIGHT.tolist(),
        tuple(map(tuple, RIGHT)),
        RIGHT.astype(np.float32),
        RIGHT.astype(np.float16),
        RIGHT + 0j,
        np.asfortranarray(RIGHT),
        np.repeat(RIGHT, 2, axis=1)[:, ::2],
        np.ma.array(RIGHT),
        RIGHT * (1 + 1e-7),
        (RIGHT * (1 + 1e-5)).astype(np.float32),
    ],
)
def test_right_answers_pass(got):
    compare("v", got, RIGHT, sizes=SIZES)


def test_whole_numbers_pass_where_they_are_right():
    compare("v", [[1, 2], [-3, 5]], SQUARE)


@pytest.mark.parametrize("got", [RIGHT * (1 + 1e-3), (RIGHT * 1.01).astype(np.float32)])
def test_tolerance_has_an_end(got):
    assert "times what it should be" in hint(got)


@pytest.mark.parametrize(
    ("got", "says"),
    [
        (
            RIGHT.T,
            "`v` has shape (3, 2) = (K, B), expected shape (2, 3) = (B, K). The",
        ),
        (RIGHT.T + 1, "Is it transposed? (Its numbers are not right either.)"),
        (RIGHT[None], "shape (1, 2, 3), expected shape (2, 3) = (B, K). They differ in an axis of"),
        (RIGHT.sum(), "single number, expected shape (2, 3) = (B, K)"),
        (np.stack([RIGHT / 2] * 2), "A sum over axis 0 (the batch) is missing: `.sum(axis=0)`"),
        (np.stack([RIGHT / 3] * 3, axis=1), "A sum over axis 1 is missing: `.sum(axis=1)`"),
        (np.stack([RIGHT] * 2), "A mean over axis 0 (the batch) is missing: `.mean(axis=0)`"),
        (np.zeros((4, 5)), "Write down the shape of every factor"),
        (-RIGHT, "It has the wrong sign everywhere."),
        (RIGHT * 2, "2 times too large everywhere, and B = 2: is it not divided by B yet"),
        (RIGHT / 2, "2 times too small everywhere, and B = 2: is it divided by B where"),
        (RIGHT / 3, "3 times too small everywhere, and K = 3"),
        (RIGHT * 7, "It is 7 times what it should be everywhere: look for a factor."),
        (RIGHT * -7, "It is -7 times what it should be everywhere"),
        (RIGHT + 0.25, "off by the same 0.25 everywhere"),
        (RIGHT[::-1], "the right numbers in another order"),
        (RIGHT * 0, "It is zero everywhere"),
        (RIGHT + 1e-3 * np.arange(6).reshape(2, 3), "It is close, but not equal"),
        (np.where(RIGHT == 3, 4, RIGHT), "`v[1, 0]` is 4, expected 3 (1 of 6 entries differ)."),
        (np.where(RIGHT == 3, np.nan, RIGHT), "`v[1, 0]` is nan (1 of 6 entries are not finite)"),
        (np.where(RIGHT == 3, np.inf, RIGHT), "`v[1, 0]` is inf"),
        (RIGHT > 0, "holds True and False"),
        (RIGHT + 1j, "holds complex numbers"),
        ([[1, None, 2]] * 2, "holds other objects"),
        ([[1, 2], [3]], "Are all the rows of a list equally long?"),
        ("RIGHT", "a str of length 5; expected numbers"),
        ({"v": RIGHT}, "a dict of length 1; expected numbers"),
        (np.sum, "is the function `sum`: call it"),
        (np.array([["a"] * 3] * 2), "should hold numbers, but holds values of type <U1"),
    ],
)
def test_each_mistake_is_named(got, says):
    assert says in hint(got)


def test_a_square_transpose_is_seen_by_its_values():
    assert "It is transposed." in hint(SQUARE.T, SQUARE)


@pytest.mark.parametrize(
    ("got", "says"),
    [
        (-1.5, "`v` is -1.5, expected 1.5. It has the wrong sign."),
        (3.0, "It is 2 times too large, and B = 2"),
        (0.5, "It is 3 times too small, and K = 3"),
        (0.0, "It is zero: is it filled in at all?"),
        ([1.0, 2.0], "`v` has shape (2,) = (B,), expected one number. A mean over axis 0 (the"),
        ([1.5], "They differ in an axis of length 1 only"),
        (9.0, "`v` is 9, expected 1.5."),
        (float("nan"), "`v` is nan. An inf comes from"),
        (1.5001, "`v` is 1.5001, expected 1.5."),
    ],
)
def test_each_mistake_in_a_number_is_named(got, says):
    assert hint(got, 1.5).startswith("`v`")
    assert says in hint(got, 1.5)


def test_what_the_exercise_expects_comes_first():
    assert hint(-RIGHT, usual=[(-RIGHT, "minus!")]) == "`v`: minus!"
    assert hint(RIGHT.T, usual=[(RIGHT.T, "turn it!")]) == "`v`: turn it!"


def test_advice_is_the_last_word():
    assert hint(np.where(RIGHT == 3, 4, RIGHT), advice="Look again.").endswith("Look again.")
    assert "Look again." not in hint(-RIGHT, advice="Look again.")
    assert hint(RIGHT * np.nan, advice="Look again.").endswith("Look again.")


def test_where_stands_in_the_place_of_an_index():
    told = hint([1.0, 3.0], [1.0, 2.0], where=lambda index: f"in case {index[0] + 1}")
    assert "`v` in case 2 is 3, expected 2." in told


def test_a_float32_answer_is_told_the_first_entry_that_is_really_wrong():
    got = (RIGHT * (1 + 3e-5)).astype(np.float32)  # within its tolerance
    got[1, 2] = 9
    assert "`v[1, 2]` is 9" in hint(got)


def test_no_comparison_warns():
    huge = np.full((2, 3), 1e308)
    with pytest.raises(Hint), np.errstate(all="raise"):
        compare("v", huge * [1, 1, 0.5], RIGHT)


def test_number():
    assert number("n", [[]][0:0] or 2.5) == 2.5
    assert number("n", np.float32(1)).dtype == np.float32
    with pytest.raises(Hint, match=r"`n` is an array of shape \(1,\); expected one number"):
        number("n", [2.5])


@pytest.mark.parametrize(
    ("got", "says"),
    [
        ({"a": 1.0}, "`d` has no entry for 'b'. because b is nan"),
        ({"a": 1.0, "b": 2.0, "c": 3.0}, "`d` has an entry for 'c', which was not asked for."),
        ({"a": 1.0, "b": 3.0}, "`d['b']` is 3, expected 2. because b is 3.0"),
        ({"a": 1.0, "b": None}, "`d['b']` should hold numbers"),
        ({"a": [1.0], "b": 2.0}, "`d['a']` is an array of shape (1,); expected one number."),
        ([1.0, 2.0], "`d` is a list of length 2; expected a dict"),
    ],
)
def test_compare_dict(got, says):
    expected = {"a": 1.0, "b": 2.0}
    compare_dict("d", {"b": 2, "a": np.float32(1)}, expected)
    with pytest.raises(Hint) as told:
        compare_dict("d", got, expected, explain=lambda key, value: f"because {key} is {value}")
    assert says in str(told.value)


POEM = "a rose is a rose"


@pytest.mark.parametrize(
    ("got", "options", "says"),
    [
        (7, {}, "`t` is the number 7; expected a text, in quotes."),
        ("", {}, "`t` is '', expected 'a rose is a rose'. It is empty."),
        ("two", {}, "`t` is 'two', expected 'a rose is a rose'."),
        ("a rose is a tulip", {}, "right up to character 12 and goes on with 'tulip', expected 'r"),
        ("a rose is", {}, "right up to character 9 and ends there, expected ' a rose'"),
        ("a rose is a rose is", {}, "goes on with ' is', expected no more"),
        ("a rose is  a rose", {"exact": True}, "differ in white space alone"),
        ("A rose is a rose", {"exact": True}, "upper and lower case"),
        ("esor a si esor a", {}, "It is written backward."),
        ("rose a is rose a", {}, "the right words in another order"),
        ("a rose iz a rose", {"reveal": False}, "`t` is 'a rose iz a rose': no. That is close: is"),
        ("a pose", {"usual": [("A  POSE.", "no flower!")]}, "`t`: no flower!"),
        ("x" * 500, {}, "`t` is '" + "x" * 40 + "…', expected"),
    ],
)
def test_compare_text(got, options, says):
    for right in ("A rose is  a rose.", "two roses"):
        compare_text("t", right, [POEM, "two roses"])
    compare_text("t", POEM, POEM, exact=True)
    with pytest.raises(Hint) as told:
        compare_text("t", got, POEM, **options)
    assert says in str(told.value)
    assert (POEM in str(told.value)) <= options.get("reveal", True)

"""The framework keeps its promises: it never raises, never leaks, and shows itself safely."""

import copy
import html.parser
import pickle
import sys
import warnings

import numpy as np
import pytest

from dlcourse.checks import Hint, Step, call, check, compare, numeric_gradient, untouched
from dlcourse.checks import backpropagation as assignment
from dlcourse.checks.framework import Result


@check(points=2.0)
def double(steps, double, *, seed=0):
    x = np.random.default_rng(seed).normal(size=3)
    answer = call(double, x=x, returns=("y",))
    with steps("an answer", 0.5):
        answer["y"]
    with steps("twice its input", 1.2):
        if not np.array_equal(answer["y"], 2 * x):
            raise Hint("It is not twice its input.")
    with steps("the input left as it was", 0.3, after_all=True):
        untouched(answer)


def test_points_are_earned_by_the_step():
    result = double(lambda x: 3 * x)
    assert result == 0.5
    assert [step.state for step in result.steps] == ["passed", "not yet", "waits"]
    assert double(lambda x: 2 * x) == 2.0


def test_shares_that_add_up_in_binary_never_exceed_the_points():
    steps = [Step("", share, "passed") for share in (0.1, 0.2)]
    assert sum(step.points for step in steps) > 0.3
    assert float(Result("f", 0.3, steps)) == 0.3


def test_a_result_is_a_number():
    result = double(lambda x: 3 * x)
    assert result + 1 == 1.5
    assert f"{result:.2f}" == "0.50"
    for twin in (copy.deepcopy(result), pickle.loads(pickle.dumps(result))):
        assert (twin, twin.name, twin.points, twin.steps) == (0.5, "double", 2.0, result.steps)


def test_the_seed_varies_the_inputs_and_nothing_else_does():
    seen = []

    def answer(x):
        seen.append(x)
        return 2 * x

    double(answer)
    double(answer)
    double(answer, seed=1)
    assert np.array_equal(seen[0], seen[1])
    assert not np.array_equal(seen[0], seen[2])


class Unprintable(Exception):
    def __str__(self):
        raise RuntimeError("no")


def exits(x):
    sys.exit(3)


def raises_unprintable(x):
    raise Unprintable


def endless(x):
    return endless(x)


@pytest.mark.parametrize(
    "answer",
    [exits, raises_unprintable, endless, 3.5, None, "text", lambda: 1, lambda x: x[9], np.array],
)
def test_no_answer_makes_a_check_raise(answer):
    result = double(answer)
    assert result < 2.0
    assert any(step.hint for step in result.steps)
    assert not any("fault in the check" in step.hint for step in result.steps)


class Hostile:
    """Fails at whatever is tried on it."""

    def _fail(self, *_, **__):
        raise RuntimeError("no")

    __array__ = __len__ = __iter__ = __eq__ = __bool__ = __float__ = __repr__ = __str__ = _fail
    __hash__ = None


@pytest.mark.parametrize(
    ("name", "n"),
    [("neuron_backward", 3), ("linear_backward", 3), ("cross_entropy", 2), ("backward", 1)],
)
@pytest.mark.parametrize(
    "value",
    [Hostile(), {1: 2}, "text", b"", 1j, True, [[1], [2, 3]], [None], print],
)
def test_no_value_makes_a_check_raise_or_blame_itself(name, n, value):
    result = getattr(assignment, name)(lambda *inputs: (value,) * n if n > 1 else value)
    assert result == 0.0
    assert result.steps[0].hint
    assert not any("fault in the check" in step.hint for step in result.steps)


# Hints quote the student's line, so these stand on other lines than the words looked for.
meets_another_length = lambda x: x @ np.ones(4)
knows_no_weight = lambda x: weight * x  # noqa: F821
takes_nothing = lambda: 1


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (3.5, "Expected a function, got the number 3.5: hand over its name, without `(...)`"),
        (meets_another_length, "does one of them want a `.T`"),
        (knows_no_weight, "has the cell that defines it been run?"),
        (takes_nothing, "Keep the first line as it stood in the cell: `def <lambda>(x):`"),
    ],
)
def test_a_common_error_is_told_with_a_way_on(answer, says):
    assert says in double(answer).steps[0].hint


def test_an_interrupt_goes_through():
    def stopped(x):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        double(stopped)


def test_an_error_is_told_with_its_type_message_and_line():
    def broken(x):
        width = x.shape[1]
        return width

    hint = double(broken).steps[0].hint
    assert "IndexError: tuple index out of range" in hint
    assert "in broken, line" in hint
    assert "`width = x.shape[1]`" in hint
    assert "The inputs were x (3,)." in hint


def test_the_line_is_the_students_also_where_a_library_stopped():
    def broken(x):
        return np.linalg.inv(x)

    hint = double(broken).steps[0].hint
    assert "LinAlgError" in hint
    assert "`return np.linalg.inv(x)`" in hint


def test_warnings_and_stderr_cost_nothing_and_do_not_leak(capsys):
    def noisy(x):
        warnings.warn("careful", stacklevel=1)
        np.log(np.zeros(1))
        print("a note", file=sys.stderr)
        return 2 * x

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with np.errstate(all="raise"):
            assert double(noisy) == 2.0
    captured = capsys.readouterr()
    assert captured.err == ""
    assert captured.out == "a note\n"


def test_what_a_value_says_when_it_is_read_does_not_leak(capsys):
    class Loud:
        def __array__(self, dtype=None, copy=None):
            warnings.warn("careful", stacklevel=1)
            print("a note", file=sys.stderr)
            return np.zeros(())

    assert assignment.cross_entropy(lambda z, y: (Loud(), Loud())) == 0.0
    assert capsys.readouterr().err == ""


def test_a_warning_is_told_beside_an_error():
    def noisy(x):
        np.log(np.zeros(1))
        raise ValueError("stop")

    assert "Python also warned: divide by zero" in double(noisy).steps[0].hint


def test_hints_tell_as_much_as_is_asked_for():
    @check(points=1.0)
    def third(steps, third, *, seed=0):
        answer = call(third, x=3.0, returns=("y",))
        with steps("a third", 1.0):
            compare("y", answer["y"], 1.0, usual=[(9.0, "divide, do not multiply.")])

    def hints(answer):
        results = [third(answer, explain=level) for level in (0, 1, 2)]
        assert all(result == 0 for result in results)
        return [result.steps[0].hint for result in results]

    assert third(lambda x: x / 3, explain=0) == 1
    assert hints(lambda x: 3 * x) == ["", "`y` is 9, expected 1.", "`y`: divide, do not multiply."]
    nothing, fact, both = hints(lambda x: y)  # noqa: F821
    assert nothing == ""
    assert "NameError" in fact
    assert both == f"{fact}\nIs it spelled right, and has the cell that defines it been run?"
    with pytest.raises(ValueError, match=r"explain is 3; levels are 0 \(right or not yet\), 1"):
        third(lambda x: x, explain=3)


def test_a_fault_in_a_check_is_told_at_every_level():
    @check(points=1.0)
    def broken(steps, broken, *, seed=0):
        with steps("anything", 1.0):
            raise KeyError("k")

    assert "a fault in the check" in broken(lambda: 0, explain=0).steps[0].hint


@pytest.mark.parametrize("name", ["neuron_backward", "cross_entropy", "two_layer_backward"])
def test_no_global_state_is_changed(name):
    np.random.seed(5)
    before = np.random.get_state()[1].copy(), np.geterr(), list(warnings.filters), sys.stderr
    getattr(assignment, name)(lambda *inputs: None)
    after = np.random.get_state()[1], np.geterr(), list(warnings.filters), sys.stderr
    assert np.array_equal(before[0], after[0])
    assert before[1:] == after[1:]


def test_the_student_gets_copies():
    def destroys(x):
        y = 2 * x
        x[:] = 0
        return y

    result = double(destroys)
    assert result == 1.7
    assert "changed its input `x`" in result.steps[2].hint


def test_a_fault_in_a_check_is_no_fault_of_the_student():
    @check(points=1.0)
    def faulty(steps, answer, *, seed=0):
        with steps("one", 0.4):
            raise KeyError("oops")
        raise RuntimeError("and again")

    result = faulty(None)
    assert result == 0.0
    assert [step.points for step in result.steps] == [0.4, 0.6]
    assert all("fault in the check" in step.hint for step in result.steps)


def test_shares_that_do_not_add_up_are_the_authors_error():
    @check(points=1.0)
    def uneven(steps, answer, *, seed=0):
        with steps("one", 0.4):
            pass

    with pytest.raises(ValueError, match=r"0\.4 points, @check says 1"):
        uneven(None)


def test_a_wrong_call_of_a_check_raises():
    with pytest.raises(TypeError, match="missing a required argument"):
        double()


def test_the_signature_shows_what_to_hand_over():
    import inspect

    assert str(inspect.signature(double)) == "(double, *, seed=0, explain=2)"


# --- how a result looks ---------------------------------------------------------------------------


class Tags(html.parser.HTMLParser):
    """Collects the tags and the text of a fragment, and whether each tag is closed."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.open, self.attributes, self.text = set(), [], set(), ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        self.open.append(tag)
        self.attributes |= {name for name, _ in attributes}

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def test_the_html_of_a_students_text_is_inert():
    attack = "</div>\x1b[31m<script>alert(1)</script><img onerror=f()> `<b onclick=x>` &lt; '\""

    def evil(x):
        raise ValueError(attack)

    evil.__name__ = evil.__qualname__ = "<script>name</script>"
    page = double(evil)._repr_mimebundle_()["text/html"]
    seen = Tags(page)
    assert seen.tags <= {"div", "ul", "li", "span", "strong", "code"}
    assert seen.attributes <= {"style", "aria-hidden"}
    assert not seen.open
    assert "<script>alert(1)</script>" in seen.text
    assert "\x1b" not in page


def test_the_bundle_has_the_number_and_the_report():
    bundle = double(lambda x: 3 * x)._repr_mimebundle_()
    assert bundle["text/plain"] == "0.5"
    seen = Tags(bundle["text/html"])
    assert "double: 0.5 of 2 points" in seen.text
    for words in ("passed", "not yet", "waits", "It is not twice its input."):
        assert words in seen.text
    assert "http" not in bundle["text/html"]


def test_the_text_is_the_whole_report_in_plain_characters():
    text = str(double(lambda x: 3 * x))
    assert text == repr(double(lambda x: 3 * x))  # what a plain interpreter shows
    assert text.isascii()
    assert "It is not twice its input." in text
    assert max(map(len, text.splitlines())) <= 90


def test_a_hint_is_not_repeated():
    result = assignment.linear_backward(lambda *inputs: 1 / 0)
    assert str(result).count("ZeroDivisionError") == 1
    assert str(result).count("For the same reason.") == 2


@pytest.mark.parametrize(
    ("f", "gradient"),
    [
        (lambda x: np.sum(x**2), lambda x: 2 * x),
        (lambda x: np.prod(x), lambda x: np.prod(x) / x),
        (lambda x: np.sin(x).sum(), np.cos),
    ],
)
@pytest.mark.parametrize("shape", [(), (4,), (2, 3)])
def test_numeric_gradient(f, gradient, shape):
    x = np.random.default_rng(0).normal(size=shape)
    np.testing.assert_allclose(numeric_gradient(f, x), gradient(x), rtol=1e-7, atol=1e-9)


# --- tensors --------------------------------------------------------------------------------------


def test_tensors_come_back_as_arrays_wherever_they_are():
    torch = pytest.importorskip("torch")
    trained = torch.ones(2, dtype=torch.bfloat16, requires_grad=True)
    whole = torch.tensor([1, 2], dtype=torch.int16)
    endless = [whole]
    endless.append(endless)
    returned = (trained, {"a": [torch.eye(2).to_sparse()]}, whole, endless)
    answer = call(lambda: returned, returns=("a", "b", "c", "d"))
    assert answer["a"].dtype == np.float32
    assert answer["b"]["a"][0].tolist() == [[1, 0], [0, 1]]
    assert answer["c"].dtype == np.int16
    assert answer["d"][1][0].tolist() == [1, 2]
    assert call(lambda: torch.arange(2), returns=("a", "b"))["b"] == 1


def test_a_tensor_that_was_changed_is_noticed_and_one_that_was_not_is_not():
    torch = pytest.importorskip("torch")
    x = torch.arange(6.0).reshape(2, 3)
    untouched(call(lambda x: x + 1, x=x, returns=("y",)))
    for change in (lambda x: x.add_(1), lambda x: x.resize_(3)):
        with pytest.raises(Hint, match=r"a method that ends in `_`.*`x\.clone\(\)`"):
            untouched(call(change, x=x, returns=("y",)))
    failed = call(lambda x: x @ x, x=x, returns=("y",))
    with pytest.raises(Hint, match=r"inputs were x \(2, 3\)\.\nPrint the shapes"):
        failed["y"]

"""The checks judge a jailed function as they judge one in the notebook: same points, same hints."""

import inspect
import textwrap
import time
import warnings

import numpy as np
import pytest
import test_backpropagation_answers as corpus

from dlcourse.checks import backpropagation as check
from dlcourse.checks import call, untouched
from dlcourse.checks.framework import Hint
from dlcourse.grading import jail, proxies

LEVELS = [level for level in jail.BEST if not jail.obstacle(level)]
pytestmark = pytest.mark.skipif(not LEVELS, reason=f"no jail here: {jail.obstacle(1)}")


@pytest.fixture(scope="module")
def warden():
    with jail.Warden(LEVELS[0], modules=["numpy", "torch"]) as warden:
        yield warden


@pytest.fixture
def link(warden):
    link = proxies.Link(warden, time.monotonic() + 60, 20)
    yield link
    link.session.end()


def run(link, source):
    link.ask("run", "cell", textwrap.dedent(source), False)
    return lambda name: link.ask("get", name)


@pytest.fixture(scope="module")
def answers():
    """The whole corpus of right and wrong answers, defined in one jailed process."""
    with jail.Warden(LEVELS[0]) as warden:
        link = proxies.Link(warden, time.monotonic() + 200, 60)
        link.ask("run", "corpus", inspect.getsource(corpus), False)
        yield link


CASES = [(case.values[0], case.id) for case in (*corpus.WRONG, *corpus.HONEST)]


@pytest.mark.parametrize(("name", "case"), CASES, ids=[case for _, case in CASES])
def test_a_jailed_answer_is_told_what_a_free_one_is(answers, name, case):
    free = getattr(check, name)(getattr(corpus, case), seed=3)
    jailed = getattr(check, name)(answers.ask("get", case), seed=3)
    assert jailed.steps == free.steps


# --- values, arguments and objects ----------------------------------------------------------------


def test_what_was_done_to_an_argument_is_done_to_ours(link):
    get = run(
        link,
        """
        def spoil(a, b, c, d, e):
            a += 1
            b["k"] = 2.0
            c.append(3)
            c[0][...] = 7
            e = e * 0
        def reshape(a):
            a.shape = (3, 2)
        """,
    )
    a, b, c, d, e = np.ones(3), {"k": 1.0}, [np.zeros(2)], (1, 2), np.ones(2)
    get("spoil")(a, b, c, d, e)
    assert a.tolist() == [2, 2, 2]
    assert b == {"k": 2.0}
    assert c[0].tolist() == [7, 7]
    assert c[1:] == [3]
    assert (d, e.tolist()) == ((1, 2), [1, 1])
    answer = call(get("reshape"), a=np.arange(6.0).reshape(2, 3), returns=("x",))
    with pytest.raises(Hint, match="changed its input `a`"):
        untouched(answer)


def test_what_an_answer_imports_is_there_and_it_has_a_folder(link):
    get = run(
        link,
        """
        import tempfile
        def f():
            import scipy.special
            from dlcourse.autograd import Tensor
            with tempfile.NamedTemporaryFile("w+") as file:
                file.write("x")
            return float(scipy.special.expit(0.0)), Tensor(2.0).item()
        """,
    )
    if LEVELS[0] != 1:
        pytest.skip("only level 1 gives a folder to write to")
    assert get("f")() == (0.5, 2.0)


def test_tensors_reach_a_torch_function_and_come_back_as_arrays(link):
    torch = pytest.importorskip("torch")
    get = run(
        link,
        """
        import torch
        def double(x):
            assert isinstance(x, torch.Tensor) and x.dtype == torch.float32, type(x)
            return torch.nn.functional.relu(x) * 2
        def zero(x):
            with torch.no_grad():
                x.zero_()
        """,
    )
    x = torch.tensor([[-1.0, 2.0]])
    np.testing.assert_array_equal(get("double")(x), [[0, 4]])
    get("zero")(x)
    assert x.tolist() == [[0, 0]]


def test_objects_stay_there_and_can_be_used(link):
    get = run(
        link,
        """
        class Counter:
            step = 2
            def __init__(self, start=0):
                self.n = start
            def __call__(self, by):
                self.n += by
                return self.n
            def endless(self):
                while True:
                    yield self.n
        def of(counter):
            return counter.n
        """,
    )
    counter = get("Counter")(start=5)
    assert type(counter).__name__ == "Counter"
    assert isinstance(counter, proxies.Remote)
    assert counter(2) == 7
    assert counter.step == 2
    assert get("of")(counter) == 7, "it is the same object there"
    assert counter.endless().items(3) == [7, 7, 7]
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        counter.nothing
    for name in ("__array__", "_link2", "__len__"):
        assert not hasattr(counter, name)


@pytest.mark.parametrize(
    ("line", "kind", "name", "message"),
    [
        ("1 / 0", ZeroDivisionError, "ZeroDivisionError", "division by zero"),
        ("{}['a']", KeyError, "KeyError", "'a'"),
        ("np.linalg.inv(np.zeros((2, 2)))", ValueError, "LinAlgError", "Singular matrix"),
        ("open('/nothing')", OSError, "FileNotFoundError", "No such file"),
        ("b'\\xff'.decode()", UnicodeError, "UnicodeDecodeError", "can't decode"),
        ("import nothing_at_all", ImportError, "ModuleNotFoundError", "nothing_at_all"),
        ("next(iter([]))", Exception, "StopIteration", ""),
        ("raise SystemExit(3)", Exception, "SystemExit", "3"),
        ("raise KeyboardInterrupt", Exception, "KeyboardInterrupt", ""),
        ("raise type('lambda', (ValueError,), {})('x')", ValueError, "Error", "x"),
        ("raise ExceptionGroup('two', [ValueError(1)])", Exception, "ExceptionGroup", "two"),
    ],
)
def test_an_error_comes_with_its_name_kind_and_line(link, line, kind, name, message):
    get = run(link, f"import numpy as np\ndef f(x):\n    {line}\n")
    with pytest.raises(kind) as raised:
        get("f")(1)
    assert type(raised.value).__name__ == name
    assert message in str(raised.value)
    assert isinstance(raised.value, Exception)
    assert raised.value.student_frame == ("f", 3, line)


def test_warnings_come_along(link):
    get = run(link, "import warnings\ndef f():\n    warnings.warn('careful\\x1b[31m')\n")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        get("f")()
    assert [str(warning.message) for warning in caught] == ["careful [31m"]


def test_after_the_end_every_call_says_how_it_ended(link):
    get = run(link, "import os\ndef f(): os._exit(3)\ndef g(): return 1\n")
    f, g = get("f"), get("g")
    assert g() == 1
    for function in (f, g):
        with pytest.raises(proxies.ProcessDied, match="ended itself, with status 3"):
            function()


def test_a_call_that_takes_too_long_is_cut_off(warden):
    link = proxies.Link(warden, time.monotonic() + 60, 0.3)
    forever = run(link, "def forever():\n    while True: pass\n")("forever")
    start = time.monotonic()
    with pytest.raises(proxies.TimeLimit, match=r"no answer within 0\.3 seconds"):
        forever()
    assert time.monotonic() - start < 0.3 + 2


@pytest.mark.parametrize(
    "told",
    [
        {},
        {"type": 3, "bases": 7, "message": None, "frame": "x"},
        {"type": "x" * 10_000, "bases": ["SystemExit", 3, None], "message": "y" * 10**6},
        {"type": "a b", "bases": ["__import__", "print", "BaseException"], "frame": [1, 2]},
        {"type": "class", "bases": ["UnicodeDecodeError"], "frame": [None, -5, ["x"]]},
    ],
)
def test_any_description_of_an_error_gives_an_exception(told):
    error = proxies.remote_error(told)
    assert isinstance(error, Exception)
    assert type(error).__name__.isidentifier()
    assert len(str(error)) < 1100

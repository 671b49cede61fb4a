"""The tensor's history and the walk backward through it."""

import contextlib
import gc
import weakref

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dlcourse.autograd import Tensor, check_gradient, no_grad, ops


def leaf(data):
    return Tensor(np.asarray(data, dtype=np.float64), requires_grad=True)


def test_precision():
    assert Tensor([1, 2]).dtype == np.float32
    assert Tensor(1.5).dtype == np.float32
    assert Tensor(np.ones(2)).dtype == np.float64
    assert Tensor(np.ones(2, dtype=np.int64)).dtype == np.float32
    assert (Tensor(np.ones(2)) * 0.1).numpy()[0] == 0.1  # not rounded to single precision
    assert (Tensor([1.0]) * np.float32(2)).dtype == np.float32


def test_numbers_beside_a_tensor_take_its_precision():
    single = Tensor([2.0], requires_grad=True)
    for other in (np.float64(0.1), 0.1, 3, np.int64(3), True):
        for result in (single * other, other + single, single / other, other - single):
            assert result.dtype == np.float32
        result.backward()
        assert single.grad.dtype == np.float32
    assert (single**0.5).dtype == (2**single).dtype == np.float32


def test_an_operation_that_computes_in_double_gives_single():
    @ops.op
    def doubled(x, /):
        return x * np.float64(2), lambda g: g * np.float64(2)

    x = Tensor([1.0, 2.0], requires_grad=True)
    assert doubled(x).dtype == np.float32
    doubled(x).sum().backward()
    assert x.grad.dtype == np.float32


def test_reading_a_tensor():
    x = Tensor([[1.0, 2.0], [3.0, 4.0]])
    assert float(x[1, 0]) == x[1, 0].item() == 3.0
    assert len(x) == 2
    assert [row.numpy().tolist() for row in x] == [[1.0, 2.0], [3.0, 4.0]]
    np.testing.assert_array_equal(np.asarray(x), x.data)
    assert np.asarray(x) is x.data
    assert np.array(x) is not x.data
    assert repr(leaf([1.0])) == "Tensor([1.], requires_grad=True)"


def test_gradients_of_all_uses_add_up():
    x, y = leaf(3.0), leaf(-2.0)
    (x * y + x).backward()
    assert x.grad == -1.0
    assert y.grad == 3.0


def test_gradients_accumulate_over_calls():
    x = leaf([1.0, 2.0])
    for _ in range(2):
        (x * x).sum().backward()
    np.testing.assert_array_equal(x.grad, [4.0, 8.0])


def test_leaves_do_not_share_one_gradient_array():
    a, b = leaf([1.0]), leaf([2.0])
    (a + b).sum().backward()
    a.grad += 1
    assert b.grad == 1.0


SHARED = {
    "a sum": lambda a, b: a + b,
    "a difference": lambda a, b: b - a,
    "reshaped": lambda a, b: a.reshape(2, 1) + b.reshape(2, 1),
    "joined": lambda a, b: ops.stack([a, b]),
    "chosen": lambda a, b: ops.where(np.array([True, True]), a, b),
    "taken apart": lambda a, b: a.chunk(2)[0] + b.chunk(2)[1],
    "itself": lambda a, b: a + a + b,
}


@pytest.mark.parametrize("name", SHARED)
def test_changing_one_gradient_in_place_changes_no_other(name):
    a, b = leaf([1.0, 3.0]), leaf([2.0, 4.0])
    upstream = np.ones(SHARED[name](a, b).shape)
    SHARED[name](a, b).backward(upstream)
    before = b.grad.copy()
    a.grad += 100
    np.testing.assert_array_equal(b.grad, before)
    assert (upstream == 1).all()


def test_a_leaf_does_not_keep_the_gradient_it_was_given():
    x, upstream = leaf([1.0]), np.ones(1)
    x.backward(upstream)
    x.grad += 1
    assert upstream[0] == 1


def test_history_20000_operations_deep():
    x = leaf(1.0)
    y = x
    for _ in range(20_000):
        y = y + 1.0
    y.backward()
    assert x.grad == 1.0
    del y  # taking a long chain apart must not overflow the stack either


def test_paths_are_walked_once():
    x = leaf(1.0)
    y = x
    for _ in range(60):
        y = y * y
    y.backward()  # 2**60 paths
    assert x.grad == 2.0**60


def test_second_backward_is_an_error_and_changes_nothing():
    x = leaf(2.0)
    y = x * x
    total, other = y * 1.0, y * 3.0
    total.backward()
    with pytest.raises(ValueError, match="freed"):
        other.backward()
    with pytest.raises(ValueError, match="freed"):
        total.backward()
    assert x.grad == 4.0


def test_backward_frees_what_it_used():
    x = leaf(np.ones(3))
    middle = x * 2.0
    total = (middle * middle).sum()
    watch = weakref.ref(middle)
    del middle
    total.backward()
    gc.collect()
    assert watch() is None


def test_history_has_no_cycles():
    gc.disable()
    try:
        y = leaf(1.0) * 2.0
        watch = weakref.ref(y)
        del y
        assert watch() is None  # freed by counting references, without the collector
    finally:
        gc.enable()


@pytest.mark.parametrize(
    ("run", "words"),
    [
        (lambda: Tensor([1.0, 2.0]).sum().backward(), "requires_grad=True"),
        (lambda: (leaf([1.0, 2.0]) * 2).backward(), r"shape \(2,\).*sum\(\) or .mean"),
        (lambda: (leaf([1.0, 2.0]) * 2).backward(np.ones(3)), r"\(3,\).*\(2,\)"),
    ],
)
def test_backward_says_what_is_wrong(run, words):
    with pytest.raises(ValueError, match=words):
        run()


def test_no_grad_records_nothing_and_ends():
    x = leaf(1.0)
    with no_grad():
        assert not (x * x).requires_grad
    with contextlib.suppress(RuntimeError), no_grad():
        raise RuntimeError  # an error inside must not leave recording switched off
    assert (x * x).requires_grad


def test_detach():
    x = leaf(2.0)
    (x * x.detach()).backward()
    assert x.grad == 2.0


def test_check_gradient_notices_mistakes():
    @ops.op
    def wrong_square(x, /):
        return x**2, lambda g: g * x  # the 2 is forgotten

    x = np.random.default_rng(0).standard_normal((3, 4))
    assert check_gradient(wrong_square, x) > 0.1
    assert check_gradient(lambda x: x**2, x) < 1e-8


UNARY = [
    lambda x: x.tanh(),
    lambda x: x.sigmoid(),
    lambda x: x.relu(),
    lambda x: -x,
    lambda x: 1.5 - x * 0.5,
    lambda x: (x * x + 1).sqrt(),
    lambda x: (x * x + 1).log(),
    lambda x: x.tanh().exp(),
    lambda x: x.abs(),
    lambda x: x.clip(-1, 1),
    lambda x: x.softmax(1),
    lambda x: x.log_softmax(0),
    lambda x: x.logsumexp(1, keepdim=True),
    lambda x: x.sum(0, keepdim=True),
    lambda x: x.mean(1, keepdim=True),
    lambda x: x.var(0, keepdim=True, correction=0),
    lambda x: x.max(1, keepdim=True).values,
    lambda x: x.min(0, keepdim=True).values,
    lambda x: x.T.reshape(x.shape),
    lambda x: x.unsqueeze(0).transpose(0, 1).squeeze(1),
    lambda x: x[[0] * x.shape[0]],
    lambda x: x[:, :1],
    lambda x: x.permute(1, 0).flatten().reshape(x.shape),
]
BINARY = [
    lambda a, b: a + b,
    lambda a, b: a - b,
    lambda a, b: a * b.tanh(),
    lambda a, b: a / (b * b + 1),
    lambda a, b: a.maximum(b),
    lambda a, b: (a * b).sigmoid() * a,
    lambda a, b: (a @ a.mT).tanh() @ a + b,
]


@settings(deadline=None, max_examples=150)
@given(
    st.lists(
        st.tuples(
            st.integers(0, len(UNARY) + 2 * len(BINARY) - 1), st.integers(0, 99), st.integers(0, 99)
        ),
        min_size=5, max_size=30,
    ),
    st.integers(0, 1000),
)  # fmt: skip
def test_random_graphs_equal_torch(plan, seed):
    """Graphs of 5 to 30 operations over shared values that start with (3, 4), (1, 4), (3, 1)."""
    rng = np.random.default_rng(seed)
    arrays = [rng.standard_normal(shape) for shape in ((3, 4), (1, 4), (3, 1))]
    leaves = [Tensor(array, requires_grad=True) for array in arrays]
    references = [torch.tensor(array, requires_grad=True) for array in arrays]
    ours, theirs = list(leaves), list(references)
    for kind, i, j in plan:
        i, j = i % len(ours), j % len(ours)
        if kind < len(UNARY):
            f, inputs = UNARY[kind], [i]
        else:
            f, inputs = BINARY[(kind - len(UNARY)) % len(BINARY)], [i, j]
        ours.append(f(*(ours[k] for k in inputs)))
        theirs.append(f(*(theirs[k] for k in inputs)))
        np.testing.assert_allclose(ours[-1], theirs[-1].detach().numpy(), rtol=1e-8, atol=1e-9)
    total, expected = 0, 0
    for a, b in zip(ours[3:], theirs[3:], strict=True):  # every result counts, differently
        weights = rng.standard_normal(a.shape)
        total, expected = total + (a * weights).sum(), expected + (b * torch.tensor(weights)).sum()
    total.backward()
    expected.backward()
    for tensor, reference in zip(leaves, references, strict=True):
        if reference.grad is None:
            assert tensor.grad is None
        else:
            scale = max(1.0, float(reference.grad.abs().max()))
            np.testing.assert_allclose(
                tensor.grad, reference.grad.numpy(), rtol=1e-8, atol=1e-9 * scale
            )

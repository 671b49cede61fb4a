"""Every operation against PyTorch: value, gradient, precision, strides and edges."""

import inspect

import numpy as np
import pytest
import torch
from engine_tables import CASES, LOSSES, all_cases, compare, draw

from dlcourse.autograd import Tensor, check_gradient, conv, losses, ops

NAMES = dict(all_cases())
HELPERS = {"op", "as_tensors", "explain", "whole_numbers", "check_probability", "pair"}


def public_functions(*modules):
    return {
        name
        for module in modules
        for name, value in vars(module).items()
        if inspect.isfunction(value)
        and value.__module__ == module.__name__
        and not name.startswith("_")
    }


def test_tables_hold_every_public_operation_and_loss():
    assert public_functions(ops, conv) - HELPERS == set(CASES)
    assert public_functions(losses) == set(LOSSES)


@pytest.mark.parametrize("name", NAMES)
def test_value_and_gradient_equal_torch(name):
    for seed in (0, 1):
        compare(NAMES[name], seed=seed)


@pytest.mark.parametrize("name", NAMES)
def test_single_precision_stays_single_and_close(name):
    compare(NAMES[name], dtype=np.float32)


@pytest.mark.parametrize("name", NAMES)
def test_strided_inputs(name):
    """Views whose entries lie apart or in another order in memory give the same."""
    compare(NAMES[name], arrange=lambda a: np.stack([a, a + 9], axis=-1)[..., 0])
    compare(NAMES[name], arrange=lambda a: np.asfortranarray(a))


@pytest.mark.parametrize("name", [n for n, one in NAMES.items() if one.smooth])
def test_gradient_agrees_with_finite_differences(name):
    assert check_gradient(NAMES[name].ours, *draw(NAMES[name], 7)) < 1e-6


EMPTY = {
    "add": (lambda a, b: a + b, [(0, 3), (3,)]),
    "multiply column": (lambda a, b: a * b, [(2, 0), (2, 1)]),
    "matmul": (lambda a, b: a @ b, [(0, 3), (3, 2)]),
    "matmul of no features": (lambda a, b: a @ b, [(2, 0), (0, 3)]),
    "relu": (lambda x: x.relu(), [(0, 3)]),
    "sum": (lambda x: x.sum(), [(0, 3)]),
    "sum over none": (lambda x: x.sum(0), [(0, 3)]),
    "mean over the others": (lambda x: x.mean(1), [(0, 3)]),
    "max over the others": (lambda x: x.max(1).values, [(0, 3)]),
    "softmax": (lambda x: x.softmax(1), [(0, 3)]),
    "log_softmax": (lambda x: x.log_softmax(-1), [(0, 3)]),
    "flatten": (lambda x: x.flatten(1), [(0, 3, 2)]),
    "reshape": (lambda x: x.reshape(0, 6), [(0, 3, 2)]),
    "slice": (lambda x: x[1:1], [(3, 2)]),
    "unsqueeze": (lambda x: x.unsqueeze(1), [(0, 3)]),
    "transpose": (lambda x: x.mT, [(0, 3)]),
    "chunk": (lambda x: x.chunk(3, 1)[1], [(0, 3)]),
}


@pytest.mark.parametrize("name", EMPTY)
def test_tensors_without_entries(name):
    function, shapes = EMPTY[name]
    tensors = [Tensor(np.zeros(shape), requires_grad=True) for shape in shapes]
    references = [torch.zeros(shape, dtype=torch.float64, requires_grad=True) for shape in shapes]
    result, expected = function(*tensors), function(*references)
    assert result.shape == tuple(expected.shape)
    result.sum().backward()
    expected.sum().backward()
    for tensor, reference in zip(tensors, references, strict=True):
        np.testing.assert_array_equal(tensor.grad, reference.grad.numpy())


@pytest.mark.parametrize("cache", [1, 2000, 5000], ids=["one by one", "in twos", "in fives"])
def test_pictures_that_do_not_fit_into_the_cache_together(cache, monkeypatch):
    """Seven pictures, whose columns take 864 bytes each."""
    rng = np.random.default_rng(0)
    x, weight = rng.standard_normal((7, 2, 5, 4)), rng.standard_normal((3, 2, 3, 3))
    leaves = [Tensor(array, requires_grad=True) for array in (x, weight)]
    theirs = [torch.tensor(array, requires_grad=True) for array in (x, weight)]
    g = rng.standard_normal((7, 3, 3, 2))
    monkeypatch.setattr(conv, "CACHE_BYTES", cache)
    conv.conv2d(*leaves).backward(g)
    torch.nn.functional.conv2d(*theirs).backward(torch.tensor(g))
    for mine, other in zip(leaves, theirs, strict=True):
        np.testing.assert_allclose(mine.grad, other.grad, rtol=1e-10, atol=1e-12)


def test_convolution_and_pooling_of_no_pictures():
    x = Tensor(np.zeros((0, 2, 5, 5)), requires_grad=True)
    weight = Tensor(np.ones((3, 2, 3, 3)), requires_grad=True)
    assert conv.conv2d(x, weight).shape == (0, 3, 3, 3)
    transposed = Tensor(np.ones((2, 3, 3, 3)), requires_grad=True)
    assert conv.conv_transpose2d(x, transposed).shape == (0, 3, 7, 7)
    assert conv.max_pool2d(x, 2).shape == conv.avg_pool2d(x, 2).shape == (0, 2, 2, 2)
    (conv.conv2d(x, weight).sum() + conv.conv_transpose2d(x, transposed).sum()).backward()
    assert not weight.grad.any()
    assert x.grad.shape == x.shape


def test_extremes_are_pairs_with_the_first_position():
    x = Tensor([[1.0, 3.0, 3.0], [2.0, 0.0, 0.0]])
    values, indices = x.max(1)
    assert values.numpy().tolist() == [3.0, 2.0]
    assert indices.tolist() == [1, 0]
    assert x.min(1, keepdim=True).indices.tolist() == [[0], [1]]
    assert isinstance(x.max(), Tensor)


def test_saturated_functions_do_not_overflow():
    x = Tensor(np.array([-1e4, 0.0, 1e4]), requires_grad=True)
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        for function in (ops.sigmoid, ops.tanh, ops.softplus, ops.silu, ops.gelu):
            function(x).sum().backward()
        ops.logsumexp(x, 0).backward()
    assert np.isfinite(x.grad).all()


def test_dropout_keeps_the_mean_and_follows_its_seed():
    x = Tensor(np.ones(100_000, np.float32))
    y = ops.dropout(x, 0.3, rng=0).numpy()
    assert set(np.unique(y)) == {np.float32(0), np.float32(1) / np.float32(0.7)}
    assert abs(y.mean() - 1) < 0.01
    np.testing.assert_array_equal(y, ops.dropout(x, 0.3, rng=0).numpy())
    assert (y != ops.dropout(x, 0.3, rng=1).numpy()).any()


def test_parts_may_stay_unused():
    x = Tensor(np.ones((3, 2)), requires_grad=True)
    (x.unbind()[1] * 2).sum().backward()
    np.testing.assert_array_equal(x.grad, [[0, 0], [2, 2], [0, 0]])


def test_a_part_used_twice_gets_both_gradients():
    x = Tensor(np.ones((2, 2)), requires_grad=True)
    first, _ = x.unbind()
    (first * 2 + first.exp()).sum().backward()
    np.testing.assert_allclose(x.grad, [[2 + np.e] * 2, [0, 0]])

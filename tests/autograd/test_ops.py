"""Every operation against PyTorch: value and gradient, in double precision."""

import numpy as np
import pytest
import torch

from dlcourse.autograd import Tensor, check_gradient, ops

# name: (our function, PyTorch's, shapes of the inputs)
CASES = {
    "add": (ops.add, torch.add, [(3, 4), (3, 4)]),
    "add row": (ops.add, torch.add, [(3, 4), (4,)]),
    "add column": (ops.add, torch.add, [(3, 1), (3, 4)]),
    "add scalar": (lambda x: 2.5 + x, lambda x: 2.5 + x, [(3, 4)]),
    "subtract": (ops.subtract, torch.sub, [(2, 3, 4), (3, 1)]),
    "subtract from number": (lambda x: 1 - x, lambda x: 1 - x, [(3, 4)]),
    "multiply": (ops.multiply, torch.mul, [(3, 4), (1, 4)]),
    "multiply by itself": (lambda x: x * x, lambda x: x * x, [(3, 4)]),
    "divide": (ops.divide, torch.div, [(3, 4), (3, 1)]),
    "divide number": (lambda x: 2 / (x * x + 1), lambda x: 2 / (x * x + 1), [(3, 4)]),
    "negative": (ops.negative, torch.neg, [(3, 4)]),
    "power": (lambda x: x**3, lambda x: x**3, [(3, 4)]),
    "matmul": (ops.matmul, torch.matmul, [(3, 4), (4, 5)]),
    "matmul batched": (ops.matmul, torch.matmul, [(2, 3, 4), (4, 5)]),
    "linear": (ops.linear, torch.nn.functional.linear, [(3, 4), (5, 4), (5,)]),
    "exp": (ops.exp, torch.exp, [(3, 4)]),
    "log": (lambda x: (x * x + 0.1).log(), lambda x: (x * x + 0.1).log(), [(3, 4)]),
    "tanh": (ops.tanh, torch.tanh, [(3, 4)]),
    "sigmoid": (ops.sigmoid, torch.sigmoid, [(3, 4)]),
    "relu": (ops.relu, torch.relu, [(3, 4)]),
    "sum": (ops.sum, torch.sum, [(3, 4)]),
    "sum over rows": (lambda x: x.sum(0), lambda x: x.sum(0), [(3, 4)]),
    "sum, last, kept": (
        lambda x: x.sum(-1, keepdim=True), lambda x: x.sum(-1, keepdim=True), [(2, 3, 4)],
    ),
    "sum over two": (lambda x: x.sum((0, 2)), lambda x: x.sum((0, 2)), [(2, 3, 4)]),
    "mean": (ops.mean, torch.mean, [(3, 4)]),
    "mean over columns": (lambda x: x.mean(1), lambda x: x.mean(1), [(3, 4)]),
    "reshape": (lambda x: x.reshape(2, -1), lambda x: x.reshape(2, -1), [(3, 4)]),
    "transpose": (lambda x: x.T, lambda x: x.T, [(3, 4)]),
    "flatten": (lambda x: x.flatten(), lambda x: x.flatten(1), [(2, 3, 4)]),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("seed", [0, 1])
def test_value_and_gradient_equal_torch(name, seed):
    ours, theirs, shapes = CASES[name]
    rng = np.random.default_rng(seed)
    arrays = [rng.standard_normal(shape) for shape in shapes]
    tensors = [Tensor(array, requires_grad=True) for array in arrays]
    references = [torch.tensor(array, requires_grad=True) for array in arrays]

    result, expected = ours(*tensors), theirs(*references)
    assert result.shape == tuple(expected.shape)
    assert result.dtype == np.float64
    np.testing.assert_allclose(result.numpy(), expected.detach().numpy(), rtol=1e-12, atol=1e-14)

    upstream = rng.standard_normal(result.shape)
    result.backward(upstream)
    expected.backward(torch.tensor(upstream))
    for tensor, reference in zip(tensors, references, strict=True):
        np.testing.assert_allclose(tensor.grad, reference.grad.numpy(), rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("name", CASES)
def test_gradient_agrees_with_finite_differences(name):
    function, _, shapes = CASES[name]
    rng = np.random.default_rng(7)
    assert check_gradient(function, *(rng.standard_normal(shape) for shape in shapes)) < 1e-6


@pytest.mark.parametrize("name", CASES)
def test_single_precision_stays_single(name):
    function, _, shapes = CASES[name]
    rng = np.random.default_rng(3)
    tensors = [
        Tensor(rng.standard_normal(shape).astype(np.float32), requires_grad=True)
        for shape in shapes
    ]
    result = function(*tensors)
    result.backward(np.ones(result.shape))
    assert result.dtype == np.float32
    assert all(tensor.grad.dtype == np.float32 for tensor in tensors)


def test_strided_inputs():
    x = np.arange(24.0).reshape(4, 6)[::2, ::3]
    tensor = Tensor(x, requires_grad=True)
    (tensor @ Tensor(np.ones((2, 3)))).sum().backward()
    np.testing.assert_array_equal(tensor.grad, np.full((2, 2), 3.0))


def test_relu_at_zero_has_slope_zero():
    x = Tensor([-1.0, 0.0, 2.0], requires_grad=True)
    x.relu().sum().backward()
    np.testing.assert_array_equal(x.grad, [0, 0, 1])


def test_sigmoid_does_not_overflow():
    with np.errstate(all="raise"):
        values = Tensor([-1000.0, 0.0, 1000.0]).sigmoid().numpy()
    np.testing.assert_allclose(values, [0, 0.5, 1])


@pytest.mark.parametrize(
    ("a", "b", "words"),
    [
        ((64, 784), (256, 784), ["(64, 784) @ (256, 784)", "784 and 256", "transpose the second"]),
        ((2, 3), (4, 5), ["inner sizes 3 and 4 differ"]),
        ((3,), (3, 2), ["two matrices", "reshape"]),
    ],
)
def test_matmul_says_what_is_wrong(a, b, words):
    with pytest.raises(ValueError, match="matmul") as error:
        Tensor(np.ones(a)) @ Tensor(np.ones(b))
    assert all(word in str(error.value) for word in words)

"""The operations a network is made of: each with its derivative beside it.

Every function here computes a value and says, for each tensor that went in, how a gradient with
respect to the value becomes a gradient with respect to that tensor: its vector-Jacobian product.
Broadcasting needs no word here: `Tensor.backward` undoes it, once for all.
"""

import functools
import inspect

import numpy as np

from .tensor import Tensor


def op(function):
    """Make an operation on tensors out of one on arrays.

    The positional-only parameters (those before the ``/``) are the tensors, the rest are options.
    `function` returns the value and one vector-Jacobian product for each tensor.
    """
    parameters = inspect.signature(function).parameters.values()
    count = len([p for p in parameters if p.kind is p.POSITIONAL_ONLY])

    @functools.wraps(function)
    def apply(*inputs, **options):
        parents = as_tensors(inputs[:count])
        arrays = (parent.data for parent in parents)
        value, vjps = function(*arrays, *inputs[count:], **options)
        return Tensor.from_op(value, parents, vjps if isinstance(vjps, tuple) else (vjps,))

    return apply


def as_tensors(inputs):
    """Tensors as they are; plain numbers in the precision of the tensors beside them."""
    dtypes = [x.dtype for x in inputs if isinstance(x, Tensor)]
    dtype = np.result_type(*dtypes) if dtypes else np.float32
    return [
        x if isinstance(x, Tensor)
        else Tensor(np.asarray(x, dtype=dtype) if np.isscalar(x) else x)
        for x in inputs
    ]  # fmt: skip


# Arithmetic -----------------------------------------------------------------------------------


@op
def add(a, b, /):
    return a + b, (lambda g: g, lambda g: g)


@op
def subtract(a, b, /):
    return a - b, (lambda g: g, lambda g: -g)


@op
def multiply(a, b, /):
    return a * b, (lambda g: g * b, lambda g: g * a)


@op
def divide(a, b, /):
    return a / b, (lambda g: g / b, lambda g: -g * a / b**2)


@op
def negative(x, /):
    return -x, lambda g: -g


@op
def power(x, /, exponent):
    """x to a fixed power."""
    return x**exponent, lambda g: g * exponent * x ** (exponent - 1)


@op
def matmul(a, b, /):
    """Matrix product: (N, K) @ (K, M) -> (N, M)."""
    if a.ndim < 2 or b.ndim < 2 or a.shape[-1] != b.shape[-2]:
        raise ValueError(f"matmul: {a.shape} @ {b.shape}: {_matmul_advice(a, b)}")
    return a @ b, (lambda g: g @ b.mT, lambda g: a.mT @ g)  # mT: matrix, transposed


def _matmul_advice(a, b):
    if a.ndim < 2 or b.ndim < 2:
        return "expected two matrices; give a vector a second axis with .reshape(1, -1)"
    advice = f"inner sizes {a.shape[-1]} and {b.shape[-2]} differ"
    return advice + ("; transpose the second?" if a.shape[-1] == b.shape[-1] else "")


@op
def linear(x, weight, bias, /):
    """y = x Wᵀ + b, for x (B, D), weight (K, D) and bias (K,); y is (B, K)."""
    y = x @ weight.T + bias
    return y, (lambda g: g @ weight, lambda g: g.T @ x, lambda g: g.sum(axis=0))


# Functions of each entry ----------------------------------------------------------------------


@op
def exp(x, /):
    y = np.exp(x)
    return y, lambda g: g * y


@op
def log(x, /):
    return np.log(x), lambda g: g / x


@op
def tanh(x, /):
    y = np.tanh(x)
    return y, lambda g: g * (1 - y**2)


@op
def sigmoid(x, /):
    """1 / (1 + exp(-x)), written with tanh because exp overflows at large -x."""
    y = 0.5 * (np.tanh(0.5 * x) + 1)
    return y, lambda g: g * y * (1 - y)


@op
def relu(x, /):
    return np.maximum(x, 0), lambda g: g * (x > 0)


# Sums and shapes ------------------------------------------------------------------------------


@op
def sum(x, /, dim=None, keepdim=False):
    """Sum over the axis or axes `dim`; over all of them by default."""
    kept = x.sum(axis=dim, keepdims=True)
    value = kept if keepdim else x.sum(axis=dim)
    return value, lambda g: np.broadcast_to(g.reshape(kept.shape), x.shape)


def mean(x, dim=None, keepdim=False):
    """Mean over the axis or axes `dim`; over all of them by default."""
    total = sum(x, dim, keepdim)
    return total * (total.data.size / x.data.size)


@op
def reshape(x, /, *shape):
    return x.reshape(*shape), lambda g: g.reshape(x.shape)


@op
def transpose(x, /):
    """Swap the last two axes: rows become columns."""
    return x.mT, lambda g: g.mT


def flatten(x):
    """Keep the first axis, the examples, and merge all others: (B, C, H, W) -> (B, C*H*W)."""
    return x.reshape(len(x), -1)


# What a Tensor answers to ---------------------------------------------------------------------

for _name, _operation in {
    "add": add, "sub": subtract, "mul": multiply, "truediv": divide, "matmul": matmul,
}.items():  # fmt: skip
    setattr(Tensor, f"__{_name}__", _operation)
    setattr(Tensor, f"__r{_name}__", lambda self, other, op=_operation: op(other, self))
Tensor.__neg__ = negative
Tensor.__pow__ = power
for _operation in (exp, log, tanh, sigmoid, relu, sum, mean, reshape, flatten):
    setattr(Tensor, _operation.__name__, _operation)
Tensor.T = property(transpose)

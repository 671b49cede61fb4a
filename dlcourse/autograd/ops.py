"""The operations a network is made of: each with its derivative beside it.

Every function here computes a value and says, for each tensor that went in, how a gradient with
respect to the value becomes a gradient with respect to that tensor: its vector-Jacobian product.
Broadcasting needs no word here: `Tensor.backward` undoes it, once for all. Names, arguments and
ties are PyTorch's.
"""

import builtins
import functools
import inspect
import math
from collections import namedtuple

import numpy as np
from numpy.lib.array_utils import normalize_axis_index, normalize_axis_tuple

from .tensor import Tensor, array_of

Extremes = namedtuple("Extremes", "values indices")


class IndexingError(IndexError, ValueError):
    """An index that a tensor doesn't have."""


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
        arrays = [parent.data for parent in parents]
        try:
            value, vjps = function(*arrays, *inputs[count:], **options)
        except (ValueError, TypeError, IndexError) as error:
            explain(error, function.__name__, arrays)
            raise
        return Tensor.from_op(value, parents, vjps if isinstance(vjps, tuple) else (vjps,))

    return apply


def as_tensors(inputs):
    """Tensors as they are; plain numbers in the precision of the tensors beside them."""
    dtypes = [x.dtype for x in inputs if isinstance(x, Tensor)]
    if len(dtypes) == len(inputs):
        return inputs
    dtype = np.result_type(*dtypes) if dtypes else np.float32
    plain = (bool, int, float, np.number)
    return [
        x if isinstance(x, Tensor) else Tensor(np.asarray(x, dtype) if isinstance(x, plain) else x)
        for x in inputs
    ]


# What NumPy says when shapes are wrong, and what we say.
EXPLANATIONS = {
    "could not be broadcast": "shapes {shapes} don't fit together; counted from the last axis, "
    "two sizes must be equal, or one of them 1",
    "cannot reshape": "{error}; the new sizes must multiply to {size} for shape {shapes}, "
    "and one of them may be -1",
    "zero-size array": "a tensor of shape {shapes} has nothing to reduce; leave empty batches out",
}


def explain(error, name, arrays):
    """Raise NumPy's `error` in the words of this engine: the operation, the shapes, the way out.

    Errors of our own begin with the name of the operation; they pass.
    """
    name = name.strip("_")
    if str(error).startswith(f"{name}: "):
        return
    shapes = " and ".join(str(array.shape) for array in arrays)
    message = f"{error}, for shape {shapes}"
    if isinstance(error, np.exceptions.AxisError):
        message = f"shape {shapes} has no such axis: {error}"
    for words, explanation in EXPLANATIONS.items():
        if words in str(error):
            message = explanation.format(error=error, shapes=shapes, size=arrays[0].size)
    if isinstance(error, TypeError):
        raise TypeError(f"{name}: {message}") from error
    is_index = isinstance(error, IndexError) and not isinstance(error, ValueError)
    raise (IndexingError if is_index else ValueError)(f"{name}: {message}") from error


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
def power(a, b, /):
    """a to the power b; the gradient with respect to b exists where a >= 0 only."""
    b = b if b.ndim else b.item()  # for plain numbers NumPy has shortcuts: squares take no pow
    y = a**b
    return y, (
        lambda g: g * b * a ** (b - (b != 0)),  # a**0 is flat, even at 0
        lambda g: g * y * np.log(np.where(a == 0, 1, a)),
    )


@op
def matmul(a, b, /):
    """Matrix product (N, K) @ (K, M) -> (N, M); axes before the last two are batches.

    A vector counts as one row on the left and as one column on the right.
    """
    if not a.ndim or not b.ndim or a.shape[-1] != b.shape[builtins.max(b.ndim - 2, 0)]:
        raise ValueError(f"matmul: {a.shape} @ {b.shape}: {_matmul_advice(a, b)}")
    rows = a if a.ndim > 1 else a[None]
    columns = b if b.ndim > 1 else b[:, None]

    def matrix(g):
        """g with the axes that two matrices would have given it."""
        g = g if b.ndim > 1 else g[..., None]
        return g if a.ndim > 1 else g[..., None, :]

    def to_b(g):
        gradient = rows.mT @ matrix(g)  # mT: matrix, transposed
        return gradient if b.ndim > 1 else gradient[..., 0]

    return a @ b, (lambda g: matrix(g) @ columns.mT, to_b)


def _matmul_advice(a, b):
    if not a.ndim or not b.ndim:
        return "a single number is no matrix; use * instead"
    advice = f"inner sizes {a.shape[-1]} and {b.shape[builtins.max(b.ndim - 2, 0)]} differ"
    return advice + ("; transpose the second?" if a.shape[-1] == b.shape[-1] else "")


@op
def linear(x, weight, bias, /):
    """y = x Wᵀ + b, for x (B, D), weight (K, D) and bias (K,); y is (B, K).

    Any axes of x before the last are treated as batch.
    """
    y = x @ weight.T + bias
    return y, (
        lambda g: g @ weight,
        lambda g: _rows(g).T @ _rows(x),
        lambda g: _rows(g).sum(axis=0),
    )


def _rows(x):
    """All axes but the last merged into one."""
    return x.reshape(-1, x.shape[-1])


# Functions of each entry ----------------------------------------------------------------------


@op
def exp(x, /):
    y = np.exp(x)
    return y, lambda g: g * y


@op
def log(x, /):
    return np.log(x), lambda g: g / x


@op
def sqrt(x, /):
    y = np.sqrt(x)
    return y, lambda g: g / (2 * y)


@op
def abs(x, /):
    return np.abs(x), lambda g: g * np.sign(x)


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


@op
def leaky_relu(x, /, negative_slope=0.01):
    slope = np.where(x > 0, 1, negative_slope).astype(x.dtype)
    return slope * x, lambda g: g * slope


@op
def elu(x, /, alpha=1.0):
    """x where positive, alpha (exp(x) - 1) elsewhere (Clevert et al., 2016)."""
    below = alpha * np.expm1(np.minimum(x, 0))
    return np.where(x > 0, x, below), lambda g: g * np.where(x > 0, 1, below + alpha)


@op
def gelu(x, /):
    """x times the standard normal's distribution function at x (Hendrycks and Gimpel, 2016)."""
    from scipy.special import ndtr

    cdf = ndtr(x)
    density = lambda: np.exp(-0.5 * x**2) / np.sqrt(2 * np.pi)
    return x * cdf, lambda g: g * (cdf + x * density())


@op
def silu(x, /):
    """x times sigmoid(x), also called swish."""
    s = 0.5 * (np.tanh(0.5 * x) + 1)
    return x * s, lambda g: g * s * (1 + x * (1 - s))


@op
def softplus(x, /):
    """log(1 + exp(x)), a smooth ReLU."""
    return np.logaddexp(0, x), lambda g: g * 0.5 * (np.tanh(0.5 * x) + 1)


@op
def clip(x, /, min=None, max=None):
    """Entries below `min` or above `max` are set to it, and get no gradient."""
    if min is None and max is None:
        raise ValueError("clip: give min, max or both")
    inside = np.ones(x.shape, bool)
    inside &= True if min is None else x >= min
    inside &= True if max is None else x <= max
    return np.clip(x, min, max), lambda g: g * inside


@op
def maximum(a, b, /):
    """The larger of two, entry by entry; ties share the gradient."""
    return np.maximum(a, b), (
        lambda g: g * ((a > b) + 0.5 * (a == b)),
        lambda g: g * ((b > a) + 0.5 * (a == b)),
    )


def where(condition, a, b):
    """`a` where the condition holds, `b` elsewhere."""
    return _where(a, b, array_of(condition).astype(bool))


@op
def _where(a, b, /, condition):
    return np.where(condition, a, b), (
        lambda g: np.where(condition, g, 0),
        lambda g: np.where(condition, 0, g),
    )


@op
def dropout(x, /, p=0.5, training=True, rng=0):
    """In training, set each entry to 0 with probability p and divide the others by 1 - p.

    `rng` is a seed or a `numpy.random.Generator` (Srivastava et al., 2014).
    """
    check_probability("dropout", p)
    if not training or p == 0:
        return x, lambda g: g
    kept = np.random.default_rng(rng).random(x.shape, dtype=np.float32) >= p
    mask = kept.astype(x.dtype) / x.dtype.type(1 - p)
    return x * mask, lambda g: g * mask


def check_probability(name, p):
    if not 0 <= p < 1:
        raise ValueError(f"{name}: p must lie in [0, 1), got {p}")


# Sums and extremes over axes ------------------------------------------------------------------


@op
def sum(x, /, dim=None, keepdim=False):
    """Sum over the axis or axes `dim`; over all of them by default."""
    axes = _axes(x, dim)
    return x.sum(axes, keepdims=keepdim), lambda g: _spread(g, x, axes)


@op
def mean(x, /, dim=None, keepdim=False):
    """Mean over the axis or axes `dim`; over all of them by default."""
    axes = _axes(x, dim)
    count = _count("mean", x, axes, at_least=1)
    return x.mean(axes, keepdims=keepdim), lambda g: _spread(g / count, x, axes)


@op
def var(x, /, dim=None, correction=1, keepdim=False):
    """Variance over `dim`: squared distances from the mean, divided by count - correction."""
    axes = _axes(x, dim)
    divisor = _count("var", x, axes, at_least=1 + correction) - correction
    centered = x - x.mean(axes, keepdims=True)
    value = (centered**2).sum(axes, keepdims=keepdim) / divisor
    return value, lambda g: _spread(g * 2 / divisor, x, axes) * centered


def _axes(x, dim):
    """The axes that `dim` names, as a tuple: all of them for None."""
    return tuple(range(x.ndim)) if dim is None else normalize_axis_tuple(dim, x.ndim)


def _count(name, x, axes, at_least):
    """How many numbers are reduced to one."""
    count = math.prod(x.shape[axis] for axis in axes)
    if count < at_least:
        raise ValueError(
            f"{name}: needs at least {at_least} number{'s' * (at_least > 1)} to reduce, a tensor "
            f"of shape {x.shape} has {count} over the axes {axes}"
        )
    return count


def _spread(g, x, axes):
    """Repeat `g` along the axes that a reduction of x has removed, until it is shaped like x."""
    kept = [1 if axis in axes else size for axis, size in enumerate(x.shape)]
    return np.broadcast_to(g.reshape(kept), x.shape)


def max(x, dim=None, keepdim=False):
    """The largest entry; with `dim`, a pair of (values, indices) along that axis.

    Several equal largest entries share the gradient; along an axis the first one gets it.
    """
    (x,) = as_tensors((x,))
    return _largest(x) if dim is None else _extremes(x, dim, keepdim, np.argmax)


def min(x, dim=None, keepdim=False):
    """The smallest entry; with `dim`, a pair of (values, indices) along that axis."""
    (x,) = as_tensors((x,))
    return -_largest(-x) if dim is None else _extremes(x, dim, keepdim, np.argmin)


def _extremes(x, dim, keepdim, find):
    try:
        indices = np.expand_dims(find(x.data, dim), dim)
    except ValueError as error:
        explain(error, find.__name__[3:], [x.data])
    values = gather(x, dim, indices)
    return Extremes(*(v if keepdim else v.squeeze(dim) for v in (values, indices)))


@op
def _largest(x, /):
    if not x.size:
        raise ValueError(f"max: a tensor of shape {x.shape} is empty and has no largest entry")
    value = x.max()

    def vjp(g):
        hits = x == value
        return g * (hits / hits.sum())

    return value, vjp


@op
def logsumexp(x, /, dim, keepdim=False):
    """log(sum(exp(x))) along `dim`, without overflow: the largest entry is taken out first."""
    largest = x.max(axis=dim, keepdims=True)
    kept = np.log(np.exp(x - largest).sum(axis=dim, keepdims=True)) + largest
    value = kept if keepdim else kept.squeeze(dim)
    return value, lambda g: g.reshape(kept.shape) * np.exp(x - kept)


@op
def softmax(x, /, dim):
    """exp(x) divided by its sum along `dim`: positive numbers that sum to 1."""
    p = np.exp(x - x.max(axis=dim, keepdims=True))
    p /= p.sum(axis=dim, keepdims=True)
    return p, lambda g: p * (g - (g * p).sum(axis=dim, keepdims=True))


@op
def log_softmax(x, /, dim):
    """log(softmax(x)), without overflow."""
    shifted = x - x.max(axis=dim, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=dim, keepdims=True))
    return log_p, lambda g: g - np.exp(log_p) * g.sum(axis=dim, keepdims=True)


# Shapes ---------------------------------------------------------------------------------------


@op
def reshape(x, /, *shape):
    return x.reshape(*shape), lambda g: g.reshape(x.shape)


@op
def permute(x, /, *dims):
    """Axes in a new order: entry i of `dims` says which axis comes i-th."""
    dims = dims[0] if len(dims) == 1 and not np.isscalar(dims[0]) else dims
    return x.transpose(dims), lambda g: g.transpose(np.argsort(np.mod(dims, x.ndim)))


@op
def transpose(x, /, dim0, dim1):
    """Swap two axes."""
    return x.swapaxes(dim0, dim1), lambda g: g.swapaxes(dim0, dim1)


@op
def flatten(x, /, start_dim=0, end_dim=-1):
    """Merge the axes from `start_dim` to `end_dim` into one."""
    start, end = (normalize_axis_index(dim, x.ndim or 1) for dim in (start_dim, end_dim))
    merged = math.prod(x.shape[start : end + 1])
    return x.reshape(*x.shape[:start], merged, *x.shape[end + 1 :]), lambda g: g.reshape(x.shape)


@op
def squeeze(x, /, dim=None):
    """Remove the axis `dim` if it has size 1; by default all axes of size 1."""
    if dim is not None and x.shape[normalize_axis_index(dim, x.ndim)] != 1:
        return x, lambda g: g
    return x.squeeze(dim), lambda g: g.reshape(x.shape)


@op
def unsqueeze(x, /, dim):
    """Insert an axis of size 1 at `dim`."""
    return np.expand_dims(x, dim), lambda g: g.reshape(x.shape)


@op
def pad(x, /, pad, value=0.0):
    """Add a border: `pad` is (left, right) for the last axis, then for the one before, ..."""
    if len(pad) % 2 or len(pad) > 2 * x.ndim:
        raise ValueError(
            f"pad: expected two widths for each of at most {x.ndim} axes, got {tuple(pad)}"
        )
    widths = [(0, 0)] * (x.ndim - len(pad) // 2)
    widths += [tuple(pad[i : i + 2]) for i in range(len(pad) - 2, -1, -2)]
    inner = tuple(slice(left, left + size) for (left, _), size in zip(widths, x.shape, strict=True))
    return np.pad(x, widths, constant_values=value), lambda g: g[inner]


# Picking and joining --------------------------------------------------------------------------


def getitem(x, index):
    """x[index] with NumPy's rules; an entry that is picked twice gets both gradients."""
    index = index if isinstance(index, tuple) else (index,)
    return _getitem(x, tuple(whole_numbers(i) if isinstance(i, Tensor) else i for i in index))


@op
def _getitem(x, /, index):
    picks_once = all(isinstance(i, (int, slice, type(None), type(...))) for i in index)

    def vjp(g):
        gradient = np.zeros_like(x)
        if picks_once:
            gradient[index] = g
        else:
            np.add.at(gradient, index, g)
        return gradient

    return x[index], vjp


def whole_numbers(x):
    """Indices as an array of integers, also from a tensor, whose numbers are always floats."""
    array = array_of(x)
    if array.dtype.kind not in "iub" and (array != np.floor(array)).any():
        raise TypeError(f"indices must be whole numbers, got {array.dtype} such as {array.flat[0]}")
    return array.astype(int, copy=False)


def gather(x, dim, index):
    """Pick entries along `dim`: result[i][j] = x[index[i][j]][j] for dim 0."""
    (x,), index = as_tensors((x,)), whole_numbers(index)
    if index.ndim != x.ndim or not -x.ndim <= dim < x.ndim:
        raise ValueError(
            f"gather: expected an index with {x.ndim} axes, like x, and one of them as dim, "
            f"got shapes {index.shape} and {x.shape} with dim={dim}"
        )
    place = list(np.indices(index.shape, sparse=True))
    place[dim] = index
    return _getitem(x, tuple(place))


def embedding(indices, weight):
    """Rows of a table: indices of any shape, weight (N, D) -> (..., D)."""
    (weight,), indices = as_tensors((weight,)), whole_numbers(indices)
    if indices.size and not 0 <= indices.min() <= indices.max() < len(weight):
        raise ValueError(
            f"embedding: indices must lie in 0 .. {len(weight) - 1}, "
            f"got {indices.min()} .. {indices.max()}"
        )
    return _getitem(weight, (indices,))


def unbind(x, dim=0):
    """All slices along an axis, as a tuple: x[0], x[1] and so on."""
    (x,) = as_tensors((x,))
    return _parts("unbind", x, dim, lambda size: range(size))


def chunk(x, chunks, dim=0):
    """Equal parts of an axis, as a tuple; the last one is smaller if there is a remainder."""
    (x,) = as_tensors((x,))
    if chunks < 1:
        raise ValueError(f"chunk: expected at least one part, got chunks={chunks}")

    def slices(size):
        width = builtins.max(-(-size // chunks), 1)
        return [slice(start, start + width) for start in range(0, size, width)]

    return _parts("chunk", x, dim, slices)


def _parts(name, x, dim, indices_of):
    """Parts of x that don't overlap, whose gradients meet in one array.

    Picked one by one, each part would need a gradient as large as x, nearly all of it zeros. Here
    each part writes into the same array, and a node without content stands between x and its
    parts: `backward` visits it after all of them, and it hands the array on.
    """
    try:
        dim = normalize_axis_index(dim, x.ndim)
    except ValueError as error:
        explain(error, name, [x.data])
    gathered = []  # the gradient of x, as soon as there is one

    def part(i):
        index = (slice(None),) * dim + (i,)

        def vjp(g):
            if not gathered:
                gathered.append(np.zeros_like(x.data))
            gathered[0][index] = g
            return np.zeros(())

        return Tensor.from_op(x.data[index], [meeting], [vjp])

    meeting = Tensor.from_op(np.zeros(()), [x], [lambda _: gathered.pop()])
    return tuple(part(i) for i in indices_of(x.shape[dim]))


def cat(tensors, dim=0):
    """Join tensors along an axis that they have."""
    if isinstance(tensors, Tensor):
        raise TypeError("cat: expected a list of tensors, got one tensor")
    tensors = as_tensors(tensors)
    arrays = [tensor.data for tensor in tensors]
    try:
        value = np.concatenate(arrays, axis=dim)
    except ValueError as error:
        explain(error, "cat", arrays)
    before, vjps = (slice(None),) * (dim % value.ndim), []
    end = 0
    for array in arrays:
        start, end = end, end + array.shape[dim]
        vjps.append(lambda g, place=(*before, slice(start, end)): g[place])
    return Tensor.from_op(value, tensors, vjps)


def stack(tensors, dim=0):
    """Join tensors of one shape along a new axis."""
    if isinstance(tensors, Tensor):
        raise TypeError("stack: expected a list of tensors, got one tensor")
    tensors = as_tensors(tensors)
    if len({tensor.shape for tensor in tensors}) != 1:
        raise ValueError(
            f"stack: expected tensors of one shape, got {[tensor.shape for tensor in tensors]}"
        )
    return cat([unsqueeze(tensor, dim) for tensor in tensors], dim)


# Attention ------------------------------------------------------------------------------------


def attention(queries, keys, values, mask=None):
    """Scaled dot-product attention (Vaswani et al., 2017).

    Args:
        queries: (..., T, d).
        keys: (..., S, d).
        values: (..., S, e).
        mask: (T, S) or broadcastable, boolean, True where looking is forbidden. Default None.

    Returns:
        answers (..., T, e), and the weights (..., T, S) that they are averages with.
    """
    queries, keys, values = as_tensors((queries, keys, values))
    scores = queries @ keys.mT * (1 / np.sqrt(queries.shape[-1]))
    if mask is not None:
        scores = where(mask, -np.inf, scores)
    weights = softmax(scores, -1)
    return weights @ values, weights


# What a Tensor answers to ---------------------------------------------------------------------

for _name, _operation in {
    "add": add, "sub": subtract, "mul": multiply, "truediv": divide, "matmul": matmul,
    "pow": power,
}.items():  # fmt: skip
    setattr(Tensor, f"__{_name}__", _operation)
    setattr(Tensor, f"__r{_name}__", lambda self, other, op=_operation: op(other, self))
Tensor.__neg__ = negative
Tensor.__getitem__ = getitem
Tensor.__iter__ = lambda self: iter(unbind(self))
for _operation in (
    exp, log, sqrt, abs, tanh, sigmoid, relu, leaky_relu, elu, gelu, silu, softplus, clip, maximum,
    sum, mean, var, max, min, logsumexp, softmax, log_softmax, reshape, permute, transpose, flatten,
    squeeze, unsqueeze, gather, unbind, chunk,
):  # fmt: skip
    setattr(Tensor, _operation.__name__, _operation)
Tensor.T = property(lambda self: permute(self, *reversed(range(self.ndim))))
Tensor.mT = property(lambda self: transpose(self, -1, -2))

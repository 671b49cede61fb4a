"""A tensor that remembers how it was made, so that gradients can flow back through it.

This file holds the whole of reverse-mode differentiation: `Tensor` keeps the history, `backward`
walks it in reverse. The derivatives themselves stand in `ops.py`, each beside its function.
"""

import contextlib
import itertools

import numpy as np

_creation = itertools.count()
_recording = True


@contextlib.contextmanager
def no_grad():
    """Within this block nothing is recorded, so results need no memory for a backward pass.

    >>> w = Tensor([2.0], requires_grad=True)
    >>> with no_grad():
    ...     (w * w).requires_grad
    False
    """
    global _recording
    before, _recording = _recording, False
    try:
        yield
    finally:
        _recording = before


class Tensor:
    """An array of numbers that can tell the gradient of a scalar with respect to itself.

    Args:
        data: array, nested list or number. float64 arrays stay float64; all else becomes float32.
            An array that needs no conversion is not copied.
        requires_grad: whether `backward` shall fill `grad`. Default False.

    Attributes:
        data: the numbers, a NumPy array.
        grad: None until a backward pass; then an array with the shape of `data`.
        requires_grad: whether gradients flow to this tensor.

    Raises:
        TypeError: if `data` is not numeric, or belongs to PyTorch.
        ValueError: if `data` is a nested list whose rows have different lengths.
    """

    # NumPy then leaves `array * tensor` to Tensor.__rmul__, and refuses `np.exp(tensor)`, which
    # would lose the history.
    __array_ufunc__ = None
    __slots__ = ("__weakref__", "_creation", "_parents", "_vjps", "data", "grad", "requires_grad")

    def __init__(self, data, requires_grad=False):
        array = array_of(data)
        if array.dtype.kind not in "fiub":
            raise TypeError(
                f"Tensor: expected numbers, got {type(data).__name__} of dtype {array.dtype}"
            )
        keep_double = array.dtype == np.float64 and hasattr(data, "dtype")
        self.data = array.astype(np.float64 if keep_double else np.float32, copy=False)
        self.requires_grad = requires_grad
        self.grad = None
        self._creation = next(_creation)
        self._parents = ()  # the tensors that this one was computed from
        self._vjps = ()  # for each parent, the function that takes the gradient back to it

    @classmethod
    def from_op(cls, value, parents, vjps):
        """The result of an operation: `value`, and for each parent its vector-Jacobian product.

        Args:
            value: array, any shape.
            parents: tensors that went in.
            vjps: one function for each parent; it takes the gradient with respect to `value`
                and returns the gradient with respect to that parent.
        """
        # A NumPy scalar of type float64 would silently turn a float32 network into a slow one.
        dtype = np.result_type(*[parent.dtype for parent in parents])
        result = cls(np.asarray(value, dtype=dtype))
        if _recording and any(parent.requires_grad for parent in parents):
            result.requires_grad = True
            result._parents, result._vjps = tuple(parents), tuple(vjps)
        return result

    def backward(self, gradient=None):
        """Fill `grad` of every leaf that this tensor was computed from.

        Gradients add up: call `zero_grad` of the optimizer between two steps. The history is freed
        on the way, so that a second call is an error.

        Args:
            gradient: gradient of the final scalar with respect to this tensor, same shape.
                Default 1, for which this tensor must be a scalar.

        Raises:
            ValueError: if nothing requires a gradient, if the history is gone, or if `gradient`
                is missing for a tensor that is no scalar or has another shape.
        """
        if not self.requires_grad:
            raise ValueError(
                "backward: no tensor in this computation requires a gradient; "
                "make one with Tensor(data, requires_grad=True)"
            )
        gradients = {self: self._first_gradient(gradient)}
        for node in self._latest_first():
            gradient = gradients.pop(node)
            if node.is_leaf:
                node.grad = gradient if node.grad is None else node.grad + gradient
            for parent, vjp in node._take_history():
                if parent.requires_grad:
                    share = unbroadcast(vjp(gradient), parent.shape)
                    share = share.astype(parent.dtype, copy=False)
                    if parent.is_leaf and (share is gradient or not share.flags.owndata):
                        share = share.copy()  # a leaf keeps it: nobody else may write to it
                    gradients[parent] = gradients[parent] + share if parent in gradients else share

    def _first_gradient(self, gradient):
        if gradient is None:
            if self.data.size != 1:
                raise ValueError(
                    f"backward: only a scalar has a gradient of its own, this tensor has shape "
                    f"{self.shape}; reduce it with .sum() or .mean(), or pass gradient="
                )
            return np.ones_like(self.data)
        gradient = np.asarray(gradient.data if isinstance(gradient, Tensor) else gradient)
        if gradient.shape != self.shape:
            raise ValueError(
                f"backward: gradient has shape {gradient.shape}, the tensor has {self.shape}; "
                "they must be equal"
            )
        return gradient.astype(self.dtype)

    def _latest_first(self):
        """The tensors behind this one, each before the ones it was computed from.

        A result is always created after its inputs, so the order of creation is all it takes.
        """
        found, to_visit = {self}, [self]
        while to_visit:  # no recursion: histories can be many thousands of operations deep
            node = to_visit.pop()
            if node._vjps is None:
                raise ValueError(
                    "backward: part of this history was used before and is freed; "
                    "run the forward pass again"
                )
            for parent in node._parents:
                if parent.requires_grad and parent not in found:
                    found.add(parent)
                    to_visit.append(parent)
        return sorted(found, key=lambda node: node._creation, reverse=True)

    def _take_history(self):
        """Hand out (parent, vjp) pairs once, so that the arrays they hold are freed after use."""
        pairs = list(zip(self._parents, self._vjps, strict=True))
        if pairs:
            self._parents, self._vjps = (), None
        return pairs

    @property
    def is_leaf(self):
        """Whether no operation made this tensor: parameters and data are leaves."""
        return self._vjps == ()

    @property
    def shape(self):
        return self.data.shape

    @property
    def ndim(self):
        return self.data.ndim

    @property
    def dtype(self):
        return self.data.dtype

    def __len__(self):
        return len(self.data)

    def numpy(self):
        """The numbers as a NumPy array that shares memory with this tensor."""
        return self.data

    def item(self):
        """The single number in this tensor, as a Python float."""
        if self.data.size != 1:
            raise ValueError(
                f"item: a tensor of shape {self.shape} holds {self.data.size} numbers, not one; "
                "pick one by its index, or reduce with .sum() or .mean()"
            )
        return self.data.item()

    __float__ = item

    def __array__(self, dtype=None, copy=None):
        return np.array(self.data, dtype=dtype, copy=copy)

    def detach(self):
        """The same numbers without their history."""
        return Tensor(self.data)

    def __repr__(self):
        suffix = ", requires_grad=True" if self.requires_grad else ""
        numbers = np.array2string(self.data, precision=4, prefix="Tensor(")
        return f"Tensor({numbers}{suffix})"


def array_of(x):
    """The numbers of a tensor, or of anything that NumPy takes.

    Raises:
        TypeError: for a PyTorch tensor, since gradients can't flow from one engine to the other.
        ValueError: for a nested list whose rows have different lengths.
    """
    if isinstance(x, Tensor):
        return x.data
    if hasattr(x, "detach"):
        raise TypeError(
            f"Tensor: got a PyTorch tensor (on device {x.device}); to bring its numbers to this "
            "engine, pass x.detach().cpu().numpy()"
        )
    try:
        return np.asarray(x)
    except ValueError as error:
        raise ValueError(f"Tensor: the rows of a nested list differ in length: {error}") from None


def unbroadcast(gradient, shape):
    """Sum `gradient` down to `shape`, undoing what broadcasting repeated in the forward pass.

    An entry that was used many times receives the sum of the gradients of all its uses.
    """
    if gradient.shape == shape:
        return gradient
    added = gradient.ndim - len(shape)
    repeated = [added + axis for axis, size in enumerate(shape) if size == 1]
    return gradient.sum(axis=(*range(added), *repeated), keepdims=True).reshape(shape)


def check_gradient(function, *inputs, step=1e-6, directions=5, seed=0):
    """Compare `backward` with finite differences, along random directions.

    A function of a million inputs has a million partial derivatives, too many to check one by one.
    A random direction v checks them all at once: (f(x + hv) - f(x - hv)) / 2h must equal the sum
    of gradient times v.

    Args:
        function: takes tensors, returns a tensor of any shape.
        inputs: tensors or arrays; they are checked in float64.
        step: h above, the length of the step. Default 1e-6.
        directions: how many random directions to try. Default 5.
        seed: of the random directions. Default 0.

    Returns:
        The largest relative difference found: below 1e-7 is agreement, above 1e-3 a mistake.
    """
    rng = np.random.default_rng(seed)
    arrays = [np.array(x.data if isinstance(x, Tensor) else x, dtype=np.float64) for x in inputs]
    tensors = [Tensor(array, requires_grad=True) for array in arrays]
    output = function(*tensors)
    weights = rng.standard_normal(output.shape)  # turns the output into one scalar
    output.backward(weights)

    def scalar(moved):
        with no_grad():
            return float((function(*(Tensor(array) for array in moved)).data * weights).sum())

    worst = 0.0
    for _ in range(directions):
        v = [rng.standard_normal(array.shape) for array in arrays]
        ahead = scalar([array + step * d for array, d in zip(arrays, v, strict=True)])
        behind = scalar([array - step * d for array, d in zip(arrays, v, strict=True)])
        measured = (ahead - behind) / (2 * step)
        claimed = sum(
            float((tensor.grad * d).sum())
            for tensor, d in zip(tensors, v, strict=True)
            if tensor.grad is not None
        )
        scale = max(abs(measured), abs(claimed), 1e-12)
        worst = max(worst, abs(measured - claimed) / scale)
    return worst

"""Layers: parameters together with what is computed from them.

Names, argument order and weight layout are PyTorch's, so that the same weights fit both.
"""

import numpy as np

from . import init, ops
from .tensor import Tensor


class Module:
    """A layer, or a net made of layers: calling it runs `forward`."""

    training = True

    def __call__(self, *inputs):
        return self.forward(*inputs)

    def forward(self, *inputs):
        raise NotImplementedError(f"{type(self).__name__} has no forward method yet; write one")

    def children(self):
        """(name, module) for each module that is an attribute of this one."""
        for name, value in vars(self).items():
            if isinstance(value, Module):
                yield name, value

    def named_parameters(self, prefix=""):
        """(name, tensor) for each parameter, named by its path: ``layers.0.weight``."""
        for name, value in vars(self).items():
            if isinstance(value, Tensor) and value.requires_grad:
                yield prefix + name, value
        for name, child in self.children():
            yield from child.named_parameters(f"{prefix}{name}.")

    def parameters(self):
        """All parameters, as a list of tensors."""
        return [parameter for _, parameter in self.named_parameters()]

    def zero_grad(self):
        """Forget the gradients of all parameters."""
        for parameter in self.parameters():
            parameter.grad = None

    def train(self, mode=True):
        """Switch this module and all modules in it to training; `eval` switches back."""
        self.training = mode
        for _, child in self.children():
            child.train(mode)
        return self

    def eval(self):
        """Switch this module and all modules in it to evaluation."""
        return self.train(False)

    def state_dict(self):
        """A copy of every parameter, as {name: array}."""
        return {name: parameter.data.copy() for name, parameter in self.named_parameters()}

    def load_state_dict(self, state):
        """Take parameters from {name: array}; a PyTorch state dict with these names fits too.

        Raises:
            ValueError: if names or shapes differ; nothing is changed then.
        """
        own = dict(self.named_parameters())
        new = {name: np.asarray(value) for name, value in state.items()}
        if own.keys() != new.keys():
            raise ValueError(
                f"load_state_dict: missing {sorted(own.keys() - new.keys())}, "
                f"unexpected {sorted(new.keys() - own.keys())}; the two nets must be built alike"
            )
        for name, parameter in own.items():
            if parameter.shape != new[name].shape:
                raise ValueError(
                    f"load_state_dict: {name} has shape {parameter.shape}, got {new[name].shape}"
                )
        for name, parameter in own.items():
            parameter.data = new[name].astype(parameter.dtype)


class Linear(Module):
    """The affine map y = x Wᵀ + b.

    Args:
        in_features: D, size of an input.
        out_features: K, size of an output.
        bias: whether to add b. Default True.
        rng: seed or `numpy.random.Generator` of the initial weights, He's normal ones. Default 0.

    Shapes: x (B, D), weight (K, D), bias (K,), result (B, K).
    """

    def __init__(self, in_features, out_features, bias=True, rng=0):
        self.weight = Tensor(init.he_normal((out_features, in_features), rng), requires_grad=True)
        self.bias = None
        if bias:
            self.bias = Tensor(np.zeros(out_features, np.float32), requires_grad=True)

    def forward(self, x):
        if x.ndim != 2 or x.shape[1] != self.weight.shape[1]:
            raise ValueError(
                f"Linear: expected inputs of shape (B, {self.weight.shape[1]}), got {x.shape}; "
                "pictures need nn.Flatten() first"
            )
        if self.bias is None:
            return x @ self.weight.T  # (B, D) @ (D, K) -> (B, K)
        return ops.linear(x, self.weight, self.bias)


class Sequential(Module):
    """Modules one after the other, each fed with the result of the one before."""

    def __init__(self, *modules):
        for position, module in enumerate(modules):
            setattr(self, str(position), module)

    def forward(self, x):
        for _, module in self.children():
            x = module(x)
        return x


class Flatten(Module):
    """(B, C, H, W) -> (B, C*H*W)."""

    def forward(self, x):
        return x.flatten()


class ReLU(Module):
    """max(x, 0), entry by entry."""

    def forward(self, x):
        return x.relu()


class Sigmoid(Module):
    """1 / (1 + exp(-x)), entry by entry."""

    def forward(self, x):
        return x.sigmoid()


class Tanh(Module):
    """Hyperbolic tangent, entry by entry."""

    def forward(self, x):
        return x.tanh()

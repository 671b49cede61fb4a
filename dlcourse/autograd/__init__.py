"""A small engine for reverse-mode automatic differentiation on NumPy arrays.

Read it in this order: `tensor` (history and the backward pass), `ops` (each operation with its
derivative), `conv`, `nn` (layers), `losses`, `init`. Names and layouts are PyTorch's.
"""

from . import conv, init, losses, nn, ops
from .tensor import Tensor, check_gradient, no_grad

__all__ = ["Tensor", "check_gradient", "conv", "init", "losses", "nn", "no_grad", "ops"]

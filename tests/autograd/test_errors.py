"""What a student gets wrong: each mistake is refused where it is made, in words that help."""

import numpy as np
import pytest
import torch

from dlcourse.autograd import Tensor, conv, init, losses, nn, ops
from dlcourse.optim import SGD, Adam, CosineAnnealingLR, OneCycleLR, StepLR, clip_grad_norm


def tensor(*shape):
    return Tensor(np.ones(shape), requires_grad=True)


X, PICTURE = tensor(3, 4), tensor(2, 3, 8, 8)
META = torch.ones(2, device="meta")

# what is done: (function, error, what the message must hold)
MISTAKES = {
    # Tensors
    "text": (lambda: Tensor("a"), TypeError, ["expected numbers", "str"]),
    "text in a list": (lambda: Tensor(["a"]), TypeError, ["expected numbers"]),
    "None": (lambda: Tensor(None), TypeError, ["expected numbers", "NoneType"]),
    "complex numbers": (lambda: Tensor(np.ones(2) * 1j), TypeError, ["complex"]),
    "rows of different lengths": (lambda: Tensor([[1, 2], [3]]), ValueError, ["differ in length"]),
    "PyTorch tensor": (lambda: Tensor(torch.ones(2)), TypeError, ["PyTorch", ".numpy()"]),
    "PyTorch tensor elsewhere": (lambda: Tensor(META), TypeError, ["device meta", ".cpu()"]),
    "sum with PyTorch": (lambda: X + torch.ones(3, 4), TypeError, ["PyTorch"]),
    "PyTorch on the left": (lambda: torch.ones(3, 4) + X, TypeError, ["PyTorch"]),
    "sum with an object": (lambda: X + object(), TypeError, ["expected numbers", "object"]),
    "relu of text": (lambda: ops.relu("a"), TypeError, ["expected numbers"]),
    "NumPy function": (lambda: np.exp(X), TypeError, ["Tensor"]),
    "item of many": (lambda: X.item(), ValueError, ["(3, 4)", "12 numbers", "sum()"]),
    # Shapes
    "add": (lambda: X + tensor(4, 3), ValueError, ["add", "(3, 4) and (4, 3)", "last axis"]),
    "subtract": (lambda: X - np.ones(3), ValueError, ["subtract", "(3, 4) and (3,)"]),
    "multiply": (lambda: X * tensor(2, 4), ValueError, ["multiply", "(3, 4) and (2, 4)"]),
    "divide": (lambda: X / tensor(5), ValueError, ["divide", "(3, 4) and (5,)"]),
    "maximum": (lambda: X.maximum(tensor(5)), ValueError, ["maximum", "(3, 4) and (5,)"]),
    "where": (lambda: ops.where(np.ones(5), X, X), ValueError, ["where", "(3, 4)"]),
    "matmul": (
        lambda: tensor(64, 784) @ tensor(256, 784), ValueError,
        ["(64, 784) @ (256, 784)", "784 and 256 differ", "transpose the second?"],
    ),
    "matmul, nothing fits": (
        lambda: tensor(2, 3) @ tensor(4, 5), ValueError, ["inner sizes 3 and 4 differ"],
    ),
    "matmul with a vector": (lambda: tensor(3) @ tensor(2, 3), ValueError, ["(3,) @ (2, 3)"]),
    "matmul with a number": (lambda: X @ 2.0, ValueError, ["matmul", "use * instead"]),
    "matmul of batches": (
        lambda: tensor(2, 3, 4) @ tensor(5, 4, 3), ValueError,
        ["matmul", "(2, 3, 4) and (5, 4, 3)"],
    ),
    "linear": (lambda: ops.linear(X, tensor(5, 3), tensor(5)), ValueError, ["linear", "(5, 3)"]),
    "reshape": (lambda: X.reshape(5, 2), ValueError, ["reshape", "(3, 4)", "12", "-1"]),
    "reshape, two unknown": (lambda: X.reshape(-1, -1), ValueError, ["reshape", "(3, 4)"]),
    "permute": (lambda: X.permute(0, 1, 2), ValueError, ["permute", "(3, 4)"]),
    "permute twice": (lambda: X.permute(0, 0), ValueError, ["permute", "repeated"]),
    "transpose": (lambda: X.transpose(0, 2), ValueError, ["transpose", "(3, 4)", "axis"]),
    "mT of a vector": (lambda: tensor(3).mT, ValueError, ["transpose", "(3,)"]),
    "squeeze": (lambda: X.squeeze(2), ValueError, ["squeeze", "(3, 4)", "axis 2"]),
    "unsqueeze": (lambda: X.unsqueeze(4), ValueError, ["unsqueeze", "(3, 4)", "axis 4"]),
    "flatten": (lambda: X.flatten(2), ValueError, ["flatten", "(3, 4)", "axis 2"]),
    "pad": (lambda: ops.pad(X, (1, 2, 3)), ValueError, ["pad", "two widths", "(1, 2, 3)"]),
    "negative pad": (lambda: ops.pad(X, (-1, 0)), ValueError, ["pad", "negative"]),
    "cat": (lambda: ops.cat([X, tensor(3, 5)]), ValueError, ["cat", "(3, 4) and (3, 5)"]),
    "cat of axes": (lambda: ops.cat([X, X], 2), ValueError, ["cat", "axis 2"]),
    "cat of nothing": (lambda: ops.cat([]), ValueError, ["cat"]),
    "cat of one": (lambda: ops.cat(X), TypeError, ["cat", "list"]),
    "stack": (lambda: ops.stack([X, tensor(4)]), ValueError, ["stack", "(3, 4), (4,)"]),
    "unbind": (lambda: X.unbind(2), ValueError, ["unbind", "(3, 4)"]),
    "iterate over a number": (lambda: list(tensor()), ValueError, ["unbind", "()"]),
    "chunk": (lambda: X.chunk(0), ValueError, ["chunk", "chunks=0"]),
    # Reductions
    "sum over a missing axis": (lambda: X.sum(2), ValueError, ["sum", "(3, 4)", "axis 2"]),
    "sum over an axis twice": (lambda: X.sum((0, 0)), ValueError, ["sum", "repeated"]),
    "mean over a missing axis": (lambda: X.mean(-3), ValueError, ["mean", "(3, 4)", "axis -3"]),
    "mean of nothing": (lambda: tensor(0, 3).mean(), ValueError, ["mean", "(0, 3)"]),
    "var of one": (lambda: tensor(1, 3).var(0), ValueError, ["var", "2 numbers", "(1, 3)"]),
    "max of nothing": (lambda: tensor(0, 3).max(), ValueError, ["max", "(0, 3)", "empty"]),
    "max of nothing along an axis": (lambda: tensor(0, 3).max(0), ValueError, ["max", "(0, 3)"]),
    "min over a missing axis": (lambda: X.min(2), ValueError, ["min", "(3, 4)", "axis 2"]),
    "softmax": (lambda: X.softmax(2), ValueError, ["softmax", "(3, 4)", "axis 2"]),
    "softmax of nothing": (lambda: tensor(2, 0).softmax(1), ValueError, ["softmax", "(2, 0)"]),
    "clip": (lambda: X.clip(), ValueError, ["clip", "min, max or both"]),
    # Picking
    "index": (lambda: X[3], ValueError, ["getitem", "index 3", "size 3", "(3, 4)"]),
    "index as in a list": (lambda: X[3], IndexError, ["index 3"]),
    "too many indices": (lambda: X[0, 0, 0], ValueError, ["too many indices", "(3, 4)"]),
    "mask of another shape": (lambda: X[np.ones(4, bool)], ValueError, ["getitem", "(3, 4)"]),
    "fraction as index": (lambda: X[Tensor([0.5])], TypeError, ["whole numbers", "0.5"]),
    "gather": (lambda: X.gather(2, [[0]]), ValueError, ["gather", "dim=2"]),
    "gather of other axes": (lambda: X.gather(0, [0]), ValueError, ["gather", "(1,) and (3, 4)"]),
    "gather out of range": (lambda: X.gather(1, [[7]]), ValueError, ["index 7", "(3, 4)"]),
    "embedding": (lambda: ops.embedding([0, 3], X), ValueError, ["0 .. 2", "0 .. 3"]),
    "embedding of fractions": (lambda: ops.embedding([0.5], X), TypeError, ["whole numbers"]),
    # Backward
    "backward of many": (lambda: (X * 2).backward(), ValueError, ["(3, 4)", "sum()"]),
    "backward without history": (
        lambda: Tensor([1.0]).sum().backward(), ValueError, ["requires_grad=True"],
    ),
    "backward with a wrong gradient": (
        lambda: (X * 2).backward(np.ones(3)), ValueError, ["(3,)", "(3, 4)"],
    ),
    # Convolution
    "conv2d channels": (
        lambda: conv.conv2d(PICTURE, tensor(5, 4, 3, 3)), ValueError,
        ["conv2d", "(2, 3, 8, 8) and (5, 4, 3, 3)"],
    ),
    "conv2d of a matrix": (
        lambda: conv.conv2d(X, tensor(5, 3, 3, 3)), ValueError, ["(N, C, H, W)"],
    ),
    "conv2d kernel too large": (
        lambda: conv.conv2d(PICTURE, tensor(5, 3, 9, 9)), ValueError,
        ["9 x 9", "8 x 8", "more padding"],
    ),
    "conv2d stride": (
        lambda: conv.conv2d(PICTURE, tensor(5, 3, 3, 3), stride=0), ValueError, ["stride=0"],
    ),
    "conv2d half a stride": (
        lambda: conv.conv2d(PICTURE, tensor(5, 3, 3, 3), stride=0.5), ValueError, ["0.5"],
    ),
    "conv2d three strides": (
        lambda: conv.conv2d(PICTURE, tensor(5, 3, 3, 3), stride=(1, 2, 3)), ValueError, ["pair"],
    ),
    "conv2d bias": (
        lambda: conv.conv2d(PICTURE, tensor(5, 3, 3, 3), tensor(3)), ValueError, ["(5,)", "(3,)"],
    ),
    "conv2d groups": (
        lambda: conv.conv2d(PICTURE, tensor(5, 1, 3, 3), groups=3), ValueError, ["groups=3"],
    ),
    "conv_transpose2d channels": (
        lambda: conv.conv_transpose2d(PICTURE, tensor(4, 3, 3, 3)), ValueError, ["(4, 3, 3, 3)"],
    ),
    "conv_transpose2d output_padding": (
        lambda: conv.conv_transpose2d(PICTURE, tensor(3, 3, 3, 3), output_padding=1), ValueError,
        ["output_padding", "stride=1"],
    ),
    "max_pool2d of a matrix": (lambda: conv.max_pool2d(X, 2), ValueError, ["(N, C, H, W)"]),
    "max_pool2d window": (lambda: conv.max_pool2d(PICTURE, 9), ValueError, ["9 x 9", "8 x 8"]),
    "max_pool2d padding": (
        lambda: conv.max_pool2d(PICTURE, 2, padding=2), ValueError, ["half of the window"],
    ),
    # Losses
    "cross_entropy of other sizes": (
        lambda: losses.cross_entropy(X, [0]), ValueError, ["(3, 4) and (1,)"],
    ),
    "cross_entropy label": (
        lambda: losses.cross_entropy(X, [0, 1, 4]), ValueError, ["0 .. 3 for 4 classes", "0 .. 4"],
    ),
    "cross_entropy negative label": (
        lambda: losses.cross_entropy(X, [0, 1, -1]), ValueError, ["got -1 .. 1"],
    ),
    "cross_entropy of fractions": (
        lambda: losses.cross_entropy(X, [0.0, 1.0, 2.0]), TypeError, ["integer", "astype(int)"],
    ),
    "cross_entropy of nothing": (
        lambda: losses.cross_entropy(tensor(0, 4), np.zeros(0, int)), ValueError,
        ["empty", "B >= 1"],
    ),
    "cross_entropy, PyTorch labels": (
        lambda: losses.cross_entropy(X, torch.tensor([0, 1, 2])), TypeError, ["PyTorch"],
    ),
    "mse_loss": (lambda: losses.mse_loss(X, np.ones(3)), ValueError, ["(3, 4)", "(3,)", "reshape"]),
    "reduction": (
        lambda: losses.mse_loss(X, X, reduction="average"), ValueError, ["'average'", '"mean"'],
    ),
    "yes-no targets": (
        lambda: losses.binary_cross_entropy_with_logits(X, np.full((3, 4), 2.0)), ValueError,
        ["[0, 1]", "2.0"],
    ),
    "hinge targets": (lambda: losses.hinge_loss(X, np.zeros((3, 4))), ValueError, ["-1 or 1"]),
    # Layers
    "Linear": (
        lambda: nn.Linear(64, 2)(tensor(2, 1, 8, 8)), ValueError,
        ["(B, 64)", "(2, 1, 8, 8)", "Flatten"],
    ),
    "Conv2d groups": (lambda: nn.Conv2d(3, 4, 3, groups=2), ValueError, ["3 input", "2 groups"]),
    "Conv2d kernel": (lambda: nn.Conv2d(3, 4, 0), ValueError, ["size=0"]),
    "BatchNorm of other channels": (
        lambda: nn.BatchNorm2d(4)(PICTURE), ValueError,
        ["BatchNorm2d", "4 channels", "(2, 3, 8, 8)"],
    ),
    "BatchNorm of one": (
        lambda: nn.BatchNorm1d(3)(tensor(1, 3)), ValueError, ["(1, 3)", "larger batch"],
    ),
    "LayerNorm": (lambda: nn.LayerNorm(5)(X), ValueError, ["(5,)", "(3, 4)"]),
    "GroupNorm": (lambda: nn.GroupNorm(2, 3), ValueError, ["3 channels", "2 groups"]),
    "Dropout": (lambda: nn.Dropout(1.5), ValueError, ["Dropout", "[0, 1)", "1.5"]),
    "LSTM features": (lambda: nn.LSTM(5, 2)(tensor(4, 3, 6)), ValueError, ["D = 5", "(4, 3, 6)"]),
    "LSTM state": (
        lambda: nn.LSTM(5, 2)(tensor(4, 3, 5), tensor(1, 3, 2)), ValueError,
        ["2 tensor", "(1, 3, 2)"],
    ),
    "GRU without steps": (lambda: nn.GRU(5, 2)(tensor(0, 3, 5)), ValueError, ["no steps"]),
    "attention heads": (lambda: nn.MultiheadAttention(8, 3), ValueError, ["8 features", "3 heads"]),
    "attention inputs": (
        lambda: nn.MultiheadAttention(8, 2)(X, X, X), ValueError, ["8 features", "(3, 4)"],
    ),
    "function in Sequential": (
        lambda: nn.Sequential(nn.Linear(2, 2), ops.relu), TypeError, ["position 1", "nn.ReLU()"],
    ),
    "class in Sequential": (lambda: nn.Sequential(nn.ReLU), TypeError, ["parentheses"]),
    "other names in a state": (
        lambda: nn.Linear(2, 1).load_state_dict({"weights": np.ones((1, 2))}), ValueError,
        ["missing ['bias', 'weight']", "unexpected ['weights']"],
    ),
    "other shapes in a state": (
        lambda: nn.Linear(2, 1).load_state_dict({"weight": np.ones((2, 1)), "bias": np.ones(1)}),
        ValueError, ["weight has shape (1, 2), got (2, 1)"],
    ),
    "fans": (lambda: init.he_normal((3,), 0), ValueError, ["(out, in)", "(3,)"]),
    # Optimizers
    "no parameters": (lambda: SGD([], lr=0.1), ValueError, ["no parameters", "model.parameters()"]),
    "names for parameters": (
        lambda: SGD(nn.Linear(2, 1).named_parameters(), lr=0.1), TypeError,
        ["tuple", "model.parameters()"],
    ),
    "learning rate": (lambda: SGD([X], lr=0), ValueError, ["lr must be positive, got 0"]),
    "learning rate NaN": (lambda: Adam([X], lr=float("nan")), ValueError, ["positive, got nan"]),
    "momentum": (lambda: SGD([X], 0.1, 1.0), ValueError, ["momentum must be in [0, 1), got 1.0"]),
    "nesterov": (lambda: SGD([X], 0.1, nesterov=True), ValueError, ["positive for nesterov"]),
    "betas": (lambda: Adam([X], betas=(0.9, 1.0)), ValueError, ["betas must be in [0, 1)"]),
    "clipping": (lambda: clip_grad_norm([X], 0), ValueError, ["max_norm must be positive, got 0"]),
    "steps": (lambda: StepLR(SGD([X], 0.1), 0), ValueError, ["StepLR", "got 0"]),
    "length": (lambda: CosineAnnealingLR(SGD([X], 0.1), 0), ValueError, ["at least 1", "got 0"]),
    "share": (
        lambda: OneCycleLR(SGD([X], 0.1), 1, 10, pct_start=1), ValueError,
        ["between 0 and 1, got 1"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", MISTAKES)
def test_mistake_is_refused_in_words_that_help(name):
    function, kind, words = MISTAKES[name]
    with pytest.raises(kind) as error:
        function()
    missing = [word for word in words if word not in str(error.value)]
    assert not missing, f"no {missing} in: {error.value}"


def test_errors_come_from_the_call_with_numpys_words_behind_it():
    with pytest.raises(ValueError, match="add") as error:
        X + tensor(4, 3)
    assert "broadcast" in str(error.value.__cause__)


def test_an_operation_of_ones_own_keeps_its_error():
    @ops.op
    def half(x, /):
        raise ValueError("half: not yet written")

    with pytest.raises(ValueError, match=r"^half: not yet written$"):
        half(X)

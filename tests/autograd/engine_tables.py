"""What the engine is compared with: for every operation, loss and layer the same thing in PyTorch.

`CASES` and `LOSSES` map a public name to its cases; `LAYERS` pairs layers built alike. The tests of
values and gradients, of precision, of strides and of planted mistakes all walk these tables.
"""

import functools
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

from dlcourse.autograd import Tensor, conv, losses, nn, ops

TOLERANCE = {np.float64: 1e-10, np.float32: 1e-4}


@dataclass(frozen=True)
class Case:
    """One function in both engines, and how to draw what goes in."""

    ours: object
    inputs: tuple  # shapes
    theirs: object = None  # the same function, unless given: the names are the same
    draw: object = None  # (rng, shape) -> array; standard normal unless given
    smooth: bool = True  # whether finite differences make sense: no ties, no jumps


def case(ours, *inputs, **options):
    return Case(ours, inputs, **options)


def positive(rng, shape):
    return rng.random(shape) + 0.5


def ties(rng, shape):
    """Few values, so that equal ones and zeros are frequent."""
    return rng.integers(-1, 2, shape).astype(float)


def far(rng, shape):
    """Large positive and negative numbers, where exponentials overflow."""
    return 400 * rng.standard_normal(shape)


def probabilities(rng, shape):
    p = rng.random(shape) + 0.1
    return p / p.sum(-1, keepdims=True)


def weighted(parts):
    """Parts of different weight, added up, so that a mix-up of parts is noticed."""
    return sum((i + 1) * (part * part).sum() for i, part in enumerate(parts))


def torched(f):
    """`f` with its arrays as PyTorch tensors."""
    return lambda *inputs: f(*(torch.as_tensor(np.array(x)) for x in inputs))


MASK = np.random.default_rng(1).random((3, 4)) < 0.5
LOOK = np.triu(np.ones((4, 5), bool), 2)  # True: forbidden
PICK = np.array([[0, 2, 2], [3, 0, 1]])
KEPT = np.random.default_rng(5).random((3, 4), dtype=np.float32) >= 0.25
M, ROW, COLUMN, CUBE = (3, 4), (4,), (3, 1), (2, 3, 4)

CASES = {
    "add": [
        case(ops.add, M, M, theirs=torch.add), case(ops.add, M, ROW, theirs=torch.add),
        case(ops.add, COLUMN, M, theirs=torch.add), case(ops.add, COLUMN, ROW, theirs=torch.add),
        case(lambda x: 2.5 + x + 1, M), case(ops.add, (), M, theirs=torch.add),
    ],
    "subtract": [
        case(ops.subtract, CUBE, COLUMN, theirs=torch.sub), case(lambda x: 1 - x - 3, M),
        case(ops.subtract, ROW, CUBE, theirs=torch.sub),
    ],
    "multiply": [
        case(ops.multiply, M, (1, 4), theirs=torch.mul), case(lambda x: x * x, M),
        case(lambda x: 3 * x * 0.5, M), case(lambda a, b: a * b * a, COLUMN, CUBE),
    ],
    "divide": [
        case(lambda a, b: a / b, M, COLUMN, draw=positive), case(lambda x: 2 / x, M, draw=positive),
        case(lambda a, b: a / b, ROW, CUBE, draw=positive), case(lambda x: x / 4, M),
    ],
    "negative": [case(lambda x: -x, M)],
    "power": [
        case(lambda x: x**3, M), case(lambda x: x**2, M), case(lambda x: x**0.5, M, draw=positive),
        case(lambda x: x**-1, M, draw=positive), case(lambda x: x**0, M, draw=ties, smooth=False),
        case(lambda x: x**1, M, draw=ties, smooth=False), case(lambda x: 2**x, M),
        case(lambda a, b: a**b, M, COLUMN, draw=positive),
        case(lambda a, b: a.abs() ** b.abs(), M, M, draw=ties, smooth=False),
    ],
    "matmul": [
        case(lambda a, b: a @ b, *shapes)
        for shapes in (
            [(3, 4), (4, 5)], [(2, 3, 4), (4, 5)], [(2, 3, 4), (2, 4, 5)], [(3, 4), (2, 4, 5)],
            [(2, 1, 3, 4), (5, 4, 6)], [(4,), (4,)], [(4,), (4, 5)], [(3, 4), (4,)],
            [(4,), (2, 4, 5)], [(2, 3, 4), (4,)],
        )
    ],
    "linear": [
        case(ops.linear, (3, 4), (5, 4), (5,), theirs=F.linear),
        case(ops.linear, (2, 3, 4), (5, 4), (5,), theirs=F.linear),
        case(ops.linear, (4,), (5, 4), (5,), theirs=F.linear),
    ],
    "exp": [case(lambda x: x.exp(), M)],
    "log": [case(lambda x: x.log(), M, draw=positive)],
    "sqrt": [case(lambda x: x.sqrt(), M, draw=positive)],
    "abs": [case(lambda x: x.abs(), M), case(lambda x: x.abs(), M, draw=ties, smooth=False)],
    "tanh": [case(lambda x: x.tanh(), M), case(lambda x: x.tanh(), M, draw=far)],
    "sigmoid": [case(lambda x: x.sigmoid(), M), case(lambda x: x.sigmoid(), M, draw=far)],
    "relu": [case(lambda x: x.relu(), M), case(lambda x: x.relu(), M, draw=ties, smooth=False)],
    "leaky_relu": [
        case(lambda x: ops.leaky_relu(x, 0.2), M, theirs=lambda x: F.leaky_relu(x, 0.2)),
        case(ops.leaky_relu, M, theirs=F.leaky_relu, draw=ties, smooth=False),
    ],
    "elu": [
        case(lambda x: ops.elu(x, 1.5), M, theirs=lambda x: F.elu(x, 1.5)),
        case(ops.elu, M, theirs=F.elu, draw=ties, smooth=False),
    ],
    "gelu": [case(ops.gelu, M, theirs=F.gelu), case(lambda x: x.gelu(), M, theirs=F.gelu)],
    "silu": [
        case(lambda x: x.silu(), M, theirs=F.silu), case(ops.silu, M, theirs=F.silu, draw=far),
    ],
    "softplus": [
        case(lambda x: x.softplus(), M, theirs=F.softplus),
        case(ops.softplus, M, theirs=F.softplus, draw=far, smooth=False),
    ],
    "clip": [
        case(lambda x: x.clip(-0.5, 1), M), case(lambda x: x.clip(min=0), M),
        case(lambda x: x.clip(max=0), M), case(lambda x: x.clip(-1, 0), M, draw=ties, smooth=False),
    ],
    "maximum": [
        case(lambda a, b: a.maximum(b), M, ROW),
        case(lambda a, b: a.maximum(b), M, COLUMN, draw=ties, smooth=False),
    ],
    "where": [
        case(
            lambda a, b: ops.where(MASK, a, b), M, ROW,
            theirs=lambda a, b: torch.where(torch.tensor(MASK), a, b),
        ),
    ],
    "dropout": [
        case(
            lambda x: ops.dropout(x, 0.25, rng=5), M,
            theirs=lambda x: x * torch.tensor(KEPT) / 0.75,
        ),
        case(lambda x: ops.dropout(x, 0.25, training=False), M, theirs=lambda x: x * 1),
    ],
    "sum": [
        case(lambda x: x.sum(), M), case(lambda x: x.sum(0), M),
        case(lambda x: x.sum((0, -1)), CUBE),
        case(lambda x: x.sum(-1, keepdim=True), CUBE), case(lambda x: x.sum(), ()),
        case(lambda x: x.sum([1, 2], keepdim=True), CUBE),
    ],
    "mean": [
        case(lambda x: x.mean(), M), case(lambda x: x.mean(1), M),
        case(lambda x: x.mean((0, 2), keepdim=True), CUBE),
    ],
    "var": [
        case(lambda x: x.var(), M), case(lambda x: x.var(1, correction=0), M),
        case(lambda x: x.var((0, 2), keepdim=True), CUBE),
    ],
    "max": [
        case(lambda x: x.max(), M), case(lambda x: x.max(1).values, CUBE),
        case(lambda x: x.max(-1, keepdim=True).values, M),
        case(lambda x: x.max(), M, draw=ties, smooth=False),
        case(lambda x: x.max(0).values, M, draw=ties, smooth=False),
    ],
    "min": [
        case(lambda x: x.min(), M), case(lambda x: x.min(0).values, CUBE),
        case(lambda x: x.min(), M, draw=ties, smooth=False),
        case(lambda x: x.min(1, keepdim=True).values, M, draw=ties, smooth=False),
    ],
    "logsumexp": [
        case(lambda x: x.logsumexp(0), M), case(lambda x: x.logsumexp(-1, keepdim=True), CUBE),
        case(lambda x: x.logsumexp(1), CUBE, draw=far),
    ],
    "softmax": [
        case(lambda x: x.softmax(0), M), case(lambda x: x.softmax(-1), CUBE),
        case(lambda x: x.softmax(1), M, draw=far),
    ],
    "log_softmax": [
        case(lambda x: x.log_softmax(0), M), case(lambda x: x.log_softmax(-1), CUBE),
        case(lambda x: x.log_softmax(1), M, draw=far),
    ],
    "reshape": [
        case(lambda x: x.reshape(2, 6), M), case(lambda x: x.reshape((2, -1, 3)), M),
        case(lambda x: x.T.reshape(-1), M),
    ],
    "permute": [
        case(lambda x: x.permute(2, 0, 1), CUBE), case(lambda x: x.permute((-1, 0, 1)), CUBE),
        case(lambda x: x.T, M),
    ],
    "transpose": [
        case(lambda x: x.transpose(0, 2), CUBE), case(lambda x: x.transpose(-1, 0), M),
        case(lambda x: x.mT, CUBE),
    ],
    "flatten": [
        case(lambda x: x.flatten(), CUBE), case(lambda x: x.flatten(1), CUBE),
        case(lambda x: x.flatten(0, 1), CUBE), case(lambda x: x.flatten(), ()),
    ],
    "squeeze": [
        case(lambda x: x.squeeze(), (1, 3, 1, 2)), case(lambda x: x.squeeze(0), (1, 3, 1)),
        case(lambda x: x.squeeze(1), (1, 3, 1)), case(lambda x: x.squeeze(-1), (1, 3, 1)),
    ],
    "unsqueeze": [case(lambda x: x.unsqueeze(1), M), case(lambda x: x.unsqueeze(-1), M)],
    "pad": [
        case(lambda x: ops.pad(x, (1, 2)), M, theirs=lambda x: F.pad(x, (1, 2))),
        case(
            lambda x: ops.pad(x, (0, 2, 1, 0), value=1.5), CUBE,
            theirs=lambda x: F.pad(x, (0, 2, 1, 0), value=1.5),
        ),
    ],
    "getitem": [
        case(lambda x: x[1], M), case(lambda x: x[-1, 2], M), case(lambda x: x[:, 1:3], M),
        case(lambda x: x[..., None, ::2], CUBE), case(lambda x: x[[0, 0, 2]], M),
        case(lambda x: x[[0, 0, 2], [1, 1, 3]], M), case(lambda x: x[:, [3, 3, 3]], M),
        case(lambda x: x[MASK], M, theirs=lambda x: x[torch.tensor(MASK)]),
        case(lambda x: x[Tensor([2, 2, 0])], M, theirs=lambda x: x[torch.tensor([2, 2, 0])]),
        case(lambda x: x[np.int64(1)], M),
    ],
    "gather": [
        case(lambda x: x.gather(1, PICK), M, theirs=lambda x: x.gather(1, torch.tensor(PICK))),
        case(
            lambda x: x.gather(-2, PICK % 3), M,
            theirs=lambda x: x.gather(-2, torch.tensor(PICK % 3)),
        ),
    ],
    "embedding": [
        case(
            lambda w: ops.embedding(PICK, w), (5, 3),
            theirs=lambda w: F.embedding(torch.tensor(PICK), w),
        ),
    ],
    "unbind": [
        case(lambda x: weighted(x.unbind()), M), case(lambda x: weighted(x.unbind(-2)), CUBE),
        case(lambda x: x.unbind(1)[2] * x.unbind(1)[0], M), case(weighted, M),
    ],
    "chunk": [
        case(lambda x: weighted(x.chunk(2, 1)), M), case(lambda x: weighted(x.chunk(2)), (5, 3)),
        case(lambda x: x.chunk(2, -1)[1], CUBE),
    ],
    "cat": [
        case(lambda a, b: ops.cat([a, b, a]), M, (2, 4), theirs=lambda a, b: torch.cat([a, b, a])),
        case(
            lambda a, b: ops.cat([a, b], -1), CUBE, (2, 3, 1),
            theirs=lambda a, b: torch.cat([a, b], -1),
        ),
    ],
    "stack": [
        case(lambda a, b: ops.stack([a, b, a]), M, M, theirs=lambda a, b: torch.stack([a, b, a])),
        case(
            lambda a, b: ops.stack([a, b], -1), M, M, theirs=lambda a, b: torch.stack([a, b], -1)
        ),
    ],
    "attention": [
        case(
            lambda q, k, v: ops.attention(q, k, v, LOOK)[0], (2, 4, 3), (2, 5, 3), (2, 5, 6),
            theirs=lambda q, k, v: F.scaled_dot_product_attention(
                q, k, v, attn_mask=torch.tensor(~LOOK)
            ),
        ),
        case(
            lambda q, k, v: ops.attention(q, k, v)[0], (4, 3), (5, 3), (5, 6),
            theirs=F.scaled_dot_product_attention,
        ),
        case(
            lambda q, k: ops.attention(q, k, k)[1], (4, 3), (5, 3),
            theirs=lambda q, k: (q @ k.mT / 3**0.5).softmax(-1),
        ),
    ],
    "conv2d": [
        case(
            functools.partial(conv.conv2d, stride=s, padding=p, dilation=d, groups=g),
            (2, 4, 9, 10), (6, 4 // g, 3, 2), (6,),
            theirs=functools.partial(F.conv2d, stride=s, padding=p, dilation=d, groups=g),
        )
        for s, p, d, g in (
            (1, 0, 1, 1), (2, 1, 1, 1), ((2, 3), (2, 1), 1, 2), (1, 1, 2, 1), (3, 0, (1, 2), 2),
        )
    ]
    + [
        case(conv.conv2d, (2, 3, 5, 4), (3, 3, 2, 3), theirs=F.conv2d),
        case(
            lambda x, w: conv.conv2d(x, w, groups=4), (2, 4, 5, 4), (8, 1, 3, 3),
            theirs=lambda x, w: F.conv2d(x, w, groups=4),
        ),
    ],
    "conv_transpose2d": [
        case(
            functools.partial(
                conv.conv_transpose2d, stride=s, padding=p, output_padding=o, groups=g, dilation=d
            ),
            (2, 4, 5, 6), (4, 6 // g, 3, 2), (6,),
            theirs=functools.partial(
                F.conv_transpose2d, stride=s, padding=p, output_padding=o, groups=g, dilation=d
            ),
        )
        for s, p, o, g, d in (
            (1, 0, 0, 1, 1), (2, 1, 1, 1, 1), ((2, 3), (0, 1), (1, 2), 2, 1), (1, 1, 0, 2, 2),
        )
    ]
    + [case(conv.conv_transpose2d, (2, 3, 4, 4), (3, 2, 2, 3), theirs=F.conv_transpose2d)],
    "max_pool2d": [
        case(
            functools.partial(conv.max_pool2d, kernel_size=k, stride=s, padding=p, dilation=d),
            (2, 3, 9, 10),
            theirs=functools.partial(F.max_pool2d, kernel_size=k, stride=s, padding=p, dilation=d),
            draw=draw, smooth=draw is None,
        )
        for k, s, p, d in ((2, None, 0, 1), (3, 2, 1, 1), ((2, 3), 1, (1, 0), 1), (3, 1, 1, 2))
        for draw in (None, ties)
    ],
    "avg_pool2d": [
        case(
            functools.partial(conv.avg_pool2d, kernel_size=k, stride=s, padding=p), (2, 3, 9, 10),
            theirs=functools.partial(F.avg_pool2d, kernel_size=k, stride=s, padding=p),
        )
        for k, s, p in ((2, None, 0), (3, 2, 1), ((2, 3), 1, (1, 0)))
    ],
}  # fmt: skip

CLASSES = np.array([3, 0, 1, 1, 2])
SIGNS = np.sign(np.random.default_rng(2).standard_normal((5, 4)))
SCORES = (5, 4)


def loss(ours, theirs, *inputs, targets=None, reductions=("mean", "sum", "none"), **options):
    """A case for each way to reduce; `targets` are constants, further inputs get gradients."""
    ours_too = [] if targets is None else [targets]
    theirs_too = [torch.tensor(t) for t in ours_too]
    return [
        case(
            lambda *x, r=r: ours(*x, *ours_too, reduction=r), *inputs,
            theirs=lambda *x, r=r: theirs(
                *x, *(t if t.dtype == torch.int64 else t.to(x[0].dtype) for t in theirs_too),
                reduction=r,
            ),
            **options,
        )
        for r in reductions
    ]  # fmt: skip


def torch_hinge(scores, targets, reduction):
    values = (1 - scores * targets).relu()
    return values if reduction == "none" else getattr(values, reduction)()


LOSSES = {
    "cross_entropy": [
        *loss(losses.cross_entropy, F.cross_entropy, SCORES, targets=CLASSES),
        *loss(losses.cross_entropy, F.cross_entropy, SCORES, targets=CLASSES, draw=far),
    ],
    "nll_loss": loss(losses.nll_loss, F.nll_loss, SCORES, targets=CLASSES),
    "binary_cross_entropy_with_logits": [
        *loss(
            losses.binary_cross_entropy_with_logits, F.binary_cross_entropy_with_logits, SCORES,
            targets=(SIGNS + 1) / 2,
        ),
        *loss(
            losses.binary_cross_entropy_with_logits, F.binary_cross_entropy_with_logits, SCORES,
            targets=probabilities(np.random.default_rng(3), SCORES), draw=far, smooth=False,
        ),
    ],
    "l1_loss": [
        *loss(losses.l1_loss, F.l1_loss, SCORES, SCORES),
        *loss(losses.l1_loss, F.l1_loss, SCORES, SCORES, draw=ties, smooth=False),
    ],
    "mse_loss": loss(losses.mse_loss, F.mse_loss, SCORES, SCORES),
    "rmse_loss": [
        case(losses.rmse_loss, SCORES, SCORES, theirs=lambda y, t: F.mse_loss(y, t).sqrt())
    ],
    "huber_loss": [
        *loss(losses.huber_loss, F.huber_loss, SCORES, SCORES),
        *loss(
            functools.partial(losses.huber_loss, delta=0.3),
            functools.partial(F.huber_loss, delta=0.3), SCORES, SCORES,
        ),
    ],
    "hinge_loss": loss(losses.hinge_loss, torch_hinge, SCORES, targets=SIGNS),
    "multi_margin_loss": [
        *loss(losses.multi_margin_loss, F.multi_margin_loss, SCORES, targets=CLASSES),
        *loss(
            functools.partial(losses.multi_margin_loss, margin=0.4),
            functools.partial(F.multi_margin_loss, margin=0.4), SCORES, targets=CLASSES,
        ),
    ],
    "kl_div": loss(
        losses.kl_div, F.kl_div, SCORES, SCORES, draw=probabilities, smooth=True,
        reductions=("mean", "sum", "none", "batchmean"),
    ),
}  # fmt: skip

T = torch.nn
PICTURES = (3, 4, 5, 6)

# name: (ours, PyTorch's, shapes of the inputs)
LAYERS = {
    "Linear": (lambda: nn.Linear(4, 3), lambda: T.Linear(4, 3), [(2, 5, 4)]),
    "Linear without bias": (
        lambda: nn.Linear(4, 3, bias=False), lambda: T.Linear(4, 3, bias=False), [(5, 4)],
    ),
    "Conv2d": (
        lambda: nn.Conv2d(4, 6, (3, 2), 2, 1, 1, 2), lambda: T.Conv2d(4, 6, (3, 2), 2, 1, 1, 2),
        [PICTURES],
    ),
    "Conv2d without bias": (
        lambda: nn.Conv2d(4, 2, 3, bias=False), lambda: T.Conv2d(4, 2, 3, bias=False), [PICTURES],
    ),
    "ConvTranspose2d": (
        lambda: nn.ConvTranspose2d(4, 6, 3, 2, 1, 1, 2),
        lambda: T.ConvTranspose2d(4, 6, 3, 2, 1, 1, 2), [PICTURES],
    ),
    "BatchNorm2d": (lambda: nn.BatchNorm2d(4), lambda: T.BatchNorm2d(4), [PICTURES]),
    "BatchNorm2d, eval": (
        lambda: nn.BatchNorm2d(4).eval(), lambda: T.BatchNorm2d(4).eval(), [PICTURES],
    ),
    "BatchNorm1d": (lambda: nn.BatchNorm1d(3), lambda: T.BatchNorm1d(3), [(7, 3)]),
    "BatchNorm1d of sequences": (
        lambda: nn.BatchNorm1d(3, momentum=0.3), lambda: T.BatchNorm1d(3, momentum=0.3),
        [(2, 3, 5)],
    ),
    "LayerNorm": (lambda: nn.LayerNorm(5), lambda: T.LayerNorm(5), [(2, 3, 5)]),
    "LayerNorm of two axes": (
        lambda: nn.LayerNorm((3, 5)), lambda: T.LayerNorm((3, 5)), [(2, 3, 5)],
    ),
    "GroupNorm": (lambda: nn.GroupNorm(2, 4), lambda: T.GroupNorm(2, 4), [PICTURES]),
    "InstanceNorm2d": (lambda: nn.InstanceNorm2d(4), lambda: T.InstanceNorm2d(4), [PICTURES]),
    "InstanceNorm2d, affine": (
        lambda: nn.InstanceNorm2d(4, affine=True), lambda: T.InstanceNorm2d(4, affine=True),
        [PICTURES],
    ),
    "RNN": (lambda: nn.RNN(3, 4), lambda: T.RNN(3, 4), [(5, 2, 3)]),
    "RNN from a state": (lambda: nn.RNN(3, 4), lambda: T.RNN(3, 4), [(5, 2, 3), (1, 2, 4)]),
    "RNN, batch first": (
        lambda: nn.RNN(3, 4, batch_first=True), lambda: T.RNN(3, 4, batch_first=True), [(2, 5, 3)],
    ),
    "GRU": (lambda: nn.GRU(3, 4), lambda: T.GRU(3, 4), [(5, 2, 3)]),
    "GRU, batch first, from a state": (
        lambda: nn.GRU(3, 4, batch_first=True), lambda: T.GRU(3, 4, batch_first=True),
        [(2, 5, 3), (1, 2, 4)],
    ),
    "LSTM": (lambda: nn.LSTM(3, 4), lambda: T.LSTM(3, 4), [(5, 2, 3)]),
    "LSTM, batch first": (
        lambda: nn.LSTM(3, 4, batch_first=True), lambda: T.LSTM(3, 4, batch_first=True),
        [(2, 5, 3)],
    ),
    "MultiheadAttention": (
        lambda: nn.MultiheadAttention(8, 2), lambda: T.MultiheadAttention(8, 2),
        [(4, 3, 8), (5, 3, 8), (5, 3, 8)],
    ),
    "MultiheadAttention, batch first": (
        lambda: nn.MultiheadAttention(8, 4, batch_first=True),
        lambda: T.MultiheadAttention(8, 4, batch_first=True), [(3, 4, 8), (3, 5, 8), (3, 5, 8)],
    ),
    "Flatten": (lambda: nn.Flatten(), lambda: T.Flatten(), [PICTURES]),
    "MaxPool2d": (lambda: nn.MaxPool2d(3, 2, 1), lambda: T.MaxPool2d(3, 2, 1), [PICTURES]),
    "AvgPool2d": (lambda: nn.AvgPool2d(2), lambda: T.AvgPool2d(2), [PICTURES]),
    "Dropout, eval": (lambda: nn.Dropout().eval(), lambda: T.Dropout().eval(), [M]),
    "ReLU": (nn.ReLU, T.ReLU, [M]),
    "Tanh": (nn.Tanh, T.Tanh, [M]),
    "Sigmoid": (nn.Sigmoid, T.Sigmoid, [M]),
    "GELU": (nn.GELU, T.GELU, [M]),
    "SiLU": (nn.SiLU, T.SiLU, [M]),
    "Softplus": (nn.Softplus, T.Softplus, [M]),
    "LeakyReLU": (lambda: nn.LeakyReLU(0.3), lambda: T.LeakyReLU(0.3), [M]),
    "ELU": (lambda: nn.ELU(0.7), lambda: T.ELU(0.7), [M]),
    "Softmax": (lambda: nn.Softmax(1), lambda: T.Softmax(1), [M]),
    "Sequential": (
        lambda: nn.Sequential(
            nn.Conv2d(4, 3, 3), nn.BatchNorm2d(3), nn.ReLU(), nn.Flatten(), nn.Linear(36, 2)
        ),
        lambda: T.Sequential(
            T.Conv2d(4, 3, 3), T.BatchNorm2d(3), T.ReLU(), T.Flatten(), T.Linear(36, 2)
        ),
        [PICTURES],
    ),
}  # fmt: skip


def all_cases():
    """(name, case) for every operation and loss, the name with the case's number."""
    for name, cases in (CASES | LOSSES).items():
        for number, one in enumerate(cases):
            yield f"{name} {number}", one


def assert_close(ours, theirs, dtype, what):
    ours = np.asarray(ours)
    theirs = theirs.detach().numpy()
    assert ours.shape == theirs.shape, f"{what}: shape {ours.shape}, PyTorch's {theirs.shape}"
    assert ours.dtype == theirs.dtype, f"{what}: dtype {ours.dtype}, PyTorch's {theirs.dtype}"
    scale = max(1.0, np.abs(theirs).max(initial=0.0))
    np.testing.assert_allclose(
        ours, theirs, rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype] * scale, err_msg=what
    )


def draw(one, seed):
    rng = np.random.default_rng(seed)
    draw_one = one.draw or (lambda rng, shape: rng.standard_normal(shape))
    return [np.asarray(draw_one(rng, shape)) for shape in one.inputs]


def compare(one, dtype=np.float64, seed=0, arrange=lambda array: array):
    """Run a case in both engines: value, gradient of every input, shapes and dtypes must agree."""
    arrays = [arrange(array.astype(dtype)) for array in draw(one, seed)]
    tensors = [Tensor(array, requires_grad=True) for array in arrays]
    references = [torch.tensor(array, requires_grad=True) for array in arrays]
    result, expected = one.ours(*tensors), (one.theirs or one.ours)(*references)
    assert_close(result, expected, dtype, "value")
    upstream = np.random.default_rng(seed + 1).standard_normal(result.shape).astype(dtype)
    result.backward(upstream)
    expected.backward(torch.tensor(upstream))
    for i, (tensor, reference) in enumerate(zip(tensors, references, strict=True)):
        assert_close(tensor.grad, reference.grad, dtype, f"gradient of input {i}")


def flat(outputs):
    """The tensors in nested tuples, in order."""
    if not isinstance(outputs, tuple):
        return [outputs]
    return [tensor for part in outputs for tensor in flat(part)]


def compare_layers(name, dtype=np.float64, seed=0):
    """Run a layer in both engines with PyTorch's weights: outputs, all gradients, and buffers."""
    build_ours, build_theirs, shapes = LAYERS[name]
    torch.manual_seed(seed)
    ours, theirs = build_ours(), build_theirs()
    if dtype is np.float64:
        ours, theirs = ours.double(), theirs.double()
    for parameter in theirs.parameters():  # weights of norms all start at 1, biases at 0
        parameter.data += 0.1 * torch.randn_like(parameter)
    ours.load_state_dict(theirs.state_dict())

    rng = np.random.default_rng(seed)
    arrays = [rng.standard_normal(shape).astype(dtype) for shape in shapes]
    tensors = [Tensor(array, requires_grad=True) for array in arrays]
    references = [torch.tensor(array, requires_grad=True) for array in arrays]
    total, expected_total = 0, 0
    for output, expected in zip(flat(ours(*tensors)), flat(theirs(*references)), strict=True):
        assert_close(output, expected, dtype, "output")
        upstream = rng.standard_normal(output.shape).astype(dtype)
        total = total + (output * upstream).sum()
        expected_total = expected_total + (expected * torch.tensor(upstream)).sum()
    total.backward()
    expected_total.backward()
    for tensor, reference in zip(tensors, references, strict=True):
        assert_close(tensor.grad, reference.grad, dtype, "gradient of an input")
    for path, parameter in ours.named_parameters():
        assert_close(parameter.grad, theirs.get_parameter(path).grad, dtype, f"gradient of {path}")
    for path, value in theirs.state_dict().items():
        np.testing.assert_allclose(ours.state_dict()[path], value.numpy(), rtol=1e-5, err_msg=path)

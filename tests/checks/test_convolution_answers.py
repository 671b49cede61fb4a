"""Right, empty, unusual and wrong answers to the convolution assignment, and what each is told."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from dlcourse.checks import convolution as check

CHECKS = {
    "output_and_field": 1.0,
    "convolve": 2.0,
    "convolve_backward": 2.0,
    "max_pool": 1.0,
    "LeNet": 2.5,
    "ResidualBlock": 1.5,
}

# --- right answers, with one place for a mistake each ---------------------------------------------


def sizes(size, layers, one=lambda n, k, s, p, d: (n + 2 * p - d * (k - 1) - 1) // s + 1):
    for layer in layers:
        size = one(size, *layer)
    return size


def field(layers, grow=lambda k, s, d, jump: d * (k - 1) * jump, step=lambda jump, s: jump * s):
    seen, jump = 1, 1
    for k, s, _, d in layers:
        seen += grow(k, s, d, jump)
        jump = step(jump, s)
    return seen


def slide(x, weight, bias, stride, padding, steps=None, mode="constant"):
    x = F.pad(x[None], (padding,) * 4, mode=mode)[0]
    (down, right), (high, wide) = steps or (stride, stride), weight.shape[2:]
    windows = x.unfold(1, high, down).unfold(2, wide, right)
    return torch.einsum("chwpq,fcpq->fhw", windows, weight) + bias[:, None, None]


def back(x, weight, g, stride, padding, add=True, turn=False, crop=True):
    padded = F.pad(x, (padding,) * 4)
    dx, dw = torch.zeros_like(padded), torch.zeros_like(weight)
    high, wide = weight.shape[2:]
    shown = weight.flip(2, 3) if turn else weight
    for i in range(g.shape[2]):
        for j in range(g.shape[3]):
            here = np.s_[:, :, i * stride : i * stride + high, j * stride : j * stride + wide]
            dw += torch.einsum("bf,bcpq->fcpq", g[:, :, i, j], padded[here])
            share = torch.einsum("bf,fcpq->bcpq", g[:, :, i, j], shown)
            dx[here] = dx[here] * add + share
    inside = slice(padding, -padding or None)
    return (dx[:, :, inside, inside] if crop else dx), dw


class Net(nn.Module):
    """A LeNet whose parts can be changed one by one."""

    act, pool, last = (staticmethod(f) for f in (torch.relu, F.max_pool2d, lambda scores: scores))
    kernel, padding, bias, features = 5, 2, True, 400

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 6, self.kernel, padding=self.padding, bias=self.bias)
        self.conv2 = nn.Conv2d(6, 16, self.kernel, bias=self.bias)
        self.fc1 = nn.Linear(self.features, 120)
        self.fc2 = nn.Linear(120, 84)
        self.fc3 = nn.Linear(84, 10)

    def flat(self, x):
        return x.flatten(1)

    def forward(self, x):
        x = self.pool(self.act(self.conv1(x)), 2)
        x = self.flat(self.pool(self.act(self.conv2(x)), 2))
        return self.last(self.fc3(self.act(self.fc2(self.act(self.fc1(x))))))


class Block(nn.Module):
    """A residual block whose parts can be changed one by one."""

    bias, second = False, 1

    def __init__(self, came, went, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(came, went, 3, stride, 1, bias=self.bias)
        self.norm1 = nn.BatchNorm2d(went)
        self.conv2 = nn.Conv2d(went, went, 3, self.second, 1, bias=self.bias)
        self.norm2 = nn.BatchNorm2d(went)
        self.way = self.around(came, went, stride)

    def around(self, came, went, stride):
        if came == went and stride == 1:
            return nn.Identity()
        return nn.Sequential(nn.Conv2d(came, went, 1, stride, bias=False), nn.BatchNorm2d(went))

    def inner(self, x):
        return self.norm2(self.conv2(torch.relu(self.norm1(self.conv1(x)))))

    def forward(self, x):
        return torch.relu(self.inner(x) + self.way(x))


# --- wrong answers --------------------------------------------------------------------------------


def no_plus_one(n, layers):
    return sizes(n, layers, lambda n, k, s, p, d: (n + 2 * p - d * (k - 1) - 1) // s), field(layers)


def padded_once(n, layers):
    return sizes(n, layers, lambda n, k, s, p, d: (n + p - d * (k - 1) - 1) // s + 1), field(layers)


def not_dilated(n, layers):
    return sizes(n, layers, lambda n, k, s, p, d: (n + 2 * p - k) // s + 1), field(layers)


def rounded_up(n, layers):
    up = lambda n, k, s, p, d: math.ceil((n + 2 * p - d * (k - 1) - 1) / s) + 1
    return sizes(n, layers, up), field(layers)


def first_layer_only(n, layers):
    return sizes(n, layers[:1]), field(layers)


def field_without_strides(n, layers):
    return sizes(n, layers), field(layers, step=lambda jump, s: jump)


def field_with_own_stride(n, layers):
    return sizes(n, layers), field(layers, lambda k, s, d, jump: d * (k - 1) * jump * s)


def field_of_whole_kernels(n, layers):
    return sizes(n, layers), field(layers, lambda k, s, d, jump: d * k * jump)


def field_from_zero(n, layers):
    return sizes(n, layers), field(layers) - 1


def field_backwards(n, layers):
    return sizes(n, layers), field(layers[::-1])


def eats_the_layers(n, layers):
    right = sizes(n, layers), field(layers)
    while layers:
        layers.pop()
    return right


def turned(x, weight, bias, stride, padding):
    return slide(x, weight.flip(2, 3), bias, stride, padding)


def one_place_less(x, weight, bias, stride, padding):
    return slide(x, weight, bias, stride, padding)[:, :-1, :-1]


def without_bias(x, weight, bias, stride, padding):
    return slide(x, weight, bias * 0, stride, padding)


def bias_for_each_channel(x, weight, bias, stride, padding):
    return slide(x, weight, bias * len(x), stride, padding)


def last_channel_only(x, weight, bias, stride, padding):
    return slide(x[-1:], weight[:, -1:], bias, stride, padding)


def without_padding(x, weight, bias, stride, padding):
    return slide(x, weight, bias, stride, 0)


def padded_with_the_border(x, weight, bias, stride, padding):
    return slide(x, weight, bias, stride, padding, mode="replicate")


def stride_for_rows_only(x, weight, bias, stride, padding):
    return slide(x, weight, bias, stride, padding, (stride, 1))


def without_stride(x, weight, bias, stride, padding):
    return slide(x, weight, bias, 1, padding)


def spoils_weight(x, weight, bias, stride, padding):
    y = slide(x, weight, bias, stride, padding)
    weight.mul_(2)
    return y


def mean_over_batch(x, weight, g, stride, padding):
    dx, dw = back(x, weight, g, stride, padding)
    return dx, dw / len(x)


def one_example(x, weight, g, stride, padding):
    return back(x, weight, g, stride, padding)[0], back(x[:1], weight, g[:1], stride, padding)[1]


def dw_turned(x, weight, g, stride, padding):
    dx, dw = back(x, weight, g, stride, padding)
    return dx, dw.flip(2, 3)


def dx_turned(x, weight, g, stride, padding):
    return back(x, weight, g, stride, padding, turn=True)


def overwrites(x, weight, g, stride, padding):
    return back(x, weight, g, stride, padding, add=False)


def leaves_the_padding(x, weight, g, stride, padding):
    return back(x, weight, g, stride, padding, crop=False)


def only_stride_one(x, weight, g, stride, padding):
    dx = F.conv_transpose2d(g, weight, padding=padding)
    return dx, back(x, weight, g, stride, padding)[1]


def swapped(x, weight, g, stride, padding):
    return back(x, weight, g, stride, padding)[::-1]


def means(x, size, stride):
    return F.avg_pool2d(x, size, stride)


def minima(x, size, stride):
    return -F.max_pool2d(-x, size, stride)


def from_zero(x, size, stride):
    return F.max_pool2d(x, size, stride).clamp(min=0)


def across_channels(x, size, stride):
    return F.max_pool2d(x, size, stride).amax(1)


def side_by_side(x, size, stride):
    return F.max_pool2d(x, size)


def keeps_the_rest(x, size, stride):
    return F.max_pool2d(x, size, stride, ceil_mode=True)


class NoPadding(Net):
    padding, features = 0, 256


class NoPaddingButAllFeatures(Net):
    padding = 0


class SmallKernels(Net):
    kernel, padding, features = 3, 1, 576


class NoBias(Net):
    bias = False


class Probabilities(Net):
    last = staticmethod(lambda scores: scores.softmax(1))


class Logarithms(Net):
    last = staticmethod(lambda scores: F.log_softmax(scores, dim=-1))


class SoftmaxOverBatch(Net):
    last = staticmethod(lambda scores: scores.softmax(0))


class LastReLU(Net):
    last = staticmethod(torch.relu)


class NoReLU(Net):
    act = staticmethod(lambda x: x)


class Sigmoids(Net):
    act = staticmethod(torch.sigmoid)


class Means(Net):
    pool = staticmethod(F.avg_pool2d)


class OneReLUMissing(Net):
    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        return self.fc3(F.relu(self.fc2(self.fc1(x.flatten(1)))))


class MixedFlatten(Net):
    def flat(self, x):
        return x.reshape(400, -1).T


class OtherOrder(Net):
    def flat(self, x):
        return x.permute(0, 2, 3, 1).flatten(1)


class NoSuper(nn.Module):
    def __init__(self):
        self.conv1 = nn.Conv2d(1, 6, 5, padding=2)


class PlainList(nn.Module):
    def __init__(self):
        super().__init__()
        net = Net()
        self.layers = [net.conv1, net.conv2, net.fc1, net.fc2, net.fc3]

    def forward(self, x):
        for conv in self.layers[:2]:
            x = F.max_pool2d(torch.relu(conv(x)), 2)
        x = x.flatten(1)
        for linear in self.layers[2:4]:
            x = torch.relu(linear(x))
        return self.layers[4](x)


class HalfInAList(PlainList):
    def __init__(self):
        super().__init__()
        self.linear = nn.ModuleList(self.layers[2:])


class ReturnsNothing(Net):
    def forward(self, x):
        super().forward(x)


class Detached(Net):
    def flat(self, x):
        return x.flatten(1).detach()


class WithoutGradient(Net):
    def forward(self, x):
        with torch.no_grad():
            return super().forward(x)


class FromNumPy(Net):
    def forward(self, x):
        return torch.tensor(super().forward(x).tolist())


class ReturnsNumPy(Net):
    def forward(self, x):
        return super().forward(x).detach().numpy()


class DropoutAlwaysOn(Net):
    def flat(self, x):
        return F.dropout(x.flatten(1), 0.5)


class MadeInForward(Net):
    def __init__(self):
        super().__init__()
        del self.fc3

    def forward(self, x):
        self.fc3 = nn.Linear(84, 10)
        return super().forward(x)


class Doubles(Net):
    def __init__(self):
        super().__init__()
        self.double()


class ExtraNorm(Net):
    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm1d(400)

    def flat(self, x):
        return self.norm(x.flatten(1))


class SkipsTheLast(Net):
    def forward(self, x):
        self.fc3, kept = nn.Identity(), self.fc3
        scores = super().forward(x)[:, :10]
        self.fc3 = kept
        return scores


class Classes(Net):
    def forward(self, x):
        return super().forward(x).argmax(1)


class Misspelled(nn.Module):
    def foward(self, x):
        return x


class NotWritten(Net):
    def forward(self, x):
        raise NotImplementedError()


class NoModule:
    def __call__(self, x):
        return torch.zeros(len(x), 10)


class Constant(Net):
    def forward(self, x):
        return self.fc3.bias.expand(len(x), 10)


class Linear(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(784, 10)

    def forward(self, x):
        return self.fc(x.flatten(1))


class ScalesItsInput(Net):
    def forward(self, x):
        x -= 0.5
        return super().forward(x)


class NoShortcut(Block):
    def forward(self, x):
        inner = self.inner(x)
        return torch.relu(inner if x.shape == inner.shape else inner + self.way(x))


class NoLastReLU(Block):
    def forward(self, x):
        return self.inner(x) + self.way(x)


class ReLUBeforeTheSum(Block):
    def forward(self, x):
        return torch.relu(self.inner(x)) + self.way(x)


class NoReLUBetween(Block):
    def inner(self, x):
        return self.norm2(self.conv2(self.norm1(self.conv1(x))))


class BothWithBias(Block):
    bias = True


class NoStride(Block):
    def __init__(self, came, went, stride):
        super().__init__(came, went, 1)


class AlwaysAConvolution(Block):
    def around(self, came, went, stride):
        return nn.Sequential(nn.Conv2d(came, went, 1, stride, bias=False), nn.BatchNorm2d(went))


class WayWithoutNorm(Block):
    def around(self, came, went, stride):
        way = super().around(came, went, stride)
        return way if came == went else way[0]


class AlwaysTraining(Block):
    def inner(self, x):
        for norm in (self.norm1, self.norm2):
            norm.train()
        return super().inner(x)


class NeverTraining(Block):
    def inner(self, x):
        for norm in (self.norm1, self.norm2):
            norm.eval()
        return super().inner(x)


class AddsInPlace(Block):
    def forward(self, x):
        inner = self.inner(x)
        if x.shape != inner.shape:
            return torch.relu(inner + self.way(x))
        x += inner
        return torch.relu(x)


class DetachedWay(Block):
    def forward(self, x):
        return torch.relu(self.inner(x) + self.way(x).detach())


# (answer, check, points it may earn, words that its hint must hold)
WRONG = [
    (no_plus_one, "output_and_field", 0.4, "the + 1 is missing"),
    (padded_once, "output_and_field", 0.4, "it counts twice"),
    (not_dilated, "output_and_field", 0.4, "the dilation is missing"),
    (rounded_up, "output_and_field", 0.4, "round down"),
    (first_layer_only, "output_and_field", 0.4, "what the first layer gives"),
    (field_without_strides, "output_and_field", 0.5, "the strides are missing"),
    (field_with_own_stride, "output_and_field", 0.5, "own stride does not widen"),
    (field_of_whole_kernels, "output_and_field", 0.5, "counted already"),
    (field_from_zero, "output_and_field", 0.5, "start from 1"),
    (field_backwards, "output_and_field", 0.5, "the order is wrong"),
    (eats_the_layers, "output_and_field", 0.9, "changed its input `layers`"),
    (turned, "convolve", 0.0, "turned by 180 degrees"),
    (one_place_less, "convolve", 0.0, "H - k + 1 places"),
    (without_bias, "convolve", 0.5, "the bias is missing"),
    (bias_for_each_channel, "convolve", 0.5, "added once for each channel"),
    (last_channel_only, "convolve", 0.5, "only the last channel"),
    (without_padding, "convolve", 1.0, "the padding is missing"),
    (padded_with_the_border, "convolve", 1.0, "pad with zeros"),
    (stride_for_rows_only, "convolve", 1.4, "not for rows alone"),
    (without_stride, "convolve", 1.4, "the stride is missing"),
    (spoils_weight, "convolve", 1.8, "changed its input `weight`"),
    (mean_over_batch, "convolve_backward", 0.9, "mean over the batch"),
    (one_example, "convolve_backward", 0.9, "first example alone"),
    (dw_turned, "convolve_backward", 0.9, "turned by 180 degrees: entry"),
    (dx_turned, "convolve_backward", 0.9, "it must be turned"),
    (overwrites, "convolve_backward", 0.9, "has overwritten the others"),
    (leaves_the_padding, "convolve_backward", 1.5, "cut the padding off"),
    (only_stride_one, "convolve_backward", 1.5, "expected"),
    (swapped, "convolve_backward", 0.0, "`return dx, dweight`, in this order"),
    (means, "max_pool", 0.0, "this is the mean"),
    (minima, "max_pool", 0.0, "the smallest value"),
    (from_zero, "max_pool", 0.0, "may be negative"),
    (across_channels, "max_pool", 0.0, "pooled on its own"),
    (side_by_side, "max_pool", 0.5, "`stride` apart"),
    (keeps_the_rest, "max_pool", 0.5, "does not fit is left out"),
    (NoPadding, "LeNet", 0.4, "the first convolution has `padding=2`"),
    (NoPaddingButAllFeatures, "LeNet", 0.0, "Print the shapes"),
    (SmallKernels, "LeNet", 0.4, "The kernels are 5 x 5"),
    (NoBias, "LeNet", 0.4, "What is missing is 6 + 16 = 22"),
    (Probabilities, "LeNet", 1.2, "these are probabilities"),
    (Logarithms, "LeNet", 1.2, "logarithms of probabilities"),
    (SoftmaxOverBatch, "LeNet", 0.0, "change with the others in its batch"),
    (LastReLU, "LeNet", 1.2, "a ReLU behind the last layer"),
    (NoReLU, "LeNet", 1.2, "no ReLU anywhere"),
    (Sigmoids, "LeNet", 1.2, "a sigmoid where a ReLU"),
    (Means, "LeNet", 1.2, "not the mean"),
    (OneReLUMissing, "LeNet", 1.2, "the ReLU behind the layer of 120 is missing"),
    (MixedFlatten, "LeNet", 0.5, "flatten with `x.flatten(1)`"),
    (OtherOrder, "LeNet", 1.2, "stand in another order"),
    (NoSuper, "LeNet", 0.0, "Let `super().__init__()` be the first line"),
    (PlainList, "LeNet", 0.4, "In a plain list it is not found"),
    (HalfInAList, "LeNet", 0.4, "No parameter of shape (6, 1, 5, 5)"),
    (ReturnsNothing, "LeNet", 0.0, "it returned None"),
    (Detached, "LeNet", 1.8, "No gradient reaches `conv1.weight`, `conv1.bias`"),
    (WithoutGradient, "LeNet", 1.8, "No gradient reaches any parameter"),
    (FromNumPy, "LeNet", 1.8, "a new tensor made from numbers"),
    (ReturnsNumPy, "LeNet", 1.8, "returned a ndarray, which has no gradient"),
    (DropoutAlwaysOn, "LeNet", 0.0, "is a dropout always on"),
    (MadeInForward, "LeNet", 0.0, "Is a layer made in `forward`"),
    (Doubles, "LeNet", 0.0, "The inputs are float32"),
    (ExtraNorm, "LeNet", 0.4, "more than was asked for. Look at `norm.weight` (400,)"),
    (SkipsTheLast, "LeNet", 0.4, "new numbers in it change no output"),
    (Classes, "LeNet", 0.0, "gives shape (5,)"),
    (Misspelled, "LeNet", 0.0, "has no `forward`"),
    (NotWritten, "LeNet", 0.0, "`NotWritten.forward` is not written yet"),
    (NoModule, "LeNet", 0.0, "it is no nn.Module"),
    (Constant, "LeNet", 0.0, "The outputs are the same for different inputs"),
    (Linear, "LeNet", 0.4, "has 7,850 parameters, expected 61,706"),
    (ScalesItsInput, "LeNet", 1.2, "line by line"),
    (NoShortcut, "ResidualBlock", 1.1, "the shortcut is missing"),
    (NoLastReLU, "ResidualBlock", 0.8, "the ReLU behind the sum is missing"),
    (ReLUBeforeTheSum, "ResidualBlock", 0.8, "behind the sum, not before it"),
    (NoReLUBetween, "ResidualBlock", 0.8, "between the convolutions is missing"),
    (BothWithBias, "ResidualBlock", 0.2, "Look at `conv1.weight` (4, 4, 3, 3), `conv1.bias` (4,)"),
    (NoStride, "ResidualBlock", 0.3, "expected (4, 5, 4, 3)"),
    (AlwaysAConvolution, "ResidualBlock", 0.2, "Look at `way.0.weight`"),
    (WayWithoutNorm, "ResidualBlock", 0.2, "or a norm?"),
    (AlwaysTraining, "ResidualBlock", 0.3, "change with the others in its batch"),
    (NeverTraining, "ResidualBlock", 0.8, "from the batch at hand"),
    (AddsInPlace, "ResidualBlock", 1.1, "changed its input `x`"),
    (DetachedWay, "ResidualBlock", 1.2, "No gradient reaches `way.0.weight`"),
]


# --- honest and unusual: full marks ---------------------------------------------------------------


def counts_places(n, layers):
    for kernel, stride, padding, dilation in layers:
        n = len(range(0, n + 2 * padding - dilation * (kernel - 1), stride))
    return [float(n), np.int64(field(layers))]


def as_a_tensor(n, layers):
    return torch.tensor([sizes(n, layers), field(layers)])


def by_unfold(picture, kernels, offsets, step, zeros):
    kh, kw = kernels.shape[2:]
    columns = F.unfold(picture[None], (kh, kw), padding=zeros, stride=step)[0]
    rows = (picture.shape[1] + 2 * zeros - kh) // step + 1
    return (kernels.flatten(1) @ columns + offsets[:, None]).reshape(len(kernels), rows, -1)


def in_numpy(x, weight, bias, stride, padding):
    x, weight, bias = x.numpy().astype(float), weight.numpy(), bias.numpy()
    x = np.pad(x, ((0, 0), (padding, padding), (padding, padding)))
    windows = np.lib.stride_tricks.sliding_window_view(x, weight.shape[2:], (1, 2))
    windows = windows[:, ::stride, ::stride]
    return (np.einsum("chwpq,fcpq->fhw", windows, weight) + bias[:, None, None]).tolist()


def in_double(x, weight, bias, stride, padding):
    return slide(x.double(), weight.double(), bias.double(), stride, padding)


def by_autograd(x, weight, g, stride, padding):
    x, weight = x.clone().requires_grad_(), nn.Parameter(weight)
    y = F.conv2d(x, weight, stride=stride, padding=padding)
    return torch.autograd.grad(y, (x, weight), g)


def by_transposing(x, weight, g, stride, padding):
    shape = x.shape
    dx = nn.grad.conv2d_input(shape, weight, g, stride, padding)
    return [dx.numpy(), nn.grad.conv2d_weight(x, weight.shape, g, stride, padding)]


def pools_by_loops(x, size, stride):
    rows, columns = ((n - size) // stride + 1 for n in x.shape[2:])
    y = torch.full((*x.shape[:2], rows, columns), -torch.inf)
    for p in range(size):
        for q in range(size):
            seen = x[:, :, p : p + stride * rows : stride, q : q + stride * columns : stride]
            y = torch.maximum(y, seen)
    return y


class InSequence(nn.Module):
    def __init__(self, classes=10):
        super().__init__()
        conv = lambda *sizes, **more: [nn.Conv2d(*sizes, **more), nn.ReLU(), nn.MaxPool2d(2)]
        self.body = nn.Sequential(*conv(1, 6, 5, padding="same"), *conv(6, 16, 5), nn.Flatten())
        self.head = nn.Sequential(nn.LazyLinear(120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU())
        self.last = nn.Linear(84, classes)

    def forward(self, pictures):
        return self.last(self.head(self.body(pictures)))


class AllConvolutions(nn.Module):
    """Linear layers as convolutions, and a dropout that eval mode switches off."""

    def __init__(self):
        super().__init__()
        self.e = nn.Conv2d(84, 10, 1)
        self.d = nn.Conv2d(120, 84, 1)
        self.c = nn.Conv2d(16, 120, 5)
        self.b = nn.Conv2d(6, 16, 5)
        self.a = nn.Conv2d(1, 6, 5, padding=2)
        self.drop = nn.Dropout(0.05)

    def forward(self, x):
        x = F.relu(F.max_pool2d(self.b(F.relu(F.max_pool2d(self.a(x), 2))), 2))
        return self.e(self.d(self.c(x).clamp(min=0)).relu()).flatten(1) + 0 * self.drop(x).mean()


class OwnParameters(nn.Module):
    def __init__(self):
        super().__init__()
        shapes = [(6, 1, 5, 5), (16, 6, 5, 5), (120, 400), (84, 120), (10, 84)]
        self.w = nn.ParameterList(nn.Parameter(0.1 * torch.randn(s)) for s in shapes)
        self.b = nn.ParameterList(nn.Parameter(torch.zeros(s[0])) for s in shapes)
        self.register_buffer("scale", torch.ones(3))

    def forward(self, x):
        w, b = self.w, self.b
        x = F.unfold(x, 5, padding=2)
        x = torch.einsum("fk,bkn->bfn", w[0].flatten(1), x) + b[0][:, None]
        x = F.max_pool2d(x.relu().reshape(-1, 6, 28, 28), 2)
        x = F.max_pool2d(F.conv2d(x, w[1], b[1]).relu(), 2).flatten(1)
        x = (x @ w[2].T + b[2]).relu()
        return torch.addmm(b[4], torch.einsum("bi,oi->bo", x, w[3]).add(b[3]).relu(), w[4].T)


class BlockInSequence(nn.Module):
    def __init__(self, inputs, outputs, stride=1):
        super().__init__()
        same = stride == 1 and inputs == outputs
        self.skip = None if same else nn.Conv2d(inputs, outputs, 1, stride, bias=False)
        self.skip_norm = None if same else nn.BatchNorm2d(outputs)
        self.body = nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs),
            nn.ReLU(inplace=True),
            nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False), nn.BatchNorm2d(outputs),
        )  # fmt: skip

    def forward(self, x):
        y = self.body(x)
        y += x if self.skip is None else self.skip_norm(self.skip(x))
        return y.relu_()


class BlockOtherWayRound(Block):
    """The layers of one shape, made in the other order."""

    def __init__(self, came, went, stride):
        nn.Module.__init__(self)
        self.way = self.around(came, went, stride)
        self.norm2, self.norm1 = nn.BatchNorm2d(went), nn.BatchNorm2d(went)
        self.conv2 = nn.Conv2d(went, went, 3, 1, 1, bias=False)
        self.conv1 = nn.Conv2d(came, went, 3, stride, 1, bias=False)


HONEST = [
    (counts_places, "output_and_field"),
    (as_a_tensor, "output_and_field"),
    (slide, "convolve"),
    (by_unfold, "convolve"),
    (in_numpy, "convolve"),
    (in_double, "convolve"),
    (back, "convolve_backward"),
    (by_autograd, "convolve_backward"),
    (by_transposing, "convolve_backward"),
    (pools_by_loops, "max_pool"),
    (Net, "LeNet"),
    (InSequence, "LeNet"),
    (AllConvolutions, "LeNet"),
    (OwnParameters, "LeNet"),
    (Block, "ResidualBlock"),
    (BlockInSequence, "ResidualBlock"),
    (BlockOtherWayRound, "ResidualBlock"),
]


# --- the tests ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "nonsense", [None, "one", 7.0, {}, (1, 2), torch.zeros(0), [torch.ones(2)]]
)
@pytest.mark.parametrize("name", ["LeNet", "ResidualBlock"])
def test_no_output_makes_a_check_of_a_module_blame_itself(name, nonsense):
    made = type("Made", (Net if name == "LeNet" else Block,), {"forward": lambda self, x: nonsense})
    result = getattr(check, name)(made)
    assert result <= 0.5
    assert "fault in the check" not in str(result)


@pytest.mark.parametrize(
    ("answer", "name", "points", "says"), WRONG, ids=[case[0].__name__ for case in WRONG]
)
@pytest.mark.parametrize("seed", [0, 7])
def test_a_wrong_answer_loses_points_and_is_told_why(answer, name, points, says, seed):
    result = getattr(check, name)(answer, seed=seed)
    told = " ".join(step.hint for step in result.steps)
    assert says in told, str(result)
    assert float(result) == points < result.points, str(result)
    assert "fault in the check" not in told


def test_the_corpus_has_something_on_every_check():
    assert {case[1] for case in WRONG} == {case[1] for case in HONEST} == set(CHECKS)


@pytest.mark.parametrize(("answer", "name"), HONEST, ids=[case[0].__name__ for case in HONEST])
@pytest.mark.parametrize("seed", [0, 5, 11])
def test_an_unusual_right_answer_earns_all_points(answer, name, seed):
    result = getattr(check, name)(answer, seed=seed)
    assert result == result.points, str(result)


def test_a_check_leaves_the_number_of_threads_as_it_was():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        check.LeNet(Detached)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)

"""LeNet: the nets that read zip codes, and with which convolutional networks began.

Four of them: the first, of 1989, in which every unit still has its own bias; LeNet-5 as it was
published in 1998, with its table of connections; LeNet-5 as it is usually built today; and the
variant that came with Caffe. They classify small gray images of digits.
"""

from itertools import chain, groupby

import torch
from torch import nn

# Which of the twelve maps of H1 each map of H2 sees. The paper says eight each, and no more; here
# they go round in a circle, so that each map of H1 is seen by eight maps, too.
H2_SEES = [[(first + step) % 12 for step in range(8)] for first in range(12)]

# Which of the six maps of S2 each of the sixteen maps of C3 sees (LeCun et al. 1998, table I).
C3_SEES = [
    [0, 1, 2], [1, 2, 3], [2, 3, 4], [3, 4, 5], [0, 4, 5], [0, 1, 5],
    [0, 1, 2, 3], [1, 2, 3, 4], [2, 3, 4, 5], [0, 3, 4, 5], [0, 1, 4, 5], [0, 1, 2, 5],
    [0, 1, 3, 4], [1, 2, 4, 5], [0, 2, 3, 5],
    [0, 1, 2, 3, 4, 5],
]  # fmt: skip

# The ten digits as 7 x 12 pictures, drawn anew: the codes towards which F6 is driven. Alike digits
# get alike codes, which is the point of them (LeCun et al. 1998, figure 3).
DIGITS = """
..###.. ...##.. .#####. .#####. ....##. ####### ..####. ####### .#####. .#####.
.#####. ..###.. ####### ####### ...###. ####### .#####. ####### ####### #######
##...## .####.. ##...## ##...## ..####. ##..... ##..... .....## ##...## ##...##
##...## ...##.. .....## .....## .##.##. ##..... ##..... ....##. ##...## ##...##
##...## ...##.. ....##. .....## ##..##. ######. ######. ....##. ####### ##...##
##...## ...##.. ...##.. ..####. ##..##. ####### ####### ...##.. .#####. #######
##...## ...##.. ..##... ..####. ####### .....## ##...## ...##.. ####### .######
##...## ...##.. .##.... .....## ####### .....## ##...## ..##... ##...## .....##
##...## ...##.. ##..... .....## ....##. .....## ##...## ..##... ##...## .....##
##...## ...##.. ##..... ##...## ....##. ##...## ##...## .##.... ##...## ....##.
.#####. .#####. ####### ####### ....##. ####### ####### .##.... ####### .####..
..###.. .#####. ####### .#####. ....##. .#####. .#####. .##.... .#####. .###...
"""


class ScaledTanh(nn.Module):
    """1.7159 tanh(2x/3), which takes 1 to 1 and -1 to -1 and is steepest between them."""

    def forward(self, x):
        return 1.7159 * torch.tanh(2 / 3 * x)


class TableConv2d(nn.Module):
    """A convolution whose output maps see only those input maps that a table lists.

    Args:
        sees: for each output map the list of input maps that it sees; maps with lists of one
            length must stand together.
        kernel_size: k, side of the square kernels.
        stride: step of the kernels. Default 1.
        bias: whether each output map has a bias. Default True.
    """

    def __init__(self, sees, kernel_size, stride=1, bias=True):
        super().__init__()
        # Copies of the input maps, in the order of the table, turn it into convolutions in groups.
        runs = [list(run) for _, run in groupby(sees, key=len)]
        self.tables = [list(chain.from_iterable(run)) for run in runs]
        self.convs = nn.ModuleList(
            nn.Conv2d(len(table), len(run), kernel_size, stride, groups=len(run), bias=bias)
            for table, run in zip(self.tables, runs, strict=True)
        )

    def forward(self, x):
        maps = [conv(x[:, table]) for conv, table in zip(self.convs, self.tables, strict=True)]
        return torch.cat(maps, dim=1)


class UnitBias(nn.Module):
    """A bias for each unit of a layer, instead of one for each map.

    Args:
        shape: (C, H, W) of the layer.
    """

    def __init__(self, *shape):
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(shape))

    def forward(self, x):
        return x + self.bias


class Subsampling(nn.Module):
    """The sum of each 2 x 2 field, times one trainable coefficient for each map, plus a bias.

    Args:
        channels: C, number of maps.
    """

    def __init__(self, channels):
        super().__init__()
        self.pool = nn.AvgPool2d(2)
        self.coefficient = nn.Parameter(torch.ones(channels, 1, 1) / 4)  # the mean, to begin with
        self.bias = nn.Parameter(torch.zeros(channels, 1, 1))

    def forward(self, x):
        return self.coefficient * 4 * self.pool(x) + self.bias


class RadialBasis(nn.Module):
    """Minus the squared distance between the features and a fixed code for each class.

    The paper's units give the distance; with the sign turned, the largest output is the answer, and
    cross-entropy on it is the paper's criterion (its equation 9, without the constant that bounds
    the penalty of wrong classes).

    Args:
        codes: (K, F) codes of +1 and -1, one for each class. Not trained.
    """

    def __init__(self, codes):
        super().__init__()
        self.register_buffer("codes", codes)

    def forward(self, x):
        return -(x[:, None] - self.codes).square().sum(dim=2)  # (B, 1, F) - (K, F) -> (B, K)


def digit_codes():
    """The pictures of the ten digits as codes (10, 84): +1 where there is ink, -1 elsewhere."""
    rows = [line.split() for line in DIGITS.split("\n") if line]
    pictures = ["".join(row[digit] for row in rows) for digit in range(10)]
    return torch.tensor([[1.0 if ink == "#" else -1.0 for ink in p] for p in pictures])


def lecun_init(net):
    """Weights uniform within +-2.4 / fan-in, biases 0, as LeCun's papers have it; in place."""
    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            bound = 2.4 / module.weight[0].numel()
            nn.init.uniform_(module.weight, -bound, bound)
            if module.bias is not None:
                nn.init.zeros_(module.bias)


class LeNet1989(nn.Module):
    """The zip-code net: the first convolutional network trained by backpropagation.

    Three hidden layers; the kernels are shared, the biases are not: every unit has its own. Maps
    shrink by a stride of 2, and what lies outside a image is background, -1. Images are 16 x 16
    with values between -1 (paper) and +1 (ink), targets were -1 and +1 under squared error.

    Args:
        num_classes: classes, K. Default 10.
        in_channels: C, of the images. Default 1.

    Paper: LeCun et al. (1989), Backpropagation applied to handwritten zip code recognition.
    """

    def __init__(self, num_classes=10, in_channels=1):
        super().__init__()
        self.in_channels = in_channels
        self.squash = ScaledTanh()
        self.pad = nn.ConstantPad2d(2, -1.0)
        self.h1 = nn.Conv2d(in_channels, 12, 5, stride=2, bias=False)
        self.h1_bias = UnitBias(12, 8, 8)
        self.h2 = TableConv2d(H2_SEES, 5, stride=2, bias=False)
        self.h2_bias = UnitBias(12, 4, 4)
        self.h3 = nn.Linear(12 * 4 * 4, 30)
        self.output = nn.Linear(30, num_classes)
        lecun_init(self)

    def forward(self, x):
        if x.shape[1:] != (self.in_channels, 16, 16):
            raise ValueError(
                f"LeNet1989: expected images (B, {self.in_channels}, 16, 16), got "
                f"{tuple(x.shape)}; resize them, or build it with their in_channels"
            )
        x = self.squash(self.h1_bias(self.h1(self.pad(x))))  # (B, 12, 8, 8)
        x = self.squash(self.h2_bias(self.h2(self.pad(x))))  # (B, 12, 4, 4)
        x = self.squash(self.h3(x.flatten(1)))  # (B, 30)
        return self.squash(self.output(x))  # (B, K)


class LeNet5Original(nn.Module):
    """LeNet-5 as published: learned subsampling, a table of connections, distances to codes.

    New in it: maps of C3 see different maps of S2, so that they must learn different features; the
    subsampling layers have a trainable coefficient and bias; and the last layer does not classify
    but measures how far the 84 features are from a picture of each digit. Inputs were scaled so
    that paper is -0.1 and ink 1.175.

    Args:
        num_classes: classes, K. Default 10.
        in_channels: C, of the images. Default 1.
        size: side of the images: 32, or 28, which C1 pads with two pixels on each side.
            Default 32.
        codes: (K, 84) codes of +1 and -1 for the classes. Default None: pictures of the digits if
            K is 10.
        output: "rbf" for minus the squared distances to the codes, or "linear" for a trainable
            layer, which needs no codes. Default "rbf".

    Raises:
        ValueError: if `size` or `output` is another, or there are no codes for K classes.

    Paper: LeCun, Bottou, Bengio, Haffner (1998), Gradient-based learning applied to document
    recognition.
    """

    def __init__(self, num_classes=10, in_channels=1, size=32, codes=None, output="rbf"):
        super().__init__()
        _check_size("LeNet5Original", size)
        self.in_channels, self.size = in_channels, size
        self.squash = ScaledTanh()
        self.c1 = nn.Conv2d(in_channels, 6, 5, padding=(32 - size) // 2)
        self.s2 = Subsampling(6)
        self.c3 = TableConv2d(C3_SEES, 5)
        self.s4 = Subsampling(16)
        self.c5 = nn.Conv2d(16, 120, 5)
        self.f6 = nn.Linear(120, 84)
        lecun_init(self)
        if output == "linear":
            self.output = nn.Linear(84, num_classes)
        elif output == "rbf":
            self.output = RadialBasis(_codes_for(num_classes, codes))
        else:
            raise ValueError(f"LeNet5Original: expected output 'rbf' or 'linear', got {output!r}")

    def forward(self, x):
        if x.shape[1:] != (self.in_channels, self.size, self.size):
            raise ValueError(
                f"LeNet5Original: expected images (B, {self.in_channels}, {self.size}, "
                f"{self.size}), got {tuple(x.shape)}; resize them, or build it with their "
                "in_channels and size=28 or 32"
            )
        x = self.squash(self.c1(x))  # (B, 6, 28, 28)
        x = self.squash(self.s2(x))  # (B, 6, 14, 14)
        x = self.squash(self.c3(x))  # (B, 16, 10, 10)
        x = self.squash(self.s4(x))  # (B, 16, 5, 5)
        x = self.squash(self.c5(x))  # (B, 120, 1, 1)
        x = self.squash(self.f6(x.flatten(1)))  # (B, 84)
        return self.output(x)  # (B, K)


class LeNet5(nn.Module):
    """LeNet-5 as it is usually built: every map of C3 sees all of S2, plain means, linear output.

    Args:
        num_classes: classes, K. Default 10.
        in_channels: C, of the images. Default 1.
        size: side of the images: 32, or 28, which are padded with two pixels on each side.
            Default 32.
        modern: the same layers in today's dress: ReLU instead of tanh, the maximum instead of the
            mean, batch norm behind each hidden layer (452 parameters more). Default False.

    Raises:
        ValueError: if `size` is another.

    Paper: LeCun, Bottou, Bengio, Haffner (1998); see `LeNet5Original`.
    """

    def __init__(self, num_classes=10, in_channels=1, size=32, modern=False):
        super().__init__()
        _check_size("LeNet5", size)
        self.in_channels, self.size = in_channels, size
        self.c1 = nn.Conv2d(in_channels, 6, 5, padding=(32 - size) // 2)
        self.c3 = nn.Conv2d(6, 16, 5)
        self.c5 = nn.Conv2d(16, 120, 5)
        self.f6 = nn.Linear(120, 84)
        self.output = nn.Linear(84, num_classes)
        self.pool = nn.MaxPool2d(2) if modern else nn.AvgPool2d(2)
        self.act1, self.act3, self.act5, self.act6 = (
            nn.Sequential(norm(width), nn.ReLU()) if modern else nn.Tanh()
            for norm, width in zip(
                [nn.BatchNorm2d] * 3 + [nn.BatchNorm1d], (6, 16, 120, 84), strict=True
            )
        )

    def forward(self, x):
        if x.shape[1:] != (self.in_channels, self.size, self.size):
            raise ValueError(
                f"LeNet5: expected images (B, {self.in_channels}, {self.size}, {self.size}), got "
                f"{tuple(x.shape)}; resize them, or build it with their in_channels and size=28 or "
                "32"
            )
        x = self.pool(self.act1(self.c1(x)))  # (B, 6, 14, 14)
        x = self.pool(self.act3(self.c3(x)))  # (B, 16, 5, 5)
        x = self.act5(self.c5(x)).flatten(1)  # (B, 120)
        x = self.act6(self.f6(x))  # (B, 84)
        return self.output(x)  # (B, K)


class CaffeLeNet(nn.Module):
    """The LeNet of Caffe's MNIST example: wider, max pooling, and one single ReLU.

    Between the convolutions there is no nonlinearity but the maximum of the pooling.

    Args:
        num_classes: classes, K. Default 10.
        in_channels: C, of the images. Default 1.
        size: side of the images, at least 16. Default 28.

    Raises:
        ValueError: if `size` is smaller.

    Source: Jia et al. (2014), Caffe: Convolutional architecture for fast feature embedding, and the
    net that comes with it.
    """

    def __init__(self, num_classes=10, in_channels=1, size=28):
        super().__init__()
        if size < 16:
            raise ValueError(f"CaffeLeNet: expected a size of at least 16, got {size}")
        self.in_channels, self.size = in_channels, size
        side = ((size - 4) // 2 - 4) // 2  # 4 for 28
        self.conv1 = nn.Conv2d(in_channels, 20, 5)
        self.conv2 = nn.Conv2d(20, 50, 5)
        self.pool = nn.MaxPool2d(2)
        self.ip1 = nn.Linear(50 * side * side, 500)
        self.ip2 = nn.Linear(500, num_classes)

    def forward(self, x):
        if x.shape[1:] != (self.in_channels, self.size, self.size):
            raise ValueError(
                f"CaffeLeNet: expected images (B, {self.in_channels}, {self.size}, {self.size}), "
                f"got {tuple(x.shape)}; resize them, or build it with their in_channels and size"
            )
        x = self.pool(self.conv1(x))  # (B, 20, 12, 12)
        x = self.pool(self.conv2(x))  # (B, 50, 4, 4)
        x = torch.relu(self.ip1(x.flatten(1)))  # (B, 500)
        return self.ip2(x)  # (B, K)


def count_connections(net):
    """How many connections a LeNet has, by the rule of LeCun's papers.

    Each unit counts every input that it reads, those in the padding too, and its bias; in a
    subsampling layer that is four inputs and a bias, in the output layer of radial units the 84
    features. Weights are shared by many connections, so there are more of these than parameters.

    Args:
        net: one of the nets of this file.

    Returns:
        dict of layer name to number of connections, and their sum as "total".
    """
    counts = {}

    def count_of(name):
        def hook(module, inputs, output):
            if isinstance(module, nn.Conv2d | nn.Linear):
                a_unit = module.weight[0].numel() + (module.bias is not None)
            else:
                features = inputs[0].shape[1]
                a_unit = {UnitBias: 1, Subsampling: 5, RadialBasis: features}[type(module)]
            counts[name] = output[0].numel() * a_unit

        return hook

    kinds = nn.Conv2d | nn.Linear | UnitBias | Subsampling | RadialBasis
    named = [(name, module) for name, module in net.named_modules() if isinstance(module, kinds)]
    hooks = [module.register_forward_hook(count_of(name)) for name, module in named]
    size = 16 if isinstance(net, LeNet1989) else net.size
    parameter = next(net.parameters())
    try:
        with torch.no_grad():
            net(parameter.new_zeros(1, net.in_channels, size, size))
    finally:
        for hook in hooks:
            hook.remove()
    return counts | {"total": sum(counts.values())}


def _check_size(name, size):
    if size not in (28, 32):
        raise ValueError(f"{name}: expected size 28 or 32, got {size}; resize the images")


def _codes_for(num_classes, codes):
    if codes is None and num_classes == 10:
        codes = digit_codes()
    if codes is None or codes.shape != (num_classes, 84):
        raise ValueError(
            f"LeNet5Original: expected codes of shape ({num_classes}, 84), got "
            f"{None if codes is None else tuple(codes.shape)}; give codes=, or output='linear'"
        )
    return codes

"""GoogLeNet and BN-Inception: blocks that look at several scales at once.

An Inception block passes its input through kernels of different sizes side by side and stacks what
they find; 1 x 1 convolutions before the large kernels keep that cheap. So GoogLeNet has a ninth
of AlexNet's parameters and half its error. BN-Inception is the net that batch norm was shown on.
"""

from collections import OrderedDict
from typing import NamedTuple

import torch
from torch import nn


class ConvNorm(nn.Module):
    """A convolution without bias, batch norm and ReLU.

    Args:
        in_channels, out_channels: C, numbers of maps.
        kernel_size, stride: of the convolution, which is padded to keep the size. Default stride 1.
    """

    def __init__(self, in_channels, out_channels, kernel_size, stride=1):
        super().__init__()
        padding = kernel_size // 2
        self.conv = nn.Conv2d(in_channels, out_channels, kernel_size, stride, padding, bias=False)
        self.bn = nn.BatchNorm2d(out_channels, eps=1e-3)

    def forward(self, x):
        return torch.relu(self.bn(self.conv(x)))


class Inception(nn.Module):
    """An Inception block: 1 x 1, 3 x 3, 5 x 5 and pooling side by side.

    Args:
        in_channels: C, number of input maps.
        ones: maps of the 1 x 1 branch.
        reduce3, threes: maps before and after the 3 x 3 kernels.
        reduce5, fives: maps before and after the 5 x 5 kernels.
        pooled: maps after the pooling.
        large: size of the kernels called 5 x 5.
    """

    def __init__(self, in_channels, ones, reduce3, threes, reduce5, fives, pooled, large=5):
        super().__init__()
        self.branch1 = ConvNorm(in_channels, ones, 1)
        self.branch2 = nn.Sequential(
            ConvNorm(in_channels, reduce3, 1),
            ConvNorm(reduce3, threes, 3),
        )
        self.branch3 = nn.Sequential(
            ConvNorm(in_channels, reduce5, 1),
            ConvNorm(reduce5, fives, large),
        )
        self.branch4 = nn.Sequential(
            nn.MaxPool2d(3, stride=1, padding=1),
            ConvNorm(in_channels, pooled, 1),
        )
        self.out_channels = ones + threes + fives + pooled

    def forward(self, x):
        branches = (self.branch1(x), self.branch2(x), self.branch3(x), self.branch4(x))
        return torch.cat(branches, dim=1)  # (B, ones + threes + fives + pooled, H, W)


class AuxiliaryHead(nn.Module):
    """A small classifier halfway up, which in training sends a gradient into the lower layers.

    Args:
        in_channels: C, number of input maps.
        maps, hidden: maps of its convolution, units of its hidden layer.
        num_classes: classes, K.
        dropout: probability of dropping a hidden unit.
    """

    def __init__(self, in_channels, maps, hidden, num_classes, dropout):
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(4)
        self.conv = ConvNorm(in_channels, maps, 1)
        self.fc1 = nn.Linear(maps * 4 * 4, hidden)
        self.fc2 = nn.Linear(hidden, num_classes)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x):
        x = self.conv(self.pool(x)).flatten(1)  # (B, 128 * 4 * 4)
        x = self.dropout(torch.relu(self.fc1(x)))  # (B, 1024)
        return self.fc2(x)  # (B, K)


class GoogLeNetOutputs(NamedTuple):
    """Three logits (B, K), GoogLeNet's answer in training; the losses weigh 1, 0.3 and 0.3."""

    logits: torch.Tensor
    aux_logits2: torch.Tensor
    aux_logits1: torch.Tensor


# (ones, reduce3, threes, reduce5, fives, pooled) of each block (Szegedy et al. 2014, table 1).
GOOGLENET = {
    "3a": (64, 96, 128, 16, 32, 32),
    "3b": (128, 128, 192, 32, 96, 64),
    "4a": (192, 96, 208, 16, 48, 64),
    "4b": (160, 112, 224, 24, 64, 64),
    "4c": (128, 128, 256, 24, 64, 64),
    "4d": (112, 144, 288, 32, 64, 64),
    "4e": (256, 160, 320, 32, 128, 128),
    "5a": (256, 160, 320, 32, 128, 128),
    "5b": (384, 192, 384, 48, 128, 128),
}


class GoogLeNet(nn.Module):
    """GoogLeNet, Inception version 1: 22 layers deep, with two auxiliary heads for training.

    It is torchvision's net, whose weights load. That net differs from the paper's in two ways:
    batch norm stands after every convolution, where the paper had response norm in two places; and
    the kernels called 5 x 5 are 3 x 3, a slip that stayed because the published weights have it.
    Take `large=5` for the paper's. The published weights want images scaled to -1 ... +1.

    Args:
        num_classes: classes, K. Default 1000.
        in_channels: C, of the images. Default 3.
        width: factor for the number of maps and hidden units. Default 1.
        stride: of the first convolution; 1 suits images of 28 x 28 or 32 x 32. Default 2.
        aux: whether to build the auxiliary heads. Default True.
        large: size of the kernels called 5 x 5: 3, or 5. Default 3.
        dropout: probability of dropping a unit before the last layer. Default 0.2.
        dropout_aux: the same in the auxiliary heads. Default 0.7.

    Returns:
        In training, with heads, `GoogLeNetOutputs`; else the logits (B, K) alone.

    Raises:
        ValueError: if `large` is not odd, or `width` leaves a layer without a map.

    Paper: Szegedy et al. (2014), Going deeper with convolutions. Weights start as in torchvision:
    normal with deviation 0.01 (cut off so far out that it does not matter), biases as in PyTorch.
    """

    def __init__(
        self, num_classes=1000, in_channels=3, width=1.0, stride=2, aux=True, large=3,
        dropout=0.2, dropout_aux=0.7,
    ):  # fmt: skip
        super().__init__()
        if large % 2 == 0 or 16 * width < 1:
            raise ValueError(
                f"GoogLeNet: expected an odd size of kernels and a width of at least 1/16, got "
                f"large={large}, width={width}"
            )
        self.in_channels, self.smallest = in_channels, 7 * stride + 1
        scaled = lambda maps: round(maps * width)
        self.conv1 = ConvNorm(in_channels, scaled(64), 7, stride)
        self.maxpool1 = nn.MaxPool2d(3, stride=2, ceil_mode=True)
        self.conv2 = ConvNorm(scaled(64), scaled(64), 1)
        self.conv3 = ConvNorm(scaled(64), scaled(192), 3)
        self.maxpool2 = nn.MaxPool2d(3, stride=2, ceil_mode=True)
        channels, seen = scaled(192), {}
        for name, maps in GOOGLENET.items():
            block = Inception(channels, *map(scaled, maps), large=large)
            setattr(self, f"inception{name}", block)
            channels = seen[name] = block.out_channels
        self.maxpool3 = nn.MaxPool2d(3, stride=2, ceil_mode=True)
        self.maxpool4 = nn.MaxPool2d(2, stride=2, ceil_mode=True)
        self.aux1 = self.aux2 = None
        if aux:
            head = (scaled(128), scaled(1024), num_classes, dropout_aux)
            self.aux1 = AuxiliaryHead(seen["4a"], *head)
            self.aux2 = AuxiliaryHead(seen["4d"], *head)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(channels, num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.normal_(module.weight, std=0.01)

    def forward(self, x):
        if x.dim() != 4 or x.shape[1] != self.in_channels or min(x.shape[2:]) < self.smallest:
            raise ValueError(
                f"GoogLeNet: expected images (B, {self.in_channels}, H, W) with H and W at least "
                f"{self.smallest}, got {tuple(x.shape)}; resize them, or build it with their "
                "in_channels or with stride=1"
            )
        x = self.maxpool1(self.conv1(x))  # (B, 64, 56, 56)
        x = self.maxpool2(self.conv3(self.conv2(x)))  # (B, 192, 28, 28)
        x = self.inception3b(self.inception3a(x))  # (B, 480, 28, 28)
        x = below = self.inception4a(self.maxpool3(x))  # (B, 512, 14, 14)
        x = self.inception4c(self.inception4b(x))  # (B, 512, 14, 14)
        x = above = self.inception4d(x)  # (B, 528, 14, 14)
        x = self.inception4e(x)  # (B, 832, 14, 14)
        x = self.inception5b(self.inception5a(self.maxpool4(x)))  # (B, 1024, 7, 7)
        x = self.dropout(self.avgpool(x).flatten(1))  # (B, 1024)
        logits = self.fc(x)  # (B, K)
        if self.training and self.aux1 is not None:
            return GoogLeNetOutputs(logits, self.aux2(above), self.aux1(below))
        return logits


class DoubleInception(nn.Module):
    """A block of BN-Inception: two 3 x 3 kernels stand in for one of 5 x 5.

    With a stride of 2 there is no 1 x 1 branch, and the pooled input is passed through.

    Args:
        in_channels: C, number of input maps.
        ones: maps of the 1 x 1 branch; 0: no such branch, and a stride of 2.
        reduce3, threes: maps before and after the 3 x 3 kernels.
        reduce33, double: maps before and after (and between) the two 3 x 3 kernels.
        pool: "average" or "max".
        pooled: maps after the pooling; 0: the input is passed through.
    """

    def __init__(self, in_channels, ones, reduce3, threes, reduce33, double, pool, pooled):
        super().__init__()
        stride = 1 if ones else 2
        pool = nn.AvgPool2d if pool == "average" else nn.MaxPool2d
        self.branches = nn.ModuleList(
            [
                nn.Sequential(
                    ConvNorm(in_channels, reduce3, 1),
                    ConvNorm(reduce3, threes, 3, stride),
                ),
                nn.Sequential(
                    ConvNorm(in_channels, reduce33, 1),
                    ConvNorm(reduce33, double, 3),
                    ConvNorm(double, double, 3, stride),
                ),
                nn.Sequential(
                    pool(3, stride, padding=1),
                    ConvNorm(in_channels, pooled, 1) if pooled else nn.Identity(),
                ),
            ]
        )
        if ones:
            self.branches.insert(0, ConvNorm(in_channels, ones, 1))
        self.out_channels = ones + threes + double + (pooled or in_channels)

    def forward(self, x):
        return torch.cat([branch(x) for branch in self.branches], dim=1)


# (ones, reduce3, threes, reduce33, double, pool, pooled) of each block (figure 5 of the paper).
BN_INCEPTION = {
    "3a": (64, 64, 64, 64, 96, "average", 32),
    "3b": (64, 64, 96, 64, 96, "average", 64),
    "3c": (0, 128, 160, 64, 96, "max", 0),
    "4a": (224, 64, 96, 96, 128, "average", 128),
    "4b": (192, 96, 128, 96, 128, "average", 128),
    "4c": (160, 128, 160, 128, 160, "average", 128),
    "4d": (96, 128, 192, 160, 192, "average", 128),
    "4e": (0, 128, 192, 192, 256, "max", 0),
    "5a": (352, 192, 320, 160, 224, "average", 128),
    "5b": (352, 192, 320, 192, 224, "max", 128),
}


class BNInception(nn.Module):
    """BN-Inception, Inception version 2: the net in which batch norm was first shown.

    Batch norm stands after every convolution, and it takes the place of response norm and dropout.
    Where the paper's table contradicts itself, the numbers of filters are followed, as in the copy
    for Caffe: blocks 4c and 4d come out with 608 maps and 4e with 1056, while the column of sizes
    has 576 and 1024. The first convolution is an ordinary one, not the separable one of the paper.

    Args:
        num_classes: classes, K. Default 1000.
        in_channels: C, of the images. Default 3.
        width: factor for the number of maps. Default 1.
        stride: of the first convolution; 1 suits images of 28 x 28 or 32 x 32. Default 2.

    Raises:
        ValueError: if `width` leaves a layer without a map.

    Paper: Ioffe, Szegedy (2015), Batch normalization: accelerating deep network training by
    reducing internal covariate shift.
    """

    def __init__(self, num_classes=1000, in_channels=3, width=1.0, stride=2):
        super().__init__()
        if 32 * width < 1:
            raise ValueError(f"BNInception: expected a width of at least 1/32, got {width}")
        self.in_channels, self.smallest = in_channels, 3 * stride + 1
        scaled = lambda maps: maps if isinstance(maps, str) else round(maps * width)
        layers = OrderedDict(
            conv1=ConvNorm(in_channels, scaled(64), 7, stride),  # (B, 64, 112, 112)
            pool1=nn.MaxPool2d(3, stride=2, ceil_mode=True),  # (B, 64, 56, 56)
            conv2=ConvNorm(scaled(64), scaled(64), 1),  # (B, 64, 56, 56)
            conv3=ConvNorm(scaled(64), scaled(192), 3),  # (B, 192, 56, 56)
            pool2=nn.MaxPool2d(3, stride=2, ceil_mode=True),  # (B, 192, 28, 28)
        )
        channels = scaled(192)
        for name, maps in BN_INCEPTION.items():
            block = layers[f"inception{name}"] = DoubleInception(channels, *map(scaled, maps))
            channels = block.out_channels
        self.features = nn.Sequential(layers)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(channels, num_classes)

    def forward(self, x):
        if x.dim() != 4 or x.shape[1] != self.in_channels or min(x.shape[2:]) < self.smallest:
            raise ValueError(
                f"BNInception: expected images (B, {self.in_channels}, H, W) with H and W at "
                f"least {self.smallest}, got {tuple(x.shape)}; resize them, or build it with their "
                "in_channels"
            )
        x = self.features(x)  # (B, 1024, 7, 7)
        x = self.avgpool(x).flatten(1)  # (B, 1024)
        return self.fc(x)  # (B, K)

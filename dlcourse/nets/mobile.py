"""SqueezeNet and MobileNet: nets for telephones, as good as large ones at a fraction of the cost.

SqueezeNet saves parameters, with 1 x 1 convolutions that squeeze the maps before the 3 x 3 ones.
MobileNet saves multiplications: it splits a convolution into one that works within each map
(depthwise) and one that mixes the maps at each place (pointwise, 1 x 1).
"""

import torch
from torch import nn


class Fire(nn.Module):
    """A block of SqueezeNet: squeeze the maps with 1 x 1 kernels, then expand with 1 x 1 and 3 x 3.

    Args:
        in_channels: C, number of input maps.
        squeeze: number of maps in between.
        expand: maps of each of the two kinds of kernels; the block has twice as many.
    """

    def __init__(self, in_channels, squeeze, expand):
        super().__init__()
        self.squeeze = nn.Conv2d(in_channels, squeeze, 1)
        self.expand1x1 = nn.Conv2d(squeeze, expand, 1)
        self.expand3x3 = nn.Conv2d(squeeze, expand, 3, padding=1)

    def forward(self, x):
        x = torch.relu(self.squeeze(x))  # (B, squeeze, H, W)
        x = torch.cat([self.expand1x1(x), self.expand3x3(x)], dim=1)  # (B, 2 * expand, H, W)
        return torch.relu(x)


# Kernel size and maps of the first convolution, then (squeeze, expand) of each block or "pool".
# Version 1.1 pools earlier, which costs the authors no accuracy and saves more than half the work.
SQUEEZENET = {
    "1_0": [
        (7, 96), "pool", (16, 64), (16, 64), (32, 128), "pool",
        (32, 128), (48, 192), (48, 192), (64, 256), "pool", (64, 256),
    ],
    "1_1": [
        (3, 64), "pool", (16, 64), (16, 64), "pool", (32, 128), (32, 128), "pool",
        (48, 192), (48, 192), (64, 256), (64, 256),
    ],
}  # fmt: skip


class SqueezeNet(nn.Module):
    """SqueezeNet: AlexNet's accuracy with a fiftieth of its parameters; torchvision's weights load.

    Args:
        version: "1_0" as in the paper, or "1_1", which came later and is faster. Default "1_0".
        num_classes: classes, K. Default 1000.
        in_channels: C, of the images. Default 3.
        width: factor for the number of maps. Default 1.
        stride: of the first convolution; 1 suits images of 28 x 28 or 32 x 32. Default 2.
        dropout: probability of dropping a unit before the last convolution. Default 0.5.
        last_relu: whether the maps of the classes pass a ReLU, as in the paper. A class whose maps
            are 0 everywhere then gets no gradient any more, which happens easily in small nets.
            Default True.

    Raises:
        ValueError: if there is no such version, or `width` leaves a layer without a map.

    Paper: Iandola et al. (2016), SqueezeNet: AlexNet-level accuracy with 50x fewer parameters and
    <0.5MB model size. Weights start as in torchvision: He's variance, 0.01 in the last layer.
    """

    def __init__(
        self, version="1_0", num_classes=1000, in_channels=3, width=1.0, stride=2, dropout=0.5,
        last_relu=True,
    ):  # fmt: skip
        super().__init__()
        if version not in SQUEEZENET or 16 * width < 1:
            raise ValueError(
                f"SqueezeNet: expected the version {' or '.join(map(repr, SQUEEZENET))} and a "
                f"width of at least 1/16, got version={version!r}, width={width}"
            )
        (kernel, first), *blocks = SQUEEZENET[version]
        self.in_channels, self.smallest = in_channels, kernel + 7 * stride
        channels = round(first * width)
        layers = [nn.Conv2d(in_channels, channels, kernel, stride), nn.ReLU(inplace=True)]
        for block in blocks:
            if block == "pool":
                layers.append(nn.MaxPool2d(3, stride=2, ceil_mode=True))
            else:
                squeeze, expand = (round(maps * width) for maps in block)
                layers.append(Fire(channels, squeeze, expand))
                channels = 2 * expand
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(
            nn.Dropout(dropout),
            nn.Conv2d(channels, num_classes, 1),
            nn.ReLU(inplace=True) if last_relu else nn.Identity(),
            nn.AdaptiveAvgPool2d(1),
        )
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_uniform_(module.weight)
                nn.init.zeros_(module.bias)
        nn.init.normal_(self.classifier[1].weight, std=0.01)

    def forward(self, x):
        if x.dim() != 4 or x.shape[1] != self.in_channels or min(x.shape[2:]) < self.smallest:
            raise ValueError(
                f"SqueezeNet: expected images (B, {self.in_channels}, H, W) with H and W at "
                f"least {self.smallest}, got {tuple(x.shape)}; resize them, or build it with their "
                "in_channels or with stride=1"
            )
        x = self.features(x)  # (B, 512, 13, 13)
        return self.classifier(x).flatten(1)  # (B, K)


def conv_norm(in_channels, out_channels, kernel_size, stride=1, groups=1, relu=nn.ReLU):
    """A convolution that keeps the size (over the stride), batch norm, and the given ReLU."""
    return nn.Sequential(
        nn.Conv2d(
            in_channels, out_channels, kernel_size, stride, kernel_size // 2,
            groups=groups, bias=False,
        ),
        nn.BatchNorm2d(out_channels),
        relu(inplace=True),
    )  # fmt: skip


# Maps and stride of each depthwise separable convolution (Howard et al. 2017, table 1).
MOBILENET_V1 = [
    (64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2),
    (512, 1), (512, 1), (512, 1), (512, 1), (512, 1), (1024, 2), (1024, 1),
]  # fmt: skip


class MobileNetV1(nn.Module):
    """MobileNet, version 1: depthwise separable convolutions throughout.

    For K kernels of 3 x 3 on C maps that takes 9 C + C K multiplications at a place, not 9 C K.

    Args:
        num_classes: classes, K. Default 1000.
        in_channels: C, of the images. Default 3.
        width: factor for the number of maps; the paper has 1, 0.75, 0.5 and 0.25. Default 1.
        stride: of the first convolution; 1 suits images of 28 x 28 or 32 x 32. Default 2.

    Raises:
        ValueError: if `width` leaves a layer without a map.

    Paper: Howard et al. (2017), MobileNets: Efficient convolutional neural networks for mobile
    vision applications.
    """

    def __init__(self, num_classes=1000, in_channels=3, width=1.0, stride=2):
        super().__init__()
        if 32 * width < 1:
            raise ValueError(f"MobileNetV1: expected a width of at least 1/32, got {width}")
        self.in_channels = in_channels
        channels = round(32 * width)
        layers = [conv_norm(in_channels, channels, 3, stride)]
        for maps, step in MOBILENET_V1:
            layers.append(conv_norm(channels, channels, 3, step, groups=channels))
            layers.append(conv_norm(channels, round(maps * width), 1))
            channels = round(maps * width)
        self.features = nn.Sequential(*layers)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Linear(channels, num_classes)

    def forward(self, x):
        if x.dim() != 4 or x.shape[1] != self.in_channels or min(x.shape[2:]) < 1:
            raise ValueError(
                f"MobileNetV1: expected images (B, {self.in_channels}, H, W), got "
                f"{tuple(x.shape)}; one image is x[None], and in_channels can be chosen"
            )
        x = self.features(x)  # (B, 1024, 7, 7)
        x = self.avgpool(x).flatten(1)  # (B, 1024)
        return self.classifier(x)  # (B, K)


class InvertedResidual(nn.Module):
    """A block of MobileNet v2: expand the maps, filter each one, project to few, add the input.

    The projection has no ReLU, which would lose too much where there are few maps. The input is
    added where its shape allows.

    Args:
        in_channels, out_channels: C, numbers of maps outside.
        stride: of the depthwise convolution.
        expansion: how many times more maps there are inside; 1: no expansion.
    """

    def __init__(self, in_channels, out_channels, stride, expansion):
        super().__init__()
        inside = in_channels * expansion
        layers = [conv_norm(in_channels, inside, 1, relu=nn.ReLU6)] if expansion != 1 else []
        self.conv = nn.Sequential(
            *layers,
            conv_norm(inside, inside, 3, stride, groups=inside, relu=nn.ReLU6),
            nn.Conv2d(inside, out_channels, 1, bias=False),
            nn.BatchNorm2d(out_channels),
        )
        self.residual = stride == 1 and in_channels == out_channels

    def forward(self, x):
        return x + self.conv(x) if self.residual else self.conv(x)


# (expansion, maps, blocks, stride of the first block) (Sandler et al. 2018, table 2).
MOBILENET_V2 = [
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
]


class MobileNetV2(nn.Module):
    """MobileNet, version 2: inverted residuals, wide inside and narrow outside.

    torchvision's weights load.

    Args:
        num_classes: classes, K. Default 1000.
        in_channels: C, of the images. Default 3.
        width: factor for the number of maps, which are rounded to multiples of 8; the last layer
            does not shrink. Default 1.
        stride: of the first convolution; 1 suits images of 28 x 28 or 32 x 32. Default 2.
        dropout: probability of dropping a unit before the last layer. Default 0.2.

    Raises:
        ValueError: if `width` is not positive.

    Paper: Sandler et al. (2018), MobileNetV2: Inverted residuals and linear bottlenecks. Weights
    start as in torchvision: He's variance by outputs, a deviation of 0.01 in the last layer.
    """

    def __init__(self, num_classes=1000, in_channels=3, width=1.0, stride=2, dropout=0.2):
        super().__init__()
        if width <= 0:
            raise ValueError(f"MobileNetV2: expected a positive width, got {width}")
        self.in_channels = in_channels
        channels, last = multiple_of_8(32 * width), multiple_of_8(1280 * max(1.0, width))
        layers = [conv_norm(in_channels, channels, 3, stride, relu=nn.ReLU6)]
        for expansion, maps, blocks, first in MOBILENET_V2:
            for block in range(blocks):
                step, outside = 1 if block else first, multiple_of_8(maps * width)
                layers.append(InvertedResidual(channels, outside, step, expansion))
                channels = outside
        layers.append(conv_norm(channels, last, 1, relu=nn.ReLU6))
        self.features = nn.Sequential(*layers)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Sequential(nn.Dropout(dropout), nn.Linear(last, num_classes))
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out")
        nn.init.normal_(self.classifier[1].weight, std=0.01)
        nn.init.zeros_(self.classifier[1].bias)

    def forward(self, x):
        if x.dim() != 4 or x.shape[1] != self.in_channels or min(x.shape[2:]) < 1:
            raise ValueError(
                f"MobileNetV2: expected images (B, {self.in_channels}, H, W), got "
                f"{tuple(x.shape)}; one image is x[None], and in_channels can be chosen"
            )
        x = self.features(x)  # (B, 1280, 7, 7)
        x = self.avgpool(x).flatten(1)  # (B, 1280)
        return self.classifier(x)  # (B, K)


def multiple_of_8(maps):
    """`maps` rounded to a multiple of 8, at least 8, and never down by more than a tenth."""
    rounded = max(8, int(maps + 4) // 8 * 8)
    return rounded if rounded >= 0.9 * maps else rounded + 8

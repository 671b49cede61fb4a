"""Densely connected networks: every layer reads everything that came before it in its block.

A layer adds only a few channels (the growth rate) to a shared store that all later layers read.
Features are computed once and reused, so the networks are deep and yet small.
"""

from collections import OrderedDict

import torch
import torch.nn.functional as F
from torch import nn

# Layers in each of the four blocks (Huang et al. 2017, table 1).
BLOCKS = {
    121: (6, 12, 24, 16),
    169: (6, 12, 32, 32),
    201: (6, 12, 48, 32),
}


class DenseLayer(nn.Module):
    """Norm, ReLU, 1x1 to four times the growth rate; norm, ReLU, 3x3 to the growth rate."""

    def __init__(self, inputs, growth_rate):
        super().__init__()
        self.norm1 = nn.BatchNorm2d(inputs)
        self.relu1 = nn.ReLU(inplace=True)
        self.conv1 = nn.Conv2d(inputs, 4 * growth_rate, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(4 * growth_rate)
        self.relu2 = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(4 * growth_rate, growth_rate, 3, padding=1, bias=False)

    def forward(self, features):
        x = torch.cat(features, 1)  # (B, inputs, H, W)
        x = self.conv1(self.relu1(self.norm1(x)))  # (B, 4 growth, H, W)
        return self.conv2(self.relu2(self.norm2(x)))  # (B, growth, H, W)


class DenseBlock(nn.ModuleDict):
    """Layers of which each is given the outputs of all earlier ones."""

    def __init__(self, layers, inputs, growth_rate):
        super().__init__()
        for i in range(layers):
            self[f"denselayer{i + 1}"] = DenseLayer(inputs + i * growth_rate, growth_rate)

    def forward(self, x):
        features = [x]
        for layer in self.values():
            features.append(layer(features))
        return torch.cat(features, 1)  # (B, inputs + layers * growth, H, W)


class Transition(nn.Sequential):
    """Between blocks: half the channels, half the height and width."""

    def __init__(self, inputs):
        super().__init__()
        self.norm = nn.BatchNorm2d(inputs)
        self.relu = nn.ReLU(inplace=True)
        self.conv = nn.Conv2d(inputs, inputs // 2, 1, bias=False)
        self.pool = nn.AvgPool2d(2, stride=2)


class DenseNet(nn.Module):
    """Densely connected network (Huang, Liu, van der Maaten, Weinberger 2017), DenseNet-BC.

    New was to concatenate where a residual network adds: layer l has l inputs, and the gradient
    reaches every layer directly. The keys of the state dict are torchvision's.

    ====================  ===============================================================
    DenseNet-121          ``DenseNet(121)``
    CIFAR, L=100, k=12    ``DenseNet(100, 10, growth_rate=12, small_images=True)``
    ====================  ===============================================================

    Args:
        depth: layers with weights: 121, 169 or 201, in four blocks; any other number that is
            6 n + 4 gives the paper's three blocks of n layers for small images. Default 121.
        num_classes: classes, K. Default 1000.
        in_channels: C, of the images. Default 3.
        growth_rate: k, channels that each layer adds. Default 32.
        small_images: a stem for 32x32 images: one 3x3 convolution with stride 1 and no pooling, in
            place of 7x7 with stride 2 and max pooling. Default False.

    Raises:
        ValueError: for a depth that is none of these.
    """

    def __init__(
        self, depth=121, num_classes=1000, in_channels=3, growth_rate=32, *, small_images=False
    ):
        super().__init__()
        if depth not in BLOCKS and (depth < 10 or depth % 6 != 4):
            raise ValueError(f"DenseNet: depth must be one of {[*BLOCKS]} or 6 n + 4, got {depth}")
        blocks = BLOCKS.get(depth, 3 * (depth // 6,))
        self.in_channels = in_channels
        self.smallest = (1 if small_images else 4) * 2 ** (len(blocks) - 1)  # product of strides

        channels = 2 * growth_rate
        kernel, stride = (3, 1) if small_images else (7, 2)
        stem = [
            ("conv0", nn.Conv2d(in_channels, channels, kernel, stride, kernel // 2, bias=False)),
            ("norm0", nn.BatchNorm2d(channels)),
            ("relu0", nn.ReLU(inplace=True)),
            ("pool0", nn.MaxPool2d(3, stride=2, padding=1)),
        ]
        # For small images the first layer of the first block normalizes, as in the paper.
        self.features = nn.Sequential(OrderedDict(stem[:1] if small_images else stem))
        for i, layers in enumerate(blocks, 1):
            self.features.add_module(f"denseblock{i}", DenseBlock(layers, channels, growth_rate))
            channels += layers * growth_rate
            if i < len(blocks):
                self.features.add_module(f"transition{i}", Transition(channels))
                channels //= 2
        self.features.add_module("norm5", nn.BatchNorm2d(channels))
        self.classifier = nn.Linear(channels, num_classes)

        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight)
        nn.init.zeros_(self.classifier.bias)

    def forward(self, x):
        if x.ndim != 4 or x.shape[1] != self.in_channels or min(x.shape[2:]) < self.smallest:
            raise ValueError(
                f"DenseNet: expected images (B, {self.in_channels}, H, W), H and W at least "
                f"{self.smallest}, got {tuple(x.shape)}; set in_channels, enlarge the images, or "
                "build with small_images=True"
            )
        x = self.features(x)  # (B, 1024, 7, 7)
        x = F.relu(x, inplace=True)
        x = F.adaptive_avg_pool2d(x, 1)  # (B, 1024, 1, 1)
        return self.classifier(torch.flatten(x, 1))  # (B, K)

"""Residual networks: each block adds a correction to what it was given, so depth stops hurting.

A plain stack of 56 layers fits its training data worse than one of 20. A block that computes
x + f(x) need only learn f = 0 to do no harm, and the identity hands the gradient on undamped. The
same class builds ResNeXt, the wide networks and the pre-activation variant.
"""

import torch
from torch import nn

# Blocks in each of the four stages (He et al. 2016a, table 1).
STAGES = {
    18: (2, 2, 2, 2),
    34: (3, 4, 6, 3),
    50: (3, 4, 6, 3),
    101: (3, 4, 23, 3),
    152: (3, 8, 36, 3),
}


def conv3x3(inputs, outputs, stride=1, groups=1):
    return nn.Conv2d(inputs, outputs, 3, stride, padding=1, groups=groups, bias=False)


def conv1x1(inputs, outputs, stride=1):
    return nn.Conv2d(inputs, outputs, 1, stride, bias=False)


def projection(inputs, outputs, stride):
    """The shortcut where the shape changes: a 1x1 convolution. Elsewhere None, for the identity."""
    if stride == 1 and inputs == outputs:
        return None
    return nn.Sequential(conv1x1(inputs, outputs, stride), nn.BatchNorm2d(outputs))


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut around them."""

    expansion = 1

    def __init__(self, inputs, width, stride=1):
        super().__init__()
        self.conv1 = conv3x3(inputs, width, stride)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = conv3x3(width, width)
        self.bn2 = nn.BatchNorm2d(width)
        self.downsample = projection(inputs, width, stride)

    def forward(self, x):
        identity = x if self.downsample is None else self.downsample(x)
        out = self.relu(self.bn1(self.conv1(x)))  # (B, width, H / stride, W / stride)
        out = self.bn2(self.conv2(out))
        out += identity
        return self.relu(out)


class Bottleneck(nn.Module):
    """1x1 to fewer channels, 3x3 there, 1x1 to four times as many, and a shortcut around them.

    The 3x3 carries the stride, as torchvision has it; in the paper the first 1x1 does.
    """

    expansion = 4

    def __init__(self, inputs, width, stride=1, groups=1, group_width=64):
        super().__init__()
        inner, outputs = groups * (width * group_width // 64), self.expansion * width
        self.conv1 = conv1x1(inputs, inner)
        self.bn1 = nn.BatchNorm2d(inner)
        self.conv2 = conv3x3(inner, inner, stride, groups)
        self.bn2 = nn.BatchNorm2d(inner)
        self.conv3 = conv1x1(inner, outputs)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = projection(inputs, outputs, stride)

    def forward(self, x):
        identity = x if self.downsample is None else self.downsample(x)
        out = self.relu(self.bn1(self.conv1(x)))  # (B, inner, H, W)
        out = self.relu(self.bn2(self.conv2(out)))  # (B, inner, H / stride, W / stride)
        out = self.bn3(self.conv3(out))  # (B, 4 width, H / stride, W / stride)
        out += identity
        return self.relu(out)


class PreActivation(nn.Module):
    """The convolutions of `block`, each with batch norm and ReLU before it instead of after.

    Then nothing stands on the path of sums from the first block to the last, and what one block
    adds reaches all later ones unchanged (He et al. 2016b). A projection reads the activated input
    and has no norm of its own.

    Args:
        block: `BasicBlock` or `Bottleneck`, whose convolutions are taken over.
        first: whether this is the first block, whose input the stem has activated already.
    """

    def __init__(self, block, first):
        super().__init__()
        self.convs = nn.ModuleList(m for m in block.children() if isinstance(m, nn.Conv2d))
        norms = [nn.BatchNorm2d(conv.in_channels) for conv in self.convs]
        self.norms = nn.ModuleList([nn.Identity(), *norms[1:]] if first else norms)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = None if block.downsample is None else block.downsample[0]
        self.first = first

    def forward(self, x):
        out = x if self.first else self.relu(self.norms[0](x))  # (B, C, H, W)
        identity = x if self.downsample is None else self.downsample(out)
        out = self.convs[0](out)
        for norm, conv in zip(self.norms[1:], self.convs[1:], strict=True):
            out = conv(self.relu(norm(out)))
        out += identity
        return out


class ResNet(nn.Module):
    """Deep residual network (He, Zhang, Ren, Sun 2016), winner of ILSVRC 2015.

    New were shortcuts around every two or three convolutions, which made 152 layers trainable, and
    one global average in place of large fully connected layers. The keys of the state dict are
    torchvision's.

    ====================  =================================================================
    ResNet-50             ``ResNet(50)``
    ResNeXt-50 32x4d      ``ResNet(50, groups=32, group_width=4)`` (Xie et al. 2017)
    WideResNet-50-2       ``ResNet(50, group_width=128)`` (Zagoruyko, Komodakis 2016)
    pre-activation        ``ResNet(50, pre_activation=True)`` (He et al. 2016b)
    ResNet-20, CIFAR      ``ResNet(20, num_classes=10, width=16, small_images=True)``
    ====================  =================================================================

    Args:
        depth: layers with weights: 18, 34, 50, 101 or 152, in four stages; any other number that is
            6 n + 2 gives the paper's three stages of n basic blocks for small images. Default 50.
        num_classes: classes, K. Default 1000.
        in_channels: C, of the images. Default 3.
        width: channels of the first stage, doubled in every later one. Default 64.
        groups: groups of the 3x3 convolutions in bottlenecks. Default 1.
        group_width: channels of each group, where `width` is 64. Default 64.
        pre_activation: norm and ReLU before each convolution. Default False.
        small_images: a stem for 32x32 images: one 3x3 convolution with stride 1 and no pooling, in
            place of 7x7 with stride 2 and max pooling. Default False.

    Raises:
        ValueError: for a depth that is none of these, groups without bottlenecks, or empty groups.
    """

    def __init__(
        self, depth=50, num_classes=1000, in_channels=3, width=64, *,
        groups=1, group_width=64, pre_activation=False, small_images=False,
    ):  # fmt: skip
        super().__init__()
        if depth not in STAGES and (depth < 8 or depth % 6 != 2):
            raise ValueError(f"ResNet: depth must be one of {[*STAGES]} or 6 n + 2, got {depth}")
        blocks = STAGES.get(depth, (depth // 6, depth // 6, depth // 6, 0))
        self.block = Bottleneck if depth in STAGES and depth >= 50 else BasicBlock
        self.options = {}
        if self.block is Bottleneck:
            self.options = {"groups": groups, "group_width": group_width}
        elif (groups, group_width) != (1, 64):
            raise ValueError(f"ResNet: depth {depth} has no bottlenecks to group; take 50 or more")
        if width * group_width < 64:
            raise ValueError(
                f"ResNet: groups of {group_width} * width / 64 channels are less than one at width "
                f"{width}; make group_width or width larger"
            )
        self.pre_activation = pre_activation
        self.in_channels, self.channels = in_channels, width
        self.smallest = (1 if small_images else 4) * (8 if blocks[3] else 4)  # product of strides

        kernel, stride = (3, 1) if small_images else (7, 2)
        self.conv1 = nn.Conv2d(in_channels, width, kernel, stride, kernel // 2, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.Identity() if small_images else nn.MaxPool2d(3, stride=2, padding=1)
        self.layer1 = self._make_stage(width, blocks[0], first=True)
        self.layer2 = self._make_stage(2 * width, blocks[1], stride=2)
        self.layer3 = self._make_stage(4 * width, blocks[2], stride=2)
        self.layer4 = self._make_stage(8 * width, blocks[3], stride=2)
        # With pre-activation nobody has activated the last sum.
        self.last_norm = nn.BatchNorm2d(self.channels) if pre_activation else None
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(self.channels, num_classes)

        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def _make_stage(self, width, count, stride=1, first=False):
        """`count` blocks; the first takes the channels there are and carries the stride."""
        blocks = []
        for i in range(count):
            block = self.block(self.channels, width, stride if i == 0 else 1, **self.options)
            if self.pre_activation:
                block = PreActivation(block, first and i == 0)
            blocks.append(block)
            self.channels = width * self.block.expansion
        return nn.Sequential(*blocks)

    def forward(self, x):
        if x.ndim != 4 or x.shape[1] != self.in_channels or min(x.shape[2:]) < self.smallest:
            raise ValueError(
                f"ResNet: expected images (B, {self.in_channels}, H, W), H and W at least "
                f"{self.smallest}, got {tuple(x.shape)}; set in_channels, enlarge the images, or "
                "build with small_images=True"
            )
        x = self.relu(self.bn1(self.conv1(x)))  # (B, 64, 112, 112)
        x = self.maxpool(x)  # (B, 64, 56, 56)
        x = self.layer1(x)  # (B, 256, 56, 56)
        x = self.layer2(x)  # (B, 512, 28, 28)
        x = self.layer3(x)  # (B, 1024, 14, 14)
        x = self.layer4(x)  # (B, 2048, 7, 7)
        if self.last_norm is not None:
            x = self.relu(self.last_norm(x))
        x = self.avgpool(x)  # (B, 2048, 1, 1)
        return self.fc(torch.flatten(x, 1))  # (B, K)

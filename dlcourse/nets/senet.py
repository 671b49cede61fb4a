"""Squeeze-and-excitation: a network that turns its own channels up and down, image by image.

The block looks at the mean of each channel over the whole image, and a tiny two-layer network makes
of it one factor between 0 and 1 for every channel. It fits into any network; here it stands in the
residual one.
"""

import torch
from torch import nn

# Blocks in each of the four stages, as in the residual networks of the same depth.
STAGES = {
    50: (3, 4, 6, 3),
    101: (3, 4, 23, 3),
    152: (3, 8, 36, 3),
}


class SqueezeExcitation(nn.Module):
    """Scale every channel by a factor computed from the means of all channels.

    Args:
        channels: of the input, C.
        reduction: r, by which the layer in the middle is narrower. Default 16.
    """

    def __init__(self, channels, reduction=16):
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.fc1 = nn.Linear(channels, max(channels // reduction, 1))
        self.relu = nn.ReLU(inplace=True)
        self.fc2 = nn.Linear(self.fc1.out_features, channels)

    def forward(self, x):
        squeezed = torch.flatten(self.pool(x), 1)  # (B, C)
        factors = torch.sigmoid(self.fc2(self.relu(self.fc1(squeezed))))  # (B, C)
        return x * factors[:, :, None, None]  # (B, C, H, W)


class SEBottleneck(nn.Module):
    """A residual bottleneck whose correction is scaled channel by channel before it is added.

    The first 1x1 carries the stride, as in the networks of the paper.
    """

    expansion = 4

    def __init__(self, inputs, width, stride=1, reduction=16):
        super().__init__()
        outputs = self.expansion * width
        self.conv1 = nn.Conv2d(inputs, width, 1, stride, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, outputs, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.se = SqueezeExcitation(outputs, reduction)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = None  # the identity
        if stride != 1 or inputs != outputs:
            self.downsample = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)
            )

    def forward(self, x):
        identity = x if self.downsample is None else self.downsample(x)
        out = self.relu(self.bn1(self.conv1(x)))  # (B, width, H / stride, W / stride)
        out = self.relu(self.bn2(self.conv2(out)))
        out = self.se(self.bn3(self.conv3(out)))  # (B, 4 width, H / stride, W / stride)
        out += identity
        return self.relu(out)


class SEResNet(nn.Module):
    """Residual network with squeeze-and-excitation (Hu, Shen, Sun 2018), winner of ILSVRC 2017.

    New was attention to channels: at a quarter of a percent more computation, SE-ResNet-50 comes
    close to the error of ResNet-101.

    Args:
        depth: layers with weights, the small ones of the squeezes not counted: 50, 101 or 152, in
            four stages; any other number that is 9 n + 2 gives three stages of n blocks for small
            images. Default 50.
        num_classes: classes, K. Default 1000.
        in_channels: C, of the images. Default 3.
        width: channels of the first stage, doubled in every later one. Default 64.
        reduction: r, by which the middle of each squeeze is narrower. Default 16.
        small_images: a stem for 32x32 images: one 3x3 convolution with stride 1 and no pooling, in
            place of 7x7 with stride 2 and max pooling. Default False.

    Raises:
        ValueError: for a depth that is none of these.
    """

    def __init__(
        self, depth=50, num_classes=1000, in_channels=3, width=64, *,
        reduction=16, small_images=False,
    ):  # fmt: skip
        super().__init__()
        if depth not in STAGES and (depth < 11 or depth % 9 != 2):
            raise ValueError(f"SEResNet: depth must be one of {[*STAGES]} or 9 n + 2, got {depth}")
        blocks = STAGES.get(depth, (depth // 9, depth // 9, depth // 9, 0))
        self.in_channels, self.channels, self.reduction = in_channels, width, reduction
        self.smallest = (1 if small_images else 4) * (8 if blocks[3] else 4)  # product of strides

        kernel, stride = (3, 1) if small_images else (7, 2)
        self.conv1 = nn.Conv2d(in_channels, width, kernel, stride, kernel // 2, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.Identity() if small_images else nn.MaxPool2d(3, stride=2, padding=1)
        self.layer1 = self._make_stage(width, blocks[0])
        self.layer2 = self._make_stage(2 * width, blocks[1], stride=2)
        self.layer3 = self._make_stage(4 * width, blocks[2], stride=2)
        self.layer4 = self._make_stage(8 * width, blocks[3], stride=2)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(self.channels, num_classes)

        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def _make_stage(self, width, count, stride=1):
        """`count` blocks; the first takes the channels there are and carries the stride."""
        blocks = []
        for i in range(count):
            stride = stride if i == 0 else 1
            blocks.append(SEBottleneck(self.channels, width, stride, self.reduction))
            self.channels = width * SEBottleneck.expansion
        return nn.Sequential(*blocks)

    def forward(self, x):
        if x.ndim != 4 or x.shape[1] != self.in_channels or min(x.shape[2:]) < self.smallest:
            raise ValueError(
                f"SEResNet: expected images (B, {self.in_channels}, H, W), H and W at least "
                f"{self.smallest}, got {tuple(x.shape)}; set in_channels, enlarge the images, or "
                "build with small_images=True"
            )
        x = self.relu(self.bn1(self.conv1(x)))  # (B, 64, 112, 112)
        x = self.maxpool(x)  # (B, 64, 56, 56)
        x = self.layer1(x)  # (B, 256, 56, 56)
        x = self.layer2(x)  # (B, 512, 28, 28)
        x = self.layer3(x)  # (B, 1024, 14, 14)
        x = self.layer4(x)  # (B, 2048, 7, 7)
        x = self.avgpool(x)  # (B, 2048, 1, 1)
        return self.fc(torch.flatten(x, 1))  # (B, K)

"""VGG: nothing but 3 x 3 convolutions, stacked deep.

Two such layers see a field of 5 x 5 and three one of 7 x 7, with fewer weights than one large
kernel and more nonlinearity. The number in a net's name counts its layers with weights.
"""

from torch import nn

# Convolutions in each of the five stages, by depth (Simonyan, Zisserman 2014, table 1).
STAGES = {
    11: (1, 1, 2, 2, 2),
    13: (2, 2, 2, 2, 2),
    16: (2, 2, 3, 3, 3),
    19: (2, 2, 4, 4, 4),
}
CHANNELS = (64, 128, 256, 512, 512)


class VGG(nn.Module):
    """A VGG net; torchvision's weights load. The batch norm came later (2015) and eases training.

    Args:
        depth: 11, 13, 16 or 19 layers with weights. Default 16.
        batch_norm: whether each convolution is followed by batch norm. Default False.
        num_classes: classes, K. Default 1000.
        in_channels: C, of the images. Default 3.
        width: factor for the number of maps and hidden units. Default 1.
        cutoff: how many of the five stages to build; each halves the image. With 3 the net suits
            images of 28 x 28. Default 5.
        grid: the classifier sees the last maps as grid x grid fields. With 1 it is small, as suits
            small images. Default 7.
        dropout: probability of dropping a hidden unit. Default 0.5.

    Raises:
        ValueError: if there is no such depth or stage, or `width` leaves a layer without a unit.

    Paper: Simonyan, Zisserman (2014), Very deep convolutional networks for large-scale image
    recognition. Weights start as in torchvision: He's variance in the convolutions, a deviation of
    0.01 in the classifier (at width 1).
    """

    def __init__(
        self, depth=16, batch_norm=False, num_classes=1000, in_channels=3, width=1.0, cutoff=5,
        grid=7, dropout=0.5,
    ):  # fmt: skip
        super().__init__()
        if depth not in STAGES or not 1 <= cutoff <= 5 or 64 * width < 1:
            raise ValueError(
                f"VGG: expected a depth of {', '.join(map(str, STAGES))}, a cutoff of 1 to 5 and a "
                f"width of at least 1/64, got depth={depth}, cutoff={cutoff}, width={width}"
            )
        self.in_channels, self.smallest = in_channels, 2**cutoff
        layers, channels = [], in_channels
        for repeats, maps in list(zip(STAGES[depth], CHANNELS, strict=True))[:cutoff]:
            for _ in range(repeats):
                layers += conv3x3(channels, round(maps * width), batch_norm)
                channels = round(maps * width)
            layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)
        self.avgpool = nn.AdaptiveAvgPool2d(grid)  # changes nothing at 224 x 224
        hidden = round(4096 * width)
        self.classifier = nn.Sequential(
            nn.Linear(channels * grid * grid, hidden),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
            nn.Linear(hidden, hidden),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
            nn.Linear(hidden, num_classes),
        )
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
                nn.init.zeros_(module.bias)
            elif isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, std=0.01 / width**0.5)  # keeps the variance
                nn.init.zeros_(module.bias)

    def forward(self, x):
        if x.dim() != 4 or x.shape[1] != self.in_channels or min(x.shape[2:]) < self.smallest:
            raise ValueError(
                f"VGG: expected images (B, {self.in_channels}, H, W) with H and W at least "
                f"{self.smallest}, got {tuple(x.shape)}; resize them, or build it with their "
                "in_channels or a smaller cutoff"
            )
        x = self.features(x)  # (B, 512, 7, 7)
        x = self.avgpool(x)  # (B, 512, 7, 7)
        return self.classifier(x.flatten(1))  # (B, K)


def conv3x3(in_channels, out_channels, batch_norm):
    """A 3 x 3 convolution that keeps the size, batch norm if wanted, and ReLU, as a list."""
    norm = [nn.BatchNorm2d(out_channels)] if batch_norm else []
    return [nn.Conv2d(in_channels, out_channels, 3, padding=1), *norm, nn.ReLU(inplace=True)]

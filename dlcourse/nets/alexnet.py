"""AlexNet and ZFNet: the nets that won ImageNet in 2012 and 2013 and turned the field around.

Five convolutions and three fully connected layers, as in LeNet, but with 60 million parameters,
ReLU, dropout, and two graphics cards. AlexNet stands here twice: as one tower, as it is built
today, and in the two towers of the paper, one on each card.
"""

from torch import nn


class AlexNet(nn.Module):
    """AlexNet in one tower, without response norm: torchvision's net, whose weights it loads.

    Args:
        num_classes: classes, K. Default 1000.
        in_channels: C, of the images. Default 3.
        width: factor for the number of maps and hidden units. Default 1.
        stride: of the first convolution; 1 suits images of 28 x 28 or 32 x 32. Default 4.
        dropout: probability of dropping a hidden unit. Default 0.5.

    Raises:
        ValueError: if `width` leaves a layer without a unit.

    Papers: Krizhevsky, Sutskever, Hinton (2012), ImageNet classification with deep convolutional
    neural networks; the widths are those of Krizhevsky (2014), One weird trick for parallelizing
    convolutional neural networks.
    """

    def __init__(self, num_classes=1000, in_channels=3, width=1.0, stride=4, dropout=0.5):
        super().__init__()
        self.in_channels = in_channels
        self.smallest = 7 + 14 * stride  # leaves 3 x 3 for the last pooling
        c1, c2, c3, c4, hidden = _scaled("AlexNet", width, 64, 192, 384, 256, 4096)
        self.features = nn.Sequential(
            nn.Conv2d(in_channels, c1, 11, stride, padding=2),  # (B, 64, 55, 55)
            nn.ReLU(inplace=True),
            nn.MaxPool2d(3, stride=2),  # (B, 64, 27, 27)
            nn.Conv2d(c1, c2, 5, padding=2),  # (B, 192, 27, 27)
            nn.ReLU(inplace=True),
            nn.MaxPool2d(3, stride=2),  # (B, 192, 13, 13)
            nn.Conv2d(c2, c3, 3, padding=1),  # (B, 384, 13, 13)
            nn.ReLU(inplace=True),
            nn.Conv2d(c3, c4, 3, padding=1),  # (B, 256, 13, 13)
            nn.ReLU(inplace=True),
            nn.Conv2d(c4, c4, 3, padding=1),  # (B, 256, 13, 13)
            nn.ReLU(inplace=True),
            nn.MaxPool2d(3, stride=2),  # (B, 256, 6, 6)
        )
        self.avgpool = nn.AdaptiveAvgPool2d(6)  # changes nothing at 224 x 224
        self.classifier = nn.Sequential(
            nn.Dropout(dropout),
            nn.Linear(c4 * 6 * 6, hidden),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
            nn.Linear(hidden, hidden),
            nn.ReLU(inplace=True),
            nn.Linear(hidden, num_classes),
        )

    def forward(self, x):
        if x.dim() != 4 or x.shape[1] != self.in_channels or min(x.shape[2:]) < self.smallest:
            raise ValueError(
                f"AlexNet: expected images (B, {self.in_channels}, H, W) with H and W at least "
                f"{self.smallest}, got {tuple(x.shape)}; resize them, or build it with their "
                "in_channels or with stride=1"
            )
        x = self.avgpool(self.features(x))  # (B, 256, 6, 6)
        return self.classifier(x.flatten(1))  # (B, K)


class TowerNorm(nn.LocalResponseNorm):
    """Local response norm of 2012: units compete with their neighbors in adjacent maps.

    A unit is divided by (2 + 10^-4 S)^0.75, where S is the sum of the squares of the five units
    at its place in adjacent maps. PyTorch takes the mean where the paper has the sum, hence the
    5 times larger alpha. Maps of different towers are not adjacent.

    Args:
        towers: number of towers that the maps are divided among. Default 2.
    """

    def __init__(self, towers=2):
        super().__init__(size=5, alpha=5e-4, beta=0.75, k=2.0)
        self.towers = towers

    def forward(self, x):
        towers = x.unflatten(1, (self.towers, -1)).flatten(0, 1)  # (B * towers, C / towers, H, W)
        return super().forward(towers).unflatten(0, (-1, self.towers)).flatten(1, 2)


class AlexNetTwoTowers(nn.Module):
    """AlexNet as in the paper: two towers that meet in the third convolution and in the end.

    Each card holds half of the maps of every layer. The second, fourth and fifth convolution see
    only the maps on their own card, which is what `groups=2` says. The paper gives the images as
    224 x 224; the sizes it gives for the layers need 227 x 227.

    Args:
        num_classes: classes, K. Default 1000.
        in_channels: C, of the images. Default 3.
        width: factor for the number of maps and hidden units. Default 1.
        stride: of the first convolution; 1 suits images of 28 x 28 or 32 x 32. Default 4.
        dropout: probability of dropping a hidden unit. Default 0.5.

    Raises:
        ValueError: if `width` leaves a tower without a map.

    Paper: Krizhevsky, Sutskever, Hinton (2012), ImageNet classification with deep convolutional
    neural networks. Its initial weights and biases are used.
    """

    def __init__(self, num_classes=1000, in_channels=3, width=1.0, stride=4, dropout=0.5):
        super().__init__()
        self.in_channels = in_channels
        self.smallest = 11 + 14 * stride  # leaves 3 x 3 for the last pooling
        halves = _scaled("AlexNetTwoTowers", width, 48, 128, 192)
        c1, c2, c3 = (2 * half for half in halves)
        (hidden,) = _scaled("AlexNetTwoTowers", width, 4096)
        self.features = nn.Sequential(
            nn.Conv2d(in_channels, c1, 11, stride),  # (B, 96, 55, 55)
            nn.ReLU(inplace=True),
            TowerNorm(),
            nn.MaxPool2d(3, stride=2),  # (B, 96, 27, 27)
            nn.Conv2d(c1, c2, 5, padding=2, groups=2),  # (B, 256, 27, 27)
            nn.ReLU(inplace=True),
            TowerNorm(),
            nn.MaxPool2d(3, stride=2),  # (B, 256, 13, 13)
            nn.Conv2d(c2, c3, 3, padding=1),  # (B, 384, 13, 13)
            nn.ReLU(inplace=True),
            nn.Conv2d(c3, c3, 3, padding=1, groups=2),  # (B, 384, 13, 13)
            nn.ReLU(inplace=True),
            nn.Conv2d(c3, c2, 3, padding=1, groups=2),  # (B, 256, 13, 13)
            nn.ReLU(inplace=True),
            nn.MaxPool2d(3, stride=2),  # (B, 256, 6, 6)
        )
        self.avgpool = nn.AdaptiveAvgPool2d(6)  # changes nothing at 227 x 227
        self.classifier = nn.Sequential(
            nn.Linear(c2 * 6 * 6, hidden),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
            nn.Linear(hidden, hidden),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
            nn.Linear(hidden, num_classes),
        )
        self._init_as_in_the_paper(std=0.01 / width**0.5)  # a narrow net needs larger weights

    def _init_as_in_the_paper(self, std):
        layers = [m for m in self.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
        for number, layer in enumerate(layers, 1):
            nn.init.normal_(layer.weight, std=std)
            # Biases of 1 give the ReLUs something positive to begin with.
            nn.init.constant_(layer.bias, 1.0 if number in (2, 4, 5, 6, 7) else 0.0)

    def forward(self, x):
        if x.dim() != 4 or x.shape[1] != self.in_channels or min(x.shape[2:]) < self.smallest:
            raise ValueError(
                f"AlexNetTwoTowers: expected images (B, {self.in_channels}, H, W) with H and W "
                f"at least {self.smallest}, got {tuple(x.shape)}; resize them, or build it with "
                "their in_channels or with stride=1"
            )
        x = self.avgpool(self.features(x))  # (B, 256, 6, 6)
        return self.classifier(x.flatten(1))  # (B, K)


class ZFNet(nn.Module):
    """ZFNet: AlexNet after a look inside it; smaller kernels and steps at the beginning.

    Pictures of what the maps of AlexNet respond to showed that a step of 4 loses the middle
    frequencies; so the first kernels are 7 x 7 with a step of 2. Pooling rounds up, which gives the
    sizes of the paper's figure 3. Contrast is normalized across maps, by AlexNet's response norm.

    Args:
        num_classes: classes, K. Default 1000.
        in_channels: C, of the images. Default 3.
        width: factor for the number of maps and hidden units. Default 1.
        stride: of the first convolution and of the second; 1 suits images of 28 x 28 or 32 x 32.
            Default 2.
        dropout: probability of dropping a hidden unit. Default 0.5.

    Raises:
        ValueError: if `width` leaves a layer without a unit.

    Paper: Zeiler, Fergus (2013), Visualizing and understanding convolutional networks.
    """

    def __init__(self, num_classes=1000, in_channels=3, width=1.0, stride=2, dropout=0.5):
        super().__init__()
        self.in_channels = in_channels
        self.smallest = 5 + stride * (9 + 6 * stride)  # leaves 2 x 2 for the last pooling
        c1, c2, c3, hidden = _scaled("ZFNet", width, 96, 256, 384, 4096)
        self.features = nn.Sequential(
            nn.Conv2d(in_channels, c1, 7, stride, padding=1),  # (B, 96, 110, 110)
            nn.ReLU(inplace=True),
            nn.MaxPool2d(3, stride=2, ceil_mode=True),  # (B, 96, 55, 55)
            TowerNorm(towers=1),
            nn.Conv2d(c1, c2, 5, stride),  # (B, 256, 26, 26)
            nn.ReLU(inplace=True),
            nn.MaxPool2d(3, stride=2, ceil_mode=True),  # (B, 256, 13, 13)
            TowerNorm(towers=1),
            nn.Conv2d(c2, c3, 3, padding=1),  # (B, 384, 13, 13)
            nn.ReLU(inplace=True),
            nn.Conv2d(c3, c3, 3, padding=1),  # (B, 384, 13, 13)
            nn.ReLU(inplace=True),
            nn.Conv2d(c3, c2, 3, padding=1),  # (B, 256, 13, 13)
            nn.ReLU(inplace=True),
            nn.MaxPool2d(3, stride=2, ceil_mode=True),  # (B, 256, 6, 6)
        )
        self.avgpool = nn.AdaptiveAvgPool2d(6)  # changes nothing at 224 x 224
        self.classifier = nn.Sequential(
            nn.Linear(c2 * 6 * 6, hidden),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
            nn.Linear(hidden, hidden),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
            nn.Linear(hidden, num_classes),
        )

    def forward(self, x):
        if x.dim() != 4 or x.shape[1] != self.in_channels or min(x.shape[2:]) < self.smallest:
            raise ValueError(
                f"ZFNet: expected images (B, {self.in_channels}, H, W) with H and W at least "
                f"{self.smallest}, got {tuple(x.shape)}; resize them, or build it with their "
                "in_channels or with stride=1"
            )
        x = self.avgpool(self.features(x))  # (B, 256, 6, 6)
        return self.classifier(x.flatten(1))  # (B, K)


def _scaled(name, width, *sizes):
    """The sizes times `width`, rounded, none below 1."""
    scaled = [round(size * width) for size in sizes]
    if min(scaled) < 1:
        raise ValueError(f"{name}: width={width} leaves a layer without a unit; take a larger one")
    return scaled

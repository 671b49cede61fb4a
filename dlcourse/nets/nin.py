"""Network in network: 1 x 1 convolutions, and no fully connected layer at the end.

After each convolution a small network works on the maps at every place, which is a 1 x 1
convolution; and the last maps, one for each class, are averaged to give the answer. Both ideas went
into GoogLeNet and nearly all that followed.
"""

from torch import nn

# For each block: kernel, stride, padding and the maps after the convolution and the two 1 x 1
# convolutions; None stands for the classes. Between blocks maps are pooled and dropped out.
LAYOUTS = {
    "cifar10": [
        (5, 1, 2, (192, 160, 96)),
        (5, 1, 2, (192, 192, 192)),
        (3, 1, 1, (192, 192, None)),
    ],
    "imagenet": [
        (11, 4, 0, (96, 96, 96)),
        (5, 1, 2, (256, 256, 256)),
        (3, 1, 1, (384, 384, 384)),
        (3, 1, 1, (1024, 1024, None)),
    ],
}


class NetworkInNetwork(nn.Module):
    """Network in network, in the authors' layout for CIFAR-10 or for ImageNet.

    A ReLU follows every convolution, the last one too, so that no output is negative. A class whose
    maps are 0 everywhere then gets no gradient any more, which happens easily in small nets.

    Args:
        layout: "imagenet" (224 x 224) or "cifar10" (32 x 32; 28 x 28 will do). Default "imagenet".
        num_classes: classes, K. Default 1000.
        in_channels: C, of the images. Default 3.
        width: factor for the number of maps. Default 1.
        dropout: probability of dropping a unit between blocks. Default 0.5.
        last_relu: whether the maps of the classes pass a ReLU. Default True.

    Raises:
        ValueError: if there is no such layout, or `width` leaves a layer without a map.

    Paper: Lin, Chen, Yan (2013), Network in network. It describes the blocks; the numbers are those
    of the models that the authors published for Caffe.
    """

    def __init__(
        self, layout="imagenet", num_classes=1000, in_channels=3, width=1.0, dropout=0.5,
        last_relu=True,
    ):  # fmt: skip
        super().__init__()
        if layout not in LAYOUTS or 96 * width < 1:
            raise ValueError(
                f"NetworkInNetwork: expected the layout {' or '.join(map(repr, LAYOUTS))} and a "
                f"width of at least 1/96, got layout={layout!r}, width={width}"
            )
        self.in_channels = in_channels
        self.smallest = 39 if layout == "imagenet" else 4  # what the last pooling needs
        layers, channels = [], in_channels
        for number, (kernel, stride, padding, maps) in enumerate(LAYOUTS[layout]):
            if number:
                # The second pooling of the CIFAR layout takes means, all others the maximum.
                means = layout == "cifar10" and number == 2
                pool = nn.AvgPool2d if means else nn.MaxPool2d
                layers.append(pool(3, stride=2, ceil_mode=True))
                if layout == "cifar10" or number == 3:
                    layers.append(nn.Dropout(dropout))
            maps = [num_classes if m is None else round(m * width) for m in maps]
            layers += mlpconv(channels, maps, kernel, stride, padding)
            channels = maps[-1]
        self.features = nn.Sequential(*layers if last_relu else layers[:-1])
        self.avgpool = nn.AdaptiveAvgPool2d(1)

    def forward(self, x):
        if x.dim() != 4 or x.shape[1] != self.in_channels or min(x.shape[2:]) < self.smallest:
            raise ValueError(
                f"NetworkInNetwork: expected images (B, {self.in_channels}, H, W) with H and W "
                f"at least {self.smallest}, got {tuple(x.shape)}; resize them, or build it with "
                "their in_channels or layout='cifar10'"
            )
        x = self.features(x)  # (B, K, 6, 6)
        return self.avgpool(x).flatten(1)  # (B, K)


def mlpconv(in_channels, maps, kernel_size, stride, padding):
    """A convolution and two 1 x 1 convolutions, each with ReLU, as a list of layers."""
    first, second, third = maps
    return [
        nn.Conv2d(in_channels, first, kernel_size, stride, padding),
        nn.ReLU(inplace=True),
        nn.Conv2d(first, second, 1),
        nn.ReLU(inplace=True),
        nn.Conv2d(second, third, 1),
        nn.ReLU(inplace=True),
    ]

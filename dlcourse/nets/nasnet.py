"""NASNet: a network whose building blocks were found by search, not drawn by hand.

A controller tried out thousands of small cells on 32x32 images; the best pair, one that keeps the
size and one that halves it, was then stacked to any depth. The wiring of the cells is a table, and
the network reads it.
"""

import torch
import torch.nn.functional as F
from torch import nn

# A cell makes five blocks. Each applies one operation to each of two earlier results and adds the
# two. Results have numbers: 0 is what the cell before made, 1 what the cell before that made,
# 2 ... 6 are the blocks of this cell. (Zoph et al. 2018, figure 4)
#
#                 left           of   right          of
NORMAL_CELL = (
    (("separable 5x5", 0), ("separable 3x3", 1)),  # 2
    (("separable 5x5", 1), ("separable 3x3", 1)),  # 3
    (("average 3x3",   0), ("identity",      1)),  # 4
    (("average 3x3",   1), ("average 3x3",   1)),  # 5
    (("separable 3x3", 0), ("identity",      0)),  # 6
)  # fmt: skip
NORMAL_OUTPUTS = (1, 2, 3, 4, 5, 6)  # the results that nobody has used, joined along the channels

REDUCTION_CELL = (
    (("separable 5x5", 0), ("separable 7x7", 1)),  # 2
    (("max 3x3",       0), ("separable 7x7", 1)),  # 3
    (("average 3x3",   0), ("separable 5x5", 1)),  # 4
    (("identity",      3), ("average 3x3",   2)),  # 5
    (("separable 3x3", 2), ("max 3x3",       0)),  # 6
)  # fmt: skip
REDUCTION_OUTPUTS = (3, 4, 5, 6)


def norm(channels):
    return nn.BatchNorm2d(channels, eps=1e-3)


def pointwise(inputs, outputs):
    """ReLU, 1x1 convolution, norm: fits the number of channels."""
    return nn.Sequential(nn.ReLU(), nn.Conv2d(inputs, outputs, 1, bias=False), norm(outputs))


def separable(inputs, outputs, kernel, stride):
    """Twice: ReLU, a kernel for each channel, 1x1 across channels, norm; stride in the first."""

    def half(inputs, stride, inplace):
        padding = kernel // 2
        return (
            nn.ReLU(inplace),
            nn.Conv2d(inputs, inputs, kernel, stride, padding, groups=inputs, bias=False),
            nn.Conv2d(inputs, outputs, 1, bias=False),
            norm(outputs),
        )

    # Others read the input, too: it must stay as it is.
    return nn.Sequential(*half(inputs, stride, inplace=False), *half(outputs, 1, inplace=True))


def operation(name, inputs, outputs, stride):
    """The module of an entry in the tables above."""
    if name == "identity":
        return nn.Identity()
    kind, size = name.split(" ")
    kernel = int(size[0])
    if kind == "separable":
        return separable(inputs, outputs, kernel, stride)
    if kind == "max":
        return nn.MaxPool2d(kernel, stride, kernel // 2)
    return nn.AvgPool2d(kernel, stride, kernel // 2, count_include_pad=False)


class HalvedPointwise(nn.Module):
    """ReLU, 1x1 convolution with stride 2, norm: fits the size of an older result.

    One half of the channels reads the pixels at even places, the other half those one further
    down and to the right, so that not three pixels in four are lost.
    """

    def __init__(self, inputs, outputs):
        super().__init__()
        self.relu = nn.ReLU()
        self.even = nn.Conv2d(inputs, outputs // 2, 1, stride=2, bias=False)
        self.odd = nn.Conv2d(inputs, outputs - outputs // 2, 1, stride=2, bias=False)
        self.norm = norm(outputs)

    def forward(self, x):
        x = self.relu(x)  # (B, inputs, H, W)
        shifted = F.pad(x[:, :, 1:, 1:], (0, 1, 0, 1))  # (B, inputs, H, W)
        return self.norm(torch.cat([self.even(x), self.odd(shifted)], 1))  # (B, outputs, H/2, W/2)


class Cell(nn.Module):
    """One cell, wired as a table says.

    Args:
        current: channels of what the cell before made.
        previous: channels of what the cell before that made.
        width: F, channels of every block.
        reduction: whether it halves height and width. Default False.
        fit: how the older input becomes (B, F, H, W): "channels", "size" where it is twice as high
            and wide, or None to leave it to the operations. Default "channels".
    """

    def __init__(self, current, previous, width, reduction=False, fit="channels"):
        super().__init__()
        wiring = REDUCTION_CELL if reduction else NORMAL_CELL
        self.outputs = REDUCTION_OUTPUTS if reduction else NORMAL_OUTPUTS
        self.channels = width * len(self.outputs)
        self.sources = [(i, j) for (_, i), (_, j) in wiring]
        self.fit_current = pointwise(current, width)
        fits = {"channels": pointwise, "size": HalvedPointwise}
        self.fit_previous = fits[fit](previous, width) if fit else nn.Identity()

        def module(name, source):
            inputs = previous if source == 1 and not fit else width
            return operation(name, inputs, width, stride=2 if reduction and source < 2 else 1)

        self.left = nn.ModuleList(module(*left) for left, _ in wiring)
        self.right = nn.ModuleList(module(*right) for _, right in wiring)

    def forward(self, current, previous):
        results = [self.fit_current(current), self.fit_previous(previous)]  # (B, F, H, W) each
        for left, right, (i, j) in zip(self.left, self.right, self.sources, strict=True):
            results.append(left(results[i]) + right(results[j]))
        return torch.cat([results[i] for i in self.outputs], 1)  # (B, 6 F or 4 F, ...)


class NASNetA(nn.Module):
    """NASNet-A (Zoph, Vasudevan, Shlens, Le 2018).

    New was to search the cell on small images and to carry it over to large ones by stacking more
    and wider copies. The defaults are the mobile network, 4 @ 1056: four normal cells in each of
    three stages, 1056 channels at the end. Left out are what only training uses: the auxiliary
    classifier and the random dropping of paths.

    ====================  ==================================================================
    mobile, 4 @ 1056      ``NASNetA()``
    CIFAR, 6 @ 768        ``NASNetA(6, 10, width=32, small_images=True)``
    ====================  ==================================================================

    Args:
        cells: N, normal cells in each of the three stages. Default 4.
        num_classes: classes, K. Default 1000.
        in_channels: C, of the images. Default 3.
        width: F, channels of each block in the first stage, doubled in every later one; a multiple
            of 4. At the end there are 24 F channels. Default 44.
        dropout: probability, before the classifier. Default 0.5.
        small_images: a stem for 32x32 images: one convolution with stride 1, in place of one with
            stride 2 and two reduction cells. Default False.

    Raises:
        ValueError: if there are no cells, or `width` is not a positive multiple of 4.
    """

    def __init__(
        self, cells=4, num_classes=1000, in_channels=3, width=44, *,
        dropout=0.5, small_images=False,
    ):  # fmt: skip
        super().__init__()
        if cells < 1 or width < 4 or width % 4:
            raise ValueError(
                f"NASNetA: expected cells >= 1 and width a multiple of 4, got {cells} and {width}"
            )
        self.in_channels, self.smallest = in_channels, 4 if small_images else 32
        # (width, whether it reduces) of every cell.
        plan = [] if small_images else [(width // 4, True), (width // 2, True)]
        plan += cells * [(width, False)]
        plan += [(2 * width, True)] + cells * [(2 * width, False)]
        plan += [(4 * width, True)] + cells * [(4 * width, False)]

        channels = 3 * width if small_images else 32
        stride, padding = (1, 1) if small_images else (2, 0)
        self.stem = nn.Sequential(
            nn.Conv2d(in_channels, channels, 3, stride, padding, bias=False), norm(channels)
        )
        self.cells = nn.ModuleList()
        current = previous = channels
        # The two inputs of the first cell are one and the same. A reduction cell reads the older
        # one with separable convolutions only, and those fit the channels themselves.
        fit = "channels" if small_images else None
        for cell_width, reduction in plan:
            cell = Cell(current, previous, cell_width, reduction, fit)
            self.cells.append(cell)
            current, previous = cell.channels, current
            fit = "size" if reduction else "channels"
        self.relu = nn.ReLU(inplace=True)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(current, num_classes)

        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_uniform_(module.weight, nonlinearity="relu")

    def forward(self, x):
        if x.ndim != 4 or x.shape[1] != self.in_channels or min(x.shape[2:]) < self.smallest:
            raise ValueError(
                f"NASNetA: expected images (B, {self.in_channels}, H, W), H and W at least "
                f"{self.smallest}, got {tuple(x.shape)}; set in_channels, enlarge the images, or "
                "build with small_images=True"
            )
        x = previous = self.stem(x)  # (B, 32, 111, 111)
        for cell in self.cells:
            x, previous = cell(x, previous), x  # (B, 44, 56, 56), (B, 88, 28, 28), (B, 264, 28, 28)
        x = self.avgpool(self.relu(x))  # (B, 1056, 1, 1)
        return self.fc(self.dropout(torch.flatten(x, 1)))  # (B, K)

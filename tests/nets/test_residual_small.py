"""Residual networks at teaching size: they learn and export.

The other deep networks have a file of their own, so that two processes can share the work.
"""

from properties import every_property

from dlcourse.nets.resnet import ResNet
from dlcourse.nets.senet import SEResNet

# name: (how to build it, image).
SMALL = {
    "ResNet, basic": (lambda: ResNet(8, 4, width=8, small_images=True), (3, 32, 32)),
    "ResNet, four stages": (lambda: ResNet(18, 4, 1, 8), (1, 32, 32)),
    "ResNet, bottlenecks": (lambda: ResNet(50, 4, 1, 8, small_images=True), (1, 16, 16)),
    "ResNeXt": (
        lambda: ResNet(50, 4, width=16, groups=4, group_width=16, small_images=True), (3, 16, 16),
    ),
    "ResNet, pre-activation": (
        lambda: ResNet(14, 4, width=8, pre_activation=True, small_images=True), (3, 32, 32),
    ),
    "ResNet-50, pre-activation": (
        lambda: ResNet(50, 4, width=8, pre_activation=True, small_images=True), (3, 16, 16),
    ),
    "SE-ResNet": (lambda: SEResNet(11, 4, 1, 8, small_images=True), (1, 28, 28)),
}  # fmt: skip

test_net = every_property(SMALL)

"""Deep networks at teaching size: they learn, export, and say what is wrong with an input.

That residual networks learn and export stands in a file of its own.
"""

import pytest
import torch
from properties import every_property, words_missing

from dlcourse.nets.capsule import CapsNet
from dlcourse.nets.densenet import DenseNet
from dlcourse.nets.nasnet import NASNetA
from dlcourse.nets.resnet import ResNet
from dlcourse.nets.senet import SEResNet
from dlcourse.nets.vit import ViT, ViTConfig

# name: (how to build it, image).
SMALL = {
    "DenseNet": (lambda: DenseNet(22, 4, 1, growth_rate=8, small_images=True), (1, 28, 28)),
    "NASNet-A": (
        lambda: NASNetA(1, 4, 1, width=8, dropout=0.0, small_images=True), (1, 16, 16),
    ),
    "NASNet-A, with its stem": (lambda: NASNetA(1, 4, width=4, dropout=0.0), (3, 48, 48)),
    "ViT": (
        lambda: ViT(
            image_size=28, patch_size=7, in_channels=1, num_classes=4, depth=2, heads=2, width=32,
            mlp_width=64,
        ),
        (1, 28, 28),
    ),
    "CapsNet": (
        lambda: CapsNet(4, width=16, primary=4, primary_size=4, class_size=8, decoder=(32,)),
        (1, 28, 28),
    ),
}  # fmt: skip

test_net = every_property(SMALL, {"CapsNet": lambda net, x, y: net.loss(x, y)})


def test_images_need_not_be_square():
    for net in (ResNet(8, 4, width=8, small_images=True), NASNetA(1, 4, width=8)):
        assert net.eval()(torch.rand(2, 3, 40, 56)).shape == (2, 4)


# What is done: (function, what the message must hold).
SMALL_RESNET = ResNet(8, 4, width=8, small_images=True)
MISTAKES = {
    "channels": (
        lambda: SMALL_RESNET(torch.rand(2, 1, 32, 32)),
        ["ResNet", "(B, 3, H, W)", "(2, 1, 32, 32)", "in_channels"],
    ),
    "no batch": (lambda: SMALL_RESNET(torch.rand(3, 32, 32)), ["(B, 3, H, W)", "(3, 32, 32)"]),
    "too small": (
        lambda: ResNet(18, width=8)(torch.rand(1, 3, 28, 28)),
        ["at least 32", "(1, 3, 28, 28)", "small_images=True"],
    ),
    "depth": (lambda: ResNet(51), ["ResNet", "18, 34, 50, 101, 152", "6 n + 2", "got 51"]),
    "groups without bottlenecks": (lambda: ResNet(18, groups=32), ["depth 18", "50 or more"]),
    "empty groups": (lambda: ResNet(50, width=8, group_width=4), ["group_width", "width 8"]),
    "DenseNet, channels": (
        lambda: DenseNet(22, growth_rate=4)(torch.rand(1, 1, 64, 64)),
        ["DenseNet", "(B, 3, H, W)", "(1, 1, 64, 64)"],
    ),
    "DenseNet, too small": (
        lambda: DenseNet(22, growth_rate=4)(torch.rand(1, 3, 15, 64)),
        ["at least 16", "(1, 3, 15, 64)", "small_images=True"],
    ),
    "DenseNet, depth": (lambda: DenseNet(120), ["121, 169, 201", "6 n + 4", "got 120"]),
    "SEResNet, too small": (
        lambda: SEResNet(11, width=8)(torch.rand(1, 3, 12, 12)),
        ["SEResNet", "at least 16", "(1, 3, 12, 12)", "small_images=True"],
    ),
    "SEResNet, depth": (lambda: SEResNet(18), ["50, 101, 152", "9 n + 2", "got 18"]),
    "NASNet, channels": (
        lambda: NASNetA(1, width=8)(torch.rand(1, 4, 64, 64)),
        ["NASNetA", "(B, 3, H, W)", "(1, 4, 64, 64)"],
    ),
    "NASNet, too small": (
        lambda: NASNetA(1, width=8)(torch.rand(1, 3, 28, 28)),
        ["at least 32", "small_images=True"],
    ),
    "NASNet, width": (lambda: NASNetA(width=10), ["multiple of 4", "10"]),
    "NASNet, no cells": (lambda: NASNetA(0), ["cells >= 1", "0"]),
    "ViT, size": (
        lambda: ViT(depth=1)(torch.rand(1, 3, 256, 256)),
        ["ViT", "(B, 3, 224, 224)", "(1, 3, 256, 256)", "image_size"],
    ),
    "ViT, patches": (lambda: ViT(image_size=30), ["16 pixels", "30", "patch_size"]),
    "ViT, heads": (lambda: ViTConfig(width=100), ["12 heads", "100", "multiple of heads"]),
    "CapsNet, size": (
        lambda: CapsNet(width=8, primary=2)(torch.rand(1, 1, 32, 32)),
        ["CapsNet", "(B, 1, 28, 28)", "(1, 1, 32, 32)", "image_size"],
    ),
    "CapsNet, tiny": (lambda: CapsNet(image_size=16), ["image_size >= 17", "16"]),
    "CapsNet, no routing": (lambda: CapsNet(iterations=0), ["one iteration", "0"]),
    "CapsNet, no decoder": (
        lambda: CapsNet(width=8, primary=2, decoder=()).reconstruct(torch.rand(1, 10, 16)),
        ["without a decoder", "decoder=(512, 1024)"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", MISTAKES)
def test_mistake_is_refused_in_words_that_help(name):
    function, words = MISTAKES[name]
    with pytest.raises(ValueError, match=r".") as error:
        function()
    assert not words_missing(error, words), str(error.value)

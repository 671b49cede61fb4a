"""The deep networks as published: exact counts, and torchvision's weights give its outputs."""

import pytest
import torch
from properties import counts
from reference import assert_same_outputs, assert_same_state_dict, fill, pictures, run

from dlcourse.nets.capsule import CapsNet
from dlcourse.nets.densenet import DenseNet
from dlcourse.nets.nasnet import NASNetA
from dlcourse.nets.resnet import ResNet
from dlcourse.nets.senet import SEResNet
from dlcourse.nets.vit import ViT

IMAGENET = (3, 224, 224)

# name: (how to build it, exact parameters, quoted MACs, image). torchvision counts the parameters
# of its own nets; the others are those of the papers, exact where a library publishes them.
FULL = {
    "resnet18": (lambda: ResNet(18), 11_689_512, 1.81e9, IMAGENET),
    "resnet34": (lambda: ResNet(34), 21_797_672, 3.66e9, IMAGENET),
    "resnet50": (lambda: ResNet(50), 25_557_032, 4.1e9, IMAGENET),
    "resnet101": (lambda: ResNet(101), 44_549_160, 7.80e9, IMAGENET),
    "resnet152": (lambda: ResNet(152), 60_192_808, 11.5e9, IMAGENET),
    "resnext50_32x4d": (
        lambda: ResNet(50, groups=32, group_width=4), 25_028_904, 4.23e9, IMAGENET,
    ),
    "wide_resnet50_2": (lambda: ResNet(50, group_width=128), 68_883_240, 11.4e9, IMAGENET),
    "densenet121": (lambda: DenseNet(121), 7_978_856, 2.83e9, IMAGENET),
    "densenet169": (lambda: DenseNet(169), 14_149_480, 3.36e9, IMAGENET),
    "densenet201": (lambda: DenseNet(201), 20_013_928, 4.29e9, IMAGENET),
    "vit_b_16": (ViT, 86_567_656, 17.6e9, IMAGENET),
    # Not in torchvision.
    "ResNet-50, pre-activation": (
        lambda: ResNet(50, pre_activation=True), 25_549_352, 4.1e9, IMAGENET,
    ),
    # He et al. (2016), section 4.2: 0.27 M; with projections for shortcuts a little more.
    "ResNet-20": (
        lambda: ResNet(20, 10, width=16, small_images=True), 272_474, 40.8e6, (3, 32, 32),
    ),
    # Huang et al. (2017), table 2: 0.8 M.
    "DenseNet-BC, L=100, k=12": (
        lambda: DenseNet(100, 10, growth_rate=12, small_images=True), 769_162, 288e6, (3, 32, 32),
    ),
    # Hu et al. (2018), table 2: 28.1 M, 3.87 G.
    "SE-ResNet-50": (lambda: SEResNet(50), 28_088_024, 3.87e9, IMAGENET),
    # Zoph et al. (2018), tables 1 and 2: 5.3 M and 564 M; 6 @ 768 for CIFAR 3.3 M.
    "NASNet-A mobile": (NASNetA, 5_289_978, 564e6, IMAGENET),
    "NASNet-A 6 @ 768": (
        lambda: NASNetA(6, 10, width=32, small_images=True), 3_328_234, None, (3, 32, 32),
    ),
    # Sabour et al. (2017): 8.2 M with the decoder.
    "CapsNet": (CapsNet, 8_215_568, None, (1, 28, 28)),
}  # fmt: skip

IN_TORCHVISION = list(FULL)[:11]


@pytest.mark.parametrize("name", FULL)
def test_parameters_and_macs(name):
    build, parameters, macs, shape = FULL[name]
    found = counts(build, shape)
    assert found[0] == parameters
    if macs is not None:
        assert found[1] == pytest.approx(macs, rel=0.01)


def test_nasnet_mobile_ends_in_1056_channels():
    with torch.device("meta"):
        assert NASNetA().fc.in_features == 1056


@pytest.mark.parametrize("name", IN_TORCHVISION)
def test_state_dict_is_torchvisions(name):
    with torch.device("meta"):
        assert_same_state_dict(FULL[name][0](), name)


@pytest.mark.parametrize("name", IN_TORCHVISION)
def test_outputs_are_torchvisions(name):
    with torch.device("meta"):
        net = FULL[name][0]()
    net = fill(net.to_empty(device="cpu"))  # without drawing initial weights first
    for buffer in net.buffers():
        if not buffer.is_floating_point():
            buffer.zero_()
    logits = run(net, pictures())
    assert logits.shape == (1, 1000)
    assert_same_outputs(logits, name)

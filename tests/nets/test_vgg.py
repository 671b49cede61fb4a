"""VGG against torchvision; network in network against its published sizes."""

import pytest
import torch
from net_checks import Case, counts, every_check
from reference import assert_same_outputs, assert_same_state_dict, fill, pictures, run

from dlcourse.nets.nin import NetworkInNetwork
from dlcourse.nets.vgg import VGG


def vgg(depth, batch_norm=False):
    return lambda **options: VGG(depth, batch_norm, **options)


# parameters without and with batch norm, multiply-accumulates
COUNTS = {
    11: (132_863_336, 132_868_840, 7.61e9),
    13: (133_047_848, 133_053_736, 11.31e9),
    16: (138_357_544, 138_365_992, 15.5e9),
    19: (143_667_240, 143_678_248, 19.6e9),
}
SMALL = {"width": 1 / 8, "grid": 1, "dropout": 0.1}
VGGS = {
    f"vgg{depth}{'_bn' if norm else ''}": Case(
        vgg(depth, norm), (3, 224, 224), parameters[norm], macs, SMALL, (3, 32, 32), steps=60
    )
    for depth, (*parameters, macs) in COUNTS.items()
    for norm in (False, True)
}
NIN = {"layout": "cifar10", "width": 0.25, "dropout": 0.1, "last_relu": False}
CASES = {name: VGGS[name] for name in ("vgg11", "vgg16_bn", "vgg19")} | {
    "vgg11_bn, 28 x 28": Case(
        vgg(11, True), (3, 224, 224), 132_868_840, 7.61e9, {**SMALL, "cutoff": 3, "in_channels": 1},
        (1, 28, 28),
    ),
    "nin": Case(
        NetworkInNetwork, (3, 224, 224), 7_595_176, 1_100e6, NIN, (3, 32, 32), steps=100
    ),
}  # fmt: skip

test_net = every_check(CASES)


@pytest.mark.parametrize("name", VGGS)
def test_counts(name):
    counts(VGGS[name])


@pytest.mark.parametrize("name", VGGS)
def test_equals_torchvision(name):
    with torch.device("meta"):
        net = VGGS[name].build()
    assert_same_state_dict(net, name)
    assert_same_outputs(run(fill(net.to_empty(device="cpu")), pictures()), name)


def test_depth_counts_the_layers_with_weights():
    with torch.device("meta"):
        for depth in COUNTS:
            kinds = torch.nn.Conv2d | torch.nn.Linear
            assert sum(isinstance(m, kinds) for m in VGG(depth).modules()) == depth


def test_initial_weights():
    """As in torchvision: He's variance by outputs, 0.01 in the classifier, biases 0.

    At a quarter of the width the deviation in the classifier is twice that.
    """
    torch.manual_seed(0)
    net = VGG(11, width=0.25)
    for module in net.modules():
        if isinstance(module, torch.nn.Conv2d):
            expected = (2 / (9 * module.out_channels)) ** 0.5
            assert module.weight.std().item() == pytest.approx(expected, rel=0.1)
        elif isinstance(module, torch.nn.Linear):
            assert module.weight.std().item() == pytest.approx(0.02, rel=0.1)
    assert not any(p.any() for name, p in net.named_parameters() if name.endswith("bias"))


def test_classifier_sees_means():
    net, x = fill(VGG(11, width=1 / 16, grid=2)).eval(), pictures(128)
    means = net.features(x).unfold(2, 2, 2).unfold(3, 2, 2).mean((4, 5))  # (1, 32, 4, 4) in 2 x 2
    torch.testing.assert_close(net(x), net.classifier(means.flatten(1)))


def test_network_in_network_for_cifar10():
    """0.97 million parameters, 8 x 8 maps before the mean, as published; no negative output."""
    small = NetworkInNetwork("cifar10", num_classes=10, width=0.1)
    assert run(small, pictures(32)).min() >= 0
    with torch.device("meta"):
        net = NetworkInNetwork("cifar10", num_classes=10)
        assert sum(p.numel() for p in net.parameters()) == 966_986
        assert net.features(torch.empty(1, 3, 32, 32)).shape == (1, 10, 8, 8)
        pools = [type(m).__name__ for m in net.features if "Pool" in type(m).__name__]
        assert pools == ["MaxPool2d", "AvgPool2d"]
        assert NetworkInNetwork().features(torch.empty(1, 3, 224, 224)).shape == (1, 1000, 6, 6)


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: VGG(15), ["VGG", "11, 13, 16, 19", "depth=15"]),
        (lambda: VGG(11, cutoff=6), ["1 to 5", "cutoff=6"]),
        (lambda: VGG(11, cutoff=0), ["1 to 5", "cutoff=0"]),
        (lambda: VGG(11, width=0.001), ["1/64", "width=0.001"]),
        (lambda: NetworkInNetwork("mnist"), ["'cifar10' or 'imagenet'", "'mnist'"]),
        (lambda: NetworkInNetwork(width=0.001), ["1/96", "width=0.001"]),
    ],
)
def test_wrong_arguments(build, words):
    with pytest.raises(ValueError, match="expected") as error:
        build()
    assert all(word in str(error.value) for word in words)

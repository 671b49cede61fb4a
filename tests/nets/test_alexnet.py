"""AlexNet against torchvision; response norm and towers against the paper."""

import pytest
import torch
from net_checks import Case, every_check
from reference import assert_same_outputs, assert_same_state_dict, fill, pictures, run

from dlcourse.nets.alexnet import AlexNet, AlexNetTwoTowers, TowerNorm, ZFNet

SMALL = {"width": 1 / 16, "stride": 1, "dropout": 0.1}
CASES = {
    "alexnet": Case(AlexNet, (3, 224, 224), 61_100_840, 714e6, SMALL, (3, 32, 32), steps=60),
    "alexnet_two_towers": Case(
        AlexNetTwoTowers, (3, 227, 227), 60_965_224, 724e6, SMALL, (3, 28, 28), steps=120, lr=3e-3
    ),
    "zfnet": Case(ZFNet, (3, 224, 224), 62_357_608, 1_168e6, SMALL, (3, 32, 32), steps=100),
}

test_net = every_check(CASES)


def test_equals_torchvision():
    with torch.device("meta"):
        net = AlexNet()
    assert_same_state_dict(net, "alexnet")
    assert_same_outputs(run(fill(net.to_empty(device="cpu")), pictures()), "alexnet")


# The sizes in figure 2 of Krizhevsky et al. (2012) and figure 3 of Zeiler, Fergus (2013).
SIZES = {
    "alexnet_two_towers": [(96, 55), (256, 27), (384, 13), (384, 13), (256, 13)],
    "zfnet": [(96, 110), (256, 26), (384, 13), (384, 13), (256, 13)],
}


@pytest.mark.parametrize("name", SIZES)
def test_sizes_of_the_paper(name):
    found = []
    with torch.device("meta"):
        net = CASES[name].build()
        for module in net.features:
            if isinstance(module, torch.nn.Conv2d):
                module.register_forward_hook(
                    lambda _, __, y: found.append((y.shape[1], y.shape[2]))
                )
        assert net.features(torch.empty(1, *CASES[name].picture)).shape == (1, 256, 6, 6)
    assert found == SIZES[name]


@pytest.mark.parametrize("towers", [1, 2])
def test_response_norm_is_the_papers(towers):
    """Each unit over (2 + 1e-4 * sum of squares over five adjacent maps of its tower) ** 0.75."""
    x = 50 * torch.randn(3, 12, 2, 2, dtype=torch.float64)
    expected, maps = torch.empty_like(x), 12 // towers
    for i in range(12):
        tower = range(i // maps * maps, (i // maps + 1) * maps)
        near = [j for j in range(i - 2, i + 3) if j in tower]
        expected[:, i] = x[:, i] / (2 + 1e-4 * x[:, near].square().sum(1)) ** 0.75
    torch.testing.assert_close(TowerNorm(towers)(x), expected)


def test_initial_weights_are_the_papers():
    """A deviation of 0.01, twice that at a quarter of the width; biases of 0 and 1."""
    torch.manual_seed(0)
    net = AlexNetTwoTowers(width=0.25)
    layers = [m for m in net.modules() if isinstance(m, torch.nn.Conv2d | torch.nn.Linear)]
    assert [layer.bias.unique().tolist() for layer in layers] == [
        [0.0], [1.0], [0.0], [1.0], [1.0], [1.0], [1.0], [0.0],
    ]  # fmt: skip
    for layer in layers:
        assert layer.weight.std().item() == pytest.approx(0.02, rel=0.02)


@pytest.mark.parametrize("net", [AlexNet, AlexNetTwoTowers, ZFNet])
def test_too_small_a_width(net):
    with pytest.raises(ValueError, match=rf"{net.__name__}: width=0.001 .* larger"):
        net(width=0.001)

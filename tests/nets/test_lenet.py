"""The LeNets: counts as in the papers, and the odd layers against their formulas."""

from collections import Counter
from itertools import chain

import pytest
import torch
from net_checks import Case, every_check
from torch import nn

from dlcourse.nets.lenet import (
    C3_SEES,
    H2_SEES,
    CaffeLeNet,
    LeNet5,
    LeNet5Original,
    LeNet1989,
    RadialBasis,
    ScaledTanh,
    Subsampling,
    TableConv2d,
    count_connections,
    digit_codes,
)

# Multiply-accumulates are the papers' connections without biases and subsampling.
LINEAR = {"output": "linear"}  # codes are for ten classes
CASES = {
    "lenet1989": Case(
        LeNet1989, (1, 16, 16), 9_760, 63_660, {}, (1, 16, 16), steps=60, lr=1e-2, sizes="exact"
    ),
    "lenet5_1998": Case(
        lambda **options: LeNet5Original(**{**LINEAR, **options}), (1, 32, 32), 60_850,
        326_520, {}, (1, 32, 32), steps=40, lr=3e-3, sizes="exact",
    ),
    "lenet5_1998, 28 x 28": Case(
        lambda **options: LeNet5Original(**{**LINEAR, "size": 28, **options}), (1, 28, 28), 60_850,
        326_520, {}, (1, 28, 28), steps=40, lr=3e-3, sizes="exact",
    ),
    "lenet5": Case(LeNet5, (1, 32, 32), 61_706, 416_520, {}, (1, 32, 32), lr=3e-3, sizes="exact"),
    "lenet5, 28 x 28": Case(
        lambda **options: LeNet5(**{"size": 28, **options}), (1, 28, 28), 61_706, 416_520,
        {}, (1, 28, 28), lr=3e-3, sizes="exact",
    ),
    "caffe_lenet": Case(CaffeLeNet, (1, 28, 28), 431_080, 2.29e6, {}, (1, 28, 28), sizes="exact"),
}  # fmt: skip

test_net = every_check(CASES)


def test_lenet1989_connections():
    connections = count_connections(LeNet1989())
    assert connections["h1"] + connections["h1_bias"] == 19_968
    assert connections["h2.convs.0"] + connections["h2_bias"] == 38_592
    assert (connections["h3"], connections["output"]) == (5_790, 310)
    assert connections["total"] == 64_660


def test_lenet1989_parameters_by_layer():
    net = LeNet1989()
    number = lambda *modules: sum(p.numel() for m in modules for p in m.parameters())
    assert number(net.h1, net.h1_bias) == 1_068
    assert number(net.h2, net.h2_bias) == 2_592
    assert (number(net.h3), number(net.output)) == (5_790, 310)


@pytest.mark.parametrize("size", [32, 28])
def test_lenet5_original_connections(size):
    connections = count_connections(LeNet5Original(size=size))
    c3 = sum(connections.pop(f"c3.convs.{run}") for run in range(3))
    assert c3 == 151_600
    assert connections == {
        "c1": 122_304, "s2": 5_880, "s4": 2_000, "c5": 48_120, "f6": 10_164, "output": 840,
        "total": 340_908,
    }  # fmt: skip


def test_lenet5_original_parameters_by_layer():
    net = LeNet5Original()
    layers = {name: sum(p.numel() for p in m.parameters()) for name, m in net.named_children()}
    assert layers == {
        "squash": 0, "c1": 156, "s2": 12, "c3": 1_516, "s4": 32, "c5": 48_120, "f6": 10_164,
        "output": 0,
    }  # fmt: skip
    assert sum(p.numel() for p in net.parameters() if p.requires_grad) == 60_000


def test_counting_leaves_no_hooks():
    net = LeNet5Original()
    count_connections(net)
    assert not any(module._forward_hooks for module in net.modules())


def test_tables():
    """C3 sees each map of S2 ten times; H2 sees eight maps of twelve, and each is seen by eight."""
    assert sorted(map(len, C3_SEES)) == [3] * 6 + [4] * 9 + [6]
    assert Counter(chain.from_iterable(C3_SEES)) == dict.fromkeys(range(6), 10)
    assert len({tuple(row) for row in C3_SEES}) == 16
    assert [len(set(row)) for row in H2_SEES] == [8] * 12
    assert Counter(chain.from_iterable(H2_SEES)) == dict.fromkeys(range(12), 8)


@pytest.mark.parametrize("sees", [C3_SEES, H2_SEES, [[1], [0], [0, 2]]])
def test_table_convolution_equals_a_full_one_with_zeros(sees):
    table = TableConv2d(sees, 3, stride=2)
    full = nn.Conv2d(max(map(max, sees)) + 1, len(sees), 3, stride=2)
    with torch.no_grad():
        full.weight.zero_()
        weights = [kernels for conv in table.convs for kernels in conv.weight]
        for row, kernels, planes in zip(full.weight, weights, sees, strict=True):
            row[planes] = kernels
        full.bias.copy_(torch.cat([conv.bias for conv in table.convs]))
    x = torch.randn(2, full.in_channels, 9, 7)
    torch.testing.assert_close(table(x), full(x))


def test_table_convolution_of_a_mixed_table_keeps_the_order():
    """Lists of one length need not stand together."""
    mixed = TableConv2d([[0, 1], [2], [0, 2]], 1, bias=False)
    assert [conv.weight.shape[:2] for conv in mixed.convs] == [(1, 2), (1, 1), (1, 2)]


def test_subsampling():
    layer, x = Subsampling(2), torch.arange(32.0).reshape(1, 2, 4, 4)
    with torch.no_grad():
        layer.coefficient.copy_(torch.tensor([0.5, 2.0]).reshape(2, 1, 1))
        layer.bias.copy_(torch.tensor([1.0, -1.0]).reshape(2, 1, 1))
    # 0 + 1 + 4 + 5 = 10; 26 + 27 + 30 + 31 = 114
    assert layer(x)[0, 0, 0, 0].item() == 0.5 * 10 + 1
    assert layer(x)[0, 1, 1, 1].item() == 2.0 * 114 - 1


def test_scaled_tanh():
    x = torch.tensor([-1.0, 0.0, 1.0])
    torch.testing.assert_close(ScaledTanh()(x), x, rtol=1e-4, atol=1e-4)
    assert ScaledTanh()(torch.tensor(100.0)).item() == pytest.approx(1.7159)


def test_radial_basis_measures_the_distance():
    codes, x = digit_codes(), torch.randn(3, 84)
    torch.testing.assert_close(RadialBasis(codes)(x), -torch.cdist(x, codes).square())
    assert RadialBasis(codes)(codes).argmax(1).tolist() == list(range(10))


def test_digit_codes():
    """84 signs for each digit, and no two digits less than ten pixels apart."""
    codes = digit_codes()
    assert codes.shape == (10, 84)
    assert set(codes.unique().tolist()) == {-1.0, 1.0}
    apart = (codes[:, None] != codes).sum(2) + 100 * torch.eye(10)
    assert apart.min() >= 10
    assert codes[1].reshape(12, 7)[2].tolist() == [-1, 1, 1, 1, 1, -1, -1]  # .####..


def test_original_lenet5_learns_digits_by_their_codes():
    torch.manual_seed(0)
    net, x, y = LeNet5Original(), torch.randn(10, 1, 32, 32), torch.arange(10)
    optimizer = torch.optim.Adam(net.parameters(), lr=3e-3)
    for _ in range(40):
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(x), y).backward()
        optimizer.step()
    assert net(x).argmax(1).equal(y)
    assert torch.equal(net.output.codes, digit_codes())  # the codes stay as they are


def test_lenet1989_takes_background_for_what_is_outside():
    """On an empty picture a unit at the border answers as one in the middle does."""
    net = LeNet1989()
    answers = net.h1(net.pad(-torch.ones(1, 1, 16, 16)))
    torch.testing.assert_close(answers, answers[..., 4:5, 4:5].expand_as(answers))


@pytest.mark.parametrize("net", [LeNet1989, LeNet5Original])
def test_initial_weights(net):
    """Uniform within 2.4 / fan-in."""
    torch.manual_seed(0)
    for module in net().modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            bound = 2.4 / module.weight[0].numel()
            assert module.weight.abs().max() <= bound
            assert module.weight.std().item() == pytest.approx(bound / 3**0.5, rel=0.15)


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: LeNet5(size=30), ["LeNet5", "28 or 32", "30"]),
        (lambda: LeNet5Original(size=30), ["LeNet5Original", "28 or 32", "30"]),
        (lambda: LeNet5Original(7), ["(7, 84)", "None", "output='linear'"]),
        (lambda: LeNet5Original(codes=torch.ones(9, 84)), ["(10, 84)", "(9, 84)"]),
        (lambda: LeNet5Original(output="softmax"), ["'rbf' or 'linear'", "'softmax'"]),
        (lambda: CaffeLeNet(size=12), ["CaffeLeNet", "16", "12"]),
    ],
)
def test_wrong_arguments(build, words):
    with pytest.raises(ValueError, match="LeNet") as error:
        build()
    assert all(word in str(error.value) for word in words)

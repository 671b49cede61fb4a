"""Smaller networks: exact masks and integers, PyTorch's tools beside ours, and what it costs."""

import copy
import functools
import warnings

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from reference import fill, pictures
from torch import nn

from dlcourse import data
from dlcourse.nets import LeNet5, MobileNetV2, ResNet, ViT
from dlcourse.nets.compression import (
    Int8Conv2d,
    Int8Linear,
    distillation_loss,
    make_permanent,
    prune,
    quantize,
    size_in_bytes,
    sparsity,
)
from dlcourse.train import fit


def two_layers():
    net = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2, bias=False))
    with torch.no_grad():
        net[0].weight.copy_(torch.tensor([[0.1, -5.0], [0.2, 6.0]]))
        net[1].weight.copy_(torch.tensor([[-0.3, 0.4], [7.0, -8.0]]))
    return net


# Pruning --------------------------------------------------------------------------------------


def test_global_pruning_compares_all_layers():
    net = prune(two_layers(), 3 / 8)
    assert net[0].weight.tolist() == [[0.0, -5.0], [0.0, 6.0]]
    torch.testing.assert_close(net[1].weight, torch.tensor([[0.0, 0.4], [7.0, -8.0]]))
    assert sparsity(net) == 3 / 8


def test_pruning_by_layer_takes_the_same_share_of_each():
    net = prune(two_layers(), 3 / 4, "layer")
    assert net[0].weight.tolist() == [[0.0, 0.0], [0.0, 6.0]]
    assert net[1].weight.tolist() == [[0.0, 0.0], [0.0, -8.0]]


def test_layers_can_be_left_out():
    net = prune(two_layers(), 1.0, but="1")
    assert not net[0].weight.any()
    assert net[1].weight.all()
    assert net[0].bias.all()


@pytest.mark.parametrize("scope", ["global", "layer"])
@pytest.mark.parametrize("share", [0.0, 0.37, 0.8, 1.0])
def test_the_same_as_pytorch_prunes(scope, share):
    torch.manual_seed(0)
    ours = ResNet(8, 4, width=4, small_images=True)
    theirs = copy.deepcopy(ours)
    layers = [(m, "weight") for m in theirs.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    from torch.nn.utils import prune as torch_prune

    if scope == "global":
        torch_prune.global_unstructured(layers, torch_prune.L1Unstructured, amount=float(share))
    else:
        for layer, name in layers:
            torch_prune.l1_unstructured(layer, name, amount=float(share))
    for layer, name in layers:
        torch_prune.remove(layer, name)
    make_permanent(prune(ours, share, scope))
    expected = theirs.state_dict()
    for key, value in ours.state_dict().items():
        assert torch.equal(value, expected[key]), key


@pytest.mark.parametrize("make", [
    lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, weight_decay=0.1),
    lambda p: torch.optim.Adam(p, lr=0.1),
])  # fmt: skip
def test_zeros_stay_zero_whatever_the_optimizer_does(make):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(1, 3, 3), nn.Flatten(), nn.Linear(27, 2))
    optimizer = make(net.parameters())
    x, targets = torch.rand(4, 1, 5, 5), torch.arange(4) % 2

    def step():
        optimizer.zero_grad()
        F.cross_entropy(net(x), targets).backward()
        optimizer.step()

    step()  # momentum is there before anything is pruned
    prune(net, 0.6)
    zeros, before = [net[i].weight == 0 for i in (0, 2)], net[2].weight.clone()
    for _ in range(3):
        step()
    assert all(torch.equal(net[i].weight == 0, z) for i, z in zip((0, 2), zeros, strict=True))
    kept = ~zeros[1]
    assert (net[2].weight != before)[kept].all(), "an optimizer made before must go on working"


def test_pruning_in_steps_keeps_what_was_pruned():
    torch.manual_seed(0)
    net = prune(nn.Sequential(nn.Linear(10, 10)), 0.3)
    zeros = net[0].weight == 0
    with torch.no_grad():
        net[0].parametrizations.weight.original[zeros] = 100.0
    prune(net, 0.5)
    assert sparsity(net) == 0.5
    assert (net[0].weight[zeros] == 0).all()
    prune(net, 0.1)
    assert sparsity(net) == 0.5, "nothing comes back"


def test_pruned_networks_can_be_copied_and_made_ordinary():
    net = prune(two_layers(), 0.5)
    x = torch.rand(3, 2)
    twin = copy.deepcopy(net)
    assert torch.equal(twin(x), net(x))
    other = prune(two_layers(), 0.0)
    other.load_state_dict(net.state_dict())
    assert torch.equal(other(x), net(x))
    expected = net(x)
    assert set(make_permanent(net).state_dict()) == set(two_layers().state_dict())
    assert torch.equal(net(x), expected)
    assert [type(layer) for layer in net] == [nn.Linear, nn.Linear]
    assert all(p.is_leaf and p.requires_grad for p in net.parameters())


# Eight bits -----------------------------------------------------------------------------------


def test_a_linear_layer_by_hand():
    layer = nn.Linear(2, 2)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[127.0, -63.6], [0.5, 0.25]]))
        layer.bias.copy_(torch.tensor([1.0, 2.0]))
    small = Int8Linear(layer)
    assert small.weight.tolist() == [[127, -64], [127, 64]]
    torch.testing.assert_close(small.scale, torch.tensor([1.0, 0.5 / 127]))
    # Inputs of the first row are codes already; in the second the step is 2/127.
    found = small(torch.tensor([[127.0, 3.0], [2.0, 1.0]]))
    step, codes = 2 / 127, (127, 64)  # 1 / step = 63.5 is rounded to the even 64
    expected = [
        [127 * 127 - 3 * 64 + 1, (127 * 127 + 3 * 64) * 0.5 / 127 + 2],
        [
            (codes[0] * 127 - codes[1] * 64) * step + 1,
            (codes[0] * 127 + codes[1] * 64) * step * 0.5 / 127 + 2,
        ],
    ]
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    # Calibrated for at most 1.27, 2 is cut off there.
    fixed = Int8Linear(layer, torch.tensor(1.27))
    np.testing.assert_allclose(fixed(torch.tensor([[2.0, 0.02]]))[0, 0], 1.27 * 127 - 1.28 + 1)


CONVOLUTIONS = {
    "plain": dict(kernel_size=3),
    "stride and padding": dict(kernel_size=(3, 2), stride=(2, 1), padding=(1, 2)),
    "dilation": dict(kernel_size=3, dilation=2, padding=2, bias=False),
    "pointwise": dict(kernel_size=1, stride=2),
}


@pytest.mark.parametrize("name", CONVOLUTIONS)
@pytest.mark.parametrize("static", [False, True])
def test_a_convolution_is_that_of_the_rounded_numbers(name, static):
    torch.manual_seed(0)
    layer = nn.Conv2d(3, 5, **CONVOLUTIONS[name])
    x = torch.randn(2, 3, 9, 8) * torch.tensor([1.0, 9.0]).view(2, 1, 1, 1)
    largest = x.abs().amax() if static else x.abs().amax((1, 2, 3), keepdim=True)
    small = Int8Conv2d(layer, x.abs().amax() if static else None)
    rounded = (x / (largest / 127)).round() * (largest / 127)
    limits = layer.weight.detach().abs().amax((1, 2, 3), keepdim=True) / 127
    weight = (layer.weight.detach() / limits).round() * limits
    expected = F.conv2d(
        rounded.double(), weight.double(), None if layer.bias is None else layer.bias.double(),
        layer.stride, layer.padding, layer.dilation,
    )  # fmt: skip
    torch.testing.assert_close(small(x).double(), expected, rtol=1e-5, atol=1e-5)


def test_zeros_and_rows():
    layer = nn.Linear(3, 2)
    with torch.no_grad():
        layer.weight[0] = 0.0
    assert torch.equal(Int8Linear(layer)(torch.zeros(2, 3)), layer.bias.detach().expand(2, 2))
    x = torch.randn(2, 4, 3)
    whole = Int8Linear(layer)(x)
    assert whole.shape == (2, 4, 2)
    assert torch.equal(whole[1, 2], Int8Linear(layer)(x[1, 2][None])[0])


def test_no_more_error_than_torch_ao():
    """PyTorch's older tool, as long as it is there, makes errors as large on the same layers."""
    quantization = pytest.importorskip("torch.ao.quantization")
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
    x = torch.randn(200, 64)
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        try:
            theirs = quantization.quantize_dynamic(net, {nn.Linear})(x)
        except RuntimeError as error:
            pytest.skip(f"no engine for torch.ao here: {error}")
        exact, ours = net(x), quantize(net)(x)
    deviation = lambda found: ((found - exact).std() / exact.std()).item()
    assert 0 < deviation(ours) < 1.2 * deviation(theirs) < 0.03


def test_quantize_leaves_the_original_and_what_it_can_not_do():
    torch.manual_seed(0)
    net = MobileNetV2(4, width=0.25, stride=1)
    before = {key: value.clone() for key, value in net.state_dict().items()}
    small = quantize(net, but="classifier")
    assert net.training
    assert all(torch.equal(value, before[key]) for key, value in net.state_dict().items())
    left = [m for m in small.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    assert {m.groups > 1 for m in left[:-1]} == {True}  # only those in groups, and the head
    assert left[-1] is small.classifier[1]
    assert any(isinstance(m, Int8Conv2d) for m in small.modules())
    assert not small.training


@pytest.mark.parametrize("static", [False, True])
def test_whole_networks_answer_nearly_the_same(static):
    torch.manual_seed(0)
    x = pictures(16, batch=8)
    for net in (
        ResNet(8, 4, width=8, small_images=True),
        ViT(image_size=16, patch_size=4, depth=2, heads=2, width=32, mlp_width=64, num_classes=4),
    ):
        with torch.no_grad():
            exact, small = fill(net).eval()(x), quantize(net, x if static else None)
            found = small(x)
        depends = (exact - exact.mean(0)).std()  # on the image
        print(f"error {(found - exact).std():.4f}, spread over the images {depends:.4f}")
        assert 0 < (found - exact).std() < 0.1 * depends
        restored = quantize(fill(copy.deepcopy(net)), x / 2 if static else None)
        restored.load_state_dict(small.state_dict())
        with torch.no_grad():
            assert torch.equal(restored(x), found)
            if not static:  # every example is judged by itself
                torch.testing.assert_close(small(x[:1]), found[:1], rtol=1e-4, atol=1e-5)


def test_calibration_in_batches_sees_the_largest_of_all():
    net = nn.Sequential(nn.Linear(2, 2))
    batches = [torch.tensor([[1.0, -4.0]]), torch.tensor([[3.0, 0.0]])]
    assert quantize(net, batches)[0].input_scale.item() == pytest.approx(4 / 127)
    assert not net[0]._forward_pre_hooks
    assert isinstance(quantize(nn.Linear(2, 2)), Int8Linear)


# Distillation and size ------------------------------------------------------------------------


def test_distillation_loss_by_hand():
    student = torch.tensor([[0.0, 0.0]], requires_grad=True)
    teacher = torch.tensor([[4 * np.log(3.0), 0.0]], dtype=torch.float32, requires_grad=True)
    # At temperature 4 the teacher says 3/4 and 1/4, the student halves.
    divergence = 0.75 * np.log(1.5) + 0.25 * np.log(0.5)
    loss = distillation_loss(student, teacher, torch.tensor([1]), temperature=4.0, soft=0.25)
    assert loss.item() == pytest.approx(0.25 * 16 * divergence + 0.75 * np.log(2), rel=1e-6)
    loss.backward()
    assert teacher.grad is None
    # By the soft part T (q - p), by the hard part q - onehot.
    expected = 0.25 * 4 * np.array([-0.25, 0.25]) + 0.75 * np.array([0.5, -0.5])
    np.testing.assert_allclose(student.grad[0], expected, rtol=1e-6)


def test_distillation_loss_at_its_ends():
    torch.manual_seed(0)
    a, b, targets = torch.randn(5, 3), torch.randn(5, 3), torch.tensor([0, 1, 2, 0, 1])
    hard = distillation_loss(a, b, targets, soft=0.0)
    torch.testing.assert_close(hard, F.cross_entropy(a, targets))
    assert distillation_loss(a, a, targets, soft=1.0).abs() < 1e-6


def test_size_in_bytes():
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Linear(8, 4, bias=False))
    # 18 + 2, 2 + 2 + 2 + 2 and 32 floats, and the 8 bytes in which batch norm counts.
    assert size_in_bytes(net) == 4 * (20 + 8 + 32) + 8
    net[2].weight.data = net[2].weight.data.half()
    assert size_in_bytes(net) == 4 * (20 + 8) + 8 + 64
    shared = nn.ModuleList([nn.Linear(3, 3), nn.Linear(3, 3)])
    shared[1].weight = shared[0].weight
    assert size_in_bytes(shared) == 4 * (9 + 3 + 3)


def test_size_of_pruned_and_quantized_networks():
    net = nn.Sequential(nn.Linear(100, 80, bias=False))
    assert size_in_bytes(prune(net, 0.75)) == 32_000
    assert size_in_bytes(net, sparse=True) == 2_000 * 4 + 1_000
    assert size_in_bytes(make_permanent(net), sparse=True) == 9_000
    assert size_in_bytes(quantize(net)) == 8_000 + 80 * 4
    with torch.device("meta"):
        assert size_in_bytes(ResNet(50)) == 4 * (25_557_032 + 2 * 26_560) + 53 * 8


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: prune(two_layers(), 1.5), ["0 to 1", "1.5"]),
        (lambda: prune(two_layers(), 0.5, "all"), ["'global' or 'layer'", "'all'"]),
        (lambda: prune(nn.Sequential(nn.ReLU()), 0.5), ["Sequential has no linear"]),
        (lambda: prune(two_layers(), 0.5, but="2"), ["no module '2'", "'1'"]),
        (lambda: sparsity(nn.ReLU()), ["ReLU has no linear"]),
        (lambda: quantize(nn.ReLU()), ["ReLU has no layer"]),
        (lambda: quantize(two_layers(), []), ["never reached '0'", "but="]),
        (
            lambda: distillation_loss(torch.rand(2, 3), torch.rand(2, 4), torch.zeros(2)),
            ["(2, 3)", "(2, 4)"],
        ),
        (
            lambda: distillation_loss(torch.rand(2, 3), torch.rand(2, 3), torch.zeros(2), 0.0),
            ["positive temperature", "0.0"],
        ),
    ],
)
def test_mistakes_are_named(call, words):
    with pytest.raises(ValueError, match=r".") as error:
        call()
    assert not [word for word in words if word not in str(error.value)], str(error.value)


# On glyphs ------------------------------------------------------------------------------------

TRAIN = functools.cache(lambda: data.glyphs(1500, seed=0))
TEST = functools.cache(lambda: data.glyphs(1000, seed=1))


def learn(net, loss=F.cross_entropy, epochs=4, lr=2e-3, seed=0, dataset=None):
    fit(net, dataset or TRAIN(), loss, torch.optim.Adam(net.parameters(), lr), epochs,
        batch_size=64, seed=seed, progress=False)  # fmt: skip
    return net


def accuracy(net):
    inputs, targets = TEST().to_torch().tensors
    with torch.no_grad():
        return (net.eval()(inputs).argmax(1) == targets).float().mean().item()


@functools.cache
def trained(seed):
    torch.manual_seed(seed)
    return learn(LeNet5(size=28, modern=True), seed=seed)


SEEDS = (0, 1, 2)


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
def test_most_weights_can_go_if_the_rest_learns_on(seed):
    whole = trained(seed)
    net = copy.deepcopy(whole)
    at_once = accuracy(prune(copy.deepcopy(whole), 0.9))
    for share in (0.6, 0.8, 0.9, 0.9):
        learn(prune(net, share), epochs=1, seed=10 + seed)
    print(f"whole {accuracy(whole):.3f}, at once {at_once:.3f}, in steps {accuracy(net):.3f}")
    assert sparsity(net) == pytest.approx(0.9, abs=1e-4)
    assert accuracy(net) > at_once + 0.1
    assert accuracy(net) > accuracy(whole) - 0.03
    assert size_in_bytes(make_permanent(net), sparse=True) < 0.16 * size_in_bytes(whole)


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
def test_eight_bits_cost_hardly_any_accuracy(seed):
    whole = trained(seed)
    calibration = TRAIN().to_torch().tensors[0][:200]
    for net in (quantize(whole), quantize(whole, calibration)):
        print(f"{accuracy(whole):.3f} in float, {accuracy(net):.3f} in eight bits")
        assert abs(accuracy(net) - accuracy(whole)) <= 0.01
        assert size_in_bytes(net) < 0.3 * size_in_bytes(whole)


def student():
    """784 inputs, 16 hidden units, 10 classes: a fifth of the teacher's parameters."""
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 16), nn.ReLU(), nn.Linear(16, 10))


@pytest.mark.slow
def test_a_teacher_replaces_labels():
    """100 labels against the opinions of a teacher on images that nobody has labeled."""
    found = []
    for seed in SEEDS:
        images = data.glyphs(1500, seed=50 + seed)
        with torch.no_grad():
            opinions = trained(seed).eval()(torch.tensor(images.inputs))
        unlabeled = data.Dataset(images.inputs, opinions.numpy())
        torch.manual_seed(seed)
        alone = learn(student(), epochs=60, seed=seed, dataset=TRAIN()[:100])
        torch.manual_seed(seed)
        taught = student()
        loss = lambda logits, teacher: distillation_loss(logits, teacher, teacher.argmax(1))
        fit(taught, unlabeled, loss, torch.optim.Adam(taught.parameters(), 2e-3), 4,
            batch_size=64, seed=seed, metric=None, progress=False)  # fmt: skip
        found.append((accuracy(alone), accuracy(taught)))
    print(found)
    assert all(taught > alone + 0.05 for alone, taught in found), found

"""SqueezeNet and MobileNet against torchvision and transformers, with the same weights."""

import pytest
import torch
from net_checks import Case, every_check
from reference import assert_same_outputs, assert_same_state_dict, fill, pictures, run
from torch import nn

from dlcourse.nets.mobile import MobileNetV1, MobileNetV2, SqueezeNet, multiple_of_8


def squeezenet(version):
    return lambda **options: SqueezeNet(version, **options)


SMALL = {"width": 0.25, "stride": 1}
SQUEEZE = {**SMALL, "dropout": 0.1, "last_relu": False}
CASES = {
    "squeezenet1_0": Case(
        squeezenet("1_0"), (3, 224, 224), 1_248_424, 819e6, SQUEEZE, (3, 32, 32), steps=60,
    ),
    "squeezenet1_1": Case(
        squeezenet("1_1"), (3, 224, 224), 1_235_496, 349e6, {**SQUEEZE, "in_channels": 1},
        (1, 28, 28), steps=60,
    ),
    "mobilenet_v1": Case(
        MobileNetV1, (3, 224, 224), 4_231_976, 569e6, SMALL, (3, 32, 32), sizes="any"
    ),
    "mobilenet_v2": Case(
        MobileNetV2, (3, 224, 224), 3_504_872, 300e6, {**SMALL, "dropout": 0.1}, (3, 32, 32),
        sizes="any",
    ),
}  # fmt: skip

test_net = every_check(CASES)


@pytest.mark.parametrize("name", ["squeezenet1_0", "squeezenet1_1", "mobilenet_v2"])
def test_equals_torchvision(name):
    net = CASES[name].build()
    assert_same_state_dict(net, name)
    assert_same_outputs(run(fill(net), pictures()), name)


def test_last_relu_can_be_left_out():
    torch.manual_seed(0)
    weights = (with_relu := SqueezeNet(**SMALL)).state_dict()
    without = SqueezeNet(**SMALL, last_relu=False)
    without.load_state_dict(weights)
    assert run(with_relu, pictures(32)).min() >= 0
    assert run(without, pictures(32)).min() < 0


def copy_by_order(source, target):
    """Copy weights from net to net, layer by layer; the two name them differently."""
    values, names = list(source.state_dict().values()), target.state_dict().keys()
    target.load_state_dict(dict(zip(names, values, strict=True)))


# Padding and rectifier are PyTorch's and the papers', not those of the first TensorFlow models.
@pytest.mark.parametrize("width", [1.0, 0.5])
@pytest.mark.parametrize("name", ["V1", "V2"])
def test_equals_transformers(name, width):
    transformers = pytest.importorskip("transformers")
    options = {"depth_multiplier": width, "tf_padding": False, "layer_norm_eps": 1e-5}
    if name == "V1":
        options["hidden_act"] = "relu"
    config = getattr(transformers, f"MobileNet{name}Config")(num_labels=1000, **options)
    theirs = getattr(transformers, f"MobileNet{name}ForImageClassification")(config).eval()
    ours = fill({"V1": MobileNetV1, "V2": MobileNetV2}[name](width=width))
    copy_by_order(ours, theirs)
    x = 10 * pictures(96)  # large enough to tell ReLU from ReLU6
    expected, outputs = run(theirs, x).logits, run(ours, x)
    torch.testing.assert_close(outputs, expected, rtol=0, atol=1e-5 * expected.abs().max().item())


def test_residuals_stand_where_the_shape_allows():
    with torch.device("meta"):
        blocks = list(MobileNetV2().features)[1:-1]
    with_residual = [number for number, block in enumerate(blocks, 1) if block.residual]
    assert with_residual == [3, 5, 6, 8, 9, 10, 12, 13, 15, 16]


@pytest.mark.parametrize(("width", "parameters"), [(0.75, 2.6e6), (0.5, 1.3e6), (0.25, 0.5e6)])
def test_widths_of_the_paper(width, parameters):
    """Howard et al. (2017), table 7."""
    with torch.device("meta"):
        net = MobileNetV1(width=width)
    assert sum(p.numel() for p in net.parameters()) == pytest.approx(parameters, abs=5e4)


def test_multiple_of_8():
    found = [multiple_of_8(maps) for maps in (1, 8, 11, 12, 16, 18, 44.8, 1280 * 1.4)]
    assert found == [8, 8, 16, 16, 16, 24, 48, 1792]


def test_initial_weights():
    """As in torchvision."""
    torch.manual_seed(0)
    for module in (net := MobileNetV2()).modules():
        if isinstance(module, nn.Conv2d) and module.weight.numel() > 5000:
            expected = (2 / (module.kernel_size[0] ** 2 * module.out_channels)) ** 0.5
            assert module.weight.std().item() == pytest.approx(expected, rel=0.1)
    assert net.classifier[1].weight.std().item() == pytest.approx(0.01, rel=0.01)
    net = SqueezeNet()
    for module in list(net.features.modules())[1:]:
        if isinstance(module, nn.Conv2d):
            expected = (2 / module.weight[0].numel()) ** 0.5
            assert module.weight.std().item() == pytest.approx(expected, rel=0.1)
    assert net.classifier[1].weight.std().item() == pytest.approx(0.01, rel=0.01)
    assert not any(p.any() for name, p in net.named_parameters() if name.endswith("bias"))


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: SqueezeNet("2_0"), ["'1_0' or '1_1'", "'2_0'"]),
        (lambda: SqueezeNet(width=0.01), ["1/16", "width=0.01"]),
        (lambda: MobileNetV1(width=0.01), ["MobileNetV1", "1/32", "0.01"]),
        (lambda: MobileNetV2(width=0), ["MobileNetV2", "positive", "0"]),
    ],
)
def test_wrong_arguments(build, words):
    with pytest.raises(ValueError, match="expected") as error:
        build()
    assert all(word in str(error.value) for word in words)

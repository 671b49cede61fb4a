"""GoogLeNet against torchvision, its heads in training; BN-Inception against published figures."""

import pytest
import torch
from net_checks import Case, every_check
from reference import (
    assert_same_outputs,
    assert_same_state_dict,
    fill,
    pictures,
    run,
    shapes_of,
    state_dict_shapes,
)
from torch import nn

from dlcourse.nets.inception import BNInception, GoogLeNet, GoogLeNetOutputs

SMALL = {"width": 1 / 8, "stride": 1, "dropout": 0.1, "dropout_aux": 0.1}
CASES = {
    "googlenet": Case(GoogLeNet, (3, 224, 224), 13_004_888, 1.5e9, SMALL, (3, 32, 32), lr=3e-3),
    "googlenet without heads": Case(
        lambda **options: GoogLeNet(aux=False, **options), (3, 224, 224), 6_624_904, 1.5e9,
        {**SMALL, "in_channels": 1}, (1, 28, 28), lr=3e-3,
    ),
    "bn_inception": Case(
        BNInception, (3, 224, 224), 11_285_224, 2_033e6, {"width": 1 / 8, "stride": 1}, (3, 32, 32),
    ),
}  # fmt: skip

test_net = every_check(CASES)


def filled_googlenet(**options):
    with torch.device("meta"):
        net = GoogLeNet(**options)
    return fill(net.to_empty(device="cpu"))


def test_equals_torchvision():
    net = filled_googlenet()
    assert_same_state_dict(net, "googlenet")
    assert_same_outputs(run(net, pictures()), "googlenet")
    net.training = True  # the heads answer, and all layers stay in evaluation
    with torch.no_grad():
        outputs = net(pictures())
    assert_same_outputs(outputs.logits, "googlenet")
    assert_same_outputs(outputs.aux_logits1, "googlenet.aux1")
    assert_same_outputs(outputs.aux_logits2, "googlenet.aux2")


def test_without_heads_equals_torchvision():
    net = filled_googlenet(aux=False)
    theirs = state_dict_shapes("googlenet")
    assert shapes_of(net) == {k: v for k, v in theirs.items() if not k.startswith("aux")}
    assert_same_outputs(run(net, pictures()), "googlenet")


def test_heads_answer_in_training_only():
    torch.manual_seed(0)
    x = torch.randn(2, 3, 32, 32)
    net = GoogLeNet(num_classes=5, **SMALL)
    outputs = net.train()(x)
    assert isinstance(outputs, GoogLeNetOutputs)
    assert outputs._fields == ("logits", "aux_logits2", "aux_logits1")
    assert [logits.shape for logits in outputs] == [(2, 5)] * 3
    assert isinstance(net.eval()(x), torch.Tensor)
    assert isinstance(GoogLeNet(num_classes=5, aux=False, **SMALL).train()(x), torch.Tensor)


def test_heads_teach_the_layers_below_them():
    """The first head's loss reaches 4a and what is below, the second's 4d; no head's reaches 4e."""
    torch.manual_seed(0)
    net = GoogLeNet(num_classes=5, **SMALL)
    outputs = net.train()(torch.randn(2, 3, 32, 32))
    reached = {}
    for field in ("aux_logits1", "aux_logits2"):
        net.zero_grad()
        getattr(outputs, field).sum().backward(retain_graph=True)
        blocks = [
            "conv1",
            "inception3b",
            "inception4a",
            "inception4b",
            "inception4d",
            "inception4e",
        ]
        reached[field] = [
            any(p.grad is not None for p in getattr(net, block).parameters()) for block in blocks
        ]
    assert reached["aux_logits1"] == [True, True, True, False, False, False]
    assert reached["aux_logits2"] == [True, True, True, True, True, False]


def test_the_papers_kernels_are_larger():
    """Kernels of 5 x 5: 16 more weights for each pair of maps, nothing else."""
    with torch.device("meta"):
        small, large = GoogLeNet(aux=False), GoogLeNet(aux=False, large=5)
        assert large.eval()(torch.empty(1, 3, 224, 224)).shape == (1, 1000)
    more = {k: v for k, v in shapes_of(large).items() if v != shapes_of(small)[k]}
    assert len(more) == 9
    assert all(key.endswith("branch3.1.conv.weight") and v[2:] == (5, 5) for key, v in more.items())


def test_initial_weights():
    torch.manual_seed(0)
    net = GoogLeNet(width=0.25)
    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.Linear) and module.weight.numel() > 500:
            assert module.weight.std().item() == pytest.approx(0.01, rel=0.1)


def test_bn_inception_has_the_size_of_the_published_copy():
    """The copy for Caffe has 11,295,240 parameters, with biases in all convolutions."""
    with torch.device("meta"):
        net = BNInception()
    biases = sum(m.out_channels for m in net.modules() if isinstance(m, nn.Conv2d))
    assert sum(p.numel() for p in net.parameters()) + biases == 11_295_240


def test_bn_inception_sizes_of_the_paper():
    sizes = {}
    with torch.device("meta"):
        net = BNInception()
        for name, module in net.features.named_children():
            hook = lambda _, __, y, name=name: sizes.update({name: tuple(y.shape[1:3])})
            module.register_forward_hook(hook)
        net(torch.empty(1, 3, 224, 224))
    assert sizes == {
        "conv1": (64, 112), "pool1": (64, 56), "conv2": (64, 56), "conv3": (192, 56),
        "pool2": (192, 28), "inception3a": (256, 28), "inception3b": (320, 28),
        "inception3c": (576, 14), "inception4a": (576, 14), "inception4b": (576, 14),
        "inception4c": (608, 14), "inception4d": (608, 14), "inception4e": (1056, 7),
        "inception5a": (1024, 7), "inception5b": (1024, 7),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: GoogLeNet(large=4), ["GoogLeNet", "odd", "large=4"]),
        (lambda: GoogLeNet(width=0.01), ["1/16", "width=0.01"]),
        (lambda: BNInception(width=0.01), ["BNInception", "1/32", "0.01"]),
    ],
)
def test_wrong_arguments(build, words):
    with pytest.raises(ValueError, match="expected") as error:
        build()
    assert all(word in str(error.value) for word in words)

"""Residual networks against other implementations that have the same weights."""

import re

import pytest
import torch
import torch.nn.functional as F
from reference import fill, pictures, run

from dlcourse.nets.resnet import PreActivation, ResNet


def huggingface_key(key, blocks):
    """Where the weight `key` of ours stands in the network of `transformers`."""
    if key.startswith("fc."):
        return key.replace("fc", "classifier.1")
    kinds = {"conv": "convolution", "bn": "normalization"}
    if match := re.fullmatch(r"(conv|bn)1\.(.*)", key):
        return f"resnet.embedder.embedder.{kinds[match[1]]}.{match[2]}"
    stage, block, kind, number, rest = re.fullmatch(
        r"layer(\d)\.(\d+)\.(conv|bn|downsample\.)(\d)\.(.*)", key
    ).groups()
    place = f"resnet.encoder.stages.{int(stage) - 1}.layers.{block}"
    if kind == "downsample.":
        return f"{place}.shortcut.{('convolution', 'normalization')[int(number)]}.{rest}"
    return f"{place}.layer.{int(number) - 1}.{kinds[kind]}.{rest}"


@pytest.mark.parametrize("depth", [18, 50])
def test_equals_transformers(depth):
    transformers = pytest.importorskip("transformers")
    bottleneck, blocks = depth == 50, {18: [2, 2, 2, 2], 50: [3, 4, 6, 3]}[depth]
    sizes = [(64 if bottleneck else 16) * 2**i for i in range(4)]
    theirs = transformers.ResNetForImageClassification(
        transformers.ResNetConfig(
            num_channels=1, embedding_size=16, hidden_sizes=sizes, depths=blocks, num_labels=7,
            layer_type="bottleneck" if bottleneck else "basic",
        )
    )  # fmt: skip
    ours = fill(ResNet(depth, 7, 1, width=16))
    theirs.load_state_dict(
        {huggingface_key(key, blocks): value for key, value in ours.state_dict().items()}
    )
    images = pictures(64, channels=1, batch=2)
    with torch.no_grad():
        expected = theirs.eval()(images).logits
    scale = expected.abs().max().item()
    torch.testing.assert_close(run(ours, images), expected, rtol=0, atol=1e-5 * scale)


def activated(x, norm):
    return F.relu(
        F.batch_norm(x, norm.running_mean, norm.running_var, norm.weight, norm.bias, eps=norm.eps)
    )


def preactivated_by_hand(net, x):
    """He et al. (2016b), figure 1b: norm and ReLU stand in the branch, nothing after the sum."""
    x = activated(F.conv2d(x, net.conv1.weight, padding=1), net.bn1)
    blocks = [b for layer in (net.layer1, net.layer2, net.layer3, net.layer4) for b in layer]
    for i, block in enumerate(blocks):
        branch = x if i == 0 else activated(x, block.norms[0])
        if block.downsample is not None:
            x = F.conv2d(branch, block.downsample.weight, stride=block.downsample.stride)
        branch = F.conv2d(branch, block.convs[0].weight, None, *options(block.convs[0]))
        for norm, conv in list(zip(block.norms, block.convs, strict=True))[1:]:
            branch = F.conv2d(activated(branch, norm), conv.weight, None, *options(conv))
        x = x + branch
    x = activated(x, net.last_norm).mean((2, 3))
    return F.linear(x, net.fc.weight, net.fc.bias)


def options(conv):
    return conv.stride, (conv.kernel_size[0] // 2,) * 2


@pytest.mark.parametrize("depth", [8, 18, 50])
def test_preactivation_equals_the_formula(depth):
    net = fill(ResNet(depth, 5, width=8, pre_activation=True, small_images=True))
    images = pictures(32, batch=2)
    with torch.no_grad():
        expected = preactivated_by_hand(net.eval(), images)
    scale = expected.abs().max().item()
    torch.testing.assert_close(run(net, images), expected, rtol=0, atol=1e-5 * scale)


def test_with_preactivation_a_block_without_weights_is_the_identity():
    net = fill(ResNet(20, 5, width=8, pre_activation=True, small_images=True)).eval()
    block = net.layer2[1]
    assert isinstance(block, PreActivation)
    torch.nn.init.zeros_(block.convs[-1].weight)
    x = torch.randn(2, 16, 8, 8, generator=torch.Generator().manual_seed(0))  # of both signs
    assert torch.equal(block(x), x)


def test_depth_counts_the_layers_with_weights():
    for depth in (18, 34, 50, 101, 152, 8, 20, 56, 110):
        with torch.device("meta"):
            net = ResNet(depth)
        modules = dict(net.named_modules())
        weighted = [
            name
            for name, module in modules.items()
            if isinstance(module, (torch.nn.Conv2d, torch.nn.Linear)) and "downsample" not in name
        ]
        assert len(weighted) == depth

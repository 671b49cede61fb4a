"""Summaries: counts against PyTorch's counter and against arithmetic, on nets of every kind."""

import html.parser

import pytest
import torch
from properties import words_missing
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from dlcourse.nets import summary
from dlcourse.nets.capsule import CapsNet
from dlcourse.nets.densenet import DenseNet
from dlcourse.nets.nasnet import NASNetA
from dlcourse.nets.resnet import ResNet
from dlcourse.nets.senet import SEResNet
from dlcourse.nets.vit import ViT


def by_name(found):
    return {row.name: row for row in found.rows}


# MACs -----------------------------------------------------------------------------------------

NETS = {
    "ResNet-50": (lambda: ResNet(50), (3, 224, 224)),
    "ResNeXt-50": (lambda: ResNet(50, groups=32, group_width=4), (3, 224, 224)),
    "DenseNet-121": (lambda: DenseNet(121), (3, 224, 224)),
    "SE-ResNet-50": (lambda: SEResNet(50), (3, 224, 224)),
    "NASNet-A": (lambda: NASNetA(1), (3, 224, 224)),
    "ViT-B/16": (ViT, (3, 224, 224)),
    "CapsNet": (CapsNet, (1, 28, 28)),
    "transposed": (
        lambda: nn.Sequential(nn.ConvTranspose2d(6, 4, 5, 3, groups=2), nn.Conv2d(4, 2, 2)),
        (6, 7, 9),
    ),
    "dilated": (lambda: nn.Conv2d(4, 6, (3, 5), (2, 1), dilation=2, groups=2), (4, 20, 31)),
    "1-D": (lambda: nn.Conv1d(3, 5, 4, 2), (3, 17)),
    "3-D": (lambda: nn.Conv3d(3, 5, 2), (3, 4, 5, 6)),
    "attention": (lambda: nn.TransformerEncoderLayer(16, 2, 24, batch_first=True), (5, 16)),
    "linear, per token": (lambda: nn.Linear(7, 3), (4, 5, 7)),
    "LSTM, two ways": (lambda: nn.Sequential(nn.LSTM(6, 5, 2, bidirectional=True)), (4, 6)),
}  # fmt: skip


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("name", NETS)
def test_macs_are_half_of_pytorchs_operations(name, batch):
    build, shape = NETS[name]
    with torch.device("meta"), torch.no_grad():
        net = build().eval()
        with FlopCounterMode(display=False) as counter:
            net(torch.empty(batch, *shape))
    found = summary(net, shape, batch_size=batch)
    assert found.macs == counter.get_total_flops() / 2 > 0
    assert found.parameters == sum(p.numel() for p in net.parameters())


def test_macs_by_arithmetic():
    net = nn.Sequential(
        nn.Conv2d(3, 8, 5, stride=2, padding=1),  # 3 * 8 * 25 weights at 7 * 9 places
        nn.Flatten(),
        nn.Linear(8 * 7 * 9, 10),
    )
    rows = summary(net, (3, 15, 19), batch_size=4).rows
    assert [row.macs for row in rows] == [4 * 600 * 63, 0, 4 * 504 * 10]
    assert [row.parameters for row in rows] == [600 + 8, 0, 5040 + 10]
    assert [row.output for row in rows] == [(4, 8, 7, 9), (4, 504), (4, 10)]


# Memory ---------------------------------------------------------------------------------------


def test_memory_is_what_training_keeps():
    """Of a chain whose every result is needed backward, autograd keeps all but the last."""
    net = nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.SiLU(), nn.Conv2d(8, 4, 3), nn.ReLU(inplace=True), nn.Flatten(),
        nn.Linear(4 * 6 * 6, 5),
    )  # fmt: skip
    kept = {}
    known = {p.untyped_storage().data_ptr() for p in net.parameters()}

    def pack(tensor):
        if (address := tensor.untyped_storage().data_ptr()) not in known:
            kept[address] = tensor.numel() * tensor.element_size()
        return tensor

    images = torch.rand(2, 3, 10, 10)
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda x: x):
        result = net(images)
    found = summary(net, (3, 10, 10), batch_size=2)
    assert found.memory == sum(kept.values()) - images.nbytes + result.nbytes


@pytest.mark.parametrize(
    ("layer", "results"),
    [
        (nn.ReLU(), 1),
        (nn.ReLU(inplace=True), 0),
        (nn.Flatten(), 0),
        (nn.Identity(), 0),
        (nn.Dropout(), 0),
        (nn.Sigmoid(), 1),
        (nn.Conv2d(3, 3, 1), 1),
    ],
)
def test_memory_of_one_layer(layer, results):
    for dtype, size in ((torch.float32, 4), (torch.float64, 8)):
        found = summary(layer.to(dtype), (3, 4, 5), batch_size=2, dtype=dtype)
        assert found.memory == results * 2 * 60 * size


# Receptive field ------------------------------------------------------------------------------


def vgg16():
    """The thirteen convolutions of VGG-16."""
    layers, channels = [], 3
    for count, width in ((2, 2), (2, 2), (3, 2), (3, 2), (3, 2)):
        for _ in range(count):
            layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU()]
            channels = width
        layers.append(nn.MaxPool2d(2))
    return nn.Sequential(*layers)


def alexnet():
    return nn.Sequential(
        nn.Conv2d(3, 2, 11, 4, 2), nn.MaxPool2d(3, 2), nn.Conv2d(2, 2, 5, 1, 2), nn.MaxPool2d(3, 2),
        nn.Conv2d(2, 2, 3, 1, 1), nn.Conv2d(2, 2, 3, 1, 1), nn.Conv2d(2, 2, 3, 1, 1),
        nn.MaxPool2d(3, 2),
    )  # fmt: skip


@pytest.mark.parametrize(("build", "size"), [(vgg16, 212), (alexnet, 195)])
def test_receptive_field_of_known_networks(build, size):
    """Araujo, Norris, Sim (2019), Computing receptive fields of convolutional neural networks."""
    assert summary(build(), (3, 224, 224)).rows[-1].receptive_field == (size, size)


class Branches(nn.Module):
    """Side by side: the wider branch decides."""

    def __init__(self):
        super().__init__()
        self.wide = nn.Conv2d(1, 1, 5, padding=2)
        self.tall = nn.Conv2d(1, 1, (7, 1), padding=(3, 0))

    def forward(self, x):
        return torch.cat([x + self.wide(x), self.tall(x)], 1)


WINDOWS = {
    "strides": lambda: nn.Sequential(nn.Conv2d(1, 1, 3, 2), nn.Conv2d(1, 1, (3, 2), (1, 2))),
    "dilation": lambda: nn.Sequential(nn.Conv2d(1, 1, 3, dilation=3), nn.AvgPool2d(2)),
    "pools": lambda: nn.Sequential(nn.AvgPool2d(3, 2), nn.Conv2d(1, 1, 3), nn.AvgPool2d((2, 3), 1)),
    "transposed": lambda: nn.Sequential(
        nn.Conv2d(1, 1, 3, 2), nn.ConvTranspose2d(1, 1, 4, 2), nn.Conv2d(1, 1, 3)
    ),
    "nearest": lambda: nn.Sequential(
        nn.Conv2d(1, 1, 3), nn.Upsample(scale_factor=2), nn.Conv2d(1, 1, 3)
    ),
    "bilinear": lambda: nn.Sequential(
        nn.Conv2d(1, 1, 3, 2), nn.UpsamplingBilinear2d(scale_factor=2)
    ),
    "branches": lambda: nn.Sequential(Branches(), nn.Conv2d(2, 1, 3)),
    "adaptive": lambda: nn.Sequential(nn.Conv2d(1, 1, 3, padding=1), nn.AdaptiveAvgPool2d(8)),
}


@pytest.mark.parametrize("name", WINDOWS)
def test_receptive_field_is_where_the_gradient_is(name):
    """With positive weights no gradient cancels: what one output depends on can be seen."""
    net = WINDOWS[name]()
    for parameter in net.parameters():
        nn.init.ones_(parameter)
    image = torch.ones(1, 1, 64, 64, requires_grad=True)
    output = net(image)
    _, _, height, width = output.shape
    widest = [0, 0]
    for down in range(height // 2 - 2, height // 2 + 2):
        for right in range(width // 2 - 2, width // 2 + 2):
            (gradient,) = torch.autograd.grad(output[0, 0, down, right], image, retain_graph=True)
            rows, columns = gradient[0, 0].nonzero(as_tuple=True)
            widest[0] = max(widest[0], (rows.max() - rows.min() + 1).item())
            widest[1] = max(widest[1], (columns.max() - columns.min() + 1).item())
    found = summary(net, (1, 64, 64)).rows[-1].receptive_field
    assert found == tuple(widest)


class Tokens(nn.Module):
    """Patches as tokens: a linear layer keeps them apart, a mean or a product mixes them."""

    def __init__(self, mix):
        super().__init__()
        self.patches, self.linear, self.mix = nn.Conv2d(3, 8, 4, 4), nn.Linear(8, 6), mix

    def forward(self, x):
        tokens = self.linear(self.patches(x).flatten(2).transpose(1, 2))
        return self.mix(tokens)


@pytest.mark.parametrize(
    ("mix", "field"),
    [
        (lambda tokens: tokens.relu(), (4, 4)),
        (lambda tokens: tokens.sum(2), (4, 4)),
        (lambda tokens: tokens.mean(1), "all"),
        (lambda tokens: tokens.mean(), "all"),
        (lambda tokens: tokens @ tokens.transpose(1, 2), "all"),
    ],
)
def test_receptive_field_of_tokens(mix, field):
    rows = by_name(summary(Tokens(mix), (3, 16, 16), depth=0))
    assert rows[""].receptive_field == field
    assert by_name(summary(Tokens(mix), (3, 16, 16)))["linear"].receptive_field == (4, 4)


@pytest.mark.parametrize(
    ("layer", "field"),
    [
        (nn.AdaptiveAvgPool2d(1), "all"),
        (nn.AdaptiveMaxPool2d(1), "all"),
        (nn.GroupNorm(1, 2), "all"),
        (nn.BatchNorm2d(2), (3, 3)),
        (nn.Sequential(nn.Flatten(), nn.Linear(2 * 36, 3)), "all"),
        (nn.Sequential(nn.Conv2d(2, 4, 6), nn.Flatten(), nn.Linear(4, 3)), (8, 8)),
    ],
)
def test_receptive_field_behind_a_layer(layer, field):
    net = nn.Sequential(nn.Conv2d(3, 2, 3), layer)
    assert summary(net, (3, 8, 8), depth=0).rows[0].receptive_field == field


def test_what_is_no_image_has_no_receptive_field():
    assert summary(nn.Linear(3, 4), (3,)).rows[0].receptive_field is None
    assert summary(nn.Conv1d(3, 4, 2), (3, 9)).rows[0].receptive_field is None


# Wiring ---------------------------------------------------------------------------------------


class Shared(nn.Module):
    """One layer under two names, called three times; two outputs; a parameter nobody reads."""

    def __init__(self):
        super().__init__()
        self.first = nn.Linear(4, 4)
        self.second = self.first
        self.scale = nn.Parameter(torch.ones(4))
        self.unread = nn.Linear(5, 2)
        self.tied = nn.Linear(4, 4, bias=False)
        self.tied.weight = self.first.weight

    def forward(self, x):
        y = self.second(self.first(self.first(x)))
        return {"a": self.tied(y) * self.scale, "b": (y, x)}


def test_what_is_shared_counts_once_in_parameters_and_each_time_in_work():
    net = Shared()
    found = summary(net, (4,))
    rows = [(row.name, row.parameters, row.macs, row.output) for row in found.rows]
    assert rows == [
        ("first", 20, 16, (1, 4)),
        ("first", 0, 16, (1, 4)),
        ("first", 0, 16, (1, 4)),
        ("tied", 0, 16, (1, 4)),
        ("", 4, 0, ((1, 4), (1, 4), (1, 4))),
        ("unread", 12, 0, None),
    ]
    assert found.parameters == sum(p.numel() for p in net.parameters()) == 36
    assert "not called" in str(found)


def test_rows_add_up_at_every_depth():
    net = DenseNet(22, 4, growth_rate=4)
    totals = [
        [sum(getattr(row, name) for row in summary(net, (3, 64, 64), depth=depth).rows)
         for name in ("parameters", "macs", "memory")]
        for depth in (0, 1, 2, 3, None)
    ]  # fmt: skip
    assert totals == 5 * totals[:1]
    found = summary(net, (3, 64, 64), depth=1)
    assert [row.name for row in found.rows] == ["features", "classifier", ""]
    assert [found.parameters, found.macs, found.memory] == totals[0]
    assert [row.kind for row in found.rows] == ["Sequential", "Linear", "DenseNet itself"]


def test_unused_parts_fold_too():
    rows = summary(CapsNet(4, width=4, primary=2), (1, 28, 28), depth=1).rows
    assert [row.name for row in rows] == ["conv1", "conv2", "", "decoder"]
    assert rows[-1].output is None


class TwoInputs(nn.Module):
    def __init__(self):
        super().__init__()
        self.words, self.picture = nn.Embedding(10, 6), nn.Linear(8, 6)

    def forward(self, tokens, features):
        return self.words(tokens).mean(1) + self.picture(features)


def test_several_inputs_with_types_of_their_own():
    found = summary(TwoInputs(), [(5,), (8,)], dtype=[torch.long, torch.float32])
    assert found.inputs == ((1, 5), (1, 8))
    assert (found.parameters, found.macs) == (60 + 54, 48)
    assert summary(nn.Embedding(10, 6), (5,), dtype=torch.long).parameters == 60


def test_frozen_parameters_are_told_apart():
    net = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2))
    net[0].requires_grad_(False)
    found = summary(net, (3,))
    assert (found.parameters, found.trainable) == (26, 10)
    assert "(16 frozen)" in str(found)


# Left as it was -------------------------------------------------------------------------------


class Odd(nn.Module):
    """Everything that a copy could stumble on, or that a run could change."""

    def __init__(self):
        super().__init__()
        self.norm, self.drop = nn.BatchNorm2d(3), nn.Dropout()
        self.conv = nn.utils.parametrizations.weight_norm(nn.Conv2d(3, 4, 3))
        self.register_buffer("shift", torch.ones(3, 1, 1))
        self.plain = [torch.ones(3, 1, 1)]
        self.calls = 0

    def forward(self, x):
        self.calls += 1
        torch.rand(2, device="cpu")  # draws a number wherever the network runs
        noise = torch.randn(x.shape[2:])  # made on the default device
        self.seen = self.conv(self.drop(self.norm(x + self.shift + self.plain[0] + noise)))
        return self.seen


def test_nothing_is_changed():
    net = Odd()
    net(torch.rand(2, 3, 8, 8))  # net.seen is now a result with a history
    seen = []
    net.conv.register_forward_hook(lambda *arguments: seen.append(arguments))
    net.conv.eval()
    net.conv.bias.requires_grad_(False)
    hooks = [(len(m._forward_hooks), len(m._forward_pre_hooks)) for m in net.modules()]
    before = {key: value.clone() for key, value in net.state_dict().items()}
    modes = [module.training for module in net.modules()]
    addresses = [p.data_ptr() for p in net.parameters()]
    random = torch.get_rng_state()

    found = summary(net, (3, 8, 8))
    assert found.macs == 4 * 27 * 36

    assert torch.equal(random, torch.get_rng_state())
    assert modes == [module.training for module in net.modules()]
    assert addresses == [p.data_ptr() for p in net.parameters()]
    assert hooks == [(len(m._forward_hooks), len(m._forward_pre_hooks)) for m in net.modules()]
    assert all(torch.equal(before[key], value) for key, value in net.state_dict().items())
    assert (net.calls, seen) == (1, [])
    assert net.seen.shape == (2, 4, 6, 6)
    assert torch.is_grad_enabled()
    assert torch.ones(1).device.type == "cpu"


class NoNumbers(TorchDispatchMode):
    """Fails when a tensor with memory behind it is made."""

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        output = function(*args, **(kwargs or {}))
        for x in torch.utils._pytree.tree_leaves(output):
            if isinstance(x, torch.Tensor) and x.numel() > 10_000:
                assert x.device.type == "meta", f"{function} made {tuple(x.shape)} on {x.device}"
        return output


def test_no_weights_are_copied():
    net = nn.Sequential(nn.Conv2d(3, 64, 3), nn.Flatten(), nn.Linear(64 * 36, 200))
    with NoNumbers():
        assert summary(net, (3, 8, 8)).parameters == 1792 + 461_000


@pytest.mark.parametrize("context", [torch.inference_mode, torch.no_grad, torch.enable_grad])
def test_works_within_any_mode_of_autograd(context):
    net = nn.Sequential(nn.Linear(3, 4), nn.ReLU(inplace=True))
    with context():
        assert summary(net, (3,)).macs == 12


# Text, HTML, errors ---------------------------------------------------------------------------


def test_text():
    net = nn.Sequential(nn.Conv2d(3, 64, 3, padding=1), nn.ReLU(inplace=True), nn.Flatten())
    lines = str(summary(net, (3, 32, 32))).splitlines()
    assert lines[0] == "Sequential, input (1, 3, 32, 32)"
    assert lines[2].split() == [
        "layer", "kind", "output", "parameters", "MACs", "memory", "receptive", "field",
    ]  # fmt: skip
    conv = "0 Conv2d (1, 64, 32, 32) 1,792 1,769,472 262.1 kB 3 x 3"
    assert " ".join(lines[4].split()) == conv
    assert lines[-1] == "1,792 parameters, 1,769,472 MACs, 262.1 kB of activations"
    assert repr(summary(net, (3, 32, 32))) == "\n".join(lines)


class Cells(html.parser.HTMLParser):
    """The tags of a table and the texts of its cells."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.rows, self.open = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        self.open.append(tag)
        if tag == "tr":
            self.rows.append([])

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open[-1] in ("td", "th"):
            self.rows[-1].append(data)


def test_html():
    class Evil(nn.Sequential):
        pass

    Evil.__name__ = "<script>alert(1)</script>"
    found = summary(Evil(nn.Linear(3, 4), Evil()), (3,))
    text = found._repr_html_()
    assert "<script" not in text
    cells = Cells(text)
    assert not cells.open
    assert cells.rows[1] == ["0", "Linear", "(1, 4)", "16", "12", "16 B", "-"]
    assert cells.rows[2][1] == Evil.__name__
    scopes = [attributes.get("scope") for tag, attributes in cells.tags if tag == "th"]
    assert scopes == 7 * ["col"] + 2 * ["row"]
    assert [tag for tag, _ in cells.tags].count("caption") == 1


class Picky(nn.Module):
    def forward(self, x):
        if x.sum().item() > 0:  # needs numbers
            return x
        return -x


class Locked(nn.Module):
    def __init__(self):
        super().__init__()
        self.lines = (line for line in "abc")


NET = ResNet(8, 4, width=8, small_images=True)
CONV = nn.Sequential(nn.ReLU(), nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(9, 2)))

# What is done: (function, error, what the message must hold).
MISTAKES = {
    "no network": (lambda: summary("resnet", (3,)), TypeError, ["torch.nn.Module", "str"]),
    "class": (lambda: summary(ResNet, (3,)), TypeError, ["torch.nn.Module", "type"]),
    "a number": (lambda: summary(NET, 3), ValueError, ["one example", "(3, 224, 224)", "got 3"]),
    "a tensor": (lambda: summary(NET, torch.ones(2)), ValueError, ["sizes", "tensor"]),
    "negative": (lambda: summary(NET, (3, -1, 32)), ValueError, ["(3, -1, 32)"]),
    "nested": (lambda: summary(NET, [(3, 0)]), ValueError, ["(3, 0)"]),
    "the network's own words": (
        lambda: summary(NET, (1, 32, 32)), ValueError, ["ResNet", "(1, 1, 32, 32)", "in_channels"],
    ),
    "channels": (lambda: summary(CONV, (1, 5, 5)), ValueError, ["(1, 1, 5, 5)", "at 1.0"]),
    "size": (lambda: summary(CONV, (3, 9, 9)), ValueError, ["(1, 3, 9, 9)", "at 1.2"]),
    "batch given": (lambda: summary(CONV, (1, 3, 5, 5)), ValueError, ["(1, 1, 3, 5, 5)", "at 1.0"]),
    "inputs": (lambda: summary(CONV, [(3,), (3,)]), ValueError, ["(1, 3) and (1, 3)"]),
    "types": (lambda: summary(CONV, (3,), dtype=[]), ValueError, ["0 dtypes for 1 inputs"]),
    "lazy": (lambda: summary(nn.LazyLinear(3), (3,)), ValueError, ["weight", "no shape yet"]),
    "numbers needed": (lambda: summary(Picky(), (3,)), ValueError, ["Picky", "meta"]),
    "can't be copied": (lambda: summary(Locked(), (3,)), TypeError, ["Locked", "generator"]),
}  # fmt: skip


@pytest.mark.parametrize("name", MISTAKES)
def test_mistake_is_refused_in_words_that_help(name):
    function, kind, words = MISTAKES[name]
    with pytest.raises(kind) as error:
        function()
    assert str(error.value).startswith("summary: ")
    assert not words_missing(error, words), str(error.value)

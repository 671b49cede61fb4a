"""Transfer: heads of every network, frozen layers that stand still, and what it is good for."""

import copy
import pickle

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from dlcourse import data
from dlcourse.nets import CapsNet, LeNet5, ResNet, ViT, catalog
from dlcourse.nets.transfer import freeze, heads, replace_head, unfreeze
from dlcourse.train import fit

# Where the heads of the catalog's networks stand, where it is not a linear layer called "fc".
HEADS = {
    "lenet1989": ("output",), "lenet5_1998": ("output",), "lenet5": ("output",),
    "caffe_lenet": ("ip2",), "nin": ("features.26",),
    **dict.fromkeys(("alexnet", "alexnet_two_towers", "zfnet"), ("classifier.6",)),
    **dict.fromkeys((f"vgg{depth}" for depth in (11, 13, 16, 19)), ("classifier.6",)),
    **dict.fromkeys((f"vgg{depth}_bn" for depth in (11, 13, 16, 19)), ("classifier.6",)),
    "googlenet": ("fc", "aux1.fc2", "aux2.fc2"),
    **{f"densenet{depth}": ("classifier",) for depth in (121, 169, 201)},
    "squeezenet1_0": ("classifier.1",), "squeezenet1_1": ("classifier.1",),
    "mobilenet_v1": ("classifier",), "mobilenet_v2": ("classifier.1",),
    "capsnet": ("weight", "decoder.0"), "vit_b_16": ("heads.head",),
}  # fmt: skip


@pytest.mark.parametrize("name", catalog().names)
def test_every_network_gets_a_new_head(name):
    with torch.device("meta"):
        entry = catalog()[name]
        net = entry.build()
        assert heads(net) == HEADS.get(name, ("fc",))
        old = {key: id(value) for key, value in net.named_parameters()}
        assert replace_head(net, 7) is net
        assert heads(net) == HEADS.get(name, ("fc",))
        # All else is as it was, and the whole is what one would have built for 7 classes.
        changed = {key for key, value in net.named_parameters() if old.get(key) != id(value)}
        assert all(key.startswith(heads(net)) for key in changed)
        options = {"output": "linear"} if name == "lenet5_1998" else {}
        built = entry.build(num_classes=7, **options)
        shapes = lambda net: {key: value.shape for key, value in net.state_dict().items()}
        assert shapes(net) == shapes(built)
        assert net.eval()(torch.empty(2, *entry.input_shape)).shape == (2, 7)
        if name == "googlenet":
            assert [x.shape for x in net.train()(torch.empty(2, 3, 224, 224))] == 3 * [(2, 7)]


def test_a_new_head_keeps_type_mode_and_options():
    net = nn.Sequential(nn.Conv2d(2, 3, 3), nn.Conv2d(3, 4, (1, 2), bias=False, padding=1)).double()
    replace_head(net.eval(), 5)
    assert net[1].weight.dtype == torch.float64
    assert (net[1].weight.shape, net[1].bias, net[1].padding) == ((5, 3, 1, 2), None, (1, 1))
    assert not net[1].training


def test_heads_of_other_networks():
    with pytest.raises(ValueError, match="Sequential has no linear or convolutional layer"):
        heads(nn.Sequential(nn.ReLU()))
    with pytest.raises(ValueError, match="Linear has no linear or convolutional layer within"):
        replace_head(nn.Linear(2, 3), 4)
    with pytest.raises(ValueError, match="at least one class, got 0"):
        replace_head(LeNet5(), 0)


def test_a_capsule_network_learns_with_new_classes():
    torch.manual_seed(0)
    net = CapsNet(10, width=8, primary=2, decoder=(16,))
    replace_head(net, 3).loss(torch.rand(4, 1, 28, 28), torch.arange(4) % 3).backward()
    assert all(parameter.grad.any() for parameter in net.parameters())
    replace_head(CapsNet(10, width=8, primary=2, decoder=()), 3)


# Freezing -------------------------------------------------------------------------------------


def small_net():
    torch.manual_seed(0)
    return ResNet(8, 4, width=4, small_images=True)


def step(net, optimizer):
    net.train()
    optimizer.zero_grad()
    F.cross_entropy(net(3 * torch.rand(8, 3, 16, 16)), torch.arange(8) % 4).backward()
    optimizer.step()


def changed(before, net):
    return {key for key, value in net.state_dict().items() if not torch.equal(before[key], value)}


def test_frozen_layers_stand_still_statistics_too():
    net = freeze(small_net(), but=("layer3", "fc"))
    before = copy.deepcopy(net.state_dict())
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    for _ in range(2):
        step(net, optimizer)
    moved = changed(before, net)
    assert moved == {key for key in before if key.startswith(("layer3.", "fc."))}
    assert any(key.endswith("running_mean") for key in moved)
    # What is frozen answers in training as in evaluation.
    x = torch.rand(4, 3, 16, 16)
    lower = nn.Sequential(net.conv1, net.bn1, net.relu, net.layer1, net.layer2)
    assert torch.equal(lower.train()(x), lower.eval()(x))


def test_unfreezing_brings_everything_back():
    net = freeze(small_net(), but="fc")
    net.train()(torch.rand(2, 3, 16, 16))
    unfreeze(net)
    assert all(module.training for module in net.modules())
    before = copy.deepcopy(net.state_dict())
    step(net, torch.optim.SGD(net.parameters(), lr=0.1))
    assert changed(before, net) == set(before)
    assert all(module.training for module in net.modules())
    assert not any(module._forward_pre_hooks for module in net.modules())


def test_unfreezing_a_part():
    net = unfreeze(freeze(small_net()), only=("layer3.0.bn1", "fc.bias"))
    before = copy.deepcopy(net.state_dict())
    learning = [p for p in net.parameters() if p.requires_grad]
    step(net, torch.optim.SGD(learning, lr=0.1))
    assert changed(before, net) == {
        "fc.bias", *(key for key in before if key.startswith("layer3.0.bn1."))
    }  # fmt: skip


def test_freezing_again_replaces_what_was_said_before():
    net = freeze(freeze(small_net(), but="fc"), but="layer3")
    learning = {name.split(".")[0] for name, p in net.named_parameters() if p.requires_grad}
    assert learning == {"layer3"}
    hooks = [len(module._forward_pre_hooks) for module in net.modules()]
    assert max(hooks) == 1


def test_an_optimizer_with_momentum_does_not_move_what_is_frozen_later():
    net = small_net()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    step(net, optimizer)
    freeze(net, but="fc")
    before = copy.deepcopy(net.state_dict())
    optimizer.step()  # with the gradients there are
    step(net, optimizer)
    assert changed(before, net) == {"fc.weight", "fc.bias"}


def test_names_match_whole_parts_of_paths():
    net = nn.ModuleDict({"a": nn.Linear(2, 2), "ab": nn.Linear(2, 2)})
    freeze(net, but="a")
    assert [p.requires_grad for p in net.parameters()] == [True, True, False, False]


def test_a_frozen_network_can_be_copied_stored_and_its_weights_loaded():
    net = freeze(small_net(), but="fc")
    for twin in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        before = copy.deepcopy(twin.state_dict())
        step(twin, torch.optim.SGD([p for p in twin.parameters() if p.requires_grad], lr=0.1))
        assert changed(before, twin) == {"fc.weight", "fc.bias"}
        unfreeze(twin)
        assert not any(module._forward_pre_hooks for module in twin.modules())
    small_net().load_state_dict(net.state_dict())


@pytest.mark.parametrize("function", [freeze, unfreeze])
def test_unknown_names(function):
    with pytest.raises(ValueError, match=r"no module or parameter 'layer5'; did you mean layer"):
        function(small_net(), "layer5")
    with pytest.raises(ValueError, match=r"ResNet .* 'Kopf'; there are \['conv1', .*, 'fc'\]"):
        function(small_net(), "Kopf")


# What it is good for --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def letters():
    """A network that has learned twelve letters, and its classes."""
    train = data.glyphs(2400, characters="ABCEFHKLNSTX", seed=5)
    torch.manual_seed(0)
    net = LeNet5(len(train.classes), size=28, modern=True)
    fit(net, train, F.cross_entropy, torch.optim.Adam(net.parameters(), 2e-3), 3, progress=False,
        batch_size=64)  # fmt: skip
    return net


def accuracy(net, dataset):
    inputs, targets = dataset.to_torch().tensors
    with torch.no_grad():
        return (net.eval()(inputs).argmax(1) == targets).float().mean().item()


@pytest.mark.slow
def test_letters_help_with_few_digits(letters):
    """50 digits: a network that knows letters is right more often than one that knows nothing."""
    test = data.glyphs(1000, seed=99)
    found = {"from scratch": [], "only the head": [], "everything": []}
    for seed in range(3):
        few = data.glyphs(50, seed=seed)

        def learn(net, epochs, lr, few=few, seed=seed):
            learning = [p for p in net.parameters() if p.requires_grad]
            optimizer = torch.optim.Adam(learning, lr)
            fit(net, few, F.cross_entropy, optimizer, epochs, batch_size=10, seed=seed,
                progress=False)  # fmt: skip
            return accuracy(net, test)

        torch.manual_seed(seed)
        found["from scratch"].append(learn(LeNet5(size=28, modern=True), 40, 2e-3))
        net = replace_head(copy.deepcopy(letters), 10)
        found["only the head"].append(learn(freeze(net, but=heads(net)), 40, 1e-2))
        found["everything"].append(learn(unfreeze(net), 20, 1e-3))
    print({name: np.round(values, 3).tolist() for name, values in found.items()})
    low, high = np.array(found["from scratch"]), np.array(found["everything"])
    assert (high > low).all(), found
    assert (high - low).mean() > 0.05, found
    assert min(found["only the head"]) > 0.3, found


def test_vit_knows_its_new_classes():
    net = ViT(image_size=8, patch_size=4, depth=1, heads=2, width=8, mlp_width=8, num_classes=5)
    assert replace_head(net, 3).config.num_classes == 3

"""Looking into networks: exact answers on nets made by hand, and nothing left behind."""

import weakref

import numpy as np
import pytest
import torch
from torch import nn

from dlcourse.nets import ResNet
from dlcourse.nets.features import (
    capture,
    embed,
    filter_images,
    grad_cam,
    nearest_neighbors,
    occlusion,
    show_filters,
)


def state_of(net):
    """Modes, hooks and gradients: what a look into a network must leave as it was."""
    return [
        (m.training, len(m._forward_hooks), len(m._forward_pre_hooks)) for m in net.modules()
    ] + [(p.requires_grad, None if p.grad is None else p.grad.tolist()) for p in net.parameters()]


def mixed_net():
    """Training, but for one module; with a gradient already there and a layer frozen."""
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(1, 2, 3, padding=1), nn.BatchNorm2d(2), nn.ReLU(inplace=True),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.5), nn.Linear(2, 3),
    )  # fmt: skip
    net[1].eval()
    net[0].weight.requires_grad_(False)
    net[6].weight.grad = torch.ones(3, 2)
    return net


LOOKS = {
    "capture": lambda net, x: _run_captured(net, x),
    "occlusion": lambda net, x: occlusion(net, x, [0, 1], 4, 2),
    "grad_cam": lambda net, x: grad_cam(net, x, "0"),
    "embed": lambda net, x: embed(net, x, "4"),
}


def _run_captured(net, x):
    with capture(net, "0", "6"):
        net.eval()(x)
    net.train()
    net[1].eval()


@pytest.mark.parametrize("name", LOOKS)
def test_nothing_is_left_behind(name):
    net, x = mixed_net(), torch.rand(2, 1, 8, 8)
    before, weights = state_of(net), [t.clone() for t in net.state_dict().values()]
    LOOKS[name](net, x)
    assert state_of(net) == before
    assert all(map(torch.equal, weights, net.state_dict().values()))


@pytest.mark.parametrize("name", LOOKS)
def test_nor_by_an_error(name):
    net = mixed_net()
    before = [len(m._forward_hooks) for m in net.modules()], net[1].training
    with pytest.raises(RuntimeError):
        LOOKS[name](net, torch.rand(2, 5, 8, 8))
    assert ([len(m._forward_hooks) for m in net.modules()], net[1].training) == before
    if name != "capture":  # which leaves the mode to the caller
        assert net.training


# Activations ----------------------------------------------------------------------------------


def test_capture_gives_what_each_module_answers():
    net = nn.Sequential(nn.Linear(2, 2, bias=False), nn.ReLU(inplace=True), nn.Linear(2, 1))
    with torch.no_grad():
        net[0].weight.copy_(torch.tensor([[1.0, 0.0], [0.0, -1.0]]))
    with capture(net, "0", "1") as seen:
        assert seen == {}
        out = net(torch.tensor([[2.0, 3.0]]))
    # The ReLU works in place, but what came before it is kept.
    assert seen["0"].tolist() == [[2.0, -3.0]]
    assert seen["1"].tolist() == [[2.0, 0.0]]
    assert not seen["0"].requires_grad
    assert out.requires_grad  # the run itself still learns
    kept = seen["0"].clone()
    net(torch.zeros(1, 2))
    assert torch.equal(seen["0"], kept), "the hook is gone"


def test_capture_keeps_no_graph_alive():
    class Held(list):
        """What backward keeps of the forward pass; unlike tensors' nodes it can be watched."""

    held = []

    def pack(tensor):
        packed = Held([tensor.detach()])  # itself, an output would hold its own node
        held.append(weakref.ref(packed))
        return packed

    net = nn.Sequential(nn.Linear(3, 3), nn.Tanh())
    watched = torch.autograd.graph.saved_tensors_hooks(pack, lambda packed: packed[0])
    with watched, capture(net, "0") as seen:
        out = net(torch.rand(2, 3))
    assert any(reference() is not None for reference in held)
    del out
    assert all(reference() is None for reference in held)
    assert seen["0"].grad_fn is None


def test_capture_of_several_tensors():
    net = nn.Sequential(nn.LSTM(2, 3))
    with capture(net, "0") as seen:
        net(torch.rand(4, 1, 2))
    assert seen["0"][0].shape == (4, 1, 3)
    assert [h.shape for h in seen["0"][1]] == [(1, 1, 3), (1, 1, 3)]


def test_unknown_modules_are_told_what_is_near():
    with (
        pytest.raises(ValueError, match="ResNet has no module 'layer5'; did you mean layer"),
        capture(ResNet(8, width=4, small_images=True), "layer5"),
    ):
        pass


# Filters --------------------------------------------------------------------------------------


def test_filter_images():
    weight = torch.tensor([[[[1.0, -2.0]]], [[[0.0, 0.0]]], [[[0.5, 0.25]]]])  # (3, 1, 1, 2)
    assert filter_images(weight).tolist() == [[[0.75, 0.0]], [[0.5, 0.5]], [[1.0, 0.75]]]
    color = torch.zeros(2, 3, 4, 5)
    color[1, 2, 3, 4], color[1, 0, 0, 0] = -4.0, 2.0
    images = filter_images(color)
    assert images.shape == (2, 4, 5, 3)
    assert (images[1, 3, 4, 2], images[1, 0, 0, 0], images[1, 0, 0, 1]) == (0.0, 0.75, 0.5)
    assert filter_images(torch.rand(4, 2, 3, 3)).shape == (8, 3, 3)


def test_show_filters():
    import matplotlib.pyplot as plt

    net = nn.Sequential(nn.Conv2d(3, 10, 5), nn.ReLU(), nn.Conv2d(10, 2, 3))
    drawn = show_filters(net, "0", columns=4)
    axes = drawn.figure.axes
    assert len(axes) == 12  # three rows of four
    shown = [axis.images[0].get_array() for axis in axes if axis.images]
    np.testing.assert_array_equal(shown, filter_images(net[0].weight))
    assert drawn.alt.startswith("10 of 10 filters of 0, 5 x 5 weights each, in color")
    gray = show_filters(net, "2", count=6)
    assert sum(bool(axis.images) for axis in gray.figure.axes) == 6
    assert "6 of 20 filters of 2, 3 x 3" in gray.alt
    plt.close("all")


# Where it looks -------------------------------------------------------------------------------


def test_occlusion_finds_the_only_pixel_that_matters():
    net = nn.Sequential(nn.Flatten(), nn.Linear(25, 2))
    with torch.no_grad():
        net[1].weight.zero_()
        net[1].bias.zero_()
        net[1].weight[1, 5 * 3 + 4] = 2.0  # row 3, column 4
    image = torch.ones(1, 1, 5, 5)
    found = occlusion(net, image, [1], size=2, stride=2, value=0.0)
    # Squares begin at 0, 2 and, moved back to the edge, 3.
    sure, half = torch.sigmoid(torch.tensor(2.0)).item(), 0.5
    expected = [[sure] * 3, [sure, sure, half], [sure, sure, half]]
    np.testing.assert_allclose(found[0], expected, rtol=1e-6)
    assert torch.equal(image, torch.ones(1, 1, 5, 5))
    # The same, square by square, in small batches and for two images.
    two = occlusion(net, torch.cat([image, 0 * image]), [1, 0], 2, 2, 0.0, batch_size=2)
    assert torch.equal(two[:1], found)
    assert torch.equal(two[1], torch.full((3, 3), 0.5))


def test_grad_cam_by_hand():
    """Two maps, the image itself and its negative; class 0 likes the first, class 1 the second."""
    net = nn.Sequential(
        nn.Conv2d(1, 2, 1, bias=False), nn.ReLU(inplace=True), nn.AdaptiveAvgPool2d(1),
        nn.Flatten(), nn.Linear(2, 2, bias=False),
    )  # fmt: skip
    with torch.no_grad():
        net[0].weight.copy_(torch.tensor([1.0, -1.0]).view(2, 1, 1, 1))
        net[4].weight.copy_(torch.tensor([[8.0, 0.0], [0.0, 4.0]]))
    image = torch.tensor([[3.0, -1.0], [0.0, -2.0]])[None, None]
    both = image.repeat(2, 1, 1, 1)
    # The derivative of a logit by a place of its map is weight / 4 behind the ReLU.
    cam = grad_cam(net, both, "1", classes=[0, 1])
    assert cam.tolist() == [[[6.0, 0.0], [0.0, 0.0]], [[0.0, 1.0], [0.0, 2.0]]]
    # Before it, only positive places pass the gradient: 2 * 1/4 for the first, 1 * 2/4 for the
    # second, and negative parts of the sum are cut off.
    cam = grad_cam(net, both, "0", classes=torch.tensor([0, 1]))
    assert cam.tolist() == [[[1.5, 0.0], [0.0, 0.0]], [[0.0, 0.5], [0.0, 1.0]]]
    # By default it is the class with the largest logit, here 0: 8 * 3/4 against 4 * 3/4.
    assert torch.equal(grad_cam(net, image, "1"), grad_cam(net, image, "1", classes=[0]))


def test_grad_cam_agrees_with_the_gradient_of_a_whole_network():
    torch.manual_seed(0)
    net = ResNet(8, 4, width=4, small_images=True).eval()
    images = torch.rand(3, 3, 16, 16)
    maps = net.layer2(net.layer1(net.relu(net.bn1(net.conv1(images))))).detach().requires_grad_()
    logits = net.fc(net.avgpool(net.layer4(net.layer3(maps))).flatten(1))
    (gradient,) = torch.autograd.grad(logits.max(1).values.sum(), maps)
    expected = (gradient.mean((2, 3), keepdim=True) * maps).sum(1).relu()
    for parameter in net.parameters():
        parameter.requires_grad_(False)
    with torch.no_grad():
        found = grad_cam(net.train(), images, "layer2", upsample=False)
        large = grad_cam(net, images, "layer2")
    torch.testing.assert_close(found, expected.detach())
    assert found.shape == (3, 8, 8)
    assert found.any()
    assert large.shape == (3, 16, 16)
    assert not found.requires_grad


# Feature space --------------------------------------------------------------------------------


def test_nearest_neighbors():
    features = torch.tensor([[0.0, 0.0], [3.0, 4.0], [0.0, 1.0], [0.0, 0.0]])
    indices, distances = nearest_neighbors(features, torch.tensor([[0.0, 0.0], [3.0, 3.0]]), 3)
    assert indices.tolist() == [[0, 3, 2], [1, 2, 0]]
    np.testing.assert_allclose(distances, [[0, 0, 1], [1, 13**0.5, 18**0.5]], rtol=1e-6)


def test_embed_runs_in_batches_and_in_evaluation():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Dropout(0.5), nn.Flatten())
    inputs = np.random.default_rng(0).random((7, 1, 5, 5), np.float32)
    found = embed(net, inputs, "1", batch_size=3)
    with torch.no_grad():
        expected = net.eval()[:2](torch.from_numpy(inputs)).flatten(1)
    assert found.shape == (7, 18)
    torch.testing.assert_close(found, expected)


class Blind(nn.Module):
    def forward(self, x):
        return torch.zeros(len(x), 2)


LINEAR = nn.Sequential(nn.Conv2d(1, 2, 1), nn.Flatten(), nn.Linear(8, 2))
IMAGE = torch.rand(1, 1, 2, 2)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: filter_images(torch.rand(3, 3)), ["(N, C, h, w)", "(3, 3)"]),
        (lambda: show_filters(LINEAR, "2"), ["'2' is no convolution", "['0']"]),
        (lambda: show_filters(LINEAR, "0", count=0), ["at least 1", "0 and 8"]),
        (lambda: occlusion(LINEAR, IMAGE, [0, 1], 1), ["(1, 1, 2, 2)", "2 classes"]),
        (lambda: occlusion(LINEAR, IMAGE, [0], 3), ["1 to 2 pixels", "size=3"]),
        (lambda: occlusion(LINEAR, IMAGE, [0], 1, 0), ["at least 1", "stride=0"]),
        (lambda: grad_cam(LINEAR, IMAGE, "1"), ["'1' gives (1, 8)", "(B, C, h, w)"]),
        (lambda: grad_cam(LINEAR, IMAGE, "0", [0, 1]), ["each of 1 images", "(2,)"]),
        (lambda: grad_cam(nn.Sequential(LINEAR, Blind()), IMAGE, "0.0"), ["depend on '0.0'"]),
        (lambda: embed(LINEAR, IMAGE[:0], "1"), ["at least one input"]),
        (lambda: nearest_neighbors(IMAGE, IMAGE), ["(N, D)", "(1, 1, 2, 2)"]),
        (lambda: nearest_neighbors(torch.rand(2, 3), torch.rand(2, 3)), ["1 to 2", "got 5"]),
    ],
)
def test_mistakes_are_named(call, words):
    with pytest.raises(ValueError, match=r".") as error:
        call()
    assert not [word for word in words if word not in str(error.value)], str(error.value)

"""What must hold for any classifier, as functions that the tests of each family call."""

import warnings

import pytest
import torch
import torch.nn.functional as F
from reference import fill
from torch.utils.flop_counter import FlopCounterMode


def images_for(shape, batch=2, seed=0):
    return torch.rand(batch, *shape, generator=torch.Generator().manual_seed(seed))


def counts(build, shape):
    """(parameters, MACs of one image by PyTorch's own counter), on the meta device."""
    with torch.device("meta"), torch.no_grad():
        net = build().eval()
        with FlopCounterMode(display=False) as counter:
            net(torch.empty(1, *shape))
    return sum(p.numel() for p in net.parameters()), counter.get_total_flops() / 2


def cross_entropy(net, images, labels):
    return F.cross_entropy(net(images), labels)


def assert_every_parameter_learns(net, shape, loss=cross_entropy):
    """A gradient reaches every parameter, and is not zero once initial zeros are overwritten."""
    fill(net).train()
    loss(net, images_for(shape, 4), torch.arange(4) % 2).backward()
    silent = [n for n, p in net.named_parameters() if p.grad is None or not p.grad.abs().max() > 0]
    assert not silent


def assert_fits_one_batch(build, shape, loss=cross_entropy, steps=25, lr=5e-3):
    """A few steps on eight random images with random labels, and all are known by heart."""
    torch.manual_seed(0)
    net = build().train()
    images, labels = images_for(shape, 8), torch.arange(8) % 4
    optimizer = torch.optim.Adam(net.parameters(), lr=lr)
    losses = []
    for _ in range(steps):
        value = loss(net, images, labels)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        losses.append(value.item())
    assert losses[-1] < 0.2 * losses[0], losses
    assert (net(images).argmax(1) == labels).all()


def assert_evaluation_is_deterministic(net, shape):
    """In evaluation an image gives the same bits twice, and the same values in any batch."""
    fill(net).eval()
    images = images_for(shape, 3)
    with torch.no_grad():
        first = net(images)
        assert torch.equal(first, net(images))
        torch.testing.assert_close(net(images[:1]), first[:1], rtol=1e-4, atol=1e-4)
    assert first.std() > 0  # the answer isn't a constant


def assert_exports_and_traces(net, shape):
    """`torch.export` and `torch.jit.trace` take the network, and what they make gives the same."""
    fill(net).eval()
    images = images_for(shape, 2)
    with torch.no_grad():
        expected = net(images)
        exported = torch.export.export(net, (images,)).module()(images)
        with warnings.catch_warnings():
            # Checks of the input's shape are settled while tracing; tracing itself is deprecated.
            warnings.simplefilter("ignore")
            traced = torch.jit.trace(net, images, check_trace=False)(images)
    torch.testing.assert_close(exported, expected)
    torch.testing.assert_close(traced, expected)


def words_missing(error, words):
    return [word for word in words if word not in str(error.value)]


# What every test of a family calls at once ----------------------------------------------------


def answers_for_every_class(build, shape, loss):
    assert build().eval()(images_for(shape, 3)).shape == (3, 4)


def gradients_reach_every_parameter(build, shape, loss):
    assert_every_parameter_learns(build(), shape, loss)


def one_batch_can_be_learned_by_heart(build, shape, loss):
    assert_fits_one_batch(build, shape, loss)


def evaluation_is_deterministic(build, shape, loss):
    assert_evaluation_is_deterministic(build(), shape)


def exports(build, shape, loss):
    assert_exports_and_traces(build(), shape)


def the_random_numbers_alone_decide_the_initial_weights(build, shape, loss):
    torch.manual_seed(3)
    first = build().state_dict()
    torch.manual_seed(3)
    second = build().state_dict()
    assert all(torch.equal(first[key], second[key]) for key in first)


PROPERTIES = [
    answers_for_every_class,
    gradients_reach_every_parameter,
    one_batch_can_be_learned_by_heart,
    evaluation_is_deterministic,
    exports,
    the_random_numbers_alone_decide_the_initial_weights,
]


def every_property(nets, losses=None):
    """A test that looks at every property of every network.

    Args:
        nets: {name: (how to build it for 4 classes, shape of its images)}.
        losses: {name: function of (net, images, labels)}, where it is not the cross-entropy.
    """
    cases = [
        pytest.param(check, *nets[name], (losses or {}).get(name, cross_entropy),
                     id=f"{name}-{check.__name__}")
        for name in nets
        for check in PROPERTIES
    ]  # fmt: skip

    @pytest.mark.parametrize(("check", "build", "shape", "loss"), cases)
    def test(check, build, shape, loss):
        check(build, shape, loss)

    return test

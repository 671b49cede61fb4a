"""What must hold for any classifier, as functions that the tests of each family call."""

import warnings

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

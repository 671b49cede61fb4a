"""Capsules against plain loops in NumPy, and the properties that their paper promises."""

import numpy as np
import pytest
import torch
from reference import fill, pictures

from dlcourse.nets.capsule import CapsNet, margin_loss, route, squash


def squash_by_hand(s):
    square = sum(x * x for x in s)
    return square / (1 + square) * s / np.sqrt(square)


def route_by_hand(predictions, iterations):
    """Procedure 1 of Sabour et al. (2017) for one image: (K, N, D) -> (K, D), (N, K)."""
    classes, lower, size = predictions.shape
    b = np.zeros((lower, classes))
    for _ in range(iterations):
        c = np.array([np.exp(row) / np.exp(row).sum() for row in b])
        v = np.zeros((classes, size))
        for j in range(classes):
            s = np.zeros(size)
            for i in range(lower):
                s += c[i, j] * predictions[j, i]
            v[j] = squash_by_hand(s)
        for i in range(lower):
            for j in range(classes):
                b[i, j] += predictions[j, i] @ v[j]
    return v, c


@pytest.mark.parametrize("iterations", [1, 2, 3, 5])
def test_routing_equals_plain_loops(iterations):
    predictions = np.random.default_rng(0).normal(size=(2, 4, 6, 3))
    capsules, coefficients = route(
        torch.tensor(predictions), iterations, return_coefficients=True
    )  # fmt: skip
    for image in range(2):
        v, c = route_by_hand(predictions[image], iterations)
        np.testing.assert_allclose(capsules[image], v, rtol=1e-9)
        np.testing.assert_allclose(coefficients[image], c.T, rtol=1e-9)


def test_coefficients_sum_to_one():
    net = fill(CapsNet(4, width=8, primary=4))
    _, coefficients = net.capsules(pictures(28, 1, 3), return_coefficients=True)
    assert coefficients.shape == (3, 4, 4 * 6 * 6)
    torch.testing.assert_close(coefficients.sum(1), torch.ones(3, 144))
    assert coefficients.std() > 0  # routing has made a difference


def test_routing_favors_agreement():
    """Nine of ten capsules agree on the first class; on the second they cancel out."""
    agreed = torch.tensor([[1.0, 0.0]]).repeat(10, 1)
    scattered = torch.tensor([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0], [0.0, 0.0]])
    predictions = torch.stack([agreed, scattered.repeat(2, 1)])[None]
    before, after = route(predictions, 1), route(predictions, 3)
    assert after[0, 0].norm() > before[0, 0].norm()
    _, coefficients = route(predictions, 3, return_coefficients=True)
    assert (coefficients[0, 0] > coefficients[0, 1]).all()


def test_squash_keeps_the_direction_and_bounds_the_length():
    s = torch.randn(50, 6, generator=torch.Generator().manual_seed(0)).double()
    s = s * torch.logspace(-3, 3, 50)[:, None]
    v = squash(s)
    lengths = v.norm(dim=1)
    assert (lengths < 1).all()
    assert (lengths.diff()[s.norm(dim=1).diff() > 0] > 0).all()  # longer stays longer
    torch.testing.assert_close(v / lengths[:, None], s / s.norm(dim=1, keepdim=True))
    for one, expected in zip(v, s, strict=True):
        np.testing.assert_allclose(one, squash_by_hand(expected.numpy()), rtol=1e-5)


def test_squash_of_nothing_has_a_gradient():
    s = torch.zeros(2, 3, requires_grad=True)
    squash(s).sum().backward()
    assert not squash(s).any()
    assert s.grad.isfinite().all()


def test_margin_loss():
    """Equation 4, by hand: the right class 0.9 - 0.6 too short, a wrong one 0.5 - 0.1 too long."""
    lengths = torch.tensor([[0.6, 0.5, 0.05], [0.95, 0.1, 0.0]])
    expected = (0.3**2 + 0.5 * 0.4**2) / 2
    assert margin_loss(lengths, torch.tensor([0, 0])).item() == pytest.approx(expected)


def predictions_by_hand(net, pose):
    """One matrix for each pair of capsules: pose (B, N, 8) -> (B, K, N, D)."""
    weight = net.weight.detach().numpy()
    result = np.zeros((len(pose), weight.shape[1], weight.shape[0], weight.shape[2]))
    for image in range(len(pose)):
        for i in range(weight.shape[0]):
            for j in range(weight.shape[1]):
                result[image, j, i] = weight[i, j] @ pose[image, i]
    return result


def test_network_equals_plain_loops():
    net = fill(CapsNet(3, width=6, primary=2, primary_size=4, class_size=5)).double()
    images = pictures(28, 1, 2).double()
    with torch.no_grad():
        maps = net.conv2(net.conv1(images).relu()).numpy()  # (B, 2 * 4, 6, 6)
        pose = np.array([
            [squash_by_hand(image[4 * c : 4 * c + 4, y, x])
             for c in range(2) for y in range(6) for x in range(6)]
            for image in maps
        ])  # fmt: skip
        expected = [route_by_hand(p, 3)[0] for p in predictions_by_hand(net, pose)]
        np.testing.assert_allclose(net.capsules(images), expected, rtol=1e-6)
        lengths = np.linalg.norm(expected, axis=2)
        np.testing.assert_allclose(net(images), lengths, rtol=1e-6)


def test_reconstruction_sees_one_capsule_only():
    net = fill(CapsNet(4, width=8, primary=2))
    with torch.no_grad():
        capsules = net.capsules(pictures(28, 1, 3))
        classes = torch.tensor([2, 0, 1])
        image = net.reconstruct(capsules, classes)
        assert image.shape == (3, 1, 28, 28)
        assert (image >= 0).all()
        assert (image <= 1).all()
        alone = torch.zeros_like(capsules)
        alone[torch.arange(3), classes] = capsules[torch.arange(3), classes]
        assert torch.equal(image, net.reconstruct(alone, classes))
        assert not torch.equal(image, net.reconstruct(capsules, torch.tensor([1, 1, 0])))
        longest = capsules.norm(dim=2).argmax(1)
        assert torch.equal(net.reconstruct(capsules), net.reconstruct(capsules, longest))


def test_loss_is_margin_and_a_little_of_the_reconstruction():
    net = fill(CapsNet(4, width=8, primary=2))
    images, targets = pictures(28, 1, 3), torch.tensor([0, 3, 1])
    with torch.no_grad():
        drawn = net.reconstruct(net.capsules(images), targets).numpy()
        errors = [((a - b) ** 2).sum() for a, b in zip(drawn, images.numpy(), strict=True)]
        expected = margin_loss(net(images), targets).item() + 0.0005 * np.mean(errors)
        assert net.loss(images, targets).item() == pytest.approx(expected, rel=1e-5)
        bare = CapsNet(4, width=8, primary=2, decoder=())
        bare.load_state_dict(net.state_dict(), strict=False)
        margin = margin_loss(net(images), targets)
        torch.testing.assert_close(bare.loss(images, targets), margin)

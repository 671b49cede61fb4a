"""Layers, initial weights and losses against PyTorch."""

import numpy as np
import pytest
import torch

from dlcourse.autograd import Tensor, check_gradient, init, losses, nn


def mlp(rng=0):
    rng = np.random.default_rng(rng)
    return nn.Sequential(
        nn.Flatten(), nn.Linear(12, 5, rng=rng), nn.Tanh(), nn.Linear(5, 3, bias=False, rng=rng)
    )


def torch_mlp():
    return torch.nn.Sequential(
        torch.nn.Flatten(), torch.nn.Linear(12, 5), torch.nn.Tanh(),
        torch.nn.Linear(5, 3, bias=False),
    ).double()  # fmt: skip


def double(model):
    for parameter in model.parameters():
        parameter.data = parameter.data.astype(np.float64)
    return model


def test_weights_from_torch_give_its_outputs_and_gradients():
    theirs, ours = torch_mlp(), double(mlp())
    ours.load_state_dict(theirs.state_dict())
    x = np.random.default_rng(1).standard_normal((4, 3, 4))
    targets = np.array([0, 2, 1, 2])

    losses.cross_entropy(ours(Tensor(x)), targets).backward()
    loss = torch.nn.functional.cross_entropy(theirs(torch.tensor(x)), torch.tensor(targets))
    loss.backward()
    for name, parameter in ours.named_parameters():
        expected = theirs.get_parameter(name).grad.numpy()
        np.testing.assert_allclose(parameter.grad, expected, rtol=1e-10, atol=1e-14)


def test_our_weights_fit_torch():
    state = {name: torch.tensor(value) for name, value in mlp().state_dict().items()}
    torch_mlp().load_state_dict(state)  # strict


def test_state_dict_is_a_copy():
    model = mlp()
    state = model.state_dict()
    model.parameters()[0].data += 1
    assert not np.array_equal(state["1.weight"], model.parameters()[0].data)


def test_wrong_state_is_refused_whole():
    model = mlp()
    before = model.state_dict()
    broken = {name: value + 1 for name, value in before.items()}
    with pytest.raises(ValueError, match=r"missing \['3.weight'\], unexpected \['4.weight'\]"):
        model.load_state_dict({k.replace("3.", "4."): v for k, v in broken.items()})
    broken["3.weight"] = np.ones((2, 2))
    with pytest.raises(ValueError, match=r"3.weight has shape \(3, 5\), got \(2, 2\)"):
        model.load_state_dict(broken)
    for name, value in model.state_dict().items():
        np.testing.assert_array_equal(value, before[name])


def test_train_and_eval_reach_every_layer():
    model = mlp()
    assert not any(child.training for _, child in model.eval().children())
    assert all(child.training for _, child in model.train().children())


def test_same_seed_same_weights():
    a, b, c = mlp(0), mlp(0), mlp(1)
    assert np.array_equal(a.parameters()[0].data, b.parameters()[0].data)
    assert not np.array_equal(a.parameters()[0].data, c.parameters()[0].data)
    assert not np.array_equal(a.parameters()[0].data[:3], a.parameters()[2].data[:, :3])


@pytest.mark.parametrize(
    ("draw", "variance"), [(init.he_normal, 2 / 300), (init.glorot_uniform, 2 / (300 + 400))]
)
def test_initial_variance(draw, variance):
    weights = draw((400, 300), rng=0)
    assert weights.dtype == np.float32
    assert abs(weights.var() / variance - 1) < 0.03
    assert abs(weights.mean()) < 3 * np.sqrt(variance / weights.size)


def test_linear_refuses_pictures():
    with pytest.raises(ValueError, match=r"\(B, 64\), got \(2, 1, 8, 8\).*Flatten"):
        nn.Linear(64, 2)(Tensor(np.ones((2, 1, 8, 8))))


def test_module_without_forward():
    class Empty(nn.Module):
        pass

    with pytest.raises(NotImplementedError, match="Empty has no forward"):
        Empty()(1)


def test_activations():
    x = Tensor([[-1.0, 2.0]])
    for layer, reference in [
        (nn.ReLU(), torch.relu), (nn.Tanh(), torch.tanh), (nn.Sigmoid(), torch.sigmoid),
    ]:  # fmt: skip
        np.testing.assert_allclose(layer(x).numpy(), reference(torch.tensor(x.data)), rtol=1e-6)


def test_cross_entropy_equals_torch_and_is_stable():
    logits = np.array([[1000.0, -1000.0, 0.0], [0.3, -0.2, 0.1]])
    targets = np.array([1, 2])
    ours = Tensor(logits, requires_grad=True)
    theirs = torch.tensor(logits, requires_grad=True)
    with np.errstate(over="raise", invalid="raise"):
        loss = losses.cross_entropy(ours, targets)
        loss.backward()
    expected = torch.nn.functional.cross_entropy(theirs, torch.tensor(targets))
    expected.backward()
    assert loss.item() == pytest.approx(expected.item(), rel=1e-12)
    np.testing.assert_allclose(ours.grad, theirs.grad.numpy(), rtol=1e-12, atol=1e-15)


def test_mse_equals_torch():
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((2, 4, 3))
    ours = losses.mse_loss(Tensor(a), Tensor(b)).item()
    assert ours == pytest.approx(
        torch.nn.functional.mse_loss(torch.tensor(a), torch.tensor(b)).item(), rel=1e-12
    )
    assert check_gradient(losses.mse_loss, a, b) < 1e-7


LOGITS = Tensor(np.zeros((2, 3)))


@pytest.mark.parametrize(
    ("run", "error", "words"),
    [
        (lambda: losses.cross_entropy(LOGITS, [0]), ValueError, r"\(2, 3\) and \(1,\)"),
        (lambda: losses.cross_entropy(LOGITS, [0, 3]), ValueError, r"0 .. 2 for 3 classes"),
        (lambda: losses.cross_entropy(LOGITS, [-1, 0]), ValueError, r"got -1 .. 0"),
        (lambda: losses.cross_entropy(LOGITS, [0.0, 1.0]), TypeError, "integer class numbers"),
        (
            lambda: losses.cross_entropy(Tensor(np.zeros((0, 3))), np.zeros(0, int)),
            ValueError,
            "B >= 1",
        ),
        (lambda: losses.mse_loss(LOGITS, np.zeros((3,))), ValueError, r"\(2, 3\).*\(3,\)"),
    ],
)
def test_losses_say_what_is_wrong(run, error, words):
    with pytest.raises(error, match=words):
        run()

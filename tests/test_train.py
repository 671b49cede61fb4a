"""The optimizer, the loop, the metrics and the history."""

import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score

from dlcourse import data
from dlcourse.autograd import Tensor, losses, nn
from dlcourse.metrics import accuracy
from dlcourse.optim import SGD
from dlcourse.train import History, evaluate, fit


def small_net(seed=0):
    rng = np.random.default_rng(seed)
    return nn.Sequential(
        nn.Flatten(), nn.Linear(64, 16, rng=rng), nn.ReLU(), nn.Linear(16, 10, rng=rng)
    )


@pytest.fixture(scope="module")
def parts():
    return data.digits().split()


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_sgd_equals_torch_over_100_steps(momentum):
    rng = np.random.default_rng(0)
    start = rng.standard_normal((4, 3))
    ours = Tensor(start.copy(), requires_grad=True)
    theirs = torch.tensor(start, requires_grad=True)
    mine = SGD([ours], lr=0.05, momentum=momentum)
    reference = torch.optim.SGD([theirs], lr=0.05, momentum=momentum)
    for _ in range(100):
        mine.zero_grad()
        ((ours - 1) ** 2 * 0.5 + (ours * ours * ours) * 0.01).sum().backward()
        mine.step()
        reference.zero_grad()
        ((theirs - 1) ** 2 * 0.5 + theirs**3 * 0.01).sum().backward()
        reference.step()
    np.testing.assert_allclose(ours.data, theirs.detach().numpy(), rtol=1e-10)


def test_sgd_moves_torch_parameters_too():
    layer = torch.nn.Linear(2, 1)
    before = layer.weight.detach().clone()
    layer(torch.ones(1, 2)).sum().backward()
    SGD(layer.parameters(), lr=0.1).step()
    np.testing.assert_allclose(before - layer.weight.detach(), 0.1 * np.ones((1, 2)), rtol=1e-5)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (dict(parameters=[], lr=0.1), "no parameters"),
        (dict(parameters=[1], lr=0), "lr must be positive, got 0"),
        (dict(parameters=[1], lr=float("nan")), "lr must be positive"),
        (dict(parameters=[1], lr=0.1, momentum=1.0), r"momentum must lie in \[0, 1\), got 1.0"),
    ],
)
def test_sgd_says_what_is_wrong(arguments, words):
    with pytest.raises(ValueError, match=words):
        SGD(**arguments)


def test_training_is_reproducible_and_learns(parts):
    train, validation, _ = parts
    results = []
    for _ in range(2):
        net = small_net()
        history = fit(
            net, train, losses.cross_entropy, SGD(net.parameters(), lr=0.1, momentum=0.9),
            epochs=8, validation=validation, seed=3, progress=False,
        )  # fmt: skip
        results.append(history)
    assert results[0].rows == results[1].rows
    assert results[0].columns == [
        "epoch", "loss", "accuracy", "validation_loss", "validation_accuracy",
    ]  # fmt: skip
    assert results[0]["loss"][-1] < 0.2 * results[0]["loss"][0]
    assert results[0][-1]["validation_accuracy"] > 0.93


def test_both_engines_train_alike(parts):
    """Same weights, same order of examples: PyTorch and our engine take the same path."""
    train, _, test = parts
    ours = small_net()
    theirs = torch.nn.Sequential(
        torch.nn.Flatten(), torch.nn.Linear(64, 16), torch.nn.ReLU(), torch.nn.Linear(16, 10)
    )
    state = {name: torch.tensor(value) for name, value in ours.state_dict().items()}
    theirs.load_state_dict(state)
    histories = [
        fit(model, train, loss, SGD(model.parameters(), lr=0.1), epochs=3, progress=False)
        for model, loss in (
            (ours, losses.cross_entropy), (theirs, torch.nn.functional.cross_entropy),
        )
    ]  # fmt: skip
    np.testing.assert_allclose(histories[0]["loss"], histories[1]["loss"], rtol=1e-4)
    measured = evaluate(theirs, test, torch.nn.functional.cross_entropy)
    assert set(measured) == {"loss", "accuracy"}


def test_evaluate_leaves_the_model_as_it_was(parts):
    net = small_net()
    net.eval()
    evaluate(net, parts[2], losses.cross_entropy)
    assert not net.training
    assert all(parameter.grad is None for parameter in net.parameters())


def test_nan_loss_stops_with_the_step(parts):
    net = small_net()
    net.parameters()[0].data[:] = np.nan
    with pytest.raises(FloatingPointError, match="epoch 1, step 1"):
        fit(net, parts[0], losses.cross_entropy, SGD(net.parameters(), lr=0.1), 1, progress=False)


def test_fit_refuses_nothing_to_do(parts):
    net = small_net()
    optimizer = SGD(net.parameters(), lr=0.1)
    with pytest.raises(ValueError, match="got 0 epochs"):
        fit(net, parts[0], losses.cross_entropy, optimizer, 0)
    with pytest.raises(ValueError, match="0 examples"):
        fit(net, parts[0][:0], losses.cross_entropy, optimizer, 1)


def test_history():
    history = History()
    assert repr(history) == "History(empty)"
    with pytest.raises(ValueError, match="nothing was recorded"):
        history.plot()
    history.append({"epoch": 1, "loss": 0.5, "accuracy": 0.8})
    history.append({"epoch": 2, "loss": 0.25, "accuracy": 0.9})
    assert history["loss"].tolist() == [0.5, 0.25]
    assert len(history) == 2
    assert "loss 0.25" in repr(history)
    with pytest.raises(KeyError, match="no column 'los'"):
        history["los"]
    loss_axis, accuracy_axis = history.plot()
    assert loss_axis.lines[0].get_ydata().tolist() == [0.5, 0.25]
    assert accuracy_axis.get_ylabel() == "accuracy"


def test_accuracy_equals_scikit_learn():
    rng = np.random.default_rng(0)
    logits, targets = rng.standard_normal((50, 4)), rng.integers(0, 4, 50)
    expected = accuracy_score(targets, logits.argmax(1))
    assert accuracy(logits, targets) == expected
    assert accuracy(Tensor(logits, requires_grad=True), targets) == expected
    assert accuracy(torch.tensor(logits, requires_grad=True), torch.tensor(targets)) == expected
    with pytest.raises(ValueError, match=r"\(50, 4\) and \(4,\)"):
        accuracy(logits, targets[:4])

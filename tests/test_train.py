"""The loop: both engines alike, stopping, going on where a run was broken off, the history."""

import functools

import numpy as np
import pytest
import torch

from dlcourse import data
from dlcourse.autograd import losses, nn
from dlcourse.metrics import top_k_accuracy
from dlcourse.optim import SGD, Adam, OneCycleLR, StepLR
from dlcourse.train import Checkpoint, EarlyStopping, History, evaluate, fit


def small_net(seed=0):
    rng = np.random.default_rng(seed)
    return nn.Sequential(
        nn.Flatten(), nn.Linear(64, 16, rng=rng), nn.ReLU(), nn.Linear(16, 10, rng=rng)
    )


@pytest.fixture(scope="module")
def parts():
    return data.digits().split()


def test_sgd_moves_torch_parameters_too():
    layer = torch.nn.Linear(2, 1)
    before = layer.weight.detach().clone()
    layer(torch.ones(1, 2)).sum().backward()
    SGD(layer.parameters(), lr=0.1).step()
    np.testing.assert_allclose(before - layer.weight.detach(), 0.1 * np.ones((1, 2)), rtol=1e-5)


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


# Stopping and going on -------------------------------------------------------------------------


def dropout_net(seed=0):
    rng = np.random.default_rng(seed)
    return nn.Sequential(
        nn.Linear(64, 16, rng=rng), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.3, rng=rng),
        nn.Linear(16, 10, rng=rng),
    )  # fmt: skip


def torch_dropout_net():
    torch.manual_seed(0)
    return torch.nn.Sequential(
        torch.nn.Linear(64, 16), torch.nn.BatchNorm1d(16), torch.nn.ReLU(), torch.nn.Dropout(0.3),
        torch.nn.Linear(16, 10),
    )  # fmt: skip


@pytest.fixture(scope="module")
def rows():
    """Digits as rows of 64 numbers."""
    digits = data.digits()
    flat = data.Dataset(digits.inputs.reshape(-1, 64)[:400], digits.targets[:400], digits.classes)
    return flat.split()


@pytest.mark.parametrize("build", [dropout_net, torch_dropout_net])
@pytest.mark.parametrize("optimizer", [Adam, lambda p: SGD(p, 0.1, momentum=0.9)])
def test_a_resumed_run_gives_the_numbers_of_an_unbroken_one(build, optimizer, rows, tmp_path):
    """Weights, dropout, batch statistics, the optimizer's memory and the schedule all go on."""
    path = tmp_path / "run.npz"
    loss = losses.cross_entropy if build is dropout_net else torch.nn.functional.cross_entropy

    def train(epochs, callbacks, **options):
        model = build()
        steps = optimizer(model.parameters())
        schedule = OneCycleLR(steps, 0.02, total_steps=6 * 8)
        history = fit(
            model, rows[0], loss, steps, epochs, rows[1], schedule=schedule, max_norm=1.0,
            callbacks=callbacks, progress=False, **options,
        )  # fmt: skip
        return history, model.state_dict()

    whole, weights = train(6, [EarlyStopping(patience=6)])
    train(3, [EarlyStopping(patience=6), Checkpoint(path)])
    torch.manual_seed(99)  # as in another process
    resumed, resumed_weights = train(6, [EarlyStopping(patience=6)], resume=path)
    assert resumed.rows == whole.rows
    for name, value in weights.items():
        np.testing.assert_array_equal(np.asarray(resumed_weights[name]), np.asarray(value))


class Wandering:
    """A stand-in for a model's measurements: the validation loss follows a script."""

    def __init__(self, script):
        self.script = script

    def __call__(self, run):
        run.history.rows[-1]["validation_loss"] = self.script[run.epoch - 1]
        next(iter(run.model.parameters())).data[...] = run.epoch


@pytest.mark.parametrize("resume", [False, True])
@pytest.mark.parametrize("build", [dropout_net, torch_dropout_net])
def test_early_stopping_restores_the_best_weights(rows, tmp_path, resume, build):
    loss = losses.cross_entropy if build is dropout_net else torch.nn.functional.cross_entropy
    script = [3, 2, 1, 1.5, 1.2, 1.4, 0.1]

    def run(epochs, **options):
        net = build()
        stopping = EarlyStopping(patience=3)
        history = fit(
            net, rows[0], loss, SGD(net.parameters(), 0.01), epochs, rows[1],
            callbacks=[Wandering(script), stopping, Checkpoint(tmp_path / "run.npz")],
            progress=False, **options,
        )  # fmt: skip
        return net, history, stopping

    if resume:
        run(4)
    net, history, stopping = run(7, **({"resume": tmp_path / "run.npz"} if resume else {}))
    assert len(history) == 6
    assert stopping.best_epoch == 3
    assert (next(iter(net.parameters())).data == 3).all()


def test_early_stopping_may_watch_an_accuracy(rows):
    net = dropout_net()
    stopping = EarlyStopping("validation_accuracy", patience=2, larger_is_better=True)
    history = fit(
        net, rows[0], losses.cross_entropy, Adam(net.parameters(), 0.01), 15, rows[1],
        callbacks=[stopping], progress=False,
    )  # fmt: skip
    best = int(np.argmax(history["validation_accuracy"])) + 1
    assert stopping.best_epoch == best
    measured = evaluate(net, rows[1], losses.cross_entropy)
    assert measured["accuracy"] == pytest.approx(history[best - 1]["validation_accuracy"])


def test_checkpoints_are_written_every_so_often_and_whole(rows, tmp_path):
    path = tmp_path / "run.npz"
    written = []
    net = dropout_net()
    fit(
        net, rows[0], losses.cross_entropy, SGD(net.parameters(), 0.01), 5, progress=False,
        callbacks=[Checkpoint(path, every=2), lambda run: written.append(path.exists())],
    )  # fmt: skip
    assert written == [False, True, True, True, True]
    assert [file.name for file in tmp_path.iterdir()] == ["run.npz"]
    other = nn.Sequential(nn.Linear(64, 10))
    with pytest.raises(ValueError, match="missing"):
        fit(
            other, rows[0], losses.cross_entropy, SGD(other.parameters(), 0.01), 5,
            progress=False, resume=path,
        )  # fmt: skip


def test_nan_in_the_middle_names_its_step(rows):
    net, calls = dropout_net(), []

    def loss(predictions, targets):
        calls.append(1)
        return losses.cross_entropy(predictions, targets) * (np.nan if len(calls) == 11 else 1.0)

    with pytest.raises(FloatingPointError, match=r"nan in epoch 2, step 3.*learning rate"):
        fit(net, rows[0], loss, SGD(net.parameters(), 0.01), 3, progress=False)
    assert np.isfinite(net.parameters()[0].data).all()


def test_progress_bar_shows_loss_and_metric(rows, capsys):
    net = dropout_net()
    fit(net, rows[0], losses.cross_entropy, SGD(net.parameters(), 0.01), 2, rows[1])
    shown = capsys.readouterr().err
    assert "2/2" in shown
    for name in ("loss=", "accuracy=", "validation_loss="):
        assert name in shown


def test_fit_trains_a_net_that_was_left_in_evaluation(rows):
    net = dropout_net().eval()
    fit(net, rows[0], losses.cross_entropy, SGD(net.parameters(), 0.01), 1, progress=False)
    assert net.state_dict()["1.num_batches_tracked"] > 0


def test_evaluate_keeps_frozen_layers_frozen(rows):
    for net in (dropout_net(), torch_dropout_net()):
        net[1].eval()
        loss = (
            losses.cross_entropy
            if isinstance(net, nn.Module)
            else torch.nn.functional.cross_entropy
        )
        evaluate(net, rows[1], loss)
        assert net.training
        assert not net[1].training


def test_fit_with_a_metric_without_name_and_with_none(rows):
    net = dropout_net()
    options = dict(epochs=1, progress=False)
    history = fit(
        net, rows[0], losses.cross_entropy, SGD(net.parameters(), 0.01),
        metric=functools.partial(top_k_accuracy, k=3), **options,
    )  # fmt: skip
    assert history.columns == ["epoch", "loss", "metric"]
    history = fit(
        net, rows[0], losses.cross_entropy, SGD(net.parameters(), 0.01), metric=None, **options
    )
    assert history.columns == ["epoch", "loss"]


def test_max_norm_clips_and_schedule_steps(rows):
    net = dropout_net()
    optimizer = SGD(net.parameters(), 1.0)
    schedule = StepLR(optimizer, step_size=4, gamma=0.5)
    before = net.state_dict()
    fit(
        net, rows[0], losses.cross_entropy, optimizer, 1, progress=False, max_norm=1e-6,
        schedule=schedule,
    )  # fmt: skip
    assert optimizer.lr == 0.5 ** (schedule.t // 4)
    assert schedule.t == -(-len(rows[0]) // 32)
    moved = [np.abs(p.data - before[name]).max() for name, p in net.named_parameters()]
    assert 0 < max(moved) < 1e-5

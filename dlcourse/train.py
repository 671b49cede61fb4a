"""The training loop, once for the NumPy engine and for PyTorch."""

import json
from pathlib import Path

import numpy as np

from .metrics import accuracy, as_array
from .optim import clip_grad_norm


def fit(
    model, data, loss, optimizer, epochs, validation=None, batch_size=32, seed=0, *,
    metric=accuracy, schedule=None, max_norm=None, callbacks=(), resume=None, progress=True,
):  # fmt: skip
    """Train `model` on `data` and return what was measured on the way.

    Args:
        model: called with a batch of inputs (B, ...), returns predictions (B, K).
        data: `Dataset` to learn from.
        loss: function of (predictions, targets) that returns a scalar tensor.
        optimizer: has `zero_grad` and `step`, and holds the parameters of the model.
        epochs: how many times to go through the data.
        validation: `Dataset` to measure on after every epoch. Default None.
        batch_size: B. Default 32.
        seed: of the order in which examples are visited. Default 0.
        metric: function of (predictions, targets), or None. Default `accuracy`.
        schedule: its `step` is called after every step of the optimizer. Default None.
        max_norm: gradients are clipped to this joint length. Default None, no clipping.
        callbacks: called as ``callback(run)`` after every epoch: see `EarlyStopping`, `Checkpoint`.
        resume: file that a `Checkpoint` has written, to go on from there. Default None.
        progress: whether to show a progress bar. Default True.

    Returns:
        `History` with one row for each epoch.

    Raises:
        ValueError: if there is nothing to learn from, or an argument is out of range.
        FloatingPointError: if the loss is no longer a number; the message names the step.
    """
    from tqdm.auto import tqdm

    if epochs < 1 or not len(data):
        raise ValueError(
            f"fit: expected at least one epoch and one example, got {epochs} epochs "
            f"and {len(data)} examples"
        )
    if not model.training:
        model.train()  # it was left in eval(), where dropout and batch norm don't learn
    run = Run(model, loss, optimizer, metric, schedule, max_norm, callbacks)
    if resume is not None:
        run.load(resume)
    bar = tqdm(
        range(run.epoch + 1, epochs + 1), initial=run.epoch, total=epochs,
        desc="training", unit="epoch", disable=not progress,
    )  # fmt: skip
    for epoch in bar:
        run.epoch = epoch
        row = {"epoch": epoch, **run.learn_from(data, batch_size, seed)}
        if validation is not None:
            measured = evaluate(model, validation, loss, metric=metric)
            row |= {f"validation_{name}": value for name, value in measured.items()}
        run.history.append(row)
        bar.set_postfix({name: f"{value:.3f}" for name, value in row.items() if name != "epoch"})
        for callback in callbacks:
            callback(run)
        if run.stop:
            break
    for callback in callbacks:
        if hasattr(callback, "finish"):
            callback.finish(run)
    return run.history


class Run:
    """A training run: what callbacks see, and what a checkpoint keeps.

    Attributes:
        model, optimizer, history: as given and as returned by `fit`.
        epoch: number of the current epoch, from 1.
        stop: set it to True to end the run after this epoch.
    """

    def __init__(
        self, model, loss, optimizer, metric=None, schedule=None, max_norm=None, callbacks=()
    ):
        self.model, self.loss, self.optimizer, self.callbacks = model, loss, optimizer, callbacks
        self.metric, self.schedule, self.max_norm = metric, schedule, max_norm
        self.history, self.epoch, self.stop = History(), 0, False

    def learn_from(self, data, batch_size, seed):
        """Go through `data` once; the means over all examples of loss and metric."""
        totals = _Means(self.metric)
        # Each epoch has a seed of its own, so that a resumed run sees the same order.
        order = np.random.default_rng([seed, self.epoch])
        for step, batch in enumerate(data.batches(batch_size, shuffle=True, seed=order), 1):
            inputs, targets = as_tensors_of(self.model, *batch)
            predictions = self.model(inputs)
            loss = self.loss(predictions, targets)
            if not np.isfinite(loss.item()):
                raise FloatingPointError(
                    f"fit: the loss became {loss.item()} in epoch {self.epoch}, step {step}; "
                    "try a smaller learning rate or clip the gradient (max_norm=1)"
                )
            self.optimizer.zero_grad()
            loss.backward()
            if self.max_norm is not None:
                clip_grad_norm(self.model.parameters(), self.max_norm)
            self.optimizer.step()
            if self.schedule is not None:
                self.schedule.step()
            totals.add(len(inputs), loss, predictions, targets)
        return totals.result()

    def save(self, path):
        """Write what is needed to go on: weights, optimizer, schedule, random states, history."""
        state = self.optimizer.state_dict()
        arrays = {f"model/{name}": as_array(v) for name, v in self.model.state_dict().items()}
        for i, memory in enumerate(state["memories"]):
            arrays |= {f"memory/{i}/{name}": as_array(value) for name, value in memory.items()}
        for i, callback in enumerate(self._with_state()):
            arrays |= {f"callback/{i}/{name}": v for name, v in callback.state_dict().items()}
        notes = {
            "epoch": self.epoch,
            "rows": self.history.rows,
            "steps": state["steps"],
            "lr": state["lr"],
            "schedule": self.schedule.t if self.schedule else None,
            "random": {name: rng.bit_generator.state for name, rng in _generators(self.model)},
        }
        arrays["notes"] = np.array(json.dumps(notes))
        if _is_torch(self.model):
            import torch

            arrays["torch_random"] = torch.get_rng_state().numpy()
        path = Path(path)
        beside = path.with_name(path.name + ".part")  # a run that is killed leaves the old file
        with beside.open("wb") as file:
            np.savez(file, **arrays)
        beside.replace(path)

    def _with_state(self):
        return [callback for callback in self.callbacks if hasattr(callback, "state_dict")]

    def load(self, path):
        """Go on from what `save` wrote, as if there had been no break."""
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        notes = json.loads(str(arrays.pop("notes")))
        if _is_torch(self.model):
            import torch

            arrays = {name: torch.as_tensor(value) for name, value in arrays.items()}
            torch.set_rng_state(arrays["torch_random"])
        weights, memories = {}, [{} for _ in self.optimizer.parameters]
        states = {}
        for path, value in arrays.items():
            kind, _, rest = path.partition("/")
            if kind == "model":
                weights[rest] = value
            elif kind == "memory":
                i, name = rest.split("/")
                memories[int(i)][name] = value if value.ndim else value.item()
            elif kind == "callback":
                i, name = rest.split("/", 1)
                states.setdefault(int(i), {})[name] = value
        for i, callback in enumerate(self._with_state()):
            if i in states:  # a run may go on with other callbacks than it began with
                callback.load_state_dict(states[i])
        self.model.load_state_dict(weights)
        self.optimizer.load_state_dict(
            {"steps": notes["steps"], "lr": notes["lr"], "memories": memories}
        )
        if self.schedule is not None:
            self.schedule.t = notes["schedule"]
        for name, rng in _generators(self.model):
            rng.bit_generator.state = notes["random"][name]
        self.history.rows, self.epoch = notes["rows"], notes["epoch"]


class EarlyStopping:
    """Stop when a measurement has not improved for a while, and restore the best weights.

    Args:
        monitor: a column of the history. Default "validation_loss".
        patience: epochs to wait for an improvement. Default 5.
        larger_is_better: for accuracies. Default False.
    """

    def __init__(self, monitor="validation_loss", patience=5, larger_is_better=False):
        self.monitor, self.patience = monitor, patience
        self.sign = -1 if larger_is_better else 1
        self.best, self.best_epoch, self.weights = np.inf, 0, {}

    def __call__(self, run):
        value = self.sign * run.history[self.monitor][-1]
        if value < self.best:
            self.best, self.best_epoch = value, run.epoch
            self.weights = {name: _copy(v) for name, v in run.model.state_dict().items()}
        elif run.epoch - self.best_epoch >= self.patience:
            run.stop = True

    def finish(self, run):
        """Put the best weights back, whether or not the run was stopped."""
        if self.weights:
            run.model.load_state_dict(self.weights)

    def state_dict(self):
        """What a checkpoint keeps, so that a resumed run waits no longer than an unbroken one."""
        weights = {f"weights/{name}": as_array(value) for name, value in self.weights.items()}
        return {"best": np.array(self.best), "best_epoch": np.array(self.best_epoch)} | weights

    def load_state_dict(self, state):
        """Take over what `state_dict` returned."""
        self.best, self.best_epoch = float(state["best"]), int(state["best_epoch"])
        self.weights = {
            path.removeprefix("weights/"): value
            for path, value in state.items()
            if path.startswith("weights/")
        }


class Checkpoint:
    """Write the state of the run to `path` after every `every` epochs, for ``fit(resume=path)``."""

    def __init__(self, path, every=1):
        self.path, self.every = path, every

    def __call__(self, run):
        if run.epoch % self.every == 0:
            run.save(self.path)


def evaluate(model, data, loss, batch_size=256, metric=accuracy):
    """Loss and metric of `model` on `data`, without learning from it.

    Returns:
        ``{"loss": ..., "accuracy": ...}``, means over the examples.
    """
    totals = _Means(metric)
    modes = [(module, module.training) for _, module in model.named_modules()]
    model.eval()
    with _no_grad(model):
        for batch in data.batches(batch_size):
            inputs, targets = as_tensors_of(model, *batch)
            predictions = model(inputs)
            totals.add(len(inputs), loss(predictions, targets), predictions, targets)
    for module, mode in modes:  # one by one: some may be frozen in evaluation
        module.training = mode
    return totals.result()


class _Means:
    """Means of loss and metric over the examples seen."""

    def __init__(self, metric):
        self.metric, self.count, self.totals = metric, 0, {}

    def add(self, examples, loss, predictions, targets):
        values = {"loss": loss.item()}
        if self.metric is not None:
            name = getattr(self.metric, "__name__", "metric")
            values[name] = self.metric(predictions, targets)
        for name, value in values.items():
            self.totals[name] = self.totals.get(name, 0.0) + examples * value
        self.count += examples

    def result(self):
        return {name: float(total) / self.count for name, total in self.totals.items()}


def as_tensors_of(model, inputs, targets):
    """Arrays as what `model` expects: tensors of this engine, or of PyTorch on its device."""
    if _is_torch(model):
        import torch

        device = next((p.device for p in model.parameters()), None)
        return torch.tensor(inputs, device=device), torch.tensor(targets, device=device)
    from .autograd import Tensor

    # Integers are indices, for an embedding, and stay as they are.
    return (inputs if inputs.dtype.kind in "iu" else Tensor(inputs)), targets


def _is_torch(model):
    return any(base.__module__.startswith("torch.") for base in type(model).__mro__)


def _no_grad(model):
    if _is_torch(model):
        import torch

        return torch.no_grad()
    from .autograd import no_grad

    return no_grad()


def _generators(model):
    """(path, generator) of every module that draws random numbers of its own, such as dropout."""
    for path, module in model.named_modules():
        if isinstance(getattr(module, "rng", None), np.random.Generator):
            yield path, module.rng


def _copy(value):
    return value.clone() if hasattr(value, "clone") else np.array(value)


class History:
    """What was measured during training, one row for each epoch.

    ``history["loss"]`` is a column, ``history[-1]`` a row, `plot` draws the curves.
    """

    def __init__(self):
        self.rows = []

    def append(self, row):
        """Add the measurements of one epoch, a dict from name to number."""
        self.rows.append(dict(row))

    @property
    def columns(self):
        """Names of what was measured."""
        return list(self.rows[0]) if self.rows else []

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, key):
        if isinstance(key, int):
            return self.rows[key]
        if key not in self.columns:
            raise KeyError(f"History: no column {key!r}; there are {self.columns}")
        return np.array([row[key] for row in self.rows])

    def plot(self, axes=None):
        """Draw loss and metric over the epochs, training beside validation.

        Args:
            axes: a Matplotlib axis for each. Default: a new figure.

        Returns:
            the axes.

        Raises:
            ValueError: if nothing was recorded yet.
        """
        import matplotlib.pyplot as plt

        if not self.rows:
            raise ValueError("History.plot: nothing was recorded yet; train for an epoch first")
        names = [c for c in self.columns if c != "epoch" and not c.startswith("validation_")]
        if axes is None:
            axes = plt.subplots(1, len(names), figsize=(3.6 * len(names), 2.9), squeeze=False)[1][0]
        for axis, name in zip(axes, names, strict=True):
            for column, label in ((name, "training"), (f"validation_{name}", "validation")):
                if column in self.columns:
                    axis.plot(self["epoch"], self[column], label=label)
            axis.set(xlabel="epoch", ylabel=name)
            axis.legend()
        return axes

    def __repr__(self):
        if not self.rows:
            return "History(empty)"
        last = ", ".join(
            f"{name} {value:.4g}" for name, value in self.rows[-1].items() if name != "epoch"
        )
        return f"History({len(self)} epochs; last: {last})"

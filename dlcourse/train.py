"""The training loop, once for the NumPy engine and for PyTorch."""

import numpy as np

from .metrics import accuracy


def fit(
    model, data, loss, optimizer, epochs, validation=None, batch_size=32, seed=0, progress=True
):
    """Train `model` on `data` and return what was measured on the way.

    Args:
        model: called with a batch of inputs (B, ...), returns logits (B, K).
        data: `Dataset` to learn from.
        loss: function of (logits, targets) that returns a scalar tensor.
        optimizer: has `zero_grad` and `step`, and holds the parameters of the model.
        epochs: how many times to go through the data.
        validation: `Dataset` to measure on after every epoch. Default None.
        batch_size: B. Default 32.
        seed: of the order in which examples are visited. Default 0.
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
    rng = np.random.default_rng(seed)
    history = History()
    bar = tqdm(range(1, epochs + 1), desc="training", unit="epoch", disable=not progress)
    for epoch in bar:
        row = {"epoch": epoch, **_run_epoch(model, data, loss, optimizer, batch_size, rng, epoch)}
        if validation is not None:
            measured = evaluate(model, validation, loss)
            row |= {f"validation_{name}": value for name, value in measured.items()}
        history.append(row)
        bar.set_postfix({name: f"{value:.3f}" for name, value in row.items() if name != "epoch"})
    return history


def _run_epoch(model, data, loss, optimizer, batch_size, rng, epoch):
    """Go through `data` once; the means over all batches of loss and accuracy."""
    totals = np.zeros(2)
    for step, (inputs, targets) in enumerate(data.batches(batch_size, shuffle=True, seed=rng), 1):
        inputs, targets = as_tensors_of(model, inputs, targets)
        logits = model(inputs)
        value = loss(logits, targets)
        if not np.isfinite(value.item()):
            raise FloatingPointError(
                f"fit: the loss became {value.item()} in epoch {epoch}, step {step}; "
                "try a smaller learning rate"
            )
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        totals += len(inputs) * np.array([value.item(), accuracy(logits, targets)])
    return _means(totals, data)


def evaluate(model, data, loss, batch_size=256):
    """Loss and accuracy of `model` on `data`, without learning from it.

    Returns:
        ``{"loss": ..., "accuracy": ...}``, means over the examples.
    """
    totals = np.zeros(2)
    was_training = model.training
    model.eval()
    with _no_grad(model):
        for inputs, targets in data.batches(batch_size):
            inputs, targets = as_tensors_of(model, inputs, targets)
            logits = model(inputs)
            measured = loss(logits, targets).item(), accuracy(logits, targets)
            totals += len(inputs) * np.array(measured)
    model.train(was_training)
    return _means(totals, data)


def _means(totals, data):
    return dict(zip(("loss", "accuracy"), (totals / len(data)).tolist(), strict=True))


def as_tensors_of(model, inputs, targets):
    """Arrays as what `model` expects: tensors of this engine, or of PyTorch."""
    if _is_torch(model):
        import torch

        return torch.tensor(inputs), torch.tensor(targets)
    from .autograd import Tensor

    return Tensor(inputs), targets


def _no_grad(model):
    if _is_torch(model):
        import torch

        return torch.no_grad()
    from .autograd import no_grad

    return no_grad()


def _is_torch(model):
    return any(base.__module__.startswith("torch.") for base in type(model).__mro__)


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
        """Draw loss and accuracy over the epochs, training beside validation.

        Args:
            axes: two Matplotlib axes to draw on. Default: a new figure.

        Returns:
            the two axes.

        Raises:
            ValueError: if nothing was recorded yet.
        """
        import matplotlib.pyplot as plt

        if not self.rows:
            raise ValueError("History.plot: nothing was recorded yet; train for an epoch first")
        if axes is None:
            axes = plt.subplots(1, 2, figsize=(7.2, 2.9))[1]
        for axis, name in zip(axes, ("loss", "accuracy"), strict=True):
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

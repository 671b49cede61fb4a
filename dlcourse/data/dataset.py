"""A data set: inputs, targets and what one should know about them, in one small object."""

from dataclasses import dataclass, replace

import numpy as np

from .arguments import whole


@dataclass(frozen=True, eq=False)
class Dataset:
    """Examples with their targets. Nothing changes it: every method returns a new one.

    Args:
        inputs: (N, ...) float32; images are (N, C, H, W) with values in [0, 1].
        targets: (N,) int64 classes, or (N, ...) float32 values.
        classes: names of the classes, empty for regression.
        name: what to call it in messages.
        source: where it comes from.
        licence: under which terms.
    """

    inputs: np.ndarray
    targets: np.ndarray
    classes: tuple = ()
    name: str = "data set"
    source: str = ""
    licence: str = ""

    # The fields with one row for each example; a subclass may have more of them.
    _ROWS = ("inputs", "targets")

    def __post_init__(self):
        if len(self.inputs) != len(self.targets):
            raise ValueError(
                f"Dataset: {len(self.inputs)} inputs but {len(self.targets)} targets; "
                "there must be one target for each input"
            )
        for field in self._ROWS:
            view = np.asarray(getattr(self, field)).view()  # the caller's array stays writable
            view.flags.writeable = False
            object.__setattr__(self, field, view)
        object.__setattr__(self, "classes", tuple(self.classes))

    def __len__(self):
        return len(self.targets)

    def __getitem__(self, index):
        """(input, target) at an integer; a smaller data set for a slice or an array of indices."""
        if isinstance(index, (int, np.integer)):
            return self.inputs[index], self.targets[index]
        return self.subset(index)

    def __iter__(self):
        return zip(self.inputs, self.targets, strict=True)

    def __repr__(self):
        return (
            f"{type(self).__name__}({self.name}: {len(self)} examples, "
            f"inputs {self.inputs.shape[1:]}, {len(self.classes)} classes)"
        )

    def subset(self, indices):
        """The examples at `indices` (a slice, integers or a mask) as a data set."""
        return replace(self, **{field: getattr(self, field)[indices] for field in self._ROWS})

    def split(self, validation=0.2, test=0.2, seed=0):
        """Three data sets: training, validation and test, with every class in proportion.

        Args:
            validation: share of the examples for validation. Default 0.2.
            test: share of the examples for the test. Default 0.2.
            seed: of the shuffling. Default 0.

        Returns:
            (training, validation, test); together they hold every example exactly once.

        Raises:
            ValueError: if the shares leave nothing to train on.
        """
        if not (validation >= 0 and test >= 0 and validation + test < 1):
            raise ValueError(
                f"split: shares must be >= 0 and sum to less than 1, got validation={validation} "
                f"and test={test}"
            )
        rng = np.random.default_rng(seed)
        one_class_each = self.classes and self.targets.ndim == 1
        groups = self.targets if one_class_each else np.zeros(len(self))
        parts = ([], [], [])
        for group in np.unique(groups):
            members = rng.permutation(np.flatnonzero(groups == group))
            ends = np.round(len(members) * np.cumsum([test, validation])).astype(int)
            for part, indices in zip(parts, np.split(members, ends), strict=True):
                part.append(indices)
        test_part, validation_part, training = (np.sort(np.concatenate(part)) for part in parts)
        return self.subset(training), self.subset(validation_part), self.subset(test_part)

    def batches(self, size, shuffle=False, seed=0):
        """Yield (inputs, targets) in batches; the last may be smaller.

        In order, a batch is a view of the data set, and costs no copy; shuffled, it is a copy.

        Args:
            size: B, examples in a batch.
            shuffle: whether to visit the examples in random order. Default False.
            seed: seed or `numpy.random.Generator` of that order. Default 0.

        Raises:
            TypeError, ValueError: if `size` is not a positive integer.
        """
        whole("batches", size=size)
        order = np.random.default_rng(seed).permutation(len(self)) if shuffle else None
        for start in range(0, len(self), size):
            batch = slice(start, start + size)
            if shuffle:
                batch = order[batch]
            yield self.inputs[batch], self.targets[batch]

    def to_torch(self):
        """The same examples for PyTorch, without a copy where the memory may be shared.

        Shared means: what you write into a tensor, the data set sees. Use ``tensor.clone()`` for
        tensors to write into. Only memory that nobody may write to (a file mapped for reading, a
        bytes object) is copied.

        Returns:
            `torch.utils.data.TensorDataset`, ready for a ``DataLoader``;
            ``inputs, targets = dataset.to_torch().tensors`` takes it apart.
        """
        import torch

        return torch.utils.data.TensorDataset(
            *(torch.from_numpy(_writable(getattr(self, field))) for field in self._ROWS)
        )

    def show(self, count=None, predictions=None):
        """Draw the first examples: pictures in a grid, signals as curves, pairs as a scatter plot.

        Args:
            count: how many. Default: 20 pictures or signals, all points.
            predictions: (N,) classes that a network found; wrong ones are marked. Default None.

        Returns:
            `Picture` with the Matplotlib `figure` and the text `alt` that says what is to be seen.

        Raises:
            ValueError: if there is nothing to draw, or no picture fits the shape of the inputs.
        """
        from .pictures import show

        return show(self, count, predictions)


def _writable(array):
    """A view that PyTorch takes without a warning; a copy where the memory's owner forbids it."""
    view = array.view()
    try:
        view.flags.writeable = True
    except ValueError:
        view = array.copy()
    return view

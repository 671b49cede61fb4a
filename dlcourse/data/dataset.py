"""A data set: inputs, targets and what one should know about them, in one small object."""

from dataclasses import dataclass, replace

import numpy as np


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

    def __post_init__(self):
        if len(self.inputs) != len(self.targets):
            raise ValueError(
                f"Dataset: {len(self.inputs)} inputs but {len(self.targets)} targets; "
                "there must be one target for each input"
            )
        for field in ("inputs", "targets"):
            view = np.asarray(getattr(self, field)).view()  # the caller's array stays writable
            view.flags.writeable = False
            object.__setattr__(self, field, view)

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
            f"Dataset({self.name}: {len(self)} examples, "
            f"inputs {self.inputs.shape[1:]}, {len(self.classes)} classes)"
        )

    def subset(self, indices):
        """The examples at `indices` (a slice, integers or a mask) as a data set."""
        return replace(self, inputs=self.inputs[indices], targets=self.targets[indices])

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
        groups = self.targets if self.classes else np.zeros(len(self))
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

        Args:
            size: B, examples in a batch.
            shuffle: whether to visit the examples in random order. Default False.
            seed: seed or `numpy.random.Generator` of that order. Default 0.

        Raises:
            ValueError: if `size` is not a positive integer.
        """
        if size < 1:
            raise ValueError(f"batches: size must be at least 1, got {size}")
        order = np.random.default_rng(seed).permutation(len(self)) if shuffle else None
        for start in range(0, len(self), size):
            batch = slice(start, start + size)
            if shuffle:
                batch = order[batch]
            yield self.inputs[batch], self.targets[batch]

"""Looking at data before training on them: one call draws the first examples of any data set.

Pictures stand in a grid with their class above, signals are curves, points in the plane are a
scatter plot with one marker for each class, and values over one variable are dots.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..plot import PALETTE
from .arguments import whole

_MARKERS = "os^DvPX*<>"


@dataclass(frozen=True, repr=False)
class Picture:
    """A Matplotlib `figure` with the text `alt` that says what is to be seen in it.

    A notebook shows the figure; the text stands below it, for those who don't see.
    """

    figure: Any
    alt: str

    def __repr__(self):
        return self.alt


def show(dataset, count=None, predictions=None):
    """Draw the first `count` examples of `dataset`: see `Dataset.show`."""
    if not len(dataset):
        raise ValueError(f"show: {dataset.name} has no examples")
    if count is not None:
        whole("show", count=count)
    if predictions is not None and len(predictions) != len(dataset):
        raise ValueError(
            f"show: {len(predictions)} predictions for {len(dataset)} examples; expected one each"
        )
    shape = dataset.inputs.shape[1:]
    if len(shape) == 3 and shape[0] in (1, 3):
        return _grid(dataset, count, predictions, _draw_image)
    if len(shape) == 2 or (len(shape) == 1 and shape[0] > 2):
        return _grid(dataset, count, predictions, _draw_signal)
    if shape == (2,):
        return _scatter(dataset, count)
    if shape == (1,) and dataset.targets[0].size == 1:
        return _dots(dataset, count)
    raise ValueError(
        f"show: no picture for inputs of shape {shape}; expected (1 or 3, H, W), (C, L), (L,), "
        "(2,) or (1,)"
    )


def _grid(dataset, count, predictions, draw):
    import matplotlib.pyplot as plt

    count = min(20 if count is None else count, len(dataset))
    small = draw is _draw_image and dataset.inputs.shape[-1] <= 32
    columns = min(count, 10 if small else 5)
    rows = -(-count // columns)
    width = 7.2 / max(columns, 4)  # of one picture, in inches
    height = width + 0.25 if draw is _draw_image else 1.2
    figure, axes = plt.subplots(
        rows, columns, figsize=(width * columns, height * rows), squeeze=False, layout="constrained"
    )
    for axis in axes.flat:
        axis.axis("off")
    labels = [_label(dataset, i) for i in range(count)]
    wrong = []
    for i, axis in zip(range(count), axes.flat, strict=False):
        draw(axis, dataset, i)
        # The objects of a scene are named at their boxes.
        title, color = "" if hasattr(dataset, "boxes") else labels[i], PALETTE["ink"]
        if predictions is not None and predictions[i] != dataset.targets[i]:
            found = _class_name(dataset, predictions[i])
            title, color = f"✗ {found} ({title})", PALETTE["orange"]
            wrong.append(f"{labels[i]} taken for {found}")
        axis.set_title(title, fontsize=9, loc="center", color=color)
    kind = "pictures" if draw is _draw_image else "signals"
    alt = f"The first {count} {kind} of {dataset.name}"
    alt += f", row by row: {', '.join(labels)}." if any(labels) else "."
    if predictions is not None:
        alt += f" Wrong: {', '.join(wrong)}." if wrong else " All were recognized."
    return Picture(figure, alt)


def _draw_image(axis, dataset, i):
    image = dataset.inputs[i]
    if len(image) == 1:
        axis.imshow(image[0], cmap="gray", vmin=0, vmax=1)
    else:
        axis.imshow(np.clip(image.transpose(1, 2, 0), 0, 1))  # (H, W, C)
    if hasattr(dataset, "boxes"):
        from matplotlib.patches import Rectangle
        from matplotlib.patheffects import withStroke

        dark = [withStroke(linewidth=2.4, foreground="black")]  # to be seen on any ground
        for (x1, y1, x2, y2), label in zip(dataset.boxes(i), dataset.labels(i), strict=True):
            axis.add_patch(
                Rectangle(
                    (x1 - 0.5, y1 - 0.5), x2 - x1, y2 - y1, fill=False, lw=1, edgecolor="white",
                    path_effects=dark,
                )
            )  # fmt: skip
            axis.text(
                x1, y1 - 1, dataset.classes[label], fontsize=6, color="white", path_effects=dark
            )


def _draw_signal(axis, dataset, i):
    signal = np.atleast_2d(dataset.inputs[i])
    colors = [PALETTE[name] for name in ("blue", "orange", "green", "purple")]
    for row, channel in enumerate(signal if len(signal) <= signal.shape[1] else signal.T):
        axis.plot(channel, lw=1.2, color=colors[row % 4], ls=("-", "--", "-.", ":")[row % 4])


def _scatter(dataset, count):
    import matplotlib.pyplot as plt

    figure, axis = plt.subplots(figsize=(3.6, 3.4), layout="constrained")
    points, targets = dataset.inputs[:count], dataset.targets[:count]
    colors = [code for name, code in PALETTE.items() if name != "ink"]
    for k, name in enumerate(dataset.classes):
        axis.scatter(
            *points[targets == k].T, s=14, label=name,
            color=colors[k % len(colors)], marker=_MARKERS[k % len(_MARKERS)],
        )  # fmt: skip
    if not dataset.classes:
        axis.scatter(*points.T, s=14, c=targets.reshape(len(points), -1)[:, 0])
    axis.set(xlabel="x₁", ylabel="x₂", aspect="equal")
    if 0 < len(dataset.classes) <= 6:
        axis.legend(loc="upper right", fontsize=8)
    groups = f" of {len(dataset.classes)} classes" if dataset.classes else ""
    return Picture(figure, f"{len(points)} points of {dataset.name} in the plane,{groups}.")


def _dots(dataset, count):
    import matplotlib.pyplot as plt

    figure, axis = plt.subplots(figsize=(4.6, 2.8), layout="constrained")
    x, y = dataset.inputs[:count, 0], dataset.targets[:count].ravel()
    axis.scatter(x, y, s=16, color=PALETTE["blue"])
    axis.set(xlabel="x", ylabel="target")
    return Picture(
        figure,
        f"{len(x)} examples of {dataset.name}: targets between {y.min():.2g} and {y.max():.2g} "
        f"over inputs between {x.min():.2g} and {x.max():.2g}.",
    )


def _label(dataset, i):
    if hasattr(dataset, "labels"):
        return ", ".join(dataset.classes[k] for k in dataset.labels(i)) or "nothing"
    target = dataset.targets[i]
    if target.ndim:
        return ""
    return _class_name(dataset, target)


def _class_name(dataset, target):
    if dataset.classes:
        return str(dataset.classes[int(target)])
    return f"{target:.3g}"

"""Colored shapes on rough ground, with the answers to every question that one can ask of a picture.

Which shapes are there (classification), where (detection), which pixels belong to which (semantic
and instance segmentation): `Scenes` holds it all. For a network that finds one object, ask for one;
for crowds, allow them to cover each other.
"""

from dataclasses import dataclass

import numpy as np

from .arguments import between, whole
from .dataset import Dataset

CLASSES = ("circle", "square", "triangle", "ring", "cross")


@dataclass(frozen=True, eq=False, repr=False)
class Scenes(Dataset):
    """Pictures with a box, a class and a mask for each object; a `Dataset` in all else.

    Args:
        inputs: (N, 3, H, W) float32 in [0, 1].
        targets: (N, M, 5) float32: for each object its class and its box, then rows of -1 up to the
            largest number M of objects. A box is x1, y1, x2, y2 in pixels from the top left corner:
            the columns x1 .. x2 - 1 and rows y1 .. y2 - 1, as one slices an array.
        instances: (N, H, W) int64, 0 for the ground and i + 1 for pixels of object i.
        classes, name, source, licence: as in `Dataset`.
    """

    instances: np.ndarray = None

    _ROWS = ("inputs", "targets", "instances")

    def __post_init__(self):
        if np.ndim(self.targets) != 3 or np.shape(self.targets)[2] != 5:
            raise ValueError(
                f"Scenes: targets must have shape (N, M, 5), got {np.shape(self.targets)}"
            )
        expected = (len(self.inputs), *self.inputs.shape[2:])
        if np.shape(self.instances) != expected:
            raise ValueError(
                f"Scenes: instances must have shape {expected}, got {np.shape(self.instances)}"
            )
        super().__post_init__()

    def labels(self, i):
        """Classes of the objects in picture `i`: (n,) int64."""
        labels = self.targets[i, :, 0].astype(np.int64)
        return labels[labels >= 0]

    def boxes(self, i):
        """Boxes x1, y1, x2, y2 of the objects in picture `i`: (n, 4) float32, in pixels."""
        return self.targets[i, self.targets[i, :, 0] >= 0, 1:]

    def masks(self, i):
        """Pixels of each object in picture `i`: (n, H, W) bool."""
        numbers = np.arange(1, len(self.labels(i)) + 1)
        return self.instances[i] == numbers[:, None, None]

    def segmentation(self):
        """The class of every pixel as target.

        Returns:
            `Dataset` with targets (N, H, W) int64: 0 is "background", k + 1 the k-th class.
        """
        ground = np.full((len(self), 1), -1)
        labels = np.concatenate([ground, self.targets[:, :, 0].astype(np.int64)], axis=1) + 1
        targets = labels[np.arange(len(self))[:, None, None], self.instances]
        return self._other("segmentation", targets, ("background", *self.classes))

    def presence(self):
        """Which classes are to be seen, any number of them, as target (multi-label).

        Returns:
            `Dataset` with targets (N, K) float32, 1 where a shape of the class is in the picture.
        """
        numbers = np.arange(len(self.classes))
        targets = (self.targets[:, :, :1] == numbers).any(axis=1).astype(np.float32)
        return self._other("presence", targets, self.classes)

    def classification(self):
        """The class of the only object as target.

        Returns:
            `Dataset` with targets (N,) int64.

        Raises:
            ValueError: if a picture doesn't hold exactly one object.
        """
        counts = (self.targets[:, :, 0] >= 0).sum(axis=1)
        if (counts != 1).any():
            raise ValueError(
                f"classification: picture {np.flatnonzero(counts != 1)[0]} holds "
                f"{counts[counts != 1][0]} objects; make them with shapes(n, objects=1), or use "
                "presence()"
            )
        return self._other("classification", self.targets[:, 0, 0].astype(np.int64), self.classes)

    def _other(self, task, targets, classes):
        return Dataset(
            self.inputs, targets, classes, f"{self.name}, {task}", self.source, self.licence
        )


def shapes(
    n=1000, size=64, objects=(1, 3), classes=CLASSES, occlusion=False, texture=0.15, noise=0.03,
    seed=0,
):  # fmt: skip
    """Scenes of colored shapes on textured ground.

    Args:
        n: number of pictures. Default 1000.
        size: H and W in pixels, at least 32. Default 64.
        objects: how many shapes in a picture: one number, or the smallest and the largest.
            Default (1, 3); where shapes must not touch, at most 6.
        classes: some of "circle", "square", "triangle", "ring" and "cross", in any order.
        occlusion: whether later shapes may cover earlier ones; of each, at least a third stays
            visible, and its box encloses what is visible. Default False: shapes keep apart.
        texture: how much the brightness of the ground and of each shape varies. Default 0.15.
        noise: standard deviation of the noise on every pixel and channel. Default 0.03.
        seed: of the random numbers. Default 0.

    Returns:
        `Scenes` with inputs (n, 3, size, size); a shape takes at most 0.4 of the width, less in a
        crowd.

    Raises:
        TypeError, ValueError: if a number is out of range or a class unknown.
    """
    whole("shapes", n=n)
    whole("shapes", 32, size=size)
    between("shapes", 0, 1, texture=texture, noise=noise)
    fewest, most = (objects, objects) if np.ndim(objects) == 0 else (min(objects), max(objects))
    whole("shapes", objects=fewest)
    limit = 12 if occlusion else 6
    if most > limit:
        raise ValueError(
            f"shapes: objects must be one number or (smallest, largest), at most {limit} with "
            f"occlusion={occlusion}, got {objects}"
        )
    unknown = [name for name in classes if name not in CLASSES]
    if unknown or not classes or len(set(classes)) < len(classes):
        raise ValueError(f"shapes: classes must be different ones of {CLASSES}, got {classes}")
    rng = np.random.default_rng(seed)
    images = np.empty((n, 3, size, size), np.float32)
    instances = np.empty((n, size, size), np.int64)
    targets = np.full((n, most, 5), -1, np.float32)
    for i in range(n):
        count = int(rng.integers(fewest, most + 1))
        labels = rng.integers(len(classes), size=count)
        images[i], instances[i], boxes = _scene(
            [classes[k] for k in labels], size, occlusion, texture, noise, rng
        )
        targets[i, :count, 0], targets[i, :count, 1:] = labels, boxes
    return Scenes(
        images, targets, tuple(classes), "shapes",
        source="computed by dlcourse from its seed", licence="MIT", instances=instances,
    )  # fmt: skip


def _scene(names, size, occlusion, texture, noise, rng):
    """One picture (3, H, W), its map of objects (H, W), and their boxes (n, 4)."""
    distances = _arrange(names, size, occlusion, rng)  # (n, H, W), in pixels, negative inside
    owner = np.zeros((size, size), np.int64)
    ground = rng.uniform(0, 1, 3)
    image = ground[:, None, None] * np.ones((3, size, size)) + texture * _texture(size, rng)
    for number, distance in enumerate(distances, 1):
        owner[distance <= 0] = number
        color = _color_apart(ground, rng)[:, None, None] + texture * _texture(size, rng)
        cover = np.clip(0.5 - distance, 0, 1)  # soft edges, one pixel wide
        image = (1 - cover) * image + cover * color
    image += noise * rng.standard_normal(image.shape)
    boxes = [_box(owner == number) for number in range(1, len(names) + 1)]
    return np.clip(image, 0, 1), owner, np.array(boxes)


def _arrange(names, size, occlusion, rng):
    """Distances to the outlines of shapes, drawn until they fit: apart, or each visible enough."""
    for _ in range(100):
        found = []
        for _ in range(200):
            if len(found) == len(names):
                return np.stack(found)
            candidate = _place(names[len(found)], size, len(names), rng)
            if occlusion:
                fits = _visible([*found, candidate])
            else:
                fits = all((np.maximum(candidate, other) > 1).all() for other in found)
            if fits:
                found.append(candidate)
    raise ValueError(
        f"shapes: found no room for {len(names)} shapes in {size} x {size} pixels; "
        "use fewer, or larger pictures"
    )


def _place(name, size, crowd, rng):
    """Distance of every pixel to the outline of a shape of random size, place and angle."""
    largest = min(0.2, 0.35 / np.sqrt(crowd))  # radius in widths of the picture
    radius = size * rng.uniform(largest / 2, largest)
    x, y = rng.uniform(radius + 1, size - radius - 1, 2)
    angle = rng.uniform(0, 2 * np.pi)
    across, down = np.meshgrid(np.arange(size) + 0.5 - x, np.arange(size) + 0.5 - y)
    u = np.cos(angle) * across + np.sin(angle) * down
    v = np.cos(angle) * down - np.sin(angle) * across
    return _DISTANCES[name](u, v, radius)


def _square(u, v, half):
    return np.maximum(np.abs(u), np.abs(v)) - half


def _triangle(u, v, radius):
    sides = [np.cos(a) * u + np.sin(a) * v for a in 2 * np.pi * np.arange(3) / 3]
    return np.maximum.reduce(sides) - radius / 2


def _cross(u, v, radius):
    arm = lambda a, b: np.maximum(np.abs(a) - radius, np.abs(b) - radius / 3)
    return np.minimum(arm(u, v), arm(v, u))


# (u, v) from the center, radius of the circle around the shape -> distance, negative inside.
_DISTANCES = {
    "circle": lambda u, v, radius: np.hypot(u, v) - 0.9 * radius,
    "square": lambda u, v, radius: _square(u, v, radius / np.sqrt(2)),
    "triangle": _triangle,
    "ring": lambda u, v, radius: np.abs(np.hypot(u, v) - 0.75 * radius) - 0.22 * radius,
    "cross": lambda u, v, radius: _cross(u, v, radius * 3 / np.sqrt(10)),
}


def _visible(distances):
    """Whether at least a third of each shape stays visible under those drawn after it."""
    owner = np.zeros(distances[0].shape, int)
    for number, distance in enumerate(distances, 1):
        owner[distance <= 0] = number
    return all(
        (owner == number).sum() >= max(1, (distance <= 0).sum() / 3)
        for number, distance in enumerate(distances, 1)
    )


def _texture(size, rng):
    """Smooth random ups and downs (H, W) of standard deviation about 1: a few coarse waves."""
    y, x = np.mgrid[:size, :size] / size
    waves = 0.0
    for _ in range(4):
        across, down = rng.uniform(-8, 8, 2)
        waves = waves + np.sin(2 * np.pi * (across * x + down * y + rng.uniform()))
    return waves / np.sqrt(2)


def _color_apart(ground, rng):
    """A color that differs from that of the ground by at least 0.45 on average."""
    while True:
        color = rng.uniform(0, 1, 3)
        if np.abs(color - ground).mean() >= 0.45 or np.abs(color - ground).max() >= 0.6:
            return color


def _box(mask):
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return columns[0], rows[0], columns[-1] + 1, rows[-1] + 1

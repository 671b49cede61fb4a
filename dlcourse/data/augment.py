"""Pictures that the network has not seen, made from those it has: training only, never the test.

A digit moved by two pixels is the same digit, a dog seen in a mirror still a dog. Each function
takes a batch of images (B, C, H, W) and returns a new one of the same shape, changed at random for
each image on its own. `Augmented` puts them between a data set and the training loop.
"""

import numpy as np

from .arguments import between, whole


class Augmented:
    """A data set whose batches are changed at random on their way to the network.

    Args:
        dataset: `Dataset` of images.
        steps: functions ``step(images, seed=generator)``, applied in this order; set their options
            with a lambda, or with functools.partial.

    Example:
        ``fit(net, Augmented(train, partial(crop, padding=2), flip), ...)``: each epoch sees other
        pictures, and the same seed the same ones.
    """

    def __init__(self, dataset, *steps):
        for step in steps:
            if not callable(step):
                raise TypeError(
                    f"Augmented: expected functions such as augment.flip, got {step!r}; "
                    "leave out the parentheses"
                )
        self.dataset, self.steps = dataset, steps

    def __len__(self):
        return len(self.dataset)

    def batches(self, size, shuffle=False, seed=0):
        """Yield (inputs, targets) as `Dataset.batches` does, the inputs changed by every step."""
        rng = np.random.default_rng(seed)
        for inputs, targets in self.dataset.batches(size, shuffle, rng):
            for step in self.steps:
                inputs = step(inputs, seed=rng)
            yield inputs, targets


def crop(images, size=None, padding=4, seed=0):
    """Cut a window out of each image, at a random place, after putting a black frame around it.

    Args:
        images: (B, C, H, W).
        size: height and width of the window, or None for those of the images. Default None.
        padding: width of the frame in pixels. Default 4.
        seed: seed or `numpy.random.Generator`. Default 0.

    Returns:
        (B, C, size, size), or (B, C, H, W).

    Raises:
        TypeError, ValueError: if the shape is another, or the window larger than the framed image.
    """
    images = _images("crop", images)
    whole("crop", 0, padding=padding)
    height, width = images.shape[2:] if size is None else (size, size)
    whole("crop", size=height)
    framed = np.pad(images, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    rows, columns = (
        inner - outer + 1 for inner, outer in zip(framed.shape[2:], (height, width), strict=True)
    )
    if rows < 1 or columns < 1:
        raise ValueError(
            f"crop: a window of {height} x {width} doesn't fit into {framed.shape[2]} x "
            f"{framed.shape[3]} pixels (frame included); use a smaller size or more padding"
        )
    rng = np.random.default_rng(seed)
    top, left = rng.integers(rows, size=len(images)), rng.integers(columns, size=len(images))
    windows = np.lib.stride_tricks.sliding_window_view(framed, (height, width), axis=(2, 3))
    return windows[np.arange(len(images)), :, top, left]


def flip(images, probability=0.5, seed=0):
    """Mirror each image left to right, with the given probability.

    Args:
        images: (B, C, H, W).
        probability: between 0 and 1. Default 0.5.
        seed: seed or `numpy.random.Generator`. Default 0.

    Returns:
        (B, C, H, W).

    Raises:
        TypeError, ValueError: if the shape is another or the probability out of range.
    """
    images = _images("flip", images)
    between("flip", 0, 1, probability=probability)
    chosen = np.random.default_rng(seed).random(len(images)) < probability
    return np.where(chosen[:, None, None, None], images[..., ::-1], images)


def rotate(images, degrees=15.0, seed=0):
    """Turn each image around its center by a random angle; what comes from outside is black.

    Args:
        images: (B, C, H, W).
        degrees: the angle lies between -degrees and degrees. Default 15.
        seed: seed or `numpy.random.Generator`. Default 0.

    Returns:
        (B, C, H, W), with values between those of the four pixels around each point.

    Raises:
        TypeError, ValueError: if the shape is another or the angle out of range.
    """
    between("rotate", 0, 180, degrees=degrees)
    return affine(images, degrees, scale=0.0, shear=0.0, shift=0.0, seed=seed)


def affine(images, degrees=10.0, scale=0.1, shear=0.1, shift=2.0, seed=0):
    """Turn, scale, shear and move each image by random amounts; what comes from outside is black.

    Small distortions of this kind tell a net what does not matter about a digit: LeCun et
    al. (1998) made nine of each ten training images with them.

    Args:
        images: (B, C, H, W).
        degrees: of the turn, up to so much either way. Default 10.
        scale: of each axis, by a factor from 1 - scale to 1 + scale, below 1. Default 0.1.
        shear: rows move by up to so many pixels for each row from the center. Default 0.1.
        shift: pixels in each direction. Default 2.
        seed: seed or `numpy.random.Generator`. Default 0.

    Returns:
        (B, C, H, W), with values between those of the four pixels around each point.

    Raises:
        TypeError, ValueError: if the shape is another or an amount out of range.
    """
    images = _images("affine", images)
    between("affine", 0, 180, degrees=degrees)
    between("affine", 0, 0.9, scale=scale)
    between("affine", 0, 10, shear=shear)
    between("affine", 0, max(images.shape[2:]), shift=shift)
    rng = np.random.default_rng(seed)
    count, _, height, width = images.shape
    draw = lambda most: rng.uniform(-most, most, (count, 1, 1))
    angle, sheared, wider, taller, right, down = map(
        draw, (np.deg2rad(degrees), shear, scale, scale, shift, shift)
    )
    y, x = np.mgrid[:height, :width]
    y, x = y - (height - 1) / 2 - down, x - (width - 1) / 2 - right  # (B, H, W), from the center
    # Backward: for each pixel of the result the place in the image that it comes from.
    y, x = np.cos(angle) * y - np.sin(angle) * x, np.sin(angle) * y + np.cos(angle) * x
    y, x = y / (1 + taller), (x - sheared * y) / (1 + wider)
    return bilinear(images, y + (height - 1) / 2, x + (width - 1) / 2)


def cutout(images, size=8, seed=0):
    """Paint a black square at a random place of each image (DeVries and Taylor, 2017).

    The square's center lies anywhere in the image, so that a part of it may fall outside.

    Args:
        images: (B, C, H, W).
        size: side of the square in pixels. Default 8.
        seed: seed or `numpy.random.Generator`. Default 0.

    Returns:
        (B, C, H, W).

    Raises:
        TypeError, ValueError: if the shape is another or the size not positive.
    """
    images = _images("cutout", images)
    whole("cutout", size=size)
    count, _, height, width = images.shape
    rng = np.random.default_rng(seed)
    inside = np.ones((count, height, width), bool)
    for axis, length in ((1, height), (2, width)):
        start = rng.integers(length, size=count) - size // 2
        place = np.arange(length)
        along = (place >= start[:, None]) & (place < start[:, None] + size)
        inside &= np.expand_dims(along, 3 - axis)
    return np.where(inside[:, None], 0, images)


def mixup(images, targets, classes, alpha=0.2, seed=0):
    """Blend each image with another of the batch, and their targets alike (Zhang et al., 2018).

    Args:
        images: (B, C, H, W), or inputs (B, ...) of any shape.
        targets: (B,) integer classes.
        classes: K, number of classes.
        alpha: the share comes from Beta(alpha, alpha); the larger, the more even. Default 0.2.
        seed: seed or `numpy.random.Generator`. Default 0.

    Returns:
        images as given, and targets (B, K) float32, each row the shares of the classes.

    Raises:
        TypeError, ValueError: if sizes don't match, a class is out of range or alpha not positive.
    """
    images, targets = np.asarray(images), np.asarray(targets)
    whole("mixup", classes=classes)
    between("mixup", np.nextafter(0, 1), np.inf, alpha=alpha)
    if targets.shape != images.shape[:1]:
        raise ValueError(
            f"mixup: expected one class for each of {len(images)} images, got targets of shape "
            f"{targets.shape}"
        )
    fits = targets.dtype.kind in "iu" and ((targets >= 0) & (targets < classes)).all()
    if not fits:
        raise ValueError(f"mixup: targets must be integers in 0 .. {classes - 1}, got {targets}")
    rng = np.random.default_rng(seed)
    share = rng.beta(alpha, alpha, len(images)).astype(images.dtype)
    partner = rng.permutation(len(images))
    weights = share.reshape(-1, *[1] * (images.ndim - 1))
    one_hot = np.eye(classes, dtype=np.float32)[targets]
    return (
        weights * images + (1 - weights) * images[partner],
        (share[:, None] * one_hot + (1 - share[:, None]) * one_hot[partner]).astype(np.float32),
    )


def bilinear(images, y, x, outside=0.0):
    """Values of images between their pixels, weighted by the distance to the four around.

    Args:
        images: (B, C, H, W).
        y, x: (B, ...) where to look, in pixels from the center of the first one.
        outside: value beyond the edges. Default 0.

    Returns:
        (B, C, ...) in the precision of `images`.
    """
    batch, channels, height, width = images.shape
    framed = np.pad(images, ((0, 0), (0, 0), (1, 1), (1, 1)), constant_values=outside)
    pixels = np.moveaxis(framed, 1, -1).reshape(-1, channels)  # (B (H + 2) (W + 2), C)
    y, x = y.clip(-1, height), x.clip(-1, width)  # beyond the frame all is as on it
    top = np.minimum(np.floor(y), height - 1).astype(int)
    left = np.minimum(np.floor(x), width - 1).astype(int)
    down, right = ((y - top).astype(images.dtype), (x - left).astype(images.dtype))
    example = np.arange(batch).reshape(-1, *[1] * (y.ndim - 1))
    corner = (example * (height + 2) + top + 1) * (width + 2) + left + 1
    total = 0.0
    for row, row_weight in ((0, 1 - down), (width + 2, down)):
        for column, column_weight in ((0, 1 - right), (1, right)):
            weight = (row_weight * column_weight)[..., None]
            total = total + weight * pixels.take(corner + row + column, axis=0)
    return np.moveaxis(total, -1, 1)


def _images(where, images):
    images = np.asarray(images)
    if images.ndim != 4:
        raise ValueError(
            f"{where}: expected images (B, C, H, W), got shape {images.shape}; "
            "for a single image write image[None]"
        )
    return images

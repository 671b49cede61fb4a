"""Looking into a network: what its layers answer, what its filters look like, where it looks.

Hooks read the activations of any layer while the network runs. Covering parts of an image, or
following the gradient back to the last maps, shows which part of the image the answer hangs on; and
the images nearest to one another in the space of features are those that the network finds alike.
"""

import difflib
from contextlib import contextmanager

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn


def find_module(net, name):
    """The module of `net` with the path `name`, such as "layer4" or "features.0".

    Args:
        net: the network.
        name: path of the module, "" for the network itself.

    Returns:
        the module.

    Raises:
        ValueError: if there is none; the message names similar ones.
    """
    modules = dict(net.named_modules())
    if name not in modules:
        near = difflib.get_close_matches(str(name), modules, 4, 0.4)
        advice = f"did you mean {', '.join(near)}?" if near else f"there are {list(modules)[1:]}"
        raise ValueError(f"{type(net).__name__} has no module {name!r}; {advice}")
    return modules[name]


@contextmanager
def capture(net, *names):
    """Record what modules answer while the network runs, by forward hooks.

    ::

        with capture(net, "layer1", "layer4") as seen:
            net(images)
        seen["layer4"]  # (B, C, H, W)

    What is recorded are copies without a graph: layers that work in place cannot change them, and
    they keep nothing else alive. The hooks are gone when the block is left, by an error too. The
    network stays in the mode it is in.

    Args:
        net: the network.
        *names: paths of modules, as in ``net.named_modules()``.

    Yields:
        dict from name to the module's answer in its last call: a tensor, or a tuple of tensors
        where the module returns several. It is empty until the network has run.

    Raises:
        ValueError: if there is no such module.
    """
    modules = [find_module(net, name) for name in names]
    seen, hooks = {}, []

    def record(name):
        def hook(module, inputs, output):
            seen[name] = _copied(output)

        return hook

    try:
        for name, module in zip(names, modules, strict=True):
            hooks.append(module.register_forward_hook(record(name)))
        yield seen
    finally:
        for hook in hooks:
            hook.remove()


def _copied(output):
    if isinstance(output, torch.Tensor):
        return output.detach().clone()
    return tuple(_copied(part) for part in output)


@contextmanager
def _evaluation(net):
    """Evaluation within the block; afterwards every module is in the mode it was in."""
    modes = [(module, module.training) for module in net.modules()]
    net.eval()
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode


# Filters --------------------------------------------------------------------------------------


def filter_images(weight):
    """Filters as images: each one's values are spread over 0 to 1, with its weight 0 at mid-gray.

    Args:
        weight: (N, C, h, w), of a convolution.

    Returns:
        array of float32 in [0, 1]: (N, h, w, 3) where C is 3, else (N * C, h, w), every channel
        of every filter by itself.

    Raises:
        ValueError: if `weight` has not four axes.
    """
    if weight.ndim != 4:
        raise ValueError(
            f"filter_images: expected weights (N, C, h, w) of a convolution, got "
            f"{tuple(weight.shape)}"
        )
    filters = weight.detach().cpu().float()
    color = filters.shape[1] == 3
    filters = filters.movedim(1, -1) if color else filters.flatten(0, 1)
    largest = filters.abs().flatten(1).amax(1)  # (N,)
    largest = largest.where(largest > 0, 1).view(-1, *(filters.ndim - 1) * [1])
    return (0.5 + 0.5 * filters / largest).numpy()


def show_filters(net, name, count=64, columns=8):
    """Draw the filters of a convolution in a grid (as in Krizhevsky et al. 2012, figure 3).

    Each filter has its own scale: mid-gray is 0, the largest magnitude black or white. Filters on
    three channels are shown in color.

    Args:
        net: the network.
        name: path of a convolution in it, such as "features.0".
        count: how many to draw at most. Default 64.
        columns: of the grid. Default 8.

    Returns:
        `dlcourse.data.pictures.Picture` with the Matplotlib `figure` and the text `alt`.

    Raises:
        ValueError: if there is no such module, or it has no filters to draw.
    """
    import matplotlib.pyplot as plt

    from ..data.pictures import Picture

    weight = getattr(find_module(net, name), "weight", None)
    if weight is None or weight.ndim != 4:
        convolutions = [n for n, m in net.named_modules() if isinstance(m, nn.Conv2d)]
        raise ValueError(
            f"show_filters: {name!r} is no convolution; {type(net).__name__} has {convolutions}"
        )
    if count < 1 or columns < 1:
        raise ValueError(
            f"show_filters: count and columns must be at least 1, got {count} and {columns}"
        )
    images = filter_images(weight)
    drawn = images[:count]
    columns = min(columns, len(drawn))
    rows = -(-len(drawn) // columns)
    figure, axes = plt.subplots(
        rows, columns, figsize=(0.8 * columns, 0.8 * rows), squeeze=False, layout="constrained"
    )
    for axis in axes.flat:
        axis.axis("off")
    for axis, image in zip(axes.flat, drawn, strict=False):
        axis.imshow(image, cmap="gray", vmin=0, vmax=1)
    height, width = weight.shape[2:]
    return Picture(
        figure,
        f"{len(drawn)} of {len(images)} filters of {name}, {height} x {width} weights each, in "
        f"{'color' if images.ndim == 4 else 'gray'}; mid-gray is 0.",
    )


# Where the network looks ----------------------------------------------------------------------


def occlusion(net, images, classes, size=8, stride=4, value=0.5, batch_size=64):
    """How probable the class remains when a gray square covers a part of the image.

    Where the probability falls, the network has looked. The square stays within the image; the
    last one in each direction is moved back to its edge. (Zeiler, Fergus 2014, section 4.2)

    Args:
        net: takes images (B, C, H, W), gives logits (B, K). It is judged in evaluation mode.
        images: (B, C, H, W).
        classes: (B,), whose probability is measured.
        size: side of the square in pixels. Default 8.
        stride: from one square to the next, in pixels. Default 4.
        value: of the pixels of the square. Default 0.5.
        batch_size: how many covered images are judged at once. Default 64.

    Returns:
        (B, rows, columns), the probabilities in [0, 1]; rows is 1 + ceil((H - size) / stride).

    Raises:
        ValueError: if the square does not fit, or there are not as many classes as images.
    """
    if images.ndim != 4 or len(classes) != len(images):
        raise ValueError(
            f"occlusion: expected images (B, C, H, W) and a class for each, got "
            f"{tuple(images.shape)} and {len(classes)} classes"
        )
    height, width = images.shape[2:]
    if not 1 <= size <= min(height, width) or stride < 1:
        raise ValueError(
            f"occlusion: expected a square of 1 to {min(height, width)} pixels and a stride of at "
            f"least 1, got size={size}, stride={stride}"
        )
    rows, columns = (_starts(length, size, stride) for length in (height, width))
    places = [(top, left) for top in rows for left in columns]
    result = images.new_empty(len(images), len(places))
    with _evaluation(net), torch.no_grad():
        for i, (image, k) in enumerate(zip(images, classes, strict=True)):
            for first in range(0, len(places), batch_size):
                chunk = places[first : first + batch_size]
                covered = image.repeat(len(chunk), 1, 1, 1)
                for copy, (top, left) in zip(covered, chunk, strict=True):
                    copy[:, top : top + size, left : left + size] = value
                result[i, first : first + len(chunk)] = net(covered).softmax(1)[:, k]
    return result.view(len(images), len(rows), len(columns))


def _starts(length, size, stride):
    starts = list(range(0, length - size + 1, stride))
    return starts if starts[-1] == length - size else [*starts, length - size]


def grad_cam(net, images, layer, classes=None, upsample=True):
    """Where the maps of a layer speak for a class: Grad-CAM (Selvaraju et al. 2017).

    A map weighs as much as a small rise of it, everywhere alike, would raise the class's logit: the
    mean of the gradient over the map. The weighted sum of all maps, and of it what is positive, is
    the answer. The network is judged in evaluation mode. It may be frozen; its parameters' own
    gradients stay as they are.

    Args:
        net: takes images (B, C, H, W), gives logits (B, K).
        images: (B, C, H, W).
        layer: path of a module that gives maps (B, C, h, w); usually the last convolutional one.
        classes: (B,), to be explained. Default: those that the network finds.
        upsample: whether to enlarge the result to H x W, bilinearly. Default True.

    Returns:
        (B, H, W), or (B, h, w) without enlarging; 0 where nothing speaks for the class.

    Raises:
        ValueError: if there is no such layer, it gives no maps, or the logits do not depend on it.
    """
    module, maps = find_module(net, layer), []

    def restart(module, inputs, output):
        """Begin the graph here: what comes before costs no memory."""
        if not isinstance(output, torch.Tensor) or output.ndim != 4:
            shape = tuple(getattr(output, "shape", ())) or type(output).__name__
            raise ValueError(
                f"grad_cam: {layer!r} gives {shape}; expected maps (B, C, h, w): take a "
                "convolutional layer"
            )
        maps.append(output.detach().requires_grad_())
        return maps[-1].clone()  # the next layer may work in place

    hook = module.register_forward_hook(restart)
    try:
        with _evaluation(net), torch.enable_grad():
            logits = net(images)  # (B, K)
    finally:
        hook.remove()
    if not maps or not logits.requires_grad:
        raise ValueError(f"grad_cam: the logits do not depend on {layer!r}")
    if classes is None:
        classes = logits.argmax(1)
    classes = torch.as_tensor(classes, device=logits.device)
    if classes.shape != (len(images),):
        raise ValueError(
            f"grad_cam: expected a class for each of {len(images)} images, got "
            f"{tuple(classes.shape)}"
        )
    chosen = F.one_hot(classes, logits.shape[1]).to(logits)  # (B, K)
    (gradient,) = torch.autograd.grad(logits, maps[-1], chosen)  # (B, C, h, w)
    weights = gradient.mean((2, 3), keepdim=True)  # (B, C, 1, 1)
    cam = F.relu((weights * maps[-1].detach()).sum(1))  # (B, h, w)
    if not upsample:
        return cam
    return F.interpolate(cam[:, None], images.shape[2:], mode="bilinear")[:, 0]  # (B, H, W)


# Feature space --------------------------------------------------------------------------------


def embed(net, inputs, name, batch_size=64):
    """The features that a module gives for many inputs, in evaluation mode.

    Args:
        net: the network.
        inputs: (N, C, H, W), tensor or array.
        name: path of the module; the layer before the last, for instance.
        batch_size: how many inputs run at once. Default 64.

    Returns:
        (N, D), what the module answers, with all axes but the first flattened.

    Raises:
        ValueError: if there is no such module, or no input.
    """
    inputs = torch.as_tensor(np.array(inputs) if isinstance(inputs, np.ndarray) else inputs)
    if not len(inputs):
        raise ValueError("embed: expected at least one input, got none")
    parts = []
    with _evaluation(net), torch.no_grad(), capture(net, name) as seen:
        for batch in inputs.split(batch_size):
            net(batch)
            parts.append(seen[name].flatten(1))
    return torch.cat(parts)


def nearest_neighbors(features, queries, count=5):
    """Which examples are nearest in the space of features, by Euclidean distance.

    AlexNet's last hidden layer puts images of one thing together that have hardly a pixel in
    common. (Krizhevsky, Sutskever, Hinton 2012, section 6.1)

    Args:
        features: (N, D), of the examples to search.
        queries: (Q, D), of those whose neighbors are sought.
        count: how many neighbors each gets. Default 5.

    Returns:
        indices (Q, count) into `features`, nearest first, equals in order of their index; and
        distances (Q, count).

    Raises:
        ValueError: if the sizes do not fit, or there are fewer than `count` examples.
    """
    if features.ndim != 2 or queries.ndim != 2 or features.shape[1] != queries.shape[1]:
        raise ValueError(
            f"nearest_neighbors: expected (N, D) and (Q, D), got {tuple(features.shape)} and "
            f"{tuple(queries.shape)}; embed both with the same layer"
        )
    if not 1 <= count <= len(features):
        raise ValueError(
            f"nearest_neighbors: expected a count of 1 to {len(features)}, got {count}"
        )
    # Differences, not products: equal features are then exactly 0 apart.
    mode = "donot_use_mm_for_euclid_dist"
    distances = torch.cdist(queries, features, compute_mode=mode)  # (Q, N)
    distances, indices = distances.sort(dim=1, stable=True)
    return indices[:, :count], distances[:, :count]

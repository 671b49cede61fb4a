"""Transfer: a network that has learned one task begins another one with what it knows.

Replace the head that names the classes, freeze the layers below, and train the rest on the few
examples there are; then, perhaps, unfreeze everything and go on with small steps.
"""

import difflib
from dataclasses import is_dataclass, replace

import torch
from torch import nn


def freeze(net, but=()):
    """Exclude the parameters of a network from learning, except those named.

    Frozen parameters get no gradient. The batch norms among the frozen layers keep their running
    means and variances and normalize by them, in training too: else each batch would move what is
    supposed to stand still. A hook sees to that whatever ``net.train()`` says. Dropout goes on as
    usual. Parameters that were frozen before stay so, unless they are named.

    Args:
        net: the network; it is changed.
        but: path or paths of modules or parameters that go on learning, such as "fc" or
            ``heads(net)``. Default: none.

    Returns:
        `net`.

    Raises:
        ValueError: if there is nothing of that name; the message names similar ones.
    """
    free = _checked(net, (but,) if isinstance(but, str) else tuple(but))
    for name, parameter in net.named_parameters():
        parameter.requires_grad_(_within(name, free))
        if not parameter.requires_grad:
            parameter.grad = None  # else an optimizer would go on taking the last step
    for name, module in net.named_modules():
        _thaw(module)
        if _keeps_statistics(module) and not _within(name, free):
            module.register_forward_pre_hook(_stay_in_evaluation)
    return net


def unfreeze(net, only=None):
    """Let parameters learn again, and batch norms follow their batches.

    Args:
        net: the network; it is changed.
        only: path or paths of modules or parameters. Default None: everything.

    Returns:
        `net`.

    Raises:
        ValueError: if there is nothing of that name.
    """
    names = ("",) if only is None else (only,) if isinstance(only, str) else tuple(only)
    names = _checked(net, names)
    for name, parameter in net.named_parameters():
        if _within(name, names):
            parameter.requires_grad_()
    for name, module in net.named_modules():
        if _within(name, names) and _thaw(module):
            module.train(net.training)
    return net


def _stay_in_evaluation(module, inputs):
    if module.training:
        module.eval()


def _thaw(module):
    """Remove the hook of `freeze`; whether there was one."""
    keys = [k for k, hook in module._forward_pre_hooks.items() if hook is _stay_in_evaluation]
    for key in keys:
        del module._forward_pre_hooks[key]
    return bool(keys)


def _keeps_statistics(module):
    return getattr(module, "running_mean", None) is not None


def _checked(net, names):
    known = [name for name, _ in net.named_modules()] + [name for name, _ in net.named_parameters()]
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(str(name), known, 4, 0.4)
            top = [child for child, _ in net.named_children()]
            advice = f"did you mean {', '.join(near)}?" if near else f"there are {top}"
            raise ValueError(f"{type(net).__name__} has no module or parameter {name!r}; {advice}")
    return names


def _within(name, places):
    return any(place in ("", name) or name.startswith(place + ".") for place in places)


# The head -------------------------------------------------------------------------------------


def heads(net):
    """The paths of the layers that name the classes.

    That is the last linear or convolutional layer, and the same of each auxiliary head, a child
    whose name begins with "aux".

    Args:
        net: any network of the catalog, or another one that ends in such a layer.

    Returns:
        tuple of paths, the main head first; for a capsule network that of its last capsules'
        weights and of the layer that redraws the image from them.

    Raises:
        ValueError: if there is no such layer.
    """
    kind = type(net).__name__
    if kind == "CapsNet":
        return ("weight", "decoder.0") if len(net.decoder) else ("weight",)
    names = [name for name, module in net.named_modules() if _is_layer(module)]
    auxiliary = [name for name in names if name.startswith("aux")]
    main = [name for name in names if name not in auxiliary]
    if not main or main[-1] == "":
        raise ValueError(f"{kind} has no linear or convolutional layer within that could be a head")
    last = {name.split(".")[0]: name for name in auxiliary}  # later ones replace earlier ones
    return (main[-1], *last.values())


def replace_head(net, num_classes):
    """Give a network a fresh head for other classes; all other weights stay.

    Auxiliary heads are replaced, too. The new head starts as PyTorch initializes such a layer (the
    capsules as `CapsNet` does), learns, and is where the old one was. An optimizer made before does
    not know it: make it afterwards.

    Args:
        net: any network of the catalog, or another one whose last linear or convolutional layer
            gives the logits; it is changed.
        num_classes: classes, K, from now on.

    Returns:
        `net`.

    Raises:
        ValueError: if `num_classes` is less than 1, or no head is found.
    """
    if num_classes < 1:
        raise ValueError(f"replace_head: expected at least one class, got {num_classes}")
    if type(net).__name__ == "CapsNet":
        return _replace_capsules(net, num_classes)
    for path in heads(net):
        parent, _, name = path.rpartition(".")
        parent = net.get_submodule(parent)
        setattr(parent, name, _fresh(getattr(parent, name), num_classes))
    config = getattr(net, "config", None)
    if is_dataclass(config) and hasattr(config, "num_classes"):  # that of `ViT`
        net.config = replace(config, num_classes=num_classes)
    return net


def _is_layer(module):
    # The distances to fixed codes with which LeNet-5 ended in 1998 are a head as well.
    return isinstance(module, nn.Linear | nn.Conv2d) or type(module).__name__ == "RadialBasis"


def _fresh(old, num_classes):
    """A layer like `old` with other outputs, on its device and in its mode."""
    if type(old).__name__ == "RadialBasis":
        new = nn.Linear(old.codes.shape[1], num_classes).to(old.codes)
    elif isinstance(old, nn.Linear):
        new = nn.Linear(old.in_features, num_classes, old.bias is not None).to(old.weight)
    else:
        new = nn.Conv2d(
            old.in_channels, num_classes, old.kernel_size, old.stride, old.padding, old.dilation,
            bias=old.bias is not None, padding_mode=old.padding_mode,
        ).to(old.weight)  # fmt: skip
    return new.train(old.training)


def _replace_capsules(net, num_classes):
    capsules, _, class_size, primary_size = net.weight.shape
    weight = net.weight.new_empty(capsules, num_classes, class_size, primary_size)
    with torch.no_grad():
        net.weight = nn.Parameter(nn.init.normal_(weight, std=0.1))
    if len(net.decoder):
        old = net.decoder[0]
        new = nn.Linear(num_classes * class_size, old.out_features).to(old.weight)
        net.decoder[0] = new.train(old.training)
    return net

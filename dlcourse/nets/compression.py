"""Making a trained network smaller: drop small weights, store eight bits, teach a smaller network.

Pruning sets the weights of least magnitude to zero and keeps them there. Quantization stores each
weight as an integer from -127 to 127 and multiplies integers. Distillation trains a small network
on the probabilities of a large one. Each costs some accuracy, to be weighed against bytes saved.
"""

import copy
import math

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils import parametrize

# Pruning --------------------------------------------------------------------------------------


class Mask(nn.Module):
    """Zeros for the weights that are pruned; it is applied anew whenever the weight is read.

    A pruned weight gets no gradient, and whatever an optimizer does to it shows nowhere.

    Args:
        kept: bool, in the shape of the weight.
    """

    def __init__(self, kept):
        super().__init__()
        self.register_buffer("kept", kept)

    def forward(self, weight):
        return weight * self.kept


def prune(net, share, scope="global", but=()):
    """Set the weights of least magnitude to zero, now and during all further training.

    It is the weights of linear and convolutional layers that are pruned; biases and norms are few.
    What was pruned stays so: prune in steps, with training between them, and at each step say what
    share shall be zero in all. An optimizer made before goes on working. (Han, Pool, Tran, Dally
    2015, Learning both weights and connections for efficient neural networks)

    Args:
        net: the network; it is changed.
        share: of the weights, from 0 to 1, that shall be zero.
        scope: "global" compares all weights with one another, "layer" takes the same share of each
            layer. Default "global".
        but: path or paths of modules to leave as they are. Default: none.

    Returns:
        `net`.

    Raises:
        ValueError: if `share` or `scope` is another, or there is nothing to prune.
    """
    if not 0 <= share <= 1 or scope not in ("global", "layer"):
        raise ValueError(
            "prune: expected a share from 0 to 1 and the scope 'global' or 'layer', got "
            f"{share} and {scope!r}"
        )
    layers = [m for _, m in _layers(net, but, nn.Linear | nn.Conv1d | nn.Conv2d)]
    if not layers:
        raise ValueError(f"prune: {type(net).__name__} has no linear or convolutional layer left")
    sizes = [layer.weight.detach().abs() for layer in layers]
    if scope == "layer":
        kept = [_largest(size, share) for size in sizes]
    else:
        together = _largest(torch.cat([size.flatten() for size in sizes]), share)
        parts = together.split([size.numel() for size in sizes])
        kept = [part.view_as(size) for part, size in zip(parts, sizes, strict=True)]
    for layer, keep in zip(layers, kept, strict=True):
        mask = _mask_of(layer)
        if mask is None:
            parametrize.register_parametrization(layer, "weight", Mask(keep))
        else:
            mask.kept &= keep
    return net


def _largest(size, share):
    """True for all but the smallest `share`; of equal ones the first are dropped."""
    order = size.flatten().argsort(stable=True)
    kept = torch.ones(size.numel(), dtype=torch.bool, device=size.device)
    kept[order[: round(share * size.numel())]] = False
    return kept.view(size.shape)


def _mask_of(layer):
    if not parametrize.is_parametrized(layer, "weight"):
        return None
    return next((p for p in layer.parametrizations.weight if isinstance(p, Mask)), None)


def _layers(net, but, kinds):
    """(path, module) of the layers of the given kinds that are not in `but`."""
    but = (but,) if isinstance(but, str) else tuple(but)
    known = dict(net.named_modules())
    for name in but:
        if name not in known:
            raise ValueError(f"{type(net).__name__} has no module {name!r}; there are {[*known]}")
    inside = lambda path: any(path == name or path.startswith(name + ".") for name in but)
    return [(path, m) for path, m in known.items() if isinstance(m, kinds) and not inside(path)]


def make_permanent(net):
    """End pruning: zeros become ordinary weights, and the masks are gone.

    Args:
        net: what `prune` has changed; it is changed again.

    Returns:
        `net`, with the keys of its state dict as they were before.
    """
    for layer in net.modules():
        if _mask_of(layer) is not None:
            parametrize.remove_parametrizations(layer, "weight", leave_parametrized=True)
    return net


def sparsity(net):
    """The share of zeros among the weights of linear and convolutional layers, from 0 to 1.

    Args:
        net: the network.

    Returns:
        float.

    Raises:
        ValueError: if there is no such layer.
    """
    weights = [m.weight for _, m in _layers(net, (), nn.Linear | nn.Conv1d | nn.Conv2d)]
    if not weights:
        raise ValueError(f"sparsity: {type(net).__name__} has no linear or convolutional layer")
    zeros = sum((weight == 0).sum().item() for weight in weights)
    return zeros / sum(weight.numel() for weight in weights)


# Eight bits -----------------------------------------------------------------------------------


def to_codes(x, scale):
    """The integers from -127 to 127 nearest to x / scale, as int8."""
    return (x / scale).round().clamp(-127, 127).to(torch.int8)


def _scale(largest):
    """Steps between codes so that `largest` becomes 127; 1 where everything is 0."""
    return torch.where(largest > 0, largest / 127, 1.0)


class Int8Layer(nn.Module):
    """What `Int8Linear` and `Int8Conv2d` share: weights and inputs are multiplied as integers.

    The sums are exact, in 32 bits; then they are scaled back. Each output has a scale of its own
    for its weights. The input's scale is fixed if calibrated, else computed from each example.

    Args:
        layer: a `torch.nn.Linear` or `torch.nn.Conv2d`.
        largest: the largest magnitude to expect in the input; larger ones are cut off. Default
            None: found anew for each example.
    """

    axes = ()  # of the input, that one scale is for if it is computed from each example

    def __init__(self, layer, largest=None):
        super().__init__()
        weight = layer.weight.detach()  # (outputs, ...)
        scale = _scale(weight.abs().flatten(1).amax(1))  # (outputs,)
        codes = to_codes(weight.flatten(1), scale[:, None])
        self.register_buffer("weight", codes)  # (outputs, inputs)
        self.register_buffer("scale", scale)
        self.register_buffer("bias", None if layer.bias is None else layer.bias.detach().clone())
        self.register_buffer("input_scale", None if largest is None else _scale(largest))

    def product(self, codes, scale):
        """(rows, inputs) of int8, with their scale, times the weights: (rows, outputs) of float."""
        sums = torch._int_mm(codes, self.weight.t())  # (rows, outputs), int32
        result = sums * (scale * self.scale)
        return result if self.bias is None else result + self.bias

    def codes(self, x):
        """Codes of x, and their scale: a scalar, or with the axes of x."""
        scale = self.input_scale
        if scale is None:
            scale = _scale(x.abs().amax(self.axes, keepdim=True))
        return to_codes(x, scale), scale


class Int8Linear(Int8Layer):
    """A linear layer with weights and inputs of eight bits; see `Int8Layer`."""

    axes = (-1,)

    def forward(self, x):
        codes, scale = self.codes(x)  # (..., inputs), (..., 1)
        scale = scale if scale.ndim == 0 else scale.reshape(-1, 1)
        result = self.product(codes.reshape(-1, x.shape[-1]), scale)
        return result.view(*x.shape[:-1], -1)  # (..., outputs)


class Int8Conv2d(Int8Layer):
    """A convolution with weights and inputs of eight bits; see `Int8Layer`."""

    axes = (1, 2, 3)

    def __init__(self, layer, largest=None):
        super().__init__(layer, largest)
        self.kernel_size, self.stride = layer.kernel_size, layer.stride
        self.dilation, self.padding = layer.dilation, layer.padding

    def forward(self, x):
        codes, scale = self.codes(x)  # (B, C, H, W), (B, 1, 1, 1)
        down, right = self.padding
        columns = F.pad(codes, (right, right, down, down))
        for axis in (2, 3):  # a window for each place, then every d-th pixel of it
            k, s, d = (o[axis - 2] for o in (self.kernel_size, self.stride, self.dilation))
            columns = columns.unfold(axis, d * (k - 1) + 1, s)[..., ::d]
        columns = columns.permute(0, 2, 3, 1, 4, 5)  # (B, H', W', C, kh, kw)
        places = columns.shape[:3]
        columns = columns.reshape(places.numel(), -1)
        if scale.ndim:
            scale = scale.view(-1, 1).repeat_interleave(places[1:].numel(), 0)  # (B H' W', 1)
        result = self.product(columns, scale)  # (B H' W', outputs)
        return result.view(*places, -1).permute(0, 3, 1, 2)  # (B, outputs, H', W')


def quantize(net, calibration=None, but=()):
    """A copy of a network whose linear and convolutional layers work with integers of eight bits.

    Large matrix products become several times faster. Convolutions must first be copied out into
    columns, which takes what the integers save. The integer product is that of ``torch._int_mm``;
    PyTorch's older tool, ``torch.ao.quantization``, is deprecated.

    The result can't be trained. Convolutions in groups, with other padding than zeros, and what is
    built from others (attention) stay as they are. Codes are symmetric around zero. (Jacob et al.
    2018, Quantization and training of neural networks for efficient integer-arithmetic-only
    inference; theirs have a zero point besides)

    Args:
        net: a trained network on the CPU; it is not changed.
        calibration: inputs (N, ...), or an iterable of such batches, on which the largest magnitude
            in the input of each layer is measured: static quantization. Default None: it is
            measured again for each example, which is dynamic quantization.
        but: path or paths of modules to leave in floating point, the first layer and the head for
            instance. Default: none.

    Returns:
        the new network, in evaluation mode.

    Raises:
        ValueError: if there is nothing to quantize, or a layer saw nothing in calibration.
    """
    net = make_permanent(copy.deepcopy(net)).eval()
    layers = [(path, m) for path, m in _layers(net, but, nn.Linear | nn.Conv2d) if _takes(m)]
    if not layers:
        raise ValueError(f"quantize: {type(net).__name__} has no layer that can be quantized")
    largest = {}
    if calibration is not None:
        largest = _largest_inputs(net, layers, calibration)
    for path, layer in layers:
        if calibration is not None and path not in largest:
            raise ValueError(
                f"quantize: calibration never reached {path!r}; name it in but=, or give inputs"
            )
        parent, _, name = path.rpartition(".")
        kind = Int8Linear if isinstance(layer, nn.Linear) else Int8Conv2d
        new = kind(layer, largest.get(path)).eval()
        if not path:
            return new
        setattr(net.get_submodule(parent), name, new)
    return net


def _takes(module):
    """Whether there is an integer layer for it; subclasses may do something else with weights."""
    if type(module) is nn.Conv2d:
        plain = module.padding_mode == "zeros" and not isinstance(module.padding, str)
        return module.groups == 1 and plain
    return type(module) is nn.Linear


def _largest_inputs(net, layers, calibration):
    largest, hooks = {}, []

    def watch(path):
        def hook(module, inputs):
            found = inputs[0].detach().abs().amax()
            largest[path] = torch.maximum(largest.get(path, found), found)

        return hook

    batches = [calibration] if isinstance(calibration, torch.Tensor) else calibration
    try:
        for path, layer in layers:
            hooks.append(layer.register_forward_pre_hook(watch(path)))
        with torch.no_grad():
            for batch in batches:
                net(batch)
    finally:
        for hook in hooks:
            hook.remove()
    return largest


# Distillation and size ------------------------------------------------------------------------


def distillation_loss(student, teacher, targets, temperature=4.0, soft=0.9):
    """How far a student is from its teacher's probabilities and from the right classes.

    A high temperature flattens both distributions, so that the teacher's opinion of the wrong
    classes counts, too. The Kullback-Leibler divergence of teacher and student is multiplied by the
    squared temperature, which keeps its gradient as large as that of the cross-entropy.
    (Hinton, Vinyals, Dean 2015, Distilling the knowledge in a neural network)

    Args:
        student: logits (B, K).
        teacher: logits (B, K); no gradient flows into them.
        targets: (B,), classes.
        temperature: by which logits are divided. Default 4.
        soft: weight of the teacher, from 0 to 1; that of the targets is 1 - soft. Default 0.9.

    Returns:
        scalar tensor, the mean over the batch.

    Raises:
        ValueError: if the shapes differ, or a number is out of range.
    """
    if student.shape != teacher.shape or student.ndim != 2:
        raise ValueError(
            f"distillation_loss: expected two times logits (B, K), got {tuple(student.shape)} and "
            f"{tuple(teacher.shape)}"
        )
    if temperature <= 0 or not 0 <= soft <= 1:
        raise ValueError(
            f"distillation_loss: expected a positive temperature and soft from 0 to 1, got "
            f"{temperature} and {soft}"
        )
    log_q = F.log_softmax(student / temperature, 1)
    log_p = F.log_softmax(teacher.detach() / temperature, 1)
    divergence = F.kl_div(log_q, log_p, reduction="batchmean", log_target=True)
    return soft * temperature**2 * divergence + (1 - soft) * F.cross_entropy(student, targets)


def size_in_bytes(net, sparse=False):
    """How many bytes the parameters and buffers of a network take.

    Masks of pruning are not counted: they are gone after `make_permanent`.

    Args:
        net: the network.
        sparse: whether to count a tensor as its values other than zero and one bit for each
            place, wherever that is less. Default False.

    Returns:
        int; tensors that share their memory count once.
    """
    total, seen = 0, set()
    for tensor in list(_tensors(net)):  # all alive, so that no address comes twice
        memory = (tensor.untyped_storage()._cdata, tensor.storage_offset(), tensor.shape)
        if memory in seen:
            continue
        seen.add(memory)
        size = tensor.numel() * tensor.element_size()
        if sparse:
            values = int(tensor.count_nonzero()) * tensor.element_size()
            size = min(size, values + math.ceil(tensor.numel() / 8))
        total += size
    return total


def _tensors(net):
    """Parameters and buffers as they act, that is, pruned."""
    hidden = {id(m) for layer in net.modules() if _mask_of(layer) is not None
              for m in layer.parametrizations.modules()}  # fmt: skip
    for module in net.modules():
        if id(module) not in hidden:
            yield from module.parameters(recurse=False)
            yield from module.buffers(recurse=False)
            if _mask_of(module) is not None:
                yield module.weight

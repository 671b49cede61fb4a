"""What every operation of a network costs, found by running the network without numbers.

On PyTorch's meta device a tensor has a shape but no memory. The network is copied there without its
weights and run once; each elementary operation is booked on the layer that is at work.
"""

import copy
import math
from dataclasses import dataclass, field, replace

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

aten = torch.ops.aten


def meta_copy(net):
    """A copy of `net` on the meta device, without its weights and its hooks.

    Args:
        net: the network; nothing is changed in it.

    Returns:
        a network with the same layers, whose tensors have shapes only.

    Raises:
        TypeError: if the network holds something that can't be copied.
        ValueError: if a lazy layer does not know its shape yet.
    """
    memo = {}  # what `deepcopy` finds here counts as copied already
    for path, value in _tensors_of(net):
        if isinstance(value, nn.parameter.UninitializedTensorMixin):
            raise ValueError(f"{path} has no shape yet; run the network on a batch first")
        twin = torch.empty_like(value, device="meta")
        if isinstance(value, nn.Parameter):
            twin = nn.Parameter(twin, value.requires_grad)
        memo[id(value)] = twin
    try:
        twin = copy.deepcopy(net, memo)
    except (TypeError, RuntimeError) as error:
        raise TypeError(
            f"{type(net).__name__} can't be copied ({error}); remove what it holds besides layers, "
            "tensors and plain values"
        ) from error
    for module in twin.modules():
        for hooks in (module._forward_hooks, module._forward_pre_hooks):
            hooks.clear()  # those of others may have effects, such as storing what they see
    return twin


def _tensors_of(net):
    """(path, tensor) for parameters, buffers and whatever else the modules hold."""
    for path, module in net.named_modules():
        for name, value in vars(module).items():
            if name != "_modules":
                yield from _search(path if name[0] == "_" else f"{path}.{name}", value)


def _search(path, value):
    if isinstance(value, torch.Tensor):
        yield path, value
    elif isinstance(value, (list, tuple)):
        for i, item in enumerate(value):
            yield from _search(f"{path}[{i}]", item)
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _search(f"{path}.{key}".lstrip("."), item)


# Running and booking --------------------------------------------------------------------------


@dataclass(eq=False)
class Call:
    """One call of a module, with what its own operations, not its children's, amount to.

    Attributes:
        name: path of the module in the network, "" for the network itself.
        module: the module, on the meta device.
        rank: number of axes of its first input.
        children: calls made within this one.
        output: shape of the result, or a tuple of shapes.
        view: `View` of the result.
        parameters: numbers in the parameters that it is the first to use.
        macs: multiply-accumulates.
        memory: bytes of the results that it writes.
    """

    name: str
    module: nn.Module
    rank: int = 0
    children: list = field(default_factory=list)
    output: tuple | None = None
    view: "View | None" = None
    parameters: int = 0
    macs: int = 0
    memory: int = 0


class Counter(TorchDispatchMode):
    """Runs a network on the meta device and books every operation on the module at work.

    Args:
        net: what `meta_copy` returned.

    Attributes:
        root: the `Call` of the network, once `run` is done.
        unused: parameters that no operation has read.
    """

    def __init__(self, net):
        super().__init__()
        self.net, self.root = net, Call("", net)
        self.calls = [self.root]  # those at work, innermost last
        self.names = {module: name for name, module in net.named_modules()}
        self.unread = {_storage(parameter): parameter for parameter in net.parameters()}
        # Storages are known by address: what was seen stays alive, so that no address comes twice.
        self.alive, self.views = [], {}
        for module in net.modules():
            module.register_forward_pre_hook(self._enter)
            module.register_forward_hook(self._leave)

    @property
    def unused(self):
        return set(self.unread.values())

    def run(self, inputs):
        """Call the network on `inputs`.

        Raises:
            ValueError: if it fails; the message names shapes and layer.
        """
        for x in inputs:
            one_image = len(inputs) == 1 and x.ndim == 4
            self._keep(x, View((1, 1), (1, 1), x[0, 0].numel()) if one_image else None)
        try:
            with self:
                self.net(*inputs)
        except Exception as error:
            shapes = " and ".join(str(tuple(x.shape)) for x in inputs)
            place = f" at {self.calls[-1].name}" if self.calls[-1].name else ""
            raise ValueError(
                f"{type(self.net).__name__} can't take inputs of shape {shapes}{place}: {error}"
            ) from error
        self.root = self.root.children[0]

    def _enter(self, module, inputs):
        rank = next((x.ndim for x in inputs if isinstance(x, torch.Tensor)), 0)
        call = Call(self.names[module], module, rank)
        self.calls[-1].children.append(call)
        self.calls.append(call)

    def _leave(self, module, inputs, output):
        call, results = self.calls.pop(), list(_flat(output))
        shapes = tuple(tuple(x.shape) for x in results)
        call.output = shapes[0] if isinstance(output, torch.Tensor) else shapes
        call.view = _widest(self.views.get(_storage(x)) for x in results)

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        output = function(*args, **(kwargs or {}))
        call, operation = self.calls[-1], function.overloadpacket
        inputs = [*_flat(args), *_flat(kwargs)]
        results = list(_flat(output))
        for x in inputs:
            if _storage(x) in self.unread:
                call.parameters += self.unread.pop(_storage(x)).numel()
            self._keep(x, self.views.get(_storage(x)))
        if operation in MACS:
            call.macs += MACS[operation](results[0], *args)
        view = _widest(self.views[_storage(x)] for x in inputs)
        if view is not None and operation in VIEWS:
            view = VIEWS[operation](view, call, results[0], *args)
        for x in results:
            if x.is_floating_point() and _storage(x) not in self.views:
                call.memory += x.numel() * x.element_size()
            if view is not None and x.ndim == 4:
                view = replace(view, positions=x.shape[2:].numel())
            self._keep(x, view)
        return output

    def _keep(self, tensor, view):
        self.alive.append(tensor)
        self.views[_storage(tensor)] = view


def _storage(tensor):
    """The address of the memory behind a tensor; views and results in place share it."""
    return tensor.untyped_storage()._cdata


def _flat(values):
    """The tensors in nested lists, tuples and dicts."""
    if isinstance(values, torch.Tensor):
        yield values
    elif isinstance(values, (list, tuple, dict)):
        for value in values.values() if isinstance(values, dict) else values:
            yield from _flat(value)


# Multiply-accumulates -------------------------------------------------------------------------


def _convolution_macs(output, x, weight, bias, stride, padding, dilation, transposed, *_):
    """Every weight is used once at each place: of the output, or of the input if transposed."""
    places = x if transposed else output
    return places.shape[0] * places.shape[2:].numel() * weight.numel()


MACS = {
    aten.convolution: _convolution_macs,
    aten.mm: lambda output, a, b: a.numel() * b.shape[1],
    aten.addmm: lambda output, bias, a, b: a.numel() * b.shape[1],
    aten.bmm: lambda output, a, b: a.numel() * b.shape[2],
    aten.baddbmm: lambda output, bias, a, b: a.numel() * b.shape[2],
    aten.mv: lambda output, a, b: a.numel(),
    aten.addmv: lambda output, bias, a, b: a.numel(),
    aten.dot: lambda output, a, b: a.numel(),
}


# The view of the input image ------------------------------------------------------------------


@dataclass(frozen=True)
class View:
    """What a feature map sees of the input image.

    Args:
        size: (height, width) in pixels that one place depends on; infinite for everything.
        step: (down, right) in pixels from one place to the next.
        positions: number of places, height times width of the map.
    """

    size: tuple
    step: tuple
    positions: int

    def through(self, kernel, stride, dilation=(1, 1)):
        """Behind a window that is moved over the map."""
        size = [self.size[i] + dilation[i] * (kernel[i] - 1) * self.step[i] for i in (0, 1)]
        return replace(self, size=tuple(size), step=_product(self.step, stride))

    def everywhere(self):
        """Behind an operation that reads all places, if there are several."""
        return self if self.positions == 1 else replace(self, size=(math.inf, math.inf))


def _product(a, b):
    return a[0] * b[0], a[1] * b[1]


def _widest(views):
    """The largest of several views, axis by axis; None if there is none."""
    views = [view for view in views if view is not None]
    if not views:
        return None
    size = tuple(max(view.size[i] for view in views) for i in (0, 1))
    step = tuple(max(view.step[i] for view in views) for i in (0, 1))
    return View(size, step, max(view.positions for view in views))


def _pair(option):
    """(down, right), from one number, a list of one, or the last two of a longer list."""
    return ([option] * 2 if isinstance(option, int) else 2 * list(option))[-2:]


def _convolution_view(view, call, output, x, weight, bias, stride, padding, dilation, *options):
    if weight.ndim != 4:  # no image any more
        return view.everywhere()
    kernel, stride, dilation = weight.shape[2:], _pair(stride), _pair(dilation)
    if options[0]:  # transposed: so many inputs meet in one output
        kernel = [math.ceil(k / s) for k, s in zip(kernel, stride, strict=True)]
        stride = [1 / s for s in stride]
    return view.through(kernel, stride, dilation)


def _pool_view(view, call, output, x, kernel, stride=(), *_):
    return view.through(_pair(kernel), _pair(stride or kernel))


def _resize_view(kernel):
    """For poolings that are told the size of the output (kernel None), and for enlarging."""

    def rule(view, call, output, x, *_):
        ratio = [i / o for i, o in zip(x.shape[2:], output.shape[2:], strict=True)]
        if kernel is None and output.shape[2:].numel() == 1:
            return view.everywhere()
        # Where sizes don't divide, windows overlap by one.
        return view.through(kernel or [math.ceil(r) + (r % 1 > 0) for r in ratio], ratio)

    return rule


def _reduction_view(view, call, output, x, axes=(), *_):
    axes = [axes] if isinstance(axes, int) else axes or range(x.ndim)
    places = (2, 3) if x.ndim == 4 else range(1, x.ndim - 1)  # of (B, T, D): T
    return view.everywhere() if {axis % x.ndim for axis in axes} & {*places} else view


def _matrix_view(view, call, output, *_):
    # A linear layer on (B, T, D) treats each place alone; any other product mixes them.
    alone = isinstance(call.module, nn.Linear) and call.rank > 2
    return view if alone else view.everywhere()


VIEWS = {
    **dict.fromkeys(MACS, _matrix_view),
    aten.convolution: _convolution_view,
    aten.max_pool2d_with_indices: _pool_view,
    aten.avg_pool2d: _pool_view,
    aten._adaptive_avg_pool2d: _resize_view(None),
    aten.adaptive_max_pool2d: _resize_view(None),
    aten.upsample_nearest2d: _resize_view((1, 1)),
    aten.upsample_bilinear2d: _resize_view((2, 2)),
    aten.mean: _reduction_view,
    aten.sum: _reduction_view,
    aten.amax: _reduction_view,
    aten.max: _reduction_view,
    aten.native_group_norm: lambda view, *_: view.everywhere(),
}

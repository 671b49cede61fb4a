"""What a network is made of: every layer with its output, parameters, work, memory and view.

The counting happens on the meta device, where tensors have shapes but no numbers. A summary costs a
fraction of a second, however large the network, and nothing is changed in the network itself.
"""

import math
from dataclasses import dataclass

import torch
from torch import nn

from .counting import Counter, meta_copy
from .tables import html_table, text_table


def summary(net, input_shape, *, batch_size=1, dtype=torch.float32, depth=None):
    """Count what every layer of `net` holds and does, in evaluation.

    Multiply-accumulates (MACs) are those of convolutions and matrix products; norms, activations
    and poolings are not counted. Memory is that of all results written, about what training has to
    keep for the backward pass; work in place and views add nothing.

    Args:
        net: the network; weights, hooks, modes and random states stay as they are.
        input_shape: shape of one example without the batch, such as (3, 224, 224); a list of shapes
            for a network with several inputs.
        batch_size: examples, B. Default 1.
        dtype: of the inputs, such as `torch.long` for tokens; a list for several. Default float32.
        depth: layers deeper in the network are added up in one row; 1 gives a row for each child
            of `net`. Default None, a row for each layer.

    Returns:
        `Summary`: text with `str`, a table in a notebook, data in its attributes.

    Raises:
        TypeError: if `net` is no network, or one that can't be copied.
        ValueError: if it can't take inputs of this shape; the message names the layer.
    """
    if not isinstance(net, nn.Module):
        raise TypeError(f"summary: expected a torch.nn.Module, got {type(net).__name__}")
    shapes = _shapes(input_shape)
    dtypes = list(dtype) if isinstance(dtype, (list, tuple)) else len(shapes) * [dtype]
    if len(dtypes) != len(shapes):
        raise ValueError(f"summary: {len(dtypes)} dtypes for {len(shapes)} inputs; give one each")
    with torch.inference_mode(False), torch.no_grad(), torch.random.fork_rng(devices=[]):
        try:
            counter = Counter(meta_copy(net).eval())
            with torch.device("meta"):
                inputs = [
                    torch.empty(batch_size, *shape, dtype=d)
                    for shape, d in zip(shapes, dtypes, strict=True)
                ]
                counter.run(inputs)
        except (TypeError, ValueError) as error:
            raise type(error)(f"summary: {error}") from error
    rows = [*_rows(counter.root, depth), *_unused_rows(counter, depth)]
    return Summary(
        kind=type(net).__name__,
        inputs=tuple(tuple(x.shape) for x in inputs),
        rows=tuple(rows),
        parameters=sum(row.parameters for row in rows),
        trainable=sum(p.numel() for p in net.parameters() if p.requires_grad),
        macs=sum(row.macs for row in rows),
        memory=sum(row.memory for row in rows),
    )


@dataclass(frozen=True)
class Row:
    """One call of one layer.

    Attributes:
        name: path of the layer in the network, "" for the network itself.
        kind: its class; "itself" is added for what a module does besides calling its children.
        output: shape of the result, batch included; a tuple of shapes for several; None if the
            layer was not called.
        parameters: numbers in the parameters that it is the first to use.
        macs: multiply-accumulates, for the whole batch.
        memory: bytes of the results that it writes, for the whole batch.
        receptive_field: (height, width), the pixels of the input that one place of the output
            depends on; it may reach beyond the border, and is nominal behind layers that enlarge.
            "all" for the whole input; None if the input is no image.
    """

    name: str
    kind: str
    output: tuple | None
    parameters: int
    macs: int
    memory: int
    receptive_field: tuple | str | None


@dataclass(frozen=True, repr=False)
class Summary:
    """What `summary` has counted.

    Attributes:
        kind: class of the network.
        inputs: shapes of the inputs, batch included.
        rows: `Row` for each call, in order; those of layers not called come last.
        parameters, macs, memory: sums over the rows.
        trainable: numbers in the parameters that require a gradient.
    """

    kind: str
    inputs: tuple
    rows: tuple
    parameters: int
    trainable: int
    macs: int
    memory: int

    @property
    def caption(self):
        """One line above the table."""
        return (
            f"{self.kind}, input {_shape(self.inputs[0] if len(self.inputs) == 1 else self.inputs)}"
        )

    @property
    def totals(self):
        """One line below the table."""
        frozen = self.parameters - self.trainable
        return (
            f"{self.parameters:,} parameters{f' ({frozen:,} frozen)' if frozen else ''}, "
            f"{self.macs:,} MACs, {_bytes(self.memory)} of activations"
        )

    def __str__(self):
        rows = list(map(_cells, self.rows))
        return text_table(self.caption, HEADER, rows, self.totals, left=(0, 1, 2))

    __repr__ = __str__

    def _repr_html_(self):
        return html_table(f"{self.caption}: {self.totals}", HEADER, list(map(_cells, self.rows)))


HEADER = ("layer", "kind", "output", "parameters", "MACs", "memory", "receptive field")


def _cells(row):
    field = row.receptive_field
    return (
        row.name or "(whole)",
        row.kind,
        "not called" if row.output is None else _shape(row.output),
        f"{row.parameters:,}",
        f"{row.macs:,}",
        _bytes(row.memory),
        "-" if field is None else field if field == "all" else f"{field[0]} x {field[1]}",
    )


def _shape(shape):
    """A shape, or a tuple of several, in words."""
    if shape and isinstance(shape[0], tuple):
        return " and ".join(map(_shape, shape))
    return f"({', '.join(map(str, shape))})"


def _bytes(count):
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count} B"


# From calls to rows ---------------------------------------------------------------------------


def _rows(call, depth):
    """A row for each call without children, or at `depth`; what is done in between comes after."""
    if not call.children or depth == 0:
        yield _row(call, type(call.module).__name__, list(_within(call)))
        return
    for child in call.children:
        yield from _rows(child, None if depth is None else depth - 1)
    if call.parameters or call.macs or call.memory:
        yield _row(call, f"{type(call.module).__name__} itself", [call])


def _row(call, kind, calls):
    """A row with the sums over `calls`."""
    size = call.view and call.view.size
    return Row(
        name=call.name,
        kind=kind,
        output=call.output,
        parameters=sum(c.parameters for c in calls),
        macs=sum(c.macs for c in calls),
        memory=sum(c.memory for c in calls),
        receptive_field=size and ("all" if math.inf in size else tuple(map(math.ceil, size))),
    )


def _within(call):
    yield call
    for child in call.children:
        yield from _within(child)


def _unused_rows(counter, depth):
    """Rows for parameters that no call has read, such as those of heads for training."""
    rows = {}
    modules = dict(counter.net.named_modules())
    left = counter.unused
    for name, module in modules.items():
        count = 0
        for parameter in module.parameters(recurse=False):
            count += parameter.numel() if parameter in left else 0
            left.discard(parameter)
        if count:
            name = ".".join(name.split(".")[:depth])
            rows[name] = rows.get(name, 0) + count
    for name, count in rows.items():
        yield Row(name, type(modules[name]).__name__, None, count, 0, 0, None)


def _shapes(input_shape):
    """A list of shapes, from one or several."""
    plain = (list, tuple)
    if isinstance(input_shape, plain) and input_shape and isinstance(input_shape[0], plain):
        return [shape for one in input_shape for shape in _shapes(one)]
    if not isinstance(input_shape, plain) or not all(
        isinstance(size, int) and size > 0 for size in input_shape
    ):
        raise ValueError(
            "summary: expected input_shape to be the sizes of one example without the batch, such "
            f"as (3, 224, 224), got {input_shape!r}"
        )
    return [tuple(input_shape)]

"""Judging a module of PyTorch by what it computes, in the notebook and through a jail's wall.

A module is a black box with numbers inside. A check puts numbers of its own into it, shows it
inputs that nobody has seen, and looks at what comes out; it never looks at how the module is
written. So a net of other layers that computes the same is right, and one that only says so is not.

When grading, the module lives in the student's process, which may lie about everything. What a
passed comparison proves all the same, for inputs and weights drawn from a secret seed:

- `compare_function`: the outputs are those of the function asked for, for weights that were chosen
  after the code was handed in. Whoever can do that has written the net. Its shapes, the
  place of every layer, and that there is no softmax at its end, are proved with it.
- `compare_parameters`: there is a tensor for each one that was asked for, and the outputs depend
  on it. On how many of its numbers they depend is left to `compare_function`.
- `gradients_reach`: along the gradient that the module claims, its outputs change as fast as that
  gradient is long. One that was made up, without the outputs at hand, is found out.
- `learns_by_heart`: loss and optimizer are ours; the module gives outputs and gradients, and never
  sees the labels. But it could guess them from what is sent back to it, and note them down instead
  of learning. So this proves nothing alone: let it count after the others.

Nothing is proved about time, memory, or what the module does with inputs of other shapes.
"""

import contextlib
import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import permutations, product

import numpy as np
import torch

from dlcourse.checks.calling import Answer, call, untouched
from dlcourse.checks.compare import as_numbers, compare
from dlcourse.checks.framework import Hint
from dlcourse.optim import Adam

Shape = tuple[int, ...]
Shapes = Mapping[str, Shape]

MOST = 1000  # parameters or buffers, each a tensor
_STATISTICS = ("running_mean", "running_var")  # what batch norm keeps, and no gradient changes


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Let PyTorch compute in one thread within a block or, as a decorator, within a check.

    For nets this small, several are no faster on an idle machine, and many times slower on a busy
    one.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


# --- run beside the student's module --------------------------------------------------------------
# The text of these goes into the student's process, so each imports what it needs.


def _look(model, most):
    """Parameters and buffers by name, at most so many."""
    from itertools import islice

    return dict(islice(model.named_parameters(), most)), dict(islice(model.named_buffers(), most))


def _put(model, values):
    """Set parameters and buffers by name."""
    import torch

    with torch.no_grad():
        for named in (model.named_parameters(), model.named_buffers()):
            for name, tensor in named:
                if name in values:
                    tensor.copy_(values[name])
    return True


def _run(model, x, training):
    """The outputs for a batch."""
    import torch

    if not isinstance(model, torch.nn.Module):
        raise TypeError("it is no nn.Module: let its first line be `class ...(nn.Module):`")
    model.train(training)
    with torch.no_grad():
        return model(x)


def _pull(model, x, g, training):
    """Outputs and the gradient of (outputs * g).sum() with respect to each parameter, by name."""
    import torch

    model.train(training)
    model.zero_grad()
    outputs = model(x)
    if not isinstance(outputs, torch.Tensor):
        raise TypeError(f"`forward` returned a {type(outputs).__name__}, which has no gradient")
    if outputs.requires_grad:
        (outputs * g).sum().backward()  # of a sum: `backward(g)` loads SymPy at its first call
    return {name: parameter.grad for name, parameter in model.named_parameters()}


# --- the module -----------------------------------------------------------------------------------


class Probe:
    """A module that a student wrote, built by us and asked through `call`, wherever it lives.

    Args:
        build: the student's class.
        arguments: of its `__init__`, by position, under the names that hints give them.

    What goes wrong becomes the `Hint` of the step that asks.
    """

    def __init__(self, build: Callable, **arguments):
        name = getattr(build, "__name__", "")
        self.called = name if isinstance(name, str) and name else "your class"
        self._model = call(build, returns=("module",), **arguments)
        self._there: dict[str, Callable] = {}
        self._looked: tuple[Shapes, Shapes] | None = None
        self._runs: list[Answer] = []

    def outputs(self, x: torch.Tensor, *, training: bool = False) -> np.ndarray:
        """What the module gives for a batch, without gradients.

        Args:
            x: the batch.
            training: in which mode. Default False.
        """
        answer = self._ask(_run, ("outputs",), x=x, training=training)
        self._runs.append(answer)
        return as_numbers("outputs", answer["outputs"])

    def gradients(self, x: torch.Tensor, g: np.ndarray, *, training: bool = False) -> dict:
        """Name of a parameter -> gradient of (outputs * g).sum(), or None; as the module claims.

        Args:
            x: the batch.
            g: one number for each output.
            training: in which mode. Default False.
        """
        g = torch.from_numpy(np.asarray(g, np.float32))
        claimed = self._ask(_pull, ("gradients",), x=x, g=g, training=training)["gradients"]
        return claimed if isinstance(claimed, dict) else {}

    def put(self, values: Mapping[str, np.ndarray]) -> None:
        """Set parameters and buffers.

        Args:
            values: by the module's own names.
        """
        values = {name: torch.from_numpy(np.array(v, np.float32)) for name, v in values.items()}
        self._ask(_put, ("done",), values=values)["done"]

    @property
    def parameters(self) -> Shapes:
        """Name -> shape of the parameters, as the module claims."""
        return self._look()[0]

    @property
    def buffers(self) -> Shapes:
        """Name -> shape of the buffers, as the module claims."""
        return self._look()[1]

    def untouched(self) -> None:
        """Raise a `Hint` where any run so far wrote into its input."""
        for answer in self._runs:
            untouched(answer)

    def _look(self) -> tuple[Shapes, Shapes]:
        if self._looked is None:
            answer = self._ask(_look, ("parameters", "buffers"), most=MOST + 1)
            self._looked = tuple(_shapes(k, answer[k]) for k in ("parameters", "buffers"))
        return self._looked

    def _ask(self, function: Callable, returns: Sequence[str], **inputs) -> Answer:
        """Call one of the functions above on the module, in the process in which it lives."""
        model = self._model["module"]

        def asked(*given):
            if function.__name__ not in self._there:
                is_here = not hasattr(type(model), "beside")
                self._there[function.__name__] = function if is_here else model.beside(function)
            return self._there[function.__name__](model, *given)

        asked.__name__ = self.called
        return call(asked, returns=returns, **inputs)


def _shapes(what: str, named) -> Shapes:
    """The shapes of named tensors that somebody claims to have, or a `Hint`."""
    if not isinstance(named, dict) or not all(isinstance(name, str) for name in named):
        raise Hint(f"The {what} have no names: is `named_{what}` of the module your own?")
    if len(named) > MOST:
        raise Hint(f"It has more than {MOST} {what}: is there a list that grows?")
    return {name: as_numbers(name, tensor).shape for name, tensor in named.items()}


def draw(shapes: Shapes, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Numbers for named tensors, with which a signal passes through every layer.

    Args:
        shapes: name -> shape. Of the name, the part behind the last dot counts.
        rng: where they come from.

    Returns:
        float32 arrays. Weights have variance 2 / inputs (He et al., 2015), the rest is small, and
        scales and variances are near 1.
    """
    values = {}
    for name, shape in shapes.items():
        kind = name.rpartition(".")[2]
        if len(shape) > 1:
            value = rng.normal(size=shape) * math.sqrt(2 / max(math.prod(shape[1:]), 1))
        elif kind == "running_var":
            value = rng.uniform(0.5, 2.0, shape)
        else:
            value = 0.1 * rng.normal(size=shape) + (kind == "weight")
        values[name] = np.asarray(value, np.float32)
    return values


# --- shapes, and each example on its own ----------------------------------------------------------


def compare_shape(probe: Probe, x: torch.Tensor, shape: Shape) -> None:
    """Raise a `Hint` unless the outputs for a batch have this shape and are finite."""
    got = probe.outputs(x)
    if got.shape != shape:
        raise Hint(
            f"`{probe.called}` gives shape {got.shape} for an input of shape {tuple(x.shape)}, "
            f"expected {shape}."
        )
    if not np.isfinite(got).all():
        raise Hint(f"Among the outputs is {got[~np.isfinite(got)][0]}: use finite numbers.")


def each_alone(probe: Probe, x: torch.Tensor) -> None:
    """Raise a `Hint` where, in eval mode, the outputs for an example depend on more than itself.

    Args:
        probe: the module.
        x: a batch of at least two examples, which differ.
    """
    together = _steady(probe, x)
    for place in (0, len(x) - 1):
        alone = probe.outputs(x[place : place + 1])
        if alone.shape != (1, *together.shape[1:]) or not _alike(alone[0], together[place]):
            raise Hint(
                "In eval mode, the outputs for an example change with the others in its batch. "
                "Keep axis 0 for the batch: flatten with `x.flatten(1)`, and take no mean, maximum "
                "or softmax over it."
            )
    if all(_alike(row, together[0]) for row in together):  # two may meet where every ReLU is off
        raise Hint("The outputs are the same for different inputs: does `forward` use its input?")


def _steady(probe: Probe, x: torch.Tensor) -> np.ndarray:
    """The outputs for a batch, or a `Hint` where in eval mode they are others the second time."""
    outputs = probe.outputs(x)
    if _alike(probe.outputs(x), outputs):
        return outputs
    raise Hint(
        "In eval mode, the same input gives other outputs the second time. Is a layer made in "
        "`forward`, anew for each call? Or is a dropout always on? `nn.Dropout` knows the mode; "
        "`F.dropout` wants to be told, `training=self.training`."
    )


def _alike(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether two outputs agree but for the rounding of float32."""
    return a.shape == b.shape and np.allclose(a, b, 1e-4, 1e-5 * np.abs(b).max(initial=0.0))


# --- parameters -----------------------------------------------------------------------------------


def compare_parameters(
    probe: Probe,
    shapes: Shapes,
    x: torch.Tensor,
    rng: np.random.Generator,
    *,
    explain: Callable[[Shape, Shape], str] = lambda got, expected: "",
) -> None:
    """Raise a `Hint` unless the module has the parameters asked for, and its outputs need each.

    Args:
        probe: the module. Its parameters hold other numbers afterwards.
        shapes: name -> shape of what it should have. Names do not matter; a weight of (120, 400)
            may as well be one of (120, 16, 5, 5).
        x: a batch for which the outputs must depend on every parameter.
        rng: where new numbers come from.
        explain: (shape that came, shape that was expected) -> the likely reason, or "".
    """
    ours = {name: shape for name, shape in shapes.items() if not name.endswith(_STATISTICS)}
    theirs = probe.parameters
    if reason := _difference(theirs, ours, explain):
        count, right = _count(theirs), _count(ours)
        has = f"`{probe.called}` has {count:,} parameters"
        has += f", expected {right:,}" if count != right else ", as many as it should, but others"
        raise Hint(f"{has}. {reason}")
    values, others = draw(theirs, rng), draw(theirs, rng)
    probe.put(values)
    before = _steady(probe, x)
    for name in theirs:
        probe.put({name: others[name]})
        if _alike(probe.outputs(x), before):
            raise Hint(
                f"`{name}` is among the parameters, but new numbers in it change no output. Does "
                "`forward` use that layer?"
            )
        probe.put({name: values[name]})


def _count(shapes: Shapes) -> int:
    return sum(math.prod(shape) for shape in shapes.values())


def _flat(shape: Shape) -> Shape:
    """A shape as that of a matrix: one row for each output of the layer."""
    return shape if len(shape) < 2 else (shape[0], math.prod(shape[1:]))


def _difference(theirs: Shapes, ours: Shapes, explain) -> str:
    """In what the parameters of two modules differ, or ""."""
    if not theirs and ours:
        return (
            "A layer becomes part of a module when `__init__` makes it an attribute, `self.conv1 = "
            "nn.Conv2d(...)`. In a plain list it is not found; nn.ModuleList and nn.Sequential are."
        )
    missing = Counter(map(_flat, ours.values())) - Counter(map(_flat, theirs.values()))
    left = Counter(map(_flat, theirs.values())) - Counter(map(_flat, ours.values()))
    lacking = [shape for shape in ours.values() if _take(missing, _flat(shape))]
    extra = [name for name in reversed(theirs) if _take(left, _flat(theirs[name]))][::-1]
    if not lacking and not extra:
        return ""
    if not extra and all(len(shape) == 1 for shape in lacking):
        sizes = [shape[0] for shape in lacking]
        total = f" = {sum(sizes)}" if len(sizes) > 1 else ""
        return (
            f"What is missing is {' + '.join(map(str, sizes))}{total}, one number for each output "
            f"of {_number(len(sizes), 'layer')}: a bias, left out by `bias=False`, or a norm?"
        )
    if not extra:
        return (
            f"No parameter of shape {' or '.join(map(str, lacking[:3]))} is found. Is a layer in a "
            "plain list, where nn.ModuleList would be found, or made in `forward`?"
        )
    if not lacking:
        asked = Counter(_layers(ours).values())
        more = [layer for layer, kind in _layers(theirs).items() if not _take(asked, kind)]
        names = [n for n in theirs if n.rpartition(".")[0] in more] or extra
        told = ", ".join(f"`{name}` {theirs[name]}" for name in names[:6])
        return f"That is more than was asked for. Look at {told}."
    came = theirs[extra[0]]
    alike = [s for s in lacking if len(s) == len(came) and s[0] == came[0]]
    alike += [s for s in lacking if len(_flat(s)) == len(_flat(came))] + lacking
    return f"`{extra[0]}` has shape {came}, expected {alike[0]}. {explain(came, alike[0])}".strip()


def _take(counts: Counter, key) -> bool:
    counts[key] -= 1
    return counts[key] >= 0


def _number(n: int, noun: str) -> str:
    return f"{n} {noun}" + ("s" if n != 1 else "")


# --- what it computes -----------------------------------------------------------------------------


def compare_function(
    probe: Probe,
    shapes: Shapes,
    function: Callable,
    x: torch.Tensor,
    rng: np.random.Generator,
    *,
    usual: Sequence[tuple[Callable, str]] = (),
    training: bool = False,
    sizes: Mapping[str, int] | None = None,
    advice: str = "",
) -> None:
    """Raise a `Hint` unless the module, given weights of ours, computes the function asked for.

    Args:
        probe: the module. Its parameters hold other numbers afterwards.
        shapes: name -> shape of the parameters of `function`, and of the statistics that batch norm
            keeps. `compare_parameters` has found that the module's are the same.
        function: (values by name, x) -> the right outputs.
        x: a batch.
        rng: where the weights come from.
        usual: pairs of a wrong function, called like the right one, and the hint that explains it.
        training: in which mode. Default False.
        sizes, advice: as in `compare`.

    Where several layers have the same shapes, nobody knows which is which: the module is right if
    it is so for one way to give them their numbers.
    """
    values = draw(shapes, rng)
    right = function(values, x)
    wrong = [(other(values, x), hint) for other, hint in usual]
    hints = []
    for theirs in _pairings(probe, shapes):
        probe.put({name: values[ours].reshape(shape) for name, (ours, shape) in theirs.items()})
        got = probe.outputs(x, training=training)
        try:
            compare("outputs", got, right, usual=wrong, sizes=sizes, advice=advice)
        except Hint as hint:
            hints.append(hint)
        else:
            return
    known = [told for told in hints if any(hint in str(told) for _, hint in wrong)]
    raise (known or hints)[0]


def _pairings(probe: Probe, shapes: Shapes) -> Iterator[dict[str, tuple[str, Shape]]]:
    """Every way to give the module's tensors ours: their name -> our name, and their shape."""
    ours = {name: shape for name, shape in shapes.items() if not name.endswith(_STATISTICS)}
    theirs = probe.parameters
    sizes = {_flat(shape): name for name, shape in ours.items()}
    if len(sizes) == len(ours):  # all differ, however they are made up into layers
        yield {name: (sizes[_flat(shape)], shape) for name, shape in theirs.items()}
        return
    layers, wanted = _layers(theirs), _layers(ours)
    if Counter(layers.values()) != Counter(wanted.values()):
        raise Hint(
            "Its parameters are as many as asked for, but not layer by layer: make each layer a "
            "module of its own, such as nn.Conv2d or nn.BatchNorm2d."
        )
    kinds = list(dict.fromkeys(wanted.values()))
    named = [[owner for owner, kind in layers.items() if kind == k] for k in kinds]
    orders = [permutations([owner for owner, kind in wanted.items() if kind == k]) for k in kinds]
    for order in product(*orders):
        owners = dict(
            pair
            for their, our in zip(named, order, strict=True)
            for pair in zip(their, our, strict=True)
        )
        tensors = {**theirs, **probe.buffers}
        pairing = {}
        for name, shape in tensors.items():
            owner, _, kind = name.rpartition(".")
            our = f"{owners[owner]}.{kind}" if owner in owners else ""
            if our in shapes and _flat(shapes[our]) == _flat(shape):
                pairing[name] = (our, shape)
        yield pairing


def _layers(shapes: Shapes) -> dict[str, tuple]:
    """Name of a layer -> the kinds and sizes of its parameters."""
    layers: dict[str, list] = {}
    for name, shape in shapes.items():
        owner, _, kind = name.rpartition(".")
        layers.setdefault(owner, []).append((kind, _flat(shape)))
    return {owner: tuple(sorted(kinds)) for owner, kinds in layers.items()}


# --- gradients ------------------------------------------------------------------------------------


def gradients_reach(probe: Probe, x: torch.Tensor, rng: np.random.Generator) -> None:
    """Raise a `Hint` unless a true gradient reaches every parameter, in eval mode.

    Args:
        probe: the module. Its parameters hold other numbers afterwards.
        x: a batch.
        rng: where weights, and the weights of the outputs in their sum, come from.

    The module claims a gradient of a sum of its outputs. A small step along it, one parameter at a
    time, must change that sum as fast as the claimed gradient is long. That holds for the true
    one and for parts of it.
    """
    fault = _gradient_fault(probe, x, rng)
    if fault and _gradient_fault(probe, x, rng):  # not by bad luck, with a ReLU's corner in the way
        raise Hint(fault)


def _gradient_fault(probe: Probe, x: torch.Tensor, rng: np.random.Generator) -> str:
    """What is wrong with the gradients for one draw of weights, or ""."""
    values = draw(probe.parameters, rng)
    probe.put(values)
    outputs = _steady(probe, x)
    g = rng.normal(size=outputs.shape)
    claimed = probe.gradients(x, g)
    arrays = {n: as_numbers(f"{n}.grad", a) for n, a in claimed.items() if a is not None}
    without = [name for name in values if name not in arrays or not arrays[name].any()]
    if without:
        which = "any parameter" if len(without) == len(values) else f"`{'`, `'.join(without[:4])}`"
        return (
            f"No gradient reaches {which}. What cuts the way back is `.detach()`, `.data`, "
            "`.item()`, `.numpy()` or a new tensor made from numbers, or `torch.no_grad()`; or the "
            "layer is not used, or does not train (`requires_grad`)."
        )
    scale = float(np.abs(outputs * g).sum()) or 1.0
    for name, value in values.items():
        gradient = arrays[name].astype(float)
        length = float(np.linalg.norm(gradient))
        if gradient.shape != value.shape or not math.isfinite(length):
            return f"The gradient of `{name}` is none: its shape is {gradient.shape}."

        def total(nudge, name=name, value=value):
            probe.put({name: value + nudge})
            return float((probe.outputs(x).astype(float) * g).sum())

        first = min(1e-3 * scale / length, 1e-2 * float(np.linalg.norm(value)))
        for step in (first, first / 4, first / 16):  # a corner may lie on the longer ones
            nudge = step * gradient / length
            slope = (total(nudge) - total(-nudge)) / (2 * step)
            rounding = min(1e-6 * scale / step, length / 2)
            if math.isclose(slope, length, rel_tol=0.1, abs_tol=rounding):
                break
        else:
            return (
                f"The gradient of `{name}` is not that of the outputs: along it they change by "
                f"{slope:.4g}, and it says {length:.4g}. Does a part of `forward` cut the way back?"
            )
        probe.put({name: value})
    return ""


# --- training -------------------------------------------------------------------------------------


def learns_by_heart(
    probe: Probe,
    x: torch.Tensor,
    labels: np.ndarray,
    rng: np.random.Generator,
    *,
    steps: int = 80,
    lr: float = 2e-3,
) -> None:
    """Raise a `Hint` unless the module can be trained to give one batch its labels.

    Args:
        probe: the module: x -> scores (B, K). Its parameters hold other numbers afterwards.
        x: the batch.
        labels: (B,) whole numbers, drawn by lot, so that nothing helps but memory. They never
            reach the module.
        rng: where the initial weights come from.
        steps: of Adam (Kingma and Ba, 2015), at most. Default 80.
        lr: its learning rate. Default 2e-3.
    """
    values = {n: torch.from_numpy(v) for n, v in draw(probe.parameters, rng).items()}
    optimizer = Adam(values.values(), lr)
    targets = torch.from_numpy(np.asarray(labels, np.int64))
    for _ in range(steps + 1):
        probe.put({name: value.numpy() for name, value in values.items()})
        scores = probe.outputs(x, training=True)
        if scores.ndim != 2 or len(scores) != len(x) or scores.shape[1] <= max(labels):
            raise Hint(f"In training, the scores have shape {scores.shape}.")
        scores = torch.from_numpy(scores.astype(np.float32))
        right = int((scores.argmax(1) == targets).sum())
        if right == len(x) and (probe.outputs(x).argmax(1) == labels).all():
            return
        scores.requires_grad_()
        loss = torch.nn.functional.cross_entropy(scores, targets)
        loss.backward()
        claimed = probe.gradients(x, scores.grad.numpy(), training=True)
        for name, value in values.items():
            gradient = as_numbers(f"{name}.grad", claimed.get(name)).astype(np.float32)
            if gradient.shape != tuple(value.shape):
                raise Hint(f"The gradient of `{name}` has shape {gradient.shape}.")
            value.grad = torch.from_numpy(gradient)
        optimizer.step()
    if right == len(x):
        raise Hint(
            "In training, the module has learned every label; in eval mode it gives others. What "
            "does `forward` do otherwise there?"
        )
    raise Hint(
        f"After {steps} steps of Adam, {right} of {len(x)} examples have their label, and the loss "
        f"is {float(loss.detach()):.3g}. A net that cannot learn one batch by heart has a mistake: "
        "a softmax at the end, a ReLU behind the last layer, a layer that is cut off?"
    )

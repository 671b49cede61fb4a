"""The checks of the convolution assignment: sizes, the convolution both ways, pooling, two modules.

Right values come from PyTorch's own convolution, and wrong ones from the same with a mistake in it.
The modules are judged in `modules`: with weights that the check gives them, they must compute what
the layers asked for compute.
"""

import math

import numpy as np
import torch
import torch.nn.functional as F

from dlcourse.checks.calling import call, untouched
from dlcourse.checks.compare import compare, number
from dlcourse.checks.framework import PASSED, Hint, check
from dlcourse.checks.modules import (
    Probe,
    compare_function,
    compare_parameters,
    compare_shape,
    each_alone,
    gradients_reach,
    learns_by_heart,
    one_thread,
)


def _tensor(rng, *shape):
    return torch.from_numpy(rng.normal(size=shape).astype(np.float32))


def _first(steps, why="The steps above come first."):
    """Nothing can be said, and no time should be spent, before all of the steps so far pass."""
    if any(step.state != PASSED for step in steps.done):
        raise Hint(why)


# --- sizes ----------------------------------------------------------------------------------------


@check(points=1.0)
def output_and_field(steps, output_and_field, *, seed=0):
    """`output_and_field(size, layers)` returns the size of the output and the receptive field."""
    rng = np.random.default_rng(seed)
    one = lambda: tuple(int(rng.integers(a, b)) for a, b in ((2, 6), (1, 4), (0, 3), (1, 4)))
    cases = [
        (28, [(5, 1, 2, 1)]),
        (int(rng.integers(40, 60)), [(4, 3, 1, 2)]),
        (32, [(5, 1, 0, 1), (2, 2, 0, 1), (5, 1, 0, 1), (2, 2, 0, 1)]),
        (int(rng.integers(150, 200)), [one() for _ in range(4)]),
        (224, [(7, 2, 3, 1), (3, 2, 1, 1), (3, 1, 1, 1), (3, 1, 2, 2)]),
    ]
    answers = [
        call(output_and_field, size=size, layers=layers, returns=("output", "field"))
        for size, layers in cases
    ]
    with steps("the size of the output", 0.5):
        _judge_numbers("output", answers, cases, _output, _WRONG_OUTPUTS)
    with steps("the receptive field", 0.4):
        _judge_numbers("field", answers, cases, _field, _WRONG_FIELDS)
    with steps("the list of layers left as it was", 0.1, after_all=True):
        for answer in answers:
            untouched(answer)


def _output(size, layers):
    """By counting the places at which each layer's kernel fits."""
    for kernel, stride, padding, dilation in layers:
        size = len(range(0, size + 2 * padding - dilation * (kernel - 1), stride))
    return size


def _field(size, layers):
    """By walking back from one output: the first and the last input that it sees."""
    first, last = 0, 0
    for kernel, stride, _, dilation in reversed(layers):
        first, last = first * stride, last * stride + dilation * (kernel - 1)
    return last - first + 1


def _sized(formula):
    """A function like `_output` from a formula for one layer."""

    def size_of(size, layers):
        for layer in layers:
            size = formula(size, *layer)
        return size

    return size_of


def _grown(grow, step):
    """A function like `_field`: how a layer widens it, and how the steps multiply."""

    def field_of(size, layers):
        field, jump = 1, 1
        for k, s, _, d in layers:
            field += grow(k, s, d, jump)
            jump = step(jump, s)
        return field

    return field_of


_WRONG_OUTPUTS = [
    (_sized(lambda n, k, s, p, d: (n + 2 * p - d * (k - 1) - 1) // s),
     "the + 1 is missing: the kernel's first place counts, too."),
    (_sized(lambda n, k, s, p, d: (n + p - d * (k - 1) - 1) // s + 1),
     "the padding is on both sides: it counts twice."),
    (_sized(lambda n, k, s, p, d: (n - d * (k - 1) - 1) // s + 1), "the padding is missing."),
    (_sized(lambda n, k, s, p, d: (n + 2 * p - k) // s + 1),
     "the dilation is missing: with gaps, a kernel covers d (k - 1) + 1 inputs."),
    (_sized(lambda n, k, s, p, d: (n + 2 * p - d * k) // s + 1),
     "there are gaps between the k entries of a kernel only, k - 1 of them: it covers "
     "d (k - 1) + 1 inputs, not d k."),
    (_sized(lambda n, k, s, p, d: n + 2 * p - d * (k - 1)), "the stride is missing."),
    (_sized(lambda n, k, s, p, d: math.ceil((n + 2 * p - d * (k - 1) - 1) / s) + 1),
     "round down: at the end, a kernel that does not fit is left out."),
    (_sized(lambda n, k, s, p, d: (n + 2 * p - d * (k - 1) - 1) / s + 1),
     "round down, with `//`: at the end, a kernel that does not fit is left out."),
    (lambda n, layers: _output(n, layers[:1]), "this is what the first layer gives: go on."),
    (lambda n, layers: _output(n, layers[-1:]), "each layer starts from what the one before gave."),
]  # fmt: skip
_WRONG_FIELDS = [
    (_grown(lambda k, s, d, jump: d * (k - 1), lambda jump, s: jump),
     "the strides are missing: behind a stride of 2, neighbors are two inputs apart."),
    (_grown(lambda k, s, d, jump: (k - 1) * jump, lambda jump, s: jump * s),
     "the dilation is missing: it spreads a kernel to d (k - 1) + 1 inputs."),
    (_grown(lambda k, s, d, jump: d * (k - 1) * jump * s, lambda jump, s: jump * s),
     "a layer's own stride does not widen what it sees: multiply by those of the layers before."),
    (_grown(lambda k, s, d, jump: d * k * jump, lambda jump, s: jump * s),
     "a layer of kernel k adds d (k - 1) steps, since the first entry is counted already."),
    (_grown(lambda k, s, d, jump: d * (k - 1) * jump, lambda jump, s: s),
     "the strides of all layers before multiply; here only the last one counts."),
    (_grown(lambda k, s, d, jump: d * (k - 1) * jump, lambda jump, s: jump + s - 1),
     "strides multiply, they do not add up."),
    (lambda n, layers: _field(n, layers) - 1, "start from 1: without a layer, it is 1."),
    (lambda n, layers: _field(n, layers[::-1]),
     "the order is wrong: a stride spreads the kernels of the layers behind it."),
]  # fmt: skip


def _judge_numbers(name, answers, cases, right, wrong):
    """Compare one number of each answer; a mistake is named if it explains all of them."""
    values = [float(number(name, answer[name])) for answer in answers]
    expected = [right(*case) for case in cases]
    if values == expected:
        return
    at = next(n for n, (v, e) in enumerate(zip(values, expected, strict=True)) if v != e)
    size, layers = cases[at]
    reasons = (hint for other, hint in wrong if values == [other(*case) for case in cases])
    raise Hint(
        f"`{name}` of size = {size}, layers = {layers} is {values[at]:.10g}, expected "
        f"{expected[at]}: {next(reasons, 'take one layer alone, and count with a pencil.')}"
    )


# --- the convolution ------------------------------------------------------------------------------


def _right_convolve(x, weight, bias, stride=1, padding=0):
    return F.conv2d(x[None].double(), weight.double(), bias.double(), stride, padding)[0].numpy()


@check(points=2.0)
@one_thread()
def convolve(steps, convolve, *, seed=0):
    """`convolve(x, weight, bias, stride, padding)` slides kernels over one picture (C, H, W)."""
    rng = np.random.default_rng(seed)
    answers = []

    def judge(channels, filters, stride, padding, advice="", biased=True):
        x = _tensor(rng, channels, 8, 11)
        weight, bias = _tensor(rng, filters, channels, 2, 3), _tensor(rng, filters) * biased
        answer = call(convolve, x=x, weight=weight, bias=bias, stride=stride, padding=padding,
                      returns=("y",))  # fmt: skip
        answers.append(answer)
        compare("y", answer["y"], _right_convolve(x, weight, bias, stride, padding),
                usual=_wrong_convolutions(x, weight, bias, stride, padding), advice=advice,
        )  # fmt: skip

    with steps("one channel, one kernel", 0.5):
        judge(1, 1, 1, 0, "Each output is a sum over the window below the kernel.", biased=False)
    with steps("three channels, four kernels, and biases", 0.5):
        judge(3, 4, 1, 0, "Each kernel has a slice for each channel, and all are added up.")
    with steps("padding", 0.4):
        judge(2, 3, 1, 2, "Put the picture into the middle of a larger one of zeros.")
    with steps("a stride", 0.4):
        judge(2, 3, 3, 0, "Place (i, j) of the output looks at (stride i, stride j).")
        judge(2, 3, 2, 1, "Pad first; place (i, j) looks at (stride i, stride j) of the padded.")
    with steps("x, weight and bias left as they were", 0.2, after_all=True):
        for answer in answers:
            untouched(answer)


def _wrong_convolutions(x, weight, bias, stride, padding):
    conv = lambda x=x, weight=weight, bias=bias, stride=stride, padding=padding: _right_convolve(
        x, weight, bias, stride, padding
    )
    right, every = conv(), conv(stride=1)
    cases = [
        (conv(weight=weight.flip(2, 3)),
         "the kernel is turned by 180 degrees. That is the convolution of mathematics; networks "
         "leave the kernel as it is."),
        (right[:, :-1, :-1],
         "the last row and column are missing: along an axis, a kernel of k entries has "
         "H - k + 1 places."),
        (conv(bias=bias * 0), "the bias is missing: add `bias[f]` to every place of map f."),
    ]  # fmt: skip
    if len(x) > 1:
        parts = [conv(x[c : c + 1], weight[:, c : c + 1], bias * 0) for c in range(len(x))]
        b = bias.double().numpy()[:, None, None]
        cases += [
            (sum(parts) + len(x) * b, "the bias is added once for each channel; once is enough."),
            (sum(parts) / len(x) + b, "the channels are averaged: add them up."),
            (parts[0] + b, "only the first channel is looked at."),
            (parts[-1] + b, "only the last channel is looked at: add up, with `+=`."),
        ]
    if padding:
        before, rows = F.pad(x, (padding, 0, padding, 0)), F.pad(x, (0, 0, padding, padding))
        twice = F.pad(x, (padding, padding, padding, padding), mode="replicate")
        cases += [
            (conv(padding=0), "the padding is missing."),
            (conv(before, padding=0), "pad all four sides, not only the top and the left."),
            (conv(rows, padding=0), "rows are padded, columns are not: pad all four sides."),
            (conv(twice, padding=0), "pad with zeros, not with the values at the border."),
        ]
    if stride > 1:
        cases += [
            (every, "the stride is missing."),
            (every[:, ::stride], "the stride goes for columns, too, not for rows alone."),
            (every[:, :, ::stride], "the stride goes for rows, too, not for columns alone."),
        ]
    return cases


# --- and back -------------------------------------------------------------------------------------


@check(points=2.0)
@one_thread()
def convolve_backward(steps, convolve_backward, *, seed=0):
    """`convolve_backward(x, weight, g, stride, padding)` returns the gradients dx and dweight."""
    rng = np.random.default_rng(seed)

    def ask(stride, padding, size):
        x, weight = _tensor(rng, 5, 2, *size), _tensor(rng, 3, 2, 3, 4)
        y = F.conv2d(x, weight, stride=stride, padding=padding)
        g = _tensor(rng, *y.shape)
        answer = call(convolve_backward, x=x, weight=weight, g=g, stride=stride, padding=padding,
                      returns=("dx", "dweight"))  # fmt: skip
        return answer, (x, weight, g, stride, padding)

    plain, plain_inputs = ask(1, 0, (6, 7))
    strided = [ask(2, 0, (7, 8)), ask(1, 2, (6, 7)), ask(2, 1, (8, 8))]
    with steps("dweight", 0.6):
        _judge_dweight(plain, *plain_inputs)
    with steps("dx", 0.6):
        _judge_dx(plain, *plain_inputs)
    with steps("dweight with stride and padding", 0.3):
        for answer, inputs in strided:
            _judge_dweight(answer, *inputs)
    with steps("dx with stride and padding", 0.3):
        for answer, inputs in strided:
            _judge_dx(answer, *inputs)
    with steps("x, weight and g left as they were", 0.2, after_all=True):
        for answer, _ in [(plain, None), *strided]:
            untouched(answer)


def _gradients(x, weight, g, stride, padding):
    """dx and dweight by PyTorch's own backward pass, in float64."""
    x, weight = x.double().requires_grad_(), weight.double().requires_grad_()
    F.conv2d(x, weight, stride=stride, padding=padding).backward(g.double())
    return x.grad.numpy(), weight.grad.numpy()


def _judge_dweight(answer, x, weight, g, stride, padding):
    other, right = _gradients(x, weight, g, stride, padding)
    first = _gradients(x[:1], weight, g[:1], stride, padding)[1]
    last = _gradients(x[-1:], weight, g[-1:], stride, padding)[1]
    usual = [
        (other, "this is dx: `return dx, dweight`, in this order."),
        (right / len(x), "this is the mean over the batch. g holds the 1/B of the loss already: "
         "add up the examples."),
        (first, "this is the gradient of the first example alone: add up the batch."),
        (last, "this is the gradient of the last example alone: add up, with `+=`."),
        (right[:, :, ::-1, ::-1], "it is turned by 180 degrees: entry (p, q) belongs to the window "
         "that starts at (p, q)."),
    ]  # fmt: skip
    advice = (
        "Entry (f, c, p, q) was multiplied by x[b, c, stride i + p, stride j + q] for every b, i "
        "and j, in the padded x."
    )
    compare("dweight", answer["dweight"], right, usual=usual, sizes={"B": len(x)}, advice=advice)


def _judge_dx(answer, x, weight, g, stride, padding):
    right, other = _gradients(x, weight, g, stride, padding)
    usual = [
        (other, "this is dweight: `return dx, dweight`, in this order."),
        (_gradients(x, weight.flip(2, 3), g, stride, padding)[0], "the kernel is turned by 180 "
         "degrees. Where windows are spread with `+=`, it stays as it is; where dx is computed as "
         "a convolution of g, it must be turned."),
        (_spread(x, weight, g, stride, padding, add=False), "where windows overlap, the last one "
         "has overwritten the others: an input that is used several times adds up, `+=`."),
        (_spread(x, weight, g, stride, padding, crop=False), "this is the gradient of the padded "
         "x: cut the padding off again, on all sides."),
        (right / len(x), "it is divided by B. An example's gradient is its own: g holds the 1/B "
         "of the loss already."),
    ]  # fmt: skip
    advice = (
        "x[b, c, stride i + p, stride j + q], in the padded x, went into y[b, f, i, j] with the "
        "weight (f, c, p, q): it gets back g[b, f, i, j] times that weight."
    )
    compare("dx", answer["dx"], right, usual=usual, sizes={"B": len(x)}, advice=advice)


def _spread(x, weight, g, stride, padding, add=True, crop=True):
    """dx by adding a kernel for every output, with mistakes if so asked."""
    x, weight, g = x.double().numpy(), weight.double().numpy(), g.double().numpy()
    dx = np.pad(np.zeros_like(x), ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    high, wide = weight.shape[2:]
    for i, j in np.ndindex(g.shape[2:]):
        here = np.s_[:, :, i * stride : i * stride + high, j * stride : j * stride + wide]
        share = np.einsum("bf,fcpq->bcpq", g[:, :, i, j], weight)
        dx[here] = dx[here] * add + share
    inside = slice(padding, -padding or None)
    return dx[:, :, inside, inside] if crop else dx


# --- pooling --------------------------------------------------------------------------------------


@check(points=1.0)
@one_thread()
def max_pool(steps, max_pool, *, seed=0):
    """`max_pool(x, size, stride)` keeps the largest value of each window of a batch of maps."""
    rng = np.random.default_rng(seed)
    answers = []

    def judge(shape, size, stride, advice):
        x = _tensor(rng, *shape) - 2  # most are negative
        answer = call(max_pool, x=x, size=size, stride=stride, returns=("y",))
        answers.append(answer)
        right = F.max_pool2d(x.double(), size, stride).numpy()
        compare("y", answer["y"], right, usual=_wrong_pools(x, size, stride), advice=advice)

    with steps("windows of 2 x 2, side by side", 0.5):
        judge((2, 3, 6, 8), 2, 2, "Each window of each map gives its largest value.")
    with steps("windows that overlap, and a border that is left over", 0.4):
        judge((2, 3, 8, 11), 3, 2, "Window (i, j) begins at (stride i, stride j).")
        judge((1, 2, 9, 7), 2, 3, "Window (i, j) begins at (stride i, stride j).")
    with steps("x left as it was", 0.1, after_all=True):
        for answer in answers:
            untouched(answer)


def _wrong_pools(x, size, stride):
    x = x.double()
    right = F.max_pool2d(x, size, stride)
    cases = [
        (F.avg_pool2d(x, size, stride), "this is the mean of each window: take the largest."),
        (-F.max_pool2d(-x, size, stride), "this is the smallest value of each window."),
        (right.clamp(min=0), "there is a 0 among the values: all values of a window may be "
         "negative."),
        (right.amax(1, keepdim=True), "each channel is pooled on its own: take no maximum over "
         "axis 1."),
        (right.amax(1), "each channel is pooled on its own: take no maximum over axis 1."),
        (F.max_pool2d(x, size, 1), "the stride is missing."),
        (F.max_pool2d(x, size, size), "the windows are `stride` apart, not `size`."),
        (F.max_pool2d(x, stride, stride), "the windows are `size` wide, not `stride`."),
        (F.max_pool2d(x, size, stride, ceil_mode=True), "a window that does not fit is left out: "
         "do not pad."),
        (right[:, :, :-1, :-1], "the last row and column are missing: count the windows again."),
    ]  # fmt: skip
    return [(wrong.numpy(), hint) for wrong, hint in cases if not torch.equal(wrong, right)]


# --- a network ------------------------------------------------------------------------------------

_LENET = {
    "conv1.weight": (6, 1, 5, 5), "conv1.bias": (6,),
    "conv2.weight": (16, 6, 5, 5), "conv2.bias": (16,),
    "fc1.weight": (120, 400), "fc1.bias": (120,),
    "fc2.weight": (84, 120), "fc2.bias": (84,),
    "fc3.weight": (10, 84), "fc3.bias": (10,),
}  # fmt: skip


def _same(x):
    return x


def _lenet(values, x, act=torch.relu, pool=F.max_pool2d, acts=(1, 1, 1, 1, 0), flat=_same,
           last=_same, pool_first=False):  # fmt: skip
    """The scores, in float64; the keywords are for mistakes."""
    v = {name: torch.from_numpy(value).double() for name, value in values.items()}
    act1, act2, act3, act4, act5 = (act if on else _same for on in acts)
    x = pool(act1(F.conv2d(x.double(), v["conv1.weight"], v["conv1.bias"], padding=2)), 2)
    x = pool(act2(F.conv2d(x, v["conv2.weight"], v["conv2.bias"])), 2)
    x = act3(F.linear(flat(x).flatten(1), v["fc1.weight"], v["fc1.bias"]))
    x = act4(F.linear(x, v["fc2.weight"], v["fc2.bias"]))
    return last(act5(F.linear(x, v["fc3.weight"], v["fc3.bias"]))).numpy()


def _mistaken(net, **mistake):
    return lambda values, x: net(values, x, **mistake)


_NO_SOFTMAX = (
    "`F.cross_entropy` takes scores and does the softmax itself; twice is once too many, and "
    "training slows down. Return the scores."
)
_PLACES = ("first convolution", "second convolution", "layer of 120", "layer of 84")
_WRONG_LENETS = [
    (_mistaken(_lenet, last=lambda s: s.softmax(1)), f"these are probabilities. {_NO_SOFTMAX}"),
    (_mistaken(_lenet, last=lambda s: s.log_softmax(1)),
     f"these are logarithms of probabilities. {_NO_SOFTMAX}"),
    (_mistaken(_lenet, last=torch.sigmoid), f"there is a sigmoid at the end. {_NO_SOFTMAX}"),
    (_mistaken(_lenet, acts=(1, 1, 1, 1, 1)),
     "there is a ReLU behind the last layer: it would throw away every negative score."),
    (_mistaken(_lenet, acts=(0, 0, 0, 0, 0)),
     "there is no ReLU anywhere; without one, layers behind each other are one layer."),
    (_mistaken(_lenet, acts=(1, 1, 0, 0, 0)),
     "the ReLUs behind the layers of 120 and 84 are missing."),
    (_mistaken(_lenet, acts=(0, 0, 1, 1, 0)), "the ReLUs behind the convolutions are missing."),
    *[(_mistaken(_lenet, acts=(*(n != place for n in range(4)), 0)),
       f"the ReLU behind the {name} is missing.") for place, name in enumerate(_PLACES)],
    (_mistaken(_lenet, pool=F.avg_pool2d),
     "here the pooling takes the largest value, not the mean."),
    (_mistaken(_lenet, act=torch.tanh), "there is a tanh where a ReLU was asked for."),
    (_mistaken(_lenet, act=torch.sigmoid), "there is a sigmoid where a ReLU was asked for."),
    (_mistaken(_lenet, act=torch.tanh, pool=F.avg_pool2d),
     "this is the net of 1998, with tanh and means; asked for were ReLU and maxima."),
    (_mistaken(_lenet, flat=lambda x: x.permute(0, 2, 3, 1)),
     "the 400 features stand in another order: flatten maps first, then rows, then columns, as "
     "`x.flatten(1)` does."),
    (_mistaken(_lenet, flat=lambda x: x.transpose(2, 3)),
     "rows and columns change places before the features are flattened."),
]  # fmt: skip
_LENET_SHAPES = {
    (120, 256): "Without padding the maps end up 4 x 4: the first convolution has `padding=2`.",
    (120, 784): "Maps of 7 x 7: the second convolution has no padding.",
    (120, 576): "Maps of 6 x 6: the second convolution has no padding.",
}


def _explain_lenet(got, expected):
    if len(got) == 4 and got[2:] != expected[2:]:
        return "The kernels are 5 x 5."
    if len(got) == 4 and got[1] != expected[1]:
        return "The second size counts the maps that come in: 1 for the pictures, 6 behind those."
    if got == expected[::-1]:
        return "It is transposed: nn.Linear takes the inputs first, nn.Linear(400, 120)."
    return _LENET_SHAPES.get(got, "")


@check(points=2.5)
@one_thread()
def LeNet(steps, LeNet, *, seed=0):
    """`LeNet` is a module that gives scores (B, 10) for pictures (B, 1, 28, 28)."""
    rng = np.random.default_rng(seed)
    net = Probe(LeNet)
    x = _tensor(rng, 5, 1, 28, 28)
    with steps("pictures (B, 1, 28, 28) to scores (B, 10), each on its own", 0.4):
        compare_shape(net, x, (5, 10))
        each_alone(net, x)
    with steps("61,706 parameters, and the scores depend on each tensor", 0.5):
        compare_parameters(net, _LENET, x, rng, explain=_explain_lenet)
    with steps("with weights of ours, the scores that these layers give", 0.9):
        _first(steps, "Judged once the parameters are those of the layers.")
        advice = (
            "Go through the table line by line: what stands behind each layer, and in what order?"
        )
        compare_function(net, _LENET, _lenet, x, rng, usual=_WRONG_LENETS, advice=advice)
    with steps("the gradient reaches every parameter", 0.3):
        _first_two(steps)
        gradients_reach(net, x, rng)
    with steps("32 digits with labels drawn by lot, learned by heart", 0.4, after_all=True):
        _first(steps)
        learns_by_heart(net, _digits(seed), rng.integers(0, 10, 32), rng)


def _first_two(steps):
    if any(step.state != PASSED for step in steps.done[:2]):
        raise Hint("Judged once the parameters are those of the layers.")


def _digits(seed):
    """32 pictures (32, 1, 28, 28), scaled to mean 0 and deviation 1."""
    from dlcourse.data import glyphs

    x = torch.from_numpy(np.array(glyphs(32, seed=seed).inputs))
    return (x - x.mean()) / x.std()


# --- a residual block -----------------------------------------------------------------------------


def _block_shapes(came, went, stride):
    norm = lambda name: {
        f"{name}.{kind}": (went,) for kind in ("weight", "bias", "running_mean", "running_var")
    }
    shapes = {"conv1.weight": (went, came, 3, 3), **norm("bn1"),
              "conv2.weight": (went, went, 3, 3), **norm("bn2")}  # fmt: skip
    if stride != 1 or came != went:
        shapes |= {"conv3.weight": (went, came, 1, 1), **norm("bn3")}
    return shapes


def _block(values, x, stride=1, training=False, between=True, last=True, way=True, around=True,
           norms=True):  # fmt: skip
    """The outputs of a residual block, in float64; the keywords after `training` are mistakes."""
    v = {name: torch.from_numpy(value).double() for name, value in values.items()}

    def norm(x, name):
        return F.batch_norm(
            x, v[f"{name}.running_mean"].clone(), v[f"{name}.running_var"].clone(),
            v[f"{name}.weight"], v[f"{name}.bias"], training,
        ) if norms else x  # fmt: skip

    x = x.double()
    y = norm(F.conv2d(x, v["conv1.weight"], stride=stride, padding=1), "bn1")
    y = norm(F.conv2d(torch.relu(y) if between else y, v["conv2.weight"], padding=1), "bn2")
    if around:
        short = x
        if "conv3.weight" in v:
            short = F.conv2d(x, v["conv3.weight"], stride=stride)
            short = norm(short, "bn3") if way else short
        y = (torch.relu(y) if last == "before" else y) + short
    return (torch.relu(y) if last is True else y).numpy()


def _wrong_blocks(stride, training):
    make = lambda **mistake: _mistaken(_block, stride=stride, training=training, **mistake)
    other = _mistaken(_block, stride=stride, training=not training)
    told = (
        "in training, batch norm takes mean and variance from the batch at hand; these come from "
        "the running ones. Was `momentum` or `eval` set, or F.batch_norm not told the mode?"
        if training
        else "in eval mode, batch norm uses its running mean and variance; here it goes on with "
        "those of the batch. Was F.batch_norm not told the mode?"
    )
    return [
        (other, told),
        (make(around=False), "the shortcut is missing: add x, as it came in."),
        (make(last=False), "the ReLU behind the sum is missing."),
        (make(last="before"), "the last ReLU comes behind the sum, not before it."),
        (make(between=False), "the ReLU between the convolutions is missing."),
        (make(way=False), "the shortcut's own batch norm is not used."),
        (make(norms=False), "the batch norms are not used."),
    ]


@check(points=1.5)
@one_thread()
def ResidualBlock(steps, ResidualBlock, *, seed=0):
    """`ResidualBlock(in_channels, out_channels, stride)` is a module of two convolutions."""
    rng = np.random.default_rng(seed)
    ways = {(4, 4, 1): "4 to 4 maps", (3, 5, 2): "3 to 5 maps, stride 2"}
    blocks = {
        way: Probe(ResidualBlock, in_channels=way[0], out_channels=way[1], stride=way[2])
        for way in ways
    }
    inputs = {way: _tensor(rng, 4, way[0], 8, 6) for way in ways}
    with steps("(B, C, H, W) to the shape asked for, each example on its own", 0.2):
        for way, block in blocks.items():
            _, went, stride = way
            compare_shape(block, inputs[way], (4, went, 8 // stride, 6 // stride))
            each_alone(block, inputs[way])
    with steps("the parameters", 0.3):
        for way, block in blocks.items():
            shapes = _block_shapes(*way)
            compare_parameters(block, shapes, inputs[way], rng, explain=_explain_block)
    for way, points in zip(ways, (0.3, 0.3), strict=True):
        with steps(f"with weights of ours, {ways[way]}", points):
            _first_two(steps)
            for training in (False, True):
                block = _mistaken(_block, stride=way[2], training=training)
                compare_function(
                    blocks[way], _block_shapes(*way), block, inputs[way], rng,
                    usual=_wrong_blocks(way[2], training), training=training,
                    advice="convolution, norm, ReLU, convolution, norm, plus the shortcut, ReLU.",
                )  # fmt: skip
    with steps("the input left as it was", 0.1, after_all=True):
        for block in blocks.values():
            block.untouched()
    with steps("the gradient reaches every parameter", 0.3):
        _first_two(steps)
        for way, block in blocks.items():
            gradients_reach(block, inputs[way], rng)


def _explain_block(got, expected):
    if len(got) == 4 and got[2:] != expected[2:]:
        return "The kernels are 3 x 3, and 1 x 1 in the shortcut."
    return ""

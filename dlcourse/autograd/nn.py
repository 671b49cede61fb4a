"""Layers: parameters together with what is computed from them.

Names, argument order, defaults and weight layouts are PyTorch's, so that the same weights fit both
and what is learned here holds there. Two things differ: initial weights come from a seed or
generator `rng`, and a layer is built from a few lines that can be read.
"""

import numpy as np

from . import conv, init, ops
from .tensor import Tensor


class Module:
    """A layer, or a net made of layers: calling it runs `forward`.

    Tensors that are attributes of a module belong to it, and so do modules; those tensors that
    require a gradient are its parameters. Arrays named in `buffers` are saved with the tensors.
    """

    training = True
    buffers = ()

    def __call__(self, *inputs, **options):
        return self.forward(*inputs, **options)

    def forward(self, *inputs):
        raise NotImplementedError(f"{type(self).__name__} has no forward method yet; write one")

    def children(self):
        """(name, module) for each module that is an attribute of this one."""
        for name, value in vars(self).items():
            if isinstance(value, Module):
                yield name, value

    def named_modules(self, prefix=""):
        """(path, module) for this module and all within it."""
        yield prefix, self
        for name, child in self.children():
            yield from child.named_modules(f"{prefix}.{name}" if prefix else name)

    def _state(self):
        """(path, module, attribute) of every tensor and buffer here and within."""
        for path, module in self.named_modules():
            for name, value in vars(module).items():
                if isinstance(value, Tensor) or name in module.buffers:
                    yield (f"{path}.{name}" if path else name), module, name

    def named_parameters(self):
        """(path, tensor) for each parameter, ``layers.0.weight``; a shared one is named once."""
        seen = set()
        for path, module, name in self._state():
            value = getattr(module, name)
            if isinstance(value, Tensor) and value.requires_grad and value not in seen:
                seen.add(value)
                yield path, value

    def parameters(self):
        """All parameters, as a list of tensors."""
        return [parameter for _, parameter in self.named_parameters()]

    def zero_grad(self):
        """Forget the gradients of all parameters."""
        for parameter in self.parameters():
            parameter.grad = None

    def train(self, mode=True):
        """Switch this module and all modules in it to training; `eval` switches back."""
        for _, module in self.named_modules():
            module.training = mode
        return self

    def eval(self):
        """Switch this module and all modules in it to evaluation."""
        return self.train(False)

    def state_dict(self):
        """A copy of every tensor and buffer, as {path: array}."""
        return {path: np.array(getattr(module, name)) for path, module, name in self._state()}

    def torch_state_dict(self):
        """The same as PyTorch tensors, for `load_state_dict` of a net built alike in PyTorch."""
        import torch

        return {path: torch.tensor(array) for path, array in self.state_dict().items()}

    def load_state_dict(self, state):
        """Take tensors and buffers from {path: array}; a PyTorch state dict fits too.

        Raises:
            ValueError: if names or shapes differ; nothing is changed then.
        """
        detached = lambda v: v.detach().cpu() if hasattr(v, "cpu") else v
        own, new = self.state_dict(), {path: np.asarray(detached(v)) for path, v in state.items()}
        if own.keys() != new.keys():
            raise ValueError(
                f"load_state_dict: missing {sorted(own.keys() - new.keys())}, "
                f"unexpected {sorted(new.keys() - own.keys())}; the two nets must be built alike"
            )
        for path, value in own.items():
            if value.shape != new[path].shape:
                raise ValueError(
                    f"load_state_dict: {path} has shape {value.shape}, got {new[path].shape}"
                )
        self._replace(lambda path, old: new[path].astype(old.dtype))

    def double(self):
        """Turn all tensors and buffers into float64, for exact comparisons."""
        self._replace(lambda _, old: old.astype(float) if old.dtype.kind == "f" else old)
        return self

    def _replace(self, new):
        """Put the array ``new(path, old array)`` in the place of every tensor's and buffer's."""
        for path, module, name in self._state():
            value = getattr(module, name)
            if isinstance(value, Tensor):
                value.data = new(path, value.data)
            else:
                setattr(module, name, new(path, value))


def parameter(array):
    """A tensor that is learned: float32, with a gradient."""
    return Tensor(np.asarray(array, dtype=np.float32), requires_grad=True)


class Sequential(Module):
    """Modules one after the other, each fed with the result of the one before."""

    def __init__(self, *modules):
        for position, module in enumerate(modules):
            if not isinstance(module, Module):
                raise TypeError(
                    f"Sequential: expected modules, got {module!r} at position {position}; "
                    "write nn.ReLU() for a function such as ops.relu, with parentheses"
                )
            setattr(self, str(position), module)

    def forward(self, x):
        for _, module in self.children():
            x = module(x)
        return x

    def __getitem__(self, position):
        return [module for _, module in self.children()][position]


# Layers that learn a map ----------------------------------------------------------------------


class Linear(Module):
    """The affine map y = x Wᵀ + b.

    Args:
        in_features: D, size of an input.
        out_features: K, size of an output.
        bias: whether to add b. Default True.
        rng: seed or `numpy.random.Generator` of the initial weights, He's normal ones. Default 0.

    Shapes: x (..., D), weight (K, D), bias (K,), result (..., K).
    """

    def __init__(self, in_features, out_features, bias=True, rng=0):
        self.weight = parameter(init.he_normal((out_features, in_features), rng))
        self.bias = parameter(np.zeros(out_features)) if bias else None

    def forward(self, x):
        if x.shape[-1:] != self.weight.shape[1:]:
            raise ValueError(
                f"Linear: expected inputs of shape (B, {self.weight.shape[1]}), got {x.shape}; "
                "pictures need nn.Flatten() first"
            )
        if self.bias is None:
            return x @ self.weight.T  # (B, D) @ (D, K) -> (B, K)
        return ops.linear(x, self.weight, self.bias)


class Conv2d(Module):
    """Filters that slide over pictures: see `conv.conv2d`.

    Args:
        in_channels, out_channels: C and K.
        kernel_size, stride, padding, dilation: numbers or pairs. Defaults 1, 0, 1 but the first.
        groups: number of channel groups that don't see each other. Default 1.
        bias: whether to add one number for each output channel. Default True.
        rng: seed or `numpy.random.Generator` of the initial weights, He's normal ones. Default 0.

    Shapes: x (N, C, H, W), weight (K, C/groups, kh, kw), result (N, K, oh, ow).
    """

    def __init__(
        self, in_channels, out_channels, kernel_size, stride=1, padding=0, dilation=1, groups=1,
        bias=True, rng=0,
    ):  # fmt: skip
        if groups < 1 or in_channels % groups or out_channels % groups:
            raise ValueError(
                f"Conv2d: {in_channels} input and {out_channels} output channels don't divide "
                f"into {groups} groups"
            )
        window = conv.Window.of(kernel_size, stride, padding, dilation)
        shape = (out_channels, in_channels // groups, *window.size)
        self.weight = parameter(init.he_normal(shape, rng))
        self.bias = parameter(np.zeros(out_channels)) if bias else None
        self.options = {
            "stride": stride, "padding": padding, "dilation": dilation, "groups": groups,
        }  # fmt: skip

    def forward(self, x):
        return conv.conv2d(x, self.weight, self.bias, **self.options)


class ConvTranspose2d(Module):
    """The transpose of a convolution, which enlarges pictures: see `conv.conv_transpose2d`.

    Arguments as in `Conv2d`, and `output_padding`: rows and columns to add at the lower right.

    Shapes: x (N, C, H, W), weight (C, K/groups, kh, kw), result (N, K, oh, ow).
    """

    def __init__(
        self, in_channels, out_channels, kernel_size, stride=1, padding=0, output_padding=0,
        groups=1, bias=True, dilation=1, rng=0,
    ):  # fmt: skip
        like = Conv2d(out_channels, in_channels, kernel_size, stride, padding, dilation, groups,
                      rng=rng)  # fmt: skip
        self.weight = like.weight
        self.bias = parameter(np.zeros(out_channels)) if bias else None
        self.options = like.options | {"output_padding": output_padding}

    def forward(self, x):
        return conv.conv_transpose2d(x, self.weight, self.bias, **self.options)


class Embedding(Module):
    """A table of D numbers for each of N symbols.

    Shapes: indices of any shape with integers in 0 .. N-1, weight (N, D), result (..., D).
    Initial weights are standard normal, from `rng`.
    """

    def __init__(self, num_embeddings, embedding_dim, rng=0):
        self.weight = parameter(init.normal((num_embeddings, embedding_dim), 1.0, rng))

    def forward(self, indices):
        return ops.embedding(indices, self.weight)


# Normalization --------------------------------------------------------------------------------


def _normalize(x, dim, eps):
    """x minus its mean, divided by its standard deviation, over the axes `dim`."""
    mean = x.mean(dim, keepdim=True)
    variance = x.var(dim, correction=0, keepdim=True)
    return (x - mean) / (variance + eps).sqrt(), mean, variance


def _scale(x, weight, bias):
    """Multiply and shift each channel (axis 1)."""
    if weight is None:
        return x
    shape = (1, -1) + (1,) * (x.ndim - 2)
    return x * weight.reshape(*shape) + bias.reshape(*shape)


class BatchNorm2d(Module):
    """Give each channel mean 0 and variance 1 over the batch (Ioffe and Szegedy, 2015).

    In training the batch's own statistics are used and running ones are updated; in evaluation
    the running ones take their place.

    Args:
        num_features: C.
        eps: added to the variance. Default 1e-5.
        momentum: weight of the newest batch in the running statistics. Default 0.1.

    Shapes: x (N, C, H, W); weight, bias, running_mean, running_var (C,).
    """

    buffers = ("running_mean", "running_var", "num_batches_tracked")
    axes = 4

    def __init__(self, num_features, eps=1e-5, momentum=0.1):
        self.weight = parameter(np.ones(num_features))
        self.bias = parameter(np.zeros(num_features))
        self.running_mean = np.zeros(num_features, np.float32)
        self.running_var = np.ones(num_features, np.float32)
        self.num_batches_tracked = np.array(0)
        self.eps, self.momentum = eps, momentum

    def forward(self, x):
        if x.ndim not in np.atleast_1d(self.axes) or x.shape[1] != len(self.running_mean):
            raise ValueError(
                f"{type(self).__name__}: expected {self.axes} axes with {len(self.running_mean)} "
                f"channels in axis 1, got {x.shape}"
            )
        dim = (0, *range(2, x.ndim))
        count = x.data.size // x.shape[1]
        if not self.training:
            return _scale(self._with_running(x), self.weight, self.bias)
        if count < 2:
            raise ValueError(
                f"{type(self).__name__}: a batch of shape {x.shape} has one value for each "
                "channel, whose variance is 0; use a larger batch or eval()"
            )
        normalized, mean, variance = _normalize(x, dim, self.eps)
        normalized = self._correct(normalized, mean, variance)
        self._track(mean.data.reshape(-1), variance.data.reshape(-1) * count / (count - 1))
        return _scale(normalized, self.weight, self.bias)

    def _with_running(self, x):
        shape = (1, -1) + (1,) * (x.ndim - 2)
        deviation = np.sqrt(self.running_var + x.dtype.type(self.eps))
        return (x - self.running_mean.reshape(shape)) / deviation.reshape(shape)

    def _correct(self, normalized, mean, variance):
        return normalized

    def _track(self, mean, variance):
        m = self.momentum
        self.running_mean = ((1 - m) * self.running_mean + m * mean).astype(mean.dtype)
        self.running_var = ((1 - m) * self.running_var + m * variance).astype(mean.dtype)
        self.num_batches_tracked = self.num_batches_tracked + 1


class BatchNorm1d(BatchNorm2d):
    """`BatchNorm2d` for x (N, C) or (N, C, L)."""

    axes = (2, 3)


class BatchRenorm(BatchNorm2d):
    """Batch normalization that agrees in training and evaluation (Ioffe, 2017).

    The batch's normalized values are corrected by r = s_batch / s_running and
    d = (mean_batch - mean_running) / s_running, clipped to [1/r_max, r_max] and [-d_max, d_max];
    no gradient flows through r and d.

    Args:
        num_features: C.
        r_max, d_max: the clipping. Defaults 3 and 5, where the paper's schedule ends.
        eps, momentum: as in `BatchNorm2d`; the paper uses a small momentum. Default 0.01.
    """

    axes = (2, 3, 4)

    def __init__(self, num_features, r_max=3.0, d_max=5.0, eps=1e-5, momentum=0.01):
        super().__init__(num_features, eps, momentum)
        self.r_max, self.d_max = r_max, d_max

    def _correct(self, normalized, mean, variance):
        shape = mean.shape
        running_std = np.sqrt(self.running_var + self.eps).reshape(shape)
        r = np.sqrt(variance.data + self.eps) / running_std
        d = (mean.data - self.running_mean.reshape(shape)) / running_std
        r = np.clip(r, 1 / self.r_max, self.r_max).astype(normalized.dtype)
        d = np.clip(d, -self.d_max, self.d_max).astype(normalized.dtype)
        return normalized * r + d


class LayerNorm(Module):
    """Mean 0 and variance 1 over the last axes of each example (Ba et al., 2016).

    `normalized_shape` is the shape of those axes, a number or a tuple; weight and bias have it.
    """

    def __init__(self, normalized_shape, eps=1e-5):
        shape = tuple(np.atleast_1d(normalized_shape).tolist())
        self.weight, self.bias = parameter(np.ones(shape)), parameter(np.zeros(shape))
        self.eps = eps

    def forward(self, x):
        axes = self.weight.ndim
        if x.shape[-axes:] != self.weight.shape:
            raise ValueError(
                f"LayerNorm: expected last axes {self.weight.shape}, got an input of {x.shape}"
            )
        normalized, _, _ = _normalize(x, tuple(range(-axes, 0)), self.eps)
        return normalized * self.weight + self.bias


class GroupNorm(Module):
    """Mean 0 and variance 1 over groups of channels of each example (Wu and He, 2018).

    Shapes: x (N, C, ...) with C divisible by `num_groups`; weight and bias (C,).
    """

    def __init__(self, num_groups, num_channels, eps=1e-5, affine=True):
        if num_groups < 1 or num_channels % num_groups:
            raise ValueError(f"GroupNorm: {num_channels} channels don't form {num_groups} groups")
        self.weight = parameter(np.ones(num_channels)) if affine else None
        self.bias = parameter(np.zeros(num_channels)) if affine else None
        self.num_groups, self.num_channels, self.eps = num_groups, num_channels, eps

    def forward(self, x):
        if x.ndim < 2 or x.shape[1] != self.num_channels:
            raise ValueError(
                f"{type(self).__name__}: expected {self.num_channels} channels in axis 1, "
                f"got {x.shape}"
            )
        grouped = x.reshape(len(x) * self.num_groups, x.data[:1].size // self.num_groups)
        normalized, _, _ = _normalize(grouped, -1, self.eps)
        return _scale(normalized.reshape(*x.shape), self.weight, self.bias)


class InstanceNorm2d(GroupNorm):
    """Mean 0 and variance 1 over each channel of each picture (Ulyanov et al., 2016)."""

    def __init__(self, num_features, eps=1e-5, affine=False):
        super().__init__(num_features, num_features, eps, affine)


# Recurrence -----------------------------------------------------------------------------------


class RNN(Module):
    """h_t = tanh(W_ih x_t + b_ih + W_hh h_{t-1} + b_hh) (Elman, 1990).

    Args:
        input_size, hidden_size: D and H.
        batch_first: whether x is (B, T, D) instead of (T, B, D). Default False.
        rng: seed or generator; weights are uniform in ±1/sqrt(H). Default 0.

    Calling it with x, and a first state (1, B, H) if it is not zero, returns all states
    (T, B, H) and the last one (1, B, H).
    """

    gates, state_size = 1, 1

    def __init__(self, input_size, hidden_size, batch_first=False, rng=0):
        rng, limit = np.random.default_rng(rng), 1 / np.sqrt(hidden_size)
        rows = self.gates * hidden_size
        self.weight_ih_l0 = parameter(init.uniform((rows, input_size), limit, rng))
        self.weight_hh_l0 = parameter(init.uniform((rows, hidden_size), limit, rng))
        self.bias_ih_l0 = parameter(init.uniform((rows,), limit, rng))
        self.bias_hh_l0 = parameter(init.uniform((rows,), limit, rng))
        self.hidden_size, self.batch_first = hidden_size, batch_first

    def forward(self, x, state=None):
        D = self.weight_ih_l0.shape[1]
        if x.ndim != 3 or x.shape[2] != D:
            layout = "(B, T, D)" if self.batch_first else "(T, B, D)"
            raise ValueError(
                f"{type(self).__name__}: expected {layout} with D = {D}, got {x.shape}"
            )
        x = x.transpose(0, 1) if self.batch_first else x
        if not len(x):
            raise ValueError(f"{type(self).__name__}: the sequence has no steps, shape {x.shape}")
        state = self._first_state(state, x)
        # The inputs of all steps at once: one large product is faster than T small ones.
        from_inputs = ops.linear(x, self.weight_ih_l0, self.bias_ih_l0)  # (T, B, gates H)
        outputs = []
        for from_input in ops.unbind(from_inputs):
            state = self.step(from_input, state)
            outputs.append(state[0])
        outputs = ops.stack(outputs, 1 if self.batch_first else 0)
        return outputs, self._last_state(state)

    def step(self, from_input, state):
        """From the state before to the state after; a state is a tuple of (B, H) tensors."""
        (h,) = state
        return ((from_input + self._from_hidden(h)).tanh(),)

    def _from_hidden(self, h):
        return ops.linear(h, self.weight_hh_l0, self.bias_hh_l0)

    def _first_state(self, state, x):
        """As many tensors (B, H) as `state_size` says, zeros unless given."""
        shape = (1, x.shape[1], self.hidden_size)
        if state is None:
            state = (Tensor(np.zeros(shape, x.dtype)),) * self.state_size
        state = state if isinstance(state, tuple) else (state,)
        shapes = [part.shape for part in state]
        if shapes != [shape] * self.state_size:
            raise ValueError(
                f"{type(self).__name__}: expected a first state of {self.state_size} tensor(s) "
                f"(1, B, H) = {shape}, got {shapes}"
            )
        return tuple(part.squeeze(0) for part in state)

    def _last_state(self, state):
        state = tuple(part.unsqueeze(0) for part in state)
        return state if self.state_size > 1 else state[0]


class GRU(RNN):
    """Gated recurrent unit (Cho et al., 2014), in PyTorch's form; arguments as in `RNN`."""

    gates = 3

    def step(self, from_input, state):
        (h,) = state
        reset, update, candidate = from_input.chunk(3, dim=1)
        reset_h, update_h, candidate_h = self._from_hidden(h).chunk(3, dim=1)
        reset, update = (reset + reset_h).sigmoid(), (update + update_h).sigmoid()
        candidate = (candidate + reset * candidate_h).tanh()
        return (candidate + update * (h - candidate),)


class LSTM(RNN):
    """Long short-term memory (Hochreiter and Schmidhuber, 1997) with a forget gate (Gers, 2000).

    Arguments as in `RNN`; the state is a pair (h, c), and so is what it returns as last state.
    """

    gates, state_size = 4, 2

    def step(self, from_input, state):
        h, c = state
        keep_new, keep_old, candidate, show = (from_input + self._from_hidden(h)).chunk(4, dim=1)
        c = keep_old.sigmoid() * c + keep_new.sigmoid() * candidate.tanh()
        return show.sigmoid() * c.tanh(), c


# Attention ------------------------------------------------------------------------------------


class MultiheadAttention(Module):
    """Each position asks all others, several questions at once (Vaswani et al., 2017).

    Args:
        embed_dim: E, divisible by `num_heads`.
        num_heads: how many questions.
        batch_first: whether inputs are (B, T, E) instead of (T, B, E). Default False.
        rng: seed or generator of the weights, Glorot's uniform ones. Default 0.

    Calling it with queries, keys and values returns the answers, shaped as the queries, and the
    attention weights (B, T, S), averaged over the heads. `attn_mask` (T, S), boolean, is True
    where looking is forbidden.
    """

    def __init__(self, embed_dim, num_heads, batch_first=False, rng=0):
        if num_heads < 1 or embed_dim % num_heads:
            raise ValueError(
                f"MultiheadAttention: {embed_dim} features don't divide into {num_heads} heads"
            )
        rng = np.random.default_rng(rng)
        self.in_proj_weight = parameter(init.glorot_uniform((3 * embed_dim, embed_dim), rng))
        self.in_proj_bias = parameter(np.zeros(3 * embed_dim))
        self.out_proj = Linear(embed_dim, embed_dim, rng=rng)
        self.num_heads, self.batch_first = num_heads, batch_first

    def forward(self, query, key, value, attn_mask=None):
        E = len(self.out_proj.weight)
        if any(x.ndim != 3 or x.shape[2] != E for x in (query, key, value)):
            raise ValueError(
                f"MultiheadAttention: expected three inputs with {E} features in the last of "
                f"three axes, got {query.shape}, {key.shape}, {value.shape}"
            )
        if not self.batch_first:
            query, key, value = (x.transpose(0, 1) for x in (query, key, value))
        weights, biases = self.in_proj_weight.chunk(3), self.in_proj_bias.chunk(3)
        queries, keys, values = (
            self._heads(ops.linear(*inputs))
            for inputs in zip((query, key, value), weights, biases, strict=True)
        )  # (B, heads, T, d)
        answers, weights = ops.attention(queries, keys, values, attn_mask)
        answers = answers.transpose(1, 2).reshape(*query.shape)  # (B, T, E)
        answers = self.out_proj(answers)
        return answers if self.batch_first else answers.transpose(0, 1), weights.mean(1)

    def _heads(self, x):
        return x.reshape(*x.shape[:2], self.num_heads, -1).transpose(1, 2)


# Layers without parameters --------------------------------------------------------------------


class Dropout(Module):
    """In training, set entries to 0 with probability p; the random numbers come from `rng`."""

    def __init__(self, p=0.5, rng=0):
        ops.check_probability("Dropout", p)
        self.p, self.rng = p, np.random.default_rng(rng)

    def forward(self, x):
        return ops.dropout(x, self.p, self.training, self.rng)


class Flatten(Module):
    """(B, C, H, W) -> (B, C*H*W)."""

    def forward(self, x):
        return x.flatten(1)


class MaxPool2d(Module):
    """The largest entry under each position of a window: see `conv.max_pool2d`."""

    pool = staticmethod(conv.max_pool2d)

    def __init__(self, kernel_size, stride=None, padding=0):
        self.options = (kernel_size, stride, padding)

    def forward(self, x):
        return self.pool(x, *self.options)


class AvgPool2d(MaxPool2d):
    """The mean under each position of a window: see `conv.avg_pool2d`."""

    pool = staticmethod(conv.avg_pool2d)


class _EachEntry(Module):
    """A function of each entry, without parameters or options."""

    def forward(self, x):
        return self.function(x)


class ReLU(_EachEntry):
    """max(0, x)."""

    function = staticmethod(ops.relu)


class Tanh(_EachEntry):
    """The hyperbolic tangent, between -1 and 1."""

    function = staticmethod(ops.tanh)


class Sigmoid(_EachEntry):
    """1 / (1 + exp(-x)), between 0 and 1."""

    function = staticmethod(ops.sigmoid)


class GELU(_EachEntry):
    """x times the probability that a standard normal number lies below x."""

    function = staticmethod(ops.gelu)


class SiLU(_EachEntry):
    """x times sigmoid(x), also called swish."""

    function = staticmethod(ops.silu)


class Softplus(_EachEntry):
    """log(1 + exp(x)), a smooth ReLU."""

    function = staticmethod(ops.softplus)


class LeakyReLU(Module):
    """x where positive, `negative_slope` times x elsewhere."""

    def __init__(self, negative_slope=0.01):
        self.negative_slope = negative_slope

    def forward(self, x):
        return ops.leaky_relu(x, self.negative_slope)


class ELU(Module):
    """x where positive, `alpha` (exp(x) - 1) elsewhere."""

    def __init__(self, alpha=1.0):
        self.alpha = alpha

    def forward(self, x):
        return ops.elu(x, self.alpha)


class Softmax(Module):
    """Positive numbers that sum to 1 along the axis `dim`."""

    def __init__(self, dim=-1):
        self.dim = dim

    def forward(self, x):
        return ops.softmax(x, self.dim)

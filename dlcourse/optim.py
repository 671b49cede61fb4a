"""Optimizers: how a gradient becomes a step. Schedules: how long the steps are, over time.

Written once for the NumPy engine and for PyTorch: all they touch is ``p.data`` and ``p.grad``, and
what they do with them means the same for arrays and for tensors. Names and defaults are PyTorch's.
"""

import math


class Optimizer:
    """What all optimizers share: the parameters, the learning rate, a memory for each parameter.

    Args:
        parameters: the tensors to change, from this engine or from PyTorch.
        lr: learning rate, > 0.
        weight_decay: this times the parameter is added to its gradient (L2 penalty). Default 0.

    Raises:
        ValueError: for settings out of range, or if there is no parameter.
        TypeError: if `parameters` is not a list of tensors.
    """

    def __init__(self, parameters, lr, weight_decay=0.0):
        self.parameters = [parameters] if hasattr(parameters, "grad") else list(parameters)
        if not self.parameters:
            raise ValueError(f"{type(self).__name__}: no parameters; pass model.parameters()")
        if not all(hasattr(parameter, "grad") for parameter in self.parameters):
            raise TypeError(
                f"{type(self).__name__}: expected tensors, got "
                f"{type(self.parameters[0]).__name__}; pass model.parameters()"
            )
        self._check("lr", lr, lr > 0, "positive")
        self._check("weight_decay", weight_decay, weight_decay >= 0, "at least 0")
        self.lr, self.weight_decay = lr, weight_decay
        self.steps = 0
        self.memories = [{} for _ in self.parameters]

    def _check(self, name, value, good, expected):
        if not good:
            raise ValueError(f"{type(self).__name__}: {name} must be {expected}, got {value}")

    def zero_grad(self):
        """Forget all gradients: call it before each backward pass, because gradients add up."""
        for parameter in self.parameters:
            parameter.grad = None

    def step(self):
        """Move every parameter that has a gradient."""
        self.steps += 1
        for parameter, memory in zip(self.parameters, self.memories, strict=True):
            if parameter.grad is not None:
                gradient = self.decay(parameter, parameter.grad)
                parameter.data -= self.lr * self.direction(gradient, memory)

    def decay(self, parameter, gradient):
        """The gradient with the penalty on large weights added."""
        return gradient + self.weight_decay * parameter.data if self.weight_decay else gradient

    def direction(self, gradient, memory):
        """What to subtract, before it is multiplied by the learning rate.

        `memory` is this parameter's own dict, kept from step to step.
        """
        raise NotImplementedError(f"{type(self).__name__} has no direction method yet; write one")

    def state_dict(self):
        """All that `load_state_dict` needs to go on as if nothing had happened."""
        return {"steps": self.steps, "lr": self.lr, "memories": [dict(m) for m in self.memories]}

    def load_state_dict(self, state):
        """Take over what `state_dict` returned."""
        if len(state["memories"]) != len(self.memories):
            raise ValueError(
                f"{type(self).__name__}: the state is of {len(state['memories'])} parameters, "
                f"this optimizer has {len(self.memories)}"
            )
        self.steps, self.lr = state["steps"], state["lr"]
        self.memories = [dict(memory) for memory in state["memories"]]


class SGD(Optimizer):
    """Stochastic gradient descent, with momentum if wanted (Polyak, 1964).

    With momentum mu and learning rate lr, each step does v = mu v + gradient, p = p - lr v.

    Args:
        momentum: mu, in [0, 1). Default 0: each step follows the gradient alone.
        nesterov: look ahead along the velocity before stepping (Nesterov, 1983). Default False.

    The others as in `Optimizer`.
    """

    def __init__(self, parameters, lr, momentum=0.0, weight_decay=0.0, nesterov=False):
        super().__init__(parameters, lr, weight_decay)
        self._check("momentum", momentum, 0 <= momentum < 1, "in [0, 1)")
        self._check("momentum", momentum, momentum or not nesterov, "positive for nesterov")
        self.momentum, self.nesterov = momentum, nesterov

    def direction(self, gradient, memory):
        if not self.momentum:
            return gradient
        velocity = gradient
        if "velocity" in memory:
            velocity = self.momentum * memory["velocity"] + gradient
        memory["velocity"] = velocity
        return gradient + self.momentum * velocity if self.nesterov else velocity


class Adagrad(Optimizer):
    """Steps shrink for entries that have moved much (Duchi et al., 2011)."""

    def __init__(self, parameters, lr=0.01, weight_decay=0.0, eps=1e-10):
        super().__init__(parameters, lr, weight_decay)
        self.eps = eps

    def direction(self, gradient, memory):
        memory["sum"] = memory.get("sum", 0) + gradient**2
        return gradient / (memory["sum"] ** 0.5 + self.eps)


class RMSprop(Optimizer):
    """Divide by a running root mean square of the gradient (Tieleman and Hinton, 2012)."""

    def __init__(self, parameters, lr=0.01, alpha=0.99, eps=1e-8, weight_decay=0.0):
        super().__init__(parameters, lr, weight_decay)
        self._check("alpha", alpha, 0 <= alpha < 1, "in [0, 1)")
        self.alpha, self.eps = alpha, eps

    def direction(self, gradient, memory):
        memory["square"] = _running_mean(memory.get("square", 0), gradient**2, self.alpha)
        return gradient / (memory["square"] ** 0.5 + self.eps)


class Adam(Optimizer):
    """Momentum and RMSprop together, corrected for their start at zero (Kingma and Ba, 2015)."""

    def __init__(self, parameters, lr=0.001, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0):
        super().__init__(parameters, lr, weight_decay)
        self._check("betas", betas, all(0 <= beta < 1 for beta in betas), "in [0, 1)")
        self.betas, self.eps = betas, eps

    def direction(self, gradient, memory):
        beta1, beta2 = self.betas
        memory["t"] = t = memory.get("t", 0) + 1
        memory["mean"] = _running_mean(memory.get("mean", 0), gradient, beta1)
        memory["square"] = _running_mean(memory.get("square", 0), gradient**2, beta2)
        size = (memory["square"] / (1 - beta2**t)) ** 0.5 + self.eps
        return memory["mean"] / (1 - beta1**t) / size


class AdamW(Adam):
    """Adam whose weight decay shrinks the weights themselves (Loshchilov and Hutter, 2019)."""

    def __init__(self, parameters, lr=0.001, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01):
        super().__init__(parameters, lr, betas, eps, weight_decay)

    def decay(self, parameter, gradient):
        parameter.data *= 1 - self.lr * self.weight_decay
        return gradient


def _running_mean(old, new, keep):
    return keep * old + (1 - keep) * new


def clip_grad_norm(parameters, max_norm):
    """Shorten all gradients together so that their joint length is at most `max_norm`.

    Args:
        parameters: tensors of either engine; those without a gradient don't count.
        max_norm: > 0.

    Returns:
        the length before, a float.
    """
    if not max_norm > 0:
        raise ValueError(f"clip_grad_norm: max_norm must be positive, got {max_norm}")
    parameters = [p for p in parameters if p.grad is not None]
    norm = math.sqrt(sum(float((p.grad**2).sum()) for p in parameters))
    if norm > max_norm:
        for parameter in parameters:
            parameter.grad = parameter.grad * (max_norm / (norm + 1e-6))
    return norm


# Schedules ------------------------------------------------------------------------------------


class Schedule:
    """A learning rate that changes: call `step` after each step of the optimizer.

    `factor(t)` is what the first learning rate is multiplied by after t steps.
    """

    def __init__(self, optimizer):
        self.optimizer, self.first_lr, self.t = optimizer, optimizer.lr, 0
        self._apply()

    def factor(self, t):
        """Learning rate after t steps, as a multiple of the first one."""
        raise NotImplementedError(f"{type(self).__name__} has no factor method yet; write one")

    def step(self):
        """Count one step and set the optimizer's learning rate."""
        self.t += 1
        self._apply()

    def _apply(self):
        self.optimizer.lr = self.first_lr * self.factor(self.t)


def _check_steps(name, steps):
    if steps < 1:
        raise ValueError(f"{name}: expected at least 1 step, got {steps}")


class StepLR(Schedule):
    """Times `gamma` every `step_size` steps."""

    def __init__(self, optimizer, step_size, gamma=0.1):
        _check_steps("StepLR", step_size)
        self.step_size, self.gamma = step_size, gamma
        super().__init__(optimizer)

    def factor(self, t):
        return self.gamma ** (t // self.step_size)


class ExponentialLR(Schedule):
    """Times `gamma` at every step."""

    def __init__(self, optimizer, gamma):
        self.gamma = gamma
        super().__init__(optimizer)

    def factor(self, t):
        return self.gamma**t


class CosineAnnealingLR(Schedule):
    """Down to `eta_min` along half a cosine in `T_max` steps (Loshchilov and Hutter, 2017)."""

    def __init__(self, optimizer, T_max, eta_min=0.0):
        _check_steps("CosineAnnealingLR", T_max)
        self.T_max, self.lowest = T_max, eta_min / optimizer.lr
        super().__init__(optimizer)

    def factor(self, t):
        return self.lowest + (1 - self.lowest) * (1 + math.cos(math.pi * t / self.T_max)) / 2


class LinearLR(Schedule):
    """Warm-up: from `start_factor` times the rate to the whole of it in `total_iters` steps."""

    def __init__(self, optimizer, start_factor=1 / 3, total_iters=5):
        _check_steps("LinearLR", total_iters)
        self.start_factor, self.total_iters = start_factor, total_iters
        super().__init__(optimizer)

    def factor(self, t):
        share = min(t / self.total_iters, 1)
        return self.start_factor + (1 - self.start_factor) * share


class OneCycleLR(Schedule):
    """Up to `max_lr`, then far down, both along half a cosine (Smith and Topin, 2018).

    Args:
        optimizer: its own learning rate is replaced.
        max_lr: the highest rate.
        total_steps: length of the cycle.
        pct_start: share of the steps that go up. Default 0.3.
        div_factor: max_lr is so many times the first rate. Default 25.
        final_div_factor: the first rate is so many times the last one. Default 1e4.
    """

    def __init__(
        self, optimizer, max_lr, total_steps, pct_start=0.3, div_factor=25.0, final_div_factor=1e4
    ):
        _check_steps("OneCycleLR", total_steps)
        if not 0 < pct_start < 1:
            raise ValueError(f"OneCycleLR: pct_start must lie between 0 and 1, got {pct_start}")
        optimizer.lr = max_lr / div_factor
        self.total_steps, self.top = total_steps, pct_start * total_steps - 1
        self.highest, self.lowest = div_factor, 1 / final_div_factor
        super().__init__(optimizer)

    def factor(self, t):
        if t > self.total_steps:
            raise ValueError(f"OneCycleLR: the cycle has {self.total_steps} steps, this is {t}")
        if t < self.top:
            start, end, share = 1, self.highest, t / self.top
        else:
            start, end = self.highest, self.lowest
            share = min((t - self.top) / (self.total_steps - 1 - self.top), 1)
        return end + (start - end) * (1 + math.cos(math.pi * share)) / 2

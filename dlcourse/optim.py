"""Optimizers: how a gradient becomes a step.

Written once for the NumPy engine and for PyTorch: all they touch is ``p.data`` and ``p.grad``.
"""


class SGD:
    """Stochastic gradient descent, with momentum if wanted (Polyak, 1964).

    With momentum mu and learning rate lr, each step does v = mu v + gradient, p = p - lr v.

    Args:
        parameters: the tensors to change, from this engine or from PyTorch.
        lr: learning rate, > 0.
        momentum: mu, in [0, 1). Default 0: each step follows the gradient alone.

    Raises:
        ValueError: for settings out of range, or if there is no parameter.
    """

    def __init__(self, parameters, lr, momentum=0.0):
        self.parameters = list(parameters)
        if not self.parameters:
            raise ValueError("SGD: got no parameters; pass model.parameters()")
        if not lr > 0:
            raise ValueError(f"SGD: lr must be positive, got {lr}")
        if not 0 <= momentum < 1:
            raise ValueError(f"SGD: momentum must lie in [0, 1), got {momentum}")
        self.lr, self.momentum = lr, momentum
        self.velocities = [None] * len(self.parameters)

    def zero_grad(self):
        """Forget all gradients: call it before each backward pass, because gradients add up."""
        for parameter in self.parameters:
            parameter.grad = None

    def step(self):
        """Move every parameter that has a gradient."""
        for i, parameter in enumerate(self.parameters):
            if parameter.grad is None:
                continue
            direction = parameter.grad
            if self.momentum:
                velocity = self.velocities[i]
                rest = 0 if velocity is None else self.momentum * velocity
                direction = self.velocities[i] = rest + direction
            parameter.data -= self.lr * direction

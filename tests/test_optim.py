"""Every optimizer and schedule against PyTorch's, for the parameters of both engines."""

import inspect

import numpy as np
import pytest
import torch

from dlcourse import optim
from dlcourse.autograd import Tensor
from dlcourse.metrics import as_array

OPTIMIZERS = [
    ("SGD", dict(lr=0.05)),
    ("SGD", dict(lr=0.05, momentum=0.9)),
    ("SGD", dict(lr=0.01, momentum=0.9, nesterov=True, weight_decay=0.1)),
    ("Adagrad", dict(lr=0.05)),
    ("Adagrad", dict(lr=0.05, weight_decay=0.1, eps=1e-6)),
    ("RMSprop", dict(lr=0.02)),
    ("RMSprop", dict(lr=0.004, alpha=0.9, weight_decay=0.1, eps=1e-2)),
    ("Adam", dict(lr=0.05)),
    ("Adam", dict(lr=0.02, betas=(0.8, 0.99), weight_decay=0.1, eps=1e-6)),
    ("AdamW", dict(lr=0.05)),
    ("AdamW", dict(lr=0.02, weight_decay=0.3)),
]
SCHEDULES = [
    ("StepLR", dict(step_size=7, gamma=0.5)),
    ("ExponentialLR", dict(gamma=0.98)),
    ("CosineAnnealingLR", dict(T_max=100, eta_min=0.001)),
    ("LinearLR", dict(start_factor=0.1, total_iters=20)),
    ("OneCycleLR", dict(max_lr=0.1, total_steps=100)),
    ("OneCycleLR", dict(max_lr=0.1, total_steps=120, pct_start=0.4, div_factor=10)),
]
START = np.random.default_rng(0).standard_normal((4, 3))


def hills(p):
    """Smooth, with a third-order part, so that gradients keep changing."""
    return ((p - 1) ** 2 * 0.5 + p * p * p * 0.01).sum()


def train(parameter, optimizer, schedule=None, steps=100):
    """The parameter after every step."""
    path = []
    for _ in range(steps):
        optimizer.zero_grad()
        hills(parameter).backward()
        optimizer.step()
        if schedule is not None:
            schedule.step()
        path.append(as_array(parameter.data).copy())
    return np.array(path)


def ours():
    return Tensor(START.copy(), requires_grad=True)


def theirs():
    return torch.tensor(START, requires_grad=True)


@pytest.mark.parametrize(("name", "settings"), OPTIMIZERS)
def test_100_steps_equal_torch_with_parameters_of_either_engine(name, settings):
    reference = theirs()
    expected = train(reference, getattr(torch.optim, name)([reference], **settings))
    assert np.abs(expected[-1] - START).max() > 0.1
    for parameter in (ours(), theirs()):
        path = train(parameter, getattr(optim, name)([parameter], **settings))
        np.testing.assert_allclose(path, expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize(("name", "settings"), SCHEDULES)
@pytest.mark.parametrize("optimizer", ["SGD", "AdamW"])
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_100_steps_under_a_schedule_equal_torch(name, settings, optimizer):
    parameter, reference = ours(), theirs()
    mine = getattr(optim, optimizer)([parameter], lr=0.05)
    other = getattr(torch.optim, optimizer)([reference], lr=0.05)
    schedule = getattr(optim, name)(mine, **settings)
    extra = dict(cycle_momentum=False) if name == "OneCycleLR" else {}
    expected = getattr(torch.optim.lr_scheduler, name)(other, **settings, **extra)
    np.testing.assert_allclose(
        train(parameter, mine, schedule), train(reference, other, expected), rtol=1e-10, atol=1e-10
    )


def test_tables_are_complete():
    classes = {n for n, c in vars(optim).items() if inspect.isclass(c)} - {"Optimizer", "Schedule"}
    assert classes == {name for name, _ in OPTIMIZERS + SCHEDULES}


def test_one_cycle_ends_and_says_so():
    schedule = optim.OneCycleLR(optim.SGD([ours()], 0.1), 0.1, total_steps=5)
    for _ in range(5):
        schedule.step()
    with pytest.raises(ValueError, match="5 steps, this is 6"):
        schedule.step()


def test_clipping_equals_torch():
    for limit in (0.5, 100.0):
        parameters, references = [ours(), ours()], [theirs(), theirs()]
        for p in parameters + references:
            (hills(p) * 2).backward()
        spare = Tensor([1.0], requires_grad=True)  # without a gradient: it doesn't count
        norm = optim.clip_grad_norm([*parameters, spare], limit)
        assert norm == pytest.approx(float(torch.nn.utils.clip_grad_norm_(references, limit)))
        for p, q in zip(parameters, references, strict=True):
            np.testing.assert_allclose(p.grad, q.grad.numpy(), rtol=1e-10)


def test_parameters_without_gradient_stay():
    used, unused = ours(), ours()
    hills(used).backward()
    optim.AdamW([used, unused], lr=0.1).step()
    np.testing.assert_array_equal(unused.data, START)
    assert (used.data != START).any()


@pytest.mark.parametrize(("name", "settings"), OPTIMIZERS)
def test_state_of_an_optimizer_continues_as_if_nothing_had_happened(name, settings):
    whole = ours()
    expected = train(whole, getattr(optim, name)([whole], **settings), steps=20)
    first = ours()
    optimizer = getattr(optim, name)([first], **settings)
    train(first, optimizer, steps=10)
    second = Tensor(first.data.copy(), requires_grad=True)
    resumed = getattr(optim, name)([second], **settings)
    resumed.load_state_dict(optimizer.state_dict())
    np.testing.assert_array_equal(train(second, resumed, steps=10), expected[10:])
    with pytest.raises(ValueError, match="of 1 parameters, this optimizer has 2"):
        getattr(optim, name)([ours(), ours()], **settings).load_state_dict(optimizer.state_dict())

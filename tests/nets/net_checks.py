"""What must hold for every net, given as a `Case`: counts, gradients, learning, refusals."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
import torch
from reference import fill
from torch import nn
from torch.utils.flop_counter import FlopCounterMode


@dataclass(frozen=True)
class Case:
    """A net, as published and at teaching size.

    Args:
        build: makes the net as published.
        picture: (C, H, W) that it is made for.
        parameters: how many it has.
        macs: multiply-accumulates for one picture, as quoted; to be met within 1 %.
        small: arguments of `build` for teaching size.
        small_picture: (C, H, W) at teaching size.
        steps, lr: of Adam, to learn one batch by heart at teaching size.
        sizes: "exact" if pictures must have one size, "any", or "limited" to a smallest size.
    """

    build: Callable
    picture: tuple
    parameters: int
    macs: float
    small: dict
    small_picture: tuple
    steps: int = 30
    lr: float = 1e-3
    sizes: str = "limited"
    classes: int = field(default=4, init=False)

    def teaching(self, **options):
        torch.manual_seed(0)
        return self.build(**{"num_classes": self.classes, **self.small, **options})

    def judging(self):
        """In evaluation, with weights under which the answer depends on the picture."""
        net = fill(self.teaching())
        for module in net.modules():
            if isinstance(module, nn.BatchNorm2d):
                nn.init.constant_(module.weight, 1.1)  # else it fades in the narrow deep nets
        return net.eval()

    def batch(self, size=8):
        torch.manual_seed(1)
        return torch.randn(size, *self.small_picture), torch.arange(size) % self.classes


def count_macs(net, picture):
    """Multiply-accumulates of convolutions and matrix products for one picture."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        net.eval()(torch.empty(1, *picture, device="meta"))
    return counter.get_total_flops() / 2


def logits_of(outputs):
    return outputs[0] if isinstance(outputs, tuple) else outputs


def counts(case):
    with torch.device("meta"):
        net = case.build()
    assert {p.device.type for p in net.parameters()} == {"meta"}
    assert sum(p.numel() for p in net.parameters()) == case.parameters
    assert count_macs(net, case.picture) == pytest.approx(case.macs, rel=0.01)


def shapes(case):
    with torch.device("meta"):
        net = case.build().eval()
        for batch in (1, 3):
            assert net(torch.empty(batch, *case.picture)).shape[0] == batch
        classes = case.build(num_classes=7, in_channels=2).eval()
        assert classes(torch.empty(3, 2, *case.picture[1:])).shape == (3, 7)


def gradients(case):
    net, (pictures, targets) = case.teaching(), case.batch()
    outputs = net.train()(pictures)
    outputs = outputs if isinstance(outputs, tuple) else (outputs,)
    sum(nn.functional.cross_entropy(logits, targets) for logits in outputs).backward()
    for name, parameter in net.named_parameters():
        assert parameter.grad is not None, f"{name} got no gradient"
        assert parameter.grad.isfinite().all(), f"{name}: gradient is not finite"
        assert parameter.grad.any(), f"{name}: gradient is 0 throughout"


def learns_a_batch(case):
    net, (pictures, targets) = case.teaching(), case.batch()
    optimizer = torch.optim.Adam(net.parameters(), lr=case.lr)
    losses = []
    for _ in range(case.steps):
        logits = logits_of(net.train()(pictures))
        loss = nn.functional.cross_entropy(logits, targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.2 * losses[0], f"loss went from {losses[0]:.3g} to {losses[-1]:.3g}"
    assert (logits.argmax(1) == targets).all()


def evaluation_is_deterministic(case):
    net, (pictures, _) = case.judging(), case.batch()
    with torch.no_grad():
        outputs = net(pictures)
        assert outputs.std(0).max() > 1e-3, "the answers hardly depend on the pictures"
        assert torch.equal(outputs, net(pictures))
        # Each picture is judged by itself, whatever else is in the batch.
        torch.testing.assert_close(outputs[:1], net(pictures[:1]), rtol=1e-4, atol=1e-5)


def exports(case):
    net, (pictures, _) = case.judging(), case.batch(2)
    batch = torch.export.Dim("batch")
    program = torch.export.export(net, (pictures,), dynamic_shapes=({0: batch},))
    more, _ = case.batch(5)
    with torch.no_grad():
        torch.testing.assert_close(program.module()(more), net(more), rtol=1e-4, atol=1e-5)


def traces(case):
    net, (pictures, _) = case.judging(), case.batch(2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", torch.jit.TracerWarning)  # the size is checked once
        warnings.simplefilter("ignore", DeprecationWarning)
        traced = torch.jit.trace(net, pictures)
    more, _ = case.batch(5)
    with torch.no_grad():
        torch.testing.assert_close(traced(more), net(more), rtol=1e-4, atol=1e-5)


def refuses_other_pictures(case):
    with torch.device("meta"):
        net = case.build()
        channels, height, width = case.picture
        wrong = [(2, channels + 1, height, width), (channels, height, width), (2, 3)]
        if case.sizes == "exact":
            wrong += [(2, channels, height + 4, width + 4), (2, channels, height, width - 1)]
        for shape in wrong:
            with pytest.raises(ValueError, match=type(net).__name__) as error:
                net(torch.empty(shape))
            assert str(tuple(shape)) in str(error.value), "it must say what came"
            assert f"(B, {channels}, " in str(error.value), "it must say what is expected"
            assert "in_channels" in str(error.value), "it must say how to mend it"


def smallest_picture_is_the_smallest(case):
    with torch.device("meta"):
        net = case.build().eval()
        channels, smallest = case.picture[0], net.smallest
        net(torch.empty(1, channels, smallest, smallest))
        too_small = torch.empty(1, channels, smallest + 3, smallest - 1)
        with pytest.raises(ValueError, match=f"at least {smallest}"):
            net(too_small)
        net.smallest = 0
        with pytest.raises(RuntimeError, match="too small"):
            net(too_small)


CHECKS = [
    counts,
    shapes,
    gradients,
    learns_a_batch,
    evaluation_is_deterministic,
    exports,
    traces,
    refuses_other_pictures,
    smallest_picture_is_the_smallest,
]


def every_check(cases):
    """A test that makes every check on every case."""
    pairs = [
        pytest.param(case, check, id=f"{name}-{check.__name__}")
        for name, case in cases.items()
        for check in CHECKS
        if check is not smallest_picture_is_the_smallest or case.sizes == "limited"
    ]

    @pytest.mark.parametrize(("case", "check"), pairs)
    def test(case, check):
        check(case)

    return test

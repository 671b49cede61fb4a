"""Speed and memory of our engine beside PyTorch's, on one thread: ``python -m benchmarks.engine``.

Every engine does the same work with the same shapes, in turns within one process, so that a machine
that is busy for a moment is busy for all. Printed are median and fastest time and their ratio to
PyTorch's. HIPS autograd and tinygrad join in where they are installed.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
import subprocess
import sys
import time
import tracemalloc

import numpy as np
from threadpoolctl import threadpool_info  # comes with scikit-learn

from dlcourse.autograd import Tensor, conv, losses, nn
from dlcourse.optim import SGD

BATCH = 64


def samples(count, *shape):
    """`count` inputs of `shape` and classes 0 .. 9, all random."""
    rng = np.random.default_rng(0)
    return rng.standard_normal((count, *shape), dtype=np.float32), rng.integers(0, 10, count)


def batches(inputs, targets):
    """Both in pieces of `BATCH` examples."""
    for start in range(0, len(inputs), BATCH):
        yield inputs[start : start + BATCH], targets[start : start + BATCH]


# One training step ----------------------------------------------------------------------------


def our_training(net, lr=0.01):
    """A function that trains `net` on everything it is given, once."""
    optimizer = SGD(net.parameters(), lr)

    def epoch(inputs, targets):
        for x, t in batches(inputs, targets):
            optimizer.zero_grad()
            losses.cross_entropy(net(Tensor(x)), t).backward()
            optimizer.step()

    return epoch


def torch_training(net, lr=0.01):
    import torch

    optimizer = torch.optim.SGD(net.parameters(), lr)

    def epoch(inputs, targets):
        for x, t in batches(torch.from_numpy(inputs), torch.from_numpy(targets)):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(net(x), t).backward()
            optimizer.step()

    return epoch


def our_lenet(rng=0):
    """LeNet-5 (LeCun et al., 1998), with ReLU and max pooling."""
    rng = np.random.default_rng(rng)
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2, rng=rng), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(6, 16, 5, rng=rng), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(400, 120, rng=rng), nn.ReLU(), nn.Linear(120, 84, rng=rng), nn.ReLU(),
        nn.Linear(84, 10, rng=rng),
    )  # fmt: skip


def torch_lenet():
    from torch import nn

    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10),
    )  # fmt: skip


# What is measured: each gives {engine: function to time} ---------------------------------------


def mlp():
    """An epoch of 10,000 examples through 784-256-10, every step included."""
    import torch

    inputs, targets = samples(10_000, 784)
    ours = our_training(nn.Sequential(nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 10)))
    theirs = torch_training(
        torch.nn.Sequential(torch.nn.Linear(784, 256), torch.nn.ReLU(), torch.nn.Linear(256, 10))
    )
    runs = {"ours": lambda: ours(inputs, targets), "torch": lambda: theirs(inputs, targets)}
    for name, build in (("autograd", hips_mlp), ("tinygrad", tinygrad_mlp)):
        try:
            runs[name] = build(inputs, targets)
        except (ImportError, RuntimeError) as error:  # tinygrad also needs a compiler
            print(f"without {name}: {error}")
    return runs


def hips_mlp(inputs, targets):
    import autograd
    import autograd.numpy as anp

    rng = np.random.default_rng(0)
    draw = lambda *shape: rng.standard_normal(shape, dtype=np.float32) / 20
    weights = [draw(784, 256), np.zeros(256, np.float32), draw(256, 10), np.zeros(10, np.float32)]

    def loss(weights, x, t):
        w1, b1, w2, b2 = weights
        scores = anp.maximum(x @ w1 + b1, 0) @ w2 + b2
        largest = anp.max(scores, axis=1, keepdims=True)
        shifted = scores - largest
        log_p = shifted - anp.log(anp.sum(anp.exp(shifted), axis=1, keepdims=True))
        return -anp.mean(log_p[np.arange(len(t)), t])

    gradient = autograd.grad(loss)

    def epoch():
        for x, t in batches(inputs, targets):
            for weight, g in zip(weights, gradient(weights, x, t), strict=True):
                weight -= np.float32(0.01) * g

    return epoch


def tinygrad_mlp(inputs, targets):
    import tinygrad
    from tinygrad.nn import Linear
    from tinygrad.nn.optim import SGD as TinySGD

    first, second = Linear(784, 256), Linear(256, 10)
    optimizer = TinySGD([first.weight, first.bias, second.weight, second.bias], lr=0.01)

    @tinygrad.TinyJit
    def step(x, t):
        optimizer.zero_grad()
        loss = second(first(x).relu()).sparse_categorical_crossentropy(t).backward()
        optimizer.step()
        return loss.realize()

    def epoch():
        with tinygrad.Tensor.train():
            whole = len(inputs) // BATCH * BATCH  # its compiled step wants one size
            for x, t in batches(inputs[:whole], targets[:whole].astype(np.int32)):
                step(tinygrad.Tensor(x), tinygrad.Tensor(t))

    return epoch


def lenet():
    """1,280 pictures of 28 x 28 through LeNet-5, every step included."""
    inputs, targets = samples(1280, 1, 28, 28)
    ours, theirs = our_training(our_lenet()), torch_training(torch_lenet())
    return {"ours": lambda: ours(inputs, targets), "torch": lambda: theirs(inputs, targets)}


def convolution(channels, filters, side):
    """3 x 3 filters on 32 pictures, forward and backward."""
    import torch

    rng = np.random.default_rng(0)
    x = rng.standard_normal((32, channels, side, side), dtype=np.float32)
    weight = rng.standard_normal((filters, channels, 3, 3), dtype=np.float32)

    def ours():
        leaves = [Tensor(array, requires_grad=True) for array in (x, weight)]
        conv.conv2d(*leaves, padding=1).sum().backward()

    def theirs():
        leaves = [torch.tensor(array, requires_grad=True) for array in (x, weight)]
        torch.nn.functional.conv2d(*leaves, padding=1).sum().backward()

    return {"ours": ours, "torch": theirs}


def lstm():
    """128 units over 50 steps, batch 32, forward and backward."""
    import torch

    x = np.random.default_rng(0).standard_normal((32, 50, 128), dtype=np.float32)
    ours = nn.LSTM(128, 128, batch_first=True)
    theirs = torch.nn.LSTM(128, 128, batch_first=True)
    return {
        "ours": lambda: ours(Tensor(x))[0].sum().backward(),
        "torch": lambda: theirs(torch.from_numpy(x))[0].sum().backward(),
    }


def attention():
    """4 heads, 128 features, 64 steps, batch 16, forward and backward."""
    import torch

    x = np.random.default_rng(0).standard_normal((16, 64, 128), dtype=np.float32)
    ours = nn.MultiheadAttention(128, 4, batch_first=True)
    theirs = torch.nn.MultiheadAttention(128, 4, batch_first=True)

    def run(net, tensor):
        net(tensor, tensor, tensor)[0].sum().backward()

    return {"ours": lambda: run(ours, Tensor(x)), "torch": lambda: run(theirs, torch.from_numpy(x))}


# name: (what to time, how many times slower than PyTorch we may be, repetitions)
CASES = {
    "MLP 784-256-10": (mlp, 1.0, 9),
    "LeNet-5": (lenet, 1.3, 9),
    "conv 64->64, 16x16": (lambda: convolution(64, 64, 16), 2.3, 15),
    "conv 32->64, 32x32": (lambda: convolution(32, 64, 32), 2.3, 15),
    "LSTM 128": (lstm, 3.0, 15),
    "attention 4 x 32": (attention, 1.5, 31),
}


def measure(runs, repetitions):
    """{engine: seconds of each repetition}, the engines taking turns after one warm-up each."""
    for run in runs.values():
        run()
    seconds = {engine: [] for engine in runs}
    for _ in range(repetitions):
        for engine, run in runs.items():
            start = time.process_time()
            run()
            seconds[engine].append(time.process_time() - start)
    return seconds


def peak_memory():
    """Largest number of MB that arrays and objects take during an epoch of LeNet-5."""
    inputs, targets = samples(640, 1, 28, 28)
    epoch = our_training(our_lenet())
    tracemalloc.start()
    epoch(inputs, targets)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / 1e6


def import_time(repetitions=5):
    """Median seconds that ``import dlcourse.autograd`` takes in a fresh interpreter."""
    code = "import time; t = time.perf_counter(); import dlcourse.autograd; "
    code += "print(time.perf_counter() - t)"
    runs = [
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        for _ in range(repetitions)
    ]
    return float(np.median([float(run.stdout) for run in runs]))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", help="part of the names of the cases to run")
    chosen = parser.parse_args().only
    import torch

    torch.set_num_threads(1)
    for library in threadpool_info():
        if library["user_api"] == "blas":  # on a CPU it doesn't know, it takes slower kernels
            print(f"matrix products by {library['internal_api']} {library['version']}, "
                  f"for {library.get('architecture', 'this CPU')}")  # fmt: skip
    print(
        f"{'':20}{'engine':>10}{'median ms':>11}{'fastest':>9}{'ratio':>8}{'fastest':>9}{'goal':>7}"
    )
    for name, (build, goal, repetitions) in CASES.items():
        if chosen not in name:
            continue
        seconds = measure(build(), repetitions)
        median, fastest = (
            {engine: 1e3 * f(times) for engine, times in seconds.items()} for f in (np.median, min)
        )
        for engine in seconds:
            print(
                f"{name:20}{engine:>10}{median[engine]:11.2f}{fastest[engine]:9.2f}"
                f"{median[engine] / median['torch']:8.2f}{fastest[engine] / fastest['torch']:9.2f}"
                + (f"{goal:7.1f}" if engine == "ours" else "")
            )
    if not chosen:
        print(f"peak memory of LeNet-5 training: {peak_memory():.0f} MB (goal 150)")
        print(f"import dlcourse.autograd: {import_time():.2f} s (goal 0.25)")


if __name__ == "__main__":
    main()

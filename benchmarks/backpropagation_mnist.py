"""Chapter 7's network on all of MNIST: several seeds, error and time, recorded as JSON.

    python -m benchmarks.backpropagation_mnist

MNIST is taken from where `dlcourse.data.mnist` finds it, or downloaded. The page quotes
``benchmarks/results/backpropagation_mnist.json``; no number of it is typed by hand.
"""

import argparse
import json
import os
import platform
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from dlcourse import data
from dlcourse.autograd import losses, nn
from dlcourse.optim import SGD
from dlcourse.train import evaluate, fit

RESULTS = Path(__file__).parent / "results" / "backpropagation_mnist.json"


def run(train, test, seed, epochs):
    """Train one network; its test error in percent and the seconds that training took."""
    rng = np.random.default_rng(seed)
    layers = nn.Linear(784, 256, rng=rng), nn.ReLU(), nn.Linear(256, 10, rng=rng)
    net = nn.Sequential(nn.Flatten(), *layers)
    optimizer = SGD(net.parameters(), lr=0.1, momentum=0.9)
    start = time.perf_counter()
    fit(net, train, losses.cross_entropy, optimizer, epochs, batch_size=64, seed=seed)
    seconds = time.perf_counter() - start
    error = 100 * (1 - evaluate(net, test, losses.cross_entropy)["accuracy"])
    return {"seed": seed, "test_error_percent": round(error, 4), "seconds": round(seconds, 1)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=10)
    arguments = parser.parse_args()

    train, test = data.mnist("train"), data.mnist("test")
    runs = [run(train, test, seed, arguments.epochs) for seed in range(arguments.seeds)]
    errors = [r["test_error_percent"] for r in runs]
    record = {
        "net": "784-256-10, ReLU; SGD lr 0.1, momentum 0.9, batch 64",
        "epochs": arguments.epochs,
        "test_error_percent_mean": round(float(np.mean(errors)), 3),
        "test_error_percent_std": round(float(np.std(errors, ddof=1)), 3),
        "seconds_mean": round(float(np.mean([r["seconds"] for r in runs])), 1),
        "runs": runs,
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, one thread used",
        "versions": {"python": platform.python_version(), "numpy": np.__version__},
    }
    RESULTS.write_text(json.dumps(record, indent=1) + "\n")
    print(json.dumps(record, indent=1))


if __name__ == "__main__":
    main()

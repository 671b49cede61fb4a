"""Seven classifiers on all of MNIST, up to LeNet-5: ``python -m benchmarks.mnist``.

Each is trained on the 60,000 training images with settings that were fixed beforehand, and measured
once on the 10,000 test images; what depends on chance is done with several seeds. The results go to
``benchmarks/results/mnist.json``, beside the errors that the literature quotes; pages quote the
file. MNIST is taken from where `dlcourse.data.mnist` finds it, or downloaded.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # nets this small gain nothing from a second thread

import argparse
import json
import math
import platform
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from torch import nn

from dlcourse import data
from dlcourse.data.augment import Augmented, affine
from dlcourse.nets.lenet import LeNet5
from dlcourse.optim import SGD, AdamW, CosineAnnealingLR, OneCycleLR
from dlcourse.train import evaluate, fit

RESULTS = Path(__file__).parent / "results" / "mnist.json"
BATCH = 64


# The classifiers: each takes (train, test, seed) and returns the share of errors on the test set


def nearest_neighbors(train, test, seed):
    """3 nearest neighbors by the Euclidean distance between pixels; nothing is random."""
    from sklearn.neighbors import KNeighborsClassifier

    model = KNeighborsClassifier(n_neighbors=3, algorithm="brute")
    model.fit(train.inputs.reshape(len(train), -1), train.targets)
    return 1 - model.score(test.inputs.reshape(len(test), -1), test.targets)


def linear(train, test, seed):
    """One layer, 784-10, softmax and cross-entropy."""
    net = nn.Sequential(nn.Flatten(), nn.Linear(784, 10))
    _train(net, train, seed, epochs=20, lr=0.02)
    return _error(net, test)


def pairwise_linear(train, test, seed):
    """45 linear units, one for each pair of classes; the class that wins most duels is chosen."""
    pairs = torch.tensor([(a, b) for a in range(10) for b in range(a + 1, 10)])  # (45, 2)
    # What a duel says for a class: +1 to the first of the pair, -1 to the second, 0 to the others.
    says = nn.functional.one_hot(pairs[:, 0], 10) - nn.functional.one_hot(pairs[:, 1], 10)
    says = says.float()  # (45, 10)

    def loss(margins, targets):  # logistic; only the nine duels that the true class is in count
        signs = says.T[targets]  # (B, 45)
        return (nn.functional.softplus(-signs * margins) * signs.abs()).sum(1).mean()

    class Votes(nn.Module):
        def forward(self, margins):  # equal votes are decided by the margins
            return (margins.sign() + 1e-6 * margins) @ says  # (B, 10)

    net = nn.Sequential(nn.Flatten(), nn.Linear(784, 45))
    _train(net, train, seed, epochs=20, lr=0.02, loss=loss)
    return _error(nn.Sequential(net, Votes()), test)


def two_layers(train, test, seed):
    """784-800-10, ReLU."""
    net = nn.Sequential(nn.Flatten(), nn.Linear(784, 800), nn.ReLU(), nn.Linear(800, 10))
    _train(net, train, seed, epochs=20, lr=0.05, weight_decay=1e-4)
    return _error(net, test)


def deep(train, test, seed):
    """784-512-512-512-256-128-10, ReLU, batch norm, distorted training images."""
    sizes = [784, 512, 512, 512, 256, 128]
    layers = [nn.Flatten()]
    for before, after in pairwise(sizes):
        layers += [nn.Linear(before, after, bias=False), nn.BatchNorm1d(after), nn.ReLU()]
    net = nn.Sequential(*layers, nn.Linear(128, 10))
    _train_modern(net, train, seed, epochs=30, lr=5e-3)
    return _error(net, test)


def lenet_classic(train, test, seed):
    """LeNet-5 with tanh and mean pooling, SGD with momentum, the images as they are."""
    net = LeNet5(size=28)
    _train(net, train, seed, epochs=20, lr=0.05, weight_decay=5e-4)
    return _error(net, test)


def lenet_modern(train, test, seed):
    """LeNet-5 with ReLU, max pooling and batch norm, AdamW, distorted training images."""
    net = LeNet5(size=28, modern=True)
    _train_modern(net, train, seed, epochs=30, lr=1e-2)
    return _error(net, test)


def _train(net, train, seed, epochs, lr, weight_decay=0.0, loss=nn.functional.cross_entropy):
    """Momentum; the learning rate falls along half a cosine."""
    optimizer = SGD(net.parameters(), lr=lr, momentum=0.9, weight_decay=weight_decay)
    schedule = CosineAnnealingLR(optimizer, _steps(train, epochs))
    fit(net, train, loss, optimizer, epochs, batch_size=BATCH, seed=seed, schedule=schedule,
        metric=None)  # fmt: skip


def _train_modern(net, train, seed, epochs, lr):
    """AdamW; the learning rate rises to `lr` and falls far below; the images are distorted."""
    optimizer = AdamW(net.parameters(), lr=lr, weight_decay=0.01)
    schedule = OneCycleLR(optimizer, lr, _steps(train, epochs), pct_start=0.2)
    fit(net, Augmented(train, affine), nn.functional.cross_entropy, optimizer, epochs,
        batch_size=BATCH, seed=seed, schedule=schedule, metric=None)  # fmt: skip


def _steps(train, epochs):
    return epochs * math.ceil(len(train) / BATCH)


def _error(net, test):
    return 1 - evaluate(net, test, nn.functional.cross_entropy)["accuracy"]


# What is run: (classifier, seeds, error in percent that is quoted, by whom) -------------------

CLASSIFIERS = {
    "pairwise linear": (pairwise_linear, 3, 7.6, "LeCun et al. (1998)"),
    "linear": (linear, 3, 12.0, "LeCun et al. (1998)"),
    "k nearest neighbors": (nearest_neighbors, 1, 0.52, "Keysers et al. (2007), deformable"),
    "2 layers": (two_layers, 3, 1.6, "Simard et al. (2003)"),
    "6 layers": (deep, 2, 0.35, "Ciresan et al. (2010), 12 million weights"),
    "LeNet-5, classic": (lenet_classic, 3, 0.95, "LeCun et al. (1998)"),
    "LeNet-5, modern": (lenet_modern, 3, None, ""),
}
# Quoted only: a committee of 35 convolutional nets (Ciresan et al., 2012), and the best of 2013.
COMMITTEE = {"error_percent": [0.31, 0.21], "source": "Ciresan et al. (2012); Wan et al. (2013)"}


def measure(name, train, test):
    """Train one classifier with each of its seeds; what goes into the record."""
    classifier, seeds, quoted, source = CLASSIFIERS[name]
    runs = []
    for seed in range(seeds):
        torch.manual_seed(seed)
        start, cpu = time.perf_counter(), time.process_time()
        error = classifier(train, test, seed)
        runs.append({
            "seed": seed,
            "error_percent": round(100 * error, 4),
            "seconds": round(time.perf_counter() - start, 1),
            "cpu_seconds": round(time.process_time() - cpu, 1),
        })  # fmt: skip
        print(name, runs[-1], flush=True)
    errors = [run["error_percent"] for run in runs]
    return {
        "what": " ".join(classifier.__doc__.split()),
        "error_percent_mean": round(float(np.mean(errors)), 3),
        "error_percent_std": round(float(np.std(errors, ddof=1)), 3) if seeds > 1 else None,
        "runs": runs,
        "quoted_error_percent": quoted,
        "quoted_from": source,
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, one thread used",
        "versions": {
            "python": platform.python_version(),
            "numpy": np.__version__,
            "torch": torch.__version__,
        },
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", help="part of the names of the classifiers to run")
    chosen = parser.parse_args().only
    torch.set_num_threads(1)
    train, test = data.mnist("train"), data.mnist("test")
    record = json.loads(RESULTS.read_text()) if RESULTS.exists() else {"classifiers": {}}
    record["committee"] = COMMITTEE
    for name in CLASSIFIERS:
        if chosen in name:
            record["classifiers"][name] = measure(name, train, test)
            RESULTS.write_text(json.dumps(record, indent=1) + "\n")
    for name, result in record["classifiers"].items():
        print(f"{name:22}{result['error_percent_mean']:7.2f} %   {result['quoted_from']}")


if __name__ == "__main__":
    main()

"""Four networks on MNIST-1D, several seeds, beside the accuracies that its paper reports.

    python -m benchmarks.mnist1d

Greydanus (2020) trains a linear classifier, a fully connected network, one of convolutions and a
recurrent one, each with Adam, batches of 100 and a learning rate of 0.01, and finds 32, 68, 94 and
91 percent. The networks here have the sizes of his. The results are recorded as JSON.
"""

import argparse
import json
import os
import platform
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch
from torch import nn

from dlcourse import data

RESULTS = Path(__file__).parent / "results" / "mnist1d.json"
PAPER = {"linear": 32, "MLP": 68, "CNN": 94, "GRU": 91}


class Residual(nn.Module):
    """x + relu(W x + b)."""

    def __init__(self, features):
        super().__init__()
        self.linear = nn.Linear(features, features)

    def forward(self, x):
        return x + torch.relu(self.linear(x))


class Recurrent(nn.Module):
    """A GRU that reads the signal in both directions, and a linear layer on all its states."""

    def __init__(self, length, features=6):
        super().__init__()
        self.gru = nn.GRU(1, features, batch_first=True, bidirectional=True)
        self.linear = nn.Linear(2 * features * length, 10)

    def forward(self, x):
        states, _ = self.gru(x.transpose(1, 2))  # (B, T, 2 * features)
        return self.linear(states.flatten(1))


def network(name):
    """One of the four, with fresh weights."""
    if name == "linear":
        return nn.Sequential(nn.Flatten(), nn.Linear(40, 10))
    if name == "MLP":
        return nn.Sequential(
            nn.Flatten(), nn.Linear(40, 256), nn.ReLU(), Residual(256), nn.Linear(256, 10)
        )
    if name == "CNN":
        return nn.Sequential(
            nn.Conv1d(1, 25, 5, stride=2, padding=1), nn.ReLU(),
            nn.Conv1d(25, 25, 3, stride=2, padding=1), nn.ReLU(),
            nn.Conv1d(25, 25, 3, stride=2, padding=1), nn.ReLU(),
            nn.Flatten(), nn.Linear(125, 10),
        )  # fmt: skip
    return Recurrent(40)


def accuracy(name, train, test, seed, steps):
    """Test accuracy in percent after `steps` steps, and the seconds they took."""
    torch.manual_seed(seed)
    net = network(name)
    optimizer = torch.optim.Adam(net.parameters(), 0.01)
    inputs, targets = train.to_torch().tensors
    start = time.perf_counter()
    for step in range(steps):
        batch = slice(step * 100 % len(inputs), step * 100 % len(inputs) + 100)
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(inputs[batch]), targets[batch]).backward()
        optimizer.step()
    seconds = time.perf_counter() - start
    with torch.no_grad():
        x, t = test.to_torch().tensors
        return 100 * (net(x).argmax(1) == t).double().mean().item(), seconds


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=6000)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    train, test = data.mnist1d("train"), data.mnist1d("test")
    record = {"steps": arguments.steps, "batch": 100, "learning_rate": 0.01, "networks": {}}
    for name, paper in PAPER.items():
        runs = [accuracy(name, train, test, s, arguments.steps) for s in range(arguments.seeds)]
        found = [run[0] for run in runs]
        record["networks"][name] = {
            "accuracy_percent": [round(v, 2) for v in found],
            "mean": round(float(np.mean(found)), 2),
            "std": round(float(np.std(found, ddof=1)), 2) if len(found) > 1 else None,
            "paper_percent": paper,
            "parameters": sum(p.numel() for p in network(name).parameters()),
            "seconds": round(float(np.mean([run[1] for run in runs])), 1),
        }
        print(name, record["networks"][name], flush=True)
    record["machine"] = f"{platform.machine()}, {os.cpu_count()} cores, one thread used"
    record["versions"] = {
        "python": platform.python_version(), "numpy": np.__version__, "torch": torch.__version__,
    }  # fmt: skip
    RESULTS.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()

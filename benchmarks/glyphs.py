"""Are the glyphs as hard as MNIST? A linear classifier and a small network of convolutions.

    python -m benchmarks.glyphs

Both learn from 10,000 pictures and are tested on 2,000, with another set and other first weights
for each seed. Beside them stands what the same program finds on the first 10,000 pictures of MNIST,
where ``--mnist FOLDER`` names its four original files. The results are recorded as JSON.
"""

import argparse
import gzip
import json
import os
import platform
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from torch import nn

from dlcourse import data

RESULTS = Path(__file__).parent / "results" / "glyphs.json"


def linear(train, test):
    """Share of the test pictures that softmax regression gets right, in percent."""
    model = LogisticRegression(C=0.1, max_iter=200)
    model.fit(train.inputs.reshape(len(train), -1), train.targets)
    return 100 * model.score(test.inputs.reshape(len(test), -1), test.targets)


def convolutional(train, test, seed, epochs=6):
    """The same for two convolutions and a linear layer, trained with Adam."""
    torch.manual_seed(seed)
    torch.set_num_threads(1)
    net = nn.Sequential(
        nn.Conv2d(1, 16, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(32 * 7 * 7, len(train.classes)),
    )  # fmt: skip
    optimizer = torch.optim.Adam(net.parameters(), 2e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
    for epoch in range(epochs):
        order = torch.Generator().manual_seed(1000 * seed + epoch)
        for x, t in torch.utils.data.DataLoader(
            train.to_torch(), 64, shuffle=True, generator=order
        ):
            optimizer.zero_grad()
            nn.functional.cross_entropy(net(x), t).backward()
            optimizer.step()
        schedule.step()
    with torch.no_grad():
        x, t = test.to_torch().tensors
        return 100 * (net(x).argmax(1) == t).float().mean().item()


def mnist(folder, part, count):
    """The first pictures of one part of MNIST, ``train`` or ``t10k``."""
    with gzip.open(folder / f"{part}-images-idx3-ubyte.gz") as file:
        pixels = np.frombuffer(file.read(), np.uint8, offset=16).reshape(-1, 1, 28, 28)[:count]
    with gzip.open(folder / f"{part}-labels-idx1-ubyte.gz") as file:
        labels = np.frombuffer(file.read(), np.uint8, offset=8)[:count]
    return data.Dataset(
        (pixels / 255).astype(np.float32), labels.astype(np.int64), tuple("0123456789"), "MNIST"
    )


def measure(pairs, seeds):
    """Accuracies of both on each (training, test) pair, with means and spread."""
    record = {}
    runs = {"linear": [], "convolutional": []}
    for seed, (train, test) in zip(seeds, pairs, strict=True):
        runs["linear"].append(linear(train, test))
        runs["convolutional"].append(convolutional(train, test, seed))
        print(seed, {name: round(values[-1], 2) for name, values in runs.items()}, flush=True)
    for name, values in runs.items():
        record[name] = {
            "accuracy_percent": [round(v, 2) for v in values],
            "mean": round(float(np.mean(values)), 2),
            "std": round(float(np.std(values, ddof=1)), 2) if len(values) > 1 else None,
        }
    return record


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mnist", type=Path, help="folder with MNIST's four idx.gz files")
    parser.add_argument("--seeds", type=int, default=3)
    arguments = parser.parse_args()
    seeds = range(arguments.seeds)
    start = time.perf_counter()
    pairs = [(data.glyphs(10_000, seed=2 * s), data.glyphs(2_000, seed=2 * s + 1)) for s in seeds]
    seconds = (time.perf_counter() - start) / len(seeds) * 10_000 / 12_000
    record = {"examples": [10_000, 2_000], "seconds_for_10000_glyphs": round(seconds, 2)}
    record["glyphs"] = measure(pairs, seeds)
    if arguments.mnist:
        pair = mnist(arguments.mnist, "train", 10_000), mnist(arguments.mnist, "t10k", 2_000)
        record["MNIST"] = measure([pair] * len(seeds), seeds)
    record["machine"] = f"{platform.machine()}, {os.cpu_count()} cores, one thread used"
    record["versions"] = {
        "python": platform.python_version(), "numpy": np.__version__, "torch": torch.__version__,
    }  # fmt: skip
    RESULTS.write_text(json.dumps(record, indent=1) + "\n")
    print(json.dumps(record, indent=1))


if __name__ == "__main__":
    main()

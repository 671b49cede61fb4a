"""What it costs to go through a data set, and to make one: ``python -m benchmarks.data``.

Batches of 64 from 60,000 pictures of MNIST's shape, in order and shuffled, beside PyTorch's
DataLoader and beside the same pictures kept as bytes and converted batch by batch; then the time
that the generated sets take. Everything in turns within one process, on one thread; medians of
several passes.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
import statistics
import time
from functools import partial

import numpy as np

from dlcourse import data
from dlcourse.data.augment import Augmented, crop, cutout, flip, rotate

COUNT, BATCH = 60_000, 64


def pictures():
    """Random bytes in the shape of MNIST's training part, and the data set made of them."""
    rng = np.random.default_rng(0)
    pixels = rng.integers(256, size=(COUNT, 1, 28, 28), dtype=np.uint8)
    inputs = pixels.astype(np.float32) / np.float32(255)
    return pixels, data.Dataset(inputs, rng.integers(10, size=COUNT), tuple("0123456789"))


def consume(batches):
    """Take every batch, as a training loop would."""
    for _ in batches:
        pass


def from_bytes(pixels, targets):
    """Shuffled batches of pictures that are kept as bytes."""
    order = np.random.default_rng(0).permutation(COUNT)
    for start in range(0, COUNT, BATCH):
        batch = order[start : start + BATCH]
        yield np.multiply(pixels[batch], np.float32(1 / 255), dtype=np.float32), targets[batch]


def seconds(works, repeats):
    """Median seconds of each function, which take turns."""
    times = {name: [] for name in works}
    for _ in range(repeats):
        for name, work in works.items():
            start = time.perf_counter()
            work()
            times[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in times.items()}


def table(title, found, reference=None):
    """Print seconds, and how many times those of `reference`."""
    print(f"\n{title}")
    for name, value in found.items():
        ratio = "" if reference is None else f"{value / found[reference]:9.2f} x"
        print(f"  {name:42s}{value:9.4f} s{ratio}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--torch", action="store_true", help="PyTorch's DataLoader, too (slow)")
    arguments = parser.parse_args()
    pixels, dataset = pictures()
    works = {
        "in order": lambda: consume(dataset.batches(BATCH)),
        "shuffled": lambda: consume(dataset.batches(BATCH, shuffle=True)),
        "shuffled, kept as bytes": lambda: consume(from_bytes(pixels, dataset.targets)),
        "one copy of everything": lambda: dataset.inputs.copy(),
    }
    if arguments.torch:
        from torch.utils.data import DataLoader

        works["DataLoader, shuffled"] = lambda: consume(
            DataLoader(dataset.to_torch(), BATCH, shuffle=True)
        )
    table(
        f"One pass over {COUNT:,} pictures of 28 x 28 in batches of {BATCH}",
        seconds(works, arguments.repeats), "one copy of everything",
    )  # fmt: skip
    steps = {"crop": crop, "flip": flip, "rotate": rotate, "cutout": partial(cutout, size=8)}
    works = {
        name: lambda step=step: consume(Augmented(dataset[:6000], step).batches(BATCH))
        for name, step in steps.items()
    }
    table("Augmenting 6,000 of them", seconds(works, 3))
    data.glyphs(10)  # the outlines of the fonts are read once
    works = {
        "10,000 glyphs": data.glyphs,
        "1,000 scenes of shapes": data.shapes,
        "MNIST-1D": data.mnist1d,
        "1,000 formant tracks": data.formant_tracks,
        "1,000 steps of Mackey-Glass": data.mackey_glass,
        "1,000 dates": data.dates,
    }
    table("Making data", seconds(works, 3))


if __name__ == "__main__":
    main()

"""Speed of our networks beside torchvision's, with the same weights: ``python -m benchmarks.nets``.

Forward pass and training step of five networks, on one thread. Ours and theirs take turns in one
process, and what is counted is processor time, so that a busy machine is busy for both. torchvision
must be importable; its compiled operators need not be there. Then every network of the catalog is
built on the meta device.

The forward pass takes one image of 224 x 224. So that memory suffices, a training step takes two
images of 128 x 128: forward, cross-entropy, backward and a step of plain gradient descent.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import json
import platform
import statistics
import sys
import time
from pathlib import Path

import torch
import torch.nn.functional as F

from dlcourse.nets import catalog

HERE = Path(__file__).parent
RESULTS = HERE / "results" / "nets.json"
NAMES = ("resnet50", "vgg16", "densenet121", "mobilenet_v2", "vit_b_16")
GOALS = {"ratio": 1.03, "seconds to build": 0.2}


def twins(models, name, size):
    """Our network and torchvision's for images of `size`, with the very same weights in memory."""
    options = {"image_size": size} if name.startswith("vit") else {}
    torch.manual_seed(0)
    theirs = getattr(models, name)(weights=None, **options)
    with torch.device("meta"):
        ours = catalog()[name].build(**options)
    ours.load_state_dict(theirs.state_dict(), assign=True)
    return {"ours": ours, "torchvision": theirs}


def forward(net, x, _):
    with torch.no_grad():
        net(x)


def training_step(net, x, targets):
    net.zero_grad()
    F.cross_entropy(net(x), targets).backward()
    with torch.no_grad():
        for parameter in net.parameters():
            parameter -= 1e-6 * parameter.grad


def measure(nets, task, x, targets, repetitions):
    """{who: processor seconds of each turn}, after two turns to warm up; who begins alternates."""
    seconds = {who: [] for who in nets}
    for turn in range(repetitions + 2):
        for who in sorted(nets, reverse=turn % 2):
            start = time.process_time()
            task(nets[who], x, targets)
            if turn >= 2:
                seconds[who].append(time.process_time() - start)
    return seconds


def compare(models, name, task, size, batch, repetitions):
    """Medians in milliseconds and their ratio; the spread is that of the ratios turn by turn."""
    nets = twins(models, name, size)
    x, targets = torch.randn(batch, 3, size, size), torch.arange(batch)
    for net in nets.values():
        net.train(task is training_step)
    if task is forward:
        with torch.no_grad():
            torch.testing.assert_close(*(net(x) for net in nets.values()), rtol=1e-4, atol=1e-5)
    seconds = measure(nets, task, x, targets, repetitions)
    turns = [a / b for a, b in zip(*seconds.values(), strict=True)]
    quartiles = statistics.quantiles(turns, n=4)
    medians = {who: statistics.median(values) for who, values in seconds.items()}
    return {
        **{f"{who}_ms": round(1e3 * value, 2) for who, value in medians.items()},
        "ratio": round(medians["ours"] / medians["torchvision"], 4),
        "ratio_of_fastest": round(min(seconds["ours"]) / min(seconds["torchvision"]), 4),
        "quartiles_of_the_ratio": [round(quartiles[0], 3), round(quartiles[2], 3)],
        "repetitions": repetitions,
    }


def build_times(repetitions=5):
    """{name: median processor seconds to build the network on the meta device}."""
    found = {}
    for entry in catalog():
        seconds = []
        for _ in range(repetitions + 1):  # the first imports the file
            start = time.process_time()
            with torch.device("meta"):
                entry.build()
            seconds.append(time.process_time() - start)
        found[entry.name] = round(statistics.median(seconds[1:]), 4)
    return found


def torchvision_models():
    """torchvision's networks; `import_torchvision` does without its compiled operators."""
    sys.path.insert(0, str(HERE.parent / "tests" / "nets"))
    from record_torchvision import import_torchvision

    try:
        torchvision, library = import_torchvision()
    except ImportError as error:
        raise SystemExit(
            f"no torchvision here ({error}); in an environment of its own, beside the same torch, "
            "pip install --no-deps torchvision"
        ) from error
    return torchvision.models, library


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=NAMES, nargs="+", default=NAMES)
    parser.add_argument("--repetitions", type=int, default=15)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    models, _library = torchvision_models()
    record = {"forward": {}, "training step": {}}
    print(f"{'':26}{'ours ms':>10}{'theirs ms':>11}{'ratio':>8}{'fastest':>9}{'goal':>7}")
    for name in arguments.only:
        for kind, task, size, batch in (
            ("forward", forward, 224, 1), ("training step", training_step, 128, 2),
        ):  # fmt: skip
            row = compare(models, name, task, size, batch, arguments.repetitions)
            record[kind][name] = row
            print(
                f"{name:13}{kind:13}{row['ours_ms']:10.1f}{row['torchvision_ms']:11.1f}"
                f"{row['ratio']:8.3f}{row['ratio_of_fastest']:9.3f}{GOALS['ratio']:7.2f}",
                flush=True,
            )
    record["seconds to build on meta"] = build_times()
    slowest = max(record["seconds to build on meta"].items(), key=lambda item: item[1])
    print(f"slowest to build: {slowest[0]}, {slowest[1]:.3f} s (goal {GOALS['seconds to build']})")
    record["machine"] = f"{platform.machine()}, {os.cpu_count()} cores, one thread used"
    record["versions"] = {"python": platform.python_version(), "torch": torch.__version__}
    if tuple(arguments.only) == NAMES:
        RESULTS.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()

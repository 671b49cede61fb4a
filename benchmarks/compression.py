"""What compressing a network costs and saves, on glyphs: ``python -m benchmarks.compression``.

LeNet-5 learns 3,000 glyphs, once for each seed. It is pruned in steps, stored in eight bits, and
teaches a small network. Recorded are accuracy on 2,000 other glyphs, bytes, and processor time for
a batch of 64 on one thread, as a ratio to the whole network's, the two taking turns; speed also for
a larger network, the untrained ResNet-18 on an image of 224 x 224.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import copy
import json
import platform
import statistics
import time
import warnings
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

from dlcourse import data
from dlcourse.nets import (
    LeNet5,
    ResNet,
    distillation_loss,
    make_permanent,
    prune,
    quantize,
    size_in_bytes,
)
from dlcourse.train import fit

RESULTS = Path(__file__).parent / "results" / "compression.json"
TEST = data.glyphs(2000, seed=1)


def learn(net, dataset, epochs, seed, loss=F.cross_entropy, lr=2e-3):
    fit(net, dataset, loss, torch.optim.Adam(net.parameters(), lr), epochs, batch_size=64,
        seed=seed, metric=None, progress=False)  # fmt: skip
    return net.eval()


def small_net(seed):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 16), nn.ReLU(), nn.Linear(16, 10))


def pruned(net, train, seed):
    """90 % of the weights are gone, in four steps with an epoch of training behind each."""
    net = copy.deepcopy(net).train()
    for share in (0.6, 0.8, 0.9, 0.9):
        learn(prune(net, share), train, 1, seed).train()
    return make_permanent(net).eval()


def taught(teacher, dataset, seed, epochs):
    """The small network after learning from the teacher's opinions alone."""
    with torch.no_grad():
        opinions = teacher(torch.tensor(dataset.inputs))
    unlabeled = data.Dataset(dataset.inputs, opinions.numpy())
    loss = lambda student, teacher: distillation_loss(student, teacher, teacher.argmax(1))
    return learn(small_net(seed), unlabeled, epochs, seed, loss)


def variants(seed):
    """{name: network}, all descended from one that was trained with this seed."""
    train = data.glyphs(3000, seed=100 + seed)
    torch.manual_seed(seed)
    whole = learn(LeNet5(size=28, modern=True), train, 4, seed)
    thin = pruned(whole, train, seed)
    calibration = torch.tensor(train.inputs[:256])
    few, many = train[:100], data.glyphs(3000, seed=200 + seed)
    return {
        "LeNet-5": whole,
        "90 % pruned at once": make_permanent(prune(copy.deepcopy(whole), 0.9)),
        "90 % pruned in steps": thin,
        "eight bits, dynamic": quantize(whole),
        "eight bits, static": quantize(whole, calibration),
        "pruned, eight bits": quantize(thin, calibration),
        "small, 100 labels": learn(small_net(seed), few, 120, seed),
        "small, the same 100 by the teacher": taught(whole, few, seed, 120),
        "small, 3000 images by the teacher": taught(whole, many, seed, 4),
        "small, 3000 labels": learn(small_net(seed), many, 4, seed),
    }


def accuracy(net):
    inputs, targets = torch.tensor(TEST.inputs), torch.tensor(TEST.targets)
    with torch.no_grad():
        return 100 * (net(inputs).argmax(1) == targets).float().mean().item()


def time_ratios(nets, x, repetitions):
    """{name: median processor time over that of the first}, all taking turns."""
    seconds = {name: [] for name in nets}
    with torch.no_grad():
        for turn in range(repetitions + 2):
            for name, net in nets.items():
                start = time.process_time()
                net(x)
                if turn >= 2:
                    seconds[name].append(time.process_time() - start)
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    first = next(iter(medians.values()))
    return {name: round(median / first, 3) for name, median in medians.items()}


def resnet_variants(x):
    """The same network in floating point, in eight bits, and by PyTorch's older tool."""
    torch.manual_seed(0)
    net = ResNet(18).eval()
    nets = {"ResNet-18": net, "eight bits, dynamic": quantize(net)}
    nets["eight bits, static"] = quantize(net, x)
    wide = nn.Sequential(nn.Linear(2048, 2048), nn.ReLU(), nn.Linear(2048, 2048)).eval()
    linear = {"linear 2048": wide, "eight bits, dynamic": quantize(wide)}
    linear["eight bits, static"] = quantize(wide, torch.randn(64, 2048))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it is deprecated
            from torch.ao.quantization import quantize_dynamic

            linear["torch.ao, dynamic"] = quantize_dynamic(wide, {nn.Linear})
    except (ImportError, RuntimeError) as error:
        print(f"without torch.ao: {error}")
    return nets, linear


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--repetitions", type=int, default=21)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    record = {"glyphs": {}, "seeds": arguments.seeds}
    for seed in range(arguments.seeds):
        nets = variants(seed)
        for name, net in nets.items():
            row = record["glyphs"].setdefault(name, {"accuracy_percent": []})
            row["accuracy_percent"].append(round(accuracy(net), 2))
            row["bytes"] = size_in_bytes(net)
            row["bytes_sparse"] = size_in_bytes(net, sparse=True)
    ratios = time_ratios(nets, torch.tensor(TEST.inputs[:64]), arguments.repetitions)
    for name, row in record["glyphs"].items():
        row["mean"] = round(statistics.mean(row["accuracy_percent"]), 2)
        row["time_ratio"] = ratios[name]
        print(f"{name:36}{row['mean']:8.2f} %{row['bytes']:10,}{row['bytes_sparse']:10,}"
              f"{row['time_ratio']:8.2f}  {row['accuracy_percent']}", flush=True)  # fmt: skip
    x = torch.randn(1, 3, 224, 224)
    resnets, linears = resnet_variants(x)
    record["time ratios"] = [
        time_ratios(resnets, x, arguments.repetitions),
        time_ratios(linears, torch.randn(64, 2048), arguments.repetitions),
    ]
    print(record["time ratios"])
    record["machine"] = f"{platform.machine()}, {os.cpu_count()} cores, one thread used"
    record["versions"] = {"python": platform.python_version(), "torch": torch.__version__}
    RESULTS.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()

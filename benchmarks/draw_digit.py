"""Train the net of the figure `draw_digit`, write its weights, and measure it.

    python -m benchmarks.draw_digit           # trains, writes the weights, measures
    python -m benchmarks.draw_digit --keep    # measures the weights that are there

A LeNet-5 in today's dress learns from MNIST (LeCun, Cortes, Burges), turned, slanted, stretched and
moved at random, from glyphs, and from digits drawn as the figure draws them, so that it has seen a
1 with a flag and a foot and a 7 with a bar (`drawn_digits.py`). Batch norm is then folded into the
layer before it, and each output channel is rounded to int8 with a scale of its own. What the drawn
digits are worth is measured by training without them too, three times each way; the first of the
nets that have seen them is the one that is kept.
"""

import argparse
import base64
import json
import os
import platform
import shutil
import time
from dataclasses import replace
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch
from torch import nn

from benchmarks.drawn_digits import drawn_digits
from dlcourse import data
from dlcourse.figures import base
from dlcourse.nets.lenet import LeNet5

SEEDS = range(3)
EPOCHS, BATCH, RATE = 5, 128, 4e-3
GLYPHS, DRAWN = 12_000, 12_000
WEIGHTS = base.FOLDER / "draw_digit_weights.mjs"
RESULTS = Path(__file__).parent / "results" / "draw_digit.json"


def bend(pictures, generator):
    """Each picture (B, 1, H, W) turned, slanted, stretched and moved, each by its own numbers."""

    def within(size):
        return (2 * torch.rand(len(pictures), generator=generator) - 1) * size

    angle, slant = within(0.21), within(0.2)
    wide, high = 1 + within(0.12), 1 + within(0.12)
    sin, cos = torch.sin(angle), torch.cos(angle)
    rows = [cos * wide, slant - sin, within(0.11), sin, cos * high, within(0.11)]
    affine = torch.stack(rows, dim=1).reshape(-1, 2, 3)
    grid = nn.functional.affine_grid(affine, pictures.shape, align_corners=False)
    return nn.functional.grid_sample(pictures, grid, align_corners=False)


def train(inputs, targets, seed):
    """The net that has learned from pictures (N, 1, 28, 28) in [0, 1] and their digits."""
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    net = LeNet5(size=28, modern=True)
    optimizer = torch.optim.AdamW(net.parameters(), RATE, weight_decay=1e-2)
    steps = EPOCHS * (len(inputs) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, steps)
    for epoch in range(EPOCHS):
        order = torch.randperm(len(inputs), generator=generator)
        total = 0.0
        for chosen in order[: len(order) // BATCH * BATCH].split(BATCH):
            pictures = bend(inputs[chosen], generator)
            loss = nn.functional.cross_entropy(net(pictures), targets[chosen], label_smoothing=0.02)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.item() * BATCH
        print(f"seed {seed}, epoch {epoch + 1}: loss {total / len(inputs):.4f}", flush=True)
    return net.eval()


def fold(layer, norm):
    """Weight and bias of one layer that does what `layer` and then batch norm `norm` do."""
    factor = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    weight = layer.weight * factor.reshape(-1, *[1] * (layer.weight.ndim - 1))
    return weight, norm.bias + factor * (layer.bias - norm.running_mean)


def rounded(weight, bias):
    """int8 weights, one scale for each output channel, and the bias, as text for the module."""
    scale = (weight.flatten(1).abs().amax(1) / 127).float().numpy()
    shape = (-1, *[1] * (weight.ndim - 1))
    levels = np.rint(weight.numpy() / scale.reshape(shape)).astype(np.int8)

    def text(array):
        return base64.b64encode(array.tobytes()).decode()

    return {
        "shape": list(weight.shape),
        "weight": text(levels),
        "scale": text(scale.astype("<f4")),
        "bias": text(bias.numpy().astype("<f4")),
    }


@torch.no_grad()
def weights_of(net):
    """All layers of a trained net as plain data: folded, rounded, in order."""
    hidden = [(net.c1, net.act1), (net.c3, net.act3), (net.c5, net.act5), (net.f6, net.act6)]
    layers = [fold(layer, act[0]) for layer, act in hidden]
    layers.append((net.output.weight, net.output.bias))
    return {
        name: rounded(*layer)
        for name, layer in zip(("c1", "c3", "c5", "f6", "output"), layers, strict=True)
    }


def write(layers):
    """The weights as a module beside the figure's, which a notebook can take into one text."""
    note = (
        "// Weights of draw_digit.mjs, written by benchmarks/draw_digit.py: LeNet-5, trained on\n"
        "// MNIST (LeCun, Cortes, Burges), glyphs and digits drawn by a program; int8, with a\n"
        "// scale for each output channel.\n"
    )
    WEIGHTS.write_text(f"{note}export const NET = {json.dumps(layers)};\n", encoding="utf-8")


@torch.no_grad()
def accuracy(net, dataset):
    """Share of the digits that a net reads right, in percent."""
    x, t = dataset.to_torch().tensors
    answers = torch.cat([net(part).argmax(1) for part in x.split(500)])
    return 100 * (answers == t).float().mean().item()


def enlarged_digits():
    """The 8 x 8 digits that come with scikit-learn, written in Turkey, where a 1 has a flag."""
    small = data.digits()
    x = torch.tensor(small.inputs).reshape(-1, 1, 8, 8)
    x = nn.functional.interpolate(x / x.max(), size=20, mode="bicubic").clamp(0, 1)
    return replace(small, inputs=nn.functional.pad(x, (4, 4, 4, 4)).numpy())


def test_sets():
    """Digits that no net here has learned from; drawn ones and sevens once more by themselves."""
    drawn = drawn_digits(5000, seed=14)
    return {
        "MNIST": data.mnist("test"),
        "glyphs": data.glyphs(2000, seed=12),
        "8 x 8 digits, enlarged": enlarged_digits(),
        "drawn": drawn,
        "drawn ones": drawn.subset(drawn.targets == 1),
        "drawn sevens": drawn.subset(drawn.targets == 7),
    }


def speed(repeats=300):
    """Milliseconds in Chromium for one stroke's worth of work; None where there is no Chromium.

    The picture of a drawing, the net alone, and beside them how often the net could run for each
    frame of a screen that shows 60 a second.
    """
    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "chrome"))), None)
    if path is None:
        return None
    from playwright.sync_api import sync_playwright

    text = base.module_text("draw_digit").replace("export default", "globalThis.figure =")
    text = text.replace("export ", "")
    job = """([strokes, repeats]) => {
      const time = (work) => {
        for (let k = 0; k < 30; k += 1) work();
        const start = performance.now();
        for (let k = 0; k < repeats; k += 1) work();
        return (performance.now() - start) / repeats;
      };
      const picture = raster(strokes, 0, 2.6);
      return [time(() => raster(strokes, 0, 2.6)), time(() => forward(picture))];
    }"""
    with sync_playwright() as api:
        browser = api.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page()
        page.add_script_tag(content=text)
        strokes = [[[k % 100, (7 * k) % 100] for k in range(300)]]
        drawing, net = page.evaluate(job, [strokes, repeats])
        browser.close()
    return {
        "picture_of_300_points_ms": round(drawing, 2),
        "net_ms": round(net, 2),
        "nets_in_a_frame": round(1000 / 60 / net, 1),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--keep", action="store_true", help="measure the weights that are there")
    keep = parser.parse_args().keep
    tests = test_sets()
    record = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    if not keep:
        record = {"training": {}, "float32": {}}
        sets = [data.mnist("train"), data.glyphs(GLYPHS, noise=0.05, seed=11)]
        for known in ("MNIST and glyphs", "MNIST, glyphs and drawn digits"):
            inputs, targets = (
                torch.cat([torch.tensor(getattr(one, part)) for one in sets])
                for part in ("inputs", "targets")
            )
            start = time.perf_counter()
            nets = [train(inputs, targets, seed) for seed in SEEDS]
            seconds = round((time.perf_counter() - start) / len(nets))
            about = {"examples": len(inputs), "epochs": EPOCHS, "seconds": seconds}
            record["training"][known] = about
            record["float32"][known] = {
                name: [round(accuracy(net, one), 2) for net in nets] for name, one in tests.items()
            }
            print(json.dumps(record, indent=1), flush=True)
            sets.append(drawn_digits(DRAWN, seed=13))
        write(weights_of(nets[0]))
        RESULTS.write_text(json.dumps(record, indent=1) + "\n")
    from dlcourse.figures.draw_digit import network

    net = network()
    record["int8"] = {name: round(accuracy(net, d), 2) for name, d in tests.items()}
    record["in_chromium"] = speed()
    record["bytes"] = WEIGHTS.stat().st_size
    record["machine"] = f"{platform.machine()}, {os.cpu_count()} cores, one thread used"
    record["versions"] = {"python": platform.python_version(), "torch": torch.__version__}
    RESULTS.write_text(json.dumps(record, indent=1) + "\n")
    print(json.dumps(record, indent=1))


if __name__ == "__main__":
    main()

"""Write the fixtures of `reference.py` from torchvision itself; run by hand, not by the tests.

In a throw-away environment that has torch: `pip install --no-deps torchvision`, then
`python tests/nets/record_torchvision.py [NAME ...]`; without names, every net is recorded.
"""

import gzip
import json
import sys

import torch
from reference import OUTPUTS, STATE_DICTS, fill, outline, pictures, run, shapes_of

NAMES = [
    "alexnet", "vgg11", "vgg13", "vgg16", "vgg19", "vgg11_bn", "vgg13_bn", "vgg16_bn", "vgg19_bn",
    "googlenet", "squeezenet1_0", "squeezenet1_1", "mobilenet_v2",
    "resnet18", "resnet34", "resnet50", "resnet101", "resnet152", "resnext50_32x4d",
    "wide_resnet50_2", "densenet121", "densenet169", "densenet201", "vit_b_16",
]  # fmt: skip


def import_torchvision():
    """torchvision without its compiled operators, which classifying nets don't use."""
    library = torch.library.Library("torchvision", "DEF")
    library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    register = torch.library.register_fake

    def register_fake(name, *arguments, **options):
        def tolerant(function):
            try:
                return register(name, *arguments, **options)(function)
            except RuntimeError:  # this operator does not exist
                return function

        return tolerant

    torch.library.register_fake = register_fake
    import torchvision

    torch.library.register_fake = register
    return torchvision, library  # the operator lives as long as its library


def build(models, name):
    # GoogLeNet's initialization warns and takes long, and every value is replaced anyway.
    options = {"init_weights": False} if name == "googlenet" else {}
    return getattr(models, name)(weights=None, **options)


def measure(models, name):
    """{name: outline} of a net; a change of the picture must show in the logits."""
    net = fill(build(models, name))
    logits, others = run(net, pictures()), run(net, pictures(seed=1))
    change = ((logits - others).abs().max() / logits.abs().max()).item()
    found = {name: outline(logits)}
    print(f"{name:16} scale {found[name]['scale']:9.3g}  change with the picture {change:.2g}")
    if not (1e-2 < found[name]["scale"] < 1e4 and change > 1e-2):
        raise SystemExit(f"{name}: the weights of `fill` make its outputs useless for comparing")
    if name == "googlenet":  # the heads answer in training; its layers stay in evaluation
        net.training = True
        with torch.no_grad():
            outputs = net(pictures())
        found["googlenet.aux1"] = outline(outputs.aux_logits1)
        found["googlenet.aux2"] = outline(outputs.aux_logits2)
    return found


def main(names):
    torchvision, _library = import_torchvision()
    models = torchvision.models
    with torch.device("meta"):
        shapes = {name: shapes_of(build(models, name)) for name in NAMES}
    with gzip.GzipFile(STATE_DICTS, "wb", mtime=0) as file:
        file.write(json.dumps(shapes, separators=(",", ":")).encode())
    record = json.loads(OUTPUTS.read_text()) if names and OUTPUTS.exists() else {"outputs": {}}
    record |= {"torchvision": torchvision.__version__, "torch": torch.__version__}
    for name in names or NAMES:
        record["outputs"] |= measure(models, name)
    OUTPUTS.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])

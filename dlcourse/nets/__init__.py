"""Famous networks in plain PyTorch, each in a file that can be lifted out alone.

`catalog` lists them all with what they hold and cost, `summary` takes any network apart layer by
layer; other functions look into a network, carry it over to another task or make it smaller. A file
is imported when what it holds is first asked for.
"""

import importlib

from .catalog import catalog
from .summary import summary

# In which file a name stands.
_FILES = {
    "LeNet1989": "lenet",
    "LeNet5": "lenet",
    "LeNet5Original": "lenet",
    "CaffeLeNet": "lenet",
    "AlexNet": "alexnet",
    "AlexNetTwoTowers": "alexnet",
    "ZFNet": "alexnet",
    "VGG": "vgg",
    "NetworkInNetwork": "nin",
    "GoogLeNet": "inception",
    "BNInception": "inception",
    "ResNet": "resnet",
    "DenseNet": "densenet",
    "SEResNet": "senet",
    "SqueezeNet": "mobile",
    "MobileNetV1": "mobile",
    "MobileNetV2": "mobile",
    "NASNetA": "nasnet",
    "ViT": "vit",
    "ViTConfig": "vit",
    "CapsNet": "capsule",
    # What is done with any of them.
    "capture": "features",
    "embed": "features",
    "filter_images": "features",
    "grad_cam": "features",
    "nearest_neighbors": "features",
    "occlusion": "features",
    "show_filters": "features",
    "freeze": "transfer",
    "heads": "transfer",
    "replace_head": "transfer",
    "unfreeze": "transfer",
    "distillation_loss": "compression",
    "make_permanent": "compression",
    "prune": "compression",
    "quantize": "compression",
    "size_in_bytes": "compression",
    "sparsity": "compression",
}

__all__ = ["catalog", "summary", *_FILES]


def __getattr__(name):
    if name not in _FILES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f".{_FILES[name]}", __name__), name)


def __dir__():
    return sorted(__all__)

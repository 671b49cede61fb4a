"""Famous networks in plain PyTorch, each in a file that can be lifted out alone.

`catalog` lists them all with what they hold and cost, `summary` takes any network apart layer by
layer. A network's file is imported when the network is first asked for.
"""

import importlib

from .catalog import catalog
from .summary import summary

# In which file a network stands.
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
}

__all__ = ["catalog", "summary", *_FILES]


def __getattr__(name):
    if name not in _FILES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f".{_FILES[name]}", __name__), name)


def __dir__():
    return sorted(__all__)

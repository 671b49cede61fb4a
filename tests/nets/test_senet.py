"""Squeeze-and-excitation against its formula, and against the residual network it stands in."""

import numpy as np
import torch
from reference import fill, pictures, run

from dlcourse.nets.resnet import ResNet
from dlcourse.nets.senet import SEResNet, SqueezeExcitation


def test_channels_are_scaled_as_the_formula_says():
    block = fill(SqueezeExcitation(8, reduction=4))
    x = pictures(6, channels=8, batch=3)
    w1, b1, w2, b2 = (p.detach().numpy() for p in block.parameters())
    for image, result in zip(x.numpy(), block(x).detach().numpy(), strict=True):
        z = image.mean((1, 2))  # squeeze, equation 2 of the paper
        s = 1 / (1 + np.exp(-(w2 @ np.maximum(w1 @ z + b1, 0) + b2)))  # excitation, equation 3
        np.testing.assert_allclose(result, image * s[:, None, None], rtol=1e-5)


def test_with_factors_of_one_it_is_the_residual_network():
    ours = fill(SEResNet(50, 5, width=8))
    for name, module in ours.named_modules():
        if name.endswith("se.fc2"):
            torch.nn.init.zeros_(module.weight)
            torch.nn.init.constant_(module.bias, 100)  # the sigmoid of it is 1
    plain = ResNet(50, 5, width=8)
    plain.load_state_dict({k: v for k, v in ours.state_dict().items() if ".se." not in k})
    for layer in (plain.layer2, plain.layer3, plain.layer4):
        layer[0].conv1.stride, layer[0].conv2.stride = (2, 2), (1, 1)  # as in the paper
    images = pictures(64, batch=2)
    torch.testing.assert_close(run(ours, images), run(plain, images))


def test_reduction_narrows_the_middle():
    assert SqueezeExcitation(256).fc1.out_features == 16
    assert SqueezeExcitation(64, reduction=8).fc1.out_features == 8
    assert SqueezeExcitation(8).fc1.out_features == 1

"""Capsules: groups of neurons whose output is a vector, and a vote on which group is listened to.

The length of a capsule says whether a thing is there, its direction how it looks: thickness, slant,
position. A capsule predicts what each capsule above will find; where many predictions agree, the
connection is strengthened for this very image. That is routing by agreement.
"""

import torch
import torch.nn.functional as F
from torch import nn


def squash(s):
    """Keep the direction of s and bring its length into [0, 1): short to 0, long to 1.

    A length l becomes l² / (1 + l²). (Sabour et al. 2017, equation 1)

    Args:
        s: (..., D).

    Returns:
        the same shape.
    """
    square = (s * s).sum(-1, keepdim=True)  # (..., 1)
    # s / l * l² = s * l; the small number keeps the derivative of the root finite at s = 0.
    return s * (square + 1e-12).sqrt() / (1 + square)


def route(predictions, iterations=3, return_coefficients=False):
    """Routing by agreement (Sabour et al. 2017, procedure 1).

    Args:
        predictions: (B, K, N, D), what each of N capsules predicts for each of K capsules above.
        iterations: how often coefficients are computed. Default 3.
        return_coefficients: whether to return those of the last iteration, too. Default False.

    Returns:
        the capsules above, (B, K, D); and the coefficients (B, K, N), whose sum over K is 1.
    """
    logits = predictions.new_zeros(predictions.shape[:3])  # (B, K, N)
    for i in range(iterations):
        coefficients = logits.softmax(1)  # (B, K, N)
        capsules = squash(torch.einsum("bkn,bknd->bkd", coefficients, predictions))
        if i < iterations - 1:
            logits = logits + torch.einsum("bknd,bkd->bkn", predictions, capsules)
    return (capsules, coefficients) if return_coefficients else capsules


def margin_loss(lengths, targets):
    """Lengths of the right capsules above 0.9, all others below 0.1, mean over the batch.

    Args:
        lengths: (B, K), of the class capsules.
        targets: (B,), classes.

    Returns:
        scalar tensor; wrong classes weigh half. (Sabour et al. 2017, equation 4)
    """
    right = F.one_hot(targets, lengths.shape[1])  # (B, K)
    too_short = F.relu(0.9 - lengths).square()
    too_long = F.relu(lengths - 0.1).square()
    return (right * too_short + 0.5 * (1 - right) * too_long).sum(1).mean()


class CapsNet(nn.Module):
    """Capsule network with routing by agreement (Sabour, Frosst, Hinton 2017).

    New was to replace pooling, which forgets where a thing was, by a vote whose outcome keeps its
    pose. A decoder that redraws the image from the capsule of its class sees to it that the pose is
    kept. Calling the network gives the lengths of the class capsules.

    Args:
        num_classes: classes, K. Default 10.
        in_channels: C, of the images. Default 1.
        image_size: height and width of the images, in pixels. Default 28.
        width: channels of the first convolution. Default 256.
        primary: channels of capsules in the second. Default 32.
        primary_size: features of each of those capsules. Default 8.
        class_size: D, features of each class capsule. Default 16.
        decoder: widths of the decoder's hidden layers; () for a network without one.
            Default (512, 1024).
        iterations: of the routing. Default 3.

    Raises:
        ValueError: if the images are too small, or `iterations` is less than 1.
    """

    def __init__(
        self, num_classes=10, in_channels=1, image_size=28, width=256, *,
        primary=32, primary_size=8, class_size=16, decoder=(512, 1024), iterations=3,
    ):  # fmt: skip
        super().__init__()
        if image_size < 17 or iterations < 1:
            raise ValueError(
                "CapsNet: two 9x9 convolutions need image_size >= 17, and the routing at least one "
                f"iteration; got {image_size} and {iterations}"
            )
        self.image_shape, self.iterations = (in_channels, image_size, image_size), iterations
        self.primary_size = primary_size
        grid = (image_size - 16 + 1) // 2  # height and width after the second convolution
        capsules = primary * grid**2  # N
        self.conv1 = nn.Conv2d(in_channels, width, 9)
        self.conv2 = nn.Conv2d(width, primary * primary_size, 9, stride=2)
        # One matrix for each pair of capsules takes the pose of the lower to that of the upper.
        self.weight = nn.Parameter(torch.empty(capsules, num_classes, class_size, primary_size))
        nn.init.normal_(self.weight, std=0.1)
        self.decoder = nn.Sequential()
        features = num_classes * class_size
        for hidden in decoder:
            self.decoder.extend([nn.Linear(features, hidden), nn.ReLU(inplace=True)])
            features = hidden
        if decoder:
            self.decoder.extend([nn.Linear(features, in_channels * image_size**2), nn.Sigmoid()])

    def capsules(self, x, return_coefficients=False):
        """The class capsules of images (B, C, H, W).

        Args:
            x: images, values in [0, 1].
            return_coefficients: whether to return those of the routing, too. Default False.

        Returns:
            (B, K, D); and the coefficients (B, K, N).

        Raises:
            ValueError: if the images are not of the shape that the network was built for.
        """
        if x.ndim != 4 or tuple(x.shape[1:]) != self.image_shape:
            c, size, _ = self.image_shape
            raise ValueError(
                f"CapsNet: expected images (B, {c}, {size}, {size}), got {tuple(x.shape)}; "
                "resize them, or build with that in_channels and image_size"
            )
        x = F.relu(self.conv1(x), inplace=True)  # (B, 256, 20, 20)
        x = self.conv2(x)  # (B, 32 * 8, 6, 6)
        x = x.unflatten(1, (-1, self.primary_size))  # (B, 32, 8, 6, 6)
        x = squash(x.movedim(2, -1).flatten(1, 3))  # (B, N, 8)
        predictions = torch.einsum("nkdp,bnp->bknd", self.weight, x)  # (B, K, N, D)
        return route(predictions, self.iterations, return_coefficients)

    def forward(self, x):
        return self.capsules(x).norm(dim=-1)  # (B, K)

    def reconstruct(self, capsules, classes=None):
        """Draw images from class capsules.

        Args:
            capsules: (B, K, D).
            classes: (B,), whose capsule to draw; all others are set to zero. Default: the longest.

        Returns:
            images (B, C, H, W) with values in [0, 1].

        Raises:
            ValueError: if the network was built without a decoder.
        """
        if not len(self.decoder):
            raise ValueError("CapsNet: built without a decoder; set decoder=(512, 1024)")
        if classes is None:
            classes = capsules.norm(dim=-1).argmax(1)  # (B,)
        mask = F.one_hot(classes, capsules.shape[1])[:, :, None]  # (B, K, 1)
        return self.decoder((capsules * mask).flatten(1)).unflatten(1, self.image_shape)

    def loss(self, x, targets):
        """Margin loss, and 0.0005 of the summed squared error of the redrawn image."""
        capsules = self.capsules(x)
        loss = margin_loss(capsules.norm(dim=-1), targets)
        if len(self.decoder):
            error = (self.reconstruct(capsules, targets) - x).square().flatten(1).sum(1)  # (B,)
            loss = loss + 0.0005 * error.mean()
        return loss

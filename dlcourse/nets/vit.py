"""The vision transformer: an image is a sentence of patches.

The image is cut into squares, each becomes a vector, and from there on it is the encoder that was
made for text: every patch looks at every other. No convolution but the cutting, and no notion of
neighborhood that isn't learned.
"""

from collections import OrderedDict
from dataclasses import dataclass, replace

import torch
from torch import nn


@dataclass(frozen=True)
class ViTConfig:
    """Sizes of a `ViT`; the defaults are ViT-B/16's.

    Args:
        image_size: height and width of the images, in pixels. Default 224.
        patch_size: height and width of a patch, in pixels. Default 16.
        num_classes: classes, K. Default 1000.
        in_channels: C, of the images. Default 3.
        depth: blocks. Default 12.
        heads: of the attention. Default 12.
        width: D, features of each patch. Default 768.
        mlp_width: features within the perceptrons. Default 3072.
        dropout: probability, in the blocks. Default 0.

    Raises:
        ValueError: if patches don't tile the image, or heads don't share the features evenly.
    """

    image_size: int = 224
    patch_size: int = 16
    num_classes: int = 1000
    in_channels: int = 3
    depth: int = 12
    heads: int = 12
    width: int = 768
    mlp_width: int = 3072
    dropout: float = 0.0

    def __post_init__(self):
        if self.image_size % self.patch_size:
            raise ValueError(
                f"ViTConfig: patches of {self.patch_size} pixels don't tile images of "
                f"{self.image_size}; choose a patch_size that divides image_size"
            )
        if self.width % self.heads:
            raise ValueError(
                f"ViTConfig: {self.heads} heads can't share {self.width} features evenly; "
                "choose a width that is a multiple of heads"
            )

    @property
    def patches(self):
        """T - 1: patches of one image."""
        return (self.image_size // self.patch_size) ** 2


class EncoderBlock(nn.Module):
    """Attention among the patches, then a perceptron for each; norm first, shortcut around."""

    def __init__(self, config):
        super().__init__()
        c = config
        self.ln_1 = nn.LayerNorm(c.width, eps=1e-6)
        self.self_attention = nn.MultiheadAttention(c.width, c.heads, c.dropout, batch_first=True)
        self.dropout = nn.Dropout(c.dropout)
        self.ln_2 = nn.LayerNorm(c.width, eps=1e-6)
        self.mlp = nn.Sequential(
            nn.Linear(c.width, c.mlp_width),  # (B, T, 4 D)
            nn.GELU(),
            nn.Dropout(c.dropout),
            nn.Linear(c.mlp_width, c.width),  # (B, T, D)
            nn.Dropout(c.dropout),
        )

    def forward(self, x):
        y = self.ln_1(x)  # (B, T, D)
        y, _ = self.self_attention(y, y, y, need_weights=False)
        x = x + self.dropout(y)
        return x + self.mlp(self.ln_2(x))


class Encoder(nn.Module):
    """Position is added, blocks follow one another, a norm closes."""

    def __init__(self, config):
        super().__init__()
        self.pos_embedding = nn.Parameter(torch.empty(1, config.patches + 1, config.width))
        self.dropout = nn.Dropout(config.dropout)
        self.layers = nn.Sequential(
            OrderedDict((f"encoder_layer_{i}", EncoderBlock(config)) for i in range(config.depth))
        )
        self.ln = nn.LayerNorm(config.width, eps=1e-6)

    def forward(self, x):
        return self.ln(self.layers(self.dropout(x + self.pos_embedding)))  # (B, T, D)


class ViT(nn.Module):
    """Vision transformer (Dosovitskiy et al. 2021).

    New was to show that with enough data the transformer needs nothing made for images. The answer
    is read off an additional, learned "class" patch. The keys of the state dict are torchvision's.

    ``ViT()`` is ViT-B/16; for 32x32 images for example ``ViT(image_size=32, patch_size=4, depth=4,
    heads=4, width=64, mlp_width=128, num_classes=10)``.

    Args:
        config: sizes. Default `ViTConfig()`.
        **changes: fields of `ViTConfig` to change.
    """

    def __init__(self, config=None, **changes):
        super().__init__()
        c = self.config = replace(config or ViTConfig(), **changes)
        self.class_token = nn.Parameter(torch.zeros(1, 1, c.width))
        self.conv_proj = nn.Conv2d(c.in_channels, c.width, c.patch_size, stride=c.patch_size)
        self.encoder = Encoder(c)
        self.heads = nn.Sequential(OrderedDict(head=nn.Linear(c.width, c.num_classes)))

        nn.init.normal_(self.encoder.pos_embedding, std=0.02)
        fan_in = c.in_channels * c.patch_size**2
        nn.init.trunc_normal_(self.conv_proj.weight, std=fan_in**-0.5)
        nn.init.zeros_(self.conv_proj.bias)
        for block in self.encoder.layers:
            for linear in (block.mlp[0], block.mlp[3]):
                nn.init.xavier_uniform_(linear.weight)
                nn.init.normal_(linear.bias, std=1e-6)
        nn.init.zeros_(self.heads.head.weight)
        nn.init.zeros_(self.heads.head.bias)

    def forward(self, x):
        c = self.config
        if x.ndim != 4 or tuple(x.shape[1:]) != (c.in_channels, c.image_size, c.image_size):
            raise ValueError(
                f"ViT: expected images (B, {c.in_channels}, {c.image_size}, {c.image_size}), got "
                f"{tuple(x.shape)}; resize them, or build with that in_channels and image_size"
            )
        x = self.conv_proj(x)  # (B, D, 14, 14)
        x = torch.flatten(x, 2).transpose(1, 2)  # (B, T - 1, D)
        token = self.class_token.expand(len(x), -1, -1)  # (B, 1, D)
        x = self.encoder(torch.cat([token, x], dim=1))  # (B, T, D)
        return self.heads(x[:, 0])  # (B, K)

"""The vision transformer against another implementation, and what its parts are for."""

import dataclasses

import pytest
import torch
from reference import fill, pictures, run

from dlcourse.nets.vit import ViT, ViTConfig

SMALL = ViTConfig(
    image_size=32, patch_size=8, num_classes=7, in_channels=1, depth=2, heads=4, width=48,
    mlp_width=80,
)  # fmt: skip

# Ours to those of `transformers`; attention is in three parts there.
NAMES = {
    "class_token": "vit.embeddings.cls_token",
    "encoder.pos_embedding": "vit.embeddings.position_embeddings",
    "conv_proj": "vit.embeddings.patch_embeddings.projection",
    "encoder.layers.encoder_layer_": "vit.layers.",
    "ln_1": "layernorm_before",
    "ln_2": "layernorm_after",
    "self_attention.out_proj": "attention.o_proj",
    "mlp.0": "mlp.fc1",
    "mlp.3": "mlp.fc2",
    "encoder.ln": "vit.layernorm",
    "heads.head": "classifier",
}


def huggingface_state(net):
    state = {}
    for key, value in net.state_dict().items():
        for ours, theirs in NAMES.items():
            key = key.replace(ours, theirs)
        if "in_proj_" in key:
            start, kind = key.split("self_attention.in_proj_")
            for name, part in zip("qkv", value.chunk(3), strict=True):
                state[f"{start}attention.{name}_proj.{kind}"] = part
        else:
            state[key] = value
    return state


def test_equals_transformers():
    transformers = pytest.importorskip("transformers")
    theirs = transformers.ViTForImageClassification(
        transformers.ViTConfig(
            hidden_size=48, num_hidden_layers=2, num_attention_heads=4, intermediate_size=80,
            image_size=32, patch_size=8, num_channels=1, num_labels=7, layer_norm_eps=1e-6,
        )
    )  # fmt: skip
    ours = fill(ViT(SMALL))
    theirs.load_state_dict(huggingface_state(ours))
    images = pictures(32, channels=1, batch=2)
    with torch.no_grad():
        expected = theirs.eval()(images).logits
    scale = expected.abs().max().item()
    torch.testing.assert_close(run(ours, images), expected, rtol=0, atol=1e-5 * scale)


def test_without_positions_the_order_of_the_patches_does_not_matter():
    net = fill(ViT(SMALL))
    images = pictures(32, channels=1)
    patches = images.unflatten(3, (4, 8)).unflatten(2, (4, 8))  # (1, 1, 4, 8, 4, 8)
    shuffled = patches[:, :, [2, 0, 3, 1]][:, :, :, :, [1, 3, 0, 2]].flatten(4, 5).flatten(2, 3)
    assert not torch.allclose(run(net, images), run(net, shuffled), rtol=1e-2)
    torch.nn.init.zeros_(net.encoder.pos_embedding)
    torch.testing.assert_close(run(net, images), run(net, shuffled), rtol=1e-3, atol=1e-4)


def test_a_configuration_can_be_changed_but_not_in_place():
    assert ViT(SMALL, num_classes=3).config == dataclasses.replace(SMALL, num_classes=3)
    with pytest.raises(dataclasses.FrozenInstanceError):
        SMALL.depth = 5
    with pytest.raises(TypeError, match="layers"):
        ViT(layers=3)


def test_the_answer_starts_undecided():
    assert not ViT(SMALL)(pictures(32, channels=1)).any()

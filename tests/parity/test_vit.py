"""The vision transformers of torchvision, timm and transformers, and their interpolation of positions."""

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from parity import oracles
from safetensors.numpy import load_file

from jaxnets import models, weights

pytestmark = pytest.mark.parity

TIMM = {
    "vit_b_16": "vit_base_patch16_224",
    "vit_b_32": "vit_base_patch32_224",
    "vit_l_16": "vit_large_patch16_224",
    "vit_l_32": "vit_large_patch32_224",
    "vit_h_14": "vit_huge_patch14_224",
}


def theirs(source, name, size):
    if source == "torchvision":
        return getattr(oracles.torchvision().models, name)(image_size=size)
    return oracles.timm().create_model(TIMM[name], img_size=size, num_classes=1000)  # some begin without a head


@pytest.mark.parametrize("source", ["torchvision", "timm"])
@pytest.mark.parametrize("name", oracles.some(TIMM))
def test_vit(name, source):
    size = 28 if name == "vit_h_14" else 64
    model = oracles.randomise(theirs(source, name, size))
    oracles.compare(name, source, model, oracles.images(2, size, size, 3), image_size=size)


def test_small():
    """The same modules, few and narrow."""
    model = oracles.torchvision().models.VisionTransformer(8, 4, 2, 2, 16, 64, num_classes=5)
    config = {"num_classes": 5, "image_size": 8, "patch": 4, "channels": 16, "depth": 2, "heads": 2}
    x = oracles.images(2, 8, 8, 3)
    oracles.compare("vit_b_16", "torchvision", oracles.randomise(model), x, gradient=True, **config)
    timm = oracles.timm().models.vision_transformer.VisionTransformer(
        8, 4, depth=2, embed_dim=16, num_heads=2, num_classes=5
    )
    oracles.compare("vit_b_16", "timm", oracles.randomise(timm), x, gradient=True, **config)


# patch, channels, blocks, heads
SIZES = {
    "vit_b_16": (16, 768, 12, 12),
    "vit_b_32": (32, 768, 12, 12),
    "vit_l_16": (16, 1024, 24, 16),
    "vit_l_32": (32, 1024, 24, 16),
    "vit_h_14": (14, 1280, 4, 16),  # of 32 blocks, for the sake of memory
}


def of_transformers(size, patch, channels, depth, heads, **config):
    """Its norms have an eps of 1e-12, as published, where ours have 1e-6."""
    config |= {"image_size": size, "patch_size": patch, "hidden_size": channels, "intermediate_size": 4 * channels}
    return oracles.classifier("ViT", num_hidden_layers=depth, num_attention_heads=heads, **config)


def published(module, tensors):
    """The tensors as its files have them, with other names than its modules since version 5."""
    tensors = {name: oracles.torch.from_numpy(array) for name, array in tensors.items()}
    with TemporaryDirectory() as folder:
        module.save_pretrained(folder, state_dict=tensors)
        return load_file(Path(folder) / "model.safetensors")


TRANSFORMERS = {"run": oracles.logits, "published": published}


def test_small_of_transformers():
    model = of_transformers(8, 4, 16, 2, 2, num_labels=5, layer_norm_eps=1e-6)
    config = {"num_classes": 5, "image_size": 8, "patch": 4, "channels": 16, "depth": 2, "heads": 2}
    x = oracles.images(2, 8, 8, 3)
    oracles.compare("vit_b_16", "transformers", model, x, gradient=True, zero="*/k/b", **TRANSFORMERS, **config)


@pytest.mark.slow
@pytest.mark.parametrize("name", SIZES)
def test_vit_of_transformers(name):
    size = 28 if name == "vit_h_14" else 64
    model = of_transformers(size, *SIZES[name])
    config = {"image_size": size, "depth": SIZES[name][2]}
    oracles.compare(name, "transformers", model, oracles.images(2, size, size, 3), **TRANSFORMERS, **config)


def test_positions_of_another_size():
    oracles.torchvision()
    from torchvision.models.vision_transformer import VisionTransformer, interpolate_embeddings

    config = {"num_classes": 5, "patch": 4, "channels": 16, "depth": 1, "heads": 2}
    given = oracles.randomise(VisionTransformer(12, 4, 1, 2, 16, 64, num_classes=5)).state_dict()
    params, state = weights.from_state_dict(
        "vit_b_16", oracles.arrays(given), source="torchvision", image_size=12, **config
    )
    wanted = oracles.arrays(interpolate_embeddings(20, 4, given))
    found = weights.to_state_dict("vit_b_16", models.interpolate_positions(params, 20), state, source="torchvision")
    assert found.keys() == wanted.keys()
    for name, tensor in wanted.items():
        np.testing.assert_allclose(found[name], tensor, rtol=0, atol=1e-5)

"""The ConvNeXts of torchvision, timm and transformers."""

import pytest
from parity import oracles

pytestmark = pytest.mark.parity

NAMES = tuple(f"convnext_{size}" for size in ("tiny", "small", "base", "large"))


def theirs(source, name):
    if source == "torchvision":
        return getattr(oracles.torchvision().models, name)(stochastic_depth_prob=0.0)
    return oracles.timm().create_model(name)


@pytest.mark.parametrize("source", ["torchvision", "timm"])
@pytest.mark.parametrize("name", oracles.some(NAMES, "convnext_tiny"))
def test_convnext(name, source):
    model = oracles.randomise(theirs(source, name))
    oracles.compare(name, source, model, oracles.images(2, 32, 35, 3), gradient=name == "convnext_tiny")


SIZES = {
    "convnext_tiny": ((3, 3, 9, 3), (96, 192, 384, 768)),
    "convnext_small": ((3, 3, 27, 3), (96, 192, 384, 768)),
    "convnext_base": ((3, 3, 27, 3), (128, 256, 512, 1024)),
    "convnext_large": ((3, 3, 27, 3), (192, 384, 768, 1536)),
}


def of_transformers(depths, channels, **config):
    """Its last norm has an eps of 1e-12, as published, where ours has the 1e-6 of the others."""
    config |= {"depths": list(depths), "hidden_sizes": list(channels), "num_stages": len(depths)}
    return oracles.classifier("ConvNext", **config)


def test_small_of_transformers():
    config = {"depths": (1, 1), "channels": (8, 16)}
    model = of_transformers(**config, num_labels=5)
    x = oracles.images(2, 16, 19, 3)
    oracles.compare(
        "convnext_tiny", "transformers", model, x, run=oracles.logits, gradient=True, num_classes=5, **config
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", SIZES)
def test_convnext_of_transformers(name):
    model = of_transformers(*SIZES[name])
    oracles.compare(name, "transformers", model, oracles.images(2, 32, 35, 3), run=oracles.logits)

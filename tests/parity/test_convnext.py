"""The ConvNeXts of torchvision and timm."""

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

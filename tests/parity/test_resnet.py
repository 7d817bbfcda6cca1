"""The residual networks of torchvision and timm."""

import pytest
from parity import oracles

pytestmark = pytest.mark.parity

NAMES = (
    "resnet18",
    "resnet34",
    "resnet50",
    "resnet101",
    "resnet152",
    "resnext50_32x4d",
    "resnext101_32x8d",
    "resnext101_64x4d",
    "wide_resnet50_2",
    "wide_resnet101_2",
)


def theirs(source, name):
    if source == "torchvision":
        return getattr(oracles.torchvision().models, name)()
    return oracles.timm().create_model(name)


@pytest.mark.parametrize("source", ["torchvision", "timm"])
@pytest.mark.parametrize("name", oracles.some(NAMES, "resnet18", "resnext50_32x4d"))
def test_resnet(name, source):
    model = oracles.randomise(theirs(source, name))
    # Over a hundred norms in a row, each of few values, multiply rounding errors: the deep ones get more to average.
    shape = (8, 64, 64, 3) if "101" in name or "152" in name else (2, 33, 40, 3)
    oracles.compare(name, source, model, oracles.images(*shape), gradient=name == "resnet18")

"""The DenseNets of torchvision and timm."""

import pytest
from parity import oracles

pytestmark = pytest.mark.parity

NAMES = ("densenet121", "densenet161", "densenet169", "densenet201")
IMAGES = oracles.images(3, 65, 70, 3)  # of which the last maps are more than a pixel, so that they have statistics
# No ReLU's input is within 2e-5 of zero (of a deviation), where rounding would decide whether it has a gradient: among
# the half million of IMAGES one is within 3e-8.
FEW = oracles.images(2, 33, 38, 3)


def theirs(source, name):
    if source == "torchvision":
        return getattr(oracles.torchvision().models, name)()
    return oracles.timm().create_model(name)


def test_small():
    """All kinds of layers, and few of each: the gradient of a large one takes a minute to compile."""
    model = oracles.torchvision().models.DenseNet(8, (3, 2), 12, num_classes=10)
    config = {"num_classes": 10, "depths": (3, 2), "growth": 8, "stem": 12}
    oracles.compare("densenet121", "torchvision", oracles.randomise(model), FEW, gradient=True, **config)


@pytest.mark.slow
@pytest.mark.parametrize("source", ["torchvision", "timm"])
@pytest.mark.parametrize("name", NAMES)
def test_densenet(name, source):
    oracles.compare(name, source, oracles.randomise(theirs(source, name)), IMAGES)

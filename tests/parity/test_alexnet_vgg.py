"""The plain convolutional networks of torchvision and timm."""

import pytest
from parity import oracles

pytestmark = pytest.mark.parity

NAMES = ("vgg11", "vgg11_bn", "vgg13", "vgg13_bn", "vgg16", "vgg16_bn", "vgg19", "vgg19_bn")


def test_alexnet():
    model = oracles.randomise(oracles.torchvision().models.alexnet())
    oracles.compare("alexnet", "torchvision", model, oracles.images(2, 63, 70, 3), gradient=True, rate=0.0)


def theirs(source, name):
    if source == "torchvision":
        return getattr(oracles.torchvision().models, name)()
    return oracles.timm().create_model(name)


@pytest.mark.parametrize("source", ["torchvision", "timm"])
@pytest.mark.parametrize("name", oracles.some(NAMES, "vgg11_bn"))
def test_vgg(name, source):
    """The parameters are 500 MB each time, most of them those of the first matrix."""
    model = oracles.randomise(theirs(source, name))
    oracles.compare(
        name, source, model, oracles.images(2, 33, 40, 3), gradient=(name, source) == ("vgg11", "torchvision"), rate=0.0
    )

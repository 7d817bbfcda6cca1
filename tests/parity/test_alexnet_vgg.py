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


def test_small_vgg():
    """The same layers, few and narrow, so that their gradient is compiled within seconds."""
    vgg, nn = oracles.torchvision().models.vgg, oracles.torch.nn
    model = vgg.VGG(vgg.make_layers([8, "M", 12, 12, "M"], batch_norm=True))
    at = {0: nn.Linear(12 * 7 * 7, 16), 3: nn.Linear(16, 16), 6: nn.Linear(16, 5)}
    model.classifier = nn.Sequential(*(at.get(i, layer) for i, layer in enumerate(model.classifier)))
    config = {"num_classes": 5, "depths": (1, 2), "channels": (8, 12), "hidden": 16, "rate": 0.0, "statistics": False}
    oracles.compare(
        "vgg11_bn", "torchvision", oracles.randomise(model), oracles.images(2, 33, 40, 3), gradient=True, **config
    )


@pytest.mark.parametrize("source", ["torchvision", "timm"])
@pytest.mark.parametrize("name", oracles.some(NAMES, "vgg11_bn"))
def test_vgg(name, source):
    """The parameters are 500 MB each time, most of them those of the first matrix."""
    model = oracles.randomise(theirs(source, name))
    oracles.compare(
        name, source, model, oracles.images(2, 33, 40, 3), gradient=(name, source) == ("vgg11", "torchvision"), rate=0.0
    )

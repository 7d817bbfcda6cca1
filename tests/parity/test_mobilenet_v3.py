"""The MobileNetV3 of torchvision, and of timm, whose batch norm has other numbers."""

import pytest
from parity import oracles

pytestmark = pytest.mark.parity

TIMM = {"mobilenet_v3_large": "mobilenetv3_large_100", "mobilenet_v3_small": "mobilenetv3_small_100"}


@pytest.mark.parametrize("name", oracles.some(TIMM, "mobilenet_v3_small"))
def test_torchvision(name):
    model = oracles.randomise(getattr(oracles.torchvision().models, name)())
    x = oracles.images(2, 33, 40, 3)
    oracles.compare(name, "torchvision", model, x, gradient=name == "mobilenet_v3_small", rate=0.0)


@pytest.mark.parametrize("name", oracles.some(TIMM, "mobilenet_v3_small"))
def test_timm(name):
    model = oracles.randomise(oracles.timm().create_model(TIMM[name]))
    config = {"rate": 0.0, "momentum": 0.9, "eps": 1e-5}
    oracles.compare(name, "timm", model, oracles.images(2, 33, 40, 3), **config)


@pytest.mark.slow
def test_dilated():
    """As segmentation has it; torchvision's argument of that name."""
    model = oracles.randomise(oracles.torchvision().models.mobilenet_v3_large(dilated=True))
    config = {"rate": 0.0, "dilated": True}
    oracles.compare("mobilenet_v3_large", "torchvision", model, oracles.images(1, 65, 70, 3), **config)

"""torchvision's MobileNetV2, and timm's in three widths."""

import pytest
from parity import oracles

pytestmark = pytest.mark.parity


def test_torchvision():
    model = oracles.randomise(oracles.torchvision().models.mobilenet_v2(dropout=0.0))
    oracles.compare("mobilenet_v2", "torchvision", model, oracles.images(2, 33, 40, 3), rate=0.0, gradient=True)


@pytest.mark.parametrize(
    ("name", "width"),
    [
        ("mobilenetv2_100", 1.0),
        pytest.param("mobilenetv2_050", 0.5, marks=pytest.mark.slow),
        pytest.param("mobilenetv2_140", 1.4, marks=pytest.mark.slow),
    ],
)
def test_timm(name, width):
    model = oracles.randomise(oracles.timm().create_model(name))
    oracles.compare("mobilenet_v2", "timm", model, oracles.images(2, 33, 40, 3), rate=0.0, width=width)

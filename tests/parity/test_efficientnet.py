"""The EfficientNets of torchvision and timm, of either paper."""

import pytest
from parity import oracles

pytestmark = pytest.mark.parity

NAMES = tuple(f"efficientnet_b{i}" for i in range(8)) + tuple(f"efficientnet_v2_{size}" for size in "sml")
QUIET = {"rate": 0.0, "path_rate": 0.0}


def images(name):
    """Hundreds of norms in a row, each of few values, multiply rounding errors: the deep ones get more to average."""
    return oracles.images(*((8, 64, 64, 3) if name[-2:] in ("b5", "b6", "b7", "_m", "_l") else (2, 33, 40, 3)))


@pytest.mark.parametrize("name", oracles.some(NAMES, "efficientnet_b0"))
def test_torchvision(name):
    make = getattr(oracles.torchvision().models, name)
    model = oracles.randomise(make(dropout=0.0, stochastic_depth_prob=0.0))
    oracles.compare(name, "torchvision", model, images(name), gradient=name == "efficientnet_b0", **QUIET)


@pytest.mark.parametrize("name", oracles.some(NAMES, "efficientnet_b0"))
def test_timm(name):
    model = oracles.randomise(oracles.timm().create_model(name.replace("_v2_", "v2_")))
    norm = {} if name in NAMES[:5] else {"eps": 1e-5, "momentum": 0.9}
    oracles.compare(name, "timm", model, images(name), **QUIET, **norm)

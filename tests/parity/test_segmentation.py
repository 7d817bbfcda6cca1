"""The segmenters of torchvision."""

import pytest
from parity import oracles

pytestmark = pytest.mark.parity

# name: what makes ours draw nothing in training
NAMES = {
    "fcn_resnet50": {"rate": 0},
    "fcn_resnet101": {"rate": 0},
    "deeplabv3_resnet50": {"rate": 0, "aux_rate": 0},
    "deeplabv3_resnet101": {"rate": 0, "aux_rate": 0},
    "deeplabv3_mobilenet_v3_large": {"rate": 0, "aux_rate": 0},
    "lraspp_mobilenet_v3_large": {},
}


def predictions(outputs):
    """Theirs as ours: channels last, and not in a dict where there is one alone."""
    found = {name: tensor.permute(0, 2, 3, 1) for name, tensor in outputs.items()}
    return found if len(found) > 1 else found["out"]


@pytest.mark.parametrize("name", oracles.some(NAMES, "lraspp_mobilenet_v3_large"))
def test_segmentation(name):
    make = getattr(oracles.torchvision().models.segmentation, name)
    aux = {} if name.startswith("lraspp") else {"aux_loss": True}
    model = oracles.randomise(make(weights=None, weights_backbone=None, num_classes=5, **aux))
    x = oracles.images(4, 24, 17, 3)  # four: the statistics of the pooled maps are over images alone
    oracles.compare(
        name,
        "torchvision",
        model,
        x,
        outputs=predictions,
        gradient=name in ("fcn_resnet50", "deeplabv3_resnet50", "lraspp_mobilenet_v3_large"),
        num_classes=5,
        **NAMES[name],
    )

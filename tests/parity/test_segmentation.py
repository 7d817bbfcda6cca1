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


def backbone():
    """A ResNet of two narrow stages, of which the second dilates."""
    models, nn = oracles.torchvision().models, oracles.torch.nn
    block = models.resnet.Bottleneck
    net = models.ResNet(block, [1, 1, 1, 1])
    net.conv1, net.bn1, net.inplanes = nn.Conv2d(3, 8, 7, 2, 3, bias=False), nn.BatchNorm2d(8), 8
    net.layer1, net.layer2 = net._make_layer(block, 8, 1), net._make_layer(block, 16, 1, stride=2, dilate=True)
    return models._utils.IntermediateLayerGetter(net, {"layer1": "aux", "layer2": "out"})


def test_small_fcn():
    """The same layers, few and narrow, so that their gradient is compiled within seconds."""
    fcn = oracles.torchvision().models.segmentation.fcn
    compare_small("fcn_resnet50", fcn.FCN(backbone(), fcn.FCNHead(64, 5), fcn.FCNHead(32, 5)))


def test_small_deeplab():
    deeplab, nn = oracles.torchvision().models.segmentation.deeplabv3, oracles.torch.nn
    refine = nn.Conv2d(8, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 5, 1)
    head = nn.Sequential(deeplab.ASPP(64, (1, 2, 3), 8), *refine)
    model = deeplab.DeepLabV3(backbone(), head)  # the second head is the FCN's, compared above
    compare_small("deeplabv3_resnet50", model, width=8, dilations=(1, 2, 3), aux=False)


def compare_small(name, model, **config):
    config |= {"num_classes": 5, "depths": (1, 1), "channels": (8, 16), "output_stride": 4, "statistics": False}
    model, x = oracles.randomise(model), oracles.images(4, 24, 17, 3)
    oracles.compare(name, "torchvision", model, x, outputs=predictions, gradient=True, **config, **NAMES[name])


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

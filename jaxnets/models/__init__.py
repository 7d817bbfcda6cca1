"""Models by name. Each is a function that returns a `Layer`; one paper a file."""

import inspect
from collections.abc import Callable
from difflib import get_close_matches
from typing import Any

from jaxnets.core import Layer
from jaxnets.models.alexnet import alexnet
from jaxnets.models.bert import bert_base, bert_large, bert_medium, bert_mini, bert_small, bert_tiny
from jaxnets.models.convnext import (
    convnext_base,
    convnext_large,
    convnext_small,
    convnext_tiny,
)
from jaxnets.models.dcn import dcn_v2
from jaxnets.models.densenet import densenet121, densenet161, densenet169, densenet201
from jaxnets.models.detection.faster_rcnn import fasterrcnn_resnet50_fpn, fasterrcnn_resnet50_fpn_v2
from jaxnets.models.detection.fcos import fcos_resnet50_fpn
from jaxnets.models.detection.retinanet import retinanet_resnet50_fpn, retinanet_resnet50_fpn_v2
from jaxnets.models.distilbert import distilbert_base
from jaxnets.models.dqn import dueling_dqn, nature_dqn
from jaxnets.models.efficientnet import (
    efficientnet_b0,
    efficientnet_b1,
    efficientnet_b2,
    efficientnet_b3,
    efficientnet_b4,
    efficientnet_b5,
    efficientnet_b6,
    efficientnet_b7,
    efficientnet_v2_l,
    efficientnet_v2_m,
    efficientnet_v2_s,
)
from jaxnets.models.generate import generate, sample
from jaxnets.models.gpt2 import gpt2, gpt2_large, gpt2_medium, gpt2_xl
from jaxnets.models.impala import impala, nature_actor_critic
from jaxnets.models.lenet import lenet, lenet_features
from jaxnets.models.lenet5 import lenet5
from jaxnets.models.mlp import mlp
from jaxnets.models.mobilenet_v2 import mobilenet_v2
from jaxnets.models.mobilenet_v3 import mobilenet_v3_large, mobilenet_v3_small
from jaxnets.models.quartznet import quartznet5x5, quartznet10x5, quartznet15x5
from jaxnets.models.resnet import (
    resnet18,
    resnet34,
    resnet50,
    resnet101,
    resnet152,
    resnext50_32x4d,
    resnext101_32x8d,
    resnext101_64x4d,
    wide_resnet50_2,
    wide_resnet101_2,
)
from jaxnets.models.segmentation.deeplab_v3 import (
    deeplabv3_mobilenet_v3_large,
    deeplabv3_resnet50,
    deeplabv3_resnet101,
)
from jaxnets.models.segmentation.fcn import fcn_resnet50, fcn_resnet101
from jaxnets.models.segmentation.lraspp import lraspp_mobilenet_v3_large
from jaxnets.models.segmentation.unet import unet
from jaxnets.models.textcnn import textcnn
from jaxnets.models.vgg import (
    vgg11,
    vgg11_bn,
    vgg13,
    vgg13_bn,
    vgg16,
    vgg16_bn,
    vgg19,
    vgg19_bn,
)
from jaxnets.models.vit import (
    interpolate_positions,
    vit_b_16,
    vit_b_32,
    vit_h_14,
    vit_l_16,
    vit_l_32,
)
from jaxnets.models.wav2vec2 import wav2vec2_base, wav2vec2_large, wav2vec2_large_lv60
from jaxnets.models.wide_deep import wide_deep

__all__ = [
    "MODELS",
    "alexnet",
    "bert_base",
    "bert_large",
    "bert_medium",
    "bert_mini",
    "bert_small",
    "bert_tiny",
    "convnext_base",
    "convnext_large",
    "convnext_small",
    "convnext_tiny",
    "create",
    "dcn_v2",
    "deeplabv3_mobilenet_v3_large",
    "deeplabv3_resnet50",
    "deeplabv3_resnet101",
    "densenet121",
    "densenet161",
    "densenet169",
    "densenet201",
    "distilbert_base",
    "dueling_dqn",
    "efficientnet_b0",
    "efficientnet_b1",
    "efficientnet_b2",
    "efficientnet_b3",
    "efficientnet_b4",
    "efficientnet_b5",
    "efficientnet_b6",
    "efficientnet_b7",
    "efficientnet_v2_l",
    "efficientnet_v2_m",
    "efficientnet_v2_s",
    "fasterrcnn_resnet50_fpn",
    "fasterrcnn_resnet50_fpn_v2",
    "fcn_resnet50",
    "fcn_resnet101",
    "fcos_resnet50_fpn",
    "generate",
    "gpt2",
    "gpt2_large",
    "gpt2_medium",
    "gpt2_xl",
    "impala",
    "interpolate_positions",
    "lenet",
    "lenet5",
    "lenet_features",
    "lraspp_mobilenet_v3_large",
    "mlp",
    "mobilenet_v2",
    "mobilenet_v3_large",
    "mobilenet_v3_small",
    "names",
    "nature_actor_critic",
    "nature_dqn",
    "quartznet5x5",
    "quartznet10x5",
    "quartznet15x5",
    "resnet18",
    "resnet34",
    "resnet50",
    "resnet101",
    "resnet152",
    "resnext50_32x4d",
    "resnext101_32x8d",
    "resnext101_64x4d",
    "retinanet_resnet50_fpn",
    "retinanet_resnet50_fpn_v2",
    "sample",
    "textcnn",
    "unet",
    "vgg11",
    "vgg11_bn",
    "vgg13",
    "vgg13_bn",
    "vgg16",
    "vgg16_bn",
    "vgg19",
    "vgg19_bn",
    "vit_b_16",
    "vit_b_32",
    "vit_h_14",
    "vit_l_16",
    "vit_l_32",
    "wav2vec2_base",
    "wav2vec2_large",
    "wav2vec2_large_lv60",
    "wide_deep",
    "wide_resnet50_2",
    "wide_resnet101_2",
]

MODELS: dict[str, Callable[..., Layer]] = {
    "bert_base": bert_base,
    "bert_large": bert_large,
    "bert_medium": bert_medium,
    "bert_mini": bert_mini,
    "bert_small": bert_small,
    "bert_tiny": bert_tiny,
    "distilbert_base": distilbert_base,
    "gpt2": gpt2,
    "gpt2_large": gpt2_large,
    "gpt2_medium": gpt2_medium,
    "gpt2_xl": gpt2_xl,
    "textcnn": textcnn,
    "alexnet": alexnet,
    "convnext_base": convnext_base,
    "convnext_large": convnext_large,
    "convnext_small": convnext_small,
    "convnext_tiny": convnext_tiny,
    "dcn_v2": dcn_v2,
    "densenet121": densenet121,
    "densenet161": densenet161,
    "densenet169": densenet169,
    "densenet201": densenet201,
    "dueling_dqn": dueling_dqn,
    "efficientnet_b0": efficientnet_b0,
    "efficientnet_b1": efficientnet_b1,
    "efficientnet_b2": efficientnet_b2,
    "efficientnet_b3": efficientnet_b3,
    "efficientnet_b4": efficientnet_b4,
    "efficientnet_b5": efficientnet_b5,
    "efficientnet_b6": efficientnet_b6,
    "efficientnet_b7": efficientnet_b7,
    "efficientnet_v2_l": efficientnet_v2_l,
    "efficientnet_v2_m": efficientnet_v2_m,
    "efficientnet_v2_s": efficientnet_v2_s,
    "impala": impala,
    "lenet": lenet,
    "lenet5": lenet5,
    "mlp": mlp,
    "mobilenet_v2": mobilenet_v2,
    "mobilenet_v3_large": mobilenet_v3_large,
    "mobilenet_v3_small": mobilenet_v3_small,
    "nature_actor_critic": nature_actor_critic,
    "nature_dqn": nature_dqn,
    "quartznet5x5": quartznet5x5,
    "quartznet10x5": quartznet10x5,
    "quartznet15x5": quartznet15x5,
    "resnet18": resnet18,
    "resnet34": resnet34,
    "resnet50": resnet50,
    "resnet101": resnet101,
    "resnet152": resnet152,
    "resnext50_32x4d": resnext50_32x4d,
    "resnext101_32x8d": resnext101_32x8d,
    "resnext101_64x4d": resnext101_64x4d,
    "vgg11": vgg11,
    "vgg11_bn": vgg11_bn,
    "vgg13": vgg13,
    "vgg13_bn": vgg13_bn,
    "vgg16": vgg16,
    "vgg16_bn": vgg16_bn,
    "vgg19": vgg19,
    "vgg19_bn": vgg19_bn,
    "vit_b_16": vit_b_16,
    "vit_b_32": vit_b_32,
    "vit_l_16": vit_l_16,
    "vit_l_32": vit_l_32,
    "vit_h_14": vit_h_14,
    "wav2vec2_base": wav2vec2_base,
    "wav2vec2_large": wav2vec2_large,
    "wav2vec2_large_lv60": wav2vec2_large_lv60,
    "wide_deep": wide_deep,
    "wide_resnet50_2": wide_resnet50_2,
    "wide_resnet101_2": wide_resnet101_2,
    "deeplabv3_mobilenet_v3_large": deeplabv3_mobilenet_v3_large,
    "lraspp_mobilenet_v3_large": lraspp_mobilenet_v3_large,
    "deeplabv3_resnet50": deeplabv3_resnet50,
    "deeplabv3_resnet101": deeplabv3_resnet101,
    "fcn_resnet50": fcn_resnet50,
    "fcn_resnet101": fcn_resnet101,
    "unet": unet,
    "fasterrcnn_resnet50_fpn": fasterrcnn_resnet50_fpn,
    "fasterrcnn_resnet50_fpn_v2": fasterrcnn_resnet50_fpn_v2,
    "fcos_resnet50_fpn": fcos_resnet50_fpn,
    "retinanet_resnet50_fpn": retinanet_resnet50_fpn,
    "retinanet_resnet50_fpn_v2": retinanet_resnet50_fpn_v2,
}


def names() -> list[str]:
    """The names that `create` knows, sorted.

    >>> "lenet" in names()
    True
    """
    return sorted(MODELS)


def create(name: str, **config: Any) -> Layer:
    """Build a model: `create("lenet", num_classes=10)` is `lenet(num_classes=10)`.

    Raises:
        ValueError: there is no model of that name; the message lists the nearest names, and says how many there are.
        TypeError: the model does not take one of these arguments; the message lists those it takes.

    >>> create("lenett")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ValueError: there is no model 'lenett'; the nearest names are lenet, ...
    """
    if name not in MODELS:
        near = ", ".join(get_close_matches(name, names(), n=3, cutoff=0))
        raise ValueError(
            f"there is no model {name!r}; the nearest names are {near}, of {len(MODELS)} in jaxnets.models.names()"
        )
    known = inspect.signature(MODELS[name]).parameters
    unknown = [key for key in config if key not in known]
    if unknown:
        raise TypeError(f"model {name!r} takes no {', '.join(unknown)}; it takes {', '.join(known)}")
    return MODELS[name](**config)

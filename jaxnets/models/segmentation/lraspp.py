"""Lite R-ASPP: the segmenter of MobileNetV3, two maps and hardly a head.

Howard et al. (2019), Searching for MobileNetV3, https://arxiv.org/abs/1905.02244, section 6.4
"""

from collections.abc import Mapping, Sequence

import jax
import jax.numpy as jnp

from jaxnets.combine import parallel, serial
from jaxnets.core import Layer
from jaxnets.layers import batch_norm, conv, global_avg_pool
from jaxnets.models.mapping import Names, Rule, Shapes
from jaxnets.models.maps import around, by_name, named, resized
from jaxnets.models.mobilenet_v3 import LARGE, Stage
from jaxnets.models.parts import FAN_OUT, centered_conv, unit
from jaxnets.models.segmentation.segmenter import mobilenet_rules, mobilenet_stages, segmenter


def lraspp_mobilenet_v3_large(
    num_classes: int = 21,
    *,
    stages: Sequence[Stage] = LARGE,
    width: float = 1.0,
    low: int = 3,
    channels: int = 128,
) -> Layer:
    """The segmenter: a MobileNetV3 whose last stage dilates, its last map weighted by the mean over the image, and
    an earlier map of finer resolution.

    Shapes: `(N, H, W, C) → (N, H, W, num_classes)` logits; any H and W.

    Args:
        num_classes: K, the background among them.
        stages, width: of `mobilenet_v3_large`.
        low: the stage whose first block gives the finer map.
        channels: of the weighted map.

    Raises `ValueError` as `mobilenet_v3_large` does, and for a `low` that is not before the last stage. Gradient: to
    all parameters. Cost for an image of 520×520: 2.1 billion multiply-adds.

    >>> model = lraspp_mobilenet_v3_large(3)
    >>> params, _ = jax.eval_shape(model.init, jax.random.key(0), jax.ShapeDtypeStruct((1, 64, 64, 3), jnp.float32))
    >>> list(params["heads"]["out"])
    ['high', 'logits']
    """
    last = around(_weighted(channels), take=lambda maps: maps["head"])
    finer = serial(
        high=by_name(high=last, low=lambda maps: named(maps, f"stage{low}/0")),
        logits=parallel(
            jnp.add,
            low=around(conv(num_classes, 1), take=lambda maps: maps["low"]),
            high=around(conv(num_classes, 1), take=lambda maps: resized(maps["high"], maps["low"])),
        ),
    )
    return segmenter(mobilenet_stages(stages, width, low), ("", finer))


def _weighted(channels: int) -> Layer:
    return parallel(
        jnp.multiply,
        main=unit(centered_conv(channels, 1), batch_norm(), jax.nn.relu),
        gate=serial(
            pool=global_avg_pool(keepdims=True),
            conv=conv(channels, 1, bias=False, w_init=FAN_OUT),
            sigmoid=jax.nn.sigmoid,
        ),
    )


def _torchvision(shapes: Shapes) -> list[Rule]:
    high = "heads/out/high/high"
    return [
        *mobilenet_rules(shapes),
        Rule(f"{high}/main/conv", "classifier.cbr.0"),
        Rule(f"{high}/main/norm", "classifier.cbr.1"),
        Rule(f"{high}/gate/conv", "classifier.scale.1"),
        Rule("heads/out/logits/low", "classifier.low_classifier"),
        Rule("heads/out/logits/high", "classifier.high_classifier"),
    ]


SOURCES: Mapping[str, Names] = {"torchvision": _torchvision}

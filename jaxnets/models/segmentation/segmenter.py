"""What the segmenters share: maps of a classifier, heads on them, predictions as large as the image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import jax

from jaxnets.combine import LayerLike, parallel, serial
from jaxnets.core import Layer
from jaxnets.layers import batch_norm, conv, dropout
from jaxnets.models.mapping import Rule, Shapes
from jaxnets.models.maps import around, backbone_maps, by_name, named, resized, tapped
from jaxnets.models.mobilenet_v3 import Stage, mobilenet_v3_blocks, torchvision_rules
from jaxnets.models.parts import centered_conv


def segmenter(stages: Mapping[str, LayerLike], out: tuple[str, Layer], aux: tuple[str, Layer] | None = None) -> Layer:
    """Stages of a classifier; a head, with the name of the map it looks at; and a second one, `aux`, or None.

    Gives logits (N, H, W, K), or with a second head both by name.
    """
    backbone = backbone_maps(stages)
    if aux is None:
        return serial(backbone=backbone, heads=parallel(lambda out: out, out=_full_size(*out)))
    return serial(backbone=backbone, heads=by_name(out=_full_size(*out), aux=_full_size(*aux)))


def _full_size(name: str, head: Layer) -> Layer:
    return around(head, take=lambda maps: named(maps, name), give=lambda maps, y: resized(y, maps["image"]))


def mobilenet_stages(stages: Sequence[Stage], width: float, low: int) -> dict[str, Layer]:
    """Of a MobileNetV3 that dilates its last stage; the stage number `low` gives the maps of all its blocks."""
    stem, blocks, head = mobilenet_v3_blocks(stages, width, dilated=True)
    if not 1 <= low < len(blocks):
        raise ValueError(f"the low map is of stage {low}; pass one from 1 to {len(blocks) - 1}, before the last")
    return {"stem": stem, **tapped(blocks, f"stage{low}"), "head": head}


def mobilenet_rules(shapes: Shapes) -> list[Rule]:
    """The rules of a MobileNetV3 as torchvision's segmenters have it."""
    own = {path.removeprefix("backbone/"): shape for path, shape in shapes.items() if path.startswith("backbone/")}
    rules = [rule for rule in torchvision_rules(own) if "classifier" not in rule.ours]
    return [Rule(f"backbone/{r.ours}", r.theirs.replace("features", "backbone", 1), r.kind) for r in rules]


def fcn_head(num_classes: int, channels: int, rate: float) -> Layer:
    """A 3×3 convolution to `channels`, and a 1×1 one to the classes."""
    return serial(
        conv=centered_conv(channels, 3),
        norm=batch_norm(),
        relu=jax.nn.relu,
        drop=dropout(rate),
        logits=conv(num_classes, 1),
    )

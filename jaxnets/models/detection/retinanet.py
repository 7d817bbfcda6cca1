"""RetinaNet: every place of a feature pyramid says what is there, and a loss that the easy ones do not fill.

Lin, Goyal, Girshick, He and Dollár (2017), Focal Loss for Dense Object Detection, https://arxiv.org/abs/1708.02002
Li, Xie, Chen, Dollár, He and Girshick (2021), Benchmarking Detection Transfer Learning with Vision Transformers,
https://arxiv.org/abs/2111.11429, for version 2: group norm in the heads, extra levels from the last map.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial

import jax
import jax.numpy as jnp

from jaxnets import losses as loss_of
from jaxnets import ops
from jaxnets.combine import LayerLike, collect, serial
from jaxnets.core import Layer
from jaxnets.layers import batch_norm, conv, frozen_batch_norm, group_norm, initializers
from jaxnets.layers.initializers import Initializer
from jaxnets.models.detection.boxes import (
    Detections,
    Targets,
    best_of_levels,
    chosen,
    clipped,
    fits,
    image_sizes,
    pyramid_anchors,
)
from jaxnets.models.detection.pyramid import each_level, feature_pyramid, pyramid_rules, rows
from jaxnets.models.mapping import Names, Rule, Shapes
from jaxnets.models.maps import by_name
from jaxnets.models.parts import variant
from jaxnets.models.resnet import CHANNELS, RULES, resnet_stages
from jaxnets.ops.matching import BETWEEN

LEVELS = (3, 4, 5, 6, 7)
SIZES = tuple((n, int(n * 2 ** (1 / 3)), int(n * 2 ** (2 / 3))) for n in (32, 64, 128, 256, 512))
RATIOS = (0.5, 1.0, 2.0)
NORMAL = initializers.normal(0.01)
RARE = jax.nn.initializers.constant(-math.log(99))
"""A class begins with a probability of 1 in 100 everywhere, or the background's loss would swamp the start."""


def retinanet(
    num_classes: int = 91,
    *,
    depths: Sequence[int] = (3, 4, 6, 3),
    channels: Sequence[int] = CHANNELS,
    width: int = 256,
    convs: int = 4,
    anchors: int = 9,
    groups: int = 0,
    extra: str = "p5",
    frozen: bool = True,
    eps: float = 0.0,
) -> Layer:
    """The detector's network: a ResNet, a feature pyramid of five levels, and two small heads on each level.

    Shapes: `(N, H, W, C) → {"logits": (N, A, num_classes), "codes": (N, A, 4)}`, for the A anchors of `detect`; H and
    W best multiples of 128.

    Args:
        num_classes: K; a logit for each says yes or no, so no class need be background (COCO's 91 numbers have one).
        depths, channels: of `resnet`, with bottlenecks and four stages.
        width: channels of the pyramid and its heads.
        convs: 3×3 convolutions in each head before its last.
        anchors: at each place, sizes times ratios.
        groups: of the heads' group norm; 0 for none, and biases instead.
        extra: what the two last levels are made of: "p5", or "stage4".
        frozen, eps: the ResNet's norms: frozen or batch norm, and what they add to the variance. torchvision's first
            weights are for frozen ones with 0.

    Raises `ValueError` as `resnet` does, and for other than four stages. Gradient: to all parameters; a frozen norm has
    none. Cost for an image of 800×800: 151 billion multiply-adds.

    >>> model = retinanet(3, depths=(1, 1, 1, 1), channels=(4, 4, 4, 4), width=8, convs=1)
    >>> params, state = model.init(jax.random.key(0), jnp.zeros((1, 64, 64, 3)))
    >>> outputs, _ = model.apply(params, state, jnp.zeros((1, 64, 64, 3)))
    >>> list(params), sorted((name, y.shape) for name, y in outputs.items())
    (['backbone', 'pyramid', 'heads'], [('codes', (1, 774, 4)), ('logits', (1, 774, 3))])
    """
    if len(depths) != 4:
        raise ValueError(f"retinanet: depths is {tuple(depths)}; pass four: the pyramid has the last three")
    norm = partial(frozen_batch_norm if frozen else batch_norm, eps=eps)
    return serial(
        backbone=collect(**resnet_stages(depths, channels, norm=norm)),
        pyramid=feature_pyramid({"p3": "stage2", "p4": "stage3", "p5": "stage4"}, width, extra=extra),
        heads=by_name(
            logits=each_level(_head(width, convs, groups, anchors, num_classes, RARE)),
            codes=each_level(_head(width, convs, groups, anchors, 4, jax.nn.initializers.zeros)),
        ),
    )


def _head(width: int, convs: int, groups: int, anchors: int, numbers: int, b_init: Initializer) -> Layer:
    parts: dict[str, LayerLike] = {}
    for i in range(1, convs + 1):
        parts[f"conv{i}"] = conv(width, 3, bias=not groups, w_init=NORMAL)
        if groups:
            parts[f"norm{i}"] = group_norm(groups)
        parts[f"relu{i}"] = jax.nn.relu
    return serial(**parts, last=conv(anchors * numbers, 3, w_init=NORMAL, b_init=b_init), rows=rows(numbers))


def detect(
    outputs: Mapping[str, jax.Array],
    image_size: tuple[int, int],
    *,
    sizes: jax.Array | None = None,
    anchor_sizes: Sequence[Sequence[float]] = SIZES,
    ratios: Sequence[float] = RATIOS,
    min_score: float = 0.05,
    threshold: float = 0.5,
    candidates: int = 1000,
    max_output: int = 300,
) -> Detections:
    """Boxes from what the network says: the best of each level, decoded, those over another of their class dropped.

    Args:
        outputs: of `retinanet`, for images (N, *image_size, C).
        image_size: height and width of the batch in pixels, a Python tuple.
        sizes: (N, 2), how much of each image is not padding; None for all. Boxes are cut off there.
        anchor_sizes, ratios: of the anchors on each level.
        min_score: only boxes with a probability above it.
        threshold: of intersection over union, above which the lesser box goes.
        candidates: of each level, how many go into suppression.
        max_output: D, how many come out.

    Gradient: none worth having. Cost: D times the candidates, one box at a time.

    >>> outputs = {"logits": jnp.full((1, 1, 2), -9.0).at[0, 0, 1].set(9.0), "codes": jnp.zeros((1, 1, 4))}
    >>> found = detect(outputs, (8, 8), anchor_sizes=[[8]], ratios=[1.0], max_output=2)
    >>> found.boxes[0, 0].tolist(), found.labels[0].tolist(), found.valid[0].tolist()
    ([0.0, 0.0, 4.0, 4.0], [1, 0], [True, False])
    """
    levels = LEVELS[: len(anchor_sizes)]
    anchors, counts = pyramid_anchors(image_size, levels, anchor_sizes, ratios)
    logits, codes = (outputs[name].astype(jnp.float32) for name in ("logits", "codes"))
    fits("retinanet.detect", logits, anchors)

    def one(logits: jax.Array, codes: jax.Array, size: jax.Array) -> Detections:
        scores = jax.nn.sigmoid(logits)
        at = best_of_levels(scores, counts, candidates)
        place, label = at // scores.shape[1], (at % scores.shape[1]).astype(jnp.int32)
        boxes = clipped(ops.decode_boxes(codes[place], anchors[place]), size)
        score = scores.ravel()[at]
        return chosen(boxes, score, label, score > min_score, threshold=threshold, max_output=max_output)

    return jax.vmap(one)(logits, codes, image_sizes(len(logits), image_size, sizes))


def losses(
    outputs: Mapping[str, jax.Array],
    targets: Targets,
    image_size: tuple[int, int],
    *,
    anchor_sizes: Sequence[Sequence[float]] = SIZES,
    ratios: Sequence[float] = RATIOS,
    kind: str = "l1",
) -> dict[str, jax.Array]:
    """What to make small: "classes", the focal loss of every anchor, and "boxes", the error of those that are matched.

    An anchor is matched to the true box that it overlaps by half or more, or best; below 0.4 it is background; between,
    it does not count. Both are divided by the matched of each image and averaged over images. `kind` of the boxes'
    error: "l1", of their codes; or one of `losses.box_iou`'s, of the boxes, "giou" in version 2.
    Shapes: those of `detect` and `Targets` → scalars, float32. Gradient: to the outputs.
    """
    levels = LEVELS[: len(anchor_sizes)]
    anchors, _ = pyramid_anchors(image_size, levels, anchor_sizes, ratios)
    logits, codes = (outputs[name].astype(jnp.float32) for name in ("logits", "codes"))
    fits("retinanet.losses", logits, anchors)

    def one(logits: jax.Array, codes: jax.Array, true: Targets) -> dict[str, jax.Array]:
        match = ops.match_boxes(ops.box_iou(true.boxes, anchors), true.valid, high=0.5, low=0.4, force=True)
        matched = match >= 0
        count = jnp.maximum(matched.sum(), 1).astype(jnp.float32)
        own = jnp.maximum(match, 0)
        wanted = jax.nn.one_hot(true.labels[own], logits.shape[-1]) * matched[:, None].astype(jnp.float32)
        counts = jnp.broadcast_to((match != BETWEEN)[:, None], logits.shape)
        classes = loss_of.sigmoid_focal(logits, wanted, reduction="sum", where=counts)
        boxes = jnp.where(matched[:, None], true.boxes[own], anchors)  # of the others, boxes with logarithms
        if kind == "l1":
            error = jnp.abs(codes - ops.encode_boxes(boxes, anchors)).sum(-1)
            boxes_loss = jnp.where(matched, error, jnp.zeros_like(error)).sum()
        else:
            found = ops.decode_boxes(codes, anchors)
            boxes_loss = loss_of.box_iou(found, boxes, kind=kind, reduction="sum", where=matched)
        return {"classes": classes / count, "boxes": boxes_loss / count}

    return jax.tree.map(jnp.mean, jax.vmap(one)(logits, codes, targets))


retinanet_resnet50_fpn = variant(retinanet, depths=(3, 4, 6, 3))
retinanet_resnet50_fpn_v2 = variant(retinanet, groups=32, extra="stage4", frozen=False, eps=1e-5)

BACKBONE = tuple(
    Rule(f"backbone/{rule.ours}", f"backbone.body.{rule.theirs}") for rule in RULES if "classifier" not in rule.ours
)


def _torchvision(shapes: Shapes) -> list[Rule]:
    normed = "heads/logits/norm1/scale" in shapes
    rules = [*BACKBONE, *pyramid_rules(3)]
    for ours, theirs, last in (("logits", "classification", "cls_logits"), ("codes", "regression", "bbox_reg")):
        head = f"head.{theirs}_head"
        rules += [
            Rule(f"heads/{ours}/conv{{i}}", f"{head}.conv.{{i-1}}.0"),
            Rule(f"heads/{ours}/last", f"{head}.{last}"),
        ]
        rules += [Rule(f"heads/{ours}/norm{{i}}", f"{head}.conv.{{i-1}}.1")] * normed
    return rules


SOURCES: Mapping[str, Names] = {"torchvision": _torchvision}

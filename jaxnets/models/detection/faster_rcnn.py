"""Faster R-CNN: a small network proposes boxes, and a second one looks at what is in each.

Ren, He, Girshick and Sun (2015), Faster R-CNN, https://arxiv.org/abs/1506.01497, on the pyramid of Lin et al. (2017),
https://arxiv.org/abs/1612.03144; version 2 is that of Li et al. (2021), https://arxiv.org/abs/2111.11429.

Proposals, suppression, and looking are one function of fixed shapes: as many boxes as there can be, and a mask.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import optax

from jaxnets import losses as loss_of
from jaxnets import ops
from jaxnets.combine import LayerLike, collect, parallel, serial
from jaxnets.core import Layer
from jaxnets.layers import batch_norm, conv, dense, flatten, frozen_batch_norm
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
from jaxnets.models.detection.retinanet import BACKBONE, NORMAL, RATIOS
from jaxnets.models.mapping import Names, Rule, Shapes
from jaxnets.models.maps import Maps, around, by_name, joined
from jaxnets.models.parts import centered_conv, unit, variant
from jaxnets.models.resnet import CHANNELS, resnet_stages

LEVELS = (2, 3, 4, 5, 6)
SIZES = ((32,), (64,), (128,), (256,), (512,))
WEIGHTS = (10.0, 10.0, 5.0, 5.0)
"""Of the codes of the second stage: small, as its boxes are nearly right, so they are made larger."""


def faster_rcnn(
    num_classes: int = 91,
    *,
    depths: Sequence[int] = (3, 4, 6, 3),
    channels: Sequence[int] = CHANNELS,
    width: int = 256,
    anchor_sizes: Sequence[Sequence[float]] = SIZES,
    ratios: Sequence[float] = RATIOS,
    convs: int = 1,
    box_convs: int = 0,
    hidden: int = 1024,
    candidates: int = 1000,
    proposals: int = 1000,
    threshold: float = 0.7,
    frozen: bool = True,
    eps: float = 0.0,
    normed: bool = False,
) -> Layer:
    """The detector's network, both stages: a ResNet, a feature pyramid, proposals, and a head on each of them.

    Shapes: `(N, H, W, C) →` a dict of
    "objectness" (N, A, 1) and "codes" (N, A, 4), what the first stage says of its A anchors;
    "proposals" (N, R, 4), the boxes made of them, best first, zeros where none was left, constants to the gradient;
    "box_logits" (N, R, num_classes) and "box_codes" (N, R, num_classes * 4), what the second stage says of those.
    In place of the images may stand `{"image": images, "boxes": (N, G, 4)}`, boxes to be looked at beside the
    proposals, so that R grows by G: in training the true ones; and `"sizes"`, (N, 2),
    how much of each image is not padding.

    Args:
        num_classes: K; 0 is the background.
        depths, channels: of `resnet`, with bottlenecks and four stages.
        width: channels of the pyramid.
        anchor_sizes, ratios: of the anchors on each of the five levels, in pixels, and height / width.
        convs: 3×3 convolutions of the first stage.
        box_convs: 3×3 convolutions of the second, each with batch norm, before `hidden` features; with 0 of them,
            twice `hidden` features.
        candidates, proposals: boxes of each level that go into suppression, and R, all that come out.
        threshold: of intersection over union, above which the lesser proposal of its level goes.
        frozen, eps: the ResNet's norms: frozen or batch norm, and what they add to the variance. torchvision's first
            weights are for frozen ones with 0.
        normed: batch norm in the pyramid.

    Raises `ValueError` as `resnet` does, and for other than four stages. Gradient: to all parameters; a frozen norm has
    none. Cost for an image of 800×800: 134 billion multiply-adds, and a suppression of R steps.

    >>> model = faster_rcnn(3, depths=(1,) * 4, channels=(4,) * 4, width=4, hidden=8, candidates=9, proposals=5)
    >>> params, state = model.init(jax.random.key(0), jnp.zeros((1, 64, 64, 3)))
    >>> {name: y.shape for name, y in model.apply(params, state, jnp.zeros((1, 64, 64, 3)))[0].items()}["box_logits"]
    (1, 5, 3)
    """
    if len(depths) != 4:
        raise ValueError(f"faster_rcnn: depths is {tuple(depths)}; pass four: the pyramid has them all")
    each = len(ratios) * len(anchor_sizes[0])
    anchors = partial(pyramid_anchors, levels=LEVELS, sizes=anchor_sizes, ratios=ratios)
    stages = resnet_stages(depths, channels, norm=partial(frozen_batch_norm if frozen else batch_norm, eps=eps))
    levels = {f"p{i + 1}": f"stage{i}" for i in range(1, 5)}
    pyramid = feature_pyramid(levels, width, extra="pool", norm=batch_norm if normed else None)
    return serial(
        backbone=around(collect(**stages), take=lambda x: _parts(x)["image"], give=_with_maps),
        pyramid=around(pyramid, take=lambda x: x["maps"], give=_with_maps),
        first=around(_first(width, convs, each), take=lambda x: x["maps"], give=lambda x, y: x | y),
        propose=partial(_propose, anchors=anchors, candidates=candidates, proposals=proposals, threshold=threshold),
        second=around(_second(width, box_convs, hidden, num_classes), take=_looked_at, give=_answered),
    )


def _parts(x: jax.Array | dict[str, jax.Array]) -> dict[str, jax.Array]:
    return x if isinstance(x, dict) else {"image": x}


def _with_maps(x: jax.Array | dict[str, jax.Array], maps: Maps) -> dict[str, Any]:
    return {**_parts(x), "maps": maps}


def _first(width: int, convs: int, anchors: int) -> Layer:
    """On each level, objectness and codes of each anchor."""
    tower: dict[str, LayerLike] = {}
    for i in range(1, convs + 1):
        tower |= {f"conv{i}": conv(width, 3, w_init=NORMAL), f"relu{i}": jax.nn.relu}
    heads = {
        "objectness": serial(conv=conv(anchors, 1, w_init=NORMAL), rows=rows(1)),
        "codes": serial(conv=conv(anchors * 4, 1, w_init=NORMAL), rows=rows(4)),
    }
    both = each_level(serial(**tower, heads=parallel(joined, **heads)))
    return serial(levels=both, outputs=lambda y: {"objectness": y[..., :1], "codes": y[..., 1:]})


def _propose(x, anchors, candidates, proposals, threshold):  # type: ignore[no-untyped-def]
    """The best boxes of each level that no better one of its level covers."""
    image_size = x["image"].shape[1:3]
    boxes, counts = anchors(image_size)
    objectness, codes = (jax.lax.stop_gradient(x[name].astype(jnp.float32)) for name in ("objectness", "codes"))
    level = jnp.repeat(jnp.arange(len(counts), dtype=jnp.int32), jnp.asarray(counts), total_repeat_length=sum(counts))

    def one(objectness, codes, size):  # type: ignore[no-untyped-def]
        at = best_of_levels(objectness, counts, candidates)
        found = clipped(ops.decode_boxes(codes[at], boxes[at]), size)
        sides = found[:, 2:] - found[:, :2]
        kept, valid = ops.nms(
            found,
            jax.nn.sigmoid(objectness[at, 0]),
            threshold,
            classes=level[at],
            valid=(sides >= 1e-3).all(-1),
            max_output=proposals,
        )
        return jnp.where(valid[:, None], found[kept], jnp.zeros_like(found[kept]))

    sizes = image_sizes(len(codes), image_size, x.get("sizes"))
    found = jax.vmap(one)(objectness, codes, sizes)
    if "boxes" in x:
        found = jnp.concatenate([found, x["boxes"].astype(found.dtype)], axis=1)
    return x | {"proposals": found}


def _looked_at(x: dict[str, jax.Array]) -> jax.Array:
    """(N * R, 7, 7, C): what is under each proposal, from the level of its size."""
    maps = [x["maps"][f"p{level}"] for level in LEVELS[:-1]]  # type: ignore[index]
    strides = tuple(2**level for level in LEVELS[:-1])
    seen = ops.pyramid_roi_align(maps, x["proposals"], 7, strides=strides, sampling_ratio=2)
    return seen.reshape(seen.shape[0] * seen.shape[1], *seen.shape[2:])


def _second(width: int, convs: int, hidden: int, num_classes: int) -> Layer:
    """Classes and codes of what is under a box."""
    parts: dict[str, LayerLike] = {}
    for i in range(1, convs + 1):
        parts[f"conv{i}"] = unit(centered_conv(width, 3), batch_norm(), jax.nn.relu)
    parts |= {"flatten": flatten(), "hidden1": dense(hidden), "relu1": jax.nn.relu}
    if not convs:
        parts |= {"hidden2": dense(hidden), "relu2": jax.nn.relu}
    return serial(**parts, heads=by_name(box_logits=dense(num_classes), box_codes=dense(4 * num_classes)))


def _answered(x: dict[str, jax.Array], y: dict[str, jax.Array]) -> dict[str, jax.Array]:
    n, each = x["proposals"].shape[:2]
    own = {name: x[name] for name in ("objectness", "codes", "proposals")}
    return own | {name: array.reshape(n, each, array.shape[-1]) for name, array in y.items()}


def _there(proposals: jax.Array) -> jax.Array:
    """Which of the proposals are boxes, with an area; the others only fill up."""
    return (proposals[..., 2:] > proposals[..., :2]).all(-1)


def detect(
    outputs: Mapping[str, jax.Array],
    image_size: tuple[int, int],
    *,
    sizes: jax.Array | None = None,
    min_score: float = 0.05,
    threshold: float = 0.5,
    max_output: int = 100,
) -> Detections:
    """Boxes from what the second stage says: each proposal as each class, those over another of their class dropped.

    Shapes and arguments: those of `retinanet.detect`; class 0, the background, is nothing found.
    """
    logits, codes = (outputs[name].astype(jnp.float32) for name in ("box_logits", "box_codes"))
    classes = logits.shape[-1]

    def one(logits, codes, proposals, size):  # type: ignore[no-untyped-def]
        codes = codes.reshape(*logits.shape, 4)
        boxes = clipped(ops.decode_boxes(codes, proposals[:, None], weights=WEIGHTS), size)[:, 1:].reshape(-1, 4)
        scores = jax.nn.softmax(logits)[:, 1:].ravel()
        labels = jnp.tile(jnp.arange(1, classes, dtype=jnp.int32), len(proposals))
        stands = (
            (boxes[:, 2:] - boxes[:, :2] >= 1e-2).all(-1)
            & (scores > min_score)
            & jnp.repeat(_there(proposals), classes - 1)
        )
        return chosen(boxes, scores, labels, stands, threshold=threshold, max_output=max_output)

    sizes = image_sizes(len(logits), image_size, sizes)
    return jax.vmap(one)(logits, codes, outputs["proposals"], sizes)


def losses(
    outputs: Mapping[str, jax.Array],
    targets: Targets,
    image_size: tuple[int, int],
    key: jax.Array,
    *,
    anchor_sizes: Sequence[Sequence[float]] = SIZES,
    ratios: Sequence[float] = RATIOS,
    anchors: int = 256,
    proposals: int = 512,
) -> dict[str, jax.Array]:
    """What to make small: of the first stage "objectness" and "proposals", of the second "classes" and "boxes".

    Of each image `anchors` of the first stage and `proposals` of the second are drawn with `key`; at most half and a
    quarter of them matched ones. An anchor is matched to the box it overlaps by 0.7, or best, and background below 0.3;
    a proposal at a half. Classes are cross-entropies, boxes smooth L1 errors of the codes, beta 1 / 9, per one drawn.
    Shapes: those of `detect` and `Targets` → scalars, float32. Gradient: to the outputs.
    """
    boxes, _ = pyramid_anchors(image_size, LEVELS, anchor_sizes, ratios)
    fits("faster_rcnn.losses", outputs["objectness"], boxes)
    floats = {name: array.astype(jnp.float32) for name, array in outputs.items()}

    def one(y: dict[str, jax.Array], true: Targets, key: jax.Array) -> dict[str, jax.Array]:
        first, second = jax.random.split(key)
        match = ops.match_boxes(ops.box_iou(true.boxes, boxes), true.valid, high=0.7, low=0.3, force=True)
        some, others = ops.sample_matches(first, match, count=anchors)
        wanted = _boxes_of(match, true, boxes, some)
        found = optax.losses.sigmoid_binary_cross_entropy(y["objectness"][:, 0], (match >= 0).astype(jnp.float32))
        moved = _smooth(y["codes"], ops.encode_boxes(wanted, boxes), some)
        sums = {"objectness": _sum(found, some | others), "proposals": moved, "anchors": (some | others).sum()}

        there = _there(y["proposals"])
        match = ops.match_boxes(ops.box_iou(true.boxes, y["proposals"]), true.valid, high=0.5, low=0.5)
        some, others = ops.sample_matches(second, match, count=proposals, fraction=0.25, valid=there)
        label = jnp.where(match >= 0, true.labels[jnp.maximum(match, 0)], 0)
        # A proposal of no area has no codes: it is never drawn, and has those of some box here.
        place = jnp.where(there[:, None], y["proposals"], jnp.asarray([[0.0, 0.0, 1.0, 1.0]]))
        codes = ops.encode_boxes(_boxes_of(match, true, place, some), place, weights=WEIGHTS)
        own = y["box_codes"].reshape(len(place), -1, 4)[jnp.arange(len(place)), label]
        error = optax.losses.softmax_cross_entropy_with_integer_labels(y["box_logits"], label)
        sums |= {"classes": _sum(error, some | others), "boxes": _smooth(own, codes, some)}
        return sums | {"drawn": (some | others).sum()}

    sums = jax.vmap(one)(floats, targets, jax.random.split(key, len(floats["codes"])))
    sums = {name: array.sum().astype(jnp.float32) for name, array in sums.items()}
    counts = {"objectness": "anchors", "proposals": "anchors", "classes": "drawn", "boxes": "drawn"}
    return {name: sums[name] / jnp.maximum(sums[count], 1) for name, count in counts.items()}


def _boxes_of(match: jax.Array, true: Targets, places: jax.Array, some: jax.Array) -> jax.Array:
    """The true box of each place that is one of `some`, and of the others the place itself, which has codes too."""
    return jnp.where(some[:, None], true.boxes[jnp.maximum(match, 0)], places)


def _sum(values: jax.Array, where: jax.Array) -> jax.Array:
    return jnp.where(where, values, jnp.zeros_like(values)).sum()


def _smooth(codes: jax.Array, wanted: jax.Array, some: jax.Array) -> jax.Array:
    where = jnp.broadcast_to(some[:, None], codes.shape)
    return loss_of.smooth_l1(codes, wanted, beta=1 / 9, reduction="sum", where=where)


fasterrcnn_resnet50_fpn = variant(faster_rcnn, depths=(3, 4, 6, 3))
fasterrcnn_resnet50_fpn_v2 = variant(faster_rcnn, convs=2, box_convs=4, frozen=False, eps=1e-5, normed=True)


def _torchvision(shapes: Shapes) -> list[Rule]:
    rules = [
        *BACKBONE,
        *pyramid_rules(2, "pyramid/lateral/p2/norm/scale" in shapes),
        Rule("first/levels/conv{i}", "rpn.head.conv.{i-1}.0"),
        Rule("first/levels/heads/objectness/conv", "rpn.head.cls_logits"),
        Rule("first/levels/heads/codes/conv", "rpn.head.bbox_pred"),
        Rule("second/heads/box_logits", "roi_heads.box_predictor.cls_score"),
        Rule("second/heads/box_codes", "roi_heads.box_predictor.bbox_pred"),
    ]
    if "second/hidden2/w" in shapes:
        head = "roi_heads.box_head"
        return [
            *rules,
            Rule("second/hidden1", f"{head}.fc6", "dense_of_maps:7x7"),
            Rule("second/hidden2", f"{head}.fc7"),
        ]
    convs = len({path for path in shapes if path.startswith("second/conv") and path.endswith("conv/w")})
    return [
        *rules,
        Rule("second/conv{i}/conv", "roi_heads.box_head.{i-1}.0"),
        Rule("second/conv{i}/norm", "roi_heads.box_head.{i-1}.1"),
        Rule("second/hidden1", f"roi_heads.box_head.{convs + 1}", "dense_of_maps:7x7"),
    ]


SOURCES: Mapping[str, Names] = {"torchvision": _torchvision}

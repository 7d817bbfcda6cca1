"""FCOS: no anchors; every place says how far the four sides are, and how near it is to the middle.

Tian, Shen, Chen and He (2019), FCOS: Fully Convolutional One-Stage Object Detection, https://arxiv.org/abs/1904.01355

As torchvision has it: distances in units of the level's stride, which it writes as anchors of that side, one a place.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import jax
import jax.numpy as jnp
import optax

from jaxnets import losses as loss_of
from jaxnets import ops
from jaxnets.combine import LayerLike, collect, parallel, serial
from jaxnets.core import Layer
from jaxnets.layers import batch_norm, conv, frozen_batch_norm, group_norm
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
from jaxnets.models.detection.retinanet import BACKBONE, LEVELS, NORMAL, RARE
from jaxnets.models.mapping import Names, Rule
from jaxnets.models.maps import by_name, joined
from jaxnets.models.parts import variant
from jaxnets.models.resnet import CHANNELS, resnet_stages

SIZES = ((8,), (16,), (32,), (64,), (128,))
"""The side of a place's square on each level: the stride."""


def fcos(
    num_classes: int = 91,
    *,
    depths: Sequence[int] = (3, 4, 6, 3),
    channels: Sequence[int] = CHANNELS,
    width: int = 256,
    convs: int = 4,
    groups: int = 32,
    frozen: bool = True,
    eps: float = 1e-5,
) -> Layer:
    """The detector's network: a ResNet, a feature pyramid of five levels, and two small heads on each level.

    Shapes: `(N, H, W, C) → {"logits": (N, A, num_classes), "codes": (N, A, 4), "centers": (N, A, 1)}` for the A places
    of all levels: logits of the classes, distances to left, top, right and bottom, at least 0, in strides of the level,
    and logits of how central the place is.

    Args:
        num_classes: K; a logit for each says yes or no, so no class need be background (COCO's 91 numbers have one).
        depths, channels: of `resnet`, with bottlenecks and four stages.
        width: channels of the pyramid and its heads, a multiple of `groups`.
        convs: 3×3 convolutions in each head before its last.
        groups: of the heads' group norm.
        frozen, eps: the ResNet's norms: frozen or batch norm, and what they add to the variance.

    Raises `ValueError` as `resnet` does, and for other than four stages. Gradient: to all parameters; a frozen norm has
    none. Cost for an image of 800×800: 128 billion multiply-adds.

    >>> model = fcos(3, depths=(1, 1, 1, 1), channels=(4, 4, 4, 4), width=8, convs=1, groups=2)
    >>> params, state = model.init(jax.random.key(0), jnp.zeros((1, 64, 64, 3)))
    >>> {name: y.shape for name, y in model.apply(params, state, jnp.zeros((1, 64, 64, 3)))[0].items()}
    {'centers': (1, 86, 1), 'codes': (1, 86, 4), 'logits': (1, 86, 3)}
    """
    if len(depths) != 4:
        raise ValueError(f"fcos: depths is {tuple(depths)}; pass four: the pyramid has the last three")

    def tower() -> dict[str, LayerLike]:
        parts: dict[str, LayerLike] = {}
        for i in range(1, convs + 1):
            parts |= {
                f"conv{i}": conv(width, 3, w_init=NORMAL),
                f"norm{i}": group_norm(groups),
                f"relu{i}": jax.nn.relu,
            }
        return parts

    sides = serial(conv=conv(4, 3, w_init=NORMAL), relu=jax.nn.relu, rows=rows(4))
    middle = serial(conv=conv(1, 3, w_init=NORMAL), rows=rows(1))
    return serial(
        backbone=collect(
            **resnet_stages(depths, channels, norm=partial(frozen_batch_norm if frozen else batch_norm, eps=eps))
        ),
        pyramid=feature_pyramid({"p3": "stage2", "p4": "stage3", "p5": "stage4"}, width, extra="p5"),
        heads=by_name(
            classes=each_level(
                serial(**tower(), last=conv(num_classes, 3, w_init=NORMAL, b_init=RARE), rows=rows(num_classes))
            ),
            boxes=each_level(serial(**tower(), last=parallel(joined, sides=sides, middle=middle))),
        ),
        outputs=lambda y: {"centers": y["boxes"][..., 4:], "codes": y["boxes"][..., :4], "logits": y["classes"]},
    )


def detect(
    outputs: Mapping[str, jax.Array],
    image_size: tuple[int, int],
    *,
    sizes: jax.Array | None = None,
    levels: Sequence[int] = LEVELS,
    place_sizes: Sequence[Sequence[float]] = SIZES,
    min_score: float = 0.2,
    threshold: float = 0.6,
    candidates: int = 1000,
    max_output: int = 100,
) -> Detections:
    """Boxes from what the network says; a score is the root of the probabilities of class and center, multiplied.

    Shapes and arguments: those of `retinanet.detect`; `levels`: which the network has, the side halved so many times,
    of which the first are taken; `place_sizes`: the unit of distances on each.

    >>> sure = jnp.full((1, 1, 1), 9.0)
    >>> outputs = {"logits": sure, "codes": jnp.full((1, 1, 4), 0.25), "centers": sure}
    >>> detect(outputs, (8, 8), place_sizes=[[8]], max_output=1).boxes.tolist()
    [[[0.0, 0.0, 2.0, 2.0]]]
    """
    anchors, counts = pyramid_anchors(image_size, levels[: len(place_sizes)], place_sizes, (1.0,))
    logits, codes, centers = (outputs[name].astype(jnp.float32) for name in ("logits", "codes", "centers"))
    fits("fcos.detect", logits, anchors)

    def one(logits: jax.Array, codes: jax.Array, centers: jax.Array, size: jax.Array) -> Detections:
        scores = jnp.sqrt(jax.nn.sigmoid(logits) * jax.nn.sigmoid(centers))
        at = best_of_levels(scores, counts, candidates)
        place, label = at // scores.shape[1], (at % scores.shape[1]).astype(jnp.int32)
        boxes = clipped(ops.decode_sides(codes[place], anchors[place]), size)
        score = scores.ravel()[at]
        return chosen(boxes, score, label, score > min_score, threshold=threshold, max_output=max_output)

    return jax.vmap(one)(logits, codes, centers, image_sizes(len(logits), image_size, sizes))


def match_places(
    boxes: jax.Array,
    valid: jax.Array,
    anchors: jax.Array,
    counts: Sequence[int],
    *,
    radius: float = 1.5,
    reach: float = 4.0,
) -> jax.Array:
    """For every place, an anchor of its stride's side, the smallest true box that it is to find, or -1.

    The place must be inside of the box, within `radius` strides of its center along both axes, and the farthest side be
    `reach` to twice as many strides away; nearer on the first level, farther on the last. Shapes: boxes (G, 4), valid
    (G,), anchors (A, 4), `counts` of each level → (A,) int32.
    """
    centers, unit = (anchors[:, :2] + anchors[:, 2:]) / 2, anchors[:, 2] - anchors[:, 0]
    middles = (boxes[:, :2] + boxes[:, 2:]) / 2
    near = jnp.abs(centers[:, None] - middles[None]).max(-1) < radius * unit[:, None]
    sides = jnp.concatenate([centers[:, None] - boxes[None, :, :2], boxes[None, :, 2:] - centers[:, None]], axis=-1)
    least = (unit * reach).at[: counts[0]].set(0.0)
    most = (unit * 2 * reach).at[len(anchors) - counts[-1] :].set(jnp.inf)
    far = sides.max(-1)
    fitting = near & (sides.min(-1) > 0) & (far > least[:, None]) & (far < most[:, None]) & valid[None]
    area = jnp.where(fitting, ops.box_area(boxes)[None], jnp.inf)
    found = jnp.argmin(area, axis=1).astype(jnp.int32)
    return jnp.where(fitting.any(1), found, -1)


def losses(
    outputs: Mapping[str, jax.Array],
    targets: Targets,
    image_size: tuple[int, int],
    *,
    levels: Sequence[int] = LEVELS,
    place_sizes: Sequence[Sequence[float]] = SIZES,
    reach: float = 4.0,
) -> dict[str, jax.Array]:
    """What to make small: "classes", focal, of every place; of matched ones "boxes", generalized overlap, and
    "centers", cross-entropy with how central they are. All divided by the matched of the batch.

    Shapes: those of `detect` and `Targets` → scalars, float32. `reach`: as in `match_places`; less than the paper's 4
    gives small things to coarser levels. Gradient: to the outputs.
    """
    anchors, counts = pyramid_anchors(image_size, levels[: len(place_sizes)], place_sizes, (1.0,))
    logits, codes, centers = (outputs[name].astype(jnp.float32) for name in ("logits", "codes", "centers"))
    fits("fcos.losses", logits, anchors)

    def one(logits: jax.Array, codes: jax.Array, centers: jax.Array, true: Targets) -> dict[str, jax.Array]:
        match = match_places(true.boxes, true.valid, anchors, counts, reach=reach)
        matched, own = match >= 0, jnp.maximum(match, 0)
        wanted = jax.nn.one_hot(true.labels[own], logits.shape[-1]) * matched[:, None].astype(jnp.float32)
        boxes = jnp.where(matched[:, None], true.boxes[own], anchors)
        sides = ops.encode_sides(boxes, anchors)
        across, along = sides[:, 0::2], sides[:, 1::2]
        central = jnp.sqrt(across.min(-1) / across.max(-1) * (along.min(-1) / along.max(-1)))
        error = optax.losses.sigmoid_binary_cross_entropy(centers[:, 0], central)
        return {
            "classes": loss_of.sigmoid_focal(logits, wanted, reduction="sum"),
            "boxes": loss_of.box_iou(
                ops.decode_sides(codes, anchors), boxes, kind="giou", reduction="sum", where=matched
            ),
            "centers": jnp.where(matched, error, jnp.zeros_like(error)).sum(),
            "count": matched.sum().astype(jnp.float32),
        }

    sums = jax.tree.map(jnp.sum, jax.vmap(one)(logits, codes, centers, targets))
    count = jnp.maximum(sums.pop("count"), 1)
    return {name: value / count for name, value in sums.items()}


fcos_resnet50_fpn = variant(fcos, depths=(3, 4, 6, 3))


def _head(ours: str, theirs: str) -> list[Rule]:
    """A convolution, its norm and a ReLU, numbered through."""
    return [
        Rule(f"heads/{ours}/conv{{i}}", f"head.{theirs}_head.conv.{{3*i-3}}"),
        Rule(f"heads/{ours}/norm{{i}}", f"head.{theirs}_head.conv.{{3*i-2}}"),
    ]


SOURCES: Mapping[str, Names] = {
    "torchvision": (
        *BACKBONE,
        *pyramid_rules(3),
        *_head("classes", "classification"),
        *_head("boxes", "regression"),
        Rule("heads/classes/last", "head.classification_head.cls_logits"),
        Rule("heads/boxes/last/sides/conv", "head.regression_head.bbox_reg"),
        Rule("heads/boxes/last/middle/conv", "head.regression_head.bbox_ctrness"),
    )
}

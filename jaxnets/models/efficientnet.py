"""EfficientNet, and EfficientNetV2, which has fused convolutions in its first stages.

Tan and Le (2019), EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks,
https://arxiv.org/abs/1905.11946
Tan and Le (2021), EfficientNetV2: Smaller Models and Faster Training, https://arxiv.org/abs/2104.00298
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from math import ceil

from jaxnets.combine import LayerLike, serial
from jaxnets.core import Layer
from jaxnets.layers import batch_norm, dense, drop_path, dropout, global_avg_pool, initializers, squeeze_excite
from jaxnets.models import timm
from jaxnets.models.mapping import Names, Rule, Shapes, filled, find
from jaxnets.models.parts import FAN_OUT, block, centered_conv, centered_depthwise, divisible, unit, variant
from jaxnets.ops import silu

Stage = tuple[str, int, int, int, int, int]
"""Block ("mbconv" or "fused"), expansion, window, stride of the first block, channels, blocks."""

# table 1 of the first paper
B0: tuple[Stage, ...] = (
    ("mbconv", 1, 3, 1, 16, 1),
    ("mbconv", 6, 3, 2, 24, 2),
    ("mbconv", 6, 5, 2, 40, 2),
    ("mbconv", 6, 3, 2, 80, 3),
    ("mbconv", 6, 5, 1, 112, 3),
    ("mbconv", 6, 5, 2, 192, 4),
    ("mbconv", 6, 3, 1, 320, 1),
)
# table 4 of the second
V2_S: tuple[Stage, ...] = (
    ("fused", 1, 3, 1, 24, 2),
    ("fused", 4, 3, 2, 48, 4),
    ("fused", 4, 3, 2, 64, 4),
    ("mbconv", 4, 3, 2, 128, 6),
    ("mbconv", 6, 3, 1, 160, 9),
    ("mbconv", 6, 3, 2, 256, 15),
)
V2_M: tuple[Stage, ...] = (
    ("fused", 1, 3, 1, 24, 3),
    ("fused", 4, 3, 2, 48, 5),
    ("fused", 4, 3, 2, 80, 5),
    ("mbconv", 4, 3, 2, 160, 7),
    ("mbconv", 6, 3, 1, 176, 14),
    ("mbconv", 6, 3, 2, 304, 18),
    ("mbconv", 6, 3, 1, 512, 5),
)
V2_L: tuple[Stage, ...] = (
    ("fused", 1, 3, 1, 32, 4),
    ("fused", 4, 3, 2, 64, 7),
    ("fused", 4, 3, 2, 96, 7),
    ("mbconv", 4, 3, 2, 192, 10),
    ("mbconv", 6, 3, 1, 224, 19),
    ("mbconv", 6, 3, 2, 384, 25),
    ("mbconv", 6, 3, 1, 640, 7),
)
UNIFORM = initializers.variance_scaling(1 / 3, "fan_out", "uniform")


def efficientnet(
    num_classes: int = 1000,
    *,
    stages: Sequence[Stage] = B0,
    width: float = 1.0,
    depth: float = 1.0,
    stem: int = 32,
    head: int | None = None,
    rate: float = 0.2,
    path_rate: float = 0.2,
    momentum: float = 0.9,
    eps: float = 1e-5,
) -> Layer:
    """The classifier: a stem, stages of inverted residual blocks, a 1×1 convolution, the mean over space, a matrix.

    Shapes: `(N, H, W, C) → (N, num_classes)` logits; any H and W, which the network divides by 32.

    Args:
        num_classes: K.
        stages: (block, expansion, window, stride, channels, blocks) of each; a block is "mbconv" or "fused".
        width, depth: factors of all channels, then rounded to multiples of 8, and of all numbers of blocks.
        stem, head: channels of the first and the last convolution, `head` whatever the width; without it, 4 times
            those of the last stage.
        rate: fraction of the last features dropped in training, which then needs a key.
        path_rate: fraction of samples that skip the last block in training; it grows linearly from 0 at the first.
        momentum, eps: of batch normalization, momentum being the fraction of the old statistic kept.

    Raises `ValueError` for a block of another name. Gradient: to all parameters. Cost for an image of 224×224: 0.4
    billion multiply-adds in B0.

    >>> import jax, jax.numpy as jnp
    >>> model = efficientnet(10, stages=[("fused", 1, 3, 1, 16, 1), ("mbconv", 4, 3, 2, 24, 2)])
    >>> params, state = model.init(jax.random.key(0), jnp.zeros((1, 16, 16, 3)))
    >>> list(params), list(params["stage2"]["1"]["main"])
    (['stem', 'stage1', 'stage2', 'head', 'classifier'], ['expand', 'depthwise', 'squeeze', 'project'])
    """
    norm = partial(batch_norm, momentum=momentum, eps=eps)
    depths = [ceil(blocks * depth) for *_, blocks in stages]
    before, done = divisible(stem * width), 0
    parts = {"stem": unit(centered_conv(before, 3, 2), norm(), silu)}
    for i, (kind, expansion, size, first, channels, _) in enumerate(stages, start=1):
        if kind not in BLOCKS:
            raise ValueError(f"efficientnet: the block of stage {i} is {kind!r}; pass one of {', '.join(BLOCKS)}")
        after, blocks = divisible(channels * width), []
        for j in range(depths[i - 1]):
            stride = first if j == 0 else 1
            main = BLOCKS[kind](before, divisible(before * expansion), after, size, stride, norm)
            residual = stride == 1 and before == after
            if residual:
                main["drop"] = drop_path(path_rate * done / sum(depths))
            blocks.append(block(serial(**main), residual))
            before, done = after, done + 1
        parts[f"stage{i}"] = serial(*blocks)
    parts["head"] = unit(centered_conv(4 * before if head is None else head, 1), norm(), silu)
    logits = dense(num_classes, w_init=UNIFORM)
    return serial(**parts, classifier=serial(pool=global_avg_pool(), dropout=dropout(rate), logits=logits))


def _mbconv(
    before: int, inner: int, after: int, size: int, stride: int, norm: Callable[[], Layer]
) -> dict[str, LayerLike]:
    """Widened, convolved channel by channel, each channel weighted, and narrowed again."""
    parts: dict[str, LayerLike] = {}
    if inner != before:
        parts["expand"] = unit(centered_conv(inner, 1), norm(), silu)
    parts["depthwise"] = unit(centered_depthwise(size, stride), norm(), silu)
    parts["squeeze"] = squeeze_excite(max(1, before // 4), act=silu, w_init=FAN_OUT)
    parts["project"] = unit(centered_conv(after, 1), norm())
    return parts


def _fused(
    before: int, inner: int, after: int, size: int, stride: int, norm: Callable[[], Layer]
) -> dict[str, LayerLike]:
    """Widened by the convolution over space itself; where nothing is widened that convolution is all there is."""
    if inner == before:
        return {"fused": unit(centered_conv(after, size, stride), norm(), silu)}
    return {
        "fused": unit(centered_conv(inner, size, stride), norm(), silu),
        "project": unit(centered_conv(after, 1), norm()),
    }


BLOCKS = {"mbconv": _mbconv, "fused": _fused}

efficientnet_b0 = variant(efficientnet, width=1.0, depth=1.0, rate=0.2)
efficientnet_b1 = variant(efficientnet, width=1.0, depth=1.1, rate=0.2)
efficientnet_b2 = variant(efficientnet, width=1.1, depth=1.2, rate=0.3)
efficientnet_b3 = variant(efficientnet, width=1.2, depth=1.4, rate=0.3)
efficientnet_b4 = variant(efficientnet, width=1.4, depth=1.8, rate=0.4)
efficientnet_b5 = variant(efficientnet, width=1.6, depth=2.2, rate=0.4, momentum=0.99, eps=1e-3)
efficientnet_b6 = variant(efficientnet, width=1.8, depth=2.6, rate=0.5, momentum=0.99, eps=1e-3)
efficientnet_b7 = variant(efficientnet, width=2.0, depth=3.1, rate=0.5, momentum=0.99, eps=1e-3)
efficientnet_v2_s = variant(efficientnet, stages=V2_S, stem=24, head=1280, rate=0.2, eps=1e-3)
efficientnet_v2_m = variant(efficientnet, stages=V2_M, stem=24, head=1280, rate=0.3, eps=1e-3)
efficientnet_v2_l = variant(efficientnet, stages=V2_L, stem=32, head=1280, rate=0.4, eps=1e-3)


def _torchvision(shapes: Shapes) -> list[Rule]:
    """A block of theirs is the list of the parts that it has."""
    rules, last = [Rule("stem/conv", "features.0.0"), Rule("stem/norm", "features.0.1")], 0
    for at in find("stage{s}/{i}/main", shapes):
        own, theirs, part = filled("stage{s}/{i}/main", at), filled("features.{s}.{i}.block", at), 0
        for name in ("expand", "fused", "depthwise", "squeeze", "project"):
            if f"{own}/{name}/conv/w" in shapes:
                rules.append(Rule(f"{own}/{name}/conv", f"{theirs}.{part}.0"))
                rules.append(Rule(f"{own}/{name}/norm", f"{theirs}.{part}.1"))
                part += 1
            elif f"{own}/{name}/reduce/w" in shapes:
                rules.append(Rule(f"{own}/{name}/reduce", f"{theirs}.{part}.fc1", "conv_as_dense"))
                rules.append(Rule(f"{own}/{name}/expand", f"{theirs}.{part}.fc2", "conv_as_dense"))
                part += 1
        last = int(at["s"])
    return [
        *rules,
        Rule("head/conv", f"features.{last + 1}.0"),
        Rule("head/norm", f"features.{last + 1}.1"),
        Rule("classifier/logits", "classifier.1"),
    ]


# timm's efficientnet_b0 and so on, and efficientnetv2_s: there eps is 1e-5 and momentum 0.9 in all of them. Its
# tf_efficientnet_b0 and tf_efficientnetv2_s are other networks, which pad as TensorFlow does.
SOURCES: Mapping[str, Names] = {"torchvision": _torchvision, "timm": timm.inverted}

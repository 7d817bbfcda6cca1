"""MobileNetV2: thin maps between blocks, wide ones inside, and depthwise convolution where they are wide.

Sandler, Howard, Zhu, Zhmoginov and Chen (2018), MobileNetV2: Inverted Residuals and Linear Bottlenecks,
https://arxiv.org/abs/1801.04381
"""

from collections.abc import Mapping, Sequence

import jax

from jaxnets.combine import LayerLike, serial
from jaxnets.core import Layer
from jaxnets.layers import batch_norm, dense, dropout, global_avg_pool, initializers
from jaxnets.models import timm
from jaxnets.models.mapping import Names, Rule, Shapes, filled, find
from jaxnets.models.parts import block, centered_conv, centered_depthwise, divisible, unit

# expansion, channels, blocks, stride of the first: table 2 of the paper
STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)


def mobilenet_v2(
    num_classes: int = 1000,
    *,
    width: float = 1.0,
    stages: Sequence[tuple[int, int, int, int]] = STAGES,
    stem: int = 32,
    head: int = 1280,
    rate: float = 0.2,
) -> Layer:
    """The classifier: a stem, stages of inverted residual blocks, a 1×1 convolution, the mean over space, a matrix.

    Shapes: `(N, H, W, C) → (N, num_classes)` logits; any H and W, which the network divides by 32.

    Args:
        num_classes: K.
        width: factor of all channels, which are then rounded to multiples of 8; below 1 it leaves `head` alone.
        stages: (expansion, channels, blocks, stride) of each.
        stem, head: channels of the first and the last convolution.
        rate: fraction of the last features dropped in training, which then needs a key.

    Gradient: to all parameters. Cost for an image of 224×224: 0.3 billion multiply-adds.

    >>> import jax.numpy as jnp
    >>> model = mobilenet_v2(10, stages=[(1, 8, 1, 1), (2, 16, 2, 2)], head=32)
    >>> params, state = model.init(jax.random.key(0), jnp.zeros((1, 16, 16, 3)))
    >>> list(params), list(params["stage2"]["1"]["main"])
    (['stem', 'stage1', 'stage2', 'head', 'classifier'], ['expand', 'depthwise', 'project'])
    """
    before = divisible(stem * width)
    parts = {"stem": unit(centered_conv(before, 3, 2), batch_norm(), jax.nn.relu6)}
    for i, (expansion, channels, depth, first) in enumerate(stages, start=1):
        after, blocks = divisible(channels * width), []
        for j in range(depth):
            stride = first if j == 0 else 1
            main = _inverted(before, after, stride, expansion)
            blocks.append(block(main, residual=stride == 1 and before == after))
            before = after
        parts[f"stage{i}"] = serial(*blocks)
    parts["head"] = unit(centered_conv(divisible(head * max(1.0, width)), 1), batch_norm(), jax.nn.relu6)
    logits = dense(num_classes, w_init=initializers.normal(0.01))
    return serial(**parts, classifier=serial(pool=global_avg_pool(), dropout=dropout(rate), logits=logits))


def _inverted(before: int, after: int, stride: int, expansion: int) -> Layer:
    parts: dict[str, LayerLike] = {}
    if expansion != 1:
        parts["expand"] = unit(centered_conv(before * expansion, 1), batch_norm(), jax.nn.relu6)
    parts["depthwise"] = unit(centered_depthwise(3, stride), batch_norm(), jax.nn.relu6)
    parts["project"] = unit(centered_conv(after, 1), batch_norm())  # linear: no activation
    return serial(**parts)


def _torchvision(shapes: Shapes) -> list[Rule]:
    """Theirs are one list of all blocks, each a list whose first part is left out where nothing is widened."""
    blocks = find("stage{s}/{i}/main", shapes)
    rules = [Rule("stem/conv", "features.0.0"), Rule("stem/norm", "features.0.1")]
    for n, at in enumerate(blocks, start=1):
        own, theirs, part = filled("stage{s}/{i}/main", at), f"features.{n}.conv", 0
        for name in ("expand", "depthwise"):
            if f"{own}/{name}/conv/w" in shapes:
                rules.append(Rule(f"{own}/{name}/conv", f"{theirs}.{part}.0"))
                rules.append(Rule(f"{own}/{name}/norm", f"{theirs}.{part}.1"))
                part += 1
        rules.append(Rule(f"{own}/project/conv", f"{theirs}.{part}"))
        rules.append(Rule(f"{own}/project/norm", f"{theirs}.{part + 1}"))
    head = f"features.{len(blocks) + 1}"
    return [
        *rules,
        Rule("head/conv", f"{head}.0"),
        Rule("head/norm", f"{head}.1"),
        Rule("classifier/logits", "classifier.1"),
    ]


# timm's mobilenetv2_100; mobilenetv2_050 and mobilenetv2_140 are those of width=0.5 and width=1.4.
SOURCES: Mapping[str, Names] = {"torchvision": _torchvision, "timm": timm.inverted}

"""MobileNetV3: MobileNetV2's blocks, some of their channels weighted, in an order found by search.

Howard, Sandler, Chu, Chen, Chen, Tan, Wang, Zhu, Pang, Vasudevan, Le and Adam (2019), Searching for MobileNetV3,
https://arxiv.org/abs/1905.02244
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import jax

from jaxnets.combine import LayerLike, serial
from jaxnets.core import Layer
from jaxnets.layers import batch_norm, dense, depthwise_conv, dropout, global_avg_pool, initializers, squeeze_excite
from jaxnets.models.mapping import Names, Rule, Shapes, filled, find
from jaxnets.models.parts import FAN_OUT, block, centered_conv, divisible, unit, variant

Stage = tuple[int, int, bool, str, int, Sequence[int]]
"""Window, channels, squeeze-and-excitation, activation ("relu" or "hard_swish"), stride of the first block, and of
each block the channels inside."""

# table 1 of the paper
LARGE: tuple[Stage, ...] = (
    (3, 16, False, "relu", 1, (16,)),
    (3, 24, False, "relu", 2, (64, 72)),
    (5, 40, True, "relu", 2, (72, 120, 120)),
    (3, 80, False, "hard_swish", 2, (240, 200, 184, 184)),
    (3, 112, True, "hard_swish", 1, (480, 672)),
    (5, 160, True, "hard_swish", 2, (672, 960, 960)),
)
# table 2
SMALL: tuple[Stage, ...] = (
    (3, 16, True, "relu", 2, (16,)),
    (3, 24, False, "relu", 2, (72, 88)),
    (5, 40, True, "hard_swish", 2, (96, 240, 240)),
    (5, 48, True, "hard_swish", 1, (120, 144)),
    (5, 96, True, "hard_swish", 2, (288, 576, 576)),
)
ACTS: dict[str, Callable[[jax.Array], jax.Array]] = {"relu": jax.nn.relu, "hard_swish": jax.nn.hard_swish}
NORMAL = initializers.normal(0.01)


def mobilenet_v3(
    num_classes: int = 1000,
    *,
    stages: Sequence[Stage] = LARGE,
    width: float = 1.0,
    stem: int = 16,
    hidden: int = 1280,
    rate: float = 0.2,
    dilated: bool = False,
    momentum: float = 0.99,
    eps: float = 1e-3,
) -> Layer:
    """The classifier: a stem, stages of inverted residual blocks, a 1×1 convolution, the mean over space, two matrices.

    Shapes: `(N, H, W, C) → (N, num_classes)` logits; any H and W, which the network divides by 32.

    Args:
        num_classes: K.
        stages: (window, channels, squeeze, activation, stride, channels inside each block) of each; an activation is
            "relu" or "hard_swish".
        width: factor of all channels, which are then rounded to multiples of 8.
        stem, hidden: channels of the first convolution, and features between the two matrices.
        rate: fraction of the hidden features dropped in training, which then needs a key.
        dilated: whether the last stage keeps the resolution of the one before it and dilates its windows by 2, as
            segmentation wants it.
        momentum, eps: of batch normalization, momentum being the fraction of the old statistic kept. timm's weights
            are for `momentum=0.9, eps=1e-5`.

    Raises `ValueError` for an activation of another name. Gradient: to all parameters. Cost for an image of 224×224:
    0.22 billion multiply-adds in the large network, 0.06 in the small one.

    >>> import jax.numpy as jnp
    >>> model = mobilenet_v3(10, stages=[(3, 16, False, "relu", 1, (16,)), (5, 24, True, "hard_swish", 2, (72, 88))])
    >>> params, state = model.init(jax.random.key(0), jnp.zeros((1, 16, 16, 3)))
    >>> list(params), list(params["stage2"]["1"]["main"])
    (['stem', 'stage1', 'stage2', 'head', 'classifier'], ['expand', 'depthwise', 'squeeze', 'project'])
    """
    stem_layer, blocks, head = mobilenet_v3_blocks(stages, width, stem, dilated, momentum, eps)
    classifier = serial(
        pool=global_avg_pool(),
        hidden=dense(divisible(hidden * width), w_init=NORMAL),
        act=jax.nn.hard_swish,
        dropout=dropout(rate),
        logits=dense(num_classes, w_init=NORMAL),
    )
    parts = {name: serial(*each) for name, each in blocks.items()}
    return serial(stem=stem_layer, **parts, head=head, classifier=classifier)


def mobilenet_v3_blocks(
    stages: Sequence[Stage] = LARGE,
    width: float = 1.0,
    stem: int = 16,
    dilated: bool = False,
    momentum: float = 0.99,
    eps: float = 1e-3,
) -> tuple[Layer, dict[str, list[Layer]], Layer]:
    """The stem, the blocks of "stage1", "stage2" and so on, and the head. Arguments: those of `mobilenet_v3`."""
    norm = partial(batch_norm, momentum=momentum, eps=eps)
    before = divisible(stem * width)
    first_layer = unit(centered_conv(before, 3, 2), norm(), jax.nn.hard_swish)
    parts: dict[str, list[Layer]] = {}
    for s, (size, channels, squeeze, name, first, inners) in enumerate(stages, start=1):
        if name not in ACTS:
            raise ValueError(f"mobilenet_v3: the activation of stage {s} is {name!r}; pass one of {', '.join(ACTS)}")
        dilation = 2 if dilated and s == len(stages) else 1
        after, blocks = divisible(channels * width), []
        for j, inner in enumerate(inners):
            stride = first if j == 0 else 1
            window = depthwise_conv(
                size,
                1 if dilation > 1 else stride,
                padding=(size - 1) // 2 * dilation,
                dilation=dilation,
                bias=False,
                w_init=FAN_OUT,
            )
            main = _main(before, divisible(inner * width), after, window, squeeze, ACTS[name], norm)
            blocks.append(block(main, residual=stride == 1 and before == after))
            before = after
        parts[f"stage{s}"] = blocks
    return first_layer, parts, unit(centered_conv(6 * before, 1), norm(), jax.nn.hard_swish)


def _main(
    before: int,
    inner: int,
    after: int,
    window: Layer,
    squeeze: bool,
    act: Callable[[jax.Array], jax.Array],
    norm: Callable[[], Layer],
) -> Layer:
    parts: dict[str, LayerLike] = {}
    if inner != before:
        parts["expand"] = unit(centered_conv(inner, 1), norm(), act)
    parts["depthwise"] = unit(window, norm(), act)
    if squeeze:
        parts["squeeze"] = squeeze_excite(divisible(inner // 4), gate=jax.nn.hard_sigmoid, w_init=FAN_OUT)
    parts["project"] = unit(centered_conv(after, 1), norm())  # linear: no activation
    return serial(**parts)


mobilenet_v3_large = variant(mobilenet_v3, stages=LARGE, hidden=1280)
mobilenet_v3_small = variant(mobilenet_v3, stages=SMALL, hidden=1024)


def torchvision_rules(shapes: Shapes) -> list[Rule]:
    """Blocks are numbered through, and so are the parts that a block has."""
    rules, blocks = [], find("stage{s}/{i}", shapes)
    for number, stage in enumerate(blocks, start=1):
        main, theirs, part = "stage{s}/{i}/main".format(**stage), f"features.{number}.block", 0
        for name in ("expand", "depthwise", "project"):
            if name == "project" and f"{main}/squeeze/reduce/w" in shapes:
                rules.append(Rule(f"{main}/squeeze/reduce", f"{theirs}.{part}.fc1", "conv_as_dense"))
                rules.append(Rule(f"{main}/squeeze/expand", f"{theirs}.{part}.fc2", "conv_as_dense"))
                part += 1
            if f"{main}/{name}/conv/w" in shapes:
                rules.append(Rule(f"{main}/{name}/conv", f"{theirs}.{part}.0"))
                rules.append(Rule(f"{main}/{name}/norm", f"{theirs}.{part}.1"))
                part += 1
    return [
        Rule("stem/conv", "features.0.0"),
        Rule("stem/norm", "features.0.1"),
        *rules,
        Rule("head/conv", f"features.{len(blocks) + 1}.0"),
        Rule("head/norm", f"features.{len(blocks) + 1}.1"),
        Rule("classifier/hidden", "classifier.0"),
        Rule("classifier/logits", "classifier.3"),
    ]


def _timm(shapes: Shapes) -> list[Rule]:
    """A block without a convolution before the depthwise one begins its numbers there."""
    rules, blocks = [], find("stage{s}/{i}", shapes)
    for stage in blocks:
        main, theirs = "stage{s}/{i}/main".format(**stage), filled("blocks.{s-1}.{i}", stage)
        wide = f"{main}/expand/conv/w" in shapes
        names = {"expand": "conv_pw", "depthwise": "conv_dw", "project": "conv_pwl" if wide else "conv_pw"}
        for number, name in enumerate(names if wide else ["depthwise", "project"], start=1):
            rules.append(Rule(f"{main}/{name}/conv", f"{theirs}.{names[name]}"))
            rules.append(Rule(f"{main}/{name}/norm", f"{theirs}.bn{number}"))
    last = blocks[-1]["s"]
    return [
        Rule("stem/conv", "conv_stem"),
        Rule("stem/norm", "bn1"),
        *rules,
        Rule("stage{s}/{i}/main/squeeze/reduce", "blocks.{s-1}.{i}.se.conv_reduce", "conv_as_dense"),
        Rule("stage{s}/{i}/main/squeeze/expand", "blocks.{s-1}.{i}.se.conv_expand", "conv_as_dense"),
        Rule("head/conv", f"blocks.{last}.0.conv"),
        Rule("head/norm", f"blocks.{last}.0.bn1"),
        Rule("classifier/hidden", "conv_head", "conv_as_dense"),
        Rule("classifier/logits", "classifier"),
    ]


SOURCES: Mapping[str, Names] = {"torchvision": torchvision_rules, "timm": _timm}

"""QuartzNet: speech recognition by separable convolutions over time, deep and light.

Kriman, Beliaev, Ginsburg, Huang, Kuchaiev, Lavrukhin, Leary, Li and Zhang (2020), QuartzNet: Deep Automatic Speech
Recognition with 1D Time-Channel Separable Convolutions, https://arxiv.org/abs/1910.10261
"""

from collections.abc import Sequence
from functools import partial

import jax
import jax.numpy as jnp

from jaxnets.combine import LayerLike, parallel, serial
from jaxnets.core import Layer
from jaxnets.layers import batch_norm, conv, depthwise_conv, dropout, initializers
from jaxnets.models.parts import unit, variant

EXAMPLE = jax.ShapeDtypeStruct((1, 128, 64), jnp.float32)
# channels and taps of the five groups of blocks: table 1 of the paper
GROUPS = ((256, 33), (256, 39), (512, 51), (512, 63), (512, 75))
XAVIER = initializers.variance_scaling(1.0, "fan_avg", "uniform")
norm = partial(batch_norm, eps=1e-3)


def quartznet(
    num_classes: int = 29,
    *,
    groups: Sequence[tuple[int, int]] = GROUPS,
    blocks: int = 3,
    repeats: int = 5,
    stem: tuple[int, int] = (256, 33),
    head: Sequence[tuple[int, int, int]] = ((512, 87, 2), (1024, 1, 1)),
    rate: float = 0.0,
) -> Layer:
    """The acoustic model: a strided stem, residual blocks of separable convolutions, a head, logits at every step.

    Shapes: `(N, T, D) → (N, ⌈T / 2⌉, num_classes)` logits for `losses.ctc`, D features at each step, in the paper 64
    bands of a log-mel spectrogram, one every 10 ms.

    Args:
        num_classes: the characters and the blank: in English 26 letters, space, apostrophe and blank.
        groups: channels and taps of each group of blocks.
        blocks: in each group; with 5 groups QuartzNet-15x5 has 3.
        repeats: separable convolutions in a block.
        stem: channels and taps of the first convolution, which halves the rate.
        head: channels, taps and dilation of the last ones; those of one tap are plain.
        rate: fraction of each convolution's output dropped in training, which then needs a key.

    Gradient: to all parameters. Cost: 0.9 billion multiply-adds a second of sound in QuartzNet-15x5.

    >>> model = quartznet(5, groups=[(8, 3)], blocks=1, repeats=2, stem=(4, 3), head=[(8, 1, 1)])
    >>> params, state = model.init(jax.random.key(0), jnp.zeros((1, 20, 6)))
    >>> list(params), list(params["group1"]["0"]["main"]), list(params["group1"]["0"]["main"]["0"])
    (['stem', 'group1', 'head', 'classifier'], ['0', '1'], ['depthwise', 'pointwise', 'norm'])
    """
    parts: dict[str, Layer] = {"stem": _conv(*stem, stride=2, rate=rate)}
    for i, (channels, size) in enumerate(groups, start=1):
        group: dict[str, LayerLike] = {}
        for j in range(blocks):
            group |= {str(j): _block(channels, size, repeats, rate), f"drop{j}": dropout(rate)}
        parts[f"group{i}"] = serial(**group)
    parts["head"] = serial(*(_conv(k, size, dilation=d, rate=rate) for k, size, d in head))
    return serial(**parts, classifier=serial(logits=conv(num_classes, 1, w_init=XAVIER)))


def _conv(
    channels: int, size: int, *, stride: int = 1, dilation: int = 1, relu: bool = True, rate: float = 0.0
) -> Layer:
    """A separable convolution, plain if it has one tap, and its norm."""
    parts: dict[str, LayerLike] = {}
    if size > 1:
        padding = dilation * (size - 1) // 2
        parts["depthwise"] = depthwise_conv(size, stride, padding=padding, dilation=dilation, bias=False, w_init=XAVIER)
    parts |= {"pointwise": conv(channels, 1, bias=False, w_init=XAVIER), "norm": norm()}
    if relu:
        parts |= {"relu": jax.nn.relu, "drop": dropout(rate)}
    return serial(**parts)


def _block(channels: int, size: int, repeats: int, rate: float) -> Layer:
    """Convolutions, the last one rectified after the sum with a projection of the block's input."""
    main = serial(*(_conv(channels, size, relu=i < repeats - 1, rate=rate) for i in range(repeats)))
    skip = unit(conv(channels, 1, bias=False, w_init=XAVIER), norm())
    return parallel(lambda main, skip: jax.nn.relu(main + skip), main=main, skip=skip)


quartznet5x5 = variant(quartznet, blocks=1)
quartznet10x5 = variant(quartznet, blocks=2)
quartznet15x5 = variant(quartznet, blocks=3)

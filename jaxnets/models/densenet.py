"""DenseNet: every layer of a block reads the maps of all layers before it.

Huang, Liu, van der Maaten and Weinberger (2017), Densely Connected Convolutional Networks,
https://arxiv.org/abs/1608.06993
Pleiss, Chen, Huang, Li, van der Maaten and Weinberger (2017), Memory-Efficient Implementation of DenseNets,
https://arxiv.org/abs/1707.06990

A block hands on its maps apart, and what a layer makes of them joined, the norm and the ReLU, is made again in the
backward pass instead of kept: memory grows with the depth of a block, not with its square.
"""

from collections.abc import Mapping, Sequence
from functools import partial

import jax
import jax.numpy as jnp

from jaxnets.combine import LayerLike, parallel, remat, serial
from jaxnets.core import Layer
from jaxnets.layers import avg_pool, batch_norm, conv, dense, dropout, global_avg_pool, initializers, max_pool
from jaxnets.models.mapping import Names, Rule
from jaxnets.models.parts import at_least, identity, variant
from jaxnets.ops import check

UNIFORM = initializers.variance_scaling(1 / 3, "fan_in", "uniform")
BOTTLENECK = 4  # times as many maps as a layer adds are what it squeezes those before it into
_conv = partial(conv, bias=False)


def densenet(
    num_classes: int = 1000,
    *,
    depths: Sequence[int] = (6, 12, 24, 16),
    growth: int = 32,
    stem: int = 64,
    rate: float = 0.0,
) -> Layer:
    """The classifier: a stem, dense blocks with a transition between two, the mean over space, a matrix.

    Shapes: `(N, H, W, C) → (N, num_classes)` logits, H and W of at least 29 with four blocks: the stem divides them
    by 4, and each transition by 2.

    Args:
        num_classes: K.
        depths: layers in each block.
        growth: channels that each layer adds.
        stem: channels before the first block.
        rate: fraction of each layer's maps dropped in training, which needs a key if it is above 0.

    Raises `ValueError` for a smaller image. Gradient: to all parameters. Cost for an image of 224×224: 2.8 billion
    multiply-adds in DenseNet-121.

    >>> model = densenet(10, depths=(1, 2), growth=4, stem=8)
    >>> params, state = model.init(jax.random.key(0), jnp.zeros((1, 16, 16, 3)))
    >>> list(params), list(params["block2"]["1"]["new"])
    (['stem', 'block1', 'transition1', 'block2', 'classifier'], ['squeeze', 'grow'])
    >>> params["block2"]["1"]["new"]["squeeze"]["conv"]["w"].shape
    (1, 1, 10, 16)
    """
    if not len(depths):
        raise ValueError("densenet: depths is empty; pass the layers of each block")
    stem = check.whole("densenet", stem, "stem")
    growth = check.whole("densenet", growth, "growth")
    parts: dict[str, LayerLike] = {
        "stem": serial(
            image=at_least("densenet", 4 * 2 ** (len(depths) - 1) - 3),
            conv=_conv(stem, 7, 2, padding=3),
            norm=batch_norm(),
            relu=jax.nn.relu,
            pool=max_pool(3, 2, padding=1),
        )
    }
    channels = stem
    for i, depth in enumerate(depths, start=1):
        if i > 1:
            channels //= 2
            parts[f"transition{i - 1}"] = serial(**_preactivated(channels, 1), pool=avg_pool(2))
        depth = check.whole("densenet", depth, f"depths[{i - 1}]")
        layers = {str(j): _layer(growth, rate) for j in range(depth)}
        parts[f"block{i}"] = serial(maps=lambda x: (x,), **layers, join=_join)
        channels += depth * growth
    logits = dense(num_classes, w_init=UNIFORM)
    classifier = serial(norm=batch_norm(), relu=jax.nn.relu, pool=global_avg_pool(), logits=logits)
    return serial(**parts, classifier=classifier)


def _layer(growth: int, rate: float) -> Layer:
    """`growth` more maps from all maps so far."""
    new = serial(
        squeeze=remat(serial(join=_join, **_preactivated(BOTTLENECK * growth, 1))),
        grow=serial(**_preactivated(growth, 3)),
        dropout=dropout(rate),
    )
    return parallel(lambda old, new: (*old, new), old=identity, new=new)


def _preactivated(channels: int, size: int) -> dict[str, LayerLike]:
    return {"norm": batch_norm(), "relu": jax.nn.relu, "conv": _conv(channels, size, padding=size // 2)}


def _join(maps: tuple[jax.Array, ...]) -> jax.Array:
    return jnp.concatenate(maps, axis=-1)


densenet121 = variant(densenet, depths=(6, 12, 24, 16))
densenet161 = variant(densenet, depths=(6, 12, 36, 24), growth=48, stem=96)
densenet169 = variant(densenet, depths=(6, 12, 32, 32))
densenet201 = variant(densenet, depths=(6, 12, 48, 32))

RULES = (
    Rule("stem/conv", "features.conv0"),
    Rule("stem/norm", "features.norm0"),
    Rule("block{b}/{i}/new/squeeze/{part}", "features.denseblock{b}.denselayer{i+1}.{part}1"),
    Rule("block{b}/{i}/new/grow/{part}", "features.denseblock{b}.denselayer{i+1}.{part}2"),
    Rule("transition{b}/{part}", "features.transition{b}.{part}"),
    Rule("classifier/norm", "features.norm5"),
    Rule("classifier/logits", "classifier"),
)
SOURCES: Mapping[str, Names] = {"torchvision": RULES, "timm": RULES}

"""U-Net: down to small maps that see much, and up again, with the map of each size handed across.

Ronneberger, Fischer and Brox (2015), U-Net: Convolutional Networks for Biomedical Image Segmentation,
https://arxiv.org/abs/1505.04597

Its convolutions are padded, so that the prediction is as large as the image, and followed by batch norm.
"""

from __future__ import annotations

from collections.abc import Sequence

import jax
import jax.numpy as jnp

from jaxnets.combine import LayerLike, collect, parallel, serial
from jaxnets.core import Layer
from jaxnets.layers import batch_norm, conv, conv_transpose, max_pool
from jaxnets.models.maps import around, joined
from jaxnets.models.parts import at_least, centered_conv
from jaxnets.ops import check


def unet(num_classes: int = 2, *, channels: Sequence[int] = (64, 128, 256, 512, 1024)) -> Layer:
    """The segmenter: levels of two convolutions, each half as large as the one before, and as many back up.

    Shapes: `(N, H, W, C) → (N, H, W, num_classes)` logits; H and W at least 2 to the power of `len(channels) - 1`.
    Sides that do not halve are filled up with zeros on the way back.

    Args:
        num_classes: K, the background among them; 1 for a foreground alone.
        channels: of each level, the image's own size first.

    Raises `ValueError` for no levels or channels below 1, and an image too small. Gradient: to all parameters. Cost
    for an image of 572×572: 240 billion multiply-adds.

    >>> model = unet(3, channels=(4, 8))
    >>> params, state = model.init(jax.random.key(0), jnp.zeros((1, 9, 8, 3)))
    >>> list(params), model.apply(params, state, jnp.zeros((1, 9, 8, 3)))[0].shape
    (['down', 'up1', 'logits'], (1, 9, 8, 3))
    """
    if not len(channels):
        raise ValueError("unet: channels is (); pass those of each level, such as (64, 128, 256)")
    for i, maps in enumerate(channels):
        check.whole("unet", maps, f"channels[{i}]")
    depth = len(channels)
    down: dict[str, LayerLike] = {"image": at_least("unet", 2 ** (depth - 1)), "level1": _block(channels[0])}
    for i in range(2, depth + 1):
        down[f"level{i}"] = serial(pool=max_pool(2), block=_block(channels[i - 1]))
    up = {f"up{i}": _up(f"level{i}", f"level{i + 1}", channels[i - 1]) for i in range(depth - 1, 0, -1)}
    return serial(down=collect(**down), **up, last=lambda maps: maps["level1"], logits=conv(num_classes, 1))


def _block(channels: int) -> Layer:
    return serial(
        conv1=centered_conv(channels, 3),
        norm1=batch_norm(),
        relu1=jax.nn.relu,
        conv2=centered_conv(channels, 3),
        norm2=batch_norm(),
        relu2=jax.nn.relu,
    )


def _up(here: str, below: str, channels: int) -> Layer:
    """The map `below`, twice as large, beside the one `here`, which gives way to what is made of both."""

    def beside(here: jax.Array, above: jax.Array) -> jax.Array:
        missing = [(0, n - m) for n, m in zip(here.shape[1:3], above.shape[1:3], strict=True)]
        return joined(here, jnp.pad(above, [(0, 0), *missing, (0, 0)]))

    larger = around(conv_transpose(channels, 2, 2), take=lambda maps: maps[below])
    return around(
        serial(join=parallel(beside, here=lambda maps: maps[here], above=larger), block=_block(channels)),
        give=lambda maps, y: maps | {here: y},
    )

"""Rectangles erased from images, so that no one part of an object is relied on: of a key and a batch, on the device."""

import math

import jax
import jax.numpy as jnp

from jaxnets.data.crops import check_images


def random_erase(
    key: jax.Array,
    images: jax.Array,
    *,
    rate: float = 0.25,
    area: tuple[float, float] = (0.02, 1 / 3),
    ratio: tuple[float, float] = (0.3, 1 / 0.3),
    value: float = 0.0,
) -> jax.Array:
    """Erase a rectangle of some of the images, each of its own size and at a place of its own.

    Shapes: `(N, H, W, C) → (N, H, W, C)`, dtype kept. The rectangle lies within the image; a side that would not fit is
    cut to the image's.

    Args:
        key: draws which images, the areas, proportions and places, independently.
        rate: the share of the images that lose a rectangle, in [0, 1].
        area: smallest and largest share of the image, drawn uniformly.
        ratio: smallest and largest height over width, drawn uniformly in the logarithm.
        value: what takes the place of the pixels.

    Raises:
        ValueError: not four axes, or a rate, area or ratio out of range.

    Gradient: to the pixels that are left. Cost: elementwise.
    Reference: Zhong et al. (2020), https://arxiv.org/abs/1708.04896.

    >>> erased = random_erase(jax.random.key(0), jnp.ones((1, 8, 8, 1)), rate=1.0, area=(0.25, 0.25), ratio=(1.0, 1.0))
    >>> int((erased == 0).sum())
    16
    """
    check_images("random_erase", images)
    if not 0 <= rate <= 1:
        raise ValueError(f"random_erase: rate is {rate}; take a share in [0, 1]")
    if not 0 < area[0] <= area[1] <= 1:
        raise ValueError(f"random_erase: area is {area}; take (smallest, largest) shares with 0 < smallest <= 1")
    if not 0 < ratio[0] <= ratio[1]:
        raise ValueError(f"random_erase: ratio is {ratio}; take (smallest, largest) with 0 < smallest <= largest")
    n, height, width, _ = images.shape
    which, area_key, ratio_key, row_key, column_key = jax.random.split(key, 5)
    pixels = jax.random.uniform(area_key, (n,), minval=area[0], maxval=area[1]) * (height * width)
    proportion = jnp.exp(jax.random.uniform(ratio_key, (n,), minval=math.log(ratio[0]), maxval=math.log(ratio[1])))
    rows = _span(row_key, height, jnp.sqrt(pixels * proportion))
    columns = _span(column_key, width, jnp.sqrt(pixels / proportion))
    chosen = jax.random.bernoulli(which, rate, (n, 1, 1))
    erased = chosen & rows[:, :, None] & columns[:, None, :]
    return jnp.where(erased[..., None], jnp.asarray(value, images.dtype), images)


def _span(key: jax.Array, length: int, size: jax.Array) -> jax.Array:
    """Which pixels of an axis lie within a span of `size` of them, wherever it fits: `(N,) → (N, length)`."""
    whole = jnp.clip(jnp.round(size), 1, length).astype(jnp.int32)
    first = jax.random.randint(key, whole.shape, 0, length - whole + 1)
    place = jnp.arange(length)[None, :] - first[:, None]
    return (place >= 0) & (place < whole[:, None])

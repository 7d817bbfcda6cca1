"""Random changes of color on the device, by dm-pix: a pure function of a key and a batch."""

import jax
import jax.numpy as jnp

from jaxnets.data.crops import check_images
from jaxnets.extras import require


def color_jitter(
    key: jax.Array,
    images: jax.Array,
    *,
    brightness: float = 0.0,
    contrast: float = 0.0,
    saturation: float = 0.0,
    hue: float = 0.0,
) -> jax.Array:
    """Change the light and the colors of every image, by amounts of its own, and clip it to [0, 1].

    Shapes: `(N, H, W, C) → (N, H, W, C)`, dtype kept; the work is done in float32.

    Args:
        key: draws the amounts, uniform and independent.
        images: in [0, 1]; three channels for saturation and hue.
        brightness: the most that is added or taken away.
        contrast: distances from the mean color grow by a factor from `1 - contrast` to `1 + contrast`.
        saturation: likewise the distance from gray.
        hue: the most that hues turn, either way, in turns of the color wheel: 0.5 is all of it.

    Raises:
        TypeError: images are not floating point.
        ValueError: not four axes; not three channels where they are needed; an amount out of range.
        MissingExtra: dm-pix is not installed.

    Gradient: to the images, where they are not clipped. Cost: elementwise.
    Reference: Howard (2013), https://arxiv.org/abs/1312.5402.

    >>> gray = jnp.full((2, 4, 4, 3), 0.5)
    >>> changed = color_jitter(jax.random.key(0), gray, brightness=0.2, saturation=0.5)
    >>> changed.shape, bool(abs(changed - 0.5).max() <= 0.2)
    ((2, 4, 4, 3), True)
    """
    check_images("color_jitter", images)
    if not jnp.issubdtype(images.dtype, jnp.floating):
        raise TypeError(f"color_jitter: images are {images.dtype}, not floating point in [0, 1]: divide them by 255")
    amounts = {"brightness": brightness, "contrast": contrast, "saturation": saturation, "hue": hue}
    for name, amount in amounts.items():
        most = 0.5 if name == "hue" else 1
        if not 0 <= amount <= most:
            raise ValueError(f"color_jitter: {name} is {amount}; take one in [0, {most}]")
    if (saturation or hue) and images.shape[-1] != 3:
        raise ValueError(f"color_jitter: saturation and hue need 3 channels, red, green, blue, not {images.shape[-1]}")
    pix = require("dm_pix", extra="data")
    n, keys = len(images), jax.random.split(key, 4)
    changed = images.astype(jnp.float32)
    for draw, (name, amount) in zip(keys, amounts.items(), strict=True):
        if amount:
            middle = 1.0 if name in ("contrast", "saturation") else 0.0
            drawn = jax.random.uniform(draw, (n,), minval=middle - amount, maxval=middle + amount)
            with jax.numpy_dtype_promotion("standard"):  # dm-pix multiplies bools by floats
                changed = jax.vmap(getattr(pix, f"adjust_{name}"))(changed, drawn)
    return jnp.clip(changed, 0, 1).astype(images.dtype)

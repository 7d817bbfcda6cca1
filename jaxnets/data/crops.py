"""Random crops and flips on the device, by dm-pix: pure functions of a key and a batch."""

import jax
import jax.numpy as jnp

from jaxnets.extras import require

MODES = {"zeros": "constant", "reflect": "reflect", "replicate": "edge"}


def random_crop(
    key: jax.Array,
    images: jax.Array,
    size: int | tuple[int, int] | None = None,
    *,
    padding: int = 0,
    padding_mode: str = "zeros",
) -> jax.Array:
    """Cut a part out of every image, at a place of its own.

    Shapes: `(N, h, w, C) → (N, H, W, C)`, dtype kept.

    Args:
        key: draws the places, uniform and independent.
        size: (H, W) in pixels, or one number for both; by default that of the images, which `padding` lets move.
        padding: pixels put around each image first; 4 for CIFAR's 32 by 32.
        padding_mode: "zeros", "reflect" or "replicate".

    Raises:
        ValueError: not four axes, a crop larger than the padded image, or another mode.
        MissingExtra: dm-pix is not installed.

    Gradient: to the pixels that are cut out. Cost: one dynamic slice an image.
    Reference: Krizhevsky et al. (2012); with padding, Lee et al. (2015), https://arxiv.org/abs/1409.5185.

    >>> random_crop(jax.random.key(0), jnp.zeros((2, 32, 32, 3)), padding=4).shape
    (2, 32, 32, 3)
    """
    check_images("random_crop", images)
    if padding_mode not in MODES:
        raise ValueError(f"random_crop: padding_mode is {padding_mode!r}; take one of {', '.join(map(repr, MODES))}")
    n, height, width, channels = images.shape
    size = (height, width) if size is None else (size, size) if isinstance(size, int) else size
    room = (height + 2 * padding, width + 2 * padding)
    if padding < 0 or len(size) != 2 or not all(1 <= part <= whole for part, whole in zip(size, room, strict=True)):
        raise ValueError(
            f"random_crop: size {size} does not fit into images of {(height, width)} with padding {padding}: "
            f"take at most {room}"
        )
    if padding:
        around = ((0, 0), (padding, padding), (padding, padding), (0, 0))
        images = jnp.pad(images, around, mode=MODES[padding_mode])
    crop = require("dm_pix", extra="data").random_crop
    keys = jax.random.split(key, n)
    return jax.vmap(lambda key, image: crop(key, image, (*size, channels)))(keys, images)


def random_flip(key: jax.Array, images: jax.Array, *, rate: float = 0.5, vertical: bool = False) -> jax.Array:
    """Mirror some of the images, left to right.

    Shapes: `(N, H, W, C) → (N, H, W, C)`, dtype kept.

    Args:
        key: draws which, independently.
        rate: the share that is mirrored, in [0, 1].
        vertical: upside down instead.

    Raises:
        ValueError: not four axes, or a rate outside [0, 1].
        MissingExtra: dm-pix is not installed.

    Gradient: mirrored back. Reference: Krizhevsky et al. (2012).

    >>> random_flip(jax.random.key(0), jnp.arange(3.0).reshape(1, 1, 3, 1), rate=1.0).ravel().tolist()
    [2.0, 1.0, 0.0]
    """
    check_images("random_flip", images)
    if not 0 <= rate <= 1:
        raise ValueError(f"random_flip: rate is {rate}; take a share in [0, 1]")
    pix = require("dm_pix", extra="data")
    flip = pix.random_flip_up_down if vertical else pix.random_flip_left_right
    keys = jax.random.split(key, len(images))
    return jax.vmap(lambda key, image: flip(key, image, probability=rate))(keys, images)


def check_images(where: str, images: jax.Array) -> None:
    """Raise unless images are `(N, H, W, C)`."""
    if images.ndim != 4:
        raise ValueError(f"{where}: images must be (N, H, W, C), not of shape {images.shape}")

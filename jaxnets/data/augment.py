"""Augmentation: pure functions of a key and a batch, to run on the device inside the training step."""

import jax
import jax.numpy as jnp
from jax.scipy.ndimage import map_coordinates

from jaxnets.data.crops import check_images


def random_affine(
    key: jax.Array, images: jax.Array, *, shift: float = 0.0, rotation: float = 0.0, scale: float = 0.0
) -> jax.Array:
    """Shift, turn and resize every image by a small random amount of its own.

    Shapes: `(N, H, W, C) → (N, H, W, C)`. Pixels are read between the old ones by linear interpolation; outside the
    image is 0.

    Args:
        key: draws the amounts, uniform and independent.
        shift: largest shift along each axis, in pixels.
        rotation: largest turn about the center, in radians, either way.
        scale: largest change of size: by a factor from `exp(-scale)` to `exp(scale)`.

    Raises:
        ValueError: not four axes, or a negative amount.

    Gradient: to the images, linear in them.
    Reference: Simard, Steinkraus and Platt (2003), Best Practices for Convolutional Neural Networks Applied to
    Visual Document Analysis.

    >>> image = jnp.zeros((1, 4, 4, 1)).at[0, 1, 1, 0].set(1.0)
    >>> moved = random_affine(jax.random.key(0), image, shift=1.0)
    >>> moved.shape, float(moved.sum()) <= 1.0001
    ((1, 4, 4, 1), True)
    """
    check_images("random_affine", images)
    for name, amount in (("shift", shift), ("rotation", rotation), ("scale", scale)):
        if amount < 0:
            raise ValueError(f"random_affine: {name} must not be negative, not {amount}")
    n, height, width, _ = images.shape
    shift_key, rotation_key, scale_key = jax.random.split(key, 3)
    shifts = jax.random.uniform(shift_key, (n, 2), minval=-shift, maxval=shift)
    angles = jax.random.uniform(rotation_key, (n,), minval=-rotation, maxval=rotation)
    factors = jnp.exp(jax.random.uniform(scale_key, (n,), minval=-scale, maxval=scale))
    # For each pixel of the new image, where to look in the old one: rotate and scale about the center, then shift.
    center = jnp.array([(height - 1) / 2, (width - 1) / 2], jnp.float32)
    rows, columns = jnp.meshgrid(jnp.arange(height), jnp.arange(width), indexing="ij")
    offsets = jnp.stack([rows, columns], -1).astype(jnp.float32) - center[None, None, :]
    cos, sin = jnp.cos(angles) * factors, jnp.sin(angles) * factors
    turns = jnp.stack([jnp.stack([cos, -sin], -1), jnp.stack([sin, cos], -1)], -2)  # (N, 2, 2)
    source = jnp.einsum("nij,hwj->nihw", turns, offsets) + (center[None, :] + shifts)[:, :, None, None]

    def sample(image: jax.Array, at: jax.Array) -> jax.Array:  # (H, W, C), (2, H, W) -> (H, W, C)
        channel = jax.vmap(lambda plane: map_coordinates(plane, [at[0], at[1]], order=1), in_axes=-1, out_axes=-1)
        return channel(image)

    return jax.vmap(sample)(images, source.astype(images.dtype)).astype(images.dtype)

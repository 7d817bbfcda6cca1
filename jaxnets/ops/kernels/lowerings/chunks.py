"""A batch taken some images at a time, so that what is made in between stays in cache."""

from __future__ import annotations

from collections.abc import Callable

import jax
import numpy as np
from jax import lax

from jaxnets.ops.kernels.lowerings import shapes

CACHE = 8 << 20  # bytes to make in between at a time: in the outermost cache of a core or two


def images(batch: int, bytes_an_image: int, most_bytes: int = CACHE) -> int:
    """The largest divisor of the batch whose images keep within the bytes; one at least."""
    return divisor(batch, max(1, most_bytes // max(bytes_an_image, 1)))


def divisor(n: int, most: int) -> int:
    """The largest divisor of n up to `most`."""
    return max(d for d in range(1, min(n, most) + 1) if n % d == 0)


def each(fn: Callable[[jax.Array], jax.Array], x: jax.Array, n: int) -> jax.Array:
    """`fn` of (n, ...) over the images of x (N, ...), n at a time, its results one after the other."""
    if n == x.shape[0]:
        return fn(x)
    y = lax.map(fn, x.reshape(-1, n, *x.shape[1:]))
    return y.reshape(x.shape[0], *y.shape[2:])


def summed(
    fn: Callable[[jax.Array, jax.Array], list[jax.Array]], n: int, x: jax.Array, y: jax.Array
) -> list[jax.Array]:
    """The sums of what `fn` makes of the images of x and y (N, ...), n at a time."""
    if n == x.shape[0]:
        return fn(x, y)

    def turn(index: jax.Array, total: list[jax.Array]) -> list[jax.Array]:
        images = (shapes.some(v, index * np.int32(n), n) for v in (x, y))
        return [t + p for t, p in zip(total, fn(*images), strict=True)]

    made = jax.eval_shape(fn, x[:n], y[:n])
    return shapes.loop(x.shape[0] // n, turn, [shapes.zeros(each.shape, x) for each in made])  # type: ignore[no-any-return]

"""Random initializers: the values of `jax.nn.initializers` under the same names, without compiling each shape.

To compile threefry, and what makes numbers of its bits, for each of a network's dozens of shapes was most of the time
that its `init` took (docs/design.md). The i-th number that `jax.random` draws depends on the key and on i alone
(`jax_threefry_partitionable`), so a few sizes are compiled, and the beginning of one of them is cut out and scaled on
the host. Where that is not so, or the key is traced or committed to a device, the shape itself is drawn.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import DTypeLike

Shape = tuple[int, ...]
Mode = Literal["fan_in", "fan_out", "fan_avg"]
Distribution = Literal["normal", "truncated_normal", "uniform"]
Initializer = Callable[..., Any]
"""`initializer(key, shape, dtype) -> array`, as those of `jax.nn.initializers`."""

DRAWN = (2**12, 2**16, 2**18, 2**20, 2**22)
"""How many numbers the programs draw. Of a larger array the shape itself is: it is drawn longer than compiled."""

_STANDARD: dict[str, Callable[..., jax.Array]] = {
    "normal": jax.random.normal,
    "truncated_normal": partial(jax.random.truncated_normal, lower=-2.0, upper=2.0),
    "uniform": partial(jax.random.uniform, minval=-1.0),
}
_DEVIATION = {"normal": 1.0, "truncated_normal": 0.87962566103423978, "uniform": 3**-0.5}  # of each of these


def normal(stddev: float) -> Initializer:
    """Numbers of mean 0 and this standard deviation.

    >>> w = normal(0.02)(jax.random.key(0), (3, 3, 64, 64))
    >>> print(f"{w.std():.3f}")
    0.020
    """

    def init(key: jax.Array, shape: Shape, dtype: DTypeLike = jnp.float32) -> jax.Array:
        return _scaled("normal", key, shape, dtype, stddev)

    return init


def variance_scaling(
    scale: float, mode: Mode, distribution: Distribution, in_axis: int = -2, out_axis: int = -1
) -> Initializer:
    """Numbers of mean 0 and variance scale / n, n being the inputs or outputs that a weight has, or their average.

    `"fan_in"` counts all axes but `out_axis`, `"fan_out"` all but `in_axis`, `"fan_avg"` is the mean of the two.
    A `"truncated_normal"` is cut off at two standard deviations, before it is scaled to this variance.
    Glorot and Bengio, 2010, https://proceedings.mlr.press/v9/glorot10a.html; He et al., 2015,
    https://arxiv.org/abs/1502.01852. Raises ValueError for another mode or distribution, or a shape of one axis.

    >>> he_normal = variance_scaling(2.0, "fan_in", "truncated_normal")
    >>> w = he_normal(jax.random.key(0), (3, 3, 64, 64))
    >>> print(f"{w.std():.3f}, {(2 / (3 * 3 * 64)) ** 0.5:.3f}")
    0.059, 0.059
    """
    for name, value, known in (
        ("mode", mode, ("fan_in", "fan_out", "fan_avg")),
        ("distribution", distribution, tuple(_STANDARD)),
    ):
        if value not in known:
            raise ValueError(f"variance_scaling: {name} is {value!r}; pass one of {', '.join(known)}")

    def init(key: jax.Array, shape: Shape, dtype: DTypeLike = jnp.float32) -> jax.Array:
        if len(shape) < 2:
            raise ValueError(
                f"variance_scaling: shape {tuple(shape)} has {len(shape)} axes, so no inputs and outputs to count; "
                f"pass normal(stddev) for it"
            )
        size = math.prod(shape)
        fans = {"fan_in": size / max(shape[out_axis], 1), "fan_out": size / max(shape[in_axis], 1)}
        n = fans[mode] if mode in fans else sum(fans.values()) / 2
        return _scaled(distribution, key, shape, dtype, math.sqrt(scale / n) / _DEVIATION[distribution] if n else 0.0)

    return init


def _scaled(distribution: Distribution, key: jax.Array, shape: Shape, dtype: DTypeLike, factor: float) -> jax.Array:
    size = math.prod(shape)
    if not _begins_alike(key) or size > DRAWN[-1] or np.dtype(dtype) != np.float32:
        return _STANDARD[distribution](key, shape=shape, dtype=dtype) * jnp.asarray(factor, dtype)
    drawn = np.asarray(_draw(distribution, next(n for n in DRAWN if n >= size), key))
    return jnp.asarray(drawn[:size].reshape(shape) * np.float32(factor))


@partial(jax.jit, static_argnums=(0, 1))
def _draw(distribution: Distribution, size: int, key: jax.Array) -> jax.Array:
    return _STANDARD[distribution](key, shape=(size,))


def _begins_alike(key: jax.Array) -> bool:
    """Whether what this key draws begins with what it draws less of, and may come from the host."""
    if isinstance(key, jax.core.Tracer) or not isinstance(key, jax.Array) or key.committed:
        return False
    return getattr(jax.config, "jax_threefry_partitionable", True) and jax.random.key_impl(key) == "threefry2x32"

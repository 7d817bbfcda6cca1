"""Pooling over sliding windows, arrays in, arrays out, for 1, 2 and 3 spatial axes."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from jaxnets.ops import check
from jaxnets.ops.geometry import Ints, Padding, Window
from jaxnets.ops.kernels import pool as kernel
from jaxnets.ops.kernels import switch
from jaxnets.ops.kernels.pool_problem import Kind, PoolProblem
from jaxnets.ops.precision import widen


def pool_window(
    op: str,
    x: jax.Array,
    size: Ints,
    stride: Ints | None,
    padding: Padding,
    dilation: Ints,
    ceil_mode: bool,
) -> Window:
    """The checked window of a pool: `stride=None` means `size`, and every window sees something real."""
    stride = size if stride is None else stride
    window = Window.of(op, x.shape[1:-1], size, stride, padding, dilation, ceil_mode)
    window.require_real_taps(op)
    return window


def _extremum(
    op: str,
    kind: kernel.Extremum,
    x: jax.Array,
    size: Ints,
    stride: Ints | None,
    padding: Padding,
    dilation: Ints,
    ceil_mode: bool,
    lowering: str | None,
) -> jax.Array:
    x = check.images(op, x)
    window = pool_window(op, x, size, stride, padding, dilation, ceil_mode)
    return kernel.window_extremum(x, window, kind, _asked(op, lowering, kind, window, x))


def _asked(op: str, lowering: str | None, kind: Kind, window: Window, x: jax.Array) -> str | None:
    """`lowering`, which must be able to compute this pool."""
    return switch.require_fitting(op, lowering, PoolProblem.of("value", kind, window, x))


def max_pool(
    x: jax.Array,
    size: Ints,
    stride: Ints | None = None,
    *,
    padding: Padding = "VALID",
    dilation: Ints = 1,
    ceil_mode: bool = False,
    lowering: str | None = None,
) -> jax.Array:
    """Max pooling: the largest element of each window; padding never wins, NaN always does.

    Shapes: (N, *spatial, C) → (N, *out, C), dtype kept. Arguments: `size`, `stride` (default `size`) and `dilation`
    in elements, an int or one per axis; `padding` as in `conv`; `ceil_mode` rounds the number of windows up; `lowering`
    as in `conv`. Raises `ValueError` for a window larger than the padded input, one that sees only padding, or a
    lowering that cannot compute this.
    Gradient: to the first maximum of each window in row-major order, for dilated windows too.
    Cost: one comparison a tap, or fewer for long windows. Yamaguchi et al., 1990, A Neural Network for
    Speaker-Independent Isolated Word Recognition, https://www.isca-archive.org/icslp_1990/yamaguchi90_icslp.html.

    >>> import jax.numpy as jnp
    >>> max_pool(jnp.array([3., 1., 2., 5., 4.]).reshape(1, 5, 1), 2, ceil_mode=True).ravel()
    Array([3., 5., 4.], dtype=float32)
    """
    return _extremum("max_pool", "max", x, size, stride, padding, dilation, ceil_mode, lowering)


def min_pool(
    x: jax.Array,
    size: Ints,
    stride: Ints | None = None,
    *,
    padding: Padding = "VALID",
    dilation: Ints = 1,
    ceil_mode: bool = False,
    lowering: str | None = None,
) -> jax.Array:
    """Min pooling, the erosion of mathematical morphology: `max_pool` with the order turned round.

    Shapes, arguments, errors, gradient and cost are those of `max_pool`. Serra, 1982, Image Analysis and
    Mathematical Morphology.

    >>> import jax.numpy as jnp
    >>> min_pool(jnp.array([3., 1., 2., 5.]).reshape(1, 4, 1), 2).ravel()
    Array([1., 2.], dtype=float32)
    """
    return _extremum("min_pool", "min", x, size, stride, padding, dilation, ceil_mode, lowering)


def avg_pool(
    x: jax.Array,
    size: Ints,
    stride: Ints | None = None,
    *,
    padding: Padding = "VALID",
    dilation: Ints = 1,
    ceil_mode: bool = False,
    count_include_pad: bool = False,
    lowering: str | None = None,
) -> jax.Array:
    """Average pooling: the mean of each window's real elements.

    With `count_include_pad` the divisor counts padding too, but never `ceil_mode`'s overhang, as PyTorch has it.
    Shapes: (N, *spatial, C) → (N, *out, C). Summed in float32 at least and returned in `x`'s dtype; integers give
    float32, as `jax.numpy.mean` does. Other arguments and errors are those of `max_pool`.
    Gradient: each element gets its share, `1 / count`, of every window that holds it. Cost: one addition a tap, or
    fewer for long windows. LeCun et al., 1998, https://doi.org/10.1109/5.726791.

    >>> import jax.numpy as jnp
    >>> x = jnp.array([1., 3., 5.]).reshape(1, 3, 1)
    >>> avg_pool(x, 3, 1, padding=1).ravel()
    Array([2., 3., 4.], dtype=float32)
    >>> avg_pool(x, 3, 1, padding=1, count_include_pad=True).ravel()
    Array([1.3333334, 3.       , 2.6666667], dtype=float32)
    """
    op = "avg_pool"
    x = check.images(op, x)
    window = pool_window(op, x, size, stride, padding, dilation, ceil_mode)
    x = x if jnp.issubdtype(x.dtype, jnp.floating) else widen(x)
    asked = _asked(op, lowering, "padded_mean" if count_include_pad else "mean", window, x)
    return kernel.window_mean(x, window, count_include_pad, asked)


def _scalar(op: str, value: ArrayLike, name: str) -> None:
    """`ValueError` unless `value`, where it is known now, is a positive number."""
    if jnp.ndim(value) != 0:
        raise ValueError(f"{op}: {name} has shape {jnp.shape(value)}; pass one number")
    if not isinstance(value, jax.core.Tracer) and not float(np.asarray(value)) > 0:
        raise ValueError(f"{op}: {name} is {value}; it must be above 0")


def _root(total: jax.Array, p: ArrayLike) -> jax.Array:
    """`total ** (1 / p)`, with gradient 0 where `total` is 0."""
    some = total > 0
    safe = jnp.where(some, total, jnp.ones_like(total))
    return jnp.where(some, safe ** (1 / jnp.asarray(p, total.dtype)), jnp.zeros_like(total))


def lp_pool(
    x: jax.Array,
    size: Ints,
    stride: Ints | None = None,
    *,
    padding: Padding = "VALID",
    dilation: Ints = 1,
    ceil_mode: bool = False,
    p: float = 2,
    lowering: str | None = None,
) -> jax.Array:
    """Power pooling: the Lp norm `(Σ |x|^p)^(1/p)` of each window; `p=1` sums, `p=inf` takes the maximum of |x|.

    Shapes: (N, *spatial, C) → (N, *out, C), floating point only, in float32 at least. `p` is a number above 0; other
    arguments and errors are those of `max_pool`. Gradient: `sign(x) (|x| / y)^(p-1)`, and 0 where the window is all
    zeros. Cost: a power an element, then `avg_pool`'s. Sermanet et al., 2012, https://arxiv.org/abs/1204.3968.

    >>> import jax.numpy as jnp
    >>> lp_pool(jnp.array([3., -4., 0., 0.]).reshape(1, 4, 1), 2).ravel()
    Array([5., 0.], dtype=float32)
    """
    op = "lp_pool"
    x = check.floating(op, check.images(op, x))
    _scalar(op, p, "p")
    window = pool_window(op, x, size, stride, padding, dilation, ceil_mode)
    if p == np.inf:
        return kernel.window_extremum(jnp.abs(x), window, "max", _asked(op, lowering, "max", window, x))
    magnitude = jnp.abs(widen(x))
    some = magnitude > 0
    powered = jnp.where(some, jnp.where(some, magnitude, jnp.ones_like(magnitude)) ** p, jnp.zeros_like(magnitude))
    total = kernel.window_sum(powered, window, _asked(op, lowering, "sum", window, powered))
    return _root(total, p).astype(x.dtype)


def gem_pool(
    x: jax.Array,
    size: Ints,
    stride: Ints | None = None,
    *,
    padding: Padding = "VALID",
    dilation: Ints = 1,
    ceil_mode: bool = False,
    p: ArrayLike = 3.0,
    eps: float = 1e-6,
    lowering: str | None = None,
) -> jax.Array:
    """Generalized-mean pooling: `(mean max(x, eps)^p)^(1/p)` over each window's real elements.

    `p=1` is the average, growing `p` tends to the maximum; `p` may be a scalar array that is learned. `eps` is the
    floor that keeps the power defined. Shapes: (N, *spatial, C) → (N, *out, C), floating point only, in float32 at
    least. Other arguments and errors are those of `max_pool`. Gradient: to x above `eps`, and to p. Cost: as `lp_pool`.
    Radenović, Tolias & Chum, 2018, https://arxiv.org/abs/1711.02512.

    >>> import jax.numpy as jnp
    >>> gem_pool(jnp.array([1., 7., 2., 2.]).reshape(1, 4, 1), 2, p=2).ravel()
    Array([5., 2.], dtype=float32)
    """
    op = "gem_pool"
    x = check.floating(op, check.images(op, x))
    _scalar(op, p, "p")
    _scalar(op, eps, "eps")
    window = pool_window(op, x, size, stride, padding, dilation, ceil_mode)
    wide = widen(x)
    power = jnp.asarray(p, wide.dtype)
    floor = jnp.asarray(eps, wide.dtype)
    # Not jnp.maximum, which would pass half a gradient at eps; a NaN is not at most eps and stays.
    clipped = jnp.where(wide <= floor, floor, wide)
    powered = clipped**power
    mean = kernel.window_mean(powered, window, lowering=_asked(op, lowering, "mean", window, powered))
    return (mean ** (1 / power)).astype(x.dtype)

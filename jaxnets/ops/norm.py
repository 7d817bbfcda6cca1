"""Normalization: subtract a mean, divide by a spread, scale and shift. Which elements share them is the difference.

All are computed in float32 at least and returned in the input's dtype. Vectors may be of any floating dtype, such as
float32 parameters beside bfloat16 inputs: they are cast to the dtype it is computed in.
"""

from __future__ import annotations

from functools import partial
from math import prod
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.custom_derivatives import SymbolicZero
from jax.typing import ArrayLike

from jaxnets.ops import check
from jaxnets.ops.kernels import reduce
from jaxnets.ops.precision import widen


def _rows(op: str, x: jax.Array, least: int = 1, axes: str = "(..., C)") -> jax.Array:
    """`x` as a floating-point array of at least `least` axes."""
    x = check.floating(op, x)
    if x.ndim < least:
        raise ValueError(f"{op}: x has shape {x.shape}, rank {x.ndim}; pass {axes}")
    return x


def _vector(op: str, v: jax.Array, x: jax.Array, name: str) -> jax.Array:
    """`v`, (C,) for the last axis of x, in the dtype of x and shaped to be broadcast against it."""
    v = check.floating(op, v, name)
    if v.shape != x.shape[-1:]:
        raise ValueError(f"{op}: {name} has shape {v.shape}; x {x.shape} needs {x.shape[-1:]}, one number per channel")
    return v.astype(x.dtype).reshape((1,) * (x.ndim - 1) + v.shape)


def _affine(op: str, y: jax.Array, scale: jax.Array | None, shift: jax.Array | None) -> jax.Array:
    """`y * scale + shift`, either of which may be missing."""
    y = y if scale is None else y * _vector(op, scale, y, "scale")
    return y if shift is None else y + _vector(op, shift, y, "shift")


def _eps(op: str, eps: ArrayLike, x: jax.Array) -> jax.Array:
    """`eps` in the dtype of x, checked where it is known now."""
    if jnp.ndim(eps) != 0:
        raise ValueError(f"{op}: eps has shape {jnp.shape(eps)}; pass one number")
    if not isinstance(eps, jax.core.Tracer) and not float(np.asarray(eps)) >= 0:
        raise ValueError(f"{op}: eps is {eps}; it must be at least 0")
    return jnp.asarray(eps, x.dtype)


def _rsqrt(op: str, var: jax.Array, eps: ArrayLike) -> jax.Array:
    """`1 / sqrt(var + eps)`."""
    return lax.rsqrt(var + _eps(op, eps, var))


def _standardize(op: str, x: jax.Array, axes: tuple[int, ...], eps: ArrayLike) -> jax.Array:
    """x less its mean over `axes`, divided by its deviation there; the variance is the mean squared deviation."""
    deviation = x - x.mean(axes, keepdims=True)
    return deviation * _rsqrt(op, jnp.square(deviation).mean(axes, keepdims=True), eps)


def _shared(statistic: jax.Array, groups: int | None) -> jax.Array:
    """What each channel shares with its group, the mean over the group; as it is where each channel stands alone."""
    if groups is None or groups == statistic.shape[-1]:
        return statistic
    parted = statistic.reshape(*statistic.shape[:-1], groups, statistic.shape[-1] // groups)
    return jnp.broadcast_to(parted.mean(-1, keepdims=True), parted.shape).reshape(statistic.shape)


@partial(jax.custom_jvp, nondiff_argnums=(4, 5))
def _normalized(
    x: jax.Array, scale: jax.Array, shift: jax.Array, eps: jax.Array, axes: tuple[int, ...], groups: int | None
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """x normalized by its statistics over `axes`, none of them the channels', and over groups of channels; the mean and
    the variance, with size 1 on these axes. Scale and shift are vectors in the dtype of the statistics.

    Each sum is a pass over x of its own, here and in the derivative, which is written out because that of the plain
    formula has twice as many and keeps x - mean for them.
    """
    mean = _shared(widen(reduce.apart(x)[0]).mean(axes, keepdims=True), groups)
    deviation = jnp.subtract(*map(widen, reduce.apart(x, mean)))
    # Two passes: the mean of squares less the square of the mean loses all digits where the mean is large.
    var = _shared(jnp.square(deviation).mean(axes, keepdims=True), groups)
    gain = scale * lax.rsqrt(var + eps)
    return reduce.spread(gain, jnp.broadcast_to(shift, gain.shape), x, mean, axes), mean, var


@partial(_normalized.defjvp, symbolic_zeros=True)
def _normalized_jvp(axes: tuple[int, ...], groups: int | None, primals: Any, tangents: Any) -> Any:
    """With r = 1 / sqrt(var + eps): d mean = mean(dx), d var = 2 mean(dx (x - mean)), d r = -r³ d var / 2."""
    x, scale, shift, eps = primals
    y, mean, var = _normalized(x, scale, shift, eps, axes, groups)
    dx = tangents[0]
    dscale, dshift, deps = (jnp.zeros((), mean.dtype) if isinstance(d, SymbolicZero) else d for d in tangents[1:])
    r = lax.rsqrt(var + eps)
    gain, dmean, dvar = scale * r, jnp.zeros_like(mean), jnp.zeros_like(mean)
    direct = None
    if not isinstance(dx, SymbolicZero):
        dx = widen(dx)  # once for all, so that what becomes of it is added up before it is rounded
        count = max(prod(x.shape[axis] for axis in axes), 1)
        total, deviating = reduce.sums(dx, x, mean, axes)
        dmean, dvar = _shared(total / count, groups), _shared(deviating * (2 / count), groups)
        direct = gain * dx
    dgain = dscale * r - scale * (r * r * r / 2) * (dvar + deps)
    dy = reduce.spread(dgain, jnp.broadcast_to(dshift - gain * dmean, gain.shape), x, mean, axes, mean.dtype)
    dy = dy if direct is None else direct + dy
    return (y, mean, var), (dy.astype(x.dtype), dmean, dvar)


def _with_statistics(
    op: str,
    x: jax.Array,
    scale: jax.Array | None,
    shift: jax.Array | None,
    eps: ArrayLike,
    axes: tuple[int, ...],
    groups: int | None = None,
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """`_normalized`, its arguments checked and those that are missing put in."""
    wide = widen(x)
    one = jnp.ones((1,) * (x.ndim - 1) + x.shape[-1:], wide.dtype)
    gain = one if scale is None else _vector(op, scale, wide, "scale")
    offset = jnp.zeros_like(one) if shift is None else _vector(op, shift, wide, "shift")
    return _normalized(x, gain, offset, _eps(op, eps, wide), axes, groups)


def batch_norm(
    x: jax.Array,
    mean: jax.Array,
    var: jax.Array,
    scale: jax.Array | None = None,
    shift: jax.Array | None = None,
    *,
    eps: ArrayLike = 1e-5,
) -> jax.Array:
    """Each channel normalized by given statistics: `(x - mean) / sqrt(var + eps) * scale + shift`.

    Shapes: x (..., C), the vectors (C,) → (..., C). Arguments: `mean` and `var`, of the batch or running; `eps`,
    added to the variance, at least 0. Raises `TypeError` for integers and `ValueError` for vectors of another length.
    Gradient: to x, the statistics, scale and shift; statistics computed from x pass it on to x. Cost: two passes,
    fused by XLA. Ioffe & Szegedy, 2015, https://arxiv.org/abs/1502.03167.

    >>> import jax.numpy as jnp
    >>> batch_norm(jnp.array([[5.]]), jnp.array([1.]), jnp.array([4.]), eps=0)
    Array([[2.]], dtype=float32)
    """
    op = "batch_norm"
    x = _rows(op, x)
    wide = widen(x)
    at = _vector(op, mean, wide, "mean")
    gain = _rsqrt(op, _vector(op, var, wide, "var"), eps)
    gain = gain if scale is None else gain * _vector(op, scale, wide, "scale")
    offset = jnp.zeros_like(gain) if shift is None else _vector(op, shift, wide, "shift")
    return reduce.spread(gain, offset, x, at, tuple(range(x.ndim - 1)))


def normalize_batch(
    x: jax.Array,
    scale: jax.Array | None = None,
    shift: jax.Array | None = None,
    *,
    eps: ArrayLike = 1e-5,
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Each channel normalized by its own mean and variance over all other axes, as batch norm does in training.

    Shapes: x (..., C), scale and shift (C,) → (..., C), then the mean and the biased variance (C,), float32 at least.
    Argument: `eps`, added to the variance, at least 0. Raises `TypeError` for integers and `ValueError` for vectors of
    another length. Gradient: to x through the statistics too, to scale and shift; that of the statistics to x. Cost:
    three passes, and as many for the gradient. Ioffe & Szegedy, 2015, https://arxiv.org/abs/1502.03167.

    >>> import jax.numpy as jnp
    >>> y, mean, var = normalize_batch(jnp.array([[1., 10.], [3., 30.]]), eps=0)
    >>> y, mean, var
    (Array([[-1., -1.],
           [ 1.,  1.]], dtype=float32), Array([ 2., 20.], dtype=float32), Array([  1., 100.], dtype=float32))
    """
    op = "batch_norm"
    x = _rows(op, x)
    y, mean, var = _with_statistics(op, x, scale, shift, eps, tuple(range(x.ndim - 1)))
    return y, mean.reshape(-1), var.reshape(-1)


def layer_norm(
    x: jax.Array,
    scale: jax.Array | None = None,
    shift: jax.Array | None = None,
    *,
    eps: ArrayLike = 1e-5,
) -> jax.Array:
    """Each row normalized along the last axis by its own mean and variance, then scaled and shifted.

    Shapes: x (..., D), scale and shift (D,) → (..., D). Argument: `eps`, added to the variance, at least 0. Raises
    `TypeError` for integers and `ValueError` for vectors of another length. Gradient: to x through the statistics too.
    Cost: three passes over each row. Ba, Kiros & Hinton, 2016, https://arxiv.org/abs/1607.06450.

    >>> import jax.numpy as jnp
    >>> layer_norm(jnp.array([[1., 3.], [10., 30.]]), eps=0)
    Array([[-1.,  1.],
           [-1.,  1.]], dtype=float32)
    """
    op = "layer_norm"
    x = _rows(op, x, axes="(..., D)")
    return _affine(op, _standardize(op, widen(x), (-1,), eps), scale, shift).astype(x.dtype)


def group_norm(
    x: jax.Array,
    groups: int,
    scale: jax.Array | None = None,
    shift: jax.Array | None = None,
    *,
    eps: ArrayLike = 1e-5,
) -> jax.Array:
    """Each sample's groups of neighboring channels normalized over all of space, then scaled and shifted.

    Shapes: x (N, *spatial, C) with any number of spatial axes, scale and shift (C,) → (N, *spatial, C). Arguments:
    `groups`, a divisor of C; `eps`, added to the variance, at least 0. Raises `TypeError` for integers and
    `ValueError` where groups do not divide the channels. Gradient: to x through the statistics too. Cost: three
    passes over each group. Wu & He, 2018, https://arxiv.org/abs/1803.08494.

    >>> import jax.numpy as jnp
    >>> group_norm(jnp.array([[[1., 3., 0., 4.]]]), 2, eps=0)
    Array([[[-1.,  1., -1.,  1.]]], dtype=float32)
    """
    op = "group_norm"
    x = _rows(op, x, 2, "(N, *spatial, C)")
    groups = check.whole(op, groups, "groups")
    if x.shape[-1] % groups:
        raise ValueError(
            f"{op}: groups={groups} does not divide the {x.shape[-1]} channels of x {x.shape}; use a divisor"
        )
    return _with_statistics(op, x, scale, shift, eps, tuple(range(1, x.ndim - 1)), groups)[0]


def instance_norm(
    x: jax.Array,
    scale: jax.Array | None = None,
    shift: jax.Array | None = None,
    *,
    eps: ArrayLike = 1e-5,
) -> jax.Array:
    """Each channel of each sample normalized over all of space: `group_norm` with one channel a group.

    Shapes: x (N, *spatial, C), scale and shift (C,) → (N, *spatial, C). Argument, errors, gradient and cost are those
    of `group_norm`; without a spatial axis there would be nothing to normalize over, a `ValueError`. Ulyanov, Vedaldi
    & Lempitsky, 2016, https://arxiv.org/abs/1607.08022.

    >>> import jax.numpy as jnp
    >>> instance_norm(jnp.array([[[1., 5.], [3., 9.]]]), eps=0)[0]
    Array([[-1., -1.],
           [ 1.,  1.]], dtype=float32)
    """
    op = "instance_norm"
    x = _rows(op, x, 3, "(N, *spatial, C), with a spatial axis")
    return _with_statistics(op, x, scale, shift, eps, tuple(range(1, x.ndim - 1)))[0]


def rms_norm(x: jax.Array, scale: jax.Array | None = None, *, eps: ArrayLike = 1e-6) -> jax.Array:
    """Each row divided by its root mean square along the last axis, then scaled; no mean is subtracted.

    Shapes: x (..., D), scale (D,) → (..., D). Argument: `eps`, added to the mean square, at least 0. Raises `TypeError`
    for integers and `ValueError` for a scale of another length. Gradient: to x through the mean square too. Cost: two
    passes over each row. Zhang & Sennrich, 2019, https://arxiv.org/abs/1910.07467.

    >>> import jax.numpy as jnp
    >>> rms_norm(jnp.array([3., 3.]), jnp.array([1., 2.]), eps=0)
    Array([1., 2.], dtype=float32)
    """
    op = "rms_norm"
    x = _rows(op, x, axes="(..., D)")
    wide = widen(x)
    y = wide * _rsqrt(op, jnp.square(wide).mean(-1, keepdims=True), eps)
    return _affine(op, y, scale, None).astype(x.dtype)

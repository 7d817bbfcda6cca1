"""Sums over the axes that share a statistic, and what spreads it over them: what every normalization is made of.

With statistics kept in arrays whose summed axes have size 1, and the deviation d = x - mean,

    sums(t, x, mean)      = Σ t, Σ t d          what a gradient, or a tangent, comes to per statistic
    spread(a, b, x, mean) = a d + b             normalization itself

The first is linear in t, the second in (a, b), and each is the transpose of the other, so that all derivatives of a
normalization are again one pass for each sum and one for the elements. Both remember x, which is there anyway, and not
d; sums and products are in the dtype of the mean, float32 at least, whatever that of x and t.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir

from jaxnets import compat

Axes = tuple[int, ...]

apart_p = Primitive("jaxnets_apart")
sums_p = Primitive("jaxnets_sums")
spread_p = Primitive("jaxnets_spread")
apart_p.multiple_results = sums_p.multiple_results = True


def apart(*arrays: jax.Array) -> tuple[jax.Array, ...]:
    """The same arrays, which XLA for a CPU takes for others.

    It sums as fast as memory can be read, but fuses into a sum only what nothing else reads. Were `x - mean` the same
    in the variance, the output and the gradient, it would be written to memory and kept for all of them.
    """
    return tuple(apart_p.bind(*arrays))


def sums(t: jax.Array, x: jax.Array, mean: jax.Array, axes: Axes) -> tuple[jax.Array, jax.Array]:
    """Σ t and Σ t (x - mean) over `axes`: t and x of one shape, the mean and the results with size 1 on these axes.

    >>> sums(jnp.array([1., 2.]), jnp.array([5., 6.]), jnp.array([4.]), (0,))
    (Array([3.], dtype=float32), Array([5.], dtype=float32))
    """
    t, x, mean = compat.alike(t, x, mean)
    total, deviating = sums_p.bind(t, x, mean, axes=axes)
    return total, deviating


def spread(a: jax.Array, b: jax.Array, x: jax.Array, mean: jax.Array, axes: Axes, dtype: Any = None) -> jax.Array:
    """a (x - mean) + b in `dtype`, that of `x` unless told: a, b and the mean with size 1 on `axes`.

    >>> spread(jnp.array([2.]), jnp.array([1.]), jnp.array([5., 6.]), jnp.array([4.]), (0,))
    Array([3., 5.], dtype=float32)
    """
    a, b, x, mean = compat.alike(a, b, x, mean)
    return spread_p.bind(a, b, x, mean, axes=axes, dtype=np.dtype(x.dtype if dtype is None else dtype))


def _sums(t: jax.Array, x: jax.Array, mean: jax.Array, *, axes: Axes) -> tuple[jax.Array, jax.Array]:
    wide = mean.dtype
    total = t.astype(wide).sum(axes, keepdims=True)
    t, x, mean = apart(t, x, mean)
    return total, (t.astype(wide) * (x.astype(wide) - mean)).sum(axes, keepdims=True)


def _spread(a: jax.Array, b: jax.Array, x: jax.Array, mean: jax.Array, *, axes: Axes, dtype: Any) -> jax.Array:
    return (a * (x.astype(mean.dtype) - mean) + b).astype(dtype)


@apart_p.def_abstract_eval
def _apart_abstract(*arrays: Any) -> Any:
    return arrays


@sums_p.def_abstract_eval
def _sums_abstract(t: Any, x: Any, mean: Any, *, axes: Axes) -> Any:
    one = compat.aval_like((mean, t, x), mean.shape, mean.dtype)
    return one, one


@spread_p.def_abstract_eval
def _spread_abstract(a: Any, b: Any, x: Any, mean: Any, *, axes: Axes, dtype: Any) -> Any:
    compat.aval_like((a, b, x, mean), x.shape, dtype)  # for its check of the operands
    return x.update(dtype=dtype, weak_type=False)


# Derivatives. `sums` in t and `spread` in (a, b) by themselves; in x and the mean, on which both depend by d alone, by
# what these are made of.


def _sums_jvp(primals: Any, tangents: Any, *, axes: Axes) -> Any:
    t, x, mean = primals
    dt, dx, dmean = tangents
    out = sums(t, x, mean, axes)
    total, deviating = (jnp.zeros_like(out[0]),) * 2 if type(dt) is ad.Zero else sums(dt, x, mean, axes)
    if type(dx) is not ad.Zero:
        deviating = deviating + (t.astype(mean.dtype) * dx.astype(mean.dtype)).sum(axes, keepdims=True)
    if type(dmean) is not ad.Zero:
        deviating = deviating - out[0] * dmean
    return out, (total, deviating)


def _sums_transpose(cotangents: Any, t: Any, x: Any, mean: Any, *, axes: Axes) -> Any:
    total, deviating = map(ad.instantiate_zeros, cotangents)
    return spread(deviating, total, x, mean, axes, t.aval.dtype), None, None


def _spread_jvp(primals: Any, tangents: Any, *, axes: Axes, dtype: Any) -> Any:
    a, b, x, mean = primals
    da, db, dx, dmean = (None if type(each) is ad.Zero else each for each in tangents)
    out = spread(a, b, x, mean, axes, dtype)
    if dmean is not None:
        db = -a * dmean if db is None else db - a * dmean
    parts = []
    if da is not None or db is not None:
        zero = jnp.zeros_like(a)
        parts.append(spread(zero if da is None else da, zero if db is None else db, x, mean, axes, dtype))
    if dx is not None:
        parts.append((a * dx.astype(a.dtype)).astype(dtype))
    return out, sum(parts[1:], start=parts[0])


def _spread_transpose(cotangent: Any, a: Any, b: Any, x: Any, mean: Any, *, axes: Axes, dtype: Any) -> Any:
    total, deviating = sums(cotangent, x, mean, axes)
    return (
        deviating if ad.is_undefined_primal(a) else None,
        total if ad.is_undefined_primal(b) else None,
        None,
        None,
    )


ad.primitive_jvps[sums_p] = _sums_jvp
ad.primitive_transposes[sums_p] = _sums_transpose
ad.primitive_jvps[spread_p] = _spread_jvp
ad.primitive_transposes[spread_p] = _spread_transpose


# Batching: one more axis in front, over which nothing is summed.


def _batched(bind: Any, operands: Any, dims: Any, *, axes: Axes, **how: Any) -> Any:
    size = next(each.shape[at] for each, at in zip(operands, dims, strict=True) if at is not None)
    front = [
        jnp.broadcast_to(each[None], (size, *each.shape)) if at is None else jnp.moveaxis(each, at, 0)
        for each, at in zip(operands, dims, strict=True)
    ]
    out = bind(*front, axes=tuple(axis + 1 for axis in axes), **how)
    return out, (0, 0) if bind is sums else 0


batching.primitive_batchers[apart_p] = lambda arrays, dims: (apart_p.bind(*arrays), dims)
batching.primitive_batchers[sums_p] = partial(_batched, sums)
batching.primitive_batchers[spread_p] = partial(_batched, spread)

# The lowerings. Other platforms fuse a subtraction into whatever needs it.

apart_p.def_impl(lambda *arrays: list(arrays))
sums_p.def_impl(jax.jit(_sums, static_argnames="axes"))
spread_p.def_impl(jax.jit(_spread, static_argnames=("axes", "dtype")))
mlir.register_lowering(apart_p, lambda context, *arrays: arrays)
mlir.register_lowering(
    apart_p, mlir.lower_fun(lambda *arrays: lax.optimization_barrier(arrays), multiple_results=True), platform="cpu"
)
mlir.register_lowering(sums_p, mlir.lower_fun(_sums, multiple_results=True))
mlir.register_lowering(spread_p, mlir.lower_fun(_spread, multiple_results=False))

"""The dense, fully connected map of the last axis."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from jaxnets.ops import check
from jaxnets.ops.kernels import dense as kernel
from jaxnets.ops.kernels import switch
from jaxnets.ops.precision import widen_narrow


def dense(x: jax.Array, w: jax.Array, b: jax.Array | None = None) -> jax.Array:
    """An affine map of the last axis: `y[..., k] = b[k] + Σ_d x[..., d] w[d, k]`.

    Shapes: x (..., D), w (D, K), b (K,) → (..., K). Raises `ValueError` where D does not match and `TypeError` for
    mixed dtypes; integers wrap round on overflow. Gradient: to x by the transposed matrix, to w by `xᵀ dy` over all
    other axes, to b by a sum. Cost: D * K multiply-adds a row, one matrix product. Rosenblatt, 1958,
    https://doi.org/10.1037/h0042519.

    >>> import jax.numpy as jnp
    >>> dense(jnp.array([1., 2.]), jnp.array([[1., 0.], [1., 10.]]), jnp.array([0.5, 0.]))
    Array([ 3.5, 20. ], dtype=float32)
    """
    op = "dense"
    x, w = check.array(op, x), check.array(op, w, "w")
    check.same_dtype(op, x, w, "w")
    if w.ndim != 2:
        raise ValueError(f"{op}: w has shape {w.shape}, rank {w.ndim}; pass (D, K), features in and features out")
    if x.ndim < 1 or x.shape[-1] != w.shape[0]:
        raise ValueError(
            f"{op}: x {x.shape} does not fit w {w.shape}; the last axis of x must have the {w.shape[0]} features of "
            f"w's first"
        )
    y = jnp.tensordot(x, w, axes=1) if switch.asked() == "lax" else kernel.product(x, w)
    if b is None:
        return y
    b = check.vector(op, b, w.shape[1], y, "b").reshape((1,) * (y.ndim - 1) + (-1,))
    # In float32 at least: the gradient of b is a sum over all rows, which bfloat16 would lose.
    return (widen_narrow(y) + widen_narrow(b)).astype(y.dtype)

"""Padding of the spatial axes: zeros, reflected, replicated or wrapped round, one mode per axis if wanted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from jaxnets.ops import check
from jaxnets.ops.precision import widen_narrow

MODES = ("zeros", "reflect", "replicate", "circular")


def modes_per_axis(op: str, mode: Any, rank: int) -> tuple[str, ...]:
    """`mode`, one name or one per spatial axis, as a tuple of `rank` known names."""
    modes = (mode,) * rank if isinstance(mode, str) else tuple(mode)
    if len(modes) != rank or any(m not in MODES for m in modes):
        raise ValueError(
            f"{op}: padding_mode is {mode!r}; pass one of {', '.join(MODES)}, or one for each of the {rank} "
            f"spatial axes"
        )
    return modes


def _sides(op: str, x: jax.Array, axis: int, low: int, high: int, mode: str) -> tuple[jax.Array, jax.Array]:
    """What to put before and after `x` on `axis`."""
    n = x.shape[axis]
    most = {"zeros": None, "replicate": None, "reflect": n - 1, "circular": n}[mode]
    if most is not None and max(low, high) > most:
        raise ValueError(
            f"{op}: padding ({low}, {high}) on spatial axis {axis - 1} is more than {mode!r} can take from {n} "
            f"elements (at most {most}); use less padding or another padding_mode"
        )
    if n == 0 and mode == "replicate":
        raise ValueError(f"{op}: spatial axis {axis - 1} is empty, so there is no edge to replicate")

    def part(start: int, stop: int) -> jax.Array:
        return lax.slice_in_dim(x, start, stop, axis=axis)

    def filled(edge: jax.Array | None, count: int) -> jax.Array:
        shape = (*x.shape[:axis], count, *x.shape[axis + 1 :])
        return jnp.zeros(shape, x.dtype) if edge is None else jnp.broadcast_to(edge, shape)

    if mode == "zeros":
        return filled(None, low), filled(None, high)
    if mode == "replicate":
        return filled(part(0, 1), low), filled(part(n - 1, n), high)
    if mode == "reflect":
        return lax.rev(part(1, low + 1), (axis,)), lax.rev(part(n - 1 - high, n - 1), (axis,))
    return part(n - low, n), part(0, high)


def pad(
    x: jax.Array, pads: Sequence[tuple[int, int]], mode: str | Sequence[str] = "zeros", *, op: str = "pad"
) -> jax.Array:
    """Pad the spatial axes: (N, H, W, C) → (N, low + H + high, low + W + high, C).

    `pads` holds one (low, high) pair per spatial axis; `mode` is `"zeros"`, `"reflect"` (the edge element not
    repeated), `"replicate"` (the edge element repeated) or `"circular"`, or one of them per axis. Axes are padded
    in order, so corners of mixed modes come from the later axis' rule applied to the earlier one's result.
    Raises `ValueError` for an unknown mode, and where `"reflect"` or `"circular"` want more elements than there are;
    the error names `op`, for callers that pad on someone's behalf.
    The gradient of a copied element goes back to the element it copies. Cost: one copy.

    >>> import jax.numpy as jnp
    >>> pad(jnp.arange(1., 4.).reshape(1, 3, 1), [(2, 1)], "reflect").ravel()
    Array([3., 2., 1., 2., 3., 2.], dtype=float32)
    """
    x = check.images(op, x)
    rank = x.ndim - 2
    modes = modes_per_axis(op, mode, rank)
    dtype = x.dtype
    if any(m != "zeros" for m in modes):
        x = widen_narrow(x)  # the gradients of an element's copies are added up: in float32 at least
    if len(pads) != rank:
        raise ValueError(f"{op}: pads is {pads!r}; pass one (low, high) pair for each of the {rank} spatial axes")
    for axis, ((low, high), how) in enumerate(zip(pads, modes, strict=True), start=1):
        check.whole(op, low, f"pads[{axis - 1}]", 0)
        check.whole(op, high, f"pads[{axis - 1}]", 0)
        if low or high:
            # Concatenation, not lax.pad: the gradient of lax.pad is a pad with negative amounts, which XLA can
            # fold wrongly into a following window (openxla/xla issue 48715); the gradient of concatenation is slices.
            before, after = _sides(op, x, axis, low, high, how)
            x = lax.concatenate([before, x, after], axis)
    return x.astype(dtype)

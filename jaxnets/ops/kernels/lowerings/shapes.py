"""The arithmetic that lowerings share: padding and cropping, taps as slices, axes one by one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxnets.ops.geometry import Window, extent


def axes(window: Window) -> Iterator[tuple[int, int, int, int, tuple[int, int], int]]:
    """Per spatial axis: elements, size, stride, dilation, padding (low, high), outputs."""
    return zip(window.spatial, window.size, window.stride, window.dilation, window.full_pads, window.out, strict=True)


def reach(window: Window) -> list[int]:
    """How many padded elements the windows reach over, per axis."""
    return [(o - 1) * s + extent(k, d) for _, k, s, d, _, o in axes(window)]


def resized(x: jax.Array, pads: Sequence[tuple[int, int]], first: int = 1) -> jax.Array:
    """Zeros added on the axes from `first` on, or elements taken away where an amount is negative."""
    starts, stops, grown = [0] * x.ndim, list(x.shape), [(0, 0, 0)] * x.ndim
    for axis, (low, high) in enumerate(pads, start=first):
        n = x.shape[axis]
        start = min(max(-low, 0), n)
        stop = max(min(n + high, n), start)
        before = max(low, 0) if stop > start else n + low + high  # nothing left: zeros alone
        starts[axis], stops[axis] = start, stop
        grown[axis] = (before, n + low + high - (stop - start) - before, 0)
    x = lax.slice(x, starts, stops)
    return x if all(g == (0, 0, 0) for g in grown) else lax.pad(x, np.zeros((), x.dtype), grown)


def zeros(shape: Sequence[int], like: jax.Array) -> jax.Array:
    """Zeros of this shape and the dtype of `like`, which vary over the axes of a `jax.shard_map` as that does: a loop
    must begin with what it goes on with."""
    return lax.full_like(like, 0, shape=tuple(shape))


def padded(x: jax.Array, window: Window) -> jax.Array:
    """x (N, *spatial, C) with the padding written out and what no window reaches cut off: (N, *reach, C)."""
    return resized(x, exact_pads(window))


def exact_pads(window: Window) -> list[tuple[int, int]]:
    """The padding up to exactly where the last window ends, negative where it ends before the last element."""
    return [(low, r - n - low) for r, (n, _, _, _, (low, _), _) in zip(reach(window), axes(window), strict=True)]


def within_reach(x: jax.Array, window: Window) -> tuple[jax.Array, list[tuple[int, int]]]:
    """x, and the padding left to the convolution: between 0 and extent - 1 on each side, the rest written out here."""
    most = [extent(k, d) - 1 for k, d in zip(window.size, window.dilation, strict=True)]
    asked = exact_pads(window)
    kept = [(min(max(low, 0), m), min(max(high, 0), m)) for (low, high), m in zip(asked, most, strict=True)]
    written = [(low - a, high - b) for (low, high), (a, b) in zip(asked, kept, strict=True)]
    return resized(x, written), kept


def tap(xp: jax.Array, window: Window, at: Sequence[int], first: int = 1) -> jax.Array:
    """The elements of padded x that tap `at` of every window lies on: (N, *out, C).

    A tap of the leading spatial axes alone leaves the others whole.
    """
    starts, stops, strides = [0] * xp.ndim, list(xp.shape), [1] * xp.ndim
    for axis, (t, s, d, o) in enumerate(zip(at, window.stride, window.dilation, window.out, strict=False), start=first):
        starts[axis], stops[axis], strides[axis] = t * d, t * d + (o - 1) * s + 1, s
    return lax.slice(xp, starts, stops, strides)


def taps(window: Window) -> Iterator[tuple[int, ...]]:
    """The taps of a window in row-major order."""
    return np.ndindex(*window.size)


# Loops and the pieces they take. JAX's own count twice and allow for negative positions, for which XLA has to find out
# that there are none: in a large network that is much of what it compiles.


def loop(count: int, step: Callable[[jax.Array, Any], Any], start: Any) -> Any:
    """`step(i, carry)` for i in 0 … count - 1, i an int32."""

    def turn(carry: tuple[jax.Array, Any]) -> tuple[jax.Array, Any]:
        index, inner = carry
        return index + np.int32(1), step(index, inner)

    return lax.while_loop(lambda carry: carry[0] < np.int32(count), turn, (jnp.int32(0), start))[1]


def cut(x: jax.Array, starts: Sequence[Any], sizes: Sequence[int]) -> jax.Array:
    """The block of x of these sizes that begins there, wholly inside."""
    return lax.dynamic_slice(x, starts, sizes, allow_negative_indices=False)


def some(x: jax.Array, start: jax.Array, count: int, axis: int = 0) -> jax.Array:
    """`count` elements of an axis from `start` on."""
    return lax.dynamic_slice_in_dim(x, start, count, axis, allow_negative_indices=False)


def put(x: jax.Array, part: jax.Array, start: jax.Array, axis: int = 0) -> jax.Array:
    """x with `part` in place of its elements of an axis from `start` on."""
    return lax.dynamic_update_slice_in_dim(x, part, start, axis, allow_negative_indices=False)


def rows(x: jax.Array) -> jax.Array:
    """(..., C) as a matrix."""
    return jnp.reshape(x, (-1, x.shape[-1]))

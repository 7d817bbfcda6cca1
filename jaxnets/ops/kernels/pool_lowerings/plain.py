"""Pools as plain `lax` has them: `reduce_window`, and what JAX's own derivatives of it are made of."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxnets.ops.geometry import Window
from jaxnets.ops.kernels.pool_lowerings.gathered import put, take
from jaxnets.ops.kernels.pool_problem import PoolProblem, lowest

_NOWHERE = np.iinfo(np.int32).max


def fits(problem: PoolProblem) -> bool:
    """Everything."""
    return True


def run(problem: PoolProblem, *operands: jax.Array) -> jax.Array:
    """What one would write with `lax`, or what `jax.grad` makes of that."""
    forms: dict[str, Callable[..., jax.Array]]
    forms = {"value": _value, "tap": _tap, "pick": _pick, "spread": _spread}
    if problem.selects:
        return forms[problem.form](problem, *operands)
    (given,) = (operand.astype(problem.sum_dtype) for operand in operands)
    y = _total(problem, given) if problem.form == "value" else _returned(problem, given)
    return y.astype(problem.dtype)


def reduce(operands: Any, inits: Any, computation: Any, window: Window) -> Any:
    """`lax.reduce_window` over the spatial axes of one array, or of a tuple of arrays."""
    if 1 in window.size:  # where XLA on CPU would fold elements inserted by the caller into the window, wrongly
        operands = lax.optimization_barrier(operands)
    return lax.reduce_window(
        operands,
        inits,
        computation,
        (1, *window.size, 1),
        (1, *window.stride, 1),
        ((0, 0), *window.full_pads, (0, 0)),
        window_dilation=(1, *window.dilation, 1),
    )


def _value(problem: PoolProblem, x: jax.Array) -> jax.Array:
    bound = lax.max if problem.kind == "max" else lax.min
    return reduce(x, lowest(x.dtype, problem.kind), bound, problem.window)


def _shares(problem: PoolProblem) -> np.ndarray | None:
    """1 / count of each window, shaped as one image of one channel; None for a sum."""
    if problem.kind == "sum":
        return None
    product = np.ones(())
    for each in problem.window.real_taps(problem.kind == "padded_mean"):
        product = np.multiply.outer(product, each)
    return (1 / np.maximum(product, 1)).astype(problem.sum_dtype)[None, ..., None]


def _total(problem: PoolProblem, x: jax.Array) -> jax.Array:
    y, shares = reduce(x, np.zeros((), x.dtype), lax.add, problem.window), _shares(problem)
    return y if shares is None else y * jnp.asarray(shares)


def _returned(problem: PoolProblem, dy: jax.Array) -> jax.Array:
    """Zeros between the outputs, then sums at stride 1: JAX's gradient of a window sum."""
    window, shares = problem.window, _shares(problem)
    dy = dy if shares is None else dy * jnp.asarray(shares)
    amounts, pads = [(0, 0, 0)], [(0, 0)]
    for n, k, s, d, (low, _), out in _axes(window):
        reach, extent = (out - 1) * s + 1, (k - 1) * d + 1
        amounts.append((0, 0, s - 1))
        pads.append((extent - 1 - low, n + low - reach))
    inserted = lax.pad(dy, np.zeros((), dy.dtype), [*amounts, (0, 0, 0)])
    if set(window.stride) != {1} or min(min(pair) for pair in pads) < 0:
        # Kept apart, or XLA on CPU folds the zeros into the window as its base dilation, wrongly (openxla/xla 48714).
        inserted = lax.optimization_barrier(
            lax.pad(inserted, np.zeros((), dy.dtype), [(*p, 0) for p in [*pads, (0, 0)]])
        )
        pads = [(0, 0)] * len(pads)
    ones = (1,) * inserted.ndim
    size, dilation = (1, *window.size, 1), (1, *window.dilation, 1)
    return lax.reduce_window(inserted, np.zeros((), dy.dtype), lax.add, size, ones, [*pads, (0, 0)], None, dilation)


def _axes(window: Window) -> Any:
    full = window.full_pads
    return zip(window.spatial, window.size, window.stride, window.dilation, full, window.out, strict=True)


def _tap(problem: PoolProblem, x: jax.Array) -> jax.Array:
    """The position of each extremum by a reduction of pairs, then its tap."""
    window, kind = problem.window, problem.kind
    positions = jnp.arange(prod(window.spatial), dtype=jnp.int32).reshape(1, *window.spatial, 1)
    better = lax.gt if kind == "max" else lax.lt

    def first_best(a, b):  # type: ignore[no-untyped-def]
        (value_a, at_a), (value_b, at_b) = a, b
        nan_a, nan_b = value_a != value_a, value_b != value_b
        wins = better(value_a, value_b) & ~nan_b | nan_a & ~nan_b
        ties = (value_a == value_b) | (nan_a & nan_b)
        take_a = wins | ties & (at_a < at_b)
        return lax.select(take_a, value_a, value_b), lax.select(take_a, at_a, at_b)

    inits = (lowest(x.dtype, kind), np.asarray(_NOWHERE, np.int32))  # padding loses every tie
    _, at = reduce((x, jnp.broadcast_to(positions, x.shape)), inits, first_best, window)
    return taps_of(at, problem)


def taps_of(positions: jax.Array, problem: PoolProblem) -> jax.Array:
    """Flat positions in the unpadded spatial axes as numbers of taps; what is no position is no tap."""
    tap, pitch = jnp.zeros_like(positions), problem.taps
    for axis, (coordinate, starts) in enumerate(_grid(positions, problem.window)):
        pitch //= problem.window.size[axis]
        tap += (coordinate - starts) // problem.window.dilation[axis] * pitch
    nowhere = jnp.full_like(tap, problem.taps)
    return jnp.where(positions == _NOWHERE, nowhere, tap).astype(problem.tap_dtype)


def positions_of(taps: jax.Array, problem: PoolProblem) -> jax.Array:
    """The inverse, int32; meaningless where there is no tap."""
    window, rest, flat = problem.window, taps.astype(jnp.int32), jnp.zeros(taps.shape, jnp.int32)
    pitch = problem.taps
    for axis, n in enumerate(window.spatial):
        pitch //= window.size[axis]
        flat = flat * n + starts(window, axis) + rest // pitch * window.dilation[axis]
        rest = rest % pitch
    return flat


def starts(window: Window, axis: int) -> jax.Array:
    """Where each window begins along an axis, shaped to broadcast against (N, *out, C)."""
    low, out = window.full_pads[axis][0], window.out[axis]
    first = jnp.arange(out, dtype=jnp.int32) * window.stride[axis] - low
    return first.reshape([out if a == axis + 1 else 1 for a in range(window.rank + 2)])


def _grid(positions: jax.Array, window: Window) -> list[tuple[jax.Array, jax.Array]]:
    """Per axis, the coordinate of flat positions and where the windows begin."""
    pairs, rest = [], positions
    for axis in reversed(range(window.rank)):
        pairs.append((rest % window.spatial[axis], starts(window, axis)))
        rest = rest // window.spatial[axis]
    return pairs[::-1]


def _differentiable(problem: PoolProblem) -> bool:
    """Whether JAX differentiates this: it has no rule for dilated windows, and none for integers."""
    return set(problem.window.dilation) == {1} and jnp.issubdtype(problem.dtype, jnp.floating)


def _pick(problem: PoolProblem, x: jax.Array, tap: jax.Array, t: jax.Array) -> jax.Array:
    # Of ties in three dimensions XLA does not take the first: its tangent is not what its gradient is the transpose of.
    if not _differentiable(problem) or problem.window.rank > 2:
        nowhere = tap == problem.taps
        y = take(t, jnp.where(nowhere, jnp.zeros_like(tap, jnp.int32), positions_of(tap, problem)))
        return jnp.where(nowhere, jnp.zeros_like(y), y)
    return jax.jvp(lambda x: _value(problem, x), (x,), (t,))[1]


def _spread(problem: PoolProblem, x: jax.Array, tap: jax.Array, dy: jax.Array) -> jax.Array:
    x, dy = x.astype(problem.sum_dtype), dy.astype(problem.sum_dtype)
    if not _differentiable(problem):
        dy = jnp.where(tap == problem.taps, jnp.zeros_like(dy), dy)
        return put(dy, positions_of(tap, problem), problem.window.spatial).astype(problem.dtype)
    return jax.vjp(lambda x: _value(problem, x), x)[1](dy)[0].astype(problem.dtype)

"""One axis after the other, a long window in two passes: few taps each time, at the price of arrays in between."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import jax
import numpy as np
from jax import lax

from jaxnets.ops.kernels.alone import alone
from jaxnets.ops.kernels.pool_lowerings import along, counts, passes, steps
from jaxnets.ops.kernels.pool_lowerings.passes import Pass
from jaxnets.ops.kernels.pool_problem import PoolProblem


def _passes(problem: PoolProblem) -> tuple[Pass, ...]:
    return passes.of(problem.window, problem.selects)


def fits(problem: PoolProblem) -> bool:
    """More passes than one, few enough taps in each to be written out, and positions to be tabled."""
    each = [step.axis for step in _passes(problem)]
    return len(each) > 1 and all(axis.size <= passes.MOST_TAPS and axis.table <= along.LARGEST for axis in each)


def run(problem: PoolProblem, *operands: jax.Array) -> jax.Array:
    """The passes one by one; for a gradient their transposes, the last first."""
    if problem.form == "tap":
        return _tap(problem, *operands)
    if problem.selects:
        forms: dict[str, Callable[..., jax.Array]] = {"value": _extremum, "pick": _pick, "spread": _spread}
        return forms[problem.form](problem, *operands)
    return _total(problem, *operands) if problem.form == "value" else _returned(problem, *operands)


def _alone(problem: PoolProblem, body: Callable[..., jax.Array], *operands: jax.Array) -> jax.Array:
    return alone(f"{problem.member}_axes", body, *operands)


def _extremum(problem: PoolProblem, x: jax.Array) -> jax.Array:
    for each in _passes(problem):
        x = _alone(problem, partial(passes.extremum, each.axis, problem.kind), x)
    return x


def _tap(problem: PoolProblem, x: jax.Array) -> jax.Array:
    *earlier, last = _passes(problem)
    tap: tuple[jax.Array, ...] = ()
    for each in earlier:
        tap = (_alone(problem, partial(_chosen, problem, each), x, *tap),)
        x = _alone(problem, partial(passes.extremum, each.axis, problem.kind), x)
    return _alone(problem, partial(_last_chosen, problem, last), x, *tap)


def _chosen(problem: PoolProblem, each: Pass, x: jax.Array, *before: jax.Array) -> jax.Array:
    return passes.chosen(each.axis, problem.kind, each.unit, 0, problem.tap_dtype, x, *before)


def _last_chosen(problem: PoolProblem, each: Pass, x: jax.Array, *before: jax.Array) -> jax.Array:
    tap = _chosen(problem, each, x, *before)
    return steps.where(steps.alive(along.axes(problem.window), tap.shape), tap, problem.taps)


def _choices(problem: PoolProblem, x: jax.Array, tap: jax.Array) -> list[tuple[Pass, int, jax.Array]]:
    """What each pass chose, with the unit it is given in: read off the taps for the last pass, if it can be, and found
    again for the others."""
    every, found = _passes(problem), []
    for each in every:
        if each is every[-1] and each.whole:
            found.append((each, each.unit, tap))
            break
        axis = each.axis
        narrow = np.dtype(np.uint8 if 2 * axis.size < 1 << 8 else np.int32)
        body = partial(passes.chosen, axis, problem.kind, 1, axis.size, narrow)
        found.append((each, 1, _alone(problem, body, x)))
        if each is not every[-1]:
            x = _alone(problem, partial(passes.extremum, axis, problem.kind), x)
    return found


def _pick(problem: PoolProblem, x: jax.Array, tap: jax.Array, t: jax.Array) -> jax.Array:
    for each, unit, choice in _choices(problem, x, tap):
        t = _alone(problem, partial(passes.picked, each.axis, unit), choice, t)
    return t


def _spread(problem: PoolProblem, x: jax.Array, tap: jax.Array, dy: jax.Array) -> jax.Array:
    chosen = _choices(problem, x, tap)
    for each, unit, choice in reversed(chosen):
        dtypes = (problem.sum_dtype, problem.dtype if each is chosen[0][0] else problem.sum_dtype)
        dy = _alone(problem, partial(passes.spread, each.axis, unit, dtypes), choice, dy)
    return dy


def _total(problem: PoolProblem, x: jax.Array) -> jax.Array:
    *earlier, last = _passes(problem)
    for each in earlier:
        x = _alone(problem, partial(passes.total, each.axis, problem.sum_dtype), x)

    def mean(x: jax.Array) -> jax.Array:
        y = counts.shared(passes.total(last.axis, problem.sum_dtype, x), counts.per_axis(problem))
        return lax.convert_element_type(y, problem.dtype)

    return _alone(problem, mean, x)


def _returned(problem: PoolProblem, dy: jax.Array) -> jax.Array:
    every = _passes(problem)
    for each in reversed(every):
        dtypes = (problem.sum_dtype, problem.dtype if each is every[0] else problem.sum_dtype)
        shares = partial(_shares, problem, each.axis.axis) if each is every[-1] else _as_it_is
        dy = _alone(problem, partial(passes.returned, each.axis, dtypes, shares), dy)
    return dy


def _as_it_is(dy: jax.Array, windows: np.ndarray) -> jax.Array:
    return dy


def _shares(problem: PoolProblem, axis: int, dy: jax.Array, windows: np.ndarray) -> jax.Array:
    """The share of one element in the windows with these numbers along `axis`, and all there are along the others."""
    per_axis = counts.per_axis(problem)
    per_axis[axis - 1] = per_axis[axis - 1][windows]
    return counts.shared(dy, per_axis)

"""All the taps in one loop: elements are read where they lie, however windows overlap, and padding is never stored."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import product

import jax
import numpy as np
from jax import lax

from jaxnets.ops.kernels.alone import alone
from jaxnets.ops.kernels.pool_lowerings import along, counts, steps
from jaxnets.ops.kernels.pool_lowerings.along import Axis, Source, Tap
from jaxnets.ops.kernels.pool_problem import PoolProblem, lowest

_MOST_TAPS = 64


def fits(problem: PoolProblem) -> bool:
    """Few enough taps to be written out, and positions to be tabled."""
    return problem.taps <= _MOST_TAPS and all(axis.table <= along.LARGEST for axis in along.axes(problem.window))


def run(problem: PoolProblem, *operands: jax.Array) -> jax.Array:
    """One loop over the results. Where taps are given, x is not needed."""
    forms: dict[str, Callable[..., jax.Array]]
    forms = {"value": _value, "tap": _tap, "pick": _pick, "spread": _spread if problem.selects else _returned}
    given = operands[-2:] if len(operands) == 3 else operands
    return alone(f"{problem.member}_shifts", partial(forms[problem.form], problem), *given)


def _under(x: jax.Array, axes: Sequence[Axis]) -> Iterator[tuple[tuple[Tap, ...], jax.Array]]:
    """The elements under each tap of all the windows, in row-major order of the taps."""
    if not axes:
        yield (), x
        return
    first, *rest = axes
    for tap in first.taps():
        for more, elements in _under(steps.elements(x, tap.at, first.axis), rest):
            yield (tap, *more), elements


def _value(problem: PoolProblem, x: jax.Array) -> jax.Array:
    axes = along.axes(problem.window)
    if problem.selects:
        y = steps.extreme([elements for _, elements in _under(x, axes)], problem.kind)
        return steps.where(steps.alive(axes, y.shape), y, lowest(y.dtype, problem.kind))
    terms = []
    for taps, elements in _under(x, axes):
        real = steps.every([(tap.real, axis.axis) for tap, axis in zip(taps, axes, strict=True)], elements.shape)
        terms.append(steps.where(real, lax.convert_element_type(elements, problem.sum_dtype), 0))
    return lax.convert_element_type(counts.shared(steps.added(terms), counts.per_axis(problem)), problem.dtype)


def _pitches(problem: PoolProblem) -> list[int]:
    """How much a tap along each axis counts in the number of a tap."""
    size = problem.window.size
    return [int(np.prod(size[axis + 1 :])) for axis in range(len(size))]


def _tap(problem: PoolProblem, x: jax.Array) -> jax.Array:
    axes, pitches = along.axes(problem.window), _pitches(problem)
    best = chosen = None
    for taps, elements in _under(x, axes):
        numbers = [
            steps.along(tap.number * pitch, elements.shape, axis.axis, problem.tap_dtype)
            for axis, pitch, tap in zip(axes, pitches, taps, strict=True)
        ]
        number = steps.added(numbers)
        if best is None or chosen is None:
            best, chosen = elements, number
            continue
        wins = steps.better(elements, best, problem.kind)
        best, chosen = lax.select(wins, elements, best), lax.select(wins, number, chosen)
    assert chosen is not None
    return steps.where(steps.alive(axes, chosen.shape), chosen, problem.taps)


def _pick(problem: PoolProblem, tap: jax.Array, t: jax.Array) -> jax.Array:
    axes, pitches = along.axes(problem.window), _pitches(problem)
    y = lax.full(problem.y_shape, np.asarray(0, problem.dtype))
    for taps, elements in _under(t, axes):
        # A tap that is real for some window is its own nearest there.
        number = sum(int(each.number[each.real.argmax()]) * pitch for each, pitch in zip(taps, pitches, strict=True))
        y = lax.select(lax.eq(tap, lax.full_like(tap, number)), elements, y)
    return y


def _sources(problem: PoolProblem) -> Iterator[tuple[tuple[Axis, Source], ...]]:
    """Every combination of windows that lie on an element."""
    axes = along.axes(problem.window)
    for combination in product(*(axis.sources() for axis in axes)):
        yield tuple(zip(axes, combination, strict=True))


def _of_sources(part: jax.Array, sources: Sequence[tuple[Axis, Source]]) -> jax.Array:
    for axis, source in sources:
        part = steps.elements(part, source.at, axis.axis)
    return part


def _spread(problem: PoolProblem, tap: jax.Array, dy: jax.Array) -> jax.Array:
    """Each element asks every window that lies on it whether this was its tap."""
    terms, pitches = [], _pitches(problem)
    for sources in _sources(problem):
        numbers = [
            # Where no window lies on it, a number that is no tap's, whatever the other axes add.
            steps.along(
                np.where(source.real, source.tap * pitch, problem.taps), problem.x_shape, axis.axis, problem.tap_dtype
            )
            for pitch, (axis, source) in zip(pitches, sources, strict=True)
        ]
        mine = lax.eq(_of_sources(tap, sources), steps.added(numbers))
        given = lax.convert_element_type(_of_sources(dy, sources), problem.sum_dtype)
        terms.append(steps.where(mine, given, 0))
    return lax.convert_element_type(steps.added(terms), problem.dtype)


def _returned(problem: PoolProblem, dy: jax.Array) -> jax.Array:
    """Each element adds up the windows that lie on it."""
    terms, per_axis = [], counts.per_axis(problem)
    one = counts.uniform(per_axis)
    for sources in _sources(problem):
        given = lax.convert_element_type(_of_sources(dy, sources), problem.sum_dtype)
        if one is None:
            own = [count[source.at] for count, (_, source) in zip(per_axis, sources, strict=True)]
            given = counts.shared(given, own)
        terms.append(steps.where(steps.every([(s.real, axis.axis) for axis, s in sources], given.shape), given, 0))
    total = steps.added(terms)
    return lax.convert_element_type(total if one is None else steps.scaled(total, one), problem.dtype)

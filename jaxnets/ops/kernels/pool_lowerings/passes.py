"""A pool as passes along one axis each: which they are, and the four loops that a pass can be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from itertools import product
from math import gcd
from typing import Any, NamedTuple

import jax
import numpy as np
from jax import lax

from jaxnets.ops.geometry import Window
from jaxnets.ops.kernels.pool_lowerings import along, steps
from jaxnets.ops.kernels.pool_lowerings.along import Axis, Tap
from jaxnets.ops.kernels.pool_problem import lowest

MOST_TAPS = 64  # of a pass, that can be written out
_LONG = 8  # taps along an axis from which two passes may pay


class Pass(NamedTuple):
    """Windows along one axis, and how much a tap of theirs counts in the number of a tap of the whole window."""

    axis: Axis
    unit: int
    whole: bool  # whether it is all there is along this axis


@lru_cache(maxsize=4096)
def of(window: Window, overlapping: bool) -> tuple[Pass, ...]:
    """The passes, those of the last axis first, so that of equal maxima the first in row-major order is found.

    A long window is joined from shorter ones in a second pass; they may be `overlapping`, save where they are summed.
    """
    found, unit = [], 1
    for axis in reversed(along.axes(window)):
        if axis.size > 1 or axis.stride > 1 or axis.low or axis.n != axis.out:
            found += _steps(axis, unit, overlapping)
        unit *= axis.size
    return tuple(found)


def _steps(axis: Axis, unit: int, overlapping: bool) -> list[Pass]:
    split = _split(axis, overlapping) if axis.size >= _LONG and axis.dilation == 1 else None
    if split is None:
        return [Pass(axis, unit, True)]
    w, q, g = split
    first = replace(axis, size=w, stride=gcd(axis.stride, g), out=_inner(axis, w, g))
    (some,) = np.nonzero(first.alive())
    live = (int(some[0]), int(some[-1]))
    stride, dilation = axis.stride // first.stride, g // first.stride
    second = Axis(axis.axis, first.out, q, stride, dilation, 0, axis.out, live)
    return [Pass(first, unit, False), Pass(second, unit * g, False)]


def _inner(axis: Axis, w: int, g: int) -> int:
    """How many of the shorter windows there are."""
    reach = (axis.out - 1) * axis.stride + axis.size
    return (reach - w) // gcd(axis.stride, g) + 1


def _split(axis: Axis, overlapping: bool) -> tuple[int, int, int] | None:
    """A window as q windows of w neighbors, each g after the last: the (w, q, g) of the least work, None where one pass
    is as good."""
    least, found = (axis.size + 2) * axis.out if axis.size <= MOST_TAPS else np.inf, None
    few = range(2, min(axis.size, MOST_TAPS + 1))
    for w, q in product(few, few):
        g, left = divmod(axis.size - w, q - 1)
        if left or not 1 <= g <= w or (g < w and not overlapping):
            continue
        # An array written and read costs about as much as two taps more.
        work = (w + 2) * _inner(axis, w, g) + (q + 2) * axis.out
        if work < least:
            least, found = work, (w, q, g)
    return found


def _under(x: jax.Array, axis: Axis) -> list[tuple[Tap, jax.Array]]:
    return [(tap, steps.elements(x, tap.at, axis.axis)) for tap in axis.taps()]


def extremum(axis: Axis, kind: str, x: jax.Array) -> jax.Array:
    """Each window's extremum."""
    y = steps.extreme([elements for _, elements in _under(x, axis)], kind)
    return steps.where(steps.alive([axis], y.shape), y, lowest(y.dtype, kind))


def total(axis: Axis, dtype: Any, x: jax.Array) -> jax.Array:
    """Each window's sum, in `dtype`."""
    terms = []
    for tap, elements in _under(x, axis):
        real = steps.every([(tap.real, axis.axis)], elements.shape)
        terms.append(steps.where(real, lax.convert_element_type(elements, dtype), 0))
    return steps.added(terms)


def chosen(axis: Axis, kind: str, unit: int, none: int, dtype: Any, x: jax.Array, *before: jax.Array) -> jax.Array:
    """The first tap of each window that holds its extremum, times `unit`, plus what the passes `before` chose there;
    `none` where no tap is real."""
    best = choice = None
    for tap, elements in _under(x, axis):
        number = steps.along(tap.number * unit, elements.shape, axis.axis, dtype)
        number = steps.added([number, *(steps.elements(each, tap.at, axis.axis) for each in before)])
        if best is None or choice is None:
            best, choice = elements, number
            continue
        wins = steps.better(elements, best, kind)
        best, choice = lax.select(wins, elements, best), lax.select(wins, number, choice)
    assert choice is not None
    return steps.where(steps.alive([axis], choice.shape), choice, none)


def _of_unit(choice: jax.Array, unit: int) -> jax.Array:
    return choice if unit == 1 else lax.div(choice, lax.full_like(choice, unit))


def picked(axis: Axis, unit: int, choice: jax.Array, t: jax.Array) -> jax.Array:
    """The elements of t at the chosen taps, 0 where there is none."""
    choice = _of_unit(choice, unit)
    y = lax.full(choice.shape, np.asarray(0, t.dtype))
    for tap, elements in _under(t, axis):
        number = int(tap.number[tap.real.argmax()])  # a tap that is real for some window is its own nearest there
        y = lax.select(lax.eq(choice, lax.full_like(choice, number)), elements, y)
    return y


def spread(axis: Axis, unit: int, dtypes: tuple[Any, Any], choice: jax.Array, dy: jax.Array) -> jax.Array:
    """Each of dy added to the element it was chosen from; summed in the first dtype, given in the second."""
    terms = []
    for source in axis.sources():
        asked, given = (steps.elements(each, source.at, axis.axis) for each in (choice, dy))
        tap = np.where(source.real, source.tap, axis.size)
        mine = lax.eq(_of_unit(asked, unit), steps.along(tap, asked.shape, axis.axis, choice.dtype))
        terms.append(steps.where(mine, lax.convert_element_type(given, dtypes[0]), 0))
    return lax.convert_element_type(steps.added(terms), dtypes[1])


def returned(
    axis: Axis, dtypes: tuple[Any, Any], shares: Callable[[jax.Array, np.ndarray], jax.Array], dy: jax.Array
) -> jax.Array:
    """Each of dy added to every element of its window, times its share: `shares(dy, numbers of the windows)`."""
    terms = []
    for source in axis.sources():
        given = lax.convert_element_type(steps.elements(dy, source.at, axis.axis), dtypes[0])
        given = shares(given, source.at)
        terms.append(steps.where(steps.every([(source.real, axis.axis)], given.shape), given, 0))
    return lax.convert_element_type(steps.added(terms), dtypes[1])

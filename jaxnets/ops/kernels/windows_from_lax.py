"""Windows as JAX writes them, `lax.reduce_window` and the derivatives of it, as our pools.

lax slides a window over any axes; ours slides over the spatial axes of (N, *spatial, C). What lies before the first
axis that is windowed is N and what lies behind the last is C, whatever it means to the caller: no array is transposed
unless more than three axes lie between the two.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxnets.ops.geometry import Window, extent
from jaxnets.ops.kernels import pool
from jaxnets.ops.kernels.from_lax import known_dtype

_MOST_AXES = 3


@dataclass(frozen=True)
class View:
    """An array of any rank seen as (N, *spatial, C), and its windows."""

    shape: tuple[int, ...]
    order: tuple[int, ...]  # of the axes: those of N, the spatial ones, those of C
    first: int  # where the spatial axes begin in that order
    window: Window

    @classmethod
    def of(cls, shape: Sequence[int], params: dict[str, Any]) -> View | None:
        """The view for lax's parameters, None where they ask for what our pools have not: no window at all, windows
        over more than three axes, elements inserted or taken away, or a window larger than what it slides over."""
        size, stride, pads = (tuple(params[n]) for n in ("window_dimensions", "window_strides", "padding"))
        ones = (1,) * len(shape)
        dilation = tuple(params.get("window_dilation", ones))
        if 0 in shape or set(params.get("base_dilation", ones)) - {1} or any(p < 0 for pair in pads for p in pair):
            return None
        slid = [axis for axis in range(len(shape)) if (size[axis], stride[axis], tuple(pads[axis])) != (1, 1, (0, 0))]
        if not 1 <= len(slid) <= _MOST_AXES:
            return None
        if slid[-1] - slid[0] < _MOST_AXES:
            slid = list(range(slid[0], slid[-1] + 1))
        before = [axis for axis in range(slid[-1]) if axis not in slid]
        order = (*before, *slid, *range(slid[-1] + 1, len(shape)))

        def along(values: Sequence[Any]) -> tuple[Any, ...]:
            return tuple(values[axis] for axis in slid)

        spare = [
            n + low + high - extent(k, d) for n, k, d, (low, high) in zip(shape, size, dilation, pads, strict=True)
        ]
        if min(spare) < 0:
            return None
        out = tuple(room // s + 1 for room, s in zip(spare, stride, strict=True))
        none = (0,) * len(slid)
        pairs = tuple((int(low), int(high)) for low, high in along(pads))
        window = Window(along(shape), along(size), along(stride), along(dilation), pairs, none, along(out))
        return cls(tuple(shape), order, len(before), window)

    def extremum(self, name: str, dtype: Any) -> pool.Extremum | None:
        """Which extremum a primitive of this name means here, None where lax keeps it: windows of padding alone."""
        alone = any(0 in count for count in self.window.real_taps())
        return None if alone or not known_dtype(dtype) else _KINDS.get(name)

    def enter(self, x: jax.Array) -> jax.Array:
        """An array in the caller's order as (N, *spatial, C), before or after the windows."""
        if self.order != tuple(range(x.ndim)):
            x = lax.transpose(x, self.order)
        last = self.first + self.window.rank
        shape = x.shape
        return x.reshape(prod(shape[: self.first]), *shape[self.first : last], prod(shape[last:]))

    def leave(self, y: jax.Array) -> jax.Array:
        """The inverse, in either place."""
        last = self.first + self.window.rank
        whole = [self.shape[axis] for axis in self.order]
        y = y.reshape(*whole[: self.first], *y.shape[1:-1], *whole[last:])
        return y if self.order == tuple(range(y.ndim)) else lax.transpose(y, np.argsort(self.order))


Made = Callable[..., jax.Array] | None

# The extremum that a primitive of this name takes or selects.
_KINDS: dict[str, pool.Extremum] = {"max": "max", "ge": "max", "min": "min", "le": "min"}


def extremum(x: Any, params: dict[str, Any], name: str) -> Made:
    """`reduce_window_max` or `reduce_window_min`, of an operand with a shape and a dtype."""
    view = View.of(x.shape, params)
    if view is None or (kind := view.extremum(name, x.dtype)) is None:
        return None
    return lambda x: view.leave(pool.window_extremum(view.enter(x), view.window, kind))


def total(x: Any, params: dict[str, Any]) -> Made:
    """`reduce_window_sum`."""
    view = View.of(x.shape, params)
    if view is None or not known_dtype(x.dtype):
        return None
    return lambda x: view.leave(pool.window_sum(view.enter(x), view.window))


def padded_total(dy: Any, padding: Sequence[tuple[int, int, int]], x: Any, params: dict[str, Any]) -> Made:
    """`reduce_window_sum` of dy padded with zeros: a function of dy, unpadded, for a result like x.

    With zeros between the elements, this is how JAX writes the gradient of a sum over windows. None where it is not.
    """
    size, dilation = params["window_dimensions"], params["window_dilation"]
    if any(tuple(pair) != (0, 0) for pair in params["padding"]) or set(params["base_dilation"]) != {1}:
        return None
    if all(between == 0 for _, _, between in padding):
        return total(dy, {**params, "padding": tuple((low, high) for low, high, _ in padding)})
    pads = []
    for o, n, k, d, (low, high, between) in zip(dy.shape, x.shape, size, dilation, padding, strict=True):
        first = extent(k, d) - 1 - low
        last = (o - 1) * (between + 1) + extent(k, d) - n - first
        if min(low, high, between, first) < 0 or last + between < 0:
            return None
        pads.append((first, max(last, 0)))
    stride = tuple(between + 1 for _, _, between in padding)
    view = View.of(x.shape, {**params, "window_strides": stride, "padding": tuple(pads)})
    if view is None or set(params["window_strides"]) != {1} or not known_dtype(dy.dtype):
        return None
    return lambda dy: view.leave(pool.window_sum_transpose(view.enter(dy), view.window))


def general(x: Any, init: Any, params: dict[str, Any]) -> Made:
    """`reduce_window` with a computation of its own, where that is a maximum, a minimum or a sum.

    `init` is the value it starts from where that is known, else None: a sum must start from 0, as each element of the
    padding counts as one more of it.
    """
    computation = params["jaxpr"]
    if params["consts"] or len(computation.eqns) != 1 or len(computation.invars) != 2:
        return None
    (equation,) = computation.eqns
    if {*map(id, equation.invars)} != {*map(id, computation.invars)} or equation.outvars != computation.outvars:
        return None
    name = equation.primitive.name
    if name == "add" and init is not None and init == 0:
        summed = total(x, params)
        return summed and (lambda x, init: summed(x))
    if name not in ("max", "min"):
        return None
    made, bound = extremum(x, params, name), lax.max if name == "max" else lax.min

    def bounded(x: jax.Array, init: jax.Array) -> jax.Array:
        y = made(x)  # type: ignore[misc]
        return bound(y, jnp.broadcast_to(init, y.shape))

    return made and bounded


def spread(source: Any, x: Any, params: dict[str, Any]) -> Made:
    """`select_and_scatter_add`: each window's value goes to its first extremum, and what meets there is added."""
    view = View.of(x.shape, params)
    if view is None or (kind := view.extremum(params["select_prim"].name, x.dtype)) is None:
        return None
    return lambda source, x: view.leave(pool.window_spread(view.enter(x), view.enter(source), view.window, kind))


def pick(tangents: Any, x: Any, params: dict[str, Any]) -> Made:
    """`select_and_gather_add`: of another array, the element where each window's first extremum is."""
    view = View.of(x.shape, params)
    if view is None or (kind := view.extremum(params["select_prim"].name, x.dtype)) is None:
        return None
    return lambda t, x: view.leave(pool.window_pick(view.enter(x), view.enter(t), view.window, kind))

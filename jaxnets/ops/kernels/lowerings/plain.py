"""XLA's own convolution: as plain `lax` asks for it, and in the order of dimensions that XLA's CPU library takes."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from jaxnets.ops.geometry import extent
from jaxnets.ops.kernels.lowerings import shapes
from jaxnets.ops.kernels.problem import Problem

_LETTERS = {1: "W", 2: "HW", 3: "DHW"}


def numbers(rank: int) -> tuple[str, str, str]:
    """Channels last: NHWC, HWIO, NHWC."""
    spatial = _LETTERS[rank]
    return f"N{spatial}C", f"{spatial}IO", f"N{spatial}C"


def fits(problem: Problem) -> bool:
    """Everything."""
    return True


def run(problem: Problem, a: jax.Array, b: jax.Array, compute: Any) -> jax.Array:
    """What `jax.grad` of `lax.conv_general_dilated` would run, copies batched by `lax`'s own rule."""
    one = {"forward": _forward, "input_gradient": _input_gradient, "weight_gradient": _weight_gradient}[problem.member]
    if problem.copies:
        return jax.vmap(lambda a, b: one(problem, a, b))(a, b)
    return one(problem, a, b)


def _forward(problem: Problem, x: jax.Array, w: jax.Array) -> jax.Array:
    # The high padding may be negative, which crops; low padding beyond extent - 1 is written out, and so is negative
    # one: XLA on CPU computes those wrongly (openxla/xla issue 48713).
    window = problem.window
    pads = list(window.full_pads)  # as asked for, though no window may reach the last element
    if not all(0 <= side < extent(k, d) for _, k, _, d, pair, _ in shapes.axes(window) for side in pair):
        x, pads = shapes.within_reach(x, window)
    return lax.conv_general_dilated(
        x,
        w,
        window_strides=window.stride,
        padding=pads,
        rhs_dilation=window.dilation,
        dimension_numbers=numbers(window.rank),
        feature_group_count=problem.groups,
        precision=problem.precision,
    )


def _input_gradient(problem: Problem, y: jax.Array, w: jax.Array) -> jax.Array:
    """Zeros between the elements, one per stride skipped; then a convolution of stride 1 with the kernel turned."""
    window = problem.window
    pads, crops = [], []
    for n, k, s, d, (low, _), out in shapes.axes(window):
        before, after = extent(k, d) - 1 - low, n + low - ((out - 1) * s + 1)
        # Negative amounts crop; cropping the result instead is the same and keeps clear of the bug named above.
        pads.append((max(before, 0), max(after, 0)))
        crops.append((max(-before, 0), n + max(-before, 0)))
    made: jax.Array = lax.conv_general_dilated(
        y,
        turn(problem, w),
        window_strides=(1,) * window.rank,
        padding=pads,
        lhs_dilation=window.stride,
        rhs_dilation=window.dilation,
        dimension_numbers=numbers(window.rank),
        feature_group_count=problem.groups,
        precision=problem.precision,
    )
    for axis, (start, stop) in enumerate(crops, start=1):
        made = lax.slice_in_dim(made, start, stop, axis=axis)
    return made


def turn(problem: Problem, w: jax.Array) -> jax.Array:
    """The kernel of the adjoint: turned round, each group's channels and filters exchanged."""
    *size, per_group, filters = w.shape
    groups = problem.groups
    turned = lax.rev(w, tuple(range(len(size)))).reshape(*size, per_group, groups, filters // groups)
    return turned.swapaxes(-3, -1).reshape(*size, filters // groups, groups * per_group)


def _weight_gradient(problem: Problem, x: jax.Array, y: jax.Array) -> jax.Array:
    window = problem.window
    x, pads = shapes.within_reach(x, window)
    letters = _LETTERS[window.rank]
    return lax.conv_general_dilated(
        x,
        y,
        window_strides=window.dilation,
        padding=pads,
        rhs_dilation=window.stride,
        dimension_numbers=(f"C{letters}N", f"I{letters}O", f"{letters}NC"),
        batch_group_count=problem.groups,
        precision=problem.precision,
    )


def one_by_one_fits(problem: Problem) -> bool:
    """Copies of a problem."""
    return problem.copies > 0


def one_by_one(problem: Problem, a: jax.Array, b: jax.Array, compute: Any) -> jax.Array:
    """Each copy of a problem planned by itself: `lax` would make groups of them, which XLA is slow at on CPUs."""
    return compute(problem.single(), a, b)


def canonical_fits(problem: Problem) -> bool:
    """The weight gradient of one group."""
    return problem.member == "weight_gradient" and problem.groups == 1


def canonical(problem: Problem, x: jax.Array, y: jax.Array, compute: Any) -> jax.Array:
    """The weight gradient as a convolution in canonical order, its operands transposed here.

    XLA on CPU hands only convolutions in that order to its library, and reorders them itself in the entry computation
    alone: in the body of a loop it falls back to naive code (jax-ml/jax issue 12868).
    """
    window, rank = problem.window, problem.window.rank
    x, pads = shapes.within_reach(x, window)
    space = tuple(range(1, rank + 1))
    result = lax.conv_general_dilated(
        jnp.transpose(x, (rank + 1, *space, 0)),
        jnp.transpose(y, (*space, 0, rank + 1)),
        window_strides=window.dilation,
        padding=pads,
        rhs_dilation=window.stride,
        dimension_numbers=numbers(rank),
        precision=problem.precision,
    )
    return jnp.transpose(result, (*space, 0, rank + 1))

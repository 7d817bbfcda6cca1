"""The input gradient as forward convolutions: one with the kernel turned round, or, at a stride, one per phase."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxnets.ops.geometry import Window, extent
from jaxnets.ops.kernels.alone import held
from jaxnets.ops.kernels.lowerings import shapes
from jaxnets.ops.kernels.lowerings.plain import turn
from jaxnets.ops.kernels.problem import Problem, exact


def fits(problem: Problem) -> bool:
    """An input gradient at stride 1."""
    return problem.member == "input_gradient" and set(problem.window.stride) == {1}


def flipped(problem: Problem) -> Problem:
    """The forward convolution of y with the turned kernel."""
    window = problem.window
    low = [extent(k, d) - 1 - first for _, k, _, d, (first, _), _ in shapes.axes(window)]
    ones = (1,) * window.rank
    turned = exact(window.out, window.size, ones, window.dilation, low, window.spatial)
    return problem.but(member="forward", window=turned, channels=problem.filters, filters=problem.channels)


def run(problem: Problem, y: jax.Array, w: jax.Array, compute: Any) -> jax.Array:
    """The forward convolution of y with the kernel turned round, planned as such."""
    return compute(flipped(problem), y, turn(problem, w))


def phases_fit(problem: Problem) -> bool:
    """An input gradient at a stride beyond 1."""
    return problem.member == "input_gradient" and max(problem.window.stride) > 1


class Phase(NamedTuple):
    """The elements `phase, phase + stride, ...` of one axis of the input: the taps that reach them, and the convolution
    of stride 1 over the outputs that makes them."""

    taps: list[int]
    low: int
    dilation: int


def counts_of(window: Window) -> list[int]:
    """How many elements the longest phase of each axis has."""
    return [-(-n // s) for n, s in zip(window.spatial, window.stride, strict=True)]


def phases_of(window: Window) -> list[list[Phase]]:
    """The phases of each axis."""
    return [[_phase(s, low, k, d, p) for p in range(s)] for _, k, s, d, (low, _), _ in shapes.axes(window)]


def _phase(s: int, low: int, k: int, d: int, phase: int) -> Phase:
    taps = [t for t in range(k) if (phase + low - t * d) % s == 0]
    if not taps:
        return Phase([], 0, 1)
    step = (taps[1] - taps[0]) * d // s if len(taps) > 1 else 1
    # Element phase + j * s gets y[i] w[t] where i = j + (phase + low - t * d) / s: the last tap reaches the lowest i.
    return Phase(taps, -((phase + low - taps[-1] * d) // s), step)


def phases(problem: Problem, y: jax.Array, w: jax.Array, compute: Any) -> jax.Array:
    """The elements of each residue of the stride by their own convolution at stride 1, then laid side by side.

    No zero is multiplied: phase p is reached by every stride-th tap alone (Shi et al., 2016, sub-pixel convolution).
    """
    per_axis = phases_of(problem.window)
    made = {
        at: _one_phase(problem, y, w, [axis[p] for axis, p in zip(per_axis, at, strict=True)], compute)
        for at in np.ndindex(*problem.window.stride)
    }
    return interleaved(made, problem)


def _one_phase(problem: Problem, y: jax.Array, w: jax.Array, chosen: Sequence[Phase], compute: Any) -> jax.Array:
    counts = counts_of(problem.window)
    if any(not phase.taps for phase in chosen):
        return shapes.zeros((problem.batch, *counts, problem.channels), y)
    for axis, (taps, _, _) in enumerate(chosen):
        step = taps[1] - taps[0] if len(taps) > 1 else 1
        w = lax.slice_in_dim(w, taps[0], taps[-1] + 1, stride=step, axis=axis)
    size = [len(phase.taps) for phase in chosen]
    part = _at_stride_1(problem, size, [c.dilation for c in chosen], [c.low for c in chosen], problem.channels)
    return compute(part, y, turn(problem, w))


def _at_stride_1(
    problem: Problem, size: Sequence[int], dilation: Sequence[int], low: Sequence[int], filters: int
) -> Problem:
    """A forward convolution of y that makes the elements of a phase."""
    window = problem.window
    part = exact(window.out, size, (1,) * window.rank, dilation, low, counts_of(window))
    return problem.but(member="forward", window=part, channels=problem.filters, filters=filters, lowering=None)


def interleaved(made: dict[tuple[int, ...], jax.Array], problem: Problem) -> jax.Array:
    """Phase (p, q) at (p + i * stride, q + j * stride): stacked behind each axis in turn, the last axis first.

    Held, for it is much code, which asks of each element where it comes from: fused into all that reads the gradient it
    would be compiled, and computed, several times.
    """
    strides = problem.window.stride
    for axis in range(len(strides), 0, -1):
        prefixes = sorted({at[: axis - 1] for at in made})
        stacked = {at: jnp.stack([made[(*at, p)] for p in range(strides[axis - 1])], axis + 1) for at in prefixes}
        made = {
            at: v.reshape(*v.shape[:axis], v.shape[axis] * v.shape[axis + 1], *v.shape[axis + 2 :])
            for at, v in stacked.items()
        }
    return held(lax.slice(made[()], [0] * (len(strides) + 2), problem.x_shape))


def subpixel_fits(problem: Problem) -> bool:
    """A strided input gradient of one group, without dilation, every phase reached by some tap."""
    window = problem.window
    return (
        phases_fit(problem)
        and problem.groups == 1
        and set(window.dilation) == {1}
        and all(k >= s for k, s in zip(window.size, window.stride, strict=True))
    )


def subpixel(problem: Problem, y: jax.Array, w: jax.Array, compute: Any) -> jax.Array:
    """All phases as the channels of one convolution at stride 1 (Shi et al., 2016), for maps of few channels.

    The phases' windows differ by an element, so that some zeros are multiplied.
    """
    window, rank = problem.window, problem.window.rank
    per_axis = phases_of(window)
    low = [max(phase.low for phase in axis) for axis in per_axis]
    size = [max(most - phase.low + len(phase.taps) for phase in axis) for axis, most in zip(per_axis, low, strict=True)]
    kernels = []
    for at in np.ndindex(*window.stride):
        kernel, pads = w, []
        for axis, p in enumerate(at):
            taps, first, _ = per_axis[axis][p]
            kernel = lax.slice_in_dim(kernel, taps[0], taps[-1] + 1, stride=window.stride[axis], axis=axis)
            after = low[axis] - first
            pads.append((size[axis] - after - len(taps), after))
        kernels.append(shapes.resized(kernel, pads, first=0))
    every = jnp.concatenate(kernels, axis=-2)
    filters = len(kernels) * problem.channels
    part = _at_stride_1(problem, size, (1,) * rank, low, filters)
    turned = jnp.swapaxes(lax.rev(every, tuple(range(rank))), -1, -2)
    made = compute(part, y, turned).reshape(problem.batch, *part.window.out, *window.stride, problem.channels)
    order = [0, *(a for axis in range(rank) for a in (1 + axis, 1 + rank + axis)), 2 * rank + 1]
    whole = [c * s for c, s in zip(part.window.out, window.stride, strict=True)]
    made = jnp.transpose(made, order).reshape(problem.batch, *whole, problem.channels)
    return held(lax.slice(made, [0] * made.ndim, problem.x_shape))

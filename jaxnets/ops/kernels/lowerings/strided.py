"""The strided depthwise input gradient as one sum, in which the phases of the stride are axes of the loop."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
from jax import lax

from jaxnets.ops.kernels.alone import alone
from jaxnets.ops.kernels.lowerings import shapes
from jaxnets.ops.kernels.lowerings.turned import counts_of
from jaxnets.ops.kernels.problem import Problem


def fits(problem: Problem) -> bool:
    """The depthwise input gradient at a stride, one filter a channel, without dilation."""
    return (
        problem.member == "input_gradient"
        and problem.channels == problem.groups == problem.filters
        and max(problem.window.stride) > 1
        and set(problem.window.dilation) == {1}
    )


def run(problem: Problem, y: jax.Array, w: jax.Array, compute: Any) -> jax.Array:
    """Element p of stride j is `Σ_m y[j + m] * w[m, p]`, written where it belongs.

    Where a phase is reached by fewer taps than another, zeros stand in. A convolution for each phase multiplies none,
    but to lay them side by side is several times as much code, and takes 1.1 to 3.6 times as long in all.
    """
    window, counts = problem.window, counts_of(problem.window)
    lengths, pads, kernel_pads = [], [], []
    for (_, k, s, _, (low, _), out), n in zip(shapes.axes(window), counts, strict=True):
        # y[i] meets w[t] in element p of stride j where t = p + low + (j - i) * s: for i - j from `least` to `most`.
        least, most = -((k - 1 - low) // s), (s - 1 + low) // s
        lengths.append(most - least + 1)
        pads.append((-least, n + most - out))
        kernel_pads.append((most * s - low, lengths[-1] * s - k - (most * s - low)))
    kernel = shapes.resized(w.reshape(*window.size, problem.channels), kernel_pads, first=0)
    yp = shapes.resized(y, pads)
    dx = alone("strided_slices", lambda yp, kernel: _sum(yp, kernel, lengths, counts, window.stride), yp, kernel)
    return lax.slice(dx, [0] * dx.ndim, problem.x_shape)


def _sum(
    yp: jax.Array, kernel: jax.Array, lengths: list[int], counts: list[int], strides: tuple[int, ...]
) -> jax.Array:
    """(N, *counts * strides, C) of padded y and the kernel (*lengths * strides, C)."""
    batch, *_, channels = yp.shape
    last = 2 * len(counts) + 1
    shape = (batch, *(n for pair in zip(counts, strides, strict=True) for n in pair), channels)

    def term(at: tuple[int, ...]) -> jax.Array:
        under = lax.slice(yp, (0, *at, 0), (batch, *(a + n for a, n in zip(at, counts, strict=True)), channels))
        begin = [(length - 1 - a) * s for a, length, s in zip(at, lengths, strides, strict=True)]
        own = lax.slice(kernel, (*begin, 0), (*(b + s for b, s in zip(begin, strides, strict=True)), channels))
        return lax.mul(
            lax.broadcast_in_dim(under, shape, (0, *range(1, last, 2), last)),
            lax.broadcast_in_dim(own, shape, (*range(2, last, 2), last)),
        )

    first, *others = np.ndindex(*lengths)
    total = sum((term(at) for at in others), start=term(first))
    return lax.reshape(total, (batch, *(n * s for n, s in zip(counts, strides, strict=True)), channels))

"""The weight gradient with the taps split between its operands: those of the last axis shift x, the others shift y."""

from __future__ import annotations

from collections import defaultdict
from math import prod
from typing import Any

import jax
import numpy as np
from jax import lax

from jaxnets.ops.geometry import Window
from jaxnets.ops.kernels.lowerings import chunks, shapes
from jaxnets.ops.kernels.lowerings.matmul import gram, upright
from jaxnets.ops.kernels.problem import Problem

_ROWS = 1568  # rows a product should have at least: a small contraction does not fill the machine
Tap = tuple[int, ...]


def fits(problem: Problem) -> bool:
    """The weight gradient of one group over two axes or more, with some output."""
    whole = problem.member == "weight_gradient" and problem.groups == 1
    return whole and problem.window.rank > 1 and min(problem.window.out) > 0


def run(problem: Problem, x: jax.Array, y: jax.Array, compute: Any) -> jax.Array:
    """A product for each residue of the stride: x shifted by the taps of the last axis, y by those of the others.

    Tap (t, u) is `Σ x[s i + d t, u] y[i]`. With d t = s m + r that is `Σ x[s i + r, u] y[i - m]`, over the rows of
    residue r alone. So x is copied once for each tap of the last axis and y once for each of the others, where patches
    are a copy of x for each tap of the window; and both sides of the product are wide.
    """
    window = problem.window
    classes = _classes(window)
    rank, last = window.rank, window.size[-1]

    def products(x: jax.Array, y: jax.Array) -> list[jax.Array]:
        xp, made = shapes.padded(x, window), []
        for residue, moved in classes.items():
            most = [max(m[axis] for m in moved.values()) for axis in range(rank - 1)]
            under = [_rows(xp, window, residue, most, u) for u in range(last)]
            pads = [[(m, top - m) for m, top in zip(each, most, strict=True)] for each in moved.values()]
            over = [shapes.resized(y, each) for each in pads]
            left, right = (lax.concatenate(each, rank + 1) for each in (under, over))
            made.append(gram(shapes.rows(left), shapes.rows(right), problem.precision))
        return made

    made = chunks.summed(products, _images(problem, classes), x, y)
    taps: dict[Tap, jax.Array] = {}
    for each, moved in zip(made, classes.values(), strict=True):
        wide = upright(each, (last * problem.channels, len(moved) * problem.filters))
        apart = wide.reshape(last, problem.channels, len(moved), problem.filters)
        taps.update({t: lax.index_in_dim(apart, i, axis=2) for i, t in enumerate(moved)})
    return (
        lax.concatenate([taps[t] for t in np.ndindex(*window.size[:-1])], 2)
        .transpose(2, 0, 1, 3)
        .reshape(problem.w_shape)
    )


def _classes(window: Window) -> dict[Tap, dict[Tap, Tap]]:
    """The taps of all axes but the last by their residues modulo the stride, each with how many strides it is off."""
    classes: dict[Tap, dict[Tap, Tap]] = defaultdict(dict)
    for taps in np.ndindex(*window.size[:-1]):
        axes = zip(taps, window.dilation, window.stride, strict=False)
        moved, residue = zip(*(divmod(t * d, s) for t, d, s in axes), strict=True)
        classes[residue][taps] = moved
    return dict(classes)


def _rows(xp: jax.Array, window: Window, residue: Tap, most: list[int], u: int) -> jax.Array:
    """Padded x at tap u of the last axis and, on the others, at every stride from the residue on."""
    counts = [o + m for o, m in zip(window.out, most, strict=False)] + [window.out[-1]]
    starts = [*residue, u * window.dilation[-1]]
    stops = [at + (n - 1) * s + 1 for at, n, s in zip(starts, counts, window.stride, strict=True)]
    return lax.slice(xp, (0, *starts, 0), (xp.shape[0], *stops, xp.shape[-1]), (1, *window.stride, 1))


def _images(problem: Problem, classes: dict[Tap, dict[Tap, Tap]]) -> int:
    """How many images at a time: what is shifted in cache, but no product too short."""
    last, positions = problem.window.size[-1], prod(problem.window.out)
    columns = sum(last * problem.channels + len(moved) * problem.filters for moved in classes.values())
    size = positions * columns * problem.dtype.itemsize
    return chunks.images(problem.batch, size, max(chunks.CACHE, -(-_ROWS // positions) * size))

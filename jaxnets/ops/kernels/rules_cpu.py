"""What wins on a CPU, from the measurements in `benchmarks/results`: the first rule that holds chooses."""

from __future__ import annotations

from math import prod

import jax.numpy as jnp

from jaxnets.ops.kernels.lowerings import chunks, winograd
from jaxnets.ops.kernels.lowerings.matmul import positions
from jaxnets.ops.kernels.planning import Rule
from jaxnets.ops.kernels.problem import Problem


def _winograd(problem: Problem) -> bool:
    """Whether Winograd's sums pay: channels and tiles enough, and the tiles of one image about within cache."""
    narrow = min(problem.channels, problem.filters)
    if not winograd.fits(problem) or narrow < 48:
        return False
    least = 96 if problem.dtype.itemsize <= 4 else 784  # tiles: the sums of wider numbers take as long again
    enough = problem.batch * prod(winograd.tiles(problem.window)) >= least and problem.multiply_adds >= 28_000_000
    return enough and winograd.transformed(problem, max(problem.channels, problem.filters)) <= chunks.CACHE * (
        3 if narrow >= 128 else 1
    )


def _library(problem: Problem) -> bool:
    """Whether XLA's CPU library convolves this dtype."""
    return problem.dtype in (jnp.float32, jnp.float64)


def _few_taps(problem: Problem) -> bool:
    """Whether a program with one piece for each tap compiles in no time; with thousands of them it takes a minute."""
    return problem.taps <= 128


def _short(problem: Problem) -> bool:
    """Whether the sums of a depthwise convolution are a short program: one term a tap and filter multiplier."""
    return problem.taps * problem.per_group[1] <= 128 and problem.per_group[1] <= 4


def _copying_costs(problem: Problem) -> bool:
    """Whether a padded copy of the map costs about as much as the sum itself: few taps, a map beyond the cache."""
    return max(problem.window.size) <= 3 and prod(problem.x_shape) * problem.dtype.itemsize > 6 << 20


def _small_gradient(problem: Problem) -> bool:
    """Whether a weight gradient is too small for patches to pay: few positions, a few channels, or a single axis."""
    if positions(problem) < 512 or (problem.channels < 4 and problem.taps <= 9):
        return True
    return set(problem.window.stride) == {1} and (positions(problem) <= 2048 or problem.window.rank == 1)


def _splitting_pays(problem: Problem) -> bool:
    """Whether patches make narrow products, of few filters, or are many times the map: large kernels."""
    narrow = problem.channels >= 16 and problem.filters <= (32 if problem.window.rank == 2 else 16)
    return narrow or (problem.taps >= 16 and min(problem.channels, problem.filters) >= 64)


RULES = (
    Rule("matmul", lambda p: True, "one tap: a matrix product"),
    Rule(
        "framed slices",
        lambda p: _short(p) and _copying_costs(p),
        "depthwise, few taps: a sum of shifted slices, only the frame padded",
    ),
    Rule("slices", lambda p: _short(p), "depthwise: a sum of shifted slices"),
    Rule("rows", lambda p: _short(p), "depthwise weight gradient: row by row, in cache"),
    Rule(
        "columns",
        lambda p: positions(p) < 512 and p.taps > 1 and _few_taps(p),
        "small maps of many channels: one product, then sums",
    ),
    Rule("turned", lambda p: True, "input gradient at stride 1: a convolution with the kernel turned"),
    Rule("blocks", lambda p: True, "stride = size: windows are rows of a matrix product"),
    Rule("strided slices", _short, "strided depthwise input gradient: a sum with the phases as axes of its loop"),
    Rule(
        "phases",
        lambda p: p.channels == p.groups == p.filters,
        "strided depthwise input gradient, dilated or of many taps",
    ),
    Rule(
        "grouped slices",
        lambda p: p.taps * p.per_group[0] <= 36 and p.per_group[1] in (2, 4),
        "small groups: a sum of shifted slices, a channel at a time",
    ),
    Rule("merge groups", lambda p: min(p.per_group) < 16, "small groups: merged into block-diagonal ones"),
    Rule("each group", lambda p: True, "large groups: one by one"),
    Rule(
        "taps", lambda p: not _library(p) and _few_taps(p), "a dtype XLA's library does not convolve: a product per tap"
    ),
    Rule("phases", lambda p: not _library(p), "a dtype XLA's library does not convolve"),
    Rule("planes", lambda p: p.taps <= 343, "three axes: two-dimensional convolutions, summed"),
    Rule(
        "sub-pixel",
        lambda p: p.channels * prod(p.window.stride) <= 16 and p.taps >= 16,
        "strided input gradient of few channels: all phases in one convolution",
    ),
    Rule(
        "shared patches",
        lambda p: p.window.rank > 1 and (positions(p) >= 2048 or p.taps >= 64),
        "strided input gradient, stride divides size: a product of patches that all phases share",
    ),
    Rule(
        "columns",
        lambda p: p.window.rank > 1 and _few_taps(p),
        "strided input gradient: one product, then sums of its columns",
    ),
    Rule("phases", lambda p: True, "strided input gradient over one axis: a convolution per phase"),
    Rule("winograd", _winograd, "3×3 of many channels: fewer products"),
    Rule(
        "unfold",
        lambda p: positions(p) < 512 and p.taps > 1 and _few_taps(p),
        "small maps of many channels: one product of patches",
    ),
    Rule(
        "canonical",
        lambda p: _small_gradient(p) or not _few_taps(p),
        "weight gradient of a small map, a line or a large kernel: XLA's library, in loops too",
    ),
    Rule(
        "split taps",
        lambda p: _splitting_pays(p) and _few_taps(p),
        "weight gradient of few filters or a large kernel: taps shift x and y in turn",
    ),
    Rule("patches", lambda p: True, "weight gradient: products with patches of rows, in cache"),
    Rule("one by one", lambda p: True, "kernels of their own for each copy: one convolution after the other"),
)

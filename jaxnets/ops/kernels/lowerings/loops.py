"""Loops over rows that keep their working set in cache: the depthwise weight gradient."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxnets.ops.geometry import Window
from jaxnets.ops.kernels.alone import held
from jaxnets.ops.kernels.lowerings import chunks, shapes
from jaxnets.ops.kernels.problem import Problem, exact

LONG, STRIP = 65536, 16384  # elements: rows beyond the one are taken in strips of up to the other, 64 KB a tap
TOGETHER = 8  # rows in a turn
ENOUGH = 4  # of them from as many images; where these are fewer, some rows of each
FLAT = 64  # channels up to which rows are taken as one vector: loops over so few are too short to be fast


def rows_fit(problem: Problem) -> bool:
    """The weight gradient where each filter reads one channel."""
    return problem.member == "weight_gradient" and problem.channels == problem.groups


def rows(problem: Problem, x: jax.Array, y: jax.Array, compute: Any) -> jax.Array:
    """One tap at a time against one row of outputs of some images, elementwise in cache.

    The sums, (taps, W, C), are summed over W at the end. A row of several images in a turn, so that a tap's sum is read
    and written less often; long rows in strips, so that it fits in cache.

    Nothing is padded: a turn whose row of x is all padding is left out, and a row that would begin before the map or
    end behind it runs on into the next; of its sums, those that no window has are left out at the end.
    """
    multiplier = problem.per_group[1]
    if multiplier > 1:
        y = y.reshape(*y.shape[:-1], problem.channels, multiplier)
        one = problem.but(filters=problem.channels)
        parts = [rows(one, x, y[..., m], compute) for m in range(multiplier)]
        return jnp.stack(parts, axis=-1).reshape(problem.w_shape)
    for images, beside in _together(problem):
        plan = _plan(problem, images, beside)
        if plan is not None:
            return _run(problem, plan, x, y)
    return rows(*_padded(problem, x, y), compute)


def _together(problem: Problem) -> list[tuple[int, int]]:
    """Of how many images a turn takes how many rows, best first.

    Half the images are twice as many turns, where a row that ends behind the last image is not in the same turn as one
    that begins before the first.
    """
    images = chunks.divisor(problem.batch, TOGETHER)
    if images < ENOUGH:
        return [(images, chunks.divisor((1, *problem.window.out)[-2], TOGETHER // images))]
    return [(images, 1), (images // 2, 1)] if images % 2 == 0 else [(images, 1)]


def _padded(problem: Problem, x: jax.Array, y: jax.Array) -> tuple[Problem, jax.Array, jax.Array]:
    """The problem with its padding written out, and rows of whole strides: always one that `_plan` can do."""
    window = problem.window
    pads = shapes.exact_pads(window)
    low, high = pads[-1]
    pads[-1] = (low, high + -(x.shape[-2] + low + high) % window.stride[-1])
    x = held(shapes.resized(x, pads))
    inside = exact(x.shape[1:-1], window.size, window.stride, window.dilation, [0] * window.rank, window.out)
    return problem.but(window=inside), x, y


@dataclass(frozen=True)
class _Plan:
    """Where each turn of the loop reads and writes, counted in columns: rows of (stride · C) of x and of C of y.

    A row of a tap's sums has `before` slots that belong to no output, then one for each column of a strip. Where rows
    are taken in strips, a tap has two such rows: of strips that are all there, and of the last.
    """

    strip: int
    before: int
    tap: np.ndarray  # (turns,): the row of sums
    slot: np.ndarray  # (turns,): where it begins to write in it
    under: np.ndarray  # (turns,): where it begins to read x
    phase: np.ndarray  # (turns,): which of the columns of a stride
    of: np.ndarray  # (turns,): where it begins to read y
    further: list[tuple[int, int]]  # how much further, in x and y, the rows of a turn lie
    valid: np.ndarray  # (rows of sums,): how many slots from `before` on are sums of the result


def _plan(problem: Problem, together: int, beside: int) -> _Plan | None:
    """The turns of so many images and rows, or None where rows of x do not consist of whole strides, some of a turn's
    are padding, or a turn would read beyond the arrays."""
    window, batch = problem.window, problem.batch
    out, stride = window.out[-1], window.stride[-1]
    length, rest = divmod(window.spatial[-1], stride)
    strip = out if out * problem.channels <= LONG else min(out, max(1, STRIP // problem.channels))
    first = strip * np.arange(-(-out // strip), dtype=np.int32)
    kinds = min(len(first), 2)
    images = (prod(window.spatial[:-1]) * length, prod(window.out[:-1]) * out)
    next_row = (window.stride[-2] * length if window.rank > 1 else 0, out)
    further = [
        tuple(image * of_image + row * of_row for of_image, of_row in zip(images, next_row, strict=True))
        for image, row in np.ndindex(together, beside)
    ]

    taps = np.indices(window.size, np.int32).reshape(window.rank, -1)
    above, there = _rows_above(window, taps)
    apart = there.reshape(-1, beside, there.shape[-1])
    if rest or (apart != apart[:, :1]).any():
        return None
    begin = taps[-1] * np.int32(window.dilation[-1]) - np.int32(window.full_pads[-1][0])
    skip, phase = begin // np.int32(stride), begin % np.int32(stride)
    ahead, behind = np.maximum(skip, 0), np.maximum(-skip, 0)
    valid = np.maximum(np.minimum(out - behind, length - ahead), 0)

    # All turns there could be, over (rows of y, blocks of images, strips, taps); the taps of a row lie side by side.
    row = np.arange(len(above), dtype=np.int32)[::beside, None, None, None]
    block, strips = together * np.arange(batch // together, dtype=np.int32)[:, None, None], first[:, None]
    under = block * images[0] + above[::beside, None, None] * length + strips + ahead
    of = block * images[1] + row * out + strips + behind
    whole = (strips + strip <= valid) & (kinds == 2)
    tap = np.arange(taps.shape[1], dtype=np.int32) * kinds + np.where(whole, 0, kinds - 1)
    ends = (start + (more + strip - batch * n) for start, more, n in zip((under, of), further[-1], images, strict=True))
    beyond = np.maximum(np.maximum(*ends), 0)  # how far behind the last image it would read

    there = np.broadcast_to(there[::beside, None, None] & (strips < valid), under.shape)
    tap, beyond, under, phase, of = (
        np.broadcast_to(each, under.shape)[there].astype(np.int32)
        for each in (tap, beyond, under - beyond, phase, of - beyond)
    )
    if (under < 0).any() or (of < 0).any():
        return None
    before = int(beyond.max(initial=0))
    last = np.where(valid > 0, (valid - 1) % strip + 1, 0)
    slots = np.stack([np.full_like(valid, strip), last][-kinds:], axis=1).reshape(-1)
    return _Plan(strip, before, tap, before - beyond, under, phase, of, further, slots)


def _rows_above(window: Window, taps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each row of y and each tap: which row of an image of x lies there, and whether there is one."""
    outer = window.out[:-1]
    places = np.indices(outer, np.int32).reshape(len(outer), prod(outer))
    above, there = np.zeros((prod(outer), taps.shape[1]), np.int32), np.ones((prod(outer), taps.shape[1]), bool)
    for place, tap, (n, _, s, d, (low, _), _) in zip(places, taps[:-1], list(shapes.axes(window))[:-1], strict=True):
        at = place[:, None] * np.int32(s) + tap * np.int32(d) - np.int32(low)
        above, there = above * np.int32(n) + at, there & (at >= 0) & (at < n)
    return above, there


def _run(problem: Problem, plan: _Plan, x: jax.Array, y: jax.Array) -> jax.Array:
    """Add up the turns, then the slots.

    A turn is one kernel, for one tap; a turn of all taps, or of all along a row, is as many kernels to compile. Where
    it reads stands in tables, which the kernel reads itself: computed of the turn's number, each division was another
    kernel to launch.
    """
    channels, stride = problem.channels, problem.window.stride[-1]
    flat = stride == 1 and channels <= FLAT and max(x.size, y.size) < 2**31
    scale = channels if flat else 1
    x, y = (each.reshape(-1) if flat else each.reshape(-1, c) for each, c in ((x, stride * channels), (y, channels)))
    size = (plan.strip * scale,) if flat else (plan.strip, channels)
    slots = (plan.before + plan.strip) * scale
    totals = shapes.zeros((len(plan.valid), slots) if flat else (len(plan.valid), slots, channels), x)
    tables = {
        "tap": plan.tap,
        "slot": plan.slot * scale,
        "under": plan.under * scale,
        "phase": plan.phase * channels,
        "of": plan.of * scale,
    }

    def step(index: jax.Array, totals: jax.Array) -> jax.Array:
        def now(name: str) -> Any:
            table = tables[name]
            if (table == table[0]).all():
                return table[0]
            return lax.squeeze(shapes.some(jnp.asarray(table), index, 1), (0,))

        under, phase, of = now("under"), now("phase"), now("of")
        at = (now("tap"), now("slot"), np.int32(0))[: totals.ndim]
        new = shapes.cut(totals, at, (1, *size))
        for further in plan.further:
            below = shapes.cut(x, (under + np.int32(further[0] * scale), phase)[: x.ndim], size)
            above = shapes.cut(y, (of + np.int32(further[1] * scale), np.int32(0))[: y.ndim], size)
            new = new + lax.expand_dims(above * below, (0,))
        return lax.dynamic_update_slice(totals, new, at, allow_negative_indices=False)

    turns = len(plan.tap)
    if turns:
        totals = step(jnp.int32(0), totals) if turns == 1 else shapes.loop(turns, step, totals)
    totals = totals.reshape(len(plan.valid), -1, channels)[:, plan.before :]
    if (plan.valid < plan.strip).any():
        mask = np.arange(plan.strip) < plan.valid[:, None]
        totals = lax.select(np.broadcast_to(mask[..., None], totals.shape), totals, jnp.zeros_like(totals))
    return totals.reshape(problem.taps, -1, channels).sum(1, dtype=x.dtype).reshape(problem.w_shape)

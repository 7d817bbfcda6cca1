"""A window that slides along one axis: which elements it lies on, and which windows lie on an element.

Everything here is numpy, constants of the program: a loop that reads its positions from a small table is compiled to
better code than one that computes them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from jaxnets.ops.geometry import Window

LARGEST = 1 << 20  # numbers in the tables of an axis: 4 MiB in the program


class Tap(NamedTuple):
    """One tap of all the windows.

    `at`: the element it lies on, for each window; outside of the real ones it is the nearest tap's of the same window.
    `number`: that tap's. `real`: whether the tap lies on a real element itself.
    """

    at: np.ndarray
    number: np.ndarray
    real: np.ndarray


class Source(NamedTuple):
    """One window for each of the elements: `at`, its number; `tap`, which of its taps lies on the element; `real`,
    whether there is such a window, without which the others mean nothing."""

    at: np.ndarray
    tap: np.ndarray
    real: np.ndarray


@dataclass(frozen=True)
class Axis:
    """`out` windows of `size` taps over the n elements of `axis`; those from `live[0]` to `live[1]` are real."""

    axis: int
    n: int
    size: int
    stride: int
    dilation: int
    low: int
    out: int
    live: tuple[int, int]

    def _positions(self) -> tuple[np.ndarray, np.ndarray]:
        """Where each tap of each window lies, (size, out), and whether that is real."""
        starts = np.arange(self.out) * self.stride - self.low
        at = starts + np.arange(self.size)[:, None] * self.dilation
        return at, (at >= self.live[0]) & (at <= self.live[1])

    def alive(self) -> np.ndarray:
        """Whether each window sees a real element."""
        return np.asarray(self._positions()[1].any(0))

    def counts(self) -> np.ndarray:
        """How many real elements each window sees."""
        return np.asarray(self._positions()[1].sum(0))

    @property
    def table(self) -> int:
        """How many numbers its tables hold, at most."""
        return max(self.n, self.out) * self.size

    def taps(self) -> tuple[Tap, ...]:
        """The taps that reach a real element, in order; the first one if none does."""
        return _taps(self)

    def sources(self) -> tuple[Source, ...]:
        """For every element, the windows that lie on it, each of them once: as few vectors as can hold them."""
        return _sources(self)


@lru_cache(maxsize=1024)
def _taps(axis: Axis) -> tuple[Tap, ...]:
    at, real = axis._positions()
    first, last = real.argmax(0), axis.size - 1 - real[::-1].argmax(0)
    found = []
    for tap in np.flatnonzero(real.any(1)) if real.any() else [0]:
        number = np.asarray(np.clip(tap, first, last))
        where = np.take_along_axis(at, number[None], 0)[0]
        found.append(Tap(np.clip(where, 0, axis.n - 1).astype(np.int32), number, real[tap]))
    return tuple(found)


@lru_cache(maxsize=1024)
def _sources(axis: Axis) -> tuple[Source, ...]:
    at, real = axis._positions()
    tap, window = np.nonzero(real)
    element = at[tap, window]
    order = np.lexsort((tap, element))
    tap, window, element = tap[order], window[order], element[order]
    # The windows of an element stand together: how many of its own come before each.
    rank = np.arange(len(element)) - np.searchsorted(element, element)
    found = []
    for turn in range(int(rank.max(initial=0)) + 1):
        this = rank == turn
        where, which, known = (np.zeros(axis.n, dtype) for dtype in (np.int32, np.int64, bool))
        where[element[this]], which[element[this]], known[element[this]] = window[this], tap[this], True
        # Elements of no window read what their neighbor reads, to stay in its cache line.
        near = np.maximum.accumulate(np.where(known, np.arange(axis.n), -1))
        found.append(Source(where[np.maximum(near, 0)], which, known))
    return tuple(found)


def axes(window: Window) -> list[Axis]:
    """Each spatial axis of (N, *spatial, C)."""
    each = zip(window.spatial, window.size, window.stride, window.dilation, window.full_pads, window.out, strict=True)
    return [Axis(a, n, k, s, d, low, out, (0, n - 1)) for a, (n, k, s, d, (low, _), out) in enumerate(each, start=1)]

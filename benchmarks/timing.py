"""Fair times: compilation apart, rivals in turns in one run, the device waited for, medians and quartiles."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

Clock = Callable[[], float]


@dataclass(frozen=True)
class Timing:
    """Seconds of one rival: the quartiles of its `repeats`, and those that compiling it took (None: nothing to)."""

    median: float
    q1: float
    q3: float
    repeats: int
    compile: float | None = None

    @classmethod
    def of(cls, seconds: list[float], compile: float | None = None) -> Timing:
        q1, median, q3 = (float(q) for q in np.quantile(seconds, (0.25, 0.5, 0.75)))
        return cls(median, q1, q3, len(seconds), compile)

    @property
    def spread(self) -> float:
        """The interquartile range."""
        return self.q3 - self.q1


@dataclass(frozen=True)
class NotRun:
    """Why a cell of the table holds no time."""

    reason: str


@dataclass(frozen=True)
class Effort:
    """How long to measure: each rival until `seconds` are spent or `repeats` done, and at least `least` times; one so
    slow that it spends `10 * seconds` first, three times. `naive_seconds` bounds one call of naive NumPy."""

    repeats: int = 20
    seconds: float = 0.6
    least: int = 5
    naive_seconds: float = 20.0

    def suffices(self, seconds: list[float]) -> bool:
        """Whether these repeats are enough."""
        least = self.least if sum(seconds) < 10 * self.seconds else min(3, self.least)
        return len(seconds) >= self.repeats or (len(seconds) >= least and sum(seconds) >= self.seconds)


def interleave(
    calls: Mapping[str, Callable[[], Any]], effort: Effort, clock: Clock = time.perf_counter
) -> dict[str, list[float]]:
    """Time the calls in turns, each round begun by another, so that drift and neighbors' caches meet all alike.

    Each call is waited for (`jax.block_until_ready`). Those that have enough repeats drop out. Returns seconds.
    """
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    active = list(calls)
    while active:
        for name in active:
            start = clock()
            jax.block_until_ready(calls[name]())
            seconds[name].append(clock() - start)
        active = [name for name in (*active[1:], active[0]) if not effort.suffices(seconds[name])]
    return seconds


def compile_apart(
    fn: Callable[..., Any], args: tuple[Any, ...], clock: Clock = time.perf_counter
) -> tuple[Callable[[], Any], float]:
    """Trace, lower and compile `fn` for these arguments: a call without arguments, and the seconds it took."""
    start = clock()
    compiled = jax.jit(lambda *a: fn(*a)).lower(*args).compile()  # a fresh function, so that no cache answers
    return (lambda: compiled(*args)), clock() - start


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """`TimeoutError` in the middle of Python code that runs longer. Without signals (Windows, threads), no limit."""
    if not hasattr(signal, "setitimer") or threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(*_: Any) -> None:
        raise TimeoutError(f"more than {seconds:g} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds, 1)  # and again, should a destructor swallow the first
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def naive(
    call: Callable[[], Any], effort: Effort, clock: Clock = time.perf_counter
) -> tuple[Any, Timing] | tuple[None, NotRun]:
    """The result of a slow Python call and its time: once if it is slow, up to three times within a second; stopped,
    and said so, past `effort.naive_seconds`."""
    seconds: list[float] = []
    try:
        with at_most(effort.naive_seconds):
            while not seconds or (len(seconds) < 3 and sum(seconds) < 1):
                start = clock()
                result = call()
                seconds.append(clock() - start)
    except TimeoutError:
        if not seconds:
            return None, NotRun(f"not run (>{effort.naive_seconds:g} s)")
    return result, Timing.of(seconds)

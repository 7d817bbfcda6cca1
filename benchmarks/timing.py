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
BRIEF = 0.1  # seconds of a call before which caches that the others have emptied count


@dataclass(frozen=True)
class Timing:
    """Seconds of one rival: the quartiles of its `repeats`, and those that compiling it took (None: nothing to);
    and the bytes of temporary memory that it needs at most (None: not known)."""

    median: float
    q1: float
    q3: float
    repeats: int
    compile: float | None = None
    memory: int | None = None

    @classmethod
    def of(cls, seconds: list[float], compile: float | None = None, memory: int | None = None) -> Timing:
        q1, median, q3 = (float(q) for q in np.quantile(seconds, (0.25, 0.5, 0.75)))
        return cls(median, q1, q3, len(seconds), compile, memory)

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
    slow that it spends `10 * seconds` first, three times, and `40 * seconds`, no more. `naive_seconds` bounds one call
    of naive NumPy."""

    repeats: int = 20
    seconds: float = 0.3
    least: int = 5
    naive_seconds: float = 20.0

    def suffices(self, seconds: list[float]) -> bool:
        """Whether these repeats are enough."""
        spent = sum(seconds)
        least = self.least if spent < 10 * self.seconds else min(3 if spent < 40 * self.seconds else 1, self.least)
        return len(seconds) >= self.repeats or (len(seconds) >= least and spent >= self.seconds)


def interleave(rounds: Mapping[str, Callable[[], float]], effort: Effort) -> dict[str, list[float]]:
    """Time rivals in turns, each round begun by another, so that drift and neighbors' caches meet all alike.

    Each entry runs its rival once and returns the seconds. Those that have enough repeats drop out.
    """
    seconds: dict[str, list[float]] = {name: [] for name in rounds}
    active = list(rounds)
    while active:
        for name in active:
            seconds[name].append(rounds[name]())
        active = [name for name in (*active[1:], active[0]) if not effort.suffices(seconds[name])]
    return seconds


def timed(call: Callable[[], Any], clock: Clock = time.perf_counter) -> float:
    """Seconds of one call, until its result is there."""
    start = clock()
    jax.block_until_ready(call())
    return clock() - start


def warmed(call: Callable[[], Any], clock: Clock = time.perf_counter, brief: float = BRIEF) -> Callable[[], float]:
    """Rounds for `interleave`: an untimed call, then the timed one, unless the last one took longer than `brief`.

    The rivals before have taken the caches and put the other threads to sleep. A network's layer finds its input where
    the layer before it left it, so what fetching it anew costs is no property of the layer; nor does it count in long
    calls.
    """
    last = 0.0

    def round() -> float:
        nonlocal last
        if last <= brief:
            jax.block_until_ready(call())
        last = timed(call, clock)
        return last

    return round


@dataclass(frozen=True)
class Program:
    """A compiled call without arguments, the seconds that it took to make, and its temporary memory in bytes."""

    call: Callable[[], Any]
    compile: float
    memory: int | None


def compile_apart(fn: Callable[..., Any], args: tuple[Any, ...], clock: Clock = time.perf_counter) -> Program:
    """Trace, lower and compile `fn` for these arguments.

    It is traced once before the clock starts: who comes first would otherwise pay for what all rivals share, the
    traces of `jax.numpy`'s own functions.
    """
    jax.eval_shape(lambda *a: fn(*a), *args)  # a fresh function each, so that no cache answers for the whole
    start = clock()
    compiled = jax.jit(lambda *a: fn(*a)).lower(*args).compile()
    seconds = clock() - start
    memory = compiled.memory_analysis()
    return Program(lambda: compiled(*args), seconds, None if memory is None else int(memory.temp_size_in_bytes))


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
    """The result of a slow Python call and its time: once if it is slow, up to three times within half of one; stopped,
    and said so, past `effort.naive_seconds`."""
    seconds: list[float] = []
    try:
        with at_most(effort.naive_seconds):
            while not seconds or (len(seconds) < 3 and sum(seconds) < 0.5):
                start = clock()
                result = call()
                seconds.append(clock() - start)
    except TimeoutError:
        if not seconds:
            return None, NotRun(f"not run (>{effort.naive_seconds:g} s)")
    return result, Timing.of(seconds)

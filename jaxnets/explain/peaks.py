"""The ceilings of this machine, measured in a moment: arithmetic and memory."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import jax
import jax.numpy as jnp


class Peaks(NamedTuple):
    """What the default device does in a second at best: multiply-adds, and bytes read and written."""

    multiply_adds: float
    bytes: float

    def floor(self, arithmetic: int, moved: int) -> float:
        """The seconds that so much arithmetic and so many bytes take at the least.

        >>> Peaks(1e9, 1e9).floor(2_000_000, 1_000_000)
        0.002
        """
        return max(arithmetic / self.multiply_adds, moved / self.bytes)


def _fastest(fn: Callable[[jax.Array], jax.Array], x: jax.Array, repeats: int = 3) -> float:
    """Seconds of the fastest of a few calls, each on the result of the one before."""
    x = jax.block_until_ready(fn(x))
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        x = jax.block_until_ready(fn(x))
        seconds.append(time.perf_counter() - start)
    return min(seconds)


@cache
def _product(dtype: str) -> float:
    """Multiply-adds a second of a large matrix product."""
    side = 1024 if jax.default_backend() == "cpu" else 8192
    a = jnp.full((side, side), 1 / side, dtype)
    return side**3 / _fastest(jax.jit(lambda a: a @ a), a)


@cache
def _copy() -> float:
    """Bytes a second of a copy larger than caches, in place (donated): a CPU would spend its time on fresh pages."""
    elements = (1 << 26) if jax.default_backend() == "cpu" else (1 << 28)
    v = jnp.ones(elements, jnp.float32)
    moved = 2 * v.nbytes
    return moved / _fastest(jax.jit(lambda v: v + jnp.ones((), v.dtype), donate_argnums=0), v)


def measured(dtype: str) -> Peaks:
    """The peaks for a dtype, measured once a process.

    Integers are held against float32: XLA makes use of no faster unit for them. So are narrow floats on a CPU, which
    computes them in float32.
    """
    own = dtype == "float64" or (dtype in ("bfloat16", "float16") and jax.default_backend() != "cpu")
    return Peaks(_product(dtype if own else "float32"), _copy())

"""What every strategy draws: ranks, batches, channels, dtypes, and numbers given once or per axis."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax

from jaxnets.extras import require

st: Any = require("hypothesis.strategies", extra="test")

RANKS = (1, 2, 3)
FLOATS = ("float32", "bfloat16", "float16")
INTEGERS = ("int32", "int8", "uint8")
MODES = ("zeros", "reflect", "replicate", "circular")
MOST_CHANNELS = 4
MOST_FILTERS = 6  # so that groups of several filters are common

Draw = Any


def pick(draw: Draw, choices: Sequence[Any]) -> Any:
    """One of `choices`; Hypothesis shrinks towards the first."""
    return draw(st.sampled_from(list(choices)))


def number(draw: Draw, low: int, high: int) -> int:
    return int(draw(st.integers(low, high)))


def draw_dtype(draw: Draw, dtypes: Sequence[str] | None, *, integers: bool) -> str:
    """One of `dtypes`, by default all that the op takes here: float64 only when x64 is enabled."""
    if dtypes is None:
        wide = ("float64",) if jax.config.read("jax_enable_x64") else ()
        dtypes = (*FLOATS, *wide, *(INTEGERS if integers else ()))
    return str(pick(draw, dtypes))


def draw_batch(draw: Draw) -> int:
    return int(pick(draw, (1, 2, 1, 2, 1, 2, 0)))  # of nothing too, but seldom: there is little to see


def draw_channels(draw: Draw) -> int:
    return number(draw, 1, MOST_CHANNELS)


def draw_seed(draw: Draw) -> int:
    return number(draw, 0, 2**16 - 1)


def draw_axes(draw: Draw, rank: int, low: int, high: int) -> tuple[int, ...]:
    """One number per axis, often the same for all."""
    if draw(st.booleans()):
        return (number(draw, low, high),) * rank
    return tuple(number(draw, low, high) for _ in range(rank))


def spell(draw: Draw, values: Sequence[Any]) -> Any:
    """One value per axis as the caller may write it: if all are alike, perhaps one for all."""
    if len(set(values)) == 1 and draw(st.booleans()):
        return values[0]
    return tuple(values)


def most(rank: int, max_size: int) -> int:
    """The largest spatial size drawn: smaller in three dimensions, where the naive definitions take their time."""
    return max(max_size // 2, 1) + 1 if rank == 3 else max_size


def wanted(name: str, options: Sequence[str] | None) -> bool:
    """Whether the option `name` is drawn: all are, unless the caller listed some."""
    return options is None or name in options

"""Cases of the pools that slide."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jaxnets.testing.case import Case
from jaxnets.testing.strategies.common import (
    RANKS,
    Draw,
    draw_batch,
    draw_channels,
    draw_dtype,
    draw_seed,
    pick,
    spell,
    st,
    wanted,
)
from jaxnets.testing.strategies.windows import draw_sliding

_EXTREMUM = ("distinct", "ties", "special")
_FILLS = {
    "max_pool": _EXTREMUM,
    "min_pool": _EXTREMUM,
    "max_pool_with_indices": _EXTREMUM,
    "avg_pool": ("normal", "special"),
    "lp_pool": ("normal", "ties"),
    "gem_pool": ("normal", "ties"),
}
_OWN: dict[str, dict[str, tuple[Any, ...]]] = {
    "avg_pool": {"count_include_pad": (False, True)},
    "lp_pool": {"p": (2, 1, 3, 1.5)},
    "gem_pool": {"p": (1.0, 2.0, 3.0, 0.5), "eps": (1e-6, 0.25)},
}
_FLOATS_ONLY = ("lp_pool", "gem_pool")


@st.composite
def pool_cases(
    draw: Draw,
    op: str = "max_pool",
    *,
    ranks: Sequence[int] = RANKS,
    dtypes: Sequence[str] | None = None,
    max_size: int = 7,
    max_kernel: int = 4,
    paddings: Sequence[str] | None = None,
    options: Sequence[str] | None = None,
    fills: Sequence[str] | None = None,
) -> Case:
    """Legal calls `op(x, size, stride, padding=, dilation=, ceil_mode=, ...)` of one of the sliding pools.

    `op`: "max_pool", "min_pool", "max_pool_with_indices", "avg_pool" (draws `count_include_pad`), "lp_pool" (`p`) or
    "gem_pool" (`p`, `eps`). `fills`: how x is filled (`Case`); by default maxima meet ties on purpose, and NaN and
    infinities. Other arguments are those of `conv_cases`.
    """
    window = draw_sliding(
        draw,
        ranks,
        max_size,
        max_kernel,
        default_padding="VALID",
        paddings=paddings,
        options=options,
        pool=True,
    )
    kwargs = {"size": spell(draw, window.size), **window.kwargs}
    for name, values in _OWN.get(op, {}).items():
        if wanted(name, options):
            kwargs[name] = pick(draw, values)
    dtype = draw_dtype(draw, dtypes, integers=op not in _FLOATS_ONLY)
    shapes = {"x": (draw_batch(draw), *window.spatial, draw_channels(draw))}
    return Case(op, shapes, kwargs, dtype, pick(draw, fills or _FILLS[op]), draw_seed(draw))

"""The pools: the shapes of the classes, taken from networks in use, then other kinds."""

from __future__ import annotations

from typing import Any

from benchmarks.cases.case import Case, Shape


def _pool(shape_class: str, kind: str, op: str, x: Shape, *, no_lax_gradient: str = "", **options: Any) -> Case:
    """A case whose name ends in the image it works on."""
    name = f"{kind}, {'x'.join(map(str, x[1:]))}"
    return Case(name, shape_class, op, x, options=options, no_lax_gradient=no_lax_gradient)


SLIDING, HALVING, PAIRS = "max pool 3x3 and 5x5, stride 1", "max pool 3x3, stride 2", "max pool 2x2"
AVERAGE, OTHER = "avg pool, overlapping", "other pools"

POOL = (
    _pool(SLIDING, "max 3x3 s1", "max_pool", (8, 56, 56, 64), size=3, stride=1, padding="SAME"),
    _pool(SLIDING, "max 3x3 s1", "max_pool", (8, 28, 28, 192), size=3, stride=1, padding="SAME"),
    _pool(SLIDING, "max 5x5 s1", "max_pool", (8, 14, 14, 256), size=5, stride=1, padding="SAME"),
    _pool(HALVING, "max 3x3 s2", "max_pool", (8, 112, 112, 64), size=3, stride=2, padding="SAME"),
    _pool(HALVING, "max 3x3 s2", "max_pool", (8, 56, 56, 128), size=3, stride=2, padding=1),
    _pool(PAIRS, "max 2x2", "max_pool", (64, 28, 28, 32), size=2),
    _pool(PAIRS, "max 2x2", "max_pool", (8, 112, 112, 64), size=2),
    _pool(AVERAGE, "avg 3x3 s1", "avg_pool", (8, 56, 56, 64), size=3, stride=1, padding="SAME"),
    _pool(AVERAGE, "avg 3x3 s2", "avg_pool", (8, 56, 56, 128), size=3, stride=2, padding="SAME"),
    _pool(
        OTHER,
        "max 3x3, dilation 2",
        "max_pool",
        (8, 28, 28, 64),
        size=3,
        stride=1,
        padding="SAME",
        dilation=2,
        no_lax_gradient="lax has no gradient",
    ),
    _pool(OTHER, "max 3-D 2x2x2", "max_pool", (2, 32, 32, 32, 32), size=2),
    _pool(OTHER, "avg 2x2", "avg_pool", (8, 56, 56, 64), size=2),
    _pool(OTHER, "avg 3-D 3x3x3 s2", "avg_pool", (2, 32, 32, 32, 32), size=3, stride=2, padding="SAME"),
    _pool(OTHER, "lp 3x3 s2", "lp_pool", (8, 56, 56, 64), size=3, stride=2),
    _pool(OTHER, "adaptive avg to 7x7", "adaptive_avg_pool", (8, 32, 32, 256), output_size=7),
)

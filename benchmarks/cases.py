"""The cases as data: every class of convolution and pool that a convolutional network is made of, one per row.

Shapes are (N, *spatial, C) and (*size, C // groups, K); the options are those of `jaxnets.ops.<op>`. Each row has the
size that is timed in earnest and a `quick` one that only shows that everything runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Sizes:
    """The shape of x and, for a convolution, that of w."""

    x: Shape
    w: Shape | None = None


@dataclass(frozen=True)
class Case:
    """One call of `jaxnets.ops.<op>`.

    `no_lax_gradient` says why plain lax has no backward pass here; that cell of the table then shows it.
    """

    name: str
    op: str
    full: Sizes
    quick: Sizes
    options: Mapping[str, Any] = field(default_factory=dict)
    no_lax_gradient: str = ""


CONV = (
    Case("dense 3x3", "conv", Sizes((8, 56, 56, 64), (3, 3, 64, 64)), Sizes((2, 6, 6, 8), (3, 3, 8, 8))),
    Case("dense 3x3, deep", "conv", Sizes((8, 14, 14, 256), (3, 3, 256, 256)), Sizes((2, 4, 4, 16), (3, 3, 16, 16))),
    Case(
        "dense 3x3, stride 2",
        "conv",
        Sizes((8, 56, 56, 128), (3, 3, 128, 128)),
        Sizes((2, 6, 6, 8), (3, 3, 8, 8)),
        {"stride": 2},
    ),
    Case(
        "dense 3x3, dilation 2",
        "conv",
        Sizes((8, 28, 28, 128), (3, 3, 128, 128)),
        Sizes((2, 6, 6, 8), (3, 3, 8, 8)),
        {"dilation": 2},
    ),
    Case("1x1", "conv", Sizes((8, 56, 56, 256), (1, 1, 256, 64)), Sizes((2, 6, 6, 16), (1, 1, 16, 8))),
    Case(
        "stem 7x7, stride 2",
        "conv",
        Sizes((8, 224, 224, 3), (7, 7, 3, 64)),
        Sizes((2, 12, 12, 3), (7, 7, 3, 8)),
        {"stride": 2},
    ),
    Case(
        "patches 4x4, stride 4",
        "conv",
        Sizes((8, 224, 224, 3), (4, 4, 3, 96)),
        Sizes((2, 12, 12, 3), (4, 4, 3, 8)),
        {"stride": 4, "padding": "VALID"},
    ),
    Case(
        "32 groups 3x3",
        "conv",
        Sizes((8, 56, 56, 128), (3, 3, 4, 128)),
        Sizes((2, 6, 6, 64), (3, 3, 2, 64)),
        {"groups": 32},
    ),
    Case(
        "depthwise 3x3", "depthwise_conv", Sizes((8, 56, 56, 144), (3, 3, 1, 144)), Sizes((2, 6, 6, 16), (3, 3, 1, 16))
    ),
    Case(
        "depthwise 3x3, stride 2",
        "depthwise_conv",
        Sizes((8, 56, 56, 144), (3, 3, 1, 144)),
        Sizes((2, 6, 6, 16), (3, 3, 1, 16)),
        {"stride": 2},
    ),
    Case("depthwise 7x7", "depthwise_conv", Sizes((8, 56, 56, 96), (7, 7, 1, 96)), Sizes((2, 8, 8, 16), (7, 7, 1, 16))),
    Case(
        "causal depthwise 1-D",
        "depthwise_conv",
        Sizes((8, 1024, 256), (4, 1, 256)),
        Sizes((2, 16, 16), (4, 1, 16)),
        {"padding": "CAUSAL"},
    ),
    Case(
        "causal 1-D, dilation 8",
        "conv",
        Sizes((8, 1024, 64), (2, 64, 64)),
        Sizes((2, 32, 8), (2, 8, 8)),
        {"padding": "CAUSAL", "dilation": 8},
    ),
    Case(
        "transposed 4x4, stride 2",
        "conv_transpose",
        Sizes((8, 28, 28, 64), (4, 4, 64, 64)),
        Sizes((2, 5, 5, 8), (4, 4, 8, 8)),
        {"stride": 2},
    ),
    Case(
        "transposed 1-D 4, stride 2",
        "conv_transpose",
        Sizes((8, 512, 64), (4, 64, 64)),
        Sizes((2, 16, 8), (4, 8, 8)),
        {"stride": 2},
    ),
    Case("3-D 3x3x3", "conv", Sizes((2, 16, 16, 16, 32), (3, 3, 3, 32, 32)), Sizes((1, 4, 4, 4, 4), (3, 3, 3, 4, 4))),
)

POOL = (
    Case("max 2x2", "max_pool", Sizes((64, 28, 28, 32)), Sizes((2, 6, 6, 4)), {"size": 2}),
    Case(
        "max 3x3, stride 1",
        "max_pool",
        Sizes((8, 56, 56, 64)),
        Sizes((2, 6, 6, 4)),
        {"size": 3, "stride": 1, "padding": "SAME"},
    ),
    Case(
        "max 3x3, stride 2",
        "max_pool",
        Sizes((8, 112, 112, 64)),
        Sizes((2, 8, 8, 4)),
        {"size": 3, "stride": 2, "padding": "SAME"},
    ),
    Case(
        "max 5x5, stride 1",
        "max_pool",
        Sizes((8, 14, 14, 256)),
        Sizes((2, 6, 6, 4)),
        {"size": 5, "stride": 1, "padding": "SAME"},
    ),
    Case(
        "max 3x3, dilation 2",
        "max_pool",
        Sizes((8, 28, 28, 64)),
        Sizes((2, 8, 8, 4)),
        {"size": 3, "stride": 1, "padding": "SAME", "dilation": 2},
        no_lax_gradient="lax has no gradient",
    ),
    Case(
        "max 3-D 2x2x2",
        "max_pool",
        Sizes((2, 32, 32, 32, 32)),
        Sizes((1, 4, 4, 4, 4)),
        {"size": 2},
    ),
    Case(
        "avg 3x3, stride 1",
        "avg_pool",
        Sizes((8, 56, 56, 64)),
        Sizes((2, 6, 6, 4)),
        {"size": 3, "stride": 1, "padding": "SAME"},
    ),
    Case("avg 2x2", "avg_pool", Sizes((8, 56, 56, 64)), Sizes((2, 6, 6, 4)), {"size": 2}),
    Case(
        "avg 3-D 3x3x3, stride 2",
        "avg_pool",
        Sizes((2, 32, 32, 32, 32)),
        Sizes((1, 4, 4, 4, 4)),
        {"size": 3, "stride": 2, "padding": "SAME"},
    ),
    Case("lp 3x3, stride 2", "lp_pool", Sizes((8, 56, 56, 64)), Sizes((2, 7, 7, 4)), {"size": 3, "stride": 2}),
    Case(
        "adaptive avg to 7x7",
        "adaptive_avg_pool",
        Sizes((8, 32, 32, 256)),
        Sizes((2, 8, 8, 4)),
        {"output_size": 7},
    ),
)

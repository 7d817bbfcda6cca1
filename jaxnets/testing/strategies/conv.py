"""Cases of the convolutions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jaxnets.reference.windows import extent
from jaxnets.testing.case import Case, Shape
from jaxnets.testing.strategies.common import (
    MODES,
    MOST_CHANNELS,
    MOST_FILTERS,
    RANKS,
    Draw,
    draw_batch,
    draw_channels,
    draw_dtype,
    draw_seed,
    number,
    spell,
    st,
    wanted,
)
from jaxnets.testing.strategies.windows import Sliding, draw_sliding

Strings = Sequence[str] | None


def _draw_groups(draw: Draw, options: Strings) -> tuple[int, int, int]:
    """(groups, C, K): groups first, then the multiples of it."""
    groups = number(draw, 1, MOST_CHANNELS) if wanted("groups", options) else 1
    c, k = number(draw, 1, MOST_CHANNELS // groups), number(draw, 1, MOST_FILTERS // groups)
    return groups, groups * c, groups * k


def _case(draw: Draw, op: str, shapes: dict[str, Shape], kwargs: dict[str, Any], bias: int, dtypes: Strings) -> Case:
    if bias and draw(st.booleans()):
        shapes["b"] = (bias,)
    return Case(op, shapes, kwargs, draw_dtype(draw, dtypes, integers=True), "normal", draw_seed(draw))


@st.composite
def conv_cases(
    draw: Draw,
    *,
    ranks: Sequence[int] = RANKS,
    dtypes: Strings = None,
    max_size: int = 7,
    max_kernel: int = 4,
    paddings: Strings = None,
    padding_modes: Sequence[str] = MODES,
    options: Strings = None,
    bias: bool = True,
) -> Case:
    """Legal calls `conv(x, w, b, stride=, padding=, dilation=, groups=, padding_mode=)`.

    Arguments, all of which narrow: `ranks`, the numbers of spatial axes; `dtypes`, by name; `max_size` and
    `max_kernel`, in elements an axis (an input is larger than `max_size` where its window needs it to be, and both
    are smaller in 3-D); `paddings`, the forms, of "VALID", "SAME", "CAUSAL", "int", "ints", "pairs"; `padding_modes`;
    `options`, the keyword arguments that are drawn at all (None: all; others are neither drawn nor passed); `bias`,
    whether `b` may be given.
    """
    window = draw_sliding(
        draw,
        ranks,
        max_size,
        max_kernel,
        default_padding="SAME",
        paddings=paddings,
        options=options,
        modes=padding_modes,
    )
    groups, c, k = _draw_groups(draw, options)
    shapes = {"x": (draw_batch(draw), *window.spatial, c), "w": (*window.size, c // groups, k)}
    kwargs = window.kwargs | ({"groups": groups} if wanted("groups", options) else {})
    return _case(draw, "conv", shapes, kwargs, k if bias else 0, dtypes)


def _output_padding(window: Sliding, same: bool) -> tuple[int, ...]:
    """Which of the inputs that a convolution takes to `window.out` this one is."""
    least = [
        o * s if same else (o - 1) * s + extent(k, d) - low - high
        for o, s, k, d, (low, high) in zip(
            window.out, window.stride, window.size, window.dilation, window.pads, strict=True
        )
    ]
    return tuple(n - m for n, m in zip(window.spatial, least, strict=True))


@st.composite
def conv_transpose_cases(
    draw: Draw,
    *,
    ranks: Sequence[int] = RANKS,
    dtypes: Strings = None,
    max_size: int = 7,
    max_kernel: int = 4,
    paddings: Strings = None,
    options: Strings = None,
    bias: bool = True,
) -> Case:
    """Legal calls `conv_transpose(x, w, b, stride=, padding=, output_padding=, dilation=, groups=)`.

    A convolution is drawn, and turned round: what it gives is the input here, and its input says which
    `output_padding` this is. Arguments are those of `conv_cases`; without `"output_padding"` among the `options`,
    strides are 1.
    """
    if not wanted("output_padding", options):
        options = [name for name in options or () if name != "stride"]
    window = draw_sliding(draw, ranks, max_size, max_kernel, default_padding="SAME", paddings=paddings, options=options)
    groups, c, k = _draw_groups(draw, options)
    shapes = {"x": (draw_batch(draw), *window.out, k), "w": (*window.size, c // groups, k)}
    kwargs = window.kwargs | ({"groups": groups} if wanted("groups", options) else {})
    if wanted("output_padding", options):
        same = kwargs.get("padding", "SAME") == "SAME"
        kwargs["output_padding"] = spell(draw, _output_padding(window, same))
    return _case(draw, "conv_transpose", shapes, kwargs, c if bias else 0, dtypes)


@st.composite
def depthwise_conv_cases(
    draw: Draw,
    *,
    ranks: Sequence[int] = RANKS,
    dtypes: Strings = None,
    max_size: int = 7,
    max_kernel: int = 4,
    paddings: Strings = None,
    padding_modes: Sequence[str] = MODES,
    options: Strings = None,
    bias: bool = True,
) -> Case:
    """Legal calls `depthwise_conv(x, w, b, ...)`, w: (*size, 1, C * multiplier). Arguments as for `conv_cases`."""
    window = draw_sliding(
        draw,
        ranks,
        max_size,
        max_kernel,
        default_padding="SAME",
        paddings=paddings,
        options=options,
        modes=padding_modes,
    )
    c, multiplier = draw_channels(draw), number(draw, 1, 2)
    shapes = {"x": (draw_batch(draw), *window.spatial, c), "w": (*window.size, 1, c * multiplier)}
    return _case(draw, "depthwise_conv", shapes, window.kwargs, c * multiplier if bias else 0, dtypes)


@st.composite
def separable_conv_cases(
    draw: Draw,
    *,
    ranks: Sequence[int] = RANKS,
    dtypes: Strings = None,
    max_size: int = 7,
    max_kernel: int = 4,
    paddings: Strings = None,
    padding_modes: Sequence[str] = MODES,
    options: Strings = None,
    bias: bool = True,
) -> Case:
    """Legal calls `separable_conv(x, depthwise_w, pointwise_w, b, ...)`. Arguments are those of `conv_cases`."""
    window = draw_sliding(
        draw,
        ranks,
        max_size,
        max_kernel,
        default_padding="SAME",
        paddings=paddings,
        options=options,
        modes=padding_modes,
    )
    c, multiplier, k = draw_channels(draw), number(draw, 1, 2), draw_channels(draw)
    shapes = {
        "x": (draw_batch(draw), *window.spatial, c),
        "depthwise_w": (*window.size, 1, c * multiplier),
        "pointwise_w": (*(1,) * len(window.size), c * multiplier, k),
    }
    return _case(draw, "separable_conv", shapes, window.kwargs, k if bias else 0, dtypes)

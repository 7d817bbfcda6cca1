"""Convolution and its adjoint on plain `lax`, one window, explicit numbers."""

from __future__ import annotations

import jax
from jax import lax

from jaxnets.ops.geometry import Window, extent
from jaxnets.ops.pad import pad

_LETTERS = {1: "W", 2: "HW", 3: "DHW"}


def _numbers(rank: int) -> tuple[str, str, str]:
    """Channels last: NHWC, HWIO, NHWC."""
    spatial = _LETTERS[rank]
    return f"N{spatial}C", f"{spatial}IO", f"N{spatial}C"


def conv(x: jax.Array, w: jax.Array, window: Window, groups: int) -> jax.Array:
    """Cross-correlate (N, *spatial, C) with w: (*size, C // groups, K) → (N, *window.out, K)."""
    # Padding beyond extent - 1 is written out: left to lax, the gradient would carry negative low padding, which
    # XLA on CPU computes wrongly (openxla/xla issue 48713).
    most = [extent(k, d) - 1 for k, d in zip(window.size, window.dilation, strict=True)]
    kept = [(min(low, m), min(high, m)) for (low, high), m in zip(window.pads, most, strict=True)]
    written = [(low - a, high - b) for (low, high), (a, b) in zip(window.pads, kept, strict=True)]
    return lax.conv_general_dilated(
        pad(x, written),
        w,
        window_strides=window.stride,
        padding=kept,
        rhs_dilation=window.dilation,
        dimension_numbers=_numbers(window.rank),
        feature_group_count=groups,
    )


def conv_transpose(x: jax.Array, w: jax.Array, window: Window, groups: int) -> jax.Array:
    """The adjoint of `conv` in its input: (N, *window.out, K) with the same w → (N, *window.spatial, C).

    Each input element is spread over the window it came from: zeros between the elements (one per stride skipped),
    then a convolution of stride 1 with the kernel turned round and its channels exchanged.
    """
    *size, per_group, channels = w.shape
    spatial_axes = tuple(range(window.rank))
    turned = lax.rev(w, spatial_axes).reshape(*size, per_group, groups, channels // groups)
    turned = turned.swapaxes(-3, -1).reshape(*size, channels // groups, groups * per_group)

    pads, crops = [], []
    for n, k, s, d, (low, _), out in zip(
        window.spatial, window.size, window.stride, window.dilation, window.pads, window.out, strict=True
    ):
        before = extent(k, d) - 1 - low
        after = n + low - ((out - 1) * s + 1)
        # Negative amounts crop; cropping the result instead is the same and keeps clear of the bug named above.
        pads.append((max(before, 0), max(after, 0)))
        crops.append((max(-before, 0), n + max(-before, 0)))
    y = lax.conv_general_dilated(
        x,
        turned,
        window_strides=(1,) * window.rank,
        padding=pads,
        lhs_dilation=window.stride,
        rhs_dilation=window.dilation,
        dimension_numbers=_numbers(window.rank),
        feature_group_count=groups,
    )
    for axis, (start, stop) in enumerate(crops, start=1):
        y = lax.slice_in_dim(y, start, stop, axis=axis)
    return y

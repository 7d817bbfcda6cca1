"""Padding: make the borders wider before a window slides over them."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from jaxnets.reference.dtypes import Array
from jaxnets.reference.windows import Axis, PaddingMode, Position, at, axis_windows, output_of, spatial_shape, windows


def pad_windows(spatial: Position, pads: Sequence[tuple[int, int]], mode: PaddingMode) -> list[Axis[int]]:
    """Windows of one tap that read the padded array."""
    modes = (mode,) * len(spatial) if isinstance(mode, str) else tuple(mode)
    if len(pads) != len(spatial) or min(min(pair) for pair in pads) < 0:
        raise ValueError(f"expected one (low, high) pair of at least 0 for each of {spatial}, got {pads}")
    return [
        axis_windows(low + n + high, n, 1, 1, 1, low, m) for n, (low, high), m in zip(spatial, pads, modes, strict=True)
    ]


def pad(x: ArrayLike, pads: Sequence[tuple[int, int]], mode: PaddingMode = "zeros") -> Array:
    """Pad the spatial axes.

        y[n, o, c] = x[n, o - low, c]   inside; outside
        0 ("zeros"), the mirror image about the border element ("reflect"), the border element ("replicate"), or the
        other end ("circular")

    NumPy calls these constant, reflect, edge and wrap.

    Shapes: x (N, *spatial, C), one (low, high) pair per spatial axis -> (N, *(low + n + high), C).

    >>> x = np.array([1, 2, 3]).reshape(1, 3, 1)
    >>> pad(x, [(2, 1)], "reflect")[0, :, 0], pad(x, [(2, 1)], "circular")[0, :, 0]
    (array([3, 2, 1, 2, 3, 2]), array([2, 3, 1, 2, 3, 1]))
    """
    x = np.asarray(x)
    axes = pad_windows(spatial_shape(x), pads, mode)
    y = np.zeros((x.shape[0], *output_of(axes), x.shape[-1]), x.dtype)
    for o, taps in windows(axes):
        for _, p in taps:
            y[at(o)] = x[at(p)]
    return y

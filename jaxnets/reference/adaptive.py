"""Adaptive and global pooling: the output size is given, the windows follow."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from jaxnets.reference.dtypes import Array, cast, mean_dtype, widen
from jaxnets.reference.extremum import first_extremum
from jaxnets.reference.windows import Axis, Position, at, output_of, spatial_shape, windows

OutputSize = int | None | Sequence[int | None]


def adaptive_windows(spatial: Position, output_size: OutputSize) -> list[Axis[int]]:
    """Window i along an axis of n elements is [floor(i n / out), ceil((i + 1) n / out)). None keeps an axis.

    They cover the axis; neighbors overlap by one element where a border between them would cut it in two.

    >>> [[p for _, p in seen] for seen in adaptive_windows((5,), 3)[0]]
    [[0, 1], [1, 2, 3], [3, 4]]
    """
    sizes = (output_size,) * len(spatial) if output_size is None or isinstance(output_size, int) else tuple(output_size)
    axes = []
    for n, given in zip(spatial, sizes, strict=True):
        out = n if given is None else given
        if out < 1:
            raise ValueError(f"an output size must be at least 1, got {output_size}")
        ranges = [range(i * n // out, -(-(i + 1) * n // out)) for i in range(out)]
        axes.append([list(enumerate(window)) for window in ranges])
    return axes


def adaptive_avg_pool(x: ArrayLike, output_size: OutputSize) -> Array:
    """The mean of each of `output_size` windows that cover the input evenly.

        y[n, i, c] = mean of x[n, p, c] over floor(i n / out) <= p < ceil((i + 1) n / out)

    Shapes: x (N, *spatial, C), one int or None (keep) per axis -> (N, *output_size, C). Integers give float32.
    Reference: He et al. 2014 (spatial pyramid pooling); the windows are PyTorch's.

    >>> adaptive_avg_pool(np.array([1.0, 2, 3, 4, 5]).reshape(1, 5, 1), 3)[0, :, 0]
    array([1.5, 3. , 4.5])
    """
    x = np.asarray(x)
    axes, dtype = adaptive_windows(spatial_shape(x), output_size), mean_dtype(x.dtype)
    x = widen(x.astype(dtype, copy=False))
    y = np.zeros((x.shape[0], *output_of(axes), x.shape[-1]), x.dtype)
    for o, taps in windows(axes):
        for _, p in taps:
            y[at(o)] += x[at(p)]
        y[at(o)] /= len(taps)
    return cast(y, dtype)


def adaptive_max_pool(x: ArrayLike, output_size: OutputSize) -> Array:
    """The largest element of each of `output_size` windows that cover the input evenly; NaN wins.

        y[n, i, c] = max of x[n, p, c] over floor(i n / out) <= p < ceil((i + 1) n / out)

    Shapes: x (N, *spatial, C), one int or None (keep) per axis -> (N, *output_size, C).
    Reference: He et al. 2014 (spatial pyramid pooling); the windows are PyTorch's.

    >>> adaptive_max_pool(np.array([1, 2, 3, 4, 5]).reshape(1, 5, 1), 3)[0, :, 0]
    array([2, 4, 5])
    """
    x = np.asarray(x)
    return first_extremum(x, adaptive_windows(spatial_shape(x), output_size))[0]


def global_avg_pool(x: ArrayLike, *, keepdims: bool = False) -> Array:
    """The mean of every channel over all of space.

    Shapes: x (N, *spatial, C) -> (N, C), or (N, 1, .., 1, C) with `keepdims`. Integers give float32.
    Reference: Lin et al. 2014 (Network in Network).

    >>> global_avg_pool(np.array([1.0, 2, 6]).reshape(1, 3, 1))
    array([[3.]])
    """
    y = adaptive_avg_pool(x, 1)
    return y if keepdims else y.reshape(y.shape[0], y.shape[-1])


def global_max_pool(x: ArrayLike, *, keepdims: bool = False) -> Array:
    """The maximum of every channel over all of space; NaN wins.

    Shapes: x (N, *spatial, C) -> (N, C), or (N, 1, .., 1, C) with `keepdims`.
    Reference: Oquab et al. 2015.

    >>> global_max_pool(np.array([1, 6, 2]).reshape(1, 3, 1))
    array([[6]])
    """
    y = adaptive_max_pool(x, 1)
    return y if keepdims else y.reshape(y.shape[0], y.shape[-1])

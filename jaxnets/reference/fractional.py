"""Fractional max pooling: windows at pseudo-random places, for reductions by less than two."""

import numpy as np
from numpy.typing import ArrayLike

from jaxnets.reference.dtypes import Array, widen
from jaxnets.reference.extremum import first_extremum
from jaxnets.reference.windows import Axis, PerAxis, per_axis, spatial_shape


def starts(u: np.floating, n: int, size: int, out: int) -> list[int]:
    """Where `out` windows of `size` begin along an axis of `n`, for a sample u in [0, 1).

    With alpha = (n - size) / (out - 1), window i begins at floor((i + u) alpha) - floor(u alpha), the last at
    n - size. The steps are floor(alpha) or ceil(alpha), in an order that u chooses. All in u's own precision.

    >>> starts(np.float32(0.0), 7, 2, 4), starts(np.float32(0.9), 7, 2, 4)
    ([0, 1, 3, 5], [0, 2, 3, 5])
    """
    if not 1 <= size <= n or out > n - size + 1:
        raise ValueError(f"{out} windows of {size} do not fit an axis of {n}")
    kind = type(u)
    alpha = kind(n - size) / kind(out - 1) if out > 1 else kind(0)
    return [int((kind(i) + u) * alpha) - int(u * alpha) for i in range(out - 1)] + [n - size]


def fractional_windows(u: Array, spatial: tuple[int, ...], size: PerAxis, output_size: PerAxis) -> list[Axis[int]]:
    """The windows of one channel of one sample, from its `u`, one number per spatial axis."""
    sizes, outs = per_axis(size, len(spatial)), per_axis(output_size, len(spatial))
    return [
        [[(t, start + t) for t in range(k)] for start in starts(sample, n, k, out)]
        for sample, n, k, out in zip(u, spatial, sizes, outs, strict=True)
    ]


def fractional_max_pool_with_indices(
    x: ArrayLike, size: PerAxis, output_size: PerAxis, *, samples: ArrayLike
) -> tuple[Array, Array]:
    """`fractional_max_pool`, and the flat positions of the maxima, as in `max_pool_with_indices`."""
    x, samples = np.asarray(x), widen(samples)
    spatial = spatial_shape(x)
    if samples.shape != (x.shape[0], x.shape[-1], len(spatial)):
        raise ValueError(f"samples must have the shape (N, C, rank), got {samples.shape} for x of {x.shape}")
    shape = (x.shape[0], *per_axis(output_size, len(spatial)), x.shape[-1])
    y, indices = np.zeros(shape, x.dtype), np.zeros(shape, np.int32)
    for n in range(x.shape[0]):
        for c in range(x.shape[-1]):
            axes = fractional_windows(samples[n, c], spatial, size, output_size)
            one, where = first_extremum(x[n : n + 1, ..., c : c + 1], axes)
            y[n, ..., c], indices[n, ..., c] = one[0, ..., 0], where[0, ..., 0]
    return y, indices


def fractional_max_pool(x: ArrayLike, size: PerAxis, output_size: PerAxis, *, samples: ArrayLike) -> Array:
    """The largest element of each window, the windows standing at pseudo-random places, other ones in every channel.

        y[n, o, c] = max over taps t of x[n, start[o] + t, c]     (`starts` says where; along each axis)

    Shapes: x (N, *spatial, C), samples (N, C, rank) in [0, 1), the last axis in the order of the spatial axes
    -> (N, *output_size, C). Raises ValueError if the windows do not fit.
    Reference: Graham 2014; the sequence of starts is PyTorch's.

    >>> x = np.arange(7).reshape(1, 7, 1)
    >>> fractional_max_pool(x, 2, 4, samples=np.zeros((1, 1, 1)))[0, :, 0]
    array([1, 2, 4, 6])
    """
    return fractional_max_pool_with_indices(x, size, output_size, samples=samples)[0]

"""Resizing: every output pixel is a weighted sum of the input pixels around its source coordinate."""

import math
from fractions import Fraction

import numpy as np
from numpy.typing import ArrayLike

from jaxnets.reference.dtypes import Array, cast, mean_dtype, widen
from jaxnets.reference.windows import Axis, PerAxis, at, output_of, per_axis, spatial_shape, windows


def source(i: int, n: int, out: int, align_corners: bool) -> Fraction:
    """The coordinate, among the centers of n input pixels, of output pixel i, as an exact fraction.

    Half-pixel centers: the two images cover the same area, (i + 1/2) n / out - 1/2. Aligned corners: their first
    and last pixels coincide, i (n - 1) / (out - 1), and 0 for a single pixel.

    >>> source(0, 2, 4, False), source(1, 2, 4, True)
    (Fraction(-1, 4), Fraction(1, 3))
    """
    if align_corners:
        return Fraction(i * (n - 1), out - 1) if out > 1 else Fraction(0)
    return Fraction((2 * i + 1) * n, 2 * out) - Fraction(1, 2)


def keys(distance: float, a: float = -0.75) -> float:
    """The cubic convolution kernel of Keys 1981: the weight of a pixel at a distance from the source coordinate.

    >>> keys(0.0), keys(1.0), keys(0.5), keys(1.5)
    (1.0, 0.0, 0.59375, -0.09375)
    """
    d = abs(distance)
    if d <= 1:
        return (a + 2) * d**3 - (a + 3) * d**2 + 1
    return a * d**3 - 5 * a * d**2 + 8 * a * d - 4 * a if d < 2 else 0.0


def axis_weights(n: int, out: int, method: str, align_corners: bool) -> Axis[float]:
    """For each output pixel along one axis, its (weight, input position) pairs. Beyond an edge stands the edge.

    >>> axis_weights(2, 4, "linear", False)[:2]
    [[(0.25, 0), (0.75, 0)], [(0.75, 0), (0.25, 1)]]
    """
    axis = []
    for i in range(out):
        x = source(i, n, out, align_corners)
        below = math.floor(x)
        if method == "nearest":  # a coordinate halfway between two pixels takes the upper one
            pairs = [(1.0, math.floor(x + Fraction(1, 2)))]
        elif method == "linear":
            pairs = [(1 - float(x - below), below), (float(x - below), below + 1)]
        elif method == "cubic":
            pairs = [(keys(float(x - p)), p) for p in range(below - 1, below + 3)]
        else:
            raise ValueError(f"unknown method {method!r}: nearest, linear or cubic")
        axis.append([(weight, min(max(p, 0), n - 1)) for weight, p in pairs])
    return axis


def resize(x: ArrayLike, output_size: PerAxis, method: str = "linear", *, align_corners: bool = False) -> Array:
    """Resize the spatial axes by interpolation, without smoothing first.

        y[n, o, c] = sum over neighbors p of weight(source(o) - p) x[n, clip(p), c]

    "nearest": the one pixel under the coordinate. "linear": two neighbors an axis, 1 - distance. "cubic": four, Keys's
    kernel with a = -0.75. Integers give float32, except by "nearest", which keeps every dtype.

    Shapes: x (N, *spatial, C) -> (N, *output_size, C).
    Reference: Keys 1981; the conventions are PyTorch's ("nearest" is its "nearest-exact").

    >>> resize(np.array([0.0, 4.0]).reshape(1, 2, 1), 4)[0, :, 0]
    array([0., 1., 3., 4.])
    """
    x = np.asarray(x)
    spatial = spatial_shape(x)
    sizes = per_axis(output_size, len(spatial))
    axes = [axis_weights(n, out, method, align_corners) for n, out in zip(spatial, sizes, strict=True)]
    dtype = x.dtype if method == "nearest" else mean_dtype(x.dtype)
    if method != "nearest":
        x = widen(x.astype(dtype, copy=False))
    y = np.zeros((x.shape[0], *output_of(axes), x.shape[-1]), x.dtype)
    for o, neighbors in windows(axes):
        for weights, p in neighbors:
            y[at(o)] += x[at(p)] if method == "nearest" else x[at(p)] * math.prod(weights)
    return cast(y, dtype)

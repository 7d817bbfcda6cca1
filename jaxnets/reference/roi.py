"""Regions of interest: the part of a map under a box in a fixed number of bins, one bin after another."""

import math

import numpy as np
from numpy.typing import ArrayLike

from jaxnets.reference.dtypes import Array
from jaxnets.reference.windows import PerAxis, per_axis


def pixel(image: Array, y: float, x: float) -> Array:
    """The image (H, W, C) between its pixels, bilinear; its edges reach one pixel further, and then it is 0."""
    height, width = image.shape[:2]
    if not (-1 <= y <= height and -1 <= x <= width):
        return np.zeros_like(image[0, 0])
    y, x = min(max(y, 0), height - 1), min(max(x, 0), width - 1)
    low, left = int(y), int(x)
    high, right = min(low + 1, height - 1), min(left + 1, width - 1)
    dy, dx = y - low, x - left
    top = (1 - dx) * image[low, left] + dx * image[low, right]
    return (1 - dy) * top + dy * ((1 - dx) * image[high, left] + dx * image[high, right])


def roi_align(
    x: ArrayLike,
    boxes: ArrayLike,
    output_size: PerAxis,
    *,
    scale: float = 1.0,
    sampling_ratio: int | None = None,
    aligned: bool = False,
) -> Array:
    """The mean of the map at points spread evenly over each bin: He et al. 2017.

    Shapes: x (N, H, W, C), boxes (N, R, 4) -> (N, R, *output_size, C).

    >>> roi_align(np.arange(4.0).reshape(1, 2, 2, 1), [[[0.0, 0.0, 2.0, 2.0]]], 1, aligned=True).ravel()
    array([1.5])
    """
    x, boxes = np.asarray(x), np.asarray(boxes)
    out = per_axis(output_size, 2)
    y = np.zeros((*boxes.shape[:2], *out, x.shape[-1]), x.dtype)
    for n, r in np.ndindex(*boxes.shape[:2]):
        left, top, right, bottom = boxes[n, r] * scale - (0.5 if aligned else 0)
        sides = [bottom - top, right - left] if aligned else [max(bottom - top, 1), max(right - left, 1)]
        steps = [side / bins for side, bins in zip(sides, out, strict=True)]
        counts = [math.ceil(step) if sampling_ratio is None else sampling_ratio for step in steps]
        for i, j in np.ndindex(*out):
            for ky, kx in np.ndindex(*(max(count, 0) for count in counts)):
                py = top + (i + (ky + 0.5) / counts[0]) * steps[0]
                px = left + (j + (kx + 0.5) / counts[1]) * steps[1]
                y[n, r, i, j] += pixel(x[n], py, px) / (counts[0] * counts[1])
    return y


def roi_pool(x: ArrayLike, boxes: ArrayLike, output_size: PerAxis, *, scale: float = 1.0) -> Array:
    """The maximum of the whole pixels of each bin, 0 where there are none: Girshick 2015.

    Shapes: x (N, H, W, C), boxes (N, R, 4) -> (N, R, *output_size, C).

    >>> roi_pool(np.arange(4.0).reshape(1, 2, 2, 1), [[[0.0, 0.0, 1.0, 1.0]]], 2).ravel()
    array([0., 1., 2., 3.])
    """
    x, boxes = np.asarray(x), np.asarray(boxes)
    out = per_axis(output_size, 2)
    y = np.zeros((*boxes.shape[:2], *out, x.shape[-1]), x.dtype)
    for n, r in np.ndindex(*boxes.shape[:2]):
        left, top, right, bottom = (int(math.copysign(math.floor(abs(c) + 0.5), c)) for c in boxes[n, r] * scale)
        spans = []
        for low, high, bins, size in ((top, bottom, out[0], x.shape[1]), (left, right, out[1], x.shape[2])):
            extent = max(high - low + 1, 1)
            edges = [(low + i * extent // bins, low - (-(i + 1) * extent // bins)) for i in range(bins)]
            spans.append([[min(max(edge, 0), size) for edge in pair] for pair in edges])
        for i, j in np.ndindex(*out):
            (y1, y2), (x1, x2) = spans[0][i], spans[1][j]
            part = x[n, y1:y2, x1:x2].reshape(-1, x.shape[-1])
            if len(part):
                y[n, r, i, j] = part.max(0)
    return y

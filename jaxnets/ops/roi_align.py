"""ROI align: the part of a map under a box, resampled to a fixed size; from one map or from a feature pyramid."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import log2
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxnets.ops import check
from jaxnets.ops.boxes import box_area, checked
from jaxnets.ops.geometry import Ints
from jaxnets.ops.precision import widen


def regions(op: str, x: jax.Array, boxes: jax.Array, name: str = "x") -> tuple[jax.Array, jax.Array]:
    """A map (N, H, W, C) and its boxes (N, R, 4), checked. The boxes are constants to the gradient."""
    x, boxes = check.floating(op, x, name), checked(op, boxes, rank=3)
    if x.ndim != 4 or x.shape[0] != boxes.shape[0] or 0 in x.shape[1:3]:
        raise ValueError(
            f"{op}: {name} has shape {x.shape} and boxes {boxes.shape}; pass (N, H, W, C), no side of it 0, and (N, R, "
            f"4), as many boxes for each image"
        )
    return x, jax.lax.stop_gradient(widen(boxes))


class _Axis(NamedTuple):
    """Where boxes lie along one axis of a map: (K,) each, in pixels of the map."""

    start: jax.Array
    extent: jax.Array
    n: jax.Array

    def points(self, out: int, count: jax.Array, k: jax.Array) -> jax.Array:
        """Sampling point `k` (float) of `count` in every one of `out` bins: (K, out)."""
        size = self.extent / out
        bins = jnp.arange(out, dtype=size.dtype)[None]
        return self.start[:, None] + bins * size[:, None] + ((k + 0.5) * size / count)[:, None]

    def clamped(self, p: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Points (K, out) moved onto the map, and whether they count: those over a pixel away do not."""
        n = self.n[:, None].astype(p.dtype)
        return jnp.clip(p, 0, n - 1), ((p >= -1) & (p <= n)).astype(p.dtype)


def _axes(
    boxes: jax.Array, scale: jax.Array, height: jax.Array, width: jax.Array, aligned: bool
) -> tuple[_Axis, _Axis]:
    """Along height and along width, for boxes (K, 4) and the scale, height and width (K,) of each one's map."""
    corners = boxes * scale[:, None] - (0.5 if aligned else 0.0)
    extent = corners[:, 2:] - corners[:, :2]
    if not aligned:  # as it was before: half a pixel off, and no box under a pixel
        extent = jnp.maximum(extent, jnp.ones_like(extent))
    return _Axis(corners[:, 1], extent[:, 1], height), _Axis(corners[:, 0], extent[:, 0], width)


def _gathered(
    flat: jax.Array, first: jax.Array, rows: _Axis, columns: _Axis, out: tuple[int, ...], ratio: int
) -> jax.Array:
    """Means of ratio × ratio points a bin, each of four pixels: flat (P, C), first pixel of each box's map (K,)."""

    def neighbors(axis: _Axis, size: int, k: jax.Array) -> list[tuple[jax.Array, jax.Array]]:
        p, counts = axis.clamped(axis.points(size, jnp.asarray(ratio, axis.start.dtype), k.astype(axis.start.dtype)))
        low = jnp.floor(p).astype(jnp.int32)
        share = p - low.astype(p.dtype)
        high = jnp.minimum(low + 1, axis.n[:, None] - 1)
        return [(low, counts * (1 - share)), (high, counts * share)]

    def add(total: jax.Array, k: jax.Array) -> tuple[jax.Array, None]:
        for y, y_share in neighbors(rows, out[0], k // ratio):
            for x, x_share in neighbors(columns, out[1], k % ratio):
                at = (first[:, None] + y * columns.n[:, None])[:, :, None] + x[:, None, :]
                weight = y_share[:, :, None] * x_share[:, None, :]
                total = total + widen(flat[at]) * weight[..., None].astype(total.dtype)
        return total, None

    zeros = jnp.zeros((first.shape[0], *out, flat.shape[-1]), widen(flat[:0]).dtype)
    total, _ = jax.lax.scan(add, zeros, jnp.arange(ratio * ratio, dtype=jnp.int32))
    return total / ratio**2


def _shares(axis: _Axis, out: int, n: int) -> jax.Array:
    """(K, out, n): how much of each pixel along an axis a bin takes, points being as many as the box has pixels."""
    count = jnp.ceil(axis.extent / out)
    pixels = jnp.arange(n, dtype=count.dtype)[None, None]

    def add(k: jax.Array, total: jax.Array) -> jax.Array:
        p, counts = axis.clamped(axis.points(out, jnp.maximum(count, 1), k.astype(count.dtype)))
        counts = counts * (k.astype(count.dtype) < count)[:, None].astype(counts.dtype)
        return total + counts[..., None] * jnp.maximum(1 - jnp.abs(p[..., None] - pixels), 0)

    zeros = jnp.zeros((count.shape[0], out, n), count.dtype)
    most = jnp.max(count, initial=0).astype(jnp.int32)
    return jax.lax.fori_loop(0, most, add, zeros) / jnp.maximum(count, 1)[:, None, None]


def _ratio(op: str, value: int | None) -> int | None:
    return None if value is None else check.whole(op, value, "sampling_ratio")


def roi_align(
    x: jax.Array,
    boxes: jax.Array,
    output_size: Ints,
    *,
    scale: float = 1.0,
    sampling_ratio: int | None = None,
    aligned: bool = False,
) -> jax.Array:
    """What is under each box, in bins: the mean of the map at points spread evenly over the bin, interpolated.

    Shapes: x (N, H, W, C), boxes (N, R, 4) → (N, R, *output_size, C), the dtype of x; R boxes for each image.

    Args:
        x: a map.
        boxes: (x1, y1, x2, y2), in pixels of the image; constants to the gradient, as in torchvision.
        output_size: bins, an int or (along height, along width).
        scale: pixels of the map per pixel of the image: 1 / 16 for a map 16 times smaller.
        sampling_ratio: points a bin and axis; None: as many as it has pixels, rounded up.
        aligned: True takes half a pixel off, since pixel centers lie at halves, and lets boxes be smaller than a pixel.
            False is torchvision's default, and what its detectors were trained with.

    Points over a pixel outside of the map count as 0. Raises `ValueError` for shapes that do not fit, `TypeError` for
    integers. Gradient: to x, each pixel by its shares. Cost: with a ratio s, 4 s² gathered pixels a bin (the gradient
    is a scatter); with None, two matrix products a box with whole sides of the map, good for small maps. He et al.,
    2017, https://arxiv.org/abs/1703.06870. torchvision's `roi_align`.

    >>> x = jnp.arange(16.0).reshape(1, 4, 4, 1)
    >>> roi_align(x, jnp.array([[[0.5, 0.5, 2.5, 2.5]]]), 2, sampling_ratio=1, aligned=True)[0, 0, ..., 0]
    Array([[2.5, 3.5],
           [6.5, 7.5]], dtype=float32)
    """
    op = "roi_align"
    x, boxes = regions(op, x, boxes)
    out, ratio = check.per_axis(op, output_size, 2, "output_size"), _ratio(op, sampling_ratio)
    (n, height, width, channels), each = x.shape, boxes.shape[1]

    def of_each(value: int) -> jax.Array:
        return jnp.full((n * each,), value, jnp.int32)

    scales = jnp.full((n * each,), scale, boxes.dtype)
    rows, columns = _axes(boxes.reshape(-1, 4), scales, of_each(height), of_each(width), bool(aligned))
    if ratio is not None:
        first = jnp.repeat(jnp.arange(n, dtype=jnp.int32) * (height * width), each)
        y = _gathered(x.reshape(-1, channels), first, rows, columns, out, ratio)
    else:
        along_y = _shares(rows, out[0], height).reshape(n, each, out[0], height)
        along_x = _shares(columns, out[1], width).reshape(n, each, out[1], width)
        wide, exact = widen(x), jax.lax.Precision.HIGHEST
        strips = jnp.einsum("nrih,nhwc->nriwc", along_y.astype(wide.dtype), wide, precision=exact)
        y = jnp.einsum("nrjw,nriwc->nrijc", along_x.astype(wide.dtype), strips, precision=exact)
    return y.reshape(n, each, *out, channels).astype(x.dtype)


def roi_levels(
    boxes: jax.Array, least: int, most: int, *, canonical_size: float = 224.0, canonical_level: int = 4
) -> jax.Array:
    """Which level of a feature pyramid a box is looked at on: a box of twice the side, one level up.

    Shapes: (..., 4) → (...) int32, `least` to `most`; level l has strides of 2**l pixels, and a box with the area of
    a square of `canonical_size` pixels is on `canonical_level`. Lin et al., 2017, https://arxiv.org/abs/1612.03144,
    equation 1.

    >>> roi_levels(jnp.array([[0.0, 0.0, 224.0, 224.0], [0.0, 0.0, 100.0, 100.0], [0.0, 0.0, 9.0, 9.0]]), 2, 5)
    Array([4, 2, 2], dtype=int32)
    """
    side = jnp.sqrt(jnp.maximum(box_area(checked("roi_levels", boxes)), 0))
    level = jnp.floor(canonical_level + jnp.log2(side / canonical_size) + 1e-6)
    return jnp.clip(level, least, most).astype(jnp.int32)


def pyramid_roi_align(
    maps: Sequence[jax.Array],
    boxes: jax.Array,
    output_size: Ints,
    *,
    strides: Sequence[int] = (4, 8, 16, 32),
    sampling_ratio: int = 2,
    aligned: bool = False,
    canonical_size: float = 224.0,
    canonical_level: int = 4,
) -> jax.Array:
    """`roi_align`, each box from the level of a feature pyramid that `roi_levels` says.

    Shapes: maps, (N, H, W, C) each, finest first; boxes (N, R, 4) → (N, R, *output_size, C). `strides`: pixels of the
    image per pixel of each map, each twice the one before; other arguments as in `roi_align` and `roi_levels`. Raises
    `ValueError` for maps and strides that do not fit. Gradient: to the maps. Cost: that of one `roi_align` with this
    ratio: a box gathers from its own level only. torchvision's `MultiScaleRoIAlign`.

    >>> maps = [jnp.ones((1, 8, 8, 3)), jnp.zeros((1, 4, 4, 3))]
    >>> small_and_large = jnp.array([[[0.0, 0.0, 8.0, 8.0], [0.0, 0.0, 250.0, 250.0]]])
    >>> pyramid_roi_align(maps, small_and_large, 1, strides=(4, 8))[0, :, 0, 0, 0]
    Array([1., 0.], dtype=float32)
    """
    op = "pyramid_roi_align"
    out, ratio = check.per_axis(op, output_size, 2, "output_size"), check.whole(op, sampling_ratio, "sampling_ratio")
    if not len(maps) or len(maps) != len(strides) or any(b != 2 * a for a, b in pairwise(strides)):
        raise ValueError(
            f"{op}: {len(maps)} maps have strides {tuple(strides)}; pass one for each, each twice the one before"
        )
    for i, x in enumerate(maps):
        regions(op, x, boxes, f"maps[{i}]")
        if x.shape[-1] != maps[0].shape[-1] or x.dtype != maps[0].dtype:
            raise ValueError(f"{op}: maps[{i}] is {x.dtype}{list(x.shape)}, the first {maps[0].shape}; channels differ")
    _, boxes = regions(op, maps[0], boxes, "maps[0]")
    n, each, channels = boxes.shape[0], boxes.shape[1], maps[0].shape[-1]
    least = round(log2(strides[0]))
    levels = roi_levels(
        boxes, least, least + len(maps) - 1, canonical_size=canonical_size, canonical_level=canonical_level
    )
    level = (levels - least).reshape(-1)
    sides = np.array([x.shape[1:3] for x in maps], np.int32)
    begins = np.concatenate([[0], np.cumsum([x.shape[0] * x.shape[1] * x.shape[2] for x in maps])[:-1]])
    height, width = jnp.asarray(sides[:, 0])[level], jnp.asarray(sides[:, 1])[level]
    image = jnp.repeat(jnp.arange(n, dtype=jnp.int32), each)
    first = jnp.asarray(begins.astype(np.int32))[level] + image * height * width
    scales = jnp.asarray(1 / np.asarray(strides), boxes.dtype)[level]
    rows, columns = _axes(boxes.reshape(-1, 4), scales, height, width, bool(aligned))
    flat = jnp.concatenate([x.reshape(-1, channels) for x in maps])
    y = _gathered(flat, first, rows, columns, out, ratio)
    return y.reshape(n, each, *out, channels).astype(maps[0].dtype)

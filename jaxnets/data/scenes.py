"""Scenes: small scans scattered over larger canvases, with all that a detector or a segmenter is to find in them."""

from __future__ import annotations

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp

SOLID = 0.35  # share of ink above which a pixel belongs to a scan


class Scenes(NamedTuple):
    """N scenes with G things each at most; what is not `valid` is not there.

    Attributes:
        images: (N, S, S, 1) float32 in [0, 1].
        boxes: (N, G, 4) float32, corners x1, y1, x2, y2 in pixels, round all of a thing, covered or not; zeros where
            there is none.
        labels: (N, G) int32, 0 where there is none.
        valid: (N, G) bool.
        masks: (N, G, S, S) bool, the pixels of a thing that are to be seen; no pixel is two things'.
    """

    images: jax.Array
    boxes: jax.Array
    labels: jax.Array
    valid: jax.Array
    masks: jax.Array


def scatter(
    key: jax.Array,
    scans: jax.Array,
    labels: jax.Array,
    count: int,
    *,
    size: int = 64,
    things: int = 7,
    sides: tuple[float, float] = (12.0, 26.0),
    stretch: float = 0.2,
    overlap: float = 0.2,
    clutter: int = 4,
    noise: float = 0.05,
) -> Scenes:
    """Make `count` scenes: scans of many sizes on a background that darkens to one side, among pieces of other scans.

    Shapes: scans (M, h, w, 1) in [0, 1], bright on black, labels (M,) integers → `Scenes`. Bind all but the key with
    `functools.partial` to compile it: then a training step can have scenes that nobody has seen before.

    Args:
        key: draws everything.
        count: N, how many scenes.
        size: S, side of a scene in pixels.
        things: G, how many scans are tried; one that would cover too much of another is left out.
        sides: the least and the largest height of a scan in pixels; its logarithm is uniform.
        stretch: of the logarithm of a scan's width over its height.
        overlap: how much of the smaller of two boxes the larger may cover, from 0 to 1.
        clutter: pieces, a quarter of some scan each, that are nothing to be found.
        noise: standard deviation, added to each pixel.

    Raises:
        ValueError: scans and labels that do not fit, numbers out of range, or scans larger than the scene.
        TypeError: scans that are not floats, or labels that are not integers.

    Gradient: to scans. Cost: `things + clutter` times N times two matrix products of an image's size.
    Reference: Mnih, Heess, Graves and Kavukcuoglu (2014), Recurrent Models of Visual Attention,
    https://arxiv.org/abs/1406.6247, whose "cluttered translated MNIST" this is, with more than one thing in a scene.

    >>> from jaxnets import data
    >>> digits = data.digits()
    >>> scenes = scatter(jax.random.key(0), digits.train_images, digits.train_labels, 2, things=5)
    >>> scenes.images.shape, scenes.boxes.shape, scenes.masks.shape, int(scenes.masks.sum(1).max())
    ((2, 64, 64, 1), (2, 5, 4), (2, 5, 64, 64), 1)
    """
    scans, labels = jnp.asarray(scans), jnp.asarray(labels)
    _check(scans, labels, count, size, things, sides, stretch, overlap, clutter, noise)
    keys = jax.random.split(key, 3)
    many = (count, things + clutter)
    # One draw for all: each kind of number costs half a second to compile.
    which, tall, wide, down, right, cut_down, cut_right, bright = jax.random.uniform(keys[0], (8, *many))
    chosen = jnp.minimum((which * len(scans)).astype(jnp.int32), len(scans) - 1)
    heights = jnp.exp(math.log(sides[0]) + tall * math.log(sides[1] / sides[0]))
    widths = jnp.minimum(heights * jnp.exp(stretch * (2 * wide - 1)), size)

    pieces = scans[chosen, ..., 0] * _windows(cut_down, cut_right, scans.shape[1:3], whole=things)
    rows = _spread(down * (size - heights), heights, scans.shape[1], size)
    columns = _spread(right * (size - widths), widths, scans.shape[2], size)
    alpha = jnp.einsum("ngsh,nghw,ngtw->ngst", rows, pieces, columns)

    solid = alpha[:, :things] > SOLID
    boxes = _boxes(solid)
    valid = _apart(boxes, overlap) & solid.any((2, 3))
    alpha = alpha.at[:, :things].multiply(valid[..., None, None].astype(alpha.dtype))
    inks = 0.6 + 0.4 * bright
    order = [*range(things, things + clutter), *range(things)]  # clutter first, so that it hides nothing

    def over(below: jax.Array, layer: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, None]:
        cover, shade = layer
        return below + cover * (shade[:, None, None] - below), None

    layers = jnp.moveaxis(alpha, 1, 0)[jnp.array(order)], inks.T[jnp.array(order)]
    images = jax.lax.scan(over, _ramps(keys[1], count, size), layers)[0]
    images = images + noise * jax.random.normal(keys[2], images.shape)

    def under(above: jax.Array, mask: jax.Array) -> tuple[jax.Array, jax.Array]:
        return above | mask, mask & ~above

    solid = jnp.moveaxis(solid & valid[..., None, None], 1, 0)
    masks = jax.lax.scan(under, jnp.zeros(images.shape, bool), solid, reverse=True)[1]  # the last one lies on top
    return Scenes(
        jnp.clip(images, 0.0, 1.0)[..., None],
        jnp.where(valid[..., None], boxes, 0.0),
        jnp.where(valid, labels[chosen[:, :things]].astype(jnp.int32), 0),
        valid,
        jnp.moveaxis(masks, 0, 1),
    )


def _windows(down: jax.Array, right: jax.Array, shape: tuple[int, ...], whole: int) -> jax.Array:
    """(N, K, h, w): 1 all over for the first `whole` of each scene, in a window of half the sides for the others, which
    is `down` and `right` of the way to the last place it has."""
    inside = []
    for start, n in zip((down, right), shape, strict=True):
        at, half = jnp.arange(n)[None, None], -(-n // 2)
        first = jnp.floor(start * (n - half + 1)).astype(jnp.int32)[..., None]
        inside.append((at >= first) & (at < first + half))
    seen = inside[0][..., :, None] & inside[1][..., None, :]
    return (seen | (jnp.arange(down.shape[1]) < whole)[None, :, None, None]).astype(jnp.float32)


def _spread(start: jax.Array, extent: jax.Array, n: int, size: int) -> jax.Array:
    """(N, K, size, n): how much each of n pixels counts in each of `size`, when they fill `extent` from `start` on;
    linear in between, nothing outside."""
    middles = jnp.arange(size, dtype=jnp.float32)[None, None] + 0.5
    at = (middles - start[..., None]) / extent[..., None] * n - 0.5
    return jax.nn.relu(1 - jnp.abs(at[..., None] - jnp.arange(n, dtype=jnp.float32)[None, None, None]))


def _boxes(solid: jax.Array) -> jax.Array:
    """The smallest boxes round masks, (N, G, S, S) → (N, G, 4)."""
    sides = []
    for along in (solid.any(2), solid.any(3)):  # columns, then rows
        first = jnp.argmax(along, -1)
        last = along.shape[-1] - jnp.argmax(along[..., ::-1], -1)
        sides.append((first, last))
    (left, right), (top, bottom) = sides
    return jnp.stack([left, top, right, bottom], -1).astype(jnp.float32)


def _apart(boxes: jax.Array, overlap: float) -> jax.Array:
    """Which boxes stand, (N, G): one after the other, those that share no more than that with one that stands."""
    corner = jnp.maximum(boxes[:, :, None, :2], boxes[:, None, :, :2])
    shared = jax.nn.relu(jnp.minimum(boxes[:, :, None, 2:], boxes[:, None, :, 2:]) - corner).prod(-1)
    area = (boxes[..., 2:] - boxes[..., :2]).prod(-1)
    clash = shared > overlap * jnp.minimum(area[:, :, None], area[:, None])

    def next_one(i: jax.Array, stands: jax.Array) -> jax.Array:
        return stands.at[:, i].set(~(stands & clash[:, :, i]).any(-1))

    return jax.lax.fori_loop(0, boxes.shape[1], next_one, jnp.zeros(boxes.shape[:2], bool))


def _ramps(key: jax.Array, count: int, size: int) -> jax.Array:
    """(N, S, S): a slope of gray in some direction, from 0 to 0.5 at most."""
    ends = jax.random.uniform(key, (count, 4), maxval=0.25)
    at = jnp.linspace(0.0, 1.0, size)[None]
    rows, columns = (ends[:, i, None] * (1 - at) + ends[:, i + 1, None] * at for i in (0, 2))
    return rows[:, :, None] + columns[:, None, :]


def _check(scans, labels, count, size, things, sides, stretch, overlap, clutter, noise):  # type: ignore[no-untyped-def]
    if scans.ndim != 4 or scans.shape[-1] != 1 or 0 in scans.shape:
        raise ValueError(f"scatter: scans have shape {scans.shape}; pass (M, h, w, 1), at least one scan")
    if labels.shape != scans.shape[:1]:
        raise ValueError(f"scatter: labels have shape {labels.shape}; {len(scans)} scans need ({len(scans)},)")
    if not jnp.issubdtype(scans.dtype, jnp.floating):
        raise TypeError(f"scatter: scans have dtype {scans.dtype}; pass floats in [0, 1], such as scans / 255")
    if not jnp.issubdtype(labels.dtype, jnp.integer):
        raise TypeError(f"scatter: labels have dtype {labels.dtype}; pass class numbers, integers")
    for name, value, least in (("count", count, 1), ("size", size, 1), ("things", things, 1), ("clutter", clutter, 0)):
        if not isinstance(value, int) or value < least:
            raise ValueError(f"scatter: {name} is {value!r}; pass an int, at least {least}")
    if not 1 <= sides[0] <= sides[1] <= size:
        raise ValueError(f"scatter: sides is {sides}; pass the least and the largest, from 1 to size, which is {size}")
    if not 0 <= overlap <= 1:
        raise ValueError(f"scatter: overlap is {overlap}; pass a share, from 0 to 1")
    for name, value in (("stretch", stretch), ("noise", noise)):
        if not value >= 0:
            raise ValueError(f"scatter: {name} is {value}; pass 0 or more")

"""Cases of the ops whose windows are not given by size and stride alone."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from jaxnets.testing.case import Case, Shape
from jaxnets.testing.strategies.common import (
    MODES,
    RANKS,
    Draw,
    draw_axes,
    draw_batch,
    draw_channels,
    draw_dtype,
    draw_seed,
    most,
    number,
    pick,
    spell,
    st,
)
from jaxnets.testing.strategies.windows import draw_sliding

Strings = Sequence[str] | None


def _spatial(draw: Draw, ranks: Sequence[int], max_size: int) -> Shape:
    rank = int(pick(draw, ranks))
    return tuple(number(draw, 1, most(rank, max_size)) for _ in range(rank))


@st.composite
def adaptive_cases(
    draw: Draw,
    op: str = "adaptive_avg_pool",
    *,
    ranks: Sequence[int] = RANKS,
    dtypes: Strings = None,
    max_size: int = 7,
) -> Case:
    """Legal calls of "adaptive_avg_pool" or "adaptive_max_pool": output sizes below, equal to and above the input's."""
    spatial = _spatial(draw, ranks, max_size)
    output = tuple(pick(draw, (*range(1, n + 3), None)) for n in spatial)
    fill = pick(draw, ("distinct", "ties", "special") if "max" in op else ("normal",))
    shapes = {"x": (draw_batch(draw), *spatial, draw_channels(draw))}
    kwargs = {"output_size": spell(draw, output)}
    return Case(op, shapes, kwargs, draw_dtype(draw, dtypes, integers=True), fill, draw_seed(draw))


@st.composite
def global_cases(
    draw: Draw,
    op: str = "global_avg_pool",
    *,
    ranks: Sequence[int] = RANKS,
    dtypes: Strings = None,
    max_size: int = 7,
) -> Case:
    """Legal calls of "global_avg_pool" or "global_max_pool"."""
    fill = pick(draw, ("distinct", "ties", "special") if "max" in op else ("normal",))
    shapes = {"x": (draw_batch(draw), *_spatial(draw, ranks, max_size), draw_channels(draw))}
    kwargs = {"keepdims": draw(st.booleans())}
    return Case(op, shapes, kwargs, draw_dtype(draw, dtypes, integers=True), fill, draw_seed(draw))


@st.composite
def resize_cases(
    draw: Draw,
    *,
    ranks: Sequence[int] = RANKS,
    dtypes: Strings = None,
    max_size: int = 7,
    methods: Sequence[str] = ("linear", "nearest", "cubic"),
) -> Case:
    """Legal calls `resize(x, output_size, method, align_corners=)`, smaller and larger."""
    spatial = _spatial(draw, ranks, max_size)
    output = draw_axes(draw, len(spatial), 1, most(len(spatial), max_size) + 2)
    method = pick(draw, methods)
    kwargs = {"output_size": spell(draw, output), "method": method, "align_corners": draw(st.booleans())}
    shapes = {"x": (draw_batch(draw), *spatial, draw_channels(draw))}
    dtype = draw_dtype(draw, dtypes, integers=method == "nearest")
    return Case("resize", shapes, kwargs, dtype, "normal", draw_seed(draw))


@st.composite
def patch_cases(
    draw: Draw,
    op: str = "unfold",
    *,
    ranks: Sequence[int] = RANKS,
    dtypes: Strings = None,
    max_size: int = 7,
    max_kernel: int = 3,
    paddings: Strings = None,
) -> Case:
    """Legal calls of "unfold" (x to patches) or "fold" (patches to x)."""
    window = draw_sliding(draw, ranks, max_size, max_kernel, default_padding="VALID", paddings=paddings, options=None)
    n, c = draw_batch(draw), draw_channels(draw)
    kwargs = {"size": spell(draw, window.size), **window.kwargs}
    shapes: dict[str, Shape] = {"x": (n, *window.spatial, c)}
    if op == "fold":
        shapes = {"y": (n, *window.out, prod(window.size) * c)}
        kwargs["output_size"] = spell(draw, window.spatial)
    return Case(op, shapes, kwargs, draw_dtype(draw, dtypes, integers=True), "normal", draw_seed(draw))


@st.composite
def pad_cases(
    draw: Draw, *, ranks: Sequence[int] = RANKS, dtypes: Strings = None, max_size: int = 7, modes: Sequence[str] = MODES
) -> Case:
    """Legal calls `pad(x, pads, mode)`, modes mixed at times."""
    spatial = _spatial(draw, ranks, max_size)
    chosen = (pick(draw, modes),) * len(spatial) if draw(st.booleans()) else tuple(pick(draw, modes) for _ in spatial)
    limits = [{"reflect": n - 1, "circular": n}.get(mode, 3) for n, mode in zip(spatial, chosen, strict=True)]
    pairs = tuple((number(draw, 0, limit), number(draw, 0, limit)) for limit in limits)
    kwargs = {"pads": pairs, "mode": spell(draw, chosen)}
    shapes = {"x": (draw_batch(draw), *spatial, draw_channels(draw))}
    return Case("pad", shapes, kwargs, draw_dtype(draw, dtypes, integers=True), "normal", draw_seed(draw))


@st.composite
def blur_cases(
    draw: Draw, *, ranks: Sequence[int] = RANKS, dtypes: Strings = None, max_size: int = 7, modes: Sequence[str] = MODES
) -> Case:
    """Legal calls `blur_pool(x, size, stride, padding_mode=)`."""
    rank = int(pick(draw, ranks))
    size, stride = number(draw, 1, 5 if rank < 3 else 3), draw_axes(draw, rank, 1, 3)
    least = size // 2 + 1  # reflection needs one element more than it copies
    spatial = tuple(number(draw, least, max(least, most(rank, max_size))) for _ in range(rank))
    kwargs = {"size": size, "stride": spell(draw, stride), "padding_mode": pick(draw, modes)}
    shapes = {"x": (draw_batch(draw), *spatial, draw_channels(draw))}
    return Case("blur_pool", shapes, kwargs, draw_dtype(draw, dtypes, integers=False), "normal", draw_seed(draw))


@st.composite
def fractional_cases(draw: Draw, *, ranks: Sequence[int] = RANKS, dtypes: Strings = None, max_size: int = 7) -> Case:
    """Legal calls `fractional_max_pool(x, size, output_size, samples=)`; the samples, float32, come from the seed."""
    spatial = _spatial(draw, ranks, max_size)
    size = tuple(number(draw, 1, min(n, 3)) for n in spatial)
    output = tuple(number(draw, 1, n - k + 1) for n, k in zip(spatial, size, strict=True))
    n, c = draw_batch(draw), draw_channels(draw)
    shapes = {"x": (n, *spatial, c), "samples": (n, c, len(spatial))}
    kwargs = {"size": spell(draw, size), "output_size": spell(draw, output)}
    dtype = draw_dtype(draw, dtypes, integers=True)
    return Case("fractional_max_pool", shapes, kwargs, dtype, pick(draw, ("distinct", "ties")), draw_seed(draw))


@st.composite
def block_cases(
    draw: Draw, op: str = "space_to_depth", *, ranks: Sequence[int] = RANKS, dtypes: Strings = None
) -> Case:
    """Legal calls of "space_to_depth" or "depth_to_space"."""
    rank = int(pick(draw, ranks))
    block, counts = draw_axes(draw, rank, 1, 3 if rank < 3 else 2), draw_axes(draw, rank, 1, 3)
    spatial, c = tuple(n * b for n, b in zip(counts, block, strict=True)), draw_channels(draw)
    large, deep = (*spatial, c), (*counts, prod(block) * c)
    shapes = {"x": (draw_batch(draw), *(large if op == "space_to_depth" else deep))}
    kwargs = {"block": spell(draw, block)}
    return Case(op, shapes, kwargs, draw_dtype(draw, dtypes, integers=True), "normal", draw_seed(draw))


@st.composite
def unpool_cases(
    draw: Draw, *, ranks: Sequence[int] = RANKS, dtypes: Strings = None, max_size: int = 7, max_kernel: int = 3
) -> Case:
    """Legal calls `max_unpool(y, indices, size, stride, padding=, output_size=)`, no index given twice.

    Windows do not overlap, so there are at least as many positions as maxima.
    """
    window = draw_sliding(
        draw,
        ranks,
        max_size,
        max_kernel,
        default_padding="VALID",
        paddings=("VALID", "SAME", "int", "ints", "pairs"),
        options=("padding",),
        pool=True,
    )
    shape = (draw_batch(draw), *window.out, draw_channels(draw))
    kwargs = {"size": spell(draw, window.size), **window.kwargs, "output_size": window.spatial}
    shapes = {"y": shape, "indices": shape}
    return Case("max_unpool", shapes, kwargs, draw_dtype(draw, dtypes, integers=True), "normal", draw_seed(draw))


NORMS = ("batch_norm", "layer_norm", "group_norm", "instance_norm", "rms_norm")


@st.composite
def norm_cases(
    draw: Draw, op: str = "layer_norm", *, ranks: Sequence[int] = RANKS, dtypes: Strings = None, max_size: int = 4
) -> Case:
    """Legal calls of one of `NORMS`: no vectors, `scale`, or, but for "rms_norm", `scale` and `shift`."""
    shape = (draw_batch(draw), *_spatial(draw, ranks, max_size), draw_channels(draw))
    shapes: dict[str, Shape] = {"x": shape}
    if op == "batch_norm":
        shapes |= {"mean": shape[-1:], "var": shape[-1:]}
    vectors = ("scale", "shift") if op != "rms_norm" else ("scale",)
    for name in vectors[: number(draw, 0, len(vectors))]:
        shapes[name] = shape[-1:]
    kwargs: dict[str, object] = {"eps": pick(draw, (1e-5, 1e-2, 1.0))}
    if op == "group_norm":
        kwargs["groups"] = pick(draw, [g for g in range(1, shape[-1] + 1) if shape[-1] % g == 0])
    return Case(op, shapes, kwargs, draw_dtype(draw, dtypes, integers=False), "normal", draw_seed(draw))


@st.composite
def dense_cases(draw: Draw, *, ranks: Sequence[int] = (1, 0, 2), dtypes: Strings = None, max_size: int = 7) -> Case:
    """Legal calls `dense(x, w, b)`; `ranks` counts the axes before the features."""
    rank = int(pick(draw, ranks))
    d, k = number(draw, 1, max_size), number(draw, 1, max_size)
    shapes: dict[str, Shape] = {"x": (*(number(draw, 0, 3) for _ in range(rank)), d), "w": (d, k)}
    if draw(st.booleans()):
        shapes["b"] = (k,)
    return Case("dense", shapes, {}, draw_dtype(draw, dtypes, integers=True), "normal", draw_seed(draw))

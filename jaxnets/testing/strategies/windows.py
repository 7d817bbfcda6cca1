"""Sliding windows that fit: size, stride, dilation and padding are drawn first, then an input that they suit.

Nothing is filtered out: for every choice of the others the input of one window's extent is legal, so there always is
one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from jaxnets.reference.windows import axis_windows, extent, output_length, pads
from jaxnets.testing.strategies.common import Draw, draw_axes, most, number, pick, spell, st, wanted

PADDINGS = ("VALID", "SAME", "CAUSAL", "int", "ints", "pairs")


class Sliding(NamedTuple):
    """What was drawn: the input, the output and the window of each axis, and the keyword arguments that say so."""

    spatial: tuple[int, ...]
    out: tuple[int, ...]
    size: tuple[int, ...]
    stride: tuple[int, ...]
    dilation: tuple[int, ...]
    pads: tuple[tuple[int, int], ...]
    kwargs: dict[str, Any]  # padding, and dilation, stride, padding_mode and ceil_mode where they are drawn


def fits(n: int, k: int, s: int, d: int, low: int, high: int, mode: str, ceil: bool, real: bool) -> bool:
    """Whether a window suits an axis of `n` elements; `real`: each window must see one of them."""
    if n + low + high < extent(k, d) or max(low, high) > {"reflect": n - 1, "circular": n}.get(mode, low + high):
        return False
    windows = axis_windows(output_length(n, extent(k, d), s, low, high, ceil), n, k, s, d, low)
    return all(windows) or not real


def draw_sliding(
    draw: Draw,
    ranks: Sequence[int],
    max_size: int,
    max_kernel: int,
    *,
    default_padding: str,
    paddings: Sequence[str] | None,
    options: Sequence[str] | None,
    modes: Sequence[str] = ("zeros",),
    pool: bool = False,
) -> Sliding:
    """Draw windows for a convolution, or for a `pool`: each then sees a real element, and `ceil_mode` is drawn."""
    rank = int(pick(draw, ranks))
    sizes = draw_axes(draw, rank, 1, min(max_kernel, 3) if rank == 3 else max_kernel)
    stride_given = wanted("stride", options)
    if pool and (not stride_given or draw(st.booleans())):
        strides, stride_given = sizes, False
    else:
        strides = draw_axes(draw, rank, 1, 3) if stride_given else (1,) * rank
    dilations = draw_axes(draw, rank, 1, 2) if wanted("dilation", options) else (1,) * rank
    ceil = bool(pool and wanted("ceil_mode", options) and draw(st.booleans()))
    mode = _draw_modes(draw, rank, modes) if wanted("padding_mode", options) else ("zeros",) * rank
    form = pick(draw, paddings or PADDINGS) if wanted("padding", options) else default_padding
    explicit = _draw_explicit(draw, form, sizes, dilations, mode, pool)

    spatial = []
    for axis, (k, s, d, m) in enumerate(zip(sizes, strides, dilations, mode, strict=True)):
        suited = []
        for n in (*range(1, most(rank, max_size) + 1), extent(k, d)):
            ((low, high),) = pads(form, (n,), (k,), (s,), (d,)) if explicit is None else (explicit[axis],)
            if fits(n, k, s, d, low, high, m, ceil, pool):
                suited.append(n)
        spatial.append(int(pick(draw, suited)))

    shape = tuple(spatial)
    pairs = explicit or pads(form, shape, sizes, strides, dilations)
    out = tuple(
        output_length(n, extent(k, d), s, low, high, ceil)
        for n, k, s, d, (low, high) in zip(shape, sizes, strides, dilations, pairs, strict=True)
    )
    kwargs: dict[str, Any] = {}
    if stride_given:
        kwargs["stride"] = spell(draw, strides)
    if wanted("padding", options):
        kwargs["padding"] = form if explicit is None else _spell_pads(form, pairs)
    if wanted("dilation", options):
        kwargs["dilation"] = spell(draw, dilations)
    if pool and wanted("ceil_mode", options):
        kwargs["ceil_mode"] = ceil
    if len(modes) > 1 and wanted("padding_mode", options):
        kwargs["padding_mode"] = spell(draw, mode)
    return Sliding(shape, out, sizes, strides, dilations, pairs, kwargs)


def _draw_modes(draw: Draw, rank: int, modes: Sequence[str]) -> tuple[str, ...]:
    if draw(st.booleans()):
        return (pick(draw, modes),) * rank
    return tuple(pick(draw, modes) for _ in range(rank))


def _draw_explicit(
    draw: Draw, form: str, sizes: Sequence[int], dilations: Sequence[int], modes: Sequence[str], pool: bool
) -> tuple[tuple[int, int], ...] | None:
    """(low, high) pairs, or None when `form` is one of the words.

    At most extent - 1, so that an input of one extent suits whatever the mode; convolutions with zeros may go beyond.
    """
    beyond = [0 if pool or m in ("reflect", "circular") else 2 for m in modes]
    least = [extent(k, d) - 1 + more for k, d, more in zip(sizes, dilations, beyond, strict=True)]
    if form == "int":
        return ((number(draw, 0, min(least)),) * 2,) * len(least)
    if form == "ints":
        return tuple((number(draw, 0, p),) * 2 for p in least)
    if form == "pairs":
        return tuple((number(draw, 0, p), number(draw, 0, p)) for p in least)
    return None


def _spell_pads(form: str, pairs: tuple[tuple[int, int], ...]) -> Any:
    return {"int": pairs[0][0], "ints": tuple(low for low, _ in pairs), "pairs": pairs}[form]

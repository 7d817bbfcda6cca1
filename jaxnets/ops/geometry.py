"""The static arithmetic of windows: shapes, padding, receptive fields and cost, before any array exists.

Everything here is integers in, integers out. `Window` is the one place where `size, stride, padding, dilation`
and `ceil_mode` become explicit numbers per axis; every convolution and pooling kernel takes one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, NamedTuple

import numpy as np

from jaxnets.ops import check

Ints = int | Sequence[int]
Padding = str | int | Sequence[int] | Sequence[tuple[int, int]]
Pads = tuple[tuple[int, int], ...]


def extent(size: int, dilation: int) -> int:
    """How far a dilated window reaches: `(size - 1) * dilation + 1` (à trous, Holschneider et al., 1989).

    >>> extent(3, 2)
    5
    """
    return (size - 1) * dilation + 1


def _explicit(op: str, padding: Any, rank: int) -> Pads:
    """An int, one int per axis, or one pair per axis, as pairs."""
    remedy = "pass 'SAME', 'VALID', 'CAUSAL', an int, one int per spatial axis, or one (low, high) pair per axis"
    if isinstance(padding, (str, bytes)) or padding is None:
        raise ValueError(f"{op}: unknown padding {padding!r}; {remedy}")
    if not isinstance(padding, (Sequence, np.ndarray)):
        return ((check.whole(op, padding, "padding", 0),) * 2,) * rank
    if len(padding) != rank:
        raise ValueError(f"{op}: padding is {padding!r}, {len(padding)} entries for {rank} spatial axes; {remedy}")
    pairs: list[tuple[int, int]] = []
    for axis, entry in enumerate(padding):
        name = f"padding[{axis}]"
        if isinstance(entry, (Sequence, np.ndarray)) and not isinstance(entry, (str, bytes)):
            if len(entry) != 2:
                raise ValueError(f"{op}: {name} is {entry!r}; {remedy}")
            low, high = (check.whole(op, side, name, 0) for side in entry)
        else:
            low = high = check.whole(op, entry, name, 0)
        pairs.append((low, high))
    return tuple(pairs)


def pads(
    padding: Padding,
    spatial: Sequence[int],
    size: Ints,
    stride: Ints = 1,
    dilation: Ints = 1,
    *,
    op: str = "pads",
) -> Pads:
    """The (low, high) zeros that `padding` means on each spatial axis.

    `"SAME"` as XLA means it: `ceil(n / stride)` outputs, the odd zero at the high end. `"CAUSAL"` pads the low end
    alone, so that no output sees a later input (van den Oord et al., 2016).

    >>> pads("SAME", (5, 8), 3, stride=2)
    ((1, 1), (0, 1))
    >>> pads("CAUSAL", (9,), 3, dilation=2)
    ((4, 0),)
    >>> pads((1, 2), (5, 5), 3)
    ((1, 1), (2, 2))
    """
    rank = len(spatial)
    sizes, strides, dilations = (
        check.per_axis(op, v, rank, name) for v, name in ((size, "size"), (stride, "stride"), (dilation, "dilation"))
    )
    if isinstance(padding, str) and padding == "VALID":
        return ((0, 0),) * rank
    reach = [extent(k, d) for k, d in zip(sizes, dilations, strict=True)]
    if isinstance(padding, str) and padding == "CAUSAL":
        return tuple((e - 1, 0) for e in reach)
    if isinstance(padding, str) and padding == "SAME":
        total = [max((-(-n // s) - 1) * s + e - n, 0) for n, s, e in zip(spatial, strides, reach, strict=True)]
        return tuple((t // 2, t - t // 2) for t in total)
    return _explicit(op, padding, rank)


@dataclass(frozen=True)
class Window:
    """A sliding window with every choice made: one entry per spatial axis, hashable, so it can be a static argument.

    `pads` are the zeros the caller asked for; `overhang` is what `ceil_mode` adds beyond them (it can be negative:
    rows that no window reaches), and `out` the number of windows.
    """

    spatial: tuple[int, ...]
    size: tuple[int, ...]
    stride: tuple[int, ...]
    dilation: tuple[int, ...]
    pads: Pads
    overhang: tuple[int, ...]
    out: tuple[int, ...]

    @classmethod
    def of(
        cls,
        op: str,
        spatial: Sequence[int],
        size: Ints,
        stride: Ints = 1,
        padding: Padding = "VALID",
        dilation: Ints = 1,
        ceil_mode: bool = False,
    ) -> Window:
        """Check the arguments of `op` and resolve them against inputs of this spatial shape."""
        rank, spatial = len(spatial), tuple(spatial)
        sizes = check.per_axis(op, size, rank, "size")
        strides = check.per_axis(op, stride, rank, "stride")
        dilations = check.per_axis(op, dilation, rank, "dilation")
        pairs = pads(padding, spatial, sizes, strides, dilations, op=op)
        out, overhang = [], []
        for axis, (n, k, s, d, (low, high)) in enumerate(zip(spatial, sizes, strides, dilations, pairs, strict=True)):
            spare = n + low + high - extent(k, d)
            if spare < 0:
                raise ValueError(
                    f"{op}: on spatial axis {axis} the window reaches {extent(k, d)} (size {k}, dilation {d}) but the "
                    f"padded input has {n + low + high} ({n} and padding {low}, {high}); use a smaller window, "
                    f"more padding, or a larger input"
                )
            count = spare // s + 1
            extra = 0
            if ceil_mode and spare % s and count * s < n + low:  # the extra window must start on something real
                count += 1
                extra = s - spare % s
            out.append(count)
            overhang.append(extra)
        return cls(spatial, sizes, strides, dilations, pairs, tuple(overhang), tuple(out))

    @property
    def rank(self) -> int:
        return len(self.size)

    @property
    def full_pads(self) -> Pads:
        """The padding with `ceil_mode`'s overhang at the high end."""
        return tuple((low, high + extra) for (low, high), extra in zip(self.pads, self.overhang, strict=True))

    def real_taps(self, padding_counts: bool = False) -> list[np.ndarray]:
        """Per axis, how many taps of each of the `out` windows lie on real elements (or, if `padding_counts`, on
        real elements or the padding asked for, never on the overhang)."""
        counts = []
        for n, k, s, d, (low, high), o in zip(
            self.spatial, self.size, self.stride, self.dilation, self.pads, self.out, strict=True
        ):
            taps = np.arange(o)[:, None] * s - low + np.arange(k)[None, :] * d
            first, last = (-low, n + high) if padding_counts else (0, n)
            counts.append(((taps >= first) & (taps < last)).sum(1))
        return counts

    def require_real_taps(self, op: str) -> None:
        """`ValueError` if some window sees padding alone: its maximum or mean would be -inf or 0/0."""
        for axis, count in enumerate(self.real_taps()):
            if 0 in count:
                raise ValueError(
                    f"{op}: on spatial axis {axis} the window of output {int(np.argmin(count))} sees only padding "
                    f"(input {self.spatial[axis]}, size {self.size[axis]}, stride {self.stride[axis]}, dilation "
                    f"{self.dilation[axis]}, padding {self.pads[axis]}); use less padding or a larger window"
                )


def output_shape(
    spatial: Sequence[int],
    size: Ints,
    stride: Ints = 1,
    *,
    padding: Padding = "SAME",
    dilation: Ints = 1,
    ceil_mode: bool = False,
) -> tuple[int, ...]:
    """The spatial shape that a convolution or pool makes: `floor((n + low + high - extent) / stride) + 1`.

    With `ceil_mode` the division rounds up, unless the last window would start in the high padding (as PyTorch).
    Raises `ValueError` when the window is larger than the padded input. Dumoulin & Visin, 2016,
    https://arxiv.org/abs/1603.07285.

    >>> output_shape((224, 224), 7, 2, padding=3)
    (112, 112)
    >>> output_shape((6,), 3, 2, padding="VALID", ceil_mode=True)
    (3,)
    """
    return Window.of("output_shape", spatial, size, stride, padding, dilation, ceil_mode).out


def transpose_window(
    op: str,
    spatial: Sequence[int],
    size: Ints,
    stride: Ints,
    padding: Padding,
    output_padding: Ints,
    dilation: Ints,
) -> Window:
    """The window of the convolution whose adjoint takes `spatial` back to `.spatial`."""
    rank = len(spatial)
    sizes = check.per_axis(op, size, rank, "size")
    strides = check.per_axis(op, stride, rank, "stride")
    dilations = check.per_axis(op, dilation, rank, "dilation")
    same = isinstance(padding, str) and padding == "SAME"
    lowest = 1 - max(strides) if same else 0
    extra = check.per_axis(op, output_padding, rank, "output_padding", lowest)
    if same:
        large = tuple(n * s + e for n, s, e in zip(spatial, strides, extra, strict=True))
        allowed = [(1 - s, 0) for s in strides]
    else:
        pairs = pads(padding, spatial, sizes, strides, dilations, op=op)
        large = tuple(
            (n - 1) * s + extent(k, d) - low - high + e
            for n, s, k, d, (low, high), e in zip(spatial, strides, sizes, dilations, pairs, extra, strict=True)
        )
        allowed = [(0, s - 1) for s in strides]
    for axis, (e, (least, most)) in enumerate(zip(extra, allowed, strict=True)):
        if not least <= e <= most:
            raise ValueError(
                f"{op}: output_padding is {e} on spatial axis {axis}; with stride {strides[axis]} and padding "
                f"{padding!r} it must lie in {least}..{most}"
            )
    if min(large) < 1:
        raise ValueError(
            f"{op}: the output would have spatial shape {large}; use less padding than {padding!r} or a larger input"
        )
    return Window.of(op, large, sizes, strides, padding, dilations)


def transpose_output_shape(
    spatial: Sequence[int],
    size: Ints,
    stride: Ints = 1,
    *,
    padding: Padding = "SAME",
    output_padding: Ints = 0,
    dilation: Ints = 1,
) -> tuple[int, ...]:
    """The spatial shape that a transposed convolution makes: the input of a convolution that gives `spatial`.

    `n * stride` for `"SAME"`, otherwise `(n - 1) * stride + extent - low - high`, plus `output_padding`, which tells
    apart the `stride` inputs that one output shape can come from.

    >>> transpose_output_shape((7, 7), 4, 2, padding=1)
    (14, 14)
    >>> transpose_output_shape((7,), 3, 2, padding=1, output_padding=1)
    (14,)
    """
    name = "transpose_output_shape"
    return transpose_window(name, spatial, size, stride, padding, output_padding, dilation).spatial


def padding_for(output: Ints, spatial: Sequence[int], size: Ints, stride: Ints = 1, *, dilation: Ints = 1) -> Pads:
    """The least padding that makes a convolution of `spatial` give `output`, the odd zero at the high end.

    Raises `ValueError` where even no padding gives more outputs than that.

    >>> padding_for(112, (224, 224), 7, 2)
    ((2, 3), (2, 3))
    >>> output_shape((224, 224), 7, 2, padding=padding_for(112, (224, 224), 7, 2))
    (112, 112)
    """
    op, rank = "padding_for", len(spatial)
    wanted = check.per_axis(op, output, rank, "output")
    sizes = check.per_axis(op, size, rank, "size")
    strides = check.per_axis(op, stride, rank, "stride")
    dilations = check.per_axis(op, dilation, rank, "dilation")
    found = []
    for axis, (o, n, k, s, d) in enumerate(zip(wanted, spatial, sizes, strides, dilations, strict=True)):
        total = max((o - 1) * s + extent(k, d) - n, 0)
        given = (n + total - extent(k, d)) // s + 1
        if given != o:
            raise ValueError(
                f"{op}: on spatial axis {axis} size {k}, stride {s}, dilation {d} give {given} outputs of {n} inputs "
                f"with no padding at all, so none gives {o}; use a larger stride or window"
            )
        found.append((total // 2, total - total // 2))
    return tuple(found)


class ReceptiveField(NamedTuple):
    """What one output of a stack of windows sees, per spatial axis: output `i` sees the `size` inputs that begin at
    `i * stride + offset` (a negative offset begins in the padding)."""

    size: tuple[int, ...]
    stride: tuple[int, ...]
    offset: tuple[int, ...]


def receptive_field(windows: Iterable[Window]) -> ReceptiveField:
    """The receptive field, effective stride and offset of windows applied one after the other.

    Araujo, Norris & Sim, 2019, https://distill.pub/2019/computing-receptive-fields.

    >>> a = Window.of("conv", (32, 32), 3, 2, "SAME")
    >>> b = Window.of("conv", a.out, 3, 1, "SAME")
    >>> receptive_field([a, b])
    ReceptiveField(size=(7, 7), stride=(2, 2), offset=(-2, -2))
    """
    windows = list(windows)
    if not windows:
        raise ValueError("receptive_field: no windows given; pass at least one Window")
    rank = windows[0].rank
    size, stride, offset = [1] * rank, [1] * rank, [0] * rank
    for position, window in enumerate(windows):
        if window.rank != rank:
            raise ValueError(f"receptive_field: window {position} has {window.rank} spatial axes, the first {rank}")
        for a in range(rank):
            size[a] += (extent(window.size[a], window.dilation[a]) - 1) * stride[a]
            offset[a] -= window.pads[a][0] * stride[a]
            stride[a] *= window.stride[a]
    return ReceptiveField(tuple(size), tuple(stride), tuple(offset))


def multiply_adds(window: Window, in_channels: int, out_channels: int, *, groups: int = 1, batch: int = 1) -> int:
    """Multiply-adds of a convolution (a transposed one has its adjoint's), products with padding counted.

    >>> multiply_adds(Window.of("conv", (56, 56), 3, 1, "SAME"), 64, 64)
    115605504
    """
    return batch * prod(window.out) * prod(window.size) * (in_channels // groups) * out_channels

"""Sliding windows: which input elements does each output position see, and through which tap?

Everything that slides (convolutions, pools, patches) is written over these lists. Along one axis with n elements,
output o looks through tap t at position

    p = o * stride + t * dilation - low

of the input; positions outside [0, n) are padding. In several dimensions the lists are multiplied together.
"""

import itertools
from collections.abc import Iterator, Sequence
from typing import TypeVar

import numpy as np

Position = tuple[int, ...]
Pads = tuple[tuple[int, int], ...]
PerAxis = int | Sequence[int]
Padding = str | int | Sequence[int] | Sequence[tuple[int, int]]
PaddingMode = str | Sequence[str]
T = TypeVar("T")
Axis = list[list[tuple[T, int]]]  # for each output position of one axis: its (tap, input position) pairs


def per_axis(value: PerAxis, rank: int, least: int = 1) -> Position:
    """One int per spatial axis, from an int that stands for all of them or from a sequence.

    >>> per_axis(3, 2), per_axis((2, 3), 2)
    ((3, 3), (2, 3))
    """
    values = (int(value),) * rank if isinstance(value, (int, np.integer)) else tuple(int(v) for v in value)
    if len(values) != rank or min(values) < least:
        raise ValueError(f"expected {rank} integers of at least {least}, got {value!r}")
    return values


def spatial_shape(x: np.ndarray) -> Position:
    """The spatial axes of an (N, *spatial, C) array."""
    if not 3 <= x.ndim <= 5:
        raise ValueError(f"expected (N, *spatial, C) with 1, 2 or 3 spatial axes, got the shape {x.shape}")
    return x.shape[1:-1]


def extent(size: int, dilation: int) -> int:
    """How many input positions a window spans, from its first tap to its last: (size - 1) * dilation + 1."""
    return (size - 1) * dilation + 1


def pads(padding: Padding, spatial: Position, size: Position, stride: Position, dilation: Position) -> Pads:
    """The (low, high) padding of each axis in numbers.

    "SAME" (as XLA): an output of ceil(n / stride), the odd element of padding at the high end. "VALID": none. "CAUSAL":
    all of it low, so that output o sees nothing after position o * stride.

    >>> pads("SAME", (5, 6), (3, 3), (2, 2), (1, 1))
    ((1, 1), (0, 1))
    >>> pads("CAUSAL", (5,), (3,), (1,), (2,))
    ((4, 0),)
    """
    rank = len(spatial)
    spans = [extent(k, d) for k, d in zip(size, dilation, strict=True)]
    if padding == "VALID":
        return ((0, 0),) * rank
    if padding == "CAUSAL":
        return tuple((span - 1, 0) for span in spans)
    if padding == "SAME":
        totals = [max((-(-n // s) - 1) * s + e - n, 0) for n, s, e in zip(spatial, stride, spans, strict=True)]
        return tuple((total // 2, total - total // 2) for total in totals)
    if isinstance(padding, str):
        raise ValueError(f"unknown padding {padding!r}")
    each: Sequence[int | tuple[int, int]]
    each = (padding,) * rank if isinstance(padding, (int, np.integer)) else tuple(padding)
    pairs = tuple((int(p), int(p)) if isinstance(p, (int, np.integer)) else (int(p[0]), int(p[1])) for p in each)
    if len(pairs) != rank or min(min(pair) for pair in pairs) < 0:
        raise ValueError(f"expected {rank} paddings of at least 0, got {padding!r}")
    return pairs


def output_length(n: int, span: int, stride: int, low: int, high: int, ceil_mode: bool = False) -> int:
    """How many windows fit along one axis. `ceil_mode` adds one that hangs over the high end, if it starts on the input
    or on its low padding.

    >>> output_length(6, 3, 2, 0, 0), output_length(6, 3, 2, 0, 0, ceil_mode=True)
    (2, 3)
    """
    room = n + low + high - span
    if room < 0:
        raise ValueError(f"a window that spans {span} is larger than the padded input of {n} + {low} + {high}")
    if not ceil_mode:
        return room // stride + 1
    out = -(-room // stride) + 1
    return out - 1 if (out - 1) * stride >= n + low else out


def mirrored(p: int, n: int, mode: str) -> int | None:
    """The input position that stands in for position `p` of the padded axis; None where the padding is zero.

    >>> [mirrored(p, 3, "reflect") for p in (-2, -1, 0, 1, 2, 3, 4)]
    [2, 1, 0, 1, 2, 1, 0]
    >>> [mirrored(p, 3, "replicate") for p in (-1, 3)], [mirrored(p, 3, "circular") for p in (-1, 3)]
    ([0, 2], [2, 0])
    """
    if 0 <= p < n:
        return p
    if mode == "zeros":
        return None
    if mode == "replicate":
        return min(max(p, 0), n - 1)
    if mode == "circular":
        return p % n
    if mode == "reflect":  # there and back again: 0 1 2 ... n-1 ... 2 1, without repeating either end
        period = max(2 * (n - 1), 1)
        return min(p % period, period - p % period) if n > 1 else 0
    raise ValueError(f"unknown padding mode {mode!r}")


def axis_windows(out: int, n: int, size: int, stride: int, dilation: int, low: int, mode: str = "zeros") -> Axis[int]:
    """For each of `out` outputs along one axis, its (tap, input position) pairs; taps on zero padding are left out.

    >>> axis_windows(out=2, n=3, size=3, stride=2, dilation=1, low=1)
    [[(1, 0), (2, 1)], [(0, 1), (1, 2)]]
    """
    axis = []
    for o in range(out):
        seen = [(t, mirrored(o * stride + t * dilation - low, n, mode)) for t in range(size)]
        axis.append([(t, p) for t, p in seen if p is not None])
    return axis


def sliding(
    spatial: Position,
    size: PerAxis,
    stride: PerAxis | None,
    padding: Padding,
    dilation: PerAxis,
    ceil_mode: bool = False,
    mode: PaddingMode = "zeros",
) -> list[Axis[int]]:
    """`axis_windows` of every axis, from the arguments of convolutions and pools. A stride of None is the size."""
    rank = len(spatial)
    sizes = per_axis(size, rank)
    strides = sizes if stride is None else per_axis(stride, rank)
    dilations = per_axis(dilation, rank)
    pairs = pads(padding, spatial, sizes, strides, dilations)
    modes = (mode,) * rank if isinstance(mode, str) else tuple(mode)
    axes = []
    for n, k, s, d, (low, high), m in zip(spatial, sizes, strides, dilations, pairs, modes, strict=True):
        out = output_length(n, extent(k, d), s, low, high, ceil_mode)
        axes.append(axis_windows(out, n, k, s, d, low, m))
    return axes


def pooling(
    spatial: Position,
    size: PerAxis,
    stride: PerAxis | None,
    padding: Padding,
    dilation: PerAxis,
    ceil_mode: bool = False,
) -> list[Axis[int]]:
    """`sliding`, for pools: a window must see at least one real element, for of nothing there is no maximum or mean."""
    axes = sliding(spatial, size, stride, padding, dilation, ceil_mode)
    if any(not seen for axis in axes for seen in axis):
        raise ValueError(f"a window of {size} sees only padding ({padding}) on an input of {spatial}")
    return axes


def output_of(axes: Sequence[Axis[T]]) -> Position:
    """The spatial shape of the output."""
    return tuple(len(axis) for axis in axes)


def windows(axes: Sequence[Axis[T]]) -> Iterator[tuple[Position, list[tuple[tuple[T, ...], Position]]]]:
    """Yield every output position with the list of its (tap, input position) pairs, both in row-major order.

    >>> for o, taps in windows([[[(0, 0), (1, 1)]], [[(0, 4)], [(0, 5)]]]):
    ...     print(o, taps)
    (0, 0) [((0, 0), (0, 4)), ((1, 0), (1, 4))]
    (0, 1) [((0, 0), (0, 5)), ((1, 0), (1, 5))]
    """
    for o in np.ndindex(*output_of(axes)):
        pairs = itertools.product(*(axis[i] for axis, i in zip(axes, o, strict=True)))
        yield o, [(tuple(t for t, _ in pair), tuple(p for _, p in pair)) for pair in pairs]


def at(position: Position) -> tuple[slice | int, ...]:
    """The index of one position in an (N, *spatial, C) array, for all samples and channels: an (N, C) slice.

    >>> np.zeros((8, 28, 28, 3))[at((5, 6))].shape
    (8, 3)
    """
    return (slice(None), *position)

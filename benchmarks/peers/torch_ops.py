"""The op of a case by `torch.nn.functional`: tensors (N, C, *spatial) and (K, C // groups, *size)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F

from benchmarks.cases import Case
from benchmarks.cost import window
from benchmarks.peers.guest import Unsupported
from jaxnets.ops.geometry import Window

Op = Callable[..., torch.Tensor]


def _conv(case: Case, sliding: Window) -> Op:
    """Padding that is alike on both sides is the layer's own; otherwise it is written out first."""
    conv = getattr(F, f"conv{sliding.rank}d")
    common: dict[str, Any] = {"stride": sliding.stride, "dilation": sliding.dilation, "groups": case.groups}
    if all(low == high for low, high in sliding.pads):
        padding = tuple(low for low, _ in sliding.pads)
        return lambda x, w: conv(x, w, padding=padding, **common)
    around = [n for pair in reversed(sliding.pads) for n in pair]
    return lambda x, w: conv(F.pad(x, around), w, **common)


def _conv_transpose(sliding: Window) -> Op:
    """Padding that is alike on both sides is the layer's own; otherwise the result is cropped."""
    transposed = getattr(F, f"conv_transpose{sliding.rank}d")
    stride = sliding.stride
    if all(low == high for low, high in sliding.pads):
        padding = tuple(low for low, _ in sliding.pads)
        more = tuple(
            n - ((o - 1) * s - 2 * p + k)
            for n, o, s, p, k in zip(sliding.spatial, sliding.out, stride, padding, sliding.size, strict=True)
        )
        return lambda x, w: transposed(x, w, stride=stride, padding=padding, output_padding=more)
    crop = [
        slice(None),
        slice(None),
        *(slice(low, low + n) for (low, _), n in zip(sliding.pads, sliding.spatial, strict=True)),
    ]
    return lambda x, w: transposed(x, w, stride=stride)[tuple(crop)]


def _pool(case: Case, sliding: Window) -> Op:
    """Zeros at the high end alone are what `ceil_mode` is for."""
    rank, size, stride = sliding.rank, sliding.size, sliding.stride
    if case.op == "lp_pool":
        pool = getattr(F, f"lp_pool{rank}d")
        return lambda x: pool(x, 2.0, size, stride)
    uneven = any(low != high for low, high in sliding.pads)
    if uneven and any(low for low, _ in sliding.pads):
        raise Unsupported("no such padding")
    padding = 0 if uneven else tuple(low for low, _ in sliding.pads)
    if case.op == "max_pool":
        pool = getattr(F, f"max_pool{rank}d")
        if any(2 * low > k for (low, _), k in zip(sliding.pads, size, strict=True)):  # more than PyTorch's own allows
            around = [n for pair in reversed(sliding.pads) for n in pair]
            return lambda x: pool(F.pad(x, around, value=-torch.inf), size, stride, 0, sliding.dilation)
        return lambda x: pool(x, size, stride, padding, sliding.dilation, ceil_mode=uneven)
    pool = getattr(F, f"avg_pool{rank}d")
    return lambda x: pool(x, size, stride, padding, ceil_mode=uneven, count_include_pad=False)


def op(case: Case) -> Op:
    """The function, its vmap included."""
    if case.op == "adaptive_avg_pool":
        size = case.options["output_size"]
        adaptive = getattr(F, f"adaptive_avg_pool{len(case.channels_last) - 2}d")
        return lambda x: adaptive(x, size)
    sliding = window(case)
    if case.op == "conv_transpose":
        return _conv_transpose(sliding)
    if not case.w:
        return _pool(case, sliding)
    one = _conv(case, sliding)
    if case.form == "batched":
        return torch.vmap(one)
    return torch.vmap(one, (None, 0)) if case.form == "shared x" else one

"""What the formula of a case asks for, whoever computes it: sums, multiply-adds, bytes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from benchmarks.cases import Case
from jaxnets.ops.geometry import Window, multiply_adds, transpose_window


@dataclass(frozen=True)
class Cost:
    """How many `terms` are summed into an element of y, of dx and of dw; the multiply-adds of a convolution; and the
    bytes of x, w and y together: those of the forward pass, and each gradient asks for as much again."""

    terms: Mapping[str, int]
    multiply_adds: int
    bytes: int
    out: tuple[int, ...]


def window(case: Case) -> Window:
    """The window of a case that has one: all but adaptive pooling."""
    options: dict[str, Any] = dict(case.options)
    padding = options.get("padding", "SAME" if case.w else "VALID")
    spatial, dilation = case.channels_last[1:-1], options.get("dilation", 1)
    if case.op == "conv_transpose":
        return transpose_window(case.op, spatial, case.kernel[:-2], options.get("stride", 1), padding, 0, dilation)
    size = case.kernel[:-2] if case.w else options["size"]
    stride = options.get("stride") or (1 if case.w else size)
    return Window.of(case.op, spatial, size, stride, padding, dilation)


def cost(case: Case) -> Cost:
    """The sums behind each element of y and of the gradients, the multiply-adds, the bytes and y's shape (channels
    last, one batch of images)."""
    batch, *spatial, channels = case.channels_last
    times = case.w[0] if case.form in ("batched", "shared x") and case.w else 1
    width = 2 if case.dtype == "bfloat16" else np.dtype(case.dtype).itemsize
    if case.op == "adaptive_avg_pool":
        size = case.options["output_size"]
        taps, out = prod(-(-n // size) + 1 for n in spatial), (size,) * len(spatial)
    else:
        sliding = window(case)
        taps = prod(sliding.size)
        out = sliding.spatial if case.op == "conv_transpose" else sliding.out
    terms, products, filters, weights = {"y": taps, "dx": taps}, 0, channels, 0
    if case.w:
        per_group, weights = case.kernel[-2], prod(case.w)
        filters = per_group * case.groups if case.op == "conv_transpose" else case.kernel[-1]
        forward, backward = taps * per_group, taps * case.kernel[-1] // case.groups
        if case.op == "conv_transpose":
            forward, backward = backward, forward
        positions = batch * prod(sliding.out)
        terms = {"y": forward, "dx": backward * (times if case.form == "shared x" else 1), "dw": positions}
        products = times * multiply_adds(
            sliding, per_group * case.groups, case.kernel[-1], groups=case.groups, batch=batch
        )
    y = (batch, *out, filters)
    elements = prod(case.x) + weights + times * prod(y)
    return Cost(terms, products, width * elements, y)

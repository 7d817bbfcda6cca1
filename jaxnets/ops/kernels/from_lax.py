"""Convolutions as JAX writes them, `lax.conv_general_dilated` and its derivatives, as members of our family.

JAX has one primitive for everything, in any order of axes: a gradient is a convolution with the batch and the channels
exchanged, or with zeros between its inputs. Which member of the trilinear form that is follows from the numbers, and
with it which lowerings are possible.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxnets.ops.geometry import extent
from jaxnets.ops.kernels import switch
from jaxnets.ops.kernels.family import bind
from jaxnets.ops.kernels.lowerings import shapes
from jaxnets.ops.kernels.problem import exact

# How a convolution of lax's is read: as the forward pass of a convolution, its input gradient, its weight gradient, or
# the weight gradient of a transposed convolution, where image and kernel have changed places.
Reading = Literal["forward", "input_gradient", "weight_gradient", "swapped"]

_FLOATS = ("float16", "bfloat16", "float32", "float64")
_INTEGERS = tuple(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64))


def known_dtype(dtype: Any) -> bool:
    """Whether our kernels compute in this dtype: floats and integers of whole bytes."""
    return jnp.dtype(dtype).name in _FLOATS + _INTEGERS


@dataclass(frozen=True)
class Call:
    """A `conv_general_dilated`, per spatial axis, with its groups moved from batch or features to an axis between.

    `lhs` is (batch, *spatial, groups, channels), `rhs` is (*size, channels, groups, filters), and the result is
    (batch, *out, groups, filters).
    """

    spatial: tuple[int, ...]
    size: tuple[int, ...]
    out: tuple[int, ...]
    stride: tuple[int, ...]
    low: tuple[int, ...]
    lhs_dilation: tuple[int, ...]
    rhs_dilation: tuple[int, ...]
    groups: int
    grouped_batch: bool
    lhs_spec: tuple[int, ...]
    rhs_spec: tuple[int, ...]
    out_spec: tuple[int, ...]
    dtype: Any
    result_dtype: Any
    precision: Any

    @classmethod
    def of(cls, lhs: Any, rhs: Any, params: dict[str, Any]) -> Call:
        """The call with these operands, anything with a shape and a dtype."""
        lhs_spec, rhs_spec, out_spec = params["dimension_numbers"]
        spatial = tuple(lhs.shape[axis] for axis in lhs_spec[2:])
        size = tuple(rhs.shape[axis] for axis in rhs_spec[2:])
        stride, inner, outer = params["window_strides"], params["lhs_dilation"], params["rhs_dilation"]
        out = tuple(
            (max(extent(n, i), 0) + low + high - extent(k, o)) // s + 1
            for n, k, s, i, o, (low, high) in zip(spatial, size, stride, inner, outer, params["padding"], strict=True)
        )
        by_batch = params["batch_group_count"]
        wanted = params["preferred_element_type"]
        result = np.dtype(lhs.dtype if wanted is None else wanted)
        return cls(
            spatial=spatial,
            size=size,
            out=out,
            stride=tuple(stride),
            low=tuple(low for low, _ in params["padding"]),
            lhs_dilation=tuple(inner),
            rhs_dilation=tuple(outer),
            groups=max(params["feature_group_count"], by_batch),
            grouped_batch=by_batch > 1,
            lhs_spec=tuple(lhs_spec),
            rhs_spec=tuple(rhs_spec),
            out_spec=tuple(out_spec),
            # Products of a narrow dtype summed in a wide one are those of the wide one; a narrow sum of wide products
            # is rounded at the end.
            dtype=result if result.itemsize > np.dtype(lhs.dtype).itemsize else np.dtype(lhs.dtype),
            result_dtype=result,
            precision=params["precision"],
        )

    def reading(self) -> Reading | None:
        """What this convolution is, or None where it is none of ours: zeros between the inputs and a stride at once."""
        taps, outs = prod(self.size), prod(self.out)
        # JAX makes a weight gradient by reading the batch as channels and the channels as batch, so that their order
        # in memory is turned round, and by giving the output's gradient as the kernel.
        exchanged = self.lhs_spec[0] > self.lhs_spec[1]
        gradient = taps > outs and exchanged
        if set(self.lhs_dilation) == {1}:
            grouped = self.grouped_batch and (exchanged or taps > outs)
            return "weight_gradient" if gradient or grouped else "forward"
        turns, swaps = set(self.stride) == {1}, set(self.rhs_dilation) == {1}
        if swaps and (gradient or not turns):
            return "swapped"
        return "input_gradient" if turns else None


def convolution(lhs: Any, rhs: Any, params: dict[str, Any]) -> Callable[[jax.Array, jax.Array], jax.Array] | None:
    """A function of the operands that does by our kernels what `lax.conv_general_dilated` does with these parameters.

    None where it is better left to XLA: complex numbers, 0 or more than 3 spatial axes, arrays without elements, a
    stride and input dilation at once, or padding so negative that nothing is left of an operand.
    """
    rank = len(params["dimension_numbers"].lhs_spec) - 2
    if not 1 <= rank <= 3 or 0 in lhs.shape or 0 in rhs.shape:
        return None
    call = Call.of(lhs, rhs, params)
    kinds = {np.issubdtype(dtype, np.integer) for dtype in (lhs.dtype, call.result_dtype)}
    if not (known_dtype(lhs.dtype) and known_dtype(call.result_dtype)) or len(kinds) > 1 or min(call.out) < 1:
        return None
    reading = call.reading()
    if reading is None or any(n < 1 for n in _left(call, reading)):
        return None

    def ours(lhs: jax.Array, rhs: jax.Array) -> jax.Array:
        with_groups = _READINGS[reading](call, lhs.astype(call.dtype), rhs.astype(call.dtype))
        return with_groups.astype(call.result_dtype)

    return ours


def _ends(low: Sequence[int]) -> list[int]:
    """How many elements negative padding takes away in front."""
    return [max(-first, 0) for first in low]


def _left(call: Call, reading: Reading) -> list[int]:
    """How many elements negative padding leaves, per axis, of what it is padding for."""
    whole = {"forward": call.spatial, "weight_gradient": call.spatial, "input_gradient": call.out, "swapped": call.size}
    return [n - gone for n, gone in zip(whole[reading], _ends(_low(call, reading)), strict=True)]


def _low(call: Call, reading: Reading) -> list[int]:
    """The low padding of the member's window."""
    if reading == "input_gradient":
        sizes = zip(call.size, call.rhs_dilation, call.low, strict=True)
        return [extent(k, d) - 1 - first for k, d, first in sizes]
    if reading == "swapped":
        outs = zip(call.out, call.stride, call.low, strict=True)
        return [(o - 1) * s - first for o, s, first in outs]
    return list(call.low)


def _order(x: jax.Array, axes: Sequence[int]) -> jax.Array:
    return x if tuple(axes) == tuple(range(x.ndim)) else lax.transpose(x, tuple(axes))


def _cropped(x: jax.Array, low: Sequence[int]) -> tuple[jax.Array, list[int]]:
    """x (N, *spatial, C) without the elements that negative padding takes away, and the padding that is left."""
    return shapes.resized(x, [(-gone, 0) for gone in _ends(low)]), [max(first, 0) for first in low]


def _channels_last(call: Call, lhs: jax.Array) -> jax.Array:
    """lhs as (batch, *spatial, groups * channels)."""
    n, c, *space = call.lhs_spec
    x = _order(lhs, (n, *space, c))
    if not call.grouped_batch:
        return x
    parts = x.reshape(call.groups, -1, *x.shape[1:])
    return jnp.moveaxis(parts, 0, -2).reshape(*parts.shape[1:-1], -1)


def _channels_first(call: Call, lhs: jax.Array) -> jax.Array:
    """lhs as (channels, *spatial, groups * batch)."""
    n, c, *space = call.lhs_spec
    if call.grouped_batch or call.groups == 1:
        return _order(lhs, (c, *space, n))
    x = _order(lhs, (n, *space, c))
    parts = x.reshape(*x.shape[:-1], call.groups, -1)
    return jnp.moveaxis(parts, (-1, 0), (0, -1)).reshape(parts.shape[-1], *call.spatial, -1)


def _result(call: Call, y: jax.Array) -> jax.Array:
    """(batch, *out, groups * filters) in the order of the call."""
    n, c, *space = call.out_spec
    place = {n: 0, c: y.ndim - 1} | {axis: i for i, axis in enumerate(space, start=1)}
    return _order(y, [place[axis] for axis in range(y.ndim)])


def _bind(member: Any, a: jax.Array, b: jax.Array, window: Any, call: Call, precision: Any) -> jax.Array:
    return bind(member, a, b, window, call.groups, precision=precision, lowering=switch.asked())


def _forward(call: Call, lhs: jax.Array, rhs: jax.Array) -> jax.Array:
    o, i, *space = call.rhs_spec
    x, low = _cropped(_channels_last(call, lhs), call.low)
    window = exact(x.shape[1:-1], call.size, call.stride, call.rhs_dilation, low, call.out)
    return _result(call, _bind("forward", x, _order(rhs, (*space, i, o)), window, call, call.precision))


def _input_gradient(call: Call, lhs: jax.Array, rhs: jax.Array) -> jax.Array:
    """Zeros between the inputs: every input meets every tap, as in a gradient, with the kernel turned round."""
    o, i, *space = call.rhs_spec
    low = _low(call, "input_gradient")
    gone = _ends(low)
    out = [n - g for n, g in zip(call.out, gone, strict=True)]
    window = exact(out, call.size, call.lhs_dilation, call.rhs_dilation, [max(n, 0) for n in low], call.spatial)

    kernel = _order(lax.rev(rhs, space), (*space, i, o))
    parts = kernel.reshape(*kernel.shape[:-1], call.groups, -1)  # (*size, channels, groups, filters)
    turned = jnp.swapaxes(parts, -3, -1)
    w = turned.reshape(*call.size, turned.shape[-3], -1)

    x = _bind("input_gradient", _channels_last(call, lhs), w, window, call, call.precision)
    return _result(call, shapes.resized(x, [(g, 0) for g in gone]))


def _weight_gradient(call: Call, lhs: jax.Array, rhs: jax.Array) -> jax.Array:
    """A large kernel: the gradient of the outputs, which meets the images at every place of a small one."""
    o, i, *space = call.rhs_spec
    x, low = _cropped(_channels_first(call, lhs), call.low)
    window = exact(x.shape[1:-1], call.out, call.rhs_dilation, call.stride, low, call.size)
    w = _bind("weight_gradient", x, _order(rhs, (i, *space, o)), window, call, call.precision)
    return _result(call, jnp.moveaxis(w, -2, 0))


def _swapped(call: Call, lhs: jax.Array, rhs: jax.Array) -> jax.Array:
    """The weight gradient of a transposed convolution: the kernel is the larger map, and the taps come out reversed."""
    o, i, *space = call.rhs_spec
    x, low = _cropped(_order(rhs, (i, *space, o)), _low(call, "swapped"))
    window = exact(x.shape[1:-1], call.out, call.lhs_dilation, call.stride, low, call.spatial)
    precision = tuple(reversed(call.precision)) if isinstance(call.precision, tuple) else call.precision
    w = _bind("weight_gradient", x, _channels_first(call, lhs), window, call, precision)

    parts = lax.rev(w, tuple(range(len(call.out)))).reshape(*w.shape[:-1], call.groups, -1)
    # (*out, filters, groups, batch) to (batch, *out, groups * filters)
    turned = jnp.moveaxis(parts, (-1, -3), (0, -1))
    return _result(call, turned.reshape(*turned.shape[:-2], -1))


_READINGS: dict[Reading, Callable[[Call, jax.Array, jax.Array], jax.Array]] = {
    "forward": _forward,
    "input_gradient": _input_gradient,
    "weight_gradient": _weight_gradient,
    "swapped": _swapped,
}

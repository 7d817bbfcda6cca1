"""What a convolution computes, in numbers: one trilinear form and its three members.

Between maps x (N, *spatial, C), a kernel w (*size, C // groups, K) and outputs y (N, *out, K), the form is

    Σ y[n, i, k] · x[n, i * stride - low + t * dilation, c] · w[t, c, k]

over all n, i, t, and over the channels c of the group of k. Fix two of the three and the form is linear in the third:
its coefficients are the convolution (given x and w), its input gradient (given y and w) and its weight gradient
(given x and y). The derivative of each member in either operand is another member, so the family is closed, however
often it is differentiated.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np

from jaxnets.ops.geometry import Window

Member = Literal["forward", "input_gradient", "weight_gradient"]
MEMBERS: tuple[Member, ...] = ("forward", "input_gradient", "weight_gradient")


@dataclass(frozen=True)
class Problem:
    """One member of the family for one shape. Hashable, so that plans can be kept by it.

    `copies` independent problems of this shape lie along a leading axis of both operands and of the result; 0 means
    that there is no such axis. `lowering` forces one by name, None leaves the choice to the planner.
    """

    member: Member
    window: Window
    groups: int
    batch: int
    channels: int
    filters: int
    dtype: Any
    precision: Any = None
    lowering: str | None = None
    copies: int = 0

    @classmethod
    def of(
        cls,
        member: Member,
        window: Window,
        groups: int,
        a: Any,
        b: Any,
        *,
        precision: Any = None,
        lowering: str | None = None,
        copies: int = 0,
    ) -> Problem:
        """The problem that these operands pose: (x, w), (y, w) or (x, y), anything with a shape and a dtype."""
        first, second = a.shape[bool(copies) :], b.shape[bool(copies) :]
        channels = first[-1] if member != "input_gradient" else second[-2] * groups
        filters = second[-1]
        dtype = np.dtype(a.dtype)
        return cls(member, window, groups, first[0], channels, filters, dtype, precision, lowering, copies)

    @property
    def x_shape(self) -> tuple[int, ...]:
        return (self.batch, *self.window.spatial, self.channels)

    @property
    def w_shape(self) -> tuple[int, ...]:
        return (*self.window.size, self.channels // self.groups, self.filters)

    @property
    def y_shape(self) -> tuple[int, ...]:
        return (self.batch, *self.window.out, self.filters)

    @property
    def operands(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """The shapes of the two that are given, without the axis of copies."""
        x, w, y = self.x_shape, self.w_shape, self.y_shape
        return {"forward": (x, w), "input_gradient": (y, w), "weight_gradient": (x, y)}[self.member]

    @property
    def result(self) -> tuple[int, ...]:
        """The shape of the third, without the axis of copies."""
        shapes = {"forward": self.y_shape, "input_gradient": self.x_shape, "weight_gradient": self.w_shape}
        return shapes[self.member]

    @property
    def taps(self) -> int:
        return prod(self.window.size)

    @property
    def per_group(self) -> tuple[int, int]:
        """Input channels and filters of one group."""
        return self.channels // self.groups, self.filters // self.groups

    @property
    def multiply_adds(self) -> int:
        """The products of the form, those with padding counted: the same for all three members."""
        positions = self.batch * prod(self.window.out)
        return max(self.copies, 1) * positions * self.taps * (self.channels // self.groups) * self.filters

    @property
    def terms(self) -> int:
        """How many products are summed into an element of the result."""
        if self.member == "weight_gradient":
            return self.batch * prod(self.window.out)
        return self.taps * self.per_group[self.member == "input_gradient"]

    @property
    def bytes(self) -> int:
        """What must be read and written at the least: both operands and the result, once each."""
        elements = sum(prod(shape) for shape in (*self.operands, self.result))
        return max(self.copies, 1) * elements * self.dtype.itemsize

    @property
    def empty(self) -> bool:
        return 0 in (*self.operands[0], *self.operands[1], *self.result)

    def but(self, **changes: Any) -> Problem:
        """The same problem with some fields changed."""
        return replace(self, **changes)

    def single(self) -> Problem:
        """One of the copies."""
        return self.but(copies=0)

    def structs(self) -> tuple[jax.ShapeDtypeStruct, jax.ShapeDtypeStruct]:
        """The two operands as `jax.eval_shape` takes them."""
        lead = (self.copies,) if self.copies else ()
        a, b = (jax.ShapeDtypeStruct((*lead, *shape), self.dtype) for shape in self.operands)
        return a, b


def exact(
    spatial: Sequence[int],
    size: Sequence[int],
    stride: Sequence[int],
    dilation: Sequence[int],
    low: Sequence[int],
    out: Sequence[int],
) -> Window:
    """The window that makes `out` outputs, starting `low` elements before the first: its high padding follows.

    High padding can come out negative: elements at the end that no window reaches.
    """
    pads = tuple(
        (first, (o - 1) * s + (k - 1) * d + 1 - n - first)
        for n, k, s, d, first, o in zip(spatial, size, stride, dilation, low, out, strict=True)
    )
    zeros = (0,) * len(pads)
    return Window(tuple(spatial), tuple(size), tuple(stride), tuple(dilation), pads, zeros, tuple(out))


def is_narrow(dtype: Any) -> bool:
    """Whether sums of products of this dtype want a wider one: float16 and bfloat16, and integers below 32 bits."""
    dtype = np.dtype(dtype)
    return dtype.itemsize < 4 and (jnp.issubdtype(dtype, jnp.floating) or jnp.issubdtype(dtype, jnp.integer))

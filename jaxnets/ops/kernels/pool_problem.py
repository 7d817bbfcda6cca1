"""What a pool computes, in numbers: extrema and sums over sliding windows, and their derivatives.

A window's maximum is one of its elements, and which one is all that its derivative needs. So the family of an extremum
has four forms, between maps x (N, *spatial, C) and y (N, *out, C):

- value:  x → y, each window's extremum;
- tap:    x → integers shaped as y: the first of the window's taps, in row-major order, that holds it (a NaN before
  every number), or the number of taps, where the window sees padding alone;
- pick:   x, tap, t → of t, shaped as x, the elements at those taps: the derivative;
- spread: x, tap, dy → shaped as x, each of dy added at its tap: the gradient.

Pick and spread are linear in the last operand and each other's transposes, so the family is closed, however often it
is differentiated. Both carry x beside the taps, which say the same: a lowering reads one of them, and XLA drops what
none reads. A sum, or a mean, is linear itself: value x → y, and its transpose, spread, dy → x.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod
from typing import Any, Literal, get_args

import jax
import jax.numpy as jnp
import numpy as np

from jaxnets.ops.geometry import Window

Form = Literal["value", "tap", "pick", "spread"]
Extremum = Literal["max", "min"]
# A mean divides by the number of the window's real elements; a padded mean counts the padding that was asked for too,
# but not the overhang of `ceil_mode`.
Kind = Literal["max", "min", "sum", "mean", "padded_mean"]
EXTREMA: tuple[Extremum, ...] = get_args(Extremum)


@dataclass(frozen=True)
class PoolProblem:
    """One form of a pool for one shape. Hashable, so that plans can be kept by it.

    `lowering` forces one by name, None leaves the choice to the planner. There are no copies, for a batch of pools is
    one pool of a larger batch.
    """

    form: Form
    kind: Kind
    window: Window
    batch: int
    channels: int
    dtype: Any
    lowering: str | None = None

    @classmethod
    def of(cls, form: Form, kind: Kind, window: Window, last: Any, *, lowering: str | None = None) -> PoolProblem:
        """The problem whose last operand this is, anything with a shape and a dtype."""
        return cls(form, kind, window, last.shape[0], last.shape[-1], np.dtype(last.dtype), lowering)

    @property
    def copies(self) -> int:
        return 0

    @property
    def member(self) -> str:
        """What it is, in words: `"max_pool"`, `"mean_pool_spread"`."""
        return f"{self.kind}_pool" + ("" if self.form == "value" else f"_{self.form}")

    @property
    def selects(self) -> bool:
        """Whether it is of the family of an extremum."""
        return self.kind in EXTREMA

    @property
    def x_shape(self) -> tuple[int, ...]:
        return (self.batch, *self.window.spatial, self.channels)

    @property
    def y_shape(self) -> tuple[int, ...]:
        return (self.batch, *self.window.out, self.channels)

    @property
    def operands(self) -> tuple[tuple[int, ...], ...]:
        """The shapes of what is given."""
        x, y = self.x_shape, self.y_shape
        if self.form in ("value", "tap"):
            return (x,)
        if not self.selects:
            return (y,)
        return (x, y, x if self.form == "pick" else y)

    @property
    def operand_dtypes(self) -> tuple[Any, ...]:
        return (self.dtype, self.tap_dtype, self.dtype) if len(self.operands) == 3 else (self.dtype,)

    @property
    def result(self) -> tuple[int, ...]:
        return self.x_shape if self.form == "spread" else self.y_shape

    @property
    def result_dtype(self) -> Any:
        return self.tap_dtype if self.form == "tap" else self.dtype

    @property
    def taps(self) -> int:
        return prod(self.window.size)

    @property
    def tap_dtype(self) -> Any:
        """The least integer that holds a tap, and `taps` more for each axis, where that axis says "none"."""
        most = (self.window.rank + 1) * self.taps
        return np.dtype(np.uint8 if most < 1 << 8 else np.uint16 if most < 1 << 16 else np.int32)

    @property
    def sum_dtype(self) -> Any:
        """What sums of this dtype are computed in: float16 and bfloat16 in float32."""
        narrow = self.dtype.itemsize < 4 and jnp.issubdtype(self.dtype, jnp.floating)
        return np.dtype(np.float32) if narrow else self.dtype

    @property
    def comparisons(self) -> int:
        """Comparisons of an extremum, additions of a sum: one a tap, those with padding counted."""
        return self.batch * prod(self.window.out) * self.channels * self.taps

    @property
    def bytes(self) -> int:
        """What must be read and written at the least: the operands, x or its taps, and the result, once each."""
        shapes = [*zip(self.operands, self.operand_dtypes, strict=True), (self.result, self.result_dtype)]
        return sum(prod(shape) * dtype.itemsize for shape, dtype in shapes[len(self.operands) == 3 :])

    @property
    def empty(self) -> bool:
        return 0 in (*self.x_shape, *self.y_shape)

    def but(self, **changes: Any) -> PoolProblem:
        """The same problem with some fields changed."""
        return replace(self, **changes)

    def structs(self) -> tuple[jax.ShapeDtypeStruct, ...]:
        """The operands as `jax.eval_shape` takes them."""
        pairs = zip(self.operands, self.operand_dtypes, strict=True)
        return tuple(jax.ShapeDtypeStruct(shape, dtype) for shape, dtype in pairs)


def lowest(dtype: Any, kind: str) -> np.ndarray:
    """The identity of the extremum: every real element is at least as good."""
    if jnp.issubdtype(dtype, jnp.floating):
        return np.asarray(-np.inf if kind == "max" else np.inf, dtype)
    info = jnp.iinfo(dtype)
    return np.asarray(info.min if kind == "max" else info.max, dtype)

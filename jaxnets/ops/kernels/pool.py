"""Sums, means, extrema and their positions over sliding windows, one window, explicit numbers."""

from __future__ import annotations

import jax

from jaxnets.ops.geometry import Window
from jaxnets.ops.kernels import switch
from jaxnets.ops.kernels.pool_family import bind
from jaxnets.ops.kernels.pool_lowerings.gathered import take
from jaxnets.ops.kernels.pool_lowerings.plain import positions_of
from jaxnets.ops.kernels.pool_problem import Extremum, PoolProblem

__all__ = [
    "Extremum",
    "take",
    "window_argextremum",
    "window_extremum",
    "window_mean",
    "window_pick",
    "window_spread",
    "window_sum",
    "window_sum_transpose",
]


def window_extremum(x: jax.Array, window: Window, kind: Extremum, lowering: str | None = None) -> jax.Array:
    """The maximum (minimum) of each window: (N, *spatial, C) → (N, *window.out, C).

    A NaN wins over every number, padding over none; a window of padding alone has the dtype's lowest (highest) value.
    The gradient goes to the first extremum in row-major order, dilated windows included (JAX has none for those).
    """
    return bind("value", kind, x, window=window, lowering=lowering or switch.asked())


def _taps(x: jax.Array, window: Window, kind: Extremum, lowering: str | None) -> jax.Array:
    return bind("tap", kind, jax.lax.stop_gradient(x), window=window, lowering=lowering)


def window_pick(x: jax.Array, t: jax.Array, window: Window, kind: Extremum, lowering: str | None = None) -> jax.Array:
    """Of t, shaped as x, the element where each window of x has its first extremum: what an extremum's derivative is of
    a tangent. 0 for a window of padding alone. Linear in t, of which it has a gradient, and of x none.
    """
    lowering = lowering or switch.asked()
    return bind("pick", kind, x, _taps(x, window, kind, lowering), t, window=window, lowering=lowering)


def window_spread(
    x: jax.Array, dy: jax.Array, window: Window, kind: Extremum, lowering: str | None = None
) -> jax.Array:
    """The transpose of `window_pick`: (N, *window.out, C) → (N, *spatial, C).

    Each of dy is added where its window of x has its first extremum: the gradient of an extremum. Linear in dy, of
    which it has a gradient, and of x none.
    """
    lowering = lowering or switch.asked()
    return bind("spread", kind, x, _taps(x, window, kind, lowering), dy, window=window, lowering=lowering)


def window_argextremum(x: jax.Array, window: Window, kind: Extremum, lowering: str | None = None) -> jax.Array:
    """Where each window's maximum (minimum) is: flat row-major positions in the unpadded spatial axes, int32.

    The first one wins a tie, and the first NaN beats every number, so it is the position of what
    `window_extremum` returns. Each window must see a real element. Not differentiable, being an integer.
    """
    taps = _taps(x, window, kind, lowering or switch.asked())
    return positions_of(taps, PoolProblem.of("tap", kind, window, x))


def window_sum(x: jax.Array, window: Window, lowering: str | None = None) -> jax.Array:
    """Sum over each window, zeros outside: (N, *spatial, C) → (N, *window.out, C), in the dtype of `x`.

    Float16 and bfloat16 are added up in float32; integers wrap round.
    """
    return bind("value", "sum", x, window=window, lowering=lowering or switch.asked())


def window_sum_transpose(dy: jax.Array, window: Window, lowering: str | None = None) -> jax.Array:
    """The adjoint of `window_sum`: (N, *window.out, C) → (N, *spatial, C), each of dy added to all of its window."""
    return bind("spread", "sum", dy, window=window, lowering=lowering or switch.asked())


def window_mean(x: jax.Array, window: Window, padding_counts: bool = False, lowering: str | None = None) -> jax.Array:
    """Mean over the real elements of each window: (N, *spatial, C) → (N, *window.out, C), in the dtype of `x`, a float.

    With `padding_counts` the zeros that the caller asked for count too, but not `ceil_mode`'s overhang.
    """
    kind = "padded_mean" if padding_counts else "mean"
    return bind("value", kind, x, window=window, lowering=lowering or switch.asked())  # type: ignore[arg-type]

"""One call of one op, small enough to print: shapes, options, dtype and seed, from which the arrays are made again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import prod
from typing import Any, Literal

import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Shape = tuple[int, ...]
Fill = Literal["normal", "ties", "distinct", "special"]

BY_KEYWORD = ("samples", "scale", "shift")  # arrays that ops take by keyword
CONSTANT = ("samples", "indices")  # arrays that no gradient is taken of
ADDED = ("b", "shift")  # arrays that are added last, so that the definitions of gradients do not take them


def is_float(dtype: Any) -> bool:
    """Whether `dtype` is a floating-point type, bfloat16 among them.

    >>> is_float("bfloat16"), is_float("int8")
    (True, False)
    """
    return bool(jnp.issubdtype(jnp.dtype(dtype), jnp.floating))


@dataclass(frozen=True)
class Case:
    """One legal call of `op`. Its repr is the whole of it: paste it into a test to have the same call again.

    Fields: `shapes` of the arrays, by argument name, in order; `kwargs`, the options; `dtype` of the arrays; `fill`,
    how they are filled: `"normal"` (integers: over their whole range), `"ties"` (-1, 0 and 1), `"distinct"` (no two
    within 1/size of each other, so that finite differences meet no tie) or `"special"` (NaN and infinities among
    normal numbers); `seed`.

    >>> case = Case("max_pool", {"x": (1, 4, 1)}, {"size": 2}, fill="ties", seed=1)
    >>> case.arrays()[0].ravel()
    array([0., 0., 1., 1.], dtype=float32)
    >>> case.bind(lambda x, size: x[:, ::size])(*case.arrays()).shape
    (1, 2, 1)
    """

    op: str
    shapes: Mapping[str, Shape]
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    dtype: str = "float32"
    fill: Fill = "normal"
    seed: int = 0

    def arrays(self) -> tuple[Array, ...]:
        """The arguments, the same ones every time: NumPy arrays in the order of `shapes`."""
        return tuple(self._array(position, name) for position, name in enumerate(self.shapes))

    def cotangent(self, shape: Shape, dtype: Any) -> Array:
        """A gradient of the result, to be pulled back."""
        return self._rng(len(self.shapes)).standard_normal(shape).astype(dtype)

    def bind(self, fn: Callable[..., Any]) -> Callable[..., Any]:
        """`fn` as a function of the arrays alone, its options given."""

        def bound(*arrays: Any) -> Any:
            positional, named = self._arguments(arrays)
            return fn(*positional, **named, **self.kwargs)

        return bound

    def bind_backward(self, backward: Callable[..., Any]) -> Callable[..., tuple[Array, ...]]:
        """`backward(dy, *arrays, **kwargs)` as a function of arrays: one gradient for each `differentiable` one."""

        def bound(dy: Any, *arrays: Any) -> tuple[Array, ...]:
            positional, named = self._arguments(arrays, leave_out=ADDED)
            gradients = backward(dy, *positional, **named, **self.kwargs)
            gradients = gradients if isinstance(gradients, tuple) else (gradients,)
            return tuple(gradients[: len(self.differentiable)])

        return bound

    def _arguments(self, arrays: tuple[Any, ...], leave_out: tuple[str, ...] = ()) -> tuple[list[Any], dict[str, Any]]:
        given = [(name, a) for name, a in zip(self.shapes, arrays, strict=True) if name not in leave_out]
        return [a for name, a in given if name not in BY_KEYWORD], {n: a for n, a in given if n in BY_KEYWORD}

    @property
    def differentiable(self) -> tuple[int, ...]:
        """The positions of the arrays that gradients are taken of; none if they are integers."""
        return tuple(i for i, name in enumerate(self.shapes) if name not in CONSTANT and is_float(self.dtype))

    def _rng(self, position: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, position])

    def _array(self, position: int, name: str) -> Array:
        rng, shape, dtype = self._rng(position), self.shapes[name], jnp.dtype(self.dtype)
        if name == "samples":
            return rng.random(shape, np.float32)
        if name == "indices":
            return _positions(rng, shape, self.kwargs["output_size"])
        if name == "var":
            return (0.5 + rng.random(shape)).astype(dtype)
        fill = self.fill if name == "x" else "normal"
        if fill == "special" and not is_float(dtype):
            fill = "ties"
        if fill == "normal" and not is_float(dtype):
            low, high = int(jnp.iinfo(dtype).min), int(jnp.iinfo(dtype).max)
            return rng.integers(low, high, shape, np.int64, endpoint=True).astype(dtype)
        return _FILLS[fill](rng, shape).astype(dtype)


def _ties(rng: np.random.Generator, shape: Shape) -> Array:
    return rng.integers(0, 3, shape) - 1


def _distinct(rng: np.random.Generator, shape: Shape) -> Array:
    count = prod(shape)
    return (rng.permutation(count) * (4 / max(count, 1)) - 2).reshape(shape)


def _special(rng: np.random.Generator, shape: Shape) -> Array:
    odd = rng.choice(np.array([np.nan, np.inf, -np.inf]), shape)
    return np.where(rng.random(shape) < 0.2, odd, rng.standard_normal(shape))


def _normal(rng: np.random.Generator, shape: Shape) -> Array:
    return rng.standard_normal(shape)


def _positions(rng: np.random.Generator, shape: Shape, spatial: Shape) -> Array:
    """Flat positions in `spatial`, no two alike in one channel of one image: indices of max pooling."""
    n, *out, c = shape
    every = rng.permuted(np.broadcast_to(np.arange(prod(spatial)), (n, c, prod(spatial))), axis=-1)
    return np.moveaxis(every[..., : prod(out)], -1, 1).reshape(shape).astype(np.int32)


_FILLS: dict[str, Callable[[np.random.Generator, Shape], Array]] = {
    "normal": _normal,
    "ties": _ties,
    "distinct": _distinct,
    "special": _special,
}

"""`accelerate`: a function with the same signature that is traced once per shape and runs on our kernels."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import jax
import jax.numpy as jnp

from jaxnets import compat
from jaxnets.accelerate.rewrite import Program
from jaxnets.ops.kernels import switch

P = ParamSpec("P")
R = TypeVar("R")

_MOST_PROGRAMS = 128  # kept per function; the one unused for longest goes first


def accelerate(fn: Callable[P, R]) -> Callable[P, R]:
    """The same function, its convolutions and pools computed by jaxnets' kernels: forward, backward, anywhere in it.

    `fn` is any function that JAX can trace, of any library: a Flax, Equinox, Haiku or Keras model, a loss, a training
    step, or one of JAX's transformations of these. Both `jax.grad(accelerate(f))` and `accelerate(jax.grad(f))` have
    fast gradients. Replaced are `lax.conv_general_dilated`, `lax.reduce_window` (maximum, minimum, sum) and the
    gradients JAX makes of them, inside `jit`, `scan`, `while_loop`, `cond`, `checkpoint`, `custom_jvp`, `custom_vjp`,
    `vmap` and `shard_map` too. What our kernels do not compute is left as it is: complex numbers, windows over more
    than three axes, arrays sharded explicitly.

    Arguments and results are pytrees, as `fn` has them. Arrays are traced; everything else, Python's own numbers
    included, is static: `fn` sees the very object, which must be hashable. Functions that are compiled and donate keep
    doing so; to donate the arguments of the whole, write `jax.jit(accelerate(f), donate_argnums=...)`. Names, random
    keys and effects (debug prints, callbacks) stay in their places. As under `jax.jit`, `fn` must be a pure function:
    it is traced once for each structure, shape, dtype and static value, and not called again for those.

    Raises `TypeError` if `fn` is not callable or a static argument not hashable, and whatever `fn` raises. Gradient:
    that of `fn`, to rounding. `jaxnets.lowering("lax")` switches the replacement off. Cost: one more trace; without
    `jax.jit` each operation runs by itself, as in `fn`.

    >>> import jax, jax.numpy as jnp
    >>> from jax import lax
    >>> def blur(x, w):
    ...     return lax.conv_general_dilated(x, w, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))
    >>> fast = jax.jit(accelerate(blur))
    >>> fast(jnp.ones((1, 4, 4, 1)), jnp.ones((3, 3, 1, 1)))[0, 1, 1, 0]
    Array(9., dtype=float32)
    >>> jaxpr = jax.make_jaxpr(accelerate(jax.grad(lambda x, w: blur(x, w).sum())))(*2 * [jnp.ones((3, 3, 1, 1))])
    >>> "conv_general_dilated" in str(jaxpr)
    False
    """
    if not callable(fn):
        raise TypeError(f"jaxnets.accelerate: fn is {type(fn).__name__}, not a function; pass the function itself")
    programs: dict[Hashable, Program] = {}

    @wraps(fn)
    def accelerated(*args: P.args, **kwargs: P.kwargs) -> R:
        leaves, tree = jax.tree.flatten((args, kwargs))
        leaves = [jnp.asarray(leaf) if hasattr(leaf, "__jax_array__") else leaf for leaf in leaves]
        key = (tree, *map(_kind, leaves), compat.context(), switch.asked())
        try:
            hash(key)
        except TypeError:
            raise TypeError(_unhashable(fn, args, kwargs)) from None
        program = programs.pop(key, None)
        if program is None:
            program = Program.of(fn, tree, leaves)
        if program.lasts:
            programs[key] = program  # now the last of them, which a dict keeps in order
            if len(programs) > _MOST_PROGRAMS:
                programs.pop(next(iter(programs)), None)
        return program.run(leaves)

    return accelerated


def _kind(leaf: Any) -> Hashable:
    """What a trace depends on of one leaf."""
    if compat.is_array(leaf):
        return compat.aval_of(leaf)
    if isinstance(leaf, (bool, int, float, complex)):  # 1, 1.0 and True are equal, and so are 0.0 and -0.0
        return type(leaf), repr(leaf)
    return type(leaf), leaf


def _unhashable(fn: Any, args: Any, kwargs: Any) -> str:
    """Which argument is to blame, and the remedy."""
    name = getattr(fn, "__name__", type(fn).__name__)
    for path, leaf in jax.tree_util.tree_leaves_with_path((args, kwargs)):
        try:
            hash(_kind(leaf))
        except TypeError:
            where = f"argument {path[1].idx}" if path[0].idx == 0 else f"argument {path[1].key!r}"
            return (
                f"jaxnets.accelerate: {where}{jax.tree_util.keystr(path[2:])} of {name} is of type "
                f"{type(leaf).__name__}, neither an array nor hashable; make it an array, or something hashable "
                f"such as a number, a string or a frozen dataclass"
            )
    return (
        f"jaxnets.accelerate: the structure of the arguments of {name} is not hashable; some node of it keeps an array "
        f"or a list as static data: make that a leaf, or a tuple"
    )

"""The leaves of a layer: how `init` draws them and how `apply` reads them.

They are float32 always; `apply` casts them to the dtype of its input, which is the dtype it computes in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
from jax.typing import DTypeLike

from jaxnets.combine import child_key
from jaxnets.core import Layer, Params, require_key
from jaxnets.layers.initializers import Initializer, variance_scaling
from jaxnets.ops import check

Shapes = Mapping[str, tuple[int, ...]]
"""The leaves a layer has for an input, by name. `init` draws them and `apply` expects them."""

HE_NORMAL = variance_scaling(2.0, "fan_in", "truncated_normal")
"""Variance 2 / fan-in, truncated at two deviations: keeps the second moment through a ReLU. He et al., 2015,
https://arxiv.org/abs/1502.01852. The fan-in is all of w but its last axis, so that of one group."""

LECUN_NORMAL = variance_scaling(1.0, "fan_in", "truncated_normal")
"""Variance 1 / fan-in: keeps the variance through a linear map. LeCun et al., 1998, Efficient BackProp,
https://doi.org/10.1007/3-540-49430-8_2."""

ZEROS = jax.nn.initializers.zeros


Example = jax.Array | jax.ShapeDtypeStruct
"""What `init` is given for x."""


def floating_images(op: str, x: Any) -> jax.Array:
    """(N, *spatial, C), floating point."""
    return check.floating(op, check.images(op, x))


def linear(layer: Layer, with_bias: Callable[[], Layer]) -> Layer:
    """`layer`, marked as one whose output in channel c is linear in w[..., c], plus b[c], and depends on no other c.

    `with_bias()` is the same layer with a bias. What `fold` puts a norm's numbers into.
    """
    layer.apply.with_bias = with_bias  # type: ignore[attr-defined]
    return layer


def example(op: str, x: Example, checked: Callable[[str, Any], jax.Array] = check.floating) -> jax.ShapeDtypeStruct:
    """What `init` may know of its example `x`, an array or a `jax.ShapeDtypeStruct`: the shape and dtype, checked."""
    abstract = isinstance(x, jax.ShapeDtypeStruct)
    found = jax.eval_shape(lambda a: checked(op, a), x) if abstract else checked(op, x)
    if not found.ndim or not found.shape[-1]:
        raise ValueError(f"{op}: x has shape {found.shape}, so it has no channels (last axis); pass at least one")
    return jax.ShapeDtypeStruct(found.shape, found.dtype)


def draw(op: str, key: jax.Array | None, shapes: Shapes, initializers: Mapping[str, Initializer]) -> Params:
    """The parameters of these shapes, each drawn by its initializer from its own key, the name being the salt."""
    key = require_key(op, key)
    return {
        name: jnp.asarray(initializers[name](child_key(key, name), shape, jnp.float32), jnp.float32)
        for name, shape in shapes.items()
    }


def read(op: str, tree: Any, names: Iterable[str], dtype: DTypeLike, *, what: str = "params") -> Params:
    """The leaves of `tree` in `dtype`; an error unless they are exactly `names`."""
    if not isinstance(tree, Mapping):
        raise TypeError(f"{op}: {what} is {type(tree).__name__}, not a dict; pass apply(params, state, x)")
    if set(tree) != set(names):
        raise ValueError(
            f"{op}: {what} has the leaves {sorted(tree)}, but this layer has {sorted(names)}; "
            f"pass what its own init returned"
        )
    return {name: check.array(op, tree[name], name).astype(dtype) for name in names}


def fit(op: str, leaves: Params, shapes: Shapes, x: jax.Array) -> None:
    """`ValueError` unless the leaves have the shapes that this layer has for `x`."""
    for name, shape in shapes.items():
        if leaves[name].shape != shape:
            raise ValueError(
                f"{op}: {name} has shape {leaves[name].shape}, but for x {x.shape} this layer's is {shape}; "
                f"pass what its own init returned for such an x"
            )


def run(op: str, fn: Callable[..., jax.Array], params: Any, shapes: Shapes, x: jax.Array) -> jax.Array:
    """`fn(x, **leaves)`, the leaves in `x`'s dtype and of these shapes."""
    leaves = read(op, params, shapes, x.dtype)
    y = fn(x, **leaves)  # before `fit`: of a misfit that the op sees it says more
    fit(op, leaves, shapes, x)
    return y

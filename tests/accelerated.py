"""What the tests of `jaxnets.accelerate` share: plain lax functions, and what is left of them."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxnets import compat

NHWC = ("NHWC", "HWIO", "NHWC")
REPLACED = {
    "conv_general_dilated",
    "reduce_window_max",
    "reduce_window_min",
    "reduce_window_sum",
    "reduce_window",
    "select_and_scatter_add",
    "select_and_gather_add",
}
OURS = {"jaxnets_conv", "jaxnets_pool"}


def conv(x: jax.Array, w: jax.Array, stride: int = 1, groups: int = 1) -> jax.Array:
    return lax.conv_general_dilated(x, w, (stride, stride), "SAME", dimension_numbers=NHWC, feature_group_count=groups)


def max_pool(x: jax.Array) -> jax.Array:
    return lax.reduce_window(x, -np.inf, lax.max, (1, 3, 3, 1), (1, 2, 2, 1), "SAME")


def avg_pool(x: jax.Array) -> jax.Array:
    return lax.reduce_window(x, 0.0, lax.add, (1, 2, 2, 1), (1, 1, 1, 1), "VALID") / jnp.full((), 4, x.dtype)


def normal(*shape: int, seed: int = 0) -> jax.Array:
    return jnp.asarray(np.random.default_rng([seed, *shape]).standard_normal(shape).astype(np.float32))


def names(fn: Any, *args: Any) -> list[str]:
    """The primitives of a function, those inside others included, in the order they run."""
    return [e.primitive.name for _, e, _ in compat.equations(jax.make_jaxpr(fn)(*args).jaxpr)]


def assert_ours(fn: Any, *args: Any) -> None:
    """Nothing of lax's is left, and something of ours is there."""
    found = set(names(fn, *args))
    assert not found & REPLACED
    assert found & OURS


def assert_close(a: Any, b: Any, tolerance: float = 1e-4) -> None:
    assert jax.tree.structure(a) == jax.tree.structure(b)
    jax.tree.map(lambda u, v: np.testing.assert_allclose(u, v, rtol=tolerance, atol=tolerance), a, b)

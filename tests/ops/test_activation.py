"""Smooth activations against the naive definitions, far from zero, and what their gradients keep."""

import re

import chex
import jax
import jax.numpy as jnp
import pytest

from jaxnets import ops
from jaxnets.testing.case import Case
from jaxnets.testing.checks import check_gradients

INPUTS = (((3, 50), "float32"), ((2, 3, 4), "float64"), ((50,), "bfloat16"), ((0, 2), "float16"))
BOTH = pytest.mark.parametrize("op", ["gelu", "silu"])


@BOTH
@pytest.mark.parametrize(("shape", "dtype"), INPUTS)
def test_equals_the_definition(op, shape, dtype):
    check_gradients(getattr(ops, op), Case(op, {"x": shape}, {}, dtype))


@BOTH
def test_far_from_zero_it_is_relu(op):
    f, far = getattr(ops, op), jnp.asarray([-1e30, -200.0, 200.0, 1e30])
    chex.assert_trees_all_close(f(far), jnp.maximum(far, 0))
    chex.assert_trees_all_close(jax.vmap(jax.grad(f))(far), (far > 0).astype(jnp.float32), atol=1e-6)


@pytest.mark.parametrize(("op", "costly"), [(ops.gelu, "erf"), (ops.silu, "exponential")])
def test_gradients_keep_nothing_but_x(op, costly):
    """What is costly is computed twice; of `jax.nn`'s, once, and kept."""

    def computed(f):
        def both(x):
            y, transpose = jax.vjp(f, x)
            return y, transpose(y)[0]

        text = jax.jit(both).lower(jax.ShapeDtypeStruct((64, 128), "float32")).compile().as_text()
        return len(re.findall(rf" {costly}\(", text))

    plain = {"erf": lambda x: x * (0.5 + 0.5 * jax.lax.erf(x)), "exponential": jax.nn.silu}[costly]
    assert computed(op) > computed(plain)


def test_integers_are_refused():
    for op in (ops.gelu, ops.silu):
        with pytest.raises(TypeError, match=f"{op.__name__}: x has dtype int32"):
            op(jnp.arange(3))

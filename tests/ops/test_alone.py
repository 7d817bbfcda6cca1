"""What XLA for a CPU is kept from fusing."""

import re

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxnets import ops
from jaxnets.ops.kernels.alone import held


def _maxima(program) -> list[str]:
    """The shapes of what compiled loops compute with `maximum`."""
    return re.findall(r"= (f32\[[\d,]*\])\S* maximum\(", program.as_text())


def _loss(x, w):
    return jnp.sum(ops.conv(lax.max(x, np.float32(0)), w) ** 2)


def test_what_convolutions_read_is_made_once():
    """The forward product and the one of the weight gradient read the same rows in two shapes."""
    x, w = jax.ShapeDtypeStruct((2, 64, 64, 8), "float32"), jax.ShapeDtypeStruct((1, 1, 8, 16), "float32")
    program = jax.jit(jax.grad(_loss, argnums=1)).lower(x, w).compile()
    assert len(_maxima(program)) == 1


def test_held_is_no_copy():
    x = jax.ShapeDtypeStruct((2, 8, 8, 4), "float32")

    def f(x):
        y = held(lax.mul(x, np.float32(2)))
        return lax.sin(y), lax.cos(y)

    text = jax.jit(f).lower(x).compile().as_text()
    assert "copy(" not in text
    assert len(re.findall(r" multiply\(", text)) == 1


def test_held_is_the_identity(key):
    x = jax.random.normal(key, (2, 3, 5, 4))
    np.testing.assert_array_equal(jax.jit(held)(x), x)

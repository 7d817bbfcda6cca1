"""Smooth activations whose gradients remember x and nothing else.

The derivative computes from x again what the forward pass computed, but writes it in another way: of two that are alike
XLA would make one, and keep it in memory from the one to the other. On a CPU to write and read it takes as long as to
compute it.
"""

from __future__ import annotations

from math import pi, sqrt

import jax
import jax.numpy as jnp
from jax import lax

from jaxnets.ops import check
from jaxnets.ops.precision import widen


def gelu(x: jax.Array) -> jax.Array:
    """The Gaussian error linear unit, `x Φ(x)`, Φ the distribution function of the standard normal: exact, not the
    approximation by tanh.

    Shapes: any, kept. Raises `TypeError` for integers. Computed in float32 at least, by the error function as PyTorch
    does: its absolute error is a rounding of x, its relative error grows where x is below -3 and the result near 0.
    Gradient: `Φ(x) + x φ(x)`, computed from x again, so that x is all a training step keeps. Cost: one error function
    an element, and one with an exponential for its gradient; `jax.nn.gelu` takes the complementary one, which on a CPU
    is dearer. Hendrycks & Gimpel, 2016,
    https://arxiv.org/abs/1606.08415.

    >>> import jax.numpy as jnp
    >>> gelu(jnp.array([0., 10.]))
    Array([ 0., 10.], dtype=float32)
    """
    x = check.floating("gelu", x)
    return _gelu(widen(x)).astype(x.dtype)


@jax.custom_jvp
def _gelu(x: jax.Array) -> jax.Array:
    return x * (0.5 + 0.5 * lax.erf(x * sqrt(0.5)))


@_gelu.defjvp
def _gelu_jvp(primals: tuple[jax.Array], tangents: tuple[jax.Array]) -> tuple[jax.Array, jax.Array]:
    (x,), (dx,) = primals, tangents
    below = 0.5 - 0.5 * lax.erf(x * -sqrt(0.5))
    density = jnp.exp(-0.5 * x * x) * (1 / sqrt(2 * pi))
    return _gelu(x), dx * (below + x * density)


def silu(x: jax.Array) -> jax.Array:
    """The sigmoid linear unit, `x σ(x)` with `σ(x) = 1 / (1 + exp(-x))`, also called swish.

    Shapes: any, kept. Raises `TypeError` for integers. Computed in float32 at least. Gradient: `σ (1 + x (1 - σ))`,
    computed from x again, so that x is all a training step keeps. Cost: one exponential an element, and one for its
    gradient. Hendrycks & Gimpel, 2016, https://arxiv.org/abs/1606.08415; Ramachandran et al., 2017,
    https://arxiv.org/abs/1710.05941.

    >>> import jax.numpy as jnp
    >>> silu(jnp.array([0., 100.]))
    Array([  0., 100.], dtype=float32)
    """
    x = check.floating("silu", x)
    return _silu(widen(x)).astype(x.dtype)


@jax.custom_jvp
def _silu(x: jax.Array) -> jax.Array:
    return x * lax.logistic(x)


@_silu.defjvp
def _silu_jvp(primals: tuple[jax.Array], tangents: tuple[jax.Array]) -> tuple[jax.Array, jax.Array]:
    (x,), (dx,) = primals, tangents
    root = jnp.exp(-0.5 * x)  # of exp(-x)
    share = 1 / (1 + root * root)
    return _silu(x), dx * (share * (1 + x * (1 - share)))

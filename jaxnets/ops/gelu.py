"""The Gaussian error linear unit, with a gradient that remembers x and nothing else."""

from __future__ import annotations

from math import pi, sqrt

import jax
import jax.numpy as jnp
from jax import lax

from jaxnets.ops import check
from jaxnets.ops.precision import widen


def gelu(x: jax.Array) -> jax.Array:
    """`x Φ(x)`, Φ the distribution function of the standard normal: exact, not the approximation by tanh.

    Shapes: any, kept. Raises `TypeError` for integers. Computed in float32 at least by the error function, as PyTorch
    does: its absolute error is a rounding of x, its relative error grows where x is below -3 and the result near 0.
    Gradient: `Φ(x) + x φ(x)`, computed from x again, so that x is all a training step keeps. Cost: one error function
    an element, half of what `jax.nn.gelu` takes on a CPU, and about half of its gradient's. Hendrycks & Gimpel, 2016,
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
    # Φ(x) once more, but written in another way: XLA would keep the one of the forward pass in memory until now, and
    # reading and writing it takes as long as the error function.
    below = 0.5 - 0.5 * lax.erf(x * -sqrt(0.5))
    density = jnp.exp(-0.5 * x * x) * (1 / sqrt(2 * pi))
    return _gelu(x), dx * (below + x * density)

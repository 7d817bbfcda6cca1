"""FTRL-Proximal: the optimizer of sparse linear models, which leaves most weights at exactly zero."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax


class FtrlState(NamedTuple):
    """What the gradients so far say of each weight.

    Attributes:
        pull: their sum, less what the weights have moved for it: z in the paper.
        squares: the sum of their squares: n in the paper.
    """

    pull: Any
    squares: Any


def ftrl(learning_rate: float = 0.1, *, beta: float = 1.0, l1: float = 0.0, l2: float = 0.0) -> Any:
    """Follow the regularized leader: each weight is the best in hindsight, with a rate of its own and an l1 penalty.

    With g the gradient: `σ = (√(n + g²) - √n) / learning_rate`, `z ← z + g - σ w`, `n ← n + g²`, and `w = 0` where
    `|z| ≤ l1`, else `-(z - sign(z) l1) / ((beta + √n) / learning_rate + l2)`.

    Args:
        learning_rate: α, above 0.
        beta: keeps the first steps small, at least 0.
        l1: a weight whose pull is no larger than this is exactly zero.
        l2: shrinks the others.

    Returns:
        An `optax.GradientTransformation`. Its update needs the parameters, from which z begins: at first nothing moves.

    Raises:
        ValueError: an argument is out of range; or `update` without parameters.

    Cost: two arrays as large as the parameters. McMahan et al., 2013, Ad Click Prediction: a View from the Trenches,
    https://doi.org/10.1145/2487575.2488200.

    >>> tx = ftrl(1.0, l1=0.5)
    >>> w = jnp.zeros(2)
    >>> updates, state = tx.update(jnp.array([0.4, -2.0]), tx.init(w), w)
    >>> w + updates
    Array([0. , 0.5], dtype=float32)
    """
    if not learning_rate > 0:
        raise ValueError(f"ftrl: learning_rate is {learning_rate}; it must be above 0")
    for name, value in (("beta", beta), ("l1", l1), ("l2", l2)):
        if not value >= 0:
            raise ValueError(f"ftrl: {name} is {value}; it must be at least 0")

    def stiffness(squares: jax.Array) -> jax.Array:
        return (beta + jnp.sqrt(squares)) / learning_rate + l2

    def init(params: Any) -> FtrlState:
        squares = jax.tree.map(jnp.zeros_like, params)
        # That of which the weights are the solution.
        pull = jax.tree.map(lambda w, n: -(w * stiffness(n) + jnp.sign(w) * l1), params, squares)
        return FtrlState(pull, squares)

    def update(gradients: Any, state: FtrlState, params: Any = None) -> tuple[Any, FtrlState]:
        if params is None:
            raise ValueError("ftrl: update needs the parameters; pass update(gradients, state, params)")
        squares = jax.tree.map(lambda n, g: n + g * g, state.squares, gradients)
        pull = jax.tree.map(
            lambda z, g, w, old, new: z + g - (jnp.sqrt(new) - jnp.sqrt(old)) / learning_rate * w,
            state.pull,
            gradients,
            params,
            state.squares,
            squares,
        )

        def step(w: jax.Array, z: jax.Array, n: jax.Array) -> jax.Array:
            solid = jnp.maximum(stiffness(n), jnp.finfo(n.dtype).tiny)  # 0 only where no gradient has been
            return jnp.where(jnp.abs(z) <= l1, 0, -(z - jnp.sign(z) * l1) / solid) - w

        return jax.tree.map(step, params, pull, squares), FtrlState(pull, squares)

    return optax.GradientTransformation(init, update)

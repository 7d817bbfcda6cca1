"""How the losses of many elements become one number."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from jaxnets.ops import check

REDUCTIONS = ("mean", "sum", "none")


def pair(op: str, predicted: Any, target: Any, first: str = "predicted") -> tuple[jax.Array, jax.Array]:
    """Two arrays of one shape in float32; a broadcast between them is nearly always a mistake."""
    predicted, target = check.floating(op, predicted, first), jnp.asarray(target)
    if predicted.shape != target.shape:
        raise ValueError(
            f"{op}: {first} has shape {predicted.shape} and target {target.shape}; reshape one of them, for instance "
            f"{first}[..., 0]"
        )
    return predicted.astype(jnp.float32), target.astype(jnp.float32)


def reduced(op: str, losses: jax.Array, reduction: str, where: jax.Array | None) -> jax.Array:
    """The mean or the sum of the losses, or all of them; those that are not `where` count as if they did not exist.

    The mean of none is 0, with no gradient.
    """
    if reduction not in REDUCTIONS:
        raise ValueError(f"{op}: reduction is {reduction!r}; pass one of {', '.join(REDUCTIONS)}")
    count = jnp.asarray(losses.size, losses.dtype)
    if where is not None:
        if where.shape != losses.shape or where.dtype != bool:
            raise ValueError(
                f"{op}: where is {where.dtype}{list(where.shape)}; pass bool{list(losses.shape)}, one for each loss"
            )
        losses = jnp.where(where, losses, jnp.zeros_like(losses))
        count = where.sum().astype(losses.dtype)
    if reduction == "none":
        return losses
    return losses.sum() / jnp.maximum(count, 1) if reduction == "mean" else losses.sum()

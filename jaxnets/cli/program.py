"""The programs that `jaxnets explain` and `jaxnets tune` look at: a model's forward pass, or its training step."""

from collections.abc import Callable
from typing import Any, Literal

import jax
import jax.numpy as jnp

from jaxnets import models

Dtype = Literal["float32", "bfloat16", "float16"]


def of_model(
    model: str, batch: int, size: int, channels: int, dtype: Dtype, train: bool
) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    """A function and the abstract arguments to call it with; nothing is computed.

    `train` is the step's gradient: of the outputs' sum, whose convolutions and pools are those of any loss.
    """
    if min(batch, size, channels) < 1:
        raise ValueError(f"batch, size and channels must be positive, not {batch}, {size} and {channels}")
    network = models.create(model)
    x = jax.ShapeDtypeStruct((batch, size, size, channels), dtype)
    params, state = jax.eval_shape(network.init, jax.random.key(0), x)

    def predict(params: Any, state: Any, x: jax.Array) -> Any:
        return network.apply(params, state, x)[0]

    def loss(params: Any, state: Any, x: jax.Array) -> tuple[jax.Array, Any]:
        y, state = network.apply(params, state, x, train=True, key=jax.random.key(0))
        return sum((jnp.sum(leaf.astype(jnp.float32)) for leaf in jax.tree.leaves(y)), jnp.float32(0)), state

    return (jax.value_and_grad(loss, has_aux=True) if train else predict), (params, state, x)

"""`jaxnets summary MODEL`."""

import jax
import jax.numpy as jnp

from jaxnets import models
from jaxnets.summary import summary as summarize


def summary(model: str, /, *, shape: tuple[int, ...] = (1, 8, 8, 1)) -> None:
    """Print a model layer by layer: output shape, parameters, multiply-adds, size of the activations.

    Nothing is computed: the network is only traced.

    Args:
        model: its name, as lenet.
        shape: of the input: batch, height, width, channels.
    """
    print(summarize(models.create(model), jax.ShapeDtypeStruct(shape, jnp.float32)))

"""The multilayer perceptron.

Rumelhart, Hinton and Williams (1986), Learning representations by back-propagating errors,
https://doi.org/10.1038/323533a0
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp

from jaxnets.combine import serial
from jaxnets.core import Layer
from jaxnets.layers import dense
from jaxnets.models.columns import features, hidden

EXAMPLE = jax.ShapeDtypeStruct((1, 16), jnp.float32)


def mlp(
    num_classes: int = 1,
    *,
    channels: Sequence[int] = (256, 128),
    sizes: Sequence[int] = (),
    embedding: int = 16,
    rate: float = 0.0,
) -> Layer:
    """The classifier of vectors, or of rows of a table: matrices, each rectified, and one for the logits.

    Shapes: `(N, F) → (N, num_classes)` logits, or `{"numbers": (N, F), "ids": (N, S)} → (N, num_classes)`; see
    jaxnets/models/columns.py.

    Args:
        num_classes: K; 1 for a yes or no.
        channels: features of each hidden layer.
        sizes: how many ids each of the S columns of categories has.
        embedding: features of the vector that stands for an id.
        rate: fraction of the hidden features dropped in training, which then needs a key.

    Raises `ValueError` for another number of columns than of sizes. Gradient: to all parameters. Cost: as many
    multiply-adds a row as there are parameters outside of the embedding.

    >>> model = mlp(3, channels=(8,), sizes=(5, 9), embedding=4)
    >>> x = {"numbers": jnp.zeros((2, 6)), "ids": jnp.array([[4, 0], [1, 8]])}
    >>> params, state = model.init(jax.random.key(0), x)
    >>> params["features"]["ids"]["table"]["w"].shape, params["hidden"]["hidden1"]["w"].shape
    ((14, 4), (14, 8))
    """
    return serial(
        features=features("mlp", sizes, embedding),
        hidden=hidden(channels, rate),
        classifier=serial(logits=dense(num_classes)),
    )

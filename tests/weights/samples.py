"""A small model, and how its tests load it and compare trees."""

import jax
import numpy as np

from jaxnets import weights

SMALL = {"depths": (1, 1), "channels": (4, 8)}
NAMES = {"source": "torchvision", **SMALL}


def load(tensors, **options):
    return weights.from_state_dict("resnet18", tensors, **{**NAMES, **options})


def same(a, b):
    assert jax.tree.map(np.shape, a) == jax.tree.map(np.shape, b)
    assert all(np.array_equal(x, y) for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True))

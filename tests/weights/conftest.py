import jax
import jax.numpy as jnp
import numpy as np
import pytest
from weights.samples import SMALL

from jaxnets import models, weights


@pytest.fixture(scope="module")
def tensors():
    """A state dict of random numbers, shapes from ours."""
    model = models.create("resnet18", **SMALL)
    trees = jax.eval_shape(model.init, jax.random.key(0), jax.ShapeDtypeStruct((1, 32, 32, 3), jnp.float32))
    zeros = [jax.tree.map(lambda a: np.zeros(a.shape, np.float32), each) for each in trees]
    draw = np.random.default_rng(0)
    names = weights.to_state_dict("resnet18", *zeros, source="torchvision")
    return {name: draw.standard_normal(tensor.shape, np.float32) for name, tensor in names.items()}

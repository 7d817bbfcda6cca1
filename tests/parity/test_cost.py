"""The cost of every convolution and matrix, as `summary` counts it, against a count on torchvision's own modules.

The count is fvcore's: what a module puts out times the weights that each number of it takes. On the meta device nothing
is computed.
"""

from math import prod

import jax
import jax.numpy as jnp
import pytest
from parity import oracles

from jaxnets import models, summary, tree, weights

pytestmark = pytest.mark.parity
torch = oracles.torch


def theirs(model, side):
    """Multiply-adds of each module of a kind that has any, by name."""
    costs = {}

    def count(name):
        def hook(module, given, made):
            costs[name] = made.numel() * module.weight[0].numel()

        return hook

    for name, module in model.named_modules():
        if isinstance(module, (torch.nn.Conv2d, torch.nn.Linear)):
            module.register_forward_hook(count(name))
    model.eval()(torch.empty(1, 3, side, side, device="meta"))
    return costs


@pytest.mark.parametrize("name", ["resnet50", "resnext50_32x4d", "mobilenet_v2", "efficientnet_b0", "convnext_tiny"])
def test_every_layer_costs_what_theirs_does(name):
    make = getattr(oracles.torchvision().models, name)
    with torch.device("meta"):
        wanted = theirs(make(), 224)
    model, x = models.create(name), jax.ShapeDtypeStruct((1, 224, 224, 3), jnp.float32)
    found = summary(model, x)
    trees = jax.eval_shape(model.init, jax.random.key(0), x)
    shapes = {path: leaf.shape for each in trees for path, leaf in tree.flatten(each).items()}
    parts = models.mapping.links(weights.state_dict.rules(name, "torchvision"), shapes)
    layers = {
        part.tensors[0].removesuffix(".weight"): part.leaves[0] for part in parts if part.leaves[0].endswith("/w")
    }
    ours = {row.path: (row.multiply_adds, row.params) for row in found.rows}
    for module, cost in wanted.items():
        path = layers[module].removesuffix("/w")
        own = {leaf: shape for leaf, shape in shapes.items() if leaf.startswith(path + "/")}
        assert ours[path] == (cost, sum(map(prod, own.values()))), module
    assert found.total.multiply_adds == sum(wanted.values())

"""Files that were published under other names than their library has today are read too."""

import re

import jax
import numpy as np
import pytest

from jaxnets import models, weights
from jaxnets.weights import state_dict

# model, config, and what turns a name of today into that of the published file
FILES = {
    "densenet121": (
        {"depths": (1, 1), "growth": 2, "stem": 4},
        ((r"(denselayer\d+\.(?:norm|conv))([12])\.", r"\1.\2."),),
    ),
    "vit_b_16": (
        {"image_size": (8, 12), "patch": 4, "channels": 8, "depth": 2, "heads": 2},
        ((r"mlp\.0\.", "mlp.linear_1."), (r"mlp\.3\.", "mlp.linear_2.")),
    ),
    "retinanet_resnet50_fpn": (
        {},
        (
            (r"(_blocks\.\d+)\.0\.", r"\1."),
            (r"(_head\.conv)\.(\d+)\.0\.", lambda found: f"{found[1]}.{2 * int(found[2])}."),
        ),
    ),
    "fasterrcnn_resnet50_fpn": ({}, ((r"(_blocks\.\d+)\.0\.", r"\1."), (r"rpn\.head\.conv\.0\.0\.", "rpn.head.conv."))),
}


@pytest.mark.parametrize("name", FILES)
def test_a_file_under_old_names(name):
    config, renamings = FILES[name]
    model, x = models.create(name, **config), state_dict.example(name, **config)
    params, state = jax.eval_shape(lambda key: model.init(key, x), jax.random.key(0))
    wanted = weights.to_state_dict(
        name,
        *(jax.tree.map(lambda a: np.zeros(a.shape, np.float32), each) for each in (params, state)),
        source="torchvision",
    )
    old = {}
    for number, (tensor, value) in enumerate(wanted.items()):
        for pattern, before in renamings:
            tensor = re.sub(pattern, before, tensor)
        value.flat[:1] = number  # tells one from another
        old[tensor] = value
    assert len(set(old) - set(wanted)) >= 4
    got = weights.from_state_dict(name, old, source="torchvision", **config)
    right = weights.from_state_dict(name, wanted, source="torchvision", **config)
    assert all(np.array_equal(a, b) for a, b in zip(jax.tree.leaves(got), jax.tree.leaves(right), strict=True))

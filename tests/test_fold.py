"""Folded networks compute the same without their norms."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnets import (
    batch_norm,
    collect,
    conv,
    conv_transpose,
    dense,
    depthwise_conv,
    fold,
    models,
    parallel,
    remat,
    repeat,
    serial,
    tree,
)

X = jax.random.normal(jax.random.key(1), (2, 8, 8, 4))
NORM = batch_norm(eps=1e-3)
KEEPS = serial(conv=conv(4, 3, bias=False), norm=batch_norm(), relu=jax.nn.relu)


def trained(layer):
    """Parameters and state that are nothing special."""
    trees = jax.eval_shape(layer.init, jax.random.key(0), X)
    draw = np.random.default_rng(0)
    return jax.tree.map(lambda a: jnp.asarray(draw.uniform(0.2, 1.2, a.shape), a.dtype), trees)


def norms(state):
    return sum(path.endswith("mean") for path in tree.flatten(state))


CASES = {
    "conv": (serial(conv=conv(6, 3, bias=False), norm=NORM), 0),
    "conv with a bias, norm without scale": (serial(conv=conv(6, 3), norm=batch_norm(scale=False)), 0),
    "conv in groups": (serial(conv(6, 3, 2, groups=2, padding=1), batch_norm(shift=False)), 0),
    "depthwise": (serial(conv=depthwise_conv(3, multiplier=2, bias=False), norm=NORM), 0),
    "dense": (serial(matrix=dense(5, bias=False), norm=NORM), 0),
    "two norms": (serial(conv(3, 1), NORM, NORM), 0),
    "repeat": (serial(body=repeat(KEEPS, 3)), 0),
    "repeat of nothing": (serial(relu=repeat(jax.nn.relu, 2), conv=conv(2, 1), norm=NORM), 0),
    "remat in parallel": (parallel(jnp.add, main=remat(KEEPS), skip=lambda x: x), 0),
    "norm first": (serial(norm=NORM, conv=conv(3, 1)), 1),
    "something between": (serial(conv=conv(3, 1), relu=jax.nn.relu, norm=NORM), 1),
    "transposed": (serial(conv=conv_transpose(4, 2, 2), norm=NORM), 1),
    "collect": (collect(conv=conv(3, 1), norm=NORM), 1),
}


@pytest.mark.parametrize("name", CASES)
def test_the_same_output_with_fewer_norms(name):
    layer, left = CASES[name]
    params, state = trained(layer)
    folded, new_params, new_state = fold(layer, params, state)
    assert norms(new_state) == left
    wanted, _ = layer.apply(params, state, X)
    found, _ = folded.apply(new_params, new_state, X)
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(wanted), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5 * float(jnp.abs(b).max()))
    made = jax.eval_shape(folded.init, jax.random.key(0), X)
    assert jax.tree.map(jnp.shape, made) == jax.tree.map(jnp.shape, (new_params, new_state))


@pytest.mark.parametrize(
    "name", ["resnet50", "wide_resnet101_2", "mobilenet_v2", "efficientnet_b0", "efficientnet_v2_s"]
)
def test_nothing_is_left_of_the_norms_of_a_model(name):
    """Only shapes: every norm of these follows its convolution."""
    model = models.create(name)
    trees = jax.eval_shape(model.init, jax.random.key(0), jax.ShapeDtypeStruct((1, 64, 64, 3), jnp.float32))
    params, state = jax.eval_shape(lambda p, s: fold(model, p, s)[1:], *trees)
    assert state == {}
    assert {path.rpartition("/")[2] for path in tree.flatten(params)} == {"w", "b"}


def test_a_layer_that_is_no_combinator():
    params, state = trained(NORM)
    assert fold(NORM, params, state) == (NORM, params, state)

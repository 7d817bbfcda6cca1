"""Layers as modules of Flax and back: the same numbers, the same new state, the same trees."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen, nnx

from jaxnets import batch_norm, dense, dropout, interop, serial

NET = serial(first=dense(4), norm=batch_norm(), drop=dropout(0.5), last=dense(2))
QUIET = serial(first=dense(4), norm=batch_norm(), last=dense(2))
X = jax.random.normal(jax.random.key(1), (6, 3))


def same(a, b):
    assert jax.tree.structure(a) == jax.tree.structure(b)
    jax.tree.map(lambda u, v: np.testing.assert_allclose(u, v, rtol=1e-6, atol=1e-6), a, b)


@pytest.fixture(scope="module")
def trees():
    return QUIET.init(jax.random.key(0), X)


def test_to_linen_is_the_layer(trees):
    params, state = trees
    module = interop.to_linen(QUIET)
    made = module.init(jax.random.key(0), X)
    assert jax.tree.map(jnp.shape, made["params"]["layer"]) == jax.tree.map(jnp.shape, params)
    variables = {"params": {"layer": params}, "state": {"layer": state}}
    same(module.apply(variables, X), QUIET.apply(params, state, X)[0])
    y, new = module.apply(variables, X, train=True, mutable=["state"])
    same((y, new["state"]["layer"]), QUIET.apply(params, state, X, train=True))


def test_linen_hands_a_key_down():
    module = interop.to_linen(NET)
    variables = module.init(jax.random.key(0), X)
    draws = [
        module.apply(variables, X, train=True, mutable=["state"], rngs={"dropout": jax.random.key(i)})[0]
        for i in (2, 3)
    ]
    assert not np.allclose(*draws)
    with pytest.raises(ValueError, match="dropout: key is None"):
        module.apply(variables, X, train=True, mutable=["state"])


class Block(linen.Module):
    @linen.compact
    def __call__(self, x, train=False):
        x = linen.BatchNorm(use_running_average=not train)(linen.Dense(4)(x))
        return linen.Dropout(0.5, deterministic=not train)(x)


def test_from_linen(key):
    module = Block()
    layer = interop.from_linen(module, mode=lambda train: {"train": train})
    net = serial(block=layer, head=dense(2))
    params, state = net.init(key, X)
    assert set(params["block"]) == {"Dense_0", "BatchNorm_0"}
    assert list(state["block"]) == ["batch_stats"]
    y, same_state = layer.apply(params["block"], state["block"], X)
    same(y, module.apply({"params": params["block"], **state["block"]}, X))
    assert same_state is state["block"]
    _, new = jax.jit(lambda p, s, x: net.apply(p, s, x, train=True, key=jax.random.key(3)))(params, state, X)
    assert jax.tree.structure(new) == jax.tree.structure(state)
    assert float(jnp.abs(new["block"]["batch_stats"]["BatchNorm_0"]["mean"]).max()) > 0


def test_there_and_back_through_linen(trees):
    back = interop.from_linen(interop.to_linen(QUIET), mode=lambda train: {"train": train})
    params, state = trees
    found, new = back.apply({"layer": params}, {"state": {"layer": state}}, X, train=True)
    same((found, new["state"]["layer"]), QUIET.apply(params, state, X, train=True))


def test_to_nnx_is_the_layer(trees):
    module = interop.to_nnx(QUIET, *trees)
    same(module(X), QUIET.apply(*trees, X)[0])
    wanted, new = QUIET.apply(*trees, X, train=True)
    module.train()
    same(module(X), wanted)
    same(nnx.to_pure_dict(nnx.state(module, nnx.BatchStat))["state"], new)
    gradient = nnx.grad(lambda m: m(X).sum())(module)
    wanted = jax.grad(lambda p: QUIET.apply(p, new, X, train=True)[0].sum())(trees[0])
    same(nnx.to_pure_dict(gradient)["params"], wanted)


def test_nnx_draws(trees):
    module = interop.to_nnx(NET, x=X, rngs=nnx.Rngs(0, dropout=1))
    module.train()
    assert not np.allclose(module(X), module(X))
    with pytest.raises(ValueError, match="pass params and state, or an example x"):
        interop.to_nnx(NET)


class Module(nnx.Module):
    def __init__(self, rngs):
        self.linear = nnx.Linear(3, 4, rngs=rngs)
        self.norm = nnx.BatchNorm(4, rngs=rngs)
        self.drop = nnx.Dropout(0.5, rngs=rngs)

    def __call__(self, x):
        return self.drop(self.norm(self.linear(x)))


def test_from_nnx(key):
    layer = interop.from_nnx(Module)
    params, state = layer.init(key, X)
    assert (set(params), set(state)) == ({"linear", "norm"}, {"norm"})
    module = Module(nnx.Rngs(key))
    module.eval()
    same(jax.jit(layer.apply)(params, state, X)[0], module(X))
    a, new = layer.apply(params, state, X, train=True, key=jax.random.key(2))
    b, _ = layer.apply(params, state, X, train=True, key=jax.random.key(4))
    assert not np.allclose(a, b)
    assert jax.tree.structure(new) == jax.tree.structure(state)
    assert float(jnp.abs(new["norm"]["mean"]).max()) > 0

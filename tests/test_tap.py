"""Feature maps from any named place."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnets import batch_norm, collect, conv, dense, dropout, global_avg_pool, parallel, remat, repeat, serial, tap

STAGES = {
    "stem": serial(conv=conv(4, 3, bias=False), norm=batch_norm(), relu=jax.nn.relu),
    "block": parallel(jnp.add, main=conv(4, 3), skip=lambda x: x),
    "wide": conv(64, 3),
    "head": serial(pool=global_avg_pool(), drop=dropout(0.5), logits=dense(3)),
}
NET = serial(**STAGES)
X = jax.random.normal(jax.random.key(1), (2, 8, 8, 3))


@pytest.fixture(scope="module")
def trees():
    return NET.init(jax.random.key(0), X)


def test_what_collect_returns(trees):
    wanted, _ = collect(**STAGES).apply(*trees, X)
    maps, state = tap(NET, "*").apply(*trees, X)
    assert state is not trees[1]
    assert jax.tree.structure(state) == jax.tree.structure(trees[1])
    for name, y in wanted.items():
        np.testing.assert_array_equal(maps[name], y)
    assert list(maps)[:5] == ["stem/conv", "stem/norm", "stem/relu", "stem", "block/main"]


def test_the_tree_is_the_networks_own(trees):
    made = tap(NET, "stem").init(jax.random.key(0), X)
    jax.tree.map(np.testing.assert_array_equal, made, trees)


def test_training_and_gradients(trees):
    """The state moves, the key reaches the dropout, and gradients are those of the map by other means."""
    params, state = trees
    key = jax.random.key(2)
    tapped = tap(NET, "stem/relu", "head")
    maps, new = tapped.apply(params, state, X, train=True, key=key)
    y, wanted = NET.apply(params, state, X, train=True, key=key)
    jax.tree.map(np.testing.assert_array_equal, (maps["head"], new), (y, wanted))
    by_tap = jax.grad(lambda p: tapped.apply(p, state, X)[0]["stem/relu"].sum())(params)
    stem = serial(stem=STAGES["stem"])
    own = {"stem": params["stem"]}
    by_hand = jax.grad(lambda p: stem.apply(p, state, X)[0].sum())(own)
    jax.tree.map(np.testing.assert_array_equal, by_tap["stem"], by_hand["stem"])
    assert not any(leaf.any() for leaf in jax.tree.leaves(by_tap["wide"]))


def flops(layer, params, state):
    return jax.jit(layer.apply).lower(params, state, X).compile().cost_analysis()["flops"]


def test_xla_removes_what_is_not_used(trees):
    """Tapped at the block, the network costs what its first two layers do, and not the wide one after them."""
    params, state = trees
    first = serial(**dict(list(STAGES.items())[:2]))
    alone = flops(first, {name: params[name] for name in ("stem", "block")}, state)
    assert flops(tap(NET, "block"), params, state) == alone
    assert flops(NET, params, state) > 4 * alone


def test_a_tapped_network_is_a_layer(trees):
    """Inside another network, with the shapes of what it returns; a tree of outputs comes as a list."""
    pyramid = serial(backbone=tap(NET, "block", "wide"), join=lambda maps: jnp.concatenate([*maps.values()], -1))
    net = serial(pyramid=pyramid, logits=dense(2))
    params, state = net.init(jax.random.key(0), X)
    assert params["logits"]["w"].shape == (68, 2)
    assert jax.jit(net.apply)(params, state, X)[0].shape == (2, 8, 8, 2)
    both = serial(pair=lambda x: (x, 2 * x), first=lambda xs: xs[0])
    assert [a.shape for a in tap(both, "pair").apply({}, {}, X)[0]["pair"]] == [X.shape, X.shape]


@pytest.mark.parametrize(
    ("layer", "place", "match"),
    [
        (NET, "stage", r"'stage' is no layer of this network; the layers are stem/conv, stem/norm"),
        (serial(body=repeat(serial(relu=jax.nn.relu), 2)), "body/relu", "inside a repeat or a remat"),
        (serial(body=remat(serial(relu=jax.nn.relu))), "*/relu", "inside a repeat or a remat"),
    ],
)
def test_bad_places(layer, place, match):
    params, state = layer.init(jax.random.key(0), X)
    with pytest.raises(ValueError, match=match):
        tap(layer, place).apply(params, state, X)


def test_no_places():
    with pytest.raises(ValueError, match="no places given"):
        tap(NET)

"""Networks of tables and of games against their formulas, and what they say about wrong input."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnets import models, ops

X = {
    "numbers": jnp.asarray(np.random.default_rng(0).standard_normal((4, 3)), jnp.float32),
    "ids": jnp.array([[0, 4], [6, 0], [1, 1], [2, 3]]),
}
SIZES = {"sizes": (7, 5), "embedding": 2}


def drawn(model, x, seed=1):
    """Leaves drawn at random, zeros too."""
    params, state = jax.eval_shape(model.init, jax.random.key(0), x)
    assert not state
    draw = np.random.default_rng(seed)
    return jax.tree.map(lambda a: draw.standard_normal(a.shape).astype(np.float32), params)


def mlp_of(features, hidden, count):
    for i in range(1, count + 1):
        features = np.maximum(features @ hidden[f"hidden{i}"]["w"] + hidden[f"hidden{i}"]["b"], 0)
    return features


def features_of(params):
    table = params["features"]["ids"]["table"]["w"]
    rows = table[np.asarray(X["ids"]) + np.array([[0, 7]])]
    return np.concatenate([rows.reshape(4, -1), X["numbers"]], -1)


def logits_of(features, params):
    return features @ params["classifier"]["logits"]["w"] + params["classifier"]["logits"]["b"]


def test_wide_deep_is_its_formula():
    options = SIZES | {"crosses": [(0, 1), (1,)], "buckets": 6, "channels": (8, 4)}
    model = models.wide_deep(2, **options)
    params = drawn(model, X)
    crossed = np.asarray(ops.cross_ids(X["ids"], [(0, 1), (1,)], 6)) + np.array([[12, 18]])
    rows = np.concatenate([np.asarray(X["ids"]) + np.array([[0, 7]]), crossed], -1)
    wide = params["wide"]["table"]["w"][rows].sum(1)
    deep = params["deep"]
    deep = logits_of(mlp_of(features_of(deep), deep["hidden"], 2), deep)
    y, _ = jax.jit(model.apply)(params, {}, X)
    np.testing.assert_allclose(y, wide + deep, rtol=1e-4, atol=1e-4)
    for part, expected in (("wide", wide), ("deep", deep)):
        alone, _ = models.wide_deep(2, parts=part, **options).apply({part: params[part]}, {}, X)
        np.testing.assert_allclose(alone, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("rank", [None, 2])
@pytest.mark.parametrize("stacked", [False, True])
def test_dcn_v2_is_its_formula(rank, stacked):
    model = models.dcn_v2(1, **SIZES, crosses=2, rank=rank, stacked=stacked, channels=(4,))
    params = drawn(model, X)
    first = x = features_of(params)
    for i in "12":
        maps = params["both"]["cross"][i]["map"]
        w, b = (
            (maps["full"]["w"], maps["full"]["b"])
            if rank is None
            else (maps["down"]["w"] @ maps["up"]["w"], maps["up"]["b"])
        )
        x = first * (x @ w + b) + x
    deep = mlp_of(x if stacked else first, params["both"]["deep"], 1)
    y, _ = jax.jit(model.apply)(params, {}, X)
    expected = logits_of(deep if stacked else np.concatenate([x, deep], -1), params)
    np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())


def test_an_id_that_is_none_is_nothing():
    """An error where it is known; under jit the zero vector, never another column's."""
    model = models.mlp(2, channels=(4,), **SIZES)
    params = drawn(model, X)
    wrong = X | {"ids": X["ids"].at[0, 0].set(7)}
    with pytest.raises(ValueError, match="mlp: column 0 of ids has 1 to 7, but its size is 7"):
        model.apply(params, {}, wrong)
    y, _ = jax.jit(model.apply)(params, {}, wrong)
    features = features_of(params)
    features[0, :2] = 0
    np.testing.assert_allclose(y, logits_of(mlp_of(features, params["hidden"], 1), params), rtol=1e-4, atol=1e-4)


def test_the_advantages_of_a_dueling_network_have_no_mean():
    model = models.dueling_dqn(3, torso=[(4, 3, 2)], hidden=8)
    x = jnp.asarray(np.random.default_rng(0).standard_normal((2, 8, 8, 2)), jnp.float32)
    params = drawn(model, x)
    q, _ = model.apply(params, {}, x)
    params["classifier"]["advantage"]["logits"]["b"] += 5  # of all actions
    np.testing.assert_allclose(model.apply(params, {}, x)[0], q, rtol=1e-4, atol=1e-3)
    params["classifier"]["value"]["logits"]["b"] += 5
    np.testing.assert_allclose(model.apply(params, {}, x)[0], q + 5, rtol=1e-4, atol=1e-3)


def test_impala_goes_on_from_its_state():
    model = models.impala(3, channels=(4,), blocks=1, hidden=8, memory=5)
    x = jnp.asarray(np.random.default_rng(0).standard_normal((2, 4, 8, 8, 2)), jnp.float32)
    params, state = model.init(jax.random.key(0), x)
    apply = jax.jit(model.apply)
    whole, _ = apply(params, state, x)
    begin = {"h": jnp.zeros((2, 5)), "c": jnp.zeros((2, 5))}
    first, _ = apply(params, state, {"x": x[:, :2], "state": begin})
    second, _ = apply(params, state, {"x": x[:, 2:], "state": first["state"]})
    for name in ("logits", "value"):
        joined = np.concatenate([first[name], second[name]], 1)
        np.testing.assert_allclose(joined, whole[name], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("run", "error", "message"),
    [
        (lambda: models.impala(torso="deep"), ValueError, "torso is 'deep'; pass 'residual' or 'nature'"),
        (
            lambda: models.impala(memory=4).init(jax.random.key(0), jnp.ones((1, 8, 8, 2))),
            ValueError,
            r"x is \(N, T, H, W, C\)",
        ),
        (lambda: models.wide_deep(parts="broad"), ValueError, "parts is 'broad'"),
        (
            lambda: models.wide_deep(**SIZES).init(jax.random.key(0), X),
            ValueError,
            "the cross .* is not of columns of ids",
        ),
        (
            lambda: models.dcn_v2(sizes=(7,)).init(jax.random.key(0), X),
            ValueError,
            r"2 columns of ids, but sizes \(7,\) is of 1",
        ),
        (lambda: models.dcn_v2(crosses=0), ValueError, "dcn_v2: crosses is 0"),
        (
            lambda: models.mlp(**SIZES).init(jax.random.key(0), {"dense": X["ids"]}),
            ValueError,
            r"the rows have \['dense'\]; pass numbers",
        ),
        (
            lambda: models.mlp().init(jax.random.key(0), jnp.ones((1, 3), jnp.int32)),
            TypeError,
            "mlp: numbers has dtype int32",
        ),
        (
            lambda: models.mlp().init(jax.random.key(0), jnp.ones((1, 2, 3))),
            ValueError,
            r"numbers has shape \(1, 2, 3\)",
        ),
        (
            lambda: models.mlp(**SIZES).init(jax.random.key(0), {"ids": jnp.ones((1, 2))}),
            TypeError,
            "ids has dtype float32; pass int",
        ),
    ],
)
def test_bad_arguments(run, error, message):
    with pytest.raises(error, match=message):
        run()

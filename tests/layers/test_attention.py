"""Attention layers and transformer blocks: their formulas in NumPy, masks, caches, positions, and bad arguments."""

import re
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from jaxnets import ops, reference, repeat, serial, tree
from jaxnets.layers import attention, dense, layer_norm, learned_positions, patch_embed, transformer_block

X = np.random.default_rng(0).standard_normal((2, 5, 8)).astype(np.float32)
MASK = np.array([[1, 1, 1, 1, 0], [1, 0, 1, 0, 0]], bool)


def made(layer, x=X):
    """Parameters, biases too, away from zero."""
    params, state = layer.init(jax.random.key(1), x)
    leaves, treedef = jax.tree.flatten(params)
    rng = np.random.default_rng(2)
    moved = [leaf + jnp.asarray(rng.normal(0, 0.3, leaf.shape), jnp.float32) for leaf in leaves]
    return jax.tree.unflatten(treedef, moved), state


def formula(params, x, *, heads, kv_heads, mask=None, rotary=None, causal=False):
    p = jax.tree.map(np.asarray, params)
    q, k, v = (
        (x @ p[name]["w"] + p[name]["b"]).reshape(*x.shape[:2], n, -1)
        for name, n in (("q", heads), ("k", kv_heads), ("v", kv_heads))
    )
    if rotary:
        q, k = reference.rotary(q, base=rotary), reference.rotary(k, base=rotary)
    y = reference.attention(q, k, v, mask=mask, causal=causal)
    return y.reshape(*x.shape[:2], -1) @ p["out"]["w"] + p["out"]["b"]


@pytest.mark.parametrize(
    ("options", "mask"),
    [
        ({"kv_heads": 4}, None),
        ({"kv_heads": 2, "rotary": 100.0}, MASK),
        ({"kv_heads": 1, "causal": True}, MASK[:, ::-1]),
    ],
)
def test_attention_is_its_formula(options, mask):
    layer = attention(4, **options)
    params, state = made(layer)
    x = X if mask is None else {"x": X, "mask": jnp.asarray(mask)}
    y, _ = layer.apply(params, state, x)
    if mask is not None:
        assert list(y) == ["x", "mask"]
        y = y["x"]
    np.testing.assert_allclose(y, formula(params, X, heads=4, mask=mask, **options), rtol=1e-4, atol=1e-5)


def test_head_dim_sets_the_width_and_x_the_output():
    params, state = attention(3, head_dim=4).init(jax.random.key(0), X)
    shapes = {path: leaf.shape for path, leaf in tree.flatten(params).items() if path.endswith("w")}
    assert shapes == {"q/w": (8, 12), "k/w": (8, 12), "v/w": (8, 12), "out/w": (12, 8)}
    assert attention(3, head_dim=4).apply(params, state, X)[0].shape == X.shape


def branch(p, x, act):
    return act(x @ p["expand"]["w"] + p["expand"]["b"]) @ p["project"]["w"] + p["project"]["b"]


@pytest.mark.parametrize("first", [True, False])
def test_transformer_block_is_its_formula(first):
    layer = transformer_block(2, ratio=1.5, act=jnp.tanh, norm=partial(layer_norm, eps=1e-3), norm_first=first)
    params, state = made(layer)
    y, _ = layer.apply(params, state, {"x": X, "mask": jnp.asarray(MASK)})
    p = jax.tree.map(np.asarray, params)
    attend = partial(formula, p["attention"]["heads"], heads=2, kv_heads=2, mask=MASK)

    def norm(x, leaves):
        return reference.layer_norm(x, leaves["scale"], leaves["shift"], eps=1e-3)

    if first:
        x = X + attend(norm(X, p["attention"]["norm"]))
        x = x + branch(p["mlp"], norm(x, p["mlp"]["norm"]), np.tanh)
    else:
        x = norm(X + attend(X), p["norm1"])
        x = norm(x + branch(p["mlp"], x, np.tanh), p["norm2"])
    np.testing.assert_allclose(y["x"], x, rtol=1e-4, atol=1e-5)


def test_gradients_are_those_of_finite_differences():
    layer = transformer_block(2, kv_heads=1, rotary=10.0, causal=True, act=jnp.tanh, scale=0.7)
    params, state = made(layer)
    cot = np.random.default_rng(5).standard_normal(X.shape).astype(np.float32)

    def loss(params, x):
        return jnp.sum(layer.apply(params, state, {"x": x, "mask": jnp.asarray(MASK)})[0]["x"] * cot)

    check_grads(jax.jit(loss), (params, jnp.asarray(X)), order=1, modes=["rev"], rtol=2e-2, atol=1e-2)


def test_scale_and_path_stand_at_the_end_of_each_branch():
    layer = transformer_block(2, scale=0.0, path_rate=0.9)
    params, state = layer.init(jax.random.key(0), X)
    assert list(params["mlp"]) == ["norm", "expand", "project", "scale"]
    np.testing.assert_array_equal(layer.apply(params, state, X)[0], X)  # branches of zero
    layer = transformer_block(2, path_rate=0.9)
    x = jax.random.normal(jax.random.key(2), (64, 2, 8))
    y, _ = layer.apply(*layer.init(jax.random.key(0), x), x, train=True, key=jax.random.key(1))
    skipped = (y == x).all((1, 2)).mean()
    assert 0.6 < skipped < 0.95  # 0.81 of the samples skip both branches


@pytest.mark.parametrize(("rotary", "dtype"), [(100.0, jnp.float32), (None, jnp.bfloat16)])
def test_token_by_token_with_a_cache_equals_all_at_once(rotary, dtype):
    net = serial(*(transformer_block(4, kv_heads=2, causal=True, rotary=rotary) for _ in range(2)))
    params, state = made(net)
    x = jnp.asarray(X, dtype)
    whole, _ = net.apply(params, state, x)
    apply = jax.jit(net.apply)
    cache, parts, begin = (ops.attention_cache(2, 7, 2, 2, dtype),) * 2, [], 0
    for end in (3, 4, 5):  # a prompt of three tokens, then one after another
        y, _ = apply(params, state, {"x": x[:, begin:end], "cache": cache})
        cache, begin = y["cache"], end
        parts.append(y["x"])
    assert [int(c["length"]) for c in cache] == [5, 5]
    assert cache[0]["k"].dtype == dtype
    got = jnp.concatenate(parts, 1).astype(jnp.float32)
    np.testing.assert_allclose(got, whole.astype(jnp.float32), atol=1e-5 if dtype == jnp.float32 else 0.1)


def test_padding_before_the_prompt_changes_nothing():
    net = transformer_block(2, causal=True, rotary=100.0)
    params, state = made(net)
    whole, _ = net.apply(params, state, X)
    x = {
        "x": jnp.concatenate([jnp.full((2, 2, 8), 9.0), X], 1),
        "mask": jnp.broadcast_to(jnp.arange(9) >= 2, (2, 9)),
        "positions": jnp.broadcast_to(jnp.arange(7) - 2, (2, 7)),
        "cache": (ops.attention_cache(2, 9, 2, 4),),
    }
    y, _ = net.apply(params, state, x)
    np.testing.assert_allclose(y["x"][:, 2:], whole, rtol=1e-4, atol=1e-5)


def test_blocks_repeat_over_a_scan():
    block = transformer_block(2)
    params, state = repeat(block, 3).init(jax.random.key(0), X)
    y, _ = repeat(block, 3).apply(params, state, {"x": X, "mask": jnp.asarray(MASK)})
    x = {"x": jnp.asarray(X), "mask": jnp.asarray(MASK)}
    for i in range(3):
        x, _ = block.apply(jax.tree.map(lambda leaf, i=i: leaf[i], params), {}, x)
    np.testing.assert_allclose(y["x"], x["x"], rtol=1e-5, atol=1e-5)


def test_learned_positions_are_added():
    layer = learned_positions(9)
    params, state = layer.init(jax.random.key(0), X)
    np.testing.assert_array_equal(layer.apply(params, state, X)[0], X + np.asarray(params["w"])[None, :5])
    assert learned_positions().init(jax.random.key(0), X)[0]["w"].shape == (5, 8)


def test_patches_in_row_major_order():
    x = np.random.default_rng(0).standard_normal((2, 4, 6, 3)).astype(np.float32)
    params, state = patch_embed(5, (2, 3)).init(jax.random.key(0), x)
    params["b"] = jnp.arange(5.0)
    y, _ = patch_embed(5, (2, 3)).apply(params, state, x)
    w = np.asarray(params["w"]).reshape(-1, 5)
    patches = [x[:, i : i + 2, j : j + 3].reshape(2, -1) for i in (0, 2) for j in (0, 3)]
    np.testing.assert_allclose(y, np.stack([p @ w + np.arange(5) for p in patches], 1), rtol=1e-4, atol=1e-5)


def applied(layer, x, *, init=X):
    params, state = layer.init(jax.random.key(0), init)
    return layer.apply(params, state, x)


CACHE = ops.attention_cache(2, 4, 2, 4)


@pytest.mark.parametrize(
    ("run", "error", "message"),
    [
        (lambda: attention(0), ValueError, "attention: heads is 0"),
        (lambda: attention(4, kv_heads=3), ValueError, "kv_heads=3 does not divide heads=4"),
        (lambda: attention(2, rate=1.0), ValueError, "attention: rate is 1.0"),
        (lambda: attention(3).init(jax.random.key(0), X), ValueError, "heads=3 does not divide the 8 channels"),
        (lambda: attention(2).init(None, X), ValueError, "key is None"),
        (lambda: applied(attention(2), X[0]), ValueError, "rank 2; pass (N, T, D)"),
        (lambda: applied(attention(2), {"x": X, "maks": MASK}), ValueError, "entries ['x', 'maks']"),
        (lambda: applied(attention(2), {"x": X, "mask": MASK[:, :3]}), ValueError, "mask has shape (2, 3)"),
        (lambda: applied(attention(2), {"x": X, "mask": MASK * 1}), TypeError, "pass booleans"),
        (lambda: applied(attention(2), {"x": X, "cache": (CACHE,)}), ValueError, "causal=True"),
        (lambda: applied(attention(2, causal=True), {"x": X, "cache": ()}), ValueError, "a cache of 0"),
        (lambda: applied(attention(2, causal=True), {"x": X, "cache": (CACHE,)}), ValueError, "5 tokens do not fit"),
        (
            lambda: applied(attention(4, causal=True), {"x": X, "cache": (CACHE,)}),
            ValueError,
            "attention_cache(2, leng",
        ),
        (lambda: attention(2).apply({"q": {}}, {}, X), ValueError, "params has ['q']"),
        (lambda: applied(attention(2, rate=0.5), X), None, ""),
        (lambda: transformer_block(2, ratio=0), ValueError, "transformer_block: ratio is 0.0"),
        (lambda: applied(learned_positions(5), np.ones((1, 6, 8), np.float32)), ValueError, "6 tokens but there are 5"),
        (lambda: applied(patch_embed(2, 3), X, init=X[:, :3]), ValueError, "patches of (3,) do not divide"),
        (lambda: applied(serial(attention(2), dense(1)), X.astype(int)), TypeError, "cast it first"),
    ],
)
def test_bad_arguments(run, error, message):
    if error is None:
        run()  # weights are dropped in training alone
        return
    with pytest.raises(error, match=re.escape(message)):
        run()

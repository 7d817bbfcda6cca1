"""Models of text: what masks, types and positions do, text generated with a cache and without, and bad input."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnets import models, tree, weights

SMALL = {"depth": 1, "channels": 12, "heads": 3, "vocabulary": 20, "length": 16}
IDS = np.random.default_rng(0).integers(1, 20, (2, 6)).astype(np.int32)
DEEP = SMALL | {"depth": 2}
MASK = np.array([[1, 1, 1, 1, 1, 1], [1, 1, 1, 1, 0, 0]], bool)


def made(model, seed=2, spread=0.3):
    """The model's apply, compiled, and parameters far enough from zero for the likeliest token to be no tie."""
    params, state = model.init(jax.random.key(seed), IDS)
    leaves, treedef = jax.tree.flatten(params)
    rng = np.random.default_rng(seed)
    leaves = [leaf + jnp.asarray(rng.normal(0, spread, leaf.shape), jnp.float32) for leaf in leaves]
    params = jax.tree.unflatten(treedef, leaves)
    return jax.jit(lambda p, x: model.apply(p, state, x)[0]), params


@pytest.mark.parametrize("name", ["bert_base", "distilbert_base", "gpt2"])
def test_what_fills_a_text_up_does_not_matter(name):
    apply, params = made(models.create(name, num_classes=3, **SMALL))
    y = apply(params, {"ids": IDS, "mask": MASK})
    assert y.shape == (2, 3)
    np.testing.assert_array_equal(apply(params, {"ids": np.where(MASK, IDS, 0), "mask": MASK}), y)
    np.testing.assert_allclose(apply(params, {"ids": IDS[1:, :4], "mask": MASK[1:, :4]}), y[1:], rtol=1e-4, atol=1e-5)
    whole = apply(params, {"ids": IDS, "mask": np.ones_like(MASK)})
    assert np.abs(whole - y)[1].max() > 1e-3
    np.testing.assert_allclose(whole[0], y[0], rtol=1e-4, atol=1e-5)


def test_types_and_positions_matter_and_have_defaults():
    apply, params = made(models.bert_base(None, **SMALL))
    at = np.broadcast_to(np.arange(6, dtype=np.int32), (2, 6))
    x = {"ids": IDS, "types": np.zeros_like(IDS), "positions": at}
    y = apply(params, x)
    np.testing.assert_allclose(apply(params, IDS), y, rtol=1e-4, atol=1e-5)
    for other in ({"types": np.ones_like(IDS)}, {"positions": at + 3}):
        assert np.abs(apply(params, x | other) - y).max() > 1e-2


def test_the_words_are_the_last_matrix_too():
    model = models.gpt2(**SMALL)
    params, state = model.init(jax.random.key(0), IDS)
    assert [path for path, leaf in tree.flatten(params).items() if 20 in leaf.shape] == ["embeddings/words/w"]
    gradient = jax.jit(jax.grad(lambda p: model.apply(p, state, IDS)[0][..., 0].sum()))(params)
    gradient = gradient["embeddings"]["words"]["w"]
    assert 0 not in IDS
    assert np.abs(gradient[0]).max() > 0  # that of a word which is not in the text


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float32])
def test_dtype_is_that_of_the_computation(dtype):
    for model in (models.bert_tiny(2, **SMALL, dtype=dtype), models.gpt2(**SMALL, dtype=dtype)):
        params, state = jax.eval_shape(model.init, jax.random.key(0), IDS)
        y, _ = jax.eval_shape(lambda p, model=model, state=state: model.apply(p, state, IDS), params)
        assert y.dtype == dtype
        assert {leaf.dtype for leaf in jax.tree.leaves(params)} == {jnp.dtype("float32")}


# --- generation


def longhand(apply, params, ids, steps):
    """The likeliest token, read off the whole text each time."""
    for _ in range(steps):
        padded = np.zeros((len(ids), 16), np.int32)  # what comes after is not looked at: one program for all lengths
        padded[:, : ids.shape[1]] = ids
        logits = np.asarray(apply(params, padded))[:, ids.shape[1] - 1]
        ids = np.concatenate([ids, logits.argmax(-1)[:, None].astype(np.int32)], 1)
    return ids


def generated(model, params, ids, steps, **options):
    mask = options.pop("mask", None)
    return np.asarray(
        jax.jit(lambda p, ids, mask: models.generate(model, p, {}, ids, steps, mask=mask, **options))(params, ids, mask)
    )


def test_with_a_cache_as_without():
    model = models.gpt2(**DEEP)
    apply, params = made(model, spread=1.0)
    wanted = longhand(apply, params, IDS, 10)
    np.testing.assert_array_equal(generated(model, params, IDS, 10), wanted)
    assert len(np.unique(wanted[:, 6:])) > 4


def test_prompts_of_several_lengths():
    model = models.gpt2(**DEEP)
    apply, params = made(model, spread=1.0)
    ids = np.stack([IDS[0], np.concatenate([[7, 7], IDS[1, :4]])])  # filled up in front
    y = generated(model, params, ids, 6, mask=jnp.asarray(np.stack([MASK[0], MASK[1, ::-1]])))
    np.testing.assert_array_equal(y[:1], longhand(apply, params, IDS[:1], 6))
    np.testing.assert_array_equal(y[1:, 2:], longhand(apply, params, IDS[1:, :4], 6))


def test_a_text_ends_with_its_stop():
    model = models.gpt2(**DEEP)
    _, params = made(model, spread=1.0)
    whole = generated(model, params, IDS, 8)
    stop = int(whole[0, 8])
    ended = generated(model, params, IDS, 8, stop=stop)
    for row, before in zip(ended, whole, strict=True):
        at = 6 + next((i for i, token in enumerate(before[6:]) if token == stop), 8)
        np.testing.assert_array_equal(row[:at], before[:at])
        assert (row[at:] == stop).all()
    assert (ended[0, 8:] == stop).all()


def test_drawn_tokens_follow_the_key():
    model = models.gpt2(**DEEP)
    _, params = made(model, spread=1.0)
    options = {"temperature": 2.0, "top_k": 10, "top_p": 0.9}
    draw = jax.jit(lambda key: models.generate(model, params, {}, IDS, 5, key=key, **options))
    first, again, other = (draw(jax.random.key(seed)) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


P = np.array([0.05, 0.5, 0.15, 0.3], np.float32)


@pytest.mark.parametrize(
    ("options", "left"),
    [
        ({}, [0, 1, 2, 3]),
        ({"top_k": 2}, [1, 3]),
        ({"top_k": 9}, [0, 1, 2, 3]),
        ({"top_p": 0.5}, [1]),
        ({"top_p": 0.6}, [1, 3]),
        ({"top_p": 1.0}, [0, 1, 2, 3]),
        ({"top_k": 3, "top_p": 0.8}, [1, 3]),
        ({"temperature": 1e-3}, [1]),
        ({"temperature": 0}, [1]),
    ],
)
def test_sample_draws_what_is_left_by_its_probability(options, left):
    logits = jnp.broadcast_to(jnp.log(P), (4000, 4))
    drawn = np.bincount(models.sample(logits, jax.random.key(0), **options), minlength=4) / 4000
    wanted = np.where(np.isin(np.arange(4), left), P, 0)
    if len(left) > 1:
        np.testing.assert_allclose(drawn, wanted / wanted.sum(), atol=0.03)
    assert list(np.flatnonzero(drawn)) == left


# --- TextCNN


def test_textcnn_is_its_formula():
    model = models.textcnn(3, vocabulary=20, channels=4, sizes=(2, 3), maps=5)
    apply, params = made(model)
    p = jax.tree.map(np.asarray, params)
    x = p["words"]["w"][IDS] * MASK[..., None]
    answers = []
    for n in (2, 3):
        w, b = (p["windows"][f"size{n}"]["conv"][leaf] for leaf in ("w", "b"))
        windows = [np.einsum("nic,ick->nk", x[:, i : i + n], w) + b for i in range(6 - n + 1)]
        answers.append(np.maximum(np.max(windows, 0), 0))
    logits = p["classifier"]["logits"]
    wanted = np.concatenate(answers, -1) @ logits["w"] + logits["b"]
    np.testing.assert_allclose(apply(params, {"ids": IDS, "mask": MASK}), wanted, rtol=1e-4, atol=1e-5)


# --- files as they are on the hub


def tensors(name, **config):
    params, state = models.create(name, **config).init(jax.random.key(3), IDS)
    return params, weights.to_state_dict(name, params, state, source="transformers")


def loaded(name, given, **config):
    return weights.from_state_dict(name, given, source="transformers", **config)[0]


def same(a, b):
    assert jax.tree.structure(a) == jax.tree.structure(b)
    jax.tree.map(np.testing.assert_array_equal, a, b)


@pytest.mark.parametrize("num_classes", [None, 3])
@pytest.mark.parametrize("name", ["bert_base", "distilbert_base", "gpt2"])
def test_round_trip(name, num_classes):
    config = {"num_classes": num_classes, **SMALL}
    params, given = tensors(name, **config)
    same(loaded(name, given, **config), params)


def test_gpt2_as_first_published():
    """Without `transformer.`, and with the causal masks as constants."""
    params, given = tensors("gpt2", **SMALL)
    given = {name.removeprefix("transformer."): tensor for name, tensor in given.items()}
    given |= {"h.0.attn.bias": np.ones((1, 1, 16, 16), np.float32), "h.0.attn.masked_bias": np.float32(-1e4)}
    same(loaded("gpt2", given, **SMALL), params)


def test_bert_as_first_published():
    """With norms of gamma and beta, and both heads of the pre-training."""
    params, given = tensors("bert_base", num_classes=None, **SMALL)
    given = {
        name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"): tensor
        for name, tensor in given.items()
    }
    given |= {"cls.seq_relationship.weight": np.zeros((2, 12)), "bert.embeddings.position_ids": np.arange(16)[None]}
    given |= {"bert.pooler.dense.weight": np.zeros((12, 12)), "bert.pooler.dense.bias": np.zeros(12)}
    same(loaded("bert_base", given, num_classes=None, **SMALL), params)
    found, _ = weights.from_state_dict(
        "bert_base", given, source="transformers", fresh="classifier/logits/*", key=jax.random.key(0), **SMALL
    )
    same(found["layers"], params["layers"])


GPT, BERT, CNN = models.gpt2(**SMALL), models.bert_base(**SMALL), models.textcnn(vocabulary=20, channels=4)
LONG = np.ones((1, 17), np.int32)


def init(model, x):
    return model.init(jax.random.key(0), x)


def more(ids, steps, **options):
    params, state = GPT.init(jax.random.key(0), IDS)
    return models.generate(GPT, params, state, ids, steps, **options)


@pytest.mark.parametrize(
    ("run", "error", "message"),
    [
        (lambda: init(GPT, LONG), ValueError, "gpt2: 17 tokens but 16 positions"),
        (lambda: more(IDS, 11), ValueError, "gpt2: 17 tokens but 16 positions"),
        (lambda: init(GPT, IDS.astype(np.float32)), TypeError, "gpt2: ids has dtype float32"),
        (lambda: init(GPT, IDS[0]), ValueError, "gpt2: ids has shape (6,); pass (N, T)"),
        (lambda: init(GPT, {"ids": IDS, "types": IDS}), ValueError, "entries ['ids', 'types']"),
        (lambda: init(BERT, {"ids": IDS, "types": IDS[:, :3]}), ValueError, "types has shape (2, 3)"),
        (lambda: init(BERT, {"input_ids": IDS}), ValueError, "entries ['input_ids']"),
        (lambda: init(BERT, {"ids": IDS, "mask": MASK * 1}), TypeError, "bert: mask has dtype int64; pass booleans"),
        (lambda: init(CNN, IDS[:, :4]), ValueError, "textcnn: ids has shape (2, 4), fewer than 5 tokens"),
        (lambda: models.textcnn(sizes=(3, 3)), ValueError, "textcnn: sizes is (3, 3)"),
        (lambda: models.bert_base(heads=7).init(jax.random.key(0), IDS), ValueError, "heads=7 does not divide"),
        (lambda: more(IDS, 0), ValueError, "generate: steps is 0"),
        (lambda: more(IDS[0], 2), ValueError, "generate: ids has shape (6,)"),
        (lambda: more(IDS, 2, mask=MASK[:, :2]), ValueError, "generate: mask is bool[2, 2]"),
        (lambda: more(IDS, 2, temperature=1.0), ValueError, "sample: key is None"),
        (lambda: models.sample(P, temperature=-1), ValueError, "sample: temperature is -1"),
        (lambda: models.sample(P, top_p=0.0), ValueError, "sample: top_p is 0.0"),
        (lambda: models.sample(P, jax.random.key(0), top_k=0), ValueError, "sample: top_k is 0"),
    ],
)
def test_bad_input(run, error, message):
    with pytest.raises(error, match=re.escape(message)):
        run()

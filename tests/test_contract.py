"""Every row of cases.py under every law of the design. A law is a function that fails where it does not hold."""

import inspect
import tempfile
from functools import lru_cache

import cases
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import CASES

from jaxnets import collect, layers, models, pure, serial, tree
from jaxnets.train import checkpoint


def example(case, seed=0):
    """An input of this kind, an array or a tree of arrays, with random values."""
    rng = np.random.default_rng(seed)

    def values(a):
        made = rng.integers(0, 7, a.shape) if jnp.issubdtype(a.dtype, jnp.integer) else rng.standard_normal(a.shape)
        return jnp.asarray(made, a.dtype)

    return jax.tree.map(values, case.input)


def floats_as(dtype, x):
    """`x`, its floating-point leaves of this dtype."""
    return jax.tree.map(lambda a: a.astype(dtype) if jnp.issubdtype(a.dtype, jnp.floating) else a, x)


def key(seed):
    """A fresh key each time: the key-reuse check forbids using the same one twice, even to the same end."""
    return jax.random.key(seed)


class Subject:
    """A case with its layer made, and what several laws look at computed once."""

    def __init__(self, case):
        self.case = case
        self.layer = case.make()
        self.x = example(case)
        self.params, self.state = self.layer.init(key(1), self.x)
        self.traces = {"eval": 0, "train": 0}
        self.evaluate = jax.jit(self._evaluate)
        self.step = jax.jit(self._step)
        self.y, self.state_after = self.evaluate(self.params, self.state, self.x)
        self.trained = self.step(self.params, self.state, self.x, key(2))

    def _evaluate(self, params, state, x):
        self.traces["eval"] += 1
        return self.layer.apply(params, state, x)

    def _step(self, params, state, x, key):
        """One training pass: output, state, and the gradient of a weighted sum of the output."""
        self.traces["train"] += 1

        def loss(params, x):
            y, new_state = self.layer.apply(params, state, x, train=True, key=key)
            terms = [jnp.sum(a.astype(jnp.float32) * weights(a.shape)) for a in jax.tree.leaves(y)]
            return sum(terms[1:], start=terms[0]), (y, new_state)

        grads, (y, new_state) = jax.grad(loss, argnums=(0, 1), has_aux=True, allow_int=True)(params, x)
        return {"y": y, "state": new_state, "params": grads[0], "x": grads[1]}


def weights(shape):
    return np.random.default_rng(9).standard_normal(shape).astype(np.float32)


@lru_cache(maxsize=1)  # the laws of one case follow each other; what all have compiled would be gigabytes
def subject(name):
    return Subject(CASES[name])


def abstract(tree):
    return jax.tree.map(lambda a: (a.shape, a.dtype), tree)


def assert_equal(a, b):
    """The same tree, shapes, dtypes and bits."""
    assert abstract(a) == abstract(b)
    jax.tree.map(np.testing.assert_array_equal, a, b)


def assert_close(a, b, tolerance=2e-5):
    """The same tree, shapes and dtypes, and values to rounding, against the largest of them."""
    assert abstract(a) == abstract(b)

    def close(u, v):
        u, v = np.asarray(u, np.float32), np.asarray(v, np.float32)
        largest = np.abs(v).max(initial=1e-2)  # a gradient that cancels to zero is rounding and nothing else
        np.testing.assert_allclose(u, v, rtol=0, atol=tolerance * largest)

    jax.tree.map(close, a, b)


# --- the laws


def init_is_shape_arithmetic(s):
    """`eval_shape(init)` equals the real init, and init reads nothing of its example but shape and dtype."""
    made = s.layer.init(key(1), s.x)
    assert abstract(jax.eval_shape(s.layer.init, key(1), s.case.input)) == abstract(made)
    assert_equal(s.layer.init(key(1), s.case.input), made)


def jit_equals_eager(s):
    assert_close((s.y, s.state_after), s.layer.apply(s.params, s.state, s.x))
    y, state = s.layer.apply(s.params, s.state, s.x, train=True, key=key(2))
    assert_close((s.trained["y"], s.trained["state"]), (y, state))


def compiles_once(s):
    """Other parameters, other values, another key, and the state that came out: the same program."""
    params, _ = s.layer.init(key(3), s.x)
    x = example(s.case, 1)
    s.evaluate(params, s.trained["state"], x)
    s.step(params, s.trained["state"], x, key(4))
    assert s.traces == {"eval": 1, "train": 1}


def gradient(s):
    """Every parameter gets a finite gradient, somewhere non-zero, of its own dtype."""
    assert abstract(s.trained["params"]) == abstract(s.params)
    for path, leaf in tree.flatten(s.trained["params"]).items():
        assert np.isfinite(leaf).all(), path
        assert np.abs(leaf).max() > 1e-6, path


def input_gradient(s):
    pairs = zip(jax.tree.leaves(s.trained["x"]), jax.tree.leaves(s.x), strict=True)
    pairs = [(gradient, x) for gradient, x in pairs if jnp.issubdtype(x.dtype, jnp.floating)]
    assert pairs
    for gradient, x in pairs:
        assert abstract(gradient) == abstract(x)
        assert np.isfinite(gradient).all()
        assert np.abs(gradient).max() > 1e-6


def evaluation_leaves_state_alone(s):
    """`train=False` needs no key (none was passed) and returns the state as it was, trained or not."""
    assert_equal(s.state_after, s.state)
    moved = s.trained["state"]
    assert_equal(s.evaluate(s.params, moved, s.x)[1], moved)


def samples_are_independent(s):
    """In evaluation f(a ⧺ b) = f(a) ⧺ f(b)."""
    half = jax.tree.leaves(s.x)[0].shape[0] // 2
    apply = jax.jit(s.layer.apply)
    halves = (jax.tree.map(lambda a, part=part: a[part], s.x) for part in (slice(half), slice(half, None)))
    a, b = (apply(s.params, s.state, part)[0] for part in halves)
    assert_close(jax.tree.map(lambda u, v: jnp.concatenate([u, v]), a, b), s.y)


def empty_batch(s):
    """An empty batch gives an empty batch of the same shapes."""
    none = jax.tree.map(lambda a: jax.ShapeDtypeStruct((0, *a.shape[1:]), a.dtype), s.x)
    y, _ = jax.eval_shape(s.layer.apply, s.params, s.state, none)
    assert abstract(y) == jax.tree.map(lambda a: ((0, *a.shape[1:]), a.dtype), s.y)


def bfloat16(s):
    """bfloat16 in, bfloat16 out, about the same values, and whatever is learned or remembered stays float32."""
    x = floats_as(jnp.bfloat16, s.x)
    y, _ = jax.jit(s.layer.apply)(s.params, s.state, x)
    assert {a.dtype for a in jax.tree.leaves(y)} == {np.dtype(jnp.bfloat16)}
    assert_close(jax.tree.map(lambda a: a.astype(jnp.float32), y), s.y, tolerance=0.05)
    train = jax.eval_shape(
        lambda *args: s.layer.apply(*args[:3], train=True, key=args[3]), s.params, s.state, x, key(2)
    )
    assert {a.dtype for a in jax.tree.leaves(train[0])} == {np.dtype(jnp.bfloat16)}
    kept = jax.eval_shape(s.layer.init, key(1), x), train[1]
    assert {a.dtype for a in jax.tree.leaves(kept)} <= {np.dtype(jnp.float32)}


def leaves_are_float32(s):
    leaves = jax.tree.leaves((s.params, s.state, s.trained["state"]))
    assert {a.dtype for a in leaves} <= {np.dtype(jnp.float32)}
    assert not any(a.weak_type for a in leaves)


def init_ignores_siblings(s):
    sibling = pure(lambda key, x: {"w": jax.random.normal(key, (3,))}, lambda params, x: x)
    alone, state = serial(child=s.layer).init(key(5), s.case.input)
    among, state_among = serial(before=sibling, child=s.layer, after=lambda x: x).init(key(5), s.case.input)
    assert set(among) == {"before", *alone}
    assert_equal({name: among[name] for name in alone}, alone)
    assert_equal(state_among, state)


def round_trip(s):
    """Saved and loaded, the network is the same to the bit: its leaves and its output."""
    with tempfile.TemporaryDirectory() as folder:
        path = checkpoint.save(f"{folder}/m.safetensors", s.params, s.trained["state"], model=s.case.name, config={})
        loaded = checkpoint.load(path)
    assert_equal((loaded.params, loaded.state), (s.params, s.trained["state"]))
    saved_y = s.evaluate(s.params, s.trained["state"], s.x)[0]
    assert_equal(s.evaluate(loaded.params, loaded.state, s.x)[0], saved_y)


def collect_and_serial_share_a_tree(s):
    named = {"layer": s.layer, "after": lambda x: jax.tree.map(jnp.negative, x)}
    chain, maps = serial(**named), collect(**named)
    params, state = chain.init(key(6), s.case.input)
    assert_equal(maps.init(key(6), s.case.input), (params, state))
    # In one program: by operations, this law alone would compile every network once more, piece by piece.
    y, every = jax.jit(lambda *args: (chain.apply(*args)[0], maps.apply(*args)[0]))(params, state, s.x)
    assert_equal(every["after"], y)
    assert_equal(jax.tree.map(jnp.negative, every["layer"]), y)


def no_empty_entries(s):
    """No `{}` inside `params` or `state`: what has nothing leaves no entry."""

    def empties(node):
        return [name for name, child in node.items() if isinstance(child, dict) and (not child or empties(child))]

    for node in (s.params, s.state, s.trained["state"]):
        assert isinstance(node, dict)
        assert not empties(node)


def integers(s):
    """Integers into a layer that computes in floating point are an error that says to cast."""
    x = jax.tree.map(lambda a: jax.ShapeDtypeStruct(a.shape, jnp.int32), s.x)
    with pytest.raises(TypeError, match="cast"):
        jax.eval_shape(s.layer.apply, s.params, s.state, x)
    with pytest.raises(TypeError, match="cast"):
        serial(s.layer).init(key(1), x)


def key_changes_nothing(s):
    other = s.step(s.params, s.state, s.x, key(7))
    assert_equal(other["y"], s.trained["y"])


def trains_without_key(s):
    jax.eval_shape(lambda *args: s.layer.apply(*args, train=True), s.params, s.state, s.x)


LAWS = {
    law.__name__: law
    for law in (
        init_is_shape_arithmetic,
        jit_equals_eager,
        compiles_once,
        gradient,
        input_gradient,
        evaluation_leaves_state_alone,
        samples_are_independent,
        empty_batch,
        bfloat16,
        leaves_are_float32,
        init_ignores_siblings,
        round_trip,
        collect_and_serial_share_a_tree,
        no_empty_entries,
        integers,
        key_changes_nothing,
        trains_without_key,
    )
}
PAIRS = [(name, law) for name in CASES for law in LAWS]
HOLDS = [(name, law) for name, law in PAIRS if law not in CASES[name].exempt]
EXEMPT = [(name, law) for name, law in PAIRS if law in CASES[name].exempt]


# A model is made of layers that stand under every law themselves. These laws take most of the time: each operation of
# the network compiled by itself, or the network once more.
SLOW = ("jit_equals_eager", "bfloat16")
MODELS = {case.name for case in cases.MODELS}


def marks(name, law):
    return [pytest.mark.slow] if name in MODELS and law in SLOW else []


@pytest.mark.parametrize(("name", "law"), [pytest.param(*pair, marks=marks(*pair)) for pair in HOLDS])
def test_law(name, law):
    LAWS[law](subject(name))


@pytest.mark.parametrize(("name", "law"), EXEMPT)
def test_exemption_is_real(name, law):
    with pytest.raises((AssertionError, TypeError, ValueError, pytest.fail.Exception)):
        LAWS[law](subject(name))


def test_exemptions_name_laws_and_reasons():
    assert all(set(case.exempt) <= set(LAWS) and all(case.exempt.values()) for case in CASES.values())


def test_every_layer_combinator_and_family_of_models_has_a_row():
    covered = {name.split()[0] for name in CASES}
    combinators = {"lift", "pure", "serial", "parallel", "collect", "repeat", "remat"}
    assert covered - set(models.names()) == {*layers.__all__, *combinators}
    family = {name: inspect.unwrap(model) for name, model in models.MODELS.items()}
    assert {family[name] for name in covered & set(family)} == set(family.values())


def test_names_are_unique():
    assert len(CASES) == len(cases.LAYERS + cases.COMBINATORS + cases.MODELS)

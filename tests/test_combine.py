"""`serial`, `parallel`, `collect`, `repeat`, `remat`: trees, names, keys, errors, and init's cost."""

import chex
import jax
import jax.numpy as jnp
import pytest

import jaxnets
from jaxnets import collect, lift, parallel, pure, remat, repeat, serial
from jaxnets.combine import child_key

X = jnp.arange(6.0).reshape(2, 3) / 6


def linear(count=None):
    """A square matrix product; appends to `count` each time its `apply` is traced or run."""

    def apply(params, x):
        if count is not None:
            count.append(1)
        return jnp.tanh(x @ params["w"])

    return pure(lambda key, x: {"w": jax.random.normal(key, (x.shape[-1],) * 2)}, apply)


def counter():
    """A layer with state: how often it ran in training."""

    def apply(params, state, x, *, train=False, key=None):
        return x, {"runs": state["runs"] + jnp.int32(1)} if train else state

    return jaxnets.Layer(lambda key, x: ({}, {"runs": jnp.int32(0)}), apply)


def noise():
    """A layer that needs a key in training."""

    def apply(params, state, x, *, train=False, key=None):
        return (x + jax.random.normal(key, x.shape) if train else x), state

    return jaxnets.Layer(lambda key, x: ({}, {}), apply)


def test_names_are_paths_and_the_parameterless_leave_no_entry(key):
    net = serial(jnp.sin, linear(), stage=serial(linear(), jnp.tanh), tail=jnp.cos)
    params, state = net.init(key, X)
    assert list(jaxnets.tree.flatten(params)) == ["1/w", "stage/0/w"]
    assert state == {}


def test_order_is_that_of_the_layers_not_of_the_names(key):
    net = serial(z=lambda x: x + 1, a=lambda x: x * 10)
    assert float(net.apply({}, {}, jnp.ones(()))[0]) == 20


def test_a_new_sibling_changes_nobodys_draws(key):
    alone, _ = serial(b=linear()).init(key, X)
    among, _ = serial(a=linear(), b=linear(), c=linear()).init(key, X)
    chex.assert_trees_all_equal(alone["b"], among["b"])
    assert not jnp.allclose(among["a"]["w"], among["b"]["w"])


def test_child_keys_do_not_depend_on_the_process():
    # crc32, not hash(): the number would differ from process to process
    assert jax.random.key_data(child_key(jax.random.key(0), "conv")).tolist() == (
        jax.random.key_data(jax.random.fold_in(jax.random.key(0), 0x94499CC)).tolist()
    )


def test_collect_shares_the_tree_and_returns_every_output(key):
    named = {"first": linear(), "relu": jax.nn.relu, "second": linear()}
    params, state = serial(**named).init(key, X)
    chex.assert_trees_all_equal(params, collect(**named).init(key, X)[0])
    maps, _ = collect(**named).apply(params, state, X)
    assert list(maps) == ["first", "relu", "second"]
    chex.assert_trees_all_close(maps["second"], serial(**named).apply(params, state, X)[0])


def test_unused_maps_cost_nothing(key):
    named = {"first": linear(), "second": linear()}
    params, state = serial(**named).init(key, X)
    only_first = jax.jit(lambda p, x: collect(**named).apply(p, state, x)[0]["first"])
    assert only_first.lower(params, X).compile().as_text().count(" dot(") == 1


def test_parallel_joins_in_order(key):
    branches = parallel(lambda a, b: jnp.concatenate([a, b], -1), b=lambda x: x, a=lambda x: -x)
    y, _ = branches.apply({}, {}, X)
    chex.assert_trees_all_equal(y, jnp.concatenate([X, -X], -1))
    params, _ = serial(both=branches, out=linear()).init(key, X)
    chex.assert_shape(params["out"]["w"], (6, 6))


def test_parallel_takes_trees(key):
    net = parallel(
        jnp.add,
        wide=serial(pick=lambda x: x["wide"], out=linear()),
        deep=serial(pick=lambda x: x["deep"], hidden=linear(), out=linear()),
    )
    params, state = net.init(key, {"wide": X, "deep": X})
    chex.assert_shape(net.apply(params, state, {"wide": X, "deep": X})[0], (2, 3))
    assert sorted(params["deep"]) == ["hidden", "out"]


def test_state_is_nested_like_params_and_only_training_changes_it(key):
    net = serial(a=counter(), block=parallel(jnp.add, skip=lambda x: x, main=serial(counter(), linear())))
    params, state = net.init(key, X)
    assert jaxnets.tree.flatten(state).keys() == {"a/runs", "block/main/0/runs"}
    _, after = net.apply(params, state, X)
    chex.assert_trees_all_equal(after, state)
    _, after = net.apply(params, state, X, train=True)
    assert [int(n) for n in jax.tree.leaves(after)] == [1, 1]


def test_init_traces_each_layer_once_however_deep_it_stands(key):
    count = []

    def nest(depth):
        inner = linear(count) if depth == 0 else nest(depth - 1)
        return serial(inner=inner, residual=parallel(jnp.add, skip=lambda x: x, main=linear(count)))

    nest(20).init(key, X)
    assert len(count) == 21 + 1


@pytest.mark.parametrize("blocks", [10, 50])
def test_init_of_blocks_is_linear(key, blocks):
    count = []
    block = lambda: parallel(jnp.add, skip=lambda x: x, main=serial(a=linear(count), b=linear(count)))  # noqa: E731
    net = serial(**{f"block{i}": block() for i in range(blocks)})
    params, _ = net.init(key, X)
    assert len(count) == 2 * blocks
    assert len(params) == blocks


def test_repeat_equals_the_layers_one_after_the_other(key):
    net = repeat(serial(a=linear(), n=noise(), c=counter()), 4)
    params, state = net.init(key, X)
    chex.assert_shape(params["a"]["w"], (4, 3, 3))
    y, after = net.apply(params, state, X, train=True, key=key)
    each = serial(a=linear(), n=noise(), c=counter())
    x = X
    for i in range(4):
        own_params, own_state = (jax.tree.map(lambda leaf, i=i: leaf[i], t) for t in (params, state))
        x, _ = each.apply(own_params, own_state, x, train=True, key=jax.random.fold_in(key, i))
    chex.assert_trees_all_close(y, x, rtol=1e-5)
    assert after["c"]["runs"].tolist() == [1, 1, 1, 1]


def test_repeat_draws_different_parameters(key):
    params, _ = repeat(linear(), 2).init(key, X)
    assert not jnp.allclose(params["w"][0], params["w"][1])
    chex.assert_trees_all_close(params["w"][1], linear().init(jax.random.fold_in(key, 1), X)[0]["w"])


def test_repeat_traces_once_whatever_the_depth(key):
    count = []
    net = repeat(linear(count), 100)
    params, state = net.init(key, X)
    assert len(count) == 1
    jax.jit(net.apply)(params, state, X)
    assert len(count) == 2


def residuals(layer, params):
    """How many arrays the backward pass keeps: the leaves of the pulled-back function."""
    _, pull = jax.vjp(lambda p: jnp.sum(layer.apply(p, {}, X)[0] ** 2), params)
    return len(jax.tree.leaves(pull))


def test_remat_changes_memory_not_values(key):
    net = serial(a=linear(), b=linear())
    params, state = net.init(key, X)
    chex.assert_trees_all_equal(remat(net).init(key, X), (params, state))

    def loss(layer, p):
        return jnp.sum(layer.apply(p, state, X)[0] ** 2)

    plain, again = (jax.grad(lambda p, layer=layer: loss(layer, p))(params) for layer in (net, remat(net)))
    chex.assert_trees_all_close(plain, again, rtol=1e-6)
    assert residuals(remat(net), params) < residuals(net, params)


def test_remat_policy_reads_the_outputs_name(key):
    net = serial(a=linear(), b=linear())
    params, _ = net.init(key, X)
    policy = jax.checkpoint_policies.save_only_these_names("output")
    assert residuals(remat(net, policy=policy), params) > residuals(remat(net), params)


def test_names_are_scopes_in_the_compiled_program(key):
    net = serial(stage0=serial(conv=linear()))
    params, state = net.init(key, X)
    assert "stage0/conv" in jax.jit(net.apply).lower(params, state, X).compile().as_text()


def test_keys_reach_the_layers_that_draw(key):
    net = serial(a=noise(), b=noise())
    y, _ = net.apply({}, {}, X, train=True, key=key)
    chex.assert_trees_all_close(
        y,
        X + jax.random.normal(child_key(key, "a"), X.shape) + jax.random.normal(child_key(key, "b"), X.shape),
        rtol=1e-5,
        atol=1e-6,
    )


def test_an_error_carries_one_note_with_the_whole_path(key):
    def broken(x):
        raise RuntimeError("broken")

    net = serial(backbone=serial(stage=parallel(jnp.add, skip=lambda x: x, main=serial(lift(broken)))))
    for run in (lambda: net.apply({}, {}, X), lambda: net.init(key, X), lambda: jax.jit(net.apply)({}, {}, X)):
        with pytest.raises(RuntimeError) as caught:
            run()
        paths = [note for note in caught.value.__notes__ if note.startswith("in layer")]
        assert paths == ["in layer 'backbone/stage/main/0'"]


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: serial(), ValueError, "serial: no layers"),
        (lambda: parallel(jnp.add), ValueError, "parallel: no layers"),
        (lambda: collect(), ValueError, "collect: no layers"),
        (lambda: serial(a=3), TypeError, "'a' is 3"),
        (lambda: serial(jnp.sin, None), TypeError, "'1' is None"),
        (lambda: serial(**{"a/b": jnp.sin}), ValueError, "a/b"),
        (lambda: parallel(3, a=jnp.sin), TypeError, "join is 3"),
        (lambda: parallel(lift(jnp.sin), a=jnp.sin), TypeError, "join"),
        (lambda: repeat(jnp.sin, 0), ValueError, "n is 0"),
        (lambda: repeat(jnp.sin, 2.0), ValueError, "n is 2.0"),
        (lambda: repeat(4, 2), TypeError, "4"),
        (lambda: remat("relu"), TypeError, "relu"),
        (lambda: serial(jnp.sin).apply([], {}, X), TypeError, "params is list"),
        (lambda: serial(jnp.sin).apply({"conv": {}}, {}, X), ValueError, r"conv.*\['0'\]"),
        (lambda: serial(a=linear()).apply({}, {}, X), ValueError, "no entry 'a'"),
        (lambda: repeat(lambda x: x[:1], 2).init(jax.random.key(0), X), ValueError, r"float32\[2, 3\].*\[1, 3\]"),
        (lambda: repeat(linear(), 2).init(None, X), ValueError, "repeat: key is None"),
    ],
)
def test_bad_input_is_named(make, error, words):
    with pytest.raises(error, match=words):
        make()

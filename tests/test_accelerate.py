"""`accelerate` through everything JAX can wrap around a convolution or a pool, before it and behind it."""

from functools import partial

import jax
import jax.export
import jax.numpy as jnp
import numpy as np
import pytest
from accelerated import OURS, assert_close, assert_ours, avg_pool, conv, max_pool, names, normal
from jax import lax
from jax.sharding import AxisType
from jax.sharding import PartitionSpec as P

from jaxnets import accelerate, compat, lowering

X, W = normal(2, 6, 6, 2), normal(3, 3, 2, 2) / 3


def net(x, w):
    return avg_pool(max_pool(jax.nn.relu(conv(x, w))))


@jax.custom_jvp
def own_jvp(x, w):
    return conv(x, w)


@own_jvp.defjvp
def _own_jvp(primals, tangents):
    (x, w), (dx, dw) = primals, tangents
    return conv(x, w), 2 * (conv(dx, w) + conv(x, dw))  # twice the true one, to see that it is this that is used


@jax.custom_vjp
def own_vjp(x, w):
    return conv(x, w)


def _own_backward(residuals, g):
    dx, dw = jax.vjp(conv, *residuals)[1](g)
    return 2 * dx, 3 * dw


own_vjp.defvjp(lambda x, w: (conv(x, w), (x, w)), _own_backward)

MESH = jax.make_mesh((1,), ("data",), axis_types=(AxisType.Auto,))


def sharded(x, w):
    def local(x, w):
        return lax.psum(net(x, w).sum(), "data")

    return jax.shard_map(local, mesh=MESH, in_specs=(P("data"), P()), out_specs=P())(x, w)


# What is wrapped around lax's operations, and the primitive that must still be there.
PROGRAMS = {
    "plain": (net, None),
    "jit": (jax.jit(net), "jit"),
    "jit in jit": (jax.jit(lambda x, w: jax.jit(net)(x, w) * 2), "jit"),
    "scan": (lambda x, w: lax.scan(lambda c, k: (jnp.tanh(conv(c, w * k)), max_pool(c)), x, jnp.ones(3)), "scan"),
    "scan over kernels": (lambda x, w: lax.scan(lambda c, k: (conv(c, k), None), x, jnp.stack([w, w]))[0], "scan"),
    "fori_loop": (lambda x, w: lax.fori_loop(0, 2, lambda _, c: conv(c, w), x), "scan"),
    "cond": (lambda x, w: lax.cond(x[0, 0, 0, 0] > 0, net, lambda x, w: 2 * net(x, w), x, w), "cond"),
    "switch": (lambda x, w: lax.switch(1, [net, lambda x, w: net(x, w) * 3], x, w), None),
    "checkpoint": (jax.checkpoint(net), "checkpoint"),
    "saved dots": (jax.checkpoint(net, policy=jax.checkpoint_policies.dots_saveable), "checkpoint"),
    "custom_jvp": (own_jvp, None),
    "custom_vjp": (own_vjp, None),
    "custom_vjp in scan": (lambda x, w: lax.scan(lambda c, _: (own_vjp(c, w), None), x, length=2)[0], "scan"),
    "vmap of images": (lambda x, w: jax.vmap(net, (1, None))(jnp.stack([x, 2 * x], 1), w), None),
    "vmap of kernels": (lambda x, w: jax.vmap(net, (None, -1))(x, jnp.stack([w, 2 * w], -1)), None),
    "vmap of both": (lambda x, w: jax.vmap(net)(jnp.stack([x, -x]), jnp.stack([w, 2 * w])), None),
    "shard_map": (sharded, "shard_map"),
}
each = pytest.mark.parametrize("name", PROGRAMS)


def _loss(fn):
    return lambda x, w: sum(jnp.sum(jnp.square(y)) for y in jax.tree.leaves(fn(x, w)))


@each
def test_values_and_gradients_before_and_behind(name):
    fn, kept = PROGRAMS[name]
    gradient = jax.grad(_loss(fn), (0, 1))
    before, behind = jax.grad(_loss(accelerate(fn)), (0, 1)), accelerate(gradient)
    for fast in (accelerate(fn), before, behind):
        assert_ours(fast, X, W)
    if kept:
        there = {"checkpoint": {"checkpoint", "remat2"}}.get(kept, {kept})
        assert there & {*names(accelerate(fn), X, W)}

    def all_of(x, w):
        return fn(x, w), accelerate(fn)(x, w), gradient(x, w), before(x, w), behind(x, w)

    y, fast_y, g, g_before, g_behind = jax.jit(all_of)(X, W)
    assert_close(fast_y, y)
    assert_close(g_before, g, 1e-3)
    assert_close(g_behind, g, 1e-3)


def test_eager_is_the_same():
    assert_close(accelerate(net)(X, W), net(X, W))
    assert_close(jax.grad(_loss(accelerate(net)))(X, W), jax.grad(_loss(net))(X, W), 1e-3)


def test_while_loop():
    def settle(x, w):
        def more(state):
            steps, y = state
            return (steps < 3) & (jnp.abs(conv(y, w)).max() > 1e-3)

        return lax.while_loop(more, lambda state: (state[0] + 1, conv(state[1], w) / 4), (jnp.asarray(0), x))

    assert_close(accelerate(settle)(X, W), settle(X, W))
    found = names(accelerate(settle), X, W)
    assert "while" in found
    assert found.count("jaxnets_conv") == 2


@pytest.mark.parametrize("how", ["jvp", "linearize", "hessian", "vmap behind", "vmap before", "jacrev"])
def test_other_transformations(how):
    x, w = X[:1, :3, :3], W
    loss = _loss(lambda x, w: max_pool(conv(x, w) ** 2))

    def of(wrap):
        return {
            "jvp": lambda: jax.jvp(wrap(net), (x, w), (x, w)),
            "linearize": lambda: jax.linearize(wrap(net), x, w)[1](x, w),
            "hessian": lambda: jax.hessian(wrap(loss), 1)(x, w),
            "vmap behind": lambda: wrap(jax.vmap(net, (0, None)))(jnp.stack([X, X * 2]), w),
            "vmap before": lambda: jax.vmap(wrap(net), (0, None))(jnp.stack([X, X * 2]), w),
            "jacrev": lambda: wrap(jax.jacrev(net, 1))(x, w),
        }[how]

    plain, fast = jax.jit(of(lambda f: f))(), jax.jit(of(accelerate))()
    assert_close(fast, plain, 1e-3)
    found = {*names(of(accelerate))}
    assert "conv_general_dilated" not in found
    assert "jaxnets_conv" in found


def test_second_derivatives_behind():
    loss = _loss(lambda x, w: max_pool(conv(x, w) ** 2))
    hessian = jax.hessian(loss, 1)
    x = X[:1, :3, :3]
    assert_ours(accelerate(hessian), x, W)
    assert_close(jax.jit(accelerate(hessian))(x, W), jax.jit(hessian)(x, W), 1e-3)


def test_gradient_of_a_function_that_accelerates_inside():
    def loss(w, x):
        return jnp.sum(accelerate(lambda x: conv(conv(x, w), 2 * w))(x) ** 2)  # closes over what is differentiated

    def plain(w, x):
        return jnp.sum(conv(conv(x, w), 2 * w) ** 2)

    with jax.checking_leaks():
        assert_close(jax.grad(loss)(W, X), jax.grad(plain)(W, X), 1e-3)
        assert_close(jax.jit(jax.grad(loss))(W, X), jax.grad(plain)(W, X), 1e-3)


def test_the_same_function_closing_over_other_tracers():
    kernel = {"w": W}
    fast = accelerate(lambda x: conv(x, kernel["w"]))

    def through(w):
        kernel["w"] = w
        return fast(X).sum()

    # Nothing of the first trace may be kept for the second.
    first, second = jax.grad(through)(W), jax.grad(lambda w: through(2 * w))(W)
    np.testing.assert_allclose(2 * first, second, rtol=1e-4)


def test_a_rematerialization_policy_means_our_convolutions_too():
    asked = []

    def policy(primitive, *_, **__):
        asked.append(primitive.name)
        return primitive is lax.conv_general_dilated_p

    fn = jax.checkpoint(lambda x, w: jnp.sin(conv(jnp.sin(x), w)), policy=policy)
    jaxpr = jax.make_jaxpr(jax.grad(lambda x, w: accelerate(fn)(x, w).sum()))(X, W)
    # The convolution is saved: one forward, one input gradient, and none computed anew.
    assert str(jaxpr).count("member=forward") == 1
    assert "conv_general_dilated" in asked
    assert "jaxnets_conv" not in asked


def test_donation_inside_is_kept():
    step = jax.jit(lambda x, w: x + conv(x, w), donate_argnums=0)
    x = X + 0
    y = accelerate(step)(x, W)
    assert x.is_deleted()
    assert_close(y, X + conv(X, W))
    (equation,) = jax.make_jaxpr(accelerate(step))(X, W).eqns
    assert equation.params["donated_invars"] == (True, False)


def test_donation_outside():
    x = X + 0
    jax.jit(accelerate(lambda x, w: x + conv(x, w)), donate_argnums=0)(x, W)
    assert x.is_deleted()


def test_named_scopes_and_the_names_of_compiled_functions():
    @jax.jit
    def block(x, w):
        with jax.named_scope("inner"):
            return conv(x, w)

    def fn(x, w):
        with jax.named_scope("outer"):
            return max_pool(block(x, w))

    traced = jax.jit(accelerate(fn)).trace(X, W)
    assert [
        (path, e.primitive.name) for path, e, _ in compat.equations(traced.jaxpr.jaxpr) if e.primitive.name in OURS
    ] == [("outer/inner", "jaxnets_conv"), ("outer", "jaxnets_pool")]
    assert "outer/jit(block)/inner" in traced.lower().compile().as_text()


def test_effects_happen_once_and_in_order():
    seen = []

    def fn(x, w):
        jax.debug.callback(lambda v: seen.append(("before", float(v))), x.sum(), ordered=True)
        y = conv(x, w)
        jax.debug.callback(lambda v: seen.append(("behind", float(v))), y.sum(), ordered=True)
        z = jax.pure_callback(lambda y: np.asarray(y) * 2, jax.ShapeDtypeStruct(y.shape, y.dtype), y)
        return lax.fori_loop(0, 2, lambda i, c: _said(seen, i, conv(c, w)), z)

    expected, wanted = fn(X, W), list(seen)
    for fast in (accelerate(fn), jax.jit(accelerate(fn)), accelerate(jax.jit(fn))):
        seen.clear()
        assert_close(fast(X, W), expected)
        jax.effects_barrier()
        assert [what for what, _ in seen] == [what for what, _ in wanted]
        np.testing.assert_allclose([v for _, v in seen], [v for _, v in wanted], rtol=1e-4, atol=1e-4)


def _said(seen, i, y):
    jax.debug.callback(lambda i: seen.append(("turn", float(i))), i, ordered=True)
    return y


def test_random_keys():
    def noisy(key, x, w):
        first, second = jax.random.split(key)
        return conv(x + jax.random.normal(first, x.shape), w), second

    key = jax.random.key(3)
    (y, k), (fast_y, fast_k) = noisy(key, X, W), accelerate(noisy)(jax.random.clone(key), X, W)
    assert_close(fast_y, y)
    assert jnp.array_equal(jax.random.key_data(fast_k), jax.random.key_data(k))
    assert jnp.issubdtype(fast_k.dtype, jax.dtypes.prng_key)


def test_loops_over_mutable_references():
    def fn(x, w):
        total = jax.new_ref(jnp.zeros(()))

        def turn(i, _):
            total[...] += conv(x * jnp.asarray(i, x.dtype), w).sum()

        lax.fori_loop(0, 3, turn, None)
        return total[...]

    assert_close(accelerate(fn)(X, W), fn(X, W))
    assert_ours(accelerate(fn), X, W)


@pytest.mark.parametrize("axis_types", [AxisType.Auto, AxisType.Explicit])
def test_inside_a_mesh(axis_types):
    mesh = jax.make_mesh((1,), ("data",), axis_types=(axis_types,))
    x = jax.device_put(X, jax.NamedSharding(mesh, P("data")))
    w = jax.device_put(W, jax.NamedSharding(mesh, P()))
    with jax.set_mesh(mesh):
        assert_close(jax.jit(accelerate(conv))(x, w), conv(X, W))


def test_accelerated_inside_shard_map():
    def local(x, w):
        g = jax.grad(lambda w: jnp.sum(accelerate(net)(x, w) ** 2))(w)
        return accelerate(net)(x, w), g

    fn = jax.shard_map(local, mesh=MESH, in_specs=(P("data"), P()), out_specs=(P("data"), P()))
    y, g = jax.jit(fn)(X, W)
    assert_close(y, net(X, W))
    assert_close(g, jax.grad(lambda w: jnp.sum(net(X, w) ** 2))(W), 1e-3)
    assert_ours(fn, X, W)


def test_exports_for_every_platform():
    exported = jax.export.export(jax.jit(accelerate(jax.grad(_loss(net), (0, 1)))), platforms=("cpu", "cuda", "tpu"))
    program = exported(X, W)
    assert program.platforms == ("cpu", "cuda", "tpu")
    assert_close(program.call(X, W), jax.grad(_loss(net), (0, 1))(X, W), 1e-3)


def test_the_context_switches_it_off():
    fast = accelerate(net)
    with lowering("lax"):
        assert {"conv_general_dilated", "reduce_window_max"} <= {*names(fast, X, W)}
    assert_ours(fast, X, W)


@pytest.mark.parametrize("narrow", ["bfloat16", "float16", "int8"])
def test_a_wider_result_is_summed_wide(narrow):
    wide = jnp.int32 if narrow == "int8" else jnp.float32
    x, w = (jnp.round(v * 4).astype(narrow) for v in (X, W))
    fn = partial(
        lax.conv_general_dilated,
        window_strides=(1, 1),
        padding="SAME",
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
        preferred_element_type=wide,
    )
    assert_ours(accelerate(fn), x, w)
    y = accelerate(fn)(x, w)
    assert y.dtype == wide
    np.testing.assert_array_equal(y, fn(x, w))


def test_what_is_not_ours_is_left():
    def fn(x, w):
        four = lax.reduce_window(jnp.ones((2, 2, 2, 2)), 0.0, lax.add, (2,) * 4, (1,) * 4, "VALID")
        return conv(x.astype(jnp.complex64), w.astype(jnp.complex64)), lax.cumsum(x, 1), four

    assert_close(accelerate(fn)(X, W), fn(X, W))
    assert {"conv_general_dilated", "reduce_window_sum"} <= {*names(accelerate(fn), X, W)}

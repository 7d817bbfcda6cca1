"""What `accelerate` promises of a call: pytrees, static arguments, one trace per shape, and errors that help."""

import functools
import subprocess
import sys
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from accelerated import assert_close, assert_ours, conv, max_pool, names, normal

import jaxnets
from jaxnets import accelerate

X, W = normal(2, 5, 5, 2), normal(3, 3, 2, 2)


class Pair(NamedTuple):
    left: object
    right: object


def counted(fn):
    """The function, and a list that grows with each of its traces."""
    traces = []

    @functools.wraps(fn)
    def counting(*args, **kwargs):
        traces.append(args)
        return fn(*args, **kwargs)

    return counting, traces


def test_the_signature_stays():
    def documented(x, *, w):
        """Says so."""

    assert accelerate(documented).__name__ == "documented"
    assert accelerate(documented).__doc__ == "Says so."
    assert accelerate(documented).__wrapped__ is documented


def test_pytrees_in_and_out():
    def fn(params, *images, scale=None):
        y = [conv(x, params["block"].left) for x in images]
        return {"y": Pair(y, None), "name": "net", "scale": scale, "count": len(images)}

    params = {"block": Pair(W, ())}
    result = accelerate(fn)(params, X, 2 * X, scale=(jnp.ones(()),))
    expected = fn(params, X, 2 * X, scale=(jnp.ones(()),))
    assert jax.tree.structure(result) == jax.tree.structure(expected)
    assert (result["name"], result["count"], type(result["count"])) == ("net", 2, int)
    assert_close(result["y"], expected["y"])


def test_static_arguments_are_seen_as_they_are():
    def fn(x, w, stride, activation=jax.nn.relu, *, train, rate=0.5):
        assert type(stride) is int
        assert type(rate) is float
        if train:
            x = x * rate
        return activation(conv(x, w, stride))

    fast = accelerate(fn)
    for args, kwargs in [
        ((2,), {"train": True}),
        ((1, jnp.tanh), {"train": False}),
        ((1,), {"train": 1, "rate": 0.25}),
    ]:
        assert_close(fast(X, W, *args, **kwargs), fn(X, W, *args, **kwargs))


@pytest.mark.parametrize("order", ["jit outside", "jit inside"])
def test_static_arguments_of_jit(order):
    def fn(x, w, stride, *, train):
        return conv(x, w, stride) if train else x

    static = {"static_argnums": 2, "static_argnames": "train"}
    fast = jax.jit(accelerate(fn), **static) if order == "jit outside" else accelerate(jax.jit(fn, **static))
    assert_close(fast(X, W, 2, train=True), conv(X, W, 2))
    assert_close(fast(X, W, 2, train=False), X)


def test_one_trace_per_shape():
    fn, traces = counted(lambda x, w, stride=1: max_pool(conv(x, w, stride)))
    fast = accelerate(fn)
    for _ in range(3):
        fast(X, W)
        fast(X + 1, 2 * W)
        jax.jit(fast)(X, W)
        jax.grad(lambda w: fast(X, w).sum())(W)
        jax.vmap(fast, (0, None))(X[None], W)
    assert len(traces) == 1
    fast(X[:1], W)
    assert len(traces) == 2
    fast(X, W, stride=2)
    assert len(traces) == 3
    fast(X[:1], W)
    fast(X, W)
    assert len(traces) == 3


def test_what_a_trace_depends_on():
    fn, traces = counted(lambda x, flag: (x * 2, x.dtype.name, flag))
    fast = accelerate(fn)
    one = jnp.ones((), jnp.float32)
    assert fast(one, 1)[1:] == ("float32", 1)
    assert fast(one, True)[2] is True  # equal to 1, and another static value
    assert str(fast(one, -0.0)[2]) == "-0.0"
    assert str(fast(one, 0.0)[2]) == "0.0"
    assert len(traces) == 4
    fast(jax.jit(lambda: 1.0)(), 1)  # weakly typed
    assert len(traces) == 5
    with jax.enable_x64(True):
        assert fast(np.ones((), np.float64), 1)[1] == "float64"
    assert len(traces) == 6
    with jaxnets.lowering("slices"):
        fast(one, 1)
    assert len(traces) == 7


def test_weak_types_stay_weak():
    weak = jax.jit(lambda: 1.0)()
    assert weak.weak_type
    assert accelerate(lambda x: x * 2)(weak).weak_type
    assert not accelerate(lambda x: x * 2)(jnp.ones(())).weak_type
    assert accelerate(lambda x: x * 2)(3.0) == 6.0


def test_traces_kept_are_bounded():
    fn, traces = counted(lambda x, n: x + n)
    fast = accelerate(fn)
    for n in range(200):
        fast(np.float32(1), n)
    fast(np.float32(1), 199)
    assert len(traces) == 200
    fast(np.float32(1), 0)  # long gone
    assert len(traces) == 201


def test_constants_and_numpy():
    kernel = np.asarray(W)
    fast = accelerate(lambda x: conv(x, kernel) + jnp.arange(2.0)[None, None, None])
    assert_close(fast(np.asarray(X)), conv(X, W) + jnp.arange(2.0)[None, None, None])


def test_methods_and_partials():
    class Model:
        def __init__(self):
            self.w = W

        def __call__(self, x):
            return conv(x, self.w)

        def method(self, x):
            return conv(x, self.w)

    model = Model()
    for fn in (model, model.method, functools.partial(conv, w=W)):
        assert_close(accelerate(fn)(X), conv(X, W))


def test_twice_is_once():
    twice = accelerate(accelerate(conv))
    assert_ours(twice, X, W)
    assert names(twice, X, W) == names(accelerate(conv), X, W)


def test_not_a_function():
    with pytest.raises(TypeError, match=r"fn is dict, not a function"):
        accelerate({"w": W})


@pytest.mark.parametrize(
    ("args", "kwargs", "where"),
    [
        ((X, {1, 2}), {}, "argument 1 of f is of type set"),
        ((X,), {"config": {"sizes": [bytearray(3)]}}, r"argument 'config'\['sizes'\]\[0\] of f is of type bytearray"),
        ((np.array([None]),), {}, "argument 0 of f is of type ndarray"),
    ],
)
def test_static_and_not_hashable(args, kwargs, where):
    def f(x, *rest, config=None):
        return x

    with pytest.raises(TypeError, match=where):
        accelerate(f)(*args, **kwargs)


def test_errors_of_the_function_come_through_and_name_its_arguments():
    def f(image, w):
        if image.sum() > 0:
            return conv(image, w)
        return image

    with pytest.raises(jax.errors.TracerBoolConversionError, match="argument image"):
        accelerate(f)(X, W)
    with pytest.raises(TypeError, match="missing 1 required positional argument"):
        accelerate(f)(X)


def test_over_two_devices():
    code = """
import os
os.environ["XLA_FLAGS"] = "--xla_force_host_platform_device_count=2"
import jax, jax.numpy as jnp, numpy as np
from jax import lax
from jax.sharding import AxisType, PartitionSpec as P
import jaxnets
x, w = jax.random.normal(jax.random.key(0), (4, 6, 6, 2)), jax.random.normal(jax.random.key(1), (3, 3, 2, 4))
mesh = jax.make_mesh((2,), ("data",), axis_types=(AxisType.Auto,))
def net(x, w):
    y = lax.conv_general_dilated(x, w, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))
    return lax.reduce_window(y, -jnp.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")
def local(x, w):
    return lax.psum((net(x, w) ** 2).sum(), "data")
loss = jax.shard_map(local, mesh=mesh, in_specs=(P("data"), P()), out_specs=P(), check_vma=True)
expected = jax.grad(loss, (0, 1))(x, w)
for fast in (jax.grad(jaxnets.accelerate(loss), (0, 1)), jaxnets.accelerate(jax.grad(loss, (0, 1)))):
    text = str(jax.make_jaxpr(fast)(x, w))
    assert "conv_general_dilated" not in text and "jaxnets_conv" in text and "shard_map" in text
    for a, b in zip(jax.jit(fast)(x, w), expected):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-3)
"""
    subprocess.run([sys.executable, "-c", code], check=True)

"""Other people's models on our kernels: the same outputs and gradients, and no convolution or pool of lax's left."""

import os
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from accelerated import REPLACED, assert_close, assert_ours, names, normal
from flax import linen, nnx

from jaxnets import accelerate, compat

os.environ.setdefault("KERAS_BACKEND", "jax")
pytestmark = pytest.mark.filterwarnings("default")  # what other packages warn of is theirs to mend


@pytest.fixture(autouse=True)
def usual_jax():
    """jax as these packages expect it."""
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"), jax.debug_key_reuse(False):
        yield


def assert_same(a: Any, b: Any, tolerance: float) -> None:
    """Each leaf for itself. A gradient that is 0 but for rounding, as of a shift before batch norm, may be another."""
    assert jax.tree.structure(a) == jax.tree.structure(b)
    for (path, u), v in zip(jax.tree.leaves_with_path(a), jax.tree.leaves(b), strict=True):
        apart, size = np.max(np.abs(u - v)), np.max(np.abs(v))
        assert apart <= tolerance * size + 1e-12, f"{jax.tree_util.keystr(path)}: {apart} apart, at most {size}"


def check(fn: Any, params: Any, x: Any, tolerance: float = 1e-3, same: Any = assert_close) -> None:
    """fn(params, x), and the gradient of its first array's square, accelerated before, behind and not at all."""

    def loss(params: Any, x: Any) -> Any:
        y = fn(params, x)
        return jnp.mean(jnp.square(jax.tree.leaves(y)[0])), y

    plain = jax.value_and_grad(loss, has_aux=True)
    behind = accelerate(plain)

    def before(params: Any, x: Any) -> Any:
        return jax.value_and_grad(accelerate(loss), has_aux=True)(params, x)

    assert {*names(plain, params, x)} & REPLACED
    assert_ours(behind, params, x)
    assert_ours(before, params, x)
    expected, by_behind, by_before = jax.jit(lambda *a: (plain(*a), behind(*a), before(*a)))(params, x)
    same(by_behind, expected, tolerance)
    same(by_before, expected, tolerance)


class LinenNet(linen.Module):
    @linen.compact
    def __call__(self, x):
        x = linen.Conv(8, (3, 3), strides=2)(x)
        x = linen.relu(linen.BatchNorm(use_running_average=False)(x))
        x = linen.max_pool(x, (3, 3), (2, 2), "SAME")
        y = linen.Conv(8, (3, 3), feature_group_count=8, kernel_dilation=2)(x)
        x = x + linen.Conv(8, (1, 1))(linen.avg_pool(y, (2, 2), (1, 1), "SAME"))
        return linen.ConvTranspose(4, (4, 4), strides=(2, 2))(x)


def test_flax_linen():
    model, x = LinenNet(), normal(2, 12, 12, 3)
    variables = model.init(jax.random.key(0), x)

    def fn(params, x):
        return model.apply({**variables, "params": params}, x, mutable=["batch_stats"])[0]

    check(fn, variables["params"], x)


def test_flax_linen_scanned_and_rematerialized():
    class Block(linen.Module):
        @linen.compact
        def __call__(self, x, _):
            return x + linen.Conv(4, (3, 3))(jnp.sin(x)), None

    class Net(linen.Module):
        @linen.compact
        def __call__(self, x):
            scanned = linen.scan(linen.remat(Block), {"params": 0}, split_rngs={"params": True}, length=3)
            return scanned()(x, None)[0]

    model, x = Net(), normal(2, 6, 6, 4)
    variables = model.init(jax.random.key(0), x)
    check(model.apply, variables, x)
    assert "scan" in names(accelerate(model.apply), variables, x)


class NnxNet(nnx.Module):
    def __init__(self, rngs: nnx.Rngs):
        self.stem = nnx.Conv(3, 8, (3, 3), strides=2, rngs=rngs)
        self.norm = nnx.BatchNorm(8, rngs=rngs)
        self.depthwise = nnx.Conv(8, 8, (5, 5), feature_group_count=8, rngs=rngs)
        self.up = nnx.ConvTranspose(8, 4, (2, 2), strides=(2, 2), rngs=rngs)

    def __call__(self, x):
        x = nnx.max_pool(nnx.relu(self.norm(self.stem(x))), (2, 2), (2, 2))
        return self.up(nnx.avg_pool(self.depthwise(x), (2, 2)))


def test_flax_nnx():
    graph, params, rest = nnx.split(NnxNet(nnx.Rngs(0)), nnx.Param, ...)
    x = normal(2, 12, 12, 3)

    def fn(params, x):
        return nnx.merge(graph, params, rest, copy=True)(x)

    check(fn, params, x)

    def step(params, rest, x):  # the state that batch norm leaves behind comes out
        model = nnx.merge(graph, params, rest, copy=True)
        y = model(x)
        return y, nnx.split(model, nnx.Param, ...)[2]

    assert_close(accelerate(step)(params, rest, x), step(params, rest, x))


def test_flax_nnx_module_as_an_argument():
    model, x = NnxNet(nnx.Rngs(0)), normal(2, 12, 12, 3)
    model.eval()
    fast = nnx.jit(accelerate(lambda model, x: model(x)))
    assert_close(fast(model, x), model(x))


def test_equinox():
    eqx = pytest.importorskip("equinox", reason="Equinox is not installed")
    keys = iter(jax.random.split(jax.random.key(0), 8))
    model = eqx.nn.Sequential(
        [
            eqx.nn.Conv2d(3, 8, 3, stride=2, padding=1, key=next(keys)),
            eqx.nn.Lambda(jax.nn.gelu),
            eqx.nn.MaxPool2d(3, 2, padding=1),
            eqx.nn.Conv2d(8, 8, 3, groups=8, padding="SAME", key=next(keys)),
            eqx.nn.AvgPool2d(2, 1),
            eqx.nn.ConvTranspose2d(8, 4, 4, stride=2, padding=1, key=next(keys)),
        ]
    )
    x = normal(2, 3, 12, 12)
    params, static = eqx.partition(model, eqx.is_array)
    check(lambda params, x: jax.vmap(eqx.combine(params, static))(x), params, x)

    # The model itself, its activation functions and sizes among the leaves, as an argument.
    apply = accelerate(lambda model, x: jax.vmap(model)(x))
    assert_close(apply(model, x), jax.vmap(model)(x))
    gradient = accelerate(eqx.filter_grad(lambda model, x: jnp.mean(jax.vmap(model)(x) ** 2)))
    assert_ours(lambda x: jax.tree.leaves(gradient(model, x)), x)


def test_haiku():
    hk = pytest.importorskip("haiku", reason="Haiku is not installed")

    @hk.without_apply_rng
    @hk.transform
    def net(x):
        x = hk.Conv2D(8, 3, stride=2)(x)
        x = hk.max_pool(jax.nn.relu(x), (1, 3, 3, 1), (1, 2, 2, 1), "SAME")
        x = hk.DepthwiseConv2D(1, 3)(x)
        x = hk.avg_pool(x, (1, 2, 2, 1), (1, 1, 1, 1), "SAME")
        return hk.Conv2DTranspose(4, 4, stride=2)(x)

    x = normal(2, 12, 12, 3)
    check(net.apply, net.init(jax.random.key(0), x), x)


@pytest.fixture
def float64(monkeypatch):
    """Keras in float64, where one wrong gradient is not lost in the rounding of a hundred layers."""
    keras = pytest.importorskip("keras", reason="Keras is not installed")
    from keras.src.backend.common import dtypes

    # Its batch norm computes in the result_type of its input, which without this is float32 even for float64.
    monkeypatch.setitem(dtypes.BIT64_TO_BIT32_DTYPE, "float64", "float64")
    with jax.enable_x64(True):
        keras.config.set_floatx("float64")
        keras.config.set_dtype_policy("float64")
        yield
        keras.config.set_floatx("float32")
        keras.config.set_dtype_policy("float32")


def _keras(name: str, **config: Any) -> Any:
    keras = pytest.importorskip("keras", reason="Keras is not installed")
    if keras.backend.backend() != "jax":
        pytest.skip("Keras runs on another backend here")
    model = getattr(keras.applications, name)((32, 32, 3), weights=None, classes=10, **config)
    return model, [v.value for v in model.trainable_variables], [v.value for v in model.non_trainable_variables]


@pytest.mark.usefixtures("float64")
def test_keras():
    model, params, rest = _keras("MobileNet", alpha=0.25)
    x = normal(4, 32, 32, 3).astype(np.float64)

    def step(params, rest, x, training):
        def loss(params):
            y, new_rest = model.stateless_call(params, rest, x, training=training)
            return jnp.mean(y**2), (y, new_rest)

        return jax.value_and_grad(loss, has_aux=True)(params)

    fast = jax.jit(accelerate(step), static_argnums=3)
    plain = jax.jit(step, static_argnums=3)
    assert_same(fast(params, rest, x, True), plain(params, rest, x, True), 1e-9)
    assert not {*names(lambda *a: accelerate(step)(*a, True), params, rest, x)} & REPLACED
    assert "conv_general_dilated" not in names(lambda *a: accelerate(step)(*a, False), params, rest, x)


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize(
    ("name", "config"),
    [
        pytest.param("MobileNetV2", {"alpha": 0.35}, marks=pytest.mark.slow),
        pytest.param("EfficientNetB0", {}, marks=pytest.mark.thorough),
        pytest.param("DenseNet121", {}, marks=pytest.mark.thorough),
    ],
)
def test_keras_applications(name, config):
    model, params, rest = _keras(name, **config)

    def fn(params, x):  # the output, and the statistics that batch norm leaves behind
        return model.stateless_call(params, rest, x, training=True)

    x = normal(4, 32, 32, 3).astype(np.float64)
    equations = compat.equations(jax.make_jaxpr(fn)(params, x).jaxpr)
    assert not {v.aval.dtype for _, e, _ in equations for v in e.outvars} & {np.dtype(np.float32)}
    check(fn, params, x, 1e-9, assert_same)

"""A network as an ONNX file: without a primitive of ours, and, where jax2onnx is, run by ONNX Runtime."""

import sys
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnets import avg_pool, compat, depthwise_conv, interop, max_pool, models, serial
from jaxnets.extras import MissingExtra
from jaxnets.interop.onnx import plain

SMALL = {
    "resnet18": {"depths": (1,), "channels": (8,)},
    "convnext_tiny": {"depths": (1,), "channels": (8,)},
    "mobilenet_v2": {"stages": [(2, 16, 1, 2)], "head": 16},
}
X = np.random.default_rng(0).standard_normal((3, 16, 16, 3), np.float32)


def made(name):
    model = models.create(name, num_classes=3, **SMALL[name])
    return model, *jax.jit(model.init)(jax.random.key(0), X)


def test_nothing_of_ours_is_left():
    net = serial(models.resnet18(3, depths=(1,), channels=(8,)))
    pools = serial(depthwise_conv(3), max_pool(3, 2, padding=1), avg_pool(2, padding=((1, 0), (0, 1))))
    for layer in (net, pools):
        params, state = jax.jit(layer.init)(jax.random.key(0), X)
        run = plain(lambda x, layer=layer, params=params, state=state: layer.apply(params, state, x)[0])
        np.testing.assert_allclose(run(X), layer.apply(params, state, X)[0], rtol=1e-4, atol=1e-5)
        found = {equation.primitive.name for _, equation, _ in compat.equations(jax.make_jaxpr(run)(X).jaxpr)}
        assert not [name for name in found if name.startswith("jaxnets")]


def test_without_jax2onnx(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "jax2onnx", None)
    with pytest.raises(MissingExtra, match="jax2onnx"):
        interop.to_onnx(tmp_path / "m.onnx", jax.nn.relu, {}, {}, X)


@pytest.mark.parametrize("name", SMALL)
def test_onnx_runtime_gives_the_same(name, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pytest.importorskip("jax2onnx", reason="jax2onnx is not installed: pip install '.[onnx]'")
        runtime = pytest.importorskip("onnxruntime")
        model, params, state = made(name)
        path = interop.to_onnx(tmp_path / "m.onnx", model, params, state, X)
        session = runtime.InferenceSession(str(path))
    (found,) = session.run(None, {session.get_inputs()[0].name: X})
    wanted, _ = model.apply(params, state, jnp.asarray(X))
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)

"""A network in a file, run where there is no jaxnets."""

import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnets import export, models, serial

RUN = """
import pathlib, sys
sys.modules["jaxnets"] = None  # importing it is an error
import jax, numpy as np
program = jax.export.deserialize(pathlib.Path(sys.argv[1]).read_bytes())
np.save(sys.argv[2], jax.jit(program.call)(np.load(sys.argv[3])))
"""


def test_a_fresh_process_without_jaxnets(tmp_path, key):
    model = models.resnet18(3, depths=(1,), channels=(8,))
    example = jax.ShapeDtypeStruct((1, 16, 16, 3), jnp.float32)
    params, state = model.init(key, example)
    path = export(tmp_path / "new" / "resnet.stablehlo", model, params, state, example)
    assert [p.name for p in path.parent.iterdir()] == [path.name]
    x = np.random.default_rng(0).standard_normal((5, 16, 16, 3), np.float32)
    np.save(tmp_path / "x.npy", x)
    files = [str(path), str(tmp_path / "y.npy"), str(tmp_path / "x.npy")]
    subprocess.run([sys.executable, "-c", RUN, *files], check=True, cwd=tmp_path)
    wanted, _ = jax.jit(model.apply)(params, state, x)
    np.testing.assert_allclose(np.load(tmp_path / "y.npy"), wanted, rtol=1e-5, atol=1e-5)


def test_platforms_and_trees(tmp_path):
    example = {"a": jnp.ones((2, 3)), "b": jnp.ones((2, 3), jnp.bfloat16)}
    add = serial(lambda x: x["a"] + x["b"].astype(jnp.float32))
    path = export(tmp_path / "f", add, {}, {}, example, platforms=("cpu", "cuda", "tpu"), batch="samples")
    program = jax.export.deserialize(path.read_bytes())
    assert program.platforms == ("cpu", "cuda", "tpu")
    assert str(program.out_avals[0]) == "float32[samples,3]"


def test_a_network_that_counts_its_samples(tmp_path):
    def count(x):
        return x * x.shape[0] if x.shape[0] > 4 else x

    with pytest.raises(ValueError, match="does not compute every number of samples alike; pass batch=None"):
        export(tmp_path / "f", count, {}, {}, jnp.ones((2, 3)))
    path = export(tmp_path / "f", count, {}, {}, jnp.ones((2, 3)), batch=None)
    assert jax.export.deserialize(path.read_bytes()).in_avals[0].shape == (2, 3)
    with pytest.raises(ValueError, match="without axes, so none for the batch"):
        export(tmp_path / "f", count, {}, {}, jnp.ones(()))

"""Checkpoints come back exactly, are whole or not there, and say what is wrong with the rest."""

import json
import os

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest
from safetensors.numpy import save_file

from jaxnets import train
from jaxnets.train import checkpoint

PARAMS = {"features": {"conv": {"w": jnp.arange(6.0).reshape(1, 2, 3)}}, "logits": {"b": jnp.zeros(2)}}
STATE = {"features": {"norm": {"mean": jnp.ones(3)}}}


@pytest.fixture
def path(tmp_path):
    return checkpoint.save(
        tmp_path / "run" / checkpoint.NAME,
        PARAMS,
        STATE,
        model="lenet",
        config={"num_classes": 2, "channels": [4, 8]},
        extra={"class_names": ["a", "b"]},
    )


def same(a, b):
    assert jax.tree.structure(a) == jax.tree.structure(b)
    for one, two in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True):
        assert one.dtype == two.dtype
        assert np.asarray(one).tobytes() == np.asarray(two).tobytes()
        assert one.shape == two.shape


def test_everything_comes_back(path):
    for where in (path, path.parent):
        loaded = checkpoint.load(where)
        same(loaded.params, PARAMS)
        same(loaded.state, STATE)
        assert loaded.model == "lenet"
        assert loaded.config == {"num_classes": 2, "channels": [4, 8]}
        assert loaded.extra == {"class_names": ["a", "b"]}
        assert loaded.versions["jax"] == jax.__version__
        checkpoint.check(loaded, PARAMS, STATE)


def test_a_model_without_state_or_parameters_comes_back(tmp_path):
    loaded = checkpoint.load(checkpoint.save(tmp_path / "m", {}, {}, model="none"))
    assert (loaded.params, loaded.state) == ({}, {})


@pytest.mark.parametrize("dtype", sorted(checkpoint._DTYPES))
def test_every_dtype_comes_back_exactly(tmp_path, dtype):
    bits = np.random.default_rng(0).integers(0, 2 if dtype == "bool" else 256, (3, 16), np.uint8)
    array = bits.view(ml_dtypes.bfloat16 if dtype == "bfloat16" else np.dtype(dtype))
    params = {"w": array, "transposed": array.T, "scalar": array[0, 0].reshape(()), "empty": array[:0]}
    same(checkpoint.load(checkpoint.save(tmp_path / "m", params, {}, model="none")).params, params)


@pytest.mark.parametrize(
    ("leaf", "message"),
    [
        (np.zeros(2, ml_dtypes.float8_e4m3fn), "float8_e4m3fn"),
        (np.zeros(2, np.complex128), "complex128"),
        (3, "w is int,"),
        ("text", "w is str,"),
    ],
)
def test_what_would_not_come_back_is_not_written(tmp_path, leaf, message):
    with pytest.raises(TypeError, match=message):
        checkpoint.save(tmp_path / "m", {"w": leaf}, {}, model="none")
    with pytest.raises(TypeError, match="JSON"):
        checkpoint.save(tmp_path / "m", {}, {}, model="none", extra={"set": {1, 2}})
    assert list(tmp_path.iterdir()) == []


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no checkpoint at .*model\.safetensors"):
        checkpoint.load(tmp_path)


@pytest.mark.parametrize("kept", [0, 4, 100, -1])
def test_a_truncated_file_is_named(path, kept):
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(ValueError, match=r"model\.safetensors is cut short, damaged"):
        checkpoint.load(path)


def test_a_foreign_file_is_named(tmp_path):
    (tmp_path / "photo").write_bytes(b"\x89PNG" + bytes(100))
    with pytest.raises(ValueError, match="cut short, damaged, or no safetensors file"):
        checkpoint.load(tmp_path / "photo")
    for i, metadata in enumerate([None, {"jaxnets": "no json"}, {"jaxnets": "[]"}, {"jaxnets": '{"format": 1}'}]):
        save_file({"w": np.zeros(2)}, tmp_path / f"other{i}", metadata=metadata)
        with pytest.raises(ValueError, match="not a jaxnets checkpoint"):
            checkpoint.load(tmp_path / f"other{i}")
    save_file({"w": np.zeros(2)}, tmp_path / "newer", metadata={"jaxnets": json.dumps({"format": 99})})
    with pytest.raises(ValueError, match="newer jaxnets"):
        checkpoint.load(tmp_path / "newer")


def test_a_checkpoint_of_another_model_is_named(path):
    loaded = checkpoint.load(path)
    other = {"features": {"conv": {"w": jnp.zeros((1, 2, 4))}}, "head": {"b": jnp.zeros(2)}}
    with pytest.raises(ValueError, match="does not fit this model") as caught:
        checkpoint.check(loaded, other, STATE)
    for fault in (
        "missing params/head/b",
        "left over params/logits/b",
        "params/features/conv/w is float32[1,2,3], not float32[1,2,4]",
    ):
        assert fault in str(caught.value)


def test_abstract_trees_will_do_for_the_check(path):
    checkpoint.check(checkpoint.load(path), *jax.eval_shape(lambda: (PARAMS, STATE)))


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(path, monkeypatch):
    before = path.read_bytes()

    def fail(*args):
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        checkpoint.save(path, {"w": jnp.ones(3)}, {}, model="other")
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == [checkpoint.NAME]


def test_text_is_written_whole_and_replaced(tmp_path):
    for text in ("first", "second, φ"):
        assert train.write(tmp_path / "new" / "note.txt", text).read_text(encoding="utf-8") == text
    assert os.listdir(tmp_path / "new") == ["note.txt"]

"""Weights in files: whole, in shards, cut short, foreign and malicious."""

import json
import pickle
import struct
import zipfile

import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest
from safetensors.numpy import save_file
from weights.samples import NAMES, load, same

from jaxnets import weights
from jaxnets.weights import file


def read(path, **options):
    return weights.load(path, "resnet18", **{**NAMES, **options})


@pytest.fixture
def path(tensors, tmp_path):
    save_file(tensors, tmp_path / "model.safetensors")
    return tmp_path / "model.safetensors"


def test_load_and_save(path, tensors, tmp_path):
    params, state = read(path)
    same((params, state), load(tensors))
    copy = weights.save(tmp_path / "new" / "copy.safetensors", "resnet18", params, state, source="torchvision")
    same(read(copy), (params, state))
    with file.tensors(copy) as mapping:
        assert set(mapping) == set(tensors)
    assert [p.name for p in copy.parent.iterdir()] == ["copy.safetensors"]


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16, np.float64])
def test_other_floats_become_float32(tensors, tmp_path, dtype):
    other = {name: tensor.astype(dtype) for name, tensor in tensors.items()}
    save_file(other, tmp_path / "m.safetensors")
    params, _ = read(tmp_path / "m.safetensors")
    assert params["stem"]["conv"]["w"].dtype == jnp.float32
    np.testing.assert_array_equal(params["stem"]["norm"]["scale"], other["bn1.weight"].astype(np.float32))


def test_shards(tensors, tmp_path):
    names = sorted(tensors)
    parts = {"a.safetensors": names[:9], "b.safetensors": names[9:]}
    for name, part in parts.items():
        save_file({each: tensors[each] for each in part}, tmp_path / name)
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {each: name for name, part in parts.items() for each in part}}))
    same(read(index), load(tensors))
    (tmp_path / "b.safetensors").unlink()
    with pytest.raises(FileNotFoundError, match=r"b\.safetensors"):
        read(index)


@pytest.mark.parametrize(
    ("content", "match"),
    [
        ('{"weight_map": {"w": "../secret.safetensors"}}', "is no file beside it"),
        ('{"weight_map": {"w": 3}}', "is no file beside it"),
        ('{"weight_map": ["w"]}', "no usable 'weight_map'"),
        ('{"weight', "no usable 'weight_map'"),
    ],
)
def test_bad_index(tmp_path, content, match):
    (tmp_path / "i.json").write_text(content)
    with pytest.raises(ValueError, match=match):
        read(tmp_path / "i.json")


def header(about, data=b""):
    text = about if isinstance(about, bytes) else json.dumps(about).encode()
    return struct.pack("<Q", len(text)) + text + data


def entry(begin, end, shape=(1,)):
    return {"dtype": "F32", "shape": list(shape), "data_offsets": [begin, end]}


MALICIOUS = {
    "empty": b"",
    "half a length": b"\x10\x00\x00",
    "a header of an exabyte": struct.pack("<Q", 1 << 60) + b"{}",
    "a header longer than the file": struct.pack("<Q", 1000) + b'{"w": {}}',
    "no JSON": header(b'{"w": '),
    "no UTF-8": header(b'{"\xff": 1}'),
    "offsets beyond the end": header({"w": entry(0, 4)}, b""),
    "offsets backwards": header({"w": entry(4, 0)}, b"1234"),
    "offsets that overlap": header({"v": entry(0, 4), "w": entry(2, 6)}, b"123456"),
    "a hole between tensors": header({"v": entry(0, 4), "w": entry(8, 12)}, b"x" * 12),
    "bytes left over": header({"w": entry(0, 4)}, b"x" * 99),
    "a shape that overflows": header({"w": entry(0, 4, (2**62, 8))}, b"1234"),
    "a shape of more than the bytes": header({"w": entry(0, 4, (5,))}, b"1234"),
    "an unknown dtype": header({"w": entry(0, 4) | {"dtype": "F31"}}, b"1234"),
}


@pytest.mark.parametrize("name", MALICIOUS)
def test_malicious(tmp_path, name):
    (tmp_path / "m.safetensors").write_bytes(MALICIOUS[name])
    with pytest.raises(ValueError, match=r"m\.safetensors is cut short, damaged, or no safetensors file"):
        read(tmp_path / "m.safetensors")


def test_cut_short_anywhere(path):
    whole = path.read_bytes()
    for length in (1, 7, 8, 9, 500, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(ValueError, match="cut short"):
            read(path)


def test_foreign(tmp_path):
    path = tmp_path / "m.safetensors"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", "x")
    with pytest.raises(ValueError, match=r"a zip archive, as torch.save writes; convert it with"):
        read(path)
    for content, what in [
        (pickle.dumps({"w": 1}), "a Python pickle"),
        (b'{"w": 1, "v": 2, "u": 3, "t": 4}', "JSON"),
        (b"<!DOCTYPE html><html></html>", "a page of HTML"),
        (b"version https://git-lfs.github.com/spec/v1\n", "a Git LFS pointer"),
        (b"\x89HDF\r\n\x1a\n", "an HDF5 file"),
    ]:
        path.write_bytes(content)
        with pytest.raises(ValueError, match=what):
            read(path)


def test_a_dtype_numpy_has_not(tmp_path):
    path = tmp_path / "m.safetensors"
    path.write_bytes(header({"conv1.weight": {"dtype": "F8_E4M3", "shape": [1], "data_offsets": [0, 1]}}, b"1"))
    with pytest.raises(ValueError, match=r"tensor 'conv1.weight' cannot"):
        read(path)


def test_no_file(tmp_path):
    for name in ("m.safetensors", "m.index.json"):
        with pytest.raises(FileNotFoundError, match=name):
            read(tmp_path / name)


def test_a_short_header_may_look_foreign(tensors, tmp_path):
    """Eight bytes of length can begin with any character: 0x3c is "<", 0x7b a brace, 0x80 a pickle's."""
    for size in (0x80, 0x23C, 0x27B):
        text = json.dumps({"w": entry(0, 4)}).encode()
        (tmp_path / "m.safetensors").write_bytes(struct.pack("<Q", size) + text.ljust(size) + b"1234")
        with pytest.raises(weights.Mismatch, match="1 unexpected: w"):
            read(tmp_path / "m.safetensors")

"""IDX, CIFAR and Adult: what was written is read, and what is damaged is named."""

import gzip
import os
import pickle
import struct

import numpy as np
import pytest

from jaxnets import data
from jaxnets.data.formats import safe_pickle
from jaxnets.data.formats.adult import VOCABULARY

RNG = np.random.default_rng(0)


def idx(array, code):
    """The bytes of an IDX file."""
    return bytes([0, 0, code, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


@pytest.mark.parametrize(
    ("code", "dtype"), [(8, ">u1"), (9, ">i1"), (11, ">i2"), (12, ">i4"), (13, ">f4"), (14, ">f8")]
)
@pytest.mark.parametrize("zipped", [False, True])
def test_idx_of_every_type_and_gzipped(tmp_path, code, dtype, zipped):
    array = RNG.integers(0, 100, (2, 3, 4)).astype(dtype)
    content = idx(array, code)
    (tmp_path / "a").write_bytes(gzip.compress(content) if zipped else content)
    got = data.read_idx(tmp_path / "a")
    assert got.dtype == np.dtype(dtype).newbyteorder("=")
    np.testing.assert_array_equal(got, array)
    got += 1  # it may be written to


GOOD = idx(np.zeros((3, 4), np.uint8), 8)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no IDX file"),
        (b"\x89PNG" + GOOD, "no IDX file.*PNG"),
        (b"\0\0\x07\x02" + GOOD[4:], "no IDX file"),
        (GOOD[:9], "9 bytes end within its header of 12"),
        (GOOD[:-1], r"truncated: shape \(3, 4\) of uint8 makes 24 bytes, not 23"),
        (GOOD + b"\0", "too long"),
        (bytes([0, 0, 8, 3]) + b"\xff" * 12, "truncated"),  # sizes that no memory holds
        (gzip.compress(GOOD, mtime=0)[:-9], "gzipped but damaged or truncated"),
        (gzip.compress(GOOD, mtime=0)[:12], "gzipped but damaged or truncated"),
    ],
)
def test_a_damaged_idx_is_named(tmp_path, content, message):
    (tmp_path / "a.idx").write_bytes(content)
    with pytest.raises(ValueError, match=rf"a\.idx is .*{message}|a\.idx is {message}"):
        data.read_idx(tmp_path / "a.idx")


def test_mnist(tmp_path):
    images, labels = RNG.integers(0, 256, (5, 28, 28)).astype(np.uint8), np.array([5, 0, 4, 1, 9], np.uint8)
    (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(images, 8)))
    (tmp_path / "train-labels.idx1-ubyte").write_bytes(idx(labels, 8))
    source = data.mnist(tmp_path)
    assert len(source) == 5
    np.testing.assert_array_equal(source[2]["image"], images[2, :, :, None])
    assert (source[2]["label"], source[2]["label"].dtype, source.class_names[4]) == (4, np.int32, "4")
    with pytest.raises(FileNotFoundError, match=r"none of t10k-images-idx3-ubyte, .*\.gz"):
        data.mnist(tmp_path, "test")
    with pytest.raises(ValueError, match="split is 'val'; take one of 'train', 'test'"):
        data.mnist(tmp_path, "val")
    (tmp_path / "train-labels.idx1-ubyte").write_bytes(idx(labels[:4], 8))
    with pytest.raises(ValueError, match="do not belong together"):
        data.mnist(tmp_path)


def batch(n, classes=10):
    """Images (N, 32, 32, 3), their rows as CIFAR lays them, and labels."""
    images = RNG.integers(0, 256, (n, 32, 32, 3)).astype(np.uint8)
    return images, images.transpose(0, 3, 1, 2).reshape(n, -1), RNG.integers(0, classes, n).astype(np.uint8)


def test_cifar_10_binary_and_pickled(tmp_path):
    parts = {f"data_batch_{i}": batch(2) for i in range(1, 6)}
    for form in ("binary", "pickled"):
        folder = tmp_path / form
        folder.mkdir()
        for name, (_, rows, labels) in parts.items():
            if form == "binary":
                (folder / f"{name}.bin").write_bytes(np.concatenate([labels[:, None], rows], 1).tobytes())
                (folder / "batches.meta.txt").write_text("airplane\nautomobile\n\n")
            else:
                content = {b"data": rows, b"labels": labels.tolist(), b"batch_label": b"training batch"}
                (folder / name).write_bytes(pickle.dumps(content, protocol=2))
                (folder / "batches.meta").write_bytes(pickle.dumps({b"label_names": [b"airplane", b"automobile"]}))
        source = data.cifar10(folder)
        assert len(source) == 10
        assert source.class_names == ("airplane", "automobile")
        np.testing.assert_array_equal(source.arrays["image"], np.concatenate([each[0] for each in parts.values()]))
        assert [source[i]["label"] for i in range(10)] == [label for each in parts.values() for label in each[2]]
        with pytest.raises(FileNotFoundError, match=r"neither test_batch\.bin nor test_batch"):
            data.cifar10(folder, "test")


def test_cifar_100_takes_the_fine_label(tmp_path):
    images, rows, labels = batch(3, 100)
    coarse = np.full((3, 1), 7, np.uint8)
    (tmp_path / "train.bin").write_bytes(np.concatenate([coarse, labels[:, None], rows], 1).tobytes())
    content = {b"data": rows, b"fine_labels": labels.tolist(), b"coarse_labels": [7] * 3}
    (tmp_path / "test").write_bytes(pickle.dumps(content))
    for split in ("train", "test"):
        source = data.cifar100(tmp_path, split)
        np.testing.assert_array_equal(source.arrays["image"], images)
        np.testing.assert_array_equal(source.arrays["label"], labels)


def test_a_damaged_cifar_is_named(tmp_path):
    _, rows, labels = batch(2)
    whole = np.concatenate([labels[:, None], rows], 1).tobytes()
    (tmp_path / "test_batch.bin").write_bytes(whole[:-1])
    with pytest.raises(ValueError, match=r"test_batch\.bin is truncated or no CIFAR: 6145 bytes are not rows of 3073"):
        data.cifar10(tmp_path, "test")
    (tmp_path / "test_batch.bin").unlink()
    for content, message in (
        (pickle.dumps({b"data": rows, b"labels": [1, 2]})[:-20], "test_batch cannot be read: it is no pickle, or"),
        (pickle.dumps({b"data": rows, b"labels": [1]}), "no batch of CIFAR"),
        (pickle.dumps([1, 2]), "holds a list, not a dict"),
        (pickle.dumps({b"data": rows, b"labels": os.system}), "asks to call .*system"),
    ):
        (tmp_path / "test_batch").write_bytes(content)
        with pytest.raises(ValueError, match=message):
            data.cifar10(tmp_path, "test")
    with pytest.raises(NotADirectoryError, match="test_batch is a file: give the unpacked folder"):
        data.cifar10(tmp_path / "test_batch")


class Evil:
    """Calls a function when it is unpickled."""

    def __init__(self, function, *args):
        self.reduced = function, args

    def __reduce__(self):
        return self.reduced


ATTACKS = {
    "much memory": Evil(bytes, 2**40),
    "a shell": Evil(os.system, "touch pwned"),
    "eval": Evil(eval, "open('pwned', 'w')"),
    "getattr": Evil(getattr, "", "format"),
    "numpy's loader": Evil(np.load, "pwned"),
    "another codec": Evil(__import__("_codecs").encode, "pwned", "rot13"),
    "objects in an array": np.array([Evil(os.system, "touch pwned")], object),
    "an array of objects": np.array([{}, None], object),
    "records": np.zeros(2, [("a", "i4")]),
    "a set": {1, 2},
    "a function": print,
    "a numpy function": np.frombuffer,
}


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("name", ATTACKS)
def test_an_unsafe_pickle_does_nothing(tmp_path, monkeypatch, name, protocol):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="it "):
        safe_pickle.loads(pickle.dumps({"data": ATTACKS[name]}, protocol=protocol))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_plain_data_passes(protocol):
    arrays = [
        np.arange(6).reshape(2, 3, order=order).astype(dtype) for dtype in ("u1", "<i2", ">f4", "?") for order in "CF"
    ]
    plain = {"a": [*arrays, np.zeros((0, 2)), np.array(3)], "b": (1, 2.5, True, None, "text", b"\xff\0"), "c": {}}
    got = safe_pickle.loads(pickle.dumps(plain, protocol=protocol))
    assert got["b"] == plain["b"]
    for ours, theirs in zip(got["a"], plain["a"], strict=True):
        assert ours.dtype == theirs.dtype
        np.testing.assert_array_equal(ours, theirs)


def test_a_pickle_of_python_2_passes():
    # What Python 2 and its NumPy wrote for {"data": array([[1, 2]], uint8), "labels": [6]}, strings as bytes.
    content = (
        b"\x80\x02}q\x01(U\x04dataq\x02cnumpy.core.multiarray\n_reconstruct\nq\x03cnumpy\nndarray\nq\x04K\x00\x85"
        b"U\x01b\x87Rq\x05(K\x01K\x01K\x02\x86cnumpy\ndtype\nq\x06U\x02u1K\x00K\x01\x87Rq\x07(K\x03U\x01|NNN"
        b"J\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89U\x02\x01\x02tbU\x06labelsq\x08]q\x09K\x06au."
    )
    got = safe_pickle.loads(content)
    assert (got[b"data"].tolist(), got[b"data"].dtype, got[b"labels"]) == ([[1, 2]], np.uint8, [6])


PERSON = "39, State-gov, 77516, Bachelors, 13, Never-married, Adm-clerical, Not-in-family, White, Male, 2174, 0, 40, "


def test_adult_of_both_files(tmp_path):
    (tmp_path / "adult.data").write_text(PERSON + "United-States, <=50K\n" + PERSON + "?, >50K\n\n")
    (tmp_path / "adult.test").write_text("|1x3 Cross validator\n" + PERSON + "Cuba, >50K.\n")
    train, test = data.adult(tmp_path / "adult.data"), data.adult(tmp_path / "adult.test")
    assert (len(train), len(test)) == (2, 1)
    person = test[0]
    assert len(person) == 15
    assert (person["age"], person["capital_gain"], person["label"]) == (39, 2174, 1)
    assert person["age"].dtype == np.float32
    assert VOCABULARY["occupation"][person["occupation"]] == "Adm-clerical"
    assert VOCABULARY["native_country"][person["native_country"]] == "Cuba"
    assert [train[i]["native_country"] for i in range(2)] == [1, 0]
    assert {name: len(words) - 1 for name, words in VOCABULARY.items()} == {
        "workclass": 8,
        "education": 16,
        "marital_status": 7,
        "occupation": 14,  # as adult.names counts them
        "relationship": 6,
        "race": 5,
        "sex": 2,
        "native_country": 41,
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has no lines"),
        (PERSON[:40] + "\n", "line 1 has 6 fields, not 15"),
        (PERSON + "Cuba, <=50K\n" + PERSON + "Atlantis, >50K", "line 2, native_country is 'Atlantis', none of"),
        (PERSON.replace("39", "old") + "Cuba, <=50K", "line 1, age is 'old', not a number"),
        (PERSON.replace("39,", "nan,") + "Cuba, <=50K", "line 1, age is 'nan', not a number"),
        (PERSON + "Cuba, rich", "label is 'rich', none of <=50K, >50K"),
    ],
)
def test_a_wrong_adult_is_named(tmp_path, text, message):
    (tmp_path / "adult.data").write_text(text)
    with pytest.raises(ValueError, match=message):
        data.adult(tmp_path / "adult.data")


def test_arrays_of_unequal_length_are_named():
    with pytest.raises(ValueError, match="'a': 2, 'b': 3"):
        data.Arrays({"a": np.zeros(2), "b": np.zeros(3)})
    with pytest.raises(IndexError):
        data.Arrays({"a": np.zeros(2)})[2]

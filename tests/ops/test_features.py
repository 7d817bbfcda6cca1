"""Hashes, crosses and intervals against their definitions, and that they are the same everywhere and always."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnets import ops, reference

IDS = np.random.default_rng(0).integers(-(2**31), 2**31 - 1, (50, 3)).astype(np.int32)


@pytest.mark.parametrize("dtype", [np.int8, np.uint16, np.int32, np.uint32])
def test_hash_ids(dtype):
    ids = IDS.astype(dtype)
    for buckets, salt in ((1, 0), (1000, 0), (2**31 - 1, 7)):
        got = np.asarray(ops.hash_ids(jnp.asarray(ids), buckets, salt=salt))
        np.testing.assert_array_equal(got, reference.hash_ids(ids, buckets, salt=salt))
        assert got.dtype == np.int32


def test_an_id_hashes_alike_in_64_bits():
    with jax.enable_x64(True):
        wide = ops.hash_ids(jnp.asarray(IDS, jnp.int64), 1000)
        large = ops.hash_ids(jnp.asarray([2**40 + 5, 5]), 1000)
    np.testing.assert_array_equal(wide, ops.hash_ids(jnp.asarray(IDS), 1000))
    np.testing.assert_array_equal(large, reference.hash_ids([2**40 + 5, 5], 1000))


def test_buckets_fill_evenly():
    counts = np.bincount(ops.hash_ids(jnp.arange(10_000), 100), minlength=100)
    assert ((counts - 100) ** 2 / 100).sum() < 150  # chi-squared with 99 degrees of freedom: above in one of 1300


def test_cross_ids():
    crosses = [(0, 1), (1, 0), (0, 1, 2), (2,)]
    got = np.asarray(jax.jit(lambda ids: ops.cross_ids(ids, crosses, 97, salt=3))(IDS))
    np.testing.assert_array_equal(got, reference.cross_ids(IDS, crosses, 97, salt=3))
    assert (got[:, 0] != got[:, 1]).mean() > 0.9  # the order is part of it
    np.testing.assert_array_equal(got[:, 3], ops.hash_ids(IDS[:, 2], 97, salt=3))
    assert ops.cross_ids(IDS, [], 97).shape == (50, 0)


def test_bucketize():
    x, edges = np.array([[-np.inf, 0.5, 1], [1.5, 3, np.nan]], np.float32), [0.5, 1, 3]
    got = ops.bucketize(jnp.asarray(x), edges)
    np.testing.assert_array_equal(got, reference.bucketize(x, edges))
    np.testing.assert_array_equal(ops.bucketize(jnp.arange(4), [1, 3]), [0, 1, 1, 2])


def test_hash_strings_is_written_down():
    """Whatever the process, the machine or the version: a model trained yesterday must read its features today."""
    assert ops.hash_strings(["Bachelors", "Masters", "", "Écoles"], 1000).tolist() == [290, 842, 676, 557]


@pytest.mark.parametrize(
    ("error", "call", "message"),
    [
        (TypeError, lambda: ops.hash_ids(np.ones(2, np.float32), 3), "hash_ids: ids has dtype float32; pass integers"),
        (ValueError, lambda: ops.hash_ids(IDS, 0), "hash_ids: buckets is 0"),
        (ValueError, lambda: ops.hash_ids(IDS, 2**31), "must be below"),
        (ValueError, lambda: ops.hash_ids(IDS, 3, salt=-1), "salt is -1"),
        (ValueError, lambda: ops.cross_ids(IDS, [(0, 3)], 3), r"the cross \(0, 3\) is not of columns of ids \(50, 3\)"),
        (ValueError, lambda: ops.cross_ids(IDS, [()], 3), r"the cross \(\) is not"),
        (ValueError, lambda: ops.bucketize(np.ones(2), [1, 1]), "pass numbers that rise"),
        (TypeError, lambda: ops.hash_strings([b"a"], 3), r"b'a' \(bytes\) is no string"),
    ],
)
def test_bad_arguments(error, call, message):
    with pytest.raises(error, match=message):
        call()

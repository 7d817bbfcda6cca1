"""Features of tables: categories hashed, crossed and cut out of numbers, as integers that a table of weights looks up.

All hashes are 32-bit arithmetic without a seed from the process: the same on every machine, today and tomorrow.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from zlib import crc32

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxnets.ops import check


def _rotated(h: jax.Array, bits: int) -> jax.Array:
    return (h << np.uint32(bits)) | (h >> np.uint32(32 - bits))


def _mixed(h: jax.Array, word: jax.Array) -> jax.Array:
    """One round of MurmurHash3."""
    word = _rotated(word * np.uint32(0xCC9E2D51), 15) * np.uint32(0x1B873593)
    return _rotated(h ^ word, 13) * np.uint32(5) + np.uint32(0xE6546B64)


def _finished(h: jax.Array, words: int) -> jax.Array:
    """Its finish, after which every bit of the words has changed every bit of the hash half of the time."""
    h = h ^ np.uint32(4 * words)
    h = (h ^ (h >> np.uint32(16))) * np.uint32(0x85EBCA6B)
    h = (h ^ (h >> np.uint32(13))) * np.uint32(0xC2B2AE35)
    return h ^ (h >> np.uint32(16))


def _words(ids: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The low and the high half of each id as 64 bits, so that an id hashes alike whatever its dtype."""
    if ids.dtype.itemsize == 8:
        return ids.astype(jnp.uint32), (ids >> jnp.asarray(32, ids.dtype)).astype(jnp.uint32)
    if jnp.issubdtype(ids.dtype, jnp.unsignedinteger):
        return ids.astype(jnp.uint32), jnp.zeros(ids.shape, jnp.uint32)
    wide = ids.astype(jnp.int32)
    return lax.bitcast_convert_type(wide, jnp.uint32), lax.bitcast_convert_type(wide >> 31, jnp.uint32)


def _integers(op: str, ids: jax.Array) -> jax.Array:
    ids = check.array(op, ids, "ids")
    if not jnp.issubdtype(ids.dtype, jnp.integer):
        raise TypeError(f"{op}: ids has dtype {ids.dtype}; pass integers, such as those of hash_strings or bucketize")
    return ids


def _hashed(columns: Sequence[jax.Array], buckets: int, salt: int) -> jax.Array:
    h = jnp.full(columns[0].shape, np.uint32(salt % 2**32))
    for column in columns:
        for word in _words(column):
            h = _mixed(h, word)
    return (_finished(h, 2 * len(columns)) % np.uint32(buckets)).astype(jnp.int32)


def hash_ids(ids: jax.Array, buckets: int, *, salt: int = 0) -> jax.Array:
    """Each id's bucket: a number from 0 to `buckets - 1` that looks random but depends on the id and `salt` alone.

    Shapes: (…) integers of any width, negative ones too → (…) int32. Arguments: `buckets`, 1 to 2³¹ - 1; `salt`, for
    another hash of the same ids. Ids that share a bucket share what is learned of it. Raises `TypeError` for what are
    no integers and `ValueError` for no buckets. Gradient: none. Cost: some twenty integer operations an id.
    Weinberger et al., 2009, https://arxiv.org/abs/0902.2206; the hash is Appleby's MurmurHash3, of the id as 64 bits.

    >>> hash_ids(jnp.array([0, 1, 2, 1]), 1000)
    Array([676, 556, 100, 556], dtype=int32)
    """
    op = "hash_ids"
    ids = _integers(op, ids)
    return _hashed([ids], _buckets(op, buckets), _salt(op, salt))


def cross_ids(ids: jax.Array, crosses: Sequence[Sequence[int]], buckets: int, *, salt: int = 0) -> jax.Array:
    """Crossed features: for each tuple of columns, the bucket of the combination of their ids.

    A table of weights with a row for each bucket can then learn of the pair (occupation, education) what neither
    column says alone. Shapes: (…, S) integers → (…, len(crosses)) int32. Arguments: `crosses`, the columns of each
    cross, their order being part of it; `buckets`, of each; `salt` as in `hash_ids`.
    Raises `ValueError` for a column that is not there and an empty cross, and as `hash_ids` does. Gradient: none. Cost:
    that of `hash_ids` for each column of each cross. Cheng et al., 2016, https://arxiv.org/abs/1606.07792.

    >>> cross_ids(jnp.array([[3, 7, 1], [3, 7, 2], [7, 3, 1]]), [(0, 1)], 100).ravel()
    Array([ 2,  2, 35], dtype=int32)
    """
    op = "cross_ids"
    ids = _integers(op, ids)
    buckets, salt = _buckets(op, buckets), _salt(op, salt)
    columns = ids.shape[-1] if ids.ndim else 0
    for cross in crosses:
        if not len(cross) or any(not 0 <= column < columns for column in cross):
            raise ValueError(f"{op}: the cross {tuple(cross)} is not of columns of ids {ids.shape}: 0 to {columns - 1}")
    if not len(crosses):
        return jnp.zeros((*ids.shape[:-1], 0), jnp.int32)
    return jnp.stack([_hashed([ids[..., column] for column in cross], buckets, salt) for cross in crosses], -1)


def bucketize(x: jax.Array, boundaries: Sequence[float] | np.ndarray) -> jax.Array:
    """Which interval a number lies in: 0 below the first boundary, `len(boundaries)` from the last one on.

    Shapes: (…) → (…) int32. Argument: `boundaries`, rising. NaN lies above all. Raises `ValueError` for boundaries that
    do not rise. Gradient: none. Cost: a binary search for each number.
    Cheng et al., 2016, https://arxiv.org/abs/1606.07792, for ages.

    >>> bucketize(jnp.array([17., 18., 40., 99.]), [18, 25, 65])
    Array([0, 1, 2, 3], dtype=int32)
    """
    op = "bucketize"
    x = check.array(op, x)
    edges = np.asarray(boundaries, np.float64)
    if edges.ndim != 1 or not (edges[1:] > edges[:-1]).all():
        raise ValueError(f"{op}: boundaries is {boundaries!r}; pass numbers that rise, one after the other")
    wide = x if jnp.issubdtype(x.dtype, jnp.floating) else x.astype(jnp.float32)
    return jnp.searchsorted(jnp.asarray(edges, wide.dtype), wide, side="right").astype(jnp.int32)


def hash_strings(strings: Iterable[str], buckets: int, *, salt: int = 0) -> np.ndarray:
    """Each string's bucket, an int32 array made on the host: `hash_ids` of the CRC-32 of its UTF-8 bytes.

    Argument and errors: those of `hash_ids`, and `TypeError` for what is no string. Cost: a table look-up a byte.

    >>> hash_strings(["Bachelors", "Masters"], 1000)
    array([290, 842], dtype=int32)
    """
    op = "hash_strings"
    strings = list(strings)
    for string in strings:
        if not isinstance(string, str):
            raise TypeError(f"{op}: {string!r} ({type(string).__name__}) is no string; pass strings")
    words = np.asarray([crc32(string.encode()) for string in strings], np.uint32)
    return np.asarray(hash_ids(jnp.asarray(words), buckets, salt=salt))


def _buckets(op: str, buckets: int) -> int:
    buckets = check.whole(op, buckets, "buckets")
    if buckets >= 2**31:
        raise ValueError(f"{op}: buckets is {buckets}; it must be below 2**31, as buckets are int32")
    return buckets


def _salt(op: str, salt: int) -> int:
    return check.whole(op, salt, "salt", 0)

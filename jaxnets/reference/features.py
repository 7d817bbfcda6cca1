"""Features of tables: MurmurHash3 in Python's own integers, one id after another."""

import itertools
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from jaxnets.reference.dtypes import Array

MASK = 2**32 - 1


def rotate(h: int, bits: int) -> int:
    """The 32 bits of h moved up, those that leave coming back below.

    >>> hex(rotate(0x80000001, 4))
    '0x18'
    """
    return (h << bits | h >> 32 - bits) & MASK


def murmur(words: Sequence[int], seed: int = 0) -> int:
    """MurmurHash3 (x86, 32 bits) of 32-bit words.

    >>> hex(murmur([0])), hex(murmur([0x87654321], 0x5082EDEE))
    ('0x2362f9de', '0x2362f9de')
    """
    h = seed & MASK
    for word in words:
        k = rotate(word * 0xCC9E2D51 & MASK, 15) * 0x1B873593 & MASK
        h = (rotate(h ^ k, 13) * 5 + 0xE6546B64) & MASK
    h ^= 4 * len(words)
    h = (h ^ h >> 16) * 0x85EBCA6B & MASK
    h = (h ^ h >> 13) * 0xC2B2AE35 & MASK
    return h ^ h >> 16


def bucket(ids: Sequence[int], buckets: int, salt: int) -> int:
    """The bucket of a tuple of ids, each of them two words, the low one first."""
    words = itertools.chain.from_iterable((i & MASK, i >> 32 & MASK) for i in ids)
    return murmur(list(words), salt) % buckets


def hash_ids(ids: ArrayLike, buckets: int, *, salt: int = 0) -> Array:
    """The bucket of each id.

    Shapes: ids (...) -> (...).
    Reference: Weinberger et al. 2009; the hash is Appleby's MurmurHash3.

    >>> hash_ids(np.array([0, 1]), 1000)
    array([676, 556], dtype=int32)
    """
    ids = np.asarray(ids)
    return np.asarray([bucket([int(i)], buckets, salt) for i in ids.ravel()], np.int32).reshape(ids.shape)


def cross_ids(ids: ArrayLike, crosses: Sequence[Sequence[int]], buckets: int, *, salt: int = 0) -> Array:
    """The bucket of each cross: of the ids in its columns, in order.

    Shapes: ids (..., S) -> (..., len(crosses)).
    Reference: Cheng et al. 2016.

    >>> cross_ids(np.array([[3, 7, 1], [7, 3, 1]]), [(0, 1)], 100).ravel()
    array([ 2, 35], dtype=int32)
    """
    ids = np.asarray(ids)
    y = np.zeros((*ids.shape[:-1], len(crosses)), np.int32)
    for row in np.ndindex(*ids.shape[:-1]):
        y[row] = [bucket([int(ids[row][column]) for column in cross], buckets, salt) for cross in crosses]
    return y


def bucketize(x: ArrayLike, boundaries: Sequence[float]) -> Array:
    """How many of the boundaries are at most x.

    Shapes: x (...) -> (...).
    Reference: Cheng et al. 2016.

    >>> bucketize(np.array([17.0, 18.0, 99.0]), [18, 25, 65])
    array([0, 1, 3], dtype=int32)
    """
    x = np.asarray(x)
    return np.asarray([sum(not v < b for b in boundaries) for v in x.ravel()], np.int32).reshape(x.shape)

"""TextCNN: a sentence's best match with each of some hundred short filters.

Kim (2014), Convolutional Neural Networks for Sentence Classification, https://arxiv.org/abs/1408.5882
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax.typing import DTypeLike

from jaxnets.combine import parallel, serial
from jaxnets.core import Layer, Params, Tree, pure
from jaxnets.layers import conv, dense, dropout, embed, global_max_pool
from jaxnets.models import text
from jaxnets.ops import check

EXAMPLE = text.EXAMPLE


def textcnn(
    num_classes: int = 2,
    *,
    vocabulary: int = 18765,
    channels: int = 300,
    sizes: Sequence[int] = (3, 4, 5),
    maps: int = 100,
    rate: float = 0.5,
    dtype: DTypeLike = jnp.float32,
) -> Layer:
    """The classifier: vectors of tokens, filters over windows of them, the largest answer of each, a matrix.

    Shapes: (N, T) token numbers, or a dict of "ids" and "mask", booleans, False for what only fills the batch up →
    (N, num_classes) logits. T is at least the largest of `sizes`.

    Args:
        num_classes: K.
        vocabulary: how many tokens there are; by default as many as the paper's movie reviews have.
        channels: length of a token's vector.
        sizes: the widths of the windows.
        maps: how many filters of each width.
        rate: fraction of the answers dropped in training, which then needs a key.
        dtype: what it computes in, as integers have no such type to follow.

    Masked tokens are zero vectors, as the paper's padding. Raises `ValueError` for texts shorter than a window and
    entries of other names or shapes, `TypeError` for ids that are no integers. Gradient: to all parameters. Cost:
    `channels * maps * sum(sizes)` multiply-adds a token.

    >>> model = textcnn(3, vocabulary=50, channels=8, maps=4)
    >>> params, state = model.init(jax.random.key(0), jnp.zeros((1, 7), jnp.int32))
    >>> list(params), model.apply(params, state, jnp.zeros((1, 7), jnp.int32))[0].shape
    (['words', 'windows', 'classifier'], (1, 3))
    """
    op = "textcnn"
    sizes = [check.whole(op, size, f"sizes[{i}]") for i, size in enumerate(sizes)]
    if not sizes or len(set(sizes)) < len(sizes):
        raise ValueError(f"{op}: sizes is {tuple(sizes)}; pass at least one, each once")
    words = embed(vocabulary, channels, dtype=dtype)

    def ids(x: Tree) -> Any:
        given = text.entries(op, x, ("ids", "mask"))
        if given["ids"].shape[1] < max(sizes):
            raise ValueError(f"{op}: ids has shape {given['ids'].shape}, fewer than {max(sizes)} tokens; pad them")
        return given["ids"]

    def look(params: Params, x: Tree) -> jax.Array:
        vectors, _ = words.apply(params, {}, ids(x))
        mask = x.get("mask") if isinstance(x, Mapping) else None
        if mask is None:
            return vectors  # type: ignore[no-any-return]
        return jnp.where(jnp.asarray(mask)[..., None], vectors, jnp.zeros_like(vectors))

    windows = {
        f"size{n}": serial(conv=conv(maps, n, padding="VALID"), relu=jax.nn.relu, pool=global_max_pool()) for n in sizes
    }
    return serial(
        words=pure(lambda key, x: words.init(key, ids(x))[0], look),
        windows=parallel(lambda *ys: jnp.concatenate(ys, axis=-1), **windows),
        classifier=serial(drop=dropout(rate), logits=dense(num_classes)),
    )

"""BERT: a transformer that reads a text in both directions, trained to fill in words that are hidden.

Devlin, Chang, Lee and Toutanova (2019), BERT, https://arxiv.org/abs/1810.04805
Turc, Chang, Lee and Toutanova (2019), Well-Read Students Learn Better, https://arxiv.org/abs/1908.08962, the small ones
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import jax.numpy as jnp
from jax.typing import DTypeLike

from jaxnets.combine import LayerLike, serial
from jaxnets.core import Layer
from jaxnets.layers import dense, dropout, layer_norm, transformer_block
from jaxnets.layers.sequence import on_tokens
from jaxnets.models import text
from jaxnets.models.mapping import Names, Rule, Shapes
from jaxnets.models.parts import variant
from jaxnets.models.text import NORMAL, embeddings, first_token, over_vocabulary
from jaxnets.ops import check, gelu

EXAMPLE = text.EXAMPLE
norm = partial(layer_norm, eps=1e-12)


def bert(
    num_classes: int | None = 2,
    *,
    depth: int = 12,
    channels: int = 768,
    heads: int = 12,
    ratio: float = 4.0,
    vocabulary: int = 30522,
    length: int = 512,
    types: int = 2,
    rate: float = 0.1,
    dtype: DTypeLike = jnp.float32,
) -> Layer:
    """The encoder with a head: that of a classifier, or, with `num_classes=None`, for each token of the vocabulary.

    Shapes: (N, T) token numbers, or a dict of "ids" and any of "mask", "types" and "positions" (jaxnets/models/text.py
    says what they are) → (N, num_classes) logits, from the first token; without classes (N, T, vocabulary).

    Args:
        num_classes: K, or None for the masked-token head, with which it is pre-trained.
        depth, channels, heads: of the transformer; `ratio * channels` are between the two matrices of each block.
        vocabulary: how many tokens there are; the published ones are 30522 (uncased) and 28996 (cased).
        length: how many positions, the longest text.
        types: how many kinds of sentences.
        rate: fraction of elements and attention weights dropped in training, which then needs a key.
        dtype: what it computes in, as integers have no such type to follow.

    Raises `ValueError` for texts longer than `length`, and entries of other names or shapes, `TypeError` for ids that
    are no integers. Gradient: to all parameters, save k/b (see `attention`). Cost: 85 million multiply-adds a token in
    BERT base, and `2 T channels` a layer.

    >>> import jax
    >>> model = bert(3, depth=2, channels=8, heads=2, vocabulary=50, length=16)
    >>> params, state = model.init(jax.random.key(0), jnp.zeros((1, 5), jnp.int32))
    >>> list(params), list(params["layers"]["0"])
    (['embeddings', 'norm', 'layers', 'classifier'], ['attention', 'norm1', 'mlp', 'norm2'])
    >>> x = {"ids": jnp.zeros((1, 5), jnp.int32), "mask": jnp.array([[True, True, True, False, False]])}
    >>> model.apply(params, state, x)[0].shape
    (1, 3)
    """
    op = "bert"
    depth, channels = check.whole(op, depth, "depth"), check.whole(op, channels, "channels")
    words = embeddings(op, vocabulary, channels, length, types=types, dtype=dtype)
    parts: dict[str, LayerLike] = {
        "embeddings": words,
        "norm": on_tokens(norm()),
        "drop": on_tokens(dropout(rate)),
        "layers": encoder(depth, heads, ratio, rate),
    }
    if num_classes is None:
        head = serial(dense=dense(channels, w_init=NORMAL), gelu=gelu, norm=norm())
        return over_vocabulary(vocabulary, bias=True, **parts, predict=on_tokens(head))
    classifier = serial(
        first=first_token,
        pool=dense(channels, w_init=NORMAL),
        tanh=jnp.tanh,
        drop=dropout(rate),
        logits=dense(num_classes, w_init=NORMAL),
    )
    return serial(**parts, classifier=classifier)


def encoder(depth: int, heads: int, ratio: float, rate: float) -> Layer:
    """The blocks, by number, each with its norms after the sums."""
    block = transformer_block(
        heads, ratio=ratio, act=gelu, norm=norm, norm_first=False, rate=rate, attention_rate=rate, w_init=NORMAL
    )
    return serial(*(block for _ in range(depth)))


bert_tiny = variant(bert, depth=2, channels=128, heads=2)
bert_mini = variant(bert, depth=4, channels=256, heads=4)
bert_small = variant(bert, depth=4, channels=512, heads=8)
bert_medium = variant(bert, depth=8, channels=512, heads=8)
bert_base = variant(bert, depth=12, channels=768, heads=12)
bert_large = variant(bert, depth=24, channels=1024, heads=16)

RULES = (
    Rule("embeddings/words", "bert.embeddings.word_embeddings", "embed"),
    Rule("embeddings/positions", "bert.embeddings.position_embeddings", "embed"),
    Rule("embeddings/types", "bert.embeddings.token_type_embeddings", "embed"),
    Rule("norm", "bert.embeddings.LayerNorm"),
    Rule("layers/{i}/attention/heads/q", "bert.encoder.layer.{i}.attention.self.query"),
    Rule("layers/{i}/attention/heads/k", "bert.encoder.layer.{i}.attention.self.key"),
    Rule("layers/{i}/attention/heads/v", "bert.encoder.layer.{i}.attention.self.value"),
    Rule("layers/{i}/attention/heads/out", "bert.encoder.layer.{i}.attention.output.dense"),
    Rule("layers/{i}/norm1", "bert.encoder.layer.{i}.attention.output.LayerNorm"),
    Rule("layers/{i}/mlp/expand", "bert.encoder.layer.{i}.intermediate.dense"),
    Rule("layers/{i}/mlp/project", "bert.encoder.layer.{i}.output.dense"),
    Rule("layers/{i}/norm2", "bert.encoder.layer.{i}.output.LayerNorm"),
    Rule("", "bert.embeddings.position_ids", "ignore"),
)
CLASSIFIER = (
    Rule("classifier/pool", "bert.pooler.dense"),
    Rule("classifier/logits", "classifier"),
    Rule("", "cls", "ignore"),  # the head of pre-training
)
PREDICTOR = (
    Rule("predict/dense", "cls.predictions.transform.dense"),
    Rule("predict/norm", "cls.predictions.transform.LayerNorm"),
    Rule("logits/b", "cls.predictions.bias", "array"),
    Rule("", "cls.predictions.decoder", "ignore"),  # the words' vectors again
    Rule("", "cls.seq_relationship", "ignore"),
    Rule("", "bert.pooler", "ignore"),
)


def _rules(shapes: Shapes) -> Sequence[Rule]:
    return RULES + (PREDICTOR if "logits/b" in shapes else CLASSIFIER)


SOURCES: Mapping[str, Names] = {"transformers": _rules}

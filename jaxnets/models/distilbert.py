"""DistilBERT: half the blocks of BERT, taught to say what the whole says.

Sanh, Debut, Chaumond and Wolf (2019), DistilBERT, https://arxiv.org/abs/1910.01108
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import jax
import jax.numpy as jnp
from jax.typing import DTypeLike

from jaxnets.combine import LayerLike, serial
from jaxnets.core import Layer
from jaxnets.layers import dense, dropout
from jaxnets.layers.sequence import on_tokens
from jaxnets.models import text
from jaxnets.models.bert import encoder, norm
from jaxnets.models.mapping import Names, Rule, Shapes
from jaxnets.models.parts import variant
from jaxnets.models.text import NORMAL, embeddings, first_token, over_vocabulary
from jaxnets.ops import check, gelu

EXAMPLE = text.EXAMPLE


def distilbert(
    num_classes: int | None = 2,
    *,
    depth: int = 6,
    channels: int = 768,
    heads: int = 12,
    ratio: float = 4.0,
    vocabulary: int = 30522,
    length: int = 512,
    rate: float = 0.1,
    dtype: DTypeLike = jnp.float32,
) -> Layer:
    """The encoder with a head: that of a classifier, or, with `num_classes=None`, for each token of the vocabulary.

    Shapes, arguments, errors and gradient are those of `bert`, which has types of sentences besides. Cost: 42 million
    multiply-adds a token.

    >>> model = distilbert(None, depth=1, channels=8, heads=2, vocabulary=50, length=16)
    >>> params, state = model.init(jax.random.key(0), jnp.zeros((1, 5), jnp.int32))
    >>> list(params), model.apply(params, state, jnp.zeros((1, 5), jnp.int32))[0].shape
    (['embeddings', 'norm', 'layers', 'predict', 'logits'], (1, 5, 50))
    """
    op = "distilbert"
    depth, channels = check.whole(op, depth, "depth"), check.whole(op, channels, "channels")
    parts: dict[str, LayerLike] = {
        "embeddings": embeddings(op, vocabulary, channels, length, dtype=dtype),
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
        relu=jax.nn.relu,
        drop=dropout(rate),
        logits=dense(num_classes, w_init=NORMAL),
    )
    return serial(**parts, classifier=classifier)


distilbert_base = variant(distilbert, depth=6, channels=768, heads=12)

RULES = (
    Rule("embeddings/words", "distilbert.embeddings.word_embeddings", "embed"),
    Rule("embeddings/positions", "distilbert.embeddings.position_embeddings", "embed"),
    Rule("norm", "distilbert.embeddings.LayerNorm"),
    Rule("layers/{i}/attention/heads/{name}", "distilbert.transformer.layer.{i}.attention.{name}_lin"),
    Rule("layers/{i}/norm1", "distilbert.transformer.layer.{i}.sa_layer_norm"),
    Rule("layers/{i}/mlp/expand", "distilbert.transformer.layer.{i}.ffn.lin1"),
    Rule("layers/{i}/mlp/project", "distilbert.transformer.layer.{i}.ffn.lin2"),
    Rule("layers/{i}/norm2", "distilbert.transformer.layer.{i}.output_layer_norm"),
)
CLASSIFIER = (
    Rule("classifier/pool", "pre_classifier"),
    Rule("classifier/logits", "classifier"),
    Rule("", "vocab_transform", "ignore"),  # the head of pre-training
    Rule("", "vocab_layer_norm", "ignore"),
    Rule("", "vocab_projector", "ignore"),
)
PREDICTOR = (
    Rule("predict/dense", "vocab_transform"),
    Rule("predict/norm", "vocab_layer_norm"),
    Rule("logits/b", "vocab_projector.bias", "array"),
    Rule("", "vocab_projector.weight", "ignore"),  # the words' vectors again
)


def _rules(shapes: Shapes) -> Sequence[Rule]:
    return RULES + (PREDICTOR if "logits/b" in shapes else CLASSIFIER)


SOURCES: Mapping[str, Names] = {"transformers": _rules}

"""GPT-2: a transformer that reads from left to right, and says which token comes next.

Radford, Wu, Child, Luan, Amodei and Sutskever (2019), Language Models are Unsupervised Multitask Learners,
https://cdn.openai.com/better-language-models/language_models_are_unsupervised_multitask_learners.pdf
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import jax
import jax.numpy as jnp
from jax.typing import DTypeLike

from jaxnets.combine import LayerLike, serial
from jaxnets.core import Layer
from jaxnets.layers import dense, dropout, layer_norm, transformer_block
from jaxnets.layers.sequence import on_tokens
from jaxnets.models import text
from jaxnets.models.mapping import Names, Rule
from jaxnets.models.parts import variant
from jaxnets.models.text import NORMAL, embeddings, last_token, over_vocabulary
from jaxnets.ops import check

EXAMPLE = text.EXAMPLE


def gpt2(
    num_classes: int | None = None,
    *,
    depth: int = 12,
    channels: int = 768,
    heads: int = 12,
    ratio: float = 4.0,
    vocabulary: int = 50257,
    length: int = 1024,
    rate: float = 0.1,
    dtype: DTypeLike = jnp.float32,
) -> Layer:
    """The decoder: logits for the token after each token; or, with `num_classes`, a classifier of the whole text.

    Shapes: (N, T) token numbers, or a dict of "ids" and any of "mask", "positions" and "cache" (jaxnets/models/text.py
    says what they are) → (N, T, vocabulary) logits, with a cache in a dict; with classes (N, num_classes) logits, from
    the last token that is there. `jaxnets.models.generate` continues a text.

    Args:
        num_classes: None, or K.
        depth, channels, heads: of the transformer; `ratio * channels` are between the two matrices of each block.
        vocabulary: how many tokens there are.
        length: how many positions, the longest text.
        rate: fraction of elements and attention weights dropped in training, which then needs a key.
        dtype: what it computes in, as integers have no such type to follow.

    Raises `ValueError` for texts longer than `length`, and entries of other names or shapes, `TypeError` for ids that
    are no integers. Gradient: to all parameters, save k/b (see `attention`). Cost: 124 million multiply-adds a token in
    GPT-2 small, and `2 T channels` a layer.

    >>> model = gpt2(depth=2, channels=8, heads=2, vocabulary=50, length=16)
    >>> params, state = model.init(jax.random.key(0), jnp.zeros((1, 5), jnp.int32))
    >>> list(params), list(params["layers"]["0"])
    (['embeddings', 'layers', 'norm'], ['attention', 'mlp'])
    >>> model.apply(params, state, jnp.zeros((1, 5), jnp.int32))[0].shape
    (1, 5, 50)
    """
    op = "gpt2"
    depth, channels = check.whole(op, depth, "depth"), check.whole(op, channels, "channels")
    block = transformer_block(
        heads,
        ratio=ratio,
        act=partial(jax.nn.gelu, approximate=True),
        causal=True,
        rate=rate,
        attention_rate=rate,
        w_init=NORMAL,
    )
    parts: dict[str, LayerLike] = {
        "embeddings": embeddings(op, vocabulary, channels, length, dtype=dtype),
        "drop": on_tokens(dropout(rate)),
        "layers": serial(*(block for _ in range(depth))),
        "norm": on_tokens(layer_norm()),
    }
    if num_classes is None:
        return over_vocabulary(vocabulary, bias=False, **parts)
    logits = dense(num_classes, bias=False, w_init=NORMAL)
    return serial(**parts, classifier=serial(last=last_token, logits=logits))


gpt2_medium = variant(gpt2, depth=24, channels=1024, heads=16)
gpt2_large = variant(gpt2, depth=36, channels=1280, heads=20)
gpt2_xl = variant(gpt2, depth=48, channels=1600, heads=25)

RULES = (
    Rule("embeddings/words", "transformer.wte", "embed"),
    Rule("embeddings/positions", "transformer.wpe", "embed"),
    Rule("layers/{i}/attention/norm", "transformer.h.{i}.ln_1"),
    Rule("layers/{i}/attention/heads", "transformer.h.{i}.attn.c_attn", "fused_conv1d:q,k,v"),
    Rule("layers/{i}/attention/heads/out", "transformer.h.{i}.attn.c_proj", "conv1d"),
    Rule("layers/{i}/mlp/norm", "transformer.h.{i}.ln_2"),
    Rule("layers/{i}/mlp/expand", "transformer.h.{i}.mlp.c_fc", "conv1d"),
    Rule("layers/{i}/mlp/project", "transformer.h.{i}.mlp.c_proj", "conv1d"),
    Rule("norm", "transformer.ln_f"),
    Rule("classifier/logits", "score"),
    Rule("", "lm_head", "ignore"),  # the words' vectors again
    Rule("", "transformer.h.{i}.attn.bias", "ignore"),  # what is causal, as a constant
    Rule("", "transformer.h.{i}.attn.masked_bias", "ignore"),
)
SOURCES: Mapping[str, Names] = {"transformers": RULES}

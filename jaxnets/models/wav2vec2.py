"""Wav2Vec2: speech recognition from the waveform, by a transformer that has first learned to fill in masked sound.

Baevski, Zhou, Mohamed and Auli (2020), wav2vec 2.0: A Framework for Self-Supervised Learning of Speech Representations,
https://arxiv.org/abs/2006.11477
"""

from collections.abc import Mapping, Sequence
from math import prod

import jax
import jax.numpy as jnp

from jaxnets.combine import LayerLike, parallel, serial
from jaxnets.core import Layer
from jaxnets.layers import conv, dense, dropout, group_norm, initializers, layer_norm, transformer_block, weight_norm
from jaxnets.models.mapping import Names, Rule, Shapes
from jaxnets.models.parts import identity, variant
from jaxnets.ops import check, gelu

EXAMPLE = jax.ShapeDtypeStruct((1, 16000), jnp.float32)
NORMAL = initializers.normal(0.02)
# channels, size and stride of the convolutions of the waveform: 20 ms a step, each step of 25 ms
FEATURES = ((512, 10, 5), *((512, 3, 2),) * 4, *((512, 2, 2),) * 2)


def wav2vec2(
    num_classes: int = 32,
    *,
    depth: int = 12,
    channels: int = 768,
    heads: int = 12,
    ratio: float = 4.0,
    features: Sequence[tuple[int, int, int]] = FEATURES,
    positions: tuple[int, int] = (128, 16),
    norm_first: bool = False,
    rate: float = 0.1,
) -> Layer:
    """The acoustic model with its CTC head: convolutions of the waveform, a transformer, logits at every step.

    Shapes: `(N, S) → (N, T, num_classes)` logits for `losses.ctc`; S samples, 16000 a second, best of mean 0 and
    variance 1, give T steps, one every 320 samples: 49 a second.

    Args:
        num_classes: the characters and the blank; of the published heads 32, the blank being 0.
        depth, channels, heads: of the transformer; `ratio * channels` are between the two matrices of each block.
        features: channels, size and stride of each convolution of the waveform.
        positions: taps and groups of the convolution whose output says to each step where it stands.
        norm_first: as the models trained on Libri-Light are: every convolution of the waveform has a bias and a layer
            norm, and the blocks norm their input. Otherwise the first has a group norm, the others none, and the blocks
            norm their output.
        rate: fraction of elements and attention weights dropped in training, which then needs a key.

    Raises `ValueError` for an input that is not (N, S), and fewer samples than the first step needs, 400. Gradient: to
    all parameters, save k/b (see `attention`). Cost: 7 billion multiply-adds a second of sound in the base model. The
    vector that stands for masked sound in training before fine-tuning is not here.

    >>> model = wav2vec2(5, depth=1, channels=8, heads=2, features=[(4, 4, 2), (4, 3, 2)], positions=(4, 2))
    >>> params, state = model.init(jax.random.key(0), jnp.zeros((1, 40)))
    >>> list(params), list(params["positions"]["main"]["conv"])
    (['features', 'projection', 'positions', 'norm', 'layers', 'classifier'], ['w', 'b', 'scale'])
    >>> model.apply(params, state, jnp.zeros((2, 40)))[0].shape
    (2, 9, 5)
    """
    op = "wav2vec2"
    depth, channels = check.whole(op, depth, "depth"), check.whole(op, channels, "channels")
    block = transformer_block(
        heads, ratio=ratio, norm_first=norm_first, act=gelu, rate=rate, attention_rate=rate, w_init=NORMAL
    )
    norm: dict[str, LayerLike] = {"norm": layer_norm()}
    return serial(
        wave=_wave(features),
        features=_features(features, norm_first),
        projection=serial(norm=layer_norm(), map=dense(channels, w_init=NORMAL), drop=dropout(rate)),
        positions=_positions(channels, *positions),
        **({} if norm_first else norm),
        drop=dropout(rate),
        layers=serial(*(block for _ in range(depth))),
        **(norm if norm_first else {}),
        classifier=serial(drop=dropout(rate), logits=dense(num_classes, w_init=NORMAL)),
    )


def _wave(features: Sequence[tuple[int, int, int]]) -> LayerLike:
    strides = [stride for _, _, stride in features]
    least = 1 + sum((size - 1) * prod(strides[:i]) for i, (_, size, _) in enumerate(features))

    def wave(x: jax.Array) -> jax.Array:
        if x.ndim != 2 or x.shape[1] < least:
            raise ValueError(f"wav2vec2: x has shape {x.shape}; pass (N, S), at least {least} samples of sound each")
        return x[..., None]

    return wave


def _features(features: Sequence[tuple[int, int, int]], every: bool) -> Layer:
    """The convolutions, every one with a layer norm, or the first with a norm of each channel over time."""
    rows = []
    for i, (channels, size, stride) in enumerate(features):
        parts: dict[str, LayerLike] = {"conv": conv(channels, size, stride, padding="VALID", bias=every)}
        if every:
            parts["norm"] = layer_norm()
        elif i == 0:
            parts["norm"] = group_norm(channels)
        rows.append(serial(**parts, gelu=gelu))
    return serial(*rows)


def _positions(channels: int, size: int, groups: int) -> Layer:
    """A wide convolution of the sequence, added to it. An even window reaches one step further back than ahead."""
    padding = ((size // 2, (size - 1) // 2),)
    window = conv(channels, size, padding=padding, groups=groups, w_init=NORMAL)
    return parallel(jnp.add, skip=identity, main=serial(conv=weight_norm(window, axis=0), gelu=gelu))


wav2vec2_base = variant(wav2vec2, depth=12, channels=768, heads=12)
wav2vec2_large = variant(wav2vec2, depth=24, channels=1024, heads=16)
wav2vec2_large_lv60 = variant(wav2vec2, depth=24, channels=1024, heads=16, norm_first=True)

RULES = (
    Rule("features/{i}/conv", "wav2vec2.feature_extractor.conv_layers.{i}.conv"),
    Rule("features/{i}/norm", "wav2vec2.feature_extractor.conv_layers.{i}.layer_norm"),
    Rule("projection/norm", "wav2vec2.feature_projection.layer_norm"),
    Rule("projection/map", "wav2vec2.feature_projection.projection"),
    Rule("positions/main/conv", "wav2vec2.encoder.pos_conv_embed.conv", "weight_norm"),
    Rule("norm", "wav2vec2.encoder.layer_norm"),
    Rule("layers/{i}/attention/heads/q", "wav2vec2.encoder.layers.{i}.attention.q_proj"),
    Rule("layers/{i}/attention/heads/k", "wav2vec2.encoder.layers.{i}.attention.k_proj"),
    Rule("layers/{i}/attention/heads/v", "wav2vec2.encoder.layers.{i}.attention.v_proj"),
    Rule("layers/{i}/attention/heads/out", "wav2vec2.encoder.layers.{i}.attention.out_proj"),
    Rule("layers/{i}/mlp/expand", "wav2vec2.encoder.layers.{i}.feed_forward.intermediate_dense"),
    Rule("layers/{i}/mlp/project", "wav2vec2.encoder.layers.{i}.feed_forward.output_dense"),
    Rule("classifier/logits", "lm_head"),
    Rule("", "wav2vec2.masked_spec_embed", "ignore"),
)
BEFORE = (
    Rule("layers/{i}/attention/norm", "wav2vec2.encoder.layers.{i}.layer_norm"),
    Rule("layers/{i}/mlp/norm", "wav2vec2.encoder.layers.{i}.final_layer_norm"),
)
AFTER = (
    Rule("layers/{i}/norm1", "wav2vec2.encoder.layers.{i}.layer_norm"),
    Rule("layers/{i}/norm2", "wav2vec2.encoder.layers.{i}.final_layer_norm"),
)


def _rules(shapes: Shapes) -> Sequence[Rule]:
    return RULES + (AFTER if any(path.endswith("norm1/scale") for path in shapes) else BEFORE)


SOURCES: Mapping[str, Names] = {"transformers": _rules}

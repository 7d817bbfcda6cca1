"""The vision transformer: an image is a sequence of patches.

Dosovitskiy, Beyer, Kolesnikov, Weissenborn, Zhai, Unterthiner, Dehghani, Minderer, Heigold, Gelly, Uszkoreit and
Houlsby (2021), An Image is Worth 16×16 Words: Transformers for Image Recognition at Scale,
https://arxiv.org/abs/2010.11929
"""

from collections.abc import Mapping, Sequence
from functools import partial
from math import isqrt
from typing import Any

import jax
import jax.numpy as jnp

from jaxnets import ops
from jaxnets.combine import serial
from jaxnets.core import Layer, Params, pure
from jaxnets.layers import dense, dropout, initializers, layer_norm, learned_positions, patch_embed, transformer_block
from jaxnets.layers.leaves import ZEROS, Example, draw, example, read
from jaxnets.models.mapping import Names, Rule
from jaxnets.models.parts import variant
from jaxnets.ops import check

GLOROT = initializers.variance_scaling(1.0, "fan_avg", "uniform")
SMALL = initializers.normal(0.02)
norm = partial(layer_norm, eps=1e-6)

Size = int | Sequence[int]
"""Height and width, or one number for both."""


def vit(
    num_classes: int = 1000,
    *,
    image_size: Size = 224,
    patch: int = 16,
    channels: int = 768,
    depth: int = 12,
    heads: int = 12,
    rate: float = 0.0,
    path_rate: float = 0.0,
) -> Layer:
    """The classifier: patches, a token for the class before them, positions, blocks, and a matrix after that token.

    Shapes: `(N, *image_size, C) → (N, num_classes)` logits; images of no other size, as there is a learned vector for
    each position (`interpolate_positions` makes those of another size of them).

    Args:
        num_classes: K.
        image_size: pixels, one number or two, multiples of `patch`.
        patch: pixels of a patch in either direction.
        channels: of each token, a multiple of `heads`; 4 times as many inside a block.
        depth: blocks.
        heads: of the attention in each.
        rate: fraction of each block's elements dropped in training, which then needs a key.
        path_rate: fraction of samples that skip the last block in training; it grows linearly from 0 at the first.

    Raises `ValueError` for a size that the patches do not divide, and for an image of another size. Gradient: to all
    parameters, save the biases of the keys, which the softmax takes away. Cost for an image of 224×224: 17.6 billion
    multiply-adds in ViT-B/16, 4.4 in ViT-B/32.

    >>> model = vit(10, image_size=32, channels=8, depth=2, heads=2)
    >>> params, state = model.init(jax.random.key(0), jnp.zeros((1, 32, 32, 3)))
    >>> list(params), list(params["stem"]), params["stem"]["positions"]["w"].shape
    (['stem', 'blocks', 'classifier'], ['patches', 'class', 'positions'], (5, 8))
    >>> list(params["blocks"]["1"]["attention"]), list(params["blocks"]["1"]["mlp"])
    (['norm', 'heads'], ['norm', 'expand', 'project'])
    """
    size = _pair("vit", image_size)
    patch = check.whole("vit", patch, "patch")
    depth = check.whole("vit", depth, "depth")
    rows, columns = _grid("vit", size, (patch, patch))
    stem = {
        "image": _of_size(size),
        "patches": patch_embed(channels, patch),
        "class": _class_token(),
        "positions": learned_positions(1 + rows * columns, w_init=SMALL),
        "dropout": dropout(rate),
    }
    block = partial(transformer_block, heads, norm=norm, rate=rate, w_init=GLOROT)
    blocks = [block(path_rate=path_rate * i / max(1, depth - 1)) for i in range(depth)]
    classifier = serial(token=lambda x: x[:, 0], norm=norm(), logits=dense(num_classes, w_init=SMALL))
    return serial(stem=serial(**stem), blocks=serial(*blocks), classifier=classifier)


def interpolate_positions(params: Params, image_size: Size, *, before: Size | None = None) -> Params:
    """The parameters of a vision transformer for images of another size: its positions' vectors interpolated.

    The grid of vectors is resized by cubic interpolation, corner upon corner, as torchvision resizes it; the token of
    the class keeps its own. All other parameters do not depend on the size, and are the same arrays.

    Args:
        params: those of any model of this file.
        image_size: pixels from now on, one number or two, for the model's own `image_size`.
        before: pixels until now, if they were not as many in height as in width.

    Raises `ValueError` for a size that the patches do not divide, or that the positions do not have.

    >>> model = vit(10, image_size=32, channels=8, depth=1, heads=2)
    >>> params, state = model.init(jax.random.key(0), jnp.zeros((1, 32, 32, 3)))
    >>> params["stem"]["positions"]["w"].shape
    (5, 8)
    >>> interpolate_positions(params, 48)["stem"]["positions"]["w"].shape
    (10, 8)
    """
    op = "interpolate_positions"
    height, width, *_ = params["stem"]["patches"]["w"].shape
    vectors = params["stem"]["positions"]["w"]
    count = vectors.shape[0] - 1
    side = isqrt(count)
    old = (side, side) if before is None else _grid(op, _pair(op, before), (height, width))
    if old[0] * old[1] != count:
        remedy = "pass before=, the size of the images so far" if before is None else "pass the size they were made for"
        raise ValueError(f"{op}: params has {count} positions of patches, no grid of {old[0]}×{old[1]}; {remedy}")
    new = _grid(op, _pair(op, image_size), (height, width))
    grid = ops.resize(vectors[1:].reshape(1, *old, -1), new, "cubic", align_corners=True)
    vectors = jnp.concatenate([vectors[:1], grid.reshape(new[0] * new[1], -1)])
    return {**params, "stem": {**params["stem"], "positions": {"w": vectors}}}


def _pair(op: str, size: Size) -> tuple[int, int]:
    height, width = check.per_axis(op, size, 2, "image_size")
    return height, width


def _grid(op: str, size: tuple[int, int], patch: tuple[int, int]) -> tuple[int, int]:
    """How many patches there are each way."""
    if any(n % p for n, p in zip(size, patch, strict=True)):
        raise ValueError(f"{op}: image_size is {size}, which patches of {patch} do not divide; pass multiples of them")
    return size[0] // patch[0], size[1] // patch[1]


def _of_size(size: tuple[int, int]) -> Any:
    def image(x: jax.Array) -> jax.Array:
        if x.shape[1:-1] != size:
            raise ValueError(
                f"vit: x has shape {x.shape}, but this network has positions for {size[0]}×{size[1]} pixels; resize "
                f"x (jaxnets.ops.resize), or pass image_size= and interpolate_positions of the parameters"
            )
        return x

    return image


def _class_token() -> Layer:
    """A learned token before all others, in which blocks gather what the classifier will read: w (1, D)."""
    op = "class_token"

    def init(key: jax.Array, x: Example) -> Params:
        return draw(op, key, {"w": (1, example(op, x).shape[-1])}, {"w": ZEROS})

    def apply(params: Params, x: jax.Array) -> jax.Array:
        w = read(op, params, ("w",), x.dtype)["w"]
        return jnp.concatenate([jnp.broadcast_to(w[None], (x.shape[0], 1, x.shape[2])), x], axis=1)

    return pure(init, apply)


vit_b_16 = variant(vit, patch=16, channels=768, depth=12, heads=12)
vit_b_32 = variant(vit, patch=32, channels=768, depth=12, heads=12)
vit_l_16 = variant(vit, patch=16, channels=1024, depth=24, heads=16)
vit_l_32 = variant(vit, patch=32, channels=1024, depth=24, heads=16)
vit_h_14 = variant(vit, patch=14, channels=1280, depth=32, heads=16)


def _example(*, image_size: Size = 224, **config: Any) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct((1, *_pair("vit", image_size), 3), jnp.float32)


EXAMPLE = _example
SOURCES: Mapping[str, Names] = {
    "torchvision": (
        Rule("stem/patches", "conv_proj"),
        Rule("stem/class/w", "class_token", "batch_of_one"),
        Rule("stem/positions/w", "encoder.pos_embedding", "batch_of_one"),
        Rule("blocks/{i}/attention/norm", "encoder.layers.encoder_layer_{i}.ln_1"),
        Rule("blocks/{i}/attention/heads", "encoder.layers.encoder_layer_{i}.self_attention", "in_proj:q,k,v"),
        Rule("blocks/{i}/attention/heads/out", "encoder.layers.encoder_layer_{i}.self_attention.out_proj"),
        Rule("blocks/{i}/mlp/norm", "encoder.layers.encoder_layer_{i}.ln_2"),
        Rule("blocks/{i}/mlp/expand", "encoder.layers.encoder_layer_{i}.mlp.0"),
        Rule("blocks/{i}/mlp/project", "encoder.layers.encoder_layer_{i}.mlp.3"),
        Rule("classifier/norm", "encoder.ln"),
        Rule("classifier/logits", "heads.head"),
    ),
    "timm": (
        Rule("stem/patches", "patch_embed.proj"),
        Rule("stem/class/w", "cls_token", "batch_of_one"),
        Rule("stem/positions/w", "pos_embed", "batch_of_one"),
        Rule("blocks/{i}/attention/norm", "blocks.{i}.norm1"),
        Rule("blocks/{i}/attention/heads", "blocks.{i}.attn.qkv", "fused:q,k,v"),
        Rule("blocks/{i}/attention/heads/out", "blocks.{i}.attn.proj"),
        Rule("blocks/{i}/mlp/norm", "blocks.{i}.norm2"),
        Rule("blocks/{i}/mlp/expand", "blocks.{i}.mlp.fc1"),
        Rule("blocks/{i}/mlp/project", "blocks.{i}.mlp.fc2"),
        Rule("classifier/norm", "norm"),
        Rule("classifier/logits", "head"),
    ),
    "transformers": (  # of its files; in memory it has had others since its version 5
        Rule("stem/patches", "vit.embeddings.patch_embeddings.projection"),
        Rule("stem/class/w", "vit.embeddings.cls_token", "batch_of_one"),
        Rule("stem/positions/w", "vit.embeddings.position_embeddings", "batch_of_one"),
        Rule("blocks/{i}/attention/norm", "vit.encoder.layer.{i}.layernorm_before"),
        Rule("blocks/{i}/attention/heads/q", "vit.encoder.layer.{i}.attention.attention.query"),
        Rule("blocks/{i}/attention/heads/k", "vit.encoder.layer.{i}.attention.attention.key"),
        Rule("blocks/{i}/attention/heads/v", "vit.encoder.layer.{i}.attention.attention.value"),
        Rule("blocks/{i}/attention/heads/out", "vit.encoder.layer.{i}.attention.output.dense"),
        Rule("blocks/{i}/mlp/norm", "vit.encoder.layer.{i}.layernorm_after"),
        Rule("blocks/{i}/mlp/expand", "vit.encoder.layer.{i}.intermediate.dense"),
        Rule("blocks/{i}/mlp/project", "vit.encoder.layer.{i}.output.dense"),
        Rule("classifier/norm", "vit.layernorm"),
        Rule("classifier/logits", "classifier"),
    ),
}

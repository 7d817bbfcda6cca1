"""Wav2Vec2 of transformers, built from configurations: logits, and the gradient in every parameter."""

import numpy as np
import pytest
from parity import oracles

from jaxnets import weights

torch = oracles.torch
pytestmark = pytest.mark.parity

SMALL = {
    "hidden_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 3,
    "intermediate_size": 96,
    "conv_dim": (8, 12, 8),
    "conv_kernel": (10, 3, 2),
    "conv_stride": (5, 2, 2),
    "num_feat_extract_layers": 3,
    "num_conv_pos_embeddings": 8,
    "num_conv_pos_embedding_groups": 4,
    "vocab_size": 7,
}
OURS = {"depth": 2, "channels": 24, "heads": 3, "features": [(8, 10, 5), (12, 3, 2), (8, 2, 2)], "positions": (8, 4)}
LARGE = {"hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16, "intermediate_size": 4096}
NORM_FIRST = {"feat_extract_norm": "layer", "do_stable_layer_norm": True, "conv_bias": True}
PUBLISHED = {"wav2vec2_base": {}, "wav2vec2_large": LARGE, "wav2vec2_large_lv60": LARGE | NORM_FIRST}


def theirs(**config):
    oracles.torchvision()  # which transformers imports, if it is there
    library = oracles.transformers()
    return oracles.randomise(library.Wav2Vec2ForCTC(library.Wav2Vec2Config(**config)))


def compare(name, net, samples, **options):
    x = np.random.default_rng(0).standard_normal((2, samples), np.float32)
    return oracles.compare(
        name, "transformers", net, x, inputs=torch.from_numpy, outputs=lambda y: y.logits, rate=0.0, **options
    )


@pytest.mark.parametrize("norm_first", [False, True])
def test_small_with_gradient(norm_first):
    net = theirs(**SMALL, **(NORM_FIRST if norm_first else {}))
    compare("wav2vec2_base", net, 203, gradient=True, num_classes=7, norm_first=norm_first, **OURS)


@pytest.mark.parametrize("name", oracles.some(PUBLISHED))
def test_published(name):
    compare(name, theirs(**PUBLISHED[name]), 1000)


def test_the_old_names_of_a_weight_norm():
    """Files on hubs are older than PyTorch 2."""
    tensors = oracles.arrays(theirs(**SMALL).state_dict())
    at = "wav2vec2.encoder.pos_conv_embed.conv."
    old = dict(tensors)
    for i, letter in enumerate("gv"):
        old[f"{at}weight_{letter}"] = old.pop(f"{at}parametrizations.weight.original{i}")
    options = {"source": "transformers", "num_classes": 7, **OURS}
    new_params, _ = weights.from_state_dict("wav2vec2_base", tensors, **options)
    old_params, _ = weights.from_state_dict("wav2vec2_base", old, **options)
    for leaf in ("w", "scale"):
        conv = old_params["positions"]["main"]["conv"][leaf]
        np.testing.assert_array_equal(conv, new_params["positions"]["main"]["conv"][leaf])

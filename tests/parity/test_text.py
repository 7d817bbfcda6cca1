"""BERT, DistilBERT and GPT-2 of transformers, built from configurations: logits, gradients, and generated text."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from parity import oracles

from jaxnets import models, weights

torch = oracles.torch
pytestmark = pytest.mark.parity

OURS = {"depth": 2, "channels": 24, "heads": 3, "vocabulary": 40, "length": 12}
SMALL = {
    "bert": {
        "num_hidden_layers": 2,
        "hidden_size": 24,
        "num_attention_heads": 3,
        "intermediate_size": 96,
        "vocab_size": 40,
        "max_position_embeddings": 12,
    },
    "distilbert": {
        "n_layers": 2,
        "dim": 24,
        "n_heads": 3,
        "hidden_dim": 96,
        "vocab_size": 40,
        "max_position_embeddings": 12,
    },
    "gpt2": {"n_layer": 2, "n_embd": 24, "n_head": 3, "vocab_size": 40, "n_positions": 12},
}
PUBLISHED = {
    "bert_tiny": ("bert", (2, 128, 2)),
    "bert_mini": ("bert", (4, 256, 4)),
    "bert_small": ("bert", (4, 512, 8)),
    "bert_medium": ("bert", (8, 512, 8)),
    "bert_base": ("bert", (12, 768, 12)),
    "bert_large": ("bert", (24, 1024, 16)),
    "distilbert_base": ("distilbert", (6, 768, 12)),
    "gpt2": ("gpt2", (12, 768, 12)),
    "gpt2_medium": ("gpt2", (24, 1024, 16)),
    "gpt2_large": ("gpt2", (36, 1280, 20)),
    "gpt2_xl": ("gpt2", (48, 1600, 25)),
}
HEADS = {
    "bert": {None: "BertForMaskedLM", 5: "BertForSequenceClassification"},
    "distilbert": {None: "DistilBertForMaskedLM", 5: "DistilBertForSequenceClassification"},
    "gpt2": {None: "GPT2LMHeadModel", 5: "GPT2ForSequenceClassification"},
}
CONFIGS = {"bert": "BertConfig", "distilbert": "DistilBertConfig", "gpt2": "GPT2Config"}


def theirs(family, num_classes, **config):
    oracles.torchvision()  # whose import transformers would stumble over
    library = oracles.transformers()
    library.logging.set_verbosity_error()
    made = getattr(library, CONFIGS[family])(num_labels=num_classes or 2, **config)
    if family == "gpt2":
        made.pad_token_id, made.eos_token_id, made.bos_token_id = 39, None, None
    return oracles.randomise(getattr(library, HEADS[family][num_classes])(made))


def text(family, n=3, t=9, vocabulary=39, seed=0):
    """Token numbers, fewer in each text than in the one before, and what fills them up.

    None is 0, whose vector has no gradient in theirs.
    """
    draw = np.random.default_rng(seed)
    mask = np.arange(t)[None] < t - 2 * np.arange(n)[:, None]
    x = {"ids": np.where(mask, draw.integers(1, vocabulary, (n, t)), vocabulary).astype(np.int32), "mask": mask}
    if family == "bert":
        x["types"] = draw.integers(0, 2, (n, t)).astype(np.int32)
    return x


def inputs(x):
    names = {"ids": "input_ids", "types": "token_type_ids", "mask": "attention_mask"}
    return {names[name]: torch.from_numpy(a.astype(np.int64)) for name, a in x.items()}


def compare(name, module, x, **options):
    return oracles.compare(name, "transformers", module, x, inputs=inputs, run=lambda m, x: m(**x).logits, **options)


@pytest.mark.parametrize("num_classes", [None, 5])
@pytest.mark.parametrize("name", ["bert_base", "distilbert_base", "gpt2"])
def test_small(name, num_classes):
    family, _ = PUBLISHED[name]
    module = theirs(family, num_classes, **SMALL[family])
    compare(name, module, text(family), gradient=True, zero="*/k/b", num_classes=num_classes, **OURS)


@pytest.mark.slow
@pytest.mark.parametrize("name", PUBLISHED)
def test_published_sizes(name):
    """The two largest at their full width, but no more than four of their blocks, for the sake of memory."""
    family, (depth, channels, heads) = PUBLISHED[name]
    depth = 4 if name in ("gpt2_large", "gpt2_xl") else depth
    keys = [key for key in SMALL[family] if not key.startswith(("vocab", "max_pos", "n_pos"))]
    config = dict(zip(keys, (depth, channels, heads, 4 * channels), strict=False))
    num_classes = None if family == "gpt2" else 5
    module = theirs(family, num_classes, **config)
    if family == "gpt2":
        module.config.pad_token_id = 50256
    compare(name, module, text(family, n=2, t=6, vocabulary=30521), num_classes=num_classes, depth=depth)


def test_continued_greedily():
    """Prompts of two lengths, the shorter one filled up in front, as theirs wants them."""
    module = theirs("gpt2", None, **SMALL["gpt2"])
    ids = np.array([[39, 39, 5, 7], [3, 1, 4, 1]], np.int32)
    mask = ids != 39
    params, state = weights.from_state_dict("gpt2", oracles.arrays(module.state_dict()), source="transformers", **OURS)
    model = models.gpt2(**OURS)
    found = jax.jit(lambda p, ids, mask: models.generate(model, p, state, ids, 8, mask=mask))(
        params, ids, jnp.asarray(mask)
    )
    wanted = module.generate(
        torch.from_numpy(ids).long(),
        attention_mask=torch.from_numpy(mask).long(),
        max_new_tokens=8,
        do_sample=False,
        pad_token_id=39,
    )
    np.testing.assert_array_equal(found, wanted.numpy())
    assert len(set(found[1].tolist())) > 4

"""Text as numbers: bytes as they are, or byte-pair encoding by Hugging Face's tokenizers."""

import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jaxnets.data.sources import existing_file
from jaxnets.extras import require


class Tokenizer(NamedTuple):
    """Text to numbers and back.

    Attributes:
        encode: `encode(text)` gives the tokens, int32 `(T,)`.
        decode: `decode(tokens)` gives the text.
        size: how many tokens there are, from 0.
    """

    encode: Callable[[str], np.ndarray]
    decode: Callable[[Sequence[int] | np.ndarray], str]
    size: int


def byte_tokenizer() -> Tokenizer:
    """A token for each byte of UTF-8, 256 of them: any text, nothing to learn, nothing to install.

    What is cut within a character decodes to the replacement character.

    >>> tokenizer = byte_tokenizer()
    >>> tokenizer.encode("é!").tolist(), tokenizer.decode([195, 169, 33]), tokenizer.size
    ([195, 169, 33], 'é!', 256)
    """
    return Tokenizer(_encode_bytes, _decode_bytes, 256)


def load_tokenizer(path: str | os.PathLike[str]) -> Tokenizer:
    """A tokenizer from its tokenizer.json, as Hugging Face's models carry one and `train_tokenizer` writes it.

    Special tokens are neither added nor taken out: text comes back as it was, where the tokenizer keeps it.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no tokenizer.json, or truncated.
        MissingExtra: tokenizers is not installed.
    """
    file = existing_file(path, "a tokenizer.json")
    tokenizers = require("tokenizers", extra="text")
    try:
        loaded = tokenizers.Tokenizer.from_file(str(file))
    except Exception as error:  # the library raises no narrower one
        raise ValueError(f"{file} is no tokenizer.json, or truncated: {error}") from error
    return _wrapped(loaded)


def train_tokenizer(texts: Iterable[str], size: int, path: str | os.PathLike[str] | None = None) -> Tokenizer:
    """Learn a byte-pair encoding: the 256 bytes, and the pairs that are most frequent, joined, again and again.

    Any text can be encoded and comes back exactly, whatever it was learned from.

    Args:
        texts: to learn from.
        size: tokens, at least 256; fewer are made where no pair occurs twice.
        path: where to write tokenizer.json, if it is to be kept.

    Raises:
        ValueError: a size below 256.
        MissingExtra: tokenizers is not installed.

    Reference: Sennrich et al. (2016), https://arxiv.org/abs/1508.07909; on bytes, Radford et al. (2019), Language
    Models are Unsupervised Multitask Learners.

    >>> tokenizer = train_tokenizer(["low lower lowest"] * 9, 260)
    >>> len(tokenizer.encode("low lower")), tokenizer.decode(tokenizer.encode("slow ☃"))
    (3, 'slow ☃')
    """
    if size < 256:
        raise ValueError(f"train_tokenizer: size is {size}; take at least 256, one token for each byte")
    tokenizers = require("tokenizers", extra="text")
    learner = tokenizers.Tokenizer(tokenizers.models.BPE())
    learner.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    learner.decoder = tokenizers.decoders.ByteLevel()
    alphabet = tokenizers.pre_tokenizers.ByteLevel.alphabet()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=size, initial_alphabet=alphabet, min_frequency=2, show_progress=False
    )
    learner.train_from_iterator(texts, trainer)
    if path is not None:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        learner.save(str(path))
    return _wrapped(learner)


def _wrapped(tokenizer: Any) -> Tokenizer:
    def encode(text: str) -> np.ndarray:
        return np.array(tokenizer.encode(text, add_special_tokens=False).ids, np.int32)

    def decode(tokens: Sequence[int] | np.ndarray) -> str:
        return str(tokenizer.decode(np.asarray(tokens).tolist(), skip_special_tokens=False))

    return Tokenizer(encode, decode, tokenizer.get_vocab_size())


def _encode_bytes(text: str) -> np.ndarray:
    return np.frombuffer(text.encode("utf-8"), np.uint8).astype(np.int32)


def _decode_bytes(tokens: Sequence[int] | np.ndarray) -> str:
    tokens = np.asarray(tokens)
    if tokens.size and not (tokens.min() >= 0 and tokens.max() < 256):
        raise ValueError(f"decode: a byte is from 0 to 255, not {tokens.min()} to {tokens.max()}")
    return tokens.astype(np.uint8).tobytes().decode("utf-8", errors="replace")

"""Any text comes back from its tokens, and a tokenizer from its file."""

import pickle
import sys

import numpy as np
import pytest

from jaxnets import data, extras

TEXTS = ["the quick brown fox", "Zwölf Boxkämpfer", "  spaces\n\nand\ttabs ", "☃ 你好 🎉", ""]


def test_bytes():
    tokenizer = data.byte_tokenizer()
    for text in TEXTS:
        tokens = tokenizer.encode(text)
        assert tokens.dtype == np.int32
        assert tokenizer.decode(tokens) == text
    assert tokenizer.decode(tokenizer.encode("é")[:1]) == "�"
    assert pickle.loads(pickle.dumps(tokenizer)).encode("a").tolist() == [97]
    with pytest.raises(ValueError, match="from 0 to 255, not 3 to 256"):
        tokenizer.decode([3, 256])


def test_a_learned_tokenizer_is_lossless_shorter_and_kept(tmp_path):
    pytest.importorskip("tokenizers")
    tokenizer = data.train_tokenizer(TEXTS[:1] * 20, 290, tmp_path / "made" / "tokenizer.json")
    again = data.load_tokenizer(tmp_path / "made" / "tokenizer.json")
    assert tokenizer.size == again.size <= 290
    assert len(tokenizer.encode(TEXTS[0])) < len(TEXTS[0]) / 2
    for text in TEXTS:
        tokens = tokenizer.encode(text)
        assert tokens.dtype == np.int32
        assert tokenizer.decode(tokens) == text
        np.testing.assert_array_equal(again.encode(text), tokens)


def test_what_is_wrong_is_named(tmp_path, monkeypatch):
    pytest.importorskip("tokenizers")
    (tmp_path / "cut.json").write_text('{"version": "1.0", "mod')
    with pytest.raises(ValueError, match=r"cut\.json is no tokenizer\.json, or truncated"):
        data.load_tokenizer(tmp_path / "cut.json")
    with pytest.raises(FileNotFoundError, match=r"give a tokenizer\.json"):
        data.load_tokenizer(tmp_path / "nowhere.json")
    with pytest.raises(ValueError, match="size is 255; take at least 256"):
        data.train_tokenizer(TEXTS, 255)
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(extras.MissingExtra, match=r'pip install "jaxnets\[text\]"'):
        data.train_tokenizer(TEXTS, 300)

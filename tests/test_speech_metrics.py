"""Word and character error rates against jiwer's."""

import numpy as np
import pytest

from jaxnets import metrics

jiwer = pytest.importorskip("jiwer", reason="jiwer is not installed: pip install 'jaxnets[test]'")
WORDS = ["one", "two", "three", "won", "to"]


def texts(seed, samples=20):
    draw = np.random.default_rng(seed)
    return [" ".join(draw.choice(WORDS, draw.integers(1, 7))) for _ in range(samples)]


@pytest.mark.parametrize("seed", range(3))
def test_rates_are_jiwers(seed):
    truth, said = texts(seed), texts(seed + 10)
    said[0] = ""
    assert metrics.word_error_rate(truth, said) == pytest.approx(jiwer.wer(truth, said))
    assert metrics.character_error_rate(truth, said) == pytest.approx(jiwer.cer(truth, said))
    assert metrics.word_error_rate(truth[1], said[1]) == pytest.approx(jiwer.wer(truth[1], said[1]))


def test_spaces_do_not_count_around_words():
    assert metrics.word_error_rate(" one  two ", "one two") == jiwer.wer(" one  two ", "one two") == 0


@pytest.mark.parametrize(
    ("truth", "said", "error", "message"),
    [
        (["a", "b"], ["a"], ValueError, "2 texts are true, but 1 were said"),
        (["a", 3], ["a", "b"], TypeError, r"3 \(int\) is no text"),
        (["", " "], ["a", "b"], ValueError, "nothing true"),
    ],
)
def test_bad_arguments(truth, said, error, message):
    with pytest.raises(error, match=message):
        metrics.word_error_rate(truth, said)

"""Speech from eSpeak NG: the same again, the voices apart, and errors that say what to do."""

import threading

import numpy as np
import pytest

from jaxnets import data, extras
from jaxnets.data import spoken
from jaxnets.data.espeak import Sentence, Spoken

pytest.importorskip("espeakng_loader", reason="espeakng-loader has no wheel for this platform")


def test_the_same_list_is_the_same_sound_in_any_thread():
    sentences = [Sentence("seven"), Sentence("nine hundred and four", "en-029+whisper", 240, 80)]
    runs = []
    threads = [threading.Thread(target=lambda: runs.append(data.speak(sentences, seed=3))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for one, again in zip(*runs, strict=True):
        np.testing.assert_array_equal(one.samples, again.samples)
        np.testing.assert_array_equal(one.starts, again.starts)
    short, long = runs[0]
    assert short.samples.dtype == np.float32
    assert 0.05 < abs(long.samples).max() <= 1
    assert (len(short.starts), len(long.starts)) == (1, 4)
    assert (np.diff(long.starts) > 0).all()
    assert long.starts[-1] < len(long.samples)


def test_fast_is_short_and_voices_differ():
    slow, fast, high = data.speak(
        [Sentence("one two", speed=100), Sentence("one two", speed=300), Sentence("one", "en+f1")]
    )
    assert len(slow.samples) > 2 * len(fast.samples)
    low = data.speak([Sentence("one", "en+m1")])[0]

    def centroid(sound: Spoken) -> float:  # hertz
        power = np.abs(np.fft.rfft(sound.samples)) ** 2
        return float((power * np.fft.rfftfreq(len(sound.samples), 1 / sound.rate)).sum() / power.sum())

    assert centroid(high) > 1.1 * centroid(low)


def test_nothing_to_say():
    assert data.speak([]) == []
    assert len(data.speak([Sentence("")])[0].starts) == 0


@pytest.mark.parametrize(
    ("sentence", "message"),
    [
        (Sentence("one", "xx"), "no voice 'xx'"),
        (Sentence("one", "en-us+nobody"), r"no variant 'nobody'.*espeak_variants"),
        (Sentence("one", speed=20), "speed is from 80 to 450"),
        (Sentence("one", pitch=100), "pitch from 0 to 99"),
    ],
)
def test_bad_sentences(sentence, message):
    with pytest.raises(ValueError, match=message):
        data.speak([sentence])


def test_without_the_package(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "espeakng_loader", None)
    with pytest.raises(extras.MissingExtra, match=r'pip install "jaxnets\[speech\]"'):
        data.speak([Sentence("one")])


def test_voices_and_numbers_of_a_split_are_its_own():
    splits = {split: data.spoken_numbers(split, 150, seed=1) for split in spoken.PARTS}
    families = {k: {row["voice"].split("+")[1].rstrip("0123456789") for row in v} for k, v in splits.items()}
    large = {k: {row["text"] for row in v if "hundred" in row["text"]} for k, v in splits.items()}
    for a, b in [("train", "validation"), ("train", "test"), ("validation", "test")]:
        assert not families[a] & families[b]
        assert not large[a] & large[b]
    assert all("hundred" in row["text"] for row in splits["test"])
    assert any("hundred" not in row["text"] for row in splits["train"])
    for row in splits["test"]:
        assert len(row["starts"]) == len(row["text"].split())
        assert 0 <= row["starts"][0] < row["starts"][-1] + 1e-9 < len(row["audio"]) / row["rate"]


def test_numbers_below_ten_are_in_every_split():
    test = data.spoken_numbers("test", 60, below=10)
    assert {row["text"] for row in test} == set(spoken.ONES[:10])
    again, other = (data.spoken_numbers("test", 5, below=10, seed=seed) for seed in (0, 1))
    np.testing.assert_array_equal(again[3]["audio"], data.spoken_numbers("test", 5, below=10)[3]["audio"])
    assert [row["voice"] for row in again] != [row["voice"] for row in other]


def test_digit_by_digit():
    rows = data.spoken_numbers("validation", 40, digits=True)
    assert {len(row["text"].split()) for row in rows} == {3}
    assert {word for row in rows for word in row["text"].split()} == set(spoken.ONES[:10])


def test_every_number_is_spelled_once():
    assert len({spoken.spell(n) for n in range(1000)}) == 1000


@pytest.mark.parametrize("options", [{"split": "dev"}, {"count": -1}, {"below": 0}, {"below": 1001}])
def test_bad_corpora(options):
    with pytest.raises(ValueError, match="spoken_numbers"):
        data.spoken_numbers(**options)

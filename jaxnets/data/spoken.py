"""Spoken numbers: a speech corpus that is made when it is asked for, in voices that are held out and in any amount."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from jaxnets.data.espeak import Sentence, Spoken, espeak_variants, speak
from jaxnets.data.sources import Record, choose

PARTS = {"train": (0.0, 0.6), "validation": (0.6, 0.7), "test": (0.7, 1.0)}
"""Which share of the families of voices, and of the numbers from 100 on, is whose."""
ACCENTS = ("en", "en-us", "en-029", "en-gb-scotland", "en-gb-x-rp", "en-gb-x-gbclan", "en-gb-x-gbcwmd")
ONES = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"),
    *("thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
)
TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")


@dataclass(frozen=True)
class SpokenNumbers:
    """Numbers said aloud; made by `spoken_numbers`."""

    spoken: tuple[Spoken, ...]
    sentences: tuple[Sentence, ...]

    def __len__(self) -> int:
        return len(self.spoken)

    def __getitem__(self, index: int) -> Record:
        samples, rate, starts = self.spoken[index]
        sentence = self.sentences[index]
        return {"audio": samples, "rate": rate, "text": sentence.text, "voice": sentence.voice, "starts": starts / rate}


def spoken_numbers(
    split: str = "train", count: int = 3000, *, below: int = 1000, digits: bool = False, seed: int = 0
) -> SpokenNumbers:
    """Numbers in words, in seven accents of English and many voices, fast and slow, high and low, by eSpeak NG.

    No voice is in two splits, nor voices of one family (f1 and f5), nor a number from 100 on; those below are all in
    training, and elsewhere if there are no others. What is whose never changes.

    Args:
        split: "train", "validation" or "test".
        count: how many recordings.
        below: all numbers are; up to 1000.
        digits: say 312 as "three one two".
        seed: draws who says which of the numbers, and how.

    Returns:
        A source of `{"audio": (T,) float32 in [-1, 1], "rate": 22050, "text": "three hundred and twelve", "voice": str,
        "starts": (W,) float64, seconds where each word starts}`, half a second to three long.

    Raises:
        ValueError: another split, a count below 0, or `below` is not from 1 to 1000.
        MissingExtra: espeakng-loader is not installed.

    Cost: about 3 ms for each, one core.

    >>> first = spoken_numbers("test", 1)[0]
    >>> first["text"], first["voice"], len(first["starts"])
    ('nine hundred and seventy two', 'en+boris', 5)
    """
    low, high = choose("spoken_numbers", "split", split, PARTS)
    if count < 0 or not 1 <= below <= 1000:
        raise ValueError(f"spoken_numbers: count is {count} and below {below}; pass a count, and below from 1 to 1000")
    fixed, rng = np.random.default_rng(0), np.random.default_rng([seed, list(PARTS).index(split)])

    def part(each: list[Any]) -> set[Any]:
        return {each[i] for i in fixed.permutation(len(each))[int(low * len(each)) : int(high * len(each))]}

    families = part(sorted({_family(voice) for voice in espeak_variants()}))
    voices = [voice for voice in espeak_variants() if _family(voice) in families]
    numbers = sorted(n for n in part(list(range(100, 1000))) if n < below) or list(range(below))
    if split == "train":
        numbers = sorted({*numbers, *range(min(below, 100))})  # so that every word is heard
    sentences = tuple(
        Sentence(
            " ".join(ONES[int(digit)] for digit in str(n)) if digits else spell(int(n)),
            f"{rng.choice(ACCENTS)}+{rng.choice(voices)}",
            *rng.integers((140, 0), (240, 100)).tolist(),
        )
        for n in rng.choice(numbers, count)
    )
    return SpokenNumbers(tuple(speak(sentences, seed=seed)), sentences)


def spell(n: int) -> str:
    """A number from 0 to 999 in words.

    >>> spell(7), spell(40), spell(312), spell(900)
    ('seven', 'forty', 'three hundred and twelve', 'nine hundred')
    """
    if n < 20:
        return ONES[n]
    if n < 100:
        return TENS[n // 10 - 2] + (f" {ONES[n % 10]}" if n % 10 else "")
    return f"{ONES[n // 100]} hundred" + (f" and {spell(n % 100)}" if n % 100 else "")


def _family(voice: str) -> str:
    return voice.rstrip("0123456789")

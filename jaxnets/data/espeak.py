"""Speech from eSpeak NG, a synthesizer by formants: any text, a hundred voices, any speed and pitch.

It runs in a process of its own: it keeps global state (what it says depends on what it said before), so only there is
the same list of sentences the same sound again, whatever else this program does, in any thread.
"""

import ctypes
import json
import struct
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

SYNCHRONOUS, UTF8, RATE, PITCH, WORD = 2, 1, 1, 3, 1  # names and numbers of espeak-ng's speak_lib.h


class Sentence(NamedTuple):
    """What to say, and how.

    Attributes:
        text: in the language of the voice.
        voice: a language and, after a plus, one of `espeak_variants`: "en-us", "en-029+f3", "de+Mario".
        speed: words a minute, from 80 to 450.
        pitch: from 0 to 99.
    """

    text: str
    voice: str = "en-us"
    speed: int = 175
    pitch: int = 50


class Spoken(NamedTuple):
    """One sentence: `samples (T,)` float32 in [-1, 1], `rate` of them a second, and where each word starts, `(W,)`."""

    samples: np.ndarray
    rate: int
    starts: np.ndarray


def speak(sentences: Sequence[Sentence], *, seed: int = 0) -> list[Spoken]:
    """Say sentences one after the other, the sound of each by itself.

    Args:
        sentences: what to say, and in which voice.
        seed: of what is random in a voice. The same list with the same seed is the same sound; a sentence in another
            list sounds a little different.

    Returns:
        One `Spoken` for each, without silence around it. Where eSpeak says two words in one
        breath ("of the") it reports a single start.

    Raises:
        MissingExtra: espeakng-loader, which brings the library and its voices, is not installed.
        ValueError: a voice that there is not, or a speed or pitch out of range.
        RuntimeError: the synthesizer failed.

    Cost: about 2 ms a second of speech, one core. The library is under the GPL 3; nothing of it is in jaxnets.
    Reference: https://github.com/espeak-ng/espeak-ng.

    >>> three = speak([Sentence("three hundred and twelve", voice="en-us+f3", speed=220)])[0]
    >>> three.rate, len(three.starts), bool(abs(three.samples).max() > 0.1)
    (22050, 4, True)
    """
    library, voices = _installed()
    known = set(espeak_variants())
    for sentence in sentences:
        variant = sentence.voice.partition("+")[2]
        if variant and variant not in known:
            raise ValueError(
                f"speak: there is no variant {variant!r} ({sentence.voice}); see jaxnets.data.espeak_variants()"
            )
        if not (80 <= sentence.speed <= 450 and 0 <= sentence.pitch <= 99):
            raise ValueError(f"speak: {sentence} is out of range: speed is from 80 to 450, pitch from 0 to 99")
    job = json.dumps([library, voices, seed, [(s.text, s.voice, int(s.speed), int(s.pitch)) for s in sentences]])
    done = subprocess.run([sys.executable, "-P", __file__], input=job.encode(), capture_output=True, check=False)
    if done.returncode:
        reason = done.stderr.decode(errors="replace").strip()
        raise (ValueError if "no voice" in reason else RuntimeError)(f"speak: {reason}")
    return list(_parsed(done.stdout))


def espeak_variants() -> list[str]:
    """The names of the voices that any language can be spoken in, in alphabetical order.

    >>> espeak_variants()[-1]
    'zac'
    """
    return sorted(path.name for path in (Path(_installed()[1]) / "voices" / "!v").iterdir())


def _installed() -> tuple[str, str]:
    """Paths of the library and of its data."""
    from jaxnets.extras import require  # here, so that the process that speaks need not import JAX

    loader = require("espeakng_loader", extra="speech")
    return loader.get_library_path(), loader.get_data_path()


def _parsed(output: bytes) -> Iterator[Spoken]:
    at = 0
    while at < len(output):
        rate, words, samples = struct.unpack_from("<3i", output, at)
        starts = np.frombuffer(output, "<i4", words, at + 12)
        sound = np.frombuffer(output, "<i2", samples, at + 12 + 4 * words)
        yield Spoken(sound.astype(np.float32) / 2**15, rate, starts.astype(np.int64))
        at += 12 + 4 * words + 2 * samples


class _Event(ctypes.Structure):
    _fields_ = (
        *((name, ctypes.c_int) for name in ("type", "id", "text", "length", "milliseconds", "sample")),
        ("user", ctypes.c_void_p),
        ("value", ctypes.c_int * 2),
    )


def _main() -> None:
    """In the process that speaks: the job from standard input, the sound to standard output."""
    library, voices, seed, sentences = json.load(sys.stdin)
    espeak = ctypes.CDLL(library)
    rate = espeak.espeak_Initialize(SYNCHRONOUS, 0, voices.encode(), 0)
    if rate < 0:
        sys.exit(f"espeak-ng cannot read its voices in {voices}")
    espeak.espeak_ng_SetRandSeed(ctypes.c_long(seed))
    sound, starts = bytearray(), []

    def hear(samples: int | None, count: int, events: Any) -> int:  # as often as a buffer is full
        sound.extend(ctypes.string_at(samples, 2 * count) if samples else b"")
        i = 0
        while events[i].type:
            if events[i].type == WORD:
                starts.append(events[i].sample)
            i += 1
        return 0

    kind = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.POINTER(_Event))
    callback = kind(hear)  # kept while it is needed
    espeak.espeak_SetSynthCallback(callback)
    for text, voice, speed, pitch in sentences:
        if espeak.espeak_SetVoiceByName(voice.encode()):
            sys.exit(f"there is no voice {voice!r} in espeak-ng")
        espeak.espeak_SetParameter(RATE, speed, 0)
        espeak.espeak_SetParameter(PITCH, pitch, 0)
        content = text.encode()
        size = ctypes.c_size_t(len(content) + 1)
        if espeak.espeak_Synth(content, size, 0, 0, 0, UTF8, None, None):
            sys.exit(f"espeak-ng cannot say {text!r}")
        sys.stdout.buffer.write(struct.pack(f"<3i{len(starts)}i", rate, len(starts), len(sound) // 2, *starts) + sound)
        sound.clear()
        starts.clear()


if __name__ == "__main__":
    _main()

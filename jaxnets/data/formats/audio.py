"""Audio files as arrays: wav by the standard library, flac, ogg and the rest by soundfile."""

import os
import wave
from pathlib import Path

import numpy as np

from jaxnets.data.sources import existing_file
from jaxnets.extras import require


def read_audio(path: str | os.PathLike[str]) -> tuple[np.ndarray, int]:
    """Read a recording.

    Returns:
        The samples, `(T,)` float32 in [-1, 1], several channels averaged to one; and how many there are in a second.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no audio, or truncated.
        MissingExtra: it is no wav, and soundfile is not installed.

    >>> import tempfile
    >>> with tempfile.NamedTemporaryFile(suffix=".wav") as file:
    ...     with wave.open(file.name, "wb") as writer:
    ...         writer.setparams((1, 2, 16000, 0, "NONE", ""))
    ...         writer.writeframes(np.array([0, 16384, -32768], "<i2").tobytes())
    ...     read_audio(file.name)
    (array([ 0. ,  0.5, -1. ], dtype=float32), 16000)
    """
    file = existing_file(path, "a recording, as speech.wav")
    with file.open("rb") as opened:
        is_wave = opened.read(4) == b"RIFF"
    samples, rate = _read_wave(file) if is_wave else _read_other(file)
    return samples.mean(1, dtype=np.float32), rate


def _read_wave(path: Path) -> tuple[np.ndarray, int]:
    """Samples `(T, channels)` and rate."""
    try:
        with wave.open(str(path), "rb") as reader:
            channels, width, rate, frames = reader.getparams()[:4]
            content = reader.readframes(frames)
    except wave.Error as error:
        if "unknown format" in str(error):  # floats, and compressed sound
            return _read_other(path)
        raise ValueError(f"{path} cannot be read as wav: {error}") from error
    except EOFError as error:
        raise ValueError(f"{path} is truncated: it ends within its header") from error
    wanted = frames * channels * width
    if len(content) != wanted:
        raise ValueError(f"{path} is truncated: {len(content)} of {wanted} bytes of sound are there")
    if width == 1:
        samples = np.frombuffer(content, np.uint8).astype(np.float32) / 128 - 1
    elif width == 3:
        bytes_of = np.zeros((frames * channels, 4), np.uint8)
        bytes_of[:, 1:] = np.frombuffer(content, np.uint8).reshape(-1, 3)  # in the high bytes of 32 bits
        samples = bytes_of.view("<i4")[:, 0].astype(np.float32) / 2**31
    else:
        samples = np.frombuffer(content, f"<i{width}").astype(np.float32) / 2 ** (8 * width - 1)
    return samples.reshape(frames, channels), rate


def _read_other(path: Path) -> tuple[np.ndarray, int]:
    soundfile = require("soundfile", extra="data")
    try:
        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    except soundfile.SoundFileError as error:
        raise ValueError(f"{path} cannot be read as audio, or is truncated: {error}") from error
    return samples, int(rate)

"""Speech Commands, one word a recording; and LibriSpeech, sentences with what was said."""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from jaxnets.data.formats.audio import read_audio
from jaxnets.data.sources import Record, choose, existing_file, existing_folder


@dataclass(frozen=True)
class SpeechCommands:
    """Spoken words, read when they are asked for; made by `speech_commands`."""

    paths: tuple[Path, ...]
    labels: np.ndarray
    class_names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> Record:
        samples, rate = read_audio(self.paths[index])
        return {"audio": samples, "rate": rate, "label": self.labels[index]}


def speech_commands(folder: str | os.PathLike[str], split: str = "train") -> SpeechCommands:
    """Speech Commands as unpacked: a folder for each word, and the lists of what is held out.

    Classes are the words in alphabetical order; the recordings of noise are left out.

    Args:
        folder: has a sub-folder of wav files for each word, validation_list.txt and testing_list.txt.
        split: "train" (what neither list names), "validation" or "test".

    Returns:
        A source of `{"audio": (T,) float32 in [-1, 1], "rate": samples a second, "label": int32}`. Most recordings
        are one second, 16,000 samples; some are shorter.

    Raises:
        FileNotFoundError: the folder, or a list, is missing.
        ValueError: another split; a list that names a file that is not there; no recordings. When one is read: as
            `jaxnets.data.read_audio`.

    Reference: Warden (2018), https://arxiv.org/abs/1804.03209.
    """
    root = existing_folder(folder, "one with a sub-folder of recordings for each word")
    lists = {"validation": "validation_list.txt", "test": "testing_list.txt"}
    choose("speech_commands", "split", split, {"train": "", **lists})
    listed: dict[str, str] = {}
    for part, name in lists.items():
        lines = existing_file(root / name, "the unpacked folder, with its lists").read_text().split()
        listed |= dict.fromkeys(lines, part)
    words = sorted(each.name for each in root.iterdir() if each.is_dir() and each.name[0] not in "._")
    all_paths = {f"{word}/{path.name}": path for word in words for path in sorted((root / word).glob("*.wav"))}
    absent = [name for name in listed if name not in all_paths]
    if absent:
        raise ValueError(f"{root}: the lists name {len(absent)} recordings that are not there, as {absent[0]}")
    chosen = [name for name in all_paths if listed.get(name, "train") == split]
    if not chosen:
        raise ValueError(f"{root} has no recordings for {split!r}: is it the unpacked folder?")
    labels = np.array([words.index(name.partition("/")[0]) for name in chosen], np.int32)
    return SpeechCommands(tuple(all_paths[name] for name in chosen), labels, tuple(words))


@dataclass(frozen=True)
class LibriSpeech:
    """Sentences read aloud, read when they are asked for; made by `librispeech`."""

    paths: tuple[Path, ...]
    texts: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> Record:
        path = self.paths[index]
        samples, rate = read_audio(path)
        return {"audio": samples, "rate": rate, "text": self.texts[index], "speaker": int(path.stem.split("-")[0])}


def librispeech(folder: str | os.PathLike[str]) -> LibriSpeech:
    """One part of LibriSpeech as unpacked: `librispeech("LibriSpeech/dev-clean")`.

    Args:
        folder: has `<speaker>/<chapter>/<speaker>-<chapter>.trans.txt`, and by it the recordings that it names,
            `<speaker>-<chapter>-0000.flac` and so on, or the same as wav.

    Returns:
        A source of `{"audio": (T,) float32 in [-1, 1], "rate": samples a second, "text": str in capitals, "speaker":
        int}`, in the order of speakers, chapters and sentences.

    Raises:
        FileNotFoundError: the folder is missing, or a recording that a transcript names.
        ValueError: no transcripts, or a line without a sentence. When a recording is read: as
            `jaxnets.data.read_audio`.
        MissingExtra: soundfile, which reads flac, is not installed.

    Reference: Panayotov et al. (2015), https://doi.org/10.1109/ICASSP.2015.7178964.
    """
    root = existing_folder(folder, "one part of LibriSpeech, as LibriSpeech/dev-clean")
    transcripts = sorted(root.glob("*/*/*.trans.txt"))
    if not transcripts:
        raise ValueError(f"{root} has no <speaker>/<chapter>/*.trans.txt: give one part, as LibriSpeech/dev-clean")
    paths, texts = [], []
    for transcript in transcripts:
        for number, line in enumerate(transcript.read_text(encoding="utf-8").splitlines(), 1):
            name, _, text = line.strip().partition(" ")
            if not text:
                raise ValueError(f"{transcript} line {number} is {line!r}, not a name and a sentence")
            found = [path for end in (".flac", ".wav") if (path := transcript.with_name(name + end)).is_file()]
            if not found:
                raise FileNotFoundError(f"{transcript} line {number} names {name}, which is not there as flac or wav")
            paths.append(found[0])
            texts.append(text)
    return LibriSpeech(tuple(paths), tuple(texts))

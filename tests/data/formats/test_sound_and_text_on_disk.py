"""Recordings and text: what was written is read, and what is damaged is named."""

import json
import sys
import wave

import numpy as np
import pytest

from jaxnets import data, extras

SAMPLES = (0.5 * np.sin(np.arange(800) / 5)).astype(np.float32)


def write_wave(path, samples=SAMPLES, width=2, rate=16000, channels=1):
    path.parent.mkdir(parents=True, exist_ok=True)
    whole = np.round(np.repeat(samples, channels) * (2 ** (8 * width - 1) - 1)).astype(np.int64)
    content = (whole + 128 * (width == 1)).astype("<i8").view(np.uint8).reshape(-1, 8)[:, :width].tobytes()
    with wave.open(str(path), "wb") as writer:
        writer.setparams((channels, width, rate, 0, "NONE", ""))
        writer.writeframes(content)


@pytest.mark.parametrize(("width", "channels"), [(1, 1), (2, 1), (2, 2), (3, 1), (3, 2), (4, 1)])
def test_wave_of_every_width(tmp_path, width, channels):
    write_wave(tmp_path / "a.wav", width=width, rate=8000, channels=channels)
    samples, rate = data.read_audio(tmp_path / "a.wav")
    assert (samples.shape, samples.dtype, rate) == ((800,), np.float32, 8000)
    np.testing.assert_allclose(samples, SAMPLES, atol=2.0 ** (2 - 8 * min(width, 3)))


@pytest.mark.parametrize("name", ["a.flac", "a.ogg", "float.wav"])
def test_what_soundfile_reads(tmp_path, name, monkeypatch):
    soundfile = pytest.importorskip("soundfile")
    soundfile.write(tmp_path / name, SAMPLES, 16000, subtype="FLOAT" if name.endswith("wav") else None)
    samples, rate = data.read_audio(tmp_path / name)
    assert (samples.shape, rate) == ((800,), 16000)
    np.testing.assert_allclose(samples, SAMPLES, atol=0.05 if name == "a.ogg" else 1e-4)
    whole = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(whole[: 30 if name != "float.wav" else 10])
    with pytest.raises(ValueError, match=f"{name} (cannot be read as audio|is truncated|cannot be read as wav)"):
        data.read_audio(tmp_path / name)
    (tmp_path / name).write_bytes(whole)
    monkeypatch.setitem(sys.modules, "soundfile", None)
    with pytest.raises(extras.MissingExtra, match=r'soundfile.*pip install "jaxnets\[data\]"'):
        data.read_audio(tmp_path / name)


@pytest.mark.parametrize(
    ("keep", "message"), [(800, "truncated: 756 of 1600 bytes"), (30, "truncated|cannot be read"), (8, "cannot|trunc")]
)
def test_a_truncated_wave_is_named(tmp_path, keep, message):
    write_wave(tmp_path / "a.wav")
    (tmp_path / "a.wav").write_bytes((tmp_path / "a.wav").read_bytes()[:keep])
    with pytest.raises(ValueError, match=rf"a\.wav.*({message})"):
        data.read_audio(tmp_path / "a.wav")


def test_speech_commands(tmp_path):
    for name in ("yes/a.wav", "yes/b.wav", "no/a.wav", "no/c.wav", "_background_noise_/hum.wav"):
        write_wave(tmp_path / name)
    (tmp_path / "validation_list.txt").write_text("yes/b.wav\n")
    with pytest.raises(FileNotFoundError, match=r"testing_list\.txt: give the unpacked folder"):
        data.speech_commands(tmp_path)
    (tmp_path / "testing_list.txt").write_text("no/a.wav\n")
    splits = {split: data.speech_commands(tmp_path, split) for split in ("train", "validation", "test")}
    got = {split: [f"{p.parent.name}/{p.name}" for p in source.paths] for split, source in splits.items()}
    assert got == {"train": ["no/c.wav", "yes/a.wav"], "validation": ["yes/b.wav"], "test": ["no/a.wav"]}
    record = splits["train"][1]
    assert splits["train"].class_names == ("no", "yes")
    assert (record["label"], record["rate"], record["audio"].shape) == (1, 16000, (800,))
    with pytest.raises(ValueError, match="split is 'val'; take one of 'train', 'validation', 'test'"):
        data.speech_commands(tmp_path, "val")
    (tmp_path / "testing_list.txt").write_text("no/a.wav\nmaybe/a.wav\n")
    with pytest.raises(ValueError, match=r"1 recordings that are not there, as maybe/a\.wav"):
        data.speech_commands(tmp_path)
    (tmp_path / "testing_list.txt").write_text("")
    with pytest.raises(ValueError, match="no recordings for 'test'"):
        data.speech_commands(tmp_path, "test")


def test_librispeech(tmp_path):
    write_wave(tmp_path / "84" / "121" / "84-121-0000.wav")
    write_wave(tmp_path / "84" / "121" / "84-121-0001.wav", SAMPLES[:200])
    transcript = tmp_path / "84" / "121" / "84-121.trans.txt"
    transcript.write_text("84-121-0000 GO DO YOU HEAR\n84-121-0001 BUT\n")
    source = data.librispeech(tmp_path)
    assert len(source) == 2
    assert source[1].pop("audio").shape == (200,)
    assert {name: source[1][name] for name in ("text", "rate", "speaker")} == {
        "text": "BUT",
        "rate": 16000,
        "speaker": 84,
    }
    transcript.write_text("84-121-0000\n")
    with pytest.raises(ValueError, match=r"84-121\.trans\.txt line 1 is '84-121-0000', not a name and a sentence"):
        data.librispeech(tmp_path)
    transcript.write_text("84-121-0007 YES\n")
    with pytest.raises(FileNotFoundError, match="line 1 names 84-121-0007, which is not there as flac or wav"):
        data.librispeech(tmp_path)
    with pytest.raises(ValueError, match=r"no <speaker>/<chapter>/\*\.trans\.txt"):
        data.librispeech(tmp_path / "84")


def test_librispeech_in_flac(tmp_path):
    soundfile = pytest.importorskip("soundfile")
    (tmp_path / "1" / "2").mkdir(parents=True)
    soundfile.write(tmp_path / "1" / "2" / "1-2-0000.flac", SAMPLES, 16000)
    (tmp_path / "1" / "2" / "1-2.trans.txt").write_text("1-2-0000 HELLO\n")
    np.testing.assert_allclose(data.librispeech(tmp_path)[0]["audio"], SAMPLES, atol=1e-4)


def test_lines_are_found_in_any_order(tmp_path):
    (tmp_path / "a.txt").write_bytes("\ufefffirst\r\n\n  \nzwölf\nlast".encode())
    source = data.text_lines(tmp_path / "a.txt")
    assert [source[i]["text"] for i in (2, 0, 1, -1)] == ["last", "first", "zwölf", "last"]
    assert len(source) == 3
    with pytest.raises(IndexError):
        source[3]
    assert data.read_text(tmp_path / "a.txt").startswith("first")


def test_json_lines_name_the_line(tmp_path):
    rows = [{"text": "eins"}, {"text": "zwölf", "n": [1, 2]}]
    (tmp_path / "a.jsonl").write_text("\n\n".join(json.dumps(row) for row in rows) + '\n{"text": "cut')
    source = data.json_lines(tmp_path / "a.jsonl")
    assert [source[0], source[1]] == rows
    with pytest.raises(ValueError, match=r"a\.jsonl line 4 is no JSON, or truncated"):
        source[2]


def test_wrong_text_is_named(tmp_path):
    (tmp_path / "empty").write_text(" \n")
    (tmp_path / "latin1").write_bytes("ok\nzwölf\n".encode("latin-1"))
    with pytest.raises(ValueError, match="empty has no lines"):
        data.text_lines(tmp_path / "empty")
    with pytest.raises(ValueError, match=r"latin1 line 2 is not UTF-8.*convert"):
        data.text_lines(tmp_path / "latin1")[1]
    with pytest.raises(ValueError, match="latin1 is not UTF-8"):
        data.read_text(tmp_path / "latin1")
    with pytest.raises(FileNotFoundError, match="nowhere"):
        data.read_text(tmp_path / "nowhere")
    (tmp_path / "empty").write_text("")
    with pytest.raises(ValueError, match="is empty"):
        data.read_text(tmp_path / "empty")

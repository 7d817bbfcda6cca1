"""Spoken digits in a row, read by a small QuartzNet that is never told when a word is said: CTC finds it out.

Task:     "three one two" by eSpeak NG, in seven accents, fast and slow, with noise and babble behind it. No voice of
          the test was heard in training, none of its family (m1, m7), and none of its numbers of three digits; settings
          were chosen on other voices and numbers (--held-out validation), all but the taps (docs/examples.md). With
          --data, Speech Commands as unpacked instead: single words by thousands of people, with the same noise.
Papers:   Kriman et al. (2020), QuartzNet; Graves et al. (2006), CTC; Park et al. (2019), SpecAugment.
Command:  python examples/speech.py
Expected: 3.6 % of the words wrong (3.4, 3.9, 3.6, three seeds) in 51 s on two cores; 52 % by a linear classifier.
"""

from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import groupby
from pathlib import Path
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import tyro
from scipy.signal import resample_poly
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from jaxnets import data, losses, metrics, models, ops, train, viz

RATE, HOP, BANDS = 8000, 128, 40  # samples a second, samples a frame (16 ms), bands of the spectrogram


@dataclass(frozen=True)
class Config:
    seed: int = 0
    data: Path | None = None  # the folder of Speech Commands
    held_out: Literal["test", "validation"] = "test"
    clips: int = 3000  # to learn from, of spoken numbers
    epochs: int = 12
    batch: int = 32
    rate: float = 4e-3  # of learning, at its highest
    channels: int = 96
    snr: tuple[float, float] = (10.0, 30.0)  # decibels between the voice and the noise
    beam: int = 8
    tiny: bool = False  # a few digits, a few seconds
    out: Path = Path("runs/speech")


class Clips(NamedTuple):
    audio: np.ndarray  # (N, S) float32, equally loud
    texts: list[str]
    words: np.ndarray  # (N, L) int32, numbers from 1, then 0
    times: list[np.ndarray]  # seconds where each word starts and the last one ends: not for the network


def load(config: Config, split: str, vocabulary: list[str] | None = None) -> tuple[Clips, list[str]]:
    """Recordings at 8 kHz, each somewhere in a clip as long as the others."""
    if config.data:
        source, seconds = data.speech_commands(config.data, split), 1.0
    else:
        below, seconds = (10, 1.0) if config.tiny else (1000, 2.0)
        count = config.clips // (1 if split == "train" else 3)
        source = data.spoken_numbers(split, count, below=below, digits=True, seed=config.seed)
    rng, texts, times = np.random.default_rng(config.seed), [], []
    audio = np.zeros((len(source), int(seconds * RATE)), np.float32)
    for row, record in zip(audio, source, strict=True):
        ratio = Fraction(RATE, record["rate"]).limit_denominator(20)
        x = resample_poly(record["audio"], ratio.numerator, ratio.denominator)[: len(row)]
        begin = rng.integers(len(row) - len(x) + 1)
        row[begin : begin + len(x)] = x / (np.sqrt(np.square(x).mean()) + 1e-6)
        texts.append(record["text"] if "text" in record else source.class_names[record["label"]])
        times.append(np.r_[begin / RATE + record.get("starts", np.zeros(1)), (begin + len(x)) / RATE])
    vocabulary = vocabulary or sorted({word for text in texts for word in text.split()})
    rows = [[1 + vocabulary.index(word) for word in text.split()] for text in texts]
    words = np.array([row + [0] * (max(map(len, rows)) - len(row)) for row in rows], np.int32)
    return Clips(audio, texts, words, times), vocabulary


def hear(config: Config, key: jax.Array, audio: jax.Array) -> jax.Array:
    """The log-mel spectrogram of it in noise, of mean 0 in each band: `(N, S) -> (N, T, BANDS)`."""
    x = data.add_noise(key, audio, low=config.snr[0], high=config.snr[1])
    y = ops.log_mel(x, RATE, bands=BANDS, window=2 * HOP, hop=HOP, fft=2 * HOP, floor=1e-4)
    return (y - y.mean(1, keepdims=True)) / y.std((1, 2), keepdims=True)


def learn(config: Config, clips: Clips, classes: int):
    """Train; what gives the logits `(N, ⌈T / 2⌉, classes)` of spectrograms."""
    group, c = config.batch, config.channels
    model = models.quartznet5x5(classes, groups=((c, 5), (c, 5)), repeats=2, stem=(c, 9), head=((2 * c, 1, 1),))
    steps = len(clips.texts) // group * config.epochs
    schedule = optax.warmup_cosine_decay_schedule(0.0, config.rate, steps // 10, steps)
    optimizer = optax.chain(optax.clip_by_global_norm(1.0), optax.adamw(schedule, weight_decay=0.01))

    def augment(key, audio):
        noise_key, mask_key = jax.random.split(key)
        y = hear(config, noise_key, audio)
        return ops.spec_augment(y, mask_key, time_masks=1, time_width=5, bands_masks=1, bands_width=5)

    def loss(logits, words):
        return losses.ctc(logits, words, label_lengths=(words > 0).sum(1))

    def batches(epoch):
        return data.batches((clips.audio, clips.words), group, seed=config.seed, epoch=epoch)

    init_key, key = jax.random.split(jax.random.key(config.seed))
    example = jax.ShapeDtypeStruct((1, 1 + clips.audio.shape[1] // HOP, BANDS), jnp.float32)
    start = train.create(model, optimizer, init_key, example)
    step = train.make_step(model, loss, optimizer, augment=augment)
    with train.progress_bar(steps, group) as on_step:
        *_, end = train.fit(step, start, batches, epochs=config.epochs, key=key, on_step=on_step)
    return jax.jit(lambda x: model.apply(end.train_state.params, end.train_state.state, x)[0])


def by_frames(config: Config, clips: Clips, new: np.ndarray) -> list[list[int]]:
    """The baseline: which word a frame is in, by a linear classifier, which is told in training; runs of 6 frames."""

    def near(x):  # each frame, and those 64 and 128 ms before and after
        return np.concatenate([np.roll(x, shift, axis=1) for shift in (-8, -4, 0, 4, 8)], axis=2).reshape(-1, 5 * BANDS)

    few = np.random.default_rng(0).permutation(len(clips.texts))[: config.clips]
    x, at = np.asarray(hear(config, jax.random.key(1), clips.audio[few])), np.arange(new.shape[1]) * HOP / RATE
    inside = [np.searchsorted(clips.times[i], at, side="right") % len(clips.times[i]) for i in few]
    word = np.concatenate([np.r_[0, clips.words[i]][j] for i, j in zip(few, inside, strict=True)])
    said = LinearDiscriminantAnalysis("lsqr", "auto").fit(near(x)[::4], word[::4]).predict(near(new))
    return [[word for word, run in groupby(row) if word and len(list(run)) >= 6] for row in said.reshape(len(new), -1)]


def main(config: Config) -> dict[str, float]:
    if config.tiny:
        config = replace(config, clips=1600, epochs=4, batch=16, channels=32)
    clips, vocabulary = load(config, "train")
    new, _ = load(config, config.held_out, vocabulary)
    x = np.asarray(hear(config, jax.random.key(0), new.audio))
    logits = learn(config, clips, 1 + len(vocabulary))(x)
    rows = {"beam": ops.ctc_beam(logits, beam=config.beam)[0][:, 0], "greedy": ops.ctc_greedy(logits)[0]}
    rows |= {"frames": by_frames(config, clips, x)}
    found, said = {}, {}
    for name, each in rows.items():
        said[name] = [" ".join(vocabulary[i - 1] for i in row if i > 0) for row in map(np.asarray, each)]
        found[f"{name}_wer"] = metrics.word_error_rate(new.texts, said[name])
        found[f"{name}_cer"] = metrics.character_error_rate(new.texts, said[name])
    i = max(range(len(new.texts)), key=lambda i: len(new.texts[i]))  # the longest is drawn
    p, title = np.asarray(jax.nn.softmax(logits[i])), f"Read: {said['beam'][i]}"
    subtitle = f"wrong words: {found['beam_wer']:.1%}, by frames {found['frames_wer']:.0%}; dotted: the true starts"
    options = {"seconds": new.audio.shape[1] / RATE, "cuts": new.times[i], "title": title, "subtitle": subtitle}
    figure = viz.alignment(x[i], p, ["", *vocabulary], **options)
    print(viz.save(figure, config.out / "speech.png"), *(f"{k} {v:.4f}" for k, v in found.items()), sep="\n")
    return found


if __name__ == "__main__":
    main(tyro.cli(Config))

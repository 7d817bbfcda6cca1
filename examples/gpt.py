"""A small GPT reads modules of Python's standard library, and writes more of the kind.

Task:     the next token of source code: 24 modules (0.9 MB) of the Python that runs this, in tokens of some three bytes
          that byte-pair encoding finds. Six other modules are held out, and six more were there to choose settings by.
Paper:    Radford et al. (2019), Language Models are Unsupervised Multitask Learners; here of half a million parameters.
Command:  python examples/gpt.py
Expected: 2.25 bits per byte of the held-out modules (seeds: 2.25, 2.26, 2.25), two minutes on two cores. Counts of
          single tokens, Kneser-Ney, 3.34, of pairs 2.53, of three in a row 2.34, of five 2.27.
"""

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from sysconfig import get_paths

import jax
import numpy as np
import optax
import tyro
from numpy.lib.stride_tricks import sliding_window_view

from jaxnets import data, losses, models, train, tree, viz
from jaxnets.viz import style

TRAIN = """argparse ast base64 bdb bz2 codecs configparser contextlib copy enum filecmp fileinput ftplib functools
getopt gettext hashlib heapq ipaddress linecache mimetypes optparse os pickle"""
VALIDATION, TEST = "cmd dataclasses gzip queue sched uuid", "textwrap calendar csv fractions shelve shutil"


@dataclass(frozen=True)
class Config:
    seed: int = 0
    path: Path = Path(get_paths()["stdlib"])  # a folder with these modules
    steps: int = 900
    batch: int = 16
    learning_rate: float = 4e-3  # AdamW's, at its highest
    muon_rate: float = 0.02  # that of the matrices (Jordan et al., 2024)
    vocabulary: int = 1024
    length: int = 128  # tokens that are read at once
    depth: int = 2
    channels: int = 128
    tiny: bool = False  # bytes, one layer, some seconds
    out: Path = Path("runs/gpt")


def read(path: Path, names: list[str]) -> str:
    """Modules, one after the other."""
    missing = [name for name in names if not (path / f"{name}.py").is_file()]
    if missing:
        raise FileNotFoundError(f"{path}: no {missing[0]}.py there; pass the folder of a standard library as --path")
    return "\n".join((path / f"{name}.py").read_text("utf-8") for name in names)


def ngrams(known: np.ndarray, new: np.ndarray, order: int, size: int) -> np.ndarray:
    """Bits of each new token but the first `order - 1`, by interpolated Kneser-Ney counts of up to `order` in a row."""
    digits = size ** np.arange(order, dtype=np.int64)[::-1]  # a row is one number
    (rows, asked), levels = (sliding_window_view(tokens, order) @ digits for tokens in (known, new)), []
    for length in range(order, 0, -1):
        rows, counts = np.unique(rows % size**length, return_counts=True)
        levels.append((rows, counts, asked % size**length))
    p = np.full(len(asked), 1 / size)
    for rows, counts, wanted in reversed(levels):
        contexts, first, kinds = np.unique(rows // size, return_index=True, return_counts=True)
        row, context = (np.searchsorted(a[:-1], b) for a, b in ((rows, wanted), (contexts, wanted // size)))
        taken = np.where(rows[row] == wanted, counts[row] - 0.75, 0)
        mixed = (taken + 0.75 * kinds[context] * p) / np.add.reduceat(counts, first)[context]
        p = np.where(contexts[context] == wanted // size, mixed, p)
    return -np.log2(p)


def code(axes, lines: list[str], bits: np.ndarray, title: str) -> None:
    """Text on a grid of letters, redder where more bits were needed."""
    grid, at = np.zeros((len(lines), 80)), 0
    for row, line in enumerate(lines):
        grid[row, : len(line)], at = bits[at : at + len(line)][:80], at + len(line) + 1
        axes.text(-0.5, row, line[:80], family="monospace", fontsize=5.5, va="center_baseline")
    axes.imshow(grid, cmap="OrRd", vmin=0, vmax=14, aspect="auto")
    axes.set_title(title, loc="left", fontsize=style.LABEL)
    style.bare(axes)


def main(config: Config) -> dict[str, float]:
    config = replace(config, depth=1, channels=64, length=64, steps=100) if config.tiny else config
    length, half = config.length, config.length // 2
    texts = [read(config.path, names.split()[: 8 if config.tiny else None]) for names in (TRAIN, VALIDATION, TEST)]
    tokenizer = data.byte_tokenizer() if config.tiny else data.train_tokenizer(texts[:1], config.vocabulary)
    known, valid, new = (tokenizer.encode(text) for text in texts)
    shape = {"depth": config.depth, "channels": config.channels, "heads": 4, "length": length}
    model = models.gpt2(**shape, vocabulary=tokenizer.size, rate=0.0)
    share = optax.warmup_cosine_decay_schedule(0.0, 1.0, config.steps // 20, config.steps)
    muon = optax.contrib.muon(lambda step: config.muon_rate * share(step))
    adam = optax.adamw(lambda step: config.learning_rate * share(step), b2=0.98)
    optimizer = optax.partition({True: muon, False: adam}, lambda params: tree.mask(params, "layers/*/w"))
    init_key, key, sample_key = jax.random.split(jax.random.key(config.seed), 3)
    step = train.make_step(model, losses.cross_entropy, optimizer)
    start = train.create(model, optimizer, init_key, known[None, :length])
    logs = jax.jit(lambda params, x: jax.nn.log_softmax(model.apply(params, {}, x)[0]))

    def surprise(params, tokens):
        """Bits of each token but the first `half + 1`: windows overlap, and their last halves count."""
        cut = sliding_window_view(tokens, length + 1)[::half]
        y = [logs(params, cut[i : i + 16, :-1]) for i in range(0, len(cut) - 15, 16)]
        bits = np.take_along_axis(np.concatenate(y), cut[: 16 * len(y), 1:, None], axis=2)[:, half:]
        return bits.ravel() / -np.log(2)

    def batches(epoch):
        rng = np.random.default_rng((config.seed, epoch))
        for _ in range(config.steps // 10):
            rows = rng.integers(len(known) - length, size=(config.batch, 1)) + np.arange(length + 1)
            yield known[rows[:, :-1]], known[rows[:, 1:]]

    curve = []
    with train.progress_bar(config.steps, config.batch) as on_step:
        for epoch in train.fit(step, start, batches, epochs=10, key=key, on_step=on_step):
            curve.append(surprise(params := epoch.train_state.params, valid[: 64 * length]).mean())

    # The same tokens of the held-out modules for all; the counts may look back further than the window.
    bits = {"GPT": surprise(params, new)}
    span = slice(half + 1, half + 1 + len(bits["GPT"]))
    bits |= {f"{n}-gram": np.pad(ngrams(known, new, n, tokenizer.size), (n - 1, 0))[span] for n in (1, 2, 3, 5)}
    found = {name: float(each.mean() * len(new) / len(texts[2].encode())) for name, each in bits.items()}
    prompt = tokenizer.encode("    def ")[None]
    sample = partial(models.generate, model, steps=length - prompt.size, temperature=0.7)
    written = tokenizer.decode(np.asarray(jax.jit(sample)(params, {}, prompt, key=sample_key)[0]))

    figure = style.new_figure(
        8.2, 7.0, "Bits for a new byte of Python", ", ".join(f"{name} {value:.2f}" for name, value in found.items())
    )
    letters, begin = np.array([len(tokenizer.decode([token])) for token in new]), texts[2].index("def dedent")
    for left, name in ((0.3, "3-gram"), (4.25, "GPT")):
        shown = np.repeat(bits[name], letters[span])[begin - letters[: span.start].sum() :]
        axes = style.new_axes(figure, left, 2.15, 3.7, 3.95)
        code(axes, texts[2][begin:].split("\n")[:34], shown, f"what surprised {name} (darkest: 14 bits a token)")
    axes = style.new_axes(figure, 0.55, 0.35, 7.4, 1.35)
    axes.plot(np.arange(1, 11) * (config.steps // 10), curve, "o-", color=style.BLUE, label="GPT")
    for color, n in zip(style.CYCLE[1:], (2, 3, 5), strict=False):
        axes.axhline(
            ngrams(known, valid[: 64 * length], n, tokenizer.size).mean(),
            color=color,
            linestyle="--",
            label=f"{n}-gram",
        )
    axes.set_title("bits a token of the validation modules, by step", loc="left", fontsize=style.LABEL)
    axes.legend(frameon=False, fontsize=style.SMALL, ncols=4, loc="upper right")
    print(written, viz.save(figure, config.out / "gpt.png"), *(f"{k} {v:.3f}" for k, v in found.items()), sep="\n")
    return found


if __name__ == "__main__":
    main(tyro.cli(Config))

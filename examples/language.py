"""Which of 32 languages is a short phrase in? A convolution over its letters can say.

Task:     names of countries, languages, scripts, currencies, cities, months and days in 32 languages of Latin letters,
          from Unicode's CLDR, which Babel ships. A fifth of what is named is held out, in all languages at
          once, and whatever is called the same in two of the languages ("Andorra") is left out.
Paper:    Kim (2014), Convolutional Neural Networks for Sentence Classification; on letters instead of words.
Command:  python examples/language.py    (with --validation it is tested on a part of the phrases to learn from)
Expected: 79.0 % of the held-out phrases right (seeds: 79.1, 78.8, 79.1), in a minute on two cores. A linear
          classifier of letters and pairs of them 71.4 %; a strong one, of all strings of up to four letters, 79.9 %.
"""

from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from zlib import crc32

import jax
import numpy as np
import optax
import tyro
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC

from jaxnets import data, extras, losses, metrics, models, tap, train, viz
from jaxnets.viz import style

FAMILIES = {"Germanic": "da nb sv is nl af de en", "Romance": "fr it es pt gl ca ro", "Slavic": "pl cs sk sl hr"}
FAMILIES |= {"Baltic": "lt lv", "Uralic": "fi et hu", "Celtic": "cy ga", "others": "eu sq tr id vi"}
BLANK, UNKNOWN = 0, 1  # no letter, and one that was never seen


@dataclass(frozen=True)
class Config:
    seed: int = 0
    epochs: int = 9
    batch: int = 128
    learning_rate: float = 6e-3  # at its highest
    weight_decay: float = 0.05
    length: int = 32  # letters that are read of a phrase
    channels: int = 16  # of a letter
    sizes: tuple[int, ...] = (2, 3, 4, 6)  # of the windows, in letters
    maps: int = 256  # of each size
    rate: float = 0.3  # fraction of their answers dropped
    validation: bool = False  # test on an eighth of the phrases to learn from
    tiny: bool = False  # six languages, six epochs
    out: Path = Path("runs/language")


def names(language: str) -> dict[str, str]:
    """What things are called in a language, by what they are."""
    locale = extras.require("babel", extra="examples").Locale.parse(language)
    kinds = {kind: getattr(locale, kind) for kind in ("territories", "languages", "scripts", "currencies")}
    kinds |= {name: getattr(locale, name)["format"]["wide"] for name in ("months", "days")}
    kinds["cities"] = {zone: each["city"] for zone, each in locale.time_zones.items() if "city" in each}
    every = {f"{kind} {code}": str(name) for kind, each in kinds.items() for code, name in each.items()}
    return {what: name for what, name in every.items() if len(name) >= 4 and not any(map(str.isdigit, name))}


def phrases(languages: list[str]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(phrases, language of each, which of 40 parts it is in, by what it names)."""
    named = [names(language) for language in languages]
    owners = Counter(name for each in named for name in set(each.values()))
    every = ((name, label, what) for label, each in enumerate(named) for what, name in each.items())
    rows = {name: (label, crc32(what.encode()) % 40) for name, label, what in every if owners[name] == 1}
    return np.array(list(rows)), *np.array(list(rows.values()), np.int32).T


def linear(longest: int):
    """The baselines: a linear classifier of all strings of up to so many letters, weighed by how rare they are."""
    strings = TfidfVectorizer(analyzer="char_wb", ngram_range=(1, longest), sublinear_tf=True)
    return make_pipeline(strings, LinearSVC(random_state=0))


def telling(model, params, ids: np.ndarray, labels: np.ndarray, texts: np.ndarray) -> list[str]:
    """Strings that spoke most for each language in its own phrases: where a filter answered, times its weight."""
    maps, _ = jax.jit(tap(model, "windows/*/relu").apply)(params, {}, ids)
    weights = np.asarray(params["classifier"]["logits"]["w"])
    weights = np.split(weights - weights.mean(axis=1, keepdims=True), len(maps))
    said = [Counter() for _ in range(weights[0].shape[1])]
    for answers, weight in zip(map(np.asarray, maps.values()), weights, strict=True):
        size, at = ids.shape[1] - answers.shape[1] + 1, answers.argmax(axis=1)
        spoke = answers.max(axis=1) * weight.T[labels]  # (N, maps)
        for row, best in enumerate(np.argsort(-spoke, axis=1)[:, :8]):
            for each in best:
                said[labels[row]][f" {texts[row]} ".replace(" ", "_")[at[row, each] :][:size]] += spoke[row, each]
    return ["  ".join(string for string, _ in counter.most_common(6)) for counter in said]


def picture(matrix: np.ndarray, languages: list[str], told: list[str], note: str):
    """What was taken for what, family by family; beside each language, what it is told by."""
    figure, side = style.new_figure(10.8, 7.2, "Which language is it? The errors stay in the family", note), 5.7
    axes, shares = style.new_axes(figure, 1.35, 0.5, side, side), matrix / matrix.sum(axis=1, keepdims=True)
    axes.imshow(np.where(np.eye(len(languages)), np.nan, shares), cmap="OrRd", vmin=0, vmax=0.1, aspect="auto")
    axes.set_xticks(range(len(languages)), languages)
    axes.set_yticks(range(len(languages)), languages)
    axes.set_xlabel("taken for (darkest: a tenth of the row and more)", color=style.MUTED, fontsize=style.LABEL)
    b, beside = -0.5, axes.get_yaxis_transform()
    for family, members in FAMILIES.items():
        a, b = b, b + len(set(members.split()) & set(languages))
        if b > a:
            axes.plot([a, b, b, a, a], [a, a, b, b, a], color=style.BLUE)
            axes.text(-0.07, (a + b) / 2, family, transform=beside, ha="right", va="center", color=style.BLUE)
    figure.text(0.66, 0.88, "right   told by (_ is a word's edge)", color=style.MUTED, fontsize=style.LABEL)
    for row, strings in enumerate(told):
        text = f"{shares[row, row]:4.0%}  {strings}"
        axes.text(1.01, row, text, transform=beside, va="center", family="monospace", fontsize=style.SMALL)
    return figure


def main(config: Config) -> dict[str, float]:
    config = replace(config, epochs=6, maps=64) if config.tiny else config
    languages = ("da de fr it pl cs" if config.tiny else " ".join(FAMILIES.values())).split()
    texts, labels, part = phrases(languages)
    held_out, known = (part // 4 == 7, part < 28) if config.validation else (part >= 32, part < 32)
    old, new = (texts[known], labels[known]), (texts[held_out], labels[held_out])
    found = {f"linear_{n}": linear(n).fit(*old).score(*new) for n in (1, 2, 4)}

    # Letters as numbers, the phrase between two spaces.
    alphabet = {letter: i for i, letter in enumerate(sorted(set("".join(texts[known]) + " ")), UNKNOWN + 1)}
    ids = [[alphabet.get(letter, UNKNOWN) for letter in f" {text} "] for text in texts]
    ids = np.stack([data.pad_to(np.array(each, np.int32), config.length, value=BLANK) for each in ids])
    shape = {"channels": config.channels, "sizes": config.sizes, "maps": config.maps, "rate": config.rate}
    model = models.textcnn(len(languages), vocabulary=len(alphabet) + 2, **shape)
    steps = known.sum() // config.batch * config.epochs
    schedule = optax.warmup_cosine_decay_schedule(0.0, config.learning_rate, steps // 10, steps)
    optimizer = optax.adamw(schedule, b2=0.98, weight_decay=config.weight_decay)

    def batches(epoch):
        return data.batches((ids[known], labels[known]), config.batch, seed=config.seed, epoch=epoch)

    step = train.make_step(model, losses.cross_entropy, optimizer, metrics={"accuracy": metrics.accuracy})
    init_key, key = jax.random.split(jax.random.key(config.seed))
    start = train.create(model, optimizer, init_key, ids[:1])
    with train.progress_bar(steps, config.batch) as on_step:
        *_, end = train.fit(step, start, batches, epochs=config.epochs, key=key, on_step=on_step)
    params, x, y = end.train_state.params, ids[held_out], labels[held_out]
    logits, _ = jax.jit(model.apply)(params, {}, x)
    matrix = np.asarray(metrics.confusion_matrix(y, logits.argmax(axis=1), len(languages)))
    found["TextCNN"] = float(metrics.accuracy(logits, y))
    note = f"{len(y)} phrases, {known.sum()} others learned: " + ", ".join(f"{k} {v:.1%}" for k, v in found.items())
    figure = picture(matrix, languages, telling(model, params, x, y, texts[held_out]), note)
    print(note, viz.save(figure, config.out / "language.png"), sep="\n")
    return found


if __name__ == "__main__":
    main(tyro.cli(Config))

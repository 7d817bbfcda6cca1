"""Wide & deep: a linear model that remembers persons and a deep one that generalizes, trained as one.

Task:     who sees a doctor this year? 20,190 person-years of the RAND health insurance experiment, which statsmodels
          ships: the plan, the health, and which household and person it is. Held out: everybody's last year.
          With --path, UCI Adult's adult.data instead (and adult.test beside it): who earns more than 50,000 dollars?
Paper:    Cheng et al. (2016), Wide & Deep Learning for Recommender Systems. As there, follow-the-regularized-leader
          (FTRL) learns the wide part, of ids and crossed ids, and AdaGrad the deep part, of embedded ids.
Command:  python examples/wide_deep.py
Expected: area under the ROC curve (AUC) 0.799 (0.799 to 0.800 over three seeds), in half a minute on two cores. Wide
          alone 0.800, deep alone 0.790; the share of a person's earlier years 0.777, logistic regression 0.694.
          The settings were chosen on the last of the years to learn from, with those before it.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import tyro
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from jaxnets import data, extras, losses, metrics, models, train, viz
from jaxnets.data.formats.adult import NUMBERS, VOCABULARY
from jaxnets.viz import style


@dataclass(frozen=True)
class Config:
    seed: int = 0
    path: Path | None = None  # of adult.data
    epochs: int = 8
    batch: int = 128
    wide_rate: float = 0.4  # FTRL's learning rate
    deep_rate: float = 0.05  # AdaGrad's
    l2: float = 1.0  # keeps small what the wide part believes of a person after few years
    embedding: int = 16
    channels: tuple[int, ...] = (64, 32)
    drop: float = 0.5  # fraction of the deep part's hidden features
    buckets: int = 1000  # of each cross
    tiny: bool = False  # a fifth of the years, a few seconds
    out: Path = Path("runs/wide_deep")


class Table(NamedTuple):
    numbers: np.ndarray  # (N, F)
    ids: np.ndarray  # (N, S) int32
    labels: np.ndarray  # (N,) int32
    held_out: np.ndarray  # (N,) bool
    crosses: tuple[tuple[int, ...], ...]  # of columns of ids
    shown: np.ndarray  # (N,) int, what the picture groups by, -1 where not shown
    title: str  # of the groups


def survey(tiny: bool) -> Table:
    """The years of a person stand together, those of a household too; only the visits differ from year to year."""
    datasets = extras.require("statsmodels.api", extra="examples").datasets
    frame = datasets.randhie.load_pandas().data[: 4000 if tiny else None]
    seen, x = (frame.pop("mdvis") > 0).to_numpy(np.int32), frame.to_numpy(np.float32)

    def runs(columns):  # of equal rows, numbered: two who are alike in all and stand side by side count as one
        return np.cumsum(np.r_[False, (columns[1:] != columns[:-1]).any(axis=1)])

    def cut(x):  # 0, then ten intervals with equally many in each
        return np.digitize(x, np.unique(np.quantile(x[x > 0], np.arange(10) / 10)))

    household, person = runs(x[:, :4]), runs(x)  # the plan is the household's, the health the person's
    years = np.bincount(person)[person]
    last = np.r_[person[1:] != person[:-1], True] & (years > 1)
    shown = np.where(years == 5, np.bincount(person, np.where(last, 0, seen))[person], -1).astype(int)
    plan, health = cut(x[:, 0]), (x[:, 6:] * np.float32([[1, 2, 3]])).sum(axis=1)  # excellent, good, fair, poor
    ids = np.stack([plan, health, cut(x[:, 2]), cut(x[:, 3]), cut(x[:, 5]), household, person], axis=1)
    crosses = ((0, 4), (1, 4), (2, 4), (0, 1), (0, 1, 4))  # of plan, health, incentive and chronic diseases
    title, numbers = "visits in how many of the four years before", StandardScaler().fit_transform(x)
    return Table(numbers, ids.astype(np.int32), seen, last, crosses, shown, title)


def census(path: Path) -> Table:
    """UCI Adult; without adult.test every fifth row is held out."""
    files = [file for file in (path, path.with_name("adult.test")) if file == path or file.exists()]
    parts = [data.adult(file).arrays for file in files]
    rows = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    row, age = np.arange(len(rows["label"])), np.digitize(rows["age"], range(20, 70, 5))
    held_out = row >= len(parts[0]["label"]) if len(parts) > 1 else row % 5 == 0
    x = np.stack([np.log1p(rows[name]) if "capital" in name else rows[name] for name in NUMBERS], axis=1)
    ids = np.stack([*(rows[name] for name in VOCABULARY), age], axis=1).astype(np.int32)
    crosses = ((1, 3), (1, 3, 8), (2, 4), (0, 3), (3, 7))  # education and occupation, and age, …
    return Table(StandardScaler().fit_transform(x), ids, rows["label"], held_out, crosses, age, "age group")


def learn(config: Config, table: Table, parts: str) -> np.ndarray:
    """Train "wide", "deep" or "both"; the logits of the rows held out."""
    sizes = tuple(int(size) for size in table.ids.max(axis=0) + 1)
    options = {"buckets": config.buckets, "embedding": config.embedding, "channels": config.channels}
    model = models.wide_deep(sizes=sizes, crosses=table.crosses, **options, rate=config.drop, parts=parts)

    def loss(logits, labels):  # of a yes or no: the logit of no is 0
        return losses.cross_entropy(jnp.pad(logits, ((0, 0), (1, 0))), labels)

    # Both optimizers count in gradients of single rows, but the loss is a batch's mean: hence the scale.
    each = {"wide": train.ftrl(config.wide_rate, l2=config.l2), "deep": optax.adagrad(config.deep_rate)}
    optimizer = optax.chain(optax.scale(config.batch), optax.partition(each, lambda params: {k: k for k in params}))

    def batches(epoch):
        for numbers, ids, labels in data.batches(arrays, config.batch, seed=config.seed, epoch=epoch):
            yield {"numbers": numbers, "ids": ids}, labels

    arrays = tuple(array[~table.held_out] for array in (table.numbers, table.ids, table.labels))
    new = {"numbers": table.numbers[table.held_out], "ids": table.ids[table.held_out]}
    init_key, key = jax.random.split(jax.random.key(config.seed))
    step, start = train.make_step(model, loss, optimizer), train.create(model, optimizer, init_key, new)
    with train.progress_bar(len(arrays[0]) // config.batch * config.epochs, config.batch) as on_step:
        *_, end = train.fit(step, start, batches, epochs=config.epochs, key=key, on_step=on_step)
    return np.asarray(model.apply(end.train_state.params, end.train_state.state, new)[0][:, 0])


def baselines(table: Table) -> dict[str, np.ndarray]:
    """Logistic regression, which sees all but who it is; and habit, the share of yes of the last id (the person)."""
    new, labels, who = table.held_out, table.labels, table.ids[:, -1]
    x = np.concatenate([table.numbers, *(np.eye(ids.max() + 1)[ids] for ids in table.ids.T if ids.max() < 100)], axis=1)
    logistic = LogisticRegression(C=0.1, max_iter=1000).fit(x[~new], labels[~new]).decision_function(x[new])
    yes, no = (np.bincount(who[~new & (labels == label)], minlength=who.max() + 1) + 1 for label in (1, 0))
    return {"logistic": logistic, "habit": np.log(yes / no)[who[new]]}


def main(config: Config) -> dict[str, float]:
    table = census(config.path) if config.path else survey(config.tiny)
    scores = baselines(table) | {parts: learn(config, table, parts) for parts in ("wide", "deep", "both")}
    labels, shown = table.labels[table.held_out], table.shown[table.held_out]
    areas = {name: float(metrics.roc_auc(np.float32(score), labels)) for name, score in scores.items()}

    # The picture: what happened to groups of people, and what each model had expected.
    title = f"Wide & deep: AUC {areas['both']:.3f}, logistic regression {areas['logistic']:.3f}"
    figure = style.new_figure(7.4, 4.6, title, "what happened to those held out, and what each model expected (AUC)")
    axes, groups = style.new_axes(figure, 0.8, 0.6, 4.6, 3.1), np.unique(shown[shown >= 0])
    for color, (name, score) in zip((style.MUTED, style.SKY, *style.CYCLE), scores.items(), strict=False):
        means = [(1 / (1 + np.exp(-score[shown == group]))).mean() for group in groups]
        axes.plot(groups, means, "o-", color=color, label=f"{name} ({areas[name]:.3f})")
    axes.plot(groups, [labels[shown == group].mean() for group in groups], "kx", markersize=10, label="what happened")
    axes.set(xlabel=table.title, ylabel="share of yes", ylim=(0, 1.02), xticks=groups)
    axes.legend(frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
    print(viz.save(figure, config.out / "wide_deep.png"), *(f"{k} {v:.4f}" for k, v in areas.items()), sep="\n")
    return areas


if __name__ == "__main__":
    main(tyro.cli(Config))

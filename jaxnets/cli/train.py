"""`jaxnets train digits`."""

import json
import os
import time
from pathlib import Path
from typing import Any

import jax
import optax

from jaxnets import data, losses, metrics, models, train
from jaxnets.cli import results
from jaxnets.extras import require

MODEL = "lenet"
HISTORY = ("epoch", "train_loss", "train_accuracy", "test_loss", "test_accuracy")


def digits(
    *,
    seed: int = 0,
    epochs: int = 60,
    batch_size: int = 64,
    learning_rate: float = 3e-3,
    out: Path = Path("runs/digits"),
) -> None:
    """Train a small convolutional network on 1,797 scans of handwritten digits.

    A fifth of the scans, always the same, is held out for testing. The folder then has metrics.json,
    model.safetensors, which jaxnets predict reads, and pictures of what was learned.

    Args:
        seed: of the first parameters, the order of the images, augmentation and dropout.
        epochs: how often every image is seen.
        batch_size: images in a step.
        learning_rate: of AdamW at its highest; it rises at first, then falls to zero.
        out: folder for the results; results of an earlier run there are replaced.
    """
    for module in ("sklearn", "rich", "safetensors", "matplotlib"):  # not after minutes of training
        require(module)
    if epochs < 1 or batch_size < 1 or not learning_rate > 0:
        raise ValueError(
            f"epochs, batch size and learning rate must be positive, not {epochs}, {batch_size} and {learning_rate}"
        )
    if seed < 0:
        raise ValueError(f"the seed must not be negative, not {seed}")
    if out.exists() and not out.is_dir():
        raise NotADirectoryError(f"the results need a folder, and {out} is a file: give another with --out")
    started = time.perf_counter()
    dataset = data.digits()
    train_set = (dataset.train_images, dataset.train_labels)
    test_set = (dataset.test_images, dataset.test_labels)
    config: dict[str, Any] = {"num_classes": len(dataset.class_names)}
    model = models.create(MODEL, **config)

    def loss(logits: jax.Array, labels: jax.Array) -> jax.Array:
        return losses.cross_entropy(logits, labels, label_smoothing=0.05)

    def augment(key: jax.Array, images: jax.Array) -> jax.Array:
        return data.random_affine(key, images, shift=0.7, rotation=0.2, scale=0.1)

    def batches(epoch: int) -> Any:
        return data.batches(train_set, batch_size, seed=seed, epoch=epoch)

    steps = len(dataset.train_labels) // batch_size * epochs
    schedule = optax.warmup_cosine_decay_schedule(0.0, learning_rate, steps // 20, max(steps, 1))
    optimizer = optax.adamw(schedule, weight_decay=0.01)
    init_key, step_key = jax.random.split(jax.random.key(seed))
    example = next(iter(batches(1)))
    train_state = train.create(model, optimizer, init_key, example[0])
    measures = {"accuracy": metrics.accuracy}
    measure = train.make_eval(model, losses.cross_entropy, metrics=measures)

    def evaluate(train_state: train.TrainState) -> dict[str, jax.Array]:
        named = (("train", train_set), ("test", test_set))
        return {f"{part}_{name}": v for part, pair in named for name, v in measure(train_state, *pair).items()}

    print("Compiling the training step and the evaluation ...")
    compiling = time.perf_counter()
    step = train.make_step(model, loss, optimizer, metrics=measures, augment=augment)
    compiled = step.lower(train_state, step_key, *example).compile()
    jax.block_until_ready(evaluate(train_state))
    training = time.perf_counter()

    history: dict[str, list[float]] = {name: [] for name in HISTORY}
    with train.progress_bar(steps, batch_size) as on_step:
        for epoch in train.fit(
            compiled, train_state, batches, epochs=epochs, key=step_key, evaluate=evaluate, on_step=on_step
        ):
            train_state = epoch.train_state
            for name, value in [("epoch", epoch.number), *epoch.metrics.items()]:
                if name in history:
                    history[name].append(value)
            if epoch.number == 1:  # only now is there something better than what an earlier run left
                results.clear(out)
            results.save_model(out, train_state, MODEL, config, dataset)
    trained = time.perf_counter()

    probabilities = results.save_pictures(out, train_state, model, dataset, history)
    wrong = int((probabilities.argmax(-1) != dataset.test_labels).sum())
    seconds = time.perf_counter() - started
    device = jax.devices()[0]
    report = {
        "task": "digits",
        "test_accuracy": history["test_accuracy"][-1],
        "test_loss": history["test_loss"][-1],
        "seconds": seconds,
        "compile_seconds": training - compiling,
        "images_per_second": steps * batch_size / (trained - training),
        "config": {
            "model": MODEL,
            **config,
            "seed": seed,
            "epochs": epochs,
            "batch_size": batch_size,
            "learning_rate": learning_rate,
        },
        "device": {"platform": device.platform, "kind": device.device_kind, "cores": os.cpu_count()},
        "versions": train.checkpoint.versions("jax", "jaxlib", "flax", "optax", "numpy", "scikit-learn"),
        "history": history,
    }
    train.write(out / results.METRICS, json.dumps(report, indent=2) + "\n")
    print(
        f"{1 - wrong / len(probabilities):.1%} of {len(probabilities)} held-out digits read right ({wrong} misread) "
        f"after {seconds:.1f} s, {training - compiling:.1f} s of it compiling.\n"
        f"In {out}: {', '.join(results.FILES)}\n"
        f"Next: jaxnets predict IMAGE --checkpoint {out}"
    )

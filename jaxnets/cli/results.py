"""What `jaxnets train digits` leaves in its folder. Every file is whole or not there."""

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnets import data, metrics, models, train, viz

METRICS = "metrics.json"
PICTURES = ("learning_curves.png", "confusion.png", "misread.png", "filters.png", "feature_maps.png")
SHOWN = 3  # the digit in the picture of the feature maps: it has strokes in every direction
FILES = (METRICS, train.checkpoint.NAME, *PICTURES)


def clear(folder: Path) -> None:
    """Remove what an earlier run left, so that no file there speaks of another network than the rest."""
    for name in FILES:
        (folder / name).unlink(missing_ok=True)


def save_model(
    folder: Path, train_state: train.TrainState, model: str, config: dict[str, Any], dataset: data.Dataset
) -> None:
    """Write the checkpoint, with what `jaxnets predict` needs to use it."""
    extra = {
        "class_names": list(dataset.class_names),
        "image_size": list(dataset.train_images.shape[1:3]),
        "step": int(train_state.step),
    }
    train.checkpoint.save(
        folder / train.checkpoint.NAME,
        train_state.params,
        train_state.state,
        model=model,
        config=config,
        extra=extra,
    )


def save_pictures(
    folder: Path, train_state: train.TrainState, model: Any, dataset: data.Dataset, history: dict[str, list[float]]
) -> np.ndarray:
    """Draw the five pictures and return the probabilities of the held-out images, `(N, K)`."""
    params, state = train_state.params, train_state.state
    images, labels = dataset.test_images, dataset.test_labels
    logits, _ = jax.jit(model.apply)(params, state, images)
    probabilities = np.asarray(jax.nn.softmax(logits.astype(jnp.float32)))
    predicted = probabilities.argmax(-1)
    surest = int(np.where(labels == SHOWN, probabilities.max(-1), 0).argmax())
    one = images[surest : surest + 1]
    # From jit a dict comes back sorted by name: put the maps back in the order of the layers.
    maps, _ = jax.jit(models.lenet_features().apply)(params["features"], state["features"], one)
    shown = {name: maps[name] for name in ("conv1", "relu1", "pool1", "conv2", "relu2", "pool2")}
    shown["probabilities"] = probabilities[surest]
    matrix = metrics.confusion_matrix(jnp.asarray(labels), jnp.asarray(predicted), len(dataset.class_names))
    figures = (
        viz.learning_curves(history),
        viz.confusion(matrix, dataset.class_names),
        viz.misread(images, labels, predicted, probabilities),
        viz.filters(params["features"]["conv1"]["w"]),
        viz.feature_maps(shown, one),
    )
    for name, figure in zip(PICTURES, figures, strict=True):
        viz.save(figure, folder / name)
    return probabilities

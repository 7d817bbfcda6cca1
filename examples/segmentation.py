"""Image segmentation: which digit each pixel of a cluttered scene belongs to, by a U-Net.

Task:     scenes of 64x64 pixels: scikit-learn's scans, some of them overlapping, among pieces of others (data.scatter).
          No training scene is seen twice; the test scenes have scans that no training scene has.
Paper:    Ronneberger, Fischer and Brox (2015), U-Net: Convolutional Networks for Biomedical Image Segmentation, here
          on blocks of 2x2 pixels, which is four times as fast.
Command:  python examples/segmentation.py
Expected: mean IoU 0.74 (0.75, 0.73, 0.75 with seeds 0, 1, 2) in two minutes on two cores; connected components, each
          read by a support vector machine, 0.33.
"""

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import matplotlib
import numpy as np
import optax
import tyro
from scipy import ndimage
from sklearn.svm import SVC

from jaxnets import data, losses, metrics, models, ops, serial, train, viz
from jaxnets.viz import style

COLORS = matplotlib.colormaps["tab10"](np.arange(10))[:, :3]  # of the digits
COLORS[7] = 0.35, 0.85, 0.65  # in place of gray


@dataclass(frozen=True)
class Config:
    seed: int = 0
    steps: int = 1000
    batch: int = 16
    learning_rate: float = 5e-3  # at its highest
    channels: tuple[int, ...] = (32, 64, 96)  # of the U-Net's levels
    tests: int = 200  # scenes
    tiny: bool = False  # half the steps, without which it reads no digit
    out: Path = Path("runs/segmentation")


def classes(scenes):
    """(N, S, S) int32: 0 where there is nothing or clutter, one more than the digit elsewhere."""
    return (scenes.masks.astype(np.int32) * (scenes.labels[..., None, None] + 1)).max(1)


def network(channels):
    """(N, H, W, 1) to logits (N, H, W, 11)."""
    down, up = partial(ops.space_to_depth, block=2), partial(ops.depth_to_space, block=2)
    return serial(down, models.create("unet", num_classes=4 * 11, channels=channels), up)


def loss(logits, true):
    return losses.cross_entropy(logits, true) + losses.dice(logits, true)


def learn(config, make, key):
    """A function from images to classes, trained on scenes that `make` makes of keys."""
    model, (init_key, step_key, scene_key) = network(config.channels), jax.random.split(key, 3)
    schedule = optax.warmup_cosine_decay_schedule(0.0, config.learning_rate, config.steps // 10, config.steps)
    optimizer = optax.adamw(schedule, weight_decay=0.01)

    def batches(epoch):
        for i in range(config.steps):
            scenes = make(jax.random.fold_in(scene_key, i))
            yield scenes.images, classes(scenes)

    start = train.create(model, optimizer, init_key, jax.ShapeDtypeStruct((1, 64, 64, 1), jnp.float32))
    step = train.make_step(model, loss, optimizer, metrics={"accuracy": metrics.accuracy})
    with train.progress_bar(config.steps, config.batch) as on_step:
        *_, end = train.fit(step, start, batches, epochs=1, key=step_key, on_step=on_step)
    return jax.jit(
        lambda images: (
            model.apply(end.train_state.params, end.train_state.state, images)[0].argmax(-1).astype(jnp.int32)
        )
    )


# The baseline: what is brighter than its surroundings, in connected components, each cut out and read by a support
# vector machine, which learns from components of training scenes what a digit is and what is none.


def components(image):
    """The components of a scene: (mask, features), the features being 8x8 pixels, height and width."""
    smooth = ndimage.gaussian_filter(image[..., 0], 0.5)
    marked, _ = ndimage.label(ndimage.white_tophat(smooth, 15) > 0.3)
    for i, where in enumerate(ndimage.find_objects(marked), start=1):
        cut = np.where(marked[where] == i, smooth[where], 0)
        if cut.shape[0] >= 5 and cut.shape[1] >= 2:
            scan = ndimage.zoom(cut, 8 / np.array(cut.shape), order=1, grid_mode=True, mode="nearest")
            yield marked == i, [*(scan / scan.max()).ravel(), *(np.array(cut.shape) / 16)]


def classical(scenes, images):
    """What such a machine, taught with `scenes`, finds in `images`: classes (N, S, S)."""
    features, labels, found = [], [], []
    for image, true in zip(scenes.images, classes(scenes), strict=True):
        for mask, own in components(image):
            features.append(own)
            labels.append(np.bincount(true[mask]).argmax())
    machine = SVC(C=10.0).fit(features, labels)
    for image in images:
        found.append(np.zeros(image.shape[:2], np.int32))
        for mask, own in components(image):
            found[-1][mask] = machine.predict([own])[0]
    return np.stack(found)


def painted(image, found):
    """(S, S, 3): the scene in gray, the pixels of each digit in its color."""
    return np.where(found[..., None] > 0, 0.2 * image + 0.8 * COLORS[found - 1], (1 - 0.4 * found.any()) * image)


def main(config: Config) -> dict[str, float]:
    config = replace(config, steps=500, tests=60) if config.tiny else config
    digits = data.digits()

    def scenes(part, count):
        scans = {"scans": getattr(digits, f"{part}_images"), "labels": getattr(digits, f"{part}_labels")}
        return jax.jit(partial(data.scatter, **scans, count=count))

    test = jax.device_get(scenes("test", config.tests)(jax.random.key(1)))
    others = jax.device_get(scenes("train", config.tests * 2)(jax.random.key(2)))
    trained = learn(config, scenes("train", config.batch), jax.random.key(config.seed))
    truth, found = classes(test), {"U-Net": trained(test.images), "components": classical(others, test.images)}
    result = {name: float(metrics.mean_iou(metrics.confusion_matrix(truth, each, 11))) for name, each in found.items()}

    # The picture: some scenes, what is in them, and what was found.
    titles = {"Scenes": 0 * truth, "Which digit each pixel belongs to": truth}
    titles |= {f"By {name}: mean IoU {result[name]:.2f}": np.asarray(each) for name, each in found.items()}
    rows = {
        title: [viz.Picture("", painted(test.images[i], each[i])) for i in range(6)] for title, each in titles.items()
    }
    note = "held-out scans; pieces of scans are clutter, to be left gray"
    figure = viz.gallery(rows, title="Digits in clutter, pixel by pixel", subtitle=note, across=1.2, up=1.2)
    for k, color in enumerate(COLORS):
        place = {"x": 0.96 - 0.025 * (9 - k), "y": 0.965, "fontsize": style.TITLE, "fontweight": "bold"}
        figure.text(s=str(k), color=color, **place)
    print(viz.save(figure, config.out / "masks.png"), *(f"{k} {v:.4f}" for k, v in result.items()), sep="\n")
    return result


if __name__ == "__main__":
    main(tyro.cli(Config))

"""Object detection: handwritten digits of many sizes, found in clutter by a network that looks once.

Task:     scenes of 64x64 pixels: scikit-learn's scans, some of them overlapping, among pieces of others (data.scatter).
          No training scene is seen twice; the test scenes have scans that no training scene has.
Paper:    Tian, Shen, Chen and He (2019), FCOS: Fully Convolutional One-Stage Object Detection, with a small pyramid.
Command:  python examples/detection.py
Expected: average precision 0.44 (0.43, 0.43, 0.46 with seeds 0, 1, 2; 0.79 where half an overlap suffices) in three
          minutes on two cores; connected components read by a support vector machine 0.26 (0.35).
"""

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import tyro
from scipy import ndimage
from sklearn.svm import SVC

from jaxnets import collect, data, metrics, ops, parallel, serial, train, viz
from jaxnets.layers import batch_norm, conv, separable_conv
from jaxnets.models.detection import Targets, fcos
from jaxnets.models.detection.pyramid import each_level, feature_pyramid, rows

SIZE, PLACES = (64, 64), {"levels": (2, 3, 4), "place_sizes": ((4,), (8,), (16,))}  # a place for 4, 8 and 16 pixels


@dataclass(frozen=True)
class Config:
    seed: int = 0
    steps: int = 1000
    batch: int = 32
    learning_rate: float = 5e-3  # at its highest
    tests: int = 200  # scenes
    tiny: bool = False  # half the steps, without which it reads no digit
    out: Path = Path("runs/detection")


def block(channels, stride=1):
    main = serial(conv=conv(channels, 3, stride, padding=1, bias=False), norm=batch_norm(), relu=jax.nn.relu)
    return main if stride > 1 else parallel(jnp.add, main=main, skip=lambda x: x)


def network():
    """(N, 64, 64, 1) to what each place of each level says: class, distances of the sides, how central it is."""
    stages = {f"stage{i}": serial(block(c, 2), block(c)) for i, c in enumerate((24, 64, 96, 128))}
    return serial(
        backbone=collect(**stages),
        pyramid=feature_pyramid({f"p{i + 1}": f"stage{i}" for i in (1, 2, 3)}, 64, norm=batch_norm),
        head=each_level(serial(separable_conv(64, 3), jax.nn.relu, conv(15, 1), rows(15))),
        outputs=lambda y: {"logits": y[..., :10] - 4, "codes": jax.nn.softplus(y[..., 10:14]), "centers": y[..., 14:]},
    )


def loss(outputs, targets):
    parts = fcos.losses(outputs, targets, SIZE, **PLACES, reach=1.0)
    return 4 * parts["classes"] + parts["boxes"] + parts["centers"]


def learn(config, make, key):
    """A function from images to detections, trained on scenes that `make` makes of keys."""
    model, (init_key, step_key, scene_key) = network(), jax.random.split(key, 3)
    optimizer = optax.adamw(optax.cosine_onecycle_schedule(config.steps, config.learning_rate), weight_decay=0.01)

    def batches(epoch):
        for i in range(config.steps):
            scenes = make(jax.random.fold_in(scene_key, i))
            yield scenes.images, Targets(scenes.boxes, scenes.labels, scenes.valid)

    start = train.create(model, optimizer, init_key, jax.ShapeDtypeStruct((1, *SIZE, 1), jnp.float32))
    step = train.make_step(model, loss, optimizer)
    with train.progress_bar(config.steps, config.batch) as on_step:
        *_, end = train.fit(step, start, batches, epochs=1, key=step_key, on_step=on_step)

    params, state, limits = end.train_state.params, end.train_state.state, {"candidates": 100, "max_output": 20}
    return jax.jit(lambda x: fcos.detect(model.apply(params, state, x)[0], SIZE, **PLACES, min_score=0.05, **limits))


def components(image):
    """What is brighter than its surroundings, in pieces: (mask, features), which are 8x8 pixels, height and width."""
    smooth = ndimage.gaussian_filter(image[..., 0], 0.5)
    marked, _ = ndimage.label(ndimage.white_tophat(smooth, 15) > 0.3)
    for i, where in enumerate(ndimage.find_objects(marked), start=1):
        cut = np.where(marked[where] == i, smooth[where], 0)
        if cut.shape[0] >= 5 and cut.shape[1] >= 2:
            scan = ndimage.zoom(cut, 8 / np.array(cut.shape), order=1, grid_mode=True, mode="nearest")
            yield marked == i, [*(scan / scan.max()).ravel(), *(np.array(cut.shape) / 16)]


def classical(scenes, images):
    """The baseline: what a support vector machine, taught with components of `scenes`, finds in `images`."""
    features, labels, found = [], [], []
    for image, true, masks in zip(scenes.images, scenes.labels, scenes.masks, strict=True):
        for mask, own in components(image):
            iou = (masks & mask).sum((1, 2)) / (masks | mask).sum((1, 2))
            features.append(own)
            labels.append(true[iou.argmax()] if iou.max() > 0.5 else 10)  # which is nothing
    machine = SVC(C=10.0).fit(features, labels)
    for image in images:
        parts = list(components(image))
        votes = machine.decision_function([own for _, own in parts]) if parts else np.zeros((0, 11))
        boxes = [[x.min(), y.min(), x.max() + 1, y.max() + 1] for y, x in (np.nonzero(mask) for mask, _ in parts)]
        each = {"boxes": np.float32(boxes).reshape(-1, 4), "labels": votes.argmax(1), "scores": votes.max(1)}
        found.append({key: value[votes.argmax(1) < 10] for key, value in each.items()})
    return found


def picture(image, true, found):
    """A scene, the boxes found, red if wrong, and the true ones, dashed, red if missed."""
    right = np.asarray(ops.box_iou(found["boxes"], true["boxes"])) >= 0.5
    right &= found["labels"][:, None] == true["labels"][None]
    frames = [
        viz.Frame(box, "" if each is true else str(digit), color if good else "#ff4d4d", dashed=each is true)
        for each, goods, color in ((true, right.any(0), "white"), (found, right.any(1), "#4be08a"))
        for box, digit, good in zip(each["boxes"], each["labels"], goods, strict=True)
    ]
    return viz.Picture("", image[..., 0], gray=True, frames=frames)


def main(config: Config) -> dict[str, float]:
    config = replace(config, steps=500, tests=60) if config.tiny else config
    digits = data.digits()
    seen = partial(data.scatter, scans=digits.train_images, labels=digits.train_labels)
    unseen = partial(data.scatter, scans=digits.test_images, labels=digits.test_labels)
    test = jax.device_get(jax.jit(partial(unseen, count=config.tests))(jax.random.key(1)))
    truth = [{"boxes": b[v], "labels": k[v]} for b, k, v in zip(*test[1:4], strict=True)]
    others = jax.device_get(jax.jit(partial(seen, count=config.tests * 2))(jax.random.key(2)))
    detect = learn(config, jax.jit(partial(seen, count=config.batch)), jax.random.key(config.seed))
    outputs = zip(*jax.device_get(detect(test.images)), strict=True)
    network = [{"boxes": b[v], "labels": k[v], "scores": s[v]} for b, k, s, v in outputs]

    # The picture: what each found on the same scenes, the network's boxes being those of which it is sure.
    shown, result = {}, {}
    for name, each in (("FCOS", network), ("components", classical(others, test.images))):
        scores, least = metrics.coco_map(truth, each), 0.4 if name == "FCOS" else -np.inf
        result |= {f"{name} AP": scores["AP"], f"{name} AP50": scores["AP50"]}
        sure = [{key: value[found["scores"] > least] for key, value in found.items()} for found in each[:6]]
        drawn = [picture(*parts) for parts in zip(test.images, truth, sure, strict=False)]
        shown[f"By {name}: mean average precision {scores['AP']:.2f}"] = drawn
    note = "in green, with the digit read, in red if wrong; dashed what is true, in red if missed"
    figure = viz.gallery(shown, title="Digits found in clutter", subtitle=note, across=1.4, up=1.4)
    print(viz.save(figure, config.out / "boxes.png"), *(f"{k} {v:.4f}" for k, v in result.items()), sep="\n")
    return result


if __name__ == "__main__":
    main(tyro.cli(Config))

"""Pretrained weights: read from a safetensors file, used to classify, fine-tuned for other classes, and looked into.

Task: a network that knows the digits 0 to 4 learns 5 to 9 from five scans of each, moved, turned and noisy.
Paper: Yosinski et al. (2014), How transferable are features in deep neural networks?, https://arxiv.org/abs/1411.1792;
Grad-CAM, which shows where a network looks: Selvaraju et al. (2017), https://arxiv.org/abs/1610.02391.
Run: python examples/pretrained.py --tiny, or with weights that torchvision published,
python examples/pretrained.py --weights resnet18.safetensors --image cat.jpg --size 224
Expect: of the held-out 5 to 9 it reads 67, 82 and 78 % with seeds 0 to 2; trained from scratch on the same scans 43 and
53 % with seeds 0 and 1. runs/pretrained/looks.png shows where it looks. A minute or two on two cores.
"""

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import tyro

import jaxnets
from jaxnets import data, losses, metrics, models, ops, train, tree, viz, weights

MEAN, STD = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])  # of ImageNet, as torchvision wants them


@dataclass(frozen=True)
class Config:
    weights: str = ""  # a safetensors file under torchvision's names; if none, one is made: pretrained on 0 to 4
    name: str = "resnet18"  # the ResNet that is in the file
    image: str = ""  # to classify; if none, held-out digits
    size: int = 24  # pixels, what images are brought to; torchvision's weights are for 224
    shots: int = 5  # scans of each new digit
    pretrain_epochs: int = 8
    epochs: int = 100  # of fine-tuning, a step each
    seed: int = 0
    tiny: bool = False
    out: str = "runs/pretrained"


def scenes(images, labels, seed):
    """Each digit moved, turned and noisy: (N, 24, 24, 3). Those of 0 to 4 with labels, then those of 5 to 9."""
    move, noise = jax.random.split(jax.random.fold_in(jax.random.key(seed), len(images)))
    x = jnp.pad(ops.resize(jnp.asarray(images), 16), ((0, 0), (4, 4), (4, 4), (0, 0)))
    x = data.random_affine(move, x, shift=4.0, rotation=0.3, scale=0.2)
    x, old = np.repeat(x + 0.2 * jax.random.normal(noise, x.shape), 3, axis=3), labels < 5
    return (x[old], labels[old]), (x[~old], labels[~old] - 5)


def fit(model, params, state, images, labels, optimizer, epochs, seed):
    """Trained copies of params and state. Images are moved a little, differently at every step."""

    def augment(key, x):
        return data.random_affine(key, x, shift=0.08 * x.shape[1], rotation=0.2, scale=0.1)

    size = min(64, len(labels))
    step = train.make_step(model, losses.cross_entropy, optimizer, augment=augment)
    params, state = jax.tree.map(jnp.copy, (params, state))  # a step consumes what it is given
    start = train.TrainState(params, state, optimizer.init(params), jnp.zeros((), jnp.int32))
    with train.progress_bar(len(labels) // size * epochs, size) as shown:
        key, each = jax.random.key(seed), lambda epoch: data.batches((images, labels), size, seed=seed, epoch=epoch)
        *_, last = train.fit(step, start, each, epochs=epochs, key=key, on_step=shown)
    return last.train_state.params, last.train_state.state


def grad_cam(model, params, state, x):
    """The classes that the network finds best, (N,), and how much each place of its last maps speaks for them."""
    last = max(name for name in params if name.startswith("stage"))
    maps = jaxnets.tap(model, last).apply(params, state, x)[0][last]
    head = jaxnets.serial(jaxnets.global_avg_pool(), logits=jaxnets.dense(params["classifier"]["logits"]["b"].size))

    def best(maps):
        logits = head.apply(params["classifier"], {}, maps)[0]
        return logits.max(axis=1).sum(), logits.argmax(axis=1)

    slopes, classes = jax.grad(best, has_aux=True)(maps)
    channels = slopes.mean(axis=(1, 2), keepdims=True)  # how much each channel speaks for the class
    heat = jax.nn.relu((channels * maps).sum(axis=3, keepdims=True))
    return classes, ops.resize(heat / (heat.max(axis=(1, 2), keepdims=True) + 1e-6), x.shape[1:3])


def pictures(images, heat, titles):
    """The images, red where the network looks."""
    heat = 0.6 * np.asarray(ops.resize(heat, images.shape[1:3]))
    shown = images.clip(0, 1) * (1 - heat) + heat * np.array([0.9, 0.1, 0.0])
    return [viz.Picture(title, pixels) for title, pixels in zip(titles, shown, strict=True)]


def main(config: Config) -> dict[str, float]:
    config = replace(config, pretrain_epochs=2, epochs=30) if config.tiny else config
    small = {} if config.weights else {"depths": (1, 1), "channels": (32, 64), "output_stride": 4}
    known = 1000 if config.weights else 40  # classes in the file
    key, path = jax.random.key(config.seed), Path(config.weights or f"{config.out}/digits.safetensors")
    digits = data.digits()
    (old_x, old_y), (x, y) = scenes(digits.train_images, digits.train_labels, config.seed)
    (images, labels), (test_x, test_y) = scenes(digits.test_images, digits.test_labels, config.seed)

    def ready(images):
        """(N, h, w, 3) → (N, size, size, 3), as the weights want it."""
        return ((np.asarray(ops.resize(jnp.asarray(images, jnp.float32), config.size)) - MEAN) / STD).astype(np.float32)

    if (
        not config.weights
    ):  # Learn 0 to 4, turned and mirrored to 40 classes (digit + 5 · position): more to tell apart.
        turned = [np.rot90(side, quarter, axes=(1, 2)) for side in (old_x, old_x[:, :, ::-1]) for quarter in range(4)]
        turned, names = ready(np.concatenate(turned)), np.concatenate([old_y + 5 * side for side in range(8)])
        model, adam = models.create(config.name, num_classes=known, **small), optax.adamw(3e-3)
        trained = fit(model, *model.init(key, turned), turned, names, adam, config.pretrain_epochs, config.seed)
        weights.save(path, config.name, *trained, source="torchvision")

    # Load the file, whoever wrote it, and classify.
    params, state = weights.load(path, config.name, source="torchvision", num_classes=known, **small)
    if config.image:
        images, labels = data.center_crop(data.read_rgb(config.image), (config.size,) * 2)[None] / 255, ["image"]
    look = jax.jit(partial(grad_cam, models.create(config.name, num_classes=known, **small)))
    classes, heat = look(params, state, ready(images[:7]))
    titles = [f"{true}: class {said}" for true, said in zip(labels[:7], classes, strict=True)]
    rows = {"What the file knows, and where it looks": pictures(images[:7], heat, titles)}

    # Fine-tune: the last matrix begins anew and is all that is trained, and the network runs as it will be used, which
    # leaves the statistics of batch norm alone. Against it: the same network, scans and steps, all of it from scratch.
    few = np.concatenate([np.flatnonzero(y == k)[: config.shots] for k in range(5)])
    x, y, images, test_x = ready(x[few]), y[few], test_x[:14], ready(test_x)
    model = models.create(config.name, num_classes=5, **small)
    still = jaxnets.Layer(model.init, lambda params, state, x, *, train=False, key=None: model.apply(params, state, x))
    fresh = {"num_classes": 5, "fresh": "classifier/logits/*", "key": key}
    params, state = weights.load(path, config.name, source="torchvision", **fresh, **small)
    frozen = tree.freeze(params, "stem/*", "stage*")
    optimizer = optax.partition({"trained": optax.adamw(1e-2), "frozen": optax.set_to_zero()}, frozen)
    tuned = fit(still, params, state, x, y, optimizer, config.epochs, config.seed)
    scratch = fit(model, *model.init(key, x), x, y, optax.adamw(1e-3), config.epochs, config.seed)

    def accuracy(params, state):
        return float(metrics.accuracy(jax.jit(model.apply)(params, state, test_x)[0], jnp.asarray(test_y)))

    result = {"fine_tuned": accuracy(*tuned), "from_scratch": accuracy(*scratch)}
    classes, heat = jax.jit(partial(grad_cam, model))(*tuned, test_x[:14])
    titles = [f"{5 + true}: read as {5 + said}" for true, said in zip(test_y[:14], classes, strict=True)]
    drawn = pictures(images, heat, titles)
    rows |= {f"Five new digits, learned from {config.shots} scans of each": drawn[:7], "": drawn[7:]}
    note = ", ".join(f"{name.replace('_', ' ')} {value:.0%}" for name, value in result.items())
    figure = viz.gallery(rows, title="Where a pretrained network looks", subtitle=note, across=1.2, up=1.2)
    print(note, viz.save(figure, f"{config.out}/looks.png"))
    return result


if __name__ == "__main__":
    main(tyro.cli(Config))

"""Pretrained weights: read from a safetensors file, used to classify, fine-tuned for other classes, and looked into.

Task: a network that knows the digits 0 to 4 learns 5 to 9 from five scans of each, moved, turned and noisy: a mean over
five draws of the five, read on scans held out. The rates were chosen on the other scans that were not.
Paper: Yosinski et al. (2014), How transferable are features in deep neural networks?, https://arxiv.org/abs/1411.1792;
Grad-CAM, which shows where a network looks: Selvaraju et al. (2017), https://arxiv.org/abs/1610.02391.
Run: python examples/pretrained.py, or with torchvision's file: --weights resnet18.safetensors --image a.jpg --size 224
Expect: 75 % (seeds 0 to 2: 72, 77, 76; all from scratch: 54, 50, 47), in a minute or two; looks.png: where it looks.
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
    image: str = ""  # to classify, and no more; if none, digits are, and new ones learned
    size: int = 24  # pixels, what images are brought to; torchvision's weights are for 224
    shots: int = 5  # scans of each new digit
    draws: int = 5  # of these scans; the accuracies are means over them
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


def learner(model, optimizer, config):
    """A function that trains copies of params and state. Images are moved a little, differently at every step."""
    augment = partial(data.random_affine, shift=0.08 * config.size, rotation=0.2, scale=0.1)
    step = train.make_step(model, losses.cross_entropy, optimizer, augment=augment)

    def learn(params, state, images, labels, epochs):
        size, copies = min(64, len(labels)), jax.tree.map(jnp.copy, (params, state))  # a step consumes what it is given
        start = train.TrainState(*copies, optimizer.init(params), jnp.zeros((), jnp.int32))
        with train.progress_bar(len(labels) // size * epochs, size) as shown:
            each = partial(data.batches, (images, labels), size, seed=config.seed)
            key = jax.random.key(config.seed)
            *_, last = train.fit(step, start, lambda epoch: each(epoch=epoch), epochs=epochs, key=key, on_step=shown)
        return last.train_state.params, last.train_state.state

    return learn


def grad_cam(model, params, state, x):
    """The logits (N, K), and how much each place of the last maps speaks for the class that the network finds best."""
    last = max(name for name in params if name.startswith("stage"))
    maps = jaxnets.tap(model, last).apply(params, state, x)[0][last]
    head = jaxnets.serial(jaxnets.global_avg_pool(), logits=jaxnets.dense(params["classifier"]["logits"]["b"].size))

    def best(maps):
        logits = head.apply(params["classifier"], {}, maps)[0]
        return logits.max(axis=1).sum(), logits

    slopes, logits = jax.grad(best, has_aux=True)(maps)
    heat = jax.nn.relu((slopes.mean(axis=(1, 2), keepdims=True) * maps).sum(axis=3, keepdims=True))
    return logits, ops.resize(heat / (heat.max(axis=(1, 2), keepdims=True) + 1e-6), x.shape[1:3])


def pictures(images, heat, title, *told):
    """The images, red where the network looks, and what is told of each."""
    heat = 0.6 * np.asarray(ops.resize(heat, images.shape[1:3]))
    shown = images.clip(0, 1) * (1 - heat) + heat * np.array([0.9, 0.1, 0.0])
    return [*map(viz.Picture, map(title.format, *told), shown)]


def main(config: Config) -> dict[str, float]:
    config = replace(config, pretrain_epochs=2, epochs=30, draws=1) if config.tiny else config
    small = {} if config.weights else {"depths": (1, 1), "channels": (32, 64), "output_stride": 4}
    known = {"num_classes": 1000 if config.weights else 40, **small}  # classes in the file
    model = models.create(config.name, **known)
    key, path = jax.random.key(config.seed), Path(config.weights or f"{config.out}/digits.safetensors")
    digits = data.digits()
    (old_x, old_y), (x, y) = scenes(digits.train_images, digits.train_labels, config.seed)
    (images, labels), (test_x, test_y) = scenes(digits.test_images, digits.test_labels, config.seed)

    def ready(images):
        return ((np.asarray(ops.resize(jnp.asarray(images, jnp.float32), config.size)) - MEAN) / STD).astype(np.float32)

    if not config.weights:
        # Learn 0 to 4, turned and mirrored to 40 classes (digit + 5 · position): more to tell apart.
        turned = [np.rot90(side, quarter, axes=(1, 2)) for side in (old_x, old_x[:, :, ::-1]) for quarter in range(4)]
        old_x, old_y = ready(np.concatenate(turned)), np.concatenate([old_y + 5 * side for side in range(8)])
        task = old_x, old_y, config.pretrain_epochs
        trained = learner(model, optax.adamw(3e-3), config)(*model.init(key, old_x), *task)
        weights.save(path, config.name, *trained, source="torchvision")

    # Load the file, whoever wrote it, and classify.
    params, state = weights.load(path, config.name, source="torchvision", **known)
    if config.image:
        images, labels = data.center_crop(data.read_rgb(config.image), (config.size,) * 2)[None] / 255, ["image"]
    logits, heat = jax.jit(partial(grad_cam, model))(params, state, ready(images[:7]))
    shares, classes = jax.lax.top_k(jax.nn.softmax(logits), 5)
    rows = {"What the file knows, where it looks": pictures(images[:7], heat, "{}: class {}", labels, classes[:, 0])}
    if config.image:
        print(*map("class {}: {:.2%}".format, classes[0], shares[0]), sep="\n")
        viz.save(viz.gallery(rows, title=config.image, across=4, up=4), f"{config.out}/looks.png")
        return {"class": int(classes[0, 0]), "probability": float(shares[0, 0])}

    # Fine-tune: a new last matrix, and batch norm as in the file. Against it: all of it from scratch.
    model = models.create(config.name, num_classes=5, **small)
    still = jaxnets.Layer(model.init, lambda params, state, x, *, train=False, key=None: model.apply(params, state, x))
    fresh = {"num_classes": 5, "fresh": "classifier/logits/*", "key": key, **small}
    params, state = weights.load(path, config.name, source="torchvision", **fresh)
    frozen = tree.freeze(params, "stem/*", "stage*")
    optimizer = optax.partition({"trained": optax.adamw(1e-2), "frozen": optax.set_to_zero()}, frozen)
    tune, learn = learner(still, optimizer, config), learner(model, optax.adamw(3e-3), config)
    result, random = {"fine_tuned": 0.0, "from_scratch": 0.0}, np.random.default_rng(config.seed)
    images, test_x, test_y = test_x[:14], ready(test_x), jnp.asarray(test_y)
    for draw in range(config.draws):
        few = np.concatenate([random.choice(np.flatnonzero(y == k), config.shots, replace=False) for k in range(5)])
        scans = ready(x[few]), y[few], config.epochs
        tuned = tune(params, state, *scans)
        scratch = learn(*model.init(jax.random.fold_in(key, draw), scans[0]), *scans)
        for name, trained in zip(result, (tuned, scratch), strict=True):
            result[name] += float(metrics.accuracy(jax.jit(model.apply)(*trained, test_x)[0], test_y)) / config.draws
    logits, heat = jax.jit(partial(grad_cam, model))(*tuned, test_x[:14])
    drawn = pictures(images, heat, "{}: read as {}", 5 + test_y, 5 + logits.argmax(1))
    rows |= {f"Five new digits, learned from {config.shots} scans of each": drawn[:7], "": drawn[7:]}
    note = ", ".join(f"{name.replace('_', ' ')} {value:.0%}" for name, value in result.items())
    figure = viz.gallery(rows, title="Where a pretrained network looks", subtitle=note, across=1.2, up=1.2)
    print(note, viz.save(figure, f"{config.out}/looks.png"))
    return result


if __name__ == "__main__":
    main(tyro.cli(Config))

"""Other libraries as oracles: their models, filled with random numbers, against ours with the same weights.

Each comparison appends a row (model, source, largest relative error, and of what) to the JSON lines in the file that
the environment variable JAXNETS_PARITY names, if it names one; `python tests/parity/table.py FILE` prints them.
"""

import json
import os
import re
import sys
from fnmatch import fnmatchcase
from zlib import crc32

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnets import models, tree, weights

TOLERANCE = 1e-4
TABLE = "JAXNETS_PARITY"

torch = pytest.importorskip("torch", reason="parity needs PyTorch: pip install '.[parity]'")
torch.set_grad_enabled(True)


def torchvision():
    """The module, whose import wants its operators to exist, by name at least, also where it was built without them."""
    if "torchvision" in sys.modules:
        return sys.modules["torchvision"]
    library = None
    for _ in range(20):
        try:
            import torchvision

            torchvision.jaxnets_library = library  # it lives as long as the module
            return torchvision
        except RuntimeError as error:
            name = re.search(r"operator torchvision::(\w+) does not exist", str(error))
            if name is None:
                raise
            library = library or torch.library.Library("torchvision", "DEF")
            library.define(f"{name[1]}(Tensor a) -> Tensor")
            for module in [m for m in sys.modules if m.split(".")[0] == "torchvision"]:
                del sys.modules[module]
        except ImportError as error:
            pytest.skip(f"torchvision cannot be imported: {error}", allow_module_level=True)
    raise RuntimeError("torchvision wants more than twenty operators")


def timm():
    torchvision()
    return pytest.importorskip("timm", reason="timm is not installed: pip install --no-deps timm")


def transformers():
    return pytest.importorskip("transformers", reason="transformers is not installed: pip install '.[parity]'")


def classifier(family, **config):
    """A classifier of images of transformers, whose logits alone are its output."""
    torchvision()  # which transformers imports, if it is there
    library = transformers()
    made = getattr(library, f"{family}Config")(**{"num_labels": 1000, **config})
    return randomise(getattr(library, f"{family}ForImageClassification")(made))


def logits(module, x):
    return module(pixel_values=x).logits


def randomise(module, seed=0):
    """Fill ALL floating-point parameters and buffers with random numbers that keep the activations' scale.

    Matrices and kernels are normal with variance 1 / fan-in, factors (vectors called weight, gamma, scale) and
    variances uniform between 0.5 and 1.5, other vectors normal with deviation 0.1. Integers are left alone.
    """
    with torch.no_grad():
        for name, tensor in [*module.named_parameters(), *module.named_buffers()]:
            if tensor.is_floating_point():
                draw = np.random.default_rng([seed, crc32(name.encode())])
                tensor.copy_(torch.from_numpy(_values(name, tuple(tensor.shape), draw)))
    return module.eval()


def _values(name, shape, draw):
    last = name.split(".")[-1]
    if sum(n > 1 for n in shape) <= 1:
        positive = last == "running_var" or re.search(r"weight|gamma|scale|lambda", last)
        values = draw.uniform(0.5, 1.5, shape) if positive else 0.1 * draw.standard_normal(shape)
    else:
        values = draw.standard_normal(shape) / np.prod(shape[1:]) ** 0.5
    return values.astype(np.float32)


def arrays(state_dict):
    """A state dict as NumPy arrays of its own."""
    return {name: tensor.detach().numpy().copy() for name, tensor in state_dict.items()}


def some(names, *default):
    """The names as test parameters, those that are not in `default` slow: CI runs one or two of a family."""
    return [name if name in default else pytest.param(name, marks=pytest.mark.slow) for name in names]


def images(*shape, seed=0):
    """Random images, (N, H, W, C)."""
    return np.random.default_rng(seed).standard_normal(shape, np.float32)


def channels_first(x):
    """The images as their models take them."""
    return torch.from_numpy(np.ascontiguousarray(np.moveaxis(x, -1, 1)))


def relative(ours, theirs):
    """The largest difference, as a fraction of the leaf's largest number, over the leaves of two trees.

    Leaves that are rounding and nothing else, as the gradient of what the softmax takes away, are left out: a millionth
    of the largest leaf in both.
    """
    pairs = [(np.float32(a), np.float32(b)) for a, b in zip(*map(jax.tree.leaves, (ours, theirs)), strict=True)]
    for a, b in pairs:
        assert a.shape == b.shape
        assert np.isfinite(a).all()  # a NaN is larger than nothing, so no maximum would show it
        assert np.isfinite(b).all()
    largest = [max(np.abs(each).max() for each in pair) for pair in pairs]
    counting = [pair for pair, size in zip(pairs, largest, strict=True) if size > 1e-6 * max(largest)]
    return max(float(np.abs(a - b).max() / np.abs(b).max()) for a, b in counting)


def compare(
    name,
    source,
    theirs,
    x,
    *,
    inputs=channels_first,
    outputs=lambda y: y,
    run=None,
    statistics=True,
    gradient=False,
    zero="",
    tolerance=TOLERANCE,
    published=lambda module, tensors: tensors,
    **config,
):
    """Hold our model against theirs, which `randomise` has filled.

    Args:
        name, source: for `weights.from_state_dict`; `config` is for our model. It must draw no random numbers in
            training (`rate=0`, `path_rate=0`) if there are statistics to compare, and neither must theirs.
        theirs: their module.
        x: our input, an array or a tree of arrays.
        inputs: our input as theirs.
        outputs: their output as ours: a tensor or a tree of tensors, channels last where ours are.
        run: `run(theirs, inputs(x))`, where calling it is not enough.
        statistics: compare the state after a pass in training mode, if there is any; a number is its own tolerance.
        zero: a glob of leaves whose gradient is zero, and what is computed for it rounding and nothing else.
        gradient: compare the gradient of a random linear function of the output, in every parameter.
        published: `published(theirs, tensors)` has the tensors under the names of their files, where they are others.

    Returns:
        The largest relative errors: of the output, and of the statistics and the gradient where compared.
    """
    run = run or (lambda module, x: module(x))
    evaluate, train, backward = _programs(name, json.dumps(config, default=repr), lambda: models.create(name, **config))
    given = arrays(theirs.state_dict())
    params, state = weights.from_state_dict(name, published(theirs, given), source=source, **config)
    theirs.eval()
    wanted = outputs(run(theirs, inputs(x)))
    found = evaluate(params, state, x)
    plain = jax.tree.map(lambda t: t.detach().numpy(), wanted)
    assert jax.tree.map(np.shape, found) == jax.tree.map(np.shape, plain)
    errors = {"output": relative(found, plain)}
    if gradient:
        errors["gradient"] = _gradient(
            name, source, backward, theirs, params, state, x, wanted, zero, published, config
        )
    if statistics and state:
        for module in theirs.modules():  # theirs draws nothing either
            if isinstance(module, torch.nn.Dropout):
                module.p = 0.0
        theirs.train()
        with torch.no_grad():
            run(theirs, inputs(x))
        after = published(theirs, arrays(theirs.state_dict()))
        _, wanted_state = weights.from_state_dict(name, after, source=source, **config)
        errors["statistics"] = relative(train(params, state, x), wanted_state)
        theirs.load_state_dict({k: torch.from_numpy(v) for k, v in given.items()})
        theirs.eval()
    _record(name, source, errors)
    own = {} if isinstance(statistics, bool) else {"statistics": statistics}
    for what, error in errors.items():
        assert error < own.get(what, tolerance), f"{name} from {source}: relative error {error:.1e} of the {what}"
    return errors


_compiled = {}


def _programs(name, config, make):
    """Our model's output, its state after training, and the gradient: compiled once, whatever the source."""
    if (name, config) not in _compiled:
        model = make()

        def loss(params, state, x, cotangent):
            y, _ = model.apply(params, state, x)
            return sum(jnp.sum(a * c) for a, c in zip(jax.tree.leaves(y), jax.tree.leaves(cotangent), strict=True))

        _compiled.clear()  # one model's programs at a time
        _compiled[name, config] = (
            jax.jit(lambda p, s, x: model.apply(p, s, x)[0]),
            jax.jit(lambda p, s, x: model.apply(p, s, x, train=True, key=jax.random.key(0))[1]),
            jax.jit(jax.grad(loss)),
        )
    return _compiled[name, config]


def _gradient(name, source, backward, theirs, params, state, x, wanted, zero, published, config):
    draw = np.random.default_rng(1)
    cotangent = jax.tree.map(lambda t: draw.standard_normal(tuple(t.shape)).astype(np.float32), wanted)
    pairs = zip(jax.tree.leaves(wanted), jax.tree.leaves(cotangent), strict=True)
    theirs.zero_grad()
    sum((t * torch.from_numpy(c)).sum() for t, c in pairs).backward()
    ours = backward(params, state, x, cotangent)
    gradients = arrays(theirs.state_dict())  # the buffers as they are, which have no gradient
    gradients |= {n: p.grad.numpy().copy() for n, p in theirs.named_parameters() if p.grad is not None}
    theirs_as_ours, _ = weights.from_state_dict(name, published(theirs, gradients), source=source, **config)
    ours, both = tree.flatten(ours), tree.flatten(theirs_as_ours)
    assert ours.keys() == both.keys()
    nothing = {path for path in ours if fnmatchcase(path, zero)}
    largest = max(float(np.abs(a).max()) for a in both.values())
    assert all(float(np.abs(a[path]).max()) < 1e-5 * largest for a in (ours, both) for path in nothing)
    kept = [path for path in ours if path not in nothing]
    return relative([ours[path] for path in kept], [both[path] for path in kept])


def _record(name, source, errors):
    if os.environ.get(TABLE):
        with open(os.environ[TABLE], "a") as file:
            file.write(json.dumps({"model": name, "source": source, **errors}) + "\n")

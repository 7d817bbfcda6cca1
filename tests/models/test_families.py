"""What sets each family apart: its tree, its strides, the depth that it drops, the images that it takes."""

import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import CASES

from jaxnets import models, summary, tree
from jaxnets.layers import batch_norm, drop_path
from jaxnets.models import parts

SMALL = {
    "resnet18": {"depths": (1, 1), "channels": (4, 8)},
    "mobilenet_v2": {"stages": ((1, 8, 1, 1), (2, 8, 2, 2)), "stem": 8, "head": 16},
    "efficientnet_b0": {"stages": (("mbconv", 1, 3, 1, 8, 1), ("mbconv", 4, 5, 2, 8, 2)), "stem": 8},
    "convnext_tiny": {"depths": (1, 2), "channels": (4, 8)},
}


def trees(model, side=64):
    return jax.eval_shape(model.init, jax.random.key(0), jax.ShapeDtypeStruct((1, side, side, 3), jnp.float32))


def file_of(name):
    """The names that the family's own file looks up."""
    return inspect.unwrap(models.MODELS[name]).__globals__


def outputs(name, side):
    """The shape of each stage's output."""
    rows = summary(models.create(name), jax.ShapeDtypeStruct((1, side, side, 3), jnp.float32)).rows
    return {row.path: row.output[0] for row in rows if "/" not in row.path}


@pytest.mark.parametrize(
    ("name", "sides"),
    [
        ("resnet18", {"stem": 24, "stage1": 24, "stage2": 12, "stage3": 6, "stage4": 3}),
        ("mobilenet_v2", {"stem": 48, "stage1": 48, "stage2": 24, "stage3": 12, "stage5": 6, "stage7": 3, "head": 3}),
        ("efficientnet_b0", {"stem": 48, "stage2": 24, "stage3": 12, "stage5": 6, "stage6": 3, "head": 3}),
        ("convnext_tiny", {"stem": 24, "stage1": 24, "stage2": 12, "stage3": 6, "stage4": 3}),
        ("vgg11", {"stage1": 48, "stage2": 24, "stage3": 12, "stage4": 6, "stage5": 3}),
        ("densenet121", {"stem": 24, "block1": 24, "transition1": 12, "block2": 12, "block3": 6, "block4": 3}),
        ("mobilenet_v3_large", {"stem": 48, "stage1": 48, "stage2": 24, "stage3": 12, "stage5": 6, "stage6": 3}),
        ("mobilenet_v3_small", {"stem": 48, "stage1": 24, "stage2": 12, "stage3": 6, "stage4": 6, "stage5": 3}),
    ],
)
def test_sides_of_the_maps(name, sides):
    found = outputs(name, 96)
    assert {stage: found[stage][1:3] for stage in sides} == {stage: (side, side) for stage, side in sides.items()}


def test_a_dilated_mobilenet_keeps_the_resolution_of_its_last_stage():
    rows = summary(models.mobilenet_v3_large(dilated=True), jax.ShapeDtypeStruct((1, 96, 96, 3), jnp.float32)).rows
    sides = {row.path: row.output[0][1] for row in rows}
    assert sides["stage5"] == sides["stage6"] == sides["head"] == 6


def test_a_bottleneck_strides_in_its_middle():
    model = models.resnet50(depths=(1, 1), channels=(8, 16))
    rows = summary(model, jax.ShapeDtypeStruct((1, 64, 64, 3), jnp.float32)).rows
    sides = {row.path: row.output[0][1] for row in rows if row.path.startswith("stage2/0/main/conv")}
    assert sides == {"stage2/0/main/conv1": 16, "stage2/0/main/conv2": 8, "stage2/0/main/conv3": 8}


def test_a_resnet_of_small_images_begins_with_all_of_their_pixels():
    """He et al. (2016), section 4.2: 20 layers and 0.27 million parameters for CIFAR-10."""
    model = models.resnet18(10, depths=(3, 3, 3), channels=(16, 32, 64), small_images=True)
    rows = {row.path: row for row in summary(model, jax.ShapeDtypeStruct((1, 32, 32, 3), jnp.float32)).rows}
    sides = [rows[name].output[0][1] for name in ("stem", "stage1", "stage2", "stage3")]
    assert sides == [32, 32, 16, 8]
    params, _ = trees(model)
    assert round(tree.count(params) / 1e6, 2) == 0.27
    dilated = models.resnet18(10, depths=(1,) * 4, channels=(4,) * 4, small_images=True, output_stride=4)
    rows = summary(dilated, jax.ShapeDtypeStruct((1, 32, 32, 3), jnp.float32)).rows
    assert [row.output[0][1] for row in rows if row.path in ("stage1", "stage2", "stage3", "stage4")] == [32, 16, 8, 8]


PATHS = {
    "resnet18": ["stem/conv/w", "stage1/0/main/conv1/w", "stage2/0/skip/conv/w", "stage2/0/skip/norm/shift"],
    "mobilenet_v2": ["stage1/0/main/depthwise/conv/w", "stage2/1/main/expand/norm/scale", "head/conv/w"],
    "efficientnet_b0": ["stage2/1/main/squeeze/reduce/w", "stage2/0/main/project/conv/w", "head/norm/scale"],
    "convnext_tiny": ["stem/norm/scale", "stage2/downsample/conv/b", "stage2/1/main/scale/scale"],
}


@pytest.mark.parametrize("name", PATHS)
def test_paths_read_well(name):
    params, _ = trees(models.create(name, **SMALL[name]))
    assert {*PATHS[name], "classifier/logits/w", "classifier/logits/b"} <= set(tree.flatten(params))


@pytest.mark.parametrize("name", SMALL)
def test_the_config_may_come_from_json(name):
    """Lists for tuples, as a checkpoint's header has them."""

    def listed(value):
        return [listed(each) for each in value] if isinstance(value, tuple) else value

    config = {key: listed(value) for key, value in SMALL[name].items()}
    assert trees(models.create(name, **config)) == trees(models.create(name, **SMALL[name]))


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v2", "efficientnet_b0"])
def test_one_pixel_is_an_image(name):
    pixel = jax.ShapeDtypeStruct((2, 1, 1, 3), jnp.float32)
    model = models.create(name, num_classes=5)
    params, state = jax.eval_shape(model.init, jax.random.key(0), pixel)
    y, _ = jax.eval_shape(model.apply, params, state, pixel)
    assert y.shape == (2, 5)


@pytest.mark.parametrize("stages", [2, 4])
def test_a_convnext_says_how_small_an_image_may_be(stages):
    model = models.convnext_tiny(depths=(1,) * stages, channels=(4,) * stages)
    smallest = 4 * 2 ** (stages - 1)
    trees(model, smallest)
    with pytest.raises(ValueError, match=f"smallest image this network takes is {smallest}×{smallest}") as error:
        trees(model, smallest - 1)
    assert "in layer 'stem/image'" in error.value.__notes__


@pytest.mark.parametrize(
    ("make", "smallest"),
    [
        (lambda: models.alexnet(3, channels=(4,) * 5, hidden=4), 63),
        (lambda: models.vgg11(3, channels=(4,) * 5, hidden=4), 32),
        (lambda: models.vgg11_bn(3, depths=(1, 1), channels=(4, 4), hidden=4), 4),
        (lambda: models.densenet121(3, depths=(1,) * 4, growth=4, stem=4), 29),
        (lambda: models.densenet121(3, depths=(1,), growth=4, stem=4), 1),
    ],
)
def test_the_smallest_image_of_the_others(make, smallest):
    """It is the smallest indeed: a map of one pixel is left before the head, and a smaller image is an error."""
    trees(make(), smallest)
    if smallest > 1:
        with pytest.raises(ValueError, match=f"smallest image this network takes is {smallest}×{smallest}"):
            trees(make(), smallest - 1)


def test_a_dense_block_keeps_its_maps_and_nothing_joined_of_them():
    """For the backward pass, so that memory grows with the depth of a block and not with its square."""
    model = models.densenet121(3, depths=(4,), growth=8, stem=8)
    images = jax.ShapeDtypeStruct((2, 32, 32, 3), jnp.float32)
    params, state = jax.eval_shape(model.init, jax.random.key(0), images)

    def backward(params, state, x):
        return jax.vjp(lambda p, x: model.apply(p, state, x, train=True)[0], params, x)[1]

    kept = [leaf.shape for leaf in jax.tree.leaves(jax.eval_shape(backward, params, state, images))]
    maps = {shape[-1] for shape in kept if shape[:-1] == (2, 8, 8)}
    assert maps == {8, 32, 40}  # of a layer, squeezed for a layer, and all of them once, for the classifier


@pytest.mark.parametrize(
    ("name", "rates"),
    [
        # The rate grows with the block, residual or not; blocks that change shape have nothing to skip to.
        ("efficientnet_b0", [0.2 * i / 16 for i in range(16) if i not in (0, 1, 3, 5, 8, 11, 15)]),
        ("convnext_tiny", [0.1 * i / 17 for i in range(18)]),
    ],
)
def test_stochastic_depth_grows_linearly(name, rates, monkeypatch):
    seen = []

    def recording(rate):
        seen.append(rate)
        return drop_path(rate)

    monkeypatch.setitem(file_of(name), "drop_path", recording)
    models.create(name)
    assert seen == pytest.approx(rates)


@pytest.mark.parametrize(
    ("name", "momentum", "eps"),
    [("efficientnet_b4", 0.9, 1e-5), ("efficientnet_b5", 0.99, 1e-3), ("efficientnet_v2_s", 0.9, 1e-3)],
)
def test_batch_norm_of_the_larger_efficientnets(name, momentum, eps, monkeypatch):
    seen = set()

    def recording(*, momentum, eps):
        seen.add((momentum, eps))
        return batch_norm(momentum=momentum, eps=eps)

    monkeypatch.setitem(file_of(name), "batch_norm", recording)
    models.create(name)
    assert seen == {(momentum, eps)}


@pytest.mark.parametrize("name", ["mobilenet_v2", "efficientnet_v2_s"])
def test_gradients_where_bottlenecks_are_linear(name):
    """What a norm adds to a linear map the next norm takes away in training, unless the path is dropped for some of the
    samples; every other leaf has a gradient."""
    model, images = CASES[name].make(), CASES[name].input
    x = jax.random.normal(jax.random.key(1), images.shape)
    params, state = jax.jit(model.init)(jax.random.key(0), x)

    @jax.jit
    def gradient(params):
        return jax.grad(lambda p: model.apply(p, state, x, train=True, key=jax.random.key(2))[0][:, 0].sum())(params)

    largest = {path: float(jnp.abs(leaf).max()) for path, leaf in tree.flatten(gradient(params)).items()}
    assert all(np.isfinite(value) for value in largest.values())
    cancelled = {path for path, value in largest.items() if value < 1e-6}
    assert "stage2/0/main/project/norm/shift" in cancelled
    assert all(path.endswith("project/norm/shift") for path in cancelled)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: models.resnet18(depths=(1, 1)), r"resnet: depths is \(1, 1\) and channels \(64, .*one of each"),
        (lambda: models.resnet50(depths=(), channels=()), "one of each for every stage"),
        (lambda: models.convnext_tiny(depths=(1, 0), channels=(4, 8)), r"convnext: depths\[1\] is 0"),
        (lambda: models.resnet18(groups=32), "groups is 32.*bottleneck=True"),
        (lambda: models.efficientnet_b0(stages=[("conv", 1, 3, 1, 8, 1)]), "stage 1 is 'conv'.*mbconv, fused"),
        (
            lambda: models.mobilenet_v3_large(stages=[(3, 8, True, "silu", 1, (8,))]),
            "stage 1 is 'silu'.*relu, hard_swish",
        ),
        (lambda: models.alexnet(channels=(4, 4)), r"alexnet: channels is \(4, 4\); pass 5 numbers"),
        (lambda: models.vgg16(depths=(1,)), r"vgg: depths is \(1,\) and channels .*one of each"),
        (lambda: models.densenet121(depths=()), "densenet: depths is empty"),
        (lambda: models.efficientnet_b0(rate=1.0), "rate is 1.0.*fraction dropped"),
        (lambda: models.mobilenet_v2(0), "dense: channels is 0"),
    ],
)
def test_bad_arguments(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("width", [0.35, 0.5, 0.75, 1.4])
def test_the_width_of_a_mobilenet(width):
    params, _ = trees(models.mobilenet_v2(width=width))
    channels = {path: leaf.shape[-1] for path, leaf in tree.flatten(params).items() if path.endswith("conv/w")}
    assert all(n % 8 == 0 for n in channels.values())
    assert channels["head/conv/w"] == {1.4: 1792}.get(width, 1280)
    assert abs(channels["stage6/0/main/project/conv/w"] - 160 * width) <= 4


def test_rounding_never_takes_a_tenth():
    for channels in range(8, 400):
        found = parts.divisible(channels)
        assert found % 8 == 0
        assert 0.9 * channels <= found <= channels + 8

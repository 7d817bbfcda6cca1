"""Models by name: what there is, and what is said of what there is not."""

import inspect
import re

import jax
import jax.numpy as jnp
import pytest
from cases import MODELS

from jaxnets import models


def test_names():
    assert models.names() == sorted(models.MODELS)
    assert {"lenet", "resnet50", "mobilenet_v2", "efficientnet_b7", "convnext_large"} <= set(models.names())


@pytest.mark.parametrize("name", models.names())
def test_a_name_is_a_function_of_this_module_and_explicit_arguments(name):
    assert models.MODELS[name] is getattr(models, name)
    assert name in models.__all__
    parameters = inspect.signature(models.MODELS[name]).parameters
    assert next(iter(parameters)) == "num_classes"
    assert all(each.kind is not inspect.Parameter.VAR_KEYWORD for each in parameters.values())


def test_a_variant_shows_its_defaults():
    signature = inspect.signature(models.resnet18)
    assert signature.parameters["depths"].default == (2, 2, 2, 2)
    assert signature.parameters["bottleneck"].default is False
    assert "residual blocks" in models.resnet18.__doc__


@pytest.mark.parametrize(
    ("wrong", "near"),
    [("lenett", "lenet"), ("resnet55", "resnet50"), ("convnext", "convnext_"), ("efficientnet_b9", "efficientnet_b")],
)
def test_an_unknown_name_is_met_with_the_nearest(wrong, near):
    with pytest.raises(ValueError, match=f"no model '{wrong}'; the nearest names are {near}") as error:
        models.create(wrong)
    listed = str(error.value).partition("names are ")[2].partition(", of ")[0].split(", ")
    assert len(listed) == 3
    assert set(listed) <= set(models.names())
    assert f"of {len(models.names())} in jaxnets.models.names()" in str(error.value)


def test_an_unknown_argument_is_met_with_the_known():
    with pytest.raises(TypeError, match=r"'lenet' takes no classes; it takes num_classes, channels, hidden, rate"):
        models.create("lenet", classes=3)
    with pytest.raises(TypeError, match=r"'resnet50' takes no depth; it takes num_classes, depths, channels"):
        models.create("resnet50", depth=3)


@pytest.mark.parametrize("name", models.names())
def test_every_model_lists_its_arguments(name):
    known = ", ".join(inspect.signature(models.MODELS[name]).parameters)
    with pytest.raises(TypeError) as error:
        models.create(name, wdith=2)
    assert str(error.value) == f"model {name!r} takes no wdith; it takes {known}"


IMAGES = {
    case.name: case
    for case in MODELS
    if isinstance(case.input, jax.ShapeDtypeStruct)
    and len(case.input.shape) == 4
    and not case.name.startswith("vit")  # has positions for images of one size
}


@pytest.mark.parametrize("name", IMAGES)
def test_images_too_small_are_met_with_the_smallest_that_works(name):
    """What the message says is true: that size works, one less does not. A family without one takes a pixel."""
    model, channels = IMAGES[name].make(), IMAGES[name].input.shape[-1]

    def output(side):
        x = jax.ShapeDtypeStruct((2, side, side, channels), jnp.float32)
        return jax.eval_shape(lambda key, x: model.apply(*model.init(key, x), x)[0], jax.random.key(0), x)

    try:
        smallest = 1
        made = output(1)
    except ValueError as error:
        smallest = int(re.search(r"smallest image this network takes is (\d+)×\1;", str(error))[1])
        made = output(smallest)
        with pytest.raises(ValueError, match=f"takes is {smallest}×{smallest};"):
            output(smallest - 1)
    assert smallest <= max(IMAGES[name].input.shape[1:3])
    assert all(0 not in leaf.shape for leaf in jax.tree.leaves(made))


def test_a_vision_transformer_takes_images_of_its_size():
    model = models.vit_b_16(3, image_size=(8, 12), patch=4, channels=8, depth=1, heads=2)
    with pytest.raises(ValueError, match=r"positions for 8×12 pixels; resize x .* or pass image_size="):
        jax.eval_shape(model.init, jax.random.key(0), jax.ShapeDtypeStruct((1, 8, 8, 3), jnp.float32))

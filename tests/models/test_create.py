"""Models by name: what there is, and what is said of what there is not."""

import inspect

import pytest

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
    [("lenet5", "lenet"), ("resnet55", "resnet50"), ("convnext", "convnext_"), ("efficientnet_b9", "efficientnet_b")],
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

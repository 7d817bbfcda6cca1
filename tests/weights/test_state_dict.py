"""Another library's state dict in, ours out, and back; and what is said of one that does not fit."""

import inspect

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest
from weights.samples import NAMES, load, same

from jaxnets import models, tree, weights

# one name of each family; tests/parity loads them all
FIRST = {inspect.unwrap(model): name for name, model in reversed(models.MODELS.items())}


def test_what_goes_where(tensors):
    params, state = load(tensors)
    w = tensors["layer2.0.conv1.weight"]
    np.testing.assert_array_equal(params["stage2"]["0"]["main"]["conv1"]["w"], w.transpose(2, 3, 1, 0))
    np.testing.assert_array_equal(state["stem"]["norm"]["var"], tensors["bn1.running_var"])
    np.testing.assert_array_equal(params["classifier"]["logits"]["w"], tensors["fc.weight"].T)
    assert {a.dtype for a in jax.tree.leaves((params, state))} == {jnp.dtype("float32")}
    assert all(isinstance(a, jax.Array) for a in jax.tree.leaves((params, state)))


@pytest.mark.parametrize("name", [n for n in FIRST.values() if weights.sources(n)])
def test_the_rules_cover_every_family(name):
    """Every leaf has one tensor; no two are called the same; only shapes are made."""
    example = weights.state_dict.example(name)
    trees = jax.eval_shape(models.create(name).init, jax.random.key(0), example)
    leaves = tree.flatten(trees[0]) | tree.flatten(trees[1])
    shapes = {path: leaf.shape for path, leaf in leaves.items()}
    for source in weights.sources(name):
        parts = models.mapping.links(weights.state_dict.rules(name, source), shapes)
        assert sum(len(part.leaves) for part in parts) == len(shapes)


def test_round_trip(tensors):
    back = weights.to_state_dict("resnet18", *load(tensors), source="torchvision")
    assert back.keys() == tensors.keys()
    same(back, tensors)
    assert all(tensor.flags.c_contiguous for tensor in back.values())


def test_half_precision_becomes_float32(tensors):
    half = {name: tensor.astype(ml_dtypes.bfloat16) for name, tensor in tensors.items()}
    same(load(half), load({name: tensor.astype(np.float32) for name, tensor in half.items()}))


def test_counts_of_batches_are_nothing(tensors):
    same(load(tensors | {"bn1.num_batches_tracked": np.int64(3)}), load(tensors))


@pytest.mark.parametrize("begin", ["module.", "_orig_mod.", "model.net."])
def test_what_a_wrapper_puts_before_every_name(tensors, begin):
    same(load({begin + name: tensor for name, tensor in tensors.items()}), load(tensors))


def test_report(tensors):
    wrong = dict(tensors)
    del wrong["bn1.weight"], wrong["bn1.bias"]
    wrong["head.bias"] = np.zeros(3, np.float32)
    wrong["conv1.weight"] = np.zeros((4, 1, 7, 7), np.float32)
    with pytest.raises(
        weights.Mismatch, match=r"2 missing: bn1\.\w+, bn1\.\w+; 1 unexpected: head.bias; 1 misshapen"
    ) as e:
        load(wrong)
    report = e.value.report
    assert set(report.missing) == {"bn1.weight", "bn1.bias"}
    assert report.unexpected == ("head.bias",)
    assert report.misshapen == {"conv1.weight": ((4, 1, 7, 7), (4, 3, 7, 7))}


def test_not_strict_warns_and_begins_anew(tensors, key):
    wrong = tensors | {"head.bias": np.zeros(3, np.float32), "conv1.weight": np.zeros((4, 1, 7, 7), np.float32)}
    with pytest.warns(UserWarning, match=r"1 unexpected: head.bias; 1 misshapen: conv1.weight is \(4, 1, 7, 7\), not"):
        params, _ = load(wrong, strict=False, key=key)
    assert params["stem"]["conv"]["w"].shape == (7, 7, 3, 4)
    assert 0.05 < float(jnp.std(params["stem"]["conv"]["w"])) < 0.2  # He's, for a fan-out of 196
    np.testing.assert_array_equal(params["stem"]["norm"]["scale"], tensors["bn1.weight"])


def test_another_head(tensors, key):
    with pytest.raises(weights.Mismatch, match=r"pass fresh=\['classifier/logits/b', 'class.*'\] and a key"):
        load(tensors, num_classes=7)
    params, state = load(tensors, num_classes=7, fresh="classifier/logits/*", key=key)
    assert params["classifier"]["logits"]["w"].shape == (8, 7)
    assert float(jnp.abs(params["classifier"]["logits"]["w"]).max()) > 0
    whole = load(tensors)
    assert tree.flatten(params).keys() == tree.flatten(whole[0]).keys()
    del params["classifier"], whole[0]["classifier"]
    same((params, state), whole)
    headless = {name: tensor for name, tensor in tensors.items() if not name.startswith("fc.")}
    same(load(headless, fresh="classifier/*", key=key)[0]["stem"], params["stem"])


@pytest.mark.parametrize(
    ("name", "options", "error", "match"),
    [
        ("resnet81", {}, ValueError, r"no model 'resnet81'; the nearest names are resnet"),
        ("resnet18", {"source": "keras"}, ValueError, r"no names of source 'keras'; it has 'timm', 'torchvision'"),
        ("lenet", {"depths": None}, TypeError, "takes no"),
        ("resnet18", {"fresh": "head/*"}, ValueError, r"fresh='head/\*' matches no leaf; the last ones are \["),
        ("resnet18", {"fresh": "classifier/*"}, ValueError, r"classifier/logits/b, .* pass key=jax"),
        ("resnet18", {"widht": 2}, TypeError, "takes no widht; it takes num_classes"),
    ],
)
def test_bad_arguments(tensors, name, options, error, match):
    with pytest.raises(error, match=match):
        weights.from_state_dict(name, tensors, **{**NAMES, **options})


def test_integers_are_no_weights(tensors):
    with pytest.raises(TypeError, match=r"bn1.bias is int64, not floating point"):
        load(tensors | {"bn1.bias": np.zeros(4, np.int64)})


def test_nothing_and_no_dict():
    with pytest.raises(weights.Mismatch, match=r"102 missing: conv1\.weight, "):
        weights.from_state_dict("resnet18", {}, source="timm")
    with pytest.raises(TypeError, match="state_dict is str, not a dict of arrays by name; of a file's path see"):
        weights.from_state_dict("resnet18", "model.safetensors", source="timm")


def test_leaves_of_another_model():
    with pytest.raises(ValueError, match=r"no rule is for the leaf 'stem/w'"):
        weights.to_state_dict("resnet18", {"stem": {"w": np.zeros((2, 3))}}, {}, source="timm")

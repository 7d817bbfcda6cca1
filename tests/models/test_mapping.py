"""The rules that name another library's weights, and the kinds of layers they speak of."""

import numpy as np
import pytest

from jaxnets.models.mapping import KINDS, Rule, filled, find, links

# kind: (leaves at "m", what theirs are called and shaped at "t")
EXAMPLES = {
    "auto": ({"m/w": (3, 2, 4, 6), "m/b": (6,)}, {"t.weight": (6, 4, 3, 2), "t.bias": (6,)}),
    "array": ({"m": (2, 3)}, {"t": (2, 3)}),
    "transposed": ({"m": (2, 3)}, {"t": (3, 2)}),
    "batch_of_one": ({"m": (2, 3)}, {"t": (1, 2, 3)}),
    "column": ({"m": (3,)}, {"t": (3, 1, 1)}),
    "embed": ({"m/w": (7, 3)}, {"t.weight": (7, 3)}),
    "conv1d": ({"m/w": (2, 3), "m/b": (3,)}, {"t.weight": (2, 3), "t.bias": (3,)}),
    "conv_transpose": ({"m/w": (3, 2, 4, 6)}, {"t.weight": (6, 4, 3, 2)}),
    "conv_as_dense": ({"m/w": (4, 6), "m/b": (6,)}, {"t.weight": (6, 4, 1, 1), "t.bias": (6,)}),
    "conv_as_dense:2x3": ({"m/w": (24, 5)}, {"t.weight": (5, 4, 2, 3)}),
    "dense_of_maps:2x3": ({"m/w": (24, 5), "m/b": (5,)}, {"t.weight": (5, 24), "t.bias": (5,)}),
    "fused:q,k": (
        {"m/q/w": (2, 3), "m/k/w": (2, 4), "m/q/b": (3,), "m/k/b": (4,)},
        {"t.weight": (7, 2), "t.bias": (7,)},
    ),
    "in_proj:q,k": ({"m/q/w": (2, 3), "m/k/w": (2, 4)}, {"t.in_proj_weight": (7, 2)}),
    "weight_norm": (
        {"m/w": (5, 2, 4), "m/scale": (5,), "m/b": (4,)},
        {
            "t.parametrizations.weight.original0": (1, 1, 5),
            "t.parametrizations.weight.original1": (4, 2, 5),
            "t.bias": (4,),
        },
    ),
    "fused_conv1d:q,k": ({"m/q/w": (2, 3), "m/k/w": (2, 4)}, {"t.weight": (2, 7)}),
}


def test_every_kind_has_an_example():
    assert {kind.partition(":")[0] for kind in EXAMPLES} | {"ignore"} == set(KINDS)


@pytest.mark.parametrize("kind", EXAMPLES)
def test_a_kind_is_invertible(kind):
    ours, theirs = EXAMPLES[kind]
    draw = np.random.default_rng(0)
    tensors = {name: draw.standard_normal(shape) for name, shape in theirs.items()}
    seen, back = {}, {}
    for part in links([Rule("m", "t", kind)], ours):
        leaves = part.to_ours(*(tensors[name] for name in part.tensors))
        seen |= dict(zip(part.leaves, leaves, strict=True))
        back |= dict(zip(part.tensors, part.to_theirs(*leaves), strict=True))
    assert {path: leaf.shape for path, leaf in seen.items()} == ours
    assert {name: tensor.shape for name, tensor in back.items()} == theirs
    for name, tensor in tensors.items():
        np.testing.assert_array_equal(back[name], tensor)


def test_a_norm_is_known_by_its_leaves():
    shapes = {"norm/scale": (3,), "norm/shift": (3,), "norm/mean": (3,), "norm/var": (3,)}
    named = {part.leaves[0]: part.tensors[0] for part in links([Rule("norm", "bn1")], shapes)}
    assert named == {
        "norm/scale": "bn1.weight",
        "norm/shift": "bn1.bias",
        "norm/mean": "bn1.running_mean",
        "norm/var": "bn1.running_var",
    }


def test_a_matrix_after_maps_sees_the_same_features():
    maps, w = np.random.default_rng(0).standard_normal((2, 3, 4, 5)), np.random.default_rng(1).standard_normal((7, 60))
    [part] = links([Rule("m", "t", "dense_of_maps:4x5")], {"m/w": (60, 7)})
    ours = np.moveaxis(maps, 1, -1).reshape(2, -1) @ part.to_ours(w)[0]
    np.testing.assert_allclose(ours, maps.reshape(2, -1) @ w.T)


def test_placeholders_and_sums():
    shapes = {"stage2/0/w": (2, 3), "stage2/10/w": (2, 3), "stage2/9/w": (2, 3)}
    named = [part.tensors[0] for part in links([Rule("stage{s}/{i}", "features.{2*s-1}.{i+1}")], shapes)]
    assert sorted(named) == ["features.3.1.weight", "features.3.10.weight", "features.3.11.weight"]
    assert [found["i"] for found in find("stage{s}/{i}", shapes)] == ["0", "9", "10"]
    assert filled("{s}.{s+1}", {"s": "2"}) == "2.3"


@pytest.mark.parametrize(
    ("rules", "match"),
    [
        ([], r"no rule is for the leaf 'm/w'"),
        ([Rule("m", "t"), Rule("{any}", "u")], r"two rules are for the leaf 'm/w'"),
        ([Rule("m", "t", "convolution")], r"no kind 'convolution'; those known are auto, "),
        ([Rule("m", "t", "conv_as_dense:big")], r"argument is 'big'; pass a size"),
    ],
)
def test_mistakes_in_the_rules(rules, match):
    with pytest.raises(ValueError, match=match):
        links(rules, {"m/w": (2, 3)})


def test_two_leaves_of_one_tensor():
    with pytest.raises(ValueError, match=r"two rules are for the tensor 't\.weight'"):
        links([Rule("a", "t"), Rule("b", "t")], {"a/w": (2, 3), "b/w": (2, 3)})

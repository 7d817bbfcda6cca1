"""Every backward function against finite differences of its forward function, in float64.

For a random dy the derivative of <dy, f(x)> along a random direction v must be <gradient, v>.
"""

from typing import NamedTuple

import numpy as np
import pytest

from jaxnets import reference
from jaxnets.reference import finite_difference, numerical_gradient


def normal(shape, seed):
    return np.random.default_rng(seed).standard_normal(shape)


class Rule(NamedTuple):
    """`name` on arrays of these shapes, differentiated in all of them, and the options of forward and backward."""

    name: str
    shapes: tuple
    options: dict
    positional: tuple = ()
    positive: bool = False


SPATIAL = {1: (7,), 2: (5, 6), 3: (4, 3, 5)}
RULES = []
for rank, spatial in SPATIAL.items():
    kernel, ones = (3, 2, 2)[:rank], (1,) * rank
    x = (2, *spatial, 4)
    for options in (
        {},
        {"stride": 2, "groups": 2},
        {"stride": 2, "padding": "CAUSAL", "dilation": 2, "padding_mode": "replicate"},
        {"padding": 2, "padding_mode": "reflect", "groups": 4},
        {"padding": [(1, 2)] * rank, "padding_mode": ("circular", "zeros", "reflect")[:rank]},
    ):
        RULES.append(Rule("conv", (x, (*kernel, 4 // options.get("groups", 1), 8)), options))
    for options in (
        {},
        {"stride": 2, "groups": 2, "output_padding": -1},
        {"stride": 3, "padding": 1, "output_padding": 2, "dilation": 2},
        {"padding": "CAUSAL", "groups": 4},
    ):
        shape = (*kernel, 4 // options.get("groups", 1), 8)
        RULES.append(Rule("conv_transpose", ((2, *(3, 2, 4)[:rank], 8), shape), options))
    RULES.append(Rule("depthwise_conv", (x, (*kernel, 1, 8)), {"stride": 2, "dilation": 2, "padding_mode": "circular"}))
    RULES.append(Rule("separable_conv", (x, (*kernel, 1, 8), (*ones, 8, 3)), {"stride": 2}))
    for size, options in (
        (2, {}),
        (3, {"stride": 2, "padding": 1, "ceil_mode": True}),
        (3, {"stride": 1, "padding": "SAME"}),
        (2, {"stride": 1, "padding": "SAME", "dilation": 2}),
    ):
        for name in ("max_pool", "min_pool", "avg_pool", "lp_pool", "gem_pool"):
            RULES.append(Rule(name, (x,), options, (size,), positive=name == "gem_pool"))
        RULES.append(Rule("avg_pool", (x,), options | {"count_include_pad": True}, (size,)))
        RULES.append(Rule("lp_pool", (x,), options | {"p": 3.5}, (size,)))
        RULES.append(Rule("lp_pool", (x,), options | {"p": np.inf}, (size,)))
        RULES.append(Rule("gem_pool", (x,), options | {"p": 1.5, "eps": 0.5}, (size,)))
    for name in ("adaptive_avg_pool", "adaptive_max_pool"):
        RULES.append(Rule(name, (x,), {}, ((3, None, 2)[:rank],)))
    for name in ("global_avg_pool", "global_max_pool"):
        RULES.append(Rule(name, (x,), {}))
    RULES.append(Rule("blur_pool", (x,), {}))
    RULES.append(Rule("blur_pool", (x,), {"padding_mode": "zeros"}, (4, 1)))
    samples = np.random.default_rng(9).random((2, 4, rank))
    RULES.append(Rule("fractional_max_pool", (x,), {"samples": samples}, (2, 2)))
    indices = np.stack([np.random.default_rng(i).permutation(64)[:8] for i in range(8)], -1)  # 8 places, 2 x 4 times
    indices = np.moveaxis(indices.reshape(8, 2, 4), 0, 1).reshape(2, *(8, 1, 1)[:rank], 4)
    RULES.append(Rule("max_unpool", (indices.shape,), {"output_size": {1: 64, 2: 8, 3: 4}[rank]}, (indices, 2)))
    for options in ({"stride": 2, "padding": "SAME"}, {"dilation": 2, "padding": 1}):
        RULES.append(Rule("unfold", (x,), options, (kernel,)))
        out = reference.unfold(np.zeros(x), kernel, **options).shape
        RULES.append(Rule("fold", (out,), options, (spatial, kernel)))
    for mode in ("zeros", "reflect", "replicate", ("circular", "zeros", "reflect")[:rank]):
        RULES.append(Rule("pad", (x,), {"mode": mode}, ([(2, 1), (0, 2), (1, 1)][:rank],)))
    RULES.append(
        Rule("depth_to_space", ((2, *spatial, 8),), {}, (2,))
        if rank < 3
        else Rule("depth_to_space", (x,), {}, ((2, 1, 2),))
    )
    RULES.append(Rule("space_to_depth", ((2, *(4, 6, 2)[:rank], 3),), {}, (2,)))
    for method in ("nearest", "linear", "cubic"):
        for align_corners in (False, True):
            RULES.append(Rule("resize", (x,), {"align_corners": align_corners}, ((9, 3, 2)[:rank], method)))
    RULES.append(Rule("layer_norm", (x, (4,), (4,)), {}))
    RULES.append(Rule("group_norm", (x, (4,), (4,)), {}, (2,)))
    RULES.append(Rule("instance_norm", (x, (4,), (4,)), {}))
    RULES.append(Rule("rms_norm", (x, (4,)), {}))
RULES.append(Rule("dense", ((2, 3, 4), (4, 5)), {}))
RULES.extend(Rule(name, ((3, 5),), {}) for name in ("gelu", "silu"))
MASK = np.array([[[[1, 1, 0, 1], [0, 0, 0, 0], [1, 0, 0, 0]]], [[[1, 1, 1, 1]] * 3]], bool)
for options in ({"causal": True, "scale": 0.3}, {"mask": MASK, "bias": normal((1, 4, 3, 4), 5)}):
    q, k = (2, 3, 4, 2), (2, 4, 2, 2)
    RULES.append(Rule("attention", (q, k, k), options))
    RULES.append(Rule("attention_weights", (q, k), options))
for options in ({}, {"positions": np.array([[0, 2, 5], [1, 1, 3]]), "base": 10.0}):
    RULES.append(Rule("rotary", ((2, 3, 2, 4),), options))


def call(rule, function, *arrays):
    """`function` on the arrays, with the rule's other arguments at their places."""
    if rule.name == "group_norm":
        return function(*arrays[:-2], *rule.positional, *arrays[-2:], **rule.options)
    return function(*arrays, *rule.positional, **rule.options)


def backward(rule, dy, arrays):
    """The gradients in all arrays, as a tuple."""
    function = getattr(reference, rule.name + "_backward")
    if rule.name == "group_norm":
        return function(dy, arrays[0], *rule.positional, arrays[1], **rule.options)
    if rule.name in ("layer_norm", "instance_norm"):
        arrays = arrays[:-1]  # the shift's value matters to no gradient
    result = function(dy, *arrays, *rule.positional, **rule.options)
    return result if isinstance(result, tuple) else (result,)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: f"{rule.name}-{len(rule.shapes[0]) - 2}d")
def test_against_finite_differences(rule):
    forward = getattr(reference, rule.name)
    arrays = [normal(shape, seed) for seed, shape in enumerate(rule.shapes)]
    if rule.positive:
        arrays = [np.abs(a) + 0.1 for a in arrays]
    dy = normal(np.shape(call(rule, forward, *arrays)), 7)
    gradients = backward(rule, dy, arrays)
    for i, (array, gradient) in enumerate(zip(arrays, gradients, strict=False)):  # a bias may follow
        assert gradient.shape == array.shape
        assert gradient.dtype == array.dtype

        def loss(a, i=i):
            return np.vdot(dy, call(rule, forward, *arrays[:i], a, *arrays[i + 1 :]))

        direction = normal(array.shape, 20 + i)
        expected = finite_difference(loss, array, direction)
        np.testing.assert_allclose(np.vdot(gradient, direction), expected, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("name", ["conv", "conv_transpose", "depthwise_conv", "separable_conv", "dense"])
def test_bias_gradient(name):
    rule = next(rule for rule in RULES if rule.name == name)
    arrays = [normal(shape, seed) for seed, shape in enumerate(rule.shapes)]
    y = call(rule, getattr(reference, name), *arrays)
    dy, b = normal(y.shape, 7), np.zeros(y.shape[-1])
    expected = numerical_gradient(lambda b: np.vdot(dy, call(rule, getattr(reference, name), *arrays, b)), b)
    np.testing.assert_allclose(backward(rule, dy, arrays)[-1], expected, rtol=1e-6)


@pytest.mark.parametrize("name", ["max_pool", "avg_pool", "lp_pool"])
def test_whole_gradient_element_by_element(name):
    x = normal((1, 3, 4, 2), 0)
    options = {"size": 2, "stride": 1, "padding": [(1, 0), (0, 1)]}
    forward, back = getattr(reference, name), getattr(reference, name + "_backward")
    dy = normal(forward(x, **options).shape, 1)
    expected = numerical_gradient(lambda x: np.vdot(dy, forward(x, **options)), x)
    np.testing.assert_allclose(back(dy, x, **options), expected, rtol=1e-6, atol=1e-8)


def test_gem_exponent():
    x = np.abs(normal((2, 5, 4, 3), 0))
    options = {"size": 3, "stride": 2, "padding": 1}
    dy = normal(reference.gem_pool(x, **options).shape, 1)
    expected = numerical_gradient(lambda p: np.vdot(dy, reference.gem_pool(x, **options, p=p)), np.array(2.5))
    np.testing.assert_allclose(reference.gem_pool_backward_p(dy, x, **options, p=2.5), expected, rtol=1e-6)


def test_batch_norm():
    x, scale, shift = normal((2, 5, 3), 0), normal((3,), 1), normal((3,), 2)
    mean, var, dy = normal((3,), 3), np.abs(normal((3,), 4)) + 0.5, normal((2, 5, 3), 5)
    arrays = [x, mean, var, scale, shift]
    gradients = reference.batch_norm_backward(dy, *arrays[:-1])
    for i, (array, gradient) in enumerate(zip(arrays, gradients, strict=True)):

        def loss(a, i=i):
            return np.vdot(dy, reference.batch_norm(*arrays[:i], a, *arrays[i + 1 :]))

        np.testing.assert_allclose(gradient, numerical_gradient(loss, array), rtol=1e-6, atol=1e-8)


def test_every_backward_has_a_forward_and_a_test():
    backwards = {name.removesuffix("_backward") for name in reference.__all__ if name.endswith("_backward")}
    assert backwards <= set(reference.__all__)
    assert backwards == {rule.name for rule in RULES} | {"batch_norm"}
    without = {"max_pool_with_indices", "finite_difference", "numerical_gradient", "gem_pool_backward_p"}
    # The gradients of these are held against finite differences of the ops.
    without |= {"sinusoidal"}  # of integers
    without |= {"ctc_beam", "ctc_greedy", "log_mel"}
    without |= {"bucketize", "cross_ids", "hash_ids"}  # of integers
    without |= {"channel_shuffle", "deform_conv", "gru", "local_response_norm", "lstm", "reverse", "rnn"}
    without |= {"box_iou", "nms", "soft_nms", "roi_align", "roi_pool"}
    assert {name for name in reference.__all__ if not name.endswith("_backward")} == backwards | without


def test_numerical_gradient_of_a_vector_function_along_a_direction():
    x, v = np.array([1.0, 2.0, 3.0]), np.array([1.0, 0.0, -1.0])
    jacobian_times_v = finite_difference(lambda x: np.array([x[0] * x[1], x[2] ** 2]), x, v)
    np.testing.assert_allclose(jacobian_times_v, [2, -6], rtol=1e-8)


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_gradient_of_a_constant_sum(rank):
    # the weights of a mean add up to one: the gradient of the sum adds up to the number of outputs
    x = normal((1, *SPATIAL[rank], 1), 0)
    y = reference.avg_pool(x, 2, 1, padding="SAME")
    np.testing.assert_allclose(reference.avg_pool_backward(np.ones_like(y), x, 2, 1, padding="SAME").sum(), y.size)

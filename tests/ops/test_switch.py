"""Forcing a lowering and switching jaxnets' own off: by argument, by context, by environment."""

import re
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

import jaxnets
from jaxnets import explain, lowering, ops
from jaxnets.ops.geometry import Window
from jaxnets.ops.kernels import families, switch
from jaxnets.ops.kernels.problem import Problem

X = jax.ShapeDtypeStruct((2, 6, 6, 4), jnp.float32)
DEPTHWISE = jax.ShapeDtypeStruct((3, 3, 1, 4), jnp.float32)
CPU = {"platform": "cpu"}


def depthwise(x, w):
    return ops.conv(x, w, groups=4)


def lowerings(fn, *args):
    return [row.lowering for row in explain(fn, *args, **CPU)]


def draw(*shapes):
    rng = np.random.default_rng(0)
    return [jnp.asarray(rng.standard_normal(shape), jnp.float32) for shape in shapes]


def test_a_context_switches_off_and_on_again():
    chosen = lowerings(depthwise, X, DEPTHWISE)
    assert chosen != ["lax"]
    with lowering("lax"):
        assert lowerings(depthwise, X, DEPTHWISE) == ["lax"]
        with lowering(None):
            assert lowerings(depthwise, X, DEPTHWISE) == chosen
        assert lowerings(depthwise, X, DEPTHWISE) == ["lax"]
    assert lowerings(depthwise, X, DEPTHWISE) == chosen


def test_jit_traces_once_per_context():
    traces = []

    @jax.jit
    def f(x, w):
        traces.append(switch.asked())
        return depthwise(x, w)

    x, w = draw(X.shape, DEPTHWISE.shape)
    outside = f(x, w)
    with lowering("lax"):
        inside = f(x, w)
        text = f.lower(x, w).as_text()
    f(x, w)
    with lowering("lax"):
        f(x, w)
    assert traces == [None, "lax"]
    assert "feature_group_count = 4" in text
    assert "feature_group_count = 4" not in f.lower(x, w).as_text()
    np.testing.assert_allclose(outside, inside, rtol=1e-5, atol=1e-6)


def test_it_reaches_through_every_transformation():
    def deep(x, w):
        def body(x, _):
            return jax.checkpoint(depthwise)(x, w), None

        y, _ = lax.scan(body, x, None, length=2)
        y = lax.cond(y.sum() > 0, depthwise, lambda x, w: x, y, w)
        return jax.vmap(lambda w: depthwise(y, w))(jnp.stack([w, w])).sum()

    grad = jax.grad(deep, (0, 1))
    with lowering("lax"):
        inside = lowerings(grad, X, DEPTHWISE)
    assert len(inside) >= 8
    assert set(inside) == {"lax"}
    assert "lax" not in lowerings(grad, X, DEPTHWISE)


def test_what_is_traced_inside_stays_so_in_gradients_taken_outside():
    with lowering("lax"):
        _, pull = jax.vjp(depthwise, *draw(X.shape, DEPTHWISE.shape))
    assert lowerings(pull, X) == ["lax", "lax"]


def convolutions(fn, *args):
    """The convolutions of the compiled program: their shapes, windows, groups and orders of dimensions."""
    text = jax.jit(fn).lower(*args).compile().as_text()
    lines = [line for line in text.splitlines() if " convolution(" in line]
    return sorted(re.sub(r"%[\w.\-]+( =)?|, (metadata|backend_config)=.*", "", line).strip() for line in lines)


@pytest.mark.parametrize(("groups", "stride", "dilation"), [(1, 1, 1), (2, 2, 1), (4, 1, 2)])
def test_under_lax_the_gradients_are_those_of_plain_lax(groups, stride, dilation):
    def ours(x, w):
        return jnp.sum(jnp.sin(ops.conv(x, w, stride=stride, dilation=dilation, groups=groups, padding=1)))

    def plain(x, w):
        numbers = ("NHWC", "HWIO", "NHWC")
        y = lax.conv_general_dilated(
            x,
            w,
            (stride, stride),
            [(1, 1), (1, 1)],
            rhs_dilation=(dilation, dilation),
            dimension_numbers=numbers,
            feature_group_count=groups,
        )
        return jnp.sum(jnp.sin(y))

    args = (X, jax.ShapeDtypeStruct((3, 3, 4 // groups, 8), jnp.float32))
    with lowering("lax"):
        found = convolutions(jax.grad(ours, (0, 1)), *args)
    assert len(found) == 3
    assert found == convolutions(jax.grad(plain, (0, 1)), *args)


@pytest.mark.parametrize(
    ("size", "groups", "how"),
    [((3, 3), 1, {}), ((3, 3), 2, {"stride": 2}), ((2, 2), 1, {"stride": 2}), ((3, 3), 4, {}), ((1, 1), 1, {})],
)
def test_every_name_that_fits_gives_the_same(size, groups, how):
    x, w = draw((1, 6, 6, 4), (*size, 4 // groups, 8))
    wanted = ops.conv(x, w, groups=groups, lowering="lax", **how)
    window = Window.of("conv", (6, 6), size, how.get("stride", 1), "SAME")
    names = families.candidates(Problem.of("forward", window, groups, x, w))
    assert len(names) > 1
    for name in names:
        (row,) = explain(lambda x, w, name=name: ops.conv(x, w, groups=groups, lowering=name, **how), x, w, **CPU)
        assert (row.plan.choice.lowering, row.rule) == (name, "asked for")
        np.testing.assert_allclose(
            ops.conv(x, w, groups=groups, lowering=name, **how), wanted, rtol=1e-5, atol=1e-5, err_msg=name
        )


def test_the_argument_goes_before_the_context():
    with lowering("matmul"):
        assert lowerings(lambda x, w: ops.depthwise_conv(x, w, lowering="lax"), X, DEPTHWISE) == ["lax"]


def test_every_op_and_layer_takes_it():
    up = jax.ShapeDtypeStruct((3, 3, 5, 4), jnp.float32)
    assert lowerings(lambda x, w: ops.conv_transpose(x, w, stride=2, lowering="lax"), X, up) == ["lax"]
    assert lowerings(lambda x, w: ops.conv_transpose(x, w, stride=2), X, up) != ["lax"]
    point = jax.ShapeDtypeStruct((1, 1, 4, 5), jnp.float32)
    separable = [X, DEPTHWISE, point]
    assert lowerings(lambda *a: ops.separable_conv(*a, lowering="lax"), *separable) == ["lax", "lax"]
    assert "lax" not in lowerings(lambda *a: ops.separable_conv(*a, lowering="slices"), *separable)
    for layer in (
        jaxnets.conv(5, 1, lowering="lax"),
        jaxnets.depthwise_conv(3, lowering="lax"),
        jaxnets.separable_conv(5, 3, lowering="lax"),
        jaxnets.conv_transpose(5, 3, 2, lowering="lax"),
    ):
        params, state = jax.eval_shape(layer.init, jax.random.key(0), X)
        assert set(lowerings(layer.apply, params, state, X)) == {"lax"}


def test_a_wrong_name_is_an_error_with_the_nearest():
    for use in (
        lambda: lowering("slicse"),
        lambda: ops.conv(*draw(X.shape, (3, 3, 4, 2)), lowering="slicse"),
        lambda: jaxnets.conv(4, 3, lowering="slicse"),
    ):
        with pytest.raises(ValueError, match=r"no lowering 'slicse'; the nearest are 'slices', "):
            use()
    with pytest.raises(TypeError, match=r"lowering is 3 \(int\)"):
        ops.conv(*draw(X.shape, (3, 3, 4, 2)), lowering=3)


def test_one_that_cannot_compute_the_shape_is_an_error_with_those_that_can():
    with pytest.raises(ValueError, match=r"conv: lowering 'slices' cannot compute this forward of .* are 'lax', "):
        ops.conv(*draw(X.shape, (3, 3, 4, 2)), lowering="slices")
    with pytest.raises(ValueError, match=r"conv_transpose: lowering 'slices' cannot compute this input gradient of"):
        ops.conv_transpose(*draw(X.shape, (3, 3, 4, 4)), lowering="slices")
    with lowering("slices"):  # a context asks wherever it can
        assert lowerings(ops.conv, X, jax.ShapeDtypeStruct((1, 1, 4, 2), jnp.float32)) == ["matmul"]


def test_the_environment_asks_for_a_whole_process(monkeypatch):
    monkeypatch.setenv(switch.VARIABLE, "lax")
    assert lowerings(depthwise, X, DEPTHWISE) == ["lax"]
    with lowering(None):  # a context goes before it
        assert lowerings(depthwise, X, DEPTHWISE) != ["lax"]


def test_a_wrong_environment_is_one_warning_and_the_planner(monkeypatch):
    chosen = lowerings(depthwise, X, DEPTHWISE)
    monkeypatch.setenv(switch.VARIABLE, "laxx")
    with pytest.warns(UserWarning, match=r"variable JAXNETS_LOWERING: there is no lowering 'laxx'.*planner chooses"):
        assert lowerings(depthwise, X, DEPTHWISE) == chosen
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert lowerings(depthwise, X, DEPTHWISE) == chosen
    monkeypatch.setenv(switch.VARIABLE, "")
    assert lowerings(depthwise, X, DEPTHWISE) == chosen

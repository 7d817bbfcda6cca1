"""The kit is fed functions that are wrong in the ways that convolutions and pools go wrong, and must say so."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from jaxnets import ops
from jaxnets.testing import (
    Case,
    assert_conforms,
    check_adjoint,
    check_finite_differences,
    check_forward,
    check_gradients,
    check_transformations,
)
from jaxnets.testing.transformations import _check_second


def _with(op: str, **wrong):
    """The op with some options replaced."""
    return lambda *arrays, **options: getattr(ops, op)(*arrays, **{**options, **wrong})


def _off_by_one(x, w, b=None, **options):
    y = ops.conv(x, w, b, **options)
    return jnp.roll(y, 1, axis=1)


def _flipped_same(x, w, b=None, **options):
    """The odd zero of SAME at the low end."""
    if options.get("padding") != "SAME":
        return ops.conv(x, w, b, **options)
    options["padding"] = [
        pair[::-1]
        for pair in ops.geometry.pads("SAME", x.shape[1:-1], w.shape[:-2], options["stride"], options["dilation"])
    ]
    return ops.conv(x, w, b, **options)


def _interleaved_groups(x, w, b=None, groups=1, **options):
    k = w.shape[-1]
    y = ops.conv(x, w, groups=groups, **options)
    y = y.reshape(*y.shape[:-1], groups, k // groups).swapaxes(-1, -2).reshape(*y.shape[:-1], k)
    return y if b is None else y + b.reshape((1,) * (y.ndim - 1) + (-1,))


def _true_convolution(x, w, b=None, **options):
    return ops.conv(x, jnp.flip(w, tuple(range(w.ndim - 2))), b, **options)


def _forgets_bias(x, w, b=None, **options):
    return ops.conv(x, w, **options)


@jax.custom_vjp
def _half_weights(w):
    return w


_half_weights.defvjp(lambda w: (w, None), lambda _, dw: (dw / 2,))


def _wrong_weight_gradient(x, w, b=None, **options):
    return ops.conv(x, _half_weights(w), b, **options)


def _loses_the_bias_gradient(x, w, b=None, **options):
    return ops.conv(x, w, None if b is None else lax.stop_gradient(b), **options)


WRONG_CONVOLUTIONS = {
    "stride": _with("conv", stride=1),
    "dilation": _with("conv", dilation=1),
    "padding mode": _with("conv", padding_mode="zeros"),
    "off by one": _off_by_one,
    "SAME at the wrong end": _flipped_same,
    "groups interleaved": _interleaved_groups,
    "kernel flipped": _true_convolution,
    "no bias": _forgets_bias,
    "half a weight gradient": _wrong_weight_gradient,
    "no bias gradient": _loses_the_bias_gradient,
}


@pytest.mark.parametrize("what", WRONG_CONVOLUTIONS)
def test_a_wrong_convolution_is_found(what: str) -> None:
    with pytest.raises(AssertionError, match="Case\\(op='conv'"):
        assert_conforms(
            WRONG_CONVOLUTIONS[what],
            "conv",
            ranks=(1,),
            dtypes=("float32",),
            paddings=("SAME", "pairs"),
            max_size=5,
            examples=100,
            shrink=False,
        )


def _in_bfloat16(x, w):
    """Each product and each partial sum rounded to the narrow dtype."""
    total = jnp.zeros((x.shape[0], w.shape[-1]), x.dtype)
    for t in range(w.shape[0]):
        for c in range(w.shape[1]):
            total = lax.reduce_precision(total + x[:, t, c, None] * w[t, c, None, :], 8, 7)
    return total[:, None, :]


def test_a_sum_in_bfloat16_is_found_and_one_in_float32_is_not() -> None:
    case = Case("conv", {"x": (2, 16, 4), "w": (16, 4, 4)}, {}, "bfloat16")

    def narrow(x, w):
        return _in_bfloat16(x, w)

    def wide(x, w):
        return ops.conv(x, w, padding="VALID")

    definition = {"oracle": lambda x, w: np.einsum("ntc,tck->nk", x, w)[:, None, :]}
    check_forward(wide, case, **definition)
    with pytest.raises(AssertionError, match="value"):
        check_forward(narrow, case, **definition)


@jax.custom_vjp
def _plus_bias(y, b):
    return y + b[None, None, :]


def _running_sum(_, dy):
    rows = dy.reshape(-1, dy.shape[-1])
    return dy, lax.fori_loop(0, len(rows), lambda i, total: total + rows[i], jnp.zeros_like(rows[0]))


_plus_bias.defvjp(lambda y, b: (_plus_bias(y, b), None), _running_sum)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_a_bias_gradient_summed_in_half_precision_is_found(dtype: str) -> None:
    case = Case("conv", {"x": (1, 4096, 1), "w": (1, 1, 1), "b": (1,)}, {}, dtype)
    check_gradients(ops.conv, case)
    with pytest.raises(AssertionError, match="gradient of b"):
        check_gradients(lambda x, w, b: _plus_bias(ops.conv(x, w), b), case)


def _last_maximum(x, size, stride=None, **options):
    """`max_pool` whose gradient goes to the last maximum of a tie: everything turned round, and back."""
    axes = tuple(range(1, x.ndim - 1))
    return jnp.flip(ops.max_pool(jnp.flip(x, axes), size, stride, **options), axes)


def _shared_ties(x, size, stride=None, **options):
    return x.reshape(x.shape[0], -1, size, x.shape[-1]).max(2)


def _ignores_nan(x, size, stride=None, **options):
    return ops.max_pool(jnp.where(jnp.isnan(x), -jnp.inf, x), size, stride, **options)


def _pads_with_zeros(x, size, stride=None, padding="VALID", **options):
    pads = ops.geometry.pads(padding, x.shape[1:-1], size, size if stride is None else stride)
    return ops.max_pool(ops.pad(x, pads), size, stride, **options)


TIES = Case("max_pool", {"x": (2, 8, 3)}, {"size": 2}, fill="ties", seed=3)


@pytest.mark.parametrize("wrong", [_last_maximum, _shared_ties])
def test_ties_sent_elsewhere_are_found(wrong) -> None:
    check_forward(wrong, TIES)  # the value is right: only the gradient tells
    check_gradients(ops.max_pool, TIES)
    with pytest.raises(AssertionError, match="gradient of x"):
        check_gradients(wrong, TIES)


def test_a_pool_that_ignores_nan_is_found() -> None:
    case = Case("max_pool", {"x": (2, 9, 3)}, {"size": 3}, fill="special")
    check_forward(ops.max_pool, case)
    with pytest.raises(AssertionError, match="value"):
        check_forward(_ignores_nan, case)


def test_a_pool_that_pads_with_zeros_is_found() -> None:
    with pytest.raises(AssertionError, match=r"Case\(op='max_pool'"):
        assert_conforms(_pads_with_zeros, "max_pool", ranks=(1,), options=("stride", "padding"), shrink=False)


@pytest.mark.parametrize(
    ("op", "wrong"),
    [
        ("avg_pool", {"count_include_pad": True}),
        ("max_pool", {"ceil_mode": False}),
        ("lp_pool", {"p": 2}),
        ("gem_pool", {"eps": 1e-6}),
        ("resize", {"align_corners": False}),
        ("blur_pool", {"padding_mode": "zeros"}),
    ],
)
def test_an_option_that_is_ignored_is_found(op: str, wrong: dict) -> None:
    with pytest.raises((AssertionError, BaseExceptionGroup)):
        assert_conforms(_with(op, **wrong), op, ranks=(1,), dtypes=("float32",), gradients=False, shrink=False)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda x, size: x[:, :4].astype(jnp.bfloat16), "bfloat16"),
        (lambda x, size: x[:, :3], "shape"),
        (lambda x, size: x[0, :4], "rank"),
        (lambda x, size: (ops.max_pool(x, size), x), "2 results, not 1"),
    ],
)
def test_dtype_shape_rank_and_structure_are_looked_at(wrong, message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_forward(wrong, TIES)


def test_integers_have_no_gradients_to_check() -> None:
    with pytest.raises(ValueError, match="no float arrays"):
        check_gradients(ops.max_pool, Case("max_pool", {"x": (1, 4, 1)}, {"size": 2}, "int32"))


def test_finite_differences_find_a_gradient_wrong_by_a_millionth() -> None:
    x = np.linspace(0.5, 2.0, 9)
    check_finite_differences(lambda x: x**3, x)

    @jax.custom_vjp
    def cube(x):
        return x**3

    cube.defvjp(lambda x: (x**3, x), lambda x, dy: ((1 + 1e-6) * 3 * x**2 * dy,))
    with pytest.raises(AssertionError, match="finite differences give"):
        check_finite_differences(cube, x)


def test_an_adjoint_with_another_padding_is_found() -> None:
    w = np.random.default_rng(0).standard_normal((3, 2, 4))
    a, x = np.ones((1, 6, 2)), np.arange(12.0).reshape(1, 3, 4)
    right = {"stride": 2, "padding": ((0, 1),)}
    check_adjoint(lambda a: ops.conv(a, w, **right), lambda x: ops.conv_transpose(x, w, **right), a, x)
    wrong = {"stride": 2, "padding": ((1, 0),)}
    with pytest.raises(AssertionError, match="<f"):
        check_adjoint(lambda a: ops.conv(a, w, **right), lambda x: ops.conv_transpose(x, w, **wrong), a, x)


@jax.custom_vjp
def _asymmetric(x):
    return jnp.sin(x)


# The derivative of each element depends on its neighbor: no function has that Hessian.
_asymmetric.defvjp(lambda x: (jnp.sin(x), x), lambda x, dy: (dy * jnp.cos(x) + jnp.roll(x, 1) * x * dy,))


def _sees_the_batch(x):
    return x * jnp.asarray(2.0 if isinstance(x, jax.core.Tracer) else 2.001, x.dtype)


def test_transformations_that_change_the_result_are_found() -> None:
    x = np.linspace(-1.0, 1.0, 5, dtype=np.float32)
    check_transformations(jnp.sin, x)
    with pytest.raises(AssertionError, match="jit"):
        check_transformations(_sees_the_batch, x)


def test_a_batching_rule_that_mixes_the_batch_is_found() -> None:
    @jax.custom_batching.custom_vmap
    def double(x):
        return 2 * x

    @double.def_vmap
    def _rule(axis_size, in_batched, x):
        return 2 * jnp.flip(x, 0), True

    with pytest.raises(AssertionError, match="vmap over arguments"):
        check_transformations(double, np.arange(3, dtype=np.int32))


def test_a_reverse_rule_that_no_function_has_is_found() -> None:
    x = [jnp.linspace(0.1, 1.0, 5)]
    _check_second(jnp.sin, x, x[0], 5, 0)
    with pytest.raises(AssertionError, match="not symmetric"):
        _check_second(_asymmetric, x, x[0], 5, 0)

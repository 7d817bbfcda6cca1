"""Programs that XLA on CPU compiles to wrong numbers when they are written in plain `lax`; ours must not be written so.

Each test holds a value or a gradient under `jax.jit` against the naive definition. In plain `lax`, gradients of the
first three cases of padding beyond the window are wrong with jaxlib 0.10.2 and right with 0.12.0.1; a window of size
1 over inserted zeros is wrong, or does not run, with both. The others are their kin, and were not seen to fail.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from jaxnets import ops, reference
from jaxnets.testing import Case, check_gradients


@pytest.mark.parametrize(
    ("shape", "size", "options"),
    [
        ((2, 9, 9, 4), 3, {"padding": ((4, 0), (4, 0))}),  # more than size - 1 below, less above
        ((2, 33, 33, 4), 3, {"padding": ((5, 1), (5, 1))}),
        ((2, 9, 9, 4), 3, {"padding": ((5, 0), (5, 0)), "groups": 4}),
        ((1, 12, 3), 1, {"padding": ((3, 0),)}),
        ((2, 9, 9, 2), 3, {"padding": ((6, 0), (5, 2)), "stride": 2}),
        ((2, 9, 9, 2), 2, {"padding": ((4, 0), (4, 0)), "dilation": 2}),
        ((2, 5, 5, 5, 2), 2, {"padding": ((3, 0), (2, 0), (0, 3))}),
    ],
    ids=str,
)
@pytest.mark.parametrize("op", ["conv", "conv_transpose"])
def test_padding_beyond_the_window(op: str, shape: tuple[int, ...], size: int, options: dict) -> None:
    """openxla/xla issue 48713: convolution with negative low padding, which is what the gradient would ask for."""
    rank, c = len(shape) - 2, shape[-1]
    kernel = (*(size,) * rank, c // options.get("groups", 1), 4)
    if op == "conv_transpose":  # the same convolution, turned round
        shape = (*ops.conv(jnp.zeros(shape), jnp.zeros(kernel), **options).shape[:-1], 4)
        options = {"output_padding": 0} | options
    check_gradients(getattr(ops, op), Case(op, {"x": shape, "w": kernel}, options))


@pytest.mark.parametrize(
    ("shape", "size", "stride"),
    [((1, 64, 128, 1), (2, 1), 2), ((1, 128, 129, 1), (1, 2), (2, 1)), ((1, 128, 128, 1), 1, 2), ((2, 257, 4), 1, 2)],
    ids=str,
)
@pytest.mark.parametrize("op", ["avg_pool", "max_pool", "lp_pool"])
def test_window_of_one_and_stride_of_two(op: str, shape: tuple[int, ...], size, stride) -> None:
    """openxla/xla issue 48714: reduce_window with base dilation, which is what the gradient would ask for."""
    check_gradients(getattr(ops, op), Case(op, {"x": shape}, {"size": size, "stride": stride}))


@pytest.mark.parametrize(
    ("size", "inserted"), [((1, 2), (2, 1)), ((2, 1), (1, 2)), ((1, 40), (2, 1)), ((2, 2), (2, 2))]
)
@pytest.mark.parametrize(("op", "filler"), [("avg_pool", 0), ("max_pool", -np.inf), ("min_pool", np.inf)])
def test_elements_inserted_before_a_window(
    op: str, filler: float, size: tuple[int, int], inserted: tuple[int, int]
) -> None:
    """The same, forward: XLA folds what is inserted into the window, as its base dilation."""
    x = np.random.default_rng(0).standard_normal((1, 64, 128, 1)).astype(np.float32)

    def apart(x: jax.Array) -> jax.Array:
        return lax.pad(x, np.float32(filler), [(0, 0, 0), *((0, 0, step - 1) for step in inserted), (0, 0, 0)])

    got = jax.jit(lambda x: getattr(ops, op)(apart(x), size))(x)
    expected = getattr(reference, op)(np.asarray(apart(jnp.asarray(x))), size)
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("step", [(2, 1), (1, 2)])
def test_a_long_window_between_strided_slices(step: tuple[int, int]) -> None:
    """The gradient of a strided slice inserts zeros before the gradient of the window."""
    x = np.random.default_rng(0).standard_normal((1, 64, 128, 1)).astype(np.float32)
    a, b = step

    def thinned(x: jax.Array) -> jax.Array:
        return ops.avg_pool(x, (1, 40), 1)[:, ::a, ::b]

    dy = np.zeros((1, 64, 89, 1))
    dy[:, ::a, ::b] = 1
    dx = jax.jit(jax.grad(lambda x: thinned(x).sum()))(x)
    np.testing.assert_allclose(dx, reference.avg_pool_backward(dy, x, (1, 40), 1), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("op", ["avg_pool", "max_pool", "lp_pool"])
@pytest.mark.parametrize("stride", [1, 2, (2, 1)])
def test_borders_cut_off_before_a_window_of_one(op: str, stride) -> None:
    """In plain `lax` a negative pad folded into such a window aborts the process while it compiles."""
    x = np.random.default_rng(0).standard_normal((1, 8, 8, 2)).astype(np.float32)

    def cut(x: jax.Array) -> jax.Array:
        return lax.pad(x, np.float32(0), [(0, 0, 0), (-1, 0, 0), (-1, 0, 0), (0, 0, 0)])

    y, pull = jax.vjp(jax.jit(lambda x: getattr(ops, op)(cut(x), 1, stride)), x)
    expected = getattr(reference, op)(x[:, 1:, 1:], 1, stride)
    np.testing.assert_allclose(y, expected, rtol=1e-6)
    (dx,) = pull(jnp.ones_like(y))
    assert np.count_nonzero(dx) == expected.size


@pytest.mark.parametrize("mode", ["zeros", "reflect", "circular"])
@pytest.mark.parametrize(("low", "high"), [(1, 1), (3, 0), (0, 2), (4, 1)])
def test_explicit_padding_before_a_convolution(low: int, high: int, mode: str) -> None:
    """openxla/xla issue 48715: a pad, or its gradient, a negative pad, folded into the convolution next to it."""
    rng = np.random.default_rng(0)
    x, w = rng.standard_normal((2, 6, 6, 3)), rng.standard_normal((3, 3, 3, 4))
    pads = ((low, high), (low, high))

    def padded(x: jax.Array, w: jax.Array) -> jax.Array:
        return ops.conv(ops.pad(x, pads, mode), w, padding="VALID")

    def twice(x: jax.Array, w: jax.Array) -> jax.Array:
        return jax.vjp(lambda x: padded(x, w), x)[1](padded(x, w))[0]

    inner = np.asarray(reference.pad(x, pads, mode))
    y = reference.conv(inner, w, padding="VALID")
    dx, dw, _ = reference.conv_backward(y, inner, w, padding="VALID")
    dx = reference.pad_backward(dx, x, pads, mode)
    given = jnp.asarray(x, jnp.float32), jnp.asarray(w, jnp.float32)
    got_dx, got_dw = jax.jit(lambda x, w: jax.vjp(padded, x, w)[1](padded(x, w)))(*given)
    np.testing.assert_allclose(got_dx, dx, rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose(got_dw, dw, rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose(jax.jit(twice)(*given), dx, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("op", ["max_pool", "avg_pool"])
def test_padding_then_pooling_then_both_gradients(op: str) -> None:
    """The same folding, into a window that is no convolution."""
    rng = np.random.default_rng(1)
    x = rng.standard_normal((1, 9, 8, 2))
    pads = ((2, 0), (0, 3))

    def padded(x: jax.Array) -> jax.Array:
        return getattr(ops, op)(ops.pad(x, pads), 3, 2)

    inner = np.asarray(reference.pad(x, pads))
    dy = np.asarray(getattr(reference, op)(inner, 3, 2))
    expected = reference.pad_backward(getattr(reference, f"{op}_backward")(dy, inner, 3, 2), x, pads)
    got = jax.jit(lambda x: jax.vjp(padded, x)[1](padded(x))[0])(jnp.asarray(x, jnp.float32))
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-5)

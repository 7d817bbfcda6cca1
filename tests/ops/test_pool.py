"""Pools by hand: small numbers worked out on paper, ties, NaN, infinities and the corners of their contract."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnets import ops

INF, NAN = float("inf"), float("nan")


def line(*values: float, dtype: str = "float32") -> jax.Array:
    """(1, W, 1)."""
    return jnp.asarray(values, dtype).reshape(1, -1, 1)


def values(y: jax.Array) -> list[float]:
    return np.asarray(y, np.float64).ravel().tolist()


@pytest.mark.parametrize(
    ("op", "options", "expected"),
    [
        ("max_pool", {"size": 2}, [3, 4]),
        ("max_pool", {"size": 2, "ceil_mode": True}, [3, 4, 5]),
        ("max_pool", {"size": 2, "stride": 1}, [3, 3, 4, 5]),
        ("max_pool", {"size": 3, "stride": 1, "padding": "SAME"}, [3, 3, 4, 5, 5]),
        ("max_pool", {"size": 2, "stride": 1, "dilation": 3}, [4, 5]),
        ("max_pool", {"size": 2, "padding": "CAUSAL"}, [1, 3, 5]),
        ("min_pool", {"size": 2, "stride": 1, "padding": ((1, 0),)}, [1, 1, 2, 2, 4]),
        ("avg_pool", {"size": 2}, [2, 3]),
        ("avg_pool", {"size": 2, "ceil_mode": True}, [2, 3, 5]),
        ("avg_pool", {"size": 2, "padding": 1}, [1, 2.5, 4.5]),
        ("avg_pool", {"size": 2, "padding": 1, "count_include_pad": True}, [0.5, 2.5, 4.5]),
        # The overhang of ceil_mode never counts; the padding does: the last window holds 5 and one padding.
        (
            "avg_pool",
            {"size": 4, "stride": 3, "ceil_mode": True, "padding": 1, "count_include_pad": True},
            [1.5, 11 / 4],
        ),
        ("avg_pool", {"size": 3, "stride": 2, "ceil_mode": True, "count_include_pad": True}, [2, 11 / 3]),
        ("avg_pool", {"size": 4, "stride": 4, "ceil_mode": True, "count_include_pad": True}, [2.5, 5]),
        ("lp_pool", {"size": 2, "p": 1}, [4, 6]),
        ("lp_pool", {"size": 2, "p": INF}, [3, 4]),
        ("gem_pool", {"size": 2, "p": 1.0}, [2, 3]),
    ],
    ids=str,
)
def test_pool_of_a_line(op: str, options: dict, expected: list[float]) -> None:
    assert values(getattr(ops, op)(line(1, 3, 2, 4, 5), **options)) == pytest.approx(expected, rel=1e-6)


def test_ceil_mode_drops_a_window_that_would_start_in_the_padding() -> None:
    # 3 elements, padding 1 at each end: windows start at -1 and 1; a third would start at 3, past the last element.
    assert ops.max_pool(line(1, 2, 3), 2, padding=1, ceil_mode=True).shape == (1, 2, 1)


def gradient(op: str, x: jax.Array, *args, **options) -> list[float]:
    """The gradient of the sum with weights 1, 10, 100, …, which shows which window sent it."""

    def loss(x: jax.Array) -> jax.Array:
        y = getattr(ops, op)(x, *args, **options)
        return jnp.vdot(y.ravel(), 10.0 ** jnp.arange(y.size, dtype=y.dtype))

    return values(jax.jit(jax.grad(loss))(x))


@pytest.mark.parametrize("op", ["max_pool", "min_pool"])
def test_ties_send_the_gradient_to_the_first(op: str) -> None:
    assert gradient(op, line(0, 0, 0, 0), 2) == [1, 0, 10, 0]
    assert gradient(op, line(0, 0, 0, 0), 3, 1) == [1, 10, 0, 0]
    assert gradient(op, line(0, 0, 0, 0, 0), 3, 1, padding="SAME") == [11, 100, 1000, 10000, 0]
    assert gradient(op, jnp.zeros((1, 3, 3, 1)), 2, 1) == [1, 10, 0, 100, 1000, 0, 0, 0, 0]
    assert gradient(op, line(0, 0, 0, 0, 0), 2, 1, dilation=2) == [1, 10, 100, 0, 0]
    assert gradient(op, jnp.zeros((1, 3, 3, 1)), 3, 1, padding=((0, 2), (0, 0))) == [1, 0, 0, 10, 0, 0, 100, 0, 0]


def test_adaptive_and_global_ties_too() -> None:
    assert gradient("adaptive_max_pool", line(0, 0, 0), 2) == [1, 10, 0]
    assert gradient("global_max_pool", line(0, 0, 0)) == [1, 0, 0]


@pytest.mark.parametrize("op", ["max_pool", "min_pool"])
def test_nan_wins_and_takes_the_gradient(op: str) -> None:
    x = line(1, NAN, 3, NAN)
    assert np.isnan(values(getattr(ops, op)(x, 2))).tolist() == [True, True]
    assert np.isnan(values(getattr(ops, op)(x, 4))).all()
    assert gradient(op, x, 4) == [0, 1, 0, 0]  # the first NaN
    assert gradient(op, line(NAN, INF, -INF, 0), 2) == ([1, 0, 0, 10] if op == "max_pool" else [1, 0, 10, 0])


def test_infinities_are_numbers() -> None:
    assert values(ops.max_pool(line(-INF, -INF, -INF), 3, 1, padding=1)) == [-INF] * 3
    assert values(ops.min_pool(line(INF, INF, 0), 2, 1)) == [INF, 0]
    assert gradient("max_pool", line(-INF, -INF, -INF), 3, 1, padding=1) == [11, 100, 0]  # padding never wins
    assert gradient("min_pool", line(INF, INF), 2) == [1, 0]
    y, indices = ops.max_pool_with_indices(line(-INF, -INF, -INF), 2, 1, padding=((1, 0),))
    assert values(indices) == [0, 0, 1]
    assert values(y) == [-INF] * 3


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int32"])
def test_integers_keep_their_extremes(dtype: str) -> None:
    info = jnp.iinfo(dtype)
    x = line(info.min, info.min, info.max, info.max, dtype=dtype)
    assert values(ops.max_pool(x, 2, 1, padding=1)) == [info.min, info.min, info.max, info.max, info.max]
    assert values(ops.min_pool(x, 2, 1, padding=1)) == [info.min, info.min, info.min, info.max, info.max]
    assert ops.max_pool(x, 2).dtype == dtype


def test_the_mean_of_integers_is_float32_and_does_not_wrap() -> None:
    y = ops.avg_pool(line(100, 120, 101, 120, dtype="int8"), 2)
    assert y.dtype == jnp.float32
    assert values(y) == [110, 110.5]


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision_sums_in_float32(dtype: str) -> None:
    x = jnp.ones((1, 4096, 1), dtype)
    assert values(ops.avg_pool(x, 4096)) == [1]
    assert ops.avg_pool(x, 4096).dtype == dtype
    # Every window of 300 sends 1 to the one maximum: the sum is right only if it is taken in float32.
    peak = x.at[0, 600, 0].set(2)
    dx = jax.grad(lambda x: ops.max_pool(x, 300, 1).astype(jnp.float32).sum())(peak)
    assert float(dx[0, 600, 0]) == 300


@pytest.mark.parametrize("op", ["max_pool", "min_pool", "avg_pool", "lp_pool", "gem_pool"])
@pytest.mark.parametrize("shape", [(0, 4, 2), (0, 4, 4, 1), (0, 2, 2, 2, 3)])
def test_batch_of_nothing(op: str, shape: tuple[int, ...]) -> None:
    x = jnp.zeros(shape)
    y, pull = jax.vjp(lambda x: getattr(ops, op)(x, 2), x)
    assert y.shape == (0, *(n // 2 for n in shape[1:-1]), shape[-1])
    assert pull(y)[0].shape == shape


def test_powers_at_zero_have_finite_gradients() -> None:
    assert gradient("lp_pool", line(0, 0, 3, -4), 2) == pytest.approx([0, 0, 6, -8], rel=1e-6)
    assert gradient("lp_pool", line(0, 0, 0, -4), 2, p=1) == pytest.approx([0, 0, 0, -10], rel=1e-6)
    assert np.isfinite(gradient("lp_pool", line(0, 0, 0, 1), 2, p=1.5)).all()
    assert np.isfinite(gradient("gem_pool", line(0, -1, 0, 1), 2)).all()


def test_unpooling_puts_the_maxima_back() -> None:
    x = jnp.asarray([[1.0, 5.0, 2.0], [7.0, 3.0, 9.0]]).reshape(1, 2, 3, 1)
    y, indices = ops.max_pool_with_indices(x, (2, 1))
    assert values(indices) == [3, 1, 5]
    np.testing.assert_array_equal(ops.max_unpool(y, indices, (2, 1))[0, :, :, 0], [[0, 5, 0], [7, 0, 9]])


@pytest.mark.parametrize("padding", [1, "SAME", ((0, 2),), ((2, 0),)])
def test_a_window_of_padding_alone_is_refused(padding) -> None:
    fits = padding == "SAME"
    if fits:
        assert values(ops.max_pool(line(1, 2, 3), 1, padding=padding)) == [1, 2, 3]
        return
    with pytest.raises(ValueError, match="sees only padding"):
        ops.max_pool(line(1, 2, 3), 1, padding=padding)

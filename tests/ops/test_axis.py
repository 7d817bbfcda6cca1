"""Linear maps of one axis against the matrix itself: value, both derivatives, batching, and what is not finite."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from jaxnets.ops.kernels.axis import product

RNG = np.random.default_rng(0)


def band(out: int, n: int, taps: int) -> np.ndarray:
    """`taps` weights in each row, next to each other, less where they would run over the edge."""
    matrix = np.zeros((out, n))
    for row, start in enumerate(np.linspace(0, n - 1, out).astype(int)):
        matrix[row, start : start + taps] = RNG.normal(size=min(taps, n - start))
    return matrix


CASES = [
    pytest.param(band(5, 9, 3), 1, id="down"),
    pytest.param(band(9, 4, 2), 2, id="up"),
    pytest.param(band(3, 90, 80), 1, id="more taps than one loop takes"),
    pytest.param(np.zeros((2, 3)), 0, id="zeros"),
    pytest.param(np.eye(4)[[3, 3, 0]], 3, id="one tap, an element twice, some never"),
]


@pytest.mark.parametrize(("matrix", "axis"), CASES)
def test_equals_the_matrix_and_so_do_its_derivatives(matrix: np.ndarray, axis: int) -> None:
    shape = [2, 3, 2, 2]
    shape[axis] = matrix.shape[1]
    x = jnp.asarray(RNG.normal(size=shape))
    out = np.moveaxis(np.tensordot(matrix, x, axes=((1,), (axis,))), 0, axis)
    ct = RNG.normal(size=out.shape)
    back = np.moveaxis(np.tensordot(matrix.T, ct, axes=((1,), (axis,))), 0, axis)

    y, dy = jax.jvp(lambda x: product(x, matrix, axis), (x,), (2 * x,))
    _, transpose = jax.vjp(lambda x: product(x, matrix, axis), x)
    np.testing.assert_allclose(y, out, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(dy, 2 * out, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(transpose(jnp.asarray(ct))[0], back, rtol=1e-5, atol=1e-5)


def test_second_derivatives_and_batches() -> None:
    matrix, x = band(3, 5, 2), jnp.asarray(RNG.normal(size=(4, 5)))

    def energy(x: jax.Array) -> jax.Array:
        return (product(x, matrix, 0) ** 2).sum()

    hessian = jax.vmap(jax.hessian(energy))(x)
    np.testing.assert_allclose(hessian, np.broadcast_to(2 * matrix.T @ matrix, (4, 5, 5)), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(
        jax.vmap(lambda x: product(x, matrix, 0), in_axes=1, out_axes=1)(x.T), matrix @ x.T, rtol=1e-5, atol=1e-5
    )


@pytest.mark.parametrize("taps", [2, 70])
def test_what_is_not_finite_stays_in_the_windows_that_hold_it(taps: int) -> None:
    matrix = band(4, 80, taps)
    x = jnp.zeros(80).at[0].set(jnp.nan)
    np.testing.assert_array_equal(jnp.isnan(product(x, matrix, 0)), matrix[:, 0] != 0)
    _, transpose = jax.vjp(lambda x: product(x, matrix, 0), jnp.zeros(80))
    np.testing.assert_array_equal(jnp.isnan(transpose(jnp.zeros(4).at[0].set(jnp.nan))[0]), matrix[0] != 0)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_keeps_the_dtype(dtype: str) -> None:
    x = jnp.ones((1, 4), dtype)
    y, transpose = jax.vjp(lambda x: product(x, np.full((1, 4), 0.25), 1), x)
    assert y.dtype == transpose(y)[0].dtype == x.dtype
    np.testing.assert_array_equal(y, 1)


def test_a_batch_split_by_its_type_stays_split() -> None:
    mesh = jax.make_mesh((1,), ("n",), axis_types=(AxisType.Explicit,))
    with jax.set_mesh(mesh):
        x = jax.device_put(jnp.ones((2, 4, 3)), NamedSharding(mesh, PartitionSpec("n")))

        def total(x: jax.Array) -> jax.Array:
            return product(x, band(2, 4, 3), 1).sum()

        assert jax.typeof(product(x, band(2, 4, 3), 1)).sharding.spec[0] == "n"
        assert jax.typeof(jax.jit(jax.grad(total))(x)).sharding.spec[0] == "n"

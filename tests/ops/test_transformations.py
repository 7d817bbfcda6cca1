"""Convolutions and pools wherever JAX puts them: derivatives of derivatives, loops, branches, shards and exports."""

from functools import partial

import jax
import jax.export
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from jax.sharding import AxisType
from jax.sharding import PartitionSpec as P

from jaxnets import ops
from jaxnets.testing import check_transformations


def _normal(*shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape)).standard_normal(shape).astype(np.float32)


CASES = {
    "conv": (partial(ops.conv, stride=2, groups=2), (_normal(2, 5, 4, 4), _normal(3, 2, 2, 6), _normal(6))),
    "conv_circular": (
        partial(ops.conv, padding_mode=("circular", "reflect"), dilation=2),
        (_normal(1, 5, 5, 2), _normal(3, 2, 2, 3)),
    ),
    "conv_transpose": (partial(ops.conv_transpose, stride=2, padding=1), (_normal(2, 3, 4, 2), _normal(3, 3, 3, 2))),
    "max_pool": (partial(ops.max_pool, size=3, stride=2, dilation=2, padding=1), (_normal(2, 6, 7, 3),)),
    "avg_pool": (partial(ops.avg_pool, size=3, stride=2, padding="SAME"), (_normal(2, 6, 7, 3),)),
}
each = pytest.mark.parametrize("name", [name for name in CASES if name != "conv_circular"])


def _case(name: str):
    fn, arrays = CASES[name]
    return fn, tuple(map(jnp.asarray, arrays))


def _loss(name: str):
    fn, _ = CASES[name]
    return lambda *arrays: jnp.sum(jnp.square(fn(*arrays)))


def _close(a, b) -> None:
    jax.tree.map(lambda u, v: np.testing.assert_allclose(u, v, rtol=1e-5, atol=1e-5), a, b)


@pytest.mark.parametrize("name", CASES)
def test_jit_vmap_and_both_modes(name: str) -> None:
    fn, arrays = CASES[name]
    check_transformations(fn, *arrays)


@each
def test_hessian_is_that_of_the_linear_part(name: str) -> None:
    # Each op is linear in x (a pool: near x), so that the Hessian of |f|² / 2 is JᵀJ.
    fn, (x, *rest) = _case(name)
    x = x[:1, :3, :3, :]
    rest = [r[:2, :2] if r.ndim == 4 else r for r in rest]
    fn = partial(ops.max_pool, size=2, stride=1, dilation=2) if name == "max_pool" else fn

    def of_x(flat: jax.Array) -> jax.Array:
        return fn(flat.reshape(x.shape), *rest).ravel()

    zero = [jnp.zeros_like(r) if r.ndim == 1 else r for r in rest]  # no bias: linear, not affine

    def half_square(flat: jax.Array) -> jax.Array:
        return jnp.sum(jnp.square(fn(flat.reshape(x.shape), *zero))) / 2

    hessian = jax.jit(jax.hessian(half_square))(x.ravel())
    jacobian = jax.jit(jax.jacrev(of_x))(x.ravel())
    np.testing.assert_allclose(hessian, jacobian.T @ jacobian, rtol=1e-4, atol=1e-5)


@each
def test_gradient_steps_in_scan_equal_those_outside(name: str) -> None:
    _, (x, *rest) = _case(name)
    step = jax.grad(lambda x: 0.01 * _loss(name)(x, *rest))
    inside, _ = jax.jit(lambda x: lax.scan(lambda x, _: (x - step(x), None), x, length=3))(x)
    for _ in range(3):
        x = x - jax.jit(step)(x)
    _close(inside, x)


@each
def test_while_loop_and_cond(name: str) -> None:
    fn, arrays = _case(name)
    expected = fn(*arrays)

    def body(carry):
        i, y = carry
        return i + 1, lax.cond(i % 2 == 0, lambda: y + fn(*arrays), lambda: y - fn(*arrays))

    _, y = jax.jit(lambda: lax.while_loop(lambda carry: carry[0] < 3, body, (0, jnp.zeros_like(expected))))()
    _close(y, expected)


@each
def test_checkpoint_changes_no_gradient(name: str) -> None:
    _, arrays = _case(name)
    positions = tuple(range(len(arrays)))
    plain = jax.jit(jax.grad(_loss(name), positions))(*arrays)
    _close(jax.jit(jax.grad(jax.checkpoint(_loss(name)), positions))(*arrays), plain)


@each
def test_shard_map_over_the_batch(name: str) -> None:
    fn, (x, *rest) = _case(name)
    mesh = jax.make_mesh((1,), ("data",), axis_types=(AxisType.Auto,))
    sharded = jax.shard_map(fn, mesh=mesh, in_specs=(P("data"), *[P()] * len(rest)), out_specs=P("data"))
    _close(jax.jit(sharded)(x, *rest), fn(x, *rest))
    positions = tuple(range(1 + len(rest)))
    gradient = jax.grad(lambda *arrays: jnp.sum(jnp.square(sharded(*arrays))), positions)
    _close(jax.jit(gradient)(x, *rest), jax.grad(_loss(name), positions)(x, *rest))


@each
def test_export_for_cpu_with_its_gradient(name: str) -> None:
    fn, arrays = _case(name)
    shapes = [jax.ShapeDtypeStruct(a.shape, a.dtype) for a in arrays]
    exported = jax.export.export(jax.jit(fn), platforms=["cpu"])(*shapes)
    _close(exported.call(*arrays), fn(*arrays))
    positions = tuple(range(len(arrays)))
    gradient = jax.grad(lambda *a: jnp.sum(jnp.square(exported.call(*a))), positions)(*arrays)
    _close(gradient, jax.grad(_loss(name), positions)(*arrays))


def test_an_export_for_three_platforms_holds_all() -> None:
    fn, arrays = _case("conv")
    shapes = [jax.ShapeDtypeStruct(a.shape, a.dtype) for a in arrays]
    exported = jax.export.export(jax.jit(fn), platforms=["cpu", "cuda", "tpu"])(*shapes)
    assert exported.platforms == ("cpu", "cuda", "tpu")
    _close(exported.call(*arrays), fn(*arrays))


@pytest.mark.parametrize("name", ["conv", "max_pool"])
def test_symbolic_batch_size(name: str) -> None:
    fn, (x, *rest) = _case(name)
    (n,) = jax.export.symbolic_shape("n")
    shapes = [jax.ShapeDtypeStruct((n, *x.shape[1:]), x.dtype), *(jax.ShapeDtypeStruct(a.shape, a.dtype) for a in rest)]
    exported = jax.export.export(jax.jit(fn), platforms=["cpu"])(*shapes)
    for batch in (1, 3):
        xs = jnp.concatenate([x] * batch)[:batch]
        _close(exported.call(xs, *rest), fn(xs, *rest))


@pytest.mark.parametrize("op", ["max_pool", "avg_pool"])
def test_windows_of_one_and_of_many(op: str) -> None:
    """Where a barrier stands in the program: it must be seen through by every transformation."""
    check_transformations(partial(getattr(ops, op), size=(40, 1), stride=1), _normal(1, 42, 3, 2))

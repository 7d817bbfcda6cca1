"""The sums and the spreading that normalizations are made of: values, all derivatives, and every place they run in."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import Mesh, PartitionSpec
from jax.test_util import check_grads

from jaxnets.ops import norm
from jaxnets.ops.kernels import reduce

AXES = ((0,), (1, 2), (0, 1, 2), ())
SHAPE = (3, 2, 4, 5)


def operands(axes, dtype=np.float32):
    draw = np.random.default_rng(0)
    one = tuple(1 if axis in axes else n for axis, n in enumerate(SHAPE))
    t, x = (draw.standard_normal(SHAPE).astype(dtype) for _ in range(2))
    a, b, mean = (draw.standard_normal(one).astype(np.float32) for _ in range(3))
    return t, x, a, b, mean


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("axes", AXES, ids=str)
def test_values(axes, dtype):
    t, x, a, b, mean = operands(axes, jnp.dtype(dtype))
    deviation = x.astype(np.float64) - mean
    total, deviating = reduce.sums(t, x, mean, axes)
    wide = t.astype(np.float64)
    np.testing.assert_allclose(total, wide.sum(axes, keepdims=True), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(deviating, (wide * deviation).sum(axes, keepdims=True), rtol=1e-5, atol=1e-5)
    assert total.dtype == deviating.dtype == np.float32
    y = reduce.spread(a, b, x, mean, axes)
    close = {"rtol": float(jnp.finfo(dtype).eps) * 4, "atol": 1e-5}
    assert y.dtype == x.dtype
    np.testing.assert_allclose(np.asarray(y, np.float64), a * deviation + b, **close)


@pytest.mark.parametrize("axes", AXES[1:3], ids=str)
def test_derivatives_of_both_orders_in_every_operand(axes):
    t, x, a, b, mean = operands(axes)
    check_grads(lambda *args: reduce.sums(*args, axes), (t, x, mean), order=2, eps=1e-2, rtol=2e-2, atol=2e-2)
    check_grads(lambda *args: reduce.spread(*args, axes), (a, b, x, mean), order=2, eps=1e-2, rtol=2e-2, atol=2e-2)


@pytest.mark.parametrize("which", range(1, 2**3))
def test_batching_of_any_operands(which):
    t, x, a, _, mean = operands((1, 2))
    for fn, arrays in (
        (lambda t, x, mean: reduce.sums(t, x, mean, (1, 2)), (t, x, mean)),
        (lambda a, x, mean: reduce.spread(a, a, x, mean, (1, 2)), (a, x, mean)),
    ):
        batched = [np.stack([z, 2 * z], -1) if which >> i & 1 else z for i, z in enumerate(arrays)]
        axes = [z.ndim - 1 if which >> i & 1 else None for i, z in enumerate(batched)]
        axes = [None if axis is None else arrays[i].ndim for i, axis in enumerate(axes)]
        got = jax.vmap(fn, axes)(*batched)
        for j in range(2):
            one = fn(*((1 + j) * z if which >> i & 1 else z for i, z in enumerate(arrays)))
            jax.tree.map(lambda g, w, j=j: np.testing.assert_allclose(g[j], w, rtol=1e-5, atol=1e-5), got, one)


def plain(x, scale, shift, axes):
    mean = x.mean(axes, keepdims=True)
    var = jnp.square(x - mean).mean(axes, keepdims=True)
    return (x - mean) / jnp.sqrt(var + jnp.float32(1e-5)) * scale + shift


@pytest.mark.parametrize("mean", [0, 1000, -30000])
def test_normalization_of_a_large_mean_loses_no_more_than_the_plain_formula(mean):
    draw = np.random.default_rng(1)
    x = (draw.standard_normal((4, 6, 6, 5)) + mean).astype(np.float32)
    dy = (draw.standard_normal(x.shape) + 0.5).astype(np.float32)
    one, zero = np.ones((1, 1, 1, 5), np.float32), np.zeros((1, 1, 1, 5), np.float32)

    # What is right, in float64.
    wide = x.astype(np.float64)
    deviation = wide - wide.mean((0, 1, 2))
    r = 1 / np.sqrt(np.square(deviation).mean((0, 1, 2)) + 1e-5)
    y, n = deviation * r, x[..., 0].size
    dscale, dshift = (dy * y).sum((0, 1, 2)), dy.sum((0, 1, 2), np.float64)
    right = y, r * (dy - dshift / n - y * dscale / n), dscale, dshift

    def all_of(fn):
        out, pull = jax.vjp(fn, x, one, zero)
        return [np.ravel(np.asarray(leaf)) for leaf in (out, *pull(jnp.asarray(dy)))]

    ours = all_of(lambda x, scale, shift: norm.normalize_batch(x, scale.ravel(), shift.ravel())[0])
    theirs = all_of(partial(plain, axes=(0, 1, 2)))
    for ours_, theirs_, wanted in zip(ours, theirs, right, strict=True):
        wanted = np.ravel(wanted)
        size = np.abs(wanted).max()
        assert np.abs(ours_ - wanted).max() <= 2 * np.abs(theirs_ - wanted).max() + 1e-5 * size


@pytest.mark.parametrize("count", [0, 1])
def test_normalization_over_none_and_over_one(count):
    x = np.ones((2, count, 3, 4), np.float32) if count == 0 else np.ones((1, 1, 1, 4), np.float32)
    y, pull = jax.vjp(lambda x: norm.group_norm(x, 2), x)
    assert y.shape == x.shape
    (dx,) = pull(jnp.ones_like(y))
    assert np.isfinite(np.asarray(y)).all()
    assert np.isfinite(np.asarray(dx)).all()


def test_in_a_scan_on_each_device():
    """A training step of a normalization, scanned inside shard_map, is that of the same steps one after another."""
    mesh = Mesh(np.array(jax.devices()[:1]), ("d",))
    x = np.random.default_rng(2).standard_normal((2, 3, 3, 4)).astype(np.float32)

    def step(params, x):
        def loss(scale, shift):
            return jnp.sum(norm.normalize_batch(x, scale, shift)[0] ** 3)

        return tuple(p - jnp.float32(0.01) * g for p, g in zip(params, jax.grad(loss, (0, 1))(*params), strict=True))

    @jax.jit
    @partial(jax.shard_map, mesh=mesh, in_specs=PartitionSpec("d"), out_specs=PartitionSpec("d"))
    def steps(x):
        start = (jnp.ones(4), jnp.zeros(4))
        start = jax.tree.map(lambda leaf: leaf + x[0, 0, 0] * 0, start)  # it varies as x does
        return jax.lax.scan(lambda params, _: (step(params, x), None), start, None, length=2)[0]

    wanted = step(step((jnp.ones(4), jnp.zeros(4)), x), x)
    for got, want in zip(steps(x), wanted, strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-4)

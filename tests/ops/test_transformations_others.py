"""Every op that is not a plain sliding window under jit, vmap, scan, remat, jvp, vjp, second derivatives and export."""

from collections.abc import Callable
from functools import partial
from typing import Any

import chex
import jax
import jax.export
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from jaxnets import ops

IMAGE, LINE = (2, 5, 4, 3), (2, 7, 3)
SAMPLES = np.random.default_rng(1).random((2, 3, 2), np.float32)
INDICES = np.random.default_rng(1).permuted(np.broadcast_to(np.arange(20), (2, 3, 20)), axis=-1)
INDICES = np.moveaxis(INDICES[..., :4], -1, 1).reshape(2, 2, 2, 3).astype(np.int32)

# Each op as a function of its float arrays, and their shapes.
ROWS: dict[str, tuple[Callable[..., Any], tuple[tuple[int, ...], ...]]] = {
    "adaptive_avg_pool": (lambda x: ops.adaptive_avg_pool(x, (3, 2)), (IMAGE,)),
    "adaptive_max_pool": (lambda x: ops.adaptive_max_pool(x, 4), (LINE,)),
    "global_avg_pool": (ops.global_avg_pool, (IMAGE,)),
    "global_max_pool": (ops.global_max_pool, (IMAGE,)),
    "fractional_max_pool": (lambda x: ops.fractional_max_pool(x, 2, 4, samples=SAMPLES[..., :1]), (LINE,)),
    "max_pool_with_indices": (lambda x: ops.max_pool_with_indices(x, 2, 1)[0], (IMAGE,)),
    "max_unpool": (lambda y: ops.max_unpool(y, INDICES, 2, output_size=(5, 4)), ((2, 2, 2, 3),)),
    "blur_pool": (ops.blur_pool, (IMAGE,)),
    "unfold": (lambda x: ops.unfold(x, 3, 2, padding="SAME"), (IMAGE,)),
    "fold": (lambda y: ops.fold(y, 7, 3, 2, padding=1), ((2, 4, 6),)),
    "space_to_depth": (lambda x: ops.space_to_depth(x, (5, 2)), (IMAGE,)),
    "depth_to_space": (lambda x: ops.depth_to_space(x, (1, 3)), (IMAGE,)),
    "resize_nearest": (lambda x: ops.resize(x, (3, 8), "nearest"), (IMAGE,)),
    "resize_linear": (lambda x: ops.resize(x, (3, 8)), (IMAGE,)),
    "resize_cubic": (lambda x: ops.resize(x, (7, 2), "cubic", align_corners=True), (IMAGE,)),
    "batch_norm": (lambda x, m, v, s, t: ops.batch_norm(x, m, v * v, s, t, eps=0.1), (IMAGE, (3,), (3,), (3,), (3,))),
    "layer_norm": (lambda x, s, t: ops.layer_norm(x, s, t, eps=0.1), (IMAGE, (3,), (3,))),
    "group_norm": (lambda x, s: ops.group_norm(x, 3, s, eps=0.1), (IMAGE, (3,))),
    "instance_norm": (lambda x, s: ops.instance_norm(x, s, eps=0.1), (IMAGE, (3,))),
    "rms_norm": (lambda x, s: ops.rms_norm(x, s, eps=0.1), (IMAGE, (3,))),
    "attention": (partial(ops.attention, causal=True), ((2, 3, 4, 2), (2, 3, 2, 2), (2, 3, 2, 2))),
    "attention_weights": (partial(ops.attention_weights, mask=np.tri(3, 3, -1, bool)[None, None]), ((2, 3, 4, 2),) * 2),
    "rotary": (ops.rotary, ((2, 3, 4, 2),)),
    "dense": (ops.dense, (IMAGE, (3, 2), (2,))),
    "gelu": (ops.gelu, (IMAGE,)),
    "silu": (ops.silu, (IMAGE,)),
}


def dot(a: Any, b: Any) -> jax.Array:
    return sum((jnp.vdot(x, y) for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True)), jnp.float32(0))


@pytest.mark.parametrize("name", ROWS)
def test_transformations(name: str) -> None:
    f, shapes = ROWS[name]
    rng = np.random.default_rng(0)
    a, v, b = (tuple(rng.standard_normal(s).astype(np.float32) for s in shapes) for _ in range(3))
    eager = np.asarray(f(*map(jnp.asarray, a)))
    dy = rng.standard_normal(eager.shape).astype(np.float32)
    stacked = tuple(np.stack([x, y]) for x, y in zip(a, b, strict=True))
    every = tuple(range(len(a)))

    def loss(*a: jax.Array) -> jax.Array:
        return jnp.vdot(dy, f(*a) ** 2)

    def both(*a: jax.Array) -> tuple[jax.Array, Any]:
        return f(*a), jax.grad(jax.checkpoint(loss), every)(*a)

    # Seven programs in one, compiled quickly rather than to be quick.
    @partial(jax.jit, compiler_options={"xla_backend_optimization_level": "0"})
    def compiled(a, v, stacked):  # type: ignore[no-untyped-def]
        value, tangent = jax.jvp(f, a, v)
        return {
            "value": value,
            "jvp": dot(dy, tangent),
            "vjp": dot(jax.vjp(f, *a)[1](dy), v),
            "vmap": jax.vmap(both)(*stacked),
            "scan": lax.scan(lambda carry, x: (carry, both(*x)), None, stacked)[1],
            "gradient": jax.jvp(jax.grad(loss, every), a, v),
            "hessian": jax.grad(lambda *a: dot(jax.grad(loss, every)(*a), v), every)(*a),
        }

    got = jax.device_get(compiled(a, v, stacked))
    gradient, hessian = got["gradient"]
    chex.assert_tree_all_finite(got)
    assert any((g != 0).any() for g in hessian)
    assert_close = partial(chex.assert_trees_all_close, rtol=1e-4, atol=1e-4)
    assert_close(got["value"], eager)
    assert_close(jax.tree.map(lambda x: x[0], got["scan"]), (eager, gradient))
    assert_close(got["vmap"], got["scan"])
    assert_close(got["jvp"], got["vjp"], atol=1e-3)
    assert_close(hessian, got["hessian"], atol=1e-3)


def test_positions_and_samples_may_be_mapped_too() -> None:
    rng = np.random.default_rng(0)
    y = rng.standard_normal((3, *INDICES.shape)).astype(np.float32)
    indices = np.stack([INDICES, INDICES[::-1], INDICES[..., ::-1]])
    x = rng.standard_normal(IMAGE).astype(np.float32)
    samples = rng.random((3, *SAMPLES.shape), np.float32)

    def both(y: jax.Array, i: jax.Array, u: jax.Array) -> tuple[jax.Array, jax.Array]:
        return ops.max_unpool(y, i, 2, output_size=(5, 4)), ops.fractional_max_pool(x, 2, 3, samples=u)

    mapped = jax.jit(jax.vmap(both))(y, indices, samples)
    one_by_one = jax.jit(lambda *all: lax.map(lambda one: both(*one), all))(y, indices, samples)
    chex.assert_trees_all_equal(mapped, one_by_one)


def test_exported_with_a_symbolic_batch_size() -> None:
    rng = np.random.default_rng(0)
    names = [name for name in ROWS if name not in ("fractional_max_pool", "max_unpool")]  # theirs hold a batch of 2
    arrays = {name: tuple(rng.standard_normal(s).astype(np.float32) for s in ROWS[name][1]) for name in names}
    indexed = (rng.standard_normal(INDICES.shape).astype(np.float32), INDICES)

    def every(arrays, y, indices):  # type: ignore[no-untyped-def]
        every = {name: ROWS[name][0](*given) for name, given in arrays.items()}
        return every | {"max_unpool": ops.max_unpool(y, indices, 2, output_size=(5, 4))}

    (n,) = jax.export.symbolic_shape("n")
    shapes = jax.tree.map(
        lambda a: jax.ShapeDtypeStruct((n, *a.shape[1:]) if a.ndim > 2 else a.shape, a.dtype), (arrays, *indexed)
    )
    exported = jax.export.export(jax.jit(every), platforms=["cpu"])(*shapes)
    chex.assert_trees_all_close(
        jax.device_get(exported.call(arrays, *indexed)), jax.device_get(jax.jit(every)(arrays, *indexed)), atol=1e-5
    )

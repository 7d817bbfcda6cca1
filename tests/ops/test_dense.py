"""Products of rows with a matrix: their gradients, and what the rest of JAX sees of them."""

import re

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

import jaxnets
from jaxnets import ops
from jaxnets.ops.kernels import dense

TALL, SHORT = (2, 32, 64, 3), (2, 3, 5, 3)


def _primitives(f, *args):
    return {e.primitive.name for _, e, _ in jaxnets.compat.equations(jax.make_jaxpr(f)(*args).jaxpr)}


def _operands(shape, channels=4):
    keys = jax.random.split(jax.random.key(0))
    return jax.random.normal(keys[0], shape), jax.random.normal(keys[1], (shape[-1], channels))


@pytest.mark.parametrize("shape", [SHORT, TALL, (5, 3)], ids=str)
@pytest.mark.parametrize("channels", [2, 4])
def test_gradients_equal_those_of_a_plain_product(shape, channels):
    x, w = _operands(shape, channels)

    def loss(product, x, w):
        return jnp.sum(jnp.sin(product(x, w)))

    def plain(x, w):
        return jnp.tensordot(x, w, axes=1)

    ours, theirs = (jax.jit(jax.grad(loss, (1, 2)), static_argnums=0)(f, x, w) for f in (dense.product, plain))
    chex.assert_trees_all_close(ours, theirs, rtol=2e-4, atol=2e-4)


def test_derivatives_to_third_order():
    x, w = _operands(SHORT)
    check_grads(dense.product, (x, w), order=3, modes=("fwd", "rev"), rtol=2e-2, atol=2e-2)


@pytest.mark.parametrize("axes", [(0, None), (None, 0), (0, 0)], ids=str)
def test_batched_gradients(axes):
    """Per-example gradients, kernels of their own, and both, against a loop."""
    x, w = _operands(SHORT)
    many = tuple(v if at is None else jnp.stack([v, 2 * v, v - 1]) for v, at in zip((x, w), axes, strict=True))

    def gradients(x, w):
        return jax.grad(lambda x, w: jnp.sum(dense.product(x, w) ** 2), (0, 1))(x, w)

    each = [gradients(*(v if at is None else v[i] for v, at in zip(many, axes, strict=True))) for i in range(3)]
    chex.assert_trees_all_close(
        jax.jit(jax.vmap(gradients, axes))(*many), jax.tree.map(lambda *v: jnp.stack(v), *each), rtol=1e-5, atol=1e-5
    )


def test_the_product_itself_is_still_jaxs():
    """A policy that saves matrix products keeps this one, so that the gradient computes none again."""
    x, w = _operands(SHORT)

    def loss(x, w):
        return jnp.sum(jnp.sin(ops.dense(x, w)))

    saved = jax.checkpoint(loss, policy=jax.checkpoint_policies.dots_saveable)
    text = str(jax.make_jaxpr(jax.grad(saved, (0, 1)))(x, w))
    assert text.count("dot_general") == 2  # forward, and dx; dw is our own
    assert text.count("jaxnets_dense_gram") == 1


def test_lax_switches_it_off():
    x, w = _operands(SHORT)
    gradient = jax.grad(lambda w: jnp.sum(ops.dense(x, w)))
    assert "jaxnets_dense_gram" in _primitives(gradient, w)
    with jaxnets.lowering("lax"):
        assert "jaxnets_dense_gram" not in _primitives(gradient, w)


def test_no_operand_is_written_out_transposed():
    """As in plain JAX's gradient of this product."""
    x, y = (jax.ShapeDtypeStruct((2, 32, 64, n), "float32") for n in (8, 16))

    def transposed(f):
        return re.findall(r"f32\[\d+,4096\]", jax.jit(f).lower(x, y).compile().as_text())

    def plain(x, y):
        w = jnp.zeros((8, 16))
        return jax.vjp(lambda w: jnp.tensordot(x, w, axes=1), w)[1](y)

    def ours(x, y):
        return jax.vjp(lambda w: dense.product(x, w), jnp.zeros((8, 16)))[1](y)

    assert transposed(plain)
    assert not transposed(ours)


def test_exported_programs_hold_the_form_of_their_platform():
    """Other platforms have the contraction over all leading axes as JAX writes it."""
    x, w = _operands(TALL)
    gradient = jax.jit(jax.grad(lambda w, x: jnp.sum(dense.product(x, w) ** 2)))
    for platform, batched in (("cpu", True), ("cuda", False)):
        text = jax.export.export(gradient, platforms=[platform])(w, x).mlir_module()
        assert ("batching_dims" in text) == batched
    np.testing.assert_allclose(gradient(w, x), 2 * jnp.einsum("nhwa,nhwb->ab", x, x @ w), rtol=1e-3)


def test_shardings_that_are_part_of_types_go_through_the_gradient():
    """There the gradient is JAX's own, which says how it is sharded."""
    mesh = jax.make_mesh((1,), ("n",), axis_types=(jax.sharding.AxisType.Explicit,))
    x, w = _operands((4, 2, 3))
    with jax.set_mesh(mesh):
        sharded = jax.reshard(x, jax.P("n"))
        gradient = jax.grad(lambda w: jnp.sum(dense.product(sharded, w) ** 2))
        assert "jaxnets_dense_gram" not in _primitives(gradient, w)
        made = jax.jit(gradient)(w)
    chex.assert_trees_all_close(made, 2 * jnp.einsum("nta,ntb->ab", x, x @ w), rtol=1e-4, atol=1e-4)

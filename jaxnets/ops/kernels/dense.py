"""Products of rows with a matrix, (..., D) · (D, K), and their gradient in the matrix in the form XLA is fast on.

JAX's own transposition of that product asks XLA for a contraction over all leading axes at once, for which its CPU
compiler first writes one operand out transposed, and whose parts the library distributes badly. The product itself
stays JAX's, so that whatever knows matrix products by name (a rematerialization policy, say) still does.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
from jax import lax
from jax.custom_derivatives import SymbolicZero
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir

from jaxnets import compat
from jaxnets.ops.kernels.alone import held
from jaxnets.ops.kernels.lowerings import shapes
from jaxnets.ops.kernels.lowerings.matmul import upright_gram

product_p = Primitive("jaxnets_dense_product")
gram_p = Primitive("jaxnets_dense_gram")


def _bind(primitive: Primitive, a: jax.Array, b: jax.Array) -> jax.Array:
    return primitive.bind(*compat.alike(a, b))


@jax.custom_jvp
def product(x: jax.Array, w: jax.Array) -> jax.Array:
    """`x · w`: (..., D), (D, K) → (..., K), of one dtype.

    >>> product(jax.numpy.ones((4, 2)), jax.numpy.ones((2, 3))).shape
    (4, 3)
    """
    return _product(x, w)


def _product(x: jax.Array, w: jax.Array) -> jax.Array:
    return lax.dot_general(x, w, (((x.ndim - 1,), (0,)), ((), ())))


def _gram(x: jax.Array, y: jax.Array) -> jax.Array:
    """`xᵀ · y` over all leading axes: (..., D), (..., K) → (D, K)."""
    ahead = tuple(range(x.ndim - 1))
    return lax.dot_general(x, y, ((ahead, ahead), ((), ())))


@partial(product.defjvp, symbolic_zeros=True)
def _product_jvp(primals: Any, tangents: Any) -> Any:
    (x, w), (dx, dw) = primals, tangents
    y = _product(x, w)  # no call of `product`, which would hide the product from a rematerialization policy
    parts = [] if isinstance(dx, SymbolicZero) else [_product(dx, w)]
    if not isinstance(dw, SymbolicZero):
        own = not any(compat.is_explicitly_sharded(jax.typeof(each)) for each in (x, w))
        parts.append(_bind(product_p, x, dw) if own else _product(x, dw))
    return y, sum(parts[1:], start=parts[0]) if parts else jax.numpy.zeros_like(y)


# Each is linear in either operand, and the transpose of one is the other.


@product_p.def_abstract_eval
def _product_abstract(x: Any, w: Any) -> Any:
    return compat.aval_like((x, w), (*x.shape[:-1], w.shape[1]), x.dtype)


@gram_p.def_abstract_eval
def _gram_abstract(x: Any, y: Any) -> Any:
    return compat.aval_like((x, y), (x.shape[-1], y.shape[-1]), x.dtype)


ad.defbilinear(product_p, lambda ct, x, w: _bind(product_p, ct, w.T), lambda ct, x, w: _bind(gram_p, x, ct))
ad.defbilinear(gram_p, lambda ct, x, y: _bind(product_p, y, ct.T), lambda ct, x, y: _bind(product_p, x, ct))


def _product_batch(operands: Any, dims: Any) -> Any:
    (x, w), (at_x, at_w) = operands, dims
    if at_w is None:  # one more leading axis
        return _bind(product_p, jax.numpy.moveaxis(x, at_x, 0), w), 0
    return jax.vmap(_product, dims)(x, w), 0


batching.primitive_batchers[product_p] = _product_batch
batching.primitive_batchers[gram_p] = lambda operands, dims: (jax.vmap(_gram, dims)(*operands), 0)


def _gram_on_cpu(x: jax.Array, y: jax.Array) -> jax.Array:
    """The same on matrices of rows, in the form that XLA's CPU library is fastest on."""
    if x.dtype.itemsize < 4 or not x.size or not y.size:
        return _gram(x, y)
    return upright_gram(shapes.rows(held(x)), shapes.rows(held(y)))


product_p.def_impl(jax.jit(_product))
gram_p.def_impl(jax.jit(_gram))
mlir.register_lowering(product_p, mlir.lower_fun(_product, multiple_results=False))
mlir.register_lowering(gram_p, mlir.lower_fun(_gram, multiple_results=False))
mlir.register_lowering(gram_p, mlir.lower_fun(_gram_on_cpu, multiple_results=False), platform="cpu")

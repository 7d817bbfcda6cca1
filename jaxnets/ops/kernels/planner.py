"""Which lowering computes a convolution, on which platform and why; and the entry that computes it."""

from __future__ import annotations

from functools import partial
from math import prod

import jax
import jax.numpy as jnp
from jax import lax

from jaxnets.ops.kernels import measured, rules_cpu
from jaxnets.ops.kernels.lowerings import TABLE
from jaxnets.ops.kernels.planning import LAX, Choice, Rule, choose
from jaxnets.ops.kernels.problem import Problem, is_narrow
from jaxnets.ops.kernels.record import nested

PLATFORMS = ("cpu", "cuda", "rocm", "tpu")

# Where nothing has been measured, XLA's own convolution is the lowering: on accelerators it is a library's.
RULES: dict[str, tuple[Rule, ...]] = {"cpu": rules_cpu.RULES}

_EXACT = 2**24  # integers up to here, of either sign, are float32s


def plan(problem: Problem, platform: str) -> Choice:
    """The lowering of this problem when XLA compiles for this platform ("cpu", "cuda", "rocm" or "tpu")."""
    table = dict(TABLE)
    if jnp.issubdtype(problem.dtype, jnp.integer):
        table = {name: each for name, each in table.items() if each.exact}
    rules, fastest = RULES.get(platform, ()), None
    if isinstance(problem.batch, int):
        fastest = measured.lookup(problem, platform)
    else:  # what depends on sizes cannot be asked
        table = {name: each for name, each in table.items() if each.symbolic}
        rules = tuple(rule for rule in rules if rule.lowering in table)
    return choose(_computed(problem), table, rules, fastest)


def _computed(problem: Problem) -> Problem:
    """The problem in the dtype it is computed in: sums of narrow products are sums in 32 bits.

    Integers wrap round alike in both, as the wide result is cut off at the end. Sums of few enough 8-bit products are
    exact in float32, which XLA's CPU library convolves and integers it does not.
    """
    dtype = problem.dtype
    if not is_narrow(dtype):
        return problem
    largest = 2**7 if jnp.issubdtype(dtype, jnp.signedinteger) else 2**8 - 1
    exact = dtype.itemsize == 1 and isinstance(problem.terms, int) and problem.terms * largest**2 <= _EXACT
    floats = exact or jnp.issubdtype(dtype, jnp.floating)
    return problem.but(dtype=jnp.dtype(jnp.float32 if floats else jnp.int32))


def compute(problem: Problem, a: jax.Array, b: jax.Array, platform: str) -> jax.Array:
    """The result of the problem, by the lowering planned for this platform."""
    if problem.empty:
        return jnp.zeros((*(problem.copies,) * bool(problem.copies), *problem.result), problem.dtype)
    choice = plan(problem, platform)
    with nested(problem, choice):
        return _computed_by(choice, problem, a, b, platform)


def _computed_by(choice: Choice, problem: Problem, a: jax.Array, b: jax.Array, platform: str) -> jax.Array:
    # XLA's own convolution widens floats itself; integers it convolves in naive code, unless floats hold them.
    if choice.lowering != LAX or (
        platform == "cpu" and problem.lowering != LAX and jnp.issubdtype(problem.dtype, jnp.integer)
    ):
        problem = _computed(problem)
    y = run(choice.lowering, problem, a.astype(problem.dtype), b.astype(problem.dtype), platform)
    if jnp.issubdtype(y.dtype, jnp.floating) and jnp.issubdtype(a.dtype, jnp.integer):
        y = y.astype(jnp.int32)  # to cut off what does not fit, where a float would be held at the largest integer
    return y.astype(a.dtype)


def run(name: str, problem: Problem, a: jax.Array, b: jax.Array, platform: str) -> jax.Array:
    """The result by the lowering of this name, copies included."""
    lowering = TABLE[name]
    inner = partial(compute, platform=platform)
    if not problem.copies or name == LAX:
        return lowering.run(problem, a, b, inner)
    one = partial(lowering.run, problem.single(), compute=inner)
    if lowering.copies == "vmap":
        return jax.vmap(lambda a, b: one(a, b))(a, b)
    if problem.copies == 1 or prod(problem.result) == 0:
        return one(a[0], b[0])[None]
    return lax.map(lambda pair: one(*pair), (a, b))

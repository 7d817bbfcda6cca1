"""The convolution primitive under JAX's transformations: each of its members against the naive definitions."""

import os
import subprocess
import sys
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from jax.sharding import AxisType
from jax.sharding import PartitionSpec as P

from jaxnets import ops, reference
from jaxnets.ops.geometry import Window
from jaxnets.ops.kernels.family import bind
from jaxnets.ops.kernels.problem import MEMBERS, Member
from tests.ops.lowering_cases import BY_NAME, Sample, check, definition, expected, pulled_back

DENSE = Sample("dense", (4, 5), (2, 3), 2, 3, stride=(1, 2), pads=((1, 0), (2, 1)))
GROUPED = Sample("two groups", (4, 3), (2, 2), 4, 6, stride=(2, 1), groups=2, batch=1)
DEPTHWISE = Sample("depthwise", (5,), (3,), 3, 6, groups=3)

each_member = pytest.mark.parametrize("member", MEMBERS)
each_kind = pytest.mark.parametrize("sample", [DENSE, GROUPED, DEPTHWISE], ids=str)


def of(sample: Sample, member: Member) -> Callable[[jax.Array, jax.Array], jax.Array]:
    """The member as a function of its two operands."""
    return lambda a, b: bind(member, a, b, sample.window, sample.groups)


def close(got: Any, want: Any, what: str = "") -> None:
    """Equal to the rounding of float64."""
    want = np.asarray(want)
    assert got.shape == want.shape, what
    assert got.dtype == want.dtype, what
    np.testing.assert_allclose(got, want, rtol=0, atol=1e-13 * max(want.size, np.abs(want).max()), err_msg=what)


@each_member
@each_kind
def test_eager_and_jit(sample: Sample, member: Member) -> None:
    operands = expected(sample, member)[0]
    check(of(sample, member)(*operands), sample, member, what="eager")
    check(jax.jit(of(sample, member))(*operands), sample, member, what="jit")


@each_member
@each_kind
def test_it_is_bilinear_and_closed(sample: Sample, member: Member) -> None:
    """Derivatives in both modes, and the transpose in either operand, are members of the family."""
    f, at = of(sample, member), partial(definition, sample, member)
    (a, b), (da, db) = (sample.operands(member, "float64", seed=seed) for seed in (0, 1))
    ct = np.random.default_rng(2).standard_normal(at(a, b).shape)

    def derived(a: jax.Array, b: jax.Array, da: jax.Array, db: jax.Array, ct: jax.Array) -> dict[str, jax.Array]:
        value, pushed = jax.jvp(f, (a, b), (da, db))
        first = jax.linear_transpose(lambda a: f(a, b), a)(ct)[0]
        second = jax.linear_transpose(lambda b: f(a, b), b)(ct)[0]
        linear = jax.linearize(f, a, b)[1](da, db)
        return {"value": value, "jvp": pushed, "linearize": linear, "first": first, "second": second}

    with jax.enable_x64(True):
        made = jax.jit(derived)(a, b, da, db, ct)
    along = at(da, b) + at(a, db)
    first, second = pulled_back(sample, member, a, b, ct)
    right = {"value": at(a, b), "jvp": along, "linearize": along, "first": first, "second": second}
    for name, want in right.items():
        close(made[name], want, name)


def test_hessian() -> None:
    """Of `|y|²/2` in both operands at once: every block from the dense trilinear form, built of unit vectors."""
    sample = Sample("tiny", (3,), (2,), 2, 2, groups=2, batch=1)
    x, w = sample.operands("forward", "float64")

    def y(x: np.ndarray, w: np.ndarray) -> np.ndarray:
        return definition(sample, "forward", x.reshape(1, 3, 2), w.reshape(2, 1, 2)).ravel()

    form = np.stack([[y(ex, ew) for ew in np.eye(w.size)] for ex in np.eye(x.size)])  # (x, w, y)
    of_w, of_x = np.einsum("xwy,x->wy", form, x.ravel()), np.einsum("xwy,w->xy", form, w.ravel())
    mixed = of_x @ of_w.T + form @ y(x, w)

    def half_square(x: jax.Array, w: jax.Array) -> jax.Array:
        return jnp.sum(jnp.square(of(sample, "forward")(x.reshape(1, 3, 2), w.reshape(2, 1, 2)))) / 2

    with jax.enable_x64(True):
        (xx, xw), (wx, ww) = jax.jit(jax.hessian(half_square, (0, 1)))(x.ravel(), w.ravel())
    for got, want in [(xx, of_x @ of_x.T), (ww, of_w @ of_w.T), (xw, mixed), (wx, mixed.T)]:
        close(got, want)


# vmap: each way of mapping against a loop over the definition. Batch axes stand at either end and in the middle.

SIZE, OTHER = 3, 2


def stack(sample: Sample, member: Member, which: int, *sizes: int) -> np.ndarray:
    """As many of one operand, along leading axes."""
    shape = sample.problem(member).operands[which]
    return np.random.default_rng([which, *sizes]).standard_normal((*sizes, *shape))


@each_member
@each_kind
def test_vmap(sample: Sample, member: Member) -> None:
    f, at = of(sample, member), partial(definition, sample, member)
    make = partial(stack, sample, member)
    a, b = make(0), make(1)
    ways: dict[str, tuple[Callable[..., jax.Array], tuple[np.ndarray, ...], Callable[..., np.ndarray]]] = {
        "first": (jax.vmap(f, (1, None)), (np.moveaxis(make(0, SIZE), 0, 1), b), lambda i: at(make(0, SIZE)[i], b)),
        "second": (jax.vmap(f, (None, -1)), (a, np.moveaxis(make(1, SIZE), 0, -1)), lambda i: at(a, make(1, SIZE)[i])),
        "both": (
            jax.vmap(f, (-1, 1), 1),
            (np.moveaxis(make(0, SIZE), 0, -1), np.moveaxis(make(1, SIZE), 0, 1)),
            lambda i: at(make(0, SIZE)[i], make(1, SIZE)[i]),
        ),
        "first, then second": (
            jax.vmap(jax.vmap(f, (0, None)), (None, 0)),
            (make(0, SIZE), make(1, OTHER)),
            lambda j, i: at(make(0, SIZE)[i], make(1, OTHER)[j]),
        ),
        "both twice": (
            jax.vmap(jax.vmap(f)),
            (make(0, OTHER, SIZE), make(1, OTHER, SIZE)),
            lambda j, i: at(make(0, OTHER, SIZE)[j, i], make(1, OTHER, SIZE)[j, i]),
        ),
        "both, then first": (
            jax.vmap(jax.vmap(f), (0, None)),
            (make(0, OTHER, SIZE), make(1, SIZE)),
            lambda j, i: at(make(0, OTHER, SIZE)[j, i], make(1, SIZE)[i]),
        ),
        "both, then second": (
            jax.vmap(jax.vmap(f), (None, 0)),
            (make(0, SIZE), make(1, OTHER, SIZE)),
            lambda j, i: at(make(0, SIZE)[i], make(1, OTHER, SIZE)[j, i]),
        ),
    }
    with jax.enable_x64(True):
        made = jax.jit(lambda given: {name: fn(*given[name]) for name, (fn, _, _) in ways.items()})(
            {name: operands for name, (_, operands, _) in ways.items()}
        )
    for name, (_, _, one) in ways.items():
        axes = (SIZE,) if name in ("first", "second", "both") else (OTHER, SIZE)
        every = np.stack([one(*index) for index in np.ndindex(axes)])
        every = every.reshape(*axes, *every.shape[1:])
        close(made[name], np.moveaxis(every, 0, 1) if name == "both" else every, name)


@each_member
@each_kind
def test_vmap_of_gradients(sample: Sample, member: Member) -> None:
    """Gradients per example, for one operand shared and for none, and the gradient of a mapped program."""
    f, make = of(sample, member), partial(stack, sample, member)
    several, others, b = make(0, SIZE), make(1, SIZE), make(1)

    def energy(a: jax.Array, b: jax.Array) -> jax.Array:
        return jnp.sum(jnp.square(f(a, b))) / 2

    def derived(several: jax.Array, others: jax.Array, b: jax.Array) -> Any:
        gradient = jax.grad(energy, (0, 1))
        shared = jax.vmap(gradient, (0, None))(several, b)
        whole = jax.grad(lambda several, b: jnp.sum(jax.vmap(energy, (0, None))(several, b)), (0, 1))(several, b)
        return shared, jax.vmap(gradient)(several, others), whole

    def one(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return pulled_back(sample, member, a, b, definition(sample, member, a, b))

    with jax.enable_x64(True):
        shared, apart, whole = jax.jit(derived)(several, others, b)
    loops = {"shared": [one(a, b) for a in several], "apart": list(map(one, several, others))}
    for got, pairs in ((shared, loops["shared"]), (apart, loops["apart"])):
        close(got[0], np.stack([first for first, _ in pairs]))
        close(got[1], np.stack([second for _, second in pairs]))
    close(whole[0], np.stack([first for first, _ in loops["shared"]]))
    close(whole[1], np.sum([second for _, second in loops["shared"]], axis=0))


@each_member
def test_vmap_over_nothing(member: Member) -> None:
    f = of(GROUPED, member)
    a, b = (jnp.asarray(stack(GROUPED, member, which, 0), jnp.float32) for which in (0, 1))
    one_a, one_b = (jnp.asarray(stack(GROUPED, member, which), jnp.float32) for which in (0, 1))
    want = (0, *GROUPED.problem(member).result)
    assert jax.vmap(f, (0, None))(a, one_b).shape == want
    assert jax.vmap(f, (None, 0))(one_a, b).shape == want
    assert jax.vmap(f)(a, b).shape == want


# Where JAX puts functions: loops, branches, calls.


def step(x: jax.Array, w: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Something that goes through all three members."""
    y = of(GROUPED, "forward")(x, w)
    return jnp.tanh(of(GROUPED, "input_gradient")(y, w)), jnp.tanh(of(GROUPED, "weight_gradient")(x, y))


def unrolled(x: jax.Array, w: jax.Array) -> tuple[jax.Array, jax.Array]:
    return step(*step(*step(x, w)))


def scanned(x: jax.Array, w: jax.Array) -> tuple[jax.Array, jax.Array]:
    return lax.scan(lambda carry, _: (step(*carry), None), (x, w), length=3)[0]


def in_fori_loop(x: jax.Array, w: jax.Array) -> tuple[jax.Array, jax.Array]:
    return lax.fori_loop(0, 3, lambda _, carry: step(*carry), (x, w))


def in_while_loop(x: jax.Array, w: jax.Array) -> tuple[jax.Array, jax.Array]:
    carry = lax.while_loop(lambda carry: carry[0] < 3, lambda carry: (carry[0] + 1, *step(*carry[1:])), (0, x, w))
    return carry[1], carry[2]


def in_branches(x: jax.Array, w: jax.Array) -> tuple[jax.Array, jax.Array]:
    for _ in range(3):
        x, w = lax.cond(jnp.sum(jnp.square(x)) >= 0, step, lambda x, w: (x, w), x, w)
    return x, w


def in_jit(x: jax.Array, w: jax.Array) -> tuple[jax.Array, jax.Array]:
    inner = jax.jit(step)
    return jax.jit(lambda x, w: inner(*inner(*inner(x, w))))(x, w)


def checkpointed(x: jax.Array, w: jax.Array) -> tuple[jax.Array, jax.Array]:
    return jax.checkpoint(scanned)(*jax.checkpoint(lambda x, w: (x, w))(x, w))


def derivatives(program: Callable[..., Any], reverse: bool = True) -> Callable[..., Any]:
    """The value and its derivative along the operands themselves; and the gradient of the sum of squares."""

    def loss(x: jax.Array, w: jax.Array) -> jax.Array:
        return sum((jnp.sum(jnp.square(v)) for v in program(x, w)), start=jnp.zeros((), x.dtype))

    def derived(x: jax.Array, w: jax.Array) -> Any:
        forward = jax.jvp(program, (x, w), (x, w))
        return (*forward, jax.grad(loss, (0, 1))(x, w)) if reverse else forward

    return jax.jit(derived)


@cache
def plainly() -> Any:
    x, w = GROUPED.operands("forward", "float64")
    with jax.enable_x64(True):
        return derivatives(unrolled)(x, w)


def test_three_steps_are_the_definitions() -> None:
    """What the loops below are held against is right."""
    x, w = GROUPED.operands("forward", "float64")
    for _ in range(3):
        y = definition(GROUPED, "forward", x, w)
        x, w = (
            np.tanh(definition(GROUPED, "input_gradient", y, w)),
            np.tanh(definition(GROUPED, "weight_gradient", x, y)),
        )
    (got_x, got_w), *_ = plainly()
    close(got_x, x)
    close(got_w, w)


@pytest.mark.parametrize(
    ("program", "reverse"),
    [
        (scanned, True),
        (in_fori_loop, True),
        (in_while_loop, False),
        (in_branches, True),
        (in_jit, True),
        (checkpointed, True),
    ],
)
def test_inside(program: Callable[..., Any], reverse: bool) -> None:
    with jax.enable_x64(True):
        made = derivatives(program, reverse)(*GROUPED.operands("forward", "float64"))
    for got, want in zip(jax.tree.leaves(made), jax.tree.leaves(plainly()[: len(made)]), strict=True):
        close(got, want, program.__name__)


# Dtypes and empty batches.


@pytest.mark.parametrize("dtype", ["float64", "float16", "bfloat16", "int8", "uint8", "int16", "int32"])
@each_member
def test_dtypes(member: Member, dtype: str) -> None:
    sample = BY_NAME["4 groups at stride 2"]
    with jax.enable_x64(dtype == "float64"):
        check(jax.jit(of(sample, member))(*expected(sample, member, dtype)[0]), sample, member, dtype)


@pytest.mark.parametrize("channels", [258, 259, 1000])  # 258 * 255² is just below 2**24
@pytest.mark.parametrize("value", [255, 254])
def test_sums_of_bytes(channels: int, value: int) -> None:
    """Whether they are taken in floats or in integers, they wrap round exactly."""
    x = np.full((1, 3, channels), 255, np.uint8)
    w = np.full((1, channels, 1), value, np.uint8)
    window = Window.of("conv", (3,), 1)
    got = jax.jit(lambda x, w: bind("forward", x, w, window, 1))(x, w)
    assert got.dtype == np.uint8
    np.testing.assert_array_equal(got, np.full((1, 3, 1), 255 * value * channels % 256))
    np.testing.assert_array_equal(got, reference.conv(x, w))


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "int8"])
@each_member
def test_empty_batch(member: Member, dtype: str) -> None:
    sample = GROUPED._replace(batch=0)
    a, b = sample.operands(member, dtype)
    got = jax.jit(of(sample, member))(a, b)
    assert got.shape == sample.problem(member).result
    assert got.dtype == jnp.dtype(dtype)
    np.testing.assert_array_equal(got.astype(jnp.float32), np.zeros(got.shape))


def test_gradients_of_an_empty_batch() -> None:
    x, w = GROUPED._replace(batch=0).operands("forward")
    dx, dw = jax.jit(jax.grad(lambda x, w: jnp.sum(jnp.square(of(GROUPED, "forward")(x, w))), (0, 1)))(x, w)
    assert dx.shape == x.shape
    np.testing.assert_array_equal(dw, np.zeros(w.shape))


@pytest.mark.parametrize(("a", "b"), [((1, 4, 3, 4), (2, 2, 4, 6)), ((1, 4, 4, 4), (2, 2, 2, 6))])
def test_operands_that_do_not_fit_are_refused(a: tuple[int, ...], b: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="jaxnets_conv: forward takes operands of shapes"):
        bind("forward", jnp.ones(a), jnp.ones(b), GROUPED.window, 2)


def test_operands_of_two_dtypes_are_refused() -> None:
    a, b = GROUPED.operands("forward")
    with pytest.raises(ValueError, match=r"one dtype, not .* float32 and .* bfloat16"):
        bind("forward", jnp.asarray(a), jnp.asarray(b, jnp.bfloat16), GROUPED.window, 2)


# Meshes.


@each_kind
def test_shard_map_knows_what_varies(sample: Sample) -> None:
    """Maps vary over the mesh, kernels do not: the gradient of a kernel is summed over the mesh by JAX itself."""
    mesh = jax.make_mesh((1,), ("data",), axis_types=(AxisType.Auto,))
    x, w = sample.operands("forward")
    y = sample.operands("input_gradient")[0]
    plain = {"forward": (x, w), "input_gradient": (y, w), "weight_gradient": (x, y)}

    def local(x: jax.Array, w: jax.Array, y: jax.Array) -> Any:
        given = {"forward": (x, w), "input_gradient": (y, w), "weight_gradient": (x, y)}
        made = {member: of(sample, member)(*given[member]) for member in MEMBERS}
        made["weight_gradient"] = lax.psum(made["weight_gradient"], "data")
        dw = jax.grad(lambda w: jnp.sum(y * of(sample, "forward")(x, w)))(w)
        return made, dw

    specs: dict[str, Any] = {"forward": P("data"), "input_gradient": P("data"), "weight_gradient": P()}
    spread = jax.shard_map(
        local, mesh=mesh, in_specs=(P("data"), P(), P("data")), out_specs=(specs, P()), check_vma=True
    )
    made, dw = jax.jit(spread)(x, w, y)
    for member in MEMBERS:
        want = definition(sample, member, *plain[member])
        np.testing.assert_allclose(made[member], want, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(dw, definition(sample, "weight_gradient", x, y), rtol=1e-5, atol=1e-5)

    def loss(x: jax.Array, w: jax.Array) -> jax.Array:
        return jnp.sum(y * spread(x, w, y)[0]["forward"])

    dx, dw = jax.jit(jax.grad(loss, (0, 1)))(x, w)
    np.testing.assert_allclose(dx, definition(sample, "input_gradient", y, w), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(dw, definition(sample, "weight_gradient", x, y), rtol=1e-5, atol=1e-5)


TWO_DEVICES = """
import jax, jax.numpy as jnp, numpy as np
from jax.sharding import AxisType, NamedSharding, PartitionSpec as P
from jaxnets import ops

assert jax.device_count() == 2
mesh = jax.make_mesh((2,), ("data",), axis_types=(AxisType.Auto,))

for stride, (groups, c, k) in [(1, (1, 3, 4)), (2, (1, 3, 4)), (1, (4, 4, 4)), (2, (2, 8, 8))]:
    def gradients(x, w):
        y, pull = jax.vjp(lambda x, w: ops.conv(x, w, stride=stride, groups=groups), x, w)
        return (y, *pull(jnp.cos(y)))

    def local(x, w):
        # The kernel as a varying value, so that its gradient is that of the shard, summed here by hand.
        y, dx, dw = gradients(x, jax.lax.pcast(w, "data", to="varying"))
        return y, dx, jax.lax.psum(dw, "data")

    rng = np.random.default_rng(0)
    x = rng.standard_normal((4, 6, 5, c)).astype(np.float32)
    w = rng.standard_normal((3, 3, c // groups, k)).astype(np.float32)
    plain = jax.jit(gradients)(x, w)

    def check(made, name):
        for got, want in zip(made, plain, strict=True):
            np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-4, err_msg=f"{name} {stride} {groups}")
        assert made[0].sharding.is_equivalent_to(NamedSharding(mesh, P("data")), made[0].ndim), made[0].sharding

    spread = jax.shard_map(local, mesh=mesh, in_specs=(P("data"), P()), out_specs=(P("data"), P("data"), P()))
    check(jax.jit(spread)(x, w), "shard_map")

    own, shared = NamedSharding(mesh, P("data")), NamedSharding(mesh, P())
    automatic = jax.jit(gradients, out_shardings=(own, own, shared))
    check(automatic(jax.device_put(x, own), jax.device_put(w, shared)), "automatic")
print("equal")
"""


def test_two_devices() -> None:
    """Sharded over the batch, by hand and automatically: the results are those of one device."""
    flags = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count=2".strip()
    environment = {**os.environ, "JAX_PLATFORMS": "cpu", "XLA_FLAGS": flags}
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", TWO_DEVICES], capture_output=True, text=True, cwd=root, env=environment, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["equal"]


@pytest.mark.parametrize("groups", [1, 2])
def test_the_public_ops_are_members(groups: int) -> None:
    """`ops.conv` and `ops.conv_transpose` bind the primitive, and it alone."""
    x, w = jnp.ones((1, 4, 4)), jnp.ones((3, 4 // groups, 6))
    for fn, a in ((ops.conv, x), (ops.conv_transpose, jnp.ones((1, 4, 6)))):
        equations = jax.make_jaxpr(partial(fn, groups=groups))(a, w).jaxpr.eqns
        assert [e.primitive.name for e in equations] == ["jaxnets_conv"]

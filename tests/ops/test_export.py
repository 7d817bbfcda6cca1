"""Programs exported from a CPU machine hold, for each platform, the lowerings that its planner chooses."""

import re
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export

import jaxnets
from jaxnets import conv, depthwise_conv, serial

PLATFORMS = ("cpu", "cuda", "tpu")
NET = serial(stem=conv(6, 3, 2), wide=depthwise_conv(3), head=conv(4, 1))
X = jax.ShapeDtypeStruct((2, 8, 8, 3), jnp.float32)
GROUPS = 6
# Of a depthwise layer in plain `lax`: the convolution and its input gradient, and its weight gradient.
GROUPED = [f"feature_group_count = {GROUPS}"] * 2 + [f"batch_group_count = {GROUPS}"]


def step(params, x):
    """One step of gradient descent."""

    def loss(params):
        y, _ = NET.apply(params, {}, x, train=True)
        return jnp.mean(jnp.square(y))

    return jax.tree.map(lambda p, g: p - jnp.asarray(0.1, p.dtype) * g, params, jax.grad(loss)(params))


def exported(*platforms):
    params, _ = jax.eval_shape(NET.init, jax.random.key(0), X)
    return export.export(jax.jit(step), platforms=platforms)(params, X)


def grouped(text):
    """The group counts other than 1 of the convolutions in a module."""
    return sorted(re.findall(r"(?:feature|batch)_group_count = (?!1 )\d+", text), reverse=True)


def convolutions(text):
    return text.count("stablehlo.convolution(")


def branch(text, index):
    """The module as it runs on the platform of this index: of each `case` over platforms, its one branch.

    A platform's index, the first argument, selects the index of a lowering, which another `case` then selects.
    """
    constants, chosen, kept, open_cases = {}, {"%arg0": index}, [], []
    for line in text.splitlines():
        indent = len(line) - len(line.lstrip())
        if found := re.match(r"\s*(%\w+) = stablehlo\.constant dense<(\d+)> : tensor<i32>", line):
            constants[found[1]] = int(found[2])
        if open_cases and indent == open_cases[-1]["indent"] and line.lstrip().startswith("}"):
            case = open_cases[-1]
            case["at"] += 1
            if line.lstrip().startswith("})"):
                open_cases.pop()
            continue
        if not all(case["at"] == case["take"] for case in open_cases):
            continue
        if found := re.match(r'\s*(%\w+) = "stablehlo\.case"\((%\w+)\) \(\{', line):
            open_cases.append({"result": found[1], "take": chosen[found[2]], "at": 0, "indent": indent})
            continue
        if open_cases and (found := re.match(r"\s*stablehlo\.return (%\w+) : tensor<i32>", line)):
            chosen[open_cases[-1]["result"]] = constants.get(found[1])
        kept.append(line)
    assert not open_cases
    return "\n".join(kept)


def test_each_platform_alone():
    texts = {platform: exported(platform).mlir_module() for platform in PLATFORMS}
    assert grouped(texts["cpu"]) == []
    assert grouped(texts["cuda"]) == grouped(texts["tpu"]) == GROUPED
    assert convolutions(texts["cpu"]) < convolutions(texts["cuda"])


def test_all_together():
    whole = exported(*PLATFORMS)
    assert whole.platforms == PLATFORMS
    text = whole.mlir_module()
    alone = exported("cuda").mlir_module()
    of = {platform: branch(text, i) for i, platform in enumerate(PLATFORMS)}
    assert grouped(of["cpu"]) == []
    assert grouped(of["cuda"]) == grouped(of["tpu"]) == GROUPED
    assert convolutions(of["cuda"]) == convolutions(alone)


def test_the_export_computes_the_same(key):
    params, _ = NET.init(key, X)
    x = jax.random.normal(jax.random.key(1), X.shape)
    got, wanted = (jax.jit(fn)(params, x) for fn in (exported(*PLATFORMS).call, step))
    jax.tree.map(partial(np.testing.assert_allclose, rtol=1e-5, atol=1e-6), got, wanted)


@pytest.mark.parametrize("platform", PLATFORMS)
def test_switched_off_it_is_plain_lax_everywhere(platform):
    with jaxnets.lowering("lax"):
        assert grouped(exported(platform).mlir_module()) == GROUPED


def test_what_explain_says_is_what_is_exported():
    params, _ = jax.eval_shape(NET.init, jax.random.key(0), X)
    for platform in PLATFORMS:
        rows = [row for row in jaxnets.explain(step, params, X, platform=platform) if "wide" in row.path]
        assert len(rows) == 3
        assert all((row.lowering == "lax") == (platform != "cpu") for row in rows)

"""Strict by default: no silent promotion of dtypes or ranks, no random key used twice, warnings are errors."""

import gc
import os
import tempfile
from importlib.metadata import version

# What somebody measured on this machine must not choose the lowerings that the suite tests.
os.environ["JAXNETS_CACHE"] = tempfile.mkdtemp(prefix="jaxnets-tests-")
# On the CPU, unless the caller says otherwise.
os.environ.setdefault("JAX_PLATFORMS", "cpu")
# By XLA's older generator of code for loops, a small program compiles in a fifth to a half of the time, from the same
# optimized graph. jaxlib 0.12 has only the other one, refuses flags that it does not know, and runs this suite as well.
os.environ.setdefault("XLA_FLAGS", "--xla_cpu_use_fusion_emitters=false" if version("jaxlib") < "0.11" else "")

import jax
import pytest

jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_debug_key_reuse", True)
# The suite is many small programs, each run once: what LLVM makes of them is not tested, what XLA makes of them is.
# Doctests, and the examples that train longest, run with all optimizations.
jax.config.update("jax_disable_most_optimizations", True)


# What the tests of one parameter have in common is computed once; examples are long and share nothing; the other files
# belong together whole.
SHARED = {"test_contract": "name", "test_conv_lowerings": "sample", "test_pool_lowerings": "sample"}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Which tests one worker runs, under `pytest -n auto --dist loadgroup`."""
    for item in items:
        file = item.path.stem
        parameters = getattr(getattr(item, "callspec", None), "params", {})
        one = item.name if file == "test_examples" else parameters.get(SHARED.get(file, ""), "")
        item.add_marker(pytest.mark.xdist_group(f"{file} {one}".strip()))


def pytest_collection_finish() -> None:
    """Passes of the garbage collector over all that was imported and collected took a tenth of the time: from here on
    it leaves that out, and comes less often."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


TESTS_BETWEEN_CLEARINGS = 100
TESTS_SINCE_CLEARING = pytest.StashKey[int]()


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """JAX keeps what thousands of programs were lowered to, each in an MLIR context of its own, and whoever makes
    another context searches tables of all that live: with eight thousand programs a worker that was half of the suite's
    time. What one group of tests has compiled, the next hardly needs."""
    tests = item.config.stash.get(TESTS_SINCE_CLEARING, 0) + 1
    if tests >= TESTS_BETWEEN_CLEARINGS and (nextitem is None or group(nextitem) != group(item)):
        jax.clear_caches()
        tests = 0
    item.config.stash[TESTS_SINCE_CLEARING] = tests


def group(item: pytest.Item) -> str:
    marker = item.get_closest_marker("xdist_group")
    return marker.args[0] if marker else ""


@pytest.fixture
def key() -> jax.Array:
    return jax.random.key(0)

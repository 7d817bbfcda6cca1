"""The count of cases that hold each lowering, as docs/kernels.md shows it."""

import re
from collections import Counter
from itertools import product
from pathlib import Path

import jax
import numpy as np

from jaxnets.ops.kernels import lowerings, pool_lowerings
from jaxnets.ops.kernels.problem import MEMBERS
from tests.ops import test_conv_lowerings as conv
from tests.ops import test_pool_lowerings as pool
from tests.ops.lowering_cases import BY_NAME

DOCS = Path(__file__).parents[2] / "docs" / "kernels.md"
HEAD = ["| lowering | against the definition | in other dtypes | derivatives to second order |", "|---|---|---|---|"]


def of_conv() -> list[str]:
    values = Counter(name for name, *_ in conv.CASES)
    dtypes: Counter[str] = Counter()
    for kind, member, dtype in product(conv.KINDS, MEMBERS, ("int8", "bfloat16", *conv.MORE_DTYPES)):
        with jax.enable_x64(dtype == "float64"):
            dtypes.update(conv.able(BY_NAME[kind], member))
    gradients = Counter(name for op in conv.OPS for _, name, _ in conv.forced(op))
    return [f"| `{name}` | {values[name]} | {dtypes[name]} | {gradients[name]} |" for name in lowerings.TABLE]


def of_pool() -> list[str]:
    values = Counter(name for name, *_ in pool.CASES)
    rows = []
    for name in pool_lowerings.TABLE:
        dtypes = 0
        for dtype, (kind, form) in product(pool.DTYPES, pool.PAIRS):
            problem = pool.problem_of(pool.IN_DTYPES, kind, form, np.dtype(dtype))
            dtypes += pool.has(problem) and name in pool.able(problem)
        gradients = len(pool.SECOND) * len(pool.DIFFERENTIATED)
        rows.append(f"| `{name}`, of pools | {values[name]} | {dtypes} | {gradients} |")
    return rows


def test_the_docs_count_what_the_suite_holds() -> None:
    wanted = "\n".join([*HEAD, *of_conv(), *of_pool()])
    shown = re.search(re.escape(HEAD[0]) + r"(\n\|.*)+", DOCS.read_text())
    assert shown is not None, f"docs/kernels.md should say\n{wanted}"
    assert shown[0] == wanted, f"docs/kernels.md should say\n{wanted}"

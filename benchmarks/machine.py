"""What was measured on: versions, device, commit; and the machine's own ceilings. No names of hosts, users or paths."""

from __future__ import annotations

import os
import platform
import subprocess
import time
from collections.abc import Callable
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp

import jaxnets
from jaxnets.ops.kernels.measured import processor

CHECKOUT = Path(__file__).resolve().parent.parent


def _git(*words: str) -> str | None:
    """What git says of this checkout, or None where there is no git or no commit."""
    try:
        done = subprocess.run(["git", *words], cwd=CHECKOUT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()


def commit() -> dict[str, Any]:
    """The commit, and whether anything but results differs from it (None: not a checkout)."""
    changes = _git("status", "--porcelain", "--", ".", ":(exclude)benchmarks/results")
    return {"commit": _git("rev-parse", "--verify", "HEAD"), "dirty": None if changes is None else bool(changes)}


def allocator() -> str | None:
    """What the environment asks of the C library's allocator: whether its memory comes in huge pages, and whether it
    keeps what is freed. To take a fresh page can cost more than to convolve what lies in it."""
    asked = [f"{name}={os.environ[name]}" for name in sorted(os.environ) if name.startswith(("MALLOC_", "GLIBC_"))]
    return " ".join(asked) or None


def threads() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def describe() -> dict[str, Any]:
    """Everything a reader needs to know the numbers by."""
    device = jax.devices()[0]
    versions = {"python": platform.python_version(), "jaxnets": jaxnets.__version__}
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        **commit(),
        "versions": versions | {name: metadata.version(name) for name in ("jax", "jaxlib", "numpy", "flax")},
        "platform": jax.default_backend(),
        "device": device.device_kind,
        "cpu": processor(),
        "threads": threads(),
        "allocator": allocator(),
        "system": f"{platform.system()} {platform.machine()}",
    }


def _fastest(fn: Callable[[jax.Array], jax.Array], x: jax.Array, repeats: int) -> float:
    """Seconds of the fastest of repeated calls, each on the result of the one before."""
    x = jax.block_until_ready(fn(x))
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        x = jax.block_until_ready(fn(x))
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def peaks(quick: bool = False) -> dict[str, float]:
    """The ceilings, measured: GFLOP/s of a large float32 product at default precision, GB/s of a large copy.

    The copy is read and written in place (donated), else a CPU would spend its time on fresh pages. It is larger than
    any cache: smaller arrays may well be faster.
    """
    small = jax.default_backend() == "cpu"
    side, elements = (2048, 1 << 26) if small else (8192, 1 << 28)
    if quick:
        side, elements = 512, 1 << 20
    repeats = 3 if quick else 10
    a = jnp.full((side, side), 1 / side, jnp.float32)
    product = _fastest(jax.jit(lambda a: a @ a), a, repeats)
    v = jnp.ones(elements, jnp.float32)
    moved = 2 * v.nbytes
    copy = _fastest(jax.jit(lambda v: v + jnp.ones((), v.dtype), donate_argnums=0), v, repeats)
    return {"gflops": 2 * side**3 / product / 1e9, "gbytes": moved / copy / 1e9}

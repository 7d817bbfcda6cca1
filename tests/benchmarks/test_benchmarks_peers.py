"""Other libraries take part from processes of their own, compute the same thing, and may be absent."""

import importlib.util

import numpy as np
import pytest

from benchmarks import bench, jobs, scans
from benchmarks.cases import CONV, POOL, SCAN
from benchmarks.peers import COLUMNS
from benchmarks.peers.process import Gone, started
from benchmarks.timing import Effort, NotRun

EFFORT = Effort(repeats=1, seconds=0, least=1)
CASES = {c.name: c for c in (*CONV, *POOL)}


def wanted(job):
    """What the job should come to, by the reference."""
    return job.numpy()


def test_a_peer_agrees_and_is_timed_beside_the_others():
    job = jobs.jobs("conv", CASES["depthwise 3x3 s2, 112x112x96"], quick=True)[1]
    with started(["flax"]) as peers:
        row = bench.measure(job, EFFORT, peers)
        assert peers[0].absent is None
        assert set(peers[0].versions) == {"flax", "jax"}
        assert row.timing("flax").median > 0
        assert row.timing("flax").compile > 0

        twice = {name: 2 * leaf for name, leaf in wanted(job).items()}
        seats, absent = peers[0].join(job, twice)
        assert not seats
        assert "differs from the naive definition" in absent["flax"].reason

        _, absent = peers[0].join(jobs.jobs("pool", CASES["lp 3x3 s2, 56x56x64"], quick=True)[0], {})
        assert absent == {"flax": NotRun("no such pool")}

        scan = next(s for s in SCAN if s.case.op == "max_pool")
        row = bench.measure(scans.jobs(scan, quick=True)[1], EFFORT, peers)
        assert row.timing("flax")

        peers[0].close()
        with pytest.raises((Gone, ValueError)):
            peers[0].ask(do="round", column="flax")


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        ("print('chatter')\nraise ModuleNotFoundError(\"No module named 'torch'\")", "No module named 'torch'; pip"),
        ("import os\nos._exit(3)", "torch's process ended: exit status 3"),
    ],
    ids=["missing", "dead"],
)
def test_a_peer_that_is_not_there_is_named_and_its_columns_are_empty(program, reason, tmp_path, monkeypatch):
    (tmp_path / "torch.py").write_text(program)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    job = jobs.jobs("pool", CASES["max 2x2, 28x28x32"], quick=True)[0]
    with started(["torch"]) as peers:
        assert peers[0].absent.startswith(reason)
        row = bench.measure(job, EFFORT, peers)
        assert {name: row.cells[name] for name in COLUMNS["torch"]} == dict.fromkeys(COLUMNS["torch"], NotRun("absent"))
        assert row.timing("ours")


EVERY = (
    "dense 3x3 s2, 56x56x128 to 128",
    "dense 3x3 s2, 28x28x256 to 256",
    "depthwise 3x3, 56x56x144",
    "causal depthwise 4, 1024x256",
    "32 groups 3x3, 56x56x128 to 128",
    "transposed 2x2 s2, 28x28x128 to 64",
    "transposed 3x3 s2, 28x28x64 to 64",
    "transposed 4x4 s2, 28x28x64 to 64",
    "transposed 1-D 3 s2, 512x64 to 64",
    "8 kernels 3x3, 28x28x32 to 32",
    "8 kernels 3x3, one x, 28x28x32 to 32",
    "NCHW 3x3, 28x28x64 to 64",
    "float64 3x3, 28x28x64 to 64",
    "bfloat16 3x3, 28x28x128 to 128",
    "3-D 3x3x3, 16x16x16x32 to 32",
    "max 3x3 s2, 112x112x64",
    "max 3x3 s2, 56x56x128",
    "avg 3x3 s2, 56x56x128",
)
LACKS = {
    "flax": {"NCHW 3x3, 28x28x64 to 64"},
    "equinox": {"avg 3x3 s2, 56x56x128"},
    "keras": {"dense 3x3 s2, 28x28x256 to 256", "causal depthwise 4, 1024x256", "max 3x3 s2, 56x56x128"},
    "torch": set(),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", COLUMNS)
def test_every_peer_computes_the_same_thing(name):
    if importlib.util.find_spec(name) is None:
        pytest.skip(f"{name} is not installed")
    column = COLUMNS[name][0]
    lacking = set()
    with started([name]) as peers:
        for case in EVERY:
            job = jobs.jobs("op", CASES[case], quick=True)[1]
            seats, absent = peers[0].join(job, {k: np.asarray(v, np.float64) for k, v in wanted(job).items()})
            if column not in seats:
                assert "differs" not in absent[column].reason, (case, absent[column])
                lacking.add(case)
    assert lacking == LACKS[name]

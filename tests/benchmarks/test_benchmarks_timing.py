"""Times are taken in turns, by quartiles, on a fake clock."""

import signal
import time
from itertools import count
from types import SimpleNamespace

import jax.numpy as jnp
import pytest

from benchmarks import timing, whole
from benchmarks.peers.__main__ import Server
from benchmarks.timing import Effort, NotRun, Timing


class FakeClock:
    """A clock that only the rivals advance."""

    def __init__(self):
        self.now, self.order = 0.0, []

    def rival(self, name, seconds):
        durations = iter(seconds)

        def call():
            self.order.append(name)
            self.now += next(durations)

        return call

    def round(self, name, seconds):
        call = self.rival(name, seconds)
        return lambda: timing.timed(call, self)

    def __call__(self):
        return self.now


def test_rivals_take_turns_until_they_have_enough():
    clock = FakeClock()
    rounds = {
        "fast": clock.round("fast", [0.125] * 100),
        "slow": clock.round("slow", [3.0] * 100),
        "tiny": clock.round("tiny", [1 / 1024] * 100),
        "endless": clock.round("endless", [40.0] * 100),
    }
    seconds = timing.interleave(rounds, Effort(repeats=20, seconds=0.75, least=5))
    assert {name: len(each) for name, each in seconds.items()} == {"fast": 6, "slow": 3, "tiny": 20, "endless": 1}
    assert seconds["slow"] == [3.0] * 3
    assert clock.order[:4] == ["fast", "slow", "tiny", "endless"]
    assert clock.order[4:10] == ["slow", "tiny", "fast", "tiny", "fast", "slow"]  # each round is begun by another


def test_a_brief_rival_is_warmed_up_before_each_timed_call():
    clock = FakeClock()
    cold_then_warm = timing.warmed(clock.rival("brief", [0.09, 0.01] * 3), clock)
    assert [cold_then_warm() for _ in range(3)] == pytest.approx([0.01] * 3)
    clock.order.clear()
    long = timing.warmed(clock.rival("long", [3.0] * 4), clock)
    assert [long() for _ in range(3)] == pytest.approx([3.0] * 3)
    assert clock.order == ["long"] * 4  # once before the first, when nobody knows how long it takes


def test_a_step_of_a_whole_model_is_warmed_up_too():
    (job,) = whole.jobs(whole.WHOLE[0], quick=True)
    assert job.brief == whole.LONG > timing.BRIEF
    clock = FakeClock()
    step = timing.warmed(clock.rival("step", [3.0] * 4), clock, brief=job.brief)
    assert [step(), step()] == [3.0, 3.0]
    assert clock.order == ["step"] * 4


def test_a_peer_is_warmed_up_by_the_same_rule():
    calls = []
    server = Server("flax")
    server.guests, server.brief = {"step": SimpleNamespace(call=lambda: calls.append("step"))}, 10.0
    for last, expected in ((3.0, 2), (30.0, 1)):
        server.last, calls[:] = {"step": last}, []
        server.round("step")
        assert len(calls) == expected


def test_median_and_quartiles():
    spent = Timing.of([5.0, 1.0, 2.0, 4.0, 3.0], compile=7.0, memory=8)
    assert (spent.q1, spent.median, spent.q3, spent.spread) == (2.0, 3.0, 4.0, 2.0)
    assert (spent.repeats, spent.compile, spent.memory) == (5, 7.0, 8)


def test_compilation_is_timed_apart():
    ticks = count()
    program = timing.compile_apart(lambda x: x + x, (jnp.ones(3),), clock=lambda: float(next(ticks)))
    assert program.compile == 1.0
    assert program.call().tolist() == [2.0, 2.0, 2.0]


def test_temporary_memory_is_that_of_the_largest_intermediate():
    x = jnp.ones((64, 64))
    program = timing.compile_apart(lambda x: (x @ x) @ x, (x,))
    assert program.memory is None or program.memory >= x.nbytes


def test_naive_numpy_is_repeated_while_it_is_cheap():
    clock = FakeClock()
    result, spent = timing.naive(clock.rival("numpy", [0.125, 0.25, 0.375]), Effort(), clock)
    assert result is None
    assert (spent.repeats, spent.median, spent.compile) == (3, 0.25, None)
    assert timing.naive(clock.rival("numpy", [2.0]), Effort(), clock)[1].repeats == 1


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no timer signals on this system")
def test_naive_numpy_that_takes_too_long_is_stopped_and_named():
    before = signal.getsignal(signal.SIGALRM)

    def forever():
        while True:
            time.sleep(0.001)

    result, cell = timing.naive(forever, Effort(naive_seconds=0.05))
    assert result is None
    assert cell == NotRun("not run (>0.05 s)")
    assert signal.getsignal(signal.SIGALRM) is before
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)

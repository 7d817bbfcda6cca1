"""Times are taken in turns, by quartiles, on a fake clock; and reported as they are."""

import doctest
import signal
import sys
import time
from itertools import count, pairwise

import jax.numpy as jnp
import pytest

from benchmarks import bench, report, timing
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

    def __call__(self):
        return self.now


def test_rivals_take_turns_until_they_have_enough():
    clock = FakeClock()
    calls = {
        "fast": clock.rival("fast", [0.125] * 100),
        "slow": clock.rival("slow", [2.0] * 100),
        "tiny": clock.rival("tiny", [1 / 1024] * 100),
    }
    seconds = timing.interleave(calls, Effort(repeats=20, seconds=0.75, least=5), clock)
    assert {name: len(times) for name, times in seconds.items()} == {"fast": 6, "slow": 4, "tiny": 20}
    assert seconds["slow"] == [2.0] * 4
    rounds = [clock.order[i : i + 3] for i in range(0, 12, 3)]
    assert [r[0] for r in rounds] == ["fast", "slow", "tiny", "fast"]  # each round is begun by another
    assert all(sorted(r) == ["fast", "slow", "tiny"] for r in rounds)


def test_median_and_quartiles():
    spent = Timing.of([5.0, 1.0, 2.0, 4.0, 3.0], compile=7.0)
    assert (spent.q1, spent.median, spent.q3, spent.spread) == (2.0, 3.0, 4.0, 2.0)
    assert (spent.repeats, spent.compile) == (5, 7.0)


def test_compilation_is_timed_apart():
    ticks = count()
    call, seconds = timing.compile_apart(lambda x: x + x, (jnp.ones(3),), clock=lambda: float(next(ticks)))
    assert seconds == 1.0
    assert call().tolist() == [2.0, 2.0, 2.0]


def test_naive_numpy_is_repeated_while_it_is_cheap():
    clock = FakeClock()
    result, spent = timing.naive(clock.rival("numpy", [0.25, 0.5, 0.75]), Effort(), clock)
    assert result is None
    assert (spent.repeats, spent.median, spent.compile) == (3, 0.5, None)
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


def row(lax, ours):
    """A row with these seconds for plain lax and ours."""
    cells = {"numpy": NotRun("none"), "naive": Timing.of([1.0]), "lax": Timing.of(lax), "ours": Timing.of(ours)}
    return bench.Row("conv", "a case", "forward", cells, 3.0, "GFLOP", "numpy", 0.1, {})


def test_a_loss_is_a_difference_beyond_the_spread():
    assert row([1.0, 1.0, 1.0], [2.0, 2.0, 2.0]).lost
    assert not row([2.0, 2.0, 2.0], [1.0, 1.0, 1.0]).lost
    assert not row([1.0, 2.0, 3.0], [1.5, 2.5, 3.5]).lost
    assert not row([1.0, 1.0], [2.0, 2.0]).lost  # of two repeats nobody knows the spread
    assert row([1.0] * 3, [2.0] * 3).ratio("lax") == 0.5
    assert row([1.0] * 3, [2.0] * 3).rate == 1.5


def test_verdict_names_what_was_lost():
    lines = report.verdict([row([1.0] * 3, [2.0] * 3), row([8.0] * 3, [1.0] * 3)])
    assert lines[0] == "conv, forward: 2.00x plain lax (geometric mean of 2)"
    assert lines[1:] == ["Lost to plain lax, beyond both spreads:", "  conv: a case, forward: 0.500x"]
    assert report.verdict([row([8.0] * 3, [1.0] * 3)])[-1] == "Lost to plain lax, beyond both spreads: none"


def test_plain_text_where_rich_is_missing(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "rich.console", None)
    head, lines = report.table([row([1.0] * 3, [0.002] * 3)], {"gflops": 3000.0, "gbytes": 1.0})
    report.show("conv", head, lines)
    printed = capsys.readouterr().out.splitlines()
    assert printed[1] == "conv"
    assert all(len(a) == len(b) for a, b in pairwise(printed[2:4]))
    for shown in ("a case", "none", "2.00 ± 0.000", "500x", "50.0"):
        assert shown in printed[-1]


def test_numbers_have_about_three_digits():
    assert doctest.testmod(report).failed == 0
    assert doctest.testmod(report).attempted > 0

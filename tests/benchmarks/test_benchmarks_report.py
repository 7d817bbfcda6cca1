"""What was measured is reported as it is: rows, classes against their floors, losses."""

import doctest
import sys
from dataclasses import replace
from itertools import pairwise

import pytest

from benchmarks import report
from benchmarks.progress import shown
from benchmarks.verdict import limits, standings
from tests.benchmarks.samples import results, row


def test_a_loss_is_a_difference_beyond_the_spread():
    assert row([1.0, 1.0, 1.0], [2.0, 2.0, 2.0]).lost
    assert not row([2.0, 2.0, 2.0], [1.0, 1.0, 1.0]).lost
    assert not row([1.0, 2.0, 3.0], [1.5, 2.5, 3.5]).lost
    assert not row([1.0, 1.0], [2.0, 2.0]).lost  # of two repeats nobody knows the spread
    assert row([1.0] * 3, [2.0] * 3).ratio("lax") == 0.5
    assert row([1.0] * 3, [2.0] * 3).rate == 1.5


def test_the_legend_names_what_the_allocator_was_asked_for():
    rows = [row([1.0], [2.0])]
    assert "Abacus, 2 threads; MALLOC_X=1; python 3.11" in report.legend(results(rows, allocator="MALLOC_X=1"))[0]
    for asked in ({}, {"allocator": None}):  # results from before it was recorded
        assert "Abacus, 2 threads; python 3.11" in report.legend(results(rows, **asked))[0]


def test_ratios_that_are_not_speed():
    each = row([1.0], [2.0], outside=[1.0], compile=(2.0, 3.0), memory=(100, 50))
    assert (each.inside, each.compile_ratio, each.memory_ratio) == (2.0, 1.5, 0.5)
    assert row([1.0], [2.0]).inside is None
    assert row([], [2.0], compile=(2.0, 3.0)).compile_ratio is None


def test_a_floor_holds_for_every_row_or_for_the_mean():
    depthwise = [
        row([60.0], [1.0], "a", "depthwise 3x3 and 5x5"),
        row([15.0], [1.0], "b", "depthwise 3x3 and 5x5"),
        row([30.0], [1.0], "a", "depthwise 3x3 and 5x5", "forward+backward"),
    ]
    dense = [row([4.0], [1.0], "a"), row([1.0], [1.0], "b"), row([], [1.0], "c")]
    forward, both, mean = standings([*dense, *depthwise])
    assert (forward.rows, forward.worst, forward.worst_case, forward.floor, forward.met) == (2, 15, "b", 30, False)
    assert forward.mean == pytest.approx(30)
    assert both.met
    assert (mean.shape_class, mean.rows, mean.mean, mean.floor, mean.met) == ("dense 3x3", 2, 2.0, 1.2, True)


def test_a_floor_may_lie_beyond_the_peak_of_the_machine():
    """Three GFLOP in a second, at a peak of 3.3 GFLOP/s: 1.1 times as fast is all there could be."""
    dense = [row([1.0], [1.0], "a"), row([4.0], [2.0], "b")]
    single = [row([1.0], [1.0], "a", "1x1"), row([4.0], [2.0], "b", "1x1")]
    by_row, by_mean = standings([*dense, *single], gflops=3.3)
    assert (by_row.shape_class, by_row.at_peak) == ("1x1", pytest.approx(1.1))
    assert (by_mean.shape_class, by_mean.at_peak) == ("dense 3x3", pytest.approx(2.2))
    double = replace(dense[0], description={"dtype": "float64"})
    assert standings([double], gflops=3.3)[0].at_peak == pytest.approx(0.55)
    for unknown in (replace(double, description={"dtype": "int8"}), replace(double, unit="GB")):
        assert standings([unknown], gflops=3.3)[0].at_peak is None


def test_limits_name_what_is_beyond_them():
    model = row([5.0], [1.0], "MobileNetV2", "MobileNetV2", "training step", "models", compile=(1, 2), memory=(10, 20))
    slow = row([1.0] * 3, [2.0] * 3)
    scan = row([2.0], [1.0], "s", "others in a scan", suite="scan", outside=[0.5])
    assert limits([model, slow, scan]) == [
        "in a scan over outside it, at most 1.5x: 0 of 1 rows",
        "  not scan: s, forward: 2.00x",
        "compile time over plain lax's, at most 1.2x: 0 of 1 rows",
        "  not models: MobileNetV2, training step: 2.00x",
        "temporary memory over plain lax's, at most 1.5x: 0 of 1 rows",
        "  not models: MobileNetV2, training step: 2.00x",
        "Slower than 0.95x plain lax:",
        "  conv: a case, forward: 0.50x",
        "Lost to plain lax, beyond both spreads:",
        "  conv: a case, forward: 0.50x",
    ]
    assert limits([row([8.0] * 3, [1.0] * 3)]) == [
        "Slower than 0.95x plain lax: none",
        "Lost to plain lax, beyond both spreads: none",
    ]


def test_plain_text_where_rich_is_missing(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "rich.console", None)
    report.print_all(results([row([1.0] * 3, [0.002] * 3, torch=[0.004])]))
    printed = capsys.readouterr().out.splitlines()
    assert printed[1] == "conv"
    assert all(len(a) == len(b) for a, b in pairwise(printed[2:4]))
    for text in ("a case", "none", "2.00 ± 0.000", "500x", "4.00 ± 0.000  2.00x", "50.0"):
        assert text in printed[4]
    assert "PyTorch, ms" in printed[2]
    assert "keras did not take part: No module named 'keras'; pip install keras" in printed


def test_numbers_have_about_three_digits():
    assert doctest.testmod(report).failed == 0
    assert doctest.testmod(report).attempted > 0


def test_progress_is_lines_where_nobody_watches_and_a_bar_on_a_terminal(monkeypatch, capsys):
    def walk():
        with shown(2) as progress:
            for title in ("first", "second"):
                progress.case(title)
                progress.phase("timing [it]")
            progress.say("something [odd]")

    walk()
    assert capsys.readouterr().err.splitlines() == ["[1/2] first", "[2/2] second", "something [odd]"]
    pytest.importorskip("rich")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("FORCE_COLOR", "1")
    walk()
    drawn = capsys.readouterr().err
    assert "second" in drawn
    assert "timing [it]" in drawn
    assert "something [odd]" in drawn

"""Results go to JSON and back; what got slower since is named; pictures are drawn."""

import json
import struct

import pytest

from benchmarks import picture
from benchmarks.__main__ import main
from benchmarks.compare import compare
from benchmarks.results import Unreadable, load, to_json
from tests.benchmarks.samples import results, row

THREE = [row([2.0] * 3, [t] * 3, case, torch=[1.0]) for case, t in (("a", 1.0), ("b", 1.0), ("c", 1.0))]


def written(path, rows, **machine):
    path.write_text(to_json(results(rows, **machine)))
    return path


def test_json_and_back(tmp_path):
    before = results([*THREE, row([], [1.0], "d", compile=(None, 2.0), memory=(None, 7))])
    (tmp_path / "r.json").write_text(to_json(before))
    assert load(tmp_path / "r.json") == before


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("no json", "Expecting value"),
        ("[]", "schema None"),
        ('{"schema": 1}', "schema 1, not 2: measure again"),
        ('{"schema": 2, "rows": []}', "does not hold"),
    ],
)
def test_what_holds_no_results_is_named(text, complaint, tmp_path, capsys):
    path = tmp_path / "old.json"
    path.write_text(text)
    with pytest.raises(Unreadable, match=complaint):
        load(path)
    with pytest.raises(SystemExit) as stop:
        main(["--from", str(path)])
    assert stop.value.code == 2
    assert "old.json" in capsys.readouterr().err


def test_slower_means_beyond_the_spreads_and_five_percent():
    now = [
        row([2.0] * 3, [1.5] * 3, "a"),
        row([2.0] * 3, [0.8, 1.2, 1.6], "b"),  # within the spread
        row([2.0] * 3, [1.04] * 3, "c"),  # within five percent
        row([2.0] * 3, [9.0] * 3, "new"),
    ]
    found = compare(results(THREE), results(now, threads=4))
    assert found.slower
    assert found.lines == [
        "note: threads then 2, now 4",
        "compared with commit 0123456789ab: 3 rows in both, 1 slower, 0 faster, beyond the spreads",
        "  slower: conv: a, forward: 1e+03 ms then, 1.5e+03 ms now, 1.50x",
    ]
    back = compare(results(now), results(THREE))
    assert not back.slower
    assert "0 slower, 1 faster" in back.lines[0]


def test_compare_exits_with_1_if_anything_got_slower(tmp_path, capsys):
    old = written(tmp_path / "old.json", THREE)
    new = written(tmp_path / "new.json", [row([2.0] * 3, [1.5] * 3, "a")])
    assert main(["--from", str(new), "--compare", str(old)]) == 1
    assert "slower: conv: a, forward" in capsys.readouterr().out
    assert main(["--from", str(old), "--compare", str(new)]) == 0
    other = written(tmp_path / "other.json", [row([2.0], [1.0], "z")])
    assert main(["--from", str(other), "--compare", str(old)]) == 2
    assert "no row is in both" in capsys.readouterr().err


def test_errors_in_a_file_still_exit_with_1(tmp_path):
    path = written(tmp_path / "r.json", THREE)
    document = json.loads(path.read_text()) | {"errors": ["WRONG RESULT"]}
    path.write_text(json.dumps(document))
    assert main(["--from", str(path)]) == 1


def test_a_picture_is_drawn_with_and_without_a_roofline(tmp_path):
    pytest.importorskip("matplotlib")
    both = [row([2.0] * 3, [1.0] * 3, "a", direction="forward+backward"), row([], [1.0], "e")]
    model = row([5.0], [1.0], "ResNet-50", "ResNet-50", "training step", "models")
    sizes = []
    for name, rows in (("conv", [*THREE, *both, model]), ("models", [model])):
        path = tmp_path / f"{name}.png"
        picture.draw(results(rows), path)
        head = path.read_bytes()[:24]
        assert head[:8] == b"\x89PNG\r\n\x1a\n"
        sizes.append(struct.unpack(">II", head[16:]))
    assert sizes[0][0] > sizes[1][0]  # the roofline stands beside the bars

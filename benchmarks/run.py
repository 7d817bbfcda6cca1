"""All the measuring: case after case, with what went wrong."""

from __future__ import annotations

import traceback
from collections.abc import Sequence

from benchmarks import agree, bench, machine
from benchmarks.peers import process
from benchmarks.plan import Entry
from benchmarks.progress import shown
from benchmarks.results import PeerNote, Results
from benchmarks.row import Row
from benchmarks.timing import Effort


def run(planned: Sequence[Entry], effort: Effort, quick: bool, peers: Sequence[str] = ()) -> Results:
    """Measure these cases. One that disagrees or fails stops, and the others go on."""
    about, peaks = machine.describe(), machine.peaks(quick)
    rows: list[Row] = []
    errors: list[str] = []
    with process.started(peers) as guests, shown(len(planned)) as progress:
        for guest in guests:
            if guest.absent:
                progress.say(f"{guest.name} does not take part: {guest.absent}")
        for entry in planned:
            progress.case(entry.title)
            direction = "forward"
            try:
                for job in entry.make():
                    direction = job.direction
                    rows.append(bench.measure(job, effort, guests, progress.phase))
            except Exception as error:  # stops this case, not the others, whose times would be lost
                what = "WRONG RESULT" if isinstance(error, agree.Disagreement) else f"FAILED, {type(error).__name__}"
                errors.append(f"{what} in {entry.title}, {direction}: {error}")
                if not isinstance(error, agree.Disagreement):
                    progress.say(traceback.format_exc())
                progress.say(errors[-1])
        notes = {guest.name: PeerNote(guest.versions, guest.absent) for guest in guests}
    again = machine.peaks(quick)
    best = {name: max(peak, again[name]) for name, peak in peaks.items()}
    return Results(about, best, effort, quick, rows, errors, notes)

"""The suites, and the cases of each in turn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from benchmarks import jobs, models, networks, scans, whole
from benchmarks.cases import CONV, POOL, SCAN
from benchmarks.jobs import Job

SUITES = ("conv", "pool", "models", "scan")


@dataclass(frozen=True)
class Entry:
    """A case to run; `make` builds its jobs once it is its turn."""

    suite: str
    case: str
    shape_class: str
    make: Callable[[], list[Job]]

    @property
    def title(self) -> str:
        """What `--filter` looks into."""
        return f"{self.suite}: {self.case}"


def plan(suites: Sequence[str], only: str = "", quick: bool = False) -> list[Entry]:
    """The cases of these suites whose title or shape class contains `only`."""
    out = [
        Entry(suite, case.name, case.shape_class, partial(jobs.jobs, suite, case, quick))
        for suite, cases in (("conv", CONV), ("pool", POOL))
        for case in cases
    ]
    out += [
        Entry("models", network.name, "small networks", partial(models.jobs, network, quick))
        for network in networks.NETWORKS
    ]
    out += [Entry("models", each.name, each.name, partial(whole.jobs, each, quick)) for each in whole.WHOLE]
    out += [Entry("scan", scan.case.name, scan.case.shape_class, partial(scans.jobs, scan, quick)) for scan in SCAN]
    wanted = only.lower()
    return [e for e in out if e.suite in suites and wanted in f"{e.title}; {e.shape_class}".lower()]

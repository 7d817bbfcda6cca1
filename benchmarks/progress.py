"""Where the run is: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True)
class Progress:
    """`case` begins the next case, `phase` says what is done with it, `say` prints a line above the bar."""

    case: Callable[[str], None]
    phase: Callable[[str], None]
    say: Callable[[str], None]


def _lines(total: int) -> Progress:
    position = iter(range(1, total + 1))

    def say(text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    return Progress(lambda title: say(f"[{next(position)}/{total}] {title}"), lambda what: None, say)


@contextmanager
def shown(total: int) -> Iterator[Progress]:
    """Show `total` cases while the block runs, on standard error."""
    if not sys.stderr.isatty():
        yield _lines(total)
        return
    try:
        from rich import progress as rich
        from rich.console import Console
    except ModuleNotFoundError:
        yield _lines(total)
        return
    columns = (
        rich.MofNCompleteColumn(),
        rich.BarColumn(bar_width=24),
        rich.TimeElapsedColumn(),
        rich.TextColumn("{task.description}", markup=False),
        rich.TextColumn("{task.fields[phase]}", style="dim", markup=False),
    )
    console = Console(stderr=True, highlight=False)
    with rich.Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=total, phase="")
        begun = 0

        def case(title: str) -> None:
            nonlocal begun
            bar.update(task, completed=begun, description=title, phase="")
            begun += 1

        yield Progress(
            case,
            lambda what: bar.update(task, phase=what),
            lambda text: console.print(text, markup=False),
        )

"""A live progress bar for `fit`."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from jaxnets.extras import require
from jaxnets.train.loop import Progress

SMOOTHING = 0.9  # share of the past in the loss and accuracy shown; single batches jump too much to read


@contextmanager
def progress_bar(steps: int, batch_size: int) -> Iterator[Callable[[Progress], None]]:
    """Show epoch, loss, images per second and remaining time in one line, while the block runs.

    Where the output is no terminal, only the final state is printed, once.

    Args:
        steps: how many there will be.
        batch_size: images in a step, for the rate.

    Yields:
        What to pass to `fit` as `on_step`. It shows "loss" and, where the step measures it, "accuracy", both
        averaged over the last ten steps or so.

    Raises:
        MissingExtra: rich is not installed.
    """
    rich = require("rich.progress")
    columns = (
        rich.TextColumn("epoch {task.fields[epoch]}"),
        rich.BarColumn(bar_width=None),
        rich.TextColumn("{task.fields[measured]}"),
        rich.TextColumn("{task.fields[rate]}", justify="right"),
        rich.TimeRemainingColumn(compact=True, elapsed_when_finished=True),
    )
    shown: dict[str, float] = {}
    with rich.Progress(*columns, expand=True) as progress:
        task = progress.add_task("training", total=steps, epoch=1, measured="", rate="")

        def on_step(report: Progress) -> None:
            for name in ("loss", "accuracy"):
                if name in report.metrics:
                    new = report.metrics[name]
                    shown[name] = SMOOTHING * shown.get(name, new) + (1 - SMOOTHING) * new
            measured = f"loss {shown['loss']:.3f}"
            if "accuracy" in shown:
                measured += f"  accuracy {shown['accuracy']:.1%}"
            speed = progress.tasks[task].finished_speed or progress.tasks[task].speed
            rate = f"{speed * batch_size:,.0f} images/s" if speed else ""
            progress.update(task, completed=report.step, epoch=report.epoch, measured=measured, rate=rate)

        yield on_step

"""`jaxnets tune`."""

from typing import Literal

from jaxnets.cli.program import Dtype, of_model
from jaxnets.explain.table import duration
from jaxnets.ops.kernels import measured
from jaxnets.tune import Measurement, common, problems, tune_problems
from jaxnets.tune import forget as forget_all


def tune(
    *,
    model: str | None = None,
    shapes: Literal["all", "conv", "pool"] = "all",
    batch: int = 8,
    size: int = 224,
    channels: int = 3,
    train: bool = False,
    dtype: Dtype = "float32",
    seconds: float = 0.3,
    again: bool = False,
    dry_run: bool = False,
    forget: bool = False,
) -> None:
    """Measure on this device which lowering computes each convolution and pool fastest, and keep the result.

    The result is kept in ~/.cache/jaxnets/tuned.json, or in the folder JAXNETS_CACHE names, and jaxnets uses it from
    then on. It can be interrupted: what is measured is kept, and the next run goes on from there.

    Args:
        model: whose shapes to measure, as resnet50; without one, shapes that are common in networks.
        shapes: which of the common ones.
        batch: images.
        size: height and width of an image.
        channels: of an image.
        train: a model's gradients too (of the common shapes, always).
        dtype: to compute in.
        seconds: to time each lowering for.
        again: measure again what is known.
        dry_run: keep nothing.
        forget: drop all that was measured on this device, and measure nothing.
    """
    if forget:
        dropped = f"{forget_all()} measurements of this device"
        print(f"dropped {dropped} from {measured.path()}")
        return
    if not seconds > 0:
        raise ValueError(f"the seconds to time for must be positive, not {seconds}")
    if model is None:
        found = common(shapes, batch, dtype)
    else:
        fn, args = of_model(model, batch, size, channels, dtype, train)
        found = problems(fn, *args)
    print(tune_problems(found, dry_run=dry_run, again=again, seconds=seconds, report=_report))


def _report(found: Measurement, number: int, of: int) -> None:
    """One line as each problem is done."""
    problem = found.problem
    kept = found.chosen if found.chosen == found.ruled else f"{found.ruled} gives way to {found.chosen}"
    member = problem.member.replace("_", " ")
    print(f"[{number}/{of}] {member}: {kept}, {duration(found.seconds[found.chosen])}", flush=True)

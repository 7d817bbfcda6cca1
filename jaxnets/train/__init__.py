"""Training: one compiled step, a loop over epochs, checkpoints. It takes any layer and imports no model."""

from jaxnets.train import checkpoint
from jaxnets.train.averaging import AverageState, weight_average
from jaxnets.train.files import write
from jaxnets.train.ftrl import ftrl
from jaxnets.train.loop import Epoch, Progress, fit
from jaxnets.train.progress import progress_bar
from jaxnets.train.step import TrainState, create, make_eval, make_step

__all__ = [
    "AverageState",
    "Epoch",
    "Progress",
    "TrainState",
    "checkpoint",
    "create",
    "fit",
    "ftrl",
    "make_eval",
    "make_step",
    "progress_bar",
    "weight_average",
    "write",
]

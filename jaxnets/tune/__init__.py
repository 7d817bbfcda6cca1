"""Lowerings chosen by measuring them on the user's own device, and kept where the planners find them."""

from jaxnets.tune.cache import forget
from jaxnets.tune.measure import Measurement
from jaxnets.tune.program import Tuned, problems, tune, tune_problems
from jaxnets.tune.shapes import common

__all__ = ["Measurement", "Tuned", "common", "forget", "problems", "tune", "tune_problems"]

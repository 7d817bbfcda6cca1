"""Metrics: pure functions of what a network said and what was true."""

from jaxnets.metrics.classification import accuracy, confusion_matrix

__all__ = ["accuracy", "confusion_matrix"]

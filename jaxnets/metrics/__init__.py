"""Metrics: pure functions of what a network said and what was true; `metrics.running` has them over many batches."""

from jaxnets.metrics import running
from jaxnets.metrics.classification import (
    PrecisionRecallF1,
    accuracy,
    confusion_matrix,
    iou,
    mean_iou,
    precision_recall_f1,
    top_k_accuracy,
)
from jaxnets.metrics.detection import coco_map
from jaxnets.metrics.probability import calibration_error, log_loss, perplexity
from jaxnets.metrics.ranking import roc_auc
from jaxnets.metrics.speech import character_error_rate, edit_distance, word_error_rate

__all__ = [
    "PrecisionRecallF1",
    "accuracy",
    "calibration_error",
    "character_error_rate",
    "coco_map",
    "confusion_matrix",
    "edit_distance",
    "iou",
    "log_loss",
    "mean_iou",
    "perplexity",
    "precision_recall_f1",
    "roc_auc",
    "running",
    "top_k_accuracy",
    "word_error_rate",
]

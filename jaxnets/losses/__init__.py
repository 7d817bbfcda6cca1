"""Losses: scalars in float32, whatever the dtype of the network."""

from jaxnets.losses.cross_entropy import check_labels, cross_entropy
from jaxnets.losses.ctc import ctc
from jaxnets.losses.focal import sigmoid_focal
from jaxnets.losses.regression import box_iou, mse, smooth_l1
from jaxnets.losses.segmentation import dice, lovasz_hinge, lovasz_softmax

__all__ = [
    "box_iou",
    "check_labels",
    "cross_entropy",
    "ctc",
    "dice",
    "lovasz_hinge",
    "lovasz_softmax",
    "mse",
    "sigmoid_focal",
    "smooth_l1",
]

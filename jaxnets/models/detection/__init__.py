"""Networks that find things and put boxes round them.

Each is a layer whose output is what its heads say, a dict of arrays; a function `detect` that makes boxes of it; and a
function `losses`. All of them have fixed shapes, for `jit`: a maximum of boxes, and a mask of which there are.
"""

from jaxnets.models.detection import faster_rcnn, fcos, retinanet
from jaxnets.models.detection.boxes import Detections, Targets

__all__ = ["Detections", "Targets", "faster_rcnn", "fcos", "retinanet"]

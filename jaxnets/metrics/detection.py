"""Mean average precision of object detection, as COCO measures it: computed by pycocotools itself."""

import contextlib
import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from jaxnets.extras import require

NAMES = (
    *("AP", "AP50", "AP75", "AP_small", "AP_medium", "AP_large"),
    *("AR_1", "AR_10", "AR_100", "AR_small", "AR_medium", "AR_large"),
)
Image = Mapping[str, Any]


def coco_map(truth: Sequence[Image], predicted: Sequence[Image], *, masks: bool = False) -> dict[str, float]:
    """COCO's twelve numbers for boxes or masks: mean average precision, and recall.

    Shapes: for each image i, G objects in `truth[i]` and D in `predicted[i]`.

    Args:
        truth: a mapping for each image, with `boxes (G, 4)` as (x1, y1, x2, y2) in pixels, `labels (G,)` integers;
            and, if wanted, `crowd (G,)` bool, for regions in which detections are neither right nor wrong, `areas
            (G,)` in square pixels, by which objects are small (under 32²), medium or large (over 96²), by default
            those of the boxes or masks, and `masks (G, H, W)` bool.
        predicted: likewise `boxes (D, 4)`, `labels (D,)` and `scores (D,)`, higher is surer; and `masks (D, H, W)`.
            Only the 100 highest scores of an image and a class count.
        masks: compare the masks, not the boxes; then `boxes` may be absent.

    Returns:
        By name, in [0, 1], NaN where nothing can be measured: "AP", the mean over classes and over IoU thresholds
        0.5, 0.55, ... 0.95; "AP50", "AP75" at one threshold; "AP_small", "AP_medium", "AP_large" by area; "AR_1",
        "AR_10", "AR_100", the mean recall with that many detections an image; "AR_small" and so on.

    Raises:
        ValueError: lists of unequal length, or arrays that do not fit; the image and the key are named.
        MissingExtra: pycocotools is not installed.

    Gradient: none: NumPy, on the host. Cost: that of pycocotools.
    Reference: Lin et al. (2014), https://arxiv.org/abs/1405.0312; https://cocodataset.org/#detection-eval.

    >>> truth = [{"boxes": [[10, 10, 50, 50]], "labels": [1]}]
    >>> found = [{"boxes": [[10, 10, 50, 46]], "labels": [1], "scores": [0.9]}]
    >>> scores = coco_map(truth, found)
    >>> round(scores["AP"], 3), round(scores["AP50"], 3)
    (0.9, 1.0)
    """
    if len(truth) != len(predicted):
        raise ValueError(f"coco_map: {len(truth)} images in truth, {len(predicted)} in predicted: give one for each")
    coco, evaluation = (
        require("pycocotools.coco", extra="detection"),
        require("pycocotools.cocoeval", extra="detection"),
    )
    objects = [each for i, image in enumerate(truth) for each in _objects(i, image, "truth", masks)]
    found = [each for i, image in enumerate(predicted) for each in _objects(i, image, "predicted", masks)]
    for each in found:  # pycocotools gives a detection the area of its box or mask
        each["score"] = float(each.pop("scores"))
    classes = sorted({each["category_id"] for each in [*objects, *found]})
    dataset = {
        "images": [
            {"id": i, **(_size(*both) if masks else {})} for i, both in enumerate(zip(truth, predicted, strict=True))
        ],
        "categories": [{"id": k} for k in classes],
    }
    with contextlib.redirect_stdout(io.StringIO()):  # pycocotools prints its progress
        evaluator = evaluation.COCOeval(
            _index(coco.COCO(), dataset, objects), _index(coco.COCO(), dataset, found), "segm" if masks else "bbox"
        )
        evaluator.evaluate()
        evaluator.accumulate()
        evaluator.summarize()
    return {name: float(x) if x > -1 else float("nan") for name, x in zip(NAMES, evaluator.stats, strict=True)}


def _index(coco: Any, dataset: dict[str, Any], objects: list[dict[str, Any]]) -> Any:
    numbered = [each | {"id": i} for i, each in enumerate(objects, 1)]  # pycocotools takes id 0 for "no match"
    coco.dataset = dataset | {"annotations": numbered}
    coco.createIndex()
    return coco


def _objects(index: int, image: Image, which: str, masks: bool) -> list[dict[str, Any]]:
    """The objects of one image as COCO's annotations."""
    names = ["masks" if masks else "boxes", "labels"] + (["scores"] if which == "predicted" else [])
    names += [name for name in ("crowd", "areas") if which == "truth" and name in image]
    missing = [name for name in names if name not in image]
    if missing:
        raise ValueError(f"coco_map: {which}[{index}] has no {missing}: it needs {names}")
    count = len(np.asarray(image["labels"]))
    arrays = {name: np.asarray(image[name]) for name in names}
    for name, array in arrays.items():
        rest = {"masks": array.shape[1:] if array.ndim == 3 else ("H", "W"), "boxes": (4,)}.get(name, ())
        if array.shape != (count, *rest) and (count or array.size):
            raise ValueError(
                f"coco_map: {which}[{index}][{name!r}] has shape {array.shape}, not {(count, *rest)}: "
                f"there are {count} labels"
            )
    shapes = _mask_shapes(arrays["masks"]) if masks else _box_shapes(arrays["boxes"])
    result = []
    for i, shape in enumerate(shapes):
        each = {"image_id": index, "category_id": int(arrays["labels"][i]), **shape}
        each["iscrowd"] = int(arrays["crowd"][i]) if "crowd" in arrays else 0
        if "areas" in arrays:
            each["area"] = float(arrays["areas"][i])
        if "scores" in arrays:
            each["scores"] = arrays["scores"][i]
        result.append(each)
    return result


def _size(*images: Image) -> dict[str, int]:
    """Height and width of the masks of one image."""
    shapes = {np.shape(image["masks"])[1:] for image in images if np.size(image["masks"])}
    if len(shapes) > 1:
        raise ValueError(f"coco_map: the masks of one image must have one size, not {sorted(shapes)}")
    height, width = shapes.pop() if shapes else (0, 0)
    return {"height": height, "width": width}


def _box_shapes(boxes: np.ndarray) -> list[dict[str, Any]]:
    result = []
    for x1, y1, x2, y2 in boxes.reshape(-1, 4).astype(float).tolist():
        if not (x2 >= x1 and y2 >= y1):
            raise ValueError(f"coco_map: box {(x1, y1, x2, y2)} ends before it begins: boxes are (x1, y1, x2, y2)")
        result.append({"bbox": [x1, y1, x2 - x1, y2 - y1], "area": (x2 - x1) * (y2 - y1)})
    return result


def _mask_shapes(masks: np.ndarray) -> list[dict[str, Any]]:
    encode = require("pycocotools.mask", extra="detection")
    codes = [encode.encode(np.asfortranarray(mask.astype(np.uint8))) for mask in masks]
    return [{"segmentation": code, "area": float(encode.area(code))} for code in codes]

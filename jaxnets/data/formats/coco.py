"""COCO's annotations of objects: one JSON file for a folder of images."""

import json
import os
import warnings
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from jaxnets.data.formats.pictures import read_rgb
from jaxnets.data.sources import Record, existing_file, existing_folder
from jaxnets.extras import require

NEEDED = {
    "images": ("id", "file_name"),
    "annotations": ("image_id", "category_id", "bbox"),
    "categories": ("id", "name"),
}


@dataclass(frozen=True)
class CocoDetection:
    """Images with their objects, read when they are asked for; made by `coco_detection`.

    Attributes:
        folder: where the images are.
        images: the entries of the JSON's "images", in order of their ids.
        objects: the annotations of each image.
        class_names: what the categories are called.
        category_ids: COCO's own number of each class, for results in COCO's form.
        masks: whether records have them.
    """

    folder: Path
    images: tuple[dict[str, Any], ...]
    objects: tuple[tuple[dict[str, Any], ...], ...]
    class_names: tuple[str, ...]
    category_ids: tuple[int, ...]
    masks: bool

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> Record:
        entry, objects = self.images[index], self.objects[index]
        image = read_rgb(self.folder / entry["file_name"])
        boxes = np.array([each["bbox"] for each in objects], np.float32).reshape(-1, 4)
        record = {
            "image": image,
            "image_id": entry["id"],
            "boxes": np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], 1),
            "labels": np.array([self.category_ids.index(each["category_id"]) for each in objects], np.int32),
            "crowd": np.array([bool(each.get("iscrowd", 0)) for each in objects], bool),
            "areas": np.array([each.get("area", each["bbox"][2] * each["bbox"][3]) for each in objects], np.float32),
        }
        if self.masks:
            made = [_mask(each, *image.shape[:2]) for each in objects]
            record["masks"] = np.array(made, bool).reshape(-1, *image.shape[:2])
        return record


def coco_detection(
    folder: str | os.PathLike[str], annotations: str | os.PathLike[str], *, masks: bool = False
) -> CocoDetection:
    """COCO's detection data, or any in its form: `coco_detection("val2017", "annotations/instances_val2017.json")`.

    Args:
        folder: where the images are.
        annotations: the JSON file.
        masks: draw the outlines too, as `(G, H, W)` bool.

    Returns:
        A source of `{"image": (H, W, 3) uint8, "image_id": int, "boxes": (G, 4) float32, "labels": (G,) int32,
        "crowd": (G,) bool, "areas": (G,) float32}`. Boxes are (x1, y1, x2, y2) in pixels, as
        `jaxnets.metrics.coco_map` takes them; labels count the categories from 0 in the order of their ids.

    Raises:
        FileNotFoundError: folder or file is missing.
        ValueError: no JSON, or none of COCO: what is missing is named.
        MissingExtra: Pillow is not installed, or pycocotools, which draws masks.

    Reference: Lin et al. (2014), https://arxiv.org/abs/1405.0312; https://cocodataset.org/#format-data.
    """
    root = existing_folder(folder, "the folder with the images")
    path = existing_file(annotations, "a JSON file of COCO, as instances_val2017.json")
    content = _parse(path)
    images = sorted(content["images"], key=lambda each: each["id"])
    categories = sorted(content["categories"], key=lambda each: each["id"])
    ids, known = {each["id"] for each in images}, {each["id"] for each in categories}
    objects: dict[Any, list[dict[str, Any]]] = defaultdict(list)
    for number, each in enumerate(content["annotations"]):
        here = f"{path}: annotation {number}"
        if each["image_id"] not in ids:
            raise ValueError(f"{here} is of image {each['image_id']!r}, which is not among the images")
        if each["category_id"] not in known:
            raise ValueError(f"{here} is of category {each['category_id']!r}, which is not among the categories")
        if not isinstance(each["bbox"], list) or len(each["bbox"]) != 4:
            raise ValueError(f"{here} has bbox {each['bbox']!r}, not [x, y, width, height]")
        objects[each["image_id"]].append(each)
    return CocoDetection(
        root,
        tuple(images),
        tuple(tuple(objects[each["id"]]) for each in images),
        tuple(each["name"] for each in categories),
        tuple(each["id"] for each in categories),
        masks,
    )


def _parse(path: Path) -> dict[str, list[dict[str, Any]]]:
    try:
        content = json.loads(path.read_bytes())
    except ValueError as error:
        raise ValueError(f"{path} is no JSON, or truncated: {error}") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path} is no annotation file of COCO: it holds a {type(content).__name__}, not an object")
    for name, keys in NEEDED.items():
        if not isinstance(content.get(name), list):
            raise ValueError(f"{path} is no annotation file of COCO: it has no list {name!r}")
        for number, each in enumerate(content[name]):
            missing = [key for key in keys if key not in each]
            if missing:
                raise ValueError(f"{path}: {name}[{number}] has no {', '.join(map(repr, missing))}")
    return content


def _mask(each: dict[str, Any], height: int, width: int) -> np.ndarray:
    """The pixels of an object, whose outline is polygons or a run-length code, compressed or not."""
    tool = require("pycocotools.mask", extra="detection")
    outline = each.get("segmentation")
    if not outline:
        raise ValueError(f"the annotation {each.get('id')!r} has no segmentation: read without masks=True")
    with warnings.catch_warnings(action="ignore", category=DeprecationWarning):  # its arrays know an older NumPy
        if isinstance(outline, list):
            code = tool.merge(tool.frPyObjects(outline, height, width))
        elif isinstance(outline["counts"], list):
            code = tool.frPyObjects(outline, height, width)
        else:
            code = outline
        drawn: np.ndarray = tool.decode(code).astype(bool)
    if drawn.shape != (height, width):
        raise ValueError(f"the mask of annotation {each.get('id')!r} is {drawn.shape}, its image {(height, width)}")
    return drawn

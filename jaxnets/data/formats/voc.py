"""Pascal VOC: an XML file of boxes for each image, and pictures whose colors are classes."""

import os
import xml.etree.ElementTree as xml
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from jaxnets.data.formats.pictures import opened, read_rgb
from jaxnets.data.sources import Record, existing_file, existing_folder

CLASSES = (
    *("aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow", "diningtable", "dog"),
    *("horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor"),
)
VOID = 255  # on the borders of objects


@dataclass(frozen=True)
class VocDetection:
    """Images with boxes, read when they are asked for; made by `voc_detection`."""

    folder: Path
    names: tuple[str, ...]
    class_names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> Record:
        name = self.names[index]
        boxes, labels, difficult = _objects(self.folder / "Annotations" / f"{name}.xml", self.class_names)
        image = read_rgb(self.folder / "JPEGImages" / f"{name}.jpg")
        return {"image": image, "boxes": boxes, "labels": labels, "difficult": difficult}


@dataclass(frozen=True)
class VocSegmentation:
    """Images with a class for every pixel, read when they are asked for; made by `voc_segmentation`."""

    folder: Path
    names: tuple[str, ...]
    class_names: tuple[str, ...] = ("background", *CLASSES)

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> Record:
        name = self.names[index]
        path = self.folder / "SegmentationClass" / f"{name}.png"
        with opened(path) as picture:
            if picture.mode not in ("P", "L"):
                raise ValueError(f"its colors are no class numbers (mode {picture.mode}, not P)")
            classes = np.array(picture)
        image = read_rgb(self.folder / "JPEGImages" / f"{name}.jpg")
        if classes.shape != image.shape[:2]:
            raise ValueError(f"{path} is {classes.shape}, its image {image.shape[:2]}: they do not belong together")
        return {"image": image, "labels": np.where(classes == VOID, np.int32(-1), classes.astype(np.int32))}


def voc_detection(
    folder: str | os.PathLike[str], split: str = "train", *, class_names: tuple[str, ...] = CLASSES
) -> VocDetection:
    """Pascal VOC's boxes, or any in its form: `voc_detection("VOCdevkit/VOC2012", "val")`.

    Args:
        folder: has JPEGImages, Annotations and ImageSets/Main.
        split: the list ImageSets/Main/<split>.txt: "train", "val", "trainval", "test".
        class_names: VOC's twenty, or your own.

    Returns:
        A source of `{"image": (H, W, 3) uint8, "boxes": (G, 4) float32, "labels": (G,) int32, "difficult": (G,)
        bool}`. Boxes are (x1, y1, x2, y2) in pixels counted from 0, x2 and y2 just past the object: VOC's own count
        from 1 and include their last pixel.

    Raises:
        FileNotFoundError: the folder, the list, an image or its XML is missing.
        ValueError: no XML, an object without a box, or of an unknown class. When it is read.

    Reference: Everingham et al. (2010), https://doi.org/10.1007/s11263-009-0275-4.
    """
    root = existing_folder(folder, "one with JPEGImages, Annotations and ImageSets, as VOCdevkit/VOC2012")
    return VocDetection(root, _names(root / "ImageSets" / "Main" / f"{split}.txt"), tuple(class_names))


def voc_segmentation(folder: str | os.PathLike[str], split: str = "train") -> VocSegmentation:
    """Pascal VOC's segmentation: `voc_segmentation("VOCdevkit/VOC2012", "val")`.

    Args:
        folder: has JPEGImages, SegmentationClass and ImageSets/Segmentation.
        split: the list ImageSets/Segmentation/<split>.txt: "train", "val", "trainval".

    Returns:
        A source of `{"image": (H, W, 3) uint8, "labels": (H, W) int32}`: 0 is background, 1 to 20 VOC's classes, -1
        the borders that count for nothing, as `jaxnets.metrics.confusion_matrix` leaves them out.

    Raises:
        FileNotFoundError, ValueError: as `voc_detection`.
    """
    root = existing_folder(folder, "one with JPEGImages, SegmentationClass and ImageSets, as VOCdevkit/VOC2012")
    return VocSegmentation(root, _names(root / "ImageSets" / "Segmentation" / f"{split}.txt"))


def _names(path: Path) -> tuple[str, ...]:
    existing_file(path, "a split that is there: the list of its images")
    names = tuple(line.split()[0] for line in path.read_text().splitlines() if line.strip())
    if not names:
        raise ValueError(f"{path} names no image")
    return names


def _objects(path: Path, class_names: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    existing_file(path, "the annotation of each image")
    try:
        root = xml.fromstring(path.read_bytes())
    except xml.ParseError as error:
        raise ValueError(f"{path} is no XML, or truncated: {error}") from error
    boxes, labels, difficult = [], [], []
    for number, each in enumerate(root.iter("object")):
        name = (each.findtext("name") or "").strip()
        if name not in class_names:
            raise ValueError(f"{path}: object {number} is {name!r}, none of the class names {class_names}")
        try:
            corners = [float(each.findtext(f"bndbox/{corner}") or "") for corner in ("xmin", "ymin", "xmax", "ymax")]
        except ValueError as error:
            raise ValueError(f"{path}: object {number}, {name}, has no bndbox of four numbers") from error
        boxes.append([corners[0] - 1, corners[1] - 1, *corners[2:]])
        labels.append(class_names.index(name))
        difficult.append((each.findtext("difficult") or "0").strip() == "1")
    return np.array(boxes, np.float32).reshape(-1, 4), np.array(labels, np.int32), np.array(difficult, bool)

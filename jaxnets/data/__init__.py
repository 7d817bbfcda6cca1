"""Data: what to train on, in NumPy, and how to cut it into batches."""

from jaxnets.data.augment import random_affine
from jaxnets.data.batches import batches
from jaxnets.data.digits import Dataset, digits
from jaxnets.data.formats.adult import adult
from jaxnets.data.formats.audio import read_audio
from jaxnets.data.formats.cifar import cifar10, cifar100
from jaxnets.data.formats.coco import coco_detection
from jaxnets.data.formats.idx import mnist, read_idx
from jaxnets.data.formats.pictures import image_folder, read_rgb
from jaxnets.data.formats.speech import librispeech, speech_commands
from jaxnets.data.formats.text import json_lines, read_text, text_lines
from jaxnets.data.formats.voc import voc_detection, voc_segmentation
from jaxnets.data.images import read_image
from jaxnets.data.sources import Arrays, Source

__all__ = [
    "Arrays",
    "Dataset",
    "Source",
    "adult",
    "batches",
    "cifar10",
    "cifar100",
    "coco_detection",
    "digits",
    "image_folder",
    "json_lines",
    "librispeech",
    "mnist",
    "random_affine",
    "read_audio",
    "read_idx",
    "read_image",
    "read_rgb",
    "read_text",
    "speech_commands",
    "text_lines",
    "voc_detection",
    "voc_segmentation",
]

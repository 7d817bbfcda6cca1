"""Data: what to train on, in NumPy, and how to cut it into batches."""

from jaxnets.data.augment import random_affine
from jaxnets.data.batches import batches
from jaxnets.data.color import color_jitter
from jaxnets.data.crops import random_crop, random_flip
from jaxnets.data.digits import Dataset, digits
from jaxnets.data.erasing import random_erase
from jaxnets.data.espeak import Sentence, Spoken, espeak_variants, speak
from jaxnets.data.fitting import center_crop, pad_to, random_resized_crop
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
from jaxnets.data.mixing import cutmix, mixup
from jaxnets.data.noise import add_noise
from jaxnets.data.pipeline import pipeline, to_device
from jaxnets.data.scenes import Scenes, scatter
from jaxnets.data.sources import Arrays, Source
from jaxnets.data.spoken import spoken_numbers
from jaxnets.data.tokens import Tokenizer, byte_tokenizer, load_tokenizer, train_tokenizer

__all__ = [
    "Arrays",
    "Dataset",
    "Scenes",
    "Sentence",
    "Source",
    "Spoken",
    "Tokenizer",
    "add_noise",
    "adult",
    "batches",
    "byte_tokenizer",
    "center_crop",
    "cifar10",
    "cifar100",
    "coco_detection",
    "color_jitter",
    "cutmix",
    "digits",
    "espeak_variants",
    "image_folder",
    "json_lines",
    "librispeech",
    "load_tokenizer",
    "mixup",
    "mnist",
    "pad_to",
    "pipeline",
    "random_affine",
    "random_crop",
    "random_erase",
    "random_flip",
    "random_resized_crop",
    "read_audio",
    "read_idx",
    "read_image",
    "read_rgb",
    "read_text",
    "scatter",
    "speak",
    "speech_commands",
    "spoken_numbers",
    "text_lines",
    "to_device",
    "train_tokenizer",
    "voc_detection",
    "voc_segmentation",
]

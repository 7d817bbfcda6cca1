"""What tensors are called in files that were published before their library gave them other names.

The library itself renames them when it loads such a file, and so do we: in the files of torchvision's DenseNets, vision
transformers and detectors, `state_dict()` of the loaded network has names that the file has not.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection

LAST = {
    "gamma": "weight",  # a norm's, in files converted from TensorFlow
    "beta": "bias",
    "weight_g": "parametrizations.weight.original0",  # a weight norm's, before PyTorch 2
    "weight_v": "parametrizations.weight.original1",
}

Renaming = str | Callable[[re.Match[str]], str]
MODULES: tuple[tuple[re.Pattern[str], Renaming], ...] = (
    (re.compile(r"(denselayer\d+\.(?:norm|conv))\.([12])\."), r"\1\2."),
    (re.compile(r"(mlp)\.linear_1\."), r"\1.0."),
    (re.compile(r"(mlp)\.linear_2\."), r"\1.3."),
    (re.compile(r"((?:inner|layer)_blocks\.\d+)\.(weight|bias)$"), r"\1.0.\2"),
    (re.compile(r"(rpn\.head\.conv)\.(weight|bias)$"), r"\1.0.0.\2"),
    # Each second module was a ReLU, which has gone into the block before it.
    (
        re.compile(r"((?:classification|regression)_head\.conv)\.(\d+)\.(weight|bias)$"),
        lambda found: f"{found[1]}.{int(found[2]) // 2}.0.{found[3]}",
    ),
)


def today(name: str, known: Collection[str]) -> str:
    """What is called `name` in a file, among the names that are `known` now; itself if that is one, or none is found.

    >>> today("backbone.fpn.inner_blocks.0.bias", {"backbone.fpn.inner_blocks.0.0.bias"})
    'backbone.fpn.inner_blocks.0.0.bias'
    """
    if name in known:
        return name
    for pattern, new in MODULES:
        renamed = pattern.sub(new, name)
        if renamed in known:
            return renamed
    return name

"""timm's names for networks of inverted residual blocks, which one builder there makes for several families.

Wightman, 2019, PyTorch Image Models, https://github.com/huggingface/pytorch-image-models
"""

from __future__ import annotations

from jaxnets.models.mapping import Rule, Shapes, filled, find

SQUEEZE = (
    Rule("squeeze/reduce", "se.conv_reduce", "conv_as_dense"),
    Rule("squeeze/expand", "se.conv_expand", "conv_as_dense"),
)
BLOCKS: dict[str, tuple[Rule, ...]] = {
    "expand": (  # widened, depthwise, narrowed
        Rule("expand/conv", "conv_pw"),
        Rule("expand/norm", "bn1"),
        Rule("depthwise/conv", "conv_dw"),
        Rule("depthwise/norm", "bn2"),
        *SQUEEZE,
        Rule("project/conv", "conv_pwl"),
        Rule("project/norm", "bn3"),
    ),
    "depthwise": (  # not widened
        Rule("depthwise/conv", "conv_dw"),
        Rule("depthwise/norm", "bn1"),
        *SQUEEZE,
        Rule("project/conv", "conv_pw"),
        Rule("project/norm", "bn2"),
    ),
    "fused/project": (  # widened by a convolution over space, and narrowed
        Rule("fused/conv", "conv_exp"),
        Rule("fused/norm", "bn1"),
        Rule("project/conv", "conv_pwl"),
        Rule("project/norm", "bn2"),
    ),
    "fused": (Rule("fused/conv", "conv"), Rule("fused/norm", "bn1")),
}
"""The rules of one block, below it, by the parts it has."""


def inverted_blocks(shapes: Shapes) -> list[Rule]:
    """The rules of all blocks, `stage{s}/{i}/main` here and `blocks.{s-1}.{i}` there."""
    rules = []
    for block in find("stage{s}/{i}/main", shapes):
        own, theirs = filled("stage{s}/{i}/main", block), filled("blocks.{s-1}.{i}", block)
        parts = {path.removeprefix(own + "/").split("/")[0] for path in shapes if path.startswith(own + "/")}
        kind = next(kind for kind in BLOCKS if parts >= set(kind.split("/")))
        rules += [Rule(f"{own}/{rule.ours}", f"{theirs}.{rule.theirs}", rule.kind) for rule in BLOCKS[kind]]
    return rules


def inverted(shapes: Shapes) -> list[Rule]:
    """The rules of a whole network: a stem, the blocks, a 1×1 convolution and a matrix."""
    return [
        Rule("stem/conv", "conv_stem"),
        Rule("stem/norm", "bn1"),
        *inverted_blocks(shapes),
        Rule("head/conv", "conv_head"),
        Rule("head/norm", "bn2"),
        Rule("classifier/logits", "classifier"),
    ]

"""The detectors of torchvision: what their heads say, the boxes made of it, and their losses.

torchvision's suppression and ROI align are compiled, and may be missing: plain forms of both stand in for them.
"""

import importlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from parity import oracles

from jaxnets import models, reference, weights
from jaxnets.models import detection

torch = oracles.torch
pytestmark = pytest.mark.parity

SIZE = (96, 128)
KINDS = {
    "retinanet_resnet50_fpn": "retinanet",
    "retinanet_resnet50_fpn_v2": "retinanet",
    "fcos_resnet50_fpn": "fcos",
    "fasterrcnn_resnet50_fpn": "faster_rcnn",
    "fasterrcnn_resnet50_fpn_v2": "faster_rcnn",
}
CONFIG = {"num_classes": 5}
FEW = {"candidates": 100, "proposals": 40}


def nms(boxes, scores, threshold):
    """Take the best, drop what overlaps it, repeat."""
    left, kept = torch.argsort(scores, descending=True, stable=True), []
    area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    while len(left):
        best, left = left[0], left[1:]
        kept.append(best)
        low = torch.maximum(boxes[best, :2], boxes[left, :2])
        high = torch.minimum(boxes[best, 2:], boxes[left, 2:])
        inter = (high - low).clamp(min=0).prod(1)
        left = left[~(inter / (area[best] + area[left] - inter) > threshold)]  # 0 / 0 stays, as in theirs
    return torch.stack(kept) if kept else torch.zeros(0, dtype=torch.int64)


def roi_align(x, boxes, output_size, spatial_scale, sampling_ratio=-1, aligned=False):
    """The definition: torchvision's own Python form takes the edge far outside of a map, its kernels nothing."""
    maps, boxes = x.detach().permute(0, 2, 3, 1).numpy(), boxes.detach().numpy()
    out = np.zeros((len(boxes), *output_size, maps.shape[-1]), np.float32)
    for i, image in enumerate(maps):
        own = boxes[:, 0] == i
        options = {"scale": spatial_scale, "sampling_ratio": sampling_ratio, "aligned": aligned}
        out[own] = reference.roi_align(image[None], boxes[None, own, 1:], output_size, **options)[0]
    return torch.from_numpy(out).permute(0, 3, 1, 2)


@pytest.fixture(autouse=True)
def uncompiled(monkeypatch):
    vision = oracles.torchvision()
    monkeypatch.setattr(vision.ops.boxes, "nms", nms)
    monkeypatch.setattr(importlib.import_module("torchvision.ops.poolers"), "roi_align", roi_align)


def made(name):
    """Theirs, with the eps that its published weights want, and detectors' numbers that tell boxes apart."""
    options = {"weights": None, "weights_backbone": None, **CONFIG}
    if KINDS[name] == "faster_rcnn":
        options |= {"rpn_pre_nms_top_n_test": FEW["candidates"], "rpn_post_nms_top_n_test": FEW["proposals"]}
    model = oracles.randomise(getattr(oracles.torchvision().models.detection, name)(**options))
    if KINDS[name] == "faster_rcnn":
        # Sizes are exponentials of codes: codes of 10 would make proposals sixty anchors wide, whose one edge inside
        # the image is a difference of large numbers, and the boxes' heads see the map where rounding puts it.
        with torch.no_grad():
            model.rpn.head.bbox_pred.weight.mul_(0.1)
    if name in ("retinanet_resnet50_fpn", "fasterrcnn_resnet50_fpn"):
        for module in model.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.eps = 0.0
    return model


def image_list(images):
    return importlib.import_module("torchvision.models.detection.image_list").ImageList(images, [SIZE] * len(images))


def one_stage(model, images):
    out = model.head(list(model.backbone(images).values()))
    found = {"logits": out["cls_logits"], "codes": out["bbox_regression"]}
    return found | ({"centers": out["bbox_ctrness"]} if "bbox_ctrness" in out else {})


def two_stages(model, images):
    """Their proposals filled up with empty boxes to as many as ours."""
    model.rpn.eval()
    maps = model.backbone(images)
    n, sizes = len(images), [SIZE] * len(images)
    objectness, codes = importlib.import_module("torchvision.models.detection.rpn").concat_box_prediction_layers(
        *model.rpn.head(list(maps.values()))
    )
    proposals, _ = model.rpn(image_list(images), maps)
    filled = [torch.cat([each, torch.zeros(FEW["proposals"] - len(each), 4)]) for each in proposals]
    logits, moves = model.roi_heads.box_predictor(
        model.roi_heads.box_head(model.roi_heads.box_roi_pool(maps, filled, sizes))
    )
    return {
        "objectness": objectness.reshape(n, -1, 1),
        "codes": codes.reshape(n, -1, 4),
        "proposals": torch.stack(filled),
        "box_logits": logits.reshape(n, FEW["proposals"], -1),
        "box_codes": moves.reshape(n, FEW["proposals"], -1),
    }


def config_of(name):
    return CONFIG | (FEW if KINDS[name] == "faster_rcnn" else {})


@pytest.mark.parametrize("name", oracles.some(KINDS, "fasterrcnn_resnet50_fpn"))
def test_heads(name):
    run = two_stages if KINDS[name] == "faster_rcnn" else one_stage
    oracles.compare(
        name,
        "torchvision",
        made(name),
        oracles.images(1, 64, 64, 3, seed=1) if KINDS[name] == "fcos" else oracles.images(2, *SIZE, 3, seed=1),
        run=run,
        statistics=name.endswith("v2"),
        # Where rounding moves a number across a ReLU's zero, the slopes differ by what that number carries, and theirs
        # in float32 from theirs in float64; with these images it moves none.
        gradient=name in ("retinanet_resnet50_fpn", "fcos_resnet50_fpn"),
        **config_of(name),
    )


def theirs_detected(name, model, images):
    """Their boxes, scores and labels of each image."""
    maps = model.backbone(images)
    sizes = [SIZE] * len(images)
    if KINDS[name] == "faster_rcnn":
        proposals, _ = model.rpn(image_list(images), maps)
        found, _ = model.roi_heads(maps, proposals, sizes)
        return found
    maps = list(maps.values())
    out = model.head(maps)
    anchors = model.anchor_generator(image_list(images), maps)
    counts = [x.size(2) * x.size(3) for x in maps]
    counts = [n * (out["cls_logits"].size(1) // sum(counts)) for n in counts]
    split = {key: list(value.split(counts, dim=1)) for key, value in out.items()}
    return model.postprocess_detections(split, [list(a.split(counts)) for a in anchors], sizes)


@pytest.mark.parametrize(
    "name",
    oracles.some(["retinanet_resnet50_fpn", "fcos_resnet50_fpn", "fasterrcnn_resnet50_fpn"], "fcos_resnet50_fpn"),
)
def test_detections(name):
    model, x = made(name), oracles.images(2, *SIZE, 3)
    with torch.no_grad():
        wanted = theirs_detected(name, model, oracles.channels_first(x))
    params, state = weights.from_state_dict(
        name, oracles.arrays(model.state_dict()), source="torchvision", **config_of(name)
    )
    detect, net = getattr(detection, KINDS[name]).detect, models.create(name, **config_of(name))
    found = jax.jit(lambda p, s, x: detect(net.apply(p, s, x)[0], SIZE))(params, state, x)
    assert sum(len(each["boxes"]) for each in wanted) > 20
    for i, each in enumerate(wanted):
        there = np.asarray(found.valid[i])
        np.testing.assert_array_equal(found.labels[i][there], each["labels"].numpy())
        np.testing.assert_allclose(found.scores[i][there], each["scores"].numpy(), rtol=1e-3)
        np.testing.assert_allclose(found.boxes[i][there], each["boxes"].numpy(), atol=0.02)


TRUE = ([[[10, 10, 60, 70], [30, 5, 120, 90], [50, 40, 62, 55]], [[0, 0, 40, 30]]], [[1, 4, 2], [3]])


def targets():
    """Two images with three things and one, as ours and as theirs."""
    boxes, labels, valid = np.zeros((2, 3, 4), np.float32), np.zeros((2, 3), np.int32), np.zeros((2, 3), bool)
    theirs = []
    for i, (own, names) in enumerate(zip(*TRUE, strict=True)):
        boxes[i, : len(own)], labels[i, : len(own)], valid[i, : len(own)] = own, names, True
        theirs.append({"boxes": torch.tensor(own, dtype=torch.float32), "labels": torch.tensor(names)})
    return detection.Targets(*map(jnp.asarray, (boxes, labels, valid))), theirs


@pytest.mark.parametrize("kind", ["retinanet", "fcos"])
def test_losses(kind):
    """Of outputs drawn at random, with no network behind them."""
    name = f"{kind}_resnet50_fpn"
    vision = oracles.torchvision()
    model = getattr(vision.models.detection, name)(weights=None, weights_backbone=None, **CONFIG)
    ours, theirs = targets()
    maps = [torch.zeros(2, 1, -(-SIZE[0] // 2**i), -(-SIZE[1] // 2**i)) for i in range(3, 8)]
    anchors = model.anchor_generator(image_list(torch.zeros(2, 3, *SIZE)), maps)
    draw = np.random.default_rng(0)
    rows = {"logits": 5, "codes": 4} | ({"centers": 1} if kind == "fcos" else {})
    outputs = {key: draw.standard_normal((2, len(anchors[0]), n)).astype(np.float32) for key, n in rows.items()}
    outputs["codes"] = np.abs(outputs["codes"]) if kind == "fcos" else outputs["codes"]
    names = {"logits": "cls_logits", "codes": "bbox_regression", "centers": "bbox_ctrness"}
    given = {names[key]: torch.from_numpy(value) for key, value in outputs.items()}
    if kind == "retinanet":
        wanted = model.compute_loss(theirs, given, anchors)
    else:
        wanted = model.compute_loss(theirs, given, anchors, [m.size(2) * m.size(3) for m in maps])
    found = getattr(detection, kind).losses(outputs | {}, ours, SIZE)
    renamed = {"classes": "classification", "boxes": "bbox_regression", "centers": "bbox_ctrness"}
    for key, value in found.items():
        np.testing.assert_allclose(value, wanted[renamed[key]].item(), rtol=1e-4, err_msg=key)

"""Mean average precision is COCO's, from arrays instead of its files."""

import contextlib
import io
import sys

import numpy as np
import pytest

from jaxnets import extras, metrics

pytest.importorskip("pycocotools")
SIZE = 160


def boxes_of(rng, count):
    corner = rng.uniform(0, 60, (count, 2))
    return np.concatenate(
        [corner, corner + np.exp(rng.uniform(2, 5.3, (count, 1))) * rng.uniform(0.8, 1.2, (count, 2))], 1
    )


def scenes(seed):
    """Random scenes of all sizes with crowds, an empty image, one with no detection, one with over 100."""
    rng = np.random.default_rng(seed)
    truth, found = [], []
    for index in range(5):
        count = 0 if index == 0 else 12
        boxes = boxes_of(rng, count)
        truth.append({"boxes": boxes, "labels": rng.integers(0, 3, count), "crowd": rng.random(count) < 0.25})
        near = np.repeat(boxes, 16 if index == 4 else 2, 0)
        near = near + rng.normal(0, 3, near.shape)
        near = np.concatenate([near, boxes_of(rng, 3)])
        near[:, 2:] = np.maximum(near[:, 2:], near[:, :2] + 1)
        near = near[:0] if index == 1 else near
        found.append({"boxes": near, "labels": rng.integers(0, 3, len(near)), "scores": rng.random(len(near))})
    found[4]["labels"][:] = 1  # far over 100 detections of one class: many of them do not count
    return truth, found


def in_cocos_words(truth, found):
    """pycocotools' own way from its own JSON: what the arrays are held against."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    def xywh(box):
        return [*box[:2], *(box[2:] - box[:2])]

    annotations, results = [], []
    for image, (true, said) in enumerate(zip(truth, found, strict=True)):
        for box, label, crowd in zip(*true.values(), strict=True):
            w, h = xywh(box)[2:]
            row = {"id": len(annotations) + 1, "image_id": image, "category_id": int(label), "iscrowd": int(crowd)}
            annotations.append(row | {"bbox": xywh(box), "area": w * h})
        for box, label, score in zip(*said.values(), strict=True):
            results.append({"image_id": image, "category_id": int(label), "bbox": xywh(box), "score": float(score)})
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO()
        images = [{"id": i} for i in range(len(truth))]
        coco.dataset = {"info": {}, "images": images, "categories": [{"id": i} for i in range(3)]}
        coco.dataset["annotations"] = annotations
        coco.createIndex()
        evaluator = COCOeval(coco, coco.loadRes(results), "bbox")
        evaluator.evaluate()
        evaluator.accumulate()
        evaluator.summarize()
    return evaluator.stats


@pytest.mark.parametrize("seed", range(3))
def test_boxes_of_all_sizes_with_crowds(seed):
    truth, found = scenes(seed)
    got = metrics.coco_map(truth, found)
    np.testing.assert_allclose(list(got.values()), in_cocos_words(truth, found), rtol=1e-12)
    assert 0 < got["AP"] < got["AP50"] < 1
    assert not any(np.isnan(value) for value in got.values())  # every range of areas is there
    without = [{**image, "crowd": np.zeros(len(image["labels"]))} for image in truth]
    assert metrics.coco_map(without, found)["AP"] != got["AP"]


def test_a_scene_computed_by_hand(capsys):
    truth = [{"boxes": [[0, 0, 10, 10], [20, 20, 30, 30]], "labels": [0, 0]}]
    found = [{"boxes": [[0, 0, 10, 10], [50, 50, 60, 60], [20, 20, 30, 29]], "labels": [0] * 3, "scores": [3, 2, 1]}]
    got = metrics.coco_map(truth, found)
    # Precision is 1 up to recall 1/2, then 2/3, at the 101 recalls 0, 0.01, ... 1: 51 and 50 of them.
    whole, half = (51 + 50 * 2 / 3) / 101, 51 / 101
    assert got["AP50"] == pytest.approx(whole)
    assert got["AP"] == pytest.approx((9 * whole + half) / 10)  # 0.9 of overlap is too little for threshold 0.95
    assert got["AP_small"] == got["AP"]
    assert np.isnan(got["AP_large"])
    assert (got["AR_1"], got["AR_10"]) == (0.5, pytest.approx(0.95))
    assert capsys.readouterr().out == ""


def test_masks():
    rng = np.random.default_rng(0)
    true = np.zeros((2, SIZE, SIZE), bool)
    true[0, 10:60, 10:60] = true[1, 80:150, 70:150] = True
    said = np.roll(true, 3, 1)
    truth = [{"masks": true, "labels": [1, 2]}]
    found = [{"masks": said, "labels": [1, 2], "scores": rng.random(2)}]
    got = metrics.coco_map(truth, found, masks=True)
    ious = [(a & b).sum() / (a | b).sum() for a, b in zip(true, said, strict=True)]
    want = np.mean([[iou >= t for t in np.arange(0.5, 1, 0.05)] for iou in ious])
    assert got["AP"] == pytest.approx(want)


def test_nothing_found_is_zero_and_nothing_to_find_is_nan():
    none = {"boxes": np.zeros((0, 4)), "labels": [], "scores": []}
    one = {"boxes": [[0, 0, 10, 10]], "labels": [3]}
    assert metrics.coco_map([one], [none])["AP"] == 0
    assert np.isnan(metrics.coco_map([none], [none])["AP"])


ONE = {"boxes": [[0, 0, 1, 1]], "labels": [0], "scores": [1.0]}


@pytest.mark.parametrize(
    ("truth", "predicted", "message"),
    [
        ([ONE], [], "1 images in truth, 0 in predicted"),
        ([ONE], [{"boxes": [[0, 0, 1, 1]], "labels": [0]}], r"predicted\[0\] has no \['scores'\]"),
        ([{**ONE, "boxes": [[0, 0, 1]]}], [ONE], r"truth\[0\]\['boxes'\] has shape \(1, 3\), not \(1, 4\)"),
        ([ONE, {**ONE, "labels": [0, 1]}], [ONE, ONE], r"truth\[1\]\['boxes'\].*there are 2 labels"),
        ([{**ONE, "boxes": [[5, 0, 1, 1]]}], [ONE], r"\(5.0, 0.0, 1.0, 1.0\) ends before it begins"),
    ],
)
def test_wrong_input_is_named(truth, predicted, message):
    with pytest.raises(ValueError, match=message):
        metrics.coco_map(truth, predicted)


def test_what_to_install_is_said(monkeypatch):
    for name in ("pycocotools", "pycocotools.coco"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(extras.MissingExtra, match=r'pip install "jaxnets\[detection\]"'):
        metrics.coco_map([ONE], [ONE])

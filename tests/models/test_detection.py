"""The detectors: anchors for every image size, what is found again of what was put in, losses that fall."""

from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import CASES

from jaxnets import models, ops
from jaxnets.models import detection
from jaxnets.models.detection import boxes, faster_rcnn, fcos, retinanet

SIZE = (64, 96)
TRUE = detection.Targets(
    jnp.array([[[8.0, 4.0, 40.0, 44.0], [30.0, 20.0, 90.0, 60.0]], [[2.0, 30.0, 34.0, 62.0], [0.0] * 4]]),
    jnp.array([[1, 2], [2, 0]], jnp.int32),
    jnp.array([[True, True], [True, False]]),
)


def shapes(layer, x):
    params, state = jax.eval_shape(layer.init, jax.random.key(0), x)
    y, _ = jax.eval_shape(layer.apply, params, state, x)
    return jax.tree.map(lambda a: a.shape, y)


@pytest.mark.parametrize("size", [(64, 64), (65, 97), (100, 40)])
@pytest.mark.parametrize("name", ["retinanet_resnet50_fpn", "fcos_resnet50_fpn", "fasterrcnn_resnet50_fpn"])
def test_there_is_an_anchor_for_every_row(name, size):
    found = shapes(CASES[name].make(), jax.ShapeDtypeStruct((1, *size, 2), jnp.float32))
    levels, sizes, ratios = {
        "r": (retinanet.LEVELS, retinanet.SIZES, retinanet.RATIOS),
        "f": (fcos.LEVELS, fcos.SIZES, (1.0,)),
    }.get(name[0] if not name.startswith("fa") else "", (faster_rcnn.LEVELS, faster_rcnn.SIZES, faster_rcnn.RATIOS))
    anchors, counts = boxes.pyramid_anchors(size, levels, sizes, ratios)
    places = 2 / 9 if name.startswith("r") else 1  # the small network has two anchors at each place, not nine
    assert found["codes"] == (1, len(anchors) * places, 4)
    assert sum(counts) == len(anchors)


@cache
def sure(kind):
    """What a network that knows the truth would say: codes of the true boxes, logits of their classes."""
    module = getattr(detection, kind)
    if kind == "retinanet":
        anchors, _ = boxes.pyramid_anchors(SIZE, module.LEVELS, module.SIZES, module.RATIOS)
        match = jax.vmap(lambda b, v: ops.match_boxes(ops.box_iou(b, anchors), v, force=True))(TRUE.boxes, TRUE.valid)
        encode = ops.encode_boxes
    else:
        anchors, counts = boxes.pyramid_anchors(SIZE, module.LEVELS, module.SIZES, (1.0,))
        match = jax.vmap(lambda b, v: module.match_places(b, v, anchors, counts))(TRUE.boxes, TRUE.valid)
        encode = ops.encode_sides
    own = jnp.maximum(match, 0)
    wanted = jnp.take_along_axis(TRUE.boxes, own[..., None], axis=1)
    codes = jnp.where((match >= 0)[..., None], encode(wanted, anchors), 0.0)
    labels = jax.nn.one_hot(jnp.take_along_axis(TRUE.labels, own, axis=1), 3) * (match >= 0)[..., None].astype(
        jnp.float32
    )
    return {"logits": 20 * labels - 10, "codes": codes, "centers": jnp.full((*match.shape, 1), 9.0)}


@pytest.mark.parametrize("kind", ["retinanet", "fcos"])
def test_what_is_true_is_found_and_costs_next_to_nothing(kind):
    module, outputs = getattr(detection, kind), sure(kind)
    found = jax.jit(lambda y: module.detect(y, SIZE, max_output=5))(outputs)
    assert found.valid.sum(1).tolist() == [2, 1]
    for i in range(2):
        order = np.argsort(found.labels[i][found.valid[i]])
        np.testing.assert_array_equal(found.labels[i][found.valid[i]][order], TRUE.labels[i][TRUE.valid[i]])
        np.testing.assert_allclose(found.boxes[i][found.valid[i]][order], TRUE.boxes[i][TRUE.valid[i]], atol=1e-3)
    cost = jax.jit(lambda y: module.losses(y, TRUE, SIZE))(outputs)
    assert float(cost["boxes"]) < 1e-3
    assert float(cost["classes"]) < 1e-2


def test_small_things_are_found_on_finer_levels_that_reach_less_far():
    levels, strides = (2, 3), ((4,), (8,))
    anchors, counts = boxes.pyramid_anchors((32, 32), levels, strides, (1.0,))
    true = jnp.array([[2.0, 2.0, 10.0, 10.0], [8.0, 8.0, 30.0, 30.0]])
    for reach, finest in ((1.0, {-1, 0}), (4.0, {-1, 0, 1})):  # the larger one belongs to the coarser level, or not
        match = fcos.match_places(true, jnp.array([True, True]), anchors, counts, reach=reach)
        assert set(match[: counts[0]].tolist()) == finest
    match = fcos.match_places(true, jnp.array([True, True]), anchors, counts, reach=1.0)
    wanted = true[jnp.maximum(match, 0)]
    outputs = {
        "logits": jnp.where(match >= 0, 9.0, -9.0)[None, :, None],
        "codes": jnp.where((match >= 0)[:, None], ops.encode_sides(wanted, anchors), 0.0)[None],
        "centers": jnp.full((1, len(anchors), 1), 9.0),
    }
    targets = detection.Targets(true[None], jnp.zeros((1, 2), jnp.int32), jnp.ones((1, 2), bool))
    cost = fcos.losses(outputs, targets, (32, 32), levels=levels, place_sizes=strides, reach=1.0)
    assert float(cost["boxes"]) < 1e-3
    assert float(cost["classes"]) < 1e-2
    found = fcos.detect(outputs, (32, 32), levels=levels, place_sizes=strides, max_output=3)
    assert found.valid[0].tolist() == [True, True, False]
    np.testing.assert_allclose(sorted(found.boxes[0, :2].tolist()), true, atol=1e-3)


def test_padding_cuts_boxes_off():
    found = retinanet.detect(sure("retinanet"), SIZE, sizes=jnp.array([[30, 50], [64, 96]]))
    assert float(found.boxes[0, :, 3].max()) <= 30
    assert float(found.boxes[0, :, 2].max()) <= 50


@pytest.mark.slow
def test_two_stages_learn_from_true_boxes():
    """True boxes are looked at beside the proposals, and a step of gradient descent makes the losses smaller."""
    model, images = CASES["fasterrcnn_resnet50_fpn"].make(), jax.random.normal(jax.random.key(1), (2, *SIZE, 2))
    x = {"image": images, "boxes": TRUE.boxes}
    params, state = jax.jit(model.init)(jax.random.key(0), x)

    @jax.jit
    def step(params):
        def loss(params):
            y, _ = model.apply(params, state, x, train=True)
            each = faster_rcnn.losses(y, TRUE, SIZE, jax.random.key(2), proposals=8)
            return sum(each.values()), (each, y)

        (_, (each, y)), slope = jax.value_and_grad(loss, has_aux=True)(params)
        return jax.tree.map(lambda p, g: p - 0.001 * g, params, slope), each, slope, y

    after, first, slope, y = step(params)
    assert y["proposals"].shape == (2, 3 + 2, 4)
    np.testing.assert_allclose(y["proposals"][:, 3:], TRUE.boxes)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(slope))
    _, second, _, _ = step(after)
    assert set(first) == {"objectness", "proposals", "classes", "boxes"}
    assert sum(map(float, second.values())) < sum(map(float, first.values()))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: models.retinanet_resnet50_fpn(depths=(1, 1)), r"retinanet: depths is \(1, 1\); pass four"),
        (lambda: models.fasterrcnn_resnet50_fpn(depths=(1, 1)), "faster_rcnn: depths"),
        (lambda: models.fcos_resnet50_fpn(eps=-1.0), "eps is -1.0"),
        (lambda: retinanet.detect(sure("retinanet"), (64, 64)), "outputs have .* anchors, but image_size"),
        (
            lambda: retinanet.detect(sure("retinanet"), SIZE, sizes=jnp.ones(2)),
            r"sizes has shape \(2,\); pass \(2, 2\)",
        ),
    ],
)
def test_bad_arguments(call, message):
    with pytest.raises(ValueError, match=message):
        call()

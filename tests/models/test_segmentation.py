"""The segmenters: sizes of their maps, one head or two, sides that do not halve, images too small."""

import jax
import jax.numpy as jnp
import pytest

from jaxnets import models, summary
from jaxnets.combine import collect
from jaxnets.models.resnet import resnet_stages


def shapes(layer, *image):
    """Of the output for an image of this shape."""
    x = jax.ShapeDtypeStruct(image, jnp.float32)
    params, state = jax.eval_shape(layer.init, jax.random.key(0), x)
    y, _ = jax.eval_shape(layer.apply, params, state, x)
    return jax.tree.map(lambda a: a.shape, y)


@pytest.mark.parametrize(
    ("output_stride", "sides"), [(None, (16, 8, 4, 2)), (16, (16, 8, 4, 4)), (8, (16, 8, 8, 8)), (4, (16,) * 4)]
)
def test_a_dilated_resnet_has_larger_maps(output_stride, sides):
    maps = shapes(collect(**resnet_stages((1, 1, 1, 1), (4, 4, 4, 4), output_stride=output_stride)), 1, 64, 64, 3)
    assert tuple(maps[f"stage{i}"][1] for i in range(1, 5)) == sides


def test_dilation_sees_as_far_as_stride():
    """The weights fit either, and a dilated network gives at every other place what a striding one gives."""
    x = jax.random.normal(jax.random.key(1), (1, 32, 32, 2))
    narrow, wide = (collect(**resnet_stages((1, 2), (4, 5), output_stride=s)) for s in (None, 4))
    params, state = narrow.init(jax.random.key(0), x)
    small, large = (jax.jit(net.apply)(params, state, x)[0]["stage2"] for net in (narrow, wide))
    assert small.shape[1] * 2 == large.shape[1]
    assert jnp.allclose(small, large[:, ::2, ::2], atol=1e-5)


@pytest.mark.parametrize("name", ["fcn_resnet50", "deeplabv3_resnet50"])
def test_one_head_or_two(name):
    both = shapes(models.create(name, num_classes=3), 2, 33, 40, 3)
    assert both == {"out": (2, 33, 40, 3), "aux": (2, 33, 40, 3)}
    assert shapes(models.create(name, num_classes=3, aux=False), 2, 33, 40, 3) == (2, 33, 40, 3)


@pytest.mark.parametrize("side", [16, 17, 25, 31])
def test_a_unet_takes_sides_that_do_not_halve(side):
    assert shapes(models.unet(2, channels=(4, 4, 4, 4, 4)), 1, side, side + 1, 1) == (1, side, side + 1, 2)


def test_a_unet_says_how_small_an_image_may_be():
    with pytest.raises(ValueError, match="smallest image this network takes is 16×16"):
        shapes(models.unet(), 1, 15, 16, 3)


@pytest.mark.parametrize(("name", "published"), [("fcn_resnet50", 152.717), ("deeplabv3_resnet50", 178.722)])
def test_multiply_adds(name, published):
    """Of torchvision's table, both heads, in billions."""
    total = summary(models.create(name), jax.ShapeDtypeStruct((1, 520, 520, 3), jnp.float32)).total
    assert total.multiply_adds / 1e9 == pytest.approx(published, abs=0.001)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: models.unet(channels=()), ValueError, r"channels is \(\)"),
        (lambda: models.unet(channels=(4, 0)), ValueError, r"unet: channels\[1\] is 0"),
        (lambda: models.fcn_resnet50(output_stride=2), ValueError, "output_stride is 2; it must be at least 4"),
        (lambda: models.fcn_resnet50(rate=1), ValueError, "rate is 1.0.*fraction dropped"),
    ],
)
def test_bad_arguments(make, error, message):
    with pytest.raises(error, match=message):
        make()

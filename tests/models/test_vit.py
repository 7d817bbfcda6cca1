"""The vision transformer: what images it takes, and how its positions come to others."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnets import models, weights

SMALL = {"num_classes": 3, "patch": 4, "channels": 8, "depth": 2, "heads": 2}


def image(*size):
    return jax.ShapeDtypeStruct((1, *size, 3), jnp.float32)


def made(size):
    """Parameters for images of this size."""
    draw = np.random.default_rng(0)
    shapes, _ = jax.eval_shape(models.vit_b_16(image_size=size, **SMALL).init, jax.random.key(0), image(*size))
    return jax.tree.map(lambda leaf: jnp.asarray(draw.standard_normal(leaf.shape), jnp.float32), shapes)


@pytest.mark.parametrize(("before", "after"), [((8, 8), (16, 12)), ((8, 12), (12, 12))])
def test_positions_of_another_size(before, after):
    params = made(before)
    moved = models.interpolate_positions(params, after, before=before)
    wanted = jax.eval_shape(models.vit_b_16(image_size=after, **SMALL).init, jax.random.key(0), image(*after))[0]
    assert jax.tree.map(jnp.shape, moved) == jax.tree.map(jnp.shape, wanted)
    old, new = (each["stem"]["positions"]["w"] for each in (params, moved))
    np.testing.assert_array_equal(new[0], old[0])
    rows, columns = after[0] // 4, after[1] // 4
    corners = np.array([0, columns - 1, (rows - 1) * columns, rows * columns - 1])
    rows, columns = before[0] // 4, before[1] // 4
    kept = np.array([0, columns - 1, (rows - 1) * columns, rows * columns - 1])
    np.testing.assert_allclose(new[1:][corners], old[1:][kept], rtol=1e-5, atol=1e-6)


def test_positions_of_the_same_size_are_the_same():
    params = made((8, 8))
    same = models.interpolate_positions(params, 8)
    assert same["blocks"] is params["blocks"]
    np.testing.assert_allclose(same["stem"]["positions"]["w"], params["stem"]["positions"]["w"], rtol=1e-6)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: models.vit_b_16(image_size=100), r"image_size is \(100, 100\), which patches of \(16, 16\) do not"),
        (lambda: models.vit_b_16(image_size=(32, 32, 32)), "image_size is .*, 3 numbers"),
        (lambda: models.vit_b_16(depth=0), "depth is 0"),
        (
            lambda: models.interpolate_positions(made((8, 12)), 16),
            r"6 positions of patches, no grid of 2×2; pass before=",
        ),
        (lambda: models.interpolate_positions(made((8, 8)), 16, before=12), "no grid of 3×3; pass the size they were"),
        (lambda: models.interpolate_positions(made((8, 8)), 9), "patches of .* do not divide"),
    ],
)
def test_bad_arguments(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_an_image_of_another_size():
    model = models.vit_b_16(image_size=8, **SMALL)
    with pytest.raises(ValueError, match=r"positions for 8×8 pixels; resize x.*interpolate_positions"):
        jax.eval_shape(model.init, jax.random.key(0), image(12, 12))


def test_weights_are_shown_an_image_of_the_models_size():
    params = made((8, 8))
    named = weights.to_state_dict("vit_b_16", params, {}, source="timm")
    assert named["pos_embed"].shape == (1, 5, 8)
    again, _ = weights.from_state_dict("vit_b_16", named, source="timm", image_size=8, **SMALL)
    jax.tree.map(np.testing.assert_array_equal, again, params)


def test_of_the_keys_biases_alone_there_is_no_gradient():
    params = made((8, 8))
    model = models.vit_b_16(image_size=8, **SMALL)
    x = jax.random.normal(jax.random.key(1), (2, 8, 8, 3))
    loss = jax.jit(jax.grad(lambda p: model.apply(p, {}, x)[0][:, 0].sum()))
    largest = jax.tree_util.tree_map_with_path(
        lambda path, leaf: (float(jnp.abs(leaf).max()) < 1e-5) == jax.tree_util.keystr(path).endswith("['k']['b']"),
        loss(params),
    )
    assert all(jax.tree.leaves(largest)), largest

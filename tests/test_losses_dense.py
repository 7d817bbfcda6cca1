"""The losses of detection and segmentation: formulas, limits, gradients, and what does not count."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from jaxnets import losses, reference


def normal(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize(("alpha", "gamma"), [(0.25, 2.0), (None, 0.0), (0.5, 1.0)])
def test_focal_is_its_formula(alpha, gamma):
    logits, target = normal(3, 4), (normal(3, 4, seed=1) > 0).astype(np.int32)
    p = 1 / (1 + np.exp(-logits.astype(np.float64)))
    right = np.where(target, p, 1 - p)
    weight = 1.0 if alpha is None else np.where(target, alpha, 1 - alpha)
    got = losses.sigmoid_focal(jnp.asarray(logits), jnp.asarray(target), alpha=alpha, gamma=gamma, reduction="none")
    np.testing.assert_allclose(got, -weight * (1 - right) ** gamma * np.log(right), rtol=1e-5)


def test_focal_stays_finite():
    extreme = jnp.array([500.0, -500.0, 500.0, -500.0])
    value, gradient = jax.value_and_grad(losses.sigmoid_focal)(extreme, jnp.array([1.0, 0.0, 0.0, 1.0]))
    assert np.isfinite(value)
    assert np.isfinite(gradient).all()


@pytest.mark.parametrize("beta", [0.0, 0.5, 1.0])
def test_smooth_l1_is_its_formula(beta):
    a, b = 2 * normal(9), normal(9, seed=1)
    d = np.abs(a - b).astype(np.float64)
    expected = np.where(d < beta, d**2 / (2 * beta or 1), d - beta / 2).mean()
    np.testing.assert_allclose(losses.smooth_l1(jnp.asarray(a), jnp.asarray(b), beta=beta), expected, rtol=1e-5)


@pytest.mark.parametrize("kind", ["iou", "giou", "diou", "ciou"])
def test_box_loss_is_one_less_the_overlap(kind):
    first = np.abs(normal(2, 5, 2))
    a, b = np.concatenate([first, first + 0.1 + np.abs(normal(2, 5, 2, seed=1))], axis=-1)
    expected = 1 - np.diag(reference.box_iou(a, b, kind=kind))
    got = losses.box_iou(jnp.asarray(a), jnp.asarray(b), kind=kind, reduction="none")
    np.testing.assert_allclose(got, expected, atol=2e-6)


def test_what_does_not_count():
    a, b, where = jnp.array([1.0, 9.0]), jnp.zeros(2), jnp.array([True, False])
    assert float(losses.smooth_l1(a, b, where=where)) == 0.5
    assert float(losses.smooth_l1(a, b, where=where, reduction="sum")) == 0.5
    assert losses.smooth_l1(a, b, where=where, reduction="none").tolist() == [0.5, 0]
    value, gradient = jax.value_and_grad(lambda a: losses.smooth_l1(a, b, where=jnp.zeros(2, bool)))(a)
    assert float(value) == 0
    assert not gradient.any()


def lovasz(errors, true):
    """The definition of Berman et al.: each error times what its pixel adds to the Jaccard loss of those before it."""
    order = sorted(range(len(errors)), key=lambda i: -errors[i])

    def jaccard(wrong):
        """Of the set of wrong pixels: 1 - |true without wrong| / |true and wrong|."""
        here = {i for i in range(len(true)) if true[i]}
        return 1 - len(here - wrong) / len(here | wrong) if here | wrong else 0.0

    return sum(errors[i] * (jaccard(set(order[: k + 1])) - jaccard(set(order[:k]))) for k, i in enumerate(order))


def softmax(logits):
    e = np.exp(logits.astype(np.float64))
    return e / e.sum(-1, keepdims=True)


@pytest.mark.parametrize("per_image", [False, True])
def test_lovasz_softmax_is_its_definition(per_image):
    logits, labels = normal(2, 3, 2, 4), np.random.default_rng(1).integers(0, 3, (2, 3, 2))  # class 3 is nowhere
    where = np.ones((2, 3, 2), bool)
    where[0, 0], where[1, 2, 1] = False, False

    def one(logits, labels, where):
        p, t = softmax(logits)[where], labels[where]
        return np.mean([lovasz(np.abs((t == c) - p[:, c]), t == c) for c in set(t.tolist())])

    images = list(zip(logits, labels, where, strict=True)) if per_image else [(logits, labels, where)]
    got = losses.lovasz_softmax(
        jnp.asarray(logits), jnp.asarray(labels.astype(np.int32)), per_image=per_image, where=jnp.asarray(where)
    )
    np.testing.assert_allclose(got, np.mean([one(*image) for image in images]), rtol=1e-5)


@pytest.mark.parametrize("per_image", [False, True])
def test_lovasz_hinge_is_its_definition(per_image):
    logits, labels = normal(2, 7), np.random.default_rng(1).integers(0, 2, (2, 7))
    where = np.ones((2, 7), bool)
    where[0, :2] = False

    def one(logits, labels, where):
        logits, labels = logits[where], labels[where]
        return lovasz(np.maximum(1 - logits * (2 * labels - 1), 0), labels)

    images = list(zip(logits, labels, where, strict=True)) if per_image else [(logits, labels, where)]
    got = losses.lovasz_hinge(
        jnp.asarray(logits), jnp.asarray(labels.astype(np.int32)), per_image=per_image, where=jnp.asarray(where)
    )
    np.testing.assert_allclose(got, np.mean([one(*image) for image in images]), rtol=1e-5)


def test_lovasz_of_corners_is_the_jaccard_loss():
    """The extension equals what it extends: sure of everything, right or wrong, it is one less the mean IoU."""
    labels, said = jnp.array([[0, 0, 0, 1, 1]]), jnp.array([[0, 0, 1, 1, 1]])
    got = losses.lovasz_softmax(40 * jax.nn.one_hot(said, 2), labels)
    np.testing.assert_allclose(got, 1 - (2 / 3 + 2 / 3) / 2, rtol=1e-6)


def test_dice_is_its_formula():
    logits, labels = normal(2, 5, 3), np.random.default_rng(1).integers(0, 3, (2, 5)).astype(np.int32)
    where = np.array([[True] * 5, [True] * 3 + [False] * 2])
    p, t = softmax(logits)[where], np.eye(3)[labels][where]
    expected = (1 - (2 * (p * t).sum(0) + 1) / (p.sum(0) + t.sum(0) + 1)).mean()
    got = losses.dice(jnp.asarray(logits), jnp.asarray(labels), where=jnp.asarray(where))
    np.testing.assert_allclose(got, expected, rtol=1e-5)


def test_dice_and_lovasz_have_gradients():
    logits, labels = jnp.asarray(normal(1, 6, 3)), jnp.array([[0, 1, 2, 1, 0, 0]])
    loss = jax.jit(lambda x: losses.dice(x, labels) + losses.lovasz_softmax(x, labels))
    check_grads(loss, (logits,), order=1, modes=("rev",), atol=1e-2, rtol=1e-2)


A = jnp.ones((2, 4))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: losses.sigmoid_focal(A, A, alpha=-1), ValueError, "alpha is -1"),
        (lambda: losses.sigmoid_focal(A, A[:1]), ValueError, r"sigmoid_focal: logits has shape \(2, 4\)"),
        (lambda: losses.sigmoid_focal(A.astype(jnp.int32), A), TypeError, "cast it first"),
        (lambda: losses.smooth_l1(A, A, beta=-1), ValueError, "beta is -1"),
        (lambda: losses.smooth_l1(A, A, reduction="max"), ValueError, "reduction is 'max'; pass one of mean"),
        (lambda: losses.smooth_l1(A, A, where=jnp.ones(2, bool)), ValueError, r"where is bool\[2\]; pass bool\[2, 4\]"),
        (lambda: losses.box_iou(A, A, kind="l1"), ValueError, "kind is 'l1'"),
        (lambda: losses.dice(A, jnp.zeros(2, jnp.int32), smooth=0.0), ValueError, "smooth is 0.0"),
        (lambda: losses.dice(A, A), TypeError, "labels must be integers"),
        (lambda: losses.lovasz_softmax(A, jnp.zeros(3, jnp.int32)), ValueError, r"labels of shape \(2,\)"),
        (lambda: losses.lovasz_hinge(A, A[0]), ValueError, "lovasz_hinge: logits have shape"),
    ],
)
def test_bad_arguments(call, error, message):
    with pytest.raises(error, match=message):
        call()

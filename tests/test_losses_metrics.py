"""Losses and metrics against their formulas, and what they say about wrong input."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.metrics import confusion_matrix as sklearn_confusion

from jaxnets import losses, metrics


@pytest.fixture
def logits():
    return np.random.default_rng(0).normal(size=(7, 5)).astype(np.float32) * 3


@pytest.fixture
def labels():
    return np.random.default_rng(1).integers(0, 5, 7).astype(np.int32)


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.5])
def test_cross_entropy_is_its_formula(logits, labels, smoothing):
    exact = logits.astype(np.float64)
    log_p = exact - np.log(np.exp(exact).sum(-1, keepdims=True))
    target = (1 - smoothing) * np.eye(5)[labels] + smoothing / 5
    got = losses.cross_entropy(jnp.asarray(logits), jnp.asarray(labels), label_smoothing=smoothing)
    np.testing.assert_allclose(got, -(target * log_p).sum(-1).mean(), rtol=1e-6)


def test_cross_entropy_gradient_is_softmax_minus_target(logits, labels):
    got = jax.grad(losses.cross_entropy)(jnp.asarray(logits), jnp.asarray(labels))
    want = (np.asarray(jax.nn.softmax(logits)) - np.eye(5, dtype=np.float32)[labels]) / 7
    np.testing.assert_allclose(got, want, atol=1e-6)


def test_cross_entropy_is_float32_and_stays_finite():
    got = losses.cross_entropy(jnp.array([[0.0, 3e4]], jnp.float16), jnp.array([0], jnp.uint8))
    assert got.dtype == jnp.float32
    assert float(got) == 30000.0


def test_cross_entropy_takes_leading_axes(logits, labels):
    deep = losses.cross_entropy(jnp.asarray(logits)[:6].reshape(2, 3, 5), jnp.asarray(labels)[:6].reshape(2, 3))
    flat = losses.cross_entropy(jnp.asarray(logits)[:6], jnp.asarray(labels)[:6])
    np.testing.assert_allclose(deep, flat, rtol=1e-6)


@pytest.mark.parametrize("label", [5, -1])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_a_label_out_of_range_is_nan(logits, label, smoothing):
    got = losses.cross_entropy(jnp.asarray(logits)[:1], jnp.array([label]), label_smoothing=smoothing)
    assert np.isnan(got)


@pytest.mark.parametrize(
    ("logits_shape", "labels", "message"),
    [
        ((3, 5), np.zeros(3, np.float32), "labels must be integers"),
        ((3, 5), np.zeros((3, 5), np.int32), r"labels of shape \(3,\)"),
        ((3, 5), np.zeros(4, np.int32), r"labels of shape \(3,\)"),
        ((), np.zeros((), np.int32), "logits of shape"),
    ],
)
@pytest.mark.parametrize("function", [losses.cross_entropy, metrics.accuracy])
def test_wrong_labels_are_named(function, logits_shape, labels, message):
    with pytest.raises((TypeError, ValueError), match=message):
        function(jnp.zeros(logits_shape), jnp.asarray(labels))


def test_swapped_arguments_and_wrong_smoothing_are_named(logits, labels):
    with pytest.raises(TypeError, match="is the order"):
        losses.cross_entropy(jnp.asarray(labels), jnp.asarray(logits))
    with pytest.raises(ValueError, match="label_smoothing must be in"):
        losses.cross_entropy(jnp.asarray(logits), jnp.asarray(labels), label_smoothing=1.0)


def test_mse_is_its_formula_and_refuses_to_broadcast():
    a, b = np.arange(6.0, dtype=np.float32).reshape(2, 3), np.ones((2, 3), np.float32)
    np.testing.assert_allclose(losses.mse(jnp.asarray(a), jnp.asarray(b)), ((a - b) ** 2).mean(), rtol=1e-6)
    with pytest.raises(ValueError, match=r"reshape one of them"):
        losses.mse(jnp.ones((4, 1)), jnp.ones(4))


def test_accuracy_counts(logits, labels):
    got = metrics.accuracy(jnp.asarray(logits), jnp.asarray(labels))
    assert got.dtype == jnp.float32
    np.testing.assert_allclose(got, (logits.argmax(-1) == labels).mean(), rtol=1e-6)


def test_confusion_matrix_is_scikit_learns():
    true, read = np.random.default_rng(0).integers(0, 4, (2, 50)).astype(np.int32)
    got = jax.jit(metrics.confusion_matrix, static_argnums=2)(true, read, 4)
    np.testing.assert_array_equal(got, sklearn_confusion(true, read, labels=range(4)))


def test_confusion_matrix_leaves_out_what_is_no_class():
    got = metrics.confusion_matrix(jnp.array([0, -1, 3, 1]), jnp.array([0, 1, 1, -2]), 2)
    assert got.tolist() == [[1, 0], [0, 0]]


@pytest.mark.parametrize(
    ("true", "read", "classes", "message"),
    [
        (np.zeros(2), np.zeros(2, int), 2, "labels must be integers"),
        (np.zeros(2, int), np.zeros((2, 3)), 2, "predicted must be integers"),
        (np.zeros(2, int), np.zeros(3, int), 2, "labels have shape"),
        (np.zeros(2, int), np.zeros(2, int), 0, "num_classes must be"),
    ],
)
def test_confusion_matrix_names_wrong_input(true, read, classes, message):
    cast = [jnp.asarray(a.astype(np.int32 if a.dtype == int else np.float32)) for a in (true, read)]
    with pytest.raises((TypeError, ValueError), match=message):
        metrics.confusion_matrix(*cast, classes)

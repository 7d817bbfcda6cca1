"""Each metric is scikit-learn's, or its formula's where scikit-learn has none."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import sklearn.metrics as sk

from jaxnets import metrics

RNG = np.random.default_rng(0)
K = 4


@pytest.fixture(scope="module")
def said():
    logits = RNG.normal(size=(200, K)).astype(np.float32)
    return logits, RNG.integers(0, K, 200).astype(np.int32)


@pytest.mark.parametrize("k", [1, 2, 4])
def test_top_k_accuracy(said, k):
    logits, labels = said
    got = metrics.top_k_accuracy(jnp.asarray(logits), jnp.asarray(labels), k)
    np.testing.assert_allclose(got, sk.top_k_accuracy_score(labels, logits, k=k) if k < K else 1.0, rtol=1e-6)


@pytest.mark.parametrize("average", ["macro", "micro", None])
def test_precision_recall_f1(average):
    labels, read = RNG.integers(0, K - 1, (2, 100)).astype(np.int32)  # the last class is absent
    matrix = metrics.confusion_matrix(jnp.asarray(labels), jnp.asarray(read), K)
    got = metrics.precision_recall_f1(matrix, average)
    want = sk.precision_recall_fscore_support(labels, read, labels=range(K), average=average, zero_division=0)
    for ours, theirs in zip(got, want[:3], strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-6)


def test_iou_is_the_jaccard_score_and_leaves_out_absent_classes():
    labels, read = RNG.integers(0, K - 1, (2, 100)).astype(np.int32)
    matrix = metrics.confusion_matrix(jnp.asarray(labels), jnp.asarray(read), K)
    want = sk.jaccard_score(labels, read, labels=range(K - 1), average=None)
    np.testing.assert_allclose(metrics.iou(matrix), [*want, np.nan], rtol=1e-6)
    np.testing.assert_allclose(metrics.mean_iou(matrix), want.mean(), rtol=1e-6)


def test_log_loss_and_perplexity(said):
    logits, labels = said
    want = sk.log_loss(labels, jax.nn.softmax(logits), labels=range(K))
    np.testing.assert_allclose(metrics.log_loss(jnp.asarray(logits), jnp.asarray(labels)), want, rtol=1e-5)
    np.testing.assert_allclose(metrics.perplexity(jnp.asarray(logits), jnp.asarray(labels)), np.exp(want), rtol=1e-5)


def test_log_loss_of_two_classes(said):
    logit, label = said[0][:, 0], said[1] % 2
    want = sk.log_loss(label, jax.nn.sigmoid(logit))
    np.testing.assert_allclose(metrics.log_loss(jnp.asarray(logit), jnp.asarray(label)), want, rtol=1e-5)
    assert np.isnan(metrics.log_loss(jnp.zeros(2), jnp.array([0, 2])))
    assert np.isnan(metrics.log_loss(jnp.zeros((1, 3)), jnp.array([-1])))


@pytest.mark.parametrize("levels", [None, 7, 1])
def test_roc_auc_with_and_without_ties(levels):
    labels = RNG.integers(0, 2, 300).astype(np.int32)
    scores = (RNG.normal(size=300) + labels).astype(np.float32)
    if levels:
        scores = (scores > 0) * RNG.integers(0, levels, 300).astype(np.float32)
    weights = RNG.integers(0, 3, 300).astype(np.float32)
    auc = jax.jit(metrics.roc_auc)
    np.testing.assert_allclose(auc(scores, labels), sk.roc_auc_score(labels, scores), rtol=1e-6)
    want = sk.roc_auc_score(labels, scores, sample_weight=weights)
    np.testing.assert_allclose(auc(scores, labels, weights), want, rtol=1e-6)


def test_roc_auc_takes_bool_and_half_precision_and_is_nan_where_undefined():
    scores = jnp.array([0.1, 0.4, 0.3, 0.8], jnp.bfloat16)
    assert float(metrics.roc_auc(scores, jnp.array([False, False, True, True]))) == 0.75
    assert np.isnan(metrics.roc_auc(scores, jnp.ones(4, jnp.int32)))
    assert np.isnan(metrics.roc_auc(scores.at[0].set(jnp.nan), jnp.array([0, 0, 1, 1])))


@pytest.mark.parametrize("bins", [1, 15])
def test_calibration_error_is_its_formula(said, bins):
    logits, labels = said
    p = np.asarray(jax.nn.softmax(3 * logits))
    confidence, right = p.max(1), p.argmax(1) == labels
    want = 0.0
    for i in range(bins):
        inside = (confidence > i / bins) & (confidence <= (i + 1) / bins)
        if inside.any():
            want += inside.mean() * abs(right[inside].mean() - confidence[inside].mean())
    got = metrics.calibration_error(jnp.asarray(3 * logits), jnp.asarray(labels), bins)
    np.testing.assert_allclose(got, want, rtol=1e-4)


WRONG = {
    "k of zero": (lambda: metrics.top_k_accuracy(jnp.zeros((2, 3)), jnp.zeros(2, int), 0), "k is 0.*3 classes"),
    "k too large": (lambda: metrics.top_k_accuracy(jnp.zeros((2, 3)), jnp.zeros(2, int), 4), "k is 4"),
    "no matrix": (lambda: metrics.precision_recall_f1(jnp.zeros(3)), r"\(K, K\), not \(3,\)"),
    "average": (lambda: metrics.precision_recall_f1(jnp.zeros((2, 2)), "weighted"), "'weighted'.*macro"),
    "not square": (lambda: metrics.mean_iou(jnp.zeros((2, 3))), r"iou: a confusion matrix"),
    "no bins": (lambda: metrics.calibration_error(jnp.zeros((2, 3)), jnp.zeros(2, int), 0), "bins is 0"),
    "scores": (lambda: metrics.roc_auc(jnp.zeros(2, int), jnp.zeros(2, int)), r"order \(scores, labels\)"),
    "labels": (lambda: metrics.roc_auc(jnp.zeros(2), jnp.zeros(2)), "labels must be 0 and 1.*float32"),
    "shapes": (lambda: metrics.roc_auc(jnp.zeros(2), jnp.zeros((2, 1), int)), r"one shape.*\(2, 1\)"),
    "logits of no class": (lambda: metrics.log_loss(jnp.zeros((2, 3)), jnp.zeros(3, int)), r"labels of shape \(2,\)"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_input_is_named(name):
    call, message = WRONG[name]
    with pytest.raises((TypeError, ValueError), match=message):
        call()

"""Over batches, and over devices, a metric says what it says of everything at once."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnets import metrics
from jaxnets.metrics import running

RNG = np.random.default_rng(1)
LOGITS = jnp.asarray(RNG.normal(size=(24, 4)).astype(np.float32))
LABELS, READ = (jnp.asarray(each) for each in RNG.integers(0, 4, (2, 24)).astype(np.int32))
SCORES = jnp.asarray((RNG.integers(0, 50, 24) / 50 + 0.01).astype(np.float32))  # each value alone in its bin

# name: (the running metric, the metric of everything at once, its arguments, whether it takes weights)
METRICS = {
    "mean": (running.mean(), jnp.mean, (SCORES,), True),
    "accuracy": (running.accuracy(), metrics.accuracy, (LOGITS, LABELS), True),
    "top_k_accuracy": (
        running.top_k_accuracy(2),
        lambda *pair: metrics.top_k_accuracy(*pair, 2),
        (LOGITS, LABELS),
        True,
    ),
    "log_loss": (running.log_loss(), metrics.log_loss, (LOGITS, LABELS), True),
    "log_loss of two": (running.log_loss(), metrics.log_loss, (LOGITS[:, 0], LABELS % 2), True),
    "perplexity": (running.perplexity(), metrics.perplexity, (LOGITS, LABELS), True),
    "calibration_error": (running.calibration_error(), metrics.calibration_error, (LOGITS, LABELS), True),
    "roc_auc": (running.roc_auc(100), metrics.roc_auc, (SCORES, LABELS % 2), True),
    "confusion_matrix": (
        running.confusion_matrix(4),
        lambda *pair: metrics.confusion_matrix(*pair, 4),
        (LABELS, READ),
        False,
    ),
    "precision_recall_f1": (
        running.precision_recall_f1(4),
        lambda *pair: metrics.precision_recall_f1(metrics.confusion_matrix(*pair, 4)),
        (LABELS, READ),
        False,
    ),
    "mean_iou": (
        running.mean_iou(4),
        lambda *pair: metrics.mean_iou(metrics.confusion_matrix(*pair, 4)),
        (LABELS, READ),
        False,
    ),
}


def close(got, want):
    for a, b in zip(jax.tree.leaves(got), jax.tree.leaves(want), strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-5)


@pytest.mark.parametrize("name", METRICS)
def test_batches_devices_and_merged_states_agree_with_all_at_once(name):
    metric, whole, arrays, _ = METRICS[name]
    want, update = whole(*arrays), jax.jit(metric.update)
    state = metric.init()
    halves = []
    for start in (0, 12):
        part = [a[start : start + 12] for a in arrays]
        state = update(state, *part)
        halves.append(update(metric.init(), *part))
    assert jax.tree.map(jnp.shape, state) == jax.tree.map(jnp.shape, metric.init())
    close(metric.compute(state), want)
    close(metric.compute(running.merge(*halves)), want)

    def device(*part):
        return jax.lax.psum(metric.update(metric.init(), *part), "devices")

    split = [a.reshape(2, 12, *a.shape[1:]) for a in arrays]
    summed = jax.tree.map(lambda leaf: leaf[0], jax.vmap(device, axis_name="devices")(*split))
    close(metric.compute(summed), want)


@pytest.mark.parametrize("name", [name for name, row in METRICS.items() if row[3]])
def test_a_weight_of_zero_leaves_out_padding(name):
    metric, whole, arrays, _ = METRICS[name]
    weights = jnp.arange(24) < 17
    padded = [a.at[17:].set(jnp.nan if a is LOGITS and name != "calibration_error" else 0) for a in arrays]
    state = metric.update(metric.init(), *padded, weights=weights.astype(jnp.float32))
    close(metric.compute(state), whole(*(a[:17] for a in arrays)))
    with pytest.raises(ValueError, match=r"\(3,\)"):
        metric.update(metric.init(), *arrays, weights=jnp.ones(3))


def test_a_label_outside_the_classes_leaves_out_a_pixel():
    metric = running.mean_iou(4)
    state = metric.update(metric.init(), jnp.append(LABELS, -1), jnp.append(READ, 2))
    close(metric.compute(state), metric.compute(metric.update(metric.init(), LABELS, READ)))


def test_counts_do_not_stop_at_two_to_the_24():
    step = jax.jit(lambda total, value: total.plus(value))
    total = step(running.zero(), jnp.int32(2**24))
    for _ in range(5):
        total = step(total, jnp.int32(1))
    assert int(total.high) + int(total.low) == 2**24 + 5
    large = step(running.zero(), jnp.int32(2**31 - 1))
    assert int(large.high) + int(large.low) == 2**31 - 1
    small = jax.lax.fori_loop(0, 10_000, lambda _, t: t.plus(jnp.float32(0.1)), running.zero())
    np.testing.assert_allclose(small.value(), 1000, rtol=1e-7)


def test_binned_auc_is_near_the_exact_one_and_shows_nan():
    labels = jnp.asarray(RNG.integers(0, 2, 2000).astype(np.int32))
    scores = jnp.asarray(RNG.random(2000).astype(np.float32)) * 0.8 + 0.2 * labels.astype(jnp.float32)
    metric = running.roc_auc(200)
    got = metric.compute(metric.update(metric.init(), scores, labels))
    np.testing.assert_allclose(got, metrics.roc_auc(scores, labels), atol=2e-3)
    assert np.isnan(metric.compute(metric.update(metric.init(), scores.at[0].set(jnp.nan), labels)))


def test_nothing_to_merge_and_too_few_bins_are_named():
    with pytest.raises(ValueError, match="no states"):
        running.merge()
    with pytest.raises(ValueError, match="bins is 1"):
        running.roc_auc(1)

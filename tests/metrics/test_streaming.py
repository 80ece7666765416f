"""Metrics that are summed up batch by batch are those of all that was seen."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_bert.metrics import LabelAccuracy, Perplexity


def test_perplexity_is_the_exponential_of_the_weighted_mean_over_all_batches():
    generator = np.random.default_rng(3)
    labels = generator.integers(0, 7, [5, 3])
    logits = generator.normal(size=[5, 3, 7]).astype("float32")
    weights = generator.uniform(size=[5, 3]).astype("float32")
    metric = Perplexity()
    for part in (slice(0, 2), slice(2, 5)):
        metric.update_state(labels[part], logits[part], weights[part])
    log_probabilities = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    losses = -np.take_along_axis(log_probabilities, labels[..., None], -1)[..., 0]
    expected = np.exp((weights * losses).sum() / weights.sum())
    np.testing.assert_allclose(metric.result(), expected, rtol=1e-5)


def test_perplexity_comes_back_from_its_config():
    assert Perplexity.from_config(Perplexity(name="p").get_config()).name == "p"


def test_accuracy_is_the_share_of_labels_with_the_best_score():
    generator = np.random.default_rng(1)
    labels, scores = generator.integers(0, 5, [4, 6]), generator.normal(size=[4, 6, 5])
    scores[0, 0] = -1.0, -2.0, -0.0, -3.0, -4.0
    labels[0, 0] = 2
    weights = generator.integers(0, 3, [4, 6])
    ours, stock = LabelAccuracy(), keras.metrics.SparseCategoricalAccuracy()
    for metric in (ours, stock):
        metric.update_state(labels, scores, weights)
    np.testing.assert_allclose(ours.result(), stock.result(), rtol=1e-6)


@pytest.mark.parametrize("weighted", [True, False])
def test_every_place_counts_alike_in_batches_of_rows_of_all_lengths(weighted):
    random = np.random.default_rng(4)
    batches = [
        (random.integers(0, 5, size), random.normal(size=(*size, 5)), random.random(size))
        for size in ((3, 2), (1, 7))
    ]
    accuracy, of_one_hot, perplexity = LabelAccuracy(), LabelAccuracy(), Perplexity()
    for labels, scores, weights in batches:
        weights = weights if weighted else None
        accuracy.update_state(labels, scores, weights)
        of_one_hot.update_state(np.eye(5)[labels], scores, weights)
        perplexity.update_state(labels, scores, weights)
    labels, weights = (np.concatenate([b[i].ravel() for b in batches]) for i in (0, 2))
    scores = np.concatenate([b[1].reshape(-1, 5) for b in batches])
    weights = weights if weighted else None
    wanted = np.average(scores.argmax(-1) == labels, weights=weights)
    assert float(accuracy.result()) == float(of_one_hot.result()) == pytest.approx(wanted)
    losses = np.log(np.exp(scores).sum(-1)) - scores[np.arange(len(labels)), labels]
    wanted = np.exp(np.average(losses, weights=weights))
    assert float(perplexity.result()) == pytest.approx(wanted)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_of_equal_scores_the_first_one_counts(dtype):
    # Rounded so that the best score is often shared.
    scores = tf.cast(np.random.default_rng(1).integers(-3, 3, [400, 7]) / 4, dtype)
    labels = np.random.default_rng(2).integers(0, 7, 400)
    accuracy = LabelAccuracy()
    accuracy.update_state(labels, scores)
    expected = (np.argmax(np.asarray(scores, "float32"), axis=-1) == labels).mean()
    assert float(accuracy.result()) == pytest.approx(expected)
    accuracy.reset_state()
    accuracy.update_state(labels, tf.zeros_like(scores))
    assert float(accuracy.result()) == pytest.approx((labels == 0).mean())

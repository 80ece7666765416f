"""Losses and a metric over pairs of vectors, beside plain NumPy and sentence-transformers."""

import keras
import numpy as np
import pytest

from keras_bert.tasks.contrastive import (
    CosineError,
    InBatchAccuracy,
    InBatchNegatives,
    Matryoshka,
)

RNG = np.random.default_rng(1)


def unit(vectors):
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def in_batch_losses(embeddings, scale):
    text, *others = unit(embeddings.astype("float64")).transpose(1, 0, 2)
    logits = scale * text @ np.concatenate(others).T
    right = np.diag(logits)
    return np.log(np.exp(logits).sum(axis=1)) - right, right == logits.max(axis=1)


@pytest.mark.parametrize("num_rows", [2, 3])
def test_in_batch_negatives_are_all_other_texts(num_rows):
    embeddings = RNG.normal(size=[5, num_rows, 7]).astype("float32")
    embeddings[:3, 1] += 2 * embeddings[:3, 0]
    losses, hits = in_batch_losses(embeddings, 20.0)
    got = InBatchNegatives().call(np.zeros(5), embeddings)
    np.testing.assert_allclose(got, losses, rtol=1e-5, atol=1e-6)
    accuracy, weights = InBatchAccuracy(), np.array([1.0, 2.0, 0.0, 4.0, 5.0], "float32")
    accuracy.update_state(np.zeros(5), embeddings, weights)
    assert float(accuracy.result()) == pytest.approx((weights * hits).sum() / weights.sum())
    assert 0 < hits.sum() < 5


def test_rows_without_weight_are_not_there():
    embeddings = RNG.normal(size=[5, 3, 7]).astype("float32")
    weights = np.array([1.0, 0.0, 2.0, 1.0, 0.0], "float32")
    there = embeddings[weights > 0]
    losses, hits = in_batch_losses(there, 20.0)
    got = np.asarray(InBatchNegatives().call(np.zeros(5), embeddings, weights))
    np.testing.assert_allclose(got[weights > 0], losses, rtol=1e-5, atol=1e-6)
    assert np.isfinite(got).all()
    accuracy = InBatchAccuracy()
    accuracy.update_state(np.zeros(5), embeddings, weights)
    assert float(accuracy.result()) == pytest.approx(np.average(hits, weights=[1, 2, 1]))


def test_cosine_errors_are_squared_differences():
    pairs = RNG.normal(size=[5, 2, 7]).astype("float32")
    first, second = unit(pairs.astype("float64")).transpose(1, 0, 2)
    labels = RNG.uniform(size=5).astype("float32")
    expected = ((first * second).sum(axis=1) - labels) ** 2
    np.testing.assert_allclose(CosineError().call(labels, pairs), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.reference("torch", "sentence_transformers")
@pytest.mark.parametrize("num_rows", [2, 3])
def test_losses_are_those_of_sentence_transformers(num_rows):
    import torch
    from sentence_transformers import losses

    embeddings = RNG.normal(size=[5, num_rows, 7]).astype("float32")
    theirs = losses.MultipleNegativesRankingLoss(None).compute_loss_from_embeddings(
        [torch.tensor(rows) for rows in embeddings.transpose(1, 0, 2)], None
    )
    ours = InBatchNegatives().call(np.zeros(5), embeddings)
    assert np.mean(ours) == pytest.approx(float(theirs), rel=1e-5)
    labels = RNG.uniform(size=5).astype("float32")
    theirs = losses.CosineSimilarityLoss(None).compute_loss_from_embeddings(
        [torch.tensor(rows) for rows in embeddings[:, :2].transpose(1, 0, 2)], torch.tensor(labels)
    )
    ours = CosineError().call(labels, embeddings[:, :2])
    assert np.mean(ours) == pytest.approx(float(theirs), rel=1e-5)


@pytest.mark.parametrize("one", [InBatchNegatives(7.0), CosineError(), InBatchAccuracy()])
def test_losses_and_metrics_can_be_saved(one):
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(one))
    assert again.get_config() == one.get_config()


@pytest.mark.parametrize("scale", [0, -1.0, float("nan")])
def test_scales_are_above_zero(scale):
    with pytest.raises(ValueError, match="scale must be above 0"):
        InBatchNegatives(scale)


def test_matryoshka_adds_up_the_losses_of_cuts():
    vectors = np.random.default_rng(2).normal(size=(4, 2, 6)).astype("float32")
    labels = np.array([0.1, 0.5, 0.9, 1.0], "float32")
    for loss in (CosineError(), InBatchNegatives(3.0)):
        both = Matryoshka(loss, (4, 1))
        wanted = sum(np.asarray(loss.call(labels, vectors[..., :size])) for size in (6, 4, 1))
        np.testing.assert_allclose(both.call(labels, vectors), wanted, rtol=1e-5)
        assert getattr(loss, "SPANS_BATCH", False) == both.SPANS_BATCH
        again = Matryoshka.from_config(both.get_config())
        np.testing.assert_allclose(again.call(labels, vectors), wanted, rtol=1e-5)

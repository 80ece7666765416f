import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_bert as kb
from keras_bert.tasks import ensembles

TEXTS = ["the quick fox", "a film"]


def classifier(tokenizer, config, seed, labels=("no", "yes")):
    keras.utils.set_random_seed(seed)
    config = dataclasses.replace(config, initializer_range=0.3)
    return kb.TextClassifier(kb.BertEncoder(config), kb.Packer(tokenizer, 9), labels)


def logits(task):
    features = task.features({"sentence": tf.constant(TEXTS)})
    return np.asarray(task(task.model_inputs(features))["logits"])


def test_an_ensemble_says_what_the_mean_of_logits_says(tokenizer, config):
    wide = dataclasses.replace(config, hidden_dim=24, num_layers=1)
    members = [classifier(tokenizer, config, 1), classifier(tokenizer, wide, 2)]
    mean = (logits(members[0]) + logits(members[1])) / 2
    answers = ensembles.ensemble(members)(TEXTS)
    expected = np.exp(mean) / np.exp(mean).sum(axis=1, keepdims=True)
    np.testing.assert_allclose([a["probabilities"] for a in answers], expected, atol=1e-5)


def test_an_average_has_the_mean_of_weights(tokenizer, config):
    members = [classifier(tokenizer, config, seed) for seed in (1, 2, 3)]
    kernels = [np.array(task.get_layer("classifier").kernel) for task in members]
    averaged = ensembles.average(members)
    kernel = averaged.get_layer("classifier").kernel
    np.testing.assert_allclose(kernel, np.mean(kernels, axis=0), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("combine", [ensembles.ensemble, ensembles.average])
def test_members_must_be_alike(tokenizer, config, combine):
    members = [classifier(tokenizer, config, 1), classifier(tokenizer, config, 1, ("a", "b"))]
    with pytest.raises(ValueError, match="must be of one kind"):
        combine(members)

"""Rates by depth, and layers that keep their weights."""

import numpy as np
import pytest

import keras_bert as kb
from keras_bert.finetuning.layers import freeze, layer_rates


@pytest.fixture(scope="module")
def task(tokenizer, config):
    return kb.TextClassifier(kb.BertEncoder(config), kb.Packer(tokenizer, 9), ("no", "yes"))


def test_every_weight_has_its_layers_rate(task):
    rates = layer_rates(task.encoder, 0.5)
    optimizer = kb.AdamW(1e-3, rate_factors=rates)
    factors = {weight.path: optimizer.rate_factor(weight) for weight in task.trainable_weights}
    assert factors["embeddings/token/embeddings"] == 0.125
    assert factors["layer_0/attention/query/kernel"] == 0.25
    assert factors["layer_1/attention/query/kernel"] == 0.5
    assert factors["pooler/dense/kernel"] == factors["classifier/bias"] == 1.0
    assert layer_rates(task.encoder, 1.0) == {}
    with pytest.raises(ValueError, match=r"lie in \(0, 1\], not 0"):
        layer_rates(task.encoder, 0.0)


def test_frozen_layers_keep_their_weights(task):
    freeze(task.encoder, 1)
    task.compile(kb.AdamW(1e-2), run_eagerly=True, **task.objective())
    before = {weight.path: np.array(weight) for weight in task.weights}
    task.fit(task.dataset([{"sentence": "the fox", "label": "no"}] * 4, 4), verbose=0)
    changed = {w.path.split("/")[0] for w in task.weights if (np.array(w) != before[w.path]).any()}
    assert {"layer_1", "pooler", "classifier"} <= changed
    kept = {w.path for w in task.weights if (np.array(w) == before[w.path]).all()}
    frozen = {path for path in before if path.startswith(("embeddings/", "layer_0/"))}
    assert {path for path in frozen if "seed" not in path} <= kept
    with pytest.raises(ValueError, match="between 0 and 2, not 3"):
        freeze(task.encoder, 3)

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_bert as kb
from keras_bert.training import run

B, T, P = 4, 7, 3


def batch(sentence_objective):
    generator = np.random.default_rng(5)
    ids = generator.integers(5, 97, [B, T]).astype("int32")
    x = {
        "token_ids": ids,
        "segment_ids": (np.arange(T) > 3).astype("int32") * np.ones_like(ids),
        "padding_mask": np.ones_like(ids),
        "mask_positions": np.array([[1, 2, 6], [3, 0, 0], [1, 4, 5], [2, 3, 0]], "int32"),
    }
    y = {"masked_lm": generator.integers(5, 97, [B, P]).astype("int32")}
    weights = {"masked_lm": (x["mask_positions"] > 0).astype("float32")}
    if sentence_objective:
        y[sentence_objective] = np.array([0, 1, 1, 0], "int32")
        weights[sentence_objective] = np.ones(B, "float32")
    return x, y, weights


@pytest.mark.parametrize("sentence_objective", ["next_sentence", "sentence_order", None])
def test_pretrainer_learns_a_batch_by_heart(sentence_objective, config):
    keras.utils.set_random_seed(2)
    config = dataclasses.replace(config, dropout=0.0, attention_dropout=0.0)
    model = kb.BertPretrainer(kb.BertEncoder(config), sentence_objective)
    model.compile(kb.AdamW(5e-3), **model.objective())
    x, y, weights = batch(sentence_objective)
    for _ in range(60):
        model.train_on_batch(x, y, weights)
    logs = model.evaluate(x, y, sample_weight=weights, verbose=0, return_dict=True)
    if sentence_objective is None:
        # The only output: its metrics need no name before them.
        logs = {f"masked_lm_{name.removeprefix('masked_lm_')}": v for name, v in logs.items()}
    else:
        assert logs[f"{sentence_objective}_accuracy"] == 1.0
    assert logs["masked_lm_accuracy"] == 1.0
    assert logs["masked_lm_perplexity"] < 1.2


def test_joint_loss_weighs_the_sentence_objective(config):
    model = kb.BertPretrainer(kb.BertEncoder(config))
    model.compile(kb.AdamW(1e-4), **model.objective(sentence_weight=0.25))
    x, y, weights = batch("next_sentence")
    logs = model.evaluate(x, y, sample_weight=weights, verbose=0, return_dict=True)
    expected = logs["masked_lm_loss"] + 0.25 * logs["next_sentence_loss"]
    np.testing.assert_allclose(logs["loss"], expected, rtol=1e-5)
    np.testing.assert_allclose(
        logs["masked_lm_perplexity"], np.exp(logs["masked_lm_loss"]), rtol=1e-4
    )


def test_masked_lm_loss_is_the_mean_over_predictions_not_rows(config):
    model = kb.BertPretrainer(kb.BertEncoder(config), None)
    x, y, weights = batch(None)
    model.compile(kb.AdamW(1e-4), **model.objective())
    logits = np.asarray(model(x)["masked_lm"], "float64")
    log_probabilities = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    losses = -np.take_along_axis(log_probabilities, y["masked_lm"][..., None], -1)[..., 0]
    expected = (losses * weights["masked_lm"]).sum() / weights["masked_lm"].sum()
    logs = model.evaluate(x, y, sample_weight=weights, verbose=0, batch_size=3, return_dict=True)
    np.testing.assert_allclose(logs["loss"], expected, rtol=1e-5)


def test_pooler_rests_where_nothing_trains_it(config):
    model = kb.BertPretrainer(kb.BertEncoder(config), None)
    assert "pooler/dense/kernel" not in {weight.path for weight in model.trainable_weights}
    model = kb.BertPretrainer(kb.BertEncoder(config))
    assert "pooler/dense/kernel" in {weight.path for weight in model.trainable_weights}


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda e: kb.BertPretrainer(e, "nsp"), "sentence_objective must be one of"),
        (lambda e: kb.BertPretrainer(e).objective(-1.0), "sentence_weight must be at least 0"),
    ],
)
def test_bad_arguments(make, message, config):
    with pytest.raises(ValueError, match=message):
        make(kb.BertEncoder(config))


def test_flops_are_those_of_the_products():
    """Against a count of every product of a forward pass of mini, matrix by matrix."""
    config = kb.BertConfig.preset("mini")
    rows, hidden, heads, length, predictions = 1, 256, 4, 128, 20
    products = [(length, hidden, hidden)] * 4
    products += [(length, hidden, 1024), (length, 1024, hidden)]
    products += [(length, hidden // heads, length), (length, length, hidden // heads)] * heads
    products = products * 4
    products += [(predictions, hidden, hidden), (predictions, hidden, config.vocabulary_size)]
    expected = 3 * rows * sum(2 * m * k * n for m, k, n in products)
    assert kb.num_training_flops(config, length, predictions) == expected


def test_a_run_that_broke_off_goes_on_bit_for_bit(tmp_path, tokenizer, config):
    """The whole chain with dropout on: text, rows, masks, weights, slots and random states."""
    text = "\n\n".join(f"the {a} fox. the {b} dog." for a in "abcdefg" for b in "klmno")
    (tmp_path / "text.txt").write_text(text)
    corpus = kb.TextCorpus(str(tmp_path / "text.txt"), "blank_lines")
    rows = kb.PretrainingRows(kb.Packer(tokenizer, 17), "next_sentence")
    masker = kb.Masker(tokenizer, max_predictions=3)

    def weights_after_a_run(folder, breaks_at=100):
        run.prepare(seed=5)
        model = kb.BertPretrainer(kb.BertEncoder(config))
        model.compile(kb.AdamW(kb.Schedule(1e-2, 7, 1)), **model.objective())

        def breaking(step, batch):
            whole = tf.debugging.assert_less(step, tf.constant(breaks_at, tf.int64), "power cut")
            with tf.control_dependencies([whole]):
                return tf.nest.map_structure(tf.identity, batch)

        def dataset(first_step):
            batches = kb.pretraining_dataset(corpus, rows, masker, 4, seed=5, first_step=first_step)
            return batches.enumerate(first_step).map(breaking)

        run.train(model, dataset, folder, num_steps=7, steps_per_epoch=3, verbose=0)
        return [variable.numpy() for variable in (*model.variables, *model.optimizer.variables)]

    expected = weights_after_a_run(tmp_path / "whole")
    with pytest.raises(tf.errors.InvalidArgumentError, match="power cut"):
        weights_after_a_run(tmp_path / "broken", breaks_at=5)
    for value, same in zip(weights_after_a_run(tmp_path / "broken"), expected, strict=True):
        np.testing.assert_array_equal(value, same)

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_bert as kb
from keras_bert.layers.heads import product_with_rows
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


def tensors(sentence_objective):
    return tf.nest.map_structure(tf.constant, batch(sentence_objective))


def test_what_a_family_has_no_use_for_is_passed_over(encoder_of, recwarn, eagerly):
    """Rows have segments, a DistilBERT has none."""
    model = kb.BertPretrainer(encoder_of("DistilBert", num_layers=1), None)
    model.compile(kb.AdamW(1e-3), **model.objective())
    with eagerly():
        model.fit(tf.data.Dataset.from_tensors(tensors(None)), verbose=0)
    assert not [one for one in recwarn if "inputs" in str(one.message)]


@pytest.mark.parametrize("sentence_objective", ["next_sentence", "sentence_order", None])
def test_pretrainer_learns_a_batch_by_heart(sentence_objective, config):
    keras.utils.set_random_seed(2)
    config = dataclasses.replace(config, num_layers=1, dropout=0.0, attention_dropout=0.0)
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


def test_joined_rows_have_the_losses_and_gradients_of_rows_alone(tokenizer, config):
    """Five short rows, and the same as three longer ones: a row of two and one of three."""
    config = dataclasses.replace(config, dropout=0.0, attention_dropout=0.0)
    x, y, weights, long_x, long_y, long_weights = rows_alone_and_joined(tokenizer)
    results = []
    for num_sequences, batch in [(1, (x, y, weights)), (3, (long_x, long_y, long_weights))]:
        keras.utils.set_random_seed(3)
        model = kb.BertPretrainer(kb.BertEncoder(config), num_sequences=num_sequences)
        model.compile(keras.optimizers.SGD(1.0), run_eagerly=True, **model.objective())
        logs = model.evaluate(
            batch[0], batch[1], sample_weight=batch[2], verbose=0, return_dict=True
        )
        model.train_on_batch(*batch)
        results.append((logs, {weight.path: weight.numpy() for weight in model.trainable_weights}))
    (logs, trained), (long_logs, long_trained) = results
    for name, value in logs.items():
        np.testing.assert_allclose(long_logs[name], value, rtol=1e-5, atol=1e-6)
    assert trained.keys() == long_trained.keys()
    for path, value in trained.items():
        np.testing.assert_allclose(long_trained[path], value, atol=1e-5)


def rows_alone_and_joined(tokenizer):
    packer = kb.Packer(tokenizer, 17)
    firsts = ["a fox", "the lazy dog", "fine film", "un", "the quick brown fox"]
    seconds = ["the dog", "a", "over the lazy dog", "want", "a dog"]
    rows = packer(firsts, seconds)
    long_rows, members = packer.join(rows, num_sequences=3)
    positions = np.array([[1, 2], [3, 1], [2, 4], [1, 0], [4, 1]], "int32")
    labels = np.random.default_rng(7).integers(5, 97, positions.shape).astype("int32")
    followed = np.array([0, 1, 1, 0, 1], "int32")
    x = {**rows, "mask_positions": tf.constant(positions)}
    y = {"masked_lm": labels, "next_sentence": followed}
    weights = {
        "masked_lm": (positions > 0).astype("float32"),
        "next_sentence": np.ones(5, "float32"),
    }
    members = members.numpy()
    exists, mask = members >= 0, long_rows["padding_mask"].numpy()
    assert exists.sum() == 5 and len(members) < 5
    starts = np.stack([np.argmax(mask == number, axis=1) for number in (1, 2, 3)], axis=1)
    long_positions = (positions[members] + starts[..., None]).reshape(len(members), 6)
    long_x = {**long_rows, "mask_positions": tf.constant(long_positions, tf.int32)}
    long_y = {
        "masked_lm": labels[members].reshape(len(members), 6),
        "next_sentence": followed[members],
    }
    long_weights = {
        "masked_lm": (weights["masked_lm"][members] * exists[..., None]).reshape(-1, 6),
        "next_sentence": exists.astype("float32"),
    }
    return x, y, weights, long_x, long_y, long_weights


def test_pooler_rests_where_nothing_trains_it(config):
    """Also where another pretrainer of the same encoder trains it."""
    encoder = kb.BertEncoder(config)
    trained = [kb.BertPretrainer(encoder, kind) for kind in ("next_sentence", None)]
    trained = [{weight.path for weight in model.trainable_weights} for model in trained]
    pooler = {"pooler/dense/kernel", "pooler/dense/bias"}
    assert trained[0] - trained[1] == {"next_sentence/kernel", "next_sentence/bias", *pooler}


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_logits_are_float32(policy, config):
    encoder = kb.BertEncoder(config, dtype=policy)
    model = kb.BertPretrainer(encoder, dtype=policy)
    x, _, _ = batch("next_sentence")
    outputs = model(x)
    assert {value.dtype for value in outputs.values()} == {tf.float32}
    # They are not rounded ones: of 101 x 12 there would be many equal ones.
    logits = np.asarray(outputs["masked_lm"])
    assert (np.asarray(tf.cast(logits, tf.bfloat16), "float32") != logits).mean() > 0.9
    exact = kb.BertPretrainer(kb.BertEncoder(config, dtype="float32"), dtype="float32")
    exact.set_weights(model.get_weights())
    np.testing.assert_allclose(logits, exact(x)["masked_lm"], atol=0.02)


def test_gradients_of_a_head_in_bfloat16_are_near_the_exact_ones():
    """And float32, as the variables are, although computed from rounded numbers."""
    generator = np.random.default_rng(3)
    states, table = generator.normal(size=[5, 7]), tf.constant(generator.normal(size=[11, 7]))
    table = tf.cast(table, tf.float32)
    found = []
    for dtype in (tf.float32, tf.bfloat16):
        x = tf.cast(states, dtype)
        with tf.GradientTape() as tape:
            tape.watch([x, table])
            logits = product_with_rows(x, table)
            loss = tf.reduce_sum(tf.sin(logits))
        gradients = tape.gradient(loss, [x, table])
        assert [logits.dtype, gradients[0].dtype, gradients[1].dtype] == [
            tf.float32,
            dtype,
            tf.float32,
        ]
        found.append([np.asarray(gradient, "float32") for gradient in gradients])
    for exact, rounded in zip(*found, strict=True):
        np.testing.assert_allclose(rounded, exact, atol=0.05 * np.abs(exact).max())


def test_updates_in_float16_are_near_the_exact_ones(config, without_graphs):
    """Also where a whole row is padding: what masks it is no infinity, whose softmax is nan."""
    x, y, weights = batch("next_sentence")
    x["padding_mask"][1, 4:], x["padding_mask"][2] = 0, 0
    moved = []
    for policy in ("float32", "mixed_float16"):
        keras.utils.set_random_seed(2)
        exact = dataclasses.replace(config, dropout=0.0, attention_dropout=0.0)
        model = kb.BertPretrainer(kb.BertEncoder(exact, dtype=policy))
        model.compile(kb.AdamW(1e-2, epsilon=1.0), **model.objective())
        before = np.concatenate([v.numpy().ravel() for v in model.trainable_variables])
        model.train_on_batch(x, y, weights)
        after = np.concatenate([v.numpy().ravel() for v in model.trainable_variables])
        assert int(model.optimizer.skipped) == 0
        moved.append(after - before)
    assert np.linalg.norm(moved[0] - moved[1]) < 2e-3 * np.linalg.norm(moved[0])


def test_without_a_weight_every_log_is_finite(config):
    model = kb.BertPretrainer(kb.BertEncoder(config))
    model.compile(kb.AdamW(1e-2), run_eagerly=True, **model.objective())
    x, y, weights = batch("next_sentence")
    weights = {name: np.zeros_like(weight) for name, weight in weights.items()}
    before = model.get_weights()
    logs = model.train_on_batch(x, y, weights, return_dict=True)
    assert all(np.isfinite(value) for value in logs.values())
    assert logs["loss"] == logs["masked_lm_accuracy"] == 0.0
    for weight, value in zip(model.trainable_weights, model.get_weights(), strict=False):
        assert np.isfinite(value).all(), weight.path
    changed = [
        not np.allclose(a, b, rtol=1e-3) for a, b in zip(before, model.get_weights(), strict=True)
    ]
    assert not any(changed)  # but for the decay


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda e: kb.BertPretrainer(e, "nsp"), "sentence_objective must be one of"),
        (lambda e: kb.BertPretrainer(e, num_sequences=0), "num_sequences must be at least 1"),
        (lambda e: kb.BertPretrainer(e).objective(-1.0), "sentence_weight must be at least 0"),
    ],
)
def test_bad_arguments(make, message, config):
    with pytest.raises(ValueError, match=message):
        make(kb.BertEncoder(config))


def specs_of(data):
    return tf.nest.map_structure(tf.TensorSpec.from_tensor, data)


def pretrained(config, policy, optimizer, parts, recompute):
    """A model to learn from `batch`, with dropout."""
    keras.utils.set_random_seed(2)
    config = dataclasses.replace(config, num_layers=1)
    model = kb.BertPretrainer(kb.BertEncoder(config, dtype=policy), "next_sentence")
    model.encoder.recompute = recompute
    model.compile(optimizer(1e-3), **model.objective(), num_micro_batches=parts)
    return model


def test_the_step_has_nothing_that_a_tpu_has_not(config, on_a_tpu, as_on_a_tpu):
    model = pretrained(config, "mixed_bfloat16", kb.AdamW, 2, True)
    with on_a_tpu():
        as_on_a_tpu(model.train_step, specs_of(tensors("next_sentence")))


@pytest.mark.parametrize(
    ("step", "spec"),
    [
        (lambda x: 2.0 * x, tf.TensorSpec([None], tf.float32)),
        (lambda x: tf.boolean_mask(x, x > 0.0), tf.TensorSpec([2], tf.float32)),
        (lambda x: tf.cast(tf.cast(x, tf.float64) + 1.0, x.dtype), tf.TensorSpec([2], tf.float32)),
        (lambda x: tf.strings.length(x), tf.TensorSpec([2], tf.string)),
    ],
)
def test_what_a_tpu_has_not_is_found(step, spec, as_on_a_tpu):
    with pytest.raises(AssertionError):
        as_on_a_tpu(step, spec)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("policy", "optimizer", "parts", "recompute"),
    [
        ("float32", kb.AdamW, 1, False),
        ("float32", kb.Lamb, 2, True),
        ("float32", kb.Muon, 2, False),
        ("mixed_bfloat16", kb.AdamW, 2, True),
        ("mixed_bfloat16", kb.Lamb, 1, False),
    ],
)
def test_a_tpu_trains_the_same(policy, optimizer, parts, recompute, config, on_a_tpu, as_on_a_tpu):
    """By a step that XLA compiles as a whole, with dropout."""
    error = 1e-5 if policy == "float32" else 1e-2
    model, other = (pretrained(config, policy, optimizer, parts, recompute) for _ in range(2))
    data = tensors("next_sentence")
    with on_a_tpu():
        compiled = as_on_a_tpu(other.train_step, specs_of(data))
        for _ in range(2):
            wanted = model.train_on_batch(*data, return_dict=True)
            other.reset_metrics()
            logs = {name: float(value) for name, value in compiled(data).items()}
            assert logs == pytest.approx(wanted, rel=error)
    assert int(other.optimizer.iterations) == 2
    for weight, same in zip(other.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_allclose(weight, same, atol=error)


@pytest.mark.slow
def test_a_run_that_broke_off_goes_on_bit_for_bit(tmp_path, tokenizer, config, without_graphs):
    """The whole chain with dropout on: text, rows, masks, weights, slots and random states."""
    text = "\n\n".join(f"the {a} fox. the {b} dog." for a in "abcdefg" for b in "klmno")
    (tmp_path / "text.txt").write_text(text)
    corpus = kb.TextCorpus(str(tmp_path / "text.txt"), "blank_lines")
    rows = kb.PretrainingRows(kb.Packer(tokenizer, 17), "next_sentence")
    masker = kb.Masker(tokenizer, max_predictions=3)

    def weights_after_a_run(folder, breaks_at=100):
        run.prepare(seed=5)
        model = kb.BertPretrainer(kb.BertEncoder(config))
        model.compile(kb.AdamW(kb.Schedule(1e-2, 7, warmup_steps=1)), **model.objective())

        def breaking(step, batch):
            whole = tf.debugging.assert_less(step, tf.constant(breaks_at, tf.int64), "power cut")
            with tf.control_dependencies([whole]):
                return tf.nest.map_structure(tf.identity, batch)

        def dataset(first_step):
            batches = kb.pretraining_dataset(
                corpus, rows, masker, 4, kb.Order(seed=5), first_step=first_step
            )
            return batches.enumerate(first_step).map(breaking)

        epochs = run.Epochs(num_steps=7, steps_per_epoch=3)
        run.train(model, dataset, folder, epochs, verbose=0)
        return [variable.numpy() for variable in (*model.variables, *model.optimizer.variables)]

    expected = weights_after_a_run(tmp_path / "whole")
    with pytest.raises(tf.errors.InvalidArgumentError, match="power cut"):
        weights_after_a_run(tmp_path / "broken", breaks_at=5)
    for value, same in zip(weights_after_a_run(tmp_path / "broken"), expected, strict=True):
        np.testing.assert_array_equal(value, same)

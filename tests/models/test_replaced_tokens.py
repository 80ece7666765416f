"""ELECTRA's pretraining: transformers' losses, whose gradients go where, and that it learns."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_bert as kb
from keras_bert.models.electra import generator_config
from keras_bert.training.feeding import fed, own_cut

B, T, P, MASK = 6, 11, 3, 4


def batch(seed=5, rows=B):
    generator = np.random.default_rng(seed)
    ids = generator.integers(5, 97, [rows, T]).astype("int32")
    lengths = T - np.arange(rows) % 3 * 2
    mask = (np.arange(T) < lengths[:, None]).astype("int32")
    positions = np.array([[1, 4, 6], [3, 0, 0], [2, 5, 0]] * rows, "int32")[:rows]
    weights = (positions > 0).astype("float32")
    hidden = np.where(mask, ids, 0)
    np.put_along_axis(hidden, np.where(positions > 0, positions, 1), MASK, 1)
    x = {
        "token_ids": hidden,
        "segment_ids": (np.arange(T) > 5).astype("int32") * mask,
        "padding_mask": mask,
        "mask_positions": positions,
        "original_ids": np.where(mask, ids, 0),
        "draws": generator.uniform(size=[rows, P, 2]).astype("float32"),
    }
    y = {
        "masked_lm": np.where(weights > 0, np.take_along_axis(ids, positions, 1), 0),
        "replaced_tokens": x["original_ids"],
    }
    return x, y, {"masked_lm": weights, "replaced_tokens": mask.astype("float32")}


@pytest.fixture
def pretrainer(encoder_of, drawn):
    """A function that makes a small one, without dropout unless that is asked for."""

    def make(policy="float32", dropout=0.0, num_layers=1):
        keras.utils.set_random_seed(2)
        encoder = encoder_of(
            "Electra", num_layers=num_layers, dropout=dropout, attention_dropout=dropout
        )
        detector = kb.ReplacedTokenDetector(encoder.copy(policy))
        return kb.ReplacedTokenPretrainer(detector, generator_config(encoder.config, 0.5))

    return make


def evaluated(model, data, **options):
    x, y, weights = data
    return model.evaluate(
        x, y, sample_weight=weights, verbose=0, return_dict=True, batch_size=B, **options
    )


@pytest.mark.reference("torch", "transformers")
def test_the_losses_are_those_of_transformers(pretrainer, drawn, tokenizer, tmp_path, eagerly):
    """Of generator and discriminator as they are saved, for the text that ours had drawn."""
    import torch
    import transformers

    model, (x, y, weights) = drawn(pretrainer(num_layers=2)), batch()
    kb.save(model, tmp_path, tokenizer)
    read = np.asarray(model(x)["replaced_tokens"])[..., 1].astype("int64")
    mask = x["padding_mask"].astype(bool)
    inputs = {
        "token_type_ids": torch.tensor(x["segment_ids"]).long(),
        "attention_mask": torch.tensor(x["padding_mask"]),
    }
    labels = np.full([B, T], -100)
    row, slot = np.nonzero(weights["masked_lm"])
    labels[row, x["mask_positions"][row, slot]] = y["masked_lm"][row, slot]
    assert (read != x["original_ids"]).sum() > 5 and (read == x["original_ids"])[labels < 0].all()
    generator = transformers.ElectraForMaskedLM.from_pretrained(tmp_path / "generator").eval()
    detector = transformers.ElectraForPreTraining.from_pretrained(tmp_path).eval()
    with torch.no_grad():
        filled = generator(
            torch.tensor(x["token_ids"]).long(), labels=torch.tensor(labels), **inputs
        )
        found = detector(
            torch.tensor(read),
            labels=torch.tensor(read != x["original_ids"]).float(),
            **inputs,
        )
    model.compile(kb.AdamW(1e-3), **model.objective())
    with eagerly():
        logs = evaluated(model, (x, y, weights))
    assert logs["masked_lm_loss"] == pytest.approx(float(filled.loss), abs=1e-5)
    assert logs["replaced_tokens_loss"] == pytest.approx(float(found.loss), abs=1e-5)
    total = float(filled.loss) + 50 * float(found.loss)
    assert logs["loss"] == pytest.approx(total, rel=1e-5)
    right = ((found.logits.numpy() > 0) == (read != x["original_ids"]))[mask].mean()
    assert logs["replaced_tokens_accuracy"] == pytest.approx(right, abs=1e-6)


def test_what_detection_teaches_goes_to_the_embeddings_and_not_to_the_generator(pretrainer):
    model, (x, y, weights) = pretrainer(), batch()
    loss = model.objective()["loss"]["replaced_tokens"]
    with tf.GradientTape() as tape:
        found = model(x, training=True)["replaced_tokens"]
        total = tf.reduce_sum(loss.call(y["replaced_tokens"], found) * weights["replaced_tokens"])
    values = [weight.value for weight in model.trainable_weights]
    gradients = dict(
        zip(
            (weight.path for weight in model.trainable_weights),
            tape.gradient(total, values),
            strict=True,
        )
    )
    reached = {path for path, gradient in gradients.items() if gradient is not None}
    assert {path for path in gradients if path.startswith("generator/")} == set(gradients) - reached
    assert {"embeddings/token/embeddings", "embeddings/norm/gamma"} <= reached
    assert not any("pooler" in path for path in gradients)
    # The generator's own loss reaches both its weights and the same table.
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(model(x, training=True)["masked_lm"])
    found = tape.gradient(total, values)
    reached = {w.path for w, g in zip(model.trainable_weights, found, strict=True) if g is not None}
    assert {"embeddings/token/embeddings", "generator/masked_lm/bias"} <= reached
    assert not any(path.startswith(("layer_", "replaced_tokens")) for path in reached)


def test_a_draw_that_is_the_texts_own_token_is_none_that_was_replaced(pretrainer):
    """Of a generator that is sure of what was there."""
    model, (x, y, _) = pretrainer(), batch()
    [bias] = (w for w in model.weights if w.path == "generator/masked_lm/bias")
    bias.assign(np.where(np.arange(101) == 7, 100.0, 0.0))
    x["original_ids"] = y["replaced_tokens"] = np.where(x["padding_mask"], 7, 0).astype("int32")
    read = np.asarray(model(x)["replaced_tokens"])[..., 1]
    np.testing.assert_array_equal(read, x["original_ids"])


@pytest.mark.slow
def test_parts_of_a_batch_are_the_whole_and_optimizers_know_weights_by_name(pretrainer, eagerly):
    results = []
    for parts in (1, 3):
        model = pretrainer()
        model.compile(kb.Muon(1e-2, clip_norm=1.0), **model.objective(), num_micro_batches=parts)
        with eagerly():
            logs = model.train_on_batch(*batch(), return_dict=True)
        results.append((logs, model.get_weights()))
    (logs, weights), (others, same) = results
    assert others == pytest.approx(logs, rel=1e-4)
    for one, other in zip(weights, same, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)
    optimizer, paths = model.optimizer, {w.path: w for w in model.trainable_weights}
    matrix = paths["generator/layer_0/attention/query/kernel"]
    assert optimizer.orthogonalizes(matrix) and optimizer.decays(matrix)
    assert not optimizer.decays(paths["generator/layer_0/output_norm/gamma"])
    assert not optimizer.orthogonalizes(paths["embeddings/token/embeddings"])


def test_bad_arguments(pretrainer, encoder_of, tmp_path):
    model = pretrainer()
    bert = kb.ReplacedTokenDetector(encoder_of("Bert", num_layers=1))
    with pytest.raises(ValueError, match="learned by an ElectraEncoder, but the detector's is a B"):
        kb.ReplacedTokenPretrainer(bert)
    other = generator_config(encoder_of("Electra", embedding_dim=12).config)
    with pytest.raises(ValueError, match="but embedding_dim is 12 and 11: see generator_config"):
        kb.ReplacedTokenPretrainer(model.detector, other)
    with pytest.raises(ValueError, match="detection_weight must be at least 0, not -1"):
        model.objective(-1.0)
    with pytest.raises(ValueError, match="shares the tables of another.*save the ReplacedToken"):
        model.generator.encoder.get_config()


@pytest.mark.slow
@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_in_half_precision_it_learns_what_it_learns_in_whole(policy, pretrainer, eagerly):
    logs = []
    for name in ("float32", policy):
        model, data = pretrainer(name), batch()
        model.compile(kb.AdamW(1e-3), **model.objective())
        with eagerly():
            for _ in range(3):
                found = model.train_on_batch(*data, return_dict=True)
        assert int(model.optimizer.skipped) == 0
        logs.append(found)
    read = np.asarray(model(data[0])["replaced_tokens"])
    assert read.dtype == "float32" and set(np.unique(read[..., 1]) % 1) == {0.0}
    for name in ("masked_lm_loss", "replaced_tokens_loss"):
        assert logs[1][name] == pytest.approx(logs[0][name], rel=0.02)


@pytest.mark.slow
def test_two_devices_are_one(pretrainer, two_devices):
    """Draws are the batch's, so that rows are filled alike wherever they are."""
    results = []
    for strategy in (tf.distribute.get_strategy(), two_devices):
        with strategy.scope():
            model = pretrainer()
            model.compile(kb.AdamW(1e-3, clip_norm=0.1), **model.objective())
            data = fed(tf.data.Dataset.from_tensors(batch()).repeat(), own_cut(), endless=True)
            history = model.fit(data, steps_per_epoch=3, shuffle=False, verbose=0).history
        results.append((history, model.get_weights()))
    (history, weights), (others, same) = results
    for name, values in history.items():
        np.testing.assert_allclose(others[name], values, rtol=1e-4, err_msg=name)
    for one, other in zip(weights, same, strict=True):
        np.testing.assert_allclose(other, one, atol=1e-5)


@pytest.mark.slow
def test_the_step_has_nothing_that_a_tpu_has_not(pretrainer, on_a_tpu, as_on_a_tpu):
    model = pretrainer("mixed_bfloat16", dropout=0.1)
    model.compile(kb.AdamW(1e-3), **model.objective(), num_micro_batches=2)
    data = tf.nest.map_structure(tf.constant, batch())
    with on_a_tpu():
        as_on_a_tpu(model.train_step, tf.nest.map_structure(tf.TensorSpec.from_tensor, data))


@pytest.mark.slow
def test_an_optimized_graph_and_a_file_of_keras_go_on(pretrainer, tmp_path):
    model, (x, y, weights) = pretrainer(), batch()
    model.compile(kb.Lamb(1e-3), **model.objective(7.0), jit_compile=True)
    model.train_on_batch(x, y, weights)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert again.generator.encoder.token_embedding is again.encoder.token_embedding
    for one in (model, again):
        logs = one.train_on_batch(x, y, weights, return_dict=True)
    assert logs["loss"] == pytest.approx(logs["masked_lm_loss"] + 7 * logs["replaced_tokens_loss"])
    for value, same in zip(model.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_allclose(value, same, atol=1e-6)


@pytest.mark.slow
def test_it_learns_which_tokens_do_not_belong(pretrainer):
    """In texts where a token stands beside the next number, what is drawn seldom does so."""
    model = pretrainer()
    model.compile(kb.AdamW(3e-3), **model.objective())

    def some(seed):
        x, y, weights = batch(seed, rows=64)
        first = np.random.default_rng(seed).integers(0, 80, [64, 1])
        ids = np.where(x["padding_mask"], 6 + (first + np.arange(T)) % 80, 0).astype("int32")
        hidden = np.where(x["token_ids"] == MASK, MASK, ids)
        x = {**x, "token_ids": hidden, "original_ids": ids}
        y = {"masked_lm": np.take_along_axis(ids, x["mask_positions"], 1), "replaced_tokens": ids}
        return x, y, weights

    for seed in range(300):
        model.train_on_batch(*some(seed))
    x, y, weights = some(1000)
    logs = model.evaluate(x, y, sample_weight=weights, verbose=0, return_dict=True)
    assert logs["replaced_tokens_accuracy"] > 1 - 0.7 * logs["replaced_tokens_replaced"]
    assert logs["replaced_tokens_auc"] > 0.8

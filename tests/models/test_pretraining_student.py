"""Students in pretraining: what they learn, and whose weights they have."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_bert as kb

GENERATOR = np.random.default_rng(11)
# Two rows of two short sequences each, padding behind them; a prediction of no weight.
NUMBERS = np.array([[1, 1, 1, 2, 2, 0, 0], [1, 1, 2, 2, 2, 2, 0]], "int32")
X = {
    "token_ids": GENERATOR.integers(5, 97, NUMBERS.shape).astype("int32") * (NUMBERS > 0),
    "segment_ids": np.zeros_like(NUMBERS),
    "padding_mask": NUMBERS,
    "mask_positions": np.array([[1, 4, 0], [0, 3, 5]], "int32"),
}
WEIGHTS = np.array([[1, 1, 0], [1, 1, 1]], "float32")


def batch_of(pairs=None):
    y, weights = {"masked_lm": np.array([[7, 8, 0], [9, 7, 5]])}, {"masked_lm": WEIGHTS}
    if pairs:
        y[pairs] = np.array([[0, 1], [1, 0]])
        weights[pairs] = np.array([[1, 1], [1, 0]], "float32")
    return X, y, weights


@pytest.fixture
def made(encoder_of, drawn):
    """A function that makes a pretrainer of some layers."""

    def make(num_layers, pairs=None, family="Bert", **changes):
        keras.utils.set_random_seed(num_layers)
        sizes = {"num_layers": num_layers, "dropout": 0.0, "attention_dropout": 0.0, **changes}
        return drawn(kb.BertPretrainer(encoder_of(family, **sizes), pairs, num_sequences=2))

    return make


def logs_of(student, batch, **options):
    student.compile(kb.AdamW(1e-2), **student.objective(**options))
    return student.evaluate(tf.data.Dataset.from_tensors(batch), return_dict=True, verbose=0)


def log_softmax(logits):
    return logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))


def test_the_mean_of_teachers_is_learned_where_something_is_predicted(made, without_graphs):
    plain, teachers = made(1), [made(2), made(3, family="DistilBert")]
    student = kb.PretrainingStudent(plain, teachers, kb.Lesson(temperature=3.0, share=0.25))
    assert [a is b for a, b in zip(student.weights, plain.weights, strict=True)]
    logs = logs_of(student, batch_of())
    said = np.mean([np.asarray(one(X)["masked_lm"], "float64") for one in teachers], axis=0)
    taught, own = (log_softmax(x / 3) for x in (said, np.asarray(plain(X)["masked_lm"], "float64")))
    divergence = 9 * (np.exp(taught) * (taught - own)).sum(axis=-1)
    wanted = (divergence * WEIGHTS).sum() / WEIGHTS.sum()
    assert logs["soft_masked_lm_loss"] == pytest.approx(wanted, rel=1e-4)
    both = 0.75 * logs["masked_lm_loss"] + 0.25 * logs["soft_masked_lm_loss"]
    assert logs["loss"] == pytest.approx(both, rel=1e-5)
    before = [np.array(weight) for one in teachers for weight in one.weights]
    student.fit(tf.data.Dataset.from_tensors(batch_of()).repeat(4), verbose=0)
    after = logs_of(student, batch_of())
    assert after["loss"] < logs["loss"] and {*logs} == {*after} >= {"accuracy", "perplexity"}
    # The teachers are as they were.
    for old, new in zip(before, (w for one in teachers for w in one.weights), strict=True):
        np.testing.assert_array_equal(old, new)


def test_pairs_are_learned_of_a_teacher_that_has_them_else_of_labels(made, without_graphs):
    plain, pairs = made(1, "sentence_order"), "sentence_order"
    of_all = kb.PretrainingStudent(plain, [made(2, pairs)], kb.Lesson(share=1.0))
    logs = logs_of(of_all, batch_of(pairs), sentence_weight=0.5)
    wanted = logs["soft_masked_lm_loss"] + 0.5 * logs["soft_sentence_order_loss"]
    assert logs["loss"] == pytest.approx(wanted, rel=1e-5) and "masked_lm_accuracy" in logs
    without = kb.PretrainingStudent(plain, [made(2)], kb.Lesson(share=1.0, of=("relations",)))
    logs = logs_of(without, batch_of(pairs))
    wanted = logs["relations_loss"] + logs["sentence_order_loss"]
    assert logs["loss"] == pytest.approx(wanted, rel=1e-5)
    other = kb.BertPretrainer(made(2).encoder, pairs)
    with pytest.raises(ValueError, match="rows of 2 sequences, as the student, but .* is 1"):
        kb.PretrainingStudent(plain, [other])


def test_who_is_its_own_teacher_has_nothing_to_learn(made, without_graphs):
    plain = made(2)
    of = ("outputs", "relations", "cosine", "hidden_states", "attention")
    logs = logs_of(kb.PretrainingStudent(plain, [plain], kb.Lesson(of=of)), batch_of())
    for name in ("soft_masked_lm", *of[1:]):
        assert logs[f"{name}_loss"] == pytest.approx(0, abs=1e-5)


@pytest.mark.slow
def test_the_loss_is_that_of_the_whole_batch_however_it_is_cut(made, two_devices):
    logs, lesson = [], kb.Lesson(of=("outputs", "relations", "cosine", "attention"))
    for strategy, parts in ((tf.distribute.get_strategy(), 2), (two_devices, 1)):
        with strategy.scope():
            student = kb.PretrainingStudent(made(1), [made(2)], lesson)
            student.compile(kb.AdamW(1e-2), **student.objective(), num_micro_batches=parts)
            data = tf.data.Dataset.from_tensors(batch_of()).unbatch().batch(2).repeat(3)
            history = student.fit(data, shuffle=False, verbose=0, steps_per_epoch=3).history
        logs.append(history)
    for key, values in logs[0].items():
        np.testing.assert_allclose(logs[1][key], values, atol=1e-4, err_msg=key)


def test_what_is_no_pretrainer_neither_learns_nor_teaches(made):
    plain = made(1)
    for teachers, message in (([], "there is no teacher"), ([plain.encoder], "a BertEncoder")):
        with pytest.raises(ValueError, match=f"must be BertPretrainers, but {message}"):
            kb.PretrainingStudent(plain, teachers)
    student = kb.PretrainingStudent(plain, [plain])
    assert student.idle_layers == plain.idle_layers and student.plain is plain
    with pytest.raises(ValueError, match="only trained: save the pretrainer"):
        student.get_config()

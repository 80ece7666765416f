"""Draws belong to the batch: a function of seed, shard and step."""

import numpy as np
import tensorflow as tf

import keras_bert as kb
from keras_bert.data.pretraining.draws import with_draws

ROWS, T, P, MASK = 11, 9, 3, 4


def text():
    """Rows as they were, with padding at the end of some."""
    rows = np.random.default_rng(5).integers(5, 97, [ROWS, T]).astype("int32")
    lengths = 9 - np.arange(ROWS) % 3
    return np.where(np.arange(T) < lengths[:, None], rows, 0)


def batches(first_step=0):
    """What `pretraining_dataset` gives of this text, two rows a batch; the last has one."""
    rows = text()
    positions = np.array([[1, 4, 5], [3, 0, 0]] * ROWS, "int32")[:ROWS]
    weights = (positions > 0).astype("float32")
    ids = np.where(weights > 0, np.take_along_axis(rows, positions, 1), 0)
    hidden = rows.copy()
    for row, places in enumerate(positions):
        hidden[row, places[places > 0]] = MASK
    x = {
        "token_ids": hidden,
        "padding_mask": (rows > 0).astype("int32"),
        "mask_positions": positions,
    }
    batch = (x, {"masked_lm": ids.astype("int32")}, {"masked_lm": weights})
    return tf.data.Dataset.from_tensor_slices(batch).batch(2).skip(first_step)


def test_what_a_model_needs_is_there():
    dataset, rows = with_draws(batches()), []
    assert dataset.element_spec[0]["draws"].shape.as_list() == [None, P, 2]
    assert dataset.element_spec[0]["original_ids"].shape.as_list() == [None, T]
    for x, y, weights in dataset:
        assert MASK in x["token_ids"].numpy()
        np.testing.assert_array_equal(y["replaced_tokens"], x["original_ids"])
        np.testing.assert_array_equal(weights["replaced_tokens"], x["padding_mask"])
        assert tf.reduce_min(x["draws"]) >= 0 and tf.reduce_max(x["draws"]) < 1
        assert x["draws"].shape == (*x["mask_positions"].shape, 2)
        rows += [*x["original_ids"].numpy()]
    np.testing.assert_array_equal(rows, text())


def test_draws_go_on_where_a_run_does_and_are_those_of_a_seed_and_a_shard():
    def some(first_step=0, **order):
        dataset = with_draws(batches(first_step), kb.Order(**order), first_step=first_step)
        return [x["draws"].numpy() for x, _, _ in dataset]

    whole = some(seed=1)
    for again, value in zip(some(2, seed=1), whole[2:], strict=True):
        np.testing.assert_array_equal(again, value)
    others = [some(seed=2)[0], some(seed=1, shard=(1, 2))[0], *whole[1:]]
    assert not any(np.isin(other, whole[0]).all() for other in others)

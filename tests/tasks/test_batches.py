"""Batches by their indices, all once, and in parts."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_bert.tasks import batches as module
from keras_bert.tasks.batches import (
    batches,
    buckets,
    column,
    made_of_all,
    of_all,
    of_rows,
    outputs_in_parts,
    taken,
)


def test_a_training_epoch_is_an_order_of_its_own_and_holds_all():
    plain = batches(lambda i: i, 11, 4, training=False, seed=0)
    assert [b.tolist() for b in plain.as_numpy_iterator()] == [
        [0, 1, 2, 3],
        [4, 5, 6, 7],
        [8, 9, 10],
    ]
    shuffled = batches(lambda i: i, 11, 4, training=True, seed=3)
    first, second = (np.concatenate(list(shuffled.as_numpy_iterator())) for _ in range(2))
    assert sorted(first) == sorted(second) == list(range(11))
    assert (first != second).any() and (first != np.arange(11)).any()
    with pytest.raises(ValueError, match="batch_size must be at least 1, not 0"):
        batches(lambda i: i, 11, 0, training=False, seed=0)


def test_batches_of_rows_are_filled_across_examples():
    def rows(indices):
        lengths = indices + 1
        return tf.repeat(indices, lengths), tf.ones([tf.reduce_sum(lengths), tf.size(indices) + 1])

    data = of_rows(batches(rows, 4, 2, training=False, seed=0), num_rows=10, batch_size=3)
    found = [ids.numpy().tolist() for ids, _ in data]
    assert found == [[0, 1, 1], [2, 2, 2], [3, 3, 3], [3]] and len(data) == 4


def test_what_is_made_some_at_a_time_is_made_of_all(monkeypatch):
    columns = {
        "text": tf.constant(["a b", "", "c", "d e f", "g"]),
        "words": tf.ragged.constant([["a", "b"], [], ["c"], ["d"], ["e", "f"]]),
    }
    seen = []

    def make(some):
        seen.append(int(tf.shape(some["text"])[0]))
        return {"pieces": tf.strings.split(some["text"]), "words": some["words"]}

    monkeypatch.setattr(module, "MAKE_BATCH", 2)
    made = made_of_all(make, columns, 5)
    assert seen == [2, 2, 1]
    assert made["pieces"].to_list() == [[b"a", b"b"], [], [b"c"], [b"d", b"e", b"f"], [b"g"]]
    assert made["words"].to_list() == columns["words"].to_list()
    assert taken(made, tf.constant([3, 1]))["pieces"].to_list() == [[b"d", b"e", b"f"], []]


def test_texts_of_about_the_same_length_are_together():
    texts = tf.constant(["aaaa", "a", "aaa", "", "aa"])
    assert list(buckets({"text": texts}, 2)) == [[3, 1], [4, 2], [0]]
    with pytest.raises(ValueError, match="batch_size must be at least 1, not 0"):
        list(buckets({"text": texts}, 0))


def test_answers_of_several_shapes_are_one_array():
    parts = [
        (
            [2, 0],
            {"x": np.array([[1.5], [2.5]]), "y": np.array([[b"a"], ["\xe9".encode()]], object)},
        ),
        ([1], {"x": np.array([[3.0, 4.0]]), "y": np.array([[b"ab", b"c"]], object)}),
    ]
    found = of_all(parts, 3)
    assert found["x"].tolist() == [[2.5, 0.0], [3.0, 4.0], [1.5, 0.0]]
    assert found["y"].tolist() == [["\xe9", ""], ["ab", "c"], ["a", ""]]
    assert found["y"].dtype.kind == "U" and of_all([], 0) == {}


def test_outputs_of_many_rows_are_those_of_all_at_once(monkeypatch):
    monkeypatch.setattr(module, "ANSWER_BATCH", 3)
    ids = keras.Input((None,), dtype="int32", name="token_ids")
    model = keras.Model({"token_ids": ids}, {"states": keras.layers.Embedding(9, 5)(ids)})
    for num_rows in (0, 1, 7):
        rows = {"token_ids": tf.ones([num_rows, 4], tf.int32)}
        states = outputs_in_parts(model, rows)["states"]
        np.testing.assert_array_equal(states, model(rows)["states"])


def test_a_column_of_answers_or_of_arrays():
    values = column([{"values": [1.0, 2.0]}, {"values": [3.0, 4.0]}], "values")
    np.testing.assert_array_equal(values, column({"values": values}, "values"))


def test_all_texts_of_an_example_count():
    columns = {
        "text": tf.constant(["aaaa", "a", ""]),
        "choices": tf.ragged.constant([["a"], ["b", "bbbbbb"], ["cc"]]),
    }
    assert list(buckets(columns)) == [[2, 0, 1]]

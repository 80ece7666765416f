"""The best spans of rows beside plain loops, and what rows learn of an answer."""

import numpy as np
import pytest
import tensorflow as tf

from keras_bert.tasks.spans import (
    NEVER,
    answers_in_text,
    best_in_rows,
    best_spans,
    labels_in_rows,
)


def all_pairs(starts, ends, max_tokens):
    """Every pair of a row, best first."""
    length = len(starts)
    pairs = [
        (starts[i] + ends[j], i, j)
        for i in range(length)
        for j in range(i, min(i + max_tokens, length))
    ]
    return sorted(pairs, key=lambda pair: -pair[0])


@pytest.mark.parametrize(("num_best", "max_tokens"), [(1, 1), (3, 4), (7, 2), (29, 30)])
def test_the_best_pairs_are_those_of_plain_loops(num_best, max_tokens):
    generator = np.random.default_rng(num_best)
    starts, ends = generator.normal(size=[2, 5, 11]).astype("float32")
    found = best_in_rows(
        tf.constant(starts), tf.constant(ends), num_best=num_best, max_tokens=max_tokens
    )
    scores, first, last = (values.numpy() for values in found)
    for row in range(5):
        expected = all_pairs(starts[row], ends[row], max_tokens)[: min(num_best, 11)]
        got = list(zip(scores[row], first[row], last[row], strict=True))[: len(expected)]
        np.testing.assert_allclose([one[0] for one in got], [one[0] for one in expected], rtol=1e-6)
        assert [one[1:] for one in got] == [one[1:] for one in expected]
        assert (scores[row, len(expected) :] < NEVER / 2).all()


def test_no_answer_begins_or_ends_with_a_blank_that_is_a_piece():
    features = {  # of "a  fox", where the second blank is a piece
        "rows_of": tf.constant([0]),
        "pieces": tf.constant([[-1, 0, 1, 2]]),
        "may_start": tf.constant([[False, True, True, True]]),
        "piece_starts": tf.constant([[0, 0, 2, 3]]),
        "piece_ends": tf.constant([[0, 1, 2, 6]]),
        "context": tf.constant(["a  fox"]),
    }
    logits = tf.constant([[0.0, 1.0, 9.0, 2.0]])
    found = best_spans(logits, logits, features, num_best=5, max_tokens=3)
    scores, starts, ends = (values.numpy()[0].tolist() for values in found)
    there = [one for one in zip(scores, starts, ends, strict=True) if one[0] > NEVER / 2]
    assert there == [(4.0, 3, 6), (3.0, 0, 6), (2.0, 0, 1)]


def test_rows_learn_an_answer_that_they_hold_whole():
    # Two rows of one context of pieces 0 to 3, and one of another without an answer.
    features = {
        "rows_of": tf.constant([0, 0, 1]),
        "pieces": tf.constant([[-1, 0, 1, 2], [-1, 2, 3, -1], [-1, 0, -1, -1]]),
        "piece_starts": tf.constant([[0, 0, 3, 6], [0, 6, 9, 0], [0, 0, 0, 0]]),
        "piece_ends": tf.constant([[0, 2, 5, 8], [0, 8, 11, 0], [0, 2, 0, 0]]),
    }
    for answer, first, last in (
        ((3, 5), [2, 0, 0], [2, 0, 0]),
        ((6, 8), [3, 1, 0], [3, 1, 0]),
        ((3, 11), [0, 0, 0], [0, 0, 0]),  # from piece 1 to 3: whole in no row
        ((4, 7), [2, 0, 0], [3, 0, 0]),  # parts of pieces are pieces
    ):
        start, end = tf.constant([answer[0], 0]), tf.constant([answer[1], 0])
        found = [values.numpy().tolist() for values in labels_in_rows(start, end, features)]
        assert found == [first, last]


def test_nothing_is_answered_where_that_scores_so_much_higher():
    best = (tf.constant([[2.0, 1.0]]), tf.constant([[2, 0]]), tf.constant([[6, 1]]))
    context = tf.constant(["a café"])
    for threshold, none, text in ((None, 9.0, "café"), (0.5, 2.4, "café"), (0.5, 2.6, "")):
        found = answers_in_text(context, best, tf.constant([none]), threshold)
        assert found["answer"].numpy()[0].decode() == text
        assert found["best_answers"].numpy()[0].tolist() == ["café".encode(), b"a"]
        assert float(found["no_answer_score"][0]) == pytest.approx(none - 2.0)
        assert (int(found["end"][0]) == 0) == (text == "")

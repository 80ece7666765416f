"""Spans: the best pairs of a start and an end, in rows that overlap, all in graph."""

from __future__ import annotations

from collections.abc import Mapping

import tensorflow as tf

from keras_bert.text.windows import Windows

# The logit of a position that no answer may start or end at; a sum with it is below half of it.
NEVER = -1e9


def in_rows(values: tf.RaggedTensor, found: Windows) -> tf.Tensor:
    """What is said of the pieces of texts, at their positions in rows.

    Args:
        values: ragged [B, (pieces)].
        found: Windows over these texts.

    Returns:
        [W, T], 0 where there is no piece.
    """
    pieces = found.pieces()
    first = tf.gather(tf.cast(values.row_starts(), tf.int32), found.texts)
    index = tf.where(pieces >= 0, first[:, None] + pieces, tf.size(values.flat_values))
    return tf.gather(tf.concat([values.flat_values, [0]], axis=0), index)


def labels_in_rows(
    start: tf.Tensor, end: tf.Tensor, features: Mapping[str, tf.Tensor]
) -> tuple[tf.Tensor, ...]:
    """The positions of the first and the last piece of an answer in rows that hold all of it.

    Args:
        start: int32 [B], the first character of the context's answer.
        end: int32 [B], the one behind its last; 0 where there is no answer.
        features: dict of int32 [W, T] `pieces`, `piece_starts` and `piece_ends`, and int32 [W]
            `rows_of`.

    Returns:
        Pair of int32 [W]; 0, which is [CLS], for other rows.
    """
    rows_of, pieces = features["rows_of"], features["pieces"]
    start_of_row, end_of_row = (tf.gather(values, rows_of)[:, None] for values in (start, end))
    inside = (features["piece_starts"] < end_of_row) & (features["piece_ends"] > start_of_row)
    first = tf.reduce_min(tf.where(inside, pieces, tf.int32.max), axis=1)
    last = tf.reduce_max(tf.where(inside, pieces, -1), axis=1)
    # A row may hold a part of the answer; all rows together hold every piece.
    num_examples = tf.size(start)
    first_of_all = tf.math.unsorted_segment_min(first, rows_of, num_examples)
    last_of_all = tf.math.unsorted_segment_max(last, rows_of, num_examples)
    is_whole = (first == tf.gather(first_of_all, rows_of)) & (last >= 0)
    is_whole &= last == tf.gather(last_of_all, rows_of)
    return tuple(tf.where(is_whole, _position_of(piece, pieces), 0) for piece in (first, last))


def best_spans(
    start_logits: tf.Tensor,
    end_logits: tf.Tensor,
    features: Mapping[str, tf.Tensor],
    *,
    num_best: int,
    max_tokens: int,
) -> tuple[tf.Tensor, ...]:
    """Scores of the K best answers, and the characters where they start and end.

    Args:
        start_logits: float32 [W, T].
        end_logits: float32 [W, T].
        features: dict of [W, T] `pieces`, `piece_starts`, `piece_ends` int32 and `may_start` bool,
            int32 [W] `rows_of`, and `context` [B].
        num_best: int, K.
        max_tokens: int, how many pieces an answer has at most.

    Returns:
        Three tensors [B, K]: float32 and twice int32. Where there are fewer, scores are below
        `NEVER / 2`, starts and ends 0. No answer begins or ends with a blank that is a piece of its
        own, as byte-level tokenizers have them.
    """
    has_text = features["piece_ends"] > features["piece_starts"]
    scores, *positions = best_in_rows(
        tf.where(features["may_start"] & has_text, start_logits, NEVER),
        tf.where((features["pieces"] >= 0) & has_text, end_logits, NEVER),
        num_best=num_best,
        max_tokens=max_tokens,
    )
    of_example = tf.RaggedTensor.from_value_rowids(
        scores, features["rows_of"], tf.size(features["context"])
    )
    first_row = tf.cast(of_example.row_starts(), tf.int32)
    padded = of_example.to_tensor(NEVER)  # [B, rows, k]
    num_examples, num_rows, k = tf.unstack(tf.shape(padded))
    padded = tf.reshape(padded, [num_examples, num_rows * k])
    padded = tf.pad(padded, [[0, 0], [0, num_best]], constant_values=NEVER)
    scores, index = tf.math.top_k(padded, num_best)
    there = scores > NEVER / 2
    # The rows of an example stand one after the other.
    index = tf.where(there, first_row[:, None] * k + index, 0)
    spans = [
        tf.where(there, tf.gather(tf.reshape(characters, [-1]), index), 0)
        for characters in (
            tf.gather(features[name], position, batch_dims=1)
            for name, position in zip(("piece_starts", "piece_ends"), positions, strict=True)
        )
    ]
    return scores, *spans


def answers_in_text(
    context: tf.Tensor, best: tuple[tf.Tensor, ...], none: tf.Tensor, threshold: float | None
) -> dict[str, tf.Tensor]:
    """What is answered from the best spans, and from no answer.

    Args:
        context: string [B].
        best: what `best_spans` gives: scores, starts and ends, [B, K].
        none: float32 [B], the score of no answer.
        threshold: float; where no answer scores so much higher, nothing is answered; None: never
            where the context has a piece.

    Returns:
        What `QuestionAnswerer.answers` says.
    """
    scores, starts, ends = best
    texts = tf.strings.substr(context[:, None], starts, ends - starts, unit="UTF8_CHAR")
    may_be_none = (ends[:, 0] == 0) if threshold is None else tf.ones_like(none, tf.bool)
    no_answer_score = none - scores[:, 0]
    is_none = may_be_none & (no_answer_score > (threshold or 0.0))
    with_none = tf.concat([scores, tf.where(may_be_none, none, NEVER)[:, None]], axis=1)
    probabilities = tf.nn.softmax(with_none)
    return {
        "answer": tf.where(is_none, "", texts[:, 0]),
        "start": tf.where(is_none, 0, starts[:, 0]),
        "end": tf.where(is_none, 0, ends[:, 0]),
        "score": tf.where(is_none, none, scores[:, 0]),
        "probability": tf.where(is_none, probabilities[:, -1], probabilities[:, 0]),
        "no_answer_score": no_answer_score,
        "best_answers": texts,
        "best_starts": starts,
        "best_ends": ends,
        "best_probabilities": probabilities[:, :-1],
    }


def best_in_rows(
    starts: tf.Tensor, ends: tf.Tensor, *, num_best: int, max_tokens: int
) -> tuple[tf.Tensor, ...]:
    """The best pairs of a start and an end that is not before it, in every row.

    The start of any of the k best pairs is one of the k starts whose best pairs are best. So only
    their ends are looked at one by one.

    Args:
        starts: float32 [W, T], logits.
        ends: float32 [W, T], logits.
        num_best: int, how many pairs, if a row has as many positions.
        max_tokens: int, how many positions there are from start to end at most.

    Returns:
        Scores, float32, starts and ends, int32, all [W, k].

    Example:

    >>> import tensorflow as tf
    >>> from keras_bert.tasks.spans import best_in_rows
    >>> starts, ends = tf.constant([[0.0, 3.0, 1.0]]), tf.constant([[4.0, 0.0, 2.0]])
    >>> scores, first, last = best_in_rows(starts, ends, num_best=2, max_tokens=2)
    >>> scores.numpy().tolist(), first.numpy().tolist(), last.numpy().tolist()
    ([[5.0, 4.0]], [[1, 0]], [[2, 0]])
    """
    num_rows, length = tf.unstack(tf.shape(starts))
    k = tf.minimum(num_best, length)
    padded = tf.pad(ends, [[0, 0], [0, max_tokens - 1]], constant_values=NEVER)
    best_end = tf.nn.max_pool1d(padded[:, :, None], max_tokens, 1, "VALID")[:, :, 0]
    first = tf.math.top_k(starts + best_end, k).indices
    last = first[:, :, None] + tf.range(max_tokens)  # [W, k, max_tokens]
    pairs = tf.gather(starts, first, batch_dims=1)[:, :, None]
    pairs += tf.gather(padded, last, batch_dims=1)
    scores, pair = tf.math.top_k(tf.reshape(pairs, [num_rows, k * max_tokens]), k)
    start = tf.gather(first, pair // max_tokens, batch_dims=1)
    # A pair that ends behind the row is none, but its position must be one.
    return scores, start, tf.minimum(start + pair % max_tokens, length - 1)


def _position_of(piece: tf.Tensor, pieces: tf.Tensor) -> tf.Tensor:
    """The position of a piece, given for every row [W], among `pieces` [W, T], int32 [W]."""
    return tf.argmax(pieces == piece[:, None], axis=1, output_type=tf.int32)

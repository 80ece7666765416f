"""Candidates: what a model takes for answers in a context, and those of several models as one.

A candidate is a span of characters, whatever the pieces that a model reads. A model has a
distribution over its best ones and no answer; others have none of its mass.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import tensorflow as tf

from keras_bert.tasks.pooling import Pool
from keras_bert.tasks.spans import NEVER, best_spans

Candidates = Mapping[str, tf.Tensor]
# What is said of each of the best answers, and the columns that say it.
_BEST = {
    "answer": "best_answers",
    "start": "best_starts",
    "end": "best_ends",
    "probability": "best_probabilities",
}
# What a piece may begin with that belongs to no answer, in byte-level tokenizers.
_BLANKS = tuple(map(ord, " \t\n\r\u00a0\u2028\u3000"))


def candidates_of(
    start_logits: tf.Tensor,
    end_logits: tf.Tensor,
    features: Mapping[str, tf.Tensor],
    *,
    num_best: int,
    max_tokens: int,
) -> dict[str, tf.Tensor]:
    """The best answers of one model; arguments as of `best_spans`.

    Returns:
        dict of `scores` float32, `starts` and `ends` int32 [B, K], 0 where there are fewer, and
        `none` float32 [B], the score of no answer.
    """
    starts, ends = (tf.cast(logits, tf.float32) for logits in (start_logits, end_logits))
    number = tf.size(features["context"])
    none = tf.math.unsorted_segment_min(starts[:, 0] + ends[:, 0], features["rows_of"], number)
    best = best_spans(starts, ends, features, num_best=num_best, max_tokens=max_tokens)
    return {**dict(zip(("scores", "starts", "ends"), best, strict=True)), "none": none}


def joined(
    several: Sequence[Candidates], pool: Pool, context: tf.Tensor, *, may_be_none: bool
) -> dict[str, tf.Tensor]:
    """The candidates of several models as one's.

    Args:
        several: sequence of dicts as of `candidates_of`.
        pool: Pool of softmax, which makes one distribution of theirs.
        context: string [B].
        may_be_none: bool, whether no answer is one where a context has candidates.

    Returns:
        dict as of `candidates_of`, whose scores are logits of the whole distribution. No answer
        begins with a blank.

    Example:

    >>> import tensorflow as tf
    >>> from keras_bert.tasks.candidates import joined
    >>> from keras_bert.tasks.pooling import Pool
    >>> one, other = (
    ...     {"scores": [[0.0]], "starts": [[start]], "ends": [[5]], "none": [0.0]}
    ...     for start in (0, 2)
    ... )
    >>> some = [{n: tf.constant(value) for n, value in found.items()} for found in (one, other)]
    >>> pool = Pool("mean", "softmax", (3.0, 1.0))
    >>> found = joined(some, pool, tf.constant(["a fox"]), may_be_none=True)
    >>> tf.exp(found["scores"]).numpy().round(3).tolist()
    [[0.375, 0.125]]
    """
    several = [{**one, "starts": _behind_blanks(one, context)} for one in several]
    starts, ends = (tf.concat([one[name] for one in several], 1) for name in ("starts", "ends"))
    same = (starts[:, :, None] == starts[:, None, :]) & (ends[:, :, None] == ends[:, None, :])
    earlier = tf.linalg.band_part(tf.cast(same, tf.int32), -1, 0)  # with itself
    is_first = (ends > starts) & (tf.reduce_sum(earlier, axis=2) == 1)
    spans = starts, ends, is_first
    pooled = pool([_logits(one, spans, pool, may_be_none) for one in several])
    scores = tf.where(is_first, pooled[:, :-1], NEVER)
    return {"scores": scores, "starts": starts, "ends": ends, "none": pooled[:, -1]}


def best_of(candidates: Candidates, num_best: int) -> tuple[tf.Tensor, ...]:
    """The best of candidates as `best_spans` gives them: scores, starts and ends [B, num_best].

    Args:
        candidates: dict as of `candidates_of`.
        num_best: int.
    """
    padding = [[0, 0], [0, num_best]]
    scores = tf.pad(candidates["scores"], padding, constant_values=NEVER)
    scores, index = tf.math.top_k(scores, num_best)
    there = scores > NEVER / 2
    spans = (tf.pad(candidates[name], padding) for name in ("starts", "ends"))
    return scores, *(tf.where(there, tf.gather(x, index, batch_dims=1), 0) for x in spans)


def with_best(answer: dict[str, Any]) -> dict[str, Any]:
    """An answer, from Python values of what `answers_in_text` gives, with a list of the best ones.

    Example:

    >>> from keras_bert.tasks.candidates import with_best
    >>> best = {"best_answers": ["fox", ""], "best_starts": [2, 0], "best_ends": [5, 0]}
    >>> with_best({"answer": "fox", **best, "best_probabilities": [1.0, 0.0]})["best_answers"]
    [{'answer': 'fox', 'start': 2, 'end': 5, 'probability': 1.0}]
    """
    columns = [answer.pop(name) for name in _BEST.values()]
    best = [dict(zip(_BEST, one, strict=True)) for one in zip(*columns, strict=True)]
    return {**answer, "best_answers": [one for one in best if one["answer"]]}


def _behind_blanks(one: Candidates, context: tf.Tensor) -> tf.Tensor:
    """Where answers start without the blank that they may begin with."""
    starts, ends = one["starts"], one["ends"]
    characters = tf.strings.unicode_decode(context, "UTF-8", errors="ignore").to_tensor(-1)
    characters = tf.pad(characters, [[0, 0], [0, 1]], constant_values=-1)
    first = tf.gather(characters, starts, batch_dims=1)
    is_blank = tf.reduce_any(first[..., None] == tf.constant(_BLANKS), axis=-1)
    return starts + tf.cast(is_blank & (ends - starts > 1), tf.int32)


def _logits(
    one: Candidates, spans: tuple[tf.Tensor, ...], pool: Pool, may_be_none: bool
) -> tf.Tensor:
    """What one model says of spans, and of no answer behind them, as logits [B, N+1]."""
    starts, ends, is_first = spans
    there = one["ends"] > one["starts"]  # not the nothing of a blank alone
    is_none = tf.constant(may_be_none) | ~tf.reduce_any(there, axis=1)
    none = tf.where(is_none, one["none"], NEVER)
    scores = tf.where(there, one["scores"], NEVER)
    shares = tf.nn.softmax(tf.concat([scores, none[:, None]], axis=1))
    same = starts[:, :, None] == one["starts"][:, None, :]
    same &= (ends[:, :, None] == one["ends"][:, None, :]) & is_first[:, :, None]
    of_spans = tf.reduce_sum(tf.where(same, shares[:, None, :-1], 0.0), axis=2)
    return pool.logits(tf.concat([of_spans, shares[:, -1:]], axis=1))

"""What a generator's draws are made of: a part of the batch, as masks are."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from keras_bert.data.pretraining.order import SHUFFLED, Order, Stream


def with_draws(
    batches: tf.data.Dataset, order: Order = SHUFFLED, *, first_step: int = 0
) -> tf.data.Dataset:
    """Batches of `pretraining_dataset` for a `ReplacedTokenPretrainer`: with the text, and draws.

    The draws are a pure function of the order's seed and shard and of the step: whatever devices
    and parts a batch is computed on and in, and wherever a run goes on, a row is filled alike.

    Args:
        batches: what `pretraining_dataset` gives.
        order: Order of these.
        first_step: int, the first one of these.

    Returns:
        A dataset of the same (x, y, sample_weight), where x has besides `original_ids`, int32
        [B, T], the rows without blanks, and `draws`, float32 [B, P, 2], uniform in [0, 1);
        `replaced_tokens`, [B, T], is in y, the original ids, and in sample_weight, where every
        token but padding weighs 1.

    Example:

    >>> import pathlib, tempfile
    >>> import keras_bert as kb
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "corpus.txt"
    >>> _ = path.write_text("A fine film. A film.")
    >>> vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "fine", "film", "."]
    >>> tokenizer = kb.Tokenizer(vocabulary)
    >>> rows = kb.PretrainingRows(kb.Packer(tokenizer, 10), None)
    >>> dataset = kb.pretraining_dataset(
    ...     kb.TextCorpus(str(path)), rows, kb.Masker(tokenizer, max_predictions=3), batch_size=1)
    >>> for x, y, sample_weight in kb.with_draws(dataset).take(1):
    ...     print(x["original_ids"].numpy().tolist(), x["draws"].shape)
    [[2, 5, 6, 7, 8, 5, 7, 8, 3, 0]] (1, 3, 2)
    """

    # Nothing here needs AutoGraph, whose conversion of every function takes long.
    @tf.autograph.experimental.do_not_convert
    def add(step: tf.Tensor, batch: tuple[dict[str, Any], ...]) -> tuple[dict[str, Any], ...]:
        x, y, weights = batch
        positions = x["mask_positions"]
        shape = tf.concat([tf.shape(positions), [2]], axis=0)
        draws = tf.random.stateless_uniform(shape, order.key(Stream.DRAWS, order.shard[0], step))
        original = _put_back(x["token_ids"], positions, y["masked_lm"], weights["masked_lm"])
        tokens = tf.cast(x["padding_mask"] > 0, tf.float32)
        return (
            {
                **x,
                "original_ids": original,
                "draws": tf.ensure_shape(draws, [*positions.shape, 2]),
            },
            {**y, "replaced_tokens": original},
            {**weights, "replaced_tokens": tokens},
        )

    numbered = batches.enumerate(first_step).map(
        lambda step, batch: add(step, batch),
        num_parallel_calls=tf.data.AUTOTUNE,
        deterministic=True,
    )
    return numbered.prefetch(tf.data.AUTOTUNE)


def _put_back(
    token_ids: tf.Tensor, positions: tf.Tensor, hidden_ids: tf.Tensor, weights: tf.Tensor
) -> tf.Tensor:
    """Rows [B, T] with the ids that were hidden in the places of those positions that weigh."""
    number, length = tf.unstack(tf.shape(token_ids))
    places = positions + tf.range(number)[:, None] * length
    used = weights > 0
    flat = tf.tensor_scatter_nd_update(
        tf.reshape(token_ids, [-1]),
        tf.boolean_mask(places, used)[:, None],
        tf.boolean_mask(hidden_ids, used),
    )
    return tf.ensure_shape(tf.reshape(flat, tf.shape(token_ids)), token_ids.shape)

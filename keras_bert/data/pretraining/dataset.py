"""Blocks of sentences to rows: next sentence, sentence order, full sentences; masked on the fly."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import tensorflow as tf

from keras_bert.data.pretraining.corpus import TextCorpus
from keras_bert.data.pretraining.order import SHUFFLED, Order, Stream
from keras_bert.data.pretraining.rows import PretrainingRows
from keras_bert.data.pretraining.token_corpus import TokenCorpus
from keras_bert.text.masking import Masker

# Rows are made from this many blocks at a time, about 1,300 rows of 128 tokens.
POOL_BLOCKS = 24
# About as many are masked at a time.
MASKED_ROWS = 256


def pretraining_dataset(
    corpus: TextCorpus | TokenCorpus,
    rows: PretrainingRows,
    masker: Masker,
    batch_size: int,
    order: Order = SHUFFLED,
    *,
    first_step: int = 0,
    num_epochs: int | None = None,
) -> tf.data.Dataset:
    """Batches for pretraining, masked anew in every epoch; a pure function of the arguments.

    The batches from `first_step` on are those that an uninterrupted run sees from there on; what
    comes before is read and made into rows, but not masked. To evaluate, use `num_epochs=1`; an
    order with `shuffle=False` keeps that of the text, but with it next_sentence finds few partners
    where documents are long, so shuffle there: the batches are the same every time anyway.

    Args:
        corpus: The text.
        rows: Makes rows of it.
        masker: Hides tokens.
        batch_size: Rows B in a batch. The last batch of a finite dataset may be smaller.
        order: Determines what is read when, windows, pairs and masks; its epoch is the first one.
        first_step: Number of batches to leave out.
        num_epochs: None goes on forever.

    Returns:
        A dataset of (x, y, sample_weight): x = dict(token_ids, segment_ids, padding_mask [B, T],
        mask_positions [B, P]), y = dict(masked_lm [B, P], and next_sentence or sentence_order
        [B], or [B, K] of joined rows), all int32; sample_weight = the same keys as y, float32.

    Raises:
        ValueError: if an argument is out of its range, the tokenizers differ, the text gives no
            row, or, for next_sentence, a worker may have fewer than two documents.

    Example:

    >>> import pathlib, tempfile
    >>> import keras_bert as kb
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "corpus.txt"
    >>> _ = path.write_text("A fine film. A film.")
    >>> vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "fine", "film", "."]
    >>> tokenizer = kb.Tokenizer(vocabulary)
    >>> rows = kb.PretrainingRows(kb.Packer(tokenizer, 11), "sentence_order")
    >>> dataset = kb.pretraining_dataset(
    ...     kb.TextCorpus(str(path)), rows, kb.Masker(tokenizer, max_predictions=3), batch_size=2)
    >>> for x, y, sample_weight in dataset.take(1):
    ...     print(x["token_ids"].shape, sorted(y))
    (2, 11) ['masked_lm', 'sentence_order']
    """
    _check_arguments(batch_size, first_step, num_epochs)
    _check_match(corpus, rows, masker, order)

    pools, worker = _pools(corpus, order, num_epochs), order.shard[0]
    # Small batches are masked some at a time, which takes a third less time a row.
    size = max(1, MASKED_ROWS // batch_size)

    # Nothing here needs AutoGraph, whose conversion takes seconds; traced once for both uses.
    @tf.function(input_signature=pools.element_spec, autograph=False)
    def make(epoch: tf.Tensor, index: tf.Tensor, blocks: dict) -> dict[str, tf.Tensor]:
        sentences = corpus.read(blocks, rows.packer.tokenizer)
        return rows(sentences, order.key(Stream.ROWS, worker, epoch, index), order.shuffle)

    @tf.function(autograph=False)
    def mask(index: tf.Tensor, batch: dict[str, tf.Tensor]) -> tuple[dict, dict, dict]:
        key = order.key(Stream.MASKS, worker, index)
        steps = index * size + tf.range(tf.shape(batch["token_ids"], tf.int64)[0]) // batch_size
        masked = masker(batch["token_ids"], key, steps)
        return _example(batch, masked, rows.sentence_objective)

    _check_some_rows(corpus, order, make)
    made = pools.map(make, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
    endless = num_epochs is None
    groups = made.rebatch(size * batch_size, drop_remainder=endless).skip(first_step // size)
    groups = groups.enumerate(start=first_step // size)
    groups = groups.map(mask, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
    batches = groups.rebatch(batch_size, drop_remainder=endless).skip(first_step % size)
    options = tf.data.Options()
    # The files are distributed already.
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.OFF
    return batches.prefetch(tf.data.AUTOTUNE).with_options(options)


@tf.autograph.experimental.do_not_convert
def _pools(
    corpus: TextCorpus | TokenCorpus, order: Order, num_epochs: int | None
) -> tf.data.Dataset:
    """(epoch, index of the pool, batch of blocks)."""

    def pools(epoch: tf.Tensor) -> tf.data.Dataset:
        blocks = corpus.blocks(dataclasses.replace(order, epoch=epoch))
        blocks = blocks.batch(POOL_BLOCKS).enumerate()
        return blocks.map(lambda index, blocks: (epoch, index, blocks))

    # Longer than anybody trains.
    epochs = 1 << 62 if num_epochs is None else num_epochs
    return tf.data.Dataset.range(order.epoch, order.epoch + epochs).flat_map(pools)


def _example(
    batch: dict[str, tf.Tensor], masked: dict[str, tf.Tensor], objective: str | None
) -> tuple[dict, dict, dict]:
    x = {
        "token_ids": masked["token_ids"],
        "segment_ids": batch["segment_ids"],
        "padding_mask": batch["padding_mask"],
        "mask_positions": masked["mask_positions"],
    }
    y = {"masked_lm": masked["mask_ids"]}
    sample_weight = {"masked_lm": masked["mask_weights"]}
    if objective is not None:
        y[objective] = batch[objective]
        sample_weight[objective] = batch["sentence_weights"]
    return x, y, sample_weight


def _check_arguments(batch_size: int, first_step: int, num_epochs: int | None) -> None:
    if batch_size < 1:
        raise ValueError(f"batch_size must be at least 1, but is {batch_size}. BERT's is 256.")
    if first_step < 0:
        raise ValueError(
            f"first_step must be at least 0, but is {first_step}. Give the number of steps done."
        )
    if num_epochs is not None and num_epochs < 1:
        raise ValueError(
            f"num_epochs must be at least 1 or None, but is {num_epochs}. Use None to go on "
            "forever."
        )


def _check_match(
    corpus: TextCorpus | TokenCorpus, rows: PretrainingRows, masker: Masker, order: Order
) -> None:
    if rows.packer.tokenizer.vocabulary != masker.tokenizer.vocabulary:
        raise ValueError(
            "Packer and masker must have the same vocabulary, but theirs hold "
            f"{rows.packer.tokenizer.vocabulary_size} and {masker.tokenizer.vocabulary_size} "
            "different pieces. Make both with one tokenizer."
        )
    num_shards = order.shard[1]
    if rows.sentence_objective == "next_sentence" and corpus.min_documents(num_shards) < 2:
        raise ValueError(
            "next_sentence needs at least two documents for every shard, but the corpus has "
            f"{corpus.num_documents} in {corpus.num_files} files for {num_shards} shards. Split "
            "the text into more files, or use sentence_order or None."
        )


def _check_some_rows(
    corpus: TextCorpus | TokenCorpus,
    order: Order,
    make: Callable[[tf.Tensor, tf.Tensor, dict], dict[str, tf.Tensor]],
) -> None:
    """Reads ahead up to the first row: an endless dataset without one would never return."""
    zero = tf.constant(0, tf.int64)
    for blocks in corpus.blocks(dataclasses.replace(order, shuffle=False)).batch(POOL_BLOCKS):
        if tf.shape(make(zero, zero, blocks)["token_ids"])[0] > 0:
            return
    raise ValueError(
        f"The text must give at least one row, but {corpus.files[0]} and the others hold no "
        "document of two tokens. Use another text."
    )

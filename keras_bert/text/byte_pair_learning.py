"""Learns a byte-level vocabulary from texts, with Hugging Face's `tokenizers`."""

from __future__ import annotations

import json
from collections.abc import Iterator

import tensorflow as tf
from absl import logging

from keras_bert.text.byte_alphabet import BYTES
from keras_bert.text.byte_pairs import BytePairTokenizer
from keras_bert.text.learning import check_lines

# In the order of RoBERTa's first ids.
_SPECIAL = ("<s>", "<pad>", "</s>", "<unk>", "<mask>")


def learn_byte_pairs(
    lines: tf.data.Dataset, vocabulary_size: int = 50_000, *, min_frequency: int = 2
) -> BytePairTokenizer:
    """Learns a tokenizer as RoBERTa's is: every byte, then the most frequent pairs, merged.

    The merges are learned by Hugging Face's `tokenizers`, which has to be installed. The same text
    gives the same tokenizer.

    Args:
        lines: a dataset of string batches [N].
        vocabulary_size: how many pieces to learn, RoBERTa's special tokens and the 256 bytes
            included. There are fewer if the text has no more pairs.
        min_frequency: how often a pair has to occur.

    Returns:
        BytePairTokenizer.

    Raises:
        ValueError: if `lines` has anything but batches of strings, a number is too small, or
            `tokenizers` is not installed.
    """
    least = len(_SPECIAL) + len(BYTES) + 1
    numbers = {"vocabulary_size": (vocabulary_size, least), "min_frequency": (min_frequency, 1)}
    check_lines(lines, numbers)
    try:
        import tokenizers
    except ImportError as error:
        raise ValueError(
            "Byte pairs are learned with Hugging Face's tokenizers, which is not there: pip "
            "install 'kerasbert[byte_pairs]', or learn word pieces."
        ) from error
    learner = tokenizers.Tokenizer(tokenizers.models.BPE())
    learner.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=vocabulary_size,
        min_frequency=min_frequency,
        special_tokens=list(_SPECIAL),
        initial_alphabet=list(BYTES),
        show_progress=False,
    )
    learner.train_from_iterator(_texts(lines), trainer)
    model = json.loads(learner.to_str())["model"]
    pieces = sorted(model["vocab"], key=model["vocab"].__getitem__)
    logging.info("Learned %d pieces where %d were asked for.", len(pieces), vocabulary_size)
    return BytePairTokenizer(pieces, [(left, right) for left, right in model["merges"]])


def _texts(lines: tf.data.Dataset) -> Iterator[list[str]]:
    for batch in lines.as_numpy_iterator():
        yield [line.decode("utf-8", "ignore") for line in batch]

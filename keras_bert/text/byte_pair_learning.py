"""Learns a byte-level vocabulary from texts, with Hugging Face's `tokenizers`."""

from __future__ import annotations

import json
from collections.abc import Iterator

import tensorflow as tf
from absl import logging

from keras_bert.text.byte_alphabet import BYTES
from keras_bert.text.byte_pairs import BytePairTokenizer

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
    _check_request(lines, vocabulary_size, min_frequency, len(_SPECIAL) + len(BYTES))
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


def _check_request(
    lines: tf.data.Dataset, vocabulary_size: int, min_frequency: int, least_size: int
) -> None:
    spec = getattr(lines, "element_spec", lines)
    is_batch = isinstance(spec, tf.TensorSpec) and spec.shape.rank in (1, None)
    if not is_batch or spec.dtype != tf.string:
        raise ValueError(
            f"Lines must be a tf.data.Dataset of string batches [N]; got {spec}. "
            "Map the dataset to its texts, and .batch() it if they come one by one."
        )
    least = {"vocabulary_size": least_size + 1, "min_frequency": 1}
    came = {"vocabulary_size": vocabulary_size, "min_frequency": min_frequency}
    for name, value in came.items():
        if value < least[name]:
            raise ValueError(f"{name} must be at least {least[name]}; got {value}. Raise it.")


def _texts(lines: tf.data.Dataset) -> Iterator[list[str]]:
    for batch in lines.as_numpy_iterator():
        yield [line.decode("utf-8", "ignore") for line in batch]

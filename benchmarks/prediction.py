"""Prediction over texts of natural lengths: rows of one length, and buckets of about the same.

    python -m benchmarks.prediction --vocabulary=vocab.txt --pattern='corpus/*.txt'

Texts are the sentences of the corpus in its own order. The fixed form pads each of them to the
row's length, as `predict` over a dataset of packed rows does; `task(texts)` sorts them by length
and answers in the given order. `difference` is the largest one between their probabilities.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
from collections.abc import Callable, Iterator

import keras
import numpy as np
import tensorflow as tf

import keras_bert as kb
from benchmarks.figures import medians_in_turns, print_figure, seconds_of
from keras_bert import flags


@dataclasses.dataclass(frozen=True)
class Arguments:
    pattern: str = flags.required("text files, one document each")
    vocabulary: str = flags.required("an uncased vocabulary file")
    preset: str = flags.flag("mini", "size of the model")
    num_texts: int = flags.flag(2048, "texts of a round")
    batch_size: int = flags.flag(32, "rows in a batch of the fixed form")
    sequence_length: int = flags.flag(128, "length of a row, at most")
    num_rounds: int = flags.flag(5, "rounds, besides one to warm up")


def main(arguments: Arguments) -> None:
    tokenizer = kb.Tokenizer(kb.read_vocabulary(arguments.vocabulary))
    texts = list(itertools.islice(sentences(arguments.pattern), arguments.num_texts))
    task = classifier(tokenizer, arguments)
    forms = {
        "fixed": fixed_form(task, texts, arguments),
        "buckets": lambda: probabilities(task(texts)),
    }
    results = {name: run() for name, run in forms.items()}
    candidates = {name: functools.partial(seconds_of, run) for name, run in forms.items()}
    seconds = medians_in_turns(candidates, arguments.num_rounds)
    for name in forms:
        print_figure(
            f"prediction/{arguments.preset}/{name}",
            round(len(texts) / seconds[name], 1),
            "texts/s",
            ratio=round(seconds["fixed"] / seconds[name], 2),
            difference=float(np.abs(results[name] - results["fixed"]).max()),
        )


def sentences(pattern: str) -> Iterator[str]:
    corpus = kb.TextCorpus(pattern)
    for block in corpus.blocks(kb.Order(shuffle=False)).batch(24):
        for sentence in corpus.split(block).ids.numpy():
            if sentence.strip():
                yield sentence.decode()


def classifier(tokenizer: kb.Tokenizer, arguments: Arguments) -> kb.TextClassifier:
    keras.utils.set_random_seed(0)
    config = kb.BertConfig.preset(arguments.preset)
    config = dataclasses.replace(config, vocabulary_size=tokenizer.vocabulary_size)
    packer = kb.Packer(tokenizer, arguments.sequence_length)
    return kb.TextClassifier(kb.BertEncoder(config), packer, ("negative", "positive"))


def fixed_form(task: kb.TextClassifier, texts: list[str], arguments: Arguments) -> Callable:
    def rows(some: tf.Tensor) -> dict[str, tf.Tensor]:
        features = task.model_inputs(task.features({"sentence": some}))
        return {
            name: tf.pad(x, [[0, 0], [0, arguments.sequence_length - tf.shape(x)[1]]])
            for name, x in features.items()
        }

    data = tf.data.Dataset.from_tensor_slices(texts).batch(arguments.batch_size)
    data = data.map(rows).prefetch(tf.data.AUTOTUNE)
    return lambda: tf.nn.softmax(task.predict(data, verbose=0)["logits"]).numpy()


def probabilities(answers: list[dict]) -> np.ndarray:
    return np.array([answer["probabilities"] for answer in answers])


if __name__ == "__main__":
    flags.run(main, Arguments)

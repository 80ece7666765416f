"""What BERT buys: a bag of words, a BiLSTM and a fine-tuned BERT on the same texts.

    python -m benchmarks.baselines --checkpoint=all-MiniLM-L6-v2 \\
        --train_files=negative=rt-polarity.neg,positive=rt-polarity.pos --eval_share=0.1 \\
        --vectors=glove.6B.100d.txt.gz

All learn from the same examples and are asked the same held-out ones; each seed draws weights,
order and dropout anew. The bag of words is a logistic regression of TF-IDF of words and pairs of
words (a dense layer on rows of length 1, with scikit-learn's penalty of squares). The BiLSTM
(Hochreiter and Schmidhuber 1997, Schuster and Paliwal 1997) reads lower-cased words; with
`--vectors`, a text file of GloVe's form (Pennington et al. 2014), it begins with those. BERT is the
run that `train.finetune` makes. All three answer together as well: `kb.ensemble`, the mean of their
probabilities. `of_majority` is what the most frequent label would have. Training goes from texts in
memory to a model that answers; milliseconds a text are of held-out texts in batches of 32.
"""

from __future__ import annotations

import contextlib
import dataclasses
import pathlib
import random
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence

import keras
import numpy as np
import tensorflow as tf

import keras_bert as kb
from benchmarks.figures import print_figure
from keras_bert import flags
from keras_bert.data.rows import Row
from keras_bert.tasks.labels import label_index, names_among
from train import finetune

BATCH = 32


@dataclasses.dataclass(frozen=True)
class Arguments:
    checkpoint: str = flags.required("directory of the BERT to start from")
    train_files: str = flags.required("files to learn from, as of train.finetune")
    eval_files: str | None = flags.flag(None, "files that are held out")
    eval_share: float | None = flags.flag(None, "share to hold out instead, such as 0.1")
    text_key: str = flags.flag("sentence", "column with the text")
    label_key: str = flags.flag("label", "column with the label")
    vectors: str | None = flags.flag(None, "word vectors in GloVe's form to start the BiLSTM with")
    max_examples: int = flags.flag(0, "training examples, drawn once; 0 takes all")
    num_seeds: int = flags.flag(3, "runs of each")
    max_words: int = flags.flag(20000, "words that the BiLSTM knows, and features of the bag")
    sequence_length: int = flags.flag(64, "words of a text at most, and pieces of BERT")
    lstm_dim: int = flags.flag(64, "units of the LSTM in each direction")
    bag_epochs: int = flags.flag(30, "passes of the bag of words")
    lstm_epochs: int = flags.flag(6, "passes of the BiLSTM")
    num_epochs: int = flags.flag(3, "passes of BERT")
    batch_size: int = flags.flag(16, "of BERT, whose rate --learning_rate is")
    learning_rate: float = flags.flag(1e-4, "peak of BERT's schedule")


@dataclasses.dataclass(frozen=True)
class Data:
    """Texts with the index of their labels, to learn from and held out."""

    labels: tuple[str, ...]
    train: Sequence[Row]
    held_out: Sequence[Row]

    @classmethod
    def of(cls, recipe: finetune.Arguments, max_examples: int) -> Data:
        with contextlib.redirect_stdout(sys.stderr):
            examples, _, held_out = finetune.read(recipe)
        if not held_out:
            raise ValueError("Some texts must be held out: give --eval_files or --eval_share.")
        if max_examples:
            examples = random.Random(0).sample(examples, min(max_examples, len(examples)))
        key = recipe.label_key or "label"
        return cls(names_among([one[key] for one in examples]), examples, held_out)

    def of_column(self, rows: Sequence[Row], key: str) -> tf.Tensor:
        return tf.constant([row[key] for row in rows])

    def ids(self, rows: Sequence[Row], key: str) -> np.ndarray:
        index = label_index(self.labels)
        return np.array([index(row[key], row) for row in rows])


def main(arguments: Arguments) -> None:
    recipe = recipe_of(arguments)
    data = Data.of(recipe, arguments.max_examples)
    runs: dict[str, list[tuple[float, float, float]]] = {}
    for seed in range(arguments.num_seeds):
        for name, figures in one_seed(seed, arguments, recipe, data).items():
            runs.setdefault(name, []).append(figures)
    true = data.ids(data.held_out, arguments.label_key)
    details = {
        "num_examples": len(data.train),
        "num_held_out": len(data.held_out),
        "of_majority": round(100 * Counter(true.tolist()).most_common(1)[0][1] / len(true), 2),
    }
    for name, some in runs.items():
        accuracies, seconds, milliseconds = zip(*some, strict=True)
        print_figure(
            f"baselines/{name}/accuracy",
            round(statistics.mean(accuracies), 2),
            "of 100",
            of_each_seed=[round(one, 2) for one in accuracies],
            **details,
        )
        print_figure(f"baselines/{name}/training", round(statistics.median(seconds), 1), "s")
        print_figure(f"baselines/{name}/text", round(statistics.median(milliseconds), 3), "ms")


def recipe_of(arguments: Arguments) -> finetune.Arguments:
    """The arguments of `train.finetune`; files are read by them for all."""
    return finetune.Arguments(
        task="text_classification",
        text_keys=arguments.text_key,
        output_dir="",
        **{
            name: getattr(arguments, name)
            for name in (
                *("checkpoint", "train_files", "eval_files", "eval_share", "label_key"),
                *("sequence_length", "num_epochs", "batch_size", "learning_rate"),
            )
        },
    )


def one_seed(
    seed: int, arguments: Arguments, recipe: finetune.Arguments, data: Data
) -> dict[str, tuple[float, float, float]]:
    """Accuracy, seconds of training and milliseconds a text of each model, and of all together."""
    makers: dict[str, Callable[[], kb.Task | kb.Member]] = {
        "bag_of_words": lambda: bag_of_words(arguments, data),
        "bilstm": lambda: bilstm(arguments, data),
        "bert": lambda: bert(recipe, seed, data),
    }
    found, models, seconds_of = {}, {}, {}
    for name, make in makers.items():
        keras.utils.set_random_seed(seed)
        start = time.perf_counter()
        with contextlib.redirect_stdout(sys.stderr):
            models[name] = make()
        seconds_of[name] = time.perf_counter() - start
    models["together"] = kb.ensemble([*models.values()], by="mean")
    seconds_of["together"] = sum(seconds_of.values())
    texts = data.of_column(data.held_out, arguments.text_key)
    true = data.ids(data.held_out, arguments.label_key)
    for name, model in models.items():
        predicted, milliseconds = answered(model, texts, data.labels)
        accuracy = 100 * kb.metrics.accuracy(true, predicted)
        found[name] = (accuracy, seconds_of[name], milliseconds)
    return found


def answered(
    model: kb.Task | kb.Member, texts: tf.Tensor, labels: Sequence[str]
) -> tuple[np.ndarray, float]:
    """The index of the label that is said of each text, and milliseconds a text."""
    if isinstance(model, kb.Member):
        own: keras.Model = model.model

        def ask(some: tf.Tensor) -> np.ndarray:
            return own.predict(some, batch_size=BATCH, verbose=0).argmax(axis=1)

    else:
        names = list(labels)

        def ask(some: tf.Tensor) -> np.ndarray:
            said = model.predict(some.numpy().tolist(), batch_size=BATCH, verbose=0)["label"]
            return np.array([names.index(name) for name in said])

    ask(texts[:BATCH])  # traces the graph
    start = time.perf_counter()
    predicted = ask(texts)
    return predicted, 1000 * (time.perf_counter() - start) / len(texts)


def bag_of_words(arguments: Arguments, data: Data) -> kb.Member:
    """TF-IDF of words and pairs of them, of length 1, and a logistic regression."""
    texts = data.of_column(data.train, arguments.text_key)
    ids = data.ids(data.train, arguments.label_key)
    weigh = keras.layers.TextVectorization(arguments.max_words, ngrams=2, output_mode="tf_idf")
    weigh.adapt(texts)
    logits = keras.layers.Dense(
        len(data.labels),
        # The penalty that scikit-learn's LogisticRegression has by default.
        kernel_regularizer=keras.regularizers.L2(0.5 / len(texts)),
    )
    text = keras.Input([], dtype="string")
    model = keras.Model(text, logits(keras.layers.UnitNormalization()(weigh(text))))
    learn(model, texts, ids, rate=0.02, epochs=arguments.bag_epochs)
    return kb.Member(model, labels=data.labels, gives="logits")


def bilstm(arguments: Arguments, data: Data) -> kb.Member:
    """Word vectors, a BiLSTM, and a layer on its last states of both directions."""
    texts = data.of_column(data.train, arguments.text_key)
    ids = data.ids(data.train, arguments.label_key)
    cut = keras.layers.TextVectorization(
        arguments.max_words, output_sequence_length=arguments.sequence_length
    )
    cut.adapt(texts)
    text = keras.Input([], dtype="string")
    states = embedding(arguments.vectors, cut.get_vocabulary())(cut(text))
    states = keras.layers.Dropout(0.3)(states)
    last = keras.layers.Bidirectional(keras.layers.LSTM(arguments.lstm_dim))(states)
    last = keras.layers.Dropout(0.5)(last)
    model = keras.Model(text, keras.layers.Dense(len(data.labels))(last))
    learn(model, texts, ids, rate=2e-3, epochs=arguments.lstm_epochs)
    return kb.Member(model, labels=data.labels, gives="logits")


def embedding(path: str | None, vocabulary: Sequence[str]) -> keras.layers.Embedding:
    """Vectors of words, those of a file where it has them."""
    found, vectors = np.zeros([0], int), np.zeros([0, 100])
    if path:
        found, vectors = kb.read_word_vectors(path, vocabulary)
    width = vectors.shape[1] or 100
    scale = float(vectors.std()) if len(found) else 0.1
    table = np.random.default_rng(0).normal(0, scale, [len(vocabulary), width])
    table[found] = vectors
    if path:
        print(f"{path}: vectors of {len(found):,} of {len(vocabulary):,} words.", file=sys.stderr)
    start = keras.initializers.Constant(table)
    return keras.layers.Embedding(
        len(vocabulary), width, embeddings_initializer=start, mask_zero=True
    )


def learn(
    model: keras.Model, texts: tf.Tensor, ids: np.ndarray, *, rate: float, epochs: int
) -> None:
    """Trains with Adam, whose rate falls to 0."""
    num_steps = epochs * -(-len(ids) // BATCH)
    falling = keras.optimizers.schedules.PolynomialDecay(rate, num_steps, 0.0)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(falling), loss)
    model.fit(texts, ids, batch_size=BATCH, epochs=epochs, verbose=2)


def bert(recipe: finetune.Arguments, seed: int, data: Data) -> kb.Task:
    """The task that `train.finetune` makes."""
    with tempfile.TemporaryDirectory() as name:
        own = dataclasses.replace(recipe, output_dir=name, labels=",".join(data.labels))
        rows = finetune.Rows([*data.train], [], [])
        finetune.one_run(own, seed, rows, pathlib.Path(name), None)
        return kb.finetuning.load_task(name)


if __name__ == "__main__":
    flags.run(main, Arguments)

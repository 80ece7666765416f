"""Task: a BERT with a head, from raw strings to answers; training and serving share every step."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from absl import logging

from keras_bert.layers.initializers import independent
from keras_bert.layers.rows import FlattenRows
from keras_bert.layers.transformer import skipped_padding
from keras_bert.models.encoder import INPUTS, BertEncoder
from keras_bert.tasks import labels
from keras_bert.tasks.examples import Example, as_examples, source_of, text_columns
from keras_bert.tasks.graphs import Graphs
from keras_bert.tasks.setting import Setting, settings_of
from keras_bert.text.packing import Packer
from keras_bert.text.tokenizer import Tokenizer
from keras_bert.training.trainable import Trainable

# Texts of about the same length are answered together, so many at a time.
ANSWER_BATCH = 32
# Rows are padded to a multiple of this: the CPU's kernels are made once for every shape.
LENGTH_MULTIPLE = 8


class Task(Trainable):
    """A model with all that belongs to one task: what it reads, learns from, and says.

    An example is a dict with the columns that `example_spec` names and what is to be learned; if it
    comes from a file it has an attribute `source`, which errors name. Each step is TensorFlow
    operations on a batch and is the same in training, evaluation, and the exported SavedModel:

        examples -> features -> the model -> outputs -> answers

    A subclass owns one task in one file: its head, and the methods that raise NotImplementedError
    here. Called with features a task is a Keras model; called with texts it answers. What is asked
    is answered by the weights and the settings that the task has then.

    Args:
        encoder: BertEncoder.
        packer: Packer; makes rows of its `sequence_length` at most.
        inputs: dict of `keras.Input`, by the names of the features that the model takes.
        outputs: dict of tensors.

    Raises:
        ValueError: rows are longer than the encoder's positions, or the vocabulary is larger than
            the encoder's.
    """

    # transformers' class for such a model.
    ARCHITECTURE: str
    # Whether the head stands on the pooled output.
    USES_POOLER = True
    # Whether training computes little for padding; `compile` says.
    skip_padding = False

    packer = Setting()

    def __init__(self, encoder: BertEncoder, packer: Packer, inputs, outputs, name: str):
        _check_fit(encoder, packer)
        super().__init__(inputs, outputs, name=name)
        self.encoder = encoder
        self.packer = packer
        self._graphs = Graphs(self)

    @property
    def tokenizer(self) -> Tokenizer:
        """The packer's."""
        return self.packer.tokenizer

    def compile(self, *arguments, **options) -> None:
        """As `Trainable.compile`. Without XLA and TPUs training then computes little for padding.

        See `skipped_padding`: batches to learn from are drawn, with rows of all lengths.
        """
        super().compile(*arguments, **options)
        on_tpu = isinstance(tf.distribute.get_strategy(), tf.distribute.TPUStrategy)
        self.skip_padding = not (self.jit_compile or on_tpu)

    def train_step(self, data) -> dict[str, tf.Tensor]:
        """As `Trainable.train_step`."""
        with skipped_padding(self.skip_padding):
            return super().train_step(data)

    @property
    def idle_layers(self) -> Sequence[keras.layers.Layer]:
        """The encoder's pooler, where the head does not stand on it."""
        return () if self.USES_POOLER else (self.encoder.pooler,)

    @property
    def example_spec(self) -> dict[str, tf.TensorSpec | tf.RaggedTensorSpec]:
        """What a batch of examples holds, by column."""
        raise NotImplementedError

    @property
    def other_spec(self) -> dict[str, tf.TensorSpec | tf.RaggedTensorSpec]:
        """What a batch of examples may hold in place of `example_spec`."""
        return {}

    def features(self, examples: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Strings to ids.

        Args:
            examples: dict of tensors as `example_spec` says.

        Returns:
            dict of the model's inputs, and of what `answers` and `targets` need besides.
        """
        raise NotImplementedError

    def target_columns(self, examples: Sequence[Example]) -> dict[str, Any]:
        """What is to be learned, as columns with one entry an example.

        Raises:
            ValueError: an example has no label or a wrong one; the message names its source.
        """
        raise NotImplementedError

    def targets(
        self, columns: Mapping[str, tf.Tensor], features: Mapping[str, tf.Tensor]
    ) -> tuple[dict[str, tf.Tensor], dict[str, tf.Tensor]]:
        """Labels and their weights for every output that has a loss.

        Args:
            columns: a batch of the `target_columns`, with float32 [B] `weight`.
            features: what `features` made of it.
        """
        raise NotImplementedError

    def objective(self) -> dict:
        """Losses and metrics, as keyword arguments of `compile`."""
        raise NotImplementedError

    def answers(
        self, outputs: Mapping[str, tf.Tensor], features: Mapping[str, tf.Tensor]
    ) -> dict[str, tf.Tensor]:
        """What a person wants to know, from the model's outputs, as tensors [B, ...]."""
        raise NotImplementedError

    def as_python(self, answer: dict[str, Any]) -> Any:
        """One example's entry of `answers` as a person wants it; as it is where nothing is said.

        Args:
            answer: dict of Python values, with what fills rectangles up.
        """
        return answer

    @property
    def score_names(self) -> tuple[str, ...]:
        """The names that `scores` has, whatever the data; models are chosen by the first one.

        `metrics.is_better` knows of which of them less is better.
        """
        raise NotImplementedError

    def scores(self, examples: Sequence[Example], answers: Sequence[Any]) -> dict[str, float]:
        """How good answers are, by `score_names`."""
        raise NotImplementedError

    def settings(self) -> dict[str, Any]:
        """What `from_settings` needs to make this task anew, as JSON; transformers' keys first."""
        raise NotImplementedError

    @classmethod
    def from_settings(cls, encoder, tokenizer, settings, initializer=None) -> Task:
        """The task that `settings`, or transformers' config.json, describes.

        Args:
            encoder: BertEncoder.
            tokenizer: Tokenizer.
            settings: content of config.json.
            initializer: initializer of the head; None is a normal one, as in transformers.
        """
        raise NotImplementedError

    def on(self, encoder: BertEncoder) -> Task:
        """The same task, with a head of its own, on another encoder."""
        return self.from_settings(encoder, self.tokenizer, self.settings())

    def copy(self) -> Task:
        """The same task, with weights of its own that are the same, in the present dtype policy."""
        copy = self.on(BertEncoder(self.encoder.config, "zeros"))
        weights = {weight.path: weight for weight in self.weights}
        for weight in copy.weights:
            weight.assign(keras.ops.cast(weights[weight.path], weight.dtype))
        return copy

    def with_model(self, inputs, outputs) -> Task:
        """This task, with all its settings, around another model.

        Args:
            inputs: dict of `keras.Input`, as this one's.
            outputs: dict of tensors, as this one's.
        """
        other = type(self).__new__(type(self))
        Task.__init__(other, self.encoder, self.packer, inputs, outputs, self.name)
        vars(other).update(settings_of(self))
        return other

    def check_settings(self) -> None:
        """Raises a ValueError where settings do not fit each other, or the model."""
        _check_fit(self.encoder, self.packer)

    def __call__(self, inputs, training=None, mask=None):
        """The outputs for a dict of features, or the answers to examples.

        Args:
            inputs: dict of tensors, as in any Keras model; or what `as_examples` takes: one example
                (a text, a dict, or a tuple with a text for each of several columns), or several (a
                list of such, a dict of columns, a table).

        Returns:
            dict of output tensors; or the answer to one example; or a list of answers, one an
            example, in the given order.

        Raises:
            ValueError: an example lacks a column, or has something else than text in it.
        """
        if isinstance(inputs, Mapping) and _are_features(inputs, self.input_names):
            return super().__call__(inputs, training=training, mask=mask)
        examples, is_one = as_examples(inputs, self.example_spec, self.other_spec)
        rows: list[dict[str, Any] | None] = [None] * len(examples)
        for indices, answers in self.answer_batches(examples):
            for place, i in enumerate(indices):
                row = {name: _plain(value[place]) for name, value in answers.items()}
                rows[i] = self.as_python(row)
        return rows[0] if is_one else rows

    def as_examples(self, given: Any) -> list[Example]:
        """Examples as dicts, from all that the task may be called with."""
        return as_examples(given, self.example_spec, self.other_spec)[0]

    def answer_batches(
        self, examples: Sequence[Example]
    ) -> Iterator[tuple[list[int], dict[str, np.ndarray]]]:
        """The answers to examples of about the same length at a time, behind their indices."""
        if not examples:
            return
        # All at once, so that of several faults the first one is told.
        columns = self.input_columns(examples)
        for indices in _buckets(columns):
            answers = self._graphs(taken(columns, tf.constant(indices)))
            yield indices, {name: value.numpy() for name, value in answers.items()}

    def answer(self, examples: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """From raw strings to answers in one graph: what an exported SavedModel serves."""
        features = self.features(examples)
        return self.answers(self.outputs_of(features), features)

    def outputs_of(self, features: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """The model's outputs for what `features` gives."""
        return self(self.model_inputs(features), training=False)

    def model_inputs(self, features: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Those features that the model takes."""
        return {name: features[name] for name in self.input_names}

    @property
    def input_names(self) -> tuple[str, ...]:
        """Names of the features that the model takes."""
        return tuple(tensor.name for tensor in keras.tree.flatten(self.inputs))

    def dataset(
        self,
        examples: Sequence[Example],
        batch_size: int,
        training: bool = False,
        seed: int = 0,
        sample_weight: Sequence[float] | None = None,
    ) -> tf.data.Dataset:
        """Batches for `fit` and `evaluate`.

        Args:
            examples: sequence of dicts, or what `as_examples` takes for it.
            batch_size: int, examples of a batch; the last one may have fewer.
            training: bool, whether to shuffle, anew for every epoch.
            seed: int, of the order, together with `tf.random.set_seed`.
            sample_weight: sequence of float, one for each example, by which its loss counts; None
                counts all alike.

        Returns:
            One epoch of (features, labels, weights).

        Raises:
            ValueError: there is no example, one lacks a column or has a wrong label, or weights are
                not as many, or negative.
        """
        examples = self.as_examples(examples)
        inputs, targets = self.training_columns(examples, batch_size, sample_weight)
        # What is learned may be read as well; a column that the user named so is what is read.
        columns = {**targets, **inputs}
        lengths = []
        for first in range(0, len(examples), 1024):
            some = {name: values[first : first + 1024] for name, values in columns.items()}
            lengths.append(self.num_tokens(some))
        self._report_truncation(np.concatenate(lengths))

        def batch(indices: tf.Tensor):
            features = self.features(taken(columns, indices))
            labels = self.targets(taken(targets, indices), features)
            return (self.model_inputs(features), *labels)

        return batches(batch, len(examples), batch_size, training, seed)

    def training_columns(
        self,
        examples: Sequence[Example],
        batch_size: int,
        sample_weight: Sequence[float] | None = None,
    ) -> tuple[dict[str, tf.Tensor | tf.RaggedTensor], dict[str, tf.Tensor | tf.RaggedTensor]]:
        """All that `dataset` needs of examples, as columns; raises what it raises.

        Returns:
            The `input_columns`; and the `target_columns` with float32 [N] `weight`.
        """
        if not examples:
            raise ValueError("There must be at least one example, but there is none: check files.")
        if batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, not {batch_size}.")
        inputs = self.input_columns(examples)
        weight = _weights(sample_weight, examples)
        return inputs, {**self.target_columns(examples), "weight": weight}

    def input_columns(self, examples: Sequence[Example]) -> dict[str, tf.Tensor | tf.RaggedTensor]:
        """The columns of `example_spec` as tensors.

        Raises:
            ValueError: an example lacks a column, or has something else than text in it.
        """
        return text_columns(examples, self.example_spec)

    def trimmed(self, packed: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Packed rows [..., T] without the padding that all of them have."""
        longest = tf.reduce_max(tf.reduce_sum(packed["padding_mask"], axis=-1))
        length = -(-tf.maximum(longest, 1) // LENGTH_MULTIPLE) * LENGTH_MULTIPLE
        return {name: value[..., :length] for name, value in packed.items()}

    def num_tokens(self, columns: Mapping[str, tf.Tensor]) -> tf.Tensor:
        """How long the row of each example would be if nothing were cut, int [B]."""
        raise NotImplementedError

    def _report_truncation(self, lengths: np.ndarray) -> None:
        """Says how many examples, whose lengths are given, are cut."""
        limit = self.packer.sequence_length
        is_cut = lengths > limit
        if is_cut.any():
            logging.warning(
                "%d of %d examples are longer than %d pieces and are cut: choose a longer "
                "sequence_length%s if what is lost matters.",
                *(is_cut.sum(), len(is_cut), limit),
                " or a stride" if hasattr(self, "stride") else "",
            )


def batches(
    make: Callable[[tf.Tensor], Any],
    count: int,
    batch_size: int,
    training: bool,
    seed: int,
) -> tf.data.Dataset:
    """One epoch of what `make` makes of the indices of a batch, int64 [B].

    Batches to learn from are not sorted by length, since length tells of the label: on 1,000 pairs
    of STS-B that gave a Pearson correlation of 69.4 in place of 74.4, the means of 3 seeds.

    Args:
        make: a function of operations.
        count: int, how many indices there are.
        batch_size: int; one batch may be smaller.
        training: bool, whether to shuffle, anew for every epoch.
        seed: int, of the order.
    """
    indices = tf.data.Dataset.range(count)
    if training:
        indices = indices.shuffle(count, seed=seed)
    indices = indices.batch(batch_size)
    made = indices.map(_quiet(make), tf.data.AUTOTUNE)
    # Tuning costs 8 % of a training of minutes, and ends up to 40 s after it; without it there are
    # as many calls at once as cores.
    options = tf.data.Options()
    options.autotune.enabled = False
    return made.prefetch(tf.data.AUTOTUNE).with_options(options)


def row_inputs() -> dict[str, keras.KerasTensor]:
    """The encoder's symbolic inputs with several rows for every example, int32 [B, R, T]."""
    return {name: keras.Input((None, None), dtype="int32", name=name) for name in INPUTS}


def flat_rows(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Rows with one axis more than an encoder takes, without it.

    Args:
        inputs: dict of KerasTensors [B, R, T], R rows of every example.

    Returns:
        dict of KerasTensors [B*R, T].
    """
    return {name: FlattenRows(dtype="int32")(rows) for name, rows in inputs.items()}


def outputs_in_parts(task: Task, inputs: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    """A task's outputs for many rows, of `ANSWER_BATCH` rows at a time: long texts have many.

    Args:
        task: Task whose inputs are rows and whose outputs have an entry for every place.
        inputs: dict of int32 [W, T].

    Returns:
        dict of float32 [W, T, ...].
    """
    num_rows = tf.shape(inputs["token_ids"])[0]

    def add(first, arrays):
        some = {name: rows[first : first + ANSWER_BATCH] for name, rows in inputs.items()}
        outputs = task(some, training=False)
        part = first // ANSWER_BATCH
        return first + ANSWER_BATCH, {
            name: array.write(part, tf.cast(outputs[name], tf.float32))
            for name, array in arrays.items()
        }

    arrays = {
        name: tf.TensorArray(
            tf.float32, 1, dynamic_size=True, infer_shape=False, element_shape=output.shape
        )
        for name, output in task.output.items()
    }
    _, arrays = tf.while_loop(
        lambda first, _: (first < num_rows) | (first == 0),
        add,
        (tf.constant(0), arrays),
        parallel_iterations=1,
    )
    return {name: array.concat() for name, array in arrays.items()}


def head_dropout(encoder: BertEncoder, dropout: float | None) -> float:
    """The dropout before a head: its own, or else the encoder's."""
    return encoder.config.dropout if dropout is None else dropout


def head_initializer(encoder: BertEncoder, initializer):
    """The initializer of a head: its own, or else a normal one, as transformers has it.

    The truncated normal of BERT's other weights spreads by 0.88 of its deviation alone, and with a
    head so much smaller a short training learns less: on 1,000 sentences of WNUT-17, with heads
    that are the same but for that factor, the F1 of three seeds was 36.9, 36.0 and 37.8 in place of
    40.1, 37.7 and 38.7.
    """
    normal = keras.initializers.RandomNormal(stddev=encoder.config.initializer_range)
    return independent(initializer or normal)


def labels_of(settings: Mapping[str, Any]) -> tuple[str, ...]:
    """The names of classes in transformers' settings, in the order of their ids.

    It says nothing where there are its default ones, LABEL_0 and LABEL_1.
    """
    by_id = settings.get("id2label") or {"0": "LABEL_0", "1": "LABEL_1"}
    names = {int(i): str(name) for i, name in by_id.items()}
    if sorted(names) != list(range(len(names))):
        raise ValueError(
            f"id2label must name the labels 0, 1, 2, ..., but names {sorted(names)}: correct "
            "config.json."
        )
    return tuple(names[i] for i in range(len(names)))


def packer_of(encoder: BertEncoder, tokenizer: Tokenizer, own: Mapping[str, Any]) -> Packer:
    """The packer of a task's own settings; rows of all positions where they do not say."""
    return Packer(tokenizer, own.get("sequence_length", encoder.config.max_sequence_length))


def label_index(names: Sequence[str]) -> Callable[[Any, Example], int]:
    """A function of a label and its example that gives its index, or says what is wrong."""
    indices = labels.index_of(names)

    def index(label: Any, example: Example) -> int:
        found = indices.get(labels.key(label))
        if found is not None:
            return found
        some = ", ".join(repr(one) for one in names[:10])
        advice = "correct it, or name all labels when the task is made"
        if not labels.has_label(label, names):
            advice = "it has no label, so leave it out, or correct it"
        raise ValueError(
            f"{source_of(example)}: a label must be one of {some}"
            f"{' ...' if len(names) > 10 else ''}, but is {label!r:.100}: {advice}."
        )

    return index


def taken(columns: Mapping[str, tf.Tensor], indices: tf.Tensor) -> dict[str, tf.Tensor]:
    """The rows of columns that indices name."""
    return {name: tf.gather(values, indices) for name, values in columns.items()}


def _weights(sample_weight: Sequence[float] | None, examples: Sequence[Example]) -> tf.Tensor:
    if sample_weight is None:
        return tf.ones(len(examples))
    weights = np.asarray(sample_weight, "float32")
    if weights.shape != (len(examples),):
        raise ValueError(
            f"sample_weight must have a number for each of the {len(examples)} examples, but has "
            f"the shape {weights.shape}: give as many."
        )
    is_right = np.isfinite(weights) & (weights >= 0)
    if not is_right.all():
        wrong = int(np.argmin(is_right))
        raise ValueError(
            f"{source_of(examples[wrong])}: a weight must be finite and at least 0, but "
            f"sample_weight[{wrong}] is {weights[wrong]}: correct it; 0 leaves an example out."
        )
    return tf.constant(weights)


def _check_fit(encoder: BertEncoder, packer: Packer) -> None:
    config, length = encoder.config, packer.sequence_length
    if length is None or length > config.max_sequence_length:
        raise ValueError(
            f"The packer's sequence_length must be at most the encoder's "
            f"{config.max_sequence_length} positions, but is {length}: choose shorter rows. They "
            "are padded to the longest of a batch only."
        )
    if packer.tokenizer.vocabulary_size > config.vocabulary_size:
        raise ValueError(
            f"The vocabulary may have at most the encoder's {config.vocabulary_size} pieces, but "
            f"has {packer.tokenizer.vocabulary_size}: take the checkpoint's own tokenizer."
        )


def _quiet(function: Callable) -> Callable:
    """Nothing here needs AutoGraph, whose conversion of every function takes long."""
    return tf.autograph.experimental.do_not_convert(function)


def _buckets(columns: Mapping[str, tf.Tensor | tf.RaggedTensor]) -> Iterator[list[int]]:
    """Indices of examples of about the same length."""
    order = np.argsort(sum(map(_lengths, columns.values())), kind="stable").tolist()
    for start in range(0, len(order), ANSWER_BATCH):
        yield order[start : start + ANSWER_BATCH]


def _lengths(texts: tf.Tensor | tf.RaggedTensor) -> np.ndarray:
    """The bytes of all texts of each example, int [B]."""
    lengths = tf.ragged.map_flat_values(tf.strings.length, texts)
    return (lengths if lengths.shape.rank == 1 else tf.reduce_sum(lengths, axis=1)).numpy()


def _are_features(given: Mapping[str, Any], names: Sequence[str]) -> bool:
    """Whether a dict holds a model's inputs: all of them, or else none."""
    lacking = [name for name in names if name not in given]
    if lacking and len(lacking) < len(names):
        raise ValueError(
            f"The features of a model must be {', '.join(names)}, but there are only "
            f"{', '.join(map(str, given))}: take those that `task.features` gives."
        )
    return not lacking


def _plain(value: Any) -> Any:
    """A NumPy value as Python has it, bytes as text."""
    value = value.tolist() if isinstance(value, np.ndarray | np.generic) else value
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return [_plain(one) for one in value] if isinstance(value, list) else value

"""Task: a BERT with a head, from raw strings to answers; training and serving share every step."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from absl import logging

from keras_bert.layers.transformer import skipped_padding
from keras_bert.models.encoder import Encoder
from keras_bert.tasks import saving
from keras_bert.tasks.batches import batches, buckets, made_of_all, of_rows, taken
from keras_bert.tasks.examples import Example, as_examples, source_of, text_columns
from keras_bert.tasks.graphs import Graphs
from keras_bert.tasks.hooks import Hooks
from keras_bert.tasks.members import MeanOfMembers, members_of
from keras_bert.tasks.setting import Setting, settings_of
from keras_bert.text.packing import Packer
from keras_bert.text.subwords import SubwordTokenizer
from keras_bert.training import replicas
from keras_bert.training.one_shape import for_devices
from keras_bert.training.trainable import Trainable

# Rows are padded to a multiple of this: the CPU's kernels are made once for every shape.
LENGTH_MULTIPLE = 8


class Task(Hooks, Trainable):
    """A model with all that belongs to one task: what it reads, learns from, and says.

    An example is a dict with the columns that `example_spec` names and what is to be learned; if it
    comes from a file it has an attribute `source`, which errors name. Each step is TensorFlow
    operations on a batch and is the same in training, evaluation, and the exported SavedModel:

        examples -> pieces -> features -> the model -> outputs -> answers

    A subclass owns one task in one file: its head, and the methods of `Steps` and `Hooks` that
    raise NotImplementedError there. Called with features a task is a Keras model; called with texts
    it answers. What is asked is answered by the weights and the settings that the task has then.

    Args:
        encoder: Encoder, whose precision the head has, too.
        packer: Packer; makes rows of its `sequence_length` at most.
        inputs: dict of `keras.Input`, by the names of the features that the model takes.
        outputs: dict of tensors.
        name: str.

    Raises:
        ValueError: rows are longer than the encoder's positions, or the vocabulary is larger than
            the encoder's.
    """

    packer = Setting()

    # What was said of `skip_padding`, if anything.
    _skip_padding: bool | None = None

    def __init_subclass__(cls, **options: Any):
        super().__init_subclass__(**options)
        keras.saving.register_keras_serializable(cls.__module__.split(".")[0])(cls)

    def __init__(self, encoder: Encoder, packer: Packer, inputs, outputs, name: str):
        _check_fit(encoder, packer)
        super().__init__(inputs, outputs, name=name)
        self.encoder = encoder
        self.packer = packer
        self._graphs = Graphs(self)

    @property
    def tokenizer(self) -> SubwordTokenizer:
        """The packer's."""
        return self.packer.tokenizer

    @property
    def skip_padding(self) -> bool:
        """Whether training computes little for padding: see `skipped_padding`.

        Batches to learn from are drawn, with rows of all lengths. It is so without XLA and TPUs, if
        nothing else is set.
        """
        if self._skip_padding is not None:
            return self._skip_padding
        return not (self.jit_compile or replicas.on_tpu())

    @skip_padding.setter
    def skip_padding(self, value: bool) -> None:
        self._skip_padding = value

    def train_step(self, data) -> dict[str, tf.Tensor]:
        """As `Trainable.train_step`."""
        with skipped_padding(self.skip_padding):
            return super().train_step(data)

    @property
    def idle_layers(self) -> Sequence[keras.layers.Layer]:
        """The encoder's pooler, where the head does not stand on it."""
        pools_tokens = self.LABELS_TOKENS and self.encoder.POOLS_TOKENS
        return () if self.USES_POOLER or pools_tokens else self.encoder.pooling_layers

    def on(self, encoder: Encoder) -> Task:
        """The same task, with a head of its own, on another encoder."""
        return self.from_settings(encoder, self.tokenizer, self.settings())

    def copy(self, dtype=None) -> Task:
        """The same task, with weights of its own that are the same; of an ensemble, its members'.

        Args:
            dtype: keras dtype policy of weights and computation, such as "bfloat16"; None has the
                task's own.
        """
        members = members_of(self)
        if members:
            return self.with_members([member.copy(dtype) for member in members])
        copy = self.on(self.encoder.anew(initializer="zeros", dtype=dtype))
        weights = {weight.path: weight for weight in self.weights}
        for weight in copy.weights:
            weight.assign(keras.ops.cast(weights[weight.path], weight.dtype))
        return copy

    def in_precision(self, dtype: str) -> Task:
        """The task itself where it has its weights, and computes, in a precision, or else a copy.

        Args:
            dtype: name of a keras dtype policy, such as "bfloat16".
        """
        policies = {one.encoder.dtype_policy.name for one in members_of(self) or (self,)}
        return self if policies == {dtype} else self.copy(dtype)

    def with_members(self, members: Sequence[Task]) -> Task:
        """A task with this one's settings that answers by the mean of the outputs of others."""
        inputs = {
            tensor.name: keras.Input(batch_shape=tensor.shape, dtype=tensor.dtype, name=tensor.name)
            for tensor in keras.tree.flatten(self.inputs)
        }
        outputs = MeanOfMembers(members)(inputs)
        other = type(self).__new__(type(self))
        Task.__init__(other, self.encoder, self.packer, inputs, outputs, self.name)
        other.__dict__.update(settings_of(self))
        return other

    def get_config(self) -> dict[str, Any]:
        """What makes the task anew, for Keras' files.

        Raises:
            ValueError: it is an ensemble, or packs rows by a template that is not its tokenizer's.
        """
        return saving.config_of_task(self)

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Task:
        """A task of what `get_config` gave, with fresh weights."""
        return saving.task_of(cls, config)

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
        found: list[Any] = [None] * len(examples)
        for indices, answers in self.answer_batches(examples):
            for place, i in enumerate(indices):
                answer = {name: _plain(value[place]) for name, value in answers.items()}
                found[i] = self.as_python(answer)
        return found[0] if is_one else found

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
        for indices in buckets(columns):
            answers = self._graphs(taken(columns, tf.constant(indices)))
            yield indices, {name: value.numpy() for name, value in answers.items()}

    def answer_column(self, examples: Sequence[Example], name: str) -> np.ndarray:
        """What is answered under one name, [N, ...], where that has one shape for all examples."""
        found: list[Any] = [None] * len(examples)
        for indices, answers in self.answer_batches(examples):
            for i, value in zip(indices, answers[name], strict=True):
                found[i] = value
        return np.stack(found)

    def scored(self, examples: Sequence[Example]) -> dict[str, float]:
        """How good the task's own answers to examples are: `scores` of them."""
        return self.scores(examples, self(examples))

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
        *,
        training: bool = False,
        seed: int = 0,
        sample_weight: Sequence[float] | None = None,
    ) -> tf.data.Dataset:
        """Batches for `fit` and `evaluate`.

        Texts are cut into pieces here, once; rows are made of them batch by batch.

        Args:
            examples: sequence of dicts, or what `as_examples` takes for it.
            batch_size: int, examples of a batch, or rows where an example may have several; the
                last one may have fewer.
            training: bool, whether to shuffle, anew for every epoch.
            seed: int, of the order, together with `tf.random.set_seed`.
            sample_weight: sequence of float, one for each example, by which its loss counts; None
                counts all alike.

        Returns:
            One epoch of (features, labels, weights); on a TPU, in whose scope this is called then,
            all batches are of one shape.

        Raises:
            ValueError: there is no example, one lacks a column or has a wrong label, or weights are
                not as many, or negative.
        """
        examples = self.as_examples(examples)
        inputs, targets = self.training_columns(examples, sample_weight)
        # What is learned may be read as well; a column that the user named so is what is read.
        pieces = made_of_all(self.tokenized, {**targets, **inputs}, len(examples))
        self.check_pieces(examples, pieces)
        num_rows = self.count_rows(self.num_tokens(pieces).numpy())

        def batch(indices: tf.Tensor):
            features = self.packed(taken(pieces, indices))
            labels = self.targets(taken(targets, indices), features)
            return (self.model_inputs(features), *labels)

        def epoch(training: bool = False) -> tf.data.Dataset:
            found = batches(batch, len(examples), batch_size, training=training, seed=seed)
            return found if num_rows == len(examples) else of_rows(found, num_rows, batch_size)

        return for_devices(epoch(training), like=epoch)

    def check_examples(self, examples: Sequence[Example]) -> None:
        """Raises what `dataset` would raise of examples."""
        self.training_columns(examples)

    def training_columns(
        self, examples: Sequence[Example], sample_weight: Sequence[float] | None = None
    ) -> tuple[dict[str, tf.Tensor | tf.RaggedTensor], dict[str, tf.Tensor | tf.RaggedTensor]]:
        """All that `dataset` needs of examples, as columns; raises what it raises.

        Returns:
            The `input_columns`; and the `target_columns` with float32 [N] `weight`.
        """
        if not examples:
            raise ValueError("There must be at least one example, but there is none: check files.")
        inputs = self.input_columns(examples)
        weight = _weights(sample_weight, examples)
        return inputs, {**self.target_columns(examples), "weight": weight}

    def input_columns(self, examples: Sequence[Example]) -> dict[str, tf.Tensor | tf.RaggedTensor]:
        """The columns of `example_spec` as tensors.

        Raises:
            ValueError: an example lacks a column, or has something else than text in it.
        """
        return text_columns(examples, self.example_spec)

    def check_pieces(self, examples: Sequence[Example], pieces: Mapping[str, tf.Tensor]) -> None:
        """Raises a ValueError where the model would not read what an example's pieces must have."""

    def trimmed(self, packed: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Packed rows [..., T] without the padding that all of them have; on a TPU as they are."""
        if replicas.on_tpu():
            return dict(packed)
        longest = tf.reduce_max(tf.reduce_sum(packed["padding_mask"], axis=-1))
        length = -(-tf.maximum(longest, 1) // LENGTH_MULTIPLE) * LENGTH_MULTIPLE
        return {name: value[..., :length] for name, value in packed.items()}

    def count_rows(self, num_tokens: np.ndarray) -> int:
        """How many rows a dataset has; says how many of its examples are cut, or take several.

        Args:
            num_tokens: int [N], of all examples.
        """
        limit = self.packer.sequence_length
        is_cut = num_tokens > limit
        if is_cut.any():
            logging.warning(
                "%d of %d examples are longer than %d pieces and are cut: %s if what is lost "
                "matters.",
                *(is_cut.sum(), len(is_cut), limit, self.IF_CUT),
            )
        return len(num_tokens)


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


def _check_fit(encoder: Encoder, packer: Packer) -> None:
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

"""Task: a BERT with a head, from raw strings to answers; training and serving share every step."""

from __future__ import annotations

import reprlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_bert.data.answers.values import as_python
from keras_bert.layers.transformer import skipped_padding
from keras_bert.models.encoder import Encoder
from keras_bert.models.inputs import with_segments
from keras_bert.tasks import saving, streams
from keras_bert.tasks.batches import ANSWER_BATCH, buckets, of_all, taken
from keras_bert.tasks.combined import Combined
from keras_bert.tasks.examples import Example, Reads, as_examples
from keras_bert.tasks.graphs import Graphs
from keras_bert.tasks.members import (
    Reader,
    check_alone,
    made_of,
    members_of,
    pool_of,
    readers_of,
)
from keras_bert.tasks.pooling import MEAN_OF_OUTPUTS, Pool
from keras_bert.tasks.progress import with_bar
from keras_bert.tasks.setting import Setting, settings_of
from keras_bert.text.packing import Packer
from keras_bert.text.subwords import SubwordTokenizer
from keras_bert.training import replicas

# Rows are padded to a multiple of this: the CPU's kernels are made once for every shape.
LENGTH_MULTIPLE = 8
# Answers to examples of about the same length at a time, behind their indices.
AnswerBatches = Iterator[tuple[list[int], dict[str, np.ndarray]]]


class Task(Combined):
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

    def __init_subclass__(cls, registered: bool = True, **options: Any):
        super().__init_subclass__(**options)
        if registered:  # so that Keras' files may name it
            keras.saving.register_keras_serializable(cls.__module__.split(".")[0])(cls)

    def __init__(self, encoder: Encoder, packer: Packer, inputs, outputs, name: str):
        _check_fit(encoder, packer)
        super().__init__(inputs, outputs, name=name)
        self.encoder = encoder
        self.packer = packer
        self._graphs = Graphs(self)

    def __repr__(self) -> str:
        try:
            own = settings_of(self)
        except AttributeError:  # half made
            return super().__repr__()
        own = {name: value for name, value in own.items() if value is not None and name != "packer"}
        parts = (f"{name}={reprlib.repr(value)}" for name, value in own.items())
        length = f"rows of {self.packer.sequence_length}"
        return f"<{type(self).__name__}: {', '.join([*parts, length])}, {self.encoder.summed_up}>"

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

    def judged(self) -> Task:
        """What is scored and saved where this is trained: itself."""
        return self

    def on(self, encoder: Encoder) -> Task:
        """The same task, with a head of its own, on another encoder."""
        check_alone(self)
        return self.from_settings(encoder, self.tokenizer, self.settings())

    def copy(self, dtype=None) -> Task:
        """The same task, with weights of its own that are the same; of an ensemble, its members'.

        Args:
            dtype: keras dtype policy of weights and computation, such as "bfloat16"; None has the
                task's own.
        """
        readers = readers_of(self)
        if readers:
            return self.with_members([one.copy(dtype) for one in readers], pool_of(self))
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
        tasks = [one for one in members_of(self) or (self,) if isinstance(one, Task)]
        policies = {one.encoder.dtype_policy.name for one in tasks}
        return self if policies == {dtype} else self.copy(dtype)

    def with_members(self, readers: Sequence[Reader], pool: Pool = MEAN_OF_OUTPUTS) -> Task:
        """A task with this one's settings that answers as several members do together.

        Args:
            readers: sequence of Reader; those without a prefix read what this task reads.
            pool: Pool, which makes one answer of theirs.
        """
        inputs, outputs = made_of(self, readers, pool)
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
        if streams.are_features(inputs, self.input_names):
            inputs = with_segments(inputs, self.input_names)
            return super().__call__(inputs, training=training, mask=mask)
        examples, is_one = self._asked(inputs)
        found = self.answered(examples, None)
        return found[0] if is_one else found

    def predict(self, x, batch_size=None, verbose="auto", steps=None, callbacks=None):
        """What a call gives, as arrays, for many examples.

        Args:
            x: features by their names, as in any Keras model; or what a call takes for examples, or
                a `tf.data.Dataset` of such, in batches or not.
            batch_size: int, examples of a batch, 32 if it is None.
            verbose: 0 shows nothing, 1 a bar; "auto" a bar of examples to somebody who waits.
            steps: int, batches after which to stop; None takes all.
            callbacks: as in Keras, for features alone.

        Returns:
            For features the model's outputs (logits), as Keras gives them. For examples a dict of
            arrays [N, ...], with an entry for each in the given order: what `answers` says, under
            the names that an exported model has, such as `label` and `probabilities`; texts are
            str, and what is shorter than others is filled up with "" and 0.

        Raises:
            ValueError: an example lacks a column, or has something else than text in it.

        Example: see `TextClassifier`.
        """
        if not streams.holds_texts(x, self.input_names):
            return super().predict(x, batch_size, verbose, steps, callbacks)
        if callbacks:
            raise ValueError("callbacks are for features, not for texts: leave them out.")
        is_dataset = isinstance(x, tf.data.Dataset)
        examples, _ = self._asked(x.take(steps) if is_dataset and steps else x)
        size = batch_size or ANSWER_BATCH
        if steps and not is_dataset:
            examples = examples[: steps * size]
        progress = None if verbose == "auto" else verbose == 1
        return of_all([*self.answer_batches(examples, size, progress)], len(examples))

    def _asked(self, given: Any) -> tuple[list[Example], bool]:
        """Examples to be answered, and whether it was one alone."""
        if isinstance(given, tf.data.Dataset):
            return streams.examples_of(given, self.reads, self.label_column)[0], False
        return as_examples(given, Reads(self.example_spec, self.other_spec))

    def answered(self, examples: Sequence[Example], progress: bool | None = None) -> list[Any]:
        """The answers to examples, in their order, as a person wants them.

        Args:
            examples: sequence of dicts.
            progress: bool, whether to show a bar: see `with_bar`.
        """
        return self._as_python(len(examples), self.answer_batches(examples, progress=progress))

    def _as_python(self, number: int, batches: AnswerBatches) -> list[Any]:
        """The answers to so many examples as a person wants them, in their order."""
        found: list[Any] = [None] * number
        for indices, answers in batches:
            for place, i in enumerate(indices):
                answer = {name: as_python(value[place]) for name, value in answers.items()}
                found[i] = self.as_python(answer)
        return found

    def answer_batches(
        self,
        examples: Sequence[Example],
        batch_size: int = ANSWER_BATCH,
        progress: bool | None = False,
    ) -> AnswerBatches:
        """The answers to examples of about the same length at a time, behind their indices.

        Args:
            examples: sequence of dicts.
            batch_size: int, how many at a time.
            progress: bool, whether to show a bar: see `with_bar`.
        """
        if not examples:
            return
        # All at once, so that of several faults the first one is told.
        columns = self.input_columns(examples)
        answered = (
            (indices, self._graphs(taken(columns, tf.constant(indices))))
            for indices in buckets(columns, batch_size)
        )
        for indices, answers in with_bar(answered, len(examples), progress):
            yield indices, {name: value.numpy() for name, value in answers.items()}

    def answer_column(
        self, examples: Sequence[Example], name: str, batches: AnswerBatches | None = None
    ) -> np.ndarray:
        """What is answered under one name, [N, ...], where that has one shape for all examples.

        Args:
            examples: sequence of dicts.
            name: str.
            batches: the answers to them, if there are some; None asks.
        """
        found: list[Any] = [None] * len(examples)
        for indices, answers in batches or self.answer_batches(examples):
            for i, value in zip(indices, answers[name], strict=True):
                found[i] = value
        return np.stack(found)

    def scored(
        self, examples: Sequence[Example], batches: AnswerBatches | None = None
    ) -> dict[str, float]:
        """How good the task's own answers to examples are: `scores` of them.

        Args:
            examples: sequence of dicts.
            batches: the answers to them, as `answer_batches` gives them; None asks.
        """
        examples = self.as_examples(examples)
        batches = batches or self.answer_batches(examples)
        return self.scores(examples, self._as_python(len(examples), batches))

    def answer(self, examples: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """From raw strings to answers in one graph: what an exported SavedModel serves."""
        features = self.features(examples)
        return self.answers(self.outputs_of(features), features)

    def trimmed(self, packed: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Packed rows [..., T] without the padding that all of them have; on a TPU as they are."""
        if replicas.on_tpu():
            return dict(packed)
        longest = tf.reduce_max(tf.reduce_sum(packed["padding_mask"], axis=-1))
        length = -(-tf.maximum(longest, 1) // LENGTH_MULTIPLE) * LENGTH_MULTIPLE
        return {name: value[..., :length] for name, value in packed.items()}


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

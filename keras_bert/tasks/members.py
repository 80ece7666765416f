"""Several models as one, whose outputs, or answers, are made of theirs; what each reads."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import keras
import tensorflow as tf
from keras import ops

from keras_bert.tasks.answer_rows import AnswerRows
from keras_bert.tasks.examples import Example
from keras_bert.tasks.pooling import MEAN_OF_OUTPUTS, Pool
from keras_bert.text.subwords import SubwordTokenizer

Columns = Mapping[str, Any]
GIVES = ("probabilities", "logits", "vectors")
WORDS = "words"


@dataclasses.dataclass(frozen=True)
class Reader:
    """A member with what it reads of examples, under names of its own where others read otherwise.

    Args:
        member: Task; or a `Member`, or `AnswerRows`, which have the same methods.
        prefix: str, what stands before the names of its features; "" reads what the ensemble does.
        order: tuple of int, where each class of the ensemble stands among those of the member;
            None is the same order.
    """

    member: Any
    prefix: str = ""
    order: tuple[int, ...] | None = None

    def inputs(self) -> dict[str, keras.KerasTensor]:
        """`keras.Input` of its features, by their names in the ensemble."""
        return {
            f"{self.prefix}{name}": keras.Input(
                batch_shape=shape, dtype=dtype, name=self.prefix + name
            )
            for name, (shape, dtype) in self.member.input_specs.items()
        }

    def copy(self, dtype: str | None) -> Reader:
        """The same with a copy of a task; what is none stays."""
        copy = getattr(self.member, "copy", None)
        return self if copy is None else dataclasses.replace(self, member=copy(dtype))

    def columns(self, examples: Sequence[Example]) -> dict[str, tf.Tensor]:
        """What it needs of examples besides their texts, by names in the ensemble."""
        found = self.member.columns_beside(examples)
        return {f"{self.prefix}{name}": value for name, value in found.items()}

    def features(self, examples: Columns) -> dict[str, tf.Tensor]:
        """Its features, by names in the ensemble; `examples` has what `columns` gave, too."""
        found = self.member.features({**examples, **self._own(examples)})
        return {f"{self.prefix}{name}": value for name, value in found.items()}

    def outputs(self, inputs: Columns) -> dict[str, Any]:
        """Its outputs in float32, their classes in the ensemble's order."""
        names = self.member.input_specs
        outputs = self.member({n: inputs[f"{self.prefix}{n}"] for n in names}, training=False)
        found = {name: ops.cast(value, "float32") for name, value in outputs.items()}
        return {name: self._ordered(value) for name, value in found.items()}

    def said(self, features: Columns) -> dict[str, Any]:
        """What it says of examples, whatever its rows; see `Steps.shared`."""
        found = self.member.said(self._own(features))
        return {
            name: value.with_flat_values(self._ordered(value.flat_values))
            if isinstance(value, tf.RaggedTensor)
            else value
            for name, value in found.items()
        }

    def _own(self, columns: Columns) -> dict[str, Any]:
        start = len(self.prefix)
        return {n[start:]: value for n, value in columns.items() if n.startswith(self.prefix)}

    def _ordered(self, values: Any) -> Any:
        return values if self.order is None else ops.take(values, self.order, axis=-1)


class MeanOfMembers(keras.layers.Layer):
    """What several members say, as one, in float32.

    Args:
        readers: sequence of Reader, whose outputs have the same names and shapes.
        pool: Pool.

    Args (call):
        inputs: dict of tensors, all that they take.

    Raises:
        ValueError: it is to be trained.
    """

    def __init__(self, readers: Sequence[Reader], pool: Pool = MEAN_OF_OUTPUTS):
        super().__init__(dtype="float32", name="mean_of_members")
        self.readers = tuple(readers)
        self.pool = pool
        # So that Keras finds their weights.
        self.members = [one.member for one in readers if isinstance(one.member, keras.layers.Layer)]

    def call(self, inputs, training=None):
        if training:
            raise ValueError(
                "An ensemble answers with what its members have learned, but is to be trained: "
                "train its members."
            )
        several = [reader.outputs(inputs) for reader in self.readers]
        return {name: self.pool([one[name] for one in several]) for name in several[0]}


class JoinedMembers(keras.layers.Layer):
    """Several members with rows of their own, whose answers are put together, not their outputs.

    It only holds them, for a model that has texts answered (`Combined.outputs_of`): rows of one
    member alone have no answer.

    Args:
        readers: sequence of Reader.
        pool: Pool.
        like: dict of `keras.KerasTensor`, the outputs of the first task.

    Raises:
        ValueError: it is called with rows.
    """

    def __init__(self, readers: Sequence[Reader], pool: Pool, like: Mapping[str, Any]):
        super().__init__(dtype="float32", name="joined_members")
        self.readers = tuple(readers)
        self.pool = pool
        self.members = [one.member for one in readers if isinstance(one.member, keras.layers.Layer)]
        self._like = tuple((name, one.shape, one.dtype) for name, one in like.items())

    def build(self, input_shape):
        """Nothing: its members are built."""

    def compute_output_spec(self, inputs):
        return {name: keras.KerasTensor(shape, dtype) for name, shape, dtype in self._like}

    def call(self, inputs):
        raise ValueError(
            "The members of this ensemble have rows of their own, and their answers are put "
            "together, but it was given rows: give it texts, or train its members."
        )


class Member(keras.layers.Layer):
    """A model of Keras that says something of raw texts, to stand beside tasks.

    Args:
        model: `keras.Model` that takes strings: [B] where an example has one text, or a dict of
            such by column; beside a tagger words, [B, W] with "" behind them. It gives [B, C], or
            of two classes [B, 1] for the second one; of words [B, W, C]; or vectors [B, D].
        labels: sequence of str, the names of its classes in their order; none of vectors.
        gives: "probabilities", "logits" or "vectors"; in regression its numbers are "logits".

    Raises:
        ValueError: it is no model, or gives something else.

    Example:

    >>> import keras
    >>> import keras_bert as kb
    >>> text = keras.Input([], dtype="string")
    >>> words = keras.layers.TextVectorization(vocabulary=["fine", "dull"], output_mode="multi_hot")
    >>> good = keras.layers.Dense(1, activation="sigmoid")(words(text))
    >>> kb.Member(keras.Model(text, good), labels=("bad", "good"), gives="probabilities").labels
    ('bad', 'good')
    """

    def __init__(
        self,
        model: keras.Model,
        *,
        labels: Sequence[str] = (),
        gives: Literal["probabilities", "logits", "vectors"],
    ):
        super().__init__(dtype="float32", name="member")
        if not isinstance(model, keras.Model) or gives not in GIVES:
            raise ValueError(
                f"A member must be a keras.Model that gives {' or '.join(map(repr, GIVES))}, but "
                f"is a {type(model).__name__} that gives {gives!r}: say which of them it gives."
            )
        self.model = model
        self.labels = tuple(labels)
        self.gives = gives
        self._keys: tuple[str, ...] = ()
        self._of_words = False
        self._pool = MEAN_OF_OUTPUTS

    def reading(self, keys: Sequence[str], pool: Pool, *, of_words: bool = False) -> Member:
        """The same model, which reads these columns, and whose probabilities a pool understands.

        Raises:
            ValueError: it gives another number of classes than it has labels.
        """
        other = Member(self.model, labels=self.labels, gives=self.gives)
        other._keys, other._pool, other._of_words = tuple(keys), pool, of_words
        if of_words:
            words = tf.ragged.constant([["a"], ["a", "b"]])
            given = other.said({WORDS: words})["logits"].flat_values
            wanted = (3, len(self.labels))
        else:
            [given] = other({key: tf.constant(["a", "b"]) for key in keys}).values()
            wanted = (2, len(self.labels) if self.labels else given.shape[-1])
            given = given[:, 0] if self.gives == "vectors" else given
        if tuple(given.shape) != wanted:
            raise ValueError(
                f"A member must give {wanted[1]} numbers of each text or word, one for each of its "
                f"labels {self.labels}, but of {wanted[0]} the shape is {tuple(given.shape)}: name "
                "the labels that it has."
            )
        return other

    @property
    def input_specs(self) -> dict[str, tuple[tuple, str]]:
        """Shape and dtype of what it takes, by name."""
        return {} if self._of_words else dict.fromkeys(self._keys, ((None,), "string"))

    def columns_beside(self, examples: Sequence[Example]) -> dict[str, tf.Tensor]:
        """Nothing: it reads texts alone."""
        return {}

    def features(self, examples: Columns) -> Columns:
        """The texts of its columns."""
        return {key: examples[key] for key in self._keys}

    def said(self, features: Columns) -> dict[str, tf.RaggedTensor]:
        """The logits of words, ragged float32 [B, (words), C]."""
        words = features[WORDS]
        given = ops.cast(self.model(words.to_tensor(""), training=False), "float32")
        flat = tf.RaggedTensor.from_tensor(given, words.row_lengths())
        return {"logits": flat.with_values(self._logits(flat.values))}

    def call(self, inputs, training=None):
        texts = inputs if len(self._keys) > 1 else inputs[self._keys[0]]
        given = ops.cast(self.model(texts, training=False), "float32")
        if self.gives == "vectors":
            return {"embeddings": given[:, None]}
        if len(self.labels) == 2 and given.shape[-1] == 1 and self._pool.activation == "softmax":
            first = ops.zeros_like(given) if self.gives == "logits" else 1.0 - given
            given = ops.concatenate([first, given], axis=-1)
        return {"logits": self._logits(given)}

    def _logits(self, given: Any) -> Any:
        return self._pool.logits(given) if self.gives == "probabilities" else given

    @property
    def resources(self) -> list[Any]:
        """What an exported model has to hold: its tables of words."""
        return [self.model]


def members_of(model: keras.Model) -> tuple[Any, ...]:
    """What an ensemble is made of, tasks for the most part; nothing of another model."""
    return tuple(reader.member for reader in readers_of(model))


def check_alone(model: keras.Model) -> None:
    """Refuses an ensemble, where another encoder would be that of one member alone.

    Args:
        model: a task.

    Raises:
        ValueError: it is an ensemble.
    """
    number = len(members_of(model))
    if number:
        raise ValueError(
            f"This ensemble has {number} members, each with its own encoder: change the members, "
            "and make an ensemble of what comes out."
        )


def join(model: keras.Model, examples: Sequence[Example]) -> None:
    """Tells files among the members of an ensemble all examples, before it is asked of some.

    Args:
        model: a task; of one without files nothing happens.
        examples: sequence of dicts, in the order of files without ids and texts.

    Raises:
        ValueError: a file has not an answer to each of them.
    """
    for member in members_of(model):
        if isinstance(member, keras.Model):
            join(member, examples)
        elif isinstance(member, AnswerRows):
            member.join(examples)


def pool_of(model: keras.Model) -> Pool:
    """How an ensemble makes one answer of those of its members."""
    return holder_of(model).pool


def readers_of(model: keras.Model) -> tuple[Reader, ...]:
    """The members of an ensemble with what they read; nothing of another model."""
    holder = holder_of(model)
    return () if holder is None else holder.readers


def made_of(
    task: Any, readers: Sequence[Reader], pool: Pool
) -> tuple[dict[str, keras.KerasTensor], dict[str, keras.KerasTensor]]:
    """Inputs and outputs of an ensemble.

    Args:
        task: Task, the first of its members.
        readers: sequence of Reader.
        pool: Pool.

    Returns:
        dict of `keras.Input`, and dict of tensors. Where members have rows of their own, which
        stand for no example, both are the first one's.
    """
    in_rows = task.IS_POOLED_IN_ROWS or pool.by == "outputs"
    if task.ONE_ROW_EACH or (in_rows and not any(reader.prefix for reader in readers)):
        inputs: dict[str, keras.KerasTensor] = {}
        for reader in readers:
            inputs = {**reader.inputs(), **inputs}
        return inputs, MeanOfMembers(readers, pool)(inputs)
    inputs = Reader(task).inputs()
    return inputs, JoinedMembers(readers, pool, task.output)(inputs)


def holder_of(model: keras.Model) -> Any:
    """The layer that holds the members of an ensemble; None of another model."""
    kinds = (MeanOfMembers, JoinedMembers)
    return next((layer for layer in model.layers if isinstance(layer, kinds)), None)


def resources_of(tokenizer: SubwordTokenizer, readers: Sequence[Reader]) -> list[Any]:
    """What an exported model has to hold besides its weights: tables of words and pieces.

    Raises:
        ValueError: a member is a file of predictions.
    """
    found = list(tokenizer.resources)
    for reader in readers:
        found += [one for one in reader.member.resources if all(one is not own for own in found)]
    return found

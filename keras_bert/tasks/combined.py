"""Combined: what a task does with its members, where it is an ensemble."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import tensorflow as tf

from keras_bert.tasks.batches import outputs_in_parts
from keras_bert.tasks.examples import Example
from keras_bert.tasks.learning import Learning
from keras_bert.tasks.members import JoinedMembers, Reader, holder_of, readers_of, resources_of


class Combined(Learning):
    """A task with members, or without: what it reads, and what it gives of them.

    Members that read as the task does are pooled in its model. Those that read otherwise have
    features with a prefix beside its own; where an example has one row each, they are inputs of the
    model, too. Rows of others stand for no example: they are put together by what they are of,
    words or places in a context (`Steps.shared`).
    """

    @property
    def beside(self) -> tuple[Reader, ...]:
        """Of an ensemble, the members that read otherwise than it does."""
        return tuple(reader for reader in readers_of(self) if reader.prefix)

    @property
    def has_other_rows(self) -> bool:
        """Whether its members have rows of which its model's inputs, if any, are a part."""
        return bool(self.beside) or isinstance(holder_of(self), JoinedMembers)

    @property
    def resources(self) -> list[Any]:
        """What an exported model has to hold besides its weights: tables of pieces.

        Raises:
            ValueError: a member is a file of predictions.
        """
        return resources_of(self.packer.tokenizer, readers_of(self))

    def columns_beside(self, examples: Sequence[Example]) -> dict[str, tf.Tensor]:
        """What an ensemble needs of examples besides their texts: what files say of them."""
        beside = (reader.columns(examples) for reader in self.beside)
        return {name: column for columns in beside for name, column in columns.items()}

    def input_columns(self, examples: Sequence[Example]) -> dict[str, tf.Tensor | tf.RaggedTensor]:
        """The columns of `example_spec` as tensors; of an ensemble with `columns_beside`."""
        return {**super().input_columns(examples), **self.columns_beside(examples)}

    def features(self, examples: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """As of `Steps`; of an ensemble with those of each member that reads otherwise."""
        own = super().features(examples)
        given = {**examples, **self.read_by_members(own)} if self.beside else examples
        beside = (reader.features(given) for reader in self.beside)
        return {**own, **{name: value for some in beside for name, value in some.items()}}

    def batch_of(self, pieces: Mapping[str, tf.Tensor], targets: Mapping[str, tf.Tensor]) -> tuple:
        """As in `Learning`, but for members with rows of their own.

        Raises:
            ValueError: it is such an ensemble.
        """
        if self.has_other_rows:
            raise ValueError(
                "An ensemble whose members read otherwise answers and is scored, but is to be "
                "trained, or evaluated by its loss: train its members, or call `scored`."
            )
        return super().batch_of(pieces, targets)

    def said(self, features: Mapping[str, tf.Tensor]) -> dict[str, Any]:
        """What it says as a member: see `Steps.shared`."""
        return self.shared(self.outputs_of(features), features)

    def outputs_of(self, features: Mapping[str, tf.Tensor]) -> Mapping[str, tf.Tensor]:
        """The model's outputs for what `features` gives; of members what `answers` takes for them.

        Long texts have many rows, so some at a time.
        """
        holder = holder_of(self)
        if isinstance(holder, JoinedMembers):
            said = [reader.said(features) for reader in holder.readers]
            return self.together(said, holder.pool, features)
        inputs = self.model_inputs(features)
        return self(inputs, training=False) if self.ONE_ROW_EACH else outputs_in_parts(self, inputs)

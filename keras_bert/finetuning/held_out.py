"""Held-out examples: how well a task answers them, and its loss on them, in one look at each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from keras_bert.tasks.batches import buckets, taken
from keras_bert.tasks.examples import Example
from keras_bert.tasks.task import AnswerBatches, Task
from keras_bert.training.progress import Graph

Columns = Mapping[str, tf.Tensor | tf.RaggedTensor]
# The sums of the losses of each output, and those of their weights.
Sums = tuple[dict[str, tf.Tensor], dict[str, tf.Tensor]]


class HeldOut:
    """Examples that a task does not learn from, by which it is judged while it is trained.

    The loss is the training's own, over all of them. It is computed as they are answered; where
    that of an example depends on the others of its batch, as of in-batch negatives, the examples
    are gone through once more for it, in batches as large as in training.

    Args:
        task: a compiled Task.
        examples: sequence of dicts, or what `as_examples` takes for it; at least one.
        batch_size: int, that of the training.
        sample_weight: sequence of float, what each example weighs in the loss; None: all alike.

    Attributes:
        graph: `Graph`, told when that of the evaluation is built.

    Raises:
        ValueError: there is no example, one lacks a column or has a wrong label.
    """

    def __init__(
        self,
        task: Task,
        examples: Sequence[Example],
        batch_size: int,
        sample_weight: Sequence[float] | None = None,
    ):
        self.task = task
        self.examples = task.as_examples(examples)
        self.batch_size = batch_size
        self.sample_weight = sample_weight
        self.graph = Graph("the evaluation", is_told=False)
        task.check_examples(self.examples)
        # What is the same in every epoch: graphs, and tensors to put in.
        self._made: dict[str, Any] = {}

    def scored(self) -> dict[str, float]:
        """The task's scores, by its `score_names`, and its `loss`."""
        objective, found = self.task.loss_means.objective, _Sums()
        if objective.spans_batch:
            for batch in self._once("batches", self._batches):
                with self.graph.built():
                    sums = self._once("losses", self._losses)(*batch)
                found.add(sums)
            scores = self.task.scored(self.examples)
        else:
            scores = self.task.scored(self.examples, self._answer_batches(found))
        return {**scores, "loss": float(objective.total(*found.tensors()))}

    def _answer_batches(self, found: _Sums) -> AnswerBatches:
        """As of `Task.answer_batches`; the sums of the losses are added up on the way."""
        inputs, targets = self._once("columns", self._columns)
        for indices in buckets(inputs):
            some = tuple(taken(columns, tf.constant(indices)) for columns in (inputs, targets))
            with self.graph.built():
                answers, sums = self._once("answers", lambda of=some: self._answers(*of))(*some)
            found.add(sums)
            yield indices, {name: value.numpy() for name, value in answers.items()}

    def _answers(self, *columns: Columns) -> Any:
        """A graph from the columns of a batch of any size to answers and sums."""

        def answer(inputs: Columns, targets: Columns) -> tuple[dict[str, tf.Tensor], Sums]:
            features = self.task.packed(self.task.tokenized({**targets, **inputs}))
            outputs = self.task.outputs_of(features)
            labels, weights = self.task.targets(targets, features)
            return self.task.answers(outputs, features), self._sums(labels, outputs, weights)

        specs = [{name: _spec(one) for name, one in some.items()} for some in columns]
        return tf.function(answer, input_signature=specs, autograph=False)

    def _losses(self) -> Any:
        """A graph from a batch as in training to sums."""

        def losses(features: Columns, labels: Columns, weights: Columns) -> Sums:
            return self._sums(labels, self.task(features, training=False), weights)

        return tf.function(losses, reduce_retracing=True, autograph=False)

    def _sums(self, labels: Columns, outputs: Columns, weights: Columns) -> Sums:
        objective = self.task.loss_means.objective
        weights = objective.weights(labels, weights)
        totals = {name: tf.reduce_sum(weight) for name, weight in weights.items()}
        return objective.sums(labels, outputs, weights), totals

    def _columns(self) -> tuple[Columns, Columns]:
        return self.task.training_columns(self.examples, self.sample_weight)

    def _batches(self) -> tf.data.Dataset:
        return self.task.dataset(self.examples, self.batch_size, sample_weight=self.sample_weight)

    def _once(self, name: str, make: Any) -> Any:
        if name not in self._made:
            self._made[name] = make()
        return self._made[name]


class _Sums:
    """Sums over batches."""

    def __init__(self):
        self._parts: list[Sums] = []

    def add(self, sums: Sums) -> None:
        """Those of one more batch."""
        self._parts.append(sums)

    def tensors(self) -> tuple[dict[str, tf.Tensor], ...]:
        """Those of all batches, float32 scalars; added up in float64."""
        return tuple(
            {
                name: tf.constant(np.sum([float(one[name]) for one in some]), tf.float32)
                for name in some[0]
            }
            for some in zip(*self._parts, strict=True)
        )


def _spec(column: tf.Tensor | tf.RaggedTensor) -> tf.TensorSpec | tf.RaggedTensorSpec:
    """What a column of any number of examples is."""
    shape = [None, *column.shape[1:]]
    if isinstance(column, tf.RaggedTensor):
        return tf.RaggedTensorSpec(shape, column.dtype, ragged_rank=column.ragged_rank)
    return tf.TensorSpec(shape, column.dtype)

"""Student: a task that learns from labels, and from what a teacher says and has within it."""

from __future__ import annotations

import types
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_bert.layers.transformer import Called, calls_of_blocks
from keras_bert.models.lesson import OUTPUTS, JudgedByLabels, Lesson, soft_name
from keras_bert.tasks.contrastive import CosineError, InBatchNegatives, Matryoshka
from keras_bert.tasks.examples import Example
from keras_bert.tasks.setting import settings_of
from keras_bert.tasks.table import name_of
from keras_bert.tasks.task import Task
from keras_bert.tasks.teacher import Teacher, narrowed
from keras_bert.tasks.weights import example_weights
from keras_bert.training import distillation

# What is learned of a teacher's outputs, by the loss of labels.
SOFT_LOSSES: dict[type[keras.losses.Loss], Any] = {
    keras.losses.CategoricalCrossentropy: distillation.SoftTargets,
    keras.losses.SparseCategoricalCrossentropy: distillation.SoftTargets,
    keras.losses.BinaryCrossentropy: distillation.SoftMarks,
    keras.losses.MeanSquaredError: distillation.SquaredError,
    InBatchNegatives: distillation.CosineDistance,
    CosineError: distillation.CosineDistance,
    Matryoshka: distillation.CosineDistance,
}
IS_LABELLED = "is_labelled"


class Student(JudgedByLabels, Task, registered=False):
    """A task that is trained by a teacher: made by `student_of`, on the layers of a plain task.

    Its model has the plain task's weights, and no others. What the teacher says is one more label
    of the same outputs, computed before the first epoch; its inner states are compared in the step,
    each loss with a denominator of its own, as `Trainable` has them. The plain task answers, is
    scored and saved.
    """

    _taught_by: types.SimpleNamespace

    def judged(self) -> Task:
        """The plain task."""
        return self._taught_by.task

    def get_config(self) -> dict[str, Any]:
        """Refused: the plain task is what is saved."""
        raise ValueError("A student is only trained: save the task that it was made of.")

    def objective(self, **options: Any) -> dict[str, Any]:
        """Losses and metrics, those of labels and those of the teacher, by their shares."""
        own, lesson = super().objective(**options), self._taught_by.lesson
        soft = {name: _soft_loss(loss)(lesson.temperature) for name, loss in own["loss"].items()}
        metrics = own.get("weighted_metrics") if lesson.share < 1 else None
        return {**lesson.objective(own, soft), "weighted_metrics": metrics}

    def training_columns(
        self, examples: Sequence[Example], sample_weight: Sequence[float] | None = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """As of every task; examples without a label learn from the teacher alone.

        Raises:
            ValueError: as of every task, or none has a label, but labels have a share.
        """
        if not examples:
            return super().training_columns(examples, sample_weight)
        inputs, lesson = self.input_columns(examples), self._taught_by.lesson
        names = {self.label_column, *self.COLUMNS.others}
        is_labelled = np.array([not names.isdisjoint(example) for example in examples])
        if lesson.share < 1 and not is_labelled.any():
            raise ValueError(
                f"Labels have {1 - lesson.share:g} of the loss, but no example has a "
                f"{self.label_column}: give labels, or the teacher a share of 1."
            )
        targets = _of_all(self._known(examples, is_labelled), is_labelled, inputs)
        weight = example_weights(sample_weight, examples)
        targets |= {"weight": weight, IS_LABELLED: tf.constant(is_labelled, tf.float32)}
        if OUTPUTS in lesson.of:
            said = self._taught_by.teacher.said(examples, {**targets, **inputs})
            targets |= {soft_name(name): self._fitted(name, said[name]) for name in said}
        return inputs, targets

    def targets(self, columns, features):
        """Labels, and what the teacher says, with their weights."""
        lesson = self._taught_by.lesson
        _, of_all = super().targets(columns, features)
        weight = columns["weight"] * columns[IS_LABELLED]
        labels, weights = super().targets({**columns, "weight": weight}, features)
        if OUTPUTS in lesson.of:
            said = {name: columns[soft_name(name)] for name in of_all}
            for name, value in self.soft_targets(said, features).items():
                labels[soft_name(name)], weights[soft_name(name)] = value, of_all[name]
        of_rows = next(iter(of_all.values()))
        of_rows = of_rows if of_rows.shape.rank == 1 else tf.reduce_max(of_rows, axis=1)
        for name in lesson.inner:
            labels[name], weights[name] = tf.zeros_like(of_rows), of_rows
        return labels, weights

    def _forward(self, x, training: bool):
        lesson = self._taught_by.lesson
        with calls_of_blocks() as calls:
            outputs = super()._forward(x, training)
        if OUTPUTS in lesson.of:
            outputs = {**outputs, **{soft_name(name): value for name, value in outputs.items()}}
        return {**outputs, **self._inner_losses(calls, x)} if lesson.inner else outputs

    def _inner_losses(self, own: Sequence[Called], x: Mapping[str, Any]) -> dict[str, tf.Tensor]:
        """A loss for each example, float32 [B], or the mean over its rows."""
        rows = {name: tf.reshape(ids, [-1, tf.shape(ids)[-1]]) for name, ids in x.items()}
        [member] = self._taught_by.teacher.members
        with calls_of_blocks() as taught:
            member.encoder(rows, training=False)
        losses = self._taught_by.lesson.inner_losses(own, taught, rows["padding_mask"])
        if x["padding_mask"].shape.rank == 2:
            return losses
        there = tf.cast(x["padding_mask"][:, :, 0] > 0, tf.float32)
        number = tf.maximum(tf.reduce_sum(there, axis=1), 1.0)
        return {
            name: tf.reduce_sum(tf.reshape(loss, tf.shape(there)) * there, axis=1) / number
            for name, loss in losses.items()
        }

    def _known(self, examples: Sequence[Example], is_labelled: np.ndarray) -> dict[str, Any]:
        """What is learned of those examples that have labels."""
        known = [example for example, is_one in zip(examples, is_labelled, strict=True) if is_one]
        columns = self.target_columns(known)
        if known:
            return columns
        # Texts that go with a label: without one there is no use for them.
        return {name: column for name, column in columns.items() if column.dtype != tf.string}

    def _fitted(self, name: str, said: Any) -> Any:
        """What the teacher says in as many dimensions as the student's output has."""
        own, theirs = self.output[name].shape[-1], said.shape[-1]
        return said if own is None or theirs is None or own >= theirs else narrowed(said, own)


def student_of(task: Task, teacher: Teacher, lesson: Lesson | None = None) -> Student:
    """A task's own layers, to be trained by a teacher; what it learns is in the task at once.

    Args:
        task: Task, which is scored, asked and saved.
        teacher: Teacher of the same kind; it may be of another family, with another tokenizer,
            where rows need not be the same.
        lesson: Lesson; None has its defaults.

    Returns:
        Student, to be compiled and fitted as every task is. Examples without a label are learned
        from too.

    Raises:
        ValueError: the two do not fit each other; the message says why.

    Example:

    >>> import keras_bert as kb
    >>> tokenizer = kb.Tokenizer(("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "fine", "film"))
    >>> def task_of(num_layers):
    ...     config = kb.BertConfig(
    ...         vocabulary_size=7, num_layers=num_layers, num_heads=3, hidden_dim=15,
    ...         intermediate_dim=31,
    ...     )
    ...     return kb.TextClassifier(kb.BertEncoder(config), kb.Packer(tokenizer), ("bad", "good"))
    >>> small = task_of(1)
    >>> student = kb.student_of(small, kb.Teacher([task_of(2)]), kb.Lesson(share=1.0))
    >>> student.compile(kb.AdamW(1e-3))
    >>> data = student.dataset(["a fine film", "a film"], batch_size=2)
    >>> sorted(next(iter(data))[1])
    ['logits', 'soft_logits']
    >>> student.judged() is small
    True
    """
    lesson = lesson or Lesson()
    _check(task, teacher, lesson)
    teacher.read_as(task)
    bases = Student, type(task)
    kind: Any = types.new_class(f"StudentOf{type(task).__name__}", bases, {"registered": False})
    student = kind.__new__(kind)
    inputs = {tensor.name: tensor for tensor in keras.tree.flatten(task.inputs)}
    Task.__init__(student, task.encoder, task.packer, inputs, dict(task.output), task.name)
    student.__dict__.update(settings_of(task))
    # In a namespace, because Keras would take their weights for the student's.
    student._taught_by = types.SimpleNamespace(task=task, teacher=teacher, lesson=lesson)
    return student


def _check(task: Task, teacher: Teacher, lesson: Lesson) -> None:
    kind, first = name_of(type(task)), teacher.members[0]
    if name_of(type(first)) != kind:
        raise ValueError(
            f"A teacher must be of the student's task, {kind}, but is of {name_of(type(first))}: "
            "name a checkpoint that was fine-tuned for it."
        )
    if not task.IS_TAUGHT:
        raise ValueError(f"The task {kind} has no teacher: leave it out.")
    for member in teacher.members:
        _check_outputs(task, member, first)
        if lesson.inner or task.IS_TAUGHT_BY_ROW:
            _check_rows(task, member, lesson.inner or [kind])
    configs = [member.encoder.config for member in teacher.members]
    lesson.check_teachers(task.encoder.config, configs)


def _check_outputs(task: Task, member: Task, first: Task) -> None:
    """Raises where what is said cannot be learned."""
    own, theirs = settings_of(task), settings_of(member)
    for name in ("labels", "problem") if "labels" in own else ():
        if own.get(name) != theirs.get(name):
            raise ValueError(
                f"{name} must be the teacher's, {theirs.get(name)!r:.200}, but the student's "
                f"{'are' if name == 'labels' else 'is'} {own.get(name)!r:.200}: give --{name} as "
                "the teacher has them, in their order."
            )
    if {*task.output} != {*member.output}:
        raise ValueError(
            f"A teacher must say {', '.join(task.output)}, as the student does, but says "
            f"{', '.join(member.output)}: name one with the same pooling."
        )
    for name in task.output:
        width, taught, other = (one.output[name].shape[-1] for one in (task, member, first))
        if taught != other:
            raise ValueError(
                f"All teachers must say {name} in as many dimensions, but they have {other} and "
                f"{taught}: name others."
            )
        if width is not None and width > taught:
            raise ValueError(
                f"{name} must have at most the {taught} dimensions of the teacher's, but have "
                f"{width}: choose a student that is no wider."
            )


def _check_rows(task: Task, member: Task, names: Sequence[str]) -> None:
    """Raises where rows of the student are no rows of a teacher."""
    same = member.tokenizer.settings() == task.tokenizer.settings()
    if not same or member.packer.template != task.packer.template:
        raise ValueError(
            f"{' and '.join(names)} are learned token by token, so that the teacher's tokenizer "
            "must be the student's, but is another one: take a student with the teacher's "
            "vocabulary, or learn a task of whole texts from its outputs."
        )
    length, most = task.packer.sequence_length, member.encoder.config.max_sequence_length
    if length > most:
        raise ValueError(
            f"Rows that a teacher reads must have at most its {most} positions, but the student's "
            f"have {length}: choose a shorter sequence_length."
        )


def _soft_loss(loss: keras.losses.Loss) -> Any:
    return next(soft for hard, soft in SOFT_LOSSES.items() if isinstance(loss, hard))


def _of_all(
    columns: Mapping[str, Any], is_labelled: np.ndarray, inputs: Mapping[str, Any]
) -> dict[str, Any]:
    """Targets of the examples that have some, in a column of all: the others' weigh nothing.

    Args:
        columns: dict of tensors with an entry for each labelled example.
        is_labelled: bool [N].
        inputs: dict of the columns of all that are read.
    """
    others = np.flatnonzero(~is_labelled)
    if not len(others):
        return dict(columns)
    places = np.argsort(np.concatenate([np.flatnonzero(is_labelled), others]))
    text = next(iter(inputs.values()))
    found = {}
    for name, column in columns.items():
        if isinstance(column, tf.RaggedTensor):  # a label for each word
            words = tf.gather(text, others)
            filled = words.with_values(tf.zeros(tf.size(words.values), column.dtype))
        elif column.dtype == tf.string:  # a text that goes with another: the same one
            filled = tf.gather(text, others)
        else:
            filled = tf.zeros([len(others), *column.shape[1:]], column.dtype)
        found[name] = tf.gather(tf.concat([column, filled], axis=0), places)
    return found

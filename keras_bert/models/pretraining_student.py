"""PretrainingStudent: a pretrainer that learns from texts, and from what a teacher says of them."""

from __future__ import annotations

import functools
import operator
import types
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf

from keras_bert.layers.transformer import Called, calls_of_blocks
from keras_bert.models.lesson import OUTPUTS, JudgedByLabels, Lesson, soft_name
from keras_bert.models.pretrainer import BertPretrainer
from keras_bert.training.distillation import Itself, SoftTargets
from keras_bert.training.trainable import Trainable


class PretrainingStudent(JudgedByLabels, Trainable):
    """A pretrainer's own layers, trained by others: DistilBERT's way, TinyBERT's or MiniLMv2's.

    The teachers read the same rows, in the same step, once for all that is learned of them. What
    they say is the mean of their logits, at the predicted tokens alone; of the sentence objective
    they say something where they have it, else it is learned of its labels. The model has the plain
    pretrainer's weights, and no others: that one is saved.

    Args:
        model: BertPretrainer, which learns.
        teachers: sequence of BertPretrainer with the same pieces.
        lesson: Lesson; None has its defaults.

    Attributes:
        said: tuple of str, the outputs of which the teachers say something.

    Raises:
        ValueError: there is no teacher, or one of another kind, or the two do not fit each other.

    Example:

    >>> import keras_bert as kb
    >>> def pretrainer_of(num_layers):
    ...     config = kb.BertConfig(
    ...         vocabulary_size=97, num_layers=num_layers, num_heads=3, hidden_dim=15,
    ...         intermediate_dim=31,
    ...     )
    ...     return kb.BertPretrainer(kb.BertEncoder(config), None)
    >>> lesson = kb.Lesson(of=("outputs", "cosine"))
    >>> student = kb.PretrainingStudent(pretrainer_of(1), [pretrainer_of(2)], lesson)
    >>> student.compile(kb.AdamW(1e-4), **student.objective())
    >>> sorted(student.objective()["loss"])
    ['cosine', 'masked_lm', 'soft_masked_lm']
    """

    def __init__(
        self,
        model: BertPretrainer,
        teachers: Sequence[BertPretrainer],
        lesson: Lesson | None = None,
    ):
        lesson = lesson or Lesson()
        _check(model, teachers)
        lesson.check_teachers(
            model.encoder.config, [teacher.encoder.config for teacher in teachers]
        )
        inputs = {tensor.name: tensor for tensor in keras.tree.flatten(model.inputs)}
        super().__init__(inputs=inputs, outputs=dict(model.output), name=model.name)
        self.dtype_policy = model.dtype_policy
        self.encoder = model.encoder
        self.said = tuple(
            name for name in model.output if all(name in teacher.output for teacher in teachers)
        )
        # In a namespace, because Keras would take their weights for the student's.
        self._taught_by = types.SimpleNamespace(
            model=model, teachers=tuple(teachers), lesson=lesson
        )

    @property
    def idle_layers(self) -> Sequence[keras.layers.Layer]:
        """The plain pretrainer's."""
        return self._taught_by.model.idle_layers

    @property
    def plain(self) -> BertPretrainer:
        """The pretrainer that it was made of, which is saved."""
        return self._taught_by.model

    @property
    def teachers(self) -> tuple[BertPretrainer, ...]:
        """Those that it learns of."""
        return self._taught_by.teachers

    def get_config(self) -> dict[str, Any]:
        """Refused: the plain pretrainer is what is saved."""
        raise ValueError("A student is only trained: save the pretrainer that it was made of.")

    def objective(self, sentence_weight: float = 1.0) -> dict[str, Any]:
        """Losses and metrics, as of the plain pretrainer, with those of the teachers.

        Args:
            sentence_weight: float, as of `BertPretrainer.objective`.
        """
        own = self._taught_by.model.objective(sentence_weight)
        losses = self._taught_by.lesson.objective(own, {name: Itself() for name in self.said})
        return {**losses, "weighted_metrics": own["weighted_metrics"]}

    def train_step(self, data):
        """As of every model; the batch is one of pretraining."""
        return super().train_step(self._with_lesson(data))

    def test_step(self, data):
        """As of every model; the batch is one of pretraining."""
        return super().test_step(self._with_lesson(data))

    def _with_lesson(self, data) -> tuple[Any, dict[str, Any], dict[str, Any]]:
        """A batch with an entry for each loss: its weights, as those of labels; no label counts."""
        x, y, weights = keras.utils.unpack_x_y_sample_weight(data)
        lesson = self._taught_by.lesson
        weights = {name: tf.ones(tf.shape(label)) for name, label in y.items()} | (weights or {})
        of_outputs = self.said if OUTPUTS in lesson.of else ()
        soft = {soft_name(name): weights[name] for name in of_outputs}
        rows = tf.reduce_max(weights["masked_lm"], axis=1)
        added = soft | dict.fromkeys(lesson.inner, rows)
        return x, {**y, **added}, {**weights, **added}

    def _forward(self, x, training: bool):
        lesson = self._taught_by.lesson
        with calls_of_blocks() as own:
            outputs = self._taught_by.model(x, training=training)
        said, taught = self._asked(x)
        losses = lesson.inner_losses(own, taught, x["padding_mask"])
        if OUTPUTS in lesson.of:
            soft = SoftTargets(lesson.temperature)
            for name, logits in said.items():
                # Tables may have more rows than the vocabulary has pieces.
                width = min(logits.shape[-1], outputs[name].shape[-1])
                taught_logits = tf.stop_gradient(logits[..., :width])
                losses[soft_name(name)] = soft.call(taught_logits, outputs[name][..., :width])
        return {**outputs, **losses}

    def _asked(self, x: Mapping[str, Any]) -> tuple[dict[str, Any], Sequence[Called]]:
        """What the teachers say, the mean of them, and what the blocks of the last are given."""
        several: list[dict[str, Any]] = []
        taught: Sequence[Called] = ()
        for teacher in self._taught_by.teachers:
            with calls_of_blocks() as calls:
                several.append(teacher(x, training=False))
            taught = calls
        mean = {
            name: functools.reduce(operator.add, (one[name] for one in several)) / len(several)
            for name in self.said
        }
        return mean, taught


def _check(model: Any, teachers: Sequence[Any]) -> None:
    strange = [one for one in (model, *teachers) if not isinstance(one, BertPretrainer)]
    if strange or not teachers:
        came = f"a {type(strange[0]).__name__}" if strange else "there is no teacher"
        raise ValueError(
            f"A student and its teachers must be BertPretrainers, but {came}: give checkpoints of "
            "masked language models."
        )
    for teacher in teachers:
        both = model.sentence_objective and model.sentence_objective == teacher.sentence_objective
        if both and model.num_sequences != teacher.num_sequences:
            raise ValueError(
                f"A teacher must read rows of {model.num_sequences} sequences, as the student, but "
                f"num_sequences is {teacher.num_sequences}: make its BertPretrainer with as many."
            )

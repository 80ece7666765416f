"""Steps: what one task owns, from examples to answers and scores; training and serving share it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from keras_bert.models.encoder import Encoder
from keras_bert.tasks.examples import Example, Specs
from keras_bert.tasks.pooling import Pool
from keras_bert.text.subwords import SubwordTokenizer

if TYPE_CHECKING:
    from keras_bert.tasks.task import Task

Tensors = Mapping[str, tf.Tensor]
# Answers to several examples: what a task gives when it is called, or a dict of arrays [N, ...].
Answers = Sequence[Any] | Mapping[str, Any]


class Steps:
    """The steps of a task, which are TensorFlow operations on a batch:

        examples -> pieces -> features -> the model -> outputs -> answers

    A task's file has those that raise NotImplementedError here.
    """

    # Whether the head stands on the pooled output.
    USES_POOLER = True
    # Whether it stands on the encoder's `token_states`.
    LABELS_TOKENS = False
    # Whether the model's inputs have a row for each example, however long its texts are.
    ONE_ROW_EACH = True
    # What makes probabilities of its output: "softmax", "sigmoid"; "unit" makes directions of
    # vectors; None where it says no classes.
    ACTIVATION: str | None = None
    # Whether several that read alike may be pooled place by place of their rows, in any way.
    IS_POOLED_IN_ROWS = True
    # Whether a student learns its outputs of a teacher, and whether both must read the same rows.
    IS_TAUGHT = True
    IS_TAUGHT_BY_ROW = False
    # What may be done where examples are cut.
    IF_CUT = "choose a longer sequence_length"

    @property
    def example_spec(self) -> Specs:
        """What a batch of examples holds, by column."""
        raise NotImplementedError

    @property
    def other_spec(self) -> Specs:
        """What a batch may hold in place of `example_spec`: one of these columns."""
        return {}

    def tokenized(self, examples: Tensors) -> dict[str, tf.Tensor | tf.RaggedTensor]:
        """Strings to pieces.

        Args:
            examples: dict of tensors as `example_spec` says.

        Returns:
            dict of ids, ragged int32 [B, ..., (pieces)], and of what `packed` needs besides: an
            entry for each example. In training this is done once for all epochs.
        """
        raise NotImplementedError

    def packed(self, pieces: Tensors) -> dict[str, tf.Tensor]:
        """Pieces to rows.

        Args:
            pieces: what `tokenized` gave, or some entries of it.

        Returns:
            dict of the model's inputs, and of what `answers` and `targets` need besides.
        """
        raise NotImplementedError

    def features(self, examples: Tensors) -> dict[str, tf.Tensor]:
        """Strings to ids in rows: what `packed` makes of what `tokenized` gives.

        Args:
            examples: dict of tensors as `example_spec` says.
        """
        return self.packed(self.tokenized(examples))

    def num_tokens(self, pieces: Tensors) -> tf.Tensor:
        """How long the row of each example would be if nothing were cut, int [B].

        Args:
            pieces: what `tokenized` gave.
        """
        raise NotImplementedError

    def target_columns(self, examples: Sequence[Example]) -> dict[str, Any]:
        """What is to be learned, as columns with one entry an example.

        Raises:
            ValueError: an example has no label or a wrong one; the message names its source.
        """
        raise NotImplementedError

    def targets(
        self, columns: Tensors, features: Tensors
    ) -> tuple[dict[str, tf.Tensor], dict[str, tf.Tensor]]:
        """Labels and their weights for every output that has a loss.

        Args:
            columns: a batch of the `target_columns`, with float32 [B] `weight`.
            features: what `packed` made of it.
        """
        raise NotImplementedError

    def taught(self, outputs: Tensors, features: Tensors) -> dict[str, Any]:
        """The outputs with an entry for each example: what a student learns of them.

        Args:
            outputs: the model's.
            features: what `packed` made of the examples.

        Returns:
            dict of tensors [B, ...], perhaps ragged.
        """
        return dict(outputs)

    def soft_targets(self, columns: Tensors, features: Tensors) -> dict[str, tf.Tensor]:
        """What a teacher's `taught` gave, in the shape of the outputs that learn from it.

        Args:
            columns: a batch of it.
            features: what `packed` made of the same examples.
        """
        return dict(columns)

    def shared(self, outputs: Tensors, features: Tensors) -> dict[str, Any]:
        """What models that read otherwise say alike: an entry for each example, none of its rows.

        Args:
            outputs: the model's.
            features: what `packed` made of the examples.

        Returns:
            dict of tensors [B, ...], perhaps ragged.
        """
        return self.taught(outputs, features)

    def together(self, several: Sequence[Tensors], pool: Pool, features: Tensors) -> Tensors:
        """Outputs for `answers` of what several models say.

        Args:
            several: what the `shared` of each gave.
            pool: Pool.
            features: what this one's `packed` made of the examples.
        """
        pooled = {
            name: first.with_flat_values(pool([one[name].flat_values for one in several]))
            for name, first in several[0].items()
        }
        return self.soft_targets(pooled, features)

    def read_by_members(self, features: Tensors) -> dict[str, Any]:
        """What members of an ensemble read in place of what its examples have.

        Args:
            features: what this one's `packed` made of the examples.
        """
        return {}

    def objective(self) -> dict[str, Any]:
        """Losses and metrics, as keyword arguments of `compile`."""
        raise NotImplementedError

    def answers(self, outputs: Tensors, features: Tensors) -> dict[str, tf.Tensor]:
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
    def from_settings(
        cls,
        encoder: Encoder,
        tokenizer: SubwordTokenizer,
        settings: Mapping[str, Any],
        initializer=None,
    ) -> Task:
        """The task that `settings`, or transformers' config.json, describes.

        Args:
            encoder: Encoder.
            tokenizer: SubwordTokenizer.
            settings: content of config.json.
            initializer: initializer of the head; None is a normal one, as in transformers.
        """
        raise NotImplementedError

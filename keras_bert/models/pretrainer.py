"""BertPretrainer: an encoder with the heads and losses of pretraining."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import keras
from keras import ops

from keras_bert.layers.configured import registered
from keras_bert.layers.heads import FirstPositions, logits_policy
from keras_bert.layers.initializers import independent
from keras_bert.metrics import Perplexity
from keras_bert.metrics.streaming import LabelAccuracy
from keras_bert.models.encoder import Encoder, initializer_of
from keras_bert.models.inputs import check_call, with_segments
from keras_bert.models.saving import config_of, frozen, given_of
from keras_bert.training.trainable import Trainable

SENTENCE_OBJECTIVES = ("next_sentence", "sentence_order")


@registered
class BertPretrainer(Trainable):
    """Masked language model and, if wanted, a sentence objective, over one encoder.

    Next-sentence prediction is BERT's (Devlin et al. 2018, section 3.1), sentence order ALBERT's
    (Lan et al. 2019, arXiv:1909.11942), neither of them RoBERTa's (Liu et al. 2019,
    arXiv:1907.11692).

    Args:
        encoder: Encoder.
        sentence_objective: "next_sentence", "sentence_order" or None.
        initializer: initializer of the heads' matrices, which draws each anew; None is BERT's
            truncated normal.
        dtype: keras dtype policy of the heads; None takes the encoder's. Logits are float32
            under mixed_bfloat16 too.
        num_sequences: int, sequences K that a row may hold (`Packer.join`).

    Args (call):
        inputs: dict of int32: the encoder's inputs [B, T], and `mask_positions` [B, P], the
            positions whose pieces are to be predicted; it may hold more.

    Returns:
        dict of float logits: `masked_lm` [B, P, V], and, under the name of the sentence
        objective, [B, 2], or [B, K, 2] where K is greater than 1: column 0 for a true continuation,
        column 1 for a random or swapped one.

    Raises:
        ValueError: there is no such sentence objective, or `num_sequences` is smaller than 1.

    Example:

    >>> import keras_bert as kb
    >>> import numpy as np
    >>> config = kb.BertConfig(
    ...     vocabulary_size=97, num_layers=2, num_heads=3, hidden_dim=15, intermediate_dim=31
    ... )
    >>> model = kb.BertPretrainer(kb.BertEncoder(config), sentence_objective="next_sentence")
    >>> ids = np.ones([2, 7], "int32")
    >>> inputs = {"token_ids": ids, "segment_ids": 0 * ids, "padding_mask": ids}
    >>> logits = model({**inputs, "mask_positions": np.array([[1, 4, 5], [2, 3, 0]])})
    >>> {name: tuple(value.shape) for name, value in logits.items()}
    {'masked_lm': (2, 3, 97), 'next_sentence': (2, 2)}
    """

    def __init__(
        self,
        encoder: Encoder,
        sentence_objective: str | None = "next_sentence",
        initializer=None,
        dtype=None,
        num_sequences: int = 1,
        name: str = "pretrainer",
    ):
        _check_arguments(sentence_objective, num_sequences)
        policy = encoder.dtype_policy if dtype is None else keras.dtype_policies.get(dtype)
        initializer = independent(initializer or initializer_of(encoder.config))
        inputs = pretrainer_inputs(encoder)
        positions, num_first = inputs["mask_positions"], 0
        if sentence_objective is not None:
            num_first = num_sequences
            first = FirstPositions(num_first, name="first_positions")(inputs["padding_mask"])
            positions = ops.concatenate([first, positions], axis=1)
        states = encoder.states_at(inputs, positions)
        masked_lm = encoder.masked_lm_head(initializer, policy)
        outputs = {"masked_lm": masked_lm(states[:, num_first:])}
        if sentence_objective is not None:
            of_first = states[:, 0] if num_first == 1 else states[:, :num_first]
            outputs[sentence_objective] = keras.layers.Dense(
                2,
                kernel_initializer=initializer,
                dtype=logits_policy(policy),
                name=sentence_objective,
            )(encoder.pool(of_first))
        super().__init__(inputs=inputs, outputs=outputs, name=name)
        self.dtype_policy = policy
        self.encoder = encoder
        self.sentence_objective = sentence_objective
        self.num_sequences = num_sequences

    def __call__(self, inputs, *args, **options):
        check_call(self, options)
        if isinstance(inputs, Mapping):  # it may hold more, segments of no use, say
            names = (*self.encoder.INPUTS, "mask_positions")
            inputs = {name: x for name, x in inputs.items() if name in names}
        return super().__call__(with_segments(inputs, self.encoder.INPUTS), *args, **options)

    @property
    def idle_layers(self) -> Sequence[keras.layers.Layer]:
        """The encoder's pooler, where there is no sentence objective to train it."""
        return () if self.sentence_objective else self.encoder.pooling_layers

    def new_inputs(self) -> dict[str, keras.KerasTensor]:
        """Fresh symbolic inputs by name: the encoder's, and `mask_positions`, int32 [B, P]."""
        return pretrainer_inputs(self.encoder)

    def on(self, encoder: Encoder) -> BertPretrainer:
        """A pretrainer of the same kind, with heads of its own, on another encoder."""
        return BertPretrainer(
            encoder, self.sentence_objective, num_sequences=self.num_sequences, name=self.name
        )

    def get_config(self) -> dict[str, Any]:
        """What makes the pretrainer anew, for Keras' files."""
        return config_of(
            self,
            encoder=self.encoder,
            sentence_objective=self.sentence_objective,
            dtype=self.dtype_policy,
            num_sequences=self.num_sequences,
        )

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> BertPretrainer:
        """A pretrainer of what `get_config` gave, with fresh weights."""
        return frozen(cls(**given_of(config)), config)

    def objective(self, sentence_weight: float = 1.0) -> dict:
        """Losses and metrics, as keyword arguments of `compile`.

        Args:
            sentence_weight: float, the weight of the sentence objective beside the masked language
                model's 1 in the joint loss.

        Returns:
            dict of `loss`, `loss_weights` and `weighted_metrics`.

        Example:

        >>> import keras_bert as kb
        >>> config = kb.BertConfig(
        ...     vocabulary_size=97, num_layers=2, num_heads=3, hidden_dim=15, intermediate_dim=31
        ... )
        >>> model = kb.BertPretrainer(kb.BertEncoder(config))
        >>> model.compile(kb.AdamW(1e-4), **model.objective(sentence_weight=0.5))
        """
        if not sentence_weight >= 0:
            raise ValueError(f"sentence_weight must be at least 0, not {sentence_weight!r}.")
        names = [name for name in ("masked_lm", self.sentence_objective) if name]
        metrics = {name: [LabelAccuracy(name="accuracy")] for name in names}
        metrics["masked_lm"].append(Perplexity(name="perplexity"))
        return {
            "loss": {
                name: keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction="sum")
                for name in names
            },
            "loss_weights": {
                name: 1.0 if name == "masked_lm" else float(sentence_weight) for name in names
            },
            "weighted_metrics": metrics,
        }


def pretrainer_inputs(encoder: Encoder) -> dict[str, keras.KerasTensor]:
    """An encoder's symbolic inputs and `mask_positions`, int32 [B, P]."""
    positions = keras.Input((None,), dtype="int32", name="mask_positions")
    return {**encoder.new_inputs(), "mask_positions": positions}


def _check_arguments(sentence_objective: str | None, num_sequences: int) -> None:
    if sentence_objective not in (*SENTENCE_OBJECTIVES, None):
        raise ValueError(
            f"sentence_objective must be one of {SENTENCE_OBJECTIVES} or None, "
            f"not {sentence_objective!r}."
        )
    if num_sequences < 1:
        raise ValueError(f"num_sequences must be at least 1, not {num_sequences!r}.")

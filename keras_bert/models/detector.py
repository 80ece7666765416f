"""ReplacedTokenDetector: which tokens of a text another model has put there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras

from keras_bert.layers.activations import ActivatedDense
from keras_bert.layers.configured import registered
from keras_bert.layers.heads import logits_policy
from keras_bert.layers.initializers import independent
from keras_bert.models.encoder import Encoder, initializer_of
from keras_bert.models.inputs import check_call, with_segments
from keras_bert.models.saving import config_of, frozen, given_of
from keras_bert.training.trainable import Trainable


@registered
class ReplacedTokenDetector(Trainable):
    """An encoder with a discriminator's head: is a token the text's own, or was it replaced?

    "ELECTRA" (Clark et al. 2020, arXiv:2003.10555), section 3.1. What it says of a token is no
    word: blanks are filled by masked language models, a generator say.

    Args:
        encoder: Encoder.
        initializer: initializer of the head's matrices, which draws each anew; None is BERT's
            truncated normal.
        dtype: keras dtype policy of the head; None takes the encoder's. Logits are float32
            under mixed_bfloat16 too.

    Args (call):
        inputs: dict of int32 [B, T], the encoder's inputs.

    Returns:
        dict of `replaced_tokens` float [B, T], logits: positive where a token was replaced.

    Example:

    >>> import keras_bert as kb
    >>> import numpy as np
    >>> config = kb.ElectraConfig(
    ...     vocabulary_size=97, num_layers=2, num_heads=3, hidden_dim=15, intermediate_dim=31
    ... )
    >>> model = kb.ReplacedTokenDetector(kb.ElectraEncoder(config))
    >>> ids = np.ones([2, 7], "int32")
    >>> logits = model({"token_ids": ids, "segment_ids": 0 * ids, "padding_mask": ids})
    >>> tuple(logits["replaced_tokens"].shape)
    (2, 7)
    """

    def __init__(
        self, encoder: Encoder, initializer=None, dtype=None, name: str = "replaced_token_detector"
    ):
        config = encoder.config
        policy = encoder.dtype_policy if dtype is None else keras.dtype_policies.get(dtype)
        initializer = independent(initializer or initializer_of(config))
        inputs = encoder.new_inputs()
        dense = ActivatedDense(
            config.hidden_dim,
            config.activation,
            kernel_initializer=initializer,
            dtype=policy,
            name="replaced_tokens_dense",
        )
        logits = keras.layers.Dense(
            1, kernel_initializer=initializer, dtype=logits_policy(policy), name="replaced_tokens"
        )(dense(encoder(inputs)["sequence_output"]))
        super().__init__(inputs=inputs, outputs={"replaced_tokens": logits[..., 0]}, name=name)
        self.dtype_policy = policy
        self.encoder = encoder

    def __call__(self, inputs, *args, **options):
        check_call(self, options)
        return super().__call__(with_segments(inputs, self.encoder.INPUTS), *args, **options)

    @property
    def idle_layers(self) -> Sequence[keras.layers.Layer]:
        """The encoder's pooler."""
        return self.encoder.pooling_layers

    def on(self, encoder: Encoder) -> ReplacedTokenDetector:
        """A detector with a head of its own, on another encoder."""
        return ReplacedTokenDetector(encoder, name=self.name)

    def get_config(self) -> dict[str, Any]:
        """What makes the detector anew, for Keras' files."""
        return config_of(self, encoder=self.encoder, dtype=self.dtype_policy)

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> ReplacedTokenDetector:
        """A detector of what `get_config` gave, with fresh weights."""
        return frozen(cls(**given_of(config)), config)

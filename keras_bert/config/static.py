"""StaticConfig: what a table of vectors is made of."""

from __future__ import annotations

import dataclasses

from keras_bert.config.encoder import EncoderConfig


@dataclasses.dataclass(frozen=True, kw_only=True)
class StaticConfig(EncoderConfig):
    """A table of vectors: there are no blocks, heads or positions, and no dropout.

    Args:
        vocabulary_size: int, V.
        hidden_dim: int, D.
        max_sequence_length: int, the most pieces of a text.

    Raises:
        ValueError: a number is none, or smaller than 1.

    Example:

    >>> import keras_bert as kb
    >>> kb.StaticConfig(vocabulary_size=97).num_layers
    0
    """

    num_layers: int = 0
    num_heads: int = 1
    hidden_dim: int = 256
    intermediate_dim: int = 1
    max_sequence_length: int = 2048
    dropout: float = 0.0
    attention_dropout: float = 0.0

    def __post_init__(self):
        super().__post_init__()
        if self.num_layers:
            raise ValueError(f"num_layers of a table of vectors must be 0, not {self.num_layers}.")

    def _check_count(self, name: str, least: int = 1) -> None:
        super()._check_count(name, 0 if name == "num_layers" else least)

"""RobertaConfig: what a RoBERTa is made of."""

from __future__ import annotations

import dataclasses

from keras_bert.config.encoder import BASE, LARGE, SMALLER, EncoderConfig


@dataclasses.dataclass(frozen=True, kw_only=True)
class RobertaConfig(EncoderConfig):
    """What a RoBERTa is made of (Liu et al. 2019, arXiv:1907.11692).

    Args: those of `EncoderConfig`, and
        num_segments: int, rows of the segments' table, of which the first one is used.
        padding_id: int, the id of padding; the table of positions has so many rows and one more
            before that of a text's first token.

    Example:

    >>> import keras_bert as kb
    >>> config = kb.RobertaConfig.preset("base")
    >>> config.max_sequence_length, config.num_position_rows
    (512, 514)
    """

    # distil is that of Sanh et al. 2019, xlm_base and xlm_large those of Conneau et al. 2020
    # (arXiv:1911.02116); the smaller ones were published of BERT alone.
    PRESETS = {
        **SMALLER,
        "distil": {**BASE, "num_layers": 6},
        "base": BASE,
        "large": LARGE,
        "xlm_base": {**BASE, "vocabulary_size": 250002},
        "xlm_large": {**LARGE, "vocabulary_size": 250002},
    }

    vocabulary_size: int = 50265
    norm_epsilon: float = 1e-5
    num_segments: int = 1
    padding_id: int = 1

    def __post_init__(self):
        super().__post_init__()
        self._check_count("num_segments")
        self._check_count("padding_id", least=0)

    @property
    def first_position(self) -> int:
        """The row of the table of positions for the first token of a text."""
        return self.padding_id + 1

    @property
    def num_position_rows(self) -> int:
        """How many rows the table of positions has."""
        return self.max_sequence_length + self.first_position

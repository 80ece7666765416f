"""BertConfig: what a BERT is made of."""

from __future__ import annotations

import dataclasses

from keras_bert.config.encoder import BASE, LARGE, SMALLER, EncoderConfig

POSITIONS = ("learned", "sinusoidal", "rotary")


@dataclasses.dataclass(frozen=True, kw_only=True)
class BertConfig(EncoderConfig):
    """What a BERT is made of ("BERT: Pre-training of Deep Bidirectional Transformers", 2018).

    Args: those of `EncoderConfig`, and
        num_segments: int, number of segment ids.
        norm_first: bool, whether blocks normalize their input (pre-norm) and not their output.
        positions: "learned" (a table, BERT's), "sinusoidal" (Vaswani et al. 2017), or "rotary" (Su
            et al. 2021), which stand in no embedding: attention turns queries and keys.

    Raises:
        ValueError: a field is out of its range, or `num_heads` does not divide `hidden_dim`.

    Example:

    >>> import keras_bert as kb
    >>> config = kb.BertConfig.preset("tiny")
    >>> config.hidden_dim, config.head_dim
    (128, 64)
    >>> import dataclasses
    >>> dataclasses.replace(config, vocabulary_size=8000).vocabulary_size
    8000
    """

    PRESETS = {**SMALLER, "base": BASE, "large": LARGE}

    num_segments: int = 2
    norm_first: bool = False
    positions: str = "learned"

    def __post_init__(self):
        super().__post_init__()
        self._check_count("num_segments")
        if not isinstance(self.norm_first, bool):
            raise ValueError(f"norm_first must be true or false, not {self.norm_first!r}.")
        self._check_choice("positions", POSITIONS)
        if self.positions == "sinusoidal" and self.hidden_dim % 2:
            raise ValueError(
                f"hidden_dim must be even for sinusoidal positions, not {self.hidden_dim}: "
                "half of the dimensions are sines, half cosines."
            )
        if self.positions == "rotary":
            self._check_turns()

"""ModernBertConfig: what a ModernBERT is made of."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

from keras_bert.config.encoder import EncoderConfig, is_number, sizes

POOLINGS = ("cls", "mean")


@dataclasses.dataclass(frozen=True, kw_only=True)
class ModernBertConfig(EncoderConfig):
    """What a ModernBERT is made of (Warner et al. 2024, arXiv:2412.13663).

    Args: those of `EncoderConfig`, and
        global_every: int, of so many blocks the first one sees all tokens, the others those near.
        local_window: int, how many tokens a local block sees, half of them to each side.
        global_base, local_base: float, bases of the rotary positions of either kind of block.
        pooling: "cls" or "mean", what stands for a text before the head.

    Example:

    >>> import keras_bert as kb
    >>> config = kb.ModernBertConfig.preset("base")
    >>> [config.is_global(layer) for layer in range(4)]
    [True, False, False, True]
    """

    # The two smallest were never published: base's proportions in the widths of Turc et al. 2019.
    PRESETS = {
        "tiny": sizes(2, 2, 128, 192),
        "mini": sizes(4, 4, 256, 384),
        "base": sizes(22, 12, 768, 1152),
        "large": sizes(28, 16, 1024, 2624),
    }

    vocabulary_size: int = 50368
    num_layers: int = 22
    intermediate_dim: int = 1152
    max_sequence_length: int = 8192
    dropout: float = 0.0
    attention_dropout: float = 0.0
    norm_epsilon: float = 1e-5
    global_every: int = 3
    local_window: int = 128
    global_base: float = 160000.0
    local_base: float = 10000.0
    pooling: str = "cls"

    def __post_init__(self):
        super().__post_init__()
        self._check_count("global_every")
        self._check_count("local_window")
        self._check_choice("pooling", POOLINGS)
        for name in ("global_base", "local_base"):
            if not (is_number(getattr(self, name)) and 1 < getattr(self, name) < math.inf):
                raise ValueError(f"{name} must be a number above 1, not {getattr(self, name)!r}.")
        self._check_turns()

    def is_global(self, layer: int) -> bool:
        """Whether a block, counted from 0, sees all tokens."""
        return layer % self.global_every == 0

    def of_layers(self, layers: Sequence[int]) -> ModernBertConfig:
        if list(layers) != list(range(len(layers))):
            raise ValueError(
                "Blocks of a ModernBERT differ by their places (the first has no norm before its "
                f"attention, every {self.global_every}. sees all tokens): leave out the last ones, "
                f"and do not keep {list(layers)} of {self.num_layers}."
            )
        return super().of_layers(layers)

    def block_flops(self, layer: int, sequence_length: int) -> tuple[int, int]:
        if not self.is_global(layer):
            sequence_length = min(sequence_length, 2 * (self.local_window // 2) + 1)
        keys_and_values, rest = super().block_flops(layer, sequence_length)
        # The first half of its feed-forward network is twice as wide.
        return keys_and_values, rest + 2 * self.hidden_dim * self.intermediate_dim_of(layer)

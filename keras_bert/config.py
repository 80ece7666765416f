"""Architectures: every constant of them is written here and nowhere else."""

from __future__ import annotations

import dataclasses
import math
import numbers
from typing import Any

ACTIVATIONS = ("gelu", "gelu_tanh", "relu")
POSITIONS = ("learned", "sinusoidal")

# Published sizes: num_layers, num_heads, hidden_dim and intermediate_dim. Base and large are of
# Devlin et al. 2018 (table 1's models), the smaller ones of Turc et al. 2019 (arXiv:1908.08962).
PRESETS = {
    "tiny": (2, 2, 128, 512),
    "mini": (4, 4, 256, 1024),
    "small": (4, 8, 512, 2048),
    "medium": (8, 8, 512, 2048),
    "base": (12, 12, 768, 3072),
    "large": (24, 16, 1024, 4096),
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class EncoderConfig:
    """What the encoders of all families have: a config is a subclass, one for each architecture.

    What stands on an encoder reads these fields alone.

    Args:
        vocabulary_size: int, number of pieces V.
        num_layers: int, number of blocks L.
        num_heads: int, attention heads N of a block; divides `hidden_dim`.
        hidden_dim: int, width D of the residual stream.
        intermediate_dim: int, width F inside a block's feed-forward network.
        max_sequence_length: int, number of positions the model knows.
        activation: "gelu" (erf, the Hub's), "gelu_tanh" (Google's code) or "relu".
        dropout: float in [0, 1), dropout of hidden states.
        attention_dropout: float in [0, 1), dropout of attention probabilities.
        initializer_range: float, standard deviation of the truncated normal of fresh weights.
        norm_epsilon: float, added to the variance in every layer norm.

    Raises:
        ValueError: a field is out of its range, or `num_heads` does not divide `hidden_dim`.
    """

    vocabulary_size: int = 30522
    num_layers: int = 12
    num_heads: int = 12
    hidden_dim: int = 768
    intermediate_dim: int = 3072
    max_sequence_length: int = 512
    activation: str = "gelu"
    dropout: float = 0.1
    attention_dropout: float = 0.1
    initializer_range: float = 0.02
    norm_epsilon: float = 1e-12

    def __post_init__(self):
        sizes = ("vocabulary_size", "num_layers", "num_heads", "hidden_dim", "intermediate_dim")
        for name in (*sizes, "max_sequence_length"):
            self._check_count(name)
        for name in ("dropout", "attention_dropout"):
            if not (_is_number(getattr(self, name)) and 0 <= getattr(self, name) < 1):
                raise ValueError(f"{name} must lie in [0, 1), not {getattr(self, name)!r}.")
        for name in ("initializer_range", "norm_epsilon"):
            if not (_is_number(getattr(self, name)) and 0 < getattr(self, name) < math.inf):
                raise ValueError(
                    f"{name} must be a positive number, not {getattr(self, name)!r}: BERT has "
                    f"{getattr(EncoderConfig, name)}."
                )
        self._check_choice("activation", ACTIVATIONS)
        if self.hidden_dim % self.num_heads:
            raise ValueError(
                f"hidden_dim must be a multiple of num_heads, but {self.hidden_dim} is not one of "
                f"{self.num_heads}: choose another number of heads (BERT uses hidden_dim / 64)."
            )

    @property
    def head_dim(self) -> int:
        """Width H of one attention head."""
        return self.hidden_dim // self.num_heads

    def _check_count(self, name: str) -> None:
        value = getattr(self, name)
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ValueError(f"{name} must be a whole number of at least 1, not {value!r}.")

    def _check_choice(self, name: str, choices: tuple[str, ...]) -> None:
        if getattr(self, name) not in choices:
            raise ValueError(f"{name} must be one of {choices}, not {getattr(self, name)!r}.")


@dataclasses.dataclass(frozen=True, kw_only=True)
class BertConfig(EncoderConfig):
    """What a BERT is made of ("BERT: Pre-training of Deep Bidirectional Transformers", 2018).

    Args: those of `EncoderConfig`, and
        num_segments: int, number of segment ids.
        norm_first: bool, whether blocks normalize their input (pre-norm) and not their output.
        positions: "learned" (a table, BERT's) or "sinusoidal" (Vaswani et al. 2017).

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

    @classmethod
    def preset(cls, name: str) -> BertConfig:
        """The published size `name`: tiny, mini, small, medium, base or large.

        Raises:
            ValueError: there is no such size.
        """
        if name not in PRESETS:
            raise ValueError(f"A preset is one of {tuple(PRESETS)}, not {name!r}.")
        num_layers, num_heads, hidden_dim, intermediate_dim = PRESETS[name]
        return cls(
            num_layers=num_layers,
            num_heads=num_heads,
            hidden_dim=hidden_dim,
            intermediate_dim=intermediate_dim,
        )


def num_training_flops(config: EncoderConfig, sequence_length: int, num_predictions: int) -> int:
    """Floating-point operations of one training step on one row, by formula.

    A product of [m, k] with [k, n] is 2 m k n operations; the backward pass costs twice the
    forward one. Of a block: 4 projections of D x D and 2 of D x F for each of T tokens, and the two
    products of T x T attention; of the last one, only keys and values are needed of every token,
    and the rest for P predictions; of the head: D x D and D x V for each of these. Element-wise
    work is not counted, as is usual for model FLOPs.

    Args:
        config: EncoderConfig of blocks with these products, as BERT's have them.
        sequence_length: int, T.
        num_predictions: int, P.

    Returns:
        int, 3 (forward + backward) times the forward operations.

    Example:

    >>> import keras_bert as kb
    >>> kb.num_training_flops(kb.BertConfig.preset("base"), sequence_length=128, num_predictions=20)
    65975980032
    """
    hidden, intermediate = config.hidden_dim, config.intermediate_dim
    keys_and_values = 4 * hidden**2
    rest = 4 * hidden**2 + 4 * hidden * intermediate + 4 * sequence_length * hidden
    head = 2 * hidden**2 + 2 * hidden * config.vocabulary_size
    per_token = config.num_layers * (keys_and_values + rest) - rest
    return 3 * (sequence_length * per_token + num_predictions * (rest + head))


def _is_number(value: Any) -> bool:
    return isinstance(value, numbers.Real) and not isinstance(value, bool)

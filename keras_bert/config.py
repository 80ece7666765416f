"""Architectures: every constant of them is written here and nowhere else."""

from __future__ import annotations

import dataclasses
import math
import numbers
from collections.abc import Mapping
from typing import Any, ClassVar, TypeVar

ACTIVATIONS = ("gelu", "gelu_tanh", "relu")
POSITIONS = ("learned", "sinusoidal")
POOLINGS = ("cls", "mean")

Config = TypeVar("Config", bound="EncoderConfig")


def _sizes(
    num_layers: int, num_heads: int, hidden_dim: int, intermediate_dim: int, **others: Any
) -> dict[str, Any]:
    return {
        "num_layers": num_layers,
        "num_heads": num_heads,
        "hidden_dim": hidden_dim,
        "intermediate_dim": intermediate_dim,
        **others,
    }


# Of Turc et al. 2019 (arXiv:1908.08962).
SMALLER = {
    "tiny": _sizes(2, 2, 128, 512),
    "mini": _sizes(4, 4, 256, 1024),
    "small": _sizes(4, 8, 512, 2048),
    "medium": _sizes(8, 8, 512, 2048),
}
# Base and large of Devlin et al. 2018 (table 1's models), which others have too.
BASE, LARGE = _sizes(12, 12, 768, 3072), _sizes(24, 16, 1024, 4096)


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

    # The published sizes by their names, as fields that differ from the defaults.
    PRESETS: ClassVar[Mapping[str, Mapping[str, Any]]] = {}

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
                    f"{name} must be a positive number, not {getattr(self, name)!r}: the published "
                    f"models have {getattr(type(self), name)}."
                )
        self._check_choice("activation", ACTIVATIONS)
        if self.hidden_dim % self.num_heads:
            raise ValueError(
                f"hidden_dim must be a multiple of num_heads, but {self.hidden_dim} is not one of "
                f"{self.num_heads}: choose another number of heads (BERT uses hidden_dim / 64)."
            )

    @classmethod
    def preset(cls: type[Config], name: str) -> Config:
        """The published size of a name, such as "base".

        Raises:
            ValueError: there is no such size.
        """
        if name not in cls.PRESETS:
            raise ValueError(f"A preset is one of {tuple(cls.PRESETS)}, not {name!r}.")
        return cls(**cls.PRESETS[name])

    @property
    def head_dim(self) -> int:
        """Width H of one attention head."""
        return self.hidden_dim // self.num_heads

    def embedding_flops(self) -> int:
        """Operations of the embeddings' products for a token: see `num_training_flops`."""
        return 0

    def block_flops(self, layer: int, sequence_length: int) -> tuple[int, int]:
        """Operations of a block's products for a token.

        Args:
            layer: int, which block, from 0 on.
            sequence_length: int, tokens T of a row.

        Returns:
            Those of keys and values, which every token needs, and those of all the rest.
        """
        hidden = self.hidden_dim
        feed_forward = 4 * hidden * self.intermediate_dim
        return 4 * hidden**2, 4 * hidden**2 + feed_forward + 4 * sequence_length * hidden

    def head_flops(self) -> int:
        """Operations of the products of a masked language model's head, for a prediction."""
        return 2 * self.hidden_dim**2 + 2 * self.hidden_dim * self.vocabulary_size

    def _check_count(self, name: str, least: int = 1) -> None:
        value = getattr(self, name)
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise ValueError(f"{name} must be a whole number of at least {least}, not {value!r}.")

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


@dataclasses.dataclass(frozen=True, kw_only=True)
class DistilBertConfig(EncoderConfig):
    """What a DistilBERT is made of (Sanh et al. 2019, arXiv:1910.01108).

    Args: those of `EncoderConfig`; there are no segments.

    Example:

    >>> import keras_bert as kb
    >>> kb.DistilBertConfig.preset("base").num_layers
    6
    """

    PRESETS = {"base": {**BASE, "num_layers": 6}}

    num_layers: int = 6


@dataclasses.dataclass(frozen=True, kw_only=True)
class ElectraConfig(EncoderConfig):
    """What an ELECTRA is made of (Clark et al. 2020, arXiv:2003.10555), of either kind.

    Args: those of `EncoderConfig`, and
        num_segments: int, number of segment ids.
        embedding_dim: int, width E of the embeddings; where it is not `hidden_dim` they are
            projected to that.

    Example:

    >>> import keras_bert as kb
    >>> config = kb.ElectraConfig.preset("small")
    >>> config.embedding_dim, config.hidden_dim
    (128, 256)
    """

    PRESETS = {
        **{name: {**SMALLER[name], "embedding_dim": 128} for name in ("tiny", "mini")},
        "small": _sizes(12, 4, 256, 1024, embedding_dim=128),
        "base": {**BASE, "embedding_dim": 768},
        "large": {**LARGE, "embedding_dim": 1024},
    }

    num_heads: int = 4
    hidden_dim: int = 256
    intermediate_dim: int = 1024
    num_segments: int = 2
    embedding_dim: int = 128

    def __post_init__(self):
        super().__post_init__()
        self._check_count("num_segments")
        self._check_count("embedding_dim")

    @property
    def is_projected(self) -> bool:
        """Whether embeddings have another width than hidden states."""
        return self.embedding_dim != self.hidden_dim

    def embedding_flops(self) -> int:
        return 2 * self.embedding_dim * self.hidden_dim if self.is_projected else 0

    def head_flops(self) -> int:
        return 2 * self.embedding_dim * (self.hidden_dim + self.vocabulary_size)


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

    PRESETS = {"base": _sizes(22, 12, 768, 1152), "large": _sizes(28, 16, 1024, 2624)}

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
            if not (_is_number(getattr(self, name)) and 1 < getattr(self, name) < math.inf):
                raise ValueError(f"{name} must be a number above 1, not {getattr(self, name)!r}.")
        if self.head_dim % 2:
            raise ValueError(
                f"Heads must have an even width for rotary positions, but hidden_dim / num_heads "
                f"is {self.head_dim}: choose another number of heads."
            )

    @property
    def gated_dim(self) -> int:
        """Width of both halves of a gated feed-forward network."""
        return 2 * self.intermediate_dim

    def is_global(self, layer: int) -> bool:
        """Whether a block, counted from 0, sees all tokens."""
        return layer % self.global_every == 0

    def block_flops(self, layer: int, sequence_length: int) -> tuple[int, int]:
        hidden, seen = self.hidden_dim, sequence_length
        if not self.is_global(layer):
            seen = min(seen, 2 * (self.local_window // 2) + 1)
        feed_forward = 6 * hidden * self.intermediate_dim  # its first half is twice as wide
        return 4 * hidden**2, 4 * hidden**2 + feed_forward + 4 * seen * hidden


def num_training_flops(config: EncoderConfig, sequence_length: int, num_predictions: int) -> int:
    """Floating-point operations of one training step on one row, by formula.

    A product of [m, k] with [k, n] is 2 m k n operations; the backward pass costs twice the
    forward one. Of BERT's blocks: 4 projections of D x D and 2 of D x F for each of T tokens, and
    the two products of T x T attention; of the last one, only keys and values are needed of every
    token, and the rest for P predictions; of the head: D x D and D x V for each of these. A config
    says what its own blocks have, of a local one what it sees. Element-wise work is not counted,
    as is usual for model FLOPs.

    Args:
        config: EncoderConfig.
        sequence_length: int, T.
        num_predictions: int, P.

    Returns:
        int, 3 (forward + backward) times the forward operations.

    Example:

    >>> import keras_bert as kb
    >>> kb.num_training_flops(kb.BertConfig.preset("base"), sequence_length=128, num_predictions=20)
    65975980032
    """
    blocks = [config.block_flops(i, sequence_length) for i in range(config.num_layers)]
    _, last = blocks[-1]
    per_token = config.embedding_flops() + sum(map(sum, blocks)) - last
    return 3 * (sequence_length * per_token + num_predictions * (last + config.head_flops()))


def _is_number(value: Any) -> bool:
    return isinstance(value, numbers.Real) and not isinstance(value, bool)

"""EncoderConfig: what the encoders of all families are made of, and the published sizes."""

from __future__ import annotations

import dataclasses
import math
import numbers
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, TypeVar

ACTIVATIONS = ("gelu", "gelu_tanh", "relu")

Config = TypeVar("Config", bound="EncoderConfig")


def sizes(
    num_layers: int, num_heads: int, hidden_dim: int, intermediate_dim: int, **others: Any
) -> dict[str, Any]:
    """A published size, as fields of a config.

    Example:

    >>> from keras_bert.config.encoder import sizes
    >>> sizes(12, 4, 256, 1024, embedding_dim=128)["embedding_dim"]
    128
    """
    return {
        "num_layers": num_layers,
        "num_heads": num_heads,
        "hidden_dim": hidden_dim,
        "intermediate_dim": intermediate_dim,
        **others,
    }


# Of Turc et al. 2019 (arXiv:1908.08962).
SMALLER = {
    "tiny": sizes(2, 2, 128, 512),
    "mini": sizes(4, 4, 256, 1024),
    "small": sizes(4, 8, 512, 2048),
    "medium": sizes(8, 8, 512, 2048),
}
# Base and large of Devlin et al. 2018 (table 1's models), which others have too.
BASE, LARGE = sizes(12, 12, 768, 3072), sizes(24, 16, 1024, 4096)


def is_number(value: Any) -> bool:
    """Whether a value is a real number; true and false are none."""
    return isinstance(value, numbers.Real) and not isinstance(value, bool)


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
        layer_heads: tuple of int, heads of each block where some were pruned; a head keeps its
            width of `hidden_dim / num_heads`. None: all have `num_heads`.
        layer_intermediate_dims: tuple of int, the same of `intermediate_dim`.

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
    layer_heads: tuple[int, ...] | None = None
    layer_intermediate_dims: tuple[int, ...] | None = None

    def __post_init__(self):
        sizes = ("vocabulary_size", "num_layers", "num_heads", "hidden_dim", "intermediate_dim")
        for name in (*sizes, "max_sequence_length"):
            self._check_count(name)
        for name in ("dropout", "attention_dropout"):
            if not (is_number(getattr(self, name)) and 0 <= getattr(self, name) < 1):
                raise ValueError(f"{name} must lie in [0, 1), not {getattr(self, name)!r}.")
        for name in ("initializer_range", "norm_epsilon"):
            if not (is_number(getattr(self, name)) and 0 < getattr(self, name) < math.inf):
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
        self._check_of_layers("layer_heads", self.num_heads)
        self._check_of_layers("layer_intermediate_dims", self.intermediate_dim)

    @classmethod
    def preset(cls: type[Config], name: str) -> Config:
        """The published size of a name, such as "base".

        Raises:
            ValueError: there is no such size.
        """
        if name not in cls.PRESETS:
            raise ValueError(f"A preset is one of {tuple(cls.PRESETS)}, not {name!r}.")
        return cls(**cls.PRESETS[name])

    def with_dropout(self: Config, dropout: float | None) -> Config:
        """The same with a dropout of hidden states and attention; None changes nothing."""
        if dropout is None:
            return self
        return dataclasses.replace(self, dropout=dropout, attention_dropout=dropout)

    @property
    def head_dim(self) -> int:
        """Width H of one attention head."""
        return self.hidden_dim // self.num_heads

    @property
    def is_pruned(self) -> bool:
        """Whether blocks have sizes of their own."""
        return self.layer_heads is not None or self.layer_intermediate_dims is not None

    def embedding_flops(self) -> int:
        """Operations of the embeddings' products for a token: see `num_training_flops`."""
        return 0

    def heads_of(self, layer: int) -> int:
        """How many heads a block has, counted from 0."""
        return self.layer_heads[layer] if self.layer_heads else self.num_heads

    def intermediate_dim_of(self, layer: int) -> int:
        """Width inside a block's feed-forward network."""
        own = self.layer_intermediate_dims
        return own[layer] if own else self.intermediate_dim

    def of_layers(self: Config, layers: Sequence[int]) -> Config:
        """A config of some of the blocks, in this order."""
        own: dict[str, Any] = {
            name: tuple(getattr(self, name)[layer] for layer in layers)
            for name in ("layer_heads", "layer_intermediate_dims")
            if getattr(self, name)
        }
        return dataclasses.replace(self, num_layers=len(layers), **own)

    def block_flops(self, layer: int, sequence_length: int) -> tuple[int, int]:
        """Operations of a block's products for a token.

        Args:
            layer: int, which block, from 0 on.
            sequence_length: int, tokens T of a row.

        Returns:
            Those of keys and values, which every token needs, and those of all the rest.
        """
        hidden, heads = self.hidden_dim, self.heads_of(layer) * self.head_dim
        feed_forward = 4 * hidden * self.intermediate_dim_of(layer)
        return 4 * hidden * heads, 4 * hidden * heads + feed_forward + 4 * sequence_length * heads

    def head_flops(self) -> int:
        """Operations of the products of a masked language model's head, for a prediction."""
        return 2 * self.hidden_dim**2 + 2 * self.hidden_dim * self.vocabulary_size

    def _check_count(self, name: str, least: int = 1) -> None:
        value = getattr(self, name)
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise ValueError(f"{name} must be a whole number of at least {least}, not {value!r}.")

    def _check_of_layers(self, name: str, most: int) -> None:
        """A list, as JSON has it, becomes a tuple."""
        sizes = getattr(self, name)
        if sizes is None:
            return
        if not (
            isinstance(sizes, list | tuple)
            and len(sizes) == self.num_layers
            and all(type(size) is int and 1 <= size <= most for size in sizes)
        ):
            raise ValueError(
                f"{name} must be {self.num_layers} whole numbers from 1 to {most}, one of each "
                f"block, not {sizes!r}."
            )
        object.__setattr__(self, name, tuple(sizes))

    def _check_turns(self) -> None:
        """Refuses heads whose dimensions make no pairs, which rotary positions turn."""
        if self.head_dim % 2:
            raise ValueError(
                f"Heads must have an even width for rotary positions, but hidden_dim / num_heads "
                f"is {self.head_dim}: choose another number of heads."
            )

    def _check_choice(self, name: str, choices: tuple[str, ...]) -> None:
        if getattr(self, name) not in choices:
            raise ValueError(f"{name} must be one of {choices}, not {getattr(self, name)!r}.")

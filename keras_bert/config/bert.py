"""BertConfig: what a BERT is made of."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from keras_bert.config.encoder import BASE, LARGE, SMALLER, EncoderConfig

POSITIONS = ("learned", "sinusoidal")


@dataclasses.dataclass(frozen=True, kw_only=True)
class BertConfig(EncoderConfig):
    """What a BERT is made of ("BERT: Pre-training of Deep Bidirectional Transformers", 2018).

    Args: those of `EncoderConfig`, and
        num_segments: int, number of segment ids.
        norm_first: bool, whether blocks normalize their input (pre-norm) and not their output.
        positions: "learned" (a table, BERT's) or "sinusoidal" (Vaswani et al. 2017).
        layer_heads: tuple of int, heads of each block where some were pruned; a head keeps its
            width of `hidden_dim / num_heads`. None: all have `num_heads`.
        layer_intermediate_dims: tuple of int, the same of `intermediate_dim`.

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
    layer_heads: tuple[int, ...] | None = None
    layer_intermediate_dims: tuple[int, ...] | None = None

    def __post_init__(self):
        super().__post_init__()
        self._check_count("num_segments")
        self._check_of_layers("layer_heads", self.num_heads)
        self._check_of_layers("layer_intermediate_dims", self.intermediate_dim)
        if not isinstance(self.norm_first, bool):
            raise ValueError(f"norm_first must be true or false, not {self.norm_first!r}.")
        self._check_choice("positions", POSITIONS)
        if self.positions == "sinusoidal" and self.hidden_dim % 2:
            raise ValueError(
                f"hidden_dim must be even for sinusoidal positions, not {self.hidden_dim}: "
                "half of the dimensions are sines, half cosines."
            )

    @property
    def is_pruned(self) -> bool:
        """Whether blocks have sizes of their own."""
        return self.layer_heads is not None or self.layer_intermediate_dims is not None

    def heads_of(self, layer: int) -> int:
        return self.layer_heads[layer] if self.layer_heads else self.num_heads

    def intermediate_dim_of(self, layer: int) -> int:
        own = self.layer_intermediate_dims
        return own[layer] if own else self.intermediate_dim

    def of_layers(self, layers: Sequence[int]) -> BertConfig:
        own: dict[str, Any] = {
            name: tuple(getattr(self, name)[layer] for layer in layers)
            for name in ("layer_heads", "layer_intermediate_dims")
            if getattr(self, name)
        }
        return dataclasses.replace(self, num_layers=len(layers), **own)

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

"""ElectraEncoder: BERT's blocks on embeddings that may be narrower than they."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any

import keras

from keras_bert.config import ElectraConfig
from keras_bert.layers.attention import AttentionBias
from keras_bert.layers.configured import registered
from keras_bert.layers.embeddings import Embeddings
from keras_bert.layers.heads import Pooler
from keras_bert.layers.norm import LayerNorm
from keras_bert.models.assembly import Parts, blocks, table
from keras_bert.models.encoder import Encoder

# What the paths of a generator's own weights begin with, and the folder of its checkpoint, beside
# its detector's.
GENERATOR = "generator"
# Of a detector's width and heads (Clark et al. 2020, table 6): base has a third, of 768.
GENERATOR_SHARE, WIDTH_OF_BASE, GENERATOR_SHARE_OF_BASE = 1 / 4, 768, 1 / 3


def generator_config(config: ElectraConfig, share: float | None = None) -> ElectraConfig:
    """The config of the generator that a detector is pretrained with: as deep, but narrower.

    Args:
        config: ElectraConfig of the detector.
        share: float in (0, 1], of its width, heads and feed-forward width; None is the paper's, a
            quarter, and of base a third.

    Raises:
        ValueError: the share is out of its range.

    Example:

    >>> import keras_bert as kb
    >>> generator = kb.generator_config(kb.ElectraConfig.preset("base"))
    >>> generator.hidden_dim, generator.num_heads, generator.intermediate_dim
    (256, 4, 1024)
    """
    if share is None:
        is_base = config.hidden_dim == WIDTH_OF_BASE
        share = GENERATOR_SHARE_OF_BASE if is_base else GENERATOR_SHARE
    if not 0 < share <= 1:
        raise ValueError(
            f"A generator's share must be above 0 and at most 1, not {share!r}: the paper's is a "
            "quarter of small and large, a third of base."
        )
    width = max(1, round(config.hidden_dim * share))
    num_heads = max(1, width // config.head_dim)
    while width % num_heads:
        num_heads -= 1
    return dataclasses.replace(
        config,
        hidden_dim=width,
        num_heads=num_heads,
        intermediate_dim=max(1, round(config.intermediate_dim * share)),
        layer_heads=None,
        layer_intermediate_dims=None,
    )


@registered
class ElectraEncoder(Encoder):
    """The encoder of "ELECTRA" (Clark et al. 2020, arXiv:2003.10555), generator or discriminator.

    It has no pooler of its own: tasks read texts through a dense layer with GELU, a part of their
    heads.

    Args:
        config: ElectraConfig.
        initializer, dtype, name: as of every `Encoder`.
        embeddings: those of another ElectraEncoder, whose tables and norm this one is to have in
            common with it; None makes its own. The projection is its own in any case.

    Args (call):
        inputs: dict of int32 [B, T] `token_ids`, `segment_ids` and `padding_mask`, as of every
            `Encoder`.

    Returns:
        dict of `sequence_output` float [B, T, D], the last hidden states.

    Example:

    >>> import keras_bert as kb
    >>> import numpy as np
    >>> config = kb.ElectraConfig(
    ...     vocabulary_size=97,
    ...     num_layers=2,
    ...     num_heads=3,
    ...     hidden_dim=15,
    ...     intermediate_dim=31,
    ...     embedding_dim=5,
    ... )
    >>> ids = np.ones([2, 7], "int32")
    >>> inputs = {"token_ids": ids, "segment_ids": 0 * ids, "padding_mask": ids}
    >>> {name: tuple(value.shape) for name, value in kb.ElectraEncoder(config)(inputs).items()}
    {'sequence_output': (2, 7, 15)}
    """

    INPUTS = ("token_ids", "segment_ids", "padding_mask")
    GIVES_POOLED = False

    config: ElectraConfig

    def __init__(
        self,
        config: ElectraConfig,
        initializer=None,
        dtype=None,
        name: str = "encoder",
        *,
        embeddings: Embeddings | None = None,
    ):
        # Not as an attribute, which Keras would track before it can.
        self.__dict__["assemble"] = functools.partial(self.assemble, shared=embeddings)
        super().__init__(config, initializer, dtype, name)
        self._has_own_tables = embeddings is None

    def get_config(self) -> dict[str, Any]:
        """As of every encoder; refused where its tables are another's."""
        if not self._has_own_tables:
            raise ValueError(
                "The encoder shares the tables of another, of which Keras' files and clone_model "
                "would make second ones: save the ReplacedTokenPretrainer that it is in, or copy() "
                "of it."
            )
        return super().get_config()

    def limits(self) -> dict[str, int]:
        return {**super().limits(), "segment_ids": self.config.num_segments}

    @staticmethod
    def assemble(
        config: ElectraConfig,
        inputs: Mapping[str, keras.KerasTensor],
        initializer: Callable,
        dtype: keras.DTypePolicy,
        *,
        shared: Embeddings | None = None,
    ) -> Parts:
        embeddings = _embeddings(config, initializer, dtype, shared)
        bias = AttentionBias(dtype=dtype, name="attention_bias")(inputs["padding_mask"])
        return Parts(
            embeddings,
            embeddings(inputs["token_ids"], inputs["segment_ids"], inputs["padding_mask"]),
            blocks(config, initializer, dtype),
            [bias] * config.num_layers,
            pooler=Pooler(
                config.hidden_dim,
                initializer,
                activation="gelu",
                dropout=config.dropout,
                dtype=dtype,
                name="pooler",
            ),
        )

    def masked_lm_options(self) -> dict[str, Any]:
        """As of every encoder; its activation is GELU, whatever the blocks have."""
        return {**super().masked_lm_options(), "activation": "gelu"}


def _embeddings(
    config: ElectraConfig,
    initializer: Callable,
    dtype: keras.DTypePolicy,
    shared: Embeddings | None,
) -> Embeddings:
    """The embeddings of an encoder, on those that it shares, if there are some."""
    of_all = config.embedding_dim, initializer, dtype
    tables: tuple[Any, ...]
    norm: keras.layers.Layer | None
    projection = None
    if config.is_projected:
        projection = keras.layers.Dense(
            config.hidden_dim, kernel_initializer=initializer, dtype=dtype, name="projection"
        )
    if shared is None:
        tables = (
            table("token", config.vocabulary_size, *of_all),
            table("segment", config.num_segments, *of_all),
            table("position", config.max_sequence_length, *of_all),
        )
        norm = LayerNorm(config.norm_epsilon, dtype=dtype, name="norm")
    else:
        tables = shared.token, shared.segment, shared.position
        norm = shared.norm
    return Embeddings(
        *tables,
        norm=norm,
        dropout=config.dropout,
        projection=projection,
        dtype=dtype,
        name="embeddings",
    )

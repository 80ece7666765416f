"""BertEncoder: a config's embeddings, blocks and pooler as one functional model."""

from __future__ import annotations

import types
from collections.abc import Mapping
from typing import Any

import keras
from keras import ops

from keras_bert.config import BertConfig
from keras_bert.layers.attention import AttentionBias
from keras_bert.layers.embeddings import Embeddings
from keras_bert.layers.heads import FirstPlaces, Pooler
from keras_bert.layers.initializers import independent
from keras_bert.layers.norm import LayerNorm
from keras_bert.layers.transformer import TransformerBlock

INPUTS = ("token_ids", "segment_ids", "padding_mask")


def encoder_inputs() -> dict[str, keras.KerasTensor]:
    """The symbolic inputs `token_ids`, `segment_ids` and `padding_mask`, int32 [B, T]."""
    return {name: keras.Input((None,), dtype="int32", name=name) for name in INPUTS}


def initializer_of(config: BertConfig) -> keras.initializers.Initializer:
    """BERT's initializer of matrices and tables: a normal truncated at two deviations."""
    return keras.initializers.TruncatedNormal(stddev=config.initializer_range)


class BertEncoder(keras.Model):
    """The bidirectional transformer encoder of "BERT" (Devlin et al. 2018, arXiv:1810.04805).

    Args:
        config: BertConfig.
        initializer: initializer of all matrices and tables, which draws each anew; None is BERT's
            truncated normal.
        dtype: keras dtype policy of all layers; None takes the global one.

    Args (call):
        inputs: dict of int32 [B, T]: `token_ids`, `segment_ids` (0 for the first segment) and
            `padding_mask` (1 where there is a token), as `Packer` makes them. A row may hold
            several sequences, which do not see each other, as `Packer.join` makes them: then
            `padding_mask` numbers them 1, 2, ... and positions count from the first token of each.

    Returns:
        dict of `sequence_output` float [B, T, D], the last hidden states, and `pooled_output`
        float [B, D], made from the first one.

    Example:

    >>> import keras_bert as kb
    >>> import numpy as np
    >>> config = kb.BertConfig(
    ...     vocabulary_size=97, num_layers=2, num_heads=3, hidden_dim=15, intermediate_dim=31
    ... )
    >>> encoder = kb.BertEncoder(config)
    >>> ids = np.ones([2, 7], "int32")
    >>> outputs = encoder({"token_ids": ids, "segment_ids": 0 * ids, "padding_mask": ids})
    >>> {name: tuple(value.shape) for name, value in outputs.items()}
    {'sequence_output': (2, 7, 15), 'pooled_output': (2, 15)}
    """

    def __init__(self, config: BertConfig, initializer=None, dtype=None, name: str = "encoder"):
        initializer = independent(initializer or initializer_of(config))
        embeddings = _embeddings(config, initializer, dtype)
        blocks = [
            _block(config, initializer, dtype, f"layer_{i}") for i in range(config.num_layers)
        ]
        pooler = Pooler(config.hidden_dim, initializer, dtype=dtype, name="pooler")

        inputs = encoder_inputs()
        mask = inputs["padding_mask"]
        bias = AttentionBias(dtype=dtype, name="attention_bias")(mask)
        x = embeddings(*(inputs[name] for name in INPUTS))
        hidden_states = [x]
        for block in blocks:
            x = block(x, bias)
            hidden_states.append(x)
        norm = None
        if config.norm_first:
            norm = LayerNorm(config.norm_epsilon, dtype=dtype, name="norm")
            x = norm(x)
        super().__init__(
            inputs=inputs,
            outputs={"sequence_output": x, "pooled_output": pooler(x)},
            name=name,
        )
        self.config = config
        self.embeddings = embeddings
        self.blocks = blocks
        self.norm = norm
        self.pooler = pooler
        # Symbolic, float [B, T, D]: models that use other layers are cut out with them.
        self.hidden_states = hidden_states
        self._bias = bias
        # Made once, so that a model may hold several calls of them. In a namespace, because Keras
        # would take them for more layers of the encoder.
        places = keras.Input((None,), dtype="int32", name="places")
        first = FirstPlaces(1, name="first_places")(mask)
        self._parts = types.SimpleNamespace(
            states_at=keras.Model(
                {**inputs, "places": places}, self._states_at(places), name=f"{name}_states_at"
            ),
            pooled=keras.Model(inputs, pooler(self._states_at(first)), name=f"{name}_pooled"),
        )

    def __call__(self, *args, **options):
        check_call(self, options)
        return super().__call__(*args, **options)

    @property
    def recompute(self) -> bool:
        """Whether training keeps only the blocks' inputs and computes the rest again.

        Checkpointing of activations (Chen et al. 2016, arXiv:1604.06174): one more forward pass,
        for a small part of the memory; losses, gradients and dropout stay the same. False; set it
        before training starts.

        Example:

        >>> import keras_bert as kb
        >>> encoder = kb.BertEncoder(kb.BertConfig.preset("tiny"))
        >>> encoder.recompute = True
        """
        return all(block.recompute for block in self.blocks)

    @recompute.setter
    def recompute(self, value: bool) -> None:
        for block in self.blocks:
            block.recompute = value

    def states_at(self, inputs, places):
        """The last hidden states at some places alone, for less than those at all of them.

        The last block computes keys and values for every token, all else for the places alone. In a
        training step of "small" with 20 predictions a row of 128 that saves 15 % of the operations.

        Args:
            inputs: dict of tensors or symbolic tensors, as of a call.
            places: int32 [B, P], places within each row.

        Returns:
            float [B, P, D].

        Example:

        >>> import keras_bert as kb
        >>> import numpy as np
        >>> encoder = kb.BertEncoder(kb.BertConfig.preset("tiny"))
        >>> ids = np.ones([2, 7], "int32")
        >>> inputs = {"token_ids": ids, "segment_ids": 0 * ids, "padding_mask": ids}
        >>> tuple(encoder.states_at(inputs, np.array([[1, 4, 5], [2, 3, 0]])).shape)
        (2, 3, 128)
        """
        rows = {name: inputs[name] for name in INPUTS}
        return self._parts.states_at({**rows, "places": places})

    def pooled(self, inputs):
        """The pooled output alone, for less than a call takes: see `states_at`.

        Args:
            inputs: dict of tensors or symbolic tensors, as of a call.

        Returns:
            float [B, D].

        Example:

        >>> import keras_bert as kb
        >>> import numpy as np
        >>> encoder = kb.BertEncoder(kb.BertConfig.preset("tiny"))
        >>> ids = np.ones([2, 7], "int32")
        >>> inputs = {"token_ids": ids, "segment_ids": 0 * ids, "padding_mask": ids}
        >>> tuple(encoder.pooled(inputs).shape)
        (2, 128)
        """
        return self._parts.pooled({name: inputs[name] for name in INPUTS})

    def probe(self) -> keras.Model:
        """A model with the same weights and inputs that shows what happens inside.

        Returns:
            keras.Model, from the encoder's inputs to a dict of `hidden_states`, float
            [L+1, B, T, D] (the embeddings, then every block's output), and `attention_scores`,
            float [L, B, N, T, S] (probabilities).

        Example:

        >>> import keras_bert as kb
        >>> import numpy as np
        >>> config = kb.BertConfig(
        ...     vocabulary_size=97, num_layers=2, num_heads=3, hidden_dim=15, intermediate_dim=31
        ... )
        >>> probe = kb.BertEncoder(config).probe()
        >>> ids = np.ones([2, 7], "int32")
        >>> inside = probe({"token_ids": ids, "segment_ids": 0 * ids, "padding_mask": ids})
        >>> tuple(inside["hidden_states"].shape), tuple(inside["attention_scores"].shape)
        ((3, 2, 7, 15), (2, 2, 3, 7, 7))
        """
        scores = [
            AttentionScores(block)(x, self._bias)
            for block, x in zip(self.blocks, self.hidden_states, strict=False)
        ]
        outputs = {
            "hidden_states": ops.stack(self.hidden_states),
            "attention_scores": ops.stack(scores),
        }
        return keras.Model(self.inputs, outputs, name=f"{self.name}_probe")

    def _states_at(self, places):
        """The symbolic last hidden states at symbolic places."""
        x = self.blocks[-1](self.hidden_states[-2], self._bias, places)
        return x if self.norm is None else self.norm(x)


def check_call(model: keras.Model, options: Mapping[str, Any]) -> None:
    """Raise if a model is called by keywords that it does not have; Keras would pass them over."""
    unknown = sorted(set(options) - {"inputs", "training", "mask"})
    if unknown:
        raise ValueError(
            f"A {type(model).__name__} takes inputs, training and mask when it is called, not "
            f"{', '.join(unknown)}: leave that out. BertEncoder.probe() gives a model that shows "
            "hidden states and attention scores."
        )


def _embeddings(config: BertConfig, initializer, dtype) -> Embeddings:
    return Embeddings(
        vocabulary_size=config.vocabulary_size,
        hidden_dim=config.hidden_dim,
        max_sequence_length=config.max_sequence_length,
        num_segments=config.num_segments,
        positions=config.positions,
        dropout=config.dropout,
        norm_epsilon=None if config.norm_first else config.norm_epsilon,
        initializer=initializer,
        dtype=dtype,
        name="embeddings",
    )


def _block(config: BertConfig, initializer, dtype, name: str) -> TransformerBlock:
    return TransformerBlock(
        num_heads=config.num_heads,
        hidden_dim=config.hidden_dim,
        intermediate_dim=config.intermediate_dim,
        activation=config.activation,
        dropout=config.dropout,
        attention_dropout=config.attention_dropout,
        norm_epsilon=config.norm_epsilon,
        norm_first=config.norm_first,
        kernel_initializer=initializer,
        dtype=dtype,
        name=name,
    )


class AttentionScores(keras.layers.Layer):
    """The attention probabilities [B, N, T, S] of a block, as a layer of a functional model.

    Args:
        block: a built `TransformerBlock`.
    """

    def __init__(self, block: TransformerBlock):
        super().__init__(dtype=block.dtype_policy, name=f"{block.name}_scores")
        self.block = block

    def call(self, x, bias):
        return self.block.scores(x, bias)

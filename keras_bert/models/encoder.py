"""Encoder: what all that stands on an encoder knows of it, whatever family it is of."""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, TypeVar, get_type_hints

import keras
import numpy as np
from keras import ops

from keras_bert.config import EncoderConfig
from keras_bert.layers.attention import AttentionScores
from keras_bert.layers.heads import FirstPositions, MaskedLMHead
from keras_bert.layers.initializers import independent
from keras_bert.models.assembly import Parts
from keras_bert.models.inputs import SegmentsOptional, check_call, with_segments
from keras_bert.models.saving import config_of, frozen, given_of

AnyEncoder = TypeVar("AnyEncoder", bound="Encoder")


class Encoder(keras.Model):
    """From the ids of a row to a state for each of its tokens: the contract of all encoders.

    What stands on an encoder, a pretrainer or a task, knows this class alone. A family's encoder is
    a subclass that names its `INPUTS` and says in `assemble` what it is made of.

    Args:
        config: EncoderConfig, that of the family.
        initializer: initializer of all matrices and tables, which draws each anew; None is BERT's
            truncated normal.
        dtype: keras dtype policy of all layers, and of what is built on the encoder; None takes the
            global one.

    Args (call):
        inputs: dict of int32 [B, T] by the names in `INPUTS`, as `Packer` makes them; segment ids
            may be left out, and are 0 then. A row may hold several sequences, which do not see each
            other, as `Packer.join` makes them: then `padding_mask` numbers them 1, 2, ... and
            positions count from the first token of each.

    Returns:
        dict of `sequence_output` float [B, T, D], the last hidden states, and, where there is a
        pooler, `pooled_output` float [B, D], made from the first one.

    Attributes:
        config: EncoderConfig.
        hidden_states: list of symbolic float [B, T, D], the embeddings and what each block gives;
            models that use other layers are cut out with them.
        pooler: layer, or None.
        dtype_policy: `keras.DTypePolicy` of its layers.
    """

    # Names of the features that the family takes; `token_ids` and `padding_mask` are among them.
    INPUTS: ClassVar[tuple[str, ...]]
    # Whether the pooler is a part of the encoder; else it is one of tasks' heads, and the encoder
    # alone has no `pooled_output`.
    GIVES_POOLED: ClassVar[bool] = True
    # Whether labels of tokens are read from what the pooler makes of each token's state.
    POOLS_TOKENS: ClassVar[bool] = False

    def __init__(self, config: EncoderConfig, initializer=None, dtype=None, name: str = "encoder"):
        policy = keras.dtype_policies.get(dtype)
        inputs = self.new_inputs()
        initializer = independent(initializer or initializer_of(config))
        parts = self.assemble(config, inputs, initializer, policy)
        hidden_states = [parts.embedded]
        for block, bias in zip(parts.blocks, parts.biases, strict=True):
            hidden_states.append(block(hidden_states[-1], bias))
        states = hidden_states[-1] if parts.norm is None else parts.norm(hidden_states[-1])
        outputs = {"sequence_output": states}
        if parts.pooler is not None and self.GIVES_POOLED:
            outputs["pooled_output"] = parts.pooler(states[:, 0])
        super().__init__(inputs=inputs, outputs=outputs, name=name)
        self.dtype_policy = policy
        self.config = config
        self.embeddings = parts.embeddings
        self.blocks = list(parts.blocks)
        self.norm = parts.norm
        self.pooler = parts.pooler
        self.hidden_states = hidden_states
        self._biases = list(parts.biases)
        # Made once, so that a model may hold several calls of them. In a namespace, because Keras
        # would take them for more layers of the encoder.
        positions = keras.Input((None,), dtype="int32", name="positions")
        if parts.pooling is None:
            first = FirstPositions(1, name="first_positions")(inputs["padding_mask"])
            of_text = self._last_states(first)[:, 0]
        else:
            of_text = parts.pooling(states, inputs["padding_mask"])
        self._models = types.SimpleNamespace(
            states_at=keras.Model(
                {**inputs, "positions": positions},
                self._last_states(positions),
                name=f"{name}_states_at",
            ),
            pooled=keras.Model(inputs, self.pool(of_text), name=f"{name}_pooled"),
        )

    @staticmethod
    def assemble(
        config: Any,
        inputs: Mapping[str, keras.KerasTensor],
        initializer: Callable,
        dtype: keras.DTypePolicy,
    ) -> Parts:
        """What an encoder of the family is made of.

        Args:
            config: the family's EncoderConfig.
            inputs: dict of symbolic int32 [B, T], by the names in `INPUTS`.
            initializer: of all matrices and tables; each call is a draw of its own.
            dtype: keras dtype policy of all layers.
        """
        raise NotImplementedError

    @classmethod
    def new_inputs(cls, has_rows: bool = False) -> dict[str, keras.KerasTensor]:
        """Fresh symbolic inputs by name, to build a model on the encoder.

        Args:
            has_rows: bool, whether there are several rows for every example.

        Returns:
            dict of int32 [B, T], or [B, R, T], by the names in `INPUTS`.

        Example:

        >>> import keras_bert as kb
        >>> list(kb.BertEncoder.new_inputs())
        ['token_ids', 'segment_ids', 'padding_mask']
        """
        shape = (None, None) if has_rows else (None,)
        return {name: keras.Input(shape, dtype="int32", name=name) for name in cls.INPUTS}

    def __call__(self, inputs, *args, **options):
        check_call(self, options)
        return super().__call__(with_segments(inputs, self.INPUTS), *args, **options)

    @property
    def encoder(self: AnyEncoder) -> AnyEncoder:
        """Itself: what is asked of a model's encoder may be asked of an encoder alone."""
        return self

    def __dir__(self) -> list[str]:
        # Keras' files are read by a walk over all that is here, which would not end.
        return [name for name in super().__dir__() if name != "encoder"]

    def on(self, encoder: Encoder) -> Encoder:
        """What a model of this kind is on another encoder: that one."""
        return encoder

    @property
    def summed_up(self) -> str:
        """What it is, in a few words."""
        return f"{type(self).__name__} of {self.config.num_layers} x {self.config.hidden_dim}"

    def limits(self) -> dict[str, int]:
        """What the values of its inputs are below, by name: for rows from elsewhere."""
        return {"token_ids": self.config.vocabulary_size, "padding_mask": 2}

    @property
    def token_embedding(self) -> keras.layers.Embedding:
        """The table [V, D] of the pieces' embeddings, which masked language models share."""
        return self.embeddings.token

    def set_token_vectors(self, ids: Sequence[int] | np.ndarray, vectors: np.ndarray) -> None:
        """Puts vectors, float [N, D], in the place of the embeddings of pieces, int [N]."""
        table = np.array(self.token_embedding.embeddings)
        table[ids] = vectors
        self.token_embedding.embeddings.assign(table)

    def depths(self) -> tuple[keras.layers.Layer, ...]:
        """Its layers by depth, from the embeddings up, for rates by depth and freezing.

        Example:

        >>> import keras_bert as kb
        >>> encoder = kb.BertEncoder(kb.BertConfig.preset("tiny"))
        >>> [layer.name for layer in encoder.depths()]
        ['embeddings', 'layer_0', 'layer_1']
        """
        return (self.embeddings, *self.blocks)

    @property
    def pooling_layers(self) -> tuple[keras.layers.Layer, ...]:
        """What `pooled` uses and hidden states do not: idle where nothing stands on `pooled`."""
        return () if self.pooler is None else (self.pooler,)

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

    def states_at(self, inputs: Mapping[str, Any], positions):
        """The last hidden states at some positions alone, for less than those at all of them.

        The last block computes keys and values for every token, all else for the positions alone.
        In a training step of "small" with 20 predictions a row of 128 that saves 15 % of the
        operations.

        Args:
            inputs: dict of tensors or symbolic tensors, as of a call; it may hold more.
            positions: int32 [B, P], positions within each row.

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
        return self._models.states_at({**self._own(inputs), "positions": positions})

    def pooled(self, inputs: Mapping[str, Any]):
        """What stands for a row, for less than a call takes: see `states_at`.

        Args:
            inputs: dict of tensors or symbolic tensors, as of a call; it may hold more.

        Returns:
            float [B, D]: the pooled output, or without a pooler the last state of the first token.

        Example:

        >>> import keras_bert as kb
        >>> import numpy as np
        >>> encoder = kb.BertEncoder(kb.BertConfig.preset("tiny"))
        >>> ids = np.ones([2, 7], "int32")
        >>> inputs = {"token_ids": ids, "segment_ids": 0 * ids, "padding_mask": ids}
        >>> tuple(encoder.pooled(inputs).shape)
        (2, 128)
        """
        return self._models.pooled(self._own(inputs))

    def pool(self, states):
        """What stands for texts, from the last hidden states of their first tokens.

        Args:
            states: float [..., D].

        Returns:
            float [..., D]; the states themselves without a pooler.
        """
        return states if self.pooler is None else self.pooler(states)

    def token_states(self, inputs: Mapping[str, Any]):
        """What labels of tokens are read from: the last hidden states, or what is made of them.

        Args:
            inputs: dict of tensors or symbolic tensors, as of a call; it may hold more.

        Returns:
            float [B, T, D].
        """
        states = self(self._own(inputs))["sequence_output"]
        return self.pool(states) if self.POOLS_TOKENS else states

    def masked_lm_head(self, initializer, dtype=None, name: str = "masked_lm") -> MaskedLMHead:
        """A new head of masked language models on the encoder.

        Args:
            initializer: of its matrix, which draws anew.
            dtype: keras dtype policy; None is the encoder's.
            name: str.
        """
        return MaskedLMHead(
            self.token_embedding,
            kernel_initializer=initializer,
            dtype=self.dtype_policy if dtype is None else dtype,
            name=name,
            **self.masked_lm_options(),
        )

    def masked_lm_options(self) -> dict[str, Any]:
        """What the family's `masked_lm_head` is made with, as options of `MaskedLMHead`."""
        return {"activation": self.config.activation, "norm_epsilon": self.config.norm_epsilon}

    def probe(self) -> keras.Model:
        """A model with the same weights and inputs that shows what happens inside.

        Returns:
            keras.Model, from the encoder's inputs to a dict of `hidden_states`, float
            [L+1, B, T, D] (the embeddings, then every block's output), and `attention_scores`,
            float [L, B, N, T, S] (probabilities; where blocks were pruned, N is that of the block
            with the most heads, and those that another one lacks are 0, behind its own).

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
        most = max(block.attention.num_heads for block in self.blocks)
        scores = [
            AttentionScores(block, most)(x, bias)
            for block, x, bias in zip(self.blocks, self.hidden_states, self._biases, strict=False)
        ]
        outputs = {
            "hidden_states": ops.stack(self.hidden_states),
            "attention_scores": ops.stack(scores),
        }
        return SegmentsOptional(self.inputs, outputs, name=f"{self.name}_probe")

    def anew(
        self: AnyEncoder, config: EncoderConfig | None = None, initializer=None, dtype=None
    ) -> AnyEncoder:
        """An encoder of the same family and name, with fresh weights.

        Args:
            config: EncoderConfig of the family; None is this one's.
            initializer: as of a new one.
            dtype: keras dtype policy; None is this one's.
        """
        policy = self.dtype_policy if dtype is None else dtype
        encoder = type(self)(config or self.config, initializer, policy, self.name)
        encoder.recompute = self.recompute
        return encoder

    def copy(self: AnyEncoder, dtype=None) -> AnyEncoder:
        """The same encoder, in another precision if wanted, with weights of its own.

        Args:
            dtype: keras dtype policy; None is this one's.

        Example:

        >>> import keras_bert as kb
        >>> encoder = kb.BertEncoder(kb.BertConfig.preset("tiny"))
        >>> encoder.copy("bfloat16").dtype_policy.name, encoder.dtype_policy.name
        ('bfloat16', 'float32')
        """
        copy = self.anew(initializer="zeros", dtype=dtype)
        for variable, own in zip(copy.variables, self.variables, strict=True):
            variable.assign(ops.cast(own, variable.dtype))
            variable.trainable = own.trainable
        return copy

    def get_config(self) -> dict[str, Any]:
        """What makes the encoder anew, for Keras' files."""
        own = {"config": dataclasses.asdict(self.config), "dtype": self.dtype_policy}
        return config_of(self, **own, recompute=self.recompute)

    @classmethod
    def from_config(cls: type[AnyEncoder], config: dict[str, Any]) -> AnyEncoder:
        """An encoder of what `get_config` gave, with fresh weights."""
        given = given_of(config)
        fields = get_type_hints(cls)["config"](**given["config"])
        encoder = cls(fields, dtype=given["dtype"], name=given["name"])
        encoder.recompute = given["recompute"]
        return frozen(encoder, config)

    def _own(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        inputs = with_segments(inputs, self.INPUTS)
        return {name: inputs[name] for name in self.INPUTS}

    def _last_states(self, positions):
        """The symbolic last hidden states at symbolic positions."""
        if not self.blocks:
            return ops.take_along_axis(self.hidden_states[0], positions[:, :, None], axis=1)
        x = self.blocks[-1](self.hidden_states[-2], self._biases[-1], positions)
        return x if self.norm is None else self.norm(x)


def initializer_of(config: EncoderConfig) -> keras.initializers.Initializer:
    """BERT's initializer of matrices and tables: a normal truncated at two deviations."""
    return keras.initializers.TruncatedNormal(stddev=config.initializer_range)

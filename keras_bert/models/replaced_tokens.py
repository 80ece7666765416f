"""ReplacedTokenPretrainer: a detector that learns from what a generator puts into a text."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import keras
from keras import ops

from keras_bert.config import ElectraConfig
from keras_bert.layers.configured import registered
from keras_bert.layers.sampling import FillBlanks
from keras_bert.models.detection import (
    RATES,
    ReplacedTokenAUC,
    ReplacedTokenLoss,
    ReplacedTokenRate,
)
from keras_bert.models.detector import ReplacedTokenDetector
from keras_bert.models.electra import GENERATOR, ElectraEncoder, generator_config
from keras_bert.models.encoder import Encoder
from keras_bert.models.inputs import check_call, with_segments
from keras_bert.models.pretrainer import BertPretrainer, pretrainer_inputs
from keras_bert.models.saving import config_of, frozen, given_of
from keras_bert.training.trainable import Trainable

# What the generator's config has as the detector's: it reads the same embeddings.
SHARED = (
    *("vocabulary_size", "max_sequence_length", "num_segments", "embedding_dim"),
    "norm_epsilon",
)


@registered
class ReplacedTokenPretrainer(Trainable):
    """ELECTRA's pretraining: a generator fills blanks, and a detector finds what it has replaced.

    Clark et al. 2020 (arXiv:2003.10555), section 2; google-research/electra `run_pretraining.py`.
    The generator, a smaller masked language model, draws a piece for each blank; a draw that is the
    text's own token counts as not replaced. Both read the same embeddings of pieces, positions and
    segments, and their norm; no gradient goes through the draws.

    Args:
        detector: ReplacedTokenDetector on an ElectraEncoder.
        generator: ElectraConfig of the generator, whose embeddings are the detector's; None is
            `generator_config` of the detector's.
        initializer: of the generator's matrices, which draws each anew; None is BERT's truncated
            normal.
        name: str.

    Args (call):
        inputs: dict of `token_ids` (with blanks), `segment_ids`, `padding_mask` and
            `original_ids`, int32 [B, T], `mask_positions`, int32 [B, P], and `draws`, float
            [B, P, 2], as `with_draws` makes them; it may hold more.

    Returns:
        dict of float `masked_lm` [B, P, V], the generator's logits, and `replaced_tokens`
        [B, T, 2]: the detector's logit, positive where it takes a token for replaced, and the id of
        the token that it has read.

    Attributes:
        detector: the model that one goes on with.
        generator: BertPretrainer; the paths of its own weights begin with "generator/".

    Raises:
        ValueError: the encoder is of another family, or the generator's embeddings are others.

    Example:

    >>> import keras_bert as kb
    >>> import numpy as np
    >>> config = kb.ElectraConfig(
    ...     vocabulary_size=97, num_layers=2, num_heads=3, hidden_dim=15, intermediate_dim=31
    ... )
    >>> detector = kb.ReplacedTokenDetector(kb.ElectraEncoder(config))
    >>> model = kb.ReplacedTokenPretrainer(detector)
    >>> model.generator.encoder.config.hidden_dim
    4
    >>> ids = np.ones([2, 7], "int32")
    >>> outputs = model(
    ...     {
    ...         "token_ids": ids,
    ...         "original_ids": ids,
    ...         "segment_ids": 0 * ids,
    ...         "padding_mask": ids,
    ...         "mask_positions": np.array([[1, 4, 5], [2, 3, 0]]),
    ...         "draws": np.full([2, 3, 2], 0.5, "float32"),
    ...     }
    ... )
    >>> {name: tuple(value.shape) for name, value in outputs.items()}
    {'masked_lm': (2, 3, 97), 'replaced_tokens': (2, 7, 2)}
    """

    def __init__(
        self,
        detector: ReplacedTokenDetector,
        generator: ElectraConfig | None = None,
        initializer=None,
        name: str = "replaced_token_pretrainer",
    ):
        encoder = _checked(detector.encoder, generator)
        generator = generator or generator_config(encoder.config)
        with keras.name_scope(GENERATOR):  # else its blocks would be called as the detector's
            own = ElectraEncoder(
                generator, initializer, encoder.dtype_policy, embeddings=encoder.embeddings
            )
            filler = BertPretrainer(own, None, initializer, name=GENERATOR)
        inputs = _inputs(encoder)
        logits = filler(inputs)["masked_lm"]
        read = FillBlanks(dtype="float32", name="fill_blanks")(
            inputs["original_ids"], inputs["mask_positions"], logits, inputs["draws"]
        )
        seen = {name: inputs[name] for name in encoder.INPUTS}
        found = detector({**seen, "token_ids": read})["replaced_tokens"]
        pair = [ops.cast(one, "float32") for one in (found, read)]
        outputs = {"masked_lm": logits, "replaced_tokens": ops.stack(pair, axis=-1)}
        super().__init__(inputs=inputs, outputs=outputs, name=name)
        self.dtype_policy = encoder.dtype_policy
        self.detector = detector
        self.generator = filler
        self._generator_config = generator

    @property
    def encoder(self) -> Encoder:
        """The detector's."""
        return self.detector.encoder

    def __call__(self, inputs, *args, **options):
        check_call(self, options)
        if isinstance(inputs, Mapping):  # it may hold more
            names = {tensor.name for tensor in keras.tree.flatten(self.inputs)}
            inputs = {name: x for name, x in inputs.items() if name in names}
        return super().__call__(with_segments(inputs, self.encoder.INPUTS), *args, **options)

    @property
    def idle_layers(self) -> Sequence[keras.layers.Layer]:
        """The poolers of both encoders."""
        return (*self.detector.idle_layers, *self.generator.idle_layers)

    def on(self, encoder: ElectraEncoder) -> ReplacedTokenPretrainer:
        """A pretrainer of the same kind, with heads and a generator of its own."""
        shared = {name: getattr(encoder.config, name) for name in SHARED}
        config = dataclasses.replace(self._generator_config, **shared)
        return ReplacedTokenPretrainer(self.detector.on(encoder), config, name=self.name)

    def get_config(self) -> dict[str, Any]:
        """What makes the pretrainer anew, for Keras' files."""
        generator = dataclasses.asdict(self._generator_config)
        return config_of(self, detector=self.detector, generator=generator)

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> ReplacedTokenPretrainer:
        """A pretrainer of what `get_config` gave, with fresh weights."""
        given = given_of(config)
        return frozen(cls(**{**given, "generator": ElectraConfig(**given["generator"])}), config)

    def objective(self, detection_weight: float = 50.0) -> dict:
        """Losses and metrics, as keyword arguments of `compile`.

        Args:
            detection_weight: float, the weight of the detector's loss beside the generator's 1.

        Returns:
            dict of `loss`, `loss_weights` and `weighted_metrics`.

        Example:

        >>> import keras_bert as kb
        >>> config = kb.ElectraConfig(
        ...     vocabulary_size=97, num_layers=1, num_heads=3, hidden_dim=15, intermediate_dim=31
        ... )
        >>> model = kb.ReplacedTokenPretrainer(kb.ReplacedTokenDetector(kb.ElectraEncoder(config)))
        >>> model.compile(kb.AdamW(5e-4), **model.objective())
        """
        if not detection_weight >= 0:
            raise ValueError(f"detection_weight must be at least 0, not {detection_weight!r}.")
        own = self.generator.objective()
        metrics = [*map(ReplacedTokenRate, RATES), ReplacedTokenAUC()]
        return {
            "loss": {**own["loss"], "replaced_tokens": ReplacedTokenLoss()},
            "loss_weights": {
                **own["loss_weights"],
                "replaced_tokens": float(detection_weight),
            },
            "weighted_metrics": {**own["weighted_metrics"], "replaced_tokens": metrics},
        }


def _inputs(encoder: Encoder) -> dict[str, keras.KerasTensor]:
    return {
        **pretrainer_inputs(encoder),
        "original_ids": keras.Input((None,), dtype="int32", name="original_ids"),
        "draws": keras.Input((None, 2), dtype="float32", name="draws"),
    }


def _checked(encoder: Encoder, generator: ElectraConfig | None) -> ElectraEncoder:
    """The encoder, if it is of the family, and the generator's config fits it."""
    if not isinstance(encoder, ElectraEncoder):
        raise ValueError(
            "Replaced tokens are learned by an ElectraEncoder, but the detector's is a "
            f"{type(encoder).__name__}: make the detector on an ElectraEncoder."
        )
    if generator is None:
        return encoder
    config = encoder.config
    different = [
        f"{name} is {getattr(generator, name)} and {getattr(config, name)}"
        for name in SHARED
        if getattr(generator, name) != getattr(config, name)
    ]
    if different:
        raise ValueError(
            "A generator reads the detector's embeddings, so that their configs must agree in "
            f"these, but {', '.join(different)}: see generator_config."
        )
    return encoder

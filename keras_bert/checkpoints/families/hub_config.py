"""What config.json of several families says alike: keys, activations, and what changes nothing."""

from __future__ import annotations

import dataclasses
import json
import pathlib
from collections.abc import Mapping
from typing import Any, Generic, TypeVar

from keras_bert.checkpoints import settings
from keras_bert.checkpoints.families.family import with_article
from keras_bert.config import EncoderConfig

Config = TypeVar("Config", bound=EncoderConfig)

# What transformers has no name for is kept under ours, in a model type that it does not open.
OWN_MODEL_TYPE = "keras_bert"
# Sizes of pruned blocks.
OF_LAYERS = ("layer_heads", "layer_intermediate_dims")
# Fields of a config as BERT's code calls them, Google's and the Hub's, and what came after it.
CONFIG_KEYS = {
    "vocabulary_size": "vocab_size",
    "num_layers": "num_hidden_layers",
    "num_heads": "num_attention_heads",
    "hidden_dim": "hidden_size",
    "intermediate_dim": "intermediate_size",
    "max_sequence_length": "max_position_embeddings",
    "num_segments": "type_vocab_size",
    "dropout": "hidden_dropout_prob",
    "attention_dropout": "attention_probs_dropout_prob",
    "initializer_range": "initializer_range",
    "norm_epsilon": "layer_norm_eps",
}
# Our activations by the Hub's names; the first name of each is the one that is written.
ACTIVATIONS = {
    "gelu": "gelu",
    "gelu_new": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
    "relu": "relu",
}
# Values of keys that change nothing; any other changes what an encoder computes.
PLAIN: dict[str, tuple[Any, ...]] = {
    "is_decoder": (None, False),
    "add_cross_attention": (None, False),
    "is_encoder_decoder": (None, False),
    "position_embedding_type": (None, "absolute"),
    "pruned_heads": (None, {}),
    "quantization_config": (None, {}),
    "directionality": (None, "bidi"),
    "feed_forward_type": (None, "original"),
    "use_bias": (None, True),
    "auto_map": (None, {}),
}
WHY = {
    "is_decoder": "the model attends to the left only",
    "add_cross_attention": "the model attends to another one's states",
    "position_embedding_type": "the model has relative positions",
    "quantization_config": "the weights are quantized",
    "auto_map": "the model comes with code of its own",
}


@dataclasses.dataclass(frozen=True)
class ConfigKeys(Generic[Config]):
    """How a form of config says the configs of a family.

    Args:
        family: what messages call a model of the family: "BERT".
        kind: class of the configs.
        keys: the form's keys by the config's fields.
        activations: our activations by the form's names.
        activation_key: the key of the activation.
        needed: keys that a config must have; for the others it may rely on the reference's
            defaults, which are ours.
        model_type: the value of the form's `model_type`; None where it has no such key.
        own: fields that the form has no keys for: a model in which one of them differs from the
            default has a `model_type` of ours, under which all are written by their own names.
    """

    family: str
    kind: type[Config]
    keys: Mapping[str, str]
    activations: Mapping[str, str] = dataclasses.field(default_factory=lambda: ACTIVATIONS)
    activation_key: str = "hidden_act"
    needed: tuple[str, ...] = ("vocab_size", "hidden_size")
    model_type: str | None = None
    own: tuple[str, ...] = OF_LAYERS

    @property
    def model_types(self) -> tuple[str, ...]:
        """The values that `model_type` may have; the second is where transformers has no name."""
        if self.model_type is None:
            return ()
        family = "" if self.model_type == "bert" else f"_{self.model_type}"
        return self.model_type, f"{OWN_MODEL_TYPE}{family}"

    def read(
        self, content: Mapping[str, Any], source: pathlib.Path, others: Mapping[str, Any]
    ) -> Config:
        """The config that the content of a file describes.

        Args:
            content: the file's.
            source: the file, for errors.
            others: fields of the config that are known already.

        Raises:
            ValueError: a key is missing, or has a value that no such encoder has.
        """
        missing = [key for key in self.needed if key not in content]
        if missing:
            raise ValueError(
                f"{source} must be the config of {with_article(self.family)}, but does not say "
                f"{', '.join(missing)}: restore the file."
            )
        [default, *_] = self.activations
        activation = settings.one_of(
            content, self.activation_key, default, self.activations, source
        )
        is_own = content.get("model_type") in self.model_types[1:]
        own = {name: content[name] for name in self.own if is_own and name in content}
        known = {"activation": self.activations[activation], **own, **others}
        return settings.read_config(self.kind, content, self.keys, source, known)

    def write(self, config: Config) -> dict[str, Any]:
        """What the form says of a config."""
        [activation, *_] = [
            theirs for theirs, ours in self.activations.items() if ours == config.activation
        ]
        values = {key: getattr(config, ours) for ours, key in self.keys.items()}
        return {**self._kind_of(config), self.activation_key: activation, **values}

    def _kind_of(self, config: Config) -> dict[str, Any]:
        """Its model type, and what is told under ours alone."""
        if self.model_type is None:
            return {}
        plain, ours = self.model_types
        own = {name: getattr(config, name) for name in self.own}
        if all(value == getattr(self.kind, name) for name, value in own.items()):
            return {"model_type": plain}
        told = {name: value for name, value in own.items() if value is not None}
        return {"model_type": ours, **told}


def check_plain(
    content: Mapping[str, Any],
    source: pathlib.Path,
    family: str,
    plain: Mapping[str, tuple[Any, ...]] = PLAIN,
) -> None:
    """Refuses a config by which a model computes what its family's encoders do not.

    Args:
        content: the file's.
        source: the file, for errors.
        family: what messages call a model of the family: "BERT".
        plain: values of keys that change nothing, the last of each being the one to name.

    Raises:
        ValueError: a key has another value.
    """
    for key, values in plain.items():
        if content.get(key) not in values:
            why = WHY.get(key, f"the model does not compute what {family} does")
            raise ValueError(
                f"{source}: {key} is {json.dumps(content[key])[:200]}, but must be "
                f"{json.dumps(values[-1])}: {why}, which is not supported."
            )

"""BERT's checkpoints: Devlin et al. 2018, as google-research/bert and transformers write them."""

from __future__ import annotations

import json
import pathlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

from keras_bert.checkpoints import names, settings, word_pieces
from keras_bert.checkpoints.families.family import (
    ConfigFile,
    Family,
    HubClasses,
    HubTensors,
    TokenizerFiles,
)
from keras_bert.checkpoints.names import Names, WeightName, dense, head, norm
from keras_bert.config import BertConfig
from keras_bert.models.bert import BertEncoder
from keras_bert.models.pretrainer import SENTENCE_OBJECTIVES

# What transformers has no name for is kept under ours, in a model type that it does not open.
OWN_MODEL_TYPE = "keras_bert"
OWN_KEYS = ("norm_first", "positions")
# Fields of BertConfig, as Google and the Hub call them.
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
# A config must say these; for the others it may rely on the reference's defaults, which are ours.
NEEDED = ("vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads")
# Our activations by the names of each form; the first name of each is the one that is written.
# What Google calls gelu is computed by the tanh formula, what the Hub calls gelu by erf.
GOOGLE_ACTIVATIONS = {"gelu": "gelu_tanh", "relu": "relu"}
HUB_ACTIVATIONS = {
    "gelu": "gelu",
    "gelu_new": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
    "relu": "relu",
}
# Values of a config's keys that change nothing; any other changes what a BERT computes.
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
# Sinusoidal positions are in no file; they are computed, so many numbers at most.
MAX_COMPUTED = 1 << 26

CLASSES = HubClasses(
    encoder="BertModel",
    masked_lm="BertForMaskedLM",
    pretraining="BertForPreTraining",
    tasks={
        "text_classification": "BertForSequenceClassification",
        "token_classification": "BertForTokenClassification",
        "question_answering": "BertForQuestionAnswering",
        "multiple_choice": "BertForMultipleChoice",
        "sentence_embedding": "BertModel",
        # Of a pretrainer with a sentence objective transformers opens the other head as well.
        "fill_mask": "BertForMaskedLM",
    },
)


def _read_hub(content: Mapping[str, Any], source: pathlib.Path) -> BertConfig:
    hidden = content.get("hidden_size")
    for key, values in {**PLAIN, "embedding_size": (None, hidden)}.items():
        if content.get(key) not in values:
            why = WHY.get(key, "the model does not compute what BERT does")
            raise ValueError(
                f"{source}: {key} is {json.dumps(content[key])[:200]}, but must be "
                f"{json.dumps(values[-1])}: {why}, which is not supported."
            )
    own_keys = OWN_KEYS if content.get("model_type") == OWN_MODEL_TYPE else ()
    config = _read(content, source, HUB_ACTIVATIONS, own_keys)
    computed = config.max_sequence_length * config.hidden_dim
    if config.positions == "sinusoidal" and computed > MAX_COMPUTED:
        raise ValueError(
            f"{source}: {config.max_sequence_length} sinusoidal positions of {config.hidden_dim} "
            "numbers are too many: correct the config."
        )
    return config


def _write_hub(config: BertConfig) -> dict[str, Any]:
    plain = not config.norm_first and config.positions == "learned"
    return {
        "model_type": "bert" if plain else OWN_MODEL_TYPE,
        **_write(config, HUB_ACTIVATIONS),
        **({} if plain else {key: getattr(config, key) for key in OWN_KEYS}),
        "pad_token_id": 0,
        "tie_word_embeddings": True,
    }


def _read_google(content: Mapping[str, Any], source: pathlib.Path) -> BertConfig:
    return _read(content, source, GOOGLE_ACTIVATIONS)


def _write_google(config: BertConfig) -> dict[str, Any]:
    if config.norm_first or config.positions != "learned" or config.activation == "gelu":
        raise ValueError(
            "Google's code has learned positions, post-norm and gelu by its tanh formula, but this "
            f"model has positions={config.positions!r}, norm_first={config.norm_first} and "
            f"activation={config.activation!r}: save it in the Hub's layout."
        )
    content = _write(config, GOOGLE_ACTIVATIONS)
    del content["layer_norm_eps"]  # Google's code has it as a constant, 1e-12.
    return content


def _read(
    content: Mapping[str, Any],
    source: pathlib.Path,
    activations: Mapping[str, str],
    own_keys: Sequence[str] = (),
) -> BertConfig:
    missing = [key for key in NEEDED if key not in content]
    if missing:
        raise ValueError(
            f"{source} must be the config of a BERT, but does not say {', '.join(missing)}: "
            "restore the file."
        )
    activation = settings.one_of(content, "hidden_act", "gelu", activations, source)
    own = {key: content[key] for key in own_keys if key in content}
    return settings.read_config(
        BertConfig, content, CONFIG_KEYS, source, {"activation": activations[activation], **own}
    )


def _write(config: BertConfig, activations: Mapping[str, str]) -> dict[str, Any]:
    [hidden_act, *_] = [theirs for theirs, ours in activations.items() if ours == config.activation]
    values = {key: getattr(config, ours) for ours, key in CONFIG_KEYS.items()}
    return {"hidden_act": hidden_act, **values}


def weight_names(config: BertConfig) -> Names:
    """The weights of BERT's encoder, of its pooler, and of the heads on them.

    Both references call the head of a sentence objective `seq_relationship`, whatever it predicts.
    Google's heads are those of `run_pretraining.py`, `run_classifier.py` and `run_squad.py`.

    Example:

    >>> import keras_bert as kb
    >>> from keras_bert.checkpoints.families.bert import weight_names
    >>> weight_names(kb.BertConfig.preset("tiny")).all()["layer_0/attention/query/kernel"].hub
    'bert.encoder.layer.0.attention.self.query.weight'
    """
    tables = {
        "token": ("word_embeddings", "vocabulary_size"),
        "position": ("position_embeddings", "max_sequence_length"),
        "segment": ("token_type_embeddings", "num_segments"),
    }
    if config.positions != "learned":
        del tables["position"]
    embeddings = (
        names.table(
            f"embeddings/{ours}",
            f"bert.embeddings.{theirs}.weight",
            f"bert/embeddings/{theirs}",
            rows,
        )
        for ours, (theirs, rows) in tables.items()
    )
    blocks = (name for i in range(config.num_layers) for name in _block(i))
    first_norm = norm("embeddings/norm", "bert.embeddings.LayerNorm", "bert/embeddings/LayerNorm")
    last_norm = norm("norm", "bert.encoder.LayerNorm", "bert/encoder/LayerNorm")
    return Names(
        encoder=(
            *embeddings,
            *(() if config.norm_first else first_norm),
            *blocks,
            *(last_norm if config.norm_first else ()),
        ),
        pooler=dense("pooler/dense", "bert.pooler.dense", "bert/pooler/dense"),
        heads=_heads(),
    )


def _block(i: int) -> list[WeightName]:
    parts = {
        "attention/query": ("attention/self/query", {}),
        "attention/key": ("attention/self/key", {}),
        "attention/value": ("attention/self/value", {}),
        "attention/output": ("attention/output/dense", {}),
        "intermediate": ("intermediate/dense", {"width_out": "intermediate_dim"}),
        "output": ("output/dense", {"width_in": "intermediate_dim"}),
    }
    norms = {
        "attention_norm": "attention/output/LayerNorm",
        "output_norm": "output/LayerNorm",
    }
    found: list[WeightName] = []
    for ours, (theirs, widths) in parts.items():
        found += dense(f"layer_{i}/{ours}", *_in_block(i, theirs), **widths)
    for ours, theirs in norms.items():
        found += norm(f"layer_{i}/{ours}", *_in_block(i, theirs))
    return found


def _in_block(i: int, part: str) -> tuple[str, str]:
    """What the Hub and Google call a part of a block."""
    return f"bert.encoder.layer.{i}.{part.replace('/', '.')}", f"bert/encoder/layer_{i}/{part}"


def _heads() -> tuple[WeightName, ...]:
    hub, google = "cls.predictions", "cls/predictions"
    return (
        *dense("masked_lm/dense", f"{hub}.transform.dense", f"{google}/transform/dense"),
        *norm("masked_lm/norm", f"{hub}.transform.LayerNorm", f"{google}/transform/LayerNorm"),
        WeightName(
            "masked_lm/bias", f"{hub}.bias", f"{google}/output_bias", (), ("vocabulary_size",)
        ),
        *(
            name
            for objective in SENTENCE_OBJECTIVES
            for name in head(objective, "cls.seq_relationship", "cls/seq_relationship/output", 2)
        ),
        *head("classifier", "classifier", "output"),
        *head("span", "qa_outputs", "cls/squad/output"),
    )


_BARE = ("embeddings.", "encoder.", "pooler.")
_OLD_NORM = {"LayerNorm.gamma": "LayerNorm.weight", "LayerNorm.beta": "LayerNorm.bias"}


def _present_name(name: str) -> str:
    for old, present in _OLD_NORM.items():
        name = re.sub(rf"{re.escape(old)}$", present, name)
    return f"bert.{name}" if name.startswith(_BARE) else name


BERT = Family(
    name="BERT",
    encoder=BertEncoder,
    model_types=("bert", OWN_MODEL_TYPE),
    class_prefix="Bert",
    classes=CLASSES,
    config=ConfigFile(_read_hub, _write_hub),
    names=weight_names,
    tensors=HubTensors(
        prefix="bert.",
        present_name=_present_name,
        copies={
            "cls.predictions.decoder.weight": "bert.embeddings.word_embeddings.weight",
            "cls.predictions.decoder.bias": "cls.predictions.bias",
        },
        counters=("bert.embeddings.position_ids",),
    ),
    tokenizer=TokenizerFiles(word_pieces.VOCABULARIES, word_pieces.read, word_pieces.write),
    google=ConfigFile(_read_google, _write_google),
)

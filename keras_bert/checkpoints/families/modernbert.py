"""ModernBERT's checkpoints: Warner et al. 2024, as transformers writes them."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Mapping
from typing import Any

from keras_bert.checkpoints import names, settings, word_piece_json, word_pieces
from keras_bert.checkpoints.byte_pair_files import MODERNBERT_TOKENIZER
from keras_bert.checkpoints.families.family import ConfigFile, Family, HubClasses, HubTensors
from keras_bert.checkpoints.families.hub_config import (
    CONFIG_KEYS,
    PLAIN,
    ConfigKeys,
    check_plain,
)
from keras_bert.checkpoints.names import Names, WeightName, dense, head, norm
from keras_bert.checkpoints.snapshot import Snapshot
from keras_bert.checkpoints.tokenizer_files import FAST_TOKENIZER_FILE, TokenizerFiles
from keras_bert.config import EncoderConfig, ModernBertConfig
from keras_bert.config.modernbert import POOLINGS
from keras_bert.models.modernbert import ModernBertEncoder
from keras_bert.text.subwords import SubwordTokenizer
from keras_bert.text.tokenizer import Tokenizer

KEYS = ConfigKeys(
    "ModernBERT",
    ModernBertConfig,
    {
        **{ours: key for ours, key in CONFIG_KEYS.items() if ours != "num_segments"},
        "dropout": "mlp_dropout",
        "attention_dropout": "attention_dropout",
        "norm_epsilon": "norm_eps",
        "local_window": "local_attention",
        "global_every": "global_attn_every_n_layers",
    },
    model_type="modernbert",
    activation_key="hidden_activation",
)
# Transformers' names of the kinds of blocks, of which the first one sees all tokens.
KINDS = GLOBAL, LOCAL = "full_attention", "sliding_attention"
# Rotary bases: under which key versions before 5 say them.
BASES = {"global_base": (GLOBAL, "global_rope_theta"), "local_base": (LOCAL, "local_rope_theta")}
PARTS_PLAIN: dict[str, tuple[Any, ...]] = {
    **PLAIN,
    "use_bias": (None,),
    **dict.fromkeys(("norm_bias", "attention_bias", "mlp_bias", "classifier_bias"), (None, False)),
    "decoder_bias": (None, True),
    "classifier_activation": (None, "gelu"),
    "rope_scaling": (None,),
}
# The dense layers of a block by our names, and the part of the Hub's tensor that each is.
DENSE = {
    "attention/query": ("attn.Wqkv", (0, 3)),
    "attention/key": ("attn.Wqkv", (1, 3)),
    "attention/value": ("attn.Wqkv", (2, 3)),
    "attention/output": ("attn.Wo", (0, 1)),
    "intermediate": ("mlp.Wi", (0, 1)),
    "output": ("mlp.Wo", (0, 1)),
}


def _read(content: Mapping[str, Any], source: pathlib.Path) -> ModernBertConfig:
    check_plain(content, source, "ModernBERT", PARTS_PLAIN)
    pooling = settings.one_of(content, "classifier_pooling", POOLINGS[0], POOLINGS, source)
    config = KEYS.read(content, source, {"pooling": pooling, **_bases(content, source)})
    kinds = content.get("layer_types")
    if kinds is not None and kinds != _kinds(config):
        raise ValueError(
            f"{source}: layer_types must have {GLOBAL} in one of {config.global_every} blocks "
            f"(global_attn_every_n_layers), from the first on, not {kinds!r:.200}: other orders "
            "are not supported."
        )
    return config


def _bases(content: Mapping[str, Any], source: pathlib.Path) -> dict[str, float]:
    """The bases of rotary positions, as present or older versions of transformers say them."""
    ropes = content.get("rope_parameters") or {}
    found = {}
    for ours, (kind, old_key) in BASES.items():
        rope = ropes.get(kind) if isinstance(ropes, dict) else None
        rope = {"rope_theta": content.get(old_key)} if rope is None else rope
        if not isinstance(rope, dict) or rope.get("rope_type") not in (None, "default"):
            raise ValueError(
                f"{source}: rope_parameters must be of the type default for {kind}, not "
                f"{rope!r:.200}: other rotary positions are not supported."
            )
        base = settings.number(rope, "rope_theta", None, source)
        found[ours] = getattr(ModernBertConfig, ours) if base is None else base
    return found


def _kinds(config: ModernBertConfig) -> list[str]:
    return [GLOBAL if config.is_global(i) else LOCAL for i in range(config.num_layers)]


def _write(config: ModernBertConfig) -> dict[str, Any]:
    return {
        **KEYS.write(config),
        "embedding_dropout": config.dropout,
        "layer_types": _kinds(config),
        "rope_parameters": {
            kind: {"rope_type": "default", "rope_theta": getattr(config, ours)}
            for ours, (kind, _) in BASES.items()
        },
        # Versions before 5 read these.
        **{old_key: getattr(config, ours) for ours, (_, old_key) in BASES.items()},
        "classifier_pooling": config.pooling,
        "tie_word_embeddings": True,
    }


def weight_names(config: ModernBertConfig) -> Names:
    """The weights of ModernBERT's encoder, and of the heads on it."""
    (pooler,) = dense("pooler/dense", "head.dense")[:1]
    pools = (pooler, *norm("pooler/norm", "head.norm")[:1])
    return Names(
        encoder=(
            names.table(
                "embeddings/token", "model.embeddings.tok_embeddings.weight", "", "vocabulary_size"
            ),
            *norm("embeddings/norm", "model.embeddings.norm")[:1],
            *(name for i in range(config.num_layers) for name in _block(config, i)),
            *norm("norm", "model.final_norm")[:1],
        ),
        heads=(
            *dense("masked_lm/dense", "head.dense")[:1],
            *norm("masked_lm/norm", "head.norm")[:1],
            WeightName("masked_lm/bias", "decoder.bias", shape=("vocabulary_size",)),
            *head("classifier", "classifier"),
        ),
        tasks={
            **dict.fromkeys(("text_classification", "token_classification"), pools),
            "multiple_choice": pools,
            "question_answering": (*pools, *head("span", "classifier", num_outputs=2)),
        },
    )


def _block(config: ModernBertConfig, i: int) -> tuple[WeightName, ...]:
    ours, hub = f"layer_{i}", f"model.layers.{i}"
    widths = names.widths_of_block(config, i)
    widths["intermediate"]["width_out"] *= 2  # both halves of a gated feed-forward network
    kernels = (
        dataclasses.replace(
            dense(f"{ours}/{name}", f"{hub}.{theirs}", "", **widths[name])[0], part=part
        )
        for name, (theirs, part) in DENSE.items()
    )
    return (
        *(norm(f"{ours}/attention_norm", f"{hub}.attn_norm")[:1] if i else ()),
        *kernels,
        *norm(f"{ours}/output_norm", f"{hub}.mlp_norm")[:1],
    )


def _read_tokenizer(
    snapshot: Snapshot, config: EncoderConfig, content: Mapping[str, Any]
) -> SubwordTokenizer:
    """Byte pairs, as all published models have them, or the word pieces of one made here."""
    model = snapshot.json_if_there(FAST_TOKENIZER_FILE).get("model")
    has_word_pieces = snapshot.has(word_pieces.VOCABULARY_FILE) or (
        isinstance(model, dict) and model.get("type") == "WordPiece"
    )
    files = word_pieces.FILES if has_word_pieces else MODERNBERT_TOKENIZER
    return files.read(snapshot, config, content)


def _write_tokenizer(
    folder: pathlib.Path, tokenizer: SubwordTokenizer, config: EncoderConfig
) -> None:
    if isinstance(tokenizer, Tokenizer):
        word_piece_json.write_of_rows(folder, tokenizer, config)
    else:
        MODERNBERT_TOKENIZER.write(folder, tokenizer, config)


MODERNBERT = Family(
    name="ModernBERT",
    encoder=ModernBertEncoder,
    model_types=KEYS.model_types,
    class_prefix="ModernBert",
    classes=HubClasses.of("ModernBert"),
    config=ConfigFile(_read, _write),
    names=weight_names,
    tensors=HubTensors(
        prefix="model.",
        present_name=names.present_name("model.", ("embeddings.", "layers.", "final_norm.")),
        copies={"decoder.weight": "model.embeddings.tok_embeddings.weight"},
    ),
    tokenizer=TokenizerFiles(
        vocabularies=(*MODERNBERT_TOKENIZER.vocabularies, word_pieces.VOCABULARY_FILE),
        read=_read_tokenizer,
        write=_write_tokenizer,
        kinds=MODERNBERT_TOKENIZER.kinds + word_pieces.FILES.kinds,
    ),
)

"""The flags of pretraining: what is read, what is learned, of which model and how."""

from __future__ import annotations

import dataclasses
from typing import Literal, get_args

from keras_bert import flags

from .presets import Electras, Preset


@dataclasses.dataclass(frozen=True, kw_only=True)
class Texts:
    """What is read."""

    input_pattern: str = flags.required(
        "text files: globs with commas between them; or a directory that write_token_corpus wrote"
    )
    eval_pattern: str | None = flags.flag(None, "held-out text files")
    documents: Literal["files", "blank_lines"] = flags.flag(
        "files", "what is one document: a file, or what stands between blank lines"
    )
    vocabulary: str | None = flags.flag(
        None,
        "vocabulary, as learn-vocabulary writes it: the file of word pieces, or the folder of byte "
        "pairs; else the initial checkpoint's, or the teacher's",
    )
    lowercase: bool | None = flags.flag(
        None, "lower-case the text and strip accents; else as the initial checkpoint, or yes"
    )
    num_shards: int = flags.flag(
        1, "parts of the text, each read by one worker: a batch has as many rows of each"
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Model:
    """The model, and where it begins."""

    preset: Preset | None = flags.flag(
        None,
        "family, BERT if none is named, and size; else the initial checkpoint's, or base, with "
        "replaced_tokens electra_base; with a teacher its weights begin as its where shapes allow",
    )
    positions: Literal["learned", "sinusoidal", "rotary"] | None = flags.flag(
        None, "how a BERT knows positions; else as the initial checkpoint, or learned"
    )
    norm_first: bool | None = flags.flag(
        None, "pre-norm blocks; else as the initial checkpoint, or post-norm as BERT's"
    )
    dropout: float | None = flags.flag(None, "of hidden states and attention; else the config's")
    initial_checkpoint: str | None = flags.flag(
        None,
        "checkpoint directory to go on from: its weights, size and vocabulary; else, without "
        "preset, that of the first teacher",
    )
    num_layers: int | None = flags.flag(
        None, "blocks to start with, at equal distances among the model's; else all"
    )
    extend_vocabulary: str | None = flags.flag(
        None,
        "what to add to the initial checkpoint's vocabulary: how many pieces to learn from the "
        "text, or a file of words, one a line",
    )
    word_vectors: str | None = flags.flag(None, "GloVe or word2vec text file to take vectors from")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Rows:
    """What is learned from it."""

    sequence_length: int = flags.flag(128, "length of a packed row")
    num_sequences: int = flags.flag(
        1, "short sequences that a row may hold, one behind the other, without seeing each other"
    )
    mask_unit: Literal["token", "word", "span"] = flags.flag("word", "what is masked as one")
    mask_rate: float = flags.flag(0.15, "share of the tokens that are predicted")
    final_mask_rate: float | None = flags.flag(
        None, "what mask_rate falls to, step by step, until the last; else it stays"
    )
    mask_share: float | None = flags.flag(
        None, "share of these that become the mask; else 0.8, of replaced_tokens 0.85"
    )
    random_share: float | None = flags.flag(
        None, "share of these that become a random piece; else 0.1, of replaced_tokens 0"
    )
    max_predictions: int = flags.flag(20, "masked tokens of a row, at most")
    sentence_objective: Literal["next_sentence", "sentence_order", "none"] | None = flags.flag(
        None,
        "what is learned of pairs; none: RoBERTa's full sentences; else next_sentence of a BERT, "
        "and none of other families and with replaced_tokens",
    )
    sentence_weight: float = flags.flag(1.0, "weight of the sentence objective in the joint loss")
    objective: Literal["masked_lm", "replaced_tokens"] = flags.flag(
        "masked_lm",
        "what is learned of tokens; replaced_tokens: which ones a smaller model, which learns "
        "masked_lm, has put there (ELECTRA)",
    )
    generator_share: float | None = flags.flag(
        None,
        "width of that smaller model, as a share; else that of the initial checkpoint's, or a "
        "quarter, of base a third",
    )
    detection_weight: float = flags.flag(
        50.0, "weight of replaced_tokens beside the smaller model's 1 in the joint loss"
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Updates:
    """How it is learned."""

    num_steps: int = flags.flag(100_000, "updates in all")
    batch_size: int = flags.flag(32, "rows of an update")
    num_micro_batches: int = flags.flag(1, "parts a batch is computed in, to save memory")
    recompute: bool = flags.flag(
        False, "keep the inputs of blocks alone, and compute the rest again, to save memory"
    )
    precision: Literal["float32", "mixed_bfloat16", "mixed_float16"] = flags.flag(
        "float32", "of the computation"
    )
    optimizer: Literal["adamw", "lamb", "muon"] = flags.flag(
        "adamw",
        "how weights are updated; lamb: for batches of thousands of rows; muon: gets as far in "
        "fewer updates, at rates of about 1e-2",
    )
    learning_rate: float = flags.flag(1e-4, "peak of the schedule")
    warmup_steps: int | None = flags.flag(
        None, "updates until the peak; else 1000, or a tenth of num_steps if that is less"
    )
    beta_2: float = flags.flag(0.999, "decay of the mean square of gradients")
    clip_norm: float = flags.flag(1.0, "largest global norm of the gradients; 0: no clipping")
    bias_correction: bool = flags.flag(False, "correct Adam's bias, as RoBERTa does and BERT not")
    seed: int = flags.flag(0, "of weights, order, masks and dropout")


# Shares of what is predicted, by the objective: those of google-research/bert, and of its electra.
SHARES = {
    "masked_lm": {"mask_share": 0.8, "random_share": 0.1},
    "replaced_tokens": {"mask_share": 0.85, "random_share": 0.0},
}


def shares(arguments: Rows) -> dict[str, float]:
    """Shares of the predicted tokens that become the mask, and a random piece."""
    given = {name: getattr(arguments, name) for name in ("mask_share", "random_share")}
    usual = SHARES[arguments.objective]
    return {name: usual[name] if value is None else value for name, value in given.items()}


def check_objective(model: Model, rows: Rows) -> None:
    """Refuses flags that do not fit the objective.

    Args:
        model, rows: the flags of these.

    Raises:
        ValueError: the message names the flags.
    """
    if rows.objective == "masked_lm":
        if rows.generator_share is not None:
            raise ValueError(
                "--generator_share is of the model that replaces tokens, but --objective is "
                "masked_lm, which has none: leave it out, or give --objective=replaced_tokens."
            )
        return
    if rows.sentence_objective not in (None, "none"):
        raise ValueError(
            "--objective=replaced_tokens learns nothing of pairs, as ELECTRA does not, but "
            f"--sentence_objective is {rows.sentence_objective}: leave it out."
        )
    if model.preset is not None and not model.preset.startswith("electra_"):
        raise ValueError(
            "--objective=replaced_tokens trains an ELECTRA, but --preset is "
            f"{model.preset}: choose one of {', '.join(get_args(Electras))}."
        )


def check_taught(texts: Texts, model: Model, rows: Rows) -> None:
    """Refuses flags by which a teacher and its student would read or learn something else.

    Args:
        texts, model, rows: the flags of these.

    Raises:
        ValueError: the message names the flags.
    """
    if rows.objective == "replaced_tokens":
        raise ValueError(
            "--teacher says which pieces are missing, but --objective=replaced_tokens learns which "
            "ones a generator has put there: leave one of them out."
        )
    if model.extend_vocabulary:
        raise ValueError(
            "--teacher has the vocabulary of its student, but --extend_vocabulary gives that one "
            "more pieces: leave it out, or extend and train the teacher first."
        )
    if texts.lowercase is not None and not (texts.vocabulary or model.initial_checkpoint):
        raise ValueError("Whether to lower-case is the teacher's: leave --lowercase out.")

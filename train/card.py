"""What the card of a fine-tuned task says of how it was made."""

from __future__ import annotations

import pathlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import keras_bert as kb

if TYPE_CHECKING:
    from .finetune import Arguments, Rows

# What the card says of how a model was made.
HYPERPARAMETERS = (
    *("num_epochs", "batch_size", "learning_rate", "warmup_share", "weight_decay"),
    *("sequence_length", "layer_decay", "frozen_layers", "label_smoothing", "precision", "seed"),
)


def card_of(
    arguments: Arguments, figures: Mapping[str, Any], rows: Rows, start: str | None
) -> kb.finetuning.Card:
    """What the card of a fine-tuned task says, but for mistakes.

    Args:
        arguments: the flags of the run.
        figures: mapping of what it has reached, as of metrics.json.
        rows: the examples of the run.
        start: str, the checkpoint that it began with; None of new weights.
    """
    learned_from = arguments.train_files or arguments.dataset
    data = {}
    if rows.labelled:
        data["learned from"] = f"{learned_from} ({len(rows.labelled):,} examples)"
    if arguments.teacher:
        data["taught by"] = f"{arguments.teacher}, {arguments.distil}"
    if rows.unlabelled:
        number = len(rows.unlabelled)
        data["without labels"] = f"{arguments.unlabelled_files} ({number:,} examples)"
    held_out = rows.held_out
    if held_out:
        scored_on = arguments.eval_files or arguments.dataset or f"{arguments.eval_share} of them"
        data["scored on"] = f"{scored_on} ({len(held_out):,} examples)"
    of_teacher = ("temperature", "teacher_share") if arguments.teacher else ()
    of_size = ("num_layers",) if arguments.num_layers else ()
    of_cut = [name for name in ("remove_heads", "remove_columns") if getattr(arguments, name)]
    names = (*HYPERPARAMETERS, *of_size, *of_teacher, *of_cut)
    flagfile = pathlib.Path(arguments.output_dir, kb.training.directory.FLAGFILES["fine-tuning"])
    return kb.finetuning.Card(
        name=arguments.output_dir,
        data=data,
        scores=figures.get("mean and standard deviation", figures.get("scores", {})),
        command=f"keras-bert finetune --flagfile={flagfile}",
        version=kb.__version__,
        classes=figures.get("classes", {}),
        hyperparameters={name: getattr(arguments, name) for name in names},
        asked=(held_out or rows.learned)[0],
        base=pathlib.PurePath(start).name if start else None,
        language=arguments.language,
        license=arguments.license,
    )

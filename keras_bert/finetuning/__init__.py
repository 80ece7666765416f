"""Fine-tuning a task on a checkpoint: data held out, the best epoch and seed kept, a report."""

from keras_bert.checkpoints.transfer import shortened
from keras_bert.finetuning.card import Card, write_card
from keras_bert.finetuning.choice import Choice, KeepBest, best_epoch, check_choice, scores_of_best
from keras_bert.finetuning.cutting import Cut, remove_cut
from keras_bert.finetuning.examples import read_for, read_to_learn
from keras_bert.finetuning.held_out import HeldOut
from keras_bert.finetuning.hold_out import hold_out
from keras_bert.finetuning.layers import freeze, layer_rates
from keras_bert.finetuning.loading import load_task, task_of
from keras_bert.finetuning.options import check_options, given, options_of
from keras_bert.finetuning.pictures import draw_confusion, draw_scores
from keras_bert.finetuning.report import (
    Answered,
    Mistake,
    aligned,
    answer_held_out,
    figures_of,
    mean_and_spread,
    write_metrics,
    write_predictions,
)
from keras_bert.finetuning.run import Passes, fine_tune, num_batches
from keras_bert.finetuning.seeds import Run, best_run, keep
from keras_bert.finetuning.start import make_task, new_start, take_head
from keras_bert.finetuning.teaching import (
    compared,
    read_unlabelled,
    table_of,
    teacher_of,
)
from keras_bert.tasks.columns import ExampleFiles

__all__ = [
    "Answered",
    "Card",
    "Choice",
    "Cut",
    "ExampleFiles",
    "HeldOut",
    "KeepBest",
    "Mistake",
    "Passes",
    "Run",
    "aligned",
    "answer_held_out",
    "best_epoch",
    "best_run",
    "check_choice",
    "check_options",
    "compared",
    "draw_confusion",
    "draw_scores",
    "figures_of",
    "fine_tune",
    "freeze",
    "given",
    "hold_out",
    "keep",
    "layer_rates",
    "load_task",
    "make_task",
    "mean_and_spread",
    "new_start",
    "num_batches",
    "options_of",
    "read_for",
    "read_to_learn",
    "read_unlabelled",
    "remove_cut",
    "scores_of_best",
    "shortened",
    "table_of",
    "take_head",
    "task_of",
    "teacher_of",
    "write_card",
    "write_metrics",
    "write_predictions",
]

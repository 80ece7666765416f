"""Fine-tunes a checkpoint on a task's files; run again, it resumes or says that it is done.

    keras-bert finetune --task=text_classification --checkpoint=bert --train_files=train.tsv \
        --eval_share=0.1 --output_dir=mine
"""

from __future__ import annotations

import dataclasses
import json
import pathlib
from typing import Any, Literal, NamedTuple

import keras_bert as kb
from keras_bert import flags
from keras_bert.data.rows import Row
from keras_bert.tasks.table import TASKS, task_class

from .card import card_of
from .cutting import Cutting, check_cutting, cut_of
from .devices import Devices, in_scope
from .examples import Files, files_of, given_flags, options_of
from .presets import Preset
from .teaching import Teaching, check_teaching, lesson_of, show_beside, teachers

KIND = "fine-tuning"
# The last file of a run: where it is, the run is done.
METRICS_FILE = "metrics.json"
# Flags that say the same thing in two ways.
EXCLUDES = {
    "checkpoint": {"preset", "vocabulary"},
    "dataset": {"train_files", "eval_files", "eval_share"},
    "eval_files": {"eval_share"},
}
SINGLE_LABEL, REGRESSION = "single_label_classification", "regression"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Start:
    """Where it begins."""

    checkpoint: str | None = flags.flag(
        None, "checkpoint directory to start from; else that of the first teacher"
    )
    preset: Preset | None = flags.flag(
        None, "family, BERT if none is named, and size of a model with new weights"
    )
    vocabulary: str | None = flags.flag(
        None,
        "vocabulary of a model with new weights: word pieces' file, or byte pairs' folder",
    )
    num_layers: int | None = flags.flag(
        None, "blocks to start with, at equal distances among the model's; else all"
    )
    lowercase: bool | None = flags.flag(
        None, "lower-case the text of a model with new weights and strip accents; else yes"
    )
    dropout: float | None = flags.flag(None, "of hidden states and attention; else the config's")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Examples:
    """What is learned from."""

    train_files: str | None = flags.flag(
        None, "globs with commas between them; tfds:name@split; label=path,label=path; or json@part"
    )
    eval_files: str | None = flags.flag(None, "held-out files, to choose the best epoch by")
    eval_share: float = flags.flag(0.0, "share of the training examples to hold out instead")
    dataset: str | None = flags.flag(
        None, "tfds:name: its train split, and its validation split as held-out examples"
    )
    labels: str | None = flags.flag(None, "all labels, with commas; else those of the data")
    problem: Literal["single_label_classification", "multi_label_classification", "regression"] = (
        flags.flag("single_label_classification", "what text classification says")
    )
    sequence_length: int | None = flags.flag(
        None, "most pieces of a row; else 128, or the model's positions if they are fewer"
    )
    stride: int | None = flags.flag(None, "pieces between the rows of a long text")
    label_smoothing: float = flags.flag(0.0, "share of a label spread over all")
    matryoshka: str | None = flags.flag(
        None, "dimensions to which vectors may be cut afterwards, with commas, such as 128,64"
    )
    balance_labels: bool = flags.flag(False, "weigh rare labels more")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Updates:
    """How it is learned."""

    num_epochs: int = flags.flag(3, "passes over the examples, at most")
    patience: int | None = flags.flag(None, "stop after so many epochs without a better one")
    metric: str | None = flags.flag(None, "score to choose the best epoch by; else the task's")
    batch_size: int = flags.flag(32, "examples, or rows, of an update")
    num_micro_batches: int = flags.flag(1, "parts a batch is computed in, to save memory")
    precision: Literal["float32", "mixed_bfloat16", "mixed_float16"] = flags.flag(
        "float32", "of the computation"
    )
    learning_rate: float = flags.flag(2e-5, "peak of the schedule")
    warmup_share: float = flags.flag(0.1, "share of the updates until the peak")
    weight_decay: float = flags.flag(0.01, "of matrices and tables")
    layer_decay: float = flags.flag(1.0, "factor of the rate from each layer to the one below")
    frozen_layers: int = flags.flag(0, "blocks, and the embeddings, that keep their weights")
    bias_correction: bool = flags.flag(True, "correct Adam's bias (arXiv:2006.05987)")
    seed: int = flags.flag(0, "of the head, order and dropout")
    num_seeds: int = flags.flag(1, "runs with the seeds from seed on; the best one is kept")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Arguments(Start, Examples, Updates, Teaching, Cutting, Files, Devices):
    """The run."""

    task: Literal[tuple(TASKS)] = flags.required("what is learned")  # type: ignore[valid-type]
    output_dir: str = flags.required("directory of this run and its checkpoint")
    log_every: int | None = flags.flag_of_machine(
        None, "updates between two lines of progress; else a tenth of an epoch, at most 50"
    )
    language: str | None = flags.flag(None, "of the texts, such as en, for the model card")
    license: str | None = flags.flag(None, "of the model, such as apache-2.0, for its card")


class Rows(NamedTuple):
    """The examples of a run, as they were read."""

    labelled: list[Row]
    unlabelled: list[Row]
    held_out: list[Row]

    @property
    def learned(self) -> list[Row]:
        """All that is learned from."""
        return [*self.labelled, *self.unlabelled]


def main(arguments: Arguments) -> None:
    check(arguments)
    with in_scope(arguments), kb.training.run_directory(KIND, arguments) as output_dir:
        if (output_dir / METRICS_FILE).exists():
            print(f"The run in {output_dir} is done: {(output_dir / METRICS_FILE).read_text()}")
            return
        teacher = taught_by(arguments)
        rows = read(arguments)
        runs = []
        for seed in range(arguments.seed, arguments.seed + arguments.num_seeds):
            folder = output_dir / f"seed-{seed}" if arguments.num_seeds > 1 else output_dir
            figures = one_run(arguments, seed, rows, folder, teacher)
            runs.append(kb.finetuning.Run(figures, folder))
        best = kb.finetuning.best_run(runs, arguments.metric)
        task = kb.finetuning.keep(best, output_dir)
        kb.training.by_chief(lambda: finish(arguments, task, best, runs, rows, teacher))


def check(arguments: Arguments) -> None:
    """Refuses flags that exclude each other, or that nothing would come of.

    Raises:
        ValueError: the message names the flags.
    """
    given = {name for name, value in dataclasses.asdict(arguments).items() if value}
    for flag, others in EXCLUDES.items():
        both = sorted(given & others)
        if flag in given and both:
            raise ValueError(f"--{flag} and --{both[0]} exclude each other: leave one of them out.")
    if arguments.checkpoint and arguments.lowercase is False:
        raise ValueError("Whether to lower-case is the checkpoint's: leave --nolowercase out.")
    if not given & {"train_files", "dataset", "unlabelled_files"}:
        raise ValueError("Give --train_files, or --dataset for one of TensorFlow Datasets.")
    if not given & {"checkpoint", "teacher"} and not {"preset", "vocabulary"} <= given:
        raise ValueError("Give --checkpoint, or --preset and --vocabulary for new weights.")
    chooses = sorted(given & {"metric", "patience"})
    if chooses and not given & {"eval_files", "eval_share", "dataset"}:
        raise ValueError(
            f"--{chooses[0]} is of held-out examples, but there are none: give --eval_files or "
            "--eval_share."
        )
    if arguments.balance_labels and arguments.problem != SINGLE_LABEL:
        raise ValueError(f"--balance_labels is for --problem={SINGLE_LABEL}: leave it out.")
    if arguments.label_smoothing and arguments.problem == REGRESSION:
        raise ValueError("--label_smoothing is for labels, not for numbers: leave it out.")
    for name in ("num_seeds", "num_epochs", "batch_size", "log_every", "num_layers"):
        value = getattr(arguments, name)
        if value is not None and value < 1:
            raise ValueError(f"--{name} must be at least 1, not {value}.")
    check_teaching(arguments, given_flags(arguments))
    check_cutting(arguments, arguments.frozen_layers)
    # Last, as the tasks are opened for it.
    kb.finetuning.check_options(arguments.task, given_flags(arguments))


def taught_by(arguments: Arguments) -> kb.Teacher | None:
    """The teacher, in the precision of the run; None where labels alone are learned."""
    if not arguments.teacher:
        return None
    kb.training.prepare(arguments.seed, arguments.precision)
    return kb.finetuning.teacher_of(teachers(arguments))


def read(arguments: Arguments) -> Rows:
    """The examples to learn from, with labels and without, and those held out."""
    kind, options = task_class(arguments.task), options_of(arguments)
    train_files, eval_files = arguments.train_files, arguments.eval_files
    if arguments.dataset:
        train_files, eval_files = f"{arguments.dataset}@train", f"{arguments.dataset}@validation"
    learned, compared = (
        files_of(arguments, path) if path else None for path in (train_files, eval_files)
    )
    examples, held_out = kb.finetuning.read_to_learn(kind, learned, compared, options)
    if arguments.eval_share:
        examples, held_out = kb.finetuning.hold_out(examples, arguments.eval_share)
    unlabelled: list[Row] = []
    if arguments.unlabelled_files:
        files = files_of(arguments, arguments.unlabelled_files)
        unlabelled = kb.finetuning.read_unlabelled(kind, files, options)
    besides = f", {len(unlabelled):,} without labels" if unlabelled else ""
    print(f"{len(examples):,} examples to learn from{besides}, {len(held_out):,} held out.")
    return Rows(examples, unlabelled, held_out)


def one_run(
    arguments: Arguments,
    seed: int,
    rows: Rows,
    folder: pathlib.Path,
    teacher: kb.Teacher | None,
) -> dict[str, float]:
    """Trains with one seed; the scores of the best epoch, or else the loss of the last one."""
    fine_tuning = kb.finetuning
    kb.training.prepare(seed, arguments.precision)
    task = make(arguments, rows, teacher)
    learner = learner_of(arguments, task, rows, teacher)
    given = fine_tuning.given(task.sample_weights, options_of(arguments))
    weights = task.sample_weights(rows.labelled, **given)
    data = learner.dataset(
        rows.learned,
        arguments.batch_size,
        training=True,
        seed=seed,
        sample_weight=weights and [*weights, *(1.0 for _ in rows.unlabelled)],
    )
    num_batches = fine_tuning.num_batches(data)
    for one in dict.fromkeys((task, learner)):
        cut = compile_task(arguments, one, num_batches * arguments.num_epochs)
    first_epoch = cut.first_epoch(num_batches) if cut else 0
    choice = fine_tuning.Choice(arguments.metric, arguments.patience, first_epoch)
    fine_tuning.check_choice(task, rows.held_out, choice)
    kb.training.begin(KIND, arguments, pathlib.Path(arguments.output_dir))
    history = fine_tuning.fine_tune(
        learner,
        data,
        rows.held_out,
        folder,
        save=lambda: kb.save(task, folder),
        passes=fine_tuning.Passes(
            num_epochs=arguments.num_epochs,
            batch_size=arguments.batch_size,
            log_every=arguments.log_every,
            held_out_weight=task.sample_weights(rows.held_out, **given),
        ),
        choice=choice,
    )
    if cut:
        print(fine_tuning.remove_cut(folder))
    if not rows.held_out:
        return {"loss": history["loss"][-1]}
    kb.training.by_chief(lambda: fine_tuning.draw_scores(history, folder / "scores.png"))
    return fine_tuning.scores_of_best(history, task, choice)


def learner_of(
    arguments: Arguments, task: kb.Task, rows: Rows, teacher: kb.Teacher | None
) -> kb.Task:
    """What is trained: the task, or with a teacher a student on its layers."""
    if teacher is None:
        return task
    lesson = lesson_of(arguments, has_labels=bool(rows.labelled))
    return kb.student_of(task, teacher, lesson)


def make(arguments: Arguments, rows: Rows, teacher: kb.Teacher | None) -> kb.Task:
    """The task with the weights that it starts from, which are told."""
    fine_tuning, kind = kb.finetuning, task_class(arguments.task)
    directory = start_of(arguments)
    if directory:
        start = kb.load(directory, arguments.dropout)
    else:
        # That a vocabulary is given, check() has seen to.
        tokenizer = kb.read_tokenizer(arguments.vocabulary or "", arguments.lowercase)
        start = fine_tuning.new_start(kind, tokenizer, arguments.preset, arguments.dropout)
    if arguments.num_layers:
        start = fine_tuning.shortened(start, arguments.num_layers)
    length, options = arguments.sequence_length, with_labels_of(teacher, options_of(arguments))
    task = fine_tuning.make_task(kind, start, rows.labelled or rows.held_out, length, options)
    print(fine_tuning.take_head(task, start) if directory else "All weights are new.")
    fine_tuning.freeze(task.encoder, arguments.frozen_layers)
    return task


def start_of(arguments: Arguments) -> str | None:
    """The checkpoint to start from, or None for new weights."""
    others = () if arguments.preset else teachers(arguments)
    return arguments.checkpoint or next(iter(others), None)


def with_labels_of(teacher: kb.Teacher | None, options: dict[str, Any]) -> dict[str, Any]:
    """What a task may be told; the labels are the teacher's where nothing is said of them."""
    labels = () if teacher is None else getattr(teacher.members[0], "labels", ())
    if len(labels) > 1 and not options["labels"]:
        return {**options, "labels": labels}
    return options


def compile_task(arguments: Arguments, task: kb.Task, num_steps: int) -> kb.finetuning.Cut | None:
    """Sets the optimizer, its schedule, and the objective; gives what is cut on the way."""
    warmup_steps = int(arguments.warmup_share * num_steps)
    optimizer = kb.AdamW(
        kb.Schedule(arguments.learning_rate, num_steps, warmup_steps=warmup_steps),
        weight_decay=arguments.weight_decay,
        bias_correction=arguments.bias_correction,
        rate_factors=kb.finetuning.layer_rates(task.encoder, arguments.layer_decay),
    )
    cut = cut_of(arguments, num_steps, warmup_steps)
    if cut:
        optimizer.cut(cut.movement(task.encoder))
    given = kb.finetuning.given(task.judged().objective, options_of(arguments))
    task.compile(
        optimizer, **task.objective(**given), num_micro_batches=arguments.num_micro_batches
    )
    return cut


def finish(
    arguments: Arguments,
    task: kb.Task,
    best: kb.finetuning.Run,
    runs: list[kb.finetuning.Run],
    rows: Rows,
    teacher: kb.Teacher | None,
) -> None:
    """Answers the held-out examples with the task that is kept, and says all."""
    fine_tuning, output_dir = kb.finetuning, pathlib.Path(arguments.output_dir)
    held_out = rows.held_out
    answered = fine_tuning.answer_held_out(task, held_out, output_dir) if held_out else None
    classes = answered.classes if answered else None
    figures = fine_tuning.figures_of(
        best.figures, [one.figures for one in runs], classes, are_scores=bool(held_out)
    )
    card = card_of(arguments, figures, rows, start_of(arguments))
    if teacher and held_out:
        figures["teachers"] = show_beside(arguments, task, teacher, held_out)
    if answered:
        mistakes = answered.mistakes(task.example_spec)
        card = dataclasses.replace(card, mistakes=mistakes)
    fine_tuning.write_card(card.text(task), output_dir / "README.md")
    fine_tuning.write_metrics(output_dir / METRICS_FILE, figures)
    shown = {name: value for name, value in figures.items() if name not in ("classes", "teachers")}
    print(json.dumps(shown, indent=2))
    if len(runs) > 1 and not held_out:
        name = best.folder.name
        print(f"Nothing was held out: kept is {name}, whose training loss is the lowest.")
    left = sorted(path.name for path in output_dir.iterdir() if not path.name.startswith("."))
    print(
        f"In {output_dir}: {', '.join(left)}.\n"
        f"Next: keras-bert predict --checkpoint={output_dir} {task.asking}"
    )
    if answered and answered.warning:
        print(answered.warning)


if __name__ == "__main__":
    flags.run(main, Arguments)

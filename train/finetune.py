"""Fine-tunes a checkpoint on a task's files; run again, it resumes or says that it is done."""

from __future__ import annotations

import collections
import dataclasses
import json
import pathlib
import shutil
from collections.abc import Sequence
from typing import Any, Literal

import keras

import keras_bert as kb
from keras_bert import files, flags, metrics
from keras_bert.data.examples.schemes import in_iob2, tagging_scheme
from keras_bert.data.rows import Row
from keras_bert.finetuning import report
from keras_bert.finetuning import run as fine_tuning
from keras_bert.tasks.labels import label_name
from keras_bert.training import run
from keras_bert.training.directory import FLAGFILES, begin, run_directory
from train import examples as reading
from train import tasks
from train.examples import Files, TaskName

KIND = "fine-tuning"
# The last file of a run: where it is, the run is done.
METRICS_FILE = "metrics.json"
# Flags that say the same thing in two ways.
EXCLUDES = {
    "checkpoint": {"preset", "vocabulary"},
    "dataset": {"train_files", "eval_files", "eval_share"},
    "eval_files": {"eval_share"},
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Arguments(Files):
    task: TaskName = flags.required("what is learned")
    output_dir: str = flags.required("directory of this run and its checkpoint")
    checkpoint: str | None = flags.flag(None, "checkpoint directory to start from")
    preset: str | None = flags.flag(None, "size of a model with new weights, without checkpoint")
    vocabulary: str | None = flags.flag(None, "vocabulary file of a model with new weights")
    lowercase: bool = flags.flag(True, "lower-case the text of a model with new weights")
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
    batch_size: int = flags.flag(32, "examples, or rows, of an update")
    num_micro_batches: int = flags.flag(1, "parts a batch is computed in, to save memory")
    num_epochs: int = flags.flag(3, "passes over the examples, at most")
    patience: int | None = flags.flag(None, "stop after so many epochs without a better one")
    metric: str | None = flags.flag(None, "score to choose the best epoch by; else the task's")
    learning_rate: float = flags.flag(2e-5, "peak of the schedule")
    warmup_share: float = flags.flag(0.1, "share of the updates until the peak")
    weight_decay: float = flags.flag(0.01, "of matrices and tables")
    layer_decay: float = flags.flag(1.0, "factor of the rate from each layer to the one below")
    frozen_layers: int = flags.flag(0, "blocks, and the embeddings, that keep their weights")
    dropout: float | None = flags.flag(None, "of hidden states and attention; else the config's")
    label_smoothing: float = flags.flag(0.0, "share of a label spread over all")
    balance_labels: bool = flags.flag(False, "weigh rare labels more")
    bias_correction: bool = flags.flag(True, "correct Adam's bias (arXiv:2006.05987)")
    precision: Literal["float32", "mixed_bfloat16"] = flags.flag("float32", "of the computation")
    seed: int = flags.flag(0, "of the head, order and dropout")
    num_seeds: int = flags.flag(1, "runs with the seeds from seed on; the best one is kept")


def main(arguments: Arguments) -> None:
    check(arguments)
    with run_directory(KIND, arguments) as output_dir:
        if (output_dir / METRICS_FILE).exists():
            print(f"The run in {output_dir} is done: {(output_dir / METRICS_FILE).read_text()}")
            return
        examples, held_out = read(arguments)
        runs = []
        for seed in range(arguments.seed, arguments.seed + arguments.num_seeds):
            folder = output_dir / f"seed-{seed}" if arguments.num_seeds > 1 else output_dir
            runs.append((one_run(arguments, seed, examples, held_out, folder), folder))
        write_report(arguments, output_dir, runs, examples, held_out)


def check(arguments: Arguments) -> None:
    """Refuses flags that exclude each other, or that nothing would come of.

    Raises:
        ValueError: the message names the flags.
    """
    tasks.check_flags(arguments.task, arguments)
    given = {name for name, value in dataclasses.asdict(arguments).items() if value}
    for flag, others in EXCLUDES.items():
        both = sorted(given & others)
        if flag in given and both:
            raise ValueError(f"--{flag} and --{both[0]} exclude each other: leave one of them out.")
    if arguments.checkpoint and not arguments.lowercase:
        raise ValueError("Whether to lower-case is the checkpoint's: leave --nolowercase out.")
    if not given & {"train_files", "dataset"}:
        raise ValueError("Give --train_files, or --dataset for one of TensorFlow Datasets.")
    if not arguments.checkpoint and not {"preset", "vocabulary"} <= given:
        raise ValueError("Give --checkpoint, or --preset and --vocabulary for new weights.")
    chooses = sorted(given & {"metric", "patience"})
    if chooses and not given & {"eval_files", "eval_share", "dataset"}:
        raise ValueError(
            f"--{chooses[0]} is of held-out examples, but there are none: give --eval_files or "
            "--eval_share."
        )
    if arguments.balance_labels and arguments.problem != tasks.SINGLE_LABEL:
        raise ValueError(f"--balance_labels is for --problem={tasks.SINGLE_LABEL}: leave it out.")
    if arguments.label_smoothing and arguments.problem == tasks.REGRESSION:
        raise ValueError("--label_smoothing is for labels, not for numbers: leave it out.")
    for name in ("num_seeds", "num_epochs", "batch_size"):
        if getattr(arguments, name) < 1:
            raise ValueError(f"--{name} must be at least 1, not {getattr(arguments, name)}.")


def read(arguments: Arguments) -> tuple[list[Row], list[Row]]:
    """The examples to learn from, and those held out."""
    train_files, eval_files = arguments.train_files, arguments.eval_files
    if arguments.dataset:
        train_files, eval_files = f"{arguments.dataset}@train", f"{arguments.dataset}@validation"
    examples = read_some(arguments, train_files)
    held_out = read_some(arguments, eval_files, examples) if eval_files else []
    if arguments.task == "token_classification":
        scheme = tagging_scheme(examples)
        examples, held_out = (
            in_iob2(some, arguments.repair, prefer=scheme) for some in (examples, held_out)
        )
    if arguments.eval_share:
        examples, held_out = reading.hold_out(examples, arguments.eval_share)
    print(f"{len(examples):,} examples to learn from, {len(held_out):,} held out.")
    return examples, held_out


def read_some(arguments: Arguments, files: str, like: Sequence[Row] = ()) -> list[Row]:
    """The examples of some files, with what the labels of `like`, read before, tell of them."""
    if arguments.task != "text_classification":
        return reading.read(arguments.task, arguments, files)
    keys, label_key = tasks.text_columns(arguments)
    rows = reading.read(arguments.task, arguments, files, text_keys=keys, label_key=label_key)
    labels = ()
    if arguments.problem == tasks.SINGLE_LABEL:
        labels = tasks.labels_of(arguments, like or rows, label_key)
    return tasks.labelled_rows(rows, label_key, arguments.problem, labels)


def one_run(
    arguments: Arguments, seed: int, examples: list, held_out: list, folder: pathlib.Path
) -> dict[str, float]:
    """Trains with one seed; the scores of the best epoch, or else the loss of the last one."""
    keras.utils.clear_session()
    run.prepare(seed, arguments.precision)
    task = make(arguments, examples)
    weights = None
    if arguments.balance_labels:
        weights = fine_tuning.balanced_weights([one[task.label_key] for one in examples])
    data = task.dataset(
        examples, arguments.batch_size, training=True, seed=seed, sample_weight=weights
    )
    compile_task(arguments, task, fine_tuning.num_batches(data) * arguments.num_epochs)
    fine_tuning.check_choice(task, held_out, arguments.metric, arguments.patience)
    begin(KIND, arguments, pathlib.Path(arguments.output_dir))
    history = fine_tuning.fine_tune(
        task,
        data,
        held_out,
        folder,
        save=lambda: kb.save(task, folder),
        num_epochs=arguments.num_epochs,
        metric=arguments.metric,
        patience=arguments.patience,
    )
    if not held_out:
        return {"loss": history["loss"][-1]}
    report.draw_scores(history, folder / "scores.png")
    best = fine_tuning.best_epoch(history, arguments.metric or task.score_names[0])
    scored = [name for name in history if name.startswith("val_")]
    return {name.removeprefix("val_"): history[name][best] for name in scored}


def make(arguments: Arguments, examples: Sequence[Row]) -> kb.Task:
    """The task with the weights that it starts from, which are told."""
    checkpoint = starting_point(arguments)
    task = tasks.make(arguments, checkpoint, examples)
    print(tasks.take_head(task, checkpoint) if arguments.checkpoint else "All weights are new.")
    fine_tuning.freeze(task.encoder, arguments.frozen_layers)
    return task


def starting_point(arguments: Arguments) -> kb.Checkpoint:
    """The checkpoint to start from, or one with new weights."""
    if arguments.checkpoint:
        return kb.load(arguments.checkpoint, arguments.dropout)
    tokenizer = kb.Tokenizer(kb.read_vocabulary(arguments.vocabulary), arguments.lowercase)
    changes = {"vocabulary_size": tokenizer.vocabulary_size}
    if arguments.dropout is not None:
        changes |= {"dropout": arguments.dropout, "attention_dropout": arguments.dropout}
    config = dataclasses.replace(kb.BertConfig.preset(arguments.preset), **changes)
    encoder = kb.BertEncoder(config)
    # Blanks are filled by the head of pretraining; every other task brings its own.
    model = kb.BertPretrainer(encoder, None) if arguments.task == "fill_mask" else None
    return kb.Checkpoint(config, tokenizer, encoder, model)


def compile_task(arguments: Arguments, task: kb.Task, num_steps: int) -> None:
    """Sets the optimizer, its schedule, and the objective."""
    warmup_steps = int(arguments.warmup_share * num_steps)
    optimizer = kb.AdamW(
        kb.Schedule(arguments.learning_rate, num_steps, warmup_steps=warmup_steps),
        weight_decay=arguments.weight_decay,
        bias_correction=arguments.bias_correction,
        rate_factors=fine_tuning.layer_rates(task.encoder.config, arguments.layer_decay),
    )
    smoothing = (arguments.label_smoothing,) if arguments.label_smoothing else ()
    task.compile(
        optimizer, **task.objective(*smoothing), num_micro_batches=arguments.num_micro_batches
    )


def write_report(
    arguments: Arguments, output_dir: pathlib.Path, runs: list, examples: list, held_out: list
) -> None:
    """Keeps the best run's checkpoint, answers the held-out examples with it, and says all."""
    metric = arguments.metric or next(iter(runs[0][0]))
    best = metrics.best(metric, [scores[metric] for scores, _ in runs])
    scores, folder = runs[best]
    task = tasks.task_of(kb.load(folder), str(folder))
    if folder != output_dir:
        kb.save(task, output_dir)
        for picture in folder.glob("*.png"):
            shutil.copy(picture, output_dir)
    if held_out:
        answer_held_out(task, held_out, output_dir)
    figures = figures_of(arguments, task, scores, [one for one, _ in runs], held_out)
    write_card(arguments, task, output_dir, figures, len(examples), len(held_out))
    report.write_metrics(output_dir / METRICS_FILE, figures)
    print(json.dumps(figures, indent=2))
    if len(runs) > 1 and not held_out:
        print(f"Nothing was held out: kept is {folder.name}, whose training loss is the lowest.")
    left = sorted(path.name for path in output_dir.iterdir() if not path.name.startswith("."))
    print(
        f"In {output_dir}: {', '.join(left)}.\n"
        f"Next: python -m train.predict --checkpoint={output_dir} {example_flags(arguments)}"
    )


def answer_held_out(task: kb.Task, held_out: Sequence[Row], output_dir: pathlib.Path) -> None:
    """Leaves the answers to held-out examples; where questions have none, finds the threshold."""
    answers = task(held_out)
    if isinstance(task, kb.QuestionAnswerer) and task.no_answer_threshold is not None:
        task.no_answer_threshold = task.scores(held_out, answers)["best_f1_thresh"]
        kb.save(task, output_dir)
        answers = task(held_out)
    report.write_predictions(output_dir / "predictions.jsonl", held_out, answers)
    if getattr(task, "problem", "") == tasks.SINGLE_LABEL:
        report.draw_confusion(task, held_out, answers, output_dir / "confusion.png")


def figures_of(
    arguments: Arguments, task: kb.Task, scores: dict, runs: list, held_out: Sequence[Row]
) -> dict[str, Any]:
    """What `metrics.json` says: scores of held-out examples, or the loss of training alone."""
    if not held_out:
        return {"training": scores, "runs": runs}
    figures = {"scores": scores, "runs": runs}
    if getattr(task, "problem", "") == tasks.SINGLE_LABEL:
        names = [label_name(example[task.label_key]) for example in held_out]
        [(label, count)] = collections.Counter(names).most_common(1)
        figures["the most frequent label"] = {"label": label, "accuracy": count / len(held_out)}
    if len(runs) > 1:
        figures["mean and standard deviation"] = report.mean_and_spread(runs)
    return figures


def write_card(
    arguments: Arguments,
    task: kb.Task,
    output_dir: pathlib.Path,
    figures: dict[str, Any],
    num_examples: int,
    num_held_out: int,
) -> None:
    """Writes the model card, README.md."""
    learned_from = arguments.train_files or arguments.dataset
    scored_on = arguments.eval_files or arguments.dataset or f"{arguments.eval_share} of them"
    data = {"learned from": f"{learned_from} ({num_examples:,} examples)"}
    if num_held_out:
        data["scored on"] = f"{scored_on} ({num_held_out:,} examples)"
    scores = figures.get("mean and standard deviation", figures.get("scores", {}))
    command = f"python -m train.finetune --flagfile={output_dir / FLAGFILES[KIND]}"
    card = report.model_card(task, str(output_dir), data, scores, command)
    with files.whole_file(output_dir / "README.md") as staging:
        staging.write_text(card, encoding="utf-8")


def example_flags(arguments: Arguments) -> str:
    """How `train.predict` is given one example of the task."""
    parts = ["--text='...'"]
    is_pair = arguments.task == "text_classification" and "," in (arguments.text_keys or "")
    if is_pair or arguments.task == "question_answering":
        parts.append("--second='...'")
    if arguments.task == "multiple_choice":
        parts += 2 * ["--choice='...'"]
    return " ".join(parts)


if __name__ == "__main__":
    flags.run(main, Arguments)

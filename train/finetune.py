"""Fine-tunes a checkpoint on a task's files; run again, it resumes or says that it is done."""

from __future__ import annotations

import collections
import dataclasses
import json
import pathlib
import shutil
from typing import Literal

import keras

import keras_bert as kb
from keras_bert import flags
from keras_bert.tasks import fine_tuning, report
from keras_bert.training import run
from train import tasks


@dataclasses.dataclass(frozen=True)
class Arguments:
    task: tasks.TaskName = flags.required("what is learned")
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
    form: str | None = flags.flag(None, "form of the files: tsv csv jsonl conll squad swag ...")
    columns: str | None = flags.flag(None, "names of the columns of tables without a header")
    text_keys: str = flags.flag("sentence", "columns with the texts, one or two")
    label_key: str = flags.flag("label", "column with the label")
    labels: str | None = flags.flag(None, "all labels, with commas; else those of the data")
    problem: Literal["single_label_classification", "multi_label_classification", "regression"] = (
        flags.flag("single_label_classification", "what text classification says")
    )
    encoding: str = flags.flag("utf-8", "encoding of label=path files")
    repair: bool = flags.flag(False, "mend tags that break their scheme, and count them")
    sequence_length: int = flags.flag(128, "most pieces of a row")
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
    output_dir = pathlib.Path(arguments.output_dir)
    flags.check_same_run(arguments, output_dir / "finetune.flags")
    if (output_dir / "metrics.json").exists():
        print(f"The run in {output_dir} is done: {(output_dir / 'metrics.json').read_text()}")
        return
    examples, held_out = read(arguments)
    runs = []
    for seed in range(arguments.seed, arguments.seed + arguments.num_seeds):
        folder = output_dir / f"seed-{seed}" if arguments.num_seeds > 1 else output_dir
        runs.append((one_run(arguments, seed, examples, held_out, folder), folder))
    write_report(arguments, runs, examples, held_out)


def read(arguments: Arguments) -> tuple[list[dict], list[dict]]:
    """The examples to learn from, and those held out."""
    train_files, eval_files = arguments.train_files, arguments.eval_files
    if arguments.dataset:
        train_files, eval_files = f"{arguments.dataset}@train", f"{arguments.dataset}@validation"
    if not train_files:
        raise ValueError("Give --train_files, or --dataset for one of TensorFlow Datasets.")
    examples = tasks.read(arguments.task, arguments, train_files)
    held_out = tasks.read(arguments.task, arguments, eval_files) if eval_files else []
    if not held_out and arguments.eval_share:
        # Every so-manieth one: the same whatever the seed, and of all parts of the file.
        step = max(2, round(1 / arguments.eval_share))
        held_out = examples[step - 1 :: step]
        examples = [one for i, one in enumerate(examples) if i % step != step - 1]
    print(f"{len(examples):,} examples to learn from, {len(held_out):,} held out.")
    return examples, held_out


def one_run(
    arguments: Arguments, seed: int, examples: list, held_out: list, folder: pathlib.Path
) -> dict[str, float]:
    """Trains with one seed, and gives the scores of the best epoch."""
    keras.utils.clear_session()
    run.prepare(seed, arguments.precision)
    task = tasks.make(arguments, starting_point(arguments), examples)
    fine_tuning.freeze(task.encoder, arguments.frozen_layers)
    if arguments.balance_labels:
        examples = fine_tuning.balanced(examples)
    data = task.dataset(examples, arguments.batch_size, training=True, seed=seed)
    compile_task(arguments, task, fine_tuning.num_batches(data) * arguments.num_epochs)
    folder.mkdir(parents=True, exist_ok=True)
    pathlib.Path(arguments.output_dir).mkdir(parents=True, exist_ok=True)
    flags.write_flagfile(arguments, pathlib.Path(arguments.output_dir) / "finetune.flags")
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
    names = [name.removeprefix("val_") for name in history if name.startswith("val_")]
    best = fine_tuning.best_epoch(history, arguments.metric or names[0])
    return {name: history[f"val_{name}"][best] for name in names}


def starting_point(arguments: Arguments) -> kb.Checkpoint:
    """The checkpoint to start from, or one with new weights."""
    if arguments.checkpoint:
        return kb.load(arguments.checkpoint, arguments.dropout)
    if not (arguments.preset and arguments.vocabulary):
        raise ValueError("Give --checkpoint, or --preset and --vocabulary for new weights.")
    tokenizer = kb.Tokenizer(kb.read_vocabulary(arguments.vocabulary), arguments.lowercase)
    config = kb.BertConfig.preset(arguments.preset)
    changes = {"vocabulary_size": tokenizer.vocabulary_size}
    if arguments.dropout is not None:
        changes |= {"dropout": arguments.dropout, "attention_dropout": arguments.dropout}
    config = dataclasses.replace(config, **changes)
    return kb.Checkpoint(config, tokenizer, kb.BertEncoder(config), None)


def compile_task(arguments: Arguments, task: kb.Task, num_steps: int) -> None:
    """Sets the optimizer, its schedule, and the objective."""
    warmup_steps = int(arguments.warmup_share * num_steps)
    optimizer = kb.AdamW(
        kb.Schedule(arguments.learning_rate, num_steps, warmup_steps),
        weight_decay=arguments.weight_decay,
        bias_correction=arguments.bias_correction,
        rate_factors=fine_tuning.layer_rates(task.encoder.config, arguments.layer_decay),
    )
    smoothing = (arguments.label_smoothing,) if arguments.label_smoothing else ()
    task.compile(
        optimizer, **task.objective(*smoothing), num_micro_batches=arguments.num_micro_batches
    )


def write_report(arguments: Arguments, runs: list, examples: list, held_out: list) -> None:
    """Keeps the best run's checkpoint, answers the held-out examples with it, and says all."""
    output_dir = pathlib.Path(arguments.output_dir)
    metric = arguments.metric or next(iter(runs[0][0]))
    scores, folder = max(runs, key=lambda one: one[0][metric])
    if folder != output_dir:
        for path in folder.iterdir():
            if path.is_file() and path.name != "metrics.jsonl":
                shutil.copy(path, output_dir)
    task = kb.load(output_dir).model
    if held_out:
        answers = task(held_out)
        if isinstance(task, kb.QuestionAnswerer) and task.no_answer_threshold is not None:
            task.no_answer_threshold = task.scores(held_out, answers)["best_f1_thresh"]
            kb.save(task, output_dir)
            answers = task(held_out)
        report.write_predictions(output_dir / "predictions.jsonl", held_out, answers)
        if getattr(task, "problem", "") == "single_label_classification":
            report.draw_confusion(task, held_out, answers, output_dir / "confusion.png")
    summary = report.mean_and_spread([one for one, _ in runs])
    shown = summary if len(runs) > 1 else scores
    sources = (arguments.train_files or arguments.dataset, arguments.eval_files or "a share of it")
    data = {
        "learned from": f"{sources[0]} ({len(examples):,} examples)",
        "scored on": f"{sources[1]} ({len(held_out):,} examples)",
    }
    command = f"python -m train.finetune --flagfile={output_dir / 'finetune.flags'}"
    card = report.model_card(task, str(output_dir), data, shown, command)
    (output_dir / "README.md").write_text(card, encoding="utf-8")
    figures = {"scores": scores, "runs": [one for one, _ in runs]}
    if getattr(task, "problem", "") == "single_label_classification" and held_out:
        [(label, count)] = collections.Counter(e["label"] for e in held_out).most_common(1)
        figures["the most frequent label"] = {"label": label, "accuracy": count / len(held_out)}
    if len(runs) > 1:
        figures["mean and standard deviation"] = summary
    report.write_metrics(output_dir / "metrics.json", figures)
    print(json.dumps(figures, indent=2))
    print(
        f"In {output_dir}: the best checkpoint, README.md, metrics.json, predictions.jsonl, "
        "pictures, tensorboard/ and the flags of this run.\n"
        f"Next: python -m train.predict --checkpoint={output_dir} {example_flags(arguments)}"
    )


def example_flags(arguments: Arguments) -> str:
    """How `train.predict` is given one example of the task."""
    parts = ["--text='...'"]
    is_pair = arguments.task == "text_classification" and "," in arguments.text_keys
    if is_pair or arguments.task == "question_answering":
        parts.append("--second='...'")
    if arguments.task == "multiple_choice":
        parts += 2 * ["--choice='...'"]
    return " ".join(parts)


if __name__ == "__main__":
    flags.run(main, Arguments)

"""Fine-tuning from the same weights beside transformers: scores and wall time.

    pip install '.[peers]'
    python -m benchmarks.finetuning --checkpoint=all-MiniLM-L6-v2 \\
        --polarity_files=negative=rt-polarity.neg,positive=rt-polarity.pos \\
        --sts_files=stsb-en-train.csv --sts_eval_files=stsb-en-dev.csv \\
        --ner_files=wnut17train.conll --ner_eval_files=emerging.dev.conll \\
        --qa_files=squad-train.json --qa_eval_files=xquad.en.json

Ours is the run that `train.finetune` makes; transformers' is a loop in PyTorch over shuffled
batches, padded to their longest row. Both get the same examples, recipe (AdamW with bias correction
and decay that spares biases and norms, warm-up and linear decay, clipping to norm 1, dropout) and
metrics; head, order and dropout are drawn anew for each seed. Wall time goes from examples in
memory to a checkpoint directory. They take turns, one process each. The defaults suit a model of 6
layers of 384: hours for 3 seeds on two cores, most of them for questions.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import pathlib
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import keras_bert as kb
from benchmarks.figures import in_processes, print_figure
from benchmarks.transformers_tasks import (
    Answers,
    Example,
    TransformersAnswers,
    TransformersTask,
    TransformersText,
    TransformersTokens,
    fit,
)
from keras_bert import flags, metrics
from keras_bert.tasks.labels import names_among
from train import finetune


@dataclasses.dataclass(frozen=True)
class Arguments:
    checkpoint: str = flags.required("directory of the model to start from")
    tasks: tuple[str, ...] = flags.flag(("polarity", "sts", "ner", "qa"), "which to run")
    polarity_files: str | None = flags.flag(None, "label=path,label=path; a tenth is held out")
    sts_files: str | None = flags.flag(None, "tables of sentence,sentence,number")
    sts_eval_files: str | None = flags.flag(None, "the same, held out")
    ner_files: str | None = flags.flag(None, "words and tags, in CoNLL's form")
    ner_eval_files: str | None = flags.flag(None, "the same, held out")
    qa_files: str | None = flags.flag(None, "questions in SQuAD's form, all with an answer")
    qa_eval_files: str | None = flags.flag(None, "the same, held out")
    max_examples: int = flags.flag(1000, "training examples, drawn once; 0 takes all")
    num_seeds: int = flags.flag(3, "runs of each")
    num_epochs: int = flags.flag(3, "passes over the examples")
    batch_size: int = flags.flag(16, "rows of a batch")
    learning_rate: float = flags.flag(1e-4, "peak of the schedule")
    dropout: float = flags.flag(0.1, "of hidden states and attention")


def main(arguments: Arguments) -> None:
    for name in arguments.tasks:
        recipe = recipe_of(name, arguments)
        with contextlib.redirect_stdout(sys.stderr):
            examples, _, held_out = finetune.read(recipe)
        if arguments.max_examples:
            count = min(arguments.max_examples, len(examples))
            examples = random.Random(0).sample(examples, count)
        compare(name, recipe, examples, held_out, arguments.num_seeds)


def recipe_of(name: str, arguments: Arguments) -> finetune.Arguments:
    """A task's arguments of `train.finetune`, for both."""
    sts = {"columns": "sentence1,sentence2,label", "text_keys": "sentence1,sentence2"}
    recipes: dict[str, dict[str, Any]] = {
        "polarity": {"task": "text_classification", "text_keys": "sentence", "eval_share": 0.1},
        "sts": {"task": "text_classification", "problem": "regression", **sts},
        "ner": {"task": "token_classification"},
        "qa": {"task": "question_answering", "sequence_length": 256, "stride": 128},
    }
    if name not in recipes:
        raise ValueError(f"tasks must be among {', '.join(recipes)}, not {name!r}: name others.")
    files = {kind: getattr(arguments, f"{name}_{kind}", None) for kind in ("files", "eval_files")}
    if not files["files"]:
        raise ValueError(f"Each of the tasks needs its files: give --{name}_files.")
    shared = ("checkpoint", "num_epochs", "batch_size", "learning_rate", "dropout")
    return finetune.Arguments(
        train_files=files["files"],
        eval_files=files["eval_files"],
        **{key: getattr(arguments, key) for key in shared},
        **{"output_dir": "", "sequence_length": 128, **recipes[name]},
    )


def compare(
    name: str, recipe: finetune.Arguments, examples: list, held_out: list, num_seeds: int
) -> None:
    """Prints the scores of both, the mean over seeds and each, and how long training took."""
    trainers = {"transformers": train_transformers, "keras_bert": train_keras_bert}
    runs: dict[str, list[tuple[dict[str, float], float]]] = {trainer: [] for trainer in trainers}
    for seed in range(num_seeds):
        for trainer, train in trainers.items():
            maker = (train, recipe, seed, examples, held_out)
            with in_processes({trainer: maker}) as candidates:
                answers, seconds = candidates[trainer]()
            runs[trainer].append((scores_of(recipe, held_out, answers), seconds))
    details = {"num_examples": len(examples), "num_held_out": len(held_out)}
    medians = {trainer: statistics.median(s for _, s in some) for trainer, some in runs.items()}
    for trainer, some in runs.items():
        for metric in some[0][0]:
            values = [round(100 * scores[metric], 2) for scores, _ in some]
            print_figure(
                f"finetuning/{name}/{trainer}/{metric}",
                round(statistics.mean(values), 2),
                "of 100",
                of_each_seed=values,
                standard_deviation=round(statistics.pstdev(values), 2),
                **details,
            )
        print_figure(
            f"finetuning/{name}/{trainer}/wall_time",
            round(medians[trainer], 1),
            "s",
            ratio=round(medians[trainer] / medians["transformers"], 3),
            of_each_seed=[round(seconds, 1) for _, seconds in some],
            **details,
        )


def scores_of(
    recipe: finetune.Arguments, examples: Sequence[Example], answers: Answers
) -> dict[str, float]:
    """How good answers are, from 0 to 1, whoever gave them."""
    if recipe.task == "token_classification":
        tags = [example["labels"] for example in examples]
        return {"f1": metrics.entity_scores(tags, answers)["f1"]}
    if recipe.task == "question_answering":
        found = metrics.squad_scores(answers, [example["answers"] for example in examples])
        return {"f1": found["f1"] / 100, "exact": found["exact"] / 100}
    labels = [example["label"] for example in examples]
    if recipe.problem == "regression":
        numbers = np.array(labels, float)
        return {
            "pearson": metrics.pearson_correlation(numbers, answers),
            "spearman": metrics.spearman_correlation(numbers, answers),
        }
    names, ids = np.unique([labels, answers], return_inverse=True)
    return {"accuracy": metrics.accuracy(*ids.reshape([2, -1]))}


def train_keras_bert(
    recipe: finetune.Arguments, seed: int, examples: list, held_out: list
) -> Callable[[], tuple[Answers, float]]:
    """A function that gives the answers to held-out examples, and the seconds of training."""
    said: Callable[[Any], Any] = {
        "text_classification": lambda answer: answer.get("label") or answer["values"][0],
        "token_classification": lambda answer: [word["label"] for word in answer],
        "question_answering": lambda answer: answer["answer"],
    }[recipe.task]

    def run() -> tuple[Answers, float]:
        with tempfile.TemporaryDirectory() as name, contextlib.redirect_stdout(sys.stderr):
            folder = pathlib.Path(name)
            start = time.perf_counter()
            own = dataclasses.replace(recipe, output_dir=name)
            finetune.one_run(own, seed, finetune.Rows(examples, [], []), folder, None)
            seconds = time.perf_counter() - start
            return [said(answer) for answer in kb.finetuning.load_task(folder)(held_out)], seconds

    return run


def labels_of(recipe: finetune.Arguments, examples: Sequence[Example]) -> tuple[str, ...]:
    """The names of the classes of texts, or of words."""
    if recipe.task == "question_answering":
        return ()
    if recipe.task == "token_classification":
        return names_among([name for example in examples for name in example["labels"]])
    return names_among([example["label"] for example in examples])


def train_transformers(
    recipe: finetune.Arguments, seed: int, examples: list, held_out: list
) -> Callable[[], tuple[Answers, float]]:
    """The same for transformers' class of the task."""
    import torch
    import transformers

    torch.set_num_threads(os.cpu_count())
    transformers.logging.set_verbosity_error()
    kinds: dict[str, type[TransformersTask]] = {
        "text_classification": TransformersText,
        "token_classification": TransformersTokens,
        "question_answering": TransformersAnswers,
    }

    def run() -> tuple[Answers, float]:
        torch.manual_seed(seed)
        start = time.perf_counter()
        labels = labels_of(recipe, examples)
        task = kinds[recipe.task](recipe, labels)
        model = fit(task, task.features(examples), recipe)
        with tempfile.TemporaryDirectory() as folder:
            model.save_pretrained(folder)
            task.tokenizer.save_pretrained(folder)
        seconds = time.perf_counter() - start
        with torch.inference_mode():
            return task.answers(held_out), seconds

    return run


if __name__ == "__main__":
    flags.run(main, Arguments)

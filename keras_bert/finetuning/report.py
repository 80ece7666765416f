"""What is left of a fine-tuned task for people: answers to held-out examples, and figures."""

from __future__ import annotations

import collections
import json
import math
import os
import pathlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from keras_bert import files, metrics
from keras_bert.checkpoints.directory import save
from keras_bert.data.answers.rows import Columns
from keras_bert.data.answers.tables import json_lines
from keras_bert.finetuning.pictures import draw_breakdown, draw_calibration, draw_confusion
from keras_bert.tasks.examples import Example, plain
from keras_bert.tasks.hooks import Classes
from keras_bert.tasks.task import Task


class Mistake(NamedTuple):
    """A held-out example that was answered wrongly.

    Args:
        text: str, the example as a person reads it.
        true, said: str, its class, and that of the answer.
        probability: float, of the answer.
    """

    text: str
    true: str
    said: str
    probability: float


class Answered(NamedTuple):
    """Held-out examples, and what a task says of them.

    Args:
        examples: sequence of dicts.
        answers: sequence of as many.
        classes: Classes, where examples have one each.
        warning: str, a sentence on answers that are all the same, but should not be, or None.
    """

    examples: Sequence[Example]
    answers: Sequence[Any]
    classes: Classes | None
    warning: str | None = None

    def mistakes(self, keys: Iterable[str], number: int = 10) -> list[Mistake]:
        """Wrong answers, the surest first; none where there are no classes.

        Args:
            keys: the columns of the texts, such as a task's `example_spec`.
            number: int, how many at most.
        """
        if self.classes is None:
            return []
        labels, true, predicted, probability = self.classes
        wrong = np.flatnonzero(true != predicted)
        surest = wrong[np.argsort(-probability[wrong], kind="stable")][:number].tolist()
        return [
            Mistake(
                " | ".join(str(plain(self.examples[i][key])) for key in keys),
                labels[true[i]],
                labels[predicted[i]],
                float(probability[i]),
            )
            for i in surest
        ]


def answer_held_out(task: Task, held_out: Sequence[Example], output_dir: pathlib.Path) -> Answered:
    """Leaves the answers to held-out examples, and pictures of how good they are.

    What a task chooses by such examples, as the threshold of no answer, is set and saved before.
    Of classes there are a matrix of what was taken for what, `confusion.png`, and how surely,
    `calibration.png`; of examples that come in groups, such as classes, kinds of entities, and
    lengths of answers, the score of each, `groups.png`.

    Args:
        task: Task, whose checkpoint is in the output directory.
        held_out: sequence of dicts.
        output_dir: path of the directory.
    """
    answers = task(held_out)
    if task.choose_settings(held_out, answers):
        save(task, output_dir)
        answers = task(held_out)
    write_predictions(output_dir / "predictions.jsonl", held_out, answers)
    classes, groups = task.classes(held_out, answers), task.breakdown(held_out, answers)
    if classes is not None:
        draw_confusion(classes, output_dir / "confusion.png")
        draw_calibration(classes, output_dir / "calibration.png")
    if groups is not None:
        draw_breakdown(groups, output_dir / "groups.png")
    warning = warning_of(answers)
    if warning and _is_perfect(next(iter(task.scores(held_out, answers).values()))):
        warning = None
    return Answered(held_out, answers, classes, warning)


def warning_of(answers: Sequence[Any]) -> str | None:
    """A sentence on answers that all say the same; None where they do not.

    Args:
        answers: sequence of what a task says.

    Example:

    >>> from keras_bert.finetuning.report import warning_of
    >>> warning_of([[{"label": "O"}, {"label": "O"}], [{"label": "O"}]])
    'It says O for every word, and finds nothing: train longer, or with a higher learning rate.'
    >>> warning_of([{"label": "good"}, {"label": "bad"}]) is None
    True
    """
    said = [value for answer in answers for value in _said(answer)]
    if len(said) < 2 or len(set(said)) > 1:
        return None
    what = "word" if isinstance(answers[0], list) else "held-out example"
    advice = "train longer, or with a higher learning rate."
    if said[0] == "O":
        return f"It says O for every {what}, and finds nothing: {advice}"
    if said[0] == "":
        return f"It says nothing for every {what}: {advice}"
    return f"It says {said[0]!r} for every {what}: {advice}"


def _said(answer: Any) -> list[Any]:
    """The names, words or numbers of choices that an answer has; of a vector none."""
    if isinstance(answer, Mapping):
        return [answer[name] for name in ("label", "labels", "answer", "choice") if name in answer]
    return [one["label"] if isinstance(one, Mapping) else one[0][0] for one in answer]


def _is_perfect(score: float) -> bool:
    return score in (1.0, 100.0)


def figures_of(
    kept: Mapping[str, float],
    runs: Sequence[Mapping[str, float]],
    classes: Classes | None,
    *,
    are_scores: bool,
) -> dict[str, Any]:
    """What `metrics.json` says of a recipe.

    Args:
        kept: dict of the figures of the run that is kept.
        runs: those of all, one a seed.
        classes: Classes of the held-out examples, if they have some.
        are_scores: bool, whether they are of held-out examples, or the loss of training alone.

    Example:

    >>> from keras_bert.finetuning.report import figures_of
    >>> figures_of({"loss": 0.5}, [{"loss": 0.5}], None, are_scores=False)
    {'training': {'loss': 0.5}, 'runs': [{'loss': 0.5}]}
    """
    if not are_scores:
        return {"training": dict(kept), "runs": list(runs)}
    figures: dict[str, Any] = {"scores": dict(kept), "runs": list(runs)}
    if classes is not None:
        [(index, count)] = collections.Counter(classes.true.tolist()).most_common(1)
        accuracy = count / len(classes.true)
        label = classes.labels[index]
        figures["the most frequent label"] = {"label": label, "accuracy": accuracy}
        right = classes.true == classes.predicted
        figures["calibration error"] = metrics.calibration(right, classes.probability).error
        by_class = metrics.class_scores(classes.true, classes.predicted, len(classes.labels))
        figures["classes"] = {
            label: one._asdict() for label, one in zip(classes.labels, by_class, strict=True)
        }
        if len(classes.labels) == 2:
            figures["f1 is of"] = classes.labels[1]
    if len(runs) > 1:
        figures["mean and standard deviation"] = mean_and_spread(runs)
    return figures


def write_predictions(
    path: str | os.PathLike, examples: Sequence[Example], answers: Sequence[Any]
) -> None:
    """Writes every example as a line of JSON, with its `source` if it has one, and its `answer`.

    Where the examples have columns of these names, ours are `source_` and `answer_`.

    Args:
        path: path of the file.
        examples: sequence of dicts.
        answers: sequence with what a task says of each.
    """
    columns = Columns.of(examples)
    with json_lines(path) as write:
        write(
            {**columns.row(example), columns.free("answer"): said}
            for example, said in zip(examples, answers, strict=True)
        )


def write_metrics(path: str | os.PathLike, figures: Mapping[str, Any]) -> None:
    """Writes figures as JSON."""
    _write(path, json.dumps(figures, indent=2) + "\n")


def aligned(lines: Sequence[Sequence[str]]) -> str:
    """Lines of a table, models side by side or one below the other, whose cells are in columns.

    Args:
        lines: sequence of as many cells each; the first one of each says what the line is of.

    Example:

    >>> from keras_bert.finetuning.report import aligned
    >>> print(aligned([("", "accuracy"), ("mine", "0.5000"), ("together", "0.7500")]))
              accuracy
    mine        0.5000
    together    0.7500
    """
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if i else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in lines
    )


def mean_and_spread(runs: Sequence[Mapping[str, float]]) -> dict[str, tuple[float, float]]:
    """The mean and the standard deviation of every score over runs with different seeds.

    Both are nan where a run has nan or no such score.

    Example:

    >>> from keras_bert.finetuning.report import mean_and_spread
    >>> mean_and_spread([{"f1": 0.5}, {"f1": 0.75}, {"f1": 1.0}])
    {'f1': (0.75, 0.25)}
    """
    columns = {name: [scores.get(name, math.nan) for scores in runs] for name in runs[0]}
    return {
        name: (float(np.mean(values)), float(np.std(values, ddof=1)) if len(values) > 1 else 0.0)
        for name, values in columns.items()
    }


def _write(path: str | os.PathLike, text: str) -> None:
    with files.whole_file(path) as staging:
        staging.write_text(text, encoding="utf-8")

"""The model card: what a fine-tuned checkpoint is, what it learned from, and how good it is."""

from __future__ import annotations

import dataclasses
import datetime
import json
import math
import os
import pathlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf

from keras_bert import files
from keras_bert.checkpoints import hub
from keras_bert.finetuning.report import Mistake
from keras_bert.tasks.examples import Example
from keras_bert.tasks.table import name_of
from keras_bert.tasks.task import Task

# What the Hub calls a task, where it is not our own name, and a score.
PIPELINES = {"sentence_embedding": "sentence-similarity"}
METRICS = {"matthews": "matthews_correlation", "pearson": "pearsonr", "spearman": "spearmanr"}
# Of a text in a table.
_MOST_CHARACTERS = 120


def write_card(card: str, path: str | os.PathLike) -> None:
    """Writes a model card, the README.md of a checkpoint; it is there whole or not at all."""
    with files.whole_file(path) as staging:
        staging.write_text(card, encoding="utf-8")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Card:
    """What the README of a fine-tuned checkpoint says.

    Its header is that of the Hub (https://huggingface.co/docs/hub/model-cards). What nobody can
    know but who made the model, its language and licence, is there where it is given.

    Args:
        name: str, of the model, as one opens it.
        data: dict of what was learned from and scored on, as one says it.
        scores: dict of the scores on held-out examples, floats, or pairs of mean and standard
            deviation over seeds; empty where there were no such examples.
        classes: dict of the scores of each class by name; empty where there are none.
        mistakes: sequence of Mistake, the surest ones.
        command: str, the command that made it.
        hyperparameters: dict of what it was made with.
        version: str, of keras_bert.
        asked: an example to ask, or None.
        base: str, the checkpoint that it started from, or None.
        language, license: str, as the Hub has them, or None.
    """

    name: str
    data: Mapping[str, Any]
    scores: Mapping[str, float | tuple[float, float]]
    command: str
    version: str
    classes: Mapping[str, Mapping[str, float]] = dataclasses.field(default_factory=dict)
    mistakes: Sequence[Mistake] = ()
    hyperparameters: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    asked: Example | None = None
    base: str | None = None
    language: str | None = None
    license: str | None = None

    def text(self, task: Task) -> str:
        """The whole file, for the task that it is of.

        The example is asked, so that the answer is the model's own.
        """
        return (
            f"{self._header(task)}\n# {pathlib.PurePath(self.name).name}\n\n{_summary(task)}\n"
            f"## Data\n\n{_list(self.data)}\n"
            f"## Scores on held-out examples\n\n{_scores(self.scores)}{self._details()}\n"
            f"## How it was made\n\n{_list(self.hyperparameters)}\n```\n{self.command}\n```\n\n"
            f"{_made_with(self.version)}\n\n## Use\n\n```python\n{self._use(task)}```\n"
        )

    def _header(self, task: Task) -> str:
        """The YAML of the Hub; what JSON writes is YAML."""
        name = name_of(type(task))
        kind = PIPELINES.get(name, name.replace("_", "-"))
        plain = {key: value for key, value in self.scores.items() if math.isfinite(_mean(value))}
        header: dict[str, Any] = {"library_name": "keras", "pipeline_tag": kind}
        header |= {key: getattr(self, key) for key in ("language", "license") if getattr(self, key)}
        if self.base:
            header["base_model"] = self.base
        header |= {"tags": ["keras_bert", "tensorflow"], "metrics": [*map(_metric, plain)]}
        if plain:
            dataset = str(self.data.get("scored on", "held-out examples"))
            results = [
                {"type": _metric(key), "name": key, "value": _mean(value)}
                for key, value in plain.items()
            ]
            result = {"task": {"type": kind}, "dataset": {"name": dataset, "type": "own"}}
            name = pathlib.PurePath(self.name).name
            header["model-index"] = [{"name": name, "results": [{**result, "metrics": results}]}]
        lines = (f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in header.items())
        return "\n".join(["---", *lines, "---", ""])

    def _details(self) -> str:
        """The scores of classes, and mistakes, where there are some."""
        text = ""
        if self.classes:
            names = next(iter(self.classes.values()))
            text += _table(
                ["class", *names],
                ([label, *map(_number, one.values())] for label, one in self.classes.items()),
            )
        if self.mistakes:
            rows = (
                [one.text, one.true, one.said, f"{one.probability:.2f}"] for one in self.mistakes
            )
            text += "\nThe surest mistakes:\n"
            text += _table(["example", "true", "answered", "probability"], rows)
        return text

    def _use(self, task: Task) -> str:
        text = f'import keras_bert as kb\n\ntask = kb.load("{self.name}").model\n'
        if self.asked is None:
            return text
        # Words, which a task may be given in place of their text, are under a name of their own.
        known = {key: self.asked[key] for key in task.example_spec if key in self.asked}
        example = known or dict(self.asked)
        [answer] = task([example])
        lines = [f"# {line}\n" for line in task.lines_of(answer)]
        return f"{text}[answer] = task([{example!r}])\n{''.join(lines)}"


def _summary(task: Task) -> str:
    config = task.encoder.config
    labels = getattr(task, "labels", ())
    named = f"Its labels are {', '.join(f'`{label}`' for label in labels)}.\n" if labels else ""
    return (
        f"A `{type(task).__name__}` of keras_bert: {config.num_layers} layers of "
        f"{config.hidden_dim}, {task.count_params():,} parameters, rows of up to "
        f"{task.packer.sequence_length} pieces. transformers opens it as "
        f"`{hub.class_of(task)}`.\n{named}"
    )


def _made_with(version: str) -> str:
    today = datetime.datetime.now(datetime.timezone.utc).date()
    return (
        f"On {today}, with keras_bert {version}, TensorFlow {tf.__version__} and Keras "
        f"{keras.__version__}."
    )


def _list(facts: Mapping[str, Any]) -> str:
    return "".join(f"- {key}: {value}\n" for key, value in facts.items())


def _scores(scores: Mapping[str, float | tuple[float, float]]) -> str:
    if not scores:
        return "None: no examples were held out, so how good it is is not known.\n"
    return _table(["score", "value"], ([key, _number(value)] for key, value in scores.items()))


def _table(head: Sequence[str], rows: Iterator[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    cells = ((_cell(text) for text in line) for line in lines)
    return "\n" + "".join(f"| {' | '.join(line)} |\n" for line in cells)


def _cell(text: str) -> str:
    """A text as a cell of a table holds it, cut where it is long."""
    text = " ".join(str(text).split()).replace("|", "\\|")
    return text if len(text) <= _MOST_CHARACTERS else f"{text[:_MOST_CHARACTERS]} ..."


def _metric(name: str) -> str:
    return METRICS.get(name, name)


def _mean(value: float | tuple[float, float]) -> float:
    return value[0] if isinstance(value, tuple) else value


def _number(value: float | tuple[float, float]) -> str:
    if isinstance(value, tuple):
        return f"{value[0]:.4f} ± {value[1]:.4f}"
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.4f}" if math.isfinite(value) else str(value)

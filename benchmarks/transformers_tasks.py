"""Fine-tuning in transformers, the peer of `benchmarks.finetuning`: rows, training and answers."""

from __future__ import annotations

import abc
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from benchmarks.pretraining import decayed
from train import finetune
from train.examples import split

Example = dict[str, Any]
# A label, a number, the labels of words, or an answer: one for each held-out example.
Answers = list[Any]


def fit(task: TransformersTask, features: list[dict], recipe: finetune.Arguments):
    """The model of a task, trained on rows."""
    import torch
    import transformers

    model = task.model.train()
    batches = torch.utils.data.DataLoader(
        features, recipe.batch_size, shuffle=True, collate_fn=task.collate
    )
    num_steps = len(batches) * recipe.num_epochs
    optimizer = torch.optim.AdamW(decayed(model), lr=recipe.learning_rate, eps=1e-6)
    schedule = transformers.get_linear_schedule_with_warmup(
        optimizer, int(recipe.warmup_share * num_steps), num_steps
    )
    for _ in range(recipe.num_epochs):
        for batch in batches:
            optimizer.zero_grad()
            model(**batch).loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
    return model.eval()


class TransformersTask(abc.ABC):
    """A tokenizer and a model, from examples to rows and from held-out ones to answers."""

    MODEL: ClassVar[str]

    def __init__(self, recipe: finetune.Arguments, labels: Sequence[str]):
        import transformers

        self.recipe = recipe
        self.labels = list(labels)
        self.tokenizer = transformers.AutoTokenizer.from_pretrained(recipe.checkpoint)
        self.model = getattr(transformers, self.MODEL).from_pretrained(
            recipe.checkpoint,
            hidden_dropout_prob=recipe.dropout,
            attention_probs_dropout_prob=recipe.dropout,
            **self.head(),
        )
        self.collate = transformers.DataCollatorWithPadding(self.tokenizer)

    def head(self) -> dict[str, Any]:
        """What is said of the head where the checkpoint has none."""
        return {"num_labels": len(self.labels)}

    def tokenize(self, *texts, truncation: bool | str = True, **options):
        length = self.recipe.sequence_length
        return self.tokenizer(*texts, truncation=truncation, max_length=length, **options)

    def logits(self, rows: list[dict]) -> list[dict[str, np.ndarray]]:
        """The outputs for each row, computed on rows of about the same length."""
        order = sorted(range(len(rows)), key=lambda i: len(rows[i]["input_ids"]))
        found: list[Any] = [None] * len(rows)
        for first in range(0, len(order), 32):
            some = order[first : first + 32]
            outputs = self.model(**self.collate([rows[i] for i in some]))
            for place, i in enumerate(some):
                found[i] = {name: value[place].numpy() for name, value in outputs.items()}
        return found

    @abc.abstractmethod
    def features(self, examples: Sequence[Example]) -> list[dict]:
        """Rows with what is learned of them."""

    @abc.abstractmethod
    def answers(self, examples: Sequence[Example]) -> Answers:
        """What the model says of held-out examples."""


class TransformersText(TransformersTask):
    MODEL = "AutoModelForSequenceClassification"

    def head(self) -> dict[str, Any]:
        if self.recipe.problem == "regression":
            return {"num_labels": 1, "problem_type": "regression"}
        return super().head()

    def rows(self, examples: Sequence[Example]) -> list[dict]:
        keys = split(self.recipe.text_keys) or ("sentence",)
        encoded = self.tokenize(*([example[key] for example in examples] for key in keys))
        return rows_of(encoded)

    def features(self, examples: Sequence[Example]) -> list[dict]:
        is_number = self.recipe.problem == "regression"
        labels = [e["label"] for e in examples]
        labels = [float(x) if is_number else self.labels.index(x) for x in labels]
        return [{**row, "labels": x} for row, x in zip(self.rows(examples), labels, strict=True)]

    def answers(self, examples: Sequence[Example]) -> Answers:
        logits = [outputs["logits"] for outputs in self.logits(self.rows(examples))]
        if self.recipe.problem == "regression":
            return [float(x[0]) for x in logits]
        return [self.labels[x.argmax()] for x in logits]


class TransformersTokens(TransformersTask):
    """The first piece of a word says its label."""

    MODEL = "AutoModelForTokenClassification"

    def __init__(self, recipe: finetune.Arguments, labels: Sequence[str]):
        import transformers

        super().__init__(recipe, labels)
        self.collate = transformers.DataCollatorForTokenClassification(self.tokenizer)

    def encode(self, examples: Sequence[Example]) -> tuple[list[dict], list[dict[int, int]]]:
        """Rows, and the place of each word's first piece."""
        words = [example["words"] for example in examples]
        encoded = self.tokenize(words, is_split_into_words=True)
        places: list[dict[int, int]] = []
        for i in range(len(words)):
            of_row = list(enumerate(encoded.word_ids(i)))
            places.append({word: place for place, word in reversed(of_row) if word is not None})
        return rows_of(encoded), places

    def features(self, examples: Sequence[Example]) -> list[dict]:
        rows, places = self.encode(examples)
        for row, of_word, example in zip(rows, places, examples, strict=True):
            row["labels"] = [-100] * len(row["input_ids"])
            for word, place in of_word.items():
                row["labels"][place] = self.labels.index(example["labels"][word])
        return rows

    def answers(self, examples: Sequence[Example]) -> Answers:
        rows, places = self.encode(examples)
        answers = []
        for outputs, of_word, example in zip(self.logits(rows), places, examples, strict=True):
            said = ["O"] * len(example["words"])
            for word, place in of_word.items():
                said[word] = self.labels[outputs["logits"][place].argmax()]
            answers.append(said)
        return answers


class TransformersAnswers(TransformersTask):
    """Rows of a long context overlap by half, about as ours do."""

    MODEL = "AutoModelForQuestionAnswering"

    def head(self) -> dict[str, Any]:
        return {}

    def encode(self, examples: Sequence[Example]):
        keys = ("question", "context")
        return self.tokenize(
            *([example[key] for example in examples] for key in keys),
            truncation="only_second",
            stride=self.recipe.stride,
            return_overflowing_tokens=True,
            return_offsets_mapping=True,
        )

    def features(self, examples: Sequence[Example]) -> list[dict]:
        encoded = self.encode(examples)
        rows = rows_of(encoded)
        for i, row in enumerate(rows):
            example = examples[encoded["overflow_to_sample_mapping"][i]]
            start = example["answer_starts"][0]
            last = start + len(example["answers"][0]) - 1
            first, last = (encoded.char_to_token(i, at, sequence_index=1) for at in (start, last))
            is_whole = first is not None and last is not None
            row["start_positions"] = first if is_whole else 0
            row["end_positions"] = last if is_whole else 0
        return rows

    def answers(self, examples: Sequence[Example]) -> Answers:
        encoded = self.encode(examples)
        best = [(-np.inf, "")] * len(examples)
        for i, outputs in enumerate(self.logits(rows_of(encoded))):
            in_context = np.array([which == 1 for which in encoded.sequence_ids(i)])
            score, first, last = best_span(outputs, in_context)
            of, offsets = encoded["overflow_to_sample_mapping"][i], encoded["offset_mapping"][i]
            text = examples[of]["context"][offsets[first][0] : offsets[last][1]]
            best[of] = max(best[of], (score, text))
        return [text for _, text in best]


def best_span(
    outputs: dict[str, np.ndarray], allowed: np.ndarray, max_tokens: int = 30
) -> tuple[float, int, int]:
    """The pair of a start and an end with the highest sum of logits, behind that sum."""
    count = len(allowed)
    start, end = (
        np.where(allowed, outputs[f"{side}_logits"][:count], -np.inf) for side in ("start", "end")
    )
    sums = start[:, None] + end
    places = np.arange(count)
    distance = places - places[:, None]
    sums[(distance < 0) | (distance >= max_tokens)] = -np.inf
    first, last = np.unravel_index(sums.argmax(), sums.shape)
    return float(sums[first, last]), int(first), int(last)


def rows_of(encoded) -> list[dict]:
    """What the model takes of each row that a tokenizer made."""
    keys = ("input_ids", "token_type_ids", "attention_mask")
    return [
        dict(zip(keys, row, strict=True))
        for row in zip(*(encoded[key] for key in keys), strict=True)
    ]

"""What needs one row, or rows that have nothing to do with each other: labels, choices, vectors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from keras_bert.lite.model import NUM_BLANKS, Model, best, softmax
from keras_bert.lite.rows import Packer, Row
from keras_bert.lite.subwords import SubwordTokenizer

Example = Mapping[str, Any]
Answer = dict[str, Any]


class LiteTask:
    """From an example to an answer, as a task of `keras_bert.tasks` gives it.

    Args:
        model: Model.
        tokenizer: SubwordTokenizer.
        packer: Packer.
        settings: mapping, those of the task by their names.

    """

    # The rank of each column, 1 of a text, 2 of a list of texts; and of others, of which an example
    # may have one in place of these.
    COLUMNS: ClassVar[dict[str, int]] = {}
    OTHERS: ClassVar[dict[str, int]] = {}

    def __init__(
        self, model: Model, tokenizer: SubwordTokenizer, packer: Packer, settings: Mapping[str, Any]
    ):
        self.model = model
        self.tokenizer = tokenizer
        self.packer = packer
        self.settings = settings

    @property
    def columns(self) -> dict[str, int]:
        """The rank of each column."""
        return self.COLUMNS

    def answer(self, example: Example) -> Answer:
        """An example's entry of a task's `answers`: NumPy's and Python's values by name."""
        raise NotImplementedError

    def check(self, example: Example) -> None:
        """Raises a ValueError where an example cannot be answered."""

    def as_python(self, answer: Answer) -> Any:
        """An answer as a person wants it; as it is where nothing is said."""
        return answer


class TextClassifier(LiteTask):
    """Labels of a text or of two, or numbers: `keras_bert.TextClassifier`."""

    @property
    def columns(self) -> dict[str, int]:
        return dict.fromkeys(self.settings["text_keys"], 1)

    def answer(self, example: Example) -> Answer:
        logits, labels = self._logits(example), self.settings["labels"]
        problem = self.settings["problem"]
        if problem == "regression":
            return {"values": logits}
        if problem == "multi_label_classification":
            chosen = [label for label, logit in zip(labels, logits, strict=True) if logit > 0]
            return {"labels": ",".join(chosen), "probabilities": _sigmoid(logits)}
        probabilities = softmax(logits)
        return {
            "label": labels[int(logits.argmax())],
            "probability": probabilities.max(),
            "probabilities": probabilities,
        }

    def _logits(self, example: Example) -> np.ndarray:
        pieces = [self.tokenizer.tokenize(example[key]) for key in self.columns]
        stride = self.settings["stride"]
        if stride is None:
            return self.model(self.packer(*pieces))["logits"]
        windows = self.packer.windows(pieces[0], stride)
        return np.mean([self.model(window.row)["logits"] for window in windows], axis=0)


class MultipleChoice(LiteTask):
    """Which of several texts goes with a question: `keras_bert.MultipleChoice`."""

    COLUMNS: ClassVar[dict[str, int]] = {"context": 1, "question": 1, "choices": 2}

    def answer(self, example: Example) -> Answer:
        context, question = (self.tokenizer.tokenize(example[n]) for n in ("context", "question"))
        choices = [self.tokenizer.tokenize(choice) for choice in example["choices"]]
        rows = [self.packer(context, [*question, *choice]) for choice in choices]
        logits = np.array([self.model(row)["logits"][0] for row in rows])
        probabilities = softmax(logits)
        return {
            "choice": int(logits.argmax()),
            "probability": probabilities.max(),
            "probabilities": probabilities,
            "num_choices": len(rows),
        }

    def as_python(self, answer: Answer) -> Answer:
        return {name: value for name, value in answer.items() if name != "num_choices"}


class SentenceEmbedder(LiteTask):
    """The vector of a text, or of each of its tokens: `keras_bert.SentenceEmbedder`."""

    COLUMNS: ClassVar[dict[str, int]] = {"text": 1}

    def answer(self, example: Example) -> Answer:
        row = self.packer(self.tokenizer.tokenize(example["text"]))
        outputs = self.model(row)
        if self.settings["pooling"] != "none":
            return {"embedding": outputs["embeddings"][0]}
        num_tokens = len(row.token_ids)
        return {
            "token_embeddings": outputs["token_embeddings"][:num_tokens],
            "num_tokens": num_tokens,
        }

    def as_python(self, answer: Answer) -> Answer:
        return {name: value for name, value in answer.items() if name != "num_tokens"}


class FillMask(LiteTask):
    """What stands in place of [MASK]: `keras_bert.FillMask`."""

    COLUMNS: ClassVar[dict[str, int]] = {"text": 1}

    def check(self, example: Example) -> None:
        wanted = example["text"].count(self.tokenizer.mask_token)
        found = len(self._row(example["text"])[1])
        if not 0 < found == wanted:
            raise ValueError(
                f"A text must hold {self.tokenizer.mask_token} within the first pieces that the "
                f"model reads ({self.packer.sequence_length}), but {found} of its {wanted} were "
                f"found in {example['text']!r:.100}: write it where a piece is missing, or shorten "
                "the text."
            )

    def answer(self, example: Example) -> Answer:
        row, blanks = self._row(example["text"])
        logits = [
            self.model(row, some)["masked_lm"][: len(some)]
            for some in (blanks[i : i + NUM_BLANKS] for i in range(0, len(blanks), NUM_BLANKS))
        ]
        # A model may have more rows of embeddings than the vocabulary has pieces.
        probabilities = [
            softmax(one) for some in logits for one in some[:, : len(self.tokenizer.vocabulary)]
        ]
        chosen = [best(one, self.settings["top_k"]) for one in probabilities]
        return {
            "pieces": [[self.tokenizer.vocabulary[i] for i in some] for some in chosen],
            "probabilities": [one[some] for one, some in zip(probabilities, chosen, strict=True)],
            "num_blanks": len(blanks),
        }

    def _row(self, text: str) -> tuple[Row, list[int]]:
        """The row of a text, and where its blanks stand."""
        mask = self.tokenizer.mask_token
        id_ = self.tokenizer.id_of[mask]
        row = self.packer(self.tokenizer.tokenize(text, special_tokens=(mask,)))
        return row, [i for i, token in enumerate(row.token_ids) if token == id_]

    def as_python(self, answer: Answer) -> list[list[tuple[str, float]]]:
        """For each blank pairs of a piece and its probability, the likeliest first."""
        blanks = zip(answer["pieces"], answer["probabilities"], strict=True)
        return [list(zip(*blank, strict=True)) for blank in blanks]


def _sigmoid(logits: np.ndarray) -> np.ndarray:
    return np.exp(-np.logaddexp(np.float32(0), -logits))

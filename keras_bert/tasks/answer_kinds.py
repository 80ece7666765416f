"""What files say of words, of answers in a context, and of vectors, as members of an ensemble."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from keras_bert.data.rows import Path, Row
from keras_bert.tasks.answer_rows import AnswerRows, are_near
from keras_bert.tasks.examples import Example, plain, source_of
from keras_bert.tasks.labels import key, label_number
from keras_bert.tasks.pooling import LEAST, Pool
from keras_bert.tasks.spans import NEVER
from keras_bert.tasks.words import words_of_texts

# Probabilities may be written with few digits.
_ROUNDING = 0.02


class Entity(NamedTuple):
    """An entity of a text: what it is, and the characters where it stands."""

    label: str
    start: int
    end: int


class Tags(AnswerRows):
    """What a file says of words: of each a dict with a `label`, in a list, or of a text entities.

    A label alone, or with its own probability, is a vote; `probabilities` is an object with those
    of all labels.

    Args:
        path: path of the file, as of `read_answers`.
        task: TokenClassifier, whose labels and words count.
        pool: Pool, which understands probabilities.

    Raises:
        ValueError: a row has other labels, or numbers that are no probabilities; the message names
            file and line.
    """

    def __init__(self, path: Path, task: Any, pool: Pool):
        super().__init__(path, ("words",), ("text",))
        self._labels = {key(label): i for i, label in enumerate(task.labels)}
        self._tokenizer, self._pool = task.tokenizer, pool
        self._found = [self._row_of(row) for row in self.rows]

    def columns_beside(self, examples: Sequence[Example]) -> dict[str, tf.RaggedTensor]:
        """What the file says of the words of examples, as logits, ragged [N, (words), C].

        Raises:
            ValueError: it says nothing of one of them, or has another number of words.
        """
        found = [
            self._words_of(example, said)
            for example, said in zip(examples, self._of(examples), strict=True)
        ]
        flat = [numbers for one in found for numbers in one]
        shares = np.array(flat, "float32").reshape(len(flat), len(self._labels))
        logits = tf.convert_to_tensor(self._pool.logits(shares))
        return {"logits": tf.RaggedTensor.from_row_lengths(logits, [*map(len, found)])}

    def _row_of(self, row: Row) -> list[Any]:
        """The probabilities of each word's labels, or the entities of a text."""
        given = self._value(row, "answer")
        if not isinstance(given, list) or not all(isinstance(one, dict) for one in given):
            raise self._fault(row, "be a list of an object with a label for each word", given)
        return [self._entity(one, row) if "end" in one else self._word(one, row) for one in given]

    def _word(self, one: Mapping[str, Any], row: Row) -> list[float]:
        shares = one.get("probabilities")
        if not isinstance(shares, Mapping):
            self.only_votes = True
            return self._vote(one.get("label"), row)
        by_key = {key(name): label_number(share) for name, share in shares.items()}
        numbers = [by_key.get(name) for name in self._labels]
        known = [one for one in numbers if one is not None and 0 <= one <= 1]
        is_whole = math.isclose(sum(known), 1, abs_tol=_ROUNDING)
        if set(by_key) != set(self._labels) or len(known) < len(numbers) or not is_whole:
            labels = ", ".join(map(str, self._labels))
            raise self._fault(row, f"have probabilities of {labels} whose sum is 1", shares)
        return known

    def _vote(self, label: Any, row: Row) -> list[float]:
        if key(label) not in self._labels:
            labels = ", ".join(map(str, self._labels))
            raise self._fault(row, f"have one of the labels {labels}", label)
        return [float(name == key(label)) for name in self._labels]

    def _entity(self, one: Mapping[str, Any], row: Row) -> Entity:
        self.only_votes = True
        places = [label_number(one.get(name)) for name in ("start", "end")]
        known = [int(place) for place in places if place is not None]
        if len(known) < 2 or not isinstance(one.get("label"), str):
            raise self._fault(row, "have label, start and end of an entity", one)
        entity = Entity(one["label"], *known)
        self._names_of(entity, row)
        return entity

    def _names_of(self, entity: Entity, row: Row | None = None) -> list[Any]:
        """The labels of its first word and of the others."""
        kind = "" if entity.label == "_" else f"-{entity.label}"
        found = [
            next((key(name) for name in names if key(name) in self._labels), None)
            for names in ((f"B{kind}", entity.label), (f"I{kind}", entity.label, f"B{kind}"))
        ]
        if row is not None and None in found:
            raise self._fault(row, f"have entities of {', '.join(map(str, self._labels))}", entity)
        return found

    def _words_of(self, example: Example, said: list[Any]) -> list[list[float]]:
        if "words" in example:
            words = plain(example["words"])
            if len(words) != len(said) or any(isinstance(one, Entity) for one in said):
                raise ValueError(
                    f"{source_of(example)} has {len(words)} words, but {self.path} has answers to "
                    f"{len(said)}, or entities of a text: have its words answered."
                )
            return said
        _, *spans = words_of_texts(self._tokenizer, tf.constant([example["text"]], tf.string))
        starts, ends = (span.values.numpy().tolist() for span in spans)
        return [*self._tagged(said, [*zip(starts, ends, strict=True)], example)]

    def _tagged(
        self, said: list[Any], words: list[tuple[int, int]], example: Example
    ) -> Iterator[list[float]]:
        """The labels of a text's words, from its entities."""
        if not all(isinstance(one, Entity) for one in said):
            raise ValueError(
                f"{source_of(example)} is a text, but {self.path} has labels of words: have the "
                "text answered, or give words."
            )
        before = None
        for start, end in words:
            entity = next((one for one in said if one.start < end and start < one.end), None)
            name = "O" if entity is None else self._names_of(entity)[entity == before]
            yield [float(one == name) for one in self._labels]
            before = entity


class Spans(AnswerRows):
    """What a file says of answers in a context: `best_answers`, each with `start`, `end`,
    `probability`.

    Or an `answer` alone, with the characters where it starts and ends, which is a vote; "" is none.

    Args:
        path: path of the file, as of `read_answers`.
        task: QuestionAnswerer.
        pool: Pool.

    Raises:
        ValueError: a row has neither; the message names file and line.
    """

    NAMES = ("scores", "starts", "ends", "none")

    def __init__(self, path: Path, task: Any, pool: Pool):
        super().__init__(path, tuple(task.example_spec))
        self._found = [self._row_of(row) for row in self.rows]

    def columns_beside(self, examples: Sequence[Example]) -> dict[str, tf.Tensor]:
        """What the file says of the contexts of examples, as `candidates.of_rows` does.

        Raises:
            ValueError: it says nothing of one of them, or an answer does not stand there.
        """
        found = self._of(examples)
        for said, example in zip(found, examples, strict=True):
            self._check_places(said, example)
        width = max(1, *(len(said) for said in self._found))
        none = [max(0.0, 1.0 - sum(share for *_, share in said)) for said in found]
        empty = [(0, 0, "", 0.0)] * width
        starts, ends, _, shares = (
            np.array([[one[i] for one in (*said, *empty)[:width]] for said in found])
            for i in range(4)
        )
        scores = np.where(ends > 0, np.log(np.maximum(shares, LEAST)), NEVER)
        return {
            "scores": tf.constant(scores, tf.float32),
            "starts": tf.constant(starts, tf.int32),
            "ends": tf.constant(ends, tf.int32),
            "none": tf.constant(np.log(np.maximum(none, LEAST)), tf.float32),
        }

    def _row_of(self, row: Row) -> list[tuple[int, int, str, float]]:
        """Start, end, text and probability of each answer; what is left has none."""
        best = self._value(row, "best_answers")
        if best:
            return [self._answer(one, one.get("probability"), row) for one in best]
        self.only_votes = True
        said = {name: self._value(row, name) for name in ("answer", "start", "end")}
        return [] if said["answer"] == "" else [self._answer(said, 1.0, row)]

    def _answer(
        self, one: Mapping[str, Any], probability: Any, row: Row
    ) -> tuple[int, int, str, float]:
        numbers = [*map(label_number, (one.get("start"), one.get("end"), probability))]
        known = [number for number in numbers if number is not None]
        text = one.get("answer")
        if len(known) < 3 or not 0 <= known[0] < known[1] or not isinstance(text, str):
            raise self._fault(row, "have answer, start, end and probability of answers", dict(one))
        return int(known[0]), int(known[1]), text, known[2]

    def _check_places(self, said: list[tuple[int, int, str, float]], example: Example) -> None:
        context = plain(example["context"])
        context = context.decode("utf-8", "ignore") if isinstance(context, bytes) else context
        for start, end, text, _ in said:
            if context[start:end] != text:
                raise ValueError(
                    f"{source_of(example)}: an answer must stand in its context where {self.path} "
                    f"says, but {text!r:.100} is not at {start}: have it answered again."
                )


class Vectors(AnswerRows):
    """What a file says of texts: of each a vector, its `embedding`.

    Args:
        path: path of the file, as of `read_answers`.
        task: SentenceEmbedder.
        pool: Pool.

    Raises:
        ValueError: a row has no vector, or one of other dimensions; the message names file and
            line.
    """

    NAMES = ("embeddings",)

    def __init__(self, path: Path, task: Any, pool: Pool):
        super().__init__(path, tuple(task.example_spec))
        for row in self.rows:
            self._found.append(self._row_of(row))

    @property
    def input_specs(self) -> dict[str, tuple[tuple, str]]:
        """Shape and dtype of what it takes, by name."""
        return {"embeddings": ((None, 1, len(self._found[0])), "float32")}

    def columns_beside(self, examples: Sequence[Example]) -> dict[str, tf.Tensor]:
        """The vectors of examples, float32 [N, 1, D].

        Raises:
            ValueError: it has none of one of them.
        """
        found = self._of(examples)
        return {"embeddings": tf.constant(np.array(found, "float32")[:, None])}

    def __call__(self, inputs: Mapping[str, Any], training: bool = False) -> dict[str, Any]:
        return dict(inputs)

    def _agree(self, one: list[float], other: list[float]) -> bool:
        return are_near(one, other)

    def _row_of(self, row: Row) -> list[float]:
        given = self._value(row, "embedding")
        numbers = [*map(label_number, given)] if isinstance(given, list) else []
        known = [number for number in numbers if number is not None]
        width = len(self._found[0]) if self._found else max(1, len(numbers))
        if len(known) < len(numbers) or len(known) != width:
            raise self._fault(row, f"have an embedding of {width} finite numbers", given)
        return known

"""Where in a text the answer to a question stands: `keras_bert.QuestionAnswerer`, in Python."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

import numpy as np

from keras_bert.lite.classification import Answer, LiteTask
from keras_bert.lite.model import best, softmax
from keras_bert.lite.rows import Window, with_most_context
from keras_bert.lite.subwords import Piece

# The score of what is no answer; a sum with it is below half of it.
NEVER = -1e9

_BEST = ("answer", "start", "end", "probability")


class Span(NamedTuple):
    """An answer: its score, and its characters from `start` up to `end`."""

    score: np.float32
    start: int
    end: int


class QuestionAnswerer(LiteTask):
    """The best answers of all rows of a context."""

    COLUMNS: ClassVar[dict[str, int]] = {"question": 1, "context": 1}

    def answer(self, example: Mapping[str, Any]) -> Answer:
        settings, context = self.settings, example["context"]
        question = self.tokenizer.tokenize(example["question"])
        room = min(settings["max_question_tokens"], self.packer.room(2) - settings["stride"])
        pieces = self.tokenizer.tokenize_with_offsets(context)
        ids = [piece.id for piece in pieces]
        windows = self.packer.windows(ids, settings["stride"], question[:room])
        outputs = [self.model(window.row) for window in windows]
        none = min(one["start_logits"][0] + one["end_logits"][0] for one in outputs)
        owners = with_most_context(windows, len(pieces))
        spans = []
        for number, (window, output) in enumerate(zip(windows, outputs, strict=True)):
            may_start = [owner == number for owner in owners]
            spans += self._spans(window, output, pieces, may_start)
        order = best(np.array([span.score for span in spans]), settings["num_best"])
        return self._said(context, [spans[i] for i in order], none)

    def as_python(self, answer: Answer) -> Answer:
        """As `answer`, but `best_answers` is a list of dict, of those that there are."""
        columns = [answer[f"best_{name}"] for name in _NAMES]
        rows = [dict(zip(_BEST, one, strict=True)) for one in zip(*columns, strict=True)]
        rest = {name: value for name, value in answer.items() if not name.startswith("best_")}
        return {**rest, "best_answers": [row for row in rows if row["answer"]]}

    def _spans(
        self,
        window: Window,
        output: Mapping[str, np.ndarray],
        pieces: Sequence[Piece],
        may_start: Sequence[bool],
    ) -> list[Span]:
        """The best answers in one row, the best first."""
        held = slice(window.offset, window.offset + window.length)
        own = slice(window.start, window.start + window.length)
        # No answer begins or ends with a blank that is a piece of its own.
        has_text = np.array([piece.end > piece.start for piece in pieces[own]], bool)
        ends = np.where(has_text, output["end_logits"][held], np.float32(NEVER))
        is_start = has_text & np.array(may_start[own], bool)
        starts = np.where(is_start, output["start_logits"][held], np.float32(NEVER))
        scores = np.full([len(starts), self.settings["max_answer_tokens"]], NEVER, np.float32)
        for more in range(min(scores.shape[1], len(ends))):
            scores[: len(ends) - more, more] = starts[: len(ends) - more] + ends[more:]
        found = best(scores.reshape(-1), self.settings["num_best"])
        pairs = (divmod(int(i), scores.shape[1]) for i in found)
        return [
            Span(
                scores[first, more],
                pieces[window.start + first].start,
                pieces[window.start + first + more].end,
            )
            for first, more in pairs
            if scores[first, more] > NEVER / 2
        ]

    def _said(self, context: str, spans: Sequence[Span], none: np.float32) -> Answer:
        """What is answered by the best spans, and by no answer: see `answers_in_text`."""
        threshold = self.settings["no_answer_threshold"]
        may_be_none = threshold is not None or not spans
        top = spans[0] if spans else Span(np.float32(NEVER), 0, 0)
        no_answer_score = none - top.score
        is_none = may_be_none and no_answer_score > (threshold or 0.0)
        scores = [span.score for span in spans] + [none if may_be_none else np.float32(NEVER)]
        probabilities = softmax(np.array(scores))
        texts = [context[span.start : span.end] for span in spans]
        return {
            "answer": "" if is_none else texts[0],
            "start": 0 if is_none else top.start,
            "end": 0 if is_none else top.end,
            "score": none if is_none else top.score,
            "probability": probabilities[-1 if is_none else 0],
            "no_answer_score": no_answer_score,
            "best_answers": texts,
            "best_starts": [span.start for span in spans],
            "best_ends": [span.end for span in spans],
            "best_probabilities": list(probabilities[:-1]),
        }


_NAMES = ("answers", "starts", "ends", "probabilities")

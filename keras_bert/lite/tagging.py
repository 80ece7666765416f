"""Labels of words, and the entities of a text: `keras_bert.TokenClassifier`, in Python."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

import numpy as np

from keras_bert.lite.classification import Answer, LiteTask
from keras_bert.lite.model import softmax
from keras_bert.lite.rows import with_most_context

OUTSIDE = "O"
# The labels of IOB1, IOB2, BIOES and BMES, with a kind of entity or bare.
_ENTITY_LABEL = re.compile(r"([BIESM])(?:-(.+))?", re.DOTALL)


class Word(NamedTuple):
    """A word of a text: its pieces, and its characters from `start` up to `end`."""

    pieces: list[int]
    start: int = 0
    end: int = 0


class Tag(NamedTuple):
    """What a label says of entities.

    Args:
        kind: str, of the entity; "" outside of all.
        begins: bool, whether one begins there in any case.
        continues: bool, whether it continues one of its kind, or else begins it.
        ends: bool, whether it ends there in any case.
    """

    kind: str
    begins: bool
    continues: bool
    ends: bool


class TokenClassifier(LiteTask):
    """The label of every word, or the entities of raw text."""

    COLUMNS: ClassVar[dict[str, int]] = {"text": 1}
    OTHERS: ClassVar[dict[str, int]] = {"words": 2}

    def answer(self, example: Mapping[str, Any]) -> Answer:
        if "words" in example:
            words = [Word(self.tokenizer.tokenize(word)) for word in example["words"]]
            found, names = self._labels_of(words), self.settings["labels"]
            none = OUTSIDE if tags_of(names) else names[0]
            return {
                "labels": [names[label] if label >= 0 else none for label, _ in found],
                "probabilities": [probability for _, probability in found],
            }
        words = self._words_of(example["text"])
        return self._entities(example["text"], words, self._labels_of(words))

    def as_python(self, answer: Answer) -> list[dict[str, Any]]:
        """A dict for every word, or for every entity."""
        if "labels" in answer:
            pairs = zip(answer["labels"], answer["probabilities"], strict=True)
            return [{"label": label, "probability": p} for label, p in pairs]
        names = ("labels", "starts", "ends", "texts", "probabilities")
        columns = (answer[f"entity_{name}"] for name in names)
        fields = ("label", "start", "end", "text", "probability")
        return [dict(zip(fields, one, strict=True)) for one in zip(*columns, strict=True)]

    def _words_of(self, text: str) -> list[Word]:
        """The tokenizer's own words."""
        words: list[Word] = []
        for piece in self.tokenizer.tokenize_with_offsets(text):
            if not words or self.tokenizer.starts_word(piece.id):
                words.append(Word([piece.id], piece.start, piece.end))
            else:
                words[-1] = Word([*words[-1].pieces, piece.id], words[-1].start, piece.end)
        return words

    def _labels_of(self, words: Sequence[Word]) -> list[tuple[int, float]]:
        """The label of each word and its probability; -1 and 0 where a word has no piece."""
        pieces = [id_ for word in words for id_ in word.pieces]
        windows = self.packer.windows(pieces, self.settings["stride"])
        logits = [self.model(window.row)["logits"] for window in windows] if pieces else []
        of_piece = with_most_context(windows, len(pieces))
        found: list[tuple[int, float]] = []
        at = 0
        for word in words:
            if not word.pieces:
                found.append((-1, 0.0))
                continue
            window = windows[of_piece[at]]
            own = logits[of_piece[at]][window.offset + at - window.start]
            found.append((int(own.argmax()), softmax(own).max()))
            at += len(word.pieces)
        return found

    def _entities(
        self, text: str, words: Sequence[Word], labels: Sequence[tuple[int, float]]
    ) -> Answer:
        names = self.settings["labels"]
        tags = tags_of(names) or [Tag(name, True, False, True) for name in names]
        spans = spans_of([tags[label] for label, _ in labels])
        bounds = [(words[first].start, words[last].end) for first, last, _ in spans]
        means = [
            np.mean([labels[i][1] for i in range(first, last + 1)], dtype=np.float32)
            for first, last, _ in spans
        ]
        return {
            "entity_labels": [kind for *_, kind in spans],
            "entity_texts": [text[start:end] for start, end in bounds],
            "entity_starts": [start for start, _ in bounds],
            "entity_ends": [end for _, end in bounds],
            "entity_probabilities": means,
            "num_entities": len(spans),
        }


def tags_of(labels: Sequence[str]) -> list[Tag] | None:
    """What labels say of entities; None of plain ones.

    Example:

    >>> from keras_bert.lite.tagging import tags_of
    >>> [tag.kind for tag in tags_of(["O", "B-PER", "I-PER"])], tags_of(["DET", "NOUN"])
    (['', 'PER', 'PER'], None)
    """
    matches = [_ENTITY_LABEL.fullmatch(label) for label in labels]
    are_of_entities = any(match and match[1] in "BI" and match[2] for match in matches) or all(
        match or label == OUTSIDE for match, label in zip(matches, labels, strict=True)
    )
    if not are_of_entities:
        return None
    return [
        Tag(match[2] or "_", match[1] in "BS", match[1] in "IME", match[1] in "ES")
        if match
        else Tag("", False, False, False)
        for match in matches
    ]


def spans_of(tags: Sequence[Tag]) -> list[tuple[int, int, str]]:
    """The first and the last word of each entity, and its kind.

    Example:

    >>> from keras_bert.lite.tagging import spans_of, tags_of
    >>> spans_of(tags_of(["B-PER", "I-PER", "O", "I-LOC"]))
    [(0, 1, 'PER'), (3, 3, 'LOC')]
    """
    found: list[tuple[int, int, str]] = []
    nothing = Tag("", begins=False, continues=False, ends=False)
    for i, (before, tag) in enumerate(itertools.pairwise([nothing, *tags])):
        is_open = (before.begins or before.continues) and not before.ends
        if tag.continues and is_open and before.kind == tag.kind:
            found[-1] = (found[-1][0], i, tag.kind)
        elif tag.begins or tag.continues:
            found.append((i, i, tag.kind))
    return found

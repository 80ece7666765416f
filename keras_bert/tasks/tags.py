"""Tags: rows of words with a label each, from files to labels and scores."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from keras_bert import metrics
from keras_bert.data.examples.tagging import tagged
from keras_bert.data.rows import Row
from keras_bert.tasks.columns import check_columns, split
from keras_bert.tasks.examples import Example, missing_column, plain, source_of
from keras_bert.tasks.hooks import Breakdown


def tagged_rows(
    rows: Sequence[Row],
    text_keys: Sequence[str],
    label_key: str | None,
    tag_names: str | None,
    labelled: bool,
) -> list[Row]:
    """Rows of `words` and `labels`, as `tagged` makes them, with labels where there must be some.

    Args:
        rows: sequence of Row.
        text_keys: sequence of str, the column with words, if it is named.
        label_key: str, the column with their labels; None takes the one that is there.
        tag_names: str, as of `tagged`.
        labelled: bool, whether there must be labels.

    Raises:
        ValueError: there are none, columns are not there, or what `tagged` refuses.
    """
    if len(text_keys) > 1:
        raise ValueError(f"Words stand in one column, but --text_keys are {', '.join(text_keys)}.")
    check_columns(rows, [*text_keys, *(split(label_key) or ())], text_keys)
    words_key = text_keys[0] if text_keys else None
    found = tagged(rows, words_key=words_key, labels_key=label_key, tag_names=tag_names)
    for row in found if labelled else ():
        if "labels" not in row:
            raise ValueError(
                f"{row.source}: words must have labels to learn from or to be compared with, but "
                f"there are only {', '.join(row)}: name their column with --label_key."
            )
    return found


def tags_of(example: Example) -> list[Any]:
    """The labels of an example's words.

    Raises:
        ValueError: there is not one for every word.
    """
    for name in ("words", "labels"):
        if name not in example:
            raise ValueError(missing_column(example, name))
    words, labels = plain(example["words"]), plain(example["labels"])
    if not (isinstance(words, list | tuple) and isinstance(labels, list | tuple)):
        raise ValueError(
            f"{source_of(example)}: words and labels must be two lists, but are {words!r:.100} and "
            f"{labels!r:.100}: give both columns."
        )
    if len(words) != len(labels):
        raise ValueError(
            f"{source_of(example)}: there must be a label for every word, but there are "
            f"{len(words)} words and {len(labels)} labels: correct them."
        )
    return list(labels)


def tag_scores(
    true: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]], *, of_entities: bool
) -> dict[str, float]:
    """How good the labels of words are.

    Args:
        true: the labels of each example's words.
        predicted: the same as they were answered.
        of_entities: bool, whether labels are those of entities.

    Returns:
        Of entities `f1`, `precision` and `recall` (CoNLL-2003), and the `accuracy` of words; of
        plain labels `accuracy` and `f1_macro`.

    Example:

    >>> from keras_bert.tasks.tags import tag_scores
    >>> tag_scores([["DET", "NOUN"]], [["DET", "VERB"]], of_entities=False)["accuracy"]
    0.5
    """
    names = [name for side in (true, predicted) for labels in side for name in labels]
    _, ids = np.unique(names, return_inverse=True)
    ids = ids.reshape([2, -1])
    accuracy = metrics.accuracy(*ids)
    if not of_entities:
        return {"accuracy": accuracy, "f1_macro": metrics.f1_macro(*ids)}
    found = metrics.entity_scores(true, predicted)
    return {**{name: found[name] for name in ("f1", "precision", "recall")}, "accuracy": accuracy}


def tag_breakdown(
    true: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]], *, of_entities: bool
) -> Breakdown:
    """The F1 of each kind of entity, or of each label; arguments as of `tag_scores`.

    Example:

    >>> from keras_bert.tasks.tags import tag_breakdown
    >>> tag_breakdown([["B-LOC", "O"]], [["B-LOC", "B-PER"]], of_entities=True).values
    {'LOC': 1.0, 'PER': 0.0}
    """
    if of_entities:
        kinds = metrics.entity_scores(true, predicted)["kinds"]
        values = {kind: scores["f1"] for kind, scores in kinds.items()}
        counts = {kind: scores["support"] for kind, scores in kinds.items()}
        return Breakdown("F1", "kind of entity", values, counts)
    names = [name for side in (true, predicted) for labels in side for name in labels]
    labels, ids = np.unique(names, return_inverse=True)
    return Breakdown.of_classes(labels.tolist(), *ids.reshape([2, -1]), by="label")

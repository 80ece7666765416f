"""Labels as the world writes them: names, numbers, lists, and what stands for no label at all."""

from __future__ import annotations

import ast
import collections
import math
import numbers
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from keras_bert.data.rows import Row
from keras_bert.tasks.examples import Example, plain, source_of

# What annotators write where they did not agree (SNLI, MNLI).
NO_LABEL = "-"
# What the Hub's data sets have there. It may also be a label, as of sentiments: -1, 0, 1.
NO_LABEL_ID = "-1"

_WHOLE = re.compile(r"([+-]?\d+)\.0*")
_SEPARATORS = re.compile(r"[,;|]")
_MARKS = frozenset("01")


def label_name(value: Any) -> str | None:
    """The name of a label, the same one however a file writes it; None for no label.

    Args:
        value: a string, blanks around which are dropped, or a number; whole numbers have no
            fraction. None, nan, "" and "-" stand for no label.

    Example:

    >>> from keras_bert.tasks.labels import label_name
    >>> [label_name(value) for value in (1, 1.0, "1", "1.0", " good", "-", None, float("nan"))]
    ['1', '1', '1', '1', 'good', None, None, None]
    """
    value = _plain(value)
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    name = str(value).strip()
    whole = _WHOLE.fullmatch(name)
    if whole:
        name = str(int(whole[1]))
    return None if name in ("", NO_LABEL) else name


def names_of(value: Any, labels: Sequence[str] | None = None) -> list[str]:
    """The names of several labels.

    Args:
        value: a list of labels; a string of them with "," ";" or "|" between, or as Python writes a
            list; or a list of 0 and 1, one for each of `labels`. "" and [] have none.
        labels: sequence of str, all names, or None where they are not known yet.

    Raises:
        ValueError: 0 and 1 may be names as well as marks here.

    Example:

    >>> from keras_bert.tasks.labels import names_of
    >>> names_of("staff, food"), names_of(["food"]), names_of([1, 0, 1], ("staff", "food", "bed"))
    (['staff', 'food'], ['food'], ['staff', 'bed'])
    """
    known = [key(label) for label in labels or ()]
    one = label_name(value)
    if one is not None and one in known:
        return [one]
    names = [name for name in map(label_name, _listed(value)) if name is not None]
    if not _may_be_marks(names) or (labels is not None and len(names) != len(labels)):
        return list(dict.fromkeys(names))
    is_twice = len(set(names)) < len(names)  # as a name never is
    if labels is not None and (is_twice or not _MARKS & set(known)):
        return [label for label, mark in zip(labels, names, strict=True) if mark == "1"]
    if is_twice or (len(names) > 1 and not isinstance(value, str)):
        raise ValueError(
            f"A list of several labels must have their names, but {value!r} may mark labels with "
            "other names: name all labels, or write the names of each example's."
        )
    return names


def names_among(values: Iterable[Any]) -> tuple[str, ...]:
    """The names of all classes that labels have, in order, "O" first.

    The -1 of the Hub's data sets, which stands for no label, is left out beside 0, 1, 2 and so on.

    Args:
        values: labels of examples, one for each; or of words.

    Raises:
        ValueError: -1 stands beside 0 and 1 alone: it may be a label.

    Example:

    >>> from keras_bert.tasks.labels import names_among
    >>> names_among([2, "0", 1.0, -1, None]), names_among(["O", "B-LOC"])
    (('0', '1', '2'), ('O', 'B-LOC'))
    """
    names = {name for name in map(label_name, values) if name is not None}
    others = names - {NO_LABEL_ID}
    if len(others) < len(names) and others == {str(i) for i in range(len(others))}:
        if len(others) == 2:
            raise ValueError(
                "The labels -1, 0 and 1 may be three, or two and -1 for no label, but it is not "
                "said which: name all labels."
            )
        names = others if len(others) > 2 else names
    return tuple(sorted(names, key=_order))


def labels_among(
    rows: Sequence[Row],
    label_key: str,
    values: Sequence[Any],
    among: Callable[[Sequence[Any]], tuple[str, ...]],
) -> tuple[str, ...]:
    """The names of all labels of rows of files, or what is to be said where they are not certain.

    Args:
        rows: sequence of Row.
        label_key: str, the column that they are in.
        values: the labels.
        among: function of these that gives the names: `names_among` or `several_among`.

    Raises:
        ValueError: it is not certain what is a label.
    """
    try:
        return among(values)
    except ValueError as error:
        raise ValueError(
            f"{rows[0].source} and others: {label_key}: {error} Say --labels=..., with commas."
        ) from error


def several_among(values: Iterable[Any]) -> tuple[str, ...]:
    """The names of all labels of examples that have several, in order.

    Args:
        values: as `names_of` takes them, one for each example; lists of 0 and 1 of one length have
            the names "0", "1", "2" and so on.

    Raises:
        ValueError: 0 and 1 may be names as well as marks.

    Example:

    >>> from keras_bert.tasks.labels import several_among
    >>> several_among(["staff, food", "", ["bed"]]), several_among([[1, 0, 1], [0, 0, 1]])
    (('bed', 'food', 'staff'), ('0', '1', '2'))
    """
    values = list(values)
    listed = [[label_name(one) for one in _listed(value)] for value in values]
    lengths = {len(names) for names in listed}
    if len(lengths) == 1 and max(lengths) > 2 and all(map(_may_be_marks, listed)):
        return tuple(map(str, range(max(lengths))))
    return tuple(sorted({name for value in values for name in names_of(value)}, key=_order))


def label_number(value: Any) -> float | None:
    """The number that a label is, or None where it is none, or not a finite one.

    Example:

    >>> from keras_bert.tasks.labels import label_number
    >>> label_number(" 4.50"), label_number(3), label_number(""), label_number("many")
    (4.5, 3.0, None, None)
    """
    try:
        number = float(_plain(value))
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def has_label(value: Any, labels: Sequence[str]) -> bool:
    """Whether an example's label is one, right or wrong, and not what stands for none.

    Args:
        value: the label.
        labels: sequence of str, all names; "-" and -1 are labels where they are among them.

    Example:

    >>> from keras_bert.tasks.labels import has_label
    >>> [has_label(value, ("0", "1")) for value in (1, "2", -1, "-")]
    [True, True, False, False]
    """
    if key(value) in map(key, labels):
        return True
    return label_name(value) not in (None, NO_LABEL_ID)


def label_index(names: Sequence[str]) -> Callable[[Any, Example], int]:
    """A function of a label and its example that gives its index, or says what is wrong.

    A label is a name; where no name is a number, the numbers 0, 1, ... are labels too, those of the
    names in their order.

    Example:

    >>> from keras_bert.tasks.labels import label_index
    >>> index = label_index(("bad", "good"))
    >>> index("good", {"sentence": "a fine film"}), index(1.0, {"sentence": "a fine film"})
    (1, 1)
    """
    indices = _indices(names)

    def index(label: Any, example: Example) -> int:
        found = indices.get(key(label))
        if found is not None:
            return found
        some = ", ".join(repr(one) for one in names[:10])
        advice = "correct it, or name all labels when the task is made"
        if not has_label(label, names):
            advice = "it has no label, so leave it out, or correct it"
        raise ValueError(
            f"{source_of(example)}: a label must be one of {some}"
            f"{' ...' if len(names) > 10 else ''}, but is {label!r:.100}: {advice}."
        )

    return index


def class_names(labels: Iterable[Any], names: Sequence[str]) -> list[str]:
    """The names of classes that are written by name or by number; others as they are written.

    Args:
        labels: labels of examples or of words.
        names: sequence of str, all names.

    Example:

    >>> from keras_bert.tasks.labels import class_names
    >>> class_names([1, "O", "B-PER"], ("O", "B-LOC"))
    ['B-LOC', 'O', 'B-PER']
    """
    indices, keys = _indices(names), [key(label) for label in labels]
    return [(key(names[indices[one]]) if one in indices else one) or "" for one in keys]


def labels_of(settings: Mapping[str, Any]) -> tuple[str, ...]:
    """The names of classes in transformers' settings, in the order of their ids.

    It says nothing where there are its default ones, LABEL_0 and LABEL_1.
    """
    by_id = settings.get("id2label") or {"0": "LABEL_0", "1": "LABEL_1"}
    names = {int(i): str(name) for i, name in by_id.items()}
    if sorted(names) != list(range(len(names))):
        raise ValueError(
            f"id2label must name the labels 0, 1, 2, ..., but names {sorted(names)}: correct "
            "config.json."
        )
    return tuple(names[i] for i in range(len(names)))


def label_settings(labels: Sequence[str]) -> dict[str, Any]:
    """What transformers' settings say of labels: the way back of `labels_of`."""
    return {
        "id2label": {str(i): name for i, name in enumerate(labels)},
        "label2id": {name: i for i, name in enumerate(labels)},
    }


def balanced_weights(labels: Sequence[Any]) -> list[float]:
    """Weights of examples by which every label counts as much as any other.

    A label of n among N examples and C labels weighs N / (C n), as in scikit-learn's "balanced".

    Args:
        labels: the label of each example.

    Returns:
        list of float, the `sample_weight` of `Task.dataset`.

    Raises:
        ValueError: an example has no label.

    Example:

    >>> from keras_bert.tasks.labels import balanced_weights
    >>> balanced_weights(["a", "a", "b"])
    [0.75, 0.75, 1.5]
    """
    names = [label_name(label) for label in labels]
    if None in names:
        raise ValueError(
            f"Every example must have a label to weigh, but that of example {names.index(None)} is "
            f"{labels[names.index(None)]!r}: leave it out."
        )
    counts = collections.Counter(names)
    return [len(names) / (len(counts) * counts[name]) for name in names]


def checked_labels(labels: Sequence[Any], at_least: int = 1) -> tuple[str, ...]:
    """The labels of a task as names.

    Args:
        labels: sequence of str, or of numbers.
        at_least: int, how many there must be.

    Raises:
        ValueError: there are fewer, one is there twice or is none.
    """
    names = () if isinstance(labels, str | bytes) else tuple(map(_name_of_class, labels))
    keys = list(map(key, names))
    if not names or None in keys or "" in keys or len(set(keys)) < len(keys):
        twice = [name for name, n in collections.Counter(keys).items() if n > 1]
        raise ValueError(
            f"labels must be names, each once, not {labels!r:.200}"
            f"{f' ({twice[0]!r} is there twice)' if twice else ''}: name all classes."
        )
    if len(names) < at_least:
        raise ValueError(
            f"There must be at least two classes to tell apart, not only {labels!r}: name all "
            "labels, or add examples of another one."
        )
    return tuple(name for name in names if name is not None)


def check_number(labels: Sequence[str], number: int) -> None:
    """Raises a ValueError unless a head has as many classes as there are labels."""
    if len(labels) != number:
        raise ValueError(
            f"There must be {number} labels, as the head has so many classes, but there are "
            f"{len(labels)}: make another task on the same encoder."
        )


def key(value: Any) -> str | None:
    """What a label is looked up by: its name, or what stands for none as it is written."""
    name, plain = label_name(value), _plain(value)
    return plain.strip() if name is None and isinstance(plain, str) else name


def _indices(names: Sequence[str]) -> dict[str | None, int]:
    """The index of each label by all that it may be looked up by."""
    own = {key(name): i for i, name in enumerate(names)}
    is_number = any(label_number(name) is not None for name in names)
    return own if is_number else {**{str(i): i for i in range(len(names))}, **own}


def _name_of_class(label: Any) -> str | None:
    return label if isinstance(label, str) else label_name(label)


def _order(name: str) -> tuple:
    return name != "O", name


def _listed(value: Any) -> list[Any]:
    value = _plain(value)
    if isinstance(value, str):
        return _written_list(value.strip())
    if isinstance(value, list | tuple | set):
        return [_plain(one) for one in value]
    return [value]


def _written_list(text: str) -> list[Any]:
    """A string as a list: as Python and JSON write one, or of names with separators."""
    if text.startswith("[") and text.endswith("]"):
        try:
            return list(ast.literal_eval(text))
        except (SyntaxError, ValueError):
            text = text[1:-1]
    return _SEPARATORS.split(text)


def _may_be_marks(names: Sequence[str | None]) -> bool:
    return bool(names) and set(names) <= _MARKS


def _plain(value: Any) -> Any:
    """A value as Python has it, bytes as text."""
    value = plain(value)
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    is_other_number = isinstance(value, numbers.Real) and not isinstance(value, bool | int | float)
    return float(value) if is_other_number else value

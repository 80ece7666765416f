"""What the binaries read: files to the examples of a task, with columns where it wants them."""

from __future__ import annotations

import dataclasses
import difflib
import fractions
import itertools
import math
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Literal

from keras_bert.data.rows import Row
from keras_bert.tasks.labels import label_name

from keras_bert import flags
from keras_bert.data.questions import questions
from keras_bert.data.readers import FORMS, read_examples
from keras_bert.data.tagging import tagged

TaskName = Literal[
    "text_classification",
    "token_classification",
    "question_answering",
    "multiple_choice",
    "sentence_embedding",
    "fill_mask",
]

# The columns that a task reads its texts from and learns from, where they are not the user's own.
TEXTS = {
    "token_classification": ("words",),
    "question_answering": ("question", "context"),
    "multiple_choice": ("context", "question", "choices"),
    "sentence_embedding": ("text", "second"),
    "fill_mask": ("text",),
}
LABEL = {
    **dict.fromkeys(TEXTS, "label"),
    "token_classification": "labels",
    "question_answering": "answers",
    "fill_mask": "answers",
}
# What the tasks read besides: a column of this name that was not asked for is the user's own.
BESIDES = {
    "token_classification": ("text",),
    "question_answering": ("answer_starts", "impossible"),
    "sentence_embedding": ("positive", "negative"),
}
# The pairs without a score that sentence embeddings learn from.
PAIRS = ("text", "positive", "negative")
# What stands for "no gold label" in SNLI and MNLI, and in the Hub's data sets.
NO_LABEL = ("-", "-1")
# What may stand between the names of several labels.
SEPARATORS = (",", ";", "|")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Files:
    """The flags of every binary that reads files of examples."""

    form: str | None = flags.flag(None, f"form of the files, if not by name: {' '.join(FORMS)}")
    columns: str | None = flags.flag(None, "names of the columns of tables without a header")
    text_keys: str | None = flags.flag(
        None, "columns with the texts, with commas between them; else the task's own"
    )
    label_key: str | None = flags.flag(
        None, "column with the label; several of 0 and 1, with commas, for several labels"
    )
    delimiter: str | None = flags.flag(None, "what stands between the cells of a table")
    quoted: bool | None = flags.flag(None, "whether cells may stand in quotation marks")
    encoding: str | None = flags.flag(None, "encoding of the files, such as cp1252; else UTF-8")
    word_column: str | None = flags.flag(None, "column of words in lines: 1, 2, ...; -1 the last")
    label_column: str | None = flags.flag(None, "column of tags in lines: 1, 2, ...; -1 the last")
    tag_names: str | None = flags.flag(None, "names of tags that are numbers, in their order")
    repair: bool = flags.flag(False, "mend tags that break their scheme, and count them")


def read(
    task: TaskName,
    arguments: Files,
    files: str,
    *,
    text_keys: Sequence[str] | None = None,
    label_key: str | None = None,
    labelled: bool = True,
    like: Sequence[Row] = (),
) -> list[Row]:
    """The examples of files, or of TensorFlow Datasets, as a task takes them.

    Args:
        task: name of the task.
        arguments: the flags of files.
        files: globs with commas between them; "tfds:name@split"; "label=path,label=path" for files
            with a text on every line; or "path.json@part" for lists of rows in a JSON object.
        text_keys: the columns with the texts, for text classification; for others those of
            `arguments` take the place of the task's own.
        label_key: the column with the label, likewise.
        labelled: whether something is to be learned or compared, so that there must be labels.
        like: the examples of the training file, whose scheme of tags others follow.

    Raises:
        ValueError: a column is not there, or what a reader refuses.
    """
    columns = split(arguments.columns)
    rows = read_examples(
        files,
        arguments.form,
        columns,
        delimiter=arguments.delimiter,
        quoted=arguments.quoted,
        encoding=arguments.encoding,
        word_column=arguments.word_column,
        label_column=arguments.label_column,
    )
    if task == "text_classification":
        needed = [*(text_keys or ()), *(split(label_key) if labelled else ())]
        _check_columns(rows, needed, text_keys or ())
        return rows
    if task == "token_classification":
        return _tagged(rows, arguments, labelled, like)
    named = _named_columns(task, arguments, labelled)
    if named:
        _check_columns(rows, [*named.values()], split(arguments.text_keys) or ())
        rows = [_renamed(task, row, named) for row in rows]
    return questions(rows) if task == "question_answering" else rows


def split(names: str | None) -> tuple[str, ...] | None:
    """Names with commas between them, one by one; None where there are none."""
    return tuple(name.strip() for name in names.split(",")) if names else None


def several_labels(rows: Sequence[Row], label_key: str, names: Collection[str]) -> list[Row]:
    """Rows whose label is a list of names, however the file writes several labels.

    Args:
        rows: the rows of a file.
        label_key: the column with names and commas, semicolons or bars between them, a list of
            names, or a list of a 0 or 1 for each label; or columns of 0 and 1, with commas.
        names: all labels, where they are known; else those of lists of 0 and 1 are numbers.

    Raises:
        ValueError: a column of 0 and 1 holds something else, or a list has another length.
    """
    if "," in label_key:
        chosen = [_marked(row, split(label_key)) for row in rows]
    else:
        values = [row[label_key] for row in rows]
        if _are_marks(values):
            chosen = [_names_at(row, label_key, names) for row in rows]
        else:
            separator = _separator(values, _file_of(rows[0]))
            chosen = [_parted(value, separator) for value in values]
    return [
        row.with_columns({**row, label_key: one}) for row, one in zip(rows, chosen, strict=True)
    ]


def with_gold_label(
    rows: Sequence[Row], label_key: str, labels: Collection[str] | None
) -> tuple[list[Row], list[Row]]:
    """The rows that have a label, and those whose label says that there is none, as "-" or -1.

    Args:
        rows: the rows of a file.
        label_key: the column with the label.
        labels: all labels, if they are known; what is one of these is a label.

    Raises:
        ValueError: it is not certain whether -1 is a label, or no row has one.
    """
    found = {label_name(row[label_key]) for row in rows} - {None}
    none = _no_label(found, rows[0], label_key) if labels is None else set(NO_LABEL) - {*labels}
    kept = [row for row in rows if label_name(row[label_key]) not in none]
    if not kept:
        raise ValueError(
            f"{rows[0].source}: no row has a label; {label_key} is "
            f"{', '.join(map(repr, sorted(none & found)))} in all of them: give files with labels."
        )
    return kept, [row for row in rows if label_name(row[label_key]) in none]


def _tagged(
    rows: Sequence[Row], arguments: Files, labelled: bool, like: Sequence[Row]
) -> list[Row]:
    keys = split(arguments.text_keys)
    if keys and len(keys) > 1:
        raise ValueError(f"Words stand in one column, but --text_keys are {', '.join(keys)}.")
    for key in (*(keys or ()), *(split(arguments.label_key) or ())):
        _check_columns(rows, [key], keys or ())
    return tagged(
        rows,
        keys[0] if keys else None,
        arguments.label_key,
        tag_names=arguments.tag_names,
        repair=arguments.repair,
        labelled=labelled,
        like=like,
    )


def _named_columns(task: TaskName, arguments: Files, labelled: bool) -> dict[str, str]:
    """The user's columns by the names that the task has for them; empty where none is named."""
    keys, label = split(arguments.text_keys), arguments.label_key
    if keys is None and label is None:
        return {}
    wanted = TEXTS[task]
    if task == "sentence_embedding" and keys and label is None and labelled:
        wanted = PAIRS[: max(2, len(keys))]
    if task == "sentence_embedding" and not labelled:
        wanted = PAIRS[:1]
        keys = keys and keys[:1]
    if keys is not None and len(keys) != len(wanted):
        raise ValueError(
            f"The task {task} reads {len(wanted)} columns, its {', '.join(wanted)}, but "
            f"--text_keys names {len(keys)}, {', '.join(keys)}: name one for each."
        )
    named = dict(zip(wanted, keys or wanted, strict=True))
    return {**named, **({LABEL[task]: label} if label is not None and labelled else {})}


def _renamed(task: TaskName, row: Row, named: Mapping[str, str]) -> Row:
    """A row with the task's names for the columns that were asked for, and no others of them."""
    own = {*TEXTS[task], LABEL[task], *BESIDES.get(task, ()), *named.values()}
    if LABEL[task] not in named and LABEL[task] in row and task != "sentence_embedding":
        named = {**named, LABEL[task]: LABEL[task]}
    others = {name: value for name, value in row.items() if name not in own}
    return row.with_columns({**others, **{ours: row[theirs] for ours, theirs in named.items()}})


def _check_columns(rows: Sequence[Row], names: Sequence[str], text_keys: Collection[str]) -> None:
    """Raises for the first column that no row has, with the flag that names it, and for gaps."""
    there = list(dict.fromkeys(name for row in rows for name in row))
    for name in names:
        flag = "--text_keys" if name in text_keys else "--label_key"
        if name not in there:
            near = difflib.get_close_matches(name, there, n=1) or _only_other(there, names)
            raise ValueError(
                f"{_file_of(rows[0])}: there must be a column {name!r}, but the columns are "
                f"{', '.join(there)}: name the right one with {flag}"
                f"{f', such as {flag}={near[0]}' if near else ''}."
            )
        for row in rows:
            if name not in row:
                raise ValueError(
                    f"{row.source}: there must be a {name!r}, as in other rows, but there are only "
                    f"{', '.join(row)}: add it, or leave the row out."
                )


def _only_other(there: Sequence[str], names: Collection[str]) -> list[str]:
    """The column that is meant where just one is left that was not named."""
    left = [name for name in there if name not in names]
    return left if len(left) == 1 else []


def _file_of(row: Row) -> str:
    return re.sub(r":\d+$", "", row.source)


def _no_label(found: Collection[str], row: Row, label_key: str) -> set[str]:
    """Those of the labels that were found that stand for none."""
    none = set() if "+" in found else {"-"}
    others = {*found} - {*NO_LABEL}
    if "-1" not in found or not others:
        return none | {"-1"}
    if others == {"0", "1"}:
        raise ValueError(
            f"{_file_of(row)}: {label_key} is -1, 0 and 1, and -1 can be a class or say that there "
            "is no label: say --labels=-1,0,1 or --labels=0,1."
        )
    counted = others == {str(i) for i in range(len(others))} and len(others) > 2
    named = any(re.fullmatch(r"-?\d+", name) is None for name in others)
    return none | {"-1"} if counted or named else none


def _marked(row: Row, columns: Sequence[str]) -> list[str]:
    """The names of those columns that hold a 1."""
    marks = {name: label_name(row[name]) for name in columns}
    for name, mark in marks.items():
        if mark not in ("0", "1"):
            raise ValueError(
                f"{row.source}: {name} must be 0 or 1, as a column that is a label, but is "
                f"{row[name]!r}: correct it, or name one column with --label_key."
            )
    return [name for name, mark in marks.items() if mark == "1"]


def _are_marks(values: Sequence[Any]) -> bool:
    """Whether labels are lists of a 0 or 1 for each of them."""
    return all(
        isinstance(value, list) and len(value) == len(values[0]) > 1 and {*value} <= {0, 1}
        for value in values
    )


def _names_at(row: Row, label_key: str, names: Collection[str]) -> list[str]:
    marks = row[label_key]
    names = tuple(names) or tuple(map(str, range(len(marks))))
    if len(marks) != len(names):
        raise ValueError(
            f"{row.source}: {label_key} must have a 0 or 1 for each of the labels "
            f"{', '.join(names)}, but has {len(marks)}: correct it, or --labels."
        )
    return [name for name, mark in zip(names, marks, strict=True) if mark]


def _separator(values: Sequence[Any], place: str) -> str:
    """What stands between names in one string."""
    there = [one for one in SEPARATORS if any(one in v for v in values if isinstance(v, str))]
    if len(there) > 1:
        raise ValueError(
            f"{place}: several labels must have one separator, but {' and '.join(there)} are both "
            "in the file: use one of them, or lists of names in JSON lines."
        )
    return there[0] if there else SEPARATORS[0]


def _parted(value: Any, separator: str) -> Any:
    if not isinstance(value, str):
        return value
    return [name.strip() for name in value.split(separator) if name.strip()]


def hold_out(examples: Sequence[Row], share: float) -> tuple[list[Row], list[Row]]:
    """The examples to learn from, and a share of them that is held out, of all parts of a file.

    Which ones depends on their number and the share alone, so that every seed holds out the same.

    Raises:
        ValueError: the share does not lie between 0 and 1, or nothing would be left on one side.
    """
    if not 0 < share < 1:
        raise ValueError(f"--eval_share must lie between 0 and 1, not {share}.")
    exact = fractions.Fraction(str(share))
    # The n-th is held out where n shares pass a whole number: of 0.1 every tenth.
    counts = [math.floor(exact * n) for n in range(len(examples) + 1)]
    is_held_out = [after > before for before, after in itertools.pairwise(counts)]
    learned, held_out = (
        [one for one, held in zip(examples, is_held_out, strict=True) if held is which]
        for which in (False, True)
    )
    if not held_out or not learned:
        raise ValueError(
            f"--eval_share={share} of {len(examples)} examples leaves {len(learned)} to learn from "
            f"and {len(held_out)} to hold out: choose another share, or give --eval_files."
        )
    return learned, held_out

"""What the binaries read: files to the examples of a task, with columns where it wants them."""

from __future__ import annotations

import dataclasses
import fractions
import itertools
import math
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Literal

from keras_bert import flags
from keras_bert.data.examples.questions import questions
from keras_bert.data.examples.readers import FORMS, read_examples
from keras_bert.data.examples.reading import Reading
from keras_bert.data.examples.tagging import tagged
from keras_bert.data.rows import Row
from keras_bert.tasks.examples import nearest_first
from keras_bert.tasks.labels import NO_LABEL, NO_LABEL_ID, has_label, key, label_name

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
) -> list[Row]:
    """The examples of files, or of TensorFlow Datasets, as a task takes them; tags as they are.

    Args:
        task: name of the task.
        arguments: the flags of files.
        files: globs with commas between them; "tfds:name@split"; "label=path,label=path" for files
            with a text on every line; or "path.json@part" for lists of rows in a JSON object.
        text_keys: the columns with the texts, for text classification; for others those of
            `arguments` take the place of the task's own.
        label_key: the column with the label, likewise.
        labelled: whether something is to be learned or compared, so that there must be labels.

    Raises:
        ValueError: a column is not there, or what a reader refuses.
    """
    reading = Reading(
        form=arguments.form,
        columns=split(arguments.columns),
        delimiter=arguments.delimiter,
        quoted=arguments.quoted,
        encoding=arguments.encoding,
        word_column=arguments.word_column,
        label_column=arguments.label_column,
        tag_names=arguments.tag_names,
    )
    rows = read_examples(files, reading)
    if not labelled and not arguments.text_keys and task != "token_classification":
        rows = _in_one_column(rows, text_keys or TEXTS[task])
    if task == "text_classification":
        needed = [*(text_keys or ()), *(split(label_key) if labelled else ())]
        _check_columns(rows, needed, text_keys or ())
        return rows
    if task == "token_classification":
        return _tagged(rows, arguments, labelled)
    named = _named_columns(task, arguments, labelled)
    if named:
        _check_columns(rows, [*named.values()], split(arguments.text_keys) or ())
        rows = [_renamed(task, row, named) for row in rows]
    return questions(rows) if task == "question_answering" else rows


def split(names: str | None) -> tuple[str, ...] | None:
    """Names with commas between them, one by one; None where there are none."""
    return tuple(name.strip() for name in names.split(",")) if names else None


def with_marked_labels(rows: Sequence[Row], label_key: str) -> list[Row]:
    """Rows whose label is a list of names, from columns that hold a 0 or 1 for one label each.

    Args:
        rows: the rows of a file.
        label_key: the names of these columns, with commas between; it becomes that of the list.

    Raises:
        ValueError: one of them holds something else.
    """
    return [row.with_columns({**row, label_key: _marked(row, split(label_key))}) for row in rows]


def without_label(rows: Sequence[Row], label_key: str, labels: Sequence[str]) -> list[Row]:
    """The rows whose label says that there is none: "-" in SNLI and MNLI, -1 on the Hub.

    What is empty or misspelt is not among them: it is wrong, or known by whoever wrote the file.

    Args:
        rows: the rows of a file.
        label_key: the column with the label.
        labels: all labels; what is one of these is a label.
    """
    return [
        row
        for row in rows
        if key(row[label_key]) in (NO_LABEL, NO_LABEL_ID) and not has_label(row[label_key], labels)
    ]


def _in_one_column(rows: Sequence[Row], texts: Sequence[str]) -> list[Row]:
    """Rows of one column, as lines are, under the name of the one text that a task reads."""
    columns = {name for row in rows for name in row}
    if len(columns) > 1 or len(texts) > 1:
        return [*rows]
    [column], [text] = columns, texts
    return [row.with_columns({text: row[column]}) for row in rows]


def _tagged(rows: Sequence[Row], arguments: Files, labelled: bool) -> list[Row]:
    keys, label_key = split(arguments.text_keys) or (), arguments.label_key
    if len(keys) > 1:
        raise ValueError(f"Words stand in one column, but --text_keys are {', '.join(keys)}.")
    _check_columns(rows, [*keys, *(split(label_key) or ())], keys)
    words_key = keys[0] if keys else None
    rows = tagged(rows, words_key=words_key, labels_key=label_key, tag_names=arguments.tag_names)
    for row in rows if labelled else ():
        if "labels" not in row:
            raise ValueError(
                f"{row.source}: words must have labels to learn from or to be compared with, but "
                f"there are only {', '.join(row)}: name their column with --label_key."
            )
    return rows


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
            others = nearest_first(name, [one for one in there if one not in names])
            raise ValueError(
                f"{_file_of(rows[0])}: there must be a column {name!r}, but the columns are "
                f"{', '.join(there)}: name the right one with {flag}"
                f"{f', such as {flag}={others[0]}' if others else ''}."
            )
        for row in rows:
            if name not in row:
                raise ValueError(
                    f"{row.source}: there must be a {name!r}, as in other rows, but there are only "
                    f"{', '.join(row)}: add it, or leave the row out."
                )


def _file_of(row: Row) -> str:
    return re.sub(r":\d+$", "", row.source)


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

"""The flags of every binary that reads files of examples, and what they are for the library."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import keras_bert as kb
from keras_bert import flags
from keras_bert.data.examples.readers import FORMS
from keras_bert.data.examples.reading import Reading
from keras_bert.tasks.table import name_of

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


@dataclasses.dataclass(frozen=True, kw_only=True)
class Texts:
    """How files are read."""

    form: str | None = flags.flag(None, f"form of the files, if not by name: {' '.join(FORMS)}")
    columns: str | None = flags.flag(None, "names of the columns of tables without a header")
    text_keys: str | None = flags.flag(
        None, "columns with the texts, with commas between them; else the task's own"
    )
    delimiter: str | None = flags.flag(None, "what stands between the cells of a table")
    quoted: bool | None = flags.flag(None, "whether cells may stand in quotation marks")
    encoding: str | None = flags.flag(None, "encoding of the files, such as cp1252; else UTF-8")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Files(Texts):
    """What is learned, or compared, in files."""

    label_key: str | None = flags.flag(
        None, "column with the label; several of 0 and 1, with commas, for several labels"
    )
    word_column: str | None = flags.flag(None, "column of words in lines: 1, 2, ...; -1 the last")
    label_column: str | None = flags.flag(None, "column of tags in lines: 1, 2, ...; -1 the last")
    tag_names: str | None = flags.flag(None, "names of tags that are numbers, in their order")
    repair: bool = flags.flag(False, "mend tags that break their scheme, and count them")


def reading_of(arguments: Texts) -> Reading:
    """How the flags of a binary say that files are read."""
    return Reading(
        form=arguments.form,
        columns=split(arguments.columns),
        delimiter=arguments.delimiter,
        quoted=arguments.quoted,
        encoding=arguments.encoding,
    )


def files_of(arguments: Files, path: str) -> kb.finetuning.ExampleFiles:
    """Files that the flags of a binary describe."""
    return kb.finetuning.ExampleFiles(path, reading_of(arguments))


def options_of(arguments: Files) -> dict[str, Any]:
    """What a task may be told, by name: all flags, and lists in place of names with commas."""
    values = dataclasses.asdict(arguments)
    lists: dict[str, Any] = {
        name: split(values[name]) for name in ("text_keys", "labels") if name in values
    }
    if values.get("matryoshka"):
        lists["matryoshka"] = whole_numbers(values["matryoshka"], "matryoshka")
    return {**values, **lists}


def whole_numbers(numbers: str, flag: str) -> tuple[int, ...]:
    """Whole numbers with commas between them, one by one.

    Raises:
        ValueError: one is none.
    """
    found = split(numbers) or ()
    if not all(number.isdecimal() for number in found):
        raise ValueError(f"--{flag} must be whole numbers with commas, not {numbers}: 128,64, say.")
    return tuple(map(int, found))


def given_flags(arguments: DataclassInstance) -> set[str]:
    """The names of the flags that are not as they are by default."""
    return {
        field.name
        for field in dataclasses.fields(arguments)
        if field.default is not dataclasses.MISSING
        and getattr(arguments, field.name) != field.default
    }


def check_flags(arguments: Files, task: kb.Task) -> None:
    """Refuses flags that a task would have to ignore."""
    kb.finetuning.check_options(name_of(type(task)), given_flags(arguments))


def split(names: str | None) -> tuple[str, ...] | None:
    """Names with commas between them, one by one; None where there are none."""
    return tuple(name.strip() for name in names.split(",")) if names else None

"""How files are read, where that is not told from the files themselves."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Sequence

from keras_bert.data.examples.conll import Column
from keras_bert.data.examples.dialects import Dialect

# What says which columns words and labels stand in, and what labels that are numbers mean.
OF_WORDS = ("word_column", "label_column", "tag_names")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Reading:
    """How files are read: their form, and what each form leaves open. None is told from a file.

    Args:
        form: str, one of `readers.FORMS`, that of all the files; None tells it from the name of
            each.
        columns: names of the columns of tables without header, of the cells of "path.json@part",
            of the texts of lines, or of those to take of TensorFlow Datasets; None has a header,
            "sentence" and "label", "text" ("sentence" of "label=path"), or takes all.
        delimiter: str, what stands between cells or columns ("tab" is a tab).
        quoted: bool, whether cells may stand in quotation marks.
        encoding: str, that of the files; None is UTF-8, or what a byte order mark says.
        word_column: int, counted from 1, or from the end by negative numbers, or str: the column of
            words, as of `read_conll`; in tables, the name of the column, as of `tagged`.
        label_column: int or str, likewise of their labels.
        tag_names: as in `tagged`, where labels of words are numbers.

    Example:

    >>> from keras_bert.data.examples.reading import Reading
    >>> reading = Reading(delimiter=";", tag_names="O,B-PER")
    >>> reading.given()
    ('delimiter', 'tag_names')
    >>> reading.dialect("csv")
    Dialect(delimiter=';', quoted=None, encoding=None, form='csv')
    """

    form: str | None = None
    columns: Sequence[str] | None = None
    delimiter: str | None = None
    quoted: bool | None = None
    encoding: str | None = None
    word_column: Column | None = None
    label_column: Column | None = None
    tag_names: str | Sequence[str] | None = None

    def given(self) -> tuple[str, ...]:
        """The names of what is said, but for the form."""
        values = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        return tuple(n for n, value in values.items() if value is not None and n != "form")

    def dialect(self, form: str | None = None) -> Dialect:
        """How the cells of a table of a form are parted, quoted and encoded."""
        return Dialect(
            delimiter=self.delimiter, quoted=self.quoted, encoding=self.encoding, form=form
        )

    def check_use(self, uses: Collection[str], path: str, form: str) -> None:
        """Checks that what is said is of use.

        Args:
            uses: the names of what a form has a use for.
            path: what is read.
            form: its form.

        Raises:
            ValueError: something else is said; the message names its flag.
        """
        useless = [name for name in self.given() if name not in uses]
        if useless:
            raise ValueError(
                f"{path} is of the form {form}, which has no use for {useless[0]}: leave out "
                f"--{useless[0]}, or name another form (--form)."
            )


# All of which is told from the files.
TOLD = Reading()

"""Passages: what is found in files, the paragraphs of texts and the rows of tables."""

from __future__ import annotations

from collections.abc import Sequence

from keras_bert.data.examples.readers import form_by_name, read_examples
from keras_bert.data.examples.reading import TOLD, Reading
from keras_bert.data.paths import has_files, matching_files, parts_of
from keras_bert.data.rows import Row
from keras_bert.tasks.columns import ExampleFiles
from keras_bert.tasks.sentence_embedding import SentenceEmbedder


def read_passages(
    path: str, reading: Reading = TOLD, text_keys: Sequence[str] | None = None
) -> list[Row]:
    """The passages of files, each with its `text`.

    A file whose name says no other form is text, whose paragraphs have empty lines between them, or
    are its lines where there are none (`read_paragraphs`).

    Args:
        path: str, a folder, files or globs with commas between them, or what else `read_examples`
            takes.
        reading: Reading; a form that is given is that of all files.
        text_keys: sequence of one str, the column of tables with the text; None is "text".

    Returns:
        list of Row, whose `source` is "path:line".

    Raises:
        ValueError: there is no such file or column, or what a reader refuses.

    Example:

    >>> import os, tempfile
    >>> from keras_bert.searching.passages import read_passages
    >>> folder = tempfile.mkdtemp()
    >>> _ = open(os.path.join(folder, "notes.md"), "w").write("A fine\\nfilm\\n\\nThe dog\\n")
    >>> _ = open(os.path.join(folder, "rows.csv"), "w").write("id,text\\n7,The fox\\n")
    >>> [row["text"] for row in read_passages(folder)]
    ['A fine film', 'The dog', 'The fox']
    """
    is_told = reading.form is not None or reading.delimiter is not None
    if is_told or not all(map(has_files, parts_of(path))):
        return _rows(path, reading, text_keys)
    files = matching_files(path)
    texts = [file for file in files if form_by_name(file) in (None, "lines")]
    tables = [file for file in files if file not in {*texts}]
    paragraphs = Reading(form="paragraphs", encoding=reading.encoding)
    rows = read_examples(texts, paragraphs) if texts else []
    return [*rows, *(_rows(tables, reading, text_keys) if tables else ())]


def _rows(
    path: str | Sequence[str], reading: Reading, text_keys: Sequence[str] | None
) -> list[Row]:
    files = ExampleFiles(path, reading)
    return SentenceEmbedder.read(files, labelled=False, text_keys=text_keys)

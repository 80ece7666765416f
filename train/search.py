"""Searches texts by their meaning, with a checkpoint of sentence embeddings.

keras-bert search --checkpoint=all-MiniLM-L6-v2 --documents=notes --query='how to open a file'
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterator, Sequence
from typing import Literal

import keras_bert as kb
from keras_bert import flags
from keras_bert.data.answers.forms import ARRAYS, SUFFIXES, form_of_answers, opened_for_rows
from keras_bert.data.answers.rows import Columns
from keras_bert.data.compression import STANDARD_INPUT
from keras_bert.data.examples.readers import form_by_name
from keras_bert.data.examples.reading import Reading

from .examples import Texts, reading_of, split

# Of a text so many characters are shown: where it stands is said beside it.
SHOWN = 300
_FORMS = " ".join(suffix for suffix, form in SUFFIXES.items() if form not in ARRAYS)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Arguments(Texts):
    checkpoint: str = flags.required("checkpoint directory")
    documents: str = flags.required(
        "what is searched: a folder or files, of which texts are cut into paragraphs; or .npy or "
        ".npz of keras-bert predict"
    )
    query: tuple[str, ...] = flags.flag((), "what is looked for; may be repeated")
    query_files: str | None = flags.flag(
        None, "files of queries instead, such as .txt, one a line; else they are piped in, or typed"
    )
    num_hits: int = flags.flag(5, "how many texts are found for each query")
    index: str | None = flags.flag(
        None, "file (.npz) in which the vectors of the documents are kept for the next time"
    )
    precision: Literal["float32", "int8", "binary"] = flags.flag(
        "float32", "in which vectors are kept: four bytes a number, one, or an eighth"
    )
    dimensions: int | None = flags.flag(
        None, "numbers of a vector, its first ones, as Matryoshka training fits them; else all"
    )
    output_file: str | None = flags.flag(None, f"file for what is found: {_FORMS}")
    sequence_length: int | None = flags.flag(
        None, "pieces of a text at most; else as the checkpoint was trained"
    )


def main(arguments: Arguments) -> None:
    check(arguments)
    # Queries that are files are read before the documents, which take longer.
    queries = queries_of(arguments)
    embedder = kb.searching.embedder_of(
        arguments.checkpoint, arguments.sequence_length, dimensions=arguments.dimensions
    )
    index = index_of(arguments, embedder)
    if arguments.precision != "float32":
        print(index.summed_up)
    if queries is None:
        for query in typed():
            show(*index.search([query], arguments.num_hits))
        return
    found = index.search(queries, arguments.num_hits)
    if arguments.output_file:
        number = write_hits(arguments.output_file, index, queries, found)
        print(f"{arguments.output_file}: {number:,} hits.")
        return
    for query, hits in zip(queries, found, strict=True):
        print(query)
        show(hits)


def check(arguments: Arguments) -> None:
    """Refuses flags that nothing would come of, before the model is opened.

    Raises:
        ValueError: the message names the flags.
    """
    if arguments.query and arguments.query_files:
        raise ValueError("Give --query, as often as there are queries, or --query_files.")
    if arguments.num_hits < 1:
        raise ValueError(f"--num_hits must be at least 1, but is {arguments.num_hits}: raise it.")
    has_queries = arguments.query or arguments.query_files not in (None, STANDARD_INPUT)
    if arguments.documents == STANDARD_INPUT and not has_queries:
        raise ValueError("Documents and queries cannot both be piped in: give --query.")
    if arguments.index and kb.searching.is_of_vectors(arguments.documents):
        raise ValueError(f"--documents={arguments.documents} is vectors: leave out --index.")
    if arguments.index:
        kb.searching.check_index_name(arguments.index)
    if arguments.output_file and form_of_answers(arguments.output_file) in ARRAYS:
        raise ValueError(f"--output_file is a table, but is {arguments.output_file}: {_FORMS}.")
    if arguments.output_file and not (has_queries or arguments.query_files) and is_typed():
        raise ValueError("What is found for queries that are typed is shown: give --query.")


def queries_of(arguments: Arguments) -> list[str] | None:
    """The queries of flags, of files or of standard input; None where somebody types them."""
    if arguments.query:
        return list(arguments.query)
    if arguments.query_files is None and is_typed():
        return None
    path = arguments.query_files or STANDARD_INPUT
    rows = kb.searching.read_passages(path, Reading(form=form_by_name(path) or "lines"))
    lacking = next((row for row in rows if "text" not in row), None)
    if lacking is not None:
        raise ValueError(
            f"{lacking.source}: a query must stand under 'text', but there are only "
            f"{', '.join(lacking)}: rename the column, or write a query a line."
        )
    return [row["text"] for row in rows]


def is_typed() -> bool:
    """Whether standard input is a terminal."""
    return sys.stdin.isatty()


def typed() -> Iterator[str]:
    """Queries as they are typed, up to an empty one or the end."""
    print("Type what you look for; an empty line ends.")
    while True:
        try:
            query = input("> ").strip()
        except EOFError:
            return
        if not query:
            return
        yield query


def index_of(arguments: Arguments, embedder: kb.SentenceEmbedder) -> kb.searching.Index:
    """The vectors of the documents, from a file where one has them."""
    precision = arguments.precision
    if kb.searching.is_of_vectors(arguments.documents):
        return kb.searching.index_of_vectors(embedder, arguments.documents, precision)
    keys = split(arguments.text_keys)
    rows = kb.searching.read_passages(arguments.documents, reading_of(arguments), keys)
    return kb.searching.index_of(embedder, rows, arguments.index, precision)


def show(hits: Sequence[kb.searching.Hit]) -> None:
    """Prints what was found."""
    for hit in hits:
        text = " ".join(str(hit.row.get("text", "")).split())
        text = text if len(text) <= SHOWN else f"{text[:SHOWN]}..."
        print(f"  {hit.score:.3f}  {hit.row.source}")
        if text:
            print(f"         {text}")


def write_hits(
    path: str,
    index: kb.searching.Index,
    queries: Sequence[str],
    found: Sequence[Sequence[kb.searching.Hit]],
) -> int:
    """Writes a row for each hit, and says how many there are."""
    columns = Columns.of(index.rows)
    query, rank, score = map(columns.free, ("query", "rank", "score"))
    rows = [
        {query: one, rank: place, score: hit.score, **columns.row(hit.row)}
        for one, hits in zip(queries, found, strict=True)
        for place, hit in enumerate(hits, 1)
    ]
    names = (query, rank, score, *columns.of_rows)
    with opened_for_rows(path, {name: [row.get(name) for row in rows] for name in names}) as write:
        write(rows)
    return len(rows)


if __name__ == "__main__":
    flags.run(main, Arguments)

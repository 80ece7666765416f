"""Rows to Parquet, by pyarrow."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from keras_bert import files
from keras_bert.data.answers.tables import Write
from keras_bert.data.answers.values import as_cell
from keras_bert.data.rows import Path

# What stands for an int that has 64 bits.
_INT = "int64"


def check_installed(path: Path) -> None:
    """Checks that Parquet can be written.

    Raises:
        ValueError: pyarrow is not there; the message says how to get it.
    """
    try:
        import pyarrow.parquet  # noqa: F401
    except ImportError as error:
        raise ValueError(
            f"{path} is Parquet, which is written by the package pyarrow, but it cannot be "
            f"imported ({error}): pip install 'kerasbert[parquet]', or name the file .jsonl."
        ) from error


@contextlib.contextmanager
def parquet(path: Path, like: Mapping[str, Iterable[Any]]) -> Iterator[Write]:
    """A function that writes rows, each call a group of its own; the file is whole or not there.

    Args:
        path: path of the file.
        like: dict of values by column, from which its type is told: texts, numbers, truth values,
            or lists of numbers (float32) or of texts. What is none of these, or is now this and now
            that, is JSON.

    Yields:
        Function of some rows, as of `json_lines`.

    Raises:
        ValueError: pyarrow is not there, or another process is writing the file.
    """
    check_installed(path)
    import pyarrow
    import pyarrow.parquet

    types = {name: _type_of(pyarrow, values) for name, values in like.items()}
    schema = pyarrow.schema([(name, kind or pyarrow.string()) for name, kind in types.items()])

    def write(rows: Iterable[Mapping[str, Any]]) -> None:
        rows = [*rows]
        columns = [
            pyarrow.array([_value(row.get(name), kind) for row in rows], schema.field(name).type)
            for name, kind in types.items()
        ]
        writer.write_table(pyarrow.Table.from_arrays(columns, schema=schema))

    with (
        files.whole_file(path) as staging,
        pyarrow.parquet.ParquetWriter(staging, schema) as writer,
    ):
        yield write


def _type_of(pyarrow: Any, values: Iterable[Any]) -> Any:
    """The type of a column; None where it is to be JSON."""
    there = [value for value in values if value is not None]
    if there and all(isinstance(value, list) for value in there):
        kind = _flat_type(pyarrow, (one for value in there for one in value))
        kind = pyarrow.float32() if kind == pyarrow.float64() else kind
        return kind and pyarrow.list_(kind)
    return _flat_type(pyarrow, there)


def _flat_type(pyarrow: Any, values: Iterable[Any]) -> Any:
    kinds = {_INT if type(value) is int and abs(value) < 2**63 else type(value) for value in values}
    if kinds == {_INT, float}:
        kinds = {float}
    types = {
        str: pyarrow.string,
        _INT: pyarrow.int64,
        float: pyarrow.float64,
        bool: pyarrow.bool_,
    }
    return types[kinds.pop()]() if len(kinds) == 1 and kinds <= {*types} else None


def _value(value: Any, kind: Any) -> Any:
    if kind is not None or value is None:
        return value
    return value if isinstance(value, str) else str(as_cell(value))

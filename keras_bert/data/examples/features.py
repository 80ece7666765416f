"""Names of classes where rows have their numbers: the feature files of the Hub's data sets."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from absl import logging

from keras_bert.data.rows import Path, Row
from keras_bert.data.text_files import filled_lines, read_json

# What the Hub's data sets call them; they stand beside their files, or above a folder of data.
FEATURE_FILES = ("dataset_info.json", "dataset_infos.json")

_DATA = "data"


def with_names(rows: Sequence[Row], path: Path) -> list[Row]:
    """Rows with the names of classes in place of numbers, where a feature file names them.

    Args:
        rows: sequence of Row.
        path: path of their file; a feature file beside it counts, or one above a folder `data`.

    Returns:
        list of Row; -1, which stands for no label, becomes None.

    Raises:
        ValueError: the feature file is no JSON, or a number is none of a class.
    """
    folder = pathlib.Path(path).absolute().parent
    folders = [folder, folder.parent] if folder.name == _DATA else [folder]
    files = [one / name for one in folders for name in FEATURE_FILES]
    file = next((one for one in files if one.is_file()), None)
    names = {} if file is None else _names_in(read_json(file))
    names = {column: own for column, own in names.items() if any(column in row for row in rows)}
    if not names:
        return list(rows)
    logging.info("%s: the classes of %s are named by %s.", path, ", ".join(names), file)
    return [
        row.with_columns(
            {
                column: _named(value, names[column], row.source) if column in names else value
                for column, value in row.items()
            }
        )
        for row in rows
    ]


def read_tag_names(path: Path) -> list[str]:
    """The names of classes in a file, in the order of their numbers.

    Args:
        path: path of a file with a name on every line, or of JSON: a list of names, or an object
            of number to name or name to number, alone or as `id2label` or `label2id` of a config.

    Returns:
        list of str.

    Raises:
        ValueError: the file has another form.

    Example:

    >>> import os, tempfile
    >>> from keras_bert.data.examples.features import read_tag_names
    >>> path = os.path.join(tempfile.mkdtemp(), "tags.txt")
    >>> _ = open(path, "w").write("O\\nB-PER\\nI-PER\\n")
    >>> read_tag_names(path)
    ['O', 'B-PER', 'I-PER']
    """
    if not str(path).endswith(".json"):
        return [line.strip() for _, line in filled_lines(path)]
    content = read_json(path)
    if isinstance(content, dict):
        content = content.get("id2label", content.get("label2id", content))
    if isinstance(content, dict):
        pairs = {str(k): str(v) for k, v in content.items()}
        if not all(number.isdigit() for number in pairs):
            pairs = {number: name for name, number in pairs.items()}
        content = [pairs.get(str(index)) for index in range(len(pairs))]
    if not isinstance(content, list) or not all(isinstance(name, str) for name in content):
        raise ValueError(
            f"{path} must name classes by numbers from 0, as a list or an object, but holds "
            f"{content!r:.200}: write a name on every line of a text file."
        )
    return content


def _names_in(content: Any) -> dict[str, list[str]]:
    """Names of the classes of columns, in a feature file of one configuration or of several."""
    found: dict[str, list[str]] = {}
    if not isinstance(content, Mapping):
        return found
    configurations = [content, *(one for one in content.values() if isinstance(one, Mapping))]
    for configuration in configurations:
        features = configuration.get("features")
        for column, feature in (features if isinstance(features, Mapping) else {}).items():
            names = _names_of(feature)
            if names:
                found.setdefault(column, names)
    return found


def _names_of(feature: Any) -> list[str] | None:
    """The names of a class label, or of those in a list."""
    if isinstance(feature, list) and feature:
        return _names_of(feature[0])
    if not isinstance(feature, Mapping):
        return None
    names = feature.get("names")
    return names if isinstance(names, list) else _names_of(feature.get("feature"))


def _named(value: Any, names: Sequence[str], source: str) -> Any:
    if isinstance(value, str) and value.strip().startswith("["):
        try:
            value = json.loads(value)
        except ValueError:
            return value
    if isinstance(value, list):
        return [_named(one, names, source) for one in value]
    try:
        number = int(value)
    except (TypeError, ValueError, OverflowError):
        return value  # a name already
    if number == -1:
        return None
    if not 0 <= number < len(names):
        raise ValueError(
            f"{source}: a class must be a number below {len(names)}, as the feature file names "
            f"{', '.join(names):.200}, but is {value!r}: restore the file, or move the feature "
            "file away."
        )
    return names[number]

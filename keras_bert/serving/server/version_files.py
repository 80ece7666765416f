"""The files of a version: those that were exported, or else it is not served."""

from __future__ import annotations

import json
import pathlib

from keras_bert import files


def check(path: pathlib.Path, metadata: pathlib.PurePath | str) -> None:
    """Compares the files of a version with what the exporter wrote of them, if it did.

    Args:
        path: the directory of the version.
        metadata: path of the file there that lists them, if it is there.

    Raises:
        ValueError: a file is damaged or missing, or the list cannot be read.
    """
    if not (path / metadata).is_file():
        return
    for name, expected in _files(path / metadata).items():
        file = path / name
        if not file.is_file() or files.sha256(file) != expected:
            raise ValueError(
                f"{file} must be the file that was exported, but it is "
                f"{'damaged or changed' if file.is_file() else 'not there'} (its SHA-256 is in "
                f"{metadata}): copy the version again, or export it again."
            )


def _files(path: pathlib.Path) -> dict[str, str]:
    """SHA-256 by the file's name, as the metadata has them; that of others has none."""
    try:
        content = json.loads(path.read_bytes())
        listed = content.get("files", {}) if isinstance(content, dict) else {}
        return {name: file["sha256"] for name, file in listed.items()}
    except (ValueError, TypeError, AttributeError, KeyError, RecursionError) as error:
        raise ValueError(
            f"{path} must be JSON as it was exported, with a SHA-256 for each of its files, but "
            f"is not ({error!r}): copy the version again, or export it again."
        ) from error

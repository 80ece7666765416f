"""models.config: TensorFlow Serving's list of the models that it serves, with one more in it."""

from __future__ import annotations

import os
import pathlib

from google.protobuf import text_format
from google.protobuf.message import Message

from keras_bert import files
from keras_bert.serving.wire import layout, messages

_EMPTY = "model_config_list {\n}\n"


def add_model(path: str | os.PathLike, name: str) -> None:
    """Adds a model to a `models.config`; all else in it, comments too, stays as it is.

    The server is told to look for it beside the models that the file has, or, if it has none, in
    `/models/<name>`, as in TensorFlow Serving's container. Which version it serves is the server's
    default, the newest; labels are for whoever runs it to give. A model that is there already stays
    as it is.

    Args:
        path: path of the file; made if it is not there.
        name: str, the model's name, by which clients ask for it, and of its directory.

    Raises:
        ValueError: the file is malformed.

    Example:

    >>> import pathlib, tempfile
    >>> from keras_bert.serving.wire.models_config import add_model
    >>> path = pathlib.Path(tempfile.mkdtemp(), "models.config")
    >>> add_model(path, "sst2")
    >>> print(path.read_text(), end="")
    model_config_list {
      config {
        name: "sst2"
        base_path: "/models/sst2"
        model_platform: "tensorflow"
      }
    }
    """
    path = pathlib.Path(path)
    before = read_config(path)
    if name in before:
        return
    folders = [pathlib.PurePosixPath(model.base_path).parent for model in before.values()]
    folder = folders[-1] if folders else layout.CONTAINER_PATH
    entry = (
        f'  config {{\n    name: "{name}"\n    base_path: "{folder / name}"\n'
        '    model_platform: "tensorflow"\n  }\n'
    )
    # Put into the text, as writing the message that it holds would lose the comments.
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    text = text if "}" in text else text + _EMPTY
    end = text.rindex("}")
    with files.whole_file(path) as staging:
        staging.write_text(text[:end] + entry + text[end:], encoding="utf-8")
        _check(staging, path, {*before, name}, entry)


def _check(staging: pathlib.Path, path: pathlib.Path, wanted: set[str], entry: str) -> None:
    """Reads what was written, as it stands behind whatever the last bracket of the file was."""
    try:
        found = set(read_config(staging))
    except ValueError:
        found = set()
    if found != wanted:
        raise ValueError(
            f"{path} must end with the bracket that closes model_config_list, but does not: add "
            f"this to it by hand:\n{entry}"
        )


def read_config(path: pathlib.Path) -> dict[str, Message]:
    """The ModelConfig of each model of a `models.config`, by name; none if there is no file.

    Raises:
        ValueError: it is no text form of a ModelServerConfig, or a model is wrong.
    """
    if not path.is_file():
        return {}
    config = messages.ModelServerConfig()
    try:
        text_format.Parse(path.read_text(encoding="utf-8"), config)
    except (text_format.ParseError, UnicodeDecodeError) as error:
        raise ValueError(
            f"{path} must be a ModelServerConfig in text form, but {error}: correct it."
        ) from error
    models = {model.name: model for model in config.model_config_list.config}
    platforms = {model.model_platform for model in models.values()} - {"", "tensorflow"}
    if len(models) != len(config.model_config_list.config) or "" in models or platforms:
        raise ValueError(
            f"{path} must have models of different names and the platform tensorflow, but has "
            f"{[model.name for model in config.model_config_list.config]} {sorted(platforms)}."
        )
    return models

"""Asks a served model from a shell, and writes a line of JSON for each example."""

from __future__ import annotations

import dataclasses
import json
import logging
import sys
from typing import Any

from keras_bert import flags
from keras_bert.serving.client.client import Client
from keras_bert.serving.wire import errors, json_tensors, signatures


@dataclasses.dataclass(frozen=True)
class Arguments:
    server: str = flags.required("grpc://host:port or http://host:port, or localhost:8500")
    model: str = flags.required("name of the model")
    text: tuple[str, ...] = flags.flag(
        (), "text for a model with a single text input; may be repeated"
    )
    inputs: str | None = flags.flag(
        None, 'JSON of all inputs by name: {"question": ["Who?"], "context": ["I."]}'
    )
    version: int | None = flags.flag(None, "version of the model; the newest by default")
    label: str | None = flags.flag(None, "label of a version")
    signature: str = flags.flag(signatures.DEFAULT_SIGNATURE, "name of the signature")
    timeout_s: float = flags.flag(30.0, "seconds that a batch may take")


def main(arguments: Arguments) -> None:
    """Writes a line of JSON for each example."""
    logging.getLogger("httpx").setLevel(logging.WARNING)
    try:
        with _client(arguments) as client:
            outputs = client.predict(**_inputs(arguments, client))
    except errors.ServingError as error:
        # Which flags.run shows without a traceback.
        raise ValueError(str(error)) from error
    columns = {name: array.tolist() for name, array in outputs.items()}
    for row in zip(*columns.values(), strict=True):
        line = dict(zip(columns, row, strict=True))
        sys.stdout.write(json.dumps(line, ensure_ascii=False, default=json_tensors.as_base64))
        sys.stdout.write("\n")


def _client(arguments: Arguments) -> Client:
    return Client(
        arguments.server,
        arguments.model,
        version=arguments.version,
        label=arguments.label,
        signature=arguments.signature,
        timeout_s=arguments.timeout_s,
    )


def _inputs(arguments: Arguments, client: Client) -> dict[str, Any]:
    signature = client.metadata().get(arguments.signature)
    infos = {} if signature is None else signature.inputs
    if arguments.inputs is not None:
        content = json_tensors.parse(arguments.inputs.encode())
        if not isinstance(content, dict):
            raise ValueError(f"--inputs must be a JSON object, but is {arguments.inputs}.")
        signatures.check_names(content, infos)
        return {name: json_tensors.read(name, content[name], infos[name]) for name in infos}
    texts = [name for name, info in infos.items() if info.dtype == signatures.STRING]
    if len(texts) != 1 or not arguments.text:
        raise ValueError(
            f"--text is for a model with a single text input, but {arguments.model} has the text "
            f"inputs {texts} and there are {len(arguments.text)} texts: give --text, or --inputs "
            "with all that the signature has."
        )
    return {texts[0]: list(arguments.text)}

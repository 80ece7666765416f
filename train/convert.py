"""Converts a checkpoint from any form that opens to the Hub's layout or Google's."""

from __future__ import annotations

import dataclasses
from typing import Literal

import keras_bert as kb
from keras_bert import flags

from .examples import split


@dataclasses.dataclass(frozen=True)
class Arguments:
    source: str = flags.required("checkpoint directory, the Hub's or Google's")
    output_dir: str = flags.required("directory to write")
    format: Literal["hub", "google"] = flags.flag("hub", "the form to write")
    text_keys: str | None = flags.flag(
        None, "names of the one or two texts that a classifier of the Hub reads"
    )


def main(arguments: Arguments) -> None:
    checkpoint = kb.load(arguments.source, text_keys=split(arguments.text_keys))
    model = checkpoint.model or checkpoint.encoder
    write = {"hub": kb.save, "google": kb.save_google}[arguments.format]
    write(model, arguments.output_dir, checkpoint.tokenizer)
    print(
        f"{arguments.output_dir}: a {type(model).__name__} with {model.count_params():,} "
        f"parameters in {arguments.format} form. "
        f'Next: kb.load("{arguments.output_dir}") in Python.'
    )


if __name__ == "__main__":
    flags.run(main, Arguments)

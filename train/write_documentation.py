"""Writes the default corpus and examples: the documentation of the installed Python packages."""

from __future__ import annotations

import dataclasses
import gc
import os
import pathlib
import tempfile

import keras_bert as kb
from keras_bert import flags


@dataclasses.dataclass(frozen=True)
class Arguments:
    output_dir: str = flags.required(
        "directory that gets train/*.txt and eval/*.txt, parts/, descriptions/ and objects.txt"
    )


def main(arguments: Arguments) -> None:
    output = pathlib.Path(arguments.output_dir)
    if output.exists():
        raise ValueError(f"output_dir must be new, but {output} is there: delete it first.")
    gc.freeze()  # Millions of syntax nodes come; TensorFlow's objects need no look between them.
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=output.parent) as staging:
        sizes = kb.write_documentation(pathlib.Path(staging) / "corpus")
        os.replace(pathlib.Path(staging) / "corpus", output)
    for split, size in sizes.items():
        print(
            f"{output / split}: {size.documents:,} documents, {size.paragraphs:,} paragraphs, "
            f"{size.bytes / 1e6:.1f} MB; {size.parts:,} sentences by part, "
            f"{size.descriptions:,} descriptions"
        )


if __name__ == "__main__":
    flags.run(main, Arguments)

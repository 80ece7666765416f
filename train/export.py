"""Writes a checkpoint as a SavedModel that TensorFlow Serving answers raw strings with.

keras-bert export --checkpoint=mine --output_dir=saved_models/mine
"""

from __future__ import annotations

import dataclasses
import json
import pathlib
from typing import Literal

import keras_bert as kb
from keras_bert import flags
from keras_bert.serving.wire.layout import METADATA_FILE
from keras_bert.serving.wire.models_config import add_model

from .examples import split


@dataclasses.dataclass(frozen=True)
class Arguments:
    checkpoint: str = flags.required("checkpoint directory")
    output_dir: str = flags.required(
        "the served model's directory, such as saved_models/sst2; a new version is made in it, and "
        "its name is the model's"
    )
    precision: Literal["float32", "bfloat16"] = flags.flag(
        "float32", "of weights and computation; bfloat16 takes half the space"
    )
    text_keys: str | None = flags.flag(
        None, "names of the one or two texts that a classifier of the Hub reads"
    )
    models_config: str | None = flags.flag(
        None, "models.config of TensorFlow Serving to add the model to"
    )


def main(arguments: Arguments) -> None:
    checkpoint = kb.load(arguments.checkpoint, text_keys=split(arguments.text_keys))
    model = checkpoint.model or checkpoint.encoder
    path = kb.export(model, arguments.output_dir, arguments.precision, checkpoint.tokenizer)
    print(_summary(path))
    directory = path.parent.resolve()
    name = directory.name
    if arguments.models_config is not None:
        add_model(arguments.models_config, name)
        print(f"{arguments.models_config} has the model {name}.")
    print(
        f"Next: keras-bert serve --model_base_path={directory.parent}, or "
        f"docker run -p 8500:8500 -p 8501:8501 -v {directory}:/models/{name} "
        f"-e MODEL_NAME={name} tensorflow/serving"
    )


def _summary(path: pathlib.Path) -> str:
    """What was written, and how it differs from the float32 model if it should."""
    metadata = json.loads((path / METADATA_FILE).read_text(encoding="utf-8"))
    size = sum(file["bytes"] for file in metadata["files"].values()) / 1e6
    lines = [f"{path}: a {metadata['task']} in {metadata['precision']}, {size:.1f} MB."]
    for name, signature in metadata["signatures"].items():
        inputs, outputs = (", ".join(signature[kind]) for kind in ("inputs", "outputs"))
        lines.append(f"  {name}: {inputs} -> {outputs}")
    lines.append(f"  It answered {metadata['num_warmup_requests']} warm-up requests.")
    if metadata["precision"] != "float32":
        for name, difference in metadata["difference_from_float32"].items():
            [(measure, value)] = difference.items()
            lines.append(f"  {name}: {measure.replace('_', ' ')} from float32 {value:.2g}")
    return "\n".join(lines)


if __name__ == "__main__":
    flags.run(main, Arguments)

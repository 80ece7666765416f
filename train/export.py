"""Writes a checkpoint as a SavedModel that answers raw strings, or as a file for LiteRT.

keras-bert export --checkpoint=mine --output_dir=saved_models/mine
"""

from __future__ import annotations

import dataclasses
import json
import pathlib
from collections.abc import Sequence
from typing import Any, Literal

import keras_bert as kb
from keras_bert import flags
from keras_bert.serving.wire.layout import LITE_FILE, METADATA_FILE
from keras_bert.serving.wire.models_config import add_model

from .examples import Files, check_flags, files_of, options_of, split


@dataclasses.dataclass(frozen=True)
class Arguments(Files):
    checkpoint: str = flags.required("checkpoint directory")
    output_dir: str = flags.required(
        "the served model's directory, such as saved_models/sst2; a new version is made in it, and "
        "its name is the model's"
    )
    format: Literal["saved_model", "litert"] = flags.flag(
        "saved_model", "litert writes one file for hosts without TensorFlow, beside its vocabulary"
    )
    precision: Literal["float32", "bfloat16", "int8"] = flags.flag(
        "float32",
        "of weights and computation; bfloat16 (SavedModel) takes half the space, int8 (LiteRT) a "
        "quarter",
    )
    sequence_length: int | None = flags.flag(
        None, "pieces of a row at most; else as the checkpoint was trained"
    )
    eval_files: str | None = flags.flag(
        None,
        "of LiteRT: files with examples to score before and after, named as for train.finetune; in "
        "int8 layers stay float32 where the first score would fall by more than half a point",
    )
    dimensions: int | None = flags.flag(None, "numbers of an embedding, its first ones; else all")
    models_config: str | None = flags.flag(
        None, "models.config of TensorFlow Serving to add the model to"
    )


def main(arguments: Arguments) -> None:
    from keras_bert.exporting.export import as_task

    if arguments.dimensions is None:
        checkpoint = kb.load(arguments.checkpoint, text_keys=split(arguments.text_keys))
        task = as_task(checkpoint.model or checkpoint.encoder, checkpoint.tokenizer)
    else:
        task = kb.finetuning.load_task(arguments.checkpoint, dimensions=arguments.dimensions)
    if arguments.sequence_length is not None:
        task.packer = kb.Packer(task.tokenizer, arguments.sequence_length, task.packer.template)
    examples = _examples(arguments, task)
    path = kb.export(
        task,
        arguments.output_dir,
        arguments.precision,
        format=arguments.format,
        examples=examples if arguments.precision == "int8" else None,
    )
    print(_summary(path) if arguments.format == "saved_model" else _summary_of_lite(path))
    if examples is not None:
        print("\n".join(_compared(task, path, examples)))
    directory = path.parent.resolve()
    name = directory.name
    if arguments.models_config is not None:
        add_model(arguments.models_config, name)
        print(f"{arguments.models_config} has the model {name}.")
    print(f"Next: {_next(arguments.format, directory)}")


def _examples(arguments: Arguments, task: kb.Task) -> list[Any] | None:
    """The examples to compare with, as they are scored; what is wrong with them shows at once."""
    if arguments.eval_files is None:
        return None
    if arguments.format != "litert":
        raise ValueError(
            "--eval_files is for --format=litert, whose answers are another program's: leave it "
            "out, and use `keras-bert evaluate`."
        )
    if arguments.label_key is not None and hasattr(task, "label_key"):
        task.label_key = arguments.label_key
    check_flags(arguments, task)
    files = files_of(arguments, arguments.eval_files)
    examples = kb.finetuning.read_for(task, files, options_of(arguments))
    task.check_examples(examples)
    kb.answering.check_to_answer(task, examples)
    return examples


def _summary(path: pathlib.Path) -> str:
    """What was written, and how it differs from the float32 model if it should."""
    metadata = json.loads((path / METADATA_FILE).read_text(encoding="utf-8"))
    lines = [_head(path, metadata), *_signatures(metadata)]
    lines.append(f"  It answered {metadata['num_warmup_requests']} warm-up requests.")
    return "\n".join([*lines, *_differences(metadata)])


def _summary_of_lite(path: pathlib.Path) -> str:
    """The same of an export for LiteRT, and how long it takes."""
    from keras_bert.exporting import scoring
    from keras_bert.lite import Lite

    metadata = json.loads((path / LITE_FILE).read_text(encoding="utf-8"))
    lite, longest = Lite(path), metadata["sequence_length"]
    times = [
        f"{rows}x{length} {scoring.milliseconds(lite, rows, length):.1f} ms"
        for rows, length in scoring.SIZES
        if length <= longest
    ]
    lines = [_head(path, metadata), *_signatures(metadata), *_differences(metadata)]
    if layers := metadata.get("float32_layers"):
        lines.append(f"  In float32, as the score needs them: {', '.join(layers)}.")
    lines.append(
        f"  On one thread {', '.join(times) or 'its rows, which are short, are not timed'}."
    )
    return "\n".join(lines)


def _head(path: pathlib.Path, metadata: dict[str, Any]) -> str:
    size = sum(file["bytes"] for file in metadata["files"].values()) / 1e6
    return f"{path}: a {metadata['task']} in {metadata['precision']}, {size:.1f} MB."


def _signatures(metadata: dict[str, Any]) -> list[str]:
    return [
        f"  {name}: {', '.join(signature['inputs'])} -> {', '.join(signature['outputs'])}"
        for name, signature in metadata["signatures"].items()
    ]


def _differences(metadata: dict[str, Any]) -> list[str]:
    """How far answers are from the float32 model's, where they should be."""
    if metadata["precision"] == "float32":
        return []
    return [
        f"  {name}: {measure.replace('_', ' ')} from float32 {value:.2g}"
        for name, difference in metadata["difference_from_float32"].items()
        for measure, value in difference.items()
    ]


def _compared(task: kb.Task, path: pathlib.Path, examples: Sequence[Any]) -> list[str]:
    """The scores of the task, and those of its export."""
    from keras_bert.exporting import scoring
    from keras_bert.lite import Lite

    before = task.scores(examples, task(examples))
    after = scoring.scores_of(task, Lite(path), examples)
    return [
        f"Of {len(examples):,} examples, before and after:",
        *(f"  {name}: {before[name]:.4f} {after[name]:.4f}" for name in before),
    ]


def _next(format: str, directory: pathlib.Path) -> str:
    serve = f"keras-bert serve --model_base_path={directory.parent}"
    if format == "litert":
        return f"{serve}, or Lite({str(directory)!r}) of keras_bert.lite"
    name = directory.name
    return (
        f"{serve}, or docker run -p 8500:8500 -p 8501:8501 -v {directory}:/models/{name} "
        f"-e MODEL_NAME={name} tensorflow/serving"
    )


if __name__ == "__main__":
    flags.run(main, Arguments)

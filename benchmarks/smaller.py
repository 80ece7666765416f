"""What is given up for a smaller model: a teacher, its students, pruned ones, and int8 of each.

    pip install '.[peers,lite]'
    python -m benchmarks.smaller --task=text_classification --checkpoint=all-MiniLM-L6-v2 \\
        --recipe=finetune_small.flags --train_files=train.tsv --eval_files=eval.tsv \\
        --text_keys=text --output_dir=smaller --picture=smaller.png

The commands that a user would give are run, for each seed: the teacher is fine-tuned, students of
fewer blocks learn from it (`--teacher`), columns of its feed-forward networks are removed
(`keras-bert prune`) and what is left is trained for another `--num_epochs_after` with the same
teacher. Every model is exported for LiteRT in float32 and int8, and the export answers the held-out
examples. Milliseconds are those of the models of the first seed, for one of 32 held-out examples
(the median) and for all of them, without tokenizing, on all cores; LiteRT runs row by row, ONNX
Runtime has all 32 in one batch, padded to the longest. `ratio` is LiteRT's time divided by ONNX
Runtime's of the same weights in the same precision, written by transformers; one without columns
gets as many in each block. A run that was interrupted goes on where it was.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import json
import os
import pathlib
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np

import keras_bert as kb
from benchmarks.figures import in_processes, print_figure, rounds_in_turns
from benchmarks.litert import PRECISIONS, Precision, write_onnx_of
from keras_bert import flags
from train.examples import Files, files_of, given_flags, options_of
from train.finetune import METRICS_FILE

NUM_TIMED = 32
# Of a model, the task's first score by precision.
Scores = dict[Precision, float]
# What transformers calls the model of a task.
PEERS = {
    "text_classification": "AutoModelForSequenceClassification",
    "token_classification": "AutoModelForTokenClassification",
}


class Times(NamedTuple):
    """Milliseconds of one example, the median, and of all that are timed."""

    of_one: float
    of_all: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class Arguments(Files):
    task: Literal[tuple(PEERS)] = flags.required(  # type: ignore[valid-type]
        "the task, which transformers has a class for"
    )
    checkpoint: str = flags.required("directory of the encoder that the teacher starts from")
    recipe: str = flags.required("flagfile of train.finetune with the rates and sizes")
    train_files: str = flags.required("files to learn from, as of train.finetune")
    eval_files: str = flags.required("files that are held out")
    output_dir: str = flags.required("directory that gets all models")
    student_layers: tuple[str, ...] = flags.flag(("3", "2"), "blocks of the students")
    removed_columns: tuple[str, ...] = flags.flag(
        ("0.5", "0.75", "0.9"), "shares of columns that are removed"
    )
    num_epochs_after: int = flags.flag(1, "passes of a pruned model, to make up for what is gone")
    num_seeds: int = flags.flag(3, "models of each kind")
    num_rounds: int = flags.flag(5, "rounds of time, besides one to warm up")
    picture: str | None = flags.flag(None, "file that gets scores over milliseconds, .png")


def main(arguments: Arguments) -> None:
    scores: dict[str, list[Scores]] = {}
    for seed in range(arguments.num_seeds):
        for name, folder in models_of(arguments, seed).items():
            scores.setdefault(name, []).append(scored(arguments, folder))
    first = {name: folder_of(arguments, 0, name) for name in scores}
    times = timed(arguments, first)
    for name, folder in first.items():
        tell(arguments.task, name, folder, scores[name], times)
    if arguments.picture:
        draw(scores, times, pathlib.Path(arguments.picture))


def folder_of(arguments: Arguments, seed: int, name: str) -> pathlib.Path:
    return pathlib.Path(arguments.output_dir) / f"seed-{seed}" / name


def models_of(arguments: Arguments, seed: int) -> dict[str, pathlib.Path]:
    """Makes the models of a seed, those that are not there yet, and says where they are."""
    place = functools.partial(folder_of, arguments, seed)
    teacher = place("teacher")
    made = {"teacher": teacher}
    finetune(arguments, seed, teacher, checkpoint=arguments.checkpoint)
    for layers in arguments.student_layers:
        student = made[f"student_{layers}"] = place(f"student_{layers}")
        finetune(arguments, seed, student, teacher=teacher, num_layers=layers)
    for share in arguments.removed_columns:
        cut, smaller = place(f"cut_{share}"), place(f"pruned_{share}")
        if not (cut / "config.json").exists():
            command(
                "prune",
                **of_files(arguments),
                checkpoint=teacher,
                train_files=arguments.train_files,
                remove_columns=share,
                output_dir=cut,
            )
        own = {"checkpoint": cut, "teacher": teacher, "num_epochs": arguments.num_epochs_after}
        finetune(arguments, seed, smaller, **own)
        made[smaller.name] = smaller
    return made


def finetune(arguments: Arguments, seed: int, folder: pathlib.Path, **own: Any) -> None:
    """A run of `keras-bert finetune`, which goes on where it was, unless it is done."""
    if (folder / METRICS_FILE).exists():
        return
    command(
        "finetune",
        flagfile=arguments.recipe,
        task=arguments.task,
        **of_files(arguments),
        train_files=arguments.train_files,
        eval_files=arguments.eval_files,
        seed=seed,
        output_dir=folder,
        **own,
    )


def of_files(arguments: Arguments) -> dict[str, Any]:
    """The flags that say how files are read."""
    own = {field.name for field in dataclasses.fields(Files)}
    return {name: getattr(arguments, name) for name in sorted(own & given_flags(arguments))}


def command(word: str, **given: Any) -> None:
    """Runs a command of the project; what it says goes to the error stream."""
    own = [f"--{name}={value}" for name, value in given.items()]
    subprocess.run([sys.executable, "-m", "keras_bert", word, *own], stdout=sys.stderr, check=True)


def held_out(arguments: Arguments, folder: pathlib.Path) -> tuple[kb.Task, Sequence[Any]]:
    """A model, and the examples that are held out, as it takes them."""
    with contextlib.redirect_stdout(sys.stderr):
        task = kb.finetuning.load_task(folder)
        files = files_of(arguments, arguments.eval_files)
        return task, kb.finetuning.read_for(task, files, options_of(arguments))


def scored(arguments: Arguments, folder: pathlib.Path) -> Scores:
    """The first of the task's scores, of the exports of a model in both precisions."""
    from keras_bert.exporting import scoring
    from keras_bert.lite import Lite

    kept = folder / "lite_scores.json"
    if kept.exists():
        return json.loads(kept.read_text())
    task, examples = held_out(arguments, folder)
    found: Scores = {}
    with contextlib.redirect_stdout(sys.stderr):
        for precision in PRECISIONS:
            path = folder / "lite" / precision
            if not any(path.glob("*/model.tflite")):
                kb.export(task, path, precision, format="litert")
            scores = scoring.scores_of(task, Lite(path), examples)
            found[precision] = 100 * next(iter(scores.values()))
    kept.write_text(json.dumps(found))
    return found


def timed(arguments: Arguments, folders: Mapping[str, pathlib.Path]) -> dict[str, Times]:
    """Milliseconds by "model/runtime/precision"; all of them take turns."""
    for folder in folders.values():
        if not (folder / "onnx_int8").exists():
            maker = (write_onnx, str(folder), PEERS[arguments.task])
            with in_processes({"onnx": maker}) as written:
                written["onnx"]()
    rows = held_out_rows(arguments, folders["teacher"])
    makers = {
        f"{name}/{runtime}/{precision}": (make, str(folder), precision, rows)
        for name, folder in folders.items()
        for precision in PRECISIONS
        for runtime, make in (("litert", lite_times), ("onnxruntime", onnx_times))
    }
    with in_processes(makers) as candidates:
        rounds = rounds_in_turns(candidates, arguments.num_rounds)
    return {name: median_of([one[name] for one in rounds]) for name in makers}


def median_of(times: Sequence[Times]) -> Times:
    return Times(
        statistics.median(one.of_one for one in times),
        statistics.median(one.of_all for one in times),
    )


def held_out_rows(arguments: Arguments, folder: pathlib.Path) -> list[dict[str, list[int]]]:
    """Ids and segments of held-out examples, without padding."""
    task, examples = held_out(arguments, folder)
    rows = []
    for x, *_ in task.dataset(examples[:NUM_TIMED], 1):
        length = int(np.asarray(x["padding_mask"]).sum())
        names = ("token_ids", "segment_ids")
        rows.append({name: np.asarray(x[name])[0, :length].tolist() for name in names if name in x})
    return rows


def write_onnx(folder: str, kind: str) -> Callable[[], float]:
    """Exports what transformers has of a checkpoint, and quantizes it."""
    write_onnx_of(transformers_model(folder, kind).eval(), folder, "onnx")
    return lambda: 0.0


def transformers_model(folder: str, kind: str):
    """A checkpoint in transformers; one whose blocks have sizes of their own as a BERT with them.

    Raises:
        ValueError: a weight has no place there, or is not in the file.
    """
    import safetensors.torch
    import torch
    import transformers

    content = json.loads(pathlib.Path(folder, "config.json").read_text())
    widths = content.pop("layer_intermediate_dims", None)
    if widths is None:
        return getattr(transformers, kind).from_pretrained(folder)
    del content["model_type"]
    model = getattr(transformers, kind).from_config(transformers.BertConfig(**content))
    for block, width in zip(model.bert.encoder.layer, widths, strict=True):
        block.intermediate.dense = torch.nn.Linear(content["hidden_size"], width)
        block.output.dense = torch.nn.Linear(width, content["hidden_size"])
    tensors = safetensors.torch.load_file(pathlib.Path(folder, "model.safetensors"))
    left = model.load_state_dict(tensors, strict=False)
    if any(left):
        raise ValueError(f"{folder}: transformers has other weights: {left}.")
    return model


def lite_times(folder: str, precision: str, rows: list[dict]) -> Callable[[], Times]:
    from keras_bert.lite import Lite
    from keras_bert.lite.rows import Row

    model = Lite(os.path.join(folder, "lite", precision), os.cpu_count() or 1).model
    given = [
        Row(row["token_ids"], row.get("segment_ids", [0] * len(row["token_ids"]))) for row in rows
    ]
    calls = [functools.partial(model, row) for row in given]
    return lambda: Times(
        statistics.median(map(milliseconds, calls)),
        milliseconds(lambda: [call() for call in calls]),
    )


def onnx_times(folder: str, precision: str, rows: list[dict]) -> Callable[[], Times]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = os.cpu_count() or 1
    path = os.path.join(folder, f"onnx_{precision}")
    session = onnxruntime.InferenceSession(path, options, ["CPUExecutionProvider"])
    takes = {one.name for one in session.get_inputs()}

    def run(batch: Sequence[dict]) -> None:
        width = max(len(row["token_ids"]) for row in batch)
        padded = {
            "input_ids": [row["token_ids"] for row in batch],
            "token_type_ids": [row.get("segment_ids", []) for row in batch],
            "attention_mask": [[1] * len(row["token_ids"]) for row in batch],
        }
        arrays = {
            name: np.array([one + [0] * (width - len(one)) for one in values], np.int64)
            for name, values in padded.items()
            if name in takes
        }
        session.run(None, arrays)

    calls = [functools.partial(run, [row]) for row in rows]
    return lambda: Times(
        statistics.median(map(milliseconds, calls)), milliseconds(lambda: run(rows))
    )


def milliseconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return 1000 * (time.perf_counter() - start)


def tell(
    task: str,
    name: str,
    folder: pathlib.Path,
    scores: list[Scores],
    times: Mapping[str, Times],
) -> None:
    """Prints the scores, sizes and times of a model, a line for each precision."""
    for precision in PRECISIONS:
        own = [one[precision] for one in scores]
        details = {
            "of_each_seed": [round(one, 2) for one in own],
            "megabytes": round(size_of(folder / "lite" / precision) / 1e6, 1),
        }
        ours, theirs = (times[f"{name}/{one}/{precision}"] for one in ("litert", "onnxruntime"))
        for number, took, peer in zip((1, NUM_TIMED), ours, theirs, strict=True):
            details[f"ms_of_{number}"] = round(took, 2)
            details[f"onnxruntime_ms_of_{number}"] = round(peer, 2)
            details[f"ratio_of_{number}"] = round(took / peer, 3)
        figure = f"smaller/{task}/{name}/{precision}"
        print_figure(figure, round(statistics.mean(own), 2), "of 100", **details)


def size_of(folder: pathlib.Path) -> int:
    """Bytes of the file of a model."""
    return max(path.stat().st_size for path in folder.rglob("model.tflite"))


def draw(
    scores: dict[str, list[Scores]],
    times: Mapping[str, Times],
    path: pathlib.Path,
) -> None:
    """Scores over milliseconds of one example: a line from float32 to int8 for each model."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(8, 5), layout="constrained")
    for name, runs in scores.items():
        x = [times[f"{name}/litert/{precision}"].of_one for precision in PRECISIONS]
        y = [statistics.mean(one[precision] for one in runs) for precision in PRECISIONS]
        (line,) = axes.plot(x, y, marker="o", label=name.replace("_", " "))
        axes.plot(x[0], y[0], marker="s", color=line.get_color())
    axes.set(
        xlabel="milliseconds of one text (squares: int8, circles: float32)",
        xlim=(0, None),
        ylabel="score of held-out examples",
    )
    axes.legend(fontsize="small")
    figure.savefig(path, dpi=120)


if __name__ == "__main__":
    flags.run(main, Arguments)

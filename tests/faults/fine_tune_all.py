"""Fine-tunes for every task in one process: alone, or as the worker that TF_CONFIG names.

    python tests/faults/fine_tune_all.py FOLDER NAME

FOLDER has the checkpoint `bert` and a folder with `train.jsonl` and `eval.jsonl` for each task; the
runs go to FOLDER/<task>/NAME. A task's flags are those of the table of crossings.
"""

import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path += [str(ROOT), str(ROOT / "tests" / "train")]

from absl import flags as absl_flags  # noqa: E402
from test_crossings import TASKS  # noqa: E402

import keras_bert as kb  # noqa: E402
from keras_bert import flags  # noqa: E402
from train import finetune  # noqa: E402


def arguments_of(folder: pathlib.Path, task: str, name: str) -> finetune.Arguments:
    values = absl_flags.FlagValues()
    flags.define(finetune.Arguments, values)
    values(
        [
            *("finetune", f"--task={task}", f"--checkpoint={folder}/bert", *TASKS[task].flags),
            *(f"--train_files={folder}/{task}/train.jsonl", "--strategy=none", "--dropout=0"),
            *(f"--eval_files={folder}/{task}/eval.jsonl", f"--output_dir={folder}/{task}/{name}"),
            *("--sequence_length=23", "--batch_size=3", "--num_epochs=2", "--learning_rate=1e-3"),
            f"--num_seeds={2 if task == 'text_classification' else 1}",
        ]
    )
    return flags.read(finetune.Arguments, values)


def main(folder: str, name: str) -> None:
    with kb.training.devices():
        for task in TASKS:
            finetune.main(arguments_of(pathlib.Path(folder), task, name))


if __name__ == "__main__":
    main(*sys.argv[1:])

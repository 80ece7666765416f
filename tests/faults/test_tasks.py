"""Two workers learn every task as one does."""

import importlib.util
import json
import pathlib

import pytest

import keras_bert as kb
from keras_bert.tasks import table

pytestmark = pytest.mark.faults
HERE = pathlib.Path(__file__).resolve().parent
PROGRAM = HERE / "fine_tune_all.py"
TASKS = tuple(table.TASKS)
TIED = "sentence_embedding"
# A softmax over positions does not see them: their gradients are rounding, which Adam scales up.
UNSEEN = ("qa_outputs.bias",)


@pytest.fixture(scope="module")
def folder(tmp_path_factory, run_workers, tokenizer, config):
    """A folder in which every task was learned by one worker and by two."""
    folder = tmp_path_factory.mktemp("tasks")
    kb.save(kb.BertPretrainer(kb.BertEncoder(config)), folder / "bert", tokenizer)
    spec = importlib.util.spec_from_file_location("rows", HERE.parent / "train/test_crossings.py")
    rows = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(rows)
    for task in TASKS:
        for name, numbers in (("train", range(1, 9)), ("eval", range(3, 7))):
            lines = (json.dumps(rows.TASKS[task].example(i)) + "\n" for i in numbers)
            (folder / task).mkdir(exist_ok=True)
            (folder / task / f"{name}.jsonl").write_text("".join(lines))
    for number in (1, 2):
        run_workers(number, folder, str(PROGRAM), str(folder), f"of-{number}")
    return folder


@pytest.mark.parametrize("task", TASKS)
def test_two_workers_learn_a_task_as_one(folder, task, assert_weights, record_of):
    one, two = (folder / task / name for name in ("of-1", "of-2"))
    assert_weights(two, one, atol=1e-5, but=UNSEEN)
    for path in one.rglob("metrics.jsonl"):
        lines = record_of(two / path.parent.relative_to(one)), record_of(path.parent)
        for line, expected in zip(*lines, strict=True):
            # The ranks of four cosines that are all but one hang on the last bit.
            if task == TIED:
                expected["val_spearman"] = line["val_spearman"]
            assert line == pytest.approx(expected, abs=1e-4)
    answers, expected = ((run / "predictions.jsonl").read_text() for run in (two, one))
    assert answers.count("\n") == expected.count("\n") == 4

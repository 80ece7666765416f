"""The table of tasks, and what a new one needs: its file, and a line here."""

import contextlib
import io
import json
import sys

import pytest
import tensorflow as tf
from absl import flags as absl_flags

import keras_bert as kb
from keras_bert import flags, tasks
from keras_bert.tasks import table
from train import export, finetune, predict

# A new task, as its file says it: how loud a text is.
LOUDNESS = '''
"""Loudness: how loud a text is, a number."""

import keras
import numpy as np
import tensorflow as tf

from keras_bert import metrics
from keras_bert.tasks.columns import ColumnNames
from keras_bert.tasks.heads import head_initializer, logits_layer
from keras_bert.tasks.setting import packer_of
from keras_bert.tasks.task import Task


class Loudness(Task):
    COLUMNS = ColumnNames(("text",), "loudness")

    def __init__(self, encoder, packer, initializer=None):
        inputs = encoder.new_inputs()
        head = logits_layer(encoder, 1, head_initializer(encoder, initializer))
        outputs = {"loudness": head(encoder.pooled(inputs))}
        super().__init__(encoder, packer, inputs, outputs, name="loudness")

    @classmethod
    def from_examples(cls, start, examples):
        return cls(start.encoder, start.packer)

    @property
    def example_spec(self):
        return {"text": tf.TensorSpec([None], tf.string)}

    def tokenized(self, examples):
        return {"text": self.tokenizer.tokenize(examples["text"])}

    def packed(self, pieces):
        return self.trimmed(self.packer(pieces["text"]))

    def num_tokens(self, pieces):
        return self.packer.length_of(pieces["text"].row_lengths())

    def target_columns(self, examples):
        return {"loudness": tf.constant([[float(one["loudness"])] for one in examples])}

    def targets(self, columns, features):
        return {"loudness": columns["loudness"]}, {"loudness": columns["weight"]}

    def objective(self):
        return {"loss": {"loudness": keras.losses.MeanSquaredError(reduction="sum")}}

    def answers(self, outputs, features):
        return {"loudness": outputs["loudness"][:, 0]}

    @property
    def score_names(self):
        return ("mean_squared_error",)

    def scores(self, examples, answers):
        pairs = zip(self.as_examples(examples), answers, strict=True)
        true, said = np.array([(float(e["loudness"]), a["loudness"]) for e, a in pairs]).T
        return {"mean_squared_error": metrics.mean_squared_error(true, said)}

    def settings(self):
        return {"keras_bert": {"sequence_length": self.packer.sequence_length}}

    @classmethod
    def from_settings(cls, encoder, tokenizer, settings, initializer=None):
        return cls(encoder, packer_of(encoder, tokenizer, settings["keras_bert"]), initializer)
'''


@pytest.fixture
def loudness(tmp_path, monkeypatch):
    """The file among those of the tasks, and its line in the table."""
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks" / "loudness.py").write_text(LOUDNESS)
    monkeypatch.setattr(tasks, "__path__", [*tasks.__path__, str(tmp_path / "tasks")])
    monkeypatch.setitem(table.TASKS, "loudness", "Loudness")
    yield
    del sys.modules["keras_bert.tasks.loudness"]


@pytest.fixture
def eagerly():
    """Operation by operation: of so few steps a graph takes longer than they do."""
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


def run(binary, *given):
    """What a binary prints where it is given some flags."""
    values = absl_flags.FlagValues()
    flags.define(binary.Arguments, values)
    values([binary.__name__, *given])
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        binary.main(flags.read(binary.Arguments, values))
    return printed.getvalue()


def test_a_new_task_is_learned_saved_asked_and_exported(
    loudness, eagerly, tokenizer, config, tmp_path, monkeypatch
):
    kb.save(kb.BertEncoder(config), tmp_path / "bert", tokenizer)
    rows = ({"said": word, "db": i} for i, word in enumerate(("a fox", "the dog", "over", "film")))
    (tmp_path / "said.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    learned = (
        *("--task=loudness", f"--checkpoint={tmp_path}/bert", "--text_keys=said"),
        *(f"--train_files={tmp_path}/said.jsonl", "--label_key=db", "--eval_share=0.5"),
        *("--batch_size=2", "--num_epochs=1", f"--output_dir={tmp_path}/loud"),
    )
    printed = run(finetune, *learned)
    assert "2 examples to learn from, 2 held out." in printed
    assert "New weights: classifier/kernel, classifier/bias" in printed
    assert "is done" in run(finetune, f"--flagfile={tmp_path}/loud/finetune.flags")
    [asking] = [part for part in printed.split() if part.startswith("--text=")]
    assert asking == "--text='...'"

    said = run(predict, f"--checkpoint={tmp_path}/loud", "--text=the fox")
    assert said.startswith("the fox\n  loudness: ")
    printed = run(export, f"--checkpoint={tmp_path}/loud", f"--output_dir={tmp_path}/served")
    assert "a Loudness in float32" in printed
    served = tf.saved_model.load(str(tmp_path / "served" / "1")).signatures["serving_default"]
    [answer] = served(text=tf.constant(["the fox"]))["loudness"].numpy()
    assert float(said.split()[-1]) == pytest.approx(answer, abs=1e-5)
    with pytest.raises(ValueError, match="The task loudness has no --stride, which is for text"):
        run(finetune, *learned, "--stride=3")
    monkeypatch.delitem(table.TASKS, "loudness")
    with pytest.raises(ValueError, match="config.json: A task must be one of .* not 'loudness'"):
        kb.load(tmp_path / "loud")


@pytest.mark.parametrize("name", table.TASKS)
def test_a_task_is_in_its_file_and_public(name):
    cls = table.task_class(name)
    assert cls.__module__ == f"keras_bert.tasks.{name}" and issubclass(cls, kb.Task)
    assert getattr(kb, cls.__name__) is cls
    assert table.name_of(cls) == table.name_of(type("Mine", (cls,), {})) == name


def test_what_is_not_in_the_table_is_told():
    with pytest.raises(ValueError, match="A task must be one of text_classification, .*'sorting'"):
        table.task_class("sorting")
    with pytest.raises(ValueError, match="must be in the table of tasks/table.py, but Task is not"):
        table.name_of(kb.Task)

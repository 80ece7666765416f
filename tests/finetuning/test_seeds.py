"""Which of several runs is kept, and where."""

import dataclasses
import pathlib

import pytest

import keras_bert as kb
from keras_bert.finetuning.seeds import Run, best_run, keep


@pytest.mark.parametrize(
    ("metric", "figures", "expected"),
    [
        (None, [{"accuracy": 0.5}, {"accuracy": 0.7}, {"accuracy": 0.7}], 1),
        (None, [{"loss": 0.5}, {"loss": 0.3}], 1),
        ("mean_squared_error", [{"pearson": 0.1, "mean_squared_error": e} for e in (0.2, 0.9)], 0),
    ],
)
def test_the_best_run_has_the_best_score(metric, figures, expected):
    runs = [Run(scores, pathlib.Path(str(i))) for i, scores in enumerate(figures)]
    assert best_run(runs, metric) is runs[expected]


def test_the_best_checkpoint_is_kept_with_its_pictures(tokenizer, config, tmp_path):
    encoder = kb.BertEncoder(dataclasses.replace(config, num_layers=1))
    task = kb.TextClassifier(encoder, kb.Packer(tokenizer, 9), ("bad", "fine"))
    folder = tmp_path / "seed-1"
    kb.save(task, folder)
    (folder / "scores.png").write_bytes(b"a picture")
    kept = keep(Run({"accuracy": 1.0}, folder), tmp_path)
    assert kept.settings() == kb.load(tmp_path).model.settings() == task.settings()
    assert (tmp_path / "scores.png").read_bytes() == b"a picture"
    assert keep(Run({}, folder), folder).labels == ("bad", "fine")

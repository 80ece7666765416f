"""What a run leaves on record, beside what tests of `run` see of it."""

import keras
import pytest

from keras_bert.training import record
from keras_bert.training.checkpointing import TrainingCheckpoint
from keras_bert.training.signals import StopSignal

BROKEN = {
    "torn": b'{"step": 1}\n{"step": \n{"step": 3}\n',
    "no object": b'{"step": 1}\n7\n',
    "no step": b'{"step": 1}\n{"loss": 1.0}\n',
    "no number": b'{"step": 1}\n{"step": null}\n',
    "no UTF-8": b'{"step": 1}\n{"step": "\xff"}\n',
}


@pytest.mark.parametrize("text", BROKEN.values(), ids=BROKEN)
def test_a_broken_line_on_record_is_named(tmp_path, text):
    log = record.MetricsLog(tmp_path / "metrics.jsonl")
    log.path.write_bytes(text)
    with pytest.raises(ValueError, match=r"metrics.jsonl:2 must be a JSON object"):
        log.lines()


def test_a_torn_last_line_is_dropped(tmp_path):
    log = record.MetricsLog(tmp_path / "metrics.jsonl")
    log.append({"step": 3, "loss": 0.5})
    whole = log.path.read_bytes()
    log.path.write_bytes(whole + b'{"step": 6, "lo')
    assert log.history() == {"step": [3], "loss": [0.5]}
    log.truncate(6)
    assert log.path.read_bytes() == whole


def test_a_log_that_is_right_is_not_written_again(tmp_path, monkeypatch):
    log = record.MetricsLog(tmp_path / "metrics.jsonl")
    log.truncate(3)
    log.append({"step": 3, "loss": 0.5})
    monkeypatch.setattr(record.files, "whole_file", None)
    log.truncate(3)
    assert log.history() == {"step": [3], "loss": [0.5]}


def test_a_run_has_one_file_for_training_and_one_for_validation(tmp_path):
    scalars = record.Scalars(tmp_path)
    for step in (3, 6, 9):
        scalars.write(step, {"loss": 1.0})
        assert [path.parent.name for path in tmp_path.rglob("*.v2")] == ["train"]
    scalars.write(12, {"loss": 1.0, "val_loss": 2.0})
    scalars.write(15, {"loss": 1.0, "val_loss": 2.0})
    assert sorted(path.parent.name for path in tmp_path.rglob("*.v2")) == ["train", "validation"]


def test_a_record_that_is_not_what_the_run_wrote_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(record, "draw_losses", lambda *_: None)
    warnings = []
    monkeypatch.setattr(record.logging, "warning", lambda text, path: warnings.append(text % path))
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    model.compile("sgd", loss="mse")
    checkpoint = TrainingCheckpoint(tmp_path / "checkpoints", model)
    run = record.Record(checkpoint, StopSignal(), tmp_path)
    run.set_model(model)
    for epoch, step in enumerate((3, 6)):
        model.optimizer.iterations.assign(step)
        run.save_epoch(epoch, {"loss": 0.5 - epoch})
    whole = run.log.path.read_bytes()
    for step, save in ((6, lambda: None), (7, run.save_step)):
        run.log.path.write_bytes(whole)
        model.optimizer.iterations.assign(step)
        save()
        for same in (whole, whole + b'{"step": 9, "lo'):
            run.log.path.write_bytes(same)
            run.resume()
            assert run.log.path.read_bytes() == whole
        for other in (whole.replace(b"0.5", b"0.7"), whole[whole.index(b"\n") + 1 :], b""):
            run.log.path.write_bytes(other)
            with pytest.raises(ValueError, match="metrics.jsonl must have what .* Put the file"):
                run.resume()
        run.log.path.unlink()
        run.resume()
    assert len(warnings) == 2 and "metrics.jsonl is gone: the figures of earlier" in warnings[0]

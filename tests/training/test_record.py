"""What a run leaves on record, beside what tests of `run` see of it."""

import contextlib

import keras
import pytest
from matplotlib.figure import Figure

from keras_bert.training import record
from keras_bert.training.checkpointing import TrainingCheckpoint
from keras_bert.training.epochs import Epochs
from keras_bert.training.signals import StopSignal

EPOCHS = Epochs(num_steps=9, steps_per_epoch=3)

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
    run = record.Record(checkpoint, StopSignal(), tmp_path, EPOCHS)
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


def test_what_is_written_again_is_dropped_from_tensorboard(tmp_path):
    scalars = record.Scalars(tmp_path)
    for step in (3, 6, 9):
        scalars.write(step, {"loss": step / 10, "val_loss": 1.0})
    files = {path: path.read_bytes() for path in tmp_path.rglob("*.v2")}
    for path, whole in files.items():
        path.write_bytes(whole[:-5])  # as a kill may leave it
    other = record.Scalars(tmp_path)
    other.truncate(9)
    assert all(path.stat().st_size == len(whole) - 5 for path, whole in files.items())
    other.truncate(3)
    other.write(6, {"loss": 7.0})
    [path] = [path for path in files if path.parent.name == "train"]
    events = [event for file in path.parent.iterdir() for event in record._events(file)]
    steps = sorted(event.step for event in events if event.summary.value)
    assert steps == [3, 6] and path.read_bytes() == files[path][: path.stat().st_size]


@pytest.fixture
def drawn(monkeypatch):
    """The curves of a picture, by what they are called."""
    figures = []
    monkeypatch.setattr(Figure, "savefig", lambda self, path, **_: figures.append(self))
    monkeypatch.setattr(record.files, "whole_file", contextlib.nullcontext)

    def draw(history, points=None):
        record.draw_losses(history, "loss.png", points)
        [axes] = figures[-1].axes
        return axes, {line.get_label(): line.get_xydata().tolist() for line in axes.lines}

    return draw


def test_curves_have_points_within_epochs(drawn):
    history = {"step": [4, 8], "loss": [0.9, 0.4], "val_loss": [0.8, 0.7]}
    points = {"step": [2, 4, 6, 8], "loss": [1.0, 0.8, 0.5, 0.3]}
    axes, curves = drawn(history, points)
    assert curves["training"] == [[2, 1.0], [4, 0.8], [6, 0.5], [8, 0.3]]
    assert curves["held out"] == [[4, 0.8], [8, 0.7]]
    assert axes.get_title() == "Loss in training and on held-out data"


def test_a_run_that_is_older_than_its_points_has_its_epochs(drawn):
    history = {"step": [4, 8], "loss": [0.9, 0.4]}
    _, curves = drawn(history, {"step": [6, 8], "loss": [0.5, 0.3]})
    assert curves["training"] == [[4, 0.9], [6, 0.5], [8, 0.3]]
    axes, curves = drawn(history)
    assert curves["training"] == [[4, 0.9], [8, 0.4]]
    assert axes.get_title() == "Loss in training"


def test_one_held_out_loss_is_no_lonely_dot(drawn):
    history = {"step": [4], "loss": [0.9], "val_loss": [0.8125]}
    axes, _ = drawn(history, {"step": [2, 4], "loss": [1.0, 0.8]})
    assert [text.get_text() for text in axes.texts] == ["0.812"] and len(axes.lines) == 3

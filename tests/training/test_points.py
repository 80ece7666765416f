"""What is reached in the last so many steps, beside what keras' logs say of the epoch so far."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_bert.training.callbacks import OneTraining, Throughput
from keras_bert.training.epochs import Epochs
from keras_bert.training.points import Points

EPOCHS = Epochs(num_steps=10, steps_per_epoch=5, log_every=2)


def make_model(**options):
    """A model that learns nothing, whose loss in a step is that of its batch."""
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, trainable=False)])
    model.set_weights([np.zeros((1, 1)), np.zeros(1)])
    model.compile(keras.optimizers.SGD(0.5), loss="mae", metrics=["mse"], **options)
    return model


def points_of(model, epochs=EPOCHS, rates=(), before=None):
    """The points of a run of ten batches, of which batch i has the loss i."""
    found: list[dict] = []
    points = Points(epochs, found.append, rates)
    y = np.repeat(np.arange(10.0), 3)[:, None]
    data = tf.data.Dataset.from_tensor_slices((np.zeros_like(y), y)).batch(3).repeat()
    # As the run gives it to callbacks that have all epochs in common.
    steps, number = epochs.steps_per_epoch, epochs.number
    callbacks = OneTraining([points], model)
    callbacks.set_params({"steps": steps})
    model.fit(data, steps_per_epoch=steps, epochs=number, callbacks=callbacks, shuffle=False)
    assert points.newest == found[-1]
    return found


def test_a_point_is_the_mean_of_its_own_steps():
    found = points_of(make_model())
    assert [(one["epoch"], one["step"]) for one in found] == [
        *((1, 2), (1, 4), (1, 5), (2, 7), (2, 9), (2, 10)),
    ]
    assert [one["loss"] for one in found] == [0.5, 2.5, 4.0, 5.5, 7.5, 9.0]
    assert found[1]["mse"] == pytest.approx((4 + 9) / 2)
    assert {one["learning_rate"] for one in found} == {0.5}


def test_of_several_steps_in_one_execution_the_last_one_stands_for_all():
    epochs = Epochs(num_steps=8, steps_per_epoch=4, log_every=1)
    found = points_of(make_model(steps_per_execution=2), epochs)
    assert [(one["step"], one["loss"]) for one in found] == [(2, 0.5), (4, 2.5), (6, 4.5), (8, 6.5)]


def test_rates_are_those_between_two_points():
    found = points_of(make_model(), rates=[Throughput(rows_per_step=3, tokens_per_step=7)])
    assert all(one["rows_per_second"] > 0 for one in found)
    for one in found:
        assert one["tokens_per_second"] / one["rows_per_second"] == pytest.approx(7 / 3)
    # The first step traces the graph.
    epochs = Epochs(num_steps=2, steps_per_epoch=2, log_every=1)
    found = points_of(make_model(), epochs, [Throughput(rows_per_step=3)])
    assert ["rows_per_second" in one for one in found] == [False, True]


class Largest(keras.metrics.Metric):
    """A metric whose state is no sum."""

    def __init__(self):
        super().__init__(name="largest")
        self.largest = self.add_variable((), "zeros", aggregation="none", name="largest")

    def update_state(self, y_true, y_pred, sample_weight=None):
        self.largest.assign(keras.ops.maximum(self.largest, keras.ops.max(y_true)))

    def result(self):
        return self.largest.value


def test_a_metric_that_is_no_sum_is_left_out():
    model = make_model()
    model.compile("sgd", loss="mae", metrics=[Largest()])
    assert {*points_of(model)[0]} == {"epoch", "step", "loss", "learning_rate"}


@pytest.mark.parametrize("state", [None, {"sums": None}, {"sums": [[9.0]]}, "saved"])
def test_a_point_goes_on_where_it_was(state):
    model = make_model()
    first, found = Points(EPOCHS, lambda _: None), []
    x, y = np.zeros((3, 1)), np.full((3, 1), 2.0)
    for points in (first, Points(EPOCHS, found.append)):
        points.set_model(model)
        points.set_params({"steps": 5 if points is first else 2})
        if points is not first:
            saved = json.loads(json.dumps(first.state()))
            points.resume(saved if state == "saved" else state)
        points.on_epoch_begin(0)
        for batch in range(3 if points is first else 1):
            points.on_train_batch_begin(batch)
            model.train_step((x, y + batch))
            points.on_train_batch_end(batch)
    # Three steps with losses of 2, 3 and 4 had a point at the second, and a fourth has 2.
    means = {"saved": (4 + 2) / 2, "None": (2 + 3 + 4 + 2) / 4}
    expected = (
        means["saved"] if state == "saved" else means["None"] if state == {"sums": None} else 2
    )
    assert [one["loss"] for one in found] == [pytest.approx(expected)]

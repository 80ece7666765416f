"""How steps are cut into epochs, and these into calls of fit."""

import itertools

import hypothesis
import hypothesis.strategies as st
import pytest

from keras_bert.training.epochs import Epochs


@hypothesis.given(st.integers(1, 60), st.integers(1, 20), st.data())
def test_the_rest_of_a_run_is_every_step_once_in_epochs_of_one_length(num_steps, length, data):
    epochs = Epochs(num_steps=num_steps, steps_per_epoch=length)
    start = data.draw(st.integers(0, num_steps - 1))
    steps = []
    for alike in epochs.alike(start):
        step = alike.start
        for epoch in range(alike.first_epoch, alike.last_epoch + 1):
            assert step + alike.length == epochs.end(epoch)
            assert {epochs.epoch(one) for one in range(step, step + alike.length)} == {epoch}
            steps += range(step, step + alike.length)
            step += alike.length
        assert step - alike.start == alike.num_steps
    assert steps == list(range(start, num_steps))
    lengths = [alike.length for alike in epochs.alike(start)]
    assert all(one != other for one, other in itertools.pairwise(lengths))
    assert epochs.number == epochs.epoch(num_steps - 1) + 1
    assert epochs.end(epochs.number - 1) == num_steps


def test_a_step_is_within_an_epoch_that_has_not_ended():
    epochs = Epochs(num_steps=8, steps_per_epoch=3)
    assert [step for step in range(10) if epochs.is_within(step)] == [1, 2, 4, 5, 7]


@pytest.mark.parametrize("wrong", [{"num_steps": 0}, {"steps_per_epoch": 2.5}])
def test_nonsense_is_refused(wrong):
    with pytest.raises(ValueError, match=f"{next(iter(wrong))} must be an int of at least 1"):
        Epochs(**{"num_steps": 3, "steps_per_epoch": 3, **wrong})

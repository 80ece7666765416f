"""Schedule: its corners, its shapes, and what it refuses."""

import math

import keras
import numpy as np
import pytest

from keras_bert.training.schedules import Schedule, scaled_to_batch


@pytest.mark.parametrize(
    ("shape", "middle"),
    [
        ("linear", 0.1 + 0.9 * 0.75),
        ("polynomial", 0.1 + 0.9 * 0.75**3),
        ("cosine", 0.1 + 0.9 * (1 + math.cos(math.pi / 4)) / 2),
    ],
)
def test_corners(shape, middle):
    schedule = Schedule(2.0, num_steps=27, warmup_steps=7, shape=shape, end=0.2, power=3.0)
    steps = np.array([0, 1, 6, 7, 12, 27, 28, 1000])
    expected = [0, 2 / 7, 12 / 7, 2.0, 2 * middle, 0.2, 0.2, 0.2]
    np.testing.assert_allclose(schedule(steps), expected, rtol=1e-6)


def test_last_update_has_a_rate_above_the_end():
    assert 0 < float(Schedule(1.0, num_steps=5)(4)) <= 0.2 + 1e-6


def test_constant_stays_at_the_peak():
    schedule = Schedule(3e-4, num_steps=11, warmup_steps=3, shape="constant")
    np.testing.assert_allclose(schedule(np.array([0, 3, 11, 99])), [0, 3e-4, 3e-4, 3e-4], rtol=1e-6)


def test_without_warmup_it_starts_at_the_peak():
    assert float(Schedule(0.5, num_steps=3)(0)) == 0.5


def test_a_warmup_as_long_as_the_run():
    schedule = Schedule(1.0, num_steps=4, warmup_steps=4)
    np.testing.assert_allclose(schedule(np.array([0, 3, 4, 5])), [0, 0.75, 1.0, 0.0])


def test_linear_equals_keras_polynomial_decay_after_the_warmup():
    steps = np.arange(13)
    theirs = keras.optimizers.schedules.PolynomialDecay(0.3, 13, 0.01, power=1.0)
    ours = Schedule(0.3, num_steps=18, warmup_steps=5, end=0.01)
    np.testing.assert_allclose(ours(steps + 5), [theirs(step) for step in steps], rtol=1e-5)


def test_config_round_trip():
    schedule = Schedule(2e-5, 100, warmup_steps=10, shape="polynomial", end=1e-6, power=2.0)
    config = keras.optimizers.schedules.serialize(schedule)
    again = keras.optimizers.schedules.deserialize(config)
    assert isinstance(again, Schedule)
    assert again.get_config() == schedule.get_config()
    assert float(again(37)) == float(schedule(37))


def test_rates_scale_to_a_batch_as_in_the_paper():
    """You et al. 2019, table 4: rate and warm-up of BERT by LAMB, from 512 rows to 32,768."""
    for doublings in range(7):
        rate, share = scaled_to_batch(
            5e-3 / 2**3, 1 / 320, batch_size=512 * 2**doublings, base_batch_size=512
        )
        assert rate == pytest.approx(5e-3 / 2 ** (3 - doublings / 2))
        assert share == pytest.approx(2**doublings / 320)


@pytest.mark.parametrize(
    "wrong", [{"rate": 0.0}, {"warmup_share": 0.26}, {"batch_size": 0}, {"base_batch_size": 1.5}]
)
def test_a_batch_that_cannot_be_scaled_to_is_refused(wrong):
    fits = {"rate": 1e-3, "warmup_share": 0.25, "batch_size": 8, "base_batch_size": 2}
    assert scaled_to_batch(**fits) == (2e-3, 1.0)
    with pytest.raises(ValueError, match=next(iter(wrong))):
        scaled_to_batch(**{**fits, **wrong})


@pytest.mark.parametrize(
    "wrong",
    [
        {"peak": 0.0},
        {"peak": float("nan")},
        {"num_steps": 0},
        {"num_steps": 1.5},
        {"warmup_steps": -1},
        {"warmup_steps": 12},
        {"shape": "step"},
        {"end": -0.1},
        {"end": 2.0},
        {"power": 0.0},
    ],
)
def test_nonsense_is_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Schedule(**{"peak": 1.0, "num_steps": 11, "shape": "linear", **wrong})

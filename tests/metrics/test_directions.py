"""What an epoch, a seed or a run is chosen by."""

import pytest

from keras_bert import metrics


def test_every_score_has_a_direction_and_nan_neither_wins_nor_blocks():
    nan = float("nan")
    assert metrics.is_better("accuracy", 0.9, 0.8) and not metrics.is_better("accuracy", 0.8, 0.8)
    assert metrics.is_better("mean_squared_error", 0.1, 0.2) and metrics.is_better("loss", 1, 2)
    assert metrics.is_better("pearson", -1.0, nan) and not metrics.is_better("pearson", nan, -1.0)
    assert not metrics.is_better("f1", nan, nan)
    assert metrics.best("pearson", [nan, 0.2, 0.9]) == 2
    assert metrics.best("f1", [0.2, 0.9, nan, 0.9]) == 1
    assert metrics.best("val_mean_squared_error", [0.9, 0.1, 0.5]) == 1
    assert metrics.best("f1", [nan, nan]) == 0
    with pytest.raises(ValueError, match="there is no f1"):
        metrics.best("f1", [])

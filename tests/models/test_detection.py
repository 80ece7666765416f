"""The loss and the figures of a detector, against what they are by their definitions."""

import numpy as np
import pytest

from keras_bert.models.detection import (
    RATES,
    ReplacedTokenAUC,
    ReplacedTokenLoss,
    ReplacedTokenRate,
)


@pytest.fixture(scope="module")
def judged():
    """What was there, what a detector said of what it read, whether that was replaced, weights."""
    generator = np.random.default_rng(7)
    original = generator.integers(5, 30_000, [5, 7]).astype("int32")
    is_replaced = generator.uniform(size=[5, 7]) < 0.3
    logits = (generator.normal(size=[5, 7]) + 2 * is_replaced - 1.5).astype("float32")
    read = np.stack([logits, original + is_replaced], axis=-1).astype("float32")
    weights = (np.arange(7) < [[7], [7], [5], [3], [6]]).astype("float32")
    return original, read, is_replaced, weights


def test_the_loss_is_the_cross_entropy_of_each_token(judged):
    original, read, is_replaced, _ = judged
    logits = read[..., 0].astype("float64")
    chances = 1 / (1 + np.exp(-logits))
    expected = -np.log(np.where(is_replaced, chances, 1 - chances))
    loss = ReplacedTokenLoss()
    np.testing.assert_allclose(loss.call(original, read), expected, atol=1e-5)
    assert ReplacedTokenLoss.from_config(loss.get_config()).reduction == "sum"


def test_rates_are_shares_of_tokens_with_weight(judged):
    original, read, is_replaced, weights = judged
    found, counted = read[..., 0] > 0, weights > 0
    expected = {
        "accuracy": (found == is_replaced)[counted].mean(),
        "precision": is_replaced[counted & found].mean(),
        "recall": found[counted & is_replaced].mean(),
        "replaced": is_replaced[counted].mean(),
    }
    for name in RATES:
        rate = ReplacedTokenRate.from_config(ReplacedTokenRate(name).get_config())
        for part in (slice(0, 2), slice(2, 5)):
            rate.update_state(original[part], read[part], weights[part])
        assert float(rate.result()) == pytest.approx(expected[name], abs=1e-6), name


def test_a_detector_that_finds_none_has_no_precision_and_half_an_auc(judged):
    original, read, _, weights = judged
    read = read.copy()
    read[..., 0] = -3.0
    precision, auc = ReplacedTokenRate("precision"), ReplacedTokenAUC()
    for metric in (precision, auc):
        metric.update_state(original, read, weights)
    assert float(precision.result()) == 0.0
    assert float(auc.result()) == pytest.approx(0.5, abs=1e-6)
    with pytest.raises(ValueError, match="A rate is one of .*, not 'f1': choose"):
        ReplacedTokenRate("f1")


def test_the_area_is_the_share_of_pairs_in_their_order(judged):
    original, read, is_replaced, weights = judged
    auc = ReplacedTokenAUC.from_config(ReplacedTokenAUC().get_config())
    auc.update_state(original, read, weights)
    logits, counted = read[..., 0], weights > 0
    above = logits[counted & is_replaced][:, None] > logits[counted & ~is_replaced]
    assert float(auc.result()) == pytest.approx(above.mean(), abs=0.005)

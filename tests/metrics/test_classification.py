"""Golden values are those of scikit-learn; where it is there, random classes are compared too."""

import math

import numpy as np
import pytest

from keras_bert import metrics

LABELS = [0, 1, 2, 2, 1, 0, 0, 2, 1, 1, 0]
PREDICTIONS = [0, 2, 2, 2, 1, 0, 1, 2, 0, 1, 0]
LABEL_SETS = [[1, 0, 1], [0, 0, 1], [1, 0, 0], [1, 0, 1], [0, 0, 0]]
PREDICTED_SETS = [[1, 1, 0], [0, 0, 1], [0, 0, 0], [1, 0, 1], [1, 0, 0]]


def random_classes():
    """Labels and predictions, among them of one class, of disjoint classes, negative and single."""
    generator = np.random.default_rng(5)
    for _ in range(300):
        lowest, num_classes = generator.integers(-3, 3, 2), generator.integers(1, 5, 2)
        lowest[1] = generator.choice(lowest)
        yield generator.integers(
            lowest[:, None], (lowest + num_classes)[:, None], [2, generator.integers(1, 31)]
        )


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (metrics.accuracy(LABELS, PREDICTIONS), 8 / 11),
        (metrics.matthews_correlation(LABELS, PREDICTIONS), 0.6),
        (metrics.matthews_correlation([1, 1, 1], [1, 0, 1]), 0.0),
        (metrics.matthews_correlation([1, 0, 1], [1, 1, 1]), 0.0),
        (metrics.matthews_correlation([0, 1], [1, 0]), -1.0),
        (metrics.matthews_correlation([1, 1, 0, 0], [1, 0, 0, 0]), 1 / math.sqrt(3)),
        (metrics.f1_binary(LABELS, PREDICTIONS, 2), 6 / 7),
        (metrics.f1_binary(LABELS, PREDICTIONS, 3), 0.0),
        (metrics.f1_binary([1, 1], [0, 0]), 0.0),
        (metrics.f1_macro(LABELS, PREDICTIONS), 0.7261904761904762),
        (metrics.f1_micro(LABELS, PREDICTIONS), 8 / 11),
        (metrics.f1_macro(LABEL_SETS, PREDICTED_SETS), 0.48888888888888893),
        (metrics.f1_micro(LABEL_SETS, PREDICTED_SETS), 2 / 3),
        (metrics.f1_micro([[0.0, 0.0]], [[False, False]]), 0.0),
    ],
)
def test_golden_values(value, expected):
    assert isinstance(value, float)
    assert value == pytest.approx(expected, rel=1e-12)


def test_confusion_matrix_has_labels_in_rows():
    expected = [[3, 1, 0, 0], [1, 2, 1, 0], [0, 0, 3, 0], [0, 0, 0, 0]]
    assert metrics.confusion_matrix(LABELS, PREDICTIONS, num_classes=4).tolist() == expected


def test_correlation_of_many_examples_does_not_overflow():
    labels = np.tile(np.array([0, 1, 1], np.int32), 100_000)
    predictions = np.tile(np.array([0, 1, 0], np.int32), 100_000)
    small = metrics.matthews_correlation(labels[:3], predictions[:3])
    assert small == pytest.approx(0.5)
    assert metrics.matthews_correlation(labels, predictions) == pytest.approx(small)


@pytest.mark.reference("sklearn")
@pytest.mark.filterwarnings("ignore")
def test_classes_as_scikit_learn_counts_them():
    from sklearn import metrics as reference

    for pair in random_classes():
        assert metrics.accuracy(*pair) == pytest.approx(reference.accuracy_score(*pair))
        expected = reference.matthews_corrcoef(*pair)
        assert metrics.matthews_correlation(*pair) == pytest.approx(expected, abs=1e-12)
        expected = reference.f1_score(*pair, average="macro", zero_division=0)
        assert metrics.f1_macro(*pair) == pytest.approx(expected)
        expected = reference.f1_score(*pair, average="micro", zero_division=0)
        assert metrics.f1_micro(*pair) == pytest.approx(expected)
        for positive in (-1, 0, 1):
            [expected] = reference.f1_score(*pair, labels=[positive], average=None, zero_division=0)
            assert metrics.f1_binary(*pair, positive) == pytest.approx(expected)
        shifted = pair + 3
        expected = reference.confusion_matrix(*shifted, labels=range(15))
        np.testing.assert_array_equal(metrics.confusion_matrix(*shifted, 15), expected)


@pytest.mark.reference("sklearn")
def test_sets_of_classes_as_scikit_learn_counts_them():
    from sklearn import metrics as reference

    generator = np.random.default_rng(7)
    for _ in range(300):
        shape = generator.integers(1, 13), generator.integers(2, 6)
        shares = generator.choice([0.0, 0.2, 0.7, 1.0], [2, shape[1]])
        labels, predictions = (generator.uniform(size=shape) < share for share in shares)
        for average, metric in (("macro", metrics.f1_macro), ("micro", metrics.f1_micro)):
            expected = reference.f1_score(labels, predictions, average=average, zero_division=0)
            assert metric(labels.astype("float32"), predictions) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("score", "message"),
    [
        (lambda: metrics.accuracy([0, 1], [[0], [1]]), r"one shape \[N\].*\(2,\) and \(2, 1\)"),
        (lambda: metrics.accuracy([], []), "N > 0"),
        (lambda: metrics.accuracy([0, 1], [0.2, 0.9]), "integers, but are int64 and float64"),
        (lambda: metrics.confusion_matrix([0, 3], [0, 1], 3), "= 2, but go from 0 to 3"),
        (lambda: metrics.confusion_matrix([0, -1], [0, 1], 3), "from -1 to 1"),
        (lambda: metrics.f1_micro([[0, 1]], [[0.2, 0.9]]), "0 and 1 only"),
        (lambda: metrics.f1_macro([[0, 1]], [[0], [1]]), r"\(1, 2\) and \(2, 1\)"),
        (lambda: metrics.matthews_correlation([[0, 1]], [[0, 1]]), r"one shape \[N\]"),
    ],
)
def test_what_does_not_fit_is_refused(score, message):
    with pytest.raises(ValueError, match=message):
        score()


def test_classes_have_scores_of_their_own():
    found = metrics.class_scores([0, 0, 1, 3], [0, 1, 1, 1], num_classes=4)
    assert [one.support for one in found] == [2, 1, 0, 1]
    assert [one.precision for one in found] == [1.0, 1 / 3, 0.0, 0.0]
    assert [one.recall for one in found] == [0.5, 1.0, 0.0, 0.0]
    assert np.mean([one.f1 for one in found if one.support]) == pytest.approx(
        metrics.f1_macro([0, 0, 1, 3], [0, 1, 1, 1])
    )

"""What is compared has one shape, and as many of each."""

import numpy as np
import pytest

from keras_bert.metrics.checks import check_numbers, check_shapes, numbers


@pytest.mark.parametrize(
    ("shapes", "rank", "fits"),
    [
        (((3,), (3,)), 1, True),
        (((3,), (2,)), 1, False),
        (((3,), (3, 1)), 1, False),
        (((0,), (0,)), 1, False),
        (((), ()), 1, False),
        (((3, 5), (3, 5)), 2, True),
        (((3, 5), (5, 3)), 2, False),
        (((3,), (3,)), 2, False),
        (((3, 0), (3, 0)), 2, False),
    ],
)
def test_shapes_must_be_one_and_of_some_examples(shapes, rank, fits):
    arrays = [np.zeros(shape) for shape in shapes]
    if fits:
        check_shapes(*arrays, rank)
        return
    with pytest.raises(ValueError, match="one shape .* N > 0, but is") as error:
        check_shapes(*arrays, rank)
    assert all(str(shape) in str(error.value) for shape in shapes)


def test_there_must_be_as_many_of_each():
    check_numbers(gold=["O"], predicted=("O",))
    for gold, predicted in ((["O"], []), ([], []), ([], ["O"])):
        expected = f"'gold': {len(gold)}, 'predicted': {len(predicted)}"
        with pytest.raises(ValueError, match=expected):
            check_numbers(gold=gold, predicted=predicted)


def test_numbers_are_of_double_precision_whatever_they_were():
    labels, predictions = numbers(np.array([1, 2], "int8"), [np.float32(0.1), True])
    assert labels.dtype == predictions.dtype == "float64"
    assert predictions.tolist() == [float(np.float32(0.1)), 1.0]
    with pytest.raises(ValueError, match="one shape"):
        numbers([1.0], [1.0, 2.0])

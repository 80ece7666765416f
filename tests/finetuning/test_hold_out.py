"""What is held out, and that it is the same for every seed."""

import pytest

from keras_bert.data.rows import Row
from keras_bert.finetuning.hold_out import hold_out


@pytest.mark.parametrize(
    ("share", "number", "expected"),
    [(0.1, 20, [9, 19]), (0.4, 5, [2, 4]), (0.6, 5, [1, 3, 4]), (0.9, 2, [1])],
)
def test_a_share_is_held_out_of_all_parts_of_a_file(share, number, expected):
    rows = [Row({"i": i}, f"a:{i}") for i in range(number)]
    learned, held_out = hold_out(rows, share)
    assert [row["i"] for row in held_out] == expected
    assert sorted(row["i"] for row in (*learned, *held_out)) == list(range(number))


@pytest.mark.parametrize("share", [1.5, -0.1, 1, 0.01])
def test_a_share_of_nothing_or_of_all_is_refused(share):
    with pytest.raises(ValueError, match="--eval_share"):
        hold_out([Row({}, "a:1")] * 3, share)

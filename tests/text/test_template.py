"""Template: counts and positions, for BERT's and RoBERTa's."""

import numpy as np
import pytest

from keras_bert.text.template import Template

BERT = Template(before=(101,), between=(102,), after=(102,))
ROBERTA = Template(before=(0,), between=(2, 2), after=(2,), segment_ids=(0, 0))


def row_of(template, *segments):
    """A row, written out."""
    inner = [*segments[0]]
    for segment in segments[1:]:
        inner += [*template.between, *segment]
    return [*template.before, *inner, *template.after]


@pytest.mark.parametrize("template", [BERT, ROBERTA, Template((), (), (5,))], ids=str)
def test_lengths_and_offsets_are_those_of_rows_written_out(template):
    first, second = [71, 72, 73], [81, 82, 83, 84, 85]
    alone, pair = row_of(template, first), row_of(template, first, second)
    assert template.length_of(3) == len(alone) == 3 + template.num_special()
    assert template.length_of(3, 5) == len(pair) == 8 + template.num_special(2)
    assert template.offset_of() == alone.index(71) == pair.index(71)
    assert template.offset_of(3) == pair.index(81)


def test_lengths_may_be_arrays():
    lengths = np.array([[1, 2], [3, 5]])
    np.testing.assert_array_equal(ROBERTA.length_of(lengths, 2 * lengths), 3 * lengths + 4)
    np.testing.assert_array_equal(ROBERTA.offset_of(lengths), lengths + 3)


def test_a_template_is_a_value():
    assert Template((101,), (102,), (102,)) == BERT != ROBERTA
    assert BERT.segment_ids == (0, 1)
    assert len({BERT, ROBERTA, Template((101,), (102,), (102,))}) == 2


@pytest.mark.parametrize("count", [0, 3])
def test_a_row_has_one_or_two_segments(count):
    with pytest.raises(ValueError, match=f"one or two segments, but has {count}"):
        BERT.num_special(count)
    with pytest.raises(ValueError, match="one or two segments"):
        BERT.length_of(*[1] * count)

import numpy as np
import pytest
import tensorflow as tf

import keras_bert as kb
from keras_bert.lite.rows import Packer, with_most_context
from keras_bert.text.template import Template
from keras_bert.text.windows import windows

BERT = {"before": [2], "between": [3], "after": [3], "segment_ids": [0, 1]}
# As RoBERTa's, with two marks between.
OTHER = {"before": [2], "between": [3, 3], "after": [3], "segment_ids": [0, 0]}


@pytest.fixture(params=[BERT, OTHER], ids=["one", "two"])
def packers(request, tokenizer):
    """A packer, and that of TensorFlow which does the same."""
    template = {name: tuple(value) for name, value in request.param.items()}
    return Packer(request.param, 11), kb.Packer(tokenizer, 11, Template(**template))


def numbers(length, first=5):
    return list(range(first, first + length))


def rows_of(packed):
    lengths = packed["padding_mask"].numpy().sum(axis=1)
    return [
        tuple(packed[name].numpy()[i, :n].tolist() for name in ("token_ids", "segment_ids"))
        for i, n in enumerate(lengths)
    ]


def test_rows_are_those_of_tensorflow(packers):
    ours, theirs = packers
    pairs = [(a, b) for a in (0, 3, 5, 20) for b in (0, 1, 4, 30)]
    first, second = (
        tf.ragged.constant([numbers(n) for n in one], tf.int32) for one in zip(*pairs, strict=True)
    )
    assert [ours(numbers(a), numbers(b)) for a, b in pairs] == rows_of(theirs(first, second))
    assert [ours(numbers(a)) for a, _ in pairs] == rows_of(theirs(first))
    assert (ours.room(), ours.room(2)) == (theirs.room(), theirs.room(2))


@pytest.mark.parametrize("has_front", [True, False])
def test_windows_are_those_of_tensorflow(packers, has_front):
    ours, theirs = packers
    lengths = (0, 2, 7, 8, 23)
    texts = tf.ragged.constant([numbers(n) for n in lengths], tf.int32)
    fronts = tf.ragged.constant([numbers(n, 50) for n in (0, 1, 2, 3, 30)], tf.int32)
    wanted = windows(theirs, texts, 3, fronts if has_front else None)
    found = [
        ours.windows(numbers(n), 3, front if has_front else None)
        for n, front in zip(lengths, fronts.to_list(), strict=True)
    ]
    flat = [window for some in found for window in some]
    assert [window.row for window in flat] == rows_of(wanted.rows)
    for name in ("starts", "lengths", "offsets"):
        ours_of = [getattr(window, name.removesuffix("s")) for window in flat]
        assert ours_of == getattr(wanted, name).numpy().tolist()
    owners = np.zeros(wanted.pieces().shape, bool)
    first = 0
    for some, length in zip(found, lengths, strict=True):
        for piece, owner in enumerate(with_most_context(some, length)):
            owners[first + owner, some[owner].offset + piece - some[owner].start] = True
        first += len(some)
    assert (owners == wanted.has_most_context().numpy()).all()

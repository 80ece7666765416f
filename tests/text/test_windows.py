"""Windows against a plain restatement of `convert_examples_to_features` of `run_squad.py`."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

import keras_bert as kb
from keras_bert.text.template import Template
from keras_bert.text.windows import windows

# Ids of the vocabulary of the tests: 2 is [CLS], or <s>; 3 is [SEP], or </s>.
BERT = Template(before=(2,), between=(3,), after=(3,))
ROBERTA = Template(before=(2,), between=(3, 3), after=(3,), segment_ids=(0, 0))
# Few and the same at every run.
PROPERTY = settings(max_examples=60, deadline=None, derandomize=True, database=None)


def spans_of_text(num_pieces, room, stride):
    """Start and length of every row, as google-research/bert, run_squad.py."""
    spans, start = [], 0
    while True:
        length = min(num_pieces - start, room)
        spans.append((start, length))
        if start + length == num_pieces:
            return spans
        start += min(length, stride)


def is_max_context(spans, index, position):
    """As `_check_is_max_context` of google-research/bert, run_squad.py."""
    best_score, best_index = None, None
    for i, (start, length) in enumerate(spans):
        end = start + length - 1
        if start <= position <= end:
            score = min(position - start, end - position) + 0.01 * length
            if best_score is None or score > best_score:
                best_score, best_index = score, i
    return index == best_index


def ragged(rows):
    return tf.ragged.constant(rows, tf.int32, ragged_rank=1)


def random_pieces(rng, lengths):
    return [rng.integers(5, 97, length).tolist() for length in lengths]


def expected_rows(packer, texts, fronts, stride):
    """Token ids, padding mask, segment ids and (text, start, length, offset) of all rows."""
    template, length, pad = packer.template, packer.sequence_length, packer.tokenizer.special.pad
    room = length - len((*template.before, *template.between, *template.after))
    rows, segments, positions = [], [], []
    for i, (text, front) in enumerate(zip(texts, fronts, strict=True)):
        front = front[: room - stride]
        for start, size in spans_of_text(len(text), room - len(front), stride):
            before = [*template.before, *front, *template.between]
            behind = [*text[start : start + size], *template.after]
            rows.append(before + behind)
            first, second = template.segment_ids
            segments.append([first] * len(before) + [second] * len(behind))
            positions.append((i, start, size, len(before)))
    masks = [[1] * len(row) + [0] * (length - len(row)) for row in rows]
    rows, segments = (
        [row + [padding] * (length - len(row)) for row in part]
        for part, padding in ((rows, pad), (segments, 0))
    )
    return rows, masks, segments, positions


@pytest.mark.parametrize("template", [BERT, ROBERTA], ids=["bert", "roberta"])
@pytest.mark.parametrize(("length", "stride"), [(23, 7), (24, 20), (11, 1), (31, 9), (47, 13)])
def test_rows_with_a_front_are_those_of_the_reference(tokenizer, length, stride, template):
    rng = np.random.default_rng(length)
    texts = random_pieces(rng, [0, 1, *rng.integers(2, 150, 29)])
    fronts = random_pieces(rng, rng.integers(0, length, 31))
    packer = kb.Packer(tokenizer, length, template)
    found = windows(packer, ragged(texts), stride, ragged(fronts))
    rows, masks, segments, positions = expected_rows(packer, texts, fronts, stride)
    np.testing.assert_array_equal(found.rows["token_ids"], rows)
    np.testing.assert_array_equal(found.rows["padding_mask"], masks)
    np.testing.assert_array_equal(found.rows["segment_ids"], segments)
    numbers = [found.texts, found.starts, found.lengths, found.offsets]
    np.testing.assert_array_equal(np.stack(numbers, axis=1), positions)


@pytest.mark.parametrize("template", [BERT, ROBERTA], ids=["bert", "roberta"])
@pytest.mark.parametrize(("length", "stride"), [(13, 4), (13, 11), (5, 1)])
def test_rows_without_a_front(tokenizer, length, stride, template):
    rng = np.random.default_rng(stride)
    texts = random_pieces(rng, [0, *rng.integers(1, 60, 17)])
    found = windows(kb.Packer(tokenizer, length, template), ragged(texts), stride)
    spans = [spans_of_text(len(text), length - 2, stride) for text in texts]
    starts = [start for some in spans for start, _ in some]
    np.testing.assert_array_equal(found.starts, starts)
    np.testing.assert_array_equal(found.offsets, 1)
    rows = (found.rows[name].numpy() for name in ("token_ids", "padding_mask"))
    for ids, mask, text, start in zip(*rows, found.texts.numpy(), starts, strict=True):
        inner = texts[text][start : start + length - 2]
        assert ids[mask > 0].tolist() == [*template.before, *inner, *template.after]
    assert not found.rows["segment_ids"].numpy().any()


IDS = st.lists(st.integers(5, 96), max_size=40)


@PROPERTY
@given(
    st.lists(st.tuples(IDS, IDS), max_size=4),
    st.sampled_from([BERT, ROBERTA]),
    st.integers(1, 23).flatmap(lambda room: st.tuples(st.just(room), st.integers(1, room))),
)
def test_windows_of_any_texts_fronts_and_strides(tokenizer, pairs, template, room_and_stride):
    room, stride = room_and_stride
    packer = kb.Packer(tokenizer, template.num_special(2) + room, template)
    texts, fronts = ([pair[i] for pair in pairs] for i in range(2))
    found = windows(packer, ragged(texts), stride, ragged(fronts))
    rows, masks, segments, positions = expected_rows(packer, texts, fronts, stride)
    assert found.texts.shape == (len(rows),)
    for name, expected in (("token_ids", rows), ("padding_mask", masks), ("segment_ids", segments)):
        assert found.rows[name].numpy().tolist() == expected
    numbers = [found.texts, found.starts, found.lengths, found.offsets]
    assert np.stack(numbers, axis=1).tolist() == [list(one) for one in positions]
    # Every piece has most context in one row.
    most, pieces = found.has_most_context().numpy(), found.pieces().numpy()
    text = np.broadcast_to(found.texts.numpy()[:, None], pieces.shape)
    chosen = sorted(zip(text[most].tolist(), pieces[most].tolist(), strict=True))
    assert chosen == [(i, piece) for i, one in enumerate(texts) for piece in range(len(one))]


@pytest.mark.parametrize(("length", "stride"), [(23, 7), (23, 19), (11, 1), (31, 9), (384, 128)])
def test_most_context_is_where_the_reference_says(tokenizer, length, stride):
    rng = np.random.default_rng(length)
    texts = random_pieces(rng, [0, 1, length - 3, length - 2, *rng.integers(2, 4 * length, 9)])
    fronts = [[7]] * len(texts)
    found = windows(kb.Packer(tokenizer, length), ragged(texts), stride, ragged(fronts))
    pieces, most = found.pieces().numpy(), found.has_most_context().numpy()
    row = 0
    for text in texts:
        spans = spans_of_text(len(text), length - 4, stride)
        for i, (start, size) in enumerate(spans):
            expected = np.full(length, -1)
            expected[3 : 3 + size] = np.arange(start, start + size)
            np.testing.assert_array_equal(pieces[row], expected)
            wanted = [piece >= 0 and is_max_context(spans, i, piece) for piece in expected]
            np.testing.assert_array_equal(most[row], wanted)
            row += 1
    assert row == len(pieces)
    assert most.sum() == sum(map(len, texts))  # every piece in one row


def test_no_texts(tokenizer):
    none = tf.RaggedTensor.from_row_lengths(tf.zeros([0], tf.int32), tf.zeros([0], tf.int64))
    found = windows(kb.Packer(tokenizer, 11), none, 3, none)
    assert found.rows["token_ids"].shape == found.has_most_context().shape == (0, 11)


def test_in_a_graph(tokenizer):
    packer = kb.Packer(tokenizer, 11)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)] * 2, autograph=False)
    def rows(texts, fronts):
        found = windows(packer, tokenizer.tokenize(texts), 3, tokenizer.tokenize(fronts))
        return found.rows["token_ids"], found.has_most_context()

    texts, fronts = ["the quick brown fox jump over the lazy dog", "film"], ["a", "the dog"]
    found = windows(packer, tokenizer.tokenize(texts), 3, tokenizer.tokenize(fronts))
    ids, most = rows(tf.constant(texts), tf.constant(fronts))
    np.testing.assert_array_equal(ids, found.rows["token_ids"])
    np.testing.assert_array_equal(most, found.has_most_context())
    np.testing.assert_array_equal(found.texts, [0, 0, 1])


@pytest.mark.parametrize(
    ("length", "stride", "front", "message"),
    [
        (11, 0, None, "stride must lie between 1 and the 9 pieces that a row of 11"),
        (11, 10, None, "but is 10: choose another one"),
        (11, 9, [[7]], "between 1 and the 8 pieces"),
        (None, 3, None, "sequence_length is None: give it one"),
    ],
)
def test_what_cannot_be_is_an_error(tokenizer, length, stride, front, message):
    with pytest.raises(ValueError, match=message):
        fronts = None if front is None else ragged(front)
        windows(kb.Packer(tokenizer, length), ragged([[5, 6]]), stride, fronts)

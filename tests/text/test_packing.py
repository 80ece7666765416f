"""Packer against a plain restatement of BERT's `_truncate_seq_pair`."""

import numpy as np
import pytest
import tensorflow as tf

import keras_bert as kb


def truncate_seq_pair(tokens_a, tokens_b, max_length):
    """As google-research/bert, run_classifier.py."""
    while len(tokens_a) + len(tokens_b) > max_length:
        if len(tokens_a) > len(tokens_b):
            tokens_a.pop()
        else:
            tokens_b.pop()


def expected_row(tokenizer, first, second, length):
    first, second = list(first), None if second is None else list(second)
    if second is None:
        first = first[: length - 2]
        ids = [tokenizer.cls_id, *first, tokenizer.sep_id]
        segments = [0] * len(ids)
    else:
        truncate_seq_pair(first, second, length - 3)
        ids = [tokenizer.cls_id, *first, tokenizer.sep_id, *second, tokenizer.sep_id]
        segments = [0] * (len(first) + 2) + [1] * (len(second) + 1)
    padding = length - len(ids)
    return (
        ids + [tokenizer.pad_id] * padding,
        segments + [0] * padding,
        [1] * len(ids) + [0] * padding,
    )


def random_segments(rng, tokenizer, rows, longest):
    return [
        rng.integers(5, tokenizer.vocabulary_size, rng.integers(0, longest)).tolist()
        for _ in range(rows)
    ]


def ragged(segments):
    return tf.ragged.constant(segments, tf.int32, ragged_rank=1)


def assert_rows(packed, expected):
    for name, column in zip(("token_ids", "segment_ids", "padding_mask"), range(3), strict=True):
        assert packed[name].dtype == tf.int32
        np.testing.assert_array_equal(packed[name], [row[column] for row in expected], name)


@pytest.mark.parametrize("length", [5, 6, 7, 12, 13, 31])
def test_two_segments_are_cut_as_by_the_reference(tokenizer, length):
    rng = np.random.default_rng(length)
    first = random_segments(rng, tokenizer, 301, 23)
    second = random_segments(rng, tokenizer, 301, 23)
    packed = kb.Packer(tokenizer, length)(ragged(first), ragged(second))
    pairs = zip(first, second, strict=True)
    assert_rows(packed, [expected_row(tokenizer, a, b, length) for a, b in pairs])


@pytest.mark.parametrize("length", [3, 4, 11])
def test_one_segment_is_cut_at_its_end(tokenizer, length):
    first = random_segments(np.random.default_rng(length), tokenizer, 53, 17)
    packed = kb.Packer(tokenizer, length)(ragged(first))
    assert_rows(packed, [expected_row(tokenizer, a, None, length) for a in first])


def test_without_a_length_rows_are_as_long_as_the_longest(tokenizer):
    first, second = [[7, 8, 9], [7]], [[11], [12, 13, 14, 15]]
    packed = kb.Packer(tokenizer, None)(ragged(first), ragged(second))
    pairs = zip(first, second, strict=True)
    assert_rows(packed, [expected_row(tokenizer, a, b, 8) for a, b in pairs])
    assert kb.Packer(tokenizer, None)(ragged(first))["token_ids"].shape == (2, 5)


def test_strings_are_tokenized(tokenizer):
    packer = kb.Packer(tokenizer, 9)
    first, second = ["a fine film", "the unaffordable"], ["the dog", "fox"]
    strings = packer(first, second)
    ids = packer(tokenizer.tokenize(first), tokenizer.tokenize(second))
    for name, values in strings.items():
        np.testing.assert_array_equal(values, ids[name])
    assert tokenizer.tokens(strings["token_ids"])[0].numpy().tolist()[:5] == [
        *(b"[CLS]", b"a", b"fine", b"film", b"[SEP]")
    ]


@pytest.mark.parametrize("length", [7, None])
def test_no_rows_and_empty_segments(tokenizer, length):
    packer = kb.Packer(tokenizer, length)
    none = tf.RaggedTensor.from_row_lengths(tf.zeros([0], tf.int32), tf.zeros([0], tf.int64))
    assert packer(none)["token_ids"].shape[0] == 0
    assert packer(none, none)["token_ids"].shape[0] == 0
    packed = packer(["", ""], ["", ""])["token_ids"].numpy()
    assert packed[:, :3].tolist() == [[tokenizer.cls_id, tokenizer.sep_id, tokenizer.sep_id]] * 2


def test_in_a_graph_with_known_length_and_common_ops(tokenizer):
    packer = kb.Packer(tokenizer, 13)
    spec = tf.TensorSpec([None], tf.string)
    function = tf.function(packer).get_concrete_function(spec, spec)
    assert function.structured_outputs["token_ids"].shape.as_list() == [None, 13]
    operations = {operation.type for operation in function.graph.get_operations()}
    # Not in the tensorflow-text that TF Serving links up to 2.19.
    assert not {name for name in operations if "Trim" in name or "RoundRobin" in name}


def test_ids_of_64_bits_are_packed_as_32(tokenizer):
    first = tf.ragged.constant([[7, 8]], tf.int64)
    assert kb.Packer(tokenizer, 5)(first)["token_ids"].dtype == tf.int32


@pytest.mark.parametrize(
    ("length", "first", "second", "message"),
    [
        (2, ["a"], None, "at least 3"),
        (4, ["a"], ["b"], "at least 5 for two segments"),
        (9, "a", None, r"strings \[B\] or ragged"),
        (9, [[1, 2]], None, r"strings \[B\] or ragged"),
        (9, ["a"], [[1, 2]], "second segment"),
        (9, tf.ragged.constant([["a"]]), None, "ragged string"),
    ],
)
def test_errors_say_what_must_hold(tokenizer, length, first, second, message):
    with pytest.raises(ValueError, match=message):
        kb.Packer(tokenizer, length)(first, second)


def test_rows_are_joined_while_they_fit(tokenizer):
    packer = kb.Packer(tokenizer, 17)
    rows = packer(
        ["a b c", "d", "e f g h i j k l", "m n", "o", "p"], ["q", "r s", "t", "u", "v", "w"]
    )
    joined, members = packer.join(rows, num_sequences=3)
    members = members.numpy().tolist()
    lengths = (rows["padding_mask"].numpy() > 0).sum(axis=1)
    # Greedy, in order: 7 + 6 fit, 12 + 6 do not; 6 + 5 + 5 do, and are three.
    assert lengths.tolist() == [7, 6, 12, 6, 5, 5]
    assert members == [[0, 1, -1], [2, -1, -1], [3, 4, 5]]
    for row, parts in enumerate(members):
        for number, part in enumerate((part for part in parts if part >= 0), start=1):
            held = joined["padding_mask"][row] == number
            for name in ("token_ids", "segment_ids"):
                np.testing.assert_array_equal(
                    joined[name][row][held], rows[name][part][: lengths[part]]
                )
        held = sum(lengths[part] for part in parts if part >= 0)
        assert (joined["padding_mask"][row].numpy() > 0).sum() == held
        assert (joined["token_ids"][row].numpy()[held:] == tokenizer.pad_id).all()


def test_no_rows_join_to_no_rows(tokenizer):
    packer = kb.Packer(tokenizer, 17)
    joined, members = packer.join(packer(tf.constant([], tf.string)), num_sequences=3)
    assert joined["token_ids"].shape == (0, 17) and members.shape == (0, 3)


@pytest.mark.parametrize(("length", "num_sequences"), [(None, 2), (17, 0)])
def test_rows_without_a_length_are_not_joined(length, num_sequences, tokenizer):
    packer = kb.Packer(tokenizer, length)
    with pytest.raises(ValueError, match="joined up to a sequence_length"):
        packer.join(packer(["a fox"]), num_sequences)

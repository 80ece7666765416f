"""Packer against a plain restatement of BERT's `_truncate_seq_pair`, for several templates."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

import keras_bert as kb
from keras_bert.text.packing import reachable
from keras_bert.text.template import Template

# Ids of the vocabulary of the tests: 2 is [CLS], or <s>; 3 is [SEP], or </s>.
TEMPLATES = {
    "bert": Template(before=(2,), between=(3,), after=(3,)),
    "roberta": Template(before=(2,), between=(3, 3), after=(3,), segment_ids=(0, 0)),
    "odd": Template(before=(), between=(7,), after=(3, 2, 4), segment_ids=(2, 1)),
}
NAMES = tuple(TEMPLATES)
# Few and the same at every run.
PROPERTY = settings(max_examples=60, deadline=None, derandomize=True, database=None)


def truncate_seq_pair(tokens_a, tokens_b, max_length):
    """As google-research/bert, run_classifier.py."""
    while len(tokens_a) + len(tokens_b) > max_length:
        if len(tokens_a) > len(tokens_b):
            tokens_a.pop()
        else:
            tokens_b.pop()


def expected_row(packer, first, second, length):
    """Token ids, segment ids and padding mask of one row."""
    template, pad = packer.template, packer.tokenizer.special.pad
    first, second = list(first), None if second is None else list(second)
    own, later = template.segment_ids
    if second is None:
        first = first[: length - len(template.before) - len(template.after)]
        ids = [*template.before, *first, *template.after]
        segments = [own] * len(ids)
    else:
        special = (*template.before, *template.between, *template.after)
        truncate_seq_pair(first, second, length - len(special))
        front = [*template.before, *first, *template.between]
        ids = [*front, *second, *template.after]
        segments = [own] * len(front) + [later] * (len(ids) - len(front))
    padding = length - len(ids)
    return (
        ids + [pad] * padding,
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


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("length", [6, 7, 12, 13, 31])
def test_two_segments_are_cut_as_by_the_reference(tokenizer, length, name):
    rng = np.random.default_rng(length)
    first = random_segments(rng, tokenizer, 301, 23)
    second = random_segments(rng, tokenizer, 301, 23)
    packer = kb.Packer(tokenizer, length, TEMPLATES[name])
    packed = packer(ragged(first), ragged(second))
    pairs = zip(first, second, strict=True)
    assert_rows(packed, [expected_row(packer, a, b, length) for a, b in pairs])


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("length", [4, 5, 11])
def test_one_segment_is_cut_at_its_end(tokenizer, length, name):
    first = random_segments(np.random.default_rng(length), tokenizer, 53, 17)
    packer = kb.Packer(tokenizer, length, TEMPLATES[name])
    packed = packer(ragged(first))
    assert_rows(packed, [expected_row(packer, a, None, length) for a in first])


@pytest.mark.parametrize("name", NAMES)
def test_without_a_length_rows_are_as_long_as_the_longest(tokenizer, name):
    first, second = [[7, 8, 9], [7]], [[11], [12, 13, 14, 15]]
    packer = kb.Packer(tokenizer, None, TEMPLATES[name])
    length = 5 + TEMPLATES[name].num_special(2)
    pairs = zip(first, second, strict=True)
    expected = [expected_row(packer, a, b, length) for a, b in pairs]
    assert_rows(packer(ragged(first), ragged(second)), expected)
    alone = 3 + TEMPLATES[name].num_special(1)
    assert packer(ragged(first))["token_ids"].shape == (2, alone)


def test_the_template_is_the_tokenizers_unless_another_is_named(tokenizer):
    assert kb.Packer(tokenizer).template == tokenizer.template == TEMPLATES["bert"]
    first, second = [[11, 12]], [[13]]
    rows = {
        name: kb.Packer(tokenizer, 9, template)(ragged(first), ragged(second))
        for name, template in TEMPLATES.items()
    }
    assert rows["bert"]["token_ids"].numpy().tolist() == [[2, 11, 12, 3, 13, 3, 0, 0, 0]]
    assert rows["bert"]["segment_ids"].numpy().tolist() == [[0, 0, 0, 0, 1, 1, 0, 0, 0]]
    assert rows["roberta"]["token_ids"].numpy().tolist() == [[2, 11, 12, 3, 3, 13, 3, 0, 0]]
    assert rows["roberta"]["segment_ids"].numpy().tolist() == [[0] * 9]
    assert rows["odd"]["segment_ids"].numpy().tolist() == [[2, 2, 2, 1, 1, 1, 1, 0, 0]]


@pytest.mark.parametrize(("name", "rooms"), [("bert", (15, 14)), ("roberta", (15, 13))])
def test_the_room_of_a_row(tokenizer, name, rooms):
    packer = kb.Packer(tokenizer, 17, TEMPLATES[name])
    assert (packer.room(), packer.room(1), packer.room(2)) == (rooms[0], *rooms)
    assert packer.length_of(rooms[0]) == packer.length_of(rooms[1] - 3, 3) == 17
    lengths = packer.length_of(np.array([1, 2]), np.array([5, 7]))
    assert lengths.tolist() == [6 + 17 - rooms[1], 9 + 17 - rooms[1]]
    endless = kb.Packer(tokenizer, None, TEMPLATES[name])
    assert endless.room() is endless.room(2) is None
    assert endless.length_of(5) == packer.length_of(5)


IDS = st.lists(st.integers(5, 96), max_size=17)
MARKS = st.lists(st.integers(2, 4), max_size=3).map(tuple)
ANY_TEMPLATE = st.builds(
    Template, MARKS, MARKS, MARKS, st.tuples(st.integers(0, 2), st.integers(0, 2))
)


@PROPERTY
@given(st.lists(st.tuples(IDS, IDS), max_size=5), ANY_TEMPLATE, st.none() | st.integers(2, 29))
def test_pairs_of_any_lengths_and_template(tokenizer, pairs, template, room):
    least = template.num_special(2)
    packer = kb.Packer(tokenizer, None if room is None else least + room, template)
    first, second = ([pair[i] for pair in pairs] for i in range(2))
    width = packer.sequence_length
    if width is None:
        width = max([len(a) + len(b) + least for a, b in pairs], default=0)
    assert packer.room(2) == room
    packed = packer(ragged(first), ragged(second))
    assert packed["token_ids"].shape == (len(pairs), width)
    if pairs:
        assert_rows(packed, [expected_row(packer, a, b, width) for a, b in pairs])


@PROPERTY
@given(st.lists(IDS, max_size=5), ANY_TEMPLATE, st.none() | st.integers(1, 19))
def test_single_segments_of_any_lengths_and_template(tokenizer, segments, template, room):
    least = template.num_special()
    packer = kb.Packer(tokenizer, None if room is None else least + room, template)
    width = packer.sequence_length
    if width is None:
        width = max([len(a) + least for a in segments], default=0)
    packed = packer(ragged(segments))
    assert packed["token_ids"].shape == (len(segments), width)
    if segments:
        assert_rows(packed, [expected_row(packer, a, None, width) for a in segments])


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
    cls, sep = tokenizer.special.begin, tokenizer.special.end
    assert packed[:, :3].tolist() == [[cls, sep, sep]] * 2


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
        (2, ["a"], None, r"at least 3 \(a token and 2 special ones around it\) or None, but is 2"),
        (4, ["a"], ["b"], "at least 5 for two segments .*, but is 4"),
        (9, "a", None, r"strings \[B\] or ragged"),
        (9, [[1, 2]], None, r"strings \[B\] or ragged"),
        (9, ["a"], [[1, 2]], "second segment"),
        (9, tf.ragged.constant([["a"]]), None, "ragged string"),
    ],
)
def test_errors_say_what_must_hold(tokenizer, length, first, second, message):
    with pytest.raises(ValueError, match=message):
        kb.Packer(tokenizer, length)(first, second)


@pytest.mark.parametrize("name", NAMES)
def test_errors_count_the_template(tokenizer, name):
    template = TEMPLATES[name]
    least, of_two = 1 + template.num_special(1), 2 + template.num_special(2)
    with pytest.raises(ValueError, match=f"at least {least} "):
        kb.Packer(tokenizer, least - 1, template)
    packer = kb.Packer(tokenizer, of_two - 1, template)
    with pytest.raises(ValueError, match=f"at least {of_two} for two segments"):
        packer(["a"], ["b"])
    assert (kb.Packer(tokenizer, of_two, template)(["a"], ["b"])["padding_mask"].numpy() == 1).all()


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
        assert (joined["token_ids"][row].numpy()[held:] == tokenizer.special.pad).all()


def test_rows_of_another_template_are_joined(tokenizer):
    packer = kb.Packer(tokenizer, 17, TEMPLATES["roberta"])
    rows = packer(["a b", "c", "d e f"], ["g", "h i", "j"])
    joined, members = packer.join(rows, num_sequences=3)
    a, b, c, d, e, f, g, h, i, j = range(5, 15)
    assert members.numpy().tolist() == [[0, 1, -1], [2, -1, -1]]
    assert joined["token_ids"].numpy().tolist() == [
        [2, a, b, 3, 3, g, 3, 2, c, 3, 3, h, i, 3, 0, 0, 0],
        [2, d, e, f, 3, 3, j, 3, *[0] * 9],
    ]
    assert joined["padding_mask"].numpy().tolist() == [
        [*[1] * 7, *[2] * 7, 0, 0, 0],
        [*[1] * 8, *[0] * 9],
    ]
    assert not joined["segment_ids"].numpy().any()


def joined_in_order(lengths, room, most):
    """Which rows stand together, one after the other as long as they fit."""
    groups = []
    for index, length in enumerate(lengths):
        fits = groups and sum(lengths[i] for i in groups[-1]) + length <= room
        if fits and len(groups[-1]) < most:
            groups[-1].append(index)
        else:
            groups.append([index])
    return groups


@PROPERTY
@given(st.lists(IDS, max_size=9), ANY_TEMPLATE, st.integers(1, 37), st.integers(1, 4))
def test_rows_of_any_lengths_are_joined(tokenizer, segments, template, room, most):
    packer = kb.Packer(tokenizer, template.num_special() + room, template)
    rows = {name: values.numpy() for name, values in packer(ragged(segments)).items()}
    lengths = rows["padding_mask"].sum(axis=1)
    groups = joined_in_order(lengths, packer.sequence_length, most)
    joined, members = packer.join(rows, most)
    assert members.shape == (len(groups), most)
    for row, (group, numbers) in enumerate(zip(groups, members.numpy(), strict=True)):
        assert numbers.tolist() == group + [-1] * (most - len(group))
        held = sum(lengths[group])
        for name in ("token_ids", "segment_ids"):
            expected = np.concatenate([rows[name][i, : lengths[i]] for i in group])
            np.testing.assert_array_equal(joined[name][row, :held], expected)
        mask = np.repeat(np.arange(1, len(group) + 1), lengths[group])
        np.testing.assert_array_equal(joined["padding_mask"][row, :held], mask)
        assert (joined["token_ids"][row, held:].numpy() == tokenizer.special.pad).all()
        assert not joined["padding_mask"][row, held:].numpy().any()


def test_no_rows_join_to_no_rows(tokenizer):
    packer = kb.Packer(tokenizer, 17)
    joined, members = packer.join(packer(tf.constant([], tf.string)), num_sequences=3)
    assert joined["token_ids"].shape == (0, 17) and members.shape == (0, 3)


@pytest.mark.parametrize(("length", "num_sequences"), [(None, 2), (17, 0)])
def test_rows_without_a_length_are_not_joined(length, num_sequences, tokenizer):
    packer = kb.Packer(tokenizer, length)
    with pytest.raises(ValueError, match="joined up to a sequence_length"):
        packer.join(packer(["a fox"]), num_sequences)


@PROPERTY
@given(st.lists(st.tuples(st.integers(1, 5), st.booleans()), max_size=67))
def test_what_is_reached_is_what_one_step_after_the_other_reaches(indices):
    following = [min(index + step, len(indices)) for index, (step, _) in enumerate(indices)]
    opens = [opens for _, opens in indices]
    expected = [*opens, False]
    for index, after in enumerate(following):
        expected[after] |= expected[index]
    found = reachable(tf.constant(following, tf.int32), tf.constant(opens, tf.bool))
    assert found.numpy().tolist() == expected[:-1]

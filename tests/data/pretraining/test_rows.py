"""Rows for pretraining: nothing lost, and labels that are true."""

import numpy as np
import pytest

import keras_bert as kb
from keras_bert.data.pretraining.dataset import POOL_BLOCKS
from keras_bert.data.pretraining.order import UNSHUFFLED, Order
from keras_bert.data.pretraining.rows import PretrainingRows
from keras_bert.data.pretraining.token_corpus import TokenCorpus, write_token_corpus
from keras_bert.text.template import Template

LENGTH = 61


def rows_of(corpus, tokenizer, objective, short_seq_prob=0.1, **order):
    """The rows of an epoch, not masked: dict of arrays."""
    rows = PretrainingRows(kb.Packer(tokenizer, LENGTH), objective, short_seq_prob)
    order = Order(**order)
    pools = [
        rows(corpus.read(pool, tokenizer), [order.epoch, index], order.shuffle)
        for index, pool in enumerate(corpus.blocks(order).batch(POOL_BLOCKS))
    ]
    return {name: np.concatenate([pool[name] for pool in pools]) for name in pools[0]}


def pairs_of(rows, tokenizer, objective):
    """[(first ids, second ids, label)] of rows."""
    pairs = []
    columns = ("token_ids", "segment_ids", "padding_mask", objective)
    for row, segments, mask, label in zip(*(rows[name] for name in columns), strict=True):
        first, second = (row[(segments == s) & (mask == 1)] for s in (0, 1))
        assert first[0] == tokenizer.special.begin
        assert first[-1] == second[-1] == tokenizer.special.end
        assert (row[mask == 0] == tokenizer.special.pad).all()
        pairs.append((first[1:-1], second[:-1], label))
    return pairs


def words_in(rows):
    return rows[rows > 4]


def test_full_sentences_lose_nothing_and_repeat_nothing(corpus, words, documents):
    tokens = words_in(rows_of(corpus, words, None, 0.0, shuffle=False)["token_ids"])
    np.testing.assert_array_equal(tokens, np.arange(6, 6 + tokens.size))
    assert (documents >= 0).sum() == tokens.size


@pytest.mark.parametrize("shuffle", [True, False])
def test_full_sentences_have_a_separator_between_documents(corpus, words, documents, shuffle):
    rows = rows_of(corpus, words, None, shuffle=shuffle)
    assert set(rows) == {"token_ids", "segment_ids", "padding_mask"}
    assert not rows["segment_ids"].any()
    num_separators = 0
    for row in rows["token_ids"]:
        tokens = row[row != words.special.pad]
        assert tokens[0] == words.special.begin and tokens[-1] == words.special.end
        inner = tokens[1:-1]
        assert inner[0] > 4 and inner[-1] > 4
        before, after = inner[:-1], inner[1:]
        joined = (before > 4) & (after > 4)
        assert (after[joined] == before[joined] + 1).all()
        assert (documents[before[joined]] == documents[after[joined]]).all()
        between = np.flatnonzero(inner == words.special.end)
        num_separators += between.size
        if not shuffle:
            assert (documents[inner[between - 1]] != documents[inner[between + 1]]).all()
    assert num_separators > 20


def test_next_sentence_labels_are_true(corpus, words, documents):
    pairs = pairs_of(rows_of(corpus, words, "next_sentence"), words, "next_sentence")
    assert len(pairs) > 100
    for first, second, label in pairs:
        assert first.size >= 1 and second.size >= 1 and first.size + second.size <= LENGTH - 3
        for part in (first, second):
            assert (np.diff(part) == 1).all() and len(set(documents[part])) == 1
        if label == 0:
            assert second[0] == first[-1] + 1 and documents[second[0]] == documents[first[0]]
        else:
            assert documents[second[0]] != documents[first[0]]


def test_sentence_order_labels_are_true(corpus, words, documents):
    pairs = pairs_of(rows_of(corpus, words, "sentence_order"), words, "sentence_order")
    labels = [label for _, _, label in pairs]
    assert abs(np.mean(labels) - 0.5) < 5 * np.sqrt(0.25 / len(labels))
    for first, second, label in pairs:
        before, after = (second, first) if label else (first, second)
        assert after[0] == before[-1] + 1 and documents[after[0]] == documents[before[0]]


def test_parts_with_a_sentence_order_are_whole_sentences(make_corpus, tmp_path, words):
    lengths = [9, 40, 11, 7, 100, 8, 8, 8] * 9
    corpus = make_corpus(tmp_path / "text", [[lengths]])
    rows = rows_of(corpus, words, "sentence_order")
    begins = set(np.cumsum([6, *lengths]).tolist())
    weights = rows["sentence_weights"]
    assert 0 < weights.sum() < weights.size
    for parts, weight in zip(pairs_of(rows, words, "sentence_order"), weights, strict=True):
        first, second, _ = parts
        bounds = {first[0], second[0], first[-1] + 1, second[-1] + 1}
        assert (weight == 1) == (bounds <= begins)


@pytest.mark.parametrize(("objective", "least"), [("next_sentence", 0.9), ("sentence_order", 0.99)])
def test_pairs_lose_little(corpus, words, documents, objective, least):
    seen = np.unique(words_in(rows_of(corpus, words, objective, 0.0)["token_ids"]))
    # A random second part may be cut to the room that its new first part leaves; a single token
    # at the end of a block makes no pair.
    assert seen.size >= least * (documents >= 0).sum()


def test_windows_begin_and_split_at_sentences(make_corpus, tmp_path, words):
    corpus = make_corpus(tmp_path / "text", [[[9] * 20, [9] * 20]])
    rows = rows_of(corpus, words, "sentence_order", 0.0)
    starts, sizes = [], []
    for first, second, label in pairs_of(rows, words, "sentence_order"):
        first, second = (second, first) if label else (first, second)
        assert (first[0] - 6) % 9 == 0 and (second[0] - 6) % 9 == 0
        starts.append(first[0] - 6)
        sizes.append(first.size + second.size)
    # Six sentences fit, and the row is not filled up.
    assert max(sizes) == 54 < LENGTH - 3 - 1
    assert sorted(starts) == [*(0, 54, 108, 162), *(180, 234, 288, 342)]


@pytest.mark.parametrize("objective", ["next_sentence", "sentence_order", None])
def test_a_single_long_sentence_is_cut(make_corpus, tmp_path, words, objective):
    corpus = make_corpus(tmp_path / "text", [[[1000], [500, 3]]])
    rows = rows_of(corpus, words, objective, 0.0, shuffle=False)
    tokens = words_in(rows["token_ids"])
    if objective is None:
        np.testing.assert_array_equal(tokens, np.arange(6, 1509))
    else:
        assert np.unique(tokens).size > 0.9 * 1503


def test_a_window_of_one_sentence_is_split_in_its_middle(make_corpus, tmp_path, words):
    corpus = make_corpus(tmp_path / "text", [[[5]] * 40 + [[1]]])
    pairs = pairs_of(rows_of(corpus, words, "next_sentence"), words, "next_sentence")
    # The document of one word gives no row.
    assert len(pairs) == 40
    assert {(first.size, second.size) for first, second, _ in pairs} == {(2, 3)}


@pytest.mark.parametrize("objective", ["next_sentence", "sentence_order", None])
def test_short_windows(make_corpus, tmp_path, words, objective):
    corpus = make_corpus(tmp_path / "text", [[[2] * 700], [[2] * 700]])
    sizes = {
        share: rows_of(corpus, words, objective, share)["padding_mask"].sum(axis=1)
        for share in (0.0, 0.5)
    }
    # At the ends of the documents rows are short in any case.
    assert (sizes[0.0] < LENGTH - 2).sum() <= 4
    assert (sizes[0.5] < LENGTH // 2).sum() > 0.1 * sizes[0.5].size
    assert sizes[0.5].max() <= LENGTH


# Rows of whole sentences leave free what the next sentence does not fit into.
@pytest.mark.parametrize(("objective", "least"), [("next_sentence", 0.95), ("sentence_order", 0.8)])
def test_rows_of_long_documents_are_full(make_corpus, tmp_path, words, objective, least):
    rng = np.random.default_rng(5)
    corpus = make_corpus(tmp_path / "text", [[rng.integers(3, 30, 150).tolist()] for _ in range(3)])
    assert rows_of(corpus, words, objective, 0.0)["padding_mask"].mean() > least


def test_one_dominating_document_never_gives_a_wrong_label(
    make_corpus, document_of, tmp_path, words
):
    corpus = make_corpus(tmp_path / "text", [[[9] * 600], [[4] * 9]])
    documents = document_of(corpus)
    pairs = pairs_of(rows_of(corpus, words, "next_sentence"), words, "next_sentence")
    for first, second, label in pairs:
        assert label == (documents[first[0]] != documents[second[0]])


def test_every_epoch_differs(corpus, words):
    epochs = [rows_of(corpus, words, None, 0.0, epoch=epoch)["token_ids"] for epoch in range(2)]
    size = min(map(len, epochs))
    assert (epochs[0][:size] != epochs[1][:size]).any(axis=1).mean() > 0.9
    np.testing.assert_array_equal(*(np.sort(words_in(rows)) for rows in epochs))


@pytest.mark.parametrize(("objective", "probability"), [("next_sentence", 0.1), (None, 0.0)])
def test_short_rows_are_as_in_the_papers(tokenizer, objective, probability):
    rows = PretrainingRows(kb.Packer(tokenizer, LENGTH), objective)
    assert rows.short_seq_prob == probability


@pytest.mark.parametrize("objective", ["next_sentence", "sentence_order", None])
def test_short_rows_are_joined_with_their_labels(objective, corpus, words):
    packer = kb.Packer(words, LENGTH)
    (blocks,) = corpus.blocks(UNSHUFFLED).batch(1000)
    sentences = corpus.read(blocks, words)
    alone, joined = (
        PretrainingRows(packer, objective, 1.0, num_sequences)(sentences, seed=[1, 2])
        for num_sequences in (1, 3)
    )
    alone, joined = ({k: v.numpy() for k, v in rows.items()} for rows in (alone, joined))
    numbers, row = joined["padding_mask"], 0
    assert numbers.max() == 3 and len(numbers) < 0.8 * len(alone["padding_mask"])
    for long_row, mask in enumerate(numbers):
        for number in range(1, 4):
            held = mask == number
            if objective is not None:
                weight = joined["sentence_weights"][long_row, number - 1]
                assert weight == (alone["sentence_weights"][row] if held.any() else 0)
            if held.any():
                length = held.sum()
                np.testing.assert_array_equal(alone["padding_mask"][row].sum(), length)
                for name in ("token_ids", "segment_ids"):
                    expected = alone[name][row, :length]
                    np.testing.assert_array_equal(joined[name][long_row, held], expected)
                if objective is not None:
                    label = joined[objective][long_row, number - 1]
                    assert label == alone[objective][row]
                row += 1
    assert row == len(alone["padding_mask"])


@pytest.mark.parametrize("objective", ["next_sentence", "sentence_order", None])
def test_rows_of_another_template_hold_as_much_as_fits(corpus, words, objective):
    """RoBERTa's: two separators between segments, no segment ids."""
    own, sep = words.special.begin, words.special.end
    template = Template(before=(own,), between=(sep, sep), after=(sep,), segment_ids=(0, 0))
    packer = kb.Packer(words, LENGTH, template)
    (blocks,) = corpus.blocks(UNSHUFFLED).batch(1000)
    rows = PretrainingRows(packer, objective, 0.0)(corpus.read(blocks, words), [1, 2])
    assert not rows["segment_ids"].numpy().any()
    lengths = rows["padding_mask"].numpy().sum(axis=1)
    assert lengths.max() == LENGTH or (objective == "sentence_order" and lengths.max() < LENGTH)
    for row, length in zip(rows["token_ids"].numpy(), lengths, strict=True):
        special = np.flatnonzero(row[:length] < 5)
        assert row[0] == own and row[length - 1] == sep
        assert (row[length:] == words.special.pad).all()
        if objective is not None:
            first, second = special[1:3]
            assert len(special) == 4 and second == first + 1
            assert (row[[first, second]] == sep).all()
        else:  # one separator between documents, and none of the template's
            assert (np.diff(special) > 1).all()


def test_a_token_corpus_gives_the_same_rows(corpus, words, tmp_path):
    write_token_corpus(corpus, words, tmp_path / "tokens")
    tokens = TokenCorpus(tmp_path / "tokens")
    for objective in ("next_sentence", "sentence_order", None):
        expected, found = (rows_of(c, words, objective, shuffle=False) for c in (corpus, tokens))
        for name, values in expected.items():
            np.testing.assert_array_equal(found[name], values)
    assert rows_of(tokens, words, "next_sentence")["next_sentence"].any()


@pytest.mark.parametrize("objective", ["next_sentence", None])
@pytest.mark.parametrize("length", [7, None])
def test_rows_need_a_length(words, length, objective):
    PretrainingRows(kb.Packer(words, 8), objective)
    with pytest.raises(ValueError, match="sequence_length must be at least 8"):
        PretrainingRows(kb.Packer(words, length), objective)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"sentence_objective": "both"}, "sentence_objective must be one of"),
        ({"short_seq_prob": 1.5}, "short_seq_prob must be from 0 to 1"),
        ({"num_sequences": 0}, "num_sequences must be at least 1"),
    ],
)
def test_errors_say_what_must_hold(words, arguments, message):
    with pytest.raises(ValueError, match=message):
        PretrainingRows(kb.Packer(words, LENGTH), **arguments)

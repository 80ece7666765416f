"""Rows for pretraining: nothing lost, labels that are true, exact repeats and resumes."""

import numpy as np
import pytest
import tensorflow as tf

import keras_bert as kb
from keras_bert.data.pretraining import corpus as corpus_lib
from keras_bert.data.pretraining import dataset as pretraining
from keras_bert.data.pretraining.corpus import TextCorpus
from keras_bert.data.pretraining.dataset import pretraining_dataset
from keras_bert.data.pretraining.rows import PretrainingRows
from keras_bert.data.pretraining.token_corpus import TokenCorpus, write_token_corpus
from keras_bert.text.template import Template

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
# Every word stands for itself, so that a token tells its document and its place.
NUM_WORDS = 9_000
LENGTH = 61


@pytest.fixture(scope="module")
def words():
    """A tokenizer that knows the words w0, w1, ..."""
    return kb.Tokenizer((*SPECIAL, ".", *(f"w{i}" for i in range(NUM_WORDS))))


def random_documents(seed, num_documents, sentences, size):
    rng = np.random.default_rng(seed)
    return [
        rng.integers(1, size, rng.integers(1, sentences)).tolist() for _ in range(num_documents)
    ]


@pytest.fixture(scope="module")
def three_files(tmp_path_factory):
    """A corpus of 13 documents in each file."""
    documents = [random_documents(i, 13, 30, 25) for i in range(3)]
    return make_corpus(tmp_path_factory.mktemp("text"), documents)


@pytest.fixture
def corpus(three_files, monkeypatch):
    """The same in several blocks."""
    monkeypatch.setattr(corpus_lib, "BLOCK_BYTES", 2000)
    return three_files


@pytest.fixture(scope="module")
def documents(three_files, words):
    """[V]: the document of each word."""
    return document_of(three_files, words)


def make_corpus(folder, files):
    """Files of documents; each file has words of its own."""
    folder.mkdir(exist_ok=True)
    first = 0
    for index, documents in enumerate(files):
        lines = []
        for document in documents:
            for size in document:
                lines.append(" ".join(f"w{i}" for i in range(first, first + size)))
                first += size
            lines.append("")
        (folder / f"{index}.txt").write_text("\n".join(lines) + "\n")
    assert first <= NUM_WORDS
    return TextCorpus(str(folder / "*.txt"), "blank_lines")


def document_of(corpus, tokenizer):
    """[V]: the document of each word."""
    documents = np.full(tokenizer.vocabulary_size, -1, np.int64)
    for blocks in corpus.blocks(shuffle=False).batch(1000):
        sentences = corpus.read(blocks, tokenizer)
        of_token = tf.repeat(sentences.documents, sentences.ids.row_lengths())
        documents[sentences.ids.flat_values.numpy()] = of_token.numpy()
    return documents


def dataset_of(corpus, tokenizer, objective, batch_size=7, short_seq_prob=0.1, **arguments):
    rows = PretrainingRows(kb.Packer(tokenizer, LENGTH), objective, short_seq_prob)
    masker = kb.Masker(tokenizer, max_predictions=9)
    arguments = {"num_epochs": 1, **arguments}
    return pretraining_dataset(corpus, rows, masker, batch_size, **arguments)


def rows_of(corpus, tokenizer, objective, short_seq_prob=0.1, shuffle=True, epoch=0):
    """The rows of an epoch, not masked: dict of arrays."""
    rows = PretrainingRows(kb.Packer(tokenizer, LENGTH), objective, short_seq_prob)
    blocks = corpus.blocks(epoch=epoch, shuffle=shuffle).batch(pretraining.POOL_BLOCKS)
    pools = [
        rows(corpus.read(pool, tokenizer), [epoch, index], shuffle)
        for index, pool in enumerate(blocks)
    ]
    return {name: np.concatenate([pool[name] for pool in pools]) for name in pools[0]}


def pairs_of(rows, tokenizer, objective):
    """[(first ids, second ids, label)] of rows."""
    pairs = []
    columns = ("token_ids", "segment_ids", "padding_mask", objective)
    for row, segments, mask, label in zip(*(rows[name] for name in columns), strict=True):
        first, second = (row[(segments == s) & (mask == 1)] for s in (0, 1))
        assert first[0] == tokenizer.cls_id
        assert first[-1] == second[-1] == tokenizer.sep_id
        assert (row[mask == 0] == tokenizer.pad_id).all()
        pairs.append((first[1:-1], second[:-1], label))
    return pairs


def unmasked(x, y):
    """Rows of a batch with the hidden tokens put back."""
    rows = x["token_ids"].numpy().copy()
    row, slot = np.nonzero(y["masked_lm"].numpy())
    rows[row, x["mask_positions"].numpy()[row, slot]] = y["masked_lm"].numpy()[row, slot]
    return rows


def words_in(rows):
    return rows[rows > 4]


def as_lists(dataset):
    return [tf.nest.map_structure(lambda values: values.numpy().tolist(), b) for b in dataset]


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
        tokens = row[row != words.pad_id]
        assert tokens[0] == words.cls_id and tokens[-1] == words.sep_id
        inner = tokens[1:-1]
        assert inner[0] > 4 and inner[-1] > 4
        before, after = inner[:-1], inner[1:]
        joined = (before > 4) & (after > 4)
        assert (after[joined] == before[joined] + 1).all()
        assert (documents[before[joined]] == documents[after[joined]]).all()
        between = np.flatnonzero(inner == words.sep_id)
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


def test_parts_with_a_sentence_order_are_whole_sentences(tmp_path, words):
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


def test_windows_begin_and_split_at_sentences(tmp_path, words):
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
def test_a_single_long_sentence_is_cut(tmp_path, words, objective):
    corpus = make_corpus(tmp_path / "text", [[[1000], [500, 3]]])
    rows = rows_of(corpus, words, objective, 0.0, shuffle=False)
    tokens = words_in(rows["token_ids"])
    if objective is None:
        np.testing.assert_array_equal(tokens, np.arange(6, 1509))
    else:
        assert np.unique(tokens).size > 0.9 * 1503


def test_a_window_of_one_sentence_is_split_in_its_middle(tmp_path, words):
    corpus = make_corpus(tmp_path / "text", [[[5]] * 40 + [[1]]])
    pairs = pairs_of(rows_of(corpus, words, "next_sentence"), words, "next_sentence")
    # The document of one word gives no row.
    assert len(pairs) == 40
    assert {(first.size, second.size) for first, second, _ in pairs} == {(2, 3)}


@pytest.mark.parametrize("objective", ["next_sentence", "sentence_order", None])
def test_short_windows(tmp_path, words, objective):
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
def test_rows_of_long_documents_are_full(tmp_path, words, objective, least):
    rng = np.random.default_rng(5)
    corpus = make_corpus(tmp_path / "text", [[rng.integers(3, 30, 150).tolist()] for _ in range(3)])
    assert rows_of(corpus, words, objective, 0.0)["padding_mask"].mean() > least


def novels(folder):
    """16 documents of unequal length."""
    rng = np.random.default_rng(2)
    return make_corpus(folder, [[rng.integers(3, 30, 12 + 3 * i).tolist()] for i in range(16)])


def tiny(folder):
    """1,000 documents of one to three sentences."""
    return make_corpus(folder, [random_documents(i, 250, 4, 8) for i in range(4)])


@pytest.mark.parametrize("make", [novels, tiny])
def test_half_of_the_pairs_are_random(tmp_path, words, monkeypatch, make):
    monkeypatch.setattr(corpus_lib, "BLOCK_BYTES", 1000)
    corpus = make(tmp_path / "text")
    dataset = dataset_of(corpus, words, "next_sentence", 1000, num_epochs=7)
    labels = np.concatenate([y["next_sentence"].numpy() for _, y, _ in dataset])
    assert labels.size > 1000
    assert abs(labels.mean() - 0.5) < 5 * np.sqrt(0.25 / labels.size) + 0.02


def test_the_share_of_random_pairs_on_real_novels(shared):
    vocabulary = kb.read_vocabulary(shared / "data" / "vocab" / "bert-base-uncased-vocab.txt")
    tokenizer = kb.Tokenizer(vocabulary)
    corpus = TextCorpus(str(shared / "data" / "text" / "novels" / "*.txt"))
    rows = PretrainingRows(kb.Packer(tokenizer, 128), "next_sentence")
    dataset = pretraining_dataset(corpus, rows, kb.Masker(tokenizer), 256).take(16)
    labels = np.concatenate([y["next_sentence"].numpy() for _, y, _ in dataset])
    assert abs(labels.mean() - 0.5) < 5 * np.sqrt(0.25 / labels.size) + 0.01
    fill = np.mean([x["padding_mask"].numpy().mean() for x, _, _ in dataset])
    assert fill > 0.94


def test_one_dominating_document_never_gives_a_wrong_label(tmp_path, words):
    corpus = make_corpus(tmp_path / "text", [[[9] * 600], [[4] * 9]])
    documents = document_of(corpus, words)
    pairs = pairs_of(rows_of(corpus, words, "next_sentence"), words, "next_sentence")
    for first, second, label in pairs:
        assert label == (documents[first[0]] != documents[second[0]])


def test_what_a_batch_is_made_of(corpus, words):
    for objective in (None, "next_sentence"):
        dataset = dataset_of(corpus, words, objective, 5, num_epochs=None)
        (x, y, sample_weight), *_ = dataset.take(1)
        outputs = {"masked_lm"} if objective is None else {"masked_lm", objective}
        assert set(y) == set(sample_weight) == outputs
        assert {name: values.shape.as_list() for name, values in x.items()} == {
            "token_ids": [5, LENGTH],
            "segment_ids": [5, LENGTH],
            "padding_mask": [5, LENGTH],
            "mask_positions": [5, 9],
        }
        assert {values.dtype for values in (*x.values(), *y.values())} == {tf.int32}
        assert {values.dtype for values in sample_weight.values()} == {tf.float32}
        if objective:
            assert sample_weight[objective].numpy().tolist() == [1.0] * 5
        static = dataset.element_spec[0]["token_ids"].shape.as_list()
        assert static == [5, LENGTH]


def test_the_same_arguments_give_the_same_batches(corpus, words):
    objective = "next_sentence"
    tf.random.set_seed(1)
    dataset = dataset_of(corpus, words, objective, seed=3)
    one = as_lists(dataset)
    assert as_lists(dataset) == one
    tf.random.set_seed(2)
    assert as_lists(dataset_of(corpus, words, objective, seed=3)) == one
    assert as_lists(dataset_of(corpus, words, objective, seed=4).take(1))[0] != one[0]


def with_threads(dataset, threads):
    options = tf.data.Options()
    options.threading.private_threadpool_size = threads
    options.autotune.enabled = threads > 1
    return dataset.with_options(options)


def test_a_resumed_run_sees_the_same_batches(corpus, words):
    # Four epochs, with other numbers of threads.
    arguments = {"batch_size": 17, "num_epochs": None}
    whole = dataset_of(corpus, words, "next_sentence", **arguments)
    whole = as_lists(with_threads(whole, 1).take(33))
    for first_step in (1, 25):
        resumed = dataset_of(corpus, words, "next_sentence", **arguments, first_step=first_step)
        assert as_lists(with_threads(resumed, 4).take(33 - first_step)) == whole[first_step:]


def test_every_epoch_differs(corpus, words):
    epochs = [rows_of(corpus, words, None, 0.0, epoch=epoch)["token_ids"] for epoch in range(2)]
    size = min(map(len, epochs))
    assert (epochs[0][:size] != epochs[1][:size]).any(axis=1).mean() > 0.9
    np.testing.assert_array_equal(*(np.sort(words_in(rows)) for rows in epochs))


def test_masks_are_new_in_every_epoch(tmp_path, words):
    corpus = make_corpus(tmp_path / "text", [[[50]]])
    batches = list(dataset_of(corpus, words, None, 1, 0.0, num_epochs=None).take(5))
    rows = [x["token_ids"].numpy().tolist() for x, _, _ in batches]
    assert len(set(map(str, rows))) == 5
    assert len({str(unmasked(x, y).tolist()) for x, y, _ in batches}) == 1


def test_the_last_batch_of_a_finite_dataset_is_kept(corpus, words):
    sizes = [x["token_ids"].shape[0] for x, _, _ in dataset_of(corpus, words, None, 11)]
    (whole,) = dataset_of(corpus, words, None, 10_000)
    assert set(sizes[:-1]) == {11} and sum(sizes) == whole[0]["token_ids"].shape[0]
    assert sizes[-1] == sum(sizes) % 11


def test_workers_see_different_text(corpus, words, documents):
    parts = []
    for index in range(2):
        dataset = dataset_of(corpus, words, None, short_seq_prob=0.0, shard=(index, 2))
        parts += [words_in(unmasked(x, y)) for x, y, _ in dataset]
    together = np.sort(np.concatenate(parts))
    np.testing.assert_array_equal(together, np.arange(6, 6 + together.size))
    assert (documents >= 0).sum() == together.size


def test_a_token_corpus_gives_the_same_rows(corpus, words, tmp_path):
    write_token_corpus(corpus, words, tmp_path / "tokens")
    tokens = TokenCorpus(tmp_path / "tokens")
    arguments = {"shuffle": False, "seed": 5}
    expected = as_lists(dataset_of(corpus, words, "next_sentence", **arguments))
    assert as_lists(dataset_of(tokens, words, "next_sentence", **arguments)) == expected
    for objective in ("sentence_order", None):
        for rows in zip(
            *(rows_of(c, words, objective, shuffle=False).values() for c in (corpus, tokens)),
            strict=True,
        ):
            np.testing.assert_array_equal(*rows)
    assert rows_of(tokens, words, "next_sentence")["next_sentence"].any()


def test_a_document_for_every_worker_is_needed(tmp_path, words):
    one = make_corpus(tmp_path / "one", [[[5, 5]]])
    with pytest.raises(ValueError, match="at least two documents for every worker.*has 1 in 1"):
        dataset_of(one, words, "next_sentence")
    two = make_corpus(tmp_path / "two", [[[5, 5]], [[5, 5]]])
    with pytest.raises(ValueError, match="has 2 in 2 files for 2 workers"):
        dataset_of(two, words, "next_sentence", shard=(0, 2))


def test_text_without_a_row_is_refused(tmp_path, words):
    corpus = make_corpus(tmp_path / "text", [[[1]], [[1]]])
    with pytest.raises(ValueError, match="at least one row"):
        dataset_of(corpus, words, "next_sentence", num_epochs=None)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"batch_size": 0}, "batch_size must be at least 1"),
        ({"first_step": -1}, "first_step must be at least 0"),
        ({"num_epochs": 0}, "num_epochs must be at least 1"),
        ({"shard": (0, 4)}, "3 files for 4 workers"),
        ({"objective": "both"}, "sentence_objective must be one of"),
        ({"short_seq_prob": 1.5}, "short_seq_prob must be from 0 to 1"),
    ],
)
def test_errors_say_what_must_hold(corpus, words, arguments, message):
    arguments = {"objective": None, **arguments}
    with pytest.raises(ValueError, match=message):
        dataset_of(corpus, words, **arguments)


@pytest.mark.parametrize("length", [7, None])
def test_rows_need_a_length(words, length):
    with pytest.raises(ValueError, match="sequence_length must be at least 8"):
        PretrainingRows(kb.Packer(words, length))


def test_packer_and_masker_must_agree(corpus, words, tokenizer):
    rows = PretrainingRows(kb.Packer(words, LENGTH))
    with pytest.raises(ValueError, match="same vocabulary"):
        pretraining_dataset(corpus, rows, kb.Masker(tokenizer), 3)


@pytest.mark.parametrize(("objective", "probability"), [("next_sentence", 0.1), (None, 0.0)])
def test_short_rows_are_as_in_the_papers(tokenizer, objective, probability):
    rows = PretrainingRows(kb.Packer(tokenizer, LENGTH), objective)
    assert rows.short_seq_prob == probability


@pytest.mark.parametrize("objective", ["next_sentence", "sentence_order", None])
def test_short_rows_are_joined_with_their_labels(objective, corpus, words):
    packer = kb.Packer(words, LENGTH)
    (blocks,) = corpus.blocks(shuffle=False).batch(1000)
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


def test_batches_of_joined_rows(corpus, words):
    rows = PretrainingRows(kb.Packer(words, LENGTH), "next_sentence", 1.0, num_sequences=3)
    masker = kb.Masker(words, max_predictions=9)
    x, y, weights = next(iter(pretraining_dataset(corpus, rows, masker, 7)))
    assert x["token_ids"].shape == (7, LENGTH) and y["next_sentence"].shape == (7, 3)
    exists = x["padding_mask"].numpy().max(axis=1)[:, None] >= np.arange(1, 4)
    np.testing.assert_array_equal(weights["next_sentence"], exists)


def test_a_row_holds_at_least_one_sequence(words):
    with pytest.raises(ValueError, match="num_sequences must be at least 1"):
        PretrainingRows(kb.Packer(words, LENGTH), num_sequences=0)


@pytest.mark.parametrize("objective", ["next_sentence", "sentence_order", None])
def test_rows_of_another_template_hold_as_much_as_fits(corpus, words, documents, objective):
    """RoBERTa's: two separators between segments, no segment ids."""
    own, sep = words.cls_id, words.sep_id
    template = Template(before=(own,), between=(sep, sep), after=(sep,), segment_ids=(0, 0))
    packer = kb.Packer(words, LENGTH, template)
    (blocks,) = corpus.blocks(shuffle=False).batch(1000)
    rows = PretrainingRows(packer, objective, 0.0)(corpus.read(blocks, words), [1, 2])
    assert not rows["segment_ids"].numpy().any()
    lengths = rows["padding_mask"].numpy().sum(axis=1)
    assert lengths.max() == LENGTH or (objective == "sentence_order" and lengths.max() < LENGTH)
    for row, length in zip(rows["token_ids"].numpy(), lengths, strict=True):
        special = np.flatnonzero(row[:length] < 5)
        assert row[0] == own and row[length - 1] == sep and (row[length:] == words.pad_id).all()
        if objective is not None:
            first, second = special[1:3]
            assert len(special) == 4 and second == first + 1
            assert (row[[first, second]] == sep).all()
        else:  # one separator between documents, and none of the template's
            assert (np.diff(special) > 1).all()

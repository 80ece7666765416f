"""Batches for pretraining: exact repeats and resumes, and what each is made of."""

import numpy as np
import pytest
import tensorflow as tf

import keras_bert as kb
from keras_bert.data.pretraining import corpus as corpus_lib
from keras_bert.data.pretraining.dataset import pretraining_dataset
from keras_bert.data.pretraining.order import Order
from keras_bert.data.pretraining.rows import PretrainingRows
from keras_bert.data.pretraining.token_corpus import TokenCorpus, write_token_corpus

LENGTH = 61


def dataset_of(
    corpus,
    words,
    objective,
    batch_size=7,
    short_seq_prob=0.1,
    first_step=0,
    num_epochs=1,
    rate=0.15,
    **order,
):
    rows = PretrainingRows(kb.Packer(words, LENGTH), objective, short_seq_prob)
    masker = kb.Masker(words, rate=rate, max_predictions=9)
    return pretraining_dataset(
        *(corpus, rows, masker, batch_size, Order(**order)),
        first_step=first_step,
        num_epochs=num_epochs,
    )


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


def novels():
    """16 documents of unequal length, a file each."""
    rng = np.random.default_rng(2)
    return [[rng.integers(3, 30, 12 + 3 * i).tolist()] for i in range(16)]


def tiny():
    """1,000 documents of one to three sentences, in four files."""
    rng = np.random.default_rng(3)
    return [[rng.integers(1, 8, rng.integers(1, 4)).tolist() for _ in range(250)] for _ in range(4)]


@pytest.mark.parametrize("make", [novels, tiny])
def test_half_of_the_pairs_are_random(make_corpus, tmp_path, words, monkeypatch, make):
    monkeypatch.setattr(corpus_lib, "BLOCK_BYTES", 1000)
    corpus = make_corpus(tmp_path / "text", make())
    dataset = dataset_of(corpus, words, "next_sentence", 1000, num_epochs=7)
    labels = np.concatenate([y["next_sentence"].numpy() for _, y, _ in dataset])
    assert labels.size > 1000
    assert abs(labels.mean() - 0.5) < 5 * np.sqrt(0.25 / labels.size) + 0.02


def test_the_share_of_random_pairs_on_real_novels(shared):
    vocabulary = kb.read_vocabulary(shared / "data" / "vocab" / "bert-base-uncased-vocab.txt")
    tokenizer = kb.Tokenizer(vocabulary)
    corpus = kb.TextCorpus(str(shared / "data" / "text" / "novels" / "*.txt"))
    rows = PretrainingRows(kb.Packer(tokenizer, 128), "next_sentence")
    dataset = pretraining_dataset(corpus, rows, kb.Masker(tokenizer), 256).take(16)
    labels = np.concatenate([y["next_sentence"].numpy() for _, y, _ in dataset])
    assert abs(labels.mean() - 0.5) < 5 * np.sqrt(0.25 / labels.size) + 0.01
    fill = np.mean([x["padding_mask"].numpy().mean() for x, _, _ in dataset])
    assert fill > 0.94


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


def test_the_rate_of_masks_is_that_of_the_step(corpus, words):
    asked = []

    def rate(step):
        asked.append(step)
        return tf.where(step < 20, 0.15, 0.02)

    arguments = {"batch_size": 17, "num_epochs": None, "rate": rate}
    whole = as_lists(dataset_of(corpus, words, "next_sentence", **arguments).take(33))
    most = [max(np.sum(weights["masked_lm"], axis=1)) for _, _, weights in whole]
    assert set(most[20:]) == {1.0} and min(most[:20]) > 3
    assert all(step.dtype == tf.int64 for step in asked)
    resumed = dataset_of(corpus, words, "next_sentence", **arguments, first_step=19)
    assert as_lists(resumed.take(14)) == whole[19:]


def test_epochs_are_counted_from_that_of_the_order(corpus, words):
    def rows(**epochs):
        dataset = dataset_of(corpus, words, None, 10_000, 0.0, **epochs)
        return np.concatenate([unmasked(x, y) for x, y, _ in dataset])

    both, second = rows(epoch=4, num_epochs=2), rows(epoch=5)
    np.testing.assert_array_equal(both[-len(second) :], second)
    assert both[:50].tolist() != second[:50].tolist()


def test_masks_are_new_in_every_epoch(make_corpus, tmp_path, words):
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


def test_a_document_for_every_shard_is_needed(make_corpus, tmp_path, words):
    one = make_corpus(tmp_path / "one", [[[5, 5]]])
    with pytest.raises(ValueError, match="at least two documents for every shard.*has 1 in 1"):
        dataset_of(one, words, "next_sentence")
    two = make_corpus(tmp_path / "two", [[[5, 5]], [[5, 5]]])
    with pytest.raises(ValueError, match="has 2 in 2 files for 2 shards"):
        dataset_of(two, words, "next_sentence", shard=(0, 2))


def test_text_without_a_row_is_refused(make_corpus, tmp_path, words):
    corpus = make_corpus(tmp_path / "text", [[[1]], [[1]]])
    with pytest.raises(ValueError, match="at least one row"):
        dataset_of(corpus, words, "next_sentence", num_epochs=None)


def test_packer_and_masker_must_agree(corpus, words, tokenizer):
    rows = PretrainingRows(kb.Packer(words, LENGTH))
    with pytest.raises(ValueError, match="same vocabulary"):
        pretraining_dataset(corpus, rows, kb.Masker(tokenizer), 3)


def test_batches_of_joined_rows(corpus, words):
    rows = PretrainingRows(kb.Packer(words, LENGTH), "next_sentence", 1.0, num_sequences=3)
    masker = kb.Masker(words, max_predictions=9)
    x, y, weights = next(iter(pretraining_dataset(corpus, rows, masker, 7)))
    assert x["token_ids"].shape == (7, LENGTH) and y["next_sentence"].shape == (7, 3)
    exists = x["padding_mask"].numpy().max(axis=1)[:, None] >= np.arange(1, 4)
    np.testing.assert_array_equal(weights["next_sentence"], exists)


def test_a_token_corpus_gives_the_same_batches(corpus, words, tmp_path):
    write_token_corpus(corpus, words, tmp_path / "tokens")
    arguments = {"shuffle": False, "seed": 5}
    expected = as_lists(dataset_of(corpus, words, "next_sentence", **arguments))
    tokens = TokenCorpus(tmp_path / "tokens")
    assert as_lists(dataset_of(tokens, words, "next_sentence", **arguments)) == expected


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"batch_size": 0}, "batch_size must be at least 1"),
        ({"first_step": -1}, "first_step must be at least 0"),
        ({"num_epochs": 0}, "num_epochs must be at least 1"),
        ({"shard": (0, 4)}, "3 files for 4 workers"),
    ],
)
def test_errors_say_what_must_hold(corpus, words, arguments, message):
    with pytest.raises(ValueError, match=message):
        dataset_of(corpus, words, None, **arguments)

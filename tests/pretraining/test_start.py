import dataclasses

import numpy as np
import pytest

import keras_bert as kb
from keras_bert.pretraining.start import check_same, take_known_heads, take_word_vectors


@pytest.fixture
def checkpoint(config, tokenizer):
    encoder = kb.BertEncoder(config)
    return kb.Checkpoint(config, tokenizer, encoder, kb.BertPretrainer(encoder, "next_sentence"))


def test_what_nobody_asks_for_may_be_anything(checkpoint):
    check_same(checkpoint, dict.fromkeys(("positions", "lowercase")), "mine")
    config = dataclasses.asdict(checkpoint.config)
    check_same(checkpoint, config, "mine", checkpoint.tokenizer.vocabulary)


@pytest.mark.parametrize(
    ("wanted", "cut", "message"),
    [
        ({"lowercase": False}, 0, "mine as it is, but lowercase is True there and False here"),
        ({"positions": "sinusoidal", "num_layers": None}, 0, "'learned' there and 'sinusoidal'"),
        ({}, 1, "its vocabulary is another one: leave this out"),
        ({"lowercase": False}, 1, "False here; its vocabulary"),
    ],
)
def test_all_that_differs_is_told(checkpoint, wanted, cut, message):
    vocabulary = checkpoint.tokenizer.vocabulary[: -cut or None]
    with pytest.raises(ValueError, match=message):
        check_same(checkpoint, wanted, "mine", vocabulary)


def test_what_is_new_is_told_by_heads(checkpoint):
    again = kb.BertPretrainer(checkpoint.encoder, "next_sentence")
    assert take_known_heads(again, checkpoint) == "All weights are the checkpoint's."
    other = kb.BertPretrainer(checkpoint.encoder, "sentence_order")
    told = take_known_heads(other, checkpoint)
    assert told == "New weights: sentence_order; all others are the checkpoint's."
    bare = dataclasses.replace(checkpoint, model=None)
    assert take_known_heads(other, bare).startswith("New weights: masked_lm and sentence_order;")


def test_known_words_start_from_their_vectors(checkpoint, tmp_path):
    tokenizer, width = checkpoint.tokenizer, checkpoint.config.hidden_dim
    words = [tokenizer.vocabulary[-1], "no-piece", tokenizer.vocabulary[-2]]
    vectors = np.random.default_rng(3).normal(size=[3, width]).round(3)
    path = tmp_path / "vectors.txt"
    lines = (" ".join([word, *map(str, v)]) for word, v in zip(words, vectors, strict=True))
    path.write_text("\n".join(lines) + "\n")
    table = checkpoint.encoder.token_embedding.embeddings
    before = np.array(table)
    told = take_word_vectors(checkpoint.encoder, tokenizer, path)
    assert told.startswith(f"2 of {tokenizer.vocabulary_size} pieces start from their vector in")
    after, last = np.array(table), tokenizer.vocabulary_size - 1
    changed = np.flatnonzero((after != before).any(axis=1))
    assert changed.tolist() == [last - 1, last]
    cosine = np.corrcoef(after[last] - after[last - 1], vectors[0] - vectors[2])[0, 1]
    assert cosine > 0.99


def test_a_head_that_the_family_could_not_save_is_refused_at_once(encoder_of, tokenizer):
    encoder = encoder_of("Electra", num_layers=1)
    start = kb.Checkpoint(encoder.config, tokenizer, encoder, None)
    with pytest.raises(ValueError, match="a sentence objective on an ELECTRA: save its encoder"):
        take_known_heads(kb.BertPretrainer(encoder), start)
    told = take_known_heads(kb.BertPretrainer(encoder, None), start)
    assert told == "New weights: masked_lm; all others are the checkpoint's."
    with pytest.raises(ValueError, match="positions is None there and 'sinusoidal' here"):
        check_same(start, {"positions": "sinusoidal"}, "mine")


def test_vectors_are_as_wide_as_the_embeddings(encoder_of, tokenizer, tmp_path):
    encoder = encoder_of("Electra", num_layers=1)
    path = tmp_path / "vectors.txt"
    path.write_text(" ".join([tokenizer.vocabulary[-1], *["0.5", "1", "2"] * 4]) + "\n")
    assert take_word_vectors(encoder, tokenizer, path).startswith("1 of ")

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

import keras_bert as kb
from keras_bert.pretraining import write_pieces
from keras_bert.pretraining.start import (
    check_pieces,
    check_same,
    extended,
    family_name,
    sentence_objective,
    take_known_heads,
    take_word_vectors,
)

LINES = tf.data.Dataset.from_tensors(["The films, films of the film", "foxes filmed"])


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


def test_a_vocabulary_is_extended_and_heads_with_it(checkpoint, drawn, tmp_path):
    """In spare rows first: the model has 101 for 97 pieces."""
    before = drawn(checkpoint.model)
    larger = extended(checkpoint, "7", LINES)
    new = larger.tokenizer.vocabulary[97:]
    assert "films" in new and larger.config.vocabulary_size == 101
    model = kb.BertPretrainer(larger.encoder, "next_sentence")
    assert take_known_heads(model, larger) == "All weights are the checkpoint's."
    id_of = larger.tokenizer.vocabulary.index
    parts = [id_of("film"), id_of("##s")]
    for old, now in ((table(before), table(model)), (bias(before), bias(model))):
        np.testing.assert_allclose(now[id_of("films")], old[parts].mean(axis=0), atol=1e-6)
        np.testing.assert_array_equal(now[:97], old[:97])
    kb.save(model, tmp_path / "saved", larger.tokenizer)
    assert kb.load(tmp_path / "saved").tokenizer.vocabulary == larger.tokenizer.vocabulary
    (tmp_path / "words.txt").write_text("Films\n\nfox\n")
    alone = extended(dataclasses.replace(checkpoint, model=None), f"{tmp_path}/words.txt", None)
    assert alone.tokenizer.vocabulary[97:] == ("films",) and alone.model is None
    assert alone.config.vocabulary_size == 101


def table(model):
    return np.array(model.encoder.token_embedding.embeddings)


def bias(model):
    return np.array(next(v for v in model.variables if v.path == "masked_lm/bias"))


def test_what_cannot_be_extended_is_refused(checkpoint, tmp_path):
    (tmp_path / "words.txt").write_text("fox\nfilm\n")
    for source, lines, message in (
        (f"{tmp_path}/words.txt", None, "has no piece that the vocabulary lacks: leave it out"),
        ("30", None, "only the tokens of one: give a file"),
    ):
        with pytest.raises(ValueError, match=message):
            extended(checkpoint, source, lines)


def test_pieces_that_a_run_began_with_are_kept(checkpoint, tmp_path, byte_pairs_of):
    check_pieces(tmp_path, checkpoint.tokenizer)  # nothing is there yet
    for name, tokenizer in (("a", checkpoint.tokenizer), ("b", byte_pairs_of("ModernBert"))):
        (tmp_path / name).mkdir()
        write_pieces(tmp_path / name, tokenizer)
        check_pieces(tmp_path / name, tokenizer)
    for name, tokenizer in (("b", checkpoint.tokenizer), ("a", byte_pairs_of("ModernBert"))):
        with pytest.raises(ValueError, match="goes on with the vocabulary it began with"):
            check_pieces(tmp_path / name, tokenizer)


def test_a_sentence_objective_is_that_of_the_family(encoder_of):
    assert family_name(kb.ModernBertConfig()) == "ModernBert"
    assert sentence_objective(None, encoder_of("Roberta", num_layers=1)) is None
    bert = encoder_of("Bert", num_layers=1)
    assert sentence_objective(None, bert) == "next_sentence"
    assert sentence_objective("none", bert) is None


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

"""A domain's pieces behind a tokenizer's own: learned as if it had gone on, or given as words."""

import itertools
import json

import pytest
import tensorflow as tf

import keras_bert as kb
from keras_bert.text.added_tokens import AddedToken
from keras_bert.text.byte_alphabet import BYTES

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
PIECES = (*SPECIAL, "gen", "##e", "##et", "##ic", "the", "a")
MERGES = [("Ġ", "f"), ("i", "n"), ("Ġf", "in"), ("Ġfin", "e")]
MARKS = ("<s>", "<pad>", "</s>", "<unk>", "<mask>")


def dataset(*lines):
    return tf.data.Dataset.from_tensor_slices(list(lines)).batch(2)


@pytest.fixture(scope="module")
def byte_pairs():
    joined = (left + right for left, right in MERGES)
    return kb.BytePairTokenizer((*MARKS, *BYTES, *joined), MERGES, add_prefix_space=True)


def tokens(tokenizer, text):
    return [token.decode() for token in tokenizer.tokens(tokenizer.tokenize(text)).numpy()]


def test_word_pieces_go_on_to_be_learned():
    """Behind the added token, too; "genet", of which "genetic" was made, is no word's piece."""
    tokenizer = kb.Tokenizer(PIECES, added_tokens=(AddedToken("<e>"),))
    lines = dataset("A gene, the gene <e>", "Genetic genetic", "genetic.")
    larger, parts = kb.learn_extension(tokenizer, lines, num_pieces=2, min_frequency=3)
    assert larger.vocabulary == (*PIECES, "<e>", "genetic") and parts == ((5, 7, 8),)
    assert tokens(larger, "Genetics the gene <e>") == ["[UNK]", "the", "gen", "##e", "<e>"]
    assert larger.settings()["lowercase"] and larger.added_tokens == tokenizer.added_tokens


def test_characters_that_are_lacking_come_first():
    """But for those that are part of others in all words."""
    larger, parts = kb.learn_extension(kb.Tokenizer(PIECES), dataset("aβ aβ δ γ δ"), 3)
    assert larger.vocabulary[len(PIECES) :] == ("δ", "aβ") and parts == ((1,), (1,))
    assert kb.learn_extension(kb.Tokenizer(PIECES), dataset("the gene"), 3).parts == ()


def test_words_are_given_as_texts_or_a_vocabulary_spells_them():
    larger, parts = kb.extend_vocabulary(
        kb.Tokenizer(PIECES), ["[PAD]", "Genetic", "gen", "##etic", "genetic", "β"]
    )
    assert larger.vocabulary[len(PIECES) :] == ("genetic", "##etic", "β")
    assert parts == ((5, 7, 8), (7, 8), (1,))
    assert tokens(larger, "genetic genetic") == ["genetic"] * 2


def test_byte_pairs_go_on_to_be_merged(byte_pairs):
    lines = dataset("fine film", "a film, a filing, <mask> <mask>", "é é")
    larger, parts = kb.learn_extension(byte_pairs, lines, 50, min_frequency=2)
    size = byte_pairs.vocabulary_size
    assert larger.vocabulary[:size] == byte_pairs.vocabulary
    assert larger.merges[: len(MERGES)] == tuple(MERGES)
    new = larger.merges[len(MERGES) :]
    assert larger.vocabulary[size:] == tuple(left + right for left, right in new)
    assert {"Ġfil", "ĠÃ©", "Ġa"} <= set(larger.vocabulary[size:])
    assert tokens(larger, "fine film") == ["Ġfine", "Ġfilm"]
    spelled = ["".join(larger.vocabulary[id_] for id_ in one) for one in parts]
    assert tuple(spelled) == larger.vocabulary[size:]
    assert max(itertools.chain(*parts)) < size
    text = "a fine film, <mask> é"
    assert larger.detokenize(larger.tokenize(text)).numpy().decode() == text


def test_words_are_merged_whole(byte_pairs):
    larger, parts = kb.extend_vocabulary(byte_pairs, ["film", "filming", "fine", "naïve", "film"])
    assert tokens(larger, "films filming naïve fine") == [
        *("Ġfilm", "s", "Ġfilming", "ĠnaÃ¯ve", "Ġfine"),
    ]
    assert len(parts) == 3 + 2 + 6


@pytest.mark.reference("tokenizers")
def test_merges_are_those_of_tokenizers(byte_pairs):
    import tokenizers

    from keras_bert.checkpoints import byte_pair_json

    lines = dataset("a fine film, filing films in finer fins", "the filmmakers' film")
    larger, _ = kb.learn_extension(byte_pairs, lines, 20)
    larger, _ = kb.extend_vocabulary(larger, ["filmmaker", "finest"])
    theirs = tokenizers.Tokenizer.from_str(json.dumps(byte_pair_json.content_of(larger)))
    for text in ("a fine film", "filming the finest filmmakers", "finfilmaker  film\n in"):
        ids = theirs.encode(text, add_special_tokens=False).ids
        assert larger.tokenize(text).numpy().tolist() == ids


@pytest.mark.parametrize("word", ["covid-19", "two words"])
def test_what_is_not_one_word_is_refused(word, byte_pairs):
    for tokenizer in (kb.Tokenizer(PIECES), byte_pairs):
        with pytest.raises(ValueError, match=f"must be one as the tokenizer .*{word}.*one by one"):
            kb.extend_vocabulary(tokenizer, ["gene", word])


def test_what_cannot_be_learned_from_is_refused(byte_pairs):
    for tokenizer in (kb.Tokenizer(PIECES), byte_pairs):
        with pytest.raises(ValueError, match="num_pieces must be at least 1; got 0"):
            kb.learn_extension(tokenizer, dataset("a"), 0)
        with pytest.raises(ValueError, match="string batches"):
            kb.learn_extension(tokenizer, tf.data.Dataset.from_tensor_slices(["a"]), 3)

"""The ids and offsets are those of the graph, which google-research/bert's are."""

import gzip
import json
import random

import pytest
import tensorflow as tf

import keras_bert as kb
from keras_bert.lite.normalization import Normalization
from keras_bert.lite.tokenizer import Tokenizer
from keras_bert.text.added_tokens import AddedToken

TRICKY = [*"aAbZ'.:#[]\0\t\n\r  \xa0\u2028\u3000\ufffd\xad\u200b\u0301\u0345\u0307\u0344", "[MASK]"]
TRICKY += [
    *"ΣσςΑİIıÌÍĮJKéÉ각中国人𠀀\u302e\u302f\U0001d165\ua7c0\U00010d50\U0001d15e\ufb03",
    "film",
    "un",
]
MOVED = "\u302e\u302f"
TRICKY += ["<e1>", "Q x", "q\u3000X", "9", "_", "\U000105c9", "\u1b4e", "\U00016d68"]


def random_texts(number: int) -> list[str]:
    rng = random.Random(11)
    return ["".join(rng.choices(TRICKY, k=rng.randint(0, 14))) for _ in range(number)]


@pytest.mark.parametrize("step", [9, pytest.param(1, marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    ("column", "name", "lowercase"),
    [
        ("uncased", "bert-base-uncased", True),
        ("cased", "bert-base-cased", False),
        ("chinese", "bert-base-chinese", True),
        ("multilingual_cased", "bert-base-multilingual-cased", False),
    ],
)
def test_gives_the_tokens_of_googles_tokenizer(shared, column, name, lowercase, step):
    vocabulary = kb.read_vocabulary(shared / "data" / "vocab" / f"{name}-vocab.txt")
    with gzip.open(shared / "golden" / "tokens_by_google_reference.jsonl.gz") as file:
        rows = [json.loads(line) for line in file]
    assert len(rows) == 5509
    unmatched = [i for i, piece in enumerate(vocabulary) if any(map(str.isspace, piece))]
    tokenizer = Tokenizer(vocabulary, Normalization(lowercase, lowercase), unmatched)
    wrong = [
        row["text"]
        for row in rows[::step]
        if [vocabulary[i] for i in tokenizer.tokenize(row["text"])] != row[column]
    ]
    assert wrong == []


ADDED = (
    AddedToken("<e1>"),
    AddedToken("un", single_word=True),
    AddedToken("Q x", normalized=True),
    AddedToken("[MASK]", normalized=False),
)


@pytest.mark.parametrize("split_cjk", [True, False])
@pytest.mark.parametrize(("lowercase", "strip"), [(True, True), (False, False), (True, False)])
def test_random_texts_are_cut_as_by_the_graph(vocabulary, lite_of, lowercase, strip, split_cjk):
    letters = {
        c for text in TRICKY for c in (*text.lower(), *text) if not c.isspace() and c != "\0"
    }
    new = [piece for c in sorted(letters) for piece in (c, f"##{c}") if piece not in vocabulary]
    tokenizer = kb.Tokenizer(
        (*vocabulary, *new),
        lowercase,
        strip_accents=strip,
        split_cjk=split_cjk,
        added_tokens=ADDED,
    )
    lite, texts = lite_of(tokenizer), random_texts(300)
    found = [lite.tokenize_with_offsets(text) for text in texts]
    ids, *spans = (x.to_list() for x in tokenizer.tokenize_with_offsets(texts))
    assert [[piece.id for piece in pieces] for pieces in found] == ids
    for text, pieces, starts, ends in zip(texts, found, *spans, strict=True):
        # Where marks change places the graph counts their bytes, not them.
        if not set(text) & set(MOVED):
            assert [piece[1:] for piece in pieces] == [*zip(starts, ends, strict=True)], text
    masked = tokenizer.tokenize(texts, special_tokens=("[MASK]",)).to_list()
    assert [lite.tokenize(text, ("[MASK]",)) for text in texts] == masked


@pytest.mark.slow
@pytest.mark.parametrize("split_cjk", [True, False])
@pytest.mark.parametrize("lowercase", [True, False])
def test_every_character_is_cut_as_by_the_graph(lite_of, lowercase, split_cjk):
    texts = [f"a{chr(c)}b" for c in range(1, 0x110000) if not 0xD800 <= c <= 0xDFFF]
    marks = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
    tokenizer = kb.Tokenizer((*marks, "a", "b", "##b"), lowercase, split_cjk=split_cjk)
    lite, wanted = lite_of(tokenizer), tokenizer.tokenize(texts).to_list()
    assert [t for t, ids in zip(texts, wanted, strict=True) if lite.tokenize(t) != ids] == []


def test_words_that_are_too_long_and_halves_of_characters(tokenizer, lite_of):
    texts = ["a" * 200, "a" * 201, "film " + "b" * 230 + "!", "\ud800 fine"]
    wanted = [
        tokenizer.tokenize(text.encode("utf-8", "replace")).numpy().tolist() for text in texts
    ]
    lite = lite_of(tokenizer)
    assert [lite.tokenize(text) for text in texts] == wanted
    assert wanted[1] == [tokenizer.unknown_id]


def test_pieces_start_words_as_in_the_graph(tokenizer, lite_of):
    lite, ids = lite_of(tokenizer), range(tokenizer.vocabulary_size)
    assert [lite.starts_word(i) for i in ids] == tokenizer.starts_word(
        tf.range(len(ids))
    ).numpy().tolist()

"""The ids and offsets are those of the graph, which those of `tokenizers` are."""

import copy
import dataclasses
import functools
import gzip
import json
import random

import pytest
import tensorflow as tf

import keras_bert as kb
from keras_bert.checkpoints.byte_pair_files import MODERNBERT_TOKENIZER, ROBERTA_TOKENIZER
from keras_bert.checkpoints.snapshot import Snapshot
from keras_bert.text.added_tokens import AddedToken
from keras_bert.text.byte_alphabet import BYTES

SPECIAL = ("<s>", "<pad>", "</s>", "<unk>", "<mask>")
MERGES = (
    *(("\u0120", "f"), ("i", "n"), ("\u0120f", "in"), ("\u0120fin", "e"), ("\u0120", "a")),
    *(("\u00c3", "\u00a9"), ("\u0120", "\u0120"), ("'", "s")),
)
PIECES = (*SPECIAL, *BYTES, *(left + right for left, right in MERGES))
ADDED = (
    AddedToken("   ", normalized=True, special=False),
    AddedToken("<e1>", rstrip=True),
    AddedToken("cat", single_word=True),
    AddedToken("\u00e9t\u00e9", normalized=True),
)
VARIANTS = {
    "plain": {},
    "prefixed": {"add_prefix_space": True, "added_tokens": ADDED},
    "composed": {"compose": True, "trim_offsets": False, "added_tokens": ADDED},
    "all": {"compose": True, "add_prefix_space": True, "added_tokens": ADDED},
}
PARTS = [*"fimnea  \n\t1.\u00e9\u3000\x85\xa0\0", "'s", "'re", "  ", "e\u0301", "te\u0301"]
PARTS += ["<mask>", "<e1>", "cat", "\u212b", "\u4e2d", "\U00016d68", "\u0897"]
CONFIG = kb.BertConfig(
    vocabulary_size=50_265, num_layers=1, num_heads=3, hidden_dim=15, intermediate_dim=31
)
# All planes with characters, and some of the others.
CODES = (*range(1, 0xD800), *range(0xE000, 0x34000), *range(0x34000, 0x110000, 29))
EVERY = [*map(chr, CODES), *map(chr, range(0xE0000, 0xE0200))]


def check_same(tokenizer, lite, texts, special_tokens=()):
    ids, *spans = tokenizer.tokenize_with_offsets(texts, special_tokens=special_tokens)
    columns = (x.to_list() for x in (ids, *spans))
    for text, *wanted in zip(texts, *columns, strict=True):
        found = lite.tokenize_with_offsets(text, special_tokens)
        assert (text, [*map(list, zip(*found, strict=True))] or [[], [], []]) == (text, wanted)


@pytest.fixture(scope="module")
def golden(shared):
    """What reads a tokenizer of the golden files, and the rows of the golden strings."""
    folder = shared / "golden" / "families" / "bpe"
    if not folder.is_dir():
        pytest.skip("without the reference data: golden/families/bpe is not in shared/")
    with gzip.open(folder / "tokens.jsonl.gz", "rt", encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]

    @functools.cache
    def read(name):
        files = MODERNBERT_TOKENIZER if name == "modernbert_like" else ROBERTA_TOKENIZER
        with Snapshot(folder / name) as snapshot:
            return files.read(snapshot, CONFIG, {})

    return read, rows


@pytest.mark.parametrize("step", [19, pytest.param(1, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", ["roberta", "roberta_prefix_space", "modernbert_like"])
def test_golden_strings(golden, lite_of, name, step):
    read, rows = golden
    tokenizer = copy.copy(read(name.removesuffix("_prefix_space")))
    if name == "roberta_prefix_space":
        tokenizer.add_prefix_space = True
    lite, special = lite_of(tokenizer), list(dataclasses.astuple(tokenizer.special_tokens))
    for row in rows[::step]:
        found = lite.tokenize_with_offsets(row["text"], special)
        assert [piece.id for piece in found] == row[name]["ids"], row["text"]
        assert [[*piece[1:]] for piece in found] == row[name]["offsets"], row["text"]
        assert lite.tokenize(row["text"], special) == row[name]["ids"], row["text"]


@pytest.mark.parametrize("options", VARIANTS.values(), ids=VARIANTS)
def test_random_texts_are_cut_as_by_the_graph(lite_of, options):
    tokenizer = kb.BytePairTokenizer(PIECES, MERGES, **options)
    generator = random.Random(3)
    texts = ["".join(generator.choices(PARTS, k=generator.randint(0, 12))) for _ in range(200)]
    lite = lite_of(tokenizer)
    check_same(tokenizer, lite, texts)
    check_same(tokenizer, lite, texts[::5], ("<mask>", "</s>"))
    wanted = tokenizer.tokenize(texts, ("<mask>",)).to_list()
    assert [lite.tokenize(text, ("<mask>",)) for text in texts] == wanted


@pytest.mark.slow
@pytest.mark.parametrize("name", ["plain", "all"])
def test_every_character_is_cut_as_by_the_graph(lite_of, name):
    """Between a letter and a digit; and some behind a space, before a word, and among marks."""
    tokenizer = kb.BytePairTokenizer(PIECES, MERGES, **VARIANTS[name])
    lite = lite_of(tokenizer)
    texts = [f"a{character}1" for character in EVERY]
    texts += [f" {character}'s e{character}\u0323\u0301" for character in EVERY[::13]]
    for start in range(0, len(texts), 1 << 16):
        some = texts[start : start + (1 << 16)]
        check_same(tokenizer, lite, ["".join(some[i : i + 32]) for i in range(0, len(some), 32)])


def test_pieces_start_words_as_in_the_graph(lite_of):
    tokenizer = kb.BytePairTokenizer(PIECES, MERGES, added_tokens=ADDED)
    lite, ids = lite_of(tokenizer), range(tokenizer.vocabulary_size)
    wanted = tokenizer.starts_word(tf.range(len(ids))).numpy().tolist()
    assert [lite.starts_word(i) for i in ids] == wanted and len({*wanted}) == 2


def test_roles_and_pieces(lite_of):
    lite = lite_of(kb.BytePairTokenizer(PIECES, MERGES, added_tokens=ADDED))
    assert lite.vocabulary[lite.unknown] == "<unk>" and lite.mask_token == "<mask>"
    assert lite.vocabulary[-4:] == tuple(token.content for token in ADDED)
    assert lite.tokenize("a \ud800") == lite.tokenize("a ?")

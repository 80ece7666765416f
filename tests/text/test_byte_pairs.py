"""BytePairTokenizer: ids and offsets of `tokenizers`, text that comes back, wherever it runs."""

import copy
import dataclasses
import gzip
import json
import random
import unicodedata

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

import keras_bert as kb
from keras_bert.checkpoints.byte_pair_files import MODERNBERT_TOKENIZER, ROBERTA_TOKENIZER
from keras_bert.checkpoints.snapshot import Snapshot
from keras_bert.text.added_tokens import AddedToken
from keras_bert.text.byte_alphabet import BYTES
from keras_bert.text.subwords import SpecialIds
from keras_bert.text.template import Template

SPECIAL = ("<s>", "<pad>", "</s>", "<unk>", "<mask>")
MERGES = (
    *(("Ġ", "f"), ("i", "n"), ("Ġf", "in"), ("Ġfin", "e"), ("Ġf", "i"), ("Ġfi", "l")),
    *(("Ġfil", "m"), ("Ġ", "a"), ("Ã", "©"), ("Ġ", "Ġ")),
)
PIECES = (*SPECIAL, *BYTES, *(left + right for left, right in MERGES))


@pytest.fixture(scope="module")
def pairs():
    return kb.BytePairTokenizer(PIECES, MERGES)


def pieces(tokenizer, ids):
    return [tokenizer.vocabulary[id_] for id_ in np.array(ids)]


def spans(tokenizer, text, **options):
    _, starts, ends = tokenizer.tokenize_with_offsets(text, **options)
    return list(zip(starts.numpy().tolist(), ends.numpy().tolist(), strict=True))


# The reference.


@pytest.fixture(scope="module")
def golden(shared):
    """The folder of the golden files, and the rows of the golden strings."""
    folder = shared / "golden" / "families" / "bpe"
    if not folder.is_dir():
        pytest.skip("without the reference data: golden/families/bpe is not in shared/")
    with gzip.open(folder / "tokens.jsonl.gz", "rt", encoding="utf-8") as file:
        return folder, [json.loads(line) for line in file]


def read(files, folder):
    config = kb.BertConfig(
        vocabulary_size=50_265, num_layers=1, num_heads=3, hidden_dim=15, intermediate_dim=31
    )
    with Snapshot(folder) as snapshot:
        return files.read(snapshot, config, {})


def check_golden(tokenizer, rows, name):
    """`tokenizers` finds special tokens in texts; we do if we are asked to."""
    special = list(dict.fromkeys(dataclasses.astuple(tokenizer.special_tokens)))
    texts = [row["text"] for row in rows]
    ids, starts, ends = tokenizer.tokenize_with_offsets(texts, special_tokens=special)
    assert ids.to_list() == [row[name]["ids"] for row in rows]
    found = [
        [list(span) for span in zip(*both, strict=True)]
        for both in zip(starts.to_list(), ends.to_list(), strict=True)
    ]
    assert found == [row[name]["offsets"] for row in rows]
    assert tokenizer.tokenize(texts, special).to_list() == ids.to_list()


# The default run takes every ninth string.
STEPS = [9, pytest.param(1, marks=pytest.mark.slow)]


@pytest.mark.parametrize("step", STEPS)
def test_golden_strings_of_roberta(golden, step):
    folder, rows = golden
    tokenizer, rows = read(ROBERTA_TOKENIZER, folder / "roberta"), rows[::step]
    check_golden(tokenizer, rows, "roberta")
    prefixed = copy.copy(tokenizer)
    prefixed.add_prefix_space = True
    check_golden(prefixed, rows, "roberta_prefix_space")
    texts = [row["text"] for row in rows]
    assert [t.decode() for t in tokenizer.detokenize(tokenizer.tokenize(texts)).numpy()] == texts


@pytest.mark.parametrize("step", STEPS)
def test_golden_strings_of_modernbert(golden, step):
    folder, rows = golden
    tokenizer = read(MODERNBERT_TOKENIZER, folder / "modernbert_like")
    check_golden(tokenizer, rows[::step], "modernbert_like")


def reference(tokenizer, folder):
    import tokenizers

    ROBERTA_TOKENIZER.write(folder, tokenizer, kb.BertConfig())
    return tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))


VARIANTS = {
    "plain": {},
    "prefixed": {"add_prefix_space": True},
    "composed": {"compose": True, "trim_offsets": False},
}


@pytest.mark.reference("tokenizers")
@pytest.mark.parametrize("options", VARIANTS.values(), ids=VARIANTS)
def test_every_code_point(tmp_path, options):
    """Alone, between a letter and a digit, and before what is a word of its own behind letters."""
    tokenizer = kb.BytePairTokenizer((*PIECES, "'s"), (*MERGES, ("'", "s")), **options)
    theirs = reference(tokenizer, tmp_path)
    characters = [chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000]
    for form in ("{}", "a{}1", "{}'s"):
        for start in range(0, len(characters), 1 << 14):
            texts = [form.format(character) for character in characters[start : start + (1 << 14)]]
            check_same(tokenizer, theirs, texts)


@pytest.mark.reference("tokenizers")
@pytest.mark.parametrize("options", VARIANTS.values(), ids=VARIANTS)
def test_random_texts(tmp_path, options):
    tokenizer = kb.BytePairTokenizer(
        PIECES, MERGES, added_tokens=[AddedToken(" " * 3, normalized=True)], **options
    )
    generator = random.Random(3)
    parts = [*"fimnea  \n\t1.é\u3000\x85\xa0\0", "'s", "'re", "  ", "e\u0301", "<mask>"]
    texts = ["".join(generator.choices(parts, k=generator.randint(0, 14))) for _ in range(5000)]
    check_same(tokenizer, reference(tokenizer, tmp_path), texts, ("<mask>",))


def check_same(tokenizer, theirs, texts, special_tokens=()):
    found = tokenizer.tokenize_with_offsets(texts, special_tokens=special_tokens)
    expected = theirs.encode_batch(texts, add_special_tokens=False)
    for text, one, ids, starts, ends in zip(
        texts, expected, *(x.to_list() for x in found), strict=True
    ):
        assert (text, ids) == (text, one.ids)
        assert (text, list(zip(starts, ends, strict=True))) == (text, one.offsets)


# Texts and back.


@settings(max_examples=9)
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=5, max_size=9))
def test_texts_come_back(pairs, texts):
    ids = pairs.tokenize(texts)
    assert [text.decode() for text in pairs.detokenize(ids).numpy()] == texts


def test_what_stands_around_segments_is_left_out(pairs):
    rows = kb.Packer(pairs, 11)(["a fine", "film"], [" film", "é"])["token_ids"]
    assert pairs.detokenize(rows).numpy().tolist() == [b"a fine film", "filmé".encode()]


def test_a_character_that_is_cut_is_replaced(pairs):
    ids = pairs.tokenize("你a")
    assert pairs.detokenize(ids[1:]).numpy().decode() == "\ufffd\ufffda"
    assert pairs.detokenize(ids[:2]).numpy().decode() == "\ufffd"
    assert pairs.detokenize([[4]]).numpy().tolist() == [b"<mask>"]


def test_bytes_that_are_no_text_are_left_out(pairs):
    assert pairs.detokenize(pairs.tokenize([b"a\xff fine"])).numpy().tolist() == [b"a fine"]
    assert spans(pairs, b"a\xff fine") == [(0, 1), (2, 6)]


# Special and added tokens.


def test_special_tokens_are_text_unless_asked_for(pairs):
    assert 4 not in pairs.tokenize("a <mask>").numpy()
    ids = pairs.tokenize("a <mask></s>", special_tokens=("<mask>",))
    assert pieces(pairs, ids)[:3] == ["a", "<mask>", "<"]  # the space is the mask's
    assert spans(pairs, "a <mask>", special_tokens=["<mask>"]) == [(0, 1), (2, 8)]
    with pytest.raises(ValueError, match=r"\['<x>'\] are not"):
        pairs.tokenize("a", special_tokens=("<x>",))


def test_added_tokens_are_found(pairs):
    added = [
        AddedToken("  ", normalized=True, special=False),
        AddedToken("<e1>", rstrip=True),
        AddedToken("cat", single_word=True),
        AddedToken("\u00e9t\u00e9", normalized=True),
    ]
    tokenizer = kb.BytePairTokenizer(PIECES, MERGES, compose=True, added_tokens=added)
    assert tokenizer.vocabulary[len(PIECES) :] == tuple(token.content for token in added)
    texts = ["a  <e1> fine", "cat a cats", "e\u0301te\u0301s"]
    found = [pieces(tokenizer, row) for row in tokenizer.tokenize(texts).to_list()]
    assert found == [
        ["a", "  ", "<e1>", *"fine"[:1], "in", "e"],
        ["cat", "Ġa", "Ġ", *"cats"],
        ["\u00e9t\u00e9", "s"],
    ]
    assert tokenizer.detokenize(tokenizer.tokenize(texts[0])).numpy() == b"a  <e1>fine"


def test_a_prefix_is_put_once(pairs):
    tokenizer = kb.BytePairTokenizer(PIECES, MERGES, add_prefix_space=True)
    ids = tokenizer.tokenize(["film", " film", "", "  film"])
    assert [pieces(tokenizer, row) for row in ids.to_list()] == [
        *(["Ġfilm"], ["Ġfilm"], [], ["Ġ", "Ġfilm"])
    ]
    assert tokenizer.detokenize(ids).numpy().tolist() == [b"film", b"film", b"", b" film"]


def test_offsets_with_and_without_spaces(pairs):
    assert spans(pairs, "a fine é") == [(0, 1), (2, 6), (7, 7), (7, 8)]
    tokenizer = kb.BytePairTokenizer(PIECES, MERGES, trim_offsets=False, compose=True)
    assert spans(tokenizer, "a fine e\u0301") == [(0, 1), (1, 6), (6, 7), (7, 8)]


# The contract.


def test_roles_and_rows(pairs):
    assert pairs.special == SpecialIds(pad=1, unknown=3, begin=0, separator=2, end=2, mask=4)
    assert pairs.template == Template((0,), (2, 2), (2,), segment_ids=(0, 0))
    assert pairs.mask_token == "<mask>"
    row = kb.Packer(pairs, 9)(["a"], [" film"])
    assert [PIECES[id_] for id_ in row["token_ids"].numpy()[0]] == [
        *("<s>", "a", "</s>", "</s>", "Ġfilm", "</s>", "<pad>", "<pad>", "<pad>")
    ]
    assert not row["segment_ids"].numpy().any()


def test_whole_words_are_masked(pairs):
    row = kb.Packer(pairs, 17)(["mine fine, ab"])["token_ids"]
    words = [[1, 2, 3], [4], [5], [6, 7]]
    masker = kb.Masker(pairs, "word", 0.5, 9, mask_share=1.0, random_share=0.0)
    for seed in range(9):
        hidden = masker(row, [seed, 1])["token_ids"].numpy()[0] == 4
        assert hidden.any()
        assert all(hidden[word].all() or not hidden[word].any() for word in words)


def test_settings_make_it_anew(pairs):
    again = kb.BytePairTokenizer.from_settings(json.loads(json.dumps(pairs.settings())))
    assert again.settings() == pairs.settings()
    assert (
        again.tokenize("a fine film").numpy().tolist()
        == pairs.tokenize("a fine film").numpy().tolist()
    )


def test_shapes_and_types(pairs):
    assert pairs.tokenize("a").shape == [1] and pairs.tokenize(["a"]).shape == [1, None]
    assert pairs.tokenize([]).to_list() == []
    assert all(x.dtype == tf.int32 for x in pairs.tokenize_with_offsets(["a", ""]))
    assert pairs.starts_word([[6, 0]]).to_list() == [[True, True]]
    assert pairs.tokens([5]).numpy().tolist() == ["Ā".encode()]
    with pytest.raises(ValueError, match="strings of shape"):
        pairs.tokenize([["a"]])


def test_a_graph_gives_the_same(pairs, tmp_path):
    texts = ["a fine  film <mask>", "", "e\u0301\n"]
    module = tf.Module()
    module.resources = list(pairs.resources)
    spec = tf.TensorSpec([None], tf.string)
    module.ids = tf.function(lambda x: pairs.tokenize(x).to_tensor(), input_signature=[spec])
    tf.saved_model.save(module, str(tmp_path))
    loaded = tf.saved_model.load(str(tmp_path))
    expected = pairs.tokenize(texts).to_tensor().numpy().tolist()
    assert loaded.ids(tf.constant(texts)).numpy().tolist() == expected
    [mapped] = tf.data.Dataset.from_tensors(texts).map(pairs.tokenize)
    assert mapped.to_tensor().numpy().tolist() == expected


REFUSED = {
    "a piece twice": ((*PIECES, "Ġa"), MERGES, "'Ġa' has the ids"),
    "no special token": (PIECES[1:], MERGES, r"lacks \['<s>'\]"),
    "no byte": (PIECES[:5] + PIECES[6:], MERGES, "1 are missing"),
    "a merge of nothing": (PIECES, (*MERGES, ("q", "q")), "merges:11 merges 'q' and 'q', but 'qq'"),
    "no spelling": ((*PIECES, "a b"), MERGES, "' ' in 'a b' stands for no byte"),
}


@pytest.mark.parametrize(("vocabulary", "merges", "message"), REFUSED.values(), ids=REFUSED)
def test_malformed_vocabularies_are_refused(vocabulary, merges, message):
    with pytest.raises(ValueError, match=message):
        kb.BytePairTokenizer(vocabulary, merges)


def test_composing_changes_texts_alone():
    tokenizer = kb.BytePairTokenizer(PIECES, MERGES, compose=True)
    text = "e\u0301 \u212b"
    back = tokenizer.detokenize(tokenizer.tokenize(text)).numpy().decode()
    assert back == unicodedata.normalize("NFC", text)

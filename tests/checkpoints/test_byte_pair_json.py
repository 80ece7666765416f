"""tokenizer.json of byte-level pieces: read as `tokenizers` reads it, or refused by part."""

import pytest

import keras_bert as kb
from keras_bert.checkpoints.byte_pair_json import (
    Pipeline,
    content_of,
    ids_of,
    merges_of,
    pipeline_of,
    vocabulary_of,
)
from keras_bert.text.byte_alphabet import BYTES

SPECIAL = ("<s>", "<pad>", "</s>", "<unk>", "<mask>")
BYTE_LEVEL = {"type": "ByteLevel", "add_prefix_space": False}
TRIM = {"type": "ByteLevel", "trim_offsets": True}


def fast(**changes):
    return {"model": {"type": "BPE"}, "pre_tokenizer": BYTE_LEVEL, **changes}


def part(kind, name):
    return {kind: {"id": name, "type_id": 0}}


def template(*between):
    first, second = part("Sequence", "A"), part("Sequence", "B")
    begin, end = part("SpecialToken", "[CLS]"), part("SpecialToken", "[SEP]")
    middle = [part("SpecialToken", name) for name in between]
    return {
        "type": "TemplateProcessing",
        "single": [begin, first, end],
        "pair": [begin, first, *middle, second, end],
    }


ROBERTA = {"type": "RobertaProcessing", "cls": ["<s>", 0], "sep": ["</s>", 2]}
ROWS = {"begin": "[CLS]", "separator": "[SEP]"}
READ = {
    "bare": (fast(), Pipeline(False, False, False)),
    "composed": (fast(normalizer={"type": "NFC"}), Pipeline(True, False, False)),
    "prefixed": (fast(pre_tokenizer={"type": "ByteLevel"}), Pipeline(False, True, False)),
    "roberta": (fast(post_processor=ROBERTA), Pipeline(False, False, True, "<s>", "</s>", 2)),
    "as they are": (
        fast(post_processor={**ROBERTA, "trim_offsets": False}),
        Pipeline(False, False, False, "<s>", "</s>", 2),
    ),
    "one separator": (
        fast(post_processor=template("[SEP]")),
        Pipeline(False, False, False, **ROWS, num_separators=1),
    ),
    "two of them, trimmed": (
        fast(
            post_processor={"type": "Sequence", "processors": [TRIM, template("[SEP]", "[SEP]")]},
            normalizer={"type": "Sequence", "normalizers": [{"type": "NFC"}]},
        ),
        Pipeline(True, False, True, **ROWS, num_separators=2),
    ),
}


@pytest.mark.parametrize(("content", "pipeline"), READ.values(), ids=READ)
def test_what_is_said_is_read(content, pipeline):
    assert pipeline_of(content, "t.json") == pipeline


REFUSED = {
    "unigram": (fast(model={"type": "Unigram"}), "model has type 'Unigram', not BPE"),
    "words": (fast(model={"type": "WordLevel"}), "model has type 'WordLevel', not BPE"),
    "no model": (fast(model="BPE"), r"model has type \['BPE'\]"),
    "ends of words": (
        fast(model={"type": "BPE", "end_of_word_suffix": "</w>"}),
        "model has end_of_word_suffix '</w>', not ''",
    ),
    "dropout": (fast(model={"type": "BPE", "dropout": 0.1}), "model has dropout 0.1"),
    "whole words": (fast(model={"type": "BPE", "ignore_merges": True}), "ignore_merges True"),
    "lower case": (fast(normalizer={"type": "Lowercase"}), "normalizer has type 'Lowercase'"),
    "other words": (
        fast(pre_tokenizer={"type": "Metaspace"}),
        "pre_tokenizer has type 'Metaspace'",
    ),
    "no words": (fast(pre_tokenizer=None), "pre_tokenizer has type None"),
    "several": (
        fast(pre_tokenizer={"type": "Sequence", "pretokenizers": [{"type": "Split"}, BYTE_LEVEL]}),
        "pre_tokenizer has 2 steps",
    ),
    "no regex": (fast(pre_tokenizer={**BYTE_LEVEL, "use_regex": False}), "use_regex False"),
    "other rows": (fast(post_processor=template("[X]")), r"rows .*\[X\]"),
    "no rows": (fast(post_processor={"type": "TemplateProcessing"}), r"rows \[\] and \[\]"),
    "no cls": (fast(post_processor={"type": "RobertaProcessing"}), "post_processor has cls None"),
    "BERT's": (fast(post_processor={"type": "BertProcessing"}), "has type 'BertProcessing'"),
}


@pytest.mark.parametrize(("content", "message"), REFUSED.values(), ids=REFUSED)
def test_other_tokenizers_are_refused_by_part(content, message):
    with pytest.raises(ValueError, match=f"t.json must hold byte-level pieces.*{message}"):
        pipeline_of(content, "t.json")


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        ([], r"must hold the ids of pieces, not \[\]"),
        ({"a": "0"}, "'a' has '0'"),
        ({"a": True}, "'a' has True"),
        ({"a": 0, "b": 0}, "0 is that of 'a' and 'b'"),
        ({"a": 0, "b": 9}, "at most 9 pieces, but 'b' has the id 9"),
    ],
)
def test_malformed_vocabularies_are_refused(ids, message):
    with pytest.raises(ValueError, match=f"v.json.*{message}"):
        vocabulary_of(ids, "v.json", 9)


def test_vocabularies_are_in_the_order_of_their_ids():
    assert vocabulary_of({"b": 2, "a": 0}, "v.json", 9) == ["a", "", "b"]


def test_merges_are_pairs_or_texts():
    assert merges_of(["a b", ["ab", "c"]], "t.json") == [("a", "b"), ("ab", "c")]


@pytest.mark.parametrize("merge", ["ab", "a b c", ["a"], ["a", 5], 5, " a"])
def test_malformed_merges_are_refused_by_number(merge):
    with pytest.raises(ValueError, match="two pieces, but the 2th is"):
        merges_of(["a b", merge], "t.json")


@pytest.mark.parametrize("options", [{}, {"num_separators": 1}, {"trim_offsets": False}], ids=str)
def test_what_is_written_is_read(options):
    pieces = (*SPECIAL, "", *BYTES, "ab")
    tokenizer = kb.BytePairTokenizer(pieces, [("a", "b")], add_prefix_space=True, **options)
    content = content_of(tokenizer)
    said = {"num_separators": 2, "trim_offsets": True, **options}
    assert pipeline_of(content, "t.json") == Pipeline(
        False, True, begin="<s>", separator="</s>", **said
    )
    assert [token["id"] for token in content["added_tokens"]] == [0, 1, 2, 3, 4]
    assert ids_of(tokenizer)["<unused5>"] == 5
    assert merges_of(content["model"]["merges"], "t.json") == [("a", "b")]

"""Tokenizers of published directories: cut as there, kept on saving, or refused by name."""

import json
import logging

import pytest

import keras_bert as kb
from keras_bert.checkpoints import word_pieces
from keras_bert.checkpoints.snapshot import Snapshot
from keras_bert.text.added_tokens import AddedToken

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
PIECES = (*SPECIAL, "the", "film", "of", "e", "##1", "1", "<", ">", "/", "e1")
TEXT, ADDED_IDS = "the <e1> film </e1>", [5, 15, 6, 16]
PLAIN_IDS = [5, 11, 14, 12, 6, 11, 13, 14, 12]


@pytest.fixture
def config():
    return kb.BertConfig(
        vocabulary_size=20, num_layers=1, num_heads=2, hidden_dim=6, intermediate_dim=7
    )


def entry(content, **changes):
    flags = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
    return {"content": content, **flags, "special": True, **changes}


def fast(pieces=PIECES, added=(), **changes):
    normalizer = {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True}
    return {
        "added_tokens": [{"id": id_, **token} for id_, token in added],
        "normalizer": {**normalizer, "strip_accents": None, "lowercase": True},
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": None,
        "model": {
            "type": "WordPiece",
            "unk_token": "[UNK]",
            "continuing_subword_prefix": "##",
            "vocab": {piece: id_ for id_, piece in enumerate(pieces) if piece},
        },
        **changes,
    }


def write(folder, vocabulary=PIECES, **files):
    """A directory's files by their names without .json; the vocabulary may be left out."""
    if vocabulary:
        (folder / "vocab.txt").write_text("\n".join(vocabulary) + "\n")
    for name, content in files.items():
        (folder / f"{name}.json").write_text(json.dumps(content))


def read(folder, config, content=None):
    with Snapshot(folder) as snapshot:
        return word_pieces.read(snapshot, config, content or {})


def save(folder, tokenizer, config):
    folder.mkdir()
    word_pieces.write(folder, tokenizer, config)


MARKS = ["<e1>", "</e1>"]
FORMS = {
    "added_tokens.json": {
        "added_tokens": {"<e1>": 15, "</e1>": 16},
        "tokenizer_config": {"do_lower_case": True, "additional_special_tokens": MARKS},
    },
    "words in added_tokens.json": {"added_tokens": {"<e1>": 15, "</e1>": 16}},
    "special tokens alone": {"special_tokens_map": {"additional_special_tokens": MARKS}},
    "of transformers 5": {"tokenizer_config": {"extra_special_tokens": MARKS}},
    "other special tokens": {
        "special_tokens_map": {"bos_token": entry("<e1>"), "eos_token": entry("</e1>")}
    },
    "added_tokens_decoder": {
        "tokenizer_config": {
            "added_tokens_decoder": {
                "15": entry("<e1>"),
                "16": entry("</e1>"),
                "2": entry("[CLS]"),
            }
        }
    },
    "tokenizer.json": {
        "vocabulary": None,
        "tokenizer": fast(added=[(2, entry("[CLS]")), (15, entry("<e1>")), (16, entry("</e1>"))]),
    },
    "tokenizer.json beside vocab.txt": {
        "tokenizer": fast(added=[(15, entry("<e1>")), (16, entry("</e1>"))]),
    },
}


@pytest.mark.parametrize("files", FORMS.values(), ids=FORMS)
def test_added_tokens_are_honoured_and_kept(tmp_path, config, files):
    (tmp_path / "theirs").mkdir()
    write(tmp_path / "theirs", **files)
    tokenizer = read(tmp_path / "theirs", config)
    assert tokenizer.tokenize(TEXT).numpy().tolist() == ADDED_IDS
    save(tmp_path / "ours", tokenizer, config)
    again = read(tmp_path / "ours", config)
    assert again.tokenize(TEXT).numpy().tolist() == ADDED_IDS
    assert again.added_tokens == tokenizer.added_tokens
    assert again.num_word_pieces == len(PIECES)


def test_words_are_normalized_and_marks_are_not(tmp_path, config):
    write(
        tmp_path,
        added_tokens={"Covid": 15, "<E1>": 16},
        special_tokens_map={"additional_special_tokens": ["<E1>"]},
    )
    tokenizer = read(tmp_path, config)
    assert tokenizer.added_tokens == (
        AddedToken("Covid", normalized=True, special=False),
        AddedToken("<E1>"),
    )
    ids = tokenizer.tokenize(["COVID <E1>", "<e1>"]).to_list()
    assert ids == [[15, 16], [11, 14, 12]]


def test_a_token_of_the_vocabulary_may_be_special(tmp_path, config):
    write(tmp_path, tokenizer_config={"additional_special_tokens": [entry("e1")]})
    assert read(tmp_path, config).tokenize("thee1").numpy().tolist() == [5, 14]


def test_special_tokens_without_an_embedding_are_text_and_told(tmp_path, config, caplog):
    marks = [f"<m{i}>" for i in range(6)]
    write(tmp_path, special_tokens_map={"additional_special_tokens": marks})
    with caplog.at_level(logging.WARNING, logger="absl"):
        tokenizer = read(tmp_path, config)
    assert [token.content for token in tokenizer.added_tokens] == marks[:5]
    assert "the special token '<m5>' is text like any other" in caplog.text


def test_ids_may_begin_behind_spare_ones(tmp_path, config):
    write(tmp_path, added_tokens={"<e1>": 18})
    tokenizer = read(tmp_path, config)
    assert tokenizer.tokenize("<e1> the").numpy().tolist() == [18, 5]
    kb.save(kb.BertEncoder(config), tmp_path / "ours", tokenizer)
    assert read(tmp_path / "ours", config).tokenize("<e1>").numpy().tolist() == [18]


def test_ids_without_a_piece_stand_for_no_word(tmp_path, config):
    """What tokenizers makes of a vocabulary with empty or repeated lines."""
    pieces = (*PIECES[:6], "", *PIECES[7:])
    write(tmp_path, None, tokenizer=fast(pieces))
    assert read(tmp_path, config).tokenize("the of film").numpy().tolist() == [5, 7, 1]


def test_special_tokens_of_bert_may_be_added_ones(tmp_path, config):
    write(tmp_path, (*PIECES[:4], *PIECES[5:]), added_tokens={"[MASK]": 14})
    tokenizer = read(tmp_path, config)
    assert tokenizer.mask_id == 14
    assert 14 not in tokenizer.tokenize("[MASK]").numpy()
    assert tokenizer.tokenize("[MASK]", special_tokens=("[MASK]",)).numpy().tolist() == [14]


def own(**settings):
    return {"tokenizer_config": settings}


REFUSED = {
    "MeCab": (own(tokenizer_class="BertJapaneseTokenizer"), "tokenizer_class is 'BertJap"),
    "BERTweet": (own(tokenizer_class="BertweetTokenizer"), "tokenizer_class is 'Bertweet"),
    "MPNet": (own(tokenizer_class="MPNetTokenizer"), "tokenizer_class is 'MPNetTokenizer'"),
    "no tokenizer.json": (own(tokenizer_class="PreTrainedTokenizerFast"), "tokenizer_class is"),
    "no words": (own(do_basic_tokenize=False), "do_basic_tokenize is False"),
    "never split": (own(never_split=["[X]"]), r"never_split is \['\[X\]'\]"),
    "own code": (own(auto_map={"AutoTokenizer": ["a.b", None]}), "auto_map is"),
    "MeCab's words": (own(word_tokenizer_type="mecab"), "word_tokenizer_type is 'mecab'"),
    "cls": (own(cls_token="<s>"), r"cls_token must be '\[CLS\]', not '<s>'"),
    "mask": ({"special_tokens_map": {"mask_token": entry("<mask>")}}, "not '<mask>'"),
    "unk of a number": (own(unk_token=5), "unk_token must be a text, not 5"),
    "lower by a word": (own(do_lower_case="no"), "do_lower_case must be true or false, not 'no'"),
    "accents": (own(strip_accents=1), "strip_accents must be true or false, not 1"),
    "Chinese": (own(tokenize_chinese_chars=None), "tokenize_chinese_chars must be true or false"),
    "id of a word": ({"added_tokens": {"<e1>": "15"}}, "id of the added token '<e1>' must be"),
    "id of a piece": ({"added_tokens": {"<e1>": 6}}, "'<e1>' must have an id of its own, but 6 is"),
    "another id": ({"added_tokens": {"film": 15}}, "which has the token at 6"),
    "no embedding": ({"added_tokens": {"<e1>": 20}}, "id 20, for which .* has no embedding"),
    "gap": ({"added_tokens": {"<e1>": 15, "<e2>": 18}}, "must follow each other, but are 15, 18"),
    "empty": ({"added_tokens": {"": 15}}, "must be a text of one line that is not empty"),
    "no ids": (own(added_tokens_decoder={"x": entry("<e1>")}), "added_tokens_decoder must give"),
    "a list": (own(added_tokens_decoder=[5]), "added_tokens_decoder must give tokens by their ids"),
    "flags": (own(added_tokens_decoder={"15": entry("<e1>", lstrip="no")}), "lstrip of the added"),
    "two ids": (
        {"added_tokens": {"<e1>": 15}, **own(added_tokens_decoder={"16": entry("<e1>")})},
        "must have one id, but has 16 and 15",
    ),
    "two vocabularies": (
        {"tokenizer": fast((*PIECES[:5], "film", "the", *PIECES[7:]))},
        "must have the same pieces, but 'film' has the id 5 in the latter and 6",
    ),
    "bytes": ({"tokenizer": fast(pre_tokenizer={"type": "ByteLevel"})}, "pre_tokenizer has type"),
    "no words in it": ({"tokenizer": fast(pre_tokenizer=None)}, "pre_tokenizer has type None"),
    "NFC": ({"tokenizer": fast(normalizer={"type": "NFC"})}, "normalizer has type 'NFC'"),
    "BPE": ({"tokenizer": fast(model={"type": "BPE", "vocab": {}})}, "model has type 'BPE'"),
    "lists": ({"tokenizer": fast(model=[5])}, "must hold a WordPiece vocabulary"),
    "roberta": (
        {"tokenizer": fast(post_processor={"type": "RobertaProcessing"})},
        "post_processor has type 'RobertaProcessing'",
    ),
    "other rows": (
        {"tokenizer": fast(post_processor={"type": "BertProcessing", "cls": ["<s>", 0]})},
        "must put .* around texts, not '<s>'",
    ),
    "added of another type": ({"tokenizer": fast() | {"added_tokens": {"a": 5}}}, "must be a list"),
    "ids of another type": (
        {"vocabulary": None, "tokenizer": fast() | {"model": {"vocab": {"a": "0"}}}},
        "must have the ids from 0 to 0, each once",
    ),
}


@pytest.mark.parametrize(("files", "message"), REFUSED.values(), ids=REFUSED)
def test_what_is_not_berts_is_refused_by_name_and_value(tmp_path, config, files, message):
    write(tmp_path, **files)
    with pytest.raises(ValueError, match=message) as error:
        read(tmp_path, config)
    assert str(tmp_path) in str(error.value)


def test_a_config_may_name_the_tokenizer(tmp_path, config):
    write(tmp_path)
    with pytest.raises(ValueError, match=r"config.json: tokenizer_class is 'BertJapaneseTok"):
        read(tmp_path, config, {"tokenizer_class": "BertJapaneseTokenizer"})


@pytest.mark.parametrize("name", ["BertTokenizerFast", "DistilBertTokenizer", "ElectraTokenizer"])
def test_other_classes_that_cut_as_bert_does(tmp_path, config, name):
    write(tmp_path, tokenizer_config={"tokenizer_class": name})
    assert read(tmp_path, config).tokenize(TEXT).numpy().tolist() == PLAIN_IDS


@pytest.mark.reference("transformers")
def test_transformers_reads_the_added_tokens_that_are_saved(tmp_path, config):
    import transformers

    tokens = (AddedToken("<e1>"), AddedToken("zebra", normalized=True, special=False))
    tokenizer = kb.Tokenizer(PIECES, added_tokens=tokens)
    kb.save(kb.BertEncoder(config), tmp_path, tokenizer)
    theirs = transformers.AutoTokenizer.from_pretrained(tmp_path)
    for text in ("the <e1> film", "ZEBRA1 <E1>"):
        ids = theirs(text, add_special_tokens=False)["input_ids"]
        assert ids == tokenizer.tokenize(text).numpy().tolist()
    theirs.save_pretrained(tmp_path / "theirs")
    again = read(tmp_path / "theirs", config)
    assert again.tokenize("the <e1> ZEBRA").numpy().tolist() == [5, 15, 16]

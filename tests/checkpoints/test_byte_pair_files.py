"""Byte-level tokenizers of directories: read as transformers has them, kept, or refused by name."""

import json
import shutil

import pytest

import keras_bert as kb
from keras_bert.checkpoints import byte_pair_files
from keras_bert.checkpoints.byte_pair_files import MODERNBERT_TOKENIZER, ROBERTA_TOKENIZER
from keras_bert.checkpoints.snapshot import Snapshot
from keras_bert.text.added_tokens import AddedToken
from keras_bert.text.byte_alphabet import BYTES
from keras_bert.text.byte_pieces import SpecialTokens

ROBERTA = ("<s>", "<pad>", "</s>", "<unk>", *BYTES, "ab", "abc", "<mask>")
MODERNBERT = ("[UNK]", "[CLS]", "[SEP]", "[PAD]", "[MASK]", *BYTES, "ab")
NAMES = SpecialTokens("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[SEP]", "[MASK]")
MERGES = [("a", "b"), ("ab", "c")]


@pytest.fixture
def config():
    return kb.BertConfig(
        vocabulary_size=270, num_layers=1, num_heads=2, hidden_dim=6, intermediate_dim=7
    )


@pytest.fixture
def roberta():
    return kb.BytePairTokenizer(ROBERTA, MERGES)


@pytest.fixture
def modernbert():
    spaces = AddedToken("  ", normalized=True, special=False)
    return kb.BytePairTokenizer(
        *(MODERNBERT, MERGES[:1], NAMES, 1),
        compose=True,
        trim_offsets=False,
        added_tokens=[spaces, AddedToken("[E]")],
    )


def read(files, folder, config, content=None):
    with Snapshot(folder) as snapshot:
        return files.read(snapshot, config, content or {})


def change(path, **changes):
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_robertas_files_are_kept(tmp_path, config, roberta):
    ROBERTA_TOKENIZER.write(tmp_path, roberta, config)
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"vocab.json", "merges.txt", "tokenizer.json", "tokenizer_config.json"}
    assert read(ROBERTA_TOKENIZER, tmp_path, config).settings() == roberta.settings()
    # Each form alone says the same.
    (tmp_path / "tokenizer.json").unlink()
    assert read(ROBERTA_TOKENIZER, tmp_path, config).settings() == roberta.settings()
    (tmp_path / "tokenizer_config.json").unlink()
    assert read(ROBERTA_TOKENIZER, tmp_path, config).settings() == roberta.settings()


def test_modernberts_file_is_kept(tmp_path, config, modernbert):
    MODERNBERT_TOKENIZER.write(tmp_path, modernbert, config)
    assert {p.name for p in tmp_path.iterdir()} == {"tokenizer.json", "tokenizer_config.json"}
    again = read(MODERNBERT_TOKENIZER, tmp_path, config)
    assert again.settings() == modernbert.settings()
    assert again.tokenize("a  [E]ab").numpy().tolist() == [102, 262, 263, 261]


def test_the_config_says_whether_a_space_comes_first(tmp_path, config, roberta):
    ROBERTA_TOKENIZER.write(tmp_path, roberta, config)
    change(tmp_path / "tokenizer_config.json", add_prefix_space=True)
    assert read(ROBERTA_TOKENIZER, tmp_path, config).add_prefix_space


def test_files_may_name_the_special_tokens(tmp_path, config, roberta):
    ROBERTA_TOKENIZER.write(tmp_path, roberta, config)
    (tmp_path / "tokenizer.json").unlink()
    flags = {"lstrip": False, "rstrip": True, "single_word": False, "normalized": False}
    content = {"mask_token": {"content": "ab", **flags}, "pad_token": "</s>"}
    (tmp_path / "tokenizer_config.json").write_text("{}")
    (tmp_path / "special_tokens_map.json").write_text(json.dumps(content))
    tokenizer = read(ROBERTA_TOKENIZER, tmp_path, config)
    assert (tokenizer.special.mask, tokenizer.special.pad) == (260, 2)
    assert tokenizer.tokenize("ab  a", special_tokens=["ab"]).numpy().tolist() == [260, 101]


def without(name):
    return lambda folder: (folder / name).unlink()


def lines(*wanted, name="merges.txt"):
    def write(folder):
        (folder / "tokenizer.json").unlink()
        (folder / name).write_bytes("\n".join(wanted).encode())

    return write


def settings(**changes):
    return lambda folder: change(folder / "tokenizer_config.json", **changes)


def fast(**changes):
    return lambda folder: change(folder / "tokenizer.json", **changes)


def vocabulary(**changes):
    def write(folder):
        (folder / "tokenizer.json").unlink()
        change(folder / "vocab.json", **changes)

    return write


REFUSED = {
    "no merges": (without("merges.txt"), "merges.txt must be there"),
    "three pieces": (
        lines("#version: 0.2", "a b", "a b c"),
        "merges.txt:3 must be two pieces with a space between them, but is 'a b c'",
    ),
    "an empty line": (lines("a b", "", "ab c"), "merges.txt:2 must be two pieces .* is ''"),
    "no result": (
        lines("#version: 0.2", "a b", "a c"),
        "merges.txt:3 merges 'a' and 'c', but 'ac'",
    ),
    "no part": (lines("x y", "a b"), "merges.txt:1 merges 'x' and 'y', but 'xy' is not"),
    "doubled": (lines("a b", "ab c", "a b"), "merges.txt:3 merges 'a' and 'b' again"),
    "order": (lines("ab c", "a b"), "merges.txt:2 merges 'a' and 'b' to what the merge 1 needs"),
    "a hole": (vocabulary(ab=269), "vocab.json must have a piece for every id, .* none for 260"),
    "two of an id": (vocabulary(xy=260), "vocab.json must have each id once, but 260"),
    "too many": (vocabulary(xy=270), "vocab.json must have at most 270 pieces, but 'xy'"),
    "unigram": (fast(model={"type": "Unigram"}), "tokenizer.json must hold byte-level .*'Unigram'"),
    "others inside": (
        lambda folder: change(
            folder / "tokenizer.json",
            model={"type": "BPE", "vocab": {"a": 0}, "merges": []},
        ),
        "vocab.json and .*tokenizer.json must have the same pieces",
    ),
    "XLM-R": (
        settings(tokenizer_class="XLMRobertaTokenizer"),
        "tokenizer_config.json: tokenizer_class is 'XLMRobertaTokenizer'",
    ),
    "another separator": (
        settings(sep_token="<s>"),
        "sep_token is '<s>', but tokenizer.json puts '</s>' into rows",
    ),
    "a number": (settings(mask_token=5), "mask_token must be a text, not 5"),
    "prefix": (settings(add_prefix_space="no"), "add_prefix_space must be true or false"),
}


@pytest.mark.parametrize(("spoil", "message"), REFUSED.values(), ids=REFUSED)
def test_what_is_malformed_is_refused_by_file_and_value(tmp_path, config, roberta, spoil, message):
    ROBERTA_TOKENIZER.write(tmp_path, roberta, config)
    spoil(tmp_path)
    with pytest.raises(ValueError, match=message) as error:
        read(ROBERTA_TOKENIZER, tmp_path, config)
    assert str(tmp_path) in str(error.value)


def test_merges_that_are_no_text_are_refused_by_line():
    with pytest.raises(ValueError, match="m.txt:2 must be UTF-8"):
        byte_pair_files.merges_of(b"a b\n\xff c\n", "m.txt")
    assert byte_pair_files.merges_of(b"# #\r\na b\r\n", "m") == ([("#", "#"), ("a", "b")], 1)


@pytest.mark.reference("transformers")
def test_transformers_opens_what_is_written(tmp_path, config, roberta, modernbert):
    import transformers

    texts = ["ab abc  é\u0301 [E]", " <mask> a", "a [MASK]  "]
    for name, files, tokenizer in (
        ("roberta", ROBERTA_TOKENIZER, roberta),
        ("modernbert", MODERNBERT_TOKENIZER, modernbert),
    ):
        folder = tmp_path / name
        folder.mkdir()
        files.write(folder, tokenizer, config)
        for loader in (transformers.AutoTokenizer, transformers.PreTrainedTokenizerFast):
            theirs = loader.from_pretrained(folder)
            mask = [tokenizer.mask_token]
            ids = theirs(texts, add_special_tokens=False)["input_ids"]
            assert ids == tokenizer.tokenize(texts, special_tokens=mask).to_list()
            row = kb.Packer(tokenizer, None)(["ab"], ["abc"])["token_ids"].numpy()[0].tolist()
            assert theirs("ab", "abc")["input_ids"] == row
        theirs.save_pretrained(tmp_path / "theirs")
        assert read(files, tmp_path / "theirs", config).tokenize(texts).to_list() == (
            tokenizer.tokenize(texts).to_list()
        )
        shutil.rmtree(tmp_path / "theirs")

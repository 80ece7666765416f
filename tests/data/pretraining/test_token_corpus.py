"""TokenCorpus: what the text gives, and what is refused."""

import hashlib
import json

import numpy as np
import pytest
import tensorflow as tf

import keras_bert as kb
from keras_bert import files
from keras_bert.data.pretraining import corpus as corpus_lib
from keras_bert.data.pretraining import token_corpus
from keras_bert.data.pretraining.corpus import TextCorpus
from keras_bert.data.pretraining.order import Order
from keras_bert.data.pretraining.token_corpus import TokenCorpus, write_token_corpus


@pytest.fixture
def many(tmp_path, monkeypatch):
    """11 files of unequal length in small blocks."""
    monkeypatch.setattr(corpus_lib, "BLOCK_BYTES", 64)
    for i in range(11):
        text = "\n".join(f"File {i} line {j}.\n" for j in range(1 + 5 * i))
        (tmp_path / f"f{i:02}.txt").write_text(text)
    return TextCorpus(str(tmp_path / "*.txt"))


@pytest.fixture
def tokens(many, tokenizer, tmp_path):
    write_token_corpus(many, tokenizer, tmp_path / "tokens", num_shards=3)
    return tmp_path / "tokens"


def read_all(corpus, tokenizer, **order):
    ids, documents = [], []
    for block in corpus.blocks(Order(**order)).batch(2):
        sentences = corpus.read(block, tokenizer)
        ids += sentences.ids.to_list()
        documents += sentences.documents.numpy().tolist()
    return ids, documents


def test_a_token_corpus_gives_what_the_text_gives(many, tokenizer, tokens):
    corpus = TokenCorpus(tokens)
    expected = read_all(many, tokenizer, shuffle=False)
    assert read_all(corpus, tokenizer, shuffle=False) == expected
    shuffled = read_all(corpus, tokenizer, seed=1)
    assert shuffled != expected and sorted(shuffled[0]) == sorted(expected[0])
    assert (corpus.num_files, corpus.num_documents) == (3, 11)
    assert corpus.num_tokens == sum(map(len, expected[0]))
    assert [path.name for path in sorted(tokens.iterdir())] == [
        *("manifest.json", *(f"shard-0000{i}.tfrecord" for i in range(3)))
    ]


def test_the_same_corpus_is_written_as_the_same_bytes(many, tokenizer, tokens, tmp_path):
    write_token_corpus(many, tokenizer, tmp_path / "again", num_shards=3)
    for path in tokens.iterdir():
        assert (tmp_path / "again" / path.name).read_bytes() == path.read_bytes()


def test_blocks_of_a_batch_are_numbered(many, tokenizer, tokens):
    for corpus in (many, TokenCorpus(tokens)):
        sentences = corpus.read(next(iter(corpus.blocks().batch(5))), tokenizer)
        assert np.unique(sentences.blocks).tolist() == [0, 1, 2, 3, 4]
        assert (np.diff(sentences.blocks) >= 0).all()


def test_a_token_corpus_is_never_written_over(many, tokenizer, tokens):
    with pytest.raises(ValueError, match="tokens exists"):
        write_token_corpus(many, tokenizer, tokens)
    with pytest.raises(ValueError, match="num_shards must be at least 1"):
        write_token_corpus(many, tokenizer, tokens / "new", 0)


def test_an_interrupted_write_leaves_nothing(many, vocabulary, tmp_path, monkeypatch):
    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr(token_corpus._ShardWriter, "record", fail)
    with pytest.raises(OSError, match="disk full"):
        write_token_corpus(many, kb.Tokenizer(vocabulary), tmp_path / "tokens")
    assert not [path for path in tmp_path.iterdir() if "tokens" in path.name]


def test_a_full_disk_is_an_error_of_the_system(many, tokenizer, tmp_path, monkeypatch):
    def fail(self):
        raise tf.errors.ResourceExhaustedError(None, None, "No space left on device")

    monkeypatch.setattr(tf.io.TFRecordWriter, "close", fail)
    with pytest.raises(OSError, match="No space left") as error:
        write_token_corpus(many, tokenizer, tmp_path / "tokens")
    assert "make space on the disk" in files.reason(error.value)
    assert not TokenCorpus.is_in(tmp_path / "tokens")


def test_what_a_killed_process_left_is_cleared(many, tokenizer, tmp_path):
    left = tmp_path / f"{files.WRITING}tokens"
    left.mkdir()
    (left / "shard-00099.tfrecord").write_text("half of it")
    write_token_corpus(many, tokenizer, tmp_path / "tokens", num_shards=1)
    assert not left.exists()
    assert TokenCorpus.is_in(tmp_path / "tokens") and not TokenCorpus.is_in(tmp_path)
    assert TokenCorpus(tmp_path / "tokens").num_files == 1


def remove_shard(folder):
    (folder / "shard-00001.tfrecord").unlink()


def shorten_shard(folder):
    path = folder / "shard-00001.tfrecord"
    path.write_bytes(path.read_bytes()[:-1])


def flip_a_bit(folder):
    path = folder / "shard-00002.tfrecord"
    data = bytearray(path.read_bytes())
    data[50] ^= 1
    path.write_bytes(data)


def remove_manifest(folder):
    (folder / "manifest.json").unlink()


def spoil_manifest(folder):
    (folder / "manifest.json").write_text("{")


def change_a_count(folder):
    path = folder / "manifest.json"
    path.write_text(path.read_text().replace('"num_tokens": 1', '"num_tokens": 3'))


def change_format(folder):
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps({**manifest, "format": "other"}))


def changed(*path):
    """A function that changes, or with None deletes, one value of a manifest without checksum."""
    *path, key, value = path

    def change(folder):
        manifest = json.loads((folder / "manifest.json").read_text())
        place = manifest
        for step in path:
            place = place[step]
        if value is None:
            del place[key]
        else:
            place[key] = value
        manifest.pop("manifest_sha256")
        (folder / "manifest.json").write_text(json.dumps(manifest))

    return change


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (changed("vocabulary_size", None), "must have a int 'vocabulary_size', .*is None.*again"),
        (changed("num_tokens", -1), "must have a int 'num_tokens', .*is -1"),
        (changed("shards", {}), "must have shards, but .*manifest.json has none"),
        (changed("shards", 1, 7), r"'name', but in shard 1 of .*manifest\.json it is None"),
        (changed("shards", 0, "sha256", None), "must have a str 'sha256', but in shard 0"),
        (changed("shards", 0, "name", "../x"), "must be beside its manifest, but .*'../x'"),
        (remove_shard, r"shard-00001\.tfrecord does not"),
        (shorten_shard, r"shard-00001\.tfrecord must have the manifest's \d+ bytes"),
        (flip_a_bit, r"shard-00002\.tfrecord must have the manifest's SHA-256"),
        (remove_manifest, "must hold manifest.json"),
        (spoil_manifest, "must be JSON"),
        (change_format, "'other'"),
        (change_a_count, "manifest.json is damaged or changed .*Copy the directory again"),
    ],
)
def test_a_damaged_token_corpus_is_refused(tokens, damage, message):
    damage(tokens)
    with pytest.raises(ValueError, match=message):
        TokenCorpus(tokens)


@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_shard_that_is_not_what_it_was_when_it_was_opened_is_an_error(tokens, tokenizer, number):
    corpus = TokenCorpus(tokens)
    path = tokens / "shard-00001.tfrecord"
    # Whole records, as TensorFlow reads them without a word.
    records = [record.numpy() for record in tf.data.TFRecordDataset(str(path)).take(number)]
    with tf.io.TFRecordWriter(str(path)) as writer:
        for record in records:
            writer.write(record)
    for shuffle in (False, True):
        with pytest.raises(tf.errors.InvalidArgumentError, match="shard-00001.tfrecord must be as"):
            read_all(corpus, tokenizer, shuffle=shuffle)


def test_a_manifest_of_before_has_no_checksum(tokens, tokenizer):
    before = read_all(TokenCorpus(tokens), tokenizer)
    changed("format", "keras_bert token corpus 1")(tokens)
    assert read_all(TokenCorpus(tokens), tokenizer) == before


def test_the_record_of_the_tokenizer_is_that_of_older_manifests(tokens, tokenizer):
    manifest = json.loads((tokens / "manifest.json").read_text())
    pieces = "\n".join(tokenizer.vocabulary).encode()
    assert list(manifest.items())[:6] == [
        ("format", "keras_bert token corpus 1"),
        ("vocabulary_size", 97),
        ("vocabulary_sha256", hashlib.sha256(pieces).hexdigest()),
        ("lowercase", True),
        ("strip_accents", True),
        ("split_cjk", True),
    ]


@pytest.mark.parametrize("value", ["yes", False, None])
def test_a_record_of_other_settings_is_refused(tokens, tokenizer, value):
    changed("lowercase", value)(tokens)
    corpus = TokenCorpus(tokens)
    with pytest.raises(ValueError, match=f"its lowercase is True, there {value}"):
        corpus.read(next(iter(corpus.blocks().batch(1))), tokenizer)


def test_another_tokenizer_is_refused(tokens, tokenizer, vocabulary):
    corpus = TokenCorpus(tokens)
    blocks = next(iter(corpus.blocks().batch(1)))
    for other in (
        kb.Tokenizer(vocabulary[:-2] + vocabulary[-1:] + vocabulary[-2:-1]),
        kb.Tokenizer(vocabulary, lowercase=False),
    ):
        with pytest.raises(ValueError, match="manifest.json, but its"):
            corpus.read(blocks, other)

"""A bit that flips, and what is cut off, at ten places in each kind of file that is read.

Damage is an error that names the file, or a fallback with a warning, or leaves the numbers what
they are.
"""

import bz2
import contextlib
import gzip
import hashlib
import json
import lzma
import random

import keras
import numpy as np
import pytest
import tensorflow as tf
from absl import logging

import keras_bert as kb
from keras_bert.data.examples.readers import read_examples
from keras_bert.training.checkpointing import TrainingCheckpoint
from keras_bert.training.record import Record
from keras_bert.training.signals import StopSignal

pytestmark = pytest.mark.faults
PLACES = 10
EPOCHS = kb.training.Epochs(num_steps=9, steps_per_epoch=3)


def flipped(content):
    """A file with one bit flipped, at as many places."""
    draw = random.Random(7)
    for i in range(PLACES):
        damaged = bytearray(content)
        damaged[i * (len(content) - 1) // (PLACES - 1)] ^= 1 << draw.randrange(8)
        yield bytes(damaged)


def cut(content):
    """A file cut at as many places, the last byte and all of it among them."""
    for i in range(PLACES):
        yield content[: i * (len(content) - 1) // (PLACES - 1)]


DAMAGES = {"a flipped bit": flipped, "a cut": cut}


@contextlib.contextmanager
def put_back(path):
    """A context in which a file may be damaged; its content."""
    content = path.read_bytes()
    try:
        yield content
    finally:
        path.write_bytes(content)


def outcomes(path, damage, look, expected):
    """How often damage of a file is an error that names it, and how often it does not matter."""
    errors = same = 0
    with put_back(path) as content:
        for damaged in DAMAGES[damage](content):
            path.write_bytes(damaged)
            try:
                found = look()
            except ValueError as error:
                assert path.name in str(error), error
                errors += 1
            else:
                assert found == expected, "other numbers"
                same += 1
    print(f"{path.name}, {damage}: {errors} refused, {same} the same.")
    return errors, same


@pytest.fixture
def warnings(monkeypatch):
    """What is logged as a warning."""
    texts = []
    monkeypatch.setattr(logging, "warning", lambda text, *values: texts.append(text % values))
    return texts


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A folder with two checkpoints, and the model that is in the second one."""
    folder = tmp_path_factory.mktemp("run")
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(50)])
    model.compile(kb.AdamW(0.1), loss="mse")
    checkpoint = TrainingCheckpoint(folder, model)
    for step in (1, 2):
        model.optimizer.iterations.assign(step)
        model.set_weights([weight + step for weight in model.get_weights()])
        checkpoint.save()
    return checkpoint, model


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", ["state.index", "state.data-00000-of-00001", "format"])
def test_a_checkpoint_falls_back_with_a_warning(run, warnings, damage, name):
    checkpoint, model = run
    assert checkpoint.restore() == 2
    path, weights = checkpoint.paths()[0] / name, model.get_weights()
    refused = whole = 0
    with put_back(path) as content:
        for damaged in DAMAGES[damage](content):
            path.write_bytes(damaged)
            warnings.clear()
            try:
                step = checkpoint.restore()
            except ValueError as error:  # of a later version, as it seems
                assert str(path.parent) in str(error) and name == "format"
                refused += 1
                continue
            if warnings:
                assert step == 1 and "step-00000002 is damaged; falling back" in warnings[0]
            else:
                assert step == 2
                for one, other in zip(model.get_weights(), weights, strict=True):
                    np.testing.assert_array_equal(one, other)
                whole += 1
    print(f"{name}, {damage}: {refused} refused, {whole} the same, else the one before.")
    assert checkpoint.restore() == 2


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_record_is_refused_or_comes_back_from_the_checkpoint(tmp_path, run, damage):
    _, model = run
    checkpoint = TrainingCheckpoint(tmp_path / "of", model)
    record = Record(checkpoint, StopSignal(), tmp_path, EPOCHS)
    record.set_model(model)
    for epoch, step in enumerate((3, 6, 9)):
        model.optimizer.iterations.assign(step)
        record.save_epoch(epoch, {"loss": 0.5 - 0.01 * epoch, "val_accuracy": 0.3 + 0.01 * epoch})

    def look():
        record.resume()
        return record.log.history()

    errors, _ = outcomes(record.log.path, damage, look, look())
    assert errors > PLACES // 2


@pytest.fixture(scope="module")
def model(tmp_path_factory, tokenizer, config):
    """A folder with a task as `kb.save` leaves it, and another encoder's."""
    folder = tmp_path_factory.mktemp("model")
    packer = kb.Packer(tokenizer, config.max_sequence_length)
    kb.save(kb.SentenceEmbedder(kb.BertEncoder(config), packer), folder / "embedder")
    return folder / "embedder"


def look_at(folder):
    """All that a model is: its weights by their sum, config, vocabulary and settings."""
    loaded, digest = kb.load(folder), hashlib.sha256()
    for variable in loaded.model.trainable_variables:  # the pooler is none of them, and new
        digest.update(variable.numpy().tobytes())
    return digest.digest(), loaded.config, loaded.tokenizer.vocabulary, loaded.model.settings()


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_model_is_refused_by_the_name_of_the_file(model, damage):
    expected = look_at(model)
    paths = sorted(path for path in model.rglob("*") if path.is_file())
    assert {"config.json", "model.safetensors", "vocab.txt", "checksums.json"} <= {
        path.name for path in paths
    }
    for path in paths:
        errors, same = outcomes(path, damage, lambda: look_at(model), expected)
        assert errors == PLACES or (path.name, damage, same) == ("checksums.json", "a cut", 1)


@pytest.fixture(scope="module")
def tokens(tmp_path_factory, tokenizer):
    """A token corpus of two shards, and how to read all of it."""
    folder, draw = tmp_path_factory.mktemp("tokens"), random.Random(5).choices
    words = ("the", "quick", "brown", "fox", "lazy", "dog", "fine", "film")
    for name in "ab":
        lines = (" ".join(draw(words, k=9)) + ".\n" + "\n" * (i % 9 == 8) for i in range(900))
        (folder / f"{name}.txt").write_text("".join(lines))
        corpus = kb.TextCorpus(str(folder / f"{name}.txt"), "blank_lines")
        kb.write_token_corpus(corpus, tokenizer, folder / name, num_shards=2)
    return folder


def tokens_of(corpus, tokenizer):
    """Counts, and the ids of all sentences."""
    ids = []
    for blocks in corpus.blocks(kb.Order(shuffle=False)).batch(1):
        ids += corpus.read(blocks, tokenizer).ids.to_list()
    return corpus.summary(), corpus.min_documents(1), corpus.min_documents(2), ids


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", ["manifest.json", "shard-00000.tfrecord", "shard-00001.tfrecord"])
def test_a_token_corpus_is_refused_by_the_name_of_the_file(tokens, tokenizer, damage, name):
    def look():
        return tokens_of(kb.TokenCorpus(tokens / "a"), tokenizer)

    errors, same = outcomes(tokens / "a" / name, damage, look, look())
    assert errors >= PLACES - 1


@pytest.mark.parametrize("damage", [*DAMAGES, "another corpus", "nothing there", "whole records"])
def test_a_shard_that_is_damaged_while_it_is_read_is_named(tokens, tokenizer, damage):
    corpus, path = kb.TokenCorpus(tokens / "a"), tokens / "a" / "shard-00001.tfrecord"
    expected = tokens_of(corpus, tokenizer)
    damages = DAMAGES.get(damage, lambda content: [content])

    def look():
        with kb.pretraining.damage_named(str(tokens / "a"), "blank_lines"):
            return tokens_of(corpus, tokenizer)

    with put_back(path) as content:
        for damaged in damages(content):
            path.write_bytes(damaged)
            if damage == "another corpus":
                path.write_bytes((tokens / "b" / path.name).read_bytes())
            elif damage == "whole records":
                records = [one.numpy() for one in tf.data.TFRecordDataset(str(path))]
                with tf.io.TFRecordWriter(str(path)) as writer:
                    for record in records[:-1]:
                        writer.write(record)
            elif damage == "nothing there":
                path.unlink()
            with pytest.raises(ValueError, match="shard-00001.tfrecord"):
                look()
    assert look() == expected


ROWS = [{"text": f"a fine film {i}", "label": str(i % 2)} for i in range(50)]
TABLE = "text\tlabel\n" + "".join(f"{row['text']}\t{row['label']}\n" for row in ROWS)
COMPRESSED = {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress}


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("suffix", COMPRESSED)
def test_compressed_examples_and_texts_are_refused_by_their_name(tmp_path, damage, suffix):
    path = tmp_path / f"rows.tsv.{suffix}"
    path.write_bytes(COMPRESSED[suffix](TABLE.encode()))
    errors, _ = outcomes(path, damage, lambda: read_examples(str(path)), ROWS)
    assert errors >= PLACES - 2  # in the head of gzip are a time, and the name of a system
    path = path.rename(tmp_path / f"rows.txt.{suffix}")
    expected = kb.TextCorpus(str(path)).summary()
    errors, _ = outcomes(path, damage, lambda: kb.TextCorpus(str(path)).summary(), expected)
    assert errors >= PLACES - 2


def test_examples_in_json_that_are_cut_are_refused_by_their_name(tmp_path):
    path = tmp_path / "rows.json"
    path.write_text(json.dumps(ROWS))
    assert outcomes(path, "a cut", lambda: read_examples(str(path)), ROWS) == (PLACES, 0)


def test_of_a_table_that_is_cut_no_row_is_made_up(tmp_path):
    """Plain text has no checksum: a table that ends early is shorter, and its size is told."""
    path = tmp_path / "rows.tsv"
    refused = shorter = 0
    for size in range(20, len(TABLE), len(TABLE) // PLACES):
        path.write_text(TABLE[:size])
        try:
            rows = read_examples(str(path))
        except ValueError as error:
            assert path.name in str(error)
            refused += 1
        else:
            assert rows[:-1] == ROWS[: len(rows) - 1] and len(rows) < len(ROWS)
            shorter += 1
    print(f"rows.tsv, a cut: {refused} refused, {shorter} shorter.")
    assert refused

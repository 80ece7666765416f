"""Answers to many examples, in every form that can hold them."""

import csv
import dataclasses
import json

import numpy as np
import pytest

import keras_bert as kb
from keras_bert import answering
from keras_bert.data.answers.arrays import read_vectors
from keras_bert.data.rows import Row

TEXTS = ("a fine film", "the lazy dog", "fox", "the quick brown fox", "")
ROWS = [Row({"sentence": text, "label": n}, f"a.txt:{n}") for n, text in enumerate(TEXTS, 1)]


@pytest.fixture(scope="module")
def encoder(config):
    return kb.BertEncoder(dataclasses.replace(config, num_layers=1, initializer_range=0.3))


@pytest.fixture(scope="module")
def classifier(encoder, tokenizer):
    return kb.TextClassifier(encoder, kb.Packer(tokenizer, 7), ("bad", "fine", "new film"))


@pytest.fixture(scope="module")
def embedder(encoder, tokenizer):
    return kb.SentenceEmbedder(encoder, kb.Packer(tokenizer, 7))


@pytest.fixture
def small_blocks(monkeypatch):
    monkeypatch.setattr(answering, "BLOCK", 2)


def test_forms_hold_the_same_answers(classifier, tmp_path, small_blocks, without_graphs):
    answers = classifier(ROWS)
    for suffix in ("jsonl", "csv", "npy", "npz"):
        answering.write_answers(tmp_path / f"a.{suffix}", classifier, ROWS)
    lines = [json.loads(line) for line in (tmp_path / "a.jsonl").open()]
    assert [line["answer"]["label"] for line in lines] == [one["label"] for one in answers]
    assert [(line["label"], line["source"]) for line in lines[:1]] == [(1, "a.txt:1")]
    with (tmp_path / "a.csv").open(newline="") as file:
        cells = list(csv.DictReader(file))
    ours = ["label_", "probability", "probability_bad", "probability_fine", "probability_new film"]
    assert list(cells[0]) == ["sentence", "label", "source", *ours]
    written = np.array([[one[name] for name in ours[2:]] for one in cells], "float64")
    said = np.array([one["probabilities"] for one in answers])
    assert np.abs(written - said).max() < 1e-6
    logits = np.load(tmp_path / "a.npy")
    assert np.abs(np.exp(logits) / np.exp(logits).sum(1, keepdims=True) - said).max() < 1e-6
    found = read_vectors(tmp_path / "a.npz")
    assert (found.vectors == logits).all() and found.rows == ROWS


def test_speed_is_that_of_answers_for_which_all_is_there(classifier, monkeypatch, without_graphs):
    clock = iter([10.0, 12.5])
    asked = []

    def batches(examples):
        asked.append(len(examples))
        yield [0], {}

    monkeypatch.setattr(answering.time, "perf_counter", lambda: next(clock))
    monkeypatch.setattr(classifier, "answer_batches", batches)
    assert answering.answered_per_second(classifier, ROWS) == 2.0
    assert asked == [5, 5]


def test_vectors_are_those_of_embed(embedder, tmp_path, small_blocks, without_graphs):
    examples = [{"text": text} for text in TEXTS]
    answering.write_answers(tmp_path / "a.npz", embedder, examples)
    found = read_vectors(tmp_path / "a.npz")
    assert np.abs(found.vectors - embedder.embed(TEXTS)).max() < 1e-6
    assert [row.source for row in found.rows] == ["[0]", "[1]", "[2]", "[3]", "[4]"]


def test_a_fault_in_the_last_block_is_told_before_the_first_is_answered(
    classifier, tmp_path, small_blocks, monkeypatch, without_graphs
):
    monkeypatch.setattr(type(classifier), "__call__", None)
    with pytest.raises(ValueError, match="b.csv:9: there must be a column 'sentence'"):
        answering.write_answers(tmp_path / "a.csv", classifier, [*ROWS, Row({}, "b.csv:9")])
    assert not list(tmp_path.iterdir())


def test_arrays_hold_what_is_one_for_each_example(encoder, tokenizer, classifier):
    packer = kb.Packer(tokenizer, 7)
    tokens = kb.SentenceEmbedder(encoder, packer, pooling="none")
    for task in (kb.TokenClassifier(encoder, packer, ("O", "B-A")), tokens):
        with pytest.raises(ValueError, match=r"a\.npy holds an array .*: name it \.jsonl"):
            answering.check_form(task, "a.npy")
        answering.check_form(task, "a.csv")
    answering.check_form(classifier, "a.npy")


def test_texts_that_are_cut_are_counted_once(classifier, caplog, small_blocks, without_graphs):
    long = [*ROWS, Row({"sentence": "the fine dog " * 3}, "a.txt:6")]
    answering.check_to_answer(classifier, long)
    told = [record.getMessage() for record in caplog.records]
    assert len(told) == 1 and "1 of 6 examples are longer than 7 pieces and are cut" in told[0]


def test_a_fingerprint_is_of_weights_settings_and_pieces(embedder, encoder, tokenizer, tmp_path):
    kb.save(embedder, tmp_path / "saved")
    prints = {answering.fingerprint(kb.load(tmp_path / "saved").model)}
    assert prints == {answering.fingerprint(embedder)}
    packer = kb.Packer(tokenizer, 7)
    others = kb.Packer(kb.Tokenizer(("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a")), 7)
    cased = kb.Packer(kb.Tokenizer(tokenizer.vocabulary, lowercase=False), 7)
    new = kb.BertEncoder(encoder.config)
    for task in (
        kb.SentenceEmbedder(encoder, packer, pooling="max"),
        kb.SentenceEmbedder(encoder, kb.Packer(tokenizer, 8)),
        kb.SentenceEmbedder(encoder, others),
        kb.SentenceEmbedder(encoder, cased),
        kb.SentenceEmbedder(new, packer),
    ):
        prints.add(answering.fingerprint(task))
    assert len(prints) == 6

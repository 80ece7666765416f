"""What all tokenizers' files say alike: how long rows may be, and how many pieces there are."""

import json
import logging

import pytest

import keras_bert as kb
from keras_bert.checkpoints import tokenizer_files
from keras_bert.checkpoints.snapshot import Snapshot


def longest_row(folder, settings):
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    return tokenizer_files.max_length(Snapshot(folder), kb.BertConfig())


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, 512),
        ({"model_max_length": 1e30}, 512),
        ({"max_len": 9}, 9),
        ({"model_max_length": 7}, 7),
    ],
)
def test_the_longest_row(tmp_path, settings, expected):
    assert longest_row(tmp_path, settings) == expected


@pytest.mark.parametrize("value", ["512", -1, float("nan"), float("inf"), True, [5]])
def test_a_length_that_is_none(tmp_path, value):
    with pytest.raises(ValueError, match=r"tokenizer_config.json: model_max_length must be"):
        longest_row(tmp_path, {"model_max_length": value})


def test_without_a_file_rows_have_all_positions(tmp_path):
    assert tokenizer_files.max_length(Snapshot(tmp_path), kb.BertConfig()) == 512


@pytest.mark.parametrize(("unused", "level"), [(0, None), (63, "INFO"), (64, "WARNING")])
def test_embeddings_without_a_piece_are_told(tokenizer, caplog, unused, level):
    config = kb.BertConfig(vocabulary_size=tokenizer.vocabulary_size + unused)
    with caplog.at_level(logging.INFO, logger="absl"):
        tokenizer_files.check_size(tokenizer, config, "mine")
    assert [record.levelname for record in caplog.records] == ([level] if level else [])
    assert not level or f"the last {unused} stand for none" in caplog.text


def test_pieces_without_an_embedding_are_refused(tokenizer):
    with pytest.raises(ValueError, match="mine: .* vocabulary_size=90 pieces, but has 97"):
        tokenizer_files.check_size(tokenizer, kb.BertConfig(vocabulary_size=90), "mine")


def test_a_tokenizer_of_another_kind_is_refused(encoder_of, byte_pairs_of, tokenizer, tmp_path):
    for family, other, kind in (
        ("Roberta", tokenizer, "RoBERTa holds a BytePairTokenizer, but the tokenizer is a Token"),
        ("Electra", byte_pairs_of("ModernBert"), "ELECTRA holds a Tokenizer, but the tokenizer is"),
    ):
        encoder = encoder_of(family, num_layers=1, vocabulary_size=270)
        with pytest.raises(ValueError, match=f"The checkpoint of an? {kind}"):
            kb.save(encoder, tmp_path / family, other)
        assert not (tmp_path / family).exists()

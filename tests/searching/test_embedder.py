"""The model of sentence embeddings in a checkpoint, or the nearest to it."""

import dataclasses

import numpy as np
import pytest

import keras_bert as kb
from keras_bert.searching.embedder import embedder_of


def test_checkpoints_give_vectors_or_say_why_not(
    tmp_path, config, tokenizer, caplog, without_graphs
):
    encoder = kb.BertEncoder(dataclasses.replace(config, num_layers=1, initializer_range=0.3))
    packer = kb.Packer(tokenizer, 9)
    kb.save(kb.SentenceEmbedder(encoder, packer, pooling="max"), tmp_path / "max")
    kb.save(kb.SentenceEmbedder(encoder, packer, pooling="none"), tmp_path / "tokens")
    kb.save(encoder, tmp_path / "bare", tokenizer)
    kb.save(kb.BertPretrainer(encoder), tmp_path / "blanks", tokenizer)
    kb.save(kb.TextClassifier(encoder, packer, ("a", "b")), tmp_path / "classes")
    caplog.clear()
    found = embedder_of(tmp_path / "max", 7)
    assert (found.pooling, found.packer.sequence_length) == ("max", 7) and not caplog.text
    mean = kb.SentenceEmbedder(encoder, kb.Packer(tokenizer, 23)).embed("the fine fox")
    for name in ("bare", "blanks"):
        found = embedder_of(tmp_path / name)
        assert np.abs(found.embed("the fine fox") - mean).max() < 1e-6
        assert f"{name} is pretrained, but not for sentence embeddings" in caplog.text
    for name, message in (("tokens", "one for every token"), ("classes", "holds a TextClassifier")):
        with pytest.raises(ValueError, match=f"{name} .*{message}|{message}"):
            embedder_of(tmp_path / name)
    with pytest.raises(ValueError, match="at most the encoder's 23 positions, but is 24"):
        embedder_of(tmp_path / "bare", 24)

"""What TensorFlow says of damage gets the name of the file; what is no damage stays what it is."""

import pytest
import tensorflow as tf

import keras_bert as kb
from keras_bert.pretraining import damage_named


@pytest.fixture
def text(tmp_path):
    (tmp_path / "a.txt").write_text("A fine film. It is not long.\n" * 3)
    return str(tmp_path / "a.txt")


def test_a_record_that_is_damaged_later_is_told_with_its_shard(text, tmp_path, tokenizer):
    kb.write_token_corpus(kb.TextCorpus(text), tokenizer, tmp_path / "tokens")
    corpus, shard = kb.TokenCorpus(tmp_path / "tokens"), tmp_path / "tokens/shard-00000.tfrecord"
    content = bytearray(shard.read_bytes())
    content[40] ^= 4
    shard.write_bytes(content)
    with (
        pytest.raises(ValueError, match="shard-00000.tfrecord must have .* Copy the directory"),
        damage_named(str(tmp_path / "tokens"), "files"),
    ):
        list(corpus.blocks())


def test_a_text_that_is_gone_is_named(text, tmp_path):
    (tmp_path / "a.txt").unlink()
    with pytest.raises(ValueError, match="a.txt"), damage_named(text, "files"):
        raise tf.errors.NotFoundError(None, None, "it")


@pytest.mark.parametrize("error", [tf.errors.InvalidArgumentError, tf.errors.UnavailableError])
def test_other_errors_stay_what_they_are(text, error):
    with pytest.raises(error, match="a shape"), damage_named(text, "files"):
        raise error(None, None, "a shape")

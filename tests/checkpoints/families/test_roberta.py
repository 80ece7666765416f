"""RoBERTa's checkpoints, and XLM-RoBERTa's: numbers of transformers."""

import dataclasses
import json
import pathlib

import numpy as np
import pytest

import keras_bert as kb
from keras_bert.checkpoints.byte_pair_files import ROBERTA_TOKENIZER
from keras_bert.checkpoints.families.roberta import ROBERTA, XLM_ROBERTA

KINDS = {
    "classification": "TextClassifier",
    "token": "TokenClassifier",
    "qa": "QuestionAnswerer",
    "multiple_choice": "MultipleChoice",
    "masked_lm": "BertPretrainer",
}
SOURCE = pathlib.Path("config.json")


@pytest.fixture
def write(byte_pairs_of):
    tokenizer, config = byte_pairs_of("Roberta"), kb.RobertaConfig()
    return lambda folder: ROBERTA_TOKENIZER.write(folder, tokenizer, config)


@pytest.mark.parametrize("name", KINDS)
def test_numbers_of_transformers(agrees_with, write, name):
    checkpoint = agrees_with(f"roberta/{name}", write)
    assert type(checkpoint.model).__name__ == KINDS[name]
    assert checkpoint.config.max_sequence_length == 58


@pytest.mark.reference("torch", "transformers")
@pytest.mark.parametrize(
    "kind",
    [
        "SequenceClassification",
        "TokenClassification",
        "QuestionAnswering",
        "MultipleChoice",
        "MaskedLM",
    ],
)
def test_transformers_opens_what_we_save(opens_in_transformers, encoder_of, byte_pairs_of, kind):
    encoder = encoder_of("Roberta", vocabulary_size=270)
    opens_in_transformers(kind, encoder, byte_pairs_of("Roberta"))


def test_positions_are_counted_behind_padding():
    content = ROBERTA.config.write(kb.RobertaConfig(max_sequence_length=7, padding_id=3))
    assert (content["max_position_embeddings"], content["pad_token_id"]) == (11, 3)
    with pytest.raises(ValueError, match=r"must be more than pad_token_id \+ 1, .*, but is 4"):
        ROBERTA.config.read({**content, "max_position_embeddings": 4}, SOURCE)


def test_an_old_pooler_beside_a_classifiers_head_is_left_aside(
    tmp_path, encoder_of, byte_pairs_of, rewrite
):
    encoder = encoder_of("Roberta", num_layers=1, vocabulary_size=270)
    packer = kb.Packer(byte_pairs_of("Roberta"), 9)
    kb.save(kb.TextClassifier(encoder, packer, ("no", "yes")), tmp_path)
    (tmp_path / "checksums.json").unlink()
    unused = {"roberta.pooler.dense.weight": np.zeros([18, 18], "float32")}
    rewrite(tmp_path, lambda tensors: {**tensors, **unused})
    kernel = kb.load(tmp_path).encoder.pooler.dense.kernel
    np.testing.assert_array_equal(kernel, encoder.pooler.dense.kernel)
    other = {"roberta.other.weight": np.zeros([18, 18], "float32")}
    rewrite(tmp_path, lambda tensors: {**tensors, **other})
    with pytest.raises(ValueError, match="roberta.other.weight are not known"):
        kb.load(tmp_path)


def test_the_body_of_xlm_roberta_opens_but_not_its_tokenizer(tmp_path, encoder_of, byte_pairs_of):
    encoder = encoder_of("Roberta", num_layers=1, vocabulary_size=270)
    kb.save(encoder, tmp_path, byte_pairs_of("Roberta"))
    (tmp_path / "checksums.json").unlink()
    content = json.loads((tmp_path / "config.json").read_text())
    content = {**content, "model_type": "xlm-roberta", "architectures": ["XLMRobertaModel"]}
    (tmp_path / "config.json").write_text(json.dumps(content))
    assert kb.load(tmp_path).config == encoder.config
    assert XLM_ROBERTA.classes.masked_lm == "XLMRobertaForMaskedLM"
    (tmp_path / "vocab.json").unlink()
    with pytest.raises(ValueError, match="unigram model of SentencePiece, which is not supported"):
        kb.load(tmp_path)


def test_published_configs_come_back():
    for preset in kb.RobertaConfig.PRESETS:
        config = kb.RobertaConfig.preset(preset)
        changed = dataclasses.replace(config, dropout=0.3)
        assert ROBERTA.config.read(ROBERTA.config.write(changed), SOURCE) == changed


def test_padding_is_that_of_the_config(tmp_path, encoder_of, byte_pairs_of):
    encoder = encoder_of("Roberta", num_layers=1, vocabulary_size=270, padding_id=2)
    with pytest.raises(ValueError, match="must have the config's padding_id, 2, but has 1"):
        kb.save(encoder, tmp_path, byte_pairs_of("Roberta"))

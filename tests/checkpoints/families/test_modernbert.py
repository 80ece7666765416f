"""ModernBERT's checkpoints: numbers of transformers, of all its versions' configs."""

import pathlib

import pytest

import keras_bert as kb
from keras_bert.checkpoints.byte_pair_files import MODERNBERT_TOKENIZER
from keras_bert.checkpoints.families.modernbert import MODERNBERT

KINDS = {
    "classification": "TextClassifier",
    "classification_cls": "TextClassifier",
    "token": "TokenClassifier",
    "masked_lm": "BertPretrainer",
}
SOURCE = pathlib.Path("config.json")


@pytest.fixture
def write(byte_pairs_of):
    tokenizer, config = byte_pairs_of("ModernBert"), kb.ModernBertConfig()
    return lambda folder: MODERNBERT_TOKENIZER.write(folder, tokenizer, config)


@pytest.mark.parametrize("name", KINDS)
def test_numbers_of_transformers(agrees_with, write, name):
    checkpoint = agrees_with(f"modernbert/{name}", write)
    assert type(checkpoint.model).__name__ == KINDS[name]
    assert checkpoint.config.pooling == ("mean" if name == "classification" else "cls")


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
    encoder = encoder_of("ModernBert", vocabulary_size=270, pooling="mean")
    opens_in_transformers(kind, encoder, byte_pairs_of("ModernBert"))


@pytest.mark.reference("torch", "transformers")
def test_transformers_opens_one_of_word_pieces(opens_in_transformers, encoder_of, tokenizer):
    encoder = encoder_of("ModernBert", vocabulary_size=270)
    opens_in_transformers("SequenceClassification", encoder, tokenizer)


def test_one_of_word_pieces_is_read_again(encoder_of, tokenizer, tmp_path):
    encoder = encoder_of("ModernBert", num_layers=1)
    kb.save(encoder, tmp_path, tokenizer)
    found = kb.load(tmp_path)
    assert type(found.encoder) is kb.ModernBertEncoder
    assert found.tokenizer.settings() == tokenizer.settings()


def test_configs_of_older_versions_are_read():
    config = kb.ModernBertConfig(global_base=70000.0, local_base=7000.0, global_every=2)
    content = MODERNBERT.config.write(config)
    del content["rope_parameters"], content["layer_types"]
    assert MODERNBERT.config.read(content, SOURCE) == config


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"norm_bias": True}, "norm_bias is true, but must be false: the model does not compute"),
        ({"layer_types": ["sliding_attention"] * 22}, "layer_types must have full_attention in"),
        (
            {"rope_parameters": {"full_attention": {"rope_type": "yarn"}}},
            "must be of the type default for full_attention, not {'rope_type': 'yarn'}",
        ),
        ({"classifier_pooling": "max"}, r"classifier_pooling must be one of \('cls', 'mean'\)"),
    ],
)
def test_what_it_does_not_compute_is_refused(change, message):
    content = {**MODERNBERT.config.write(kb.ModernBertConfig()), **change}
    with pytest.raises(ValueError, match=message):
        MODERNBERT.config.read(content, SOURCE)

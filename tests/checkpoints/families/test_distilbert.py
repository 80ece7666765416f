"""DistilBERT's checkpoints: numbers of transformers, and what none of them has."""

import dataclasses
import json

import pytest

import keras_bert as kb
from keras_bert.checkpoints import word_pieces
from keras_bert.checkpoints.families.distilbert import DISTILBERT, weight_names

KINDS = {
    "classification": "TextClassifier",
    "token": "TokenClassifier",
    "qa": "QuestionAnswerer",
    "masked_lm": "BertPretrainer",
}


@pytest.fixture
def write(tokenizer):
    return lambda folder: word_pieces.write(folder, tokenizer, kb.DistilBertConfig())


@pytest.mark.parametrize("name", KINDS)
def test_numbers_of_transformers(agrees_with, write, name):
    checkpoint = agrees_with(f"distilbert/{name}", write)
    assert type(checkpoint.model).__name__ == KINDS[name]
    assert type(checkpoint.config) is kb.DistilBertConfig
    if name == "classification":  # whose dropout is its own
        assert checkpoint.model.dropout == 0.2


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
def test_transformers_opens_what_we_save(opens_in_transformers, encoder_of, tokenizer, kind):
    opens_in_transformers(kind, encoder_of("DistilBert"), tokenizer)


def test_the_table_has_every_weight_but_an_encoders_pooler(encoder_of):
    encoder = encoder_of("DistilBert")
    names = weight_names(encoder.config)
    paths = {weight.path for weight in encoder.weights}
    assert paths - set(names.all()) == {"pooler/dense/kernel", "pooler/dense/bias"}
    assert paths <= set(names.all("text_classification"))


def test_what_it_has_not_is_told(tmp_path, encoder_of, tokenizer):
    encoder = encoder_of("DistilBert", num_layers=1)
    with pytest.raises(ValueError, match="a BertPretrainer with a sentence objective on a Distil"):
        kb.save(kb.BertPretrainer(encoder), tmp_path, tokenizer)
    with pytest.raises(ValueError, match="on a DistilBERT: save its encoder, or one of another"):
        kb.save(kb.ReplacedTokenDetector(encoder), tmp_path, tokenizer)
    with pytest.raises(ValueError, match="Google's code has no DistilBERT"):
        kb.save_google(encoder, tmp_path / "google", tokenizer)
    with pytest.raises(ValueError, match="norm_epsilon must be 1e-12, which transformers has as"):
        DISTILBERT.config.write(dataclasses.replace(encoder.config, norm_epsilon=1e-5))
    kb.save(encoder, tmp_path, tokenizer)
    (tmp_path / "checksums.json").unlink()
    content = json.loads((tmp_path / "config.json").read_text())
    del content["dim"]
    (tmp_path / "config.json").write_text(json.dumps(content))
    with pytest.raises(ValueError, match="must be the config of a DistilBERT, .* not say dim"):
        kb.load(tmp_path)

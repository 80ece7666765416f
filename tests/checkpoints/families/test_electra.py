"""ELECTRA's checkpoints: numbers of transformers, generators and discriminators."""

import json

import pytest

import keras_bert as kb
from keras_bert.checkpoints import word_pieces
from keras_bert.checkpoints.families.electra import weight_names

KINDS = {
    "classification": "TextClassifier",
    "token": "TokenClassifier",
    "qa": "QuestionAnswerer",
    "generator": "BertPretrainer",
    "discriminator": "ReplacedTokenDetector",
}


@pytest.fixture
def write(tokenizer):
    return lambda folder: word_pieces.write(folder, tokenizer, kb.ElectraConfig())


@pytest.mark.parametrize("name", KINDS)
def test_numbers_of_transformers(agrees_with, write, name):
    checkpoint = agrees_with(f"electra/{name}", write)
    assert type(checkpoint.model).__name__ == KINDS[name]
    assert checkpoint.config.embedding_dim == 24
    if name == "discriminator":
        with pytest.raises(ValueError, match="filled by a masked language model.*Detector: take a"):
            kb.FillMask(checkpoint.model, kb.Packer(checkpoint.tokenizer))


@pytest.mark.reference("torch", "transformers")
@pytest.mark.parametrize(
    "kind",
    [
        "SequenceClassification",
        "TokenClassification",
        "QuestionAnswering",
        "MultipleChoice",
        "MaskedLM",
        "PreTraining",
    ],
)
def test_transformers_opens_what_we_save(opens_in_transformers, encoder_of, tokenizer, kind):
    opens_in_transformers(kind, encoder_of("Electra"), tokenizer)


@pytest.mark.parametrize("embedding_dim", [11, 18])
def test_the_table_has_every_weight_and_its_shape(encoder_of, embedding_dim):
    encoder = encoder_of("Electra", num_layers=1, embedding_dim=embedding_dim)
    names = weight_names(encoder.config).all("text_classification")
    for model in (kb.BertPretrainer(encoder, None), kb.ReplacedTokenDetector(encoder)):
        for weight in model.weights:
            sizes = names[weight.path].shape
            shape = [getattr(encoder.config, s) if isinstance(s, str) else s for s in sizes]
            assert tuple(shape) == tuple(weight.shape), weight.path


def test_a_summary_that_no_head_here_has_is_refused(tmp_path, encoder_of, tokenizer):
    task = kb.MultipleChoice(encoder_of("Electra", num_layers=1), kb.Packer(tokenizer, 9))
    kb.save(task, tmp_path)
    (tmp_path / "checksums.json").unlink()
    content = json.loads((tmp_path / "config.json").read_text())
    content["summary_type"] = "mean"
    (tmp_path / "config.json").write_text(json.dumps(content))
    with pytest.raises(ValueError, match='summary_type is "mean", but must be "first"'):
        kb.load(tmp_path)

import json

import numpy as np
import pytest
import safetensors.numpy

import keras_bert as kb
from keras_bert.config import StaticConfig
from keras_bert.models.static import StaticEncoder

TEXTS = ["the quick brown fox", "dog", "A fine film, unaffordable, and so on ... 狐", ""]


@pytest.fixture(scope="module")
def directory(tmp_path_factory, tokenizer):
    """A table's checkpoint; special tokens have no vectors."""
    config = StaticConfig(vocabulary_size=tokenizer.vocabulary_size, hidden_dim=7)
    encoder = StaticEncoder(config)
    encoder.set_token_vectors(range(5), np.zeros([5, 7]))
    directory = tmp_path_factory.mktemp("static")
    kb.save(kb.SentenceEmbedder(encoder, kb.Packer(tokenizer, 2048)), directory)
    return directory


def test_a_table_is_saved_as_one_and_opens_as_what_embeds(directory, without_graphs):
    checkpoint = kb.load(directory)
    assert isinstance(checkpoint.encoder, StaticEncoder) and checkpoint.config.num_layers == 0
    assert isinstance(checkpoint.model, kb.SentenceEmbedder)
    tensors = safetensors.numpy.load_file(directory / "model.safetensors")
    assert {name: array.shape for name, array in tensors.items()} == {"embedding.weight": (97, 7)}
    modules = json.loads((directory / "modules.json").read_text())
    kinds = [module["type"].rpartition(".")[2] for module in modules]
    assert kinds == ["StaticEmbedding", "Normalize"]
    # A text is the sum of its pieces, scaled to length 1; order and special tokens are nothing.
    ids = checkpoint.tokenizer.tokenize("the quick fox").numpy()
    wanted = tensors["embedding.weight"][ids].sum(axis=0)
    found = checkpoint.model.embed("fox the quick")
    np.testing.assert_allclose(found, wanted / np.linalg.norm(wanted), atol=1e-6)
    assert not checkpoint.model.embed("").any()


def test_a_head_on_a_table_is_saved_with_it(directory, tokenizer, drawn, tmp_path, without_graphs):
    table, packer = kb.load(directory).encoder, kb.Packer(tokenizer, 15)
    task = drawn(kb.TextClassifier(table, packer, ("bad", "good")))
    kb.save(task, tmp_path)
    again = kb.load(tmp_path).model
    assert again(TEXTS) == task(TEXTS)
    assert len({answer["probability"] for answer in task(TEXTS)}) == len(TEXTS)
    with pytest.raises(ValueError, match="a static table have no name for masked_lm/.* of a Bert"):
        kb.save(kb.BertPretrainer(table, None), tmp_path / "other", tokenizer)
    assert not (tmp_path / "other").exists()


def test_transformers_has_no_name_for_it(directory):
    config = json.loads((directory / "config.json").read_text())
    assert config["model_type"] == "keras_bert_static"
    assert config["architectures"] == ["StaticEmbedding"]


@pytest.mark.reference("sentence_transformers")
def test_sentence_transformers_opens_the_table_and_makes_the_same_vectors(directory):
    import sentence_transformers as theirs

    model = theirs.SentenceTransformer(str(directory), device="cpu")
    np.testing.assert_allclose(
        model.encode(TEXTS[:3]), kb.load(directory).model.embed(TEXTS[:3]), atol=1e-5
    )

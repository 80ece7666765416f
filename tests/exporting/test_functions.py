import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_bert as kb
from keras_bert.exporting.functions import (
    ANSWER,
    MAX_TEXT_BYTES,
    TOKENIZE,
    TOKENS,
    functions_of,
)

SHORT, LONG = "a fine film", 9 * "dog fox "
# Of a TokenClassifier.
WORDS = "words"


def classifier(encoder, packer):
    return kb.TextClassifier(encoder, packer, ("bad", "fine", "odd"), ("first", "second"))


def strided(encoder, packer):
    return kb.TextClassifier(encoder, packer, ("bad", "fine"), stride=7)


def tagger(encoder, packer):
    return kb.TokenClassifier(encoder, packer, ("O", "B-PER", "I-PER"))


def fill_mask(encoder, packer):
    return kb.FillMask(kb.BertPretrainer(encoder), packer, top_k=3)


# How each task is made, its examples as they are sent, and the signatures that it has.
BOTH = (ANSWER, TOKENS, TOKENIZE)
TASKS = {
    "classifier": (classifier, {"first": [SHORT, "unaffable"], "second": ["over", "fox"]}, BOTH),
    "strided": (strided, {"sentence": [SHORT, LONG]}, BOTH),
    "tagger": (tagger, {"text": [SHORT, LONG]}, (ANSWER, WORDS, TOKENS)),
    "answerer": (
        kb.QuestionAnswerer,
        {"question": ["who", "what"], "context": [SHORT, LONG]},
        (ANSWER, TOKENS),
    ),
    "choice": (
        kb.MultipleChoice,
        {
            "context": [SHORT, "a dog"],
            "question": ["", "who"],
            "choices": [["over", "un", "the"], ["fox", "", ""]],
        },
        BOTH,
    ),
    "embedder": (kb.SentenceEmbedder, {"text": [SHORT, LONG]}, BOTH),
    "fill_mask": (fill_mask, {"text": ["a [MASK] film, [MASK]", "the [MASK]"]}, BOTH),
}


@pytest.fixture(scope="module")
def served(config, tokenizer):
    """A task, its functions and its examples, by the name of a row of the table; made once."""
    made = {}

    def get(name):
        if name not in made:
            keras.utils.set_random_seed(3)
            make, texts, _ = TASKS[name]
            encoder = kb.BertEncoder(dataclasses.replace(config, num_layers=1))
            task = make(encoder, kb.Packer(tokenizer, 23))
            columns = {column: tf.constant(text) for column, text in texts.items()}
            made[name] = task, functions_of(task), columns
        return made[name]

    return get


def examples_of(texts):
    """Examples as Python has them, for columns as they are sent."""
    rows = zip(*texts.values(), strict=True)
    lists = [[[c for c in v if c] if isinstance(v, list) else v for v in row] for row in rows]
    return [dict(zip(texts, row, strict=True)) for row in lists]


def plain(value):
    if isinstance(value, np.ndarray | np.generic):
        return plain(value.tolist())
    if isinstance(value, list):
        return [plain(one) for one in value]
    return value.decode() if isinstance(value, bytes) else value


def flat(task, answers, i):
    """The Python values of one answer of a batch, one after the other."""
    row = {name: plain(value.numpy()[i]) for name, value in answers.items()}
    return keras.tree.flatten(task.as_python(row))


@pytest.mark.parametrize("name", TASKS)
def test_answers_are_the_tasks_whatever_else_is_in_the_batch(served, name):
    task, functions, columns = served(name)
    assert tuple(functions) == TASKS[name][2]
    answers = functions[ANSWER](columns)
    for i, example in enumerate(examples_of(TASKS[name][1])):
        alone = task.answer(task.input_columns([example]))
        wanted, answer = flat(task, alone, 0), flat(task, answers, i)
        assert wanted and answer[: len(wanted)] == pytest.approx(wanted, abs=1e-5)


@pytest.mark.parametrize("name", TASKS)
def test_ids_of_texts_give_the_models_outputs(served, name):
    task, functions, columns = served(name)
    features = task.features({k: v[:1] for k, v in columns.items()})
    wanted = task.outputs_of(features)
    ids = task.model_inputs(features)
    if TOKENIZE in functions:
        ids = functions[TOKENIZE]({k: v[:1] for k, v in columns.items()})
        assert set(ids) == set(task.input_names)
    outputs = functions[TOKENS](ids)
    for key, value in wanted.items():
        np.testing.assert_allclose(outputs[key], value, atol=1e-5)


@pytest.mark.parametrize("name", TASKS)
def test_no_rows_give_no_rows(served, name):
    task, functions, columns = served(name)
    none = {key: value[:0] for key, value in columns.items()}
    ids = task.model_inputs(task.features({k: v[:1] for k, v in columns.items()}))
    inputs = dict.fromkeys((ANSWER, TOKENIZE), none)
    inputs[TOKENS] = {key: value[:0] for key, value in ids.items()}
    inputs[WORDS] = {"words": tf.zeros([0, 5], tf.string)}
    for signature, function in functions.items():
        outputs = function(inputs[signature])
        assert outputs and all(len(value) == 0 for value in outputs.values()), signature


def test_words_have_their_labels(served):
    task, functions, _ = served("tagger")
    words = [["Dog", "fox", "fine"], ["film"]]
    sent = tf.constant([words[0], [words[1][0], "", ""]])
    outputs = {k: v.numpy() for k, v in functions[WORDS]({"words": sent}).items()}
    answers = task.answer(task.input_columns([{"words": some} for some in words]))
    for i in range(2):
        wanted = task.as_python({name: plain(value.numpy()[i]) for name, value in answers.items()})
        assert plain(outputs["labels"][i])[: len(wanted)] == [one["label"] for one in wanted]
        probabilities = [one["probability"] for one in wanted]
        np.testing.assert_allclose(outputs["probabilities"][i][: len(wanted)], probabilities, 1e-5)


@pytest.mark.parametrize(
    ("others", "message"),
    [
        ({"first": ["a", "b", "c"]}, "first, second must have the same number of rows"),
        ({"second": ["a"]}, "first, second must have the same number of rows"),
        ({"first": ["a", "b" * (MAX_TEXT_BYTES + 1)]}, "first may have at most 65536 bytes"),
    ],
)
@pytest.mark.parametrize("signature", [ANSWER, TOKENIZE])
def test_wrong_texts_are_refused(served, signature, others, message):
    _, functions, columns = served("classifier")
    others = {name: tf.constant(text) for name, text in others.items()}
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        functions[signature]({**columns, **others})
    longest = tf.constant(["b" * MAX_TEXT_BYTES, "é" * (MAX_TEXT_BYTES // 2)])
    assert functions[signature]({**columns, "first": longest})


def test_a_list_of_texts_is_as_long_as_all_of_them(served):
    _, functions, columns = served("choice")
    half = "b" * (MAX_TEXT_BYTES // 2)
    choices = tf.constant([[half, half, "a"], ["a", "b", ""]])
    with pytest.raises(tf.errors.InvalidArgumentError, match="choices may have at most 65536"):
        functions[ANSWER]({**columns, "choices": choices})


@pytest.mark.parametrize(
    ("others", "message"),
    [
        ({"token_ids": [[2, -1, 3], [2, 5, 3]]}, r"token_ids must lie in \[0, 101\)"),
        ({"token_ids": [[2, 5, 3], [2, 101, 3]]}, r"token_ids must lie in \[0, 101\)"),
        ({"segment_ids": [[0, 0, 0], [0, 0, 2]]}, r"segment_ids must lie in \[0, 2\)"),
        ({"padding_mask": [[1, 1, 2], [1, 1, 1]]}, r"padding_mask must lie in \[0, 2\)"),
        ({"mask_positions": [[3], [0]]}, r"mask_positions must lie in \[0, positions\)"),
        ({"mask_positions": [[-1], [0]]}, r"mask_positions must lie in \[0, positions\)"),
        ({"mask_positions": [[1]]}, "mask_positions must have a row for each row"),
        ({"mask_positions": [[1] * 4] * 2}, "no more places than it has positions"),
        ({"segment_ids": [[0, 0, 0]]}, "segment_ids must have the shape of token_ids"),
        ({"padding_mask": [[1], [1]]}, "padding_mask must have the shape of token_ids"),
        ({"token_ids": [[2] * 24] * 2}, "A row must have 1 to 23 positions"),
        ({"token_ids": [[], []]}, "A row must have 1 to 23 positions"),
    ],
)
def test_wrong_ids_are_refused(served, others, message):
    _, functions, _ = served("fill_mask")
    good = {
        "token_ids": [[2, 5, 3], [2, 6, 3]],
        "segment_ids": [[0, 0, 0], [0, 0, 1]],
        "padding_mask": [[1, 1, 1], [1, 1, 1]],
        "mask_positions": [[1], [2]],
    }

    def call(ids):
        return functions[TOKENS]({name: tf.constant(x, tf.int32) for name, x in ids.items()})

    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        call({**good, **others})
    assert call(good)["masked_lm"].shape == (2, 1, 101)


class OfSpeakers(kb.Task):
    """A task whose model takes an input of its own."""

    example_spec = {"text": tf.TensorSpec([None], tf.string)}

    def __init__(self, encoder, packer):
        inputs = encoder.new_inputs()
        outputs = {"pooled": encoder(inputs)["pooled_output"]}
        inputs["speaker_ids"] = keras.Input((None,), dtype="int32", name="speaker_ids")
        super().__init__(encoder, packer, inputs, outputs, name="of_speakers")

    def features(self, examples):
        rows = self.packer(examples["text"])
        return {**rows, "speaker_ids": rows["segment_ids"]}

    def answers(self, outputs, features):
        return outputs


def test_an_input_without_a_known_range_is_not_served(config, tokenizer):
    task = OfSpeakers(kb.BertEncoder(config), kb.Packer(tokenizer, 23))
    with pytest.raises(ValueError, match="takes 'speaker_ids' too, whose range is not known"):
        functions_of(task)

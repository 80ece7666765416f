import numpy as np
import pytest
import tensorflow as tf

import keras_bert as kb
from keras_bert.lite.questions import QuestionAnswerer
from keras_bert.tasks.spans import NEVER

TEXT = "the quick brown fox jumps over the lazy dog and wants a fine film, unaffordable."


def network(row):
    """Logits that differ from row to row and from place to place."""
    values = np.random.default_rng(sum(row.token_ids)).normal(size=[2, len(row.token_ids)])
    return {"start_logits": values[0].astype("float32"), "end_logits": values[1].astype("float32")}


@pytest.fixture(params=[None, -1.0, 9.0], ids=["always", "seldom", "often"])
def tasks(request, lite_task, tokenizer, config):
    """A task of the runtime, and one of TensorFlow with the same settings."""
    settings = {"stride": 5, "max_question_tokens": 4, "max_answer_tokens": 3, "num_best": 6}
    settings["no_answer_threshold"] = request.param
    encoder = kb.BertEncoder(config)
    whole = kb.QuestionAnswerer(encoder, kb.Packer(tokenizer, 23), **settings)
    return lite_task(QuestionAnswerer, network, **settings), whole


def outputs_of(features):
    """What the network says of all rows of TensorFlow's."""
    from keras_bert.lite.rows import Row

    lengths = features["padding_mask"].numpy().sum(axis=1)
    found = {
        name: np.full(features["token_ids"].shape, NEVER, "float32")
        for name in ("start_logits", "end_logits")
    }
    for i, n in enumerate(lengths):
        row = Row(features["token_ids"].numpy()[i, :n].tolist(), [])
        for name, values in network(row).items():
            found[name][i, :n] = values
    return {name: tf.constant(values) for name, values in found.items()}


@pytest.mark.parametrize("context", [TEXT, "fox", ""])
def test_answers_are_those_of_tensorflow(tasks, context, without_graphs):
    lite, whole = tasks
    example = {"question": "what does the fox want", "context": context}
    features = whole.features({name: tf.constant([text]) for name, text in example.items()})
    wanted = whole.answers(outputs_of(features), features)
    found = lite.answer(example)
    assert found.keys() == wanted.keys()
    for name, value in wanted.items():
        value = np.asarray(value.numpy()[0])
        if value.dtype.kind == "f":
            held = np.asarray(found[name])
            assert held == pytest.approx(value[: held.size] if value.ndim else value, rel=1e-5), (
                name
            )
        elif value.ndim == 0 and value.dtype.kind == "i":
            assert found[name] == value, name
    assert found["answer"].encode() == wanted["answer"].numpy()[0]
    spoken = [text for text in wanted["best_answers"].numpy()[0] if text]
    assert [text.encode() for text in found["best_answers"]] == spoken
    assert [one["answer"] for one in lite.as_python(found)["best_answers"]] == found["best_answers"]

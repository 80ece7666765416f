"""The loss on held-out examples is that of the training, whatever the task, and costs no look."""

import dataclasses

import keras
import pytest

import keras_bert as kb
from keras_bert.finetuning.held_out import HeldOut

TEXTS = ("the fox", "lazy dog over the fox", "a film", "quick")
CHOICES = [["fox", "lazy dog"], ["the", "a film", "over"], ["a"], ["quick", "fox"]]
LONG = "the lazy dog over the quick fox and a fine film"


@pytest.fixture(scope="module")
def on(tokenizer, config):
    keras.utils.set_random_seed(4)
    encoder = kb.BertEncoder(dataclasses.replace(config, num_layers=1))
    return encoder, kb.Packer(tokenizer, 12)


def question(i):
    context = LONG if i == 1 else TEXTS[i]
    return {"question": "the", "context": context, "answers": [context[:3]], "answer_starts": [0]}


# How each task is made of the encoder and the packer, and its examples.
TASKS = {
    "classes": (
        lambda *on: kb.TextClassifier(*on, ("no", "yes")),
        [{"sentence": text, "label": ("no", "yes")[i % 2]} for i, text in enumerate(TEXTS)],
    ),
    "numbers": (
        lambda *on: kb.TextClassifier(*on, ("value",), problem="regression"),
        [{"sentence": text, "label": 0.3 * i} for i, text in enumerate(TEXTS)],
    ),
    "tags": (
        lambda *on: kb.TokenClassifier(*on, ("O", "B-A", "I-A")),
        [
            {"words": 3 * text.split(), "labels": ["O", "B-A", "O", "O", "B-A"][:n] * 3}
            for text, n in zip(TEXTS, (2, 5, 2, 1), strict=True)
        ],
    ),
    "questions": (lambda *on: kb.QuestionAnswerer(*on, stride=2), [*map(question, range(4))]),
    "choices": (
        kb.MultipleChoice,
        [
            {"context": text, "question": "", "choices": choices, "label": 0}
            for text, choices in zip(TEXTS, CHOICES, strict=True)
        ],
    ),
    "cosines": (
        lambda *on: kb.SentenceEmbedder(*on, problem="cosine_regression"),
        [{"text": a, "second": b, "label": 0.5} for a, b in zip(TEXTS, TEXTS[::-1], strict=True)],
    ),
    "negatives": (
        kb.SentenceEmbedder,
        [{"text": a, "positive": b} for a, b in zip(TEXTS, TEXTS[::-1], strict=True)],
    ),
    "blanks": (
        lambda encoder, packer: kb.FillMask(kb.BertPretrainer(encoder), packer),
        [{"text": f"[MASK] {text}", "answers": ["fox"]} for text in TEXTS],
    ),
}


@pytest.mark.parametrize("name", TASKS)
def test_the_loss_is_that_of_the_training(on, name, eagerly, monkeypatch):
    make, examples = TASKS[name]
    task = make(*on)
    with eagerly():
        task.compile("sgd", **task.objective())
        weights = [1.0, 2.0, 0.5, 1.5]
        data = task.dataset(examples, 3, sample_weight=weights)
        expected = task.evaluate(data, verbose=0, return_dict=True)["loss"]
        scores = task.scored(examples)
        if name != "negatives":  # whose loss depends on the batch
            asked = type(task).answer_batches
            monkeypatch.setattr(type(task), "answer_batches", lambda *_: pytest.fail("asked twice"))
            if name == "cosines":  # but for the second texts
                monkeypatch.setattr(type(task), "answer_batches", asked)
        found = HeldOut(task, examples, 3, weights).scored()
    assert found.pop("loss") == pytest.approx(expected, rel=1e-5)
    assert found == pytest.approx(scores, nan_ok=True)

"""What `compile`, `fit` and `evaluate` take, of every task."""

import dataclasses
import pathlib
import re

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_bert as kb
from keras_bert.tasks import learning
from train import finetune

TEXTS, LABELS = ["the fine film", "a quick brown fox", "over the lazy dog"], ["no", "yes", "yes"]
SPAN = {"text": ["brown"], "answer_start": [10]}
WORDS = [["the", "fox"], ["dog"]]
SEVERAL = "multi_label_classification"

# For every task: how it is made, texts and labels as `fit` takes them, and the examples they are.
TASKS = {
    "one label": (
        lambda e, p: kb.TextClassifier(e, p, ("no", "yes")),
        (TEXTS, LABELS),
        [{"sentence": text, "label": label} for text, label in zip(TEXTS, LABELS, strict=True)],
    ),
    "pairs": (
        lambda e, p: kb.TextClassifier(e, p, ("no", "yes"), ("first", "second")),
        ((TEXTS, ["fox"] * 3), np.array([0, 1, 1])),
        [
            {"first": text, "second": "fox", "label": label}
            for text, label in zip(TEXTS, (0, 1, 1), strict=True)
        ],
    ),
    "several labels": (
        lambda e, p: kb.TextClassifier(e, p, ("x", "y", "z"), problem=SEVERAL),
        (TEXTS[:2], np.array([[1, 0, 1], [0, 0, 0]])),
        [
            {"sentence": TEXTS[0], "label": [1, 0, 1]},
            {"sentence": TEXTS[1], "label": [0, 0, 0]},
        ],
    ),
    "numbers": (
        lambda e, p: kb.TextClassifier(e, p, ("score",), problem="regression"),
        (np.array(TEXTS[:1]), [0.5]),
        [{"sentence": TEXTS[0], "label": 0.5}],
    ),
    "choices": (
        lambda e, p: kb.MultipleChoice(e, p),
        ((["a", "b"], ["", "c"], [["x", "y"], ["x", "y", "z"]]), [1, 2]),
        [
            {"context": "a", "question": "", "choices": ["x", "y"], "label": 1},
            {"context": "b", "question": "c", "choices": ["x", "y", "z"], "label": 2},
        ],
    ),
    "tags": (
        lambda e, p: kb.TokenClassifier(e, p, ("DET", "NOUN")),
        (WORDS, [["DET", "NOUN"], [1]]),
        [{"words": WORDS[0], "labels": ["DET", "NOUN"]}, {"words": WORDS[1], "labels": [1]}],
    ),
    "answers": (
        lambda e, p: kb.QuestionAnswerer(e, p, stride=3),
        ((["the quick", "film"], ["the quick brown fox", "a fine film"]), [SPAN, "fine"]),
        [
            {
                "question": "the quick",
                "context": "the quick brown fox",
                **{"answers": ["brown"], "answer_starts": [10], "impossible": False},
                "id": "example 0",
            },
            {
                "question": "film",
                "context": "a fine film",
                **{"answers": ["fine"], "answer_starts": [2], "impossible": False},
                "id": "example 1",
            },
        ],
    ),
    "vectors": (
        lambda e, p: kb.SentenceEmbedder(e, p),
        (["a", "b"], ["x", "y"]),
        [{"text": "a", "positive": "x"}, {"text": "b", "positive": "y"}],
    ),
    "cosines": (
        lambda e, p: kb.SentenceEmbedder(e, p, problem="cosine_regression"),
        ([("a", "b"), ("c", "d")], [0.5, 1.0]),
        [
            {"text": "a", "second": "b", "label": 0.5},
            {"text": "c", "second": "d", "label": 1.0},
        ],
    ),
    "blanks": (
        lambda e, p: kb.FillMask(kb.BertPretrainer(e, None), p),
        (["[MASK] fox", "[MASK] [MASK]"], [["the"], "a fox"]),
        [
            {"text": "[MASK] fox", "answers": ["the"]},
            {"text": "[MASK] [MASK]", "answers": "a fox"},
        ],
    ),
}


@pytest.fixture(scope="module")
def make(tokenizer, config):
    """A function that makes a task of the table; all stand on one encoder."""
    config = dataclasses.replace(config, num_layers=1, dropout=0.0, attention_dropout=0.0)
    encoder, packer = kb.BertEncoder(config), kb.Packer(tokenizer, 13)
    encoder.trainable = False
    return lambda name: TASKS[name][0](encoder, packer)


@pytest.fixture(scope="module")
def classifier(make):
    return make("one label")


@pytest.mark.parametrize("name", TASKS)
def test_texts_and_labels_of_every_task(name, make):
    task, (x, y), examples = make(name), *TASKS[name][1:]
    assert task.as_examples(x, y) == examples
    task.check_examples(examples)
    rows = [tuple(one[key] for key in task.learned_columns if key in one) for one in examples]
    if name != "answers":
        assert task.as_examples(rows) == examples
        columns = {key: [one[key] for one in examples] for key in examples[0]}
        assert task.as_examples(columns) == examples
        assert task.as_examples(columns, y) == task.as_examples(x, columns) == examples


def test_a_compiled_task_has_the_objective(classifier, without_graphs):
    assert classifier.fit(TEXTS, LABELS, epochs=0) and classifier.compiled
    classifier.compile()
    assert isinstance(classifier.optimizer, kb.AdamW)
    assert float(classifier.optimizer.learning_rate) == pytest.approx(2e-5)
    first = classifier.evaluate(TEXTS, LABELS, verbose=0, return_dict=True)
    assert set(first) == {"loss", "accuracy"}
    classifier.compile("sgd", classifier.objective()["loss"])
    assert list(classifier.evaluate(TEXTS, [0, 1, 1], verbose=0, return_dict=True)) == ["loss"]


def test_the_default_rate_is_that_of_the_binary():
    of = {field.name: field.default for field in dataclasses.fields(finetune.Arguments)}
    assert of["learning_rate"] == learning.LEARNING_RATE
    assert (of["warmup_share"], of["batch_size"]) == (learning.WARMUP_SHARE, learning.BATCH_SIZE)


class Rates(keras.callbacks.Callback):
    """The rate of each update."""

    def __init__(self):
        super().__init__()
        self.rates = []

    def on_train_batch_begin(self, batch, logs=None):
        self.rates.append(float(self.model.optimizer.learning_rate))


def test_fit_has_the_rate_rise_and_fall_in_every_call(make, without_graphs):
    task, rates = make("one label"), Rates()
    for epochs in (2, 1):
        task.fit(TEXTS[:1], LABELS[:1], epochs=epochs, verbose=0, callbacks=[rates])
    np.testing.assert_allclose(rates.rates, [2e-5, 1e-5, 2e-5], rtol=1e-5)
    assert task.optimizer.get_config()["learning_rate"]["config"]["num_steps"] == 1


def test_a_schedule_that_has_ended_is_told(make, without_graphs, caplog):
    task = make("one label")
    task.compile(kb.AdamW(kb.Schedule(1e-3, 1)))
    task.fit(TEXTS[:1], LABELS[:1], verbose=0)
    assert "rate is 0" not in caplog.text
    task.fit(TEXTS[:1], LABELS[:1], verbose=0)
    assert "The learning rate is 0, since its schedule ended within the 1 updates" in caplog.text


def test_what_is_held_out_and_weighed(classifier, without_graphs):
    [(x, y, _)] = classifier.dataset(classifier.as_examples(TEXTS, LABELS), 3)
    losses = -tf.nn.log_softmax(classifier(x)["logits"]).numpy()[range(3), [0, 1, 1]]
    classifier.compile(keras.optimizers.SGD(0.0))
    options = {"validation_split": 0.3, "class_weight": {"no": 5.0}, "verbose": 0}
    logs = classifier.fit(TEXTS, LABELS, sample_weight=[1, 2, 3], **options).history
    assert logs["loss"] == [pytest.approx(np.average(losses[:2], weights=[5, 2]), abs=1e-5)]
    assert logs["val_loss"] == [pytest.approx(losses[2], abs=1e-5)]
    # A dict of features is the Keras model's own input.
    held_out = TEXTS[:2], LABELS[:2], [3.0, 1.0]
    logs = classifier.fit(dict(x), dict(y), validation_data=held_out, verbose=0).history
    assert logs["loss"] == [pytest.approx(losses.mean(), abs=1e-5)]
    assert logs["val_loss"] == [pytest.approx(np.average(losses[:2], weights=[3, 1]), abs=1e-5)]


@pytest.mark.parametrize(
    ("given", "options", "message"),
    [
        ((TEXTS, ["no", "yes", "perhaps"]), {}, "a label must be one of 'no', 'yes', but is 'perh"),
        ((TEXTS, [0, 1, 2]), {}, "a label must be one of 'no', 'yes', but is 2"),
        ((TEXTS, LABELS[:2]), {}, "for each of the 3 examples, but labels are 2: give as many"),
        ((TEXTS,), {}, "1 columns, sentence, and with what is learned|a column 'label'"),
        ((TEXTS, LABELS), {"validation_split": 0.9}, "must leave examples on both sides"),
        ((TEXTS, LABELS), {"class_weight": {"perhaps": 2.0}}, "label must be one of .*'perhaps'"),
        ((TEXTS, LABELS), {"sample_weight": [1.0]}, "for each of the 3 examples"),
        (({"token_ids": np.ones([1, 3])}, [0]), {}, "features of a model must be"),
        ((tf.data.Dataset.from_tensors("a"),), {"validation_split": 0.1}, "give validation_data"),
    ],
)
def test_what_cannot_be_learned_is_told_before(classifier, given, options, message):
    with pytest.raises(ValueError, match=message):
        classifier.fit(*given, **options)


def test_the_five_lines_of_the_readme(config, tokenizer, tmp_path, monkeypatch, without_graphs):
    readme = (pathlib.Path(__file__).resolve().parents[2] / "README.md").read_text()
    [code] = re.findall(r"```python\n(import keras_bert as kb\nbert = .*?)```", readme, re.DOTALL)
    assert len(code.strip().splitlines()) == 5
    encoder = kb.BertEncoder(dataclasses.replace(config, num_layers=1, max_sequence_length=128))
    kb.save(encoder, tmp_path / "checkpoints" / "bert-base-uncased", tokenizer)
    monkeypatch.chdir(tmp_path)
    names = {}
    exec(code, names)
    answers = names["task"].predict(["a fine film"], verbose=0)
    assert answers["label"].tolist() in (["bad"], ["good"])

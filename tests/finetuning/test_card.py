import dataclasses
import json

import pytest

import keras_bert as kb
from keras_bert.finetuning.card import Card, write_card
from keras_bert.finetuning.report import Mistake

COMMAND = "keras-bert finetune --flagfile=checkpoints/mine/finetune.flags"


@pytest.fixture(scope="module")
def task(tokenizer, config):
    encoder = kb.BertEncoder(dataclasses.replace(config, num_layers=1))
    return kb.TextClassifier(encoder, kb.Packer(tokenizer, 9), ("no", "yes"))


def header_of(text):
    """The values of a card's header, each of which is a line."""
    _, header, _ = text.split("---\n", 2)
    pairs = (line.split(": ", 1) for line in header.splitlines())
    return {key: json.loads(value) for key, value in pairs}


def test_a_model_card_without_held_out_examples_has_no_scores(task):
    text = Card(name="mine", data={}, scores={}, command=COMMAND, version="0.7").text(task)
    assert "None: no examples were held out" in text and "| score |" not in text
    header = header_of(text)
    assert header["pipeline_tag"] == "text-classification"
    assert not {"language", "license", "base_model", "model-index"} & set(header)


@pytest.fixture
def card():
    return Card(
        name="checkpoints/mine",
        data={"learned from": "train.tsv (7 examples)", "scored on": "dev.tsv (3 examples)"},
        scores={"accuracy": 0.91234, "matthews": (0.9, 0.01), "pearson": float("nan")},
        command=COMMAND,
        version="0.7",
        classes={"no": {"precision": 0.5, "support": 1234}},
        mistakes=[Mistake("a | b" + " c" * 99, "no", "yes", 0.987)],
        hyperparameters={"learning_rate": 2e-5},
        asked={"sentence": "fine", "label": "yes", "id": 3},
        base="bert",
        language="en",
        license="apache-2.0",
    )


def test_a_model_card_says_what_a_reader_asks(task, card, tmp_path):
    text = card.text(task)
    [answer] = task([{"sentence": "fine"}])
    for part in (
        "# mine\n",
        "`TextClassifier`",
        "Its labels are `no`, `yes`",
        "- learned from: train.tsv (7 examples)",
        "| accuracy | 0.9123 |",
        "| matthews | 0.9000 ± 0.0100 |",
        "| no | 0.5000 | 1,234 |",
        "| a \\| b c",
        " ... | no | yes | 0.99 |",
        "- learning_rate: 2e-05",
        COMMAND,
        "keras_bert 0.7, TensorFlow",
        'kb.load("checkpoints/mine")',
        "[answer] = task([{'sentence': 'fine'}])",
        f"# {task.lines_of(answer)[0]}",
    ):
        assert part in text
    write_card(text, tmp_path / "README.md")
    assert (tmp_path / "README.md").read_text(encoding="utf-8") == text


def test_its_header_is_the_hubs(task, card):
    header = header_of(card.text(task))
    assert (header["language"], header["license"], header["base_model"]) == (
        *("en", "apache-2.0", "bert"),
    )
    assert header["metrics"] == ["accuracy", "matthews_correlation"]
    [model] = header["model-index"]
    [result] = model["results"]
    assert model["name"] == "mine" and result["dataset"]["name"] == "dev.tsv (3 examples)"
    assert [one["value"] for one in result["metrics"]] == [0.91234, 0.9]


@pytest.mark.reference("huggingface_hub")
def test_the_hub_reads_its_header(task):
    hub = pytest.importorskip("huggingface_hub")
    text = Card(
        name="mine", data={}, scores={"f1": 0.5}, command=COMMAND, version="1", license="mit"
    ).text(task)
    data = hub.ModelCard(text).data
    assert data.license == "mit" and data.pipeline_tag == "text-classification"
    [result] = data.eval_results
    assert (result.metric_type, result.metric_value) == ("f1", 0.5)

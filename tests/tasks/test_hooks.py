"""What the binaries ask of a task, where it says nothing of its own."""

import dataclasses

import pytest

import keras_bert as kb
from keras_bert.data.rows import Row
from keras_bert.tasks.columns import ExampleFiles
from keras_bert.tasks.hooks import Start


@pytest.fixture(scope="module")
def start(config, tokenizer):
    """A pretrained model."""
    model = kb.BertPretrainer(kb.BertEncoder(dataclasses.replace(config, num_layers=1)))
    return Start(model.encoder, kb.Packer(tokenizer, 13), model)


@pytest.fixture(scope="module")
def pairs(start):
    return kb.TextClassifier(start.encoder, start.packer, ("no", "yes"), ("first", "other"))


@pytest.fixture(scope="module")
def choices(start):
    return kb.MultipleChoice.from_examples(start, [])


def test_examples_are_asked_with_a_text_for_each_column(pairs):
    assert pairs.asking == "--text='...' --second='...'"
    assert pairs.asked(("a", "b"), ("c", "d")) == [
        {"first": "a", "other": "c"},
        {"first": "b", "other": "d"},
    ]
    for seconds, choices, message in (
        ((), (), r"as many --second \(other\) as --text \(first\), but there are 0 and 1"),
        (("b",), ("c",), "--choice is for multiple choice, not for a TextClassifier"),
    ):
        with pytest.raises(ValueError, match=message):
            pairs.asked(("a",), seconds, choices=choices)


def test_a_second_text_that_would_be_lost_is_refused(start):
    embedder = kb.SentenceEmbedder.from_examples(start, [])
    assert embedder.asking == "--text='...'"
    with pytest.raises(ValueError, match="This SentenceEmbedder reads one text"):
        embedder.asked(("a",), ("b",))


def test_choices_are_of_one_text(choices):
    [example] = choices.asked(("a",), choices=("b", "c"))
    assert example == {"context": "a", "question": "", "choices": ["b", "c"]}
    assert choices.asked(("a",), ("q",), choices=("b", "c"))[0]["question"] == "q"
    for texts, chosen in ((("a", "b"), ("c", "d")), (("a",), ("b",))):
        with pytest.raises(ValueError, match="two --choice or more, but there are"):
            choices.asked(texts, choices=chosen)


def test_answers_are_lines(start, choices):
    assert choices.lines_of({"choice": 1, "text": "Übung"}) == ["choice: 1", 'text: "Übung"']
    tagger = kb.TokenClassifier(start.encoder, start.packer, ("A", "B"))
    assert tagger.lines_of([{"label": "A"}]) == ['{"label": "A"}']
    assert tagger.lines_of([]) == ["no entities"]
    blanks = kb.FillMask.from_examples(start, [])
    said = blanks.lines_of([[("fox", 0.75), ("dog", 0.125)], [("a", 0.5)]])
    assert said == ["[MASK] 1: fox 75.0%, dog 12.5%", "[MASK] 2: a 50.0%"]


def test_most_tasks_choose_weigh_and_class_nothing(choices):
    assert choices.sample_weights([{}]) is None
    assert not choices.choose_settings([], [])
    assert choices.classes([], []) is None
    assert choices.new_model(choices.encoder) is None
    assert choices.prepared([Row({"a": 1}, "a:1")], []) == [{"a": 1}]
    assert choices.shares_head(choices) and not choices.shares_head(None)


def test_a_classifier_weighs_rare_labels_more_and_has_classes(pairs):
    examples = [{"label": label} for label in ("no", "no", "yes")]
    assert pairs.sample_weights(examples) is None
    assert pairs.sample_weights(examples, balance_labels=True) == [0.75, 0.75, 1.5]
    answers = [{"label": label, "probability": 0.7} for label in ("no", "yes", "yes")]
    classes = pairs.classes(examples, answers)
    assert classes.labels == ("no", "yes")
    assert (classes.true.tolist(), classes.predicted.tolist()) == ([0, 0, 1], [0, 1, 1])


def test_heads_are_shared_by_tasks_of_the_same_labels(start, pairs):
    same = kb.TextClassifier(start.encoder, start.packer, ("no", "yes"))
    assert same.shares_head(pairs)
    several = kb.TextClassifier(
        start.encoder, start.packer, ("no", "yes"), problem="multi_label_classification"
    )
    tagger = kb.TokenClassifier(start.encoder, start.packer, ("no", "yes"))
    for other in (several, tagger, start.model, None):
        assert not same.shares_head(other)
    assert tagger.shares_head(kb.TokenClassifier(start.encoder, start.packer, ("no", "yes")))
    assert not tagger.shares_head(kb.TokenClassifier(start.encoder, start.packer, ("no", "or")))


@pytest.mark.parametrize(
    ("text_keys", "label_key", "labelled", "expected"),
    [
        (("left", "right"), "score", True, {"text": "a", "second": "b", "label": "0.5"}),
        (("left", "right"), None, True, {"score": "0.5", "text": "a", "positive": "b"}),
        (("left", "right"), None, False, {"score": "0.5", "right": "b", "text": "a"}),
        (None, None, True, {"left": "a", "right": "b", "score": "0.5", "label": "x"}),
    ],
)
def test_pairs_are_read_as_they_are_to_be_learned(
    tmp_path, text_keys, label_key, labelled, expected
):
    (tmp_path / "a.csv").write_text("left,right,score,label\na,b,0.5,x\n")
    files = ExampleFiles(str(tmp_path / "a.csv"))
    read = kb.SentenceEmbedder.read
    [row] = read(files, labelled, text_keys=text_keys, label_key=label_key)
    assert row == expected


def test_numbers_of_pairs_have_the_range_of_the_data(start):
    rows = [Row({"text": "a", "second": "b", "label": n}, f"a.csv:{n}") for n in ("1", 5, 2.5)]
    task = kb.SentenceEmbedder.from_examples(start, rows)
    assert (task.problem, task.label_range) == ("cosine_regression", (1.0, 5.0))
    assert kb.SentenceEmbedder.from_examples(start, []).problem == "in_batch_negatives"
    with pytest.raises(ValueError, match="a.csv:x: label must be a number, as in other rows"):
        kb.SentenceEmbedder.from_examples(start, [*rows, Row({"text": "a"}, "a.csv:x")])


def test_no_answer_is_learned_where_it_is_right_for_some(start):
    task = kb.QuestionAnswerer.from_examples(start, [{"impossible": False}], stride=3)
    assert (task.no_answer_threshold, task.stride) == (None, 3)
    task = kb.QuestionAnswerer.from_examples(start, [{"impossible": True}])
    assert task.no_answer_threshold == 0.0

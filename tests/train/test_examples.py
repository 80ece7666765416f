"""Files as people have them, read by the flags that people would give, or refused."""

import dataclasses
import gzip
import json

import pytest

import keras_bert as kb
from keras_bert.data.rows import Row
from keras_bert.tasks.table import task_class
from train import finetune
from train.examples import options_of

CLASSIFICATION = "text_classification"
SEVERAL = "--problem=multi_label_classification"


@pytest.fixture
def read(tmp_path, parsed, monkeypatch):
    """A function of a file's name and content, a task, and flags, that gives the examples."""
    monkeypatch.chdir(tmp_path)

    def examples_of(name: str, content: str | bytes, task: str, *flags: str) -> list[Row]:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return finetune.read(arguments_of(name, task, *flags)).labelled

    def arguments_of(name: str, task: str, *flags: str):
        common = (f"--task={task}", f"--train_files={name}", "--output_dir=out")
        return parsed("finetune", *common, "--preset=tiny", "--vocabulary=vocab.txt", *flags)

    examples_of.arguments = arguments_of
    return examples_of


@pytest.fixture(scope="module")
def bert(config, tokenizer):
    """A checkpoint that every task can start from."""
    model = kb.BertPretrainer(kb.BertEncoder(dataclasses.replace(config, num_layers=1)))
    return kb.Checkpoint(model.encoder.config, tokenizer, model.encoder, model)


def made_of(bert, arguments, rows) -> kb.Task:
    """The task that is made for some rows."""
    kind, options = task_class(arguments.task), options_of(arguments)
    return kb.finetuning.make_task(kind, bert, rows, None, options)


@pytest.fixture
def labels(read, bert):
    """A function like `read` that gives the labels that are learned."""

    def labels_of(name, content, *flags, task=CLASSIFICATION):
        rows = read(name, content, task, *flags)
        return made_of(bert, read.arguments(name, task, *flags), rows).labels

    return labels_of


JSON_LINES = '{{"sentence": "a fine film", "label": {}}}\n{{"sentence": "bad", "label": {}}}\n'


@pytest.mark.parametrize(
    ("name", "content", "flags"),
    [
        ("floats.jsonl", JSON_LINES.format("1.0", "0.0"), ()),
        ("floats.csv", "sentence,label\na fine film,1.0\nbad,0.0\n", ()),
        ("index.csv", ",sentence,label\n0,a fine film,1\n1,bad,0\n", ()),
        ("source.csv", "sentence,label,source\na fine film,1,imdb\nbad,0,imdb\n", ()),
        ("weight.csv", "sentence,label,weight\na fine film,1,heavy\nbad,0,\n", ()),
        ("of_excel.csv", 'sentence;label\na fine film;1\n"bad; very";0\n', ()),
        ("unicode.tsv", "sentence\tlabel\na fine film\t1\nbad\t0\n".encode("utf-16"), ()),
        ("western.csv", "sentence,label\ncafé,1\nbad,0\n".encode("cp1252"), ("--encoding=cp1252",)),
        ("year=2026/part.tsv", "sentence\tlabel\na fine film\t1\nbad\t0\n", ()),
        ("bars.csv", "sentence|label\na, fine film|1\nbad|0\n", ("--delimiter=|",)),
        ("no_gold.csv", "sentence,label\na fine film,1\nbad,0\nwell,-\n", ()),
        ("zipped.csv", gzip.compress(b"sentence,label\na fine film,1\nbad,0\n", mtime=0), ()),
    ],
)
def test_labels_of_tables_as_they_are_written(labels, name, content, flags):
    assert labels(name, content, *flags) == ("0", "1")


@pytest.mark.parametrize(
    ("name", "content", "flags", "expected"),
    [
        ("a.csv", 'sentence,label\nx,"staff, food"\ny,"food, staff"\nz,staff\n', (), "food staff"),
        ("b.csv", "sentence,label\nx,staff; food\ny,food\n", (), "food staff"),
        ("c.jsonl", JSON_LINES.format('["staff", "food"]', "[]"), (), "food staff"),
        ("d.jsonl", JSON_LINES.format("[1, 0, 1]", "[0, 1, 0]"), (), "0 1 2"),
        ("e.csv", "text,toxic,rude\nx,1,0\ny,0,0\n", ("--label_key=toxic,rude",), "toxic rude"),
    ],
)
def test_several_labels_as_they_are_written(labels, name, content, flags, expected):
    text = "text" if content.startswith("text") else "sentence"
    found = labels(name, content, SEVERAL, f"--text_keys={text}", *flags)
    assert found == tuple(expected.split())


def test_columns_of_marks_are_the_labels_of_each_text(read):
    flags = (SEVERAL, "--text_keys=text", "--label_key=toxic,rude")
    rows = read("a.csv", "text,toxic,rude\nx,1,1.0\ny,0,0\n", CLASSIFICATION, *flags)
    assert [row["toxic,rude"] for row in rows] == [["toxic", "rude"], []]
    with pytest.raises(ValueError, match="b.csv:3: rude must be 0 or 1, .* but is 'no'"):
        read("b.csv", "text,toxic,rude\nx,1,0\ny,0,no\n", CLASSIFICATION, *flags)


def test_what_is_not_certain_is_asked(read, labels):
    content = "sentence,label\nx,-1\ny,0\nz,1\n"
    with pytest.raises(ValueError, match="-1, 0 and 1 may be three.*--labels="):
        labels("a.csv", content)
    assert labels("a.csv", content, "--labels=-1,0,1") == ("-1", "0", "1")
    rows = read("a.csv", content, CLASSIFICATION, "--labels=0,1")
    assert [row["label"] for row in rows] == ["0", "1"]


CONLL = "{}\n{}\n\n{}\n"


@pytest.mark.parametrize(
    ("name", "content", "flags"),
    [
        (
            "label_first.conll",
            "O\tshow\nO\tme\nB-LOC\tBonn\n\nB-PER\tAnna\nI-PER\tLee\n",
            ("--word_column=2", "--label_column=1"),
        ),
        (
            "index_first.conll",
            "1 Anna NNP B-PER\n2 sings VBZ O\n\n1 Bonn NNP B-LOC\n2 Lee NNP I-LOC\n",
            ("--word_column=2",),
        ),
        (
            "label_middle.conll",
            "Anna B-PER NNP\nsings O VBZ\n\nBonn B-LOC NNP\n",
            ("--label_column=2",),
        ),
        (
            "comments.conll",
            "# id aa domain=en\nAnna _ _ B-PER\nsings _ _ O\n\n# id bb\nBonn _ _ B-LOC\n",
            (),
        ),
        (
            "hub.jsonl",
            '{"tokens": ["Anna", "in", "Bonn"], "ner_tags": ["B-PER", "O", "B-LOC"]}\n',
            (),
        ),
        (
            "own.jsonl",
            '{"w": ["Anna", "in", "Bonn"], "t": ["B-PER", "O", "B-LOC"]}\n',
            ("--text_keys=w", "--label_key=t"),
        ),
        (
            "ids.jsonl",
            '{"words": ["Anna", "in", "Bonn"], "labels": [1, 0, 2]}\n',
            ("--tag_names=O,B-PER,B-LOC",),
        ),
        (
            "kaggle.csv",
            "Sentence #,Word,POS,Tag\nSentence: 1,Anna,NNP,B-PER\n,sings,VBZ,O\n"
            "Sentence: 2,Bonn,NNP,B-LOC\n",
            (),
        ),
    ],
)
def test_tags_of_words_as_they_are_written(labels, name, content, flags):
    found = labels(name, content, *flags, task="token_classification")
    assert found[0] == "O" and {"B-PER", "B-LOC"} <= {*found} <= {
        "O",
        "B-PER",
        "I-PER",
        "B-LOC",
        "I-LOC",
    }


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("label_first.conll", "O\tshow\nO\tme\nB-LOC\tBonn\n\nB-PER\tAnna\nI-PER\tLee\nO\tsings\n"),
        (
            "index_first.conll",
            "1 Anna NNP B-PER\n2 sings VBZ O\n\n1 Bonn NNP B-LOC\n2 lies VBZ O\n",
        ),
    ],
)
def test_columns_that_hold_no_words_are_not_learned(read, name, content):
    with pytest.raises(ValueError, match="--word_column"):
        read(name, content, "token_classification")


@pytest.mark.parametrize(
    ("task", "content"),
    [
        ("token_classification", '{"words": ["Anna", "sings"]}\n'),
        ("token_classification", '{"text": "Anna sings"}\n'),
        ("question_answering", '{"question": "Where?", "context": "in Bonn"}\n'),
        ("multiple_choice", '{"context": "a", "question": "b", "choices": ["c", "d"]}\n'),
        ("sentence_embedding", '{"text": "a", "second": "b"}\n'),
        ("fill_mask", '{"text": "a [MASK]"}\n'),
        ("text_classification", '{"sentence": "a"}\n'),
    ],
)
def test_what_has_no_labels_is_not_learned_from(read, task, content, bert):
    with pytest.raises(ValueError, match="a.jsonl"):
        rows = read("a.jsonl", content, task)
        made_of(bert, read.arguments("a.jsonl", task), rows).target_columns(rows)


def test_the_held_out_file_follows_the_scheme_of_the_training_file(read, tmp_path):
    # Without two entities in a row a small IOB1 file looks like one of plain I- labels.
    (tmp_path / "dev.conll").write_text("Lee I-PER\nsings O\n")
    train = "Anna I-PER\nLee I-PER\nBob B-PER\nsings O\n" * 9
    arguments = read.arguments("train.conll", "token_classification", "--eval_files=dev.conll")
    (tmp_path / "train.conll").write_text(train)
    [held_out] = finetune.read(arguments).held_out
    assert held_out["labels"] == ["B-PER", "O"]


def test_questions_as_the_hub_and_annotators_write_them(read):
    row = {"id": "1", "context": "Anna lives in Bonn.", "question": "Where?"}
    answers = {"text": ["Bonn"], "answer_start": [14]}
    [one] = read("a.jsonl", json.dumps({**row, "answers": answers}), "question_answering")
    assert (one["answers"], one["answer_starts"], one["impossible"]) == (["Bonn"], [14], False)
    questions = [
        {"id": 1, "question": "Where?", "is_impossible": False}
        | {"answers": [{"text": "Bonn", "answer_start": 14}]},
        {"id": 2, "question": "When?", "is_impossible": True}
        | {"answers": [{"text": "", "answer_start": -1}]},
    ]
    paragraphs = [{"context": "Anna lives in Bonn.", "qas": questions}]
    content = json.dumps({"data": [{"paragraphs": paragraphs}]})
    rows = read("b.json", content, "question_answering")
    assert [one["impossible"] for one in rows] == [False, True]


def test_columns_of_other_tasks_are_named_too(read):
    content = "id,text,left,right,score,label\n1,of mine,a,b,0.5,x\n"
    [row] = read(
        "a.csv", content, "sentence_embedding", "--text_keys=left,right", "--label_key=score"
    )
    assert row == {"id": "1", "text": "a", "second": "b", "label": "0.5"}
    [row] = read("a.csv", content, "sentence_embedding", "--text_keys=left,right")
    assert row == {"id": "1", "score": "0.5", "text": "a", "positive": "b"}
    assert row.source == "a.csv:2"
    [row] = read("b.csv", "q,c,a\nWhere?,in Bonn,Bonn\n", "question_answering",
                 "--text_keys=q,c", "--label_key=a")  # fmt: skip
    assert (row["question"], row["context"], row["answers"]) == ("Where?", "in Bonn", ["Bonn"])


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (
            ("--text_keys=review", "--label_key=moood"),
            "a.csv: there must be a column 'moood', .* --label_key=mood",
        ),
        (
            ("--text_keys=reviews",),
            "column 'reviews', .*are review, mood, label.*--text_keys=review",
        ),
        ((), "there must be a column 'sentence', but the columns are review, mood, label"),
        (("--text_keys=review", "--label_key=a,b"), "several are for --problem=multi_label"),
    ],
)
def test_a_wrong_column_is_told_with_those_that_are_there(read, flags, message):
    with pytest.raises(ValueError, match=message):
        read("a.csv", "review,mood,label\nfine,good,x\n", CLASSIFICATION, *flags)


def test_a_row_that_lacks_a_column_is_told(read):
    content = '{"sentence": "a", "label": 1}\n{"sentence": "b"}\n'
    with pytest.raises(ValueError, match=r"a.jsonl:2: there must be a 'label'"):
        read("a.jsonl", content, CLASSIFICATION)

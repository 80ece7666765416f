import dataclasses
import logging

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_bert as kb
from keras_bert import metrics
from keras_bert.data.examples.conll import read_conll, without_position
from keras_bert.data.examples.schemes import in_iob2
from keras_bert.tasks.batches import ANSWER_BATCH
from keras_bert.tasks.token_classification import TokenClassifier
from keras_bert.text.windows import windows

IOB2 = ("O", "B-PER", "I-PER", "B-LOC", "I-LOC")
BIOES = ("O", *(f"{prefix}-{kind}" for kind in ("PER", "LOC") for prefix in "BIES"))
BARE = ("I", "O", "B")
PLAIN = ("NOUN", "VERB", "DET")

# The last one is longer than a row: a dog want ##ed the fine film over un fox e ##d brown.
EXAMPLES = [
    {
        "words": ["The", "quick", "Foxed", "jump", "over", "wanted", "."],
        "labels": ["O", "B-PER", "I-PER", "O", "O", "B-LOC", "O"],
    },
    {"words": ["lazy"], "labels": ["B-PER"]},
    {
        "words": ["a", "Dog", "wanted", "the", "fine", "film", "over", "un", "Fox", "ed", "brown"],
        "labels": ["O", "B-PER", *["O"] * 6, "B-LOC", "I-LOC", "I-LOC"],
    },
]


@pytest.fixture(scope="module")
def make(config):
    def make(tokenizer, labels=IOB2, length=11):
        keras.utils.set_random_seed(3)
        size = max(config.vocabulary_size, tokenizer.vocabulary_size)
        changes = {"vocabulary_size": size, "num_layers": 1}
        changed = dataclasses.replace(config, **changes, dropout=0.0, attention_dropout=0.0)
        return TokenClassifier(kb.BertEncoder(changed), kb.Packer(tokenizer, length), labels)

    return make


@pytest.fixture(scope="module")
def task(make, tokenizer):
    return make(tokenizer)


@pytest.fixture(scope="module")
def learned(make, tokenizer):
    """A task that has learned the examples by heart."""
    task = make(tokenizer)
    task.compile(kb.AdamW(5e-3), **task.objective())
    data = task.dataset(EXAMPLES, batch_size=4, training=True)
    task.fit(data.repeat(60), verbose=0)
    return task


def answered(task, columns, labels):
    """The answers in Python to logits that say given labels of words, and noise everywhere else."""
    features = task.features(columns)
    num_classes = len(task.labels)
    shape = (*features["token_ids"].shape, num_classes)
    logits = np.random.default_rng(0).normal(size=shape).reshape(-1, num_classes)
    flat = [task.labels.index(name) for names in labels for name in names]
    for place, label in zip(features["word_positions"].values.numpy(), flat, strict=True):
        if place >= 0:
            logits[place] = np.eye(num_classes)[label] * 9.0
    answers = task.answers({"logits": logits.reshape(shape)}, features)
    assert all(value.shape[0] == len(labels) for value in answers.values())
    lists = {name: decoded(value.numpy().tolist()) for name, value in answers.items()}
    return [
        task.as_python({name: values[i] for name, values in lists.items()})
        for i in range(len(labels))
    ]


def decoded(value):
    if isinstance(value, list):
        return [decoded(one) for one in value]
    return value.decode() if isinstance(value, bytes) else value


def texts(*values):
    return {"text": tf.constant(values, tf.string)}


def words(*values):
    return {"words": tf.ragged.constant(values, tf.string)}


def spans(entities):
    return [(one["label"], one["start"], one["end"]) for one in entities]


def labels_of(answers):
    return [[word["label"] for word in answer] for answer in answers]


def test_words_and_the_places_of_their_first_pieces(task, tokenizer):
    # Neither a zero-width space nor nothing has a piece.
    features = task.features(words(["Unaffable", "\u200b", "Dog", ""], [], ["fox"]))
    row = tokenizer.tokens(features["token_ids"][0]).numpy().tolist()
    pieces = [b"[CLS]", b"un", b"##a", b"##f", b"##f", b"##able", b"dog", b"[SEP]"]
    assert row == pieces
    assert features["padding_mask"].numpy().sum(axis=1).tolist() == [8, 2, 3]
    assert features["word_positions"].to_list() == [[1, -1, 6, -1], [], [2 * 8 + 1]]


def test_words_of_a_text_are_those_of_bert(task):
    text = " Caf\u00e9, it's\u200b\u4e2d\u6587 un-Foxed"
    features = task.features(texts(text, "", "."))
    starts, ends = (features[name].to_list() for name in ("word_starts", "word_ends"))
    found = [text[start:end] for start, end in zip(starts[0], ends[0], strict=True)]
    assert found[:5] == ["Caf\u00e9", ",", "it", "'", "s"]
    assert found[5:] == ["\u4e2d", "\u6587", "un", "-", "Foxed"]
    assert (starts[1:], ends[1:]) == ([[], [0]], [[], [1]])
    # c ##a ##f ##e, it as i ##t, and then two rows.
    assert [len(places) for places in features["word_positions"].to_list()] == [10, 0, 1]


class Row(dict):
    """An example of a file."""

    source = "x.conll:7"


def test_labels_and_weights_stand_where_words_begin(task):
    examples = [
        {"words": ["Unaffable", "\u200b", "Dog"], "labels": ["B-PER", "I-PER", "I-LOC"]},
        {"words": ["fox"], "labels": ["B-LOC"]},
    ]
    [(rows, labels, weights)] = task.dataset(examples, 7, sample_weight=[1.0, 0.25])
    assert set(rows) == {"token_ids", "segment_ids", "padding_mask"}
    expected = np.zeros([2, 8], "float32")
    expected[0, [1, 6]] = 1.0
    expected[1, 1] = 0.25
    np.testing.assert_array_equal(weights["logits"], expected)
    labels = labels["logits"].numpy()
    assert labels.shape == (2, 8, 5)
    assert labels.argmax(axis=-1)[expected > 0].tolist() == [1, 4, 3]
    assert labels.sum(axis=-1)[expected > 0].tolist() == [1.0, 1.0, 1.0]


@pytest.mark.parametrize("length", [3, 7, 10, 23])
def test_the_row_with_most_context_says_the_label(make, tokenizer, length):
    task = make(tokenizer, length=length)
    rng = np.random.default_rng(1)
    sentences = [
        ["".join(rng.choice(list("abcxyz"), rng.integers(1, 4))) for _ in range(count)]
        for count in (0, 1, 5, 40, 3, 17)
    ]
    features = task.features(words(*sentences))
    found = windows(
        task.packer, task.tokenizer.tokenize([" ".join(s) for s in sentences]), task.stride
    )
    token_ids, of_text, starts, lengths = (
        x.numpy() for x in (features["token_ids"], found.texts, found.starts, found.lengths)
    )
    for i, (sentence, places) in enumerate(
        zip(sentences, features["word_positions"].to_list(), strict=True)
    ):
        # Every letter is a piece.
        first_pieces = np.cumsum([0, *map(len, sentence)])
        for word, piece, place in zip(sentence, first_pieces, places, strict=False):
            row, column = divmod(place, token_ids.shape[1])
            assert of_text[row] == i
            assert starts[row] + column - 1 == piece
            assert task.tokenizer.vocabulary[token_ids[row, column]] == word[0]
            context = np.minimum(piece - starts, starts + lengths - 1 - piece)
            assert context[row] == context[of_text == i].max()
    assert token_ids.shape[0] == len(of_text)


@pytest.mark.parametrize("labels", [IOB2, BIOES, BARE], ids=["iob2", "bioes", "bare"])
def test_entities_are_those_of_seqeval(make, tokenizer, labels):
    task = make(tokenizer, labels)
    rng = np.random.default_rng(2)
    said = [rng.choice(labels, count).tolist() for count in (*range(9), 0, *[31] * 20)]
    # Words of one letter with a space between stand at every other character.
    columns = texts(*(" ".join("a" * len(names)) for names in said))
    for names, entities in zip(said, answered(task, columns, said), strict=True):
        expected = [(kind, 2 * a, 2 * b - 1) for kind, a, b in metrics.entities(names)]
        assert spans(entities) == expected


def test_an_entity_is_cut_from_the_original_text(task):
    text = "\U0001f600 Cafe\u0301 No\u00ebl,\u4e2d\u6587\u200b un\u00b2"
    names = [*["O", "B-LOC", "I-LOC", "O", "B-PER", "I-PER"], "O"]
    [entities, none] = answered(task, texts(text, " "), [names, []])
    assert none == []
    assert [one["text"] for one in entities] == ["Cafe\u0301 No\u00ebl", "\u4e2d\u6587"]
    assert all(text[one["start"] : one["end"]] == one["text"] for one in entities)


def test_bytes_that_are_not_utf_8_are_left_out(task):
    [entities] = answered(task, texts(b"a\xff fox \xe4dog"), [["O", "B-PER", "I-PER"]])
    assert [(one["text"], one["start"], one["end"]) for one in entities] == [("fox dog", 2, 9)]


def test_a_probability_is_the_mean_over_the_words(task):
    features = task.features(texts("a fox"))
    probabilities = np.full([1, 8, 5], 0.2)
    probabilities[0, 1] = [0.1, 0.6, 0.1, 0.1, 0.1]
    probabilities[0, 2] = [0.1, 0.05, 0.7, 0.1, 0.05]
    answers = task.answers({"logits": np.log(probabilities)}, features)
    np.testing.assert_allclose(answers["entity_probabilities"], [[0.65]], rtol=1e-5)


def test_a_word_without_pieces_keeps_its_place(task, make, tokenizer):
    columns = words(["\u200b", "fox"], ["dog", "\0", "fox"])
    names = [["B-PER", "I-PER"], ["B-LOC", "I-LOC", "I-LOC"]]
    [first, second] = answered(task, columns, names)
    assert labels_of([first, second]) == [["O", "I-PER"], ["B-LOC", "O", "I-LOC"]]
    assert [word["probability"] > 0 for word in second] == [True, False, True]
    plain = answered(make(tokenizer, PLAIN), columns, [["DET", "VERB"], ["VERB", "DET", "DET"]])
    assert labels_of(plain) == [["NOUN", "VERB"], ["VERB", "NOUN", "DET"]]


def test_of_plain_labels_every_word_of_a_text_is_said(make, tokenizer):
    task = make(tokenizer, PLAIN)
    [entities] = answered(task, texts("the fox jumped"), [["DET", "NOUN", "NOUN"]])
    assert spans(entities) == [("DET", 0, 3), ("NOUN", 4, 7), ("NOUN", 8, 14)]


def test_outputs_are_padded(task):
    answers = task.answer(texts("a", "the fox, a dog", ""))
    count = answers["num_entities"].numpy()
    assert {name: x.dtype.name for name, x in answers.items()} == {
        "entity_labels": "string",
        "entity_texts": "string",
        "entity_starts": "int32",
        "entity_ends": "int32",
        "entity_probabilities": "float32",
        "num_entities": "int32",
    }
    for name in ("entity_labels", "entity_texts", "entity_starts", "entity_probabilities"):
        assert answers[name].shape == (3, count.max())
    assert answers["entity_texts"][2].numpy().tolist() == [b""] * count.max()


def test_examples_are_learned_by_heart(learned):
    answers = learned(EXAMPLES)
    assert labels_of(answers) == [example["labels"] for example in EXAMPLES]
    scores = learned.scores(EXAMPLES, answers)
    assert scores == {"f1": 1.0, "precision": 1.0, "recall": 1.0, "accuracy": 1.0}
    assert next(iter(scores)) == "f1"
    [entities] = learned(["The quick Foxed jump over wanted."])
    assert spans(entities) == [("PER", 4, 15), ("LOC", 26, 32)]
    assert [one["text"] for one in entities] == ["quick Foxed", "wanted"]
    [[*_, last]] = learned([" ".join(EXAMPLES[2]["words"])])
    assert (last["label"], last["text"]) == ("LOC", "Fox ed brown")


def same(some, others):
    for one, other in zip(some, others, strict=True):
        assert spans(one) == spans(other)
        np.testing.assert_allclose(
            [x["probability"] for x in one], [x["probability"] for x in other], atol=1e-5
        )


def test_texts_of_a_batch_do_not_see_each_other(learned):
    some = ["lazy", "", " ".join(EXAMPLES[2]["words"]), "The quick Foxed jump over wanted."]
    answers = learned(some)
    assert [len(answer) for answer in answers] == [1, 0, 2, 2]
    same([learned([text])[0] for text in some], answers)
    same(learned(some[::-1])[::-1], answers)


def test_a_long_text_goes_through_the_model_in_parts(learned):
    columns = texts("lazy", "the quick foxed " * 60)
    features = learned.features(columns)
    inputs = learned.model_inputs(features)
    assert inputs["token_ids"].shape[0] > ANSWER_BATCH
    at_once = learned.answers(learned(inputs), features)
    for name, value in learned.answer(columns).items():
        if value.dtype == tf.string:
            assert value.numpy().tolist() == at_once[name].numpy().tolist()
        else:
            np.testing.assert_allclose(value, at_once[name], atol=1e-5)


def test_an_exported_graph_says_the_same(learned, tmp_path):
    module = tf.Module()
    module.answer = tf.function(
        learned.answer, input_signature=[learned.example_spec], autograph=False
    )
    module.weights = [weight.value for weight in learned.weights]
    tf.saved_model.save(module, str(tmp_path))
    columns = texts("The quick Foxed jump over wanted.", "", " ".join(EXAMPLES[2]["words"]))
    loaded = tf.saved_model.load(str(tmp_path))
    served = loaded.answer(columns)
    expected = learned.answer(columns)
    assert set(served) == set(expected)
    for name, value in served.items():
        if value.dtype == tf.string:
            assert value.numpy().tolist() == expected[name].numpy().tolist()
        else:
            np.testing.assert_allclose(value, expected[name], atol=1e-5)


def test_every_word_counts_once(task, caplog):
    with caplog.at_level(logging.INFO, logger="absl"):
        data = task.dataset(EXAMPLES, batch_size=3, sample_weight=(1, 2, 0.5))
    assert "1 of 3 examples are longer than 11 pieces" in caplog.text
    assert "there are 4 rows in all" in caplog.text
    assert len(data) == 2
    batches = list(data)
    assert [labels["logits"].shape[0] for _, labels, _ in batches] == [3, 1]
    total = sum(weights["logits"].numpy().sum() for *_, weights in batches)
    assert total == 7 + 2 * 1 + 0.5 * 11

    task.compile(kb.AdamW(0.0), **task.objective())
    loss = task.evaluate(data, verbose=0, return_dict=True)["loss"]
    features = task.features(words(*(example["words"] for example in EXAMPLES)))
    logits = task(task.model_inputs(features))["logits"].numpy().reshape(-1, 5)
    logs = np.log(keras.ops.softmax(logits[features["word_positions"].values.numpy()]))
    wanted = [IOB2.index(name) for example in EXAMPLES for name in example["labels"]]
    weights = np.repeat([1, 2, 0.5], [7, 1, 11])
    expected = -np.sum(weights * logs[np.arange(19), wanted]) / weights.sum()
    np.testing.assert_allclose(loss, expected, rtol=1e-5)


def test_batches_have_so_many_rows_however_many_the_examples_have(task):
    # Micro-batches and replicas take equal shares.
    for training in (False, True):
        data = task.dataset(EXAMPLES, batch_size=2, training=training)
        assert [rows["token_ids"].shape[0] for rows, *_ in data] == [2, 2]
    lengths = [rows["padding_mask"].numpy().sum() for rows, *_ in task.dataset(EXAMPLES, 2)]
    # Of 9, 1 and 13 pieces; the last ones are 9 in the first row, and from the fifth on 9.
    assert lengths == [11 + 3, 11 + 11]


def test_label_smoothing_is_that_of_keras(task):
    [(rows, labels, weights)] = task.dataset(EXAMPLES[:1], 1)
    logits = task(rows)["logits"]
    loss = task.objective(label_smoothing=0.2)["loss"]["logits"]
    smooth = 0.8 * labels["logits"] + 0.2 / 5
    expected = -tf.reduce_sum(smooth * tf.nn.log_softmax(logits), axis=-1) * weights["logits"]
    total = loss(labels["logits"], logits, sample_weight=weights["logits"])
    np.testing.assert_allclose(total, np.sum(expected), rtol=1e-5)


def test_scores_of_entities(task):
    examples = [{"words": ["a", "b", "c"], "labels": ["B-PER", "O", "B-LOC"]}]
    said = [[{"label": name} for name in ("B-PER", "B-LOC", "B-PER")]]
    scores = task.scores(examples, said)
    third = pytest.approx(1 / 3)
    assert list(scores) == ["f1", "precision", "recall", "accuracy"]
    assert list(scores.values()) == [pytest.approx(0.4), third, 0.5, third]


def test_scores_of_plain_labels(make, tokenizer):
    examples = [
        {"words": ["a", "b"], "labels": ["NOUN", "VERB"]},
        {"words": ["c"], "labels": ["NOUN"]},
    ]
    said = [[{"label": "NOUN"}, {"label": "DET"}], [{"label": "NOUN"}]]
    scores = make(tokenizer, PLAIN).scores(examples, said)
    assert scores == {"accuracy": pytest.approx(2 / 3), "f1_macro": pytest.approx(1 / 3)}
    assert next(iter(scores)) == "accuracy"


def test_settings_make_the_task_anew(task):
    settings = task.settings()
    assert settings["id2label"]["3"] == "B-LOC" and settings["label2id"]["B-LOC"] == 3
    again = TokenClassifier.from_settings(task.encoder, task.tokenizer, settings, "zeros")
    assert again.labels == task.labels
    assert again.packer.sequence_length == 11
    assert again.settings() == settings
    of_the_hub = TokenClassifier.from_settings(
        task.encoder, task.tokenizer, {"id2label": {"1": "B-X", "0": "O"}}
    )
    assert of_the_hub.labels == ("O", "B-X")
    assert of_the_hub.packer.sequence_length == 23


def test_the_pooler_is_not_trained(task):
    assert not any("pooler" in weight.path for weight in task.trainable_weights)
    assert [w.path for w in task.trainable_weights[-2:]] == ["classifier/kernel", "classifier/bias"]


@pytest.mark.parametrize("labels", [(), ("O",), "OB", ("O", "O"), ("O", ""), ("O", None)])
def test_labels_must_be_names(task, labels):
    with pytest.raises(ValueError, match="must be names, each once, not|must be at least two"):
        TokenClassifier(task.encoder, task.packer, labels)


@pytest.mark.parametrize(
    ("example", "message"),
    [
        ({"words": ["a", "b"], "labels": ["O"]}, "x.conll:7: .* 2 words and 1 labels"),
        ({"words": ["a"], "labels": ["B-ORG"]}, "x.conll:7: a label must be .* but is 'B-ORG'"),
        ({"words": ["a"]}, "x.conll:7: there must be a column 'labels', but there is 'words'"),
        ({"words": ["a"], "labels": "O"}, "x.conll:7: words and labels must be two lists"),
        ({"text": "a", "labels": ["O"]}, "x.conll:7: there must be a column 'words', but"),
        ({"words": "a", "labels": ["O"]}, "x.conll:7: words must be a list of texts, but is 'a'"),
        ({"words": [3], "labels": ["O"]}, r"x.conll:7: words must be a list of texts, but is \[3"),
        ({"labels": ["O"]}, "x.conll:7: there must be a column 'words', but there is 'labels'"),
        ({"words": ["a"], "labels": [None]}, "x.conll:7: a label must .* None: .* leave it out"),
    ],
)
def test_bad_examples(task, example, message):
    with pytest.raises(ValueError, match=message):
        task.dataset([Row(example)], 2)


def test_words_and_texts_are_not_answered_together(task):
    with pytest.raises(ValueError, match="there must be a column 'words'"):
        task(["a fox", {"words": ["a", "fox"]}])


def test_a_list_of_words_is_an_example(task):
    assert task([["a", "fox"], ["dog"]]) == task([{"words": ["a", "fox"]}, {"words": ["dog"]}])
    with pytest.raises(ValueError, match="1 columns, text, but .* has 2: pass a dict"):
        task([("a", "fox")])


def wnut(shared):
    examples = in_iob2(read_conll(shared / "data/ner/wnut17_train.conll"))[:300]
    return "bert-base-cased-vocab.txt", examples, " "


def weibo(shared):
    path = shared / "data/ner/weibo_train.conll"
    return (
        "bert-base-chinese-vocab.txt",
        in_iob2(read_conll(path, clean=without_position), repair=True)[:200],
        "",
    )


def characters_of(words, between):
    """Where words start and end in the text that they make, and behind the last one."""
    ends = np.cumsum([len(word) + len(between) for word in words]) - len(between)
    return [(end - len(word), end) for word, end in zip(words, ends.tolist(), strict=True)]


@pytest.mark.parametrize("read", [wnut, weibo])
def test_gold_labels_come_back_from_real_text(shared, make, read):
    vocabulary, examples, between = read(shared)
    tokenizer = kb.Tokenizer(
        kb.read_vocabulary(shared / "data/vocab" / vocabulary), lowercase="cased" not in vocabulary
    )
    task = make(tokenizer, sorted({name for e in examples for name in e["labels"]}), length=23)
    gold = [example["labels"] for example in examples]
    columns = task.input_columns(examples)
    has_pieces = (task.features(columns)["word_positions"] >= 0).to_list()
    kept = [
        [name if has else "O" for name, has in zip(names, some, strict=True)]
        for names, some in zip(gold, has_pieces, strict=True)
    ]
    assert labels_of(answered(task, columns, gold)) == kept

    originals = [between.join(example["words"]) for example in examples]
    columns = texts(*originals)
    features = task.features(columns)
    said, wanted = [], []
    for example, starts in zip(examples, features["word_starts"].to_list(), strict=True):
        characters = characters_of(example["words"], between)
        said.append(labels_of_own_words(example["labels"], characters, starts))
        wanted.append(
            [
                (kind, characters[first][0], characters[end - 1][1])
                for kind, first, end in metrics.entities(example["labels"])
            ]
        )
    answers = answered(task, columns, said)
    for text, entities in zip(originals, answers, strict=True):
        assert all(text[one["start"] : one["end"]] == one["text"] for one in entities)
    assert sum(map(len, wanted)) > 100
    assert [spans(entities) for entities in answers] == wanted


def labels_of_own_words(labels, characters, starts):
    """The labels of BERT's words from those of the words that they are parts of."""
    word_starts = [start for start, _ in characters]
    said, before = [], -1
    for word in np.searchsorted(word_starts, starts, side="right") - 1:
        continues = word == before and labels[word] != "O"
        said.append("I" + labels[word][1:] if continues else labels[word])
        before = word
    return said

"""What holds for every task; a new one is a row of the table."""

import dataclasses
import gc
import itertools
import logging
import weakref

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_bert as kb
from keras_bert.layers import transformer
from keras_bert.layers.rows import gather
from keras_bert.tasks.labels import label_index, labels_of

PAIRS = [("the fine film", "no"), ("a quick brown fox", "yes"), ("over the lazy dog", "yes")]
MULTI = "multi_label_classification"

# For every task: how it is made, and examples that it can learn by heart.
TASKS = {
    "one label": (
        lambda e, p: kb.TextClassifier(e, p, ("no", "yes")),
        [{"sentence": text, "label": label} for text, label in PAIRS],
    ),
    "pairs": (
        lambda e, p: kb.TextClassifier(e, p, ("no", "yes"), ("first", "second")),
        [{"first": text, "second": "fox", "label": label} for text, label in PAIRS],
    ),
    "several labels": (
        lambda e, p: kb.TextClassifier(e, p, ("x", "y", "z"), problem=MULTI),
        [
            {"sentence": text, "label": label}
            for (text, _), label in zip(PAIRS, ("x,z", "", ["y"]), strict=True)
        ],
    ),
    "numbers": (
        lambda e, p: kb.TextClassifier(e, p, ("score",), problem="regression"),
        [
            {"sentence": text, "label": label}
            for (text, _), label in zip(PAIRS, (0.5, "-1", 1.5), strict=True)
        ],
    ),
    "long texts": (
        lambda e, p: kb.TextClassifier(e, p, ("no", "yes"), stride=3),
        [{"sentence": text * 3, "label": label} for text, label in PAIRS],
    ),
    "choices": (
        lambda e, p: kb.MultipleChoice(e, p),
        [
            {"context": text, "question": "", "choices": ["a", "fine", "dog"][:n], "label": n - 1}
            for (text, _), n in zip(PAIRS, (2, 3, 3), strict=True)
        ],
    ),
    "tags": (
        lambda e, p: kb.TokenClassifier(e, p, ("DET", "ADJ", "NOUN")),
        [
            {"words": ["the", "fine", "film"], "labels": ["DET", "ADJ", "NOUN"]},
            {"words": ["lazy", "dog"], "labels": ["ADJ", "NOUN"]},
        ],
    ),
    "answers": (
        lambda e, p: kb.QuestionAnswerer(e, p, stride=3, max_answer_tokens=2),
        [
            {"question": q, "context": c, "answers": [a], "answer_starts": [c.index(a)]}
            for q, c, a in (
                ("the quick", "the quick brown fox", "brown"),
                ("film", "a fine film a lazy dog", "lazy dog"),
            )
        ],
    ),
    "vectors": (
        lambda e, p: kb.SentenceEmbedder(e, p),
        [{"text": text, "positive": label} for text, label in zip("abc", "xyz", strict=True)],
    ),
    "blanks": (
        lambda e, p: kb.FillMask(kb.BertPretrainer(e, None), p),
        [
            {"text": text, "answers": answers}
            for text, answers in (
                ("[MASK] fine film", ["the"]),
                ("a [MASK] brown [MASK]", ["quick", "fox"]),
                ("over [MASK] lazy dog", ["the"]),
            )
        ],
    ),
}


def make(name, tokenizer, config, num_layers=1):
    keras.utils.set_random_seed(2)
    config = dataclasses.replace(config, num_layers=num_layers, dropout=0.0, attention_dropout=0.0)
    make, examples = TASKS[name]
    return make(kb.BertEncoder(config), kb.Packer(tokenizer, 13)), examples


def close(some, others):
    for one, other in zip(some, others, strict=True):
        one, other = ({"answer": x} if not isinstance(x, dict) else x for x in (one, other))
        for a, b in zip(keras.tree.flatten(one), keras.tree.flatten(other), strict=True):
            assert a == (b if isinstance(b, str) else pytest.approx(b, abs=1e-5))


def equal_matrices(model):
    """Pairs of paths of matrices of one shape that are equal."""
    matrices = [(w.path, w.numpy()) for w in model.weights if len(w.shape) > 1]
    pairs = itertools.combinations(matrices, 2)
    return [(a, b) for (a, x), (b, y) in pairs if x.shape == y.shape and np.array_equal(x, y)]


def trained(model):
    return [weight.path for weight in model.trainable_weights]


@pytest.fixture
def in_bfloat16():
    keras.config.set_dtype_policy("mixed_bfloat16")
    yield
    keras.config.set_dtype_policy("float32")


@pytest.mark.parametrize("name", TASKS)
def test_fresh_matrices_are_independent_draws(name, tokenizer, config):
    task, again = (make(name, tokenizer, config)[0] for _ in range(2))
    assert equal_matrices(task) == []
    for one, same in zip(task.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(one, same)
    assert all(np.std(matrix) > 0.01 for matrix in task.get_weights() if matrix.ndim > 1)


def test_a_task_that_has_answered_is_given_back_with_its_weights(tokenizer, config):
    task, examples = make("blanks", tokenizer, config)
    task(examples)
    held = [weakref.ref(weight.value.handle) for weight in task.weights]
    del task
    gc.collect()
    assert {one() for one in held} == {None}


@pytest.mark.parametrize("name", TASKS)
def test_in_bfloat16_outputs_are_float32(name, tokenizer, config, in_bfloat16, without_graphs):
    task, examples = make(name, tokenizer, config)
    assert task.encoder.output["sequence_output"].dtype == "bfloat16"
    assert {output.dtype for output in task.output.values()} == {"float32"}
    assert len(task(examples)) == len(examples)


def test_tasks_of_one_encoder_leave_it_and_each_other_alone(tokenizer, config):
    """In any order of making and compiling; what the user freezes is frozen for all."""
    kinds = ("one label", "tags", "answers", "blanks", "vectors")
    alone = {kind: trained(make(kind, tokenizer, config)[0]) for kind in kinds}
    for order in (kinds, kinds[::-1]):
        encoder = kb.BertEncoder(dataclasses.replace(config, num_layers=1))
        tasks = {kind: TASKS[kind][0](encoder, kb.Packer(tokenizer, 13)) for kind in order}
        pretrainer = kb.BertPretrainer(encoder)
        for kind, task in tasks.items():
            task.compile("sgd", jit_compile=kind == "tags", **task.objective())
        assert {kind: trained(task) for kind, task in tasks.items()} == alone
        assert {"pooler/dense/kernel", "next_sentence/kernel"} <= set(trained(pretrainer))
        assert all(weight.trainable for weight in encoder.weights)
        assert [task.skip_padding for task in tasks.values()] == [k != "tags" for k in tasks]
    encoder.trainable = False
    assert [trained(tasks[kind]) for kind in ("one label", "tags", "answers", "vectors")] == [
        *[["classifier/kernel", "classifier/bias"]] * 2,
        ["span/kernel", "span/bias"],
        [],
    ]


def test_padding_is_skipped_in_the_step_of_the_task_that_says_so(tokenizer, config, monkeypatch):
    skipped = []

    def noticing(x, places):
        skipped.append(places is not None)
        return gather(x, places)

    monkeypatch.setattr(transformer, "gather", noticing)
    task, examples = make("tags", tokenizer, config)
    batch = next(iter(task.dataset(examples, 2)))
    for skips in (True, False, True):
        task.compile("sgd", run_eagerly=True, **task.objective())
        task.skip_padding = skips
        skipped.clear()
        task.train_on_batch(*batch)
        assert set(skipped) == {skips}
        skipped.clear()
        task.encoder(batch[0], training=True)
        task.test_on_batch(*batch)
        assert set(skipped) == {False}


@pytest.mark.parametrize("name", [name for name in TASKS if name not in ("vectors", "blanks")])
def test_new_heads_spread_as_in_transformers(name, tokenizer, config):
    task, _ = make(name, tokenizer, config)
    [head] = [layer for layer in task.layers if isinstance(layer, keras.layers.Dense)]
    values = np.array(head.kernel_initializer((300, 1000)))
    assert values.std() == pytest.approx(config.initializer_range, rel=0.01)


@pytest.mark.slow
@pytest.mark.parametrize("name", TASKS)
def test_a_tpu_learns_and_evaluates_the_same(name, tokenizer, config, on_a_tpu, as_on_a_tpu):
    """By steps of one shape that XLA compiles; the last batch is a partial one."""
    task, examples = make(name, tokenizer, config)
    task.compile(kb.AdamW(1e-3), **task.objective())
    dataset = task.dataset(examples, 2)
    sizes = {len(batch[2][next(iter(batch[2]))]) for batch in dataset}
    assert len(sizes) == 2 or name in ("tags", "answers"), sizes
    wanted = [
        {k: v[0] for k, v in task.fit(dataset, verbose=0).history.items()},
        task.evaluate(dataset, verbose=0, return_dict=True),
    ]
    with on_a_tpu():
        other, _ = make(name, tokenizer, config)
        other.compile(kb.AdamW(1e-3), **other.objective())
        batches = other.dataset(examples, 2)
        for step, expected in zip((other.train_step, other.test_step), wanted, strict=True):
            other.reset_metrics()
            compiled = as_on_a_tpu(step, batches.element_spec)
            for batch in batches:
                logs = compiled(batch)
            assert {k: float(v) for k, v in logs.items()} == pytest.approx(expected, rel=1e-5)
    for weight, same in zip(other.get_weights(), task.get_weights(), strict=True):
        np.testing.assert_allclose(weight, same, atol=1e-5)


@pytest.fixture(scope="module", params=TASKS)
def learned(request, tokenizer, config):
    """A task and the examples that it knows by heart, after 400 steps at most."""
    task, examples = make(request.param, tokenizer, config)
    task.compile(kb.AdamW(5e-3, bias_correction=True), **task.objective())
    batches = task.dataset(examples, batch_size=3, training=True).repeat(50)
    for _ in range(8):
        task.fit(batches, verbose=0)
        if task.scores(examples, task(examples))[task.score_names[0]] > 0.99:
            break
    return task, examples


def test_examples_are_learned_by_heart(learned):
    task, examples = learned
    scores = task.scores(examples, task(examples))
    assert scores[task.score_names[0]] > 0.99  # of 1, or of 100
    assert tuple(scores)[: len(task.score_names)] == task.score_names
    assert isinstance(task, kb.QuestionAnswerer) or len(scores) == len(task.score_names)


def test_answers_depend_neither_on_the_batch_nor_on_the_order(learned):
    task, examples = learned
    answers = task(examples)
    close(task(examples[::-1])[::-1], answers)
    close([task([example])[0] for example in examples], answers)


def test_predict_has_the_answers_as_arrays(learned, capsys):
    task, examples = learned
    found = task.predict(examples, batch_size=2, verbose=1)
    assert f"{len(examples)}/{len(examples)}" in capsys.readouterr().out
    for indices, answers in task.answer_batches(examples, 2):
        for name, values in answers.items():
            assert len(found[name]) == len(examples)
            for i, value in zip(indices, values, strict=True):
                place = (i, *map(slice, np.shape(value)))
                if values.dtype == object:
                    value = np.char.decode(np.asarray(value, bytes))
                np.testing.assert_array_equal(found[name][place], value)
    few = task.predict(examples, batch_size=1, steps=2, verbose=0)
    assert {len(values) for values in few.values()} == {2}


def test_a_resized_task_answers_the_same(learned, without_graphs):
    task, examples = learned
    larger = kb.resize(task, max_sequence_length=40, vocabulary_size=107)
    assert type(larger) is type(task) and larger.encoder.config.vocabulary_size == 107
    close(larger(examples), task(examples))


@pytest.mark.parametrize("name", ["several labels", "numbers", "long texts"])
def test_an_exported_graph_says_the_same(name, tokenizer, config, drawn, tmp_path):
    """The others are exported by the binary, in tests/train, and pairs in tests/exporting."""
    task, examples = make(name, tokenizer, config)
    drawn(task)
    module = tf.Module()
    examples = [{key: example.get(key, "a") for key in task.example_spec} for example in examples]
    spec = {n: tf.TensorSpec(s.shape, s.dtype) for n, s in task.example_spec.items()}
    module.answer = tf.function(task.answer, input_signature=[spec], autograph=False)
    module.variables_of_the_task = [weight.value for weight in task.weights]
    tf.saved_model.save(module, str(tmp_path / "model"))
    served = tf.saved_model.load(str(tmp_path / "model"))
    columns = task.input_columns(examples)
    columns = {n: x.to_tensor() if hasattr(x, "to_tensor") else x for n, x in columns.items()}
    wanted = task.answer(task.input_columns(examples))
    for key, value in served.answer(columns).items():
        assert value.shape[0] == len(examples)
        if value.dtype == tf.string:
            assert value.numpy().tolist() == wanted[key].numpy().tolist()
        else:
            np.testing.assert_allclose(value, wanted[key], atol=1e-5)


@pytest.mark.parametrize("name", TASKS)
def test_padding_that_is_skipped_changes_no_update(name, tokenizer, config):
    task, examples = make(name, tokenizer, config, num_layers=2)
    # By so much that the updates are not of the size of the weights' own rounding.
    task.compile(keras.optimizers.SGD(100.0), run_eagerly=True, **task.objective())
    assert task.skip_padding
    data, before, updates = task.dataset(examples, 3), task.get_weights(), []
    for skip_padding in (True, False):
        task.skip_padding = skip_padding
        task.set_weights(before)
        task.fit(data, verbose=0)
        updates.append([b - a for a, b in zip(before, task.get_weights(), strict=True)])
    largest = max(np.abs(update).max() for update in updates[1])
    assert largest > 1e-5
    for update, expected in zip(*updates, strict=True):
        np.testing.assert_allclose(update, expected, atol=1e-3 * largest)


def test_under_xla_shapes_do_not_depend_on_values(classifier):
    classifier.compile(keras.optimizers.SGD(0.1), jit_compile=True, **classifier.objective())
    assert not classifier.skip_padding


@pytest.fixture(scope="module")
def classifier(tokenizer, config):
    return make("one label", tokenizer, config)[0]


def batches_of(dataset):
    """The first piece of each row, batch by batch."""
    return [ids.numpy().tolist() for ids in dataset.map(lambda x, y, w: x["token_ids"][:, 1])]


def test_every_epoch_has_an_order_of_its_own(classifier):
    examples = [{"sentence": letter, "label": "no"} for letter in "abcdefghijklm"]
    data = classifier.dataset(examples, 5, training=True, seed=3)
    first, second = sum(batches_of(data), []), sum(batches_of(data), [])
    in_order = sum(batches_of(classifier.dataset(examples, 5)), [])
    assert sorted(first) == sorted(second) == in_order
    assert first != second and first != in_order
    tf.random.set_seed(0)
    once = batches_of(classifier.dataset(examples, 5, training=True, seed=3).repeat(3))
    tf.random.set_seed(0)
    resumed = classifier.dataset(examples, 5, training=True, seed=3).repeat(3).skip(4)
    assert batches_of(resumed) == once[4:]


class Row(dict):
    """An example of a file."""

    source = "a.tsv:7"


def test_weights_of_examples(classifier):
    examples = [{"sentence": "a", "label": "no", "weight": 9.0}, {"sentence": "b", "label": "yes"}]
    [(_, _, weights)] = classifier.dataset(examples, 7, sample_weight=[0.25, 1.0])
    assert weights["logits"].numpy().tolist() == [0.25, 1.0]
    [(_, _, weights)] = classifier.dataset(examples, 7)  # a column may have any name
    assert weights["logits"].numpy().tolist() == [1.0, 1.0]
    with pytest.raises(ValueError, match="for each of the 2 examples"):
        classifier.dataset(examples, 7, sample_weight=[1.0])
    with pytest.raises(ValueError, match=r"a\.tsv:7: a weight .* sample_weight\[1\] is -1"):
        classifier.dataset([examples[0], Row(examples[1])], 7, sample_weight=[1.0, -1.0])


def test_names_of_columns_are_the_users(tokenizer, config):
    keys = {"text_keys": ("label", "weight"), "label_key": "source"}
    encoder, packer = kb.BertEncoder(config), kb.Packer(tokenizer, 9)
    task = kb.TextClassifier(encoder, packer, ("no", "yes"), **keys)
    usual = kb.TextClassifier(encoder, packer, ("no", "yes"), ("a", "b"))
    example = {"label": "fox", "weight": "film", "source": "yes", "answer": "no"}
    [batch] = task.dataset([example], 1).as_numpy_iterator()
    [same] = usual.dataset([{"a": "fox", "b": "film", "label": "yes"}], 1).as_numpy_iterator()
    keras.tree.map_structure(np.testing.assert_array_equal, batch, same)
    assert task.settings()["keras_bert"]["label_key"] == "source"
    again = kb.TextClassifier.from_settings(encoder, tokenizer, task.settings())
    assert (again.text_keys, again.label_key) == (task.text_keys, "source")
    with pytest.raises(ValueError, match="must be different columns"):
        kb.TextClassifier(encoder, packer, ("no", "yes"), ("a",), label_key="a")


def test_rows_are_as_long_as_the_longest_of_the_batch(classifier):
    features = classifier.features({"sentence": tf.constant(["a", "a b c"])})
    assert features["token_ids"].shape == (2, 8)
    features = classifier.features({"sentence": tf.constant(["a " * 40])})
    assert features["token_ids"].shape == (1, 13)


def test_what_is_cut_is_said_once(classifier, caplog):
    examples = [{"sentence": "a " * n, "label": "no"} for n in (11, 12, 40)]
    with caplog.at_level(logging.WARNING, logger="absl"):
        classifier.dataset(examples, 2)
    assert caplog.text.count("2 of 3 examples are longer than 13 pieces") == 1


def test_no_texts_no_answers(classifier):
    assert classifier([]) == [] and classifier.predict([]) == {}
    with pytest.raises(ValueError, match="callbacks are for features"):
        classifier.predict(["a"], callbacks=[keras.callbacks.Callback()])


@pytest.mark.parametrize(
    ("examples", "message"),
    [
        ([], "at least one example"),
        ([{"sentence": 3, "label": "no"}], "sentence must be a text, but is 3"),
        ([Row(label="no", sent="a")], "a.tsv:7: .* 'sentence', but there are 'sent', 'label'"),
        ([Row(sentence=None, label="no")], "a.tsv:7: sentence must be a text, but is None"),
        ([Row(sentence="a", label="Yes")], "a.tsv:7: a label .* 'Yes': correct it"),
        ([Row(sentence="a", label=None)], "a.tsv:7: a label .* but is None: .* leave it out"),
        ([Row(sentence="a", label="-")], "but is '-': .* leave it out"),
        ([Row(sentence="a", label=-1)], "but is -1: .* leave it out"),
        ([Row(sentence="a", labl="no")], "a.tsv:7: .* a column 'label', but .* 'labl', 'sentence'"),
    ],
)
def test_bad_examples(classifier, examples, message):
    with pytest.raises(ValueError, match=message):
        classifier.dataset(examples, 2)


@pytest.fixture(scope="module")
def pairs(tokenizer, config):
    return make("pairs", tokenizer, config)[0]


class Frame:
    """A table that looks like one of pandas, row by row."""

    columns = ("sentence", "label")

    def __init__(self, rows):
        self.rows = rows

    def to_dict(self, how):
        assert how == "records"
        return self.rows


ONE = ["a film", b"a film", np.str_("a film"), tf.constant("a film"), np.array("a film")]
SEVERAL = [
    ["a film", "fox"],
    ("a film", "fox"),
    np.array(["a film", "fox"]),
    np.array(["a film", "fox"], object),
    tf.constant(["a film", "fox"]),
    iter(["a film", "fox"]),
    [("a film",), {"sentence": "fox"}],
    {"sentence": ["a film", "fox"], "label": [0, 1]},
    {"sentence": np.array(["a film", "fox"])},
    Frame([{"sentence": "a film"}, {"sentence": "fox"}]),
    tf.data.Dataset.from_tensor_slices({"sentence": ["a film", "fox"]}),
]


def test_what_stands_for_examples(classifier):
    expected = classifier([{"sentence": "a film"}, {"sentence": "fox"}])
    for given in SEVERAL:
        assert classifier(given) == expected
    for given in [*ONE, {"sentence": "a film"}, {"sentence": np.str_("a film")}]:
        close([classifier(given)], expected[:1])
    assert classifier({"sentence": []}) == classifier(np.array([], str)) == []


def test_what_stands_for_an_example_of_several_texts(pairs):
    first, second = [text for text, _ in PAIRS], ["fox"] * 3
    expected = pairs([{"first": a, "second": b} for a, b in zip(first, second, strict=True)])
    tuples = list(zip(first, second, strict=True))
    for given in (tuples, np.array(tuples), {"first": first, "second": second}):
        assert pairs(given) == expected
    close([pairs(tuples[0])], expected[:1])
    for given in ("one text", ["one text"], [("a", "b", "c")]):
        with pytest.raises(ValueError, match="2 columns, first, second"):
            pairs(given)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (None, r"An example must be a text or a dict with 'sentence', but is None \(NoneType\)"),
        (3.5, r"but is 3\.5 \(float\)"),
        ([None], r"but is None \(NoneType\)"),
        (["a", 3], r"but is 3 \(int\)"),
        (np.array([1.0, 2.0]), r"but is 1\.0 \(float\)"),
        (tf.constant([1, 2]), r"but is 1 \(int\)"),
        (keras.Input((3,)), r"\(KerasTensor\)"),
        ([["a", "b"]], "1 columns, sentence, but"),
        ({"sentence": None}, "sentence must be a text, but is None"),
        ({"sentence": ["a", float("nan")]}, "sentence must be a text, but is nan"),
        ({"sentence": ["a", "b"], "label": [1]}, "there are 'sentence' 2, 'label' 1: give as many"),
        ({"sentence": ["a"], "label": "no"}, "'sentence' 1, 'label' no list"),
        ({"sentences": ["a"]}, "a column 'sentence', but there is 'sentences'"),
        ({"token_ids": np.ones([1, 3])}, "features of a model must be .* there are only token_ids"),
        ({}, "a column 'sentence', but there are none"),
    ],
)
def test_what_stands_for_no_examples(classifier, given, message):
    with pytest.raises(ValueError, match=message):
        classifier(given)


def test_a_dataset_is_made_of_what_a_task_is_called_with(classifier):
    columns = {"sentence": ["a", "b c"], "label": ["no", "yes"]}
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    [expected] = classifier.dataset(rows, 2).as_numpy_iterator()
    for given in (columns, Frame(rows)):
        [batch] = classifier.dataset(given, 2).as_numpy_iterator()
        keras.tree.map_structure(np.testing.assert_array_equal, batch, expected)
    answers = classifier(columns)
    assert classifier.scores(columns, answers) == classifier.scores(rows, answers)


def test_the_first_of_several_faults_is_told(classifier):
    rows = [Row(sentence="a " * 9), Row(sentence=None, label=1), Row(label=2), Row(sentence=3)]
    with pytest.raises(ValueError, match="sentence must be a text, but is None"):
        classifier(rows)


def test_halves_of_characters_are_texts(classifier):
    assert len(classifier(["a \ud83d film", "a"])) == 2


def test_answers_are_those_of_the_settings_and_weights_that_there_are(tokenizer, config):
    task, _ = make("one label", tokenizer, config)
    before = task("the fox")
    task.labels = ("bad", "good")
    renamed = {"no": "bad", "yes": "good"}[before["label"]]
    assert task("the fox") == {**before, "label": renamed}
    task.text_keys = ["text"]
    assert task({"text": "the fox"})["label"] == renamed
    kernel, bias = task.get_layer("classifier").weights
    bias.assign([0.0, 9.0])
    assert task("the fox")["label"] == "good"
    task.compile("sgd", **task.objective())
    bias.assign([9.0, 0.0])
    assert task("the fox")["label"] == "bad"
    bias.assign([0.3, 0.2])
    exact = task("the fox")["probability"]
    task.get_layer("classifier").dtype_policy = "mixed_bfloat16"
    assert 1e-5 < abs(task("the fox")["probability"] - exact) < 1e-2


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("problem", "regression", "problem must stay 'single_label_classification'"),
        ("dropout", 0.5, "dropout must stay"),
        ("labels", ("a", "b", "c"), "There must be 2 labels, as the head has so many classes"),
        ("labels", "no", "labels must be names"),
        ("text_keys", "text", "text_keys must be a sequence"),
        ("label_key", "sentence", "must be different columns"),
        ("stride", 3, "has no stride"),
    ],
)
def test_a_setting_that_does_not_fit_is_not_set(classifier, name, value, message):
    before = getattr(classifier, name)
    with pytest.raises(ValueError, match=message):
        setattr(classifier, name, value)
    assert getattr(classifier, name) == before


@pytest.mark.parametrize("length", [None, 24])
def test_rows_must_fit_the_encoder(tokenizer, config, length):
    with pytest.raises(ValueError, match="at most the encoder's 23 positions"):
        kb.TextClassifier(kb.BertEncoder(config), kb.Packer(tokenizer, length), ("a", "b"))


def test_the_vocabulary_must_fit_the_encoder(tokenizer, config):
    encoder = kb.BertEncoder(dataclasses.replace(config, vocabulary_size=96))
    with pytest.raises(ValueError, match="at most the encoder's 96 pieces"):
        kb.TextClassifier(encoder, kb.Packer(tokenizer, 7), ("a", "b"))


def test_a_task_says_what_it_is(classifier, tokenizer, config):
    said = repr(classifier)
    assert said.startswith("<TextClassifier: labels=('no', 'yes'), text_keys=('sentence',), label")
    assert said.endswith("rows of 13, BertEncoder of 1 x 18>")
    labels = [f"class {i}" for i in range(150)]
    assert len(repr(kb.TextClassifier(classifier.encoder, kb.Packer(tokenizer, 9), labels))) < 300


def test_labels_of_transformers_settings():
    assert labels_of({"id2label": {"1": "b", "0": "a"}}) == ("a", "b")
    assert labels_of({}) == ("LABEL_0", "LABEL_1")
    with pytest.raises(ValueError, match=r"names \[0, 2\]"):
        labels_of({"id2label": {"0": "a", "2": "b"}})


def test_labels_are_looked_up_by_name():
    index = label_index(("0", "1.0"))
    assert [index(label, {}) for label in (1, "1", 1.0, "1.0", np.int64(1), b" 1")] == [1] * 6
    assert label_index(("-", "-1"))("-", {}) == 0  # labels that are named are labels

"""QuestionAnswerer against plain loops after `run_squad.py`, transformers, and real answers."""

import dataclasses
import json
import logging
import math
import re

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_bert as kb
from keras_bert.tasks import question_answering

LONG = (
    "The quick brown fox jump over the lazy dog. A fine film, unaffordable! "
    "Over the dog: the lazy fox; want a brown film? The finest (quick) dog jumped."
)
QUESTIONS = ("Who jump?", "the lazy dog, the fine film?", "A film", "fox?")
CONTEXTS = (LONG, "the dog", LONG[40:] + LONG, "")


def make_task(tokenizer, config, length=23, **arguments):
    keras.utils.set_random_seed(1)
    config = dataclasses.replace(config, num_layers=1)
    arguments = {"stride": 5, **arguments}
    return kb.QuestionAnswerer(kb.BertEncoder(config), kb.Packer(tokenizer, length), **arguments)


@pytest.fixture(scope="module")
def task(tokenizer, config):
    return make_task(tokenizer, config, max_answer_tokens=6, num_best=7)


@pytest.fixture(scope="module")
def task_with_none(tokenizer, config):
    return make_task(tokenizer, config, max_answer_tokens=6, num_best=7, no_answer_threshold=0.0)


class Row(dict):
    """An example of a file."""

    source = "f.json:7"


def example_of(context, answer, question="Who jump?", nth=0, **more):
    start = [m.start() for m in re.finditer(re.escape(answer), context)][nth]
    example = {"question": question, "context": context, "answers": [answer]}
    return {**example, "answer_starts": [start], **more}


def features_of(task, examples):
    return task.features(task.input_columns(examples))


def targets_of(task, examples, weights=None):
    weights = tf.ones(len(examples)) if weights is None else tf.constant(weights)
    columns = {**task.target_columns(examples), "weight": weights}
    features = features_of(task, examples)
    return features, *task.targets(columns, features)


def learned(task, examples):
    """For each example the texts from start to end of those of its rows that hold the answer."""
    features, labels, _ = targets_of(task, examples)
    start, end = labels["start_logits"].numpy(), labels["end_logits"].numpy()
    starts, ends = features["piece_starts"].numpy(), features["piece_ends"].numpy()
    texts = [[] for _ in examples]
    for row, i in enumerate(features["rows_of"].numpy()):
        if end[row]:
            context = examples[i]["context"]
            texts[i].append(context[starts[row, start[row]] : ends[row, end[row]]])
    return texts


def logits_like(features, seed):
    rng = np.random.default_rng(seed)
    shape = features["token_ids"].shape
    return {name: rng.normal(size=shape).astype("float32") for name in question_answering.OUTPUTS}


def all_answers(features, outputs, number, max_tokens):
    """Every answer to example `number`, best first, and the score of none, by plain loops."""
    rows = np.flatnonzero(features["rows_of"].numpy() == number)
    pieces = features["pieces"].numpy()
    held = {row: [piece for piece in pieces[row] if piece >= 0] for row in rows}

    def score_of_context(row, piece):
        left, right = piece - held[row][0], held[row][-1] - piece
        return min(left, right) + 0.01 * len(held[row])

    starts, ends = features["piece_starts"].numpy(), features["piece_ends"].numpy()
    start_logits, end_logits = (np.asarray(outputs[name]) for name in question_answering.OUTPUTS)
    found = []
    for row in rows:
        places = np.flatnonzero(pieces[row] >= 0)
        for start in places:
            piece = pieces[row, start]
            with_piece = [other for other in rows if piece in held[other]]
            if row != max(with_piece, key=lambda other: score_of_context(other, piece)):
                continue
            for end in places[(places >= start) & (places < start + max_tokens)]:
                score = start_logits[row, start] + end_logits[row, end]
                found.append((score, starts[row, start], ends[row, end]))
    none = min(start_logits[row, 0] + end_logits[row, 0] for row in rows)
    return sorted(found, key=lambda one: -one[0]), none


def softmax(scores):
    exponents = [math.exp(score - max(scores)) for score in scores]
    return [exponent / sum(exponents) for exponent in exponents]


def test_features_are_rows_of_question_and_context(task, tokenizer):
    features = features_of(task, [{"question": "Fox?", "context": LONG}])
    tokens = tokenizer.tokens(features["token_ids"]).numpy()
    assert tokens[0, :4].tolist() == [b"[CLS]", b"fox", b"?", b"[SEP]"]
    assert tokens[1, 4] == tokens[0, 4 + 5]  # a stride later
    assert features["segment_ids"][0].numpy().tolist()[:6] == [0, 0, 0, 0, 1, 1]
    pieces = features["pieces"].numpy()
    assert pieces[1, :6].tolist() == [-1, -1, -1, -1, 5, 6]
    assert pieces[0, -1] == -1  # [SEP]
    starts, ends = features["piece_starts"].numpy(), features["piece_ends"].numpy()
    cut = [LONG[a:b] for a, b in zip(starts[0, 4:12], ends[0, 4:12], strict=True)]
    assert cut == ["The", "quick", "brown", "fox", "jump", "over", "the", "lazy"]
    assert (starts[pieces < 0] == 0).all() and (ends[pieces < 0] == 0).all()


def test_rows_are_as_long_as_the_longest(task):
    features = features_of(task, [{"question": "fox?", "context": "the dog"}])
    assert features["token_ids"].shape == (1, 8)  # 7 pieces, to a multiple of 8


@pytest.mark.parametrize(("most", "stride", "expected"), [(3, 5, 3), (64, 16, 4), (64, 5, 5)])
def test_a_question_is_cut(tokenizer, config, most, stride, expected, caplog):
    task = make_task(tokenizer, config, max_question_tokens=most, stride=stride)
    example = example_of("a dog", "dog", question="the quick brown fox jump")
    columns = task.input_columns([example])
    tokens = tokenizer.tokens(task.features(columns)["token_ids"])[0].numpy().tolist()
    question = [b"the", b"quick", b"brown", b"fox", b"jump"][:expected]
    assert tokens[: expected + 4] == [b"[CLS]", *question, b"[SEP]", b"a", b"dog"]
    task.dataset([example], 1)
    said = f"1 of 1 questions have more than {expected} pieces" in caplog.text
    assert said == (expected < 5)


def test_targets_are_the_places_of_the_answer(task):
    examples = [
        example_of("the quick brown fox", "quick brown", question="Who?"),
        example_of("an unaffordable film", "affordable", question="Who?"),
    ]
    features, labels, weights = targets_of(task, examples, [0.25, 1.0])
    assert features["rows_of"].numpy().tolist() == [0, 1]
    # [CLS] w ##h ##o ? [SEP] the quick brown fox; a ##n un ##a ##f ##f ##ord ##able film
    assert labels["start_logits"].numpy().tolist() == [7, 9]
    assert labels["end_logits"].numpy().tolist() == [8, 13]
    assert weights["start_logits"].numpy().tolist() == [0.25, 1.0]
    assert weights["end_logits"].numpy().tolist() == [0.25, 1.0]


def test_a_part_of_a_piece_is_the_whole_piece(task):
    assert learned(task, [example_of("the quick fox", "ick fo")]) == [["quick fox"]]


def test_the_first_answer_is_learned(task):
    example = example_of("the fox, the dog", "dog")
    example["answers"] += ["fox"]
    example["answer_starts"] += [4]
    assert learned(task, [example]) == [["dog"]]


def test_accents_case_and_marks_stay_in_the_answer(task):
    context = "A\u200b fine Cafe\u0301\u0301 dog \u00c0 quick"
    assert learned(task, [example_of(context, "Cafe\u0301\u0301")]) == [["Cafe\u0301\u0301"]]
    assert learned(task, [example_of(context, "\u00c0")]) == [["\u00c0"]]


def test_chinese_answers_are_characters(config):
    tokenizer = kb.Tokenizer(("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"在北京大学的人谁"))
    task = make_task(tokenizer, config)
    context = "在北京大学的人𠮷在北京。"
    assert learned(task, [example_of(context, "北京大学", "谁？")]) == [["北京大学"]]
    assert learned(task, [example_of(context, "北京", "谁？", nth=1)]) == [["北京"]]


def test_only_rows_with_the_whole_answer_learn_it(task):
    example = example_of(LONG, "lazy dog. A fine film", question="fox?")
    features, labels, _ = targets_of(task, [example])
    pieces = features["pieces"].numpy()
    first, last = 7, 12
    whole = [first in row and last in row for row in pieces]
    part = [first in row or last in row for row in pieces]
    assert 1 < sum(whole) < sum(part) < len(pieces)
    for name, piece in (("start_logits", first), ("end_logits", last)):
        expected = [
            row.tolist().index(piece) if ok else 0 for row, ok in zip(pieces, whole, strict=True)
        ]
        assert labels[name].numpy().tolist() == expected


def test_without_an_answer_the_target_is_cls(task_with_none):
    example = {"question": "who?", "context": LONG, "impossible": True}
    features, labels, weights = targets_of(task_with_none, [example])
    assert len(features["rows_of"]) > 1
    assert not np.any(labels["start_logits"]) and not np.any(labels["end_logits"])
    assert (weights["end_logits"].numpy() == 1).all()


@pytest.mark.parametrize(("max_tokens", "num_best"), [(1, 7), (6, 1), (6, 7), (30, 31)])
@pytest.mark.parametrize("threshold", [None, 0.5])
def test_answers_are_those_of_plain_loops(tokenizer, config, max_tokens, num_best, threshold):
    task = make_task(
        tokenizer,
        config,
        max_answer_tokens=max_tokens,
        num_best=num_best,
        no_answer_threshold=threshold,
    )
    examples = [
        {"question": question, "context": context}
        for question, context in zip(QUESTIONS, CONTEXTS, strict=True)
    ]
    features = features_of(task, examples)
    outputs = logits_like(features, max_tokens)
    # No answer is likely for one of them.
    outputs["start_logits"][features["rows_of"].numpy() == 2, 0] += 9.0
    answers = {name: value.numpy() for name, value in task.answers(outputs, features).items()}
    for i, context in enumerate(CONTEXTS):
        found = all_answers(features, outputs, i, max_tokens)
        got = {name: value[i] for name, value in answers.items()}
        check_answer(got, context, found, num_best, threshold)
    assert (answers["answer"] == b"").tolist() == [False, False, threshold is not None, True]
    assert all(np.isfinite(v).all() for v in answers.values() if v.dtype != object)


def check_answer(got, context, expected, num_best, threshold):
    """Compares an answer with those of plain loops, best first, and the score of none."""
    found, none = expected
    best = found[:num_best]
    filled = num_best - len(best)
    scores, starts, ends = ([one[k] for one in best] for k in range(3))
    texts = [context[start:end] for start, end in zip(starts, ends, strict=True)]
    assert got["best_starts"].tolist() == starts + [0] * filled
    assert got["best_ends"].tolist() == ends + [0] * filled
    assert [text.decode() for text in got["best_answers"]] == texts + [""] * filled
    scores += [none] * (threshold is not None or not best)
    expected = softmax(scores)
    np.testing.assert_allclose(
        got["best_probabilities"], expected[: len(best)] + [0.0] * filled, rtol=1e-5
    )
    difference = none - scores[0] if best else 1e9
    np.testing.assert_allclose(got["no_answer_score"], difference, rtol=1e-5)
    is_none = not best or (threshold is not None and difference > threshold)
    place = -1 if is_none else 0
    assert got["answer"].decode() == ("" if is_none else texts[0])
    assert (got["start"], got["end"]) == ((0, 0) if is_none else (starts[0], ends[0]))
    np.testing.assert_allclose(got["score"], scores[place], rtol=1e-5)
    np.testing.assert_allclose(got["probability"], expected[place], rtol=1e-5)


def test_questions_of_a_batch_do_not_see_each_other(task):
    pairs = list(zip(QUESTIONS, CONTEXTS, strict=True))
    together = task(pairs)
    for pair, answer in zip(pairs, together, strict=True):
        [alone] = task([pair])
        for name in ("answer", "start", "end"):
            assert answer[name] == alone[name]
            best = [[one[name] for one in either["best_answers"]] for either in (answer, alone)]
            assert best[0] == best[1]
        for name in ("score", "probability", "no_answer_score"):
            np.testing.assert_allclose(answer[name], alone[name], atol=1e-5, rtol=1e-5)
    assert together[3]["answer"] == "" and together[3]["probability"] == 1.0


def test_many_rows_go_through_the_model_some_at_a_time(tokenizer, config):
    task = make_task(tokenizer, config, stride=1)
    columns = task.input_columns([{"question": "fox?", "context": LONG + LONG}])
    features = task.features(columns)
    assert len(features["rows_of"]) % 32 and len(features["rows_of"]) > 64
    whole = task(task.model_inputs(features), training=False)
    expected = task.answers(whole, features)
    for name, value in task.answer(columns).items():
        if value.dtype == tf.string:
            np.testing.assert_array_equal(value, expected[name])
        else:
            np.testing.assert_allclose(value, expected[name], rtol=1e-4, atol=1e-5)


def test_bytes_that_are_no_text_are_passed_over(task):
    [broken, whole] = task([("fox?", b"the \xff\xfefox \xe5jump"), ("fox?", "the fox jump")])
    for name in ("answer", "start", "end"):
        assert broken[name] == whole[name]


def test_contexts_without_pieces(task, task_with_none):
    for one in (task, task_with_none):
        for answer in one([("fox?", ""), ("", " \n\u200b"), ("", "")]):
            assert answer["answer"] == "" and answer["end"] == 0
            assert answer["best_answers"] == [] and answer["probability"] > 0
            assert answer["no_answer_score"] == pytest.approx(1e9)


def test_the_threshold_is_looked_at_anew(tokenizer, config):
    task = make_task(tokenizer, config)
    [before] = task([("fox?", "the quick brown fox")])
    best = before["best_answers"][0]
    assert best == {name: before[name] for name in ("answer", "start", "end", "probability")}
    task.no_answer_threshold = before["no_answer_score"] - 0.01
    [after] = task([("fox?", "the quick brown fox")])
    assert after["answer"] == "" and after["best_answers"][0]["answer"] == before["answer"]
    columns = task.input_columns([{"question": "fox?", "context": "the quick brown fox"}])
    task.no_answer_threshold = before["no_answer_score"]  # not above it
    assert task.answer(columns)["answer"].numpy()[0].decode() == before["answer"]
    with pytest.raises(ValueError, match="finite number or None, but is nan: choose 0.0"):
        task.no_answer_threshold = math.nan


EXAMPLES = [
    example_of(LONG, "brown fox", question="who jump?"),
    example_of(LONG, "lazy fox", question="who is over the dog?"),
    example_of("a fine film", "film", question="what is fine?"),
    {"question": "what is quick?", "context": "the lazy dog", "impossible": True},
]


@pytest.fixture(scope="module")
def seen(task_with_none):
    """Batches of 5 rows."""
    dataset = task_with_none.dataset(EXAMPLES, batch_size=5)
    found = list(dataset.as_numpy_iterator())
    assert len(dataset) == len(found)  # known before
    return found


def test_a_batch_is_of_rows(task_with_none, seen):
    features, labels, weights = targets_of(task_with_none, EXAMPLES)
    num_rows = len(features["rows_of"])
    assert [len(y["start_logits"]) for _, y, _ in seen] == [5] * (num_rows // 5) + [num_rows % 5]
    for name in ("start_logits", "end_logits"):
        np.testing.assert_array_equal(np.concatenate([y[name] for _, y, _ in seen]), labels[name])
        np.testing.assert_array_equal(np.concatenate([w[name] for *_, w in seen]), weights[name])
    for name in task_with_none.input_names:
        rows = [np.pad(x[name], [[0, 0], [0, 24 - x[name].shape[1]]]) for x, _, _ in seen]
        wanted = features[name].numpy()
        np.testing.assert_array_equal(np.concatenate(rows)[:, : wanted.shape[1]], wanted)
    assert seen[-1][0]["token_ids"].shape[1] == 16  # trimmed to a multiple of 8


def test_training_shuffles_the_rows(task_with_none, seen):
    def rows(batches):
        return [
            tuple(ids[mask > 0])
            for x, _, _ in batches
            for ids, mask in zip(x["token_ids"], x["padding_mask"], strict=True)
        ]

    shuffled = task_with_none.dataset(EXAMPLES, 3, training=True, seed=5)
    first, second = (rows(shuffled.as_numpy_iterator()) for _ in range(2))
    assert sorted(first) == sorted(second) == sorted(rows(seen))
    assert first != second and first != rows(seen)


def test_examples_learned_by_heart_are_answered(tokenizer, config):
    config = dataclasses.replace(config, dropout=0.0, attention_dropout=0.0)
    task = make_task(tokenizer, config, no_answer_threshold=0.0)
    task.compile(kb.AdamW(5e-3), **task.objective())
    task.fit(task.dataset(EXAMPLES, 31, training=True).repeat(60), verbose=0)
    answers = task(EXAMPLES)
    assert [answer["answer"] for answer in answers] == ["brown fox", "lazy fox", "film", ""]
    scores = task.scores(EXAMPLES, answers)
    assert next(iter(scores)) == "f1" and scores["total"] == 4
    assert scores["f1"] == scores["exact"] == scores["NoAns_f1"] == 100.0
    scores = task.scores(EXAMPLES[:3], answers[:3])
    assert scores["f1"] == scores["HasAns_f1"] == 100.0


def test_the_loss_is_the_mean_of_start_and_end(tokenizer, config):
    task = make_task(tokenizer, config, no_answer_threshold=0.0)
    task.compile("sgd", **task.objective())
    features, y, w = targets_of(task, EXAMPLES, [0.5, 1.5, 2.5, 3.5])
    x = {name: value[:, :21] for name, value in task.model_inputs(features).items()}
    logits = task(x)
    total = 0.0
    for name in ("start_logits", "end_logits"):
        log_probabilities = tf.nn.log_softmax(logits[name]).numpy()
        losses = -log_probabilities[np.arange(len(y[name])), y[name]]
        total += np.sum(losses * w[name]) / np.sum(w[name]) / 2
    loss = task.compute_loss(x, y, logits, w, training=False)
    np.testing.assert_allclose(loss, total, rtol=1e-5)


def test_padding_has_no_part_in_the_loss(task_with_none):
    task_with_none.compile("sgd", **task_with_none.objective())
    features, y, w = targets_of(task_with_none, [EXAMPLES[2]])
    x = task_with_none.model_inputs(features)
    longer = {name: tf.pad(value, [[0, 0], [0, 7]]) for name, value in x.items()}
    loss, same = (task_with_none.compute_loss(x, y, task_with_none(x), w) for x in (x, longer))
    np.testing.assert_allclose(loss, same, rtol=1e-6)


def test_a_threshold_is_tuned_by_the_scores(tokenizer, config):
    task = make_task(tokenizer, config, no_answer_threshold=-99.0)
    answers = [
        {"answer": "", "best_answers": [{"answer": "brown fox"}], "no_answer_score": -2.0},
        {"answer": "", "best_answers": [{"answer": "lazy fox"}], "no_answer_score": 1.5},
        {"answer": "", "best_answers": [{"answer": "fine film"}], "no_answer_score": 1.0},
        {"answer": "", "best_answers": [{"answer": "dog"}], "no_answer_score": 3.0},
    ]
    scores = task.scores(EXAMPLES, answers)
    assert scores["f1"] == 25.0  # nothing is said so far
    assert scores["best_f1_thresh"] == 1.5
    task.no_answer_threshold = scores["best_f1_thresh"]
    scores = task.scores(EXAMPLES, answers)
    assert scores["f1"] == scores["best_f1"] == pytest.approx(100 * (3 + 2 / 3) / 4)
    assert scores["exact"] == 75.0 and scores["NoAns_f1"] == 100.0


def test_chinese_answers_are_scored_by_their_characters(task):
    examples = [{"answers": ["北京大学"]}, {"answers": ["NFL"]}]
    answers = [{"answer": "北京"}, {"answer": "NFL"}]
    scores = task.scores(examples, answers)
    assert scores["f1"] == pytest.approx(100 * (2 / 3 + 1) / 2)
    assert scores["exact"] == 50.0 and scores["average"] == (scores["f1"] + 50.0) / 2
    english = task.scores([{"answers": ["the dog"]}, *examples], [{"answer": "dog"}, *answers])
    assert english["exact"] == pytest.approx(200 / 3)  # one Chinese answer in three


def test_settings_make_the_same_task(task_with_none, tokenizer, config):
    settings = json.loads(json.dumps(task_with_none.settings()))
    again = kb.QuestionAnswerer.from_settings(kb.BertEncoder(config), tokenizer, settings)
    assert again.settings() == task_with_none.settings()
    assert again.stride == 5 and again.no_answer_threshold == 0.0
    foreign = kb.QuestionAnswerer.from_settings(kb.BertEncoder(config), tokenizer, {})
    assert (foreign.stride, foreign.max_answer_tokens, foreign.num_best) == (7, 30, 20)
    assert foreign.packer.sequence_length == 23 and foreign.no_answer_threshold is None


def test_answers_are_served(tmp_path, tokenizer, config):
    # Larger weights than BERT's first ones, so that no two spans score the same but for rounding.
    config = dataclasses.replace(config, initializer_range=0.2)
    task = make_task(tokenizer, config, max_answer_tokens=6, num_best=7, no_answer_threshold=0.0)
    module = tf.Module()
    module.task = task
    module.answer = tf.function(task.answer, input_signature=[task.example_spec], autograph=False)
    tf.saved_model.save(module, str(tmp_path))
    loaded = tf.saved_model.load(str(tmp_path))
    columns = {
        "question": tf.constant(QUESTIONS),
        "context": tf.constant(CONTEXTS),
    }
    expected = task.answer(columns)
    for name, value in loaded.answer(columns).items():
        assert value.shape[0] == 4
        if value.dtype == tf.string:
            np.testing.assert_array_equal(value, expected[name])
        else:
            np.testing.assert_allclose(value, expected[name], rtol=1e-4, atol=1e-5)
    with pytest.raises(tf.errors.InvalidArgumentError, match="one context for every question"):
        loaded.answer({**columns, "question": tf.constant(["fox?"])})


def test_what_is_cut_or_lost_is_said(tokenizer, config, caplog):
    task = make_task(tokenizer, config, max_question_tokens=3)
    examples = [
        *EXAMPLES[:3],
        example_of(LONG, LONG[4:-1], "fox?"),
        example_of("a \u200b", "\u200b"),
    ]
    with caplog.at_level(logging.INFO, "absl"):
        task.dataset(examples, 4)
    said = " ".join(record.getMessage() for record in caplog.records)
    assert "4 of 5 questions have more than 3 pieces and are cut" in said
    assert "3 of 5 contexts are longer than a row of 23 pieces" in said
    assert "2 of 5 answers are whole in no row" in said


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"answers": []}, r"f.json:7: there must be an answer and a start for every answer"),
        ({"answers": "dog"}, r"f.json:7: answers must be a list of texts.* are 'dog'"),
        ({"answers": None}, r"f.json:7: answers must be a list"),
        ({"answers": [""]}, r"are \[''\]: correct them"),
        ({"answer_starts": []}, r"there are 1 answers and 0 answer_starts"),
        (
            {"answer_starts": [-3]},
            r"f.json:7: an answer must .* but 'fox' is not at -3: correct it",
        ),
        ({"answer_starts": [3]}, r"'fox' is not at 3"),
        ({"impossible": True}, r"f.json:7: every question must have an answer"),
        ({"context": None}, r"f.json:7: context must be a text, but is None"),
        ({"question": 3}, r"f.json:7: question must be a text, but is 3"),
    ],
)
def test_wrong_examples_are_named(task, change, message):
    example = Row({**example_of("the fox", "fox"), **change})
    with pytest.raises(ValueError, match=message):
        task.dataset([example_of("a dog", "dog"), example], 2)


def test_no_examples(task):
    with pytest.raises(ValueError, match="at least one example"):
        task.dataset([], 2)
    assert task([]) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"stride": 0}, "stride must be an int of at least 1, but is 0"),
        ({"stride": 20}, "at most the 19 pieces that a row of 23 leaves"),
        ({"max_question_tokens": 0}, "max_question_tokens must be"),
        ({"max_answer_tokens": 2.5}, "max_answer_tokens must be an int of at least 1, but is 2.5"),
        ({"num_best": 0}, "num_best must be"),
        ({"no_answer_threshold": math.inf}, "no_answer_threshold must be a finite number"),
    ],
)
def test_arguments_have_a_range(tokenizer, config, arguments, message):
    with pytest.raises(ValueError, match=message):
        make_task(tokenizer, config, **arguments)


def golden(shared):
    return shared / "golden" / "hf_bert_3x48" / "qa"


def test_logits_are_those_of_transformers(shared):
    task = kb.load(golden(shared)).model
    expected = np.load(golden(shared) / "expected.npz")
    got = task({name: expected[name] for name in task.input_names})
    for name in question_answering.OUTPUTS:
        there = expected["padding_mask"] > 0
        np.testing.assert_allclose(got[name][there], expected[name][there], atol=1e-5)
        assert np.asarray(got[name])[~there].max() <= -1e9


@pytest.mark.reference("torch", "transformers")
def test_answers_are_those_of_transformers_rows_and_logits(shared):
    import transformers

    task = kb.load(golden(shared)).model
    tokenizer = transformers.AutoTokenizer.from_pretrained(golden(shared))
    model = transformers.AutoModelForQuestionAnswering.from_pretrained(golden(shared)).eval()
    words = [w for w in task.tokenizer.vocabulary[5:] if not w.startswith("##")]
    rng = np.random.default_rng(3)
    pairs = [
        (" ".join(rng.choice(words, n)), " ".join(rng.choice(words, m)))
        for n, m in ((3, 90), (5, 11), (1, 47), (7, 131))
    ]
    for pair, answer in zip(pairs, task(pairs), strict=True):
        check_transformers(task, tokenizer, model, pair, answer)


def check_transformers(task, tokenizer, model, pair, answer):
    """Compares rows, logits and the best answer of one question with those of transformers."""
    import torch

    question, context = pair
    room = 37 - len(tokenizer(question)["input_ids"]) + 2
    theirs = tokenizer(
        question,
        context,
        truncation="only_second",
        max_length=40,
        stride=room - task.stride,  # they count what two rows share
        return_overflowing_tokens=True,
        return_offsets_mapping=True,
        padding=True,
        return_tensors="pt",
    )
    features = features_of(task, [{"question": question, "context": context}])
    length = theirs["input_ids"].shape[1]
    for name, other in (("token_ids", "input_ids"), ("segment_ids", "token_type_ids")):
        np.testing.assert_array_equal(features[name][:, :length], theirs[other])
    inputs = {name: theirs[name] for name in ("input_ids", "token_type_ids", "attention_mask")}
    with torch.no_grad():
        logits = model(**inputs)
    outputs = {name: logits[name].numpy() for name in question_answering.OUTPUTS}
    ours = task(task.model_inputs(features))
    there = theirs["attention_mask"].numpy() > 0
    for name, value in outputs.items():
        np.testing.assert_allclose(ours[name][:, :length][there], value[there], atol=1e-5)
    offsets = theirs["offset_mapping"].numpy() * theirs["token_type_ids"].numpy()[..., None]
    np.testing.assert_array_equal(features["piece_starts"][:, :length], offsets[..., 0])
    np.testing.assert_array_equal(features["piece_ends"][:, :length], offsets[..., 1])
    features = {**features, "pieces": features["pieces"][:, :length]}
    [(score, start, end), *_], none = all_answers(features, outputs, 0, 30)
    assert (answer["answer"], answer["start"]) == (context[start:end], start)
    np.testing.assert_allclose(answer["score"], score, atol=1e-5)
    np.testing.assert_allclose(answer["no_answer_score"], none - score, atol=1e-5)


# Files with the vocabulary to read them by, and the answers that end within a piece.
REAL = {
    "xquad.en": ("bert-base-uncased", [("(2,70", "(2,700")]),
    "xquad.de": ("bert-base-multilingual-cased", []),
    "xquad.zh": ("bert-base-chinese", []),
    "drcd_dev": ("bert-base-chinese", [("8", "80"), ("8", "81")]),
}


def real_examples(path):
    """The examples of a file in SQuAD's form."""
    return [
        {
            "question": question["question"],
            "context": paragraph["context"],
            "answers": [answer["text"] for answer in question["answers"]],
            "answer_starts": [answer["answer_start"] for answer in question["answers"]],
        }
        for article in json.loads(path.read_text(encoding="utf-8"))["data"]
        for paragraph in article["paragraphs"]
        for question in paragraph["qas"]
    ]


@pytest.mark.parametrize("name", REAL)
def test_what_is_learned_of_real_data_is_the_answer(shared, config, name):
    vocabulary, expected = REAL[name]
    path = shared / "data" / "vocab" / f"{vocabulary}-vocab.txt"
    tokenizer = kb.Tokenizer(
        kb.read_vocabulary(path), lowercase="multilingual-cased" not in vocabulary
    )
    config = dataclasses.replace(
        config, vocabulary_size=tokenizer.vocabulary_size, max_sequence_length=384
    )
    encoder = kb.BertEncoder(config, initializer="zeros")
    task = kb.QuestionAnswerer(encoder, kb.Packer(tokenizer, 384))
    examples = real_examples(shared / "data" / "qa" / f"{name}.json")
    differing = []
    for start in range(0, len(examples), 256):
        some = examples[start : start + 256]
        for example, texts in zip(some, learned(task, some), strict=True):
            [text] = set(texts)  # at least one row has it, and all rows the same
            [answer, *_] = example["answers"]
            if text != answer:
                differing.append((answer, text))
    assert len(differing) == len(expected)
    for (answer, text), (end, longer) in zip(differing, expected, strict=True):
        assert answer.endswith(end) and text == answer.removesuffix(end) + longer

"""Golden values are those of the official scripts of SQuAD 1.1 and 2.0 and of CMRC 2018.

Where a copy of SQuAD's is installed, random answers are compared too.
"""

import importlib.util
import json
import math
import pathlib
import runpy

import numpy as np
import pytest

from keras_bert import metrics

WORDS = (
    *("the", "The", "a", "An", "cat", "Cat", "dog", "dog's", "U.S.", "us", "$5", "5", "%", "--"),
    *("well-known", "wellknown", "\u00a0", "\t", "café", "the-cat", "", "“the”", "theory", "the."),
)
SQUAD_PREDICTIONS = ["Rome", "in 1989", "", "blue whale", "the", "dog"]
SQUAD_GOLDS = [["Rome"], ["1989", "year 1989"], [], ["the whale", "an"], [], ["cat"]]


def random_texts(generator, count):
    lengths = generator.choice([0, 1, 1, 2, 3, 5], count)
    return [" ".join(generator.choice(WORDS, length)) for length in lengths]


def random_questions(generator):
    """Predictions, right answers and scores, some of them equal, of one to eleven questions."""
    counts = generator.integers(0, 4, generator.integers(1, 12))
    golds = [random_texts(generator, count) for count in counts]
    predictions = [
        str(generator.choice([*texts, "", *random_texts(generator, 1)])) for texts in golds
    ]
    return predictions, golds, generator.uniform(size=len(golds)).round(generator.integers(1, 9))


def squad_script():
    """The official script of SQuAD 2.0, of which the package farm has a copy.

    The file is run alone: the package's own start needs an older PyTorch, and sets process limits.
    """
    [folder] = importlib.util.find_spec("farm").submodule_search_locations
    script = runpy.run_path(f"{folder}/evaluation/squad_evaluation.py")

    def score(predictions, golds, scores, threshold):
        questions = [
            {"id": str(i), "answers": [{"text": text} for text in texts]}
            for i, texts in enumerate(golds)
        ]
        files = {
            "data.json": {"data": [{"paragraphs": [{"qas": questions}]}]},
            "pred.json": {str(i): text for i, text in enumerate(predictions)},
            "na_prob.json": {str(i): score for i, score in enumerate(scores)},
        }
        for name, content in files.items():
            pathlib.Path(name).write_text(json.dumps(content))
        options = script["EVAL_OPTS"]("data.json", "pred.json", na_prob_thresh=threshold)
        return dict(script["main"](options))

    return score


@pytest.mark.parametrize(
    ("prediction", "golds", "exact", "f1"),
    [
        ("The  U.S. Army", ["us army", "Navy"], 1, 1.0),
        ("in the year 1989", ["1989", "year 1990"], 0, 0.5),
        ("the cat the cat", ["a cat cat dog"], 0, 0.8),
        ("naïve—café", ["Naïve café"], 0, 0.0),
        ("Theory of a well-known dog's", ["theory well known dogs"], 0, 0.5),
        ("an Apple", ["the apple"], 1, 1.0),
        ("Rome", ["Paris"], 0, 0.0),
        ("", ["x"], 0, 0.0),
        ("", [], 1, 1.0),
        ("x", [], 0, 0.0),
        # Answers of articles alone, as the script of SQuAD 1.1 takes them.
        ("the", ["a"], 1, 0.0),
        ("the", ["the", "the cat"], 1, 0.0),
    ],
)
def test_answers_by_squad(prediction, golds, exact, f1):
    assert metrics.squad_exact_match(prediction, golds) == exact
    assert metrics.squad_f1(prediction, golds) == pytest.approx(f1, rel=1e-12)


def test_scores_by_squad_2():
    scores = metrics.squad_scores(
        SQUAD_PREDICTIONS, SQUAD_GOLDS, [0.2, 0.3, 0.1, 0.4, 0.9, 0.5], threshold=0.4
    )
    assert scores == pytest.approx(
        {
            **{"exact": 50.0, "f1": 100 * 13 / 18, "total": 6},
            **{"HasAns_exact": 25.0, "HasAns_f1": 100 * 7 / 12, "HasAns_total": 4},
            **{"NoAns_exact": 100.0, "NoAns_f1": 100.0, "NoAns_total": 2},
            **{"best_exact": 50.0, "best_exact_thresh": 0.2},
            **{"best_f1": 100 * 13 / 18, "best_f1_thresh": 0.4},
        },
        rel=1e-12,
    )


def test_scores_by_squad_1():
    answerable = [i for i, golds in enumerate(SQUAD_GOLDS) if golds]
    scores = metrics.squad_scores(
        [SQUAD_PREDICTIONS[i] for i in answerable], [SQUAD_GOLDS[i] for i in answerable]
    )
    expected = {"exact": 25.0, "f1": 100 * 7 / 12, "total": 4}
    parts = {f"HasAns_{name}": value for name, value in expected.items()}
    assert scores == pytest.approx({**expected, **parts}, rel=1e-12)


def test_right_answers_of_articles_alone_count_in_squad_1_only():
    assert metrics.squad_scores(["the"], [["the", "the cat"]])["exact"] == 100.0
    scores = metrics.squad_scores(["the", ""], [["the", "the cat"], []])
    assert (scores["HasAns_exact"], scores["NoAns_exact"]) == (0.0, 100.0)


@pytest.mark.reference("farm")
def test_questions_as_the_script_of_squad_2_scores_them(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    generator = np.random.default_rng(17)
    script = squad_script()
    for _ in range(300):
        predictions, golds, scores = random_questions(generator)
        golds[0] = []
        threshold = float(generator.choice([0.0, 0.3, 1.0]))
        expected = script(predictions, golds, scores, threshold)
        found = metrics.squad_scores(predictions, golds, scores, threshold)
        assert found == pytest.approx(expected, rel=1e-12)


def test_questions_with_one_score_are_answered_in_their_order():
    # As in the script, though no threshold can tell them apart.
    has_answer, no_answer_scores = np.arange(60) < 30, np.tile([0.7, 0.5], 30)
    best = metrics.best_no_answer_threshold(no_answer_scores, has_answer, has_answer)
    assert best == (75.0, 0.5)


def test_best_threshold_is_the_best_of_all():
    generator = np.random.default_rng(19)
    for _ in range(100):
        size = int(generator.integers(1, 13))
        no_answer_scores = generator.permutation(size) - 4.5
        has_answer = generator.uniform(size=size) < 0.6
        scores = generator.uniform(size=size).round(1)
        scores[~has_answer] = generator.integers(0, 2, np.count_nonzero(~has_answer))
        best, threshold = metrics.best_no_answer_threshold(no_answer_scores, scores, has_answer)
        means = {
            limit: 100 * np.where(no_answer_scores <= limit, scores, ~has_answer).mean()
            for limit in (-math.inf, *no_answer_scores)
        }
        assert best == pytest.approx(max(means.values()))
        # 0 is none of the scores: it says that it is best to answer nothing.
        assert means[threshold or -math.inf] == pytest.approx(best)


@pytest.mark.parametrize(
    ("prediction", "golds", "exact", "f1"),
    [
        ("《西游记》", ["西游记"], 1, 1.0),
        ("生于1989年", ["1989年", "1990年"], 0, 2 / 3),
        ("約49.2%的人", ["49.2%", "50%"], 0, 4 / 7),
        ("卡基达(Kaji Dha)是", ["卡基达(kaji dha)"], 0, 14 / 15),
        ("Hey! Say! JUMP組", ["hey say jump"], 0, 2 / 9),
        ("KAT-TUN", ["kattun"], 1, 1.0),
        ("A*“B”", ["+a_b～"], 1, 1.0),
        ("1,500公尺", ["1500公尺"], 0, 2 / 3),
        ("Kobe's球，don't", ["kobe球don"], 0, 0.25),
        ("他去了北京和上海", ["他在北京和上海去了"], 0, 10 / 17),
        ("S.K.", ["s.k"], 0, 2 / 3),
        ("他说a..b", ["他说a"], 0, 0.75),
        ('叫做"Garuda"', ["Garuda"], 0, 1 / 3),
        ("……", ["…"], 0, 0.0),
        ("。", ["，"], 1, 0.0),
        ("北京", ["上海"], 0, 0.0),
    ],
)
def test_answers_by_cmrc(prediction, golds, exact, f1):
    assert metrics.cmrc_exact_match(prediction, golds) == exact
    assert metrics.cmrc_f1(prediction, golds) == pytest.approx(f1, rel=1e-12)


def test_f1_by_cmrc_is_that_of_the_longest_common_substring():
    generator = np.random.default_rng(23)
    for _ in range(200):
        sizes = generator.integers(1, 300 if generator.uniform() < 0.05 else 9, 2)
        prediction, gold = ("".join(generator.choice(list("天地人"), size)) for size in sizes)
        common = max(
            (
                size
                for size in range(1, len(gold) + 1)
                for start in range(len(gold) - size + 1)
                if gold[start : start + size] in prediction
            ),
            default=0,
        )
        expected = 2 * common / (len(prediction) + len(gold))
        assert metrics.cmrc_f1(prediction, [gold]) == pytest.approx(expected)


def test_scores_by_cmrc():
    scores = metrics.cmrc_scores(
        ["《西游记》", "生于1989年", "北京"], [["西游记"], ["1989年"], ["上海"]]
    )
    expected = {"exact": 100 / 3, "f1": 500 / 9, "average": 400 / 9, "total": 3}
    assert scores == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    ("score", "message"),
    [
        (lambda: metrics.squad_f1("Rome", "Rome"), "golds must be a sequence"),
        (lambda: metrics.squad_exact_match("Rome", "Rome"), "golds must be a sequence"),
        (lambda: metrics.squad_scores(["Rome", ""], ["Rome", []]), "golds must be a sequence"),
        (lambda: metrics.squad_scores(["Rome"], []), "'predictions': 1, 'golds': 0"),
        (lambda: metrics.squad_scores(["Rome"], [[]], [0.1, 0.2]), "'no_answer_scores': 2"),
        (lambda: metrics.squad_scores(["Rome"], [[]], [math.nan]), "some are nan"),
        (lambda: metrics.squad_scores(["Rome"], [[]], threshold=0.5), "0.5 came without"),
        (lambda: metrics.best_no_answer_threshold([0.1], [1.0], [True, False]), "one shape"),
        (lambda: metrics.cmrc_f1("北京", []), "at least 1 strings"),
        (lambda: metrics.cmrc_exact_match("北京", "北京"), "at least 1 strings"),
    ],
)
def test_what_does_not_fit_is_refused(score, message):
    with pytest.raises(ValueError, match=message):
        score()

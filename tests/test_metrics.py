"""Golden values are those of scikit-learn, scipy, seqeval and the official scripts of SQuAD 1.1 and
2.0 and CMRC 2018; where the libraries are installed, random predictions are compared too."""

import importlib.util
import json
import math
import pathlib
import runpy

import numpy as np
import pytest

from keras_bert import metrics
from keras_bert.metrics import Perplexity

LABELS = [0, 1, 2, 2, 1, 0, 0, 2, 1, 1, 0]
PREDICTIONS = [0, 2, 2, 2, 1, 0, 1, 2, 0, 1, 0]
LABEL_SETS = [[1, 0, 1], [0, 0, 1], [1, 0, 0], [1, 0, 1], [0, 0, 0]]
PREDICTED_SETS = [[1, 1, 0], [0, 0, 1], [0, 0, 0], [1, 0, 1], [1, 0, 0]]
NUMBERS = [3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5]
PREDICTED_NUMBERS = [2, 7, 1, 8, 2, 8, 1, 8, 2, 8, 4]
TAGS = ("O", "O", "B-A", "I-A", "E-A", "S-A", "M-A", "B-B", "I-B", "E-B", "S-B", "M-B")
ODD_TAGS = (*TAGS, "B", "I", "E", "S", "M", "BA", "IA", "B-", "I-A-B", ".", "-", "O-A", "X-A")
WORDS = (
    *("the", "The", "a", "An", "cat", "Cat", "dog", "dog's", "U.S.", "us", "$5", "5", "%", "--"),
    *("well-known", "wellknown", "\u00a0", "\t", "café", "the-cat", "", "“the”", "theory", "the."),
)


def random_classes():
    """Labels and predictions, among them of one class, of disjoint classes, negative and single."""
    generator = np.random.default_rng(5)
    for _ in range(300):
        lowest, num_classes = generator.integers(-3, 3, 2), generator.integers(1, 5, 2)
        lowest[1] = generator.choice(lowest)
        yield generator.integers(
            lowest[:, None], (lowest + num_classes)[:, None], [2, generator.integers(1, 31)]
        )


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


def test_perplexity_is_the_exponential_of_the_weighted_mean_over_all_batches():
    generator = np.random.default_rng(3)
    labels = generator.integers(0, 7, [5, 3])
    logits = generator.normal(size=[5, 3, 7]).astype("float32")
    weights = generator.uniform(size=[5, 3]).astype("float32")
    metric = Perplexity()
    for part in (slice(0, 2), slice(2, 5)):
        metric.update_state(labels[part], logits[part], weights[part])
    log_probabilities = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    losses = -np.take_along_axis(log_probabilities, labels[..., None], -1)[..., 0]
    expected = np.exp((weights * losses).sum() / weights.sum())
    np.testing.assert_allclose(metric.result(), expected, rtol=1e-5)


def test_perplexity_comes_back_from_its_config():
    assert Perplexity.from_config(Perplexity(name="p").get_config()).name == "p"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (metrics.accuracy(LABELS, PREDICTIONS), 8 / 11),
        (metrics.matthews_correlation(LABELS, PREDICTIONS), 0.6),
        (metrics.matthews_correlation([1, 1, 1], [1, 0, 1]), 0.0),
        (metrics.matthews_correlation([1, 0, 1], [1, 1, 1]), 0.0),
        (metrics.matthews_correlation([0, 1], [1, 0]), -1.0),
        (metrics.matthews_correlation([1, 1, 0, 0], [1, 0, 0, 0]), 1 / math.sqrt(3)),
        (metrics.f1_binary(LABELS, PREDICTIONS, 2), 6 / 7),
        (metrics.f1_binary(LABELS, PREDICTIONS, 3), 0.0),
        (metrics.f1_binary([1, 1], [0, 0]), 0.0),
        (metrics.f1_macro(LABELS, PREDICTIONS), 0.7261904761904762),
        (metrics.f1_micro(LABELS, PREDICTIONS), 8 / 11),
        (metrics.f1_macro(LABEL_SETS, PREDICTED_SETS), 0.48888888888888893),
        (metrics.f1_micro(LABEL_SETS, PREDICTED_SETS), 2 / 3),
        (metrics.f1_micro([[0.0, 0.0]], [[False, False]]), 0.0),
        (metrics.pearson_correlation(NUMBERS, PREDICTED_NUMBERS), 0.09422924859889797),
        (metrics.spearman_correlation(NUMBERS, PREDICTED_NUMBERS), 0.1384567651467695),
        (metrics.mean_squared_error(NUMBERS, PREDICTED_NUMBERS), 145 / 11),
        (metrics.accuracy_at_k([7, 5, 9], [[3, 7, 5], [3, 7, 5], [9, 1, 0]], 2), 2 / 3),
        (metrics.accuracy_at_k([7, 5, 9], [[3, 7, 5], [3, 7, 5], [9, 1, 0]], 3), 1.0),
        (metrics.recall_at_k([1, 3, 2, 5, math.inf], 3), 0.6),
        (metrics.mean_reciprocal_rank([1, 3, 2, 5, math.inf]), 61 / 150),
    ],
)
def test_golden_values(value, expected):
    assert isinstance(value, float)
    assert value == pytest.approx(expected, rel=1e-12)


def test_confusion_matrix_has_labels_in_rows():
    expected = [[3, 1, 0, 0], [1, 2, 1, 0], [0, 0, 3, 0], [0, 0, 0, 0]]
    assert metrics.confusion_matrix(LABELS, PREDICTIONS, num_classes=4).tolist() == expected


def test_correlation_of_many_examples_does_not_overflow():
    labels = np.tile(np.array([0, 1, 1], np.int32), 100_000)
    predictions = np.tile(np.array([0, 1, 0], np.int32), 100_000)
    small = metrics.matthews_correlation(labels[:3], predictions[:3])
    assert small == pytest.approx(0.5)
    assert metrics.matthews_correlation(labels, predictions) == pytest.approx(small)


@pytest.mark.parametrize("metric", [metrics.pearson_correlation, metrics.spearman_correlation])
def test_correlation_with_a_constant_is_nan(metric):
    assert math.isnan(metric([0.1, 0.1, 0.1], [1.0, 2.0, 4.0]))
    assert math.isnan(metric([1.0, 2.0, 4.0], [0.1, 0.1, 0.1]))
    assert math.isnan(metric([1.0, 2.0, 4.0], [1.0, math.nan, 0.1]))
    assert math.isnan(metric([1.0], [2.0]))


def test_metrics_of_glue_are_two_for_paraphrases_and_similarity():
    assert len(metrics.GLUE_METRICS) == 9
    assert metrics.GLUE_METRICS["mrpc"] == metrics.GLUE_METRICS["qqp"] == ("f1", "accuracy")
    assert metrics.GLUE_METRICS["stsb"] == ("pearson", "spearman")
    assert metrics.GLUE_METRICS["cola"] == ("matthews",)
    others = ("sst2", "mnli", "qnli", "rte", "wnli")
    assert all(metrics.GLUE_METRICS[task] == ("accuracy",) for task in others)


@pytest.mark.reference("sklearn")
@pytest.mark.filterwarnings("ignore")
def test_classes_as_scikit_learn_counts_them():
    from sklearn import metrics as reference

    for pair in random_classes():
        assert metrics.accuracy(*pair) == pytest.approx(reference.accuracy_score(*pair))
        expected = reference.matthews_corrcoef(*pair)
        assert metrics.matthews_correlation(*pair) == pytest.approx(expected, abs=1e-12)
        expected = reference.f1_score(*pair, average="macro", zero_division=0)
        assert metrics.f1_macro(*pair) == pytest.approx(expected)
        expected = reference.f1_score(*pair, average="micro", zero_division=0)
        assert metrics.f1_micro(*pair) == pytest.approx(expected)
        for positive in (-1, 0, 1):
            [expected] = reference.f1_score(*pair, labels=[positive], average=None, zero_division=0)
            assert metrics.f1_binary(*pair, positive) == pytest.approx(expected)
        shifted = pair + 3
        expected = reference.confusion_matrix(*shifted, labels=range(15))
        np.testing.assert_array_equal(metrics.confusion_matrix(*shifted, 15), expected)


@pytest.mark.reference("sklearn")
def test_sets_of_classes_as_scikit_learn_counts_them():
    from sklearn import metrics as reference

    generator = np.random.default_rng(7)
    for _ in range(300):
        shape = generator.integers(1, 13), generator.integers(2, 6)
        shares = generator.choice([0.0, 0.2, 0.7, 1.0], [2, shape[1]])
        labels, predictions = (generator.uniform(size=shape) < share for share in shares)
        for average, metric in (("macro", metrics.f1_macro), ("micro", metrics.f1_micro)):
            expected = reference.f1_score(labels, predictions, average=average, zero_division=0)
            assert metric(labels.astype("float32"), predictions) == pytest.approx(expected)


@pytest.mark.reference("scipy")
@pytest.mark.filterwarnings("ignore")
def test_numbers_as_scipy_correlates_them():
    from scipy import stats as reference

    generator = np.random.default_rng(11)
    for _ in range(300):
        size, scale = generator.integers(2, 23), 10.0 ** generator.integers(-9, 9)
        decimals = generator.integers(0, 3)
        pair = [(generator.normal(size=size).round(decimals) + 5) * scale for _ in range(2)]
        expected = reference.pearsonr(*pair).statistic
        found = metrics.pearson_correlation(*pair)
        assert found == pytest.approx(expected, abs=1e-9, nan_ok=True)
        expected = reference.spearmanr(*pair).statistic
        found = metrics.spearman_correlation(*pair)
        assert found == pytest.approx(expected, abs=1e-9, nan_ok=True)


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (["O", "B-PER", "I-PER", "O", "B-LOC"], [("PER", 1, 3), ("LOC", 4, 5)]),
        # IOB1, and an end that follows an end.
        (
            ["I-PER", "I-PER", "I-LOC", "O", "E-LOC", "E-LOC"],
            [("PER", 0, 2), ("LOC", 2, 3), ("LOC", 4, 5), ("LOC", 5, 6)],
        ),
        (["B-A", "M-A", "E-A", "S-B", "S-B"], [("A", 0, 3), ("B", 3, 4), ("B", 4, 5)]),
        (["B", "I", "O", "BPER", "I-PER-X"], [("_", 0, 2), ("PER", 3, 4), ("PER-X", 4, 5)]),
        (["S-A", "I-A", "E-A", "I-A"], [("A", 0, 1), ("A", 1, 3), ("A", 3, 4)]),
        (["B-A", "I-B", "B-B", "I"], [("A", 0, 1), ("B", 1, 2), ("B", 2, 3), ("_", 3, 4)]),
        (["B-A", "B-A", "I-A", "S-A", "B-A"], [("A", 0, 1), ("A", 1, 3), ("A", 3, 4), ("A", 4, 5)]),
        (["O", "E", "I", "O", "I", "E"], [("_", 1, 2), ("_", 2, 3), ("_", 4, 6)]),
        ([], []),
    ],
)
def test_entities(labels, expected):
    assert metrics.entities(labels) == expected


def test_entity_scores():
    gold = [["B-PER", "I-PER", "O", "B-LOC"], ["O", "B-ORG", "B-LOC"]]
    predicted = [["B-PER", "I-PER", "O", "O"], ["B-PER", "I-ORG", "B-LOC"]]
    scores = metrics.entity_scores(gold, predicted)
    kinds = scores.pop("kinds")
    expected = {"precision": 3 / 4, "recall": 3 / 4, "f1": 3 / 4, "support": 4}
    assert scores == pytest.approx(expected)
    assert list(kinds) == ["LOC", "ORG", "PER"]
    expected = {"precision": 1.0, "recall": 1 / 2, "f1": 2 / 3, "support": 2}
    assert kinds["LOC"] == pytest.approx(expected)
    expected = {"precision": 1 / 2, "recall": 1.0, "f1": 2 / 3, "support": 1}
    assert kinds["PER"] == pytest.approx(expected)


def test_entities_end_with_their_sentence():
    gold, predicted = [["I-A"], ["I-A", "O"]], [["I-A"], ["O", "I-A"]]
    assert metrics.entity_scores(gold, predicted)["f1"] == 0.5


def test_entity_scores_without_entities_are_0():
    nothing = {"precision": 0.0, "recall": 0.0, "f1": 0.0, "support": 0}
    assert metrics.entity_scores([["O"]], [["O"]]) == {**nothing, "kinds": {}}


@pytest.mark.reference("seqeval")
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("tags", [TAGS, ODD_TAGS], ids=["usual", "odd"])
def test_entities_as_seqeval_finds_them(tags):
    from seqeval import metrics as seqeval
    from seqeval.metrics.sequence_labeling import get_entities

    generator = np.random.default_rng(13)
    for _ in range(200):
        lengths = generator.integers(1, 17, generator.integers(1, 6))
        gold = [generator.choice(tags, length).tolist() for length in lengths]
        noise = generator.choice([0.0, 0.2, 1.0])
        predicted = [
            [str(generator.choice(tags)) if generator.uniform() < noise else tag for tag in row]
            for row in gold
        ]
        for row in gold:
            expected = [(kind, start, end + 1) for kind, start, end in get_entities(row)]
            assert metrics.entities(row) == expected
        report = seqeval.classification_report(gold, predicted, output_dict=True)
        scores = metrics.entity_scores(gold, predicted)
        found = {"micro avg": scores, **scores.pop("kinds")}
        assert set(report) - set(found) == {"macro avg", "weighted avg"}
        for kind, values in found.items():
            values["f1-score"] = values.pop("f1")
            assert values == pytest.approx(report[kind])
        assert scores["precision"] == pytest.approx(seqeval.precision_score(gold, predicted))
        assert scores["recall"] == pytest.approx(seqeval.recall_score(gold, predicted))
        assert scores["f1-score"] == pytest.approx(seqeval.f1_score(gold, predicted))


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


SQUAD_PREDICTIONS = ["Rome", "in 1989", "", "blue whale", "the", "dog"]
SQUAD_GOLDS = [["Rome"], ["1989", "year 1989"], [], ["the whale", "an"], [], ["cat"]]


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
        (lambda: metrics.accuracy([0, 1], [[0], [1]]), r"one shape \[N\].*\(2,\) and \(2, 1\)"),
        (lambda: metrics.accuracy([], []), "N > 0"),
        (lambda: metrics.accuracy([0, 1], [0.2, 0.9]), "integers, but are int64 and float64"),
        (lambda: metrics.confusion_matrix([0, 3], [0, 1], 3), "= 2, but go from 0 to 3"),
        (lambda: metrics.confusion_matrix([0, -1], [0, 1], 3), "from -1 to 1"),
        (lambda: metrics.f1_micro([[0, 1]], [[0.2, 0.9]]), "0 and 1 only"),
        (lambda: metrics.f1_macro([[0, 1]], [[0], [1]]), r"\(1, 2\) and \(2, 1\)"),
        (lambda: metrics.matthews_correlation([[0, 1]], [[0, 1]]), r"one shape \[N\]"),
        (lambda: metrics.mean_squared_error([1.0, 2.0], [[1.0], [2.0]]), r"one shape \[N\]"),
        (lambda: metrics.entities(["B-PER", ""]), "there is '' in"),
        (lambda: metrics.entities("B-PER"), "a sequence of strings"),
        (lambda: metrics.entity_scores([["O"]], []), "'gold': 1, 'predicted': 0"),
        (lambda: metrics.entity_scores([[], ["O"]], [[], ["O", "O"]]), "sentence 1 has 2 and 1"),
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
        (lambda: metrics.accuracy_at_k([1, 2], [[1, 2], [2, 1]], 3), "k between 1 and K"),
        (lambda: metrics.accuracy_at_k([1, 2], [1, 2], 1), r"\(2,\), \(2,\) and k=1"),
        (lambda: metrics.recall_at_k([0, 1], 1), "from 1 on"),
        (lambda: metrics.recall_at_k([1, 2], 0), "from 1 on"),
        (lambda: metrics.mean_reciprocal_rank([math.nan]), "from 1 on"),
        (lambda: metrics.mean_reciprocal_rank([]), "at least one"),
    ],
)
def test_what_does_not_fit_is_refused(score, message):
    with pytest.raises(ValueError, match=message):
        score()


def test_every_score_has_a_direction_and_nan_neither_wins_nor_blocks():
    nan = float("nan")
    assert metrics.is_better("accuracy", 0.9, 0.8) and not metrics.is_better("accuracy", 0.8, 0.8)
    assert metrics.is_better("mean_squared_error", 0.1, 0.2) and metrics.is_better("loss", 1, 2)
    assert metrics.is_better("pearson", -1.0, nan) and not metrics.is_better("pearson", nan, -1.0)
    assert not metrics.is_better("f1", nan, nan)
    assert metrics.best("pearson", [nan, 0.2, 0.9]) == 2
    assert metrics.best("f1", [0.2, 0.9, nan, 0.9]) == 1
    assert metrics.best("val_mean_squared_error", [0.9, 0.1, 0.5]) == 1
    assert metrics.best("f1", [nan, nan]) == 0
    with pytest.raises(ValueError, match="there is no f1"):
        metrics.best("f1", [])

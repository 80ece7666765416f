"""Metrics of the field that Keras lacks: perplexity, and what fine-tuned models are judged by.

The functions give fractions; those that report as an official script does count to 100.
"""

from __future__ import annotations

import difflib
import math
import re
import string
from collections import Counter
from collections.abc import Sequence, Set
from typing import Any

import keras
import numpy as np
from keras import ops

# The official metrics of GLUE (https://gluebenchmark.com), under the names that they have in
# `TextClassifier.scores`; MNLI has them for two sets, matched and mismatched.
GLUE_METRICS = {
    "cola": ("matthews",),
    "sst2": ("accuracy",),
    "mrpc": ("f1", "accuracy"),
    "qqp": ("f1", "accuracy"),
    "stsb": ("pearson", "spearman"),
    "mnli": ("accuracy",),
    "qnli": ("accuracy",),
    "rte": ("accuracy",),
    "wnli": ("accuracy",),
}

# A tag and the next one between which an entity ends, and begins, whatever their kinds.
_ENDS = frozenset(("BB", "BS", "BO", "IB", "IS", "IO"))
_BEGINS = frozenset(("EE", "EI", "SE", "SI", "OE", "OI"))

# A score is a figure of which more is better, unless its name ends so.
_LESS_IS_BETTER = ("error", "loss", "perplexity")

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)

# What the script of CMRC 2018 deletes, and where its word tokenizer (NLTK's, after the Penn
# Treebank's) cuts what is not Chinese: at signs, at commas that are not within a number, at the
# period at the end, before 's and the like.
_CMRC_SIGNS = str.maketrans("", "", "-:_*^/\\~`+=，。：？！“”；’《》·、「」（）－～『』")
_CMRC_RUNS = re.compile(r"[\u4e00-\u9fa5]|[^\u4e00-\u9fa5]+")
_CMRC_CUTS = re.compile(
    r"""\.{2,}|''|[;@#$%&?!()\[\]{}<>"«»‘„\u2012-\u2015]|,(?!\d)|\.(?=[\])}>"'»\s]*$)"""
)
_CMRC_CLITICS = re.compile(r"(?<=\S)(n't|'(?:ll|re|ve|[smd])?)(?!\S)")


@keras.saving.register_keras_serializable(package="keras_bert")
class Perplexity(keras.metrics.SparseCategoricalCrossentropy):
    """Exponential of the weighted mean cross-entropy, in nats, of integer labels under logits.

    Args:
        name: str, name of the metric.

    Args (update_state):
        y_true: int [...], labels.
        y_pred: float [..., C], logits.
        sample_weight: float [...], weights; 0 leaves a place out.

    Example:

    >>> import numpy as np
    >>> from keras_bert.metrics import Perplexity
    >>> perplexity = Perplexity()
    >>> perplexity.update_state(np.array([2, 0]), np.zeros([2, 5]), np.array([1.0, 0.0]))
    >>> round(float(perplexity.result()), 4)
    5.0
    """

    def __init__(self, name: str = "perplexity", dtype=None):
        super().__init__(name=name, dtype=dtype, from_logits=True)

    def result(self):
        return ops.exp(super().result())

    def get_config(self):
        return {"name": self.name, "dtype": self.dtype}


def is_better(name: str, value: float, than: float) -> bool:
    """Whether a score is better than another one of the same name.

    Less is better where the name ends in "error", "loss" or "perplexity", otherwise more is. A
    number is better than nan, and nan than nothing.

    Args:
        name: str, of the score: "f1", "mean_squared_error", "val_loss".
        value: float.
        than: float.

    Example:

    >>> from keras_bert.metrics import is_better
    >>> is_better("f1", 0.5, 0.4), is_better("mean_squared_error", 0.5, 0.4)
    (True, False)
    """
    if math.isnan(value) or math.isnan(than):
        return math.isnan(than) and not math.isnan(value)
    return value < than if name.endswith(_LESS_IS_BETTER) else value > than


def best(name: str, values: Sequence[float]) -> int:
    """The index of the best of several scores of one name, the earliest of equal ones.

    Args:
        name: str, as of `is_better`.
        values: sequence of float; nan is the best one only where there is nothing else.

    Raises:
        ValueError: there are no values.

    Example:

    >>> from keras_bert.metrics import best
    >>> best("pearson", [float("nan"), 0.2, 0.9, 0.9]), best("mean_squared_error", [0.9, 0.1])
    (2, 1)
    """
    if not len(values):
        raise ValueError(f"There must be scores to choose from, but there is no {name}: score one.")
    found = 0
    for i, value in enumerate(values):
        if is_better(name, value, values[found]):
            found = i
    return found


def accuracy(labels, predictions) -> float:
    """The share of predictions that are right.

    Args:
        labels: int [N].
        predictions: int [N].

    Returns:
        float from 0 to 1.

    Raises:
        ValueError: the two are not integers of one shape [N], N > 0.

    Example:

    >>> from keras_bert.metrics import accuracy
    >>> accuracy([0, 1, 2, 2], [0, 2, 2, 2])
    0.75
    """
    labels, predictions = _classes(labels, predictions)
    return float((labels == predictions).mean())


def confusion_matrix(labels, predictions, num_classes: int) -> np.ndarray:
    """How often each class was taken for each.

    Args:
        labels: int [N], from 0 to C - 1.
        predictions: int [N], likewise.
        num_classes: int, C.

    Returns:
        int64 [C, C]: rows are labels, columns predictions.

    Raises:
        ValueError: as of `accuracy`, or a class lies outside.

    Example:

    >>> from keras_bert.metrics import confusion_matrix
    >>> confusion_matrix([0, 1, 1], [0, 0, 1], num_classes=3).tolist()
    [[1, 0, 0], [1, 1, 0], [0, 0, 0]]
    """
    labels, predictions = _classes(labels, predictions)
    lowest, highest = np.minimum(labels, predictions).min(), np.maximum(labels, predictions).max()
    if lowest < 0 or highest >= num_classes:
        raise ValueError(
            f"Classes must lie between 0 and num_classes - 1 = {num_classes - 1}, but go from "
            f"{lowest} to {highest}. Correct num_classes, or map the labels."
        )
    counts = np.bincount(labels * num_classes + predictions, minlength=num_classes**2)
    return counts.reshape(num_classes, num_classes)


def f1_binary(labels, predictions, positive: int = 1) -> float:
    """The harmonic mean of precision and recall of one class; 0 if it never occurs.

    Args:
        labels: int [N].
        predictions: int [N].
        positive: int, the class.

    Returns:
        float from 0 to 1.

    Raises:
        ValueError: as of `accuracy`.

    Example:

    >>> from keras_bert.metrics import f1_binary
    >>> f1_binary([1, 1, 0, 0], [1, 0, 0, 0])
    0.666...
    """
    labels, predictions = (values == positive for values in _classes(labels, predictions))
    return _f1((labels & predictions).sum(), predictions.sum(), labels.sum())


def f1_macro(labels, predictions) -> float:
    """The mean of the F1 of all classes, 0 for those that never occur; scikit-learn's `macro`.

    Args:
        labels: int [N], one class for each example, of which those count that are in the labels
            or the predictions; or 0 and 1 [N, C], any number of C classes for each.
        predictions: of the same shape.

    Returns:
        float from 0 to 1.

    Raises:
        ValueError: the shapes differ, or values are not integers, of matrices 0 and 1.

    Example:

    >>> from keras_bert.metrics import f1_macro
    >>> f1_macro([[1, 0], [1, 1]], [[1, 0], [1, 0]])
    0.5
    """
    by_class = zip(*_counts(labels, predictions), strict=True)
    return float(np.mean([_f1(*counts) for counts in by_class]))


def f1_micro(labels, predictions) -> float:
    """The F1 of all decisions on all classes together; scikit-learn's `micro`.

    Args:
        labels: int [N], or 0 and 1 [N, C], as of `f1_macro`.
        predictions: of the same shape.

    Returns:
        float from 0 to 1.

    Raises:
        ValueError: as of `f1_macro`.

    Example:

    >>> from keras_bert.metrics import f1_micro
    >>> f1_micro([[1, 0], [1, 1]], [[1, 0], [1, 0]])
    0.8
    """
    return _f1(*(counts.sum() for counts in _counts(labels, predictions)))


def matthews_correlation(labels, predictions) -> float:
    """The correlation of classes, 0 if all labels or all predictions are one.

    For two classes Matthews 1975 (phi), for more Gorodkin 2004 (R_K).

    Args:
        labels: int [N].
        predictions: int [N].

    Returns:
        float from -1 to 1.

    Raises:
        ValueError: as of `accuracy`.

    Example:

    >>> from keras_bert.metrics import matthews_correlation
    >>> matthews_correlation([1, 1, 0, 0], [1, 0, 0, 0])
    0.577...
    """
    right, predicted, wanted = _counts(*_classes(labels, predictions))
    total = int(wanted.sum())
    spread = float(total**2 - predicted @ predicted) * float(total**2 - wanted @ wanted)
    covariance = float(right.sum() * total - predicted @ wanted)
    return covariance / math.sqrt(spread) if spread else 0.0


def pearson_correlation(labels, predictions) -> float:
    """The linear correlation of numbers.

    Args:
        labels: float [N].
        predictions: float [N].

    Returns:
        float from -1 to 1; nan, as in scipy, if all labels or all predictions are one number.

    Raises:
        ValueError: the two are not of one shape [N], N > 0.

    Example:

    >>> from keras_bert.metrics import pearson_correlation
    >>> pearson_correlation([1.0, 2.0, 3.0], [0.0, 0.0, 3.0])
    0.866...
    """
    labels, predictions = _numbers(labels, predictions)
    directions = []
    for values in (labels, predictions):
        if (values == values[0]).all():
            return math.nan
        deviations = values - values.mean()
        directions.append(deviations / np.linalg.norm(deviations))
    return float(np.clip(np.dot(*directions), -1.0, 1.0))


def spearman_correlation(labels, predictions) -> float:
    """The linear correlation of ranks; equal numbers share the mean of theirs.

    Args:
        labels: float [N].
        predictions: float [N].

    Returns:
        As `pearson_correlation`.

    Raises:
        ValueError: as of `pearson_correlation`.

    Example:

    >>> from keras_bert.metrics import spearman_correlation
    >>> spearman_correlation([1.0, 2.0, 3.0], [0.1, 0.1, 9.0])
    0.866...
    """
    ranks = []
    for values in _numbers(labels, predictions):
        _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
        means = np.cumsum(counts) - (counts - 1) / 2
        ranks.append(np.where(np.isnan(values), np.nan, means[places]))
    return pearson_correlation(*ranks)


def mean_squared_error(labels, predictions) -> float:
    """The mean of the squared differences.

    Args:
        labels: float [N].
        predictions: float [N].

    Returns:
        float.

    Raises:
        ValueError: as of `pearson_correlation`.

    Example:

    >>> from keras_bert.metrics import mean_squared_error
    >>> mean_squared_error([1.0, 2.0], [1.0, 4.0])
    2.0
    """
    labels, predictions = _numbers(labels, predictions)
    return float(np.square(labels - predictions).mean())


def entities(labels: Sequence[str]) -> list[tuple[str, int, int]]:
    """The entities that tags of a sentence stand for, as conlleval and seqeval's default read them.

    Tags are B, I, E, S and O (IOB1, IOB2, IOBES), with a kind or without; M within BMES is read
    like I. An entity may begin with any of them, and ends where the kind changes.
    https://github.com/chakki-works/seqeval

    Args:
        labels: sequence of str, such as "B-PER".

    Returns:
        list of (kind, start, end), end exclusive; the kind of a bare tag is "_".

    Raises:
        ValueError: a label is empty, or not a string.

    Example:

    >>> from keras_bert.metrics import entities
    >>> entities(["I-PER", "I-PER", "O", "B-LOC", "B-LOC"])
    [('PER', 0, 2), ('LOC', 3, 4), ('LOC', 4, 5)]
    """
    found, start, last_tag, last_kind = [], 0, "O", ""
    for place, label in enumerate([*labels, "O"]):
        if not isinstance(label, str) or not label or isinstance(labels, str):
            raise ValueError(
                "The labels of a sentence must be a sequence of strings such as 'B-PER' or 'O', "
                f"but there is {label!r} in {labels!r}. Write O where there is no entity."
            )
        tag, kind = label[0], label[1:].split("-", maxsplit=1)[-1] or "_"
        changes = kind != last_kind
        if last_tag in "ES" or last_tag + tag in _ENDS or (changes and last_tag not in "O."):
            found.append((last_kind, start, place))
        if tag in "BS" or last_tag + tag in _BEGINS or (changes and tag not in "O."):
            start = place
        last_tag, last_kind = tag, kind
    return found


def entity_scores(
    gold: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]]
) -> dict[str, Any]:
    """Precision, recall and F1 of whole entities, which are right in kind and both ends or wrong.

    Args:
        gold: sequence of sentences, each a sequence of tags; see `entities`.
        predicted: likewise, of the same lengths.

    Returns:
        dict of `precision`, `recall`, `f1`, `support` (number of gold entities), over all kinds
        together, and `kinds`, a dict of such dicts by kind. What would be 0 / 0 is 0.

    Raises:
        ValueError: the numbers of sentences or of their tags differ, or as of `entities`.

    Example:

    >>> from keras_bert.metrics import entity_scores
    >>> entity_scores([["B-PER", "O", "B-LOC"]], [["B-PER", "O", "O"]])["kinds"]["LOC"]
    {'precision': 0.0, 'recall': 0.0, 'f1': 0.0, 'support': 1}
    """
    _check_numbers(gold=gold, predicted=predicted)
    for number, (one, other) in enumerate(zip(gold, predicted, strict=True)):
        if len(one) != len(other):
            raise ValueError(
                f"A sentence must have as many predicted tags as gold ones, but sentence {number} "
                f"has {len(other)} and {len(one)}. Predict one tag for each word."
            )
    wanted, said = (
        set(entities([label for sentence in side for label in (*sentence, "O")]))
        for side in (gold, predicted)
    )
    kinds = sorted({kind for kind, *_ in wanted | said})
    by_kind = {
        kind: _set_scores(*({one for one in side if one[0] == kind} for side in (wanted, said)))
        for kind in kinds
    }
    return {**_set_scores(wanted, said), "kinds": by_kind}


def squad_exact_match(prediction: str, golds: Sequence[str]) -> float:
    """Whether an answer is one of the right ones, but for case, articles, punctuation and spaces.

    https://rajpurkar.github.io/SQuAD-explorer, the evaluation scripts.

    Args:
        prediction: str, empty for no answer.
        golds: sequence of str, the right answers; empty if the question has none.

    Returns:
        1.0 or 0.0.

    Raises:
        ValueError: `golds` is one string.

    Example:

    >>> from keras_bert.metrics import squad_exact_match
    >>> squad_exact_match("the U.S.", ["America", "US"])
    1.0
    """
    _check_golds(golds)
    return float(_normalized(prediction) in map(_normalized, golds if len(golds) else ("",)))


def squad_f1(prediction: str, golds: Sequence[str]) -> float:
    """The F1 of an answer's words, against the right answer that it fits best.

    Args:
        prediction: str, as of `squad_exact_match`.
        golds: sequence of str, likewise.

    Returns:
        float from 0 to 1.

    Raises:
        ValueError: as of `squad_exact_match`.

    Example:

    >>> from keras_bert.metrics import squad_f1
    >>> squad_f1("in the year 1989", ["1989"])
    0.5
    """
    _check_golds(golds)
    said = Counter(_normalized(prediction).split())
    if not len(golds):
        return float(not said)
    wanted = [Counter(_normalized(gold).split()) for gold in golds]
    return max(_f1((said & gold).total(), said.total(), gold.total()) for gold in wanted)


def squad_scores(
    predictions: Sequence[str],
    golds: Sequence[Sequence[str]],
    no_answer_scores: Sequence[float] | None = None,
    threshold: float = math.inf,
) -> dict[str, float]:
    """The numbers of the evaluation scripts of SQuAD 1.1 and 2.0, under the names of the latter.

    Where every question has an answer it is 1.1's numbers, otherwise 2.0's. They differ in right
    answers of nothing but articles and punctuation, which 2.0 leaves out.

    Args:
        predictions: sequence of N str, empty for no answer.
        golds: sequence of N sequences of str, the right answers; empty for none.
        no_answer_scores: float [N], high where the model holds that there is no answer, or None.
        threshold: float; above it a prediction counts as no answer.

    Returns:
        dict of `exact`, `f1` (0 to 100) and `total`, of all questions; of those with answers and
        without, if there are any, with the prefixes `HasAns_` and `NoAns_`; and with
        `no_answer_scores` `best_exact`, `best_exact_thresh`, `best_f1`, `best_f1_thresh`.

    Raises:
        ValueError: the numbers of questions differ, a threshold comes without scores, or as of
            `squad_exact_match`.

    Example:

    >>> from keras_bert.metrics import squad_scores
    >>> scores = squad_scores(["1989", "Rome"], [["in 1989"], []], [0.1, 0.7])
    >>> round(scores["f1"], 2), scores["NoAns_f1"], scores["best_f1_thresh"]
    (33.33, 0.0, 0.1)
    """
    _check_numbers(predictions=predictions, golds=golds)
    has_answer = np.array([len(texts) > 0 for texts in golds])
    if not has_answer.all():
        golds = [_with_words(texts) for texts in golds]
    answered = {
        name: np.array([score(*pair) for pair in zip(predictions, golds, strict=True)])
        for name, score in (("exact", squad_exact_match), ("f1", squad_f1))
    }
    if no_answer_scores is None:
        if threshold != math.inf:
            raise ValueError(
                f"A threshold must come with no_answer_scores, but {threshold} came without. Pass "
                "the scores that it is for."
            )
        return _report(answered, has_answer)
    _check_numbers(predictions=predictions, no_answer_scores=no_answer_scores)
    refused = np.asarray(no_answer_scores) > threshold
    report = _report(
        {name: np.where(refused, ~has_answer, scores) for name, scores in answered.items()},
        has_answer,
    )
    silent = np.array([not prediction for prediction in predictions])
    for name, scores in answered.items():
        scores = np.where(has_answer, scores, silent)
        best = best_no_answer_threshold(no_answer_scores, scores, has_answer)
        report[f"best_{name}"], report[f"best_{name}_thresh"] = best
    return report


def best_no_answer_threshold(no_answer_scores, scores, has_answer) -> tuple[float, float]:
    """The threshold above which to answer nothing, as the script of SQuAD 2.0 finds it.

    Args:
        no_answer_scores: float [N], high where the model holds that there is no answer.
        scores: float [N], exact match or F1 of what the model answers if it must; for a question
            without an answer 1 if that is the empty string, otherwise 0.
        has_answer: bool [N].

    Returns:
        The mean score, from 0 to 100, and the threshold, which is one of the `no_answer_scores`,
        or 0 if it is best to answer nothing at all.

    Raises:
        ValueError: the shapes differ, there are no questions, or a number is nan.

    Example:

    >>> from keras_bert.metrics import best_no_answer_threshold
    >>> best_no_answer_threshold([-3.0, 5.0, 2.0], [1.0, 0.0, 1.0], [True, False, True])
    (100.0, 2.0)
    """
    no_answer_scores, scores = _numbers(no_answer_scores, scores)
    has_answer, _ = _numbers(has_answer, scores)
    if np.isnan(no_answer_scores).any() or np.isnan(scores).any():
        raise ValueError(
            "The scores of questions must be numbers, but some are nan, which have no order. Look "
            "for where the model went astray."
        )
    order = np.argsort(no_answer_scores, kind="stable")
    gains = np.where(has_answer, scores, scores - 1.0)[order]
    # The sums with the first 0, 1, 2 ... questions answered, and nothing said to the others.
    sums = np.cumsum([np.count_nonzero(has_answer == 0), *gains])
    best = int(sums.argmax())
    threshold = no_answer_scores[order[best - 1]] if best else 0.0
    return float(100.0 * sums[best] / len(order)), float(threshold)


def cmrc_exact_match(prediction: str, golds: Sequence[str]) -> float:
    """Whether a Chinese answer is one of the right ones, but for case and signs.

    https://github.com/ymcui/cmrc2018, the evaluation script; used for DRCD too.

    Args:
        prediction: str.
        golds: sequence of str, the right answers, at least one.

    Returns:
        1.0 or 0.0.

    Raises:
        ValueError: `golds` is empty or one string.

    Example:

    >>> from keras_bert.metrics import cmrc_exact_match
    >>> cmrc_exact_match("《西游记》", ["西游记"])
    1.0
    """
    _check_golds(golds, least=1)
    return float(_cmrc_stripped(prediction) in map(_cmrc_stripped, golds))


def cmrc_f1(prediction: str, golds: Sequence[str]) -> float:
    """The F1 by the longest common run of Chinese characters and other words, at its best.

    Other words are cut by the rules of the script's tokenizer that matter within Chinese text; it
    also separates the period after each sentence of several, and "can" from "not".

    Args:
        prediction: str.
        golds: sequence of str, as of `cmrc_exact_match`.

    Returns:
        float from 0 to 1.

    Raises:
        ValueError: as of `cmrc_exact_match`.

    Example:

    >>> from keras_bert.metrics import cmrc_f1
    >>> cmrc_f1("生于1989年", ["1989年"])
    0.666...
    """
    _check_golds(golds, least=1)
    said = _cmrc_words(prediction)
    scores = []
    for wanted in map(_cmrc_words, golds):
        matcher = difflib.SequenceMatcher(None, wanted, said, autojunk=False)
        scores.append(_f1(matcher.find_longest_match().size, len(said), len(wanted)))
    return max(scores)


def cmrc_scores(predictions: Sequence[str], golds: Sequence[Sequence[str]]) -> dict[str, float]:
    """The numbers of CMRC 2018's evaluation script.

    Args:
        predictions: sequence of N str.
        golds: sequence of N sequences of str, the right answers.

    Returns:
        dict of `exact`, `f1` and `average`, the mean of the two, from 0 to 100, and `total`.

    Raises:
        ValueError: the numbers of questions differ, or as of `cmrc_exact_match`.

    Example:

    >>> from keras_bert.metrics import cmrc_scores
    >>> cmrc_scores(["1989年", "北京"], [["1989"], ["北京。"]])
    {'exact': 50.0, 'f1': 83.33..., 'average': 66.66..., 'total': 2}
    """
    _check_numbers(predictions=predictions, golds=golds)
    exact, f1 = (
        float(100.0 * np.mean([score(*pair) for pair in zip(predictions, golds, strict=True)]))
        for score in (cmrc_exact_match, cmrc_f1)
    )
    return {"exact": exact, "f1": f1, "average": (exact + f1) / 2, "total": len(golds)}


def accuracy_at_k(labels, predictions, k: int) -> float:
    """The share of labels that are among the first k candidates, such as those for a [MASK].

    Args:
        labels: int [N].
        predictions: int [N, K], candidates, the best first.
        k: int from 1 to K.

    Returns:
        float from 0 to 1.

    Raises:
        ValueError: the shapes do not fit, or there are fewer than k candidates.

    Example:

    >>> from keras_bert.metrics import accuracy_at_k
    >>> accuracy_at_k([7, 5], [[3, 7, 5], [3, 7, 5]], k=2)
    0.5
    """
    labels, predictions = np.asarray(labels), np.asarray(predictions)
    fits = predictions.ndim == 2 and labels.shape == predictions.shape[:1] and labels.size
    if not fits or not 1 <= k <= predictions.shape[1]:
        raise ValueError(
            "There must be labels [N], N > 0, candidates [N, K] and k between 1 and K, but there "
            f"are {labels.shape}, {predictions.shape} and k={k}. Ask for at least k candidates."
        )
    return float((labels[:, None] == predictions[:, :k]).any(axis=1).mean())


def recall_at_k(ranks, k: int) -> float:
    """The share of searches whose right result is among the first k.

    Args:
        ranks: float or int [N], the rank of each search's right result, from 1; inf if it is not
            found.
        k: int, at least 1.

    Returns:
        float from 0 to 1.

    Raises:
        ValueError: a rank or k is below 1, or there are no ranks.

    Example:

    >>> from keras_bert.metrics import recall_at_k
    >>> recall_at_k([1, 3, 2, float("inf")], k=2)
    0.5
    """
    return float((_ranks([k]) >= _ranks(ranks)).mean())


def mean_reciprocal_rank(ranks) -> float:
    """The mean of 1 / rank of the right results.

    Args:
        ranks: float or int [N], as of `recall_at_k`.

    Returns:
        float from 0 to 1.

    Raises:
        ValueError: as of `recall_at_k`.

    Example:

    >>> from keras_bert.metrics import mean_reciprocal_rank
    >>> mean_reciprocal_rank([1, 2, 4, float("inf")])
    0.4375
    """
    return float((1.0 / _ranks(ranks)).mean())


def _f1(right: int, num_predicted: int, num_wanted: int) -> float:
    if not right:
        return 0.0
    precision, recall = right / num_predicted, right / num_wanted
    return float(2 * precision * recall / (precision + recall))


def _counts(labels, predictions) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """How often each class is predicted rightly, is predicted, and is wanted, each int [C]."""
    labels, predictions = np.asarray(labels), np.asarray(predictions)
    if labels.ndim == 2:
        _check_shapes(labels, predictions)
        if not (np.isin(labels, (0, 1)).all() and np.isin(predictions, (0, 1)).all()):
            raise ValueError(
                "Matrices [N, C] of classes must hold 0 and 1 only, but hold other values. Compare "
                "probabilities with a threshold first."
            )
        labels, predictions = labels == 1, predictions == 1
    else:
        labels, predictions = _classes(labels, predictions)
        classes = np.union1d(labels, predictions)
        labels, predictions = (values[:, None] == classes for values in (labels, predictions))
    return tuple(table.sum(axis=0) for table in (labels & predictions, predictions, labels))


def _classes(labels, predictions) -> tuple[np.ndarray, np.ndarray]:
    labels, predictions = np.asarray(labels), np.asarray(predictions)
    _check_shapes(labels, predictions, rank=1)
    if labels.dtype.kind not in "biu" or predictions.dtype.kind not in "biu":
        raise ValueError(
            f"Classes must be integers, but are {labels.dtype} and {predictions.dtype}. Map names "
            "to numbers, and take the argmax of probabilities."
        )
    return labels.astype(np.int64), predictions.astype(np.int64)


def _numbers(labels, predictions) -> tuple[np.ndarray, np.ndarray]:
    labels, predictions = np.asarray(labels, np.float64), np.asarray(predictions, np.float64)
    _check_shapes(labels, predictions, rank=1)
    return labels, predictions


def _ranks(ranks) -> np.ndarray:
    ranks = np.asarray(ranks, np.float64)
    if not ranks.size or not (ranks >= 1).all():
        raise ValueError(
            f"Ranks, and k, must be numbers from 1 on, at least one, but are {ranks}. The best "
            "result has rank 1; leave out searches without a right result."
        )
    return ranks


def _set_scores(wanted: Set, said: Set) -> dict[str, float]:
    right = len(wanted & said)
    return {
        "precision": right / max(len(said), 1),
        "recall": right / max(len(wanted), 1),
        "f1": _f1(right, len(said), len(wanted)),
        "support": len(wanted),
    }


def _report(scores: dict[str, np.ndarray], has_answer: np.ndarray) -> dict[str, float]:
    """Percentages over all questions, those with answers, and those without."""
    report = {}
    parts = {"": np.ones_like(has_answer), "HasAns_": has_answer, "NoAns_": ~has_answer}
    for prefix, part in parts.items():
        if part.any():
            for name, values in scores.items():
                report[prefix + name] = float(100.0 * values[part].mean())
            report[prefix + "total"] = int(part.sum())
    return report


def _normalized(answer: str) -> str:
    return " ".join(_ARTICLES.sub(" ", answer.lower().translate(_PUNCTUATION)).split())


def _with_words(golds: Sequence[str]) -> list[str]:
    _check_golds(golds)
    return [gold for gold in golds if _normalized(gold)]


def _cmrc_stripped(answer: str) -> str:
    return answer.lower().strip().translate(_CMRC_SIGNS)


def _cmrc_words(answer: str) -> list[str]:
    words = []
    for run in _CMRC_RUNS.findall(_cmrc_stripped(answer)):
        words += _CMRC_CLITICS.sub(r" \1", _CMRC_CUTS.sub(r" \g<0> ", run)).split()
    return words


def _check_shapes(labels: np.ndarray, predictions: np.ndarray, rank: int = 2) -> None:
    if labels.ndim != rank or labels.shape != predictions.shape or not labels.size:
        raise ValueError(
            f"What is compared must be of one shape {'[N]' if rank == 1 else '[N, C]'}, N > 0, but "
            f"is {labels.shape} and {predictions.shape}. Squeeze axes of 1, and give each example "
            "one value."
        )


def _check_numbers(**sequences: Sequence) -> None:
    numbers = {name: len(values) for name, values in sequences.items()}
    if len(set(numbers.values())) > 1 or 0 in numbers.values():
        raise ValueError(
            f"There must be as many of each, at least one, but there are {numbers}. Score all "
            "examples, in one order."
        )


def _check_golds(golds: Sequence[str], least: int = 0) -> None:
    if isinstance(golds, str) or len(golds) < least:
        raise ValueError(
            f"golds must be a sequence of at least {least} strings, the right answers to one "
            f"question, but is {golds!r}. Put a single answer into a list."
        )

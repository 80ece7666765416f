"""How well questions are answered, as the official scripts of SQuAD and CMRC 2018 score it.

The scores of one answer are from 0 to 1, those of a data set, as in the scripts, from 0 to 100.
"""

from __future__ import annotations

import difflib
import math
import re
import string
from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from keras_bert.metrics.checks import check_numbers, numbers
from keras_bert.metrics.classification import f1

# What the scripts of SQuAD leave out of answers, besides case and spaces.
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
    return max(f1((said & gold).total(), said.total(), gold.total()) for gold in wanted)


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
    check_numbers(predictions=predictions, golds=golds)
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
    check_numbers(predictions=predictions, no_answer_scores=no_answer_scores)
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


def best_no_answer_threshold(
    no_answer_scores: ArrayLike, scores: ArrayLike, has_answer: ArrayLike
) -> tuple[float, float]:
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
    no_answer_scores, scores = numbers(no_answer_scores, scores)
    has_answer, _ = numbers(has_answer, scores)
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
        scores.append(f1(matcher.find_longest_match().size, len(said), len(wanted)))
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
    check_numbers(predictions=predictions, golds=golds)
    exact, overlap = (
        float(100.0 * np.mean([score(*pair) for pair in zip(predictions, golds, strict=True)]))
        for score in (cmrc_exact_match, cmrc_f1)
    )
    return {"exact": exact, "f1": overlap, "average": (exact + overlap) / 2, "total": len(golds)}


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
    """An answer as the scripts of SQuAD compare it."""
    return " ".join(_ARTICLES.sub(" ", answer.lower().translate(_PUNCTUATION)).split())


def _with_words(golds: Sequence[str]) -> list[str]:
    """The right answers but for those of nothing but articles and punctuation."""
    _check_golds(golds)
    return [gold for gold in golds if _normalized(gold)]


def _cmrc_stripped(answer: str) -> str:
    """An answer as the script of CMRC 2018 compares it."""
    return answer.lower().strip().translate(_CMRC_SIGNS)


def _cmrc_words(answer: str) -> list[str]:
    """Chinese characters, each by itself, and other words."""
    words = []
    for run in _CMRC_RUNS.findall(_cmrc_stripped(answer)):
        words += _CMRC_CLITICS.sub(r" \1", _CMRC_CUTS.sub(r" \g<0> ", run)).split()
    return words


def _check_golds(golds: Sequence[str], least: int = 0) -> None:
    if isinstance(golds, str) or len(golds) < least:
        raise ValueError(
            f"golds must be a sequence of at least {least} strings, the right answers to one "
            f"question, but is {golds!r}. Put a single answer into a list."
        )

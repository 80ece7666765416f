"""What a pretraining has reached, beside what needs no model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def beside_baseline(
    history: Mapping[str, Sequence[float]],
    most_frequent: Mapping[str, tuple[int, float]],
    vocabulary: Sequence[str],
) -> list[str]:
    """Lines with the last held-out accuracies beside those of always giving one answer.

    A detector of replaced tokens that finds none is right about all others.

    Args:
        history: dict of figures, a value an epoch, as `training.train` returns it.
        most_frequent: dict of the most frequent answer and its share by objective, as
            `most_frequent_answers` gives it.
        vocabulary: sequence of str, the pieces by id.

    Example:

    >>> from keras_bert.pretraining import beside_baseline
    >>> history = {"val_masked_lm_accuracy": [0.1, 0.25], "val_next_sentence_accuracy": [0.5, 0.7]}
    >>> most_frequent = {"masked_lm": (1, 0.0625), "next_sentence": (0, 0.5)}
    >>> for line in beside_baseline(history, most_frequent, ["[PAD]", "the"]):
    ...     print(line)
    masked_lm accuracy 25.0%; always 'the': 6.2%
    next_sentence accuracy 70.0%; always class 0: 50.0%
    """
    lines = []
    for name, (answer, share) in most_frequent.items():
        if name == "replaced_tokens":
            lines.append(_of_detector({key: values[-1] for key, values in history.items()}))
            continue
        # A model with one output has no names in its logs.
        key = f"val_{name}_accuracy" if len(most_frequent) > 1 else "val_accuracy"
        constant = repr(vocabulary[answer]) if name == "masked_lm" else f"class {answer}"
        lines.append(f"{name} accuracy {history[key][-1]:.1%}; always {constant}: {share:.1%}")
    return lines


def _of_detector(last: Mapping[str, float]) -> str:
    names = ("accuracy", "precision", "recall", "auc", "replaced")
    accuracy, precision, recall, auc, replaced = (
        last[f"val_replaced_tokens_{name}"] for name in names
    )
    return (
        f"replaced_tokens accuracy {accuracy:.1%}, precision {precision:.1%}, recall {recall:.1%}, "
        f"AUC {auc:.3f}; always 'original': {1 - replaced:.1%}, AUC 0.500"
    )

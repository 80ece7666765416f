"""What models are judged by: the scores of their fields, one subject a file, that Keras lacks.

Functions of labels and predictions give fractions; those that report what an official script does
give percentages, as it does.
"""

from keras_bert.metrics.answers import (
    best_no_answer_threshold,
    cmrc_exact_match,
    cmrc_f1,
    cmrc_scores,
    squad_exact_match,
    squad_f1,
    squad_scores,
)
from keras_bert.metrics.calibration import Calibration, calibration
from keras_bert.metrics.classification import (
    ClassScores,
    accuracy,
    class_scores,
    confusion_matrix,
    f1_binary,
    f1_macro,
    f1_micro,
    matthews_correlation,
)
from keras_bert.metrics.correlation import (
    mean_squared_error,
    pearson_correlation,
    spearman_correlation,
)
from keras_bert.metrics.directions import best, is_better
from keras_bert.metrics.entities import entities, entity_scores
from keras_bert.metrics.ranking import accuracy_at_k, mean_reciprocal_rank, recall_at_k
from keras_bert.metrics.streaming import LabelAccuracy, Perplexity

__all__ = [
    "Calibration",
    "ClassScores",
    "LabelAccuracy",
    "Perplexity",
    "accuracy",
    "accuracy_at_k",
    "best",
    "best_no_answer_threshold",
    "cmrc_exact_match",
    "cmrc_f1",
    "cmrc_scores",
    "calibration",
    "class_scores",
    "confusion_matrix",
    "entities",
    "entity_scores",
    "f1_binary",
    "f1_macro",
    "f1_micro",
    "is_better",
    "matthews_correlation",
    "mean_reciprocal_rank",
    "mean_squared_error",
    "pearson_correlation",
    "recall_at_k",
    "spearman_correlation",
    "squad_exact_match",
    "squad_f1",
    "squad_scores",
]

"""Smaller models out of trained ones: what matters least is found, and really removed."""

from keras_bert.compression.importance import Importance, importance, least_important
from keras_bert.compression.pruning import prune

__all__ = ["Importance", "importance", "least_important", "prune"]

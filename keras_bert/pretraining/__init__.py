"""Pretraining from raw text: where it begins, and what it has reached."""

from keras_bert.pretraining.damage import damage_named
from keras_bert.pretraining.results import beside_baseline
from keras_bert.pretraining.start import check_same, take_known_heads, take_word_vectors

__all__ = [
    "beside_baseline",
    "check_same",
    "damage_named",
    "take_known_heads",
    "take_word_vectors",
]

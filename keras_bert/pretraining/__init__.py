"""Pretraining from raw text: where it begins, and what it has reached."""

from keras_bert.checkpoints.fresh import fresh, preset_of
from keras_bert.checkpoints.transfer import shortened, take_alike
from keras_bert.checkpoints.vocabularies import write_pieces
from keras_bert.pretraining.damage import damage_named
from keras_bert.pretraining.replaced_tokens import detection_flops, with_generator
from keras_bert.pretraining.results import beside_baseline
from keras_bert.pretraining.start import (
    check_pieces,
    check_same,
    extended,
    family_name,
    sentence_objective,
    take_known_heads,
    take_word_vectors,
)
from keras_bert.pretraining.teaching import student_of, taught_flops

__all__ = [
    "beside_baseline",
    "check_pieces",
    "check_same",
    "damage_named",
    "detection_flops",
    "extended",
    "family_name",
    "fresh",
    "preset_of",
    "sentence_objective",
    "shortened",
    "student_of",
    "take_alike",
    "take_known_heads",
    "take_word_vectors",
    "taught_flops",
    "with_generator",
    "write_pieces",
]

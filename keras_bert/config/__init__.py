"""Architectures, a file each: every constant of them is written here and nowhere else."""

from keras_bert.config.bert import BertConfig
from keras_bert.config.distilbert import DistilBertConfig
from keras_bert.config.electra import ElectraConfig
from keras_bert.config.encoder import EncoderConfig
from keras_bert.config.modernbert import ModernBertConfig
from keras_bert.config.roberta import RobertaConfig
from keras_bert.config.static import StaticConfig

__all__ = [
    "BertConfig",
    "DistilBertConfig",
    "ElectraConfig",
    "EncoderConfig",
    "ModernBertConfig",
    "RobertaConfig",
    "StaticConfig",
]

"""BERT, whole, in TensorFlow and Keras 3: raw text in, a served model out."""

from keras_bert import environment  # noqa: F401, first: TensorFlow reads it when it is imported
from keras_bert.checkpoints.directory import Checkpoint, load, save
from keras_bert.checkpoints.google import write as save_google
from keras_bert.config import BertConfig
from keras_bert.data.corpus import TextCorpus
from keras_bert.data.pretraining import PretrainingRows, pretraining_dataset
from keras_bert.data.token_corpus import TokenCorpus, write_token_corpus
from keras_bert.data.word_vectors import fit_word_vectors, read_word_vectors
from keras_bert.models.encoder import BertEncoder
from keras_bert.models.pretrainer import BertPretrainer, num_training_flops
from keras_bert.models.resizing import resize
from keras_bert.serving.errors import ServingError
from keras_bert.serving.export import export
from keras_bert.tasks.fill_mask import FillMask
from keras_bert.tasks.multiple_choice import MultipleChoice
from keras_bert.tasks.question_answering import QuestionAnswerer
from keras_bert.tasks.sentence_embedding import SentenceEmbedder, search
from keras_bert.tasks.task import Task
from keras_bert.tasks.text_classification import TextClassifier
from keras_bert.tasks.token_classification import TokenClassifier
from keras_bert.text.masking import Masker
from keras_bert.text.packing import Packer
from keras_bert.text.tokenizer import Tokenizer
from keras_bert.text.vocabulary import learn_vocabulary, read_vocabulary, write_vocabulary
from keras_bert.training.baselines import most_frequent_answers
from keras_bert.training.optimizers import AdamW
from keras_bert.training.schedules import Schedule
from keras_bert.training.trainable import Trainable

__all__ = [
    "AdamW",
    "BertConfig",
    "BertEncoder",
    "BertPretrainer",
    "Checkpoint",
    "Client",
    "FillMask",
    "Masker",
    "MultipleChoice",
    "Packer",
    "PretrainingRows",
    "QuestionAnswerer",
    "Schedule",
    "SentenceEmbedder",
    "ServingError",
    "Task",
    "TextClassifier",
    "TextCorpus",
    "TokenClassifier",
    "TokenCorpus",
    "Tokenizer",
    "Trainable",
    "export",
    "fit_word_vectors",
    "learn_vocabulary",
    "load",
    "most_frequent_answers",
    "num_training_flops",
    "pretraining_dataset",
    "read_vocabulary",
    "read_word_vectors",
    "resize",
    "save",
    "save_google",
    "search",
    "write_token_corpus",
    "write_vocabulary",
]


def __getattr__(name: str):
    """`Client`, when it is asked for: its module is also a program, `python -m ...client`."""
    if name == "Client":
        from keras_bert.serving.client import Client

        return Client
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

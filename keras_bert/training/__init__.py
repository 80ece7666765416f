"""Training of any keras.Model: knows nothing of BERT."""

from keras_bert.training.callbacks import Throughput
from keras_bert.training.directory import begin, has_begun, run_directory
from keras_bert.training.epochs import Epochs
from keras_bert.training.run import prepare, train

__all__ = ["Epochs", "Throughput", "begin", "has_begun", "prepare", "run_directory", "train"]

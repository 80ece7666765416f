"""Training of any keras.Model: knows nothing of BERT."""

from keras_bert.training.directory import begin, has_begun, run_directory
from keras_bert.training.run import prepare, train

__all__ = ["begin", "has_begun", "prepare", "run_directory", "train"]

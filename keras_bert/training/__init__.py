"""Training of any keras.Model: knows nothing of BERT."""

from keras_bert.training import data_service
from keras_bert.training.callbacks import Throughput
from keras_bert.training.directory import begin, has_begun, run_directory
from keras_bert.training.epochs import Epochs
from keras_bert.training.feeding import Shards
from keras_bert.training.replicas import by_chief, this_worker
from keras_bert.training.run import prepare, train
from keras_bert.training.strategies import devices

__all__ = [
    "Epochs",
    "Shards",
    "Throughput",
    "begin",
    "by_chief",
    "data_service",
    "devices",
    "has_begun",
    "prepare",
    "run_directory",
    "this_worker",
    "train",
]

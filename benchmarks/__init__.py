"""One program a question; each prints one JSON line a figure."""

import keras_bert  # noqa: F401, before TensorFlow: see keras_bert/environment.py

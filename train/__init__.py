"""The binaries: a dataclass of arguments and a short main each. Run as `python -m train.<name>`."""

import keras_bert  # noqa: F401, before TensorFlow: see keras_bert/environment.py

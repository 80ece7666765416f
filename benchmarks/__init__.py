"""One program a question; each prints one JSON line a figure."""

import contextlib

with contextlib.suppress(ImportError):
    import triton  # noqa: F401, of PyTorch for GPUs, which crashes where TensorFlow came before it

import keras_bert  # noqa: F401, before TensorFlow: see keras_bert/environment.py

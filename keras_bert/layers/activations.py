"""The activations of a BERT, by the names that a config uses."""

from __future__ import annotations

from keras import ops


def gelu(x):
    """Gaussian error linear unit by the error function: the Hub's "gelu"."""
    return ops.gelu(x, approximate=False)


def gelu_tanh(x):
    """Its tanh approximation (Hendrycks and Gimpel 2016): Google's code, the Hub's "gelu_new"."""
    return ops.gelu(x, approximate=True)


ACTIVATIONS = {"gelu": gelu, "gelu_tanh": gelu_tanh, "relu": ops.relu}

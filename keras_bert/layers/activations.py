"""The activations of a BERT, by the names that a config uses."""

from __future__ import annotations

import math

import keras
from keras import ops

from keras_bert.layers.configured import Configured, registered
from keras_bert.layers.initializers import independent


def gelu(x, training: bool | None = False):
    """Gaussian error linear unit by the error function: the Hub's "gelu".

    In training the derivative is written out, of what the way forward has left: on 4 million
    elements 22 ms in place of 36, 4 % of a training step of "small". Not elsewhere, since
    TensorFlow keeps a graph with such a derivative, and the weights that it reads, to the end of
    the process.
    """
    return _trained_gelu(x) if training else _gelu(x)[0]


def _gelu(x):
    """The value, and the function of its derivative."""
    scaled = x * 2**-0.5
    # In the order by which TensorFlow fuses it with the product before it in inference.
    twice_cdf = 1.0 + ops.erf(scaled)

    def gradient(*args, upstream=None):
        dy = args[-1] if upstream is None else upstream
        slope = math.pi**-0.5 * (scaled * ops.exp(-ops.square(scaled)))  # x times the density
        return dy * (0.5 * twice_cdf + slope)

    return 0.5 * x * twice_cdf, gradient


_trained_gelu = ops.custom_gradient(_gelu)


def gelu_tanh(x, training: bool | None = False):
    """Its tanh approximation (Hendrycks and Gimpel 2016): Google's code, the Hub's "gelu_new"."""
    return ops.gelu(x, approximate=True)


def relu(x, training: bool | None = False):
    """The positive part."""
    return ops.relu(x)


ACTIVATIONS = {"gelu": gelu, "gelu_tanh": gelu_tanh, "relu": relu}


@registered
class ActivatedDense(Configured, keras.layers.Dense):
    """A dense layer whose activation is told whether it is trained.

    Args:
        units: int, width of the output.
        activation: str, one of `ACTIVATIONS`.
        use_bias: bool.

    Args (call):
        inputs: float [..., D].

    Returns:
        float [..., units].

    Example:

    >>> import numpy as np
    >>> from keras_bert.layers.activations import ActivatedDense
    >>> layer = ActivatedDense(2, "relu", kernel_initializer="ones")
    >>> np.asarray(layer(np.array([[1.0, 2.0], [1.0, -3.0]]))).tolist()
    [[3.0, 3.0], [0.0, 0.0]]
    """

    def __init__(
        self,
        units: int,
        activation: str,
        *,
        use_bias: bool = True,
        kernel_initializer="glorot_uniform",
        dtype=None,
        name: str | None = None,
    ):
        super().__init__(
            units,
            use_bias=use_bias,
            kernel_initializer=independent(kernel_initializer),
            dtype=dtype,
            name=name,
        )
        self.function = ACTIVATIONS[activation]

    def call(self, inputs, training=None):
        return self.function(super().call(inputs), training)


@registered
class GatedDense(ActivatedDense):
    """A gated linear unit: one half of a dense layer, activated, times the other (GEGLU of gelu).

    Shazeer 2020, arXiv:2002.05202; the half that is activated comes first, as in ModernBERT (Warner
    et al. 2024, arXiv:2412.13663). Both are one product.

    Args:
        width: int, that of the output; the dense layer has twice as much.
        activation: str, one of `ACTIVATIONS`.
        use_bias: bool.

    Args (call):
        inputs: float [..., D].

    Returns:
        float [..., width].

    Example:

    >>> import numpy as np
    >>> from keras_bert.layers.activations import GatedDense
    >>> layer = GatedDense(1, "relu", kernel_initializer="ones")
    >>> np.asarray(layer(np.array([[1.0, 2.0], [1.0, -3.0]]))).tolist()
    [[9.0], [-0.0]]
    """

    def __init__(self, width: int, activation: str, **options):
        super().__init__(2 * width, activation, **options)
        self.width = width

    def call(self, inputs, training=None):
        x = keras.layers.Dense.call(self, inputs)
        return self.function(x[..., : self.width], training) * x[..., self.width :]

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], self.width)

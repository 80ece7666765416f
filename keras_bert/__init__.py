"""BERT, whole, in TensorFlow and Keras 3: raw text in, a served model out.

What `__init__.pyi` names is imported when it is first asked for: a binary that reads its flags, or
a client of a served model, does not wait for TensorFlow.
"""

import lazy_loader

from keras_bert import (
    environment,  # noqa: F401, first: TensorFlow reads it when it is imported
    registered,  # noqa: F401, which Keras asks
)

__version__ = "0.1.0"
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

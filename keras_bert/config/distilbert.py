"""DistilBertConfig: what a DistilBERT is made of."""

from __future__ import annotations

import dataclasses

from keras_bert.config.encoder import BASE, SMALLER, EncoderConfig


@dataclasses.dataclass(frozen=True, kw_only=True)
class DistilBertConfig(EncoderConfig):
    """What a DistilBERT is made of (Sanh et al. 2019, arXiv:1910.01108).

    Args: those of `EncoderConfig`; there are no segments.

    Example:

    >>> import keras_bert as kb
    >>> kb.DistilBertConfig.preset("base").num_layers
    6
    """

    # The two smallest were never published, and have the sizes of Turc et al. 2019.
    PRESETS = {
        **{name: SMALLER[name] for name in ("tiny", "mini")},
        "base": {**BASE, "num_layers": 6},
    }

    num_layers: int = 6

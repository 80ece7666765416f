"""ElectraConfig: what an ELECTRA is made of."""

from __future__ import annotations

import dataclasses

from keras_bert.config.encoder import BASE, LARGE, SMALLER, EncoderConfig, sizes


@dataclasses.dataclass(frozen=True, kw_only=True)
class ElectraConfig(EncoderConfig):
    """What an ELECTRA is made of (Clark et al. 2020, arXiv:2003.10555), of either kind.

    Args: those of `EncoderConfig`, and
        num_segments: int, number of segment ids.
        embedding_dim: int, width E of the embeddings; where it is not `hidden_dim` they are
            projected to that.

    Example:

    >>> import keras_bert as kb
    >>> config = kb.ElectraConfig.preset("small")
    >>> config.embedding_dim, config.hidden_dim
    (128, 256)
    """

    # The two smallest are not the paper's; their sizes are those of Turc et al. 2019.
    PRESETS = {
        **{name: {**SMALLER[name], "embedding_dim": 128} for name in ("tiny", "mini")},
        "small": sizes(12, 4, 256, 1024, embedding_dim=128),
        "base": {**BASE, "embedding_dim": 768},
        "large": {**LARGE, "embedding_dim": 1024},
    }

    num_heads: int = 4
    hidden_dim: int = 256
    intermediate_dim: int = 1024
    num_segments: int = 2
    embedding_dim: int = 128

    def __post_init__(self):
        super().__post_init__()
        self._check_count("num_segments")
        self._check_count("embedding_dim")

    @property
    def is_projected(self) -> bool:
        """Whether embeddings have another width than hidden states."""
        return self.embedding_dim != self.hidden_dim

    def embedding_flops(self) -> int:
        return 2 * self.embedding_dim * self.hidden_dim if self.is_projected else 0

    def head_flops(self) -> int:
        return 2 * self.embedding_dim * (self.hidden_dim + self.vocabulary_size)

"""Static embeddings: a table of vectors distilled from a model of sentence embeddings."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import tensorflow as tf

from keras_bert.config import StaticConfig
from keras_bert.models.static import StaticEncoder
from keras_bert.tasks.progress import with_bar
from keras_bert.tasks.sentence_embedding import SentenceEmbedder
from keras_bert.text.packing import Packer
from keras_bert.text.subwords import SubwordTokenizer
from keras_bert.text.tokenizer import Tokenizer

# Of "smooth inverse frequency" (Arora et al. 2017).
SIF = 1e-4
# Pieces that are embedded at a time, and texts whose pieces are counted at a time.
PIECES, TEXTS = 512, 1024


def static_embedder(
    teacher: SentenceEmbedder,
    dimensions: int = 256,
    counts: np.ndarray | None = None,
    *,
    progress: bool | None = None,
) -> SentenceEmbedder:
    """A model of sentence embeddings that is a table, of the vectors that another has for pieces.

    Each piece of the vocabulary is embedded alone; the vectors are put into fewer dimensions by
    their principal components, and weigh less the more frequent the piece is, as in "Model2Vec"
    (Tulkens and van Dongen 2024, https://github.com/MinishLab/model2vec). Special tokens have none.
    A text is the mean of its pieces' vectors: hundreds of times faster, and blind to their order.

    Args:
        teacher: SentenceEmbedder, with a tokenizer of word pieces.
        dimensions: int, D, at most those of the teacher's vectors.
        counts: int [V], how often each piece is in texts, as `counts_of` gives it; None takes its
            place in the vocabulary for its rank, by Zipf's law.
        progress: bool, whether to show a bar: see `with_bar`.

    Returns:
        SentenceEmbedder on a `StaticEncoder`.

    Raises:
        ValueError: there are not as many dimensions, or words are cut in another way.

    Example:

    >>> import keras_bert as kb
    >>> from keras_bert.tasks.static_embedding import static_embedder
    >>> pieces = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "fine", "film", "dog")
    >>> config = kb.BertConfig(
    ...     vocabulary_size=9, num_layers=1, num_heads=3, hidden_dim=15, intermediate_dim=31
    ... )
    >>> teacher = kb.SentenceEmbedder(kb.BertEncoder(config), kb.Packer(kb.Tokenizer(pieces)))
    >>> static_embedder(teacher, dimensions=3).embed(["a fine film", "dog"]).shape
    (2, 3)
    """
    tokenizer = teacher.tokenizer
    if not isinstance(tokenizer, Tokenizer):
        raise ValueError(
            "A table of vectors is distilled from a model whose words are cut into word pieces, "
            f"but this one has a {type(tokenizer).__name__}: name one of BERT's kind."
        )
    width = teacher.output["embeddings"].shape[-1] if teacher.pooling != "none" else 0
    if not 1 <= dimensions <= width:
        raise ValueError(
            f"dimensions must lie between 1 and the {width} of the teacher's vectors, not "
            f"{dimensions}: choose fewer."
        )
    ids = _words(tokenizer)
    vectors = principal(_alone(teacher, ids, progress), dimensions)
    table = np.zeros([tokenizer.vocabulary_size, vectors.shape[1]], "float32")
    table[ids] = vectors * weights_of(ids, counts)[:, None]
    config = StaticConfig(vocabulary_size=tokenizer.vocabulary_size, hidden_dim=table.shape[1])
    encoder = StaticEncoder(config, initializer="zeros")
    encoder.token_embedding.embeddings.assign(table)
    packer = Packer(tokenizer, config.max_sequence_length)
    return SentenceEmbedder(encoder, packer, pooling="mean", normalize=True)


def counts_of(tokenizer: SubwordTokenizer, texts: Iterable[str]) -> np.ndarray:
    """How often each piece of a vocabulary is in texts, int64 [V].

    Args:
        tokenizer: SubwordTokenizer.
        texts: iterable of str.

    Example:

    >>> import keras_bert as kb
    >>> from keras_bert.tasks.static_embedding import counts_of
    >>> pieces = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "fine", "film")
    >>> counts_of(kb.Tokenizer(pieces), ["fine fine film", "film film"]).tolist()
    [0, 0, 0, 0, 0, 2, 3]
    """
    texts = list(texts)
    counts = np.zeros(tokenizer.vocabulary_size, "int64")
    for first in range(0, len(texts), TEXTS):
        ids = tokenizer.tokenize(tf.constant(texts[first : first + TEXTS])).flat_values
        counts += np.bincount(ids.numpy(), minlength=len(counts))
    return counts


def weights_of(ids: np.ndarray, counts: np.ndarray | None = None) -> np.ndarray:
    """What the vector of each piece weighs, float64 [N]: a / (a + p), of its probability p.

    Args:
        ids: int [N], of all pieces that have vectors, in the order of the vocabulary.
        counts: int [V]; None has 1 / rank.

    Example:

    >>> import numpy as np
    >>> from keras_bert.tasks.static_embedding import weights_of
    >>> weights_of(np.array([0, 1]), np.array([0, 9])).round(4).tolist()
    [0.0011, 0.0001]
    """
    # By Zipf's law, or as counted: what was not seen may still come.
    shares = 1.0 / np.arange(2, len(ids) + 2) if counts is None else counts[ids] + 1.0
    return SIF / (SIF + shares / shares.sum())


def principal(vectors: np.ndarray, dimensions: int) -> np.ndarray:
    """The principal components of vectors, float64 [N, dimensions].

    Args:
        vectors: float [N, D].
        dimensions: int, at most D.

    Example:

    >>> import numpy as np
    >>> from keras_bert.tasks.static_embedding import principal
    >>> np.abs(principal(np.array([[1.0, 2.0], [1.0, 4.0]]), 1)).round(3).tolist()
    [[1.0], [1.0]]
    """
    centred = vectors.astype("float64") - vectors.mean(axis=0, dtype="float64")
    _, axes = np.linalg.eigh(centred.T @ centred)
    return centred @ axes[:, ::-1][:, :dimensions]


def _words(tokenizer: Tokenizer) -> np.ndarray:
    """The ids of all pieces that texts are made of: without special tokens and places kept free."""
    special = {*vars(tokenizer.special).values()}
    ids = [
        id_
        for id_, piece in enumerate(tokenizer.vocabulary)
        if id_ not in special and piece and not piece.startswith("[unused")
    ]
    return np.array(ids)


def _alone(teacher: SentenceEmbedder, ids: np.ndarray, progress: bool | None) -> np.ndarray:
    """The teacher's vectors of pieces, each the only one of its row, float32 [N, D]."""

    def embed(some: tf.Tensor) -> tf.Tensor:
        features = teacher.packed({"text": tf.RaggedTensor.from_tensor(some[:, None])})
        return teacher.outputs_of(features)["embeddings"][:, 0]

    spec = tf.TensorSpec([None], tf.int32)
    graph = tf.function(embed, input_signature=[spec], autograph=False)
    parts: Sequence[np.ndarray] = np.split(ids, range(PIECES, len(ids), PIECES))
    done = (([*part], graph(tf.constant(part, tf.int32)).numpy()) for part in parts)
    return np.concatenate([vectors for _, vectors in with_bar(done, len(ids), progress)])

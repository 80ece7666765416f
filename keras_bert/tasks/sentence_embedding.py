"""SentenceEmbedder: a text in, a vector out; and exact search among vectors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_bert import metrics
from keras_bert.layers.pooling import Pooling
from keras_bert.layers.rows import GatherRows
from keras_bert.models.encoder import BertEncoder
from keras_bert.tasks.contrastive import CosineError, InBatchAccuracy, InBatchNegatives
from keras_bert.tasks.examples import as_examples, missing_column, source_of, text_columns
from keras_bert.tasks.labels import label_number
from keras_bert.tasks.search import DOCUMENT_BLOCK, QUERY_BLOCK, blocks, unit
from keras_bert.tasks.setting import Setting
from keras_bert.tasks.task import (
    Example,
    Task,
    flat_rows,
    packer_of,
    row_inputs,
)
from keras_bert.text.packing import Packer

# What is learned from.
PROBLEMS = ("in_batch_negatives", "cosine_regression")


COMBINATIONS = ("concatenate", "sum")


class SentenceEmbedder(Task):
    """Vectors of texts, the alike near each other (Reimers and Gurevych 2019, arXiv:1908.10084).

    An example has its `text`. What it has besides, to learn from, depends on `problem`:

    - "in_batch_negatives": a `positive`, a text that belongs to it; and, if all examples have one,
      a `negative`, a text that does not.
    - "cosine_regression": a `second` text and how alike the two are, the number `label`.

    All texts of an example go through the one encoder, as rows of its batch; a text alone is one
    row. What belongs to several texts should not be in one batch: it counts as a negative there.

    Args:
        encoder: BertEncoder.
        packer: Packer; what is longer than its rows is cut.
        pooling: "cls", "mean", "max", "mean_max" or "none" (a vector for every token, which cannot
            be trained here), as `Pooling` has them.
        layers: sequence of int, the hidden states to use: 0 is the embeddings, 1 the first block,
            -1 the last one, behind the last norm.
        combine: "concatenate" or "sum", what is done with those of several layers.
        normalize: bool, whether vectors are scaled to length 1.
        problem: "in_batch_negatives" or "cosine_regression".
        label_range: pair of float, the labels of cosines 0 and 1.

    Raises:
        ValueError: an argument is out of its range.

    Example:

    >>> import keras_bert as kb
    >>> from keras_bert.tasks.search import search
    >>> from keras_bert.tasks.sentence_embedding import SentenceEmbedder
    >>> tokenizer = kb.Tokenizer(("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "fine", "film"))
    >>> config = kb.BertConfig(
    ...     vocabulary_size=7, num_layers=2, num_heads=3, hidden_dim=15, intermediate_dim=31
    ... )
    >>> task = SentenceEmbedder(kb.BertEncoder(config), kb.Packer(tokenizer))
    >>> vectors = task.embed(["film", "fine film"])
    >>> vectors.shape
    (2, 15)
    >>> indices, scores = search(task.embed(["Film"]), vectors, k=1)
    >>> indices.tolist(), scores.round(3).tolist()
    ([[0]], [[1.0]])
    """

    ARCHITECTURE = "BertModel"
    USES_POOLER = False

    pooling = Setting(fixed=True)
    state_layers = Setting(tuple, fixed=True)
    combine = Setting(fixed=True)
    normalize = Setting(fixed=True)
    problem = Setting(fixed=True)
    label_range = Setting(tuple)

    def __init__(
        self,
        encoder: BertEncoder,
        packer: Packer,
        pooling: str = "mean",
        layers: Sequence[int] = (-1,),
        combine: str = "concatenate",
        normalize: bool = True,
        problem: str = "in_batch_negatives",
        label_range: tuple[float, float] = (0.0, 1.0),
        name: str = "sentence_embedder",
    ):
        _check_arguments(encoder, layers, combine, problem, label_range)
        inputs = row_inputs()
        rows = flat_rows(inputs)
        states = _states(encoder, layers, combine)(rows)
        # All in float32, as sums over many tokens and scalar products need it.
        vectors = Pooling(pooling, dtype="float32")(states, rows["padding_mask"])
        if normalize:
            vectors = keras.layers.UnitNormalization(dtype="float32")(vectors)
        if pooling == "none":
            outputs = {"token_embeddings": vectors}  # of texts alone: [B, T, D]
        else:
            outputs = {"embeddings": GatherRows(dtype="float32")(vectors, inputs["padding_mask"])}
        super().__init__(encoder, packer, inputs, outputs, name=name)
        self.pooling = pooling
        self.state_layers = layers
        self.combine = combine
        self.normalize = normalize
        self.problem = problem
        self.label_range = label_range

    def check_settings(self) -> None:
        super().check_settings()
        _check_arguments(
            self.encoder, self.state_layers, self.combine, self.problem, self.label_range
        )

    @property
    def example_spec(self) -> dict[str, tf.TensorSpec]:
        return {"text": tf.TensorSpec([None], tf.string, name="text")}

    def embed(self, texts: Sequence[str] | str) -> np.ndarray:
        """The vectors of texts, as `search` takes them.

        Args:
            texts: sequence of str, or one alone; or what `as_examples` takes for them.

        Returns:
            float32 [number of texts, D], or [D] of one alone.
        """
        self._check_pooled()
        examples, is_one = as_examples(texts, self.example_spec)
        vectors = np.empty([len(examples), self.output["embeddings"].shape[-1]], "float32")
        for indices, answers in self.answer_batches(examples):
            vectors[indices] = answers["embedding"]
        return vectors[0] if is_one else vectors

    def features(self, examples: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Strings to ids.

        Args:
            examples: dict of `text`, string [B], and in training of the texts that go with it.

        Returns:
            dict of int32 `token_ids`, `segment_ids`, `padding_mask` [B, R, T]: a row for each of R
            texts.
        """
        packed = [self.packer(texts) for texts in _texts(examples)]
        return self.trimmed(
            {name: tf.stack([rows[name] for rows in packed], axis=1) for name in packed[0]}
        )

    def num_tokens(self, columns: Mapping[str, tf.Tensor]) -> tf.Tensor:
        lengths = [self.tokenizer.tokenize(texts).row_lengths() for texts in _texts(columns)]
        return tf.reduce_max(tf.stack(lengths), axis=0) + 2

    def target_columns(self, examples: Sequence[Example]) -> dict[str, Any]:
        self._check_pooled()
        text = tf.TensorSpec([None], tf.string)
        if self.problem == "cosine_regression":
            labels = tf.constant([self._label(example) for example in examples])
            return {**text_columns(examples, {"second": text}), "label": labels}
        has_negatives = any(example.get("negative") is not None for example in examples)
        keys = ("positive", "negative") if has_negatives else ("positive",)
        return text_columns(examples, dict.fromkeys(keys, text))

    def targets(self, columns, features):
        # Which text is the right one is known without a label.
        labels = columns.get("label", tf.zeros_like(columns["weight"]))
        return {"embeddings": labels}, {"embeddings": columns["weight"]}

    def objective(self, scale: float = 20.0) -> dict:
        """Losses and metrics, as keyword arguments of `compile`.

        Negatives are those of a micro-batch on one device: their number is part of the loss.

        Args:
            scale: float, by which cosines are multiplied to be logits of in-batch negatives.
        """
        self._check_pooled()
        if self.problem == "cosine_regression":
            return {"loss": {"embeddings": CosineError()}}
        return {
            "loss": {"embeddings": InBatchNegatives(scale)},
            "weighted_metrics": {"embeddings": [InBatchAccuracy()]},
        }

    def answers(self, outputs, features) -> dict[str, tf.Tensor]:
        """The vector of each text, or those of its tokens.

        Args:
            outputs: dict of `embeddings` float [B, 1, D], or `token_embeddings` float [B, T, D].
            features: dict with `padding_mask` [B, 1, T].

        Returns:
            dict of `embedding` float32 [B, D]. Without pooling of `token_embeddings` float32
            [B, T, D], [CLS] first, and `num_tokens` int32 [B]; what is behind them is zero.
        """
        if self.pooling == "none":
            return {
                "token_embeddings": outputs["token_embeddings"],
                "num_tokens": tf.reduce_sum(features["padding_mask"][:, 0], axis=1),
            }
        return {"embedding": outputs["embeddings"][:, 0]}

    def as_python(self, answer: dict[str, Any]) -> dict[str, Any]:
        """`embedding`, a list of float; without pooling `token_embeddings`, one for each token."""
        if self.pooling == "none":
            return {"token_embeddings": answer["token_embeddings"][: answer["num_tokens"]]}
        return answer

    @property
    def score_names(self) -> tuple[str, ...]:
        if self.problem == "cosine_regression":
            return ("spearman", "pearson")
        return ("accuracy@1", "recall@10", "mrr")

    def scores(self, examples, answers) -> dict[str, float]:
        """How good answers are; the texts that go with those answered are embedded here.

        Returns:
            For in-batch negatives `accuracy@1`, `recall@10` and `mrr`, by the rank of an example's
            positive among all different positives and negatives. For cosines `spearman` and
            `pearson`, their correlation with the labels.
        """
        examples = self.as_examples(examples)
        vectors = unit(np.array([answer["embedding"] for answer in answers], "float32"))
        columns = {name: np.asarray(c) for name, c in self.target_columns(examples).items()}
        if self.problem == "cosine_regression":
            cosines = (vectors * unit(self.embed(columns["second"].tolist()))).sum(axis=1)
            return {
                "spearman": metrics.spearman_correlation(columns["label"], cosines),
                "pearson": metrics.pearson_correlation(columns["label"], cosines),
            }
        ranks = self._ranks(vectors, np.concatenate(list(columns.values())))
        return {
            "accuracy@1": metrics.recall_at_k(ranks, 1),
            "recall@10": metrics.recall_at_k(ranks, 10),
            "mrr": metrics.mean_reciprocal_rank(ranks),
        }

    def settings(self) -> dict[str, Any]:
        return {
            "keras_bert": {
                "pooling": self.pooling,
                "layers": list(self.state_layers),
                "combine": self.combine,
                "normalize": self.normalize,
                "problem": self.problem,
                "label_range": list(self.label_range),
                "sequence_length": self.packer.sequence_length,
            },
        }

    @classmethod
    def from_settings(cls, encoder, tokenizer, settings, initializer=None) -> SentenceEmbedder:
        own = settings.get("keras_bert", {})
        return cls(
            encoder,
            packer_of(encoder, tokenizer, own),
            own.get("pooling", "mean"),
            own.get("layers", (-1,)),
            own.get("combine", "concatenate"),
            own.get("normalize", True),
            own.get("problem", "in_batch_negatives"),
            own.get("label_range", (0.0, 1.0)),
        )

    def _label(self, example: Example) -> float:
        """The cosine that an example's label stands for."""
        if "label" not in example:
            raise ValueError(missing_column(example, "label"))
        first, last = self.label_range
        label = label_number(example["label"])
        if label is None or not min(first, last) <= label <= max(first, last):
            raise ValueError(
                f"{source_of(example)}: the label must be a number from {first} to {last}, but is "
                f"{example['label']!r:.100}: correct it, or name another label_range when the task "
                "is made."
            )
        return (label - first) / (last - first)

    def _ranks(self, vectors: np.ndarray, texts: np.ndarray) -> np.ndarray:
        """How many texts are as near to a vector as its own, which counts too, int [N].

        Args:
            vectors: float32 [N, D], of length 1.
            texts: string [N] or more: first the vectors' own, then others.
        """
        different, places = np.unique(texts, return_inverse=True)
        right = places[: len(vectors)]
        candidates = unit(self.embed(different.tolist()))
        ranks = []
        block = max(1, QUERY_BLOCK * DOCUMENT_BLOCK // len(candidates))
        for some in blocks(len(vectors), block):
            cosines = vectors[some] @ candidates.T
            own = np.take_along_axis(cosines, right[some, None], axis=1)
            ranks.append((cosines >= own).sum(axis=1))
        return np.concatenate(ranks)

    def _check_pooled(self) -> None:
        if self.pooling == "none":
            raise ValueError(
                'A text must have one vector to be compared, but with pooling="none" it has as '
                "many as tokens: choose another pooling."
            )


def _texts(columns: Mapping[str, tf.Tensor]) -> list[tf.Tensor]:
    """The texts of examples, in the order of their rows."""
    keys = ("text", "positive", "negative", "second")
    return [columns[key] for key in keys if key in columns]


def _states(encoder: BertEncoder, layers: Sequence[int], combine: str) -> keras.Model:
    """A model from the encoder's inputs to the hidden states of some layers."""
    states = [*encoder.hidden_states[:-1], encoder.output["sequence_output"]]
    chosen = [states[i] for i in layers]
    if len(chosen) == 1:
        return keras.Model(encoder.input, chosen[0], name="states")
    join = keras.layers.Add if combine == "sum" else keras.layers.Concatenate
    return keras.Model(encoder.input, join(dtype="float32")(chosen), name="states")


def _check_arguments(encoder: BertEncoder, layers, combine, problem, label_range) -> None:
    if problem not in PROBLEMS:
        raise ValueError(f"problem must be one of {PROBLEMS}, not {problem!r}.")
    if combine not in COMBINATIONS:
        raise ValueError(f"combine must be one of {COMBINATIONS}, not {combine!r}.")
    number = encoder.config.num_layers
    if not layers or not all(-number - 1 <= layer <= number for layer in layers):
        raise ValueError(
            f"layers must be numbers from 0, the embeddings, to {number}, the last block, or from "
            f"the end, -1 to {-number - 1}, but are {layers!r}: name at least one of them."
        )
    if len(label_range) != 2 or not np.isfinite(label_range).all() or np.ptp(label_range) == 0:
        raise ValueError(
            f"label_range must be two different numbers, the labels of cosines 0 and 1, not "
            f"{label_range!r}."
        )

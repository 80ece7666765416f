"""SentenceEmbedder: a text in, a vector out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_bert import metrics
from keras_bert.data.rows import Row
from keras_bert.layers.pooling import Pooling
from keras_bert.layers.rows import GatherRows
from keras_bert.models.encoder import Encoder
from keras_bert.tasks import contrastive
from keras_bert.tasks.answer_kinds import Vectors
from keras_bert.tasks.batches import ANSWER_BATCH, column
from keras_bert.tasks.columns import ColumnNames, ExampleFiles
from keras_bert.tasks.examples import Example, text_columns
from keras_bert.tasks.heads import check_layers, flat_rows, states_of
from keras_bert.tasks.hooks import Start
from keras_bert.tasks.members import check_alone
from keras_bert.tasks.pairs import check_range, cosine_of, range_of, tell_unread
from keras_bert.tasks.search import ranks_among, unit
from keras_bert.tasks.setting import Setting, packer_of
from keras_bert.tasks.steps import Answers
from keras_bert.tasks.table import name_of
from keras_bert.tasks.task import AnswerBatches, Task
from keras_bert.text.packing import Packer
from keras_bert.text.subwords import SubwordTokenizer

# What is learned from.
PROBLEMS = ("in_batch_negatives", "cosine_regression")
COMBINATIONS = ("concatenate", "sum")

# The columns of pairs without a number, and all in the order of their rows.
_PAIRS = ("text", "positive", "negative")
_TEXTS = (*_PAIRS, "second")


class SentenceEmbedder(Task):
    """Vectors of texts, the alike near each other (Reimers and Gurevych 2019, arXiv:1908.10084).

    An example has its `text`. What it has besides, to learn from, depends on `problem`:

    - "in_batch_negatives": a `positive`, a text that belongs to it; and, if all examples have one,
      a `negative`, a text that does not.
    - "cosine_regression": a `second` text and how alike the two are, the number `label`.

    All texts of an example are rows of its batch. What belongs to several texts should not be in
    one batch: it counts as a negative there.

    Args:
        encoder: Encoder.
        packer: Packer; what is longer than its rows is cut.
        pooling: "cls", "mean", "max", "mean_max" or "none" (a vector for every token, untrained).
        layers: sequence of int, the hidden states to use: 0 is the embeddings, 1 the first block,
            -1 the last one, behind the last norm.
        combine: "concatenate" or "sum", what is done with those of several layers.
        normalize: bool, whether vectors are scaled to length 1.
        problem: "in_batch_negatives" or "cosine_regression".
        label_range: pair of float, the labels of cosines 0 and 1.
        dimensions: int, how many of a vector's first numbers are kept; None keeps all.

    Raises:
        ValueError: an argument is out of its range.

    Example:

    >>> import keras_bert as kb
    >>> tokenizer = kb.Tokenizer(("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "fine", "film"))
    >>> config = kb.BertConfig(
    ...     vocabulary_size=7, num_layers=2, num_heads=3, hidden_dim=15, intermediate_dim=31
    ... )
    >>> task = kb.SentenceEmbedder(kb.BertEncoder(config), kb.Packer(tokenizer))
    >>> vectors = task.embed(["film", "fine film"])
    >>> vectors.shape
    (2, 15)
    >>> indices, scores = kb.search(task.embed(["Film"]), vectors, k=1)
    >>> indices.tolist(), scores.round(3).tolist()
    ([[0]], [[1.0]])
    """

    USES_POOLER = False
    COLUMNS = ColumnNames(("text", "second"), "label", ("positive", "negative"))
    ARRAY = "embeddings"
    ACTIVATION = "unit"
    ANSWER_ROWS = Vectors

    pooling = Setting(fixed=True)
    state_layers = Setting(tuple, fixed=True)
    combine = Setting(fixed=True)
    normalize = Setting(fixed=True)
    problem = Setting(fixed=True)
    label_range = Setting(tuple)
    dimensions = Setting(fixed=True)

    def __init__(
        self,
        encoder: Encoder,
        packer: Packer,
        pooling: str = "mean",
        *,
        layers: Sequence[int] = (-1,),
        combine: str = "concatenate",
        normalize: bool = True,
        problem: str = "in_batch_negatives",
        label_range: tuple[float, float] = (0.0, 1.0),
        dimensions: int | None = None,
    ):
        _check_arguments(encoder, layers, combine, problem, label_range)
        inputs = encoder.new_inputs(has_rows=True)
        rows = flat_rows(inputs)
        states = states_of(encoder, layers, combine)(rows)
        # All in float32, as sums over many tokens and scalar products need it.
        vectors = Pooling(pooling, dtype="float32")(states, rows["padding_mask"])
        if dimensions is not None:
            contrastive.check_cuts([dimensions], vectors.shape[-1])
            vectors = vectors[..., :dimensions]
        if normalize:
            vectors = keras.layers.UnitNormalization(dtype="float32")(vectors)
        if pooling == "none":
            outputs = {"token_embeddings": vectors}  # of texts alone: [B, T, D]
        else:
            outputs = {"embeddings": GatherRows(dtype="float32")(vectors, inputs["padding_mask"])}
        super().__init__(encoder, packer, inputs, outputs, name="sentence_embedder")
        self.pooling = pooling
        self.state_layers = layers
        self.combine = combine
        self.normalize = normalize
        self.problem = problem
        self.label_range = label_range
        self.dimensions = dimensions

    def cut(self, dimensions: int) -> SentenceEmbedder:
        """The same task, whose vectors are the first dimensions of this one's."""
        check_alone(self)
        own = {**self.settings()["keras_bert"], "dimensions": dimensions}
        return self.from_settings(self.encoder, self.tokenizer, {"keras_bert": own})

    def check_settings(self) -> None:
        super().check_settings()
        _check_arguments(
            self.encoder, self.state_layers, self.combine, self.problem, self.label_range
        )

    @classmethod
    def read(
        cls,
        files: ExampleFiles,
        labelled: bool = True,
        *,
        text_keys: Sequence[str] | None = None,
        label_key: str | None = None,
    ) -> list[Row]:
        """As of every task, but pairs may have no number: a text, its positive and its negative.

        Args:
            files: ExampleFiles.
            labelled: bool, whether something is to be learned or compared; else `text` is read.
            text_keys: sequence of str, two columns; without `label_key` perhaps three.
            label_key: str, the column with the number; None has pairs without one, where
                `text_keys` are given.
        """
        names, rows = cls.COLUMNS, files.rows()
        if not labelled:
            names, text_keys = cls._others(_PAIRS[:1]), text_keys and text_keys[:1]
        elif text_keys and label_key is None:
            names = cls._others(_PAIRS[: max(2, len(text_keys))])
            tell_unread(rows)
        return names.renamed(rows, name_of(cls), labelled, text_keys, label_key)

    @classmethod
    def _others(cls, texts: tuple[str, ...]) -> ColumnNames:
        """Some texts alone; other columns that have the task's names are the user's."""
        return ColumnNames(texts, None, (*_TEXTS, "label"))

    @classmethod
    def from_examples(cls, start: Start, examples: Sequence[Row]) -> SentenceEmbedder:
        """As of every task; numbers are learned where there are some, from the least to the most.

        Raises:
            ValueError: a number is none.
        """
        encoder, packer = start.encoder, start.packer
        if not any("label" in example for example in examples):
            return cls(encoder, packer, problem="in_batch_negatives")
        return cls(encoder, packer, problem="cosine_regression", label_range=range_of(examples))

    @property
    def example_spec(self) -> dict[str, tf.TensorSpec]:
        return {"text": tf.TensorSpec([None], tf.string, name="text")}

    @property
    def label_column(self) -> str:
        return "label" if self.problem == "cosine_regression" else "positive"

    @property
    def learned_columns(self) -> tuple[str, ...]:
        return ("text", "second", "label") if self.problem == "cosine_regression" else _PAIRS

    def embed(
        self,
        texts: Sequence[str] | Sequence[Example] | str,
        *,
        batch_size: int = ANSWER_BATCH,
        progress: bool | None = None,
    ) -> np.ndarray:
        """The vectors of texts, as `search` takes them.

        Args:
            texts: sequence of str, or one alone; or what a call takes for them.
            batch_size: int, texts of about the same length that are embedded at a time.
            progress: bool, whether to show a bar: see `with_bar`.

        Returns:
            float32 [N, D], in the given order, or [D] of one alone.
        """
        self._check_pooled()
        examples, is_one = self._asked(texts)
        vectors = np.empty([len(examples), self.output["embeddings"].shape[-1]], "float32")
        for indices, answers in self.answer_batches(examples, batch_size, progress):
            vectors[indices] = answers["embedding"]
        return vectors[0] if is_one else vectors

    def tokenized(self, examples: Mapping[str, tf.Tensor]) -> dict[str, tf.RaggedTensor]:
        """The pieces of `text` and what goes with it in training, ragged int32 [B, (pieces)]."""
        return {key: self.tokenizer.tokenize(examples[key]) for key in _TEXTS if key in examples}

    def packed(self, pieces: Mapping[str, tf.RaggedTensor]) -> dict[str, tf.Tensor]:
        """Pieces to rows.

        Returns:
            dict of int32 `token_ids`, `segment_ids`, `padding_mask` [B, R, T]: a row for each of R
            texts.
        """
        packed = [self.packer(ids) for ids in pieces.values()]
        return self.trimmed(
            {name: tf.stack([rows[name] for rows in packed], axis=1) for name in packed[0]}
        )

    def num_tokens(self, pieces: Mapping[str, tf.RaggedTensor]) -> tf.Tensor:
        lengths = [ids.row_lengths() for ids in pieces.values()]
        return self.packer.length_of(tf.reduce_max(tf.stack(lengths), axis=0))

    def target_columns(self, examples: Sequence[Example]) -> dict[str, Any]:
        self._check_pooled()
        text = tf.TensorSpec([None], tf.string)
        if self.problem == "cosine_regression":
            labels = tf.constant([cosine_of(example, self.label_range) for example in examples])
            return {**text_columns(examples, {"second": text}), "label": labels}
        has_negatives = any(example.get("negative") is not None for example in examples)
        keys = ("positive", "negative") if has_negatives else ("positive",)
        return text_columns(examples, dict.fromkeys(keys, text))

    def targets(self, columns, features):
        # Which text is the right one is known without a label.
        labels = columns.get("label", tf.zeros_like(columns["weight"]))
        return {"embeddings": labels}, {"embeddings": columns["weight"]}

    def objective(
        self, scale: float = 20.0, *, matryoshka: Sequence[int] | None = None
    ) -> dict[str, Any]:
        """Losses and metrics, as keyword arguments of `compile`.

        Negatives are those of a micro-batch, or else of the whole batch, that of all replicas:
        their number is part of the loss. On several replicas a batch is computed at once.

        Args:
            scale: float, by which cosines are multiplied to be logits of in-batch negatives.
            matryoshka: sequence of int, to how many dimensions vectors may be cut afterwards.
        """
        self._check_pooled()
        loss: Any = contrastive.InBatchNegatives(scale)
        metrics = {"embeddings": [contrastive.InBatchAccuracy()]}
        if self.problem == "cosine_regression":
            loss, metrics = contrastive.CosineError(), {}
        if matryoshka:
            contrastive.check_cuts(matryoshka, self.output["embeddings"].shape[-1])
            loss = contrastive.Matryoshka(loss, matryoshka)
        return {"loss": {"embeddings": loss}, "weighted_metrics": metrics}

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

    def scores(self, examples: Sequence[Example], answers: Answers) -> dict[str, float]:
        """How good answers are; the texts that go with those answered are embedded here.

        Returns:
            For in-batch negatives `accuracy@1`, `recall@10` and `mrr`, by an example's positive
            among all that differ. For cosines `spearman` and `pearson` with the labels.
        """
        examples = self.as_examples(examples)
        vectors = unit(column(answers, "embedding").astype("float32"))
        columns = {name: np.asarray(c) for name, c in self.target_columns(examples).items()}
        if self.problem == "cosine_regression":
            seconds = unit(self.embed(columns["second"].tolist(), progress=False))
            cosines = (vectors * seconds).sum(axis=1)
            return {
                "spearman": metrics.spearman_correlation(columns["label"], cosines),
                "pearson": metrics.pearson_correlation(columns["label"], cosines),
            }
        texts = np.concatenate(list(columns.values()))
        different, positions = np.unique(texts, return_inverse=True)
        candidates = unit(self.embed(different.tolist(), progress=False))
        ranks = ranks_among(vectors, candidates, positions[: len(vectors)])
        return {
            "accuracy@1": metrics.recall_at_k(ranks, 1),
            "recall@10": metrics.recall_at_k(ranks, 10),
            "mrr": metrics.mean_reciprocal_rank(ranks),
        }

    def scored(
        self, examples: Sequence[Example], batches: AnswerBatches | None = None
    ) -> dict[str, float]:
        """As in every task, from the vectors as they are."""
        self._check_pooled()
        vectors = self.answer_column(self.as_examples(examples), "embedding", batches)
        return self.scores(examples, {"embedding": vectors})

    def settings(self) -> dict[str, Any]:
        return {
            "keras_bert": {
                "pooling": self.pooling,
                "layers": list(self.state_layers),
                "combine": self.combine,
                "normalize": self.normalize,
                "problem": self.problem,
                "label_range": list(self.label_range),
                **({} if self.dimensions is None else {"dimensions": self.dimensions}),
                "sequence_length": self.packer.sequence_length,
            },
        }

    @classmethod
    def from_settings(
        cls,
        encoder: Encoder,
        tokenizer: SubwordTokenizer,
        settings: Mapping[str, Any],
        initializer=None,
    ) -> SentenceEmbedder:
        own = settings.get("keras_bert", {})
        return cls(
            encoder,
            packer_of(encoder, tokenizer, own),
            pooling=own.get("pooling", "mean"),
            layers=own.get("layers", (-1,)),
            combine=own.get("combine", "concatenate"),
            normalize=own.get("normalize", True),
            problem=own.get("problem", "in_batch_negatives"),
            label_range=own.get("label_range", (0.0, 1.0)),
            dimensions=own.get("dimensions"),
        )

    def _check_pooled(self) -> None:
        if self.pooling == "none":
            raise ValueError(
                'A text must have one vector to be compared, but with pooling="none" it has as '
                "many as tokens: choose another pooling."
            )


def _check_arguments(encoder: Encoder, layers, combine, problem, label_range) -> None:
    if problem not in PROBLEMS:
        raise ValueError(f"problem must be one of {PROBLEMS}, not {problem!r}.")
    if combine not in COMBINATIONS:
        raise ValueError(f"combine must be one of {COMBINATIONS}, not {combine!r}.")
    check_layers(encoder, layers)
    check_range(label_range)

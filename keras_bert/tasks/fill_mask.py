"""FillMask: what a masked language model puts in place of [MASK]."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_bert.data.rows import Row
from keras_bert.metrics import LabelAccuracy
from keras_bert.models.encoder import Encoder
from keras_bert.models.pretrainer import BertPretrainer
from keras_bert.tasks.batches import made_of_all
from keras_bert.tasks.columns import ColumnNames
from keras_bert.tasks.examples import Example, missing_column, plain, source_of
from keras_bert.tasks.hooks import Start
from keras_bert.tasks.members import check_alone
from keras_bert.tasks.setting import Setting, packer_of
from keras_bert.tasks.task import Task
from keras_bert.text.packing import Packer
from keras_bert.text.subwords import SubwordTokenizer


class FillMask(Task):
    """Fills the blanks of texts with a pretrained masked language model.

    An example has a `text` with one or more [MASK] in it, and, to learn from, its `answers`: a list
    with the piece for each of them, or a string of them with blanks between.

    Args:
        pretrainer: BertPretrainer, such as the `model` of a loaded checkpoint; or a FillMask, whose
            pretrainer is taken.
        packer: Packer with the checkpoint's tokenizer.
        top_k: int, number of candidates for a blank.

    Raises:
        ValueError: `top_k` is not between 1 and the size of the vocabulary, or there is no masked
            language model.

    Example:

    >>> import keras_bert as kb
    >>> tokenizer = kb.Tokenizer(("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "fine", "film"))
    >>> config = kb.BertConfig(
    ...     vocabulary_size=7, num_layers=2, num_heads=3, hidden_dim=15, intermediate_dim=31
    ... )
    >>> task = kb.FillMask(
    ...     kb.BertPretrainer(kb.BertEncoder(config)), kb.Packer(tokenizer), top_k=3
    ... )
    >>> [blanks] = task(["a fine [MASK]"])
    >>> len(blanks), len(blanks[0])
    (1, 3)
    """

    # Of a pretrainer with a sentence objective transformers opens the other head as well.
    USES_POOLER = False
    # A number for each piece of the vocabulary is too much to keep of every blank.
    IS_TAUGHT = False
    # Each tokenizer has pieces of its own.
    ANSWER_ROWS = None
    COLUMNS = ColumnNames(("text",), "answers")

    top_k = Setting()
    pretrainer: BertPretrainer

    def __init__(self, pretrainer: keras.Model | None, packer: Packer, top_k: int = 5):
        if isinstance(pretrainer, FillMask):
            pretrainer = pretrainer.pretrainer
        model = _checked_pretrainer(pretrainer)
        _check_top_k(top_k, packer.tokenizer.vocabulary_size)
        inputs = model.new_inputs()
        outputs = {"masked_lm": model(inputs)["masked_lm"]}
        super().__init__(model.encoder, packer, inputs, outputs, name="fill_mask")
        self.pretrainer = model
        self.top_k = top_k

    @property
    def sentence_objective(self) -> str | None:
        """What the pretrainer says of two segments, besides."""
        return self.pretrainer.sentence_objective

    def check_settings(self) -> None:
        super().check_settings()
        _check_top_k(self.top_k, self.tokenizer.vocabulary_size)

    @property
    def idle_layers(self) -> Sequence[keras.layers.Layer]:
        """What stands on [CLS]: blanks train neither the pooler nor a head of sentences."""
        objective = self.pretrainer.sentence_objective
        heads = (self.pretrainer.get_layer(objective),) if objective else ()
        return (*self.encoder.pooling_layers, *heads)

    def on(self, encoder: Encoder) -> FillMask:
        """The same task, with a pretrainer of its own, on another encoder."""
        check_alone(self)
        return FillMask(self.pretrainer.on(encoder), self.packer, self.top_k)

    @classmethod
    def from_examples(cls, start: Start, examples: Sequence[Row]) -> FillMask:
        return cls(start.model or start.encoder, start.packer)

    @classmethod
    def new_model(cls, encoder: Encoder) -> keras.Model:
        """Blanks are filled by the head of pretraining; every other task brings its own."""
        return BertPretrainer(encoder, None)

    def lines_of(self, answer: Any) -> list[str]:
        """The candidates for each blank on a line."""
        return [
            f"{self.mask} {number}: " + ", ".join(f"{piece} {p:.1%}" for piece, p in candidates)
            for number, candidates in enumerate(answer, 1)
        ]

    @property
    def mask(self) -> str:
        """What a blank is written as."""
        return self.tokenizer.mask_token

    @property
    def example_spec(self) -> dict[str, tf.TensorSpec]:
        return {"text": tf.TensorSpec([None], tf.string)}

    def _check_blanks(self, examples: Sequence[Example], pieces: Mapping[str, tf.Tensor]) -> None:
        is_blank = pieces["text"][:, : self.packer.room()] == self.tokenizer.special.mask
        numbers = tf.reduce_sum(tf.cast(is_blank, tf.int32), axis=1).numpy().tolist()
        for example, number in zip(examples, numbers, strict=True):
            wanted = _text_of(example).count(self.mask)
            if not 0 < number == wanted:
                raise ValueError(
                    f"{source_of(example)}: a text must hold {self.mask} within the first pieces "
                    f"that the model reads (sequence_length={self.packer.sequence_length}), but "
                    f"{number} of its {wanted} were found: write {self.mask} where a piece is "
                    "missing, or shorten the text."
                )

    def input_columns(self, examples: Sequence[Example]) -> dict[str, tf.Tensor | tf.RaggedTensor]:
        """As of every task; each blank must be where the model reads it."""
        columns = super().input_columns(examples)
        self._check_blanks(examples, made_of_all(self.tokenized, columns, len(examples)))
        return columns

    def tokenized(self, examples: Mapping[str, tf.Tensor]) -> dict[str, tf.RaggedTensor]:
        """The pieces of `text`, ragged int32 [B, (pieces)], blanks among them."""
        return {"text": self.tokenizer.tokenize(examples["text"], special_tokens=(self.mask,))}

    def packed(self, pieces: Mapping[str, tf.RaggedTensor]) -> dict[str, tf.Tensor]:
        """Pieces to rows.

        Returns:
            dict of int32 `token_ids`, `segment_ids`, `padding_mask` [B, T], `mask_positions`
            [B, P], and float32 `mask_weights` [B, P], 1 where there is a blank.
        """
        packed = self.trimmed(self.packer(pieces["text"]))
        is_blank = packed["token_ids"] == self.tokenizer.special.mask
        all_positions = tf.broadcast_to(tf.range(tf.shape(is_blank)[1]), tf.shape(is_blank))
        positions = tf.ragged.boolean_mask(all_positions, is_blank)
        return {
            **packed,
            "mask_positions": positions.to_tensor(),
            "mask_weights": tf.ones_like(positions, tf.float32).to_tensor(),
        }

    def num_tokens(self, pieces: Mapping[str, tf.RaggedTensor]) -> tf.Tensor:
        return self.packer.length_of(pieces["text"].row_lengths())

    def target_columns(self, examples: Sequence[Example]) -> dict[str, Any]:
        id_of = {piece: id_ for id_, piece in enumerate(self.tokenizer.vocabulary)}
        ids = [[id_of[piece] for piece in self._pieces_of(example, id_of)] for example in examples]
        return {"answers": tf.ragged.constant(ids, tf.int32, ragged_rank=1)}

    def targets(self, columns, features):
        weights = features["mask_weights"] * columns["weight"][:, None]
        ids = columns["answers"].to_tensor(shape=tf.shape(weights))
        return {"masked_lm": tf.ensure_shape(ids, [None, None])}, {"masked_lm": weights}

    def objective(self) -> dict[str, Any]:
        """Losses and metrics, as keyword arguments of `compile`: those of pretraining."""
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction="sum")
        return {"loss": {"masked_lm": loss}, "weighted_metrics": {"masked_lm": [LabelAccuracy()]}}

    def answers(self, outputs, features) -> dict[str, tf.Tensor]:
        """Candidates for every blank.

        Args:
            outputs: dict of `masked_lm` float [B, P, V], logits.
            features: dict with `mask_weights` float [B, P].

        Returns:
            dict of `pieces` string [B, P, K] and their `probabilities` float32 [B, P, K], the
            likeliest first, and `num_blanks` int32 [B]; what stands behind the last blank of a row
            is to be ignored.
        """
        # A model may have more rows of embeddings than the vocabulary has pieces.
        logits = outputs["masked_lm"][..., : self.tokenizer.vocabulary_size]
        best = tf.math.top_k(tf.nn.softmax(tf.cast(logits, tf.float32)), self.top_k)
        return {
            "pieces": self.tokenizer.tokens(best.indices),
            "probabilities": best.values,
            "num_blanks": tf.cast(tf.reduce_sum(features["mask_weights"], axis=1), tf.int32),
        }

    def as_python(self, answer: dict[str, Any]) -> list[list[tuple[str, float]]]:
        """For each blank `top_k` pairs of a piece and its probability, the likeliest first."""
        blanks = zip(answer["pieces"], answer["probabilities"], strict=True)
        return [list(zip(*blank, strict=True)) for blank in blanks][: answer["num_blanks"]]

    @property
    def score_names(self) -> tuple[str, ...]:
        return ("accuracy", f"accuracy_at_{self.top_k}")

    def scores(self, examples: Sequence[Example], answers: Sequence[Any]) -> dict[str, float]:
        """How often the likeliest piece, and one of the `top_k`, is the answer."""
        examples = self.as_examples(examples)
        vocabulary = frozenset(self.tokenizer.vocabulary)
        hits = np.array(
            [
                [piece == true for piece, _ in candidates]
                for example, blanks in zip(examples, answers, strict=True)
                for true, candidates in zip(
                    self._pieces_of(example, vocabulary), blanks, strict=True
                )
            ]
        )
        return {
            "accuracy": float(hits[:, 0].mean()),
            f"accuracy_at_{self.top_k}": float(hits.any(axis=1).mean()),
        }

    def settings(self) -> dict[str, Any]:
        length = self.packer.sequence_length
        return {"keras_bert": {"sequence_length": length, "top_k": self.top_k}}

    @classmethod
    def from_settings(
        cls,
        encoder: Encoder,
        tokenizer: SubwordTokenizer,
        settings: Mapping[str, Any],
        initializer=None,
        *,
        pretrainer: BertPretrainer | None = None,
    ) -> FillMask:
        """As of every task; with the pretrainer whose weights are known, if there is one."""
        own = settings.get("keras_bert", {})
        pretrainer = pretrainer or BertPretrainer(encoder, None, initializer)
        return cls(pretrainer, packer_of(encoder, tokenizer, own), own.get("top_k", 5))

    def _pieces_of(self, example: Example, vocabulary: Container[str]) -> list[str]:
        """The piece for each blank of an example."""
        answers, number = self._answers_of(example), _text_of(example).count(self.mask)
        if len(answers) != number:
            raise ValueError(
                f"{source_of(example)}: answers must have a piece for each of the {number} "
                f"{self.mask}, but {answers!r:.100} has {len(answers)}: correct it."
            )
        return [self._piece(answer, example, vocabulary) for answer in answers]

    def _piece(self, answer: str, example: Example, vocabulary: Container[str]) -> str:
        if answer in vocabulary:
            return answer
        ids = self.tokenizer.tokenize(tf.constant([answer]))[0].numpy().tolist()
        if len(ids) != 1 or ids[0] == self.tokenizer.special.unknown:
            raise ValueError(
                f"{source_of(example)}: an answer must be one piece of the vocabulary, but "
                f"{answer!r} is none: write a {self.mask} for each of its pieces."
            )
        return self.tokenizer.vocabulary[ids[0]]

    def _answers_of(self, example: Example) -> list[str]:
        if "answers" not in example:
            raise ValueError(missing_column(example, "answers"))
        answers = plain(example["answers"])
        answers = answers.split() if isinstance(answers, str) else answers
        is_list = isinstance(answers, list | tuple)
        if not is_list or not all(isinstance(answer, str) for answer in answers):
            raise ValueError(
                f"{source_of(example)}: answers must be a list with a piece for each {self.mask}, "
                f"or a text of them with blanks between, but is {answers!r:.100}: correct it."
            )
        return list(answers)


def _text_of(example: Example) -> str:
    if "text" not in example:
        raise ValueError(missing_column(example, "text"))
    text = plain(example["text"])
    return text.decode("utf-8", "ignore") if isinstance(text, bytes) else str(text)


def _checked_pretrainer(model: keras.Model | None) -> BertPretrainer:
    if isinstance(model, BertPretrainer):
        return model
    kind = "none" if model is None else f"a {type(model).__name__}"
    raise ValueError(
        "Blanks are filled by a masked language model, a BertPretrainer, but there is "
        f"{kind}: take a checkpoint that was saved with its pretraining heads, not an encoder or "
        "another task's."
    )


def _check_top_k(top_k: int, vocabulary_size: int) -> None:
    if not isinstance(top_k, int) or not 1 <= top_k <= vocabulary_size:
        raise ValueError(
            f"top_k must lie between 1 and the {vocabulary_size} pieces of the vocabulary, "
            f"not {top_k}."
        )

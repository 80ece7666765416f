"""FillMask: what a masked language model puts in place of [MASK]."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_bert.models.encoder import BertEncoder
from keras_bert.models.pretrainer import BertPretrainer
from keras_bert.tasks.examples import Example, missing_column, plain, source_of
from keras_bert.tasks.setting import Setting
from keras_bert.tasks.task import Task, packer_of
from keras_bert.text.packing import Packer

MASK = "[MASK]"


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
    ARCHITECTURE = "BertForMaskedLM"
    USES_POOLER = False

    top_k = Setting()

    def __init__(
        self,
        pretrainer: BertPretrainer | FillMask,
        packer: Packer,
        top_k: int = 5,
        name: str = "fill_mask",
    ):
        pretrainer = getattr(pretrainer, "pretrainer", pretrainer)
        _check_arguments(pretrainer, packer.tokenizer.vocabulary_size, top_k)
        inputs = pretrainer.new_inputs()
        outputs = {"masked_lm": pretrainer(inputs)["masked_lm"]}
        super().__init__(pretrainer.encoder, packer, inputs, outputs, name=name)
        self.pretrainer = pretrainer
        self.top_k = top_k

    @property
    def sentence_objective(self) -> str | None:
        """What the pretrainer says of two segments, besides."""
        return self.pretrainer.sentence_objective

    def check_settings(self) -> None:
        super().check_settings()
        _check_arguments(self.pretrainer, self.tokenizer.vocabulary_size, self.top_k)

    @property
    def idle_layers(self) -> Sequence[keras.layers.Layer]:
        """What stands on [CLS]: blanks train neither the pooler nor a head of sentences."""
        objective = self.pretrainer.sentence_objective
        heads = (self.pretrainer.get_layer(objective),) if objective else ()
        return (self.encoder.pooler, *heads)

    def on(self, encoder: BertEncoder) -> FillMask:
        """The same task, with a pretrainer of its own, on another encoder."""
        return FillMask(self.pretrainer.on(encoder), self.packer, self.top_k, name=self.name)

    @property
    def example_spec(self) -> dict[str, tf.TensorSpec]:
        return {"text": tf.TensorSpec([None], tf.string)}

    def input_columns(self, examples: Sequence[Example]) -> dict[str, tf.Tensor]:
        """As in every task; each [MASK] must be where the model reads it."""
        columns = super().input_columns(examples)
        for example, number in zip(examples, self._num_blanks(columns["text"]), strict=True):
            wanted = _text_of(example).count(MASK)
            if not 0 < number == wanted:
                raise ValueError(
                    f"{source_of(example)}: a text must hold {MASK} within the first pieces that "
                    f"the model reads (sequence_length={self.packer.sequence_length}), but "
                    f"{int(number)} of its {wanted} were found: write {MASK} where a piece is "
                    "missing, or shorten the text."
                )
        return columns

    def _num_blanks(self, texts: tf.Tensor) -> list[int]:
        """How many blanks of each text the model reads."""
        room, numbers = self.packer.sequence_length - 2, []
        for first in range(0, len(texts), 1024):
            ids = self.tokenizer.tokenize(texts[first : first + 1024], special_tokens=(MASK,))
            is_blank = tf.cast(ids[:, :room] == self.tokenizer.mask_id, tf.int32)
            numbers += tf.reduce_sum(is_blank, axis=1).numpy().tolist()
        return numbers

    def features(self, examples: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Strings to ids.

        Args:
            examples: dict of `text` string [B].

        Returns:
            dict of int32 `token_ids`, `segment_ids`, `padding_mask` [B, T], `mask_positions`
            [B, P], and float32 `mask_weights` [B, P], 1 where there is a blank.
        """
        ids = self.tokenizer.tokenize(examples["text"], special_tokens=(MASK,))
        packed = self.trimmed(self.packer(ids))
        is_blank = packed["token_ids"] == self.tokenizer.mask_id
        places = tf.broadcast_to(tf.range(tf.shape(is_blank)[1]), tf.shape(is_blank))
        positions = tf.ragged.boolean_mask(places, is_blank)
        return {
            **packed,
            "mask_positions": positions.to_tensor(),
            "mask_weights": tf.ones_like(positions, tf.float32).to_tensor(),
        }

    def num_tokens(self, columns: Mapping[str, tf.Tensor]) -> tf.Tensor:
        ids = self.tokenizer.tokenize(columns["text"], special_tokens=(MASK,))
        return ids.row_lengths() + 2

    def target_columns(self, examples: Sequence[Example]) -> dict[str, Any]:
        id_of = {piece: id_ for id_, piece in enumerate(self.tokenizer.vocabulary)}
        ids = [[id_of[piece] for piece in self._pieces_of(example, id_of)] for example in examples]
        return {"answers": tf.ragged.constant(ids, tf.int32, ragged_rank=1)}

    def targets(self, columns, features):
        weights = features["mask_weights"] * columns["weight"][:, None]
        ids = columns["answers"].to_tensor(shape=tf.shape(weights))
        return {"masked_lm": tf.ensure_shape(ids, [None, None])}, {"masked_lm": weights}

    def objective(self) -> dict:
        """Losses and metrics, as keyword arguments of `compile`: those of pretraining."""
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction="sum")
        accuracy = keras.metrics.SparseCategoricalAccuracy(name="accuracy")
        return {"loss": {"masked_lm": loss}, "weighted_metrics": {"masked_lm": [accuracy]}}

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

    def scores(self, examples, answers) -> dict[str, float]:
        """How often the likeliest piece, and one of the `top_k`, is the answer."""
        examples = self.as_examples(examples)
        vocabulary = frozenset(self.tokenizer.vocabulary)
        hits = [
            [piece == answer for piece, _ in candidates]
            for example, blanks in zip(examples, answers, strict=True)
            for answer, candidates in zip(self._pieces_of(example, vocabulary), blanks, strict=True)
        ]
        hits = np.array(hits)
        return {
            "accuracy": float(hits[:, 0].mean()),
            f"accuracy_at_{self.top_k}": float(hits.any(axis=1).mean()),
        }

    def settings(self) -> dict[str, Any]:
        length = self.packer.sequence_length
        return {"keras_bert": {"sequence_length": length, "top_k": self.top_k}}

    @classmethod
    def from_settings(
        cls, encoder, tokenizer, settings, initializer=None, *, pretrainer=None
    ) -> FillMask:
        """As of every task; with the pretrainer whose weights are known, if there is one."""
        own = settings.get("keras_bert", {})
        pretrainer = pretrainer or BertPretrainer(encoder, None, initializer)
        return cls(pretrainer, packer_of(encoder, tokenizer, own), own.get("top_k", 5))

    def _pieces_of(self, example: Example, vocabulary: Container[str]) -> list[str]:
        """The piece for each blank of an example."""
        answers, number = _answers_of(example), _text_of(example).count(MASK)
        if len(answers) != number:
            raise ValueError(
                f"{source_of(example)}: answers must have a piece for each of the {number} {MASK}, "
                f"but {answers!r:.100} has {len(answers)}: correct it."
            )
        return [self._piece(answer, example, vocabulary) for answer in answers]

    def _piece(self, answer: str, example: Example, vocabulary: Container[str]) -> str:
        if answer in vocabulary:
            return answer
        ids = self.tokenizer.tokenize(tf.constant([answer]))[0].numpy().tolist()
        if len(ids) != 1 or ids[0] == self.tokenizer.unknown_id:
            raise ValueError(
                f"{source_of(example)}: an answer must be one piece of the vocabulary, but "
                f"{answer!r} is none: write a {MASK} for each of its pieces."
            )
        return self.tokenizer.vocabulary[ids[0]]


def _answers_of(example: Example) -> list[str]:
    if "answers" not in example:
        raise ValueError(missing_column(example, "answers"))
    answers = plain(example["answers"])
    answers = answers.split() if isinstance(answers, str) else answers
    is_list = isinstance(answers, list | tuple)
    if not is_list or not all(isinstance(answer, str) for answer in answers):
        raise ValueError(
            f"{source_of(example)}: answers must be a list with a piece for each {MASK}, or a text "
            f"of them with blanks between, but is {answers!r:.100}: correct it."
        )
    return list(answers)


def _text_of(example: Example) -> str:
    if "text" not in example:
        raise ValueError(missing_column(example, "text"))
    text = plain(example["text"])
    return text.decode("utf-8", "ignore") if isinstance(text, bytes) else str(text)


def _check_arguments(pretrainer: Any, vocabulary_size: int, top_k: int) -> None:
    if not isinstance(pretrainer, BertPretrainer):
        kind = "none" if pretrainer is None else f"a {type(pretrainer).__name__}"
        raise ValueError(
            "Blanks are filled by a masked language model, a BertPretrainer, but there is "
            f"{kind}: take a checkpoint that was saved with its pretraining heads, not an encoder "
            "or another task's."
        )
    if not isinstance(top_k, int) or not 1 <= top_k <= vocabulary_size:
        raise ValueError(
            f"top_k must lie between 1 and the {vocabulary_size} pieces of the vocabulary, "
            f"not {top_k}."
        )

"""QuestionAnswerer: where in a text the answer to a question stands, if it has one."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from absl import logging
from keras import ops

from keras_bert import metrics
from keras_bert.layers.heads import logits_policy
from keras_bert.models.encoder import BertEncoder, encoder_inputs
from keras_bert.tasks.examples import missing_column, plain, source_of
from keras_bert.tasks.labels import label_number
from keras_bert.tasks.setting import Setting
from keras_bert.tasks.task import (
    Example,
    Task,
    batches,
    head_initializer,
    outputs_in_parts,
    packer_of,
    taken,
)
from keras_bert.text.packing import Packer
from keras_bert.text.windows import Windows, windows

OUTPUTS = ("start_logits", "end_logits")

# What is said of each of the best answers, and the columns that say it.
_BEST = {
    "answer": "best_answers",
    "start": "best_starts",
    "end": "best_ends",
    "probability": "best_probabilities",
}
# The logit of a place that no answer may start or end at; a sum with it is below half of it.
_NEVER = -1e9
_CHINESE = re.compile(r"[\u3400-\u9fff]")
# Of so many examples at a time rows are made before training.
_MAKE_BATCH = 256


def _threshold(value: float | None) -> float | None:
    if value is not None and not np.isfinite(value):
        raise ValueError(
            f"no_answer_threshold must be a finite number or None, but is {value!r}: choose 0.0, "
            "or the one that is best for development data."
        )
    return None if value is None else float(value)


class QuestionAnswerer(Task):
    """Start and end of the answer from the last hidden states (Devlin et al. 2018, 4.2 and 4.3).

    A context is read in rows `[CLS] question [SEP] pieces of the context [SEP]`, of which every one
    begins `stride` pieces after the one before, and answered from all of them, as in `run_squad.py`
    of google-research/bert. Answers are cut from the original text.

    An example has a `question` and a `context`; to learn from, its `answers`, of which the first is
    learned, and the characters of the context where they start, `answer_starts`; or `impossible`,
    True where the context does not answer the question.

    Args:
        encoder: BertEncoder.
        packer: Packer; a row has its `sequence_length` at most.
        stride: int, pieces between the beginnings of two rows; None is 128, or a third of a row
            that is shorter than 384.
        max_question_tokens: int; what a question has more is cut.
        max_answer_tokens: int, how many pieces an answer has at most.
        num_best: int, K, among how many answers to choose.
        no_answer_threshold: float; where no answer scores so much higher than the best one, nothing
            is answered. None: every question has an answer (SQuAD 1.1). `scores` finds the best one
            for development data, `best_f1_thresh`, to be set then.
        initializer: initializer of the head; None is a normal one, as in transformers.

    Raises:
        ValueError: an argument is out of its range.

    Example:

    >>> import keras_bert as kb
    >>> words = ("who", "is", "she", "he", "ann", "bob")
    >>> tokenizer = kb.Tokenizer(("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *words))
    >>> config = kb.BertConfig(
    ...     vocabulary_size=11, num_layers=1, num_heads=3, hidden_dim=15, intermediate_dim=31
    ... )
    >>> task = kb.QuestionAnswerer(
    ...     kb.BertEncoder(config), kb.Packer(tokenizer), max_answer_tokens=1
    ... )
    >>> task.compile(kb.AdamW(3e-3), **task.objective())
    >>> context = "She is Ann, he is Bob"
    >>> example = {"context": context, "answers": ["Ann"], "answer_starts": [7]}
    >>> example["question"] = "Who is she?"
    >>> _ = task.fit(task.dataset([example], batch_size=1, training=True).repeat(15), verbose=0)
    >>> task([("Who is she?", context)])[0]["answer"]
    'Ann'
    """

    ARCHITECTURE = "BertForQuestionAnswering"
    USES_POOLER = False

    stride = Setting()
    max_question_tokens = Setting()
    max_answer_tokens = Setting()
    num_best = Setting()
    no_answer_threshold = Setting(_threshold)

    def __init__(
        self,
        encoder: BertEncoder,
        packer: Packer,
        stride: int | None = None,
        max_question_tokens: int = 64,
        max_answer_tokens: int = 30,
        num_best: int = 20,
        no_answer_threshold: float | None = None,
        initializer=None,
        name: str = "question_answerer",
    ):
        inputs = encoder_inputs()
        # As in both references there is no dropout before this head.
        logits = keras.layers.Dense(
            2,
            kernel_initializer=head_initializer(encoder, initializer),
            dtype=logits_policy(),
            name="span",
        )(encoder(inputs)["sequence_output"])
        # Padding, which trimming leaves more or less of, has no part in the loss.
        is_token = inputs["padding_mask"] > 0
        outputs = {
            name: ops.where(is_token, logits[..., i], _NEVER) for i, name in enumerate(OUTPUTS)
        }
        super().__init__(encoder, packer, inputs, outputs, name=name)
        if stride is None:
            stride = min(128, packer.sequence_length // 3)
        _check_counts(stride, max_question_tokens, max_answer_tokens, num_best)
        _check_room(packer.sequence_length, stride)
        self.stride = stride
        self.max_question_tokens = max_question_tokens
        self.max_answer_tokens = max_answer_tokens
        self.num_best = num_best
        self.no_answer_threshold = no_answer_threshold

    def check_settings(self) -> None:
        super().check_settings()
        _check_counts(self.stride, self.max_question_tokens, self.max_answer_tokens, self.num_best)
        _check_room(self.packer.sequence_length, self.stride)

    @property
    def example_spec(self) -> dict[str, tf.TensorSpec]:
        return {key: tf.TensorSpec([None], tf.string, name=key) for key in ("question", "context")}

    def features(self, examples: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Strings to ids.

        Args:
            examples: dict of `question` and `context`, string [B].

        Returns:
            dict of int32 `token_ids`, `segment_ids`, `padding_mask` [W, T], W rows of the contexts,
            all of the first one first, and besides: int32 [W, T] `pieces`, which piece of the
            context stands at a place, or -1; `piece_starts` and `piece_ends`, its characters in the
            context; bool [W, T] `may_start`, whether the row has the most context around the piece;
            int32 [W] `rows_of`, the example that a row is of; and string [B] `context`.
        """
        _check_same_number(examples)
        # Offsets count the characters of what is UTF-8, and so does what cuts the answers.
        contexts = tf.strings.unicode_transcode(
            examples["context"], "UTF-8", "UTF-8", errors="ignore"
        )
        ids, starts, ends = self.tokenizer.tokenize_with_offsets(contexts)
        questions = self.tokenizer.tokenize(examples["question"])[:, : self._question_room()]
        found = windows(self.packer, ids, self.stride, questions)
        rows = {
            **found.rows,
            "pieces": found.pieces(),
            "piece_starts": _in_rows(starts, found),
            "piece_ends": _in_rows(ends, found),
            "may_start": found.has_most_context(),
        }
        return {**self.trimmed(rows), "rows_of": found.texts, "context": contexts}

    def num_tokens(self, columns: Mapping[str, tf.Tensor]) -> tf.Tensor:
        lengths = [self.tokenizer.tokenize(columns[key]).row_lengths() for key in self.example_spec]
        return tf.add_n(lengths) + 3

    def dataset(
        self,
        examples: Sequence[Example],
        batch_size: int,
        training: bool = False,
        seed: int = 0,
        sample_weight: Sequence[float] | None = None,
    ) -> tf.data.Dataset:
        """Batches for `fit` and `evaluate`, of rows: of a long context there are several.

        A row that does not hold the whole answer learns that there is none.

        Args:
            examples: sequence of dicts.
            batch_size: int, rows of a batch; the last one may have fewer.
            training: bool, whether to shuffle the rows, anew for every epoch.
            seed: int, of the order, together with `tf.random.set_seed`.
            sample_weight: sequence of float, one for each example, by which the losses of its rows
                count; None counts all alike.

        Returns:
            One epoch of (features, labels, weights).

        Raises:
            ValueError: as of `Task.dataset`.
        """
        examples = self.as_examples(examples)
        inputs, columns = self.training_columns(examples, batch_size, sample_weight)
        self._report_cut_questions(inputs["question"])
        rows, *targets = self._rows(inputs, columns)

        def batch(indices: tf.Tensor):
            shape = [None, self.packer.sequence_length]
            some = {name: tf.gather(values, indices) for name, values in rows.items()}
            padded = {
                "token_ids": some["token_ids"].to_tensor(self.tokenizer.pad_id, shape=shape),
                "segment_ids": some["segment_ids"].to_tensor(shape=shape),
                "padding_mask": tf.ones_like(some["token_ids"]).to_tensor(shape=shape),
            }
            inputs = self.model_inputs(self.trimmed(padded))
            return inputs, *keras.tree.map_structure(lambda x: tf.gather(x, indices), targets)

        return batches(batch, rows["token_ids"].nrows().numpy(), batch_size, training, seed)

    def target_columns(self, examples: Sequence[Example]) -> dict[str, Any]:
        spans = [self._span(example) for example in examples]
        return {
            "answer_start": tf.constant([start for start, _ in spans], tf.int32),
            "answer_end": tf.constant([end for _, end in spans], tf.int32),
        }

    def targets(self, columns, features):
        """The places of the first and the last piece of the answer; `[CLS]` where a row lacks one.

        Args:
            columns: dict with int32 [B] `answer_start` and `answer_end`, characters of the context,
                both 0 where there is no answer, and float32 [B] `weight`.
            features: what `features` made of the examples.
        """
        rows_of, pieces = features["rows_of"], features["pieces"]
        start, end = (
            tf.gather(columns[name], rows_of)[:, None] for name in ("answer_start", "answer_end")
        )
        inside = (features["piece_starts"] < end) & (features["piece_ends"] > start)
        first = tf.reduce_min(tf.where(inside, pieces, tf.int32.max), axis=1)
        last = tf.reduce_max(tf.where(inside, pieces, -1), axis=1)
        # A row may hold a part of the answer; all rows together hold every piece.
        num_examples = tf.size(columns["weight"])
        first_of_all = tf.math.unsorted_segment_min(first, rows_of, num_examples)
        last_of_all = tf.math.unsorted_segment_max(last, rows_of, num_examples)
        is_whole = (first == tf.gather(first_of_all, rows_of)) & (last >= 0)
        is_whole &= last == tf.gather(last_of_all, rows_of)
        places = (_place_of(piece, pieces) for piece in (first, last))
        labels = [tf.where(is_whole, place, 0) for place in places]
        weights = tf.gather(columns["weight"], rows_of)
        return dict(zip(OUTPUTS, labels, strict=True)), dict.fromkeys(OUTPUTS, weights)

    def objective(self) -> dict:
        """Losses and metrics, as keyword arguments of `compile`.

        The mean of the cross-entropies of start and end over the places of a row.
        """
        loss = keras.losses.SparseCategoricalCrossentropy
        accuracy = keras.metrics.SparseCategoricalAccuracy
        return {
            "loss": {name: loss(from_logits=True, reduction="sum") for name in OUTPUTS},
            "loss_weights": dict.fromkeys(OUTPUTS, 0.5),
            "weighted_metrics": {name: [accuracy(name="accuracy")] for name in OUTPUTS},
        }

    def outputs_of(self, features: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """The model's outputs, float32 [W, T]: long contexts have many rows, so some at a time."""
        return outputs_in_parts(self, self.model_inputs(features))

    def answers(self, outputs, features) -> dict[str, tf.Tensor]:
        """The best answers of all rows of an example.

        The score of an answer is the sum of the logits of its first and its last piece. It starts
        in the row that has most context around its first piece. The score of no answer is that of
        `[CLS]`, the lowest of all rows.

        Args:
            outputs: dict of `start_logits` and `end_logits`, float [W, T].
            features: what `features` made of the examples.

        Returns:
            dict of `answer` string [B], "" for none; its `start` and `end`, int32 [B], characters
            of the context; its `score` and its `probability` among the K best and, where there may
            be none, no answer, float32 [B]; `no_answer_score` float32 [B], how much higher no
            answer scores than the best one, 1e9 where the context has no piece; and of the K best
            ones `best_answers`, `best_starts`, `best_ends`, `best_probabilities` [B, K], filled up
            with "" and 0.
        """
        start_logits, end_logits = (tf.cast(outputs[name], tf.float32) for name in OUTPUTS)
        context, rows_of = features["context"], features["rows_of"]
        none = start_logits[:, 0] + end_logits[:, 0]
        none = tf.math.unsorted_segment_min(none, rows_of, tf.size(context))
        scores, starts, ends = self._best(start_logits, end_logits, features)
        texts = tf.strings.substr(context[:, None], starts, ends - starts, unit="UTF8_CHAR")

        threshold = self.no_answer_threshold
        may_be_none = (ends[:, 0] == 0) if threshold is None else tf.ones_like(none, tf.bool)
        no_answer_score = none - scores[:, 0]
        is_none = may_be_none & (no_answer_score > (threshold or 0.0))
        with_none = tf.concat([scores, tf.where(may_be_none, none, _NEVER)[:, None]], axis=1)
        probabilities = tf.nn.softmax(with_none)
        return {
            "answer": tf.where(is_none, "", texts[:, 0]),
            "start": tf.where(is_none, 0, starts[:, 0]),
            "end": tf.where(is_none, 0, ends[:, 0]),
            "score": tf.where(is_none, none, scores[:, 0]),
            "probability": tf.where(is_none, probabilities[:, -1], probabilities[:, 0]),
            "no_answer_score": no_answer_score,
            "best_answers": texts,
            "best_starts": starts,
            "best_ends": ends,
            "best_probabilities": probabilities[:, :-1],
        }

    def as_python(self, answer: dict[str, Any]) -> dict[str, Any]:
        """As `answers` says, but `best_answers` is a list of dict, of those that there are.

        Each has `answer`, `start`, `end` and `probability`.
        """
        columns = [answer.pop(name) for name in _BEST.values()]
        best = [dict(zip(_BEST, one, strict=True)) for one in zip(*columns, strict=True)]
        return {**answer, "best_answers": [one for one in best if one["answer"]]}

    @property
    def score_names(self) -> tuple[str, ...]:
        # What the scripts say besides depends on the data.
        best = () if self.no_answer_threshold is None else ("best_f1", "best_exact")
        return ("f1", "exact", *best)

    def scores(self, examples, answers) -> dict[str, float]:
        """How good answers are, by the field's scripts, from 0 to 100.

        Returns:
            `f1`, `exact` and what the script says besides: SQuAD 1.1's or 2.0's, with the best
            threshold of no answer where the task has one; or CMRC 2018's where every question has
            an answer, and half of them or more one with a Chinese character, since Chinese has no
            spaces between its words.
        """
        examples = self.as_examples(examples)
        golds = [[] if e.get("impossible") else _answers_of(e) for e in examples]
        said = [answer["answer"] for answer in answers]
        if _are_chinese(golds):
            found = metrics.cmrc_scores(said, golds)
        elif self.no_answer_threshold is None:
            found = metrics.squad_scores(said, golds)
        else:
            best = [[one["answer"] for one in answer["best_answers"]] or [""] for answer in answers]
            said = [texts[0] for texts in best]
            no_answer_scores = [answer["no_answer_score"] for answer in answers]
            found = metrics.squad_scores(said, golds, no_answer_scores, self.no_answer_threshold)
        return {"f1": found["f1"], **found}

    def settings(self) -> dict[str, Any]:
        return {
            "keras_bert": {
                "sequence_length": self.packer.sequence_length,
                "stride": self.stride,
                "max_question_tokens": self.max_question_tokens,
                "max_answer_tokens": self.max_answer_tokens,
                "num_best": self.num_best,
                "no_answer_threshold": self.no_answer_threshold,
            }
        }

    @classmethod
    def from_settings(cls, encoder, tokenizer, settings, initializer=None) -> QuestionAnswerer:
        own = settings.get("keras_bert", {})
        return cls(
            encoder,
            packer_of(encoder, tokenizer, own),
            own.get("stride"),
            own.get("max_question_tokens", 64),
            own.get("max_answer_tokens", 30),
            own.get("num_best", 20),
            own.get("no_answer_threshold"),
            initializer,
        )

    def _best(
        self, start_logits: tf.Tensor, end_logits: tf.Tensor, features: Mapping[str, tf.Tensor]
    ) -> tuple[tf.Tensor, ...]:
        """Scores of the K best answers, and the characters where they start and end, all [B, K].

        Where there are fewer, scores are below `_NEVER / 2`, starts and ends 0.
        """
        scores, *places = _best_in_rows(
            tf.where(features["may_start"], start_logits, _NEVER),
            tf.where(features["pieces"] >= 0, end_logits, _NEVER),
            self.num_best,
            self.max_answer_tokens,
        )
        of_example = tf.RaggedTensor.from_value_rowids(
            scores, features["rows_of"], tf.size(features["context"])
        )
        first_row = tf.cast(of_example.row_starts(), tf.int32)
        padded = of_example.to_tensor(_NEVER)  # [B, rows, k]
        num_examples, num_rows, k = tf.unstack(tf.shape(padded))
        padded = tf.reshape(padded, [num_examples, num_rows * k])
        padded = tf.pad(padded, [[0, 0], [0, self.num_best]], constant_values=_NEVER)
        scores, index = tf.math.top_k(padded, self.num_best)
        there = scores > _NEVER / 2
        # The rows of an example stand one after the other.
        index = tf.where(there, first_row[:, None] * k + index, 0)
        spans = [
            tf.where(there, tf.gather(tf.reshape(characters, [-1]), index), 0)
            for characters in (
                tf.gather(features[name], place, batch_dims=1)
                for name, place in zip(("piece_starts", "piece_ends"), places, strict=True)
            )
        ]
        return scores, *spans

    def _rows(
        self, inputs: Mapping[str, tf.Tensor], columns: Mapping[str, tf.Tensor]
    ) -> tuple[dict, dict, dict]:
        """All rows of all examples, without padding, and their labels and weights.

        Returns:
            dict of `token_ids` and `segment_ids`, ragged int32 [W, (places)]; dicts of [W].
        """

        def make(indices: tf.Tensor):
            features = self.features(taken(inputs, indices))
            there = features["padding_mask"] > 0
            flat = {n: tf.boolean_mask(features[n], there) for n in ("token_ids", "segment_ids")}
            lengths = tf.reduce_sum(features["padding_mask"], axis=1)
            rows_of = tf.gather(indices, features["rows_of"])
            return flat, lengths, rows_of, *self.targets(taken(columns, indices), features)

        num_examples = len(columns["weight"])
        parts = batches(make, num_examples, _MAKE_BATCH, training=False, seed=0)
        flat, lengths, rows_of, labels, weights = keras.tree.map_structure(
            lambda *some: tf.concat(some, axis=0), *parts.as_numpy_iterator()
        )
        with_answer = tf.boolean_mask(rows_of, labels["end_logits"] > 0)
        _report_rows(rows_of, with_answer, columns["answer_end"], self.packer.sequence_length)
        rows = {n: tf.RaggedTensor.from_row_lengths(values, lengths) for n, values in flat.items()}
        return rows, labels, weights

    def _question_room(self) -> int:
        """How many pieces of a question are read: the context needs room for a stride."""
        return min(self.max_question_tokens, self.packer.sequence_length - 3 - self.stride)

    def _report_cut_questions(self, questions: tf.Tensor) -> None:
        room = self._question_room()
        lengths = self.tokenizer.tokenize(questions).row_lengths().numpy()
        if (lengths > room).any():
            logging.warning(
                "%d of %d questions have more than %d pieces and are cut: choose longer rows or "
                "another max_question_tokens if what is lost matters.",
                *(np.count_nonzero(lengths > room), len(lengths), room),
            )

    def _span(self, example: Example) -> tuple[int, int]:
        """The characters of the context from and up to which the first answer goes."""
        if example.get("impossible"):
            if self.no_answer_threshold is None:
                raise ValueError(
                    f"{source_of(example)}: every question must have an answer as the task has no "
                    "no_answer_threshold, but this one has none: make the task with 0.0, say."
                )
            return 0, 0
        answers, starts = _answers_of(example), _starts_of(example)
        if len(starts) != len(answers) or not answers:
            raise ValueError(
                f"{source_of(example)}: there must be an answer and a start for every answer, but "
                f"there are {len(answers)} answers and {len(starts)} answer_starts: add them, or "
                "say that the question is impossible."
            )
        answer, start, context = answers[0], starts[0], example["context"]
        if isinstance(context, bytes):
            context = context.decode("utf-8", "ignore")
        if start < 0 or not context.startswith(answer, start):
            raise ValueError(
                f"{source_of(example)}: an answer must stand in the context where answer_starts "
                f"says, counted in characters from 0, but {answer!r} is not at {start}: correct it."
            )
        return start, start + len(answer)


def _in_rows(values: tf.RaggedTensor, found: Windows) -> tf.Tensor:
    """What is said of the pieces of texts [B, (pieces)], at their places in rows [W, T]; else 0."""
    pieces = found.pieces()
    first = tf.gather(tf.cast(values.row_starts(), tf.int32), found.texts)
    index = tf.where(pieces >= 0, first[:, None] + pieces, tf.size(values.flat_values))
    return tf.gather(tf.concat([values.flat_values, [0]], axis=0), index)


def _place_of(piece: tf.Tensor, pieces: tf.Tensor) -> tf.Tensor:
    """The place of a piece, given for every row [W], among `pieces` [W, T], int32 [W]."""
    return tf.argmax(pieces == piece[:, None], axis=1, output_type=tf.int32)


def _best_in_rows(
    starts: tf.Tensor, ends: tf.Tensor, num_best: int, max_tokens: int
) -> tuple[tf.Tensor, ...]:
    """The best pairs of a start and an end that is not before it, in every row.

    The start of any of the k best pairs is one of the k starts whose best pairs are best. So only
    their ends are looked at one by one.

    Args:
        starts: float32 [W, T], logits.
        ends: float32 [W, T], logits.
        num_best: int, how many pairs, if a row has as many places.
        max_tokens: int, how many places there are from start to end at most.

    Returns:
        Scores, float32, starts and ends, int32, all [W, k].
    """
    num_rows, length = tf.unstack(tf.shape(starts))
    k = tf.minimum(num_best, length)
    padded = tf.pad(ends, [[0, 0], [0, max_tokens - 1]], constant_values=_NEVER)
    best_end = tf.nn.max_pool1d(padded[:, :, None], max_tokens, 1, "VALID")[:, :, 0]
    first = tf.math.top_k(starts + best_end, k).indices
    last = first[:, :, None] + tf.range(max_tokens)  # [W, k, max_tokens]
    pairs = tf.gather(starts, first, batch_dims=1)[:, :, None]
    pairs += tf.gather(padded, last, batch_dims=1)
    scores, pair = tf.math.top_k(tf.reshape(pairs, [num_rows, k * max_tokens]), k)
    start = tf.gather(first, pair // max_tokens, batch_dims=1)
    # A pair that ends behind the row is none, but its place must be one.
    return scores, start, tf.minimum(start + pair % max_tokens, length - 1)


def _starts_of(example: Example) -> list[int]:
    starts = plain(example.get("answer_starts"))
    starts = list(starts) if isinstance(starts, list | tuple) else []
    numbers = list(map(label_number, starts))
    if None in numbers or not all(map(float.is_integer, numbers)):
        raise ValueError(
            f"{source_of(example)}: answer_starts must be whole numbers, characters of the context "
            f"from 0, but are {starts!r:.100}: correct them."
        )
    return list(map(int, numbers))


def _answers_of(example: Example) -> list[str]:
    if "answers" not in example:
        raise ValueError(missing_column(example, "answers"))
    answers = plain(example["answers"])
    is_list = isinstance(answers, list | tuple)
    if not is_list or not all(isinstance(answer, str) and answer for answer in answers):
        raise ValueError(
            f"{source_of(example)}: answers must be a list of texts that are not empty, but are "
            f"{answers!r:.100}: correct them, or say that the question is impossible."
        )
    return list(answers)


def _are_chinese(golds: Sequence[Sequence[str]]) -> bool:
    """Whether every question has answers, and half of them or more a Chinese one."""
    num_chinese = sum(any(map(_CHINESE.search, answers)) for answers in golds)
    return all(golds) and 2 * num_chinese >= len(golds)


def _report_rows(rows_of, with_answer, answer_ends, sequence_length: int) -> None:
    """Says how many contexts are long, and how many answers are in no row.

    Args:
        rows_of: int [W], the example of each row.
        with_answer: int [...], the example of each row that holds an answer.
        answer_ends: int [N], 0 for an example without an answer.
        sequence_length: int, of the rows.
    """
    num_rows = np.bincount(rows_of)
    if (num_rows > 1).any():
        logging.info(
            "%d of %d contexts are longer than a row of %d pieces and are read in several: there "
            "are %d rows in all.",
            *(np.count_nonzero(num_rows > 1), len(num_rows), sequence_length, len(rows_of)),
        )
    has_answer = np.flatnonzero(answer_ends)
    num_lost = len(np.setdiff1d(has_answer, with_answer))
    if num_lost:
        logging.warning(
            "%d of %d answers are whole in no row, or have no piece at all: their rows learn that "
            "there is no answer. Choose longer rows or a smaller stride if that matters.",
            *(num_lost, len(has_answer)),
        )


def _check_same_number(examples: Mapping[str, tf.Tensor]) -> None:
    tf.debugging.assert_equal(
        tf.shape(examples["question"]),
        tf.shape(examples["context"]),
        "There must be one context for every question: repeat it.",
    )


def _check_counts(stride, max_question_tokens, max_answer_tokens, num_best) -> None:
    for name, value in locals().items():
        if not isinstance(value, int) or value < 1:
            raise ValueError(f"{name} must be an int of at least 1, but is {value!r}: raise it.")


def _check_room(sequence_length: int, stride: int) -> None:
    room = sequence_length - 4
    if stride > room:
        raise ValueError(
            f"stride must be at most the {room} pieces that a row of {sequence_length} leaves to "
            f"the context beside a question, but is {stride}: choose a smaller one, or longer rows."
        )

"""QuestionAnswerer: where in a text the answer to a question stands, if it has one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf
from keras import ops

from keras_bert.data.examples.questions import questions
from keras_bert.data.rows import Row
from keras_bert.models.encoder import Encoder
from keras_bert.tasks.answer_kinds import Spans
from keras_bert.tasks.batches import batches, by_example, taken
from keras_bert.tasks.candidates import best_of, candidates_of, joined, with_best
from keras_bert.tasks.columns import ColumnNames, ExampleFiles
from keras_bert.tasks.examples import Example
from keras_bert.tasks.heads import head_initializer, logits_layer
from keras_bert.tasks.hooks import Breakdown, Start
from keras_bert.tasks.learning import Epochs
from keras_bert.tasks.questions import (
    check_counts,
    checked_threshold,
    in_one_form,
    in_pairs,
    question_breakdown,
    question_scores,
    report_cut_questions,
    report_rows,
    span_of,
)
from keras_bert.tasks.setting import Setting, packer_of, settings_of
from keras_bert.tasks.spans import NEVER, answers_in_text, in_rows, labels_in_rows
from keras_bert.tasks.task import Task
from keras_bert.text.packing import Packer
from keras_bert.text.subwords import SubwordTokenizer
from keras_bert.text.windows import windows

OUTPUTS = ("start_logits", "end_logits")

# Settings that are numbers of something, and all that are not made for the model.
_COUNTS = ("stride", "max_question_tokens", "max_answer_tokens", "num_best")
_OPTIONS = (*_COUNTS, "no_answer_threshold")
# Of so many examples at a time rows are made before training.
_MAKE_BATCH = 256


class QuestionAnswerer(Task):
    """Start and end of the answer from the last hidden states (Devlin et al. 2018, 4.2 and 4.3).

    A context is read in rows `[CLS] question [SEP] pieces of the context [SEP]`, of which every one
    begins `stride` pieces after the one before, and answered from all of them, as in `run_squad.py`
    of google-research/bert. Answers are cut from the original text.

    An example has a `question` and a `context`; to learn from, its `answers`, of which the first is
    learned, and the characters of the context where they start, `answer_starts`; or `impossible`,
    True where the context does not answer the question.

    Args:
        encoder: Encoder.
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

    USES_POOLER = False
    LABELS_TOKENS = True
    ONE_ROW_EACH = False
    ACTIVATION = "softmax"
    IS_POOLED_IN_ROWS = False  # probabilities are of whole answers
    ANSWER_ROWS = Spans
    IS_TAUGHT_BY_ROW = True
    COLUMNS = ColumnNames(("question", "context"), "answers", ("answer_starts", "impossible"))

    stride = Setting()
    max_question_tokens = Setting()
    max_answer_tokens = Setting()
    num_best = Setting()
    no_answer_threshold = Setting(checked_threshold)

    def __init__(
        self,
        encoder: Encoder,
        packer: Packer,
        *,
        stride: int | None = None,
        max_question_tokens: int = 64,
        max_answer_tokens: int = 30,
        num_best: int = 20,
        no_answer_threshold: float | None = None,
        initializer=None,
    ):
        inputs = encoder.new_inputs()
        # As in both references there is no dropout before this head.
        initializer = head_initializer(encoder, initializer)
        states = encoder.token_states(inputs)
        logits = logits_layer(encoder, 2, initializer, name="span")(states)
        # Padding, which trimming leaves more or less of, has no part in the loss.
        is_token = inputs["padding_mask"] > 0
        outputs = {
            name: ops.where(is_token, logits[..., i], NEVER) for i, name in enumerate(OUTPUTS)
        }
        super().__init__(encoder, packer, inputs, outputs, name="question_answerer")
        third = self.packer.sequence_length // 3
        self.stride = min(128, third) if stride is None else stride
        self.max_question_tokens = max_question_tokens
        self.max_answer_tokens = max_answer_tokens
        self.num_best = num_best
        self.no_answer_threshold = no_answer_threshold
        self.check_settings()

    def check_settings(self) -> None:
        super().check_settings()
        own = settings_of(self)
        check_counts({name: own[name] for name in _COUNTS}, self.packer)

    @classmethod
    def read(
        cls,
        files: ExampleFiles,
        labelled: bool = True,
        *,
        text_keys: Sequence[str] | None = None,
        label_key: str | None = None,
    ) -> list[Row]:
        """As of every task; rows with `answers` as `questions` gives them."""
        return questions(super().read(files, labelled, text_keys=text_keys, label_key=label_key))

    @classmethod
    def from_examples(
        cls, start: Start, examples: Sequence[Row], *, stride: int | None = None
    ) -> QuestionAnswerer:
        """As of every task; it may answer nothing where that is right."""
        may_be_none = any(example.get("impossible") for example in examples)
        threshold = 0.0 if may_be_none else None
        return cls(start.encoder, start.packer, stride=stride, no_answer_threshold=threshold)

    def choose_settings(self, examples: Sequence[Example], answers: Sequence[Any]) -> bool:
        """Sets the threshold that is best for the examples, where the task has one."""
        best = self.scores(examples, answers).get("best_f1_thresh")
        if self.no_answer_threshold is None or best is None:
            return False
        self.no_answer_threshold = best
        return True

    @property
    def example_spec(self) -> dict[str, tf.TensorSpec]:
        return {key: tf.TensorSpec([None], tf.string, name=key) for key in ("question", "context")}

    def tokenized(self, examples: Mapping[str, tf.Tensor]) -> dict[str, tf.RaggedTensor]:
        """Strings to pieces.

        Args:
            examples: dict of `question` and `context`, string [B].

        Returns:
            dict of `question` and `pieces`, those of the context, ragged int32 [B, (pieces)]; of
            the latter `piece_starts` and `piece_ends`, their characters in the context, likewise;
            and string [B] `context`.
        """
        examples = in_pairs(examples)
        # Offsets count the characters of what is UTF-8, and so does what cuts the answers.
        contexts = tf.strings.unicode_transcode(
            examples["context"], "UTF-8", "UTF-8", errors="ignore"
        )
        ids, starts, ends = self.tokenizer.tokenize_with_offsets(contexts)
        return {
            "question": self.tokenizer.tokenize(examples["question"]),
            "pieces": ids,
            "piece_starts": starts,
            "piece_ends": ends,
            "context": contexts,
        }

    def packed(self, pieces: Mapping[str, tf.RaggedTensor]) -> dict[str, tf.Tensor]:
        """Pieces to rows.

        Returns:
            dict of int32 `token_ids`, `segment_ids`, `padding_mask` [W, T], W rows of the contexts,
            all of the first one first, and besides: int32 [W, T] `pieces`, which piece of the
            context stands at a position, or -1; `piece_starts` and `piece_ends`, its characters in
            the context; bool [W, T] `may_start`, whether the row has the most context around the
            piece; int32 [W] `rows_of`, the example that a row is of; and string [B] `context`.
        """
        question = pieces["question"][:, : self._question_room()]
        found = windows(self.packer, pieces["pieces"], self.stride, question)
        rows = {
            **found.rows,
            "pieces": found.pieces(),
            "piece_starts": in_rows(pieces["piece_starts"], found),
            "piece_ends": in_rows(pieces["piece_ends"], found),
            "may_start": found.has_most_context(),
        }
        return {**self.trimmed(rows), "rows_of": found.texts, "context": pieces["context"]}

    def as_examples(self, given: Any, labels: Any = None) -> list[Example]:
        """As of every task; answers may be as the Hub has them, or texts: see `questions`."""
        return in_one_form(super().as_examples(given, labels))

    def epochs_of(self, columns: tuple, batch_size: int, seed: int) -> Epochs:
        """As of every task, but rows are drawn one by one, and made here: a context has several.

        A row that does not hold the whole answer learns that there is none.
        """
        rows, *targets = self._rows(*columns)

        def batch(indices: tf.Tensor):
            shape = [None, self.packer.sequence_length]
            some = {name: tf.gather(values, indices) for name, values in rows.items()}
            padded = {
                "token_ids": some["token_ids"].to_tensor(self.tokenizer.special.pad, shape=shape),
                "segment_ids": some["segment_ids"].to_tensor(shape=shape),
                "padding_mask": tf.ones_like(some["token_ids"]).to_tensor(shape=shape),
            }
            labels = keras.tree.map_structure(lambda x: tf.gather(x, indices), targets)
            return self.model_inputs(self.trimmed(padded)), *labels

        num_rows = rows["token_ids"].nrows().numpy()

        return lambda training=False: batches(
            batch, num_rows, batch_size, training=training, seed=seed
        )

    def target_columns(self, examples: Sequence[Example]) -> dict[str, Any]:
        may_be_none = self.no_answer_threshold is not None
        spans = [span_of(example, may_be_none=may_be_none) for example in examples]
        return {
            "answer_start": tf.constant([start for start, _ in spans], tf.int32),
            "answer_end": tf.constant([end for _, end in spans], tf.int32),
        }

    def targets(self, columns, features):
        """The positions of an answer's first and last piece; `[CLS]` where a row lacks one.

        Args:
            columns: dict with int32 [B] `answer_start` and `answer_end`, characters of the context,
                both 0 where there is no answer, and float32 [B] `weight`.
            features: what `packed` made of the examples.
        """
        labels = labels_in_rows(columns["answer_start"], columns["answer_end"], features)
        weights = tf.gather(columns["weight"], features["rows_of"])
        return dict(zip(OUTPUTS, labels, strict=True)), dict.fromkeys(OUTPUTS, weights)

    def taught(self, outputs, features):
        number, length = tf.size(features["context"]), self.packer.sequence_length
        return by_example(outputs, features["rows_of"], number, length, NEVER)

    def soft_targets(self, columns, features):
        return {name: rows.values for name, rows in columns.items()}

    def objective(self) -> dict[str, Any]:
        """Losses and metrics, as keyword arguments of `compile`.

        The mean of the cross-entropies of start and end over the positions of a row.
        """
        loss = keras.losses.SparseCategoricalCrossentropy
        accuracy = keras.metrics.SparseCategoricalAccuracy
        return {
            "loss": {name: loss(from_logits=True, reduction="sum") for name in OUTPUTS},
            "loss_weights": dict.fromkeys(OUTPUTS, 0.5),
            "weighted_metrics": {name: [accuracy(name="accuracy")] for name in OUTPUTS},
        }

    def shared(self, outputs, features):
        """Its best answers, and none: see `candidates_of`."""
        if "scores" in outputs:  # of members, put together
            return outputs
        starts, ends = (outputs[name] for name in OUTPUTS)
        numbers = {"num_best": self.num_best, "max_tokens": self.max_answer_tokens}
        return candidates_of(starts, ends, features, **numbers)

    def together(self, several, pool, features):
        may_be_none = self.no_answer_threshold is not None
        return joined(several, pool, features["context"], may_be_none=may_be_none)

    def answers(self, outputs, features) -> dict[str, tf.Tensor]:
        """The best answers of all rows of an example.

        The score of an answer is the sum of the logits of its first and its last piece. It starts
        in the row that has most context around its first piece. The score of no answer is that of
        `[CLS]`, the lowest of all rows.

        Args:
            outputs: dict of `start_logits` and `end_logits`, float [W, T]; or what `together` gave.
            features: what `packed` made of the examples.

        Returns:
            dict of `answer` string [B], "" for none; its `start` and `end`, int32 [B], characters
            of the context; its `score` and its `probability` among the K best and, where there may
            be none, no answer, float32 [B]; `no_answer_score` float32 [B], how much higher no
            answer scores than the best one, 1e9 where the context has no piece; and of the K best
            ones `best_answers`, `best_starts`, `best_ends`, `best_probabilities` [B, K], filled up
            with "" and 0.
        """
        found = self.shared(outputs, features)
        best, threshold = best_of(found, self.num_best), self.no_answer_threshold
        return answers_in_text(features["context"], best, found["none"], threshold)

    def as_python(self, answer: dict[str, Any]) -> dict[str, Any]:
        """As `answers` says, but `best_answers` is a list of dict, of those that there are.

        Each has `answer`, `start`, `end` and `probability`.
        """
        return with_best(answer)

    @property
    def score_names(self) -> tuple[str, ...]:
        # What the scripts say besides depends on the data.
        best = () if self.no_answer_threshold is None else ("best_f1", "best_exact")
        return ("f1", "exact", *best)

    def scores(self, examples: Sequence[Example], answers: Sequence[Any]) -> dict[str, float]:
        """How good answers are, by the field's scripts, from 0 to 100: see `question_scores`."""
        return question_scores(self.as_examples(examples), answers, self.no_answer_threshold)

    def breakdown(self, examples: Sequence[Example], answers: Sequence[Any]) -> Breakdown:
        return question_breakdown(self.as_examples(examples), answers)

    def settings(self) -> dict[str, Any]:
        own = settings_of(self)
        options = {name: own[name] for name in _OPTIONS}
        return {"keras_bert": {"sequence_length": self.packer.sequence_length, **options}}

    @classmethod
    def from_settings(
        cls,
        encoder: Encoder,
        tokenizer: SubwordTokenizer,
        settings: Mapping[str, Any],
        initializer=None,
    ) -> QuestionAnswerer:
        own = settings.get("keras_bert", {})
        given = {name: own[name] for name in _OPTIONS if name in own}
        return cls(encoder, packer_of(encoder, tokenizer, own), initializer=initializer, **given)

    def _rows(
        self, inputs: Mapping[str, tf.Tensor], columns: Mapping[str, tf.Tensor]
    ) -> tuple[dict, dict, dict]:
        """All rows of all examples, without padding, and their labels and weights.

        Returns:
            dict of `token_ids` and `segment_ids`, ragged int32 [W, (positions)]; dicts of [W].
        """

        def make(indices: tf.Tensor):
            pieces = self.tokenized(taken(inputs, indices))
            features = self.packed(pieces)
            there = features["padding_mask"] > 0
            flat = {n: tf.boolean_mask(features[n], there) for n in ("token_ids", "segment_ids")}
            lengths = tf.reduce_sum(features["padding_mask"], axis=1)
            rows_of = tf.gather(indices, features["rows_of"])
            asked = pieces["question"].row_lengths()
            return flat, lengths, rows_of, asked, *self.targets(taken(columns, indices), features)

        num_examples = len(columns["weight"])
        parts = batches(make, num_examples, _MAKE_BATCH, training=False, seed=0)
        flat, lengths, rows_of, asked, labels, weights = keras.tree.map_structure(
            lambda *some: tf.concat(some, axis=0), *parts.as_numpy_iterator()
        )
        report_cut_questions(asked.numpy(), self._question_room())
        with_answer = tf.boolean_mask(rows_of, labels["end_logits"] > 0)
        report_rows(rows_of, with_answer, columns["answer_end"], self.packer.sequence_length)
        rows = {n: tf.RaggedTensor.from_row_lengths(values, lengths) for n, values in flat.items()}
        return rows, labels, weights

    def _question_room(self) -> int:
        """How many pieces of a question are read: the context needs room for a stride."""
        return min(self.max_question_tokens, self.packer.room(num_segments=2) - self.stride)

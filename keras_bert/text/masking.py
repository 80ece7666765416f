"""Masker: dynamic masking by token, whole word or span; stateless, for whole batches."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from keras_bert.text.subwords import SubwordTokenizer

UNITS = ("token", "word", "span")
# SpanBERT's lengths: geometric with this p, at most this many words (section 3.1).
SPAN_END_PROBABILITY = 0.2
MAX_SPAN_WORDS = 10
# Kinds of pieces: special tokens, first pieces of words, and later ones.
_SPECIAL, _FIRST, _LATER = range(3)


class Masker:
    """Chooses the tokens to predict and hides them, anew for every seed.

    A row is partitioned into units: tokens, whole words (a piece and those that go on with it), or
    spans of whole words whose lengths are geometric (a boundary is drawn at every word with
    probability 0.2 and forced after 10 words). Special tokens belong to no unit. In random order
    the units are taken as long as they fit into the row's number of predictions,
    `min(max_predictions, max(1, round(rate * tokens)))`; one that does not fit is passed over. If
    not even one fits, the first is cut. Of what is taken, `mask_share` becomes the mask token,
    `random_share` a piece drawn uniformly from all that are not special, the rest stays; this is
    drawn for every token, or for a whole span where the unit is the span.

    BERT (https://arxiv.org/abs/1810.04805, section 3.1; `create_masked_lm_predictions` of
    google-research/bert), SpanBERT (https://arxiv.org/abs/1907.10529, section 3.1).

    Args:
        tokenizer: Knows special tokens, beginnings of words and the vocabulary.
        unit: "token", "word" or "span".
        rate: Share of the tokens that are not special to predict; or a function of the step that
            gives it, such as `kb.Schedule(0.3, num_steps, end=0.15)`: a rate that falls learns in
            fewer steps (https://arxiv.org/abs/2305.15096).
        max_predictions: Most predictions P in a row.
        mask_share: Share of the predictions replaced by the mask token.
        random_share: Share of the predictions replaced by a random piece.

    Raises:
        ValueError: if an argument is out of its range.

    Example:

    >>> import keras_bert as kb
    >>> vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "fine", "film"]
    >>> tokenizer = kb.Tokenizer(vocabulary)
    >>> row = kb.Packer(tokenizer, sequence_length=6)(["film"])["token_ids"]
    >>> masked = kb.Masker(tokenizer, max_predictions=2, mask_share=1.0, random_share=0.0)(
    ...     row, seed=[1, 2])
    >>> masked["token_ids"].numpy().tolist()
    [[2, 4, 3, 0, 0, 0]]
    >>> masked["mask_positions"].numpy().tolist(), masked["mask_ids"].numpy().tolist()
    ([[1, 0]], [[7, 0]])
    >>> masked["mask_weights"].numpy().tolist()
    [[1.0, 0.0]]
    """

    def __init__(
        self,
        tokenizer: SubwordTokenizer,
        unit: str = "word",
        rate: float | Callable[[tf.Tensor], tf.Tensor] = 0.15,
        max_predictions: int = 20,
        *,
        mask_share: float = 0.8,
        random_share: float = 0.1,
    ):
        _check_arguments(unit, rate, max_predictions, mask_share, random_share)
        self.tokenizer = tokenizer
        self.unit = unit
        self.rate = rate
        self.max_predictions = max_predictions
        self.mask_share = mask_share
        self.random_share = random_share
        special = dataclasses.astuple(tokenizer.special)
        ordinary = np.setdiff1d(np.arange(tokenizer.vocabulary_size), special)
        if not ordinary.size:
            raise ValueError(
                "The vocabulary must hold pieces that are not special tokens, but holds "
                f"{tokenizer.vocabulary_size} special tokens only. Use a learned vocabulary."
            )
        self._replacements = ordinary.astype(np.int32)
        self._kinds = _kinds(tokenizer)

    def __call__(
        self, token_ids: tf.Tensor, seed: tf.Tensor, step: tf.Tensor | int = 0
    ) -> dict[str, tf.Tensor]:
        """Masks a batch of rows.

        Args:
            token_ids: int32 [B, T], packed rows.
            seed: integers [2]; the same seed gives the same masks.
            step: integers, [B] or a scalar, the steps that the rows are of; a rate that is a
                function is asked for them.

        Returns:
            dict(token_ids int32 [B, T], mask_positions int32 [B, P], mask_ids int32 [B, P],
            mask_weights float32 [B, P]): the hidden rows, the ascending positions of the
            predictions, the ids that were there, and 1 where there is a prediction. Unused
            slots are position 0, the id of padding, weight 0.
        """
        token_ids = tf.ensure_shape(tf.cast(token_ids, tf.int32), [None, None])
        batch, length = tf.unstack(tf.shape(token_ids))
        seeds = tf.unstack(tf.random.split(tf.cast(seed, tf.int64), 4))
        flat = tf.reshape(token_ids, [-1])  # [B*T]; what follows indexes into it
        kinds = tf.gather(tf.constant(self._kinds), token_ids)
        ordinary = kinds != _SPECIAL
        opens = self._openings(kinds, seeds[0])
        chosen, opening = self._choose(ordinary, opens, self._budget(ordinary, step), seeds[1])
        at = tf.cast(tf.where(tf.reshape(chosen, [-1]))[:, 0], tf.int32)  # [M], ascending
        original = tf.gather(flat, at)
        hidden = self._hide(original, self._choices(at, opening, seeds[2]), seeds[3])
        masked = tf.tensor_scatter_nd_update(flat, at[:, None], hidden)
        slots, used = self._slots(chosen)
        position = at % tf.maximum(length, 1)
        return {
            "token_ids": tf.ensure_shape(tf.reshape(masked, [batch, length]), token_ids.shape),
            "mask_positions": tf.gather(tf.concat([position, [0]], axis=0), slots),
            "mask_ids": tf.gather(
                tf.concat([original, [self.tokenizer.special.pad]], axis=0), slots
            ),
            "mask_weights": tf.cast(used, tf.float32),
        }

    def _openings(self, kinds: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """Where the units begin, bool [B, T]."""
        if self.unit == "token":
            return kinds != _SPECIAL
        after_special = (
            tf.pad(kinds[:, :-1], [[0, 0], [1, 0]], constant_values=_SPECIAL) == _SPECIAL
        )
        words = (kinds == _FIRST) | ((kinds == _LATER) & after_special)
        if self.unit == "word":
            return words
        draw = tf.random.stateless_uniform(tf.shape(words), seed) < SPAN_END_PROBABILITY
        return words & _every_tenth_word(words, words & (draw | after_special))

    def _choose(
        self, ordinary: tf.Tensor, opens: tf.Tensor, budget: tf.Tensor, seed: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """The tokens to predict, bool [B, T], and where the unit of each begins, [B*T]."""
        batch, length = tf.unstack(tf.shape(ordinary))
        unit = tf.cumsum(tf.reshape(tf.cast(opens, tf.int32), [-1]))  # [B*T]; 0 is no unit
        sizes = tf.reshape(tf.cast(ordinary, tf.int32), [-1])
        sizes = tf.math.unsorted_segment_sum(sizes, unit, batch * length + 1)
        first = tf.cast(tf.where(tf.reshape(opens, [-1]))[:, 0], tf.int32)
        opening = tf.gather(tf.concat([[0], first], axis=0), unit)
        key = tf.random.stateless_uniform(tf.shape(opens), seed, 0, tf.int32.max, tf.int32)
        key = tf.where(opens, key, -1)
        # As many tokens as predictions are enough; of words, small ones may be far behind.
        most = tf.minimum(length, self.max_predictions) if self.unit == "token" else length
        key, order = tf.math.top_k(key, most)  # [B, K]
        order += tf.range(batch)[:, None] * length
        size = tf.where(key >= 0, tf.gather(sizes, tf.gather(unit, order)), 0)
        # If no unit fits, the first one is cut.
        cut = ~tf.reduce_any((size > 0) & (size <= budget), axis=1, keepdims=True)
        head = tf.where(cut, tf.minimum(size[:, :1], budget), size[:, :1])
        taken = _first_that_fit(tf.concat([head, size[:, 1:]], axis=1), budget)
        taken = tf.boolean_mask(order, taken)  # [B*T] indices of the openings
        taken = tf.scatter_nd(taken[:, None], tf.ones_like(taken), [batch * length])
        offset = tf.reshape(tf.range(batch * length) - opening, [batch, length])
        chosen = tf.reshape(tf.gather(taken, opening) > 0, [batch, length]) & ordinary
        return chosen & (~cut | (offset < budget)), opening

    def _budget(self, ordinary: tf.Tensor, step: tf.Tensor | int) -> tf.Tensor:
        """Number of predictions of each row, int32 [B, 1]."""
        if callable(self.rate):
            rate = tf.cast(self.rate(tf.convert_to_tensor(step)), tf.float64)
        else:
            rate = tf.constant(self.rate, tf.float64)
        rate = tf.reshape(rate, [-1, 1])  # [B, 1] or [1, 1]
        count = tf.reduce_sum(tf.cast(ordinary, tf.float64), axis=1, keepdims=True)
        # In float64, and half to even: what Python's round gives.
        wanted = tf.cast(tf.round(rate * count), tf.int32)
        return tf.minimum(self.max_predictions, tf.maximum(1, wanted))

    def _choices(self, at: tf.Tensor, opening: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """Uniform draws that say what becomes of each token to predict, [M]; one for a span."""
        if self.unit == "span":
            return tf.gather(
                tf.random.stateless_uniform(tf.shape(opening), seed), tf.gather(opening, at)
            )
        return tf.random.stateless_uniform(tf.shape(at), seed)

    def _hide(self, original: tf.Tensor, choice: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """What stands in place of the tokens to predict, int32 [M]."""
        piece = tf.random.stateless_uniform(
            tf.shape(original), seed, 0, len(self._replacements), tf.int32
        )
        piece = tf.gather(tf.constant(self._replacements), piece)
        hidden = tf.where(choice < self.mask_share + self.random_share, piece, original)
        return tf.where(choice < self.mask_share, self.tokenizer.special.mask, hidden)

    def _slots(self, chosen: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Which of the M predictions stands in each slot (M: none), and if one does, [B, P]."""
        counts = tf.reduce_sum(tf.cast(chosen, tf.int32), axis=1, keepdims=True)
        slot = tf.range(self.max_predictions)[None, :]
        used = slot < counts
        index = tf.cumsum(counts, exclusive=True) + slot
        return tf.where(used, index, tf.reduce_sum(counts)), used


def _kinds(tokenizer: SubwordTokenizer) -> np.ndarray:
    """What each piece of the vocabulary is to the masker, int8 [V]."""
    with tf.init_scope():
        first = tokenizer.starts_word(tf.range(tokenizer.vocabulary_size)).numpy()
    kinds = np.where(first, _FIRST, _LATER).astype(np.int8)
    special = tokenizer.special
    # Unknown ones are words.
    kinds[[special.pad, special.begin, special.separator, special.end, special.mask]] = _SPECIAL
    return kinds


def _every_tenth_word(words: tf.Tensor, boundaries: tf.Tensor) -> tf.Tensor:
    """`boundaries` and a further one wherever MAX_SPAN_WORDS words have passed without one."""
    word = tf.cumsum(tf.cast(tf.reshape(words, [-1]), tf.int32))
    run = tf.cumsum(tf.cast(tf.reshape(boundaries, [-1]), tf.int32))
    first = tf.boolean_mask(word, tf.reshape(boundaries, [-1]))
    passed = word - tf.gather(tf.concat([[0], first], axis=0), run)
    return tf.reshape(passed % MAX_SPAN_WORDS == 0, tf.shape(words))


def _first_that_fit(sizes: tf.Tensor, budget: tf.Tensor) -> tf.Tensor:
    """Takes units from the left as long as they fit into what the earlier ones left.

    Each round takes up to the first that does not fit, and drops from there on all that are
    greater than what is left; the rest has another chance in the next round.

    Args:
        sizes: int32 [B, K], 0 where there is no unit.
        budget: int32 [B, 1].

    Returns:
        bool [B, K].
    """

    def too_much(alive: tf.Tensor) -> tf.Tensor:
        total = tf.reduce_sum(tf.where(alive, sizes, 0), axis=1, keepdims=True)
        return tf.reduce_any(total > budget)

    def drop(alive: tf.Tensor) -> tuple[tf.Tensor]:
        total = tf.cumsum(tf.where(alive, sizes, 0), axis=1)
        spent = tf.reduce_max(tf.where(total <= budget, total, 0), axis=1, keepdims=True)
        return (alive & ((total <= budget) | (sizes <= budget - spent)),)

    return tf.while_loop(too_much, drop, (sizes > 0,))[0]


def _check_arguments(
    unit: str,
    rate: float | Callable[[tf.Tensor], tf.Tensor],
    max_predictions: int,
    mask_share: float,
    random_share: float,
) -> None:
    if unit not in UNITS:
        raise ValueError(f"unit must be one of {UNITS}, but is {unit!r}. Choose one of them.")
    if not callable(rate) and not 0 < rate <= 1:
        raise ValueError(f"rate must be above 0 and at most 1, but is {rate}. BERT's is 0.15.")
    if max_predictions < 1:
        raise ValueError(
            f"max_predictions must be at least 1, but is {max_predictions}. BERT's is 20 for rows "
            "of 128 tokens."
        )
    if min(mask_share, random_share) < 0 or mask_share + random_share > 1:
        raise ValueError(
            "mask_share and random_share must be at least 0 and together at most 1, but are "
            f"{mask_share} and {random_share}. BERT's are 0.8 and 0.1."
        )

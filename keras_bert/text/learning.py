"""Learns a vocabulary of word pieces from texts."""

from __future__ import annotations

import collections
import heapq
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence

import tensorflow as tf
from absl import logging

from keras_bert.text import normalization
from keras_bert.text.normalization import Normalization
from keras_bert.text.vocabulary import (
    CONTINUATION,
    MAX_PIECE_BYTES,
    SPECIAL_TOKENS,
    check_vocabulary,
)

# So that a learned piece of the widest characters still fits.
_MAX_LEARNED_CHARACTERS = MAX_PIECE_BYTES // 4
# Bounds on memory: distinct words that are counted, and that pieces are learned from.
_MAX_COUNTED_WORDS = 2_000_000
_MAX_LEARNED_WORDS = 1_000_000
_LOG_SECONDS = 10


def learn_vocabulary(
    lines: tf.data.Dataset,
    vocabulary_size: int = 30_000,
    *,
    lowercase: bool = True,
    strip_accents: bool | None = None,
    split_cjk: bool = True,
    min_frequency: int = 2,
    max_characters: int = 10_000,
) -> tuple[str, ...]:
    """Learns a vocabulary: the text's characters, then the most frequent pairs of pieces, merged.

    Byte-pair merges ([Sennrich et al., 2016](https://arxiv.org/abs/1508.07909)) of the words as
    `Tokenizer` splits them; WordPiece's own learner was never published. The same text gives the
    same vocabulary. Memory is bounded whatever the amount of text: beyond two million distinct
    words the rarest are forgotten, and the million most frequent ones are learned from.

    Args:
        lines: a dataset of string batches [N].
        vocabulary_size: how many pieces to learn, special tokens included. There are fewer if
            the text has no more pairs.
        lowercase: as the `Tokenizer` will have it.
        strip_accents: as the `Tokenizer` will have it.
        split_cjk: as the `Tokenizer` will have it.
        min_frequency: how often a character or a pair has to occur.
        max_characters: the most characters to keep, the most frequent ones.

    Returns:
        The `SPECIAL_TOKENS`, the characters ("x" where it begins a word, "##x" where it continues
        one), and the merged pieces as they were learned.

    Raises:
        ValueError: if `lines` has anything but batches of strings, or a number is too small.

    Example:

    >>> import keras_bert as kb
    >>> import tensorflow as tf
    >>> lines = tf.data.Dataset.from_tensors(["low lower lowest", "new newer newest"])
    >>> kb.learn_vocabulary(lines, vocabulary_size=18)[5:]
    ('l', 'n', '##e', '##o', '##r', '##s', '##t', '##w', ...)
    """
    least = {
        "vocabulary_size": (vocabulary_size, len(SPECIAL_TOKENS) + 1),
        "min_frequency": (min_frequency, 1),
        "max_characters": (max_characters, 1),
    }
    check_lines(lines, least)
    counts = count_words(words_of(lines, Normalization.of(lowercase, strip_accents, split_cjk)))
    max_pieces = vocabulary_size - len(SPECIAL_TOKENS)
    characters = _characters(counts, min_frequency, min(max_characters, max_pieces), max_pieces)
    counts = _spellable(counts, characters)
    words = ((spell(word), count) for word, count in counts.items())
    learner = PairLearner(words, characters, min_frequency)
    learner.learn(max_pieces)
    vocabulary = (*SPECIAL_TOKENS, *learner.pieces)
    logging.info(
        "Learned %d pieces, %d of them characters, where %d were asked for.",
        *(len(vocabulary), len(characters), vocabulary_size),
    )
    check_vocabulary(vocabulary, "the learned vocabulary")
    return vocabulary


def check_lines(lines: tf.data.Dataset, numbers: Mapping[str, tuple[int, int]]) -> None:
    """Checks what pieces are learned from.

    Args:
        lines: a dataset of string batches [N].
        numbers: of what was asked for, by name, how many, and how many there must be at least.

    Raises:
        ValueError: if `lines` has anything but batches of strings, or a number is too small.
    """
    spec = getattr(lines, "element_spec", lines)
    is_batch = isinstance(spec, tf.TensorSpec) and spec.shape.rank in (1, None)
    if not is_batch or spec.dtype != tf.string:
        raise ValueError(
            f"Lines must be a tf.data.Dataset of string batches [N]; got {spec}. "
            "Map the dataset to its texts, and .batch() it if they come one by one."
        )
    for name, (value, least) in numbers.items():
        if value < least:
            raise ValueError(f"{name} must be at least {least}; got {value}. Raise it.")


def words_of(
    lines: tf.data.Dataset, how: Normalization
) -> Iterator[tuple[Sequence[bytes], Sequence[int]]]:
    """Distinct words, as the tokenizer splits them, and their counts, batch by batch."""

    def count(texts: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        texts = normalization.normalize(tf.ensure_shape(texts, [None]), how)
        words = normalization.split_words(texts, how)[0].values
        # A longer one is unknown however it is spelled.
        short = tf.strings.length(words, "UTF8_CHAR") <= normalization.MAX_WORD_CHARACTERS
        words, _, counts = tf.unique_with_counts(tf.boolean_mask(words, short))
        return words, counts

    counted = lines.map(count, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
    for words, counts in counted.prefetch(tf.data.AUTOTUNE).as_numpy_iterator():
        yield words.tolist(), counts.tolist()


def count_words(
    batches: Iterable[tuple[Sequence[bytes], Sequence[int]]], max_words: int = _MAX_COUNTED_WORDS
) -> dict[str, int]:
    """Sums counts; whenever there are more than `max_words` words, forgets the rarer half."""
    total: collections.defaultdict[bytes, int] = collections.defaultdict(int)
    num_words = 0
    for words, counts in batches:
        for word, count in zip(words, counts, strict=True):
            total[word] += count
        num_words += sum(counts)
        logging.log_every_n_seconds(
            logging.INFO, "Counted %d words, %d distinct.", _LOG_SECONDS, num_words, len(total)
        )
        if len(total) > max_words:
            rare = sorted(total.values())[len(total) // 2]
            kept = {word: count for word, count in total.items() if count > rare}
            logging.warning(
                "More than %d distinct words: forgot the %d that occurred up to %d times so far.",
                *(max_words, len(total) - len(kept), rare),
            )
            total = collections.defaultdict(int, kept)
    logging.info("Counted %d words, %d distinct.", num_words, len(total))
    return {word.decode(): count for word, count in total.items()}


def spell(word: str) -> list[str]:
    """The characters of a word as pieces.

    >>> spell("the")
    ['t', '##h', '##e']
    """
    return [word[0], *(CONTINUATION + character for character in word[1:])]


def _characters(
    counts: dict[str, int], min_frequency: int, max_characters: int, max_pieces: int
) -> list[str]:
    """The most frequent characters as pieces, the first ones of words first, in code order."""
    pieces: collections.Counter[str] = collections.Counter()
    for word, count in counts.items():
        for piece in spell(word):
            pieces[piece] += count
    characters: collections.Counter[str] = collections.Counter()
    for piece, count in pieces.items():
        characters[piece[-1]] += count
    kept = most_frequent(characters, max_characters, min_frequency)
    candidates = {piece: count for piece, count in pieces.items() if piece[-1] in kept}
    return sorted(most_frequent(candidates, max_pieces), key=lambda piece: (len(piece), piece))


def most_frequent(counts: dict[str, int], number: int, min_count: int = 1) -> dict[str, int]:
    """At most `number` of the entries, by falling count; ties in code order."""
    entries = (item for item in counts.items() if item[1] >= min_count)
    return dict(heapq.nsmallest(number, entries, key=lambda item: (-item[1], item[0])))


def _spellable(counts: dict[str, int], characters: Sequence[str]) -> dict[str, int]:
    """The words to learn from: frequent, and of known characters only."""
    known = set(characters)
    counts = {word: count for word, count in counts.items() if known.issuperset(spell(word))}
    if len(counts) > _MAX_LEARNED_WORDS:
        logging.info(
            "Learning from the most frequent %d of %d words.", _MAX_LEARNED_WORDS, len(counts)
        )
    return most_frequent(counts, _MAX_LEARNED_WORDS)


class PairLearner:
    """Merges the most frequent pair of neighboring pieces in a table of words, again and again.

    A pair that spells one of the pieces to begin with is none: it has a meaning of its own.

    The words lie one after another in flat arrays, linked both ways so that a merge takes out its
    right piece. Each pair knows where it once was; a position is looked at again when the pair's
    turn comes, and counts in the heap are corrected when they come up, so that a merge costs only
    as much as there is to change.

    Args:
        words: the pieces of each word, and how often it occurs.
        pieces: the pieces to begin with, each once; "" is none.
        min_frequency: how often a pair has to occur to be merged.
        continuation: how a piece begins that continues a word.

    Attributes:
        pieces: list of str, those to begin with, and those that were made.
        pairs: list of the pairs of str that the latter were made of.
    """

    _EDGE = -1  # stands between words
    _GONE = -2  # was merged into the piece to the left

    def __init__(
        self,
        words: Iterable[tuple[Sequence[str], int]],
        pieces: Sequence[str],
        min_frequency: int,
        continuation: str = CONTINUATION,
    ):
        self.pieces = list(pieces)
        self.pairs: list[tuple[str, str]] = []
        self._ids = {piece: id_ for id_, piece in enumerate(pieces)}
        self._first_pieces = frozenset(pieces)
        self._min_frequency = min_frequency
        self._continuation = continuation
        self._symbols, self._weights = array("i", (self._EDGE,)), array("q", (0,))
        for word, count in words:
            self._symbols.extend(self._ids[piece] for piece in word)
            self._symbols.append(self._EDGE)
            self._weights.extend([count] * (len(word) + 1))
        num_symbols = len(self._symbols)
        self._next = array("i", range(1, num_symbols + 1))
        self._previous = array("i", range(-1, num_symbols - 1))

        self._counts: dict[tuple[int, int], int] = {}
        self._positions: dict[tuple[int, int], array] = {}
        self._heap: list[tuple[int, tuple[int, int]]] = []
        changed = {self._add(position) for position in range(num_symbols - 1)}
        self._offer(changed)

    def learn(self, max_pieces: int) -> None:
        """Merges until there are so many pieces, or no pair is left."""
        while len(self.pieces) < max_pieces and self.merge():
            logging.log_every_n_seconds(
                *(logging.INFO, "Learned %d of %d pieces.", _LOG_SECONDS),
                *(len(self.pieces), max_pieces),
            )

    def merge(self) -> bool:
        """Merges the most frequent pair, of equal ones the oldest; False if none is left."""
        pair = self._pop()
        if pair is None:
            return False
        left, right = pair
        piece = self._joined(pair)
        # Two pairs may spell one piece: "a ##bc" and "ab ##c".
        merged = self._ids.setdefault(piece, len(self.pieces))
        if merged == len(self.pieces):
            self.pairs.append((self.pieces[left], self.pieces[right]))
            self.pieces.append(piece)
        changed = set()
        for position in self._positions.pop(pair):
            after = self._next[position]
            if self._symbols[position] == left and self._symbols[after] == right:
                before = self._previous[position]
                self._remove(before)
                self._remove(after)
                self._join(position, merged)
                changed |= {self._add(before), self._add(position)}
        self._offer(changed)
        return True

    def _join(self, position: int, merged: int) -> None:
        """Puts one piece where there were two."""
        taken = self._next[position]
        self._symbols[position], self._symbols[taken] = merged, self._GONE
        self._next[position] = self._next[taken]
        self._previous[self._next[taken]] = position

    def _pair(self, position: int) -> tuple[int, int]:
        return self._symbols[position], self._symbols[self._next[position]]

    def _add(self, position: int) -> tuple[int, int]:
        """Counts the pair that begins at a position."""
        pair = self._pair(position)
        if min(pair) > self._EDGE:
            # Both symbols lie in one word, so the left one's weight will do.
            self._counts[pair] = self._counts.get(pair, 0) + self._weights[position]
            self._positions.setdefault(pair, array("i")).append(position)
        return pair

    def _remove(self, position: int) -> None:
        """Counts the pair that begins at a position no more."""
        pair = self._pair(position)
        if pair in self._counts:
            self._counts[pair] -= self._weights[position]

    def _offer(self, pairs: set[tuple[int, int]]) -> None:
        """Queues pairs that are frequent enough; forgets the others, which only get rarer.

        Unless a second pair makes the same piece; then a few occurrences go uncounted.
        """
        for pair in pairs & self._counts.keys():
            if self._counts[pair] >= self._min_frequency:
                heapq.heappush(self._heap, (-self._counts[pair], pair))
            else:
                del self._counts[pair], self._positions[pair]

    def _pop(self) -> tuple[int, int] | None:
        while self._heap:
            negative, pair = heapq.heappop(self._heap)
            count = self._counts.get(pair, 0)
            if count != -negative:
                if count >= self._min_frequency:
                    heapq.heappush(self._heap, (-count, pair))
                continue
            del self._counts[pair]
            piece = self._joined(pair)
            is_short = len(piece.removeprefix(self._continuation)) <= _MAX_LEARNED_CHARACTERS
            if is_short and piece not in self._first_pieces:
                return pair
            del self._positions[pair]
        return None

    def _joined(self, pair: tuple[int, int]) -> str:
        left, right = (self.pieces[id_] for id_ in pair)
        return left + right.removeprefix(self._continuation)

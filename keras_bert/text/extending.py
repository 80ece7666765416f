"""A tokenizer with more pieces, of a domain: learned from its text, or given; old ids hold."""

from __future__ import annotations

import collections
import itertools
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import tensorflow as tf

from keras_bert.text import normalization
from keras_bert.text.byte_cutter import split_words
from keras_bert.text.byte_offsets import compose
from keras_bert.text.byte_pairs import BytePairTokenizer
from keras_bert.text.learning import (
    PairLearner,
    check_lines,
    count_words,
    most_frequent,
    spell,
    words_of,
)
from keras_bert.text.subwords import SubwordTokenizer
from keras_bert.text.tokenizer import Tokenizer
from keras_bert.text.vocabulary import CONTINUATION

Pair = tuple[str, str]

# Words that are cut in one call.
_WORDS_AT_ONCE = 1 << 14


class Extension(NamedTuple):
    """A tokenizer with more pieces than another.

    Args:
        tokenizer: SubwordTokenizer; its first pieces are those of the other.
        parts: for each new piece the ids of old ones that spell it.
    """

    tokenizer: SubwordTokenizer
    parts: tuple[tuple[int, ...], ...]


def learn_extension(
    tokenizer: SubwordTokenizer,
    lines: tf.data.Dataset,
    num_pieces: int,
    *,
    min_frequency: int = 2,
) -> Extension:
    """Learns more pieces from texts: the most frequent pairs of those there are, merged.

    As if the learning of the vocabulary had gone on with these texts: their words are cut as the
    tokenizer cuts them, and pairs of pieces are merged from there on. Of word pieces, characters
    that the vocabulary lacks come first, and pieces that no word is cut into in the end are left
    out, as "movi" where there is "movie". WordPiece takes the longest piece that fits, so that a
    new one also changes how other words are cut that begin, or go on, with it. New byte-level
    merges are made after all old ones.

    Args:
        tokenizer: Tokenizer or BytePairTokenizer.
        lines: a dataset of string batches [N].
        num_pieces: int, how many to learn; there are fewer if the text has no more pairs.
        min_frequency: int, how often a character or a pair has to occur.

    Returns:
        Extension. The new pieces have the ids behind those of all old ones, added tokens too.

    Raises:
        ValueError: `lines` has anything but batches of strings, or a number is smaller than 1.

    Example:

    >>> import keras_bert as kb
    >>> import tensorflow as tf
    >>> vocabulary = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "gen", "##e", "##et", "##ic")
    >>> lines = tf.data.Dataset.from_tensors(["gene genetic", "Genetic"])
    >>> larger, parts = kb.learn_extension(kb.Tokenizer(vocabulary), lines, num_pieces=2)
    >>> larger.vocabulary[9:], parts
    (('genetic',), ((5, 7, 8),))
    """
    check_lines(lines, {"num_pieces": (num_pieces, 1), "min_frequency": (min_frequency, 1)})
    if isinstance(tokenizer, BytePairTokenizer):
        counts = count_words(_counted(tokenizer, lines))
        cuts = zip(_cuts(tokenizer, list(counts)), counts.values(), strict=True)
        learner = PairLearner(cuts, tokenizer.vocabulary, min_frequency, continuation="")
        learner.learn(tokenizer.vocabulary_size + num_pieces)
        return _with_merges(tokenizer, learner.pairs)
    tokenizer = _word_pieces(tokenizer)
    counts = count_words(words_of(lines, tokenizer.normalization))
    known = frozenset(_known(tokenizer))
    characters = _new_characters(counts, known, num_pieces, min_frequency)
    spellable = known.union(characters)
    words = ((_cut(word, spellable), count) for word, count in counts.items())
    learner = PairLearner(words, (*tokenizer.vocabulary, *characters), min_frequency)
    pieces, goal, size = list(characters), tokenizer.vocabulary_size, tokenizer.vocabulary_size
    while len(pieces) < num_pieces and len(learner.pieces) >= goal:
        goal = len(learner.pieces) + num_pieces - len(pieces)
        learner.learn(goal)
        pieces = _used(learner.pieces[size:], counts, known, min_frequency)
    return _with_pieces(tokenizer, pieces[:num_pieces])


def extend_vocabulary(tokenizer: SubwordTokenizer, words: Sequence[str]) -> Extension:
    """Adds words, each of which is then one piece; those that are one already are passed over.

    Args:
        tokenizer: Tokenizer or BytePairTokenizer.
        words: sequence of str, as a text spells them. Of word pieces, "##x" continues a word, and
            tokens in brackets, such as "[PAD]", are passed over: a vocab.txt is a sequence of
            words. Byte-level pieces are merged two at a time, so that there are new ones for the
            beginnings of words too; they are made for words with a space before them.

    Returns:
        Extension. The new pieces have the ids behind those of all old ones, added tokens too.

    Raises:
        ValueError: the tokenizer takes one for several words, or for none.

    Example:

    >>> import keras_bert as kb
    >>> vocabulary = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "gen", "##e", "##et", "##ic")
    >>> larger, parts = kb.extend_vocabulary(kb.Tokenizer(vocabulary), ["Genetic", "gen"])
    >>> larger.vocabulary[9:], parts
    (('genetic',), ((5, 7, 8),))
    """
    if isinstance(tokenizer, BytePairTokenizer):
        split = _split(tokenizer, tf.constant(words, tf.string)).to_list()
        found = ([word.decode() for word in parts if word] for parts in split)
        return _with_merges(tokenizer, _pairs_of(tokenizer, _checked(words, found)))
    tokenizer = _word_pieces(tokenizer)
    words = [word for word in words if not (word.startswith("[") and word.endswith("]"))]
    known = frozenset(_known(tokenizer))
    pieces = dict.fromkeys(_checked(words, _normalized(tokenizer, words)))
    return _with_pieces(tokenizer, [piece for piece in pieces if piece not in known])


def _word_pieces(tokenizer: SubwordTokenizer) -> Tokenizer:
    if not isinstance(tokenizer, Tokenizer):
        raise ValueError(
            "What is extended must be a Tokenizer or a BytePairTokenizer, not a "
            f"{type(tokenizer).__name__}: make one with all pieces."
        )
    return tokenizer


def _checked(words: Sequence[str], found: Iterable[Sequence[str]]) -> list[str]:
    """What the tokenizer takes each word for, which must be one."""
    checked: list[str] = []
    for word, parts in zip(words, found, strict=True):
        if len(parts) != 1:
            raise ValueError(
                f"A new word must be one as the tokenizer splits texts, but {word!r} is "
                f"{list(parts)}: give these one by one, or leave it out."
            )
        checked += parts
    return checked


def _extended(tokenizer: SubwordTokenizer, pieces: Sequence[str], **more: Any) -> SubwordTokenizer:
    vocabulary = [*tokenizer.vocabulary, *pieces]
    return type(tokenizer).from_settings({**tokenizer.settings(), "vocabulary": vocabulary, **more})


def _known(tokenizer: Tokenizer) -> dict[str, int]:
    """The ids of the pieces that words are cut into."""
    pieces = tokenizer.vocabulary[: tokenizer.num_word_pieces]
    return {piece: id_ for id_, piece in enumerate(pieces) if piece}


def _cut(word: str, known: Container[str]) -> list[str]:
    """The longest pieces from the left, as WordPiece takes them; none if one is missing."""
    pieces: list[str] = []
    prefix = CONTINUATION if word.startswith(CONTINUATION) else ""
    word = word.removeprefix(prefix)
    while word:
        end = next((end for end in range(len(word), 0, -1) if prefix + word[:end] in known), None)
        if end is None:
            return []
        pieces.append(prefix + word[:end])
        word, prefix = word[end:], CONTINUATION
    return pieces


def _new_characters(
    counts: Mapping[str, int], known: Container[str], most: int, min_frequency: int
) -> list[str]:
    """The most frequent characters, as pieces, for whose lack words cannot be cut."""
    lacking: collections.Counter[str] = collections.Counter()
    for word, count in counts.items():
        if not _cut(word, known):
            for piece in spell(word):
                lacking[piece] += 0 if piece in known else count
    return list(most_frequent(lacking, most, min_frequency))


def _used(
    pieces: Sequence[str], counts: Mapping[str, int], known: frozenset[str], min_frequency: int
) -> list[str]:
    """Those of new pieces that words are cut into."""
    used: collections.Counter[str] = collections.Counter()
    together = known.union(pieces)
    for word, count in counts.items():
        for piece in _cut(word, together):
            used[piece] += count
    return [piece for piece in pieces if used[piece] >= min_frequency]


def _normalized(tokenizer: Tokenizer, words: Sequence[str]) -> Iterator[list[str]]:
    """The words of each word, as the tokenizer splits normalized texts."""
    marks = [CONTINUATION if word.startswith(CONTINUATION) else "" for word in words]
    texts = [word.removeprefix(mark) for word, mark in zip(words, marks, strict=True)]
    normalized = normalization.normalize(tf.constant(texts, tf.string), tokenizer.normalization)
    split = normalization.split_words(normalized, tokenizer.normalization)[0]
    for mark, found in zip(marks, split.to_list(), strict=True):
        yield [mark + word.decode() for word in found]


def _with_pieces(tokenizer: Tokenizer, pieces: Sequence[str]) -> Extension:
    known = _known(tokenizer)
    unknown = (tokenizer.special.unknown,)
    parts = (tuple(known[part] for part in _cut(piece, known)) for piece in pieces)
    return Extension(_extended(tokenizer, pieces), tuple(one or unknown for one in parts))


def _split(tokenizer: BytePairTokenizer, texts: tf.Tensor) -> tf.RaggedTensor:
    """The words of texts, each with the space before it, the first one too."""
    texts = tf.strings.unicode_transcode(texts, "UTF-8", "UTF-8", errors="ignore")
    return split_words(tf.strings.join([" ", compose(texts) if tokenizer.compose else texts]))


def _counted(
    tokenizer: BytePairTokenizer, lines: tf.data.Dataset
) -> Iterator[tuple[Sequence[bytes], Sequence[int]]]:
    """Distinct words, and their counts, batch by batch."""

    def count(texts: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        words, _, counts = tf.unique_with_counts(_split(tokenizer, texts).values)
        return words, counts

    for words, counts in lines.map(count, num_parallel_calls=tf.data.AUTOTUNE).as_numpy_iterator():
        yield words.tolist(), counts.tolist()


def _cuts(tokenizer: BytePairTokenizer, words: Sequence[str]) -> Iterator[list[str]]:
    """The pieces of each word."""
    for start in range(0, len(words), _WORDS_AT_ONCE):
        ids = tokenizer.cutter.cut(tf.constant(words[start : start + _WORDS_AT_ONCE], tf.string))
        for pieces in ids.to_list():
            yield [tokenizer.vocabulary[id_] for id_ in pieces]


def _merged(pieces: list[str], ranks: Mapping[Pair, int]) -> list[str]:
    """What merges make of pieces, the one of the lowest rank first, and its leftmost place."""
    while True:
        found = [ranks.get(pair, len(ranks)) for pair in itertools.pairwise(pieces)]
        if not found or min(found) == len(ranks):
            return pieces
        at = found.index(min(found))
        pieces = [*pieces[:at], pieces[at] + pieces[at + 1], *pieces[at + 2 :]]


def _pairs_of(tokenizer: BytePairTokenizer, words: Sequence[str]) -> list[Pair]:
    """The merges, from the left, by which each word becomes one piece."""
    known, ranks = frozenset(tokenizer.vocabulary), dict[Pair, int]()
    for word, cut in zip(words, _cuts(tokenizer, words), strict=True):
        pieces = _merged(cut, ranks)
        while len(pieces) > 1:
            left, right, *rest = pieces
            if left + right in known:
                raise ValueError(
                    f"A new word must be one that merges can make, but for {word!r} they had to "
                    f"make {left + right!r}, a piece that texts do not become: leave it out."
                )
            ranks[left, right] = len(ranks)
            pieces = [left + right, *rest]
    return list(ranks)


def _with_merges(tokenizer: BytePairTokenizer, pairs: Sequence[Pair]) -> Extension:
    parts: dict[str, tuple[int, ...]] = {
        piece: (id_,) for id_, piece in enumerate(tokenizer.vocabulary)
    }
    for left, right in pairs:
        parts[left + right] = parts[left] + parts[right]
    pieces = [left + right for left, right in pairs]
    merges = [*tokenizer.merges, *pairs]
    return Extension(
        _extended(tokenizer, pieces, merges=merges), tuple(parts[piece] for piece in pieces)
    )
